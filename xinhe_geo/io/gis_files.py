"""Files with geometry of their own: GeoJSON, GeoPackage, FlatGeobuf, shapefile, KML, GPX, file geodatabase."""

from __future__ import annotations

import json
import re
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, TreeBuilder, XMLParser

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely

from ..core import SourceError, crs_of, layers_in, read_layer, say, size_of, write_bytes
from .cells import printable
from .incoming import (
    LONLAT,
    MOST_COLUMNS,
    MOST_DEPTH,
    MOST_PARTS,
    MOST_ROWS,
    MOST_UNPACKED,
    Incoming,
    cannot_take,
    decoded,
    unpack_safely,
)


def read_geojson(path: Path) -> Incoming:
    """Read a feature collection; its own CRS, where it names one, is kept for comparison."""
    raw = path.read_bytes()
    if raw.count(b"[") + raw.count(b"{") > 2 * MOST_PARTS:
        raise cannot_take(path.name, say("里面的要素太多"), say("分成几份导入"))
    try:
        found = json.loads(raw.decode("utf-8-sig"))
        features = found["features"]
        if found.get("type") != "FeatureCollection" or not isinstance(features, list):
            raise TypeError
        properties = [dict(f.get("properties") or {}) for f in features]
        texts = [json.dumps(f["geometry"]) if f.get("geometry") else None for f in features]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise cannot_take(
            path.name, say("不是完整的 GeoJSON（要素集合）"), say("在 QGIS 里打开，重新导出为 GeoJSON")
        ) from error
    if len(features) > MOST_ROWS:
        raise cannot_take(path.name, say("超过 {0:,} 个要素", MOST_ROWS), say("分成几份导入"))
    heads = list(dict.fromkeys(str(k) for p in properties for k in p))
    with np.errstate(invalid="ignore"):
        shapes = shapely.from_geojson(np.array(texts, dtype=object), on_invalid="ignore")
    crs: pyproj.CRS | None = None
    if found.get("crs"):
        try:
            crs = crs_of(found["crs"]["properties"]["name"])
        except (KeyError, TypeError, pyproj.exceptions.CRSError) as error:
            raise cannot_take(path.name, say("里面写的坐标系读不懂"), say("在 QGIS 里重新导出为 GeoJSON")) from error
    rows = [[p.get(h) for h in heads] for p in properties]
    return Incoming(path.name, heads, rows, list(range(1, len(rows) + 1)), np.atleast_1d(shapes), crs)


def is_collection(path: Path) -> bool:
    """Whether a .json file is GeoJSON rather than a list of records."""
    return re.search(rb'"type"\s*:\s*"FeatureCollection"', path.read_bytes()) is not None


def read_geopackage(path: Path, layer: str | None) -> Incoming:
    """Read one layer of a GeoPackage."""
    with path.open("rb") as stream:
        if not stream.read(16).startswith(b"SQLite format 3"):
            raise cannot_take(path.name, say("不是 GeoPackage"), say("检查扩展名；在 QGIS 里重新导出"))
    return _of_frame(path, _drivers(path, layer=_layer_wanted(path, layer)))


def read_flatgeobuf(path: Path) -> Incoming:
    """Read a FlatGeobuf."""
    return _of_frame(path, _drivers(path))


def read_geodatabase(path: Path, layer: str | None) -> Incoming:
    """Read one layer of an Esri file geodatabase (a folder that ends in .gdb)."""
    parts = [p for p in path.iterdir() if p.is_file()]
    if not any(p.suffix.lower() == ".gdbtable" for p in parts):
        raise cannot_take(path.name, say("不是文件地理数据库"), say("整个 .gdb 文件夹要一起拷贝"))
    if sum(p.stat().st_size for p in parts) > MOST_UNPACKED:
        raise cannot_take(path.name, say("太大"), say("在 GIS 里只导出要用的图层"))
    return _of_frame(path, _drivers(path, layer=_layer_wanted(path, layer)))


