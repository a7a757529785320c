"""
Streets to walk on: `WalkNetwork`, exact along the street.

Places attach inside edges, never to the nearest node, and reach is cut where the limit runs out. Edges are the chains
between junctions, ends and changes of attributes; parallel edges, loops and islands are kept; walking ignores one-way.
All costs are float64, and "within" means at most `TOLERANCE_M` more than the limit.

Between two points the street rule is: the straight leg to the street, along the street, the straight leg from it. It
holds for two points that share a foot as well; only a point to itself is 0.
"""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import json
import math
import os
import tempfile
import tomllib
import zipfile
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from .errors import NetworkError, SourceError, UnknownNameError
from .layers import bundled_folder
from .values import TOLERANCE_M, Profile

if TYPE_CHECKING:
    import networkx as nx

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Shorts: TypeAlias = NDArray[np.int32]
Flags: TypeAlias = NDArray[np.bool_]
Marks: TypeAlias = NDArray[np.uint8]
StrPath: TypeAlias = str | os.PathLike[str]
Key = TypeVar("Key", bound=Hashable)
Item = TypeVar("Item")
Result = TypeVar("Result")
WalkFilter: TypeAlias = StrPath | Mapping[str, Any]

SNAP_M = 1e-3  # lines join where their vertices are this close
SEED_BATCH = 128
THREAD_STEPS = 10_000  # nodes or rows to go through: with fewer, handing over to a thread takes longer
FIELDS_KEPT = 4  # of searches that are over
FRAMES_KNOWN = 2  # long frames of doors that a network remembers
READ_BATCH = 32768  # doors read off at once: what is known of them stays in the processor's cache for all kinds
WKB_HEAD = 9  # bytes before the coordinates of a line: byte order, type, number of points
FORMAT = "xinhe-walk-network"
FORMAT_VERSION = 1
NO_MARKS: Marks = np.empty(0, np.uint8)
DOOR_COLUMNS = ("place", "edge", "at_m", "access_m")
TABLE_COLUMNS = ("street", "name", "class", "wait_s", "steps", "home")


class _Weights(NamedTuple):
    """What walking costs one profile: per edge and arc, per metre of access, and the shape of the queue."""

    edge: Floats
    rate: Floats  # per metre of the edge
    arc: Floats
    unit: float  # cost of one metre without waits
    same: float  # TOLERANCE_M as a cost
    waits: bool  # metres do not follow from the cost
    per_unit: float  # buckets per unit of cost
    ring: int


class _Doors(NamedTuple):
    """Doors as arrays; `place` numbers the labels."""

    place: Shorts
    edge: Shorts
    at: Floats
    access: Floats

    def take(self, rows: NDArray[Any]) -> _Doors:
        return _Doors(self.place[rows], self.edge[rows], self.at[rows], self.access[rows])

    def plus(self, more: _Doors) -> _Doors:
        join = np.concatenate
        return _Doors(
            join([self.place, more.place]),
            join([self.edge, more.edge]),
            join([self.at, more.at]),
            join([self.access, more.access]),
        )


class _Ends(NamedTuple):
    """The two ends of doors' edges (-1 for doors without one) and what walking along the edge to each costs."""

    u: Shorts
    v: Shorts
    to_u: Floats
    to_v: Floats

    def take(self, rows: slice) -> _Ends:
        return _Ends(self.u[rows], self.v[rows], self.to_u[rows], self.to_v[rows])


@dataclass(eq=False)
class _Known:
    """A frame of doors that was asked about: its columns, where in memory they lie, and what was made of them so far."""

    columns: Mapping[str, pd.Series]
    spots: Sequence[Any]
    numbered: tuple[_Doors, pd.Index] | None = None
    by_edge: tuple[Ints, Floats, Floats, Shorts] | None = None
    ends: tuple[_Weights, _Ends] | None = None


class _Seeds(NamedTuple):
    """Where a search starts: nodes with the cost, place and metres they start from."""

    node: Shorts
    cost: Floats
    place: Shorts
    metres: Floats

    def take(self, rows: NDArray[Any] | slice) -> _Seeds:
        return _Seeds(self.node[rows], self.cost[rows], self.place[rows], self.metres[rows])

    def plus(self, more: _Seeds) -> _Seeds:
        join = np.concatenate
        return _Seeds(
            join([self.node, more.node]),
            join([self.cost, more.cost]),
            join([self.place, more.place]),
            join([self.metres, more.metres]),
        )


class _Scratch(NamedTuple):
    """Arrays over the nodes that a search writes to and puts back: costs (infinite), labels, nodes touched."""

    cost: Floats
    label: Shorts
    touched: Shorts


class _Notes(NamedTuple):
    """Arrays over the nodes in which a search notes what it changes: nodes listed, marks (zero), what stood there."""

    touched: Shorts
    mark: Marks
    cost: Floats
    label: Shorts
    metres: Floats

    def after(self, count: int) -> _Notes:
        """Return where to note what comes after so many nodes."""
        return _Notes(self.touched[count:], self.mark, self.cost[count:], self.label[count:], self.metres[count:])

    def cleaned(self, count: int, waits: bool) -> _Change:
        """Return a copy of what was noted, and take the marks away."""
        node, metres = self.touched[:count].copy(), self.metres[: count if waits else 0].copy()
        self.mark[node] = 0
        return _Change(node, self.cost[:count].copy(), self.label[:count].copy(), metres)


class Pieces(NamedTuple):
    """Reached pieces of street, in order of place, limit, edge."""

    #: Labels of the places, sorted.
    places: pd.Index
    #: Number of each piece's place; 0 where all places were asked about together.
    place: Ints
    limit: Floats
    edge: Ints
    #: Metres along the edge.
    from_m: Floats
    to_m: Floats


class _Chains(NamedTuple):
    """Polylines to become a network: points in order, `off` the first point of each, `group` its attributes."""

    xy: Floats
    off: Ints
    vertex: Ints  # per point: equal numbers are one place
    step: Floats  # per point: the cost from the point before it
    group: Ints  # per polyline


def thread_count() -> int:
    """
    Return how many threads searches from many places use: all cores, or fewer where `OMP_NUM_THREADS` says so.

    No answer depends on it. The variable is the one by which clusters give each worker its share of a machine.
    """
    cores, asked = os.cpu_count() or 1, os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(cores, int(asked))) if asked.isdecimal() else cores


