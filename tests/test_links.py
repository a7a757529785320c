"""One link: gates and connections on the toy district by hand, and counted afresh on the bundled one."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely

import xinhe_geo as xh
from xinhe_geo.errors import SitingError, UnknownNameError
from xinhe_geo.scenario import effects
from xinhe_geo.siting import fixes, links, links_plan

TOY = Path(__file__).parent / "toy"


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


def test_a_second_bridge_by_hand(toy: xh.District) -> None:
    """B to F1 straight over at x = 150: 50 + 100 + 50 + 200 + 10 = 410; slantwise 50 + 111.8 + 200 + 10 = 371.8: inside."""
    lines = [shapely.LineString(at((150, 300), (150, 200))), shapely.LineString(at((150, 300), (200, 200)))]
    given = gpd.GeoSeries(lines, crs=toy.crs)
    found = links(toy, "near", candidates=given, n=5)
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
    found = links(toy, "near", kinds=["gate"], n=9)
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
        links(toy, "near", candidates=gpd.GeoSeries([shapely.Point(0, 0)]))
    with pytest.raises(UnknownNameError, match="bridge"):
        links(toy, "near", kinds=["brigde"])


def test_why_a_home_is_outside_and_what_would_help(toy: xh.District) -> None:
    places = fixes(toy, "near")
    row = places.loc["B"]
    parts = row["gate_minutes"] + row["wait_minutes"] + row["street_minutes"]
    assert parts == pytest.approx(row["minutes"])
    speed = toy.profile("adult").speed_m_s * 60
    assert row["facility_metres"] == pytest.approx(400 - row["gate_minutes"] * speed)
    assert f"{row['facility_metres']:,.0f} 米内设一处" in row["fix"]
    assert places["link_share"].between(0, 1).all()


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
