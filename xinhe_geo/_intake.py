"""
Planners' own files: a workbook to fill in, and the door by which a filled-in file enters a district folder.

Every row of a file is taken or reported. A file is judged as a whole first (size, what it is, what its coordinates are),
then row by row; what would come out is written into a copy of the folder and judged by the district's own check, and
only then swapped in. The version before is kept in `.history` inside the folder, and `undo` brings it back.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
import shutil
import sys
import tempfile
import tomllib
import unicodedata
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pyogrio
import pyproj
import shapely

from .datum import DATUM_LABELS, DATUMS, datum_name, diagnose, from_wgs84, to_wgs84
from .district import FAR_M, MANIFEST, _read
from .errors import DataError, EnvironmentProblem, Problem, SourceError, UnknownNameError, XinheError, problems_table
from .layers import BASES, BASIS_LABELS, LAYERS, STATE_LABELS, Column, Layer, bundled_folder
from .layers import check as check_rows

REPORT_COLUMNS = ("row", "key", "result", "column", "value", "reason", "remedy")
#: What can become of a row of the file (the first five), of a row already there, of a column.
RESULTS = ("new", "changed", "unchanged", "refused", "skipped", "gone", "dropped", "note")
RESULT_LABELS = {
    "new": "新增", "changed": "修改", "unchanged": "没变", "refused": "没收", "skipped": "跳过", "gone": "文件里没有",
    "dropped": "不收的列", "note": "说明",
}  # fmt: skip
LONLAT = "EPSG:4326"
HISTORY = ".history"

#: A file larger than this, unpacked or not, is not a list somebody typed.
MOST_BYTES, MOST_UNPACKED, MOST_RATIO = 100_000_000, 300_000_000, 200
MOST_ROWS, MOST_COLUMNS, MOST_MEMBERS, MOST_TEXT = 200_000, 512, 5_000, 2_000
#: The header stands among the first rows.
HEADER_WITHIN = 20
#: Positions nearer than this are the same.
SAME_M = 0.01
#: Rows that are there already tell the datum where at least so many of them agree on a shift to within so many metres.
ANCHORS, ANCHOR_NEAR_M, ANCHOR_FAR_M = 5, 20.0, 100.0

Floats = Any
Shapes = Any

# --- words ----------------------------------------------------------------------------------------------------------

_SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "name": ("名称", "名字", "单位名称", "机构名称", "点位名称", "设施名称", "小区名称", "项目名称"),
    "kind": ("类别", "类型", "设施类别", "设施类型", "种类"),
    "state": ("状态", "运营状态", "开放状态"),
    "households": ("户数", "总户数", "居民户数"),
    "people": ("常住人口", "人口", "人口数", "总人口", "常住人口数"),
    "people_60plus": ("60岁及以上", "60岁以上", "60岁及以上人口", "60岁以上人口", "老年人口"),
    "built": ("建成年代", "建成年份", "建成时间", "建造年代"),
    "floor_area_m2": ("建筑面积", "面积"),
    "community": ("社区代码", "社区编码"),
    "year": ("年份", "年度"),
    "value": ("数值", "值"),
    "note": ("备注", "说明"),
}
_COORDINATES: Mapping[str, tuple[str, ...]] = {
    "lon": (
        "经度",
        "东经",
        "lon",
        "lng",
        "long",
        "longitude",
        "经度坐标",
        "坐标经度",
        "百度经度",
        "高德经度",
        "gps经度",
    ),
    "lat": ("纬度", "北纬", "lat", "latitude", "纬度坐标", "坐标纬度", "百度纬度", "高德纬度", "gps纬度"),
    "x": ("x", "x坐标", "坐标x", "横坐标", "东坐标", "东向坐标", "easting"),
    "y": ("y", "y坐标", "坐标y", "纵坐标", "北坐标", "北向坐标", "northing"),
    "both": ("坐标", "经纬度", "location", "lnglat", "坐标经纬度"),
}
_PRIVATE = re.compile(
    "身份证|证件号|公民身份|电话|手机|联系方式|联系人|姓名|户主|负责人|法人|户号|户籍号|银行卡|微信|电子邮箱|"
    r"^(tel|phone|mobile|telephone|id_?card|idno|e?mail)$"
)
_PRIVATE_VALUE = re.compile(r"(?<!\d)(\d{17}[\dXx]|1[3-9]\d{9})(?!\d)")
#: Lists of people that have no place on a map of services.
_NEVER = re.compile("信访|吸毒|戒毒人员|刑释|刑满释放|社区矫正|精神障碍|精神病患|涉稳|上访")
_TOTAL = re.compile("^(合计|总计|小计|共计|总和|累计|汇总|total|sum)[:：]?$", re.IGNORECASE)
_REMARK = re.compile("^(注|备注|说明|填报|填表|制表|审核|单位负责|数据来源|联系)")
_EXAMPLE = "示例"
_MARKUP = re.compile(r"<\s*[/!a-zA-Z]")
_ANGLE = re.compile(
    r"^[东西南北经纬EWNS]*\s*(-?\d+(?:\.\d+)?)\s*[°度d]\s*(?:(\d+(?:\.\d+)?)\s*['′’分m])?\s*"
    r"(?:(\d+(?:\.\d+)?)\s*(?:[\"″”秒s]|''|′′|’’)?)?\s*([EWNS东西南北]?)$",
    re.IGNORECASE,
)
_WIDE = {code: code - 0xFEE0 for code in (*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B))}


def _plain(text: object) -> str:
    """Return a header without brackets, units, blanks and stars, in small letters."""
    said = unicodedata.normalize("NFKC", str(text))
    said = re.sub(r"[(\[【{].*?[)\]】}]", "", said)
    return re.sub(r"[\s*:：_]", "", said).lower()


def _words(layer: Layer) -> dict[str, str]:
    """Return every header that is understood, as `_plain` spells it, and the column it means."""
    found: dict[str, str] = {}
    for column in layer.names.values():
        own = (column.name, column.label, *_SYNONYMS.get(column.name, ()))
        if column.name == layer.key:
            own += ("编号", "id", "编码", f"{layer.label}编号", f"{layer.label}代码")
        if column.name == "name":
            own += (f"{layer.label}名称", layer.label)
        for word in own:
            found.setdefault(_plain(word), column.name)
    if layer.geometry is not None:
        for name, words in _COORDINATES.items():
            for word in words:
                found.setdefault(_plain(word), f"@{name}")
    return found


# --- the report -----------------------------------------------------------------------------------------------------


@dataclass
class _Report:
    """Rows of the report as they come up."""

    lines: list[tuple[Any, ...]] = field(default_factory=list)

    def say(self, result: str, reason: str, remedy: str = "", *, row: int | None = None, key: str = "",
            column: str = "", value: object = "") -> None:  # fmt: skip
        self.lines.append((row, key, result, column, _shown(value), reason, remedy))

    def frame(self) -> pd.DataFrame:
        frame = pd.DataFrame(self.lines, columns=list(REPORT_COLUMNS), dtype="object")
        frame["row"] = frame["row"].astype("Int64")
        return frame


def _shown(value: object) -> str:
    """Return a cell as the report may print it: short, without control characters, without anybody's number."""
    text = "" if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)) else str(value)
    text = "".join(c if c.isprintable() else "?" for c in text)
    text = _PRIVATE_VALUE.sub("（已略去）", text)
    return text if len(text) <= 60 else text[:57] + "…"


def tally(report: pd.DataFrame) -> dict[str, int]:
    """
    Return how many rows of the file came in and what became of them.

    Keys `rows`, `taken`, `reported`, then one for each of `RESULTS` (`gone`: rows of the folder, `dropped` and `note`:
    lines). `rows` = `taken` + `reported`; a row counts once however many lines speak of it.
    """
    first = report[report["row"].notna() & report["result"].isin(RESULTS[:5])].drop_duplicates("row")
    counts = {name: int((first["result"] == name).sum()) for name in RESULTS[:5]}
    counts |= {name: int((report["result"] == name).sum()) for name in RESULTS[5:]}
    taken = counts["new"] + counts["changed"] + counts["unchanged"]
    reported = counts["refused"] + counts["skipped"]
    return {"rows": len(first), "taken": taken, "reported": reported, **counts}


# --- the template ---------------------------------------------------------------------------------------------------


def _typed_layers() -> list[Layer]:
    """Return the layers somebody can type: of points, and tables that have no bundled default."""
    return [
        layer
        for layer in LAYERS.values()
        if ("Point" in layer.geometry if layer.geometry is not None else not layer.default)
    ]


def _kinds(folder: Path | None) -> dict[str, str]:
    """Return kind and Chinese label from a folder's own table of kinds, else from the bundled one."""
    own = None if folder is None else folder / LAYERS["kinds"].folder / "kinds.csv"
    path = own if own is not None and own.is_file() else bundled_folder() / LAYERS["kinds"].folder / "kinds.csv"
    table = pd.read_csv(path, dtype="str", encoding="utf-8-sig")
    return dict(zip(table["kind"], table["label"], strict=True))


def _choices(column: Column, kinds: Mapping[str, str]) -> list[str]:
    """Return what a column's drop-down offers, in the planner's words; empty where anything may be typed."""
    if column.parent == ("kinds", "kind"):
        return list(kinds.values())
    if column.type == "bool":
        return ["是", "否"]
    return [_value_labels(column).get(v, v) for v in column.values]


def _value_labels(column: Column) -> Mapping[str, str]:
    labels = {**STATE_LABELS, **BASIS_LABELS}
    return {v: labels[v] for v in column.values if v in labels}


def _example(column: Column, choices: Sequence[str]) -> object:
    if choices:
        return choices[0]
    if column.type in ("int", "float"):
        return 100
    return 2020 if column.type == "year" else f"{_EXAMPLE}{column.label}"


def _heads(layer: Layer) -> list[tuple[str, Column | None, str]]:
    """Return (header, column, help) of a template's sheet; positions have no column of their own."""
    heads: list[tuple[str, Column | None, str]] = []
    for column in layer.columns:
        heads.append((_head(column), column, column.help))
    if layer.geometry is not None:
        heads += [
            ("经度（度）", None, "十进制度，也可写度分秒"),
            ("纬度（度）", None, "十进制度，也可写度分秒"),
        ]
        heads += [(_head(c), c, c.help) for c in layer.names.values() if c not in layer.columns]
    return heads


def _head(column: Column) -> str:
    return f"{column.label}（{column.unit}）" if column.unit else column.label


