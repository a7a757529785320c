"""Charts as part of a table: drawn in its cells, so that every mark stands beside its number and text keeps its size on any screen."""

from __future__ import annotations

import math

#: What the marks of a table need beside the style of the brief. What is lost is hatched too: it is told apart in grey.
STYLE = (
    ".diverging{width:150px;min-width:90px} .diverging svg{display:block;width:100%;height:16px}"
    " .gain{background:#d5e9e8} .lose{background:#f7c9cf;font-weight:600} td.same,td.others{color:var(--quiet)}"
    " td.gain,td.lose,td.same,td.others,td.unknown{text-align:right;white-space:nowrap!important;min-width:5em!important}"
    " @media print{.gain,.lose{-webkit-print-color-adjust:exact;print-color-adjust:exact}}"
)
#: Half the width of a diverging bar, and how high it is.
_HALF, _HEIGHT = 60.0, 16.0
_FILLS = {True: "#0b5c6b", False: "#c23b52"}


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
    line = f'<path d="M{_HALF:g} 0V{_HEIGHT:g}" stroke="#8a949c" vector-effect="non-scaling-stroke"/>'
    bar = ""
    if abs(length) > 0.05:
        left, size = min(_HALF, _HALF + length), abs(length)
        fill = (
            'fill="none" stroke="#8a949c" vector-effect="non-scaling-stroke"'
            if hollow
            else f'fill="{_FILLS[length > 0]}"'
        )
        bar = f'<rect x="{left:.1f}" y="3" width="{size:.1f}" height="{_HEIGHT - 6:g}" {fill}/>'
        if length < 0 and not hollow:  # a stripe, for whoever sees no colour
            bar += f'<rect x="{left:.1f}" y="6.5" width="{size:.1f}" height="3" fill="#fff"/>'
    size_ = f"0 0 {2 * _HALF:g} {_HEIGHT:g}"
    return f'<svg viewBox="{size_}" preserveAspectRatio="none" aria-hidden="true">{bar}{line}</svg>'
