"""Capacity through the years: what the people of each parcel need, what they can walk to, what comes when, and what then lacks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..access import EXACT, bound_of
from ..core import say, standing
from ..district import District, home_parcels
from ..siting import at_homes, chosen_norms, places_near, unmet, whole_units
from .balance import ROUNDING
from .course import Course

#: What is told of a norm in a year.
CAPACITY_LABELS = {
    "need": "需要",
    "there": "走得到的现有",
    "coming": "方案新增",
    "left": "别人先用后留给本地块",
    "short": "本地块还缺",
    "gross": "周边合计毛缺口",
    "net": "周边合计净缺口",
}


def capacity_by_year(
    course: Course,
    norms: str | Sequence[str] | None = None,
    *,
    years: Sequence[int] | None = None,
    parcels: Collection[str] | None = None,
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
    parcels
        Some of them, by id; None: all.

    Returns
    -------
    capacity
        Index parcel, norm, year: parcels that have homes in one of the years. Columns label, unit; `people` (whom the norm
        counts, of that year), `need` (people ÷ per × amount), `there` (what they have at home and can walk to without the plan), `coming` (and
        what the plan adds), `others` (what everybody else needs who has these places as the nearest), `left` (what of it is for the parcel: at
        home what it needs, elsewhere what others leave over), `short` (what lacks for the parcel: need less `left`), `to_build` (`short` in
        whole units, 0 below the least that is a place), `gross` and `net`: what lacks in all
        these places together, for everybody: place by place, without and with what other places have to spare. `silent` (how many homes do
        not say what they have of their own, where the norm asks for it: what lacks is then at most so much). `bound` ("at_least": a
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
    asked = sorted({p for homes in lived_on.values() for p in homes if parcels is None or p in parcels})
    for year in told:
        made, without = course.at(year), course.without(year)
        open_before = without.open_facilities
        already = pd.Index([]) if open_before is None else open_before.index
        table = chosen_norms(made, norms)
        for parcel in asked:
            homes = lived_on[year].get(parcel, pd.DataFrame(columns=[*table["base"].unique()], dtype="float64"))
            for name, norm in table.iterrows():
                figures = _needed((without, made), norm, homes[norm["base"]].astype("float64"), already)
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
    left: float
    short: float
    to_build: float
    gross: float
    net: float
    silent: int


def _homes_on(district: District) -> dict[str, pd.DataFrame]:
    """Return the homes on each parcel that has any."""
    homes, parcels = district.homes, district.parcels
    if homes is None or parcels is None:
        return {}
    return {str(parcel): own for parcel, own in homes.groupby(np.array(home_parcels(homes, parcels))) if parcel}


def _needed(states: tuple[District, District], norm: pd.Series, lived: pd.Series, already: pd.Index) -> Capacity:
    """Work a norm out, without a plan and with it, for the homes of a parcel (`lived`: of the norm's base, index home)."""
    without, district = states
    each = float(norm["amount"]) / float(norm["per"])
    people = float(lived.sum(skipna=False)) if len(lived) else 0.0
    near = places_near(district, norm, lived)
    need, old, others = people * each, near.index.isin(already), float(near["users"].sum()) * each
    # what a home has of its own is for those who live there, and comes before any place outside
    own = at_homes(district, norm)
    had = at_homes(without, norm).reindex(lived.index).fillna(0.0)
    here = own.reindex(lived.index).fillna(had)
    outside = (
        float((lived * unmet(district, norm).reindex(lived.index)).sum(skipna=False)) * each if len(lived) else 0.0
    )
    # a place that does not say how large it is makes all that rests on it unknown
    there, coming = (float(near["size"][mask].sum(skipna=False)) for mask in (old, ~old))
    left = float(near["left"].sum(skipna=False))
    lacks = (near["users"] + near["own"]) * each - near["size"]
    nowhere = outside - float(near["own"].sum()) * each
    gross = float(lacks.clip(lower=0.0).sum(skipna=False)) + nowhere
    net = float(lacks.sum(skipna=False)) + nowhere
    short, gross, net = (0.0 if number < ROUNDING else number for number in (outside - left, gross, net))
    left += need - outside  # what a home has of its own nobody else takes
    there, coming = there + float(had.sum()), coming + float((here - had).sum())
    silent = int(own.isna().sum())
    return Capacity(
        people, need, there, coming, others, left, short, whole_units(short, str(norm["unit"])), gross, net, silent
    )


def at_most_in_words(bound: str, silent: int) -> str:
    """Say why what lacks is at most so much; "" where it is known."""
    told = say("（没有查全，至多如此）") if bound != EXACT else ""
    return told + (say("（{0} 个小区没有写自有的有多少，至多如此）", silent) if silent else "")


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
