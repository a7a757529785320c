"""
Layers in files from outside, read by one format each: what a file says it is by its name, it must be by how it begins.

GDAL asks sixty drivers whose file it is, and several of them read other files, or the network, at a file's word (virtual
datasets, web services, an algorithm written as JSON). So each kind of file is looked at before GDAL sees it, and opened so that
one driver only can take it; what a file of the right kind could still reach out with (a CRS by address, views and functions in
a GeoPackage, links beside a shapefile) is refused.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pyogrio
import pyproj
from pyogrio.util import vsi_path

from .errors import SourceError, refused
from .opening import opened, ordinary, read_whole
from .plane import crs_of
from .sentences import say
from .strangers import apart

#: A layer larger than this was not made for one district; brackets count what a JSON becomes in memory.
_MOST_BYTES, _MOST_BRACKETS, _MOST_OBJECTS = 2_000_000_000, 20_000_000, 20_000
#: Small files beside a shapefile that say how to read it.
_MOST_SAID = 100_000
_GPKG = (b"GPKG", b"GP10", b"GP11")
#: Functions with which GDAL's SQL reaches out, and virtual tables other than the index of shapes.
_REACHING = re.compile(
    r"(?<!gpkg_)ogr_(?!empty_table)|gdal_|load_extension|readfile|writefile|\battach\b", re.IGNORECASE
)
_VIRTUAL = re.compile(r"^\s*create\s+virtual\s+table\b(?!.*\busing\s+[\"'`\[]?rtree\b)", re.IGNORECASE | re.DOTALL)


def _inside(path: Path, home: str) -> None:
    real = os.path.realpath(path)
    if os.path.commonpath([home, real]) != home:
        raise _refused(path, say("是指向文件夹外面的链接"), say("把文件本身放进来"))


@contextmanager
def _driven(path: Path) -> Iterator[None]:
    """Say in one way what drivers, and shapes made of damaged bytes, raise in many; of their warnings callers report what counts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except (SourceError, OSError, MemoryError):
            raise
        except Exception as error:  # their message is what matters
            first = (str(error).splitlines() or [type(error).__name__])[0][:160]
            remedy = say("在 QGIS 里打开看看，重新拷贝或重新导出")
            raise _refused(path, say("文件不完整或格式不对（{0}）", first), remedy) from error


def layers_in(path: Path) -> list[tuple[str, str | None]]:
    """Return name and kind of shape of each layer of a file, None for a table without shapes."""
    return apart(_layers_in, path)


def _layers_in(path: Path) -> list[tuple[str, str | None]]:
    with _driven(path):
        return [(str(name), None if kind is None else str(kind)) for name, kind in pyogrio.list_layers(_opened(path))]


def read_layer(
    path: Path,
    folder: Path | None = None,
    *,
    layer: str | None = None,
    encoding: str | None = None,
    most: int | None = None,
) -> gpd.GeoDataFrame | pd.DataFrame:
    """
    Read one layer of a GeoJSON, GeoPackage, FlatGeobuf or shapefile, or of a file geodatabase.

    Parameters
    ----------
    path
        The file; its ending says which of them it is.
    folder
        What the file came with: links must not lead out of it.
    layer
        Which of several; the first by default.
    encoding
        Of the texts, where the file is not to be asked.
    most
        No more features than this are read.

    Raises
    ------
    SourceError
        It is not what its name says, is damaged, or would reach out of itself.
    """
    return apart(_read_layer, path, folder, layer, encoding, most, folder=folder)


def _read_layer(
    path: Path, folder: Path | None, layer: str | None, encoding: str | None, most: int | None
) -> gpd.GeoDataFrame | pd.DataFrame:
    with _driven(path):
        try:
            found: gpd.GeoDataFrame | pd.DataFrame = pyogrio.read_dataframe(
                _opened(path, folder), layer=layer, encoding=encoding, max_features=most
            )
        except UnicodeDecodeError as error:
            raise _refused(path, say("里面的文字不是 UTF-8"), say("在 QGIS 里打开，编码选对后重新导出")) from error
        if isinstance(found, gpd.GeoDataFrame) and found.crs is not None:
            try:
                crs_of(found.crs)
            except pyproj.exceptions.CRSError as error:
                raise _refused(
                    path, say("坐标系要用另一个文件"), say("在 QGIS 里换成有 EPSG 代码的坐标系后重新导出")
                ) from error
    return found


