"""
The hinge table home x place x cost, and its picture.

Doors come first. A home is a polygon inside a wall, stood for by evenly spread points; a point walks straight to each
gate (inside the wall), then the street; where no gate is known, straight to the nearest street. A facility has entrances, or
the gates of the compound it stands in, or the edge of its park, or the nearest street. Who lives around a facility walks to
it without the street. Straight-line, street and time measures all run between these same doors, so a straight
line is never longer than a walk.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from ._frontage import frontage
from .district import District
from .errors import UnknownNameError
from .network import WalkNetwork
from .values import Profile

#: Spacing of the points that stand for a home, and their greatest number.
POINT_SPACING_M = 50.0
POINTS_AT_MOST = 64
#: Spacing of the doors along the edge of a place without entrances, and how far its edge may lie from the street.
EDGE_SPACING_M = 20.0
EDGE_DOORS_AT_MOST = 200
EDGE_TO_STREET_M = 30.0
#: A gate may lie this far off its wall: drawn coordinates are no better.
WALL_TOLERANCE_M = 0.6
#: A place this near to a public street stands on it, not in the home around it.
ON_STREET_M = 0.6

HINGE_COLUMNS = (
    "facility", "metres", "straight_metres", "facility_minutes", "minutes", "walked_metres", "wait_minutes",
    "gate_metres", "gate_known",
)  # fmt: skip


# --- homes -----------------------------------------------------------------------------------------------------------


def _kept(district: District, key: Hashable, make: Callable[[], Any]) -> Any:
    """Return a derived table of a district, made once; callers get a shallow copy (pandas copies on write)."""
    if key not in district.memo:
        district.memo[key] = make()
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
    points: gpd.GeoDataFrame = _kept(district, "home_points", lambda: _home_points(district))
    return points


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


def home_doors(district: District) -> pd.DataFrame:
    """
    Return every way out of every point of `home_points`: one row per point and gate.

    Returns
    -------
    doors
        Columns `place` (the point), `home`, `edge`, `at_m`, `access_m` (straight metres before the street), `gate_metres`
        (of these, to the gate), `gate_known`. A point without a way out has no row.
    """
    doors: pd.DataFrame = _kept(district, "home_doors", lambda: _home_doors(district, home_points(district)))
    return doors


def _home_doors(district: District, points: gpd.GeoDataFrame) -> pd.DataFrame:
    homes, gates = district.homes, district.gates
    if homes is None or points.empty:
        return pd.DataFrame(columns=["place", "home", "edge", "at_m", "access_m", "gate_metres", "gate_known"])
    known: dict[str, gpd.GeoSeries] = {}
    if gates is not None:
        for home, rows in gates.groupby("home"):
            known[str(home)] = rows.geometry[(rows["state"].fillna("open") == "open").to_numpy()]
    gated = points["home"].isin(known.keys())
    parts = [
        _doors_through_gates(district, homes, points[gated], known),
        _doors_without_gates(district, points[~gated]),
    ]
    doors = pd.concat([p for p in parts if not p.empty] or parts[:1], ignore_index=True)
    return doors.sort_values(["place", "access_m"], kind="stable", ignore_index=True)


def _doors_through_gates(
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
    doors = pd.DataFrame(
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
    return doors[(doors["edge"] >= 0) & np.isfinite(doors["access_m"])]


def _doors_without_gates(district: District, points: gpd.GeoDataFrame) -> pd.DataFrame:
    """Points of homes whose gates are not known walk straight to the nearest street they can reach."""
    if points.empty:
        return pd.DataFrame(columns=["place", "home", "edge", "at_m", "access_m", "gate_metres", "gate_known"])
    feet = district.network.attach(
        points.geometry, barriers=_barriers(district), home=pd.Series(points["home"].to_numpy(), index=points.index)
    )
    doors = pd.DataFrame(
        {
            "place": np.asarray(points.index),
            "home": points["home"].to_numpy(),
            "edge": feet["edge"].to_numpy(),
            "at_m": feet["at_m"].to_numpy(),
            "access_m": feet["access_m"].to_numpy(),
            "gate_metres": np.nan,
            "gate_known": False,
        }
    )
    return doors[doors["edge"] >= 0]


def _barriers(district: District) -> gpd.GeoSeries | None:
    barriers = district.barriers
    return None if barriers is None or barriers.empty else barriers.geometry


def walk_inside(area: shapely.Geometry, points: Any, gates: Any) -> np.ndarray:
    """
    Return metres from each of the points to each of the gates without leaving `area`, shape (points, gates).

    Straight where the line stays inside; else around the corners of the wall (shortest path over mutually visible corners,
    which is the shortest path in a polygon). `inf` where the wall has no way through.
    """
    points, gates = np.asarray(points, dtype=object), np.asarray(gates, dtype=object)
    if area.area == 0:
        return np.asarray(shapely.distance(points[:, None], gates[None, :]), dtype=float)
    room = shapely.buffer(area, WALL_TOLERANCE_M, join_style="mitre")
    shapely.prepare(room)
    straight = shapely.linestrings(_pairs_of_coordinates(points, gates))
    metres = shapely.length(straight)
    hidden = ~shapely.covers(room, straight)
    if hidden.any():
        metres = np.where(hidden, _around_corners(area, room, points, gates), metres)
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


def facility_doors(district: District, facilities: gpd.GeoDataFrame) -> pd.DataFrame:
    """
    Return every door of every facility.

    Returns
    -------
    doors
        Columns `place` (facility), `edge`, `at_m`, `access_m`, `x`, `y` (the door itself, for straight lines), `inside`
        (the home it stands in, whose residents walk to it without the street). `edge` is -1 where no street can be reached.
    """
    entrances = district.entrances
    with_entrance = facilities.index[:0]
    parts = []
    if entrances is not None:
        own = entrances[entrances["facility"].isin(facilities.index)]
        with_entrance = pd.Index(own["facility"].unique())
        parts.append(_street_doors(district, own.set_index("facility").geometry))
    rest = facilities[~facilities.index.isin(with_entrance)]
    is_point = (rest.geom_type == "Point").to_numpy()
    parts.append(_edge_doors(district, rest[~is_point]))
    spots = rest[is_point]
    compound = _compound_of(district, spots)
    walled = compound.notna().to_numpy()
    open_doors = _street_doors(district, spots.geometry[~walled])
    parts.append(open_doors.assign(inside=_ungated_home_of(district, spots[~walled]).array))
    parts.append(_gate_doors(district, spots.geometry[walled], compound[walled]))
    doors = pd.concat([p for p in parts if not p.empty] or parts[:1], ignore_index=True)
    return doors.sort_values(["place", "access_m"], kind="stable", ignore_index=True)


def _street_doors(district: District, points: gpd.GeoSeries) -> pd.DataFrame:
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


def _edge_doors(district: District, areas: gpd.GeoDataFrame) -> pd.DataFrame:
    """A place drawn as an area without entrances is entered anywhere along its edge that lies by a street."""
    if areas.empty:
        return _street_doors(district, areas.geometry)
    spots, labels = [], []
    for label, shape in zip(areas.index, areas.geometry, strict=True):
        edge = shapely.boundary(shape)
        n = min(max(int(np.ceil(edge.length / EDGE_SPACING_M)), 4), EDGE_DOORS_AT_MOST)
        spots.append(shapely.line_interpolate_point(shapely.line_merge(edge), np.arange(n) / n, normalized=True))
        labels += [label] * n
    points = gpd.GeoSeries(np.concatenate(spots), index=pd.Index(labels), crs=areas.crs)
    doors = _street_doors(district, points)
    nearest = doors.groupby("place")["access_m"].transform("min")
    return doors[(doors["access_m"] <= np.maximum(nearest, EDGE_TO_STREET_M)) | doors["access_m"].isna()]


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


def _gate_doors(district: District, spots: gpd.GeoSeries, compound: pd.Series) -> pd.DataFrame:
    """A facility inside a wall is reached through the compound's open gates."""
    homes, gates = district.homes, district.gates
    rows = []
    if homes is None or gates is None:
        return _street_doors(district, spots[:0])
    gates = gates[(gates["state"].fillna("open") == "open").to_numpy()]
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
    return pd.concat(rows, ignore_index=True) if rows else _street_doors(district, spots[:0])


