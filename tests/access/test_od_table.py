"""
Doors, the origin-destination table and isochrones, on the toy district.

The toy in metres: streets every 100 m from 0 to 500 both ways; a river along y = 250 with one bridge at x = 300 (30 s
wait); an island street y = 0, x = 800..900. Homes, each of one point:

====  =====================  ===========================  ==============================================
home  point                  way out                      straight metres before the street
====  =====================  ===========================  ==============================================
A     (50, 50)               gate (50, 20)                30 to the gate + 20 to (50, 0)            = 50
B     (150, 350)             gate (150, 320)              30 to the gate + 20 to (150, 300)         = 50
C     (440, 150)             no gate known                40 to (400, 150)                          = 40
D     (300, 450)             stands on the street         0
E     (850, 50)              gate (850, 20)               30 + 20 to (850, 0), on the island        = 50
====  =====================  ===========================  ==============================================
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

import xinhe_geo as xh
from xinhe_geo.access.entrances import facility_entrances, home_entrances, home_points, walk_inside
from xinhe_geo.access.od_table import least_minutes, od_table, od_tables, pairs
from xinhe_geo.access.walls import way_inside
from xinhe_geo.core import Edit

TOY = Path(__file__).parents[1] / "toy"


@pytest.fixture(scope="module")
def toy() -> xh.District:
    return xh.District.load(TOY)


def row(district: xh.District, home: str, kind: str, profile: str = "adult") -> pd.Series:
    table = od_table(district, [kind], profile=profile)
    return table.xs((home, kind), level=("home", "kind")).iloc[0]


def test_points_add_up_and_stay_inside(toy: xh.District) -> None:
    points = home_points(toy)
    assert points.groupby("home")["weight"].sum().to_numpy() == pytest.approx(1.0)
    for home, own in points.groupby("home"):
        assert own.within(toy.homes.geometry[home].buffer(1e-9)).all()


@pytest.mark.parametrize("table_first", [False, True])
@pytest.mark.parametrize("profile", ["adult", "wheelchair"])
def test_least_minutes_are_those_of_the_table(profile: str, table_first: bool) -> None:
    """Of every kind, also of those that have nowhere; alone, after the table, and in a plan that has most of it from before."""
    toy = xh.District.load(TOY)
    shut = xh.Scenario("shut", edits=(Edit("close_facility", {"facility": str(toy.facilities.index[0])}),)).on(toy)
    assert shut.kin(()) is toy
    kinds = [str(kind) for kind in toy.kinds.index]
    for district in (toy, shut):
        if table_first:
            od_tables(district, kinds[::2], profile=profile)
        found = least_minutes(district, kinds, profile=profile)
        table = od_tables(xh.District.load(TOY) if district is toy else district, kinds, profile=profile)
        assert [*found] == [*table] == kinds
        for kind, own in table.items():
            np.testing.assert_array_equal(found[kind], own["minutes"])
    assert any(np.isfinite(walks).any() for walks in found.values()) and any(
        np.isnan(walks).all() for walks in found.values()
    )


@pytest.mark.parametrize(
    ("width", "height", "east", "north"),
    [
        # 200 x 100 m are 8 squares of 50 m
        (200, 100, [25, 75, 125, 175], [25, 75]),
        # 300 x 50 m are 6
        (300, 50, [25, 75, 125, 175, 225, 275], [25]),
        # 100 x 90 m are 3.6, so 4; a side of 47.4 m goes 2.1 and 1.9 times
        (100, 90, [25, 75], [22.5, 67.5]),
        # a strip of 20 x 600 m is 4.8, so 5; a side of 49 m goes 0.4 times, which is once, and 12.2 times; and the same lying
        (20, 600, [10], [25 + 50 * k for k in range(12)]),
        (600, 20, [25 + 50 * k for k in range(12)], [10]),
    ],
)
def test_points_are_the_centres_of_a_grid(
    toy: xh.District, width: float, height: float, east: list[float], north: list[float]
) -> None:
    homes = toy.rows["homes"].iloc[:1]
    west, south, _, _ = homes.total_bounds
    homes = homes.set_geometry([shapely.box(west, south, west + width, south + height)], crs=toy.crs)
    points = home_points(toy.with_rows({**toy.rows, "homes": homes}))
    wanted = [(west + x, south + y) for x in east for y in north]
    np.testing.assert_allclose(
        sorted(zip(points.geometry.x, points.geometry.y, strict=True)), sorted(wanted), atol=1e-6
    )
    np.testing.assert_allclose(points["weight"], 1 / len(wanted))


def test_a_home_without_gates_stands_on_whatever_edge_it_is_beside(toy: xh.District) -> None:
    """A point home on the middle of every edge, the first by number too: each comes out right there."""
    edges = toy.network.edges
    homes = toy.rows["homes"].iloc[[0] * len(edges)].set_axis([f"h{e}" for e in edges.index])
    homes = homes.set_geometry(list(edges.geometry.interpolate(0.5, normalized=True)), crs=toy.crs)
    doors = home_entrances(toy.with_rows({**toy.rows, "homes": homes.rename_axis(toy.rows["homes"].index.name)}))
    assert doors["home"].to_list() == homes.index.to_list() and doors["edge"].to_list() == edges.index.to_list()
    np.testing.assert_allclose(doors["access_m"], 0, atol=1e-6)
    np.testing.assert_allclose(doors["at_m"], edges["length_m"] / 2, atol=1e-6)


def test_doors_of_homes(toy: xh.District) -> None:
    points = home_points(toy)
    doors = home_entrances(toy)
    doors.index = pd.Index(points["home"].loc[doors["place"]])
    assert doors["access_m"].to_dict() == pytest.approx({"A": 50, "B": 50, "C": 40, "D": 0, "E": 50})
    assert doors["gate_known"].to_dict() == {"A": True, "B": True, "C": False, "D": False, "E": True}


@pytest.mark.parametrize(
    ("home", "metres", "straight"),
    [
        # along y = 0 from (50, 0) to the station at (210, 0): 160
        ("A", 50 + 160, np.hypot(160, 50)),
        # (150, 300) to the bridge at x = 300: 150; down to (300, 0): 300; back to x = 210: 90
        ("B", 50 + 150 + 300 + 90, np.hypot(60, 350)),
        # (400, 150) down to (400, 0): 150; along y = 0 to x = 210: 190
        ("C", 40 + 150 + 190, np.hypot(230, 150)),
        # down x = 300 to y = 0: 450; to x = 210: 90
        ("D", 450 + 90, np.hypot(90, 450)),
    ],
)
def test_metres_to_the_station(toy: xh.District, home: str, metres: float, straight: float) -> None:
    found = row(toy, home, "clinic_station")
    assert found["metres"] == pytest.approx(metres, abs=1e-6)
    assert found["straight_metres"] == pytest.approx(straight, abs=1e-6)
    assert found["facility"] == "F1"


def test_waits_and_parts_of_a_walk(toy: xh.District) -> None:
    found = row(toy, "B", "clinic_station")
    assert found["minutes"] == pytest.approx(590 / 1.1 / 60 + 0.5)
    assert found["wait_minutes"] == pytest.approx(0.5)
    assert found["gate_metres"] == pytest.approx(30)
    slow = row(toy, "B", "clinic_station", "elderly")
    assert slow["minutes"] == pytest.approx(590 / 0.8 / 60 + 0.5)


def test_unreachable_is_missing(toy: xh.District) -> None:
    found = row(toy, "E", "clinic_station")
    assert np.isnan(found["metres"]) and np.isnan(found["minutes"]) and pd.isna(found["facility"])
    assert found["straight_metres"] == pytest.approx(np.hypot(640, 50))


def test_facility_inside_a_compound(toy: xh.District) -> None:
    """F5 stands in B at (160, 340). Neighbours walk straight to it; others come through the gate at (150, 320)."""
    assert row(toy, "B", "party_service_center")["metres"] == pytest.approx(np.hypot(10, 10))
    inside = np.hypot(10, 20)
    # D: down x = 300 to y = 300: 150; west to x = 150: 150; gate leg 20; inside
    assert row(toy, "D", "party_service_center")["metres"] == pytest.approx(150 + 150 + 20 + inside)


def with_canteen(district: xh.District, x: float, y: float, **layers: gpd.GeoDataFrame) -> xh.District:
    """Return the toy with its only canteen somewhere else, in metres from its corner."""
    frame = district.rows["facilities"].copy()
    frame.loc[frame["kind"] == "canteen", "geometry"] = shapely.Point(500000 + x, 4320000 + y)
    return district.with_rows({**district.rows, "facilities": frame, **layers})


def test_facility_in_a_home_without_known_gates(toy: xh.District) -> None:
    """C is 410..470 by 120..180, its point (440, 150) 40 m from the street x = 400."""
    inside = with_canteen(toy, 450, 160)
    found = row(inside, "C", "canteen")
    assert found["metres"] == pytest.approx(np.hypot(10, 10))
    assert found["straight_metres"] == pytest.approx(np.hypot(10, 10))
    assert not found["gate_known"] and np.isnan(found["gate_metres"])
    # D: down x = 300 to y = 200: 250; east to x = 450: 150; in from the nearest street: 40
    assert row(inside, "D", "canteen")["metres"] == pytest.approx(250 + 150 + 40)
    # next door, 20 m from x = 500: out to x = 400, round by y = 200, and in
    assert row(with_canteen(toy, 480, 150), "C", "canteen")["metres"] == pytest.approx(40 + 50 + 100 + 50 + 20)


@pytest.mark.slow
def test_a_barrier_or_a_street_parts_a_home_without_known_gates(toy: xh.District) -> None:
    """What stands between them sends people to the street: 40 to x = 400, 50 up to y = 200, 50 along it, 40 down to the canteen."""
    wall = gpd.GeoDataFrame(toy.rows["barriers"].iloc[:1].copy())
    wall.geometry = [shapely.LineString([(500445, 4320130), (500445, 4320170)])]
    wall.index = pd.Index(["wall"], name=wall.index.name)
    barriers = gpd.GeoDataFrame(pd.concat([toy.rows["barriers"], wall]), crs=toy.crs)
    walled = with_canteen(toy, 450, 160, barriers=barriers)
    assert row(walled, "C", "canteen")["metres"] == pytest.approx(40 + 50 + 50 + 40)
    streets = toy.rows["streets"]
    lane = streets.iloc[:1].copy()
    lane.geometry = [shapely.LineString([(500400, 4320155), (500500, 4320155)])]
    lane.index = pd.Index(["lane"], name=streets.index.name)
    streets = gpd.GeoDataFrame(pd.concat([streets, lane]), crs=toy.crs)
    cut = with_canteen(toy, 450, 160, streets=streets)
    assert row(cut, "C", "canteen")["metres"] == pytest.approx(5 + 10 + 5)
    on_it = with_canteen(toy, 450, 155.3, streets=streets)
    assert row(on_it, "C", "canteen")["metres"] == pytest.approx(5 + 10 + 0.3)
    assert facility_entrances(on_it, on_it.open_facilities)["inside"].dropna().tolist() == ["B"]


def with_lane(district: xh.District, home: str, *xy: tuple[float, float], steps: bool = False) -> xh.District:
    """Return the toy with an inner lane of a home, in metres from its corner."""
    streets = district.rows["streets"]
    lane = streets.iloc[:1].assign(home=home, steps=steps).rename(index={streets.index[0]: "lane"})
    lane.geometry = [shapely.LineString([(500000 + x, 4320000 + y) for x, y in xy])]
    lane.index.name = streets.index.name
    return district.with_rows(
        {**district.rows, "streets": gpd.GeoDataFrame(pd.concat([streets, lane]), crs=district.crs)}
    )


#: The point of C, (440, 150), stands on this; it meets the streets at (400, 100) and (400, 200).
LANE_OF_C = ((400, 100), (440, 140), (440, 160), (400, 200))


def test_a_home_without_known_gates_comes_out_at_every_mouth_of_its_lane(toy: xh.District) -> None:
    """Either way 10 m and the slope of 40 by 40: 66.57 m to a mouth; to the station 100 down and 190 west from the south one."""
    laned = with_lane(toy, "C", *LANE_OF_C)
    doors = home_entrances(laned)
    own = doors[doors["home"] == "C"]
    assert own["access_m"].to_numpy() == pytest.approx(np.full(2, 10 + np.hypot(40, 40)))
    assert not own["gate_known"].any() and own["gate_metres"].isna().all()
    assert laned.network.edges.loc[own["edge"], "home"].isna().all()
    assert row(laned, "C", "clinic_station")["metres"] == pytest.approx(10 + np.hypot(40, 40) + 290)
    for home in "ABDE":  # nobody else gains or loses
        pd.testing.assert_series_equal(row(laned, home, "clinic_station"), row(toy, home, "clinic_station"))


@pytest.mark.slow
def test_a_lane_of_others_is_no_way_through(toy: xh.District) -> None:
    """A lane of A from (300, 100) to (200, 0) would spare D 100 + 100 - 141.4 m: it is not theirs to walk, nor A's beyond its gate."""
    laned = with_lane(toy, "A", (300, 100), (200, 0))
    for home in "ABCDE":
        pd.testing.assert_series_equal(row(laned, home, "clinic_station"), row(toy, home, "clinic_station"))
    rings, bare = (xh.isochrones(d, "clinic_station", minutes=(5, 15)) for d in (laned, toy))
    assert rings["street_m"].to_numpy() == pytest.approx(bare["street_m"].to_numpy())


