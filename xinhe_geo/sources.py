"""
The doors in: an OpenStreetMap extract (and a table of people) becomes a complete district folder.

Nothing is dropped in silence: whatever is taken and whatever is left out is a row of the report, with the reason, and
the same report lies in the finished folder as `import/report.csv`. A folder appears whole or not at all: it is written
beside its target and swapped in.
"""

from __future__ import annotations

import bz2
import fnmatch
import gzip
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import osmium
import pandas as pd
import pyogrio
import pyproj
import shapely

from ._doors import overpass as _overpass
from ._doors.intake import add
from ._doors.journal import recover, undo
from ._doors.positions import UNPROVEN
from ._doors.streetfile import SUFFIXES as STREET_SUFFIXES
from ._doors.streetfile import is_street_file, read_street_file
from ._doors.tables import RESULT_LABELS, decoded_csv, tally
from ._doors.template import template
from .district import MANIFEST, District
from .errors import DataError, EnvironmentProblem, NetworkError, SourceError
from .layers import LAYERS, ON_THE_WAY, SCHEMA_VERSION, bundled_folder, refuse_secret
from .network import excluded_ways, read_osm_streets
from .progress import told

__all__ = [
    "RESULT_LABELS",
    "UNPROVEN",
    "add",
    "box_to_fetch",
    "check_extract",
    "date_of",
    "fetch",
    "home_columns",
    "import_osm",
    "keys_of_interest",
    "left_out",
    "read_tag_rules",
    "recover",
    "tally",
    "template",
    "undo",
]

Progress = Callable[[str], object]
Tags = Mapping[str, str]

REPORT_COLUMNS = ("layer", "what", "taken", "left_out", "reason", "examples")
MADE_BY = "xinhe_geo.sources.import_osm"
LONLAT = "EPSG:4326"
CREDIT = "© OpenStreetMap contributors, ODbL 1.0"
SURVEY_NOTE = "设施取自 OpenStreetMap，没有实地调查，是否齐全未知：只列出图上有的类别；图上没有的类别按数据不足处理"
OSM_SUFFIXES = (".osm", ".osm.gz", ".osm.bz2", ".osm.pbf", ".pbf")
#: More features than this go to a GeoPackage, fewer to a GeoJSON that a text editor can open.
MANY = 2_000
#: A home farther than this from every street lies in another city: its coordinates are wrong.
FAR_KM = 50.0
#: Homes farther than this from the extract's streets are taken, and a warning says that nothing is known around them.
BEYOND_KM = 1.0
#: The derived outline reaches this far past the outermost street or home, so that neither lies on the line itself.
OUTLINE_MARGIN_M = 25.0

#: Keys under which the map keeps what a planner may look for; what has one and no rule is named in the report.
_SUBJECTS = ("amenity", "shop", "healthcare", "leisure", "craft", "office", "social_facility", "public_transport")
_LIFECYCLE = ("disused", "abandoned", "demolished", "razed", "removed")


# --- the report ------------------------------------------------------------------------------------------------------


class _Report:
    """Collects the rows of the report, in the order things are found."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, int, int, str, str]] = []

    def took(self, layer: str, what: str, n: int, reason: str = "", examples: Iterable[str] = ()) -> None:
        if n:
            self.rows.append((layer, what, n, 0, reason, _some(examples)))

    def left(self, layer: str, what: str, n: int, reason: str, examples: Iterable[str] = ()) -> None:
        if n:
            self.rows.append((layer, what, 0, n, reason, _some(examples)))

    def note(self, layer: str, what: str, reason: str, examples: Iterable[str] = ()) -> None:
        self.rows.append((layer, what, 0, 0, reason, _some(examples)))

    def frame(self) -> pd.DataFrame:
        """Return the rows as a table indexed by layer, layers in their declared order."""
        order = {name: i for i, name in enumerate(dict.fromkeys(("district", "streets", *LAYERS)))}
        rows = sorted(self.rows, key=lambda row: order[row[0]])
        return pd.DataFrame(rows, columns=list(REPORT_COLUMNS)).set_index("layer")


def _some(examples: Iterable[str], n: int = 8) -> str:
    listed = list(examples)
    return "、".join(listed[:n]) + (f" 等 {len(listed)} 个" if len(listed) > n else "")


# --- rules: which tags make which kind -------------------------------------------------------------------------------


class TagRule(NamedTuple):
    """One row of `osm_tags.csv`: every condition of `tags` holds, and no alternative of `not_tags`."""

    name: str
    kind: str
    tags: tuple[tuple[str, tuple[str, ...]], ...]
    not_tags: tuple[tuple[tuple[str, tuple[str, ...]], ...], ...]
    note: str

    def matches(self, tags: Tags) -> bool:
        """Return whether an object with these tags is of this kind."""
        return _holds(self.tags, tags) and not any(_holds(alternative, tags) for alternative in self.not_tags)


def _holds(conditions: Iterable[tuple[str, tuple[str, ...]]], tags: Tags) -> bool:
    for key, patterns in conditions:
        value = tags.get(key)
        if value is None or not any(_like(value, pattern) for pattern in patterns):
            return False
    return True


def _like(value: str, pattern: str) -> bool:
    """Compare with one value of a rule; `*` is any text, `[..]` one of a range of characters."""
    plain = "*" not in pattern and "[" not in pattern
    return value == pattern if plain else fnmatch.fnmatchcase(value, pattern)


def read_tag_rules(path: str | Path | None = None) -> list[TagRule]:
    """
    Read the table that says which OSM tags make which kind; the first rule that matches an object decides.

    Parameters
    ----------
    path
        A CSV with the columns of the layer `osm_tags`; None reads the bundled one. `tags` is `key=value`, joined by
        `&`; several values by `|`; `*` stands for any text, alone or inside a value. `not_tags` likewise, with `;`
        between alternatives any one of which excludes.

    Raises
    ------
    SourceError
        ``osm_tags.csv 第 park-1 行 tags：“leisure” 里没有等号。写成 key=value``
    """
    file = Path(path) if path is not None else _bundled("osm_tags")
    if not file.is_file():
        raise SourceError(f"文件不存在：{file.name}。这是 OSM 标签对照表（列：id, kind, tags, not_tags, note）")
    return _rules(_read_csv(file), file.name)


def _bundled(table: str) -> Path:
    return bundled_folder() / LAYERS["osm_tags"].folder / f"{table}.csv"


def _rules(table: pd.DataFrame, file: str) -> list[TagRule]:
    missing = [c for c in ("id", "kind", "tags") if c not in table.columns]
    if missing:
        raise SourceError(f"{file}：缺少列 {'、'.join(missing)}。照自带的 {file} 补上")
    table = table.reindex(columns=["id", "kind", "tags", "not_tags", "note"]).astype("str").fillna("")
    rules = []
    for row in table.itertuples(index=False):
        where = f"{file} 第 {row.id} 行"
        tags = _conditions(str(row.tags), f"{where} tags")
        alternatives = [part for part in str(row.not_tags).split(";") if part.strip()]
        banned = tuple(_conditions(part, f"{where} not_tags") for part in alternatives)
        rules.append(TagRule(str(row.id), str(row.kind), tags, banned, str(row.note)))
    return rules


def _layer_rules() -> dict[str, list[tuple[str, TagRule]]]:
    """
    Return which tags put an area, line or point into which layer other than the facilities.

    The rules are the bundled `osm_layers.csv`, per form in the table's order; `kind` of a rule is the table's `value`:
    the type of a barrier, or what sort of home it is. The first rule that matches decides for its layer; an object may
    be in several layers.
    """
    file = _bundled("osm_layers")
    table = _read_csv(file).rename(columns={"value": "kind"})
    forms: dict[str, list[tuple[str, TagRule]]] = {"area": [], "line": [], "point": []}
    for form, layer, rule in zip(table["form"], table["layer"], _rules(table, file.name), strict=True):
        forms[str(form)].append((str(layer), rule))
    return forms


def _conditions(text: str, where: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    found = []
    for part in text.split("&"):
        key, equals, values = part.partition("=")
        if not equals or not key.strip() or not values.strip():
            raise SourceError(f"{where}：“{part}”里没有等号或缺了一边。写成 key=value，多个用 & 连接")
        found.append((key.strip(), tuple(v.strip() for v in values.split("|"))))
    return tuple(found)


def _labels(rules: Sequence[TagRule]) -> dict[str, str]:
    """Return the kinds the rules make, in the table's order, with their names."""
    known = _read_csv(_bundled("kinds")).set_index("kind")["label"].to_dict()
    kinds = dict.fromkeys(rule.kind for rule in rules)
    unknown = sorted(set(kinds) - set(known))
    if unknown:
        raise SourceError(
            f"OSM 标签对照表里有类别表没有的类别：{'、'.join(unknown)}。先在 kinds.csv 里加上，或改对照表"
        )
    return {kind: str(known[kind]) for kind in kinds}


