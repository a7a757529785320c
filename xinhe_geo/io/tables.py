"""Planners' tables: the words of their headers, what their cells mean, and a report of every row."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pyproj

from ..core import BASIS_LABELS, STATE_LABELS, Column, Layer, SourceError

REPORT_COLUMNS = ("row", "key", "result", "column", "value", "reason", "remedy")


#: What can become of a row of the file (the first five), of a row already there, of a column or cell about persons; a remark.
RESULTS = ("new", "changed", "unchanged", "refused", "skipped", "gone", "dropped", "note")


RESULT_LABELS = {
    "new": "新增",
    "changed": "修改",
    "unchanged": "没变",
    "refused": "没收",
    "skipped": "跳过",
    "gone": "文件里没有",
    "dropped": "不收的内容",
    "note": "说明",
}


LONLAT = "EPSG:4326"


#: A file larger than this, unpacked or not, is not a list somebody typed.
MOST_BYTES, MOST_UNPACKED, MOST_RATIO = 100_000_000, 300_000_000, 200


MOST_ROWS, MOST_COLUMNS, MOST_MEMBERS, MOST_TEXT = 200_000, 512, 5_000, 2_000


#: The header stands among the first rows.
HEADER_WITHIN = 20


Floats = Any


Shapes = Any


#: Why rows of a file are not taken, by their position in it: column, value, reason, remedy.
Refusals = dict[int, list[tuple[str, Any, str, str]]]


_SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "name": ("名称", "名字", "单位名称", "机构名称", "点位名称", "设施名称", "项目名称"),
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


#: What a row of a layer is called in headers, beside the layer's own label.
_NOUNS: Mapping[str, tuple[str, ...]] = {
    "parcels": ("地块",),
    "barriers": ("阻隔",),
    "landuse": ("地块", "图斑"),
    "green": ("公园",),
    "named_roads": ("道路",),
    "homes": ("居住区",),
    "gates": ("出入口", "大门"),
    "own_facilities": ("设施",),
    "entrances": ("出入口",),
    "streets": ("道路", "路段"),
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
    "address": (
        "地址",
        "所在地址",
        "详细地址",
        "具体地址",
        "位置",
        "所在位置",
        "地点",
        "address",
        "所在小区",
        "小区",
        "小区名称",
    ),
    "both": ("坐标", "经纬度", "location", "lnglat", "坐标经纬度"),
}


_PRIVATE = re.compile(
    "身份证|证件号|公民身份|电话|手机|联系方式|联系人|姓名|户主|负责人|法人|户号|户籍号|银行卡|微信|电子邮箱|"
    "(填表|填报|制表|审核|审批|经办)人|(填表|填报|制表|审核|审批|经办|院长|主任)[:：]|"
    r"^(tel|phone|mobile|telephone|id_?card|idno|e?mail)$"
)


PRIVATE_VALUE = re.compile(r"(?<!\d)(\d{17}[\dXx]|1[3-9]\d{9}|0\d{2,3}-\d{7,8})(?!\d)")


#: Lists of people that have no place on a map of services.
NEVER = re.compile("信访|吸毒|戒毒人员|刑释|刑满释放|社区矫正|精神障碍|精神病患|涉稳|上访")


_TOTAL = re.compile("^(合计|总计|小计|共计|总和|累计|汇总|total|sum)[:：]?$", re.IGNORECASE)


_REMARK = re.compile("^(注|备注|说明|填报|填表|制表|审核|单位负责|数据来源|联系)")


EXAMPLE = "示例"


_MARKUP = re.compile(r"<\s*[/!?a-zA-Z]")


_ANGLE = re.compile(
    r"^[东西南北经纬EWNS]*\s*(-?\d+(?:\.\d+)?)\s*[°度d]\s*(?:(\d+(?:\.\d+)?)\s*['′’分m])?\s*"
    r"(?:(\d+(?:\.\d+)?)\s*(?:[\"″”秒s]|''|′′|’’)?)?\s*([EWNS东西南北]?)$",
    re.IGNORECASE,
)


WIDE = {code: code - 0xFEE0 for code in (*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B))}


def plain_header(text: object) -> str:
    """Return a header without brackets, units, blanks and stars, in small letters."""
    said = unicodedata.normalize("NFKC", str(text))
    said = re.sub(r"[(\[【{].*?[)\]】}]", "", said)
    return re.sub(r"[\s*:：_]", "", said).lower()


def header_words(layer: Layer) -> dict[str, str]:
    """Return every header that is understood, as `plain_header` spells it, and the column it means."""
    found: dict[str, str] = {}
    for column in layer.names.values():
        own = (column.name, column.label, *_SYNONYMS.get(column.name, ()))
        nouns = (layer.label, *_NOUNS.get(layer.name, ()))
        if column.name == layer.key:
            own += ("编号", "id", "编码", *(f"{n}{e}" for n in nouns for e in ("编号", "代码", "编码")), "CAD句柄")
        if column.name == "name":
            own += (*(f"{n}名称" for n in nouns), layer.label)
        for word in own:
            found.setdefault(plain_header(word), column.name)
    if layer.geometry is not None:
        for name, words in _COORDINATES.items():
            for word in words:
                found.setdefault(plain_header(word), f"@{name}")
    return found


@dataclass
class Report:
    """Rows of the report as they come up."""

    lines: list[tuple[Any, ...]] = field(default_factory=list)

    def say(
        self,
        result: str,
        reason: str,
        remedy: str = "",
        *,
        row: int | None = None,
        key: str = "",
        column: str = "",
        value: object = "",
    ) -> None:
        """Add a line."""
        self.lines.append((row, key, result, column, printable(value), reason, remedy))

    def frame(self) -> pd.DataFrame:
        """Return the lines as the report."""
        frame = pd.DataFrame(self.lines, columns=list(REPORT_COLUMNS), dtype="object")
        frame["row"] = frame["row"].astype("Int64")
        return frame


def printable(value: object) -> str:
    """Return a cell as the report may print it: short, without control characters, without anybody's number."""
    text = "" if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)) else str(value)
    text = "".join(c if c.isprintable() else "?" for c in text)
    text = PRIVATE_VALUE.sub("（已略去）", text)
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


