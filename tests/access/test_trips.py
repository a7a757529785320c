"""A route from a home is the row of the origin-destination table, walked along the streets of the file."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from clock import A_PART_OR_ALL, seeds
from oracle import districts
from plans import LESS, MORE, Edits, carried_out, random_edit

import xinhe_geo as xh
from xinhe_geo.access import Trips, attached_anew, corners_out, home_entrances, home_points, od_tables, pairs
from xinhe_geo.core import Edit

TOY = Path(__file__).parents[1] / "toy"
WALKERS = ("adult", "elderly", "wheelchair")


def walkable(district: xh.District, home: str | None) -> shapely.Geometry:
    """Return the streets of the file that a resident may walk on: public ones and lanes of the home."""
    lines = [district.layers[name] for name in ("streets", "extra_links") if name in district.layers]
    shapes = [frame.geometry[(frame["home"].isna() | (frame["home"] == home)).to_numpy()] for frame in lines]
    return shapely.union_all(np.concatenate([part.to_numpy() for part in shapes]))


def same_walk(district: xh.District, legs: gpd.GeoDataFrame, home: str, way: shapely.Geometry) -> None:
    """Every street leg lies on streets of the file and has the metres of its line; legs hang together; waits have no metres."""
    lines = []
    for leg in legs.itertuples():
        if leg.leg == "wait":
            assert leg.metres == 0 and leg.minutes > 0
            continue
        assert leg.geometry.length == pytest.approx(leg.metres, abs=1e-6)
        xy = shapely.get_coordinates(leg.geometry)
        lines.append(xy)
        if pd.notna(leg.street):
            # the ends of an extra link are moved onto a street within 10 m: the only course that is not in a file
            on = shapely.points(np.r_[xy, (xy[1:] + xy[:-1]) / 2])
            if leg.street not in district.layers["streets"].index:
                continue
            assert shapely.distance(way, on).max() < 1e-6
    for a, b in itertools.pairwise(lines):
        assert math.dist(a[-1], b[0]) < 1e-6
    rank = [{"inside": 0, "access": 1, "street": 2, "wait": 2, "entrance": 3}[leg] for leg in legs["leg"]]
    assert rank == sorted(rank)


def same_trips(district: xh.District, kinds: list[str], profile: str, *, legs_of: int = 3) -> int:
    """Hold every point's walk to every kind against the table, by minutes and by metres; some of them leg by leg."""
    walker, checked = district.profile(profile), 0
    points, speed = home_points(district), district.profile(profile).speed_m_s
    way = {home: walkable(district, home) for home in points["home"].unique()}
    facilities = district.open_facilities
    for kind, table in od_tables(district, kinds, profile=profile).items():
        own = facilities.index[(facilities["kind"] == kind).to_numpy()]
        by_time, by_metres = Trips(district, own, walker), Trips(district, own, None)
        for point, row in enumerate(table.itertuples()):
            trip, short = by_time.of(point), by_metres.of(point)
            assert (trip is None) == pd.isna(row.minutes) and (short is None) == pd.isna(row.metres)
            if trip is None:
                continue
            assert abs(trip.cost - row.minutes) < 1e-6 and trip.facility == row.facility_minutes
            assert abs(trip.metres - row.walked_metres) < 1e-5
            if short is not None:
                assert abs(short.cost - row.metres) < 1e-6 and short.facility == row.facility
            checked += 1
            if point % legs_of:
                continue
            home = str(row.home)
            legs = district.network.legs_frame(by_time.legs(point, trip))
            assert legs["minutes"].sum() == pytest.approx(row.minutes, abs=1e-6)
            assert legs["metres"].sum() == pytest.approx(row.walked_metres, abs=1e-5)
            assert legs.loc[legs["leg"] == "wait", "minutes"].sum() == pytest.approx(row.wait_minutes, abs=1e-6)
            if row.gate_known:
                inside = legs.loc[legs["leg"] == "inside", "metres"].sum()
                assert inside == pytest.approx(row.gate_metres if trip.way is not None else trip.metres, abs=1e-6)
            walked = legs.loc[legs["leg"] != "wait"]
            assert np.allclose(walked["minutes"], walked["metres"] / speed / 60)
            same_walk(district, legs, home, way[home])
            if len(legs):
                assert points.geometry.iloc[point].distance(legs.geometry.iloc[0]) < 1e-6
    return checked


@pytest.mark.one_in(2)
@pytest.mark.parametrize("seed", seeds(0, 2, 4))
def test_routes_of_random_gated_districts(tmp_path: Path, seed: int) -> None:
    """Lanes, waits, stairs, walls of every shape, barriers, parks: every point, every kind, three walkers."""
    district = xh.District.load(districts.write(tmp_path, seed))
    for profile in WALKERS:
        assert same_trips(district, list(districts.KINDS), profile) > 50


@pytest.mark.one_in(2)
@pytest.mark.parametrize("seed", seeds(0, 2, 20))
def test_routes_after_random_plans(tmp_path: Path, seed: int) -> None:
    """Feet that a plan leaves where they were, doors that it adds, homes and places it attaches anew: routes are still the table."""
    rng = np.random.default_rng(seed)
    plan: Edits = []
    district = xh.District.load(districts.write(tmp_path, seed % 7))
    for number in range(8):
        edit = random_edit(rng, carried_out(district, plan), str(rng.choice([*MORE, *LESS])), number)
        if edit is not None and edit.what.get("street", "") not in {e.what.get("street") for e in plan}:
            plan = [*plan, edit]
    after = carried_out(district, plan)
    for profile in ("adult", "wheelchair"):
        assert same_trips(after, list(districts.KINDS), profile) > 20