# --- reading the extract ---------------------------------------------------------------------------------------------


@dataclass
class _Found:
    """What one pass over the extract found, before it is turned into layers."""

    rows: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)
    unbuilt: dict[str, str] = field(default_factory=dict)  # areas that should have come and have not: ref -> layer
    several: list[str] = field(default_factory=list)
    closed_down: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    unmatched: Counter[str] = field(default_factory=Counter)
    broken_lines: list[str] = field(default_factory=list)

    def add(self, layer: str, row: tuple[Any, ...]) -> None:
        self.rows.setdefault(layer, []).append(row)


def check_extract(path: Path) -> None:
    """Refuse what is not an OSM file, before anything is read."""
    if not path.exists():
        raise SourceError(f"文件不存在：{path.name}。检查路径；需要 OSM 数据（.osm.pbf、.osm、.osm.gz、.osm.bz2）")
    if path.is_dir():
        raise SourceError(f"{path.name} 是文件夹，不是 OSM 数据文件")
    if not path.name.lower().endswith((*OSM_SUFFIXES, *STREET_SUFFIXES)):
        known = "、".join((*OSM_SUFFIXES[:4], *STREET_SUFFIXES))
        raise SourceError(f"{path.name} 不是 OSM 数据或街道文件：文件名应以 {known} 结尾")


def _read_extract(path: Path, rules: Sequence[TagRule]) -> _Found:
    """Read nodes, ways and multipolygons once, and sort each into the layers it belongs to."""
    found = _Found()
    forms = _layer_rules()
    every = [*rules, *_rules_of(forms)]
    wanted = osmium.filter.KeyFilter(*_keys_of(every))
    sorter = _Sorter(rules, forms, found)
    try:
        for thing in osmium.FileProcessor(str(path)).with_areas(wanted).with_filter(wanted):
            sorter.take(thing)
    except RuntimeError as error:
        raise SourceError(f"{path.name} 读不出来（{error}）。文件不完整或不是 OSM 数据，请重新下载") from error
    return found


def _rules_of(forms: Mapping[str, Sequence[tuple[str, TagRule]]]) -> list[TagRule]:
    return [rule for of_form in forms.values() for _, rule in of_form]


def _keys_of(rules: Iterable[TagRule]) -> list[str]:
    return sorted({key for rule in rules for key, _ in rule.tags} - {"name"} | {*_SUBJECTS})


def keys_of_interest() -> list[str]:
    """Return the tag keys by which an import with the bundled tables finds the objects it looks at, sorted."""
    return _keys_of([*read_tag_rules(), *_rules_of(_layer_rules())])


