"""Columns of an office's own book that decide: services by community, states, sizes; people by whom they count and when."""

from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest

from xinhe_geo.access import rests_on
from xinhe_geo.app.cli import main
from xinhe_geo.core import LAYERS, DataError
from xinhe_geo.district import District, check
from xinhe_geo.io import add, blanks, tally
from xinhe_geo.io.file_rows import name_codes, rows_of
from xinhe_geo.io.incoming import Incoming
from xinhe_geo.io.row_report import RowReport

TOY = Path(__file__).parents[1] / "toy"


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    folder = tmp_path / "toy"
    shutil.copytree(TOY, folder)
    return folder


def table(path: Path, rows: list[list[Any]]) -> Path:
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        csv.writer(stream).writerows(rows)
    return path


def read(layer: str, heads: list[str], *rows: list[Any]) -> Any:
    incoming = Incoming("台账.xlsx", heads, [list(row) for row in rows], list(range(2, 2 + len(rows))))
    return rows_of(incoming, LAYERS[layer], {"nursing_home": "养老院"}, None, RowReport())


@pytest.mark.parametrize(
    ("head", "unit"),
    [("床位数（张）", "床"), ("座位数", "座"), ("托位", "托位"), ("停车位数量", "车位"), ("规模", None)],
)
def test_a_size_says_what_it_counts(head: str, unit: str | None) -> None:
    rows = read("facilities", ["编号", head], ["F1", "120"], ["F2", None])
    assert rows.column("capacity") == ["120", None]
    assert rows.column("capacity_unit") == [unit, None]


@pytest.mark.parametrize("word", ["-", "——", "－", "/", "无", "暂无", "不详", "N/A", "…"])
def test_a_mark_that_no_number_is_known_is_blank_is_told_and_holds_no_row_back(word: str) -> None:
    report = RowReport()
    incoming = Incoming("账.xlsx", ["编号", "名称", "建筑面积（㎡）"], [["A", "无", word], ["B", "乙", 0]], [2, 3])
    rows = rows_of(incoming, LAYERS["facilities"], {}, None, report)
    assert rows.cells["floor_area_m2"] == [None, "0"], "unknown is not nought, and nought is not unknown"
    assert rows.cells["name"] == ["无", "乙"], "a word in a column of words stays"
    assert not rows.refused
    frame = report.frame()
    assert frame["reason"].str.contains("当作没有填（不是 0）", regex=False).sum() == 1


def test_communities_are_called_by_name() -> None:
    rows = read("facilities", ["编号", "服务社区"], ["F1", "东里、西里社区"], ["F2", "c1；没有"], ["F3", None])
    name_codes(rows, {"communities": pd.DataFrame({"name": ["东里社区", "西里社区"]}, index=["c1", "c2"])})
    assert rows.column("serves_community") == ["c1;c2", "c1;没有", None]


@pytest.mark.parametrize("word", ["查无", "停业", "挂牌未运营", "搬迁"])
def test_states_of_the_book_serve_nobody(word: str) -> None:
    assert read("facilities", ["编号", "使用状态"], ["F1", word]).column("state")[0] in ("closed", "nominal", "moved")


@pytest.mark.one_in(4)
@pytest.mark.parametrize(
    ("heads", "said"),
    [
        (["编号", "户籍人口（2020年）"], ("300", "registered", "2020")),
        (["编号", "实有人口数"], ("300", "present", None)),
        (["编号", "常住人口"], ("300", None, None)),
        (["编号", "人口", "口径", "人口年份"], ("300", "present", "2019")),
    ],
)
@pytest.mark.slow
def test_people_carry_whom_they_count_and_when(
    tmp_path: Path, toy: Path, heads: list[str], said: tuple[str | None, ...]
) -> None:
    """All five homes: one kind of people in the whole folder, and the line under every map says which."""
    more = ["实有人口", "2019"][: len(heads) - 2]
    rows = [[key, 300, *more] for key in "ABCDE"]
    report = add(table(tmp_path / "a.csv", [heads, *rows]), toy, "homes", apply=True, sure=True)
    assert tally(report)["taken"] == 5, report.to_string()
    district = District.load(toy)
    assert district.rows["homes"]["people"].tolist() == [300.0] * 5
    for column, value in zip(("people_kind", "people_year"), said[1:], strict=True):
        there = set(district.rows["homes"][column].dropna().astype(str))
        assert there == (set() if value is None else {value})
    assert ("户籍人口（2020 年）" in rests_on(district)) == (said[1] == "registered")