def test_stairs_in_a_lane_of_a_home_without_known_gates(toy: xh.District) -> None:
    """Who takes no stairs leaves C straight for the street, 40 m; the others are on the lane already."""
    laned = with_lane(toy, "C", *LANE_OF_C, steps=True)
    wheels = (
        laned.profile("wheelchair") if "wheelchair" in laned.profiles.index else xh.Profile("w", "w", 0.8, steps=False)
    )
    doors = [home_entrances(laned), home_entrances(laned, laned.profile("adult")), home_entrances(laned, wheels)]
    access = [d.loc[d["home"] == "C", "access_m"].round(6).tolist() for d in doors]
    slope = round(10 + float(np.hypot(40, 40)), 6)
    assert access == [[slope, slope], [slope, slope], [40.0]]
    table = od_table(laned, ["clinic_station"], profile=wheels).xs("C", level="home")
    assert table["minutes"].tolist() == pytest.approx([(40 + 150 + 190) / wheels.speed_m_s / 60])
    assert table["metres"].tolist() == pytest.approx([slope + 290])


def test_planned_facilities_do_not_count(toy: xh.District) -> None:
    assert row(toy.at(2025), "B", "clinic_station")["facility"] == "F1"
    with_planned = row(toy.at(2025, planned=True), "B", "clinic_station")
    assert with_planned["facility"] == "F4"
    assert with_planned["metres"] == pytest.approx(50 + 10)


