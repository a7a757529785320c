"""What every page of the report shares: its frame, its tables, and what stands on a page of a demonstration."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Collection, Sequence
from urllib.parse import quote

import pandas as pd

from ...core import PICTURES, SCRIPT, marked, say, web_file, whole_page
from ...core import title as column_title
from ...district import District, kind_name
from ...maps import DEMONSTRATION_TEXT
from ..tables import NET, cell_text
from ..workbook import foot

SCRIPT_AND_PICTURES = f"{SCRIPT}; img-src data:"
#: The look that every page begins with.
STYLE = "report/brief.css"


def html_page(title: str, style: str, body: str, *, lang: str | None = None, policy: str = PICTURES) -> str:
    """Return a page of the report, as `core.whole_page`; `style` is what its rules add to those of every page."""
    return whole_page(title, web_file(STYLE) + style, body, lang=lang, policy=policy)


#: Kinds that a line names before it says how many there are.
NAMED = 8


def warning(text: str) -> str:
    """Return a line that is seen before all else; nothing where there is nothing to say."""
    return f'<p class="demo">{html.escape(text)}</p>' if text else ""


def concluded(lines: Sequence[str]) -> str:
    """Return the sentences that a page begins with: what it concludes, then what that rests on."""
    first, *others = map(html.escape, lines)
    return f'<section><p class="first">{first}</p>{"".join(f"<p class=line>{line}</p>" for line in others)}</section>'


def receipt_line(options: str = "") -> str:
    """Return how any number of a page is followed to its last metre: the command that writes it out, and what adds it up again."""
    told = say(
        "每个数都能追到底：{0} 写出它的算式（点位、出入口、走法、规则、输入文件的校验值），{1} 不用本程序就能重新加一遍。",
        f"<code>{say('python run.py receipt 编号 街道目录')}{options}</code>",
        f"<code>{say('python tools/readd.py 编号.json')}</code>",
    )
    return f'<p class="small">{told}</p>'


def followed(text: str, page: str, *about: str) -> str:
    """Return a figure (markup) as a link to what it is added up from."""
    return f'<a class="sum" href="{page}#{quote("/".join(about), safe="/")}">{text}</a>'


def heads(names: Sequence[str], numbers: Collection[int] = ()) -> str:
    """Return the heads of columns (markup); those whose places are in `numbers` are set right."""
    return "".join(f"<th{NUMBER if i in numbers else ''}>{name}</th>" for i, name in enumerate(names))


#: What sets the cells of a column of numbers right.
NUMBER = ' class="n"'
#: A number of a list, a date, a licence: read in one line, however narrow its column.
_SHORT = re.compile(r"[!-~]{2,12}")


def cell_html(markup: str, text: str) -> str:
    """Return a cell that holds words; `text` is what they say, without markup. One that says nothing shows that it was not forgotten."""
    one_line = ' class="t"' if _SHORT.fullmatch(text) else ""
    return f"<td{one_line}>{markup or '—'}</td>"


def scrolled(head: str, rows: str, kind: str = "") -> str:
    """Return a table that is pushed sideways where it is wider than the screen; `kind` is its class in the style."""
    own = f' class="{kind}"' if kind else ""
    return f'<div class="scroll" tabindex="0"><table{own}><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def table_html(table: pd.DataFrame, page: str = "", about: Sequence[str] = ()) -> str:
    """
    Return a table as HTML, numbers in the form their column's name asks for.

    Parameters
    ----------
    page, about
        Where the figures can be followed, and what those of each row are about there; none where it is empty.
    """
    names = [str(c) for c in table.columns]
    right = [i for i, c in enumerate(table.columns) if pd.api.types.is_numeric_dtype(table[c].dtype)]

    def cell(row: int, column: int, value: object) -> str:
        text = cell_text(names[column], value)
        told, is_figure = html.escape(text), column in right or names[column] == NET
        told = followed(told, page, about[row]) if page and is_figure and re.search(r"\d", told) else told
        return f"<td{NUMBER}>{told}</td>" if column in right else cell_html(told, text)

    rows = "".join(
        f"<tr>{''.join(cell(n, i, value) for i, value in enumerate(row))}</tr>"
        for n, row in enumerate(table.itertuples(index=False, name=None))
    )
    return scrolled(heads([html.escape(column_title(name)) for name in names], right), rows)


#: Width and height of a map on half the width of a page, in its own units: its words are large enough there, on paper too.
HALF_PAGE = (500.0, 380.0)

#: Those of a map of which two go onto a page, one above the other.
HALF_HEIGHT = (600.0, 370.0)


#: Words are at least so high on a screen.
LEAST_PX = 9.1


def figure(picture: str, caption: str = "") -> str:
    """Return a picture (markup) that is pushed sideways, with the keyboard too, where the screen is too narrow for its words."""
    told = f"<figcaption>{caption}</figcaption>" if caption else ""
    picture = picture.replace(' xmlns="http://www.w3.org/2000/svg"', "", 1)  # a page needs none, and names no address
    drawn, sizes = re.search(r'viewBox="0 0 ([\d.]+)', picture), re.findall(r'font-size="([\d.]+)', picture)
    if drawn and sizes:
        wide = math.ceil(float(drawn[1]) * LEAST_PX / min(map(float, sizes)))
        picture = picture.replace("<svg ", f'<svg style="--wide:{wide}px" ', 1)
    return f'<figure><div class="scroll" tabindex="0">{picture}</div>{told}</figure>'


#: Many columns: headers wrap, texts keep a width that can be read. On paper a column may be narrow, but none is cut off; a page with
#: a table of many lies across, or a browser would shrink all of it.
_WIDE = """main th,main th.n,main td{white-space:normal} main th{min-width:4.8em} main td:not(.n, .t){min-width:8em} td{vertical-align:top}
@page across { size: A4 landscape; margin: 11mm; }
@media print {
  body:has(main table th:nth-child(9)) { page: across; }
  main :is(th, th.n, td, td:not(.n, .t)) { min-width: calc(3em + 13px); overflow-wrap: anywhere; }
  main :is(td.n, td.t) { white-space: nowrap; overflow-wrap: normal; }
  main table:has(th:nth-child(8)) { font-size: 7pt; } main table:has(th:nth-child(8)) :is(th, td) { padding: 2px 3px; }
  main figure svg { max-height: 100mm; } h2 + :is(.small, .line), h2 + .line + .small { break-after: avoid; } footer { break-before: avoid; }
}
"""


def page_text(district: District, title: str, nav: str, body: str, *, style: str = "") -> str:
    """Return a page in the style of the brief, in the language that is spoken; `style` is what it needs besides."""
    mark = warning(say(DEMONSTRATION_TEXT)) if district.is_demonstration else ""
    kinds = [kind_name(district, str(kind)) for kind in district.kinds.index if kind in district.mapped_kinds]
    names = say("、").join(kinds[:NAMED]) + (say(" 等 {0} 类", len(kinds)) if len(kinds) > NAMED else "")
    told = "没有查全的设施：{0}。凡涉及这些类别，受益人数为至多，走不到的不等于没有"
    mark += warning(say(told, names) if kinds else "")
    content = f"""<header><h1>{html.escape(title)}</h1>{mark}<nav>{nav}</nav></header>
<main>{body}</main>
<footer><p>{html.escape(foot(district))}</p></footer>"""
    return marked(html_page(title, _WIDE + style, content))
