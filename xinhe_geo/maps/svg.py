"""A scene as one SVG sheet without any script: map, title block, legend, scale, north arrow, sources."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import shapely

from ..core import escape, language
from .basemap import Label, Layer
from .room import Room, moves
from .scene import Bounds, Scene, hidden, shown_mode
from .style import OWN, house_style, ink_on, joined, role, wording
from .themes import Mode, Theme

# --- the picture -----------------------------------------------------------------------------------------------------

LINE, RING, POLYGON = 1, 2, 3  # types of shapes, as Shapely numbers them
FONT = "'Microsoft YaHei','PingFang SC','Noto Sans CJK SC','Noto Sans SC','Source Han Sans SC',sans-serif"
#: The picture's sheet, in its own units: about the shape of a landscape page.
_SHEET = (1600.0, 1120.0)
_FRAME = (24.0, 92.0, 1206.0, 950.0)  # left, top, width, height of the map


def _room(scene: Scene, frame: Bounds) -> Room:
    """Return a frame with the scene in it, as large as it fits."""
    (width, height), (west, south, east, north) = frame[2:], scene.bounds
    margin = 0.03 * max(east - west, north - south, 1.0)
    scale = min(width / (east - west + 2 * margin), height / (north - south + 2 * margin))
    return Room((0.0, 0.0, width, height), scale, scene.crs, scene.bounds)


def colour_of(value: str) -> tuple[str, float]:
    """Return a CSS colour as a plain colour and an opacity: not every SVG reader knows rgba()."""
    match = re.fullmatch(r"rgba\((\d+),\s*(\d+),\s*(\d+),\s*([\d.]+)\)", value)
    if not match:
        return value, 1.0
    r, g, b = (int(match.group(i)) for i in (1, 2, 3))
    return f"#{r:02x}{g:02x}{b:02x}", float(match.group(4))


def _attributes(**values: object) -> str:
    return "".join(f' {k.replace("_", "-")}="{v}"' for k, v in values.items() if v not in (None, ""))


def _fill(value: str, opacity: float = 1.0) -> str:
    colour, own = colour_of(value)
    return _attributes(fill=colour, fill_opacity=f"{own * opacity:g}" if own * opacity < 1 else None)


def _stroke(value: str, width: float, dash: Sequence[float] = ()) -> str:
    colour, own = colour_of(value)
    dashes = " ".join(f"{10 * d * max(1.0, width / 3):.0f}" for d in dash)
    return _attributes(
        stroke=colour,
        stroke_width=f"{10 * width:.0f}",
        stroke_opacity=f"{own:g}" if own < 1 else None,
        stroke_dasharray=dashes,
    )


def _path(shapes: Iterable[shapely.Geometry], view: Room) -> str:
    """Return shapes as one path in tenths of a picture unit, relative and without what cannot be seen."""
    parts = shapely.get_parts(list(shapes))
    kind = shapely.get_type_id(parts)
    rings, owner = shapely.get_rings(np.where(kind == POLYGON, parts, None), return_index=True)
    others = np.flatnonzero((kind == LINE) | (kind == RING))
    order = np.argsort(np.concatenate([owner, others]), kind="stable")
    lines = np.concatenate([rings, parts[others]])[order]
    coordinates, line = shapely.get_coordinates(lines, return_index=True)
    if not len(line):
        return ""
    closed = shapely.get_type_id(lines) == RING
    whole = np.rint(view.on_page(coordinates) * 10).astype("int64")
    last = np.append(line[1:] != line[:-1], True)
    whole, line = whole[~(last & closed[line])], line[~(last & closed[line])]
    first = np.append(True, line[1:] != line[:-1])
    step = np.diff(whole, axis=0, prepend=whole[:1])
    moved = ~first & step.any(axis=1)
    begins = np.append(True, line[moved][1:] != line[moved][:-1])
    moves = [
        f"{x:d}{y:+d}" if new or x < 0 else f" {x:d}{y:+d}"
        for (x, y), new in zip(step[moved].tolist(), begins.tolist(), strict=True)
    ]
    ends = np.searchsorted(line[moved], np.arange(len(lines) + 1)).tolist()
    start = np.zeros((len(lines), 2), "int64")
    start[line[first]] = whole[first]
    return "".join(
        f"M{x} {y}l{''.join(moves[ends[k] : ends[k + 1]])}{'z' if closed[k] else ''}"
        for k, (x, y) in enumerate(start.tolist())
        if ends[k] < ends[k + 1]
    )


def width_at(width: float | Sequence[float], zoom: float) -> float:
    """Return a line's width at a zoom: itself, or what its four widths (zoom 12, 14, 16, 18) say."""
    if isinstance(width, int | float):
        return float(width)
    t = min(max((zoom - 12) / 2, 0.0), 2.9999)
    i = int(t)
    return float(width[i] + (width[i + 1] - width[i]) * (t - i))


