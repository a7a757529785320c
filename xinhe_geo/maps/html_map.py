"""
Frames to maps in one house style: a single HTML file that loads nothing, or a picture without any script.

`draw` and `picture` make the same scene (what lies where, in which order, style, words) and differ only in how it is
put down. The base map is the district's own layers; there are no tiles. Everything that comes from data reaches the page
inside one JSON block and is set as text, so that no name can become markup or code.
"""

from __future__ import annotations

import base64
import gzip
import html
import json
import os
import re
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import folium
import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely
from branca.element import CssLink, Element, Figure, JavascriptLink, Link
from folium.template import Template

from ..access import coverage
from ..core import (
    EnvironmentProblem,
    Rule,
    ScenarioError,
    SourceError,
    UnknownNameError,
    escape,
    os_words,
    refuse_uncleared,
    web_file,
)
from ..district import Scenario, to_degrees
from ..ledger import spoken
from .basemap import Label, Layer, anchors
from .changes import change_theme, changed_layers, rule_for, rules_of_change, walkers_theme
from .evidence import evidence_themes
from .presets import COMPLETENESS, GAPS, OVERVIEW, PARCELS, scene_for
from .scene import Scene, off_for, scene_of, with_layers_of
from .style import house_style, wording
from .svg import sheet_of
from .themes import Theme

__all__ = ["HouseMap", "MissingAsset", "difference", "draw", "picture", "swipe", "walkers"]

#: What a map looks like; English words take more room.
STYLES = {"zh": ("maps/map.css",), "en": ("maps/map.css", "maps/map-en.css")}
#: A file larger than this opens slowly on an office machine.
LARGE_BYTES = 5_000_000
#: Above this the drawing data are packed: smaller than plain JSON, and still opened without any request.
PACK_BYTES = 400_000
#: Coordinates are whole millionths of a degree: 0.1 m, finer than any source.
MICRO = 1_000_000
SIMPLIFY_M = {"A": 0.8, "L": 0.4}
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; font-src data:; "
    "base-uri 'none'; form-action 'none'"
)
#: What the page's script says itself.
_SCRIPT_WORDS = (
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


class MissingAsset(EnvironmentProblem):
    """Something on a map would have to be loaded. Example: ``地图里有要联网的内容：https://…/tile.png``."""

    def __init__(self, what: str) -> None:
        super().__init__(f"地图里有要联网的内容：{what}。地图必须断网可用，请去掉它，或换成街道自己的图层")


# --- to JSON ---------------------------------------------------------------------------------------------------------


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


def _features(shapes: Any, origin: np.ndarray) -> list[list[list[int]]]:
    """
    Return the lines and rings of each shape (in degrees) as flat whole numbers: x, y, then steps from point to point.

    Millionths of a degree from `origin`; a ring's closing point and points that do not move are left out.
    """
    parts, owner = shapely.get_parts(np.asarray(shapes), return_index=True)
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


def _in_degrees(shapes: Any, crs: Any) -> Any:
    """Return shapes in longitude and latitude."""
    known = pyproj.CRS(crs)
    if known == pyproj.CRS(4326):
        return shapes
    turn = to_degrees(known)
    return shapely.transform(np.asarray(shapes), lambda xy: np.column_stack(turn.transform(xy[:, 0], xy[:, 1])))


def _geometry_json(shapes: gpd.GeoSeries, shape: str, origin: np.ndarray) -> list[list[list[int]]]:
    own = np.asarray(shapes.array)
    if shape in SIMPLIFY_M:
        own = shapely.simplify(own, SIMPLIFY_M[shape])
    if shape == "A":
        own = shapely.orient_polygons(own)
    return _features(_in_degrees(own, shapes.crs), origin)


def _text(value: Any) -> str:
    """Return JSON that is safe inside a script element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for raw, escaped in (("<", "\\u003c"), (">", "\\u003e"), ("\u2028", "\\u2028"), ("\u2029", "\\u2029")):
        text = text.replace(raw, escaped)
    return text


def _list(texts: Sequence[str]) -> str:
    return f"[{','.join(texts)}]"


def _object(texts: Mapping[str, str]) -> str:
    return "{" + ",".join(f"{json.dumps(key)}:{text}" for key, text in texts.items()) + "}"


def _layer_text(layer: Layer, origin: np.ndarray) -> str:
    """Return a layer's JSON, kept on the layer: ground, roads and facilities come back on every map of a district."""
    key = tuple(int(v) for v in origin)
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
        "s": int(pick[0]) if len(set(pick)) == 1 else [int(i) for i in pick],
        "g": _geometry_json(layer.geometry, layer.shape, origin),
    }
    if layer.names is not None:
        out["n"] = _packed(layer.names)
    out["table"] = _table_json(layer.table)
    if layer.shape == "A" and layer.names is not None:
        frame = gpd.GeoDataFrame(geometry=layer.geometry, crs=layer.geometry.crs)
        out["at"] = [parts[0] for parts in _features(_in_degrees(anchors(frame), frame.crs), origin)]
    for key, value in (("z", layer.min_zoom), ("find", layer.find), ("ask", layer.ask), ("one", layer.one)):
        if value:
            out[key] = value
    return {**out, **layer.extra}


