"""A route is a walk on the streets of the file, and adds up to what the cost tables say."""

from __future__ import annotations

import itertools
import math

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from network.test_lanes import CRS, WHEELS, gated, places
from network.test_network import PROFILES, cases, random_doors, random_streets

from xinhe_geo.core import NetworkError, Profile
from xinhe_geo.network import WalkNetwork

WAITING = Profile("adult", "成人", 1.1)


def on_the_map(legs: gpd.GeoDataFrame, streets: gpd.GeoDataFrame, home: str | None) -> None:
    """Every leg on a street runs along lines of the file that this walker may use; the legs hang together from end to end."""
    public = shapely.union_all(streets.geometry[streets["home"].isna().to_numpy()].to_numpy())
    own = shapely.union_all(streets.geometry[(streets["home"] == home).to_numpy()].to_numpy())
    lines = []
    for leg in legs.itertuples():
        if leg.leg == "wait":
            assert leg.metres == 0 and leg.minutes > 0 and leg.geometry.geom_type == "Point"
            continue
        assert leg.geometry.length == pytest.approx(leg.metres, abs=1e-6)
        lines.append(shapely.get_coordinates(leg.geometry))
        if pd.notna(leg.street):
            way = {"street": public, "inside": own}[leg.leg]
            vertices = shapely.points(lines[-1])
            middles = shapely.points((lines[-1][1:] + lines[-1][:-1]) / 2)
            assert shapely.distance(way, np.r_[vertices, middles]).max() < 1e-6
    for a, b in itertools.pairwise(lines):
        assert math.dist(a[-1], b[0]) < 1e-6


@pytest.mark.slow
@pytest.mark.matrix
@cases
@settings(max_examples=25)
def test_ways_of_a_tree_are_the_rows_of_the_search(seed: int, exact: bool, kind: int) -> None:
    # lattices are full of ties: of ways that cost the same the table names the first place and its fewest metres
    streets, profile = random_streets(seed, exact), PROFILES[kind]
    net = WalkNetwork.from_streets(streets)
    origins, targets = random_doors(net, seed, exact, 12), random_doors(net, seed + 7, exact, 6)
    table, tree = net.search(origins, targets, profile=profile), net.way_tree(targets, profile=profile)
    unit = 1.0 if profile is None else 1 / profile.speed_m_s / 60
    edges = net.edges
    for row, door in origins.iterrows():
        way, said = tree.way(int(door["edge"]), float(door["at_m"]), float(door["access_m"])), table.loc[row]
        if way is None:
            assert pd.isna(said["cost"])
            continue
        assert way.cost / unit == pytest.approx(said["cost"] / unit, abs=1e-6)
        assert targets["place"].iloc[way.door] == said["target"]
        assert way.metres == pytest.approx(said["metres"], abs=1e-5)
        there = targets.iloc[way.door]
        pieces = list(tree.pieces(way))
        walked = [abs(p.to_m - p.from_m) for p in pieces]
        waits = [net.waits[p.edge] * m / edges["length_m"][p.edge] for p, m in zip(pieces, walked, strict=True)]
        metres = sum(walked) + door["access_m"] + there["access_m"]
        wait = 0.0 if profile is None else sum(waits) * profile.waits / 60
        assert metres == pytest.approx(way.metres, abs=1e-6)
        assert metres * unit + wait == pytest.approx(way.cost, abs=1e-6 * unit)
        legs = net.legs_frame(tree.legs(way))
        assert legs["metres"].sum() == pytest.approx(sum(walked), abs=1e-9)
        on_the_map(legs, streets.assign(home=None), None)
        if profile is not None and not profile.steps:
            assert not any(edges["steps"][p.edge] for p in pieces if p.from_m != p.to_m)