def value_labels(column: Column) -> Mapping[str, str]:
    """Return a column's coded values and the planner's words for them."""
    labels = {**STATE_LABELS, **BASIS_LABELS}
    return {v: labels[v] for v in column.values if v in labels}


def head_of(column: Column) -> str:
    """Return a column's header in a template: label and unit."""
    return f"{column.label}（{column.unit}）" if column.unit else column.label


@dataclass
class Incoming:
    """A file as read: headers, cells, the line each row stands on; shapes where the file has geometry of its own."""

    file: str
    heads: list[str]
    rows: list[list[Any]]
    lines: list[int]
    shapes: Shapes | None = None
    crs: pyproj.CRS | None = None
    short: str = ""  # the encoding headers were cut off in after ten bytes (shapefile)


def cannot_take(file: str, what: str, remedy: str) -> SourceError:
    """Return the error for a file as a whole: what is wrong, what to do."""
    return SourceError(f"{printable(file)}：{what}。{remedy}")


def never(file: str, word: str) -> SourceError:
    """Return the error for lists of people that have no place on a map of services."""
    return cannot_take(
        file, f"“{printable(word)}”是特殊人群的名单，不能进入公共服务地图", "这类数据不收，也不要放进街道目录"
    )


#: Rows (number, cells), each as long as it is filled.
Grid = list[tuple[int, list[Any]]]
#: First row, first column, last row, last column of a merged cell; rows counted from 1, columns from 0.
Merge = tuple[int, int, int, int]


@dataclass
class _Sheet:
    """One worksheet as read."""

    rows: Grid
    merges: list[Merge] = field(default_factory=list)


