"""`index.html`: what a meeting reads first, in one file that loads nothing."""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...access import EXACT, SEVERITIES, rests_on
from ...core import crs_label, language, marked, say, speaking, title, web_file
from ...district import District, kind_name, walker_name
from ...ledger import has_own_plan
from ...maps import DEMONSTRATION_TEXT, PRESETS, promised_rules
from ..analysis import judged_rules, sources_table, survey_first
from ..files import cannot_write_into, is_as_written, write_bytes
from ..record import RECORD
from ..workbook import foot
from .shell import heads, html_page, receipt_line, scrolled, warning
from .since import since_section

#: English words take more room.
ENGLISH_STYLE = "report/brief-en.css"


def brief_page(
    district: District,
    results: Mapping[str, Any],
    pictures: Sequence[Mapping[str, str]],
    has_meeting: bool,
    changed: pd.DataFrame | None = None,
) -> str:
    """Return `index.html`: headlines, maps, gaps, what it rests on. One file, nothing loaded."""
    e = html.escape
    style = web_file(ENGLISH_STYLE) if language() == "en" else ""
    mark = warning(say(DEMONSTRATION_TEXT)) if district.is_demonstration else ""
    lists = say("　社区名录：{0} 年", district.list_year) if district.communities is not None else ""
    borrowed = ""
    if district.files.at["rules", "from"] != "本目录":
        borrowed = f'<p class="line">{say("规则表用的是随程序的默认口径，不是本街道自己的规划承诺")}</p>'
    borrowed += warning(str(district.manifest.get("survey_note") or ""))
    links = {"meeting.html": say("会议活地图：拖动设施看谁受益")} if has_meeting else {}
    if has_own_plan(district):
        links |= {"ledger.html": say("规划目标落实核对表"), "communities.html": say("一社区一页")}
    links |= {"maps/overview.html": say("现状总图"), "tables/coverage.xlsx": say("表格")}
    nav = say("　").join(
        [*(f'<a href="{file}">{what}</a>' for file, what in links.items()), '<span id="beside"></span>']
    )
    preset, crs = say(PRESETS[results["preset"]]), crs_label(district.crs)
    said = say("口径：{0}　数据年份：{1}{2}　坐标系：{3}", preset, district.year, lists, crs)
    heading = say("{0} 公共服务设施覆盖简报", district.name)
    body = f"""<header>
<h1>{e(heading)}</h1>
<p class="line">{e(said)}</p>
{borrowed}
{mark}
<nav>{nav}</nav>
</header>
<main>
{"" if changed is None else since_section(changed)}
{_cards(district, results)}
{_figures(pictures)}
{_gap_section(district, results)}
{_other_table(results)}
{_rests_on(district, results)}
</main>
<footer><p>{e(foot(district))}</p></footer>"""
    return marked(html_page(heading, style, body))


def _cards(district: District, results: Mapping[str, Any]) -> str:
    """Return a card for each promise that has a value, and one line for those that have none, with what is missing."""
    e, lead = html.escape, results["headlines"]
    promised = promised_rules(district, results)
    known = [r for r in promised if np.isfinite(lead.loc[r, "value"])]
    # where nothing that is promised can be said, say what can be said of the rest
    known = known or [r for r in results["order"] if np.isfinite(lead.loc[r, "value"])][:8]
    cards = "".join(_card(district, results, rule) for rule in known)
    unknown = [r for r in promised if not np.isfinite(lead.loc[r, "value"])]
    rows = "".join(f"<li>{e(say('{0}：{1}', lead.loc[r, 'label'], lead.loc[r, 'headline']))}</li>" for r in unknown)
    missing = (
        f'<details open><summary>{say("数据不足的 {0} 项", len(unknown))}</summary><ul class="links">{rows}</ul></details>'
        if unknown
        else ""
    )
    return f'<section><h2>{say("一眼看结果")}</h2><div class="cards">{cards}</div>{missing}</section>'