class _Sorter:
    """Puts each object of an extract into the layers it belongs to."""

    def __init__(
        self, rules: Sequence[TagRule], forms: Mapping[str, Sequence[tuple[str, TagRule]]], found: _Found
    ) -> None:
        self.rules = rules
        self.forms = forms
        self.found = found
        self.by_key: dict[str, list[int]] = {}
        for i, rule in enumerate(rules):
            self.by_key.setdefault(rule.tags[0][0], []).append(i)
        self.factory = osmium.geom.WKBFactory()

    def take(self, thing: Any) -> None:
        """Sort one node, way, relation or area; a closed way comes twice, as itself and as an area."""
        tags = {tag.k: tag.v for tag in thing.tags}
        rules = self._matching(tags)
        if thing.is_node():
            if thing.location.valid():
                point = shapely.Point(thing.location.lon, thing.location.lat)
                self._spread(f"n{thing.id}", tags, self._layers("point", tags), point)
                self._place(f"n{thing.id}", tags, rules, point)
        elif thing.is_area():
            ref = f"{'w' if thing.from_way() else 'r'}{thing.orig_id()}"
            self.found.unbuilt.pop(ref, None)
            self._area(ref, tags, rules, thing)
        elif thing.is_way():
            self._way(thing, tags, rules)
        elif tags.get("type") in ("multipolygon", "boundary"):
            self._expect_area(f"r{thing.id}", tags, rules)
        elif rules:
            self.found.lines.append(f"r{thing.id}")

    def _matching(self, tags: Tags) -> list[TagRule]:
        """Return the rules these tags satisfy, in the table's order: the first decides the kind."""
        near = sorted({i for key in tags for i in self.by_key.get(key, ())})
        return [self.rules[i] for i in near if self.rules[i].matches(tags)]

    def _way(self, way: Any, tags: Tags, rules: Sequence[TagRule]) -> None:
        ref = f"w{way.id}"
        if way.is_closed() and tags.get("area") != "no":
            self._expect_area(ref, tags, rules)
        elif rules:
            self.found.lines.append(ref)
        layers = self._layers("line", tags)
        if layers:
            pieces = _pieces(way)
            for layer, value in layers.items():
                if pieces:
                    self.found.add(layer, (ref, tags.get("name"), value, pieces))
                else:
                    self.found.broken_lines.append(ref)

    def _layers(self, form: str, tags: Tags) -> dict[str, str]:
        """Return the layers an object with these tags belongs to, facilities aside, and its value in each."""
        found: dict[str, str] = {}
        for layer, rule in self.forms[form]:
            if layer not in found and rule.matches(tags):
                found[layer] = rule.kind
        return found

    def _expect_area(self, ref: str, tags: Tags, rules: Sequence[TagRule]) -> None:
        """Remember an outline whose area has to come; one that does not come lacks parts in a clipped extract."""
        layer = "facilities" if rules else next(iter(self._layers("area", tags)), "")
        if layer:
            self.found.unbuilt[ref] = layer

    def _area(self, ref: str, tags: Tags, rules: Sequence[TagRule], area: Any) -> None:
        layers = self._layers("area", tags)
        if not layers and not rules:
            self._count(tags)
            return
        try:
            shape = _polygon(shapely.from_wkb(self.factory.create_multipolygon(area)))
        except RuntimeError:
            shape = None
        if shape is None:
            self.found.unbuilt[ref] = "facilities" if rules else next(iter(layers))
            return
        self._spread(ref, tags, layers, shape)
        self._place(ref, tags, rules, shape)

    def _spread(self, ref: str, tags: Tags, layers: Mapping[str, str], shape: Any) -> None:
        """Put one shape into each of its layers."""
        for layer, value in layers.items():
            name = _house_name(tags) if layer == "homes" else tags.get("name")
            self.found.add(layer, (ref, name, tags["landuse"] if layer == "landuse" else value, shape))

    def _place(self, ref: str, tags: Tags, rules: Sequence[TagRule], shape: Any) -> None:
        """Take a point or polygon as a facility where a rule says so."""
        if not rules:
            self._count(tags)
            return
        if any(tags.get(key) == "yes" for key in _LIFECYCLE):
            self.found.closed_down.append(ref)
            return
        kind = rules[0].kind
        others = sorted({rule.kind for rule in rules} - {kind})
        if others:
            self.found.several.append(f"{ref}（取 {kind}，也合 {'、'.join(others)}）")
        self.found.add("facilities", (ref, tags.get("name"), kind, rules[0].note, shape))

    def _count(self, tags: Tags) -> None:
        """Count what looks like a facility and has no rule, so that the report can name it."""
        key = next((k for k in _SUBJECTS if k in tags), None)
        if key is not None:
            self.found.unmatched[f"{key}={tags[key]}"] += 1


def _pieces(way: Any) -> list[Any]:
    """Return the lines of a way; a clipped extract lacks nodes, and the way is split where they are missing."""
    lines, run = [], []
    for node in way.nodes:
        if node.location.valid():
            run.append((node.location.lon, node.location.lat))
            continue
        lines.append(run)
        run = []
    lines.append(run)
    shapes = [shapely.LineString(line) for line in lines if len(line) > 1]
    return [shape for shape in shapes if shape.length > 0]


def _polygon(shape: Any) -> Any:
    """Return a valid Polygon or MultiPolygon, or None where nothing of an area is left."""
    if not shapely.is_valid(shape):
        shape = shapely.make_valid(shape)
    parts = [p for p in shapely.get_parts(shape, return_index=False) if p.geom_type in ("Polygon", "MultiPolygon")]
    parts = [q for p in parts for q in shapely.get_parts(p) if q.area > 0]
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)


def _house_name(tags: Tags) -> str | None:
    address = " ".join(tags[k] for k in ("addr:street", "addr:housenumber") if k in tags)
    return tags.get("name") or address or None


# --- the date of the data --------------------------------------------------------------------------------------------


def date_of(path: str | Path) -> str:
    """Return the day (YYYY-MM-DD) an extract stands for, as an import finds it."""
    return _date_of(Path(path), _Report())


def _date_of(path: Path, report: _Report) -> str:
    """Return the day (YYYY-MM-DD) the data stand for: the file's stamp, its newest object's, or the file's own."""
    header = osmium.io.Reader(str(path)).header()
    for key in ("osmosis_replication_timestamp", "timestamp"):
        if re.match(r"\d{4}-\d\d-\d\d", header.get(key)):
            return str(header.get(key))[:10]
    if ".osm" in path.name.lower() and (stamp := re.search(rb'osm_base="(\d{4}-\d\d-\d\d)', _first_bytes(path))):
        return stamp.group(1).decode()
    things: Iterable[Any] = osmium.FileProcessor(str(path))
    newest = max((thing.timestamp for thing in things), default=datetime(1970, 1, 1, tzinfo=UTC))
    if newest.year > 1970:
        report.note("district", "数据日期", f"文件没有写日期，取其中最新的对象：{newest:%Y-%m-%d}")
        return f"{newest:%Y-%m-%d}"
    day = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    report.note(
        "district", "数据日期", f"文件里没有任何日期，暂取文件自己的修改日期 {day:%Y-%m-%d}；请在 district.toml 里核对"
    )
    return f"{day:%Y-%m-%d}"


def _first_bytes(path: Path, n: int = 4096) -> bytes:
    opener: Any = {".gz": gzip.open, ".bz2": bz2.open}.get(path.suffix.lower(), open)
    with opener(path, "rb") as stream:
        return bytes(stream.read(n))


# --- homes from a table ----------------------------------------------------------------------------------------------

_HOME_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "home": ("id", "home", "hex", "hex_id", "h3", "cell", "grid", "编号", "小区编号", "网格"),
    "name": ("name", "名称", "小区", "小区名称"),
    "lon": ("lon", "lng", "long", "longitude", "经度", "东经"),
    "lat": ("lat", "latitude", "纬度", "北纬"),
    "x": ("x", "x坐标"),
    "y": ("y", "y坐标"),
    "people": ("people", "population", "pop", "常住人口", "人口"),
    "people_60plus": ("people_60plus", "people60plus", "pop60", "60岁及以上", "60岁及以上人口", "老年人口"),
    "households": ("households", "户数"),
}


