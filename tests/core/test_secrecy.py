"""A secret layer stops every file that is made of its district; each door, and nothing is left behind it."""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

import xinhe_geo as xh
from xinhe_geo.app.cli import DATA, main
from xinhe_geo.app.notebook import _mark_of, keep, run_notebook, sortable
from xinhe_geo.core.secrecy import keeping, refuse_leaving, refuse_uncleared
from xinhe_geo.core.secrecy_marks import read_mark, secret_cells
from xinhe_geo.district.district import secrets_opened
from xinhe_geo.report import report
from xinhe_geo.report.pages import plans
from xinhe_geo.report.paper import word
from xinhe_geo.report.workbook import foot

slides = importlib.import_module("xinhe_geo.report.paper.slides")

atlas = importlib.import_module("xinhe_geo.report.paper.atlas")

ROOT = Path(__file__).resolve().parents[2]
TOY = Path(__file__).parents[1] / "toy"
MARKS = Path("xinhe_geo", "core", "secrecy_marks.py")
CLEARED = 'secret_outputs = "张三 2026-11-20"\n'


def marked(place: Path, cleared: str = "") -> Path:
    """Return a copy of the toy district whose homes are secret."""
    folder = shutil.copytree(TOY, place / "toy")
    manifest = folder / "district.toml"
    text = manifest.read_text("utf-8").replace("[layers.homes]", '[layers.homes]\nsecrecy = "秘密"')
    manifest.write_text(cleared + text, "utf-8")
    return folder


COMMANDS = {
    "report": lambda d, out: ["report", d, "--out", out],
    "ledger": lambda d, out: ["ledger", d, "--out", out],
    "sheet": lambda d, out: ["sheet", "overview", d, "--out", f"{out}.pdf"],
    "public sheet": lambda d, out: ["sheet", "overview", d, "--out", f"{out}.pdf", "--public"],
    "atlas": lambda d, out: ["atlas", d, "--out", out],
    "slides": lambda d, out: ["slides", d, "--out", f"{out}.pptx"],
    "word": lambda d, out: ["word", d, "--out", f"{out}.docx"],
    "dxf": lambda d, out: ["dxf", d, "--out", f"{out}.dxf"],
    "public": lambda d, out: ["public", d, "--out", out],
    "fetch": lambda d, out: ["fetch", "--for", d, "--out", out],
    "plans": lambda d, out: ["plans", d, "--out", out],
}


