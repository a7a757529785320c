"""What stands on every sheet: what it is made for, its head, its title block and its foot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import shapely

from ...core import SMALL
from . import carto
from .carto import Column
from .page import Frame, Lettering, Paper, cut, span, wrap

#: Between what is printed and the edge of the page.
MARGIN = 22.0


@dataclass(frozen=True)
class Format:
    """What sheets are made for: paper, language, whether they may leave the house, and the numbers they carry."""

    size: str = "A3"
    lang: str = "zh"
    public: bool = False
    approval: str = ""
    number: str = ""
    date: str = ""

    @property
    def fewer_than(self) -> int:
        """Counts of people and homes below this are not told."""
        return SMALL if self.public else 0


def shared(rows: int, most: int) -> int:
    """Return how many rows a page takes where each has room for `most` and the pages that are needed share them out evenly."""
    return -(-rows // -(-rows // most))


def page_head(paper: Paper, title: str, badges: Sequence[tuple[str, str]], lines: Sequence[str]) -> None:
    """Write title, marks, and how the numbers were made."""
    left = paper.width - MARGIN - sum(span(words, 14) + 28 for _, words in badges) + 10
    room = left - MARGIN - 10
    size = next((size for size in range(27, 15, -1) if span(title, size) <= room), 16)  # a plan's title is long
    paper.words(MARGIN, 34, cut(title, size, room), Lettering(size, carto.INK, bold=True))
    for kind, words in badges:
        wide, dark = span(words, 14) + 18, kind == "demo"
        paper.rectangle(Frame(left, 20, wide, 26), fill=carto.MARK if dark else "", line=carto.MARK)
        look = Lettering(14, "#ffffff" if dark else carto.MARK, "middle", bold=True)
        paper.words(left + wide / 2, 33, words, look)
        left += wide + 10
    paper.words(MARGIN, 67, cut("　".join(lines), 14, paper.width - 2 * MARGIN), Lettering(14, carto.QUIET))
    edge = shapely.LineString([(MARGIN, 82), (paper.width - MARGIN, 82)])
    paper.lines([edge], carto.MARK, 2.5, flat=True)


def title_block(paper: Paper, column: Column, bottom: float, cells: Sequence[tuple[str, str]]) -> float:
    """Draw 图签 at the foot of a column, in two halves where it is wide; return where it begins."""
    n = 2 if column.width > 500 else 1
    each = -(-len(cells) // n)
    parts = [cells[i : i + each] for i in range(0, len(cells), each)]
    wide = column.width / len(parts)
    height = max(sum(_cell_height(value, wide) for _, value in part) for part in parts)
    for i, part in enumerate(parts):
        _title_part(paper, Frame(column.left + i * wide, bottom - height, wide, height), part)
    return bottom - height


def _cell_height(value: str, width: float) -> float:
    return 5 + 15 * min(max(len(wrap(value, 11.5, width - 84)), 1), 2)


def _title_part(paper: Paper, frame: Frame, cells: Sequence[tuple[str, str]]) -> None:
    edges, left, width, y = [], frame.left, frame.width, frame.top
    more = (frame.height - sum(_cell_height(value, width) for _, value in cells)) / len(cells)
    paper.rectangle(Frame(left, frame.top, 70, frame.height), fill="#efeae0")
    for label, value in cells:
        lines = wrap(value, 11.5, width - 84)
        lines = lines if len(lines) <= 2 else [lines[0], cut(carto.rejoined(lines[1:]), 11.5, width - 84)]
        own = _cell_height(value, width) + more
        paper.words(left + 35, y + own / 2, label, Lettering(11.5, carto.QUIET, "middle"))
        for i, line in enumerate(lines):
            paper.words(left + 77, y + own / 2 + 15 * (i - (len(lines) - 1) / 2), line, Lettering(11.5, carto.INK))
        y += own
        edges.append(shapely.LineString([(left, y), (left + width, y)]))
    paper.lines(edges[:-1], "#b8b0a4", 0.7)
    paper.rectangle(frame, line="#555555")


def page_foot(paper: Paper, bottom: float, lines: Sequence[str]) -> None:
    """Write sources and what the page rests on."""
    y = bottom + 14
    for line in wrap("　".join(lines), 11.5, paper.width - 2 * MARGIN)[:3]:
        paper.words(MARGIN, y, line, Lettering(11.5, carto.QUIET))
        y += 16
