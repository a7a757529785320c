"""A scene on paper: the map in its frame at a round scale, symbols and names that do not overlap, and the column beside it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import geopandas as gpd
import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray

from ...core import amount, renewal_is_shown
from ...district import District
from ...maps import (
    Label,
    Layer,
    Room,
    Scene,
    hidden,
    house_style,
    ink_on,
    joined,
    legend_groups,
    moves,
    shown_mode,
    width_at,
    wording,
)
from .page import Box, Columns, Frame, Lettering, Look, Paper, cut, span, wrap

INK, QUIET, STRONG, WARN, MARK = "#2b3138", "#626a72", "#0b4f5c", "#a4471b", "#8a3b52"
SHEET = "#fffdf9"
_HALO = "#fffdf8"
#: Layers that show where an administrative area ends; a public sheet has none of them.
BORDERS = ("district", "zones", "areas", "communities", "grid", "veil", "presence")
#: Detail finer than this is not drawn (millimetres of paper).
_FINE = 0.09
#: Scales that a ruler can be laid on: these times a power of ten.
_ROUND = (1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)

_Write = Callable[[], None]


class Ground(Room):
    """
    Where metric coordinates lie on the page, and what room is taken.

    `denominator` is the scale's, the smallest round one at which `bounds` fit the frame.
    """

    def __init__(self, paper: Paper, frame: Frame, crs: pyproj.CRS | str, bounds: Box) -> None:
        self.paper, self.frame = paper, frame
        west, south, east, north = bounds
        margin = 0.03 * max(east - west, north - south, 1.0)
        need = max((east - west + 2 * margin) / frame.width, (north - south + 2 * margin) / frame.height) / paper.metre
        power = 10.0 ** math.floor(math.log10(need))
        self.denominator = next((r * power for r in _ROUND if r * power >= need * (1 - 1e-9)), 10 * power)
        room = (frame.left, frame.top, frame.width, frame.height)
        super().__init__(room, 1.0 / (self.denominator * paper.metre), crs, bounds)
        #: Where symbols that may be drawn over by a name lie.
        self.dots = np.empty((0, 2))

    def shapes(self, geometry: gpd.GeoSeries) -> NDArray[np.object_]:
        """Return shapes on the page, without what is not there or too fine to be seen."""
        return np.asarray(shapely.transform(self.seen(geometry, _FINE * 0.001 / self.paper.metre), self.on_page))


# --- the map ----------------------------------------------------------------------------------------------------------


def draw_map(paper: Paper, frame: Frame, scene: Scene, keep_free: Sequence[Box] = (), *, small: bool = False) -> Ground:
    """
    Draw a scene into a frame, with scale bar and north arrow; no names and symbols where something else is to lie.

    `small`: a map beside a larger one, whose north is the same: without bar and arrow.
    """
    ground = Ground(paper, frame, scene.crs, scene.bounds)
    off = hidden(scene)
    theme, mode = shown_mode(scene)
    paper.rectangle(frame, fill=house_style()["paper"])
    with paper.inside(frame):
        for layer in scene.layers:
            if layer.id in off or layer.shape not in ("A", "L") or not len(layer.geometry):
                continue
            if layer.id == "veil":
                inner = shapely.union_all(ground.shapes(layer.geometry))
                f = ground.frame
                outer = shapely.box(f.left - 5, f.top - 5, f.right + 5, f.bottom + 5).difference(inner)
                ground.paper.areas([outer], Look(house_style()["paper"], opacity=house_style()["veil_opacity"]))
            elif theme is not None and mode is not None and layer.id == theme.layer:
                _draw_layer(ground, layer, mode.styles, mode.pick)
            else:
                _draw_layer(ground, layer, layer.styles, layer.pick)
        if scene.mark:
            _watermark(paper, frame, scene.mark)
        if not small:
            _reserve_corners(ground)
        for box in keep_free:
            ground.take(box)
        own = {f"k-{k}" for k in theme.kinds} | {"gaps"} if theme else {"gaps"}
        points = [x for x in scene.layers if x.shape == "P" and x.id not in off and x.min_zoom <= ground.zoom]
        places = [shapely.get_coordinates(x.geometry.array) for x in points if x.styles[0].get("mark") != "none"]
        ground.dots = ground.on_page(np.concatenate(places)) if places else ground.dots
        # What the theme is about comes first, then the names of areas, other symbols, other names; names lie on top.
        _draw_points(ground, [x for x in points if x.id in own])
        names = [_draw_labels(ground, scene.labels, off, first=True)]
        _draw_points(ground, [x for x in points if x.id not in own])
        names.append(_draw_labels(ground, scene.labels, off, first=False))
        for write in (w for group in names for w in group):
            write()
        if not small:
            _scale_bar(ground)
            _north_arrow(ground, wording(scene.lang)["north"])
    paper.rectangle(frame, line="#555555")
    return ground


def _look(style: Mapping[str, Any], width: float) -> Look:
    """Return how the areas of a style of the maps look, with an edge of this width."""
    return Look(
        fill=style.get("fill", ""),
        line=style.get("line", ""),
        width=width,
        dash=style.get("dash", ()),
        opacity=float(style.get("opacity", 1.0)),
        hatch=style.get("hatch", ""),
    )


def _draw_layer(ground: Ground, layer: Layer, styles: Sequence[Mapping[str, Any]], pick: np.ndarray) -> None:
    shapes, paper, zoom = ground.shapes(layer.geometry), ground.paper, ground.zoom
    if layer.shape == "A":
        for j, style in enumerate(styles):
            own = shapes[pick == j]
            if not len(own):
                continue
            width = width_at(style.get("width", 1), zoom)
            if "casing" in style:
                paper.lines(shapely.boundary(own), style["casing"], width + style.get("extra", 2))
            paper.areas(own, _look(style, width))
        return
    for casing in (True, False):
        for j, style in enumerate(styles):
            width = width_at(style.get("width", 1), zoom)
            if width <= 0.25 or (casing and "casing" not in style) or not (pick == j).any():
                continue
            extra = style.get("extra", min(2.0, 0.6 + width * 0.22)) if casing else 0.0
            colour, dash = style["casing" if casing else "line"], () if casing else style.get("dash", ())
            paper.lines(shapes[pick == j], colour, width + extra, dash)


def _watermark(paper: Paper, frame: Frame, text: str) -> None:
    look = Lettering(26.0, "#78283c", "middle", turn=-22, opacity=0.10)
    step = span(text, look.size) + 190
    for j in range(math.ceil(frame.height / (step * 0.46)) + 1):
        for i in range(math.ceil(frame.width / step) + 1):
            x, y = frame.left + step * (i + (j % 2) / 2), frame.top + 90 + step * 0.46 * j
            paper.words(x, y, text, look)


def _reserve_corners(ground: Ground) -> None:
    """Keep names and symbols away from the scale bar and the north arrow."""
    f = ground.frame
    ground.take((f.left, f.bottom - 50, f.left + 300, f.bottom))
    ground.take((f.right - 74, f.top, f.right, f.top + 84))


def _scale_bar(ground: Ground) -> None:
    paper, f = ground.paper, ground.frame
    limit = 190 / ground.scale
    power = 10 ** math.floor(math.log10(limit))
    metres = next(m * power for m in (5, 3, 2, 1) if m * power <= limit)
    length, x, y = metres * ground.scale, f.left + 22, f.bottom - 16
    ratio = f"1:{amount(ground.denominator)}"
    paper.rectangle(Frame(f.left + 8, y - 26, length + 68 + span(ratio, 11.5), 36), fill=SHEET, opacity=0.88)
    paper.rectangle(Frame(x, y, length, 5), fill="#ffffff", line=INK)
    paper.rectangle(Frame(x, y, length / 2, 5), fill=INK)
    for i, m in enumerate((0.0, metres / 2, metres)):
        text = "0" if m == 0 else f"{m / 1000:g} km" if m >= 1000 else f"{m:g} m"
        paper.words(x + length * i / 2, y - 10, text, Lettering(11, INK, "middle"))
    paper.words(x + length + 34, y + 1, ratio, Lettering(11.5, INK))


def _north_arrow(ground: Ground, letter: str) -> None:
    paper, x, y = ground.paper, ground.frame.right - 38, ground.frame.top + 40
    paper.circle(x, y + 4, 31, Look(SHEET))
    paper.areas([shapely.Polygon([(x, y - 23), (x + 9, y + 13), (x, y + 7)])], Look(INK))
    paper.areas([shapely.Polygon([(x, y - 23), (x - 9, y + 13), (x, y + 7)])], Look("#ffffff", INK))
    paper.words(x, y + 24, letter, Lettering(13, INK, "middle", bold=True))


def _draw_points(ground: Ground, layers: Sequence[Layer]) -> None:
    """Draw symbols: whole ones where there is room, dots where not."""
    radius = 6.5 if ground.zoom < 13 else 8.0 if ground.zoom < 14.5 else 9.5
    f, dots, icons, leaders = ground.frame, [], [], []
    kept = [place for layer in layers for place, style in ground.points(layer) if style.get("keep")]
    for layer in layers:
        if layer.styles[0].get("mark") == "none":
            continue
        for (x, y), style in ground.points(layer):
            r = 3.5 if "mark" in style else float(style.get("size", radius))
            if not (f.left - r < x < f.right + r and f.top - r < y < f.bottom + r):
                continue
            if style.get("keep"):  # with its rim: none of these may hide another
                wide = 1.18 * r
                bx, by = ground.beside(x, y, wide, kept)
                icons.append((bx, by, r, style))
                leaders += [([(x, y), (bx, by)], style["fill"])] if (bx, by) != (x, y) else []
                continue
            box = (x - r, y - r, x + r, y + r)
            if "mark" in style or not style.get("symbol", "·") or not ground.free([box]):
                dots.append((x, y, style))
            else:
                ground.take(box)
                icons.append((x, y, r, style))
    for x, y, style in dots:
        _draw_dot(ground.paper, x, y, radius * 0.42, style)
    for ends, colour in leaders:  # from its place to the symbol that stands beside it
        ground.paper.lines([shapely.LineString(ends)], "#ffffff", 4)
        ground.paper.lines([shapely.LineString(ends)], colour, 1.5)
        ground.paper.circle(*ends[0], 3, Look(colour, "#ffffff"))
    for x, y, r, style in reversed(icons):
        draw_icon(ground.paper, x, y, r, style)


def _draw_dot(paper: Paper, x: float, y: float, r: float, style: Mapping[str, Any]) -> None:
    """Draw a symbol that there is no room for, or a gate."""
    if "mark" in style:
        paper.rectangle(Frame(x - 3, y - 3, 6, 6), fill="#ffffff", line=style["line"], pen=1.2)
    else:
        paper.circle(x, y, r, Look(style["fill"], "#ffffff"))


def draw_icon(paper: Paper, x: float, y: float, r: float, style: Mapping[str, Any]) -> None:
    """Draw a symbol: full where it is open, hollow and dashed where it is planned."""
    fill, dark, symbol = style["fill"], style.get("dark", style["fill"]), str(style.get("symbol", ""))
    hollow = bool(style.get("hollow"))
    paper.circle(x, y, r * 1.18, Look("#ffffff"))
    look = Look("#ffffff", dark, r * 0.24, (r * 0.55, r * 0.3)) if hollow else Look(fill, dark, r * 0.12)
    paper.circle(x, y, r, look)
    if symbol and r >= 5:
        size = r * (1.25 if len(symbol) == 1 else 0.9)
        paper.words(x, y, symbol, Lettering(size, dark if hollow else ink_on(fill), "middle", bold=True))


# --- names ------------------------------------------------------------------------------------------------------------


def _draw_labels(ground: Ground, labels: Iterable[Label], off: set[str], *, first: bool) -> list[_Write]:
    """Find room for names; return what writes them."""
    found: list[_Write] = []
    for label in labels:
        if label.first is not first or label.layer in off:
            continue
        late = label.until and ground.zoom > label.until
        if ground.zoom < label.zoom or late or label.geometry is None or label.geometry.is_empty:
            continue
        style = house_style()["labels"][label.kind]
        if label.geometry.geom_type == "Point":
            found += _point_label(ground, label, style)
        else:
            found += _line_label(ground, label, style)
    return found


def _point_label(ground: Ground, label: Label, style: Mapping[str, Any]) -> list[_Write]:
    size, spacing = float(style["size"]), 0.0 if label.text.isascii() else float(style.get("spacing", 0))
    x0, y0 = ground.on_page(shapely.get_coordinates(label.geometry))[0]
    w, h, d = span(label.text, size, spacing), size * 1.25, label.away
    tries = moves(w, h, d)
    if label.first and not d:
        tries = [(i * w / 8, j * h / 2) for j in range(-6, 7) for i in range(-6, 7)]
    if label.first:  # near its place, on few symbols, and never on somebody else's ground
        tries = [(dx, dy) for dx, dy in tries if _over(ground, label.area, x0 + dx, y0 + dy)]
        tries.sort(key=lambda move: 10 * _covered(ground, x0 + move[0], y0 + move[1], w, h) + math.hypot(*move))
    for dx, dy in tries:
        x, y = x0 + dx, y0 + dy
        box = (x - w / 2 - 2, y - h / 2 - 1, x + w / 2 + 2, y + h / 2 + 1)
        if ground.free([box]):
            ground.take(box)
            if d and label.kind == "place":
                ground.paper.circle(x0, y0, 2, Look(house_style()["place"]["line"]))
            look = Lettering(size, style["colour"], "middle", style["weight"] >= 600, _HALO, spacing=spacing)
            return [partial(ground.paper.words, x, y, label.text, look)]
    return []


def _over(ground: Ground, area: shapely.Geometry | None, x: float, y: float) -> bool:
    """Whether a place on the page lies in an area of the map."""
    f = ground.frame
    place = ground.x0 + (x - f.left) / ground.scale, ground.y1 - (y - f.top) / ground.scale
    return area is None or bool(shapely.contains_xy(area, *place))


def _covered(ground: Ground, x: float, y: float, width: float, height: float) -> int:
    """Return how many symbols a name would lie on."""
    away = np.abs(ground.dots - (x, y))
    return int(((away[:, 0] < width / 2 + 5) & (away[:, 1] < height / 2 + 4)).sum())


def _line_label(ground: Ground, label: Label, style: Mapping[str, Any]) -> list[_Write]:
    """Write a name along its line, whole where it is Latin, else character by character."""
    size, plain = float(style["size"]), label.text.isascii()
    chars = [label.text] if plain else list(label.text)
    wide = [span(c, size) + (0.0 if plain else float(style.get("spacing", 0))) for c in chars]
    places, turn = ground.along(label.geometry, wide, size, plain=len(chars) == 1) or ([], 0.0)
    look = Lettering(size, style["colour"], "middle", style["weight"] >= 600, _HALO, turn)
    return [partial(ground.paper.words, x, y, char, look) for char, (x, y) in zip(chars, places, strict=False)]


# --- the column beside the map ----------------------------------------------------------------------------------------


class Column:
    """A column filled from the top. What does not fit is left out, and said to be."""

    def __init__(self, paper: Paper, left: float, top: float, width: float, bottom: float) -> None:
        self.paper, self.left, self.y, self.width, self.bottom = paper, left, top, width, bottom

    def text(
        self, words: str, size: float, colour: str = INK, *, bold: bool = False, gap: float = 1.42, lines: int = 99
    ) -> None:
        """Write a text in as many lines as it needs, at most `lines`."""
        broken = wrap(words, size, self.width)
        if len(broken) > lines:
            broken = [*broken[: lines - 1], cut(broken[lines - 1] + "……", size, self.width - size) + "…"]
        for line in broken:
            if self.y + size > self.bottom:
                return
            self.paper.words(self.left, self.y + size * 0.55, line, Lettering(size, colour, bold=bold))
            self.y += size * gap

    def room(self) -> float:
        """How much height is left."""
        return self.bottom - self.y

    def skip(self, height: float) -> None:
        """Leave some room before what comes next."""
        self.y += height

    def keep_free(self, height: float) -> None:
        """End the column higher up, by as much as something else needs below."""
        self.bottom -= height

    def row(self, key: Sequence[Any], label: str, count: str, left: float, width: float, lines: int = 1) -> int:
        """Write a legend entry in at most so many lines, and return in how many; the caller moves on to the next one."""
        legend_key(self.paper, key[0], key[1], left, self.y + 9)
        room = width - 36 - (span(count, 11.5) + 8 if count else 0)
        broken = wrap(label, 13, room)[:lines] if lines > 1 else [cut(label, 13, room)]
        for k, line in enumerate(broken):
            self.paper.words(left + 34, self.y + 9 + 16 * k, line, Lettering(13, INK))
        if count:
            self.paper.words(left + width, self.y + 9, count, Lettering(11.5, QUIET, "end"))
        return len(broken)

    def rows(self, entries: Sequence[tuple[Sequence[Any], str, str]], abreast: int = 0) -> None:
        """Write legend entries one below the other, or side by side where there are many."""
        n = abreast or self._abreast(entries)
        wide = (self.width - 12 * (n - 1)) / n
        for i, (key, label, count) in enumerate(entries):
            if self.y > self.bottom - 17:
                return
            self.row(key, label, count if n == 1 else "", self.left + (wide + 12) * (i % n), wide)
            if i % n == n - 1 or i == len(entries) - 1:
                self.y += 20.0

    def _abreast(self, entries: Sequence[tuple[Sequence[Any], str, str]]) -> int:
        """Return how many legend entries stand side by side: as many as the longest of the usual labels leaves room for."""
        if len(entries) <= 5:
            return 1
        spans = sorted(span(label, 13) for _, label, _ in entries)
        return max(int(self.width // max(150.0, spans[int(0.9 * len(spans))] + 50)), 1)

    def height(self, entries: Sequence[tuple[Sequence[Any], str, str]]) -> float:
        """Return how much room legend entries take."""
        return math.ceil(len(entries) / self._abreast(entries)) * 20.0

    def table(
        self,
        columns: Columns,
        rows: Sequence[Sequence[str]],
        *,
        strong: Mapping[tuple[int, int], str] | None = None,
        title: str = "",
    ) -> int:
        """
        Write a table; `strong` gives cells (row, column) a colour.

        Returns how many rows there was room for; where not even the first one fits, neither title nor head is written.
        """
        shares = np.asarray(columns.widths) / sum(columns.widths)
        edges = self.left + np.concatenate([[0.0], np.cumsum(shares)]) * self.width
        widths = np.diff(edges) - 8
        paper, size, step = self.paper, columns.size, columns.size * 1.32

        def broken_of(cells: Sequence[str]) -> tuple[list[list[str]], float]:
            broken = [_lines(c, size, w, columns.most_lines) for c, w in zip(cells, widths, strict=True)]
            return broken, max(1, *(len(b) for b in broken)) * step + 5

        def put(cells: Sequence[str], i: int) -> float:
            broken, height = broken_of(cells)
            if self.y + height > self.bottom:
                return 0.0
            if i < 0:
                paper.rectangle(Frame(self.left, self.y, self.width, height), fill="#e9e4da")
            elif i % 2:
                paper.rectangle(Frame(self.left, self.y, self.width, height), fill="#f6f2ea")
            for j, lines in enumerate(broken):
                colour, right = (strong or {}).get((i, j), INK), j in columns.numbers
                look = Lettering(size, colour, "end" if right else "start", bold=i < 0 or colour != INK)
                x = edges[j + 1] - 4 if right else edges[j] + 4
                for k, line in enumerate(lines):
                    paper.words(x, self.y + 2.5 + step * (k + 0.5), line, look)
            self.y += height
            return height

        least = (20.0 if title else 0.0) + sum(broken_of(cells)[1] for cells in [columns.head, *rows[:1]])
        if self.y + least > self.bottom:
            return 0
        if title:
            self.text(title, 14, bold=True)
        put(columns.head, -1)
        top = self.y
        done = 0
        for i, cells in enumerate(rows):
            if not put(cells, i):
                break
            done += 1
        paper.lines(
            [shapely.LineString([(self.left, y), (self.left + self.width, y)]) for y in (top, self.y)], "#8d857a", 1
        )
        return done

    def tables(
        self,
        abreast: int,
        columns: Columns,
        rows: Sequence[Sequence[str]],
        *,
        strong: Mapping[tuple[int, int], str] | None = None,
        fill: bool = False,
    ) -> int:
        """
        Write one long table as several side by side, of equal length or (`fill`) each as long as there is room.

        Returns how many rows there was room for.
        """
        gap, top, lowest, done = 14.0, self.y, self.y, 0
        wide = (self.width - gap * (abreast - 1)) / abreast
        each = len(rows) if fill else math.ceil(len(rows) / abreast)
        for k in range(abreast):
            part = rows[done : done + each]
            if not part:
                break
            own = {(i - done, j): colour for (i, j), colour in (strong or {}).items()}
            beside = Column(self.paper, self.left + k * (wide + gap), top, wide, self.bottom)
            put = beside.table(columns, part, strong=own)
            done, lowest = done + put, max(lowest, beside.y)
            if put < len(part) and not fill:
                each = math.ceil((len(rows) - done) / max(abreast - k - 1, 1))
        self.y = lowest
        return done


def rejoined(lines: Sequence[str]) -> str:
    """Return broken lines as one again: Latin words apart, Chinese characters not."""
    whole = lines[0]
    for line in lines[1:]:
        whole += (" " if whole[-1:].isascii() and line[:1].isascii() else "") + line
    return whole


def _lines(text: str, size: float, width: float, most: int) -> list[str]:
    lines = wrap(text, size, width) or [""]
    return lines if len(lines) <= most else [*lines[: most - 1], cut(rejoined(lines[most - 1 :]), size, width)]


def legend_key(paper: Paper, style: Mapping[str, Any], shape: str, x: float, y: float) -> None:
    """Draw a legend key 26 x 14 whose middle height lies at y."""
    if shape == "P":
        if style.get("mark") == "gate":
            paper.rectangle(Frame(x + 9, y - 4, 8, 8), fill="#ffffff", line=style["line"], pen=1.4)
        else:
            draw_icon(paper, x + 13, y, 8.5, style)
        return
    if shape == "L":
        width = min(6.0, max(1.2, width_at(style.get("width", 1), 15)))
        line = [shapely.LineString([(x, y), (x + 26, y)])]
        if "casing" in style:
            paper.lines(line, style["casing"], width + min(float(style.get("extra", 1.8)), 6.0), flat=True)
        paper.lines(line, style["line"], width, style.get("dash", ()), flat=True)
        return
    width = style.get("width", 1)
    edge = min(width if isinstance(width, int | float) else 1, 2)
    paper.areas([shapely.box(x, y - 7, x + 26, y + 7)], _look(style, edge))


def headline(column: Column, scene: Scene) -> None:
    """Write what the theme says: the number, what it means, the classes with how many homes and people are in each."""
    theme, mode = shown_mode(scene)
    if theme is None or mode is None:
        return
    t = wording(scene.lang)
    for fact in theme.facts:
        column.text(fact["big"], 34, STRONG, bold=True, gap=1.25)
        column.text(fact["text"], 14.5)
        column.text(fact.get("tag", ""), 13, WARN, bold=True)
    for note in theme.notes:
        column.text(note, 12, QUIET)
    column.y += 8
    headline_classes(column, scene)
    if theme.missing:
        names = joined([name for name, _ in theme.missing], scene.lang)
        column.text(t["missing"] + ("：" if scene.lang == "zh" else ": ") + names, 13.5, WARN, bold=True)
        column.y += 10


def headline_classes(column: Column, scene: Scene) -> None:
    """Write what the theme's colours mean, and how many homes and people each holds."""
    _, mode = shown_mode(scene)
    if mode is None:
        return
    column.text(mode.title, 13, QUIET, bold=True)
    if column.width > 500:
        shown = [(s, n) for s, n in zip(mode.styles, mode.counts, strict=True) if n or not s.get("skip")]
        entries = [((s, "A"), str(s["label"]), "") for s, _ in shown]
        column.rows(entries, max(int(column.width // 112), 1))
        column.y += 6
        return
    for style, count, words in zip(mode.styles, mode.counts, mode.texts, strict=True):
        if count or not style.get("skip"):
            lines = column.row((style, "A"), style["label"], words, column.left, min(column.width, 380.0), 3)
            column.y += 6 + 16 * lines
    column.y += 8


def _groups(scene: Scene, zoom: float) -> list[tuple[str, list[tuple[Sequence[Any], str, str]]]]:
    """Return the legend without what is too fine to be drawn at this zoom."""
    theme, _ = shown_mode(scene)

    def seen(key: Sequence[Any]) -> bool:
        return key[1] != "L" or width_at(key[0].get("width", 1), zoom) > 0.25

    groups = [(n, [e for e in entries if seen(e[0])]) for n, entries in legend_groups(scene, theme, hidden(scene))]
    return [(n, entries) for n, entries in groups if entries]


def legend_height(column: Column, scene: Scene, zoom: float) -> float:
    """Return how much room the legend of symbols and base map takes."""
    return sum(30 + column.height(e) for _, e in _groups(scene, zoom))


def legend(column: Column, scene: Scene, zoom: float) -> None:
    """Write the legend of symbols and base map."""
    for label, entries in _groups(scene, zoom):
        if column.room() < 44:  # a heading alone explains nothing
            return
        column.text(label, 14, bold=True)
        column.rows(entries)
        column.y += 8


# --- a map without a column beside it ----------------------------------------------------------------------------------

_KEY_ROW, _KEY_TEXT = 22.0, 13.5


def _key_rows(scene: Scene) -> list[tuple[Sequence[Any], str]]:
    """Return what must be explained on the map itself: the theme's classes and its facilities."""
    theme, mode = shown_mode(scene)
    if theme is None or mode is None:
        return []
    classes = zip(mode.styles, mode.counts, strict=True)
    rows: list[tuple[Sequence[Any], str]] = [((s, "A"), str(s["label"])) for s, n in classes if n or not s.get("skip")]
    own = [x for x in scene.layers if x.shape == "P" and x.id in {f"k-{k}" for k in theme.kinds}]
    return [*rows, *(((x.styles[0], "P"), re.split("[（(]", x.label)[0]) for x in own)]


def key_box(frame: Frame, scene: Scene) -> Box | None:
    """Return where the key lies: in the lower right corner; None where there is nothing to explain."""
    rows = _key_rows(scene)
    if not rows:
        return None
    width = max(span(label, _KEY_TEXT) for _, label in rows) + 54
    return frame.right - width, frame.bottom - len(rows) * _KEY_ROW - 14, frame.right, frame.bottom


def draw_key(paper: Paper, box: Box, scene: Scene) -> None:
    """Write what the colours and symbols of a map mean into a corner of it."""
    left, top, right, bottom = box
    paper.rectangle(Frame(left, top, right - left, bottom - top), fill=SHEET, line="#555555")
    column = Column(paper, left + 9, top + 7, right - left - 14, bottom)
    for key, label in _key_rows(scene):
        column.row(key, label, "", column.left, column.width)
        column.y += _KEY_ROW


def with_few_numbers(scene: Scene) -> Scene:
    """Return a scene whose lesser gaps are dots: without the list beside the map their numbers say nothing."""
    layers = [
        replace(x, styles=[{**s, "symbol": ""} if "near" in s else s for s in x.styles]) if x.id == "gaps" else x
        for x in scene.layers
    ]
    return replace(scene, layers=layers)


# --- for the public ---------------------------------------------------------------------------------------------------


def without_borders(scene: Scene) -> Scene:
    """Return a scene that does not show where administrative areas end, nor where anything is to be renewed: parcels are internal."""
    return _without(scene, {*BORDERS, "parcels"}, ("district", "zone", "area", "parcel"))


def handed_on(scene: Scene, district: District) -> Scene:
    """
    Return a scene as it goes to others on paper: without parcels, which are internal.

    They stay where somebody has confirmed them (`renewal_outputs`), and in documents of a plan, which are asked for by its name.
    """
    if renewal_is_shown(district.manifest):
        return scene
    return _without(scene, {"parcels"}, ("parcel",))


def _without(scene: Scene, unshown: set[str], kinds: Sequence[str]) -> Scene:
    """Return a scene without some layers, with their names and keys, and without names of some kinds."""
    layers = [layer for layer in scene.layers if layer.id not in unshown]
    labels = [x for x in scene.labels if x.kind not in kinds and x.layer not in unshown]
    groups = [{**g, "rows": [r for r in g["rows"] if not set(r["ids"]) & unshown]} for g in scene.groups]
    return replace(scene, layers=layers, labels=labels, groups=[g for g in groups if g["rows"]])
