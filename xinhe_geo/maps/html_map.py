"""
A scene as one HTML file that loads nothing: a folium map in the house style.

The base map is the district's own layers; there are no tiles unless they are asked for. Everything that comes from data reaches
the page inside one JSON block and is set as text, so that no name can become markup or code.
"""

from __future__ import annotations

import base64
import json
import os
import re
import warnings
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import BinaryIO

import folium
import geopandas as gpd
from branca.element import CssLink, Element, Figure, JavascriptLink, Link
from folium.template import Template

from ..core import (
    EnvironmentProblem,
    SourceError,
    UnknownNameError,
    WrongValueError,
    by_hash,
    escape,
    refuse_uncleared,
    say,
    speaking,
    web_file,
    well_called,
    write_bytes,
    write_text,
)
from .scene import Scene
from .scene_json import corners, data_block, scene_json
from .still import png_of, still_and_live
from .style import wording
from .svg import figure_of, sheet_of
from .tiles import OnlineTiles

#: What a map looks like; English words take more room.
STYLES = {"zh": ("maps/map.css",), "en": ("maps/map.css", "maps/map-en.css")}
#: A file larger than this opens slowly on an office machine.
LARGE_BYTES = 5_000_000
#: Endings of files that no page can be opened as.
_OTHER_FILES = (".pdf", ".png", ".jpg", ".jpeg", ".svg")
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; font-src data:; "
    "base-uri 'none'; form-action 'none'"
)


class MissingAsset(EnvironmentProblem):
    """Something on a map would have to be loaded. Example: ``地图里有要联网的内容：https://…/tile.png``."""

    def __init__(self, what: str) -> None:
        super().__init__(
            say(
                "地图里有要联网的内容：{0}。地图必须断网可用：插件的 .js、.css 先下载成文件，用 .carry(文件) 带进地图"
                "；别的请去掉，或换成街道自己的图层",
                what,
            )
        )


def _wheel() -> Path:
    """Return where Leaflet lies."""
    try:
        from xstatic.pkg import leaflet
    except ImportError as error:
        raise EnvironmentProblem(say("缺少程序包 xstatic-leaflet：pip install xstatic-leaflet")) from error
    return Path(leaflet.BASE_DIR)


