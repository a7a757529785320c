"""One sheet on which each row of a file is decided before anything is written, and the page of shapes beside it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import openpyxl
import pandas as pd
import pytest
import shapely

from xinhe_geo.app.cli import DATA, main
from xinhe_geo.app.commands import data as commands
from xinhe_geo.core import DataError, SourceError
from xinhe_geo.district import District, undo
from xinhe_geo.io import add, tally
from xinhe_geo.io.placing_page import Held, reconcile_page

TOY = Path(__file__).parents[1] / "toy"
CHECKED = "测试里量过"
SHEET, DECISION, TARGET = "逐行决定", 8, 9


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    folder = tmp_path / "toy"
    shutil.copytree(TOY, folder)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def own_layer(path: Path) -> Path:
    """
    The office's own 小区 over those of the folder, none drawn or numbered alike.

    Line 2 is A under its own name; 3 is half of E under another name; 4 and 5 are the two halves of B, one called as B is; 6 is new.
    """
    there = District.load(TOY).rows["homes"]
    shapes = there.geometry
    move = shapely.affinity.translate
    west, south, east, north = shapes["B"].bounds
    middle = (west + east) / 2
    rows = [
        ("S1", there.loc["A", "name"], 100, move(shapes["A"], 4, 4)),
        ("S2", "己苑", 10, move(shapes["E"], 30, 0)),
        ("S3", there.loc["B", "name"], 200, shapely.box(west, south, middle, north)),
        ("S4", "辛苑", None, shapely.box(middle, south, east, north)),
        ("S5", "庚苑", None, move(shapes["E"], 0, 200)),
    ]
    frame = pd.DataFrame(rows, columns=["编号", "名称", "常住人口", "geometry"])
    gpd.GeoDataFrame(frame, geometry="geometry", crs=there.crs).to_file(path, driver="GPKG")
    return path


def put(path: Path, folder: Path, **said: Any) -> pd.DataFrame:
    return add(path, folder, "homes", crs=4548, datum_checked=CHECKED, **said)


def lines_of(sheet: Path) -> dict[str, tuple[Any, ...]]:
    rows = list(openpyxl.load_workbook(sheet)[SHEET].iter_rows(values_only=True))
    return {str(row[1]): row for row in rows[1:]}


def edit(sheet: Path, change: Callable[[Any], None]) -> None:
    book = openpyxl.load_workbook(sheet)
    change(book[SHEET])
    book.save(sheet)


@pytest.mark.slow
def test_a_compound_of_that_name_elsewhere_is_proposed_as_that_one(tmp_path: Path, toy: Path) -> None:
    """The same people, drawn where no outline meets: the name alone speaks for it, and one of another name there is new."""
    there = District.load(TOY).rows["homes"]
    names, away = (
        [there.loc["A", "name"], "壬苑"],
        [shapely.affinity.translate(there.geometry["A"], d, 900) for d in (0, 200)],
    )
    frame = gpd.GeoDataFrame({"编号": ["S1", "S2"], "名称": names}, geometry=away, crs=there.crs)
    frame.to_file(tmp_path / "远.gpkg", driver="GPKG")
    sheet = tmp_path / "决定.xlsx"
    put(tmp_path / "远.gpkg", toy, decide=sheet)
    told = {key: (row[3], row[DECISION - 1], row[TARGET - 1]) for key, row in lines_of(sheet).items()}
    assert told == {"S1": ("待定", "更新", "A"), "S2": ("新增", "新增", None)}


@pytest.mark.slow
@pytest.mark.matrix
def test_the_sheet_as_it_is_proposed_doubles_nobody_and_is_undone_to_the_byte(tmp_path: Path, toy: Path) -> None:
    before, sheet = contents(toy), tmp_path / "决定.xlsx"
    path = own_layer(tmp_path / "小区.gpkg")
    put(path, toy, apply=True, decide=sheet)
    assert contents(toy) == before, "first the sheet, and nothing else"
    lines = lines_of(sheet)
    assert {key: (row[DECISION - 1], row[TARGET - 1]) for key, row in lines.items()} == {
        "S1": ("更新", "A"),
        "S2": ("更新", "E"),  # half of it is E: as likely as not, and nobody is doubled
        "S3": ("更新", "B"),
        "S4": ("跳过", None),  # the other half of B, which is taken
        "S5": ("新增", None),
    }
    assert {key for key, row in lines.items() if row[3] == "待定"} == {"S2", "S4"}
    rules = openpyxl.load_workbook(sheet)[SHEET].data_validations.dataValidation
    assert any(f"H2:H{len(lines) + 1}" in str(rule.sqref) for rule in rules), "更新、新增、跳过 are offered"
    page = sheet.with_suffix(".html").read_text("utf-8")
    assert page.count("<figure><svg") == 4, "one small map for each pair"
    assert "第 2 行 己苑" in page and not re.search(r"(?:src|href)=|<script|http(?!-equiv)", page)
    put(path, toy, apply=True, decide=sheet)
    homes = District.load(toy).rows["homes"]
    assert homes["people"].sum() == District.load(TOY).rows["homes"]["people"].sum() == 360
    assert homes["other_id"].dropna().to_dict() == {"A": "S1", "B": "S3", "E": "S2"}
    assert set(homes.index) == {*"ABCDE", "S5"}
    undo(toy)
    assert contents(toy) == before


@pytest.mark.slow
def test_what_somebody_decides_is_done_and_what_nobody_can_follow_is_told_at_once(tmp_path: Path, toy: Path) -> None:
    sheet, path = tmp_path / "决定.xlsx", own_layer(tmp_path / "小区.gpkg")
    put(path, toy, decide=sheet)
    at = {key: n for n, key in enumerate(lines_of(sheet), 2)}

    def wrong(table: Any) -> None:
        table.cell(at["S1"], DECISION).value = "也许"
        table.cell(at["S2"], TARGET).value = "没有"
        table.cell(at["S3"], 3).value = "别的苑"

    broken = Path(shutil.copy(sheet, tmp_path / "错.xlsx"))
    edit(broken, wrong)
    with pytest.raises(DataError) as caught:
        put(path, toy, decide=broken)
    assert caught.value.problems["field"].tolist() == [
        field for key in at for field in {"S1": ["决定"], "S2": ["更新哪一处"], "S3": ["行"]}.get(key, ())
    ]

    def other(table: Any) -> None:
        for key, decision, target in (("S2", "跳过", None), ("S5", "更新", "D")):
            table.cell(at[key], DECISION).value, table.cell(at[key], TARGET).value = decision, target

    edit(sheet, other)
    counts = tally(put(path, toy, decide=sheet, apply=True, sure=True))
    assert (counts["skipped"], counts["new"]) == (2, 0)
    homes = District.load(toy).rows["homes"]
    assert homes.loc["D", "other_id"] == "S5" and pd.isna(homes.loc["E", "other_id"])


@pytest.mark.slow
@pytest.mark.matrix
def test_a_number_that_is_a_line_and_an_id_is_asked_about(tmp_path: Path, toy: Path) -> None:
    """A list numbered from 1 below a header has the id 3 on line 4: neither is taken for the other."""
    shapes = [shapely.box(500_600 + 80 * i, 4_320_400, 500_650 + 80 * i, 4_320_450) for i in range(3)]
    rows = {"编号": ["2", "3", "1"], "名称": ["一苑", "二苑", "三苑"], "常住人口": [1, 1, 1]}
    path = tmp_path / "a.gpkg"
    gpd.GeoDataFrame(rows, geometry=shapes, crs=4548).to_file(path, driver="GPKG")
    with pytest.raises(SourceError, match="“2”是第 2 行，也是第 1 行的编号"):
        put(path, toy, skip=["2"])
    for said, left in (("编号2", "2"), ("行2", "3")):
        report = put(path, toy, skip=[said])
        assert report.loc[report["result"] == "skipped", "key"].tolist() == [left]


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize("answer", [True, False])
def test_a_jump_is_confirmed_by_whoever_sits_there(
    tmp_path: Path, toy: Path, answer: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(commands.sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(commands.typer, "confirm", lambda *_: answer)
    path = tmp_path / "a.csv"
    path.write_text("编号,名称,常住人口\nE,戊苑,90\n", "utf-8-sig")
    code = main(["add", str(path), "--to", str(toy), "--layer", "homes", "--yes"])
    people = District.load(toy).rows["homes"].loc["E", "people"]
    said = capsys.readouterr()
    assert (code == DATA, people) == ((False, 90) if answer else (True, 10))
    assert "360 → 440 人" in (said.out if answer else said.err)


def test_the_page_draws_both_shapes_of_a_pair_and_what_is_new() -> None:
    a, b, c = (shapely.box(x, 4_320_000, x + 50, 4_320_050) for x in (500_000, 500_020, 500_200))
    homes = gpd.GeoDataFrame(geometry=[b, c], crs=4548)
    rows = [
        Held("甲", "待定", "名称相近", a, (b,), "更新"),
        Held("乙", "新增", "", shapely.Point(500_000, 4_320_000), (), "新增"),
    ]
    page = reconcile_page(rows, [c], {"homes": homes}, homes.crs, "小区.gpkg")
    drawn = [re.findall(rf'<g class="{look}"><path d="(.*?)"/>(<circle)?', page) for look in ("there", "file", "new")]
    assert [len(some) for some in drawn] == [3, 2, 1], "the pair once among all and once by itself"
    assert all(path.startswith("M") for path, _ in drawn[0] + drawn[1]) and drawn[2] == [("", "<circle")]
