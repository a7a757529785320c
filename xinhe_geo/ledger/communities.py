"""One page per community: who lives there, what it has and lacks, how long the walks are, which targets it misses."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from ..access import SHARE_TOLERANCE, TOLERANCE_MIN, home_points, od_table, presence
from ..core import HTML_LANG, language, marked, say, speaking, title, web_file
from ..district import District, cell, kind_name, walker_name
from .ledger import (
    COLOURS,
    MET,
    NO_DATA,
    PARTLY,
    UNMET,
    beyond,
    canonical,
    foot,
    has_own_plan,
    judged,
    measure_rows,
    spoken,
)
from .metrics.base import Lacks, Measure, listed, number_text, once
from .metrics.homes import by_home
from .metrics.places import living_text, residents

#: Metrics whose number of the district is a mean over its homes, so that each community has its own.
_PER_HOME = ("coverage", "completeness", "capacity")
_NUMBER = ' class="n"'
#: Longest walk of the circle, in minutes.
CIRCLE_MIN = 15.0


def community_overview(district: District) -> pd.DataFrame:
    """
    Say of each community who lives there, and what it has and lacks.

    Returns
    -------
    overview
        Index community, in the order of the list. `name`; `zone` (its name); `homes`, `people`, `people_60plus` (missing where no
        home of it says), `area_m2` (of the homes); `has` (kinds with their number); `lacks_promised` (kinds promised to every
        community), `lacks_essential` (other kinds of daily life). Empty where there are no communities.
    """
    communities, homes, kinds = district.communities, district.homes, district.kinds
    if communities is None:
        return pd.DataFrame()
    matrix = presence(district)
    own = district.groups.get("community", pd.Series(dtype="str"))
    rows = []
    for code in communities.index:
        row: dict[str, object] = {"community": code, "name": communities.loc[code, "name"], "zone": ""}
        if homes is not None:
            mine = homes[(own.reindex(homes.index) == code).to_numpy(dtype=bool)]
            row |= {c: mine[c].astype("float64").sum(min_count=1) for c in ("people", "people_60plus")}
            row |= {"homes": len(mine), "area_m2": float(mine.geometry.area.sum())}
        counts = matrix.loc[code] if code in matrix.index else pd.Series(dtype="int64")
        there = counts[counts > 0]
        absent = [k for k in counts.index if counts[k] == 0]
        promised = [k for k in absent if kinds.loc[k, "lead"] == "community"]
        row["has"] = say("、").join(f"{kind_name(district, k)} {n}" for k, n in there.items())
        row["lacks_promised"] = say("、").join(kind_name(district, k) for k in promised)
        row["lacks_essential"] = say("、").join(
            kind_name(district, k) for k in absent if kinds.loc[k, "essential"] and k not in promised
        )
        rows.append(row)
    frame = pd.DataFrame(rows).set_index("community")
    zones = district.zones
    if zones is not None:
        frame["zone"] = district.locate(communities)["zone"].map(zones["name"]).fillna("")
    return frame


def community_minutes(district: District) -> pd.DataFrame:
    """
    Say how long people of each community walk to the nearest place of each kind of daily life.

    Returns
    -------
    minutes
        Index (community, kind): `minutes` (mean of those who get anywhere, by people, or by points of homes where nobody is known),
        `within` (share of them within 15 minutes). The first walker of `profiles.csv` walks.
    """
    kinds = [k for k in district.kinds.index[district.kinds["essential"]] if k in district.surveyed_kinds]
    points, homes = home_points(district), district.homes
    if homes is None or points.empty or not kinds or "streets" not in district.layers:
        return pd.DataFrame(columns=["minutes", "within"])
    walks = (
        od_table(district, kinds, profile=str(district.profiles.index[0]))["minutes"].droplevel("home").reset_index()
    )
    people = points["weight"] * points["home"].map(homes["people"].astype("float64"))
    community = points["home"].map(district.groups["community"])
    nobody = people.groupby(community).transform("sum") <= 0
    weight = people.where(~nobody, points["weight"]).fillna(0.0)
    walks["community"] = walks["point"].map(community)
    walks["weight"] = walks["point"].map(weight)
    walks["reached"] = walks["weight"].where(walks["minutes"].notna(), 0.0)
    walks["spent"] = (walks["weight"] * walks["minutes"]).fillna(0.0)
    walks["near"] = walks["weight"].where(walks["minutes"] <= CIRCLE_MIN + TOLERANCE_MIN, 0.0)
    total = walks.groupby(["community", "kind"], sort=True)[["weight", "reached", "spent", "near"]].sum()
    found = pd.DataFrame({"minutes": total["spent"] / total["reached"].where(total["reached"] > 0)})
    found["within"] = total["near"] / total["weight"].where(total["weight"] > 0)
    return found


def community_targets(district: District, table: pd.DataFrame) -> pd.DataFrame:
    """
    Say where each community stands on every measure that can be taken of one community.

    Parameters
    ----------
    table
        Result of `ledger`.

    Returns
    -------
    targets
        Index (community, measure): `commitment`, `label`, `value`, `unit`, `whole` (the district's own number), `target_text`,
        `verdict` (of this community; 演示值 as in the ledger), `short` (whether something is missing), `text` (in a sentence). Own
        measures of the plan, and capacity.
    """
    # two outputs ask for the same; the key is what they ask of
    table = canonical(table)
    key = (
        "community_targets",
        language(),
        tuple(table.index),
        tuple(table["verdict"]),
        tuple(table["value"].map(repr)),
    )
    targets: pd.DataFrame = once(district, key, lambda: _targets(district, table))
    return targets.copy(deep=False)


def _targets(district: District, table: pd.DataFrame) -> pd.DataFrame:
    both = [table.reset_index("commitment"), beyond(district).assign(commitment="")]
    rows = pd.concat([part for part in both if len(part)] or both[:1])
    known = {str(m["measure"]): m for m in measure_rows(district)}
    parts = []
    for key, row in rows.iterrows():
        m = known.get(str(key))
        own = row["role"] == "own" and bool(row["commitment"])
        if m is None or row["verdict"] == NO_DATA or not (own or m["metric"] == "capacity"):
            continue
        parts += list(
            _of_presence(district, m, row) if m["metric"] == "communities_with" else _of_homes(district, m, row)
        )
    columns = [
        "community",
        "measure",
        "commitment",
        "label",
        "value",
        "unit",
        "whole",
        "target_text",
        "verdict",
        "short",
        "text",
    ]
    frame = pd.DataFrame(parts, columns=columns)
    communities = district.communities
    order = {} if communities is None else {code: i for i, code in enumerate(communities.index)}
    return frame.sort_values("community", key=lambda s: s.map(order), kind="stable").set_index(["community", "measure"])


def _of_presence(district: District, m: Measure, row: pd.Series) -> Iterator[dict[str, object]]:
    """Whether each community has the kinds."""
    kinds = listed(m["kinds"])
    counts = presence(district).reindex(columns=kinds, fill_value=0)
    if m["scope"] == "community":
        names = district.layers["communities"]["name"]
        counts = counts[counts.index.isin(listed(m["codes"])) | names.reindex(counts.index).isin(listed(m["codes"]))]
    elif m["scope"] != "district":
        return
    for code, own in counts.iterrows():
        has = bool((own > 0).all() if m["combine"] == "all" else (own > 0).any())
        lacking = [kind_name(district, k) for k in kinds if own[k] == 0]
        said = say("有")
        if not has:
            living = living_text(residents(district, m, pd.Index([code])))
            said = say("缺{0}，{1}", (say("和") if m["combine"] == "all" else say("或")).join(lacking), living)
        verdict = row["verdict"] if row["verdict"] not in (MET, PARTLY, UNMET) else MET if has else UNMET
        yield _target_row(code, m, row, 1.0 if has else 0.0, "", say("要有"), verdict, not has, said)


def _of_homes(district: District, m: Measure, row: pd.Series) -> Iterator[dict[str, object]]:
    """The mean of a measure over the homes of each community, and who falls short."""
    if m["metric"] not in _PER_HOME:
        return
    try:
        share, weight, words = by_home(district, m)
    except Lacks:
        return
    frame = pd.DataFrame({"part": share * weight, "weight": weight.where(share.notna())}).dropna()
    frame["community"] = district.groups["community"].reindex(frame.index)
    total = frame.groupby("community")[["part", "weight"]].sum()
    for code, (part, whole) in total[(total["weight"] > 0).to_numpy()].iterrows():
        value, missed = part / whole * 100, whole - part
        verdict = row["verdict"] if row["verdict"] not in (MET, PARTLY, UNMET) else judged(m, value)
        short = bool(missed > SHARE_TOLERANCE * whole)
        # a mean of shares of kinds is no number of people
        counted = short and (m["metric"] != "completeness" or m["combine"] == "all")
        said = f"{value:.0f} %" + (say("，差 {0}", _amount(missed, words)) if counted else "")
        yield _target_row(code, m, row, value, "%", row["target_text"], verdict, short, said)


def _amount(value: float, words: str) -> str:
    if words.startswith("m²"):
        return say("{0:.1f} 公顷{1}", value / 10000.0, words.removeprefix("m²").strip())
    return number_text(float(round(value)), words)


def _target_row(
    code: object,
    m: Measure,
    row: pd.Series,
    value: float,
    unit: str,
    target: str,
    verdict: str,
    short: bool,
    text: str,
) -> dict[str, object]:
    return {
        "community": code,
        "measure": m["measure"],
        "commitment": m["commitment"],
        "label": cell(m, "label"),
        "value": value,
        "unit": unit,
        "whole": row["value"],
        "target_text": target,
        "verdict": verdict,
        "short": short,
        "text": text,
    }


def community_sheet(district: District, table: pd.DataFrame) -> pd.DataFrame:
    """Return 社区一览 for the workbook: one row per community, what it has and lacks, and one column per measure."""
    overview = community_overview(district)
    if overview.empty:
        return pd.DataFrame({"说明": [say("数据不足：没有社区界（layers.communities）")]})
    names = {
        "name": "社区",
        "zone": "分区",
        "homes": "小区数",
        "people": "常住人口",
        "people_60plus": "60岁及以上",
        "has": "有",
        "lacks_promised": "承诺每个社区都有、这里缺",
        "lacks_essential": "其他必备设施里缺",
    }
    sheet = overview[[c for c in names if c in overview]].rename(columns=names)
    sheet.insert(0, "社区代码", sheet.index)
    targets = community_targets(district, table)
    if len(targets):
        heads = targets["label"].groupby(level="measure", sort=False).first()
        wide = targets["text"].unstack("measure").reindex(columns=heads.index)
        wide.columns = pd.Index([say("{0}（{1}）", heads[c], c) for c in wide.columns])
        sheet = sheet.join(wide)
    return sheet.reset_index(drop=True)


# --- the pages -------------------------------------------------------------------------------------------------------

_STYLE = """
.tools { position: sticky; top: 0; z-index: 2; background: var(--paper); padding: 10px 0; display: flex; gap: 10px; }
.tools select, .tools button { font: inherit; padding: 4px 8px; border: 1px solid var(--line); border-radius: 4px; background: #fff; }
.community { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 4px 20px 16px; margin: 14px 0; }
.community h2 { margin-top: 16px; } .community h3 { margin-top: 14px; }
.facts { display: flex; flex-wrap: wrap; gap: 2px 22px; margin: 4px 0; } .facts b { font-size: 18px; font-variant-numeric: tabular-nums; }
.two { display: grid; grid-template-columns: minmax(0, 1.35fr) minmax(0, 1fr); gap: 0 22px; } th::first-letter { text-transform: uppercase; }
[lang=en] .two :is(th, .verdict) { white-space: normal; }
@media (max-width: 1000px) { .two { grid-template-columns: minmax(0, 1fr); } .community { padding: 4px 14px 14px; } }
@media screen and (max-width: 620px) {
  .short thead { display: none; }
  .short tr { display: grid; grid-template-columns: 3.4em minmax(0, 1fr); padding: 6px 0; border-bottom: 1px solid var(--line); }
  .short td { border: 0; padding: 1px 8px; text-align: start; grid-column: 2; } .short td:first-child { grid-column: 1; grid-row: 1 / 9; }
  .short td[data-label]::before { content: attr(data-label) " "; color: var(--quiet); }
} .two p { margin: 2px 0; font-size: 14px; }
.lack { color: var(--warn); } .hidden { display: none; }
.verdict { border-radius: 4px; padding: 1px 6px; font-size: 12.5px; font-weight: 600; white-space: nowrap; }
@media print {
  .tools { display: none; } .community { border: 0; padding: 0; margin: 0; break-after: page; } .community:last-of-type { break-after: auto; }
  html, body { background: #fff; } header, footer { display: none; } .facts b { font-size: 12pt; } .two p, table { font-size: 8.5pt; line-height: 1.4; }
  th, td { padding: 2px 5px; } tr { break-inside: avoid; } .community h3 { margin-top: 6px; font-size: 10pt; }
  .verdict { padding: 0; background: none !important; font-weight: 400; font-size: 7.5pt; white-space: normal; }
  .two > div:first-child :is(th, td):is(:first-child, :nth-child(5)) { white-space: nowrap; }
  .two { grid-template-columns: minmax(0, 1.7fr) minmax(0, 1fr); gap: 0 14px; } th { white-space: normal; } .community h2 { margin-top: 0; }
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


def communities_page(district: District, table: pd.DataFrame) -> str:
    """
    Return `communities.html`: one file that loads nothing, one printed page per community; in the language of `table`.

    Parameters
    ----------
    table
        Result of `ledger`.
    """
    with speaking(spoken(table)):
        return marked(_communities_page(district, canonical(table)))


def _communities_page(district: District, table: pd.DataFrame) -> str:
    e = html.escape
    style = web_file("report/brief.css")
    overview, minutes, targets = (
        community_overview(district),
        community_minutes(district),
        community_targets(district, table),
    )
    options = "".join(
        f'<option value="c-{e(str(c))}">{e(str(n))}</option>' for c, n in overview.get("name", {}).items()
    )
    pages = "".join(
        _page(district, str(code), row, _of(minutes, code), _of(targets, code)) for code, row in overview.iterrows()
    )
    line = say("{0} 个社区（{1} 年名录）　数据年份：{2}", len(overview), district.list_year, district.year)
    empty = f"<p>{say('数据不足：没有社区界（layers.communities）')}</p>"
    policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
    warned = district.is_demonstration or not has_own_plan(district)
    mark = f'<p class="demo">{e(foot(district))}</p>' if warned else ""
    return f"""<!DOCTYPE html>
<html lang="{HTML_LANG[language()]}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{e(district.name)} {say("一社区一页")}</title>
<style>{style}{_STYLE}</style>
</head>
<body>
<header>
<h1>{e(district.name)} {say("一社区一页")}</h1>
<p class="line">{line}　<a href="ledger.html">{say("规划目标落实核对表")}</a></p>
{mark}
</header>
<div class="tools"><select id="pick" aria-label="{say("社区")}"><option value="">{say("全部社区")}</option>{options}</select>
<button id="print" type="button">{say("打印（每个社区一页）")}</button></div>
<main>{pages or empty}</main>
<footer><p>{e(foot(district))}</p></footer>
<script>{_SCRIPT}</script>
</body>
</html>
"""


def _of(frame: pd.DataFrame, code: object) -> pd.DataFrame:
    return frame.loc[code] if len(frame) and code in frame.index.get_level_values(0) else frame.iloc[:0]


def _page(district: District, code: str, row: pd.Series, minutes: pd.DataFrame, targets: pd.DataFrame) -> str:
    e = html.escape

    def figure(label: str, value: float, unit: str) -> str:
        shown = say("不详") if not np.isfinite(value) else f"{value:,.0f}"
        return f"<span>{label} <b>{shown}</b> {unit if np.isfinite(value) else ''}</span>"

    number = {c: float(row.get(c, np.nan)) for c in ("homes", "people", "people_60plus", "area_m2")}
    facts = figure(title("常住人口"), number["people"], say("人")) + figure(
        title("60岁及以上"), number["people_60plus"], say("人")
    )
    facts += figure(say("小区"), number["homes"], say("个")) + figure(
        say("小区用地"), number["area_m2"] / 1e4, say("公顷")
    )
    zone = f"　{e(row['zone'])}" if row["zone"] else ""
    mark = f'<p class="small lack">{say("演示数据，不作任何结论")}</p>' if district.is_demonstration else ""
    return (
        f'<section class="community" id="c-{e(code)}"><h2>{e(str(row["name"]))} <span class="small">{e(code)}{zone}</span></h2>{mark}'
        f'<p class="facts">{facts}</p><div class="two"><div>{_target_table(targets)}</div><div>'
        f"<h3>{say('承诺每个社区都有的，这里缺')}</h3>"
        f"<p{_lack(row['lacks_promised'])}>{e(row['lacks_promised']) or say('都有')}</p>"
        f"<h3>{say('其他必备设施，界内没有')}</h3><p>{e(row['lacks_essential']) or say('都有')}</p>"
        f"{_minutes_table(district, minutes)}"
        f"<h3>{say('界内有（处）')}</h3><p>{e(row['has']) or say('没有')}</p></div></div></section>"
    )


def _lack(text: str) -> str:
    return ' class="lack"' if text else ""


def _target_table(targets: pd.DataFrame) -> str:
    e = html.escape
    if targets.empty:
        return f"<h3>{say('承诺落到这里')}</h3><p>{say('数据不足，见核对表')}</p>"
    short = targets[targets["short"].to_numpy(dtype=bool)]
    body = "".join(
        f'<tr><td>{e(r.commitment) or say("标准")}</td><td>{e(r.label)}</td><td class="lack">{e(r.text)}</td>'
        f'<td class="n" data-label="{say("全街道")}">{_whole(r) or "—"}</td><td data-label="{say("目标")}">{e(r.target_text) or "—"}</td>'
        f"<td>{_chip(r.verdict)}</td></tr>"
        for r in short.itertuples()
    )
    columns = ("承诺", "量什么", "这里", "全街道", "目标", "判定")
    head = "".join(f"<th{_NUMBER if c == '全街道' else ''}>{say(c)}</th>" for c in columns)
    table = (
        f'<div class="scroll"><table class="short"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
        if body
        else f"<p>{say('没有')}</p>"
    )
    rest = targets[~targets["short"].to_numpy(dtype=bool)]
    words = say("；").join(
        say("{0}（{1}）{2}", r.label, r.commitment or say("标准"), r.text) for r in rest.itertuples()
    )
    return (
        f"<h3>{say('承诺在这里还差的')}</h3>{table}<h3>{say('这里已有、已够的')}</h3><p>{e(words) or say('没有')}</p>"
    )


def _whole(row: object) -> str:
    value: float = row.whole  # type: ignore[attr-defined]
    return "" if not np.isfinite(value) or row.unit != "%" else f"{value:.0f} %"  # type: ignore[attr-defined]


def _chip(verdict: str) -> str:
    return f'<span class="verdict" style="background:{COLOURS.get(verdict, "#eee")}">{html.escape(say(verdict))}</span>'


def _minutes_table(district: District, minutes: pd.DataFrame) -> str:
    if minutes.empty:
        return ""
    e = html.escape
    walker = walker_name(district, district.profile(str(district.profiles.index[0])))

    def walk(r: Mapping[str, float]) -> str:
        return say("{0:.1f} 分钟", r["minutes"]) if np.isfinite(r["minutes"]) else say("走不到")

    rows = minutes.sort_values("within", kind="stable")
    body = "".join(
        f'<tr><td>{e(kind_name(district, str(kind)))}</td><td class="n">{walk(r)}</td><td class="n">{r["within"]:.0%}</td></tr>'
        for kind, r in rows.iterrows()
    )
    head = (
        f'<th>{say("走到最近的（{0}，含界外）", e(walker))}</th><th class="n">{say("平均")}</th>'
        f'<th class="n">{say("{0:g} 分钟以内的居民", CIRCLE_MIN)}</th>'
    )
    table = f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    return f"<h3>{say('日常生活要走多久')}</h3>{table}"