def _label_texts(labels: Sequence[Label], crs: Any, origin: np.ndarray) -> list[str]:
    """Return the JSON of labels, kept on them as that of layers is."""
    key = tuple(int(v) for v in origin)
    new = [label for label in labels if key not in label.written]
    for label, entry in zip(new, _labels_json(new, crs, origin), strict=True):
        label.written[key] = _text(entry)
    return [label.written[key] for label in labels]


def _labels_json(labels: Sequence[Label], crs: Any, origin: np.ndarray) -> list[dict[str, Any]]:
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
            "s": [int(i) for i in m.pick],
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
        "off": [*off_for(scene.layers, theme), *([] if theme.layer == "presence" else ["presence"])],
        "on": theme.on,
        "own": [f"k-{k}" for k in theme.kinds],
    }


def _corners(scene: Scene, bounds: tuple[float, float, float, float]) -> list[list[float]]:
    west, south, east, north = to_degrees(pyproj.CRS(scene.crs)).transform_bounds(*bounds)
    return [[round(south, 6), round(west, 6)], [round(north, 6), round(east, 6)]]


def _content(scene: Scene, origin: np.ndarray) -> dict[str, str]:
    """Return the JSON of all that a page needs of a scene, by name; layers and labels stand apart (`_layer_text`)."""
    plain = {
        "t": {k: wording(scene.lang)[k] for k in _SCRIPT_WORDS},
        "style": {k: house_style()[k] for k in ("paper", "veil", "place", "labels")},
        "head": {"title": scene.title, "lines": scene.lines, "evidence": scene.evidence},
        "mark": scene.mark,
        "bounds": _corners(scene, scene.bounds),
        "whole": _corners(scene, scene.whole),
        "origin": [int(v) for v in origin],
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


def _scene_json(scene: Scene, past: Scene | None, sides: Sequence[str], tiles: Mapping[str, Any] | None) -> str:
    """Return the scene as JSON that is safe inside a script element; of `past` only what differs from it."""
    south_west = _corners(scene, scene.whole)[0]
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
        content["tiles"] = _text({k: tiles[k] for k in ("addresses", "max_zoom")})
    return _object(content)


def _data_block(text: str) -> str:
    """Return the script element that carries the scene: plain JSON, or packed where that is large."""
    if len(text.encode()) <= PACK_BYTES:
        return f'<script id="xh-data" type="application/json">{text}</script>'
    packed = base64.b64encode(gzip.compress(text.encode(), compresslevel=6, mtime=0)).decode("ascii")
    return f'<script id="xh-data" type="text/plain">{packed}</script>'


# --- the page --------------------------------------------------------------------------------------------------------


@cache
def _leaflet(name: str) -> str:
    """Return a file of the Leaflet wheel as text, images inside a style sheet as data URIs."""
    try:
        from xstatic.pkg import leaflet
    except ImportError as error:
        raise EnvironmentProblem("缺少程序包 xstatic-leaflet：pip install xstatic-leaflet") from error
    folder = Path(leaflet.BASE_DIR)
    text = (folder / name).read_text("utf-8")
    if name.endswith(".js"):
        # The link of its default credit, which the house style replaces, would be the only address in the page.
        text = re.sub(r"//# sourceMappingURL=\S*", "", text).replace('href="https://leafletjs.com"', 'href="#"')
        return re.sub(r"</(script)", r"<\\/\1", text, flags=re.IGNORECASE)

    def data(match: re.Match[str]) -> str:
        file = folder / match.group(1).strip("'\"")
        if not file.is_file():
            return match.group(0)
        return f"url(data:image/png;base64,{base64.b64encode(file.read_bytes()).decode('ascii')})"

    return re.sub(r"url\((images/[^)]+)\)", data, text)


@cache
def _icon_script() -> str:
    """Return a script that gives Leaflet's default marker its pictures: it looks for them beside a style sheet."""
    from xstatic.pkg import leaflet

    def data(name: str) -> str:
        return "data:image/png;base64," + base64.b64encode(
            (Path(leaflet.BASE_DIR) / "images" / name).read_bytes()
        ).decode("ascii")

    options = {"iconUrl": "marker-icon.png", "iconRetinaUrl": "marker-icon-2x.png", "shadowUrl": "marker-shadow.png"}
    pictures = json.dumps({k: data(v) for k, v in options.items()})
    return f'L.Icon.Default.imagePath="";Object.assign(L.Icon.Default.prototype.options,{pictures});'


#: What folium's own popups ask of jQuery: an element from a piece of markup, and "when the page is ready".
_SHIM = (
    'window.$=window.$||function(x){if(x===document)return{ready:function(f){document.addEventListener("DOMContentLoaded",f)}};'
    'if(typeof x==="function"){document.addEventListener("DOMContentLoaded",x);return}'
    'var t=document.createElement("template");t.innerHTML=String(x).trim();return[t.content.firstElementChild]};'
)
#: Links of folium that the house style does without.
_DROPPED = (
    "jquery",
    "bootstrap",
    "awesome",
    "glyphicons",
    "fontawesome",
)
_LOADS = re.compile(
    r"""(?ix) <(?:script|img|iframe|source|video|audio|embed|object)\b[^>]*\b(?:src|data)\s*=\s*["']?(?!data:)[^\s"'>]+
    | <link\b[^>]*\bhref\s*=\s*["']?(?!data:)[^\s"'>]+
    | url\(\s*["']?(?!data:|\#)[a-z/.]+[^)]*\)
    | @import\b[^;]+
    | L\.(?:tileLayer(?:\.wms)?|imageOverlay|videoOverlay|icon)\b[^;]{0,300}?["'](?:https?:)?//[^"']+
    | ["'](?:https?:)?//[^"'\s]*(?:\{[a-z]\}|\.(?:png|jpe?g|webp|svg|js|css|json|geojson|pbf))[^"']*["']"""
)


class _Page(Figure):
    """A folium figure that renders to one file which loads nothing, whichever way it is asked."""

    def render(self, **kwargs: Any) -> str:
        for child in self._children.values():
            child.render()
        house = next(c for c in self._children.values() if isinstance(c, HouseMap))
        return _page(self, house)

    def _repr_html_(self, **kwargs: Any) -> str:
        house = next(c for c in self._children.values() if isinstance(c, HouseMap))
        return house._repr_html_(**kwargs)


class HouseMap(folium.Map):
    """
    A folium map in the house style. `save` writes, and a notebook shows, one self-contained page.

    Further folium elements (markers, GeoJson, popups) may be added as to any folium map, as long as they load nothing;
    otherwise saving raises `MissingAsset`.
    """

    default_js = [("leaflet", "leaflet.js")]  # noqa: RUF012 - as folium declares it
    default_css = [("leaflet_css", "leaflet.css")]  # noqa: RUF012
    _template = Template("""
        {% macro header(this, kwargs) %}<style>{{ this.css }}</style>{% endmacro %}
        {% macro html(this, kwargs) %}{{ this.frame() }}{% endmacro %}
        {% macro script(this, kwargs) %}
        var {{ this.get_name() }} = L.map({{ this.get_name()|tojson }}, {{ this.options|tojavascript }});
        xinheDraw({{ this.get_name() }});
        {% endmacro %}""")

    def __init__(
        self,
        scene: Scene,
        *,
        past: Scene | None = None,
        sides: Sequence[str] = (),
        tiles: Mapping[str, Any] | None = None,
    ) -> None:
        south_west, north_east = _corners(scene, scene.bounds)
        middle = [(a + b) / 2 for a, b in zip(south_west, north_east, strict=True)]
        super().__init__(
            location=middle,
            zoom_start=13,
            tiles=None,
            zoom_control=False,
            attribution_control=False,
            zoom_snap=0.25,
            zoom_delta=0.5,
            wheel_px_per_zoom_level=100,
            max_zoom=20,
            min_zoom=9,
            center=middle,
        )
        self.css = "".join(web_file(name) for name in STYLES[scene.lang])
        self._scene = scene
        self._past, self._sides, self._tiles = past, tuple(sides), tiles
        self._data = _data_block(_scene_json(scene, past, sides, tiles))
        _Page(title=scene.title).add_child(self)

    def frame(self) -> str:
        """Return the markup of the sheet around the map."""
        scene, t = self._scene, wording(self._scene.lang)
        badges = "".join(f'<b class="{kind}">{escape(text)}</b>' for kind, text in scene.badges)
        credit = [self._tiles["credit"]] if self._tiles else []
        foot = "".join(f"<span>{escape(line)}</span>" for line in [*scene.foot, *credit])
        names = {k: escape(v) for k, v in t.items()}
        return (
            f'<div class="xh"><header class="xh-head"><h1 id="xh-title" data-old="{names["old"]}">{escape(scene.title)}</h1>'
            f'<div id="xh-line"></div><div id="xh-badges">{badges}</div>'
            f'<button id="xh-open" type="button" aria-expanded="false" aria-controls="xh-side">{names["panel"]}</button></header>'
            f'<main class="xh-stage"><div class="folium-map" id="{self.get_name()}" role="application" '
            f'aria-label="{escape(scene.title)}"></div><div id="xh-print" aria-hidden="true"></div>'
            f'<div class="xh-search" role="search"><input id="xh-q" type="search" role="combobox" autocomplete="off" '
            f'aria-expanded="false" aria-controls="xh-hits" aria-label="{names["search"]}" placeholder="{names["search"]}">'
            '<ul id="xh-hits" role="listbox" hidden></ul></div><div id="xh-tools" role="toolbar"></div>'
            f'<div class="xh-rule" aria-label="{names["scale"]}">{_north(names["north"])}<div id="xh-scale"><span></span>'
            "<span></span><span></span></div></div></main>"
            f'<aside class="xh-side" id="xh-side" tabindex="0" aria-label="{names["layers"]}">'
            f'<label id="xh-choose"><span>{names["theme"]}</span><select id="xh-select"></select></label>'
            '<div id="xh-theme"></div><div id="xh-gaps"></div><div id="xh-layers"></div></aside>'
            f'<footer class="xh-foot">{foot}<strong id="xh-evidence">{escape(scene.evidence)}</strong></footer></div>'
            f"<noscript>{names['script']}</noscript><!--xh-data-->"
        )

    def picture(self) -> str:
        """Return the same map as an SVG picture without any script, as `maps.picture` makes it; of a swipe map the later side."""
        return sheet_of(self._scene)

    def write(self, path: Path) -> None:
        """Write the page (".html") or the picture (".svg") to a path; raises as `save`, and `UnknownNameError` for other endings."""
        if path.suffix.lower() == ".svg":
            refuse_uncleared(self._scene.manifest, "写出地图")
            _write(path, self.picture().encode())
        elif path.suffix.lower() in (".html", ".htm"):
            self.save(path)
        else:
            raise UnknownNameError("图的格式", path.suffix or path.name, [".html", ".svg"])

    def save(self, outfile: Any, close_file: bool = True, **kwargs: Any) -> None:
        """
        Write the map as one HTML file.

        Parameters
        ----------
        outfile
            A path (written beside and swapped in, so that a failure leaves the earlier file) or a binary file.
        close_file
            Whether an open file is closed after writing.

        Raises
        ------
        MissingAsset
            Something added to the map would have to be loaded.
        SourceError
            A layer of the district is secret, and nobody has cleared its outputs.
        EnvironmentProblem
            The file cannot be written.
        """
        refuse_uncleared(self._scene.manifest, "写出地图")
        page = self.get_root().render().encode("utf-8")
        if len(page) > LARGE_BYTES:
            warnings.warn(f"地图有 {len(page) / 1e6:.1f} MB，在办公电脑上打开会慢；可少放图层或先汇总", stacklevel=2)
        if isinstance(outfile, str | bytes | os.PathLike):
            _write(Path(os.fsdecode(outfile)), page)
            return
        outfile.write(page)
        if close_file:
            outfile.close()

    def _repr_html_(self, **kwargs: Any) -> str:
        page = html.escape(self.get_root().render(), quote=True)
        return (
            f'<iframe srcdoc="{page}" title="{escape(self._scene.title)}" allowfullscreen '
            'style="display:block;width:100%;height:640px;border:1px solid #d9d3c7"></iframe>'
        )


def _north(letter: str) -> str:
    return (
        '<svg viewBox="0 0 24 36" role="img"><path d="M12 1 19 25 12 20Z" fill="#2b3138"/>'
        '<path d="M12 1 5 25 12 20Z" fill="#fff" stroke="#2b3138" stroke-width="1"/>'
        f'<text x="12" y="35" font-size="10" font-weight="700" text-anchor="middle" fill="#2b3138">{letter}</text></svg>'
    )


def _policy(house: HouseMap) -> str:
    """Return what the page may load: nothing, or pictures of the one host that online tiles were asked from."""
    return POLICY.replace("img-src ", f"img-src {house._tiles['host']} ") if house._tiles else POLICY


def _page(figure: Figure, house: HouseMap) -> str:
    """Put the page together: policy first, then our files and Leaflet's as text, then what folium rendered."""
    _fill_links(figure.header)
    for part in (figure.html, figure.script):
        _fill_links(part)
    lang = wording(house._scene.lang)["html_lang"]
    # Style sheets of Leaflet come before ours, so that the house style wins.
    head = [c.render(embedded=True) for c in figure.header._children.values() if isinstance(c, Link)]
    rest = [c.render() for k, c in figure.header._children.items() if not isinstance(c, Link) and k != "meta_http"]
    body, script = figure.html.render(), figure.script.render()
    found = _LOADS.search("\n".join([*rest, body, script]))
    if found:
        raise MissingAsset(found.group(0)[:160])
    known = _ids(figure)
    shell = (
        f'<!DOCTYPE html>\n<html lang="{lang}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(house)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<link rel="icon" href="data:,">\n'
        f"<title>{escape(house._scene.title)}</title>\n<!--xh-links-->\n{''.join(rest)}\n</head>\n"
        f"<body>\n{body}\n<script>\n{web_file('maps/map.js')}\n{script}\n</script>\n</body>\n</html>\n"
    )
    for number, name in enumerate(known):
        shell = shell.replace(name, f"{number:x}")
    links = f"{''.join(head)}<script>{_icon_script()}{_SHIM}</script>"
    return shell.replace("<!--xh-links-->", links, 1).replace("<!--xh-data-->", house._data, 1)


def _fill_links(element: Element) -> None:
    """Give every link under `element` its text, drop those the house style does without; raise for any other."""
    for key, child in list(element._children.items()):
        if isinstance(child, Link):
            name = child.url.rsplit("/", 1)[-1].lower()
            if name in ("leaflet.js", "leaflet.css"):
                child.code = _leaflet(name)  # type: ignore[assignment]
            elif any(word in child.url.lower() or word in key.lower() for word in _DROPPED):
                del element._children[key]
                continue
            else:
                raise MissingAsset(child.url)
            assert isinstance(child, JavascriptLink | CssLink)
        _fill_links(child)


def _ids(element: Element) -> list[str]:
    """Return the random ids of all elements, in order of appearance."""
    found: dict[str, None] = {}

    def walk(e: Element) -> None:
        if e._id in found:
            return
        found[e._id] = None
        inner = [*e._children.values(), *(v for v in vars(e).values() if isinstance(v, Element) and v is not e._parent)]
        for child in inner:
            walk(child)

    walk(element)
    return list(found)


def _write(path: Path, content: bytes) -> None:
    """Write beside and swap in."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
            os.chmod(beside, 0o644)
            os.replace(beside, path)
        except BaseException:
            Path(beside).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise EnvironmentProblem(f"写不了 {path.name}：{os_words(error)}；如果正在别的程序里打开，请先关闭") from error


# --- the two verbs ---------------------------------------------------------------------------------------------------


def draw(
    district: Any,
    cover: pd.DataFrame | None = None,
    rings: gpd.GeoDataFrame | None = None,
    *,
    rule: str | Rule | None = None,
    gaps: gpd.GeoDataFrame | None = None,
    values: pd.Series | None = None,
    unit: str = "",
    show: str = "minutes",
    title: str | None = None,
    lang: str = "zh",
    tiles: str | None = None,
    key: str = "",
) -> HouseMap:
    """
    Draw a map that needs no network: `.save("map.html")` writes one file, a notebook shows the same.

    Parameters
    ----------
    district
        What `District.load` opened; its layers are the base map, whatever their CRS (drawn in degrees, WGS84).
    cover
        Result of `coverage`, index (home, rule). None gives the map of the present state.
    rings
        Isochrones, index `minutes`, drawn as one outline each.
    rule
        The rule to show. None puts every rule of `cover` into the page, with a list to choose from.
    gaps
        Places that miss out (index place; name, community, people_unserved, minutes, reason): numbered, listed, linked.
    values
        A number per home (index home), for example 配套齐全度 from 0 to 1, with `title` and `unit`.
    unit
        What `values` are in, as printed beside them; "" for shares and plain numbers.
    show
        "minutes" colours homes by their own minutes; "straight" shows who is near in a straight line only.
    title
        图名; made from the district and the rule by default.
    lang
        "zh" or "en".
    tiles, key
        Online tiles under the district's own layers, with the user's own key: "tianditu" (天地图 vector), "tianditu-image".
        Only such a file asks the network for something, and only that host. Default: none.

    Returns
    -------
    map
        A `folium.Map`; further folium layers may be added to it.

    Raises
    ------
    SourceError
        The tiles are in GCJ-02 or BD-09 and would lie half a kilometre off; or there is no key.
    UnknownNameError
        The rule is not in `cover`, or `show` or `lang` is not one of the words above.
    """
    asked = online(tiles, key) if tiles else None
    scene = scene_of(
        district, cover, rings, rule=rule, gaps=gaps, values=values, unit=unit, show=show, title=title, lang=lang
    )
    return HouseMap(scene, tiles=asked)


def online(tiles: str, key: str) -> dict[str, Any]:
    """
    Return the addresses, host, credit and deepest zoom of online tiles.

    Raises
    ------
    SourceError
        Tiles of another datum than the data's, an address of one's own (its datum is unknown), or a missing or odd key.
    UnknownNameError
        No such tiles.
    """
    known = json.loads(web_file("maps/tiles.json"))
    for entry in known.values():
        if any(word in tiles.lower() for word in entry.get("refused", ())):
            raise SourceError(
                f"{entry['label']}的瓦片是 {entry['datum']} 坐标，街道数据是 WGS84/CGCS2000：叠在一起会差出三五百米。"
                '请改用天地图：tiles="tianditu"，key 填自己申请的密钥'
            )
    if tiles not in known or "addresses" not in known[tiles]:
        if "/" in tiles:
            raise SourceError(
                "不接受自写的瓦片地址：它用哪种坐标无从核对。可用："
                + "、".join(k for k, v in known.items() if "addresses" in v)
            )
        raise UnknownNameError("在线底图", tiles, [k for k, v in known.items() if "addresses" in v])
    if not re.fullmatch(r"[0-9A-Za-z]{8,64}", key):
        raise SourceError("在线底图要用自己申请的密钥（字母和数字），写在 key 里；程序不带密钥")
    found = dict(known[tiles])
    return {**found, "addresses": [address.replace("{key}", key) for address in found["addresses"]]}


def of_district(
    district: Any,
    what: str,
    *,
    rule: str | None = None,
    scenario: str | None = None,
    tiles: str | None = None,
    key: str = "",
    lang: str = "zh",
) -> HouseMap:
    """
    Draw one of the maps by its name, computing what it needs: what the command line does.

    Parameters
    ----------
    what
        "overview", "completeness", "gaps", "parcels", "rule", "walkers", "difference" or "swipe".
    rule, scenario
        A rule or the kind it leads; a scenario of the folder, or a TOML file. "rule" and "walkers" need the first,
        "difference" and "swipe" the second.
    tiles, key, lang
        As in `draw`; only "overview" and "rule" lie on online tiles.

    Raises
    ------
    UnknownNameError
        No such map, rule or scenario.
    ScenarioError
        A scenario is needed and none was given, or it cannot be carried out.
    """
    kinds = (OVERVIEW, COMPLETENESS, GAPS, PARCELS, "rule", "walkers", "difference", "swipe")
    if what not in kinds:
        raise UnknownNameError("图", what, kinds)
    if tiles and what not in (OVERVIEW, "rule"):
        raise SourceError("在线底图只用于现状图（overview）和规则图（rule）")
    if what in ("rule", "walkers") and rule is None:
        raise UnknownNameError(
            "规则（用 --rule 写规则名或设施类别）", "未写", [str(n) for n in district.rules.index][:8]
        )
    if what in kinds[:4] or (what == "rule" and rule is not None):
        named = rule_for(district, rule).name if what == "rule" and rule is not None else what
        return HouseMap(scene_for(district, named, lang=lang), tiles=online(tiles, key) if tiles else None)
    if what == "walkers" and rule is not None:
        return walkers(district, rule, lang=lang)
    if not scenario:
        raise ScenarioError("请用 --scenario 写方案名（目录里的 scenarios/名.toml）或 .toml 文件")
    plan = Scenario.read(scenario) if scenario.endswith(".toml") else district.scenario(scenario)
    before = district if plan.year is None else district.at(plan.year)
    return (difference if what == "difference" else swipe)(before, plan.on(district), rule, lang=lang)


_NONE: dict[str, Any] = {"gaps": None, "values": None, "unit": "", "show": "minutes"}


def walkers(
    district: Any,
    rule: str | Rule,
    first: str = "adult",
    second: str = "elderly",
    *,
    covers: tuple[pd.DataFrame, pd.DataFrame] | None = None,
    title: str | None = None,
    lang: str = "zh",
) -> HouseMap:
    """
    Draw which homes one walker reaches within a rule's minutes and another does not: 老年人 against 成人.

    Parameters
    ----------
    district
        The district.
    rule
        A reach rule, by name or value, or the kind it leads; judged by walking time whatever its own method.
    first, second
        Profiles (`profiles.csv`). People 60+ are counted where they are known, else residents.
    covers
        Coverages by walking time of the same rule for `first` and `second`; computed where not given.
    title, lang
        As in `draw`.

    Returns
    -------
    map
        As of `draw`; `.picture()` is the same as SVG.

    Raises
    ------
    UnknownNameError
        No such rule or profile, or a rule that asks whether a community has one.
    """
    theme = walkers_theme(district, rule, first, second, covers, lang)
    return HouseMap(scene_of(district, None, None, rule=None, title=title, lang=lang, themes=[theme], **_NONE))


def difference(
    before: Any,
    after: Any,
    rule: str | Rule | None = None,
    *,
    covers: tuple[pd.DataFrame, pd.DataFrame] | None = None,
    tags: Mapping[str, str] | None = None,
    title: str | None = None,
    lang: str = "zh",
) -> HouseMap:
    """
    Draw what a plan changes: who gains (受益), who loses (受影响), and by how many minutes.

    Homes have two colourings (who gains; minutes nearer or farther); facilities that open, close or move, and homes that are
    demolished, are marked and listed. People who gain are, as in `scenario.effects`, those of homes that exist on both sides:
    the sum over homes of people times what their served share grows.

    Parameters
    ----------
    before, after
        The district without and with the plan (`plan.on(district)`), both for the same year.
    rule
        A rule, by name or value, or the kind it leads. None puts every rule of the plan into the page, the one that moves
        most people first.
    covers
        Coverages of `before` and `after` under the rule; computed where not given.
    tags
        Id of a facility that opens or moves -> what is written in its symbol instead of its kind's sign, as the `tag` of `sites`.
    title, lang
        As in `draw`.

    Returns
    -------
    map
        As of `draw`; `.picture()` is the same as SVG.

    Raises
    ------
    UnknownNameError
        No such rule.
    """
    if rule is None:
        covers = covers or (coverage(before), coverage(after))
        rules: list[Rule] = rules_of_change(before, covers)
    else:
        rules = [rule_for(before, rule)]
    themes = [change_theme(before, after, own, covers, lang) for own in rules]
    kinds = rules[0].kinds if len(rules) == 1 else None
    extra = changed_layers(before, after, kinds, lang, tags)
    scene = scene_of(after, None, None, rule=None, title=title, lang=lang, themes=themes, extra=extra, **_NONE)
    return HouseMap(scene)


def swipe(
    before: Any,
    after: Any,
    rule: str | Rule | None = None,
    *,
    covers: tuple[pd.DataFrame, pd.DataFrame] | None = None,
    sides: tuple[str, str] | None = None,
    title: str | None = None,
    lang: str = "zh",
) -> HouseMap:
    """
    Draw two states under one divider: left of it `before`, right of it `after`; the divider moves by mouse, touch and keys.

    Printed, both stand side by side.

    Parameters
    ----------
    before, after
        Two states of one district: with and without a plan, or two years.
    rule
        A rule, by name or value, or the kind it leads: what the homes are coloured by. None shows both as they are.
    covers
        Coverages of `before` and `after` under the rule; computed where not given.
    sides
        What stands over the two sides; by default 现状 and 方案, with their years where these differ.
    title, lang
        As in `draw`.

    Returns
    -------
    map
        As of `draw`.

    Raises
    ------
    UnknownNameError
        No such rule.
    """
    t = wording(lang)
    own = None if rule is None else rule_for(before, rule)
    if own is not None and covers is None:
        covers = (coverage(before, rules=[own]), coverage(after, rules=[own]))
    if sides is None:
        years = [f" {d.year}" if before.year != after.year else "" for d in (before, after)]
        sides = (t["state_now"] + years[0], t["state_plan"] + years[1])
    scenes = [
        scene_of(d, covers[i] if covers else None, None, rule=own, title=title, lang=lang, **_NONE)
        for i, d in enumerate((before, after))
    ]
    old, new = scenes
    new.layers, new.groups = with_layers_of(old, new)
    return HouseMap(new, past=old, sides=sides)


def evidence(district: Any, table: pd.DataFrame) -> HouseMap:
    """
    Draw what the rows of the ledger rest on: one page, a theme per row, opened by its id (`evidence.html#S17.people`).

    Homes are coloured by what was measured there, communities by whether they have what was promised; the facilities that a
    row counts are shown with it.

    Parameters
    ----------
    table
        Result of `ledger`; the map is in its language.

    Returns
    -------
    map
        As of `draw`.
    """
    lang = spoken(table)
    themes = evidence_themes(district, table)
    return HouseMap(scene_of(district, None, None, rule=None, title=None, lang=lang, themes=themes, **_NONE))


def picture(
    district: Any,
    cover: pd.DataFrame | None = None,
    rings: gpd.GeoDataFrame | None = None,
    *,
    rule: str | Rule | None = None,
    gaps: gpd.GeoDataFrame | None = None,
    values: pd.Series | None = None,
    unit: str = "",
    show: str = "minutes",
    title: str | None = None,
    lang: str = "zh",
) -> str:
    """
    Draw the same map as `draw` as an SVG picture without any script, for a brief or a page.

    Where `cover` holds several rules and none is asked for, the picture shows the first.

    Parameters
    ----------
    district, cover, rings, rule, gaps, values, unit, show, title, lang
        As in `draw`.

    Returns
    -------
    svg
        One SVG element, sized by its viewBox; it refers to no font, file or address.

    Raises
    ------
    UnknownNameError
        The rule is not in `cover`, or `show` or `lang` is not one of the words that `draw` knows.
    """
    return sheet_of(
        scene_of(
            district, cover, rings, rule=rule, gaps=gaps, values=values, unit=unit, show=show, title=title, lang=lang
        )
    )
