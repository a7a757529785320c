"""Where the rows of a file lie: what its numbers mean, and whether its datum is the declared one."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely

from ..core import (
    DATUM_LABELS,
    DATUMS,
    SourceError,
    UnknownNameError,
    between,
    datum_name,
    diagnose,
    diagnose_likeness,
    diagnose_names,
    tie,
    to_wgs84,
)
from ..district import FAR_M
from .placing_page import as_written, datum_page, known_by_name
from .tables import (
    LONLAT,
    Floats,
    Incoming,
    Report,
    Shapes,
    cannot_take,
    coordinate,
    decoded_csv,
    is_blank,
    plain_header,
    printable,
)

#: Rows that are there already tell the datum where at least so many of them agree on a shift to within so many metres.
ANCHORS, ANCHOR_NEAR_M, ANCHOR_FAR_M = 5, 20.0, 100.0
#: They confirm the declared datum, however few, where it brings three in four of them nearer than any other by `ANCHOR_FAR_M`,
#: and half of them no farther than this: a place that was corrected moves less than a wrong datum moves it.
CORRECTED_M = 250.0
#: The column of the report's line that says that nothing has confirmed the declared datum.
UNPROVEN = "坐标基准"


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
            cells = re.split(r"[,，;；\s]+", str(row[columns["@both"]]).strip())
        else:
            continue
        if all(is_blank(c) for c in cells):
            continue
        said[i] = "，".join("" if c is None else str(c) for c in cells)
        numbers = [coordinate(c) for c in cells]
        if len(numbers) == 2 and np.isfinite(numbers).all():
            shapes[i] = shapely.Point(numbers)
    return shapes, said


def declaration(text: object, incoming: Incoming) -> tuple[str, pyproj.CRS]:
    """Return the datum and the CRS a declaration means."""
    file = incoming.file
    if text is None or not str(text).strip():
        own = f"文件自己写的是 {incoming.crs.to_string()[:40]}，核实后照写" if incoming.crs is not None else "不能猜"
        raise cannot_take(
            file,
            "没有声明坐标系",
            f"用 crs（--crs）写 {'、'.join(DATUMS)} 或 EPSG 代码；在线地图导出的多是 GCJ-02 或 BD-09；{own}",
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
                file, f"不认识的坐标系 {printable(said)}", f"写 {'、'.join(DATUMS)} 或 EPSG 代码"
            ) from error
    if not (crs.is_geographic or crs.is_projected):
        raise cannot_take(file, f"{printable(said)} 不是平面或经纬度坐标系", "写投影坐标系或经纬度坐标系的 EPSG 代码")
    own_crs = incoming.crs
    if own_crs is not None and own_crs.is_projected != crs.is_projected:
        raise cannot_take(
            file, f"声明 {printable(said)}，文件里写的是 {own_crs.to_string()[:60]}", "改成一致；以实际坐标为准"
        )
    if own_crs is not None and crs.is_projected and not _same_grid(own_crs, crs):
        raise cannot_take(
            file, f"声明 {printable(said)}，文件里写的是 {own_crs.to_string()[:60]}", "改成一致；以实际坐标为准"
        )
    return datum, crs


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

    def near(self, xy: Floats) -> Any:
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


def _to_lonlat(xy: Floats, datum: str, crs: pyproj.CRS) -> Floats:
    """Return WGS84 positions of numbers in a declared datum and CRS; NaN where the numbers cannot be such."""
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
    swapped = "X 是北、Y 是东（测量习惯）" if crs.is_projected else "经度和纬度两列写反"
    ways: list[tuple[str, Callable[[Floats], Floats]]] = [("", lambda xy: xy), (swapped, lambda xy: xy[:, ::-1])]
    for zone in _zone(crs):
        move = np.array([zone * 1e6, 0.0])
        ways.append((f"东坐标带着带号 {zone}", lambda xy, m=move: xy - m))  # type: ignore[misc]
        ways.append((f"{swapped}，东坐标带着带号 {zone}", lambda xy, m=move: xy[:, ::-1] - m))  # type: ignore[misc]
    return ways


@dataclass
class Placed:
    """Shapes in WGS84 and in the district's CRS, and why a row has none."""

    lonlat: Shapes
    metric: Shapes
    reasons: dict[int, tuple[str, str]]


