"""Walls and gates: walks inside a compound, and the ways out of it (or into it) by its open gates."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import geopandas as gpd
import numpy as np
import pandas as pd
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
WAY_COLUMNS = ("spot", "edge", "at_m", "access_m", "gate_metres", "gate", "anew", "added")


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
) -> pd.DataFrame:
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
        Columns `spot` (position), `edge`, `at_m`, `access_m`, `gate_metres` (metres inside), `gate` (its id), `anew` (the spot had lost all its
        ways), `added` (by a gate or to a street that a plan adds). A spot without a way has no row.
    """
    gates, shapes = _open_gates(district), district.layers.get("homes")
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []  # spots, rows of feet, metres inside
    if gates is not None and shapes is not None:
        feet = _gate_feet(district, gates, level)
        at_home, at_spot = rows_of_each(feet["home"].to_numpy(object)), rows_of_each(homes)
        gate, places = feet["gate"].to_numpy(), gates.geometry.to_numpy()
        rooms = dict(zip(shapes.index, shapes.geometry.to_numpy(), strict=True))
        for home, here in at_spot.items():
            if home not in at_home or home not in rooms:
                continue
            own = at_home[home]
            number, column = np.unique(gate[own], return_inverse=True)
            inside = walk_inside(rooms[home], spots[here], places[number])[:, column]
            parts.append((np.repeat(here, len(own)), np.tile(own, len(here)), inside.ravel()))
    if not parts or gates is None:
        return pd.DataFrame({name: [] for name in WAY_COLUMNS})
    spot, foot, inside = (np.concatenate(column) for column in zip(*parts, strict=True))
    ways = feet[["edge", "at_m", "anew", "added"]].take(foot).assign(spot=spot, gate_metres=inside)
    ways["gate"] = np.asarray(gates.index, dtype=object)[gate[foot]]
    ways["access_m"] = inside + feet["access_m"].to_numpy()[foot]
    ways = ways[((ways["edge"] >= 0) & np.isfinite(ways["access_m"].to_numpy(dtype=float))).to_numpy()]
    whose = ways["spot"]  # who has kept another way needs none that was attached anew
    kept = whose[~(ways["anew"] | ways["added"]).to_numpy(dtype=bool)]
    return ways[~(ways["anew"].to_numpy(dtype=bool) & whose.isin(kept).to_numpy())].reset_index(drop=True)


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


def _gate_feet(district: District, gates: gpd.GeoDataFrame, level: Profile | None) -> pd.DataFrame:
    """Return the doors of open gates on the street: `gate` (position), `home`, the door, and how it came about."""
    key = "gate_feet", level is not None
    same = None if key in district.memo else district.kin(("gates", "streets", "barriers"))
    if same is not None:
        district.memo[key] = _gate_feet(same, gates, level)
    if key not in district.memo:
        places = gates.geometry.reset_index(drop=True)
        feet = district.network.stand(places, barriers=barriers_of(district), profile=level)
        feet = feet.rename(columns={"place": "gate"}).assign(home=gates["home"].to_numpy()[feet["place"]])
        if district.ground is not None:
            were = _open_gates(district.ground)
            new = ~gates.index.isin(() if were is None else were.index)
            feet["added"] |= new[feet["gate"]]
        district.memo[key] = feet
    found: pd.DataFrame = district.memo[key]
    return found


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
