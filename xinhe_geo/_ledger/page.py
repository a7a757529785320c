"""`ledger.html`: the ledger as one file that loads nothing, to walk down line by line in a meeting."""

from __future__ import annotations

import html
import importlib.resources
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ..district import District
from ..ledger import COLOURS, ROLES, VERDICTS, beyond, foot, left_out, measure_rows, quoted, verdicts
from .communities import community_targets
from .figures import trend
from .grounds import listed, number_text
from .since import since_section

# --- the page --------------------------------------------------------------------------------------------------------

_PAGE_STYLE = """
.tools { position: sticky; top: 0; z-index: 2; background: var(--paper); padding: 10px 0; display: flex; flex-wrap: wrap; align-items: center; gap: 10px; }
.tools select, .tools input, .tools button { font: inherit; padding: 4px 8px; border: 1px solid var(--line); border-radius: 4px; background: #fff; }
main > * { scroll-margin-top: 64px; }
.promise { background: var(--card); border: 1px solid var(--line); border-radius: 8px; margin: 8px 0; break-inside: avoid; }
.promise > summary { display: grid; grid-template-columns: 3.2em 1fr auto; gap: 4px 12px; align-items: start; padding: 10px 14px; color: var(--ink); }
.promise > summary > .here { grid-column: 2 / 4; font-size: 13.5px; color: var(--warn); } .promise > summary > .here.hidden { display: none; }
.promise > summary > .state { grid-column: 2 / 4; font-size: 13.5px; color: var(--quiet); }
.promise > summary > .gap { grid-column: 2 / 4; font-size: 13.5px; color: var(--warn); }
.promise[open] > summary > .gap { display: none; }
.promise .inside { padding: 0 14px 12px; }
.verdict { border: 0; border-radius: 4px; padding: 2px 8px; font: inherit; font-size: 13px; font-weight: 600; white-space: nowrap; color: inherit; }
button.verdict { cursor: pointer; } button.verdict[aria-pressed=true] { outline: 2px solid var(--accent); }
.both { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 0 26px; } .trace { font-size: 12.5px; color: var(--quiet); }
@media (max-width: 900px) { .both { grid-template-columns: 1fr; } }
@media (max-width: 620px) { .tools { position: static; } }
.facts { display: grid; grid-template-columns: 5.5em 1fr; gap: 2px 10px; font-size: 13.5px; margin: 6px 0; }
.facts dt { color: var(--quiet); } .facts dd { margin: 0; white-space: pre-line; overflow-wrap: anywhere; }
.measure { border-top: 1px dashed var(--line); padding-top: 8px; margin-top: 8px; } .measure.beside h3 { font-weight: 400; }
#beyond td:first-child { min-width: 11em; } #beyond td:nth-child(4) { min-width: 24em; } #beyond .facts { font-size: 12.5px; color: var(--quiet); }
#beyond .small { margin: 2px 0 0; }
.hidden { display: none; } .trend { display: block; width: 420px; max-width: 100%; font-size: 11px; fill: #5f6d77; }
@media print {
  .tools, .links-of, .trace { display: none; } .both { display: block; } .promise { border-color: #999; } details.promise { display: block; margin: 3px 0; }
  .promise > summary { padding: 4px 8px; font-size: 9.5pt; } .promise > summary > * { font-size: 8.5pt; } td, th { font-size: 8pt; padding: 3px 5px; }
  .facts { font-size: 8.5pt; margin: 2px 0; } .verdict { white-space: normal; font-size: 8pt; }
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
  });
  if (location.hash) { var own = document.getElementById(location.hash.slice(1)); if (own) { own.open = true; } }
  apply();
}());
"""


def ledger_page(
    district: District,
    table: pd.DataFrame,
    *,
    maps: Mapping[str, str] | None = None,
    since: pd.DataFrame | None = None,
) -> str:
    """
    Return `ledger.html`: one file that loads nothing, a promise per row, to walk down in a meeting.

    Parameters
    ----------
    table
        Result of `ledger`.
    maps
        Per rule, the address of its map, relative to the page; under "" that of the map of all rows (`maps.evidence`).
    since
        What changed since an earlier run (`_ledger.since.changes`); shown first.
    """
    e = html.escape
    style = importlib.resources.files("xinhe_geo").joinpath("web/brief.css").read_text("utf-8")
    together, here = verdicts(table), _lacking(district, table)
    promises = "".join(
        _promise(district, code, table.loc[[code]], verdict, maps or {}, here.get(str(code), {}))
        for code, verdict in together.items()
    )
    policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
    mark = f'<p class="demo">{e(foot(district))}</p>' if district.is_demonstration else ""
    counts = together.value_counts()
    chips = " ".join(
        f'<button type="button" class="verdict" value="{e(v)}" style="background:{COLOURS[v]}">{e(v)} {counts[v]}</button>'
        for v in VERDICTS
        if v in counts.index
    )
    return f"""<!DOCTYPE html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{e(district.name)} 规划目标落实核对表</title>
<style>{style}{_PAGE_STYLE}</style>
</head>
<body>
<header>
<h1>{e(district.name)} 规划目标落实核对表</h1>
<p class="line">{len(together)} 条承诺　数据年份：{district.year}　社区名录：{district.list_year} 年</p>
{mark}
<p>{chips}</p>
</header>
<div class="tools">{_tools(table, together, _names(district))}</div>
<main>
{"" if since is None else since_section(since)}
{promises}
{_beyond_section(district, maps or {})}
{_left_out_section(district)}
</main>
<footer><p>{e(foot(district))}</p></footer>
<script>{_PAGE_SCRIPT}</script>
</body>
</html>
"""


