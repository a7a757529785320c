"""
One city extract and a layer of districts become one district folder each, whatever the size of the city.

The extract is read as a stream and divided into at most `FAN` parts at a time, each of which is divided again until a part
is one district; then the ordinary import makes its folder. What belongs where is found by joins through files on disk
(`_Spill`), a bounded number of rows at a time: memory depends on the largest district, never on the city. Districts are
told apart by code, never by name.
"""

from __future__ import annotations

import codecs
import shutil
import tempfile
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import osmium
import pandas as pd
import pyproj
import shapely
from numpy.typing import NDArray

from ..core import (
    BASES,
    UNSTATED,
    EnvironmentProblem,
    SourceError,
    UnknownNameError,
    XinheError,
    apart,
    cannot_write,
    csv_text,
    growing,
    place_file,
    read_layer,
    say,
    write_text,
)
from ..district import beside
from ..network import explained, processor
from .homes_table import home_columns
from .incoming import LONLAT
from .osm_extract import OSM_SUFFIXES, check_extract, date_of, keys_of_interest
from .osm_import import Crs, import_osm, read_outlines

Progress = Callable[[str], object]

CATALOGUE = "catalogue.csv"
LEFT_OUT = "homes_left_out.csv"
#: Parts made in one pass: each is an open file, and one bit of a mask.
FAN = 24
#: Rows of one bucket of a join, and the objects handled at a time: this, and the largest district, bound the memory.
BUCKET = 1_000_000
CHUNK = 50_000
_BUFFER = 1 << 18

_NODES = np.dtype([("id", "<i8"), ("mask", "<u4")])
_PAIRS = np.dtype([("id", "<i8"), ("other", "<i8")])

Ids = NDArray[np.int64]
Masks = NDArray[np.uint32]


# --- districts -------------------------------------------------------------------------------------------------------


def safe_name(text: str) -> str:
    """Return a text as a name for a folder on every system: letters, figures, `-`, `_` and inner dots; others as `%XX`."""
    kept = [
        c
        if c.isalnum() or c in "-_" or (c == "." and 0 < i < len(text) - 1)
        else "".join(f"%{b:02X}" for b in c.encode("utf-8", "surrogatepass"))
        for i, c in enumerate(unicodedata.normalize("NFC", text))
    ]
    name = "".join(kept)
    devices = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}
    return f"%{name}" if name.partition(".")[0].lower() in devices else name


@dataclass(frozen=True)
class Division:
    """
    How a city is divided into districts, and what each of them takes.

    Attributes
    ----------
    file
        GeoJSON or GeoPackage of polygons, in any CRS.
    code, name
        Columns of `file`. Codes tell districts apart: missing or repeated ones are refused, names may repeat.
    margin
        Metres beyond its edge from which a district gets streets and facilities: residents walk across boundaries. At least
        the longest walk that is judged.
    crs
        Projected CRS of all districts (and of columns x, y of the homes); by default each district's own, as `import_osm` takes it.
    basis
        What the polygons and the table of homes rest on; without an answer `unstated` (依据未说明).
    """

    file: str | Path
    code: str
    name: str | None = None
    margin: float = 1500.0
    crs: Crs | None = None
    basis: str = UNSTATED


def _read_districts(division: Division) -> gpd.GeoDataFrame:
    """Return the districts in EPSG:4326, index code in order, column `name`; every fault of the layer at once."""
    path, code, name = Path(division.file), division.code, division.name
    frame = read_outlines(path)
    absent = [c for c in (code, name) if c is not None and c not in frame.columns]
    if absent:
        known = say("、").join(str(c) for c in frame.columns if c != frame.geometry.name)
        raise SourceError(
            say(
                "{0} 没有列 {1}（现有列：{2}）。用 --code、--name 指明代码列和名称列",
                path.name,
                say("、").join(absent),
                known,
            )
        )
    codes = [_text(v) for v in frame[code]]
    faults = [*_code_faults(codes), *_shape_faults(frame, codes)]
    if faults:
        more = say("\n  …… 另有 {0} 处", len(faults) - 30) if len(faults) > 30 else ""
        raise SourceError(
            say("{0} 有 {1} 处错误，没有开始切分：\n  ", path.name, len(faults)) + "\n  ".join(faults[:30]) + more
        )
    names = codes if name is None else [_text(v) or c for v, c in zip(frame[name], codes, strict=True)]
    shapes = shapely.make_valid(shapely.force_2d(frame.to_crs(LONLAT).geometry.array))
    shapes = [shapely.MultiPolygon(_polygons(shape)) for shape in shapes]
    return gpd.GeoDataFrame(
        {"name": names}, geometry=shapes, index=pd.Index(codes, name="code"), crs=LONLAT
    ).sort_index()