def template(path: str | Path, folder: str | Path | None = None) -> Path:
    """
    Write a workbook to fill in: a sheet for each layer that can be typed, generated from the declarations.

    Parameters
    ----------
    path
        The .xlsx to write; an earlier one is replaced.
    folder
        A district folder whose kinds of facility the drop-downs offer; the bundled kinds by default.

    Returns
    -------
    path

    Raises
    ------
    SourceError
        Not an .xlsx name.
    EnvironmentProblem
        The file cannot be written.
    """
    target = Path(path)
    if target.suffix.lower() != ".xlsx":
        raise SourceError(f"{target.name}：模板是 Excel 工作簿，文件名要以 .xlsx 结尾")
    _write_whole(target, _template_bytes(_kinds(None if folder is None else Path(folder))))
    return target


def _template_bytes(kinds: Mapping[str, str]) -> bytes:
    import xlsxwriter

    stream = io.BytesIO()
    book = xlsxwriter.Workbook(
        stream, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    )
    # A fixed creation time: the same declarations must give the same bytes.
    book.set_properties({"title": "填报模板", "created": datetime(2020, 1, 1, tzinfo=UTC)})
    styles = {
        "title": book.add_format({"bold": True, "font_size": 13}),
        "must": book.add_format({"bold": True, "bg_color": "#FFE699", "border": 1, "text_wrap": True}),
        "head": book.add_format({"bold": True, "bg_color": "#DDEBF7", "border": 1, "text_wrap": True}),
        "example": book.add_format({"italic": True, "font_color": "#7F7F7F"}),
        "wrap": book.add_format({"text_wrap": True, "valign": "top"}),
    }
    layers = _typed_layers()
    _template_guide(book.add_worksheet("说明"), layers, styles)
    sheets = [(layer, book.add_worksheet(layer.label)) for layer in layers]
    options = book.add_worksheet("选项")
    options.hide()
    lists: dict[tuple[str, ...], str] = {}
    for layer, sheet in sheets:
        _template_sheet(sheet, layer, kinds, styles, options, lists)
    book.close()
    return stream.getvalue()


def _template_guide(sheet: Any, layers: Sequence[Layer], styles: Mapping[str, Any]) -> None:
    lines = [
        "一张工作表填一个图层；用不到的表空着。第 2 行是表头，不要改；第 3 行是示例，导入时自动跳过。",
        "黄色表头必须填；不知道的数字留空，不要写 0。有下拉框的格子请选，不要自己写。",
        "经度、纬度写十进制度（如 117.65）或度分秒；导入时必须说明坐标基准："
        + "；".join(f"{name}＝{DATUM_LABELS[name]}" for name in DATUMS)
        + "，或投影坐标系的 EPSG 代码。",
        "编号在同一图层里不能重复；再次导入时按编号认出同一个要素，留空的格子不改动已有的值。",
        "不要写姓名、电话、身份证号、户号：这些列会被丢掉，不写入任何文件。",
    ]
    sheet.set_column(0, 0, 18)
    sheet.set_column(1, 1, 18)
    sheet.set_column(2, 5, 26)
    sheet.write(0, 0, "填报说明", styles["title"])
    for i, line in enumerate(lines, 1):
        sheet.merge_range(i, 0, i, 5, line, styles["wrap"])
        sheet.set_row(i, 34)
    at = len(lines) + 2
    for j, text in enumerate(("工作表", "表头", "单位", "必填", "可选值或要求", "列名（add 命令用）")):
        sheet.write(at, j, text, styles["head"])
    for layer in layers:
        for head, column, help_ in _heads(layer):
            at += 1
            cells = (layer.label, head, "", "是", help_, "") if column is None else (
                layer.label, head, column.unit, "是" if column.required else "",
                help_ or "、".join(_value_labels(column).values()), f"{layer.name}.{column.name}",
            )  # fmt: skip
            for j, text in enumerate(cells):
                sheet.write(at, j, text, styles["wrap"])


def _template_sheet(
    sheet: Any,
    layer: Layer,
    kinds: Mapping[str, str],
    styles: Mapping[str, Any],
    options: Any,
    lists: dict[tuple[str, ...], str],
) -> None:
    sheet.write(0, 0, f"{layer.label}：一行一个，第 3 行是示例（自动跳过）", styles["title"])
    sheet.freeze_panes(2, 1)
    for j, (head, column, help_) in enumerate(_heads(layer)):
        must = column is None or column.required
        sheet.write(1, j, head, styles["must" if must else "head"])
        sheet.set_column(j, j, max(12, 2 * len(head) + 2))
        if help_:
            sheet.write_comment(1, j, help_)
        choices = [] if column is None else _choices(column, kinds)
        value = {"经度（度）": 117.65, "纬度（度）": 39.05}[head] if column is None else _example(column, choices)
        sheet.write(2, j, f"{_EXAMPLE}（可删）" if j == 0 else value, styles["example"])
        if choices:
            # A list typed into the rule may hold 255 characters: long ones stand on a sheet of their own.
            wanted = tuple(choices)
            if wanted not in lists:
                at = len(lists)
                for i, choice in enumerate(wanted):
                    options.write(i, at, choice)
                letter = _letters(at)
                lists[wanted] = f"=选项!${letter}$1:${letter}${len(wanted)}"
            sheet.data_validation(
                2, j, 2000, j,
                {"validate": "list", "source": lists[wanted], "error_title": "请从下拉框选", "error_type": "warning"},
            )  # fmt: skip


def _letters(column: int) -> str:
    text = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        text = chr(65 + rest) + text
    return text


# --- reading a file -------------------------------------------------------------------------------------------------


@dataclass
class _Incoming:
    """A file as read: headers, cells, the line each row stands on; shapes where the file has geometry of its own."""

    file: str
    heads: list[str]
    rows: list[list[Any]]
    lines: list[int]
    shapes: Shapes | None = None
    crs: pyproj.CRS | None = None
    short: str = ""  # the encoding headers were cut off in after ten bytes (shapefile)


def _bad(file: str, what: str, remedy: str) -> SourceError:
    return SourceError(f"{file}：{what}。{remedy}")


def _open(path: Path, layer: Layer, sheet: str | None, report: _Report) -> _Incoming:
    """Read a file of any kind that is known, within bounds."""
    readers: dict[str, Callable[[], _Incoming]] = {
        ".xlsx": lambda: _read_workbook(path, layer, sheet, report),
        ".csv": lambda: _read_text_table(path, layer, report),
        ".geojson": lambda: _read_geojson(path),
        ".json": lambda: _read_geojson(path),
        ".gpkg": lambda: _read_geopackage(path, sheet),
        ".shp": lambda: _read_shapefile(path),
    }
    if not path.is_file():
        raise SourceError(f"文件不存在：{path.name}")
    suffix = path.suffix.lower()
    if suffix not in readers:
        remedies = {
            ".xls": "在 Excel 里另存为 .xlsx",
            ".dwg": "在 CAD 里另存为 DXF，再在 QGIS 里转成 GeoPackage",
            ".zip": "先解压，再导入里面的文件",
        }
        raise _bad(path.name, f"不认识的文件类型 {suffix or '（没有扩展名）'}",
                   remedies.get(suffix, f"可用：{'、'.join(readers)}"))  # fmt: skip
    size = path.stat().st_size
    if size == 0:
        raise _bad(path.name, "文件是空的", "重新导出或重新拷贝")
    if size > MOST_BYTES:
        raise _bad(path.name, f"文件太大（{size / 1e6:,.0f} MB）", f"分成不超过 {MOST_BYTES / 1e6:,.0f} MB 的几份")
    if _NEVER.search(path.stem):
        raise _never(path.name, path.stem)
    if layer.geometry is None and suffix not in (".xlsx", ".csv"):
        raise _bad(path.name, f"{layer.label}是表格，没有图形", "用 .xlsx 或 .csv")
    try:
        found = readers[suffix]()
    except OSError as error:
        raise _bad(
            path.name, f"读不出来（{error.strerror or '文件不完整'}）", "若正被其他程序打开，请关闭后重试"
        ) from error
    if len(found.heads) > MOST_COLUMNS:
        raise _bad(path.name, f"有 {len(found.heads):,} 列", f"最多 {MOST_COLUMNS} 列，删去用不到的列")
    if not found.rows:
        raise _bad(path.name, "没有数据行", "表头下面每行填一个要素")
    return found


def _never(file: str, word: str) -> SourceError:
    return _bad(file, f"“{_shown(word)}”是特殊人群的名单，不能进入公共服务地图", "这类数据不收，也不要放进街道目录")


# ---- tables


def _read_workbook(path: Path, layer: Layer, sheet: str | None, report: _Report) -> _Incoming:
    _check_package(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # styles and extensions it does not know say nothing about the cells
        try:
            grids = _grids(path, sheet, formulas=False)
        except SourceError:
            raise
        except Exception as error:  # the reader raises whatever broken parts make it stumble over
            raise _bad(
                path.name, f"工作簿读不出来（{str(error)[:80]}）", "在 Excel 里打开，另存为新的 .xlsx"
            ) from error
        name = _sheet_wanted(path, layer, sheet, grids, report)
        incoming = _table(path.name, grids[name], layer, report)
        if _has_formulas(path):
            _refuse_uncomputed(incoming, _grids(path, name, formulas=True)[name])
    return incoming


def _check_package(path: Path) -> None:
    """Refuse what is no workbook, unpacks to too much, or defines entities."""
    with path.open("rb") as stream:
        head = stream.read(8)
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        raise _bad(path.name, "是加密的或旧格式（.xls）的工作簿", "在 Excel 里去掉密码，另存为 .xlsx")
    try:
        with zipfile.ZipFile(path) as package:
            members = package.infolist()
            unpacked = sum(m.file_size for m in members)
            packed = max(sum(m.compress_size for m in members), 1)
            if len(members) > MOST_MEMBERS or unpacked > MOST_UNPACKED or (
                unpacked > 20_000_000 and unpacked / packed > MOST_RATIO
            ):  # fmt: skip
                raise _bad(path.name, f"解压后有 {unpacked / 1e6:,.0f} MB，超出合理大小",
                           "另存为只含这张表的新工作簿")  # fmt: skip
            if "[Content_Types].xml" not in package.namelist():
                raise _bad(path.name, "不是 Excel 工作簿", "检查扩展名；在 Excel 里另存为 .xlsx")
            for member in members:
                if member.filename.endswith((".xml", ".rels")):
                    with package.open(member) as stream:
                        start = stream.read(4096)
                    if b"<!DOCTYPE" in start or b"<!ENTITY" in start:
                        raise _bad(path.name, "工作簿里有实体定义，不是 Excel 写的", "在 Excel 里另存为新的 .xlsx")
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zipfile.zlib.error) as error:  # type: ignore[attr-defined]
        raise _bad(path.name, "不是完整的 .xlsx 工作簿", "检查扩展名，或重新拷贝；在 Excel 里另存为 .xlsx") from error