def size_of(path: Path, *, layer: str | None = None, encoding: str | None = None) -> tuple[int, int]:
    """Return how many features a layer says it has, and how many columns."""
    return apart(_size_of, path, layer, encoding)


def _size_of(path: Path, layer: str | None, encoding: str | None) -> tuple[int, int]:
    with _driven(path):
        info = pyogrio.read_info(_opened(path), layer=layer, encoding=encoding)
    return int(info["features"]), len(info["fields"])


def _opened(path: Path, folder: Path | None = None) -> str:
    """Return what GDAL is given for a file that has been looked at: only one driver takes it."""
    suffix = path.suffix.lower()
    if suffix not in _CHECKS or path.is_dir() != (suffix == ".gdb"):
        known = say("、").join(s for s in _CHECKS if s != ".gdb")
        raise _refused(path, say("不是能读的图层文件"), say("可用：{0}；在 QGIS 里另存为 GeoPackage", known))
    home = os.path.realpath(path.parent if folder is None else folder)
    _inside(path, home)
    if path.is_file():
        if path.stat().st_size > _MOST_BYTES:
            raise _refused(path, say("太大"), say("只导出要用的范围"))
        stem = f"{path.stem.lower()}."
        with os.scandir(path.parent) as around:  # what lies beside it is read with it
            for entry in around:
                if entry.name.lower().startswith(stem) and entry.is_symlink():
                    _inside(Path(entry.path), home)
    _CHECKS[suffix](path)
    place = os.path.abspath(path)
    if suffix in (".geojson", ".json"):
        return f"GeoJSON:{place}"
    if vsi_path(place) != place:  # some signs in a path mean another file, or one in an archive
        raise _refused(path, say("的路径里有 !、; 这样的符号，或文件夹名像压缩包"), say("改名后重试"))
    return place


def _refused(path: Path, what: str, remedy: str) -> SourceError:
    return refused(what, remedy, file=path.name)


# --- by kind ---------------------------------------------------------------------------------------------------------


def _check_geojson(path: Path) -> None:
    """A feature collection, feature or geometry, which names its CRS rather than an address to fetch it from."""
    raw = read_whole(path)
    if raw.count(b"[") + raw.count(b"{") > _MOST_BRACKETS:
        raise _refused(path, say("里面的要素太多"), say("存成 GeoPackage"))
    try:
        found = json.loads(raw.decode("utf-8-sig"), object_pairs_hook=_object)
    except UnicodeDecodeError as error:
        raise _refused(path, say("编码不是 UTF-8"), say("在 QGIS 里打开，重新导出为 GeoJSON")) from error
    except _ReachingOut as error:
        raise _refused(
            path, say("里面的坐标系写成网址或写了两次"), say("在 QGIS 里打开，重新导出为 GeoJSON")
        ) from error
    except (ValueError, RecursionError) as error:
        raise _refused(path, say("不是完整的 GeoJSON"), say("在 QGIS 里打开，重新导出为 GeoJSON")) from error
    kind = found.get("type") if isinstance(found, dict) else None
    if kind not in _GEOJSON:
        raise _refused(path, say("不是 GeoJSON"), say("检查扩展名；在 QGIS 里打开，重新导出为 GeoJSON"))


_SHAPES = ("Point", "LineString", "Polygon")
_GEOJSON = ("FeatureCollection", "Feature", "GeometryCollection", *_SHAPES, *(f"Multi{kind}" for kind in _SHAPES))


