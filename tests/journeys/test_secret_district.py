"""A secret layer and every command there is: whatever the spelling of its mark, nothing of it comes out anywhere."""

from __future__ import annotations

import base64
import gzip
import hashlib
import importlib.util
import io
import json
import re
import shutil
import struct
import typing
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import openpyxl
import pyproj
import pytest
import shapely
import typer
from clock import one_in

import xinhe_geo as xh
from xinhe_geo.app.batch import Task, versions, work
from xinhe_geo.app.cli import COMMANDS, DATA, DONE, main
from xinhe_geo.app.cli import app as root
from xinhe_geo.core.secrecy import secret_layers, strictness
from xinhe_geo.core.secrecy_marks import CONFIDENTIAL, INTERNAL, PUBLIC, SECRET, TOP_SECRET, is_cleared, read_mark
from xinhe_geo.io import add
from xinhe_geo.io.homes_table import homes_from_table
from xinhe_geo.io.import_log import ImportLog
from xinhe_geo.io.row_report import tally
from xinhe_geo.ledger import export_rules

ROOT = Path(__file__).resolve().parents[2]
TOY = ROOT / "tests" / "toy"

#: Spellings that people use (as the value stands in TOML), and the level each means.
SPELLINGS = {
    '"机密★10年"': SECRET,
    '"机密 ★ 二十年"': SECRET,
    '"机密★长期"': SECRET,
    '"机密★"': SECRET,
    '"★机密"': SECRET,
    '"【机密】"': SECRET,
    '"（秘密）★ 6个月"': CONFIDENTIAL,
    '"秘密☆３年"': CONFIDENTIAL,
    '"秘密 3年"': CONFIDENTIAL,
    '"絕密"': TOP_SECRET,
    '"絕密★長期"': TOP_SECRET,
    '"機密"': SECRET,
    '"绝　密"': TOP_SECRET,
    '"密级：机密"': SECRET,
    '"机密级"': SECRET,
    '"机\\u200b密"': SECRET,
    '"机密⭐\\ufe0f10年"': SECRET,
    '"绝密★至2035年12月31日"': TOP_SECRET,
    '"秘密★1年6个月"': CONFIDENTIAL,
    '"涉密"': CONFIDENTIAL,
    '"工作秘密"': CONFIDENTIAL,
    '"TOP SECRET"': TOP_SECRET,
    '"Top-Secret"': TOP_SECRET,
    '"ｓｅｃｒｅｔ"': SECRET,
    '"Secret ★ 10 years"': SECRET,
    '" Confidential "': CONFIDENTIAL,
    '"classified"': CONFIDENTIAL,
    '"Ｔｏｐ　Ｓｅｃｒｅｔ"': TOP_SECRET,
    '"机 密 ★ １０ 年"': SECRET,
    '"秘\\u200d密\\ufeff★长期"': CONFIDENTIAL,
    '"絶密☆永久"': TOP_SECRET,
    '"機\\u00ad密★三十年"': SECRET,
    '"祕密級"': CONFIDENTIAL,
    '"保密级别：绝密"': TOP_SECRET,
    '"『機密』"': SECRET,
    '"机\\n密"': SECRET,
    '"国家秘密★解密前"': CONFIDENTIAL,
    '"HIGHLY-CLASSIFIED"': SECRET,
    '"\\u202e机密"': SECRET,
    '"商业秘密"': CONFIDENTIAL,
    '"restricted"': CONFIDENTIAL,
}
#: What no vocabulary knows: an error for `check`, and the strictest for everybody else.
UNCLEAR = (
    '"绝"', '"机"', '"jimi"', '"sеcret"', '"机密级以上"', '"内部★机密"', '"公开（机密）"', '"非机密"', '"秘密★10年 机密"',
    '"公开、秘密"', '"机密转公开"', '"内部/秘密"', '"N/A"', '"●●"', '"public★10年"', '"nan"', '"secret-ish"',
    '""', '"　"', '"机蜜"', '"secert"', '"公开?"', '"不知道"', '"机密/秘密"', '"公开★10年"', '"机密★若干"', '"0"',
    "0", "false", "true", "1.5", "[]", '["机密"]', "{}", "2030-01-01",
)  # fmt: off
OPEN = {
    '"公开"': PUBLIC,
    '"主动公开"': PUBLIC,
    '"PUBLIC"': PUBLIC,
    '"【公开】"': PUBLIC,
    '"内部"': INTERNAL,
    '"内部资料"': INTERNAL,
    '"內部資料"': INTERNAL,
    '"内部使用"': INTERNAL,
    '"内部资料 注意保管"': INTERNAL,
    '"不公开"': INTERNAL,
    '"Internal use only"': INTERNAL,
}
#: Misspelt names of the key, with a mark that is spelt well.
MISSPELT = ("secrecey", "Secrecy", "SECRECY", "secrecy_level", "密级", "保密级别", "classification", "level")


