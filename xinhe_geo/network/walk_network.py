"""
Streets to walk on: `WalkNetwork`, exact along the street.

Places attach inside edges, never to the nearest node, and reach is cut where the limit runs out. Edges are the chains
between junctions, ends and changes of attributes; parallel edges, loops and islands are kept; walking ignores one-way.
All costs are float64, and "within" means at most `TOLERANCE_M` more than the limit.

Between two points the street rule is: the straight leg to the street, along the street, the straight leg from it. It
holds for two points that share a foot as well; only a point to itself is 0.

Edges with a `home` are inner lanes, closed to every search. Where `home=` says who lives there, the way along their own lanes
is part of their doors on the street.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely
from numpy.typing import NDArray

from ..core import (
    Look,
    NetworkError,
    Profile,
    UnknownNameError,
    WrongValueError,
    bundled_folder,
    card,
    checked_count,
    path_given,
    say,
    small_map,
    well_called,
)
from . import build, npz, od, osm, osmnx_graphs, routes, snap
from .arrays import AnyCrs, Flags, Floats, Ints, Pieces, StrPath
from .nearest import Nearest, SearchState, nearest_each, search_each, search_state
from .nearest_edges import Barriers
from .osm import WalkFilter
from .osmnx_graphs import Graph
from .points import Asked, between, nearest, nearest_few, reach
from .routes import Leg, WayOut, WayTree
from .streets import Streets

if TYPE_CHECKING:
    from .osmnx_graphs import MultiDiGraph


Key = TypeVar("Key", bound=Hashable)

MADE_OF = ("crs", "table", "node_xy", "u", "v", "row", "off", "xy", "cum", "nodes")


class WalkNetwork:
    """
    A street network for walking, in a projected CRS in metres. Never changes after it is made.

    Make one with `from_streets`, `from_graph`, `from_osm` or `load`.
    """

    def __init__(self, streets: Streets) -> None:
        self._streets = streets

    def __getstate__(self) -> dict[str, Any]:
        """Go to another process as what it was made from; what is derived is made again there."""
        made = {f"_{name}": getattr(self._streets, name) for name in MADE_OF}
        before, shut = self._streets.before, self._streets.shut
        made |= {} if shut is None else {"shut": shut}
        return made if before is None else {**made, "before": WalkNetwork(before)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        before: WalkNetwork | None = state.get("before")
        then = None if before is None else before._streets
        self._streets = Streets(**{name: state[f"_{name}"] for name in MADE_OF}, before=then, shut=state.get("shut"))

    # --- making one ---------------------------------------------------------------------------------------------------

    @classmethod
    def from_streets(cls, streets: gpd.GeoDataFrame, *, crs: AnyCrs | None = None) -> WalkNetwork:
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
        TypeError
            No frame of streets.
        """
        return cls(build.of_lines(streets, crs))

    @classmethod
    def from_graph(cls, G: MultiDiGraph, *, crs: AnyCrs | None = None) -> WalkNetwork:
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
        TypeError
            No graph.
        """
        return cls(osmnx_graphs.of_graph(G, crs))

    @classmethod
    def from_osm(
        cls, path: StrPath, *, crs: AnyCrs | None = None, walk_filter: WalkFilter | None = None
    ) -> WalkNetwork:
        """
        Build from an OpenStreetMap file (.osm.pbf, .osm, .osm.gz, .osm.bz2); clipped files load.

        Parameters
        ----------
        path
            The extract. Ways join where they share a node of the map, so that a bridge does not meet what it crosses.
        crs
            Projected CRS to compute in. Default: the national zone where there is one (China: CGCS2000, three degrees wide), else a
            local transverse Mercator of scale 1 through the middle of the extract: metres on the ground.
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
        return cls(osm.of_file(path_given(path), crs, walk_filter))

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
        return cls(npz.load(path))

    # --- what it is ---------------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        streets = self._streets
        size = f"{len(streets.node_xy)} nodes, {len(streets.u)} edges, {streets.length.sum() / 1000.0:.1f} km"
        return f"<WalkNetwork {size}, {streets.crs.name}>"

    def _repr_html_(self) -> str:
        """In a notebook: how much there is, what hangs together, and a small map."""
        edges, own = self.edges, self.edges["home"].notna()
        parts = edges["component"][~own].nunique()
        facts = [
            say(
                "节点 {0}，路段 {1}，{2:,.1f} 公里",
                len(self._streets.node_xy),
                len(edges),
                edges["length_m"].sum() / 1000.0,
            ),
            say("互相走得通的 {0} 片；小区内部的路 {1} 段", parts, int(own.sum())),
            self.crs.to_string(),
        ]
        return card(
            "WalkNetwork",
            facts,
            picture=small_map([Look(edges.geometry, 'fill="none" stroke="#666" stroke-width="1.5"')]),
        )

    @property
    def crs(self) -> pyproj.CRS:
        """The projected CRS, in metres, that everything here is in."""
        return self._streets.crs

    @property
    def edges(self) -> gpd.GeoDataFrame:
        """
        The streets between nodes, index `edge`.

        Columns: `street`, `class`, `name`, `wait_s` (seconds of its street, waited once: see `waits`), `steps`, `home` (blank for public),
        `length_m`, `component` (0 is the largest; parts hang together by public streets), `u`, `v` (nodes) and `geometry`, a line from u to v.
        """
        return self._streets.edges.copy(deep=False)

    @property
    def nodes(self) -> gpd.GeoDataFrame:
        """The junctions and ends, index `node`: `component` (0 is the largest) and `geometry`."""
        return gpd.GeoDataFrame(
            {"component": self._streets.component},
            geometry=shapely.points(self._streets.node_xy),
            index=pd.RangeIndex(len(self._streets.node_xy), name="node"),
            crs=self.crs,
        )

    # --- out ----------------------------------------------------------------------------------------------------------

    def to_graph(self) -> MultiDiGraph:
        """
        Return an OSMnx-style MultiDiGraph in the network's CRS, both directions of every edge: OSMnx takes it as one of its own.

        Edges carry `osmid` (a whole number: the street's id where it is one, else a number of its own below 0), `street` (its id),
        `highway`, `name`, `length`, `wait_s`, `steps`, `home`, `oneway=False`, `reversed` and `geometry`, and what the graph that
        the network was made from said besides; a loop is one directed edge. `from_graph` of it is the same network.

        Returns
        -------
        MultiDiGraph
            `networkx`; nodes with `x` and `y` in metres, `street_count` and, of a network made from a graph, their ids and
            attributes there; `graph["crs"]` the CRS of the network.

        Examples
        --------
        >>> import osmnx
        >>> import xinhe_geo as xh
        >>> graph = xh.District.load("tests/toy").network.to_graph()
        >>> round(osmnx.basic_stats(graph)["street_length_total"])
        5600
        """
        return osmnx_graphs.to_graph(self._streets)

    def save(self, path: StrPath) -> None:
        """
        Write to one file (.npz) with its version and a hash of its content: same network, same bytes.

        Parameters
        ----------
        path
            The file; it is written whole or not at all.

        Raises
        ------
        EnvironmentProblem
            The file cannot be written.
        """
        npz.save(self._streets, path)

    # --- a plan's streets ---------------------------------------------------------------------------------------------

    def after(self, before: WalkNetwork) -> WalkNetwork:
        """
        Return this network as what a plan made of another: every place keeps the feet that it had there.

        Parameters
        ----------
        before
            The network before the plan, in the same CRS (metres).

        Returns
        -------
        WalkNetwork
            With the streets and the CRS of this one. A street that only this one has adds doors to the places it comes nearer to; one that only
            `before` has takes its doors with it, and whoever has none left is attached anew, to the streets that are in both.

        Raises
        ------
        NetworkError
            The two are in different CRS.
        """
        if self.crs != before.crs:
            raise NetworkError(say("两个路网的坐标系不同：{0}、{1}", self.crs.to_string(), before.crs.to_string()))
        return WalkNetwork(replace(self._streets, before=before._streets))

    def shutting(self, streets: Iterable[str]) -> WalkNetwork:
        """
        Return this network with some streets shut: same edges and doors, so that what was attached need not be attached again.

        Parameters
        ----------
        streets
            Ids, as in the column `street` of `edges`; those that are not there shut nothing.

        Returns
        -------
        WalkNetwork
            Another one, in the same CRS. Doors on a shut street lead nowhere; who has lost them all is not attached anew, as by `after`.
        """
        there = self._streets
        shut = np.isin(there.street_of(np.arange(len(there.u))), list(streets))
        return WalkNetwork(replace(there, shut=shut))

    @property
    def alone(self) -> WalkNetwork:
        """The same streets without what was before: places attach to the nearest of them."""
        return self if self._streets.before is None else WalkNetwork(replace(self._streets, before=None))

    @property
    def waits(self) -> Floats:
        """Seconds of waiting on each edge: its part of the wait of its street, which counts once however many edges it is split into."""
        return self._streets.wait.copy()

    @property
    def added(self) -> Ints:
        """Number of the street, of each edge of one that a plan has added (or opened to everybody); -1 for all others."""
        return self._streets.added.copy()

    # --- attaching places ---------------------------------------------------------------------------------------------

    def attach(
        self,
        points: gpd.GeoSeries,
        *,
        barriers: Barriers | None = None,
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
            Aligned with `points`: the home whose inner lanes (edges with that `home`) may be used too, on the way out. All
            other inner lanes are closed to the point.
        profile
            A profile that cannot use stairs is not attached to them, nor led over stairs of its own lanes.

        Returns
        -------
        DataFrame
            One row per point in the same order, index `door`: `place`, `edge` (public; -1: none), `at_m` (metres from the
            edge's start), `access_m` (length of the straight leg), `x`, `y` (the foot on the street). A point whose foot is
            on a lane of its own home has one row for each mouth of the lanes, where they meet public streets: `edge`, `at_m`,
            `x`, `y` are the mouth's, and `access_m` includes the metres along the lanes. After a plan (`after`) a point has a
            further row for each added street that is nearer to it; `stand` says which.

        Raises
        ------
        NetworkError
            A lane that is walked has a wait, which belongs to public streets.
        TypeError, ValueError
            Not points, no CRS, an empty place or label, or `home` of another length: which, in Chinese.
        """
        return snap.attach(self._streets, points, barriers=barriers, home=home, profile=profile)

    def stand(
        self,
        points: gpd.GeoSeries,
        *,
        barriers: Barriers | None = None,
        home: pd.Series | None = None,
        profile: Profile | None = None,
    ) -> pd.DataFrame:
        """
        Find where points reach the street, and how each door came about.

        Parameters
        ----------
        points, barriers, home, profile
            As in `attach`.

        Returns
        -------
        DataFrame
            Index and columns as in `attach`, and `first_m` (the straight leg before the plan, metres; missing where there was none), `anew` (the
            point had lost all doors), `added` (the plan added its street), `mouth` (it comes out at a mouth of the home's lanes).

        Raises
        ------
        NetworkError, TypeError, ValueError
            As in `attach`.
        """
        attached = snap.standing(self._streets, points, barriers=barriers, home=home, profile=profile)
        return snap.told(self._streets, points, attached)

    def meets(self, legs: NDArray[Any], *, barriers: Barriers | None = None) -> Flags:
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
        return snap.meets(self._streets, legs, barriers=barriers)

    # --- searching from entrances -------------------------------------------------------------------------------------

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
        return search_each(self._streets, origins, targets, profile, limit)

    def nearest_each(
        self, origins: pd.DataFrame, targets: Mapping[Key, Mapping[str, Any]], *, profile: Profile | None = None
    ) -> dict[Key, Nearest]:
        """
        Find what `search_each` finds of places that are whole numbers, as arrays: for many kinds of few doors frames take longest.

        Parameters
        ----------
        origins, profile
            As in `search_each`.
        targets
            The doors of each kind: `place` (whole numbers), `edge`, `at_m` and `access_m`, each an array.

        Returns
        -------
        dict
            By key `target` (-1 where there is none), `cost` and `metres`, in the order of the origins.

        Raises
        ------
        NetworkError
            Doors of another network.
        """
        return nearest_each(self._streets, origins, targets, profile)

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
        return search_state(self._streets, targets, profile)

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
        rows, columns, cost, names = od.pair_costs(self._streets, origins, targets, profile, limit)
        return od.pair_frame(rows, columns, cost, names, "metres" if profile is None else "minutes")

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
        return self._laid(self.pieces(doors, limits, profile=profile, each=each), each)

    def _laid(self, pieces: Pieces, each: bool) -> gpd.GeoDataFrame:
        """Return pieces as a frame with their lines."""
        columns = {"limit": pieces.limit, "edge": pieces.edge, "from_m": pieces.from_m, "to_m": pieces.to_m}
        if each:
            columns = {"place": pieces.places.take(pieces.place), **columns}
        return gpd.GeoDataFrame(columns, geometry=self.cut(pieces), crs=self.crs)

    def pieces(
        self,
        doors: pd.DataFrame,
        limits: float | Iterable[float],
        *,
        profile: Profile | None = None,
        each: bool = False,
    ) -> Pieces:
        """
        Return what `reached` returns, as arrays and without geometry: a frame costs as much as a small search.

        Parameters
        ----------
        doors, limits, profile, each
            As for `reached`: limits in metres, or minutes with a profile.

        Returns
        -------
        Pieces
            The labels of the places, and per piece: number of the place, limit, edge, `from_m`, `to_m`.

        Raises
        ------
        NetworkError
            Doors of another network.
        ValueError
            A limit below 0 or a missing label.
        """
        return od.pieces(self._streets, doors, limits, profile, each)

    def cut(self, pieces: Pieces) -> NDArray[Any]:
        """
        Return the line of every piece.

        Parameters
        ----------
        pieces
            As `pieces` of this network returns them.

        Returns
        -------
        ndarray of LineString
            In the CRS of the network.

        Raises
        ------
        IndexError
            Pieces of another network.
        """
        return od.cut(self._streets, pieces)

    # --- points in, frames out ----------------------------------------------------------------------------------------

    @well_called
    def metres(
        self,
        origins: gpd.GeoSeries,
        targets: gpd.GeoSeries,
        limit: float = math.inf,
        *,
        access: bool = True,
        home: pd.Series | None = None,
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
        home
            Aligned with the origins: whose inner lanes each may walk on its way out. Without it, and for everybody else, inner
            lanes are closed.

        Returns
        -------
        DataFrame
            Sorted MultiIndex (origin, target), column `metres`. A point to itself is 0, on the street or off it.

        Raises
        ------
        NetworkError
            A lane that is walked has a wait, which belongs to public streets.
        TypeError, ValueError
            Not points, no CRS, an empty place or label, `home` of another length, or a limit below 0: which, in Chinese.
        """
        return between(self._streets, Asked(origins, home, access), targets, limit, None)

    @well_called
    def minutes(
        self,
        origins: gpd.GeoSeries,
        targets: gpd.GeoSeries,
        limit: float = math.inf,
        *,
        profile: Profile | str,
        access: bool = True,
        home: pd.Series | None = None,
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
        home
            Aligned with the origins: whose inner lanes each may walk on its way out. Without it, and for everybody else, inner
            lanes are closed.

        Returns
        -------
        DataFrame
            Sorted MultiIndex (origin, target), column `minutes`. A point to itself is 0, on the street or off it.

        Raises
        ------
        UnknownNameError
            No such profile.
        NetworkError
            A lane that is walked has a wait, which belongs to public streets.
        TypeError, ValueError
            Not points, no CRS, an empty place or label, `home` of another length, or a limit below 0: which, in Chinese.
        """
        return between(self._streets, Asked(origins, home, access), targets, limit, _profile(profile))

    @well_called
    def nearest(
        self,
        origins: gpd.GeoSeries,
        targets: gpd.GeoSeries,
        limit: float = math.inf,
        *,
        k: int = 1,
        access: bool = True,
        home: pd.Series | None = None,
    ) -> pd.DataFrame:
        """
        Find the nearest target of every place, or the nearest few.

        Parameters
        ----------
        origins, targets
            Points in any CRS; the index holds labels, and a label that repeats is one place with several doors.
        limit
            Metres. A target beyond it is not found.
        k
            How many are wanted. More than one is read off all pairs within the limit: give one where there are many.
        access
            Whether the straight legs between the points and the street count.
        home
            Aligned with the origins: whose inner lanes each may walk on its way out. Without it, and for everybody else, inner
            lanes are closed.

        Returns
        -------
        DataFrame
            Index `origin` in order of first appearance; `target` (of equally near ones the first in sorted order) and
            `metres`. Missing where none is within the limit. With `k` above 1: index (`origin`, `rank` from 1), as many rows as
            there are within the limit; the first is what is found without `k`.

        Raises
        ------
        NetworkError
            A lane that is walked has a wait, which belongs to public streets.
        TypeError, ValueError
            Not points, no CRS, an empty place or label, `home` of another length, a limit below 0, or `k` below 1: which, in Chinese.

        Examples
        --------
        >>> import geopandas as gpd
        >>> import xinhe_geo as xh
        >>> toy = xh.District.load("tests/toy")
        >>> gates, stops = toy.gates.geometry, toy.facilities.geometry
        >>> toy.network.nearest(gates.iloc[:1], stops, k=2).index.tolist() == [(gates.index[0], 1), (gates.index[0], 2)]
        True
        """
        checked_count(k, "k（要几个最近的）")
        asked = Asked(origins, home, access)
        return (
            nearest(self._streets, asked, targets, limit)
            if k == 1
            else nearest_few(self._streets, asked, targets, limit, k)
        )

    @well_called
    def reach(
        self,
        points: gpd.GeoSeries,
        limit: float,
        *,
        each: bool = False,
        access: bool = True,
        home: pd.Series | None = None,
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
        home
            Aligned with the points: whose inner lanes each may walk on its way out. Without it, and for everybody else, inner
            lanes are closed.

        Returns
        -------
        GeoDataFrame
            Columns (`place`,) `edge`, `from_m`, `to_m` (metres along the edge), `geometry`: lines in the CRS of the
            network. With `home`, the pieces of their own lanes that are walked on the way out are among them.

        Raises
        ------
        NetworkError
            A lane that is walked has a wait, which belongs to public streets.
        TypeError, ValueError
            Not points, no CRS, an empty place or label, `home` of another length, or a limit below 0: which, in Chinese.
        """
        found = reach(self._streets, Asked(points, home, access), limit, each)
        return self._laid(found, each).drop(columns="limit")

    # --- the way ------------------------------------------------------------------------------------------------------

    @well_called
    def route(
        self,
        origin: gpd.GeoSeries,
        target: gpd.GeoSeries,
        *,
        profile: Profile | str | None = None,
        home: pd.Series | str | None = None,
    ) -> gpd.GeoDataFrame:
        """
        Return the least walk between two places, leg by leg: what `metres` or `minutes` measures.

        Parameters
        ----------
        origin, target
            Points in any CRS, each a place with one or several doors; the least way between any two of them is taken.
        profile
            A `Profile`, a name in the bundled `profiles.csv`, or None: the shortest way, whoever walks.
        home
            Aligned with the origin, or one home for all its doors: whose inner lanes may be walked on the way out.

        Returns
        -------
        GeoDataFrame
            In walking order. Columns `leg` ("inside" along own lanes, "access" straight to the street, "street", "wait", "entrance"
            straight from the street), `street` (missing off the street), `metres`, `minutes` (missing without a profile),
            geometry in the CRS of the network (a wait is a point). What follows on one street is one leg. Empty from a place to
            itself. Metres add up to those of `metres`, minutes to those of `minutes`.

        Raises
        ------
        UnknownNameError
            No such profile.
        NetworkError
            There is no way, or a lane that is walked has a wait.
        TypeError, ValueError
            Not points, no CRS, an empty place or label, or `home` of another length: which, in Chinese.
        """
        walker = None if profile is None else _profile(profile)
        own = pd.Series(home, index=origin.index) if isinstance(home, str) else home
        return routes.route(self._streets, origin, target, profile=walker, home=own)

    def ways_out(
        self,
        points: gpd.GeoSeries,
        *,
        barriers: Barriers | None = None,
        home: pd.Series | None = None,
        profile: Profile | None = None,
    ) -> list[WayOut]:
        """
        Find what `attach` finds, and how each door is walked to.

        Parameters
        ----------
        points, barriers, home, profile
            As for `attach`: points in any CRS, lines in the network's.

        Returns
        -------
        list of WayOut
            One per door: number of the point, edge, metres along it, metres before it, legs.

        Raises
        ------
        NetworkError
            A lane that is walked has a wait.
        TypeError, ValueError
            Not points, no CRS, an empty place or label, or `home` of another length.
        """
        return routes.ways_out(self._streets, points, barriers=barriers, home=home, profile=profile)

    def way_tree(self, targets: pd.DataFrame, *, profile: Profile | None = None) -> WayTree:
        """
        Search from all targets at once and keep the way from everywhere to the nearest of them.

        Parameters
        ----------
        targets
            Doors: a frame with `place` (label), `edge`, `at_m` and `access_m` (metres), as `attach` returns it.
        profile
            None: the cost is metres. A profile: minutes.

        Returns
        -------
        WayTree
            Its `.way(edge, at, access)` gives the way from a door, `.legs(way)` its legs.

        Raises
        ------
        NetworkError
            Doors of another network.
        """
        return WayTree(self._streets, targets, profile)

    def legs_frame(self, legs: Iterable[Leg]) -> gpd.GeoDataFrame:
        """
        Return legs as `route` returns them.

        Parameters
        ----------
        legs
            In walking order.

        Returns
        -------
        GeoDataFrame
            Columns `leg`, `street`, `metres`, `minutes`, geometry in the CRS of the network.

        Raises
        ------
        AttributeError
            What is no leg.
        """
        return routes.frame_of(legs, self._streets)


def network_of(given: WalkNetwork | Graph, *, crs: AnyCrs | None = None) -> WalkNetwork:
    """
    Return a network as it is, and of a graph of OSMnx the network it is, in `crs`.

    Raises
    ------
    WrongValueError
        Neither of the two.
    NetworkError
        A graph without a CRS, or with nothing to walk on.
    """
    if isinstance(given, WalkNetwork):
        return given
    if hasattr(given, "graph") and hasattr(given, "nodes") and hasattr(given, "edges"):
        return WalkNetwork.from_graph(given, crs=crs)
    raise WrongValueError(
        say("这里要写打开的街道（District.load）、路网（WalkNetwork）或 OSMnx 的图，不是 {0}", type(given).__name__)
    )


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
