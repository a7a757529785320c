"""OSMnx at work: a network goes out as a graph that OSMnx takes for its own, and a graph comes in with all it says."""

from __future__ import annotations

import importlib
import pickle
from pathlib import Path
from typing import Any

import geopandas as gpd
import networkx as nx
import numpy as np
import pandas as pd
import pytest
import shapely

import xinhe_geo as xh
from xinhe_geo import WalkNetwork

TOY = Path(__file__).parents[1] / "toy"


@pytest.fixture(scope="module")
def ox() -> Any:
    """OSMnx, which takes longer to load than all these tests, in the worker that has them."""
    return importlib.import_module("osmnx")


@pytest.fixture(scope="module")
def toy() -> xh.District:
    return xh.District.load(TOY)


def by_street(net: WalkNetwork) -> list[tuple[Any, ...]]:
    edges = net.edges
    return sorted(zip(edges["street"], edges["length_m"].round(6), edges["steps"], edges["wait_s"], strict=True))


def test_what_osmnx_does_with_its_own_graphs_it_does_with_ours(ox: Any, toy: xh.District, tmp_path: Path) -> None:
    graph = toy.network.to_graph()
    stats = ox.basic_stats(graph)
    public = toy.network.edges["length_m"].sum()
    assert stats["n"] == len(toy.network.nodes) and stats["street_length_total"] == pytest.approx(public)
    assert ox.stats.count_streets_per_node(graph) == nx.get_node_attributes(graph, "street_count")
    assert all(type(number) is int for *_, number in graph.edges(data="osmid"))
    ox.save_graphml(graph, tmp_path / "g.graphml")
    again = ox.load_graphml(tmp_path / "g.graphml")
    assert by_street(WalkNetwork.from_graph(again)) == by_street(toy.network), "text of a file is read as what it was"


@pytest.mark.slow
def test_osmnx_draws_it(ox: Any, toy: xh.District) -> None:
    import matplotlib

    matplotlib.use("Agg")
    _, axes = ox.plot_graph(toy.network.to_graph(), show=False, close=True)
    assert axes.collections


def told() -> nx.MultiDiGraph:
    """Return a graph with attributes that nobody here has heard of, a loop and parallel edges."""
    graph = nx.MultiDiGraph(crs="EPSG:4548", simplified=True)
    for node, x, y, more in (
        (70001, 0, 0, {"elevation": 3.5}),
        (70002, 100, 0, {"highway": "traffic_signals"}),
        (70003, 100, 80, {}),
        (70004, 0, 80, {}),
    ):
        graph.add_node(node, x=500000.0 + x, y=4320000.0 + y, **more)
    edges = (
        (70001, 70002, {"osmid": 11, "lit": "yes", "grade": 0.02}),
        (
            70001,
            70002,
            {"osmid": 12, "geometry": shapely.LineString([(500000, 4320000), (500050, 4320020), (500100, 4320000)])},
        ),
        (70002, 70003, {"osmid": [13, 14], "lit": "no", "surface": ["asphalt", "gravel"]}),
        (70003, 70004, {"osmid": 15, "steps": False, "wait_s": 20}),
        (70004, 70001, {"osmid": 16, "lanes": 2}),
        (
            70003,
            70003,
            {
                "osmid": 17,
                "geometry": shapely.LineString(
                    [(500100, 4320080), (500130, 4320080), (500130, 4320100), (500100, 4320080)]
                ),
            },
        ),
    )
    for u, v, data in edges:
        graph.add_edge(u, v, **data)
    return graph


def said_of_edges(graph: nx.MultiDiGraph) -> list[tuple[Any, ...]]:
    names = ("lit", "grade", "lanes", "surface")
    return sorted(
        (min(u, v), max(u, v), *(str(data[name]) if name in data else "" for name in names))
        for u, v, data in graph.edges(data=True)
        if not data.get("reversed")
    )


