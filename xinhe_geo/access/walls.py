"""Walls and gates: walks inside a compound, and the ways out of it (or into it) by its open gates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import shapely
from scipy.sparse.csgraph import dijkstra

from ..core import Profile
from ..district import District

#: A gate may lie this far off its wall: drawn coordinates are no better.
WALL_TOLERANCE_M = 0.6
#: A wall of more corners is no wall that somebody has drawn: each is looked at from each other, which takes the cube of their number.
MOST_CORNERS = 2_000
#: So many compounds with their gates are remembered.
WALKS_KEPT = 4_096
#: How a way to the street is described: the number of its spot, the door, metres to the gate, and how it came about.
WAY_COLUMNS = {
    "spot": np.int64,
    "edge": np.int32,
    "at_m": np.float64,
    "access_m": np.float64,
    "gate_metres": np.float64,
    "gate": np.object_,
    "anew": np.bool_,
}


class _GateFeet(NamedTuple):
    """The doors of open gates on the street: the gate of each (a number), where it is, and how it came about."""

    ids: np.ndarray  # by gate
    places: np.ndarray  # by gate
    gate: np.ndarray
    edge: np.ndarray
    at: np.ndarray
    access: np.ndarray
    anew: np.ndarray
    added: np.ndarray
    at_home: dict[object, np.ndarray]  # which doors each home has


def barriers_of(district: District) -> gpd.GeoSeries | None:
    """Return the lines nobody walks across, None where there are none."""
    barriers = district.layers.get("barriers")
    return None if barriers is None or barriers.empty else barriers.geometry


def without_stairs(district: District, walker: Profile | None) -> Profile | None:
    """Return a walker who takes no stairs, where any street has some: such a walker is given doors of their own; else None."""
    if walker is None or walker.steps:
        return None
    states = [own.layers.get("streets") for own in (district, district.ground) if own is not None]
    return walker if any(streets is not None and bool(streets["steps"].any()) for streets in states) else None


def ways_by_gates(
    district: District, homes: np.ndarray, spots: np.ndarray, level: Profile | None = None
) -> dict[str, np.ndarray]:
    """
    Return the ways from spots in homes to the street by each open gate: the walk inside, then the leg of the gate.

    Parameters
    ----------
    homes
        The home that each spot is in, missing where in none.
    spots
        Points in the CRS of the district.
    level
        A walker who takes no stairs, where there are some.

    Returns
    -------
    ways
        Columns: `spot` (position), `edge`, `at_m`, `access_m`, `gate_metres` (metres inside), `gate` (its id), `anew` (the spot had lost all its
        ways). A spot without a way has no row.
    """
    feet, shapes = _gate_feet(district, level), district.layers.get("homes")
    if feet is None or shapes is None:
        return {name: np.empty(0, kind) for name, kind in WAY_COLUMNS.items()}
    at_home, rooms = feet.at_home, dict(zip(shapes.index.tolist(), shapes.geometry.to_numpy(), strict=True))
    parts = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))]  # spots, rows of feet, metres inside
    for home, here in rows_of_each(homes).items():
        if home not in at_home or home not in rooms:
            continue
        own = at_home[home]
        number, column = np.unique(feet.gate[own], return_inverse=True)
        inside = walk_inside(rooms[home], spots[here], feet.places[number])[:, column]
        parts.append((np.repeat(here, len(own)), np.tile(own, len(here)), inside.ravel()))
    spot, foot, inside = (np.concatenate(column) for column in zip(*parts, strict=True))
    there = (feet.edge[foot] >= 0) & np.isfinite(inside + feet.access[foot])
    kept = np.zeros(len(spots), np.bool_)  # who has kept another way needs none that was attached anew
    kept[spot[there & ~(feet.anew | feet.added)[foot]]] = True
    there &= ~(feet.anew[foot] & kept[spot])
    spot, foot, inside = spot[there], foot[there], inside[there]
    columns = feet.edge[foot], feet.at[foot], inside + feet.access[foot], inside, feet.ids[feet.gate[foot]]
    return dict(zip(WAY_COLUMNS, (spot, *columns, feet.anew[foot]), strict=True))


def rows_of_each(labels: np.ndarray) -> dict[object, np.ndarray]:
    """Return at which places each label stands, in the order in which they come."""
    found: dict[object, list[int]] = {}
    for row, label in enumerate(labels.tolist()):
        found.setdefault(label, []).append(row)
    return {label: np.array(rows) for label, rows in found.items()}


def _open_gates(district: District) -> gpd.GeoDataFrame | None:
    if "open gates" not in district.memo:
        gates = district.gates
        open_now = None if gates is None else gates[(gates["state"].fillna("open") == "open").to_numpy()]
        district.memo["open gates"] = open_now
    found: gpd.GeoDataFrame | None = district.memo["open gates"]
    return found


def _gate_feet(district: District, level: Profile | None) -> _GateFeet | None:
    """Return the doors of open gates on the street, found once; None where no gates are known."""
    key = "gate_feet", level is not None
    if key not in district.memo:
        same = district.kin(("gates", "streets", "barriers"))
        district.memo[key] = _find_gate_feet(district, level) if same is None else _gate_feet(same, level)
    found: _GateFeet | None = district.memo[key]
    return found


def _find_gate_feet(district: District, level: Profile | None) -> _GateFeet | None:
    gates = _open_gates(district)
    if gates is None:
        return None
    places = gates.geometry.reset_index(drop=True)
    feet = district.network.stand(places, barriers=barriers_of(district), profile=level)
    names = ("place", "edge", "at_m", "access_m", "anew", "added")
    gate, edge, at, access, anew, added = (feet[name].to_numpy() for name in names)
    if district.ground is not None:
        were = _open_gates(district.ground)
        added = added | ~gates.index.isin(() if were is None else were.index)[gate]
    at_home = rows_of_each(gates["home"].to_numpy(object)[gate])
    ids = gates.index.to_numpy(object)
    return _GateFeet(ids, places.to_numpy(), gate, edge, at, access, anew, added, at_home)


def changed_walls(district: District, origin: District, level: Profile | None) -> set[object]:
    """Return the homes of either district that are not entered as in the other: by another outline, wall, gate or door of one."""
    here, there = _walls(district, level), _walls(origin, level)
    return {home for home in here.keys() | there.keys() if here.get(home) != there.get(home)}


def _walls(district: District, level: Profile | None) -> dict[object, tuple[object, ...]]:
    """Return of each home its outline, whether it is walled, and the doors of its gates."""
    homes, feet = district.layers.get("homes"), _gate_feet(district, level)
    if homes is None:
        return {}
    at_home: Mapping[object, np.ndarray] = {} if feet is None else feet.at_home
    doors: list[tuple[object, ...]] = []
    if feet is not None:
        own = feet.ids[feet.gate], feet.places[feet.gate], feet.edge, feet.at, feet.access, feet.anew, feet.added
        doors = list(zip(*(column.tolist() for column in own), strict=True))
    shapes = zip(homes.index.tolist(), homes.geometry.to_numpy(), strict=True)
    return {
        home: (shape, home in district.walled_homes, [doors[row] for row in at_home.get(home, ())])
        for home, shape in shapes
    }


def walk_inside(
    area: shapely.Geometry,
    points: Sequence[shapely.Geometry] | np.ndarray,
    gates: Sequence[shapely.Geometry] | np.ndarray,
) -> np.ndarray:
    """
    Return metres from each of the points to each of the gates without leaving `area`, shape (points, gates).

    Straight where the line stays inside; else around the corners of the wall (shortest path over mutually visible corners,
    which is the shortest path in a polygon). `inf` where the wall has no way through. A wall of more corners than anybody
    draws (`MOST_CORNERS`) is not gone around: who lives there walks straight.
    """
    return _walk_inside(area, *(shapely.get_coordinates(places).tobytes() for places in (points, gates))).copy()


@lru_cache(maxsize=WALKS_KEPT)
def _walk_inside(area: shapely.Geometry, points: bytes, gates: bytes) -> np.ndarray:
    """Find what `walk_inside` returns, once: a plan leaves most walls, and who lives within them, as they were."""
    starts, ends = (shapely.points(np.frombuffer(places).reshape(-1, 2)) for places in (points, gates))
    if _has_no_inside(area):
        return np.asarray(shapely.distance(starts[:, None], ends[None, :]), dtype=float)
    room = shapely.buffer(area, WALL_TOLERANCE_M, join_style="mitre")
    shapely.prepare(room)
    straight = shapely.linestrings(pairs_of_coordinates(starts, ends))
    metres = shapely.length(straight)
    hidden = ~shapely.covers(room, straight)
    if hidden.any():
        metres = np.where(hidden, _around_corners(area, room, starts, ends), metres)
    return np.asarray(metres, dtype=float)


def roomy(shapes: np.ndarray) -> np.ndarray:
    """Return areas a little larger than drawn, by which a gate may lie off its wall; those of too many corners as they are."""
    few = shapely.get_num_coordinates(shapes) <= MOST_CORNERS
    found = shapes.copy()
    found[few] = shapely.buffer(shapes[few], WALL_TOLERANCE_M, join_style="mitre")
    return found


def _has_no_inside(area: shapely.Geometry) -> bool:
    """Whether one walks straight: there is no area, or too many corners to look from each to each."""
    return bool(area.area == 0 or shapely.get_num_coordinates(area) > MOST_CORNERS)


def pairs_of_coordinates(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the ends of lines from each of some points to each of others, shape (a, b, 2, 2)."""
    pairs = np.empty((len(a), len(b), 2, 2))
    pairs[:, :, 0, :] = shapely.get_coordinates(a)[:, None, :]
    pairs[:, :, 1, :] = shapely.get_coordinates(b)[None, :, :]
    return pairs


