"""A day on foot: against the origin-destination table for one stop, and against every choice of places for several."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import xinhe_geo as xh
from xinhe_geo.access import Pace, chain, od_table
from xinhe_geo.access.entrances import entrances_of_open, home_entrances
from xinhe_geo.core import Edit

TOY = Path(__file__).parents[1] / "toy"


@pytest.fixture(scope="module")
def toy() -> xh.District:
    """Return the toy district with a second canteen and a second fitness place, so that there is something to choose."""
    more = (
        Edit("open_facility", {"facility": "N1", "kind": "canteen", "xy": [500210.0, 4320100.0]}),
        Edit("open_facility", {"facility": "N2", "kind": "fitness", "xy": [500050.0, 4320200.0]}),
    )
    return xh.Scenario("more", "多两处", more).on(xh.District.load(TOY))


@pytest.mark.slow
def test_one_stop_is_there_and_back() -> None:
    district = xh.District.load(TOY)
    one_way = od_table(district, ["canteen"], profile="elderly")["minutes"].droplevel(["point", "kind"])
    day = chain(district, ["canteen"], pace=Pace(longest=15, rest_after=100, rest=1))
    near = one_way <= 15
    assert list(day.index) == list(district.homes.index) and near.any() and not near.all()
    pd.testing.assert_series_equal(day["minutes"][near], 2 * one_way[near], check_names=False)
    assert day["minutes"][~near].isna().all() and (day["breaks"][~near] == district.kinds.loc["canteen", "label"]).all()
    assert (day["rests"][near] == 0).all() and day["breaks"][near].isna().all()


@pytest.mark.parametrize("pace", [Pace(15, 10, 3), Pace(25, 4, 2.5), Pace(8, 10, 3)])
def test_the_least_of_all_choices(toy: xh.District, pace: Pace) -> None:
    """Every way to choose the places, leg by leg, with the rests of each leg."""
    stops, walker = ["clinic_station", "canteen", "fitness"], toy.profile("elderly")
    doors, out = entrances_of_open(toy, walker), home_entrances(toy, walker)
    minutes = {
        (a, b): m
        for ends in itertools.permutations((out, doors), 2)
        for (a, b), m in toy.network.pairs(*ends, profile=walker)["minutes"].items()
    } | dict(toy.network.pairs(doors, doors, profile=walker)["minutes"].items())
    own = [list(toy.open_facilities.query("kind == @kind").index) for kind in stops]
    day = chain(toy, stops, pace=pace)

    def length(route: tuple[object, ...]) -> float:
        legs = [minutes.get(leg, math.inf) for leg in itertools.pairwise(route)]
        if max(legs) > pace.longest:
            return math.inf
        return sum(m + pace.rest * max(math.ceil(m / pace.rest_after) - 1, 0) for m in legs)

    for number, (home, row) in enumerate(day.iterrows()):  # the toy's homes have one point each, in their order
        best = min(length((number, *places, number)) for places in itertools.product(*own))
        assert row["minutes"] == pytest.approx(best) if math.isfinite(best) else np.isnan(row["minutes"]), home
        assert pd.isna(row["breaks"]) == math.isfinite(best)
        if math.isfinite(best):
            assert length((number, *row["places"].split("、"), number)) == pytest.approx(best)
            assert row["minutes"] == pytest.approx(row["walked"] + pace.rest * row["rests"])
            assert row["longest"] <= pace.longest


@pytest.mark.slow
def test_what_cannot_be_is_told() -> None:
    district = xh.District.load(TOY)
    for stops in ([], "canteen"):
        with pytest.raises(ValueError, match="至少写一站"):
            chain(district, stops)
    with pytest.raises(ValueError, match="大于 0"):
        chain(district, ["canteen"], pace=Pace(0, 1, 1))
    with pytest.raises(xh.UnknownNameError, match="canteen"):
        chain(district, ["canten"])
    nowhere = chain(district, ["pharmacy", "canteen"])
    assert nowhere["minutes"].isna().all() and nowhere["breaks"].nunique() == 1, "a kind of which there is none"