def _text(value: object) -> str:
    """Return a code or name as text; a whole number that a file kept as 120116006.0 is 120116006."""
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


def _code_faults(codes: Sequence[str]) -> Iterator[str]:
    rows: dict[str, list[int]] = {}
    for i, code in enumerate(codes, 1):
        rows.setdefault(safe_name(code).casefold() if code else "", []).append(i)
    for i in rows.pop("", []):
        yield say("第 {0} 个面没有代码。街道按代码识别，补上代码", i)
    for same in rows.values():
        if len(same) > 1:
            where = say("、").join(map(str, same))
            yield say(
                "代码 {0} 重复（第 {1} 个面）。一个街道一个代码；一个街道有几块就合成一个多面",
                codes[same[0] - 1],
                where,
            )


def _shape_faults(frame: gpd.GeoDataFrame, codes: Sequence[str]) -> Iterator[str]:
    for i, (shape, code) in enumerate(zip(frame.geometry, codes, strict=True), 1):
        if shape is None or shape.is_empty:
            yield say("第 {0} 个面（{1}）没有图形。补上或删去这一行", i, code)
        elif not _polygons(shapely.make_valid(shape)):
            yield say("第 {0} 个（{1}）是 {2}，不是面。街道界应为面", i, code, shape.geom_type)


def _polygons(shape: shapely.Geometry) -> list[shapely.Polygon]:
    """Return the polygons of a shape that have an area."""
    parts = shapely.get_parts(shapely.get_parts(shape))
    return [p for p in parts if p.geom_type == "Polygon" and p.area > 0]


def _widened(districts: gpd.GeoDataFrame, margin: float) -> NDArray[Any]:
    """Return each district with its margin (metres, in the UTM zone of its centre) in EPSG:4326."""
    centres = shapely.centroid(districts.geometry.array)
    zone = np.floor((shapely.get_x(centres) + 180) / 6).astype(int)
    wide = np.empty(len(districts), dtype=object)
    for number in np.unique(zone):
        for south in (False, True):
            rows = np.flatnonzero((zone == number) & ((shapely.get_y(centres) < 0) == south))
            if len(rows):
                metric = pyproj.CRS.from_dict({"proj": "utm", "zone": int(number) + 1, "south": south})
                shapes = districts.geometry.iloc[rows].to_crs(metric).buffer(margin, quad_segs=4)
                wide[rows] = shapes.to_crs(LONLAT).array
    return wide


# --- joins through files ---------------------------------------------------------------------------------------------


class _Spill:
    """Rows on disk in buckets by id: what belongs together meets in one bucket, of which one at a time is in memory."""

    def __init__(self, folder: Path, name: str, dtype: np.dtype[Any], bounds: Sequence[int] | Ids) -> None:
        self.folder, self.name, self.dtype = folder, name, dtype
        self.bounds = np.asarray(bounds, dtype=np.int64)
        self.waiting: list[NDArray[Any]] = []
        self.count = 0

    def add(self, *columns: NDArray[Any]) -> None:
        """Put rows where their id belongs; written when there are enough of them."""
        rows = np.empty(len(columns[0]), dtype=self.dtype)
        for field, values in zip(self.dtype.names or (), columns, strict=True):
            rows[field] = values
        self.waiting.append(rows)
        self.count += len(rows)
        if self.count >= BUCKET // 4:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        if not self.count:
            return
        rows = np.concatenate(self.waiting)
        bucket = np.maximum(np.searchsorted(self.bounds, rows["id"], side="right") - 1, 0)
        order = np.argsort(bucket, kind="stable")
        starts = np.searchsorted(bucket[order], np.arange(len(self.bounds) + 1))
        for i, (a, b) in enumerate(pairwise(starts)):
            if b > a:
                with open(self._file(i), "ab") as file:
                    rows[order[a:b]].tofile(file)
        self.waiting, self.count = [], 0

    def take(self, bucket: int) -> NDArray[Any]:
        """Return the rows of a bucket, in the order added."""
        self.flush()
        file = self._file(bucket)
        return np.fromfile(file, dtype=self.dtype) if file.exists() else np.empty(0, dtype=self.dtype)

    def put(self, bucket: int, rows: NDArray[Any]) -> None:
        """Replace the rows of a bucket."""
        rows.astype(self.dtype).tofile(self._file(bucket))

    def _file(self, bucket: int) -> Path:
        return self.folder / f"{self.name}-{bucket}"


