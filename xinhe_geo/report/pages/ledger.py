"""`ledger.html`: the ledger as one file that loads nothing, to walk down line by line in a meeting."""

from __future__ import annotations

import html
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ...core import listed, listed_words, marked, parted, say, speaking, word
from ...district import District, list_told, place_title, year_told
from ...ledger import (
    COLOURS,
    ROLES,
    VERDICTS,
    beyond,
    by_promise,
    canonical,
    community_targets,
    foot,
    has_own_plan,
    left_out,
    measure_rows,
    number_text,
    quoted,
    spoken,
    told_of,
    trend,
    verdicts,
)
from ..story.promises import first_rows, verdict_counts
from .receipts import OF_LEDGER
from .shell import SCRIPT_AND_PICTURES, followed, heads, html_page, receipt_line, scrolled, warning
from .since import since_section

# --- the page --------------------------------------------------------------------------------------------------------

_PAGE_STYLE = """
.tools { position: sticky; top: 0; z-index: 2; background: var(--paper); padding: 10px 0; display: flex; flex-wrap: wrap; align-items: center; gap: 10px; }
.tools select, .tools input, .tools button { font: inherit; padding: 4px 8px; border: 1px solid var(--line); border-radius: 4px; background: #fff; }
main > * { scroll-margin-top: 112px; } th::first-letter { text-transform: uppercase; }
.promise { background: var(--card); border: 1px solid var(--line); border-radius: 8px; margin: 8px 0; break-inside: avoid; }
.promise > summary { display: grid; grid-template-columns: 3.2em 1fr auto; gap: 4px 12px; align-items: start; padding: 10px 14px; color: var(--ink); }
.promise > summary > .here { grid-column: 2 / 4; font-size: 13.5px; color: var(--warn); } .promise > summary > .here.hidden { display: none; }
.promise > summary > .state { grid-column: 2 / 4; font-size: 13.5px; color: var(--quiet); }
.promise > summary > .gap { grid-column: 2 / 4; font-size: 13.5px; color: var(--warn); }
.promise[open] > summary > .gap { display: none; }
.typed > summary { font-weight: 600; padding: 10px 0; } .states td { vertical-align: baseline; } .states a { display: inline-block; min-width: 2.6em; }
.promise .inside { padding: 0 14px 12px; }
.verdict { border: 0; border-radius: 4px; padding: 2px 8px; font: inherit; font-size: 13px; font-weight: 600; white-space: nowrap; color: inherit; }
button.verdict { cursor: pointer; } button.verdict[aria-pressed=true] { outline: 2px solid var(--accent); }
.both { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 0 26px; } .trace { font-size: 12.5px; color: var(--quiet); }
@media (max-width: 900px) { .both { grid-template-columns: 1fr; } }
@media (max-width: 620px) {
  .tools { position: static; }
  .promise > summary { grid-template-columns: 2.6em minmax(0, 1fr); } .promise > summary > * { grid-column: 2 / 3 !important; }
  .promise > summary > b { grid-column: 1 / 2 !important; }
  .promise > summary > .verdict { justify-self: start; } [lang=zh-CN] .inside .facts { grid-template-columns: 4.5em minmax(0, 1fr); }
  [lang=en] .inside .facts { grid-template-columns: 7em minmax(0, 1fr); }
}
.facts { display: grid; grid-template-columns: 5.5em 1fr; gap: 2px 10px; font-size: 13.5px; margin: 6px 0; }
[lang=en] .facts { grid-template-columns: 8.5em 1fr; }
.facts dt { color: var(--quiet); } .facts dd { margin: 0; white-space: pre-line; overflow-wrap: anywhere; }
.measure { border-top: 1px dashed var(--line); padding-top: 8px; margin-top: 8px; } .measure.beside h3 { font-weight: 400; }
#beyond td:first-child { min-width: 11em; } #beyond td:nth-child(4) { min-width: 24em; } #beyond .facts { font-size: 12.5px; color: var(--quiet); }
#beyond .small { margin: 2px 0 0; }
.hidden { display: none; } .trend { display: block; width: 420px; max-width: 100%; font-size: 11px; fill: #5f6d77; }
@media print {
  .tools, .links-of, .trace { display: none; } .both { display: block; } .promise { border-color: #999; } details.promise { display: block; margin: 3px 0; }
  .promise > summary { padding: 4px 8px; font-size: 9.5pt; } .promise > summary > * { font-size: 8.5pt; } td, th { font-size: 8pt; padding: 3px 5px; }
  .facts { font-size: 8.5pt; margin: 2px 0; } .verdict { white-space: normal; font-size: 8pt; }
  #beyond td:first-child { min-width: 9em; } #beyond td:nth-child(3) { min-width: 20em; } #beyond td:nth-child(4) { min-width: 15em; }
}
"""
_PAGE_SCRIPT = """
(function () {
  'use strict';
  var rows = Array.prototype.slice.call(document.querySelectorAll('.promise'));
  var by = { category: 'category', place: 'place', verdict: 'verdict', community: 'lacks' };
  var said = rows.map(function (row) {
    var own = row.cloneNode(true);
    own.querySelectorAll('.here').forEach(function (line) { line.remove(); });
    return own.textContent.toLowerCase();
  });
  var text = document.getElementById('find'), count = document.getElementById('count'), gap = document.getElementById('gap');
  var fold = document.querySelector('details.typed');
  var chips = Array.prototype.slice.call(document.querySelectorAll('button.verdict'));
  function chosen(id) { var own = document.getElementById(id); return own ? own.value : ''; }
  function apply() {
    var shown = 0, words = text.value.trim().toLowerCase();
    rows.forEach(function (row, i) {
      var keep = Object.keys(by).every(function (id) {
        var value = chosen(id);
        return !value || row.dataset[by[id]].split(';').indexOf(value) >= 0;
      }) && (!words || said[i].indexOf(words) >= 0) && (!gap.checked || row.dataset.gap === '1');
      row.classList.toggle('hidden', !keep);
      row.querySelectorAll('.here').forEach(function (line) {
        line.classList.toggle('hidden', !chosen('community') || line.dataset.community !== chosen('community'));
      });
      if (keep) { shown += 1; }
    });
    if (fold && (words || gap.checked || Object.keys(by).some(chosen))) { fold.open = true; }
    count.textContent = shown + ' / ' + rows.length;
    chips.forEach(function (chip) { chip.setAttribute('aria-pressed', String(chip.value === chosen('verdict'))); });
  }
  Object.keys(by).concat('gap').forEach(function (id) {
    var own = document.getElementById(id);
    if (own) { own.addEventListener('change', apply); }
  });
  chips.forEach(function (chip) {
    chip.addEventListener('click', function () {
      var own = document.getElementById('verdict');
      own.value = own.value === chip.value ? '' : chip.value;
      apply();
    });
  });
  text.addEventListener('input', apply);
  document.getElementById('all').addEventListener('click', function () {
    var open = rows.some(function (row) { return !row.open && !row.classList.contains('hidden'); });
    rows.forEach(function (row) { row.open = open; });
    if (fold) { fold.open = open; }
  });
  function asked() {
    var own = location.hash && document.getElementById(location.hash.slice(1));
    if (!own) { return; }
    if (fold && fold.contains(own)) { fold.open = true; }
    own.open = true;
    own.scrollIntoView();
  }
  window.addEventListener('hashchange', asked);
  window.addEventListener('beforeprint', function () { if (fold) { fold.open = true; } });
  asked();
  apply();
}());
"""


