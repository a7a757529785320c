"""What every page of the report shares: its frame, its tables, and how it is written."""

from __future__ import annotations

import html
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ...core import EnvironmentProblem, os_words, web_file
from ...district import District
from ...maps import DEMONSTRATION_TEXT
from ..workbook import foot


def titled(table: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """Return the columns that `names` has, called as it says, without the index."""
    kept = [c for c in names if c in table.columns]
    return table[kept].rename(columns=dict(names)).reset_index(drop=True)


def cannot_write(path: Path, error: OSError) -> EnvironmentProblem:
    """Return the error of a file that cannot be written, with what to do."""
    return EnvironmentProblem(f"写 {path.name} 时出错：{os_words(error)}。若它正被 Excel 或浏览器打开，请关闭后重试")


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file beside its place first, then put it there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}")
        fresh.write_bytes(content)
        os.replace(fresh, path)
    except OSError as error:
        raise cannot_write(path, error) from error


def table_html(table: pd.DataFrame) -> str:
    """Return a table as HTML; numbers in the form their column's name asks for."""
    head = "".join(f"<th{_right(table[c])}>{html.escape(str(c))}</th>" for c in table.columns)
    rows = "".join(
        "<tr>"
        + "".join(f"<td{_right(table[c])}>{_cell(str(c), v)}</td>" for c, v in zip(table.columns, row, strict=True))
        + "</tr>"
        for row in table.itertuples(index=False, name=None)
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _right(values: pd.Series) -> str:
    return ' class="n"' if pd.api.types.is_numeric_dtype(values.dtype) else ""


def _cell(column: str, value: Any) -> str:
    if isinstance(value, str):
        return html.escape(value)
    if value is None or pd.isna(value):
        return "—"
    number = float(value)
    if column in ("之前", "之后") and 0 <= number <= 1:
        return f"{number:.1%}"
    if column.startswith("变化"):
        return f"{number:+,.0f}" if column.endswith("人数") else signed(number)
    whole = abs(number) >= 100 or number == round(number) or column.endswith(("（人）", "人口", "人数"))
    return f"{number:,.0f}" if whole else f"{number:,.2f}"


def signed(number: float) -> str:
    """Return a change with its sign: one decimal, two digits of what is smaller than that, and never "-0.0"."""
    if number == 0:
        return "0"
    return f"{number:+,.1f}" if abs(number) >= 0.05 else f"{number:+.2g}"


#: Many columns: headers wrap, texts keep a width that can be read.
_WIDE = "main th,main th.n,main td{white-space:normal} main th{min-width:3.5em} main td:not(.n){min-width:8em} td{vertical-align:top}"


def page_text(district: District, title: str, nav: str, body: str) -> str:
    """Return a page in the style of the brief; it loads nothing."""
    e = html.escape
    style = web_file("report/brief.css")
    mark = f'<p class="demo">{e(DEMONSTRATION_TEXT)}</p>' if district.is_demonstration else ""
    return f"""<!DOCTYPE html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>{e(title)}</title>
<style>{style}{_WIDE}</style>
</head>
<body>
<header><h1>{e(title)}</h1>{mark}<nav>{nav}</nav></header>
<main>{body}</main>
<footer><p>{e(foot(district))}</p></footer>
</body>
</html>
"""
