"""
CAD drawings: DXF of any age in, and a DXF of the district out.

A drawing has no coordinate system of its own and often a grid that only its makers know; what its numbers mean is
declared, or worked out from control points (`datum.tie`). Old drawings of Chinese design institutes are GBK, whether or
not they say so.
"""

from __future__ import annotations

import io
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import geopandas as gpd
import numpy as np
import shapely

from ..core import LAYERS, Layer, SourceError, crs_label, needing, refuse_leaving, say, write_bytes
from ..district import District, place_title
from .cells import printable
from .headers import classified
from .incoming import MOST_ROWS, Floats, Incoming, cannot_take
from .row_report import RowReport, Where

if TYPE_CHECKING:
    from ezdxf.document import Drawing
    from ezdxf.entities.dxfgfx import DXFGraphic
    from ezdxf.entities.mtext import MText
    from ezdxf.entities.text import Text
    from ezdxf.layouts.layout import Modelspace

#: Curves become chords that stay this near to them, in the drawing's unit.
FLATTEN = 0.05
#: A ring whose ends lie this near to each other is closed, said so or not.
CLOSED_M = 0.001
#: A drawing of a community has thousands of entities, not millions of vertices.
MOST_VERTICES = 2_000_000
#: A text no farther than so many times its height stands beside a point.
BESIDE = 6.0
_CURVES = ("LWPOLYLINE", "POLYLINE", "LINE", "ARC", "CIRCLE", "ELLIPSE", "SPLINE")
_TEXTS = ("TEXT", "MTEXT")


# --- reading ---------------------------------------------------------------------------------------------------------


def read_dxf(path: Path, layer: Layer, sheet: str | None, report: RowReport) -> Incoming:
    """
    Read what a drawing's model space holds, one row for each entity: blocks and points as points, curves as lines.

    Closed curves become polygons where the layer takes polygons; a text inside a polygon names it, and one beside a point
    on the same CAD layer names that. On a CAD layer that holds nothing but texts each text is a place, where the rows of the
    layer have a kind. `sheet` names the drawing's layers to read, several joined by `;`. Attributes of blocks are columns.
    Entities that are no feature (dimensions, hatches, other texts) are skipped rows.
    """
    drawing = _drawing(path)
    wanted = None if sheet is None else {name.strip() for name in re.split("[;；]", sheet) if name.strip()}
    space = drawing.modelspace()
    names = Counter(str(e.dxf.layer) for e in space)
    if wanted is not None and not wanted <= set(names):
        absent = say("、").join(sorted(wanted - set(names)))
        raise cannot_take(
            path.name, say("没有 CAD 图层“{0}”", printable(absent)), say("有要素的图层：{0}", _listed(names))
        )
    if wanted is None and len(names) > 1:
        report.say(
            "note",
            say("读了全部 {0} 个 CAD 图层：{1}", len(names), _listed(names)),
            say("只要其中几个，用 --dxf-layer 图层名"),
        )
    left = {n: k for n, k in names.items() if wanted is not None and n not in wanted}
    if left:
        report.say(
            "note",
            say("没有读的 CAD 图层（{0} 个要素）：{1}", sum(left.values()), _listed(left)),
            say("要读就写进 --dxf-layer"),
        )
    return _rows(path, [e for e in space if wanted is None or str(e.dxf.layer) in wanted], layer, report)


def _listed(names: Mapping[str, int]) -> str:
    return printable(say("、").join(say("{0}（{1}）", n, k) for n, k in sorted(names.items())))


def _drawing(path: Path) -> Drawing:
    """Open a drawing; text that the header calls Western though it is Chinese is read as GBK."""
    with needing("office", say("读 DXF")):
        from ezdxf.filemanagement import read, readfile

    raw = path.read_bytes()
    remedy = say("在 CAD 里打开，另存为 DXF（2013 或 2007）再导入")
    if raw[:6] in (b"AC1015", b"AC1018", b"AC1021", b"AC1024", b"AC1027", b"AC1032") or raw[:4] == b"AC10":
        raise cannot_take(path.name, say("是改了扩展名的 DWG"), remedy)
    try:
        binary = raw.startswith(b"AutoCAD Binary DXF")
        drawing = readfile(path) if binary else read(io.StringIO(_text(raw, path.name, remedy)))
    except SourceError:
        raise
    except Exception as error:  # the reader raises whatever broken parts make it stumble over
        raise cannot_take(path.name, say("不是完整的 DXF"), remedy) from error
    return drawing