@pytest.mark.slow
def test_straight_line_is_never_longer(toy: xh.District) -> None:
    for district in (toy, xh.District.load()):
        kinds = [k for k in district.kinds.index if (district.open_facilities["kind"] == k).any()]
        table = od_table(district, kinds)
        both = table.dropna(subset=["metres", "straight_metres"])
        assert len(both)
        assert (both["straight_metres"] <= both["metres"] + 1e-6).all()
        timed = table.dropna(subset=["minutes"])
        assert (timed["walked_metres"] >= timed["straight_metres"] - 1e-6).all()


def test_walk_inside_goes_round_the_corner() -> None:
    """An L of two 100 m arms: from one end to the other past the inner corner (20, 20)."""
    area = shapely.Polygon([(0, 0), (100, 0), (100, 20), (20, 20), (20, 100), (0, 100)])
    metres = walk_inside(area, [shapely.Point(100, 20)], [shapely.Point(20, 100), shapely.Point(0, 0)])
    assert metres[0] == pytest.approx([80 + 80, np.hypot(100, 20)], abs=2.0)
    cut = shapely.MultiPolygon([shapely.box(0, 0, 10, 10), shapely.box(50, 0, 60, 10)])
    assert np.isinf(walk_inside(cut, [shapely.Point(5, 5)], [shapely.Point(55, 5)])).all()


