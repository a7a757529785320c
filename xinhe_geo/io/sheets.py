"""Sheets of cells, as they stand in workbooks (.xlsx, .xls), in CSV and in lists of records (.json)."""

from __future__ import annotations

import csv
import io
import json
import re
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..core import EnvironmentProblem, SourceError, apart, needing, say
from .cells import is_blank, printable
from .incoming import (
    BROKEN_ZIP,
    MOST_CELLS,
    MOST_COLUMNS,
    MOST_LINES,
    MOST_PARTS,
    MOST_ROWS,
    cannot_take,
    decoded,
    decoded_csv,
    unpack_safely,
)

if TYPE_CHECKING:
    import xlrd

#: The header stands among the first rows.
HEADER_WITHIN = 20
#: Rows (number, cells), each as long as it is filled.
Grid = list[tuple[int, list[object]]]
#: Merged cells of a worksheet, each of which is looked at; and what is counted before a part of a workbook is read.
MOST_MERGES = 20_000
_BOUNDED = (b"<!DOCTYPE", b"<!ENTITY", b"<row", b"<mergeCell ")
#: First row, first column, last row, last column of a merged cell; rows counted from 1, columns from 0.
Merge = tuple[int, int, int, int]


@dataclass
class Sheet:
    """One worksheet as read."""

    rows: Grid
    merges: list[Merge] = field(default_factory=list)