def _layer_wanted(path: Path, layer: str | None) -> str:
    try:
        names = [name for name, kind in layers_in(path) if kind is not None]
    except SourceError:
        raise
    except Exception as error:  # drivers raise many types; the message is what matters
        raise cannot_take(path.name, say("打不开"), say("文件可能不完整，重新拷贝或重新导出")) from error
    if layer is None and len(names) != 1:
        raise cannot_take(
            path.name,
            say("里面有 {0} 个图层", len(names)),
            say("用 sheet（--sheet）说明读哪个：{0}", printable(say("、").join(names))),
        )
    if layer is not None and layer not in names:
        raise cannot_take(
            path.name, say("没有图层“{0}”", printable(layer)), say("可选：{0}", printable(say("、").join(names)))
        )
    return layer or names[0]


class _TooMuch(ValueError):
    """A document of more elements than anybody draws, or deeper."""


class _Bounded(TreeBuilder):
    """Builds the tree of a document until it is too large or too deep: each element takes forty times its room in the file."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.depth = MOST_PARTS, 0

    def start(self, tag: str, attrs: dict[str, str], /) -> Element:
        self.left -= 1
        self.depth += 1
        if self.left < 0 or self.depth > MOST_DEPTH:
            raise _TooMuch
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> Element:
        self.depth -= 1
        return super().end(tag)


def read_kml(path: Path, layer: str | None) -> Incoming:
    """
    Read the placemarks of all folders of a KML, or of the folder `layer`; links to elsewhere are not followed.

    GDAL's driver turns every Chinese name of a field into underscores, so the file is read here.
    """
    root = _tree(path, "KML")
    marks = list(_placemarks(root, ""))
    folders = list(dict.fromkeys(folder for folder, _ in marks))
    if layer is not None and layer not in folders:
        raise cannot_take(
            path.name, say("没有文件夹“{0}”", printable(layer)), say("可选：{0}", printable(say("、").join(folders)))
        )
    marks = [(folder, mark) for folder, mark in marks if layer in (None, folder)]
    if not marks:
        link = any(_tag(e) == "NetworkLink" for e in root.iter())
        raise cannot_take(
            path.name,
            say("里面只有指向网上的链接，没有要素") if link else say("没有地标"),
            say("在导出它的程序里另存为带内容的 KML"),
        )
    if len(marks) > MOST_ROWS:
        raise cannot_take(path.name, say("超过 {0:,} 个要素", MOST_ROWS), say("分成几份导入"))
    records = [_kml_cells(mark, folder) for folder, mark in marks]
    shapes = np.array([*(_kml_shape(mark) for _, mark in marks), None], dtype=object)[:-1]
    heads = list(dict.fromkeys(name for record in records for name in record))
    rows = [[record.get(h) for h in heads] for record in records]
    return Incoming(path.name, heads, rows, list(range(1, len(rows) + 1)), shapes, pyproj.CRS(LONLAT))


def _tree(path: Path, what: str) -> Element:
    """Return the root of an XML document of a kind, within bounds."""
    text = decoded(path)
    remedy = say("在导出它的程序里重新导出为 {0}", what)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise cannot_take(path.name, say("里面有实体定义"), remedy)
    try:
        # Encoded again: what the declaration says no longer holds.
        parser = XMLParser(target=_Bounded())
        parser.feed(re.sub(r"^\s*<\?xml[^<>]*\?>", "", text).encode())
        root = parser.close()
    except _TooMuch as error:
        raise cannot_take(path.name, say("里面的内容太多，或一层套一层太深"), remedy) from error
    except (ElementTree.ParseError, RecursionError, ValueError) as error:
        raise cannot_take(path.name, say("不是完整的 {0}", what), say("检查扩展名；{0}", remedy)) from error
    if _tag(root) != what.lower():
        raise cannot_take(path.name, say("不是 {0}", what), say("检查扩展名；{0}", remedy))
    return root


def _tag(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _placemarks(element: Element, folder: str) -> Iterator[tuple[str, Element]]:
    """Yield the folder and the element of each placemark, whatever lies inside what."""
    waiting = [(element, folder)]
    while waiting:
        here, inside = waiting.pop()
        if _tag(here) == "Placemark":
            yield inside, here
            continue
        own = next((str(c.text or "").strip() for c in here if _tag(c) == "name"), "") if _tag(here) == "Folder" else ""
        waiting += [(child, own or inside) for child in reversed(here)]


def _kml_cells(mark: Element, folder: str) -> dict[str, object]:
    """Return what a placemark says: its name, its description, and the data it carries."""
    found: dict[str, object] = {}
    for element in mark.iter():
        if _tag(element) == "Data":
            value = next((c.text for c in element if _tag(c) == "value"), None)
            found[str(element.get("name"))] = value
        elif _tag(element) == "SimpleData":
            found[str(element.get("name"))] = element.text
    for name, head in (("name", "名称"), ("address", "地址"), ("description", "备注")):
        said = next((c.text for c in mark if _tag(c) == name and c.text and c.text.strip()), None)
        if said is not None and head not in found:
            found[head] = re.sub(r"<[^<>]*>", " ", said).strip() if name == "description" else said.strip()
    if folder:
        found["文件夹"] = folder
    return found


def _kml_shape(mark: Element) -> shapely.Geometry | None:
    """Return the shape of a placemark; None for none, or one that cannot be read."""
    parts = [_kml_part(e) for e in mark.iter() if _tag(e) in ("Point", "LineString", "Polygon")]
    whole = [part for part in parts if part is not None]
    if not parts or len(whole) < len(parts):
        return None
    if len(parts) == 1:
        return whole[0]
    kinds = {part.geom_type for part in whole}
    many = {"Point": shapely.MultiPoint, "LineString": shapely.MultiLineString, "Polygon": shapely.MultiPolygon}
    return many[kinds.pop()](whole) if len(kinds) == 1 else shapely.GeometryCollection(whole)


def _kml_part(element: Element) -> shapely.Geometry | None:
    rings: dict[str, list[list[tuple[float, float]]]] = {"outerBoundaryIs": [], "innerBoundaryIs": []}
    try:
        if _tag(element) == "Polygon":
            for child in element:
                if _tag(child) in rings:
                    rings[_tag(child)] += [_positions(e) for e in child.iter() if _tag(e) == "coordinates"]
            return shapely.Polygon(rings["outerBoundaryIs"][0], rings["innerBoundaryIs"])
        positions = next(_positions(e) for e in element if _tag(e) == "coordinates")
        return shapely.Point(positions[0]) if _tag(element) == "Point" else shapely.LineString(positions)
    except (ValueError, IndexError, StopIteration, shapely.errors.GEOSException):
        return None


def _positions(element: Element) -> list[tuple[float, float]]:
    """Return the positions of a `coordinates` element: "lon,lat[,height]", blanks between."""
    found = [tuple(float(v) for v in said.split(",")[:2]) for said in str(element.text or "").split()]
    if any(len(position) != 2 or not np.isfinite(position).all() for position in found):
        raise ValueError("not a position")
    return [(position[0], position[1]) for position in found]


def read_kmz(path: Path, layer: str | None) -> Incoming:
    """Read the KML inside a KMZ; whatever else lies in it is left alone."""
    unpack_safely(path, "KMZ", say("重新导出为 KMZ 或 KML"))
    with zipfile.ZipFile(path) as package:
        names = [n for n in package.namelist() if n.lower().endswith(".kml")]
        if not names:
            raise cannot_take(path.name, say("里面没有 .kml"), say("重新导出为 KMZ 或 KML"))
        name = "doc.kml" if "doc.kml" in names else names[0]
        try:
            content = package.read(name)
        except Exception as error:
            raise cannot_take(path.name, say("不是完整的 KMZ"), say("重新拷贝或重新导出")) from error
    with tempfile.TemporaryDirectory() as place:
        # A name of our own: that of a member may lead anywhere.
        inner = write_bytes(Path(place) / "doc.kml", content)
        try:
            found = read_kml(inner, layer)
        except SourceError as error:
            raise SourceError(str(error).replace("doc.kml", path.name, 1)) from error
    found.file = path.name
    return found


def read_gpx(path: Path) -> Incoming:
    """Read the waypoints of a GPX; where somebody walked (its tracks) is no feature."""
    marks = [e for e in _tree(path, "GPX").iter() if _tag(e) == "wpt"]
    if not marks or len(marks) > MOST_ROWS:
        raise cannot_take(
            path.name, say("有 {0:,} 个航点", len(marks)), say("要有航点（轨迹不读），最多 {0:,} 个", MOST_ROWS)
        )
    heads = {"name": "名称", "type": "type", "desc": "备注"}
    said = [{_tag(c): (c.text or "").strip() for c in mark} for mark in marks]
    rows: list[list[object]] = [[cells.get(tag) or None for tag in heads] for cells in said]
    try:
        shapes = shapely.points([[float(mark.get(axis, "nan")) for axis in ("lon", "lat")] for mark in marks])
    except ValueError as error:
        raise cannot_take(path.name, say("里面有不是数的坐标"), say("在导出它的程序里重新导出为 GPX")) from error
    return Incoming(path.name, list(heads.values()), rows, list(range(1, len(rows) + 1)), shapes, pyproj.CRS(LONLAT))


def read_shapefile(path: Path) -> Incoming:
    """
    Read a shapefile whatever its encoding says.

    Text is read byte by byte (every byte is a Latin-1 letter) and decoded here: UTF-8 where everything is UTF-8, else
    GB18030, which GBK is part of. A missing or wrong .cpg does no harm that way, nor does a name cut within a letter.
    """
    for part in (".dbf", ".shx"):
        if not any((path.parent / (path.stem + p)).is_file() for p in (part, part.upper())):
            raise cannot_take(
                path.name, say("旁边缺少 {0}{1}", path.stem, part), say("shapefile 的 .shp、.shx、.dbf 要一起拷贝")
            )
    with path.open("rb") as stream:
        if stream.read(4) != b"\x00\x00\x27\x0a":
            raise cannot_take(path.name, say("不是 shapefile"), say("检查扩展名；在 QGIS 里重新导出"))
    frame = _drivers(path, encoding="ISO-8859-1")
    texts = [c for c in frame.columns if c != frame.geometry.name and not pd.api.types.is_numeric_dtype(frame[c])]
    cells = [v.encode("latin-1", "ignore") for c in texts for v in frame[c] if isinstance(v, str)]
    names = [str(c).encode("latin-1", "ignore") for c in frame.columns]
    encoding = "utf-8" if all(_decodes(v) for v in cells) and all(_decodes(n, cut=True) for n in names) else "gb18030"

    def real(text: str) -> str:
        return text.encode("latin-1", "ignore").decode(encoding, "ignore")

    for column in texts:
        frame[column] = pd.Series(
            [real(v) if isinstance(v, str) else v for v in frame[column]], index=frame.index, dtype="object"
        )
    geometry = frame.geometry.name
    frame.columns = [c if c == geometry else real(str(c)) for c in frame.columns]
    found = _of_frame(path, frame)
    found.short = encoding
    return found


def _decodes(raw: bytes, *, cut: bool = False) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        return cut and error.reason == "unexpected end of data"
    return True


def _drivers(path: Path, *, layer: str | None = None, encoding: str | None = None) -> gpd.GeoDataFrame:
    features, fields = size_of(path, layer=layer, encoding=encoding)
    most = say("最多 {0:,} 个要素、{1} 列", MOST_ROWS, MOST_COLUMNS)
    if features > MOST_ROWS or fields > MOST_COLUMNS:
        raise cannot_take(path.name, say("有 {0:,} 个要素、{1} 列", features, fields), most)
    # What a file says of itself need not be so.
    frame = read_layer(path, layer=layer, encoding=encoding, most=MOST_ROWS + 1)
    if len(frame) > MOST_ROWS:
        raise cannot_take(path.name, say("超过 {0:,} 个要素", MOST_ROWS), most)
    if not isinstance(frame, gpd.GeoDataFrame):
        raise cannot_take(path.name, say("没有图形"), say("表格请存为 .xlsx 或 .csv"))
    return frame


def _of_frame(path: Path, frame: gpd.GeoDataFrame) -> Incoming:
    heads = [str(c) for c in frame.columns if c != frame.geometry.name]
    columns = [frame[c].astype("object").where(frame[c].notna(), None).tolist() for c in heads]
    rows = [list(cells) for cells in zip(*columns, strict=True)] if heads else [[] for _ in range(len(frame))]
    return Incoming(path.name, heads, rows, list(range(1, len(frame) + 1)), np.asarray(frame.geometry.array), frame.crs)