def locate(shapes: Shapes, datum: str, crs: pyproj.CRS, place: Place, report: Report) -> Placed:
    """Bring the shapes of a file into the district's CRS; judged as a whole for swapped axes, then one by one."""
    n = len(shapes)
    result = Placed(np.full(n, None, dtype=object), np.full(n, None, dtype=object), {})
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
    near = [place.near(metric(_to_lonlat(way(first), datum, crs))) for _, way in ways]
    chosen = 0 if near[0].any() else int(np.argmax([hits.sum() for hits in near]))
    said, way = ways[chosen]
    if said:
        hits = int(near[chosen].sum())
        report.say("note", f"坐标按“{said}”读：这样 {hits} 行落在街道，照写则没有一行", "核实后再应用")
    lonlat = _to_lonlat(way(coordinates), datum, crs)
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
        return "坐标不是数", "填十进制度或米"
    if (raw == 0).all():
        return "坐标是 0, 0", "没有坐标就留空，或补上坐标"
    if hits:
        return f"坐标像是{hits[0]}，和其他行不一样", "改正这一行"
    if crs.is_geographic and (np.abs(raw) > 180).any():
        return "坐标不是经纬度，像是以米为单位的投影坐标", "用 crs（--crs）声明实际的投影坐标系"
    if crs.is_projected and (np.abs(raw) <= 180).all():
        return "坐标像是经纬度，声明的却是投影坐标系", f"用 crs（--crs）声明 {'、'.join(DATUMS)} 之一"
    if np.isfinite(there).all():
        w, s, e, n = place.bounds
        away = np.max(np.maximum.reduce([w - there[:, 0], there[:, 0] - e, s - there[:, 1], there[:, 1] - n]))
        return f"离街道 {away / 1000:,.0f} 公里", "检查坐标和声明的坐标系"
    return "坐标不在声明的坐标系里", "检查坐标和声明的坐标系"


def check_datum(
    placed: Placed,
    datum: str,
    rows: Mapping[str, pd.DataFrame],
    file: str,
    names: Sequence[Any],
    report: Report,
    *,
    layer: str,
    anchored: bool = False,
    checked: str = "",
) -> bool:
    """
    Stop where streets, names or known places clearly say another datum than the one declared; say so where they cannot tell.

    Names that only point to another datum stop too, until somebody has `checked` the declaration, and says how. `anchored`:
    rows that are there already have confirmed it. Returns whether anything has.
    """
    here = ~shapely.is_missing(placed.lonlat)
    if not here.any():
        return True
    written = as_written(placed.lonlat[here], datum)
    points = gpd.GeoSeries(written, crs=LONLAT)
    if not _would_move(points):  # outside China all datums are one
        return True
    tables = _measured(points, [n for n, is_here in zip(names, here, strict=True) if is_here], rows, layer)
    winners = [str(table.index[table["winner"].to_numpy()][0]) for table in tables if table["winner"].any()]
    winners += [datum for table in tables if "supported" in table and bool(table.loc[datum, "supported"])]
    for table in tables:
        said = list(table.index[table["winner"].to_numpy()])
        # Measures that contradict each other accuse nobody.
        if said and said[0] != datum and datum not in winners:
            raise _wrong_datum(file, datum, str(said[0]), table, written, rows)
    if datum in winners:
        agreed = [
            t for t in tables if bool(t.loc[datum, "winner"]) or ("supported" in t and bool(t.loc[datum, "supported"]))
        ]
        report.say("note", f"坐标基准 {datum} 与目录吻合", value=str(agreed[0]["text"].iloc[0]))
        return True
    if anchored:
        return True
    leaning = next(
        ((str(n), t) for t in tables if "leans" in t for n in t.index[t["leans"].to_numpy()] if n != datum), None
    )
    if leaning is not None and not checked:
        raise _wrong_datum(file, datum, *leaning, written, rows, proven=False)
    why, _, measured = (str(tables[0]["text"].iloc[0]) if tables else "没有街道和地名可比").partition("。")
    remedy = "向提供者核实坐标来源，在地图上抽查几个点，写入时用 --datum-checked（datum_checked=）写明怎么核对的"
    remedy = f"由人核对：{checked}" if checked else remedy
    report.say("note", f"坐标基准 {datum} 没有得到证实：{why}", remedy, column=UNPROVEN, value=measured)
    return False


def _would_move(points: gpd.GeoSeries) -> bool:
    """Whether another datum would put the points elsewhere at all."""
    lon, lat = shapely.get_coordinates(shapely.point_on_surface(np.asarray(points.array))).T
    return any(not np.allclose([lon, lat], to_wgs84(lon, lat, name), atol=1e-6) for name in DATUMS)


