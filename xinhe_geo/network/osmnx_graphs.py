"""OSMnx graphs in and out. Only importer of osmnx and networkx."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ..core import NetworkError, WrongCallError, say
from .arrays import AnyCrs, Floats, Ints, StrPath
from .build import TABLE_COLUMNS, Chains, assemble, grouped, metric_crs, planar_steps, table_from, utm_of
from .streets import Streets

if TYPE_CHECKING:
    import networkx as nx

    MultiDiGraph: TypeAlias = nx.MultiDiGraph


#: Attributes of edges that have a meaning here, or follow from the shape of the graph; the others are kept as they are.
OURS = {
    "osmid",
    "street",
    "name",
    "highway",
    "length",
    "geometry",
    "wait_s",
    "steps",
    "home",
    "oneway",
    "reversed",
    "from",
    "to",
}
#: Nearer than this a node of the network is that of the graph.
SAME_NODE_M = 0.01


class Graph(Protocol):
    """What a graph of OSMnx is told by: a `networkx.MultiDiGraph` with its facts, nodes and edges."""

    graph: dict[str, Any]

    @property
    def nodes(self) -> Any:
        """Its nodes, with `x` and `y`."""
        ...

    @property
    def edges(self) -> Any:
        """Its edges, with `length` and `geometry`."""
        ...


def of_graph(graph: MultiDiGraph, crs: AnyCrs | None) -> Streets:
    """Build from an OSMnx graph: see `WalkNetwork.from_graph`."""
    if not hasattr(graph, "graph"):
        raise WrongCallError(
            say("这里要写 OSMnx 的图（MultiDiGraph），不是 {0}；街道线用 from_streets", type(graph).__name__)
        )
    given = graph.graph.get("crs")
    if given is None:
        raise NetworkError(say('图没有坐标系：请设 G.graph["crs"]'))
    try:
        own = pyproj.CRS.from_user_input(given)
    except pyproj.exceptions.CRSError as error:
        raise NetworkError(say('图的坐标系不认识：G.graph["crs"] = {0!r:.60}', given)) from error
    if not graph.number_of_edges():
        raise NetworkError(say("图里没有可步行的路段"))
    number = {node: i for i, node in enumerate(graph.nodes)}
    try:
        node_xy = np.array([(data["x"], data["y"]) for _, data in graph.nodes(data=True)], np.float64)
    except KeyError as error:
        raise NetworkError(say("图的节点缺少坐标 {0}", error)) from error
    streets, ends, lines = _one_way_each(graph, number, node_xy)
    xy, part = shapely.get_coordinates(lines, return_index=True)
    metric = utm_of(*node_xy.T) if crs is None and own.is_geographic else metric_crs(own if crs is None else crs)
    if metric != own:
        xy = _moved(xy, own, metric)
    off = np.searchsorted(part, np.arange(len(lines) + 1)).astype(np.int64)
    # Streets of a graph meet at its nodes only: the vertices between are nobody else's, whatever lies on top of them.
    vertex = np.arange(len(xy), dtype=np.int64) + len(number)
    vertex[off[:-1]], vertex[off[1:] - 1] = ends[:, 0], ends[:, 1]
    step = _steps_for(planar_steps(xy), off, streets.pop("length"))
    group, table = grouped(table_from(streets))
    made = assemble(metric, Chains(xy, off, vertex, step, group), table)
    made.nodes = _nodes_again(graph, node_xy if metric == own else _moved(node_xy, own, metric), made.node_xy)
    return made


def _moved(xy: Floats, source: pyproj.CRS, target: pyproj.CRS) -> Floats:
    return np.column_stack(pyproj.Transformer.from_crs(source, target, always_xy=True).transform(*xy.T))


def _nodes_again(graph: MultiDiGraph, there: Floats, node_xy: Floats) -> pd.DataFrame | None:
    """Return what the graph said of each node of the network: index node, `osmid` its id there; None where that cannot be told."""
    away, at = cKDTree(there).query(node_xy)
    if (away > SAME_NODE_M).any() or len(np.unique(at)) < len(at):
        return None
    ids = list(graph.nodes)
    said = [{k: v for k, v in graph.nodes[ids[i]].items() if k not in ("x", "y", "street_count")} for i in at.tolist()]
    return pd.DataFrame(said, dtype=object).assign(osmid=pd.Series([ids[i] for i in at.tolist()], dtype=object))


def _one_way_each(
    graph: MultiDiGraph, number: Mapping[Hashable, int], node_xy: Floats
) -> tuple[dict[str, list[Any]], Ints, NDArray[Any]]:
    """Return the attributes, end nodes and lines of a graph's edges, each street once whichever way it is listed."""
    further = dict.fromkeys(k for *_, data in graph.edges(data=True) for k in data if k not in OURS)
    columns: dict[str, list[Any]] = {name: [] for name in (*TABLE_COLUMNS, "length", *further)}
    ends: list[tuple[int, int]] = []
    lines: list[Any] = []
    spots: list[tuple[float, float]] = [(x, y) for x, y in node_xy.tolist()]
    kept: dict[Hashable, list[int]] = {}  # how often a street was listed this way, that way, and taken
    several = graph.is_multigraph()
    for a, b, *keyed, data in graph.edges(data=True, **({"keys": True} if several else {})):
        key = keyed[0] if several else 0
        u, v = number[a], number[b]
        line = data.get("geometry")
        length = None if pd.isna(data.get("length")) else data.get("length")
        if u == v and line is None:
            continue  # nothing to walk on
        shape = [spots[u], spots[v]] if line is None else [xy[:2] for xy in line.coords]
        if _runs_backwards(shape, spots[u], spots[v]):
            shape = shape[::-1]
        ahead = shape <= shape[::-1]
        identity = (
            (min(u, v), max(u, v)),
            None if length is None else round(float(length), 6),
            _text(data.get("osmid")),
            tuple(shape if ahead else shape[::-1]),
        )
        count = kept.setdefault(identity, [0, 0, 0])
        count[ahead] += 1
        if count[ahead] <= count[2]:
            continue  # the other direction of one that is there
        count[2] += 1
        ends.append((u, v))
        lines.append(shapely.LineString(shape))
        columns["length"].append(np.nan if length is None else float(length))
        for name, value in _attributes(data, (a, b, key)).items():
            columns[name].append(value)
        for name in further:
            columns[name].append(_plain(data.get(name)))
    return columns, np.array(ends, np.int64).reshape(-1, 2), np.array(lines, object)