def _merged(*tables: NDArray[Any]) -> NDArray[Any]:
    """Return rows (id, mask), each id once and in order, the masks of its rows joined."""
    rows = np.concatenate(tables)
    rows = rows[np.argsort(rows["id"], kind="stable")]
    if not len(rows):
        return rows
    first = np.flatnonzero(np.r_[True, np.diff(rows["id"]) > 0])
    merged = rows[first].copy()
    merged["mask"] = np.bitwise_or.reduceat(rows["mask"], first)
    return merged


def _looked_up(table: NDArray[Any], ids: Ids) -> Masks:
    """Return the mask of each id, 0 where the table (each id once, in order) does not have it."""
    if not len(table):
        return np.zeros(len(ids), dtype=np.uint32)
    at = np.minimum(np.searchsorted(table["id"], ids), len(table) - 1)
    return np.where(table["id"][at] == ids, table["mask"][at], 0).astype(np.uint32)


# --- dividing an extract ---------------------------------------------------------------------------------------------


class _Relations(NamedTuple):
    """The relations an import may use: members as rows (relation's position, is a way, member's id)."""

    ids: Ids
    whole: NDArray[np.bool_]  # areas: all their ways have to come along
    position: Ids
    is_way: NDArray[np.bool_]
    member: Ids


class _Plan(NamedTuple):
    """Which parts each object goes to: masks on disk for nodes and ways, in memory for relations."""

    nodes: _Spill
    ways: _Spill
    relations: NDArray[Any]


def _things(path: Path, what: osmium.osm.osm_entity_bits) -> Iterable[Any]:
    return processor(osmium.io.File(str(path)), what)


def _wanted(path: Path, keys: Sequence[str]) -> Iterable[Any]:
    return processor(osmium.io.File(str(path)), osmium.osm.RELATION).with_filter(osmium.filter.KeyFilter(*keys))


def _in_order(ids: Ids, last: int, path: Path) -> int:
    """Refuse objects that are not in the order of their ids: the joins rest on it. Return the last id."""
    if len(ids) and (ids[0] <= last or (np.diff(ids) <= 0).any()):
        raise SourceError(say("{0} 里的对象没有按类型和编号排序。先用 osmium sort 整理一遍再切分", path.name))
    return int(ids[-1]) if len(ids) else last


def _node_masks(path: Path, folder: Path, shapes: NDArray[Any], part: Masks) -> _Spill:
    """Return (node, parts it lies in), bucketed in buckets of `BUCKET` nodes of the file."""
    tree = shapely.STRtree(shapes)
    bit = np.left_shift(np.uint32(1), part)
    spill = _Spill(folder, "nodes", _NODES, [0])
    bounds, seen, last = [0], 0, -1

    def judge(ids: list[int], x: list[int], y: list[int]) -> None:
        nonlocal seen, last
        number = np.array(ids, dtype=np.int64)
        last = _in_order(number, last, path)
        at = shapely.points(np.array(x) / 1e7, np.array(y) / 1e7)
        point, shape = tree.query(at, predicate="intersects")
        mask = np.zeros(len(number), dtype=np.uint32)
        np.bitwise_or.at(mask, point, bit[shape])
        inside = mask > 0
        # All nodes count, not only those kept: the ways of the whole city are put into the same buckets.
        if seen + len(number) > BUCKET and seen:
            spill.flush()
            bounds.append(int(number[0]))
            spill.bounds, seen = np.array(bounds, dtype=np.int64), 0
        seen += len(number)
        spill.add(number[inside], mask[inside])

    ids: list[int] = []
    x: list[int] = []
    y: list[int] = []
    for node in _things(path, osmium.osm.NODE):
        place = node.location
        if place.valid():
            ids.append(node.id)
            x.append(place.x)
            y.append(place.y)
        if len(ids) >= CHUNK:
            judge(ids, x, y)
            ids, x, y = [], [], []
    judge(ids, x, y)
    spill.flush()
    return spill


