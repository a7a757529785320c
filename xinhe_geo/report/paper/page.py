"""
Paper: shapes and words on a page, measured in units with y downwards, saved as PDF or PNG. Only importer of matplotlib.

Figures are made and saved without pyplot, so that nothing is kept or changed behind a caller who draws figures of their own. The one
typeface is the file of a package with a free licence; what it cannot write becomes a box, never a warning.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import shapely
from numpy.typing import NDArray

from ...core import needing, not_installed, packaged_font, tight
from ...maps import colour_of

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.font_manager import FontProperties
    from matplotlib.ft2font import FT2Font
    from matplotlib.patches import Rectangle
    from matplotlib.path import Path as Outline

#: Landscape pages, millimetres.
SIZES = {"A3": (420.0, 297.0), "A4": (297.0, 210.0)}
#: How many units a page is wide: text of 12 units is 9 points high on A3 and 8 on A4.
UNITS = {"A3": 1600.0, "A4": 1260.0}
DPI = 300
#: More parts than these in one path would be too much for the rasteriser.
_PARTS = 1500
_SETTINGS = {
    "pdf.fonttype": 42,
    "ps.fonttype": 42,  # matplotlib 3.11 asks this one how many characters a part of the typeface may have in a PDF, too
    "pdf.compression": 6,
    "axes.unicode_minus": False,
    "path.simplify": False,
    "text.usetex": False,
    "text.hinting": "none",
    "agg.path.chunksize": 0,
}
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u061c\u2066-\u2069\ufe00-\ufe0f\ufeff]")
_BOX = "□"
_CLOSING = "，。；、：）》”！？)"


@cache
def _matplotlib() -> SimpleNamespace:
    """Return what is used of matplotlib: it takes a second to import, which most commands need not wait for."""
    with needing("office", "画纸图"):
        from matplotlib import font_manager, rc_context
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.backends.backend_pdf import PdfPages
        from matplotlib.figure import Figure
        from matplotlib.ft2font import LoadFlags
        from matplotlib.patches import Circle, PathPatch, Rectangle
        from matplotlib.path import Path as Outline
        from matplotlib.textpath import TextPath

    return SimpleNamespace(
        font_manager=font_manager,
        rc_context=rc_context,
        FigureCanvasAgg=FigureCanvasAgg,
        PdfPages=PdfPages,
        Figure=Figure,
        LoadFlags=LoadFlags,
        Circle=Circle,
        PathPatch=PathPatch,
        Rectangle=Rectangle,
        Outline=Outline,
        TextPath=TextPath,
    )


@cache
def font_file() -> Path:
    """Return the packaged typeface."""
    file = packaged_font()
    if file is None:
        raise not_installed("zhplot", "office", "在图上写中文")
    return file


@cache
def _face() -> FT2Font:
    face: FT2Font = _matplotlib().font_manager.get_font(str(font_file()))
    return face


@cache
def _properties() -> FontProperties:
    properties: FontProperties = _matplotlib().font_manager.FontProperties(fname=str(font_file()))
    return properties


@cache
def _advance(char: str) -> float:
    """Return how wide a character is, as a share of the type size."""
    return float(_face().load_char(ord(char), flags=_matplotlib().LoadFlags.NO_SCALE).horiAdvance) / float(
        _face().units_per_EM
    )


@cache
def _written(char: str) -> str:
    return char if _face().get_char_index(ord(char)) else _BOX


def letters(words: str) -> float:
    """Return how wide words are, in Chinese letters; names stay Chinese in English, too, and faces differ: rather too much."""
    return sum(0.6 if letter.isascii() else 1.0 for letter in words)


def unbroken(words: str) -> float:
    """Return how wide the longest part of words is that cannot be broken, in Chinese letters: Chinese breaks anywhere."""
    return max((letters(part) for part in re.findall(r"[!-~]+", words)), default=0.0)


def plain(text: object) -> str:
    """Return a text on one line, without characters that cannot be seen (which some documents may not hold)."""
    seen = _UNSEEN.sub(" ", str(text))
    return tight("".join(c for c in seen if not "\ud800" <= c <= "\udfff" and c not in "\ufffe\uffff"))


def legible(text: object) -> str:
    """Return a text as the typeface can write it: one line, a box for every character it does not have."""
    return "".join(_written(c) for c in plain(text))


def span(text: str, size: float, spacing: float = 0.0) -> float:
    """Return how wide a text is."""
    words = legible(text)
    return sum(_advance(c) for c in words) * size + spacing * max(len(words) - 1, 0)


def wrap(text: str, size: float, width: float) -> list[str]:
    """
    Break a text into lines of at most `width`: anywhere between Chinese characters, at spaces in Latin text where possible.

    No line begins with a closing mark or ends with an opening one: what it belongs to goes with it.
    """
    lines: list[str] = []
    line: list[str] = []
    for token in re.findall(r"[\x21-\x7e\u00a0-\u2e7f]+\s*|\s+|.", legible(text)):
        for piece in list(token) if len(token) > 1 and span(token.rstrip(), size) > width else [token]:
            if line and span("".join([*line, piece]).rstrip(), size) > width:
                carried = _carried(line, piece)
                lines.append("".join(line[: len(line) - len(carried)]).rstrip())
                line = [*carried, piece] if carried else [piece.lstrip()]
            else:
                line.append(piece)
    rest = "".join(line).rstrip()
    return [*lines, rest] if rest else lines


def _carried(line: Sequence[str], piece: str) -> list[str]:
    """Return the end of a line that must stand on the next one with `piece`."""
    n = len(line)
    if piece[0] in _CLOSING:
        while n > 1 and line[n - 1][0] in _CLOSING:
            n -= 1
        n -= 1
    while n > 0 and line[n - 1][0] in "（《“(":
        n -= 1
    return list(line[n:]) if n > 0 else []


def cut(text: str, size: float, width: float) -> str:
    """Return a text on one line of at most `width`, with an ellipsis where it had to be cut."""
    words = legible(text)
    if span(words, size) <= width:
        return words
    while words and span(words + "…", size) > width:
        words = words[:-1]
    return words + "…"


#: Left, top, right and bottom edge.
Box = tuple[float, float, float, float]
#: What is drawn: one geometry or many, in units of the page.
Shapes: TypeAlias = shapely.Geometry | Sequence[shapely.Geometry] | NDArray[np.object_]


@dataclass(frozen=True)
class Frame:
    """A rectangle on the page: in units, on slides in inches."""

    left: float
    top: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """The right edge."""
        return self.left + self.width

    @property
    def bottom(self) -> float:
        """The lower edge."""
        return self.top + self.height


@dataclass(frozen=True)
class Look:
    """How an area looks: its colour, its edge, the colour of lines across it; "" is none of them."""

    fill: str = ""
    line: str = ""
    width: float = 1.0
    dash: Sequence[float] = ()
    opacity: float = 1.0
    hatch: str = ""


@dataclass(frozen=True)
class Lettering:
    """
    How words are written.

    `anchor` says what of the line lies at its place ("start", "middle", "end"); `halo` is the colour of a rim that keeps it
    legible on a map; `turn` is in degrees, clockwise; `spacing` is more room between characters.
    """

    size: float
    colour: str = "#2b3138"
    anchor: str = "start"
    bold: bool = False
    halo: str = ""
    turn: float = 0.0
    spacing: float = 0.0
    opacity: float = 1.0


@dataclass(frozen=True)
class Columns:
    """
    The columns of a table on paper or on a slide.

    `widths` are shares of the table's width, on slides inches; columns whose places are in `numbers` are set right; `size` is that
    of the letters, `most_lines` how many a cell may have on paper.
    """

    head: Sequence[str]
    widths: Sequence[float]
    numbers: Sequence[int] = ()
    size: float = 11.5
    most_lines: int = 2


class Paper:
    """
    One page. Coordinates are units from the top left corner; later things lie on top of earlier ones.

    Parameters
    ----------
    width_mm, height_mm
        The page.
    units
        How many units it is wide.
    """

    def __init__(self, width_mm: float, height_mm: float, units: float) -> None:
        self.width, self.height = units, units * height_mm / width_mm
        #: Printer's points and metres of paper in one unit.
        self.point = width_mm / 25.4 * 72 / units
        self.metre = width_mm / 1000 / units
        self.figure = _matplotlib().Figure(figsize=(width_mm / 25.4, height_mm / 25.4), facecolor="white")
        _matplotlib().FigureCanvasAgg(self.figure)
        self._axes = self.figure.add_axes((0, 0, 1, 1))
        self._axes.set_axis_off()
        self._axes.set_xlim(0, self.width)
        self._axes.set_ylim(self.height, 0)
        self._order = 0
        self._frame: Rectangle | None = None

    # --- shapes -------------------------------------------------------------------------------------------------------

    @contextmanager
    def inside(self, frame: Frame) -> Iterator[None]:
        """Cut off whatever is drawn meanwhile at a rectangle."""
        self._frame = _matplotlib().Rectangle(
            (frame.left, frame.top), frame.width, frame.height, transform=self._axes.transData
        )
        try:
            yield
        finally:
            self._frame = None

    def _put(self, artist: Artist) -> None:
        self._order += 1
        artist.set_zorder(self._order)
        self._axes.add_artist(artist)
        artist.set_clip_path(self._frame)

    def areas(self, shapes: Shapes, look: Look) -> None:
        """Draw polygons (in units): filled, hatched with a second colour, outlined."""
        parts = [p for p in shapely.get_parts(np.asarray(shapes)) if p.geom_type == "Polygon" and not p.is_empty]
        colour, own_opacity = colour_of(look.fill or "none")
        line, width, solid = look.line, look.width, look.opacity * own_opacity
        # one path for area and edge where that looks the same
        both = (
            bool(line)
            and colour != "none"
            and solid == 1.0
            and not (look.hatch or look.dash)
            and colour_of(line)[1] == 1.0
        )
        edge = {"edgecolor": line, "linewidth": width * self.point, "joinstyle": "round"} if both else {"linewidth": 0}
        for i in range(0, len(parts), _PARTS):
            own = shapely.orient_polygons(np.array(parts[i : i + _PARTS], dtype=object))
            if colour != "none":
                self._put(_matplotlib().PathPatch(self._outline(own), facecolor=colour, alpha=solid, **edge))
            if look.hatch:
                self.lines(_hatching(own), look.hatch, 1.1, opacity=look.opacity)
        if line and not both:
            self.lines(shapely.boundary(np.array(parts, dtype=object)), line, width, look.dash)

    def lines(
        self,
        shapes: Shapes,
        colour: str,
        width: float,
        dash: Sequence[float] = (),
        *,
        opacity: float = 1.0,
        flat: bool = False,
    ) -> None:
        """Draw lines; dashes are in units and grow with wide lines."""
        parts = shapely.get_parts(shapely.get_parts(np.asarray(shapes)))
        parts = parts[np.isin(shapely.get_type_id(parts), (1, 2)) & ~shapely.is_empty(parts)]
        plain, own = colour_of(colour)
        for i in range(0, len(parts), _PARTS):
            look: dict[str, Any] = {"edgecolor": plain, "alpha": own * opacity, "linewidth": width * self.point}
            look["joinstyle"], look["capstyle"] = "round", "butt" if dash or flat else "round"
            if dash:
                # matplotlib counts dashes in line widths.
                look["linestyle"] = (0, [d * max(1.0, width / 3) / width for d in dash])
            self._put(_matplotlib().PathPatch(self._outline(parts[i : i + _PARTS]), fill=False, **look))

    def rectangle(
        self, frame: Frame, *, fill: str = "", line: str = "", pen: float = 1.0, opacity: float = 1.0
    ) -> None:
        """Draw a rectangle."""
        look = {"facecolor": fill or "none", "edgecolor": line or "none", "linewidth": pen * self.point if line else 0}
        place, width, height = (frame.left, frame.top), frame.width, frame.height
        self._put(_matplotlib().Rectangle(place, width, height, alpha=opacity, joinstyle="miter", **look))

    def circle(self, x: float, y: float, r: float, look: Look) -> None:
        """Draw a circle."""
        width = look.width * self.point if look.line else 0
        patch = _matplotlib().Circle((x, y), r, facecolor=look.fill, edgecolor=look.line or "none", linewidth=width)
        if look.dash and look.line:
            patch.set_linestyle((0, [d / look.width for d in look.dash]))
        self._put(patch)

    def _outline(self, shapes: Shapes) -> Outline:
        """Return shapes as one path of coordinates finer than print shows (0.035 mm), and short to write down."""
        path = _outline(shapes)
        snapped: Outline = _matplotlib().Outline(self._snapped(np.asarray(path.vertices), 1), path.codes)
        return snapped

    def _snapped(self, places: np.ndarray, digits: int) -> np.ndarray:
        """Return places on a grid of tenths (or hundredths) of a point: so many digits in the file instead of six."""
        x = np.round(places[:, 0] * self.point, digits) / self.point
        high = self.height * self.point
        return np.column_stack([x, (high - np.round(high - places[:, 1] * self.point, digits)) / self.point])

    # --- words --------------------------------------------------------------------------------------------------------

    def words(self, x: float, y: float, text: str, look: Lettering) -> None:
        """Write one line whose middle height lies at y."""
        line, size = legible(text), look.size
        if not line.strip():
            return
        if look.spacing and len(line) > 1:
            left = x - _AHEAD[look.anchor] * span(line, size, look.spacing)
            own = replace(look, anchor="start", turn=0.0, spacing=0.0)
            for char in line:
                self.words(left, y, char, own)
                left += _advance(char) * size + look.spacing
            return
        if look.halo:
            self._rim(x, y, line, look, look.halo, 3.2)
        if look.bold:  # the typeface has one weight; a rim of its own colour makes the strokes stronger
            self._rim(x, y, line, look, look.colour, size * 0.034)
        angle = np.radians(look.turn)
        low = size * 0.36
        self._order += 1
        written = self._axes.text(
            x - np.sin(angle) * low,
            y + np.cos(angle) * low,
            line,
            fontproperties=_properties(),
            fontsize=size * self.point,
            color=look.colour,
            ha={"start": "left", "middle": "center", "end": "right"}[look.anchor],
            va="baseline",
            rotation=-look.turn,
            rotation_mode="anchor",
            parse_math=False,
            zorder=self._order,
            alpha=look.opacity,
            clip_on=self._frame is not None,
        )
        if self._frame is not None:
            written.set_clip_path(self._frame)

    def _rim(self, x: float, y: float, line: str, look: Lettering, colour: str, width: float) -> None:
        """Draw the outlines of a line of words, which are then written onto them."""
        size = look.size
        # the wider a rim, the less of what is simplified shows
        rings = _glyphs(line, round(width * (0.12 if width > 2 else 0.1) * 100 / size, 3))
        points = shapely.get_coordinates(rings) * (size / 100.0) * (1.0, -1.0)
        ahead = _AHEAD[look.anchor] * span(line, size)
        points = points + np.array([-ahead, size * 0.36])
        angle = np.radians(look.turn)
        turned = points @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) + (x, y)
        path = _matplotlib().Outline(self._snapped(turned, 1 if width > 2 else 2), _outline(rings).codes)
        patch = _matplotlib().PathPatch(path, fill=False, edgecolor=colour, linewidth=width * self.point)
        patch.set_joinstyle("round")
        patch.set_alpha(look.opacity)
        self._put(patch)


#: How much of a line of words lies before its place.
_AHEAD = {"start": 0.0, "middle": 0.5, "end": 1.0}


@cache
def _glyphs(line: str, tolerance: float) -> NDArray[np.object_]:
    """Return the outlines of a line of type of size 100 as rings."""
    drawn = _matplotlib().TextPath((0, 0), line, size=100, prop=_properties())
    # `to_polygons` gives ten points per curve at this size; most are within the tolerance of a straight line
    rings = [shapely.LinearRing(p) for p in drawn.to_polygons(closed_only=True) if len(p) > 3]
    return shapely.simplify(np.array(rings, dtype=object), tolerance)


def _outline(shapes: Shapes) -> Outline:
    """Return shapes as one path."""
    parts = shapely.get_parts(np.asarray(shapes))
    areas = shapely.get_type_id(parts) == 3
    lines = np.concatenate([parts[~areas], shapely.get_rings(parts[areas])])
    points, owner = shapely.get_coordinates(lines, return_index=True)
    path = _matplotlib().Outline
    codes = np.full(len(points), path.LINETO, dtype=path.code_type)
    codes[np.diff(owner, prepend=-1) != 0] = path.MOVETO
    closed = shapely.get_type_id(lines) == 2
    last = np.diff(owner, append=-1) != 0
    codes[last & closed[owner]] = path.CLOSEPOLY
    outline: Outline = path(points, codes)
    return outline


def _hatching(shapes: Shapes, step: float = 6.5) -> NDArray[np.object_]:
    """Return slanting lines that fill polygons, on one grid for the whole page."""
    whole = shapely.union_all(shapely.make_valid(np.asarray(shapes)))
    west, top, east, bottom = whole.bounds
    height = bottom - top
    first = np.floor((west - height) / step) * step
    # One grid for every polygon: lines run where x + y is a multiple of the step.
    starts = np.arange(np.floor((first + bottom) / step) * step - bottom, east + step, step)
    lines = shapely.multilinestrings([shapely.LineString([(x, bottom), (x + height, top)]) for x in starts])
    return shapely.get_parts(shapely.intersection(whole, lines))


# --- files ------------------------------------------------------------------------------------------------------------


def pdf_bytes(pages: Iterable[Paper], title: str) -> bytes:
    """Return pages as one PDF with a subset of the typeface inside; no clock in it."""
    stream = io.BytesIO()
    facts = {"Title": legible(title), "CreationDate": None, "Creator": None, "Producer": None}
    with _matplotlib().rc_context(_SETTINGS), _matplotlib().PdfPages(stream, metadata=facts) as book:
        for page in pages:
            book.savefig(page.figure)
    return stream.getvalue()


def png_bytes(page: Paper, dpi: int = DPI) -> bytes:
    """Return a page as PNG at `dpi` dots per inch."""
    stream = io.BytesIO()
    with _matplotlib().rc_context(_SETTINGS):
        page.figure.savefig(
            stream, format="png", dpi=dpi, metadata={"Software": None}, pil_kwargs={"compress_level": 6}
        )
    return stream.getvalue()