def _has_formulas(path: Path) -> bool:
    with zipfile.ZipFile(path) as package:
        sheets = [n for n in package.namelist() if n.startswith("xl/worksheets/") and n.endswith(".xml")]
        return any(re.search(rb"<f[\s>/]", package.read(name)) for name in sheets)


def _grids(path: Path, sheet: str | None, *, formulas: bool) -> dict[str, list[tuple[int, list[Any]]]]:
    """Return the filled rows (number, cells) of each worksheet, or of the one that is asked for."""
    # A stream of our own: with a path, the reader leaves the file open when it stumbles.
    book = openpyxl.load_workbook(
        io.BytesIO(path.read_bytes()), read_only=True, data_only=not formulas, keep_links=False
    )
    known = [s.title for s in book.worksheets]
    if sheet is not None and sheet not in known:
        raise _bad(path.name, f"没有工作表“{_shown(sheet)}”", f"可选：{'、'.join(known)}")
    grids: dict[str, list[tuple[int, list[Any]]]] = {}
    for one in book.worksheets:
        if sheet not in (None, one.title):
            continue
        one.reset_dimensions()
        rows: list[tuple[int, list[Any]]] = []
        for number, cells in enumerate(one.iter_rows(values_only=True), 1):
            trimmed = _trimmed(cells)
            if len(trimmed) > MOST_COLUMNS:
                raise _bad(path.name, f"工作表“{one.title}”第 {number} 行有 {len(trimmed):,} 列",
                           f"最多 {MOST_COLUMNS} 列，删去用不到的列")  # fmt: skip
            if trimmed:
                rows.append((number, trimmed))
            if len(rows) > MOST_ROWS:
                raise _bad(path.name, f"工作表“{one.title}”超过 {MOST_ROWS:,} 行", "分成几份导入")
        grids[one.title] = rows
    book.close()
    return grids


def _trimmed(cells: Sequence[Any]) -> list[Any]:
    last = len(cells)
    while last and _blank(cells[last - 1]):
        last -= 1
    return list(cells[:last])


def _blank(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _sheet_wanted(path: Path, layer: Layer, sheet: str | None, grids: Mapping[str, Any], report: _Report) -> str:
    """Return the worksheet to read: the one asked for, the layer's own, else the one whose header is understood best."""
    if sheet is not None:
        return sheet
    for name in (layer.label, layer.name):
        if name in grids:
            return name
    filled = [name for name, rows in grids.items() if rows]
    if not filled:
        raise _bad(path.name, "工作簿里没有数据", "检查是否存对了文件")
    words = _words(layer)
    best = max(filled, key=lambda name: _find_header(grids[name], words)[1])
    if len(filled) > 1:
        others = "、".join(n for n in filled if n != best)
        report.say("note", f"读的是工作表“{best}”，没有读：{others}", "要读另一张，用 sheet（--sheet）说明")
    return best


def _find_header(rows: Sequence[tuple[int, list[Any]]], words: Mapping[str, str]) -> tuple[int, int]:
    """Return which of the first rows is the header, and how many of its cells are understood."""
    scores = [
        len({words[_plain(c)] for c in cells if not _blank(c) and _plain(c) in words})
        for _, cells in rows[:HEADER_WITHIN]
    ]
    best = int(np.argmax(scores)) if scores else 0
    return best, (scores[best] if scores else 0)


def _refuse_uncomputed(incoming: _Incoming, formulas: Sequence[tuple[int, list[Any]]]) -> None:
    """Put a formula that was never computed back into its cell, where the check of cells refuses it."""
    written = dict(formulas)
    for cells, line in zip(incoming.rows, incoming.lines, strict=True):
        for j, formula in enumerate(written.get(line, ())):
            if isinstance(formula, str) and formula.startswith("=") and j < len(cells) and cells[j] is None:
                cells[j] = formula


def _read_text_table(path: Path, layer: Layer, report: _Report) -> _Incoming:
    raw = path.read_bytes()
    for encoding in ("utf-16",) if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "gb18030"):
        try:
            text = raw.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise _bad(path.name, "编码既不是 UTF-8 也不是 GB18030", "在 Excel 里另存为“CSV UTF-8”")
    if "\0" in text:
        raise _bad(path.name, "不是文本表格", "检查扩展名；在 Excel 里另存为“CSV UTF-8”")
    head = text[:20_000]
    separator = max(",;\t", key=head.count)
    rows: list[tuple[int, list[Any]]] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        for cells in reader:
            trimmed = _trimmed(cells)
            if len(trimmed) > MOST_COLUMNS:
                raise _bad(path.name, f"第 {reader.line_num} 行有 {len(trimmed):,} 列", f"最多 {MOST_COLUMNS} 列")
            if trimmed:
                rows.append((reader.line_num, trimmed))
            if len(rows) > MOST_ROWS:
                raise _bad(path.name, f"超过 {MOST_ROWS:,} 行", "分成几份导入")
    except csv.Error as error:
        raise _bad(path.name, f"第 {reader.line_num} 行读不懂（{error}）", "在 Excel 里另存为“CSV UTF-8”") from error
    return _table(path.name, rows, layer, report)


def _table(file: str, rows: Sequence[tuple[int, list[Any]]], layer: Layer, report: _Report) -> _Incoming:
    """Find the header, and leave out (reported) rows of totals, remarks, examples and repeated headers."""
    words = _words(layer)
    at, score = _find_header(rows, words)
    if score == 0:
        wanted = "、".join(_head(c) for c in layer.columns if c.required) or "名称"
        raise _bad(file, f"前 {HEADER_WITHIN} 行里没有认得的表头", f"至少要有：{wanted}；可用 template 生成模板")
    for _, cells in rows[: at + 1]:
        for cell in cells:
            if isinstance(cell, str) and _NEVER.search(cell):
                raise _never(file, cell)
    heads = ["" if _blank(c) else str(c).strip() for c in rows[at][1]]
    for number, cells in rows[:at]:
        report.say("note", f"第 {number} 行在表头以上，当作标题", value=_first(cells))
    incoming = _Incoming(file, heads, [], [])
    for number, cells in rows[at + 1 :]:
        reason = _not_data(cells, heads)
        if reason:
            report.say("skipped", reason, row=number, value=_first(cells))
            continue
        if len(cells) > len(heads):
            report.say("refused", f"有 {len(cells)} 格，表头只有 {len(heads)} 列",
                       "检查这一行是否多了逗号，或给多出的列写表头", row=number)  # fmt: skip
            continue
        incoming.rows.append([*cells, *[None] * (len(heads) - len(cells))])
        incoming.lines.append(number)
    return incoming


def _first(cells: Sequence[Any]) -> str:
    """Return the first filled cell for the report, unless it speaks of a person."""
    said = next(str(c) for c in cells if not _blank(c))
    return "（已略去）" if _PRIVATE.search(said) else said


def _not_data(cells: Sequence[Any], heads: Sequence[str]) -> str:
    filled = [str(c).strip() for c in cells if not _blank(c)]
    if any(_TOTAL.match(re.sub(r"\s", "", text)) for text in filled[:3]):
        return "合计行，不是一个要素"
    if filled[0].startswith(_EXAMPLE):
        return "模板的示例行"
    if len(filled) == 1 and _REMARK.match(filled[0]):
        return "表尾的说明，不是一个要素"
    if len(filled) > 1 and filled == [h for h in heads if h]:
        return "重复的表头"
    return ""


# ---- files with geometry


def _read_geojson(path: Path) -> _Incoming:
    try:
        found = json.loads(path.read_bytes().decode("utf-8-sig"))
        features = found["features"]
        if found.get("type") != "FeatureCollection" or not isinstance(features, list):
            raise TypeError
        properties = [dict(f.get("properties") or {}) for f in features]
        texts = [json.dumps(f["geometry"]) if f.get("geometry") else None for f in features]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _bad(path.name, "不是完整的 GeoJSON（要素集合）", "在 QGIS 里打开，重新导出为 GeoJSON") from error
    if len(features) > MOST_ROWS:
        raise _bad(path.name, f"超过 {MOST_ROWS:,} 个要素", "分成几份导入")
    heads = list(dict.fromkeys(str(k) for p in properties for k in p))
    with np.errstate(invalid="ignore"):
        shapes = shapely.from_geojson(np.array(texts, dtype=object), on_invalid="ignore")
    crs: pyproj.CRS | None = None
    if found.get("crs"):
        try:
            crs = pyproj.CRS.from_user_input(found["crs"]["properties"]["name"])
        except (KeyError, TypeError, pyproj.exceptions.CRSError) as error:
            raise _bad(path.name, "里面写的坐标系读不懂", "在 QGIS 里重新导出为 GeoJSON") from error
    rows = [[p.get(h) for h in heads] for p in properties]
    return _Incoming(path.name, heads, rows, list(range(1, len(rows) + 1)), np.atleast_1d(shapes), crs)


def _read_geopackage(path: Path, layer: str | None) -> _Incoming:
    with path.open("rb") as stream:
        if not stream.read(16).startswith(b"SQLite format 3"):
            raise _bad(path.name, "不是 GeoPackage", "检查扩展名；在 QGIS 里重新导出")
    try:
        names = [str(n) for n, kind in pyogrio.list_layers(path) if kind is not None]
    except Exception as error:
        raise _bad(path.name, "GeoPackage 打不开", "文件可能不完整，重新拷贝或重新导出") from error
    if layer is None and len(names) != 1:
        raise _bad(path.name, f"里面有 {len(names)} 个图层", f"用 sheet（--sheet）说明读哪个：{'、'.join(names)}")
    if layer is not None and layer not in names:
        raise _bad(path.name, f"没有图层“{_shown(layer)}”", f"可选：{'、'.join(names)}")
    return _of_frame(path, _drivers(path, layer=layer or names[0]))


