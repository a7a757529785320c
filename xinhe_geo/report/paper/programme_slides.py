"""The slides of a programme: what comes in which year, from which money, for whom, what is left out, and how sure that is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from ...access import rests_on
from ...core import amount, language, refuse_uncleared, say, write_bytes
from ...core import title as column
from ...district import District, place_title, year_told
from ...maps import DEMONSTRATION_TEXT, difference_scene
from ...renewal import Programmed
from ...report import ProgrammeStory, cell_text, programme_pair, programme_story
from .page import Columns, Frame, letters, unbroken
from .slides import BESIDE, INK, MARK, PARTS, STRONG, WHOLE, Bars, Deck, Line, row_heights

if TYPE_CHECKING:
    from .slides import AnySlide

#: So many goals are charted; so many projects share a page, and where there are more, so many years have one of their own.
CHARTED, TOGETHER, PAGES = 6, 12, 4
#: The sizes of letters in tables, of which the largest is taken that has room.
SIZES = (20, 18, 16, 14, 12)
#: How much wider than asked for a word may be that cannot be broken (faces differ, heads are bold), and what a cell leaves free (inches).
_BOLD, _BESIDE = 1.15, 0.12
#: How wide a column is beside others: its longest cell in Chinese letters, within these.
_NARROW, _BROAD = 3.5, 11.0


def programme_slides(district: District, found: Programmed, to: str | Path) -> Path:
    """
    Write a programme as slides for a meeting: a conclusion each as title, native charts and tables, method and source in the notes.

    Ten at most: what it comes to and how sure that is, the money by year, who is served by year and where, the projects of each year,
    what is left out and why, what more money would add.

    Parameters
    ----------
    district
        What it was made for.
    found
        What `programmed` returned.
    to
        A .pptx file.

    Returns
    -------
    file
        What was written. Every text, table and chart in it can be edited.

    Raises
    ------
    EnvironmentProblem
        The file cannot be written.
    """
    heading = say("项目库与年度计划")
    refuse_uncleared(district.manifest, say("写出{0}", heading))
    story, deck = programme_story(district, found), Deck(district)
    title = say("{0}{1}", place_title(district), heading)
    _cover(deck, story, title)
    _money(deck, story)
    _served(deck, story)
    _mapped(deck, story, found)
    _yearly(deck, story)
    _left_out(deck, story)
    _more(deck, story)
    return write_bytes(Path(to), deck.save(title))


def _cover(deck: Deck, story: ProgrammeStory, title: str) -> None:
    """What it comes to, aim by aim, and whether it is the best."""
    slide = deck.page(story.tally, [*story.notes, rests_on(deck.district)])
    lines = [Line(title, 22, STRONG, True), Line(say("数据年份 {0}", year_told(deck.district)), 16, INK)]
    if deck.district.is_demonstration:
        lines += [Line(say(DEMONSTRATION_TEXT), 16, MARK, True)]
    deck.text(slide, Frame(WHOLE.left, WHOLE.top, WHOLE.width, 1.5), [*lines, Line(story.proof, 16, INK)])
    head = [say("目标（先后为序）"), say("达到"), say("单位"), say("还能不能多")]
    rows = [[aim.name, aim.value, aim.unit or "—", aim.beyond] for aim in story.aims]
    _largest(deck, slide, Columns(head, (4.6, 1.8, 3.0, 2.93), (1,), 0), rows, WHOLE.top + 2.0)


def _money(deck: Deck, story: ProgrammeStory) -> None:
    """The money of each year by its source."""
    if "资金" not in story.concluded:
        return
    slide = deck.page(story.concluded["资金"], [story.how["资金"], *_as_lines(story.sheets["资金"])])
    series = {str(fund): [round(float(v), 6) for v in row] for fund, row in story.spent.iterrows() if row.any()}
    years = [str(year) for year in story.spent.columns]
    heading = say("逐年安排的资金（万元）")
    chart = Bars(heading, years, series, share=False, stacked=True, colours=PARTS)
    deck.bars(slide, WHOLE, chart)


def _served(deck: Deck, story: ProgrammeStory) -> None:
    """Who is served more in each year, goal by goal."""
    if "逐年服务" not in story.concluded:
        return
    slide = deck.page(story.concluded["逐年服务"], [story.how["逐年服务"], *_as_lines(story.sheets["逐年服务"])])
    own = story.gained.head(CHARTED)
    years = own.columns[-len(PARTS) :]
    series = {str(year): [round(float(v), 6) for v in own[year]] for year in years}
    heading = say("比不做项目时新增服务的居民（人）")
    deck.bars(slide, WHOLE, Bars(heading, list(map(str, own.index)), series, share=False, colours=PARTS))


def _mapped(deck: Deck, story: ProgrammeStory, found: Programmed) -> None:
    """Map whom all that is finished brings within reach by the last year that has such a map; beside it what is finished when."""
    own = next((year for year in reversed(story.finished) if year.rule), None)
    if own is None:
        return
    told = [year.told for year in story.finished]
    slide = deck.page(own.concluded, [*told, story.how["逐年服务"], rests_on(deck.district)])
    pair = programme_pair(deck.district, found, own.year)
    deck.scene(slide, difference_scene(pair, own.rule, language()), own.concluded)
    gained = story.gained[own.year].head(CHARTED).items() if own.year in story.gained.columns else ()
    lines = [Line(line, 16, INK) for line in told]
    lines += [Line(say("比不做项目时新增服务的居民（人）"), 16, INK, True)] if gained else []
    deck.text(slide, BESIDE, [*lines, *(Line(say("{0}：{1}", label, amount(n)), 16, INK) for label, n in gained)])


def _yearly(deck: Deck, story: ProgrammeStory) -> None:
    """The projects on one page, or those of each year where they are many and the years are not."""
    plan = story.sheets["年度计划"]
    if not len(plan):
        return
    years = sorted(plan["年份"].unique())
    parts, titles = [plan], [story.concluded["年度计划"]]
    if len(plan) > TOGETHER and len(years) <= PAGES:
        parts, titles = [plan[(plan["年份"] == year).to_numpy()] for year in years], story.begun
    for part, title in zip(parts, titles, strict=True):
        slide = deck.page(title, [story.how["年度计划"], *_as_lines(part)])
        _table(deck, slide, part)


def _left_out(deck: Deck, story: ProgrammeStory) -> None:
    if "未列入" not in story.concluded:
        return
    table = story.sheets["未列入"]
    slide = deck.page(story.concluded["未列入"], [story.how["未列入"], *_as_lines(table)])
    _table(deck, slide, table)


def _more(deck: Deck, story: ProgrammeStory) -> None:
    """What more money would add, and which other programmes come near."""
    names = [name for name in ("再投入", "相近方案") if len(story.sheets[name])]
    if not names:
        return
    notes = [line for name in names for line in (story.how[name], *_as_lines(story.sheets[name]))]
    slide, top = deck.page(story.concluded[names[0]], notes), WHOLE.top
    for name in names:
        deck.text(slide, Frame(WHOLE.left - 0.1, top, WHOLE.width, 0.4), [Line(story.how[name], 13)])
        top = max(_table(deck, slide, story.sheets[name], top + 0.45, len(names)) + 0.2, top + 2.6)


def _table(deck: Deck, slide: AnySlide, table: pd.DataFrame, top: float = WHOLE.top, share: int = 1) -> float:
    """Put a sheet on a page as wide as it is, its digits as everywhere, as one of so many; return where it ends, in inches."""
    rows = _cells(table)
    head = [column(str(name)) for name in table.columns]
    columns = list(zip(head, *rows, strict=True))
    told = [max(letters(name) / 2, *map(letters, own), _NARROW) for name, *own in columns]  # a head has two lines
    asked = [
        max(min(wide, _BROAD), *(unbroken(cell) * _BOLD for cell in own))
        for wide, own in zip(told, columns, strict=True)
    ]
    widths = [WHOLE.width * own / sum(asked) for own in asked]
    numbers = [j for j, name in enumerate(table.columns) if pd.api.types.is_numeric_dtype(table[name].dtype)]
    return _largest(deck, slide, Columns(head, widths, numbers, 0), rows, top, share)


def _largest(deck: Deck, slide: AnySlide, columns: Columns, rows: list[list[str]], top: float, share: int = 1) -> float:
    """Put a table on a page in the largest letters in which it has room and no word is broken; return where it ends."""
    cells = list(zip(columns.head, *rows, strict=True))
    least = [max(map(unbroken, own)) * _BOLD / 72 for own in cells]

    def fits(size: int) -> bool:
        whole = all(room * size + _BESIDE <= width for room, width in zip(least, columns.widths, strict=True))
        return whole and sum(row_heights(replace(columns, size=size), rows)) <= (WHOLE.bottom - top) / share

    size = next((size for size in SIZES if fits(size)), SIZES[-1])
    return deck.table(slide, replace(columns, size=size), rows, top=top)


def _cells(table: pd.DataFrame) -> list[list[str]]:
    """Return the rows of a sheet in the digits that pages print."""
    names = [str(name) for name in table.columns]
    return [
        [cell_text(name, value) for name, value in zip(names, row, strict=True)]
        for row in table.itertuples(index=False, name=None)
    ]


def _as_lines(table: pd.DataFrame) -> list[str]:
    """Return the rows of a sheet as a speaker reads them."""
    head = [column(str(name)) for name in table.columns]
    return [say("；").join(say("{0}：{1}", *pair) for pair in zip(head, row, strict=True)) for row in _cells(table)]