class WalkNetwork:
    """
    A street network for walking, in a projected CRS in metres. Never changes after it is made.

    Make one with `from_streets`, `from_graph`, `from_osm` or `load`.
    """

    def __init__(self, crs: pyproj.CRS, arrays: Mapping[str, NDArray[Any]], table: pd.DataFrame) -> None:
        self._crs = crs
        self._table = table
        self._node_xy: Floats = _as(arrays["node_xy"], np.float64)
        self._u: Shorts = _as(arrays["edge_u"], np.int32)
        self._v: Shorts = _as(arrays["edge_v"], np.int32)
        self._row: Shorts = _as(arrays["edge_row"], np.int32)
        self._off: Ints = _as(arrays["geometry_off"], np.int64)
        self._xy: Floats = _as(arrays["geometry_xy"], np.float64)
        self._cum: Floats = _as(arrays["geometry_cum"], np.float64)
        self._length: Floats = _as(self._cum[self._off[1:] - 1], np.float64)
        self._weights_of: dict[tuple[float, bool, float] | None, _Weights] = {}
        self._trees: dict[tuple[str, bool], tuple[shapely.STRtree, Ints]] = {}
        self._known: list[_Known] = []
        self._spare: list[_Scratch] = []
        self._pads: list[_Notes] = []
        self._used: list[_Field] = []

    def __getstate__(self) -> dict[str, Any]:
        """Go to another process as what it was made from; what is derived is made again there."""
        made = ("_crs", "_table", "_node_xy", "_u", "_v", "_row", "_off", "_xy", "_cum", "_length")
        again: dict[str, Any] = {"_weights_of": {}, "_trees": {}, "_known": [], "_spare": [], "_pads": [], "_used": []}
        return {name: self.__dict__[name] for name in made} | again

    # --- making one ---------------------------------------------------------------------------------------------------

    @classmethod
    def from_streets(cls, streets: gpd.GeoDataFrame, *, crs: Any = None) -> WalkNetwork:
        """
        Build from lines: they join wherever they share a vertex (1 mm); lines that merely cross do not.

        Parameters
        ----------
        streets
            LineStrings and MultiLineStrings in a projected CRS in metres. Optional columns: `street` (else the index),
            `name`, `class`, `wait_s` (seconds, blank is 0), `steps` (blank is False), `home` (blank is public).
        crs
            Projected CRS to compute in; needed when the lines are in degrees.

        Returns
        -------
        WalkNetwork
            In `crs`, or in the CRS of the lines.

        Raises
        ------
        NetworkError
            No CRS, a CRS in degrees or feet, other geometry than lines, or nothing to walk on.
        """
        lines = _in_metres(streets, crs)
        _check_lines(lines)
        shapes = lines.geometry.to_numpy()
        lines = lines[~(shapely.is_missing(shapes) | shapely.is_empty(shapes))]
        table = _table_of(lines)
        parts, row = shapely.get_parts(shapely.force_2d(lines.geometry.to_numpy()), return_index=True)
        xy, part = shapely.get_coordinates(parts, return_index=True)
        off = np.searchsorted(part, np.arange(len(parts) + 1)).astype(np.int64)
        group, table = _group(table)
        chains = _Chains(xy, off, _snap(xy), _planar_steps(xy), group[row])
        return _assemble(lines.crs, chains, table)

    @classmethod
    def from_graph(cls, G: nx.MultiDiGraph, *, crs: Any = None) -> WalkNetwork:
        """
        Build from an OSMnx MultiDiGraph, projected or not; one-way is ignored.

        A pair of directed edges that are one street walked both ways (same length, osmid and geometry reversed) becomes
        one edge; parallel edges that differ stay. Streets meet only at nodes of the graph. Where an edge has a
        `length`, that is its cost, spread along its geometry; else the planar length of its geometry is.

        Parameters
        ----------
        G
            Nodes with `x` and `y`, `G.graph["crs"]` set; edges may carry `geometry`, `length`, `osmid`, `street`,
            `name`, `highway`, `wait_s`, `steps`, `home`.
        crs
            Projected CRS to compute in. Default: the graph's own, or the UTM zone of a graph in degrees.

        Returns
        -------
        WalkNetwork
            In `crs`, one edge per street between two nodes.

        Raises
        ------
        NetworkError
            No CRS, a CRS that is not in metres, nodes without coordinates, a length below 0, or nothing to walk on.
        """
        return _from_graph(G, crs)

    @classmethod
    def from_osm(cls, path: StrPath, *, crs: Any = None, walk_filter: WalkFilter | None = None) -> WalkNetwork:
        """
        Build from an OpenStreetMap file (.osm.pbf, .osm, .osm.gz, .osm.bz2); clipped files load.

        Parameters
        ----------
        path
            The extract. Ways join where they share a node of the map, so that a bridge does not meet what it crosses.
        crs
            Projected CRS to compute in. Default: the UTM zone of the extract.
        walk_filter
            Rules in place of the bundled `network/walk_filter.toml`: a file, or its content as a mapping.

        Returns
        -------
        WalkNetwork
            In `crs`, only what the walk filter lets people walk on.

        Raises
        ------
        SourceError
            The file is missing or cannot be read.
        NetworkError
            It holds nothing to walk on.
        """
        ways = _read_ways(path, walk_filter)
        if len(ways.off) < 2:
            raise NetworkError(f"{Path(path).name} 里没有可步行的道路；check 命令列出被排除的道路和原因")
        metric = _metric_crs(crs) if crs is not None else _utm_of(ways.lon, ways.lat)
        project = pyproj.Transformer.from_crs("EPSG:4326", metric, always_xy=True)
        node_xy = np.column_stack(project.transform(ways.lon, ways.lat))
        xy = node_xy[ways.node]
        group, table = _group(ways.table)
        chains = _Chains(xy, ways.off, ways.node, _planar_steps(xy), group)
        return _assemble(metric, chains, table)

    # --- what it is ---------------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        kilometres = self._length.sum() / 1000.0
        return f"<WalkNetwork {len(self._node_xy)} nodes, {len(self._u)} edges, {kilometres:.1f} km, {self._crs.name}>"

    @property
    def crs(self) -> pyproj.CRS:
        """The projected CRS, in metres, that everything here is in."""
        return self._crs

    @property
    def edges(self) -> gpd.GeoDataFrame:
        """
        The streets between nodes, index `edge`.

        Columns: `street`, `class`, `name`, `wait_s` (seconds over the whole edge), `steps`, `home` (blank for public),
        `length_m`, `component` (0 is the largest), `u`, `v` (nodes) and `geometry`, a line from u to v.
        """
        return self._edges.copy(deep=False)

    @property
    def nodes(self) -> gpd.GeoDataFrame:
        """The junctions and ends, index `node`: `component` (0 is the largest) and `geometry`."""
        return gpd.GeoDataFrame(
            {"component": self._component},
            geometry=shapely.points(self._node_xy),
            index=pd.RangeIndex(len(self._node_xy), name="node"),
            crs=self._crs,
        )

    @cached_property
    def _edges(self) -> gpd.GeoDataFrame:
        frame = self._table.take(self._row).reset_index(drop=True)
        frame.index.name = "edge"
        frame["length_m"] = self._length
        frame["component"] = self._component[self._u]
        frame["u"] = self._u
        frame["v"] = self._v
        return gpd.GeoDataFrame(frame, geometry=self._lines, crs=self._crs)

    @cached_property
    def _lines(self) -> NDArray[Any]:
        count = np.diff(self._off)
        return np.asarray(shapely.linestrings(self._xy, indices=np.repeat(np.arange(len(count)), count)))

    @cached_property
    def _component(self) -> Shorts:
        nodes = len(self._node_xy)
        links = csr_matrix((np.ones(len(self._u), np.int8), (self._u, self._v)), shape=(nodes, nodes))
        _, part = connected_components(links, directed=False)
        sizes = np.bincount(part)
        first = np.full(len(sizes), nodes)
        np.minimum.at(first, part, np.arange(nodes))
        rank = np.empty(len(sizes), np.int32)
        rank[np.lexsort((first, -sizes))] = np.arange(len(sizes), dtype=np.int32)
        return rank[part]

    # --- the graph of the searches ------------------------------------------------------------------------------------

    @cached_property
    def _csr(self) -> tuple[Ints, Shorts, Shorts]:
        """Arcs by node: `indptr`, the node at the other end, the edge. An edge is two arcs, a loop as well."""
        edges = np.arange(len(self._u), dtype=np.int32)
        tail = np.concatenate([self._u, self._v])
        order = np.argsort(tail, kind="stable")
        indptr = np.zeros(len(self._node_xy) + 1, np.int64)
        np.cumsum(np.bincount(tail, minlength=len(self._node_xy)), out=indptr[1:])
        adj = np.concatenate([self._v, self._u])[order]
        return indptr, adj, np.concatenate([edges, edges])[order]

    @cached_property
    def _arc_length(self) -> Floats:
        return self._length[self._csr[2]]

    @cached_property
    def _wait(self) -> Floats:
        return self._table["wait_s"].to_numpy(np.float64)[self._row]

    @cached_property
    def _steps(self) -> Flags:
        return self._table["steps"].to_numpy(np.bool_)[self._row]

    def _weights(self, profile: Profile | None) -> _Weights:
        key = None if profile is None else (profile.speed_m_s, profile.steps, profile.waits)
        if key not in self._weights_of:
            self._weights_of[key] = self._new_weights(profile)
        return self._weights_of[key]

    def _new_weights(self, profile: Profile | None) -> _Weights:
        edge, unit, waits = self._length, 1.0, False
        rate = np.ones(len(edge))
        if profile is not None:
            unit = 1.0 / profile.speed_m_s / 60.0
            waiting = self._wait * (profile.waits / 60.0)
            waits = bool(waiting.any())
            edge = self._length * unit + waiting
            if not profile.steps:
                edge = np.where(self._steps, np.inf, edge)
            rate = np.divide(edge, self._length, out=np.zeros(len(edge)), where=self._length > 0)
        finite = edge[np.isfinite(edge)]
        longest = float(finite.max(initial=0.0))
        # Four buckets to a mean edge, and a ring that stays in cache even where one edge is very long.
        width = max(float(finite.mean()) / 4 if len(finite) else 0.0, longest / 16384) or 1.0
        # A dead end leads nowhere else, and a door on its edge is reached from the other end or along the edge itself:
        # closing the way into it spares the search every dead end of the city.
        indptr, adj, arc_edge = self._csr
        arc = np.where(np.diff(indptr)[adj] == 1, np.inf, edge[arc_edge])
        ring = 1 << (int(longest / width) + 2).bit_length()
        return _Weights(edge, rate, arc, unit, TOLERANCE_M * unit, waits, 1.0 / width, ring)

    # --- attaching places ---------------------------------------------------------------------------------------------

    def attach(
        self,
        points: gpd.GeoSeries,
        *,
        barriers: Any = None,
        home: pd.Series | None = None,
        profile: Profile | None = None,
    ) -> pd.DataFrame:
        """
        Find where points reach the street.

        Parameters
        ----------
        points
            Points in any CRS; the index holds the labels of places, and a label may repeat.
        barriers
            Lines in the network's CRS that a straight leg never crosses (it may begin or end on one). The nearest edge
            that can be reached without crossing is taken.
        home
            Aligned with `points`: the home whose inner lanes (edges with that `home`) may be used too. All other inner
            lanes are closed to the point.
        profile
            A profile that cannot use stairs is not attached to them.

        Returns
        -------
        DataFrame
            One row per point in the same order, index `door`: `place`, `edge` (-1: none), `at_m` (metres from the
            edge's start), `access_m` (length of the straight leg), `x`, `y` (the foot on the street).

        Raises
        ------
        TypeError, ValueError
            Not points, no CRS, an empty place or label, or `home` of another length: which, in Chinese.
        """
        xy = self._coordinates(points)
        own = _aligned(home, points)
        level = profile is not None and not profile.steps
        edge = self._nearest_edges(xy, own, _barrier_tree(barriers, self._crs), level)
        at, foot = self._feet(xy, edge)
        return pd.DataFrame(
            {
                "place": _labels_of(points),
                "edge": edge,
                "at_m": at,
                "access_m": np.hypot(*(xy - foot).T),
                "x": foot[:, 0],
                "y": foot[:, 1],
            },
            index=pd.RangeIndex(len(xy), name="door"),
        )

    def meets(self, legs: NDArray[Any], *, barriers: Any = None) -> Flags:
        """
        Tell which straight legs meet a public street or cross a barrier.

        Parameters
        ----------
        legs
            Lines in the network's CRS, shape (n,).
        barriers
            As in `attach`.

        Returns
        -------
        flags
            Shape (n,): whether something lies in the way. Touching a street counts; beginning or ending on a barrier does not.

        Raises
        ------
        TypeError
            Legs that are no geometries.
        """
        tree, _ = self._edge_tree("", False)
        met = np.zeros(len(legs), np.bool_)
        met[tree.query(legs, predicate="intersects")[0]] = True
        walls = _barrier_tree(barriers, self._crs)
        if walls is not None:
            met[walls.query(legs, predicate="crosses")[0]] = True
        return met

    def _coordinates(self, points: gpd.GeoSeries) -> Floats:
        """Check points and return their coordinates in the network's CRS, shape (n, 2)."""
        if not isinstance(points, (gpd.GeoSeries, gpd.GeoDataFrame)):
            raise TypeError(f"需要点的 GeoSeries，而不是 {type(points).__name__}")
        points = points.geometry
        if points.crs is None and len(points):
            raise ValueError("点没有坐标系；先用 set_crs 写明")
        shapes = points.to_numpy()
        bad = np.flatnonzero((shapely.get_type_id(shapes) != 0) | shapely.is_empty(shapes))
        if len(bad):
            names = "、".join(str(label) for label in points.index[bad[:5]])
            raise ValueError(f"这些地点不是一个点（为空或是其他几何）：{names}")
        there = points if points.crs is None or points.crs == self._crs else points.to_crs(self._crs)
        xy = shapely.get_coordinates(there.to_numpy()).reshape(-1, 2)
        if not np.isfinite(xy).all():
            wrong = points.index[~np.isfinite(xy).all(axis=1)][:5]
            raise ValueError(f"这些地点不能换算到路网的坐标系：{'、'.join(str(label) for label in wrong)}")
        return np.ascontiguousarray(xy)

    def _edge_tree(self, home: str, level: bool) -> tuple[shapely.STRtree, Ints]:
        """Return an index of the edges open to everybody (home "") or to one home alone, and their numbers."""
        key = (home, level)
        if key not in self._trees:
            homes = self._home_names
            mine = homes[self._row] == home
            if level:
                mine &= ~self._steps
            numbers = np.flatnonzero(mine)
            self._trees[key] = (shapely.STRtree(self._lines[numbers]), numbers)
        return self._trees[key]

    @cached_property
    def _home_names(self) -> NDArray[Any]:
        homes = self._table["home"]
        return np.where(homes.isna(), "", homes.astype(object).where(homes.notna(), "").map(str).to_numpy(object))

    def _nearest_edges(self, xy: Floats, own: NDArray[Any], barriers: shapely.STRtree | None, level: bool) -> Shorts:
        edge = np.full(len(xy), -1, np.int32)
        for name in sorted({"", *own}):
            rows = np.flatnonzero(own == name)
            if not len(rows):
                continue
            open_to = ["", name] if name else [""]
            trees = [tree for tree in (self._edge_tree(key, level) for key in open_to) if len(tree[1])]
            if not trees:
                continue
            edge[rows] = _nearest_of(trees, xy[rows])
            if barriers is not None:
                self._around_barriers(xy, rows, edge, trees, barriers)
        return edge

    def _around_barriers(
        self,
        xy: Floats,
        rows: Ints,
        edge: Shorts,
        trees: Sequence[tuple[shapely.STRtree, Ints]],
        barriers: shapely.STRtree,
    ) -> None:
        """Replace edges whose leg crosses a barrier by the nearest one whose leg does not, looking ever further out."""
        _, foot = self._feet(xy[rows], edge[rows])
        blocked = rows[_crossing(xy[rows], foot, barriers)]
        bounds = self._bounds
        for row in blocked:
            here = xy[row]
            corner = np.maximum(np.abs(here - bounds[:2]), np.abs(here - bounds[2:]))
            everything = float(np.hypot(*corner)) + 1.0
            radius = 2.0 * float(np.hypot(*(here - self._feet(here[None], edge[[row]])[1][0]))) + 1.0
            edge[row] = -1
            tried: set[int] = set()
            while edge[row] < 0:
                near = _edges_within(trees, here, radius)
                near = near[~np.isin(near, list(tried))]
                edge[row] = self._first_clear(here, near, barriers)
                if radius >= everything:
                    break
                tried.update(near.tolist())
                radius *= 2.0

    def _first_clear(self, here: Floats, near: Ints, barriers: shapely.STRtree) -> int:
        """Return the nearest of edges that `here` reaches without crossing a barrier, or -1."""
        if not len(near):
            return -1
        many = np.repeat(here[None], len(near), axis=0)
        _, foot = self._feet(many, near.astype(np.int32))
        clear = ~_crossing(many, foot, barriers)
        far = np.hypot(*(many - foot).T)
        order = np.lexsort((near, far))
        order = order[clear[order]]
        return int(near[order[0]]) if len(order) else -1

    @cached_property
    def _bounds(self) -> Floats:
        return np.concatenate([self._xy.min(axis=0), self._xy.max(axis=0)])

    def _feet(self, xy: Floats, edge: Shorts) -> tuple[Floats, Floats]:
        from . import _kernel

        at = np.full(len(xy), np.nan)
        foot = np.full((len(xy), 2), np.nan)
        on = np.flatnonzero(edge >= 0)
        part_at, part_foot = np.empty(len(on)), np.empty((len(on), 2))
        x, y = np.ascontiguousarray(xy[on, 0]), np.ascontiguousarray(xy[on, 1])
        _kernel.feet(x, y, edge[on].astype(np.int32), self._off, self._xy, self._cum, part_at, part_foot)
        at[on], foot[on] = part_at, part_foot
        return at, foot

    # --- searching from doors -----------------------------------------------------------------------------------------

    def search(
        self,
        origins: pd.DataFrame,
        targets: pd.DataFrame,
        *,
        profile: Profile | None = None,
        limit: float = math.inf,
    ) -> pd.DataFrame:
        """
        Find the nearest target of every door.

        Parameters
        ----------
        origins, targets
            Doors: frames with `place`, `edge`, `at_m`, `access_m`, as `attach` returns them. A place may own several
            rows.
        profile
            None: the cost is metres. A profile: minutes, waits included; edges with steps closed to those who cannot
            use them.
        limit
            In metres, or minutes with a profile.

        Returns
        -------
        DataFrame
            One row per row of `origins`, same index: `target` (label), `cost`, `metres` walked on that way. Missing
            where no target is within the limit. Of targets equally near (1e-6 m) the first in sorted order is named.

        Raises
        ------
        NetworkError
            Doors of another network.
        ValueError
            A limit below 0 or a missing label.
        """
        return self.search_each(origins, {"": targets}, profile=profile, limit=limit)[""]

    def search_each(
        self,
        origins: pd.DataFrame,
        targets: Mapping[Key, pd.DataFrame],
        *,
        profile: Profile | None = None,
        limit: float = math.inf,
    ) -> dict[Key, pd.DataFrame]:
        """
        Find the nearest target of every door for several kinds of target at once.

        Parameters
        ----------
        origins
            Doors: frames with `place` (label), `edge`, `at_m` and `access_m` (metres), as `attach` returns them. A place
            may own several rows.
        targets
            The doors of each kind, by any key. A kind without doors is allowed: all its answers are missing.
        profile
            None: the cost is metres. A profile: minutes, waits included; edges with steps closed to those who cannot use
            them.
        limit
            In metres, or minutes with a profile.

        Returns
        -------
        dict
            By key, in the order of `targets`: the frame that `search` returns for the kind alone, to the last bit (index as
            `origins`; `target`, `cost` in metres or minutes, `metres`). Where the origins lie is found once for all kinds,
            and all processors work on them.

        Raises
        ------
        NetworkError
            Doors of another network.
        ValueError
            A limit below 0 or a missing label.
        """
        bound = _limit(limit)
        states = [self._start(frame, profile, bound) for frame in targets.values()]
        _relax([(state, self._seeds(state.doors, state.weights)) for state in states])
        found = _read_off(states, origins, bound)
        self._give_back([state.version.stand() for state in states])
        return dict(zip(targets, found, strict=True))

    def search_state(self, targets: pd.DataFrame, *, profile: Profile | None = None) -> SearchState:
        """
        Search from all targets at once and keep the result, so that one place more or less costs little.

        Parameters
        ----------
        targets
            Doors: frames with `place` (label), `edge`, `at_m` and `access_m` (metres), as `attach` returns them. A place
            may own several rows.
        profile
            None: the cost is metres. A profile: minutes, waits included; edges with steps closed to those who cannot use
            them.

        Returns
        -------
        SearchState
            Its `.at(origins)` answers as `search` does; `.with_place(doors)` and `.without_place(label)` give the state
            with one place more or less.

        Raises
        ------
        NetworkError
            Doors of another network.
        """
        start = self._start(targets, profile, math.inf)
        return start._relaxed(self._seeds(start.doors, start.weights))

    def _start(self, targets: pd.DataFrame, profile: Profile | None, limit: float) -> SearchState:
        """Return the state of a search that has yet to be made."""
        doors, labels = self._doors(targets)
        weights = self._weights(profile)
        empty = _Version(self._empty_field(weights), RLock())
        plain = labels.dtype in (np.int64, "str")  # of others pandas finds out what they are
        return SearchState(self, weights, limit + weights.same, labels if plain else tuple(labels), doors, empty)

    def _empty_field(self, weights: _Weights) -> _Field:
        nodes = len(self._node_xy)
        try:
            cost, label, _ = self._used.pop()  # new memory costs more than clearing old
        except IndexError:
            cost, label = np.empty(nodes), np.empty(nodes, np.int32)
        cost.fill(np.inf)
        label.fill(-1)
        return _Field(cost, label, np.zeros(nodes if weights.waits else 0))

    def _give_back(self, fields: Sequence[_Field]) -> None:
        """Keep a few fields that nobody needs any more for the next search."""
        self._used = [*self._used, *fields][:FIELDS_KEPT]

    def pairs(
        self,
        origins: pd.DataFrame,
        targets: pd.DataFrame,
        *,
        profile: Profile | None = None,
        limit: float = math.inf,
    ) -> pd.DataFrame:
        """
        Find the cost between every place and every place within the limit, the least over their doors.

        Parameters
        ----------
        origins, targets
            Doors: frames with `place` (label), `edge`, `at_m` and `access_m` (metres), as `attach` returns them. A place
            may own several rows.
        profile
            None: the cost is metres. A profile: minutes, waits included; edges with steps closed to those who cannot use
            them.
        limit
            In metres, or minutes with a profile. Pairs beyond it are absent.

        Returns
        -------
        DataFrame
            Sorted MultiIndex (origin, target), one column: `metres`, or `minutes` with a profile.

        Raises
        ------
        NetworkError
            Doors of another network.
        ValueError
            A limit below 0 or a missing label.
        """
        rows, columns, cost, names = self._pair_costs(origins, targets, profile, limit)
        return _pair_frame(rows, columns, cost, names, "metres" if profile is None else "minutes")

    def reached(
        self,
        doors: pd.DataFrame,
        limits: float | Iterable[float],
        *,
        profile: Profile | None = None,
        each: bool = False,
    ) -> gpd.GeoDataFrame:
        """
        Return the street pieces within reach of doors, cut exactly where the limit runs out.

        Parameters
        ----------
        doors
            Frame with `place`, `edge`, `at_m`, `access_m`.
        limits
            One or several, in metres, or minutes with a profile.
        profile
            None: the limits are metres. A profile: minutes, waits included; edges with steps closed to those who cannot use
            them.
        each
            For every place by itself (column `place`) instead of for all together.

        Returns
        -------
        GeoDataFrame
            Columns (`place`,) `limit`, `edge`, `from_m`, `to_m` (metres along the edge), `geometry` in the CRS of the network.
            The pieces of a smaller limit lie within those of a larger one. In order of place, limit, edge.

        Raises
        ------
        NetworkError
            Doors of another network.
        ValueError
            A limit below 0 or a missing label.
        """
        pieces = self._pieces(doors, limits, profile=profile, each=each)
        columns = {"limit": pieces.limit, "edge": pieces.edge, "from_m": pieces.from_m, "to_m": pieces.to_m}
        if each:
            columns = {"place": pieces.places.take(pieces.place), **columns}
        return gpd.GeoDataFrame(columns, geometry=self._cut(pieces), crs=self._crs)

    def _pieces(
        self,
        doors: pd.DataFrame,
        limits: float | Iterable[float],
        *,
        profile: Profile | None = None,
        each: bool = False,
    ) -> Pieces:
        """Return what `reached` returns, as arrays and without geometry: a frame costs as much as a small search."""
        from . import _kernel

        weights = self._weights(profile)
        steps = np.unique([_limit(value) for value in np.atleast_1d(np.asarray(limits, np.float64))])
        table, labels = self._doors(doors)
        groups = len(labels) if each else min(1, len(table.edge))
        if not each:
            table = table._replace(place=np.zeros_like(table.place))
        table = table.take(np.flatnonzero(table.edge >= 0))
        table = table.take(np.argsort(table.place, kind="stable"))
        seeds = self._seeds(table, weights)
        seeds = seeds.take(np.lexsort((seeds.cost, seeds.place)))
        seed_off, door_off = _offsets(seeds.place, groups), _offsets(table.place, groups)
        indptr, adj, arc_edge = self._csr

        def run(first: int, last: int) -> tuple[NDArray[Any], ...]:
            found: tuple[NDArray[Any], ...] = _kernel.pieces(
                indptr, adj, arc_edge, weights.arc, self._u, self._v, self._length, weights.edge, weights.same,
                weights.per_unit, weights.ring, steps, first, last, seed_off, seeds.node, seeds.cost,
                door_off, table.edge, table.at, table.access * weights.unit,
            )  # fmt: skip
            return found

        group, limit, edge, start, stop = _in_threads(run, groups if len(steps) else 0, 5)
        order = np.lexsort((start, edge, limit, group))
        return Pieces(
            labels,
            group[order].astype(np.int64),
            steps[limit[order].astype(np.int64)] if len(order) else np.empty(0),
            edge[order].astype(np.int64),
            start[order].astype(np.float64),
            stop[order].astype(np.float64),
        )

    def _cut(self, pieces: Pieces) -> NDArray[Any]:
        """Return the line of every piece, in the CRS of the network."""
        from . import _kernel

        if not len(pieces.edge):
            return np.empty(0, object)
        edge = pieces.edge.astype(np.int32)
        room = self._off[edge + 1] - self._off[edge]
        out = np.empty((int(room.sum()), 2))
        counts = np.empty(len(edge), np.int64)
        _kernel.cut(edge, pieces.from_m, pieces.to_m, self._off, self._xy, self._cum, counts, out)
        return np.asarray(shapely.linestrings(out[: counts.sum()], indices=np.repeat(np.arange(len(edge)), counts)))

    def _doors(self, frame: pd.DataFrame) -> tuple[_Doors, pd.Index]:
        """Check a frame of doors and return it as arrays, with the labels of places in sorted order."""
        return self._numbered(self._recall(frame))

    def _recall(self, frame: pd.DataFrame) -> _Known:
        """
        Return what is known of a frame of doors: of a long one, all that was made of it when it was asked about before.

        A frame is the same when its columns lie where they lay. That they hold the same then is due to pandas, which
        writes to no column that another frame or series shares, and a `_Known` keeps its columns.
        """
        if len(frame) < THREAD_STEPS:
            return _Known(frame, ())
        columns = {name: frame[name] for name in DOOR_COLUMNS}
        if not all(isinstance(column.dtype, np.dtype) for column in columns.values()):
            return _Known(columns, ())
        spots = [column.to_numpy().__array_interface__ for column in columns.values()]
        found = next((known for known in self._known if known.spots == spots), None)
        if found is None:
            found = _Known(columns, spots)
            self._known = [found, *self._known[: FRAMES_KNOWN - 1]]
        return found

    def _numbered(self, known: _Known) -> tuple[_Doors, pd.Index]:
        if known.numbered is None:
            place, labels = _sorted_codes(known.columns["place"])
            known.numbered = _Doors(place, *self._positions(known.columns)), labels
        return known.numbered

    def _by_edge(self, known: _Known) -> tuple[Ints, Floats, Floats, Shorts]:
        """Return doors edge by edge: the offset of each edge, then `at`, `access` and `place`."""
        from . import _kernel

        if known.by_edge is None:
            place, edge, at, access = self._numbered(known)[0]
            known.by_edge = _kernel.by_edge(len(self._u), edge, at, access, place)
        return known.by_edge

    def _positions(self, frame: Mapping[str, pd.Series]) -> tuple[Shorts, Floats, Floats]:
        """Check and return where doors are: edge, metres along it, metres of access."""
        from . import _kernel

        edge, at, access = _columns(frame)
        edge, at, access = edge.copy(), at.copy(), access.copy()
        _refuse(_kernel.check_doors(edge, at, access, self._length))
        return edge, at, access

    def _seeds(self, doors: _Doors, weights: _Weights, only: Marks | None = None) -> _Seeds:
        """
        Return both ends of the doors' edges and the cost of getting there, but for ends behind closed edges.

        `only`: of these nodes alone, which it marks.
        """
        from . import _kernel

        seeds = _new_seeds(2 * len(doors.edge))
        size = _kernel.seeds(
            doors.edge, doors.at, doors.access, doors.place, self._u, self._v, self._length, weights.rate, weights.unit,
            NO_MARKS if only is None else only, *seeds,
        )  # fmt: skip
        return seeds.take(slice(size))

    def _pair_costs(
        self, origins: pd.DataFrame, targets: pd.DataFrame, profile: Profile | None, limit: float
    ) -> tuple[Shorts, Shorts, Floats, tuple[pd.Index, pd.Index]]:
        """Return origin and target numbers and their least cost, sorted, and the labels the numbers stand for."""
        from . import _kernel

        weights = self._weights(profile)
        bound = _limit(limit) + weights.same
        here, there = self._recall(origins), self._recall(targets)
        from_labels, to_labels = self._numbered(here)[1], self._numbered(there)[1]
        swapped = len(from_labels) > len(to_labels)  # walking is symmetric: search from the side with fewer places
        near, far = (there, here) if swapped else (here, there)
        source, sink, cost = self._reach_pairs(near, far, weights, bound)
        if swapped:
            source, sink, cost = _kernel.turn_pairs(source, sink, cost, len(from_labels))
        return source, sink, cost, (from_labels, to_labels)

    def _reach_pairs(
        self, here: _Known, there: _Known, weights: _Weights, bound: float
    ) -> tuple[Shorts, Shorts, Floats]:
        from . import _kernel

        indptr, adj, arc_edge = self._csr
        (near, from_labels), (_, to_labels) = self._numbered(here), self._numbered(there)
        sources, sinks = len(from_labels), len(to_labels)
        near = near.take(np.flatnonzero(near.edge >= 0))
        near = near.take(np.argsort(near.place, kind="stable"))
        seeds = self._seeds(near, weights)
        seeds = seeds.take(np.lexsort((seeds.cost, seeds.place)))
        seed_off, near_off = _offsets(seeds.place, sources), _offsets(near.place, sources)
        counts, by_edge = np.zeros(sources, np.int64), self._by_edge(there)

        def run(first: int, last: int) -> tuple[NDArray[Any], ...]:
            field = self._borrow()
            found: tuple[NDArray[Any], ...] = _kernel.pairs(
                indptr, adj, arc_edge, weights.arc, self._u, self._v, self._length, weights.rate, weights.unit, bound,
                weights.per_unit, weights.ring, first, last, seed_off, seeds.node, seeds.cost,
                near_off, near.edge, near.at, near.access, *by_edge, sinks, *field, counts,
            )  # fmt: skip
            self._spare.append(field)
            return found

        sink, cost = _in_threads(run, sources if sinks else 0, 2)
        source = np.repeat(np.arange(sources, dtype=np.int32), counts)
        return source, sink.astype(np.int32, copy=False), cost

    def _borrow(self) -> _Scratch:
        """Return arrays for one search at a time, clean: they are made once for each thread and given back clean."""
        try:
            return self._spare.pop()
        except IndexError:
            nodes = len(self._node_xy)
            return _Scratch(np.full(nodes, np.inf), np.empty(nodes, np.int32), np.empty(nodes, np.int32))

    def _notepad(self) -> _Notes:
        """Return arrays to note changes in, clean; whoever borrows them cleans them and gives them back."""
        try:
            return self._pads.pop()
        except IndexError:
            nodes = len(self._node_xy)
            marks = np.zeros(nodes, np.uint8)
            return _Notes(np.empty(nodes, np.int32), marks, np.empty(nodes), np.empty(nodes, np.int32), np.empty(nodes))

    # --- points in, frames out ----------------------------------------------------------------------------------------

    def metres(
        self, origins: gpd.GeoSeries, targets: gpd.GeoSeries, limit: float = math.inf, *, access: bool = True
    ) -> pd.DataFrame:
        """
        Measure from every place to every place along the street.

        Parameters
        ----------
        origins, targets
            Points in any CRS; the index holds labels, and a label that repeats is one place with several doors.
        limit
            Metres. Pairs beyond it are absent.
        access
            Whether the straight legs between the points and the street count.

        Returns
        -------
        DataFrame
            Sorted MultiIndex (origin, target), column `metres`. A point to itself is 0, on the street or off it.

        Raises
        ------
        TypeError, ValueError
            Not points, no CRS, an empty place or label, or a limit below 0: which, in Chinese.
        """
        return self._between(origins, targets, limit, None, access)

    def minutes(
        self,
        origins: gpd.GeoSeries,
        targets: gpd.GeoSeries,
        limit: float = math.inf,
        *,
        profile: Profile | str,
        access: bool = True,
    ) -> pd.DataFrame:
        """
        Measure the least time from every place to every place: walking at the profile's speed, and waits.

        The quickest way is not always the shortest.

        Parameters
        ----------
        origins, targets
            Points in any CRS; the index holds labels, and a label that repeats is one place with several doors.
        limit
            Minutes. Pairs beyond it are absent.
        profile
            A `Profile` or a name in the bundled `profiles.csv`.
        access
            Whether the straight legs between the points and the street count.

        Returns
        -------
        DataFrame
            Sorted MultiIndex (origin, target), column `minutes`. A point to itself is 0, on the street or off it.

        Raises
        ------
        UnknownNameError
            No such profile.
        TypeError, ValueError
            Not points, no CRS, an empty place or label, or a limit below 0: which, in Chinese.
        """
        return self._between(origins, targets, limit, _profile(profile), access)

    def _between(
        self, origins: gpd.GeoSeries, targets: gpd.GeoSeries, limit: float, profile: Profile | None, access: bool
    ) -> pd.DataFrame:
        starts, ends = self._at_street(origins, access, profile), self._at_street(targets, access, profile)
        rows, columns, cost, names = self._pair_costs(starts, ends, profile, limit)
        a, b = self._same_points(origins, targets)
        if len(a):
            here, there = _sorted_codes(starts["place"])[0][a], _sorted_codes(ends["place"])[0][b]
            rows, columns = np.concatenate([here, rows]), np.concatenate([there, columns])
            cost = np.concatenate([np.zeros(len(a)), cost])
            order = np.lexsort((cost, columns, rows))
            rows, columns, cost = rows[order], columns[order], cost[order]
            first = np.ones(len(rows), np.bool_)
            first[1:] = (rows[1:] != rows[:-1]) | (columns[1:] != columns[:-1])
            rows, columns, cost = rows[first], columns[first], cost[first]
        return _pair_frame(rows, columns, cost, names, "metres" if profile is None else "minutes")

    def nearest(
        self, origins: gpd.GeoSeries, targets: gpd.GeoSeries, limit: float = math.inf, *, access: bool = True
    ) -> pd.DataFrame:
        """
        Find the nearest target of every place.

        Parameters
        ----------
        origins, targets
            Points in any CRS; the index holds labels, and a label that repeats is one place with several doors.
        limit
            Metres. A target beyond it is not found.
        access
            Whether the straight legs between the points and the street count.

        Returns
        -------
        DataFrame
            Index `origin` in order of first appearance; `target` (of equally near ones the first in sorted order) and
            `metres`. Missing where none is within the limit.

        Raises
        ------
        TypeError, ValueError
            Not points, no CRS, an empty place or label, or a limit below 0: which, in Chinese.
        """
        starts, ends = self._at_street(origins, access, None), self._at_street(targets, access, None)
        found = self.search(starts, ends, limit=limit)
        _, labels = _sorted_codes(ends["place"])
        target = labels.get_indexer(pd.Index(found["target"])) if len(labels) else np.full(len(found), -1)
        cost = found["cost"].to_numpy(np.float64, copy=True)
        a, b = self._same_points(origins, targets)
        if len(a):
            target, cost = _with_itself(target, cost, a, _sorted_codes(ends["place"])[0][b])
        place, names = pd.factorize(starts["place"])
        rank = np.where(np.isfinite(cost), cost, np.inf)
        least = np.full(len(names), np.inf)
        np.minimum.at(least, place, rank)
        tied = (target >= 0) & (rank <= least[place] + TOLERANCE_M)
        best = np.full(len(names), len(labels))
        np.minimum.at(best, place[tied], target[tied])
        best[best == len(labels)] = -1
        index = pd.Index(names, name="origin")
        metres = np.where(np.isfinite(least), least, np.nan)
        return pd.DataFrame({"target": _take(labels, best), "metres": metres}, index=index)

    def reach(
        self, points: gpd.GeoSeries, limit: float, *, each: bool = False, access: bool = True
    ) -> gpd.GeoDataFrame:
        """
        Return the street pieces that can be reached from points, cut exactly where the limit runs out.

        Parameters
        ----------
        points
            Points in any CRS; the index holds labels, and a label that repeats is one place with several doors.
        limit
            Metres along the street.
        each
            For every place by itself (column `place`) instead of for all together.
        access
            Whether the straight legs between the points and the street count.

        Returns
        -------
        GeoDataFrame
            Columns (`place`,) `edge`, `from_m`, `to_m` (metres along the edge), `geometry`: lines in the CRS of the
            network.

        Raises
        ------
        TypeError, ValueError
            Not points, no CRS, an empty place or label, or a limit below 0: which, in Chinese.
        """
        pieces = self.reached(self._at_street(points, access, None), limit, each=each)
        return pieces.drop(columns="limit")

    def _at_street(self, points: gpd.GeoSeries, access: bool, profile: Profile | None) -> pd.DataFrame:
        doors = self.attach(points, profile=profile)
        if not access:
            doors["access_m"] = np.where(doors["edge"] >= 0, 0.0, np.nan)
        return doors

    def _same_points(self, origins: gpd.GeoSeries, targets: gpd.GeoSeries) -> tuple[Ints, Ints]:
        """Return the row numbers of points that are the same (1e-6 m, for what reprojecting does to the last bits)."""
        if not len(origins) or not len(targets):
            return np.empty(0, np.int64), np.empty(0, np.int64)
        tree = shapely.STRtree(shapely.points(self._coordinates(targets)))
        here = shapely.points(self._coordinates(origins))
        a, b = tree.query(here, predicate="dwithin", distance=TOLERANCE_M)
        return a, b

    # --- out ----------------------------------------------------------------------------------------------------------

    def to_graph(self) -> nx.MultiDiGraph:
        """
        Return an OSMnx-style MultiDiGraph in the network's CRS, both directions of every edge.

        Edges carry `osmid` and `street` (the street), `highway`, `name`, `length`, `wait_s`, `steps`, `home`,
        `oneway=False`, `reversed` and `geometry`; a loop is one directed edge. `from_graph` of it is the same network.

        Returns
        -------
        MultiDiGraph
            `networkx`; nodes with `x` and `y` in metres, `graph["crs"]` the CRS of the network.
        """
        import networkx as nx

        graph = nx.MultiDiGraph(crs=self._crs.to_string(), simplified=True)
        graph.add_nodes_from((i, {"x": x, "y": y}) for i, (x, y) in enumerate(self._node_xy.tolist()))
        for row in self._edges.itertuples(index=False, name=None):
            at = dict(zip(self._edges.columns, row, strict=True))
            u, v = at["u"], at["v"]
            data = {
                "osmid": at["street"],
                "street": at["street"],
                "highway": at["class"],
                "length": at["length_m"],
                "wait_s": at["wait_s"],
                "steps": at["steps"],
                "oneway": False,
            }
            data |= {key: at[key] for key in ("name", "home") if not pd.isna(at[key])}
            graph.add_edge(u, v, **data, reversed=False, geometry=at["geometry"])
            if u != v:
                graph.add_edge(v, u, **data, reversed=True, geometry=shapely.reverse(at["geometry"]))
        return graph

    def save(self, path: StrPath) -> None:
        """
        Write to one file (.npz) with its version and a hash of its content: same network, same bytes.

        Parameters
        ----------
        path
            The file; it is written whole or not at all.

        Raises
        ------
        OSError
            The file cannot be written.
        """
        arrays: dict[str, NDArray[Any]] = {
            "node_xy": self._node_xy,
            "edge_u": self._u,
            "edge_v": self._v,
            "edge_row": self._row,
            "geometry_off": self._off,
            "geometry_xy": self._xy,
            "geometry_cum": self._cum,
        }
        head = {"format": FORMAT, "version": FORMAT_VERSION, "crs": self._crs.to_json_dict()}
        table = {name: _plain(self._table[name]) for name in TABLE_COLUMNS}
        text = json.dumps({"head": head, "table": table}, ensure_ascii=False, sort_keys=True)
        arrays["meta"] = np.frombuffer(text.encode(), np.uint8)
        arrays["hash"] = np.frombuffer(_digest(arrays), np.uint8)
        target = Path(path)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                _write_zip(file, arrays)
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    @classmethod
    def load(cls, path: StrPath) -> WalkNetwork:
        """
        Read what `save` wrote.

        Parameters
        ----------
        path
            A file that `save` wrote.

        Returns
        -------
        WalkNetwork
            Equal to the one that was saved, in the same CRS.

        Raises
        ------
        NetworkError
            The file is missing, broken, from another program or from another version.
        """
        name = Path(path).name
        try:
            with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as content:
                arrays = {key: content[key] for key in content.files}
            meta = json.loads(arrays["meta"].tobytes().decode())
            stored = arrays.pop("hash").tobytes()
            head, table = meta["head"], meta["table"]
            known = head["format"] == FORMAT
        except FileNotFoundError as error:
            raise NetworkError(f"路网文件不存在：{name}") from error
        except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
            raise NetworkError(f"{name} 不是本工具保存的路网文件，或已损坏；请从街道图层重新生成") from error
        if not known or stored != _digest(arrays):
            raise NetworkError(f"{name} 已损坏（内容与校验值不符）；请从街道图层重新生成")
        if head["version"] != FORMAT_VERSION:
            raise NetworkError(f"{name} 由另一个版本保存（格式 {head['version']}）；请从街道图层重新生成")
        return cls(pyproj.CRS.from_json_dict(head["crs"]), arrays, _table(table))


