"""
Charts for pages and paper: inline SVG without any script, in one grammar: figures with their table beside them, marks in its cells.

A unit is a point on a page that is 520 wide: letters of 11 are over nine pixels on a screen that shows it whole, and over six
points on A4.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from ..core import escape
from .style import house_style, ink_on, role
from .svg import FONT, span

WIDTH, SIZE = 520.0, 11.5
#: Dashes that tell lines apart without colour, the first of them whole.
DASHES = ("", "7 3", "2 3", "9 3 2 3", "5 2 1 2 1 2", "1 2", "12 4")


class Line(NamedTuple):
    """One line of a chart: its name, and its values in the order of what they are drawn over."""

    label: str
    values: Sequence[float]


class Stack(NamedTuple):
    """One upright bar: its name, and its parts from the bottom, each with what it says."""

    label: str
    parts: Sequence[tuple[float, str]]


class Bar(NamedTuple):
    """One bar: its name, the share of it that is marked (0-1; missing: unknown), and what stands beside it."""

    label: str
    share: float
    text: str


def tones(values: Sequence[float]) -> list[int]:
    """Return per value how dark its cell is: 0 none, 1-4 by quarters of the greatest; -1 unknown."""
    known = [value for value in values if math.isfinite(value)]
    top = max(known, default=0.0)
    return [-1 if not math.isfinite(v) else 0 if v <= 0 else min(4, 1 + int(4 * v / top * (1 - 1e-9))) for v in values]


def text(x: float, y: float, words: str, anchor: str = "start", weight: int = 400) -> str:
    """Return words whose middle height lies at y."""
    more = "" if anchor == "start" else f' text-anchor="{anchor}"'
    more += "" if weight == 400 else f' font-weight="{weight}"'
    return f'<text x="{x:.1f}" y="{y + SIZE * 0.36:.1f}" font-size="{SIZE:g}" fill="{role("ink")}"{more}>{escape(words)}</text>'


def drawn(title: str, height: float, body: str, mark: str = "", width: float = WIDTH) -> str:
    """Return a drawing as one SVG element; `mark` (演示数据) stands inside it, so that it survives being cut out."""
    seal = ""
    if mark:
        seal = (
            f'<text x="{width / 2:g}" y="{height / 2:g}" font-size="22" font-weight="700" text-anchor="middle" '
            f'fill="{role("doubtful")}" fill-opacity=".16" transform="rotate(-14 {width / 2:g} {height / 2:g})">{escape(mark)}</text>'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img" font-family="{FONT}">'
        f'<title>{escape(title)}</title><rect width="{width:g}" height="{height:g}" fill="#fff"/>{body}{seal}</svg>'
    )


def _grid(left: float, top: float, width: float, height: float) -> str:
    """Return the lines of 0, 25 … 100 % with their numbers."""
    out = []
    for part in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = top + height * (1 - part)
        out.append(f'<path d="M{left:g} {y:.1f}h{width:g}" stroke="#d9d6cf"/>')
        out.append(text(left - 6, y, f"{100 * part:g}%", "end"))
    return "".join(out)


def apart(places: Sequence[float], room: float, top: float, bottom: float) -> list[float]:
    """Move heights of labels apart until none covers another, in their order."""
    order = sorted(range(len(places)), key=lambda i: (places[i], i))
    moved = list(places)
    for n, i in enumerate(order):
        moved[i] = max(moved[i], top if n == 0 else moved[order[n - 1]] + room)
    over = moved[order[-1]] - bottom if order else 0.0
    for n, i in enumerate(reversed(order)):
        if over > 0:
            moved[i] = min(moved[i], bottom - room * n)
    return moved


def curves(title: str, lines: Sequence[Line], minutes: Sequence[float], limit: float, unit: str, mark: str = "") -> str:
    """Draw shares over minutes, each line named at its end, with the limit as an upright."""
    left, top, width, height, right = 44.0, 18.0, 250.0, 210.0, minutes[-1]
    body = [_grid(left, top, width, height)]
    for tick in range(0, int(right) + 1, 10):
        x = left + width * tick / right
        body.append(f'<path d="M{x:.1f} {top + height:g}v4" stroke="{role("ink")}"/>')
        body.append(text(x, top + height + 13, f"{tick}{f' {unit}' if tick + 10 > right else ''}", "middle"))
    if math.isfinite(limit) and limit <= right:
        x = left + width * limit / right
        body.append(f'<path d="M{x:.1f} {top:g}v{height:g}" stroke="{role("ink")}" stroke-dasharray="2 2"/>')
        body.append(text(x, top - 6, f"{limit:g} {unit}", "middle"))
    ends = [top + height * (1 - line.values[-1]) for line in lines]
    places = apart(ends, SIZE * 1.35, top + 4, top + height)
    for i, (line, end, place) in enumerate(zip(lines, ends, places, strict=True)):
        points = " ".join(
            f"{left + width * m / right:.1f},{top + height * (1 - v):.1f}"
            for m, v in zip(minutes, line.values, strict=True)
        )
        dash = f' stroke-dasharray="{DASHES[i % len(DASHES)]}"' if DASHES[i % len(DASHES)] else ""
        body.append(f'<polyline points="{points}" fill="none" stroke="{role("problem")}" stroke-width="1.8"{dash}/>')
        x = left + width
        body.append(
            f'<path d="M{x:.1f} {end:.1f}L{x + 8:.1f} {place:.1f}h16" fill="none" stroke="{role("problem")}"{dash}/>'
        )
        body.append(text(x + 28, place, line.label))
    wide = left + width + 28 + max((span(line.label, SIZE) for line in lines), default=0.0)
    return drawn(title, top + height + 26, "".join(body), mark, max(WIDTH, wide + 6))


def slope(title: str, labels: Sequence[str], values: Sequence[float], texts: Sequence[str], mark: str = "") -> str:
    """Draw what a share comes to from one state to the next, each with its number."""
    left, top, width, height = 44.0, 18.0, 440.0, 150.0
    gap = width / max(len(values), 1)
    places = [(left + gap * (i + 0.5), top + height * (1 - value)) for i, value in enumerate(values)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    body = [
        _grid(left, top, width, height),
        f'<polyline points="{line}" fill="none" stroke="{role("gain")}" stroke-width="2"/>',
    ]
    for (x, y), label, said in zip(places, labels, texts, strict=True):
        body.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{role("gain")}"/>')
        body.append(text(x, y - 11 if y > top + 16 else y + 13, said, "middle", 700))
        body.append(text(x, top + height + 14, label, "middle"))
    return drawn(title, top + height + 28, "".join(body), mark)


def bars(title: str, rows: Sequence[Bar], mark: str = "") -> str:
    """Draw a bar per row of which the marked share is dark, with its text beside it."""
    left = max([150.0, *(span(row.label, SIZE) + 16 for row in rows)])
    width, step, body = 190.0, 21.0, []
    for i, row in enumerate(rows):
        y = 6 + step * i
        body.append(text(left - 8, y + 7, row.label, "end"))
        body.append(f'<rect x="{left:g}" y="{y:g}" width="{width:g}" height="14" fill="{role("fine")}"/>')
        if math.isfinite(row.share) and row.share > 0:
            body.append(
                f'<rect x="{left:g}" y="{y:g}" width="{width * row.share:.1f}" height="14" fill="{role("problem")}"/>'
            )
        body.append(text(left + width + 8, y + 7, row.text))
    wide = left + width + 8 + max((span(row.text, SIZE) for row in rows), default=0.0)
    return drawn(title, 12 + step * len(rows), "".join(body), mark, max(WIDTH, wide + 6))


#: How the parts of a stack are told apart, in grey too; the last ones, of who is not there, have no fill.
_PARTS = ("#0b5c6b", "#3f97a3", "#e5956c", "none", "none")
_DASHED = 4


def stacks(title: str, names: Sequence[str], rows: Sequence[Stack], mark: str = "") -> str:
    """Draw a stack per row side by side, with the number of each part that has room for it, and the names of the parts below."""
    left, top, height = 8.0, 16.0, 150.0
    most = max((sum(value for value, _ in row.parts) for row in rows), default=0.0) or 1.0
    gap = (WIDTH - 2 * left) / max(len(rows), 1)
    wide, body = min(gap * 0.7, 90.0), []
    for i, row in enumerate(rows):
        x, y = left + gap * i + (gap - wide) / 2, top + height
        for j, (value, said) in enumerate(row.parts):
            tall = height * max(value, 0.0) / most
            y -= tall
            if tall < 0.3:
                continue
            dash = ' stroke-dasharray="3 2"' if j == _DASHED else ""
            fill = _PARTS[j % len(_PARTS)]
            line = f'stroke="{role("ink")}" stroke-width=".8"{dash}'
            body.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{tall:.1f}" fill="{fill}" {line}/>')
            if tall > SIZE * 1.1:
                ink = role("ink") if fill == "none" else ink_on(fill)
                words = text(x + wide / 2, y + tall / 2, said, "middle")
                body.append(words.replace(f'fill="{role("ink")}"', f'fill="{ink}"'))
        body.append(text(left + gap * (i + 0.5), top + height + 12, row.label, "middle"))
    x, y = left, top + height + 32
    for j, name in enumerate(names):
        room = 22 + SIZE * len(name) * (1.0 if not name.isascii() else 0.55) + 14
        if x > left and x + room > WIDTH:
            x, y = left, y + 18
        dash = ' stroke-dasharray="3 2"' if j == _DASHED else ""
        body.append(
            f'<rect x="{x:.1f}" y="{y - 5:.1f}" width="16" height="10" fill="{_PARTS[j]}" stroke="{role("ink")}" stroke-width=".8"{dash}/>'
        )
        body.append(text(x + 22, y, name))
        x += room
    return drawn(title, y + 14, "".join(body), mark)


def tone_style() -> str:
    """Return the rules of the cells of a heat table: `t0` none, `t1` to `t4` darker and darker, `tu` unknown (hatched)."""
    ramp = [role("fine"), *house_style()["roles"]["ramp"]]
    rules = [f".t{i} {{ background: {colour}; color: {ink_on(colour)}; }}" for i, colour in enumerate(ramp)]
    hatch = f"repeating-linear-gradient(135deg, #fff 0 4px, {role('unknown')} 4px 5px)"
    return " ".join([*rules, f".tu {{ background: {hatch}; }}"])


# --- marks in the cells of a table ------------------------------------------------------------------------------------

#: What the marks of a table need beside the style of the brief. What is lost is hatched too: it is told apart in grey.
MARKS_STYLE = (
    ".diverging{width:150px;min-width:90px} .diverging svg{display:block;width:100%;height:16px}"
    " .span{width:170px;min-width:110px} .span svg{display:block;width:100%;height:16px}"
    " .gain{background:#d5e9e8} .lose{background:#f7c9cf;font-weight:600} td.same,td.others{color:var(--quiet)}"
    " td.gain,td.lose,td.same,td.others,td.unknown{text-align:right;white-space:nowrap!important;min-width:5em!important}"
    " @media print{.gain,.lose{-webkit-print-color-adjust:exact;print-color-adjust:exact}}"
)
#: Half the width of a diverging bar, and how high it is.
_HALF, _HIGH = 60.0, 16.0


def diverging_bar(value: float, most: float, *, hollow: bool = False) -> str:
    """
    Return a bar to the right of a middle line (a gain) or to its left (a loss); nothing but the line for 0 and for what is not known.

    Parameters
    ----------
    value, most
        How long, and what fills one side; the number itself stands in a cell beside it.
    hollow
        A change that is nobody's gain or loss: only its outline.
    """
    length = _HALF * max(-1.0, min(1.0, value / most)) if math.isfinite(value) and most > 0 else 0.0
    line = f'<path d="M{_HALF:g} 0V{_HIGH:g}" stroke="#8a949c" vector-effect="non-scaling-stroke"/>'
    bar = ""
    if abs(length) > 0.05:
        left, size = min(_HALF, _HALF + length), abs(length)
        fill = (
            'fill="none" stroke="#8a949c" vector-effect="non-scaling-stroke"'
            if hollow
            else f'fill="{role("gain" if length > 0 else "lose")}"'
        )
        bar = f'<rect x="{left:.1f}" y="3" width="{size:.1f}" height="{_HIGH - 6:g}" {fill}/>'
        if length < 0 and not hollow:  # a stripe, for whoever sees no colour
            bar += f'<rect x="{left:.1f}" y="6.5" width="{size:.1f}" height="3" fill="#fff"/>'
    size_ = f"0 0 {2 * _HALF:g} {_HIGH:g}"
    return f'<svg viewBox="{size_}" preserveAspectRatio="none" aria-hidden="true">{bar}{line}</svg>'


def span_bar(value: float, low: float, high: float) -> str:
    """
    Return a share (0-1) on a line from 0 to 1 within what it may be: a bar between its ends, an upright where it is recorded.

    An upper end that nobody knows is open: the bar goes to 1 in outline. Nothing but the line where the share is unknown.
    """
    if not math.isfinite(value):
        low, high, upright = 0.0, 0.0, ""
    else:
        upright = f'<path d="M{120 * value:.1f} 0V{_HIGH:g}" stroke="{role("ink")}" stroke-width="2.5" vector-effect="non-scaling-stroke"/>'
    known = high if math.isfinite(high) else value
    bar = f'<rect x="{120 * low:.1f}" y="4" width="{120 * max(known - low, 0.0):.1f}" height="{_HIGH - 8:g}" fill="{role("unknown")}"/>'
    if not math.isfinite(high):
        bar += (
            f'<rect x="{120 * known:.1f}" y="4" width="{120 * (1 - known):.1f}" height="{_HIGH - 8:g}" fill="none" '
            f'stroke="{role("unknown")}" stroke-dasharray="2 2" vector-effect="non-scaling-stroke"/>'
        )
    line = f'<path d="M0 {_HIGH / 2:g}H120" stroke="#8a949c" vector-effect="non-scaling-stroke"/>'
    return f'<svg viewBox="0 0 120 {_HIGH:g}" preserveAspectRatio="none" aria-hidden="true">{line}{bar}{upright}</svg>'