def _card(district: District, results: Mapping[str, Any], rule: str) -> str:
    e, row = html.escape, results["headlines"].loc[rule]
    value, n = float(row["value"]), len(results["presence"])
    number = f"{round(value * n)} / {n}" if district.rule(rule).metric == "presence" else f"{value:.0%}"
    mark = f'<span class="mark">{e(row["mark"])}</span>' if row["mark"] else ""
    depends = row["dependent_share"]
    outside = (
        f'<p class="small">{say("其中 {0:.1%} 依赖界外设施", depends)}</p>'
        if np.isfinite(depends) and depends > 0.0005
        else ""
    )
    return (
        f'<article class="card"><h3>{e(row["label"])}</h3><p class="number">{number}{mark}</p>'
        f'<div class="bar" role="img" aria-label="{value:.0%}"><i style="width:{value:.1%}"></i></div>'
        f'<p>{e(row["headline"])}</p><p class="small">{e(row["alternatives"])}</p>{outside}'
        f'<p class="small">{e(row["standard_text"])}</p></article>'
    )


def _figures(pictures: Sequence[Mapping[str, str]]) -> str:
    e = html.escape
    figures = "".join(
        f'<figure>{p["svg"]}<figcaption><a href="{e(p["file"])}">{e(say("{0}（打开可操作的地图）", p["title"]))}</a></figcaption></figure>'
        for p in pictures
        if p["svg"]
    )
    rest = [p for p in pictures if not p["svg"]]
    links = "".join(f'<li><a href="{e(p["file"])}">{e(p["title"])}</a></li>' for p in rest)
    more = (
        f'<details><summary>{say("其余 {0} 张地图", len(rest))}</summary><ul class="links">{links}</ul></details>'
        if rest
        else ""
    )
    return f'<section><h2>{say("地图")}</h2><div class="figures">{figures}</div>{more}</section>'


def _gap_section(district: District, results: Mapping[str, Any]) -> str:
    """The places that lack most of what is promised: one row per place, its largest gap with the reason, what else it lacks."""
    e, table = html.escape, results["gaps"]
    promised = promised_rules(district, results)
    table = table[table["rule"].isin(promised)] if len(table) else table
    survey = _survey_next(district, results)
    if table.empty:
        none = (
            say("承诺的指标没有发现缺口，或数据不足以判断。") if judged_rules(district, results) or not survey else ""
        )
        return f"<section><h2>{say('谁还够不着，为什么')}</h2><p>{none}</p>{survey}</section>"
    rank = {rule: i for i, rule in enumerate(promised)}
    rows = table.assign(
        rank=table["rule"].map(rank), is_reach=[district.rule(r).metric == "reach" for r in table["rule"]]
    )
    rows = rows.sort_values(
        ["is_reach", "unserved", "share_unserved", "rank", "home"],
        ascending=[False, False, False, True, True],
        kind="stable",
        na_position="last",
    )
    top = rows.drop_duplicates("home").head(12)
    lacking = table.groupby("home")["label"].apply(list)
    body = "".join(
        f'<tr><td>{e(_name(r.name, r.home))}</td><td>{e(r.label)}</td><td class="n">{_people(r.unserved, r.counted)}</td>'
        f"<td>{e(r.reason)}</td><td>{e(say('、').join(x for x in lacking[r.home] if x != r.label)) or '—'}</td></tr>"
        for r in top.itertuples(index=False)
    )
    book = '<a href="tables/coverage.xlsx">tables/coverage.xlsx</a>'
    said = say(
        "{0}的 {1} 项指标共有 {2} 个小区够不着其中至少一项；下面 {3} 个，走路够不着的人多的在前，其次是本社区没有的。全部见 {4} 的“缺口清单”。",
        say("规划承诺") if has_own_plan(district) else say("参考口径"),
        int((results["headlines"].loc[promised, "bound"] == EXACT).sum()),
        table["home"].nunique(),
        len(top),
        book,
    )
    head = heads([title("小区"), say("最大的缺口"), say("不可达人口"), say("原因"), say("还缺")], (2,))
    return f'<section><h2>{say("谁还够不着，为什么")}</h2><p class="small">{said}</p>{scrolled(head, body)}{survey}</section>'


