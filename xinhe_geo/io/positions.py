"""Where the rows of a file lie: what its numbers mean, and how they become positions in the district's CRS."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyproj
import shapely
from numpy.typing import NDArray

from ..core import DATUMS, UnknownNameError, amount, between, datum_name, per_cent, say, to_wgs84
from ..district import FAR_M
from .cells import coordinate, is_blank, printable
from .incoming import LONLAT, Floats, Incoming, Shapes, cannot_take
from .row_report import RowReport, Where

#: A coordinate that says of itself that it is a latitude.
_NORTH = re.compile("^[NS北南]|[NS北南]$", re.IGNORECASE)
#: A shape as GIS programs write it into a table, and a position as an answer of a map service has it: {"lng": 117.6, "lat": 39.0}.
_WKT = re.compile(r"^(srid=\d+;)?(?=(multi)?(point|linestring|polygon)\b)", re.IGNORECASE)
_NAMED = re.compile(r"['\"]?\b(lng|lat)['\"]?\s*:\s*['\"]?(-?\d+(?:\.\d+)?)")


def raw_shapes(incoming: Incoming, columns: Mapping[str, int]) -> tuple[Shapes, list[str]]:
    """Return one shape per row in the file's own numbers (None where it has none), and what the row wrote there."""
    n = len(incoming.rows)
    if incoming.shapes is not None:
        return shapely.force_2d(incoming.shapes), [""] * n
    shapes = np.full(n, None, dtype=object)
    said = [""] * n
    pair = next((p for p in (("@lon", "@lat"), ("@x", "@y"), ("@x", "@lat")) if set(p) <= set(columns)), None)
    for i, row in enumerate(incoming.rows):
        if pair is not None:
            cells = [row[columns[p]] for p in pair]
        elif "@both" in columns and not is_blank(row[columns["@both"]]):
            text = str(row[columns["@both"]]).strip()
            if _WKT.match(text):
                said[i], shapes[i] = text[:60], shapely.from_wkt(_WKT.sub("", text), on_invalid="ignore")
                continue
            named = dict(_NAMED.findall(text.lower()))
            both = [named["lng"], named["lat"]] if {"lng", "lat"} <= set(named) else re.split(r"[,，;；\s]+", text)
            if len(both) == 2 and _NORTH.search(both[0]) and not _NORTH.search(both[1]):
                both.reverse()  # "N39°…, E117°…": each says itself what it is
            cells = list(both)
        else:
            continue
        if all(is_blank(c) for c in cells):
            continue
        said[i] = say("，").join("" if c is None else str(c) for c in cells)
        numbers = [coordinate(c) for c in cells]
        if len(numbers) == 2 and np.isfinite(numbers).all():
            shapes[i] = shapely.Point(numbers)
    return shapes, said


class Declared(NamedTuple):
    """What the numbers of a file are: in which datum, and in which CRS."""

    datum: str
    crs: pyproj.CRS


def declaration(text: object, incoming: Incoming) -> Declared:
    """Return the datum and the CRS that what somebody says of a file's coordinates means."""
    file = incoming.file
    if text is None or not str(text).strip():
        own = (
            say("文件自己写的是 {0}，核实后照写", incoming.crs.to_string()[:40])
            if incoming.crs is not None
            else say("不能猜")
        )
        raise cannot_take(
            file,
            say("没有声明坐标系"),
            say(
                "用 crs（--crs）写 {0} 或 EPSG 代码；在线地图导出的多是 GCJ-02 或 BD-09；{1}",
                say("、").join(DATUMS),
                own,
            ),
        )
    said = str(text).strip()
    said = f"EPSG:{said}" if said.isdigit() else said
    datum, crs = "WGS84", None
    with suppress(UnknownNameError):
        datum, crs = datum_name(said), pyproj.CRS(LONLAT)
    if crs is None:
        try:
            crs = pyproj.CRS.from_user_input(said)
        except pyproj.exceptions.CRSError as error:
            raise cannot_take(
                file, say("不认识的坐标系 {0}", printable(said)), say("写 {0} 或 EPSG 代码", say("、").join(DATUMS))
            ) from error
    if not (crs.is_geographic or crs.is_projected):
        raise cannot_take(
            file, say("{0} 不是平面或经纬度坐标系", printable(said)), say("写投影坐标系或经纬度坐标系的 EPSG 代码")
        )
    own_crs = incoming.crs
    if own_crs is not None and own_crs.is_projected != crs.is_projected:
        raise cannot_take(
            file,
            say("声明 {0}，文件里写的是 {1}", printable(said), own_crs.to_string()[:60]),
            say("改成一致；以实际坐标为准"),
        )
    if own_crs is not None and crs.is_projected and not _same_grid(own_crs, crs):
        raise cannot_take(
            file,
            say("声明 {0}，文件里写的是 {1}", printable(said), own_crs.to_string()[:60]),
            say("改成一致；以实际坐标为准"),
        )
    return Declared(datum, crs)


