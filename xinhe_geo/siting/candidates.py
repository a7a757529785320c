"""
Where something could be built: in rooms that are there, along public streets, on parcels and vacant land, in houses that can take it
in; and, for whoever none of these reaches, beside the gate or inside the wall.
"""

from __future__ import annotations

from collections.abc import Sequence

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from ..access import home_entrances, home_points
from ..core import LAYERS, SitingError, at_year, listed, say
from ..district import District

#: One candidate per cell of this size: the point of a public street nearest to its middle.
GRID_M = 150.0
#: Streets are sampled at this spacing for the grid of candidates.
SAMPLE_M = 10.0
#: Candidates beside gates are first thinned to one per cell of this size.
DOOR_APART_M = 30.0
#: Land on which nothing stands, as OpenStreetMap's `landuse` says it.
VACANT_USES = ("vacant", "brownfield", "greenfield")


def candidate_sites(
    district: District,
    *,
    spacing_m: float = GRID_M,
    extra: gpd.GeoDataFrame | gpd.GeoSeries | None = None,
    kind: str | None = None,
) -> gpd.GeoDataFrame:
    """
    Propose where something could be built: first in rooms that are there, then evenly along the public streets, in every parcel, on
    vacant land, in facilities that can take in others, and where asked.

    Parameters
    ----------
    kind
        Only rooms that can be used for it; None: all rooms.
    spacing_m
        One candidate per cell of this size that a public street runs through: the street point nearest to its middle.
    extra
        More places, any CRS, index: their ids; optional column `name`.

    Returns
    -------
    spots
        Index `site`; columns `name` (of the room, street, parcel, land or facility, or its own; may be missing), `origin` (room; street;
        parcel; vacant: a piece of `bare_ground` or of `landuse` on which nothing stands; host: an open facility of a kind
        that `kinds.csv` says can take in others; given); geometry in the district's CRS. Streets, land and hosts inside the
        district's outline where it has one.

    Raises
    ------
    SitingError
        A spacing that is none, places without CRS, or an id twice.
    """
    parts = [room_spots(district, kind), *_for_any_kind(district, spacing_m)]
    if extra is not None:
        parts.append(given_spots(district, extra))
    spots = pd.concat([part for part in parts if len(part)] or parts[1:2])
    twice = spots.index[spots.index.duplicated()]
    if len(twice):
        raise SitingError(say("候选点编号重复：{0}；换一个编号", say("、").join(map(str, twice[:8]))))
    return gpd.GeoDataFrame(spots, geometry="geometry", crs=district.crs)


def _for_any_kind(district: District, spacing_m: float) -> list[gpd.GeoDataFrame]:
    """Return the candidates on streets, parcels, vacant land and in hosts, found once: of goal after goal the same are asked for."""
    key = ("candidates", spacing_m)
    if key not in district.memo:
        parts = [_street_grid(district, spacing_m)]
        parcels = district.parcels
        if parcels is not None and not parcels.empty:
            inside = shapely.point_on_surface(parcels.geometry.array)
            parts.append(spots_of(parcels.index, parcels["name"].array, "parcel", inside, district.crs))
        district.memo[key] = [*parts, _vacant_land(district), _hosts(district)]
    found: list[gpd.GeoDataFrame] = district.memo[key]
    return found


def room_spots(district: District, kind: str | None) -> gpd.GeoDataFrame:
    """Return the available rooms of the district's year that a kind can use (None: all), as candidates."""
    frame = district.rows.get("rooms")
    if frame is None or frame.empty:
        return spots_of([], [], "room", np.empty(0, dtype=object), district.crs)
    own = at_year(LAYERS["rooms"], frame, district.year)
    uses = own["usable_for"].fillna("").astype(str).map(listed)
    own = own[[kind is None or not listing or kind in listing for listing in uses]]
    points = shapely.point_on_surface(np.asarray(own.geometry.array))
    here = _inside(district, shapely.get_coordinates(points))
    own, points = own[here], points[here]
    names = own["name"].astype(object).where(own["name"].notna(), own["address"])
    return spots_of([f"room-{i}" for i in own.index], names.to_numpy(dtype=object), "room", points, district.crs)


