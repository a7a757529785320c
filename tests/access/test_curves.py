"""Curves and counts: at every limit what `coverage` says at its own, and how much is within reach, counted again by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from oracle import districts

import xinhe_geo as xh
from xinhe_geo.access import home_points, pairs

TOY = Path(__file__).parents[1] / "toy"


@pytest.fixture(scope="module")
def toy() -> xh.District:
    return xh.District.load(TOY)


@pytest.mark.slow
@pytest.mark.parametrize("by", [None, "community", "zone"])
def test_a_curve_at_the_limit_of_a_rule_is_its_coverage(toy: xh.District, by: str | None) -> None:
    walked = [
        replace(toy.rule(name), method="walk_min") for name in toy.rules.index if toy.rule(name).metric == "reach"
    ]
    assert len(walked) > 50
    whole = xh.summary(xh.coverage(toy, rules=walked), by=by)
    for rule in walked[::7]:
        grown = xh.curve(toy, rule, by=by, minutes=rule.minutes).droplevel("minute")
        said = whole.xs(rule.name, level="rule") if by else whole.loc[[rule.name]].set_axis([""])
        both = grown.join(said[["share", "people_served"]].add_suffix("_said"))
        if rule.denominator != "community":  # of communities a curve counts the people
            np.testing.assert_allclose(both["share"], both["share_said"], rtol=0, atol=1e-12)
        np.testing.assert_allclose(both["people"], both["people_served_said"], rtol=0, atol=1e-9)


def test_a_curve_never_falls_and_begins_with_who_is_there(toy: xh.District) -> None:
    grown = xh.curve(toy, "clinic_station", profile=["adult", "elderly"])
    assert grown.index.names == ["profile", "group", "minute"] and len(grown) == 2 * 61
    by_walker = grown["share"].unstack("profile")
    assert (by_walker.diff().dropna() >= 0).all().all()
    assert (by_walker["adult"] >= by_walker["elderly"]).all()


def test_a_kind_nobody_surveyed_has_no_curve_and_no_count(toy: xh.District) -> None:
    assert xh.curve(toy, "library").empty
    assert xh.within(toy, "library", minutes=15)["within"].isna().all()


@pytest.mark.parametrize("minutes", [1.0, 3.2, 5.0, 8.7, 9.4393939393, 12.0, 30.0])
@pytest.mark.parametrize("kind", ["clinic_station", "canteen", "plan_clinic_15", "F1"])
def test_something_is_within_exactly_where_the_nearest_is(toy: xh.District, kind: str, minutes: float) -> None:
    table = xh.within(toy, kind, minutes=minutes)
    near = (table["nearest"] <= minutes + 1e-8).to_numpy()
    assert ((table["within"] >= 1).to_numpy() == near).all()
    if kind != "F1":
        cover = xh.coverage(toy, rules=xh.Rule(kinds=toy.rule(kind).kinds if "plan" in kind else kind, minutes=minutes))
        shown = (cover["minutes"].droplevel("rule") <= minutes + 1e-8).reindex(table.index)
        assert (shown.to_numpy() == near).all(), "the median of `coverage` is the same point's"


@pytest.mark.slow
@pytest.mark.one_in(3)
@pytest.mark.parametrize("seed", [pytest.param(n, marks=pytest.mark.matrix) if n % 10 else n for n in range(1, 31)])
def test_in_random_districts_curve_and_count_are_what_coverage_says(seed: int, tmp_path: Path) -> None:
    """At drawn limits, and at those that are somebody's very walk, for each walker and group."""
    district, random = xh.District.load(districts.write(tmp_path, seed)), np.random.default_rng(seed)
    for kind in district.surveyed_kinds:
        who = str(random.choice(["adult", "elderly", "wheelchair"]))
        walks = xh.within(district, kind, minutes=60, profile=who)["nearest"].dropna()
        for minutes in [
            float(random.uniform(0.5, 20)),
            *map(float, walks.sample(min(2, len(walks)), random_state=seed)),
        ]:
            if minutes <= 0:
                continue
            cover = xh.coverage(district, rules=xh.Rule(kinds=kind, minutes=minutes, profile=who))
            for by in (None, "community"):
                said = xh.summary(cover, by=by).reset_index()
                grown = xh.curve(district, xh.Rule(kinds=kind, minutes=minutes, profile=who), by=by, minutes=minutes)
                np.testing.assert_allclose(grown["share"], said["share"], rtol=0, atol=1e-12)
                np.testing.assert_allclose(grown["people"], said["people_served"], rtol=0, atol=1e-9)
            table = xh.within(district, kind, minutes=minutes, profile=who)
            near = (table["nearest"] <= minutes + 1e-8).to_numpy()
            assert ((table["within"] >= 1).to_numpy() == near).all()
            own = cover["minutes"].droplevel("rule").reindex(table.index)
            assert ((own <= minutes + 1e-8).to_numpy() == near).all(), "the median of `coverage` is the same point's"