def _runs_backwards(shape: Sequence[tuple[float, ...]], u: tuple[float, float], v: tuple[float, float]) -> bool:
    ahead = math.dist(shape[0], u) + math.dist(shape[-1], v)
    return math.dist(shape[0], v) + math.dist(shape[-1], u) < ahead


def _attributes(data: Mapping[str, Any], edge: tuple[Hashable, ...]) -> dict[str, Any]:
    street = data.get("street", data.get("osmid"))
    highway = data.get("highway")
    wait = data.get("wait_s")
    classes = highway if isinstance(highway, list) else [highway]
    return {
        "street": "-".join(str(part) for part in edge) if street is None else _text(street),
        "name": _text(data.get("name")),
        "class": _text(highway),
        "wait_s": 0.0 if wait is None else float(wait),
        "steps": str(data.get("steps", "steps" in classes)) == "True",  # a file holds it as text
        "home": _text(data.get("home")),
    }


def _text(value: object) -> object:
    """Return one value for an attribute that OSMnx makes a list of when it merges edges."""
    if isinstance(value, (list, tuple, set)):
        return ";".join(sorted(str(part) for part in value))
    return value


def _plain(value: object) -> object:
    """Return an attribute as it is, or as text where it is none that can be told from another."""
    value = _text(value)
    return value if value is None or isinstance(value, (str, bool, int, float)) else str(value)


def _steps_for(step: Floats, off: Ints, length: Sequence[float]) -> Floats:
    """Stretch the steps of each polyline so that they add up to its given length; missing: as they are."""
    count = np.diff(off)
    step = step.copy()
    step[off[:-1]] = 0.0
    total = np.add.reduceat(step, off[:-1])
    wanted = np.asarray(length, np.float64)
    if not (np.isnan(wanted) | ((wanted >= 0) & np.isfinite(wanted))).all():
        raise NetworkError(say("图里有 length 小于 0 或不是有限数的边"))
    given = ~np.isnan(wanted)
    with np.errstate(invalid="ignore", divide="ignore"):
        factor = np.where(given & (total > 0), wanted / total, 1.0)
    step *= np.repeat(factor, count)
    flat = given & (total == 0)
    step[off[1:][flat] - 1] = wanted[flat]
    straight = given & (count == 2)
    step[off[1:][straight] - 1] = wanted[straight]  # to the last bit
    return step


