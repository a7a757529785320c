"""A second engine, written from docs/how-a-number-is-made.md and the data dictionary, with no import from the library.

Slow and plain on purpose: every vertex of every street is a node, one Dijkstra per question.
`files.read` opens a folder, `World` answers: points, doors, walks, straight lines, shares, headlines, presence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd
import shapely

from oracle.files import alive, number_of, text_of
from oracle.streets import TOLERANCE_M, Door, Streets, Ways, Xy, part_of

GRID_M, MOST_POINTS, EDGE_M, MOST_DOORS, BY_STREET_M, WALL_M = 50.0, 64, 20.0, 200, 30.0, 0.6
YEARLY = ("homes", "gates", "facilities", "streets", "extra_links")

Rows = Mapping[str, pd.DataFrame]


class Walker(NamedTuple):
    """Metres a second, how much of a wait counts, whether stairs can be walked; as it stands, it measures metres."""

    speed: float = 1.0
    waits: float = 0.0
    steps: bool = True


METRES = Walker()


class World(Streets):
    """One district in one year. `rows`: per layer its rows by key, in metres; `planned`: these count; `before`: without the plan."""

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
        self.cut(r for n in ("streets", "extra_links") if n in self.rows for r in self.rows[n].itertuples())

    def _of(self, layer: str, column: str, key: str) -> pd.DataFrame:
        rows = self.rows.get(layer)
        return pd.DataFrame() if rows is None else rows[rows[column] == key]

    def walled(self, home: str) -> bool:
        """Whether a home is left by its gates only: they were known before the plan, or came with the home."""
        then = self if self.before is None or home not in self.before.homes.index else self.before
        return min(len(world._of("gates", "home", home)) for world in (self, then)) > 0

    def _by_gate(self, home: str, level: bool) -> tuple[Xy, list[Ways]]:
        """Open gates of a home, and their ways; all ways of a gate that the plan opens are added: it is attached by itself."""
        own, then = self._of("gates", "home", home), self.before and self.before._of("gates", "home", home)
        own, then = (g if g is None or g.empty else g[g["state"].map(text_of).isin(["open", ""])] for g in (own, then))
        xy = shapely.get_coordinates(own.geometry) if len(own) else np.zeros((0, 2))
        found = [self.ways_of(g, "", level) for g in xy]
        new = np.zeros(len(own), bool) if then is None else ~np.isin(own.index, then.index)
        return xy, [Ways([], [], w.kept + w.anew + w.added, 0.0) if n else w for w, n in zip(found, new, strict=True)]

    def _doors(self, home: str, steps: bool) -> list[list[Door]]:
        """Ways out of every point of a home, for somebody who can walk stairs or not."""
        gates, feet = self.by_gate(home, not steps)
        inside = _inside(self.homes.geometry[home], self.points[home], gates)
        straight = [
            Ways([], [], [], 0.0) if self.walled(home) else self.ways_of(p, home, not steps) for p in self.points[home]
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
        ways = [self.ways_of(p, "", not steps) for p in at]
        limit = BY_STREET_M if shape.area and not len(own) else np.inf
        far = np.array([w.first for w in ways])
        by = far <= max(limit, far.min())
        lost = not any(w.kept for w, b in zip(ways, by, strict=True) if b) and np.isfinite(far).any()
        if lost:
            far = np.array([min((d.metres for d in w.kept + w.anew), default=np.inf) for w in ways])
            by = far <= max(limit, far.min())
        ways = [w._replace(anew=w.kept + w.anew, kept=[]) if lost else w._replace(anew=[]) for w in ways]
        room = [g.buffer(WALL_M if shape.area else 0, join_style="mitre") for g in self.homes.geometry]
        around = self.homes.index[shapely.covers(np.array(room), shape) & (self.homes.geometry.area > 0)]
        home = min(around, key=lambda h: (not self.walled(h), h), default=None)
        home = None if len(own) or far.min() <= WALL_M else home
        walled = home is not None and self.walled(home)
        gates, feet = self.by_gate(str(home), not steps)
        legs = _inside(self.homes.geometry[home], at, gates) if home is not None else np.zeros((len(at), 0))
        doors = []
        for w, near, row in zip(ways, by, legs, strict=True):
            new = [d for d in w.added if d.metres <= (WALL_M if walled else max(limit, far.min()))]
            own = w._replace(added=new) if near and not walled else Ways([], [], new, 0.0)
            doors += _together([(own, 0.0), *zip(feet, row, strict=True)] if walled or near else [(own, 0.0)])
        return doors, at if walled else at[by], home

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
        reached = self.dijkstra(targets, cost, usable, legs)
        beside: dict[int, list[tuple[float, float]]] = {}
        for d, leg in zip(targets, legs, strict=True):
            beside.setdefault(d.segment, []).append((d.at, leg))

        def least(door: Door) -> float:
            whole, (u, v) = cost[door.segment], (reached.get(int(n), np.inf) for n in self.ends[door.segment])
            ways = [u + part_of(door.at, whole), v + part_of(1 - door.at, whole)]
            ways += [leg + part_of(abs(at - door.at), whole) for at, leg in beside.get(door.segment, ())]
            return float(min(ways) + door.metres / who.speed)

        ways = {home: self.doors(home, who.steps) for home in self.points}
        out = {home: np.array([min(map(least, w), default=np.inf) for w in ways[home]]) for home in ways}
        for _, at, own in there:
            if own is not None:
                inside = self._stay_inside(own, at).min(1)
                out[own] = np.minimum(out[own], inside / who.speed)
        return out

    def reached(self, kinds: list[str], who: Walker, limit: float) -> float:
        """Metres of street that are reached from facilities of the kinds within seconds (metres, for a plain walker)."""
        doors = [
            door for k, g in self.facilities(kinds).geometry.items() for door in self.begin(str(k), g, who.steps)[0]
        ]
        usable = self.public & (who.steps | ~self.steps)
        cost = np.where(usable, self.metres / who.speed + who.waits * self.waits, np.inf)
        found = self.dijkstra(doors, cost, usable, [d.metres / who.speed for d in doors])
        total = 0.0
        for s in np.flatnonzero(usable & (self.metres > 0)):
            left = [(limit - found.get(int(n), np.inf)) / cost[s] for n in self.ends[s]]
            own = [(d.at, (limit - d.metres / who.speed) / cost[s]) for d in doors if d.segment == s]
            parts = [shapely.box(at - r, 0, at + r, 1) for at, r in [(0.0, left[0]), (1.0, left[1]), *own] if r > 0]
            total += shapely.union_all(parts).intersection(shapely.box(0, 0, 1, 1)).area * self.metres[s]
        return total

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
        """How many open facilities of the kinds each community has: those it serves by the books, else typed, else around it."""
        count = pd.Series(0, index=self.communities.index)
        for row in self.facilities(kinds).itertuples():
            books = {c.strip() for c in text_of(getattr(row, "serves_community", None)).split(";")} & set(count.index)
            code, spot = text_of(getattr(row, "community", None)), shapely.point_on_surface(row.geometry)
            around = [area.covers(spot) for area in self.communities.geometry]
            count[sorted(books) or ([code] if code in count.index else around)] += 1
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
