"""
Walks on real extracts against the engines of others, and why two of them differ.

    python benchmarks/conformance.py [EXTRACT ...]

The truth is NetworkX on every vertex: ways and nodes read here by osmium alone, lengths over the ellipsoid, nothing of the walk
engine but which ways its filter leaves out. The same pairs are asked of the walk engine, of OSMnx (as its examples have it: its own
walk filter, simplified, nearest nodes; and on every vertex) and, where it is installed, of igraph on the true graph. Every pair that
differs by more than 1 % gets one cause, by taking the other engine apart step by step:

- snapping: the other engine, asked from the vertex itself instead of the node or street it took for it, agrees;
- filter: the truth, walked on the ways that the other engine has, agrees; the ways of the true walk that it lacks, or of its own that
  are not true ones, are named;
- missing link: a piece of a way that both have is not in the other graph; it is named;
- rounding: what is left differs by less than two metres.

Nothing of what is left over is passed over: `unexplained` has a column of its own. Prints the table of `docs/correctness.md`.
"""

from __future__ import annotations

import importlib.util
import re
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import geopandas as gpd
import networkx as nx
import numpy as np
import osmium
import pandas as pd
import pyproj

import xinhe_geo as xh
from xinhe_geo.network.osm import excluded_ways

PLACES = Path(__file__).resolve().parents[2] / "shared" / "places"
EXTRACTS = ("helsinki", "saopaulo", "portland", "legazpi", "columbus", "porto")
#: So many origins, so many targets of each within so many metres; pairs nearer than the least differ by what rounding leaves.
ORIGINS, TARGETS, REACH_M, LEAST_M = 40, 40, 3000.0, 200.0
WITHIN, ROUNDING_M = 0.01, 2.0
CAUSES = ("snapping", "filter", "missing link", "rounding", "unexplained")
#: What OSMnx 2 leaves out of a network to walk on (`network_type="walk"`): key, and a pattern of its values.
OSMNX_WITHOUT = {
    "area": "yes",
    "access": "private",
    "highway": "abandoned|bus_guideway|construction|cycleway|motor|no|planned|platform|proposed|raceway|razed|rest_area|services",
    "foot": "no",
    "service": "private",
    **dict.fromkeys(("sidewalk", "sidewalk:both", "sidewalk:left", "sidewalk:right"), "separate"),
}


class Read(NamedTuple):
    """An extract as osmium gives it: nodes (longitude, latitude), the nodes and the tags of each way with a highway tag."""

    nodes: dict[int, tuple[float, float]]
    ways: dict[int, list[int]]
    tags: dict[int, dict[str, str]]


class Found(NamedTuple):
    """One engine on one extract: how many pairs it was asked, how many it gave alike, the causes of the rest with ways."""

    pairs: int
    alike: int
    causes: Counter[str]
    ways: Mapping[str, Counter[str]]


Metres = Callable[[int, list[int]], np.ndarray]


def read(path: Path) -> Read:
    nodes, ways, tags = {}, {}, {}
    for o in osmium.FileProcessor(str(path)):
        if o.is_node():
            nodes[o.id] = (o.lon, o.lat)
        elif o.is_way() and "highway" in o.tags:
            ways[o.id], tags[o.id] = [node.ref for node in o.nodes], {t.k: t.v for t in o.tags}
    return Read(nodes, ways, tags)


def graph_of(extract: Read, chosen: Iterable[int]) -> nx.Graph:
    """Return every vertex of some ways, joined by their segments; nodes that a clipped file lacks end a piece."""
    graph = nx.Graph()
    ends, which = [], []
    for way in chosen:
        refs = extract.ways[way]
        for a, b in pairwise(refs):
            if a != b and a in extract.nodes and b in extract.nodes:
                ends.append((a, b))
                which.append(way)
    at = np.array([(*extract.nodes[a], *extract.nodes[b]) for a, b in ends])
    metres = pyproj.Geod(ellps="WGS84").inv(*at.T)[2]
    for (a, b), way, length in zip(ends, which, metres, strict=True):
        if not graph.has_edge(a, b) or graph[a][b]["metres"] > length:
            graph.add_edge(a, b, metres=float(length), way=way)
    return graph


def drawn(graph: nx.Graph, extract: Read) -> dict[int, list[int]]:
    """Draw origins of the largest piece, and targets a walk away from each; both by chance, the same every time."""
    main = sorted(max(nx.connected_components(graph), key=len))
    rng = np.random.default_rng(20261130)
    found = {}
    for origin in rng.choice(main, min(ORIGINS, len(main)), replace=False).tolist():
        near = nx.single_source_dijkstra_path_length(graph, origin, REACH_M, weight="metres")
        known = sorted(node for node, metres in near.items() if metres > LEAST_M)
        if known:
            found[origin] = rng.choice(known, min(TARGETS, len(known)), replace=False).tolist()
    return found


