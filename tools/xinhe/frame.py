"""
The drawing board: local metres, degrees, and GeoJSON that is the same bytes on every run.

Everything is drawn in metres east and north of one corner of EPSG:4548 and written in degrees with seven decimals
(about a centimetre). Points are rounded before they are shared between features, so what touches on the drawing
board touches in the files.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyproj
import shapely
from shapely.geometry.base import BaseGeometry

METRIC = "EPSG:4548"
ORIGIN = (553_000.0, 4_321_000.0)
DECIMALS = 7

XY = tuple[float, float]

_TO_DEGREES = pyproj.Transformer.from_crs(METRIC, "EPSG:4326", always_xy=True)
_TO_METRES = pyproj.Transformer.from_crs("EPSG:4326", METRIC, always_xy=True)


def local(lon: float, lat: float) -> XY:
    """Return where a WGS84 position lies on the drawing board, in metres, rounded to a millimetre."""
    east, north = _TO_METRES.transform(lon, lat)
    return round(east - ORIGIN[0], 3), round(north - ORIGIN[1], 3)


def degrees(x: float, y: float) -> tuple[float, float]:
    """Return the longitude and latitude of a drawing board point, rounded to `DECIMALS`."""
    lon, lat = _TO_DEGREES.transform(x + ORIGIN[0], y + ORIGIN[1])
    return round(lon, DECIMALS), round(lat, DECIMALS)


def _ring(points: Sequence[XY]) -> list[list[float]]:
    """One closed ring in degrees, repeated points dropped."""
    out: list[list[float]] = []
    for x, y in points:
        position = list(degrees(x, y))
        if not out or out[-1] != position:
            out.append(position)
    if out[0] != out[-1]:
        out.append(list(out[0]))
    return out


def _polygon(shape: shapely.Polygon) -> list[list[list[float]]]:
    """Rings of a polygon: outside anticlockwise, each from its leftmost corner on, so that bytes do not wander."""
    shape = shapely.geometry.polygon.orient(shape, 1.0)
    rings = []
    for ring in [shape.exterior, *sorted(shape.interiors, key=lambda r: r.bounds)]:
        points = [(float(x), float(y)) for x, y in ring.coords][:-1]
        first = points.index(min(points))
        rings.append(_ring(points[first:] + points[: first + 1]))
    return rings


def geometry(shape: BaseGeometry) -> dict[str, Any]:
    """Return a shape on the drawing board as a GeoJSON geometry in degrees."""
    if isinstance(shape, shapely.Point):
        return {"type": "Point", "coordinates": list(degrees(shape.x, shape.y))}
    if isinstance(shape, shapely.LineString):
        points = [list(degrees(float(x), float(y))) for x, y in shape.coords]
        kept = [p for i, p in enumerate(points) if i == 0 or p != points[i - 1]]
        return {"type": "LineString", "coordinates": kept}
    if isinstance(shape, shapely.MultiLineString):
        return {"type": "MultiLineString", "coordinates": [geometry(part)["coordinates"] for part in shape.geoms]}
    if isinstance(shape, shapely.Polygon):
        return {"type": "Polygon", "coordinates": _polygon(shape)}
    if isinstance(shape, shapely.MultiPolygon):
        parts = sorted((_polygon(part) for part in shape.geoms), key=lambda rings: rings[0][0])
        return {"type": "MultiPolygon", "coordinates": parts}
    raise TypeError(shape.geom_type)


def write_geojson(
    path: Path, rows: Iterable[Mapping[str, Any]], columns: Sequence[str], *, licence: str, credit: str
) -> int:
    """Write rows (each with a `geometry`) as one feature per line; columns nobody fills are left out."""
    rows = list(rows)
    used = [c for i, c in enumerate(columns) if i == 0 or any(row.get(c) is not None for row in rows)]
    lines = []
    for row in rows:
        unknown = set(row) - set(columns) - {"geometry"}
        if unknown:
            raise ValueError(f"{path.name}: columns not declared: {sorted(unknown)}")
        feature = {
            "type": "Feature",
            # blanks are left out of the file: it is read often, and the layer declares its columns
            "properties": {c: row[c] for c in used if row.get(c) is not None},
            "geometry": geometry(row["geometry"]),
        }
        lines.append(json.dumps(feature, ensure_ascii=False, separators=(",", ":")))
    head = {"type": "FeatureCollection", "name": path.stem, "licence": licence, "attribution": credit}
    opening = json.dumps(head, ensure_ascii=False, separators=(",", ":"))[:-1] + ',"features":['
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="\n") as out:
        out.write(opening + "\n" + ",\n".join(lines) + "\n]}\n")
    return len(rows)