def _measured(
    points: gpd.GeoSeries, names: Sequence[Any], rows: Mapping[str, pd.DataFrame], layer: str
) -> list[pd.DataFrame]:
    """Return what each measure says that the district has the layers for: streets, names, how rows of its kind lie."""
    tables = []
    streets = rows.get("streets")
    if streets is not None and len(streets):
        tables.append(diagnose(points, streets))
    known = known_by_name(rows, next((f.crs for f in rows.values() if isinstance(f, gpd.GeoDataFrame)), LONLAT))
    if len(known):
        tables.append(diagnose_names(points, names, known))
    peers = rows.get(layer)
    if tables and streets is not None and len(streets) and peers is not None and len(peers) and layer != "streets":
        homes = rows.get("homes") if layer != "homes" else None
        compounds = (
            None if homes is None else homes.geometry[homes.geom_type.isin(["Polygon", "MultiPolygon"]).to_numpy()]
        )
        tables.append(diagnose_likeness(points, peers.geometry, streets.geometry, compounds))
    return tables


def _wrong_datum(
    file: str,
    datum: str,
    winner: str,
    table: pd.DataFrame,
    written: Shapes,
    rows: Mapping[str, pd.DataFrame],
    *,
    proven: bool = True,
) -> SourceError:
    said = f"声明的坐标基准是 {datum}，但坐标不像，像是 {DATUM_LABELS[winner]}。"
    remedy = f"核实来源；若确是 {winner}，用 --crs {winner}（crs=）再导入"
    if not proven:
        said = f"声明的坐标基准是 {datum}，但能比的几行都更像 {DATUM_LABELS[winner]}；行数少，不能断定。"
        remedy += f"；若确是 {datum}，用 --datum-checked（datum_checked=）写明怎么核对的"
    spots = shapely.get_coordinates(shapely.point_on_surface(written))
    page = datum_page(spots, datum, table, rows, file, said + str(table["text"].iloc[0]))
    return SourceError(
        f"{file}：{said}{table['text'].iloc[0]}\n{_residuals(table)}\n没有写入任何东西。{remedy}",
        table,
        page,
    )


def _residuals(table: pd.DataFrame) -> str:
    lines = ["假设坐标是　到参照的中位距离　九成在　整体移动"]
    for name, row in table.iterrows():
        lines.append(f"{name}　{row['median_m']:,.0f} 米　{row['p90_m']:,.0f} 米　{row['moved_m']:,.0f} 米")
    return "\n".join(lines)


def check_anchors(
    placed: Placed,
    datum: str,
    old: Mapping[int, Any],
    place: Place,
    file: str,
    rows: Mapping[str, pd.DataFrame],
    report: Report,
) -> bool:
    """
    Stop where rows that are there already lie as far off, and in the direction, as a wrong datum would put them.

    Returns whether they lie where the declared datum puts them.
    """
    pairs = [(i, shape) for i, shape in old.items() if placed.lonlat[i] is not None and shape is not None]
    if not pairs:
        return False
    here = shapely.point_on_surface(np.array([shape for _, shape in pairs], dtype=object))
    points = shapely.point_on_surface(as_written(np.array([placed.lonlat[i] for i, _ in pairs], dtype=object), datum))
    lon, lat = shapely.get_coordinates(points).T
    to_metric = between(LONLAT, place.metric)
    at = {name: np.column_stack(to_metric.transform(*to_wgs84(lon, lat, name))) for name in DATUMS}
    away = {name: np.hypot(*(xy - shapely.get_coordinates(here)).T) for name, xy in at.items()}
    nearer = np.all([away[name] - away[datum] > ANCHOR_FAR_M for name in DATUMS if name != datum], axis=0)
    confirmed = bool(nearer.mean() >= 0.75 and np.median(away[datum]) <= CORRECTED_M)
    if confirmed:
        report.say("note", f"坐标基准 {datum} 与目录里编号相同的 {len(pairs)} 个要素吻合")
    if confirmed or len(pairs) < ANCHORS:
        return confirmed
    best = min(DATUMS, key=lambda name: float(np.median(away[name])))
    near = bool(np.quantile(away[best], 0.75) <= ANCHOR_NEAR_M)
    if best != datum and near and np.quantile(away[datum], 0.25) >= ANCHOR_FAR_M:
        table = pd.DataFrame(
            {
                "label": [DATUM_LABELS[n] for n in DATUMS],
                "points": len(pairs),
                "moved_m": [float(np.median(np.hypot(*(at[n] - at["WGS84"]).T))) for n in DATUMS],
                "median_m": [float(np.median(away[n])) for n in DATUMS],
                "p90_m": [float(np.quantile(away[n], 0.9)) for n in DATUMS],
                "winner": [n == best for n in DATUMS],
            },
            index=pd.Index(DATUMS, name="datum"),
        )
        lines = "；".join(f"{name} {metres:,.0f} 米" for name, metres in table["median_m"].items())
        said = (
            f"声明的坐标基准是 {datum}，但和目录里编号相同的 {len(pairs)} 个要素整体错开；"
            f"到原位置的中位距离，假设坐标是：{lines}。像是 {DATUM_LABELS[best]}。"
        )
        raise SourceError(
            f"{file}：{said}没有写入任何东西。"
            f"核实来源；若确是 {best}，用 --crs {best}（crs=）再导入；若原来的图层才是错的，用 replace=True（--replace）整层替换",
            table,
            datum_page(np.column_stack([lon, lat]), datum, table, rows, file, said),
        )
    return False