def _same_grid(a: pyproj.CRS, b: pyproj.CRS) -> bool:
    """Whether two projected CRSs put the same numbers in the same place (names and datum's names aside)."""
    wanted = ("longitude of natural origin", "false easting", "scale factor at natural origin", "false northing")

    def grid(crs: pyproj.CRS) -> dict[str, float]:
        operation = crs.coordinate_operation
        return (
            {}
            if operation is None
            else {p.name.lower(): round(float(p.value), 6) for p in operation.params if p.name.lower() in wanted}
        )

    return a.equals(b, ignore_axis_order=True) or (bool(grid(a)) and grid(a) == grid(b))


@dataclass
class Place:
    """Where the district is, and how numbers become positions in its CRS."""

    metric: pyproj.CRS
    bounds: Floats  # west, south, east, north in `metric`
    known: bool  # whether the bounds are those of layers, not of the CRS

    def near(self, xy: Floats) -> NDArray[np.bool_]:
        """Return which positions lie at or around the district."""
        w, s, e, n = self.bounds
        with np.errstate(invalid="ignore"):
            return (
                np.isfinite(xy).all(axis=1)
                & (xy[:, 0] > w - FAR_M)
                & (xy[:, 0] < e + FAR_M)
                & (xy[:, 1] > s - FAR_M)
                & (xy[:, 1] < n + FAR_M)
            )


def place_of(metric: pyproj.CRS, rows: Mapping[str, pd.DataFrame]) -> Place:
    """Return where a district lies: the extent of its first known layer, else its CRS's area of use."""
    for name in ("district", "zones", "communities", "homes", "streets"):
        if name in rows and len(rows[name]):
            return Place(metric, np.asarray(rows[name].total_bounds), True)
    area = metric.area_of_use
    if area is None:
        return Place(metric, np.array([-np.inf, -np.inf, np.inf, np.inf]), False)
    box = between(LONLAT, metric).transform_bounds(area.west, area.south, area.east, area.north)
    return Place(metric, np.asarray(box), False)


def to_lonlat(xy: Floats, declared: Declared) -> Floats:
    """Return WGS84 positions of numbers in a declared datum and CRS; NaN where the numbers cannot be such."""
    datum, crs = declared
    out = np.full(xy.shape, np.nan)
    good = np.isfinite(xy).all(axis=1)
    if crs.is_geographic:
        good &= (np.abs(xy[:, 0]) <= 180) & (np.abs(xy[:, 1]) <= 90)
    if not good.any():
        return out
    x, y = xy[good].T
    if crs.to_epsg() != 4326:
        x, y = between(crs, LONLAT).transform(x, y)
    fine = np.isfinite(x) & np.isfinite(y)
    x, y = np.where(fine, x, 0.0), np.where(fine, y, 0.0)
    x, y = to_wgs84(x, y, datum)
    out[good] = np.column_stack([np.where(fine, x, np.nan), np.where(fine, y, np.nan)])
    return out


def _zone(crs: pyproj.CRS) -> list[int]:
    """Return the zone numbers (3 and 6 degrees wide) that may stand before eastings of a CRS that has none."""
    operation = crs.coordinate_operation
    if operation is None or not crs.is_projected:
        return []
    params: list[Any] = list(operation.params)
    p = {one.name.lower(): float(one.value) for one in params if isinstance(one.value, (int, float))}
    lon, easting = p.get("longitude of natural origin"), p.get("false easting", 0.0)
    if lon is None or easting >= 1e6:
        return []
    return [int(z) for z in (lon / 3, (lon + 3) / 6) if z.is_integer() and z > 0]


def _variants(crs: pyproj.CRS) -> list[tuple[str, Callable[[Floats], Floats]]]:
    """Return the ways in which the numbers of a file may be meant, the plain one first."""
    swapped = say("X 是北、Y 是东（测量习惯）") if crs.is_projected else say("经度和纬度两列写反")
    ways: list[tuple[str, Callable[[Floats], Floats]]] = [("", lambda xy: xy), (swapped, lambda xy: xy[:, ::-1])]
    for zone in _zone(crs):
        ways.append((say("东坐标带着带号 {0}", zone), _without_zone(zone, swapped=False)))
        ways.append((say("{0}，东坐标带着带号 {1}", swapped, zone), _without_zone(zone, swapped=True)))
    return ways


def _without_zone(zone: int, *, swapped: bool) -> Callable[[Floats], Floats]:
    move = np.array([zone * 1e6, 0.0])
    return lambda xy: (xy[:, ::-1] if swapped else xy) - move


