"""
The way a walk takes, read back from the costs that a search left at the nodes.

A search keeps costs and no ways: from a node the way goes on along an arc by which the costs agree, so that the ways of all nodes
to their nearest door are one tree, found at once.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import breadth_first_order

from ..core import TOLERANCE_M, NetworkError, Profile, say
from .arrays import Floats, Ints, Lanes
from .footing import ADDED
from .lanes import lanes_of
from .nearest import search_state
from .nearest_edges import Barriers
from .points import same_points
from .snap import standing
from .streets import Streets

#: What a walk consists of, in walking order; waits lie between streets.
LEGS = ("inside", "access", "street", "wait", "entrance")


class Leg(NamedTuple):
    """A part of a walk: what it is (`LEGS`), the street, metres, minutes (missing without a profile), its course."""

    leg: str
    street: str
    metres: float
    minutes: float
    geometry: shapely.Geometry


class Piece(NamedTuple):
    """A part of an edge in walking direction: metres along it where one begins and ends."""

    edge: int
    from_m: float
    to_m: float


class Way(NamedTuple):
    """
    A walk from a door to another: its cost and metres (the access of both counts), the target's row, what is walked first.

    `node`: where it leaves the edge of its beginning (after 0 m perhaps), to go on as `WayTree.pieces` says; -1 where it ends there.
    """

    cost: float
    metres: float
    door: int
    first: Piece
    node: int


class WayOut(NamedTuple):
    """A door on a public edge, the number of the point it is of, metres walked before it and the legs of that."""

    point: int
    edge: int
    at: float
    access: float
    legs: tuple[Leg, ...]


def straight(leg: str, ends: Iterable[Iterable[float]], profile: Profile | None) -> tuple[Leg, ...]:
    """Return a leg along some points, none where they are one."""
    line = shapely.linestrings(np.asarray([tuple(end) for end in ends], dtype=np.float64))
    return (walked(leg, "", float(line.length), profile, line),) if line.length > 0 else ()


def walked(leg: str, street: str, metres: float, profile: Profile | None, course: shapely.Geometry) -> Leg:
    """Return a leg that is walked at a profile's speed."""
    return Leg(leg, street, metres, np.nan if profile is None else metres / profile.speed_m_s / 60.0, course)


def frame_of(legs: Iterable[Leg], streets: Streets) -> gpd.GeoDataFrame:
    """Return legs as a frame in walking order."""
    rows = list(legs)
    columns = {name: [getattr(row, name) for row in rows] for name in Leg._fields[:-1]}
    types = {"leg": "str", "street": "str", "metres": "float64", "minutes": "float64"}
    table = pd.DataFrame(columns).astype(types)
    table["street"] = table["street"].where(table["street"] != "")
    return gpd.GeoDataFrame(table, geometry=[row.geometry for row in rows], crs=streets.crs)


def course_of(streets: Streets, piece: Piece) -> shapely.LineString:
    """Return the line of a piece in walking direction."""
    here = slice(streets.off[piece.edge], streets.off[piece.edge + 1])
    xy, cum = streets.xy[here], streets.cum[here]
    low, high = sorted(piece[1:])
    between = xy[(cum > low) & (cum < high)]
    ends = np.column_stack([np.interp([low, high], cum, xy[:, axis]) for axis in (0, 1)])
    line = np.vstack([ends[:1], between, ends[1:]])
    return shapely.linestrings(line if piece.from_m <= piece.to_m else line[::-1])


def street_legs(streets: Streets, pieces: Iterable[Piece], profile: Profile | None) -> Iterator[Leg]:
    """Return the legs of a walk along edges: what follows on one street is one leg; its wait, if any, comes before it."""
    moving = (piece for piece in pieces if piece.from_m != piece.to_m)
    for street, run in groupby(moving, key=lambda piece: str(streets.table["street"].iloc[streets.row[piece.edge]])):
        own = list(run)
        courses, wait = [course_of(streets, piece) for piece in own], sum(waited(streets, p, profile) for p in own)
        if wait > 0:  # one waits, then crosses
            yield Leg("wait", street, 0.0, wait, shapely.points(shapely.get_coordinates(courses[0])[0]))
        line = shapely.remove_repeated_points(shapely.linestrings(shapely.get_coordinates(courses)))
        yield walked("street", street, sum(abs(p.to_m - p.from_m) for p in own), profile, line)


