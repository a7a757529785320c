"""
`WalkNetwork` against hand-computed answers, brute force, networkx, and real extracts.

The toy, in metres (EPSG:4548 moved to its origin; the river lies between y = 100 and y = 200, with one bridge E-H)::

    G---H---I===.      y = 200   I also carries a loop of 400 m: I (300,200) (300,300) (200,300) I
        |                        the bridge
    D---E---F          y = 100
    |   |   |\\
    A---B---C-+        y = 0     C-F twice: straight (100 m) and round by x = 250 (200 m)
    and an island (1000,0)-(1100,0)
"""

from __future__ import annotations

import bz2
import gzip
import itertools
import pickle
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Any

import geopandas as gpd
import networkx as nx
import numpy as np
import osmium
import pandas as pd
import pyproj
import pytest
import shapely
from clock import trials
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from shapely import LineString, MultiLineString, Point

from xinhe_geo.core.errors import NetworkError, SourceError, UnknownNameError
from xinhe_geo.core.models import Profile
from xinhe_geo.core.schema import bundled_folder
from xinhe_geo.network import arrays
from xinhe_geo.network import nearest as state_module
from xinhe_geo.network.nearest import SearchState
from xinhe_geo.network.osm import excluded_ways, read_osm_streets, read_ways
from xinhe_geo.network.snapped import FRAMES_KNOWN, columns_of, few_columns
from xinhe_geo.network.walk_network import WalkNetwork

CRS = "EPSG:32650"
ADULT = Profile("adult", "成人", 1.0)
#: Where the states of a search are changed in place.
CHANGES = state_module.__file__, arrays.__file__

TOY = {
    "south": [(0, 0), (100, 0), (200, 0)],
    "middle": [(0, 100), (100, 100), (200, 100)],
    "west": [(0, 0), (0, 100)],
    "centre": [(100, 0), (100, 100)],
    "east": [(200, 0), (200, 100)],
    "detour": [(200, 0), (250, 0), (250, 100), (200, 100)],
    "bridge": [(100, 100), (100, 200)],
    "north": [(0, 200), (100, 200), (200, 200)],
    "loop": [(200, 200), (300, 200), (300, 300), (200, 300), (200, 200)],
    "island": [(1000, 0), (1100, 0)],
}


def lines(streets: dict[str, Any], crs: str | None = CRS, **columns: Any) -> gpd.GeoDataFrame:
    shapes = [LineString(xy) if not hasattr(xy, "geom_type") else xy for xy in streets.values()]
    return gpd.GeoDataFrame(columns, geometry=shapes, index=list(streets), crs=crs)


def points(crs: str | None = CRS, /, **places: tuple[float, float]) -> gpd.GeoSeries:
    return gpd.GeoSeries([Point(xy) for xy in places.values()], index=list(places), crs=crs)


def door(net: WalkNetwork, place: Any, x: float, y: float) -> pd.DataFrame:
    return net.attach(gpd.GeoSeries([Point(x, y)], index=[place], crs=net.crs))


@pytest.fixture(scope="module")
def toy() -> WalkNetwork:
    return WalkNetwork.from_streets(lines(TOY))


# --- lines become a network ------------------------------------------------------------------------------------------


def test_toy_network_by_hand(toy: WalkNetwork) -> None:
    # Nodes: B, C, E, F, H, I, G (end) and the corner ends A and D, where the street changes; two for the island.
    # Edges: 2 + 2 + 1 + 1 + 1 + 1 + 1 + 2 + 1 + 1 = 13, and 200+200+100+100+100+200+100+200+400+100 metres.
    assert len(toy.nodes) == 11
    assert len(toy.edges) == 13
    assert toy.edges["length_m"].sum() == 1700.0
    assert toy.edges["component"].value_counts().to_dict() == {0: 12, 1: 1}
    assert toy.edges.crs == toy.nodes.crs == toy.crs
    loop = toy.edges.set_index("street").loc["loop"]
    assert loop["u"] == loop["v"]
    assert loop["length_m"] == 400.0
    between = toy.edges[toy.edges["street"].isin(["east", "detour"])]
    assert sorted(between["length_m"]) == [100.0, 200.0]
    assert set(zip(between["u"], between["v"], strict=True)) <= {
        (a, b) for a, b in itertools.product(between["u"], between["v"])
    }


def test_edges_run_from_u_to_v(toy: WalkNetwork) -> None:
    nodes = shapely.get_coordinates(toy.nodes.geometry)
    for edge in toy.edges.itertuples():
        xy = shapely.get_coordinates(edge.geometry)
        np.testing.assert_allclose(xy[[0, -1]], nodes[[edge.u, edge.v]], atol=1e-3)
        assert edge.geometry.length == pytest.approx(edge.length_m, abs=1e-9)


def test_crossing_lines_do_not_join_but_shared_vertices_do() -> None:
    cross = {"a": [(0, 0), (100, 100)], "b": [(0, 100), (100, 0)]}
    ends = points(a=(0, 0), b=(0, 100))
    assert ("a", "b") not in WalkNetwork.from_streets(lines(cross)).metres(ends, ends).index
    shared = {"a": [(0, 0), (50, 50), (100, 100)], "b": [(0, 100), (50, 50), (100, 0)]}
    metres = WalkNetwork.from_streets(lines(shared)).metres(ends, ends)["metres"]
    assert metres["a", "b"] == pytest.approx(2 * np.hypot(50, 50), abs=1e-9)


@pytest.mark.parametrize(("gap", "joined"), [(0.0, True), (1e-9, True), (0.0009, True), (0.0029, False)])
@pytest.mark.parametrize("x", [100.0, 100.0005, 100.00049999, 99.9995])
def test_lines_join_within_a_millimetre(gap: float, joined: bool, x: float) -> None:
    # x is also at and beside the edge of a millimetre cell, where noise in the last bits changes the cell.
    net = WalkNetwork.from_streets(lines({"a": [(0, 0), (x, 0)], "b": [(x + gap, 0), (200, 0)]}))
    ends = points(p=(0, 0), q=(200, 0))
    assert (("p", "q") in net.metres(ends, ends).index) == joined


def test_degree_two_vertices_are_contracted_and_their_shape_kept() -> None:
    net = WalkNetwork.from_streets(lines({"a": [(0, 0), (10, 10), (20, 0), (30, 10)]}))
    assert len(net.edges) == 1
    assert shapely.get_num_points(net.edges.geometry.iloc[0]) == 4
    assert net.edges["length_m"].iloc[0] == pytest.approx(3 * np.hypot(10, 10))


@pytest.mark.parametrize(
    ("column", "values"),
    [("class", ["path", "steps"]), ("wait_s", [0, 20]), ("steps", [False, True]), ("home", [None, "h"])],
)
def test_a_change_of_attributes_makes_a_node(column: str, values: list[Any]) -> None:
    pair = {"a": [(0, 0), (50, 0)], "b": [(50, 0), (100, 0)]}
    same = WalkNetwork.from_streets(lines(pair, **{"street": ["s", "s"], column: [values[0]] * 2}))
    changed = WalkNetwork.from_streets(lines(pair, **{"street": ["s", "s"], column: values}))
    assert (len(same.edges), len(changed.edges)) == (1, 2)
    assert same.edges["street"].tolist() == ["s"]


def test_parts_of_one_street_are_strung_together_whichever_way_they_run() -> None:
    parts = MultiLineString([[(0, 0), (10, 0)], [(30, 0), (20, 0), (10, 0)], [(30, 0), (30, 5)]])
    net = WalkNetwork.from_streets(lines({"a": parts}))
    assert net.edges["length_m"].tolist() == [35.0]
    assert net.edges.geometry.iloc[0].length == 35.0
    assert len(net.nodes) == 2


def test_a_ring_without_a_junction_has_one_node() -> None:
    square = [(0, 0), (100, 0), (100, 100), (0, 100), (0, 0)]
    halves = MultiLineString([square[:3], square[2:]])
    for ring in (LineString(square), halves):
        net = WalkNetwork.from_streets(lines({"ring": ring}))
        assert (len(net.nodes), len(net.edges)) == (1, 1)
        metres = net.metres(points(a=(50, 0), b=(0, 50)), points(c=(100, 50)))["metres"]
        assert metres.to_dict() == {("a", "c"): 100.0, ("b", "c"): 200.0}


def test_a_closed_street_may_have_its_junction_anywhere() -> None:
    ring = [(0, 0), (100, 0), (100, 100), (0, 100), (0, 0)]
    net = WalkNetwork.from_streets(lines({"ring": ring, "spur": [(100, 100), (200, 100)]}))
    assert (len(net.nodes), len(net.edges)) == (2, 2)
    found = net.metres(points(a=(200, 100)), points(b=(0, 0), c=(50, 0)))["metres"]
    assert found.to_dict() == {("a", "b"): 300.0, ("a", "c"): 250.0}


def test_zero_length_pieces_and_empty_lines_are_dropped() -> None:
    streets = {
        "a": [(0, 0), (0, 0), (50, 0), (50, 0), (100, 0)],
        "dot": [(50, 0), (50, 0)],
        "empty": LineString(),
    }
    net = WalkNetwork.from_streets(lines(streets))
    assert net.edges["length_m"].tolist() == [100.0]
    assert shapely.get_num_points(net.edges.geometry.iloc[0]) == 3


def test_the_same_line_twice_is_two_parallel_edges() -> None:
    net = WalkNetwork.from_streets(lines({"a": [(0, 0), (100, 0)], "b": [(0, 0), (100, 0)]}))
    assert len(net.edges) == 2
    assert net.metres(points(p=(0, 0)), points(q=(100, 0)))["metres"].tolist() == [100.0]


def test_defaults_and_blanks_of_columns() -> None:
    net = WalkNetwork.from_streets(
        lines(
            {"a": [(0, 0), (1, 0)], "b": [(5, 0), (6, 0)]},
            wait_s=[np.nan, 3.0],
            steps=pd.array([None, True], "boolean"),
            home=["", "h1"],
        )
    )
    edges = net.edges.set_index("street")
    assert edges["wait_s"].to_dict() == {"a": 0.0, "b": 3.0}
    assert edges["steps"].to_dict() == {"a": False, "b": True}
    assert edges["home"].isna().to_dict() == {"a": True, "b": False}


def test_heights_are_ignored() -> None:
    net = WalkNetwork.from_streets(lines({"a": LineString([(0, 0, 0), (3, 4, 100)])}))
    assert net.edges["length_m"].tolist() == [5.0]