def value_of(text: str) -> object:
    import tomllib

    return tomllib.loads(f"v = {text}")["v"]


@pytest.mark.parametrize("said", SPELLINGS)
def test_usual_spellings(said: str) -> None:
    mark = read_mark(value_of(said))
    assert (mark.level, mark.understood, mark.secret) == (SPELLINGS[said], True, True)


@pytest.mark.parametrize("said", UNCLEAR)
def test_what_nobody_can_read_counts_as_the_strictest(said: str) -> None:
    manifest = {"layers": {"homes": {"secrecy": value_of(said)}}, "secret_outputs": "张三 2026-11-20"}
    assert strictness(manifest) == TOP_SECRET and "homes" in secret_layers(manifest)
    assert not is_cleared(manifest), "nobody can have cleared what nobody can read"


@pytest.mark.parametrize("said", OPEN)
def test_what_is_not_secret(said: str) -> None:
    mark = read_mark(value_of(said))
    assert (mark.level, mark.understood, mark.secret) == (OPEN[said], True, False)


@pytest.mark.parametrize("key", MISSPELT)
@pytest.mark.parametrize("where", ["layer", "folder"])
def test_a_mark_under_a_misspelt_name_counts(key: str, where: str) -> None:
    entry = {"file": "a.csv", key: "机密"}
    manifest = {"layers": {"homes": entry}} if where == "layer" else {**entry, "layers": {"homes": {"file": "a.csv"}}}
    assert strictness(manifest) == TOP_SECRET


@pytest.mark.parametrize(
    "manifest",
    [
        {"security": {"level": "机密"}},
        {"layers": {"homes": {"meta": {"secrecy": "秘密"}}}},
        {"layers": {"homes": {"marks": ["绝密★长期"]}}},
        {"secrecy": {"homes": "机密"}},
        {"handling": "机密（待核）"},
        {"layers": {"homes": {"note": "机密★10年"}}},
        {"credit": "国家秘密"},
    ],
    ids=str,
)
def test_a_mark_in_another_place_counts(manifest: dict[str, object]) -> None:
    """In a table of its own, in a list, in what is free text: nobody meant it to be overlooked."""
    assert strictness(manifest) == TOP_SECRET


@pytest.mark.parametrize("text", ["本层不含机密", "保密局提供", "秘密花园", "", "无"])
def test_free_text_may_speak_of_secrets(text: str) -> None:
    assert strictness({"layers": {"homes": {"note": text, "source": text}}}) == INTERNAL


#: Rows that say themselves that they are secret: what stands above the header, its last column, the last cell, the file's name.
MARKED_ROWS = {
    "in a column of its own": ("", "密级", "机密★10年", "食堂"),
    "in a column called otherwise": ("", "级别说明", "絕密", "食堂"),
    "in the note": ("", "备注", "秘密★3年", "食堂"),
    "so that nobody can read it": ("", "保密", "三级", "食堂"),
    "above the header": ("机密★10年,,,,,\n", "备注", "", "食堂"),
    "in the name of the file": ("", "备注", "", "食堂（机密★10年）"),
}