def _text(raw: bytes, file: str, remedy: str) -> str:
    if b"\x00" in raw[:2000] or not re.search(rb"^\s*0\s*\r?\n\s*SECTION", raw[:4000], re.MULTILINE):
        raise cannot_take(file, say("不是 DXF"), say("检查扩展名；{0}", remedy))
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("gb18030", "replace")
    # Characters beyond the code page of an old drawing: \\U+98DF, and \\M+5CAB3 of code page 936.
    text = re.sub(r"\\U\+([0-9A-Fa-f]{4})", _unicode, text)
    text = re.sub(r"\\M\+5([0-9A-Fa-f]{4})", lambda m: bytes.fromhex(m[1]).decode("gbk", "replace"), text)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _unicode(found: re.Match[str]) -> str:
    """Return the character of an escape; control characters stay written out, they would break the drawing's lines."""
    code = int(found[1], 16)
    return chr(code) if code >= 0xA0 and not 0xD800 <= code <= 0xDFFF else found[0]


def _rows(path: Path, entities: list[Any], layer: Layer, report: RowReport) -> Incoming:
    if len(entities) > MOST_ROWS:
        raise cannot_take(path.name, say("超过 {0:,} 个要素", MOST_ROWS), say("用 --dxf-layer 只读要用的 CAD 图层"))
    areas = layer.geometry is not None and "Polygon" in layer.geometry
    drawn = {str(e.dxf.layer) for e in entities if e.dxftype() not in _TEXTS} if classified(layer) else None
    records: list[dict[str, Any]] = []
    shapes: list[Any] = []
    lines: list[int] = []
    labels: list[_Text] = []
    left = MOST_VERTICES
    for number, entity in enumerate(entities, 1):
        kind = entity.dxftype()
        if kind in _TEXTS:
            height = entity.dxf.char_height if kind == "MTEXT" else entity.dxf.height
            spot = shapely.Point(tuple(entity.dxf.insert)[:2])
            if drawn is not None and str(entity.dxf.layer) not in drawn and _words(entity):
                records.append({"名称": _words(entity), **_record(entity)})
                shapes.append(spot)
                lines.append(number)
                continue
            labels.append(_Text(spot, _words(entity), number, str(entity.dxf.layer), BESIDE * float(height)))
            continue
        shape = _shape(entity, kind, areas)
        if shape is None:
            report.say(
                "skipped",
                say("CAD 要素 {0} 不是点、线、面", kind),
                say("要用就在 CAD 里画成块或闭合多段线"),
                at=Where(row=number, value=str(entity.dxf.layer)),
            )
            continue
        left -= shapely.count_coordinates(shape)
        if left < 0:
            raise cannot_take(
                path.name, say("顶点超过 {0:,} 个", MOST_VERTICES), say("用 --dxf-layer 只读要用的 CAD 图层")
            )
        records.append(_record(entity))
        shapes.append(shape)
        lines.append(number)
    _label(records, shapes, labels, report)
    heads = list(dict.fromkeys(name for record in records for name in record))
    rows = [[record.get(h) for h in heads] for record in records]
    return Incoming(path.name, heads, rows, lines, np.array([*shapes, None], dtype=object)[:-1])


class _Text(NamedTuple):
    """A text of a drawing: where it stands, on which CAD layer, and how far a point that it names may be."""

    spot: shapely.Point
    text: str
    number: int
    layer: str
    reach: float


def _words(entity: Text | MText) -> str:
    return str(entity.plain_text() if entity.dxftype() == "MTEXT" else entity.dxf.text).strip()


def _record(entity: DXFGraphic) -> dict[str, str]:
    """Return the cells of an entity: the attributes of a block, and what the drawing calls it."""
    from ezdxf.entities.insert import Insert

    record: dict[str, str] = {}
    if isinstance(entity, Insert):
        record = {str(a.dxf.tag): str(a.dxf.text).strip() for a in entity.attribs}
        record["块名"] = str(entity.dxf.name)
    record["CAD图层"] = str(entity.dxf.layer)
    record["CAD句柄"] = f"dxf-{entity.dxf.handle}"
    return record


