"""The report: what it writes, that it repeats to the byte, that a failure leaves earlier outputs as they were."""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path
from xml.etree import ElementTree

import openpyxl
import pandas as pd
import pyogrio
import pytest
from fastparquet import ParquetFile
from ledger_toy import measure, toy_with

import xinhe_geo as xh
from xinhe_geo.core import keeping
from xinhe_geo.report import report
from xinhe_geo.report.analysis import Analysis, analyse
from xinhe_geo.report.leader_book import LEADER_BOOK
from xinhe_geo.report.pages.plans import write_comparisons
from xinhe_geo.report.pages.registry import PAGES
from xinhe_geo.report.story.story import Story

TOY = Path(__file__).parents[1] / "toy"


def digest(folder: Path) -> dict[str, str]:
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


@pytest.fixture(scope="module")
def output(toy_report: Path) -> Path:
    return toy_report


def test_everything_promised_is_there(output: Path) -> None:
    for name in ("index.html", "maps/overview.html", "tables/coverage.xlsx", "gis/coverage.gpkg", "run.json"):
        assert (output / name).is_file(), name


def test_the_brief_says_in_which_order_it_names_who_misses_out(output: Path) -> None:
    """Walks come first whatever the numbers: a home whose community has none may count more people further down."""
    said = (output / "index.html").read_text("utf-8")
    assert "步行在服务范围外的人多的在前，其次是本社区没有的" in said


@pytest.mark.slow
def test_same_inputs_same_bytes(output: Path, tmp_path: Path) -> None:
    """Also if another process draws: what one map leaves behind in what they share must not show in the next."""
    xh.brief(xh.District.load(TOY), tmp_path / "again", processes=2)
    assert digest(tmp_path / "again") == digest(output)


@pytest.mark.matrix
def test_a_second_process_changes_no_byte_of_the_bundled_report(tmp_path: Path) -> None:
    for processes in (1, 2):
        district, out = xh.District.load(), tmp_path / str(processes)
        xh.brief(district, out, processes=processes)
        write_comparisons(district, out, processes=processes)
    assert digest(tmp_path / "1") == digest(tmp_path / "2")


@pytest.mark.slow
@pytest.mark.matrix
def test_documents_are_written_by_name(tmp_path: Path) -> None:
    district = xh.District.load(TOY)
    assert report.documents(district, (), tmp_path / "none") == []
    with pytest.raises(xh.UnknownNameError, match="sheet、word、slides"):
        report.documents(district, ["sheet", "pdf"], tmp_path / "none")
    assert not (tmp_path / "none").exists()
    (sheet,) = report.documents(district, "sheet", tmp_path)
    assert sheet.name == report.DOCUMENTS["sheet"] and sheet.read_bytes().startswith(b"%PDF")


def test_no_clock_no_path_no_address_in_outputs(output: Path) -> None:
    for path in output.rglob("*"):
        if path.suffix in {".html", ".json"}:
            text = path.read_text("utf-8")
            assert str(output.parent) not in text
            assert not re.search(r'(?:src|href)="https?://', text), path
    with zipfile.ZipFile(output / "tables/coverage.xlsx") as book:
        assert {i.date_time[0] for i in book.infolist()} == {1980}


@pytest.mark.slow
def test_workbook_begins_with_the_matrix_and_the_gaps(output: Path) -> None:
    book = openpyxl.load_workbook(output / "tables/coverage.xlsx")
    assert book.sheetnames[:2] == ["社区×设施矩阵", "缺口清单"]
    matrix = [[cell.value for cell in row] for row in book["社区×设施矩阵"].iter_rows(min_row=3)]
    kinds = xh.District.load(TOY).kinds["label"]
    row = dict(zip(matrix[0], matrix[1], strict=True))
    assert (row["社区"], row[kinds["clinic_station"]], row[kinds["canteen"]]) == ("甲社区", 1, 0)
    gaps = [[cell.value for cell in row] for row in book["缺口清单"].iter_rows(min_row=3)]
    assert "原因" in gaps[0] and any("走不到" in str(r) for r in gaps[1:])


@pytest.mark.slow
def test_workbook_never_writes_formulas(tmp_path: Path) -> None:
    district = xh.District.load(TOY)
    results = Analysis(district)
    vars(results)["presence"] = results.presence.rename(index={"T01": "=1+1"})
    report.workbook(district, results, tmp_path / "book.xlsx")
    cell = openpyxl.load_workbook(tmp_path / "book.xlsx")["社区×设施矩阵"]["A4"]
    assert cell.value == "=1+1" and cell.data_type == "s"


