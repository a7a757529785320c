"""
Whether there is enough, not only whether there is something: supply shared out among those who can walk to it.

The enhanced two-step floating catchment (Luo and Qi 2009). First every place shares its supply among the people within its
catchment, near ones counting more than far ones; then everybody adds up what falls to them:

    R_j = S_j / sum_k P_k w(c_kj)          A_i = sum_j R_j w(c_ij)

What is shared out is what there is: ``sum_i P_i A_i = sum_j S_j`` over the places that anybody can walk to. The weights `w`
are data (`decays.csv`): a table of zones, each with its outer limit and its weight.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd

from ..core import DataError, Problem, Profile, UnknownNameError, problems_table, say
from ..district import District
from .entrances import home_points, places_open
from .home_shares import TOLERANCE_MIN
from .od_table import pairs

#: What a place's size is taken from: a column of the facilities, or each place counting as one.
COUNT = "count"


def floating_catchment(
    costs: pd.Series, supply: pd.Series, demand: pd.Series, *, decay: pd.Series, tolerance: float = TOLERANCE_MIN
) -> pd.DataFrame:
    """
    Share the supply of places out among the demand around them: enhanced two-step floating catchment.

    Parameters
    ----------
    costs
        MultiIndex (origin, target), one cost per pair (minutes or metres); pairs that are absent cannot be walked.
    supply
        Index target: what each place offers, in any unit; 0 or more.
    demand
        Index origin: how many people; 0 or more, missing where unknown (an unknown origin gets nothing and takes nothing).
    decay
        Index: outer limits of the zones, in the unit of `costs`; values: weights, 0 or more. Beyond the last limit a place is
        out of reach. One zone of weight 1 is the plain two-step method.
    tolerance
        A cost may exceed a limit by as much: sums of lengths carry rounding in the last bits.

    Returns
    -------
    shares
        Index origin, in the order of `demand`: `demand`; `within` (whether any place lies in a zone with a weight); `supply` (how
        much of the supply falls to it); `ratio` (supply per unit of demand, missing where the demand is 0 or unknown).

    Raises
    ------
    ValueError
        Negative numbers, zones out of order, or pairs of unknown places.

    Notes
    -----
    Over all origins `supply` adds up to the supply of all places that anybody with demand can walk to.
    """
    _refuse_odd(costs, supply, demand, decay)
    origin = costs.index.get_level_values(0)
    target = costs.index.get_level_values(1)
    zone = np.searchsorted(decay.index.to_numpy(dtype=float) + tolerance, costs.to_numpy(dtype=float), side="left")
    weight = np.append(decay.to_numpy(dtype=float), 0.0)[zone]
    people = demand.reindex(origin).fillna(0.0).to_numpy(dtype=float)
    pull = pd.Series(people * weight)
    crowd = pull.groupby(np.asarray(target)).transform("sum").to_numpy()
    offered = supply.reindex(target).to_numpy(dtype=float)
    part = np.divide(pull.to_numpy() * offered, crowd, out=np.zeros(len(pull)), where=crowd > 0)
    got = pd.Series(part).groupby(np.asarray(origin)).sum().reindex(demand.index).fillna(0.0)
    near = pd.Series(weight > 0).groupby(np.asarray(origin)).any().reindex(demand.index)
    known = demand.where(demand > 0).astype("float64")
    return pd.DataFrame(
        {
            "demand": demand.astype("float64"),
            "within": near.eq(True).to_numpy(dtype=bool),
            "supply": got.to_numpy(dtype=float),
            "ratio": got.to_numpy(dtype=float) / known.to_numpy(),
        },
        index=demand.index,
    )


def _refuse_odd(costs: pd.Series, supply: pd.Series, demand: pd.Series, decay: pd.Series) -> None:
    limits = decay.index.to_numpy(dtype=float)
    if not len(decay) or (np.diff(limits) <= 0).any() or limits[0] < 0 or not np.isfinite(limits).all():
        raise ValueError(say("衰减的圈层要从小到大，且至少有一圈"))
    for values, what in ((supply, "供给"), (demand.dropna(), "需求"), (decay, "权重"), (costs, "距离或时间")):
        if not (np.asarray(values, dtype=float) >= 0).all():
            raise ValueError(say("{0}不能为负，也不能缺", say(what)))
    for level, known, what in ((0, demand, "起点"), (1, supply, "设施")):
        strange = set(costs.index.unique(level)) - set(known.index)
        if strange or not known.index.is_unique:
            raise ValueError(
                say("{0}的编号对不上：{1}", say(what), say("、").join(sorted(map(str, strange))[:5]) or say("有重复"))
            )


def decay_of(district: District, name: str) -> pd.Series:
    """
    Return a distance decay of `decays.csv`: index outer limit of each zone in minutes, ascending; values weights.

    Raises
    ------
    UnknownNameError
        No such decay.
    DataError
        Two of its zones have the same limit.
    """
    table = district.rows["decays"]
    own = table[(table["decay"] == name).to_numpy()].sort_values("minutes", kind="stable")
    if own.empty:
        raise UnknownNameError("距离衰减", name, list(dict.fromkeys(table["decay"])))
    if own["minutes"].duplicated().any():
        row = str(own.index[own["minutes"].duplicated()][0])
        file = str(district.files.loc["decays", "file"])
        problem = Problem(
            "error", "decays", file, row, "minutes", say("{0} 有两圈的上限相同", name), say("每一圈写自己的上限")
        )
        raise DataError(problems_table([problem]), district.folder.name)
    return pd.Series(own["weight"].to_numpy(dtype=float), index=pd.Index(own["minutes"].to_numpy(dtype=float)))


def sizes(facilities: gpd.GeoDataFrame, field: str) -> pd.Series:
    """
    Return how much each place offers: a column of the facilities, or 1 each where `field` is "count"; missing is unknown.

    Raises
    ------
    ValueError
        Sizes in different units cannot be added; the message names them.
    """
    if field == COUNT:
        return pd.Series(1.0, index=facilities.index)
    values = pd.to_numeric(facilities[field], errors="coerce").astype("float64")
    units = list(dict.fromkeys(facilities.loc[values.notna(), "capacity_unit"].dropna())) if field == "capacity" else []
    if len(units) > 1:
        raise ValueError(say("规模单位不一致：{0}", say("、").join(map(str, units))))
    return values


class Need(NamedTuple):
    """
    What is enough, for whom, and how far they walk for it.

    Attributes
    ----------
    norm, per
        `norm` units of supply for every `per` people are enough.
    decay
        A distance decay of `decays.csv`; its last limit is how far anybody walks.
    field
        "count" (each place is one unit), or a numeric column of the facilities ("capacity", "floor_area_m2").
    weight
        Who needs it: a column of the homes ("people", "people_60plus", "households").
    """

    norm: float
    per: float
    decay: str
    field: str = COUNT
    weight: str = "people"


def within_capacity(
    district: District, kinds: Sequence[str], need: Need, *, profile: str | Profile = "adult"
) -> pd.DataFrame:
    """
    Say how many people of each home have a place within reach, and how many find room in it.

    Parameters
    ----------
    kinds
        Kinds that serve the same need; their supply is added.
    need
        What is enough, for whom.
    profile
        Who walks.

    Returns
    -------
    homes
        Index home. `demand`, `within` (of these, with a place in reach), `served` (of these, with enough of it), `supply` (units
        that fall to the home), `ratio` (units per `per` people), `short` (units missing to the norm), all missing where the demand
        is unknown; `zone`, `area`, `community`.

    Raises
    ------
    UnknownNameError
        No such decay or profile.
    ValueError
        A place without a size, sizes in different units, or a norm that is not positive.

    Notes
    -----
    Computed at the points that stand for each home. Who lives outside the district is unknown: places they share look emptier
    than they are. More than the norm in one home does not make up for less in another.
    """
    norm, per, weight = need.norm, need.per, need.weight
    if not (norm > 0 and per > 0 and math.isfinite(norm * per)):
        raise ValueError(say("应有数和每多少人都要大于 0"))
    zones, walker = decay_of(district, need.decay), district.profile(profile)
    places = places_open(district, inside_only=False)
    homes, points = district.layers.get("homes"), home_points(district)
    if homes is None or "facilities" not in district.layers:
        raise ValueError(say("没有小区或设施图层"))
    offered = sizes(places[places["kind"].isin(kinds).to_numpy()], need.field)
    if offered.isna().any():
        raise ValueError(say("{0} 处中 {1} 处没有填规模", len(offered), int(offered.isna().sum())))
    people = points["weight"] * points["home"].map(homes[weight].astype("float64"))
    costs = pairs(district, kinds, profile=walker, minutes=float(zones.index[-1]))
    shared = floating_catchment(costs, offered, people, decay=zones)
    enough = shared["demand"] * (shared["ratio"] * per / norm).clip(upper=1.0)
    rows = (
        pd.DataFrame(
            {
                "demand": shared["demand"],
                "within": shared["demand"].where(shared["within"], 0.0),
                "served": enough.where(shared["demand"] > 0, 0.0),
                "supply": shared["supply"],
            }
        )
        .groupby(points["home"].to_numpy())
        .sum()
        .reindex(homes.index)
    )
    rows = rows.where(homes[weight].notna())
    rows["ratio"] = rows["supply"] / rows["demand"].where(rows["demand"] > 0) * per
    rows["short"] = (rows["demand"] - rows["served"]) * norm / per
    return rows.join(district.groups[["zone", "area", "community"]])
