"""`receipts.html`: every figure of the pages beside it, with the rows it is added up from; one file that loads nothing."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Mapping

import numpy as np

from ...core import SCRIPT, marked, say, web_file
from ...district import District, place_title
from ..sums import Sum, Sums
from ..workbook import foot
from .shell import html_page, receipt_line

#: Where the figures of the brief, of the ledger and its communities, and of a comparison can be followed.
OF_BRIEF, OF_LEDGER, OF_CHANGE = "receipts.html", "ledger-receipts.html", "compare-receipts.html"

#: More rows than this in all make a page that no browser opens at once: of each figure the largest are then listed, and the rest is
#: one row, so that it still adds up.
MOST_ROWS, LEAST_OF_EACH = 40_000, 20

_STYLE = """
details { background: var(--card); border: 1px solid var(--line); border-radius: 6px; margin: 4px 0; padding: 4px 12px; }
summary b { font-weight: 600; } summary span { color: var(--quiet); font-size: 13px; } table { width: auto; } h3 { margin: 10px 0 2px; }
a:target, details:target { outline: 2px solid var(--accent); }
"""


def receipts_page(district: District, sums: Sums, heading: str, options: str = "") -> str:
    """
    Return a page that can be added up again: `readd.py PAGE` reads the same rows that the page shows.

    Parameters
    ----------
    options
        What the command that follows one figure down to its metres needs besides.
    """
    layers = [frame for frame in (district.communities, district.homes) if frame is not None]
    e, names = html.escape, {str(k): v for frame in layers for k, v in frame["name"].items() if isinstance(v, str)}
    sums, listed = thinned(sums)
    parts = "".join(
        f'<details id="{e(about, quote=True)}"><summary><b>{e(_title(about, own, names))}</b> <code>{e(about)}</code> '
        f"<span>{e(_short(own))}</span></summary></details>"
        for about, own in sums.items()
    )
    homes = (
        {} if district.homes is None else {str(k): v for k, v in district.homes["name"].items() if isinstance(v, str)}
    )
    told = say(
        "点开一个数，看它由哪些行加起来；整页可以用 {0} 重新加一遍。",
        f"<code>{say('python tools/readd.py 本页.html')}</code>",
    )
    if listed:
        told += say(
            "一个数由太多行加起来时，只列最大的 {0} 行，其余合成一行；逐行的见 {1}。",
            listed,
            "<code>coverage.xlsx</code>",
        )
    columns = [say(c) for c in ("编号", "名称", "值", "权重")]
    body = f"""<header><h1>{e(heading)}</h1><p class="line">{told}</p></header>
<main>{parts or f"<p>{say('数据不足')}</p>"}{receipt_line(options)}</main>
<footer><p>{e(foot(district))}</p></footer>
<script type="application/json">{_data(district, sums, homes)}</script>
<script>{web_file("report/receipts.js").replace('"COLUMNS"', json.dumps(columns, ensure_ascii=False))}</script>"""
    return marked(html_page(heading, _STYLE, body, policy=SCRIPT))


def thinned(sums: Sums) -> tuple[Sums, int]:
    """
    Return sums whose rows are so few that a page can hold them, and how many of each are listed at most; 0: all.

    What is left out of a figure is one row of it, so that the rows come to the same.
    """
    parts = [one for own in sums.values() for one in own if one["how"] in ("sum", "per") and "rows" in one]
    if sum(len(one["rows"]) for one in parts) <= MOST_ROWS:
        return sums, 0
    most = max(MOST_ROWS // len(parts), LEAST_OF_EACH)
    return {about: [_thinned(one, most) for one in own] for about, own in sums.items()}, most


def _thinned(one: Sum, most: int) -> Sum:
    if one["how"] not in ("sum", "per") or len(one.get("rows", [])) <= most:
        return one
    rows = list(one["rows"])
    value, weight = np.abs([row[2:4] for row in rows]).T
    order = np.lexsort((-value, -weight)).tolist()  # of equals the first
    kept, rest = sorted(order[: most - 1]), [rows[i] for i in order[most - 1 :]]
    name = say("其余 {0} 行合计", len(rest))
    return {
        **one,
        "rows": [*(rows[i] for i in kept), ["…", name, *(math.fsum(row[k] for row in rest) for k in (2, 3))]],
    }


def _title(about: str, own: list[Sum], names: Mapping[str, str]) -> str:
    """Return what a figure is called, and which home or community it is of."""
    _, _, part = about.partition("/")
    if about in names:
        return names[about]
    label = str(own[0]["label"]) if own else about
    return f"{label} {names.get(part, '')}".strip()


def _short(own: list[Sum]) -> str:
    """Return the figures of a group on one line, the first of each sum."""
    return say("；").join(f"{one['label']}{say('：')}{one['printed'][0][2]}" for one in own[:4] if one["printed"])


def _data(district: District, sums: Sums, homes: Mapping[str, str]) -> str:
    """Return what the page shows and `readd.py` adds up; of a home its name stands once."""
    also = [{"figure": about, **_lean(one, homes)} for about, own in sums.items() for one in own]
    inputs = {str(layer): row["sha256"] for layer, row in district.files.iterrows()}
    told = {
        "label": place_title(district),
        "how": "stated",
        "printed": [],
        "inputs": inputs,
        "names": dict(homes),
        "also": also,
    }
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _lean(one: Sum, homes: Mapping[str, str]) -> Sum:
    found = {key: _lean(value, homes) if key in ("before", "after") else value for key, value in one.items()}
    if "rows" in one:
        found["rows"] = [[k, None if homes.get(k) == name else name, n, per] for k, name, n, per in one["rows"]]
    return found
