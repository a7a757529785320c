"""
The inner lanes of homes: doors through them, and the pieces of them that residents walk.

Searches know public streets only. Whoever stands at a lane of their own home walks along that home's lanes to each of its
mouths (nodes that a public edge touches) and is on the street there: a walk leaves its home once, and nobody walks through
another's.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..core import TOLERANCE_M, NetworkError, say
from .arrays import Flags, Floats, Ints, Lanes, Shorts
from .streets import Streets


class Feet(NamedTuple):
    """Where straight legs meet the street: the edge (-1: none), metres along it, where that is."""

    edge: Shorts
    at: Floats
    xy: Floats  # shape (n, 2)

    def take(self, rows: NDArray[Any]) -> Feet:
        """Return some of them."""
        return Feet(self.edge[rows], self.at[rows], self.xy[rows])


class Ways(NamedTuple):
    """Doors on public edges: the number of the foot each belongs to (in order), where it is, metres walked along lanes before it."""

    foot: Ints
    doors: Feet
    metres: Floats


def lanes_of(streets: Streets, home: str, *, level: bool) -> Lanes:
    """
    Return the lanes of a home; `level`: for a walker who takes no stairs.

    Raises
    ------
    NetworkError
        A lane has a wait, which belongs to public streets: a door is reached by walking alone.
    """
    key = (home, level)
    if key not in streets.lanes:
        own = np.flatnonzero(streets.home_names[streets.row] == home)
        waiting = own[streets.wait[own] > 0]
        if len(waiting):
            names = say("、").join(
                dict.fromkeys(str(streets.table["street"].iloc[row]) for row in streets.row[waiting][:5])
            )
            raise NetworkError(
                say("小区 {0} 的内部道路写了等待（wait_s）：{1}；等待只写在公共街道上，请删去", home, names)
            )
        arcs: dict[int, list[tuple[int, int, float]]] = {}
        for edge in own[~streets.steps[own]] if level else own:
            u, v, metres = int(streets.u[edge]), int(streets.v[edge]), float(streets.length[edge])
            arcs.setdefault(u, []).append((int(edge), v, metres))
            arcs.setdefault(v, []).append((int(edge), u, metres))
        streets.lanes[key] = Lanes(arcs, _mouths(streets, arcs))
    return streets.lanes[key]


def leading_out(streets: Streets, home: str, *, level: bool) -> Flags:
    """Tell which edges are lanes of a home that lead to a mouth."""
    lanes = lanes_of(streets, home, level=level)
    led = _spread(lanes, [(mouth, 0.0) for mouth in lanes.mouths])
    flags = np.zeros(len(streets.u), np.bool_)
    flags[[edge for node in led for edge, _, _ in lanes.arcs[node]]] = True
    return flags


def _mouths(streets: Streets, nodes: Iterable[int]) -> dict[int, int]:
    """Return, of some nodes, those that a public edge touches, with the first such edge."""
    indptr, _, edges = streets.csr
    found = {}
    for node in sorted(nodes):
        there = edges[indptr[node] : indptr[node + 1]]
        there = there[~streets.private[there]]
        if len(there):
            found[node] = int(there.min())
    return found


def _spread(lanes: Lanes, starts: Iterable[tuple[int, float]]) -> dict[int, float]:
    """Return metres along lanes from the nearest start to every node that one leads to."""
    least: dict[int, float] = {}
    queue = [(metres, node) for node, metres in starts]
    heapq.heapify(queue)
    while queue:
        metres, node = heapq.heappop(queue)
        if node in least:
            continue
        least[node] = metres
        for _, other, more in lanes.arcs.get(node, ()):
            if other not in least:
                heapq.heappush(queue, (metres + more, other))
    return least


def to_doors(streets: Streets, feet: Feet, *, level: bool) -> Ways:
    """
    Turn feet on lanes into doors on public edges, one for each mouth that the home's lanes lead to.

    Feet on public edges stay as they are. So do those on lanes that lead nowhere: no search gets away from there.

    Raises
    ------
    NetworkError
        A lane that is walked has a wait.
    """
    on_lane = (feet.edge >= 0) & streets.private[feet.edge]
    if not on_lane.any():
        return Ways(np.arange(len(feet.edge)), feet, np.zeros(len(feet.edge)))
    stays, names = ~on_lane, streets.home_names[streets.row]
    through: list[Ways] = []
    for home in sorted(set(names[feet.edge[on_lane]])):
        lanes, own = lanes_of(streets, home, level=level), np.flatnonzero(on_lane & (names[feet.edge] == home))
        edge = feet.edge[own]
        rest = np.maximum(streets.length[edge] - feet.at[own], 0.0)
        stays[own] = True
        for mouth, street in lanes.mouths.items():
            least = _spread(lanes, [(mouth, 0.0)])
            by_u, by_v = (
                np.array([least.get(node, math.inf) for node in ends[edge].tolist()]) for ends in (streets.u, streets.v)
            )
            metres = np.minimum(feet.at[own] + by_u, rest + by_v)
            led = np.isfinite(metres)
            stays[own[led]] = False
            count = int(led.sum())
            at = 0.0 if streets.u[street] == mouth else streets.length[street]
            there = Feet(
                np.full(count, street, np.int32), np.full(count, at), np.tile(streets.node_xy[mouth], (count, 1))
            )
            through.append(Ways(own[led], there, metres[led]))
    rows = np.flatnonzero(stays)
    every = [Ways(rows, feet.take(rows), np.zeros(len(rows))), *through]
    order = np.argsort(np.concatenate([ways.foot for ways in every]), kind="stable")
    doors = Feet(*(np.concatenate(column)[order] for column in zip(*(ways.doors for ways in every), strict=True)))
    foot, metres = (np.concatenate([ways[i] for ways in every])[order] for i in (0, 2))
    return Ways(foot, doors, metres)


class Walked(NamedTuple):
    """Pieces of lanes: the number of the place, the edge, metres along it."""

    place: Ints
    edge: Ints
    from_m: Floats
    to_m: Floats


def walked(streets: Streets, feet: Feet, left: Floats, place: Ints) -> Walked:
    """
    Return the pieces of their own lanes within reach of feet that stand on them, cut exactly.

    Parameters
    ----------
    left
        Metres each foot may still walk.
    place
        Whose foot it is: the pieces of one place are one set.
    """
    parts: dict[tuple[int, int], list[tuple[float, float]]] = {}
    names = streets.home_names[streets.row]
    for i in np.flatnonzero((feet.edge >= 0) & streets.private[feet.edge] & (left >= 0)).tolist():
        edge, at, most = int(feet.edge[i]), float(feet.at[i]), float(left[i])
        lanes, length = lanes_of(streets, str(names[edge]), level=False), float(streets.length[edge])
        parts.setdefault((int(place[i]), edge), []).append((max(0.0, at - most), min(length, at + most)))
        starts = [(int(streets.u[edge]), at), (int(streets.v[edge]), max(length - at, 0.0))]
        for node, metres in _spread(lanes, starts).items():
            for other, _, whole in lanes.arcs[node] if metres < most else ():
                far = min(whole, most - metres)
                own = parts.setdefault((int(place[i]), other), [])
                if streets.u[other] == node:
                    own.append((0.0, far))
                if streets.v[other] == node:
                    own.append((whole - far, whole))
    rows = [(*key, *piece) for key in sorted(parts) for piece in _merged(parts[key])]
    columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
    return Walked(
        np.array(columns[0], np.int64),
        np.array(columns[1], np.int64),
        np.array(columns[2], np.float64),
        np.array(columns[3], np.float64),
    )


def _merged(parts: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return parts of one edge in order and apart from each other, as searches cut public edges."""
    found: list[tuple[float, float]] = []
    for start, stop in sorted(parts):
        if stop - start <= TOLERANCE_M:
            continue
        if found and start <= found[-1][1] + TOLERANCE_M:
            found[-1] = (found[-1][0], max(found[-1][1], stop))
        else:
            found.append((start, stop))
    return found
