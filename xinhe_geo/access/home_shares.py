"""From points to homes: shares within a limit, medians, and the facility most points are nearest to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..core import TOLERANCE_M, Rule

#: Minutes carry the rounding of their metres.
TOLERANCE_MIN = 1e-8
#: Unserved shares below this are rounding, not people.
SHARE_TOLERANCE = 1e-9


#: What the three methods compare with their limits.
COST_COLUMNS = ("straight_metres", "metres", "minutes")


def within_limit(costs: Mapping[str, ArrayLike] | pd.DataFrame, rule: Rule, method: str) -> np.ndarray:
    """Return which points are within the rule's limit by a method; the limit itself is within."""
    if method == "walk_min":
        return np.asarray(costs["minutes"]) <= rule.minutes + TOLERANCE_MIN
    return np.asarray(costs["straight_metres" if method == "buffer" else "metres"]) <= rule.metres + TOLERANCE_M


class PointsOfHomes(NamedTuple):
    """The points of each home lie together: where each home begins, how many it has, and the homes in that order."""

    start: np.ndarray
    size: np.ndarray
    names: pd.Index
    code: np.ndarray  # home number of each point
    weight: np.ndarray


def points_of_homes(points: gpd.GeoDataFrame) -> PointsOfHomes:
    """Return where each home's points lie among `home_points`."""
    home = points["home"].to_numpy(dtype=object)
    start = np.flatnonzero(np.r_[len(home) > 0, home[1:] != home[:-1]])
    count = np.diff(np.r_[start, len(home)])
    code = np.repeat(np.arange(len(start)), count)
    return PointsOfHomes(start, count, pd.Index(home[start], name="home"), code, points["weight"].to_numpy())


def share_within(homes: PointsOfHomes, within: np.ndarray) -> np.ndarray:
    """Return the share of each home's points that are within; points, and homes, along the last axis."""
    share = np.add.reduceat(within * homes.weight, homes.start, axis=-1)
    return np.where(share < 1 - SHARE_TOLERANCE, share, 1.0)


def median_by_home(homes: PointsOfHomes, values: ArrayLike) -> np.ndarray:
    """Return the (lower) median over each home's points; a point that cannot get there is farther than any that can."""
    cost = np.asarray(values, dtype=float)
    ranked = np.where(np.isnan(cost), np.inf, cost)
    several = np.repeat(homes.size > 1, homes.size)  # a city's homes are mostly of one point: nothing to rank
    some = ranked[several]
    order, short = np.argsort(some), np.min_scalar_type(len(homes.size))  # short numbers sort faster
    ranked[several] = some[order[np.argsort(homes.code[several][order].astype(short), kind="stable")]]
    median = ranked[homes.start + (homes.size - 1) // 2]
    return np.where(np.isfinite(median), median, np.nan)


def most_common(homes: PointsOfHomes, facility: pd.Series) -> np.ndarray:
    """Return the facility nearest for most of each home's points, missing where none; ties by id."""
    number, names = pd.factorize(facility)
    order = np.argsort(
        np.asarray(names, dtype=object), kind="stable"
    )  # of the few, which pandas would sort with all rows
    number, names = np.append(np.argsort(order), -1)[number], names[order]
    there = number >= 0
    found = np.full(len(homes.names), np.nan, dtype=object)
    several = np.repeat(homes.size > 1, homes.size)
    alone = there & ~several
    found[homes.code[alone]] = np.asarray(names)[number[alone]]
    there &= several
    if there.any():
        count = len(names)
        pair, n = np.unique(homes.code[there] * count + number[there], return_counts=True)
        home, which = pair // count, pair % count
        order = np.lexsort((which, -n, home))
        first = order[np.unique(home[order], return_index=True)[1]]
        found[home[first]] = np.asarray(names)[which[first]]
    return found