@pytest.mark.parametrize("name", list(COMMANDS))
def test_commands(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder = marked(tmp_path)
    assert main(COMMANDS[name](str(folder), str(tmp_path / "out"))) == DATA
    said = capsys.readouterr().err.replace("\n", "")
    assert "秘密" in said and ("小区" in said or "homes" in said)
    assert {p.name for p in tmp_path.iterdir()} == {"toy"}


DOORS: dict[str, Callable[[xh.District, Path], object]] = {
    "brief": lambda d, out: xh.brief(d, to=out),
    "tables of a batch": lambda d, out: report.write_report(d, {}, out, only="tables"),
    "ledger": lambda d, out: report.write_ledger(d, xh.ledger(d).iloc[:0], out),
    "sheet": lambda d, out: xh.sheet(d, to=out / "a.pdf"),
    "atlas": atlas.atlas,
    "slides": lambda d, out: slides.slides(d, out / "a.pptx"),
    "word": lambda d, out: word.write_brief(d, out / "a.docx"),
    "map": lambda d, out: xh.draw(d).save(out / "a.html"),
    "picture of a map": lambda d, out: xh.draw(d).write(out / "a.svg"),
    "comparison": lambda d, out: plans.write_comparison(plans.State(d, "a"), plans.State(d, "b"), out),
    "table": lambda d, out: plans.write_table(out / "a.csv", d, "表", d.homes),
    "table of a notebook": lambda d, out: keep(d.homes, out / "a.csv", d),
    "chart of a notebook": lambda d, out: keep(sortable(pd.DataFrame({"数": [1]})), out / "a.html", d),
    "picture of a notebook": lambda d, out: keep("<svg/>", out / "a.svg", d),
    "workbook": lambda d, out: plans.write_table(out / "a.xlsx", d, "表", d.homes),
}


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> xh.District:
    return xh.District.load(marked(tmp_path_factory.mktemp("secret")))


@pytest.mark.parametrize("name", list(DOORS))
def test_functions(tmp_path: Path, secret: xh.District, name: str) -> None:
    with pytest.raises(xh.SourceError, match="小区 的密级是 秘密，不能"):
        DOORS[name](secret, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_cleared_outputs_carry_the_mark_and_stay_in_the_house(tmp_path: Path) -> None:
    """Whoever may say so writes it into the manifest; drawings, public editions and downloads are refused all the same."""
    district = xh.District.load(marked(tmp_path, CLEARED))
    refuse_uncleared(district.manifest, "写出地图")
    xh.draw(district).save(tmp_path / "a.html")
    assert "秘密 按保密规定保管" in (tmp_path / "a.html").read_text("utf-8")
    with pytest.raises(xh.SourceError):
        refuse_leaving(district.manifest, "导出 DXF")
    with pytest.raises(xh.SourceError, match="公开版"):
        xh.sheet(district, to=tmp_path / "b.pdf", public=True)


@pytest.mark.slow
def test_whatever_is_kept_says_how_it_is_to_be_kept(tmp_path: Path) -> None:
    cleared = xh.District.load(marked(tmp_path, CLEARED))
    table = pd.DataFrame({"人": [1]}, index=pd.Index(["甲"], name="做法"))
    for district, mark in ((xh.District.load(TOY), "内部资料 注意保管"), (cleared, "秘密 按保密规定保管")):
        page = keep(sortable(table), tmp_path / "a.html", district).read_text("utf-8")
        assert page.index("<body>") < page.index(mark) < page.index("<table")
        assert mark in foot(district)
    assert keep(table, tmp_path / "a.csv", cleared).read_text("utf-8-sig") == "做法,人,密级\n甲,1,秘密 按保密规定保管\n"
    plans.write_table(tmp_path / "b.csv", cleared, "表", table)
    assert "秘密 按保密规定保管" in (tmp_path / "b.csv").read_text("utf-8-sig")


def test_the_strictest_mark_counts() -> None:
    def of(*marks: str) -> dict[str, object]:
        return {"layers": {str(i): {"secrecy": mark} for i, mark in enumerate(marks)}, "secret_outputs": "x"}

    assert keeping(of("秘密", "机密", "public")).startswith("机密")
    assert _mark_of([of("秘密"), of("绝密")], Path("a.ipynb")).startswith("绝密")
    assert _mark_of([], Path("a.ipynb")) == keeping({}) == "内部资料 注意保管"
    with pytest.raises(xh.SourceError, match=r"不能存下笔记本 a\.ipynb"):
        _mark_of([of("秘密"), of("绝密") | {"secret_outputs": ""}], Path("a.ipynb"))


@pytest.mark.slow
def test_a_process_knows_which_secrets_it_has_opened(secret: xh.District) -> None:
    xh.District.load(TOY)
    mine = [m for m in secrets_opened() if m == {"layers": {"homes": {"secrecy": "秘密"}}, "secret_outputs": ""}]
    assert mine and all(m["layers"] for m in secrets_opened()), "nothing of districts without a secret layer"


def book_of(place: Path, folder: Path) -> Path:
    """Return a notebook that opens a district in a function and shows a frame, which knows nothing of where it is from."""
    source = (
        f"import xinhe_geo as xh\ndef f():\n    return xh.District.load({str(folder)!r}).homes\nf()[['name']].to_html()"
    )
    cell = {"cell_type": "code", "execution_count": None, "id": "a", "metadata": {}, "outputs": [], "source": source}
    book = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path = place / "book" / "a.ipynb"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(book), "utf-8")
    return path


@pytest.mark.slow
@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("ipykernel", "mistune", "nbclient", "nbformat")),
    reason="Jupyter is not installed (extra: lab)",
)
@pytest.mark.parametrize("cleared", [True, pytest.param(False, marks=pytest.mark.matrix)])
def test_a_run_of_a_notebook_is_kept_with_its_mark_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cleared: bool
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    out = tmp_path / "out"
    folder = marked(tmp_path)
    with pytest.raises(xh.SourceError, match="小区 的密级是 秘密，不能存下笔记本"):
        run_notebook(str(book_of(tmp_path, folder)), out=out)
    assert not out.exists()
    shutil.rmtree(folder)
    place, mark = (marked(tmp_path, CLEARED), "秘密 按保密规定保管") if cleared else (TOY, "内部资料 注意保管")
    copy, page = run_notebook(str(book_of(tmp_path, place)), out=out)
    text = page.read_text("utf-8")
    assert f"<strong>{mark}</strong>" in text and "secrets_opened" not in text + copy.read_text("utf-8")
    assert [c["cell_type"] for c in json.loads(copy.read_text("utf-8"))["cells"]] == ["markdown", "code"]


