"""Entrances that were snapped to the street, doors for short: frames of them checked, numbered by place and remembered."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..core import NetworkError, WrongValueError, say
from . import threads
from .arrays import NO_MARKS, Doors, Known, Labels, Marks, Seeds, Shorts, SortedDoors, Spots, Weights, new_seeds
from .streets import Streets

FRAMES_KNOWN = 2  # long frames of doors that a network remembers
FEW_DOORS = 8  # rows up to which a frame is read as a whole
DOOR_COLUMNS = ("place", "edge", "at_m", "access_m")


def doors_of(streets: Streets, frame: pd.DataFrame | Mapping[str, Any]) -> tuple[Doors, pd.Index]:
    """Check a frame of doors (or its columns) and return it as arrays, with the labels of places in sorted order."""
    return numbered(streets, recall(streets, frame) if isinstance(frame, pd.DataFrame) else Known(frame, ()))


def recall(streets: Streets, frame: pd.DataFrame) -> Known:
    """
    Return what is known of a frame of doors: of a long one, all that was made of it when it was asked about before.

    A frame is the same when its columns lie where they lay. That they hold the same then is due to pandas, which
    writes to no column that another frame or series shares, and a `Known` keeps its columns.
    """
    if not threads.is_long(len(frame)):
        return Known(frame, ())
    columns = {name: frame[name] for name in DOOR_COLUMNS}
    if not all(isinstance(column.dtype, np.dtype) for column in columns.values()):
        return Known(columns, ())
    spots = [column.to_numpy().__array_interface__ for column in columns.values()]
    found = next((known for known in streets.known if known.spots == spots), None)
    if found is None:
        found = Known(columns, spots)
        streets.known = [found, *streets.known[: FRAMES_KNOWN - 1]]
    return found


def numbered(streets: Streets, known: Known) -> tuple[Doors, pd.Index]:
    """Return doors as arrays, and the labels that number their places, in sorted order."""
    if known.numbered is None:
        place, labels = sorted_codes(known.columns["place"])
        known.numbered = Doors(place, *positions(streets, known.columns)), labels
    return known.numbered


def by_edge(streets: Streets, known: Known) -> SortedDoors:
    """Return doors edge by edge."""
    from . import kernel_doors

    if known.by_edge is None:
        doors, labels = numbered(streets, known)
        known.by_edge = SortedDoors(*kernel_doors.by_edge(len(streets.u), doors), len(labels))
    return known.by_edge


def few_columns(frame: pd.DataFrame) -> Mapping[str, Any]:
    """Return the columns of a short frame of doors; one by one pandas takes four times as long to hand them out."""
    columns = dict(zip(frame.columns, frame.to_numpy(dtype=object).T, strict=True))
    if len(columns) < frame.shape[1] or not all(isinstance(edge, int) for edge in columns["edge"]):
        return {name: frame[name] for name in DOOR_COLUMNS}
    return {**columns, "edge": columns["edge"].astype(np.int64)}


def positions(streets: Streets, frame: Mapping[str, Any]) -> Spots:
    """Check and return where doors are."""
    from . import kernel_doors

    edge, at, access = columns_of(frame)
    spots = Spots(edge.copy(), at.copy(), access.copy())
    refuse(kernel_doors.check_doors(spots, streets.length))
    return spots


def columns_of(frame: Mapping[str, Any]) -> Spots:
    """Return where doors are as arrays that nobody may write to (they may be the frame's)."""
    column = frame["edge"]
    edge = np.ascontiguousarray(column if column.dtype.kind == "i" else column.fillna(-1), np.int32).view()
    at = np.ascontiguousarray(frame["at_m"], np.float64).view()
    access = np.ascontiguousarray(frame["access_m"], np.float64).view()
    for array in (edge, at, access):
        array.flags.writeable = False
    return Spots(edge, at, access)


def refuse(wrong: int) -> None:
    """Raise for doors that are not of this network; the numbers are those of `kernel_doors.check_doors`."""
    if wrong:
        what = {1: "边的编号不存在", 2: "位置不在边上", 3: "到街道的距离不是不小于 0 的数"}[wrong]
        raise NetworkError(say("这些出入口属于另一个路网，或已损坏：{0}", say(what)))


def seeds_of(doors: Doors, weights: Weights, only: Marks | None = None) -> Seeds:
    """
    Return both ends of the doors' edges and the cost of getting there, but for ends behind closed edges.

    `only`: of these nodes alone, which it marks.
    """
    from . import kernel_doors

    seeds = new_seeds(2 * len(doors.edge))
    size = kernel_doors.seeds(doors, weights.edges, weights.unit, NO_MARKS if only is None else only, seeds)
    return seeds.take(slice(size))


def sorted_codes(labels: pd.Series | NDArray[Any]) -> tuple[Shorts, pd.Index]:
    """Number labels in sorted order; return the numbers and the labels they stand for."""
    if isinstance(labels.dtype, np.dtype) and labels.dtype.kind in "iu":
        values = np.asarray(labels)
        step = np.diff(values)
        if len(values) and (step >= 0).all():  # sorted already, as a plain row number is
            starts = np.concatenate([[True], step > 0])
            return np.cumsum(starts, dtype=np.int32) - np.int32(1), pd.Index(values[starts])
    if len(labels) == 1 and not pd.isna(labels).any():
        return np.zeros(1, np.int32), pd.Index(labels, tupleize_cols=False)
    codes, names = pd.factorize(labels)
    if (codes < 0).any():
        raise ValueError(say("地点的编号不能为空"))
    index = names if isinstance(names, pd.Index) else pd.Index(names, tupleize_cols=False)
    order = sorted_order(index)
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return rank[codes] if len(order) else np.empty(0, np.int32), index.take(order)


def sorted_order(labels: pd.Index) -> NDArray[Any]:
    """Return the numbers of distinct labels in sorted order; labels that cannot be compared sort as text."""
    if not len(labels) or labels.is_monotonic_increasing:
        return np.arange(len(labels))
    if pd.api.types.is_numeric_dtype(labels.dtype):
        return np.argsort(labels.to_numpy(), kind="stable")
    names: list[Any] = list(labels)
    try:
        return np.array(sorted(range(len(names)), key=names.__getitem__))
    except TypeError:
        return np.array(sorted(range(len(names)), key=lambda i: (str(names[i]), type(names[i]).__name__)))


def take_labels(labels: pd.Index, codes: NDArray[Any]) -> Labels:
    """Return labels by number, missing for -1."""
    if not len(labels):
        return pd.array([None] * len(codes), dtype=object)
    if (codes >= 0).all():
        return labels.take(codes).array
    values = labels.array
    if pd.api.types.is_integer_dtype(values.dtype):
        values = pd.array(values, dtype="Int64")
    elif not isinstance(values.dtype, pd.api.extensions.ExtensionDtype):
        values = pd.array(values.astype(object), dtype=object)
    return values.take(codes, allow_fill=True)


def checked_limit(limit: object) -> float:
    """Return a limit, which must not be below 0."""
    if not isinstance(limit, numbers.Real) or math.isnan(limit) or limit < 0:
        raise WrongValueError(say("上限必须是不小于 0 的数：{0}", limit))
    return float(limit)