# --- the state of a search -------------------------------------------------------------------------------------------


class _Field(NamedTuple):
    """Cost, label and (where waits make it a number of its own) walked metres at every node."""

    cost: Floats
    label: Shorts
    metres: Floats


class _Change(NamedTuple):
    """Nodes, each once, and the cost, label and metres that other arrays have there."""

    node: Shorts
    cost: Floats
    label: Shorts
    metres: Floats

    def swap(self, field: _Field) -> _Change:
        """Write these values into a field; return those that stood there."""
        node, waits = self.node, len(field.metres) > 0
        there = _Change(node, field.cost[node], field.label[node], field.metres[node] if waits else field.metres)
        field.cost[node], field.label[node] = self.cost, self.label
        if waits:
            field.metres[node] = self.metres
        return there


@dataclass(eq=False)
class _Version:
    """
    The field of one state among its kin, who share one set of arrays and differ at few nodes.

    The arrays stand at one version; every other knows the next on the way there, and how it differs from that one
    (Baker's rerooting). Going to another version costs what differs, however large the network.
    """

    field: _Field | None
    lock: AbstractContextManager[Any]
    onward: _Version | None = None
    change: _Change | None = None

    def stand(self) -> _Field:
        """Make the shared arrays those of this version and return them, to be used while the lock is held."""
        way = [self]
        while (onward := way[-1].onward) is not None:
            way.append(onward)
        field = way[-1].field
        assert field is not None
        for there, here in itertools.pairwise(reversed(way)):
            assert here.change is not None
            there.onward, there.change, there.field = here, here.change.swap(field), None
            here.onward, here.change, here.field = None, None, field
        return field

    def hand_over(self, new: _Version, back: _Change) -> None:
        """Leave the arrays, which have changed, to a new version; `back` is what stood there."""
        new.field = self.field
        self.field, self.onward, self.change = None, new, back