class _Hatches:
    """Patterns by what they look like, numbered in order of appearance."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], str] = {}

    def use(self, fill: str, line: str) -> str:
        """Return a reference to the pattern of lines on a ground."""
        name = self.known.setdefault((fill, line), f"{OWN}hatch{len(self.known)}")
        return f"url(#{name})"

    def defs(self) -> str:
        """Return the patterns' definitions, for use inside the map (tenths) and the legend (units)."""
        out = []
        for (fill, line), name in self.known.items():
            for suffix, n in (("", 70), ("s", 7)):
                out.append(
                    f'<pattern id="{name}{suffix}" width="{n}" height="{n}" patternUnits="userSpaceOnUse">'
                    f'<rect width="{n}" height="{n}"{_fill(fill)}/><path d="M0 {n}L{n} 0M{-n / 2:g} {n / 2:g}L{n / 2:g} {-n / 2:g}'
                    f'M{n / 2:g} {n * 1.5:g}L{n * 1.5:g} {n / 2:g}" stroke="{line}" stroke-width="{n / 6:.1f}"/></pattern>'
                )
        return "".join(out)


def _draw_layer(layer: Layer, styles: list[dict[str, Any]], pick: np.ndarray, view: Room, hatches: _Hatches) -> str:
    """Return one layer of areas or lines as SVG, one path per style (and one for its casing)."""
    shapes = view.seen(layer.geometry, 0.4)
    paths = [_path(shapes[pick == j], view) for j in range(len(styles))]
    out = []
    if layer.shape == "A":
        for style, d in zip(styles, paths, strict=True):
            if not d:
                continue
            opacity = float(style.get("opacity", 1.0))
            if "hatch" in style:
                paint = _attributes(
                    fill=hatches.use(style["fill"], style["hatch"]),
                    fill_opacity=f"{opacity:g}" if opacity < 1 else None,
                )
            else:
                paint = _fill(style["fill"], opacity) if "fill" in style else ' fill="none"'
            width = width_at(style.get("width", 1), view.zoom)
            if "casing" in style:
                out.append(f'<path d="{d}" fill="none"{_stroke(style["casing"], width + style.get("extra", 2))}/>')
            line = _stroke(style["line"], width, style.get("dash", ())) if "line" in style else ""
            out.append(f'<path d="{d}"{paint} fill-rule="evenodd"{line}/>')
        return "".join(out)
    for casing in (True, False):
        for style, d in zip(styles, paths, strict=True):
            width = width_at(style.get("width", 1), view.zoom)
            if not d or width <= 0.25 or (casing and "casing" not in style):
                continue
            extra = style.get("extra", min(2.0, 0.6 + width * 0.22)) if casing else 0.0
            paint = _stroke(
                style["casing" if casing else "line"], width + extra, () if casing else style.get("dash", ())
            )
            cap = ' stroke-linecap="round"' if casing or not style.get("dash") else ""
            out.append(f'<path d="{d}" fill="none" stroke-linejoin="round"{cap}{paint}/>')
    return "".join(out)


#: A character in a disc is at least so high: on half a page of A4 these are six points; and so high are several letters.
_LEAST_SYMBOL, _LEAST_LETTERS = 10.0, 10.7


def _disc(r: float, symbol: str) -> float:
    """Return the radius of a symbol's disc: several characters at their least height need a larger one."""
    return max(r, 0.34 * _LEAST_LETTERS * len(symbol)) if len(symbol) > 1 and r >= 5 else r


def _leader(x0: float, y0: float, x: float, y: float, colour: str) -> str:
    """Return the line from a place to the symbol of it that stands beside it."""
    line = f"M{x0:.1f} {y0:.1f}L{x:.1f} {y:.1f}"
    return (
        f'<path d="{line}" stroke="#fff" stroke-width="4"/><path d="{line}" stroke="{colour}" stroke-width="1.5"/>'
        f'<circle cx="{x0:.1f}" cy="{y0:.1f}" r="3" fill="{colour}" stroke="#fff"/>'
    )