def _way_refs(path: Path, folder: Path, nodes: _Spill) -> tuple[_Spill, _Spill]:
    """Return (node, way) in the buckets of the nodes, and (way, node) in buckets of the ways."""
    by_node = _Spill(folder, "refs", _PAIRS, nodes.bounds)
    by_way = _Spill(folder, "back", _PAIRS, [0])
    bounds, rows, last = [0], 0, -1

    def put(ids: list[int], counts: list[int], refs: list[int]) -> None:
        nonlocal rows, last
        number = np.array(ids, dtype=np.int64)
        last = _in_order(number, last, path)
        if rows + len(refs) > BUCKET and rows:
            by_way.flush()
            bounds.append(int(number[0]))
            by_way.bounds, rows = np.array(bounds, dtype=np.int64), 0
        rows += len(refs)
        way, ref = np.repeat(number, counts), np.array(refs, dtype=np.int64)
        by_node.add(ref, way)
        by_way.add(way, ref)

    ids: list[int] = []
    counts: list[int] = []
    refs: list[int] = []
    for way in _things(path, osmium.osm.WAY):
        ids.append(way.id)
        before = len(refs)
        refs.extend([node.ref for node in way.nodes])
        counts.append(len(refs) - before)
        if len(refs) >= CHUNK:
            put(ids, counts, refs)
            ids, counts, refs = [], [], []
    put(ids, counts, refs)
    by_node.flush()
    by_way.flush()
    return by_node, by_way


def _read_relations(path: Path, keys: Sequence[str]) -> _Relations:
    """Return the relations with a tag that an import looks at."""
    ids: list[int] = []
    whole: list[bool] = []
    position: list[int] = []
    is_way: list[bool] = []
    member: list[int] = []
    for relation in _wanted(path, keys):
        for one in relation.members:
            if one.type in ("w", "n"):
                position.append(len(ids))
                is_way.append(one.type == "w")
                member.append(one.ref)
        ids.append(relation.id)
        whole.append(relation.tags.get("type") in ("multipolygon", "boundary"))
    return _Relations(
        np.array(ids, dtype=np.int64),
        np.array(whole, dtype=bool),
        np.array(position, dtype=np.int64),
        np.array(is_way, dtype=bool),
        np.array(member, dtype=np.int64),
    )


def _plan(path: Path, folder: Path, shapes: NDArray[Any], part: Masks, keys: Sequence[str]) -> _Plan:
    """
    Find which parts need which objects of a file.

    A part gets every node in its area, every way with such a node, every area that such a way bounds with all its ways,
    and all nodes of all these ways: no line ends early and no outline stays open.
    """
    nodes = _node_masks(path, folder, shapes, part)
    by_node, by_way = _way_refs(path, folder, nodes)
    relations = _read_relations(path, keys)
    ways = _Spill(folder, "ways", _NODES, by_way.bounds)
    reached = np.zeros(len(relations.ids), dtype=np.uint32)

    def touch(table: NDArray[Any], of_ways: bool) -> None:
        own = relations.is_way == of_ways
        np.bitwise_or.at(reached, relations.position[own], _looked_up(table, relations.member[own]))

    for bucket in range(len(nodes.bounds)):
        table, pairs = nodes.take(bucket), by_node.take(bucket)
        touch(table, False)
        mask = _looked_up(table, pairs["id"])
        ways.add(pairs["other"][mask > 0], mask[mask > 0])
    for bucket in range(len(ways.bounds)):
        table = _merged(ways.take(bucket))
        ways.put(bucket, table)
        touch(table, True)
    need = relations.is_way & relations.whole[relations.position]
    extra = np.empty(int(need.sum()), dtype=_NODES)
    extra["id"], extra["mask"] = relations.member[need], reached[relations.position[need]]
    home = np.maximum(np.searchsorted(ways.bounds, extra["id"], side="right") - 1, 0)
    for bucket in range(len(ways.bounds)):
        table = _merged(ways.take(bucket), extra[(home == bucket) & (extra["mask"] > 0)])
        ways.put(bucket, table)
        pairs = by_way.take(bucket)
        mask = _looked_up(table, pairs["id"])
        nodes.add(pairs["other"][mask > 0], mask[mask > 0])
    nodes.flush()
    for bucket in range(len(nodes.bounds)):
        nodes.put(bucket, _merged(nodes.take(bucket)))
    final = np.empty(len(reached), dtype=_NODES)
    final["id"], final["mask"] = relations.ids, reached
    return _Plan(nodes, ways, final)


