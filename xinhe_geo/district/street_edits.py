"""New lines joined to the streets they meet, and streets shut by closures."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

#: An end of an added link this near to a street is joined to it (metres).
JOIN_M = 10.0
#: A closure drawn as a point shuts this much of the street to either side; one drawn as a line, what lies this near.
CLOSED_POINT_M, CLOSED_LINE_M = 0.5, 3.0


def join_ends(streets: gpd.GeoDataFrame, line: shapely.LineString) -> tuple[gpd.GeoDataFrame, shapely.LineString]:
    """
    Join both ends of a new line to the streets they meet.

    Lines join at shared vertices only, so a vertex is put into the nearest street within 10 m (a public one if there is
    any, else the nearest inner lane), and the line's end is moved onto it; an end far from any street stays loose.

    Returns
    -------
    streets, line
        A new frame and a new line; what was given stays as it was.
    """
    spots = [shapely.Point(c[:2]) for c in line.coords]
    for at in (0, -1):
        streets, spots[at] = _join_end(streets, spots[at])
    return streets, shapely.LineString(spots)


def _join_end(streets: gpd.GeoDataFrame, end: shapely.Point) -> tuple[gpd.GeoDataFrame, shapely.Point]:
    near = streets.sindex.query(end, predicate="dwithin", distance=JOIN_M)
    if not len(near):
        return streets, end
    gap = shapely.distance(np.asarray(streets.geometry.array)[near], end)
    lane = streets["home"].notna().to_numpy()[near] if "home" in streets else np.zeros(len(near), np.bool_)
    row = int(near[np.lexsort((near, gap, lane))[0]])
    parts = list(shapely.get_parts(shapely.force_2d(streets.geometry.iloc[row])))
    part = int(np.argmin(shapely.distance(np.array(parts), end)))
    along = float(parts[part].project(end))
    spot = parts[part].interpolate(along)
    coordinates = shapely.get_coordinates(parts[part])
    away = np.hypot(*(coordinates - [spot.x, spot.y]).T)
    if away.min() < 1e-3:
        return streets, shapely.Point(coordinates[int(away.argmin())])
    at = np.r_[0.0, np.cumsum(np.hypot(*np.diff(coordinates, axis=0).T))]
    parts[part] = shapely.LineString(np.insert(coordinates, int(np.searchsorted(at, along)), [spot.x, spot.y], axis=0))
    geometry = np.array(streets.geometry.array, dtype=object)
    geometry[row] = parts[0] if len(parts) == 1 else shapely.MultiLineString(parts)
    return streets.set_geometry(gpd.GeoSeries(geometry, index=streets.index, crs=streets.crs)), spot


def merged_streets(
    streets: gpd.GeoDataFrame, links: gpd.GeoDataFrame | None, closures: gpd.GeoDataFrame | None
) -> gpd.GeoDataFrame:
    """Add the planner's links, take away what is closed."""
    if links is not None and len(links):
        joined = []
        for line in links.geometry:
            for part in shapely.get_parts(line):
                streets, _ = join_ends(streets, part)
            joined.append(shapely.union_all([join_ends(streets, p)[1] for p in shapely.get_parts(line)]))
        streets = pd.concat([streets, links.set_geometry(gpd.GeoSeries(joined, index=links.index, crs=links.crs))])
    if closures is not None and len(closures):
        width = np.where(closures.geom_type == "Point", CLOSED_POINT_M, CLOSED_LINE_M)
        shut = shapely.union_all(shapely.buffer(closures.geometry.array, width))
        touched = streets.sindex.query(shut, predicate="intersects")
        geometry = np.array(streets.geometry.array, dtype=object)
        geometry[touched] = shapely.difference(geometry[touched], shut)
        streets = streets.set_geometry(gpd.GeoSeries(geometry, index=streets.index, crs=streets.crs))
        streets = streets[~streets.geometry.is_empty]
    return streets
