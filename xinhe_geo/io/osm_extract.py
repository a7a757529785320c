"""One pass over an OpenStreetMap extract: every object sorted into the layers it belongs to, and what day it stands for."""

from __future__ import annotations

import bz2
import gzip
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import geopandas as gpd
import osmium
import pandas as pd
import shapely
from osmium.osm import Area, Node, Relation, Way

from ..core import SourceError, apart, say
from ..network import (
    Extract,
    WalkFilter,
    WalkRules,
    excluded_ways,
    in_order,
    own_id,
    processor,
    read_osm_streets,
    walk_rules,
)
from .street_files import SUFFIXES as STREET_SUFFIXES
from .tag_rules import TagRule, Tags, layer_rules, read_tag_rules

OSM_SUFFIXES = (".osm", ".osm.gz", ".osm.bz2", ".osm.pbf", ".pbf")
#: Keys under which the map keeps what a planner may look for; what has one and no rule is named in the report.
_SUBJECTS = ("amenity", "shop", "healthcare", "leisure", "craft", "office", "social_facility", "public_transport")
#: How high a storey is, where a building says how high it is; one of more storeys than that is a slip of the pen.
STOREY_M, MOST_STOREYS = 3.0, 200.0
_LIFECYCLE = ("disused", "abandoned", "demolished", "razed", "removed")


#: By form (point, line, area): the layers, and what puts an object into each.
Forms: TypeAlias = Mapping[str, Sequence[tuple[str, TagRule]]]
#: What an extract holds; areas are put together from closed ways and relations.
Entity = Node | Way | Relation | Area


class OfMap(NamedTuple):
    """What an extract gives: its streets and the ways that are none, the day it stands for and how that was found, the rest."""

    streets: gpd.GeoDataFrame
    excluded: pd.DataFrame
    day: str
    by: str  # "": the file says it; "newest": of its objects; "file": when the file was changed
    found: Found


@dataclass
class Found:
    """What one pass over the extract found, before it is turned into layers."""

    rows: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)
    unbuilt: dict[str, str] = field(default_factory=dict)  # areas that should have come and have not: ref -> layer
    several: list[str] = field(default_factory=list)
    closed_down: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    unmatched: dict[str, int] = field(default_factory=dict)
    broken_lines: list[str] = field(default_factory=list)
    levels: dict[str, float] = field(default_factory=dict)  # storeys of the buildings that say so

    def add(self, layer: str, row: tuple[Any, ...]) -> None:
        """Put a row into a layer."""
        self.rows.setdefault(layer, []).append(row)


def check_extract(path: Path) -> None:
    """Refuse what is not an OSM file, before anything is read."""
    if not path.exists():
        raise SourceError(
            say("文件不存在：{0}。检查路径；需要 OSM 数据（.osm.pbf、.osm、.osm.gz、.osm.bz2）", path.name)
        )
    if path.is_dir():
        raise SourceError(say("{0} 是文件夹，不是 OSM 数据文件", path.name))
    if not path.name.lower().endswith((*OSM_SUFFIXES, *STREET_SUFFIXES)):
        known = say("、").join((*OSM_SUFFIXES[:4], *STREET_SUFFIXES))
        raise SourceError(say("{0} 不是 OSM 数据或街道文件：文件名应以 {1} 结尾", path.name, known))


def read_map(path: Path, rules: Sequence[TagRule], walk_filter: WalkFilter | None) -> OfMap:
    """
    Read what an import takes from an extract: streets by a walk filter, everything else by rules for tags.

    Raises
    ------
    SourceError
        It, or the walk filter, cannot be read.
    """
    streets, excluded, day, by, found = apart(_read_map, path, rules, layer_rules(), walk_rules(walk_filter))
    return OfMap(streets, excluded, day, by, Found(*found))


def _read_map(path: Path, rules: Sequence[TagRule], forms: Forms, walks: WalkRules) -> tuple[Any, ...]:
    with in_order(path) as extract:
        streets = read_osm_streets(extract, walk_filter=walks)
        excluded = excluded_ways(extract, walk_filter=walks)
        return streets, excluded, *_day_of(path, extract), tuple(vars(_read_extract(extract, rules, forms)).values())


def _read_extract(extract: Extract, rules: Sequence[TagRule], forms: Forms) -> Found:
    """Read nodes, ways and multipolygons once, and sort each into the layers it belongs to."""
    found = Found()
    every = [*rules, *rules_of(forms)]
    wanted = osmium.filter.KeyFilter(*_keys_of(every))
    sorter = _Sorter(rules, forms, found)
    for thing in processor(extract.file).with_areas(wanted).with_filter(wanted):
        if isinstance(thing, Entity):
            sorter.take(thing)
    return found


def rules_of(forms: Forms) -> list[TagRule]:
    """Return the rules of every form in one list."""
    return [rule for of_form in forms.values() for _, rule in of_form]


def _keys_of(rules: Iterable[TagRule]) -> list[str]:
    """Return the rules of every form in one list."""
    return sorted({key for rule in rules for key, _ in rule.tags} - {"name"} | {*_SUBJECTS})


def keys_of_interest() -> list[str]:
    """Return the tag keys by which an import with the bundled tables finds the objects it looks at, sorted."""
    return _keys_of([*read_tag_rules(), *rules_of(layer_rules())])