def waited(streets: Streets, piece: Piece, profile: Profile | None) -> float:
    """Return the minutes that somebody waits on a piece; a wait is spread evenly over its edge."""
    length = float(streets.length[piece.edge])
    if profile is None or length <= 0:
        return 0.0
    return float(streets.wait[piece.edge]) * profile.waits / 60.0 * abs(piece.to_m - piece.from_m) / length


# --- along public streets --------------------------------------------------------------------------------------------


class WayTree:
    """The least ways from everywhere to the nearest of some doors."""

    def __init__(self, streets: Streets, targets: pd.DataFrame, profile: Profile | None) -> None:
        """Search from doors (a frame with `place`, `edge`, `at_m`, `access_m`) and find how every node gets to its nearest one."""
        state = search_state(streets, targets, profile)
        found = state.costs()
        self.streets, self.profile = streets, profile
        self.weights, self.doors = state.weights, state.doors
        self.cost, self.label = found.cost, found.label
        self.metres: Floats = found.metres if self.weights.waits else found.cost / self.weights.unit
        self.last, self.begin = self._last()
        self.arc = self._arcs()
        there = np.where(self.arc >= 0, self.weights.arcs.adj[self.arc], np.arange(len(self.cost)))
        while not np.array_equal(further := there[there], there):  # each round goes twice as far
            there = further
        self.end = self.last[there]
        self._street = streets.table["street"].to_numpy(object)
        self._on: dict[int, list[int]] = {}
        for door in np.flatnonzero(self.doors.edge >= 0).tolist():
            self._on.setdefault(int(self.doors.edge[door]), []).append(door)

    def _price(self, edge: int, part: float) -> float:
        """Return what a part of an edge costs; nothing is nothing, on a closed edge too."""
        return float(self.weights.edges.rate[edge]) * part if part > 0 else 0.0

    def _last(self) -> tuple[Ints, Floats]:
        """Return, per node, the door on an edge of its own that its way ends at, or -1, and from where along that edge it is walked to."""
        edges, unit, same = self.weights.edges, self.weights.unit, self.weights.same
        last, begin, best = np.full(len(self.cost), -1), np.zeros(len(self.cost)), np.full(len(self.cost), np.inf)
        for door in np.flatnonzero(self.doors.edge >= 0).tolist():
            edge, at, access = int(self.doors.edge[door]), float(self.doors.at[door]), float(self.doors.access[door])
            length = float(edges.metres[edge])
            for node, end in ((int(edges.u[edge]), 0.0), (int(edges.v[edge]), length)):
                part = abs(at - end)
                tight = access * unit + self._price(edge, part) <= self.cost[node] + same
                tight = tight and access + part <= self.metres[node] + 2 * TOLERANCE_M
                if tight and self.label[node] == self.doors.place[door] and access + part < best[node]:
                    last[node], begin[node], best[node] = door, end, access + part
        return last, begin

    def _arcs(self) -> Ints:
        """Return, per node, the arc that its way goes on along; -1 where it ends there, or where there is none."""
        arcs, cost, metres, label = self.weights.arcs, self.cost, self.metres, self.label
        count = len(cost)
        tail = np.repeat(np.arange(count), np.diff(arcs.indptr))
        tight = np.isfinite(arcs.cost) & np.isfinite(cost[tail]) & (self.last[tail] < 0)
        tight &= (cost[arcs.adj] + arcs.cost <= cost[tail] + self.weights.same) & (label[arcs.adj] == label[tail])
        tight &= metres[arcs.adj] + arcs.metres <= metres[tail] + 2 * TOLERANCE_M
        on, ends = np.flatnonzero(tight), np.flatnonzero(self.last >= 0)
        start, stop = np.r_[np.full(len(ends), count), arcs.adj[on]], np.r_[ends, tail[on]]
        links = csr_matrix((np.ones(len(start)), (start, stop)), shape=(count + 1, count + 1))
        before = breadth_first_order(links, count, directed=True, return_predecessors=True)[1]
        onward = np.full(count, -1)
        chosen = on[before[tail[on]] == arcs.adj[on]][::-1]  # of parallel edges that cost the same the first
        onward[tail[chosen]] = chosen
        return onward

    def way(self, edge: int, at: float, access: float) -> Way | None:
        """Return the least way from a door, of several that cost the same the one with the fewest metres; None: there is none."""
        if edge < 0:
            return None
        edges, unit = self.weights.edges, self.weights.unit
        ends = (int(edges.u[edge]), 0.0), (int(edges.v[edge]), float(edges.metres[edge]))
        found: list[tuple[float, float, int, int, Piece]] = []
        for door in self._on.get(edge, ()):
            there, rest = float(self.doors.at[door]), float(self.doors.access[door])
            price, part = self._price(edge, abs(at - there)) + rest * unit, abs(at - there)
            found.append((price, part + rest, int(self.doors.place[door]), door, Piece(edge, at, there)))
        for node, end in ends:
            price, part = self._price(edge, abs(at - end)) + float(self.cost[node]), abs(at - end)
            found.append((price, part + float(self.metres[node]), int(self.label[node]), ~node, Piece(edge, at, end)))
        least = min(found)[0]
        if not np.isfinite(least):
            return None
        # as in the search: of ways that cost the same the first place counts, then the fewest metres
        tied = [one for one in found if one[0] <= least + self.weights.same]
        price, part, _, door, first = min(tied, key=lambda one: (self._rank(one[2]), one[1]))
        node = max(~door, -1)
        return Way(access * unit + price, access + part, int(self.end[node]) if door < 0 else door, first, node)

    def _rank(self, place: int) -> int:
        return place if place >= 0 else len(self.doors.place)

    def next_of(self, node: int) -> tuple[int, Piece]:
        """Return the node after a node on its way (-1 where it ends at a door), and what is walked to get there."""
        edges, arcs = self.weights.edges, self.weights.arcs
        door = int(self.last[node])
        if door >= 0:
            return -1, Piece(int(self.doors.edge[door]), float(self.begin[node]), float(self.doors.at[door]))
        arc = int(self.arc[node])
        edge, there = int(arcs.edge[arc]), int(arcs.adj[arc])
        length = float(edges.metres[edge])
        return there, Piece(edge, 0.0, length) if edges.v[edge] == there else Piece(edge, length, 0.0)

    def pieces(self, way: Way) -> Iterator[Piece]:
        """Return what is walked of edges, from its beginning on."""
        yield way.first
        node = way.node
        while node >= 0:
            node, piece = self.next_of(node)
            yield piece

    def spot(self, edge: int, at: float) -> shapely.Point:
        """Return where something on an edge is."""
        return shapely.points(shapely.get_coordinates(course_of(self.streets, Piece(edge, at, at)))[0])

    def told(self, piece: Piece) -> tuple[str, float, float]:
        """Return the street of a piece, its metres, and the minutes somebody waits on it."""
        return (
            str(self._street[self.streets.row[piece.edge]]),
            abs(piece.to_m - piece.from_m),
            waited(self.streets, piece, self.profile),
        )

    def legs(self, way: Way) -> list[Leg]:
        """Return the legs of a way between its two doors."""
        return list(street_legs(self.streets, self.pieces(way), self.profile))