def _read_shapefile(path: Path) -> _Incoming:
    """
    Read a shapefile whatever its encoding says.

    Text is read byte by byte (every byte is a Latin-1 letter) and decoded here: UTF-8 where everything is UTF-8, else
    GB18030, which GBK is part of. A missing or wrong .cpg does no harm that way, nor does a name cut within a letter.
    """
    for part in (".dbf", ".shx"):
        if not any((path.parent / (path.stem + p)).is_file() for p in (part, part.upper())):
            raise _bad(path.name, f"旁边缺少 {path.stem}{part}", "shapefile 的 .shp、.shx、.dbf 要一起拷贝")
    frame = _drivers(path, encoding="ISO-8859-1")
    texts = [c for c in frame.columns if c != frame.geometry.name and not pd.api.types.is_numeric_dtype(frame[c])]
    cells = [v.encode("latin-1", "ignore") for c in texts for v in frame[c] if isinstance(v, str)]
    names = [str(c).encode("latin-1", "ignore") for c in frame.columns]
    encoding = "utf-8" if all(_decodes(v) for v in cells) and all(_decodes(n, cut=True) for n in names) else "gb18030"

    def decoded(value: Any) -> Any:
        return value.encode("latin-1", "ignore").decode(encoding, "ignore") if isinstance(value, str) else value

    for column in texts:
        frame[column] = pd.Series([decoded(v) for v in frame[column]], index=frame.index, dtype="object")
    geometry = frame.geometry.name
    frame.columns = [c if c == geometry else decoded(str(c)) for c in frame.columns]
    found = _of_frame(path, frame)
    found.short = encoding
    return found


def _decodes(raw: bytes, *, cut: bool = False) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        return cut and error.reason == "unexpected end of data"
    return True


def _drivers(path: Path, **how: Any) -> gpd.GeoDataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            info = pyogrio.read_info(path, **how)
            if info["features"] > MOST_ROWS or len(info["fields"]) > MOST_COLUMNS:
                raise _bad(path.name, f"有 {info['features']:,} 个要素、{len(info['fields'])} 列",
                           f"最多 {MOST_ROWS:,} 个要素、{MOST_COLUMNS} 列")  # fmt: skip
            frame = pyogrio.read_dataframe(path, **how)
        except SourceError:
            raise
        except Exception as error:  # drivers raise many types; the message is what matters
            raise _bad(path.name, "读不出来，可能不完整", "在 QGIS 里打开看看，重新拷贝或重新导出") from error
    if not isinstance(frame, gpd.GeoDataFrame):
        raise _bad(path.name, "没有图形", "表格请存为 .xlsx 或 .csv")
    return frame


def _of_frame(path: Path, frame: gpd.GeoDataFrame) -> _Incoming:
    heads = [str(c) for c in frame.columns if c != frame.geometry.name]
    columns = [frame[c].astype("object").where(frame[c].notna(), None).tolist() for c in heads]
    rows = [list(cells) for cells in zip(*columns, strict=True)] if heads else [[] for _ in range(len(frame))]
    return _Incoming(
        path.name, heads, rows, list(range(1, len(frame) + 1)), np.asarray(frame.geometry.array), frame.crs
    )


# --- what the columns mean ------------------------------------------------------------------------------------------


def _columns(incoming: _Incoming, layer: Layer, key: str | None, report: _Report) -> dict[str, int]:
    """Return which column of the file means what. People's columns go first, and nothing of them is kept."""
    words = _words(layer)
    found: dict[str, int] = {}
    if key is not None:
        if key not in incoming.heads:
            raise _bad(incoming.file, f"没有列“{_shown(key)}”", f"现有列：{_shown('、'.join(incoming.heads))}")
        found[layer.key] = incoming.heads.index(key)
    for j, head in enumerate(incoming.heads):
        if _NEVER.search(head):
            raise _never(incoming.file, head)
        meaning = _meaning(head, words, incoming.short)
        reason = _private(head, [row[j] for row in incoming.rows], meaning)
        if reason:
            if found.get(layer.key) == j:
                raise _bad(incoming.file, f"编号列“{_shown(head)}”{reason}", "换一列作编号")
            for row in incoming.rows:
                row[j] = None
            report.say("dropped", reason, "这一列不写入任何文件", column=_shown(head))
        elif j in found.values() or not head:
            continue
        elif meaning is None:
            report.say("note", "不认识的列，没有读", "要用就改成模板里的表头", column=_shown(head))
        elif meaning in found:
            report.say(
                "note", f"和“{_shown(incoming.heads[found[meaning]])}”是同一列，没有读", "留一列", column=_shown(head)
            )
        else:
            found[meaning] = j
    return found


def _meaning(head: str, words: Mapping[str, str], short: str) -> str | None:
    plain = _plain(head)
    if plain in words or not short or len(head.encode(short)) < 8:
        return words.get(plain)
    longer = {words[w] for w in words if w.startswith(plain)}
    return longer.pop() if len(longer) == 1 else None


def _private(head: str, cells: Sequence[Any], meaning: str | None) -> str:
    """Say why a column is about persons; "" where it is not."""
    if meaning is None and _PRIVATE.search(_plain(head)):
        return "表头像个人信息（姓名、电话、证件号、户号）"
    filled = [str(c) for c in cells if not _blank(c)]
    numbers = sum(1 for text in filled if _PRIVATE_VALUE.fullmatch(_number_text(text)))
    if numbers and numbers >= 0.3 * len(filled):
        return "内容像身份证号或手机号"
    return ""


def _number_text(text: str) -> str:
    return re.sub(r"[\s-]", "", unicodedata.normalize("NFKC", text)).removesuffix(".0")


# ---- cells


def _cell(column: Column, value: Any, codes: Mapping[str, str]) -> Any:
    """Return a cell as the check at the door expects it; None where it is blank."""
    if _blank(value) or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return None
    if isinstance(value, (datetime, date)):
        return value.year if column.type == "year" else value.isoformat()[:10]
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value).strip()
    if column.type in ("int", "float", "year"):
        plain = unicodedata.normalize("NFKC", text).replace(",", "").replace(" ", "")
        for unit in ("年" if column.type == "year" else "", column.unit):
            plain = plain.removesuffix(unicodedata.normalize("NFKC", unit)) if unit else plain
        return plain
    return codes.get(text, text)


def _hostile(text: str) -> tuple[str, str] | None:
    """Say why a text cannot be taken as it is."""
    if any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co") and c not in "\n\t\u200d" for c in text):
        return "含有看不见的控制字符", "删去重新输入"
    if text.startswith("="):
        return "是没有算出结果的公式", "在 Excel 里复制、选择性粘贴为数值"
    if _MARKUP.search(text):
        return "像网页代码", "只写文字"
    if len(text) > MOST_TEXT:
        return f"有 {len(text):,} 个字", f"最多 {MOST_TEXT} 个字"
    return None