def _read_csv(path: Path) -> pd.DataFrame:
    """Read a CSV as text, as Excel writes them: UTF-8 with or without BOM or GB18030; comma, semicolon or tab."""
    text, separator = decoded_csv(path)
    try:
        table = pd.read_csv(
            StringIO(text), sep=separator, dtype="str", keep_default_na=False, na_values=[""], skip_blank_lines=False
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise SourceError(f"{path.name}：不是能读的 CSV 表（{error}）。第一行写列名，每行列数一致") from error
    table.columns = [str(c).strip() for c in table.columns]
    return table.dropna(how="all")  # the index still tells the line


def _homes_from_table(
    path: Path, metric: pyproj.CRS, given_crs: bool, extent: Any, report: _Report
) -> gpd.GeoDataFrame:
    """
    Read homes with people from a table of points; index as read, columns of the layer `homes`, geometry in EPSG:4326.

    Rows whose coordinates or numbers cannot be right are reported and not taken; nothing else is changed, so the people
    taken and the people reported as left out add up to the table.
    """
    if not path.is_file():
        raise SourceError(f"文件不存在：{path.name}。人口表需要列 id、lon、lat、people（或 x、y）")
    if path.suffix.lower() not in (".csv", ".txt"):
        raise SourceError(f"{path.name}：人口表只读 CSV。在 Excel 里另存为“CSV UTF-8”")
    table = _read_csv(path)
    lines = [f"第 {i + 2} 行" for i in table.index]
    table = table.reset_index(drop=True)
    columns = _recognise(table, path, report)
    points = _points(table, columns, path, metric, given_crs)
    numbers = {c: pd.to_numeric(table[columns[c]], errors="coerce") for c in _COUNTS if c in columns}
    reason = _why_not(table, columns, points, numbers, extent, metric)
    ids = table[columns["home"]].str.strip() if "home" in columns else pd.Series([f"h{i + 1}" for i in table.index])
    rows = pd.Series([f"{text} {k}" if isinstance(k, str) else text for text, k in zip(lines, ids, strict=True)])
    for text in dict.fromkeys(reason[reason != ""]):
        bad = reason == text
        people = numbers["people"][bad].sum() if "people" in numbers else float("nan")
        lost = f"；涉及人口 {people:g}" if people > 0 else ""
        report.left("homes", f"人口表 {path.name} 的行", int(bad.sum()), text + lost, rows[bad])
    good = (reason == "").to_numpy()
    if not good.any():
        raise SourceError(f"{path.name}：没有一行能用。{'；'.join(dict.fromkeys(reason))}")
    _refuse_repeats(ids[good], path)
    homes = gpd.GeoDataFrame(
        {"home": ids[good].to_numpy(), "name": _column(table, columns.get("name"))[good]},
        geometry=points[good],
        crs=LONLAT,
    )
    for column in _COUNTS:
        homes[column] = numbers[column][good].to_numpy() if column in numbers else np.nan
    total = f"，人口合计 {homes['people'].sum():.15g}" if "people" in numbers else "，没有人口列，人口留空"
    report.took("homes", f"人口表 {path.name} 的点", len(homes), f"共 {len(table)} 行{total}")
    beyond = shapely.distance(homes.to_crs(metric).geometry.array, extent) > 1000 * BEYOND_KM
    if beyond.any():
        said = f"离街道网 {BEYOND_KM:g} 公里以上：文件里没有那里的街道，走不到任何设施。换范围更大的提取文件"
        report.note("homes", f"{int(beyond.sum())} 个点", said, homes.loc[beyond, "home"])
    return homes


_COUNTS = ("households", "people", "people_60plus")


def _column(table: pd.DataFrame, column: str | None) -> np.ndarray:
    return np.full(len(table), None, dtype=object) if column is None else table[column].to_numpy(dtype=object)


def home_columns(columns: Sequence[str], file: str) -> dict[str, str]:
    """
    Return which column of a table of homes means what: `home`, `name`, `lon`, `lat`, `x`, `y`, `people` and so on.

    Raises
    ------
    SourceError
        ``people.csv：没有坐标列``.
    """
    lower = {c.lower().replace(" ", ""): c for c in reversed(columns)}
    found: dict[str, str] = {}
    for meaning, names in _HOME_COLUMNS.items():
        column = next((lower[n] for n in names if n in lower and lower[n] not in found.values()), None)
        if column is not None:
            found[meaning] = column
    if not ({"lon", "lat"} <= set(found) or {"x", "y"} <= set(found)):
        raise SourceError(
            f"{file}：没有坐标列（现有列：{'、'.join(columns)}）。加上 lon、lat（经纬度），或 x、y（并说明坐标系）"
        )
    return found


def _recognise(table: pd.DataFrame, path: Path, report: _Report) -> dict[str, str]:
    """Return which column of the table means what; the rest is listed in the report."""
    found = home_columns(list(table.columns), path.name)
    ignored = [c for c in table.columns if c not in found.values()]
    if ignored:
        report.note("homes", f"人口表 {path.name} 的列", "不认识，已忽略", ignored)
    if "home" not in found:
        report.note("homes", f"人口表 {path.name} 的编号", "没有 id 列，按行号编为 h1、h2……")
    return found


def _points(
    table: pd.DataFrame, columns: Mapping[str, str], path: Path, metric: pyproj.CRS, given_crs: bool
) -> np.ndarray:
    """Return one point per row in EPSG:4326; missing where a coordinate is not a number or not on earth."""
    across, up = ("lon", "lat") if {"lon", "lat"} <= set(columns) else ("x", "y")
    x = pd.to_numeric(table[columns[across]], errors="coerce").to_numpy(dtype="float64")
    y = pd.to_numeric(table[columns[up]], errors="coerce").to_numpy(dtype="float64")
    degrees = np.nanmax(np.abs(x), initial=0) <= 180 and np.nanmax(np.abs(y), initial=0) <= 90
    if across == "x" and not degrees:
        if not given_crs:
            raise SourceError(f"{path.name}：x、y 不是经纬度。用 crs（--crs）说明它们所在的投影坐标系")
        x, y = pyproj.Transformer.from_crs(metric, LONLAT, always_xy=True).transform(x, y)
    on_earth = np.isfinite(x) & np.isfinite(y) & (np.abs(x) <= 180) & (np.abs(y) <= 90)
    points = np.full(len(table), None, dtype=object)
    points[on_earth] = shapely.points(x[on_earth], y[on_earth])
    return points


def _why_not(
    table: pd.DataFrame,
    columns: Mapping[str, str],
    points: np.ndarray,
    numbers: Mapping[str, pd.Series],
    extent: Any,
    metric: pyproj.CRS,
) -> pd.Series:
    """Return why each row cannot be taken, "" where it can."""
    reason = pd.Series("", index=table.index, dtype="object")
    missing = shapely.is_missing(points)
    reason[missing] = "坐标是空的、不是数，或不在经纬度范围内"
    placed = np.flatnonzero(~missing)
    where = gpd.GeoSeries(points[placed], crs=LONLAT).to_crs(metric)
    away = np.asarray(shapely.distance(where.array, extent))
    for i in placed[~(away <= FAR_KM * 1000)]:
        reason.iloc[i] = f"离街道网 {FAR_KM:g} 公里以上，经纬度可能写反或坐标系不对"
    for column, values in numbers.items():
        wrong = (table[columns[column]].notna() & ~np.isfinite(values)) | (values < 0)
        if column == "households":
            wrong |= values.notna() & (values != values.round())
        reason[wrong & (reason == "")] = f"{columns[column]} 不是 0 或更大的{'整' if column == 'households' else ''}数"
    if "people" in numbers and "people_60plus" in numbers:
        wrong = numbers["people_60plus"] > numbers["people"]
        reason[wrong & (reason == "")] = "60岁及以上人口大于常住人口"
    return reason


def _refuse_repeats(ids: pd.Series, path: Path) -> None:
    if ids.isna().any():
        raise SourceError(f"{path.name}：有 {int(ids.isna().sum())} 行没有编号。每行一个自己的编号，或删去编号列")
    repeated = list(dict.fromkeys(ids[ids.duplicated()]))
    if repeated:
        raise SourceError(f"{path.name}：编号重复：{_some(repeated)}。每行用自己的编号")


# --- layers ----------------------------------------------------------------------------------------------------------


def _layer(name: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]], crs: Any = LONLAT) -> gpd.GeoDataFrame:
    """Return found rows as a frame whose first column is the layer's key, ordered by id: nodes, relations, ways."""
    ordered = sorted(rows, key=lambda row: (row[0][0], int(row[0].split("-")[0][1:]), row[0]))
    frame = pd.DataFrame([row[:-1] for row in ordered], columns=[LAYERS[name].key, *columns])
    return gpd.GeoDataFrame(frame, geometry=[row[-1] for row in ordered], crs=crs)


