"""A second engine, written from docs/how-a-number-is-made.md and the data dictionary, with no import from the library.

Slow and plain on purpose: one Dijkstra per question. `read` opens a folder, `Streets` says how places stand on edges, `World` answers.
"""

from __future__ import annotations

import tomllib
from collections import Counter, defaultdict
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import geopandas as gpd
import networkx as nx
import numpy as np
import pandas as pd
import shapely

TOLERANCE_M, GRID_M, MOST_POINTS, EDGE_M, MOST_DOORS, BY_STREET_M, WALL_M = 1e-6, 50.0, 64, 20.0, 200, 30.0, 0.6
TABLES = {"kinds": "pois/kinds.csv", "rules": "standards/rules.csv", "profiles": "standards/profiles.csv"}
BLANK = {"since": -np.inf, "until": np.inf, "state": "open", "home": "", "community": "", "serves_community": ""}
BLANK |= {"facility": "", "wait_s": 0.0, "waits": 1.0, "steps": False}
YEARLY = ("homes", "gates", "facilities", "streets", "extra_links")
METRES = pd.Series({"speed_m_s": 1.0, "waits": 0.0, "steps": True})  # a walker whose seconds are metres


class Door(NamedTuple):
    """Where a walk meets the streets: an edge, how far along it (0 to 1), metres before it, how it stands after a plan."""

    edge: int
    at: float
    metres: float
    how: str = "kept"  # it was there before the plan; or "anew", for want of those; or on a street that is "added"


def read(folder: Path, bundled: Path) -> tuple[dict[str, pd.DataFrame], int, int, list[str]]:
    """Open a folder in its metric CRS, with the bundled tables where it has none: what `World` takes."""
    manifest, rows = tomllib.loads((folder / "district.toml").read_text(encoding="utf-8")), {}
    for name, entry in manifest["layers"].items():
        if entry["file"].endswith(".geojson"):
            raw = gpd.read_file(folder / entry["file"]).set_crs(entry["crs"], allow_override=True)
            rows[name] = raw.set_index(raw.columns[0]).to_crs(manifest["crs"])
    for name, file in TABLES.items():
        path = folder / file if (folder / file).exists() else bundled / file
        rows[name] = pd.read_csv(path, encoding="utf-8-sig", index_col=0)
    return rows, manifest["data_year"], manifest["community_list_year"], manifest["surveyed_kinds"]


def standing(rows: pd.DataFrame, year: int | None) -> pd.DataFrame:
    """Say what blank cells and columns that are not there mean; of a layer with years, the rows that stand in this one."""
    rows = rows.assign(**{c: rows.get(c, np.nan) for c in BLANK}).astype(dict.fromkeys(BLANK, object)).fillna(BLANK)
    return rows if year is None else rows[(rows["since"] <= year) & (rows["until"] >= year)]


def cut(rows: pd.DataFrame) -> pd.DataFrame:
    """Cut streets at the vertices where other than two pieces meet (within 1 mm they are one): one row per edge."""
    lines = [(row, shapely.get_coordinates(row.geometry)) for row in rows.explode().itertuples()]
    nodes = [[(round(x * 1000), round(y * 1000)) for x, y in xy] for _, xy in lines]
    meet = Counter(node for line in nodes for piece in pairwise(line) for node in piece)
    edges = []
    for (row, xy), line in zip(lines, nodes, strict=True):
        ends = [k for k, node in enumerate(line) if k in (0, len(line) - 1) or meet[node] != 2]
        pace = row.wait_s / row.geometry.length  # a wait is spread evenly over the line
        for a, b in pairwise(ends):
            edges.append((row.Index, row.home, row.steps, pace, line[a], line[b], shapely.LineString(xy[a : b + 1])))
    return pd.DataFrame(edges, columns=["street", "home", "steps", "pace", "first", "last", "line"])