class _ReachingOut(ValueError):
    """A JSON object by which a reader would fetch something."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs) and sum(key in ("type", "crs", "features") for key, _ in pairs) > sum(
        key in found for key in ("type", "crs", "features")
    ):
        raise _ReachingOut
    crs = found.get("crs")
    if isinstance(crs, dict) and str(crs.get("type")).lower() in ("link", "url"):
        raise _ReachingOut
    return found


def _check_geopackage(path: Path) -> None:
    """A GeoPackage of tables: no views, no functions that reach out, no table that is somewhere else."""
    _check_start(path, b"SQLite format 3\0", say("不是 GeoPackage"))
    with opened(path) as stream:
        if stream.read(72)[68:] not in _GPKG:
            raise _refused(path, say("不是 GeoPackage"), say("检查扩展名；在 QGIS 里重新导出"))
    if _size(path, "-journal"):
        raise _refused(path, say("有没写完的改动（旁边的 -journal 文件）"), say("在 QGIS 里打开一次再关上"))
    still = "" if _size(path, "-wal") else "&immutable=1"
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro{still}", uri=True)) as file:
            rows = file.execute("SELECT type, name, sql FROM sqlite_master LIMIT ?", [_MOST_OBJECTS]).fetchall()
    except sqlite3.Error as error:
        raise _refused(path, say("读不出来，可能不完整"), say("在 QGIS 里打开看看，重新拷贝或重新导出")) from error
    names = {str(name).lower() for kind, name, _ in rows if kind == "table"}
    if not {"gpkg_contents", "gpkg_spatial_ref_sys"} <= names:
        raise _refused(path, say("不是 GeoPackage"), say("检查扩展名；在 QGIS 里重新导出"))
    said = [(str(kind), str(sql or "")) for kind, _, sql in rows]
    if any(kind == "view" or _REACHING.search(sql) or _VIRTUAL.search(sql) for kind, sql in said):
        raise _refused(
            path, say("里面有视图、虚拟表或会去读别处的函数"), say("在 QGIS 里只把要用的图层另存为新的 GeoPackage")
        )


def _size(path: Path, ending: str) -> int:
    beside = path.with_name(path.name + ending)
    return beside.stat().st_size if beside.is_file() else 0


def _check_shapefile(path: Path) -> None:
    _check_start(path, b"\x00\x00\x27\x0a", say("不是 shapefile"))
    for beside in path.parent.iterdir():
        if beside.stem == path.stem and beside.suffix.lower() in (".shx", ".dbf", ".prj", ".cpg", ".qpj"):
            ordinary(beside)
            if beside.suffix.lower() in (".prj", ".cpg", ".qpj") and beside.stat().st_size > _MOST_SAID:
                raise _refused(beside, say("不像坐标系或编码的说明"), say("在 QGIS 里重新导出"))


def _check_geodatabase(path: Path) -> None:
    """A folder of nothing but the tables of a geodatabase: other drivers look for their own files in a folder."""
    home = os.path.realpath(path)
    for part in path.iterdir():
        ordinary(part)
        _inside(part, home)
        if not _OF_GEODATABASE.fullmatch(part.name):
            raise _refused(
                path, say("里面有不属于文件地理数据库的 {0}", part.name[:60]), say("重新拷贝整个 .gdb 文件夹")
            )


_OF_GEODATABASE = re.compile(
    r"a[0-9a-f]{8}\.\w+|gdb|timestamps|[^/\\]*\.lock|\.?ds_store|thumbs\.db|desktop\.ini", re.IGNORECASE
)


def _check_start(path: Path, start: bytes, what: str) -> None:
    with opened(path) as stream:
        if stream.read(len(start)) != start:
            raise _refused(path, what, say("检查扩展名；在 QGIS 里重新导出"))


#: What is looked at before GDAL is; a file that ends otherwise is not read.
_CHECKS: dict[str, Callable[[Path], None]] = {
    ".geojson": _check_geojson,
    ".json": _check_geojson,
    ".gpkg": _check_geopackage,
    ".fgb": lambda path: _check_start(path, b"fgb\x03fgb", say("不是 FlatGeobuf")),
    ".shp": _check_shapefile,
    ".gdb": _check_geodatabase,
}