# --- drawings in a grid of their own --------------------------------------------------------------------------------

_CONTROL = {
    "x": ("图上x", "x", "x坐标", "localx", "图x"),
    "y": ("图上y", "y", "y坐标", "localy", "图y"),
    "east": ("经度", "东经", "lon", "lng", "已知x", "东坐标", "已知东", "e", "east"),
    "north": ("纬度", "北纬", "lat", "已知y", "北坐标", "已知北", "n", "north"),
    "name": ("点名", "名称", "点号", "编号", "name", "id"),
}


def tied(shapes: Shapes, control: Path, crs: str | int | None, place: Place, affine: bool, report: Report) -> Shapes:
    """Bring the shapes of a drawing in a grid of its own into the district's CRS, by the control points of a CSV."""
    text, separator = decoded_csv(control)
    lines = [
        line for line in csv.reader(io.StringIO(text, newline=""), delimiter=separator) if any(map(str.strip, line))
    ]
    heads = [plain_header(h) for h in lines[0]] if lines else []
    at = {k: next((heads.index(w) for w in words if w in heads), None) for k, words in _CONTROL.items()}
    absent = [f"{'、'.join(_CONTROL[k][:2])}" for k in ("x", "y", "east", "north") if at[k] is None]
    if absent:
        raise cannot_take(
            control.name, f"缺少列：{'；'.join(absent)}", "表头写 点名, 图上X, 图上Y, 经度, 纬度（或 东坐标, 北坐标）"
        )
    numbers = np.array(
        [
            [
                coordinate(row[i]) if (i := at[k]) is not None and i < len(row) else np.nan
                for k in ("x", "y", "east", "north")
            ]
            for row in lines[1:]
        ]
    ).reshape(-1, 4)
    i = at["name"]
    names = [
        row[i].strip() if i is not None and i < len(row) and row[i].strip() else str(k)
        for k, row in enumerate(lines[1:], 1)
    ]
    datum, declared = declaration(crs, Incoming(control.name, [], [], []))
    lonlat = _to_lonlat(numbers[:, 2:], datum, declared)
    bad = [
        n
        for n, ok in zip(names, np.isfinite(lonlat).all(axis=1) & np.isfinite(numbers).all(axis=1), strict=True)
        if not ok
    ]
    if bad:
        raise cannot_take(
            control.name, f"控制点 {printable('、'.join(bad))} 的坐标读不懂，或不在声明的坐标系里", "每个点写四个数"
        )
    to_metric = between(LONLAT, place.metric)
    try:
        matrix, residuals = tie(
            numbers[:, :2], np.column_stack(to_metric.transform(*lonlat.T)), affine=affine, names=names
        )
    except SourceError as error:
        raise SourceError(f"{control.name}：{error}", error.residuals) from error
    for point, row in residuals.iterrows():
        report.say(
            "note",
            f"控制点 {printable(point)} 的残差 {row['residual_m']:.3f} 米（东 {row['east_m']:+.3f}，北 {row['north_m']:+.3f}）",
        )
    first = residuals.iloc[0]
    axes = "，控制点表的 X 为北" if first["swapped"] else ""
    if first["swapped"]:
        # A drawing is not a mirror image: the table writes north first, as surveyors do, the drawing east.
        matrix = matrix[[1, 0, 2]]
    report.say(
        "note",
        f"按 {len(residuals)} 个控制点配准：比例 {first['scale']:.6f}，旋转 {first['rotation_deg']:.4f}°{axes}",
        "三个点几乎没有多余的检验，最好四个以上" if len(residuals) < 4 else "",
    )
    return shapely.transform(shapes, lambda xy: np.column_stack([xy, np.ones(len(xy))]) @ matrix)
