"""What the number of a ledger row is added up from, row by row, for whoever adds it up again."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import pandas as pd

from ...access import sizes
from ...core import Rule
from ...district import District
from .base import Measure, homes_in, kinds_of, listed, open_places, require_layers, surveyed, weight_of
from .homes import by_home, first_profile
from .places import presence_of, rows_in


class Terms(NamedTuple):
    """
    What a number is made of.

    `how` says how the rows (id, name, value, weight) come to the number, `times` what that is multiplied with. "walks": the
    share of homes (`rows`: their value is what they weigh) whose points are within all of `rules`, or within how many on average.
    """

    how: str
    rows: pd.DataFrame  # index id; columns name, value, weight
    times: float = 1.0
    rules: tuple[Rule, ...] = ()
    combine: str = "all"
    sides: tuple[tuple[District, Terms], ...] = ()


def _rows(names: pd.Series, values: object, weight: object = 1.0) -> pd.DataFrame:
    return pd.DataFrame({"name": names, "value": values, "weight": weight}, index=names.index)


def _walks(district: District, m: Measure) -> Terms:
    """Homes and the walks from their points: coverage by rules, completeness by minutes to each kind."""
    _, weights, _ = by_home(district, m)
    homes, _ = homes_in(district, m)
    if m["rule"]:
        rules = tuple(district.rule(name) for name in (m["rule"], *listed(m["also_rules"])))
        combine = "all"
    else:
        walker = str(m["profile"] or first_profile(district))
        kinds = surveyed(district, kinds_of(m))
        rules = tuple(
            Rule(kind, kind, (kind,), "walk_min", math.inf, float(m["minutes"]), walker, "people") for kind in kinds
        )
        combine = "all" if m["combine"] == "all" else "mean"
    return Terms("walks", _rows(homes["name"], weights.reindex(homes.index)), 100.0, rules, combine)


def _shared(district: District, m: Measure) -> Terms:
    """Homes, the share of each that has room somewhere, and what they weigh."""
    level, weights, _ = by_home(district, m)
    homes, _ = homes_in(district, m)
    known = level.notna() & (weights > 0)
    return Terms("per", _rows(homes["name"][known], (level * weights)[known], weights[known]), 100.0)


def _communities(district: District, m: Measure) -> Terms:
    has, counts = presence_of(district, m)
    names = district.layers["communities"]["name"].reindex(has.index)
    found = counts.min(axis=1) if m["combine"] == "all" else counts.sum(axis=1)
    if m["metric"] == "communities_without":
        return Terms("lacks", _rows(names, found))
    return Terms("has share", _rows(names, found), 100.0) if m["unit"] == "%" else Terms("has", _rows(names, found))


def _count(district: District, m: Measure) -> Terms:
    rows = rows_in(district, m)
    return Terms("has", _rows(rows["name"], 1.0))


def _kinds_present(district: District, m: Measure) -> Terms:
    asked = surveyed(district, kinds_of(m))
    places, _ = open_places(district, m, kinds_of(m), one_by_one=True)
    found = places["kind"].value_counts().reindex(asked, fill_value=0)
    rows = _rows(pd.Series(district.kinds["label"].reindex(asked), dtype="object"), found)
    return Terms("has share", rows, 100.0) if m["unit"] == "%" else Terms("has", rows)


def _attribute(district: District, m: Measure) -> Terms:
    places, _ = open_places(district, m, kinds_of(m))
    values = pd.to_numeric(places[str(m["field"])], errors="coerce").dropna()
    how = str(m["aggregate"]) if m["aggregate"] in ("max", "min", "sum") else "max"
    return Terms(how, _rows(places["name"].reindex(values.index), values))


def _per_thousand(district: District, m: Measure) -> Terms:
    homes, _ = homes_in(district, m)
    places, _ = open_places(district, m, kinds_of(m))
    offered = sizes(places, str(m["field"]))
    people = weight_of(homes, str(m["weight"] or "people")).dropna()
    rows = [_rows(places["name"], offered, 0.0), _rows(homes["name"].reindex(people.index), 0.0, people)]
    return Terms("per", pd.concat(rows), float(m["per"]))


def _per_communities(district: District, m: Measure) -> Terms:
    places = district.layers["facilities"].loc[[]] if district.open_facilities is None else district.open_facilities
    places = places[places["kind"].isin(kinds_of(m)).to_numpy()]
    return Terms("has", _rows(places["name"][district.locate(places)["community"].notna().to_numpy()], 1.0))


TERMS: Mapping[str, Callable[[District, Measure], Terms]] = {
    "coverage": _walks,
    "completeness": _walks,
    "capacity": _shared,
    "communities_with": _communities,
    "communities_without": _communities,
    "count": _count,
    "kinds_present": _kinds_present,
    "attribute": _attribute,
    "per_thousand": _per_thousand,
    "per_communities": _per_communities,
}


def terms(district: District, m: Measure) -> Terms | None:
    """
    Return what a row's number is added up from; None where it is more than a sum (an area, a length, an index), or not known.

    Raises
    ------
    Lacks
        What the row cannot do without.
    """
    require_layers(district, m)
    make = TERMS.get(str(m["metric"]))
    return None if make is None else make(district, m)