def walker(graph: nx.Graph, weight: str = "metres") -> Metres:
    """Return what NetworkX finds on a graph, in metres; infinite where there is no way, or a node is not in it."""

    def metres(origin: int, targets: list[int]) -> np.ndarray:
        if origin not in graph:
            return np.full(len(targets), np.inf)
        near = nx.single_source_dijkstra_path_length(graph, origin, 4 * REACH_M, weight=weight)
        return np.array([near.get(target, np.inf) for target in targets])

    return metres


def ours(network: xh.WalkNetwork, extract: Read) -> Metres:
    def metres(origin: int, targets: list[int]) -> np.ndarray:
        places = [network_points(network, extract, nodes) for nodes in ([origin], targets)]
        table = network.metres(*places, access=False)["metres"]
        return table.droplevel(0).reindex(targets).fillna(np.inf).to_numpy()

    return metres


def network_points(network: xh.WalkNetwork, extract: Read, nodes: list[int]) -> gpd.GeoSeries:
    at = np.array([extract.nodes[node] for node in nodes])
    return gpd.GeoSeries(gpd.points_from_xy(*at.T), index=nodes, crs="EPSG:4326").to_crs(network.crs)


def attached_elsewhere(
    network: xh.WalkNetwork, extract: Read, ways_at: Mapping[int, set[int]]
) -> Callable[[int], bool]:
    """Return whether a vertex is attached to a street that does not go through it: another lies over it."""

    def elsewhere(node: int) -> bool:
        doors = network.attach(network_points(network, extract, [node]))
        street = str(network.edges["street"].iloc[int(doors["edge"].iloc[0])])
        return way_of(street) not in ways_at[node]

    return elsewhere


def way_of(street: str) -> int:
    """Return the way of a street: w-5-2 is the second piece of way -5."""
    found = re.fullmatch(r"w(-?\d+)(-\d+)?", street)
    assert found is not None, street
    return int(found[1])


def osmnx_ways(extract: Read) -> list[int]:
    out = {key: re.compile(pattern) for key, pattern in OSMNX_WITHOUT.items()}
    return [
        way for way, tags in extract.tags.items() if not any(k in tags and p.search(tags[k]) for k, p in out.items())
    ]


def osmnx_graph(extract: Read, chosen: Iterable[int], *, simplify: bool) -> Any:
    """Return what OSMnx makes of some ways, through a file as its users have it."""
    import osmnx as ox

    ways = sorted(chosen)
    used = sorted({ref for way in ways for ref in extract.ways[way] if ref in extract.nodes})
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "walk.osm"
        with osmium.SimpleWriter(str(path)) as writer:
            for ref in used:
                writer.add_node(osmium.osm.mutable.Node(id=ref, version=1, location=extract.nodes[ref]))
            for way in ways:
                refs = [ref for ref in extract.ways[way] if ref in extract.nodes]
                if len(refs) > 1:
                    writer.add_way(osmium.osm.mutable.Way(id=way, version=1, nodes=refs, tags=extract.tags[way]))
        return ox.graph_from_xml(path, bidirectional=True, simplify=simplify, retain_all=True)


def through_nearest(graph: Any, extract: Read) -> tuple[Metres, Callable[[int], int]]:
    """Return the recipe of its examples: the nearest node stands for a place."""
    import osmnx as ox

    flat = ox.project_graph(graph)
    project = pyproj.Transformer.from_crs("EPSG:4326", flat.graph["crs"], always_xy=True)
    known: dict[int, int] = {}

    def nearest(node: int) -> int:
        if node not in known:
            known[node] = int(ox.distance.nearest_nodes(flat, *project.transform(*extract.nodes[node])))
        return known[node]

    found = walker(graph, "length")
    return lambda origin, targets: found(nearest(origin), [nearest(target) for target in targets]), nearest


def through_igraph(graph: nx.Graph) -> Metres:
    import igraph

    order = {node: at for at, node in enumerate(graph.nodes)}
    edges = [(order[a], order[b]) for a, b in graph.edges]
    own, metres = igraph.Graph(len(order), edges), [data["metres"] for *_, data in graph.edges(data=True)]

    def found(origin: int, targets: list[int]) -> np.ndarray:
        return np.array(own.distances([order[origin]], [order[t] for t in targets], weights=metres)[0])

    return found