@pytest.mark.parametrize("seed", range(5))
def test_the_way_drawn_inside_is_as_long_as_what_was_measured(seed: int) -> None:
    """A comb of random teeth: from tooth to tooth round the corners, from the point to the gate, and nowhere over a wall."""
    rng = np.random.default_rng(seed)
    teeth = [shapely.box(x, 0, x + 10, float(rng.uniform(20, 90))) for x in range(0, 100, 20)]
    area = shapely.union_all([shapely.box(0, 0, 90, 10), *teeth])
    ends = [shapely.Point(tooth.centroid.x, tooth.bounds[3] - 1) for tooth in teeth]
    metres = walk_inside(area, ends, ends)
    bent = 0
    for i, a in enumerate(ends):
        for j, b in enumerate(ends):
            way = way_inside(area, a, b)
            assert way.length == pytest.approx(metres[i, j], abs=1e-6) and area.buffer(0.7).covers(way)
            assert (way.coords[0], way.coords[-1]) == (a.coords[0], b.coords[0])
            bent += len(way.coords) > 2
    assert bent == 20


def test_park_is_entered_along_its_edge(toy: xh.District) -> None:
    park = gpd.GeoDataFrame(
        {"kind": ["park"]},
        geometry=[shapely.box(500010, 4320010, 500090, 4320090)],
        index=pd.Index(["P"], name="facility"),
        crs=toy.crs,
    )
    doors = facility_entrances(toy, park)
    assert len(doors) >= 8
    assert doors["access_m"].min() == pytest.approx(10, abs=1e-6)
    assert (doors["access_m"] <= 30 + 1e-9).all()