# --- the hinge -------------------------------------------------------------------------------------------------------


def hinge(
    district: District, kinds: Iterable[str], *, profile: str | Profile = "adult", inside_only: bool = False
) -> pd.DataFrame:
    """
    Return the nearest open facility of each kind for each point of each home.

    Parameters
    ----------
    kinds
        Kinds to look for; one without open facilities has only missing values.
    profile
        Who walks, for `minutes`.
    inside_only
        Only facilities inside the district's own outline.

    Returns
    -------
    hinge
        MultiIndex (home, point, kind). Columns: `facility`, `metres` (shortest walk along the streets, doors included);
        `straight_metres` (to the nearest door of any facility of the kind); `facility_minutes`, `minutes` (least time),
        `walked_metres`, `wait_minutes`, `gate_metres` (parts of that least-time walk), `gate_known`. Missing where
        unreachable.
    """
    tables = hinge_of_kinds(district, kinds, profile=profile, inside_only=inside_only)
    table = pd.concat([own.assign(kind=kind) for kind, own in tables.items()], ignore_index=False)
    return table.reset_index().set_index(["home", "point", "kind"]).sort_index()[list(HINGE_COLUMNS)]


def hinge_of_kinds(
    district: District, kinds: Iterable[str], *, profile: str | Profile = "adult", inside_only: bool = False
) -> dict[str, pd.DataFrame]:
    """Return the rows of `hinge` kind by kind: index point, in the order of `home_points`, column `home` first."""
    walker = district.profile(profile)
    asked = list(dict.fromkeys(kinds))
    facilities = _open(district, inside_only)
    outside = set() if not inside_only else _kinds_outside(district, facilities)
    # without facilities outside the outline both tables are one
    keys = {kind: ("hinge", kind, walker, inside_only and kind in outside) for kind in asked}
    new = [kind for kind in asked if keys[kind] not in district.memo]
    if new:
        own = {kind: facilities.index[(facilities["kind"] == kind).to_numpy()] for kind in new}
        by_metres = {kind: ("by metres", *keys[kind][1::2]) for kind in new}
        missing = {kind: own[kind] for kind in new if by_metres[kind] not in district.memo}
        for kind, found in _by_metres(district, missing).items():
            district.memo[by_metres[kind]] = found
        for kind, table in _hinges(district, {k: district.memo[by_metres[k]] for k in new}, walker).items():
            district.memo[keys[kind]] = table
    return {kind: district.memo[key].copy(deep=False) for kind, key in keys.items()}