@dataclass
class Placed:
    """Shapes in WGS84 and in the district's CRS, and why a row has none."""

    lonlat: Shapes
    metric: Shapes
    reasons: dict[int, tuple[str, str]]
    datum: str = "WGS84"  # what the numbers of the file were declared in


def locate(shapes: Shapes, declared: Declared, place: Place, report: RowReport) -> Placed:
    """Bring the shapes of a file into the district's CRS; judged as a whole for swapped axes, then one by one."""
    n, (datum, crs) = len(shapes), declared
    result = Placed(np.full(n, None, dtype=object), np.full(n, None, dtype=object), {}, datum)
    filled = np.flatnonzero(~(shapely.is_missing(shapes) | shapely.is_empty(shapes)))
    if not len(filled):
        return result
    to_metric = between(LONLAT, place.metric)

    def metric(lonlat: Floats) -> Floats:
        out = np.full(lonlat.shape, np.nan)
        good = np.isfinite(lonlat).all(axis=1)
        out[good] = np.column_stack(to_metric.transform(*lonlat[good].T))
        return out

    coordinates, owner = shapely.get_coordinates(shapes[filled], return_index=True)
    start = np.flatnonzero(np.diff(owner, prepend=-1))
    first = coordinates[start]
    ways = _variants(crs)
    near = [place.near(metric(to_lonlat(way(first), declared))) for _, way in ways]
    chosen = 0 if near[0].any() else int(np.argmax([hits.sum() for hits in near]))
    said, way = ways[chosen]
    if said:
        hits = int(near[chosen].sum())
        report.say("note", say("坐标按“{0}”读：这样 {1} 行落在街道，照写则没有一行", said, hits), say("核实后再应用"))
    lonlat = to_lonlat(way(coordinates), declared)
    there = metric(lonlat)
    good = np.logical_and.reduceat(place.near(there), start)
    inside = good[owner]
    for out, xy in ((result.lonlat, lonlat), (result.metric, there)):
        out[filled[good]] = shapely.set_coordinates(shapes[filled[good]], xy[inside])
    for k in np.flatnonzero(~good):
        others = [ways[w][0] for w in range(len(ways)) if w != chosen and near[w][k]]
        result.reasons[int(filled[k])] = _why_far(first[k], there[owner == k], place, others, crs)
    return result


def _why_far(raw: Floats, there: Floats, place: Place, hits: Sequence[str], crs: pyproj.CRS) -> tuple[str, str]:
    if not np.isfinite(raw).all():
        return say("坐标不是数"), say("填十进制度或米")
    if (raw == 0).all():
        return say("坐标是 0, 0"), say("没有坐标就留空，或补上坐标")
    if hits:
        return say("坐标像是{0}，和其他行不一样", hits[0]), say("改正这一行")
    if crs.is_geographic and (np.abs(raw) > 180).any():
        return say("坐标不是经纬度，像是以米为单位的投影坐标"), say("用 crs（--crs）声明实际的投影坐标系")
    if crs.is_projected and (np.abs(raw) <= 180).all():
        return say("坐标像是经纬度，声明的却是投影坐标系"), say("用 crs（--crs）声明 {0} 之一", say("、").join(DATUMS))
    if np.isfinite(there).all():
        w, s, e, n = place.bounds
        away = np.max(np.maximum.reduce([w - there[:, 0], there[:, 0] - e, s - there[:, 1], there[:, 1] - n]))
        return say("离街道 {0} 公里", amount(away / 1000)), say("检查坐标和声明的坐标系")
    return say("坐标不在声明的坐标系里"), say("检查坐标和声明的坐标系")


def repaired(shapes: Shapes, lines: Sequence[int], report: RowReport) -> Shapes:
    """Mend polygons that cross themselves, and say of each by how much its area changed."""
    fixed = shapes.copy()
    wrong = ~(shapely.is_missing(shapes) | shapely.is_valid(shapes)) & np.isfinite(shapely.bounds(shapes)).all(axis=1)
    for i in np.flatnonzero(wrong):
        why = shapely.is_valid_reason(shapes[i])
        whole = shapely.make_valid(shapes[i], method="structure", keep_collapsed=False)
        parts = [p for p in shapely.get_parts(whole) if p.geom_type == "Polygon" and p.area > 0]
        if not parts:
            continue
        fixed[i] = parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)
        before, after = shapely.area(shapes[i]), fixed[i].area
        change = say("面积变为原来的 {0}", per_cent(after / before)) if before > 0 else say("原来的面积算不出")
        report.say(
            "note",
            say("图形已修复：{0}；{1}，{2} 块", printable(why), change, len(parts)),
            say("在 GIS 里核对"),
            at=Where(row=lines[int(i)], column=say("图形")),
        )
    return fixed
