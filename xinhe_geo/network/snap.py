"""Snapping places to the street: the nearest edge that may be used, and the foot of the straight leg on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely
from numpy.typing import NDArray

from ..core import TOLERANCE_M, Profile
from .arrays import Flags, Floats, Ints, Labels, Shorts
from .lanes import Feet, Ways, to_doors
from .streets import Streets

#: Lines that no straight leg crosses, in the network's CRS.
Barriers: TypeAlias = gpd.GeoSeries | gpd.GeoDataFrame | Sequence[shapely.Geometry] | NDArray[Any]


def attach(
    streets: Streets,
    points: gpd.GeoSeries,
    *,
    barriers: Barriers | None = None,
    home: pd.Series | None = None,
    profile: Profile | None = None,
) -> pd.DataFrame:
    """Find where points reach the street: see `WalkNetwork.attach`."""
    attached = standing(streets, points, barriers=barriers, home=home, profile=profile)
    return doors_of_points(points, attached, attached.leg)


class Attached(NamedTuple):
    """Points and where they reach the street: the foot and the straight leg of each, and the doors these come to."""

    feet: Feet
    leg: Floats  # per point
    ways: Ways


def standing(
    streets: Streets,
    points: gpd.GeoSeries,
    *,
    barriers: Barriers | None = None,
    home: pd.Series | None = None,
    profile: Profile | None = None,
) -> Attached:
    """Find the foot of every point, on a public edge or a lane of its own home, and the doors on public edges."""
    xy = coordinates(streets, points)
    own = _aligned(home, points)
    level = profile is not None and not profile.steps
    edge = _nearest_edges(streets, xy, own, _barrier_tree(barriers, streets.crs), level)
    at, foot = _feet(streets, xy, edge)
    feet = Feet(edge, at, foot)
    return Attached(feet, np.hypot(*(xy - foot).T), to_doors(streets, feet, level=level))


def doors_of_points(points: gpd.GeoSeries, attached: Attached, leg: Floats) -> pd.DataFrame:
    """Return doors as a frame: before each the straight leg of its point (`leg`) and the lanes on the way are walked."""
    row, doors, metres = attached.ways
    labels = _labels_of(points)
    return pd.DataFrame(
        {
            "place": labels if len(row) == len(labels) else labels.take(row),
            "edge": doors.edge,
            "at_m": doors.at,
            "access_m": leg[row] + metres,
            "x": doors.xy[:, 0],
            "y": doors.xy[:, 1],
        },
        index=pd.RangeIndex(len(row), name="door"),
    )


def meets(streets: Streets, legs: NDArray[Any], *, barriers: Barriers | None) -> Flags:
    """Tell which straight legs meet a public street or cross a barrier: see `WalkNetwork.meets`."""
    tree, _ = _edge_tree(streets, "", False)
    met = np.zeros(len(legs), np.bool_)
    met[tree.query(legs, predicate="intersects")[0]] = True
    walls = _barrier_tree(barriers, streets.crs)
    if walls is not None:
        met[walls.query(legs, predicate="crosses")[0]] = True
    return met


def coordinates(streets: Streets, points: gpd.GeoSeries) -> Floats:
    """Check points and return their coordinates in the network's CRS, shape (n, 2)."""
    if not isinstance(points, (gpd.GeoSeries, gpd.GeoDataFrame)):
        raise TypeError(f"需要点的 GeoSeries，而不是 {type(points).__name__}")
    points = points.geometry
    if points.crs is None and len(points):
        raise ValueError("点没有坐标系；先用 set_crs 写明")
    shapes = points.to_numpy()
    bad = np.flatnonzero((shapely.get_type_id(shapes) != 0) | shapely.is_empty(shapes))
    if len(bad):
        names = "、".join(str(label) for label in points.index[bad[:5]])
        raise ValueError(f"这些地点不是一个点（为空或是其他几何）：{names}")
    there = points if points.crs is None or points.crs == streets.crs else points.to_crs(streets.crs)
    xy = shapely.get_coordinates(there.to_numpy()).reshape(-1, 2)
    if not np.isfinite(xy).all():
        wrong = points.index[~np.isfinite(xy).all(axis=1)][:5]
        raise ValueError(f"这些地点不能换算到路网的坐标系：{'、'.join(str(label) for label in wrong)}")
    return np.ascontiguousarray(xy)


def _labels_of(points: gpd.GeoSeries) -> Labels:
    if isinstance(points.index, pd.MultiIndex):
        return pd.Series(points.index.to_flat_index(), dtype=object).to_numpy()
    if points.index.hasnans:
        raise ValueError("地点的编号（索引）不能为空")
    return points.index.array


def _aligned(home: pd.Series | None, points: gpd.GeoSeries) -> NDArray[Any]:
    """Return each point's own home as text, "" for none."""
    if home is None:
        return np.full(len(points), "", object)
    if len(home) != len(points):
        raise ValueError(f"home 有 {len(home)} 行，点有 {len(points)} 个")
    blank = home.isna().to_numpy()
    return np.array(["" if empty else str(name) for name, empty in zip(home, blank, strict=True)], object)


def _nearest_edges(
    streets: Streets, xy: Floats, own: NDArray[Any], barriers: shapely.STRtree | None, level: bool
) -> Shorts:
    edge = np.full(len(xy), -1, np.int32)
    for name in sorted({"", *own}):
        rows = np.flatnonzero(own == name)
        if not len(rows):
            continue
        open_to = ["", name] if name else [""]
        trees = [tree for tree in (_edge_tree(streets, key, level) for key in open_to) if len(tree[1])]
        if not trees:
            continue
        edge[rows] = _nearest_of(trees, xy[rows], streets.private)
        if barriers is not None:
            _around_barriers(streets, xy, rows, edge, trees, barriers)
    return edge