def _angle(value: Any) -> float:
    """Return a coordinate cell as a number: decimal, 度分秒, with letters or full-width digits; NaN where it is none."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    text = unicodedata.normalize("NFKC", str(value)).strip().replace(" ", "")
    bare = text.replace(",", "")
    bare = re.sub(r"^[EN东北][经纬]?|[EN°度]+$", "", bare) if not re.search(r"[°度].*\d", bare) else bare
    if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", bare):
        return float(bare)
    found = _ANGLE.match(text)
    if found is None:
        return float("nan")
    degrees, minutes, seconds = (float(g) if g else 0.0 for g in found.groups()[:3])
    if minutes >= 60 or seconds >= 60:
        return float("nan")
    size = abs(degrees) + minutes / 60 + seconds / 3600
    return -size if degrees < 0 or found.group(4).upper() in ("W", "S", "西", "南") else size


def _raw_shapes(incoming: _Incoming, columns: Mapping[str, int]) -> tuple[Shapes, list[str]]:
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
        elif "@both" in columns and not _blank(row[columns["@both"]]):
            cells = re.split(r"[,，;；\s]+", str(row[columns["@both"]]).strip())
        else:
            continue
        if all(_blank(c) for c in cells):
            continue
        said[i] = "，".join("" if c is None else str(c) for c in cells)
        numbers = [_angle(c) for c in cells]
        if len(numbers) == 2 and np.isfinite(numbers).all():
            shapes[i] = shapely.Point(numbers)
    return shapes, said


# --- where the rows lie ---------------------------------------------------------------------------------------------


def _declared(text: object, incoming: _Incoming) -> tuple[str, pyproj.CRS]:
    """Return the datum and the CRS a declaration means."""
    file = incoming.file
    if text is None or not str(text).strip():
        own = f"文件自己写的是 {incoming.crs.to_string()[:40]}，核实后照写" if incoming.crs is not None else "不能猜"
        raise _bad(file, "没有声明坐标系",
                   f"用 crs（--crs）写 {'、'.join(DATUMS)} 或 EPSG 代码；在线地图导出的多是 GCJ-02 或 BD-09；{own}")  # fmt: skip
    said = str(text).strip()
    said = f"EPSG:{said}" if said.isdigit() else said
    datum, crs = "WGS84", None
    with suppress(UnknownNameError):
        datum, crs = datum_name(said), pyproj.CRS(LONLAT)
    if crs is None:
        try:
            crs = pyproj.CRS.from_user_input(said)
        except pyproj.exceptions.CRSError as error:
            raise _bad(file, f"不认识的坐标系 {_shown(said)}", f"写 {'、'.join(DATUMS)} 或 EPSG 代码") from error
    if not (crs.is_geographic or crs.is_projected):
        raise _bad(file, f"{_shown(said)} 不是平面或经纬度坐标系", "写投影坐标系或经纬度坐标系的 EPSG 代码")
    own_crs = incoming.crs
    if own_crs is not None and own_crs.is_projected != crs.is_projected:
        raise _bad(file, f"声明 {_shown(said)}，文件里写的是 {own_crs.to_string()[:60]}", "改成一致；以实际坐标为准")
    if own_crs is not None and crs.is_projected and not _same_grid(own_crs, crs):
        raise _bad(file, f"声明 {_shown(said)}，文件里写的是 {own_crs.to_string()[:60]}", "改成一致；以实际坐标为准")
    return datum, crs


def _same_grid(a: pyproj.CRS, b: pyproj.CRS) -> bool:
    """Whether two projected CRSs put the same numbers in the same place (names and datum's names aside)."""
    wanted = ("longitude of natural origin", "false easting", "scale factor at natural origin", "false northing")

    def grid(crs: pyproj.CRS) -> dict[str, float]:
        operation = crs.coordinate_operation
        return {} if operation is None else {
            p.name.lower(): round(float(p.value), 6) for p in operation.params if p.name.lower() in wanted
        }  # fmt: skip

    return a.equals(b, ignore_axis_order=True) or (bool(grid(a)) and grid(a) == grid(b))


@dataclass
class _Place:
    """Where the district is, and how numbers become positions in its CRS."""

    metric: pyproj.CRS
    bounds: Floats  # west, south, east, north in `metric`
    known: bool  # whether the bounds are those of layers, not of the CRS

    def near(self, xy: Floats) -> Any:
        """Return which positions lie at or around the district."""
        w, s, e, n = self.bounds
        with np.errstate(invalid="ignore"):
            return np.isfinite(xy).all(axis=1) & (xy[:, 0] > w - FAR_M) & (xy[:, 0] < e + FAR_M) & (
                xy[:, 1] > s - FAR_M) & (xy[:, 1] < n + FAR_M)  # fmt: skip


def _place(metric: pyproj.CRS, rows: Mapping[str, pd.DataFrame]) -> _Place:
    for name in ("district", "zones", "communities", "homes", "streets"):
        if name in rows and len(rows[name]):
            return _Place(metric, np.asarray(rows[name].total_bounds), True)
    area = metric.area_of_use
    if area is None:
        return _Place(metric, np.array([-np.inf, -np.inf, np.inf, np.inf]), False)
    box = pyproj.Transformer.from_crs(LONLAT, metric, always_xy=True).transform_bounds(
        area.west, area.south, area.east, area.north
    )
    return _Place(metric, np.asarray(box), False)


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
        x, y = pyproj.Transformer.from_crs(crs, LONLAT, always_xy=True).transform(x, y)
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
class _Placed:
    """Shapes in WGS84 and in the district's CRS, and why a row has none."""

    lonlat: Shapes
    metric: Shapes
    reasons: dict[int, tuple[str, str]]


def _locate(shapes: Shapes, datum: str, crs: pyproj.CRS, place: _Place, report: _Report) -> _Placed:
    """Bring the shapes of a file into the district's CRS; judged as a whole for swapped axes, then one by one."""
    n = len(shapes)
    result = _Placed(np.full(n, None, dtype=object), np.full(n, None, dtype=object), {})
    filled = np.flatnonzero(~(shapely.is_missing(shapes) | shapely.is_empty(shapes)))
    if not len(filled):
        return result
    to_metric = pyproj.Transformer.from_crs(LONLAT, place.metric, always_xy=True)

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


def _why_far(raw: Floats, there: Floats, place: _Place, hits: Sequence[str], crs: pyproj.CRS) -> tuple[str, str]:
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


def _test_datum(placed: _Placed, datum: str, rows: Mapping[str, pd.DataFrame], file: str, report: _Report) -> None:
    """Stop where the streets clearly say another datum than the one declared; say so where they cannot tell."""
    streets = rows.get("streets")
    shapes = placed.lonlat[~shapely.is_missing(placed.lonlat)]
    if streets is None or streets.empty or not len(shapes):
        report.say("note", "没有街道图层可比，坐标基准没有检验", "导入路网以后再核对")
        return
    table = diagnose(gpd.GeoSeries(_as_written(shapes, datum), crs=LONLAT), streets)
    winners = list(table.index[table["winner"].to_numpy()])
    if winners and winners[0] != datum:
        raise SourceError(
            f"{file}：声明的坐标基准是 {datum}，但坐标不像。{table['text'].iloc[0]}\n{_residuals(table)}\n"
            f"没有写入任何东西。核实来源；若确是 {winners[0]}，用 crs={winners[0]} 再导入"
        )
    if winners:
        report.say("note", f"坐标基准 {datum} 与街道吻合", value=table["text"].iloc[0])
    else:
        reason = f"坐标基准 {datum} 没有得到证实：{table['text'].iloc[0]}"
        report.say("note", reason, "向提供者核实坐标来源；在地图上抽查几个点")


def _as_written(shapes: Shapes, datum: str) -> Shapes:
    return shapely.transform(shapes, lambda xy: np.column_stack(from_wgs84(xy[:, 0], xy[:, 1], datum)))


def _residuals(table: pd.DataFrame) -> str:
    lines = ["假设坐标是　到街道的中位距离　九成在　整体移动"]
    for name, row in table.iterrows():
        lines.append(f"{name}　{row['median_m']:,.0f} 米　{row['p90_m']:,.0f} 米　{row['moved_m']:,.0f} 米")
    return "\n".join(lines)


def _test_anchors(placed: _Placed, datum: str, old: Mapping[int, Any], place: _Place, file: str) -> None:
    """Stop where rows that are there already lie as far off, and in the direction, as a wrong datum would put them."""
    pairs = [(i, shape) for i, shape in old.items() if placed.lonlat[i] is not None and shape is not None]
    if len(pairs) < ANCHORS:
        return
    here = shapely.point_on_surface(np.array([shape for _, shape in pairs], dtype=object))
    points = shapely.point_on_surface(_as_written(np.array([placed.lonlat[i] for i, _ in pairs], dtype=object), datum))
    lon, lat = shapely.get_coordinates(points).T
    to_metric = pyproj.Transformer.from_crs(LONLAT, place.metric, always_xy=True)
    away = {}
    for name in DATUMS:
        xy = np.column_stack(to_metric.transform(*to_wgs84(lon, lat, name)))
        away[name] = np.hypot(*(xy - shapely.get_coordinates(here)).T)
    best = min(DATUMS, key=lambda name: float(np.median(away[name])))
    clear = np.quantile(away[best], 0.75) <= ANCHOR_NEAR_M and np.quantile(away[datum], 0.25) >= ANCHOR_FAR_M
    if best != datum and clear:
        lines = "；".join(f"{name} {np.median(away[name]):,.0f} 米" for name in DATUMS)
        raise SourceError(
            f"{file}：声明的坐标基准是 {datum}，但和目录里编号相同的 {len(pairs)} 个要素整体错开；"
            f"到原位置的中位距离，假设坐标是：{lines}。像是 {DATUM_LABELS[best]}。没有写入任何东西。"
            f"核实来源；若确是 {best}，用 crs={best} 再导入；若原来的图层才是错的，用 replace=True（--replace）整层替换"
        )


# --- rows against what is there -------------------------------------------------------------------------------------


@dataclass
class _Plan:
    """What an import would do: the report, and the new contents of files (None where nothing changes)."""

    report: pd.DataFrame
    files: dict[str, bytes]
    layer: str
    source: str


@dataclass
class _Edit:
    """One row to write: where it stands in the old file (None: new), its changed cells, its new shape."""

    at: int | None
    cells: dict[str, Any]
    shape: Any = None


def _identity(layer: Layer, frame: pd.DataFrame) -> list[str]:
    """Return what a row is known by: its key; in a table whose key nobody has to fill in, its required cells."""
    if layer.geometry is not None or layer.names[layer.key].required:
        return [str(k) for k in frame.index]
    required = [c.name for c in layer.columns if c.required]
    return ["|".join("" if pd.isna(v) else str(v) for v in values) for values in zip(*(frame[c] for c in required),
                                                                                     strict=True)]  # fmt: skip


def _cells(
    incoming: _Incoming,
    layer: Layer,
    columns: Mapping[str, int],
    kinds: Mapping[str, str],
    refused: dict[int, list[tuple[str, Any, str, str]]],
    report: _Report,
) -> dict[str, list[Any]]:
    """Return the file's cells per declared column, as the check expects them; hostile ones refuse their row."""
    out: dict[str, list[Any]] = {}
    for name, j in columns.items():
        if name.startswith("@"):
            continue
        column = layer.names[name]
        codes = {label: v for v, label in _value_labels(column).items()}
        if column.parent == ("kinds", "kind"):
            codes |= {label: kind for kind, label in kinds.items()}
        values = [_cell(column, row[j], codes) for row in incoming.rows]
        for i, value in enumerate(values):
            if not isinstance(value, str):
                continue
            wrong = _hostile(value)
            if wrong is None and name == layer.key:
                value = values[i] = value.translate(_WIDE)  # noqa: PLW2901
                if re.search(r"[/\\]|\.\.", value):
                    wrong = "编号里有路径符号", "编号只用字母、数字、汉字、- 和 _"
            if wrong is not None:
                refused.setdefault(i, []).append((column.label, value, *wrong))
            elif _PRIVATE_VALUE.search(value) and column.type == "text" and name != layer.key:
                values[i] = None
                report.say("dropped", "这一格里有像身份证号或手机号的数字，没有写入", "删去号码再填",
                           row=incoming.lines[i], column=column.label)  # fmt: skip
        out[name] = values
    return out


def _keys(
    layer: Layer, cells: dict[str, list[Any]], n: int, placed: _Placed | None, old: pd.DataFrame, report: _Report
) -> list[str | None]:
    """Return the key of each row: as written, by a name that only one row has, or made from what the row says."""
    if layer.geometry is None and not layer.names[layer.key].required:
        required = [c.name for c in layer.columns if c.required]
        return [
            "|".join("" if (v := cells.get(c, [None] * n)[i]) is None else str(v) for c in required) for i in range(n)
        ]
    if layer.key in cells:
        return [None if v is None else str(v) for v in cells[layer.key]]
    names = [None if v is None else str(v) for v in cells.get("name", [None] * n)]
    times = Counter(names)
    there: dict[str, list[str]] = {}
    for key, name in zip(old.index, old["name"] if "name" in old.columns else (), strict=False):
        if isinstance(name, str):
            there.setdefault(name, []).append(str(key))
    keys: list[str | None] = []
    for i, name in enumerate(names):
        known = there.get(name or "", [])
        if name is None:
            keys.append(None)
        elif len(known) == 1 and times[name] == 1:
            keys.append(known[0])
        else:
            spot = placed.lonlat[i] if placed is not None else None
            where = "" if spot is None else ",".join(f"{v:.5f}" for v in spot.centroid.coords[0])
            said = f"{name}|{cells.get('kind', [None] * n)[i]}|{where}"
            keys.append(f"{layer.key}-{hashlib.sha256(said.encode()).hexdigest()[:8]}")
    report.say("note", "文件里没有编号列：同名且唯一的按名称认，其余按名称、类别和位置编号",
               "最好加一列编号，或用 key（--key）说明哪一列是编号")  # fmt: skip
    return keys


def _match(
    layer: Layer, keys: Sequence[str | None], cells: Mapping[str, list[Any]], old: pd.DataFrame,
    lines: Sequence[int], refused: dict[int, list[tuple[str, Any, str, str]]],
) -> dict[int, int]:  # fmt: skip
    """Return which row of the folder each row of the file is (by position); rows that cannot be told are refused."""
    label = layer.names[layer.key].label
    there: dict[str, list[int]] = {}
    for position, own in enumerate(_identity(layer, old)):
        there.setdefault(own, []).append(position)
    seen: dict[tuple[str, str], int] = {}
    found: dict[int, int] = {}
    for i, key in enumerate(keys):
        if key is None or not key.strip("|"):
            refused.setdefault(i, []).append((label, "", "没有编号（也没有名称）", "每行写一个不重复的编号"))
            continue
        since = cells["since"][i] if layer.dated and "since" in cells else None
        mark = (key, "" if since is None else str(since))
        if mark in seen:
            refused.setdefault(i, []).append((label, key, f"和第 {lines[seen[mark]]} 行重复", "留一行，或用不同的编号"))
            continue
        seen[mark] = i
        spots = there.get(key, [])
        if len(spots) > 1:
            spots = [s for s in spots if since is not None and str(old["since"].iloc[s]) == str(since)]
            if len(spots) != 1:
                refused.setdefault(i, []).append(
                    (label, key, "目录里这个编号有几个时期，分不清改哪一个", "写上起始年"))  # fmt: skip
                continue
        if spots and not _later(old, spots[0], since):
            found[i] = spots[0]
    return found


def _later(old: pd.DataFrame, position: int, since: Any) -> bool:
    """Whether a row that starts in `since` comes after the period of the row that is there."""
    if since is None or "until" not in old.columns or pd.isna(old["until"].iloc[position]):
        return False
    number = pd.to_numeric(str(since), errors="coerce")
    return bool(pd.notna(number) and number > old["until"].iloc[position])


def _plan(
    source: Path, folder: Path, layer: Layer, *, crs: str | int | None, sheet: str | None, key: str | None,
    replace: bool, basis: str,
) -> _Plan:  # fmt: skip
    """Work out everything an import would do; nothing is written into the folder."""
    if layer.default:
        raise SourceError(
            f"{layer.label}是随程序的表，不能这样导入；把 data 里的 {layer.name}.csv 复制到目录里修改并声明"
        )
    manifest, rows, metric = _state(folder, layer)
    report = _Report()
    incoming = _open(source, layer, sheet, report)
    columns = _columns(incoming, layer, key, report)
    n = len(incoming.rows)
    refused: dict[int, list[tuple[str, Any, str, str]]] = {}
    cells = _cells(incoming, layer, columns, dict(rows["kinds"]["label"]) if "kinds" in rows else {}, refused, report)
    old = rows.get(layer.name, _nothing(layer, metric))
    placed, datum, place = None, "WGS84", _place(metric, rows)
    if layer.geometry is not None:
        placed, datum = _positions(incoming, columns, crs, place, refused, report)
    keys = _keys(layer, cells, n, placed, old, report)
    match = _match(layer, keys, cells, old, incoming.lines, refused)
    if placed is not None:
        _refuse_unplaced(placed, match, refused)
        if not shapely.is_missing(placed.lonlat).all():
            old_shapes = {i: old.geometry.iloc[p] for i, p in match.items() if not replace}
            _test_anchors(placed, datum, old_shapes, place, source.name)
            _test_datum(placed, datum, rows, source.name, report)
    tidy = _judge(layer, cells, keys, match, old, placed, rows, source.name, refused)
    entry = manifest["layers"].get(layer.name)
    edits = _edits(layer, incoming, cells, keys, match, old, tidy, placed, refused, report, (basis, entry))
    matched = set(match.values())
    gone = [p for p in range(len(old)) if p not in matched]
    known, names = _identity(layer, old), old["name"].tolist() if "name" in old.columns else [""] * len(old)
    for p in gone:
        what = "删去" if replace else "保留"
        report.say("gone", f"目录里有，文件里没有：{what}", key=_shown(known[p]), value=names[p])
    counts = tally(report.frame())
    if not counts["taken"]:
        raise DataError(_as_problems(report, layer, source.name), source.name)
    files = {}
    if edits or (replace and gone):
        files = _written(folder, layer, entry, edits, set(gone) if replace else set(), basis, source.name, manifest)
        _check_copy(folder, files)
    return _Plan(report.frame(), files, layer.name, source.name)


def _nothing(layer: Layer, metric: pyproj.CRS) -> pd.DataFrame:
    frame = pd.DataFrame({c.name: [] for c in layer.names.values()}, dtype="object")
    if layer.geometry is not None:
        frame = gpd.GeoDataFrame(frame, geometry=[], crs=metric)
    return frame.set_index(layer.key)


def _state(folder: Path, layer: Layer) -> tuple[dict[str, Any], dict[str, pd.DataFrame], pyproj.CRS]:
    """Return the manifest, the rows and the CRS of a folder; what is wrong elsewhere in it does not matter here."""
    if not (folder / MANIFEST).is_file():
        raise SourceError(f"{folder.name or folder} 不是街道目录：里面没有 {MANIFEST}")
    manifest, rows, _, problems = _read(folder)
    stops = [
        p for p in problems
        if p.severity == "error" and (
            p.layer == layer.name or p.field.startswith(f"layers.{layer.name}.")
            or (p.layer == "district.toml" and p.field in ("", "crs", "schema"))
        )
    ]  # fmt: skip
    if stops:
        raise DataError(problems_table(stops), folder.name)
    try:
        return manifest, rows, pyproj.CRS.from_user_input(manifest["crs"])
    except (KeyError, pyproj.exceptions.CRSError) as error:
        raise SourceError(f'{folder.name} 的 {MANIFEST} 没有写能用的坐标系。写 crs = "EPSG:…"') from error


def _positions(
    incoming: _Incoming, columns: Mapping[str, int], crs: str | int | None, place: _Place,
    refused: dict[int, list[tuple[str, Any, str, str]]], report: _Report,
) -> tuple[_Placed, str]:  # fmt: skip
    shapes, said = _raw_shapes(incoming, columns)
    for i, text in enumerate(said):
        if text and shapes[i] is None:
            refused.setdefault(i, []).append(("坐标", text, "坐标不是数", "填十进制度、度分秒或米"))
    if shapely.is_missing(shapes).all() and not any(said):
        n = len(shapes)
        return _Placed(np.full(n, None, dtype=object), np.full(n, None, dtype=object), {}), "WGS84"
    datum, declared = _declared(crs, incoming)
    placed = _locate(shapes, datum, declared, place, report)
    for i, (reason, remedy) in placed.reasons.items():
        value = said[i] or "，".join(f"{v:.6g}" for v in shapely.get_coordinates(shapes[i])[0])
        refused.setdefault(i, []).append(("坐标", value, reason, remedy))
    return placed, datum


def _refuse_unplaced(
    placed: _Placed, match: Mapping[int, int], refused: dict[int, list[tuple[str, Any, str, str]]]
) -> None:
    for i, shape in enumerate(placed.lonlat):
        if shape is None and i not in match and i not in refused:
            refused[i] = [("坐标", "", "没有坐标，目录里也没有这个编号", "补上经度和纬度")]


def _judge(
    layer: Layer, cells: Mapping[str, list[Any]], keys: Sequence[str | None], match: Mapping[int, int],
    old: pd.DataFrame, placed: _Placed | None, rows: Mapping[str, pd.DataFrame], file: str,
    refused: dict[int, list[tuple[str, Any, str, str]]],
) -> pd.DataFrame:  # fmt: skip
    """Check the rows as they would stand, blanks filled from what is there; return them typed, by position."""
    n = len(keys)
    merged: dict[str, list[Any]] = {}
    for name in layer.names:
        if name == layer.key:
            merged[name] = [str(i) for i in range(n)]
            continue
        values = list(cells.get(name, [None] * n))
        if name in old.columns:
            before = old[name].tolist()
            values = [
                before[match[i]] if v is None and i in match else v for i, v in enumerate(values)
            ]  # fmt: skip
        merged[name] = [None if v is None or pd.isna(v) else v for v in values]
    frame = pd.DataFrame(merged, dtype="object")
    if placed is not None:
        shapes = [
            placed.metric[i] if placed.metric[i] is not None else old.geometry.iloc[match[i]] if i in match else None
            for i in range(n)
        ]
        frame = gpd.GeoDataFrame(frame, geometry=shapes, crs=old.crs)
    tidy, problems = check_rows(layer, frame, file)
    for p in problems:
        if p.severity == "error" and p.row and not (p.field == "geometry" and int(p.row) in refused):
            column = layer.names.get(p.field)
            value = cells[p.field][int(p.row)] if p.field in cells else ""
            said = "图形" if column is None else column.label
            if said not in {known[0] for known in refused.get(int(p.row), ())}:
                refused.setdefault(int(p.row), []).append((said, value, p.problem, p.remedy))
    for column in layer.names.values():
        if column.parent is not None and column.parent[0] in rows and column.name in cells:
            _refuse_orphans(column, tidy, rows[column.parent[0]], refused)
    return tidy


def _refuse_orphans(
    column: Column, tidy: pd.DataFrame, parents: pd.DataFrame, refused: dict[int, list[tuple[str, Any, str, str]]]
) -> None:
    codes = tidy[column.name]
    assert column.parent is not None
    label = LAYERS[column.parent[0]].label
    words = next((c for c in ("label", "name") if c in parents.columns), None)
    names = {} if words is None else {str(w): str(k) for k, w in parents[words].dropna().items()}
    known = [*(str(k) for k in parents.index), *names]
    for i in np.flatnonzero((codes.notna() & ~codes.isin(parents.index)).to_numpy()):
        close = get_close_matches(str(codes.iloc[i]), known, n=3)
        remedy = f"是否想写 {'、'.join(close)}" if close else "改成已有的编号，或先补上那一行"
        refused.setdefault(int(i), []).append((column.label, codes.iloc[i], f"在{label}里不存在", remedy))


def _edits(
    layer: Layer, incoming: _Incoming, cells: Mapping[str, list[Any]], keys: Sequence[str | None],
    match: Mapping[int, int], old: pd.DataFrame, tidy: pd.DataFrame, placed: _Placed | None,
    refused: Mapping[int, list[tuple[str, Any, str, str]]], report: _Report, provenance: tuple[str, Any],
) -> list[_Edit]:  # fmt: skip
    """Compare row by row, report each, and return what has to be written."""
    edits: list[_Edit] = []
    basis, entry = provenance
    typed = {name: tidy[name].tolist() for name in cells if name in tidy.columns}
    there = {name: old[name].tolist() for name in {*typed, "basis"} if name in old.columns}
    outlines = None if placed is None else np.asarray(old.geometry.array)
    for i, key in enumerate(keys):
        line, shown = incoming.lines[i], _shown(key or "")
        if i in refused:
            for column, value, reason, remedy in refused[i]:
                report.say("refused", reason, remedy, row=line, key=shown, column=column, value=value)
            continue
        at = match.get(i)
        shape = None if placed is None else placed.metric[i]
        if at is None:
            values = {c: v[i] for c, v in typed.items() if not _missing(v[i])}
            if layer.key in cells or layer.geometry is not None or layer.names[layer.key].required:
                values = {layer.key: cells[layer.key][i] if layer.key in cells else key, **values}
            report.say("new", "新增", row=line, key=shown, value=values.get("name", ""))
            if layer.geometry is not None:
                _mark(values, basis, entry, incoming.file)
            edits.append(_Edit(None, values, shape))
            continue
        values, changes = _changes(layer, cells, i, typed, there, at)
        moved = _moved(shape, None if outlines is None else outlines[at], report, line, shown)
        if moved is not None:
            changes.append(("位置", moved, ""))
            _mark(values, basis, entry, incoming.file)
            if not _missing(there["basis"][at]) and there["basis"][at] != basis:
                values.setdefault("basis", basis)
        for column, value, before in changes:
            report.say(
                "changed", f"原来是 {before}" if before else "位置改变", row=line, key=shown, column=column, value=value
            )
        if changes:
            edits.append(_Edit(at, values, shape if moved is not None else None))
        else:
            report.say("unchanged", "和目录里的一样", row=line, key=shown)
    return edits


def _missing(value: Any) -> bool:
    return bool(pd.isna(value))


def _changes(
    layer: Layer, cells: Mapping[str, list[Any]], i: int, typed: Mapping[str, list[Any]],
    there: Mapping[str, list[Any]], at: int,
) -> tuple[dict[str, Any], list[tuple[str, str, str]]]:  # fmt: skip
    """Return the cells that differ, and how to say so. A blank leaves what is there."""
    values: dict[str, Any] = {}
    changes: list[tuple[str, str, str]] = []
    for name, column in typed.items():
        if cells[name][i] is None:
            continue
        new, before = column[i], there[name][at]
        if _missing(before) or new != before:
            values[name] = new
            changes.append((layer.names[name].label, _shown(new), "空" if _missing(before) else _shown(before)))
    return values, changes


def _moved(shape: Any, before: Any, report: _Report, line: int, key: str) -> str | None:
    """Say how far a shape moved; None where it stays. A point does not replace an outline."""
    if shape is None or before is None:
        return None
    if shape.geom_type == "Point" and before.geom_type != "Point":
        away = float(shapely.distance(shape, before))
        if away > SAME_M:
            report.say("note", f"目录里是面，文件里的点在它外面 {away:,.0f} 米；面没有改", "核对编号和坐标",
                       row=line, key=key, column="位置")  # fmt: skip
        return None
    if shape.geom_type == before.geom_type:
        away = float(shapely.hausdorff_distance(shape, before))
        return None if away <= SAME_M else f"移动 {away:,.1f} 米"
    return "换成另一种图形"


def _mark(values: dict[str, Any], basis: str, entry: Any, file: str) -> None:
    """Write where a row comes from into the row, where its layer says otherwise."""
    if entry is not None and entry.get("basis") != basis:
        values.setdefault("basis", basis)
    if entry is not None and entry.get("source") != file:
        values.setdefault("source", file)


def _as_problems(report: _Report, layer: Layer, file: str) -> pd.DataFrame:
    found = [
        Problem(
            "error",
            layer.name,
            file,
            "" if row is None else str(row),
            column,
            reason + (f"（{value}）" if value else ""),
            remedy,
        )
        for row, _, result, column, value, reason, remedy in report.lines
        if result == "refused"
    ]
    return problems_table(
        found or [Problem("error", layer.name, file, "", "", "没有一行可以导入", "检查是否只有示例行或合计行")]
    )


# --- new contents of files ------------------------------------------------------------------------------------------


def _written(
    folder: Path, layer: Layer, entry: Any, edits: Sequence[_Edit], gone: set[int], basis: str, source: str,
    manifest: Mapping[str, Any],
) -> dict[str, bytes]:  # fmt: skip
    """Return the new contents of the layer's file, and of the manifest where the layer is new in it; manifest last."""
    files: dict[str, bytes] = {}
    if entry is None:
        suffix = "csv" if layer.geometry is None else "geojson"
        file = f"{layer.folder}/{layer.name}.{suffix}"
        if (folder / file).exists():
            raise SourceError(f"{folder.name} 里已有没有声明的文件 {file}。先在 {MANIFEST} 里声明它，或把它移走")
        entry = {"file": file}
        if layer.geometry is not None:
            entry |= {"crs": LONLAT, "basis": basis}
        entry |= {"source": source, "licence": "内部资料", "secrecy": str(manifest.get("secrecy", "internal"))}
        table = "".join(f"{k} = {json.dumps(v, ensure_ascii=False)}\n" for k, v in entry.items())
        before = (folder / MANIFEST).read_bytes()
        text = before + (b"" if before.endswith(b"\n") else b"\n") + f"\n[layers.{layer.name}]\n{table}".encode()
        try:
            tomllib.loads(text.decode("utf-8-sig"))
        except tomllib.TOMLDecodeError as error:
            raise SourceError(
                f"{MANIFEST} 里加不进 [layers.{layer.name}]（{error}）。手工声明这个图层，再导入"
            ) from error
        files[MANIFEST] = text
    file = str(entry["file"])
    path = folder / file
    writers = {".geojson": _geojson_bytes, ".json": _geojson_bytes, ".gpkg": _geopackage_bytes, ".csv": _csv_bytes}
    writer = writers.get(path.suffix.lower())
    if writer is None:
        raise SourceError(f"{file}：这种格式只能读，不能改。在 QGIS 里另存为 GeoPackage，并改 {MANIFEST}")
    if layer.geometry is not None:
        metric = pyproj.CRS.from_user_input(manifest["crs"])
        _bring(edits, metric, pyproj.CRS.from_user_input(entry["crs"]))
    return {file: writer(path, layer, edits, gone, entry), **files}


def _bring(edits: Sequence[_Edit], metric: pyproj.CRS, crs: pyproj.CRS) -> None:
    """Bring new shapes into the CRS of the layer's file; a hundredth of a millimetre is enough for anything."""
    move = pyproj.Transformer.from_crs(metric, crs, always_xy=True)
    digits = 9 if crs.is_geographic else 4
    for edit in edits:
        if edit.shape is not None:
            edit.shape = shapely.transform(
                edit.shape, lambda xy: np.round(np.column_stack(move.transform(xy[:, 0], xy[:, 1])), digits)
            )


def _json_value(value: Any) -> Any:
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return int(value) if float(value).is_integer() else float(value)
    return str(value)


def _geojson_bytes(path: Path, layer: Layer, edits: Sequence[_Edit], gone: set[int], _entry: Any) -> bytes:
    """Return the collection with the edits in it: untouched features, and members of the collection, stay as they are."""
    whole: dict[str, Any] = {"type": "FeatureCollection", "name": layer.name, "features": []}
    if path.is_file():
        whole = json.loads(path.read_text("utf-8-sig"))
    features = list(whole["features"])
    for edit in edits:
        cells = {k: _json_value(v) for k, v in edit.cells.items()}
        shape = None if edit.shape is None else json.loads(shapely.to_geojson(edit.shape))
        if edit.at is None:
            features.append({"type": "Feature", "properties": cells, "geometry": shape})
            continue
        feature = {**features[edit.at]}
        feature["properties"] = {**(feature.get("properties") or {}), **cells}
        if shape is not None:
            feature["geometry"] = shape
        features[edit.at] = feature
    kept = [f for i, f in enumerate(features) if i not in gone]
    head = json.dumps({k: v for k, v in whole.items() if k != "features"}, ensure_ascii=False)[:-1]
    lines = ",\n".join(json.dumps(f, ensure_ascii=False, separators=(",", ":")) for f in kept)
    return f'{head}, "features": [\n{lines}\n]}}\n'.encode()


def _with_edits(frame: pd.DataFrame, edits: Sequence[_Edit], gone: set[int], names: Sequence[str]) -> pd.DataFrame:
    """Return a frame with changed cells, added rows and without the gone ones; columns as they were, new ones last."""
    columns: dict[str, list[Any]] = {c: frame[c].astype("object").tolist() for c in frame.columns}
    for name in dict.fromkeys(n for e in edits for n in e.cells):
        columns.setdefault(name, [None] * len(frame))
    for edit in edits:
        if edit.at is None:
            for name, values in columns.items():
                values.append(edit.shape if name == "geometry" else edit.cells.get(name))
        else:
            for name, value in edit.cells.items():
                columns[name][edit.at] = value
            if edit.shape is not None:
                columns["geometry"][edit.at] = edit.shape
    kept = [i for i in range(len(frame) + sum(e.at is None for e in edits)) if i not in gone]
    order = [*frame.columns, *(n for n in names if n in columns and n not in frame.columns)]
    return pd.DataFrame({c: pd.Series([columns[c][i] for i in kept], dtype="object") for c in order})


def _geopackage_bytes(path: Path, layer: Layer, edits: Sequence[_Edit], gone: set[int], entry: Any) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        raw = pyogrio.read_dataframe(path)
        name = str(pyogrio.list_layers(path)[0][0])
    if raw.geometry.name != "geometry":
        raw = raw.rename_geometry("geometry")
    frame = _with_edits(pd.DataFrame(raw), edits, gone, list(layer.names))
    for column in frame.columns:
        if column == "geometry":
            continue
        declared = layer.names.get(column)
        kind = {"int": "Int64", "year": "Int64", "float": "float64"}.get(declared.type if declared else "", "")
        old = raw[column].dtype if column in raw.columns else None
        if kind:
            frame[column] = pd.to_numeric(frame[column], errors="coerce").astype(kind)
        elif old is not None and not frame[column].isna().any():
            frame[column] = frame[column].astype(old)
    shaped = gpd.GeoDataFrame(frame, geometry="geometry", crs=entry["crs"])
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place) / path.name
        shutil.copyfile(path, copy)
        before = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
        # A GeoPackage stores when it was written: a fixed date instead, so that same inputs give same bytes.
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": "2020-01-01T00:00:00.000Z"})
        try:
            pyogrio.write_dataframe(shaped, copy, driver="GPKG", layer=name)
        finally:
            pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": before})
        return copy.read_bytes()