class Streets:
    """Edges, and where places stand on them, for whoever walks `stairs` or not; `before`: the same before a plan."""

    def __init__(self, edges: pd.DataFrame, barriers: shapely.Geometry, stairs: bool, before: Streets | None):
        self.street, self.home, steps, self.pace, self.first, self.last, self.line = edges.to_numpy().T
        self.barriers, self.before, self.free = barriers, before, stairs | ~steps.astype(bool)
        self.public, self.metres = self.home == "", shapely.length(self.line)
        self.added = self.public & ~np.isin(self.street, before.street[before.public] if before else self.street)

    def node(self, edge: int, at: float) -> tuple:
        """Name a place on an edge in the graph."""
        return {0.0: self.first[edge], 1.0: self.last[edge]}.get(at, (edge, at))

    def search(self, usable: np.ndarray, doors: list[Door], who=METRES, stops=()) -> tuple[nx.MultiGraph, dict]:
        """Dijkstra from doors over the usable edges, cut at the doors and stops: the graph, and the seconds to its nodes."""
        graph, on = nx.MultiGraph(), defaultdict(lambda: {0.0, 1.0})
        for door in [*doors, *stops]:
            on[door.edge].add(door.at)
        for e in np.flatnonzero(usable & self.free):
            cost = self.metres[e] * (1 / who["speed_m_s"] + who["waits"] * self.pace[e])
            for a, b in pairwise(sorted(on[e])):
                graph.add_edge(self.node(e, a), self.node(e, b), weight=(b - a) * cost, metres=(b - a) * self.metres[e])
        graph.add_node("outside")
        for door in doors:
            graph.add_edge("outside", self.node(*door[:2]), weight=door.metres / who["speed_m_s"], metres=0.0)
        return graph, nx.single_source_dijkstra_path_length(graph, "outside")

    def nearest(self, spot: shapely.Point, usable: np.ndarray, blind: bool = False) -> Door | None:
        """Attach straight to the nearest usable edge (of equals a lane, then the first); no leg crosses a barrier."""
        far = np.where(usable & self.free, shapely.distance(self.line, spot), np.inf)
        for e in np.argsort(far - TOLERANCE_M * ~self.public, kind="stable")[: np.isfinite(far).sum()]:
            if blind or not shapely.shortest_line(self.line[e], spot).crosses(self.barriers):
                return Door(int(e), shapely.line_locate_point(self.line[e], spot, normalized=True), far[e])
        return None

    def out(self, foot: Door | None) -> list[Door]:
        """From a foot to the public streets: itself, or along the lanes of its home to every mouth."""
        if foot is None or self.public[foot.edge]:
            return [foot] if foot else []
        metres = self.search(self.home == self.home[foot.edge], [foot])[1]
        ends = ((int(e), at) for e in np.flatnonzero(self.public) for at in (0.0, 1.0))
        return [Door(*end, metres[self.node(*end)]) for end in ends if self.node(*end) in metres]

    def ways(self, spot: shapely.Point, home: str = "") -> tuple[list[Door], float]:
        """Doors of a place, and its leg before a plan: doors it had then and has still, else anew, and on nearer new streets."""
        then = self.before or self
        foot = then.nearest(spot, np.isin(then.home, ["", home]))
        leg = foot.metres if foot else np.inf
        if then is self:
            return self.out(foot), leg
        there = foot and then.line[foot.edge].interpolate(foot.at, normalized=True)
        now = foot and self.nearest(there, self.street == then.street[foot.edge], blind=True)
        doors = self.out(now._replace(metres=leg) if now and now.metres < 1e-3 else None)
        if not doors and then.out(foot):
            leads = [owner == home != "" and bool(self.out(Door(e, 0.5, 0.0))) for e, owner in enumerate(self.home)]
            foot = self.nearest(spot, self.public & ~self.added | leads)
            doors = [door._replace(how="anew") for door in self.out(foot)]
        new = [self.nearest(spot, self.added & (self.street == s)) for s in np.unique(self.street[self.added])]
        reach = foot.metres - TOLERANCE_M if foot else np.inf
        return doors + [door._replace(how="added") for door in new if door and door.metres < reach], leg


