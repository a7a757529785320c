"""Polylines as lists of points: measuring, offsetting, cutting and noding, in plain arithmetic."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import shapely

from .frame import XY

#: Crossings nearer than this to an earlier one are the same street corner.
SAME_M = 0.4


@dataclass(frozen=True)
class Street:
    """A line before noding, and an edge after it."""

    points: tuple[XY, ...]
    cls: str
    name: str | None = None
    over: frozenset[str] = frozenset()  # barriers this street has a bridge or an underpass for
    basis: str | None = None
    note: str | None = None
    source: str | None = None
    wait_s: float | None = None
    steps: bool | None = None
    home: str | None = None
    since: int | None = None
    until: int | None = None
    pair: str | None = None  # both carriageways of one road carry its key
    key: str = ""
    frontage: bool = True  # gates and facilities may open onto it

    def line(self) -> shapely.LineString:
        """The street as a shapely line."""
        return shapely.LineString(self.points)


def length(points: Sequence[XY]) -> float:
    """Length of a polyline in metres."""
    return sum(math.dist(a, b) for a, b in itertools.pairwise(points))


def rounded(points: Iterable[XY]) -> tuple[XY, ...]:
    """Points to a centimetre."""
    return tuple((round(x, 2), round(y, 2)) for x, y in points)


def at(points: Sequence[XY], distance: float) -> tuple[XY, XY]:
    """Point and unit direction at a distance along a polyline."""
    for a, b in itertools.pairwise(points):
        step = math.dist(a, b)
        if distance <= step or b is points[-1]:
            t = min(max(distance / step, 0.0), 1.0) if step else 0.0
            way = ((b[0] - a[0]) / step, (b[1] - a[1]) / step) if step else (1.0, 0.0)
            return (a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t), way
        distance -= step
    raise ValueError("empty line")


def foot(points: Sequence[XY], p: XY) -> tuple[float, float, XY]:
    """Distance along the polyline, distance from it, and the nearest point on it."""
    best = (0.0, math.inf, points[0])
    run = 0.0
    for a, b in itertools.pairwise(points):
        dx, dy = b[0] - a[0], b[1] - a[1]
        square = dx * dx + dy * dy
        if square == 0.0:
            continue
        t = min(max(((p[0] - a[0]) * dx + (p[1] - a[1]) * dy) / square, 0.0), 1.0)
        q = (a[0] + dx * t, a[1] + dy * t)
        away = math.dist(p, q)
        if away < best[1] - 1e-9:
            best = (run + math.sqrt(square) * t, away, q)
        run += math.sqrt(square)
    return best


def offset(points: Sequence[XY], distance: float) -> list[XY]:
    """A polyline beside another: positive is to the left of its direction; corners mitred."""
    out: list[XY] = []
    last = len(points) - 1
    for i, (x, y) in enumerate(points):
        normals = []
        for a, b in ((i - 1, i), (i, i + 1)):
            if a >= 0 and b <= last:
                step = math.dist(points[a], points[b])
                normals.append((-(points[b][1] - points[a][1]) / step, (points[b][0] - points[a][0]) / step))
        nx = sum(n[0] for n in normals) / len(normals)
        ny = sum(n[1] for n in normals) / len(normals)
        scale = max(nx * nx + ny * ny, 0.25)
        out.append((x + nx / scale * distance, y + ny / scale * distance))
    return out


def curve(value: Callable[[float], XY], start: float, stop: float, step: float = 110.0) -> list[XY]:
    """Points of a parametric curve, evenly spaced in its parameter."""
    n = max(1, round(abs(stop - start) / step))
    return [value(start + (stop - start) * i / n) for i in range(n + 1)]


def extend(points: Sequence[XY], metres: float) -> list[XY]:
    """A polyline drawn a little further at both ends."""
    out = list(points)
    for end, inner in ((0, 1), (-1, -2)):
        (x, y), (u, v) = out[end], out[inner]
        step = math.dist((x, y), (u, v))
        out[end] = (x + (x - u) / step * metres, y + (y - v) / step * metres)
    return out


def _crossing(a: XY, b: XY, c: XY, d: XY) -> tuple[float, float] | None:
    """Parameters along a-b and c-d of where the two segments meet, or None."""
    rx, ry, sx, sy = b[0] - a[0], b[1] - a[1], d[0] - c[0], d[1] - c[1]
    cross = rx * sy - ry * sx
    if abs(cross) < 1e-9 * (abs(rx) + abs(ry)) * (abs(sx) + abs(sy)):
        return None
    t = ((c[0] - a[0]) * sy - (c[1] - a[1]) * sx) / cross
    u = ((c[0] - a[0]) * ry - (c[1] - a[1]) * rx) / cross
    slack_t, slack_u = 0.05 / math.hypot(rx, ry), 0.05 / math.hypot(sx, sy)
    if -slack_t <= t <= 1 + slack_t and -slack_u <= u <= 1 + slack_u:
        return min(max(t, 0.0), 1.0), min(max(u, 0.0), 1.0)
    return None


class Corners:
    """Remembers street corners, so that crossings a hair apart become one point."""

    def __init__(self) -> None:
        self._cells: dict[tuple[int, int], list[XY]] = {}

    def snap(self, p: XY) -> XY:
        """Return the corner already known within `SAME_M`, or remember this one (to a centimetre)."""
        p = (round(p[0], 2), round(p[1], 2))
        column, row = math.floor(p[0]), math.floor(p[1])
        for i in (column - 1, column, column + 1):
            for j in (row - 1, row, row + 1):
                for known in self._cells.get((i, j), []):
                    if math.dist(known, p) <= SAME_M:
                        return known
        self._cells.setdefault((column, row), []).append(p)
        return p


def node(streets: Sequence[Street], corners: Corners) -> list[Street]:
    """Cut every street where it meets another one; the pieces keep what the street says."""
    owner: list[tuple[int, int]] = []
    ends: list[tuple[XY, XY]] = []
    for i, street in enumerate(streets):
        for k, (a, b) in enumerate(pairwise(street.points)):
            owner.append((i, k))
            ends.append((a, b))
    tree = shapely.STRtree(shapely.linestrings(np.array(ends)))
    pairs = tree.query(shapely.linestrings(np.array(ends)), predicate="dwithin", distance=0.1)
    cuts: list[list[tuple[int, float, XY]]] = [[] for _ in streets]
    for one, other in sorted(zip(pairs[0].tolist(), pairs[1].tolist(), strict=True)):
        (i, k), (j, m) = owner[one], owner[other]
        if i >= j:
            continue
        hit = _crossing(*ends[one], *ends[other])
        if hit is None:
            continue
        a, b = ends[one]
        p = corners.snap((a[0] + (b[0] - a[0]) * hit[0], a[1] + (b[1] - a[1]) * hit[0]))
        cuts[i].append((k, hit[0], p))
        cuts[j].append((m, hit[1], p))
    pieces = []
    for street, marks in zip(streets, cuts, strict=True):
        pieces += _cut(street, marks, corners)
    return pieces


def _cut(street: Street, marks: list[tuple[int, float, XY]], corners: Corners) -> list[Street]:
    """The pieces of one street between its corners."""
    points = street.points
    marks = sorted([(0, 0.0, corners.snap(points[0])), *marks, (len(points) - 2, 1.0, corners.snap(points[-1]))])
    pieces = []
    for (k, _, p), (m, _, q) in itertools.pairwise(marks):
        if p == q:
            continue
        inner = [points[n] for n in range(k + 1, m + 1)]
        inner = [v for v in inner if math.dist(v, p) > 1.0 and math.dist(v, q) > 1.0]
        pieces.append(replace(street, points=rounded([p, *inner, q])))
    return pieces


def split(edge: Street, places: Sequence[XY]) -> list[Street]:
    """Cut an edge at points that lie on it (within a centimetre or two)."""
    run, stations = 0.0, []
    cuts = sorted((foot(edge.points, p)[0], p) for p in dict.fromkeys(places))
    for a, b in pairwise(edge.points):
        run += math.dist(a, b)
        stations.append((run, b))
    stations.pop()  # the end is a cut of its own
    bounds = [(0.0, edge.points[0]), *cuts, (run, edge.points[-1])]
    pieces: list[Street] = []
    for (begin, p), (end, q) in itertools.pairwise(bounds):
        inner = [v for along, v in stations if begin + SAME_M < along < end - SAME_M]
        if p != q or inner:
            pieces.append(replace(edge, points=(p, *inner, q)))
    return pieces


def prune(edges: Sequence[Street], shorter_than: float) -> list[Street]:
    """Drop stubs: short edges with an end that nothing else touches."""
    kept = list(edges)
    while True:
        degree: dict[XY, int] = {}
        for edge in kept:
            for end in (edge.points[0], edge.points[-1]):
                degree[end] = degree.get(end, 0) + 1
        stays = [
            e for e in kept if length(e.points) >= shorter_than or min(degree[e.points[0]], degree[e.points[-1]]) > 1
        ]
        if len(stays) == len(kept):
            return kept
        kept = stays
