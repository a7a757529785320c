"""
GeoParquet.

The reader is compiled and trusts its input: a damaged file can end the process it runs in. So it is called where strangers'
files are read (`core.apart`), and whatever becomes of it, the caller has a message.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyproj
import shapely

from ..core import crs_of, say
from .incoming import Incoming, cannot_take

if TYPE_CHECKING:
    from fastparquet import ParquetFile

#: Rows, columns and bytes as for every other file.
_MOST_ROWS, _MOST_COLUMNS, _MOST_BYTES = 200_000, 512, 300_000_000
_REMEDY = "在 QGIS 里打开，“导出”、“要素另存为”，格式选 GeoPackage"


def read_parquet(path: Path) -> Incoming:
    """Read a GeoParquet file whose shapes are written as WKB."""
    with path.open("rb") as stream:
        if stream.read(4) != b"PAR1":
            raise cannot_take(path.name, say("不是 Parquet"), say("检查扩展名；{0}", say(_REMEDY)))
    try:
        found = _found(str(path))
    except Exception as error:  # whatever a damaged file makes of the reader
        raise cannot_take(path.name, say("读不出来，可能不完整"), say(_REMEDY)) from error
    if "wrong" in found:
        raise cannot_take(path.name, found["wrong"], say(_REMEDY))
    try:
        shapes = shapely.from_wkb(found["shapes"])
        crs = None if found["crs"] is None else crs_of(found["crs"])
    except (ValueError, TypeError, shapely.errors.GEOSException, pyproj.exceptions.CRSError) as error:
        raise cannot_take(path.name, say("图形或坐标系读不懂"), say(_REMEDY)) from error
    rows = found["rows"]
    return Incoming(
        path.name, found["heads"], rows, list(range(1, len(rows) + 1)), np.asarray(shapes, dtype=object), crs
    )


def _found(path: str) -> dict[str, Any]:
    """Return heads, rows, shapes (WKB in hexadecimal) and CRS of a file, or what is wrong with it."""
    try:
        from fastparquet import ParquetFile
    except ImportError:
        return {"wrong": say("没有装能读它的程序包（fastparquet）")}
    with ExitStack() as opened:  # its own files stay open
        return _content(ParquetFile(path, open_with=lambda name, mode="rb": opened.enter_context(open(name, mode))))


def _content(file: ParquetFile) -> dict[str, Any]:
    said = json.loads(file.key_value_metadata.get("geo") or "null")
    if not isinstance(said, dict):
        return {"wrong": say("没有图形（不是 GeoParquet）")}
    name = str(said["primary_column"])
    own = said["columns"][name]
    if str(own.get("encoding", "")).upper() != "WKB":
        return {"wrong": say("图形不是按 WKB 写的")}
    chunks = [c.meta_data for group in file.row_groups for c in group.columns]
    if file.count() > _MOST_ROWS or len(file.columns) > _MOST_COLUMNS:
        return {
            "wrong": say(
                "有 {0:,} 行、{1} 列，最多 {2:,} 行、{3} 列", file.count(), len(file.columns), _MOST_ROWS, _MOST_COLUMNS
            )
        }
    if sum(c.total_uncompressed_size for c in chunks) > _MOST_BYTES:
        return {"wrong": say("解压后超出合理大小")}
    frame = file.to_pandas(index=False)
    frame = frame.astype("object").where(frame.notna(), None)
    shapes = [None if s is None else bytes(s) for s in frame.pop(name)]
    return {
        "heads": [str(c) for c in frame.columns],
        "rows": [[_cell(v) for v in row] for row in frame.to_numpy().tolist()],
        "shapes": shapes,
        "crs": own.get("crs", "OGC:CRS84"),
    }


def _cell(value: object) -> bool | float | str | None:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