def _csv_bytes(path: Path, layer: Layer, edits: Sequence[_Edit], gone: set[int], _entry: Any) -> bytes:
    if path.is_file():
        raw = pd.read_csv(path, dtype="str", encoding="utf-8-sig", keep_default_na=False, na_values=[""])
    else:
        raw = pd.DataFrame({c.name: [] for c in layer.columns if c.name != layer.key or c.required}, dtype="object")
    plain = [
        _Edit(e.at, {k: None if _missing(v) else str(_json_value(v)) for k, v in e.cells.items()}) for e in edits
    ]  # fmt: skip
    table = _with_edits(raw, plain, gone, list(layer.names))
    return table.to_csv(index=False, lineterminator="\n").encode("utf-8-sig")


def _where(problem: Problem) -> tuple[str, ...]:
    """Return a problem without its words: a driver's words name the folder it read from."""
    return problem.layer, problem.file, problem.row, problem.field, problem.remedy


def _check_copy(folder: Path, files: Mapping[str, bytes]) -> None:
    """Judge a copy of the folder with the new files in it; anything wrong that was not wrong before stops the import."""
    before = {_where(p) for p in _read(folder)[3] if p.severity == "error"}
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place) / (folder.name or "district")
        try:
            shutil.copytree(folder, copy, ignore=shutil.ignore_patterns(HISTORY, "output", ".git"))
        except OSError as error:  # of several files at once, too
            raise EnvironmentProblem(f"{folder.name} 复制不出来检查。检查临时文件夹的磁盘空间和权限") from error
        for name, content in files.items():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes(content)
        after = [p for p in _read(copy)[3] if p.severity == "error" and _where(p) not in before]
    if after:
        raise DataError(problems_table(after), folder.name)


