"""
Answers nobody here wrote.

`osm_sample`: a small walking graph with published range and nearest answers. Content © OpenStreetMap contributors
(ODbL), as kept in UDST/pandana's tests at commit 9bcebd6; its costs are hops.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import geopandas as gpd
import networkx as nx
import numpy as np
import pandas as pd
import pytest
import shapely

from xinhe_geo.network.walk_network import WalkNetwork


class Sample(NamedTuple):
    net: WalkNetwork
    rows: pd.DataFrame  # doors of all vertices
    places: pd.DataFrame  # doors of the places
    value: pd.Series
    expected: pd.Series


@pytest.fixture(scope="module")
def sample(shared: Path) -> Sample:
    folder = shared / "yardsticks" / "osm_sample"
    nodes, edges, places = (pd.read_csv(folder / f"{name}.csv") for name in ("nodes", "edges", "places"))
    graph = nx.MultiDiGraph(crs="EPSG:4326")
    for row, lon, lat in zip(nodes["row"], nodes["lon"], nodes["lat"], strict=True):
        graph.add_node(row, x=lon, y=lat)
    for a, b, weight in edges.itertuples(index=False):
        graph.add_edge(a, b, length=float(weight))
    net = WalkNetwork.from_graph(graph)
    spots = gpd.GeoSeries(shapely.points(nodes["lon"], nodes["lat"]), index=nodes["row"], crs="EPSG:4326")
    rows = net.attach(spots)
    alone = rows["access_m"] > 1e-4  # a vertex without an edge is not on the network
    rows.loc[alone, "edge"] = -1
    rows["access_m"] = 0.0
    at = rows.iloc[places["row"]].assign(place=places["place"].to_numpy())
    expected = pd.read_csv(folder / "expected.csv", index_col="quantity")["expected"]
    return Sample(net, rows, at, places.set_index("place")["value"], expected)


def test_osm_sample_is_the_published_graph(sample: Sample) -> None:
    assert len(sample.rows) == int(sample.expected["vertices"])
    ends = np.unique(np.sort(sample.net.edges[["u", "v"]], axis=1), axis=0)  # the file lists streets several times
    assert len(ends) == int(sample.expected["distinct_undirected_edges"])
    alone = int((sample.rows["edge"] < 0).sum())
    assert sample.net.nodes["component"].nunique() + alone == int(sample.expected["components"])
    assert sample.net.nodes["component"].value_counts().max() == int(sample.expected["largest_component"])


@pytest.mark.parametrize(("row", "exact"), [(0, 159.208343), (50, 94.466892)])
def test_osm_sample_sums_within_ten(sample: Sample, row: int, exact: float) -> None:
    pairs = sample.net.pairs(sample.rows.iloc[[row]], sample.places, limit=10.0)
    total = sample.value.loc[pairs.index.get_level_values("target")].sum()
    assert total == pytest.approx(float(sample.expected[f"sum_within_10_at_row_{row}"]), abs=1e-4)
    assert total == pytest.approx(exact, abs=1e-6)  # the same in double precision


def test_osm_sample_path_and_nearest(sample: Sample) -> None:
    pair = sample.net.pairs(sample.rows.iloc[[996]], sample.rows.iloc[[71]])["metres"]
    assert pair.tolist() == [float(sample.expected["path_996_71"])]
    three = sample.net.pairs(sample.rows.iloc[[0]], sample.places)["metres"].sort_values(kind="stable").iloc[:3]
    assert ";".join(f"{cost:.0f}" for cost in three) == sample.expected["nearest3_row_0"]
    assert [place for _, place in three.index] == [6, 20, 25]


def test_osm_sample_nearest_counts(sample: Sample) -> None:
    cost = sample.net.search(sample.rows, sample.places, limit=10.0)["cost"]
    alone = sample.places.index[sample.places["edge"] < 0]  # a place on a vertex without an edge is there all the same
    cost[alone] = 0.0
    assert int(cost.isna().sum()) == int(sample.expected["rows_with_no_place_within_10"])
    assert int((cost == 10.0).sum()) == int(sample.expected["rows_nearest_exactly_10"])
    assert int((cost == 5.0).sum()) == int(sample.expected["rows_nearest_exactly_5"])
    assert np.isin(cost.dropna(), np.arange(11.0)).all()