def _icon(x: float, y: float, r: float, style: Mapping[str, Any]) -> str:
    """Return a point's symbol: full where it is open, hollow and dashed where it is planned."""
    fill, dark, symbol = style["fill"], style.get("dark", style["fill"]), str(style.get("symbol", ""))
    hollow, r = bool(style.get("hollow")), _disc(r, symbol)
    dash = f' stroke-dasharray="{r * 0.55:.1f} {r * 0.3:.1f}"' if hollow else ""
    out = ""
    if style.get("ring"):
        out = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r * 1.55:.1f}" fill="#fff" fill-opacity=".85" stroke="{style["ring"]}" stroke-width="{r * 0.3:.1f}"/>'
    out += (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r * 1.18:.1f}" fill="#fff"/><circle cx="{x:.1f}" cy="{y:.1f}" r="{r:g}" '
        f'fill="{"#ffffff" if hollow else fill}" stroke="{dark}" stroke-width="{r * (0.24 if hollow else 0.12):.1f}"{dash}/>'
    )
    if not symbol or r < 5:
        return out
    size = max(_LEAST_SYMBOL, r * 1.25) if len(symbol) == 1 else max(_LEAST_LETTERS, r * 0.9)
    return out + _words(x, y, symbol, _Face(size, dark if hollow else ink_on(fill), "middle", 600))


@dataclass(frozen=True)
class _Face:
    """How words are set; `halo` is a rim of paper, so that they can be read over lines."""

    size: float
    colour: str
    anchor: str = "start"
    weight: int = 400
    halo: bool = False
    spacing: float = 0.0
    italic: bool = False

    @staticmethod
    def of_name(style: Mapping[str, Any]) -> _Face:
        """Return the face of names on the map that the house style has an entry for."""
        return _Face(float(style["size"]), style["colour"], "middle", style["weight"], halo=True)


def _words(x: float, y: float, text: str, face: _Face, turn: float = 0.0) -> str:
    """Return a text whose middle height lies at y, turned by so many degrees."""
    size = face.size
    more = _attributes(
        text_anchor=None if face.anchor == "start" else face.anchor,
        font_weight=None if face.weight == 400 else face.weight,
        font_style="italic" if face.italic else None,
        letter_spacing=f"{face.spacing:g}" if face.spacing else None,
        transform=f"rotate({turn:.1f} {x:.1f} {y:.1f})" if abs(turn) > 0.05 else None,
        lang="zh" if language() == "en" and re.search("[\u3400-\u9fff]", text) else None,
    )
    rim = f' class="{OWN}halo"' if face.halo else ""
    return f'<text x="{x:.1f}" y="{y + size * 0.36:.1f}" font-size="{size:g}" fill="{face.colour}"{more}{rim}>{escape(text)}</text>'


def span(text: str, size: float, spacing: float = 0.0) -> float:
    """Return about how wide a text is: a Chinese character is a square, a Latin one a little over half of it."""
    return sum(size if ord(c) > 0x2E7F else size * 0.56 for c in text) + spacing * max(len(text) - 1, 0)


def _wrap(text: str, size: float, width: float) -> list[str]:
    """Break a text into lines of at most `width`: anywhere between Chinese characters, at spaces in Latin text."""
    lines, line = [], ""
    for token in re.findall(r"[\x21-\x7e\u00a0-\u2e7f]+\s*|\s+|.", text):
        if line and token not in "，。；、：）》”" and span((line + token).rstrip(), size) > width:
            carried = line[-1] if line[-1] in "（《“" else ""  # an opening bracket goes with what it opens
            lines.append(line[: len(line) - len(carried)].rstrip())
            line = carried + token.lstrip()
        else:
            line += token
    return [*lines, line] if line else lines


