"""What commands say in English of files that somebody brings, good ones and bad ones: nothing Chinese but what stands in them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import geopandas as gpd
import openpyxl
import pytest
import shapely
from spoken import MARKS, ours, texts_of
from test_new_district import BOX
from test_osm_import import town
from test_survey import LINES, folder_in, form_in, street_named

from xinhe_geo.app.cli import main
from xinhe_geo.app.commands.console import ERR, OUT
from xinhe_geo.core import LAYERS, speaking
from xinhe_geo.io import SHEETS, heads_of, take_survey
from xinhe_geo.ledger.targets import HEADS, LEAVE, SHEET, TAKE

ROOT = Path(__file__).parents[2]


@cache
def osm() -> str:
    return town().xml()


#: Files that an office has, and that it took for such, by name.
FILES: dict[str, str | bytes] = {
    "empty.osm": "",
    "page.osm": "<!doctype html><html>404</html>",
    "broken.osm.pbf": b"\0\0\0\rOSMHeader" + b"\1" * 200,
    "other.txt": "abc",
    "people.csv": "id,lon,lat,people\nh1,117.6035,39.0545,1200\nh2,,39.0556,5\nh3,10,10,5\nh4,117.6072,39.0556,-5\n",
    "nowhere.csv": "id,people\nh1,5\n",
    "twice.csv": "id,lon,lat,people\nh1,117.6035,39.0545,1200\nh1,117.6036,39.0545,1200\n",
    "nameless.csv": "id,lon,lat,people\n,117.6035,39.0545,1200\n",
    "metres.csv": "id,x,y,people\nh1,500000,4320000,1200\n",
    "recipe.toml": 'name = ""\nfoo = 1\n[streets]\nfile = "no.osm"\nbasis = "guess"\ndate = "soon"\nwhat = 1\n[homes]\n',
    "unread.toml": "name = \n",
    "list.csv": "street\ntoy\n",
    "plan.txt": "第一章 目标\n到2030年新增养老床位一百二十张，改造老旧小区不少于三万平方米。\n",
    "nothing.txt": "没有数\n",
}
#: What is typed where everything goes well.
GOOD = {
    "an import": ["import", "town.osm", "--out", "new"],
    "an import with people": ["import", "town.osm", "--out", "new", "--homes", "people.csv"],
    "a split": ["split", "town.osm", "--districts", "border.geojson", "--code", "code", "--out", "new"],
    "a split with people": [
        *("split", "town.osm", "--districts", "border.geojson", "--code", "code", "--homes", "people.csv"),
        *("--out", "new"),
    ],
    "a new district": ["new", "new", "--name", "X", "--streets", "town.osm", "--boundary", "border.geojson"],
    "ways": ["ways", "town.osm"],
    "plans": ["scenarios", "toy"],
    "sets of rules": ["rules", "list", "toy"],
    "rules of a set": ["rules", "list", "toy", "--set", "plan"],
    "targets offered": ["targets", "plan.txt", "--to", "toy", "--decide", "new.xlsx"],
    "targets taken": ["targets", "plan.txt", "--to", "toy", "--decide", "taken.xlsx"],
    "a rule changed": ["rules", "import", "changed.xlsx", "--to", "toy"],
}
#: What is typed where it goes wrong.
WRONG = {
    "no extract": ["import", "no.osm", "--out", "new"],
    "a folder for an extract": ["import", "toy", "--out", "new"],
    **{f"{name} for an extract": ["import", name, "--out", "new"] for name in FILES if ".osm" in name},
    "an extract that breaks off": ["import", "short.osm", "--out", "new"],
    "a text for an extract": ["import", "other.txt", "--out", "new"],
    "an area for an extract": ["import", "border.geojson", "--out", "new"],
    "a folder that is there": ["import", "town.osm", "--out", "toy"],
    "a file for a folder": ["import", "town.osm", "--out", "other.txt"],
    **{
        f"{name} for people": ["import", "town.osm", "--out", "new", "--homes", name]
        for name in ("no.csv", "nowhere.csv", "twice.csv", "nameless.csv", "metres.csv", "town.osm")
    },
    "no raster": ["import", "town.osm", "--out", "new", "--population", "no.tif"],
    "a table for a raster": ["import", "town.osm", "--out", "new", "--population", "people.csv"],
    "areas without people": ["import", "town.osm", "--out", "new", "--population", "border.geojson"],
    "people twice": ["import", "town.osm", "--out", "new", "--homes", "people.csv", "--population", "border.geojson"],
    "degrees to compute in": ["import", "town.osm", "--out", "new", "--crs", "EPSG:4326"],
    "no CRS": ["import", "town.osm", "--out", "new", "--crs", "abc"],
    "wrong districts": ["split", "town.osm", "--districts", "wrong.geojson", "--code", "code", "--out", "new"],
    "no such code": ["split", "town.osm", "--districts", "border.geojson", "--code", "no", "--out", "new"],
    "a city without map": [
        "split",
        "border.geojson",
        "--districts",
        "border.geojson",
        "--code",
        "code",
        "--out",
        "new",
    ],
    "a margin below none": [
        *("split", "town.osm", "--districts", "border.geojson", "--code", "code", "--margin", "-1"),
        *("--out", "new"),
    ],
    "a recipe": ["new", "new", "--from", "recipe.toml"],
    "a recipe nobody reads": ["new", "new", "--from", "unread.toml"],
    "no recipe": ["new", "new", "--from", "no.toml"],
    "no area": ["fetch", "--out", "new"],
    "half an area": ["fetch", "--out", "new", "--bbox", "1,2,3"],
    "an area without extent": ["fetch", "--out", "new", "--bbox", "1,2,1,3"],
    "an area of a country": ["fetch", "--out", "new", "--bbox", "1,2,9,9"],
    "an area beyond the globe": ["fetch", "--out", "new", "--bbox", "1,2,999,3"],
    "a list without folders": ["batch", "list.csv", "--out", "new"],
    "no folders": ["batch", "no*", "--out", "new"],
    "results in a district": ["batch", "toy", "--out", "toy/new"],
    "no workers": ["batch", "toy", "--out", "new", "--workers", "0"],
    "rules as a text": ["rules", "export", "rules.txt"],
    "no rules": ["rules", "import", "no.xlsx", "--to", "toy"],
    "rules of nothing": ["rules", "import", "blank.xlsx", "--to", "toy"],
    "wrong rules": ["rules", "import", "wrong.xlsx", "--to", "toy"],
    "rules for no district": ["rules", "import", "changed.xlsx", "--to", "other.txt"],
    "no set of rules": ["rules", "list", "toy", "--set", "no"],
    "no text": ["targets", "no.txt", "--to", "toy", "--decide", "new.xlsx"],
    "a map for a text": ["targets", "town.osm", "--to", "toy", "--decide", "new.xlsx"],
    "a text without numbers": ["targets", "nothing.txt", "--to", "toy", "--decide", "new.xlsx"],
    "targets as a text": ["targets", "plan.txt", "--to", "toy", "--decide", "new.doc"],
    "targets of nothing": ["targets", "plan.txt", "--to", "toy", "--decide", "blank.xlsx"],
    "wrong targets": ["targets", "plan.txt", "--to", "toy", "--decide", "odd.xlsx"],
    "no form": ["survey", "toy", "--take", "no.xlsx"],
    "a form of nothing": ["survey", "toy", "--take", "blank.xlsx"],
    "a text for a form": ["survey", "toy", "--take", "other.txt"],
    "a table of layers for a form": ["survey", "toy", "--take", "broken.gpkg"],
}


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with what an office has."""
    folder = tmp_path_factory.mktemp("office")
    for name, content in {**FILES, "town.osm": osm(), "short.osm": osm()[:900], "broken.gpkg": "no"}.items():
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    box, point = shapely.box(*BOX), shapely.Point(1, 2)
    for name, codes, shapes in (("border", ["1"], [box]), ("wrong", ["1", "1", None], [box, box, point])):
        gpd.GeoDataFrame({"code": codes}, geometry=shapes, crs=4326).to_file(folder / f"{name}.geojson")
    shutil.copytree(ROOT / "tests" / "toy", folder / "toy")
    openpyxl.Workbook().save(folder / "blank.xlsx")
    assert main(["rules", "export", str(folder / "rules.xlsx"), str(folder / "toy")]) == 0
    assert main(["targets", *(str(folder / n) for n in ("plan.txt",)), "--to", str(folder / "toy"), "--decide",
                 str(folder / "targets.xlsx")]) == 0  # fmt: skip
    filled(folder / "rules.xlsx", LAYERS["rules"].label, 3, {0: {"label": "New"}}, folder / "changed.xlsx")
    odd = {0: {"minutes": 7, "verified_on": "soon"}, 1: {"verified_by": "A"}, 3: {"confidence": "read"}}
    filled(folder / "rules.xlsx", LAYERS["rules"].label, 3, odd, folder / "wrong.xlsx")
    filled(folder / "targets.xlsx", SHEET, 1, {0: {"收不收": TAKE}}, folder / "taken.xlsx")
    cells = {"收不收": TAKE, "编号": "a b", "原文": "no", "目标": "=1+1", "年份": "soon", "属性": "must"}
    filled(folder / "targets.xlsx", SHEET, 1, {0: cells, 1: {"收不收": "perhaps"}}, folder / "odd.xlsx")
    return folder