def ledger_page(
    district: District, table: pd.DataFrame, *, maps: Mapping[str, str] | None = None, since: pd.DataFrame | None = None
) -> str:
    """
    Return `ledger.html`: one file that loads nothing, a promise per row, to walk down in a meeting; in the language of `table`.

    Parameters
    ----------
    table
        Result of `ledger`.
    maps
        Per rule, the address of its map, relative to the page; under "" that of the map of all rows (`maps.evidence`).
    since
        What changed since an earlier run (`ledger.changes`); shown first.
    """
    with speaking(spoken(table)):
        return marked(_ledger_page(district, canonical(table), maps, since))


def _ledger_page(
    district: District, table: pd.DataFrame, maps: Mapping[str, str] | None, since: pd.DataFrame | None
) -> str:
    e = html.escape
    together, here = verdicts(table), _lacking(district, table)
    rows = by_promise(table)
    typed = [code for code in together.index if _only_typed(rows[code])]

    def promises(codes: Collection[str]) -> str:
        return "".join(
            _promise(district, c, rows[c], verdict, maps or {}, here.get(str(c), {}))
            for c, verdict in together.items()
            if c in codes
        )

    mark = warning(foot(district)) if district.is_demonstration or not has_own_plan(district) else ""
    counts = verdict_counts(together)
    chips = " ".join(
        f'<button type="button" class="verdict" value="{e(v)}" style="background:{COLOURS[v]}">{e(say(v))} {counts[v]}</button>'
        for v in VERDICTS
        if v in counts
    )
    heading = f"{place_title(district)} {say('规划目标落实核对表')}"
    body = f"""<header>
<h1>{e(heading)}</h1>
<p class="line">{say("{0} 项目标　数据年份：{1}{2}", len(together), year_told(district), list_told(district))}</p>
{mark}
<p>{chips}</p>
{_states(table, together)}
</header>
<div class="tools" role="search">{_tools(table, together, _names(district))}</div>
<main>
{"" if since is None else since_section(since)}
<h2>{say("落在图上、量得到的目标")}</h2>
{promises(together.index.difference(typed))}
{_folded(promises(typed), len(typed))}
{_beyond_section(district, maps or {})}
{_left_out_section(district)}
{receipt_line()}
</main>
<footer><p>{e(foot(district))}</p></footer>
<script>{_PAGE_SCRIPT}</script>"""
    return html_page(heading, _PAGE_STYLE, body, policy=SCRIPT_AND_PICTURES)