def _draw_points(scene: Scene, off: set[str], view: Room, own: set[str], *, first: bool) -> str:
    """
    Return point symbols: whole ones where there is room, dots where not.

    `first` are those the map is about (`own`, and what is always kept), placed before any name so that no name hides one.
    """
    radius = 6.5 if view.zoom < 13 else 8.0 if view.zoom < 14.5 else 9.5
    dots, icons, leaders = list[str](), list[str](), list[str]()
    layers = [x for x in scene.layers if x.shape == "P" and x.id not in off and x.min_zoom <= view.zoom]
    kept = [place for layer in layers for place, style in view.points(layer) if style.get("keep")]
    for layer in layers:
        if "mark" in layer.styles[0]:
            continue
        for (x, y), style in view.points(layer):
            r = float(style.get("size", radius))
            if not (-r < x < view.width + r and -r < y < view.height + r):
                continue
            if bool(style.get("keep") or layer.id in own) is not first:
                continue
            if style.get("keep"):  # with its rim: none of these may hide another
                r = _disc(r, str(style.get("symbol", "")))
                wide = r * (1.7 if style.get("ring") else 1.18)
                bx, by = view.beside(x, y, wide, kept)
                leaders += [_leader(x, y, bx, by, style.get("dark", style["fill"]))] if (bx, by) != (x, y) else []
                icons.append(_icon(bx, by, r, style))
                continue
            box = (x - r, y - r, x + r, y + r)
            if "near" not in style and view.free([box]):
                view.take(box)
                icons.append(_icon(x, y, r, style))
                continue
            d = radius * 0.42
            if first:
                view.take((x - d, y - d, x + d, y + d))
            dots.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{d:.1f}" fill="{style["fill"]}" stroke="#fff"/>')
    return "".join([*dots, *leaders, *reversed(icons)])


def _draw_labels(scene: Scene, off: set[str], view: Room, first: bool) -> str:
    out: list[str] = []
    for label in scene.labels:
        if label.first is not first:
            continue
        hidden = label.layer in off or view.zoom < label.zoom or (label.until and view.zoom > label.until)
        if hidden or label.geometry is None or label.geometry.is_empty:
            continue
        style = house_style()["labels"][label.kind]
        if label.geometry.geom_type == "Point":
            out.append(_point_label(label, style, view))
        else:
            out.append(_line_label(label, style, view))
    return "".join(out)


def _point_label(label: Label, style: Mapping[str, Any], view: Room) -> str:
    size, spacing = float(style["size"]), 0.0 if label.text.isascii() else float(style.get("spacing", 0))
    x0, y0 = view.on_page(shapely.get_coordinates(label.geometry))[0]
    w, h, d = span(label.text, size, spacing), size * 1.2, label.away
    for dx, dy in moves(w, h, d):
        x, y = x0 + dx, y0 + dy
        box = (x - w / 2 - 2, y - h / 2 - 1, x + w / 2 + 2, y + h / 2 + 1)
        if view.free([box]):
            view.take(box)
            dot = (
                f'<circle cx="{x0:.1f}" cy="{y0:.1f}" r="2" fill="{house_style()["place"]["line"]}"/>'
                if d and label.kind == "place"
                else ""
            )
            face = replace(_Face.of_name(style), spacing=spacing, italic=bool(style.get("italic")))
            return dot + _words(x, y, label.text, face)
    return ""


def _line_label(label: Label, style: Mapping[str, Any], view: Room) -> str:
    """Return a name along its line, whole where it is Latin, else character by character."""
    size, plain = float(style["size"]), label.text.isascii()
    chars = [label.text] if plain else list(label.text)
    wide = [span(c, size) + (0.0 if plain else float(style.get("spacing", 0))) for c in chars]
    places, turn = view.along(label.geometry, wide, size, plain=plain) or ([], 0.0)
    return "".join(_words(x, y, c, _Face.of_name(style), turn) for c, (x, y) in zip(chars, places, strict=False))


def _scale_bar(view: Room) -> float:
    """Return how many metres the scale bar of a picture has: a round number, at most two hundred units long, and with its words within it."""
    limit = min(200, max(view.width - 60, 20)) / view.scale
    power = 10 ** math.floor(math.log10(limit))
    return float(next(m * power for m in (5, 3, 2, 1) if m * power <= limit))


