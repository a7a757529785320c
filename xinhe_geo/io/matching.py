"""Which row of a layer each row of a file is: told by key, or by a name that only one has."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Sequence
from typing import NamedTuple

import pandas as pd

from ..core import Layer, say
from .cells import Cell, printable
from .current_layer import CurrentLayer, row_mark
from .file_rows import FileRows, Refusal
from .headers import column_word
from .positions import Placed
from .row_report import Where


class Matched(NamedTuple):
    """The key of each row of a file, and the position in the layer of those that are there already."""

    keys: list[str | None]
    at: dict[int, int]


def match_rows(rows: FileRows, placed: Placed | None, current: CurrentLayer) -> Matched:
    """Tell which row of the layer each row of the file is; those that cannot be told are refused."""
    return _match_marks(rows, current) if rows.layer.told_by else _match_keys(rows, placed, current)


def _match_keys(rows: FileRows, placed: Placed | None, current: CurrentLayer) -> Matched:
    keys = _keys(rows, placed, current.rows)
    label = column_word(rows.layer.names[rows.layer.key])
    there: dict[str, list[int]] = {}
    for position, own in enumerate(current.ids()):
        there.setdefault(own, []).append(position)
    for position, others in enumerate(current.rows["other_id"] if "other_id" in current.rows.columns else ()):
        for other in str(others).split(";") if isinstance(others, str) else ():
            if other not in current.rows.index:
                there.setdefault(other, []).append(position)
    starts = rows.cells.get("since") if rows.layer.dated else None
    seen: dict[tuple[str, str], int] = {}
    found: dict[int, int] = {}
    claimed: dict[int, int] = {}
    for i, key in enumerate(keys):
        if not key:
            said = say("没有编号") if rows.layer.key in rows.cells else say("没有编号，也没有名称")
            rows.refuse(i, Refusal(label, "", said, say("每行写一个不重复的编号")))
            continue
        since = None if starts is None else starts[i]
        mark = (key, "" if since is None else str(since))
        if mark in seen:
            said = say("和第 {0} 行重复", rows.lines[seen[mark]])
            rows.refuse(i, Refusal(label, key, said, say("留一行，或用不同的编号")))
            continue
        seen[mark] = i
        spots = there.get(key, [])
        if len(spots) > 1:
            spots = [s for s in spots if since is not None and str(current.rows["since"].iloc[s]) == str(since)]
            if len(spots) != 1:
                rows.refuse(i, Refusal(label, key, say("目录里这个编号有几个时期，分不清改哪一个"), say("写上起始年")))
                continue
        if spots and not _later(current.rows, spots[0], since):
            if spots[0] in claimed:
                said = say("和第 {0} 行是目录里的同一行 {1}", rows.lines[claimed[spots[0]]], current.ids()[spots[0]])
                rows.refuse(i, Refusal(label, key, said, say("留一行")))
                continue
            found[i], claimed[spots[0]] = spots[0], i
    return Matched(keys, found)


#: Where a blank says "not known yet" (who pays, when it is reached): the first row that says it fills the blank in.
_NOT_YET = ("date", "fund")


def _match_marks(rows: FileRows, current: CurrentLayer) -> Matched:
    """Tell rows without a number of their own apart by what the table says tells them apart; a blank there is told, too."""
    layer = rows.layer
    label = say("、").join(column_word(layer.names[name]) for name in layer.told_by)
    keys = [row_mark(layer, cells) for cells in zip(*(rows.column(name) for name in layer.told_by), strict=True)]
    there: dict[str, list[int]] = {}
    for position, mark in enumerate(current.ids()):
        there.setdefault(mark, []).append(position)
    found: dict[int, int] = {}
    first: dict[str, int] = {}
    for i, key in enumerate(keys):
        spots = there.get(key, [])
        if first.setdefault(key, i) != i:
            rows.refuse(i, Refusal(label, key, say("和第 {0} 行重复", rows.lines[first[key]]), say("留一行")))
        elif len(spots) > 1:
            rows.refuse(i, Refusal(label, key, say("目录里有 {0} 行都是这样", len(spots)), say("先在目录里留下一行")))
        elif spots:
            found[i] = spots[0]
    _say_beside(rows, current, _fill_in(rows, current, found))
    return Matched(list(keys), found)


def _marks(layer: Layer, table: pd.DataFrame, keep: Collection[str]) -> list[str]:
    """Return what rows are known by, by some of the columns that tell them apart."""
    told = table[list(layer.told_by)].assign(**{name: None for name in layer.told_by if name not in keep})
    return [row_mark(layer, cells) for cells in told.itertuples(index=False)]


def _fill_in(rows: FileRows, current: CurrentLayer, found: dict[int, int]) -> list[int]:
    """Match rows with the one that differs in nothing but a blank that is not known yet; return which are new."""
    layer = rows.layer
    own = pd.DataFrame({name: rows.column(name) for name in layer.told_by}, dtype="object")
    new = [i for i in range(len(rows)) if i not in found and i not in rows.refused]
    ours, theirs = (
        _marks(layer, table, [n for n in layer.told_by if n not in _NOT_YET]) for table in (own, current.rows)
    )
    free: dict[str, list[int]] = {}
    for p in sorted(set(range(len(theirs))) - set(found.values())):
        free.setdefault(theirs[p], []).append(p)
    times = Counter(ours[i] for i in new)
    for i in new:
        spots = free.get(ours[i], [])
        blank = spots and any(
            pd.isna(cell) for n in _NOT_YET if n in own for cell in (own[n].iloc[i], current.rows[n].iloc[spots[0]])
        )
        if blank and len(spots) == times[ours[i]] == 1:
            found[i] = spots[0]
    return [i for i in new if i not in found]


def _say_beside(rows: FileRows, current: CurrentLayer, new: Sequence[int]) -> None:
    """Say of how many new rows there is one already that could be meant: the same but for the year, the holder, the date."""
    layer = rows.layer
    must = [name for name in layer.told_by if layer.names[name].required]
    own = pd.DataFrame({name: rows.column(name) for name in layer.told_by}, dtype="object")
    ours, there = _marks(layer, own, must), set(_marks(layer, current.rows, must))
    beside = [i for i in new if ours[i] in there]
    if beside:
        words = say("、").join(column_word(layer.names[name]) for name in must)
        said = say("{0:,} 行新增，目录里另有{1}相同的行，都保留", len(beside), words)
        remedy = say("是改正旧行、不是另一行，就在目录里改旧行，或用 --replace 给全表")
        rows.report.say("note", said, remedy, rows.where(beside[0], words, ours[beside[0]]))


def _keys(rows: FileRows, placed: Placed | None, there: pd.DataFrame) -> list[str | None]:
    """Return the key of each row: as written, by a name that only one row has, or made from what the row says."""
    layer = rows.layer
    if layer.key in rows.cells:
        return _texts(rows.cells[layer.key])
    names, kinds = _texts(rows.column("name")), rows.column("kind")
    times = Counter(names)
    known: dict[str, list[str]] = {}
    for key, name in zip(there.index, there["name"] if "name" in there.columns else (), strict=False):
        if isinstance(name, str):
            known.setdefault(name, []).append(str(key))
    keys: list[str | None] = []
    for i, name in enumerate(names):
        namesakes = known.get(name or "", [])
        if name is None:
            keys.append(None)
        elif len(namesakes) == 1 and times[name] == 1:
            keys.append(namesakes[0])
        else:
            spot = placed.lonlat[i] if placed is not None else None
            where = "" if spot is None else ",".join(f"{v:.5f}" for v in spot.centroid.coords[0])
            said = f"{name}|{kinds[i]}|{where}"
            keys.append(f"{layer.key}-{hashlib.sha256(said.encode()).hexdigest()[:8]}")
    rows.report.say(
        "note",
        say("文件里没有编号列：同名且唯一的按名称认，其余按名称、类别和位置编号"),
        say("最好加一列编号，或用 key（--key）说明哪一列是编号"),
    )
    return keys


def _texts(cells: Sequence[Cell]) -> list[str | None]:
    return [None if v is None else str(v) for v in cells]


def _later(there: pd.DataFrame, position: int, since: Cell) -> bool:
    """Whether a row that starts in `since` comes after the period of the row that is there."""
    if since is None or "until" not in there.columns or pd.isna(there["until"].iloc[position]):
        return False
    number = pd.to_numeric(str(since), errors="coerce")
    return bool(pd.notna(number) and number > there["until"].iloc[position])


#: What is said of a row of the folder that the file does not have, and of one that goes.
_GONE, _REMOVED = "目录里有，文件里没有：{0}", "删去"


def kept_rows(report: pd.DataFrame) -> pd.DataFrame:
    """Return the lines of a report on rows of the folder that the file does not have, and that stay."""
    return report[(report["result"] == "gone") & (report["reason"] != say(_GONE, say(_REMOVED)))]


def gone_rows(rows: FileRows, matched: Matched, current: CurrentLayer, *, replace: bool) -> set[int]:
    """
    Report the rows of the layer that the file does not have; return those that `replace` removes (by position).

    Where rows have a kind, only those of the kinds in the file go: a list of pharmacies says nothing of parks. What a row
    of the file could be stays until somebody has said whether it is.
    """
    ids = current.ids()
    names = current.rows["name"].tolist() if "name" in current.rows.columns else [""] * len(current.rows)
    asked = _asked_about(rows)
    away = leaving(rows, matched, current) if replace else set()
    for p in sorted(set(range(len(current.rows))) - set(matched.at.values())):
        said = "保留" if not replace or p in asked else "文件里没有这一类，保留" if p not in away else _REMOVED
        rows.report.say("gone", say(_GONE, say(said)), at=Where(key=printable(ids[p]), value=names[p]))
    return away


def leaving(rows: FileRows, matched: Matched, current: CurrentLayer) -> set[int]:
    """Return the rows of the layer (by position) that a complete list of the kinds in the file no longer has."""
    kinds = current.rows["kind"].tolist() if "kind" in current.rows.columns else None
    told = {kind for i, kind in enumerate(rows.column("kind")) if kind is not None and i not in rows.refused}
    if kinds is not None:
        told |= {kinds[p] for p in matched.at.values()}
    gone = set(range(len(current.rows))) - set(matched.at.values()) - _asked_about(rows)
    return {p for p in gone if kinds is None or kinds[p] in told}


def _asked_about(rows: FileRows) -> set[int]:
    """Return the rows of the layer that a row of the file could be, of which nobody has said whether it is."""
    asked = {p for unclear in rows.unclear.values() for p in unclear.could_be}
    return asked | {p for like in rows.left.values() for p in like}