@pytest.mark.slow
@pytest.mark.one_in(3)
@pytest.mark.parametrize("way", MARKED_ROWS)
def test_rows_that_are_marked_come_into_no_layer_that_is_not(tmp_path: Path, way: str) -> None:
    above, head, cell, stem = MARKED_ROWS[way]
    (tmp_path / "in").mkdir()
    file = tmp_path / "in" / f"{stem}.csv"
    text = f"{above}编号,名称,类别,经度,纬度,{head}\nP1,点,canteen,117.0023,39.0144,{cell}\n"
    file.write_text(text, "utf-8-sig")
    folder = shutil.copytree(TOY, tmp_path / "toy")
    with pytest.raises(xh.SourceError, match="没有标到这一级"):
        add(file, folder, "facilities", crs="WGS84")
    people = tmp_path / "in" / f"{stem} 人口.csv"
    people.write_text(f"编号,经度,纬度,常住人口,{head}\nS1,117.0,39.0,5,{cell}\n", "utf-8-sig")
    if (not above and head != "备注") or stem != "食堂":
        with pytest.raises(xh.SourceError, match="没有标到这一级"):
            homes_from_table(people, pyproj.CRS(4548), True, shapely.box(0, 0, 1, 1), ImportLog())
    manifest = folder / "district.toml"
    text = manifest.read_text("utf-8")
    manifest.write_text(text.replace("[layers.facilities]", '[layers.facilities]\nsecrecy = "绝密"'), "utf-8")
    assert tally(add(file, folder, "facilities", crs="WGS84"))["new"] == 1


@pytest.mark.slow
@pytest.mark.one_in(3)
@pytest.mark.parametrize("cell", ["内部", "公开", ""])
def test_rows_that_are_open_are_taken(tmp_path: Path, cell: str) -> None:
    file = tmp_path / "a.csv"
    file.write_text(f"编号,名称,类别,经度,纬度,密级\nP1,点,canteen,117.0023,39.0144,{cell}\n", "utf-8-sig")
    assert tally(add(file, TOY, "facilities", crs="WGS84"))["new"] == 1


@pytest.mark.slow
def test_rows_of_a_layer_that_are_marked_are_an_error(tmp_path: Path) -> None:
    """Where the manifest does not say so of their layer: nothing is made of it then, by whichever command."""
    folder = shutil.copytree(TOY, tmp_path / "toy")
    file = folder / "homes" / "homes.geojson"
    homes = json.loads(file.read_text("utf-8"))
    homes["features"][1]["properties"]["密级"] = "机密★10年"
    file.write_text(json.dumps(homes, ensure_ascii=False), "utf-8")
    (found,) = xh.check(folder).query("severity == 'error'").itertuples()
    assert (found.layer, found.field) == ("homes", "密级") and "1 行（第 2 行起）标着 机密★10年" in found.problem
    with pytest.raises(xh.DataError):
        xh.District.load(folder)
    manifest = folder / "district.toml"
    text = manifest.read_text("utf-8")
    for mark, wrong in (("秘密", True), ("机密", False), ("绝密★长期", False)):
        manifest.write_text(text.replace("[layers.homes]", f'[layers.homes]\nsecrecy = "{mark}"'), "utf-8")
        assert (xh.check(folder)["severity"] == "error").any() == wrong


@pytest.mark.parametrize("said", ["", " ", "无", "未核准", "否", False, True, 1, [], "no"])
def test_who_cleared_nothing(said: object) -> None:
    assert not is_cleared({"layers": {"homes": {"secrecy": "秘密"}}, "secret_outputs": said})


def test_the_folder_s_own_mark_counts_though_every_layer_has_another() -> None:
    assert strictness({"secrecy": "机密★10年", "layers": {"homes": {"secrecy": "公开"}}}) == SECRET
    assert strictness({"secrecy": "机密", "layers": {"homes": {"secrecy": "公开"}, "gates": {}}}) == SECRET


@pytest.mark.slow
@pytest.mark.one_in(6)
@pytest.mark.parametrize("line", [*(f"secrecy = {said}" for said in UNCLEAR), '密级 = "机密"', 'secrecey = "机密"'])
def test_check_tells_of_a_mark_that_nobody_can_read(tmp_path: Path, line: str) -> None:
    problems = xh.check(marked(tmp_path, line))
    (found,) = problems[problems["severity"] == "error"].itertuples()
    assert found.file == "district.toml" and found.field == f"layers.homes.{line.partition(' ')[0]}"
    assert "按绝密" in found.problem and "secrecy" in found.remedy
    with pytest.raises(xh.DataError):
        xh.District.load(tmp_path / "toy")