class _Sorter:
    """Puts each object of an extract into the layers it belongs to."""

    def __init__(self, rules: Sequence[TagRule], forms: Forms, found: Found) -> None:
        self.rules = rules
        self.forms = forms
        self.found = found
        self.by_key: dict[str, list[int]] = {}
        for i, rule in enumerate(rules):
            self.by_key.setdefault(rule.tags[0][0], []).append(i)
        self.factory = osmium.geom.WKBFactory()

    def take(self, thing: Entity) -> None:
        """Sort one node, way, relation or area; a closed way comes twice, as itself and as an area."""
        tags = {tag.k: tag.v for tag in thing.tags}
        near = sorted({i for key in tags for i in self.by_key.get(key, ())})
        rules = [self.rules[i] for i in near if self.rules[i].matches(tags)]
        if isinstance(thing, Node):
            if thing.location.valid():
                point = shapely.Point(thing.location.lon, thing.location.lat)
                self._spread(f"n{own_id(thing.id)}", tags, self._layers("point", tags), point)
                self._place(f"n{own_id(thing.id)}", tags, rules, point)
        elif isinstance(thing, Area):
            ref = f"{'w' if thing.from_way() else 'r'}{own_id(thing.orig_id())}"
            self.found.unbuilt.pop(ref, None)
            self._area(ref, tags, rules, thing)
        elif isinstance(thing, Way):
            self._way(thing, tags, rules)
        elif tags.get("type") in ("multipolygon", "boundary"):
            self._expect_area(f"r{own_id(thing.id)}", tags, rules)
        elif rules:
            self.found.lines.append(f"r{own_id(thing.id)}")

    def _way(self, way: Way, tags: Tags, rules: Sequence[TagRule]) -> None:
        ref = f"w{own_id(way.id)}"
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

    def _area(self, ref: str, tags: Tags, rules: Sequence[TagRule], area: Area) -> None:
        layers = self._layers("area", tags)
        if not layers and not rules:
            self._count(tags)
            return
        try:
            shape = area_of(shapely.from_wkb(self.factory.create_multipolygon(area)))
        except RuntimeError:
            shape = None
        if shape is None:
            self.found.unbuilt[ref] = "facilities" if rules else next(iter(layers))
            return
        self._spread(ref, tags, layers, shape)
        self._place(ref, tags, rules, shape)

    def _spread(self, ref: str, tags: Tags, layers: Mapping[str, str], shape: shapely.Geometry) -> None:
        """Put one shape into each of its layers."""
        if "homes" in layers and (levels := _levels(tags)) is not None:
            self.found.levels[ref] = levels
        for layer, value in layers.items():
            name = _house_name(tags) if layer == "homes" else tags.get("name")
            self.found.add(layer, (ref, name, tags["landuse"] if layer == "landuse" else value, shape))

    def _place(self, ref: str, tags: Tags, rules: Sequence[TagRule], shape: shapely.Geometry) -> None:
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
            self.found.several.append(say("{0}（取 {1}，也合 {2}）", ref, kind, say("、").join(others)))
        self.found.add("facilities", (ref, tags.get("name"), kind, rules[0].note, shape))

    def _count(self, tags: Tags) -> None:
        """Count what looks like a facility and has no rule, so that the report can name it."""
        key = next((k for k in _SUBJECTS if k in tags), None)
        if key is not None:
            tag = f"{key}={tags[key]}"
            self.found.unmatched[tag] = self.found.unmatched.get(tag, 0) + 1


def _pieces(way: Way) -> list[shapely.LineString]:
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


def area_of(shape: shapely.Geometry) -> shapely.Geometry | None:
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


def _levels(tags: Tags) -> float | None:
    """Return how many storeys a building says it has, or has by its height; None: it does not say."""
    for key, each in (("building:levels", 1.0), ("height", STOREY_M), ("building:height", STOREY_M)):
        if (said := re.match(r"(\d+(?:\.\d+)?) ?m?$", tags.get(key, ""))) is not None:
            storeys = max(float(said.group(1)) / each, 1.0)
            return storeys if storeys <= MOST_STOREYS else None
    return None


# --- the date of the data --------------------------------------------------------------------------------------------


def date_of(path: str | Path) -> str:
    """Return the day (YYYY-MM-DD) an extract stands for, as an import finds it."""
    return apart(_date_of, Path(path))


def _date_of(path: Path) -> str:
    with in_order(path) as extract:
        return _day_of(path, extract)[0]


def _day_of(path: Path, extract: Extract) -> tuple[str, str]:
    """Return the day (YYYY-MM-DD) the data stand for: the file's stamp, its newest object's, or the file's own; and which."""
    header = processor(extract.file).header
    for key in ("osmosis_replication_timestamp", "timestamp"):
        if re.match(r"\d{4}-\d\d-\d\d", header.get(key)):
            return str(header.get(key))[:10], ""
    if stamp := re.search(rb'osm_base="(\d{4}-\d\d-\d\d)', _first_bytes(path)):
        return stamp.group(1).decode(), ""
    things: Iterable[Any] = processor(extract.file)
    newest = max((thing.timestamp for thing in things), default=datetime(1970, 1, 1, tzinfo=UTC))
    if newest.year > 1970:
        return f"{newest:%Y-%m-%d}", "newest"
    return f"{datetime.fromtimestamp(path.stat().st_mtime, UTC):%Y-%m-%d}", "file"


def _first_bytes(path: Path, n: int = 4096) -> bytes:
    with path.open("rb") as stream:
        begins = stream.read(3)
    opener: Any = gzip.open if begins.startswith(b"\x1f\x8b") else bz2.open if begins == b"BZh" else open
    with opener(path, "rb") as stream:
        return bytes(stream.read(n))