class _City(NamedTuple):
    """What holds of a city's extract however small its parts: whose they are, when it was made, what of it is read."""

    name: str  # of the file: it is what a folder's provenance names
    areas: NDArray[Any]  # each district with its margin
    stamp: str  # when the extract was made
    keys: Sequence[str]  # tags by which relations are found


def _divide(path: Path, folder: Path, city: _City, rows: NDArray[np.int64], part: Masks, files: Sequence[Path]) -> None:
    """Write the objects of one extract into a file per part of its districts (`rows`), in two passes over it."""
    folder.mkdir()
    plan = _plan(path, folder, city.areas[rows], part, city.keys)
    head = osmium.io.Header()
    # The date of the whole city: a district's data year does not depend on when its last shop was edited.
    head.set("osmosis_replication_timestamp", city.stamp)
    threads = osmium.io.ThreadPool(2)
    writers = [osmium.SimpleWriter(str(f), _BUFFER, head, overwrite=True, thread_pool=threads) for f in files]
    targets: dict[int, list[Any]] = {}

    def write(things: Iterable[Any], tables: Iterable[NDArray[Any]]) -> None:
        rows = ((int(i), int(m)) for table in tables for i, m in zip(table["id"], table["mask"], strict=True))
        number, mask = next(rows, (-1, 0))
        for thing in things:
            while -1 < number < thing.id:
                number, mask = next(rows, (-1, 0))
            if thing.id == number and mask:
                if mask not in targets:
                    targets[mask] = [w for i, w in enumerate(writers) if mask >> i & 1]
                for writer in targets[mask]:
                    writer.add(thing)

    try:
        write(_things(path, osmium.osm.NODE), (plan.nodes.take(b) for b in range(len(plan.nodes.bounds))))
        write(_things(path, osmium.osm.WAY), (plan.ways.take(b) for b in range(len(plan.ways.bounds))))
        write(_wanted(path, city.keys), [plan.relations])
    finally:
        for writer in writers:
            writer.close()
        shutil.rmtree(folder, ignore_errors=True)


def _extracts(path: Path, work: Path, city: _City, rows: NDArray[np.int64]) -> Iterator[tuple[int, Path]]:
    """Yield (position, extract) for each district of `rows`, each file there only until the next is asked for."""
    groups = np.array_split(rows, min(len(rows), FAN))
    part = np.repeat(np.arange(len(groups), dtype=np.uint32), [len(g) for g in groups])
    inner = Path(tempfile.mkdtemp(dir=work))
    folders = [inner / str(i) for i in range(len(groups))]
    for folder in folders:
        folder.mkdir()
    files = [folder / city.name for folder in folders]
    apart(_divide, path, inner / "joins", city, rows, part, files, into=inner)
    for group, file in zip(groups, files, strict=True):
        if len(group) == 1:
            yield int(group[0]), file
        else:
            yield from _extracts(file, file.parent, city, group)
        shutil.rmtree(file.parent)
    shutil.rmtree(inner)


# --- homes -----------------------------------------------------------------------------------------------------------


def _encoding(path: Path) -> str:
    """Return the encoding of a table as Excel writes them, found without holding it."""
    for encoding in ("utf-8-sig", "gb18030"):
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            with open(path, "rb") as file:
                while block := file.read(1 << 20):
                    decoder.decode(block)
                decoder.decode(b"", final=True)
            return encoding
        except UnicodeDecodeError:
            continue
    raise SourceError(say("{0}：编码既不是 UTF-8 也不是 GB18030。在 Excel 里另存为“CSV UTF-8”", path.name))


