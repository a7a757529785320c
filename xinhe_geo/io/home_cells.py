"""Cells of a table of people: H3 indexes, or points that lie on a regular grid, become the polygons they stand for."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pyproj
import shapely

from ..core import are_h3, h3_outlines, say
from .import_log import ImportLog
from .incoming import LONLAT, Floats

#: Fewer points than this are no grid, however even they lie.
FEWEST = 12
#: How far a point may lie off its place in a grid, as a share of the grid's step.
OFF = 0.03
#: Of the places of a grid's frame, so many at least must be taken: few points with round coordinates are no grid.
FILLED = 0.1


def as_cells(homes: gpd.GeoDataFrame, metric: pyproj.CRS, log: ImportLog) -> tuple[gpd.GeoDataFrame, str]:
    """
    Return homes as the cells they are, and what cells these are.

    Parameters
    ----------
    homes
        Points in EPSG:4326 with a column `home`.
    metric
        The projected CRS, in metres.
    log
        Takes down what was recognised.

    Returns
    -------
    homes, cells
        The same rows, as polygons where they are cells; "h3", "grid" or "" (what stands in the table are places).
    """
    points = homes.geometry.to_numpy()
    if are_h3(homes["home"]):
        shapes = h3_outlines(homes["home"])
        if shapely.intersects(shapes, points).all():
            log.note("homes", say("单元"), say("编号是 H3 索引：{0} 个单元按六边形画，不叫小区", len(homes)))
            return homes.set_geometry(gpd.GeoSeries(shapes, index=homes.index, crs=LONLAT)), "h3"
        log.note("homes", say("单元"), say("编号像 H3 索引，而坐标不在各自的六边形里：按点算"))
        return homes, ""
    xy = shapely.get_coordinates(points)
    squares = grid_cells(xy)
    crs = pyproj.CRS(LONLAT)
    if squares is None:
        there = pyproj.Transformer.from_crs(LONLAT, metric, always_xy=True)
        squares, crs = grid_cells(np.column_stack(there.transform(xy[:, 0], xy[:, 1])), turned=True), metric
    if squares is None:
        return homes, ""
    drawn = gpd.GeoSeries(squares, index=homes.index, crs=crs).to_crs(LONLAT)
    log.note("homes", say("单元"), say("点排成规则格网：{0} 个格网单元按方格画，不叫小区", len(homes)))
    return homes.set_geometry(drawn), "grid"


def grid_cells(xy: Floats, *, turned: bool = False) -> np.ndarray | None:
    """
    Return the squares (or rectangles) of a regular grid whose middles are these points; None: they lie on none.

    Parameters
    ----------
    xy
        Points, one row each.
    turned
        The grid may be turned against the axes; its steps are then the same both ways.
    """
    if len(xy) < FEWEST or len(np.unique(xy, axis=0)) < len(xy):
        return None
    middle = xy.mean(axis=0)
    angle = _angle(xy) if turned else 0.0
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    even = (xy - middle) @ turn
    steps = [_step(even[:, k]) for k in (0, 1)]
    if None in steps:
        return None
    dx, dy = float(steps[0] or 0), float(steps[1] or 0)
    if turned and abs(dx - dy) > OFF * max(dx, dy):
        return None
    places = np.ptp(even, axis=0) / (dx, dy) + 1
    if len(xy) < FILLED * places.prod():
        return None
    corners = np.array([(-dx, -dy), (dx, -dy), (dx, dy), (-dx, dy)]) / 2
    return shapely.polygons((even[:, None, :] + corners) @ turn.T + middle)


def _step(values: Floats) -> float | None:
    """Return the step of which all differences between values are multiples; None: there is none."""
    ordered = np.sort(values)
    gaps = np.diff(ordered)
    apart = gaps > 0.1 * gaps.max()  # less than that is how exactly points are written
    if apart.sum() < 2:
        return None
    row = np.concatenate([[0], np.cumsum(apart)])
    middles = np.bincount(row, weights=ordered) / np.bincount(row)
    between = np.diff(middles)
    count = np.round(between / between.min())
    step = float(between.sum() / count.sum())
    off = np.abs(ordered - middles[row]).max() / step, np.abs(between / step - count).max()
    return step if max(off) < OFF else None


def _angle(xy: Floats) -> float:
    """Return how far the lines between nearest neighbours are turned against the axes, between -45 and 45 degrees."""
    near = shapely.STRtree(shapely.points(xy))
    one, other = near.query_nearest(shapely.points(xy), exclusive=True, all_matches=False)
    ways = xy[other] - xy[one]
    angles = np.arctan2(ways[:, 1], ways[:, 0])
    return float(np.angle(np.exp(4j * angles).mean())) / 4.0