@pytest.mark.slow
@pytest.mark.matrix
def test_a_route_of_whom_a_plan_attached_anew() -> None:
    """A home whose street is closed leaves by another, a cul-de-sac beside it is a door more: both are walked as they are counted."""
    district = xh.District.load(TOY)
    anew = 0
    for street in district.rows["streets"].index:
        after = carried_out(district, [Edit("close_street", {"street": street})])
        anew += len(attached_anew(after)[0]) + len(attached_anew(after)[1])
        same_trips(after, sorted(set(district.facilities["kind"])), "adult", legs_of=1)
    assert anew


@pytest.mark.slow
def test_routes_of_the_toy_district() -> None:
    district = xh.District.load(TOY)
    assert same_trips(district, sorted(set(district.facilities["kind"])), "adult", legs_of=1) > 10


@pytest.mark.slow
@pytest.mark.matrix
def test_from_the_point_of_median_minutes(tmp_path: Path) -> None:
    district = xh.District.load(districts.write(tmp_path, 1))
    points = home_points(district)
    table = od_tables(district, ["canteen"], profile="elderly")["canteen"]
    label = district.kinds.at["canteen", "label"]
    for home, own in table.groupby("home"):
        order = own["minutes"].fillna(np.inf).sort_values(kind="stable").index
        median = order[(len(order) - 1) // 2]
        if pd.isna(own.at[median, "minutes"]):
            with pytest.raises(xh.NetworkError, match="走不到"):
                xh.route(district, str(home), "canteen", profile="elderly")
            continue
        legs = xh.route(district, str(home), label, profile="elderly")
        assert set(legs["point"]) <= {median} and legs.crs == district.network.crs
        assert legs["minutes"].sum() == pytest.approx(own.at[median, "minutes"], abs=1e-6)
        last = own["minutes"].fillna(-1.0).idxmax()
        far = xh.route(district, str(home), "canteen", profile="elderly", point=int(last))
        assert far["minutes"].sum() == pytest.approx(own.at[last, "minutes"], abs=1e-6)
        # to one facility: its row of the table of pairs
        facility = str(own.at[median, "facility_minutes"])
        one = xh.route(district, str(home), facility, profile="elderly", point=int(median))
        every = pairs(district, ["canteen"], profile="elderly", minutes=10_000)
        assert one["minutes"].sum() == pytest.approx(every[median, facility], abs=1e-6)
    assert len(points)


@pytest.mark.slow
def test_a_route_by_hand() -> None:
    # tests/toy/README.md has the district: what is walked is read off its drawing
    district = xh.District.load(TOY)
    legs = xh.route(district, str(district.homes.index[0]), str(district.open_facilities.index[0]))
    assert legs.columns.tolist() == ["leg", "street", "metres", "minutes", "point", "facility", "geometry"]
    assert legs["leg"].isin(["inside", "access", "street", "wait", "entrance"]).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (("没有", "clinic_station"), "没有小区"),
        (("", "没有"), "没有设施、类别或规则"),
        (("", ""), "哪个设施、类别或规则"),
    ],
)
def test_what_is_not_there_is_named(ask: tuple[str, str], said: str) -> None:
    district = xh.District.load(TOY)
    home = ask[0] or str(district.homes.index[0])
    with pytest.raises(xh.UnknownNameError, match=said):
        xh.route(district, home, ask[1])
    with pytest.raises(xh.UnknownNameError, match="起点"):
        xh.route(district, str(district.homes.index[0]), str(district.open_facilities.index[0]), point=10**6)


@pytest.mark.slow
@pytest.mark.matrix
@pytest.mark.parametrize("part", A_PART_OR_ALL)
def test_routes_of_the_bundled_district(part: int) -> None:
    """Every home, every rule of the plan: each point's walk is its row, and the median's route adds up."""
    district = xh.District.load()
    for profile in dict.fromkeys(district.rules["profile"]):
        own = district.rules[district.rules["profile"] == profile]
        kinds = sorted({kind for kinds in own["kinds"] for kind in str(kinds).split(";")})
        assert same_trips(district, kinds[::part], str(profile), legs_of=41) > 1000


@pytest.mark.parametrize("seed", seeds(0, 1, 4))
def test_the_corners_of_a_way_out_make_it_as_long_as_it_is(tmp_path: Path, seed: int) -> None:
    """Round walls and along lanes: drawn over its corners, a way out has the metres of its row; one without is straight."""
    district = xh.District.load(districts.write(tmp_path, seed))
    points, streets = home_points(district).geometry, district.network.edges.geometry.to_numpy()
    bends = 0
    for profile in WALKERS:
        walker = district.profile(profile)
        corners = corners_out(district, walker)
        for row, door in enumerate(home_entrances(district, walker).itertuples()):
            gated = isinstance(door.gate, str)
            foot = shapely.line_interpolate_point(streets[door.edge], door.at_m)
            end = district.gates.geometry[door.gate] if gated else foot
            way = [points[door.place].coords[0], *map(tuple, corners.get(row, [])), end.coords[0]]
            metres = door.gate_metres if gated else door.access_m
            assert shapely.LineString(way).length == pytest.approx(metres, abs=1e-5), (profile, row)
            bends += row in corners
    assert bends > 3
