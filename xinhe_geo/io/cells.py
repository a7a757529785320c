"""What a cell of a planners' table means: blanks, numbers and their units, coordinates, words for codes; and what no cell may hold."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd

from ..core import BASIS_LABELS, OPEN_TO, PEOPLE_KINDS, STATE_LABELS, Column, say

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
_ROUGH = re.compile(
    "^(约计|大约|大概|约|将近|接近|近|不足|不到|超过|逾|超|至少|[≈~])|(左右|上下|以上|多|余|来|许|[+])(?=[^0-9一二两三四五六七八九]*$)"
)
_YEAR_DIGITS = str.maketrans("〇零○一二三四五六七八九", "000123456789")
_YEAR = re.compile(
    r"^(\d{4})(年度?|[年./-]\d{1,2}([月./-](\d{1,2}日?)?)?|(0[1-9]|1[0-2])([0-2]\d|3[01]))(\s?00:00:00)?$"
)

#: Numbers in words: 二千, 三万五, 一百零二, 1.2万, 3千; and such as are spelt digit by digit (一二〇).
_WORD_DIGITS = {**{c: i for i, c in enumerate("零一二三四五六七八九")}, "两": 2}
_PLACES = {"十": 10, "百": 100, "千": 1000}
_DIGIT = r"(?:\d+(?:\.\d+)?|[一二两三四五六七八九])"
_BELOW = rf"(?:{_DIGIT}千)?(?:零?{_DIGIT}百)?(?:零?{_DIGIT}?十)?(?:零?{_DIGIT})?"
_IN_WORDS = re.compile(rf"(?:(?P<yi>{_BELOW})亿)?(?:(?P<wan>{_BELOW})万)?(?P<rest>{_BELOW})")


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


def is_serial(cell: object) -> bool:
    """Whether a cell of years holds a date as Excel counts days: 38353 is the first of 2005, and 20055 a year mistyped."""
    return re.fullmatch(r"(2[1-9]|[3-7]\d)\d{3}(\.0)?", str(cell)) is not None


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
    text = re.sub("^'(?=[=+@＝＋＠-])", "", text)  # what our own tables put before a text that is no formula
    return codes.get(text, text)


def in_words(text: str) -> float | None:
    """
    Return the number that words say ("二千", "三万五", "1.2万", "一百零二"), None where they say none or could say two ("三五").

    A digit behind the last place counts in the next lower one: 三万五 is 35,000, 三万零五 is 30,005.
    """
    spelt = text.translate(_YEAR_DIGITS)
    if spelt != text and re.fullmatch(r"\d|\d{3,}|\d0", spelt):
        return float(spelt)
    plain = re.sub("[〇○]", "零", text)
    found = _IN_WORDS.fullmatch(re.sub("^(?=[百千万亿])", "一", plain))
    if found is None or not re.search("[十百千万亿]", plain):
        return None
    total, place = 0.0, 1
    for part, size in (("yi", 10**8), ("wan", 10**4), ("rest", 1)):
        said = found[part]
        if said is None:
            continue
        here = 0.0
        for zero, digit, unit in re.findall(rf"(零?)({_DIGIT}?)([十百千]?)", said):
            if unit:
                here += (float(_WORD_DIGITS.get(digit, digit)) if digit else 1) * (place := _PLACES[unit])
            elif digit:
                number = float(_WORD_DIGITS.get(digit, digit))
                here += number * (place // 10 if place > 1 and number < 10 and not zero else 1)
        total, place = total + here * size, size if size > 1 else place
    return total


def _number(column: Column, text: str, factor: float) -> str:
    """Return a number as text in the column's unit; what is none stays as it is, for the check to refuse."""
    plain = unicodedata.normalize("NFKC", text).replace(",", "").replace(" ", "")
    if column.type == "year":
        if is_serial(plain):
            return str((date(1899, 12, 30) + timedelta(int(plain))).year)
        plain = _ROUGH.sub("", plain)
        digits = plain.translate(_YEAR_DIGITS)
        found = _YEAR.match(digits)
        said = None if found else in_words(plain.removesuffix("年"))
        return found.group(1) if found else plain if said is None else f"{said:.12g}"
    without, known = _ROUGH.sub("", plain), {**_UNITS.get(column.unit, {}), column.unit: 1.0}
    # Without a unit of its own first: "三千户" is three thousand, not three of a thousand households each.
    for unit in ("", *known):
        own = unicodedata.normalize("NFKC", unit)
        number = without.removesuffix(own)
        said = in_words(number)
        if (unit == "" or number != without) and (said is not None or re.fullmatch(r"[+-]?\d[\d.]*", number)):
            plain = number if said is None else f"{said:.12g}"
            # "1.2万" says its own ten thousand, also under a head that counts in them
            factor = known[unit] if unit else 1.0 if said is not None and re.search("[万亿]", number) else factor
            break
    if factor != 1.0 and re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)", plain):
        # Twelve digits: 1.2 times ten thousand is 12000, not 11999.999999999998.
        return f"{float(plain) * factor:.12g}"
    return plain


def like_formula(text: str) -> bool:
    """Whether a spreadsheet could take a text for a formula; as a remark it is text, and everything that is written keeps it so."""
    return re.match(r"[=@]|[+-].*[|!(]", text) is not None or is_failed(text)


def is_failed(text: str) -> bool:
    """Whether a cell holds nothing but a formula's failure (#N/A)."""
    return re.fullmatch(r"=?#(N/A|[A-Z]+[?!]|DIV/0!)", text) is not None


def why_hostile(text: str, *, remark: bool = False) -> tuple[str, str] | None:
    """Say why a text cannot be taken as it is; a remark may begin like a formula."""
    if any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co") and c not in "\n\t\u200d" for c in text):
        return say("含有看不见的控制字符"), say("删去重新输入")
    if not remark and like_formula(text):
        return say("是没有算出结果的公式"), say("在 Excel 里复制、选择性粘贴为数值")
    if _MARKUP.search(text):
        return say("像网页代码"), say("只写文字")
    if len(text) > MOST_TEXT:
        return say("有 {0:,} 个字", len(text)), say("最多 {0} 个字", MOST_TEXT)
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
