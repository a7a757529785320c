"""
Three pages for doubt about positions: a map on which rows without coordinates are placed by hand, one that shows where
the rows of a file would lie under each datum, and one with its shapes over those that are there. Each is one file that
loads nothing.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely

from ..core import DATUM_LABELS, DATUMS, SCRIPT, amount, say, to_wgs84, web_file, whole_page, without_brackets
from .incoming import LONLAT, Floats, Shapes

#: What is drawn under the rows, from the ground up, and its look.
_GROUND = (
    ("communities", "fill:#f7f3ea;stroke:#b9aa90;stroke-width:1.2;stroke-dasharray:5 4"),
    ("green", "fill:#cfe6c0;stroke:#b5d6a4;stroke-width:.6"),
    ("water", "fill:#b9dcee;stroke:#9cc5df;stroke-width:1"),
    ("homes", "fill:#efe9df;stroke:#d6ccbb;stroke-width:.8"),
    ("streets", "fill:none;stroke:#b9b1a4;stroke-width:1.4"),
    ("named_roads", "fill:none;stroke:#8a8378;stroke-width:2.4"),
    ("barriers", "fill:none;stroke:#777;stroke-width:2;stroke-dasharray:7 5"),
    ("district", "fill:none;stroke:#8a3b52;stroke-width:2"),
)
_MOST_POINTS = 400
#: More pairs of shapes than this are on the overview only: nobody looks through hundreds of small maps.
_MOST_PAIRS = 80
#: A small map shows this much around its shapes, in metres.
_AROUND_M = 60.0

#: What the script of the placing page says; {0}, {1} are worked out there.
_PLACING = {
    "how": "选一行，在地图上点它的位置（再点就是改正）；拖动地图、滚轮或两指缩放。全部放好后保存，"
    "再用 add 命令导入保存的表（--crs WGS84 --datum-checked 在落点页上放的）。",
    "save": "保存落点表（{{0}}／{{1}}）",
    "metres": "{{0}} 米",
}


class Held(NamedTuple):
    """A row of a file held against a layer: what it is called and counted as, why, both shapes, and what is proposed."""

    called: str
    result: str
    why: str
    shape: shapely.Geometry | None
    there: tuple[shapely.Geometry, ...]
    proposed: str


class _Flat:
    """Longitudes and latitudes as metres about one spot, y downwards: straight lines both ways, so that a click is exact."""

    def __init__(self, lon: float, lat: float) -> None:
        self.lon, self.lat = lon, lat
        self.kx, self.ky = (
            111_320.0 * float(np.cos(np.radians(lat))),
            110_574.0 + 1_120.0 * float(np.sin(np.radians(lat)) ** 2),
        )

    def of(self, lonlat: Floats) -> Floats:
        """Return the metres of longitudes and latitudes, shape (n, 2)."""
        return np.column_stack([(lonlat[:, 0] - self.lon) * self.kx, (self.lat - lonlat[:, 1]) * self.ky])


def _flat(rows: Mapping[str, pd.DataFrame]) -> tuple[_Flat, Floats]:
    """Return the flat coordinates of a district and its extent in them."""
    own = next(rows[n] for n in ("district", "communities", "homes", "streets", "zones") if n in rows and len(rows[n]))
    west, south, east, north = own.to_crs(LONLAT).total_bounds
    flat = _Flat(float(west + east) / 2, float(south + north) / 2)
    return flat, flat.of(np.array([[west, north], [east, south]])).ravel()


def _paths(rows: Mapping[str, pd.DataFrame], flat: _Flat) -> str:
    drawn = []
    for name, look in _GROUND:
        if name in rows and len(rows[name]):
            shapes = np.asarray(rows[name].to_crs(LONLAT).geometry.array)
            drawn.append(f'<path d="{_path(shapes, flat)}" style="{look}" vector-effect="non-scaling-stroke"/>')
    return "".join(drawn)


def _path(shapes: Shapes, flat: _Flat) -> str:
    """Return shapes as one SVG path, to a decimetre."""
    said: list[str] = []
    for part in shapely.get_parts(shapes):
        for ring in [part.exterior, *part.interiors] if part.geom_type == "Polygon" else [part]:
            if ring.geom_type in ("LineString", "LinearRing"):
                xy = np.round(flat.of(shapely.get_coordinates(ring)), 1)
                said.append("M" + "L".join(f"{x:g} {y:g}" for x, y in xy))
    return "".join(said)


def _script_json(value: object) -> str:
    """Return JSON that may stand inside a script element whatever its texts say."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c").replace("\u2028", "").replace("\u2029", "")


