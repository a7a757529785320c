"""Figures typed into 专栏1: they count in the next run, stay where they were typed, and go into the folder when asked."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest
from ledger_toy import folder_with, measure

import xinhe_geo as xh
from xinhe_geo.app.cli import main
from xinhe_geo.core.schema import bundled_folder
from xinhe_geo.district.journal import undo
from xinhe_geo.ledger.panel import typed_figures, with_typed
from xinhe_geo.ledger.take import take_figures
from xinhe_geo.report.report import LEDGER_BOOK, write_ledger

SUM = {"series": "T1", "unit": "亿元", "since": 2021, "until": 2025, "aggregate": "sum", "operator": ">=", "low": 20}
HANDED = {"series": "T2", "target_series": "T2.target", "unit": "%", "since": 2021, "until": 2025, "operator": ">="}
SERIES = "indicator,unit,year,value,source,filled_by\nT1,亿元,2020,4.4,台账,\nT1,亿元,2021,,,\nT1,亿元,2022,5,台账,王\n"


@functools.cache
def table_of(folder: Path) -> pd.DataFrame:
    return xh.ledger(xh.District.load(folder))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the toy with two indicators of the panel, one of them against a target that is handed down."""
    rows = [measure("s", "series", **SUM), {**measure("h", "series", **HANDED), "measure": "T2.h", "commitment": "T2"}]
    made = folder_with(tmp_path / "toy", rows)
    promises = made / "tables" / "commitments.csv"
    text = promises.read_text("utf-8").replace("街道,", "街道,预期性", 1)
    promises.write_text(text, "utf-8")
    (made / "ledger").mkdir()
    (made / "ledger" / "series.csv").write_text(SERIES, "utf-8")
    with (made / "district.toml").open("a", encoding="utf-8") as manifest:
        manifest.write('\n[layers.series]\nfile = "ledger/series.csv"\nsource = "台账"\n')
    return made


def run(folder: Path, out: Path) -> pd.DataFrame:
    district, typed = with_typed(xh.District.load(folder), out / LEDGER_BOOK)
    table = xh.ledger(district)
    write_ledger(district, table, out, typed=typed)
    return table


def fill(out: Path, cells: Mapping[tuple[str, str], Any], formats: Mapping[tuple[str, str], str] | None = None) -> Path:
    """Type into the sheet as a person does: by commitment and column."""
    path = out / LEDGER_BOOK
    book = openpyxl.load_workbook(path)
    sheet = book["专栏1"]
    heads = {cell.value: cell.column for cell in sheet[3]}
    rows = {row[0].value: row[0].row for row in sheet.iter_rows(min_row=4) if row[0].value}
    for (code, column), value in cells.items():
        cell = sheet.cell(rows[code], heads[column])
        cell.value = value
        cell.number_format = (formats or {}).get((code, column), cell.number_format)
    book.save(path)
    return path


def shown(out: Path, code: str, column: str) -> Any:
    sheet = openpyxl.load_workbook(out / LEDGER_BOOK)["专栏1"]
    heads = {cell.value: cell.column for cell in sheet[3]}
    return next(sheet.cell(r[0].row, heads[column]).value for r in sheet.iter_rows(min_row=4) if r[0].value == code)


