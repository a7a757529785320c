"""
How the live map's data travel: plain values and arrays in one compressed block, every number as the very bits it has.

A float64 coordinate is not rounded, since answers hang on it, and its last bits look like noise to a compressor. But streets
come from files in degrees with seven digits; so what travels is those whole numbers, and how far (in units of the last
bit, mostly under a hundred) the projected coordinate lies from what a polynomial makes of them. The page evaluates the same
polynomial with the same operations and adds the difference back. Arrays this does not fit travel as they are.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyproj
from numpy.typing import ArrayLike

from ..core import unturned
from ..district import to_degrees

#: Whole degrees are cut into this many parts: the digits that GeoJSON and OpenStreetMap carry.
PARTS = 10_000_000
#: Degree of the polynomials: over a city their error is below the last bit of a coordinate.
DEGREE = 8


class Packed(str):
    """An array as base64 of its little-endian bytes, as plain JSON has it; `array` and `how` say how to send it smaller."""

    array: np.ndarray
    how: str
    by: int = 1


def packed(values: ArrayLike, kind: str, how: str = "raw") -> Packed:
    """
    Return an array to be sent; `kind` is a numpy type such as "<f8".

    `how` is "raw", "points" (x and y in turn, in metres) or "steps" (whole numbers that grow mostly by little).
    """
    array = np.ascontiguousarray(values, dtype=kind)
    text = Packed(base64.b64encode(array.tobytes()).decode("ascii"))
    text.array, text.how = array.ravel(), how
    return text


def scaled(values: ArrayLike, by: int) -> Packed:
    """Return numbers to be sent as whole ones of `by` to the unit, or of as many as 32 bits hold."""
    array = np.asarray(values, dtype=float)
    while by > 1 and float(np.abs(array).max(initial=0.0)) * by >= 2.0**31:
        by //= 10
    text = packed(np.rint(array * by), "<i4", "scaled")
    text.by = by
    return text


def block(content: Mapping[str, Any], crs: str) -> str:
    """
    Return content as base64 of one gzip stream: the length of its JSON, the JSON, then the arrays it refers to.

    An array in the JSON is `{"at": offset, "n": length}` (raw), or with `"steps"`, `"points"` or `"scaled"` as described above.
    """
    writer = _Writer(crs)
    text = unturned(
        json.dumps(writer.plain(content), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    ).encode()
    head = len(text).to_bytes(8, "little") + text + b" " * (-len(text) % 8)
    return base64.b64encode(gzip.compress(head + bytes(writer.bytes), compresslevel=9, mtime=0)).decode("ascii")


class _Writer:
    def __init__(self, crs: str) -> None:
        self.crs, self.bytes, self.places = crs, bytearray(), dict[bytes, int]()

    def plain(self, value: object) -> object:
        if isinstance(value, Packed):
            return self._array(value)
        if isinstance(value, Mapping):
            return {k: self.plain(v) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [self.plain(v) for v in value]
        return value

    def _put(self, data: bytes) -> int:
        if data not in self.places:
            self.places[data] = len(self.bytes)
            self.bytes += data + bytes(-len(data) % 8)
        return self.places[data]

    def _array(self, value: Packed) -> dict[str, Any]:
        array = value.array
        if value.how == "steps" and len(array):
            return {"n": len(array), "steps": self._put(_planes(np.diff(array.astype("int64"), prepend=0)))}
        if value.how == "scaled":
            return {"n": len(array), "scaled": self._put(_planes(array.astype("int64"))), "by": value.by}
        if value.how == "points" and len(array) > 1000:  # a frame of polynomials is not worth it for less
            found = _lattice(array.reshape(-1, 2), self.crs)
            if found is not None:
                frame, columns = found
                return {"n": len(array), "points": {**frame, "at": [self._put(_planes(c)) for c in columns]}}
        return {"n": len(array), "at": self._put(array.tobytes())}


def _planes(values: np.ndarray) -> bytes:
    """Return whole numbers of 32 bits, small ones of either sign made small positive ones, as four planes of bytes."""
    folded = ((values << 1) ^ (values >> 63)).astype("<u4")
    return np.ascontiguousarray(folded.view("u1").reshape(-1, 4).T).tobytes()


def _lattice(xy: np.ndarray, crs: str) -> tuple[dict[str, Any], list[np.ndarray]] | None:
    """Return the polynomials' frame and four columns of whole numbers; None where they do not fit in 32 bits."""
    back = to_degrees(pyproj.CRS.from_user_input(crs))
    degrees = np.stack(back.transform(xy[:, 0], xy[:, 1]), axis=1)
    if not np.isfinite(degrees).all():
        return None
    whole = np.rint(degrees * PARTS).astype("int64")
    low, high = whole.min(axis=0), whole.max(axis=0)
    middle = (low + high) // 2
    scale = 1.0 / float(max(int((high - low).max()), 2) / 2)
    frame: dict[str, Any] = {"middle": [int(v) for v in middle], "scale": scale, "degree": DEGREE}
    grid = np.cos(np.linspace(0, np.pi, 2 * DEGREE + 3))
    u, v = (a.ravel() for a in np.meshgrid(grid, grid))
    x, y = back.transform((middle[0] + u / scale) / PARTS, (middle[1] + v / scale) / PARTS, direction="INVERSE")
    terms = np.stack([u**i * v**j for i in range(DEGREE + 1) for j in range(DEGREE + 1 - i)], axis=1)
    known = np.linalg.lstsq(terms, np.stack([x, y], axis=1), rcond=None)[0]
    frame["x"], frame["y"] = known[:, 0].tolist(), known[:, 1].tolist()
    columns = [np.diff(whole[:, k], prepend=0) for k in (0, 1)]
    for k, name in enumerate(("x", "y")):
        guess = evaluate(frame, frame[name], whole)
        columns.append(np.ascontiguousarray(xy[:, k]).view("int64") - guess.view("int64"))
    return (frame, columns) if all(bool(np.abs(c).max(initial=0) < 2**31) for c in columns) else None


def evaluate(frame: Mapping[str, Any], terms: list[float], whole: np.ndarray) -> np.ndarray:
    """Return the polynomial at whole numbers of degrees: Horner's rule, one rounding after each operation, as the page does."""
    u = (whole[:, 0] - frame["middle"][0]) * frame["scale"]
    v = (whole[:, 1] - frame["middle"][1]) * frame["scale"]
    total = np.zeros(len(whole))
    end = len(terms)
    for i in range(frame["degree"], -1, -1):
        start = end - (frame["degree"] + 1 - i)
        inner = np.zeros(len(whole))
        for j in range(end - 1, start - 1, -1):
            inner = inner * v + terms[j]
        total = total * u + inner
        end = start
    return total
