"""What changed since an earlier run, by its record."""

from __future__ import annotations

import json
from pathlib import Path

import openpyxl
import pytest
from ledger_toy import ALL, CIRCLE, folder_with, measure, toy_with

import xinhe_geo as xh
from xinhe_geo.ledger.diff import changes, ledger_record, read_record, since_sheet
from xinhe_geo.report.report import write_ledger

ROWS = [measure("c", "communities_with", kinds="canteen", **ALL), measure("d", "coverage", **{**ALL, **CIRCLE})]


def record(district: xh.District) -> dict[str, object]:
    return json.loads(json.dumps(ledger_record(district, xh.ledger(district))))


def test_the_same_data_changes_nothing() -> None:
    now = record(toy_with(ROWS))
    assert changes(now, now).empty and "没有变化" in since_sheet(changes(now, now)).iloc[0, 0]


def test_rows_that_moved_are_named() -> None:
    """The canteen moves to a closed state: 乙社区 loses it. A row comes, a row goes."""
    before = record(toy_with(ROWS))
    after = record(toy_with([ROWS[0], measure("e", "count", kinds="fitness")], F2={"state": "closed"}))
    found = changes(after, before).set_index("id")
    assert list(found.index) == ["T1.c", "T1.e", "T1.d"]
    assert found.loc["T1.c", "before"] == "50 %　部分达标" and found.loc["T1.c", "after"] == "0 %　未达标"
    assert found.loc["T1.e", "before"] == "" and found.loc["T1.d", "after"] == ""


@pytest.mark.slow
def test_a_verdict_alone_is_a_change() -> None:
    before, after = record(toy_with(ROWS)), record(toy_with(ROWS, F2={"basis": "schematic"}))
    assert list(changes(after, before)["after"]) == ["50 %　演示值（不作结论）"]


@pytest.mark.slow
def test_inputs_and_years_that_differ_are_named(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "toy", ROWS)
    before = record(xh.District.load(folder))
    path = folder / "homes" / "homes.geojson"
    path.write_text(path.read_text("utf-8").replace('"people": 200', '"people": 300'), "utf-8")
    found = changes(record(xh.District.load(folder).at(2023)), before)
    assert list(found["part"]) == ["参数", "数据", "结果"]
    assert list(found["id"]) == ["year", "homes", "T1.d"] and found["before"].iloc[0] == "2022"


@pytest.mark.slow
def test_ledger_and_report_compare_with_an_earlier_run(tmp_path: Path) -> None:
    district = toy_with(ROWS)
    out = tmp_path / "out"
    assert write_ledger(district, xh.ledger(district), out) is None
    assert "与上次相比" not in (out / "ledger.html").read_text("utf-8")
    closed = toy_with(ROWS, F2={"state": "closed"})
    changed = write_ledger(closed, xh.ledger(closed), out, since=out)
    assert changed is not None and list(changed["id"]) == ["T1.c"]
    assert "0 %　未达标" in (out / "ledger.html").read_text("utf-8")
    book = openpyxl.load_workbook(out / "tables" / "规划目标落实核对表.xlsx")
    assert [cell.value for cell in book["与上次相比"][4]] == ["结果", "T1.c", "c", "50 %　部分达标", "0 %　未达标"]


@pytest.mark.slow
@pytest.mark.matrix
def test_the_whole_report_says_what_changed(tmp_path: Path) -> None:
    folder, out = folder_with(tmp_path / "toy", ROWS), tmp_path / "out"
    xh.brief(xh.District.load(folder), out)
    kept = json.loads((out / "run.json").read_text("utf-8"))["ledger"]
    assert kept["T1.c"] == {"label": "c", "value": 50.0, "unit": "%", "verdict": "部分达标"}
    path = folder / "pois" / "facilities.geojson"
    path.write_text(
        path.read_text("utf-8").replace('"state": "open", "since": null', '"state": "closed", "since": null', 2),
        "utf-8",
    )
    xh.brief(xh.District.load(folder), out, since=out / "run.json")
    page = (out / "index.html").read_text("utf-8")
    assert "与上次相比" in page and "T1.c" in page and "pois/facilities.geojson" in page


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "没有上次的运行记录"),
        ("{", "不是本工具的运行记录"),
        ("[]", "不是本工具的运行记录"),
        ('{"ledger": {}}', "不是本工具的运行记录"),
        ('{"district": {}, "parameters": {}, "inputs": {}}', "没有核对表的结果"),
    ],
)
def test_a_wrong_record_is_refused_before_anything_is_written(tmp_path: Path, text: str | None, said: str) -> None:
    if text is not None:
        (tmp_path / "run.json").write_text(text, "utf-8")
    with pytest.raises(xh.SourceError, match=said):
        xh.brief(toy_with(ROWS), tmp_path / "out", since=tmp_path)
    assert not (tmp_path / "out").exists()


def test_another_district_is_not_compared(tmp_path: Path) -> None:
    now = record(toy_with(ROWS))
    with pytest.raises(xh.SourceError, match="不能相比"):
        changes(now, {**now, "district": {"name": "别处", "code": "1"}})


@pytest.mark.slow
def test_a_record_is_found_in_its_folder(tmp_path: Path) -> None:
    now = record(toy_with(ROWS))
    (tmp_path / "ledger.json").write_text(json.dumps(now), "utf-8")
    assert read_record(tmp_path) == read_record(tmp_path / "ledger.json") == now