def read_table(path: Path, layer: Layer, sheet: str | None, report: Report) -> Incoming:
    """Read a table of any kind that is known (.xlsx, .xls, .csv, .json): the sheet that is meant, its header found."""
    suffix = path.suffix.lower()
    if suffix in (".csv", ".txt"):
        return _table(path.name, _Sheet(_read_text(path)), layer, report)
    if suffix == ".json":
        return _table(path.name, _Sheet(_read_records(path)), layer, report)
    old = suffix == ".xls" or _is_old_workbook(path)
    if not old:
        _check_package(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # styles and extensions it does not know say nothing about the cells
        try:
            sheets = _old_sheets(path, sheet) if old else _sheets(path, sheet, formulas=False)
        except SourceError:
            raise
        except Exception as error:  # the reader raises whatever broken parts make it stumble over
            raise cannot_take(
                path.name, f"工作簿读不出来（{printable(str(error))}）", "在 Excel 里去掉密码，另存为新的 .xlsx"
            ) from error
        name = _sheet_wanted(path, layer, sheet, {n: s.rows for n, s in sheets.items()}, report)
        formulas = {} if old or not _has_formulas(path) else dict(_sheets(path, name, formulas=True)[name].rows)
    _put_uncomputed(sheets[name], formulas)
    return _table(path.name, sheets[name], layer, report)


def workbook_rows(path: Path) -> dict[str, Grid]:
    """Return the filled rows (number, cells) of each worksheet of an .xlsx, after the checks every workbook gets."""
    _check_package(path)
    try:
        return {name: sheet.rows for name, sheet in _sheets(path, None, formulas=False).items()}
    except SourceError:
        raise
    except Exception as error:  # the reader raises whatever broken parts make it stumble over
        raise cannot_take(path.name, "工作簿读不出来", "在 Excel 里打开，另存为新的 .xlsx") from error


def _is_old_workbook(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(8).startswith(b"\xd0\xcf\x11\xe0")


def _check_package(path: Path) -> None:
    """Refuse what is no workbook, unpacks to too much, or defines entities."""
    unpack_safely(path, "Excel 工作簿", "在 Excel 里另存为新的 .xlsx")
    try:
        with zipfile.ZipFile(path) as package:
            if "[Content_Types].xml" not in package.namelist():
                raise cannot_take(path.name, "不是 Excel 工作簿", "检查扩展名；在 Excel 里另存为 .xlsx")
            for member in package.infolist():
                if not member.filename.endswith((".xml", ".rels")):
                    continue
                with package.open(member) as stream:
                    start = stream.read(4096).replace(b"\0", b"")  # UTF-16 says the same in twice the bytes
                if b"<!DOCTYPE" in start or b"<!ENTITY" in start:
                    raise cannot_take(path.name, "工作簿里有实体定义，不是 Excel 写的", "在 Excel 里另存为新的 .xlsx")
                if member.filename.startswith("xl/worksheets/") and _many_rows(package, member):
                    raise cannot_take(path.name, f"有一张工作表超过 {MOST_ROWS:,} 行", "删去空行，或分成几份导入")
    except _BROKEN_ZIP as error:
        raise cannot_take(
            path.name, "不是完整的 .xlsx 工作簿", "检查扩展名，或重新拷贝；在 Excel 里另存为 .xlsx"
        ) from error


_BROKEN_ZIP = (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error, OSError, ValueError)


def unpack_safely(path: Path, what: str, remedy: str) -> None:
    """Refuse an archive that is broken, or unpacks to more than anybody would type."""
    try:
        with zipfile.ZipFile(path) as package:
            members = package.infolist()
    except _BROKEN_ZIP as error:
        raise cannot_take(path.name, f"不是完整的 {what}", f"检查扩展名，或重新拷贝；{remedy}") from error
    unpacked = sum(m.file_size for m in members)
    packed = max(sum(m.compress_size for m in members), 1)
    if (
        len(members) > MOST_MEMBERS
        or unpacked > MOST_UNPACKED
        or (unpacked > 20_000_000 and unpacked / packed > MOST_RATIO)
    ):
        raise cannot_take(path.name, f"解压后有 {unpacked / 1e6:,.0f} MB，超出合理大小", f"只留要用的内容；{remedy}")


def _many_rows(package: zipfile.ZipFile, member: zipfile.ZipInfo) -> bool:
    """Whether a worksheet has more rows than are read: counting tags is much faster than reading them."""
    found, tail = 0, b""
    with package.open(member) as stream:
        while chunk := stream.read(4_000_000):
            found += (tail[-3:] + chunk).count(b"<row")
            tail = chunk
    return found > MOST_ROWS + HEADER_WITHIN


def _has_formulas(path: Path) -> bool:
    with zipfile.ZipFile(path) as package:
        sheets = [n for n in package.namelist() if n.startswith("xl/worksheets/") and n.endswith(".xml")]
        return any(re.search(rb"<f[\s>/]", package.read(name)) for name in sheets)


def _sheets(path: Path, sheet: str | None, *, formulas: bool) -> dict[str, _Sheet]:
    """Return each worksheet of an .xlsx, or the one that is asked for."""
    # A stream of our own: with a path, the reader leaves the file open when it stumbles.
    book = openpyxl.load_workbook(
        io.BytesIO(path.read_bytes()), read_only=True, data_only=not formulas, keep_links=False
    )
    found: dict[str, _Sheet] = {}
    for one in _asked(path, sheet, [s.title for s in book.worksheets]):
        work = book[one]
        work.reset_dimensions()
        rows = _filled(path, f"工作表“{printable(one)}”", enumerate(work.iter_rows(values_only=True), 1))
        found[one] = _Sheet(rows, [] if formulas else _merges(path, str(work._worksheet_path)))
    book.close()
    return found


def _merges(path: Path, member: str) -> list[Merge]:
    """Return the merged cells of a worksheet: the fast reader does not tell them."""
    with zipfile.ZipFile(path) as package:
        text = package.read(member.lstrip("/"))
    found = re.findall(rb"<mergeCell\s[^>]*?ref=\"([A-Z]{1,3})(\d{1,7}):([A-Z]{1,3})(\d{1,7})\"", text)
    return [(int(r1), _column(c1), int(r2), _column(c2)) for c1, r1, c2, r2 in found[:MOST_ROWS]]


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number - 1


def _old_sheets(path: Path, sheet: str | None) -> dict[str, _Sheet]:
    """Return each worksheet of an .xls, or the one that is asked for."""
    import xlrd

    if not _is_old_workbook(path):
        raise cannot_take(path.name, "不是旧格式（.xls）的工作簿", "检查扩展名；在 Excel 里另存为 .xlsx")
    book = xlrd.open_workbook(
        file_contents=path.read_bytes(), logfile=io.StringIO(), formatting_info=True, ragged_rows=True
    )
    found: dict[str, _Sheet] = {}
    for one in _asked(path, sheet, book.sheet_names()):
        work = book.sheet_by_name(one)
        lines = ((i + 1, [_old_cell(c, book.datemode) for c in work.row(i)]) for i in range(work.nrows))
        merges = [(r1 + 1, c1, r2, c2 - 1) for r1, r2, c1, c2 in work.merged_cells]
        found[one] = _Sheet(_filled(path, f"工作表“{printable(one)}”", lines), merges)
    return found


def _old_cell(cell: Any, datemode: int) -> Any:
    import xlrd

    if cell.ctype == xlrd.XL_CELL_DATE:
        try:
            return xlrd.xldate_as_datetime(cell.value, datemode)
        except (ValueError, OverflowError):
            return cell.value
    if cell.ctype in (xlrd.XL_CELL_EMPTY, xlrd.XL_CELL_BLANK):
        return None
    if cell.ctype == xlrd.XL_CELL_ERROR:
        return f"={xlrd.error_text_from_code.get(cell.value, '错误')}"
    return bool(cell.value) if cell.ctype == xlrd.XL_CELL_BOOLEAN else cell.value


def _asked(path: Path, sheet: str | None, known: Sequence[str]) -> list[str]:
    if sheet is not None and sheet not in known:
        raise cannot_take(path.name, f"没有工作表“{printable(sheet)}”", f"可选：{printable('、'.join(known))}")
    return list(known) if sheet is None else [sheet]


def _filled(path: Path, where: str, lines: Iterable[tuple[int, Sequence[Any]]]) -> Grid:
    """Return the filled rows, within bounds."""
    rows: Grid = []
    for number, cells in lines:
        trimmed = _trimmed(cells)
        if len(trimmed) > MOST_COLUMNS:
            raise cannot_take(
                path.name, f"{where}第 {number} 行有 {len(trimmed):,} 列", f"最多 {MOST_COLUMNS} 列，删去用不到的列"
            )
        if trimmed:
            rows.append((number, trimmed))
        if len(rows) > MOST_ROWS:
            raise cannot_take(path.name, f"{where}超过 {MOST_ROWS:,} 行", "分成几份导入")
    return rows


def _trimmed(cells: Sequence[Any]) -> list[Any]:
    last = len(cells)
    while last and is_blank(cells[last - 1]):
        last -= 1
    return list(cells[:last])


def is_blank(cell: Any) -> bool:
    """Whether a cell holds nothing."""
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _sheet_wanted(path: Path, layer: Layer, sheet: str | None, grids: Mapping[str, Grid], report: Report) -> str:
    """Return the worksheet to read: the one asked for, the layer's own, else the one whose header is understood best."""
    if sheet is not None:
        return sheet
    for name in (layer.label, layer.name):
        if name in grids:
            return name
    filled = [name for name, rows in grids.items() if rows]
    if not filled:
        raise cannot_take(path.name, "工作簿里没有数据", "检查是否存对了文件")
    words = header_words(layer)
    best = max(filled, key=lambda name: _find_header(grids[name], words)[1])
    if len(filled) > 1:
        others = "、".join(n for n in filled if n != best)
        report.say(
            "note",
            f"读的是工作表“{printable(best)}”，没有读：{printable(others)}",
            "要读另一张，用 sheet（--sheet）说明",
        )
    return best


def _put_uncomputed(sheet: _Sheet, formulas: Mapping[int, list[Any]]) -> None:
    """Put a formula that was never computed back into its cell, where the check of cells refuses it."""
    for number, cells in sheet.rows:
        for j, formula in enumerate(formulas.get(number, ())):
            if isinstance(formula, str) and formula.startswith("=") and (j >= len(cells) or cells[j] is None):
                cells.extend([None] * (j + 1 - len(cells)))
                cells[j] = formula


def decoded_csv(path: Path) -> tuple[str, str]:
    """Return the text of a CSV as Excel writes them (UTF-8, UTF-16 or GB18030), and what separates its cells."""
    text = decoded(path)
    if "\0" in text:
        raise cannot_take(path.name, "不是文本表格", "检查扩展名；在 Excel 里另存为“CSV UTF-8”")
    return text, max(",;\t", key=text[:20_000].count)


def decoded(path: Path) -> str:
    """Return the text of a file in UTF-8, UTF-16 or GB18030."""
    raw = path.read_bytes()
    for encoding in ("utf-16",) if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "gb18030"):
        with suppress(UnicodeDecodeError):
            return raw.decode(encoding)
    raise cannot_take(path.name, "编码既不是 UTF-8 也不是 GB18030", "在 Excel 里另存为“CSV UTF-8”")


def _read_text(path: Path) -> Grid:
    text, separator = decoded_csv(path)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        return _filled(path, "", ((reader.line_num, cells) for cells in reader))
    except csv.Error as error:
        raise cannot_take(
            path.name, f"第 {reader.line_num} 行读不懂（{error}）", "在 Excel 里另存为“CSV UTF-8”"
        ) from error


def _read_records(path: Path) -> Grid:
    """Read a JSON list of records, or an object that holds one such list under any name (as web services answer)."""
    try:
        found = json.loads(decoded(path))
        if isinstance(found, dict):
            lists = [v for v in found.values() if isinstance(v, list) and v and isinstance(v[0], dict)]
            found = lists[0] if len(lists) == 1 else None
        if not isinstance(found, list) or not found or not all(isinstance(row, dict) for row in found):
            raise TypeError
    except (ValueError, TypeError, RecursionError) as error:
        raise cannot_take(
            path.name, "不是一组记录的 JSON", "写成 [{…}, {…}]，每个 {} 一行；要素集合请用 .geojson"
        ) from error
    heads = list(dict.fromkeys(str(k) for row in found[: MOST_ROWS + 1] for k in row))
    cells = ([_flat(row.get(h)) for h in heads] for row in found)
    return _filled(path, "", enumerate([heads, *cells], 0))


def _flat(value: Any) -> Any:
    """Return a value of a record as a cell: what lies deeper stays text."""
    if isinstance(value, list) and len(value) == 2 and all(isinstance(v, (int, float)) for v in value):
        return f"{value[0]!r},{value[1]!r}"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else value


# --- the header -----------------------------------------------------------------------------------------------------


def _find_header(rows: Grid, words: Mapping[str, str]) -> tuple[int, int]:
    """Return which of the first rows is the header, and how many of its cells are understood."""
    scores = [_understood(cells, words) for _, cells in rows[:HEADER_WITHIN]]
    best = int(np.argmax(scores)) if scores else 0
    return best, (scores[best] if scores else 0)


def _understood(heads: Sequence[Any], words: Mapping[str, str]) -> int:
    return len({words[plain_header(c)] for c in heads if not is_blank(c) and plain_header(c) in words})


def _two_levels(rows: Grid, at: int, words: Mapping[str, str]) -> tuple[int, int, list[str]]:
    """
    Return the first and last row of the header that begins or ends at `at`, and its heads.

    In two rows the lower one counts where it says something of its own ("经度" under "坐标"); under a blank or a total
    the upper one does; anything else is both together, so that "男" under "人口" is not taken for all people.
    """
    single = ["" if is_blank(c) else str(c).strip() for c in rows[at][1]]
    best = (at, at, single)
    score = _understood(single, words)
    for top in (at - 1, at):
        if top < 0 or top + 1 >= len(rows) or not _may_be_lower(rows[top + 1][1]):
            continue
        upper, lower = rows[top][1], rows[top + 1][1]
        heads, above = [], ""
        for j in range(max(len(upper), len(lower))):
            a = "" if j >= len(upper) or is_blank(upper[j]) else str(upper[j]).strip()
            b = "" if j >= len(lower) or is_blank(lower[j]) else str(lower[j]).strip()
            above = a or (above if b else "")
            if (
                not b
                or plain_header(b) == plain_header(above)
                or _TOTAL.match(plain_header(b))
                or plain_header(b) in ("总数", "数量")
            ):
                heads.append(above if b or a else "")
            else:
                heads.append(b if plain_header(b) in words else above + b)
        if _understood(heads, words) > score:
            best, score = (top, top + 1, heads), _understood(heads, words)
    return best


def _may_be_lower(cells: Sequence[Any]) -> bool:
    """Whether a row may be the lower half of a header: words only."""
    return not any(isinstance(c, (int, float)) or re.search(r"\d{3,}", str(c)) for c in cells if not is_blank(c))


def _table(file: str, sheet: _Sheet, layer: Layer, report: Report) -> Incoming:
    """Find the header, and leave out (reported) rows of totals, remarks, examples and repeated headers."""
    words, rows = header_words(layer), sheet.rows
    at, score = _find_header(rows, words)
    if not rows:
        raise cannot_take(file, "文件里没有数据", "检查是否存对了文件，或重新导出")
    if score == 0:
        said = "、".join(printable(c) for c in rows[0][1] if not is_blank(c))
        wanted = "、".join(head_of(c) for c in layer.columns if c.required) or "名称"
        raise cannot_take(
            file,
            f"前 {HEADER_WITHIN} 行里没有认得的表头（第一行是：{printable(said)}）",
            f"至少要有：{wanted}；可用 template 生成模板",
        )
    top, bottom, heads = _two_levels(rows, at, words)
    for _, cells in rows[: bottom + 1]:
        for cell in cells:
            if isinstance(cell, str) and NEVER.search(cell):
                raise never(file, cell)
    for number, cells in rows[:top]:
        report.say("note", f"第 {number} 行在表头以上，当作标题", value=_first(cells))
    _fill_merges(sheet, rows[bottom][0], heads, words, layer, report)
    incoming = Incoming(file, heads, [], [])
    for number, cells in rows[bottom + 1 :]:
        reason = _not_data(cells, heads)
        if reason:
            report.say("skipped", reason, row=number, value=_first(cells))
            continue
        if len(cells) > len(heads):
            report.say(
                "refused",
                f"有 {len(cells)} 格，表头只有 {len(heads)} 列",
                "检查这一行是否多了逗号，或给多出的列写表头",
                row=number,
            )
            continue
        incoming.rows.append([*cells, *[None] * (len(heads) - len(cells))])
        incoming.lines.append(number)
    return incoming


def _fill_merges(
    sheet: _Sheet, bottom: int, heads: Sequence[str], words: Mapping[str, str], layer: Layer, report: Report
) -> None:
    """Write a cell merged over several rows into each of them; a number merged over several rows is nobody's."""
    by_number = dict(sheet.rows)
    for r1, c1, r2, _ in sheet.merges:
        spanned = [by_number[r] for r in range(r1, min(r2, r1 + MOST_ROWS) + 1) if r in by_number]
        if r1 <= bottom or len(spanned) < 2 or c1 >= len(heads):
            continue
        meaning = words.get(plain_header(heads[c1]))
        column = layer.names.get(meaning or "")
        value = spanned[0][c1] if c1 < len(spanned[0]) else None
        if is_blank(value):
            continue
        counted = column is not None and column.type in ("int", "float")
        if counted:
            report.say(
                "note",
                f"第 {r1}—{r2} 行合并成一格的数分不到各行，没有读",
                "取消合并，每行写自己的数",
                column=heads[c1],
                value=value,
            )
        for cells in spanned:
            cells.extend([None] * (c1 + 1 - len(cells)))
            cells[c1] = None if counted else value


def _first(cells: Sequence[Any]) -> str:
    """Return the first filled cell for the report, unless it speaks of a person."""
    said = next(str(c) for c in cells if not is_blank(c))
    return "（已略去）" if _PRIVATE.search(said) else said


def _not_data(cells: Sequence[Any], heads: Sequence[str]) -> str:
    filled = [str(c).strip() for c in cells if not is_blank(c)]
    if any(_TOTAL.match(re.sub(r"\s", "", text)) for text in filled[:3]):
        return "合计行，不是一个要素"
    if filled[0].startswith(EXAMPLE):
        return "模板的示例行"
    if len(set(filled)) == 1 and _REMARK.match(filled[0]):
        return "表尾的说明，不是一个要素"
    if len(filled) > 1 and filled == [h for h in heads if h]:
        return "重复的表头"
    return ""


def meanings(incoming: Incoming, layer: Layer, key: str | None, report: Report) -> dict[str, int]:
    """Return which column of the file means what. People's columns go first, and nothing of them is kept."""
    words = header_words(layer)
    found: dict[str, int] = {}
    if key is not None:
        if key not in incoming.heads:
            raise cannot_take(
                incoming.file, f"没有列“{printable(key)}”", f"现有列：{printable('、'.join(incoming.heads))}"
            )
        found[layer.key] = incoming.heads.index(key)
    for j, head in enumerate(incoming.heads):
        if NEVER.search(head):
            raise never(incoming.file, head)
        meaning = _meaning(head, words, incoming.short)
        reason = _private(head, [row[j] for row in incoming.rows], meaning)
        if reason:
            if found.get(layer.key) == j:
                raise cannot_take(incoming.file, f"编号列“{printable(head)}”{reason}", "换一列作编号")
            for row in incoming.rows:
                row[j] = None
            report.say("dropped", reason, "这一列不写入任何文件", column=printable(head))
        elif j in found.values() or not head:
            continue
        elif meaning is None:
            report.say("note", "不认识的列，没有读", "要用就改成模板里的表头", column=printable(head))
        elif meaning in found:
            report.say(
                "note",
                f"和“{printable(incoming.heads[found[meaning]])}”是同一列，没有读",
                "留一列",
                column=printable(head),
            )
        else:
            found[meaning] = j
    return found


def _meaning(head: str, words: Mapping[str, str], short: str) -> str | None:
    plain = plain_header(head)
    if plain in words or not short or len(head.encode(short)) < 8:
        return words.get(plain)
    longer = {words[w] for w in words if w.startswith(plain)}
    return longer.pop() if len(longer) == 1 else None


def _private(head: str, cells: Sequence[Any], meaning: str | None) -> str:
    """Say why a column is about persons; "" where it is not."""
    if meaning is None and _PRIVATE.search(plain_header(head)):
        return "表头像个人信息（姓名、电话、证件号、户号）"
    filled = [str(c) for c in cells if not is_blank(c)]
    numbers = sum(1 for s in filled if any(PRIVATE_VALUE.fullmatch(v) for v in (_number_text(s), s.strip())))
    if numbers and numbers >= 0.3 * len(filled):
        return "内容像身份证号或手机号"
    return ""


def _number_text(text: str) -> str:
    return re.sub(r"[\s-]", "", unicodedata.normalize("NFKC", text)).removesuffix(".0")


_UNITS: Mapping[str, Mapping[str, float]] = {
    "人": {"人": 1, "名": 1, "口": 1, "千人": 1e3, "万人": 1e4, "百人": 100},
    "户": {"户": 1, "家": 1, "千户": 1e3, "万户": 1e4, "百户": 100},
    "m²": {
        "m2": 1,
        "平方米": 1,
        "平米": 1,
        "万m2": 1e4,
        "万平方米": 1e4,
        "ha": 1e4,
        "公顷": 1e4,
        "亩": 2000 / 3,
        "平方公里": 1e6,
        "平方千米": 1e6,
        "km2": 1e6,
    },
    "km²": {"km2": 1, "平方公里": 1, "平方千米": 1, "公顷": 0.01, "ha": 0.01, "m2": 1e-6, "平方米": 1e-6},
}


def unit_factor(head: str, column: Column) -> float:
    """Return what numbers under a header are multiplied by: "人口（万人）" counts in ten thousands."""
    known = _UNITS.get(column.unit, {})
    said = unicodedata.normalize("NFKC", head).lower().replace(" ", "")
    for text in (*re.findall(r"[(\[【{](.*?)[)\]】}]", said), said):
        unit = text.removeprefix("单位:").removeprefix("单位")
        if unit in known:
            return known[unit]
        if text is said:
            longest = max((u for u in known if len(u) > 1 and said.endswith(u)), key=len, default="")
            return known.get(longest, 1.0)
    return 1.0


def cell_text(column: Column, value: Any, codes: Mapping[str, str], factor: float = 1.0) -> Any:
    """Return a cell as the check at the door expects it; None where it is blank."""
    if is_blank(value) or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return None
    if isinstance(value, (datetime, date)):
        return value.year if column.type == "year" else value.isoformat()[:10]
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value).strip()
    if column.type in ("int", "float", "year"):
        return _number(column, text, factor)
    return codes.get(text, text)