class World:
    """One district in one year. `rows`: per layer its rows by key, in metres; `planned`: these count; `before`: without the plan."""

    def __init__(self, rows, year: int, list_year: int, surveyed=(), planned=False, before: World | None = None):
        years = dict.fromkeys(YEARLY, year) | {"communities": list_year}
        there = {name: standing(frame, years.get(name)) for name, frame in rows.items() if frame is not None}
        self.rows = defaultdict(lambda: there["streets"][:0], there)
        self.homes, self.planned, self.before = self.rows["homes"], planned, before
        self.points = {str(home): _spread(shape) for home, shape in self.homes.geometry.items()}
        self.known = {*surveyed, *self.rows["facilities"]["kind"]}
        edges, walls = cut(pd.concat([self.rows[name] for name in YEARLY[3:]])), self.rows["barriers"].union_all()
        self.streets = {s: Streets(edges, walls, s, before and before.streets[s]) for s in (True, False)}
        self.doors, self.begin, self.gates = (lru_cache(None)(f) for f in (self._doors, self._begin, self._gates))

    def walled(self, home: str) -> bool:
        """Whether a home is left by its gates only: they were known before the plan, or came with the home."""
        then = self.before if self.before and home in self.before.homes.index else self
        return all(home in set(world.rows["gates"]["home"]) for world in (self, then))

    def _gates(self, home: str, steps: bool) -> tuple[np.ndarray, list[list[Door]]]:
        """Open gates of a home, and their doors; those of a gate that the plan opens are added: it is attached by itself."""
        every = [world.rows["gates"] for world in (self, self.before or self)]
        now, then = (gates[(gates["home"] == home) & (gates["state"] == "open")] for gates in every)
        doors = {key: self.streets[steps].ways(gate)[0] for key, gate in now.geometry.items()}
        new = {key: [door._replace(how="added") for door in doors[key]] for key in now.index.difference(then.index)}
        return now.geometry.to_numpy(), list((doors | new).values())

    def _doors(self, home: str, steps: bool) -> list[list[Door]]:
        """Ways out of every point of a home, for somebody who can walk stairs or not."""
        points, (gates, out) = self.points[home], self.gates(home, steps)
        straight = [[] if self.walled(home) else self.streets[steps].ways(spot, home)[0] for spot in points]
        legs = _inside(self.homes.geometry[home], points, gates)
        return [_together(own, out, row) for own, row in zip(straight, legs, strict=True)]

    def facilities(self, kinds: list[str], inside: bool = False) -> pd.DataFrame:
        """Facilities of the kinds that serve: open, or planned and due where asked for; all, or those that touch the outline."""
        every = self.rows["facilities"]
        due = (every["state"] == "planned") & (every["since"] > -np.inf) & self.planned
        every = every[every["kind"].isin(kinds) & ((every["state"] == "open") | due)]
        return every[every.intersects(self.rows["district"].union_all())] if inside else every

    def _begin(self, key: str, steps: bool = True) -> tuple[list[Door], np.ndarray, str | None]:
        """Where a facility begins: doors, ends of straight lines, and the compound whose residents need no street."""
        shape, streets, edge = self.rows["facilities"].geometry[key], self.streets[steps], np.inf
        drawn = self.rows["entrances"].query("facility == @key").geometry.to_numpy()
        spots = drawn if len(drawn) else np.array([shapely.point_on_surface(shape)])
        if not len(drawn) and shape.area:
            count, edge = min(max(int(np.ceil(shape.length / EDGE_M)), 4), MOST_DOORS), BY_STREET_M
            spots = shape.boundary.interpolate(np.arange(count) / count, normalized=True)
        ways, far = map(list, zip(*map(streets.ways, spots), strict=True))
        kept, new = ([[d for d in w if (d.how == "added") == added] for w in ways] for added in (False, True))
        if any(d.how == "kept" for own, leg in zip(kept, far, strict=True) if leg <= max(edge, min(far)) for d in own):
            kept = [[door for door in w if door.how == "kept"] for w in kept]
        else:  # it lost them all: what lies by a street is judged by where it is attached anew
            far = [min((door.metres for door in w), default=np.inf) for w in kept]
        by = np.array(far) <= (limit := max(edge, min(far)))
        room = self.homes.buffer(WALL_M if shape.area else 0, join_style="mitre")
        around = room.index[room.covers(shape) & (self.homes.area > 0) & (not len(drawn) and min(far) > WALL_M)]
        home = min(around, key=lambda home: (not self.walled(home), home), default=None)
        walled, (gates, out) = home is not None and self.walled(home), self.gates(str(home), steps)
        legs, doors = _inside(self.homes.geometry.get(home, shapely.Point()), spots, gates), []
        for own, added, near, row in zip(kept, new, by, legs, strict=True):
            here = [door for door in added if door.metres <= (WALL_M if walled else limit)]
            here += own if near and not walled else []
            doors += _together(here, out, row if near or walled else row + np.inf)
        return doors, spots if walled else spots[by], home

    def walks(self, kinds: list[str], who: pd.Series = METRES, inside: bool = False, only: str | None = None) -> dict:
        """Least seconds (metres, for a plain walker) from every home point to the nearest facility of the kinds."""
        there = [self.begin(k, who["steps"]) for k in self.facilities(kinds, inside).index if only in (None, k)]
        out, streets = {home: self.doors(home, who["steps"]) for home in self.points}, self.streets[who["steps"]]
        stops = {door for home in out.values() for own in home for door in own}
        far = streets.search(streets.public, [door for doors, _, _ in there for door in doors], who, stops)[1]
        least = {d: far.get(streets.node(*d[:2]), np.inf) + d.metres / who["speed_m_s"] for d in stops}
        found = {home: np.array([min(map(least.get, own), default=np.inf) for own in out[home]]) for home in out}
        for spots, home in [place[1:] for place in there if place[2]]:
            found[home] = np.minimum(found[home], self._stay_inside(home, spots).min(1) / who["speed_m_s"])
        return found

    def reached(self, kinds: list[str], who: pd.Series, limit: float) -> float:
        """Metres of street that are reached from facilities of the kinds within seconds (metres, for a plain walker)."""
        there, streets = self.facilities(kinds).index, self.streets[who["steps"]]
        graph, far = streets.search(streets.public, [d for k in there for d in self.begin(k, who["steps"])[0]], who)
        left = {node: max(0.0, limit - far.get(node, np.inf)) for node in graph}
        pieces = [(p["metres"], p["weight"], left[u] + left[v]) for u, v, p in graph.edges(data=True) if p["metres"]]
        return sum(metres * min(1.0, reach / cost) for metres, cost, reach in pieces)

    def named(self, kinds: list[str]) -> list[str]:
        """Name the nearest facility of every home point, of equally near ones the first by id; "" where there is none."""
        names = sorted(self.facilities(kinds).index)
        far = np.array([np.concatenate(list(self.walks(kinds, only=name).values())) for name in [*names, "nobody"]])
        first = np.argmax(far <= far.min(0) + TOLERANCE_M, axis=0)
        return [names[k] if np.isfinite(far[k, i]) else "" for i, k in enumerate(first)]

    def _stay_inside(self, home: str, spots: np.ndarray) -> np.ndarray:
        """Metres of residents to the spots of a facility in their own compound, by no street."""
        wall, points, then = self.homes.geometry[home], self.points[home], (self.before or self).streets[True]
        if self.walled(home):
            return _inside(wall, points, spots)
        legs, room = shapely.shortest_line(points[:, None], spots), wall.buffer(WALL_M, join_style="mitre")
        met = shapely.intersects(legs, shapely.union_all(then.line[then.public])) | shapely.crosses(legs, then.barriers)
        return np.where(shapely.covers(room, legs) & ~met, shapely.length(legs), np.inf)

    def straight(self, kinds: list[str]) -> dict[str, np.ndarray]:
        """Straight metres from every home point to the nearest door of the kinds."""
        ends = np.concatenate([np.array([]), *(self.begin(key, True)[1] for key in self.facilities(kinds).index)])
        return {h: shapely.distance(points[:, None], ends).min(1, initial=np.inf) for h, points in self.points.items()}

    def served(self, rule: pd.Series, method: str, inside: bool = False) -> pd.Series:
        """Share of each home that is served under a rule by a method."""
        timed, kinds = method == "walk_min", str(rule["kinds"]).split(";")
        who = self.rows["profiles"].loc[rule["profile"]] if timed else METRES
        limit = (rule["minutes"] * 60 if timed else rule["metres"]) + TOLERANCE_M / who["speed_m_s"]
        costs = self.straight(kinds) if method == "buffer" else self.walks(kinds, who, inside)
        return pd.Series({home: float(np.mean(c <= limit)) for home, c in costs.items()})

    def presence(self, kinds: list[str]) -> pd.Series:
        """How many open facilities of the kinds each community has: those it serves by the books, else typed, else around it."""
        areas = self.rows["communities"].geometry
        count = pd.Series(0, index=areas.index)
        for row in self.facilities(kinds).itertuples():
            books = {code.strip() for code in row.serves_community.split(";")} & set(areas.index)
            around = areas.covers(shapely.point_on_surface(row.geometry))
            count[sorted(books) or ([row.community] if row.community in areas.index else around)] += 1
        return count

    def headline(self, rule: pd.Series) -> float:
        """Share by the rule's own method over the known people (or elderly, or land); of communities for a rule of presence."""
        kinds = str(rule["kinds"]).split(";")
        if not self.known & set(kinds):
            return np.nan
        if rule["metric"] == "presence":
            return float((self.presence(kinds) > 0).mean())
        weight = self.homes.assign(area_m2=self.homes.area)[rule["denominator"]].astype(float)
        return float((self.served(rule, rule["method"]) * weight).sum() / weight.sum())