def _around_corners(
    area: shapely.Geometry, room: shapely.Geometry, points: np.ndarray, gates: np.ndarray
) -> np.ndarray:
    cost = _costs_inside(room, _nodes_inside(area, points, gates))
    metres = dijkstra(cost, directed=False, indices=np.arange(len(points)))
    return np.asarray(metres[:, len(points) : len(points) + len(gates)])


def _nodes_inside(area: shapely.Geometry, points: np.ndarray, gates: np.ndarray) -> np.ndarray:
    """Return points, gates and the corners of an area, between which one walks in it."""
    corners = shapely.points(np.unique(shapely.get_coordinates(area), axis=0))
    return np.concatenate([points, gates, corners])


def _costs_inside(room: shapely.Geometry, nodes: np.ndarray) -> np.ndarray:
    """Return metres between all that see each other; 0: they do not."""
    lines = shapely.linestrings(pairs_of_coordinates(nodes, nodes))
    return np.where(shapely.covers(room, lines), shapely.length(lines), 0.0)


def way_inside(area: shapely.Geometry, point: shapely.Point, gate: shapely.Point) -> shapely.LineString:
    """Return the way that `walk_inside` measures between two points of an area that it finds one between."""
    straight = shapely.LineString([point, gate])
    if _has_no_inside(area):
        return straight
    room = shapely.buffer(area, WALL_TOLERANCE_M, join_style="mitre")
    if shapely.covers(room, straight):
        return straight
    shapely.prepare(room)
    nodes = _nodes_inside(area, np.array([point]), np.array([gate]))
    before = dijkstra(_costs_inside(room, nodes), directed=False, indices=[0], return_predecessors=True)[1][0]
    way = [1]
    while way[-1] != 0:
        way.append(int(before[way[-1]]))
    return shapely.LineString(nodes[way[::-1]])
