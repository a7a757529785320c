"""Workbooks on which somebody answers: what is known stands there, choices are offered, the same questions give the same bytes."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import xlsxwriter

from ..core import say
from .cells import is_blank

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.worksheet import Worksheet

#: Rows and columns (both from 0) of a sheet: the first and the last row, and the column.
Span = tuple[int, int, int]
#: No sheet shows columns wider than this.
_WIDEST = 46.0


@dataclass(frozen=True)
class Questions:
    """
    One sheet of an answer book.

    Attributes
    ----------
    name
        Of the sheet.
    heads, rows
        The table; its first line is the head.
    asked
        Heads under which somebody answers: they stand out.
    choices
        What is offered under a head, the same for every row.
    own_choices
        What is offered under a head, row by row.
    """

    name: str
    heads: Sequence[str]
    rows: Sequence[Sequence[object]]
    asked: Sequence[str] = ()
    choices: Mapping[str, Sequence[str]] = field(default_factory=dict)
    own_choices: Mapping[str, Sequence[Sequence[str]]] = field(default_factory=dict)


def new_book(stream: io.BytesIO, title: str) -> Workbook:
    """Return a workbook that takes no text for a formula or a link, and carries no clock."""
    said = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    book = xlsxwriter.Workbook(stream, said)
    book.set_properties({"title": title, "created": datetime(2020, 1, 1, tzinfo=UTC)})
    return book


class Offers:
    """What the cells of a book offer to choose from. A list typed into a rule may hold 255 characters: all stand on a hidden sheet."""

    def __init__(self, book: Workbook) -> None:
        self.sheet = book.add_worksheet("选项")
        self.sheet.hide()
        self.known: dict[tuple[str, ...], str] = {}

    def put(self, sheet: Worksheet, span: Span, choices: Sequence[str]) -> None:
        """Offer choices in a column of a sheet; other words may be typed, and are asked about."""
        first, last, column = span
        wanted = tuple(choices)
        if wanted not in self.known:
            letter = _letters(len(self.known))
            for i, choice in enumerate(wanted):
                self.sheet.write_string(i, len(self.known), choice)
            self.known[wanted] = f"=选项!${letter}$1:${letter}${len(wanted)}"
        rule = {
            "validate": "list",
            "source": self.known[wanted],
            "error_title": say("请从下拉框选"),
            "error_type": "warning",
        }
        sheet.data_validation(first, column, last, column, rule)


def answer_book(title: str, remarks: Sequence[str], sheets: Sequence[Questions]) -> bytes:
    """
    Return a workbook with one sheet for each set of questions, and the remarks on a last one.

    Parameters
    ----------
    title
        What the book calls itself.
    remarks
        How to fill it in, line by line.
    sheets
        What is asked.
    """
    stream = io.BytesIO()
    book = new_book(stream, title)
    made = [(questions, book.add_worksheet(questions.name)) for questions in sheets]
    guide = book.add_worksheet("说明")
    guide.set_column(0, 0, 100)
    wrap = book.add_format({"text_wrap": True, "valign": "top"})
    for i, line in enumerate((title, *remarks)):
        guide.write_string(i, 0, line, wrap)
    offers = Offers(book)
    for questions, sheet in made:
        _write(book, sheet, questions, offers)
    book.close()
    return stream.getvalue()


def _write(book: Workbook, sheet: Worksheet, questions: Questions, offers: Offers) -> None:
    head = book.add_format({"bold": True, "bg_color": "#DDEBF7", "border": 1, "text_wrap": True})
    ask = book.add_format({"bold": True, "bg_color": "#FFE699", "border": 1, "text_wrap": True})
    plain = book.add_format({"text_wrap": True, "valign": "top"})
    open_ = book.add_format({"text_wrap": True, "valign": "top", "bg_color": "#FFF8D6", "border": 1})
    for j, name in enumerate(questions.heads):
        is_asked = name in questions.asked
        sheet.write_string(0, j, name, ask if is_asked else head)
        longest = max((len(str(row[j])) for row in questions.rows if not is_blank(row[j])), default=0)
        sheet.set_column(j, j, min(max(2.0 * len(name) + 4, 1.6 * longest), _WIDEST))
        for i, row in enumerate(questions.rows, 1):
            _cell(sheet, i, j, row[j], open_ if is_asked else plain)
        if name in questions.choices and questions.rows:
            offers.put(sheet, (1, len(questions.rows), j), questions.choices[name])
        for i, some in enumerate(questions.own_choices.get(name, ()), 1):
            if some:
                offers.put(sheet, (i, i, j), some)
    sheet.freeze_panes(1, min(3, len(questions.heads)))
    if questions.rows:
        sheet.autofilter(0, 0, len(questions.rows), len(questions.heads) - 1)


def _cell(sheet: Worksheet, i: int, j: int, value: object, look: object) -> None:
    if is_blank(value):
        sheet.write_blank(i, j, None, look)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        sheet.write_number(i, j, float(value), look)
    else:
        sheet.write_string(i, j, str(value)[:32_000], look)


def _letters(column: int) -> str:
    text = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        text = chr(65 + rest) + text
    return text