def _number(column: Column, text: str, factor: float) -> str:
    """Return a number as text in the column's unit; what is none stays as it is, for the check to refuse."""
    plain = unicodedata.normalize("NFKC", text).replace(",", "").replace(" ", "")
    for unit in ("年" if column.type == "year" else "", *_UNITS.get(column.unit, {}), column.unit):
        own = unicodedata.normalize("NFKC", unit)
        number = plain.removesuffix(own) if own else plain
        if own and number != plain and re.fullmatch(r"[+-]?[\d.]+万?", number):
            plain, factor = (
                number,
                _UNITS.get(column.unit, {}).get(unit, 1.0) if unit in _UNITS.get(column.unit, {}) else 1.0,
            )
            break
    if plain.endswith("万") and column.type != "year":
        plain, factor = plain[:-1], factor * 1e4
    if factor != 1.0 and re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)", plain):
        # Twelve digits: 1.2 times ten thousand is 12000, not 11999.999999999998.
        return f"{float(plain) * factor:.12g}"
    return plain


def why_hostile(text: str) -> tuple[str, str] | None:
    """Say why a text cannot be taken as it is."""
    if any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co") and c not in "\n\t\u200d" for c in text):
        return "含有看不见的控制字符", "删去重新输入"
    if re.match(r"[=@]|[+-].*[|!(]", text):
        return "是没有算出结果的公式", "在 Excel 里复制、选择性粘贴为数值"
    if _MARKUP.search(text):
        return "像网页代码", "只写文字"
    if len(text) > MOST_TEXT:
        return f"有 {len(text):,} 个字", f"最多 {MOST_TEXT} 个字"
    return None


def coordinate(value: Any) -> float:
    """Return a coordinate cell as a number: decimal, 度分秒, with letters or full-width digits; NaN where it is none."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    text = unicodedata.normalize("NFKC", str(value)).strip().replace(" ", "")
    text = re.sub(r"^(\d{1,3}):(\d{1,2}):(\d{1,2}(?:\.\d+)?)$", r"\1°\2'\3", text)
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
