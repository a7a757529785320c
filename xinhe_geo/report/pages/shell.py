"""What every page of the report shares: its frame, its tables, and what stands on a page of a demonstration."""

from __future__ import annotations

import html
from collections.abc import Collection, Mapping, Sequence
from typing import SupportsFloat

import pandas as pd

from ...core import HTML_LANG, language, say, web_file
from ...district import District, kind_name
from ...maps import DEMONSTRATION_TEXT
from ..workbook import foot

#: What a page may load: nothing but what stands in it.
PICTURES = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
SCRIPT = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
SCRIPT_AND_PICTURES = f"{SCRIPT}; img-src data:"
#: The look that every page begins with.
STYLE = "report/brief.css"


def html_page(title: str, style: str, body: str, *, lang: str | None = None, policy: str = PICTURES) -> str:
    """
    Return a whole page in one file that loads nothing.

    Parameters
    ----------
    title
        Plain text; the other parts are markup.
    style
        What its rules add to those of every page.
    lang
        "zh" or "en"; by default the language that is spoken.
    policy
        `PICTURES`, `SCRIPT` or `SCRIPT_AND_PICTURES`.
    """
    return f"""<!DOCTYPE html>
<html lang="{HTML_LANG[lang or language()]}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{html.escape(title)}</title>
<style>{web_file(STYLE)}{style}</style>
</head>
<body>
{body}
</body>
</html>
"""


#: Kinds that a line names before it says how many there are.
NAMED = 8


def warning(text: str) -> str:
    """Return a line that is seen before all else; nothing where there is nothing to say."""
    return f'<p class="demo">{html.escape(text)}</p>' if text else ""


def receipt_line(options: str = "") -> str:
    """Return how any number of a page is followed to its last metre: the command that writes it out, and what adds it up again."""
    told = say(
        "每个数都能追到底：{0} 写出它的算式（点位、出入口、走法、规则、输入文件的校验值），{1} 不用本程序就能重新加一遍。",
        f"<code>{say('python run.py receipt 编号 街道目录')}{options}</code>",
        f"<code>{say('python tools/readd.py 编号.json')}</code>",
    )
    return f'<p class="small">{told}</p>'


def heads(names: Sequence[str], numbers: Collection[int] = ()) -> str:
    """Return the heads of columns (markup); those whose places are in `numbers` are set right."""
    return "".join(f"<th{NUMBER if i in numbers else ''}>{name}</th>" for i, name in enumerate(names))


#: What sets the cells of a column of numbers right.
NUMBER = ' class="n"'


def scrolled(head: str, rows: str, kind: str = "") -> str:
    """Return a table that is pushed sideways where it is wider than the screen; `kind` is its class in the style."""
    own = f' class="{kind}"' if kind else ""
    return f'<div class="scroll"><table{own}><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def titled(table: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """Return the columns that `names` has, called as it says, without the index."""
    kept = [c for c in names if c in table.columns]
    return table[kept].rename(columns=dict(names)).reset_index(drop=True)


def table_html(table: pd.DataFrame) -> str:
    """Return a table as HTML; numbers in the form their column's name asks for."""
    names = [str(c) for c in table.columns]
    right = [i for i, c in enumerate(table.columns) if pd.api.types.is_numeric_dtype(table[c].dtype)]
    rows = "".join(
        "<tr>"
        + "".join(
            f"<td{NUMBER if i in right else ''}>{_cell(name, value)}</td>"
            for i, (name, value) in enumerate(zip(names, row, strict=True))
        )
        + "</tr>"
        for row in table.itertuples(index=False, name=None)
    )
    return scrolled(heads([html.escape(name) for name in names], right), rows)


def _cell(column: str, value: object) -> str:
    if isinstance(value, str):
        return html.escape(value)
    if not isinstance(value, SupportsFloat) or pd.isna(value):
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
    """Return a page in the style of the brief, in Chinese."""
    mark = warning(DEMONSTRATION_TEXT) if district.is_demonstration else ""
    mark += warning(_from_a_map(district))
    content = f"""<header><h1>{html.escape(title)}</h1>{mark}<nav>{nav}</nav></header>
<main>{body}</main>
<footer><p>{html.escape(foot(district))}</p></footer>"""
    return html_page(title, _WIDE, content, lang="zh")


def _from_a_map(district: District) -> str:
    """Say of which kinds nobody knows how many are missing, and what that makes of gains; empty where there are none."""
    kinds = [kind_name(district, str(kind)) for kind in district.kinds.index if kind in district.mapped_kinds]
    more = f" 等 {len(kinds)} 类" if len(kinds) > NAMED else ""
    names = "、".join(kinds[:NAMED]) + more
    return (
        f"只取自地图、没有查全的设施：{names}。凡涉及这些类别，受益人数为至多，图上走不到的不等于没有" if kinds else ""
    )
