"""One link: gates and connections on the toy district by hand, and counted afresh on the bundled one."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely

import xinhe_geo as xh
from xinhe_geo.access.effects import effects
from xinhe_geo.core.errors import SitingError, UnknownNameError
from xinhe_geo.district.scenario import Scenario
from xinhe_geo.siting.links import Openings, fixes, links, links_plan
from xinhe_geo.siting.pairs import link_pairs, pairs_plan

TOY = Path(__file__).parents[1] / "toy"


@pytest.fixture(scope="module")
def toy() -> xh.District:
    """The toy with a rule of 400 m to the clinic, which B (590 m across the bridge) is outside of."""
    toy = xh.District.load(TOY)
    rules = toy.rows["rules"]
    near = rules.loc[["plan_clinic_15"]].assign(method="network_m", metres=400.0)
    near.index = near.index.map(lambda _: "near")
    far = near.assign(method="buffer")
    far.index = far.index.map(lambda _: "straight")
    return toy.with_rows({**toy.rows, "rules": pd.concat([rules, near, far])})


def at(*points: tuple[float, float]) -> list[tuple[float, float]]:
    return [(500_000 + x, 4_320_000 + y) for x, y in points]


@pytest.mark.slow
def test_a_second_bridge_by_hand(toy: xh.District) -> None:
    """B to F1 straight over at x = 150: 50 + 100 + 50 + 200 + 10 = 410; slantwise 50 + 111.8 + 200 + 10 = 371.8: inside."""
    lines = [shapely.LineString(at((150, 300), (150, 200))), shapely.LineString(at((150, 300), (200, 200)))]
    given = gpd.GeoSeries(lines, crs=toy.crs)
    found = links(toy, "near", openings=Openings(given), n=5)
    best = found.iloc[0]
    assert best["geometry"].equals(lines[1])
    people = float(toy.homes.loc["B", "people"])
    assert best["people_gained"] == pytest.approx(people) == pytest.approx(best["estimated"])
    assert best["people_60plus_gained"] == pytest.approx(float(toy.homes.loc["B", "people_60plus"]))
    assert best["people_lost"] == 0 and best["share_after"] > best["share_before"]
    assert best["kind"] == ("bridge" if best["crosses"] else "link")
    done = links_plan(found).on(toy)
    assert effects(toy, done, rules=["near"]).loc["near", "people_gain"] == pytest.approx(people)


def test_gates_in_walls(toy: xh.District) -> None:
    """Every gate that is proposed lies on the wall of its home, and the closed one of the data is among the tries."""
    found = links(toy, "near", openings=Openings(kinds=["gate"]), n=9)
    homes = toy.homes.geometry
    for row in found.itertuples():
        assert shapely.boundary(homes[row.home]).distance(row.geometry) < 1.0
        assert row.edit.do == "open_gate"
        assert row.estimated == pytest.approx(row.people_gained)
    assert found["people_gained"].is_monotonic_decreasing
    assert not found["home"].duplicated().any()


def test_refusals_say_what_else(toy: xh.District) -> None:
    with pytest.raises(SitingError, match="不看怎么走"):
        links(toy, "straight")
    with pytest.raises(UnknownNameError, match="clinic_station"):
        links(toy, "clinic_staton")
    with pytest.raises(UnknownNameError, match="people_60plus"):
        links(toy, "near", weight="elderly")
    with pytest.raises(SitingError, match="坐标系"):
        links(toy, "near", openings=Openings(gpd.GeoSeries([shapely.Point(0, 0)])))
    with pytest.raises(UnknownNameError, match="bridge"):
        links(toy, "near", openings=Openings(kinds=["brigde"]))


def test_why_a_home_is_outside_and_what_would_help(toy: xh.District) -> None:
    places = fixes(toy, "near")
    row = places.loc["B"]
    parts = row["gate_minutes"] + row["wait_minutes"] + row["street_minutes"]
    assert parts == pytest.approx(row["minutes"])
    speed = toy.profile("adult").speed_m_s * 60
    assert row["facility_metres"] == pytest.approx(400 - row["gate_minutes"] * speed)
    assert f"{row['facility_metres']:,.0f} 米内设一处" in row["fix"]
    assert places["link_share"].between(0, 1).all()


@pytest.mark.slow
@pytest.mark.matrix
def test_the_fast_search_says_what_coverage_counts() -> None:
    """On the bundled district, for a rule in minutes and 60+: the estimate of every link is what counting afresh gives."""
    district = xh.District.load()
    found = links(district, "plan_elderly_canteen_15", n=3)
    assert len(found) == 3 and found["people_60plus_gained"].iloc[0] > 0
    assert found["estimated"].to_numpy() == pytest.approx(found["people_60plus_gained"].to_numpy())
    assert (found["people_lost"] == 0).all()
    assert (found["mark"] != "").all() == district.is_demonstration
    again = links(district, "plan_elderly_canteen_15", n=3)
    assert again["text"].tolist() == found["text"].tolist()


# --- two together ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.matrix
def test_every_pair_is_what_both_edits_give(toy: xh.District) -> None:
    """Bridges and closed gates of the toy in every combination: the search says what coverage counts with both there."""
    lines = [
        shapely.LineString(at((150, 300), (150, 200))),  # alone 410 m for B: not enough
        shapely.LineString(at((150, 300), (200, 200))),
        shapely.LineString(at((170, 200), (205, 0))),  # south of the canal: shortens what comes over a bridge
        shapely.LineString(at((60, 300), (60, 200))),
    ]
    given = gpd.GeoSeries([*lines, shapely.Point(500_180, 4_320_350)], crs=toy.crs)
    pairs = link_pairs(toy, "near", openings=Openings(given), n=20)
    assert len(pairs) >= 3 and pairs["people_gained"].is_monotonic_decreasing
    assert pairs["estimated"].to_numpy() == pytest.approx(pairs["people_gained"].to_numpy())
    single = links(toy, "near", openings=Openings(given), n=1)["people_gained"].iloc[0]
    assert pairs["people_gained"].iloc[0] >= single - 1e-9
    assert pairs["with_best"].any()
    for row in pairs.itertuples():
        assert row.people_gained >= max(row.alone_first, row.alone_second) - 1e-9
        after = Scenario("both", edits=row.edits).on(toy)
        assert effects(toy, after, rules=["near"]).loc["near", "people_gain"] == pytest.approx(row.people_gained)
    assert pairs_plan(pairs).edits == pairs["edits"].iloc[0]
    with pytest.raises(UnknownNameError, match="P01"):
        pairs_plan(pairs, "P99")


@pytest.mark.slow
def test_two_halves_that_only_help_together(toy: xh.District) -> None:
    """A bridge at x = 150: 410 m for B. From (170, 200) to (205, 0) in 203 m: nobody's way, but with it 50 + 100 + 20 + 203 + 5 + 10."""
    halves = [shapely.LineString(at((150, 300), (150, 200))), shapely.LineString(at((170, 200), (205, 0)))]
    given = gpd.GeoSeries(halves, crs=toy.crs)
    alone = links(toy, "near", openings=Openings(given), n=2)
    both = link_pairs(toy, "near", openings=Openings(given))
    people = float(toy.homes.loc["B", "people"])
    assert alone["people_gained"].max() == 0
    assert both["people_gained"].iloc[0] == pytest.approx(people) == pytest.approx(both["estimated"].iloc[0])
    assert "同时" in both["text"].iloc[0]


@pytest.mark.slow
@pytest.mark.matrix
def test_pairs_on_the_bundled_district() -> None:
    district = xh.District.load()
    found = link_pairs(district, "plan_elderly_canteen_15", n=3)
    assert found["estimated"].to_numpy() == pytest.approx(found["people_60plus_gained"].to_numpy())
    best = links(district, "plan_elderly_canteen_15", n=1)
    assert found["people_60plus_gained"].iloc[0] >= best["people_60plus_gained"].iloc[0]
    assert found["with_best"].any() and (found["mark"] != "").all() == district.is_demonstration
