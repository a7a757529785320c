"""What QGIS is told: how it draws a layer and names its columns, and a project that opens all layers of a GeoPackage at once."""

from __future__ import annotations

import hashlib
import io
import os
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

import geopandas as gpd
import pyproj
import shapely

from ..core import EnvironmentProblem, opened, say, write_bytes
from ..maps import house_style

#: Classes of a share, the least first, a fifth each: red, green, blue, how opaque.
_SHARES = ("178,58,46,200", "232,150,90,200", "240,214,140,200", "120,180,150,200", "38,120,110,200")
_PLAIN, _LINE = "70,110,140,200", "120,112,104,255"
#: The columns that a layer is shown by, the first it has; of the last, much is bad.
_CLASSED = ("served", "completeness", "share_unserved")
#: What a plan does to a home, as QGIS works it out from the columns of both states.
CHANGED = (
    'CASE WHEN "state" <> \'both\' THEN "state" WHEN "served_change" > 0.00005 THEN \'gain\' '
    "WHEN \"served_change\" < -0.00005 THEN 'lose' ELSE 'same' END"
)
#: What is longer is no project of ours.
_MOST_BYTES = 20_000_000
#: The earliest moment a zip archive can name.
_EPOCH = (1980, 1, 1, 0, 0, 0)
#: Shapes as QGIS tells them apart: what is drawn, what a symbol is made of, the number it is kept by.
_SHAPES = {"Point": ("marker", "SimpleMarker"), "Line": ("line", "SimpleLine"), "Polygon": ("fill", "SimpleFill")}
#: Which types of GEOS they are, one or several of them.
_TYPES = {"Point": {0, 4}, "Line": {1, 5}, "Polygon": {3, 6}}

#: Where names stand: beside a point, along a line, inside an area.
_PLACEMENT = {"Point": "6", "Line": "3", "Polygon": "1"}


class Shown(NamedTuple):
    """
    How a table of a GeoPackage is shown.

    Attributes
    ----------
    title, about
        What the layer is called, and what it says.
    group
        The group of layers it belongs to.
    categories
        Value -> label and colour (#rrggbb), of the column `by`; empty: a scale, or one colour for all.
    outline
        Areas are drawn as outlines, so that one sees what lies under them.
    visible
        Whether it is seen when the project is opened.
    colour
        Of all features (#rrggbb), where there are neither categories nor a scale.
    """

    title: str
    about: str
    group: str
    by: str = ""
    categories: Mapping[str, tuple[str, str]] = {}
    outline: bool = False
    visible: bool = False
    colour: str = ""


def change_categories() -> dict[str, tuple[str, str]]:
    """Return what a plan does to a home: value, words, colour."""
    told = {"gain": ("受益（改为可达）", "gain"), "lose": ("受影响（不再可达）", "lose"), "same": ("没有变化", "fine")}
    told |= {"new": ("新建", "doubtful"), "gone": ("拆除", "unknown")}
    roles = house_style()["roles"]
    return {value: (say(words), roles[role]) for value, (words, role) in told.items()}


def style_text(frame: gpd.GeoDataFrame, labels: Mapping[str, str], shown: Shown | None = None) -> str:
    """Return the style of a layer as QGIS keeps it inside a GeoPackage: symbols, labels, aliases of columns."""
    root = Element("qgis", styleCategories="Symbology|Labeling|Fields", version="3.28", labelsEnabled=_labelled(frame))
    root.extend(list(_dressed(frame, labels, shown, _shapes(frame)[0])))
    return '<!DOCTYPE qgis PUBLIC "" "SYSTEM">' + ElementTree.tostring(root, "unicode")


