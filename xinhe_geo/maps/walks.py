"""A walk drawn: the way from a home to a place leg by leg, the minutes of each part, and the straight line beside it."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import shapely

from ..district import District
from .basemap import points_of
from .charts import SIZE, drawn, text
from .room import Room
from .style import house_style, layer_of, role, texts_of

#: Two of them stand side by side on A4.
_WIDTH, _HEIGHT = 430.0, 280.0
#: How each part of a walk is drawn: whole along streets, dotted where there is none.
_DASH = {"inside": "2 4", "access": "2 4", "street": "", "entrance": "2 4"}


def walk_picture(district: District, home: str, route: gpd.GeoDataFrame, title: str, mark: str = "") -> str:
    """
    Return a walk as an SVG picture: streets, what bars the way, the home, the walk, and the straight line to the same place.

    Parameters
    ----------
    home
        Where it begins.
    route
        Result of `access.route`.
    title
        What the picture is called.
    mark
        What stands across it (演示数据); empty nothing.
    """
    ends = shapely.get_coordinates(route.geometry.array)
    start, stop = ends[0], ends[-1]
    homes = layer_of(district, "homes")
    shape = None if homes is None or home not in homes.index else homes.geometry[home]
    own = shapely.total_bounds(route.geometry.array)
    west, south, east, north = own if shape is None else _around(own, np.array(shape.bounds))
    margin = 0.08 * max(east - west, north - south, 50.0)
    bounds = (west - margin, south - margin, east + margin, north + margin)
    scale = min(_WIDTH / (bounds[2] - bounds[0]), _HEIGHT / (bounds[3] - bounds[1]))
    view = Room((0.0, 0.0, _WIDTH, _HEIGHT), scale, district.crs, bounds)
    body = []
    for name, paint in (("water", house_style()["water"]["fill"]), ("streets", "#d5cfc4"), ("barriers", "#6f6f73")):
        frame = layer_of(district, name)
        if frame is None:
            continue
        cuts = view.seen(frame.geometry, 0.3)
        for cut in cuts[~shapely.is_empty(cuts)]:
            flat = cut.geom_type.endswith("Polygon")
            width = ' stroke-width="2" stroke-dasharray="7 4"' if name == "barriers" else ""
            fill = paint if flat and name == "water" else "none"
            body.append(_path(cut, view, f'fill="{fill}" stroke="{paint}"{width}'))
    if shape is not None:
        body.append(_path(shape, view, f'fill="{role("problem")}" fill-opacity=".22" stroke="{role("problem")}"'))
    body.append(
        _path(shapely.LineString([start, stop]), view, f'fill="none" stroke="{role("ink")}" stroke-dasharray="6 5"')
    )
    for leg, line in zip(route["leg"], route.geometry, strict=True):
        if leg == "wait":
            (x, y), *_ = view.on_page(shapely.get_coordinates(line)[:1])
            body.append(
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="#fff" stroke="{role("lose")}" stroke-width="2"/>'
            )
        else:
            dash = f' stroke-dasharray="{_DASH[leg]}"' if _DASH.get(leg) else ""
            body.append(
                _path(
                    line, view, f'fill="none" stroke="{role("gain")}" stroke-width="3.2" stroke-linecap="round"{dash}'
                )
            )
    for spot, letter in ((start, "1"), (stop, "2")):
        (x, y), *_ = view.on_page(spot[None, :])
        body.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="8.5" fill="{role("ink")}" stroke="#fff"/>')
        body.append(
            f'<text x="{x:.1f}" y="{y + 4:.1f}" font-size="{SIZE:g}" font-weight="700" fill="#fff" text-anchor="middle">{letter}</text>'
        )
        view.take((x - 9, y - 9, x + 9, y + 9))
    body.append(_names(district, view))
    return drawn(title, _HEIGHT, f"<g>{''.join(body)}</g>", mark)


def _around(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.concatenate([np.minimum(one[:2], other[:2]), np.maximum(one[2:], other[2:])])


def _path(shape: shapely.Geometry, view: Room, paint: str) -> str:
    """Return a shape as a path of whole units; empty where nothing of it is seen."""
    parts = []
    for part in shapely.get_parts(shape):
        rings = [part] if part.geom_type in ("LineString", "Point") else [part.exterior, *part.interiors]
        for ring in rings:
            places = view.on_page(shapely.get_coordinates(ring))
            if len(places) > 1:
                parts.append("M" + "L".join(f"{x:.0f} {y:.0f}" for x, y in places))
    return f'<path d="{"".join(parts)}" {paint}/>' if parts else ""


def _names(district: District, view: Room) -> str:
    """Return the names of what bars the way, each once and where there is room."""
    frame, out, said = layer_of(district, "barriers"), [], set[str]()
    if frame is None:
        return ""
    seen = view.seen(frame.geometry, 0.3)
    for name, cut in zip(texts_of(frame, "name"), seen, strict=True):
        if not name or name in said or shapely.is_empty(cut):
            continue
        for at in (0.5, 0.3, 0.7):
            spot = (
                shapely.line_interpolate_point(shapely.line_merge(cut), at, normalized=True)
                if cut.length
                else points_of(frame).iloc[0]
            )
            (x, y), *_ = view.on_page(shapely.get_coordinates(spot)[:1])
            half = SIZE * len(name) / 2
            box = (x - half, y - SIZE * 0.7, x + half, y + SIZE * 0.7)
            if view.free([box]):
                view.take(box)
                said.add(name)
                out.append(f'<g stroke="#fff" stroke-width="3" paint-order="stroke">{text(x, y, name, "middle")}</g>')
                break
    return "".join(out)
