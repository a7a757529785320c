"""A second engine, written from docs/how-a-number-is-made.md and the data dictionary, with no import from the library.

Slow and plain on purpose: every vertex of every street is a node, one Dijkstra per question.
`files.read` opens a folder, `World` answers: points, doors, walks, straight lines, shares, headlines, presence.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import shapely

from oracle.files import alive, number_of, text_of

GRID_M, MOST_POINTS, EDGE_M, MOST_DOORS, BY_STREET_M, TOLERANCE_M, WALL_M = 50.0, 64, 20.0, 200, 30.0, 1e-6, 0.6
YEARLY = ("homes", "gates", "facilities", "streets", "extra_links")

Rows = Mapping[str, pd.DataFrame]
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


class Walker(NamedTuple):
    """Metres a second, how much of a wait counts, whether stairs can be walked; as it stands, it measures metres."""

    speed: float = 1.0
    waits: float = 0.0
    steps: bool = True


METRES = Walker()


class World:
    """One district in one year. `rows`: per layer its rows by key, in metres; planned facilities count where asked for; `before`: without the plan."""

    def __init__(
        self,
        rows: Rows,
        year: int,
        *,
        list_year: int,
        surveyed: Iterable[str] = (),
        planned: bool = False,
        before: World | None = None,
    ):
        self.rows = {k: alive(rows[k], year) if k in YEARLY else rows[k] for k in rows if rows[k] is not None}
        self.communities = alive(rows["communities"], list_year)
        self.homes, self.planned, self.before = self.rows["homes"], planned, before
        self.points = {str(home): _spread(shape) for home, shape in self.homes.geometry.items()}
        self.known = {*surveyed, *self.rows["facilities"]["kind"]}
        self.barriers = shapely.union_all(list(rows["barriers"].geometry) if "barriers" in rows else [])
        self.doors, self.begin, self.by_gate = (lru_cache(None)(f) for f in (self._doors, self._begin, self._by_gate))
        self._cut()

    def _cut(self) -> None:
        """Cut every street at its vertices; vertices within 1 mm are one node; a wait is spread over its edge."""
        numbers: dict[tuple[int, int], int] = {}
        cut: list[tuple[int, int, float, float, str, bool, str, int]] = []
        at: list[np.ndarray] = []
        for row in (r for n in ("streets", "extra_links") if n in self.rows for r in self.rows[n].itertuples()):
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
        first, last, self.metres, self.waits, self.owner, self.steps, self.street, part = map(np.array, zip(*cut))
        self.ends, self.at, self.public = np.column_stack([first, last]), np.array(at), self.owner == ""
        junction = np.bincount(self.ends.ravel()) != 2
        self.near: list[list[tuple[int, int]]] = [[] for _ in junction]
        for s, (u, v) in enumerate(self.ends.tolist()):
            self.near[u].append((s, v))
            self.near[v].append((s, u))
        self.edge = np.unique(part * len(cut) * 2 + np.cumsum(junction[first]), return_inverse=True)[1]
        then = () if self.before is None else self.before.street[self.before.public]
        self.added = self.public & (self.before is not None) & ~np.isin(self.street, then)

    def _nearest(
        self, xy: Xy, usable: np.ndarray, first: np.ndarray | bool = False, blind: bool = False
    ) -> Door | None:
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

    def _of(self, layer: str, column: str, key: str) -> pd.DataFrame:
        rows = self.rows.get(layer)
        return pd.DataFrame() if rows is None else rows[rows[column] == key]

    def walled(self, home: str) -> bool:
        """Whether a home is left by its gates only: they were known before the plan, or came with the home."""
        then = self if self.before is None or home not in self.before.homes.index else self.before
        return min(len(world._of("gates", "home", home)) for world in (self, then)) > 0

    def _foot(self, xy: Xy, home: str, level: bool) -> Door | None:
        """Attach to the nearest street, or lane of the own home."""
        own = (self.owner == home) & (home != "") & ~(level & self.steps)
        return self._nearest(xy, (self.public & ~(level & self.steps)) | own, first=own)

    def _out(self, foot: Door | None, level: bool) -> list[Door]:
        """From a foot to the public streets: along the lanes of its home to every mouth."""
        if foot is None or self.public[foot.segment]:
            return [foot] if foot else []
        own = (self.owner == self.owner[foot.segment]) & ~(level & self.steps)
        metres = self._dijkstra([foot], self.metres, own, [foot.metres])
        mouths = {int(n): int(s) for s in np.flatnonzero(self.public) for n in self.ends[s] if int(n) in metres}
        return [Door(s, float(self.ends[s][1] == n), metres[n]) for n, s in mouths.items()]

    def _ways(self, xy: Xy, home: str, level: bool) -> Ways:
        """Doors of a place: those it had before the plan that are left (else those of what is left), and on nearer new streets."""
        if self.before is None:
            foot = self._foot(xy, home, level)
            return Ways(self._out(foot, level), [], [], foot.metres if foot else np.inf)
        old = self.before._foot(xy, home, level)
        kept = self._out(self._again(old), level)
        anew, base = [], old
        if not kept and self.before._out(old, level):
            leads = [bool(self._out(Door(s, 0.5, 0.0), level)) for s in range(len(self.public))]
            own = (self.owner == home) & (home != "") & ~(level & self.steps) & leads
            base = self._nearest(xy, (self.public & ~self.added & ~(level & self.steps)) | own, first=own)
            anew = self._out(base, level)
        reach = base.metres if base else np.inf
        new = [self._nearest(xy, self.added & (self.street == s)) for s in np.unique(self.street[self.added])]
        near = [d for d in new if d and d.metres < reach - TOLERANCE_M and not (level and self.steps[d.segment])]
        return Ways(kept, anew, near, old.metres if old else np.inf)

    def _again(self, old: Door | None) -> Door | None:
        """Find a foot of before on the same street now."""
        if old is None or self.before is None:
            return None
        a, b = self.before.at[old.segment].reshape(2, 2)
        found = self._nearest(a + old.at * (b - a), self.street == self.before.street[old.segment], blind=True)
        return found._replace(metres=old.metres) if found and found.metres < 1e-3 else None

    def _by_gate(self, home: str, level: bool) -> tuple[Xy, list[Ways]]:
        """Open gates of a home, and their ways; all ways of a gate that the plan opens are added."""
        own, then = self._of("gates", "home", home), self.before and self.before._of("gates", "home", home)
        own, then = (g if g is None or g.empty else g[g["state"].map(text_of).isin(["open", ""])] for g in (own, then))
        xy = shapely.get_coordinates(own.geometry) if len(own) else np.zeros((0, 2))
        found = [self._ways(g, "", level) for g in xy]
        new = np.zeros(len(own), bool) if then is None else ~np.isin(own.index, then.index)
        return xy, [Ways([], [], w.kept + w.added, 0.0) if n else w for w, n in zip(found, new, strict=True)]

    def _doors(self, home: str, steps: bool) -> list[list[Door]]:
        """Ways out of every point of a home, for somebody who can walk stairs or not."""
        gates, feet = self.by_gate(home, not steps)
        inside = _inside(self.homes.geometry[home], self.points[home], gates)
        straight = [
            Ways([], [], [], 0.0) if self.walled(home) else self._ways(p, home, not steps) for p in self.points[home]
        ]
        return [_together([(w, 0.0), *zip(feet, legs, strict=True)]) for w, legs in zip(straight, inside, strict=True)]

    def facilities(self, kinds: list[str], inside: bool = False) -> pd.DataFrame:
        """Facilities of the kinds that serve: open, or planned and due where asked for; all, or those that touch the outline."""
        every = self.rows["facilities"]
        state, due = every["state"].map(text_of), every["since"].notna() if "since" in every else False
        serves = state.isin(["open", ""]) | ((state == "planned") & due & self.planned)
        every = every[every["kind"].isin(kinds) & serves]
        outline = shapely.union_all(list(self.rows["district"].geometry))
        return every[shapely.intersects(outline, every.geometry.to_numpy())] if inside else every

    def _begin(self, key: str, shape: shapely.Geometry, steps: bool = True) -> tuple[list[Door], Xy, str | None]:
        """Where a facility begins: doors, ends of straight lines, and the compound whose residents need no street."""
        own, at = self._of("entrances", "facility", key), shapely.get_coordinates(shapely.point_on_surface(shape))
        if len(own):
            at = shapely.get_coordinates(own.geometry)
        elif shape.area:
            count = min(max(int(np.ceil(shape.length / EDGE_M)), 4), MOST_DOORS)
            at = shapely.get_coordinates(shape.boundary.interpolate(np.arange(count) / count, normalized=True))
        ways = [self._ways(p, "", not steps) for p in at]
        limit = BY_STREET_M if shape.area and not len(own) else np.inf
        far = np.array([w.first for w in ways])
        by = far <= max(limit, far.min())
        lost = not any(w.kept for w, b in zip(ways, by, strict=True) if b) and np.isfinite(far).any()
        if lost:
            far = np.array([min((d.metres for d in w.kept + w.anew), default=np.inf) for w in ways])
            by = far <= max(limit, far.min())
            ways = [w._replace(anew=w.kept + w.anew, kept=[]) for w in ways]
        room = [g.buffer(WALL_M if shape.area else 0, join_style="mitre") for g in self.homes.geometry]
        around = self.homes.index[shapely.covers(np.array(room), shape) & (self.homes.geometry.area > 0)]
        home = min(around, key=lambda h: (not self.walled(h), h), default=None)
        home = None if len(own) or far.min() <= WALL_M else home
        walled = home is not None and self.walled(home)
        gates, feet = self.by_gate(str(home), not steps)
        legs = _inside(self.homes.geometry[home], at, gates) if home is not None else np.zeros((len(at), 0))
        doors = []
        for w, near, row in zip(ways, by, legs, strict=True):
            w = w._replace(added=[d for d in w.added if d.metres <= (WALL_M if walled else max(limit, far.min()))])
            w = w if not walled and near else w._replace(kept=[], anew=[])
            doors += _together([(w, 0.0), *zip(feet, row, strict=True)] if walled or near else [(w, 0.0)])
        return doors, at if walled else at[by], home

    def _dijkstra(self, doors: list[Door], cost: np.ndarray, usable: np.ndarray, legs: list[float]) -> dict[int, float]:
        """Dijkstra from doors (each with what it costs to be there) over the usable segments; least cost per node."""
        heap = []
        for door, leg in zip(doors, legs, strict=True):
            u, v = self.ends[door.segment]
            whole = cost[door.segment]
            heap += [(leg + _part(door.at, whole), int(u)), (leg + _part(1 - door.at, whole), int(v))]
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

    def walks(
        self, kinds: list[str], who: Walker = METRES, *, inside: bool = False, only: str | None = None
    ) -> dict[str, np.ndarray]:
        """Least seconds (metres, for a plain walker) from every home point to the nearest facility of the kinds."""
        places = self.facilities(kinds, inside).geometry.items()
        there = [self.begin(str(k), g, who.steps) for k, g in places if only in (None, k)]
        usable = self.public & (who.steps | ~self.steps)
        cost = np.where(usable, self.metres / who.speed + who.waits * self.waits, np.inf)
        targets = [door for doors, _, _ in there for door in doors]
        legs = [d.metres / who.speed for d in targets]
        reached = self._dijkstra(targets, cost, usable, legs)
        beside: dict[int, list[tuple[float, float]]] = {}
        for d, leg in zip(targets, legs, strict=True):
            beside.setdefault(d.segment, []).append((d.at, leg))

        def least(door: Door) -> float:
            whole, (u, v) = cost[door.segment], (reached.get(int(n), np.inf) for n in self.ends[door.segment])
            ways = [u + _part(door.at, whole), v + _part(1 - door.at, whole)]
            ways += [leg + _part(abs(at - door.at), whole) for at, leg in beside.get(door.segment, ())]
            return float(min(ways) + door.metres / who.speed)

        ways = {home: self.doors(home, who.steps) for home in self.points}
        out = {home: np.array([min(map(least, w), default=np.inf) for w in ways[home]]) for home in ways}
        for _, at, own in there:
            if own is not None:
                inside = self._stay_inside(own, at).min(1)
                out[own] = np.minimum(out[own], inside / who.speed)
        return out

    def named(self, kinds: list[str]) -> list[str]:
        """Name the nearest facility of every home point, of equally near ones the first by id; "" where there is none."""
        names = sorted(map(str, self.facilities(kinds).index))
        found = [self.walks(kinds, only=name) for name in [*names, ""]]  # the last reaches nobody
        far = np.array([np.concatenate(list(metres.values())) for metres in found])
        first = np.argmax(far <= far.min(0) + TOLERANCE_M, axis=0)
        return [names[k] if np.isfinite(far[k, i]) else "" for i, k in enumerate(first)]

    def _stay_inside(self, home: str, at: Xy) -> np.ndarray:
        """Metres of residents to the spots of a facility in their own compound, by no street."""
        wall, points, then = self.homes.geometry[home], self.points[home], self.before or self
        if self.walled(home):
            return _inside(wall, points, at)
        streets = shapely.union_all(shapely.linestrings(then.at[then.public].reshape(-1, 2, 2)))
        room = wall.buffer(WALL_M, join_style="mitre")
        legs = np.array([[shapely.LineString([p, s]) for s in at] for p in points])
        clear = shapely.covers(room, legs) & ~shapely.crosses(legs, self.barriers) & ~shapely.intersects(legs, streets)
        return np.where(clear, shapely.length(legs), np.inf)

    def straight(self, kinds: list[str]) -> dict[str, np.ndarray]:
        """Straight metres from every home point to the nearest door of the kinds."""
        ends = [self.begin(str(k), g)[1] for k, g in self.facilities(kinds).geometry.items()]
        at = np.vstack([*ends, np.full((1, 2), np.inf)])
        return {home: np.hypot(*(xy[:, None] - at[None]).transpose(2, 0, 1)).min(1) for home, xy in self.points.items()}

    def walker(self, profile: str) -> Walker:
        """Who walks, as the table of profiles has it."""
        row = self.rows["profiles"].loc[profile]
        return Walker(row["speed_m_s"], number_of(row["waits"], 1.0), bool(row["steps"]))

    def served(self, rule: pd.Series, method: str, *, inside: bool = False) -> pd.Series:
        """Share of each home that is served under a rule by a method."""
        timed, kinds = method == "walk_min", str(rule["kinds"]).split(";")
        who = self.walker(rule["profile"]) if timed else METRES
        limit = (rule["minutes"] * 60 if timed else rule["metres"]) + TOLERANCE_M / who.speed
        costs = self.straight(kinds) if method == "buffer" else self.walks(kinds, who, inside=inside)
        return pd.Series({home: float(np.mean(c <= limit)) for home, c in costs.items()})

    def presence(self, kinds: list[str]) -> pd.Series:
        """How many open facilities of the kinds each community has: by the code typed on them, else by where they lie."""
        count = pd.Series(0, index=self.communities.index)
        for row in self.facilities(kinds).itertuples():
            code, spot = text_of(getattr(row, "community", None)), shapely.point_on_surface(row.geometry)
            count[[code] if code in count.index else [area.covers(spot) for area in self.communities.geometry]] += 1
        return count

    def headline(self, rule: pd.Series) -> float:
        """Share by the rule's own method over the known people (or elderly, or land); of communities for a rule of presence."""
        kinds = str(rule["kinds"]).split(";")
        if not self.known & set(kinds):
            return np.nan
        if rule["metric"] == "presence":
            return float((self.presence(kinds) > 0).mean())
        weight = self.homes.assign(area_m2=self.homes.geometry.area)[rule["denominator"]].astype(float)
        return float((self.served(rule, rule["method"]) * weight).sum() / weight.sum())


