"""The loops along lines: the nearest feet of points, parts cut out of edges, and chains strung together where they meet."""

from __future__ import annotations

import numpy as np

from .arrays import Flags, Floats, Ints, Lines, Shorts
from .kernel import jit, jit_inner


@jit
def feet(lines: Lines, x: Floats, y: Floats, edge: Shorts, out_at: Floats, out_foot: Floats) -> None:
    """Write where on its edge each point has its nearest foot: metres from the edge's start, and the coordinates."""
    off, xy, cum = lines.off, lines.xy, lines.cum
    for i in range(len(x)):
        e = edge[i]
        best = np.inf
        for k in range(off[e], off[e + 1] - 1):
            ax, ay = xy[k, 0], xy[k, 1]
            dx, dy = xy[k + 1, 0] - ax, xy[k + 1, 1] - ay
            square = dx * dx + dy * dy
            t = 0.0
            if square > 0.0:
                t = min(1.0, max(0.0, ((x[i] - ax) * dx + (y[i] - ay) * dy) / square))
            fx, fy = (ax + t * dx, ay + t * dy) if t < 1.0 else (xy[k + 1, 0], xy[k + 1, 1])
            far = (x[i] - fx) ** 2 + (y[i] - fy) ** 2
            if far < best:
                best = far
                out_at[i] = cum[k] + t * (cum[k + 1] - cum[k]) if t < 1.0 else cum[k + 1]
                out_foot[i, 0] = fx
                out_foot[i, 1] = fy


@jit
def shut(leg: Floats, start: Floats, stop: Floats, touching: float, out: Flags) -> None:
    """Write which legs from the origin surely cross one of some steps: both pairs of ends lie clearly on either side."""
    for i in range(len(leg)):
        x, y = leg[i, 0], leg[i, 1]
        long = np.hypot(x, y)
        for k in range(len(start)):
            ax, ay, bx, by = start[k, 0], start[k, 1], stop[k, 0], stop[k, 1]
            beside_a, beside_b = x * ay - y * ax, x * by - y * bx
            if beside_a * beside_b >= 0.0:
                continue
            dx, dy = bx - ax, by - ay
            ahead, beyond = dy * ax - dx * ay, dx * (y - ay) - dy * (x - ax)
            apart = min(abs(beside_a), abs(beside_b), abs(ahead), abs(beyond))
            if ahead * beyond < 0.0 and apart > touching * max(long, np.hypot(dx, dy)):
                out[i] = True
                break


@jit
def cut(lines: Lines, edge: Shorts, start: Floats, stop: Floats, counts: Ints, out: Floats) -> None:
    """Write the coordinates of the parts `start` to `stop` of edges, one after the other, and how many each has."""
    off, xy, cum = lines.off, lines.xy, lines.cum
    size = 0
    for i in range(len(edge)):
        e = edge[i]
        before = size
        _point_at(lines, e, start[i], out, size)
        size += 1
        for k in range(off[e] + 1, off[e + 1] - 1):
            if start[i] < cum[k] < stop[i]:
                out[size, 0] = xy[k, 0]
                out[size, 1] = xy[k, 1]
                size += 1
        _point_at(lines, e, stop[i], out, size)
        size += 1
        counts[i] = size - before


@jit_inner
def _point_at(lines: Lines, e: int, at: float, out: Floats, row: int) -> None:
    off, xy, cum = lines.off, lines.xy, lines.cum
    k = off[e]
    while k < off[e + 1] - 2 and cum[k + 1] < at:
        k += 1
    step = cum[k + 1] - cum[k]
    t = (at - cum[k]) / step if step > 0.0 else 0.0
    if t >= 1.0:
        out[row, 0], out[row, 1] = xy[k + 1, 0], xy[k + 1, 1]
    elif t <= 0.0:
        out[row, 0], out[row, 1] = xy[k, 0], xy[k, 1]
    else:
        out[row, 0] = xy[k, 0] + t * (xy[k + 1, 0] - xy[k, 0])
        out[row, 1] = xy[k, 1] + t * (xy[k + 1, 1] - xy[k, 1])


@jit
def running_sums(step: Floats, off: Ints, out: Floats) -> None:
    """Write the running sum of `step` within each group; the first of a group is 0 (its own step is not used)."""
    for i in range(len(off) - 1):
        total = 0.0
        for k in range(off[i], off[i + 1]):
            if k > off[i]:
                total += step[k]
            out[k] = total


@jit
def link(mate: Ints, order: Ints, flip: Flags, opens: Flags) -> None:
    """
    String chains together at half-ends that are mates: chain c has the half-ends 2c (start) and 2c + 1 (end).

    `order` receives the chains string by string, `flip` whether a chain is walked backwards, `opens` whether it is the
    first of its string. A ring of mates is opened at the start of its smallest chain.
    """
    chains = len(mate) // 2
    done = np.zeros(chains, np.bool_)
    size = 0
    for turn in range(2):  # strings with a free end first; what is left are rings
        for c in range(chains):
            if done[c] or (turn == 0 and mate[2 * c] >= 0 and mate[2 * c + 1] >= 0):
                continue
            half = 2 * c if turn == 1 or mate[2 * c] < 0 else 2 * c + 1
            head = True
            while half >= 0 and not done[half // 2]:
                one = half // 2
                done[one] = True
                order[size] = one
                flip[size] = half % 2 == 1
                opens[size] = head
                head = False
                size += 1
                half = mate[half ^ 1]


@jit
def pair_off(one: Ints, other: Ints, mate: Ints) -> None:
    """Make mates of pairs in the order given, where neither has a mate yet."""
    for i in range(len(one)):
        if mate[one[i]] < 0 and mate[other[i]] < 0:
            mate[one[i]] = other[i]
            mate[other[i]] = one[i]
