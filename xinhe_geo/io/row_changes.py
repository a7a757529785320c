"""What a file changes in a layer: its rows judged as they would stand, compared with what is there, reported one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from ..core import Column, Problem, amount, check_rows, layer_name, listed, nearest, problems_table, say
from ..district import NEAR_M, Edit, is_missing, moved_m
from .cells import printable
from .current_layer import CurrentLayer
from .file_rows import FileRows, Refusal
from .headers import column_word
from .matching import Matched
from .positions import Placed
from .row_report import Where

#: Shapes nearer than this are the same; a point may also be off by what six digits of a degree leave out.
SAME_M, SAME_SPOT_M = 0.01, 0.1

#: The layers whose rows are the doors of others, and the column that says whose.
DOORS = {
    "homes": ("gates", "home"),
    "facilities": ("entrances", "facility"),
    "own_facilities": ("entrances", "facility"),
}


class Provenance(NamedTuple):
    """What new and moved rows rest on, and the file they come from."""

    basis: str
    source: str


def judged(rows: FileRows, placed: Placed | None, matched: Matched, current: CurrentLayer) -> pd.DataFrame:
    """Check the rows as they would stand, blanks filled from what is there; return them typed, by position."""
    n, layer, old = len(rows), rows.layer, current.rows
    merged: dict[str, list[object]] = {}
    for name in layer.names:
        if name == layer.key:
            merged[name] = [str(i) for i in range(n)]
            continue
        values: list[object] = list(rows.column(name))
        if name in old.columns:
            before = old[name].tolist()
            values = [before[matched.at[i]] if v is None and i in matched.at else v for i, v in enumerate(values)]
        merged[name] = [None if v is None or pd.isna(v) else v for v in values]
    frame = pd.DataFrame(merged, dtype="object")
    if placed is not None:
        shapes = [
            shape if shape is not None else old.geometry.iloc[matched.at[i]] if i in matched.at else None
            for i, shape in enumerate(placed.metric)
        ]
        frame = gpd.GeoDataFrame(frame, geometry=shapes, crs=old.crs)
    tidy, problems = check_rows(layer, frame, rows.file)
    for problem in problems:
        if problem.severity == "error" and problem.row:
            _refuse_for(problem, rows)
    for column in layer.names.values():
        if column.parent is not None and column.parent[0] in current.tables and column.name in rows.cells:
            _refuse_orphans(column, tidy[column.name], current.tables[column.parent[0]], rows)
    return tidy


def _refuse_for(problem: Problem, rows: FileRows) -> None:
    """Refuse a row for what the check found, unless the row is refused for that already."""
    i, column = int(problem.row), rows.layer.names.get(problem.field)
    if problem.field == "geometry" and i in rows.refused:
        return
    value = rows.cells[problem.field][i] if problem.field in rows.cells else ""
    said = say("图形") if column is None else column_word(column)
    remedy = problem.remedy
    if column is not None and column.required and problem.field not in rows.cells:
        remedy = say("文件里没有认得的“{0}”一列：把那一列的表头改成“{0}”，或全表一样时写 --set {0}=…", said)
    if said not in {known.column for known in rows.refused.get(i, ())}:
        rows.refuse(i, Refusal(said, value, problem.problem, remedy))


def _refuse_orphans(column: Column, codes: pd.Series, parents: pd.DataFrame, rows: FileRows) -> None:
    """Refuse rows with a code that the table it points to does not have; name the codes nearest to it."""
    assert column.parent is not None
    label = layer_name(column.parent[0])
    words = next((c for c in ("label", "name") if c in parents.columns), None)
    names: dict[str, list[str]] = {}
    for own, word in () if words is None else parents[words].dropna().items():
        names.setdefault(str(word), []).append(str(own))
    known = [*(str(k) for k in parents.index), *names]
    shown = [*names] or known
    choices = say(
        "可写：{0}{1}；或先补上那一行",
        say("、").join(map(printable, shown[:12])),
        say(" 等") if len(shown) > 12 else "",
    )
    unknown = [
        isinstance(said, str) and not set(listed(said) if column.several else [said]) <= set(parents.index)
        for said in codes
    ]
    for i in np.flatnonzero(unknown):
        said = str(codes.iloc[i])
        called = say("写编号：{0}", say("、").join(map(printable, names.get(said, ())[:12])))
        remedy = called if said in names else nearest(said, known) or choices
        rows.refuse(int(i), Refusal(column_word(column), codes.iloc[i], say("在{0}里不存在", label), remedy))


def edits_of(
    rows: FileRows,
    placed: Placed | None,
    matched: Matched,
    current: CurrentLayer,
    tidy: pd.DataFrame,
    provenance: Provenance,
) -> list[Edit]:
    """Compare row by row, report each, and return what has to be written."""
    edits: list[Edit] = []
    layer, old, report = rows.layer, current.rows, rows.report
    typed = {name: tidy[name].tolist() for name in rows.cells if name in tidy.columns}
    there = {name: old[name].tolist() for name in {*typed, "basis"} if name in old.columns}
    outlines = None if placed is None else np.asarray(old.geometry.array)
    for i, key in enumerate(matched.keys):
        at = matched.at.get(i)
        made_up = at is not None and layer.key not in rows.cells and layer.geometry is not None
        row = Where(
            rows.lines[i], printable(str(old.index[at]) if made_up else key or "")
        )  # what it goes by in the folder
        if _not_taken(rows, i, row):
            continue
        shape = None if placed is None else placed.metric[i]
        if at is None:
            values = {c: v[i] for c, v in typed.items() if not is_missing(v[i])}
            if layer.key in rows.cells or layer.geometry is not None or layer.names[layer.key].required:
                values = {layer.key: rows.cells[layer.key][i] if layer.key in rows.cells else key, **values}
            report.say("new", say("新增"), at=row._replace(value=values.get("name", "")))
            if layer.geometry is not None:
                _mark(values, current.entry, provenance)
            edits.append(Edit(None, values, shape))
            continue
        values, changes = _changes(rows, i, typed, {name: cells[at] for name, cells in there.items()})
        moved = None
        if shape is not None and outlines is not None and outlines[at] is not None:
            moved = _moved(shape, outlines[at], rows, row)
        if moved is not None:
            changes.append(_Change("moved", say("位置"), moved, ""))
            _mark(values, current.entry, provenance)
            if not is_missing(there["basis"][at]) and there["basis"][at] != provenance.basis:
                values.setdefault("basis", provenance.basis)
        _tell(rows, i, changes, row)
        if changes:
            edits.append(Edit(at, values, shape if moved is not None else None))
    return edits


def _not_taken(rows: FileRows, i: int, row: Where) -> bool:
    """Report a row that is refused, unclear, left out or does not belong here; return whether it is."""
    if i in rows.foreign:
        rows.report.say("skipped", rows.foreign[i], at=row)
        return True
    whys = rows.refused.get(i) or ([rows.unclear[i].why] if i in rows.unclear else [])
    for why in whys:
        result = "refused" if i in rows.refused else "unclear"
        rows.report.say(result, why.reason, why.remedy, row._replace(column=why.column, value=why.value))
    if not whys and i in rows.left:
        rows.report.say("skipped", say("按 --skip 跳过"), at=row)
    return bool(whys) or i in rows.left


def _tell(rows: FileRows, i: int, changes: Sequence[_Change], row: Where) -> None:
    """Report what changes in a row that is there; what it is counted as comes first."""
    known = say("；{0}", rows.known[i]) if i in rows.known else ""
    for change in sorted(changes, key=lambda change: _FIRST.index(change.result)):
        said = say("原来是 {0}", change.before) if change.before else say("位置改变")
        rows.report.say(change.result, said + known, at=row._replace(column=change.column, value=change.value))
        known = ""
    if not changes:
        rows.report.say("unchanged", say("和目录里的一样{0}", known), at=row)


class _Change(NamedTuple):
    """One cell that differs, in words: its column, what the file says, and what is there ("" for a position)."""

    result: str
    column: str
    value: str
    before: str


#: Of several changes of a row, the one it is counted as.
_FIRST = ("renamed", "moved", "changed")


def _changes(
    rows: FileRows, i: int, typed: Mapping[str, Sequence[Any]], there: Mapping[str, object]
) -> tuple[dict[str, Any], list[_Change]]:
    """Return the cells of a row that differ, and how to say so. A blank leaves what is there."""
    values: dict[str, Any] = {}
    changes: list[_Change] = []
    for name, column in typed.items():
        if rows.cells[name][i] is None:
            continue
        new, before = column[i], there[name]
        if is_missing(before) or new != before:
            values[name] = new
            said = say("空") if is_missing(before) else _shown(before)
            result = "renamed" if name == "name" and not is_missing(before) else "changed"
            changes.append(_Change(result, column_word(rows.layer.names[name]), _shown(new), said))
    return values, changes


def _shown(value: object) -> str:
    """Return a cell as it is typed: a whole number without decimals."""
    return printable(int(value) if isinstance(value, float) and value.is_integer() else value)


def _moved(shape: shapely.Geometry, before: shapely.Geometry, rows: FileRows, row: Where) -> str | None:
    """Say how far a shape moved; None where it stays. A point does not replace an outline."""
    if shape.geom_type == "Point" and before.geom_type != "Point":
        away = float(shapely.distance(shape, before))
        if away > SAME_M:
            said = say("目录里是面，文件里的点在它外面 {0} 米；面没有改", amount(away))
            rows.report.say("note", said, say("核对编号和坐标"), row._replace(column=say("位置")))
        return None
    if shape.geom_type == before.geom_type:
        away = moved_m(before, shape)
        same = away <= (SAME_SPOT_M if shape.geom_type == "Point" else SAME_M)
        return None if same else say("移动 {0} 米", amount(away, 1))
    return say("换成另一种图形")


def _mark(values: dict[str, Any], entry: Mapping[str, Any] | None, provenance: Provenance) -> None:
    """Write where a row comes from into the row, where its layer says otherwise."""
    if entry is not None and entry.get("basis") != provenance.basis:
        values.setdefault("basis", provenance.basis)
    if entry is not None and entry.get("source") != provenance.source:
        values.setdefault("source", provenance.source)


def refusals_table(rows: FileRows) -> pd.DataFrame:
    """Return what is wrong with the rows as a table of problems, for a file of which not one row can be taken."""
    found = [
        Problem(
            "error",
            rows.layer.name,
            rows.file,
            "" if line.row is None else str(line.row),
            line.column,
            line.reason + (say("（{0}）", line.value) if line.value else ""),
            line.remedy,
        )
        for line in rows.report.lines
        if line.result == "refused"
    ]
    return problems_table(
        found
        or [
            Problem(
                "error", rows.layer.name, rows.file, "", "", say("没有一行可以导入"), say("检查是否只有示例行或合计行")
            )
        ]
    )


def doors_left(doors: gpd.GeoDataFrame, of: str, current: CurrentLayer, edits: Sequence[Edit]) -> gpd.GeoDataFrame:
    """
    Return the drawn doors that were of a place before it moved, and are not now.

    Parameters
    ----------
    doors
        Rows of the layer of doors.
    of
        Its column that says whose they are.
    current, edits
        The layer of the places as it is, and what changes in it.
    """
    shapes, ids = current.rows.geometry.array, current.ids()
    moved = {ids[e.at]: (shapes[e.at], e.shape) for e in edits if e.at is not None and e.shape is not None}
    doors = doors[doors[of].isin(moved).to_numpy()]
    before, now = (shapely.distance(doors.geometry.array, [moved[k][i] for k in doors[of]]) for i in (0, 1))
    return doors[now > np.maximum(before, NEAR_M)]
