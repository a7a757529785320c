"""Streets from files that are not OpenStreetMap extracts: a graph saved by OSMnx (.graphml) or a layer of lines."""

from __future__ import annotations

import ast
import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from ..core import NetworkError, SourceError, apart, layers_in, read_layer, say
from ..network import graph_edges, walkable
from .incoming import LONLAT

SUFFIXES = (".graphml", ".gpkg", ".geojson", ".fgb", ".shp")
#: What the class of a street is called: OpenStreetMap's own key, Geofabrik's shapefiles, our layer of streets.
_CLASS = ("highway", "fclass", "class")
#: What a layer of streets is called where a file has several layers of lines.
_NAMES = ("edges", "streets", "roads", "lines", "道路", "路网")
_ID = ("street", "osmid", "osm_id", "id", "fid", "objectid")
#: OpenStreetMap's own word for a road of which nothing more is known.
UNKNOWN = "road"
_STREET_COLUMNS = ["street", "name", "class", "wait_s", "steps", "geometry"]
#: Letters of the tags of one line: OpenStreetMap allows 255 for each of some dozens.
_MOST_TAGS = 65_536
_OTHER_TAG = re.compile(r'"((?:[^"\\]|\\.)*)"=>"((?:[^"\\]|\\.)*)"')


class Streets(NamedTuple):
    """What a file gives: walkable `streets`, the lines `excluded` with the reason, its `day`, `notes` to report, and whether it comes from OpenStreetMap."""

    streets: gpd.GeoDataFrame
    excluded: pd.DataFrame
    day: str
    notes: list[str]
    from_osm: bool


def is_street_file(path: Path) -> bool:
    """Return whether a file's name says that it holds streets and nothing else."""
    return path.name.lower().endswith(SUFFIXES)


def read_street_file(path: Path, *, walk_filter: str | Path | None = None) -> Streets:
    """
    Read the walkable streets of a file of lines.

    Parameters
    ----------
    path
        .graphml as `osmnx.save_graphml` writes it, or .gpkg, .geojson, .fgb, .shp with one layer of lines (of several,
        the one called edges, streets, roads or lines). Lines join where they share a vertex.
    walk_filter
        As for an extract: it judges by the columns that are OpenStreetMap keys, and by `other_tags` of GDAL. A file
        without any class of street is taken whole, and a note says so.

    Returns
    -------
    Streets
        `streets` in EPSG:4326, index `street`, columns `name`, `class`, `wait_s`, `steps`, `geometry`; `excluded` with
        columns `way`, `name`, `class`, `reason`.

    Raises
    ------
    SourceError
        Not such a file, no CRS, no lines, or several layers of lines and none named like streets.
    """
    if path.name.lower().endswith(".graphml"):
        lines, day = _from_graphml(path)
    else:
        lines, day = _from_layer(path)
    notes = [] if day else [say("文件里没有日期，取文件自己的修改日期；请在 district.toml 里核对")]
    day = day or f"{datetime.fromtimestamp(path.stat().st_mtime, UTC):%Y-%m-%d}"
    lines = lines.rename(columns={c: str(c).lower() for c in lines.columns if c != lines.geometry.name})
    lines, broken = _whole_lines(lines.to_crs(LONLAT))
    if lines.empty:
        raise SourceError(say("{0} 里没有线。街道应为线：OSMnx 存的 .graphml，或一个线图层", path.name))
    street_class = next((c for c in _CLASS if c in lines.columns), None)
    if street_class is None:
        notes.append(say("没有道路等级（highway、fclass 或 class 列）：每条线都当作可步行"))
    table = _judged(lines, street_class, walk_filter)
    walk = table.pop("walk").to_numpy(dtype=bool)
    excluded = table.loc[~walk, ["street", "name", "class", "reason"]].rename(columns={"street": "way"})
    excluded = pd.concat([excluded, broken], ignore_index=True)
    streets = gpd.GeoDataFrame(table.loc[walk, _STREET_COLUMNS], crs=LONLAT).set_index("street")
    from_osm = bool({"osmid", "osm_id", "highway", "fclass"} & set(lines.columns))
    return Streets(streets, excluded, day, notes, from_osm)


# --- reading ---------------------------------------------------------------------------------------------------------


def _from_graphml(path: Path) -> tuple[gpd.GeoDataFrame, str]:
    """Return the edges of a saved graph, each street once whichever way it is listed, and the day it was made."""
    if b"<!ENTITY" in path.read_bytes().replace(b"\0", b""):  # in UTF-16 too
        raise SourceError(say("{0} 里有实体定义，不是 OSMnx 存的。用 osmnx.save_graphml 另存", path.name))
    try:
        edges, made = apart(graph_edges, path)
    except NetworkError as error:
        raise SourceError(say("{0}：{1}", path.name, error)) from error
    shapes = shapely.normalize(edges.geometry.array)  # one orientation for both directions
    identity = pd.DataFrame({"shape": shapely.to_wkb(shapes), "osmid": edges["osmid"].map(str)})
    return edges[~identity.duplicated().to_numpy()].reset_index(drop=True), made[:10]


def _from_layer(path: Path) -> tuple[gpd.GeoDataFrame, str]:
    """Return the lines of a vector file, and the day its last change is dated."""
    name = _layer_of_lines(path, layers_in(path))
    frame = read_layer(path, layer=name)
    if not isinstance(frame, gpd.GeoDataFrame) or frame.crs is None:
        raise SourceError(say("{0} 的图层 {1} 没有坐标系。在 QGIS 里指定坐标系后另存为 GeoPackage", path.name, name))
    return frame, apart(_day_of_geopackage, path, name) if path.suffix.lower() == ".gpkg" else ""


