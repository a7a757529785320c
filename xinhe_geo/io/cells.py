"""What a cell of a planners' table means: blanks, numbers and their units, coordinates, words for codes; and what no cell may hold."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import date, datetime

import numpy as np
import pandas as pd

from ..core import BASIS_LABELS, OPEN_TO, PEOPLE_KINDS, STATE_LABELS, Column

#: A cell as the check of a district's rows takes it.
Cell = str | int | None

#: A longer text is no cell of a list.
MOST_TEXT = 2_000
#: What the example row of a template begins with.
EXAMPLE = "示例"
PRIVATE_VALUE = re.compile(r"(?<!\d)(\d{17}[\dXx]|1[3-9]\d{9}|0\d{2,3}-\d{7,8})(?!\d)")
_MARKUP = re.compile(r"<\s*[/!?a-zA-Z]")
_ANGLE = re.compile(
    r"^[东西南北经纬EWNS]*\s*(-?\d+(?:\.\d+)?)\s*[°度d]\s*(?:(\d+(?:\.\d+)?)\s*['′’分m])?\s*"
    r"(?:(\d+(?:\.\d+)?)\s*(?:[\"″”秒s]|''|′′|’’)?)?\s*([EWNS东西南北]?)$",
    re.IGNORECASE,
)
WIDE = {code: code - 0xFEE0 for code in (*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B))}
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


#: Every unit a number can have in a head or a cell.
UNIT_NAMES = frozenset(unicodedata.normalize("NFKC", u) for units in _UNITS.values() for u in (*units, "m²", "㎡"))

#: What stands before or behind a number that somebody has not counted, and the digits of a year in words.
_ROUGH = re.compile("^(约|大约|约计|近)|(左右|上下|多|余)(?=[^0-9]*$)")
_YEAR_DIGITS = str.maketrans("〇零○一二三四五六七八九", "000123456789")
_YEAR = re.compile(r"^(\d{4})(年度?|[年./-]\d{1,2}([月./-](\d{1,2}日?)?)?)$")


#: What stands in a cell of numbers where nobody knows the number, or there is none to tell.
_NO_NUMBER = re.compile(
    r"[-‐-―─－_/\\*.…×]{1,6}|无|没有|暂无|不详|未知|未统计|不清楚|待定|待填|待核|空|n/?a|null|none|nan", re.IGNORECASE
)


def is_no_number(cell: object) -> bool:
    """Whether a cell of numbers says that there is no number to tell ("-", "无", "不详"): it is blank, never nought."""
    return isinstance(cell, str) and _NO_NUMBER.fullmatch(unicodedata.normalize("NFKC", cell).strip()) is not None


def is_rough(cell: object) -> bool:
    """Whether a number is written as a rough one (约500)."""
    return isinstance(cell, str) and _ROUGH.search(unicodedata.normalize("NFKC", cell).strip()) is not None


def is_blank(cell: object) -> bool:
    """Whether a cell holds nothing."""
    return cell is None or (isinstance(cell, str) and not cell.strip())


def printable(value: object) -> str:
    """Return a cell as the report may print it: short, without control characters, without anybody's number."""
    text = "" if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)) else str(value)
    text = "".join(c if c.isprintable() else "?" for c in text)
    text = PRIVATE_VALUE.sub("（已略去）", text)
    return text if len(text) <= 60 else text[:57] + "…"


def written(value: object) -> str:
    """Return a cell as it was written: whole numbers without a point, dates as 2026-11-24, truth as tables have it; blank is empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime | date):
        return value.strftime("%Y-%m-%d")
    return f"{value:.12g}" if isinstance(value, float) else str(value).strip()


def value_labels(column: Column) -> Mapping[str, str]:
    """Return a column's coded values and the planner's words for them."""
    labels = {**STATE_LABELS, **BASIS_LABELS, **PEOPLE_KINDS, **OPEN_TO}
    return {v: labels[v] for v in column.values if v in labels}


def head_of(column: Column) -> str:
    """Return a column's header in a template: label and unit."""
    return f"{column.label}（{column.unit}）" if column.unit else column.label


def unit_factor(head: str, column: Column) -> float:
    """Return what numbers under a header are multiplied by: "人口（万人）" counts in ten thousands."""
    known = _UNITS.get(column.unit, {})
    # no header is longer that anybody reads, and brackets that nothing closes would be gone through again and again
    said = unicodedata.normalize("NFKC", head[:300]).lower().replace(" ", "")
    for text in (*re.findall(r"[(\[【{](.*?)[)\]】}]", said), said):
        unit = text.removeprefix("单位:").removeprefix("单位")
        if unit in known:
            return known[unit]
        if text is said:
            longest = max((u for u in known if len(u) > 1 and said.endswith(u)), key=len, default="")
            return known.get(longest, 1.0)
    return 1.0


def cell_text(column: Column, value: object, codes: Mapping[str, str], factor: float = 1.0) -> Cell:
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
        return None if is_no_number(text) else _number(column, text, factor)
    return codes.get(text, text)


def _number(column: Column, text: str, factor: float) -> str:
    """Return a number as text in the column's unit; what is none stays as it is, for the check to refuse."""
    plain = unicodedata.normalize("NFKC", text).replace(",", "").replace(" ", "")
    if column.type == "year":
        digits = plain.translate(_YEAR_DIGITS)
        found = _YEAR.match(digits)
        return found.group(1) if found else digits if re.fullmatch(r"\d{4}", digits) else plain
    if re.search(r"\d", plain):
        plain = _ROUGH.sub("", plain)
    for unit in (*_UNITS.get(column.unit, {}), column.unit):
        own = unicodedata.normalize("NFKC", unit)
        number = plain.removesuffix(own) if own else plain
        if own and number != plain and re.fullmatch(r"[+-]?[\d.]+万?", number):
            plain, factor = (
                number,
                _UNITS.get(column.unit, {}).get(unit, 1.0) if unit in _UNITS.get(column.unit, {}) else 1.0,
            )
            break
    if plain.endswith("万"):
        plain, factor = plain[:-1], factor * 1e4
    if factor != 1.0 and re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)", plain):
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


def coordinate(value: object) -> float:
    """Return a coordinate cell as a number: decimal, 度分秒, with letters or full-width digits; NaN where it is none."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    text = unicodedata.normalize("NFKC", str(value)).strip().replace(" ", "")
    text = re.sub(r"^(\d{1,3}):(\d{1,2}):(\d{1,2}(?:\.\d+)?)$", r"\1°\2'\3", text)
    bare = text.replace(",", "")
    if not re.match(r"[^°度]*[°度].*\d", bare):
        bare = re.sub(r"^[EN东北][经纬]?", "", bare).rstrip("EN°度")
    if re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", bare):
        return float(bare)
    found = _ANGLE.match(text)
    if found is None:
        return float("nan")
    degrees, minutes, seconds = (float(g) if g else 0.0 for g in found.groups()[:3])
    if minutes >= 60 or seconds >= 60:
        return float("nan")
    size = abs(degrees) + minutes / 60 + seconds / 3600
    return -size if degrees < 0 or found.group(4).upper() in ("W", "S", "西", "南") else size
