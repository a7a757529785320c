"""Snapping places to the street: points checked, attached, and their doors as a frame."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from ..core import Profile, WrongCallError, WrongValueError, say
from .arrays import Flags, Floats, Labels
from .footing import ADDED, ANEW, Asking, Attached, stand
from .nearest_edges import Barriers, barrier_tree, edge_tree
from .streets import Streets


def attach(
    streets: Streets,
    points: gpd.GeoSeries,
    *,
    barriers: Barriers | None = None,
    home: pd.Series | None = None,
    profile: Profile | None = None,
) -> pd.DataFrame:
    """Find where points reach the street: see `WalkNetwork.attach`."""
    return doors_of_points(points, standing(streets, points, barriers=barriers, home=home, profile=profile))


def told(streets: Streets, points: gpd.GeoSeries, attached: Attached) -> pd.DataFrame:
    """Return doors as a frame with how they came about: see `WalkNetwork.stand`."""
    foot, how = attached.ways.foot, attached.how
    edge = attached.feet.edge[foot]
    mouth = (edge >= 0) & streets.private[edge] & (how != ADDED)
    return doors_of_points(points, attached).assign(
        first_m=attached.first[foot], anew=how == ANEW, added=how == ADDED, mouth=mouth
    )


def standing(
    streets: Streets,
    points: gpd.GeoSeries,
    *,
    barriers: Barriers | None = None,
    home: pd.Series | None = None,
    profile: Profile | None = None,
) -> Attached:
    """Find the foot of every point, on a public edge or a lane of its own home, and the doors on public edges."""
    xy, own = coordinates(streets, points), _aligned(home, points)
    level = profile is not None and not profile.steps
    return stand(streets, Asking(xy, own, barrier_tree(barriers, streets.crs), level))


def doors_of_points(points: gpd.GeoSeries, attached: Attached, *, access: bool = True) -> pd.DataFrame:
    """Return doors as a frame: before each a straight leg (unless without `access`) and the lanes on the way are walked."""
    row, doors, metres = attached.ways
    labels = _labels_of(points)
    leg = attached.legs if access else np.where(doors.edge >= 0, 0.0, np.nan)
    return pd.DataFrame(
        {
            "place": labels if np.array_equal(row, np.arange(len(labels))) else labels.take(row),
            "edge": doors.edge,
            "at_m": doors.at,
            "access_m": leg + metres,
            "x": doors.xy[:, 0],
            "y": doors.xy[:, 1],
        },
        index=pd.RangeIndex(len(row), name="door"),
    )


def meets(streets: Streets, legs: NDArray[Any], *, barriers: Barriers | None) -> Flags:
    """Tell which straight legs meet a public street or cross a barrier: see `WalkNetwork.meets`."""
    then = streets if streets.before is None else streets.before  # a street that a plan adds stops nobody
    tree, _ = edge_tree(then, False, "")
    met = np.zeros(len(legs), np.bool_)
    met[tree.query(legs, predicate="intersects")[0]] = True
    walls = barrier_tree(barriers, streets.crs)
    if walls is not None:
        met[walls.query(legs, predicate="crosses")[0]] = True
    return met


def coordinates(streets: Streets, points: gpd.GeoSeries) -> Floats:
    """Check points and return their coordinates in the network's CRS, shape (n, 2)."""
    if not isinstance(points, (gpd.GeoSeries, gpd.GeoDataFrame)):
        raise WrongCallError(
            say("需要点的 GeoSeries（写明坐标系），而不是 {0}：gpd.GeoSeries([点], crs=…)", type(points).__name__)
        )
    points = points.geometry
    if points.crs is None and len(points):
        raise WrongValueError(say("点没有坐标系；先用 set_crs 写明"))
    shapes = points.to_numpy()
    bad = np.flatnonzero((shapely.get_type_id(shapes) != 0) | shapely.is_empty(shapes))
    if len(bad):
        names = say("、").join(str(label) for label in points.index[bad[:5]])
        raise WrongValueError(say("这些地点不是一个点（为空或是其他几何）：{0}", names))
    there = points if points.crs is None or points.crs == streets.crs else points.to_crs(streets.crs)
    xy = shapely.get_coordinates(there.to_numpy()).reshape(-1, 2)
    if not np.isfinite(xy).all():
        wrong = points.index[~np.isfinite(xy).all(axis=1)][:5]
        raise ValueError(say("这些地点不能换算到路网的坐标系：{0}", say("、").join(str(label) for label in wrong)))
    return np.ascontiguousarray(xy)


def _labels_of(points: gpd.GeoSeries) -> Labels:
    if isinstance(points.index, pd.MultiIndex):
        return pd.Series(points.index.to_flat_index(), dtype=object).to_numpy()
    if points.index.hasnans:
        raise ValueError(say("地点的编号（索引）不能为空"))
    return points.index.array


def _aligned(home: pd.Series | None, points: gpd.GeoSeries) -> NDArray[Any]:
    """Return each point's own home as text, "" for none."""
    if home is None:
        return np.full(len(points), "", object)
    if len(home) != len(points):
        raise ValueError(say("home 有 {0} 行，点有 {1} 个", len(home), len(points)))
    blank = home.isna().to_numpy()
    return np.array(["" if empty else str(name) for name, empty in zip(home, blank, strict=True)], object)
