"""A scene as the JSON that a page draws: coordinates as small whole numbers, columns in their shortest form, safe inside a script."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import geopandas as gpd
import numpy as np
import pyproj
import shapely

from ..core import unturned
from ..district import to_degrees
from .basemap import Label, Layer, anchors
from .scene import Bounds, Scene, off_for
from .style import house_style, wording
from .themes import Theme
from .tiles import OnlineTiles

#: Above this the drawing data are packed: smaller than plain JSON, and still opened without any request.
PACK_BYTES = 400_000
#: Coordinates are whole millionths of a degree: 0.1 m, finer than any source.
MICRO = 1_000_000
SIMPLIFY_M = {"A": 0.8, "L": 0.4}
#: What the page's script says itself.
SCRIPT_WORDS = (
    "all",
    "changed",
    "full",
    "gaps",
    "missing",
    "more",
    "north",
    "nothing",
    "nothing_shown",
    "other_kinds",
    "parcels",
    "print",
    "swipe",
    "unknown",
    "whole",
    "zoom_in",
    "zoom_out",
)


def _packed(values: Sequence[str | None]) -> dict[str, Any]:
    """Return a column of texts in the shortest of three forms: one value, a list, or a list of positions in a list."""
    distinct = list(dict.fromkeys(values))
    if len(distinct) == 1 and len(values) > 1:
        return {"v": distinct[0]}
    if len(distinct) * 3 < len(values):
        words = [d for d in distinct if d is not None]
        place = {w: i for i, w in enumerate(words)}
        return {"d": words, "v": [None if v is None else place[v] for v in values]}
    return {"v": list(values)}


def _table_json(table: Sequence[tuple[str, list[str | None]]]) -> list[dict[str, Any]]:
    return [{"k": label, **_packed(values)} for label, values in table]


def _features(shapes: np.ndarray, origin: np.ndarray) -> list[list[list[int]]]:
    """
    Return the lines and rings of each shape (in degrees) as flat whole numbers: x, y, then steps from point to point.

    Millionths of a degree from `origin`; a ring's closing point and points that do not move are left out.
    """
    parts, owner = shapely.get_parts(shapes, return_index=True)
    closed = shapely.get_type_id(parts) == 3
    rings, of_part = shapely.get_rings(parts[closed], return_index=True)
    lines = np.concatenate([parts[~closed], rings])
    owner = np.concatenate([owner[~closed], owner[closed][of_part]])
    ring = np.arange(len(lines)) >= len(parts) - closed.sum()
    coordinates, line = shapely.get_coordinates(lines, return_index=True)
    whole = np.rint(coordinates * MICRO).astype("int64") - origin
    start = np.diff(line, prepend=-1) != 0
    end = np.roll(start, -1)
    step = np.diff(whole, axis=0, prepend=np.zeros((1, 2), dtype="int64"))
    step[start] = whole[start]
    keep = start | (step.any(axis=1) & ~(end & ring[line]))
    flat = step[keep].ravel().tolist()
    cuts = np.searchsorted(line[keep], np.arange(len(lines) + 1)) * 2
    found: list[list[list[int]]] = [[] for _ in range(len(shapes))]
    for i in np.lexsort((np.arange(len(lines)), owner)):
        found[owner[i]].append(flat[cuts[i] : cuts[i + 1]])
    return found


@cache
def _turn(crs: str) -> pyproj.Transformer | None:
    """Return what turns shapes to longitude and latitude, kept: to read what a CRS says takes longer than to turn a small layer."""
    known = pyproj.CRS(crs)
    return None if known == pyproj.CRS(4326) else to_degrees(known)


def _in_degrees(shapes: np.ndarray, crs: pyproj.CRS | str) -> np.ndarray:
    """Return shapes in longitude and latitude."""
    turn = _turn(crs if isinstance(crs, str) else crs.srs)
    if turn is None:
        return shapes
    drawn = shapely.transform(shapes, lambda xy: np.column_stack(turn.transform(xy[:, 0], xy[:, 1])))
    return np.asarray(drawn)


def _geometry_json(shapes: gpd.GeoSeries, shape: str, origin: np.ndarray) -> list[list[list[int]]]:
    own = np.asarray(shapes.array)
    if shape in SIMPLIFY_M:
        own = shapely.simplify(own, SIMPLIFY_M[shape])
    if shape == "A":
        own = shapely.orient_polygons(own)
    return _features(_in_degrees(own, shapes.crs), origin)


_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _text(value: object) -> str:
    """Return JSON that is safe inside a script element."""
    text = _JSON.encode(value)
    for raw, escaped in (("<", "\\u003c"), (">", "\\u003e"), ("\u2028", "\\u2028"), ("\u2029", "\\u2029")):
        text = text.replace(raw, escaped)
    return text


def _list(texts: Sequence[str]) -> str:
    return f"[{','.join(texts)}]"


def _object(texts: Mapping[str, str]) -> str:
    return "{" + ",".join(f"{json.dumps(key)}:{text}" for key, text in texts.items()) + "}"


def _layer_text(layer: Layer, origin: np.ndarray) -> str:
    """Return a layer's JSON, kept on the layer: ground, roads and facilities come back on every map of a district."""
    key = tuple(origin.tolist())
    if key not in layer.written:
        layer.written[key] = _text(_layer_json(layer, origin))
    return layer.written[key]


