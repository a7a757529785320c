"""The list to check: what comes first takes most from the variance, worked out anew by trying every state of a small district."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from test_robustness import TOY, doubting, shares

import xinhe_geo as xh
from xinhe_geo.access import Visits, worth_checking
from xinhe_geo.access.doubts.supposed import Share, Supposing
from xinhe_geo.core import Edit

#: Both gates of one home, and two places.
DOUBTS: dict[str, dict[str, object]] = {
    "g": {"layer": "gates", "what": "gate", "ids": "gB;gB2"},
    "f": {"layer": "facilities", "what": "existence", "ids": "F1;F2"},
}
FACTS = ("gates:gB:gate", "gates:gB2:gate", "facilities:F1:existence", "facilities:F2:existence")
RULES = ("plan_clinic_15", "plan_elderly_canteen_15", "plan_fitness_15")
MORE: dict[str, dict[str, object]] = {
    "p": {"layer": "facilities", "what": "position", "ids": "F1;F3", "metres": 150.0},
    "s": {"layer": "streets", "what": "street", "ids": "bridge"},
    "h": {"layer": "homes", "what": "people", "ids": "A;B", "spread": 0.3},
}


@pytest.fixture(scope="module")
def toy() -> xh.District:
    return xh.District.load(TOY)


def with_state(toy: xh.District, state: tuple[bool, ...]) -> xh.District:
    """Return the district with both gates open or closed, and both places there or not."""
    gates = toy.rows["gates"]
    opened = {name: "open" if is_open else "closed" for name, is_open in zip(("gB", "gB2"), state, strict=False)}
    gone = [name for name, there in zip(("F1", "F2"), state[2:], strict=True) if not there]
    edits = tuple(Edit("close_facility", {"facility": name}) for name in gone)
    state_of = pd.Series(opened).reindex(gates.index).fillna(gates["state"])
    now = toy.with_rows({**toy.rows, "gates": gates.assign(state=state_of)})
    return xh.Scenario("s", edits=edits).on(now) if edits else now


def settled(state: tuple[bool, ...], known: tuple[int, ...]) -> tuple[bool, ...]:
    """People come out of a compound whose gates are both closed: by the first that is not known to be."""
    if state[0] or state[1]:
        return state
    opened = 1 if 0 in known and 1 not in known else 0
    return tuple(part or i == opened for i, part in enumerate(state))


@pytest.mark.slow
@pytest.mark.matrix
def test_the_first_takes_most_and_no_two_take_more(toy: xh.District) -> None:
    """Each state of four facts, all as likely: the variance of the mean given one fact, or two, is what knowing them takes."""
    rules = [toy.rule(name) for name in RULES]
    every = list(itertools.product((True, False), repeat=4))
    share = {state: shares(with_state(toy, state), rules) for state in every if state[0] or state[1]}

    def taken(known: tuple[int, ...]) -> float:
        means = [
            np.mean([share[settled(s, known)] for s in every if tuple(s[i] for i in known) == told], axis=0)
            for told in itertools.product((True, False), repeat=len(known))
        ]
        return float(np.var(means, axis=0).sum())

    found = worth_checking(doubting(toy, DOUBTS), rules, draws=999)
    singles = {FACTS[i]: taken((i,)) for i in range(4)}
    pairs = {frozenset((FACTS[i], FACTS[k])): taken((i, k)) for i, k in itertools.combinations(range(4), 2)}
    assert (
        singles[found.index[0]] == max(singles.values()) > 1.5 * sorted(singles.values())[-2] or found["pair"].iloc[0]
    )
    assert pairs[frozenset(found.index[:2])] == pytest.approx(max(pairs.values()), rel=0.02)
    whole = taken((0, 1, 2, 3))
    assert found["gain"].iloc[0] == pytest.approx(singles[found.index[0]] / whole, abs=0.05)
    assert found["left"].iloc[1] == pytest.approx(1 - max(pairs.values()) / whole, abs=0.05)


@pytest.mark.slow
def test_what_is_known_is_as_if_it_were_recorded(toy: xh.District) -> None:
    """A draw put together again with a fact as told is the draw of a district in which that is recorded, and certain."""
    toy = with_state(toy, (True,) * 4)  # where all gates are recorded as closed nobody is let out
    rule = replace(toy.rule("plan_clinic_15"), kinds=("clinic_station", "canteen", "fitness"), minutes=9.0)
    doubted = doubting(toy, {**DOUBTS, "p": MORE["p"]})
    share = Share(Supposing(doubted, (rule,), 1, 39), rule)
    gates, facilities = doubted.rows["gates"], doubted.rows["facilities"]
    for fact, value, key, rows in (
        (FACTS[0], 0, "gates", gates.assign(state=gates["state"].mask(gates.index == "gB", "closed"))),
        (
            FACTS[3],
            0,
            "facilities",
            facilities.assign(state=facilities["state"].mask(facilities.index == "F2", "closed")),
        ),
        (FACTS[3], 1, "facilities", facilities),
    ):
        left = {**DOUBTS, "p": MORE["p"]}
        what, ids = ("g", "gB2") if key == "gates" else ("f", "F1")
        left[what] = {**left[what], "ids": ids}
        recorded = doubting(toy.with_rows({**toy.rows, key: rows}), left)
        now = Share(Supposing(recorded, (rule,), 1, 39), rule)
        np.testing.assert_allclose(share.known({fact: value}), now.value, atol=1e-12)
        np.testing.assert_array_equal(share.known({}), share.value)
    assert len(np.unique(share.value)) > 3


@pytest.mark.slow
def test_the_list_fits_its_time_and_walks_once_round(toy: xh.District) -> None:
    doubted = doubting(toy, {**DOUBTS, **MORE})
    whole = worth_checking(doubted, RULES)
    again = worth_checking(doubting(toy, {**DOUBTS, **MORE}), RULES)
    assert whole.equals(again) and not worth_checking(doubted, RULES, seed=1).equals(whole)
    assert (whole["left"].diff().dropna() <= 0).all() and whole["left"].iloc[-1] == pytest.approx(0, abs=1e-9)
    field = whole[whole["how"] == "field"]
    assert (
        sorted(field["stop"]) == list(range(1, len(field) + 1)) and not whole.loc[whole["how"] == "phone", "stop"].any()
    )
    for budget in (12.0, 30.0):
        some = worth_checking(doubted, RULES, visits=Visits(budget=budget))
        assert 0 < some["minutes"].sum() + some["walk_min"].sum() <= budget + 1e-9
    assert len(worth_checking(doubted, RULES, most=2)) == 2


@pytest.mark.slow
def test_nothing_is_asked_of_what_is_certain(toy: xh.District) -> None:
    assert worth_checking(doubting(toy, {}), RULES).empty
    assert worth_checking(doubting(toy, DOUBTS), ["plan_market"]).empty  # nobody surveyed it
    with pytest.raises(ValueError, match="清单"):
        worth_checking(toy, RULES, most=0)
    with pytest.raises(ValueError, match="大于 0"):
        Visits(call=0)
