"""Capacity through the years: what the people of each parcel need, what they can walk to, what comes when, and what then lacks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..access import bound_of
from ..core import standing
from ..district import District, home_parcels
from ..siting import chosen_norms, places_near, whole_units
from .balance import ROUNDING
from .course import Course

#: What is told of a norm in a year.
CAPACITY_LABELS = {
    "need": "需要",
    "there": "走得到的现有",
    "coming": "方案新增",
    "short": "本地块还缺",
    "gross": "周边合计毛缺口",
    "net": "周边合计净缺口",
}


def capacity_by_year(
    course: Course, norms: str | Sequence[str] | None = None, *, years: Sequence[int] | None = None
) -> pd.DataFrame:
    """
    Say, norm by norm and year by year, whether the people of each parcel have enough within their walk.

    Parameters
    ----------
    course
        A plan on a district.
    norms
        A set of `norms.csv`, one norm, or a list of either; None: all.
    years
        By default those in which the plan does something.

    Returns
    -------
    capacity
        Index parcel, norm, year: parcels that have homes in one of the years. Columns label, unit; `people` (whom the norm
        counts, of that year), `need` (people ÷ per × amount), `there` (what they can walk to without the plan), `coming` (and what the plan
        opens), `others` (what everybody else needs who has these places as the nearest), `short` (what lacks for the parcel: need less what
        is left over for it), `to_build` (`short` in whole units, 0 below the least that is a place), `gross` and `net`: what lacks in all
        these places together, for everybody: place by place, without and with what other places have to spare. `bound` ("at_least": a
        kind only seen on a map, so that what lacks is at most so much), `standard_text`, `confidence`. Missing: 数据不足.

    Raises
    ------
    UnknownNameError, DataError
        No such norm, or one that names a kind that does not exist.
    ScenarioError
        A plan that cannot be carried out.
    """
    lines: dict[tuple[str, str, int], dict[str, object]] = {}
    told = course.years if years is None else years
    lived_on = {year: _homes_on(course.at(year)) for year in told}
    for year in told:
        made, open_before = course.at(year), course.without(year).open_facilities
        already = pd.Index([]) if open_before is None else open_before.index
        table = chosen_norms(made, norms)
        for parcel in sorted({parcel for homes in lived_on.values() for parcel in homes}):
            homes = lived_on[year].get(parcel, pd.DataFrame(columns=[*table["base"].unique()], dtype="float64"))
            for name, norm in table.iterrows():
                figures = _needed(made, norm, homes[norm["base"]].astype("float64"), already)
                line = {"label": norm["label"], "unit": norm["unit"], **figures._asdict(), **_authority(made, norm)}
                lines[parcel, str(name), int(year)] = line
    index = pd.MultiIndex.from_tuples(list(lines), names=["parcel", "norm", "year"])
    columns = ["label", "unit", *Capacity._fields, "bound", "standard_text", "confidence"]
    return pd.DataFrame(list(lines.values()), index=index, columns=columns)


class Capacity(NamedTuple):
    """What the people of a parcel need by one norm in one year, what there is, and what lacks."""

    people: float
    need: float
    there: float
    coming: float
    others: float
    short: float
    to_build: float
    gross: float
    net: float


def _homes_on(district: District) -> dict[str, pd.DataFrame]:
    """Return the homes on each parcel that has any."""
    homes, parcels = district.homes, district.parcels
    if homes is None or parcels is None:
        return {}
    return {str(parcel): own for parcel, own in homes.groupby(np.array(home_parcels(homes, parcels))) if parcel}


def _needed(district: District, norm: pd.Series, lived: pd.Series, already: pd.Index) -> Capacity:
    """Work a norm out for the homes of a parcel (`lived`: of the norm's base, index home)."""
    each = float(norm["amount"]) / float(norm["per"])
    people = float(lived.sum(skipna=False)) if len(lived) else 0.0
    near = places_near(district, norm, lived)
    need, old, others = people * each, near.index.isin(already), float(near["users"].sum()) * each
    # a place that does not say how large it is makes all that rests on it unknown
    there, coming = (float(near["size"][mask].sum(skipna=False)) for mask in (old, ~old))
    left = float(near["left"].sum(skipna=False))
    lacks = (near["users"] + near["own"]) * each - near["size"]
    nowhere = need - float(near["own"].sum()) * each
    gross = float(lacks.clip(lower=0.0).sum(skipna=False)) + nowhere
    net = float(lacks.sum(skipna=False)) + nowhere
    short, gross, net = (_nothing_if_rounding(number) for number in (need - left, gross, net))
    return Capacity(people, need, there, coming, others, short, whole_units(short, str(norm["unit"])), gross, net)


def _nothing_if_rounding(number: float) -> float:
    return 0.0 if number < ROUNDING else number


def _authority(district: District, norm: pd.Series) -> dict[str, str]:
    text = {c: "" if pd.isna(norm[c]) else str(norm[c]) for c in ("standard", "clause", "source")}
    confidence = str(norm["confidence"])
    said = standing(confidence, text["standard"], text["clause"], text["source"])
    return {
        "bound": bound_of(district, tuple(str(norm["kinds"]).split(";"))),
        "standard_text": said,
        "confidence": confidence,
    }


def first_short(capacity: pd.DataFrame) -> pd.Series:
    """
    Return the first year in which something lacks.

    Parameters
    ----------
    capacity
        What `capacity_by_year` gives.

    Returns
    -------
    year
        Index parcel, norm: those that fall short in one of the years.
    """
    short = capacity[(capacity["short"] > 0).to_numpy()].reset_index("year")
    first: pd.Series = short.groupby(level=["parcel", "norm"], sort=False)["year"].min()
    return first