def write_project(
    geopackage: Path,
    layers: Mapping[str, gpd.GeoDataFrame],
    shown: Mapping[str, Shown],
    labels: Mapping[str, str],
    title: str,
) -> Path:
    """
    Write a QGIS project that opens a GeoPackage beside it: groups, styles, labels, names and aliases of columns.

    Parameters
    ----------
    geopackage
        The file; the project gets its name with `.qgz`, and finds it by that name alone.
    layers
        Table -> its rows.
    shown
        Table -> how it is shown, in the order of the list of layers (what comes first lies on top).
    labels
        Column -> what it is called.
    title
        What the project is called.

    Returns
    -------
    file
        The project.

    Raises
    ------
    EnvironmentProblem
        The file cannot be written.
    """
    root = Element("qgis", version="3.28.0", projectname=title)
    SubElement(root, "title").text = title
    crs = pyproj.CRS.from_user_input(next(iter(layers.values())).crs)
    SubElement(root, "projectCrs").append(_system(crs))
    tree = SubElement(root, "layer-tree-group")
    canvas, kept = Element("mapcanvas", name="theMapCanvas"), Element("projectlayers")
    groups: dict[str, Element] = {}
    for entry in _entries(geopackage.name, layers, shown):
        group = entry.shown.group
        if group not in groups:
            groups[group] = SubElement(tree, "layer-tree-group", name=group, checked="Qt::Checked", expanded="0")
        seen = "Qt::Checked" if entry.shown.visible else "Qt::Unchecked"
        said = {"id": entry.key, "name": entry.words, "source": entry.source, "providerKey": "ogr"}
        SubElement(groups[group], "layer-tree-layer", {**said, "checked": seen, "expanded": "0"})
        kept.append(_layer(layers[entry.table], labels, entry))
    SubElement(canvas, "units").text = "meters"
    extent = SubElement(canvas, "extent")
    bounds = [frame.total_bounds for frame in layers.values() if len(frame.geometry.dropna())]
    west, south, east, north = zip(*bounds, strict=True) if bounds else ((0.0,), (0.0,), (1.0,), (1.0,))
    for corner, value in zip(
        ("xmin", "ymin", "xmax", "ymax"), (min(west), min(south), max(east), max(north)), strict=True
    ):
        SubElement(extent, corner).text = f"{value:.2f}"
    SubElement(canvas, "destinationsrs").append(_system(crs))
    root.extend((canvas, kept))
    properties = SubElement(root, "properties")
    SubElement(SubElement(properties, "Paths"), "Absolute", type="bool").text = "false"
    SubElement(SubElement(properties, "SpatialRefSys"), "ProjectionsEnabled", type="int").text = "1"
    text = '<!DOCTYPE qgis PUBLIC "" "SYSTEM">\n' + ElementTree.tostring(root, "unicode")
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        packed = zipfile.ZipInfo(f"{geopackage.stem}.qgs", _EPOCH)
        packed.compress_type, packed.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
        archive.writestr(packed, text.encode())
        archive.comment = _signature(text.encode())
    return write_bytes(geopackage.with_suffix(".qgz"), stream.getvalue())


def refuse_project(geopackage: Path) -> None:
    """
    Stop before a project is replaced that is not as it was written here: somebody has made it, or saved it in QGIS.

    Parameters
    ----------
    geopackage
        The file it lies beside.

    Raises
    ------
    EnvironmentProblem
        With what to do.
    """
    place = geopackage.with_suffix(".qgz")
    if os.path.lexists(place) and not _is_as_written(place):
        raise EnvironmentProblem(
            say("{0} 不是本程序写的，或在 QGIS 里改过，没有覆盖。把它改名或移走，或用 --out 换一个文件名", place.name)
        )


def _is_as_written(place: Path) -> bool:
    """Whether a project is ours to the byte: it says so itself, by the hash of what it holds."""
    if place.is_symlink() or not place.is_file() or place.stat().st_size > _MOST_BYTES:
        return False
    try:
        with opened(place) as stream, zipfile.ZipFile(stream) as archive:
            (only,) = archive.infolist()
            return only.file_size <= _MOST_BYTES and archive.comment == _signature(archive.read(only))
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, RuntimeError, EOFError, zlib.error):
        return False


def _signature(project: bytes) -> bytes:
    return b"xinhe-geo " + hashlib.sha256(project).hexdigest().encode()


def _shapes(frame: gpd.GeoDataFrame) -> list[str]:
    """Return which of points, lines and areas a layer has, in this order."""
    there = set(shapely.get_type_id(frame.geometry.array).tolist())
    return [shape for shape, own in _TYPES.items() if there & own] or ["Point"]


def _system(crs: pyproj.CRS) -> Element:
    """Return a coordinate system: as text, so that one nobody has registered is understood, too, and by its number if it has one."""
    system = Element("spatialrefsys", nativeFormat="Wkt")
    wkt = crs.to_wkt()
    number = _number(wkt)
    SubElement(system, "wkt").text = wkt
    SubElement(system, "srid").text = number[1] if number and number[1].isdigit() else "0"
    SubElement(system, "authid").text = ":".join(number) if number else ""
    SubElement(system, "description").text = crs.name
    SubElement(system, "geographicflag").text = "false"
    return system


@lru_cache(maxsize=8)  # one that nobody has registered is looked for among all there are, and every layer has the same
def _number(wkt: str) -> tuple[str, str] | None:
    return pyproj.CRS.from_wkt(wkt).to_authority()


class _Entry(NamedTuple):
    """A layer of the project: a table, or of one that mixes them its points, lines or areas."""

    table: str
    shown: Shown
    shape: str
    key: str
    source: str
    words: str


def _entries(file: str, layers: Mapping[str, gpd.GeoDataFrame], shown: Mapping[str, Shown]) -> Iterator[_Entry]:
    for number, (table, own) in enumerate(shown.items(), 1):
        shapes = _shapes(layers[table])
        for shape in shapes:
            source, words = f"./{file}|layername={table}", own.title
            if len(shapes) > 1:
                called = say({"Point": "点", "Line": "线", "Polygon": "面"}[shape])
                source, words = f"{source}|geometrytype={shape}", say("{0}（{1}）", words, called)
            yield _Entry(table, own, shape, f"layer_{number:03}_{shape.lower()}", source, words)


