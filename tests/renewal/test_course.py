"""A plan year by year on the toy: whose walks it lengthens and when, which places get fuller, and whether there is enough."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from clock import trials
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import xinhe_geo as xh
from xinhe_geo.core.models import Edit
from xinhe_geo.district.scenario import Scenario
from xinhe_geo.renewal.capacity import capacity_by_year, first_short
from xinhe_geo.renewal.course import Course, affected_by_year, load_during, walks_during
from xinhe_geo.siting.provision import places_near, provision

TOY = Path(__file__).parents[1] / "toy"
RULE = "plan_clinic_15"


def dated(*edits: tuple[int | None, str, dict[str, Any]]) -> Scenario:
    return Scenario("p", "试算", tuple(Edit(do, what if y is None else {"year": y, **what}) for y, do, what in edits))


@pytest.fixture(scope="module")
def ground() -> xh.District:
    """The toy: A on a parcel of its own, a free parcel beside it, a norm for clinics (one for 1,000) and one for beds nobody has told."""
    toy = xh.District.load(TOY)
    homes = toy.rows["homes"].copy()
    homes.loc["A", ["people", "people_60plus", "households"]] = 920.0, 230.0, 368
    west, south, _, _ = homes.geometry["A"].bounds
    shapes = [homes.geometry["A"].buffer(5), shapely.box(west, south - 90, west + 40, south - 50)]
    parcels = gpd.GeoDataFrame(
        {"name": ["甲", "空地"]}, geometry=shapes, crs=toy.crs, index=pd.Index(["jia", "free"], name="parcel")
    )
    kind = str(toy.open_facilities.loc["F1", "kind"])
    rows = {
        "places": {"unit": "处", "base": "people", "per": 1000.0, "amount": 1.0, "field": "count"},
        "beds": {"unit": "床", "base": "people_60plus", "per": 100.0, "amount": 3.0, "field": "capacity"},
    }
    table = toy.rows["norms"].iloc[:0]
    norms = pd.DataFrame(
        {c: [rows[n].get(c, np.nan) for n in rows] for c in table.columns}, index=pd.Index(list(rows), name="norm")
    )
    norms = norms.assign(
        set="toy", label=list(rows), kinds=kind, confidence="read", standard="标准", clause="1", source="某处"
    )
    return toy.with_rows({**toy.rows, "homes": homes, "parcels": parcels, "norms": norms})


def beside(ground: xh.District, facility: str, metres: float) -> list[float]:
    x, y = shapely.get_coordinates(ground.facilities.geometry[facility])[0]
    return [float(x) + metres, float(y)]


@pytest.mark.slow
def test_a_service_lost_for_a_time_is_told_with_its_year(ground: xh.District) -> None:
    """F1 is closed in 2026 and 2027 only: who could walk to it loses it then, and has it again when all is done."""
    plan = dated(
        (2026, "close_facility", {"facility": "F1", "until": 2027}), (2028, "retrofit", {"home": "A", "elevators": 2})
    )
    course = Course(ground, plan)
    walks = walks_during(course, [RULE])
    before = xh.coverage(ground.at(2026)).xs(RULE, level="rule")
    closed = xh.coverage(plan.at(2026).on(ground)).xs(RULE, level="rule")
    lost = (before["people"] * (before["served"] - closed["served"])).fillna(0.0)
    assert lost.sum() > 0
    told = walks["lose"].xs(RULE, level="rule")
    for home, people in lost[lost > 0].items():
        # 2026 begins it; 2028 is the year after its end, in which nobody loses anything
        assert told[home].to_dict() == {2026: pytest.approx(people)}
    worst = walks[walks["worst"].to_numpy()]
    assert worst.index.droplevel("year").is_unique and set(worst.index.get_level_values("year")) == {2026}
    table = affected_by_year(walks, course.years)
    assert table.loc[RULE, 2026] == pytest.approx(lost.sum()) and table.loc[RULE, 2028] == 0
    quiet = walks_during(Course(ground, dated((2026, "retrofit", {"home": "A", "elevators": 2}))), [RULE])
    assert quiet.empty and affected_by_year(quiet, [2026]).empty


@pytest.mark.slow
def test_the_worst_year_is_the_one_that_takes_most(ground: xh.District) -> None:
    """Every line is what the coverages of that year say with the plan and without it; of each home and goal one year is the worst."""
    plan = dated(
        (2026, "close_street", {"street": "bridge", "until": 2026}),
        (2027, "close_facility", {"facility": "F1", "until": 2027}),
    )
    walks = walks_during(Course(ground, plan), [RULE])
    for (home, rule), rows in walks.groupby(level=["home", "rule"]):
        for (_, _, year), row in rows.iterrows():
            a, b = (xh.coverage(d, rules=[RULE]).loc[(home, rule)] for d in (ground.at(year), plan.at(year).on(ground)))
            assert row["served_without"] == a["served"] and row["served"] == b["served"]
            assert row["lose"] == pytest.approx(max(a["served"] - b["served"], 0.0) * a[row["counted"]], nan_ok=True)
        drop = (rows["served_without"] - rows["served"]).to_numpy()
        assert rows["worst"].sum() == 1 and drop[rows["worst"].to_numpy()] == drop.max()


@pytest.mark.slow
def test_neighbours_places_get_fuller(ground: xh.District) -> None:
    """600 come to the free parcel: the place that they have as the nearest serves so many more, and so says its line."""
    plan = dated((2027, "build_homes", {"parcel": "free", "home": "n", "people": 600}))
    load = load_during(Course(ground, plan), [RULE])
    cover = xh.coverage(plan.on(ground), rules=[RULE]).loc[("n", RULE)]
    line = load.loc[(RULE, cover["facility"], 2027)]
    assert line["change"] == pytest.approx(600 * cover["served"]) and line["users"] > line["users_without"] * 1.1


@pytest.mark.slow
def test_capacity_worked_out_by_hand(ground: xh.District) -> None:
    """
    A's 920 need 0.92 of a clinic that 1,000 share; 920 leave in 2026, 1,400 live there in 2029, when a second clinic opens.

    F1 is all there is within their walk; the others who have it as the nearest come first.
    """
    plan = dated(
        (2025, "retrofit", {"home": "A", "elevators": 1}),
        (2026, "move_households", {"homes": ["A"], "fate": "waiting"}),
        (2027, "demolish_homes", {"homes": ["A"]}),
        (2028, "build_homes", {"parcel": "jia", "home": "n", "people": 800, "people_60plus": 80, "households": 300}),
        (2028, "return_households", {"parcel": "jia", "home": "n", "people": 600}),
        (
            2029,
            "open_facility",
            {"facility": "F9", "kind": str(ground.facilities.loc["F1", "kind"]), "xy": beside(ground, "F1", 3)},
        ),
    )
    course = Course(ground, plan)
    table = capacity_by_year(course)
    assert sorted(set(table.index.get_level_values("parcel"))) == ["jia"], "nobody lives on the free parcel"
    own = table.loc["jia"].loc["places"]
    assert own["people"].to_dict() == {2025: 920, 2026: 0, 2027: 0, 2028: 1400, 2029: 1400}
    assert own["need"].tolist() == pytest.approx([0.92, 0, 0, 1.4, 1.4])
    nearest = xh.coverage(ground, rules=[RULE]).droplevel("rule")["facility"].drop("A")
    people = ground.homes["people"]
    others = float(people.reindex(nearest.index)[(nearest == "F1").to_numpy()].sum()) / 1000
    near = own.loc[[2025, 2028]]
    assert near["there"].tolist() == [1, 1] and near["coming"].tolist() == [0, 0]
    left = max(0.0, 1 - others)
    assert near["short"].tolist() == pytest.approx([max(0.0, 0.92 - left), 1.4 - left])
    # below half a place nothing is built; above it whole ones
    assert near["to_build"].tolist() == [np.ceil(n) if n >= 0.5 else 0 for n in near["short"]]
    # all who have F1 as their nearest: what lacks there in all, and nothing to spare elsewhere
    assert near["gross"].tolist() == pytest.approx([max(0.0, others + 0.92 - 1), others + 1.4 - 1])
    assert near["net"].tolist() == pytest.approx(near["gross"].tolist())
    assert own.loc[2029, "coming"] == 1 and own.loc[2029, "short"] < own.loc[2028, "short"]
    firsts = first_short(table)
    assert firsts.get(("jia", "places")) == (2025 if left < 0.92 else 2028)
    assert table.loc["jia"].loc["beds"].loc[2028, ["there", "short", "gross"]].isna().all(), (
        "F1 does not say how many beds it has"
    )


@pytest.mark.slow
@pytest.mark.matrix
def test_parking_is_a_need_like_the_others(ground: xh.District) -> None:
    """
    A's 368 households have 300 places of their own, and everybody else as many as households: 50 at F1 leave 18 short. With 360 in 2028
    the other 8 park at F1. 100 more households come in 2029 with 20 places: 80 and 8 share 50, and of these 80 comes first what is not
    on the parcel asked about. Who does not say how many places there are may have them: what lacks is at most so much.
    """
    norms = (
        ground.rows["norms"]
        .iloc[:1]
        .assign(unit="车位", base="households", per=1.0, field="capacity", home_field="parking_places")
    )
    homes, facilities = ground.rows["homes"].copy(), ground.rows["facilities"].copy()
    homes["households"] = homes["households"].fillna(40)
    homes["parking_places"] = homes["households"]
    homes.loc["A", "parking_places"] = 300
    facilities.loc["F1", "capacity"] = 50.0
    district = ground.with_rows({**ground.rows, "norms": norms, "homes": homes, "facilities": facilities})
    plan = dated(
        (2026, "retrofit", {"home": "A", "elevators": 1}),
        (2028, "retrofit", {"home": "A", "parking_places": 360}),
        (2029, "build_homes", {"parcel": "free", "home": "n", "people": 250, "households": 100, "parking_places": 20}),
    )
    name = str(norms.index[0])
    own = capacity_by_year(Course(district, plan), parcels=["jia"]).loc["jia"].loc[name]
    assert own["need"].tolist() == [368] * 3 and own["silent"].tolist() == [0] * 3
    assert own["there"].tolist() == [350] * 3 and own["coming"].tolist() == [0, 60, 60]
    free = capacity_by_year(Course(district, plan), parcels=["free"]).loc[("free", name, 2029)]
    shared = 50 if free["there"] else 0  # whether F1 is within their walk
    np.testing.assert_allclose(own["short"], (own["need"] - own["left"]).clip(lower=0))
    assert own["short"].tolist() == [18, 0, 0] or (shared and own["short"].tolist() == [18, 0, 8])
    assert free["need"] == 100 and free["coming"] == 20 and free["short"] == 80 - max(shared - 8, 0)
    listed = provision(district, plan).loc[name]
    assert listed[["required", "missing"]].tolist() == free[["need", "short"]].tolist()
    homes.loc["A", "parking_places"] = pd.NA
    silent = district.with_rows({**district.rows, "homes": homes})
    line = capacity_by_year(Course(silent, plan), parcels=["jia"]).loc[("jia", name, 2026)]
    assert line["silent"] == 1 and line["short"] == 318 and line["there"] == 50


@pytest.mark.slow
def test_one_need_has_one_number(ground: xh.District) -> None:
    """Where only newcomers live on a parcel, the list of what a plan must provide and its capacity say the same."""
    plan = dated((2027, "build_homes", {"parcel": "free", "home": "n", "people": 1300, "people_60plus": 100}))
    listed = provision(ground, plan).loc["places"]
    told = capacity_by_year(Course(ground, plan), "places").loc[("free", "places", 2027)]
    assert told[["need", "short", "to_build"]].tolist() == pytest.approx(
        listed[["required", "missing", "to_build"]].tolist()
    )


@pytest.mark.slow
@settings(max_examples=trials(10), deadline=None, derandomize=True, phases=[Phase.generate])
@given(
    people=st.integers(0, 5000),
    moved=st.integers(0, 920),
    opened=st.booleans(),
)
def test_any_plan_has_capacity_that_adds_up(ground: xh.District, people: int, moved: int, opened: bool) -> None:
    """Net is at most gross, what lacks at most what is needed, need follows the people, and another place never makes it worse."""
    kind = str(ground.facilities.loc["F1", "kind"])
    extra = (
        ((2029, "open_facility", {"facility": "F9", "kind": kind, "xy": beside(ground, "F1", 3)}),) if opened else ()
    )
    plan = dated(
        (2026, "move_households", {"homes": ["A"], "people": moved}),
        (2028, "build_homes", {"parcel": "free", "home": "n", "people": people}),
        *extra,
    )
    course = Course(ground, plan)
    table = capacity_by_year(course, "places")
    assert (table["net"] <= table["gross"] + 1e-9).all() and (table[["short", "gross", "net"]] >= 0).all(axis=None)
    assert (table["short"] <= table["need"] + 1e-9).all() and (table["left"] <= table["there"] + table["coming"]).all()
    np.testing.assert_allclose(table["short"], (table["need"] - table["left"]).clip(lower=0), atol=1e-6)
    for (parcel, _, year), row in table.iterrows():
        homes = course.at(year).homes["people"]
        lived = homes.get({"jia": "A", "free": "n"}[parcel], 0.0)
        assert row["people"] == lived and row["need"] == pytest.approx(lived / 1000)
        norm = course.at(year).rows["norms"].loc["places"]
        near = places_near(
            course.at(year), norm, homes[[h for h in homes.index if h == {"jia": "A", "free": "n"}[parcel]]]
        )
        assert row["there"] + row["coming"] == near["size"].sum()
    if opened:
        short = table["short"].unstack("year")
        assert (short[2029] <= short[2028] + 1e-9).all()
