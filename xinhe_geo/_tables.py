"""Planners' tables: the words of their headers, what their cells mean, and a report of every row."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pyproj

from .errors import SourceError
from .layers import BASIS_LABELS, STATE_LABELS, Column, Layer

REPORT_COLUMNS = ("row", "key", "result", "column", "value", "reason", "remedy")


#: What can become of a row of the file (the first five), of a row already there, of a column.
RESULTS = ("new", "changed", "unchanged", "refused", "skipped", "gone", "dropped", "note")


RESULT_LABELS = {
    "new": "新增", "changed": "修改", "unchanged": "没变", "refused": "没收", "skipped": "跳过", "gone": "文件里没有",
    "dropped": "不收的列", "note": "说明",
}  # fmt: skip


LONLAT = "EPSG:4326"


#: A file larger than this, unpacked or not, is not a list somebody typed.
MOST_BYTES, MOST_UNPACKED, MOST_RATIO = 100_000_000, 300_000_000, 200


MOST_ROWS, MOST_COLUMNS, MOST_MEMBERS, MOST_TEXT = 200_000, 512, 5_000, 2_000


#: The header stands among the first rows.
HEADER_WITHIN = 20


Floats = Any


Shapes = Any


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


PRIVATE_VALUE = re.compile(r"(?<!\d)(\d{17}[\dXx]|1[3-9]\d{9})(?!\d)")


#: Lists of people that have no place on a map of services.
NEVER = re.compile("信访|吸毒|戒毒人员|刑释|刑满释放|社区矫正|精神障碍|精神病患|涉稳|上访")


_TOTAL = re.compile("^(合计|总计|小计|共计|总和|累计|汇总|total|sum)[:：]?$", re.IGNORECASE)


_REMARK = re.compile("^(注|备注|说明|填报|填表|制表|审核|单位负责|数据来源|联系)")


EXAMPLE = "示例"


_MARKUP = re.compile(r"<\s*[/!a-zA-Z]")


_ANGLE = re.compile(
    r"^[东西南北经纬EWNS]*\s*(-?\d+(?:\.\d+)?)\s*[°度d]\s*(?:(\d+(?:\.\d+)?)\s*['′’分m])?\s*"
    r"(?:(\d+(?:\.\d+)?)\s*(?:[\"″”秒s]|''|′′|’’)?)?\s*([EWNS东西南北]?)$",
    re.IGNORECASE,
)


WIDE = {code: code - 0xFEE0 for code in (*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B))}


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


@dataclass
class Report:
    """Rows of the report as they come up."""

    lines: list[tuple[Any, ...]] = field(default_factory=list)

    def say(self, result: str, reason: str, remedy: str = "", *, row: int | None = None, key: str = "",
            column: str = "", value: object = "") -> None:  # fmt: skip
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
    return SourceError(f"{file}：{what}。{remedy}")


def never(file: str, word: str) -> SourceError:
    """Return the error for lists of people that have no place on a map of services."""
    return cannot_take(
        file, f"“{printable(word)}”是特殊人群的名单，不能进入公共服务地图", "这类数据不收，也不要放进街道目录"
    )


def read_workbook(path: Path, layer: Layer, sheet: str | None, report: Report) -> Incoming:
    """Read the worksheet that is meant, its header found."""
    _check_package(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # styles and extensions it does not know say nothing about the cells
        try:
            grids = _grids(path, sheet, formulas=False)
        except SourceError:
            raise
        except Exception as error:  # the reader raises whatever broken parts make it stumble over
            raise cannot_take(
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
        raise cannot_take(path.name, "是加密的或旧格式（.xls）的工作簿", "在 Excel 里去掉密码，另存为 .xlsx")
    try:
        with zipfile.ZipFile(path) as package:
            members = package.infolist()
            unpacked = sum(m.file_size for m in members)
            packed = max(sum(m.compress_size for m in members), 1)
            if len(members) > MOST_MEMBERS or unpacked > MOST_UNPACKED or (
                unpacked > 20_000_000 and unpacked / packed > MOST_RATIO
            ):  # fmt: skip
                raise cannot_take(path.name, f"解压后有 {unpacked / 1e6:,.0f} MB，超出合理大小",
                           "另存为只含这张表的新工作簿")  # fmt: skip
            if "[Content_Types].xml" not in package.namelist():
                raise cannot_take(path.name, "不是 Excel 工作簿", "检查扩展名；在 Excel 里另存为 .xlsx")
            for member in members:
                if member.filename.endswith((".xml", ".rels")):
                    with package.open(member) as stream:
                        start = stream.read(4096)
                    if b"<!DOCTYPE" in start or b"<!ENTITY" in start:
                        raise cannot_take(
                            path.name, "工作簿里有实体定义，不是 Excel 写的", "在 Excel 里另存为新的 .xlsx"
                        )
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zipfile.zlib.error) as error:  # type: ignore[attr-defined]
        raise cannot_take(
            path.name, "不是完整的 .xlsx 工作簿", "检查扩展名，或重新拷贝；在 Excel 里另存为 .xlsx"
        ) from error


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
        raise cannot_take(path.name, f"没有工作表“{printable(sheet)}”", f"可选：{'、'.join(known)}")
    grids: dict[str, list[tuple[int, list[Any]]]] = {}
    for one in book.worksheets:
        if sheet not in (None, one.title):
            continue
        one.reset_dimensions()
        rows: list[tuple[int, list[Any]]] = []
        for number, cells in enumerate(one.iter_rows(values_only=True), 1):
            trimmed = _trimmed(cells)
            if len(trimmed) > MOST_COLUMNS:
                raise cannot_take(path.name, f"工作表“{one.title}”第 {number} 行有 {len(trimmed):,} 列",
                           f"最多 {MOST_COLUMNS} 列，删去用不到的列")  # fmt: skip
            if trimmed:
                rows.append((number, trimmed))
            if len(rows) > MOST_ROWS:
                raise cannot_take(path.name, f"工作表“{one.title}”超过 {MOST_ROWS:,} 行", "分成几份导入")
        grids[one.title] = rows
    book.close()
    return grids


def _trimmed(cells: Sequence[Any]) -> list[Any]:
    last = len(cells)
    while last and is_blank(cells[last - 1]):
        last -= 1
    return list(cells[:last])


def is_blank(cell: Any) -> bool:
    """Whether a cell holds nothing."""
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _sheet_wanted(path: Path, layer: Layer, sheet: str | None, grids: Mapping[str, Any], report: Report) -> str:
    """Return the worksheet to read: the one asked for, the layer's own, else the one whose header is understood best."""
    if sheet is not None:
        return sheet
    for name in (layer.label, layer.name):
        if name in grids:
            return name
    filled = [name for name, rows in grids.items() if rows]
    if not filled:
        raise cannot_take(path.name, "工作簿里没有数据", "检查是否存对了文件")
    words = _words(layer)
    best = max(filled, key=lambda name: _find_header(grids[name], words)[1])
    if len(filled) > 1:
        others = "、".join(n for n in filled if n != best)
        report.say("note", f"读的是工作表“{best}”，没有读：{others}", "要读另一张，用 sheet（--sheet）说明")
    return best


