"""Tables for spreadsheets in which no text of the data is taken for a formula."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pandas as pd

from ..core import keeping, strictest
from ..district import District

#: A spreadsheet takes a text that begins so for a formula.
_FORMULA = re.compile(r"[=+@\t\r]|-(?![\d.,]+$)")
#: Kinds of columns (numpy's letters) without texts: integers, floats, booleans, dates.
_NEVER_TEXT = "ifbuM"


def csv_text(table: pd.DataFrame, *, index: bool = True) -> str:
    """Return a table as CSV for a spreadsheet: texts that would be taken for a formula begin with an apostrophe."""
    safe = table.reset_index() if index else table.copy()
    safe.columns = [_no_formula(c) for c in safe.columns]
    for column in safe.columns:
        if safe[column].dtype.kind not in _NEVER_TEXT:
            safe[column] = safe[column].map(_no_formula)
    return str(safe.to_csv(index=False, lineterminator="\n"))


def marked_rows(table: pd.DataFrame, district: District) -> pd.DataFrame:
    """Return a table whose every row says that it is a demonstration, and that it rests on a secret layer, where it does."""
    if district.is_demonstration and "标记" not in table.columns:
        table = table.assign(标记="演示值（不作结论）")
    return table.assign(密级=keeping(district.manifest)) if strictest(district.manifest) else table


def _no_formula(value: object) -> object:
    """Return a cell as it is, a text that would be taken for a formula behind an apostrophe."""
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def titled(table: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """Return the columns that `names` has, called as it says, without the index."""
    kept = [c for c in names if c in table.columns]
    return table[kept].rename(columns=dict(names)).reset_index(drop=True)
