"""What a value looks like in a notebook: a card of facts, a table, and a small map without any script."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from .html import escape

#: Width and height of a small map in units, how many make a pixel, and how finely it is drawn.
SIZE, FINER, FINE = 520, 2, 2.0
#: Kinds of shapes, as shapely numbers them.
POINT, LINE, POLYGON = 0, 1, 3
#: A small map draws no more shapes than this of a layer: it shows where things lie, and counts nothing.
AT_MOST = 3000


class Look(NamedTuple):
    """A layer of a small map: its shapes, and how they are painted (attributes of SVG)."""

    shapes: gpd.GeoSeries
    paint: str


def small_map(looks: Iterable[Look]) -> str:
    """Return layers, from the ground up, as one small SVG; "" where none has a shape."""
    drawn = [(look.shapes[~(look.shapes.is_empty | look.shapes.isna())], look.paint) for look in looks]
    drawn = [(shapes, paint) for shapes, paint in drawn if len(shapes)]
    if not drawn:
        return ""
    bounds = np.array([shapes.total_bounds for shapes, _ in drawn])
    (west, south), (east, north) = bounds[:, :2].min(axis=0).tolist(), bounds[:, 2:].max(axis=0).tolist()
    scale = SIZE / max(east - west, north - south, 1e-9)

    def on_page(xy: NDArray[Any]) -> NDArray[Any]:
        return np.column_stack([(xy[:, 0] - west) * scale, (north - xy[:, 1]) * scale])

    layers = []
    for shapes, paint in drawn:
        flat = shapely.simplify(shapely.transform(shapely.force_2d(shapes.array[:AT_MOST]), on_page), FINE)
        layers.append(f"<g {paint}>{_marks(flat)}</g>")
    width, height = (max(round(side * scale), 1) for side in (east - west, north - south))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width // FINER}" height="{height // FINER}" '
        f'viewBox="-6 -6 {width + 12} {height + 12}" role="img">{"".join(layers)}</svg>'
    )


def _marks(shapes: NDArray[Any]) -> str:
    """Return the shapes of a layer as SVG: points as dots, the rest as one path."""
    parts = shapely.get_parts(shapely.get_parts(shapes))  # a collection may hold multi-parts
    kinds = shapely.get_type_id(parts)
    dots = "".join(f'<circle cx="{p.x:.0f}" cy="{p.y:.0f}" r="4"/>' for p in parts[kinds == POINT])
    edges = shapely.get_parts(shapely.boundary(parts[kinds == POLYGON]))
    lines = ((line, "") for line in parts[kinds == LINE])
    path = "".join(f"M{_along(line)}{end}" for line, end in (*lines, *((ring, "Z") for ring in edges)))
    return f'{dots}<path d="{path}"/>' if path else dots


def _along(line: shapely.LineString) -> str:
    return " ".join(f"{x:.0f} {y:.0f}" for x, y in shapely.get_coordinates(line))


def card(title: str, facts: Sequence[str], rows: Sequence[Sequence[object]] = (), picture: str = "") -> str:
    """Return a value as HTML: what it is, facts, a table (its first row the heads), and a picture beside them."""
    lines = "".join(
        f"<tr>{''.join(f'<{tag}>{escape(str(cell))}</{tag}>' for cell in row)}</tr>"
        for tag, row in zip(("th", *["td"] * len(rows)), rows, strict=False)
    )
    told = "".join(f"<div>{escape(fact)}</div>" for fact in facts)
    table = f'<table cellpadding="3" style="text-align:left">{lines}</table>' if rows else ""
    return (
        f'<div style="display:flex;gap:20px;flex-wrap:wrap"><div><b>{escape(title)}</b>{told}{table}</div>'
        f"<div>{picture}</div></div>"
    )
