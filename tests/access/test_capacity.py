"""Capacity on the toy district by hand, against PySAL's access, and what must always hold."""

from __future__ import annotations

import math
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import xinhe_geo as xh
from xinhe_geo.access.capacity import Need, decay_of, floating_catchment, sizes, within_capacity
from xinhe_geo.access.coverage import presence_grounds
from xinhe_geo.access.entrances import home_points, places_open, walks_inside
from xinhe_geo.access.od_table import od_table, pairs

TOY = Path(__file__).parents[1] / "toy"
STEPS = pd.Series([1.0, 0.68, 0.22], index=[5.0, 10.0, 15.0])
FLAT = pd.Series([1.0], index=[15.0])


def table(rows: dict[tuple[str, str], float]) -> pd.Series:
    return pd.Series(rows, index=pd.MultiIndex.from_tuples(rows), dtype=float)


def test_two_places_by_hand() -> None:
    """Place u: 100 people at weight 1 and 50 at 0.68 share 10; place v: the 50 alone have its 4, whatever their weight."""
    costs = table({("a", "u"): 5, ("b", "u"): 10, ("b", "v"): 15, ("c", "v"): 15.1})
    people = pd.Series({"a": 100.0, "b": 50.0, "c": 9.0, "d": np.nan})
    found = floating_catchment(costs, pd.Series({"u": 10.0, "v": 4.0, "w": 7.0}), people, decay=STEPS)
    assert found.loc["a", "supply"] == pytest.approx(10 * 100 / 134)
    assert found.loc["b", "ratio"] == pytest.approx(10 * 0.68 / 134 + 4 / 50)
    assert list(found["within"]) == [True, True, False, False]
    assert found["supply"].sum() == pytest.approx(14)  # w is within nobody's reach
    assert found.loc["c", "ratio"] == 0 and math.isnan(found.loc["d", "ratio"])


def test_the_limit_itself_is_within_reach() -> None:
    costs = table({("a", "u"): 15 + 1e-12})
    assert floating_catchment(costs, pd.Series({"u": 1.0}), pd.Series({"a": 2.0}), decay=FLAT).loc["a", "ratio"] == 0.5


def test_same_numbers_as_pysal_access() -> None:
    access = pytest.importorskip("access")
    rng = np.random.default_rng(6)
    people = pd.Series(rng.integers(1, 500, 40).astype(float), index=[f"h{i:02d}" for i in range(40)])
    beds = pd.Series(rng.integers(1, 90, 9).astype(float), index=[f"f{i}" for i in range(9)])
    frame = pd.DataFrame({(h, f): rng.uniform(0, 25) for h in people.index for f in beds.index}, index=["cost"]).T
    near = frame["cost"] <= 15
    costs = frame.loc[near, "cost"].rename_axis(["origin", "dest"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the other library
        theirs = access.Access(
            demand_df=people.rename("people").rename_axis("origin").reset_index(),
            demand_index="origin",
            demand_value="people",
            supply_df=beds.rename("beds").rename_axis("dest").reset_index(),
            supply_index="dest",
            supply_value="beds",
            cost_df=costs.reset_index(),
            cost_origin="origin",
            cost_dest="dest",
            cost_name="cost",
        )
        step = access.weights.step_fn(STEPS.to_dict())
        want = theirs.enhanced_two_stage_fca(name="e", cost="cost", max_cost=15, weight_fn=step)["e_beds"]
    ours = floating_catchment(costs, beds, people, decay=STEPS)["ratio"]
    assert (want > 0).sum() > 30
    np.testing.assert_allclose(ours, want.reindex(ours.index).fillna(0), rtol=1e-12)


costs_of = st.dictionaries(
    st.tuples(st.sampled_from("abcd"), st.sampled_from("uvw")), st.integers(0, 20).map(float), max_size=12
)


@given(
    costs_of, st.lists(st.integers(0, 90), min_size=4, max_size=4), st.lists(st.integers(0, 50), min_size=3, max_size=3)
)
def test_supply_is_conserved(rows: dict[tuple[str, str], float], people: list[int], supply: list[int]) -> None:
    """What falls to homes adds up to what the places offer that somebody can walk to; a second place never takes away."""
    demand, offered = (
        pd.Series(people, index=list("abcd"), dtype=float),
        pd.Series(supply, index=list("uvw"), dtype=float),
    )
    costs = table(rows) if rows else pd.Series([], index=pd.MultiIndex.from_arrays([[], []]), dtype=float)
    found = floating_catchment(costs, offered, demand, decay=STEPS)
    used = {f for (h, f), cost in rows.items() if cost <= 15 and demand[h] > 0}
    assert found["supply"].sum() == pytest.approx(offered[sorted(used)].sum())
    more = floating_catchment(costs, offered + pd.Series({"u": 5.0, "v": 0.0, "w": 0.0}), demand, decay=STEPS)
    assert (more["supply"] >= found["supply"] - 1e-9).all()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"supply": pd.Series({"u": -1.0})}, "供给"),
        ({"demand": pd.Series({"a": -1.0})}, "需求"),
        ({"decay": pd.Series([1.0, 1.0], index=[5.0, 5.0])}, "圈层"),
        ({"supply": pd.Series({"x": 1.0})}, "对不上：u"),
    ],
)
def test_odd_input_is_refused(change: dict[str, pd.Series], said: str) -> None:
    sound = {"supply": pd.Series({"u": 1.0}), "demand": pd.Series({"a": 1.0}), "decay": FLAT}
    with pytest.raises(ValueError, match=said):
        floating_catchment(table({("a", "u"): 1.0}), **{**sound, **change})