def _layer_of_lines(path: Path, layers: Iterable[tuple[str, str | None]]) -> str:
    names = [str(name) for name, kind in layers if kind is not None and "Point" not in kind and "Polygon" not in kind]
    named = [name for wanted in _NAMES for name in names if name.lower() == wanted]
    if not names:
        raise SourceError(say("{0} 里没有线图层。街道应为线", path.name))
    if len(names) > 1 and not named:
        raise SourceError(
            say(
                "{0} 有几个线图层：{1}。把街道那一层改名为 streets，或另存为只有这一层的文件",
                path.name,
                say("、").join(names),
            )
        )
    return named[0] if named else names[0]


def _day_of_geopackage(path: Path, layer: str) -> str:
    """Return the date a GeoPackage gives for the last change of a layer, "" where it gives none."""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as file:
            row = file.execute("SELECT last_change FROM gpkg_contents WHERE table_name = ?", [layer]).fetchone()
    except sqlite3.Error:
        return ""
    found = re.match(r"\d{4}-\d\d-\d\d", str(row[0])) if row else None
    return found.group() if found else ""


def _whole_lines(lines: gpd.GeoDataFrame) -> tuple[gpd.GeoDataFrame, pd.DataFrame]:
    """Return each part of each line as a row of its own, flat; and what is no line, with the reason."""
    lines = lines.explode(index_parts=False, ignore_index=True)
    shapes = shapely.force_2d(lines.geometry.array)
    kind = shapely.get_type_id(shapes)
    good = (kind == shapely.GeometryType.LINESTRING) & ~shapely.is_empty(shapes) & ~shapely.is_missing(shapes)
    finite = np.isfinite(shapely.total_bounds(shapes[good])).all() or not good.any()
    if not finite:
        good &= np.array([bool(np.isfinite(shapely.get_coordinates(shape)).all()) for shape in shapes])
    broken = pd.DataFrame({"way": [say("第 {0} 条", i + 1) for i in np.flatnonzero(~good)]})
    broken = broken.assign(name=None, **{"class": None}, reason=say("没有图形，或不是线"))
    return lines.set_geometry(gpd.GeoSeries(shapes, crs=lines.crs))[good].reset_index(drop=True), broken


# --- judging ---------------------------------------------------------------------------------------------------------


def _judged(lines: gpd.GeoDataFrame, street_class: str | None, walk_filter: str | Path | None) -> pd.DataFrame:
    """Return one row per line: `street`, `name`, `class`, `wait_s`, `steps`, `walk`, `reason`, `geometry`."""
    plain = pd.DataFrame(lines.drop(columns=lines.geometry.name))
    rows = plain.to_dict("records")
    tags = [_tags(row, street_class) for row in rows]
    # Our own layer of streets says what is walkable by being there; it has no tags to judge.
    judged = walkable(tags, walk_filter=walk_filter)
    if street_class in (None, "class"):
        judged = judged.assign(walk=True, reason="")
    table = pd.DataFrame({"street": _ids(plain)})
    table["name"] = [next((_text(row[c]) for c in ("name", "名称") if c in row), None) for row in rows]
    table["class"] = [(street_class and _text(row[street_class])) or UNKNOWN for row in rows]
    for column in ("wait_s", "steps"):
        given = plain[column] if column in plain and street_class in (None, "class") else None
        table[column] = judged[column] if given is None else given.fillna(0).astype(judged[column].dtype).to_numpy()
    return table.assign(walk=judged["walk"], reason=judged["reason"], geometry=lines.geometry.array)


def _tags(row: Mapping[str, object], street_class: str | None) -> list[dict[str, str]]:
    """Return the tags of a line: several sets where OSMnx has merged streets of several classes into one edge."""
    tags = {
        key.replace(r"\"", '"'): value
        for key, value in _OTHER_TAG.findall(str(row.get("other_tags") or "")[:_MOST_TAGS])
    }
    tags |= {key: text for key, value in row.items() if (text := _text(value)) is not None and key != "other_tags"}
    classes = _listed(row[street_class]) if street_class is not None else []
    return [{**tags, "highway": value} for value in classes] or [tags]


def _ids(plain: pd.DataFrame) -> list[str]:
    """Return a name for each line: its own where it has one, numbered where several share it."""
    column = next((c for c in _ID if c in plain.columns), None)
    given = [None] * len(plain) if column is None else [_text(value) for value in plain[column]]
    prefix = "w" if column in ("osmid", "osm_id") else ""
    seen: dict[str, int] = {}
    names = []
    for i, value in enumerate(given, start=1):
        name = f"s{i}" if value is None else f"{prefix if value[0].isdigit() else ''}{value}"
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name}-{seen[name]}")
    return names


def _listed(value: object) -> Sequence[str]:
    """Return the values of a cell that may be a list, or a list written as text, as OSMnx leaves them."""
    if isinstance(value, str) and value.startswith("["):
        text = value
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            return [text]
    if isinstance(value, (list, tuple, set)):
        return [str(part) for part in value]
    return [] if pd.isna(value) else [str(value)]


def _text(value: object) -> str | None:
    """Return a cell as text, several values joined by `;`; None where there is none."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return ";".join(dict.fromkeys(_listed(value))) or None