def _find_header(rows: Sequence[tuple[int, list[Any]]], words: Mapping[str, str]) -> tuple[int, int]:
    """Return which of the first rows is the header, and how many of its cells are understood."""
    scores = [
        len({words[_plain(c)] for c in cells if not is_blank(c) and _plain(c) in words})
        for _, cells in rows[:HEADER_WITHIN]
    ]
    best = int(np.argmax(scores)) if scores else 0
    return best, (scores[best] if scores else 0)


def _refuse_uncomputed(incoming: Incoming, formulas: Sequence[tuple[int, list[Any]]]) -> None:
    """Put a formula that was never computed back into its cell, where the check of cells refuses it."""
    written = dict(formulas)
    for cells, line in zip(incoming.rows, incoming.lines, strict=True):
        for j, formula in enumerate(written.get(line, ())):
            if isinstance(formula, str) and formula.startswith("=") and j < len(cells) and cells[j] is None:
                cells[j] = formula


def decoded_csv(path: Path) -> tuple[str, str]:
    """Return the text of a CSV as Excel writes them (UTF-8, UTF-16 or GB18030), and what separates its cells."""
    raw = path.read_bytes()
    for encoding in ("utf-16",) if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "gb18030"):
        with suppress(UnicodeDecodeError):
            text = raw.decode(encoding)
            break
    else:
        raise cannot_take(path.name, "编码既不是 UTF-8 也不是 GB18030", "在 Excel 里另存为“CSV UTF-8”")
    if "\0" in text:
        raise cannot_take(path.name, "不是文本表格", "检查扩展名；在 Excel 里另存为“CSV UTF-8”")
    return text, max(",;\t", key=text[:20_000].count)