def _part(part: float, whole: float) -> float:
    """Cost of part of a segment; one that is closed can be stood on but not walked."""
    return part * whole if part else 0.0


def _together(parts: list[tuple[Ways, float]]) -> list[Door]:
    """Doors behind legs that are walked before them; what was attached anew counts where nothing else is kept."""
    there = [(w, leg) for w, leg in parts if np.isfinite(leg)]
    kept = any(w.kept for w, _ in there)
    return [d._replace(metres=d.metres + g) for w, g in there for d in w.kept + w.added + ([] if kept else w.anew)]


def _spread(shape: shapely.Geometry) -> Xy:
    """Points of a home: the centres of a grid over its box that lie in it."""
    one, wanted = (
        shapely.get_coordinates(shapely.point_on_surface(shape)),
        min(round(shape.area / GRID_M**2), MOST_POINTS),
    )
    if wanted <= 1:
        return one
    x0, y0, x1, y1 = shape.bounds
    nx, ny = (max(1, round(long / (shape.area / wanted) ** 0.5)) for long in (x1 - x0, y1 - y0))
    x, y = np.meshgrid(x0 + (np.arange(nx) + 0.5) * (x1 - x0) / nx, y0 + (np.arange(ny) + 0.5) * (y1 - y0) / ny)
    at = np.column_stack([x.ravel(), y.ravel()])
    at = at[shapely.covers(shape, shapely.points(at))]
    return at if len(at) else one


def _inside(wall: shapely.Geometry, points: Xy, gates: Xy) -> np.ndarray:
    """Shortest metres from points to gates inside a wall: straight where that stays inside, else around its corners."""
    every = np.vstack([points, gates, shapely.get_coordinates(wall)])
    far = np.hypot(*(every[:, None] - every[None]).transpose(2, 0, 1))
    if wall.area:
        room = wall.buffer(WALL_M, join_style="mitre")
        pairs = np.stack(np.broadcast_arrays(every[:, None], every[None]), axis=2)
        seen = shapely.covers(room, shapely.linestrings(pairs.reshape(-1, 2, 2)))
        far = np.where(seen.reshape(far.shape), far, np.inf)
        for k in range(len(points), len(every)):
            far = np.minimum(far, far[:, [k]] + far[[k]])
    return far[: len(points), len(points) : len(points) + len(gates)]