def _edge_tree(streets: Streets, home: str, level: bool) -> tuple[shapely.STRtree, Ints]:
    """Return an index of the edges open to everybody (home "") or to one home alone, and their numbers."""
    key = (home, level)
    if key not in streets.trees:
        homes = streets.home_names
        mine = homes[streets.row] == home
        if level:
            mine &= ~streets.steps
        numbers = np.flatnonzero(mine)
        streets.trees[key] = (shapely.STRtree(streets.lines[numbers]), numbers)
    return streets.trees[key]


def _nearest_of(trees: Sequence[tuple[shapely.STRtree, Ints]], xy: Floats, private: Flags) -> Shorts:
    """
    Return the nearest edge of each point over all trees; of equally near ones the smallest number.

    Of a street and an own lane that are equally near (whoever lives there stands at a mouth) the lane: it leads to the street
    and to the other mouths.
    """
    points = shapely.points(xy)
    row, far, edge = [], [], []
    for tree, numbers in trees:
        (a, b), distance = tree.query_nearest(points, return_distance=True)
        row.append(a)
        far.append(np.where(private[numbers[b]], distance - TOLERANCE_M, distance))
        edge.append(numbers[b])
    rows, distances, edges = np.concatenate(row), np.concatenate(far), np.concatenate(edge)
    order = np.lexsort((edges, distances, rows))
    first = np.ones(len(order), np.bool_)
    first[1:] = rows[order][1:] != rows[order][:-1]
    nearest = np.full(len(xy), -1, np.int32)
    nearest[rows[order][first]] = edges[order][first]
    return nearest


def _feet(streets: Streets, xy: Floats, edge: Shorts) -> tuple[Floats, Floats]:
    from . import kernel_lines

    at = np.full(len(xy), np.nan)
    foot = np.full((len(xy), 2), np.nan)
    on = np.flatnonzero(edge >= 0)
    part_at, part_foot = np.empty(len(on)), np.empty((len(on), 2))
    x, y = np.ascontiguousarray(xy[on, 0]), np.ascontiguousarray(xy[on, 1])
    kernel_lines.feet(streets.course, x, y, edge[on].astype(np.int32), part_at, part_foot)
    at[on], foot[on] = part_at, part_foot
    return at, foot


def _barrier_tree(barriers: Barriers | None, crs: pyproj.CRS) -> shapely.STRtree | None:
    if barriers is None:
        return None
    lines: Barriers = barriers
    if isinstance(barriers, (gpd.GeoSeries, gpd.GeoDataFrame)):
        shapes = barriers.geometry
        there = shapes if shapes.crs is None or shapes.crs == crs else shapes.to_crs(crs)
        lines = there.to_numpy()
    lines = np.asarray(lines, object)
    return shapely.STRtree(lines) if len(lines) else None


def _crossing(start: Floats, stop: Floats, barriers: shapely.STRtree) -> Flags:
    """Return which straight legs cross a barrier; beginning or ending on one is no crossing."""
    legs = shapely.linestrings(np.stack([start, stop], axis=1)) if len(start) else np.empty(0, object)
    crossed = np.zeros(len(start), np.bool_)
    crossed[barriers.query(legs, predicate="crosses")[0]] = True
    return crossed


def _around_barriers(
    streets: Streets,
    xy: Floats,
    rows: Ints,
    edge: Shorts,
    trees: Sequence[tuple[shapely.STRtree, Ints]],
    barriers: shapely.STRtree,
) -> None:
    """Replace edges whose leg crosses a barrier by the nearest one whose leg does not, looking ever further out."""
    _, foot = _feet(streets, xy[rows], edge[rows])
    blocked = rows[_crossing(xy[rows], foot, barriers)]
    bounds = streets.bounds
    for row in blocked:
        here = xy[row]
        corner = np.maximum(np.abs(here - bounds[:2]), np.abs(here - bounds[2:]))
        everything = float(np.hypot(*corner)) + 1.0
        radius = 2.0 * float(np.hypot(*(here - _feet(streets, here[None], edge[[row]])[1][0]))) + 1.0
        edge[row] = -1
        tried: set[int] = set()
        while edge[row] < 0:
            near = _edges_within(trees, here, radius)
            near = near[~np.isin(near, list(tried))]
            edge[row] = _first_clear(streets, here, near, barriers)
            if radius >= everything:
                break
            tried.update(near.tolist())
            radius *= 2.0


def _edges_within(trees: Sequence[tuple[shapely.STRtree, Ints]], here: Floats, radius: float) -> Ints:
    point = shapely.points(here)
    return np.concatenate([numbers[tree.query(point, predicate="dwithin", distance=radius)] for tree, numbers in trees])


def _first_clear(streets: Streets, here: Floats, near: Ints, barriers: shapely.STRtree) -> int:
    """Return the nearest of edges that `here` reaches without crossing a barrier, or -1."""
    if not len(near):
        return -1
    many = np.repeat(here[None], len(near), axis=0)
    _, foot = _feet(streets, many, near.astype(np.int32))
    clear = ~_crossing(many, foot, barriers)
    far = np.hypot(*(many - foot).T)
    order = np.lexsort((near, np.where(streets.private[near], far - TOLERANCE_M, far)))
    order = order[clear[order]]
    return int(near[order[0]]) if len(order) else -1
