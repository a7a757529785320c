"""A second engine, written from docs/how-a-number-is-made.md and the data dictionary, with no import from the library.

Slow and plain on purpose: every vertex of every street is a node, one Dijkstra per question.
`read` opens a folder, `World` answers: points, doors, walks, straight lines, shares, headlines, presence.
"""

from __future__ import annotations

import heapq
import tomllib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

GRID_M, MOST_POINTS, EDGE_M, MOST_DOORS, BY_STREET_M, TOLERANCE_M, WALL_M = 50.0, 64, 20.0, 200, 30.0, 1e-6, 0.6
TABLES = {"kinds": "pois/kinds.csv", "rules": "standards/rules.csv", "profiles": "standards/profiles.csv"}
YEARLY = ("homes", "gates", "facilities", "streets", "extra_links")

Rows = Mapping[str, pd.DataFrame]
Xy = np.ndarray  # shape (n, 2)


class Door(NamedTuple):
    """Where a walk meets the public streets: a segment, how far along it (0 to 1), metres before it."""

    segment: int
    at: float
    metres: float


class Walker(NamedTuple):
    """Metres a second, how much of a wait counts, whether stairs can be walked; as it stands, it measures metres."""

    speed: float = 1.0
    waits: float = 0.0
    steps: bool = True


METRES = Walker()


def read(folder: Path, bundled: Path) -> dict[str, Any]:
    """Open a folder in its metric CRS, with the bundled tables where it has none: what `World` takes."""
    manifest = tomllib.loads((folder / "district.toml").read_text(encoding="utf-8"))
    rows: dict[str, pd.DataFrame] = {}
    for name, entry in manifest["layers"].items():
        if entry["file"].endswith(".geojson"):
            raw = gpd.read_file(folder / entry["file"]).set_crs(entry["crs"], allow_override=True)
            rows[name] = raw.set_index(raw.columns[0]).to_crs(manifest["crs"])
    for name, file in TABLES.items():
        path = folder / file if (folder / file).exists() else bundled / file
        rows[name] = pd.read_csv(path, encoding="utf-8-sig", index_col=0)
    taken = {"year": "data_year", "list_year": "community_list_year", "surveyed": "surveyed_kinds"}
    return {"rows": rows} | {ours: manifest[theirs] for ours, theirs in taken.items()}


