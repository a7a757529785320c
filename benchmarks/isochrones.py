"""
Isochrone polygons, one place at a time: ours beside the recipe of OSMnx's examples, both held against an exact reach.

The exact reach is worked out here from NetworkX's distances: every edge cut where the minutes run out, each piece buffered finely.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import geopandas as gpd
import networkx as nx
import numpy as np
import shapely
from shapely.ops import substring

from xinhe_geo.access.isochrones import isochrones
from xinhe_geo.core.models import Profile
from xinhe_geo.network.walk_network import WalkNetwork

MINUTES = 15.0
FRONTAGE_M = 25.0
WALKER = Profile("adult", "adult", 1.1)
PLACES = 8


def recipe(graph: Any, node: int) -> shapely.Geometry:
    """What users copy, in its steps: ego graph, a frame of nodes to look ends up in, edges buffered one by one, holes filled."""
    inside = nx.ego_graph(graph, node, radius=MINUTES, distance="minutes")
    points = [shapely.Point(data["x"], data["y"]) for _, data in inside.nodes(data=True)]
    spots = gpd.GeoDataFrame({"id": list(inside.nodes)}, geometry=points).set_index("id")
    lines = []
    for a, b in inside.edges():
        start, stop = spots.loc[a].geometry, spots.loc[b].geometry
        lines.append(graph.get_edge_data(a, b)[0].get("geometry", shapely.LineString([start, stop])))
    shapes = [*spots.buffer(0.0).geometry, *gpd.GeoSeries(lines).buffer(FRONTAGE_M).geometry]
    whole = gpd.GeoSeries(shapes).union_all()
    outer = max(shapely.get_parts(whole), key=lambda part: part.area)
    return shapely.Polygon(outer.exterior)


def exact(graph: Any, node: int) -> shapely.Geometry:
    """Every street cut where the minutes run out, with a fine buffer around each piece."""
    speed = WALKER.speed_m_s * 60.0
    left = nx.single_source_dijkstra_path_length(graph, node, cutoff=MINUTES, weight="minutes")
    pieces = []
    for a, b, data in graph.edges(left, data=True):
        metres = (MINUTES - left[a]) * speed
        line = data["geometry"]
        if b not in graph or data["reversed"]:
            line = shapely.reverse(data["geometry"]) if data["reversed"] and a != b else line
        if shapely.Point(line.coords[0]).distance(shapely.Point(graph.nodes[a]["x"], graph.nodes[a]["y"])) > 1e-6:
            line = shapely.reverse(line)
        pieces.append(substring(line, 0.0, min(metres, line.length)))
    return shapely.union_all([piece.buffer(FRONTAGE_M, quad_segs=16) for piece in pieces])


def overlap(a: shapely.Geometry, b: shapely.Geometry) -> float:
    """Return intersection over union."""
    return float(shapely.intersection(a, b).area / shapely.union(a, b).area)


def measure(net: WalkNetwork, clock: Callable[[Callable[[], Any]], tuple[float, Any]], rounds: int) -> dict[str, Any]:
    """Seconds per polygon of each method, and how well each matches the exact reach, for a few places in turn."""
    graph = net.to_graph()
    for _, _, data in graph.edges(data=True):
        data["minutes"] = data["length"] / WALKER.speed_m_s / 60.0
    nodes = net.nodes
    largest = nodes.index[nodes["component"] == 0].to_numpy()
    chosen = np.random.default_rng(4).choice(largest, PLACES, replace=False).tolist()

    def ours(node: int) -> shapely.Geometry:
        place = gpd.GeoSeries([nodes.geometry[node]], crs=net.crs)
        return isochrones(net, place, minutes=(MINUTES,), profile=WALKER, frontage_m=FRONTAGE_M).geometry.iloc[0]

    methods = {"xinhe_geo": ours, "OSMnx recipe": lambda node: recipe(graph, node)}
    truth = {node: exact(graph, node) for node in chosen}
    match = {name: [overlap(make(node), truth[node]) for node in chosen] for name, make in methods.items()}
    assert min(match["xinhe_geo"]) >= 0.99, match["xinhe_geo"]
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    for _ in range(rounds):
        for node in chosen:
            for name, make in methods.items():
                seconds[name].append(clock(lambda make=make, node=node: make(node))[0])
    return {"seconds": seconds, "match": match, "junctions": len(nodes)}