def _kinds_outside(district: District, inside: gpd.GeoDataFrame) -> set[str]:
    everywhere = _open(district, inside_only=False)
    return set(everywhere.loc[~everywhere.index.isin(inside.index), "kind"])


def _open(district: District, inside_only: bool) -> gpd.GeoDataFrame:
    frame: gpd.GeoDataFrame = _kept(district, ("open", inside_only), partial(_find_open, district, inside_only))
    return frame


def _find_open(district: District, inside_only: bool) -> gpd.GeoDataFrame:
    facilities = district.open_facilities
    if facilities is None:
        return gpd.GeoDataFrame({"kind": []}, geometry=[], crs=district.crs)
    if inside_only and district.boundary is not None:
        outline = shapely.union_all(district.boundary.geometry.array)
        return facilities[shapely.intersects(outline, facilities.geometry.array)]
    return facilities


def _doors_of_open(district: District) -> pd.DataFrame:
    doors: pd.DataFrame = _kept(
        district, "facility_doors", lambda: facility_doors(district, _open(district, inside_only=False))
    )
    return doors


class _ByMetres(NamedTuple):
    """
    What the hinge holds of one kind whoever walks; the doors by a street, and the walks to them that never leave a wall.

    Facilities are numbers here, in the order of their ids: places in `names`.
    """

    columns: dict[str, Any]
    doors: pd.DataFrame
    same: pd.DataFrame
    names: pd.api.extensions.ExtensionArray