# --- markers ---------------------------------------------------------------------------------------------------------

NAME, PEOPLE = "暗记壹号苑", 876543


def marked(place: Path, line: str) -> Path:
    """Return a copy of the toy district whose homes carry a line in the manifest, and markers in name, number and place."""
    folder = place / "toy"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(TOY, folder)
    manifest = folder / "district.toml"
    manifest.write_text(
        manifest.read_text("utf-8").replace("[layers.homes]", f"[layers.homes]\n{toml_key(line)}"), "utf-8"
    )
    file = folder / "homes" / "homes.geojson"
    homes = json.loads(file.read_text("utf-8"))
    homes["features"][0]["properties"] |= {"name": NAME, "people": PEOPLE, "people_60plus": 123457, "households": 40}
    file.write_text(json.dumps(homes, ensure_ascii=False), "utf-8")
    return folder


def toml_key(line: str) -> str:
    key, _, value = line.partition(" = ")
    return line if re.fullmatch(r"[A-Za-z0-9_-]+", key) else f'"{key}" = {value}'


@cache
def markers(folder: Path) -> list[bytes]:
    """Return what would betray the marked home: name, numbers, position in metres and degrees."""
    first = json.loads((folder / "homes" / "homes.geojson").read_text("utf-8"))["features"][0]["geometry"]
    corners = first["coordinates"][0]
    degrees = pyproj.Transformer.from_crs("EPSG:4548", "EPSG:4326", always_xy=True)
    numbers = [str(v) for x, y in corners for v in (x, y)]
    numbers += [f"{v:.5f}" for x, y in corners for v in degrees.transform(x, y)]
    texts = [NAME, str(PEOPLE), f"{PEOPLE:,}", "123457", "123,457", *numbers]
    binary = [
        struct.pack(order + "d", v) for x, y in corners for v in (x, y, *degrees.transform(x, y)) for order in "<>"
    ]
    binary += [struct.pack(order + "d", PEOPLE) for order in "<>"]
    return [t.encode() for t in texts] + [json.dumps(NAME)[1:-1].encode(), NAME.encode("utf-16-le"), *binary]