# --- writing --------------------------------------------------------------------------------------------------------


def _write_whole(path: Path, content: bytes, by: Path | None = None) -> None:
    """Write a file so that it is there whole or not at all; `by` is where it grows, the file's own folder by default."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=by or path.parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            if path.exists():
                shutil.copymode(path, name)
            else:
                os.chmod(name, 0o644)
            os.replace(name, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(name)
            raise
    except OSError as error:
        raise EnvironmentProblem(
            f"写 {path.name} 时出错：{error.strerror}。检查磁盘空间和权限；若它正被其他程序打开，请关闭后重试"
        ) from error


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other imports out of a folder; the lock dies with its process, and leaves nothing behind."""
    history = folder / HISTORY
    try:
        history.mkdir(exist_ok=True)
        handle = _lock(history / "lock")
    except OSError as error:
        raise EnvironmentProblem(f"不能写入 {folder.name}：{error.strerror}。检查权限和磁盘空间") from error
    if handle is None:
        raise EnvironmentProblem(f"另一个程序正在改 {folder.name}，请等它结束后重试")
    try:
        yield
    except OSError as error:
        if isinstance(error, XinheError):
            raise
        raise EnvironmentProblem(
            f"写 {folder.name} 时出错：{error.strerror}。检查磁盘空间和权限；若其中文件正被其他程序打开，请关闭后重试"
        ) from error
    finally:
        with suppress(OSError):
            if sys.platform == "win32":
                os.close(handle)
                os.unlink(history / "lock")
            else:
                # Removed while still held: whoever waits for this file sees that it is no longer the one in place.
                os.unlink(history / "lock")
                os.close(handle)
        with suppress(OSError):
            history.rmdir()