@pytest.mark.parametrize(
    ("streets", "message"),
    [
        (lines({"a": [(117.6, 39.0), (117.7, 39.0)]}, "EPSG:4326"), "投影坐标系"),
        (lines({"a": [(0, 0), (1, 0)]}, None), "没有坐标系"),
        (lines({"a": [(0, 0), (1, 0)]}, "EPSG:2229"), "以米为单位"),
        (lines({}), "没有可步行的路段"),
        (lines({"a": [(0, 0), (0, 0)]}), "没有可步行的路段"),
        (lines({"ok": [(0, 0), (1, 0)], "plot": Point(0, 0).buffer(1)}), "plot"),
        (lines({"far": [(0, 0), (np.inf, 0)]}), "far"),
        (lines({"a": [(0, 0), (1, 0)]}, wait_s=[-1.0]), "wait_s"),
    ],
    ids=["degrees", "no crs", "feet", "none", "a point", "polygon", "infinite", "negative wait"],
)
def test_streets_that_cannot_be_walked_on(streets: gpd.GeoDataFrame, message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        WalkNetwork.from_streets(streets)


def test_degrees_are_taken_when_a_crs_is_given() -> None:
    degrees = lines(TOY).set_crs(CRS, allow_override=True).to_crs("EPSG:4326")
    net = WalkNetwork.from_streets(degrees, crs=CRS)
    assert net.crs == CRS
    assert net.edges["length_m"].sum() == pytest.approx(1700.0, abs=1e-3)
    with pytest.raises(NetworkError, match="投影坐标系"):
        WalkNetwork.from_streets(degrees, crs="EPSG:4490")


# --- distances by hand -----------------------------------------------------------------------------------------------


def test_across_the_river_by_the_bridge(toy: WalkNetwork) -> None:
    # P: leg 10, 50 to B, B-E 100, bridge 100, H 50 to the foot, leg 10 = 320.
    found = toy.metres(points(P=(50, -10)), points(Q=(150, 210)))["metres"]
    assert found.to_dict() == {("P", "Q"): 320.0}
    bare = toy.metres(points(P=(50, -10)), points(Q=(150, 210)), access=False)["metres"]
    assert bare.to_dict() == {("P", "Q"): 300.0}


def test_both_ways_round_a_loop(toy: WalkNetwork) -> None:
    # Along the loop from I: T 50, R 150, S 350. T-S over I: 50 + 50; R-T along: 100; R-S along 200, over I 150 + 50.
    places = points(T=(250, 200), R=(300, 250), S=(200, 250))
    found = toy.metres(places, places)["metres"]
    assert found["T", "S"] == 100.0
    assert found["R", "T"] == 100.0
    assert found["R", "S"] == 200.0


def test_parallel_edges_keep_their_own_places(toy: WalkNetwork) -> None:
    # U is halfway round the detour (100 from C and F), V halfway up the straight one.
    found = toy.metres(points(U=(250, 50)), points(V=(200, 50), C=(200, 0)))["metres"]
    assert found.to_dict() == {("U", "C"): 100.0, ("U", "V"): 150.0}


def test_islands_are_absent_not_far(toy: WalkNetwork) -> None:
    found = toy.metres(points(P=(50, 0), X=(1050, 0)), points(Q=(1090, 0)))
    assert found["metres"].to_dict() == {("X", "Q"): 40.0}
    near = toy.nearest(points(P=(50, 0), X=(1050, 0)), points(Q=(1090, 0)))
    assert near["metres"].to_dict() == {"P": pytest.approx(np.nan, nan_ok=True), "X": 40.0}
    assert near["target"].isna().to_dict() == {"P": True, "X": False}


def test_two_places_on_one_edge_and_at_nodes(toy: WalkNetwork) -> None:
    found = toy.metres(points(a=(10, 0), b=(0, 0)), points(c=(90, 0), d=(100, 0)))["metres"]
    assert found.to_dict() == {("a", "c"): 80.0, ("a", "d"): 90.0, ("b", "c"): 90.0, ("b", "d"): 100.0}


def test_within_includes_the_limit(toy: WalkNetwork) -> None:
    here, there = points(P=(50, -10)), points(Q=(150, 210))
    assert len(toy.metres(here, there, 320.0)) == 1
    assert len(toy.metres(here, there, 320.0 - 9e-7)) == 1
    assert len(toy.metres(here, there, 320.0 - 2e-6)) == 0
    assert toy.nearest(here, there, 320.0)["metres"].tolist() == [320.0]
    assert toy.nearest(here, there, 319.9)["metres"].isna().all()


def test_a_point_to_itself_is_nothing_even_off_the_street(toy: WalkNetwork) -> None:
    # a and b share a foot: leg 30 + 0 + leg 30, the street rule; a to itself is 0.
    places = points(a=(50, -30), b=(50, 30))
    found = toy.metres(places, places)["metres"]
    assert found.to_dict() == {("a", "a"): 0.0, ("a", "b"): 60.0, ("b", "a"): 60.0, ("b", "b"): 0.0}
    assert toy.metres(places, places, 0.0)["metres"].to_dict() == {("a", "a"): 0.0, ("b", "b"): 0.0}
    degrees = places.to_crs("EPSG:4326")
    assert toy.metres(degrees, places)["metres"]["a", "a"] == 0.0
    renamed = places.rename({"a": "z", "b": "y"})
    assert toy.nearest(renamed, places).to_dict("index") == {
        "z": {"target": "a", "metres": 0.0},
        "y": {"target": "b", "metres": 0.0},
    }


def test_points_in_any_crs(toy: WalkNetwork) -> None:
    here, there = points(P=(50, -10)), points(Q=(150, 210))
    found = toy.metres(here.to_crs("EPSG:4326"), there.to_crs("EPSG:3857"))["metres"]
    assert found["P", "Q"] == pytest.approx(320.0, abs=1e-3)


def test_a_repeated_label_is_one_place_with_several_doors(toy: WalkNetwork) -> None:
    doors = gpd.GeoSeries([Point(0, 0), Point(200, 200), Point(1050, 0)], index=["h", "h", "x"], crs=CRS)
    goals = gpd.GeoSeries([Point(150, 200), Point(100, 50), Point(1050, 10)], index=["t", "t", "u"], crs=CRS)
    assert toy.metres(doors, goals)["metres"].to_dict() == {("h", "t"): 50.0, ("x", "u"): 10.0}
    assert toy.nearest(doors, goals).to_dict("index") == {
        "h": {"target": "t", "metres": 50.0},
        "x": {"target": "u", "metres": 10.0},
    }


def test_result_shapes(toy: WalkNetwork) -> None:
    places = gpd.GeoSeries([Point(90, 0), Point(10, 0), Point(50, 0)], index=[30, 4, 100], crs=CRS)
    found = toy.metres(places, places)
    assert found.index.names == ["origin", "target"]
    assert found.index.is_monotonic_increasing
    assert found.index.get_level_values(0).tolist() == [4] * 3 + [30] * 3 + [100] * 3
    assert list(found.columns) == ["metres"]
    assert found["metres"].dtype == np.float64
    near = toy.nearest(places, places.iloc[:1])
    assert near.index.tolist() == [30, 4, 100]
    assert near.index.name == "origin"
    assert list(near.columns) == ["target", "metres"]
    assert near["target"].tolist() == [30, 30, 30]


def test_ties_go_to_the_first_in_order(toy: WalkNetwork) -> None:
    for names in (["b", "a"], ["a", "b"]):
        goals = gpd.GeoSeries([Point(0, 0), Point(200, 0)], index=names, crs=CRS)
        assert toy.nearest(points(m=(100, 0)), goals)["target"].tolist() == ["a"]
    number = gpd.GeoSeries([Point(0, 0), Point(200, 0)], index=[10, 9], crs=CRS)
    assert toy.nearest(points(m=(100, 0), n=(1050, 0)), number)["target"].tolist() == [9, pd.NA]
    # within a micrometre is a tie; two are not
    for shift, first in [(4e-7, "a"), (2e-6, "b")]:
        goals = gpd.GeoSeries([Point(0, 0), Point(200 - shift, 0)], index=["a", "b"], crs=CRS)
        assert toy.nearest(points(m=(100, 0)), goals)["target"].tolist() == [first]


def test_ties_are_carried_past_the_node_where_they_meet() -> None:
    # From the crossing at 0, "b" (west) and "a" (east) are both 100 away; everything north of it is nearest to both.
    net = WalkNetwork.from_streets(lines({"we": [(-100, 0), (0, 0), (100, 0)], "n": [(0, 0), (0, 500)]}))
    goals = gpd.GeoSeries([Point(-100, 0), Point(100, 0)], index=["b", "a"], crs=CRS)
    assert net.nearest(points(p=(0, 400), q=(-1, 0)), goals).to_dict("index") == {
        "p": {"target": "a", "metres": 500.0},
        "q": {"target": "b", "metres": 99.0},
    }


def test_no_points_no_rows(toy: WalkNetwork) -> None:
    none = gpd.GeoSeries([], crs=CRS)
    some = points(a=(0, 0))
    assert toy.metres(none, some).empty
    assert toy.metres(some, none).empty
    assert toy.metres(none, none).index.names == ["origin", "target"]
    assert toy.nearest(none, some).empty
    assert toy.nearest(some, none)["target"].isna().all()
    assert toy.reach(none, 100).empty
    assert toy.reach(none, 100, each=True).crs == toy.crs
    assert toy.attach(none).empty


@pytest.mark.parametrize("limit", [np.nan, -1.0])
def test_a_limit_must_be_a_number(toy: WalkNetwork, limit: float) -> None:
    here = points(a=(0, 0))
    for ask in (toy.metres, toy.nearest):
        with pytest.raises(ValueError, match="上限"):
            ask(here, here, limit)
    with pytest.raises(ValueError, match="上限"):
        toy.reach(here, limit)


def test_points_must_be_points(toy: WalkNetwork) -> None:
    for wrong in (None, Point(), Point(0, 0).buffer(1)):
        bad = gpd.GeoSeries([Point(0, 0), wrong], index=["fine", "odd"], crs=CRS)
        with pytest.raises(ValueError, match="odd"):
            toy.attach(bad)
    with pytest.raises(ValueError, match="坐标系"):
        toy.attach(gpd.GeoSeries([Point(0, 0)]))
    with pytest.raises(TypeError, match="GeoSeries"):
        toy.attach([Point(0, 0)])  # type: ignore[arg-type]


# --- minutes ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def crossing() -> WalkNetwork:
    """A 100 m crossing with a wait of 120 s, a way round of 180 m without, and 30 m of steps straight through."""
    streets = {
        "crossing": [(0, 0), (100, 0)],
        "round": [(0, 0), (0, 40), (100, 40), (100, 0)],
        "stairs": [(0, 0), (15, -1), (100, 0)],
        "left": [(-50, 0), (0, 0)],
        "right": [(100, 0), (150, 0)],
    }
    return WalkNetwork.from_streets(
        lines(streets, wait_s=[120.0, 0, 90, 0, 0], steps=[False, False, True, False, False])
    )


def test_least_time_is_not_least_metres(crossing: WalkNetwork) -> None:
    here, there = points(a=(-50, 0)), points(b=(150, 0))
    assert crossing.metres(here, there)["metres"].tolist() == [200.0]
    # at 1 m/s: crossing 200 + 120 = 320 s; round 280 s; stairs 200.1 + 90 = 290.1 s
    assert crossing.minutes(here, there, profile=ADULT)["minutes"].tolist() == [pytest.approx(280 / 60)]
    patient = Profile("patient", "不等", 1.0, waits=0.0)
    assert crossing.minutes(here, there, profile=patient)["minutes"].tolist() == [pytest.approx(200 / 60)]
    fast = Profile("fast", "快", 10.0)  # waits decide: round 28 s
    assert crossing.minutes(here, there, profile=fast)["minutes"].tolist() == [pytest.approx(28 / 60)]


def test_metres_of_the_least_time_way(crossing: WalkNetwork) -> None:
    here, there = door(crossing, "a", -50, 0), door(crossing, "b", 150, 0)
    found = crossing.search(here, there, profile=ADULT)
    assert found["metres"].tolist() == [pytest.approx(280.0)]
    assert found["cost"].tolist() == [pytest.approx(280 / 60)]
    # from the middle of the crossing half of its wait is left: 50 + 60 + 50 s over 100 m
    middle = crossing.search(door(crossing, "m", 50, 0), there, profile=ADULT)
    assert middle["cost"].tolist() == [pytest.approx(160 / 60)]
    assert middle["metres"].tolist() == [pytest.approx(100.0)]
    metric = crossing.search(here, there)
    assert metric["metres"].tolist() == metric["cost"].tolist() == [200.0]


@pytest.mark.slow
def test_steps_are_closed_to_those_who_cannot_use_them() -> None:
    net = WalkNetwork.from_streets(
        lines({"stairs": [(0, 0), (100, 0)], "ramp": [(0, 0), (0, 300), (100, 300), (100, 0)]}, steps=[True, False])
    )
    wheels = Profile("wheels", "轮椅", 1.0, steps=False)
    here, there = points(a=(0, 0)), points(b=(100, 0))
    assert net.minutes(here, there, profile=ADULT)["minutes"].tolist() == [pytest.approx(100 / 60)]
    assert net.minutes(here, there, profile=wheels)["minutes"].tolist() == [pytest.approx(700 / 60)]
    # A door in the middle of the stairs leads nowhere on wheels; a point beside them goes to the ramp instead.
    middle = door(net, "m", 50, 0)
    assert net.search(middle, door(net, "b", 100, 0), profile=wheels)["cost"].isna().all()
    assert net.pairs(middle, door(net, "b", 100, 0), profile=wheels).empty
    assert net.minutes(points(m=(40, 0)), there, profile=wheels)["minutes"].tolist() == [pytest.approx((40 + 700) / 60)]
    assert net.reached(door(net, "a", 0, 0), 2000 / 60, profile=wheels)["edge"].nunique() == 1


def test_minutes_take_a_name_from_the_bundled_profiles(toy: WalkNetwork) -> None:
    found = toy.minutes(points(P=(50, -10)), points(Q=(150, 210)), profile="elderly")["minutes"]
    speed = pd.read_csv(bundled_folder() / "standards" / "profiles.csv", index_col=0).loc["elderly", "speed_m_s"]
    assert found.tolist() == [pytest.approx(320 / speed / 60)]
    with pytest.raises(UnknownNameError, match="elderly"):
        toy.minutes(points(P=(0, 0)), points(Q=(1, 0)), profile="elderley")


def test_minutes_column_limit_and_symmetry(crossing: WalkNetwork) -> None:
    places = points(a=(-50, 0), b=(150, 3), c=(30, 0), d=(40, 41))
    found = crossing.minutes(places, places, 4.0, profile=ADULT)
    assert list(found.columns) == ["minutes"]
    assert (found["minutes"] <= 4.0 + 1e-7).all()
    back = found["minutes"].swaplevel().sort_index()
    np.testing.assert_allclose(found["minutes"], back, rtol=0, atol=1e-12)


# --- attaching -------------------------------------------------------------------------------------------------------


def test_attach_columns_and_order(toy: WalkNetwork) -> None:
    places = gpd.GeoSeries([Point(150, 210), Point(50, -10), Point(50, -10)], index=["b", "a", "b"], crs=CRS)
    doors = toy.attach(places)
    assert list(doors.columns) == ["place", "edge", "at_m", "access_m", "x", "y"]
    assert doors.index.tolist() == [0, 1, 2]
    assert doors["place"].tolist() == ["b", "a", "b"]
    assert doors["access_m"].tolist() == [10.0, 10.0, 10.0]
    assert doors[["x", "y"]].to_numpy().tolist() == [[150.0, 200.0], [50.0, 0.0], [50.0, 0.0]]


def test_a_leg_never_crosses_a_barrier(toy: WalkNetwork) -> None:
    # (50, 20) is 20 from "south"; a wall lies between, so "west" (50) is nearest, and behind a second wall "centre"
    # (50) or "middle".
    here = points(p=(45, 20))
    wall = gpd.GeoSeries([LineString([(20, 10), (80, 10)])], crs=CRS)
    street = toy.edges["street"]
    assert street[toy.attach(here)["edge"].iloc[0]] == "south"
    assert street[toy.attach(here, barriers=wall)["edge"].iloc[0]] == "west"
    two = np.array([wall.iloc[0], LineString([(20, 10), (20, 60)])])
    assert street[toy.attach(here, barriers=two)["edge"].iloc[0]] == "centre"
    box = gpd.GeoSeries([Point(45, 20).buffer(5).exterior], crs=CRS)
    walled = toy.attach(here, barriers=box)
    assert walled["edge"].tolist() == [-1]
    assert walled[["at_m", "access_m", "x", "y"]].isna().all(axis=None)
    assert toy.metres(here, here)["metres"].tolist() == [0.0]


def test_a_gate_on_the_wall_is_no_crossing(toy: WalkNetwork) -> None:
    wall = gpd.GeoSeries([LineString([(0, 10), (100, 10)])], crs=CRS)
    gate = toy.attach(points(gate=(50, 10)), barriers=wall)
    assert gate["access_m"].tolist() == [10.0]
    on_street = gpd.GeoSeries([LineString([(0, 0), (100, 0)])], crs=CRS)
    assert toy.attach(points(p=(50, 30)), barriers=on_street)["access_m"].tolist() == [30.0]


def test_inner_lanes_serve_their_residents_only() -> None:
    net = WalkNetwork.from_streets(
        lines(
            {"street": [(0, 0), (100, 0)], "lane": [(50, 0), (50, 80)], "other": [(60, 0), (60, 80)]},
            home=[None, "h1", "h2"],
        )
    )
    here = gpd.GeoSeries([Point(52, 70)] * 3, index=["h1", "h2", "guest"], crs=CRS)
    street = net.edges["street"].to_dict()
    anybody = net.attach(here)
    assert [street[e] for e in anybody["edge"]] == ["street"] * 3
    own = net.attach(here, home=pd.Series(["h1", "h2", None], index=here.index))
    assert [street[e] for e in own["edge"]] == ["lane", "other", "street"]


def test_of_equally_near_edges_the_first_is_taken(toy: WalkNetwork) -> None:
    doors = toy.attach(points(corner=(0, 0), middle=(50, 50)))
    edges = toy.edges
    for row, spot in zip(doors.itertuples(), [Point(0, 0), Point(50, 50)], strict=True):
        far = edges.distance(spot)
        assert row.edge == far[far <= far.min() + 1e-12].index.min()


# --- reach -----------------------------------------------------------------------------------------------------------


def test_reach_is_cut_exactly(toy: WalkNetwork) -> None:
    # 120 m from (50, 0) with a leg of 10: 110 m along: 50 to A, 60 up west; 50 to B, 60 up centre, 60 along to (160,
    # 0).
    pieces = toy.reach(points(P=(50, -10)), 120)
    assert list(pieces.columns) == ["edge", "from_m", "to_m", "geometry"]
    assert pieces.crs == toy.crs
    expected = MultiLineString([[(0, 60), (0, 0), (100, 0), (160, 0)], [(100, 0), (100, 60)]])
    got = shapely.union_all(pieces.geometry)
    assert got.length == pytest.approx(100 + 60 + 60 + 60, abs=1e-9)
    assert got.symmetric_difference(expected).length == pytest.approx(0, abs=1e-9)


def test_reach_meets_from_both_ends_and_round_the_loop(toy: WalkNetwork) -> None:
    # From I, 150 m either way round the 400 m loop leaves the middle 100 m out.
    pieces = toy.reach(points(I=(200, 200)), 150)
    loop = pieces[pieces["edge"] == toy.edges.index[toy.edges["street"] == "loop"][0]]
    assert loop[["from_m", "to_m"]].to_numpy().tolist() == [[0.0, 150.0], [250.0, 400.0]]
    whole = toy.reach(points(I=(200, 200)), 200)
    loop = whole[whole["edge"] == loop["edge"].iloc[0]]
    assert loop[["from_m", "to_m"]].to_numpy().tolist() == [[0.0, 400.0]]


def test_reach_each_and_limits(toy: WalkNetwork) -> None:
    doors = toy.attach(points(b=(50, 0), a=(150, 200), far=(1050, 3)))
    pieces = toy.reached(doors, [30, 10], each=True)
    assert pieces["place"].unique().tolist() == ["a", "b", "far"]
    length = pieces.assign(m=pieces["to_m"] - pieces["from_m"]).groupby(["place", "limit"])["m"].sum()
    assert length.to_dict() == pytest.approx(
        {("a", 10): 20, ("a", 30): 60, ("b", 10): 20, ("b", 30): 60, ("far", 10): 14, ("far", 30): 54}
    )
    np.testing.assert_allclose(pieces.length, pieces["to_m"] - pieces["from_m"])
    together = toy.reached(doors, 30)
    assert (together["to_m"] - together["from_m"]).sum() == pytest.approx(174)
    assert toy.reached(doors, 0.0).empty
    assert toy.reached(doors, []).empty


def test_a_micrometre_of_street_is_none(toy: WalkNetwork) -> None:
    here = door(toy, "a", 0, 0)
    assert toy.reached(here, 1e-6).empty and not toy.reached(here, 3e-6).empty


def test_reach_in_minutes_spends_waits_along_the_edge(crossing: WalkNetwork) -> None:
    # From the left end of the crossing, 110 s at 1 m/s: 100 m cost 220 s, so half the crossing.
    here = door(crossing, "a", 0, 0)
    pieces = crossing.reached(here, 110 / 60, profile=ADULT)
    at = crossing.edges.index[crossing.edges["street"] == "crossing"][0]
    assert pieces.set_index("edge").loc[at, "to_m"] == pytest.approx(50.0)


# --- property tests --------------------------------------------------------------------------------------------------


def random_streets(seed: int, exact: bool) -> gpd.GeoDataFrame:
    """Polylines over few vertices: loops, parallels, islands, repeats, dead ends; on a lattice, ties are everywhere."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 14))
    spots = rng.integers(0, 5, (count, 2)) * 100.0 if exact else rng.uniform(0, 500, (count, 2))
    shapes = []
    for _ in range(int(rng.integers(1, 12))):
        picked = spots[rng.integers(0, count, int(rng.integers(2, 6)))]
        if rng.random() < 0.2:
            picked = np.concatenate([picked, picked[:1]])
        shapes.append(LineString(picked))
    shapes.append(LineString([(0, 0), (100, 0)]))
    steps = rng.random(len(shapes)) < 0.2
    waits = np.where(rng.random(len(shapes)) < 0.3, rng.integers(0, 200, len(shapes)), 0)
    names = rng.integers(0, 4, len(shapes)) if rng.random() < 0.5 else np.arange(len(shapes))
    return gpd.GeoDataFrame({"street": names, "steps": steps, "wait_s": waits}, geometry=shapes, crs=CRS)


def edge_waits(net: WalkNetwork) -> pd.Series:
    """Return the seconds on every edge: a street is waited once, its pieces that hang together share its wait by their metres."""
    edges = net.edges
    waits = pd.Series(0.0, index=edges.index)
    for _, street in edges.groupby(["street", "name", "class", "wait_s", "steps", "home"], dropna=False):
        for nodes in nx.connected_components(nx.Graph(list(zip(street["u"], street["v"], strict=True)))):
            piece = street[street["u"].isin(nodes)]
            waits[piece.index] = piece["wait_s"] * piece["length_m"] / piece["length_m"].sum()
    return waits


def edge_cost(net: WalkNetwork, profile: Profile | None) -> pd.Series:
    edges = net.edges
    if profile is None:
        return edges["length_m"]
    cost = edges["length_m"] / profile.speed_m_s / 60 + edge_waits(net) * profile.waits / 60
    return cost.where(~edges["steps"] | profile.steps, np.inf)


def oracle(net: WalkNetwork, doors: pd.DataFrame, profile: Profile | None) -> nx.MultiGraph:
    """Return a graph in which every door is a node of its own inside its edge, with a leg to a node for its place."""
    cost = edge_cost(net, profile)
    unit = 1.0 if profile is None else 1 / profile.speed_m_s / 60
    graph = nx.MultiGraph()
    for e, edge in net.edges.iterrows():
        if not np.isfinite(cost[e]):  # closed: one can stand on it, but walk nowhere but off its very ends
            here = doors.index[doors["edge"] == e]
            spots = [(("node", edge["u"]), 0.0), (("node", edge["v"]), edge["length_m"])]
            spots += [(("door", d), doors.at[d, "at_m"]) for d in here]
            same = [(a, b) for (a, x), (b, y) in itertools.combinations(spots, 2) if x == y]
            graph.add_edges_from(same, cost=0.0)
            continue
        stops = doors[doors["edge"] == e].sort_values("at_m", kind="stable")
        along = [(0.0, ("node", edge["u"])), *zip(stops["at_m"], (("door", d) for d in stops.index), strict=True)]
        along.append((edge["length_m"], ("node", edge["v"])))
        for (a, here), (b, there) in itertools.pairwise(along):
            graph.add_edge(here, there, cost=cost[e] * ((b - a) / edge["length_m"]))
    for d, row in doors.iterrows():
        graph.add_node(("place", row["place"]))
        if row["edge"] >= 0:
            graph.add_edge(("place", row["place"], d), ("door", d), cost=row["access_m"] * unit)
    return graph


def door_costs(graph: nx.MultiGraph, doors: pd.DataFrame, origins: range, targets: range) -> np.ndarray:
    """Cost between origin doors and target doors, legs included, infinite where there is no way."""
    cost = np.full((len(origins), len(targets)), np.inf)
    for i, o in enumerate(origins):
        start = ("place", doors.at[o, "place"], o)
        if start not in graph:
            continue
        far = nx.single_source_dijkstra_path_length(graph, start, weight="cost")
        for j, t in enumerate(targets):
            cost[i, j] = far.get(("place", doors.at[t, "place"], t), np.inf)
    return cost


def random_doors(net: WalkNetwork, seed: int, exact: bool, count: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed + 1)
    edge = rng.integers(0, len(net.edges), count)
    length = net.edges["length_m"].to_numpy()[edge]
    part = rng.choice([0.0, 0.25, 0.5, 1.0], count) if exact else rng.random(count) * (rng.random(count) < 0.9)
    access = rng.choice([0.0, 25.0], count) if exact else rng.uniform(0, 60, count)
    edge = np.where(rng.random(count) < 0.05, -1, edge)
    place = rng.choice(list("qwertyuiop"), count)
    return pd.DataFrame({"place": place, "edge": edge, "at_m": part * length, "access_m": access})


PROFILES = [None, Profile("a", "a", 1.25), Profile("w", "w", 0.5, steps=False), Profile("n", "n", 1.0, waits=0.0)]
cases = given(seed=st.integers(0, 10**6), exact=st.booleans(), kind=st.sampled_from(range(4)))


@pytest.mark.slow
@cases
@settings(max_examples=trials(35))
def test_search_and_pairs_against_networkx(seed: int, exact: bool, kind: int) -> None:
    profile = PROFILES[kind]
    net = WalkNetwork.from_streets(random_streets(seed, exact))
    doors = random_doors(net, seed, exact, 12)
    # an origin's own leg must not be a way through for others: place nodes are per door and have one edge each
    graph = oracle(net, doors, profile)
    origins, targets = range(7), range(7, 12)
    cost = door_costs(graph, doors, origins, targets)
    unit = 1.0 if profile is None else 1 / profile.speed_m_s / 60
    limit = [np.inf, 300.0 * unit][seed % 2]
    cost[cost > limit + 1e-6 * unit] = np.inf
    here, there = doors.iloc[:7], doors.iloc[7:]

    found = net.search(here, there, profile=profile, limit=limit)
    assert found.index.equals(here.index)
    np.testing.assert_allclose(found["cost"].fillna(np.inf), cost.min(axis=1), atol=1e-9 * unit)
    for i, row in enumerate(found.itertuples()):
        near = there["place"][cost[i] <= cost[i].min() + 1e-6 * unit] if np.isfinite(cost[i].min()) else []
        assert pd.isna(row.target) if not len(near) else row.target == min(near)

    pairs = net.pairs(here, there, profile=profile, limit=limit)
    least = pd.DataFrame(cost, index=here["place"].to_numpy(), columns=there["place"].to_numpy())
    least = least.groupby(level=0).min().T.groupby(level=0).min().T.stack()
    least = least[np.isfinite(least)].sort_index()
    assert pairs.index.tolist() == least.index.tolist()
    np.testing.assert_allclose(pairs.iloc[:, 0], least, atol=1e-9 * unit)


@cases
@settings(max_examples=trials(35))
def test_kinds_at_once_are_what_each_is_alone(seed: int, exact: bool, kind: int) -> None:
    profile = PROFILES[kind]
    net = WalkNetwork.from_streets(random_streets(seed, exact))
    doors = random_doors(net, seed, exact, 24)
    origins = doors.iloc[:8].set_axis([5, 5, *range(6)])  # rows of an index that repeats itself
    numbered = doors.iloc[16:].assign(place=np.arange(8) // 2)
    targets = {"clinic": doors.iloc[8:16], 3: numbered, None: doors.iloc[:0], "canteen": doors.iloc[12:20]}
    limit = [np.inf, 300.0 * (1.0 if profile is None else 1 / profile.speed_m_s / 60)][seed % 2]
    found = net.search_each(origins, targets, profile=profile, limit=limit)
    assert list(found) == list(targets)
    for key, frame in targets.items():
        alone = net.search(origins, frame, profile=profile, limit=limit)
        assert_frame_equal(found[key], alone, check_exact=True)
        assert alone.index.equals(origins.index)
        pairs = net.pairs(origins.reset_index(drop=True).assign(place=range(8)), frame, profile=profile, limit=limit)
        least = pairs.iloc[:, 0].groupby(level="origin").min().reindex(range(8))
        np.testing.assert_allclose(alone["cost"], least, atol=1e-9)
        assert alone["target"].isna().tolist() == least.isna().tolist()
    assert found[None].isna().all(axis=None)
    columns = {name: numbered[name].to_numpy() for name in ("place", "edge", "at_m", "access_m")}
    (arrays,), whole = (
        net.nearest_each(origins, {3: columns}, profile=profile).values(),
        net.search(origins, numbered, profile=profile),
    )
    assert arrays.target.tolist() == whole["target"].fillna(-1).tolist()
    for name in ("cost", "metres"):
        np.testing.assert_array_equal(getattr(arrays, name), whole[name])


@pytest.mark.slow
@cases
@settings(max_examples=trials(35))
def test_walked_metres_belong_to_a_least_time_way(seed: int, exact: bool, kind: int) -> None:
    profile = PROFILES[kind] or ADULT
    net = WalkNetwork.from_streets(random_streets(seed, exact))
    doors = random_doors(net, seed, exact, 10)
    found = net.search(doors.iloc[:6], doors.iloc[6:], profile=profile)
    waiting = found["cost"] - found["metres"] / profile.speed_m_s / 60
    assert (waiting.dropna() >= -1e-9).all()
    # the same search where time is all that counts and metres are counted separately, by brute force over the oracle
    graph = oracle(net, doors, profile)
    for i, row in enumerate(found.itertuples()):
        if pd.isna(row.cost):
            continue
        goals = [d for d in range(6, 10) if doors.at[d, "place"] == row.target and doors.at[d, "edge"] >= 0]
        ways = []
        for d in goals:
            start, stop = ("place", doors.at[i, "place"], i), ("place", row.target, d)
            if nx.has_path(graph, start, stop):
                ways.append(nx.dijkstra_path_length(graph, start, stop, weight="cost"))
        assert min(ways) == pytest.approx(row.cost, abs=1e-9)


@pytest.mark.slow
@cases
@settings(max_examples=trials(25))
def test_reach_against_cost_at_every_point(seed: int, exact: bool, kind: int) -> None:
    profile = PROFILES[kind]
    unit = 1.0 if profile is None else 1 / profile.speed_m_s / 60
    net = WalkNetwork.from_streets(random_streets(seed, exact))
    doors = random_doors(net, seed, exact, 4)
    limits = [120.0 * unit, 300.0 * unit]
    pieces = net.reached(doors, limits, profile=profile)
    rng = np.random.default_rng(seed)
    edge = rng.integers(0, len(net.edges), 40)
    at = rng.random(40) * net.edges["length_m"].to_numpy()[edge]
    probes = pd.DataFrame({"place": "x", "edge": edge, "at_m": at, "access_m": 0.0})
    cost = net.search(probes, doors, profile=profile)["cost"].fillna(np.inf).to_numpy()
    for limit in limits:
        mine = pieces[pieces["limit"] == limit]
        for e, a, c in zip(edge, at, cost, strict=True):
            here = mine[mine["edge"] == e]
            inside = ((here["from_m"] - 1e-5 <= a) & (a <= here["to_m"] + 1e-5)).any()
            deep = ((here["from_m"] + 1e-5 <= a) & (a <= here["to_m"] - 1e-5)).any()
            assert inside if c < limit - 1e-4 * unit else True
            assert not deep if c > limit + 1e-4 * unit else True
        np.testing.assert_allclose(mine.length, mine["to_m"] - mine["from_m"], atol=1e-6)
    small, large = (pieces[pieces["limit"] == limit] for limit in limits)
    for piece in small.itertuples():
        around = large[large["edge"] == piece.edge]
        around = around[(around["from_m"] <= piece.from_m) & (around["to_m"] >= piece.to_m)]
        assert len(around) == 1


@given(seed=st.integers(0, 10**6), exact=st.booleans())
@settings(max_examples=trials(40))
def test_streets_against_their_own_segments(seed: int, exact: bool) -> None:
    """Contraction, nodes and lengths against a graph with a node for every vertex of every line."""
    streets = random_streets(seed, exact)
    net = WalkNetwork.from_streets(streets)
    graph = nx.MultiGraph()
    for line in streets.geometry:
        for a, b in itertools.pairwise(line.coords):
            graph.add_edge(a, b, cost=np.hypot(a[0] - b[0], a[1] - b[1]))
    length = sum(cost for *_, cost in graph.edges(data="cost"))
    assert net.edges["length_m"].sum() == pytest.approx(length, abs=1e-6)
    spots = [spot for spot in graph if any(cost > 0 for *_, cost in graph.edges(spot, data="cost"))]
    places = gpd.GeoSeries([Point(spot) for spot in spots], crs=CRS)
    doors = net.attach(places)
    assert (doors["access_m"] <= 1e-9).all()
    if exact:  # lines that cross at a lattice point without a vertex there: the first edge may be the wrong one
        ends = {tuple(xy) for xy in shapely.get_coordinates(net.nodes.geometry)}
        edges = net.edges
        doors = doors.astype({"edge": int})
        for i, spot in enumerate(spots):
            own = [e for e, line in edges.geometry.items() if tuple(spot) in line.coords]
            e = own[0]
            doors.loc[i, "edge"] = e
            first = list(edges.geometry[e].coords).index(tuple(spot))
            doors.loc[i, "at_m"] = LineString([*edges.geometry[e].coords[: first + 1], spot]).length
        assert ends <= set(spots)
    found = net.pairs(doors, doors)["metres"]
    for i, spot in enumerate(spots):
        far = nx.single_source_dijkstra_path_length(graph, spot, weight="cost")
        want = {j: far[other] for j, other in enumerate(spots) if other in far}
        assert found[i].to_dict() == pytest.approx(want, abs=1e-6)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=trials(30))
def test_attach_against_brute_force(seed: int) -> None:
    net = WalkNetwork.from_streets(random_streets(seed, exact=False))
    rng = np.random.default_rng(seed)
    places = gpd.GeoSeries(shapely.points(rng.uniform(-50, 550, (20, 2))), crs=CRS)
    doors = net.attach(places)
    lines_ = net.edges.geometry
    for spot, row in zip(places, doors.itertuples(), strict=True):
        assert row.access_m == pytest.approx(lines_.distance(spot).min(), abs=1e-9)
        foot = lines_[row.edge].interpolate(row.at_m)
        assert foot.distance(Point(row.x, row.y)) < 1e-6
        assert spot.distance(foot) == pytest.approx(row.access_m, abs=1e-6)


@pytest.mark.slow
@cases
@settings(max_examples=trials(35))
def test_a_place_more_or_less_equals_a_new_search(seed: int, exact: bool, kind: int) -> None:
    profile = PROFILES[kind]
    net = WalkNetwork.from_streets(random_streets(seed, exact))
    doors = random_doors(net, seed, exact, 24)
    targets, origins = doors.iloc[:12], doors.iloc[12:]
    rng = np.random.default_rng(seed)
    names = sorted(targets["place"].unique())
    here = {names[0]} if len(names) < 3 else set(rng.choice(names, 2, replace=False))
    states = [(net.search_state(targets[targets["place"].isin(here)], profile=profile), here)]
    for _ in range(6):
        state, here = states[int(rng.integers(len(states)))]  # any that there was: they go on side by side
        name = str(rng.choice(names))
        before = state.at(origins)
        if name in here and len(here) > 1:
            new, now = state.without_place(name), here - {name}
        else:
            new, now = state.with_place(targets[targets["place"] == name]), here | {name}
        assert_frame_equal(state.at(origins), before)  # the old state stays what it was
        states.append((new, now))
    for number in rng.permutation(len(states)):
        state, here = states[number]
        full = net.search(origins, targets[targets["place"].isin(here)], profile=profile)
        assert_frame_equal(state.at(origins), full, atol=1e-9, rtol=0, check_dtype=False)


def test_states_of_one_search_may_be_asked_in_threads(town: WalkNetwork) -> None:
    rng = np.random.default_rng(9)
    doors = town.attach(gpd.GeoSeries(shapely.points(rng.uniform(0, 4000, (80, 2))), crs=CRS))
    states = [town.search_state(doors[:5])]
    for row in range(5, 15):
        states.append(states[row // 2 - 2].with_place(doors[row : row + 1]))
    alone = [state.at(doors) for state in states]
    with ThreadPoolExecutor(4) as pool:
        for found, want in zip(pool.map(lambda k: states[k % 11].at(doors), range(88)), alone * 8, strict=True):
            assert_frame_equal(found, want, check_exact=True)
    closed = states[-1].without_place(0)
    with pytest.raises(UnknownNameError, match="0"):
        closed.without_place(0)
    assert_frame_equal(closed.with_place(doors[:1]).at(doors), alone[-1], check_exact=True)


def interrupted(call: Callable[[SearchState], object], state: SearchState, line: int) -> bool:
    """Call, and press Ctrl-C before so many lines of what changes states have run; return whether there were so many."""
    left = line

    def watch(frame: FrameType, event: str, _: object) -> Any:
        nonlocal left
        if not frame.f_code.co_filename.startswith(CHANGES):
            return None
        if event == "line":
            left -= 1
            if left < 0:
                raise KeyboardInterrupt
        return watch

    before = sys.gettrace()
    sys.settrace(watch)
    try:
        call(state)
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


@pytest.mark.slow
@pytest.mark.one_in(3)
@pytest.mark.parametrize("profile", [None, pytest.param(ADULT, marks=pytest.mark.slow)])
@pytest.mark.parametrize("change", ["with_place", "without_place", "at"])
def test_an_interrupted_change_leaves_every_state_as_it_was(change: str, profile: Profile | None) -> None:
    """Whatever line Ctrl-C comes at, all states answer as they did, and the change can be made again."""
    at = np.arange(7) * 100.0
    streets = [LineString([(x, y) for y in at]) for x in at] + [LineString([(x, y) for x in at]) for y in at]
    waits = np.where(np.arange(len(streets)) % 3, 0.0, 45.0)
    net = WalkNetwork.from_streets(gpd.GeoDataFrame({"wait_s": waits}, geometry=streets, crs=CRS))
    spots = np.random.default_rng(10).integers(0, 600, (30, 2))  # on a grid: ways tie, so that labels are settled
    doors = net.attach(gpd.GeoSeries(shapely.points(spots), crs=CRS))

    def family() -> list[SearchState]:
        first = net.search_state(doors[:3], profile=profile)
        return [first, first.with_place(doors[3:4]), first.without_place(0), first.with_place(doors[5:6])]

    def changed(state: SearchState) -> pd.DataFrame:
        return {
            "with_place": lambda: state.with_place(doors[4:5]).at(doors),
            "without_place": lambda: state.without_place(1).at(doors),
            "at": lambda: state.at(doors),
        }[change]()

    want, after = [state.at(doors) for state in family()], [changed(state) for state in family()]
    line, states = 0, family()
    while interrupted(changed, states[1], line):  # the arrays stand elsewhere: they have to come here first
        for number in np.roll(range(4), line):
            assert_frame_equal(states[number].at(doors), want[number], check_exact=True)
        assert_frame_equal(changed(states[line % 4]), after[line % 4], check_exact=True)
        interrupted(changed, states[2], line // 2)  # once more, of states that have been through it
        assert_frame_equal(states[3].at(doors), want[3], check_exact=True)
        line += 1
        states = family()
    assert line > 30


def test_closing_a_place_that_does_not_exist(toy: WalkNetwork) -> None:
    state = toy.search_state(door(toy, "clinic", 0, 0))
    with pytest.raises(UnknownNameError, match="clinic"):
        state.without_place("clinik")
    nameless = door(toy, "clinic", 0, 0).assign(place=[None])
    with pytest.raises(ValueError, match="不能为空"):
        state.with_place(nameless)
    empty = state.without_place("clinic")
    assert empty.at(door(toy, "x", 0, 0))["target"].isna().all()
    again = empty.with_place(door(toy, "clinic", 50, 0))
    assert again.at(door(toy, "x", 0, 0))["cost"].tolist() == [50.0]


# --- the same answers whatever the order, the threads or the day ------------------------------------------------------


@pytest.fixture(scope="module")
def town() -> WalkNetwork:
    """A grid of 40 x 40 blocks of 100 m: every distance ties with many."""
    at = np.arange(41) * 100.0
    streets = [LineString([(x, y) for y in at]) for x in at] + [LineString([(x, y) for x in at]) for y in at]
    return WalkNetwork.from_streets(gpd.GeoDataFrame(geometry=streets, crs=CRS))


def test_grid_distances_are_manhattan(town: WalkNetwork) -> None:
    rng = np.random.default_rng(3)
    xy = rng.integers(0, 41, (60, 2)) * 100.0
    places = gpd.GeoSeries(shapely.points(xy), crs=CRS)
    metres = town.metres(places, places, 3000.0)["metres"]
    for (a, b), value in metres.items():
        assert value == np.abs(xy[a] - xy[b]).sum()
    near = town.nearest(places.iloc[:40], places.iloc[40:])
    far = np.abs(xy[:40, None] - xy[None, 40:]).sum(axis=2)
    assert near["target"].tolist() == (far.argmin(axis=1) + 40).tolist()


@pytest.mark.slow
def test_thousands_of_places_on_one_street_come_in_order() -> None:
    """More than there is room for at first, on two edges; numbers of three bytes, in no order along the street."""
    net = WalkNetwork.from_streets(
        lines({"long": [(0, 0), (35_000, 0), (70_000, 0)], "side": [(35_000, 0), (35_000, 500)]})
    )
    rng = np.random.default_rng(12)
    at = np.round(rng.uniform(0, 70_000, 70_000), 3)
    homes = gpd.GeoSeries(shapely.points(at, np.zeros(len(at))), crs=CRS)
    starts = gpd.GeoSeries(shapely.points([35_000, 100, 20_000], [200, 0, 0]), index=["side", "end", "middle"], crs=CRS)
    for limit in (40.0, 3000.0):  # some tens, some thousands
        found = net.metres(starts, homes, limit)["metres"]
        assert found.index.is_monotonic_increasing
        for name, (x, y) in {"side": (35_000, 200), "end": (100, 0), "middle": (20_000, 0)}.items():
            far = np.abs(at - x) + y
            near = np.flatnonzero(far <= limit)
            mine = found[found.index.get_level_values("origin") == name]
            assert mine.index.get_level_values("target").tolist() == near.tolist()
            np.testing.assert_allclose(mine, far[near], rtol=0, atol=1e-6)
    assert len(found) > 5000


def test_threads_change_nothing(town: WalkNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    places = gpd.GeoSeries(shapely.points(rng.uniform(0, 4000, (300, 2))), crs=CRS)
    results = []
    for threads in (1, 2, 7):
        monkeypatch.setattr("xinhe_geo.network.threads.thread_count", lambda threads=threads: threads)
        pieces = town.reach(places.iloc[:50], 500, each=True)
        results.append((town.metres(places, places, 900), town.nearest(places, places[::7]), pieces))
    for other in results[1:]:
        for one, two in zip(results[0], other, strict=True):
            pd.testing.assert_frame_equal(pd.DataFrame(one), pd.DataFrame(two), check_exact=True)


@pytest.mark.parametrize("profile", [None, ADULT])
def test_batches_of_seeds_change_nothing(profile: Profile | None, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(6)
    at = np.arange(31) * 100.0
    streets = [LineString([(x, y) for y in at]) for x in at] + [LineString([(x, y) for x in at]) for y in at]
    waits = rng.choice([0.0, 0.0, 300.0], len(streets))
    net = WalkNetwork.from_streets(gpd.GeoDataFrame({"wait_s": waits}, geometry=streets, crs=CRS))
    doors = net.attach(gpd.GeoSeries(shapely.points(rng.integers(0, 3000, (400, 2))), crs=CRS))
    limit = 350.0 if profile is None else 350.0 / 60
    whole = net.search(doors, doors[::5], profile=profile)  # unbounded: one batch
    whole = whole.where(whole["cost"] <= limit + 1e-7)
    for size, threads in ((10**6, 1), (8, 1), (8, 3), (5, 2)):
        monkeypatch.setattr("xinhe_geo.network.nearest.SEED_BATCH", size)
        monkeypatch.setattr("xinhe_geo.network.threads.THREAD_STEPS", 0)
        monkeypatch.setattr("xinhe_geo.network.threads.thread_count", lambda threads=threads: threads)
        found = net.search(doors, doors[::5], profile=profile, limit=limit)
        assert_frame_equal(found, whole, check_dtype=False, check_exact=True)
    assert 50 < found["cost"].notna().sum() < 400


@pytest.mark.parametrize("profile", [None, ADULT])
def test_neither_threads_nor_batches_change_kinds(
    town: WalkNetwork, profile: Profile | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(7)
    doors = town.attach(gpd.GeoSeries(shapely.points(rng.integers(0, 4000, (900, 2))), crs=CRS))
    targets = {kind: doors[kind::40] for kind in range(5)} | {"one": doors[:1], "none": doors[:0]}
    limit = 400.0 if profile is None else 400.0 / 60
    whole = {key: town.search(doors, frame, profile=profile) for key, frame in targets.items()}  # one batch each
    for seeds, rows, threads in ((10**6, 10**6, 1), (4, 50, 1), (4, 50, 2), (2, 7, 5), (10**6, 100, 3)):
        monkeypatch.setattr("xinhe_geo.network.nearest.SEED_BATCH", seeds)
        monkeypatch.setattr("xinhe_geo.network.nearest.READ_BATCH", rows)
        monkeypatch.setattr("xinhe_geo.network.threads.THREAD_STEPS", 0)
        monkeypatch.setattr("xinhe_geo.network.threads.thread_count", lambda threads=threads: threads)
        found = town.search_each(doors, targets, profile=profile, limit=limit)
        for key, frame in whole.items():
            near = frame.where(frame["cost"] <= limit + 1e-7)
            assert_frame_equal(found[key], near, check_dtype=False, check_exact=True)
    assert 100 < found[0]["cost"].notna().sum() < 800
    assert found["one"]["cost"].notna().sum() > 1
    assert town.search_each(doors, {}) == {}


@pytest.mark.parametrize("steps", [0, 10**6])
def test_columns_of_an_answer_are_their_own(toy: WalkNetwork, steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Metres are the cost where there is no profile: one array, if long, until somebody writes to either."""
    monkeypatch.setattr("xinhe_geo.network.threads.THREAD_STEPS", steps)
    found = toy.search(door(toy, "x", 0, 0), door(toy, "clinic", 50, 0))
    found.loc[0, "cost"] = -1.0
    assert found["metres"].tolist() == [50.0]
    again = toy.search(door(toy, "x", 0, 0), door(toy, "clinic", 50, 0))
    again["metres"] *= 2
    assert again["cost"].tolist() == [50.0]


def test_a_frame_that_was_asked_about_may_change(town: WalkNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    """The network remembers long frames of doors; whatever is written to one, its answers are those of the new doors."""
    monkeypatch.setattr("xinhe_geo.network.threads.THREAD_STEPS", 1)
    rng = np.random.default_rng(8)
    doors = town.attach(gpd.GeoSeries(shapely.points(rng.uniform(0, 4000, (60, 2))), crs=CRS))
    near = doors.iloc[:7].copy()

    def move_one() -> None:
        doors.loc[30, ["edge", "at_m"]] = [int(near.loc[3, "edge"]), 1.0]

    def lengthen() -> None:
        doors["access_m"] += 25.0

    def rename() -> None:
        doors["place"] = doors["place"] // 2

    def nothing() -> None:
        pass

    seen = []
    for change in (nothing, move_one, lengthen, rename, nothing):
        change()
        found = town.pairs(near, doors, limit=1500.0)
        copy = pickle.loads(pickle.dumps(town))  # remembers nothing
        assert_frame_equal(found, copy.pairs(near.copy(), doors.copy(), limit=1500.0), check_exact=True)
        for profile in (None, ADULT, None):
            nearest = town.search(doors, near, profile=profile)
            assert_frame_equal(nearest, copy.search(doors.copy(), near.copy(), profile=profile), check_exact=True)
        seen.append(found)
    assert not any(one.equals(two) for one, two in itertools.pairwise(seen[:4]))
    assert seen[3].equals(seen[4])
    assert len(town._streets.known) == FRAMES_KNOWN


def test_labels_keep_their_type(toy: WalkNetwork) -> None:
    near, far = door(toy, "x", 50, 0), door(toy, "x", 1050, 0)
    for label in (7, "clinic", 2.5, ("a", 1)):
        targets = {"kind": door(toy, 0, 0, 0).assign(place=pd.Series([label], index=pd.RangeIndex(1, name="door")))}
        alone, both = (toy.search_each(o, targets)["kind"]["target"] for o in (near, pd.concat([far, near])))
        assert alone.tolist() == [label]
        assert pd.isna(both.iloc[0])
        assert both.iloc[1] == label
    numbers = door(toy, 7, 0, 0)
    assert toy.search(near, numbers)["target"].dtype == "int64"
    assert toy.search(pd.concat([far, near]), numbers)["target"].dtype == "Int64"


def test_the_order_of_points_changes_nothing(town: WalkNetwork) -> None:
    rng = np.random.default_rng(5)
    places = gpd.GeoSeries(shapely.points(rng.integers(0, 4000, (120, 2))), crs=CRS)
    shuffled = places.sample(frac=1, random_state=1)
    assert_frame_equal(town.metres(places, places, 900), town.metres(shuffled, shuffled, 900), check_exact=True)
    near = town.nearest(places, places.iloc[:20], access=False)
    other = town.nearest(shuffled, places.iloc[:20].iloc[::-1], access=False)
    assert_frame_equal(near, other.loc[near.index], check_exact=True)


def test_a_huge_limit_is_no_limit(toy: WalkNetwork) -> None:
    here = points(P=(50, -10), X=(1050, 0))
    assert_frame_equal(toy.metres(here, here, 1e15), toy.metres(here, here))
    assert_frame_equal(toy.nearest(here, here, 1e300), toy.nearest(here, here))
    assert len(toy.reach(here, 1e15)) == len(toy.edges)


def test_one_very_long_edge_among_short_ones() -> None:
    streets = {"far": [(0, 0), (5e6, 0)]} | {f"s{i}": [(0, i), (0, i + 1)] for i in range(50)}
    net = WalkNetwork.from_streets(lines(streets))
    found = net.metres(points(a=(5e6, 0)), points(b=(0, 50)))["metres"]
    assert found.tolist() == [5e6 + 50]


# --- graphs ----------------------------------------------------------------------------------------------------------


def graph_of(edges: list[tuple[Any, ...]], crs: str = CRS, **nodes: tuple[float, float]) -> nx.MultiDiGraph:
    graph = nx.MultiDiGraph(crs=crs)
    for name, (x, y) in nodes.items():
        graph.add_node(name, x=x, y=y)
    for u, v, data in edges:
        graph.add_edge(u, v, **data)
    return graph


def test_a_street_listed_both_ways_is_one_edge() -> None:
    bent = LineString([(0, 0), (50, 50), (100, 0)])
    graph = graph_of(
        [
            ("a", "b", {"osmid": 1, "length": 100.0}),
            ("b", "a", {"osmid": 1, "length": 100.0}),
            ("a", "b", {"osmid": 2, "length": bent.length, "geometry": bent}),
            ("b", "a", {"osmid": 2, "length": bent.length, "geometry": bent.reverse()}),
            ("b", "c", {"osmid": 3, "length": 60.0}),  # one-way: walked both ways all the same
        ],
        a=(0, 0),
        b=(100, 0),
        c=(100, 50),
    )
    net = WalkNetwork.from_graph(graph)
    assert len(net.edges) == 3
    assert net.metres(points(c=(100, 50)), points(a=(0, 0)))["metres"].tolist() == [160.0]


def test_length_is_the_cost_where_a_graph_has_one() -> None:
    graph = graph_of(
        [("a", "b", {"length": 7.0}), ("b", "c", {}), ("c", "d", {"length": 3.0})],
        a=(0, 0),
        b=(100, 0),
        c=(200, 0),
        d=(200, 0),
    )
    net = WalkNetwork.from_graph(graph)
    assert sorted(net.edges["length_m"]) == [3.0, 7.0, 100.0]
    found = net.metres(points(p=(50, 0)), points(q=(150, 0)))["metres"]
    assert found.tolist() == [3.5 + 50]


def test_streets_of_a_graph_meet_at_its_nodes_only() -> None:
    under = LineString([(0, 0), (100, 0), (200, 0)])
    over = LineString([(100, -100), (100, 0), (100, 100)])
    graph = graph_of(
        [("a", "b", {"geometry": under}), ("c", "d", {"geometry": over})],
        a=(0, 0),
        b=(200, 0),
        c=(100, -100),
        d=(100, 100),
    )
    assert len(WalkNetwork.from_graph(graph).metres(points(a=(0, 0)), points(d=(100, 100)))) == 0


@pytest.mark.slow
def test_a_graph_in_degrees_is_projected_to_its_zone() -> None:
    graph = graph_of([("a", "b", {"osmid": 5, "length": 1000.0})], "EPSG:4326", a=(117.6, 39.0), b=(117.6, 39.009))
    net = WalkNetwork.from_graph(graph)
    assert net.crs == "EPSG:32650"
    assert net.edges["length_m"].tolist() == [1000.0]
    assert WalkNetwork.from_graph(graph, crs="EPSG:4548").crs == "EPSG:4548"


def test_lists_that_osmnx_makes_of_attributes() -> None:
    graph = graph_of(
        [("a", "b", {"osmid": [9, 8], "highway": ["footway", "steps"], "name": ["x", "y"], "length": 10.0})],
        a=(0, 0),
        b=(10, 0),
    )
    edge = WalkNetwork.from_graph(graph).edges.iloc[0]
    assert edge[["street", "class", "name", "steps"]].tolist() == ["8;9", "footway;steps", "x;y", True]


def test_graphs_that_cannot_be_walked_on() -> None:
    with pytest.raises(NetworkError, match="坐标系"):
        WalkNetwork.from_graph(nx.MultiDiGraph())
    with pytest.raises(NetworkError, match="没有可步行"):
        WalkNetwork.from_graph(graph_of([], a=(0, 0)))
    with pytest.raises(NetworkError, match="length"):
        WalkNetwork.from_graph(graph_of([("a", "b", {"length": -1.0})], a=(0, 0), b=(1, 0)))
    bare = nx.MultiDiGraph(crs=CRS)
    bare.add_edge("a", "b")
    with pytest.raises(NetworkError, match="坐标"):
        WalkNetwork.from_graph(bare)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=trials(30))
def test_to_graph_and_back_is_the_same_network(seed: int) -> None:
    net = WalkNetwork.from_streets(random_streets(seed, exact=False))
    back = WalkNetwork.from_graph(net.to_graph())
    columns = ["street", "wait_s", "steps", "length_m", "u", "v"]
    key = ["u", "v", "length_m", "street"]
    one, two = (pd.DataFrame(n.edges)[columns].copy() for n in (net, back))
    for frame in (one, two):  # the direction of an edge may turn round
        frame[["u", "v"]] = np.sort(frame[["u", "v"]], axis=1)
        frame["length_m"] = frame["length_m"].round(9)
    assert_frame_equal(
        one.sort_values(key, ignore_index=True), two.sort_values(key, ignore_index=True), check_dtype=False
    )


@pytest.mark.slow
def test_to_graph_is_what_osmnx_expects(toy: WalkNetwork) -> None:
    import osmnx as ox

    graph = toy.to_graph()
    assert graph.number_of_edges() == 2 * len(toy.edges) - 1  # the loop once
    nodes, edges = ox.convert.graph_to_gdfs(graph)
    assert len(nodes) == len(toy.nodes)
    assert edges.geometry.notna().all()
    assert nodes.crs == toy.crs
    route = ox.routing.shortest_path(graph, *_ends_of(toy, "west"), weight="length")
    assert len(route) == 2


@pytest.mark.parametrize("simplify", [False, True])
def test_graphs_of_osmnx_keep_their_distances(tmp_path: Path, simplify: bool) -> None:
    import osmnx as ox

    road = {"highway": "residential", "oneway": "yes"}
    ways = {
        1: ([1, 2, 3, 4, 5], road),
        2: ([2, 12, 22, 32], {"highway": "footway"}),
        3: ([4, 14, 24, 23, 22], {"highway": "steps"}),
        4: ([3, 13, 23], road),
        5: ([32, 33, 43, 42, 32], road),  # a loop at 32
        6: ([51, 52], road),  # an island
    }
    path = write(tmp_path, ways)
    graph = ox.graph_from_xml(path, simplify=simplify, retain_all=True)
    net = WalkNetwork.from_graph(graph)
    both = graph.to_undirected()
    ids = [i for i, degree in graph.degree() if degree]
    xy = [(graph.nodes[i]["x"], graph.nodes[i]["y"]) for i in ids]
    places = gpd.GeoSeries([Point(spot) for spot in xy], crs="EPSG:4326")
    found = net.metres(places, places)["metres"]
    for i, start in enumerate(ids):
        far = nx.single_source_dijkstra_path_length(both, start, weight="length")
        want = {j: far[other] for j, other in enumerate(ids) if other in far}
        assert found[i].to_dict() == pytest.approx(want, abs=1e-5)
    total = sum(length for *_, length in both.edges(data="length"))
    assert net.edges["length_m"].sum() == pytest.approx(total, abs=1e-6)


def _ends_of(net: WalkNetwork, street: str) -> tuple[int, int]:
    edge = net.edges.set_index("street").loc[street]
    return int(edge["u"]), int(edge["v"])


# --- OpenStreetMap files ---------------------------------------------------------------------------------------------

LON, LAT = 117.6, 39.0


def osm(ways: dict[int, tuple[list[int], dict[str, str]]], nodes: dict[int, tuple[float, float]]) -> str:
    rows = ['<?xml version="1.0" encoding="UTF-8"?>', '<osm version="0.6">']
    rows += [
        f'<node id="{n}" version="1" lat="{LAT + y * 1e-3:.7f}" lon="{LON + x * 1e-3:.7f}"/>'
        for n, (x, y) in nodes.items()
    ]
    for w, (refs, tags) in ways.items():
        rows.append(f'<way id="{w}" version="1">' + "".join(f'<nd ref="{r}"/>' for r in refs))
        rows.append("".join(f'<tag k="{k}" v="{v}"/>' for k, v in tags.items()) + "</way>")
    return "\n".join([*rows, "</osm>"])


def write(folder: Path, ways: dict[int, tuple[list[int], dict[str, str]]], name: str = "a.osm") -> Path:
    nodes = {n: (float(n % 10), float(n // 10)) for n in range(1, 60)}
    missing = {r for refs, _ in ways.values() for r in refs if r >= 60}
    assert not missing & set(nodes)
    path = folder / name
    path.write_text(osm(ways, nodes), encoding="utf-8")
    return path


def test_reading_whole_ways(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        {
            7: ([1, 2, 3], {"highway": "residential", "name": "示例路"}),
            8: ([2, 12], {"highway": "steps"}),
            9: ([12, 22], {"highway": "footway", "footway": "crossing", "crossing": "traffic_signals"}),
            10: ([1, 31], {"railway": "rail"}),
            11: ([1, 32], {"waterway": "river"}),
            12: ([3, 4], {"highway": "motorway", "name": "示例高速"}),
        },
    )
    streets = read_osm_streets(path)
    assert streets.index.tolist() == ["w7", "w8", "w9"]
    assert streets.index.name == "street"
    assert streets.crs == "EPSG:4326"
    assert list(streets.columns) == ["name", "class", "wait_s", "steps", "geometry"]
    assert streets["class"].tolist() == ["residential", "steps", "footway"]
    assert streets["steps"].tolist() == [False, True, False]
    assert streets["wait_s"].tolist() == [0.0, 0.0, 25.0]
    assert shapely.get_num_points(streets.geometry).tolist() == [3, 2, 2]
    left = excluded_ways(path)
    assert list(left.columns) == ["way", "name", "class", "reason"]
    assert left.to_numpy().tolist() == [["w12", "示例高速", "motorway", "高速公路不能步行"]]


CASES = [
    ({"highway": "motorway"}, False),
    ({"highway": "motorway_link", "foot": "yes"}, False),
    ({"highway": "primary", "motorroad": "yes", "foot": "yes"}, False),
    ({"highway": "construction", "construction": "residential"}, False),
    ({"highway": "proposed"}, False),
    ({"highway": "trunk"}, True),
    ({"highway": "cycleway"}, False),
    ({"highway": "cycleway", "foot": "designated"}, True),
    ({"highway": "cycleway", "foot": "yes"}, True),
    ({"highway": "residential", "access": "private"}, False),
    ({"highway": "residential", "access": "private", "foot": "yes"}, True),
    ({"highway": "residential", "access": "no", "foot": "designated"}, True),
    ({"highway": "residential", "access": "no"}, False),
    ({"highway": "residential", "foot": "no"}, False),
    ({"highway": "pedestrian", "area": "yes"}, False),
    ({"highway": "pedestrian"}, True),
    ({"highway": "service"}, True),
    ({"highway": "service", "service": "private"}, False),
    ({"highway": "service", "service": "parking_aisle"}, True),
    ({"highway": "residential", "sidewalk": "separate"}, True),
    ({"highway": "residential", "oneway": "yes"}, True),
    ({"highway": "residential", "access": "destination"}, True),
    ({"highway": "platform"}, False),
    ({"highway": "made_up"}, False),
]


@pytest.mark.slow
@pytest.mark.one_in(4)
@pytest.mark.parametrize(("tags", "walk"), CASES, ids=[",".join(f"{k}={v}" for k, v in t.items()) for t, _ in CASES])
def test_what_the_bundled_filter_walks_on(tags: dict[str, str], walk: bool, tmp_path: Path) -> None:
    path = write(tmp_path, {1: ([1, 2], {"highway": "residential"}), 2: ([2, 3], tags)})
    assert ("w2" in read_osm_streets(path).index) == walk
    reasons = excluded_ways(path)
    assert ("w2" in set(reasons["way"])) != walk
    assert reasons["reason"].str.len().gt(0).all()


@pytest.mark.slow
def test_a_filter_of_ones_own(tmp_path: Path) -> None:
    road = {"highway": "residential"}
    path = write(tmp_path, {1: ([1, 2], road | {"lit": "yes"}), 2: ([2, 3], road)})
    lit = {"rule": [{"walk": True, "tags": {"highway": "*", "lit": "yes"}}]}
    assert read_osm_streets(path, walk_filter=lit).index.tolist() == ["w1"]
    assert excluded_ways(path, walk_filter=lit)["reason"].tolist() == ["没有规则允许步行"]
    file = tmp_path / "rules.toml"
    rules = [
        '[[rule]]\nwalk = false\nreason = "暗"\ntags = {highway = ["*"]}\nunless = {lit = ["*"]}',
        '[[rule]]\nwalk = true\ntags = {highway = ["*"]}',
    ]
    file.write_text("\n".join(rules), encoding="utf-8")
    assert WalkNetwork.from_osm(path, walk_filter=file).edges["street"].tolist() == ["w1"]
    for wrong in (
        {},
        {"rule": [{"walk": "yes", "tags": {"a": "b"}}]},
        {"rule": [{"walk": True, "tags": {}}]},
        {"rule": 3},
    ):
        with pytest.raises(SourceError, match="步行规则"):
            read_osm_streets(path, walk_filter=wrong)
    file.write_text("not toml [", encoding="utf-8")
    with pytest.raises(SourceError, match=r"rules\.toml"):
        read_osm_streets(path, walk_filter=file)
    with pytest.raises(SourceError, match="打不开"):
        read_osm_streets(path, walk_filter=tmp_path / "none.toml")


@pytest.mark.slow
def test_a_clipped_file_is_split_where_nodes_are_missing(tmp_path: Path) -> None:
    road = {"highway": "residential"}
    path = write(tmp_path, {5: ([1, 2, 901, 3, 4, 902, 5], road), 6: ([903, 904], road), 7: ([905, 11, 12], road)})
    streets = read_osm_streets(path)
    assert streets.index.tolist() == ["w5", "w5-2", "w7"]
    assert shapely.get_num_points(streets.geometry).tolist() == [2, 2, 2]
    assert len(WalkNetwork.from_osm(path).edges) == 3


@pytest.mark.slow
def test_packed_files_are_the_same(tmp_path: Path) -> None:
    path = write(tmp_path, {5: ([1, 2, 3], {"highway": "residential"})})
    plain = read_osm_streets(path)
    for suffix, pack in ((".gz", gzip.compress), (".bz2", bz2.compress)):
        packed = tmp_path / f"a.osm{suffix}"
        packed.write_bytes(pack(path.read_bytes()))
        assert_frame_equal(pd.DataFrame(read_osm_streets(packed)), pd.DataFrame(plain))


@pytest.mark.slow
def test_ways_join_at_nodes_of_the_map_only(tmp_path: Path) -> None:
    # Two nodes in one spot are a bridge over a street, not a junction.
    nodes = {1: (0, 0), 2: (1, 0), 3: (2, 0), 4: (1, -1), 5: (1, 0), 6: (1, 1)}
    path = tmp_path / "over.osm"
    road = {"highway": "residential"}
    path.write_text(osm({1: ([1, 2, 3], road), 2: ([4, 5, 6], road)}, nodes), encoding="utf-8")
    net = WalkNetwork.from_osm(path)
    assert net.edges["component"].nunique() == 2
    assert net.crs == "EPSG:4548"  # the national zone, where nobody names a CRS
    assert WalkNetwork.from_osm(path, crs="EPSG:32650").crs == "EPSG:32650"


@pytest.mark.slow
def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"不存在.*nowhere\.osm"):
        WalkNetwork.from_osm(tmp_path / "nowhere.osm")
    for name, content in (("a.osm.pbf", b"not a pbf"), ("b.osm", b"<osm><way"), ("c.osm", b"hello")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises((SourceError, NetworkError), match=name.split(".")[0]):
            WalkNetwork.from_osm(tmp_path / name)
    with pytest.raises(NetworkError, match=r"a\.osm 里没有可步行"):
        WalkNetwork.from_osm(write(tmp_path, {1: ([1, 2], {"highway": "motorway"})}))


# --- files of our own ------------------------------------------------------------------------------------------------


def test_saved_and_loaded_is_the_same(toy: WalkNetwork, crossing: WalkNetwork, tmp_path: Path) -> None:
    for net in (toy, crossing):
        first, second = tmp_path / "first.npz", tmp_path / "second.npz"
        net.save(first)
        back = WalkNetwork.load(first)
        back.save(second)
        assert first.read_bytes() == second.read_bytes()
        assert back.crs == net.crs
        assert_frame_equal(pd.DataFrame(back.edges), pd.DataFrame(net.edges))
        assert_frame_equal(pd.DataFrame(back.nodes), pd.DataFrame(net.nodes))
        here = points(P=(50, -10), Q=(150, 210))
        assert_frame_equal(back.metres(here, here), net.metres(here, here), check_exact=True)
    assert {path.name for path in tmp_path.iterdir()} == {"first.npz", "second.npz"}


@pytest.mark.slow
def test_broken_and_foreign_files_are_refused(toy: WalkNetwork, tmp_path: Path) -> None:
    path = tmp_path / "net.npz"
    toy.save(path)
    good = path.read_bytes()
    at = good.index(np.float64(1100.0).tobytes())
    (tmp_path / "changed.npz").write_bytes(good[:at] + np.float64(1101.0).tobytes() + good[at + 8 :])
    (tmp_path / "short.npz").write_bytes(good[: len(good) // 2])
    (tmp_path / "text.npz").write_text("hello")
    (tmp_path / "empty.npz").write_bytes(b"")
    np.savez(tmp_path / "other.npz", a=np.arange(3))
    np.save(tmp_path / "array.npz.npy", np.arange(3))
    for name in ("changed.npz", "short.npz", "text.npz", "empty.npz", "other.npz", "array.npz.npy", "absent.npz"):
        with pytest.raises(NetworkError, match=name):
            WalkNetwork.load(tmp_path / name)


def test_a_file_of_another_version_is_refused(
    toy: WalkNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xinhe_geo.network.npz.FORMAT_VERSION", 99)
    toy.save(tmp_path / "new.npz")
    monkeypatch.undo()
    with pytest.raises(NetworkError, match="99"):
        WalkNetwork.load(tmp_path / "new.npz")


def test_a_failed_save_leaves_the_old_file(toy: WalkNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "net.npz"
    path.write_bytes(b"old")

    def fail(*_: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("zipfile.ZipFile.writestr", fail)
    with pytest.raises(OSError, match=r"net\.npz"):
        toy.save(path)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["net.npz"]


def test_origins_of_another_network_are_refused_for_kinds_too(toy: WalkNetwork) -> None:
    here = door(toy, "a", 50, 0)
    for wrong in (here.assign(edge=10**6), here.assign(at_m=1e6), here.assign(at_m=np.nan), here.assign(access_m=-1.0)):
        with pytest.raises(NetworkError, match="另一个路网"):
            toy.search_each(wrong, {"clinic": here})
        with pytest.raises(NetworkError, match="另一个路网"):
            toy.search_each(here, {"clinic": here, "canteen": wrong})
    with pytest.raises(ValueError, match="上限"):
        toy.search_each(here, {"clinic": here}, limit=-1.0)


def test_doors_of_another_network_are_refused(toy: WalkNetwork) -> None:
    good = door(toy, "a", 50, 0)
    for change in ({"edge": 99}, {"at_m": 5000.0}, {"at_m": np.nan}, {"access_m": -1.0}):
        with pytest.raises(NetworkError, match="出入口"):
            toy.search(good.assign(**change), good)


# --- real places -----------------------------------------------------------------------------------------------------

#: The filter that the counts expected here were made with.
NEVER = "motorway motorway_link trunk trunk_link construction proposed raceway bus_guideway platform corridor elevator"
README_FILTER = {
    "rule": [
        {"walk": False, "tags": {"highway": NEVER.split(" ")}},
        {"walk": False, "tags": {"area": ["yes"]}},
        {"walk": False, "tags": {"motorroad": ["yes"]}},
        {"walk": False, "tags": {"foot": ["no"]}},
        {
            "walk": False,
            "tags": {"access": ["no", "private"]},
            "unless": {"foot": ["yes", "designated", "permissive"]},
        },
        {"walk": True, "tags": {"highway": "*"}},
    ]
}


@pytest.mark.slow
@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("name", "vertices", "edges", "junctions", "kilometres", "largest"),
    [
        ("helsinki", 5841, 6852, 2551, 89, 0.970),
        ("saopaulo", 18682, 21555, 5894, 655, 0.963),
        pytest.param("porto", 303243, 326163, 64275, 9683, 0.986, marks=pytest.mark.slow),
    ],
)
def test_real_extracts_have_the_published_counts(
    shared: Path, name: str, vertices: int, edges: int, junctions: int, kilometres: float, largest: float
) -> None:
    path = shared / "places" / f"{name}.osm.pbf"
    ways = read_ways(path, README_FILTER)
    step = np.ones(len(ways.node), bool)
    step[ways.off[:-1]] = False
    pairs = np.column_stack([ways.node[:-1][step[1:]], ways.node[1:][step[1:]]])
    assert len(np.unique(pairs)) == vertices
    assert len(pairs) == edges  # two ways over one segment count twice, and a node listed twice in a row as well
    degree = np.bincount(pairs.ravel())
    assert int(((degree > 0) & (degree != 2)).sum()) == junctions
    net = WalkNetwork.from_osm(path, walk_filter=README_FILTER)
    assert net.edges["length_m"].sum() / 1000 == pytest.approx(kilometres, rel=0.01)
    inner = shapely.get_num_points(net.edges.geometry) - 2
    count = np.bincount(net.nodes["component"]) + np.bincount(net.edges["component"], weights=inner)
    assert count[0] / count.sum() == pytest.approx(largest, abs=0.002)


@pytest.fixture(scope="module")
def helsinki(shared: Path) -> WalkNetwork:
    return WalkNetwork.from_osm(shared / "places" / "helsinki.osm.pbf")


@pytest.mark.slow
@pytest.mark.matrix
def test_helsinki_against_networkx_on_the_same_ways(helsinki: WalkNetwork, shared: Path) -> None:
    """Every node of the map a node of the graph, joined by the map's own numbers, read by other code."""
    path = str(shared / "places" / "helsinki.osm.pbf")
    walkable = {street.split("-")[0] for street in read_osm_streets(path).index}
    project = pyproj.Transformer.from_crs("EPSG:4326", helsinki.crs, always_xy=True)
    spot = {n.id: project.transform(n.lon, n.lat) for n in osmium.FileProcessor(path, osmium.osm.NODE)}
    graph = nx.Graph()
    for way in osmium.FileProcessor(path, osmium.osm.WAY):
        for a, b in itertools.pairwise([n.ref for n in way.nodes]):
            if f"w{way.id}" in walkable and a in spot and b in spot and a != b:
                graph.add_edge(a, b, cost=np.hypot(spot[a][0] - spot[b][0], spot[a][1] - spot[b][1]))
    rng = np.random.default_rng(0)
    ids = [list(graph)[i] for i in rng.choice(len(graph), 60, replace=False)]
    places = gpd.GeoSeries([Point(spot[i]) for i in ids], crs=helsinki.crs)
    found = helsinki.metres(places, places)["metres"].unstack()
    checked = 0
    for i, start in enumerate(ids):
        far = nx.single_source_dijkstra_path_length(graph, start, weight="cost")
        want = np.array([far.get(other, np.nan) for other in ids])
        np.testing.assert_allclose(found.loc[i].reindex(range(len(ids))), want, atol=1e-5)
        checked += np.isfinite(want).sum()
    assert checked > 3000


@pytest.mark.slow
def test_helsinki_from_streets_is_helsinki_from_osm(helsinki: WalkNetwork, shared: Path) -> None:
    streets = read_osm_streets(shared / "places" / "helsinki.osm.pbf")
    net = WalkNetwork.from_streets(streets, crs=helsinki.crs)
    rng = np.random.default_rng(1)
    box = helsinki.nodes.total_bounds
    places = gpd.GeoSeries(shapely.points(rng.uniform(box[:2], box[2:], (80, 2))), crs=helsinki.crs)
    one, two = helsinki.metres(places, places, 1500), net.metres(places, places, 1500)
    assert one.index.equals(two.index)
    np.testing.assert_allclose(one["metres"], two["metres"], atol=1e-5)


def test_straight_line_is_never_longer_than_the_walk(helsinki: WalkNetwork) -> None:
    rng = np.random.default_rng(2)
    box = helsinki.nodes.total_bounds
    places = gpd.GeoSeries(shapely.points(rng.uniform(box[:2], box[2:], (100, 2))), crs=helsinki.crs)
    found = helsinki.metres(places, places)["metres"]
    a, b = (places.loc[found.index.get_level_values(k)].reset_index(drop=True) for k in (0, 1))
    assert (found.to_numpy() >= a.distance(b).to_numpy() - 1e-6).all()


@pytest.mark.parametrize("edge", ["int64", "int32", "float64", "Int64"])
def test_a_short_frame_of_doors_is_read_like_a_long_one(edge: str) -> None:
    rows = {"place": ["a", "b", "a"], "edge": [3, -1, 7], "at_m": [0.1, 0.0, 1 / 3], "access_m": [2.5, 0.0, 1e-9]}
    frame = pd.DataFrame(rows).astype({"edge": edge}).assign(x="more", y=1)
    if edge == "float64":
        frame.loc[1, "edge"] = np.nan
    few = few_columns(frame)
    assert few["place"].tolist() == frame["place"].tolist()
    for short, long in zip(columns_of(few), columns_of(frame), strict=True):
        assert short.dtype == long.dtype and short.tobytes() == long.tobytes()
    with pytest.raises(KeyError, match="edge"):
        few_columns(frame.drop(columns="edge"))
