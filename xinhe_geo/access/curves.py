"""Cumulative curves: which share of the people has a kind within so many minutes' walk."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from ..core import Profile, UnknownNameError
from ..district import District
from .coverage import GROUPINGS, home_facts, is_surveyed, nearest_of_any
from .entrances import home_points
from .home_shares import TOLERANCE_MIN, points_of_homes, share_within
from .od_table import od_tables


def curve(
    district: District,
    rule: str,
    *,
    profile: str | Profile | None = None,
    by: str | None = None,
    minutes: Iterable[float] = range(61),
) -> pd.DataFrame:
    """
    Return, minute by minute, who has reached the nearest of what a rule asks for.

    Parameters
    ----------
    district
        What `District.load` opened; it stays as it was.
    rule
        Name of a rule, or a kind: the rule that leads it.
    profile
        Who walks, instead of the rule's own profile.
    by
        A grouping ("zone", "area", "community", "grid"); None for the whole district.
    minutes
        The minutes that are looked at.

    Returns
    -------
    curve
        MultiIndex (group, minute); the whole district is group "", homes in no group are in group missing. `share` (0-1, of the rule's
        own denominator; of the residents where that is communities; missing where nothing is known) and `people` (residents).
        At the limit of a rule that is judged by walking time the share is the one of its headline.

    Raises
    ------
    UnknownNameError
        No such rule, kind, profile or grouping.
    """
    if rule not in district.rules.index and rule in district.kinds.index:
        rule = str(district.kinds.loc[rule, "rule"])
    own, homes = district.rule(rule), district.homes
    if by is not None and by not in GROUPINGS:
        raise UnknownNameError("分组", by, GROUPINGS)
    limits = np.array([float(minute) for minute in minutes])
    if homes is None or homes.empty or not is_surveyed(district, own.kinds):
        return _table([], [], limits)
    walker = district.profile(own.profile if profile is None else profile)
    cost = nearest_of_any(od_tables(district, own.kinds, profile=walker), own.kinds)["minutes"].to_numpy(dtype=float)
    points = points_of_homes(home_points(district))
    facts = home_facts(district, homes).reindex(points.names)
    facts["homes"] = 1.0
    wanted = "people" if own.denominator == "community" else own.denominator
    weight, people = (facts[column].to_numpy(dtype=float) for column in (wanted, "people"))
    served = np.array([share_within(points, cost <= limit + TOLERANCE_MIN) for limit in limits])
    groups = pd.Series("", index=facts.index, dtype="object") if by is None else facts[by].astype("object")
    codes, names = pd.factorize(groups, use_na_sentinel=False)
    order = [int(i) for i in np.argsort([str(name) for name in names], kind="stable")]
    parts = []
    for code in order:
        mine = codes == code
        total = np.nansum(weight[mine])
        share = (served[:, mine] * np.nan_to_num(weight[mine])).sum(axis=1) / (total if total > 0 else np.nan)
        counted = (served[:, mine] * np.nan_to_num(people[mine])).sum(axis=1)
        parts.append((share, counted if np.isfinite(people[mine]).any() else np.full(len(limits), np.nan)))
    return _table([names[code] for code in order], parts, limits)


def _table(groups: list[object], parts: list[tuple[np.ndarray, np.ndarray]], limits: np.ndarray) -> pd.DataFrame:
    index = pd.MultiIndex.from_product([groups, limits], names=["group", "minute"])
    empty: tuple[np.ndarray, np.ndarray] = (np.empty(0), np.empty(0))
    share, people = (np.concatenate([empty[i], *(part[i] for part in parts)]) for i in (0, 1))
    return pd.DataFrame({"share": share, "people": people}, index=index)