def filled(book: Path, sheet: str, head: int, rows: dict[int, dict[str, object]], to: Path) -> None:
    """Write a workbook with some cells filled in, by the row below its header and the last line of their header."""
    whole = openpyxl.load_workbook(book)
    page = whole[sheet]
    at = {str(cell.value).splitlines()[-1]: cell.column for cell in page[head]}
    for number, cells in rows.items():
        for name, value in cells.items():
            page.cell(head + 1 + number, at[name]).value = value
    whole.save(to)


@cache
def known() -> str:
    """Return what is called the same in both languages: norms that are quoted, headers and words of sheets that somebody fills in."""
    quoted = texts_of(ROOT / "data" / "standards")
    forms = [*HEADS, SHEET, TAKE, LEAVE, *(sheet.name for sheet in SHEETS.values()), *map(str, LAYERS.values())]
    return quoted + " ".join([*forms, *(head for layer in SHEETS for head in heads_of(layer)), str(SHEETS)])


@pytest.fixture
def said(
    office: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[list[str]], tuple[int, str]]:
    """Return what types a command in English, in a room of its own, and returns how it ended and what was printed."""
    room = Path(shutil.copytree(office, tmp_path / "room"))
    monkeypatch.chdir(room)
    for console in (OUT, ERR):
        monkeypatch.setattr(console, "width", 2000)

    def typed(arguments: list[str]) -> tuple[int, str]:
        code = main([*arguments, "--lang", "en"])
        told = capsys.readouterr()
        return code, told.out + told.err

    return typed


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize("case", GOOD)
def test_what_is_brought_is_told_in_english(
    case: str, office: Path, said: Callable[[list[str]], tuple[int, str]]
) -> None:
    code, text = said(GOOD[case])
    assert code == 0 and text and not ours(text, texts_of(office) + known()), text


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_brought_is_told_in_english(
    case: str, office: Path, said: Callable[[list[str]], tuple[int, str]]
) -> None:
    code, text = said(WRONG[case])
    assert code and text and not ours(text, texts_of(office) + known()), text
    assert not MARKS.search(text), text


@pytest.mark.slow
def test_each_answer_of_a_form_is_told_in_english(tmp_path: Path) -> None:
    """Taken, asked about or explained as in Chinese, and in the words of the form."""
    folder = folder_in(tmp_path)
    other = street_named(folder)
    form = form_in(tmp_path, [(layer, other if key == "s1" else key, cells) for layer, key, cells, _, _ in LINES])
    chinese = take_survey(form, folder, surveyed=True)
    with speaking("en"):
        english = take_survey(form, folder, surveyed=True)
    assert english[["row", "id", "outcome", "signed"]].equals(chinese[["row", "id", "outcome", "signed"]])
    typed = str(LINES) + texts_of(folder) + known()
    for row in english.itertuples():
        assert not ours(f"{row.what} {row.remedy}", typed), (row.what, row.remedy)
