"""A row of any result in words: what was counted, by what method, for whom, what it comes to, and what it rests on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ..core import (
    BASIS_LABELS,
    DENOMINATOR_LABELS,
    METHOD_LABELS,
    UnknownNameError,
    WrongValueError,
    amount,
    per_cent,
    say,
    word,
)
from ..district import Named, meant

#: Columns that are sentences already: they come first, as they are.
_SENTENCES = (
    "headline",
    "reason",
    "text",
    "alternatives",
    "near_ties",
    "left_out",
    "needs",
    "basis_text",
    "cited",
    "mark",
)
#: Columns whose words stand in a table of their own.
_WORDS = {
    "method": METHOD_LABELS,
    "basis": BASIS_LABELS,
    "denominator": DENOMINATOR_LABELS,
    "counted": DENOMINATOR_LABELS,
}
#: Beginnings of names of columns that hold shares from 0 to 1.
_SHARES = ("served", "share", "completeness", "complete", "value")
#: Ends of a range of shares, where a table has those of 80 % too.
_RANGE = ("low", "high", "least", "most")
#: Columns that are no words: shapes.
_SHAPES = ("may_stand",)
#: Rows that are told at once.
ROWS_TOLD = 12


def rows_told(table: pd.DataFrame, row: Named) -> str:
    """
    Return what a row of a result says, or the first few of several that are meant.

    Parameters
    ----------
    table
        A result of this library: of `coverage`, `gaps`, `headlines`, `summary`, `sites`, `curve`, `within` ….
    row
        Its index (of one of its levels: all rows that have it), its name, or the row itself.

    Raises
    ------
    UnknownNameError
        No such row.
    WrongValueError
        No table.
    """
    if not isinstance(table, pd.DataFrame):
        raise WrongValueError(say("explain 要一张结果表（coverage、gaps、ledger 等），不是 {0}", type(table).__name__))
    chosen = _chosen(table, row)
    text = {str(name) for name, kind in chosen.dtypes.items() if not pd.api.types.is_numeric_dtype(kind)}
    parts = ["\n".join(_lines(key, own, text)) for key, own in chosen.iloc[:ROWS_TOLD].iterrows()]
    if len(chosen) > ROWS_TOLD:
        parts.append(say("另有 {0} 行；把索引的每一级都写上，就只说那一行", len(chosen) - ROWS_TOLD))
    return "\n\n".join(parts)


def _chosen(table: pd.DataFrame, row: Named) -> pd.DataFrame:
    key = row.name if isinstance(row, pd.Series) else row
    index = table.index
    if isinstance(index, pd.MultiIndex):
        wanted = [getattr(part, "name", part) for part in (key if isinstance(key, tuple) else (key,))]
        there = np.ones(len(table), np.bool_)
        for part in wanted:
            there &= np.logical_or.reduce([index.get_level_values(level) == part for level in range(index.nlevels)])
        if there.any():
            return table[there]
        every = dict.fromkeys(str(label) for level in range(index.nlevels) for label in index.get_level_values(level))
        raise UnknownNameError("这张表里的行", say("、").join(map(str, wanted)), list(every))
    if not isinstance(key, (str, tuple)) and key in index:  # numbers: minutes, ranks
        return table.loc[[key]]
    names = pd.DataFrame(table[[c for c in ("label", "name") if c in table.columns]])
    return table.loc[[meant("这张表里的行", row, names.set_axis(index.astype("str")))[1]]] if len(table) else table


def _lines(key: object, row: pd.Series, text_columns: set[str]) -> Iterator[str]:
    called = row.get("label", row.get("name"))
    own = say("、").join(filter(None, map(str, key))) if isinstance(key, tuple) else str(key)
    yield say("{0}\u3000{1}", own, called) if isinstance(called, str) and called else own
    for column in _SENTENCES:
        if isinstance(row.get(column), str) and row[column]:
            yield row[column]
    for column, value in row.items():
        blank = column in text_columns and not isinstance(value, (str, bool, np.bool_))
        text = "" if blank or not _applies(str(column), row) else _cell(str(column), value, ranges="low_80" in row)
        if text and column not in (*_SENTENCES, "label", "name"):
            yield f"{column}: {text}"


def _applies(column: str, row: pd.Series) -> bool:
    """Return whether a column says something of a row: what its rule does not ask for is not missing."""
    if column.startswith("limit_"):
        return bool(np.isfinite(row[column]))
    if column.startswith("communities") and "metric" in row:
        return bool(row["metric"] == "presence")
    if column.removeprefix("served_") in METHOD_LABELS:
        return bool(pd.notna(row[column]) or pd.isna(row.get("served")))
    return column not in _SHAPES


def _cell(column: str, value: object, *, ranges: bool) -> str:
    """Return a cell in words; "" for what is no cell, or nothing."""
    if isinstance(value, str):
        words = _WORDS.get(column, {})
        return say(words[value]) if value in words else value
    if isinstance(value, (bool, np.bool_)):
        return word("是" if value else "否")
    if isinstance(value, (int, float, np.number)):
        number = float(value)
        if np.isnan(number):
            return say("数据不足")
        share = column.startswith((*_SHARES, *(_RANGE if ranges else ()))) or column.endswith("_share")
        if share and 0 <= number <= 1:
            return per_cent(number)
        return f"{number:.3g}" if abs(number) < 100 else amount(number)
    return ""