@pytest.mark.slow
@given(seed=st.integers(0, 10**6), level=st.booleans(), timed=st.booleans())
@settings(max_examples=25)
def test_routes_in_random_gated_districts(seed: int, level: bool, timed: bool) -> None:
    streets, _, spots = gated(seed)
    rng = np.random.default_rng(seed)
    waits = np.where(streets["home"].isna() & (rng.random(len(streets)) < 0.4), rng.integers(1, 90, len(streets)), 0)
    streets = streets.assign(wait_s=waits, street=[f"s{i}" for i in range(len(streets))])
    net = WalkNetwork.from_streets(streets)
    profile = WHEELS if level else WAITING if timed else None
    here, there = (gpd.GeoSeries(shapely.points(places(seed + k, spots, 4)), crs=CRS) for k in (2, 3))
    homes = pd.Series([[None, "h", "k"][i] for i in rng.integers(0, 3, len(here))], dtype="object")
    if profile is None:
        column, table = "metres", net.metres(here, there, home=homes)
    else:
        column, table = "minutes", net.minutes(here, there, profile=profile, home=homes)
    for i, j in itertools.product(range(len(here)), range(len(there))):
        ask = here.iloc[[i]], there.iloc[[j]]
        if (i, j) not in table.index:
            with pytest.raises(NetworkError, match="没有可走的路"):
                net.route(*ask, profile=profile, home=homes.iloc[[i]])
            continue
        legs = net.route(*ask, profile=profile, home=homes.iloc[[i]])
        assert legs[column].sum() == pytest.approx(table.at[(i, j), column], abs=1e-6)
        assert list(legs.columns) == ["leg", "street", "metres", "minutes", "geometry"] and legs.crs == net.crs
        on_the_map(legs, streets, homes[i])
        if not len(legs):
            continue
        assert (here[i].distance(legs.geometry.iloc[0]), there[j].distance(legs.geometry.iloc[-1])) == (
            pytest.approx(0, abs=1e-6),
            pytest.approx(0, abs=1e-6),
        )
        assert legs["metres"].sum() >= here[i].distance(there[j]) - 1e-6  # a straight line is never longer
        order = [{"inside": 0, "access": 0, "street": 1, "wait": 1, "entrance": 2}[leg] for leg in legs["leg"]]
        assert order == sorted(order)


def test_a_stranger_goes_round_and_a_resident_through_by_hand() -> None:
    # a block of 100 m: the street runs round it (300 m), a lane of h across; a crossing with a wait of 60 s on the way out
    block = {
        "round": [(0, 0), (0, 100), (100, 100), (100, 0)],
        "lane": [(0, 0), (100, 0)],
        "out": [(100, 0), (200, 0)],
    }
    streets = gpd.GeoDataFrame(
        {"street": list(block), "home": [None, "h", None], "wait_s": [0, 0, 60]},
        geometry=[shapely.LineString(xy) for xy in block.values()],
        crs=CRS,
    )
    net = WalkNetwork.from_streets(streets)
    start = gpd.GeoSeries([shapely.Point(40, 10)], crs=CRS)
    shop = gpd.GeoSeries([shapely.Point(150, -20)], crs=CRS)
    own = net.route(start, shop, profile=Profile("a", "a", 1.0), home="h")
    assert [*zip(own["leg"], own["street"].fillna(""), own["metres"], own["minutes"], strict=True)] == [
        ("inside", "", 10.0, pytest.approx(10 / 60)),
        ("inside", "lane", 60.0, pytest.approx(1.0)),
        ("wait", "out", 0.0, pytest.approx(0.5)),  # half of the crossing is walked: half of its wait
        ("street", "out", 50.0, pytest.approx(50 / 60)),
        ("entrance", "", 20.0, pytest.approx(20 / 60)),
    ]
    strange = net.route(
        start, shop
    )  # the nearest public edge is the west side of the block, 40 m away, at its 10th metre
    assert strange["leg"].tolist() == ["access", "street", "street", "entrance"]
    assert strange["metres"].tolist() == [40.0, 290.0, 50.0, 20.0] and strange["minutes"].isna().all()
    assert net.route(shop, shop).empty


@pytest.mark.parametrize("first", ["long", "short"])
def test_of_ways_that_take_the_same_time_the_one_with_fewest_metres_by_hand(first: str) -> None:
    # from u to v: 150 m without a wait, or 100 m and 50 s of waiting; at 1 m/s both take 150 s, and the table says 100 m
    ways = {"long": ([(50, 0), (50, 25), (150, 25), (150, 0)], 0), "short": ([(50, 0), (150, 0)], 50)}
    ways = {name: ways[name] for name in (first, *ways)}
    ends = {"west": ([(0, 0), (50, 0)], 0), "east": ([(150, 0), (200, 0)], 0)}
    rows = {**ends, **ways}
    streets = gpd.GeoDataFrame(
        {"street": list(rows), "wait_s": [wait for _, wait in rows.values()]},
        geometry=[shapely.LineString(xy) for xy, _ in rows.values()],
        crs=CRS,
    )
    net = WalkNetwork.from_streets(streets)
    start, shop = (gpd.GeoSeries([shapely.Point(x, 0)], crs=CRS) for x in (0, 200))
    walker = Profile("a", "a", 1.0)
    row = net.search(net.attach(start), net.attach(shop), profile=walker).iloc[0]
    legs = net.route(start, shop, profile=walker)
    assert legs["minutes"].sum() == pytest.approx(row["cost"]) == pytest.approx(250 / 60)
    assert legs["metres"].sum() == pytest.approx(row["metres"]) == pytest.approx(200)
    assert legs["street"].tolist() == ["west", "short", "short", "east"]
