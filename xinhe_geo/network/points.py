"""Points in, frames out: measured between points as they lie, a point to itself being 0."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from ..core import TOLERANCE_M, Profile
from .arrays import Floats, Ints, Shorts
from .nearest import search_each
from .od import pair_costs, pair_frame
from .snap import attach, coordinates
from .snapped import sorted_codes, take_labels
from .streets import Streets


def between(
    streets: Streets,
    origins: gpd.GeoSeries,
    targets: gpd.GeoSeries,
    limit: float,
    profile: Profile | None,
    access: bool,
) -> pd.DataFrame:
    """Measure from every place to every place: see `WalkNetwork.metres` and `WalkNetwork.minutes`."""
    starts, ends = at_street(streets, origins, access, profile), at_street(streets, targets, access, profile)
    rows, columns, cost, names = pair_costs(streets, starts, ends, profile, limit)
    a, b = _same_points(streets, origins, targets)
    if len(a):
        here, there = sorted_codes(starts["place"])[0][a], sorted_codes(ends["place"])[0][b]
        rows, columns = np.concatenate([here, rows]), np.concatenate([there, columns])
        cost = np.concatenate([np.zeros(len(a)), cost])
        order = np.lexsort((cost, columns, rows))
        rows, columns, cost = rows[order], columns[order], cost[order]
        first = np.ones(len(rows), np.bool_)
        first[1:] = (rows[1:] != rows[:-1]) | (columns[1:] != columns[:-1])
        rows, columns, cost = rows[first], columns[first], cost[first]
    return pair_frame(rows, columns, cost, names, "metres" if profile is None else "minutes")


def nearest(
    streets: Streets, origins: gpd.GeoSeries, targets: gpd.GeoSeries, limit: float, access: bool
) -> pd.DataFrame:
    """Find the nearest target of every place: see `WalkNetwork.nearest`."""
    starts, ends = at_street(streets, origins, access, None), at_street(streets, targets, access, None)
    found = search_each(streets, starts, {"": ends}, None, limit)[""]
    _, labels = sorted_codes(ends["place"])
    target = labels.get_indexer(pd.Index(found["target"])) if len(labels) else np.full(len(found), -1)
    cost = found["cost"].to_numpy(np.float64, copy=True)
    a, b = _same_points(streets, origins, targets)
    if len(a):
        target, cost = _with_itself(target, cost, a, sorted_codes(ends["place"])[0][b])
    place, names = pd.factorize(starts["place"])
    rank = np.where(np.isfinite(cost), cost, np.inf)
    least = np.full(len(names), np.inf)
    np.minimum.at(least, place, rank)
    tied = (target >= 0) & (rank <= least[place] + TOLERANCE_M)
    best = np.full(len(names), len(labels))
    np.minimum.at(best, place[tied], target[tied])
    best[best == len(labels)] = -1
    index = pd.Index(names, name="origin")
    metres = np.where(np.isfinite(least), least, np.nan)
    return pd.DataFrame({"target": take_labels(labels, best), "metres": metres}, index=index)


def at_street(streets: Streets, points: gpd.GeoSeries, access: bool, profile: Profile | None) -> pd.DataFrame:
    """Attach points; without `access`, as if they stood on the street."""
    doors = attach(streets, points, profile=profile)
    if not access:
        doors["access_m"] = np.where(doors["edge"] >= 0, 0.0, np.nan)
    return doors


def _same_points(streets: Streets, origins: gpd.GeoSeries, targets: gpd.GeoSeries) -> tuple[Ints, Ints]:
    """Return the row numbers of points that are the same (1e-6 m, for what reprojecting does to the last bits)."""
    if not len(origins) or not len(targets):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    tree = shapely.STRtree(shapely.points(coordinates(streets, targets)))
    here = shapely.points(coordinates(streets, origins))
    a, b = tree.query(here, predicate="dwithin", distance=TOLERANCE_M)
    return a, b


def _with_itself(target: NDArray[Any], cost: Floats, rows: Ints, places: Shorts) -> tuple[NDArray[Any], Floats]:
    """Set rows that are a target themselves to that target (the first in order, if several) at cost 0."""
    itself = np.full(len(target), np.iinfo(np.int64).max)
    np.minimum.at(itself, rows, places)
    hit = np.zeros(len(target), np.bool_)
    hit[rows] = True
    level = hit & (target >= 0) & (cost <= TOLERANCE_M)
    itself[level] = np.minimum(itself[level], target[level])
    return np.where(hit, itself, target), np.where(hit, 0.0, cost)