@dataclass(frozen=True, eq=False)
class SearchState:
    """
    A finished search from many places. Adding or closing a place gives a new state; this one stays as it is.

    Made by `WalkNetwork.search_state`. Places are numbered in the order they came; `labels` names them, those as well that
    were closed and have no doors: an index in sorted order, or a tuple in any.
    """

    net: WalkNetwork
    weights: _Weights
    bound: float
    labels: pd.Index | tuple[Hashable, ...]
    doors: _Doors
    version: _Version

    def at(self, origins: pd.DataFrame, *, limit: float = math.inf) -> pd.DataFrame:
        """Return `target`, `cost`, `metres` for doors, as `WalkNetwork.search` does."""
        with self.version.lock:
            return _read_off([self], origins, _limit(limit))[0]

    def with_place(self, doors: pd.DataFrame) -> SearchState:
        """Return the state with these doors added; places that exist already get them as further doors."""
        names = doors["place"].tolist()
        if any(pd.api.types.is_scalar(name) and pd.isna(name) for name in names):
            raise ValueError("地点的编号不能为空")
        added = [name for name in dict.fromkeys(names) if name not in self._number]
        number = {name: len(self.labels) + i for i, name in enumerate(added)}
        place = np.array([number.get(name, self._number.get(name)) for name in names], np.int32)
        new = _Doors(place, *self.net._positions(doors))
        return self._followed((*self._number, *added), self.doors.plus(new), new)

    def without_place(self, label: Hashable) -> SearchState:
        """
        Return the state with a place closed: only the nodes it served are searched again, from their boundary.

        Raises
        ------
        UnknownNameError
            No such place.
        """
        gone = self.doors.place == self._number.get(label, -1)
        if not gone.any():
            standing = np.unique(self.doors.place)
            raise UnknownNameError("地点", str(label), [str(self.labels[number]) for number in standing])
        return self._followed(tuple(self._number), self.doors.take(~gone), self.doors.take(gone), closing=True)

    def _followed(
        self, labels: tuple[Hashable, ...], doors: _Doors, moved: _Doors, *, closing: bool = False
    ) -> SearchState:
        """Return the state with `doors`, of which `moved` are new; or are gone, which is the last of their place."""
        net, lock = self.net, self.version.lock
        state = SearchState(net, self.weights, self.bound, labels, doors, _Version(None, lock))
        seeds = net._seeds(moved, self.weights)
        with lock:
            field, notes, count = self.version.stand(), net._notepad(), 0
            if closing:
                count, seeds = state._orphaned(int(moved.place[0]), seeds.node, field, notes)
            seeds = seeds.take(np.argsort(seeds.cost, kind="stable"))
            listed, tied = state._spread([seeds], field, notes.after(count))
            count += listed
            if tied:
                count = state._settle_and_note(field, notes, count)
            self.version.hand_over(state.version, notes.cleaned(count, self.weights.waits))
            net._pads.append(notes)
        return state

    def _orphaned(self, number: int, start: Shorts, field: _Field, notes: _Notes) -> tuple[int, _Seeds]:
        """Take the nodes of a place from it; return how many, and what their neighbours and the doors there offer."""
        from . import _kernel

        net, weights = self.net, self.weights
        indptr, adj, _ = net._csr
        arrays = (*field, *notes)
        count = _kernel.orphan(indptr, adj, number, start, *arrays)
        orphans = notes.touched[:count]
        border = _new_seeds(int((indptr[orphans + 1] - indptr[orphans]).sum()))
        places = (*field, *border)
        size = _kernel.offers(indptr, adj, weights.arc, net._arc_length, orphans, *places)
        return count, net._seeds(self.doors, weights, notes.mark).plus(border.take(slice(size)))

    def _settle_and_note(self, field: _Field, notes: _Notes, count: int) -> int:
        """Settle ties, and note what that changes where nothing was noted; return how many nodes are noted now."""
        before = _Field(field.cost.copy(), field.label.copy(), field.metres.copy())
        self._settle(field)
        changed = field.label != before.label
        if self.weights.waits:
            changed |= field.metres != before.metres
        more = np.flatnonzero(changed & (notes.mark == 0))
        notes.mark[more] = 1
        added = slice(count, count + len(more))
        notes.touched[added], notes.cost[added], notes.label[added] = more, before.cost[more], before.label[more]
        if self.weights.waits:
            notes.metres[added] = before.metres[more]
        return count + len(more)

    def _relaxed(self, seeds: _Seeds) -> SearchState:
        """Search from seeds into this state's own (new) arrays."""
        _relax([(self, seeds)])
        return self

    def _shares(self, seeds: _Seeds, parts: int) -> list[tuple[Sequence[_Seeds], _Field]]:
        """Return batches of seeds in at most `parts` shares, each with arrays of its own to search into."""
        batches = self._batches(seeds)
        size = max(2, -(-len(batches) // parts))  # neighbours stay together; each share costs a field
        shares = [batches[k : k + size] for k in range(0, len(batches), size)]
        fields = [self.version.stand(), *(self.net._empty_field(self.weights) for _ in shares[1:])]
        return list(zip(shares, fields, strict=True))

    def _spread(self, batches: Sequence[_Seeds], field: _Field, notes: _Notes | None = None) -> tuple[int, bool]:
        """Search from seeds into `field`; return how many changes were noted and whether ways of equal cost met."""
        from . import _kernel

        net, weights = self.net, self.weights
        indptr, adj, _ = net._csr
        heads = np.full(weights.ring, -1, np.int64)
        if notes is None:
            nothing = np.empty(0)
            none = np.empty(0, np.int32)
            notes = _Notes(none, NO_MARKS, nothing, none, nothing)
        listed, tied = 0, False
        for batch in batches:
            arrays = (*batch, *field, *notes)
            listed, more = _kernel.spread(
                indptr, adj, weights.arc, net._arc_length, self.bound, weights.same,
                weights.per_unit, heads, *arrays,
            )  # fmt: skip
            tied |= more
        return listed, tied

    def _gather(self, field: _Field, others: Sequence[_Field], tied: bool) -> None:
        """Take what other shares found into this state's own arrays, and settle ties if there are any."""
        from . import _kernel

        for other in others:
            tied |= _kernel.merge(*field, self.weights.waits, self.weights.same, *other)
        if tied:
            self._settle(field)

    def _batches(self, seeds: _Seeds) -> list[_Seeds]:
        """
        Return seeds sorted by cost, in batches of neighbours where the bound keeps a search local.

        What a batch of neighbours reaches stays in the processor's cache, and batches can run in threads; any order of
        seeds gives the same costs.
        """
        width, height = self.net._bounds[2:] - self.net._bounds[:2]
        local = self.bound < max(width, height) * self.weights.unit / 8
        if not local or len(seeds.node) <= SEED_BATCH:
            return [seeds.take(np.argsort(seeds.cost, kind="stable"))]
        seeds = seeds.take(np.argsort(seeds.node, kind="stable"))
        seeds = seeds.take(np.lexsort((seeds.cost, np.arange(len(seeds.node)) // SEED_BATCH)))
        return [seeds.take(slice(k, k + SEED_BATCH)) for k in range(0, len(seeds.node), SEED_BATCH)]

    def _settle(self, field: _Field) -> None:
        from . import _kernel

        net, weights = self.net, self.weights
        indptr, adj, _ = net._csr
        seeds = net._seeds(self.doors, weights)
        seeds = seeds.take(np.argsort(self._rank[seeds.place], kind="stable"))
        node, cost, place, _ = seeds
        _kernel.settle_labels(indptr, adj, weights.arc, weights.same, node, cost, place, field.cost, field.label)
        if weights.waits:
            order = np.argsort(field.cost, kind="stable")
            _kernel.settle_metres(
                indptr, adj, weights.arc, net._arc_length, weights.same, order, *seeds, *field
            )  # fmt: skip

    @cached_property
    def names(self) -> pd.Index:
        """The labels as an index."""
        return self.labels if isinstance(self.labels, pd.Index) else pd.Index(self.labels, tupleize_cols=False)

    @cached_property
    def _number(self) -> dict[Hashable, int]:
        return {label: i for i, label in enumerate(self.labels)}

    @cached_property
    def _rank(self) -> Shorts:
        """The place of each label in sorted order."""
        if isinstance(self.labels, pd.Index):
            return np.arange(max(len(self.labels), 1), dtype=np.int32)
        order = _sorted_order(self.names)
        rank = np.empty(max(len(order), 1), np.int32)
        rank[order] = np.arange(len(order), dtype=np.int32)
        return rank

    @cached_property
    def _doors_by_edge(self) -> tuple[Shorts, Shorts]:
        """Linked lists: the first door on each edge, and the one after each door; -1 ends a list."""
        edge = self.doors.edge
        first = np.full(len(self.net._u), -1, np.int32)
        following = np.full(max(len(edge), 1), -1, np.int32)
        on = np.flatnonzero(edge >= 0)
        order = on[np.argsort(edge[on], kind="stable")]
        begins = np.ones(len(order), np.bool_)
        begins[1:] = edge[order[1:]] != edge[order[:-1]]
        first[edge[order[begins]]] = order[begins]
        following[order[:-1][~begins[1:]]] = order[1:][~begins[1:]]
        return first, following


def _relax(starts: Sequence[tuple[SearchState, _Seeds]]) -> None:
    """Search from seeds into the (new) arrays of each state, all states in the same threads."""
    threads = thread_count()
    left = len(starts) % threads  # one thread for each search as long as there are enough; the last are divided
    parts = [1] * (len(starts) - left) + [-(-threads // left)] * left if left else [1] * len(starts)
    states = [state for state, _ in starts]
    work = [state._shares(seeds, share) for (state, seeds), share in zip(starts, parts, strict=True)]
    jobs = [(number, *share) for number, shares in enumerate(work) for share in shares]
    nodes = len(states[0].net._node_xy) if starts else 0
    ties = _each(lambda job: states[job[0]]._spread(*job[1:])[1], jobs, nodes)
    tied = {number for (number, *_), tie in zip(jobs, ties, strict=True) if tie}

    def gather(number: int) -> None:
        own, *others = (field for _, field in work[number])
        states[number]._gather(own, others, number in tied)

    _each(gather, range(len(states)), nodes)
    for state, shares in zip(states, work, strict=True):
        state.net._give_back([field for _, field in shares[1:]])


def _read_off(states: Sequence[SearchState], origins: pd.DataFrame, limit: float) -> list[pd.DataFrame]:
    """Return `target`, `cost`, `metres` of doors from each state; the states share a network and a profile."""
    from . import _kernel

    if not states:
        return []
    net, weights = states[0].net, states[0].weights
    known = net._recall(origins)
    edge, at, access = _columns(known.columns)
    count = len(edge)
    found = [_Found(state, origins.index) for state in states]
    served = np.full(
        len(net._u), weights.waits
    )  # edges to look at closely: with a target on them, or metres to be counted
    for state in states:
        served[state.doors.edge[state.doors.edge >= 0]] = True
    fresh = known.ends is None or known.ends[0] is not weights
    ends = _new_ends(count) if known.ends is None or fresh else known.ends[1]

    def run(start: int, stop: int) -> tuple[NDArray[Any], ...]:
        part = slice(start, stop)
        doors, their = (edge[part], at[part], access[part]), ends.take(part)
        here = (*doors, *their)
        if fresh:
            _refuse(
                _kernel.door_ends(
                    *doors, net._u, net._v, net._length, weights.rate, their.u, their.v, their.to_u, their.to_v
                )
            )
        near = np.take(served, doors[0], mode="clip")
        for state, out in zip(states, found, strict=True):
            _kernel.at_doors(
                *here, near,
                weights.unit, weights.waits, min(limit + weights.same, state.bound), weights.same,
                net._length, weights.rate, *out.field, *out.tables,
                state.doors.at, state.doors.access, state.doors.place, out.numbers,
                out.cost[part], out.metres[part], out.target[part], out.missing[part],
            )  # fmt: skip
        return ()

    _in_threads(run, count, 0, size=READ_BATCH)
    known.ends = weights, ends
    return [out.frame() for out in found]


class _Found:
    """What is read off a state: columns of a frame in the making."""

    def __init__(self, state: SearchState, index: pd.Index) -> None:
        count, weights = len(index), state.weights
        self.index, self.names = index, state.names
        whole = self.names.dtype == np.int64 and len(self.names) > 0
        self.numbers: Ints = self.names.to_numpy() if whole else np.empty(0, np.int64)
        self.field = state.version.stand()
        self.tables = (state._rank, *state._doors_by_edge)
        self.cost: Floats = np.empty(count)
        # Metres that are the cost are no array of their own, where that saves more than it takes.
        shared = count >= THREAD_STEPS and weights.unit == 1.0 and not weights.waits
        self.metres: Floats = np.empty(0 if shared else count)
        self.target: NDArray[Any] = np.empty(count, np.int64 if whole else np.int32)
        self.missing: Flags = np.empty(count if whole else 0, np.bool_)

    def frame(self) -> pd.DataFrame:
        """Return what was found."""
        target: Any = self.target
        if not len(self.numbers):
            target = _take(self.names, target)
        elif self.missing.any():
            target = pd.arrays.IntegerArray(target, self.missing)
        cost, metres = self.cost, self.metres
        if len(metres) < len(cost):
            cost = metres = pd.Series(cost, self.index, copy=False)  # pandas parts them when somebody writes to either
        return pd.DataFrame({"target": target, "cost": cost, "metres": metres}, index=self.index, copy=False)


# --- from lines to arrays --------------------------------------------------------------------------------------------


def _assemble(crs: pyproj.CRS, chains: _Chains, table: pd.DataFrame) -> WalkNetwork:
    """Split polylines at nodes, string together what only a vertex of degree two parts, and number nodes and edges."""
    from . import _kernel

    chains = _without_repeats(chains)
    if not len(chains.group):
        raise NetworkError("街道图层里没有可步行的路段")
    is_node = _nodes_of(chains)
    begin, end = _split(chains, is_node)
    order, flip, opens = _linked(chains, is_node, begin, end)
    begin, end = begin[order], end[order]
    head, tail = np.where(flip, end, begin), np.where(flip, begin, end)
    first = np.flatnonzero(opens)
    last = np.concatenate([first[1:], [len(order)]]) - 1
    vertex_u, vertex_v = chains.vertex[head[first]], chains.vertex[tail[last]]

    node_vertex, ends = np.unique(np.concatenate([vertex_u, vertex_v]), return_inverse=True)
    spot = np.empty(int(chains.vertex.max()) + 1, np.int64)
    spot[chains.vertex[::-1]] = np.arange(len(chains.vertex))[::-1]  # the first point at each vertex
    node_xy = chains.xy[spot[node_vertex]]
    along = np.argsort(_hilbert(node_xy), kind="stable")
    number = np.empty(len(along), np.int64)
    number[along] = np.arange(len(along))
    u, v = number[ends[: len(first)]], number[ends[len(first) :]]

    by_place = np.lexsort((np.maximum(u, v), np.minimum(u, v)))
    pieces, piece_off = _ranges(first[by_place], last[by_place] - first[by_place] + 1)
    points, step_of, lengths = _points(begin[pieces], end[pieces], flip[pieces], opens[pieces])
    off = np.concatenate([[0], np.cumsum(lengths)])[piece_off]
    cum = np.empty(len(points))
    _kernel.running_sums(chains.step[step_of], off, cum)
    part = np.searchsorted(chains.off, begin[first[by_place]], side="right") - 1
    arrays = {
        "node_xy": node_xy[along],
        "edge_u": u[by_place],
        "edge_v": v[by_place],
        "edge_row": chains.group[part],
        "geometry_off": off,
        "geometry_xy": chains.xy[points],
        "geometry_cum": cum,
    }
    return WalkNetwork(crs, arrays, table)


def _without_repeats(chains: _Chains) -> _Chains:
    """Drop points that repeat the one before them, and polylines of which one point is left."""
    part = np.repeat(np.arange(len(chains.group)), np.diff(chains.off))
    kept = np.ones(len(part), np.bool_)
    kept[1:] = (part[1:] != part[:-1]) | (chains.vertex[1:] != chains.vertex[:-1])
    count = np.bincount(part[kept], minlength=len(chains.group))
    kept &= count[part] > 1
    whole = count > 1
    off = np.concatenate([[0], np.cumsum(count[whole])]).astype(np.int64)
    return _Chains(chains.xy[kept], off, chains.vertex[kept], chains.step[kept], chains.group[whole])


def _nodes_of(chains: _Chains) -> Flags:
    """Return which vertices are nodes: junctions, ends, and where attributes change."""
    size = int(chains.vertex.max()) + 1
    inner = np.full(len(chains.vertex), 2, np.int64)
    inner[chains.off[:-1]] = 1
    inner[chains.off[1:] - 1] = 1
    degree = np.bincount(chains.vertex, weights=inner, minlength=size)
    group = np.repeat(chains.group, np.diff(chains.off))
    one = np.empty(size, np.int64)
    one[chains.vertex] = group
    is_node = degree != 2
    is_node[chains.vertex[one[chains.vertex] != group]] = True
    return is_node


def _split(chains: _Chains, is_node: Flags) -> tuple[Ints, Ints]:
    """Return the first and last point of the parts that polylines fall into at nodes."""
    stop = is_node[chains.vertex].copy()
    stop[chains.off[:-1]] = True
    stop[chains.off[1:] - 1] = True
    at = np.flatnonzero(stop)
    ends = np.zeros(len(chains.vertex), np.bool_)
    ends[chains.off[1:] - 1] = True
    joined = ~ends[at[:-1]]
    return at[:-1][joined], at[1:][joined]


def _linked(chains: _Chains, is_node: Flags, begin: Ints, end: Ints) -> tuple[Ints, Flags, Flags]:
    """String parts together where they meet at a vertex that is no node. Returns order, flipped, first."""
    from . import _kernel

    count = len(begin)
    vertex = np.empty(2 * count, np.int64)
    vertex[0::2], vertex[1::2] = chains.vertex[begin], chains.vertex[end]
    loose = np.flatnonzero(~is_node[vertex])
    if not len(loose):
        return np.arange(count), np.zeros(count, np.bool_), np.ones(count, np.bool_)
    loose = loose[np.argsort(vertex[loose], kind="stable")]
    mate = np.full(2 * count, -1, np.int64)
    mate[loose[0::2]], mate[loose[1::2]] = loose[1::2], loose[0::2]
    order = np.empty(count, np.int64)
    flip, opens = np.empty(count, np.bool_), np.empty(count, np.bool_)
    _kernel.link(mate, order, flip, opens)
    return order, flip, opens


def _ranges(start: Ints, count: Ints) -> tuple[Ints, Ints]:
    """Return start..start+count-1 of each, one after the other, and the offsets of each."""
    off = np.concatenate([[0], np.cumsum(count)])
    return np.repeat(start - off[:-1], count) + np.arange(off[-1]), off


def _points(begin: Ints, end: Ints, flip: Flags, opens: Flags) -> tuple[Ints, Ints, Ints]:
    """
    Return the points of parts walked in order, which `step` leads to each, and how many each part adds.

    A part that continues a string leaves out its first point, which the part before it ended with.
    """
    count = end - begin + 1
    position, _ = _ranges(np.zeros(len(count), np.int64), count)
    part = np.repeat(np.arange(len(count)), count)
    points = np.where(flip[part], end[part] - position, begin[part] + position)
    step_of = np.where(flip[part], np.minimum(points + 1, end[part]), points)
    kept = (position > 0) | opens[part]
    return points[kept], step_of[kept], count - ~opens


def _planar_steps(xy: Floats) -> Floats:
    step = np.zeros(len(xy))
    step[1:] = np.hypot(*(xy[1:] - xy[:-1]).T)
    return step


def _snap(xy: Floats) -> Ints:
    """
    Number vertices so that those within a millimetre are one.

    Vertices fall into cells of a millimetre; neighbouring cells are one when their first vertices are close enough, so
    that noise in the last bits cannot part two lines at the edge of a cell.
    """
    if not len(xy):
        return np.empty(0, np.int64)
    cell = np.round(xy / SNAP_M).astype(np.int64)
    cell -= cell.min(axis=0) - 1
    wide = int(cell[:, 1].max()) + 2
    key = cell[:, 0] * wide + cell[:, 1]
    cells, first, number = np.unique(key, return_index=True, return_inverse=True)
    a, b = [], []
    for beside in (1, wide, wide + 1, wide - 1):
        at = np.searchsorted(cells, cells + beside)
        hit = np.flatnonzero(at < len(cells))
        hit = hit[cells[at[hit]] == cells[hit] + beside]
        close = np.hypot(*(xy[first[hit]] - xy[first[at[hit]]]).T) <= SNAP_M
        a.append(hit[close])
        b.append(at[hit[close]])
    left, right = np.concatenate(a), np.concatenate(b)
    if not len(left):
        return number
    links = csr_matrix((np.ones(len(left), np.int8), (left, right)), shape=(len(cells), len(cells)))
    _, cluster = connected_components(links, directed=False)
    return np.asarray(cluster[number], np.int64)


def _hilbert(xy: Floats, order: int = 16) -> Ints:
    """
    Return the position of points along a Hilbert curve over their extent.

    Neighbours on the ground become neighbours in memory, which is what the searches at a million nodes wait for.
    """
    low = xy.min(axis=0)
    extent = float((xy.max(axis=0) - low).max()) or 1.0
    side = (1 << order) - 1
    x, y = ((xy - low) / extent * side).astype(np.int64).T
    distance = np.zeros(len(xy), np.int64)
    for level in range(order - 1, -1, -1):
        bit = 1 << level
        right, upper = (x & bit) > 0, (y & bit) > 0
        distance += bit * bit * ((3 * right) ^ upper)
        turn = ~upper
        mirror = turn & right
        x, y = np.where(mirror, side - x, x), np.where(mirror, side - y, y)
        x, y = np.where(turn, y, x), np.where(turn, x, y)
    return distance


# --- attributes ------------------------------------------------------------------------------------------------------


def _table(columns: Mapping[str, Any]) -> pd.DataFrame:
    frame = pd.DataFrame({name: pd.Series(columns[name], dtype=object) for name in TABLE_COLUMNS})
    frame["wait_s"] = frame["wait_s"].astype(np.float64)
    frame["steps"] = frame["steps"].astype(np.bool_)
    for name in ("name", "class", "home"):
        frame[name] = frame[name].astype(object).where(frame[name].notna(), None)
    return frame.infer_objects()


def _table_of(lines: gpd.GeoDataFrame) -> pd.DataFrame:
    """Return the attributes of lines, with defaults for columns that are absent or blank."""
    count = len(lines)
    blank = [None] * count
    wait = pd.to_numeric(lines["wait_s"], errors="raise") if "wait_s" in lines else pd.Series(0.0, lines.index)
    wait = wait.astype(np.float64).fillna(0.0)
    if not (wait >= 0).all() or not np.isfinite(wait).all():
        wrong = "、".join(str(label) for label in lines.index[~((wait >= 0) & np.isfinite(wait))][:5])
        raise NetworkError(f"这些街道的 wait_s（过街等待，秒）不是不小于 0 的数：{wrong}")
    steps = lines["steps"].eq(True).fillna(False) if "steps" in lines else pd.Series(False, lines.index)
    home = lines["home"].where(lines["home"].notna() & (lines["home"] != ""), None) if "home" in lines else blank
    return _table(
        {
            "street": list(lines.get("street", lines.index)),
            "name": list(lines["name"]) if "name" in lines else blank,
            "class": list(lines["class"]) if "class" in lines else blank,
            "wait_s": list(wait),
            "steps": list(steps),
            "home": list(home),
        }
    )


def _group(table: pd.DataFrame) -> tuple[Ints, pd.DataFrame]:
    """Number rows so that those with the same attributes share one, and return one row for each number."""
    number: Ints = np.asarray(table.groupby(list(TABLE_COLUMNS), sort=False, dropna=False).ngroup(), np.int64)
    first = np.unique(number, return_index=True)[1].astype(np.int64)
    return number, table.iloc[first].reset_index(drop=True)


def _metric_crs(crs: Any) -> pyproj.CRS:
    found = pyproj.CRS.from_user_input(crs)
    if not found.is_projected:
        raise NetworkError(f"路网要用以米为单位的投影坐标系，而不是经纬度（{found.to_string()}）；请用 crs= 指定")
    if any(axis.unit_name not in ("metre", "meter", "m") for axis in found.axis_info[:2]):
        raise NetworkError(f"路网的坐标系必须以米为单位：{found.to_string()}")
    return found


def _in_metres(streets: gpd.GeoDataFrame, crs: Any) -> gpd.GeoDataFrame:
    if streets.crs is None:
        raise NetworkError("街道图层没有坐标系；先用 set_crs 写明")
    if crs is None:
        _metric_crs(streets.crs)
        return streets
    return streets.to_crs(_metric_crs(crs))


def _check_lines(lines: gpd.GeoDataFrame) -> None:
    kind = shapely.get_type_id(lines.geometry.to_numpy())
    bad = ~np.isin(kind, (-1, 1, 5)) & ~lines.geometry.is_empty.to_numpy()
    if bad.any():
        names = "、".join(str(label) for label in lines.index[bad][:5])
        raise NetworkError(f"街道必须是线（LineString 或 MultiLineString）；这些不是：{names}")
    xy, row = shapely.get_coordinates(lines.geometry.to_numpy(), return_index=True)
    wrong = row[~np.isfinite(xy).all(axis=1)]
    if len(wrong):
        raise NetworkError(
            f"这些街道的坐标不是有限的数：{'、'.join(str(x) for x in lines.index[np.unique(wrong)[:5]])}"
        )


def _utm_of(lon: Floats, lat: Floats) -> pyproj.CRS:
    box = shapely.box(lon.min(), lat.min(), lon.max(), lat.max())
    return gpd.GeoSeries([box], crs="EPSG:4326").estimate_utm_crs()


# --- OSMnx graphs ----------------------------------------------------------------------------------------------------


def _from_graph(graph: nx.MultiDiGraph, crs: Any) -> WalkNetwork:
    given = graph.graph.get("crs")
    if given is None:
        raise NetworkError('图没有坐标系：请设 G.graph["crs"]')
    own = pyproj.CRS.from_user_input(given)
    if not graph.number_of_edges():
        raise NetworkError("图里没有可步行的路段")
    number = {node: i for i, node in enumerate(graph.nodes)}
    try:
        node_xy = np.array([(data["x"], data["y"]) for _, data in graph.nodes(data=True)], np.float64)
    except KeyError as error:
        raise NetworkError(f"图的节点缺少坐标 {error}") from error
    streets, ends, lines = _one_way_each(graph, number, node_xy)
    xy, part = shapely.get_coordinates(lines, return_index=True)
    metric = _utm_of(*node_xy.T) if crs is None and own.is_geographic else _metric_crs(own if crs is None else crs)
    if metric != own:
        xy = np.column_stack(pyproj.Transformer.from_crs(own, metric, always_xy=True).transform(*xy.T))
    off = np.searchsorted(part, np.arange(len(lines) + 1)).astype(np.int64)
    # Streets of a graph meet at its nodes only: the vertices between are nobody else's, whatever lies on top of them.
    vertex = np.arange(len(xy), dtype=np.int64) + len(number)
    vertex[off[:-1]], vertex[off[1:] - 1] = ends[:, 0], ends[:, 1]
    step = _steps_for(_planar_steps(xy), off, streets.pop("length"))
    group, table = _group(_table(streets))
    return _assemble(metric, _Chains(xy, off, vertex, step, group), table)


def _one_way_each(
    graph: nx.MultiDiGraph, number: Mapping[Hashable, int], node_xy: Floats
) -> tuple[dict[str, list[Any]], Ints, NDArray[Any]]:
    """Return the attributes, end nodes and lines of a graph's edges, each street once whichever way it is listed."""
    columns: dict[str, list[Any]] = {name: [] for name in (*TABLE_COLUMNS, "length")}
    ends: list[tuple[int, int]] = []
    lines: list[Any] = []
    spots: list[tuple[float, float]] = [(x, y) for x, y in node_xy.tolist()]
    kept: dict[Hashable, list[int]] = {}  # how often a street was listed this way, that way, and taken
    for a, b, key, data in graph.edges(keys=True, data=True):
        u, v = number[a], number[b]
        line = data.get("geometry")
        length = data.get("length")
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
        "steps": bool(data.get("steps", "steps" in classes)),
        "home": _text(data.get("home")),
    }


def _text(value: Any) -> Any:
    """Return one value for an attribute that OSMnx makes a list of when it merges edges."""
    if isinstance(value, (list, tuple, set)):
        return ";".join(sorted(str(part) for part in value))
    return value


def _steps_for(step: Floats, off: Ints, length: Sequence[float]) -> Floats:
    """Stretch the steps of each polyline so that they add up to its given length; missing: as they are."""
    count = np.diff(off)
    step = step.copy()
    step[off[:-1]] = 0.0
    total = np.add.reduceat(step, off[:-1])
    wanted = np.asarray(length, np.float64)
    if not (np.isnan(wanted) | ((wanted >= 0) & np.isfinite(wanted))).all():
        raise NetworkError("图里有 length 小于 0 或不是有限数的边")
    given = ~np.isnan(wanted)
    with np.errstate(invalid="ignore", divide="ignore"):
        factor = np.where(given & (total > 0), wanted / total, 1.0)
    step *= np.repeat(factor, count)
    flat = given & (total == 0)
    step[off[1:][flat] - 1] = wanted[flat]
    straight = given & (count == 2)
    step[off[1:][straight] - 1] = wanted[straight]  # to the last bit
    return step


# --- OpenStreetMap files ---------------------------------------------------------------------------------------------


class _Ways(NamedTuple):
    """Walkable ways: `node` indexes `lon` and `lat`, `off` the first point of each way, `table` their attributes."""

    lon: Floats
    lat: Floats
    node: Ints
    off: Ints
    table: pd.DataFrame


@dataclass(frozen=True)
class _Match:
    tags: tuple[tuple[str, frozenset[str] | None], ...]  # None: any value
    unless: tuple[tuple[str, frozenset[str] | None], ...] = ()
    walk: bool = False
    reason: str = ""
    seconds: float = 0.0

    def fits(self, tags: Mapping[str, str]) -> bool:
        for key, values in self.tags:
            value = tags.get(key)
            if value is None or (values is not None and value not in values):
                return False
        return not any(key in tags and (values is None or tags[key] in values) for key, values in self.unless)


@dataclass(frozen=True)
class _Filter:
    rules: tuple[_Match, ...]
    waits: tuple[_Match, ...]
    steps: _Match | None

    def decide(self, tags: Mapping[str, str]) -> tuple[bool, str]:
        for rule in self.rules:
            if rule.fits(tags):
                return rule.walk, rule.reason
        return False, "没有规则允许步行"

    def wait(self, tags: Mapping[str, str]) -> float:
        return next((rule.seconds for rule in self.waits if rule.fits(tags)), 0.0)


def _walk_filter(given: WalkFilter | None) -> _Filter:
    source: Any = bundled_folder() / "network" / "walk_filter.toml" if given is None else given
    name = "walk_filter"
    if not isinstance(source, Mapping):
        name = Path(source).name
        try:
            source = tomllib.loads(Path(source).read_text(encoding="utf-8"))
        except OSError as error:
            raise SourceError(f"步行规则文件打不开：{name}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SourceError(f"步行规则文件 {name} 写法有误：{error}") from error
    try:
        return _Filter(
            tuple(_match(rule, walk=rule["walk"], reason=str(rule.get("reason", ""))) for rule in source["rule"]),
            tuple(_match(rule, seconds=float(rule["seconds"])) for rule in source.get("wait", ())),
            _match(source["steps"]) if "steps" in source else None,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SourceError(f"步行规则文件 {name} 里有一条规则不完整：{error}") from error


def _match(rule: Mapping[str, Any], **more: Any) -> _Match:
    if not rule["tags"]:
        raise ValueError("tags 为空")
    if not isinstance(more.get("walk", True), bool):
        raise TypeError("walk 只能是 true 或 false")
    return _Match(_values(rule["tags"]), _values(rule.get("unless", {})), **more)


def _values(tags: Mapping[str, Any]) -> tuple[tuple[str, frozenset[str] | None], ...]:
    listed = {key: [values] if isinstance(values, str) else list(values) for key, values in tags.items()}
    return tuple((key, None if "*" in values else frozenset(values)) for key, values in listed.items())


def _highways(path: StrPath, *, located: bool = False) -> Iterable[Any]:
    """Yield every way with a highway tag; `located`: its nodes know where they are, if the file has them before."""
    import osmium

    if not Path(path).is_file():
        raise SourceError(f"文件不存在：{Path(path).name}")
    kinds = osmium.osm.NODE | osmium.osm.WAY if located else osmium.osm.WAY
    try:
        file = osmium.FileProcessor(str(path), kinds).with_filter(osmium.filter.KeyFilter("highway"))
        if located:
            file = file.with_locations().with_filter(osmium.filter.EntityFilter(osmium.osm.WAY))
        yield from file
    except RuntimeError as error:
        raise SourceError(f"{Path(path).name} 不是能读的 OpenStreetMap 文件：{error}") from error


def _read_ways(path: StrPath, walk_filter: WalkFilter | None) -> _Ways:
    """Read walkable ways; a way that misses nodes falls into the runs between them."""
    rules = _walk_filter(walk_filter)
    columns: dict[str, list[Any]] = {name: [] for name in TABLE_COLUMNS}
    refs: list[int] = []
    lines = _Lines()
    for way in _highways(path, located=True):
        tags = {tag.k: tag.v for tag in way.tags}
        if not rules.decide(tags)[0]:
            continue
        mine = [node.ref for node in way.nodes]
        refs += mine
        lines.add(way, len(mine))
        columns["street"].append(way.id)
        columns["name"].append(tags.get("name"))
        columns["class"].append(tags["highway"])
        columns["wait_s"].append(rules.wait(tags))
        columns["steps"].append(rules.steps is not None and rules.steps.fits(tags))
    columns["home"] = [None] * len(lines.count)
    ids, first, at = np.unique(np.array(refs, np.int64), return_index=True, return_inverse=True)
    xy = lines.coordinates()[first]
    missing = np.flatnonzero(np.isnan(xy[:, 0]))
    found, lon, lat = _read_nodes(path, ids[missing])  # where nodes stand behind the ways that use them
    xy[np.searchsorted(ids, found)] = np.column_stack([lon, lat])
    there = ~np.isnan(xy[:, 0])
    number = np.cumsum(there) - 1
    node, off, way_of = _runs(number[at], there[at], np.array(lines.count, np.int64))
    turn = np.arange(len(way_of)) - np.searchsorted(way_of, way_of)  # 0 for a way's first run, 1 for its second ...
    table = _table(columns).take(way_of).reset_index(drop=True)
    table["street"] = [
        f"w{way}" if k == 0 else f"w{way}-{k + 1}" for way, k in zip(table["street"], turn.tolist(), strict=True)
    ]
    lon, lat = np.ascontiguousarray(xy[there].T)
    return _Ways(lon, lat, node, off, table)


class _Lines:
    """The coordinates of ways, taken line by line as WKB, which is many times faster than node by node."""

    def __init__(self) -> None:
        import osmium

        self._factory = osmium.geom.WKBFactory()
        self._all = osmium.geom.ALL
        self._wkb: list[str] = []
        self.count: list[int] = []

    def add(self, way: Any, count: int) -> None:
        import osmium

        try:
            line = self._factory.create_linestring(way, use_nodes=self._all)
        except (osmium.InvalidLocationError, RuntimeError):  # a clipped file; a way of one node
            where = [node.location for node in way.nodes]
            spots = [(spot.lon, spot.lat) if spot.valid() else (math.nan, math.nan) for spot in where]
            line = "00" * WKB_HEAD + np.array(spots, "<f8").tobytes().hex()
        self._wkb.append(line)
        self.count.append(count)

    def coordinates(self) -> Floats:
        """Return longitude and latitude of every node of every way, in order; NaN where the file has no such node."""
        data = np.frombuffer(bytes.fromhex("".join(self._wkb)), np.uint8)
        count = np.array(self.count, np.int64)
        heads, _ = _ranges(np.cumsum(WKB_HEAD + 16 * count) - (WKB_HEAD + 16 * count), np.full(len(count), WKB_HEAD))
        return np.delete(data, heads).view("<f8").reshape(-1, 2).astype(np.float64)


def _read_nodes(path: StrPath, wanted: Ints) -> tuple[Ints, Floats, Floats]:
    """Return id (ascending), longitude and latitude of the wanted nodes that the file has."""
    import osmium

    if not len(wanted):
        return np.empty(0, np.int64), np.empty(0), np.empty(0)
    ids: list[int] = []
    lon: list[float] = []
    lat: list[float] = []
    nodes = osmium.FileProcessor(str(path), osmium.osm.NODE).with_filter(osmium.filter.IdFilter(wanted.tolist()))
    node: Any
    for node in nodes:
        if node.location.valid():
            ids.append(node.id)
            lon.append(node.lon)
            lat.append(node.lat)
    found, first = np.unique(np.array(ids, np.int64), return_index=True)
    return found, np.array(lon, np.float64)[first], np.array(lat, np.float64)[first]


def _runs(at: Ints, there: Flags, count: Ints) -> tuple[Ints, Ints, Ints]:
    """Return the points of unbroken runs of at least two nodes, the offsets of the runs, and the way each is of."""
    way = np.repeat(np.arange(len(count)), count)
    begins = np.ones(len(at), np.bool_)
    begins[1:] = (way[1:] != way[:-1]) | ~there[:-1]
    begins &= there
    run = np.cumsum(begins) - 1
    size = np.bincount(run[there], minlength=int(begins.sum())) if there.any() else np.empty(0, np.int64)
    long = size > 1
    kept = there.copy()
    kept[there] = long[run[there]]
    return at[kept], np.concatenate([[0], np.cumsum(size[long])]).astype(np.int64), way[begins][long]


def read_osm_streets(path: StrPath, *, walk_filter: WalkFilter | None = None) -> gpd.GeoDataFrame:
    """
    Read the walkable streets of an OpenStreetMap file.

    Parameters
    ----------
    path
        .osm, .osm.gz, .osm.bz2 or .osm.pbf; clipped files load.
    walk_filter
        Rules in place of the bundled `network/walk_filter.toml`: a file, or its content as a mapping.

    Returns
    -------
    GeoDataFrame
        In EPSG:4326, index `street` ("w123"), columns `name`, `class`, `wait_s`, `steps`, `geometry`: whole ways, split
        only where a clipped file misses nodes ("w123-2").
    """
    ways = _read_ways(path, walk_filter)
    xy = np.column_stack([ways.lon, ways.lat])[ways.node]
    lines = shapely.linestrings(xy, indices=np.repeat(np.arange(len(ways.off) - 1), np.diff(ways.off)))
    frame = ways.table.set_index("street")[["name", "class", "wait_s", "steps"]]
    return gpd.GeoDataFrame(frame, geometry=lines, crs="EPSG:4326")


def excluded_ways(path: StrPath, *, walk_filter: WalkFilter | None = None) -> pd.DataFrame:
    """Return every way with a highway tag that is left out: `way`, `name`, `class`, `reason`."""
    rules = _walk_filter(walk_filter)
    rows = []
    for way in _highways(path):
        tags = {tag.k: tag.v for tag in way.tags}
        walk, reason = rules.decide(tags)
        if not walk:
            rows.append((f"w{way.id}", tags.get("name"), tags["highway"], reason))
    return pd.DataFrame(rows, columns=["way", "name", "class", "reason"], dtype=object)


def walkable(lines: Iterable[Sequence[Mapping[str, str]]], *, walk_filter: WalkFilter | None = None) -> pd.DataFrame:
    """
    Judge lines by their tags, as the ways of an extract are judged.

    Parameters
    ----------
    lines
        The tags of each line; several sets of them where streets were merged into one line: walkable if one is.
    walk_filter
        As for `read_osm_streets`.

    Returns
    -------
    DataFrame
        One row per line: `walk`, `reason` (why not), `wait_s`, `steps`.
    """
    rules = _walk_filter(walk_filter)
    rows = []
    for sets in lines:
        verdicts = [rules.decide(tags) for tags in sets]
        walk = any(verdict[0] for verdict in verdicts)
        wait = max((rules.wait(tags) for tags in sets), default=0.0)
        steps = any(rules.steps is not None and rules.steps.fits(tags) for tags in sets)
        rows.append((walk, "" if walk or not verdicts else verdicts[0][1], wait, steps))
    return pd.DataFrame(rows, columns=["walk", "reason", "wait_s", "steps"])


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
        raise NetworkError(f"不是 OSMnx 存的 .graphml（{said}）。用 osmnx.save_graphml 另存") from error
    if edges.crs is None:
        raise NetworkError("图没有坐标系")
    edges = edges.reset_index()
    if "osmid" not in edges:
        edges["osmid"] = [f"{u}-{v}" for u, v in zip(edges["u"], edges["v"], strict=True)]
    return edges, str(graph.graph.get("created_date", ""))


# --- small things ----------------------------------------------------------------------------------------------------


def _as(array: NDArray[Any], dtype: Any) -> NDArray[Any]:
    return np.ascontiguousarray(array, dtype)


def _columns(frame: Mapping[str, pd.Series]) -> tuple[Shorts, Floats, Floats]:
    """Return edge, metres along it and metres of access as arrays that nobody may write to (they may be the frame's)."""
    column = frame["edge"]
    edge = np.ascontiguousarray((column if column.dtype.kind == "i" else column.fillna(-1)).to_numpy(np.int32)).view()
    at = np.ascontiguousarray(frame["at_m"].to_numpy(np.float64)).view()
    access = np.ascontiguousarray(frame["access_m"].to_numpy(np.float64)).view()
    for array in (edge, at, access):
        array.flags.writeable = False
    return edge, at, access


def _refuse(wrong: int) -> None:
    """Raise for doors that are not of this network; the numbers are those of `_kernel.check_doors`."""
    if wrong:
        what = {1: "边的编号不存在", 2: "位置不在边上", 3: "到街道的距离不是不小于 0 的数"}[wrong]
        raise NetworkError(f"这些出入口属于另一个路网，或已损坏：{what}")


def _new_ends(size: int) -> _Ends:
    return _Ends(np.empty(size, np.int32), np.empty(size, np.int32), np.empty(size), np.empty(size))


def _new_seeds(size: int) -> _Seeds:
    return _Seeds(np.empty(size, np.int32), np.empty(size), np.empty(size, np.int32), np.empty(size))


def _limit(limit: float) -> float:
    if math.isnan(limit) or limit < 0:
        raise ValueError(f"上限必须是不小于 0 的数：{limit}")
    return float(limit)


def _profile(profile: Profile | str) -> Profile:
    if isinstance(profile, Profile):
        return profile
    with (bundled_folder() / "standards" / "profiles.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = {row["profile"]: row for row in csv.DictReader(file)}
    if profile not in rows:
        raise UnknownNameError("人群", str(profile), list(rows))
    row = rows[profile]
    steps, waits = row["steps"].strip().lower() in ("true", "1", "yes", "是"), float(row["waits"] or 1.0)
    return Profile(profile, row["label"], float(row["speed_m_s"]), steps, waits)


def _labels_of(points: gpd.GeoSeries) -> Any:
    if isinstance(points.index, pd.MultiIndex):
        return pd.Series(points.index.to_flat_index(), dtype=object).to_numpy()
    if points.index.hasnans:
        raise ValueError("地点的编号（索引）不能为空")
    return points.index.array


def _aligned(home: pd.Series | None, points: gpd.GeoSeries) -> NDArray[Any]:
    """Return each point's own home as text, "" for none."""
    if home is None:
        return np.full(len(points), "", object)
    if len(home) != len(points):
        raise ValueError(f"home 有 {len(home)} 行，点有 {len(points)} 个")
    blank = home.isna().to_numpy()
    return np.array(["" if empty else str(name) for name, empty in zip(home, blank, strict=True)], object)


def _barrier_tree(barriers: Any, crs: pyproj.CRS) -> shapely.STRtree | None:
    if barriers is None:
        return None
    if isinstance(barriers, (gpd.GeoSeries, gpd.GeoDataFrame)):
        barriers = barriers.geometry
        if barriers.crs is not None and barriers.crs != crs:
            barriers = barriers.to_crs(crs)
        barriers = barriers.to_numpy()
    lines = np.asarray(barriers, object)
    return shapely.STRtree(lines) if len(lines) else None


def _crossing(start: Floats, stop: Floats, barriers: shapely.STRtree) -> Flags:
    """Return which straight legs cross a barrier; beginning or ending on one is no crossing."""
    legs = shapely.linestrings(np.stack([start, stop], axis=1)) if len(start) else np.empty(0, object)
    crossed = np.zeros(len(start), np.bool_)
    crossed[barriers.query(legs, predicate="crosses")[0]] = True
    return crossed


def _nearest_of(trees: Sequence[tuple[shapely.STRtree, Ints]], xy: Floats) -> Shorts:
    """Return the nearest edge of each point over all trees; of equally near ones the smallest number."""
    points = shapely.points(xy)
    row, far, edge = [], [], []
    for tree, numbers in trees:
        (a, b), distance = tree.query_nearest(points, return_distance=True)
        row.append(a)
        far.append(distance)
        edge.append(numbers[b])
    rows, distances, edges = np.concatenate(row), np.concatenate(far), np.concatenate(edge)
    order = np.lexsort((edges, distances, rows))
    first = np.ones(len(order), np.bool_)
    first[1:] = rows[order][1:] != rows[order][:-1]
    nearest = np.full(len(xy), -1, np.int32)
    nearest[rows[order][first]] = edges[order][first]
    return nearest


def _edges_within(trees: Sequence[tuple[shapely.STRtree, Ints]], here: Floats, radius: float) -> Ints:
    point = shapely.points(here)
    return np.concatenate([numbers[tree.query(point, predicate="dwithin", distance=radius)] for tree, numbers in trees])


def _sorted_order(labels: pd.Index) -> NDArray[Any]:
    """Return the numbers of distinct labels in sorted order; labels that cannot be compared sort as text."""
    if not len(labels) or labels.is_monotonic_increasing:
        return np.arange(len(labels))
    if pd.api.types.is_numeric_dtype(labels.dtype):
        return np.argsort(labels.to_numpy(), kind="stable")
    names: list[Any] = list(labels)
    try:
        return np.array(sorted(range(len(names)), key=names.__getitem__))
    except TypeError:
        return np.array(sorted(range(len(names)), key=lambda i: (str(names[i]), type(names[i]).__name__)))


def _sorted_codes(labels: pd.Series) -> tuple[Shorts, pd.Index]:
    """Number labels in sorted order; return the numbers and the labels they stand for."""
    if pd.api.types.is_integer_dtype(labels.dtype) and isinstance(labels.dtype, np.dtype):
        values = labels.to_numpy()
        step = np.diff(values)
        if len(values) and (step >= 0).all():  # sorted already, as a plain row number is
            starts = np.concatenate([[True], step > 0])
            return np.cumsum(starts, dtype=np.int32) - np.int32(1), pd.Index(values[starts])
    if len(labels) == 1 and not pd.isna(labels.iloc[0]):
        return np.zeros(1, np.int32), pd.Index(labels, tupleize_cols=False)
    codes, names = pd.factorize(labels)
    if (codes < 0).any():
        raise ValueError("地点的编号不能为空")
    index = names if isinstance(names, pd.Index) else pd.Index(names, tupleize_cols=False)
    order = _sorted_order(index)
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return rank[codes] if len(order) else np.empty(0, np.int32), index.take(order)


def _take(labels: pd.Index, codes: NDArray[Any]) -> Any:
    """Return labels by number, missing for -1."""
    if not len(labels):
        return pd.array([None] * len(codes), dtype=object)
    if (codes >= 0).all():
        return labels.take(codes).array
    values = labels.array
    if pd.api.types.is_integer_dtype(values.dtype):
        values = pd.array(values, dtype="Int64")
    elif not isinstance(values.dtype, pd.api.extensions.ExtensionDtype):
        values = pd.array(values.astype(object), dtype=object)
    return values.take(codes, allow_fill=True)


def _offsets(codes: NDArray[Any], count: int) -> Ints:
    off = np.zeros(count + 1, np.int64)
    np.cumsum(np.bincount(codes, minlength=count), out=off[1:])
    return off


def _pair_frame(
    rows: NDArray[Any], columns: NDArray[Any], cost: Floats, names: tuple[pd.Index, pd.Index], column: str
) -> pd.DataFrame:
    levels: Any = list(names)
    codes: Any = [rows, columns]
    index = pd.MultiIndex(levels=levels, codes=codes, names=["origin", "target"], verify_integrity=False)
    return pd.DataFrame({column: cost}, index=index)


def _with_itself(target: NDArray[Any], cost: Floats, rows: Ints, places: Shorts) -> tuple[NDArray[Any], Floats]:
    """Set rows that are a target themselves to that target (the first in order, if several) at cost 0."""
    itself = np.full(len(target), np.iinfo(np.int64).max)
    np.minimum.at(itself, rows, places)
    hit = np.zeros(len(target), np.bool_)
    hit[rows] = True
    level = hit & (target >= 0) & (cost <= TOLERANCE_M)
    itself[level] = np.minimum(itself[level], target[level])
    return np.where(hit, itself, target), np.where(hit, 0.0, cost)


def _in_threads(
    run: Callable[[int, int], tuple[NDArray[Any], ...]], count: int, parts: int, *, size: int | None = None
) -> tuple[NDArray[Any], ...]:
    """Run over 0..count in chunks, in threads, and join the arrays that each chunk returns, in order."""
    if count == 0:
        return tuple(np.empty(0) for _ in range(parts))
    threads = thread_count()
    size = size or max(16, -(-count // (4 * threads if threads > 1 else 1)))
    spans = [(start, min(start + size, count)) for start in range(0, count, size)]
    if len(spans) == 1:
        return run(*spans[0])
    found = _each(lambda span: run(*span), spans)
    return tuple(np.concatenate(arrays) for arrays in zip(*found, strict=True))


def _each(run: Callable[[Item], Result], items: Sequence[Item], steps: float = math.inf) -> list[Result]:
    """Run over items and return the results in order; in threads if there are several and many steps in each."""
    threads = min(thread_count(), len(items)) if steps >= THREAD_STEPS else 1
    if threads < 2:
        return [run(item) for item in items]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, items))


def _plain(column: pd.Series) -> list[Any]:
    """Return a column as JSON can hold it."""
    return [_plain_value(value.item() if isinstance(value, np.generic) else value) for value in column]


def _plain_value(value: Any) -> Any:
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return None
    return value if isinstance(value, (str, bool, int, float)) else str(value)


def _digest(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    total = hashlib.blake2b(digest_size=32)
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        total.update(f"{name}|{array.dtype.str}|{array.shape}|".encode())
        total.update(array.reshape(-1).view(np.uint8).data)
    return total.digest()


def _write_zip(file: Any, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays as .npz with a fixed time, so that equal networks are equal files."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name in sorted(arrays):
            content = io.BytesIO()
            np.lib.format.write_array(content, np.ascontiguousarray(arrays[name]), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), content.getbuffer())