def _shape(entity: DXFGraphic, kind: str, areas: bool) -> shapely.Geometry | None:
    if kind == "INSERT":
        return shapely.Point(tuple(entity.dxf.insert)[:2])
    if kind == "POINT":
        return shapely.Point(tuple(entity.dxf.location)[:2])
    from ezdxf.entities.polyline import Polyline

    mesh = isinstance(entity, Polyline) and not (entity.is_2d_polyline or entity.is_3d_polyline)
    if kind not in _CURVES or mesh:
        return None
    from ezdxf.lldxf.const import DXFError
    from ezdxf.path import make_path

    try:
        path = make_path(entity)
        vertices = [(v.x, v.y) for v in path.flattening(FLATTEN)]
    except (ValueError, TypeError, DXFError, ZeroDivisionError, OverflowError):
        return None
    if len(vertices) < 2 or not all(math.isfinite(c) for v in vertices for c in v):
        return None
    closed = len(vertices) > 3 and math.dist(vertices[0], vertices[-1]) <= CLOSED_M
    return shapely.Polygon(vertices) if closed and areas else shapely.LineString(vertices)


def _label(records: list[dict[str, Any]], shapes: list[Any], labels: Sequence[_Text], report: RowReport) -> None:
    """Name each polygon by the one text inside it, each point by the text beside it; any other text is a skipped row."""
    at = [i for i, s in enumerate(shapes) if s.geom_type == "Polygon" and s.is_valid]
    tree = shapely.STRtree([shapes[i] for i in at])
    inside: dict[int, list[tuple[str, int]]] = {}
    alone = []
    for one in labels:
        # The smallest polygon around a text is the one it belongs to.
        hits = sorted((at[int(k)] for k in tree.query(one.spot, predicate="within")), key=lambda i: shapes[i].area)
        if hits:
            inside.setdefault(hits[0], []).append((one.text, one.number))
        else:
            alone.append(one)
    beside = _beside(records, shapes, alone)
    for k, one in enumerate(alone):
        if k in beside:
            records[beside[k]]["名称"] = one.text
        reason = say("文字作为它旁边的点的名称") if k in beside else say("不在任何闭合面里的文字")
        report.say("skipped", reason, at=Where(row=one.number, value=one.text))
    for i, texts in inside.items():
        named = len(texts) == 1 and "名称" not in records[i]
        if named:
            records[i]["名称"] = texts[0][0]
        for text, number in texts:
            reason = say("文字作为它所在的面的名称") if named else say("一个面里有几段文字，没有当名称")
            report.say("skipped", reason, at=Where(row=number, value=text))


def _beside(records: list[dict[str, Any]], shapes: list[Any], texts: Sequence[_Text]) -> dict[int, int]:
    """Return which text (by position) names which point: both on one CAD layer, each the other's nearest, and near."""
    points = [i for i, s in enumerate(shapes) if s.geom_type == "Point" and "名称" not in records[i]]
    nearest: dict[int, tuple[float, int]] = {}
    tree = shapely.STRtree([shapes[i] for i in points])
    of_point: dict[int, tuple[float, int]] = {}
    for k, one in enumerate(texts):
        for n in tree.query(one.spot, predicate="dwithin", distance=one.reach):
            i = points[int(n)]
            if records[i]["CAD图层"] == one.layer:
                away = float(shapely.distance(one.spot, shapes[i]))
                nearest[k] = min(nearest.get(k, (away, i)), (away, i))
                of_point[i] = min(of_point.get(i, (away, k)), (away, k))
    return {k: i for k, (_, i) in nearest.items() if of_point[i][1] == k}


# --- writing ---------------------------------------------------------------------------------------------------------


