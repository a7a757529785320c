"""Differences of plans: in every state that the facts in doubt leave open the difference lies within its ends, and plans that are alike are told so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from test_robustness import DOUBTS, TOY, doubting, states

import xinhe_geo as xh
from xinhe_geo.access import differences
from xinhe_geo.core import Edit

RULES = ("plan_clinic_15", "plan_elderly_canteen_15", "plan_fitness_15", "plan_canteen_community")
NEW = Edit("open_facility", {"facility": "N", "kind": "canteen", "xy": (500100.0, 4320100.0)})
PLANS = {
    "more": (NEW, Edit("close_gate", {"gate": "gB"})),
    "less": (Edit("close_facility", {"facility": "F3"}), Edit("close_street", {"street": "bridge"})),
}


@pytest.fixture(scope="module")
def toy() -> xh.District:
    return xh.District.load(TOY)


def planned(district: xh.District, name: str) -> xh.District:
    """Return what a plan makes of a district; a street that is not there needs no closing."""
    edits = [e for e in PLANS[name] if e.do != "close_street" or e.what["street"] in district.streets.index]
    return xh.Scenario(name, edits=tuple(edits)).on(district, with_conflicts=True)


def counted(district: xh.District, rules: list[xh.Rule]) -> np.ndarray:
    """Return how much of what it counts each rule serves, worked out from nothing."""
    table, matrix = xh.summary(xh.coverage(district, rules=rules)), xh.presence(district)
    return np.array(
        [
            (matrix.reindex(columns=list(rule.kinds), fill_value=0).sum(axis=1) > 0).sum()
            if rule.metric == "presence"
            else table.loc[rule.name, f"{rule.denominator}_served"]
            for rule in rules
        ],
        dtype=float,
    )


@pytest.mark.slow
@pytest.mark.matrix
@pytest.mark.parametrize("name", list(PLANS))
def test_no_state_of_the_facts_leaves_the_ends(toy: xh.District, name: str) -> None:
    """Each state carried out as rows and plans, and the plan in it; ends that no state comes near would be of no use."""
    rules = [toy.rule(rule) for rule in RULES]
    doubted = doubting(toy, DOUBTS)
    found = differences(doubted, planned(doubted, name), rules)
    every = np.array([counted(planned(state, name), rules) - counted(state, rules) for state in states(toy)])
    low, high = found["low"].to_numpy(), found["high"].to_numpy()
    assert (low <= every.min(axis=0) + 1e-9).all() and (every.max(axis=0) <= high + 1e-9).all()
    np.testing.assert_allclose(found["value"], counted(planned(toy, name), rules) - counted(toy, rules), atol=1e-9)
    assert (high - low <= 2 * np.ptp(every, axis=0) + 250).all()


@pytest.mark.slow
def test_plans_that_are_alike_do_not_differ(toy: xh.District) -> None:
    """However much is in doubt: what both share is the same in both."""
    doubted = doubting(
        toy, {**DOUBTS, "p": {"layer": "facilities", "what": "position", "basis": "surveyed", "metres": 90.0}}
    )
    same = differences(doubted, doubted, RULES[:2], draws=39)
    assert not same[["value", "low", "high"]].to_numpy().any() and not same["apart"].any() and (same["facts"] > 0).all()


@pytest.mark.slow
def test_what_is_certain_is_the_difference_itself(toy: xh.District) -> None:
    certain = doubting(toy, {})
    found = differences(certain, planned(certain, "less"), RULES)
    assert (found["low"] == found["value"]).all() and (found["high"] == found["value"]).all()
    assert found.loc["plan_fitness_15", "value"] < 0 and found.loc["plan_fitness_15", "apart"]
    back = differences(planned(certain, "less"), certain, RULES, base=certain)
    np.testing.assert_array_equal(back["value"], -found["value"])


@pytest.mark.slow
def test_of_two_plans_nothing_is_in_doubt_that_either_has_made(toy: xh.District) -> None:
    """What the first plan opens is as it says: where the two are held against each other it is no more in doubt than against the present."""
    places = {"p": {"layer": "facilities", "what": "existence", "basis": "derived"}}
    doubted = doubting(toy, places)
    opened = xh.Scenario("opened", edits=(NEW,)).on(doubted)
    found = differences(opened, planned(doubted, "less"), ["plan_elderly_canteen_15"])
    assert found["facts"].iloc[0] == 0 and (found["low"] == found["value"]).all() and (found["value"] < 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("recorded", [True, False])
def test_stairs_in_doubt_are_there_in_one_state_and_not_in_the_other(toy: xh.District, recorded: bool) -> None:
    """Whoever takes no stairs gains a place beyond them only if they are none: the ends are what each of the two states comes to."""
    rule = replace(toy.rule("plan_clinic_15"), kinds=("canteen",), minutes=25.0, profile="wheelchair")
    rows = toy.rows["streets"]
    stairs, flat = (toy.replace(streets=rows.assign(steps=(rows.index == "bridge") & is_so)) for is_so in (True, False))
    one = Edit("close_facility", {"facility": "F2"})
    first, second = (
        {key: xh.Scenario(key, edits=edits).on(now) for key, edits in (("first", (one,)), ("second", (one, NEW)))}
        for now in (stairs, flat)
    )
    every = [float(counted(s["second"], [rule])[0] - counted(s["first"], [rule])[0]) for s in (first, second)]
    told = doubting(stairs if recorded else flat, {"t": {"layer": "streets", "what": "stairs", "ids": "bridge"}})
    plans = [xh.Scenario("p", edits=edits).on(told) for edits in ((one,), (one, NEW))]
    found = differences(*plans, [rule]).iloc[0]
    assert min(every) < max(every)
    assert (found["low"], found["high"]) == pytest.approx((min(every), max(every)))