def test_a_graph_comes_back_with_all_it_said(ox: Any, tmp_path: Path) -> None:
    graph = told()
    net = WalkNetwork.from_graph(graph)
    back = net.to_graph()
    assert set(back.nodes) == set(graph.nodes)
    assert back.nodes[70001]["elevation"] == 3.5 and back.nodes[70002]["highway"] == "traffic_signals"
    assert "elevation" not in back.nodes[70003]
    listed = told()
    listed.edges[70002, 70003, 0]["surface"] = "asphalt;gravel"  # a list is kept as a text
    assert said_of_edges(back) == said_of_edges(listed)
    assert net.edges["lit"].dropna().tolist().count("yes") == 1
    assert ox.stats.count_streets_per_node(back) == nx.get_node_attributes(back, "street_count")
    net.save(tmp_path / "net.npz")
    for same in (WalkNetwork.load(tmp_path / "net.npz"), pickle.loads(pickle.dumps(net))):
        assert sorted(row[2:] for row in said_of_edges(same.to_graph())) == sorted(
            row[2:] for row in said_of_edges(back)
        )


def test_ids_that_are_one_number_stay_apart() -> None:
    lines = [shapely.LineString([(0, y), (50, y)]) for y in (0, 10, 20)]
    streets = gpd.GeoDataFrame({"street": ["7", "07", "x"]}, geometry=lines, crs="EPSG:4548")
    graph = WalkNetwork.from_streets(streets).to_graph()
    assert len({number for *_, number in graph.edges(data="osmid")}) == 3
    whole = WalkNetwork.from_streets(streets.assign(street=["7", "8", "x"])).to_graph()
    assert {data["street"]: data["osmid"] > 0 for *_, data in whole.edges(data=True)} == {
        "7": True,
        "8": True,
        "x": False,
    }


@pytest.mark.slow
@pytest.mark.parametrize("form", ["network", "graph", "degrees"])
def test_a_district_walks_on_a_graph_as_on_its_own_streets(ox: Any, toy: xh.District, form: str) -> None:
    graph = toy.network.to_graph()
    given = {
        "network": lambda: toy.network,
        "graph": lambda: graph,
        "degrees": lambda: ox.project_graph(graph, to_latlong=True),
    }
    own, other = xh.coverage(toy), xh.coverage(toy, network=given[form]())
    for column in ("minutes", "metres", "served"):
        np.testing.assert_allclose(other[column], own[column], atol=1e-5)
    assert (other["basis"] == "unstated").all(), "nobody said what its streets rest on"
    assert own["basis"].equals(xh.coverage(toy)["basis"]), "the district stays as it was"


@pytest.mark.slow
def test_fewer_streets_serve_fewer(toy: xh.District) -> None:
    graph = toy.network.to_graph()
    across = [(u, v, k) for u, v, k, street in graph.edges(keys=True, data="street") if street.startswith("v")]
    graph.remove_edges_from(across)
    cover, fewer = xh.coverage(toy), xh.coverage(toy, network=graph)
    assert fewer["metres"].isna().sum() > cover["metres"].isna().sum()


def test_networks_that_a_district_cannot_walk_on(toy: xh.District) -> None:
    elsewhere = WalkNetwork.from_streets(
        gpd.GeoDataFrame(geometry=[shapely.LineString([(0, 0), (50, 0)])], crs="EPSG:32650")
    )
    with pytest.raises(xh.NetworkError, match=r"crs=街道\.crs"):
        xh.coverage(toy, network=elsewhere)
    far = toy.network.edges.set_geometry(toy.network.edges.translate(60_000))
    with pytest.raises(xh.DataError, match="公里"):
        xh.coverage(toy, network=WalkNetwork.from_streets(far))
    for wrong in ("streets.graphml", toy, pd.DataFrame()):
        with pytest.raises(xh.XinheError, match="OSMnx"):
            xh.coverage(toy, network=wrong)


def test_isochrones_of_a_graph_are_those_of_its_network(toy: xh.District) -> None:
    point = shapely.Point(500050, 4320000)
    one, other = (xh.isochrones(where, point, minutes=(3, 7)) for where in (toy.network, toy.network.to_graph()))
    assert one["street_m"].tolist() == pytest.approx(other["street_m"].tolist())
    assert shapely.equals_exact(one.geometry.normalize().array, other.geometry.normalize().array, 1e-6).all()


