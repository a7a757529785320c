"""From lines to streets: where they meet, which of them are one, what they are like, and in which CRS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from ..core import NetworkError, WrongCallError, say
from .arrays import AnyCrs, Flags, Floats, Ints
from .streets import Streets

SNAP_M = 1e-3  # lines join where their vertices are this close
TABLE_COLUMNS = ("street", "name", "class", "wait_s", "steps", "home")


class Chains(NamedTuple):
    """Polylines to become a network: points in order, `off` the first point of each, `group` its attributes."""

    xy: Floats
    off: Ints
    vertex: Ints  # per point: equal numbers are one place
    step: Floats  # per point: the cost from the point before it
    group: Ints  # per polyline


def of_lines(streets: gpd.GeoDataFrame, crs: AnyCrs | None) -> Streets:
    """Build from lines: see `WalkNetwork.from_streets`."""
    if not isinstance(streets, gpd.GeoDataFrame):
        raise WrongCallError(
            say(
                "这里要写街道线的 GeoDataFrame，不是 {0}；文件先用 gpd.read_file 读，OSMnx 的图用 from_graph",
                type(streets).__name__,
            )
        )
    lines = _in_metres(streets, crs)
    _check_lines(lines)
    shapes = lines.geometry.to_numpy()
    lines = lines[~(shapely.is_missing(shapes) | shapely.is_empty(shapes))]
    table = _table_of(lines)
    parts, row = shapely.get_parts(shapely.force_2d(lines.geometry.to_numpy()), return_index=True)
    xy, part = shapely.get_coordinates(parts, return_index=True)
    off = np.searchsorted(part, np.arange(len(parts) + 1)).astype(np.int64)
    group, table = grouped(table)
    chains = Chains(xy, off, _snap(xy), planar_steps(xy), group[row])
    return assemble(lines.crs, chains, table)


def _in_metres(streets: gpd.GeoDataFrame, crs: AnyCrs | None) -> gpd.GeoDataFrame:
    if streets.crs is None:
        raise NetworkError(say("街道图层没有坐标系；先用 set_crs 写明"))
    if crs is None:
        metric_crs(streets.crs)
        return streets
    return streets.to_crs(metric_crs(crs))


def _check_lines(lines: gpd.GeoDataFrame) -> None:
    kind = shapely.get_type_id(lines.geometry.to_numpy())
    bad = ~np.isin(kind, (-1, 1, 5)) & ~lines.geometry.is_empty.to_numpy()
    if bad.any():
        names = say("、").join(str(label) for label in lines.index[bad][:5])
        raise NetworkError(say("街道必须是线（LineString 或 MultiLineString）；这些不是：{0}", names))
    xy, row = shapely.get_coordinates(lines.geometry.to_numpy(), return_index=True)
    wrong = row[~np.isfinite(xy).all(axis=1)]
    if len(wrong):
        raise NetworkError(
            say("这些街道的坐标不是有限的数：{0}", say("、").join(str(x) for x in lines.index[np.unique(wrong)[:5]]))
        )


def metric_crs(crs: AnyCrs) -> pyproj.CRS:
    """Return a CRS, which must be projected and in metres."""
    found = pyproj.CRS.from_user_input(crs)
    if not found.is_projected:
        raise NetworkError(
            say("路网要用以米为单位的投影坐标系，而不是经纬度（{0}）；请用 crs= 指定", found.to_string())
        )
    if any(axis.unit_name not in ("metre", "meter", "m") for axis in found.axis_info[:2]):
        raise NetworkError(
            say(
                "路网的坐标系必须以米为单位，不是 {0}（{1}）；请用 crs= 指定",
                found.to_string(),
                found.axis_info[0].unit_name,
            )
        )
    return found


def utm_of(lon: Floats, lat: Floats) -> pyproj.CRS:
    """Return the UTM zone of points in degrees."""
    box = shapely.box(lon.min(), lat.min(), lon.max(), lat.max())
    if not (np.abs(box.bounds[1::2]) <= 84).all():
        raise NetworkError(
            say(
                "纬度 {0:g} 至 {1:g} 没有 UTM 分带；x 应是经度，y 应是纬度，或用 crs= 指定",
                box.bounds[1],
                box.bounds[3],
            )
        )
    return gpd.GeoSeries([box], crs="EPSG:4326").estimate_utm_crs()


def planar_steps(xy: Floats) -> Floats:
    """Return metres from the point before each; 0 for the first."""
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


def table_from(columns: Mapping[str, Any]) -> pd.DataFrame:
    """Return attributes as a table whose columns have the types that everything here counts on."""
    further = [name for name in columns if name not in TABLE_COLUMNS]  # what a graph says of its edges besides
    frame = pd.DataFrame({name: pd.Series(columns[name], dtype=object) for name in (*TABLE_COLUMNS, *further)})
    frame["wait_s"] = frame["wait_s"].astype(np.float64)
    frame["steps"] = frame["steps"].astype(np.bool_)
    for name in ("name", "class", "home"):
        blank = frame[name].isna() | (frame[name].eq("") if name == "home" else False)
        frame[name] = frame[name].astype(object).where(~blank, None)
    return frame.infer_objects().assign(**frame[further])  # whole numbers stay so where some are missing


def _table_of(lines: gpd.GeoDataFrame) -> pd.DataFrame:
    """Return the attributes of lines, with defaults for columns that are absent or blank."""
    count = len(lines)
    blank = [None] * count
    wait = pd.to_numeric(lines["wait_s"], errors="raise") if "wait_s" in lines else pd.Series(0.0, lines.index)
    wait = wait.astype(np.float64).fillna(0.0)
    if not (wait >= 0).all() or not np.isfinite(wait).all():
        wrong = say("、").join(str(label) for label in lines.index[~((wait >= 0) & np.isfinite(wait))][:5])
        raise NetworkError(say("这些街道的 wait_s（过街等待，秒）不是不小于 0 的数：{0}", wrong))
    steps = lines["steps"].eq(True).fillna(False) if "steps" in lines else pd.Series(False, lines.index)
    said: dict[str, Any] = {
        name: lines[name].tolist() if name in lines else blank for name in ("name", "class", "home")
    }
    street = lines.get("street", lines.index).tolist()
    return table_from({"street": street, **said, "wait_s": wait.tolist(), "steps": steps.tolist()})


def grouped(table: pd.DataFrame) -> tuple[Ints, pd.DataFrame]:
    """Number rows so that those with the same attributes share one, and return one row for each number."""
    number: Ints = np.asarray(table.groupby(list(table.columns), sort=False, dropna=False).ngroup(), np.int64)
    first = np.unique(number, return_index=True)[1].astype(np.int64)
    return number, table.iloc[first].reset_index(drop=True)


def assemble(crs: pyproj.CRS, chains: Chains, table: pd.DataFrame) -> Streets:
    """Split polylines at nodes, string together what only a vertex of degree two parts, and number nodes and edges."""
    from . import kernel_lines

    chains = _without_repeats(chains)
    if not len(chains.group):
        raise NetworkError(say("街道图层里没有可步行的路段"))
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
    pieces, piece_off = ranges(first[by_place], last[by_place] - first[by_place] + 1)
    points, step_of, lengths = _points(begin[pieces], end[pieces], flip[pieces], opens[pieces])
    off = np.concatenate([[0], np.cumsum(lengths)])[piece_off]
    cum = np.empty(len(points))
    kernel_lines.running_sums(chains.step[step_of], off, cum)
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
    return Streets.of(crs, arrays, table)


def _without_repeats(chains: Chains) -> Chains:
    """Drop points that repeat the one before them, and polylines of which one point is left."""
    part = np.repeat(np.arange(len(chains.group)), np.diff(chains.off))
    kept = np.ones(len(part), np.bool_)
    kept[1:] = (part[1:] != part[:-1]) | (chains.vertex[1:] != chains.vertex[:-1])
    count = np.bincount(part[kept], minlength=len(chains.group))
    kept &= count[part] > 1
    whole = count > 1
    off = np.concatenate([[0], np.cumsum(count[whole])]).astype(np.int64)
    return Chains(chains.xy[kept], off, chains.vertex[kept], chains.step[kept], chains.group[whole])


def _nodes_of(chains: Chains) -> Flags:
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


def _split(chains: Chains, is_node: Flags) -> tuple[Ints, Ints]:
    """Return the first and last point of the parts that polylines fall into at nodes."""
    stop = is_node[chains.vertex].copy()
    stop[chains.off[:-1]] = True
    stop[chains.off[1:] - 1] = True
    at = np.flatnonzero(stop)
    ends = np.zeros(len(chains.vertex), np.bool_)
    ends[chains.off[1:] - 1] = True
    joined = ~ends[at[:-1]]
    return at[:-1][joined], at[1:][joined]


def _linked(chains: Chains, is_node: Flags, begin: Ints, end: Ints) -> tuple[Ints, Flags, Flags]:
    """String parts together where they meet at a vertex that is no node. Returns order, flipped, first."""
    from . import kernel_lines

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
    kernel_lines.link(mate, order, flip, opens)
    return order, flip, opens


def ranges(start: Ints, count: Ints) -> tuple[Ints, Ints]:
    """Return start..start+count-1 of each, one after the other, and the offsets of each."""
    off = np.concatenate([[0], np.cumsum(count)])
    return np.repeat(start - off[:-1], count) + np.arange(off[-1]), off


def _points(begin: Ints, end: Ints, flip: Flags, opens: Flags) -> tuple[Ints, Ints, Ints]:
    """
    Return the points of parts walked in order, which `step` leads to each, and how many each part adds.

    A part that continues a string leaves out its first point, which the part before it ended with.
    """
    count = end - begin + 1
    position, _ = ranges(np.zeros(len(count), np.int64), count)
    part = np.repeat(np.arange(len(count)), count)
    points = np.where(flip[part], end[part] - position, begin[part] + position)
    step_of = np.where(flip[part], np.minimum(points + 1, end[part]), points)
    kept = (position > 0) | opens[part]
    return points[kept], step_of[kept], count - ~opens


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