# --- the toy district -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def toy() -> xh.District:
    return xh.District.load(TOY)


def test_the_toy_by_hand(toy: xh.District) -> None:
    """
    A is 3.2 min from the station (weight 1), B 9.4 and D 8.7 min over the bridge (0.68): 100 + 0.68 * 250 = 270 share one.

    At one station per 300 people A has enough (300/270), B and D have 0.68 * 300 / 270 of it; C's people are unknown, E has no way.
    """
    rows = within_capacity(toy, ["clinic_station"], Need(norm=1, per=300, decay="walk15"))
    share = 0.68 * 300 / 270
    assert rows["served"].to_dict() == pytest.approx(
        {"A": 100, "B": 200 * share, "C": math.nan, "D": 50 * share, "E": 0}, nan_ok=True
    )
    assert rows["within"].sum() == 350 and rows["supply"].sum() == pytest.approx(1)
    assert rows.loc["B", "ratio"] == pytest.approx(300 * 0.68 / 270)
    assert rows["short"].sum() == pytest.approx((360 - 100 - 250 * share) / 300)
    assert list(rows["community"].dropna().unique()) == ["T01", "T02"]


@pytest.mark.parametrize(("norm", "per"), [(2.0, 600.0), (0.25, 75.0)])
def test_a_norm_is_a_ratio(toy: xh.District, norm: float, per: float) -> None:
    """Two for every 600 are as many as one for every 300; twice as many for as many people leave more of them without."""
    same = [within_capacity(toy, ["clinic_station"], Need(*pair, decay="walk15")) for pair in ((1, 300), (norm, per))]
    pd.testing.assert_frame_equal(same[1][["served", "supply", "short"]], same[0][["served", "supply", "short"]])
    # The station's one unit falls to 270 weighted people, 100 of them A's: with two wanted for every 300, A has 100 / 270
    # units and needs 2 / 3, so that 300 / 2 / 270 of its people have enough.
    more = within_capacity(toy, ["clinic_station"], Need(norm=2, per=300, decay="walk15"))
    assert more.loc["A", "served"] == pytest.approx(100 * 150 / 270)
    assert more.loc["A", "short"] == pytest.approx(2 / 3 - 100 / 270)


def test_within_reach_is_coverage(toy: xh.District) -> None:
    rows = within_capacity(toy, ["clinic_station"], Need(norm=1, per=300, decay="flat15"))
    share = xh.summary(xh.coverage(toy, rules=["plan_clinic_15"])).loc["plan_clinic_15", "people_share"]
    assert rows["within"].sum() / rows["demand"].sum() == pytest.approx(share)
    assert rows["supply"].sum() == pytest.approx(1)


def test_pairs_hold_the_nearest(toy: xh.District) -> None:
    kinds = ["clinic_station", "canteen", "party_service_center"]
    near = od_table(toy, kinds)["minutes"].dropna()
    for kind in kinds:
        least = pairs(toy, [kind], minutes=60).groupby(level="point").min()
        assert least.to_dict() == pytest.approx(near.xs(kind, level="kind").droplevel("home").to_dict())
    assert pairs(toy, ["market"], minutes=60).empty
    assert (pairs(toy, kinds, minutes=9) <= 9).all() and len(home_points(toy)) == 5


def test_a_limit_counts_what_is_just_within_it(toy: xh.District) -> None:
    """By street, and inside a compound: whatever walk the limit is, it is there, and no longer one is."""
    kinds = ["clinic_station", "canteen", "party_service_center"]
    every = pairs(toy, kinds, minutes=60)
    assert len(walks_inside(toy, toy.profile("adult")))
    for limit in every:
        assert pairs(toy, kinds, minutes=limit).equals(every[every <= limit])


def test_the_outline_does_not_decide_who_is_served(toy: xh.District) -> None:
    """Places beyond the border offer what they have, and a community has what stands in it: an outline of elsewhere changes neither."""
    rows = toy.rows["district"]
    away = toy.with_rows({"district": rows.set_geometry(rows.geometry.translate(5000.0), crs=rows.crs)})
    assert places_open(away, inside_only=True).empty
    need = Need(norm=1, per=300, decay="walk15")
    kinds = sorted(set(toy.facilities["kind"]))
    pd.testing.assert_frame_equal(*(within_capacity(d, ["clinic_station"], need) for d in (toy, away)))
    (own, lines), (others, theirs) = (presence_grounds(d, kinds) for d in (toy, away))
    assert own == others > 0 and lines.equals(theirs)


def test_sizes_need_one_unit(toy: xh.District) -> None:
    places = toy.open_facilities.iloc[:2].assign(capacity=[10.0, 20.0], capacity_unit=["床", "床"])
    assert list(sizes(places, "capacity")) == [10, 20] and list(sizes(places, "count")) == [1, 1]
    with pytest.raises(ValueError, match="床、座"):
        sizes(places.assign(capacity_unit=["床", "座"]), "capacity")
    with pytest.raises(ValueError, match="没有填规模"):
        within_capacity(toy, ["canteen"], Need(norm=1, per=300, decay="walk15", field="capacity"))


def test_decays_are_data(toy: xh.District) -> None:
    assert list(decay_of(toy, "walk15").index) == [5, 10, 15]
    with pytest.raises(xh.UnknownNameError, match="walk15"):
        decay_of(toy, "walk51")
    twice = toy.rows["decays"].assign(minutes=5.0)
    with pytest.raises(xh.DataError, match="上限相同"):
        decay_of(toy.with_rows({**toy.rows, "decays": twice}), "walk15")