def to_graph(streets: Streets) -> MultiDiGraph:
    """Return an OSMnx-style graph: see `WalkNetwork.to_graph`."""
    import networkx as nx

    graph = nx.MultiDiGraph(crs=streets.crs.to_string(), simplified=True)
    count = np.bincount(np.concatenate([streets.u, streets.v]), minlength=len(streets.node_xy)).tolist()
    labels, said = _labels(streets)
    for label, (x, y), streets_there, more in zip(labels, streets.node_xy.tolist(), count, said, strict=True):
        graph.add_node(label, x=x, y=y, street_count=streets_there, **more)
    edges = streets.edges
    numbers = {street: _number(street, -1 - i) for i, street in enumerate(pd.unique(edges["street"]))}
    if len(set(numbers.values())) < len(numbers):  # two ids are written differently and are one number
        numbers = {street: -1 - i for i, street in enumerate(numbers)}
    further = [name for name in streets.table.columns if name not in TABLE_COLUMNS]
    for row in edges.itertuples(index=False, name=None):
        at = dict(zip(edges.columns, row, strict=True))
        u, v = labels[at["u"]], labels[at["v"]]
        data = {
            "osmid": numbers[at["street"]],
            "street": at["street"],
            "highway": at["class"],
            "length": at["length_m"],
            "wait_s": at["wait_s"],
            "steps": at["steps"],
            "oneway": False,
        }
        data |= {key: at[key] for key in ("name", "home", *further) if not pd.isna(at[key])}
        graph.add_edge(u, v, **data, reversed=False, geometry=at["geometry"])
        if u != v:
            graph.add_edge(v, u, **data, reversed=True, geometry=shapely.reverse(at["geometry"]))
    return graph


def _labels(streets: Streets) -> tuple[list[Any], list[dict[str, Any]]]:
    """Return the id of each node, its own in the graph it came from where these are whole numbers, and what was said of it."""
    count = len(streets.node_xy)
    if streets.nodes is None:
        return list(range(count)), [{} for _ in range(count)]
    rows = streets.nodes.to_dict("records")
    whole = all(isinstance(row["osmid"], int) for row in rows)
    said = [{k: v for k, v in row.items() if not pd.isna(v) and not (whole and k == "osmid")} for row in rows]
    return [row["osmid"] if whole else i for i, row in enumerate(rows)], said


def _number(street: object, other: int) -> int:
    """Return the id of a street as a whole number; `other` where it is none."""
    text = str(street)
    return int(text) if text.isascii() and text.isdecimal() else other


def graph_edges(path: StrPath) -> tuple[gpd.GeoDataFrame, str]:
    """
    Read the edges of a graph that `osmnx.save_graphml` wrote.

    Returns
    -------
    edges, made
        The edges in the graph's CRS, both directions where the graph has both; the day the graph was made, or "".

    Raises
    ------
    NetworkError
        Not such a file: no edges, no coordinates, no CRS.
    """
    import osmnx

    try:
        graph = osmnx.load_graphml(Path(path), edge_dtypes={"osmid": str})  # our own ids are no numbers
        edges = osmnx.graph_to_gdfs(graph, nodes=False, fill_edge_geometry=True)
    except Exception as error:  # networkx, its XML parser and OSMnx each raise what they like
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise NetworkError(say("不是 OSMnx 存的 .graphml（{0}）。用 osmnx.save_graphml 另存", said)) from error
    if edges.crs is None:
        raise NetworkError(say("图没有坐标系"))
    edges = edges.reset_index()
    if "osmid" not in edges:
        edges["osmid"] = [f"{u}-{v}" for u, v in zip(edges["u"], edges["v"], strict=True)]
    return edges, str(graph.graph.get("created_date", ""))