def _layer(frame: gpd.GeoDataFrame, labels: Mapping[str, str], entry: _Entry) -> Element:
    _, shown, shape, key, source, words = entry
    layer = Element("maplayer", type="vector", geometry=shape, labelsEnabled=_labelled(frame))
    for name, text in (("id", key), ("datasource", source), ("layername", words), ("abstract", shown.about)):
        SubElement(layer, name).text = text
    SubElement(layer, "srs").append(_system(pyproj.CRS.from_user_input(frame.crs)))
    about = SubElement(layer, "resourceMetadata")
    SubElement(about, "title").text, SubElement(about, "abstract").text = words, shown.about
    SubElement(layer, "provider", encoding="UTF-8").text = "ogr"
    layer.extend(list(_dressed(frame, labels, shown, shape)))
    return layer


def _labelled(frame: gpd.GeoDataFrame) -> str:
    return "1" if "name" in frame.columns else "0"


def _dressed(frame: gpd.GeoDataFrame, labels: Mapping[str, str], shown: Shown | None, shape: str) -> Iterator[Element]:
    """Yield symbols, labels and aliases."""
    keys = ["index" if name is None else name for name in frame.index.names]
    fields = [str(c) for c in (*keys, *frame.columns) if c != frame.active_geometry_name]
    yield _renderer(fields, shown, shape)
    if "name" in fields:
        labeling = Element("labeling", type="simple")
        settings = SubElement(labeling, "settings")
        style = {
            "fieldName": "name",
            "fontSize": "8",
            "textColor": "43,49,56,255",
            "fontSizeUnit": "Point",
            "fontWeight": "50",
        }
        text = SubElement(settings, "text-style", style)
        SubElement(text, "text-buffer", bufferDraw="1", bufferSize="0.7", bufferColor="255,255,255,255")
        SubElement(settings, "placement", placement=_PLACEMENT[shape], dist="1", priority="5")
        # names of points and streets come in only where there is room on the screen for them
        SubElement(
            settings,
            "rendering",
            scaleVisibility="0" if shape == "Polygon" else "1",
            scaleMin="8000",
            scaleMax="1",
            obstacle="1",
        )
        yield labeling
    aliases = Element("aliases")
    for i, field in enumerate(fields):
        SubElement(aliases, "alias", index=str(i), field=field, name=labels.get(field, ""))
    yield aliases


def _renderer(fields: Sequence[str], shown: Shown | None, shape: str) -> Element:
    """Return how a layer is drawn: by category, in classes where there is a share, else in one colour."""
    outline = shown is not None and shown.outline
    column = next((c for c in _CLASSED if c in fields), None)
    if shown is not None and shown.categories:
        renderer = Element("renderer-v2", type="categorizedSymbol", attr=shown.by, enableorderby="0")
        classes, symbols = SubElement(renderer, "categories"), SubElement(renderer, "symbols")
        for i, (value, (words, colour)) in enumerate(shown.categories.items()):
            SubElement(classes, "category", value=value, label=words, symbol=str(i), render="true", type="string")
            symbols.append(_symbol(str(i), shape, _rgb(colour)))
    elif column is not None:
        renderer = Element("renderer-v2", type="graduatedSymbol", attr=column, graduatedMethod="GraduatedColor")
        classes, symbols = SubElement(renderer, "ranges"), SubElement(renderer, "symbols")
        for i, colour in enumerate(_SHARES[::-1] if column == "share_unserved" else _SHARES):
            ends = {"lower": str(i / 5), "upper": str((i + 1) / 5), "label": f"{i * 20}–{i * 20 + 20}%"}
            SubElement(classes, "range", {**ends, "symbol": str(i), "render": "true"})
            symbols.append(_symbol(str(i), shape, colour))
    else:
        renderer = Element("renderer-v2", type="singleSymbol")
        colour = _LINE if shape == "Line" or outline else _PLAIN
        colour = _rgb(shown.colour) if shown is not None and shown.colour else colour
        SubElement(renderer, "symbols").append(_symbol("0", shape, colour, outline=outline))
    return renderer


def _rgb(colour: str) -> str:
    """Return #rrggbb as QGIS writes colours, a little of the ground shining through; what is no such colour is grey."""
    colour = colour if re.fullmatch("#[0-9A-Fa-f]{6}", colour) else house_style()["roles"]["unknown"]
    return ",".join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5)) + ",200"


def _symbol(name: str, shape: str, colour: str, *, outline: bool = False) -> Element:
    kind, made_of = _SHAPES[shape]
    symbol = Element("symbol", name=name, type=kind, alpha="1")
    layer = SubElement(symbol, "layer", {"class": made_of, "enabled": "1"})
    options = SubElement(layer, "Option", type="Map")
    values = {"line_color" if shape == "Line" else "color": colour}
    if shape == "Polygon":
        values |= {"style": "no" if outline else "solid", "outline_color": colour if outline else "255,255,255,160"}
        values |= {"outline_width": "0.5" if outline else "0.1", "outline_style": "solid"}
    for option, value in values.items():
        SubElement(options, "Option", name=option, type="QString", value=value)
    return symbol