def _picture_rule(view: Room, letter: str) -> str:
    """Return scale bar and north arrow."""
    metres = _scale_bar(view)
    length, y = metres * view.scale, view.height - 18
    out = [
        f'<rect x="12" y="{y - 24:.1f}" width="{length + 70:.1f}" height="36" rx="2" fill="#fffdf9" fill-opacity=".88"/>'
    ]
    out.append(f'<rect x="26" y="{y:.1f}" width="{length:.1f}" height="5" fill="#fff" stroke="#2b3138"/>')
    out.append(f'<rect x="26" y="{y:.1f}" width="{length / 2:.1f}" height="5" fill="#2b3138"/>')
    for i, m in enumerate((0, metres / 2, metres)):
        text = "0" if m == 0 else f"{m / 1000:g} km" if m >= 1000 else f"{m:g} m"
        out.append(_words(26 + length * i / 2, y - 9, text, _Face(11, "#2b3138", "middle")))
    x = view.width - 34
    out.append(
        f'<g transform="translate({x:.1f} 40)"><circle r="31" cy="4" fill="#fffdf9" fill-opacity=".85"/><path d="M0-23 9 13 0 7Z" fill="#2b3138"/>'
        f'<path d="M0-23-9 13 0 7Z" fill="#fff" stroke="#2b3138"/>{_words(0, 24, letter, _Face(13, "#2b3138", "middle", 700))}</g>'
    )
    return "".join(out)


def _key(style: Mapping[str, Any], shape: str, x: float, y: float, hatches: _Hatches) -> str:
    """Return a legend key 26 x 15 whose middle height lies at y."""
    if shape == "P":
        return (
            f'<rect x="{x + 9:g}" y="{y - 4:g}" width="8" height="8" fill="#fff" stroke="{style["line"]}" stroke-width="1.4"/>'
            if style.get("mark") == "gate"
            else _icon(x + 13, y, 5.5 if style.get("ring") else 8.5, style)
        )
    if shape == "L":
        width = min(6.0, max(1.2, width_at(style.get("width", 1), 15)))
        lines = []
        if "casing" in style:
            lines.append((style["casing"], width + min(float(style.get("extra", 1.8)), 6.0), ()))
        lines.append((style["line"], width, style.get("dash", ())))
        return "".join(
            f'<path d="M{x:g} {y:g}h26" fill="none" stroke="{colour_of(c)[0]}" stroke-width="{w:g}" stroke-opacity="{colour_of(c)[1]:g}"'
            + (f' stroke-dasharray="{" ".join(f"{d:g}" for d in dash)}"' if dash else "")
            + "/>"
            for c, w, dash in lines
        )
    if "hatch" in style:
        paint = f' fill="{hatches.use(style["fill"], style["hatch"])[:-1]}s)"'
    else:
        paint = _fill(style["fill"], float(style.get("opacity", 1))) if "fill" in style else ' fill="none"'
    dash = f' stroke-dasharray="{" ".join(f"{d:g}" for d in style["dash"])}"' if style.get("dash") else ""
    width = style.get("width", 1)
    line = (
        f' stroke="{colour_of(style["line"])[0]}" stroke-width="{min(width if isinstance(width, int | float) else 1, 2):g}"{dash}'
        if "line" in style
        else ""
    )
    return f'<rect x="{x:g}" y="{y - 7:g}" width="26" height="14"{paint}{line}/>'


class _Column:
    """The column beside the map, filled from the top; what does not fit is left out."""

    width = 326.0

    def __init__(self, hatches: _Hatches) -> None:
        self.left = _FRAME[0] + _FRAME[2] + 22
        self.y, self.bottom = _FRAME[1] + 8, _FRAME[1] + _FRAME[3]
        self.hatches, self.parts = hatches, list[str]()

    def text(self, words: str, size: float, colour: str = "#2b3138", weight: int = 400, gap: float = 1.45) -> None:
        """Write a text in as many lines as it needs."""
        for line in _wrap(words, size, self.width):
            if self.y + size > self.bottom:
                return
            self.parts.append(_words(self.left, self.y + size * 0.5, line, _Face(size, colour, "start", weight)))
            self.y += size * gap

    def row(self, key: Sequence[Any], label: str, count: str = "", x: float = 0.0, width: float = 0.0) -> None:
        """Write a legend entry; the caller moves on to the next line."""
        wide = width or self.width
        self.parts.append(_key(key[0], key[1], self.left + x, self.y + 9, self.hatches))
        lines = _wrap(label, 13.5, wide - 36 - (span(count, 12) + 8 if count else 0)) or [""]
        name = lines[0] + ("…" if len(lines) > 1 else "")
        self.parts.append(_words(self.left + x + 34, self.y + 9, name, _Face(13.5, "#2b3138")))
        if count:
            self.parts.append(_words(self.left + x + wide, self.y + 9, count, _Face(12, "#626a72", "end")))

    def rows(self, entries: Sequence[tuple[Sequence[Any], str, str]], *, two: bool) -> None:
        """Write legend entries one below the other, or in two columns."""
        for i, (key, label, count) in enumerate(entries):
            if self.y > self.bottom - 17:
                return
            half = self.width / 2
            self.row(key, label, "" if two else count, (half + 6) * (i % 2) if two else 0.0, half - 6 if two else 0.0)
            if not two or i % 2 or i == len(entries) - 1:
                self.y += 21 if two else 23