def _only_typed(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a target is judged by figures that somebody types alone, and by nothing that has a place."""
    own = [row["metric"] for row in rows if row["role"] == "own"]
    return bool(own) and set(own) == {"series"}


def _states(table: pd.DataFrame, together: pd.Series) -> str:
    """Return all targets by their state, each as a link to its row, and what the codes mean."""
    e, quote = html.escape, first_rows(table)["quote"]
    quotes = dict(zip(together.index, quote, strict=True))
    rows = "".join(
        f"<tr><td>{_chip(v)}</td><td class='n'>{len(own)}</td><td>"
        + " ".join(f'<a lang="zh" href="#{e(str(c))}" title="{e(quoted(quotes[c]))}">{e(str(c))}</a>' for c in own)
        + "</td></tr>"
        for v in VERDICTS
        if len(own := list(together.index[together == v]))
    )
    head = heads([say("判定"), say("项"), say("编号")], (1,))
    told = say("编号是目标在规划里的序号，点开看原文、怎么量、还差多少；一行里的小字编号是量法的名称。")
    return f'<section class="states">{scrolled(head, rows)}<p class="small">{told}</p></section>'


def _folded(promises: str, count: int) -> str:
    """Return the targets that nothing on the map measures, folded together."""
    if not count:
        return ""
    words = say("只靠填数、不落在图上的目标：{0} 项", count)
    return f'<details class="typed"><summary>{words}</summary>{promises}</details>'


def _chip(verdict: str) -> str:
    return f'<span class="verdict" style="background:{COLOURS[verdict]}">{html.escape(say(verdict))}</span>'


def _option(value: str, label: str = "") -> str:
    return f'<option value="{html.escape(value)}">{html.escape(label or value)}</option>'


def _names(district: District) -> dict[str, str]:
    """Return what the communities are called, in the order of their list."""
    communities = district.layers.get("communities")
    return {} if communities is None else {str(k): str(v) for k, v in communities["name"].items()}


def _lacking(district: District, table: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Return, per commitment, which communities lack something of it, and what, in words."""
    targets = community_targets(district, table)
    short = targets[targets["short"].to_numpy(dtype=bool) & (targets["commitment"] != "").to_numpy()]
    found: dict[str, dict[str, str]] = {}
    for (code, _), row in short.iterrows():
        own = found.setdefault(str(row["commitment"]), {})
        said = say("{0}：{1}", row["label"], row["text"])
        own[str(code)] = say("；").join((own[str(code)], said)) if str(code) in own else said
    return found


def _tools(table: pd.DataFrame, together: pd.Series, communities: Mapping[str, str]) -> str:
    first = first_rows(table)
    categories = dict.fromkeys(c for cell in first["category"] for c in listed(cell))
    places = dict.fromkeys(c for cell in first["spatial_unit"] for c in listed(cell))
    choices = (
        ("category", say("全部类别"), categories),
        ("place", say("全部范围"), places),
        ("verdict", say("全部判定"), [v for v in VERDICTS if v in set(together)]),
    )
    selects = "".join(
        f'<select id="{name}" aria-label="{label}"><option value="">{label}</option>'
        + "".join(_option(v, word(v)) for v in values)
        + "</select>"
        for name, label, values in choices
    )
    if communities:
        own = "".join(_option(code, say("{0}还差的", name)) for code, name in communities.items())
        selects += f'<select id="community" aria-label="{say("哪个社区还差")}"><option value="">{say("哪个社区还差")}</option>{own}</select>'
    find = f'<input id="find" type="search" placeholder="{say("找字")}" aria-label="{say("找字")}">'
    short = f'<label><input id="gap" type="checkbox"> {say("只看还差的")}</label>'
    return (
        f'{selects}{find}{short}<button id="all" type="button">{say("全部展开/收起")}</button><span id="count"></span>'
    )


def _promise(
    district: District,
    code: str,
    rows: Sequence[Mapping[str, Any]],
    verdict: str,
    maps: Mapping[str, str],
    here: Mapping[str, str],
) -> str:
    e, first, own = html.escape, rows[0], [row for row in rows if row["role"] == "own"]
    state = "<br>".join(e(_said(row)) for row in own)
    state += f"<br>{e(first['claims'])}" if first["claims"] else ""
    gaps = "<br>".join(e(say("差距：{0}", gap)) for gap in told_of(own, "gap"))
    gap = f'<span class="gap">{gaps}</span>' if gaps else ""
    facts = {
        "章节": parted(first["section"]),
        "类别": listed_words(first["category"]),
        "属性": word(first["binding"]),
        "年份": word(first["year"]),
        "范围": listed_words(first["spatial_unit"]),
    }
    facts |= {"原文矛盾": first["contradiction"], "原文的要求": first["claims"], "没有量的要求": first["unmeasured"]}
    known = {str(m["measure"]): m for m in measure_rows(district)}
    measures = "".join(
        _measure(district, str(row["measure"]), row, known.get(str(row["measure"])), maps) for row in rows
    )
    data = f'data-category="{e(first["category"])}" data-place="{e(first["spatial_unit"])}" data-verdict="{e(verdict)}"'
    data += f' data-lacks="{e(";".join(here))}" data-gap="{1 if gap else 0}"'
    names = _names(district)
    lines = "".join(
        f'<span class="here hidden" data-community="{e(c)}">{e(say("{0}：{1}", names.get(c, c), said))}</span>'
        for c, said in here.items()
    )
    pages = "".join(  # not in the head of the row: a link in what opens it is no link
        f'<p class="here hidden" data-community="{e(c)}"><a href="communities.html#c-{e(c)}">{e(names.get(c, c))}　{say("这个社区的一页")}</a></p>'
        for c in here
    )
    return (
        f'<details class="promise" id="{e(code)}" {data}><summary><b>{e(code)}</b><span lang="zh">{e(quoted(first["quote"]))}</span>{_chip(verdict)}'
        f'<span class="state">{state}</span>{gap}{lines}</summary><div class="inside">{pages}{_facts(facts)}{measures}</div></details>'
    )


def _measure(
    district: District, key: str, row: Mapping[str, Any], m: Mapping[str, Any] | None, maps: Mapping[str, str]
) -> str:
    e = html.escape
    number = number_text(float(row["value"]), str(row["unit"])) if np.isfinite(row["value"]) else "—"
    other = ""
    if np.isfinite(row["low_other"]):
        other = f"{number_text(row['low_other'], '')}—{number_text(row['high_other'], str(row['unit']))}"
    if np.isfinite(row["value"]):
        number = followed(e(number), OF_LEDGER, key)
    found = {
        "数值": number,
        "目标": row["target_text"],
        "换算法": other,
        "差距": row["gap"],
        "怎么补": row["fix"],
        "缺什么": row["needs"],
        "规划自述": row["plan_says"].removeprefix(say("规划自述：{0}", "")),
        "数据情况": row["demonstration"],
    }
    trace = {
        "怎么量": row["how"],
        "公式": row["formula"],
        "参数": row["parameters"],
        "出处": row["standard"],
        "输入": row["inputs"],
    }
    chart = "" if m is None or m["metric"] != "series" else _trend_chart(trend(district, m), str(row["unit"]))
    return (
        f'<section class="measure {e(row["role"])}"><h3>{e(row["label"])} {_chip(row["verdict"])} '
        f'<span class="small">{e(key)}　{say(ROLES[row["role"]]) if row["role"] in ROLES else ""}</span></h3>'
        f'<div class="both"><div>{_facts(found, ("数值",))}{_links(key, row, maps)}{chart}</div><div class="trace">{_facts(trace)}</div></div></section>'
    )


def _links(key: str, row: Mapping[str, Any], maps: Mapping[str, str]) -> str:
    """Return the links to what a row rests on: its theme of the evidence map, and the map of its rule."""
    e, found = html.escape, []
    if "" in maps and np.isfinite(row["value"]) and row["metric"] != "series":
        found.append(f'<a href="{e(maps[""])}#{e(key)}">{say("证据图")}</a>')
    if row["rule"] and row["rule"] in maps:
        found.append(f'<a href="{e(maps[row["rule"]])}">{say("这条规则的图（圈层、缺口）")}</a>')
    return f'<p class="small links-of">{"　".join(found)}</p>' if found else ""


#: Size of a trend chart, and its margins: left, top, right, bottom.
_CHART, _MARGIN = (420.0, 150.0), (52.0, 14.0, 60.0, 24.0)


def _trend_chart(table: pd.DataFrame, unit: str) -> str:
    """Return a line of the figures typed in, beside the straight path to the target; nothing where there is neither."""
    values = table.to_numpy(dtype=float)
    if not np.isfinite(values).any():
        return ""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    low = min(low, 0.0) if low < 0.5 * high else low
    low, high = (low, high) if high > low else (low - 1.0, high + 1.0)
    (width, height), (left, top, right, bottom) = _CHART, _MARGIN
    years = [int(y) for y in table.index]
    x = [left + (width - left - right) * i / max(len(years) - 1, 1) for i in range(len(years))]
    y = top + (height - top - bottom) * (1 - (values - low) / (high - low))

    def line(column: int, style: str) -> str:
        known = [i for i in range(len(years)) if np.isfinite(values[i, column])]
        points = " ".join(f"{x[i]:.1f},{y[i, column]:.1f}" for i in known)
        return f'<polyline points="{points}" fill="none" {style}/>' if len(known) > 1 else ""

    known = [i for i in range(len(years)) if np.isfinite(values[i, 0])]
    dots = "".join(
        f'<circle cx="{x[i]:.1f}" cy="{y[i, 0]:.1f}" r="3.5" fill="#1f6f78"><title>{say("{0}：{1}", years[i], number_text(values[i, 0], html.escape(unit)))}'
        "</title></circle>"
        for i in known
    )
    ticks = "".join(
        f'<text x="{x[i]:.1f}" y="{height - 7:.0f}" text-anchor="middle">{year}</text>' for i, year in enumerate(years)
    )
    ends = "".join(
        f'<text x="{left - 8:.0f}" y="{top + (height - top - bottom) * (1 - (v - low) / (high - low)) + 4:.1f}" text-anchor="end">'
        f"{number_text(v, '')}</text>"
        for v in (low, high)
    )
    goal = (
        f'<text x="{x[-1] + 7:.1f}" y="{y[-1, 1] + 4:.1f}">{say("目标")}</text>' if np.isfinite(values[-1, 1]) else ""
    )
    axis = f'<path d="M{left:.0f} {top:.0f}V{height - bottom:.0f}H{width - right:.0f}" fill="none" stroke="#c9c2b4"/>'
    dashed = line(1, 'stroke="#a2421f" stroke-dasharray="5 4" stroke-width="1.5"')
    solid = line(0, 'stroke="#1f6f78" stroke-width="2"')
    return (
        f'<svg class="trend" viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{say("逐年填报数和到目标的直线进度")}">'
        f"{axis}{dashed}{solid}{dots}{ticks}{ends}{goal}</svg>"
        f'<p class="small">{say("实线和圆点为填报数，虚线为到目标的直线进度")}</p>'
    )


def _facts(facts: Mapping[str, str], linked: Collection[str] = ()) -> str:
    """Return facts as a list, those that are known; the `linked` ones are markup already."""
    rows = "".join(
        f"<dt>{html.escape(say(k))}</dt><dd>{v if k in linked else html.escape(str(v))}</dd>"
        for k, v in facts.items()
        if v
    )
    return f'<dl class="facts">{rows}</dl>'


def _beyond_section(district: District, maps: Mapping[str, str]) -> str:
    e, table = html.escape, beyond(district)
    if table.empty:
        return ""
    rows = "".join(
        f'<tr id="{e(str(key))}"><td>{e(r["label"])}<br>{_chip(r["verdict"])}{_links(str(key), r, maps)}</td>'
        f"<td>{_beyond_said(str(key), r)}</td><td>{e(r['gap'])}</td>"
        f'<td>{e(r["how"])}<p class="small">{e(r["standard"])}</p><details><summary>{say("凭什么")}</summary>{_facts(_made_from(key, r))}</details></td></tr>'
        for key, r in zip(table.index, table.to_dict("records"), strict=True)
    )
    head = heads([say("指标"), say("现状"), say("差距"), say("怎么量，出处")])
    return f'<section id="beyond"><h2>{say("规划之外的标准")}</h2>{scrolled(head, rows)}</section>'


def _beyond_said(key: str, row: Mapping[str, Any]) -> str:
    """Return the sentence of a standard, as a link to what its number is added up from."""
    told = html.escape(_said(row, bare=True))
    return followed(told, OF_LEDGER, key) if np.isfinite(row["value"]) else told


def _said(row: Mapping[str, Any], *, bare: bool = False) -> str:
    """Return the sentence of a row; how much of it is a demonstration stands beside it, and so does, if `bare`, its label."""
    text = str(row["text"]).removesuffix(say("：{0}", row["demonstration"]))
    text += say("；") + row["plan_says"] if row["plan_says"] else ""
    return text.removeprefix(say("{0}：", row["label"])) if bare else text


def _made_from(key: object, row: Mapping[str, Any]) -> dict[str, str]:
    """Return what a number was made from, under Chinese headers."""
    return {
        "编号": str(key),
        "公式": row["formula"],
        "参数": row["parameters"],
        "数据情况": row["demonstration"],
        "输入": row["inputs"],
    }


def _left_out_section(district: District) -> str:
    e, table = html.escape, left_out(district)
    if table.empty:
        return ""
    rows = "".join(
        f"<tr><td>{e(str(r.Index))}</td><td lang='zh'>{e(quoted(r.quote))}</td><td>{e(parted(r.section))}</td><td>{e(r.note)}</td></tr>"
        for r in table.itertuples()
    )
    head = heads([say("编号"), say("原文"), say("章节"), say("没有逐条核的原因")])
    return f"<section><h2>{say('原文还有、这里没有逐条核的 {0} 处', len(table))}</h2>{scrolled(head, rows)}</section>"