def test_streets_of_ones_own_need_no_class() -> None:
    """A walk does not ask for it: the same walks with classes and without, and a district that is sound."""
    toy = xh.District.load(Path(__file__).parents[1] / "toy")
    streets = toy.streets[["geometry", "class"]].reset_index(names="street")
    own = [toy.walking_on(xh.WalkNetwork.from_streets(s)) for s in (streets, streets.drop(columns="class"))]
    assert set(own[1].streets["class"]) == {"road"}
    with_class, without = (xh.coverage(d, rules=["plan_clinic_15"])["minutes"] for d in own)
    assert without.notna().any() and without.equals(with_class)


def square(crs: object = "EPSG:4548") -> nx.MultiDiGraph:
    """Two ways of 100 m, each listed in both directions, without lengths."""
    graph = nx.MultiDiGraph(crs=crs)
    for node, (x, y) in enumerate([(553_000.0, 4_322_000.0), (553_100.0, 4_322_000.0), (553_100.0, 4_322_100.0)]):
        graph.add_node(node, x=x, y=y)
    graph.add_edges_from([(0, 1), (1, 0), (1, 2), (2, 1)])
    return graph


@pytest.mark.parametrize("form", [nx.MultiDiGraph, nx.MultiGraph, nx.DiGraph, nx.Graph])
@pytest.mark.parametrize("length", [None, float("nan"), 100.0, "100.0"])
def test_any_graph_of_networkx_is_the_same_streets(form: type, length: object) -> None:
    """Directed or not, with parallel edges or not; a length that is missing is that of the line."""
    graph = square()
    for *_, data in graph.edges(data=True):
        data["length"] = length
    graph = nx.MultiDiGraph(graph) if form is nx.MultiDiGraph else form(graph)
    if form is nx.MultiGraph:  # it keeps both directions apart; OSMnx's own has one
        graph.remove_edges_from([(0, 1, 1), (1, 2, 1)])
    streets = xh.WalkNetwork.from_graph(graph)
    assert sorted(streets.edges["length_m"]) == [100.0, 100.0] and len(streets.nodes) == 3


def degrees(x: float, y: float) -> nx.MultiDiGraph:
    graph = nx.MultiDiGraph(crs="EPSG:4326")
    graph.add_node(0, x=x, y=y)
    graph.add_node(1, x=x + 0.001, y=y)
    graph.add_edge(0, 1)
    return graph


@pytest.mark.parametrize(
    ("graph", "said"),
    [
        (degrees(39.03, 117.62), "x 应是经度"),
        (square("EPSG:2263"), "foot.*crs="),
        (square("EPSG:0"), "坐标系不认识"),
        (square(None), "没有坐标系"),
    ],
)
def test_a_graph_that_lies_nowhere_is_told_in_one_sentence(graph: nx.MultiDiGraph, said: str) -> None:
    for asked in (xh.WalkNetwork.from_graph, lambda g: xh.isochrones(g, shapely.Point(0, 0))):
        with pytest.raises(xh.NetworkError, match=said):
            asked(graph)


def test_a_graph_in_feet_is_walked_in_metres_where_a_system_is_named() -> None:
    """Lengths of OSMnx are metres whatever the system; where there are none, the line is measured in the one that is named."""
    graph = nx.MultiDiGraph(crs="EPSG:2263")
    graph.add_node(0, x=983_000.0, y=200_000.0)
    graph.add_node(1, x=984_000.0, y=200_000.0)
    graph.add_edge(0, 1)
    walked = xh.WalkNetwork.from_graph(graph, crs="EPSG:32618").edges["length_m"].item()
    assert walked == pytest.approx(1000 * 1200 / 3937, rel=1e-3)
    graph.edges[0, 1, 0]["length"] = 310.0
    assert xh.WalkNetwork.from_graph(graph, crs="EPSG:32618").edges["length_m"].item() == 310.0