def placing_page(
    rows: pd.DataFrame, hints: list[str], layers: Mapping[str, pd.DataFrame], title: str, layer: str
) -> str:
    """
    Return a page on which rows without a position are placed by hand and exported as a table that `add` reads.

    Parameters
    ----------
    rows
        One line each; the columns are those of the table that comes back (longitude and latitude are added).
    hints
        What is known about where each row lies: its address, and what it may be in.
    layers
        All rows of the district, which the map shows.
    title
        The file the rows come from.
    layer
        Name of the layer, for the command to type.
    """
    flat, extent = _flat(layers)
    names = []
    for name in ("communities", "named_roads", "places", "green", "homes"):
        if name in layers and "name" in layers[name].columns:
            frame = layers[name][layers[name]["name"].notna().to_numpy()].to_crs(LONLAT)
            spots = shapely.get_coordinates(shapely.point_on_surface(np.asarray(frame.geometry.array)))
            names += [
                [without_brackets(n), *np.round(xy, 1).tolist()]
                for n, xy in zip(frame["name"], flat.of(spots), strict=True)
            ]
    data = {
        "heads": [*map(str, rows.columns)],
        "rows": [["" if pd.isna(v) else str(v) for v in r] for r in rows.to_numpy()],
        "hints": hints,
        "names": names,
        "extent": np.round(extent, 1).tolist(),
        "lon": flat.lon,
        "lat": flat.lat,
        "kx": flat.kx,
        "ky": flat.ky,
        "layer": layer,
        "say": {name: say(text) for name, text in _PLACING.items()},
    }
    return _document(
        say("落点：{0}", title),
        f'<main class="place"><section id="list"></section><section id="stage"><svg id="map" role="img" aria-label="{say("街道地图")}">'
        f'<g id="world">{_paths(layers, flat)}<g id="names"></g><g id="pins"></g></g></svg>'
        f'<div id="tools"><input id="find" placeholder="{say("查找小区、道路、社区")}" aria-label="{say("查找地名")}">'
        f'<button id="in" title="{say("放大")}">＋</button><button id="out" title="{say("缩小")}">－</button></div>'
        '<p id="scale"></p></section></main>'
        f"<script>const DATA = {_script_json(data)};\n{web_file('io/placing.js')}</script>",
    )


def datum_page(
    lonlat: Floats, declared: str, table: pd.DataFrame, layers: Mapping[str, pd.DataFrame], title: str, message: str
) -> str:
    """
    Return a page with the residuals of every hypothesis and a small map of each.

    Parameters
    ----------
    lonlat
        Positions as the file has them, shape (n, 2), degrees.
    declared
        The datum that was declared.
    table
        Residuals; index the datum, columns `median_m`, `p90_m`, `moved_m`, `winner`.
    layers
        All rows of the district.
    title, message
        The file, and what is wrong with it.
    """
    flat, extent = _flat(layers)
    chosen = np.unique(np.linspace(0, len(lonlat) - 1, min(len(lonlat), _MOST_POINTS)).round().astype(int))
    spots = {n: flat.of(np.column_stack(to_wgs84(lonlat[chosen, 0], lonlat[chosen, 1], n))) for n in DATUMS}
    everything = np.vstack([extent.reshape(2, 2), *spots.values()])
    (x, y), (w, h) = everything.min(axis=0), np.ptp(everything, axis=0)
    ground = _paths({n: f for n, f in layers.items() if n in ("communities", "water", "homes", "streets")}, flat)
    panels, lines = [], []
    radius = max(w, h) / 170
    for name in DATUMS:
        row, label = table.loc[name], html.escape(say(DATUM_LABELS[name]))
        mark = say("（声明的）") if name == declared else ""
        mark += say("　最像") if bool(row["winner"]) else ""
        dots = "".join(f'<circle cx="{a:.0f}" cy="{b:.0f}" r="{radius:.0f}"/>' for a, b in spots[name])
        panels.append(
            f'<figure><svg viewBox="{x:.0f} {y:.0f} {w:.0f} {h:.0f}">{ground}<g class="dots">{dots}</g></svg>'
            f"<figcaption>{say('假设坐标是 <b>{0}</b>', label)}{mark}</figcaption></figure>"
        )
        lines.append(
            f"<tr><td>{label}{mark}</td>"
            + "".join(f'<td class="n">{amount(row[c])}</td>' for c in ("median_m", "p90_m", "moved_m"))
            + "</tr>"
        )
    return _document(
        say("坐标核对：{0}", title),
        f'<main><p class="demo">{html.escape(message)}</p><div class="scroll"><table><thead><tr><th>{say("假设")}</th>'
        + "".join(f'<th class="n">{say(head)}</th>' for head in ("中位距离（米）", "九成在（米）", "整体移动（米）"))
        + "</tr></thead>"
        f'<tbody>{"".join(lines)}</tbody></table></div><div class="figures thirds">{"".join(panels)}</div>'
        f"<footer>{say('没有写入任何东西。核实坐标来源以后，用最像的一种再导入；点是文件里的行，底图是街道目录里的图层。')}</footer></main>",
    )


