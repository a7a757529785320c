"""Tables as planners keep them: the header found among titles and totals, every other row taken or reported."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..core import Layer, language, say, secret_words
from .cells import EXAMPLE, UNIT_NAMES, head_of, is_blank, printable
from .headers import ABOUT_PERSONS, header_words, plain_header, understood
from .incoming import MOST_ROWS, SPECIAL_GROUPS, Incoming, cannot_take, special_groups
from .row_report import RowReport, Where
from .sheets import HEADER_WITHIN, Grid, Sheet, put_uncomputed, read_csv_sheet, read_records, read_workbook

_TOTAL = re.compile("^(本页|本表)?(合计|总计|小计|共计|总和|累计|汇总|total|sum)[:：]?$", re.IGNORECASE)
_REMARK = re.compile(
    r"^(\d+[.、)）]|[（(]?[一二三四五六七八九十]+[、.)）]|注|备注|说明|填报|填表|制表|审核|单位负责|数据来源|联系)"
)


#: How many rows a header may have.
MOST_LEVELS = 4
#: What may stand in a row of units.
_UNIT_WORDS = {
    *UNIT_NAMES,
    *[
        "度",
        "°",
        "米",
        "m",
        "年",
        "个",
        "处",
        "座",
        "床",
        "张",
        "间",
        "元",
        "万元",
        "亿元",
        "%",
        "公里",
        "km",
        "—",
        "-",
        "/",
        "无",
    ],
}


def read_table(path: Path, layer: Layer, sheet: str | None, report: RowReport) -> Incoming:
    """Read a table of any kind that is known (.xlsx, .xls, .csv, .json): the sheet that is meant, its header found."""
    suffix = path.suffix.lower()
    if suffix in (".csv", ".txt"):
        return _table(path.name, read_csv_sheet(path), layer, report)
    if suffix == ".json":
        return _table(path.name, read_records(path), layer, report)
    sheets = read_workbook(path, sheet)
    name = _sheet_wanted(path, layer, sheet, {n: s.rows for n, s in sheets.items()}, report)
    put_uncomputed(path, name, sheets[name])
    return _table(path.name, sheets[name], layer, report)


def _sheet_wanted(path: Path, layer: Layer, sheet: str | None, grids: Mapping[str, Grid], report: RowReport) -> str:
    """Return the worksheet to read: the one asked for, the layer's own, else the one whose header is understood best."""
    if sheet is not None:
        return sheet
    for name in (layer.label, layer.name):
        if name in grids:
            return name
    filled = [name for name, rows in grids.items() if rows]
    if not filled:
        raise cannot_take(path.name, say("工作簿里没有数据"), say("检查是否存对了文件"))
    words = header_words(layer)
    best = max(filled, key=lambda name: _find_header(grids[name], words)[1])
    if len(filled) > 1:
        others = say("、").join(n for n in filled if n != best)
        report.say(
            "note",
            say("读的是工作表“{0}”，没有读：{1}", printable(best), printable(others)),
            say("要读另一张，用 sheet（--sheet）说明"),
        )
    return best


def _find_header(rows: Grid, words: Mapping[str, str]) -> tuple[int, int]:
    """Return which of the first rows is the header, and how many of its cells are understood."""
    scores = [understood(cells, words) for _, cells in rows[:HEADER_WITHIN]]
    best = int(np.argmax(scores)) if scores else 0
    return best, (scores[best] if scores else 0)


def _levels(rows: Grid, at: int, words: Mapping[str, str]) -> tuple[int, int, list[str]]:
    """
    Return the first and last row of the header that `at` is part of, and its heads: of several ways, the one understood best.

    A header has up to `MOST_LEVELS` rows; all but its first are words only.
    """
    best = (at, at, _texts(rows[at][1]))
    score = _worth(best[2], words)
    for top in range(max(0, at - MOST_LEVELS + 1), at + 1):
        heads = _texts(rows[top][1])
        for bottom in range(top + 1, min(top + MOST_LEVELS, len(rows))):
            if not _may_be_lower(rows[bottom][1]):
                break
            heads = _joined(heads, _texts(rows[bottom][1]), words)
            if bottom >= at and _worth(heads, words) > score:
                best, score = (top, bottom, heads), _worth(heads, words)
    return best


def _worth(heads: Sequence[str], words: Mapping[str, str]) -> tuple[int, int]:
    """Return how much of a header is understood; as much said otherwise, "经度" and "纬度" are more than "坐标" above them."""
    axes = {words.get(plain_header(head)) for head in heads} & {"@lon", "@lat", "@x", "@y"}
    return understood(heads, words), len(axes)


def _texts(cells: Sequence[object]) -> list[str]:
    return ["" if is_blank(c) else str(c).strip() for c in cells]


def _joined(upper: Sequence[str], lower: Sequence[str], words: Mapping[str, str]) -> list[str]:
    """
    Return the heads that two rows are together.

    The lower one counts where it says something of its own ("经度" under "坐标"); under a blank or a total the upper one
    does; anything else is both together, so that "男" under "人口" is not taken for all people, in the order that says
    something ("常住" under "人口").
    """
    heads, above = [], ""
    for j in range(max(len(upper), len(lower))):
        a = upper[j] if j < len(upper) else ""
        b = lower[j] if j < len(lower) else ""
        above = a or (above if b else "")
        plain = plain_header(b)
        if not b or plain == plain_header(above) or _TOTAL.match(plain) or plain in ("总数", "数量"):
            heads.append(above if b or a else "")
        else:
            heads.append(next((h for h in (b, above + b, b + above) if plain_header(h) in words), above + b))
    return heads