@pytest.fixture
def launcher(tmp_path: Path) -> ModuleType:
    """Return the launcher, copied into a project of its own that holds the secret district."""
    project = tmp_path / "project"
    project.mkdir()
    for name in ("run.py", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, project / name)
    (project / MARKS).parent.mkdir(parents=True)
    shutil.copy(ROOT / MARKS, project / MARKS)
    spec = importlib.util.spec_from_file_location("launcher_of_a_secret", project / "run.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("cleared", ["", CLEARED])
@pytest.mark.parametrize("how", ["layer", "whole", "unreadable"])
def test_a_bundle_does_not_carry_a_secret_layer(
    tmp_path: Path, launcher: ModuleType, how: str, cleared: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not even with cleared outputs: it is made to be carried to another computer."""
    manifest = marked(launcher.ROOT, cleared) / "district.toml"
    text = manifest.read_text("utf-8")
    if how == "whole":
        text = 'secrecy = " Secret "\n' + re.sub(r"(?m)^secrecy = .*\n", "", text)
    manifest.write_text(text if how != "unreadable" else text + "\n[[[", "utf-8")
    assert launcher.main(["bundle", "--out", str(tmp_path / "u 盘")]) == launcher.BAD_DATA
    said = capsys.readouterr().err
    assert (
        "toy/district.toml" in said
        and {"layer": "homes：秘密", "whole": "streets：Secret"}.get(how, "密级不明") in said
    )
    assert {p.name for p in tmp_path.iterdir()} == {"project"}
    assert not (launcher.ROOT / ".venv").exists(), "nothing was installed either"


def test_a_district_that_is_not_secret_does_not_stop_a_bundle(launcher: ModuleType) -> None:
    shutil.copytree(TOY, launcher.ROOT / "toy")
    assert launcher.secret_layers(launcher.project_files()) == []


def test_a_manifest_that_takes_long_to_read_is_not_opened(launcher: ModuleType, tmp_path: Path) -> None:
    """Before anything that is confined is there to read it: a thousand gigabytes, or a key of a hundred thousand parts."""
    place = tmp_path / "district.toml"
    with place.open("wb") as file:
        file.truncate(1 << 40)
    started = time.process_time()
    assert launcher.is_guarded(tmp_path)
    place.write_text("a" + ".a" * 100_000 + " = 1\n", "utf-8")
    assert launcher.is_guarded(tmp_path)
    assert time.process_time() - started < 0.2
    place.write_bytes((TOY / "district.toml").read_bytes())
    assert not launcher.is_guarded(tmp_path)


def test_what_is_no_mark_for_its_length_is_told_at_once_and_counts_as_the_strictest() -> None:
    for text in ("<" * 8_000_000, "机密" * 4_000_000, " " * 8_000_000, "公开" + " " * 8_000_000):
        started = time.process_time()
        assert read_mark(text).secret and not read_mark(text).understood
        assert time.process_time() - started < 0.5


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("column", ["密级", "名称"])
def test_a_cell_says_beside_others_what_it_says_alone(column: str, known: bool) -> None:
    """In whatever width, case and script, first or last, and where nothing else in the column says anything."""
    marks = [
        "机密★10年",
        "機密＊10年",
        "ＳＥＣＲＥＴ",
        "TOP SECRET",
        "top\nsecret",
        "ConFidential",
        "㊙",
        "密",
        "绝密 5年",
        "内部",
    ]
    for mark in marks:
        alone = [found for _, found in secret_cells(column, [mark], known=known)]
        for cells in ([mark], [None, "小区", 12, mark], [mark, "é", "e\u0301", "nan"], ["se", mark, "c"]):
            found = [(at, said) for at, said in secret_cells(column, cells, known=known) if cells[at] == mark]
            assert found == [(cells.index(mark), said) for said in alone], (cells, found)
    assert any(list(secret_cells("名称", [mark], known=known)) for mark in marks)
