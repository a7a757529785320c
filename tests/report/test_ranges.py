"""How firm figures are, where that was asked: the same sentence in every document, none where nobody asked, and two plans told apart or not."""

from __future__ import annotations

import re
from pathlib import Path

import docx
import openpyxl
import pandas as pd
import pptx
import pytest
from ledger_toy import folder_with, measure
from test_differences import planned
from test_robustness import DOUBTS, TOY, doubting

import xinhe_geo as xh
from xinhe_geo.access.doubts import doubted
from xinhe_geo.core import speaking
from xinhe_geo.renewal import checkup
from xinhe_geo.report import Analysis, Change, Comparison, Story, checked, final_checked
from xinhe_geo.report.files import LEDGER_BOOK
from xinhe_geo.report.ledger_workbook import ledger_workbook
from xinhe_geo.report.paper import write_brief, write_checkup_word, write_slides
from xinhe_geo.report.story.firmness import checked_marks, difference_told

WALKED = {"walked": "plan_clinic_15", "near": "plan_waste_point"}


@pytest.mark.parametrize(
    ("ends", "unit", "said"),
    [
        ((500.0, 300.0, 900.0), "people", "乙比甲多 300—900 人"),
        ((-500.0, -900.0, -300.0), "people", "甲比乙多 300—900 人"),
        ((40.0, -10.0, 90.0), "people_60plus", "现有数据不足以区分，不作为取舍依据"),
        ((25_000.0, 20_000.0, 40_000.0), "area_m2", "乙比甲多 2.0—4.0 公顷"),
        ((1.0, 1.0, 1.0), "community", "乙比甲多 1 个社区"),
        ((0.0, 0.0, 0.0), "people", "两者一样，核实后也一样"),
        ((float("nan"),) * 3, "people", "数据不足"),
    ],
)
def test_two_plans_are_told_apart_or_it_is_said_that_they_cannot_be(
    ends: tuple[float, float, float], unit: str, said: str
) -> None:
    value, low, high = ends
    row = pd.Series({"value": value, "low": low, "high": high, "apart": low > 0 or high < 0, "unit": unit})
    assert difference_told(("甲", "乙"), row) == said
    with speaking("en"):
        assert not re.search(r"[\u4e00-\u9fff]", difference_told(("A", "B"), row))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy with a plan: two figures that a rule decides, and one that none does."""
    walked, near = (measure(n, "coverage", rule=r, weight="people") for n, r in WALKED.items())
    return folder_with(
        tmp_path_factory.mktemp("firm") / "toy", [walked, near, measure("count", "count", kinds="fitness")]
    )


@pytest.mark.slow
def test_the_same_sentence_stands_in_every_document_that_was_asked(folder: Path, tmp_path: Path) -> None:
    toy = doubting(xh.District.load(folder), DOUBTS)
    goals = Story(Analysis.of(toy, ranges=True)).goals
    firm = {goal.label: goal.firm for goal in goals if goal.firm}
    assert len(firm) >= 4 and all("核实后为" in text for text in firm.values())
    assert {goal.checked for goal in goals if goal.share.known} == {"已核", "待核"}
    assert not any(goal.firm or goal.checked for goal in goals if not goal.share.known)
    assert not any(goal.firm or goal.checked for goal in Story(Analysis.of(toy)).goals), "nobody asked"
    xh.brief(toy, tmp_path / "report", ranges=True)
    page = (tmp_path / "report" / "index.html").read_text("utf-8")
    book = openpyxl.load_workbook(tmp_path / "report" / "tables" / "coverage.xlsx")
    cells = {str(cell) for sheet in book for row in sheet.iter_rows(values_only=True) for cell in row if cell}
    write_brief(toy, tmp_path / "a.docx", ranges=True)
    tables = docx.Document(str(tmp_path / "a.docx")).tables
    word = "\n".join(cell.text for table in tables for row in table.rows for cell in row.cells)
    for text in firm.values():
        assert text in page and text in cells and text in word
    assert {"待核", "已核"} <= cells
    book = openpyxl.load_workbook(tmp_path / "report" / "tables" / "overview.xlsx")
    marks = {str(cell) for row in book.worksheets[0].iter_rows(values_only=True) for cell in row if cell}
    book = openpyxl.load_workbook(tmp_path / "report" / LEDGER_BOOK)
    head, *rows = book.worksheets[0].iter_rows(min_row=3, values_only=True)
    told = {row[head.index("编号")]: row[head.index("核没核")] for row in rows}
    own = {goal.rule: goal.checked for goal in goals}
    assert told == {"T1.walked": own["plan_clinic_15"], "T1.near": own["plan_waste_point"] or None, "T1.count": None}
    assert {"待核", "已核"} <= {part for mark in marks for part in mark.split("；")}, "what goes upward says so too"


@pytest.mark.slow
def test_a_figure_is_checked_or_not_whichever_document_shows_it(folder: Path, tmp_path: Path) -> None:
    toy = doubting(xh.District.load(folder), DOUBTS)
    table, found = xh.ledger(toy), checkup(toy)
    rules = sorted({str(name) for name in [*table["rule"], *found["rule"]] if name})
    firm = xh.robustness(toy, rules, draws=39).droplevel("group")
    # the counts are those of the ranges, without the draws
    pd.testing.assert_series_equal(
        doubted(toy, rules), firm["facts"].astype(float).where(firm["value"].notna()), check_names=False
    )
    due = {name: "待核" if row["facts"] else "已核" for name, row in firm[firm["value"].notna()].iterrows()}

    def asked(rows: pd.DataFrame) -> list[str]:
        return [
            due.get(name, "") if known else "" for name, known in zip(rows["rule"], rows["value"].notna(), strict=True)
        ]

    assert {"待核", "已核", ""} <= set(asked(found))
    self_check = checked(toy, ranges=True)
    assert self_check.sheets["指标汇总"]["核没核"].tolist() == asked(found)
    assert "核没核" not in checked(toy).sheets["指标汇总"], "nobody asked"
    tables = docx.Document(str(write_checkup_word(toy, self_check, tmp_path / "a.docx"))).tables
    heads = [[cell.text for cell in own.rows[0].cells] for own in tables]
    own = next(tables[i] for i, head in enumerate(heads) if "核没核" in head)
    at = [cell.text for cell in own.rows[0].cells].index("核没核")
    assert [row.cells[at].text.strip("—") for row in own.rows[1:]] == asked(found)
    final = final_checked(toy, toy.year, ranges=True).sheets["目标清单"]
    later = xh.ledger(toy.at(toy.year))
    assert final["核没核"].tolist() == asked(later[(later["role"] == "own").to_numpy()])
    marked = table.assign(checked=checked_marks(toy, table))
    assert marked["checked"].tolist() == asked(table)
    for rows, shown in ((marked, True), (table, False)):
        ledger_workbook(toy, rows, tmp_path / "a.xlsx")
        cells = [*openpyxl.load_workbook(tmp_path / "a.xlsx").worksheets[0].iter_rows(min_row=3, values_only=True)]
        assert ("核没核" in cells[0]) == shown
        if shown:
            assert [row[cells[0].index("核没核")] or "" for row in cells[1:]] == asked(table)


@pytest.mark.slow
@pytest.mark.matrix
def test_a_comparison_says_how_firm_it_is_where_that_was_asked(tmp_path: Path) -> None:
    toy = doubting(xh.District.load(TOY), DOUBTS)
    after = planned(toy, "less")
    change = Change(Comparison.of(toy, after, ranges=True))
    own = {shift.rule: shift.firm for shift in change.moved}
    assert own["plan_fitness_15"].endswith("人") and "多" in own["plan_fitness_15"]
    assert "现有数据不足以区分，不作为取舍依据" in own.values()
    assert not any(shift.firm for shift in Change(Comparison.of(toy, after)).shifts)
    deck = pptx.Presentation(
        str(write_slides(after, tmp_path / "a.pptx", against=toy, ranges=True) or tmp_path / "a.pptx")
    )
    shown = {shape.text_frame.text for slide in deck.slides for shape in slide.shapes if shape.has_text_frame}
    assert any(own["plan_fitness_15"] in text for text in shown), "it can be read on the slide, not only in its notes"