@pytest.mark.slow
@pytest.mark.matrix
def test_two_kinds_of_people_are_refused_by_name_and_nothing_is_written(tmp_path: Path, toy: Path) -> None:
    before = {p: p.read_bytes() for p in sorted(toy.rglob("*")) if p.is_file()}
    path = table(tmp_path / "a.csv", [["编号", "户籍人口"], ["A", 100]])
    with pytest.raises(DataError, match=r"不能相加：常住 3 处（B、D、E）、户籍 1 处（A）"):
        add(path, toy, "homes", apply=True)
    assert {p: p.read_bytes() for p in before} == before
    both = table(tmp_path / "b.csv", [["编号", "户籍人口", "常住人口"], ["A", 70, 100]])
    report = add(both, toy, "homes")
    assert tally(report)["unchanged"] == 1, "residents are read, the others are left and told"
    assert report["reason"].str.contains("口径是户籍").any()


@pytest.mark.slow
def test_what_is_blank_is_asked_on_a_sheet_that_reads_back(tmp_path: Path, toy: Path) -> None:
    sheet = tmp_path / "待填.xlsx"
    counts = blanks(sheet, toy)
    assert counts["facilities.floor_area_m2"] == 4, "one of the five is not there in the year of the data"
    assert counts["homes.people"] == 1  # 丙苑 is unknown
    book = openpyxl.load_workbook(sheet)
    for layer, key, column, value in (
        ("facilities", "F1", "建筑面积（m²）", 350),
        ("facilities", "F1", "状态", "挂牌未运营"),
        ("homes", "C", "常住人口（人）", 12),
    ):
        table_ = book[LAYERS[layer].label]
        heads = [cell.value for cell in table_[1]]
        line = next(row for row in table_.iter_rows(min_row=2) if row[0].value == key)
        line[heads.index(column)].value = value
    book.save(sheet)
    for layer in ("facilities", "homes"):
        report = add(sheet, toy, layer, apply=True, sure=True)
        assert not report["result"].isin(["refused", "unclear", "new"]).any(), report.to_string()
    after = District.load(toy).rows
    assert after["facilities"].loc["F1", ["floor_area_m2", "state"]].tolist() == [350, "nominal"]
    assert after["homes"].loc["C", "people"] == 12
    assert (check(toy)["severity"] != "error").all()
    assert blanks(sheet, toy)["homes.people"] == 0


@pytest.mark.parametrize(
    ("layer", "head", "column"),
    [
        ("homes", "居住人口（人）", "people"),
        ("homes", "居住人口数", "people"),
        ("homes", "现有人口", "people"),
        ("homes", "人数", "people"),
        ("facilities", "面积㎡", "floor_area_m2"),
        ("facilities", "建筑面积（㎡）", "floor_area_m2"),
        ("facilities", "开业时间", "since"),
        ("facilities", "启用年份", "since"),
        ("facilities", "开业年份", "since"),
    ],
)
def test_everyday_heads_are_read(layer: str, head: str, column: str) -> None:
    assert read(layer, ["名称", head], ["甲", "3"]).columns.get(column) == 1


@pytest.mark.slow
def test_a_column_like_people_that_was_not_read_is_told_last(
    tmp_path: Path, toy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    homes = toy / "homes" / "homes.geojson"
    homes.write_text(re.sub(r'"(people|people_60plus)": \d+', r'"\1": null', homes.read_text("utf-8")), "utf-8")
    path = tmp_path / "台账.csv"
    path.write_text("编号,名称,在册住民人丁\nA,甲苑,120\nB,乙苑,210\n", "utf-8")
    main(["add", str(path), "--to", str(toy), "--layer", "homes"])
    told = " ".join(capsys.readouterr().err.split())
    assert told.endswith("注意：“在册住民人丁”一列像常住人口，没有读：表头改成“常住人口”再来"), told
