"""What the number of a ledger row is added up from, row by row, for whoever adds it up again."""

from __future__ import annotations

import math

import pandas as pd

from ...core import Rule, listed
from ...district import District
from .base import SCOPE_LAYERS, Lacks, Measure, Terms, classes_of, homes_in, kinds_of, parts, pick, surveyed
from .homes import by_home, first_profile, mean_by_group
from .places import presence_of, residents
from .registry import evaluate, kept, states_of


def terms(district: District, m: Measure) -> Terms | None:
    """
    Return what a row's number is added up from, found once; None where there is no number.

    Raises
    ------
    Lacks
        What the row cannot do without.
    """
    return kept(district, m, "terms", lambda where: _terms(where, m))


def _terms(district: District, m: Measure) -> Terms | None:
    if m["metric"] == "change":
        return _change(district, m)
    if m["metric"] == "difference":
        one, other = (_walks(district, m, group) for group in listed(m["codes"])[:2])
        return _minus((district, other), (district, one))
    if m["metric"] in ("coverage", "completeness"):
        return _walks(district, m, _lowest(district, m))
    return evaluate(district, m).terms


def missed_by_home(district: District, m: Measure) -> pd.Series | None:
    """Return how much of what each home of a row's scope counts is behind its gap; index home; None where that is not told by homes."""
    if m["metric"] not in ("coverage", "capacity"):
        return None
    try:
        level, weight, _ = by_home(district, m)
    except Lacks:
        return None
    missed: pd.Series = ((1.0 - level) * weight).dropna()
    return missed


def lacking_people(district: District, m: Measure) -> pd.Series | None:
    """Return who lives in each community that a row finds to lack something; index community; None where that is not what it asks."""
    if m["metric"] not in ("communities_with", "communities_without"):
        return None
    has, _ = presence_of(district, m)
    return residents(district, m, has.index[~has]).counts


def _walks(district: District, m: Measure, group: str = "") -> Terms:
    """Homes (of a group) and the walks from their points: coverage by rules, completeness by minutes to each class of kinds."""
    _, weights, _ = by_home(district, m)
    names = homes_in(district, m)[0]["name"]
    if group:
        rows = pick(district, SCOPE_LAYERS[str(m["group"])], group).index
        names = names[district.groups[str(m["group"])].reindex(names.index).isin(rows).to_numpy()]
    counted = parts(names, weights.reindex(names.index))
    if m["rule"]:
        rules = tuple(district.rule(name) for name in (m["rule"], *listed(m["also_rules"])))
        return Terms("walks", counted, 100.0, rules)
    walker, known = str(m["profile"] or first_profile(district)), set(surveyed(district, kinds_of(m)))
    rules = tuple(
        Rule("|".join(one), "", tuple(one), "walk_min", math.inf, float(m["minutes"]), walker, "people")
        for one in classes_of(m)
        if known.issuperset(one)
    )
    return Terms("walks", counted, 100.0, rules, "all" if m["combine"] == "all" else "mean")


def _lowest(district: District, m: Measure) -> str:
    """Return the code of the group of a row of completeness that its number is of, "" where it is of all homes."""
    if m["metric"] != "completeness" or not m["group"]:
        return ""
    level, weights, _ = by_home(district, m)
    return str(mean_by_group(district, m, level, weights).index[0])


def _change(district: District, m: Measure) -> Terms | None:
    """Both states of a row; of a difference between groups its size counts."""
    of, found = m["changed"], []
    for state in states_of(district, m)[:2]:
        side = terms(state, of)
        if side is None:
            return None
        if of["metric"] == "difference" and evaluate(state, of).value < 0:
            side = side._replace(times=-side.times)
        found.append((state, side))
    return _minus(*found)


def _minus(before: tuple[District, Terms], after: tuple[District, Terms]) -> Terms:
    return Terms("minus", pd.DataFrame(), sides=(before, after))
