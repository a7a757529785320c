"""
People of areas, spread over the buildings in them by floor area: each area keeps its total, no building gets more than is there.

Areas are the polygons of a layer, cells of a table, or the pixels of a raster (a GeoTIFF of people, as WorldPop and GHSL give them).
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely

from ..core import SourceError, apart, needing, read_layer, say
from .import_log import ImportLog
from .incoming import Floats, Shapes

RASTERS = (".tif", ".tiff")
LAYERS_READ = (".gpkg", ".geojson", ".json", ".fgb", ".shp")
_PEOPLE = ("people", "population", "pop", "常住人口", "人口", "人口数")
_NAMES = ("area", "id", "code", "code_", "h3", "hex", "编号", "代码")
#: More pixels than this in the box of the streets are not looked at one by one.
_MOST_PIXELS = 4_000_000
#: Nowhere live more.
_MOST_PEOPLE = 1e10


class Areas(NamedTuple):
    """Areas with people: in the CRS to compute in, columns `area`, `people`; what file they are of, and how large a pixel is."""

    frame: gpd.GeoDataFrame
    file: str


def read_areas(path: Path, metric: pyproj.CRS, extent: shapely.Geometry, log: ImportLog) -> Areas:
    """
    Read areas with people.

    Parameters
    ----------
    path
        A GeoTIFF of people per pixel, or a layer of polygons with a column of people.
    metric
        The projected CRS, in metres.
    extent
        The box of the streets: what lies outside is left out and said.
    log
        Takes down what was taken and what was not.

    Raises
    ------
    SourceError
        No such file, not to be read, without a CRS, without people, or all of it elsewhere.
    EnvironmentProblem
        A raster, and what reads rasters is not installed.
    """
    if not path.is_file():
        raise SourceError(
            say("文件不存在：{0}。人口要一个栅格（.tif，每格人数），或带人口列的面（.gpkg、.geojson）", path.name)
        )
    suffix = path.suffix.lower()
    if suffix not in (*RASTERS, *LAYERS_READ):
        raise SourceError(
            say(
                "{0}：人口读栅格（{1}）或面图层（{2}）", path.name, say("、").join(RASTERS), say("、").join(LAYERS_READ)
            )
        )
    try:
        frame = _pixels(path, metric, extent) if suffix in RASTERS else _polygons(path, metric)
    except pyproj.exceptions.ProjError as error:
        raise SourceError(say("{0} 的坐标系换算不过来。在 QGIS 里换成有 EPSG 代码的坐标系后另存", path.name)) from error
    if (frame["people"] > _MOST_PEOPLE).any():
        raise SourceError(say("{0} 里有一格（块）的人比世界上的还多。检查人口列，或取了别的栅格", path.name))
    here = shapely.intersects(shapely.point_on_surface(frame.geometry.to_numpy()), extent)
    if not here.any():
        raise SourceError(say("{0} 和道路不在一处：没有一格（块）落在道路范围里。检查范围和坐标系", path.name))
    away = frame[~here]
    if len(away):
        log.left(
            "homes",
            say("人口 {0} 的块", path.name),
            len(away),
            say("在道路范围以外，人口合计 {0:.15g}", float(away["people"].sum())),
        )
    frame = frame[here].reset_index(drop=True)
    log.note(
        "homes",
        say("人口 {0}", path.name),
        say("{0} 块，人口合计 {1:.15g}，按楼面积分到楼", len(frame), float(frame["people"].sum())),
    )
    return Areas(frame, path.name)


def _polygons(path: Path, metric: pyproj.CRS) -> gpd.GeoDataFrame:
    frame = read_layer(path)
    if not isinstance(frame, gpd.GeoDataFrame) or frame.empty:
        raise SourceError(say("{0} 没有图形。人口要带人口列的面", path.name))
    if frame.crs is None:
        raise SourceError(say("{0} 没有坐标系。另存为带坐标系的 GeoPackage", path.name))
    lower = {str(c).strip().lower(): c for c in reversed(list(frame.columns))}
    column = next((lower[n] for n in _PEOPLE if n in lower), None)
    if column is None:
        raise SourceError(
            say(
                "{0} 没有人口列（现有列：{1}）。列名写 people",
                path.name,
                say("、").join(map(str, frame.columns.drop(frame.geometry.name))),
            )
        )
    people = pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=float)
    shapes = frame.to_crs(metric).geometry.to_numpy()
    wrong = np.flatnonzero(
        (np.isfinite(people) & (people < 0)) | np.isinf(people) | (frame[column].notna() & np.isnan(people))
    )
    if len(wrong):
        raise SourceError(say("{0} 第 {1} 块：{2} 不是 0 或更大的数。改正以后再导入", path.name, wrong[0] + 1, column))
    flat = np.flatnonzero(~np.isin(shapely.get_type_id(shapes), (3, 6)))
    if len(flat):
        raise SourceError(say("{0} 第 {1} 块不是面。人口要面，点表用 --homes", path.name, flat[0] + 1))
    named = next((lower[n] for n in _NAMES if n in lower), None)
    names = [str(i + 1) for i in range(len(frame))] if named is None else frame[named].astype(str).to_numpy()
    areas = gpd.GeoDataFrame({"area": names, "people": people}, geometry=shapes, crs=metric)
    return areas[areas["people"].notna()].reset_index(drop=True)


def _pixels(path: Path, metric: pyproj.CRS, extent: shapely.Geometry) -> gpd.GeoDataFrame:
    with needing("raster", "读人口栅格"):
        import rasterio  # noqa: F401 -- here, where it can be said that it is not installed
    box = gpd.GeoSeries([extent], crs=metric)
    read = apart(read_raster, path, str(box.crs.to_wkt()), [float(v) for v in extent.bounds])
    values, (a, b, c, d, e, f), first, crs = read
    row, column = np.nonzero(np.isfinite(values) & (values > 0))
    if not len(row):
        raise SourceError(say("{0} 在道路范围里没有一格有人。检查范围，或取了别处的栅格", path.name))
    corners = np.stack(
        [
            np.column_stack([a * (column + i) + b * (row + j) + c, d * (column + i) + e * (row + j) + f])
            for i, j in ((0, 0), (1, 0), (1, 1), (0, 1))
        ],
        axis=1,
    )
    shapes = gpd.GeoSeries(shapely.polygons(corners), crs=crs).to_crs(metric)
    names = [f"{r + first[0]}-{c + first[1]}" for r, c in zip(row.tolist(), column.tolist(), strict=True)]
    return gpd.GeoDataFrame({"area": names, "people": values[row, column]}, geometry=shapes.to_numpy(), crs=metric)


def read_raster(path: Path, crs: str, bounds: list[float]) -> tuple[Floats, list[float], list[int], str]:
    """
    Return the pixels of a GeoTIFF in a box as plain values: people, the way to places, row and column of the first, the CRS.

    Raises
    ------
    SourceError
        It is no GeoTIFF of one number per pixel with a CRS, or too large a piece of one.
    """
    import rasterio
    from rasterio import warp, windows

    try:
        # One driver only: GDAL would otherwise follow what a file says about other files, or addresses.
        with warnings.catch_warnings(), rasterio.open(path, driver="GTiff") as raster:
            warnings.simplefilter("ignore")  # libraries of its own that tell each other what will change
            if raster.crs is None:
                raise SourceError(say("{0} 没有坐标系。在 QGIS 里定好投影，另存为 GeoTIFF", path.name))
            near = warp.transform_bounds(crs, raster.crs, *bounds)
            window = windows.from_bounds(*near, raster.transform)
            row, column = max(int(window.row_off) - 1, 0), max(int(window.col_off) - 1, 0)
            height = min(int(np.ceil(window.row_off + window.height)) + 1, raster.height) - row
            width = min(int(np.ceil(window.col_off + window.width)) + 1, raster.width) - column
            if height <= 0 or width <= 0:
                raise SourceError(say("{0} 和道路不在一处。检查范围和坐标系", path.name))
            if height * width > _MOST_PIXELS:
                raise SourceError(
                    say(
                        "{0} 在道路范围里有 {1:,} 格，太细。先合成较粗的格，或换小一点的范围", path.name, height * width
                    )
                )
            piece = windows.Window(column, row, width, height)
            values = raster.read(1, window=piece, masked=True).astype("float64").filled(np.nan)
            transform = list(raster.window_transform(piece))[:6]
            return values, transform, [row, column], str(raster.crs.to_wkt())
    except SourceError:
        raise
    except Exception as error:  # a grid that leads nowhere, a CRS of another planet: each library has its own
        raise SourceError(
            say("{0} 不是能读的 GeoTIFF（{1}）。重新下载，或另存一次", path.name, (str(error).splitlines() or ["?"])[0])
        ) from error


def spread(areas: Areas, shapes: Shapes, floor: Floats, log: ImportLog) -> tuple[Floats, np.ndarray, gpd.GeoDataFrame]:
    """
    Spread the people of areas over buildings by their floor area; the people of each area add up to its total.

    Returns
    -------
    people, area, rest
        People of each building, missing where it lies in no area; the name of that area; and the areas that have people and no
        building, as homes of their own, so that nobody is lost.
    """
    frame = areas.frame
    area = area_of(shapes, frame.geometry.to_numpy())
    total = frame["people"].to_numpy(dtype=float)
    people = shared(total, area, floor)
    if outside := int((area < 0).sum()):
        log.note("homes", say("不在任何一块里的楼"), say("{0} 栋，人口不详", outside))
    empty = frame[(total > 0) & ~np.isin(np.arange(len(frame)), area)]
    rest = gpd.GeoDataFrame(
        {
            "home": [f"area-{name}" for name in empty["area"]],
            "people": empty["people"].to_numpy(),
            "people_parts": [
                part_of(name, people) for name, people in zip(empty["area"], empty["people"], strict=True)
            ],
        },
        geometry=empty.geometry.to_numpy(),
        crs=frame.crs,
    )
    if len(rest):
        log.took(
            "homes",
            say("有人、没有画楼的块"),
            len(rest),
            say("自成一处，人口合计 {0:.15g}", float(rest["people"].sum())),
            rest["home"],
        )
    named = np.where(area >= 0, frame["area"].to_numpy(object)[area], "")
    return people, named, rest


def part_of(area: str, people: float) -> str:
    """Return how a home's share of an area's people is written in `people_parts`: several with ";" between."""
    return f"{re.sub('[;:]', '-', area)}:{people:.10g}"


def area_of(shapes: Shapes, areas: Shapes) -> np.ndarray:
    """Return in which area each building lies (its point on the surface); the first where several touch, -1: in none."""
    place = np.full(len(shapes), -1, np.int64)
    if len(shapes) and len(areas):
        building, area = shapely.STRtree(areas).query(shapely.point_on_surface(shapes), predicate="intersects")
        order = np.lexsort((-area, building))
        place[building[order]] = area[order]
    return place


def shared(total: Floats, area: np.ndarray, weight: Floats) -> Floats:
    """
    Share the total of each area among what lies in it, by weight.

    Parameters
    ----------
    total
        People of each area.
    area
        For each building, the area it lies in; -1: in none.
    weight
        Of each building, above 0.

    Returns
    -------
    people
        Fractions of people: those of an area add up to its total. Missing where a building lies in no area.
    """
    inside = area >= 0
    whole = np.bincount(area[inside], weights=weight[inside], minlength=len(total))
    people = np.full(len(area), np.nan)
    people[inside] = total[area[inside]] * weight[inside] / whole[area[inside]]
    return people