@pytest.mark.slow
@pytest.mark.matrix
def test_what_is_typed_counts_in_the_next_run_and_stays(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    before = run(folder, out)
    assert before.loc[("T1", "T1.s"), "value"] == 5 and before.loc[("T2", "T2.h"), "verdict"] == "待填"
    fill(out, {("T1", "2021"): 15, ("T2", "2025"): "88", ("T2", "目标"): 80})
    kept = (folder / "ledger" / "series.csv").read_bytes()
    for _ in range(2):  # twice: what was typed stays in the sheet, and goes on counting
        after = run(folder, out)
        assert after.loc[("T1", "T1.s"), "value"] == 20 and after.loc[("T2", "T2.h"), "verdict"] == "达标"
        assert shown(out, "T1", "2021") == 15 and shown(out, "T2", "2025") == 88 and shown(out, "T2", "目标") == 80
        assert "专栏1工作表" in after.loc[("T2", "T2.h"), "text"]
        assert "ledger/series.csv＋专栏1工作表" in after.loc[("T1", "T1.s"), "inputs"]
    assert (folder / "ledger" / "series.csv").read_bytes() == kept
    fill(out, {("T1", "2021"): None})
    assert run(folder, out).loc[("T1", "T1.s"), "value"] == 5, "emptied again before anything took it"


@pytest.mark.slow
@pytest.mark.matrix
def test_a_whole_report_counts_it_too(folder: Path, tmp_path: Path) -> None:
    out, said = tmp_path / "out", []
    xh.brief(xh.District.load(folder), out)
    fill(out, {("T1", "2021"): 15})
    xh.brief(xh.District.load(folder), out, progress=said.append)
    assert shown(out, "T1", "2021") == 15 and any("1 个数已计入" in line for line in said)
    assert "20 亿元" in (out / "ledger.html").read_text("utf-8")


@pytest.mark.slow
@pytest.mark.matrix
def test_take_writes_them_into_the_table_and_undo_takes_them_out(folder: Path, tmp_path: Path) -> None:
    out, series = tmp_path / "out", folder / "ledger" / "series.csv"
    run(folder, out)
    path = fill(out, {("T1", "2021"): 15, ("T1", "2022"): 6, ("T2", "2023"): 0.5}, {("T2", "2023"): "0.00%"})
    would = take_figures(path, folder, by="张三", apply=False)
    assert series.read_text("utf-8") == SERIES
    taken = take_figures(path, folder, by="张三")
    pd.testing.assert_frame_equal(taken, would)
    assert taken[["indicator", "year", "after"]].values.tolist() == [
        ["T1", 2021, 15],
        ["T1", 2022, 6],
        ["T2", 2023, 50],
    ]
    assert taken["before"].tolist()[1] == 5 and taken["before"].isna().sum() == 2
    rows = pd.read_csv(series, dtype=str).set_index(["indicator", "year"])
    assert len(rows) == 4 and rows.loc[("T1", "2021"), ["value", "filled_by"]].tolist() == ["15", "张三"]
    assert rows.loc[("T1", "2020"), "source"] == "台账" and rows.loc[("T2", "2023"), "value"] == "50"
    assert rows.loc[("T1", "2022"), "source"].startswith("规划目标落实核对表.xlsx 专栏1!")
    assert xh.check(folder).query("severity == 'error'").empty
    assert take_figures(path, folder).empty, "the folder has them all"
    assert run(folder, out).loc[("T1", "T1.s"), "value"] == 21
    undo(folder)
    assert series.read_text("utf-8") == SERIES


@pytest.mark.slow
@pytest.mark.matrix
def test_figures_are_read_back_digit_by_digit(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    run(folder, out)
    path = fill(out, {("T1", "2021"): 1234567})
    assert main(["ledger", str(folder), "--out", str(out), "--take", str(path)]) == 0
    assert "1,234,567" in capsys.readouterr().out
    assert main(["ledger", str(folder), "--out", str(out), "--take", str(path)]) == 0
    said = capsys.readouterr().out
    assert "没有改动" in said and "undo" not in said, "there is nothing new that undo would take out"


@pytest.mark.slow
@pytest.mark.matrix
def test_a_folder_without_the_table_gets_one(folder: Path, tmp_path: Path) -> None:
    (folder / "ledger" / "series.csv").unlink()
    manifest = folder / "district.toml"
    manifest.write_text(manifest.read_text("utf-8").split("\n[layers.series]")[0], "utf-8")
    out = tmp_path / "out"
    run(folder, out)
    path = fill(out, {("T1", "2024"): 7})
    assert run(folder, out).loc[("T1", "T1.s"), "value"] == 7
    take_figures(path, folder)
    assert xh.District.load(folder).rows["series"]["value"].tolist() == [7]


@pytest.mark.slow
@pytest.mark.one_in(5)
@pytest.mark.parametrize(
    ("cell", "value", "shape", "said", "remedy"),
    [
        (("T1", "2021"), "约15", "", "“约15”不是数", "只写数（单位：亿元）"),
        (("T1", "2021"), True, "", "“True”不是数", "只写数"),
        (("T1", "2021"), 0.15, "0%", "写成了百分数", "常规格式"),
        (("T2", "2023"), "15%", "", "“15%”不是数", "单位：%"),
        (("T1", "2022"), 7, "", "台账填报表里已改成 9", "两处留同一个数"),
    ],
)
def test_a_cell_that_is_no_figure_is_named_and_nothing_is_lost(
    folder: Path, tmp_path: Path, cell: tuple[str, str], value: Any, shape: str, said: str, remedy: str
) -> None:
    out = tmp_path / "out"
    run(folder, out)
    path = fill(out, {cell: value, ("T1", "2023"): "好"}, {cell: shape} if shape else None)
    series = folder / "ledger" / "series.csv"
    series.write_text(SERIES.replace(",5,", ",9,"), "utf-8")
    before = path.read_bytes(), series.read_bytes()
    for attempt in (lambda: run(folder, out), lambda: take_figures(path, folder)):
        with pytest.raises(xh.DataError) as caught:
            attempt()
        problems = caught.value.problems.set_index("row")
        assert len(problems) == 2 and (problems["file"] == "规划目标落实核对表.xlsx 专栏1").all()
        own = caught.value.problems[caught.value.problems["field"].str.startswith(f"{cell[0]} {cell[1]}（")].iloc[0]
        assert said in own["problem"] and remedy in own["remedy"] and own["row"] == cell[0]
    assert (path.read_bytes(), series.read_bytes()) == before


@pytest.mark.slow
@pytest.mark.matrix
def test_a_figure_changed_in_the_table_is_not_one_that_was_typed(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(folder, out)
    (folder / "ledger" / "series.csv").write_text(SERIES.replace(",5,", ",9,"), "utf-8")
    assert typed_figures(xh.District.load(folder), out / LEDGER_BOOK).empty
    assert run(folder, out).loc[("T1", "T1.s"), "value"] == 9 and shown(out, "T1", "2022") == 9


@pytest.mark.slow
def test_what_cannot_be_taken_is_refused(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(folder, out)
    path = fill(out, {("T1", "2021"): 15})
    for book, where, word in (
        (tmp_path / "no.xlsx", folder, "没有这个工作簿"),
        (path, tmp_path, "不是街道目录"),
        (path, bundled_folder(), "演示街道不能改"),
    ):
        with pytest.raises(xh.SourceError, match=word):
            take_figures(book, where)
    broken = tmp_path / "broken.xlsx"
    broken.write_bytes(b"no workbook")
    with pytest.raises(xh.EnvironmentProblem, match="专栏1"):
        take_figures(broken, folder)


@pytest.mark.slow
def test_the_command_takes_and_says_so(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(["ledger", str(folder), "--out", str(out)]) == 0
    path = Path(shutil.copy(fill(out, {("T1", "2021"): 15}), tmp_path / "填好.xlsx"))
    capsys.readouterr()
    assert main(["ledger", str(folder), "--out", str(out)]) == 0
    assert "新填的 1 个数已计入" in capsys.readouterr().out
    assert main(["ledger", str(folder), "--out", str(out), "--take", str(path), "--by", "张三"]) == 0
    said = capsys.readouterr().out
    assert "T1 2021：15 亿元" in said and "记进台账填报表 1 个数" in said and "已计入" not in said
    assert "张三" in (folder / "ledger" / "series.csv").read_text("utf-8")
    fill(out, {("T1", "2023"): "好"})
    assert main(["ledger", str(folder), "--out", str(out)]) == 3
    assert "“好”不是数" in capsys.readouterr().err