def _together(own: list[Door], gates: list[list[Door]], legs: np.ndarray) -> list[Door]:
    """Own doors, and those of gates behind the legs to them; what was attached anew counts where nothing else is kept."""
    there = [(out, leg) for out, leg in zip(gates, legs, strict=True) if np.isfinite(leg)]
    doors = own + [door._replace(metres=door.metres + leg) for out, leg in there for door in out]
    kept = any(door.how == "kept" for door in doors)
    return [door for door in doors if not kept or door.how != "anew"]


def _spread(shape: shapely.Geometry) -> np.ndarray:
    """Points of a home: the centres of a grid over its box that lie in it."""
    one, wanted = np.array([shapely.point_on_surface(shape)]), min(round(shape.area / GRID_M**2), MOST_POINTS)
    if wanted <= 1:
        return one
    low, high = np.reshape(shape.bounds, (2, 2))
    nx, ny = (max(1, round(long / (shape.area / wanted) ** 0.5)) for long in high - low)
    cells = np.indices((ny, nx))[::-1].reshape(2, -1).T
    grid = shapely.points(low + (cells + 0.5) * (high - low) / (nx, ny))
    return grid[inside] if (inside := shapely.covers(shape, grid)).any() else one


def _inside(wall: shapely.Geometry, points: np.ndarray, gates: np.ndarray) -> np.ndarray:
    """Shortest metres from points to gates inside a wall: straight where that stays inside, else around its corners."""
    every = np.concatenate([points, gates, shapely.points(shapely.get_coordinates(wall))])
    far = shapely.distance(every[:, None], every)
    if wall.area:
        far[~shapely.covers(wall.buffer(WALL_M, join_style="mitre"), shapely.shortest_line(every[:, None], every))] = (
            np.inf
        )
        for k in range(len(points), len(every)):
            far = np.minimum(far, far[:, [k]] + far[[k]])
    return far[: len(points), len(points) : len(points) + len(gates)]