class World:
    """One district in one year. `rows`: per layer its rows by key, in metres; planned facilities count where asked for."""

    def __init__(self, rows: Rows, year: int, *, list_year: int, surveyed: Iterable[str] = (), planned: bool = False):
        self.rows = {k: _alive(rows[k], year) if k in YEARLY else rows[k] for k in rows if rows[k] is not None}
        self.communities = _alive(rows["communities"], list_year)
        self.homes, self.planned = self.rows["homes"], planned
        self.points = {str(home): _spread(shape) for home, shape in self.homes.geometry.items()}
        self.known = {*surveyed, *self.rows["facilities"]["kind"]}
        self.barriers = shapely.union_all(list(rows["barriers"].geometry) if "barriers" in rows else [])
        self.doors, self.begin = lru_cache(None)(self._doors), lru_cache(None)(self._begin)
        self._cut()

    def _cut(self) -> None:
        """Cut every street at its vertices; vertices within 1 mm are one node; a wait is spread over its edge."""
        numbers: dict[tuple[int, int], int] = {}
        cut: list[tuple[int, int, float, float, str, bool, int]] = []
        at: list[np.ndarray] = []
        for row in (r for n in ("streets", "extra_links") if n in self.rows for r in self.rows[n].itertuples()):
            home, wait = _text(getattr(row, "home", None)), _number(getattr(row, "wait_s", None), 0.0)
            steps = bool(_number(getattr(row, "steps", None), 0.0))
            for street, line in enumerate(shapely.get_parts(row.geometry), len(cut)):
                xy = shapely.get_coordinates(line)
                long = np.hypot(*np.diff(xy, axis=0).T)
                nodes = [numbers.setdefault((round(x * 1000), round(y * 1000)), len(numbers)) for x, y in xy]
                cut += [(*uv, m, wait, home, steps, street) for uv, m in zip(pairwise(nodes), long, strict=True)]
                at += list(np.hstack([xy[:-1], xy[1:]]))
        first, last, self.metres, self.waits, self.owner, self.steps, street = map(np.array, zip(*cut, strict=True))
        self.ends, self.at, self.public = np.column_stack([first, last]), np.array(at), self.owner == ""
        junction = np.bincount(self.ends.ravel()) != 2
        self.near: list[list[tuple[int, int]]] = [[] for _ in junction]
        for s, (u, v) in enumerate(self.ends.tolist()):
            self.near[u].append((s, v))
            self.near[v].append((s, u))
        self.edge = np.unique(street * len(cut) * 2 + np.cumsum(junction[first]), return_inverse=True)[1]
        self.waits *= self.metres / np.bincount(self.edge, self.metres)[self.edge]

    def _nearest(self, xy: Xy, usable: np.ndarray, first: np.ndarray | bool = False) -> Door | None:
        """Attach straight to the nearest usable edge (of equals, one of the first); a barrier across that leg rules it out."""
        which = np.flatnonzero(usable)
        a, b = self.at[which, :2], self.at[which, 2:]
        along = np.clip(((xy - a) * (b - a)).sum(1) / np.maximum(((b - a) ** 2).sum(1), 1e-18), 0, 1)
        foot = a + along[:, None] * (b - a)
        far = np.hypot(*(foot - xy).T)
        blocked: set[int] = set()
        for k in np.argsort(far - TOLERANCE_M * (first & usable)[which], kind="stable"):
            if self.edge[which[k]] not in blocked:
                if not shapely.LineString([xy, foot[k]]).crosses(self.barriers):
                    return Door(int(which[k]), float(along[k]), float(far[k]))
                blocked.add(self.edge[which[k]])
        return None

    def _of(self, layer: str, column: str, key: str) -> pd.DataFrame:
        rows = self.rows.get(layer)
        return pd.DataFrame() if rows is None else rows[rows[column] == key]

    def gates(self, home: str) -> Xy | None:
        """Open gates of a home; None where no gate of it is known."""
        own = self._of("gates", "home", home)
        return shapely.get_coordinates(own[own["state"].map(_text).isin(["open", ""])].geometry) if len(own) else None

    def _doors(self, home: str, steps: bool) -> list[list[Door]]:
        """Ways out of every point of a home, for somebody who can walk stairs or not."""
        gates, points = self.gates(home), self.points[home]
        if gates is None:
            level = ~self.steps if not steps and (self.steps & ~self.public).any() else np.full(len(self.steps), True)
            return [self._by_lane(p, self.public & level, (self.owner == home) & level) for p in points]
        streets = [self._nearest(g, self.public) for g in gates]
        return [_after(streets, row) for row in _inside(self.homes.geometry[home], points, gates)]

    def _by_lane(self, point: Xy, public: np.ndarray, own: np.ndarray) -> list[Door]:
        """No gate known: straight to the nearest public street or lane of the home, and along its lanes to every mouth."""
        door = self._nearest(point, public | own, first=own)
        if door is None or public[door.segment]:
            return [door] if door else []
        metres = self._dijkstra([door], self.metres, own, [door.metres])
        mouths = {int(n): int(s) for s in np.flatnonzero(public) for n in self.ends[s] if int(n) in metres}
        return [Door(s, float(self.ends[s][1] == n), metres[n]) for n, s in mouths.items()]

    def facilities(self, kinds: list[str], inside: bool = False) -> pd.DataFrame:
        """Facilities of the kinds that serve: open, or planned and due where asked for; all, or those that touch the outline."""
        every = self.rows["facilities"]
        state, due = every["state"].map(_text), every["since"].notna() if "since" in every else False
        serves = state.isin(["open", ""]) | ((state == "planned") & due & self.planned)
        every = every[every["kind"].isin(kinds) & serves]
        outline = shapely.union_all(list(self.rows["district"].geometry))
        return every[shapely.intersects(outline, every.geometry.to_numpy())] if inside else every

    def _begin(self, key: str, shape: shapely.Geometry) -> tuple[list[Door], Xy, str | None]:
        """Where a facility begins: doors, ends of straight lines, and the compound whose residents need no street."""
        spot = shapely.get_coordinates(shapely.point_on_surface(shape))
        own = self._of("entrances", "facility", key)
        around = self.homes.index[self.homes.geometry.area.gt(0) & self.homes.geometry.covers(shapely.Point(spot))]
        home = None if len(own) or shape.area else min(around, default=None)
        at, legs = spot, np.zeros(1)
        if len(own):
            at = shapely.get_coordinates(own.geometry)
        elif home is not None and (gates := self.gates(home)) is not None:
            at, legs = gates, _inside(self.homes.geometry[home], spot, gates)[0]
        elif shape.area:
            ring, count = shape.boundary, min(max(int(np.ceil(shape.length / EDGE_M)), 4), MOST_DOORS)
            at = shapely.get_coordinates(
                shapely.line_interpolate_point(ring, np.arange(count) / count, normalized=True)
            )
            far = np.array([d.metres if (d := self._nearest(p, self.public)) else np.inf for p in at])
            at = at[far <= max(BY_STREET_M, far.min())]
        doors = _after([self._nearest(p, self.public) for p in at], np.broadcast_to(legs, len(at)))
        return doors, at if home is None else spot, home

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
        there = [self.begin(str(k), g) for k, g in places if only in (None, k)]
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
        for _, spot, own in there:
            if own is not None:
                out[own] = np.minimum(out[own], self._stay_inside(own, spot) / who.speed)
        return out

    def named(self, kinds: list[str]) -> list[str]:
        """Name the nearest facility of every home point, of equally near ones the first by id; "" where there is none."""
        names = sorted(map(str, self.facilities(kinds).index))
        found = [self.walks(kinds, only=name) for name in [*names, ""]]  # the last reaches nobody
        far = np.array([np.concatenate(list(metres.values())) for metres in found])
        first = np.argmax(far <= far.min(0) + TOLERANCE_M, axis=0)
        return [names[k] if np.isfinite(far[k, i]) else "" for i, k in enumerate(first)]

    def _stay_inside(self, home: str, spot: Xy) -> np.ndarray:
        """Metres of residents to a facility in their own compound, by no street."""
        wall, points = self.homes.geometry[home], self.points[home]
        if self.gates(home) is not None:
            return _inside(wall, points, spot)[:, 0]
        streets = shapely.union_all(shapely.linestrings(self.at[self.public].reshape(-1, 2, 2)))
        if streets.distance(shapely.Point(spot)) <= WALL_M:
            return np.full(len(points), np.inf)
        room, legs = wall.buffer(WALL_M, join_style="mitre"), [shapely.LineString([p, spot[0]]) for p in points]
        clear = [room.covers(g) and not (g.crosses(self.barriers) or g.intersects(streets)) for g in legs]
        return np.where(clear, shapely.length(legs), np.inf)

    def straight(self, kinds: list[str]) -> dict[str, np.ndarray]:
        """Straight metres from every home point to the nearest door of the kinds."""
        ends = [self.begin(str(k), g)[1] for k, g in self.facilities(kinds).geometry.items()]
        at = np.vstack([*ends, np.full((1, 2), np.inf)])
        return {home: np.hypot(*(xy[:, None] - at[None]).transpose(2, 0, 1)).min(1) for home, xy in self.points.items()}

    def walker(self, profile: str) -> Walker:
        """Who walks, as the table of profiles has it."""
        row = self.rows["profiles"].loc[profile]
        return Walker(row["speed_m_s"], _number(row["waits"], 1.0), bool(row["steps"]))

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
            books = {c.strip() for c in _text(getattr(row, "serves_community", None)).split(";")} & set(count.index)
            code, spot = _text(getattr(row, "community", None)), shapely.point_on_surface(row.geometry)
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


def _part(part: float, whole: float) -> float:
    """Cost of part of a segment; one that is closed can be stood on but not walked."""
    return part * whole if part else 0.0


def _after(doors: list[Door | None], legs: np.ndarray) -> list[Door]:
    """Doors behind legs that are walked before them."""
    return [d._replace(metres=d.metres + leg) for d, leg in zip(doors, legs, strict=True) if d and np.isfinite(leg)]


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


def _alive(frame: pd.DataFrame, year: int) -> pd.DataFrame:
    blank = [None] * len(frame)
    since, until = (np.array([_number(y) for y in frame.get(c, blank)]) for c in ("since", "until"))
    return frame[~(since > year) & ~(until < year)]


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(value: float | None, blank: float = np.nan) -> float:
    return blank if value is None or pd.isna(value) else float(value)