def _by_metres(district: District, own: Mapping[str, pd.Index]) -> dict[str, _ByMetres | None]:
    """Return, given the facilities of each kind, what does not depend on who walks; None where there are none."""
    points, doors = home_points(district), home_doors(district)
    everything, walks = _doors_of_open(district), _walks_inside(district)
    places = _open(district, inside_only=False).index.sort_values()
    names = pd.array(places, dtype="str")
    everything["place"] = places.get_indexer(everything["place"])
    walks["target"] = places.get_indexer(walks["target"])
    spots = shapely.get_coordinates(points.geometry.to_numpy())
    found: dict[str, _ByMetres] = {}
    for kind, facilities in own.items():
        if points.empty or facilities.empty:
            continue
        asked = np.zeros(len(places), np.bool_)
        asked[places.get_indexer(facilities)] = True
        targets, same = everything[asked[everything["place"]]], walks[asked[walks["target"]]]
        straight = cKDTree(targets[["x", "y"]].to_numpy()).query(spots)[0]
        columns = {"straight_metres": np.asarray(straight)}
        found[kind] = _ByMetres(columns, targets[(targets["edge"] >= 0).to_numpy()], same, names)
    searches = district.network.search_each(doors, {kind: near.doors for kind, near in found.items()})
    for kind, search in searches.items():
        found[kind].columns.update(_best_doors(len(points), doors, search, found[kind], None))
    return {kind: found.get(kind) for kind in own}


def _hinges(district: District, near: Mapping[str, _ByMetres | None], walker: Profile) -> dict[str, pd.DataFrame]:
    """Return the hinge rows of each kind, given what does not depend on who walks."""
    points, doors = home_points(district), home_doors(district)
    there = {kind: found for kind, found in near.items() if found is not None}
    targets = {kind: found.doors for kind, found in there.items()}
    searches = district.network.search_each(doors, targets, profile=walker)
    count = len(points)
    blank: dict[str, Any] = {"home": points["home"].array, **dict.fromkeys(HINGE_COLUMNS, np.full(count, np.nan))}
    blank["facility"] = blank["facility_minutes"] = pd.array([np.nan] * count, dtype="str")
    blank["gate_known"] = np.zeros(count, np.bool_)
    tables = {}
    for kind in near:
        columns = dict(blank)
        if kind in there:
            timed = _best_doors(count, doors, searches[kind], there[kind], walker)
            columns |= there[kind].columns | timed
        tables[kind] = pd.DataFrame(columns, index=pd.RangeIndex(count, name="point"), copy=False)
    return tables


def _best_doors(
    count: int, doors: pd.DataFrame, found: pd.DataFrame, near: _ByMetres, walker: Profile | None
) -> dict[str, Any]:
    """Return, per point, the best of its doors (as `found`) and of the walks inside its own compound."""
    same = near.same
    inside = same["metres"].to_numpy() if walker is None else same["metres"].to_numpy() / walker.speed_m_s / 60.0
    place = np.concatenate([doors["place"].to_numpy(np.int64), same["place"].to_numpy(np.int64)])
    cost = np.concatenate([found["cost"].to_numpy(float), inside])
    code = np.concatenate([found["target"].to_numpy(np.int64, na_value=-1), same["target"].to_numpy(np.int64)])
    there = np.flatnonzero(np.isfinite(cost))
    least = np.full(count, np.inf)
    np.minimum.at(least, place[there], cost[there])
    best = there[cost[there] == least[place[there]]]
    order = np.lexsort(
        (best, code[best], place[best])
    )  # of equally near facilities the first by id, of its doors the first
    points, first = np.unique(place[best[order]], return_index=True)
    row, target = best[order[first]], np.full(count, -1)
    target[points] = code[row]
    facility = near.names.take(target, allow_fill=True)
    if walker is None:
        return {"facility": facility, "metres": _spread_out(count, points, cost[row])}
    minutes = _spread_out(count, points, cost[row])
    walked = _spread_out(count, points, np.concatenate([found["metres"].to_numpy(float), same["metres"]])[row])
    wait = minutes - walked / walker.speed_m_s / 60.0
    gated = same["gate_known"].to_numpy(bool)
    gate = np.concatenate([doors["gate_metres"].to_numpy(float), np.where(gated, 0.0, np.nan)])[row]
    known = np.zeros(count, np.bool_)
    known[points] = np.concatenate([doors["gate_known"].to_numpy(bool), gated])[row]
    return {
        "facility_minutes": facility,
        "minutes": minutes,
        "walked_metres": walked,
        "wait_minutes": np.where(np.isnan(minutes), np.nan, np.where(wait > 1e-9, wait, 0.0)),
        "gate_metres": _spread_out(count, points, gate),
        "gate_known": known,
    }