def drawing_of(
    district: District,
    path: str | Path,
    sites: gpd.GeoDataFrame | None = None,
    *,
    against: District | None = None,
    notes: Sequence[str] = (),
) -> dict[str, int]:
    """
    Write outlines, streets and facilities of a district as DXF (R2010, UTF-8), in the district's own CRS.

    Parameters
    ----------
    district
        What to draw; refused where any layer is marked secret.
    path
        The .dxf to write; an earlier one is replaced, whole or not at all.
    sites
        Sites found (`xh.sites`, geometry in the district's CRS), drawn as crosses; None for none.
    against
        Another state, which this one is held against: homes and facilities that only one of the two has stand on layers of their own.
    notes
        Lines of text that stand under the drawing.

    Returns
    -------
    counts
        CAD layer and number of entities.

    Raises
    ------
    SourceError
        Not a .dxf name, or a layer is marked secret.
    EnvironmentProblem
        The file cannot be written, or ezdxf is not installed (extra `office`).
    """
    with needing("office", say("写 DXF")):
        from ezdxf._options import options
        from ezdxf.filemanagement import new

    target = Path(path)
    if target.suffix.lower() != ".dxf":
        raise SourceError(say("{0}：文件名要以 .dxf 结尾", target.name))
    drawn = [
        n
        for n in (
            "district",
            "zones",
            "communities",
            "parcels",
            "homes",
            "barriers",
            "water",
            "streets",
            "gates",
            "facilities",
        )
        if n in district.layers
    ]
    refuse_leaving(district.manifest, "导出 DXF")
    before = options.write_fixed_meta_data_for_testing
    # Fixed times and ids: the same district must give the same bytes.
    options.write_fixed_meta_data_for_testing = True
    try:
        drawing = new("R2010", units=6)
        counts = _draw(drawing, district, drawn, sites)
        counts |= _draw_changes(drawing, district, against)
        west, south, *_ = _extent(district)
        for i, text in enumerate(notes, 1):
            at = {"layer": _NOTES, "style": "宋体", "insert": (west, south - 80 - 40 * i)}
            drawing.modelspace().add_text(_clean(text), height=20, dxfattribs=at)
        # The library registers classes in the order of a set, which differs from run to run.
        drawing.classes.add_required_classes(drawing.dxfversion)
        drawing.classes.classes = dict(sorted(drawing.classes.classes.items()))
        stream = io.StringIO()
        drawing.write(stream)
    finally:
        options.write_fixed_meta_data_for_testing = before
    write_bytes(target, stream.getvalue().encode("utf-8", "surrogateescape"))
    return counts


_COLOURS = {
    "district": 1,
    "zones": 6,
    "communities": 5,
    "parcels": 30,
    "homes": 8,
    "barriers": 14,
    "water": 4,
    "streets": 9,
    "gates": 3,
    "facilities": 2,
}


def _draw(drawing: Drawing, district: District, drawn: list[str], sites: gpd.GeoDataFrame | None) -> dict[str, int]:
    space = drawing.modelspace()
    if "宋体" not in drawing.styles:
        drawing.styles.add("宋体", font="simsun.ttc")
    counts: dict[str, int] = {}
    for name in drawn:
        label = _layer_name(LAYERS[name].label)
        drawing.layers.add(label, color=_COLOURS[name])
        frame = district.layers[name]
        if name == "facilities":
            labels = district.kinds["label"]
            frame = frame.assign(_kind=[str(labels.get(k, k)) for k in frame["kind"]])
        titles = frame["name"] if "name" in frame.columns else [None] * len(frame)
        kinds = frame["_kind"] if "_kind" in frame.columns else [""] * len(frame)
        counts[label] = 0
        for key, shape, title, kind in zip(frame.index, frame.geometry, titles, kinds, strict=True):
            text = title if isinstance(title, str) else ""
            layer = label if not kind else f"{label}_{_layer_name(kind)}"
            if layer not in drawing.layers:
                drawing.layers.add(layer, color=_COLOURS[name])
            for part in _parts(shape):
                counts[label] += 1
                _entity(drawing, space, part, layer, {"编号": str(key), "名称": text, "类别": kind})
            if text and name not in ("streets", "facilities", "gates"):
                spot = shapely.point_on_surface(shape)
                space.add_text(
                    _clean(text), height=12, dxfattribs={"layer": label, "style": "宋体", "insert": (spot.x, spot.y)}
                )
    if sites is not None and len(sites):
        drawing.layers.add("选址", color=1)
        counts["选址"] = len(sites)
        for key, tag, shape in zip(sites.index, sites.get("tag", sites.index), sites.geometry, strict=True):
            spot = shapely.point_on_surface(shape)
            _entity(drawing, space, spot, "选址", {"编号": str(key)})
            at = {"layer": "选址", "style": "宋体", "insert": (spot.x, spot.y)}
            space.add_text(_clean(str(tag)), height=20, dxfattribs=at)
    crs = crs_label(district.crs, named=True)
    note = say("{0} {1}，X 为东、Y 为北，单位米", place_title(district), crs)
    drawing.header["$INSUNITS"] = 6
    west, south, *_ = _extent(district)
    marked = say("　演示值（不作结论）") if district.is_demonstration else ""
    drawing.layers.add(_NOTES, color=7)
    space.add_text(
        _clean(note + marked), height=25, dxfattribs={"layer": _NOTES, "style": "宋体", "insert": (west, south - 80)}
    )
    return counts