# --- out of a home ---------------------------------------------------------------------------------------------------


def ways_out(
    streets: Streets,
    points: gpd.GeoSeries,
    *,
    barriers: Barriers | None = None,
    home: pd.Series | None = None,
    profile: Profile | None = None,
) -> list[WayOut]:
    """Return what `attach` finds, and how each door is walked to: straight, and along the home's own lanes."""
    attached = standing(streets, points, barriers=barriers, home=home, profile=profile)
    here = shapely.get_coordinates(points.to_crs(streets.crs).to_numpy())
    feet, (row, doors, metres) = attached.feet, attached.ways
    level, names = profile is not None and not profile.steps, streets.home_names[streets.row]
    found = []
    for k, point in enumerate(row.tolist()):
        edge, at = int(feet.edge[point]), float(feet.at[point])
        door = int(doors.edge[k]), float(doors.at[k])
        if door[0] < 0:
            continue
        if (edge, at) == door or attached.how[k] == ADDED:  # straight to the street
            legs = straight("access", (here[point], doors.xy[k]), profile)
        else:
            mouth = int(streets.u[door[0]] if door[1] == 0.0 else streets.v[door[0]])
            pieces = _along_lanes(streets, lanes_of(streets, str(names[edge]), level=level), (edge, at), mouth)
            along = street_legs(streets, pieces, profile)
            legs = (
                *straight("inside", (here[point], feet.xy[point]), profile),
                *(leg._replace(leg="inside") for leg in along),
            )
        found.append(WayOut(point, *door, float(attached.legs[k] + metres[k]), legs))
    return found