@cache
def _leaflet(name: str) -> str:
    """Return a file of the Leaflet wheel as text, images inside a style sheet as data URIs."""
    folder = _wheel()
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

    def render(self, **kwargs: object) -> str:
        for child in self._children.values():
            child.render()
        house = next(c for c in self._children.values() if isinstance(c, HouseMap))
        return _page(self, house)

    def _repr_html_(self, **kwargs: object) -> str:
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
        tiles: OnlineTiles | None = None,
    ) -> None:
        south_west, north_east = corners(scene, scene.bounds)
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
        self._data = data_block(scene_json(scene, past, sides, tiles))
        self._carried: dict[str, str] = {}
        _Page(title=scene.title).add_child(self)

    def fit(self, shapes: gpd.GeoDataFrame) -> HouseMap:
        """Show the part of the district that some shapes lie in, whatever their CRS; none leave the map as it is. Return the map."""
        if len(shapes):
            west, south, east, north = shapes.to_crs("EPSG:4326").total_bounds
            self.fit_bounds([[south, west], [north, east]])
        return self

    def carry(self, *files: str | os.PathLike[str]) -> HouseMap:
        """
        Take scripts and style sheets of folium plugins into the map, so that they need no network.

        Parameters
        ----------
        files
            Downloaded files under the names that the plugin asks for, as in ``leaflet-heat.min.js``.

        Returns
        -------
        map
            The map itself.

        Raises
        ------
        UnknownNameError
            Neither a script nor a style sheet.
        EnvironmentProblem
            A file cannot be read.
        """
        for path in map(Path, files):
            if path.suffix.lower() not in (".js", ".css"):
                raise UnknownNameError("插件文件", path.name, [".js", ".css"])
            try:
                text = path.read_text("utf-8-sig")
            except (OSError, UnicodeDecodeError) as error:
                raise EnvironmentProblem(say("读不了插件文件 {0}：{1}。重新下载一份", path, error)) from error
            closed = re.sub(r"</(script|style)", r"<\\/\1", text, flags=re.IGNORECASE)
            self._carried[path.name.lower()] = re.sub(r"//# sourceMappingURL=\S*", "", closed)
        return self

    def frame(self) -> str:
        """Return the markup of the sheet around the map."""
        scene, t = self._scene, wording(self._scene.lang)
        badges = "".join(f'<b class="{kind}">{escape(text)}</b>' for kind, text in scene.badges)
        credit = [self._tiles.credit] if self._tiles else []
        foot = "".join(f"<span>{escape(line)}</span>" for line in [*scene.foot, *credit])
        said = ("old", "panel", "search", "north", "scale", "layers", "theme", "script")
        names = {k: escape(t[k]) for k in said}
        return (
            f'<div class="xh"><header class="xh-head"><h1 id="xh-title" data-old="{names["old"]}">{escape(scene.title)}</h1>'
            f'<div id="xh-line" tabindex="0"></div><div id="xh-badges">{badges}</div>'
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
            f'<footer class="xh-foot" tabindex="0">{foot}<strong id="xh-evidence">{escape(scene.evidence)}</strong></footer></div>'
            f"<noscript>{names['script']}</noscript><!--xh-data-->"
        )

    def picture(self) -> str:
        """Return the same map as an SVG picture without any script, as `maps.picture` makes it; of a swipe map the later side."""
        return sheet_of(self._scene)

    def figure(self, size: tuple[float, float]) -> str:
        """Return the map alone with its keys, `size` units wide and high, as a figure in a page whose words can be read."""
        return figure_of(self._scene, size)

    def write(self, path: Path) -> None:
        """Write the page (".html") or the picture (".svg") to a path; raises as `save`, and `UnknownNameError` for other endings."""
        if path.suffix.lower() == ".svg":
            refuse_uncleared(self._scene.manifest, "写出地图")
            write_text(path, self.picture())
        elif path.suffix.lower() in (".html", ".htm"):
            self.save(path)
        else:
            raise UnknownNameError("图的格式", path.suffix or path.name, [".html", ".svg"])

    @well_called
    def save(
        self, outfile: str | bytes | os.PathLike[str] | BinaryIO, close_file: bool = True, **kwargs: object
    ) -> None:
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
        WrongValueError
            The name is that of a picture or of paper.
        SourceError
            A layer of the district is secret, and nobody has cleared its outputs.
        EnvironmentProblem
            The file cannot be written.
        """
        refuse_uncleared(self._scene.manifest, "写出地图")
        if isinstance(outfile, str | os.PathLike) and Path(outfile).suffix.lower() in _OTHER_FILES:
            raise WrongValueError(
                say("save 写的是网页（.html），不是 {0}；图用 xh.picture，纸用 xh.sheet", Path(outfile).suffix)
            )
        page = self.get_root().render().encode("utf-8")
        if len(page) > LARGE_BYTES:
            warnings.warn(
                say("地图有 {0:.1f} MB，在办公电脑上打开会慢；可少放图层或先汇总", len(page) / 1e6), stacklevel=2
            )
        if isinstance(outfile, str | bytes | os.PathLike):
            write_bytes(Path(os.fsdecode(outfile)), page)
            return
        outfile.write(page)
        if close_file:
            outfile.close()

    def _repr_html_(self, **kwargs: object) -> str:
        # what a notebook shows it also keeps: of a secret that nobody has cleared, only that it is one
        try:
            refuse_uncleared(self._scene.manifest, "在笔记本里显示")
        except SourceError as refused:
            return f"<p>{escape(str(refused))}</p>"
        with speaking(self._scene.lang):
            return still_and_live(self.picture(), self.get_root().render(), self._scene.title, 640)

    def _repr_png_(self) -> bytes | None:
        try:
            refuse_uncleared(self._scene.manifest, "在笔记本里显示")
        except SourceError:
            return None
        return png_of(self.picture())


def _north(letter: str) -> str:
    return (
        '<svg viewBox="0 0 24 36" aria-hidden="true"><path d="M12 1 19 25 12 20Z" fill="#2b3138"/>'
        '<path d="M12 1 5 25 12 20Z" fill="#fff" stroke="#2b3138" stroke-width="1"/>'
        f'<text x="12" y="35" font-size="10" font-weight="700" text-anchor="middle" fill="#2b3138">{letter}</text></svg>'
    )


def _policy(house: HouseMap) -> str:
    """Return what the page may load: nothing, or pictures of the one host that online tiles were asked from."""
    return POLICY.replace("img-src ", f"img-src {house._tiles.host} ") if house._tiles else POLICY


def _page(figure: Figure, house: HouseMap) -> str:
    """Put the page together: policy first, then our files and Leaflet's as text, then what folium rendered."""
    for part in (figure.header, figure.html, figure.script):
        _fill_links(part, house._carried)
    # Style sheets of Leaflet come before ours, so that the house style wins.
    head = [c.render(embedded=True) for c in figure.header._children.values() if isinstance(c, Link)]
    rest = [c.render() for k, c in figure.header._children.items() if not isinstance(c, Link) and k != "meta_http"]
    # What is ours goes around what folium has made, which would read each text of ours as a template.
    body, script = f"\n    {house.frame()}{figure.html.render()}", figure.script.render()
    found = _LOADS.search("\n".join([*rest, body, script]))
    if found:
        raise MissingAsset(found.group(0)[:160])
    texts = ["".join(rest), body, script]
    for number, name in enumerate(_ids(figure)):
        texts = [text.replace(name, f"{number:x}") for text in texts]
    looks, body, script = texts
    above, _, below = body.partition("<!--xh-data-->")
    return by_hash(
        f'<!DOCTYPE html>\n<html lang="{wording(house._scene.lang)["html_lang"]}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(house)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<link rel="icon" href="data:,">\n'
        f"<title>{escape(house._scene.title)}</title>\n{''.join(head)}<script>{_icon_script()}{_SHIM}</script>\n"
        f"<style>{house.css}</style>{looks}\n</head>\n<body>\n{above}{house._data}{below}\n<script>\n"
        f"{web_file('maps/map.js')}\n{script}\n</script>\n</body>\n</html>\n"
    )


def _fill_links(element: Element, carried: Mapping[str, str]) -> None:
    """Give every link under `element` its text, drop those the house style does without; raise for any other."""
    for key, child in list(element._children.items()):
        if isinstance(child, Link):
            name = child.url.rsplit("/", 1)[-1].lower()
            if name in ("leaflet.js", "leaflet.css"):
                child.code = _leaflet(name)  # type: ignore[assignment]
            elif name in carried:
                child.code = carried[name]  # type: ignore[assignment]
            elif any(word in child.url.lower() or word in key.lower() for word in _DROPPED):
                del element._children[key]
                continue
            else:
                raise MissingAsset(child.url)
            assert isinstance(child, JavascriptLink | CssLink)
        _fill_links(child, carried)


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
