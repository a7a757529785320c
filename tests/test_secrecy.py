"""A secret layer stops every file that is made of its district; each door, and nothing is left behind it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import xinhe_geo as xh
from xinhe_geo import plans, report
from xinhe_geo._printing import atlas, slides, word
from xinhe_geo.cli import DATA, main
from xinhe_geo.layers import refuse_secret, refuse_uncleared

TOY = Path(__file__).parent / "toy"


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
}  # fmt: skip


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
    "comparison": lambda d, out: plans.write_comparison(d, d, out, names=("a", "b")),
    "table": lambda d, out: plans.write_table(out / "a.csv", d, "表", d.homes),
    "workbook": lambda d, out: plans.write_table(out / "a.xlsx", d, "表", d.homes),
}  # fmt: skip


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> xh.District:
    return xh.District.load(marked(tmp_path_factory.mktemp("secret")))


@pytest.mark.parametrize("name", list(DOORS))
def test_functions(tmp_path: Path, secret: xh.District, name: str) -> None:
    with pytest.raises(xh.SourceError, match="小区 的密级是 秘密，不能"):
        DOORS[name](secret, tmp_path)
    assert not list(tmp_path.iterdir())


def test_cleared_outputs_carry_the_mark_and_stay_in_the_house(tmp_path: Path) -> None:
    """Whoever may say so writes it into the manifest; drawings, public editions and downloads are refused all the same."""
    district = xh.District.load(marked(tmp_path, 'secret_outputs = "张三 2026-11-20"\n'))
    refuse_uncleared(district.manifest, "写出地图")
    xh.draw(district).save(tmp_path / "a.html")
    assert "秘密 按保密规定保管" in (tmp_path / "a.html").read_text("utf-8")
    with pytest.raises(xh.SourceError):
        refuse_secret(district.manifest, district.manifest["layers"], "导出 DXF")
    with pytest.raises(xh.SourceError, match="公开版"):
        xh.sheet(district, to=tmp_path / "b.pdf", public=True)