def _along_lanes(streets: Streets, lanes: Lanes, foot: tuple[int, float], mouth: int) -> list[Piece]:
    """Return the shortest way along lanes from a foot on one of them to a mouth."""
    edge, at = foot
    length = float(streets.length[edge])
    starts = [
        (at, int(streets.u[edge]), Piece(edge, at, 0.0)),
        (length - at, int(streets.v[edge]), Piece(edge, at, length)),
    ]
    queue = [(metres, node, -1, piece) for metres, node, piece in starts]
    came: dict[int, tuple[int, Piece]] = {}
    heapq.heapify(queue)
    while mouth not in came:
        metres, node, before, piece = heapq.heappop(queue)
        if node in came:
            continue
        came[node] = before, piece
        for other, there, more in lanes.arcs.get(node, ()):
            step = Piece(other, 0.0, more) if streets.v[other] == there else Piece(other, more, 0.0)
            heapq.heappush(queue, (metres + more, there, node, step))
    pieces, node = [], mouth
    while node >= 0:
        node, piece = came[node]
        pieces.append(piece)
    return pieces[::-1]


# --- between two places ----------------------------------------------------------------------------------------------


def route(
    streets: Streets,
    origin: gpd.GeoSeries,
    target: gpd.GeoSeries,
    *,
    profile: Profile | None = None,
    home: pd.Series | None = None,
) -> gpd.GeoDataFrame:
    """Return the legs of the least walk between two places: see `WalkNetwork.route`."""
    if len(same_points(streets, origin, target)[0]):
        return frame_of([], streets)
    starts, ends = ways_out(streets, origin, home=home, profile=profile), ways_out(streets, target)
    doors = [(0, end.edge, end.at, end.access) for end in ends]
    tree = WayTree(streets, pd.DataFrame(doors, columns=["place", "edge", "at_m", "access_m"]), profile)
    ways = [(way, start) for start in starts if (way := tree.way(start.edge, start.at, start.access)) is not None]
    if not ways:
        raise NetworkError(say("两处之间没有可走的路：不在同一片路网上，或只有走不了的台阶。检查位置，或换一类人群"))
    way, start = min(ways, key=lambda one: (one[0].cost, one[0].metres))
    last = [
        leg._replace(leg="entrance", geometry=shapely.reverse(leg.geometry), minutes=minutes)
        for leg in ends[way.door].legs
        for minutes in [walked("", "", leg.metres, profile, leg.geometry).minutes]
    ]
    return frame_of([*start.legs, *tree.legs(way), *last], streets)
