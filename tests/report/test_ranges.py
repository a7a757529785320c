"""How firm figures are, where that was asked: the same sentence in every document, none where nobody asked, and two plans told apart or not."""

from __future__ import annotations

import re
from pathlib import Path

import docx
import openpyxl
import pandas as pd
import pptx
import pytest
from test_differences import planned
from test_robustness import DOUBTS, TOY, doubting

import xinhe_geo as xh
from xinhe_geo.core import speaking
from xinhe_geo.report import Analysis, Change, Comparison, Story
from xinhe_geo.report.paper import write_brief, write_slides
from xinhe_geo.report.story.firmness import difference_told


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


@pytest.mark.slow
def test_the_same_sentence_stands_in_every_document_that_was_asked(tmp_path: Path) -> None:
    toy = doubting(xh.District.load(TOY), DOUBTS)
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
    assert {"待核", "已核"} <= {part for mark in marks for part in mark.split("；")}, "what goes upward says so too"


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