def _legend(scene: Scene, theme: Theme | None, mode: Mode | None, off: set[str], hatches: _Hatches) -> str:
    """Return the column beside the map: the headline, the classes, who misses out, facilities and base map."""
    t, column = wording(scene.lang), _Column(hatches)
    if theme is not None and mode is not None:
        _legend_theme(column, theme, mode, scene.lang)
    groups = legend_groups(scene, theme, off)
    gaps = next((x for x in scene.layers if x.id in ("gaps", "parcels") and "list" in x.extra), None)
    if gaps is not None:
        # The legend comes after the list and must stay whole.
        below = sum(_height(e, len(e) > 7) for _, e in groups)
        column.text(gaps.label, 14.5, weight=700)
        for i, gap in enumerate(gaps.extra["list"]):
            need = 20 + 17.4 * len(_wrap(gap["why"], 12, column.width))
            if column.y + need > column.bottom - below - 25:
                column.text(t["more"].format(n=len(gaps.extra["list"]) - i), 12, "#626a72")
                break
            number = f"{i + 1}  " if gaps.shape == "P" else ""
            column.text(
                f"{number}{gap['name']}  {gap['people']}", 13.5, gaps.styles[0].get("line", gaps.styles[0]["fill"]), 600
            )
            column.text(gap["why"], 12, "#626a72")
        column.y += 8
    write_groups(column, groups)
    return "".join(column.parts)


def write_groups(column: _Column, groups: Sequence[tuple[str, Sequence[tuple[Sequence[Any], str, str]]]]) -> None:
    """Write the legend's groups: two columns where there are many, but no name cut short that has room below the others."""
    cut = any(len(e) > 7 and any(span(label, 13.5) > column.width / 2 - 42 for _, label, _ in e) for _, e in groups)
    single = cut and column.y + sum(_height(e, False) for _, e in groups) <= column.bottom
    for label, entries in groups:
        column.text(label, 14.5, weight=700)
        column.rows(entries, two=len(entries) > 7 and not single)
        column.y += 8


def _height(entries: Sequence[Any], two: bool) -> float:
    """Return the height of a legend's group with its title."""
    return 30 + (math.ceil(len(entries) / 2) * 21 if two else len(entries) * 23)


def _legend_theme(column: _Column, theme: Theme, mode: Mode, lang: str) -> None:
    t = wording(lang)
    for fact in theme.facts:
        column.text(fact["big"], 34, "#0b4f5c", 700, 1.25)
        column.text(fact["text"], 14.5)
        column.text(fact.get("tag", ""), 13, "#a4471b", 600)
    for note in theme.notes:
        column.text(note, 12.5, "#626a72")
    column.y += 8
    column.text(mode.title, 13, "#626a72", 600)
    for style, count, words in zip(mode.styles, mode.counts, mode.texts, strict=True):
        if count or not style.get("skip"):
            column.row((style, "A"), style["label"], words)
            column.y += 23
    if theme.missing:
        column.y += 4
        names = joined([name for name, _ in theme.missing], lang)
        column.text(t["missing"] + ("：" if lang == "zh" else ": ") + names, 13.5, "#a4471b", 600)
    column.y += 10


def legend_groups(
    scene: Scene, theme: Theme | None, off: set[str]
) -> list[tuple[str, list[tuple[Sequence[Any], str, str]]]]:
    """Return the legend's groups with what is shown: (key, label, count), no label twice."""
    groups = []
    for group in scene.groups:
        entries: dict[str, tuple[Sequence[Any], str, str]] = {}
        for row in group["rows"]:
            # What the theme colours is explained above.
            if set(row["ids"]) <= off or (theme is not None and row["ids"] == [theme.layer]):
                continue
            if "key" in row:
                entries.setdefault(row["label"], (row["key"], row["label"], row.get("count", "")))
            for key in row.get("keys", ()):
                entries.setdefault(key[0]["label"], (key, key[0]["label"], ""))
        if entries:
            groups.append((group["label"], list(entries.values())))
    return groups


