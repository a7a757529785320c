"""The streets of the second engine: cut at every vertex, attached to, searched; how feet stay. No import from the library."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import shapely

from oracle.files import number_of, text_of

TOLERANCE_M = 1e-6

Xy = np.ndarray  # shape (n, 2)


class Door(NamedTuple):
    """Where a walk meets the public streets: a segment, how far along it (0 to 1), metres before it."""

    segment: int
    at: float
    metres: float


class Ways(NamedTuple):
    """Doors of a place: had before a plan, attached anew for want of these, on added streets; its leg before the plan."""

    kept: list[Door]
    anew: list[Door]
    added: list[Door]
    first: float


def part_of(part: float, whole: float) -> float:
    """Cost of part of a segment; one that is closed can be stood on but not walked."""
    return part * whole if part else 0.0


class Streets:
    """Segments between vertices, and where places stand on them; `before`: the streets before a plan."""

    before: Any = None
    barriers: shapely.Geometry = shapely.GeometryCollection()

    def cut(self, lines: Iterable[Any]) -> None:
        """Cut every street at its vertices; vertices within 1 mm are one node; a wait is spread over its line."""
        numbers: dict[tuple[int, int], int] = {}
        cut: list[tuple[int, int, float, float, str, bool, str, int]] = []
        at: list[np.ndarray] = []
        for row in lines:
            home, wait = text_of(getattr(row, "home", None)), number_of(getattr(row, "wait_s", None), 0.0)
            steps = bool(number_of(getattr(row, "steps", None), 0.0))
            for part, line in enumerate(shapely.get_parts(row.geometry), len(cut)):
                xy = shapely.get_coordinates(line)
                long = np.hypot(*np.diff(xy, axis=0).T)
                nodes = [numbers.setdefault((round(x * 1000), round(y * 1000)), len(numbers)) for x, y in xy]
                shares = wait * long / long.sum()
                cut += [
                    (*uv, *m, home, steps, row.Index, part)
                    for uv, m in zip(pairwise(nodes), np.column_stack([long, shares]), strict=True)
                ]
                at += list(np.hstack([xy[:-1], xy[1:]]))
        columns = map(np.array, zip(*cut, strict=True))
        first, last, self.metres, self.waits, self.owner, self.steps, self.street, part = columns
        self.ends, self.at, self.public = np.column_stack([first, last]), np.array(at), self.owner == ""
        junction = np.bincount(self.ends.ravel()) != 2
        self.near: list[list[tuple[int, int]]] = [[] for _ in junction]
        for s, (u, v) in enumerate(self.ends.tolist()):
            self.near[u].append((s, v))
            self.near[v].append((s, u))
        self.edge = np.unique(part * len(cut) * 2 + np.cumsum(junction[first]), return_inverse=True)[1]
        then = () if self.before is None else self.before.street[self.before.public]
        self.added = self.public & (self.before is not None) & ~np.isin(self.street, then)

    def nearest(self, xy: Xy, usable: np.ndarray, first: np.ndarray | bool = False, blind: bool = False) -> Door | None:
        """Attach straight to the nearest usable edge (of equals, one of the first); a barrier across that leg rules it out."""
        which = np.flatnonzero(usable)
        a, b = self.at[which, :2], self.at[which, 2:]
        along = np.clip(((xy - a) * (b - a)).sum(1) / np.maximum(((b - a) ** 2).sum(1), 1e-18), 0, 1)
        foot = a + along[:, None] * (b - a)
        far = np.hypot(*(foot - xy).T)
        blocked: set[int] = set()
        for k in np.argsort(far - TOLERANCE_M * (first & usable)[which], kind="stable"):
            if self.edge[which[k]] not in blocked:
                if blind or not shapely.LineString([xy, foot[k]]).crosses(self.barriers):
                    return Door(int(which[k]), float(along[k]), float(far[k]))
                blocked.add(self.edge[which[k]])
        return None

    def foot_of(self, xy: Xy, home: str, level: bool) -> Door | None:
        """Attach to the nearest street, or lane of the own home."""
        own = (self.owner == home) & (home != "") & ~(level & self.steps)
        return self.nearest(xy, (self.public & ~(level & self.steps)) | own, first=own)

    def _out(self, foot: Door | None, level: bool) -> list[Door]:
        """From a foot to the public streets: along the lanes of its home to every mouth."""
        if foot is None or self.public[foot.segment]:
            return [foot] if foot else []
        own = (self.owner == self.owner[foot.segment]) & ~(level & self.steps)
        metres = self.dijkstra([foot], self.metres, own, [foot.metres])
        mouths = {int(n): int(s) for s in np.flatnonzero(self.public) for n in self.ends[s] if int(n) in metres}
        return [Door(s, float(self.ends[s][1] == n), metres[n]) for n, s in mouths.items()]

    def ways_of(self, xy: Xy, home: str, level: bool) -> Ways:
        """Doors of a place: those it had before the plan that are left (else those of what is left), and on nearer new streets."""
        if self.before is None:
            foot = self.foot_of(xy, home, level)
            return Ways(self._out(foot, level), [], [], foot.metres if foot else np.inf)
        old = self.before.foot_of(xy, home, level)
        kept = self._out(self._again(old), level)
        anew, base = [], old
        if not kept and self.before._out(old, level):
            leads = [bool(self._out(Door(s, 0.5, 0.0), level)) for s in range(len(self.public))]
            own = (self.owner == home) & (home != "") & ~(level & self.steps) & leads
            base = self.nearest(xy, (self.public & ~self.added & ~(level & self.steps)) | own, first=own)
            anew = self._out(base, level)
        reach = base.metres if base else np.inf
        new = [self.nearest(xy, self.added & (self.street == s)) for s in np.unique(self.street[self.added])]
        near = [d for d in new if d and d.metres < reach - TOLERANCE_M and not (level and self.steps[d.segment])]
        return Ways(kept, anew, near, old.metres if old else np.inf)

    def _again(self, old: Door | None) -> Door | None:
        """Find a foot of before on the same street now."""
        if old is None or self.before is None:
            return None
        a, b = self.before.at[old.segment].reshape(2, 2)
        found = self.nearest(a + old.at * (b - a), self.street == self.before.street[old.segment], blind=True)
        return found._replace(metres=old.metres) if found and found.metres < 1e-3 else None

    def dijkstra(self, doors: list[Door], cost: np.ndarray, usable: np.ndarray, legs: list[float]) -> dict[int, float]:
        """Dijkstra from doors (each with what it costs to be there) over the usable segments; least cost per node."""
        heap = []
        for door, leg in zip(doors, legs, strict=True):
            u, v = self.ends[door.segment]
            whole = cost[door.segment]
            heap += [(leg + part_of(door.at, whole), int(u)), (leg + part_of(1 - door.at, whole), int(v))]
        heapq.heapify(heap)
        done: dict[int, float] = {}
        while heap:
            so_far, node = heapq.heappop(heap)
            if node not in done:
                done[node] = so_far
                for s, other in self.near[node]:
                    if usable[s] and other not in done:
                        heapq.heappush(heap, (so_far + cost[s], other))
        return done
