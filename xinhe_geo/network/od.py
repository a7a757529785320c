"""What each place reaches: the rows of an origin-destination table within a limit, and the pieces of street."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from ..core import Profile
from . import threads
from .arrays import Floats, Known, Pieces, Scratch, Shorts, Sources, Weights, offsets
from .snapped import by_edge, checked_limit, doors_of, numbered, recall, seeds_of
from .streets import Streets


def pair_costs(
    streets: Streets, origins: pd.DataFrame, targets: pd.DataFrame, profile: Profile | None, limit: float
) -> tuple[Shorts, Shorts, Floats, tuple[pd.Index, pd.Index]]:
    """Return origin and target numbers and their least cost, sorted, and the labels the numbers stand for."""
    from . import kernel_search

    weights = streets.weights(profile)
    bound = checked_limit(limit) + weights.same
    here, there = recall(streets, origins), recall(streets, targets)
    from_labels, to_labels = numbered(streets, here)[1], numbered(streets, there)[1]
    swapped = len(from_labels) > len(to_labels)  # walking is symmetric: search from the side with fewer places
    near, far = (there, here) if swapped else (here, there)
    source, sink, cost = _reach_pairs(streets, near, far, weights, bound)
    if swapped:
        source, sink, cost = kernel_search.turn_pairs(source, sink, cost, len(from_labels))
    return source, sink, cost, (from_labels, to_labels)


def _reach_pairs(
    streets: Streets, here: Known, there: Known, weights: Weights, bound: float
) -> tuple[Shorts, Shorts, Floats]:
    from . import kernel_search

    (near, from_labels), (_, to_labels) = numbered(streets, here), numbered(streets, there)
    sources, sinks = len(from_labels), len(to_labels)
    near = near.take(np.flatnonzero(near.edge >= 0))
    near = near.take(np.argsort(near.place, kind="stable"))
    seeds = seeds_of(near, weights)
    seeds = seeds.take(np.lexsort((seeds.cost, seeds.place)))
    each = Sources(0, offsets(seeds.place, sources), seeds, offsets(near.place, sources), near)
    counts, far = np.zeros(sources, np.int64), by_edge(streets, there)

    def run(first: int, last: int) -> tuple[NDArray[Any], ...]:
        field = _borrow(streets)
        search, part = weights.search(bound, ties=False), each.part(first, last)
        found = kernel_search.pairs(weights, search, part, far, field, counts[first:last])
        streets.spare.append(field)
        return found

    sink, cost = threads.in_threads(run, sources if sinks else 0, 2)
    source = np.repeat(np.arange(sources, dtype=np.int32), counts)
    return source, sink.astype(np.int32, copy=False), cost


def _borrow(streets: Streets) -> Scratch:
    """Return arrays for one search at a time, clean: they are made once for each thread and given back clean."""
    try:
        return streets.spare.pop()
    except IndexError:
        nodes = len(streets.node_xy)
        return Scratch(np.full(nodes, np.inf), np.empty(nodes, np.int32), np.empty(nodes, np.int32))


def pair_frame(
    rows: NDArray[Any], columns: NDArray[Any], cost: Floats, names: tuple[pd.Index, pd.Index], column: str
) -> pd.DataFrame:
    """Return costs as a frame with a MultiIndex (origin, target)."""
    levels: Any = list(names)
    codes: Any = [rows, columns]
    index = pd.MultiIndex(levels=levels, codes=codes, names=["origin", "target"], verify_integrity=False)
    return pd.DataFrame({column: cost}, index=index)


def pieces(
    streets: Streets, doors: pd.DataFrame, limits: float | Iterable[float], profile: Profile | None, each: bool
) -> Pieces:
    """Return what `WalkNetwork.reached` does, as arrays and without geometry: a frame costs as much as a small search."""
    from . import kernel_search

    weights = streets.weights(profile)
    steps = np.unique([checked_limit(value) for value in np.atleast_1d(np.asarray(limits, np.float64))])
    table, labels = doors_of(streets, doors)
    groups = len(labels) if each else min(1, len(table.edge))
    if not each:
        table = table._replace(place=np.zeros_like(table.place))
    table = table.take(np.flatnonzero(table.edge >= 0))
    table = table.take(np.argsort(table.place, kind="stable"))
    seeds = seeds_of(table, weights)
    seeds = seeds.take(np.lexsort((seeds.cost, seeds.place)))
    priced = table._replace(access=table.access * weights.unit)
    sources = Sources(0, offsets(seeds.place, groups), seeds, offsets(table.place, groups), priced)

    def run(first: int, last: int) -> tuple[NDArray[Any], ...]:
        search = weights.search(float(steps[-1]) + weights.same, ties=False)
        return kernel_search.pieces(weights, search, steps, sources.part(first, last))

    group, limit, edge, start, stop = threads.in_threads(run, groups if len(steps) else 0, 5)
    order = np.lexsort((start, edge, limit, group))
    return Pieces(
        labels,
        group[order].astype(np.int64),
        steps[limit[order].astype(np.int64)] if len(order) else np.empty(0),
        edge[order].astype(np.int64),
        start[order].astype(np.float64),
        stop[order].astype(np.float64),
    )


def cut(streets: Streets, pieces: Pieces) -> NDArray[Any]:
    """Return the line of every piece, in the CRS of the network."""
    from . import kernel_lines

    if not len(pieces.edge):
        return np.empty(0, object)
    edge = pieces.edge.astype(np.int32)
    room = streets.off[edge + 1] - streets.off[edge]
    out = np.empty((int(room.sum()), 2))
    counts = np.empty(len(edge), np.int64)
    kernel_lines.cut(streets.course, edge, pieces.from_m, pieces.to_m, counts, out)
    return np.asarray(shapely.linestrings(out[: counts.sum()], indices=np.repeat(np.arange(len(edge)), counts)))