def _survey_next(district: District, results: Mapping[str, Any]) -> str:
    """Say which kinds have to be surveyed before anybody can say who lacks them; empty where none has."""
    kinds = [kind_name(district, kind) for kind in survey_first(district, results)]
    if not kinds:
        return ""
    first = say("下一步：先调查{0}。", kinds[0])
    rest = say("然后是{0}。", say("、").join(kinds[1:6])) if kinds[1:] else ""
    why = say(
        "这些设施取自地图，漏了多少不知道：图上走得到的算走得到，图上走不到的不等于没有。先查涉及的人最多的一类；"
        "查全一类，就把它写进 district.toml 的 surveyed_kinds，这一类才说得出谁够不着、补在哪里。"
    )
    return f'<p><b>{html.escape(first)}</b>{html.escape(rest)}</p><p class="small">{html.escape(why)}</p>'


def _name(name: object, key: object) -> str:
    return name if isinstance(name, str) else str(key)


def _people(value: float, counted: str = "people") -> str:
    if not np.isfinite(value):
        return say("人口不详")
    return say("60岁以上 {0:,.0f} 人" if counted == "people_60plus" else "{0:,.0f} 人", value)


def _other_table(results: Mapping[str, Any]) -> str:
    e, lead = html.escape, results["headlines"]
    rows = "".join(
        f"<tr><td>{e(row['label'])}</td><td>{e(row['headline'])}</td><td>{e(row['alternatives'])}</td>"
        f"<td>{e(row['standard_text'])}</td><td>{e(row['mark'])}</td><td><code>{e(str(rule))}</code></td></tr>"
        for rule, row in lead.loc[results["order"]].iterrows()
    )
    head = heads([*(title(name) for name in ("指标", "结果", "换算法", "依据", "标记")), say("编号")])
    return (
        f"<section><h2>{say('全部指标')}</h2><details><summary>{say('展开 {0} 项', len(lead))}</summary>"
        f"{scrolled(head, rows)}{receipt_line()}</details></section>"
    )


def _rests_on(district: District, results: Mapping[str, Any]) -> str:
    """What the numbers rest on: layers with their basis, and how each number is made."""
    book = "tables/规划目标落实核对表.xlsx"
    files = {say("表格"): ["tables/coverage.xlsx"], "GIS": ["gis/coverage.gpkg"], say("运行记录"): ["run.json"]}
    if has_own_plan(district):
        files = {say("规划目标落实核对表"): ["ledger.html", book], **files}
    found = say("　").join(
        say("{0}：{1}", what, say("、").join(f'<a href="{f}">{f}</a>' for f in own)) for what, own in files.items()
    )
    e = html.escape
    table = sources_table(district)
    table = table[table["要素数"].notna()]
    rows = "".join(
        f'<tr><td>{e(r["图层"])}</td><td class="n">{r["要素数"]:,.0f}</td><td class="n">{r["其中示意或合成"]:,.0f}</td><td>{e(r["依据类型"])}</td>'
        f"<td>{e(str(r['来源']))}</td><td>{e(str(r['许可']))}</td><td>{e(r['日期'])}</td></tr>"
        for _, r in table.iterrows()
    )
    columns = ("图层", "要素数", "其中示意或合成", "依据类型", "来源", "许可", "日期")
    head = heads([title(name) for name in columns], (1, 2))
    names = [district.rule(r) for r in results["order"]]
    walkers = say("；").join(
        f"{walker_name(district, p)} {p.speed_m_s:g} m/s"
        for p in (district.profile(n) for n in dict.fromkeys(r.profile for r in names))
    )
    return (
        f"<section><h2>{say('这些数字凭什么')}</h2><ul>"
        f"<li>{say('从小区内均匀分布的点出发，直线走到小区出入口（不翻墙、不过铁路河道），再沿街道走到设施的门；距离沿街道精确切算，不取最近节点。')}</li>"
        f"<li>{say('步速：{0}；过街等候按路段上的秒数计入。', e(walkers))}</li>"
        f"<li>{say('三种算法量的是同一对门之间的距离，直线不会比步行长；“数据不足”不是 0。')}</li>"
        f"<li>{say('{0}。', e(rests_on(district)))}</li></ul>"
        f"{_findings(results['audit'])}"
        f"{scrolled(head, rows)}"
        f'<p class="small">{found}</p></section>'
    )


