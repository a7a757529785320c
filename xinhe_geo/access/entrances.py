"""
Where a walk begins and ends: the points of a home, its gates, the entrances of a facility.

A home is a polygon inside a wall, stood for by evenly spread points; a point walks straight to each
gate (inside the wall), then the street; where no gate is known, straight to the nearest street or lane of its own, and
along that to each of its mouths. Inner lanes carry nobody else. A facility has entrances, or
the gates of the compound it stands in, or the edge of its park, or the nearest street. Who lives around a facility walks to
it without the street. Straight-line, street and time measures all run between these same entrances, so a straight
line is never longer than a walk.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import partial

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from scipy.sparse.csgraph import dijkstra

from ..core import Profile
from ..district import District

#: Spacing of the points that stand for a home, and their greatest number.
POINT_SPACING_M = 50.0
POINTS_AT_MOST = 64
#: Spacing of the entrances along the edge of a place without entrances, and how far its edge may lie from the street.
EDGE_SPACING_M = 20.0
EDGE_ENTRANCES_AT_MOST = 200
EDGE_TO_STREET_M = 30.0
#: A gate may lie this far off its wall: drawn coordinates are no better.
WALL_TOLERANCE_M = 0.6
#: A place this near to a public street stands on it, not in the home around it.
ON_STREET_M = 0.6


# --- homes -----------------------------------------------------------------------------------------------------------


#: What the walk from a home to the street rests on.
WAY_OUT = ("homes", "gates", "streets", "barriers")


def _kept(
    district: District, key: Hashable, make: Callable[[District], pd.DataFrame], reads: Sequence[str] = ()
) -> pd.DataFrame:
    """
    Return a derived table of a district, made once; callers get a shallow copy (pandas copies on write).

    `reads` are the layers it rests on: where these are as in the district that this one was made from, it is made there.
    """
    if key not in district.memo:
        origin = district.kin(reads) if reads else None
        district.memo[key] = make(district) if origin is None else _kept(origin, key, make, reads)
    return district.memo[key].copy(deep=False)


def home_points(district: District) -> gpd.GeoDataFrame:
    """
    Spread the points that stand for each home.

    Returns
    -------
    points
        Index `point` (0..n-1, in the order of the homes); columns `home`, `weight` (share of the home, adds up to 1 per
        home), geometry in the district's CRS. About one point per 50 m x 50 m, at most 64; a point home is itself.
    """
    return _kept(district, "home_points", _home_points, ("homes",))


def _home_points(district: District) -> gpd.GeoDataFrame:
    homes = district.homes
    if homes is None or homes.empty:
        return gpd.GeoDataFrame({"home": [], "weight": []}, geometry=[], crs=district.crs)
    parts = [_spread(shape) for shape in homes.geometry]
    counts = np.array([len(p) for p in parts])
    return gpd.GeoDataFrame(
        {"home": np.repeat(np.asarray(homes.index, dtype=object), counts), "weight": np.repeat(1.0 / counts, counts)},
        geometry=np.concatenate(parts),
        crs=district.crs,
        index=pd.RangeIndex(int(counts.sum()), name="point"),
    )


def _spread(shape: shapely.Geometry) -> np.ndarray:
    """Return points evenly spread in a polygon: the centres of a square grid that fall inside."""
    if shape.area == 0:
        return np.array([shapely.centroid(shape)])
    wanted = min(max(round(shape.area / POINT_SPACING_M**2), 1), POINTS_AT_MOST)
    if wanted == 1:
        return np.array([shapely.point_on_surface(shape)])
    step = float(np.sqrt(shape.area / wanted))
    west, south, east, north = shape.bounds
    nx, ny = max(round((east - west) / step), 1), max(round((north - south) / step), 1)
    x = west + (np.arange(nx) + 0.5) * (east - west) / nx
    y = south + (np.arange(ny) + 0.5) * (north - south) / ny
    grid = shapely.points(*(a.ravel() for a in np.meshgrid(x, y)))
    shapely.prepare(shape)
    inside = grid[shapely.contains(shape, grid)]
    return inside if len(inside) else np.array([shapely.point_on_surface(shape)])


def home_entrances(district: District, walker: Profile | None = None) -> pd.DataFrame:
    """
    Return every way out of every point of `home_points`: one row per point and gate, or mouth of its home's lanes.

    Parameters
    ----------
    walker
        Who walks; counts where a home without known gates has stairs in its lanes and the walker takes none.

    Returns
    -------
    entrances
        Columns `place` (the point), `home`, `edge`, `at_m`, `access_m` (metres before the public street: straight, and along
        the home's own lanes), `gate_metres` (of these, to the gate), `gate_known`. A point without a way out has no row.
    """
    level = walker if walker is not None and not walker.steps and _stairs_in_lanes(district) else None
    key = "home_entrances" if level is None else "home_entrances without stairs"
    return _kept(district, key, lambda own: _home_entrances(own, home_points(own), level), WAY_OUT)


def _stairs_in_lanes(district: District) -> bool:
    streets = district.streets
    return streets is not None and bool((streets["home"].notna() & streets["steps"]).any())


def _home_entrances(district: District, points: gpd.GeoDataFrame, level: Profile | None) -> pd.DataFrame:
    homes, gates = district.homes, district.gates
    if homes is None or points.empty:
        return pd.DataFrame(columns=["place", "home", "edge", "at_m", "access_m", "gate_metres", "gate_known"])
    known: dict[str, gpd.GeoSeries] = {}
    if gates is not None:
        for home, rows in gates.groupby("home"):
            known[str(home)] = rows.geometry[(rows["state"].fillna("open") == "open").to_numpy()]
    gated = points["home"].isin(known.keys())
    parts = [
        _through_gates(district, homes, points[gated], known),
        _without_gates(district, points[~gated], level),
    ]
    entrances = pd.concat([p for p in parts if not p.empty] or parts[:1], ignore_index=True)
    return entrances.sort_values(["place", "access_m"], kind="stable", ignore_index=True)


def _through_gates(
    district: District, homes: gpd.GeoDataFrame, points: gpd.GeoDataFrame, gates: dict[str, gpd.GeoSeries]
) -> pd.DataFrame:
    used = [home for home in points["home"].drop_duplicates() if len(gates[home])]
    if not used:
        return pd.DataFrame(columns=["place", "home", "edge", "at_m", "access_m", "gate_metres", "gate_known"])
    feet = district.network.attach(pd.concat([gates[home] for home in used]), barriers=_barriers(district))
    first = np.cumsum([0, *(len(gates[home]) for home in used)])
    at_home = points.groupby("home", sort=False).indices
    shapes = points.geometry.to_numpy()
    own, gate, inside = [], [], []
    for k, home in enumerate(used):
        rows, foot = at_home[home], np.arange(first[k], first[k + 1])
        inside.append(walk_inside(homes.geometry[home], shapes[rows], gates[home].array).ravel())
        own.append(np.repeat(rows, len(foot)))
        gate.append(np.tile(foot, len(rows)))
    point, foot, metres = np.concatenate(own), np.concatenate(gate), np.concatenate(inside)
    entrances = pd.DataFrame(
        {
            "place": points.index.to_numpy()[point],
            "home": points["home"].to_numpy()[point],
            "edge": feet["edge"].to_numpy()[foot],
            "at_m": feet["at_m"].to_numpy()[foot],
            "access_m": metres + feet["access_m"].to_numpy()[foot],
            "gate_metres": metres,
            "gate_known": True,
        }
    )
    return entrances[(entrances["edge"] >= 0) & np.isfinite(entrances["access_m"])]


def _without_gates(district: District, points: gpd.GeoDataFrame, level: Profile | None) -> pd.DataFrame:
    """
    Points of homes whose gates are not known walk straight to the nearest street they can reach, public or an own lane.

    From a lane they come out at every mouth of it.
    """
    if points.empty:
        return pd.DataFrame(columns=["place", "home", "edge", "at_m", "access_m", "gate_metres", "gate_known"])
    doors = district.network.attach(
        points.geometry,
        barriers=_barriers(district),
        home=pd.Series(points["home"].to_numpy(), index=points.index),
        profile=level,
    )
    entrances = pd.DataFrame(
        {
            "place": doors["place"].to_numpy(),
            "home": points["home"].loc[doors["place"]].to_numpy(),
            "edge": doors["edge"].to_numpy(),
            "at_m": doors["at_m"].to_numpy(),
            "access_m": doors["access_m"].to_numpy(),
            "gate_metres": np.nan,
            "gate_known": False,
        }
    )
    return entrances[entrances["edge"] >= 0]


def _barriers(district: District) -> gpd.GeoSeries | None:
    barriers = district.barriers
    return None if barriers is None or barriers.empty else barriers.geometry


def walk_inside(
    area: shapely.Geometry,
    points: Sequence[shapely.Geometry] | np.ndarray,
    gates: Sequence[shapely.Geometry] | np.ndarray,
) -> np.ndarray:
    """
    Return metres from each of the points to each of the gates without leaving `area`, shape (points, gates).

    Straight where the line stays inside; else around the corners of the wall (shortest path over mutually visible corners,
    which is the shortest path in a polygon). `inf` where the wall has no way through.
    """
    starts, ends = np.asarray(points, dtype=object), np.asarray(gates, dtype=object)
    if area.area == 0:
        return np.asarray(shapely.distance(starts[:, None], ends[None, :]), dtype=float)
    room = shapely.buffer(area, WALL_TOLERANCE_M, join_style="mitre")
    shapely.prepare(room)
    straight = shapely.linestrings(_pairs_of_coordinates(starts, ends))
    metres = shapely.length(straight)
    hidden = ~shapely.covers(room, straight)
    if hidden.any():
        metres = np.where(hidden, _around_corners(area, room, starts, ends), metres)
    return np.asarray(metres, dtype=float)


def _pairs_of_coordinates(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    pairs = np.empty((len(a), len(b), 2, 2))
    pairs[:, :, 0, :] = shapely.get_coordinates(a)[:, None, :]
    pairs[:, :, 1, :] = shapely.get_coordinates(b)[None, :, :]
    return pairs


def _around_corners(
    area: shapely.Geometry, room: shapely.Geometry, points: np.ndarray, gates: np.ndarray
) -> np.ndarray:
    corners = shapely.points(np.unique(shapely.get_coordinates(area), axis=0))
    nodes = np.concatenate([points, gates, corners])
    lines = shapely.linestrings(_pairs_of_coordinates(nodes, nodes))
    cost = np.where(shapely.covers(room, lines), shapely.length(lines), 0.0)
    metres = dijkstra(cost, directed=False, indices=np.arange(len(points)))
    return np.asarray(metres[:, len(points) : len(points) + len(gates)])


# --- facilities ------------------------------------------------------------------------------------------------------


def facility_entrances(district: District, facilities: gpd.GeoDataFrame) -> pd.DataFrame:
    """
    Return every entrance of every facility.

    Returns
    -------
    entrances
        Columns `place` (facility), `edge`, `at_m`, `access_m`, `x`, `y` (the entrance itself, for straight lines), `inside`
        (the home it stands in, whose residents walk to it without the street). `edge` is -1 where no street can be reached.
    """
    drawn = district.entrances
    with_entrance = facilities.index[:0]
    parts = []
    if drawn is not None:
        own = drawn[drawn["facility"].isin(facilities.index)]
        with_entrance = pd.Index(own["facility"].unique())
        parts.append(_street_entrances(district, own.set_index("facility").geometry))
    rest = facilities[~facilities.index.isin(with_entrance)]
    is_point = (rest.geom_type == "Point").to_numpy()
    parts.append(_edge_entrances(district, rest[~is_point]))
    spots = rest[is_point]
    compound = _compound_of(district, spots)
    walled = compound.notna().to_numpy()
    unwalled = _street_entrances(district, spots.geometry[~walled])
    parts.append(unwalled.assign(inside=_ungated_home_of(district, spots[~walled]).array))
    parts.append(_gate_entrances(district, spots.geometry[walled], compound[walled]))
    entrances = pd.concat([p for p in parts if not p.empty] or parts[:1], ignore_index=True)
    return entrances.sort_values(["place", "access_m"], kind="stable", ignore_index=True)


def _street_entrances(district: District, points: gpd.GeoSeries) -> pd.DataFrame:
    feet = district.network.attach(points, barriers=_barriers(district))
    xy = shapely.get_coordinates(np.asarray(points.array))
    return pd.DataFrame(
        {
            "place": np.asarray(points.index),
            "edge": feet["edge"].to_numpy(),
            "at_m": feet["at_m"].to_numpy(),
            "access_m": feet["access_m"].to_numpy(),
            "x": xy[:, 0],
            "y": xy[:, 1],
            "inside": pd.array([np.nan] * len(points), dtype="str"),
        }
    )


def _edge_entrances(district: District, areas: gpd.GeoDataFrame) -> pd.DataFrame:
    """A place drawn as an area without entrances is entered anywhere along its edge that lies by a street."""
    if areas.empty:
        return _street_entrances(district, areas.geometry)
    spots, labels = [], []
    for label, shape in zip(areas.index, areas.geometry, strict=True):
        edge = shapely.boundary(shape)
        n = min(max(int(np.ceil(edge.length / EDGE_SPACING_M)), 4), EDGE_ENTRANCES_AT_MOST)
        spots.append(shapely.line_interpolate_point(shapely.line_merge(edge), np.arange(n) / n, normalized=True))
        labels += [label] * n
    points = gpd.GeoSeries(np.concatenate(spots), index=pd.Index(labels), crs=areas.crs)
    entrances = _street_entrances(district, points)
    nearest = entrances.groupby("place")["access_m"].transform("min")
    return entrances[(entrances["access_m"] <= np.maximum(nearest, EDGE_TO_STREET_M)) | entrances["access_m"].isna()]


def _compound_of(district: District, spots: gpd.GeoDataFrame) -> pd.Series:
    """Return the walled compound (a home with known gates) each point stands in, missing where none."""
    homes, gates = district.homes, district.gates
    missing = pd.Series(np.nan, index=spots.index, dtype="str")
    if homes is None or gates is None or spots.empty:
        return missing
    walled = homes[homes.index.isin(gates["home"]) & (homes.geom_type != "Point").to_numpy()]
    return _home_around(walled, spots)


def _ungated_home_of(district: District, spots: gpd.GeoDataFrame) -> pd.Series:
    """
    Return the home without known gates each point stands in, missing where none, or where it stands on a public street.

    Such an outline may be one compound or a quarter with streets through it: what stands on a street is reached by it.
    """
    homes, gates = district.homes, district.gates
    missing = pd.Series(np.nan, index=spots.index, dtype="str")
    if homes is None or spots.empty:
        return missing
    found = _home_around(homes if gates is None else homes[~homes.index.isin(gates["home"])], spots)
    some = found.notna().to_numpy()
    if some.any():
        off = district.network.attach(spots.geometry[some])["access_m"].to_numpy()
        found[some] = found[some].where(~(off <= ON_STREET_M))
    return found


def _home_around(homes: gpd.GeoDataFrame, spots: gpd.GeoDataFrame) -> pd.Series:
    """Return the first home (by id) each point lies in, missing where none; a home drawn as a point holds what is at it."""
    point, home = homes.sindex.query(spots.geometry.array, predicate="within")
    found = pd.Series(np.asarray(homes.index)[home], index=spots.index[point]).groupby(level=0).min()
    return found.reindex(spots.index).astype("str")


def _gate_entrances(district: District, spots: gpd.GeoSeries, compound: pd.Series) -> pd.DataFrame:
    """A facility inside a wall is reached through the compound's open gates."""
    homes, gates = district.homes, district.gates
    rows = []
    if homes is None or gates is None:
        return _street_entrances(district, spots[:0])
    gates = gates[(gates["state"].fillna("open") == "open").to_numpy() & gates["home"].isin(compound).to_numpy()]
    feet = district.network.attach(gates.geometry, barriers=_barriers(district))
    at_home = {str(home): rows for home, rows in gates.groupby("home").indices.items()}
    shapes, number = spots.to_numpy(), compound.to_numpy(object)
    for home in dict.fromkeys(number):
        own, here = at_home.get(home, np.empty(0, np.int64)), np.flatnonzero(number == home)
        foot = feet.iloc[own]
        inside = walk_inside(homes.geometry[home], shapes[here], gates.geometry.array[own])
        n, g = len(here), max(len(own), 1)
        rows.append(
            pd.DataFrame(
                {
                    "place": np.repeat(np.asarray(spots.index)[here], g),
                    "edge": np.tile(foot["edge"].to_numpy(), n) if len(own) else -1,
                    "at_m": np.tile(foot["at_m"].to_numpy(), n) if len(own) else np.nan,
                    "access_m": (inside + foot["access_m"].to_numpy()).ravel() if len(own) else np.nan,
                    "x": np.repeat(shapely.get_x(shapes[here]), g),
                    "y": np.repeat(shapely.get_y(shapes[here]), g),
                    "inside": pd.array([home] * n * g, dtype="str"),
                }
            )
        )
    return pd.concat(rows, ignore_index=True) if rows else _street_entrances(district, spots[:0])


def places_open(district: District, inside_only: bool) -> gpd.GeoDataFrame:
    """Return the facilities that are open, or of these the ones inside the district's own outline."""
    return _kept(district, ("open", inside_only), partial(_find_open, inside_only=inside_only))


def _find_open(district: District, inside_only: bool) -> gpd.GeoDataFrame:
    facilities = district.open_facilities
    if facilities is None:
        return gpd.GeoDataFrame({"kind": []}, geometry=[], crs=district.crs)
    if inside_only and district.boundary is not None:
        outline = shapely.union_all(district.boundary.geometry.array)
        return facilities[shapely.intersects(outline, facilities.geometry.array)]
    return facilities


def entrances_of_open(district: District) -> pd.DataFrame:
    """Return `facility_entrances` of every open facility, made once."""
    return _kept(district, "facility_entrances", _entrances_of_open)


def _entrances_of_open(district: District) -> pd.DataFrame:
    """Find them for the facilities that are not as in the district this one was made from, and take the others from there."""
    places = places_open(district, inside_only=False)
    origin = district.kin((*WAY_OUT, "entrances"))
    if origin is None:
        return facility_entrances(district, places)
    known, there = entrances_of_open(origin), places_open(origin, inside_only=False)
    both = places.index[places.index.isin(there.index)]
    same = both[shapely.equals_identical(places.geometry[both].array, there.geometry[both].array)]
    fresh = places[~places.index.isin(same)]
    if fresh.empty and len(same) == len(there):
        return known
    parts = [known[known["place"].isin(same)], *([] if fresh.empty else [facility_entrances(district, fresh)])]
    return pd.concat(parts, ignore_index=True).sort_values(["place", "access_m"], kind="stable", ignore_index=True)


def walks_inside(district: District) -> pd.DataFrame:
    """Return the walks to all open facilities that never leave a home, kept; `gate_known`: whether it is known to be walled."""

    def make(district: District) -> pd.DataFrame:
        points, gates = home_points(district), district.gates
        walks = same_compound(district, points, entrances_of_open(district))
        home = points["home"].reindex(walks["place"])
        return walks.assign(gate_known=False if gates is None else home.isin(gates["home"]).to_numpy())

    return _kept(district, "walks_inside", make)


def same_compound(district: District, points: gpd.GeoDataFrame, targets: pd.DataFrame) -> pd.DataFrame:
    """
    Walks that never leave the home: residents to a facility inside their own compound.

    Where no gate is known the outline need not be a wall: only a straight walk counts that stays in it and meets neither
    barrier nor public street, as the straight walk to the street does.
    """
    homes, gates = district.homes, district.gates
    walled = set() if gates is None else set(gates["home"])
    inside = targets[targets["inside"].notna()].drop_duplicates(["place", "x", "y"])
    at_home, shapes = points.groupby("home").indices, points.geometry.to_numpy()
    place, target, metres = [np.empty(0, np.int64)], [np.empty(0, object)], [np.empty(0)]
    for home, own in inside.groupby("inside"):
        if home not in at_home or homes is None:
            continue
        residents, spots = at_home[home], shapely.points(own[["x", "y"]].to_numpy())
        place.append(np.repeat(points.index.to_numpy()[residents], len(spots)))
        target.append(np.tile(own["place"].to_numpy(object), len(residents)))
        within = walk_inside if home in walled else partial(_walk_in_sight, district)
        metres.append(within(homes.geometry[home], shapes[residents], spots).ravel())
    join = np.concatenate
    walks = pd.DataFrame({"place": join(place), "target": join(target), "metres": join(metres)})
    return walks[np.isfinite(walks["metres"].to_numpy())]


def _walk_in_sight(district: District, area: shapely.Geometry, points: np.ndarray, spots: np.ndarray) -> np.ndarray:
    """Return straight metres from points to spots, shape (points, spots); `inf` where something is in the way."""
    legs = shapely.linestrings(_pairs_of_coordinates(points, spots)).ravel()
    room = shapely.buffer(area, WALL_TOLERANCE_M, join_style="mitre")
    shapely.prepare(room)
    clear = shapely.covers(room, legs)
    clear[clear] = ~district.network.meets(legs[clear], barriers=_barriers(district))
    return np.asarray(np.where(clear, shapely.length(legs), np.inf)).reshape(len(points), len(spots))
