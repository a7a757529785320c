"""Tables for spreadsheets in which no text of the data is taken for a formula."""

from __future__ import annotations

import re

import pandas as pd

#: A spreadsheet takes a text that begins so for a formula; some take the wide signs for the same.
_FORMULA = re.compile(r"[=+@\t\r\n＝＋＠]|[-－](?![\d.,]+$)")
#: Kinds of columns (numpy's letters) without texts: integers, floats, booleans, dates.
_NEVER_TEXT = "ifbuM"


def csv_text(table: pd.DataFrame, *, index: bool = True, header: bool = True) -> str:
    """
    Return a table as CSV for a spreadsheet: texts that would be taken for a formula begin with an apostrophe.

    Without `header` it goes on below what was written before.
    """
    safe = table.reset_index() if index else table.copy()
    safe.columns = [_no_formula(c) for c in safe.columns]
    for column in safe.columns:
        if safe[column].dtype.kind not in _NEVER_TEXT:
            safe[column] = safe[column].map(_no_formula)
    return str(safe.to_csv(index=False, header=header, lineterminator="\n"))


def without_mark(text: str) -> str:
    """Return a text as it was before `csv_text` put an apostrophe before it."""
    return text[1:] if text[:1] == "'" and _FORMULA.match(text, 1) else text


def _no_formula(value: object) -> object:
    """Return a cell as it is, a text that would be taken for a formula behind an apostrophe, in lines that keep within their cell."""
    if not isinstance(value, str):
        return value
    text = value.replace("\r\n", "\n").replace(
        "\r", "\n"
    )  # a sole return would not be quoted: what follows it began a row
    return f"'{text}" if _FORMULA.match(value) else text