def spots_of(
    index: pd.Index | Sequence[str],
    names: Sequence[object] | np.ndarray,
    origin: str,
    points: np.ndarray | gpd.array.GeometryArray,
    crs: str,
) -> gpd.GeoDataFrame:
    """Return candidates as a frame: index site; columns name, origin; geometry."""
    frame = pd.DataFrame({"name": pd.array(names, dtype="str"), "origin": origin}, index=pd.Index(index, name="site"))
    return gpd.GeoDataFrame(frame, geometry=np.asarray(points, dtype=object), crs=crs)


def given_spots(district: District, given: gpd.GeoDataFrame | gpd.GeoSeries) -> gpd.GeoDataFrame:
    """Return the places a user asks about as candidates."""
    if not isinstance(given, (gpd.GeoDataFrame, gpd.GeoSeries)):
        raise SitingError(say("候选点要写 GeoSeries 或 GeoDataFrame（点），不是 {0}", type(given).__name__))
    if given.crs is None:
        raise SitingError(say("候选点没有声明坐标系；先用 set_crs 声明"))
    if given.index.has_duplicates:
        twice = given.index[given.index.duplicated()]
        raise SitingError(say("候选点编号重复：{0}", say("、").join(map(str, twice[:8]))))
    names = given["name"].array if isinstance(given, gpd.GeoDataFrame) and "name" in given.columns else None
    names = np.full(len(given), np.nan) if names is None else names
    return spots_of(given.index, names, "given", given.geometry.to_crs(district.crs).array, district.crs)


def _inside(district: District, xy: np.ndarray) -> np.ndarray:
    """Return which coordinates lie inside the district's outline; all where it has none."""
    if district.boundary is None:
        return np.ones(len(xy), dtype=bool)
    outline = shapely.union_all(district.boundary.geometry.array)
    shapely.prepare(outline)
    return np.asarray(shapely.intersects_xy(outline, xy), dtype=bool)


def _vacant_land(district: District) -> gpd.GeoDataFrame:
    parts = []
    for layer, prefix in (("bare_ground", "bare"), ("landuse", "land")):
        frame = district.rows.get(layer)
        if frame is None or frame.empty:
            continue
        if layer == "landuse":
            frame = frame[frame["use"].isin(VACANT_USES).to_numpy()]
        points = shapely.point_on_surface(np.asarray(frame.geometry.array))
        own = _inside(district, shapely.get_coordinates(points))
        labels = [f"{prefix}-{i}" for i in frame.index[own]]
        parts.append(spots_of(labels, frame["name"].array[own], "vacant", points[own], district.crs))
    none = spots_of([], [], "vacant", np.empty(0, dtype=object), district.crs)
    return gpd.GeoDataFrame(pd.concat([p for p in parts if len(p)] or [none]), geometry="geometry", crs=district.crs)


def _hosts(district: District) -> gpd.GeoDataFrame:
    """Return open facilities of kinds that can take in others."""
    kinds, facilities = district.kinds, district.open_facilities
    hosts = kinds.index[kinds["hosts"].to_numpy(dtype=bool)]
    if facilities is None or not len(hosts):
        return spots_of([], [], "host", np.empty(0, dtype=object), district.crs)
    own = facilities[facilities["kind"].isin(hosts).to_numpy()]
    points = shapely.point_on_surface(np.asarray(own.geometry.array))
    here = _inside(district, shapely.get_coordinates(points))
    labels = [f"at-{i}" for i in own.index[here]]
    return spots_of(labels, own["name"].array[here], "host", points[here], district.crs)