def _split_homes(
    path: Path, districts: gpd.GeoDataFrame, files: Sequence[Path], out: Path, crs: Crs | None
) -> tuple[NDArray[np.int64], int]:
    """
    Put each row of a table of homes into the file of the district it lies in; return rows per district, and rows left out.

    A home inside several overlapping districts belongs to each of them; one exactly on a shared edge to the first by code.
    """
    if not path.is_file():
        raise SourceError(say("文件不存在：{0}。人口表需要列 id、lon、lat、people（或 x、y）", path.name))
    encoding = _encoding(path)
    with open(path, encoding=encoding) as file:
        head = file.readline()
    separator = max(",;\t", key=head.count)
    options = {"sep": separator, "dtype": "str", "keep_default_na": False, "encoding": encoding}
    counts, left = np.zeros(len(districts), dtype=np.int64), 0
    shapes = districts.geometry.array
    tree = shapely.STRtree(shapes)
    for chunk in pd.read_csv(path, chunksize=CHUNK, **options):
        table = chunk.set_axis([str(c).strip() for c in chunk.columns], axis=1)
        table = table[(table != "").any(axis=1)]
        points = _home_points(table, path, crs)
        home, place = tree.query(points, predicate="intersects")
        inside = shapely.within(points[home], shapes[place])
        settled = np.isin(home, home[inside])
        pairs = pd.DataFrame({"home": home, "place": place})
        edge = pairs[~settled].sort_values(["home", "place"]).drop_duplicates("home")
        pairs = pd.concat([pairs[inside], edge]).sort_values(["place", "home"])
        for at, rows in pairs.groupby("place")["home"]:
            _append(table.iloc[rows.to_numpy()], files[int(at)], first=counts[at] == 0)
            counts[at] += len(rows)
        outside = np.setdiff1d(np.arange(len(table)), home)
        if len(outside):
            reason = np.where(shapely.is_missing(points[outside]), say("坐标是空的或不是数"), say("不在任何街道界内"))
            shown = csv_text(table.iloc[outside].assign(未取原因=reason), index=False, header=left == 0)
            with open(out, "a", encoding="utf-8", newline="") as file:
                file.write(shown if left else f"\ufeff{shown}")
            left += len(outside)
    return counts, left


def _home_points(table: pd.DataFrame, path: Path, crs: Crs | None) -> NDArray[Any]:
    """Return one point per row in EPSG:4326, missing where a coordinate is no number."""
    columns = home_columns(list(table.columns), path.name)
    degrees = {"lon", "lat"} <= set(columns)
    across, up = ("lon", "lat") if degrees else ("x", "y")
    x = pd.to_numeric(table[columns[across]], errors="coerce").to_numpy(dtype="float64")
    y = pd.to_numeric(table[columns[up]], errors="coerce").to_numpy(dtype="float64")
    if not degrees and crs is not None:
        x, y = pyproj.Transformer.from_crs(crs, LONLAT, always_xy=True).transform(x, y)
    known = np.isfinite(x) & np.isfinite(y)
    points = np.full(len(table), None, dtype=object)
    points[known] = shapely.points(x[known], y[known])
    return points


