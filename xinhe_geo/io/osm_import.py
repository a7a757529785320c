"""
An OpenStreetMap extract or a file of streets (and a table of people) becomes a complete district folder.

Nothing is dropped in silence: whatever is taken and whatever is left out is a row of the log, with the reason, and
the same report lies in the finished folder as `import/report.csv`. A folder appears whole or not at all: it is written
beside its target and swapped in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple, TypedDict, Unpack

import geopandas as gpd
import pandas as pd
import pyproj
import shapely

from ..core import (
    BASES,
    LAYERS,
    ON_THE_WAY,
    SCHEMA_VERSION,
    TO_CONFIRM,
    UNCHECKED,
    UNSTATED,
    SourceError,
    UnknownNameError,
    crs_text,
    layer_name,
    plane_of,
    read_layer,
    reading,
    refuse_leaving,
    say,
    told,
    word,
)
from ..district import District
from ..network import excluded_ways
from . import overpass as _overpass
from .blocks import Blocks, blocks_of
from .densities import Drawn, tell_densities
from .home_cells import as_cells
from .homes_table import homes_from_table
from .import_log import ImportLog, some
from .incoming import LONLAT
from .new_folder import NewFolder, may_write, write_folder
from .osm_extract import OSM_SUFFIXES, Found, OfMap, area_of, check_extract, read_map
from .population import read_areas
from .street_files import SUFFIXES as STREET_SUFFIXES
from .street_files import is_street_file, read_street_file
from .tag_rules import TagRule, labels_of, read_tag_rules

Progress = Callable[[str], object]
#: A coordinate system as callers write it: an EPSG code, a text, or the thing itself.
Crs = pyproj.CRS | str | int

#: Written into manifests. Where `import_osm` stood at first: the same extract gives the same folder, byte for byte.
CREDIT = "© OpenStreetMap contributors, ODbL 1.0"
#: The derived outline reaches this far past the outermost street or home, so that neither lies on the line itself.
OUTLINE_MARGIN_M = 25.0


# --- layers ----------------------------------------------------------------------------------------------------------


def _layer(name: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> gpd.GeoDataFrame:
    """Return found rows as a frame in EPSG:4326, its first column the layer's key, ordered by id: nodes, relations, ways."""
    ordered = sorted(rows, key=lambda row: (row[0][0], int(re.findall(r"-?\d+", row[0])[0]), row[0]))
    frame = pd.DataFrame([row[:-1] for row in ordered], columns=[LAYERS[name].key, *columns])
    return gpd.GeoDataFrame(frame, geometry=[row[-1] for row in ordered], crs=LONLAT)