def reconcile_page(
    rows: Sequence[Held],
    stay: Sequence[shapely.Geometry],
    layers: Mapping[str, pd.DataFrame],
    metric: pyproj.CRS,
    title: str,
) -> str:
    """
    Return a page with the shapes of a file over those that are there: one map of all, then one of each pair.

    Parameters
    ----------
    rows
        The rows of the file, doubt first.
    stay
        Shapes of the layer that the file does not have.
    layers
        All rows of the district.
    metric
        What the shapes are in.
    title
        The file.
    """
    flat, extent = _flat(layers)

    def drawn(shapes: Sequence[shapely.Geometry | None], look: str) -> str:
        some = np.array([s for s in shapes if s is not None], dtype=object)
        if not len(some):
            return ""
        lonlat = np.asarray(gpd.GeoSeries(some, crs=metric).to_crs(LONLAT).array)
        spots = flat.of(shapely.get_coordinates(lonlat[shapely.get_dimensions(lonlat) == 0]))
        dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6"/>' for x, y in spots)
        return f'<g class="{look}"><path d="{_path(lonlat, flat)}"/>{dots}</g>'

    def frame(bounds: Floats) -> str:
        (x, y), (w, h) = bounds[:2], bounds[2:] - bounds[:2]
        return f"{x:.1f} {y:.1f} {w:.1f} {h:.1f}"

    own = gpd.GeoSeries([s for row in rows for s in (row.shape, *row.there) if s is not None], crs=metric)
    if len(own):
        west, south, east, north = own.to_crs(LONLAT).total_bounds
        edges = flat.of(np.array([[west, north], [east, south]])).ravel()
        extent = edges + max(_AROUND_M, float(np.ptp(edges.reshape(2, 2), axis=0).max()) / 8) * np.array([-1, -1, 1, 1])
    ground = _paths({n: f for n, f in layers.items() if n in ("water", "green", "streets")}, flat)
    whole = [
        drawn(stay, "there"),
        *(drawn(row.there, "there") + drawn([row.shape], "file" if row.there else "new") for row in rows),
    ]
    figures = []
    paired = [row for row in rows if row.there]
    for row in paired[:_MOST_PAIRS]:
        both = gpd.GeoSeries([s for s in (row.shape, *row.there) if s is not None], crs=metric).to_crs(LONLAT)
        west, south, east, north = both.total_bounds
        edges = flat.of(np.array([[west, north], [east, south]])).ravel()
        bounds = edges + _AROUND_M * np.array([-1, -1, 1, 1])
        caption = say(
            "<b>{0}</b>　{1}：{2}。建议：{3}",
            html.escape(row.called),
            html.escape(row.result),
            html.escape(row.why),
            html.escape(row.proposed),
        )
        figures.append(
            f'<figure><svg viewBox="{frame(bounds)}">{ground}{drawn(row.there, "there")}{drawn([row.shape], "file")}</svg>'
            f"<figcaption>{caption}</figcaption></figure>"
        )
    counts = pd.Series([row.result for row in rows], dtype="object").value_counts(sort=False)
    said = say("，").join(say("{0} {1} 行", name, n) for name, n in counts.items()) or say("没有可以导入的行")
    summary = say("{0}；目录里有、文件里没有 {1} 处。没有写入任何东西。", said, len(stay))
    more = len(paired) - _MOST_PAIRS
    return _document(
        say("逐行核对：{0}", title),
        f'<main><p class="demo">{html.escape(summary)}</p><p class="keys"><span class="there">{say("目录里的（虚线）")}</span>'
        f'<span class="file">{say("文件里的")}</span><span class="new">{say("文件里新增的")}</span></p>'
        f'<figure class="whole"><svg viewBox="{frame(extent)}">{ground}{"".join(whole)}</svg></figure>'
        f'<div class="figures thirds">{"".join(figures)}</div>'
        + (f"<p>{say('另有 {0} 对只画在总图上。', more)}</p>" if more > 0 else "")
        + f"<footer>{say('决定写在同名的 Excel 表里，改好再运行一次。')}</footer></main>",
    )


def _document(title: str, body: str) -> str:
    style = web_file("report/brief.css") + web_file("io/placing.css")
    return whole_page(title, style, f"<header><h1>{html.escape(title)}</h1></header>{body}", policy=SCRIPT)
