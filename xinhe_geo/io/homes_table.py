"""A table of people becomes the layer of homes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely

from ..core import SourceError, refuse_above, say, secret_cells, secret_words
from .import_log import ImportLog, some
from .incoming import LONLAT
from .tag_rules import read_csv

#: A home farther than this from every street lies in another city: its coordinates are wrong.
FAR_KM = 50.0
#: Homes farther than this from the extract's streets are taken, and a warning says that nothing is known around them.
BEYOND_KM = 1.0


_HOME_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "home": ("id", "home", "hex", "hex_id", "h3", "cell", "grid", "编号", "小区编号", "网格"),
    "name": ("name", "名称", "小区", "小区名称"),
    "lon": ("lon", "lng", "long", "longitude", "经度", "东经"),
    "lat": ("lat", "latitude", "纬度", "北纬"),
    "x": ("x", "x坐标"),
    "y": ("y", "y坐标"),
    "people": ("people", "population", "pop", "常住人口", "人口"),
    "people_60plus": ("people_60plus", "people60plus", "pop60", "60岁及以上", "60岁及以上人口", "老年人口"),
    "households": ("households", "户数"),
}


def homes_from_table(
    path: Path, metric: pyproj.CRS, given_crs: bool, extent: shapely.Geometry, log: ImportLog
) -> gpd.GeoDataFrame:
    """
    Read homes with people from a table of points; index as read, columns of the layer `homes`, geometry in EPSG:4326.

    Rows whose coordinates or numbers cannot be right are reported and not taken; nothing else is changed, so the people
    taken and the people reported as left out add up to the table.
    """
    if not path.is_file():
        raise SourceError(say("文件不存在：{0}。人口表需要列 id、lon、lat、people（或 x、y）", path.name))
    if path.suffix.lower() not in (".csv", ".txt"):
        raise SourceError(say("{0}：人口表只读 CSV。在 Excel 里另存为“CSV UTF-8”", path.name))
    table = read_csv(path)
    lines = [say("第 {0} 行", i + 2) for i in table.index]
    table = table.reset_index(drop=True)
    columns = _recognise(table, path, log)
    cells = [table[c].iloc[at] for c in table if c not in columns.values() for at, _ in secret_cells(c, table[c])]
    refuse_above({}, "homes", [*cells, *(mark.text for mark in [secret_words(path.stem)] if mark)], path.name)
    points = _points(table, columns, path, metric, given_crs)
    numbers = {c: pd.to_numeric(table[columns[c]], errors="coerce") for c in COUNTS if c in columns}
    reason = _why_not(table, columns, points, numbers, extent, metric)
    ids = table[columns["home"]].str.strip() if "home" in columns else pd.Series([f"h{i + 1}" for i in table.index])
    rows = pd.Series([f"{text} {k}" if isinstance(k, str) else text for text, k in zip(lines, ids, strict=True)])
    for text in dict.fromkeys(reason[reason != ""]):
        bad = reason == text
        people = numbers["people"][bad].sum() if "people" in numbers else float("nan")
        lost = say("；涉及人口 {0:g}", float(people)) if people > 0 else ""
        log.left("homes", say("人口表 {0} 的行", path.name), int(bad.sum()), text + lost, rows[bad])
    good = (reason == "").to_numpy()
    if not good.any():
        raise SourceError(say("{0}：没有一行能用。{1}", path.name, say("；").join(dict.fromkeys(reason))))
    _refuse_repeats(ids[good], path)
    homes = gpd.GeoDataFrame(
        {"home": ids[good].to_numpy(), "name": _column(table, columns.get("name"))[good]},
        geometry=points[good],
        crs=LONLAT,
    )
    for column in COUNTS:
        homes[column] = numbers[column][good].to_numpy() if column in numbers else np.nan
    total = (
        say("，人口合计 {0:.15g}", float(homes["people"].sum()))
        if "people" in numbers
        else say("，没有人口列，人口留空")
    )
    log.took("homes", say("人口表 {0} 的点", path.name), len(homes), say("共 {0} 行{1}", len(table), total))
    beyond = shapely.distance(homes.to_crs(metric).geometry.array, extent) > 1000 * BEYOND_KM
    if beyond.any():
        said = say("离街道网 {0:g} 公里以上：文件里没有那里的街道，走不到任何设施。换范围更大的提取文件", BEYOND_KM)
        log.note("homes", say("{0} 个点", int(beyond.sum())), said, homes.loc[beyond, "home"])
    return homes


COUNTS = ("households", "people", "people_60plus")


def _column(table: pd.DataFrame, column: str | None) -> np.ndarray:
    return np.full(len(table), None, dtype=object) if column is None else table[column].to_numpy(dtype=object)


def home_columns(columns: Sequence[str], file: str) -> dict[str, str]:
    """
    Return which column of a table of homes means what: `home`, `name`, `lon`, `lat`, `x`, `y`, `people` and so on.

    Raises
    ------
    SourceError
        ``people.csv：没有坐标列``.
    """
    lower = {c.lower().replace(" ", ""): c for c in reversed(columns)}
    found: dict[str, str] = {}
    for meaning, names in _HOME_COLUMNS.items():
        column = next((lower[n] for n in names if n in lower and lower[n] not in found.values()), None)
        if column is not None:
            found[meaning] = column
    if not ({"lon", "lat"} <= set(found) or {"x", "y"} <= set(found)):
        raise SourceError(
            say(
                "{0}：没有坐标列（现有列：{1}）。加上 lon、lat（经纬度），或 x、y（并说明坐标系）",
                file,
                say("、").join(columns),
            )
        )
    return found


def _recognise(table: pd.DataFrame, path: Path, log: ImportLog) -> dict[str, str]:
    """Return which column of the table means what; the rest is listed in the report."""
    found = home_columns(list(table.columns), path.name)
    ignored = [c for c in table.columns if c not in found.values()]
    if ignored:
        log.note("homes", say("人口表 {0} 的列", path.name), say("不认识，已忽略"), ignored)
    if "home" not in found:
        log.note("homes", say("人口表 {0} 的编号", path.name), say("没有 id 列，按行号编为 h1、h2……"))
    return found


def _points(
    table: pd.DataFrame, columns: Mapping[str, str], path: Path, metric: pyproj.CRS, given_crs: bool
) -> np.ndarray:
    """Return one point per row in EPSG:4326; missing where a coordinate is not a number or not on earth."""
    across, up = ("lon", "lat") if {"lon", "lat"} <= set(columns) else ("x", "y")
    x = pd.to_numeric(table[columns[across]], errors="coerce").to_numpy(dtype="float64")
    y = pd.to_numeric(table[columns[up]], errors="coerce").to_numpy(dtype="float64")
    degrees = np.nanmax(np.abs(x), initial=0) <= 180 and np.nanmax(np.abs(y), initial=0) <= 90
    if across == "x" and not degrees:
        if not given_crs:
            raise SourceError(say("{0}：x、y 不是经纬度。用 crs（--crs）说明它们所在的投影坐标系", path.name))
        x, y = pyproj.Transformer.from_crs(metric, LONLAT, always_xy=True).transform(x, y)
    on_earth = np.isfinite(x) & np.isfinite(y) & (np.abs(x) <= 180) & (np.abs(y) <= 90)
    points = np.full(len(table), None, dtype=object)
    points[on_earth] = shapely.points(x[on_earth], y[on_earth])
    return points


def _why_not(
    table: pd.DataFrame,
    columns: Mapping[str, str],
    points: np.ndarray,
    numbers: Mapping[str, pd.Series],
    extent: shapely.Geometry,
    metric: pyproj.CRS,
) -> pd.Series:
    """Return why each row cannot be taken, "" where it can."""
    reason = pd.Series("", index=table.index, dtype="object")
    missing = shapely.is_missing(points)
    reason[missing] = say("坐标是空的、不是数，或不在经纬度范围内")
    placed = np.flatnonzero(~missing)
    where = gpd.GeoSeries(points[placed], crs=LONLAT).to_crs(metric)
    away = np.asarray(shapely.distance(where.array, extent))
    for i in placed[~(away <= FAR_KM * 1000)]:
        reason.iloc[i] = say("离街道网 {0:g} 公里以上，经纬度可能写反或坐标系不对", FAR_KM)
    for column, values in numbers.items():
        wrong = (table[columns[column]].notna() & ~np.isfinite(values)) | (values < 0)
        if column == "households":
            wrong |= values.notna() & (values != values.round())
        reason[wrong & (reason == "")] = (
            say("{0} 不是 0 或更大的整数", columns[column])
            if column == "households"
            else say("{0} 不是 0 或更大的数", columns[column])
        )
    if "people" in numbers and "people_60plus" in numbers:
        wrong = numbers["people_60plus"] > numbers["people"]
        reason[wrong & (reason == "")] = say("60岁及以上人口大于常住人口")
    return reason


def _refuse_repeats(ids: pd.Series, path: Path) -> None:
    if ids.isna().any():
        raise SourceError(
            say("{0}：有 {1} 行没有编号。每行一个自己的编号，或删去编号列", path.name, int(ids.isna().sum()))
        )
    repeated = list(dict.fromkeys(ids[ids.duplicated()]))
    if repeated:
        raise SourceError(say("{0}：编号重复：{1}。每行用自己的编号", path.name, some(repeated)))