def _chip(verdict: str) -> str:
    return f'<span class="verdict" style="background:{COLOURS[verdict]}">{html.escape(verdict)}</span>'


def _option(value: str, label: str = "") -> str:
    return f'<option value="{html.escape(value)}">{html.escape(label or value)}</option>'


def _names(district: District) -> dict[str, str]:
    """Return what the communities are called, in the order of their list."""
    communities = district.communities
    return {} if communities is None else {str(k): str(v) for k, v in communities["name"].items()}


def _lacking(district: District, table: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Return, per commitment, which communities lack something of it, and what, in words."""
    targets = community_targets(district, table)
    short = targets[targets["short"].to_numpy(dtype=bool) & (targets["commitment"] != "").to_numpy()]
    found: dict[str, dict[str, str]] = {}
    for (code, _), row in short.iterrows():
        own = found.setdefault(str(row["commitment"]), {})
        said = f"{row['label']}：{row['text']}"
        own[str(code)] = f"{own[str(code)]}；{said}" if str(code) in own else said
    return found


def _tools(table: pd.DataFrame, together: pd.Series, communities: Mapping[str, str]) -> str:
    first = table.groupby(level="commitment", sort=False).first()
    categories = dict.fromkeys(c for cell in first["category"] for c in listed(cell))
    places = dict.fromkeys(c for cell in first["spatial_unit"] for c in listed(cell))
    choices = (
        ("category", "全部类别", categories),
        ("place", "全部范围", places),
        ("verdict", "全部判定", [v for v in VERDICTS if v in set(together)]),
    )
    selects = "".join(
        f'<select id="{name}" aria-label="{label}"><option value="">{label}</option>'
        + "".join(_option(v) for v in values)
        + "</select>"
        for name, label, values in choices
    )
    if communities:
        own = "".join(_option(code, f"{name}还差的") for code, name in communities.items())
        selects += (
            f'<select id="community" aria-label="哪个社区还差"><option value="">哪个社区还差</option>{own}</select>'
        )
    find = '<input id="find" type="search" placeholder="找字" aria-label="找字">'
    short = '<label><input id="gap" type="checkbox"> 只看还差的</label>'
    return f'{selects}{find}{short}<button id="all" type="button">全部展开/收起</button><span id="count"></span>'


def _promise(
    district: District, code: str, rows: pd.DataFrame, verdict: str, maps: Mapping[str, str], here: Mapping[str, str]
) -> str:
    e, first = html.escape, rows.iloc[0]
    own = rows[(rows["role"] == "own").to_numpy()]
    state = "<br>".join(e(_said(row)) for _, row in own.iterrows())
    gaps = "<br>".join(e(f"差距：{g}") for g in dict.fromkeys(own["gap"]) if g)
    gap = f'<span class="gap">{gaps}</span>' if gaps else ""
    facts = {
        "章节": first["section"],
        "类别": first["category"],
        "属性": first["binding"],
        "年份": first["year"],
        "范围": first["spatial_unit"],
    }
    facts["原文矛盾"] = first["contradiction"]
    known = {str(m["measure"]): m for m in measure_rows(district)}
    measures = "".join(
        _measure(district, str(key[-1]), row, known.get(str(key[-1])), maps) for key, row in rows.iterrows()
    )
    data = f'data-category="{e(first["category"])}" data-place="{e(first["spatial_unit"])}" data-verdict="{e(verdict)}"'
    data += f' data-lacks="{e(";".join(here))}" data-gap="{1 if gap else 0}"'
    names = _names(district)
    lines = "".join(
        f'<span class="here hidden" data-community="{e(c)}">{e(names.get(c, c))}：{e(said)}　<a href="communities.html#c-{e(c)}">这个社区的一页</a></span>'
        for c, said in here.items()
    )
    return (
        f'<details class="promise" id="{e(code)}" {data}><summary><b>{e(code)}</b><span>{e(quoted(first["quote"]))}</span>{_chip(verdict)}'
        f'<span class="state">{state}</span>{gap}{lines}</summary><div class="inside">{_facts(facts)}{measures}</div></details>'
    )


def _measure(district: District, key: str, row: pd.Series, m: Mapping[str, Any] | None, maps: Mapping[str, str]) -> str:
    e = html.escape
    number = number_text(float(row["value"]), str(row["unit"])) if np.isfinite(row["value"]) else "—"
    other = f"{row['low_other']:.1f}—{row['high_other']:.1f} {row['unit']}" if np.isfinite(row["low_other"]) else ""
    found = {
        "数值": number, "目标": row["target_text"], "换算法": other, "差距": row["gap"], "怎么补": row["fix"], "缺": row["needs"],
        "数据情况": row["demonstration"],
    }  # fmt: skip
    trace = {
        "怎么量": row["how"], "公式": row["formula"], "参数": row["parameters"], "出处": row["standard"], "输入": row["inputs"],
    }  # fmt: skip
    chart = "" if m is None or m["metric"] != "series" else _trend_chart(trend(district, m), str(row["unit"]))
    return (
        f'<section class="measure {e(row["role"])}"><h3>{e(row["label"])} {_chip(row["verdict"])} '
        f'<span class="small">{e(key)}　{ROLES.get(row["role"], "")}</span></h3>'
        f'<div class="both"><div>{_facts(found)}{_links(key, row, maps)}{chart}</div><div class="trace">{_facts(trace)}</div></div></section>'
    )


def _links(key: str, row: pd.Series, maps: Mapping[str, str]) -> str:
    """Return the links to what a row rests on: its theme of the evidence map, and the map of its rule."""
    e, found = html.escape, []
    if "" in maps and np.isfinite(row["value"]) and row["metric"] != "series":
        found.append(f'<a href="{e(maps[""])}#{e(key)}">证据图</a>')
    if row["rule"] and row["rule"] in maps:
        found.append(f'<a href="{e(maps[row["rule"]])}">这条规则的图（圈层、缺口）</a>')
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
        f'<circle cx="{x[i]:.1f}" cy="{y[i, 0]:.1f}" r="3.5" fill="#1f6f78"><title>{years[i]}：{number_text(values[i, 0], html.escape(unit))}'
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
    goal = f'<text x="{x[-1] + 7:.1f}" y="{y[-1, 1] + 4:.1f}">目标</text>' if np.isfinite(values[-1, 1]) else ""
    axis = f'<path d="M{left:.0f} {top:.0f}V{height - bottom:.0f}H{width - right:.0f}" fill="none" stroke="#c9c2b4"/>'
    dashed = line(1, 'stroke="#a2421f" stroke-dasharray="5 4" stroke-width="1.5"')
    solid = line(0, 'stroke="#1f6f78" stroke-width="2"')
    return (
        f'<svg class="trend" viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="逐年填报数和到目标的直线进度">'
        f"{axis}{dashed}{solid}{dots}{ticks}{ends}{goal}</svg>"
        '<p class="small">实线和圆点为填报数，虚线为到目标的直线进度</p>'
    )


def _facts(facts: Mapping[str, str]) -> str:
    rows = "".join(f"<dt>{html.escape(k)}</dt><dd>{html.escape(str(v))}</dd>" for k, v in facts.items() if v)
    return f'<dl class="facts">{rows}</dl>'


def _beyond_section(district: District, maps: Mapping[str, str]) -> str:
    e, table = html.escape, beyond(district)
    if table.empty:
        return ""
    rows = "".join(
        f'<tr id="{e(str(key))}"><td>{e(r["label"])}<br>{_chip(r["verdict"])}{_links(str(key), r, maps)}</td>'
        f"<td>{e(_said(r, bare=True))}</td><td>{e(r['gap'])}</td>"
        f'<td>{e(r["how"])}<p class="small">{e(r["standard"])}</p><details><summary>凭什么</summary>{_facts(_made_from(r))}</details></td></tr>'
        for key, r in table.iterrows()
    )
    head = "<th>指标</th><th>现状</th><th>差距</th><th>怎么量，出处</th>"
    return (
        f'<section id="beyond"><h2>规划之外的标准</h2><div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div></section>"
    )


def _said(row: pd.Series, *, bare: bool = False) -> str:
    """Return the sentence of a row; how much of it is a demonstration stands beside it, and so does, if `bare`, its label."""
    text = str(row["text"]).removesuffix(f"：{row['demonstration']}")
    return text.removeprefix(f"{row['label']}：") if bare else text


def _made_from(row: pd.Series) -> dict[str, str]:
    """Return what a number was made from, under Chinese headers."""
    return {
        "编号": str(row.name),
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
        f"<tr><td>{e(str(r.Index))}</td><td>{e(quoted(r.quote))}</td><td>{e(r.section)}</td><td>{e(r.note)}</td></tr>"
        for r in table.itertuples()
    )
    head = "<th>编号</th><th>原文</th><th>章节</th><th>没有逐条核的原因</th>"
    return (
        f"<section><h2>原文还有、这里没有逐条核的 {len(table)} 处</h2>"
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></section>'
    )
