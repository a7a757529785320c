"""The nearest edge that may be used, found by its index; the foot of the straight leg on it; barriers that no leg crosses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import geopandas as gpd
import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray

from ..core import TOLERANCE_M
from .arrays import Flags, Floats, Ints, Shorts
from .lanes import Feet
from .streets import Streets

#: Lines that no straight leg crosses, in the network's CRS.
Barriers: TypeAlias = gpd.GeoSeries | gpd.GeoDataFrame | Sequence[shapely.Geometry] | NDArray[Any]
#: An index of some edges, and their numbers.
EdgeTree: TypeAlias = tuple[shapely.STRtree, Ints]
#: Steps of a barrier that are held against a leg together: a river of thousands would be walked along for each leg.
PIECE = 16
#: Of so many legs those that surely cross something near are left out first.
MANY = 200
#: Nearer than this, in metres, whether a leg crosses or touches is asked of the shapes themselves.
TOUCHING_M = 1e-6


def nearest_edges(
    streets: Streets,
    xy: Floats,
    own: NDArray[Any],
    barriers: shapely.STRtree | None,
    tree_of: Callable[[str], EdgeTree],
) -> Shorts:
    """Return the nearest edge of each point that its leg reaches without crossing a barrier; -1 where there is none.

    Parameters
    ----------
    own
        The home of each point, "" for none.
    tree_of
        The edges open to everybody ("") or to one home alone.
    """
    edge = np.full(len(xy), -1, np.int32)
    # a home without lanes of its own goes with everybody: a city has a hundred thousand of them
    names, number = np.unique(np.asarray(own, dtype=object).astype(str), return_inverse=True)
    with_lanes = set(streets.home_names) - {""}
    alone = np.array([name in with_lanes and len(tree_of(str(name))[1]) > 0 for name in names], dtype=bool)
    own = np.where(alone, names, "")[number]
    for name in sorted({"", *own}):
        rows = np.flatnonzero(own == name)
        if not len(rows):
            continue
        open_to = ["", name] if name else [""]
        trees = [tree for tree in map(tree_of, open_to) if len(tree[1])]
        if not trees:
            continue
        edge[rows] = _nearest_of(trees, xy[rows], streets.private)
        if barriers is not None:
            _around_barriers(streets, xy, rows, edge, trees, barriers)
    return edge


def edge_tree(streets: Streets, level: bool, home: str) -> EdgeTree:
    """
    Return an index of the edges open to everybody (home "") or to one home alone, and their numbers.

    `level`: of those without stairs.
    """
    key = ("now", home, level)
    if key not in streets.trees:
        homes = streets.home_names
        mine = homes[streets.row] == home
        if level:
            mine &= ~streets.steps
        streets.trees[key] = tree_among(streets, mine)
    return streets.trees[key]


def tree_among(streets: Streets, some: Flags) -> EdgeTree:
    """Return an index of some edges, and their numbers."""
    numbers = np.flatnonzero(some)
    return shapely.STRtree(streets.lines[numbers]), numbers


def _nearest_of(trees: Sequence[EdgeTree], xy: Floats, private: Flags) -> Shorts:
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


def feet_on(streets: Streets, xy: Floats, edge: Shorts) -> Feet:
    """Return the nearest points of given edges; for edge -1, nowhere."""
    from . import kernel_lines

    at = np.full(len(xy), np.nan)
    foot = np.full((len(xy), 2), np.nan)
    on = np.flatnonzero(edge >= 0)
    part_at, part_foot = np.empty(len(on)), np.empty((len(on), 2))
    x, y = np.ascontiguousarray(xy[on, 0]), np.ascontiguousarray(xy[on, 1])
    kernel_lines.feet(streets.course, x, y, edge[on].astype(np.int32), part_at, part_foot)
    at[on], foot[on] = part_at, part_foot
    return Feet(edge, at, foot)


def barrier_tree(barriers: Barriers | None, crs: pyproj.CRS) -> shapely.STRtree | None:
    """Return an index of barriers, None where there are none."""
    if barriers is None:
        return None
    lines: Barriers = barriers
    if isinstance(barriers, (gpd.GeoSeries, gpd.GeoDataFrame)):
        shapes = barriers.geometry
        there = shapes if shapes.crs is None or shapes.crs == crs else shapes.to_crs(crs)
        lines = there.to_numpy()
    lines = np.asarray(lines, object)
    return shapely.STRtree(np.concatenate([_pieces(line) for line in lines])) if len(lines) else None


def _pieces(line: shapely.Geometry) -> np.ndarray:
    """Cut a long line into short ones, each of which has its first step in common with the one before: no crossing is lost between."""
    whole = np.array([line], dtype=object)
    if line.geom_type != "LineString" or shapely.get_num_points(line) <= 2 * PIECE:
        return whole
    xy = shapely.get_coordinates(line)
    starts = np.arange(0, len(xy) - 2, PIECE - 1)
    closing = [xy[[-2, 0, 1]]] if np.array_equal(xy[0], xy[-1]) else []
    return shapely.linestrings(
        np.concatenate(runs := [*(xy[at : at + PIECE + 1] for at in starts), *closing]),
        indices=np.repeat(np.arange(len(runs)), [len(run) for run in runs]),
    )


def crossing(start: Floats, stop: Floats, barriers: shapely.STRtree) -> Flags:
    """Return which straight legs cross a barrier; beginning or ending on one is no crossing."""
    legs = shapely.linestrings(np.stack([start, stop], axis=1)) if len(start) else np.empty(0, object)
    crossed = np.zeros(len(start), np.bool_)
    crossed[barriers.query(legs, predicate="crosses")[0]] = True
    return crossed


def _around_barriers(
    streets: Streets, xy: Floats, rows: Ints, edge: Shorts, trees: Sequence[EdgeTree], barriers: shapely.STRtree
) -> None:
    """Replace edges whose leg crosses a barrier by the nearest one whose leg does not, looking ever further out."""
    foot = feet_on(streets, xy[rows], edge[rows]).xy
    blocked = rows[crossing(xy[rows], foot, barriers)]
    bounds = streets.bounds
    for row in blocked:
        here = xy[row]
        corner = np.maximum(np.abs(here - bounds[:2]), np.abs(here - bounds[2:]))
        everything = float(np.hypot(*corner)) + 1.0
        radius = 2.0 * float(np.hypot(*(here - feet_on(streets, here[None], edge[[row]]).xy[0]))) + 1.0
        edge[row] = -1
        tried = np.empty(0, np.int64)
        while edge[row] < 0:
            near = np.setdiff1d(_edges_within(trees, here, radius), tried)
            edge[row] = _first_clear(streets, here, near, barriers, radius)
            if radius >= everything or (edge[row] < 0 and len(near) > MANY and _shut_in(here, barriers, radius)):
                break
            tried = np.concatenate([tried, near])
            radius *= 2.0


def _shut_in(here: Floats, barriers: shapely.STRtree, radius: float) -> bool:
    """Return whether barriers within a radius stand all around, so that no leg leads further out (from between two banks of a river)."""
    walls = barriers.geometries[barriers.query(shapely.points(here), predicate="dwithin", distance=radius)]
    walls = walls[shapely.get_type_id(walls) == shapely.GeometryType.LINESTRING]
    xy, of = shapely.get_coordinates(walls, return_index=True)
    if not len(xy):
        return False
    angle, away = np.arctan2(*(xy - here).T[::-1]), np.hypot(*(xy - here).T)
    begins = np.flatnonzero(np.diff(of, prepend=-1))
    # walking along a wall one looks from its least angle to its greatest: whatever lies between is behind it
    step = np.diff(angle, prepend=angle[0])
    step = (step + np.pi) % (2.0 * np.pi) - np.pi
    step[begins] = 0.0
    turned = np.cumsum(step)
    seen = (angle - turned)[begins][of] + turned
    low, high = np.minimum.reduceat(seen, begins), np.maximum.reduceat(seen, begins)
    clear = (away < radius) & (away > TOUCHING_M) & (np.abs(step) < np.pi - TOUCHING_M)
    whole = np.minimum.reduceat(clear, begins)
    low, high = low[whole], high[whole]
    order = np.argsort(low % (2.0 * np.pi))
    start, stop = (low % (2.0 * np.pi))[order], (low % (2.0 * np.pi) + high - low)[order]
    if not len(start):
        return False
    reached = np.maximum.accumulate(stop) - TOUCHING_M
    return bool((start[1:] < reached[:-1]).all() and reached[-1] > start[0] + 2.0 * np.pi)


def _edges_within(trees: Sequence[EdgeTree], here: Floats, radius: float) -> Ints:
    point = shapely.points(here)
    return np.concatenate([numbers[tree.query(point, predicate="dwithin", distance=radius)] for tree, numbers in trees])


def _first_clear(streets: Streets, here: Floats, near: Ints, barriers: shapely.STRtree, radius: float) -> int:
    """Return the nearest of edges within a radius that `here` reaches without crossing a barrier, or -1."""
    if not len(near):
        return -1
    foot = feet_on(streets, np.repeat(here[None], len(near), axis=0), near.astype(np.int32)).xy
    if (
        len(near) > MANY
    ):  # whoever stands behind a river sees nothing beyond it: the long legs need not be asked one by one
        open_ = ~_shut(here, foot, barriers, radius / 4.0)
        near, foot = near[open_], foot[open_]
    many = np.repeat(here[None], len(near), axis=0)
    clear = ~crossing(many, foot, barriers)
    far = np.hypot(*(many - foot).T)
    order = np.lexsort((near, np.where(streets.private[near], far - TOLERANCE_M, far)))
    order = order[clear[order]]
    return int(near[order[0]]) if len(order) else -1


def _shut(here: Floats, foot: Floats, barriers: shapely.STRtree, radius: float) -> Flags:
    """Return which legs surely cross one of the barriers within a radius: both pairs of ends lie clearly on either side."""
    from . import kernel_lines

    walls = barriers.geometries[barriers.query(shapely.points(here), predicate="dwithin", distance=radius)]
    xy, of = shapely.get_coordinates(walls, return_index=True)
    same = of[1:] == of[:-1]
    shut = np.zeros(len(foot), np.bool_)
    kernel_lines.shut(foot - here, xy[:-1][same] - here, xy[1:][same] - here, TOUCHING_M, shut)
    return shut