#: Where texts about the whole drawing stand.
_NOTES = "说明"
#: What only one of two states has: its layer by layer and state, and the colour of both.
_CHANGED = {("homes", "after"): "方案新建小区", ("homes", "before"): "方案拆除小区"}
_CHANGED |= {("facilities", "after"): "方案新增设施", ("facilities", "before"): "方案撤除设施"}
_CHANGE_COLOURS = {"after": 3, "before": 1}


def _draw_changes(drawing: Drawing, district: District, against: District | None) -> dict[str, int]:
    """Draw what only one of two states has, and return how many of each."""
    counts: dict[str, int] = {}
    if against is None:
        return counts
    space = drawing.modelspace()
    states = {
        side: {"homes": state.homes, "facilities": state.open_facilities}
        for side, state in (("after", district), ("before", against))
    }
    for (name, side), label in _CHANGED.items():
        own, other = (layers[name] for layers in (states[side], states["before" if side == "after" else "after"]))
        rows = own if own is None or other is None else own[~own.index.isin(other.index)]
        if rows is None or rows.empty:
            continue
        drawing.layers.add(label, color=_CHANGE_COLOURS[side])
        counts[label] = len(rows)
        for key, shape, title in zip(rows.index, rows.geometry, rows["name"], strict=True):
            for part in _parts(shape):
                _entity(
                    drawing, space, part, label, {"编号": str(key), "名称": title if isinstance(title, str) else ""}
                )
    return counts


def _extent(district: District) -> Floats:
    own = next(
        district.layers[n] for n in ("district", "zones", "communities", "homes", "streets") if n in district.layers
    )
    return own.total_bounds


def _parts(shape: shapely.Geometry) -> Iterator[shapely.Geometry]:
    yield from getattr(shape, "geoms", [shape])


def _entity(drawing: Drawing, space: Modelspace, part: shapely.Geometry, layer: str, cells: Mapping[str, str]) -> None:
    where = {"layer": layer}
    if part.geom_type == "Polygon":
        for ring in (part.exterior, *part.interiors):
            space.add_lwpolyline(list(ring.coords)[:-1], close=True, dxfattribs=where)
    elif part.geom_type == "LineString":
        space.add_lwpolyline([c[:2] for c in part.coords], dxfattribs=where)
    elif part.geom_type == "Point":
        if (
            layer not in drawing.blocks
        ):  # one for each kind, so that a design institute can put its own symbol in its place
            block = drawing.blocks.new(layer)
            block.add_circle((0, 0), radius=6)
            block.add_line((-9, 0), (9, 0))
            block.add_line((0, -9), (0, 9))
        insert = space.add_blockref(layer, (part.x, part.y), dxfattribs=where)
        for k, (tag, text) in enumerate(cells.items()):
            if text:
                hidden = {} if tag == "名称" else {"invisible": 1}
                insert.add_attrib(
                    tag,
                    _clean(text),
                    insert=(part.x + 10, part.y - 4 - 14 * k),
                    dxfattribs={"height": 10, "style": "宋体", "layer": layer, **hidden},
                )


def _layer_name(text: str) -> str:
    """Return a text without what CAD forbids in names of layers."""
    return re.sub(r'[<>/\\":;?*|=`,\x00-\x1f]', "_", text).strip()[:60] or "_"


def _clean(text: str) -> str:
    """Return a text on one line, without codes that CAD would carry out."""
    return "".join(c if c.isprintable() else " " for c in text).replace("%%", "％％").replace("\\", "＼")
