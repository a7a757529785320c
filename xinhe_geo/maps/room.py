"""Where a map lies in its frame, and what room is left there for symbols and names: of pictures and of paper."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import Any

import geopandas as gpd
import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray

from ..district import to_degrees
from .basemap import Layer
from .scene import Bounds

#: How far from its place a symbol may go that must be seen, in radii; the ways it may go.
_FAR = (0.0, 1.0, 1.5, 2.05, 3.0, 4.0, 5.0, 6.5, 8.0)
_WAYS = tuple((math.sin(math.pi * k / 8), math.cos(math.pi * k / 8)) for k in range(16))


class Room:
    """
    Metric coordinates as units of a frame, and what is taken in it.

    `frame` is its left, top, width and height, `scale` its units per metre; the middle of `bounds` lies in the middle of it.
    """

    def __init__(self, frame: Bounds, scale: float, crs: pyproj.CRS | str, bounds: Bounds) -> None:
        self.left, self.top, self.width, self.height = frame
        self.scale = scale
        x, y = (bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2
        self.x0, self.y1 = x - self.width / 2 / scale, y + self.height / 2 / scale
        self.box = (self.x0, self.y1 - self.height / scale, self.x0 + self.width / scale, self.y1)
        latitude = to_degrees(pyproj.CRS(crs)).transform(x, y)[1]
        self.zoom = math.log2(40_075_016.686 * math.cos(math.radians(latitude)) / 256 * scale)
        self._taken = np.empty((64, 4))
        self._n = 0

    def on_page(self, coordinates: np.ndarray) -> np.ndarray:
        """Return metric coordinates as units of the frame."""
        x = self.left + (coordinates[:, 0] - self.x0) * self.scale
        return np.column_stack([x, self.top + (self.y1 - coordinates[:, 1]) * self.scale])

    def points(self, layer: Layer) -> list[tuple[tuple[float, float], dict[str, Any]]]:
        """Return where the points of a layer lie in the frame, and how each looks."""
        places = self.on_page(shapely.get_coordinates(layer.geometry.array)).tolist()
        return [((x, y), layer.styles[j]) for (x, y), j in zip(places, layer.pick, strict=True)]

    def seen(self, geometry: gpd.GeoSeries, fine: float) -> NDArray[np.object_]:
        """Return shapes cut to a little more than the frame and without what is finer than so many units."""
        margin = 30 / self.scale
        west, south, east, north = self.box
        shapes = np.asarray(geometry.array)
        boxes = shapely.bounds(shapes)
        away = (boxes[:, 0] > east) | (boxes[:, 2] < west) | (boxes[:, 1] > north) | (boxes[:, 3] < south)
        shapes = np.where(away | np.isnan(boxes[:, 0]), shapely.from_wkt("POLYGON EMPTY"), shapes)
        out = (boxes[:, 0] < west - margin) | (boxes[:, 2] > east + margin)
        out |= (boxes[:, 1] < south - margin) | (boxes[:, 3] > north + margin)
        cut = out & ~away
        if cut.any():
            box = (west - margin, south - margin, east + margin, north + margin)
            shapes[cut] = shapely.clip_by_rect(shapes[cut], *box)
        shapes[~away] = shapely.simplify(shapes[~away], fine / self.scale)
        return shapes

    def take(self, box: Bounds) -> None:
        """Mark room as taken."""
        if self._n == len(self._taken):
            self._taken = np.vstack([self._taken, np.empty_like(self._taken)])
        self._taken[self._n] = box
        self._n += 1

    def free(self, boxes: Sequence[Bounds]) -> bool:
        """Whether boxes lie in the frame and touch nothing placed before."""
        right, bottom, taken = self.left + self.width, self.top + self.height, self._taken[: self._n]
        for box in boxes:
            if box[0] < self.left + 3 or box[1] < self.top + 3 or box[2] > right - 3 or box[3] > bottom - 3:
                return False
            over = (taken[:, 0] < box[2]) & (taken[:, 2] > box[0]) & (taken[:, 1] < box[3]) & (taken[:, 3] > box[1])
            if over.any():
                return False
        return True

    def beside(self, x: float, y: float, r: float, places: Sequence[tuple[float, float]] = ()) -> tuple[float, float]:
        """
        Take room for a symbol that must be seen: at its place or as near to it as there is any; over others where there is none.

        It hides none of the `places` of other such symbols either. The way to it crosses as few symbols and ways as it can, and later
        ones keep off it.
        """
        others = [(a, b) for a, b in places if max(abs(a - x), abs(b - y)) < (_FAR[-1] + 1) * r and (a, b) != (x, y)]
        at, way, least = (x, y), list[Bounds](), math.inf
        for far, (i, j) in product(_FAR, _WAYS):
            bx, by = x + i * far * r, y + j * far * r
            if self.free([(bx - r, by - r, bx + r, by + r)]) and all(
                max(abs(a - bx), abs(b - by)) > r for a, b in others
            ):
                line = np.linspace((bx, by), (x, y), 2 + round(5 * far))[:-1].tolist() if far else []
                steps = [(a - 1, b - 1, a + 1, b + 1) for a, b in line]
                under = sum(not self.free([step]) for step in steps)
                if under < least:
                    at, way, least = (bx, by), steps, under
                if not under:
                    break
        for box in ((at[0] - r, at[1] - r, at[0] + r, at[1] + r), *way):
            self.take(box)
        return at

    def along(
        self, shape: shapely.Geometry, wide: Sequence[float], size: float, *, plain: bool
    ) -> tuple[list[np.ndarray], float] | None:
        """
        Take room for a name along a line; None where there is none.

        Parameters
        ----------
        wide
            The width of each character; of a name that is set whole (`plain`, Latin) its own.

        Returns
        -------
        places, turn
            Where the middle of each lies, and by how many degrees all are turned: with a flat line, upright under each other on
            a steep one.
        """
        length = sum(wide)
        seen = shapely.line_merge(shapely.clip_by_rect(shape, *self.box))
        for part in sorted(shapely.get_parts(seen), key=lambda p: -p.length)[:3]:
            total = part.length * self.scale
            if part.geom_type != "LineString" or total < length * 1.25:
                continue
            line = shapely.LineString(self.on_page(shapely.get_coordinates(part)))
            for share in (0.5, 0.35, 0.65, 0.22, 0.78):
                start = total * share - length / 2
                if start >= 0 and start + length <= total:
                    found = self._set(line, start, wide, size, plain)
                    if found is not None:
                        return found
        return None

    def _set(
        self, line: shapely.LineString, start: float, wide: Sequence[float], size: float, plain: bool
    ) -> tuple[list[np.ndarray], float] | None:
        """Set a name from so far along a line on; None where the line bends too much or there is no room."""
        length = sum(wide)

        def at(along: float) -> np.ndarray:
            return np.asarray(shapely.get_coordinates(line.interpolate(along))[0])

        (ax, ay), (bx, by) = at(start), at(start + length)
        if math.hypot(bx - ax, by - ay) < length * 0.93:
            return None
        steep = abs(by - ay) > abs(bx - ax)
        if (
            steep and not plain and min(wide) < size
        ):  # what stands upright, one under another, needs its height and not its width
            tall = [max(w, size) for w in wide]
            start -= (sum(tall) - length) / 2
            if start < 0 or start + sum(tall) > line.length:
                return None
            return self._set(line, start, tall, size, plain)
        back = by < ay if steep and not plain else bx < ax
        turn = math.degrees(math.atan2(by - ay, bx - ax)) + (180 if back else 0) - (90 if steep and not plain else 0)
        turn = (turn + 180) % 360 - 180
        ahead = np.cumsum(wide) - np.asarray(wide) / 2
        places = [at(s) for s in start + (length - ahead if back else ahead)]
        half = size * 0.62
        spots, reach = places, half
        if plain:
            spots, reach = [at(start + length * t) for t in (0.1, 0.3, 0.5, 0.7, 0.9)], max(half, length * 0.1)
        boxes = [(float(x - reach), float(y - half), float(x + reach), float(y + half)) for x, y in spots]
        if not self.free(boxes):
            return None
        for box in boxes:
            self.take(box)
        return places, turn


def moves(width: float, height: float, away: float) -> list[tuple[float, float]]:
    """Return where a name may stand, from its place on: about it, or `away` from it beside a mark."""
    w, h, d = width, height, away
    if d:
        return [(w / 2 + d, 0.0), (-w / 2 - d, 0.0), (0.0, -h / 2 - d), (0.0, h / 2 + d)]
    near: list[tuple[float, float]] = [(0, 0), (0, -h), (0, h), (-w * 0.4, 0), (w * 0.4, 0)]
    return [*near, (0, -2 * h), (0, 2 * h), (-w * 0.5, -h), (w * 0.5, h)]
