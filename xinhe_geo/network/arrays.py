"""What searches over streets pass around: arrays by name, in small tuples."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Shorts: TypeAlias = NDArray[np.int32]
Flags: TypeAlias = NDArray[np.bool_]
Marks: TypeAlias = NDArray[np.uint8]
StrPath: TypeAlias = str | os.PathLike[str]

NO_MARKS: Marks = np.empty(0, np.uint8)


class Weights(NamedTuple):
    """What walking costs one profile: per edge and arc, per metre of access, and the shape of the queue."""

    edge: Floats
    rate: Floats  # per metre of the edge
    arc: Floats
    unit: float  # cost of one metre without waits
    same: float  # TOLERANCE_M as a cost
    waits: bool  # metres do not follow from the cost
    per_unit: float  # buckets per unit of cost
    ring: int


class Doors(NamedTuple):
    """Doors as arrays; `place` numbers the labels."""

    place: Shorts
    edge: Shorts
    at: Floats
    access: Floats

    def take(self, rows: NDArray[Any]) -> Doors:
        """Return some of them."""
        return Doors(self.place[rows], self.edge[rows], self.at[rows], self.access[rows])

    def plus(self, more: Doors) -> Doors:
        """Return these and more."""
        join = np.concatenate
        return Doors(
            join([self.place, more.place]),
            join([self.edge, more.edge]),
            join([self.at, more.at]),
            join([self.access, more.access]),
        )


class Ends(NamedTuple):
    """The two ends of doors' edges (-1 for doors without one) and what walking along the edge to each costs."""

    u: Shorts
    v: Shorts
    to_u: Floats
    to_v: Floats

    def take(self, rows: slice) -> Ends:
        """Return some of them, in the same memory."""
        return Ends(self.u[rows], self.v[rows], self.to_u[rows], self.to_v[rows])


class Seeds(NamedTuple):
    """Where a search starts: nodes with the cost, place and metres they start from."""

    node: Shorts
    cost: Floats
    place: Shorts
    metres: Floats

    def take(self, rows: NDArray[Any] | slice) -> Seeds:
        """Return some of them, in this order."""
        return Seeds(self.node[rows], self.cost[rows], self.place[rows], self.metres[rows])

    def plus(self, more: Seeds) -> Seeds:
        """Return these and more."""
        join = np.concatenate
        return Seeds(
            join([self.node, more.node]),
            join([self.cost, more.cost]),
            join([self.place, more.place]),
            join([self.metres, more.metres]),
        )


@dataclass(eq=False)
class Known:
    """A frame of doors that was asked about: its columns, where in memory they lie, and what was made of them so far."""

    columns: Mapping[str, pd.Series]
    spots: Sequence[Any]
    numbered: tuple[Doors, pd.Index] | None = None
    by_edge: tuple[Ints, Floats, Floats, Shorts] | None = None
    ends: tuple[Weights, Ends] | None = None


class Field(NamedTuple):
    """Cost, label and (where waits make it a number of its own) walked metres at every node."""

    cost: Floats
    label: Shorts
    metres: Floats


class Change(NamedTuple):
    """Nodes, each once, and the cost, label and metres that other arrays have there."""

    node: Shorts
    cost: Floats
    label: Shorts
    metres: Floats

    def swap(self, field: Field) -> Change:
        """Write these values into a field; return those that stood there."""
        node, waits = self.node, len(field.metres) > 0
        there = Change(node, field.cost[node], field.label[node], field.metres[node] if waits else field.metres)
        field.cost[node], field.label[node] = self.cost, self.label
        if waits:
            field.metres[node] = self.metres
        return there


class Scratch(NamedTuple):
    """Arrays over the nodes that a search writes to and puts back: costs (infinite), labels, nodes touched."""

    cost: Floats
    label: Shorts
    touched: Shorts


class Notes(NamedTuple):
    """Arrays over the nodes in which a search notes what it changes: nodes listed, marks (zero), what stood there."""

    touched: Shorts
    mark: Marks
    cost: Floats
    label: Shorts
    metres: Floats

    def after(self, count: int) -> Notes:
        """Return where to note what comes after so many nodes."""
        return Notes(self.touched[count:], self.mark, self.cost[count:], self.label[count:], self.metres[count:])

    def cleaned(self, count: int, waits: bool) -> Change:
        """Return a copy of what was noted, and take the marks away."""
        node, metres = self.touched[:count].copy(), self.metres[: count if waits else 0].copy()
        self.mark[node] = 0
        return Change(node, self.cost[:count].copy(), self.label[:count].copy(), metres)


class Pieces(NamedTuple):
    """Reached pieces of street, in order of place, limit, edge."""

    #: Labels of the places, sorted.
    places: pd.Index
    #: Number of each piece's place; 0 where all places were asked about together.
    place: Ints
    limit: Floats
    edge: Ints
    #: Metres along the edge.
    from_m: Floats
    to_m: Floats


def new_ends(size: int) -> Ends:
    """Return room for the ends of so many doors."""
    return Ends(np.empty(size, np.int32), np.empty(size, np.int32), np.empty(size), np.empty(size))


def new_seeds(size: int) -> Seeds:
    """Return room for so many seeds."""
    return Seeds(np.empty(size, np.int32), np.empty(size), np.empty(size, np.int32), np.empty(size))


def offsets(codes: NDArray[Any], count: int) -> Ints:
    """Return where each number of 0..count begins in a sorted list of them, and where the list ends."""
    off = np.zeros(count + 1, np.int64)
    np.cumsum(np.bincount(codes, minlength=count), out=off[1:])
    return off