@pytest.mark.slow
@pytest.mark.matrix
def test_no_sheet_loses_rows_in_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where homes are too many to list, every row stands in a file beside, and the sheet says how many there are."""
    for name, most in (("analysis.LISTED", 20), ("workbook.LISTED", 20), ("workbook.FITTING", 30)):
        monkeypatch.setattr(f"xinhe_geo.report.{name}", most)
    district = xh.District.load(TOY)
    results = Analysis(district)
    for name in ("a", "b"):
        report.workbook(district, results, tmp_path / name / "coverage.xlsx")
    both = [(tmp_path / name / "coverage.parquet").read_bytes() for name in ("a", "b")]
    assert both[0] == both[1]
    whole = ParquetFile(io.BytesIO(both[0])).to_pandas().set_index(["rule", "home"])
    expected = results.cover.reset_index().set_index(["rule", "home"])
    assert whole["minutes"].equals(expected["minutes"].astype(float)) and len(whole) > 20
    book = openpyxl.load_workbook(tmp_path / "a" / "coverage.xlsx")
    for sheet in book.worksheets:
        if sheet.max_row - 3 >= 30:
            assert re.search(r"共 [\d,]+ 行", str(sheet["A1"].value)), sheet.title
    spread = [[cell.value for cell in row] for row in book["小区明细"].iter_rows(min_row=3)]
    found = [dict(zip(spread[0], row, strict=True)) for row in spread[1:]]
    assert sum(row["小区数"] for row in found) <= len(whole) and any(row["一半不超过（分钟）"] for row in found)
    for row in found:
        own = results.cover.xs(str(row["规则"]), level="rule")["minutes"]
        half = row["一半不超过（分钟）"]
        assert row["小区数"] == len(own) and (half is None) == bool(own.isna().all())
        assert half is None or half == pytest.approx(own.median())


@pytest.mark.slow
def test_the_leader_s_workbook_shows_the_story_and_adds_up_by_itself(output: Path) -> None:
    """One screen with a chart first; sums are formulas over cells that come to what they showed when written."""
    path, story = output / "tables" / LEADER_BOOK, Story(analyse(xh.District.load(TOY)))
    book, values = openpyxl.load_workbook(path), openpyxl.load_workbook(path, data_only=True)
    assert book.sheetnames == ["一览", "分社区"]
    with zipfile.ZipFile(path) as archive:
        assert [name for name in archive.namelist() if name.startswith("xl/charts/chart")]
    for sheet in book:
        assert sheet.print_area and sheet.freeze_panes and sheet.page_setup.orientation == "landscape"
    first = {row[0].value: row for row in book["一览"].iter_rows(min_row=5)}
    for goal in story.goals:
        share, missed = first[goal.label][1].value, first[goal.label][2].value
        assert (f"{share:.0%}" if goal.share.known else share) == goal.share.text
        assert (f"{missed:,.0f}" if goal.unserved.known else missed) == goal.unserved.text
    total = values["一览"][len(story.goals) + 5]
    assert [cell.value for cell in total[1:3]] == [story.tally.promised, story.tally.whole]
    assert sum(first[goal.label][1].value == 1 for goal in story.goals) == story.tally.whole
    heads, *rows, last = list(book["分社区"].iter_rows(min_row=4))
    for j, head in enumerate(heads[1:], 1):
        goal = next(g for g in story.judged if g.label == head.value)
        assert str(last[j].value).startswith("=SUM(")
        added = sum(row[j].value for row in rows if isinstance(row[j].value, int | float))
        assert f"{added:,.0f}" == goal.unserved.text == f"{values['分社区'].cell(last[j].row, j + 1).value:,.0f}"


def test_geopackage_opens_with_styles(output: Path) -> None:
    path = output / "gis/coverage.gpkg"
    frame = pyogrio.read_dataframe(path, layer="覆盖_plan_clinic_15")
    assert dict(zip(frame["home"], frame["served"], strict=True)) == {"A": 1, "B": 1, "C": 1, "D": 1, "E": 0}
    assert frame.crs.to_epsg() == 4548
    with closing(sqlite3.connect(path)) as db:
        styles = dict(db.execute("SELECT f_table_name, styleQML FROM layer_styles").fetchall())
    assert "graduatedSymbol" in styles["覆盖_plan_clinic_15"] and 'name="常住人口"' in styles["覆盖_plan_clinic_15"]
    assert set(styles) == {str(name) for name, _ in pyogrio.list_layers(path) if name != "layer_styles"}
    # Every field has a Chinese alias; those of a table side by side are named by their rules.
    fields = {
        f
        for qml in styles.values()
        for f, alias in re.findall(r'field="([^"]*)" name="([^"]*)"', qml)
        if not re.search("[一-龟]|OSM", alias)
    }
    assert not fields


def test_its_project_has_every_layer_of_the_geopackage(output: Path) -> None:
    with zipfile.ZipFile(output / "gis/coverage.qgz") as archive:
        project = ElementTree.fromstring(archive.read("coverage.qgs"))
    tables = {str(name) for name, _ in pyogrio.list_layers(output / "gis/coverage.gpkg")} - {"layer_styles"}
    sources = [(layer.findtext("datasource") or "").split("|") for layer in project.iter("maplayer")]
    assert {source[0] for source in sources} == {"./coverage.gpkg"}
    shown = {source[1].removeprefix("layername=") for source in sources}
    assert shown == tables >= {"街道路网", "小区出入口", "设施", "社区"}
    titles = [layer.findtext("layername") or "" for layer in project.iter("maplayer")]
    assert not [title for title in titles if not re.search("[一-龟]", title)]
    assert all(alias.get("name") for alias in project.iter("alias"))


def test_record_names_inputs_and_outputs(output: Path) -> None:
    record = json.loads((output / "run.json").read_text("utf-8"))
    assert record["inputs"]["homes"]["sha256"] == hashlib.sha256((TOY / "homes/homes.geojson").read_bytes()).hexdigest()
    assert record["inputs"]["kinds"]["from"] == "随程序"
    assert record["files"]["index.html"] == hashlib.sha256((output / "index.html").read_bytes()).hexdigest()
    assert record["results"]["plan_clinic_15"]["value"] == pytest.approx(350 / 360, abs=1e-9)


def test_brief_says_what_it_rests_on(output: Path) -> None:
    text = (output / "index.html").read_text("utf-8")
    assert "步行 15 分钟可达常住人口 97%，" in text
    assert "演示值" not in text  # the toy district is surveyed
    assert "数据不足" in text


@pytest.mark.slow
def test_every_page_says_at_its_foot_who_may_see_it(toy_report: Path, tmp_path: Path) -> None:
    """The brief and the pages it links; the meeting map carries the badges of every map instead."""
    toy = toy_with([measure("canteen", "communities_with", kinds="canteen")])
    report.write_ledger(toy, xh.ledger(toy), tmp_path)
    files = {"index.html", *(page.file for page in PAGES)} - {"meeting.html"}
    written = {path.name: path for folder in (toy_report, tmp_path) for path in folder.glob("*.html")}
    assert files <= set(written)
    feet = {file: written[file].read_text("utf-8").partition("<footer>")[2] for file in files}
    assert {file for file, foot in feet.items() if keeping(toy.manifest) not in foot} == set()


@pytest.mark.slow
def test_bundled_district_prints_no_bare_verdict(bundled_reports: Path) -> None:
    lead = pd.read_pickle(bundled_reports / "lead.pkl")
    known = lead[lead["value"].notna()]
    assert len(known) > 20
    assert (known["mark"] == "演示值（不作结论）").all()
    text = (bundled_reports / "zh" / "index.html").read_text("utf-8")
    assert "不作任何结论" in text and "未达标" not in text


@pytest.mark.slow
@pytest.mark.matrix
def test_other_files_stay_and_stale_ones_go(output: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(output, tmp_path / "output"))
    district = xh.District.load(TOY)
    (folder / "我的笔记.txt").write_text("留着", "utf-8")
    before = digest(folder)
    xh.brief(district, folder, preset="td1063")
    after = digest(folder)
    assert after["我的笔记.txt"] == before["我的笔记.txt"]
    assert "maps/plan_clinic_15.html" in before and "maps/plan_clinic_15.html" not in after


@pytest.mark.slow
def test_a_failure_leaves_earlier_outputs(output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(shutil.copytree(output, tmp_path / "output"))
    district = xh.District.load(TOY)
    before = digest(folder)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "coverage.gpkg")

    monkeypatch.setattr(report, "geopackage", full)
    with pytest.raises(xh.EnvironmentProblem, match=r"coverage\.gpkg"):
        xh.brief(district, folder)
    assert digest(folder) == before
    assert [p.name for p in tmp_path.iterdir()] == ["output"]


@pytest.mark.slow
def test_unknown_preset() -> None:
    with pytest.raises(xh.UnknownNameError, match="elderly"):
        xh.brief(xh.District.load(TOY), preset="elder")
