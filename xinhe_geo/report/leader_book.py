"""`overview.xlsx`: a workbook for whoever decides: one screen with a chart, then who is missed where, with sums that Excel works out."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ..access import rests_on
from ..core import growing, say, title
from ..district import place_title
from ..maps import DEMONSTRATION_TEXT
from .story.records import Figure
from .story.story import Story

if TYPE_CHECKING:
    import xlsxwriter
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

LEADER_BOOK = "overview.xlsx"
#: The row of the first table's heads, and the columns before its figures.
_HEAD = 3
BEFORE, AFTER = "#E3CDB0", "#1F6F78"
#: How high a row of goals is, so that a printed page is filled, and the chart beside them as high.
ROW_PT, PX_IN_PT = 36.0, 4 / 3


def leader_book(story: Story, path: Path) -> None:
    """
    Write `overview.xlsx`: the goals on one screen with a chart of their shares; which community is missed by which goal, with sums.

    Of a plan the chart has the shares before and after. Sums are formulas; nobody is added up here.

    Raises
    ------
    EnvironmentProblem
        The file cannot be written.
    """
    import xlsxwriter

    options = {"strings_to_formulas": False, "strings_to_urls": False, "nan_inf_to_errors": False, "in_memory": True}
    with growing(path) as fresh, xlsxwriter.Workbook(fresh, options) as book:
        # A fixed creation time: the same inputs must give the same bytes.
        created = datetime(story.district.year, 1, 1, tzinfo=UTC)
        book.set_properties({"title": place_title(story.district), "created": created})
        form = _Forms(book)
        _goals(book, form, story)
        _communities(book, form, story)


class _Forms:
    """The formats of the workbook."""

    def __init__(self, book: xlsxwriter.Workbook) -> None:
        self.title: Format = book.add_format({"bold": True, "font_size": 16})
        self.quiet: Format = book.add_format({"font_color": "#666666", "text_wrap": True, "valign": "top"})
        self.strong: Format = book.add_format({"bold": True, "font_size": 12})
        self.head: Format = book.add_format({"bold": True, "bg_color": "#DDE7EE", "border": 1, "text_wrap": True})
        self.text: Format = book.add_format({"border": 1, "text_wrap": True, "valign": "vcenter"})
        self.share: Format = book.add_format({"border": 1, "num_format": "0%", "valign": "vcenter"})
        self.people: Format = book.add_format({"border": 1, "num_format": "#,##0", "valign": "vcenter"})
        self.total: Format = book.add_format({"border": 1, "num_format": "#,##0", "bold": True, "top": 2})


def _goals(book: xlsxwriter.Workbook, form: _Forms, story: Story) -> None:
    """Write the first sheet: a row per goal, how many there are, and a chart beside them."""
    sheet = book.add_worksheet(say("一览"))
    district, tally, change = story.district, story.tally, story.change
    sheet.write_string(0, 0, place_title(district), form.title)
    sheet.write_string(1, 0, story.checked, form.strong)
    mark = say(DEMONSTRATION_TEXT) + say("　") if district.is_demonstration else ""
    sheet.merge_range(2, 0, 2, 12, mark + rests_on(district), form.quiet)
    sheet.set_row(2, 30)
    shifts = {shift.rule: shift for shift in change.shifts} if change is not None else {}
    told = [title("之前"), title("之后"), title("净增（按本指标）")] if shifts else [say("份额")]
    heads = [title("任务"), *told, say("在服务范围外的（人）"), say("分母"), say("标记")]
    for j, words in enumerate(heads):
        sheet.write_string(_HEAD, j, words, form.head)
    shares = 2 if shifts else 1
    for i, goal in enumerate(story.goals, _HEAD + 1):
        sheet.set_row(i, ROW_PT)
        sheet.write_string(i, 0, goal.label, form.text)
        shift = shifts.get(goal.rule)
        for j, figure in enumerate([shift and shift.before, goal.share] if shifts else [goal.share], 1):
            _figure(sheet, (i, j), figure, form.share, form.text)
        if shifts:
            sheet.write_string(i, shares + 1, shift.net if shift is not None else "—", form.text)
        _figure(sheet, (i, len(heads) - 3), goal.unserved, form.people, form.text)
        who = say("60岁及以上人口") if goal.unserved.of == "people_60plus" else say("常住人口")
        sheet.write_string(i, len(heads) - 2, who, form.text)
        sheet.write_string(i, len(heads) - 1, goal.marks, form.text)
    last = _HEAD + len(story.goals)
    sheet.set_column(0, 0, 30)
    sheet.set_column(1, shares, 9)
    sheet.set_column(shares + 1, len(heads) - 1, 15)
    if story.goals:
        sheet.write_string(last + 1, 0, say("项数，其中做到的"), form.total)
        first, here = _cell(_HEAD + 1, shares), _cell(last, shares)
        sheet.write_formula(last + 1, 1, f"=COUNTA({_cell(_HEAD + 1, 0)}:{_cell(last, 0)})", form.total, tally.promised)
        sheet.write_formula(last + 1, 2, f'=COUNTIF({first}:{here},">=1")', form.total, tally.whole)
        names = [change.names[0], change.names[1]] if change is not None and shifts else [say("份额")]
        chart = book.add_chart({"type": "bar"})
        for j, name in enumerate(names, 1):
            series = {
                "name": name,
                "categories": [sheet.get_name(), _HEAD + 1, 0, last, 0],
                "values": [sheet.get_name(), _HEAD + 1, j, last, j],
                "fill": {"color": AFTER if j == len(names) else BEFORE},
                "data_labels": {"value": True, "num_format": "0%"},
                "gap": 60,
            }
            chart.add_series(series)
        chart.set_title({"name": say("每项目标做到几成（各项自己的分母）"), "name_font": {"size": 12}})
        chart.set_y_axis({"reverse": True})
        chart.set_x_axis({"visible": False, "major_gridlines": {"visible": False}, "min": 0, "max": 1.1})
        chart.set_legend({"position": "bottom"} if len(names) > 1 else {"none": True})
        chart.set_size({"width": 620, "height": max(420, round((len(story.goals) + 2) * ROW_PT * PX_IN_PT))})
        sheet.insert_chart(_HEAD, len(heads) + 1, chart)
    _for_print(sheet, (_HEAD + 1, 1), (max(last + 1, 25), len(heads) + 10))


def _communities(book: xlsxwriter.Workbook, form: _Forms, story: Story) -> None:
    """Write who is missed where: communities by goals, a row for homes in none, and sums that Excel works out."""
    judged = [goal for goal in story.judged if story.parts(goal)]
    if not judged:
        return
    sheet = book.add_worksheet(say("分社区"))
    sheet.write_string(0, 0, say("各社区在服务范围外的人（各项自己的分母）"), form.title)
    sheet.write_string(_HEAD, 0, say("社区"), form.head)
    parts = {goal.rule: {part.name: part for part in story.parts(goal)} for goal in judged}
    names = list(dict.fromkeys(part.name for goal in judged for part in story.parts(goal)))
    for j, goal in enumerate(judged, 1):
        sheet.write_string(_HEAD, j, goal.label, form.head)
        for i, name in enumerate(names, _HEAD + 1):
            part = parts[goal.rule].get(name)
            if part is not None:
                _figure(sheet, (i, j), part.missed, form.people, form.text)
    last = _HEAD + len(names)
    sheet.write_string(last + 1, 0, say("合计"), form.total)
    for i, name in enumerate(names, _HEAD + 1):
        sheet.write_string(i, 0, name, form.text)
    for j, goal in enumerate(judged, 1):
        formula = f"=SUM({_cell(_HEAD + 1, j)}:{_cell(last, j)})"
        sheet.write_formula(last + 1, j, formula, form.total, goal.unserved.value if goal.unserved.known else 0)
    sheet.set_column(0, 0, 18)
    sheet.set_column(1, len(judged), 13)
    _for_print(sheet, (_HEAD + 1, 1), (last + 1, len(judged)))


def _figure(sheet: Worksheet, at: tuple[int, int], figure: Figure | None, form: Format, words: Format) -> None:
    """Write a figure as a number that is shown in its digits; what nobody knows in words."""
    if figure is None:  # a rule that only one of the two states has
        sheet.write_string(*at, "—", words)
    elif figure.known:
        sheet.write_number(*at, figure.shown, form)
    else:
        sheet.write_string(*at, figure.text, words)


def _for_print(sheet: Worksheet, frozen: tuple[int, int], corner: tuple[int, int]) -> None:
    """Freeze the heads, and print all of it on one landscape page."""
    sheet.freeze_panes(*frozen)
    sheet.hide_gridlines(2)
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.set_margins(0.4, 0.4, 0.4, 0.4)
    sheet.print_area(0, 0, *corner)
    sheet.fit_to_pages(1, 1)


def _cell(row: int, column: int) -> str:
    """Return how Excel calls a cell."""
    from xlsxwriter.utility import xl_rowcol_to_cell

    return str(xl_rowcol_to_cell(row, column))