def read_workbook(path: Path, sheet: str | None) -> dict[str, Sheet]:
    """Return the worksheets of an .xlsx or .xls, or the one that is asked for; whatever its parts are, or a message."""
    old = _is_old(path)
    if not old:
        check_workbook(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # styles and extensions it does not know say nothing about the cells
        try:
            return _old_sheets(path, sheet) if old else _sheets(path, sheet, formulas=False)
        except (SourceError, EnvironmentProblem):
            raise
        except Exception as error:  # the reader raises whatever broken parts make it stumble over
            raise cannot_take(
                path.name,
                say("工作簿读不出来（{0}）", printable(str(error))),
                say("在 Excel 里去掉密码，另存为新的 .xlsx"),
            ) from error


def put_uncomputed(path: Path, name: str, sheet: Sheet) -> None:
    """Put formulas of a worksheet that were never computed back into their cells, where the check of cells refuses them."""
    if _is_old(path) or not _has_formulas(path):
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        formulas = dict(_sheets(path, name, formulas=True)[name].rows)
    for number, cells in sheet.rows:
        for j, formula in enumerate(formulas.get(number, ())):
            if isinstance(formula, str) and formula.startswith("=") and (j >= len(cells) or cells[j] is None):
                cells.extend([None] * (j + 1 - len(cells)))
                cells[j] = formula


def workbook_rows(path: Path) -> dict[str, Grid]:
    """Return the filled rows (number, cells) of each worksheet of an .xlsx, after the checks every workbook gets."""
    return apart(_workbook_rows, path)


def _workbook_rows(path: Path) -> dict[str, Grid]:
    check_workbook(path)
    try:
        found = _sheets(path, None, formulas=False)
        for name, sheet in found.items():
            put_uncomputed(path, name, sheet)
        return {name: sheet.rows for name, sheet in found.items()}
    except SourceError:
        raise
    except Exception as error:  # the reader raises whatever broken parts make it stumble over
        raise cannot_take(path.name, say("工作簿读不出来"), say("在 Excel 里打开，另存为新的 .xlsx")) from error


def _is_old(path: Path) -> bool:
    """Whether a workbook is an .xls, by its name or by how it begins."""
    return path.suffix.lower() == ".xls" or _begins_like_old(path)


def _begins_like_old(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(8).startswith(b"\xd0\xcf\x11\xe0")


def check_workbook(path: Path) -> None:
    """Refuse what is no workbook, unpacks to too much, or defines entities."""
    unpack_safely(path, say("Excel 工作簿"), say("在 Excel 里另存为新的 .xlsx"))
    try:
        with zipfile.ZipFile(path) as package:
            if "[Content_Types].xml" not in package.namelist():
                raise cannot_take(path.name, say("不是 Excel 工作簿"), say("检查扩展名；在 Excel 里另存为 .xlsx"))
            for member in package.infolist():
                if not member.filename.endswith((".xml", ".rels")):
                    continue
                found = _counted(package, member)
                if found[b"<!DOCTYPE"] or found[b"<!ENTITY"]:
                    raise cannot_take(
                        path.name, say("工作簿里有实体定义，不是 Excel 写的"), say("在 Excel 里另存为新的 .xlsx")
                    )
                if found[b"<row"] > MOST_ROWS + HEADER_WITHIN:
                    raise cannot_take(
                        path.name, say("有一张工作表超过 {0:,} 行", MOST_ROWS), say("删去空行，或分成几份导入")
                    )
                if found[b"<mergeCell "] > MOST_MERGES:
                    raise cannot_take(
                        path.name, say("有一张工作表超过 {0:,} 个合并单元格", MOST_MERGES), say("取消合并，每行写全")
                    )
    except BROKEN_ZIP as error:
        raise cannot_take(
            path.name, say("不是完整的 .xlsx 工作簿"), say("检查扩展名，或重新拷贝；在 Excel 里另存为 .xlsx")
        ) from error


def _counted(package: zipfile.ZipFile, member: zipfile.ZipInfo) -> Counter[bytes]:
    """Return how often a part of a workbook has what is bounded: counting tags is much faster than reading them."""
    found, tail = Counter[bytes](), b""
    with package.open(member) as stream:
        while chunk := stream.read(4_000_000):
            chunk = chunk.replace(b"\0", b"")  # UTF-16 says the same in twice the bytes
            for tag in _BOUNDED:
                found[tag] += (tail[1 - len(tag) :] + chunk).count(tag)
            tail = chunk
    return found


def _has_formulas(path: Path) -> bool:
    with zipfile.ZipFile(path) as package:
        sheets = [n for n in package.namelist() if n.startswith("xl/worksheets/") and n.endswith(".xml")]
        return any(re.search(rb"<f[\s>/]", package.read(name)) for name in sheets)


def _sheets(path: Path, sheet: str | None, *, formulas: bool) -> dict[str, Sheet]:
    """Return each worksheet of an .xlsx, or the one that is asked for."""
    import openpyxl

    # A stream of our own: with a path, the reader leaves the file open when it stumbles.
    book = openpyxl.load_workbook(
        io.BytesIO(path.read_bytes()), read_only=True, data_only=not formulas, keep_links=False
    )
    found: dict[str, Sheet] = {}
    for one in _asked(path, sheet, [s.title for s in book.worksheets]):
        work = book[one]
        work.reset_dimensions()
        rows = _filled(path, say("工作表“{0}”", printable(one)), enumerate(work.iter_rows(values_only=True), 1))
        found[one] = Sheet(rows, [] if formulas else _merges(path, str(work._worksheet_path)))
    book.close()
    return found


def _merges(path: Path, member: str) -> list[Merge]:
    """Return the merged cells of a worksheet: the fast reader does not tell them."""
    with zipfile.ZipFile(path) as package:
        text = package.read(member.lstrip("/"))
    found = re.findall(rb"<mergeCell\s[^<>]*?ref=\"([A-Z]{1,3})(\d{1,7}):([A-Z]{1,3})(\d{1,7})\"", text)
    return [(int(r1), _column(c1), int(r2), _column(c2)) for c1, r1, c2, r2 in found]


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number - 1


def _old_sheets(path: Path, sheet: str | None) -> dict[str, Sheet]:
    """Return each worksheet of an .xls, or the one that is asked for."""
    if not _begins_like_old(path):
        raise cannot_take(path.name, say("不是旧格式（.xls）的工作簿"), say("检查扩展名；在 Excel 里另存为 .xlsx"))
    with needing("office", say("读旧格式（.xls）的工作簿")):
        import xlrd
    book = xlrd.open_workbook(
        file_contents=path.read_bytes(), logfile=io.StringIO(), formatting_info=True, ragged_rows=True
    )
    found: dict[str, Sheet] = {}
    for one in _asked(path, sheet, book.sheet_names()):
        work = book.sheet_by_name(one)
        lines = ((i + 1, [_old_cell(c, book.datemode) for c in work.row(i)]) for i in range(work.nrows))
        merges = [(r1 + 1, c1, r2, c2 - 1) for r1, r2, c1, c2 in work.merged_cells]
        found[one] = Sheet(_filled(path, say("工作表“{0}”", printable(one)), lines), merges)
    return found


def _old_cell(cell: xlrd.sheet.Cell, datemode: int) -> object:
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
        raise cannot_take(
            path.name, say("没有工作表“{0}”", printable(sheet)), say("可选：{0}", printable(say("、").join(known)))
        )
    return list(known) if sheet is None else [sheet]


def read_csv_sheet(path: Path) -> Sheet:
    """Read a CSV as Excel writes them."""
    text, separator = decoded_csv(path)
    cells, lines = text.count(separator), text.count("\n") + text.count("\r") + 1
    if cells > MOST_CELLS // 10 and cells > MOST_COLUMNS * lines:
        raise cannot_take(path.name, say("一行有上百万列"), say("最多 {0} 列，删去用不到的列", MOST_COLUMNS))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        return Sheet(_filled(path, "", ((reader.line_num, cells) for cells in reader)))
    except csv.Error as error:
        raise cannot_take(
            path.name, say("第 {0} 行读不懂（{1}）", reader.line_num, error), say("在 Excel 里另存为“CSV UTF-8”")
        ) from error


def read_records(path: Path) -> Sheet:
    """Read a JSON list of records, or an object that holds one such list under any name (as web services answer), or several."""
    text = decoded(path)
    if text.count("[") + text.count("{") > MOST_PARTS:
        raise cannot_take(path.name, say("里面的记录太多"), say("分成几份导入"))
    try:
        found = json.loads(text)
        if isinstance(found, dict):
            found = _held(found)
        elif isinstance(found, list) and all(isinstance(page, dict) and "status" in page for page in found):
            pages = [
                _held(page) for page in found
            ]  # an answer in pages, one behind the other; the last one may be empty
            found = [row for page in pages for row in page] or found
        if not isinstance(found, list) or not found or not all(isinstance(row, dict) for row in found):
            raise TypeError
    except (ValueError, TypeError, RecursionError) as error:
        raise cannot_take(
            path.name, say("不是一组记录的 JSON"), say("写成 [{{…}}, {{…}}]，每个 {{}} 一行；要素集合请用 .geojson")
        ) from error
    found = [_opened(row) for row in found]
    heads = list(dict.fromkeys(k for row in found[: MOST_ROWS + 1] for k in row))
    cells = ([_flat(row.get(h)) for h in heads] for row in found)
    return Sheet(_filled(path, "", enumerate([heads, *cells], 0)))


def _held(answer: object) -> list[object]:
    """Return the one list of records that an answer of a web service holds, however deep; none where there are several."""
    values = list(answer.values()) if isinstance(answer, dict) else []
    lists = [value for value in values if isinstance(value, list) and value and isinstance(value[0], dict)]
    lists = lists or [held for value in values if (held := _held(value))]
    return lists[0] if len(lists) == 1 else []


def _opened(record: dict[object, object]) -> dict[str, object]:
    """Return a record with what lies one level deeper under heads of its own: {"location": {"lng": …}} as location.lng."""
    found: dict[str, object] = {}
    for head, value in record.items():
        found |= {f"{head}.{k}": v for k, v in value.items()} if isinstance(value, dict) else {str(head): value}
    return found


def _flat(value: object) -> object:
    """Return a value of a record as a cell: what lies deeper stays text."""
    if isinstance(value, list) and len(value) == 2 and all(isinstance(v, (int, float)) for v in value):
        return f"{value[0]!r},{value[1]!r}"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else value


def _filled(path: Path, where: str, lines: Iterable[tuple[int, Sequence[object]]]) -> Grid:
    """Return the filled rows, within bounds."""
    rows: Grid = []
    seen = 0
    for number, cells in lines:
        seen += len(cells)
        if number > MOST_LINES or seen > MOST_CELLS:
            what = (
                say("{0}超过 {1:,} 行（空的也算）", where, MOST_LINES)
                if number > MOST_LINES
                else say("{0}的空格子太多（空的也算）", where)
            )
            raise cannot_take(path.name, what, say("只选有内容的部分，复制到新的工作簿"))
        last = len(cells)
        while last and is_blank(cells[last - 1]):
            last -= 1
        trimmed = list(cells[:last])
        if len(trimmed) > MOST_COLUMNS:
            raise cannot_take(
                path.name,
                say("{0}第 {1} 行有 {2:,} 列", where, number, len(trimmed)),
                say("最多 {0} 列，删去用不到的列", MOST_COLUMNS),
            )
        if trimmed:
            rows.append((number, trimmed))
        if len(rows) > MOST_ROWS:
            raise cannot_take(path.name, say("{0}超过 {1:,} 行", where, MOST_ROWS), say("分成几份导入"))
    return rows
