"""Every kind of file that can be added: who reads it, what to do about those nobody can read, and the bounds of all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ..core import (
    LAYERS,
    Layer,
    SourceError,
    XinheError,
    amount,
    apart,
    layer_name,
    ordinary,
    os_words,
    say,
    secret_words,
)
from .cells import printable
from .dxf import read_dxf
from .gis_files import (
    is_collection,
    read_flatgeobuf,
    read_geodatabase,
    read_geojson,
    read_geopackage,
    read_gpx,
    read_kml,
    read_kmz,
    read_shapefile,
)
from .incoming import MOST_BYTES, MOST_COLUMNS, SPECIAL_GROUPS, Incoming, cannot_take, special_groups
from .parquet import read_parquet
from .row_report import Line, RowReport
from .tables import read_table


@dataclass(frozen=True, slots=True)
class Format:
    """
    One kind of file that can be read.

    Attributes
    ----------
    read
        Given path, layer, sheet and report.
    tables
        Whether layers without shapes can come in it.
    folder
        Whether it is a folder.
    """

    read: Callable[[Path, Layer, str | None, RowReport], Incoming]
    tables: bool = False
    folder: bool = False


_TABLE, _PARQUET = Format(read_table, tables=True), Format(lambda path, *_: read_parquet(path))
#: Every kind by its suffix, as `add` lists them.
FORMATS = {
    ".xlsx": _TABLE,
    ".xls": _TABLE,
    ".csv": _TABLE,
    ".txt": _TABLE,
    ".json": Format(
        lambda path, layer, sheet, report: (
            read_geojson(path) if is_collection(path) else read_table(path, layer, sheet, report)
        ),
        tables=True,
    ),
    ".geojson": Format(lambda path, *_: read_geojson(path)),
    ".gpkg": Format(lambda path, _layer, sheet, _report: read_geopackage(path, sheet)),
    ".fgb": Format(lambda path, *_: read_flatgeobuf(path)),
    ".shp": Format(lambda path, *_: read_shapefile(path)),
    ".kml": Format(lambda path, _layer, sheet, _report: read_kml(path, sheet)),
    ".kmz": Format(lambda path, _layer, sheet, _report: read_kmz(path, sheet)),
    ".gpx": Format(lambda path, *_: read_gpx(path)),
    ".parquet": _PARQUET,
    ".geoparquet": _PARQUET,
    ".gdb": Format(lambda path, _layer, sheet, _report: read_geodatabase(path, sheet), folder=True),
    ".dxf": Format(read_dxf),
}
#: What to do about a file that nobody can read.
_REMEDIES = {
    ".dwg": "DWG 是 CAD 的内部格式：在 CAD 里“另存为”，类型选 DXF（2013 或 2007），再导入 .dxf",
    ".dgn": "在 CAD 里另存为 DXF（2013 或 2007），再导入 .dxf",
    ".zip": "先解压，再导入里面的文件",
    ".rar": "先解压，再导入里面的文件",
    ".7z": "先解压，再导入里面的文件",
    ".et": "在 WPS 里另存为 .xlsx",
    ".ods": "另存为 .xlsx",
    ".xlsm": "另存为不带宏的 .xlsx",
    ".xlsb": "另存为 .xlsx",
    ".doc": "把表格复制到 Excel，存为 .xlsx",
    ".docx": "把表格复制到 Excel，存为 .xlsx",
    ".pdf": "把表格录入 Excel（template 生成模板）",
    ".tab": "在 QGIS 里导出为 GeoPackage",
    ".mdb": "在 GIS 里导出为 GeoPackage",
}


def read_file(path: Path, layer: Layer, sheet: str | None, report: RowReport) -> Incoming:
    """Read a file of any kind that is known, within bounds, in the process that reads files of strangers."""
    found, lines = apart(_read_apart, path, layer.name, sheet)
    report.lines += [Line(*line) for line in lines]
    return Incoming(*found)


def _read_apart(path: Path, layer: str, sheet: str | None) -> tuple[tuple[Any, ...], list[tuple[Any, ...]]]:
    """Return what was read, and the lines of its report, as plain values."""
    report = RowReport()
    found = _read(path, LAYERS[layer], sheet, report)
    if mark := secret_words(path.stem):
        found.marks = (mark.text, *found.marks)
    parts = tuple(getattr(found, field.name) for field in fields(found))
    return parts, [tuple(line) for line in report.lines]


def _read(path: Path, layer: Layer, sheet: str | None, report: RowReport) -> Incoming:
    suffix = path.suffix.lower()
    if not path.exists():
        raise SourceError(say("文件不存在：{0}", printable(path.name)))
    if SPECIAL_GROUPS.search(path.stem):
        raise special_groups(path.name, path.stem)
    kind = FORMATS.get(suffix)
    if kind is None or path.is_dir() != kind.folder:
        raise cannot_take(
            path.name,
            say("不认识的文件类型 {0}", printable(suffix) or say("（没有扩展名）")),
            say(_REMEDIES[suffix]) if suffix in _REMEDIES else say("可用：{0}", say("、").join(FORMATS)),
        )
    if not path.is_dir():
        ordinary(path)
    size = path.stat().st_size
    if size == 0:
        raise cannot_take(path.name, say("文件是空的"), say("重新导出或重新拷贝"))
    if size > MOST_BYTES:
        raise cannot_take(
            path.name,
            say("文件太大（{0} MB）", amount(size / 1e6)),
            say("分成不超过 {0} MB 的几份", amount(MOST_BYTES / 1e6)),
        )
    if layer.geometry is None and not kind.tables:
        raise cannot_take(path.name, say("{0}是表格，没有图形", layer_name(layer.name)), say("用 .xlsx 或 .csv"))
    try:
        found = kind.read(path, layer, sheet, report)
    except OSError as error:
        if isinstance(error, XinheError):
            raise
        raise cannot_take(
            path.name,
            say("读不出来（{0}）", os_words(error) if error.errno else say("文件不完整")),
            say("若正被其他程序打开，请关闭后重试"),
        ) from error
    if len(found.heads) > MOST_COLUMNS:
        raise cannot_take(
            path.name, say("有 {0:,} 列", len(found.heads)), say("最多 {0} 列，删去用不到的列", MOST_COLUMNS)
        )
    if not found.rows:
        raise cannot_take(path.name, say("没有数据行"), say("表头下面每行填一个要素"))
    return found