def _split_lines(rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Give each piece of a line its own row: the first keeps the way's id, the others are numbered."""
    flat: list[tuple[Any, ...]] = []
    for ref, *rest, shapes in rows:
        if isinstance(shapes, list):
            flat += [(ref if i == 0 else f"{ref}-{i + 1}", *rest, shape) for i, shape in enumerate(shapes)]
        else:
            flat.append((ref, *rest, shapes))
    return flat


def _facilities(found: _Found, labels: Mapping[str, str], report: _Report) -> gpd.GeoDataFrame:
    frame = _layer("facilities", ["name", "kind", "note"], found.rows.get("facilities", []))
    doubtful = frame["note"].str.startswith("须人工确认")
    frame["note"] = frame["note"].where(doubtful)
    for kind, label in labels.items():
        chosen = frame["kind"] == kind
        unsure = int((chosen & doubtful).sum())
        remark = f"其中 {unsure} 处须人工确认（见各行备注）" if unsure else ""
        report.took("facilities", f"{label}（{kind}）", int(chosen.sum()), remark, frame.loc[chosen, "facility"])
    absent = [label for kind, label in labels.items() if not (frame["kind"] == kind).any()]
    if absent:
        report.note("facilities", "有对照规则而没有找到", "不能断定没有，按数据不足处理", absent)
    report.left("facilities", "停用的", len(found.closed_down), "标为 disused/abandoned", found.closed_down)
    report.left("facilities", "画成线或一般关系的", len(found.lines), "不是点也不是面", found.lines)
    if found.several:
        report.note("facilities", "合几条规则", "取对照表里靠前的一条", found.several)
    if found.unmatched:
        named = [f"{tag}×{n}" for tag, n in sorted(found.unmatched.items(), key=lambda item: (-item[1], item[0]))]
        report.left(
            "facilities", "没有对照规则", sum(found.unmatched.values()), "要计入就在 osm_tags.csv 里加一行", named
        )
    return frame


def _homes_from_map(found: _Found, report: _Report) -> gpd.GeoDataFrame:
    """Return residential buildings, and residential land that has none, as homes; people unknown."""
    rows = found.rows.get("homes", [])
    land, houses, maybe = ([row for row in rows if row[2] == value] for value in ("land", "house", "unsure"))
    shapes = np.array([row[-1] for row in land], dtype=object)
    inside = np.zeros(len(maybe), dtype=bool)
    if land and maybe:
        centres = shapely.point_on_surface(np.array([row[-1] for row in maybe], dtype=object))
        inside[shapely.STRtree(shapes).query(centres, predicate="intersects")[0]] = True
    more = [row for row, i in zip(maybe, inside, strict=True) if i]
    bare = land
    if land and (houses or more):
        centres = shapely.point_on_surface(np.array([row[-1] for row in (*houses, *more)], dtype=object))
        built = set(shapely.STRtree(shapes).query(centres, predicate="intersects")[1].tolist())
        bare = [row for i, row in enumerate(land) if i not in built]
    report.took("homes", "住宅楼", len(houses), "人口留空", [row[0] for row in houses])
    report.took("homes", "住宅用地里的楼（building=yes）", len(more), "人口留空", [row[0] for row in more])
    report.took("homes", "没有画楼的住宅用地", len(bare), "人口留空", [row[0] for row in bare])
    report.left("homes", "用途不明的楼（building=yes）", len(maybe) - len(more), "不在住宅用地里")
    _report_unbuilt("homes", found, report)
    frame = _layer("homes", ["name", "value"], [*bare, *more, *houses]).drop(columns="value")
    for column in _COUNTS:
        frame[column] = np.nan
    return frame


def _map_layers(found: _Found, labels: Mapping[str, str], report: _Report) -> dict[str, gpd.GeoDataFrame]:
    """Return facilities, green, water, barriers and land use as frames in EPSG:4326."""
    rows = found.rows
    frames = {
        "facilities": _facilities(found, labels, report),
        "green": _layer("green", ["name", "value"], rows.get("green", [])).drop(columns="value"),
        "water": _layer("water", ["name", "value"], _split_lines(rows.get("water", []))).drop(columns="value"),
        "barriers": _layer("barriers", ["name", "kind"], _split_lines(rows.get("barriers", []))),
        "landuse": _layer("landuse", ["name", "use"], rows.get("landuse", [])),
    }
    for name in ("green", "water", "landuse"):
        report.took(name, LAYERS[name].label, len(frames[name]), "", frames[name]["id"])
    for kind, label in (("railway", "铁路"), ("expressway", "高速公路和机动车专用路"), ("canal", "河渠")):
        chosen = frames["barriers"]["kind"] == kind
        report.took("barriers", label, int(chosen.sum()), "隧道、桥上的不算", frames["barriers"].loc[chosen, "barrier"])
    broken = list(dict.fromkeys(found.broken_lines))
    report.left("barriers", "河渠、铁路、高速公路", len(broken), "节点都在文件以外", broken)
    for name in frames:
        _report_unbuilt(name, found, report)
    return frames


def _report_unbuilt(name: str, found: _Found, report: _Report) -> None:
    refs = [ref for ref, layer in found.unbuilt.items() if layer == name]
    report.left(name, "面", len(refs), "轮廓不完整（文件裁剪时缺了部分），或外圈不闭合", refs)


def _streets(path: Path, walk_filter: str | Path | None, report: _Report) -> gpd.GeoDataFrame:
    """Return the walkable ways of the extract, and report those that are not."""
    if walk_filter is not None and not Path(walk_filter).is_file():
        raise SourceError(f"文件不存在：{Path(walk_filter).name}。这是步行规则（walk_filter.toml），不写就用自带的")
    try:
        streets = read_osm_streets(path, walk_filter=walk_filter)
    except NetworkError as error:
        raise SourceError(f"{path.name}：{error}") from error
    except RuntimeError as error:
        raise SourceError(f"{path.name} 读不出来（{error}）。文件不完整或不是 OSM 数据，请重新下载") from error
    return _reported(streets, excluded_ways(path, walk_filter=walk_filter), path, report)


def _streets_alone(path: Path, walk_filter: str | Path | None, report: _Report) -> tuple[gpd.GeoDataFrame, _Origin]:
    """Return the streets of a file that has nothing else, and where they come from."""
    read = read_street_file(path, walk_filter=walk_filter)
    for note in read.notes:
        report.note("streets", path.name, note)
    report.note(
        "facilities", "设施、用地、水系", f"{path.name} 只有街道；设施和居住点用 add 命令加，或改用 OSM 提取文件"
    )
    origin = _osm_origin(f"OpenStreetMap 街道文件 {path.name}", read.day) if read.from_osm else None
    return _reported(read.streets, read.excluded, path, report), origin or _own_origin(path.name, read.day)


def _reported(streets: gpd.GeoDataFrame, left: pd.DataFrame, path: Path, report: _Report) -> gpd.GeoDataFrame:
    """Report what is taken as a street and what is not, and why; return the streets with their id as a column."""
    if streets.empty:
        raise SourceError(f"{path.name} 里没有可步行的道路。检查是否取错了范围，或步行规则（walk_filter.toml）过严")
    report.took("streets", "可步行的道路", len(streets), "", streets.index.astype(str))
    for reason, rows in left.groupby("reason", sort=False):
        report.left("streets", "道路", len(rows), str(reason), rows["way"].astype(str))
    return streets.rename_axis("street").reset_index()


def left_out(path: str | Path, *, walk_filter: str | Path | None = None) -> pd.DataFrame:
    """
    List every road of a file that is not walkable, with the reason.

    Parameters
    ----------
    path
        What `import_osm` reads.
    walk_filter
        Rules in place of the bundled `walk_filter.toml`.

    Returns
    -------
    DataFrame
        Index `way`; columns `name`, `class`, `reason`, in the order of the file.

    Raises
    ------
    SourceError
        The file, or the rules, cannot be read.
    """
    source = Path(path)
    check_extract(source)
    if is_street_file(source):
        return read_street_file(source, walk_filter=walk_filter).excluded.set_index("way")
    return excluded_ways(source, walk_filter=walk_filter).set_index("way")


def _metric(streets: gpd.GeoDataFrame, crs: Any) -> pyproj.CRS:
    """Return the projected CRS in metres: the one given, else the UTM zone of the streets."""
    if crs is None:
        found: pyproj.CRS = streets.estimate_utm_crs()
        return found
    try:
        metric = pyproj.CRS.from_user_input(crs)
    except pyproj.exceptions.CRSError as error:
        raise SourceError(f"不认识的坐标系 {crs}。写 EPSG 代码") from error
    if not metric.is_projected or any(axis.unit_name != "metre" for axis in metric.axis_info):
        raise SourceError(f"{crs} 不是以米为单位的投影坐标系。换成当地的投影带，或不写（自动取 UTM 带）")
    return metric


def _outline(
    streets: gpd.GeoDataFrame, homes: gpd.GeoDataFrame, boundary: str | Path | None, metric: pyproj.CRS, report: _Report
) -> tuple[Any, str]:
    """Return the district's outline in `metric`, and its basis: as given, or the hull of streets and homes."""
    if boundary is None:
        shapes = [*streets.to_crs(metric).geometry, *homes.to_crs(metric).geometry]
        report.note(
            "district", "街道界", f"没有给出，取街道和居住点的外包络（外扩 {OUTLINE_MARGIN_M:g} 米），不是法定界线"
        )
        return shapely.convex_hull(shapely.GeometryCollection(shapes)).buffer(OUTLINE_MARGIN_M, quad_segs=2), "derived"
    path = Path(boundary)
    if not path.is_file():
        raise SourceError(f"文件不存在：{path.name}。街道界可用 GeoJSON 或 GeoPackage 的面")
    try:
        frame = gpd.read_file(path)
    except Exception as error:
        raise SourceError(
            f"{path.name} 读不出来（{str(error).splitlines()[0]}）。街道界可用 GeoJSON 或 GeoPackage 的面"
        ) from error
    if not isinstance(frame, gpd.GeoDataFrame) or frame.crs is None:
        raise SourceError(f"{path.name} 没有坐标系或没有图形。另存为带坐标系的 GeoPackage")
    shape = _polygon(shapely.union_all(frame.to_crs(metric).geometry.array))
    if shape is None:
        raise SourceError(f"{path.name} 里没有面。街道界应为面")
    if not shapely.intersects(shape, shapely.box(*streets.to_crs(metric).total_bounds)):
        raise SourceError(f"{path.name} 和 OSM 数据不在一处。检查两者的范围和坐标系")
    report.took("district", "街道界", 1, f"来自 {path.name}")
    return shape, "official"


def _inside(homes: gpd.GeoDataFrame, outline: Any, metric: pyproj.CRS, report: _Report) -> gpd.GeoDataFrame:
    """Return the homes of the district; those beyond a given boundary belong to its neighbours."""
    points = shapely.point_on_surface(homes.to_crs(metric).geometry.array)
    inside = shapely.intersects(points, outline)
    if not inside.all():
        people = homes.loc[~inside, "people"].sum()
        lost = f"；人口合计 {people:.15g}" if people > 0 else ""
        report.left(
            "homes", "街道界以外的居住点", int((~inside).sum()), f"属于邻近街道{lost}", homes.loc[~inside, "home"]
        )
    return homes[inside].reset_index(drop=True)


# --- writing ---------------------------------------------------------------------------------------------------------


def _write_layer(folder: Path, name: str, frame: gpd.GeoDataFrame, day: str) -> tuple[str, str]:
    """
    Write one layer and return its file name (relative) and CRS.

    Streets and everything with many rows go to a GeoPackage (opens fast, QGIS edits it); the rest to GeoJSON.
    """
    many = name == "streets" or len(frame) > MANY
    file = f"{LAYERS[name].folder}/{name}.{'gpkg' if many else 'geojson'}"
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    if not many:
        # OSM keeps seven decimals (a centimetre): more would be noise, and fewer would move shared corners apart.
        pyogrio.write_dataframe(frame, path, driver="GeoJSON", layer=name, COORDINATE_PRECISION=7, WRITE_NAME="YES")
        return file, str(frame.crs)
    before = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
    # A GeoPackage stores when it was written: the date of the data instead, so that same inputs give same bytes.
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": f"{day}T00:00:00.000Z"})
    try:
        pyogrio.write_dataframe(frame, path, driver="GPKG", layer=name)
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": before})
    return file, str(frame.crs)


def _toml(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_toml(v) for v in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def _write_manifest(folder: Path, head: Mapping[str, Any], layers: Mapping[str, Mapping[str, Any]]) -> None:
    lines = [f"{key} = {_toml(value)}" for key, value in head.items()]
    for name, entry in layers.items():
        lines += ["", f"[layers.{name}]", *(f"{key} = {_toml(value)}" for key, value in entry.items())]
    (folder / MANIFEST).write_text("\n".join(lines) + "\n", "utf-8", newline="\n")


def _seal(folder: Path, report: pd.DataFrame) -> None:
    """Write the report, and the hash of every file: a later import sees by it what a person has changed since."""
    inner = folder / "import"
    inner.mkdir()
    report.to_csv(inner / "report.csv", encoding="utf-8-sig", lineterminator="\n")
    hashes = [(f.relative_to(folder).as_posix(), _sha256(f)) for f in sorted(folder.rglob("*")) if f.is_file()]
    table = pd.DataFrame(hashes, columns=["file", "sha256"])
    table.to_csv(inner / "files.csv", index=False, encoding="utf-8-sig", lineterminator="\n")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _may_write(target: Path, overwrite: bool) -> None:
    """Refuse a target that holds anything but an earlier import, untouched since."""
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    if not target.is_dir():
        raise SourceError(f"{target.name} 已经有这个文件。换一个文件夹名")
    seal = target / "import" / "files.csv"
    if not seal.is_file():
        raise SourceError(f"文件夹 {target.name} 不是空的，也不是以前导入的结果。换一个文件夹，以免盖掉里面的东西")
    if not overwrite:
        raise SourceError(
            f"文件夹 {target.name} 里已有以前导入的结果。要重新导入就加 --overwrite（overwrite=True），或换一个文件夹"
        )
    known = _read_csv(seal).set_index("file")["sha256"].to_dict()
    mine = {"import/files.csv"}
    changed = [
        name
        for name in sorted(f.relative_to(target).as_posix() for f in target.rglob("*") if f.is_file())
        if name not in mine and known.get(name) != _sha256(target / name)
    ]
    if changed:
        raise SourceError(
            f"文件夹 {target.name} 导入以后又改过：{_some(changed)}。先把这些文件移走，或导入到另一个文件夹"
        )


def _swap(fresh: Path, target: Path) -> None:
    """Put the finished folder in the place of the old one; the old one stays until the new one is there."""
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}-old-", dir=target.parent))
    had = target.exists()
    if had:
        os.replace(target, aside / target.name)
    try:
        os.replace(fresh, target)
    except OSError:
        if had:
            os.replace(aside / target.name, target)
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


# --- the import ------------------------------------------------------------------------------------------------------


@told("导入地图数据", 6)
def import_osm(
    path: str | Path,
    out: str | Path,
    *,
    homes: str | Path | None = None,
    boundary: str | Path | None = None,
    name: str | None = None,
    code: str | None = None,
    crs: Any = None,
    walk_filter: str | Path | None = None,
    osm_tags: str | Path | None = None,
    all_inside: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """
    Build a complete district folder from an OSM extract.

    Parameters
    ----------
    path
        The extract: .osm.pbf, .osm, .osm.gz or .osm.bz2; clipped ones load. Or a file of streets alone: .graphml as
        OSMnx saves it, or a layer of lines (.gpkg, .geojson, .fgb, .shp).
    out
        The folder to make. It must be new, empty, or (with `overwrite`) an earlier import nobody has edited since.
    homes
        A CSV of people: columns id, lon and lat (or x and y: degrees, or metres in `crs`), people or population,
        optional name, households, people_60plus. Without it residential buildings, and residential land without
        buildings, are the homes, their people unknown.
    boundary
        A file with the district's polygon. Without it: the hull of streets and homes, basis derived. Homes beyond a
        given boundary are left out; streets and facilities beyond it are kept, people walk across boundaries.
    name, code
        Of the district; by default the file's name.
    crs
        The projected CRS in metres to compute in; by default the UTM zone of the streets.
    walk_filter, osm_tags
        Files in place of the bundled walk filter and tag table; they are kept in the folder.
    all_inside
        The table of homes holds this district's homes only: none is left out for lying a centimetre beyond its edge.
    overwrite
        Replace an earlier import.
    progress
        Called with the name of each step.

    Returns
    -------
    report
        What was taken and what was left out: index layer; columns `what`, `taken`, `left_out` (counts), `reason`,
        `examples`.
        The same table lies in the folder as `import/report.csv`.

    Raises
    ------
    SourceError
        ``文件不存在：city.osm.pbf``. In every failure nothing is left behind and an old folder is untouched.
    """
    source, target = Path(path), Path(out).resolve()
    tell = progress or (lambda text: None)
    check_extract(source)
    _may_write(target, overwrite)
    rules = read_tag_rules(osm_tags)
    labels = _labels(rules)
    report = _Report()
    tell("读道路")
    if is_street_file(source):
        streets, origin = _streets_alone(source, walk_filter, report)
        metric = _metric(streets, crs)
        found, layers = _Found(), {}
    else:
        streets = _streets(source, walk_filter, report)
        metric = _metric(streets, crs)
        origin = _osm_origin(f"OpenStreetMap 提取文件 {source.name}", _date_of(source, report))
        tell("读设施、用地、水系")
        found = _read_extract(source, rules)
        layers = _map_layers(found, labels, report)
    if homes is None:
        people = _homes_from_map(found, report)
    else:
        extent = shapely.box(*streets.to_crs(metric).total_bounds)
        people = _homes_from_table(Path(homes), metric, crs is not None, extent, report)
    outline, basis = _outline(streets, people, boundary, metric, report)
    if boundary is not None and len(people) and not (all_inside and homes is not None):
        people = _inside(people, outline, metric, report)
    if people.empty:
        report.note("homes", "居住点", "没有：文件里没有住宅楼和住宅用地。用 homes（--homes）给出居住点和人口的 CSV 表")
    name, code = name or _stem(source), code or _stem(source)
    border = gpd.GeoDataFrame({"code": [code], "name": [name]}, geometry=[outline], crs=metric)
    layers = {"district": border.to_crs(LONLAT), "homes": people, **layers, "streets": streets.to_crs(metric)}
    layers = {layer: frame for layer, frame in layers.items() if len(frame)}
    head = _head(name, code, metric, origin, layers.get("facilities"), labels, public=homes is None)
    head["without"] = [layer for layer in ON_THE_WAY if layer not in layers]
    entries = {layer: _entry(layer, origin, homes, boundary, basis) for layer in layers}
    tell("写入文件夹")
    _write_folder(
        target, head, layers, entries, origin.date, report, {"walk_filter": walk_filter, "osm_tags": osm_tags}
    )
    return report.frame()


def _stem(path: Path) -> str:
    lower = path.name.lower()
    suffix = max((s for s in (*OSM_SUFFIXES, *STREET_SUFFIXES) if lower.endswith(s)), key=len)
    return path.name[: -len(suffix)] or "osm"


def _head(
    name: str,
    code: str,
    metric: pyproj.CRS,
    origin: _Origin,
    facilities: gpd.GeoDataFrame | None,
    labels: Mapping[str, str],
    *,
    public: bool,
) -> dict[str, Any]:
    """Return the first part of the manifest."""
    authority = metric.to_authority()
    present = set() if facilities is None else set(facilities["kind"])
    return {
        "schema": SCHEMA_VERSION,
        "name": name,
        "code": code,
        "crs": ":".join(authority) if authority else metric.to_wkt(),
        "data_year": int(origin.date[:4]),
        "surveyed_kinds": [kind for kind in labels if kind in present],
        "survey_note": SURVEY_NOTE,
        "credit": origin.credit,
        "secrecy": origin.secrecy if public else "internal",
        "made_by": MADE_BY,
    }


class _Origin(NamedTuple):
    """Where the streets come from, and with them whatever is not given by a file of its own."""

    basis: str
    source: str
    licence: str
    date: str
    secrecy: str
    credit: str


def _osm_origin(source: str, day: str) -> _Origin:
    return _Origin("osm", source, "ODbL 1.0", day, "public", CREDIT)


def _own_origin(file: str, day: str) -> _Origin:
    # Nobody has said how these lines were drawn, so they are not called official; nor public.
    return _Origin("derived", f"街道文件 {file}（来源未说明）", "见原文件", day, "internal", f"街道：{file}")


def _entry(layer: str, origin: _Origin, homes: str | Path | None, boundary: str | Path | None, basis: str) -> Any:
    """Return a layer's provenance."""
    entry = {**origin._asdict()}
    del entry["credit"]
    if layer == "homes" and homes is not None:
        own = {"basis": "derived", "source": f"人口表 {Path(homes).name}", "licence": "见原表", "secrecy": "internal"}
        return {**entry, **own}
    if layer == "district" and boundary is not None:
        own = {"source": f"边界文件 {Path(boundary).name}", "licence": "见原文件", "secrecy": "internal"}
        return {**entry, "basis": basis, **own}
    if layer == "district":
        return {**entry, "basis": basis, "note": "街道和居住点的外包络，不是法定界线"}
    return entry


def _write_folder(
    target: Path,
    head: Mapping[str, Any],
    layers: Mapping[str, gpd.GeoDataFrame],
    entries: Mapping[str, dict[str, Any]],
    day: str,
    report: _Report,
    tables: Mapping[str, str | Path | None],
) -> None:
    """Write everything beside the target, read it back through the district's own door, and swap it in."""
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{target.name}-new-", dir=target.parent))
    try:
        full: dict[str, dict[str, Any]] = {}
        for layer, frame in layers.items():
            file, crs = _write_layer(fresh, layer, frame, day)
            full[layer] = {"file": file, "crs": crs, **entries[layer]}
        if tables["osm_tags"] is not None:
            file = f"{LAYERS['osm_tags'].folder}/osm_tags.csv"
            shutil.copyfile(tables["osm_tags"], fresh / file)
            full["osm_tags"] = {"file": file}
        if tables["walk_filter"] is not None:
            shutil.copyfile(tables["walk_filter"], fresh / LAYERS["streets"].folder / "walk_filter.toml")
        _write_manifest(fresh, head, full)
        try:
            District.load(fresh)
        except DataError as error:
            raise SourceError(f"导入的数据没有通过检查：{error}") from error
        _seal(fresh, report.frame())
        os.chmod(fresh, 0o755)  # a temporary folder is private; a district is not
        _swap(fresh, target)
    except (OSError, pyogrio.errors.DataSourceError) as error:
        raise EnvironmentProblem(
            f"写不进 {target.name}（{error}）。检查磁盘空间和权限，关闭正打开其中文件的程序"
        ) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


# --- fetching --------------------------------------------------------------------------------------------------------


def box_to_fetch(
    *, bbox: Sequence[float] | None = None, district: District | None = None
) -> tuple[float, float, float, float]:
    """
    Return the box that would leave this machine: with a walk's margin, rounded outwards to 0.01 degree.

    Parameters
    ----------
    bbox
        West, south, east, north in degrees.
    district
        Instead of a box: the district to fetch for.

    Raises
    ------
    SourceError
        Neither or both given, no box, too large, or a layer of the district is marked secret.
    """
    if (bbox is None) == (district is None):
        raise SourceError("范围和街道目录给一个：--bbox 西,南,东,北 或 --for 目录")
    if district is None:
        values = tuple(float(v) for v in bbox or ())
        if len(values) != 4:
            raise SourceError("范围要四个数：西,南,东,北")
        return _overpass.rounded((values[0], values[1], values[2], values[3]))
    refuse_secret(district.manifest, district.manifest.get("layers", {}), "联网下载；请在外网机上用 --bbox 另行下载")
    own = next((district.layers[n] for n in ("district", "zones", "homes", "streets") if n in district.layers), None)
    if own is None or own.empty:
        raise SourceError("街道目录里没有可以定范围的图层；请用 --bbox 西,南,东,北")
    west, south, east, north = own.to_crs(LONLAT).total_bounds
    return _overpass.rounded((float(west), float(south), float(east), float(north)))


def fetch(
    out: str | Path,
    box: tuple[float, float, float, float],
    *,
    hosts: Sequence[str] = _overpass.HOSTS,
    patience: _overpass.Patience | None = None,
    progress: Progress | None = None,
    **importing: Any,
) -> pd.DataFrame:
    """
    Download OpenStreetMap for a box and import it as a district folder: the same path as a local extract.

    Parameters
    ----------
    out
        The district folder to make; answers are kept beside it in `NAME.download/`, so that a broken download goes on.
    box
        From `box_to_fetch`: nothing else leaves this machine.
    hosts, patience
        Servers, and how long to try.
    importing
        Further parameters of `import_osm` (homes, name, code, crs, overwrite).

    Returns
    -------
    report
        As `import_osm`.

    Raises
    ------
    EnvironmentProblem
        No network or no server; the message names the way with a local file.
    SourceError
        Refused by the servers, or nothing usable in the answer.
    """
    target = Path(out)
    _may_write(target, bool(importing.get("overwrite", False)))
    kept = target.with_name(target.name + ".download")
    say = progress or (lambda _: None)
    file = _overpass.download(box, kept, hosts=hosts, say=lambda text: (say(text), None)[1], patience=patience)
    return import_osm(file, target, progress=progress, **importing)
