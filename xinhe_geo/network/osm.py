"""OpenStreetMap files: which ways people walk on, by the rules of a walk filter, and where those ways run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely

from ..core import NetworkError, SourceError, apart, bundled_folder, plane_of, read_toml, say
from .arrays import AnyCrs, Flags, Floats, Ints, StrPath
from .build import TABLE_COLUMNS, Chains, assemble, grouped, metric_crs, planar_steps, ranges, table_from
from .osm_file import Extract, in_order, own_id, processor
from .streets import Streets

if TYPE_CHECKING:
    from osmium.osm import Way


WKB_HEAD = 9  # bytes before the coordinates of a line: byte order, type, number of points


def of_file(path: StrPath, crs: AnyCrs | None, walk_filter: WalkFilter | None) -> Streets:
    """Build from an OpenStreetMap file: see `WalkNetwork.from_osm`."""
    ways = read_ways(path, walk_filter)
    if len(ways.off) < 2:
        raise NetworkError(say("{0} 里没有可步行的道路；check 命令列出被排除的道路和原因", Path(path).name))
    extent = ways.lon.min(), ways.lat.min(), ways.lon.max(), ways.lat.max()
    metric = plane_of(*map(float, extent)) if crs is None else metric_crs(crs)
    project = pyproj.Transformer.from_crs("EPSG:4326", metric, always_xy=True)
    node_xy = np.column_stack(project.transform(ways.lon, ways.lat))
    xy = node_xy[ways.node]
    group, table = grouped(ways.table)
    chains = Chains(xy, ways.off, ways.node, planar_steps(xy), group)
    return assemble(metric, chains, table)


def read_osm_streets(path: StrPath | Extract, *, walk_filter: WalkFilter | None = None) -> gpd.GeoDataFrame:
    """
    Read the walkable streets of an OpenStreetMap file.

    Parameters
    ----------
    path
        .osm, .osm.gz, .osm.bz2 or .osm.pbf, clipped or in any order; or one that `in_order` has given.
    walk_filter
        Rules in place of the bundled `network/walk_filter.toml`: a file, or its content as a mapping.

    Returns
    -------
    GeoDataFrame
        In EPSG:4326, index `street` ("w123"), columns `name`, `class`, `wait_s`, `steps`, `geometry`: whole ways, split
        only where a clipped file misses nodes ("w123-2").
    """
    ways = read_ways(path, walk_filter)
    xy = np.column_stack([ways.lon, ways.lat])[ways.node]
    lines = shapely.linestrings(xy, indices=np.repeat(np.arange(len(ways.off) - 1), np.diff(ways.off)))
    frame = ways.table.set_index("street")[["name", "class", "wait_s", "steps"]]
    streets = gpd.GeoDataFrame(frame, geometry=lines, crs="EPSG:4326")
    return streets[shapely.length(lines) > 0]  # a way all of whose nodes lie in one place leads nowhere


def excluded_ways(path: StrPath | Extract, *, walk_filter: WalkFilter | None = None) -> pd.DataFrame:
    """Return every way with a highway tag that is left out: `way`, `name`, `class`, `reason`."""
    rules = walk_rules(walk_filter)
    rows = _excluded(path, rules) if isinstance(path, Extract) else apart(_excluded, Path(path), rules)
    return pd.DataFrame(rows, columns=["way", "name", "class", "reason"], dtype=object)


def _excluded(path: StrPath | Extract, rules: WalkRules) -> list[tuple[str, str | None, str, str]]:
    rows = []
    with in_order(path) as extract:
        for way in _highways(extract):
            tags = {tag.k: tag.v for tag in way.tags}
            walk, reason = rules.decide(tags)
            if not walk:
                rows.append((f"w{own_id(way.id)}", tags.get("name"), tags["highway"], reason))
    return rows


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
    rules = walk_rules(walk_filter)
    rows = []
    for sets in lines:
        verdicts = [rules.decide(tags) for tags in sets]
        walk = any(verdict[0] for verdict in verdicts)
        wait = max((rules.wait(tags) for tags in sets), default=0.0)
        steps = any(rules.steps is not None and rules.steps.fits(tags) for tags in sets)
        rows.append((walk, "" if walk or not verdicts else verdicts[0][1], wait, steps))
    return pd.DataFrame(rows, columns=["walk", "reason", "wait_s", "steps"])


class Ways(NamedTuple):
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
class WalkRules:
    """A walk filter as it was read: which ways people walk on, where they wait, what counts as steps."""

    rules: tuple[_Match, ...]
    waits: tuple[_Match, ...]
    steps: _Match | None

    def decide(self, tags: Mapping[str, str]) -> tuple[bool, str]:
        """Return whether people walk there, and why not."""
        for rule in self.rules:
            if rule.fits(tags):
                return rule.walk, rule.reason
        return False, "没有规则允许步行"

    def wait(self, tags: Mapping[str, str]) -> float:
        """Return the seconds that people wait there."""
        return next((rule.seconds for rule in self.waits if rule.fits(tags)), 0.0)


WalkFilter: TypeAlias = StrPath | Mapping[str, Any] | WalkRules


def walk_rules(given: WalkFilter | None) -> WalkRules:
    """
    Read a walk filter, by default the bundled one.

    Raises
    ------
    SourceError
        It cannot be read, or one of its rules is not whole.
    """
    if isinstance(given, WalkRules):
        return given
    source: Any = bundled_folder() / "network" / "walk_filter.toml" if given is None else given
    name = "walk_filter"
    if not isinstance(source, Mapping):
        name = Path(source).name
        try:
            source = read_toml(Path(source))
        except SourceError:
            raise
        except OSError as error:
            raise SourceError(say("步行规则文件打不开：{0}", name)) from error
        except ValueError as error:
            raise SourceError(say("步行规则文件 {0} 写法有误：{1}", name, error)) from error
    try:
        return WalkRules(
            tuple(_rule(rule) for rule in source["rule"]),
            tuple(_wait(rule) for rule in source.get("wait", ())),
            _match(source["steps"]) if "steps" in source else None,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SourceError(say("步行规则文件 {0} 里有一条规则不完整：{1}", name, error)) from error


def _rule(rule: Mapping[str, Any]) -> _Match:
    walk, reason = rule["walk"], str(rule.get("reason", ""))
    match = _match(rule)
    if not isinstance(walk, bool):
        raise TypeError(say("walk 只能是 true 或 false"))
    return replace(match, walk=walk, reason=reason)


def _wait(rule: Mapping[str, Any]) -> _Match:
    seconds = float(rule["seconds"])
    return replace(_match(rule), seconds=seconds)


def _match(rule: Mapping[str, Any]) -> _Match:
    if not rule["tags"]:
        raise ValueError(say("tags 为空"))
    return _Match(_values(rule["tags"]), _values(rule.get("unless", {})))


def _values(tags: Mapping[str, Any]) -> tuple[tuple[str, frozenset[str] | None], ...]:
    listed = {key: [values] if isinstance(values, str) else list(values) for key, values in tags.items()}
    return tuple((key, None if "*" in values else frozenset(values)) for key, values in listed.items())


def _highways(extract: Extract, *, located: bool = False) -> Iterator[Any]:
    """Yield every way with a highway tag; `located`: its nodes know where they are."""
    import osmium

    kinds = osmium.osm.NODE | osmium.osm.WAY if located else osmium.osm.WAY
    file = processor(extract.file, kinds).with_filter(osmium.filter.KeyFilter("highway"))
    if located:
        file = file.with_locations().with_filter(osmium.filter.EntityFilter(osmium.osm.WAY))
    yield from file


def read_ways(path: StrPath | Extract, walk_filter: WalkFilter | None) -> Ways:
    """Read walkable ways; a way that misses nodes falls into the runs between them."""
    rules = walk_rules(walk_filter)
    return _read_ways(path, rules) if isinstance(path, Extract) else Ways(*apart(_ways_apart, Path(path), rules))


def _ways_apart(path: Path, rules: WalkRules) -> tuple[Any, ...]:
    return tuple(_read_ways(path, rules))


def _read_ways(path: StrPath | Extract, rules: WalkRules) -> Ways:
    columns: dict[str, list[Any]] = {name: [] for name in TABLE_COLUMNS}
    refs: list[int] = []
    lines = _Lines()
    with in_order(path) as extract:
        for way in _highways(extract, located=True):
            tags = {tag.k: tag.v for tag in way.tags}
            if not rules.decide(tags)[0]:
                continue
            mine = [node.ref for node in way.nodes]
            refs += mine
            lines.add(way, len(mine))
            columns["street"].append(own_id(way.id))
            columns["name"].append(tags.get("name"))
            columns["class"].append(tags["highway"])
            columns["wait_s"].append(rules.wait(tags))
            columns["steps"].append(rules.steps is not None and rules.steps.fits(tags))
    columns["home"] = [None] * len(lines.count)
    _, first, at = np.unique(np.array(refs, np.int64), return_index=True, return_inverse=True)
    xy = lines.coordinates()[first]
    there = ~np.isnan(xy[:, 0])
    number = np.cumsum(there) - 1
    node, off, way_of = _runs(number[at], there[at], np.array(lines.count, np.int64))
    turn = np.arange(len(way_of)) - np.searchsorted(way_of, way_of)  # 0 for a way's first run, 1 for its second ...
    table = table_from(columns).take(way_of).reset_index(drop=True)
    table["street"] = [
        f"w{way}" if k == 0 else f"w{way}-{k + 1}" for way, k in zip(table["street"], turn.tolist(), strict=True)
    ]
    lon, lat = np.ascontiguousarray(xy[there].T)
    return Ways(lon, lat, node, off, table)


class _Lines:
    """The coordinates of ways, taken line by line as WKB, which is many times faster than node by node."""

    def __init__(self) -> None:
        import osmium

        self._factory = osmium.geom.WKBFactory()
        self._all = osmium.geom.ALL
        self._wkb: list[str] = []
        self.count: list[int] = []

    def add(self, way: Way, count: int) -> None:
        """Take a way of so many nodes."""
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
        heads, _ = ranges(np.cumsum(WKB_HEAD + 16 * count) - (WKB_HEAD + 16 * count), np.full(len(count), WKB_HEAD))
        return np.delete(data, heads).view("<f8").reshape(-1, 2).astype(np.float64)


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