def unpacked(content: bytes, depth: int = 0) -> Iterator[bytes]:
    """Yield content and whatever is packed in it: zip (xlsx, docx, pptx), gzip, streams of a PDF, base64 in pages."""
    yield content
    if depth > 4:
        return
    inner: list[bytes] = []
    if content[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            inner += [packed.read(name) for name in packed.namelist()]
    elif content[:2] == b"\x1f\x8b":
        inner.append(gzip.decompress(content))
    elif content[:4] == b"%PDF":
        for stream in re.findall(rb"stream\r?\n(.*?)endstream", content, re.DOTALL):
            try:
                inner.append(zlib.decompressobj().decompress(stream))
            except zlib.error:
                continue
    else:
        for blob in re.findall(rb"[A-Za-z0-9+/]{120,}={0,2}", content):
            try:
                inner.append(base64.b64decode(blob + b"=" * (-len(blob) % 4)))
            except ValueError:
                continue
    for part in inner:
        yield from unpacked(part, depth + 1)


def betrayed(content: bytes, folder: Path) -> list[bytes]:
    return [m for m in markers(folder) for part in unpacked(content) if m in part]


def tree(folder: Path) -> dict[str, str]:
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


# --- every command ---------------------------------------------------------------------------------------------------

Typed = Callable[[str, Path, Path], list[str]]

#: group and command -> what is typed (district, folder for outputs, folder with things made beforehand).
TYPED: dict[tuple[str, str], Typed] = {
    ("", "report"): lambda d, out, _: ["report", d, "--out", f"{out}/r", "--plans"],
    ("", "check"): lambda d, out, _: ["check", d],
    ("", "fetch"): lambda d, out, _: ["fetch", "--for", d, "--out", f"{out}/f", "--yes"],
    ("", "compare"): lambda d, out, _: ["compare", "a", "--for", d, "--out", f"{out}/c"],
    ("", "plans"): lambda d, out, _: ["plans", d, "--out", f"{out}/p"],
    ("", "provision"): lambda d, out, _: ["provision", "--people", "99", "--for", d, "--out", f"{out}/a.xlsx"],
    ("", "checkup"): lambda d, out, _: ["checkup", d, "--out", f"{out}/j"],
    ("", "suggest"): lambda d, out, _: ["suggest", d, "--decide", f"{out}/x.xlsx"],
    ("", "programme"): lambda d, out, _: ["programme", d, "--toml", f"{out}/y.toml", "--out", f"{out}/y"],
    ("", "parcels"): lambda d, out, _: ["parcels", "--for", d, "--out", f"{out}/w"],
    ("", "robustness"): lambda d, out, _: [
        *("robustness", d, "--draws", "39", "--csv", f"{out}/k.csv", "--out", f"{out}/k"),
    ],
    ("", "stress"): lambda d, out, _: ["stress", d, "--out", f"{out}/v"],
    ("", "survey"): lambda d, out, _: ["survey", d, "--out", f"{out}/h"],
    ("", "links"): lambda d, out, _: [
        *("links", "clinic_station", "--for", d, "--csv", f"{out}/a.csv", "--toml", f"{out}/a.toml", "--gaps"),
        *("--out", f"{out}/l"),
    ],
    ("", "scenarios"): lambda d, out, _: ["scenarios", d],
    ("", "sites"): lambda d, out, _: [
        *("sites", "clinic_station", "--for", d, "--csv", f"{out}/b.csv", "--toml", f"{out}/b.toml"),
        *("--out", f"{out}/s"),
    ],
    ("", "ledger"): lambda d, out, _: ["ledger", d, "--out", f"{out}/g"],
    ("", "targets"): lambda d, out, made: ["targets", f"{made}/plan.txt", "--to", d, "--decide", f"{out}/z.xlsx"],
    ("", "receipt"): lambda d, out, _: ["receipt", "plan_clinic_15", d, "--out", f"{out}/a.json"],
    ("", "sheet"): lambda d, out, _: ["sheet", "overview", d, "--out", f"{out}/a.pdf"],
    ("", "atlas"): lambda d, out, _: ["atlas", d, "--out", f"{out}/t"],
    ("", "map"): lambda d, out, _: ["map", "overview", d, "--out", f"{out}/m.html"],
    ("", "public"): lambda d, out, _: ["public", d, "--out", f"{out}/u"],
    ("", "slides"): lambda d, out, _: ["slides", d, "--out", f"{out}/a.pptx"],
    ("", "word"): lambda d, out, _: ["word", d, "--out", f"{out}/a.docx"],
    ("", "template"): lambda d, out, _: ["template", "--for", d, "--out", f"{out}/t.xlsx"],
    ("", "add"): lambda d, out, made: ["add", f"{made}/homes.csv", "--to", d, "--layer", "homes"],
    ("", "update"): lambda d, out, made: [
        *("update", f"{made}/list.csv", "--to", d, "--kind", "canteen", "--year", "2023"),
    ],
    ("", "dxf"): lambda d, out, _: ["dxf", d, "--out", f"{out}/a.dxf"],
    ("", "gpkg"): lambda d, out, _: ["gpkg", d, "--out", f"{out}/a.gpkg"],
    ("", "undo"): lambda d, out, _: ["undo", d],
    ("", "seal"): lambda d, out, _: ["seal", d],
    ("scenario", "list"): lambda d, out, _: ["scenario", "list", d],
    ("scenario", "new"): lambda d, out, _: ["scenario", "new", "neu", "--for", d],
    ("scenario", "check"): lambda d, out, _: ["scenario", "check", "neu", "--for", d],
    ("rules", "list"): lambda d, out, _: ["rules", "list", d],
    ("rules", "run"): lambda d, out, _: ["rules", "run", "plan", d],
    ("rules", "export"): lambda d, out, _: ["rules", "export", f"{out}/rules.xlsx", d],
    ("rules", "import"): lambda d, out, made: ["rules", "import", f"{made}/rules.xlsx", "--to", d],
}
#: These open no district, or one in processes of their own (`test_batch`, and tests/core/test_secrecy.py of notebooks).
ELSEWHERE = {
    ("", "new"),
    ("", "import"),
    ("", "split"),
    ("", "ways"),
    ("", "batch"),
    ("", "notebook"),
    ("", "notebooks"),
    ("", "docs"),
}
#: These look into a folder or put something into it: they go on, and show no row of it.
SILENT = {("", "check"), ("", "add"), ("", "update"), ("", "seal"), ("", "undo"), ("rules", "import")}
#: These read it before they refuse it, so as to tell everything at once.
READING = {("", "public")}


def every_command() -> set[tuple[str, str]]:
    """Return the commands there are, by group and name."""
    groups = {id(g.typer_instance): g.name or g.typer_instance.info.name for g in root.registered_groups}
    return {("" if g is root else str(groups[id(g)]), name) for g, names in COMMANDS.items() for name in names}


def test_no_command_is_forgotten() -> None:
    assert every_command() == {*TYPED, *ELSEWHERE}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with what commands take in: a table of homes, a changed workbook of rules."""
    place = tmp_path_factory.mktemp("made")
    (place / "list.csv").write_text("编号,名称,类别\nF2,北食堂改名,canteen\n", "utf-8-sig")
    (place / "homes.csv").write_text("编号,名称,常住人口\nH1,另名,5\n", "utf-8-sig")
    (place / "plan.txt").write_text("到2030年，甲社区新建食堂2处。\n", "utf-8")
    book = openpyxl.load_workbook(export_rules(place / "rules.xlsx", TOY))
    sheet = next(s for s in book.worksheets if any(c.value == "plan" for row in s.iter_rows() for c in row))
    cell = next(c for row in sheet.iter_rows() for c in row if isinstance(c.value, int | float))
    cell.value = float(cell.value) + 1
    book.save(place / "rules.xlsx")
    return place


@pytest.mark.slow
@pytest.mark.parametrize("part", [60, pytest.param(1, marks=pytest.mark.matrix)])
@pytest.mark.parametrize("command", list(TYPED), ids=" ".join)
def test_nothing_comes_out(
    tmp_path: Path,
    made: Path,
    command: tuple[str, str],
    part: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By any command, in any spelling: not a byte is written, and nothing of a secret layer is printed."""
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    # a few spellings, others for each command; those that read the folder take a while each
    lines = [f"secrecy = {said}" for said in (*SPELLINGS, *UNCLEAR)]
    part = len(lines) // 3 if command in SILENT | READING else part
    lines = lines[list(TYPED).index(command) % part :: part]
    folder, out = marked(tmp_path, lines[0]), tmp_path / "out"
    text = (folder / "district.toml").read_text("utf-8")
    for line in lines:
        (folder / "district.toml").write_text(text.replace(lines[0], line), "utf-8")
        before = tree(folder)
        code = main(TYPED[command](str(folder), out, made))
        said = "".join(capsys.readouterr())
        assert code == DATA or (command in SILENT), (line, said)
        assert command != ("", "check") or code == (DATA if line[10:] in UNCLEAR else DONE)
        assert not betrayed(said.replace("\n", "").encode(), folder), (line, said)
        if command == ("", "seal"):  # stays in the folder, and holds hashes
            assert not betrayed((folder / "seal.json").read_bytes(), folder)
            (folder / "seal.json").unlink()
        assert not out.exists() and tree(folder) == before, line
    assert not list((tmp_path / "cwd").iterdir())


#: What is typed for options that name a file, where that is not another output: (folder for outputs, what was made beforehand).
FILES: dict[str, Callable[[Path, Path], Path]] = {
    "word": lambda out, _: out / "a.docx",
    "slides": lambda out, _: out / "a.pptx",
    "place": lambda out, _: out / "a.html",
    "decide": lambda out, _: out / "a.xlsx",
    **{name: lambda out, _: out / "a.csv" for name in ("values", "report")},
    **{name: lambda _, made: made / "rules.xlsx" for name in ("take",)},
    **{name: lambda _, made: made / "homes.csv" for name in ("control", "layer", "homes")},
}


def every_option() -> Iterator[tuple[tuple[str, str], str, bool]]:
    """Yield every option that names a file, or is there or not, and is not typed above: the command, the option, whether it names one."""
    groups = {id(g.typer_instance): str(g.name or g.typer_instance.info.name) for g in root.registered_groups}
    for group, names in COMMANDS.items():
        for name, function in names.items():
            command = ("" if group is root else groups[id(group)], name)
            if command not in TYPED:
                continue
            typed = TYPED[command]("d", Path("o"), Path("m"))
            for option, kind in typing.get_type_hints(function, include_extras=True).items():
                (said,) = getattr(kind, "__metadata__", (None,))[:1]
                named = [*(getattr(said, "param_decls", None) or ()), f"--{option.replace('_', '-')}"]
                spelt = next(n for n in named if n.startswith("--")).partition("/")[0]
                if (
                    isinstance(said, typer.models.OptionInfo)
                    and spelt not in typed
                    and re.search("Path|bool", str(kind))
                ):
                    yield command, spelt, "Path" in str(kind)


@pytest.mark.slow
@pytest.mark.parametrize("case", one_in(4, every_option()), ids=str)
def test_nothing_comes_out_by_any_option_either(
    tmp_path: Path,
    made: Path,
    case: tuple[tuple[str, str], str, bool],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Derived from the commands as they are: one that is new comes in by itself, and names a file of the table above or an output."""
    command, option, is_file = case
    monkeypatch.chdir(tmp_path)
    folder, out = marked(tmp_path, 'secrecy = "机密★10年"'), tmp_path / "out"
    more = [str(FILES.get(option[2:], lambda out, _: out / "a.xlsx")(out, made))] if is_file else []
    code = main([*TYPED[command](str(folder), out, made), option, *more])
    said = "".join(capsys.readouterr())
    assert code in (DATA, 2) or command in SILENT, said
    assert not betrayed(said.replace("\n", "").encode(), folder), said
    assert not out.exists() or command in SILENT
    assert not [
        p for p in tmp_path.rglob("*") if p.is_file() and folder not in p.parents and betrayed(p.read_bytes(), folder)
    ]


@pytest.mark.parametrize("said", ['"机密★10年"', '"机蜜"'])
def test_a_batch(tmp_path: Path, said: str) -> None:
    folder = marked(tmp_path, f"secrecy = {said}")
    row = work(Task("toy", str(folder), str(tmp_path / "out"), "plan", "tables", True, versions()))
    assert row["status"] == "failed" and "密级" in row["problem"]
    assert not betrayed(repr(row).encode(), folder) and not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("anywidget") is None, reason="Jupyter is not installed (extra: lab)")
def test_the_live_map_and_what_a_notebook_shows(tmp_path: Path) -> None:
    folder = marked(tmp_path, 'secrecy = "机密★10年"')
    district = xh.District.load(folder)
    with pytest.raises(xh.SourceError, match="小区 的密级是 机密★10年，不能打开活地图"):
        xh.live(district)
    shown = xh.draw(district)._repr_html_()
    assert "不能在笔记本里显示" in shown and not betrayed(shown.encode(), folder)


#: How a layer may be handed over: whatever can be written, with what it was read.
CONTAINERS: dict[str, Callable[[Path, Any], object]] = {
    "a.gpkg": lambda path, homes: homes.to_file(path),
    "a.shp": lambda path, homes: homes[["geometry"]].to_file(path),
    "a.fgb": lambda path, homes: homes.to_file(path),
    "a.geojson": lambda path, homes: homes.to_crs(4326).to_file(path),
    "a.kml": lambda path, homes: path.write_text(homes.to_crs(4326).to_wkt()["geometry"].iloc[0], "utf-8"),
    "a.xlsx": lambda path, homes: homes[["people"]].to_excel(path),
    "a.zip": lambda path, homes: homes[["name"]].to_excel(path.with_suffix(".xlsx")) or packed(path),
    "a.csv.gz": lambda path, homes: homes[["name"]].to_csv(path),
    "a.html": lambda path, homes: path.write_bytes(
        b"<script>f('" + base64.b64encode(homes.geometry.to_wkb().iloc[0]) + b"')"
    ),
    "b.html": lambda path, homes: path.write_bytes(
        b'<img src="' + base64.b64encode(gzip.compress(homes.to_csv().encode() * 3)) + b'">'
    ),
    "a.pdf": lambda path, homes: path.write_bytes(
        b"%PDF-1.7\nstream\n" + zlib.compress(homes.to_csv().encode()) + b"endstream"
    ),
    "a.npz": lambda path, homes: np.savez_compressed(path, xy=shapely.get_coordinates(homes.geometry)),
}


def packed(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        package.write(path.with_suffix(".xlsx"), "tables/a.xlsx")
    path.with_suffix(".xlsx").unlink()


@pytest.mark.parametrize("name", CONTAINERS)
def test_the_search_looks_into_whatever_can_be_handed_over(tmp_path: Path, name: str) -> None:
    """Each of them with one thing that betrays the home: its name, its people or its place, packed as that format packs it."""
    folder = marked(tmp_path, 'secrecy = "公开"')
    homes = gpd.read_file(folder / "homes" / "homes.geojson").iloc[:1]
    CONTAINERS[name](tmp_path / name, homes.set_crs(4548, allow_override=True))
    assert betrayed((tmp_path / name).read_bytes(), folder)


@pytest.mark.slow
def test_the_search_would_find_them(tmp_path: Path, made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same district without a mark: its name, numbers and place are found in what commands write and print."""
    folder, out = marked(tmp_path, 'secrecy = "内部"'), tmp_path / "out"
    found: set[bytes] = set()
    for command in (("", "map"), ("", "dxf"), ("", "sites"), ("rules", "run")):
        assert main(TYPED[command](str(folder), out, made)) == DONE
    for content in ["".join(capsys.readouterr()).encode(), *(p.read_bytes() for p in out.rglob("*") if p.is_file())]:
        found |= set(betrayed(content, folder))
    assert {NAME.encode(), f"{PEOPLE:,}".encode(), b"500020"} <= found


@pytest.mark.slow
def test_what_is_wrong_with_a_secret_row_is_told_without_the_row(
    tmp_path: Path, made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """File, row and field are told, and what to do; the value is not, by whichever command."""
    folder = marked(tmp_path, 'secrecy = "机密★10年"')
    file = folder / "homes" / "homes.geojson"
    file.write_text(file.read_text("utf-8").replace(str(PEOPLE), f"-{PEOPLE}"), "utf-8")
    for command in (["check", str(folder)], ["add", f"{made}/homes.csv", "--to", str(folder), "--layer", "homes"]):
        assert main(command) == DATA
        said = "".join(capsys.readouterr()).replace("\n", "")
        assert "people" in said and "核准" in said and str(PEOPLE) not in said
    with pytest.raises(xh.DataError) as caught:
        xh.District.load(folder)
    assert str(PEOPLE) not in str(caught.value) + caught.value.problems.to_csv()
    manifest = folder / "district.toml"
    manifest.write_text('secret_outputs = "张三 2026-11-20"\n' + manifest.read_text("utf-8"), "utf-8")
    assert str(PEOPLE) in xh.check(folder).to_csv()


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ["sites", "clinic_station", "--for"],
        ["links", "clinic_station", "--gaps", "--pairs", "--for"],
        ["provision", "--people", "99", "--for"],
        ["scenario", "check", "neu", "--for"],
        ["rules", "run", "plan"],
    ],
    ids=" ".join,
)
def test_tables_in_the_terminal_are_outputs_too(
    tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = marked(tmp_path, 'secrecy = "机密★10年"')
    assert main([*words, str(folder)]) == DATA
    said = "".join(capsys.readouterr())
    assert "机密★10年" in said.replace("\n", "") and not betrayed(said.encode(), folder)


def test_every_command_opens_a_district_through_the_gate() -> None:
    """Those that do not: `opened` itself, `check` (shows no rows), `fetch` and `public` (refuse by themselves)."""
    commands = ROOT / "xinhe_geo" / "app" / "commands"
    found = {p.stem: p.read_text("utf-8").count("District.load(") for p in sorted(commands.glob("*.py"))}
    assert {name: n for name, n in found.items() if n} == {"console": 1, "data": 2, "drawings": 1}
