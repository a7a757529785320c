"""
The ground along reached streets: every piece buffered, all of it joined into one polygon.

Joining buffers is nine tenths of the cost of an isochrone, and most corners of a buffer lie in its two round ends. Pieces are
therefore strung together into strokes first, straight on through crossings as far as they go: half the ends, a third of the
shapes, the same ground.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from .threads import thread_count

#: Corners of a quarter circle: the area of a round end is 2.5 % short, that of a whole isochrone 0.2 to 0.3 %.
CORNERS = 4
#: Strokes at least for the ground to be joined in two halves, each on its own core: below, a thread costs what it saves.
HALVES_FROM = 64
#: How many times over buffers may cover the box around them for GEOS to take them all at once: that needs no joining, but looks
#: at every crossing of their outlines. Measured at 25 m: half the time in a small town, twice to three times as long in a city centre.
SPARSE = 0.6
#: Strokes at most that are buffered all at once.
AT_ONCE = 128


def frontage(lines: NDArray[Any], width: float) -> shapely.Geometry:
    """
    Return all that lies within `width` of lines.

    Parameters
    ----------
    lines
        LineStrings that meet in their end points, metres.
    width
        Metres to either side.

    Returns
    -------
    Geometry
        A valid polygon or multipolygon; empty without lines. The number of threads changes nothing.
    """
    if not len(lines):
        return shapely.Polygon()
    parts = strokes(lines)
    if len(parts) < HALVES_FROM:
        return _joined(parts, width)
    halves = _halves(parts)
    if thread_count() < 2:
        return shapely.union(*(_joined(half, width) for half in halves))
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(_joined, halves[1], width)
        return shapely.union(_joined(halves[0], width), other.result())


def _joined(lines: NDArray[Any], width: float) -> shapely.Geometry:
    """Buffer lines all at once where few lie beside each other, else one by one to be joined pair by pair."""
    box = shapely.total_bounds(lines)
    ground = float(np.prod(box[2:] - box[:2] + 2.0 * width))
    if len(lines) <= AT_ONCE and 2.0 * width * shapely.length(lines).sum() <= SPARSE * ground:
        return shapely.buffer(shapely.multilinestrings(lines), width, quad_segs=CORNERS)
    return shapely.union_all(shapely.buffer(lines, width, quad_segs=CORNERS))


def _halves(lines: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Divide lines in two about equal halves side by side, so that they overlap little."""
    box = shapely.bounds(lines)
    middle = box[:, :2] + box[:, 2:]
    axis = int(np.argmax(np.ptp(middle, axis=0)))
    rank = np.argsort(middle[:, axis], kind="stable")
    work = np.cumsum(shapely.get_num_coordinates(lines)[rank])
    cut = int(np.searchsorted(work, work[-1] / 2)) + 1
    return lines[rank[:cut]], lines[rank[cut:]]


def strokes(lines: NDArray[Any]) -> NDArray[Any]:
    """
    String lines together where they meet, each with the one that goes on straightest.

    Parameters
    ----------
    lines
        LineStrings; they meet where end points are equal to the last bit.

    Returns
    -------
    ndarray of LineString
        The same lines, every one in exactly one stroke; a closed stroke begins where it ends.
    """
    from . import kernel_lines

    xy, row = shapely.get_coordinates(lines, return_index=True)
    size = np.bincount(row, minlength=len(lines))
    last = np.cumsum(size) - 1
    first = last - size + 1
    mate = np.full(2 * len(lines), -1, np.int64)
    kernel_lines.pair_off(*_straightest(xy, first, last), mate)
    order = np.empty(len(lines), np.int64)
    flip, opens = np.empty(len(lines), np.bool_), np.empty(len(lines), np.bool_)
    kernel_lines.link(mate, order, flip, opens)
    size = size[order]
    step = np.arange(len(xy)) - np.repeat(np.cumsum(size) - size, size)
    take = np.repeat(np.where(flip, last[order], first[order]), size) + np.repeat(np.where(flip, -1, 1), size) * step
    kept = (step > 0) | np.repeat(opens, size)  # the first point of a line that follows another is that one's last
    return np.asarray(shapely.linestrings(xy[take[kept]], indices=np.repeat(np.cumsum(opens) - 1, size)[kept]))


def _straightest(
    xy: NDArray[np.float64], first: NDArray[np.int64], last: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return pairs of line ends that meet (2i: start of line i, 2i + 1: its end), the straightest continuation first."""
    at = np.column_stack([first, last]).ravel()
    spot = xy[at]
    way = xy[np.column_stack([first + 1, last - 1]).ravel()] - spot
    way /= np.maximum(np.hypot(*way.T), 1e-9)[:, None]
    rank = np.lexsort(spot.T)
    spot = spot[rank]
    left, right = [], []
    for gap in range(1, len(rank)):
        near = np.flatnonzero((spot[gap:] == spot[:-gap]).all(axis=1))
        if not len(near):
            break
        left.append(rank[near])
        right.append(rank[near + gap])
    if not left:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    one, other = np.concatenate(left), np.concatenate(right)
    turn = np.round((way[one] * way[other]).sum(axis=1), 9)  # -1: straight on
    best = np.lexsort((other, one, turn))
    return one[best], other[best]
