"""`communities.html`: one page per community: who lives there, what it has and lacks, how long the walks are, which targets it misses."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from ...core import SCRIPT, language, marked, per_cent, say, speaking, title
from ...district import District, kind_name, of_list, place_title, walker_name, year_told
from ...ledger import (
    CIRCLE_MIN,
    COLOURS,
    canonical,
    community_minutes,
    community_overview,
    community_targets,
    foot,
    has_own_plan,
    shares_by_measure,
    spoken,
    standing,
)
from ...maps import COMPLETENESS, community_scene, figure_of, scene_for
from ..ledger_workbook import BY_WHEN, OFFICE
from ..story.places import community_facts, in_no_community, nearest_last
from .receipts import OF_LEDGER
from .shell import figure, followed, heads, html_page, scrolled, warning

_STYLE = """
.tools { position: sticky; top: 0; z-index: 2; background: var(--paper); padding: 10px 0; display: flex; gap: 10px; }
.tools select, .tools button { font: inherit; padding: 4px 8px; border: 1px solid var(--line); border-radius: 4px; background: #fff; }
.community { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 4px 20px 16px; margin: 14px 0; }
.community h2 { margin-top: 16px; } .community h3 { margin-top: 14px; } .community p { margin: 2px 0; font-size: 14px; }
.facts { display: flex; flex-wrap: wrap; gap: 2px 22px; } .facts b { font-size: 18px; font-variant-numeric: tabular-nums; }
.two { display: grid; grid-template-columns: minmax(0, 1.25fr) minmax(0, 1fr); gap: 0 22px; align-items: start; }
th::first-letter { text-transform: uppercase; }
[lang=en] .community :is(th, .verdict) { white-space: normal; }
@media (max-width: 1000px) { .two { grid-template-columns: minmax(0, 1fr); } .community { padding: 4px 14px 14px; } }
@media screen and (max-width: 620px) {
  .short thead { display: none; }
  .short tr { display: grid; grid-template-columns: 3.4em minmax(0, 1fr); padding: 6px 0; border-bottom: 1px solid var(--line); }
  .short td { border: 0; padding: 1px 8px; text-align: start; grid-column: 2; } .short td:first-child { grid-column: 1; grid-row: 1 / 9; }
  .short td[data-label]::before { content: attr(data-label) " "; color: var(--quiet); }
}
.community .todo { font-weight: 600; margin: 6px 0; } .strip { width: 96px; height: 14px; display: block; }
.lack { color: var(--warn); } .hidden { display: none; }
.verdict { border-radius: 4px; padding: 1px 6px; font-size: 12.5px; font-weight: 600; white-space: nowrap; }
@media print {
  .tools { display: none; } .community { border: 0; padding: 0; margin: 0; break-after: page; } .community:last-of-type { break-after: auto; }
  html, body { background: #fff; } header, footer { display: none; } .facts b { font-size: 12pt; } .community p { font-size: 8.5pt; line-height: 1.35; }
  tr { break-inside: avoid; } .community h2 { margin-top: 0; } .community h3 { margin-top: 6px; font-size: 10pt; break-after: avoid; }
  .verdict { padding: 0; background: none !important; font-weight: 400; font-size: 7.5pt; } .community .todo { margin: 2px 0; }
  .two { grid-template-columns: minmax(0, 1.25fr) minmax(0, 1fr); gap: 0 12px; } .two th { white-space: normal; }
  .short :is(th, td) { white-space: nowrap; } .short td:is(:nth-child(2), :nth-child(3)) { white-space: normal; } .short td:nth-child(2) { width: 29%; }
  td, th { padding: 0 5px; font-size: 8pt; line-height: 1.25; }
  [lang=en] .community :is(td, th, p) { font-size: 7pt; line-height: 1.15; padding-inline: 3px; }
  [lang=en] .short td:nth-child(2) { width: 26%; } [lang=en] .short td:last-child { width: 19%; }
  [lang=en] .short td:nth-child(3) { width: 30%; }
  [lang=en] .short .verdict { font-size: 6.5pt; white-space: nowrap; }
  [lang=en] .community h3 { margin-top: 3px; font-size: 8.5pt; }
  .two :is(td, th) { font-size: 7.5pt; } .strip { width: 18mm; height: 3mm; }
}
"""
_SCRIPT = """
(function () {
  'use strict';
  var pages = Array.prototype.slice.call(document.querySelectorAll('.community')), pick = document.getElementById('pick');
  function show() {
    pages.forEach(function (page) { page.classList.toggle('hidden', Boolean(pick.value) && page.id !== pick.value); });
  }
  pick.addEventListener('change', show);
  document.getElementById('print').addEventListener('click', function () { window.print(); });
  if (location.hash) { pick.value = location.hash.slice(1); if (pick.selectedIndex < 0) { pick.value = ''; } }
  show();
}());
"""


def communities_page(district: District, table: pd.DataFrame, tasks: pd.DataFrame | None = None) -> str:
    """
    Return `communities.html`: one file that loads nothing, one printed page per community; in the language of `table`.

    Parameters
    ----------
    table
        Result of `ledger`.
    tasks
        What was typed into the 任务分解表 (`ledger_workbook.read_tasks`): who answers for a target, and by when. None: nothing.
    """
    with speaking(spoken(table)):
        return marked(_communities_page(district, canonical(table), pd.DataFrame() if tasks is None else tasks))


def _communities_page(district: District, table: pd.DataFrame, tasks: pd.DataFrame) -> str:
    e = html.escape
    overview, minutes, targets = (
        community_overview(district),
        community_minutes(district),
        community_targets(district, table),
    )
    options = "".join(
        f'<option value="c-{e(str(c))}">{e(str(n))}</option>' for c, n in overview.get("name", {}).items()
    )
    every, picture = shares_by_measure(targets), _pictures(district)
    pages = "".join(
        _page(
            district,
            str(code),
            row,
            _of(minutes, code),
            _Targets(every, _of(targets, code), tasks),
            picture(str(code)),
        )
        for code, row in overview.iterrows()
    )
    beyond = in_no_community(district)
    rest = say("　另有 {0} 个小区不在任何社区里，常住 {1}", beyond.homes.text, beyond.people.amount) if beyond else ""
    line = say("{0} 个社区{1}　数据年份：{2}", len(overview), of_list(district), year_told(district))
    empty = f"<p>{say('数据不足：没有社区界（layers.communities）')}</p>"
    mark = warning(foot(district)) if district.is_demonstration or not has_own_plan(district) else ""
    heading = f"{place_title(district)} {say('一社区一页')}"
    body = f"""<header>
<h1>{e(heading)}</h1>
<p class="line">{line}{rest}　<a href="ledger.html">{say("规划目标落实核对表")}</a></p>
{mark}
</header>
<div class="tools" role="search"><select id="pick" aria-label="{say("社区")}"><option value="">{say("全部社区")}</option>{options}</select>
<button id="print" type="button">{say("打印（每个社区一页）")}</button></div>
<main>{pages or empty}</main>
<footer><p>{e(foot(district))}</p></footer>
<script>{_SCRIPT}</script>"""
    return html_page(heading, _STYLE, body, policy=SCRIPT)


class _Targets(NamedTuple):
    """Per measure the shares of all communities, where this one stands, and what was typed of who answers for it."""

    every: Mapping[str, pd.Series]
    own: pd.DataFrame
    tasks: pd.DataFrame


def _of(frame: pd.DataFrame, code: object) -> pd.DataFrame:
    return frame.loc[code] if len(frame) and code in frame.index.get_level_values(0) else frame.iloc[:0]


def _page(district: District, code: str, row: pd.Series, minutes: pd.DataFrame, targets: _Targets, picture: str) -> str:
    e = html.escape
    names = (title("常住人口"), title("60岁及以上"), say("小区"), say("小区用地"))
    units = (say("人"), say("人"), say("个"), say("公顷"))
    facts = "".join(
        f"<span>{name} <b>{followed(own.text, OF_LEDGER, code) if own.known else own.text}</b> {unit if own.known else ''}</span>"
        for name, own, unit in zip(names, community_facts(code, row), units, strict=True)
    )
    zone = f"　{e(row['zone'])}" if row["zone"] else ""
    lack = ' class="lack"' if row["lacks_promised"] else ""
    mark = f'<p class="small lack">{say("演示数据，不作任何结论")}</p>' if district.is_demonstration else ""
    return (
        f'<section class="community" id="c-{e(code)}"><h2>{e(str(row["name"]))} <span class="small">{e(code)}{zone}</span></h2>{mark}'
        f'<p class="facts">{facts}</p>{_to_do(targets)}<div class="{"two" if picture else "one"}">{picture}<div>'
        f"<h3>{say('要求每个社区都有的，这里缺')}</h3>"
        f"<p{lack}>{e(row['lacks_promised']) or say('都有')}</p>"
        f"<h3>{say('其他必备设施，界内没有')}</h3><p>{e(row['lacks_essential']) or say('都有')}</p>"
        f"{_minutes_table(district, code, minutes)}</div></div>{_target_table(code, targets)}"
        f"<h3>{say('界内有（处）')}</h3><p>{e(row['has']) or say('没有')}</p></section>"
    )


#: Width and height of the map of a community: on its half of a sheet of paper, beside what is lacking, its words have six points.
_MAP = (500.0, 330.0)


def _pictures(district: District) -> Callable[[str], str]:
    """Return what draws the map of a community: how complete what its homes can walk to is, and what stands there."""
    if any(name not in district.layers or district.layers[name].empty for name in ("homes", "facilities", "streets")):
        return lambda _: ""
    whole = scene_for(district, COMPLETENESS, lang=language())
    return lambda code: figure(figure_of(community_scene(district, code, whole), _MAP))


def _to_do(targets: _Targets) -> str:
    """Return in one sentence what to do first here: where most is missing, who answers for it and by when, as typed."""
    e, short = html.escape, targets.own[targets.own["short"].to_numpy(dtype=bool)] if len(targets.own) else targets.own
    if short.empty:
        return ""
    # what is not there at all comes first, then that by which it is furthest behind the whole
    behind = (short["value"] - short["whole"]).where(short["unit"] == "%", -np.inf)
    first = short.loc[behind.fillna(np.inf).idxmin()]

    def typed(column: str) -> str:
        known = column in targets.tasks.columns and first["commitment"] in targets.tasks.index
        value = targets.tasks.loc[first["commitment"], column] if known else None
        return str(value) if isinstance(value, str) and value.strip() else say("待填")

    told = say(
        "先做“{0}”：{1}。责任科室：{2}；年度节点：{3}", first["label"], first["text"], typed(OFFICE), typed(BY_WHEN)
    )
    return f'<p class="todo">{e(told)}</p>'


#: Width and height of the strip on which a community stands among the others.
_STRIP = (96.0, 14.0)


def _strip(shares: pd.Series | None, code: str) -> str:
    """Return where a community's share stands among those of all; nothing where it is not known."""
    if shares is None or code not in shares.index:
        return "—"
    (width, height), own = _STRIP, float(shares[code])

    def x(share: float) -> str:
        return f"{5 + (width - 10) * min(max(share / 100.0, 0.0), 1.0):.1f}"

    ticks = "".join(f'<path d="M{x(v)} 3V11" stroke="#8e877d"/>' for v in shares)
    told = say("{0} 个社区里从高到低第 {1}", len(shares), standing(shares)[code])
    return (
        f'<svg class="strip" viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{told}"><title>{told}</title>'
        f'<path d="M5 7H{width - 5:g}" stroke="#d9d3c7"/>{ticks}<circle cx="{x(own)}" cy="7" r="4" fill="#993d14"/></svg>'
    )


def _target_table(code: str, places: _Targets) -> str:
    e, targets = html.escape, places.own
    if targets.empty:
        return f"<h3>{say('目标落到这里')}</h3><p>{say('数据不足，见核对表')}</p>"
    short = targets[targets["short"].to_numpy(dtype=bool)]
    body = "".join(
        f'<tr><td>{e(r.commitment) or say("标准")}</td><td>{e(r.label)}</td><td class="lack">{_told(code, r.Index, r.text, r.unit)}</td>'
        f'<td class="n" data-label="{say("全街道")}">{_whole(r.whole, r.unit) or "—"}</td><td data-label="{say("目标")}">{e(r.target_text) or "—"}</td>'
        f'<td data-label="{say("在各社区里")}">{_strip(places.every.get(str(r.Index)), code) if r.unit == "%" else "—"}</td>'
        f"<td>{_chip(r.verdict)}</td></tr>"
        for r in short.itertuples()
    )
    names = ("任务", "量什么", "这里", "全街道", "目标", "在各社区里", "判定")
    head = heads([say(c) for c in names], (3,))
    table = scrolled(head, body, "short") if body else f"<p>{say('没有')}</p>"
    rest = targets[~targets["short"].to_numpy(dtype=bool)]
    words = say("；").join(
        say("{0}（{1}）{2}", r.label, r.commitment or say("标准"), r.text) for r in rest.itertuples()
    )
    return (
        f"<h3>{say('目标在这里还差的')}</h3>{table}<h3>{say('这里已有、已够的')}</h3><p>{e(words) or say('没有')}</p>"
    )


def _told(code: str, measure: object, text: str, unit: str) -> str:
    """Return where a community stands on a measure; a share as a link to what it is added up from."""
    return followed(html.escape(text), OF_LEDGER, str(measure), code) if unit == "%" else html.escape(text)


def _whole(value: float, unit: str) -> str:
    return "" if not np.isfinite(value) or unit != "%" else per_cent(value / 100.0, 0)


def _chip(verdict: str) -> str:
    return f'<span class="verdict" style="background:{COLOURS.get(verdict, "#eee")}">{html.escape(say(verdict))}</span>'


def _minutes_table(district: District, code: str, minutes: pd.DataFrame) -> str:
    if minutes.empty:
        return ""
    e = html.escape
    walker = walker_name(district, district.profile(str(district.profiles.index[0])))

    def walk(r: Mapping[str, float]) -> str:
        return say("{0:.1f} 分钟", r["minutes"]) if np.isfinite(r["minutes"]) else say("走不到")

    rows = nearest_last(minutes)
    body = "".join(
        f'<tr><td>{e(kind_name(district, str(kind)))}</td><td class="n">{followed(walk(r), OF_LEDGER, code)}</td>'
        f'<td class="n">{followed(per_cent(r["within"], 0), OF_LEDGER, code)}</td></tr>'
        for kind, r in rows.iterrows()
    )
    names = [say("走到最近的（{0}，含界外）", e(walker)), say("平均"), say("{0:g} 分钟以内的居民", CIRCLE_MIN)]
    return f"<h3>{say('日常生活要走多久')}</h3>{scrolled(heads(names, (1, 2)), body)}"
