"""Points in, frames out: measured between points as they lie, a point to itself being 0."""

from __future__ import annotations

from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from ..core import TOLERANCE_M, Profile
from .arrays import Floats, Ints, Pieces, Shorts
from .footing import Attached
from .lanes import walked
from .nearest import search_each
from .od import pair_costs, pair_frame, pieces
from .snap import coordinates, doors_of_points, standing
from .snapped import checked_limit, sorted_codes, take_labels
from .streets import Streets


def between(
    streets: Streets, origins: Asked, targets: gpd.GeoSeries, limit: float, profile: Profile | None
) -> pd.DataFrame:
    """Measure from every place to every place: see `WalkNetwork.metres` and `WalkNetwork.minutes`."""
    points, _, access = origins
    starts, row = at_street(streets, origins, profile)
    ends, _ = at_street(streets, Asked(targets, None, access), profile)
    rows, columns, cost, names = pair_costs(streets, starts, ends, profile, limit)
    a, b = same_points(streets, points, targets)
    if len(a):
        here = sorted_codes(starts["place"])[0][np.searchsorted(row, a)]
        there = sorted_codes(ends["place"])[0][b]
        rows, columns = np.concatenate([here, rows]), np.concatenate([there, columns])
        cost = np.concatenate([np.zeros(len(a)), cost])
        order = np.lexsort((cost, columns, rows))
        rows, columns, cost = rows[order], columns[order], cost[order]
        first = np.ones(len(rows), np.bool_)
        first[1:] = (rows[1:] != rows[:-1]) | (columns[1:] != columns[:-1])
        rows, columns, cost = rows[first], columns[first], cost[first]
    return pair_frame(rows, columns, cost, names, "metres" if profile is None else "minutes")


def nearest(streets: Streets, origins: Asked, targets: gpd.GeoSeries, limit: float) -> pd.DataFrame:
    """Find the nearest target of every place: see `WalkNetwork.nearest`."""
    points, _, access = origins
    starts, row = at_street(streets, origins, None)
    ends, _ = at_street(streets, Asked(targets, None, access), None)
    found = search_each(streets, starts, {"": ends}, None, limit)[""]
    _, labels = sorted_codes(ends["place"])
    target = labels.get_indexer(pd.Index(found["target"])) if len(labels) else np.full(len(found), -1)
    cost = found["cost"].to_numpy(np.float64, copy=True)
    a, b = same_points(streets, points, targets)
    if len(a):
        target, cost = _with_itself(target, cost, np.searchsorted(row, a), sorted_codes(ends["place"])[0][b])
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


def nearest_few(streets: Streets, origins: Asked, targets: gpd.GeoSeries, limit: float, k: int) -> pd.DataFrame:
    """Find the nearest few targets of every place: see `WalkNetwork.nearest`, whose choice among equals is made again and again."""
    pairs = between(streets, origins, targets, limit, None)
    names = pd.Index(origins.points.index.unique(), name="origin")
    place, cost = names.get_indexer(pairs.index.get_level_values("origin")), pairs["metres"].to_numpy()
    row, free, found = np.arange(len(pairs)), np.ones(len(pairs), np.bool_), []
    for _ in range(k):
        least = np.full(len(names), np.inf)
        np.minimum.at(least, place[free], cost[free])
        tied = free & (cost <= least[place] + TOLERANCE_M)
        best = np.full(len(names), len(pairs))
        np.minimum.at(best, place[tied], row[tied])  # the pairs of an origin are sorted by target
        chosen = best[best < len(pairs)]
        free[chosen] = False
        found.append(chosen)
    rank = np.repeat(np.arange(1, k + 1), [len(chosen) for chosen in found])
    chosen = np.concatenate(found)
    order = np.lexsort((rank, place[chosen]))
    index = pd.MultiIndex.from_arrays([names.take(place[chosen][order]), rank[order]], names=["origin", "rank"])
    few = pairs.iloc[chosen[order]]
    return pd.DataFrame(
        {"target": few.index.get_level_values("target"), "metres": few["metres"].to_numpy()}, index=index
    )


def reach(streets: Streets, asked: Asked, limit: float, each: bool) -> Pieces:
    """Return the pieces within reach of points, those of their own lanes among them: see `WalkNetwork.reach`."""
    bound = checked_limit(limit)
    attached = _standing(streets, asked, None)
    doors = doors_of_points(asked.points, attached, access=asked.access)
    found = pieces(streets, doors, bound, None, each)
    if asked.home is None:
        return found
    place = sorted_codes(doors["place"])[0][np.searchsorted(attached.ways.foot, np.arange(len(attached.leg)))]
    leg = attached.leg if asked.access else np.zeros(len(attached.leg))
    own = walked(streets, attached.feet, bound - leg, place.astype(np.int64) * each)
    joined = (np.concatenate([there, more]) for there, more in zip((found.place, *found[3:]), own, strict=True))
    number, edge, start, stop = joined
    order = np.lexsort((start, edge, number))
    return Pieces(found.places, number[order], np.full(len(order), bound), edge[order], start[order], stop[order])


class Asked(NamedTuple):
    """Points that are asked about: the home of each (its lanes are open to it), and whether their straight legs count."""

    points: gpd.GeoSeries
    home: pd.Series | None
    access: bool


def at_street(streets: Streets, asked: Asked, profile: Profile | None) -> tuple[pd.DataFrame, Ints]:
    """Return the doors of points and the row of the point each is of; without access, as if they stood on the street."""
    attached = _standing(streets, asked, profile)
    return doors_of_points(asked.points, attached, access=asked.access), attached.ways.foot


def _standing(streets: Streets, asked: Asked, profile: Profile | None) -> Attached:
    return standing(streets, asked.points, home=asked.home, profile=profile)


def same_points(streets: Streets, origins: gpd.GeoSeries, targets: gpd.GeoSeries) -> tuple[Ints, Ints]:
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
