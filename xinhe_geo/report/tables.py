"""Tables as they are handed over: marked where they must be, and with their columns in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import SupportsFloat

import pandas as pd

from ..core import amount, keeping, per_cent, say, signed, strictest
from ..district import District

#: A column whose texts are numbers with their unit.
NET = "净增（按本指标）"


def marked_rows(table: pd.DataFrame, district: District) -> pd.DataFrame:
    """Return a table whose every row says that it is a demonstration, and that it rests on a secret layer, where it does."""
    if district.is_demonstration and "标记" not in table.columns:
        table = table.assign(标记=say("演示值（不作结论）"))
    return table.assign(密级=keeping(district.manifest)) if strictest(district.manifest) else table


def titled(table: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """Return the columns that `names` has, called as it says, without the index."""
    kept = [c for c in names if c in table.columns]
    return table[kept].rename(columns=dict(names)).reset_index(drop=True)


def is_year(column: str) -> bool:
    """Whether a column of a table holds years, in which no thousands are parted."""
    return column.endswith("年份") or column == "完工年"


def cell_text(column: str, value: object) -> str:
    """Return a number of a table in the form that its column's name asks for; a text as it is, what is missing as a dash."""
    if isinstance(value, str):
        return value
    if not isinstance(value, float | int | SupportsFloat) or pd.isna(value):
        return "—"
    number = float(value)
    if is_year(column):
        return f"{number:.0f}"
    if column in ("之前", "之后") and 0 <= number <= 1:
        return per_cent(number, 0)
    if column.startswith("变化"):
        return signed(number, 0 if column.endswith("人数") else None)
    if column.endswith(("（分钟）", "（倍）")):  # the same digits all the way down
        return amount(number, 1)
    whole_numbers = column.endswith(("（人）", "人口", "人数", "人次", "其中为老"))
    return amount(number, 0 if abs(number) >= 100 or number == round(number) or whole_numbers else 2)
