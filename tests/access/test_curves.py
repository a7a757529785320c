"""Cumulative curves: minute by minute what a coverage with that limit finds, for the whole and for each group."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import xinhe_geo as xh

TOY = Path(__file__).parents[1] / "toy"


@pytest.fixture(scope="module")
def toy() -> xh.District:
    return xh.District.load(TOY)


@pytest.mark.parametrize("rule", ["plan_clinic_15", "plan_elderly_clinic_15"])
def test_every_minute_is_what_a_coverage_with_that_limit_says(toy: xh.District, rule: str) -> None:
    """Counted a second time, by the engine that makes the headlines."""
    found = xh.curve(toy, rule, minutes=(1, 3, 7.5, 15, 40))
    for minute in (1.0, 3.0, 7.5, 15.0, 40.0):
        own = replace(toy.rule(rule), name="asked", minutes=minute)
        row = xh.summary(xh.coverage(toy, rules=[own])).loc["asked"]
        assert found.loc[("", minute), "share"] == pytest.approx(row["share"], abs=1e-12)
        assert found.loc[("", minute), "people"] == pytest.approx(row["people_served"], abs=1e-9)


def test_groups_add_up_and_curves_never_fall(toy: xh.District) -> None:
    whole, by = xh.curve(toy, "plan_clinic_15"), xh.curve(toy, "plan_clinic_15", by="community")
    assert len(whole) == 61 and (whole["share"].diff().dropna() >= 0).all()
    added = by["people"].groupby(level="minute").sum()
    assert np.allclose(added, whole["people"].droplevel("group"))
    assert by.index.get_level_values("group").isna().any()  # one home of the toy is in no community


def test_a_slower_walker_is_never_ahead(toy: xh.District) -> None:
    fast, slow = (xh.curve(toy, "clinic_station", profile=who)["share"].to_numpy() for who in ("adult", "elderly"))
    assert (slow <= fast + 1e-12).all() and (slow < fast).any()


def test_what_nobody_has_looked_for_has_no_curve(toy: xh.District) -> None:
    assert xh.curve(toy, "plan_hospital_2km").empty
    with pytest.raises(xh.UnknownNameError):
        xh.curve(toy, "plan_clinic_15", by="street")