def read_text_table(path: Path, layer: Layer, report: Report) -> Incoming:
    """Read a CSV as Excel writes them: UTF-8, UTF-16 or GB18030; comma, semicolon or tab."""
    text, separator = decoded_csv(path)
    rows: list[tuple[int, list[Any]]] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        for cells in reader:
            trimmed = _trimmed(cells)
            if len(trimmed) > MOST_COLUMNS:
                raise cannot_take(
                    path.name, f"第 {reader.line_num} 行有 {len(trimmed):,} 列", f"最多 {MOST_COLUMNS} 列"
                )
            if trimmed:
                rows.append((reader.line_num, trimmed))
            if len(rows) > MOST_ROWS:
                raise cannot_take(path.name, f"超过 {MOST_ROWS:,} 行", "分成几份导入")
    except csv.Error as error:
        raise cannot_take(
            path.name, f"第 {reader.line_num} 行读不懂（{error}）", "在 Excel 里另存为“CSV UTF-8”"
        ) from error
    return _table(path.name, rows, layer, report)


def _table(file: str, rows: Sequence[tuple[int, list[Any]]], layer: Layer, report: Report) -> Incoming:
    """Find the header, and leave out (reported) rows of totals, remarks, examples and repeated headers."""
    words = _words(layer)
    at, score = _find_header(rows, words)
    if score == 0:
        wanted = "、".join(head_of(c) for c in layer.columns if c.required) or "名称"
        raise cannot_take(file, f"前 {HEADER_WITHIN} 行里没有认得的表头", f"至少要有：{wanted}；可用 template 生成模板")
    for _, cells in rows[: at + 1]:
        for cell in cells:
            if isinstance(cell, str) and NEVER.search(cell):
                raise never(file, cell)
    heads = ["" if is_blank(c) else str(c).strip() for c in rows[at][1]]
    for number, cells in rows[:at]:
        report.say("note", f"第 {number} 行在表头以上，当作标题", value=_first(cells))
    incoming = Incoming(file, heads, [], [])
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
    said = next(str(c) for c in cells if not is_blank(c))
    return "（已略去）" if _PRIVATE.search(said) else said


def _not_data(cells: Sequence[Any], heads: Sequence[str]) -> str:
    filled = [str(c).strip() for c in cells if not is_blank(c)]
    if any(_TOTAL.match(re.sub(r"\s", "", text)) for text in filled[:3]):
        return "合计行，不是一个要素"
    if filled[0].startswith(EXAMPLE):
        return "模板的示例行"
    if len(filled) == 1 and _REMARK.match(filled[0]):
        return "表尾的说明，不是一个要素"
    if len(filled) > 1 and filled == [h for h in heads if h]:
        return "重复的表头"
    return ""


def meanings(incoming: Incoming, layer: Layer, key: str | None, report: Report) -> dict[str, int]:
    """Return which column of the file means what. People's columns go first, and nothing of them is kept."""
    words = _words(layer)
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
    plain = _plain(head)
    if plain in words or not short or len(head.encode(short)) < 8:
        return words.get(plain)
    longer = {words[w] for w in words if w.startswith(plain)}
    return longer.pop() if len(longer) == 1 else None


def _private(head: str, cells: Sequence[Any], meaning: str | None) -> str:
    """Say why a column is about persons; "" where it is not."""
    if meaning is None and _PRIVATE.search(_plain(head)):
        return "表头像个人信息（姓名、电话、证件号、户号）"
    filled = [str(c) for c in cells if not is_blank(c)]
    numbers = sum(1 for text in filled if PRIVATE_VALUE.fullmatch(_number_text(text)))
    if numbers and numbers >= 0.3 * len(filled):
        return "内容像身份证号或手机号"
    return ""


def _number_text(text: str) -> str:
    return re.sub(r"[\s-]", "", unicodedata.normalize("NFKC", text)).removesuffix(".0")


def cell_text(column: Column, value: Any, codes: Mapping[str, str]) -> Any:
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
        plain = unicodedata.normalize("NFKC", text).replace(",", "").replace(" ", "")
        for unit in ("年" if column.type == "year" else "", column.unit):
            plain = plain.removesuffix(unicodedata.normalize("NFKC", unit)) if unit else plain
        return plain
    return codes.get(text, text)


def why_hostile(text: str) -> tuple[str, str] | None:
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


def coordinate(value: Any) -> float:
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
