"""
Next year's list of a kind of facility: what opened, closed, moved or was renamed, with the years before left as they were.

A row that is there is never taken out, and never rewritten where the past would change with it: what the list no longer has
ends with the year before (`until`), what moved or has another name ends then too and begins again under the same key.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import shapely

from ..core import LAYERS, DataError, SourceError, UnknownNameError, read_whole, say
from ..district import (
    MANIFEST,
    SPOT_M,
    Changes,
    Edit,
    LayerFile,
    bare_name,
    check_copy,
    commit,
    finish,
    is_missing,
    locked,
    moved_m,
    new_files,
)
from .add import (
    Coordinates,
    Request,
    ask_decisions,
    checked_words,
    origin_of,
    positions,
    read_words,
    settled,
    unconfirmed,
    waits,
    wishes_of,
)
from .cells import printable
from .current_layer import CurrentLayer, read_current
from .densities import in_all
from .file_rows import FileRows, Refusal, rows_of
from .formats import read_file
from .headers import column_word, one_datum, refuse_secret_rows
from .likeness import recognised
from .matching import Matched, leaving, match_rows
from .positions import place_of
from .row_changes import Provenance, doors_left, edits_of, judged, refusals_table
from .row_report import RowReport, Where, tally

_LAYER = LAYERS["facilities"]
#: What a list says of a place that is not there any more.
_ENDED = ("closed", "moved")
#: A list of a year further ahead than this (of the data's year and of today) is likely typed wrong.
AHEAD = 2


@dataclass(frozen=True)
class _Year:
    """Whose list it is: of these kinds, in this year; `live`: the rows of the layer it can speak of, by position."""

    kinds: tuple[str, ...]
    year: int
    live: Sequence[int]


def kinds_meant(current: CurrentLayer, said: str) -> tuple[str, ...]:
    """
    Return the kinds that somebody means by a kind, its label, or a group of kinds (大类).

    Raises
    ------
    UnknownNameError
        None of these; the nearest are named.
    """
    table = current.tables["kinds"]
    labels = {word: str(kind) for kind, label in current.kinds.items() for word in (bare_name(label), label, str(kind))}
    if said in labels:
        return (labels[said],)
    groups = table["group"].dropna() if "group" in table.columns else pd.Series(dtype="object")
    found = tuple(str(kind) for kind in groups.index[groups == said])
    if not found:
        raise UnknownNameError("设施类别", said, [*current.kinds, *current.kinds.values(), *dict.fromkeys(groups)])
    return found


def update(
    file: str | Path, folder: str | Path, *, kind: str, year: int, request: Request | None = None, apply: bool = False
) -> pd.DataFrame:
    """
    Take the list of a kind of facility for a year: nothing of other kinds or other layers is touched.

    Parameters
    ----------
    file, folder
        As `add`.
    kind
        A kind, its label, or a group of kinds (大类); of a group only kinds that the file has.
    year
        The year whose list it is. What the list lacks ends with the year before, where it lies in the district; planned
        ones that it has are open from this year on. A later year than that of the data becomes the year of the data. Neither
        before the year of the data nor more than `AHEAD` years after it and today, unless `request.sure`.
    request
        What else is said of the file (as `add`: coordinates, basis, wishes).
    apply
        Write. Without it nothing is written.

    Returns
    -------
    report
        As `add`; results `opened` (planned before) and `closed` (row of the folder, kept) besides.

    Raises
    ------
    SourceError, DataError, UnknownNameError, EnvironmentProblem
        As `add`. On any error the folder is byte for byte as it was.
    """
    target, source = Path(folder), Path(file)
    asked = request or Request(Coordinates(None))
    asked = replace(asked, coordinates=replace(asked.coordinates, checked=checked_words(asked.coordinates.checked)))
    if not apply or waits(asked):
        return _planned(source, target, kind, year, asked)[0]
    with locked(target):
        finish(target)
        report, files, proven = _planned(source, target, kind, year, asked)
        if files and not proven:
            raise unconfirmed(source.name, report)
        if files:
            commit(target, files, _LAYER.name, printable(source.name))
    return report


def _planned(
    source: Path, folder: Path, kind: str, year: int, request: Request
) -> tuple[pd.DataFrame, dict[str, bytes], bool]:
    """Work out everything an update would do: the report, the new files, whether the datum is confirmed."""
    whole = read_current(folder, _LAYER)
    if not request.sure:
        _refuse_odd_year(whole, year)
    kinds = kinds_meant(whole, kind)
    rows_there = whole.rows
    alive = rows_there["kind"].isin(kinds) & (rows_there["until"].astype("float64").fillna(np.inf) >= year)
    listed = _Year(kinds, year, np.flatnonzero(alive.to_numpy(dtype=bool)).tolist())
    current = replace(whole, rows=rows_there.iloc[listed.live])
    report = RowReport()
    incoming = one_datum(read_file(source, _LAYER, request.sheet, report), request.coordinates.crs, report)
    refuse_secret_rows(incoming, _LAYER, whole.manifest)
    rows = rows_of(incoming, _LAYER, current.kinds, request.key, report)
    answered = read_words(rows, folder, current, request, kinds[0] if len(kinds) == 1 else "")
    _refuse_others(rows, listed, kind)
    placed = positions(rows, request.coordinates, place_of(current.metric, current.tables))
    matched = match_rows(rows, placed, current)
    proven = settled(rows, placed, matched, current, request)
    wishes = replace(wishes_of(request, rows, matched, current), whole=True)
    matched = recognised(rows, placed, matched, current, wishes)
    _say_in_all(rows, matched, current)
    ended = _ended(rows, matched)
    opened = _opened(rows, matched, current, listed)
    tidy = judged(rows, placed, matched, current)
    origin = origin_of(rows, placed, request.coordinates.checked, proven=proven)
    edits = edits_of(rows, placed, matched, current, tidy, Provenance(request.basis, origin))
    ask_decisions(request, matched, (rows, placed, current), None)
    lines = {rows.lines[i] for i in opened}
    column = column_word(_LAYER.names["state"])
    report.lines = [
        line._replace(result="opened", reason=say("规划的，{0} 年开放", year))
        if line.row in lines and line.column == column and line.result == "changed"
        else line
        for line in report.lines
    ]
    unlisted = leaving(rows, matched, current) & _open_rows(current)
    ending = sorted((unlisted - _beyond(unlisted, current)) | set(ended) & _open_rows(current))
    _say_of_unlisted(report, unlisted - set(ending), ending, len(_open_rows(current)))
    for p in ending:
        said = say("停用：到 {0} 年为止，这一行保留", year - 1)
        report.say("closed", said, at=Where(key=printable(current.ids()[p]), value=current.rows["name"].iloc[p]))
    if not tally(report.frame())["taken"] and not (rows.unclear or rows.left or rows.foreign):
        raise DataError(refusals_table(rows), rows.file)
    left = _entrances_left(folder, current, edits, year, report)
    edits = [*_in_periods(edits, current, year), *(Edit(p, {"until": year - 1}) for p in ending)]
    for edit in edits:
        edit.at = None if edit.at is None else listed.live[edit.at]
    files: dict[str, bytes] = {}
    if edits:
        layer = LayerFile(folder, _LAYER, whole.entry, whole.manifest)
        edits = [edit for edit in edits if edit.cells or edit.shape is not None]
        files = new_files(layer, Changes(edits, set(), request.basis, origin))
        files |= left
        files |= _data_year(folder, whole, year, files, report)
        check_copy(folder, files)
    return report.frame(), {**answered, **files}, proven or bool(request.coordinates.checked)


def _refuse_odd_year(current: CurrentLayer, year: int) -> None:
    """Stop at a year that is likely typed wrong: before that of the data, whose years it would end, or far ahead."""
    of_data = current.manifest.get("data_year")
    if not isinstance(of_data, int):
        return
    last = max(of_data, date.today().year) + AHEAD
    if of_data <= year <= last:
        return
    why = (
        say("早于数据年份 {0}，已有的设施会从 {1} 年起算停用", of_data, year)
        if year < of_data
        else say("离数据年份 {0} 和今年都太远", of_data)
    )
    raise SourceError(
        say(
            "--year 写的是 {0}：{1}。没有写入任何东西。写 {2}—{3} 之间的年份；确实是这一年就加 --sure（sure=True）",
            year,
            why,
            of_data,
            last,
        )
    )


def _say_in_all(rows: FileRows, matched: Matched, current: CurrentLayer) -> None:
    """Say how many there may be in all, where what is there was taken from a map: the list was made without looking at it."""
    said = (current.entry or {}).get("basis", "")
    bases = current.rows.reindex(columns=["basis"])["basis"].fillna(said)
    of_map = _open_rows(current) & set(np.flatnonzero((bases == "osm").to_numpy()).tolist())
    listed = [
        i for i, state in enumerate(rows.column("state")) if state not in (*_ENDED, "planned") and i not in rows.unclear
    ]
    both = sum(matched.at.get(i) in of_map for i in listed)
    if not of_map or not listed:
        return
    seen = say("地图上 {0} 处、名单上 {1} 处，两边都有的 {2} 处", len(of_map), len(listed), both)
    if not both:
        rows.report.say("note", say("{0}：估不出一共有多少处", seen), say("没有一处对得上时，先核对位置和名称"))
        return
    total, low, high = in_all(len(of_map), len(listed), both)
    said = say("{0}：两份若各查各的，一共约 {1:.0f} 处（95% 在 {2}—{3} 处）", seen, total, low, high)
    rows.report.say("note", said, say("名单和地图常有相同的来处，所以只会偏低；不替代核查"))


def _refuse_others(rows: FileRows, listed: _Year, said: str) -> None:
    """Refuse rows of other kinds: the list speaks of one kind (or group) only."""
    for i, kind in enumerate(rows.column("kind")):
        if kind is not None and kind not in listed.kinds:
            why = Refusal(
                column_word(_LAYER.names["kind"]),
                kind,
                say("不是“{0}”", printable(said)),
                say("另用 update 或 add 导入这一类"),
            )
            rows.refuse(i, why)


def _ended(rows: FileRows, matched: Matched) -> list[int]:
    """Take rows that the list itself calls closed or gone out of it; return which rows of the layer they are."""
    found = []
    for i, state in enumerate(rows.column("state")):
        if state in _ENDED and i in matched.at and i not in rows.unclear:
            rows.left[i] = []
            found.append(matched.at.pop(i))
    return found


def _opened(rows: FileRows, matched: Matched, current: CurrentLayer, listed: _Year) -> list[int]:
    """Open planned rows that the list has, from its year on, unless it calls them planned too; return their rows."""
    states, found = current.rows["state"].tolist(), []
    for i, p in matched.at.items():
        if states[p] == "planned" and rows.column_cell("state", i) in (None, "open"):
            for name, value in (("state", "open"), ("since", listed.year)):
                rows.cells.setdefault(name, [None] * len(rows))[i] = value
            found.append(i)
    return found


def _open_rows(current: CurrentLayer) -> set[int]:
    """Return the rows that serve, or may: what is only planned does not close by not being listed."""
    states = current.rows["state"].tolist()
    return {p for p, state in enumerate(states) if state != "planned" and state not in _ENDED}


def _beyond(rows: set[int], current: CurrentLayer) -> set[int]:
    """Return those outside the district: a district's own list does not speak of its neighbours' places."""
    district = current.tables.get("district")
    if district is None or district.empty:
        return set()
    inside = shapely.intersects(current.rows.geometry.array, district.geometry.union_all())
    return {p for p in rows if not inside[p]}


def _say_of_unlisted(report: RowReport, kept: set[int], ending: Sequence[int], there: int) -> None:
    """Say what is kept because it lies outside, and ask to look again where most of what is there would end."""
    if kept:
        said = say("{0} 处在街道界外、名录里没有：保留", len(kept))
        report.say("note", said, say("确已停用的，在名录里写上一行，状态写“停业”"))
    if 2 * len(ending) > there >= 5:
        said = say("目录里这一类 {0} 处，要停用 {1} 处，超过一半", there, len(ending))
        report.say("note", said, say("名录不全的不要用 update，用 add；确实如此才写入"))


def _in_periods(edits: Sequence[Edit], current: CurrentLayer, year: int) -> Iterator[Edit]:
    """Give what moved or got another name a period of its own, so that earlier years stay as they were."""
    frame = current.rows
    keys = current.ids()
    for edit in edits:
        if edit.at is None:
            edit.cells.setdefault("since", year)
            yield edit
            continue
        there = frame.iloc[edit.at]
        began = -np.inf if is_missing(there["since"]) else float(there["since"])
        if there["state"] == "planned" or not (_away(edit, there) > SPOT_M or "name" in edit.cells) or began >= year:
            yield edit
            continue
        own = {c: there[c] for c in _LAYER.names if c in frame.columns and not is_missing(there[c])}
        yield Edit(edit.at, {"until": year - 1})
        yield Edit(
            None,
            {_LAYER.key: keys[edit.at], **own, **edit.cells, "since": year},
            there.geometry if edit.shape is None else edit.shape,
        )


def _away(edit: Edit, there: pd.Series) -> float:
    return 0.0 if edit.shape is None else moved_m(there.geometry, edit.shape)


def _entrances_left(
    folder: Path, places: CurrentLayer, edits: Sequence[Edit], year: int, report: RowReport
) -> dict[str, bytes]:
    """End drawn entrances that were of a place before it moved, and are not now: nobody walks to it through them any more."""
    current = read_current(folder, LAYERS["entrances"])
    if current.entry is None:
        return {}
    open_now = current.rows["until"].astype("float64").fillna(np.inf) >= year
    doors = doors_left(current.rows[open_now.to_numpy()], "facility", places, edits)
    for key, n in doors["facility"].value_counts(sort=False).items():
        said = say("{0} 移走了，原处的 {1} 个出入口到 {2} 年为止", printable(str(key)), n, year - 1)
        report.say("note", said, say("新处的出入口画进 entrances；没有画的，走到它的边或门前的路"))
    if doors.empty:
        return {}
    ends = [Edit(p, {"until": year - 1}) for p in np.flatnonzero(current.rows.index.isin(doors.index)).tolist()]
    return new_files(LayerFile(folder, current.layer, current.entry, current.manifest), Changes(ends, set(), "", ""))


def _data_year(
    folder: Path, current: CurrentLayer, year: int, files: dict[str, bytes], report: RowReport
) -> dict[str, bytes]:
    """Return the manifest with a later year of the data, where the list is of one."""
    before = current.manifest.get("data_year")
    if not isinstance(before, int) or before >= year:
        return {}
    text = files.get(MANIFEST, read_whole(folder / MANIFEST, folder))
    changed, n = re.subn(rb"(?m)^data_year\s*=\s*\d+", f"data_year = {year}".encode(), text, count=1)
    if n != 1:
        raise SourceError(say("{0} 里找不到 data_year 一行。手工改成 data_year = {1}，再更新", MANIFEST, year))
    report.say(
        "note",
        say("数据年份 {0} → {1}：以后按 {1} 年算；人口等没有更新的仍是原来的数", before, year),
        at=Where(column=say("数据年份")),
    )
    return {MANIFEST: changed}