def _are_units(cells: Sequence[object]) -> bool:
    """Whether a row of a table says nothing but units."""
    said = [re.sub(r"[()\s]", "", unicodedata.normalize("NFKC", t)).lower() for t in _texts(cells) if t]
    return bool(said) and all(s in _UNIT_WORDS for s in said) and any(s in UNIT_NAMES for s in said)


def _with_units(heads: Sequence[str], units: Mapping[int, Sequence[object]]) -> list[str]:
    """Write the units of a row of units into the heads they stand under."""
    found = list(heads)
    for cells in units.values():
        for j, unit in enumerate(_texts(cells)[: len(found)]):
            bare = re.sub(r"[()（）]", "", unit)
            if found[j] and bare in UNIT_NAMES and "（" not in found[j] and "(" not in found[j]:
                found[j] = f"{found[j]}（{bare}）"
    return found


def _may_be_lower(cells: Sequence[object]) -> bool:
    """Whether a row may be the lower half of a header: words only."""
    return not any(isinstance(c, (int, float)) or re.search(r"\d{3,}", str(c)) for c in cells if not is_blank(c))


def _table(file: str, sheet: Sheet, layer: Layer, report: RowReport) -> Incoming:
    """Find the header, and leave out (reported) rows of totals, remarks, examples and repeated headers."""
    words = header_words(layer)
    units = {number: cells for number, cells in sheet.rows[:HEADER_WITHIN] if _are_units(cells)}
    rows = [row for row in sheet.rows if row[0] not in units]
    at, score = _find_header(rows, words)
    if not rows:
        raise cannot_take(file, say("文件里没有数据"), say("检查是否存对了文件，或重新导出"))
    if score == 0:
        said = say("、").join(printable(c) for c in rows[0][1] if not is_blank(c))
        wanted = say("、").join(head_of(c) if language() == "zh" else c.name for c in layer.columns if c.required)
        raise cannot_take(
            file,
            say("前 {0} 行里没有认得的表头（第一行是：{1}）", HEADER_WITHIN, printable(said)),
            say("至少要有：{0}；可用 template 生成模板", wanted or say("名称")),
        )
    top, bottom, heads = _levels(rows, at, words)
    heads = _with_units(heads, units)
    for number, cells in units.items():
        report.say("note", say("第 {0} 行只有单位，按它换算", number), at=Where(value=_first(cells)))
    for _, cells in rows[: bottom + 1]:
        for cell in cells:
            if isinstance(cell, str) and SPECIAL_GROUPS.search(cell):
                raise special_groups(file, cell)
    for number, cells in rows[:top]:
        report.say("note", say("第 {0} 行在表头以上，当作标题", number), at=Where(value=_first(cells)))
    _fill_merges(sheet, rows[bottom][0], heads, words, layer, report)
    above = [secret_words(cell) for _, cells in rows[: bottom + 1] for cell in cells if isinstance(cell, str)]
    incoming = Incoming(file, heads, [], [], marks=tuple(mark.text for mark in above if mark))
    for number, cells in rows[bottom + 1 :]:
        reason = _not_data(cells, heads)
        if reason:
            report.say("skipped", reason, at=Where(row=number, value=_first(cells)))
            continue
        if len(cells) > len(heads):
            report.say(
                "refused",
                say("有 {0} 格，表头只有 {1} 列", len(cells), len(heads)),
                say("检查这一行是否多了逗号，或给多出的列写表头"),
                at=Where(row=number),
            )
            continue
        incoming.rows.append([*cells, *[None] * (len(heads) - len(cells))])
        incoming.lines.append(number)
    return incoming


def _fill_merges(
    sheet: Sheet, bottom: int, heads: Sequence[str], words: Mapping[str, str], layer: Layer, report: RowReport
) -> None:
    """Write a cell merged over several rows into each of them; a number merged over several rows is nobody's."""
    by_number = dict(sheet.rows)
    for r1, c1, r2, _ in sheet.merges:
        spanned = [by_number[r] for r in range(r1, min(r2, r1 + MOST_ROWS) + 1) if r in by_number]
        if r1 <= bottom or len(spanned) < 2 or c1 >= len(heads):
            continue
        meaning = words.get(plain_header(heads[c1]))
        column = layer.names.get(meaning or "")
        value = spanned[0][c1] if c1 < len(spanned[0]) else None
        if is_blank(value):
            continue
        counted = column is not None and column.type in ("int", "float")
        if counted:
            report.say(
                "note",
                say("第 {0}—{1} 行合并成一格的数分不到各行，没有读", r1, r2),
                say("取消合并，每行写自己的数"),
                at=Where(column=heads[c1], value=value),
            )
        for cells in spanned:
            cells.extend([None] * (c1 + 1 - len(cells)))
            cells[c1] = None if counted else value


def _first(cells: Sequence[object]) -> str:
    """Return the first filled cell for the report, unless it speaks of a person."""
    said = next(str(c) for c in cells if not is_blank(c))
    return say("（已略去）") if ABOUT_PERSONS.search(said) else said


def _not_data(cells: Sequence[object], heads: Sequence[str]) -> str:
    filled = [str(c).strip() for c in cells if not is_blank(c)]
    if any(_TOTAL.match(re.sub(r"\s", "", text)) for text in filled[:3]):
        return say("合计行，不是一个要素")
    if filled[0].startswith(EXAMPLE):
        return say("模板的示例行")
    signed = all(re.match(r"[^\d:：]{2,8}[:：]", text) for text in filled)
    if (len(set(filled)) == 1 or signed) and _REMARK.match(filled[0]):
        return say("说明或小标题，不是一个要素")
    if len(filled) > 1 and filled == [h for h in heads if h]:
        return say("重复的表头")
    return ""