def _append(rows: pd.DataFrame, file: Path, *, first: bool) -> None:
    """Add rows to a CSV file as Excel reads it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    rows.to_csv(
        file,
        mode="w" if first else "a",
        header=bool(first),
        index=False,
        lineterminator="\n",
        encoding="utf-8-sig" if first else "utf-8",
    )


# --- the whole -------------------------------------------------------------------------------------------------------


def split(
    extract: str | Path,
    division: Division,
    out: str | Path,
    *,
    homes: str | Path | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """
    Cut a city's OSM extract into one district folder per polygon.

    Parameters
    ----------
    extract
        .osm.pbf (or .osm, .osm.gz, .osm.bz2), objects sorted by type and id, as downloads are.
    division
        The layer of districts, and what each takes.
    out
        Folder for the district folders, each named by its code, and `catalogue.csv`.
    homes
        A CSV of people as `import_osm` takes it; each row goes to the district its point lies in. Rows in none are kept in
        `homes_left_out.csv` with the reason. A district without any row takes its homes from the map, people unknown.
    overwrite
        Replace an earlier split.
    progress
        Called with a short Chinese line as each step begins.

    Returns
    -------
    catalogue
        Index code, in order. Columns `name`, `folder` (relative to `out`), `status` (done / failed), `homes`, `people`
        (missing where unknown), `streets`, `facilities` (rows of its layers), `note`. The same table is `catalogue.csv`,
        which `batch` takes.

    Raises
    ------
    SourceError
        ``boundaries.geojson 有 2 处错误``: every missing or repeated code at once; or the extract cannot be read. A
        district that cannot be made is a row of the catalogue, not an error.
    """
    source, target = Path(extract), Path(out)
    tell = progress or (lambda _: None)
    check_extract(source)
    if not source.name.lower().endswith(OSM_SUFFIXES):
        raise SourceError(
            say("{0} 只有街道，不能切分：需要 OSM 提取文件（{1}）", source.name, say("、").join(OSM_SUFFIXES[:4]))
        )
    if division.basis not in BASES:
        raise UnknownNameError("依据类型", division.basis, list(BASES))
    if not (np.isfinite(division.margin) and division.margin >= 0):
        raise SourceError(say("外扩距离应为 0 或更大的米数：{0}", division.margin))
    frame = _read_districts(division)
    if (target / CATALOGUE).exists() and not overwrite:
        raise SourceError(say("{0} 里已有以前切分的结果。要重新切分就加 --overwrite，或换一个文件夹", target.name))
    with _into(target), explained(source), beside(target / "all", "split") as work:
        counts: NDArray[np.int64] | None = None
        tables = [work / "homes" / str(i) / (Path(homes).stem + ".csv" if homes else "") for i in range(len(frame))]
        if homes is not None:
            tell(say("按街道分人口表"))
            counts, _ = apart(_split_homes, Path(homes), frame, tables, work / LEFT_OUT, division.crs, into=work)
            if (work / LEFT_OUT).exists():
                place_file(work / LEFT_OUT, target / LEFT_OUT)
        tell(say("读 OSM 数据的日期"))
        stamp = f"{date_of(source)}T00:00:00Z"
        city = _City(source.name, _widened(frame, division.margin), stamp, keys_of_interest())
        tell(say("把 {0} 分给 {1} 个街道", source.name, len(frame)))
        made: dict[int, dict[str, Any]] = {}
        for at, file in _extracts(
            source, work, city, np.asarray(np.argsort(frame.geometry.hilbert_distance().to_numpy(), kind="stable"))
        ):
            table = None if counts is None or counts[at] == 0 else tables[at]
            name, code = frame["name"].iloc[at], frame.index[at]
            tell(say("建立街道目录 {0}/{1}：{2}（{3}）", len(made) + 1, len(frame), name, code))
            made[at] = _make(file, frame.iloc[[at]], target, table, division, overwrite)
            if homes is not None and table is None and made[at]["status"] == "done":
                made[at]["note"] = say("人口表里没有本街道的点：居住点取自地图，人口留空")
        rows = pd.DataFrame([made[i] for i in range(len(frame))], index=frame.index)
        write_text(target / CATALOGUE, csv_text(rows), mark=True)
        return rows


@contextmanager
def _into(target: Path) -> Iterator[None]:
    """Make a folder to write into; what the system refuses there is told in words."""
    try:
        target.mkdir(parents=True, exist_ok=True)
        (target / LEFT_OUT).unlink(missing_ok=True)
        yield
    except OSError as error:
        if isinstance(error, XinheError):
            raise
        raise cannot_write(target.name, error) from error


def _make(
    file: Path, one: gpd.GeoDataFrame, target: Path, homes: Path | None, division: Division, overwrite: bool
) -> dict[str, Any]:
    """Make one district's folder by the ordinary import; return its row of the catalogue."""
    code, name = str(one.index[0]), str(one["name"].iloc[0])
    folder = safe_name(code)
    row: dict[str, Any] = {
        "name": name,
        "folder": folder,
        "status": "failed",
        "homes": 0,
        "people": np.nan,
        "streets": 0,
        "facilities": 0,
        "note": "",
    }
    outline = file.parent / f"{Path(division.file).stem}.geojson"
    with growing(outline) as fresh:
        one.to_file(fresh, driver="GeoJSON")
    try:
        report = import_osm(
            file,
            target / folder,
            boundary=outline,
            name=name,
            code=code,
            homes=homes,
            crs=division.crs,
            overwrite=overwrite,
            all_inside=True,
            basis=division.basis,
        )
    except EnvironmentProblem:  # the next one would fare no better
        raise
    except XinheError as error:
        return {**row, "note": str(error)}
    taken = report["taken"].groupby(level=0).sum()
    layers = {layer: int(taken.get(layer, 0)) for layer in ("streets", "facilities")}
    return {**row, **layers, "status": "done", **_homes_of(target / folder)}


def _homes_of(folder: Path) -> dict[str, Any]:
    """Return number of homes and people of a folder just made, from the files in it."""
    file = next((f for f in sorted((folder / "homes").glob("homes.*"))), None)
    if file is None:
        return {"homes": 0, "people": np.nan}
    homes = read_layer(file)
    return {"homes": len(homes), "people": float(homes["people"].astype("float64").sum(min_count=1))}