def _street_grid(district: District, spacing_m: float) -> gpd.GeoDataFrame:
    if not spacing_m > 0:
        raise SitingError(say("候选点间距必须大于 0：{0}", spacing_m))
    edges = district.network.edges
    edges = edges[edges["home"].isna().to_numpy() & ~edges["steps"].to_numpy(dtype=bool)]
    count = np.maximum(np.ceil(edges["length_m"].to_numpy() / SAMPLE_M), 1).astype(np.int64)
    edge = np.repeat(np.arange(len(edges)), count)
    step = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count)
    points = shapely.line_interpolate_point(
        np.asarray(edges.geometry.array)[edge], (step + 0.5) / count[edge], normalized=True
    )
    xy = shapely.get_coordinates(points)
    inside = _inside(district, xy)
    points, xy, edge = points[inside], xy[inside], edge[inside]
    best = _one_per_cell(xy, spacing_m, edge)
    labels = [f"c{i + 1:04d}" for i in range(len(best))]
    return spots_of(labels, edges["name"].to_numpy(dtype=object)[edge[best]], "street", points[best], district.crs)


def _one_per_cell(xy: np.ndarray, spacing_m: float, rank: np.ndarray) -> np.ndarray:
    """Return positions: of each cell the one nearest to its middle; north to south, west to east."""
    cell = np.floor(xy / spacing_m).astype(np.int64)
    off = np.hypot(*(xy - (cell + 0.5) * spacing_m).T)
    order = np.lexsort((rank, off, cell[:, 0], -cell[:, 1]))
    first = np.r_[True, (np.diff(cell[order], axis=0) != 0).any(axis=1)] if len(order) else np.zeros(0, dtype=bool)
    return np.asarray(order[first])


def door_spots(district: District, points: pd.Index, spacing_m: float, number: int) -> gpd.GeoDataFrame:
    """
    Return candidates on the street where residents step out: no other place of the street is nearer to them.

    Parameters
    ----------
    points
        Points of `home_points`.
    spacing_m
        One per cell of this size.
    number
        How many such candidates there are already; the new ones are numbered on.
    """
    entrances = home_entrances(district)
    entrances = entrances[entrances["place"].isin(points).to_numpy()].drop_duplicates(["edge", "at_m"])
    edges = district.network.edges
    row = edges.index.get_indexer(entrances["edge"])
    public = edges["home"].isna().to_numpy()[row]
    entrances, row = entrances[public], row[public]
    feet = shapely.line_interpolate_point(
        np.asarray(edges.geometry.array)[row], entrances["at_m"].to_numpy(dtype=float)
    )
    best = _one_per_cell(shapely.get_coordinates(feet), spacing_m, np.arange(len(feet)))
    homes = _home_names(district, entrances["home"].to_numpy(dtype=object)[best])
    labels = [f"d{number + i + 1:04d}" for i in range(len(best))]
    return spots_of(labels, homes, "door", np.asarray(feet)[best], district.crs)


def inside_spots(district: District, points: pd.Index, number: int) -> gpd.GeoDataFrame:
    """Return the points of homes themselves as candidates: inside the wall, about 50 m apart."""
    own = home_points(district).loc[points]
    labels = [f"i{number + i + 1:04d}" for i in range(len(own))]
    names = _home_names(district, own["home"].to_numpy(dtype=object))
    return spots_of(labels, names, "inside", own.geometry.array, district.crs)


def community_spots(district: District, communities: pd.Index) -> gpd.GeoDataFrame:
    """Return one candidate in the middle of each community."""
    frame = district.communities
    if frame is None:
        return spots_of([], [], "community", np.empty(0, dtype=object), district.crs)
    own = frame.loc[frame.index.isin(communities)]
    points = shapely.point_on_surface(np.asarray(own.geometry.array))
    return spots_of([f"m-{i}" for i in own.index], own["name"].array, "community", points, district.crs)


def _home_names(district: District, homes: np.ndarray) -> list[object]:
    table = district.homes
    if table is None:
        return list(homes)
    names = table["name"].reindex(homes)
    return [name if isinstance(name, str) else home for name, home in zip(names, homes, strict=True)]
