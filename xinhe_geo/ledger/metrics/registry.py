"""
How a promise is measured: metrics, few and general, each bound by its name in `measures.csv`.

A metric is given a district and one row of that table, and returns what it found (`Found`): the value, what it counted in
words, the rows of which layers it touched, the gap and what would close it. What it cannot do without it names (`Lacks`).
The metrics stand in `places`, `homes`, `shapes` and `figures`, each with its record (`metric`), what they share in `base`. Verdicts are none of their
business: see `ledger`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import numpy as np

from ...core import LAYERS, XinheError, cell, language, listed, say
from ...district import District, Scenario
from . import figures, homes, places, shapes
from .base import (
    IN_COMMUNITIES,
    MEASURED,
    METRICS,
    Found,
    Lacks,
    Measure,
    Metric,
    inputs_of,
    kinds_of,
    metric,
    number_text,
    once,
    require_layers,
    short_of,
)

#: Where metrics stand: imported, they enter themselves.
ENTERED = (places, homes, shapes, figures)
__all__ = ["METRICS", "evaluate", "kept"]

T = TypeVar("T")


def evaluate(district: District, m: Measure) -> Found:
    """
    Measure one row of `measures.csv`, once.

    Raises
    ------
    Lacks
        A layer, a kind's survey or a column it cannot do without.
    """

    def measured(where: District) -> Found:
        require_layers(where, m)
        return MEASURED[str(m["metric"])](where, m)

    return kept(district, m, "found", measured)


def kept(district: District, m: Measure, what: str, make: Callable[[District], T]) -> T:
    """Return what is made of a row of `measures.csv`, made once; where all it rests on is as in a district before, there."""

    def made() -> T:
        same = unchanged(district, m)
        if same is not None:
            return kept(same, m, what, make)
        then = unchanged(district, m, year=False) if what == "found" else None
        if then is not None:
            with suppress(Lacks):  # what is lacking may be said of a year
                return kept(then, m, what, make)
        return make(district)

    return once(district, (what, m["measure"], language()), made)


#: What a plan may change without changing every row: the rows that do not rest on it stay as they were.
_TOUCHED = {"streets", "gates", "entrances", "extra_links", "closures", "facilities", "own_facilities", "homes"}
_TOUCHED |= {"parcel_facts"}
_UNTOUCHED = [name for name in LAYERS if name not in _TOUCHED]


def unchanged(district: District, m: Measure, *, year: bool = True) -> District | None:
    """
    Return a district this one was made from, or beside, where a measure comes to the same; None where there is none.

    Without `year` one of another year will do, where the metric says nothing of the year itself.
    """
    own = METRICS[str(m["metric"])]
    if not own.declared or not (year or not (own.dated or district.with_planned)):  # what is due depends on the year
        return None
    names = [m["rule"], *listed(m["also_rules"])]
    kinds = {*kinds_of(m), *listed(m["near_kinds"])}
    kinds |= {kind for name in names if name for kind in district.rule(name).kinds}
    reads = set(inputs_of(district, m)) | ({"homes"} if m["metric"] in IN_COMMUNITIES else set())  # none is a state too
    reads |= {"streets", "gates", "entrances"} if names[0] or "streets" in reads else set()
    reads |= {"parcel_facts"} if m["metric"] == "series" else set()
    if kinds and "facilities" not in (m["layer"], m["other_layer"]) and year:
        reads -= {"facilities", "own_facilities"}
    same = district.kin([*_UNTOUCHED, *(_TOUCHED & reads)], kinds, state=True, year=year)
    if same is not None and "facilities" in reads and district.with_planned != same.with_planned:
        return None
    return same


@metric(
    "change",
    Metric("变化", "同一条量法现在的数 − 基期的数；或方案做成后的数 − 做之前的数（两组之差取绝对值）", columns=("of",)),
)
def _change(district: District, m: Measure) -> Found:
    """How another row has changed since a year, or would be changed by a plan; of a difference its size."""
    of = m["changed"]
    before, after, names = states_of(district, m)
    found = [evaluate(state, of) for state in (before, after)]
    values = [abs(one.value) if of["metric"] == "difference" else one.value for one in found]
    if not all(np.isfinite(values)):
        raise Lacks(say("{0}的数不全，算不出变化", cell(of, "label")))
    value, unit = values[1] - values[0], str(of["unit"])
    said = say(
        "{0}：{1} {2}，{3} {4}",
        cell(of, "label"),
        names[0],
        number_text(values[0], unit),
        names[1],
        number_text(values[1], unit),
    )
    touched = {**found[0].touched, **found[1].touched}
    return Found(value, said, touched, short_of(m, value), note=found[1].note)


def _carried_out(district: District, plan: Scenario) -> District:
    """Carry out a plan; what it comes to in the district before this one need not be found again."""
    after, same = plan.on(district), district.kin(())
    with suppress(XinheError):  # there it may contradict
        if same is not None:
            after.akin_to(once(same, ("plan", plan.name), lambda: _carried_out(same, plan)))
    return after


def states_of(district: District, m: Measure) -> tuple[District, District, tuple[str, str]]:
    """Return the two states that a row of metric change compares, and what they are called."""
    if not m["scenario"]:
        if not np.isfinite(m["since"]) or m["since"] >= district.year:
            raise Lacks(
                say(
                    "{0} 年以后的数据（数据年份是 {1}）",
                    say("基期") if np.isnan(m["since"]) else f"{m['since']:.0f}",
                    district.year,
                )
            )
        year = int(m["since"])
        return district.at(year), district, (say("{0} 年", year), say("{0} 年", district.year))
    try:
        plan = district.scenario(str(m["scenario"]))
        after = once(district, ("plan", m["scenario"]), lambda: _carried_out(district, plan))
    except XinheError as error:
        raise Lacks(say("缺方案 {0}（scenarios/{0}.toml）：{1}", m["scenario"], str(error).split("\n")[0])) from error
    before = district.at(after.year, planned=district.with_planned)
    return before, after, (say("{0} 年现状", before.year), plan.label or plan.name)