@pytest.mark.slow
def test_isochrones_nest_and_contain_their_start(toy: xh.District) -> None:
    rings = xh.isochrones(toy, "clinic_station", minutes=(5, 10, 15))
    shapes = list(rings.geometry)
    assert list(rings.index) == [5, 10, 15]
    assert all(shapely.is_valid(shapes))
    assert shapely.covers(shapes[1], shapes[0]) and shapely.covers(shapes[2], shapes[1])
    assert shapes[0].contains(shapely.Point(500210, 4320000))
    assert (rings["area_m2"].diff().dropna() > 0).all()


def test_isochrone_of_a_straight_street_by_hand() -> None:
    """100 m each way along one street, 10 m frontage: 200 x 20 plus a round end of radius 10 at each side."""
    street = gpd.GeoDataFrame(
        {"class": ["residential"]}, geometry=[shapely.LineString([(0, 0), (1000, 0)])], crs="EPSG:32650"
    )
    network = xh.WalkNetwork.from_streets(street)
    start = gpd.GeoSeries([shapely.Point(500, 0)], crs="EPSG:32650")
    ring = xh.isochrones(network, start, metres=[100], frontage_m=10)
    assert ring["street_m"].iloc[0] == pytest.approx(200)
    assert ring["area_m2"].iloc[0] == pytest.approx(200 * 20 + np.pi * 100, rel=0.02)


def test_every_point_of_an_isochrone_is_near_a_reached_street(toy: xh.District) -> None:
    ring = xh.isochrones(toy, "canteen", minutes=[5]).geometry.iloc[0]
    doors = facility_entrances(toy, toy.open_facilities.query("kind == 'canteen'"))
    pieces = toy.network.reached(doors, [5.0], profile=toy.profile("adult"))
    street = shapely.union_all(pieces.geometry.array)
    west, south, east, north = ring.bounds
    rng = np.random.default_rng(1)
    spots = shapely.points(rng.uniform(west, east, 400), rng.uniform(south, north, 400))
    inside = spots[shapely.contains(ring, spots)]
    assert len(inside) > 20
    assert (shapely.distance(street, inside) <= 25 + 1e-6).all()


def test_unknown_kind_and_bad_limits(toy: xh.District) -> None:
    with pytest.raises(xh.UnknownNameError, match="clinic_station"):
        xh.isochrones(toy, "clinic_staton")
    with pytest.raises(ValueError, match="大于 0"):
        xh.isochrones(toy, "canteen", minutes=[0])


@pytest.mark.parametrize("some", [[], [0], [1, 3], [2, 10**6], [10**6]])
def test_walks_from_some_points_are_those_of_all_that_begin_there(toy: xh.District, some: list[int]) -> None:
    kinds = sorted(set(toy.layers["facilities"]["kind"]))  # one of them is entered from within a home
    every = pairs(toy, kinds, minutes=20.0)
    there = every[every.index.get_level_values("point").isin(some)]
    assert pairs(toy, kinds, minutes=20.0, points=pd.Index(some)).to_dict() == pytest.approx(there.to_dict())
    assert 0 < len(there) < len(every) or some in ([], [10**6])


@pytest.mark.slow
def test_another_year_takes_over_the_walks_that_are_the_same_and_no_others(toy: xh.District) -> None:
    """The clinic closes after 2024, the canteen opens in 2026 and is the same place ever after: each year as if it were alone."""
    rows = toy.rows["facilities"].copy()
    rows.loc["F1", "until"], rows.loc["F2", "since"] = 2024, 2026
    kinds = ["clinic_station", "canteen", "fitness"]
    district = toy.with_rows({"facilities": rows})
    years = [district.at(year) for year in (2022, 2025, 2026, 2030)]
    walks = [od_tables(state, kinds) for state in years]
    for state, found in zip(years, walks, strict=True):
        for kind, anew in od_tables(replace(state), kinds).items():
            pd.testing.assert_frame_equal(found[kind], anew)
    assert [int(found["canteen"]["minutes"].notna().any()) for found in walks] == [0, 0, 1, 1]
    assert [int(found["clinic_station"]["minutes"].notna().any()) for found in walks] == [1, 0, 0, 0]
    assert {key for key in years[-1].memo if key[0] == "od_table by metres"} == set(), (
        "all of it is as in a year before"
    )
