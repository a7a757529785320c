"""Stress: what each loss comes to is what the plan of that one edit comes to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import xinhe_geo as xh
from xinhe_geo.access.doubts import LOSSES, stress
from xinhe_geo.core import Edit

TOY = Path(__file__).parents[1] / "toy"
#: What a plan calls the thing it takes away.
NAMES = {"close_street": "street", "close_gate": "gate", "close_facility": "facility"}


@pytest.fixture(scope="module")
def toy() -> xh.District:
    return xh.District.load(TOY)


def rerun(district: xh.District, loss: str, key: str, rules: list[xh.Rule]) -> dict[str, float]:
    """Carry a loss out as a plan, and count from the two coverages who is served no more, rule by rule."""
    do = LOSSES[loss]
    plan = xh.Scenario("p", edits=(Edit(do, {NAMES[do]: key}),)).on(district, with_conflicts=True)
    before, after = (xh.coverage(d, rules=rules) for d in (district, plan))
    lost = (before["served"] - after["served"]).clip(lower=0).fillna(0.0) * before["people"]
    return dict(lost.groupby(level="rule").sum())


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize("minutes", [15.0, 3.0])
def test_a_loss_is_the_plan_of_that_edit(toy: xh.District, minutes: float) -> None:
    names = ["plan_clinic_15", "plan_elderly_canteen_15", "plan_canteen_community", "plan_fitness_15"]
    rules = [toy.rule(name) for name in names]
    walk = rules[0]
    rules.append(
        xh.Rule("tight", "试", ("clinic_station", "party_service_center"), "network_m", 250.0, 4.0, "adult", "people")
    )
    rules.append(xh.Rule("line", "试", ("canteen", "fitness"), "buffer", 300.0, 4.0, "adult", "people"))
    rules.append(xh.Rule("short", "试", walk.kinds, "walk_min", 300.0, minutes, "elderly", "people"))
    table = stress(toy, rules)
    assert set(table.index.get_level_values("loss")) == {"crossing", "gate", "facility"}
    assert (
        ("crossing", "bridge") in table.index
        and ("facility", "F4") not in table.index
        and ("gate", "gB2") not in table.index
    )
    for loss, key in table.index:
        row, lost = table.loc[(loss, key)], rerun(toy, loss, key, rules)
        assert row["worst_people"] == pytest.approx(max(lost.values()), abs=1e-9), (loss, key)
        assert row["promises"] == sum(value > 1e-9 for value in lost.values()) or row["homes"] > 0, (loss, key)
        assert max(lost.values()) - 1e-9 <= row["people"] <= sum(lost.values()) + 1e-9
    assert table["people"].fillna(-1.0).is_monotonic_decreasing and table["people"].iloc[0] > 0


def test_nothing_is_lost_of_what_nobody_has_surveyed(toy: xh.District) -> None:
    assert stress(toy, ["plan_market"]).empty


def test_a_shut_street_shortens_no_walk(toy: xh.District) -> None:
    net = toy.network
    at = net.attach(toy.facilities.geometry)
    far = net.search(at, at[at["place"] == "F1"])["cost"]
    for street in toy.streets.index:
        shut = net.shutting([street]).search(at, at[at["place"] == "F1"])["cost"]
        assert (shut.fillna(np.inf) >= far.fillna(np.inf) - 1e-9).all()
    pd.testing.assert_series_equal(net.shutting([]).search(at, at[at["place"] == "F1"])["cost"], far)


def test_who_is_not_counted_still_loses(toy: xh.District) -> None:
    """Nobody knows how many live in the home that loses a rule: that rule is named, of unknown weight, and not one that nobody loses."""
    walk = toy.rule("plan_clinic_15")
    rules = [xh.Rule("line", "试", ("canteen",), "buffer", 300.0, 4.0, "adult", "people"), walk]
    homes = toy.rows["homes"]
    unknown = toy.with_rows({**toy.rows, "homes": homes.assign(people=homes["people"].where(homes.index != "A"))})
    row = stress(unknown, rules).loc[("gate", "gA")]
    assert row["worst"] == walk.name and row["homes"] > 0 and np.isnan(row["worst_people"])


def test_a_link_of_the_planner_can_be_lost(toy: xh.District) -> None:
    streets = toy.rows["streets"]
    own = streets.index == "bridge"
    linked = toy.with_rows({**toy.rows, "streets": streets[~own], "extra_links": streets[own]})
    rule = toy.rule("plan_clinic_15")
    pd.testing.assert_series_equal(
        stress(linked, [rule]).loc[("crossing", "bridge")], stress(toy, [rule]).loc[("crossing", "bridge")]
    )
    for edit in (Edit("close_street", {"street": "bridge"}), Edit("set_wait", {"street": "bridge", "wait_s": 500.0})):
        plan = xh.Scenario("p", edits=(edit,))
        before, after = (xh.coverage(plan.on(district), rules=[rule])["served"] for district in (toy, linked))
        np.testing.assert_allclose(before, after)
