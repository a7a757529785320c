"""The streets of a network as arrays, what follows from them, and what walking them costs whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely
from numpy.typing import DTypeLike, NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from ..core import TOLERANCE_M, Profile
from .arrays import Arcs, Edges, Field, Flags, Floats, Ints, Known, Lanes, Lines, Notes, Scratch, Shorts, Weights

#: What streets are made of beside CRS and table: our name of each array, the name it has in a file, and its type.
ARRAYS = {
    "node_xy": "node_xy",
    "u": "edge_u",
    "v": "edge_v",
    "row": "edge_row",
    "off": "geometry_off",
    "xy": "geometry_xy",
    "cum": "geometry_cum",
}
#: A street that a plan has made longer than this has grown (metres): new vertices change a length by rounding only.
GROWN_M = 1e-3
ARRAY_TYPES = (np.float64, np.int32, np.int32, np.int32, np.int64, np.float64, np.float64)


@dataclass(eq=False)
class Streets:
    """What a network is made of; what follows from it is made when asked for; what searches keep for the next one."""

    crs: pyproj.CRS
    table: pd.DataFrame  # attributes: a row may be shared by many edges
    node_xy: Floats
    u: Shorts  # per edge: node it begins at
    v: Shorts  # per edge: node it ends at
    row: Shorts  # per edge: its row of the table
    off: Ints  # per edge: its first point, and where the last edge ends
    xy: Floats  # per point
    cum: Floats  # per point: metres from the beginning of its edge
    #: The streets before a plan changed them: places keep the feet that they had there (`footing`).
    before: Streets | None = field(default=None, repr=False)
    #: Per edge: whether nobody may walk it; None: all may be walked.
    shut: Flags | None = field(default=None, repr=False)
    #: Indexes of the edges that some may use, as `attach` wants them.
    trees: dict[tuple[str, str, bool], tuple[shapely.STRtree, Ints]] = field(
        default_factory=dict, init=False, repr=False
    )
    #: The lanes of each home that was asked about; whether without stairs.
    lanes: dict[tuple[str, bool], Lanes] = field(default_factory=dict, init=False, repr=False)
    #: Frames of doors that were asked about, and arrays that were used: new memory costs more than clearing old.
    known: list[Known] = field(default_factory=list, init=False, repr=False)
    spare: list[Scratch] = field(default_factory=list, init=False, repr=False)
    pads: list[Notes] = field(default_factory=list, init=False, repr=False)
    used: list[Field] = field(default_factory=list, init=False, repr=False)
    _weights_of: dict[tuple[float, bool, float] | None, Weights] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, crs: pyproj.CRS, arrays: Mapping[str, NDArray[Any]], table: pd.DataFrame) -> Streets:
        """Make them of arrays as `arrays` names them."""
        kinds = zip(ARRAYS.items(), ARRAY_TYPES, strict=True)
        return cls(crs, table, before=None, **{name: _as(arrays[long], kind) for (name, long), kind in kinds})

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """What they are made of, by the names it has in a file."""
        return {long: getattr(self, name) for name, long in ARRAYS.items()}

    @cached_property
    def length(self) -> Floats:
        """Metres of each edge."""
        return _as(self.cum[self.off[1:] - 1], np.float64)

    @cached_property
    def edges(self) -> gpd.GeoDataFrame:
        """The edges as a frame: see `WalkNetwork.edges`."""
        frame = self.table.take(self.row).reset_index(drop=True)
        frame.index.name = "edge"
        frame["length_m"] = self.length
        frame["component"] = self.component[self.u]
        frame["u"] = self.u
        frame["v"] = self.v
        return gpd.GeoDataFrame(frame, geometry=self.lines, crs=self.crs)

    @cached_property
    def lines(self) -> NDArray[Any]:
        """The line of each edge."""
        count = np.diff(self.off)
        return np.asarray(shapely.linestrings(self.xy, indices=np.repeat(np.arange(len(count)), count)))

    @cached_property
    def component(self) -> Shorts:
        """
        Number of the part of the network that each node is in; 0 is the largest.

        Parts hang together by public streets. A node that only lanes touch is in the first part that they lead to.
        """
        part, public = self._linked(~self.private), ~self.private
        if not public.all():
            whole = self._linked(np.ones(len(public), np.bool_))
            on_street = np.zeros(len(part), np.bool_)
            on_street[self.u[public]] = on_street[self.v[public]] = True
            led = np.full(len(part), len(part))
            np.minimum.at(led, whole[on_street], part[on_street])
            led = np.where(led < len(part), led, len(part) + np.arange(len(led)))  # lanes that lead nowhere
            part = np.unique(np.where(on_street, part, led[whole]), return_inverse=True)[1]
        nodes = len(part)
        sizes = np.bincount(part)
        first = np.full(len(sizes), nodes)
        np.minimum.at(first, part, np.arange(nodes))
        rank = np.empty(len(sizes), np.int32)
        rank[np.lexsort((first, -sizes))] = np.arange(len(sizes), dtype=np.int32)
        return rank[part]

    def _linked(self, edges: Flags) -> NDArray[Any]:
        """Return which nodes some edges link: those of a number are one part."""
        nodes = len(self.node_xy)
        u, v = self.u[edges], self.v[edges]
        links = csr_matrix((np.ones(len(u), np.int8), (u, v)), shape=(nodes, nodes))
        return np.asarray(connected_components(links, directed=False)[1])

    @cached_property
    def bounds(self) -> Floats:
        """West, south, east, north."""
        return np.concatenate([self.xy.min(axis=0), self.xy.max(axis=0)])

    @cached_property
    def csr(self) -> tuple[Ints, Shorts, Shorts]:
        """Arcs by node: `indptr`, the node at the other end, the edge. An edge is two arcs, a loop as well."""
        edges = np.arange(len(self.u), dtype=np.int32)
        tail = np.concatenate([self.u, self.v])
        order = np.argsort(tail, kind="stable")
        indptr = np.zeros(len(self.node_xy) + 1, np.int64)
        np.cumsum(np.bincount(tail, minlength=len(self.node_xy)), out=indptr[1:])
        adj = np.concatenate([self.v, self.u])[order]
        return indptr, adj, np.concatenate([edges, edges])[order]

    @cached_property
    def arc_length(self) -> Floats:
        """Metres of each arc."""
        return self.length[self.csr[2]]

    @property
    def course(self) -> Lines:
        """The course of the edges, as the loops along lines want it."""
        return Lines(self.off, self.xy, self.cum)

    @cached_property
    def every_tree(self) -> shapely.STRtree:
        """An index of all edges."""
        return shapely.STRtree(self.lines)

    def street_of(self, edges: NDArray[Any]) -> NDArray[Any]:
        """Return the street that each of some edges is of."""
        return np.asarray(self.table["street"].to_numpy(object)[self.row[edges]])

    @cached_property
    def added(self) -> Ints:
        """
        Number of the street, of each edge of one that a plan has added; -1 on what was there before.

        A lane that was opened to everybody is such a street, and one that has grown.
        """
        if self.before is None:
            return np.full(len(self.u), -1)
        street = self.street_of(np.arange(len(self.u)))
        now, were = self._public_metres(), self.before._public_metres()
        new = now.index[(now > were.reindex(now.index).fillna(0.0) + GROWN_M).to_numpy()]
        return np.where(self.private, -1, pd.Index(new).get_indexer(pd.Index(street, dtype=object)))

    def _public_metres(self) -> pd.Series:
        public = np.flatnonzero(~self.private)
        return pd.Series(self.length[public]).groupby(self.street_of(public)).sum()

    @cached_property
    def wait(self) -> Floats:
        """
        Seconds of waiting on each edge.

        A street is waited at once: edges of it that hang together (what meets it there has split them) share its wait by their metres.
        """
        wait = self.table["wait_s"].to_numpy(np.float64)[self.row]
        on = np.flatnonzero(wait > 0)
        ends = np.concatenate([self.u[on], self.v[on]])
        nodes, number = np.unique(np.stack([np.tile(self.row[on], 2), ends]), axis=1, return_inverse=True)
        u, v = number.reshape(2, -1)
        links = csr_matrix((np.ones(len(u), np.int8), (u, v)), shape=(nodes.shape[1], nodes.shape[1]))
        piece = connected_components(links, directed=False)[1][u]
        length = self.length[on]
        whole = np.bincount(piece, length)[piece]
        wait[on] *= np.divide(length, whole, out=np.ones(len(on)), where=whole > 0)
        return wait

    @cached_property
    def steps(self) -> Flags:
        """Whether each edge has stairs."""
        return self.table["steps"].to_numpy(np.bool_)[self.row]

    @cached_property
    def private(self) -> Flags:
        """Whether each edge is an inner lane: only the residents of its home walk there, and only on their way out."""
        return np.asarray(self.table["home"].notna().to_numpy(np.bool_)[self.row])

    @cached_property
    def home_names(self) -> NDArray[Any]:
        """The home of each row of the table, as text; "" where it is public."""
        homes = self.table["home"]
        return np.where(homes.isna(), "", homes.astype(object).where(homes.notna(), "").map(str).to_numpy(object))

    def weights(self, profile: Profile | None) -> Weights:
        """Return what walking costs a profile; metres, without one."""
        key = None if profile is None else (profile.speed_m_s, profile.steps, profile.waits)
        if key not in self._weights_of:
            self._weights_of[key] = self._new_weights(profile)
        return self._weights_of[key]

    def _new_weights(self, profile: Profile | None) -> Weights:
        edge, unit, waits = self.length, 1.0, False
        rate = np.ones(len(edge))
        if profile is not None:
            unit = 1.0 / profile.speed_m_s / 60.0
            waiting = self.wait * (profile.waits / 60.0)
            waits = bool(waiting.any())
            edge = self.length * unit + waiting
            if not profile.steps:
                edge = np.where(self.steps, np.inf, edge)
            rate = np.divide(edge, self.length, out=np.zeros(len(edge)), where=self.length > 0)
        if self.shut is not None:
            edge, rate = np.where(self.shut, np.inf, edge), np.where(self.shut, np.inf, rate)
        if self.private.any():  # what residents walk of their own lanes is part of their doors: see `lanes`
            edge, rate = np.where(self.private, np.inf, edge), np.where(self.private, np.inf, rate)
        finite = edge[np.isfinite(edge)]
        longest = float(finite.max(initial=0.0))
        # Four buckets to a mean edge, and a ring that stays in cache even where one edge is very long.
        width = max(float(finite.mean()) / 4 if len(finite) else 0.0, longest / 16384) or 1.0
        # A dead end leads nowhere else, and a door on its edge is reached from the other end or along the edge itself:
        # closing the way into it spares the search every dead end of the city.
        indptr, adj, arc_edge = self.csr
        arc = np.where(np.diff(indptr)[adj] == 1, np.inf, edge[arc_edge])
        ring = 1 << (int(longest / width) + 2).bit_length()
        arcs = Arcs(indptr, adj, arc_edge, self.arc_length, arc)
        edges = Edges(self.u, self.v, self.length, edge, rate)
        return Weights(arcs, edges, unit, TOLERANCE_M * unit, waits, 1.0 / width, ring)


def _as(array: NDArray[Any], dtype: DTypeLike) -> NDArray[Any]:
    return np.ascontiguousarray(array, dtype)