def differs(truth: np.ndarray, other: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return ~((truth == other) | (np.abs(other - truth) <= WITHIN * truth))


def judged(
    pairs: Mapping[int, list[int]], truth: Metres, other: Metres, cause: Callable[..., tuple[str, set[str]]]
) -> Found:
    """Hold an engine against the truth; `cause` is given origin, target and both distances of a pair that differs."""
    asked, alike, causes, ways = 0, 0, Counter[str](), defaultdict(Counter)
    for origin, targets in pairs.items():
        a, b = truth(origin, targets), other(origin, targets)
        wrong = differs(a, b)
        asked, alike = asked + len(targets), alike + int((~wrong).sum())
        for at in np.flatnonzero(wrong):
            why, named = cause(origin, targets[at], a[at], b[at])
            causes[why] += 1
            ways[why].update(named)
    return Found(asked, alike, causes, ways)


def ways_along(graph: nx.Graph, origin: int, target: int) -> set[int]:
    path = nx.dijkstra_path(graph, origin, target, weight="metres")
    return {graph[a][b]["way"] for a, b in pairwise(path)}


def compared(path: Path) -> pd.DataFrame:
    """Compare all engines on one extract; index engine."""
    extract = read(path)
    left_out = set(map(way_of, excluded_ways(path)["way"]))
    own = [way for way in extract.ways if way not in left_out]
    graph = graph_of(extract, own)
    truth, pairs = walker(graph), drawn(graph, extract)
    network = xh.WalkNetwork.from_osm(path)
    ways_at: dict[int, set[int]] = defaultdict(set)
    for way in own:
        for ref in extract.ways[way]:
            ways_at[ref].add(way)
    elsewhere = attached_elsewhere(network, extract, ways_at)

    def why_ours(origin: int, target: int, there: float, here: float) -> tuple[str, set[str]]:
        if elsewhere(origin) or elsewhere(target):
            return "snapping", {f"w{way}" for node in (origin, target) for way in ways_at[node]}
        if abs(there - here) <= ROUNDING_M:
            return "rounding", set()
        return "unexplained", {f"w{way}" for way in ways_along(graph, origin, target)}

    found = {"xinhe_geo": judged(pairs, truth, ours(network, extract), why_ours)}
    found |= against_osmnx(extract, own, graph, pairs)
    if importlib.util.find_spec("igraph"):
        found["igraph"] = judged(pairs, truth, through_igraph(graph), lambda *_: ("unexplained", set()))
    rows = {engine: row_of(one) for engine, one in found.items()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("engine")


def against_osmnx(extract: Read, own: list[int], graph: nx.Graph, pairs: Mapping[int, list[int]]) -> dict[str, Found]:
    """Hold OSMnx against the truth: as its examples have it, and asked from the vertices themselves."""
    chosen = osmnx_ways(extract)
    whole, simple = (osmnx_graph(extract, chosen, simplify=simplify) for simplify in (False, True))
    mine, theirs, filtered = set(own), set(chosen), graph_of(extract, chosen)
    recipe, nearest = through_nearest(simple, extract)
    vertex, on_theirs = walker(whole, "length"), walker(filtered)
    lacking = {frozenset((a, b)) for a, b in filtered.edges} - {frozenset((a, b)) for a, b in whole.edges()}

    def why(origin: int, target: int, there: float, here: float) -> tuple[str, set[str]]:
        exact = vertex(origin, [target])[0]
        if not differs(np.array([there]), np.array([exact]))[0]:
            moved = {node for node in (origin, target) if nearest(node) != node}
            return "snapping", {
                f"w{way}" for node in moved for way in ways_along(graph, origin, target) if node in extract.ways[way]
            }
        same_ways = on_theirs(origin, [target])[0]
        if not differs(np.array([same_ways]), np.array([exact]))[0]:
            gone = {f"w{way}" for way in ways_along(graph, origin, target) - theirs}
            if not gone and np.isfinite(same_ways):
                gone = {f"w{way}" for way in ways_along(filtered, origin, target) - mine}
            return "filter", gone
        along = nx.dijkstra_path(filtered, origin, target, weight="metres") if np.isfinite(same_ways) else []
        cut = {edge for edge in map(frozenset, pairwise(along)) if edge in lacking}
        if cut:
            return "missing link", {f"w{filtered.edges[tuple(edge)]['way']}" for edge in cut}
        return ("rounding" if abs(there - here) <= ROUNDING_M else "unexplained"), set()

    truth = walker(graph)
    return {
        "OSMnx, nearest nodes": judged(pairs, truth, recipe, why),
        "OSMnx, every vertex": judged(pairs, truth, vertex, why),
    }


def row_of(found: Found) -> dict[str, str]:
    row = {"pairs": f"{found.pairs:,}", "within 1 %": f"{100 * found.alike / max(found.pairs, 1):.2f} %"}
    for cause in CAUSES:
        named = ", ".join(f"{way} ({count})" for way, count in found.ways.get(cause, Counter()).most_common(3))
        count = found.causes[cause]
        row[cause] = f"{count}: {named}" if count and named else str(count)
    return row


def main(names: list[str]) -> None:
    print(f"| extract | engine | pairs | within 1 % | {' | '.join(CAUSES)} |\n|---|---|--:|--:|{'---|' * len(CAUSES)}")
    for name in names or EXTRACTS:
        path = Path(name) if Path(name).is_file() else PLACES / f"{name}.osm.pbf"
        for engine, row in compared(path).iterrows():
            print(f"| {path.name.partition('.')[0]} | {engine} | {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