def _spread_out(count: int, rows: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return an array of `count` numbers, missing but for `rows`."""
    out = np.full(count, np.nan)
    out[rows] = values
    return out


def _walks_inside(district: District) -> pd.DataFrame:
    """Return the walks to all open facilities that never leave a home, kept; `gate_known`: whether it is known to be walled."""

    def make() -> pd.DataFrame:
        points, gates = home_points(district), district.gates
        walks = _same_compound(district, points, _doors_of_open(district))
        home = points["home"].reindex(walks["place"])
        return walks.assign(gate_known=False if gates is None else home.isin(gates["home"]).to_numpy())

    walks: pd.DataFrame = _kept(district, "walks_inside", make)
    return walks


def _same_compound(district: District, points: gpd.GeoDataFrame, targets: pd.DataFrame) -> pd.DataFrame:
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


def pairs(district: District, kinds: Iterable[str], *, profile: str | Profile = "adult", minutes: float) -> pd.Series:
    """
    Return the least time of every walk from a point of `home_points` to an open facility of some kinds, within a limit.

    Unlike the hinge, which keeps only the nearest, this holds every pair: asked for per kind, and never kept.

    Parameters
    ----------
    kinds
        Kinds to look for.
    profile
        Who walks.
    minutes
        Longest walk.

    Returns
    -------
    minutes
        Sorted MultiIndex (point, facility); `minutes`. Pairs further apart, or without a way, are absent.
    """
    walker = district.profile(profile)
    facilities = _open(district, inside_only=False)
    facilities = facilities[facilities["kind"].isin(list(kinds)).to_numpy()]
    points, doors = home_points(district), home_doors(district)
    names = ["point", "facility"]
    if facilities.empty or points.empty:
        return pd.Series([], index=pd.MultiIndex.from_arrays([[], []], names=names), dtype="float64", name="minutes")
    targets = facility_doors(district, facilities)
    reachable = targets[(targets["edge"] >= 0).to_numpy()]
    by_street = district.network.pairs(doors, reachable, profile=walker, limit=minutes)["minutes"]
    same = _same_compound(district, points, targets)
    inside = pd.Series(
        same["metres"].to_numpy(dtype=float) / walker.speed_m_s / 60.0,
        index=pd.MultiIndex.from_arrays([same["place"].to_numpy(), same["target"].to_numpy()]),
    )
    inside = inside[(inside <= minutes).to_numpy()]
    rows = pd.concat([part for part in (by_street, inside) if len(part)] or [by_street])
    return rows.groupby(level=[0, 1]).min().rename_axis(names).rename("minutes")


# --- isochrones ------------------------------------------------------------------------------------------------------


def isochrones(
    where: District | WalkNetwork,
    places: str | gpd.GeoSeries | gpd.GeoDataFrame,
    *,
    minutes: Sequence[float] = (5, 10, 15),
    metres: Sequence[float] | None = None,
    profile: str | Profile = "adult",
    frontage_m: float = 25.0,
    each: bool = False,
) -> gpd.GeoDataFrame:
    """
    Draw what can be reached on foot: the reached street pieces, cut exactly, with the frontage along them.

    Parameters
    ----------
    where
        A district, or a bare network.
    places
        A kind of the district (all its open facilities), or points in any CRS (index: their labels).
    minutes, metres
        Limits; `metres` instead of `minutes` where given.
    profile
        Who walks; a name needs a district.
    frontage_m
        How far from a reached street a point may lie to count as reached, in metres.
    each
        One polygon per place and limit instead of one per limit.

    Returns
    -------
    rings
        Index `minutes` (or `metres`), with `place` first where `each`; columns `area_m2`, `street_m` (reached street),
        `profile` (who walks, in words; missing for metres), geometry in the network's CRS. Smaller limits lie inside larger ones; holes are kept.

    Raises
    ------
    UnknownNameError
        No such kind or profile.
    ValueError
        A limit or `frontage_m` that is not above 0.
    """
    network, doors, walker = _start(where, places, profile)
    limits = sorted({float(v) for v in (minutes if metres is None else metres)})
    if not limits or limits[0] <= 0 or not np.isfinite(limits).all():
        raise ValueError("时间或距离必须是大于 0 的数")
    if frontage_m <= 0:
        raise ValueError("街道两侧宽度 frontage_m 必须大于 0")
    pieces = network._pieces(doors, limits, profile=walker if metres is None else None, each=each)
    name = "minutes" if metres is None else "metres"
    lines, street, first = network._cut(pieces), pieces.to_m - pieces.from_m, np.ones(len(pieces.edge), np.bool_)
    if len(limits) > 1:  # what a smaller limit reached whole is drawn already
        first = ~pd.DataFrame(dict(enumerate((pieces.place, *pieces[3:])))).duplicated().to_numpy()
    rows, shapes = [], []
    for place in np.unique(pieces.place) if each else (0,):
        own = np.arange(*np.searchsorted(pieces.place, [place, place + 1]))
        inner: shapely.Geometry | None = None
        for limit in limits:
            within = own[pieces.limit[own] == limit]
            shape = frontage(lines[within[first[within]]], frontage_m)
            inner = shape if inner is None else shapely.union(inner, shape)
            rows.append((pieces.places[place] if each else None, limit, inner.area, float(street[within].sum())))
            shapes.append(inner)
    label, limit_labels, area, length = zip(*rows, strict=True) if rows else ((), (), (), ())
    index = pd.Index(limit_labels, dtype="float64", name=name)
    if each:
        index = pd.MultiIndex.from_arrays([pd.Index(label, tupleize_cols=False), index], names=["place", name])
    who = pd.array([walker.label if metres is None else np.nan] * len(rows), dtype="str")
    columns = {"profile": who, "area_m2": np.array(area, float), "street_m": np.array(length, float)}
    return gpd.GeoDataFrame(columns, geometry=shapes, index=index, crs=network.crs)


def _start(
    where: District | WalkNetwork, places: str | gpd.GeoSeries | gpd.GeoDataFrame, profile: str | Profile
) -> tuple[WalkNetwork, pd.DataFrame, Profile]:
    """Return network, doors and walker of an isochrone call."""
    if isinstance(where, District):
        walker = where.profile(profile)
        network = where.network
        if isinstance(places, str):
            if places not in where.kinds.index:
                raise UnknownNameError("设施类别", places, list(where.kinds.index))
            facilities, doors = _open(where, inside_only=False), _doors_of_open(where)
            doors = doors[doors["place"].isin(facilities.index[(facilities["kind"] == places).to_numpy()])]
            return network, doors[doors["edge"] >= 0], walker
    else:
        network = where
        if not isinstance(profile, Profile):
            profile = Profile(profile, profile, 1.1) if profile == "adult" else _needs_district(profile)
        walker = profile
        if isinstance(places, str):
            raise UnknownNameError("设施类别（只有网络、没有街道数据时给点位）", places, ())
    doors = network.attach(places)
    there = doors["edge"].to_numpy() >= 0
    return network, doors if there.all() else doors[there], walker


def _needs_district(name: str) -> Profile:
    raise UnknownNameError("步行人群（只有网络时请给 Profile 值）", name, ("adult",))