def _findings(table: pd.DataFrame) -> str:
    """What the audit found that matters, with what to do about it."""
    e = html.escape
    rows = "".join(
        f"<tr><td>{say(SEVERITIES[r.severity])}</td><td>{e(r.topic)}</td><td>{e(r.finding)}</td>"
        f'<td class="n">{"" if pd.isna(r.people) else f"{r.people:,.0f}"}</td><td>{e(r.remedy)}</td></tr>'
        for r in table[table["severity"] != "info"].itertuples(index=False)
    )
    if not rows:
        return ""
    names = [title("轻重"), title("方面"), say("数据核查发现"), title("涉及人口"), title("怎么办")]
    return f"{scrolled(heads(names, (3,)), rows)}<p></p>"


# --- pages beside the brief ------------------------------------------------------------------------------------------


#: Pages that commands of their own write beside the brief.
BESIDE = ("plans.html", "sites-*.html", "links-*.html")
_LINKS = re.compile(r"<span id=\"beside\">.*?</span>", re.DOTALL)
#: Of these, the ones that `report --plans` writes, and what they are called.
ON_REQUEST = {"plans.html": "方案比较（目录里有方案时）", "sites-*.html": "选址比选"}


def with_links(page: str, folder: Path) -> str:
    """Link the pages that lie beside the brief, by their titles; say how to get those that do not."""
    found = [path for pattern in BESIDE for path in sorted(folder.glob(pattern))]
    titles = [re.search(r"<title>(.*?)</title>", path.read_text("utf-8"), re.DOTALL) for path in found]
    links = say("　").join(
        f'<a href="{html.escape(path.name)}">{title.group(1) if title else html.escape(path.stem)}</a>'
        for path, title in zip(found, titles, strict=True)
    )
    missing = [say(name) for pattern, name in ON_REQUEST.items() if not any(folder.glob(pattern))]
    if missing:
        option = "<code>--plans</code>"
        how = say("还没有写：{0}；写这份简报的 report 命令后面加 {1} 再运行一次", say("、").join(missing), option)
        links = say("　").join(text for text in (links, f"<small>{how}</small>") if text)
    return _LINKS.sub(lambda _: f'<span id="beside">{links}</span>', page, count=1)


def link_pages(folder: Path) -> None:
    """
    Link the pages beside a brief from it, where there is one: what the next report would write, now.

    Raises
    ------
    EnvironmentProblem
        The brief cannot be written.
    """
    brief_file, record_file = folder / "index.html", folder / RECORD
    if not is_as_written(folder, "index.html"):  # somebody else's, or changed since: left alone
        return
    try:
        old = brief_file.read_text("utf-8")
        with speaking("en" if '<html lang="en">' in old[:200] else "zh"):
            page = with_links(old, folder)
        if page == old:
            return
        record = json.loads(record_file.read_text("utf-8"))
        record["files"]["index.html"] = hashlib.sha256(page.encode("utf-8")).hexdigest()
        for path, text in ((brief_file, page), (record_file, json.dumps(record, ensure_ascii=False, indent=1) + "\n")):
            write_bytes(path, text.encode("utf-8"))
    except OSError as error:
        raise cannot_write_into(folder, error) from error