def with_seats(toy: xh.District) -> xh.District:
    """Return the toy district with seats in three places; the fourth does not say how many."""
    places = toy.rows["facilities"]
    places["capacity"] = pd.Series({"F1": 30.0, "F2": 12.0, "F5": np.nan}).reindex(places.index)
    places["capacity_unit"] = pd.Series({"F1": "座", "F2": "座", "F5": "座"}).reindex(places.index).astype("str")
    return toy.with_rows({"facilities": places})


def test_what_places_have_is_added_up_and_thinned_out_by_the_way(toy: xh.District) -> None:
    seats, minutes = with_seats(toy), 10.0
    points = home_points(seats)
    for decay, weight in ((None, lambda t: 1.0), (5.0, lambda t: 0.5 ** (t / 5.0)), ("walk15", zones)):
        table = xh.within(seats, "座", minutes=minutes, decay=decay)
        walks = pairs(seats, ["clinic_station", "canteen", "party_service_center"], minutes=minutes)
        known = {"F1": 30.0, "F2": 12.0}
        for home, row in table.iterrows():
            assert points["home"].iloc[row["point"]] == home
            own = walks[walks.index.get_level_values("point") == row["point"]].droplevel("point")
            amount = sum(known.get(place, 0.0) * weight(t) for place, t in own.items())
            assert row["unknown"] == ("F5" in own.index)
            assert row["bound"] == ("at_least" if row["unknown"] else "exact")
            assert np.isnan(row["within"]) if row["unknown"] and not amount else row["within"] == pytest.approx(amount)


def zones(minutes: float) -> float:
    """The zones of walk15 in `decays.csv`."""
    return 1.0 if minutes <= 5 else 0.68 if minutes <= 10 else 0.22 if minutes <= 15 else 0.0


def test_a_column_of_a_kind_and_what_is_no_column(toy: xh.District) -> None:
    seats = with_seats(toy)
    assert xh.within(seats, "clinic_station", minutes=60, column="capacity")["within"].max() == 30.0
    with pytest.raises(xh.UnknownNameError, match="capacity"):
        xh.within(seats, "clinic_station", minutes=60, column="capcity")
    for wrong in (0.0, -1, True):
        with pytest.raises(xh.XinheError, match="decay"):
            xh.within(seats, "clinic_station", minutes=60, decay=wrong)


def test_limits_and_walkers_stand_side_by_side(toy: xh.District) -> None:
    table = xh.within(toy, "clinic_station", minutes=(5, 10), profile=["adult", "frail"])
    assert table.index.names == ["profile", "home", "minutes"]
    one = xh.within(toy, "clinic_station", minutes=10, profile="frail")
    pd.testing.assert_frame_equal(table.xs("frail").xs(10.0, level="minutes"), one)


@pytest.mark.parametrize("limit", [np.inf, 400.0, 90.0])
def test_the_nearest_few_are_the_first_of_all_pairs(toy: xh.District, limit: float) -> None:
    net, random = toy.network, np.random.default_rng(5)
    west, south, east, north = net.nodes.total_bounds
    xy = random.uniform((west, south), (east, north), (40, 2))
    places = gpd.GeoSeries(shapely.points(xy), index=[f"p{i:02}" for i in range(40)], crs=net.crs)
    few, one = net.nearest(places, places, limit, k=3), net.nearest(places, places, limit)
    every = net.metres(places, places, limit)["metres"]
    pd.testing.assert_frame_equal(few.xs(1, level="rank"), one[one["target"].notna()])
    assert len(few) == every.groupby(level="origin").size().clip(upper=3).sum()
    for (origin, rank), row in few.iterrows():
        own = every.xs(origin, level="origin")
        assert row["metres"] == own[row["target"]] == pytest.approx(own.sort_values().iloc[rank - 1], abs=2e-6)
    assert not few.groupby(level="origin")["target"].apply(lambda t: t.duplicated().any()).any()
    for wrong in (0, 1.5, True, "3"):
        with pytest.raises(xh.XinheError, match="如 3"):
            net.nearest(places, places, k=wrong)