def _watermark(text: str, width: float = _FRAME[2], rows: int = 6) -> str:
    out, step = [], span(text, 26) + 190
    for j in range(rows):
        for i in range(-1, int(width / step) + 2):
            x, y = round(180 + step * i + (step / 2 if j % 2 else 0)), round(90 + step * 0.46 * j)
            out.append(f'<text x="{x}" y="{y}" transform="rotate(-22 {x} {y})">{escape(text)}</text>')
    return (
        f'<g font-size="26" font-weight="700" fill="#78283c" fill-opacity=".10" text-anchor="middle">{"".join(out)}</g>'
    )


def _map_of(scene: Scene, view: Room, hatches: _Hatches) -> tuple[str, str]:
    """Return what lies in the frame: areas and lines (in tenths of a unit), then symbols and names."""
    (theme, mode), off = shown_mode(scene), hidden(scene)
    length = _scale_bar(view) * view.scale
    bottom, right = view.height, view.width - 34
    for corner in ((12, bottom - 42, length + 82, bottom - 6), (right - 31, 13, right + 31, 75)):
        view.take(corner)
    body = []
    for layer in scene.layers:
        if layer.id in off or layer.shape not in ("A", "L"):
            continue
        if layer.id == "veil":
            outer = shapely.box(*view.box).difference(shapely.union_all(layer.geometry.array))
            body.append(
                f'<path d="{_path([outer], view)}" fill-rule="evenodd"{_fill(house_style()["paper"], house_style()["veil_opacity"])}/>'
            )
            continue
        themed = theme is not None and mode is not None and layer.id == theme.layer
        styles, pick = (mode.styles, mode.pick) if themed and mode is not None else (layer.styles, layer.pick)
        body.append(_draw_layer(layer, styles, pick, view, hatches))
    own = {f"k-{k}" for k in theme.kinds} if theme is not None else set()
    chosen = _draw_points(scene, off, view, own, first=True)
    names = _draw_labels(scene, off, view, True)
    points = _draw_points(scene, off, view, own, first=False)
    labels = names + _draw_labels(scene, off, view, False) + chosen
    return "".join(body), points + labels


def _symbols(scene: Scene, view: Room, kinds: set[str]) -> list[tuple[tuple[dict[str, Any], str], str]]:
    """Return the key of each symbol that a figure has: of these kinds, as they are there, and of what it is about."""
    t, found = wording(scene.lang), dict[str, tuple[dict[str, Any], str]]()
    states = ("", t["planned"], t["closed"])
    for layer in scene.layers:
        if layer.id in ("gaps", "sites"):
            found.setdefault(layer.label, (layer.styles[0], "P"))
        elif layer.id == "changed":
            found.update({style["label"]: (style, "P") for style in layer.styles})
        elif layer.id in kinds:
            there = shapely.intersects(shapely.box(*view.box), layer.geometry.array)
            for j in sorted(set(layer.pick[there].tolist())):
                name = " · ".join(word for word in (re.split("[（(]", layer.label)[0], states[j]) if word)
                found.setdefault(name, (layer.styles[j], "P"))
    return [(key, label) for label, key in found.items()]


#: A figure within a page, in its own units: half as large as a sheet, so that its words keep six points on A4.
_FIGURE = (820.0, 520.0)