def _lock(path: Path) -> int | None:
    """Return a handle that holds the lock, None where somebody else does."""
    for _ in range(10):
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            if sys.platform == "win32":
                import msvcrt

                msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
                return handle
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with suppress(FileNotFoundError):
                if os.stat(path).st_ino == os.fstat(handle).st_ino:
                    return handle
        except (BlockingIOError, PermissionError):
            os.close(handle)
            return None
        os.close(handle)
    return None


def _versions(history: Path) -> list[Path]:
    return sorted(p for p in history.glob("[0-9]*") if p.is_dir() and p.name.isdigit())


def _commit(folder: Path, plan: _Plan) -> None:
    """
    Keep the old files, note in a journal what is to be done, do it.

    The manifest goes last: until then a new layer's file is declared nowhere, so whoever opens the folder at any moment
    sees the old state or the new one.
    """
    history = folder / HISTORY
    number = int(_versions(history)[-1].name) + 1 if _versions(history) else 1
    version = history / f"{number:03d}"
    fresh = history / f"new-{number:03d}"
    shutil.rmtree(fresh, ignore_errors=True)
    steps = []
    for name, content in plan.files.items():
        place = folder / name
        old = place.read_bytes() if place.is_file() else None
        if old is not None:
            _write_whole(fresh / "old" / name, old)
        _write_whole(fresh / "new" / name, content)
        steps.append({"file": name, "old": None if old is None else _sha(old), "new": _sha(content)})
    record = {"layer": plan.layer, "source": plan.source, "files": steps}
    _write_whole(fresh / "record.json", json.dumps(record, ensure_ascii=False, indent=1).encode())
    _write_whole(history / "journal.json", json.dumps({"version": version.name, "do": "apply"}).encode())
    try:
        _finish(folder)
    except OSError:
        _step_back(folder, version, steps)
        raise


def _step_back(folder: Path, version: Path, steps: Sequence[Mapping[str, Any]]) -> None:
    """Put back what was there, after a disk that is full or a file held open; the journal stays if even that fails."""
    with suppress(OSError):
        for step in reversed(steps):
            place = folder / step["file"]
            if step["old"] is None:
                place.unlink(missing_ok=True)
            elif _sha(place.read_bytes()) != step["old"]:
                _write_whole(place, (version / "old" / step["file"]).read_bytes(), version.parent)
        (version.parent / "journal.json").unlink()
        shutil.rmtree(version, ignore_errors=True)
        shutil.rmtree(version.parent / f"new-{version.name}", ignore_errors=True)


def _finish(folder: Path) -> None:
    """Carry out what the journal says; again from the start where an earlier process was killed in the middle."""
    history = folder / HISTORY
    journal = history / "journal.json"
    if journal.is_file():
        note = json.loads(journal.read_text("utf-8"))
        version = history / note["version"]
        fresh = history / f"new-{version.name}"
        if note["do"] == "apply" and not version.is_dir():
            os.replace(fresh, version)
        steps = json.loads((version / "record.json").read_text("utf-8"))["files"] if version.is_dir() else []
        undoing = note["do"] == "undo"
        for step in reversed(steps) if undoing else steps:
            kept = version / ("old" if undoing else "new") / step["file"]
            if undoing and step["old"] is None:
                (folder / step["file"]).unlink(missing_ok=True)
                with suppress(OSError):
                    (folder / step["file"]).parent.rmdir()
            else:
                _write_whole(folder / step["file"], kept.read_bytes(), history)
        if undoing:
            # Under another name first: half a version must not look like a whole one.
            if version.is_dir():
                os.replace(version, fresh)
            journal.unlink()
        else:
            journal.unlink()
            shutil.rmtree(version / "new", ignore_errors=True)
    for left in [*history.glob("new-*"), *(v / "new" for v in _versions(history))]:
        shutil.rmtree(left, ignore_errors=True)
    for left in history.glob(".*-*"):
        left.unlink(missing_ok=True)


def recover(folder: str | Path) -> bool:
    """Finish what a killed import or undo left half done; return whether there was anything."""
    target = Path(folder)
    if not (target / HISTORY).is_dir():
        return False
    with _locked(target):
        unfinished = (target / HISTORY / "journal.json").is_file()
        _finish(target)
    return unfinished


def add(
    file: str | Path,
    folder: str | Path,
    layer: str,
    *,
    crs: str | int | None = None,
    sheet: str | None = None,
    key: str | None = None,
    apply: bool = False,
    replace: bool = False,
    basis: str = "surveyed",
) -> pd.DataFrame:
    """
    Take a planner's file into a layer of a district folder, or say row by row why not.

    Parameters
    ----------
    file
        .xlsx, .csv (UTF-8 or GB18030), .geojson, .gpkg or .shp.
    folder
        A district folder. A layer that is not declared there yet is declared.
    layer
        Name of the layer.
    crs
        What the coordinates are: WGS84, GCJ-02, BD-09 or an EPSG code. Required wherever the file has coordinates, and
        tested against the district's streets and against rows that are there already.
    sheet
        Worksheet, or layer of a GeoPackage.
    key
        Header of the column that identifies a row; by default the layer's key in any of its spellings. Without one,
        names identify, where they can.
    apply
        Write. Without it nothing is written, and the report shows what would be.
    replace
        Remove rows of the folder that the file does not have; by default they stay.
    basis
        What new and moved rows rest on, unless the file says so itself.

    Returns
    -------
    report
        Columns `row` (line of the file; missing where a line speaks of a column or of a row of the folder), `key`,
        `result` (`RESULTS`), `column`, `value`, `reason`, `remedy`. Every row of the file stands in it; see `tally`.

    Raises
    ------
    SourceError
        A file that cannot be read, no declaration of its coordinates, or one that the streets contradict.
    DataError
        Not one row can be taken, or the folder would not pass its check; `.problems` lists each row.
    UnknownNameError
        No such layer.
    EnvironmentProblem
        The folder cannot be written, or another process is writing it.

    Notes
    -----
    On any error the folder is byte for byte as it was. A blank cell leaves what is there. A point does not replace an
    outline that is there.
    """
    target = Path(folder)
    if layer not in LAYERS:
        raise UnknownNameError("图层", layer, list(LAYERS))
    if basis not in BASES:
        raise UnknownNameError("依据类型", basis, list(BASES))
    if not (target / MANIFEST).is_file():
        raise SourceError(f"{target.name or target} 不是街道目录：里面没有 {MANIFEST}")

    def plan() -> _Plan:
        return _plan(Path(file), target, LAYERS[layer], crs=crs, sheet=sheet, key=key, replace=replace, basis=basis)

    if not apply:
        return plan().report
    with _locked(target):
        _finish(target)
        found = plan()
        if found.files:
            _commit(target, found)
    return found.report


def undo(folder: str | Path) -> pd.DataFrame:
    """
    Bring back, byte for byte, the files as they were before the last import into a folder.

    Returns
    -------
    files
        Index file; columns `layer`, `source` (the file whose import is undone), `what` (restored, removed).

    Raises
    ------
    SourceError
        Nothing to undo, or a file has been changed since.
    EnvironmentProblem
        The folder cannot be written, or another process is writing it.
    """
    target = Path(folder)
    if not (target / HISTORY).is_dir():
        raise SourceError(f"{target.name or target} 没有可以撤销的导入")
    with _locked(target):
        _finish(target)
        versions = _versions(target / HISTORY)
        if not versions:
            raise SourceError(f"{target.name or target} 没有可以撤销的导入")
        record = json.loads((versions[-1] / "record.json").read_text("utf-8"))
        for step in record["files"]:
            place = target / step["file"]
            if not place.is_file() or _sha(place.read_bytes()) != step["new"]:
                raise SourceError(
                    f"{step['file']} 在导入以后又改过，撤销会丢掉那些修改。先把它另存，或手工从 {HISTORY} 恢复"
                )
        note = {"version": versions[-1].name, "do": "undo"}
        _write_whole(target / HISTORY / "journal.json", json.dumps(note).encode())
        _finish(target)
    lines = [
        (s["file"], record["layer"], record["source"], "removed" if s["old"] is None else "restored")
        for s in record["files"]
    ]
    return pd.DataFrame(lines, columns=["file", "layer", "source", "what"]).set_index("file")
