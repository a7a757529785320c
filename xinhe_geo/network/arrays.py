"""
What searches over streets pass around: arrays by name, in small tuples.

Compiled loops know the fields of a tuple by their order, and Numba keeps them on disk until their own file changes. A field
is therefore never moved among others of its type: rename the tuple, or add the field at the end.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
import pyproj
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Shorts: TypeAlias = NDArray[np.int32]
Flags: TypeAlias = NDArray[np.bool_]
Marks: TypeAlias = NDArray[np.uint8]
StrPath: TypeAlias = str | os.PathLike[str]
#: A CRS as people write it: an object, a text, a number of EPSG.
AnyCrs: TypeAlias = pyproj.CRS | str | int

#: Labels of places, one for each row.
Labels: TypeAlias = NDArray[Any] | pd.api.extensions.ExtensionArray

NO_MARKS: Marks = np.empty(0, np.uint8)


class Arcs(NamedTuple):
    """The arcs of each node, as one profile walks them. An edge is two arcs, a loop as well."""

    indptr: Ints  # per node: its first arc, and where the last node ends
    adj: Shorts  # the node at the other end
    edge: Shorts
    metres: Floats
    cost: Floats  # infinite where closed


class Edges(NamedTuple):
    """Edges, as one profile walks them: from node `u` to node `v`."""

    u: Shorts
    v: Shorts
    metres: Floats
    cost: Floats
    rate: Floats  # cost per metre of the edge


class Lines(NamedTuple):
    """The course of edges: where each begins among the points, the points, and metres from the beginning of the edge."""

    off: Ints
    xy: Floats
    cum: Floats


class Lanes(NamedTuple):
    """The lanes of one home that a walker may use: the arcs at each node, and its mouths, each with a public edge there."""

    arcs: Mapping[int, Sequence[tuple[int, int, float]]]  # node: (edge, node at the other end, metres)
    mouths: Mapping[int, int]  # node: public edge


class Search(NamedTuple):
    """How far a search goes, up to what difference ways tie (below 0: never), and the ring of buckets it queues in."""

    bound: float
    same: float
    per_unit: float  # buckets per unit of cost
    heads: Ints


class Terms(NamedTuple):
    """By what costs are read off at doors."""

    unit: float
    waits: bool
    bound: float
    same: float


class Weights(NamedTuple):
    """What walking costs one profile: along arcs and edges, per metre of access, and the shape of the queue."""

    arcs: Arcs
    edges: Edges
    unit: float  # cost of one metre without waits
    same: float  # TOLERANCE_M as a cost
    waits: bool  # metres do not follow from the cost
    per_unit: float  # buckets per unit of cost
    ring: int

    def search(self, bound: float, *, ties: bool) -> Search:
        """Return the terms of a search with a ring of its own: two threads never share one."""
        return Search(bound, self.same if ties else -1.0, self.per_unit, np.full(self.ring, -1, np.int64))

    def terms(self, bound: float) -> Terms:
        """Return by what costs are read off."""
        return Terms(self.unit, self.waits, bound, self.same)


class Spots(NamedTuple):
    """Where doors are: the edge (-1: none), metres along it, metres of access."""

    edge: Shorts
    at: Floats
    access: Floats

    def part(self, rows: slice) -> Spots:
        """Return some of them, in the same memory."""
        return Spots(self.edge[rows], self.at[rows], self.access[rows])


class Doors(NamedTuple):
    """Entrances of places, snapped to the street; `place` numbers the labels."""

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


class EdgeDoors(NamedTuple):
    """Doors in linked lists: the first one on each edge, and the one after each door; -1 ends a list."""

    first: Shorts
    following: Shorts
    doors: Doors


class SortedDoors(NamedTuple):
    """Doors edge by edge: the first one of each edge and where the last edge ends, the doors, and how many places they are of."""

    off: Ints
    at: Floats
    access: Floats
    place: Shorts
    places: int


class Ends(NamedTuple):
    """The two ends of doors' edges (-1 for doors without one) and what walking along the edge to each costs."""

    u: Shorts
    v: Shorts
    to_u: Floats
    to_v: Floats

    def part(self, rows: slice) -> Ends:
        """Return some of them, in the same memory."""
        return Ends(self.u[rows], self.v[rows], self.to_u[rows], self.to_v[rows])


class Asked(NamedTuple):
    """Doors that costs are read off at, their ends, and whether a target may be on the very edge."""

    spots: Spots
    ends: Ends
    near: Flags


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


class Sources(NamedTuple):
    """Places to search from one at a time: where the seeds and the doors of each begin in the lists of all."""

    first: int  # number of the first place
    seed_off: Ints
    seeds: Seeds
    door_off: Ints
    doors: Doors

    def part(self, first: int, last: int) -> Sources:
        """Return some of the places, in the same memory."""
        here = slice(first, last + 1)
        return Sources(first, self.seed_off[here], self.seeds, self.door_off[here], self.doors)


@dataclass(eq=False)
class Known:
    """A frame of doors that was asked about: its columns, where in memory they lie, and what was made of them so far."""

    columns: Mapping[str, Any]
    spots: Sequence[Any]
    numbered: tuple[Doors, pd.Index] | None = None
    by_edge: SortedDoors | None = None
    ends: tuple[Weights, Ends] | None = None


class Field(NamedTuple):
    """Cost, label and (where waits make it a number of its own) walked metres at every node."""

    cost: Floats
    label: Shorts
    metres: Floats


class Finished(NamedTuple):
    """A search that is over: the field it left, the order of the labels, what whole-number labels are, its doors."""

    field: Field
    rank: Shorts
    names: Ints  # empty where labels are no whole numbers
    doors: EdgeDoors


class Answers(NamedTuple):
    """Room for what is read off at doors; `metres` may be empty where they are the cost."""

    cost: Floats
    metres: Floats
    target: NDArray[np.integer[Any]]  # the number of the label, or what `Finished.names` calls it
    missing: Flags  # where there is no target

    def part(self, rows: slice) -> Answers:
        """Return some of the room."""
        return Answers(self.cost[rows], self.metres[rows], self.target[rows], self.missing[rows])


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