def figure_of(scene: Scene, size: tuple[float, float] = _FIGURE) -> str:
    """Return the map alone, with the keys of its theme below it: a figure for a printed page, `size` units wide and high."""
    (theme, mode), hatches = shown_mode(scene), _Hatches()
    width, height = size
    view = _room(scene, (0.0, 0.0, width, height))
    body, marks = _map_of(scene, view, hatches)
    areas = zip(mode.styles, mode.counts, strict=True) if mode is not None else ()
    entries = _symbols(scene, view, {f"k-{kind}" for kind in theme.kinds} if theme is not None else set())
    entries[:0] = [((style, "A"), style["label"]) for style, n in areas if n]
    keys, x, y = [], 4.0, height + (18 if entries else -16)
    for key, label in entries:
        wide = 34 + span(label, 13) + 22
        if x > 4 and x + wide > width:
            x, y = 4.0, y + 24
        keys.append(_key(key[0], key[1], x, y, hatches) + _words(x + 34, y, label, _Face(13, role("ink"))))
        x += wide
    mark = _watermark(scene.mark, width, 4) if scene.mark else ""
    title = theme.title if theme is not None else scene.title
    whole = y + 16 if keys else height
    drawn = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {whole:g}" role="img" font-family="{FONT}">'
        f'<title>{escape(title)}</title><defs><clipPath id="{OWN}frame"><rect width="{width:g}" height="{height:g}"/></clipPath>{hatches.defs()}</defs>'
        f"<style>.{OWN}halo{{paint-order:stroke;stroke:#fffdf8;stroke-width:3px;stroke-linejoin:round;stroke-opacity:.9}}</style>"
        f'<rect width="{width:g}" height="{whole:g}" fill="#fffdf9"/><rect width="{width:g}" height="{height:g}" fill="{house_style()["paper"]}"/>'
        f'<g clip-path="url(#{OWN}frame)"><g transform="scale(.1)">{body}</g>{mark}{marks}{_picture_rule(view, wording(scene.lang)["north"])}</g>'
        f'<rect width="{width:g}" height="{height:g}" fill="none" stroke="#555"/>{"".join(keys)}</svg>'
    )
    return drawn.replace(OWN, f"m{hashlib.sha256(drawn.encode()).hexdigest()[:10]}-")


def sheet_of(scene: Scene) -> str:
    """Return the whole picture."""
    (theme, mode), off = shown_mode(scene), hidden(scene)
    view, hatches = _room(scene, _FRAME), _Hatches()
    body, marks = _map_of(scene, view, hatches)
    column = _legend(scene, theme, mode, off, hatches)
    left, top, width, height = _FRAME
    title = theme.title if theme is not None else scene.title
    head = [_words(left, 34, title, _Face(28, "#2b3138", "start", 700))]
    x = _SHEET[0] - 24
    for kind, words in reversed(scene.badges):
        wide = span(words, 14) + 18
        x -= wide
        dark = kind == "demo"
        head.append(
            f'<rect x="{x:.1f}" y="20" width="{wide:.1f}" height="26" rx="2" stroke="#8a3b52" fill="{"#8a3b52" if dark else "none"}"/>'
        )
        head.append(_words(x + wide / 2, 33, words, _Face(14, "#fff" if dark else "#8a3b52", "middle", 600)))
        x -= 10
    lines = theme.lines if theme is not None else scene.lines
    head.append(_words(left, 68, "　".join(lines), _Face(14, "#626a72")))
    head.append(f'<path d="M{left} 84H{_SHEET[0] - 24}" stroke="#8a3b52" stroke-width="2.5"/>')
    evidence = theme.evidence if theme is not None else scene.evidence
    foot, y = [], top + height + 18
    for i, line in enumerate(
        [*_wrap("　".join(scene.foot), 12.5, _SHEET[0] - 48), *_wrap(evidence, 12.5, _SHEET[0] - 48)]
    ):
        foot.append(_words(left, y + 17 * i, line, _Face(12.5, "#626a72")))
    mark = _watermark(scene.mark) if scene.mark else ""
    frame = f'<rect x="{left}" y="{top}" width="{width}" height="{height}"'
    drawn = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_SHEET[0]:g} {_SHEET[1]:g}" role="img" font-family="{FONT}" '
        f'xml:lang="{wording(scene.lang)["html_lang"]}"><title>{escape(title)}</title>'
        f'<defs><clipPath id="{OWN}frame"><rect width="{width:g}" height="{height:g}"/></clipPath>{hatches.defs()}</defs>'
        f"<style>.{OWN}halo{{paint-order:stroke;stroke:#fffdf8;stroke-width:3px;stroke-linejoin:round;stroke-opacity:.9}}</style>"
        f'<rect width="{_SHEET[0]:g}" height="{_SHEET[1]:g}" fill="#fffdf9"/>{"".join(head)}{frame} fill="{house_style()["paper"]}"/>'
        f'<g transform="translate({left:g} {top:g})" clip-path="url(#{OWN}frame)"><g transform="scale(.1)">{body}</g>'
        f'{mark}{marks}{_picture_rule(view, wording(scene.lang)["north"])}</g>{frame} fill="none" stroke="#555"/>'
        f"{column}{''.join(foot)}</svg>"
    )
    # Several pictures may stand in one page: names inside each are its own, and the same for the same picture.
    return drawn.replace(OWN, f"m{hashlib.sha256(drawn.encode()).hexdigest()[:10]}-")