def _layer_json(layer: Layer, origin: np.ndarray) -> dict[str, Any]:
    pick = layer.pick
    out: dict[str, Any] = {
        "id": layer.id,
        "label": layer.label,
        "shape": layer.shape,
        "styles": layer.styles,
        "s": int(pick[0]) if len(set(pick)) == 1 else pick.tolist(),
        "g": _geometry_json(layer.geometry, layer.shape, origin),
    }
    if layer.names is not None:
        out["n"] = _packed(layer.names)
    out["table"] = _table_json(layer.table)
    if layer.shape == "A" and layer.names is not None:
        spots = _in_degrees(anchors(layer.geometry), layer.geometry.crs)
        out["at"] = [parts[0] for parts in _features(spots, origin)]
    for key, value in (("z", layer.min_zoom), ("find", layer.find), ("ask", layer.ask), ("one", layer.one)):
        if value:
            out[key] = value
    return {**out, **layer.extra}


def _label_texts(labels: Sequence[Label], crs: str, origin: np.ndarray) -> list[str]:
    """Return the JSON of labels, kept on them as that of layers is."""
    key = tuple(origin.tolist())
    new = [label for label in labels if key not in label.written]
    for label, entry in zip(new, _labels_json(new, crs, origin), strict=True):
        label.written[key] = _text(entry)
    return [label.written[key] for label in labels]


def _labels_json(labels: Sequence[Label], crs: str, origin: np.ndarray) -> list[dict[str, Any]]:
    if not labels:
        return []
    shapes = np.array([label.geometry for label in labels], dtype="object")
    lines = shapely.get_dimensions(shapes) == 1
    shapes[lines] = shapely.simplify(shapes[lines], 2.0)
    out = []
    for label, parts, line in zip(labels, _features(_in_degrees(shapes, crs), origin), lines, strict=True):
        entry: dict[str, Any] = {"text": label.text, "k": label.kind, "z": label.zoom}
        entry["l" if line else "p"] = parts if line else parts[0]
        first = int(label.first)
        for key, value in (("y", label.layer), ("d", label.away), ("max", label.until), ("f", first)):
            if value:
                entry[key] = value
        out.append(entry)
    return out


def _theme_json(scene: Scene, theme: Theme) -> dict[str, Any]:
    modes = [
        {
            "label": m.label,
            "title": m.title,
            "styles": m.styles,
            "s": m.pick.tolist(),
            "counts": m.counts,
            "texts": m.texts,
        }
        for m in theme.modes
    ]
    return {
        "id": theme.id,
        "label": theme.label,
        "title": theme.title,
        "lines": theme.lines,
        "layer": theme.layer,
        "modes": modes,
        "table": _table_json(theme.table),
        "facts": theme.facts,
        "notes": theme.notes,
        "missing": theme.missing,
        "evidence": theme.evidence,
        "start": theme.start,
        "off": off_for(scene.layers, theme),
        "on": theme.on,
        "own": [f"k-{k}" for k in theme.kinds],
    }


def corners(scene: Scene, bounds: Bounds) -> list[list[float]]:
    """Return the south-west and north-east corners of metric bounds, each as latitude and longitude."""
    turn = _turn(scene.crs)
    west, south, east, north = bounds if turn is None else turn.transform_bounds(*bounds)
    return [[round(south, 6), round(west, 6)], [round(north, 6), round(east, 6)]]


def _content(scene: Scene, origin: np.ndarray) -> dict[str, str]:
    """Return the JSON of all that a page needs of a scene, by name; layers and labels stand apart (`_layer_text`)."""
    plain = {
        "t": {k: wording(scene.lang)[k] for k in SCRIPT_WORDS},
        "style": {k: house_style()[k] for k in ("paper", "veil", "place", "labels")},
        "head": {"title": scene.title, "lines": scene.lines, "evidence": scene.evidence},
        "mark": scene.mark,
        "bounds": corners(scene, scene.bounds),
        "whole": corners(scene, scene.whole),
        "origin": origin.tolist(),
    }
    drawn = {
        "layers": _list([_layer_text(layer, origin) for layer in scene.layers]),
        "labels": _list(_label_texts(scene.labels, scene.crs, origin)),
    }
    rest = {
        "themes": [_theme_json(scene, theme) for theme in scene.themes],
        "current": scene.first,
        "groups": scene.groups,
        "start": scene.off,
    }
    return {**{k: _text(v) for k, v in plain.items()}, **drawn, **{k: _text(v) for k, v in rest.items()}}


def scene_json(scene: Scene, past: Scene | None, sides: Sequence[str], tiles: OnlineTiles | None) -> str:
    """Return the scene as JSON that is safe inside a script element; of `past` only what differs from it."""
    south_west = corners(scene, scene.whole)[0]
    origin = np.rint(np.array([south_west[1], south_west[0]]) * MICRO).astype("int64")
    content = _content(scene, origin)
    if past is not None:
        old, same = _content(past, origin), {layer.id: _layer_text(layer, origin) for layer in scene.layers}
        own = [(layer.id, _layer_text(layer, origin)) for layer in past.layers]
        layers = [_text(name) if same.get(name) == text else text for name, text in own]
        labels = "null" if old["labels"] == content["labels"] else old["labels"]
        content["past"] = _object(
            {"layers": _list(layers), "labels": labels, "themes": old["themes"], "head": old["head"]}
        )
        content["sides"] = _text(list(sides))
    if tiles is not None:
        content["tiles"] = _text({"addresses": tiles.addresses, "max_zoom": tiles.max_zoom})
    return _object(content)


def data_block(text: str) -> str:
    """Return the script element that carries the scene: plain JSON, or packed where that is large."""
    data = unturned(text).encode()  # of a page that is all text the signs go later, with those of its own
    if len(data) <= PACK_BYTES:
        return f'<script id="xh-data" type="application/json">{text}</script>'
    packed = base64.b64encode(gzip.compress(data, compresslevel=6, mtime=0)).decode("ascii")
    return f'<script id="xh-data" type="text/plain">{packed}</script>'