def _split_lines(rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Give each piece of a line its own row: the first keeps the way's id, the others are numbered."""
    flat: list[tuple[Any, ...]] = []
    for ref, *rest, shapes in rows:
        if isinstance(shapes, list):
            flat += [(ref if i == 0 else f"{ref}-{i + 1}", *rest, shape) for i, shape in enumerate(shapes)]
        else:
            flat.append((ref, *rest, shapes))
    return flat


_ABSENT = "有对照规则而没有找到"


def without_given(report: pd.DataFrame, kinds: set[str]) -> pd.DataFrame:
    """Return a report that calls no kind absent that came with another file."""
    told = ((report.index == "facilities") & (report["what"] == say(_ABSENT))).to_numpy()
    absent = [label for kind, label in labels_of(read_tag_rules()).items() if kind not in kinds]
    report = report.assign(examples=report["examples"].mask(told, some(absent)))
    return report if absent else report[~told]


def _facilities(found: Found, labels: Mapping[str, str], log: ImportLog) -> gpd.GeoDataFrame:
    frame = _layer("facilities", ["name", "kind", "note"], found.rows.get("facilities", []))
    doubtful = frame["note"].str.startswith(TO_CONFIRM)
    frame["note"] = frame["note"].where(doubtful)
    if doubtful.any():
        frame.insert(2, "state", pd.Series(UNCHECKED, index=frame.index).where(doubtful))
    for kind, label in labels.items():
        chosen = frame["kind"] == kind
        unsure = int((chosen & doubtful).sum())
        remark = say("其中 {0} 处须人工确认（见各行备注）", unsure) if unsure else ""
        log.took("facilities", say("{0}（{1}）", label, kind), int(chosen.sum()), remark, frame.loc[chosen, "facility"])
    absent = [label for kind, label in labels.items() if not (frame["kind"] == kind).any()]
    if absent:
        log.note("facilities", say(_ABSENT), say("不能断定没有，按数据不足处理"), absent)
    log.left("facilities", say("停用的"), len(found.closed_down), say("标为 disused/abandoned"), found.closed_down)
    log.left("facilities", say("画成线或一般关系的"), len(found.lines), say("不是点也不是面"), found.lines)
    if found.several:
        log.note("facilities", say("合几条规则"), say("取对照表里靠前的一条"), found.several)
    if found.unmatched:
        named = [f"{tag}×{n}" for tag, n in sorted(found.unmatched.items(), key=lambda item: (-item[1], item[0]))]
        log.left(
            "facilities",
            say("没有对照规则"),
            sum(found.unmatched.values()),
            say("要计入就在 osm_tags.csv 里加一行"),
            named,
        )
    return frame


def _of_the_map(
    found: Found, streets: gpd.GeoDataFrame, metric: pyproj.CRS, population: str | Path | None, log: ImportLog
) -> Blocks:
    """Return the homes of a map: its buildings in blocks, with the people of a file of areas where there is one."""
    extent = shapely.box(*streets.to_crs(metric).total_bounds)
    areas = None if population is None else read_areas(Path(population), metric, extent, log)
    blocks = blocks_of(found, streets, metric, log, areas)
    _report_unbuilt("homes", found, log)
    if blocks.homes["people"].isna().all() and len(blocks.homes):
        log.note("homes", say("人口"), say("不知道，留空；有栅格或分块的人口就用 --population，有点表就用 --homes"))
    return blocks


def _map_layers(found: Found, labels: Mapping[str, str], log: ImportLog) -> dict[str, gpd.GeoDataFrame]:
    """Return facilities, green, water, barriers and land use as frames in EPSG:4326."""
    rows = found.rows
    frames = {
        "facilities": _facilities(found, labels, log),
        "green": _layer("green", ["name", "value"], rows.get("green", [])).drop(columns="value"),
        "water": _layer("water", ["name", "value"], _split_lines(rows.get("water", []))).drop(columns="value"),
        "barriers": _layer("barriers", ["name", "kind"], _split_lines(rows.get("barriers", []))),
        "landuse": _layer("landuse", ["name", "use"], rows.get("landuse", [])),
    }
    for name in ("green", "water", "landuse"):
        log.took(name, layer_name(name), len(frames[name]), "", frames[name]["id"])
    for kind, label in (
        ("railway", say("铁路")),
        ("expressway", say("高速公路和机动车专用路")),
        ("canal", say("河渠")),
    ):
        chosen = frames["barriers"]["kind"] == kind
        log.took(
            "barriers", label, int(chosen.sum()), say("隧道、桥上的不算"), frames["barriers"].loc[chosen, "barrier"]
        )
    broken = list(dict.fromkeys(found.broken_lines))
    log.left("barriers", say("河渠、铁路、高速公路"), len(broken), say("节点都在文件以外"), broken)
    for name in frames:
        _report_unbuilt(name, found, log)
    return frames


def _report_unbuilt(name: str, found: Found, log: ImportLog) -> None:
    refs = [ref for ref, layer in found.unbuilt.items() if layer == name]
    log.left(name, say("面"), len(refs), say("轮廓不完整（文件裁剪时缺了部分），或外圈不闭合"), refs)


def _from_map(source: Path, rules: Sequence[TagRule], walk_filter: str | Path | None, log: ImportLog) -> OfMap:
    """Read an extract; report the ways that are not walkable, and how its day was found where it does not say it."""
    if walk_filter is not None and not Path(walk_filter).is_file():
        raise SourceError(
            say("文件不存在：{0}。这是步行规则（walk_filter.toml），不写就用自带的", Path(walk_filter).name)
        )
    read = read_map(source, rules, walk_filter)
    streets = _reported(read.streets, read.excluded, source.name, log)
    day = date.fromisoformat(read.day)
    if read.by == "newest":
        log.note("district", say("数据日期"), say("文件没有写日期，取其中最新的对象：{0:%Y-%m-%d}", day))
    elif read.by == "file":
        log.note(
            "district",
            say("数据日期"),
            say("文件里没有任何日期，暂取文件自己的修改日期 {0:%Y-%m-%d}；请在 district.toml 里核对", day),
        )
    return read._replace(streets=streets)


def _streets_alone(path: Path, walk_filter: str | Path | None, log: ImportLog) -> tuple[gpd.GeoDataFrame, _Origin]:
    """Return the streets of a file that has nothing else, and where they come from."""
    read = read_street_file(path, walk_filter=walk_filter)
    for note in read.notes:
        log.note("streets", path.name, note)
    log.note(
        "facilities",
        say("设施、用地、水系"),
        say("{0} 只有街道；设施和居住点用 add 命令加，或改用 OSM 提取文件", path.name),
    )
    origin = _osm_origin(f"OpenStreetMap 街道文件 {path.name}", read.day) if read.from_osm else None
    return _reported(read.streets, read.excluded, path.name, log), origin or _Origin(
        UNSTATED, f"街道文件 {path.name}（来源未说明）", "见原文件", read.day, "internal", f"街道：{path.name}"
    )


def _reported(streets: gpd.GeoDataFrame, left: pd.DataFrame, file: str, log: ImportLog) -> gpd.GeoDataFrame:
    """Report what is taken as a street and what is not, and why; return the streets with their id as a column."""
    if streets.empty and left.empty:
        raise SourceError(
            say("{0} 里没有可步行的道路：一条道路也没有。取数据时要包含道路（highway），或取了别处", file)
        )
    if streets.empty:
        raise SourceError(
            say(
                "{0} 里没有可步行的道路：{1} 条道路都不能走（{2} 等）。检查范围，或步行规则（walk_filter.toml）",
                file,
                len(left),
                word(str(left["reason"].iloc[0])),
            )
        )
    log.took("streets", say("可步行的道路"), len(streets), "", streets.index.astype(str))
    for reason, rows in left.groupby("reason", sort=False):
        log.left("streets", say("道路"), len(rows), word(str(reason)), rows["way"].astype(str))
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


def _metric(streets: gpd.GeoDataFrame, crs: Crs | None) -> pyproj.CRS:
    """Return the projected CRS in metres: the one given, else the plane of the streets, in which metres are those on the ground."""
    if crs is None:
        return plane_of(*map(float, streets.to_crs(LONLAT).total_bounds))
    try:
        metric = pyproj.CRS.from_user_input(crs)
    except pyproj.exceptions.CRSError as error:
        raise SourceError(say("不认识的坐标系 {0}。写 EPSG 代码", crs)) from error
    if not metric.is_projected or any(axis.unit_name != "metre" for axis in metric.axis_info):
        raise SourceError(say("{0} 不是以米为单位的投影坐标系。换成当地的投影带，或不写（自动取当地的平面）", crs))
    return metric


def read_outlines(path: Path) -> gpd.GeoDataFrame:
    """
    Return the outlines of districts that a file holds, as they are there.

    Raises
    ------
    SourceError
        No such file, not to be read, or without shapes, rows or a CRS.
    """
    remedy = say("街道界可用 GeoJSON 或 GeoPackage 的面")
    if not path.is_file():
        raise SourceError(say("文件不存在：{0}。{1}", path.name, remedy))
    frame = read_layer(path)
    if not isinstance(frame, gpd.GeoDataFrame) or frame.crs is None or frame.empty:
        raise SourceError(say("{0} 没有图形、没有要素或没有坐标系。另存为带坐标系的 GeoPackage", path.name))
    return frame


def _outline(
    streets: gpd.GeoDataFrame, homes: gpd.GeoDataFrame, boundary: str | Path | None, metric: pyproj.CRS, log: ImportLog
) -> shapely.Geometry:
    """Return the district's outline in `metric`: as given, or the hull of streets and homes."""
    if boundary is None:
        shapes = [*streets.to_crs(metric).geometry, *homes.to_crs(metric).geometry]
        log.note(
            "district",
            say("街道界"),
            say("没有给出，取街道和居住点的外包络（外扩 {0:g} 米），不是法定界线", OUTLINE_MARGIN_M),
        )
        return shapely.convex_hull(shapely.GeometryCollection(shapes)).buffer(OUTLINE_MARGIN_M, quad_segs=2)
    path = Path(boundary)
    frame = read_outlines(path)
    shape = area_of(shapely.union_all(frame.to_crs(metric).geometry.array))
    if shape is None:
        raise SourceError(say("{0} 里没有面。街道界应为面", path.name))
    if not shapely.intersects(shape, shapely.box(*streets.to_crs(metric).total_bounds)):
        raise SourceError(say("{0} 和 OSM 数据不在一处。检查两者的范围和坐标系", path.name))
    log.took("district", say("街道界"), 1, say("来自 {0}", path.name))
    return shape


def boundary_box(path: Path) -> tuple[float, float, float, float]:
    """Return west, south, east and north of a file with a boundary, in degrees."""
    west, south, east, north = read_outlines(path).to_crs(LONLAT).total_bounds
    return float(west), float(south), float(east), float(north)


def _inside(homes: gpd.GeoDataFrame, outline: shapely.Geometry, metric: pyproj.CRS, log: ImportLog) -> gpd.GeoDataFrame:
    """Return the homes of the district; those beyond a given boundary belong to its neighbours."""
    points = shapely.point_on_surface(homes.to_crs(metric).geometry.array)
    inside = shapely.intersects(points, outline)
    if not inside.all():
        people = homes.loc[~inside, "people"].sum()
        lost = say("；人口合计 {0:.15g}", float(people)) if people > 0 else ""
        log.left(
            "homes",
            say("街道界以外的居住点"),
            int((~inside).sum()),
            say("属于邻近街道{0}", lost),
            homes.loc[~inside, "home"],
        )
    return homes[inside].reset_index(drop=True)


# --- the import ------------------------------------------------------------------------------------------------------


@told("导入地图数据", 6)
@reading()  # one process for all that is read
def import_osm(
    path: str | Path,
    out: str | Path,
    *,
    homes: str | Path | None = None,
    population: str | Path | None = None,
    boundary: str | Path | None = None,
    name: str | None = None,
    code: str | None = None,
    crs: Crs | None = None,
    walk_filter: str | Path | None = None,
    osm_tags: str | Path | None = None,
    all_inside: bool = False,
    map_homes: bool = True,
    overwrite: bool = False,
    basis: str = UNSTATED,
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
        optional name, households, people_60plus. Without it all buildings that may be lived in, joined into blocks, and
        residential land without buildings are the homes, their people unknown.
    population
        Instead of a table: people of areas, spread over the buildings by floor area; a GeoTIFF (.tif) of people per pixel, or
        a layer of polygons with a column `people`.
    boundary
        A file with the district's polygon. Without it: the hull of streets and homes, basis derived. Homes beyond a
        given boundary are left out; streets and facilities beyond it are kept, people walk across boundaries.
    name, code
        Of the district; by default the file's name.
    crs
        The projected CRS in metres to compute in; by default the national zone (China: CGCS2000, three degrees wide) or else a local
        transverse Mercator of scale 1 through the middle of the streets.
    walk_filter, osm_tags
        Files in place of the bundled walk filter and tag table; they are kept in the folder.
    all_inside
        The table of homes holds this district's homes only: none is left out for lying a centimetre beyond its edge.
    map_homes
        Without a table of homes, those of the map; if not, there are none yet.
    overwrite
        Replace an earlier import.
    basis
        What the given homes, boundary and streets (of a file that does not say) rest on; without an answer `unstated` (依据未说明).
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
    UnknownNameError
        No such basis.
    """
    _refuse_unclear(basis, homes, population)
    source, target, log = Path(path), Path(out).resolve(), ImportLog()
    tell = progress or (lambda text: None)
    check_extract(source)
    may_write(target, overwrite, tell)
    rules = read_tag_rules(osm_tags)
    labels = labels_of(rules)
    tell(say("读道路"))
    if is_street_file(source):
        streets, origin = _streets_alone(source, walk_filter, log)
        origin = origin._replace(basis=basis) if origin.basis == UNSTATED else origin
        metric = _metric(streets, crs)
        found, layers = Found(), {}
    else:
        read = _from_map(source, rules, walk_filter, log)
        streets, found = read.streets, read.found
        metric = _metric(streets, crs)
        origin = _osm_origin(f"OpenStreetMap 提取文件 {source.name}", read.day)
        tell(say("读设施、用地、水系"))
        layers = _map_layers(found, labels, log)
        km = float(streets.to_crs(metric).length.sum()) / 1000.0
        drawn = Drawn(layers["facilities"]["kind"].value_counts(), km, len(found.rows.get("homes", [])))
        tell_densities(drawn, labels, log)
    buildings, cells = dict[str, int](), ""
    if homes is None:
        people, buildings = _of_the_map(found if map_homes else Found(), streets, metric, population, log)
    else:
        extent = shapely.box(*streets.to_crs(metric).total_bounds)
        people, cells = as_cells(homes_from_table(Path(homes), metric, crs is not None, extent, log), metric, log)
    outline = _outline(streets, people, boundary, metric, log)
    if boundary is not None and len(people) and not (all_inside and homes is not None):
        people = _inside(people, outline, metric, log)
    if people.empty and map_homes:
        told = "没有：文件里没有有人住的楼和住宅用地。用 homes（--homes）给出居住点和人口的 CSV 表"
        log.note("homes", say("居住点"), say(told))
    name, code = name or _stem(source), code or _stem(source)
    border = gpd.GeoDataFrame({"code": [code], "name": [name]}, geometry=[outline], crs=metric)
    layers = {"district": border.to_crs(LONLAT), "homes": people, **layers, "streets": streets.to_crs(metric)}
    layers = {layer: frame for layer, frame in layers.items() if len(frame)}
    kinds = [kind for kind in labels if "facilities" in layers and kind in set(layers["facilities"]["kind"])]
    head = _head(border, origin, kinds, public=homes is None and population is None)
    head["without"] = [layer for layer in ON_THE_WAY if layer not in layers]
    entries = {layer: _entry(layer, origin, homes, boundary, basis) for layer in layers}
    if "homes" in entries:
        entries["homes"] |= _of_buildings(buildings, population, origin) | ({"cells": cells} if cells else {})
    if basis == UNSTATED:
        _say_unstated(
            [n for n, file in (("homes", homes), ("district", boundary)) if file is not None and n in layers], log
        )
    tell(say("写入文件夹"))
    write_folder(target, NewFolder(head, layers, entries, origin.date, walk_filter, osm_tags), log)
    return log.frame()


def _stem(path: Path) -> str:
    lower = path.name.lower()
    suffix = max((s for s in (*OSM_SUFFIXES, *STREET_SUFFIXES) if lower.endswith(s)), key=len)
    return path.name[: -len(suffix)] or "osm"


def _head(border: gpd.GeoDataFrame, origin: _Origin, kinds: list[str], *, public: bool) -> dict[str, object]:
    """Return the first part of the manifest, for the district of a border (one row, in the CRS to compute in)."""
    return {
        "schema": SCHEMA_VERSION,
        "name": border["name"].iloc[0],
        "code": border["code"].iloc[0],
        "crs": crs_text(border.crs),
        "data_year": int(origin.date[:4]),
        "surveyed_kinds": [],
        "mapped_kinds": kinds,
        "credit": origin.credit,
        "secrecy": origin.secrecy if public else "internal",
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


def _entry(
    layer: str, origin: _Origin, homes: str | Path | None, boundary: str | Path | None, basis: str
) -> dict[str, Any]:
    """Return a layer's provenance; `basis` is what files of the user's own rest on."""
    entry: dict[str, Any] = origin._asdict()
    del entry["credit"]
    if layer == "homes" and homes is not None:
        own = {"basis": basis, "source": f"人口表 {Path(homes).name}", "licence": "见原表", "secrecy": "internal"}
        return {**entry, **own}
    if layer == "district" and boundary is not None:
        own = {"source": f"边界文件 {Path(boundary).name}", "licence": "见原文件", "secrecy": "internal"}
        return {**entry, "basis": basis, **own}
    if layer == "district":
        return {**entry, "basis": "derived", "note": "街道和居住点的外包络，不是法定界线"}
    return entry


def _refuse_unclear(basis: str, homes: str | Path | None, population: str | Path | None) -> None:
    if basis not in BASES:
        raise UnknownNameError("依据类型", basis, list(BASES))
    if homes is not None and population is not None:
        raise SourceError(say("人口只给一种：--homes（住处的点表）或 --population（栅格或面，按楼面积分）"))


def _say_unstated(layers: list[str], log: ImportLog) -> None:
    """Name the layers of files of the user's own of which nobody has said what they rest on."""
    for layer in layers:
        log.note(layer, say("依据"), say("没有说明，记为“依据未说明”；知道就写 --basis official、surveyed …（basis=）"))


def _of_buildings(buildings: dict[str, int], population: str | Path | None, origin: _Origin) -> dict[str, Any]:
    """Return what the entry of the homes says where these are blocks of buildings: how many, and whose people they are given."""
    if population is None:
        return {"buildings": buildings} if buildings.get("seen") else {}
    source = f"人口 {Path(population).name}，按楼面积分到楼；楼：{origin.source}"
    licence = f"人口见原文件；楼：{origin.licence}"
    return {"basis": "derived", "source": source, "licence": licence, "secrecy": "internal", "buildings": buildings}


class Importing(TypedDict, total=False):
    """What `fetch` hands on to `import_osm`."""

    homes: str | Path | None
    population: str | Path | None
    boundary: str | Path | None
    name: str | None
    code: str | None
    crs: Crs | None
    walk_filter: str | Path | None
    osm_tags: str | Path | None
    all_inside: bool
    overwrite: bool


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
        raise SourceError(say("范围和街道目录给一个：--bbox 西,南,东,北 或 --for 目录"))
    if district is None:
        values = tuple(float(v) for v in bbox or ())
        if len(values) != 4:
            raise SourceError(say("范围要四个数：西,南,东,北"))
        return _overpass.rounded((values[0], values[1], values[2], values[3]))
    refuse_leaving(district.manifest, "联网下载；请在外网机上用 --bbox 另行下载")
    own = next((district.layers[n] for n in ("district", "zones", "homes", "streets") if n in district.layers), None)
    if own is None or own.empty:
        raise SourceError(say("街道目录里没有可以定范围的图层；请用 --bbox 西,南,东,北"))
    west, south, east, north = own.to_crs(LONLAT).total_bounds
    return _overpass.rounded((float(west), float(south), float(east), float(north)))


def fetch(
    out: str | Path,
    box: tuple[float, float, float, float],
    *,
    hosts: Sequence[str] = _overpass.HOSTS,
    patience: _overpass.Patience | None = None,
    progress: Progress | None = None,
    **importing: Unpack[Importing],
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
    tell = progress or (lambda _: None)
    may_write(target, importing.get("overwrite", False), tell)
    file = downloaded(target, box, hosts=hosts, patience=patience, progress=progress)
    return import_osm(file, target, progress=progress, **importing)


def downloaded(
    out: str | Path,
    box: tuple[float, float, float, float],
    *,
    hosts: Sequence[str] = _overpass.HOSTS,
    patience: _overpass.Patience | None = None,
    progress: Progress | None = None,
) -> Path:
    """Download OpenStreetMap for a box and a folder to be made, and return the file; parameters and errors as `fetch`."""
    tell, target = progress or (lambda _: None), Path(out)
    kept = target.with_name(target.name + ".download")
    return _overpass.download(box, kept, hosts=hosts, tell=lambda text: (tell(text), None)[1], patience=patience)
