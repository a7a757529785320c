"""`index.html`: what a meeting reads first, in one file that loads nothing."""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from ...access import rests_on
from ...core import crs_label, language, marked, per_cent, say, speaking, title, web_file, write_text
from ...district import walker_name
from ...ledger import has_own_plan
from ...maps import DEMONSTRATION_TEXT, preset_text
from ..files import cannot_write_into, is_as_written
from ..record import RECORD
from ..story.records import Figure, Goal
from ..story.story import Story
from ..workbook import foot
from .receipts import OF_BRIEF
from .registry import Page
from .shell import followed, heads, html_page, receipt_line, scrolled, warning
from .since import since_section

#: English words take more room.
ENGLISH_STYLE = "report/brief-en.css"
#: How many homes the page lists.
ROWS = 12


def brief_page(
    story: Story,
    pictures: Sequence[Mapping[str, str]],
    pages: Sequence[Page],
    changed: pd.DataFrame | None = None,
) -> str:
    """Return `index.html`: headlines, maps, gaps, what it rests on. One file, nothing loaded."""
    e, district = html.escape, story.district
    style = web_file(ENGLISH_STYLE) if language() == "en" else ""
    mark = warning(say(DEMONSTRATION_TEXT)) if district.is_demonstration else ""
    lists = say("　社区名录：{0} 年", district.list_year) if district.communities is not None else ""
    borrowed = ""
    if district.files.at["rules", "from"] != "本目录":
        borrowed = f'<p class="line">{say("规则表用的是随程序的默认口径，不是本街道自己的规划承诺")}</p>'
    borrowed += warning(str(district.manifest.get("survey_note") or ""))
    links = {page.file: say(page.link) for page in pages}
    links |= {"maps/overview.html": say("现状总图"), "tables/coverage.xlsx": say("表格")}
    nav = say("　").join(
        [*(f'<a href="{file}">{what}</a>' for file, what in links.items()), '<span id="beside"></span>']
    )
    said = say(
        "口径：{0}　数据年份：{1}{2}　坐标系：{3}",
        preset_text(district, story.analysis.preset),
        district.year,
        lists,
        crs_label(district.crs),
    )
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
{_cards(story)}
{_figures(pictures)}
{_gap_section(story)}
{_other_table(story)}
{_rests_on(story)}
</main>
<footer><p>{e(foot(district))}</p></footer>"""
    return marked(html_page(heading, style, body))


def _cards(story: Story) -> str:
    """Return a card for each promise that has a value, and one line for those that have none, with what is missing."""
    e, unknown = html.escape, story.unknown
    rows = "".join(f"<li>{e(say('{0}：{1}', goal.label, goal.headline))}</li>" for goal in unknown)
    missing = (
        f'<details open><summary>{say("数据不足的 {0} 项", len(unknown))}</summary><ul class="links">{rows}</ul></details>'
        if unknown
        else ""
    )
    cards = "".join(map(_card, story.known))
    return f'<section><h2>{say("一眼看结果")}</h2><div class="cards">{cards}</div>{missing}</section>'


def _card(goal: Goal) -> str:
    e = html.escape
    mark = f'<span class="mark">{e(goal.mark)}</span>' if goal.mark else ""
    outside = f'<p class="small">{goal.outside}</p>' if goal.outside else ""
    return (
        f'<article class="card"><h3>{e(goal.label)}</h3><p class="number">{followed(goal.big, OF_BRIEF, goal.rule)}{mark}</p>'
        f"{_bar(goal)}"
        f'<p>{e(goal.headline)}</p><p class="small">{e(goal.alternatives)}</p>{outside}'
        f'<p class="small">{e(goal.standard)}</p></article>'
    )


def _followed(figure: Figure, *about: str, text: str = "") -> str:
    """Return a figure as a link to what it is added up from; what nobody knows is none."""
    told = text or html.escape(figure.told)
    return followed(told, OF_BRIEF, *about) if figure.known else told


def _bar(goal: Goal) -> str:
    """Draw a share; of communities that have one only as much is filled as people can walk there, the rest is an outline."""
    wide, walked = f"width:{per_cent(goal.share.value)}", goal.walked
    if walked is None:
        return f'<div class="bar" role="img" aria-label="{goal.share.text}"><i style="{wide}"></i></div>'
    told = say("有 {0}；走得到 {1}", goal.share.text, walked.text)
    return (
        f'<div class="bar has" role="img" aria-label="{told}"><b style="{wide}"></b><i style="width:{per_cent(walked.value)}"></i></div>'
        f'<p class="small">{told}</p>'
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


def _gap_section(story: Story) -> str:
    """The places that lack most of what is promised: one row per place, its largest gap with the reason, what else it lacks."""
    e, district, survey = html.escape, story.district, _survey_next(story)
    heading = f"<h2>{say('谁还够不着，为什么')}</h2>"
    if not story.gaps:
        none = say("承诺的指标没有发现缺口，或数据不足以判断。") if story.judged or not survey else ""
        return f"<section>{heading}<p>{none}</p>{survey}</section>"
    top = story.gaps[:ROWS]
    body = "".join(
        f'<tr><td>{e(gap.name)}</td><td>{e(gap.label)}</td><td class="n">{_followed(gap.unserved, gap.rule, gap.home)}</td>'
        f"<td>{e(gap.reason)}</td><td>{e(say('、').join(gap.others)) or '—'}</td></tr>"
        for gap in top
    )
    book = '<a href="tables/coverage.xlsx">tables/coverage.xlsx</a>'
    said = say(
        "{0}的 {1} 项指标共有 {2} 个小区够不着其中至少一项；下面 {3} 个，走路够不着的人多的在前，其次是本社区没有的。全部见 {4} 的“缺口清单”。",
        say("规划承诺") if has_own_plan(district) else say("参考口径"),
        len(story.exact),
        len(story.gaps),
        len(top),
        book,
    )
    head = heads([title("小区"), say("最大的缺口"), say("不可达人口"), say("原因"), say("还缺")], (2,))
    return f'<section>{heading}<p class="small">{said}</p>{scrolled(head, body)}{_lacking(story)}{survey}</section>'


def _lacking(story: Story) -> str:
    """The communities that have none of something promised to each; empty where there are none."""
    e = html.escape
    rows = "".join(
        f'<tr><td>{e(own.name)}</td><td>{e(say("、").join(own.lacks))}</td><td class="n">{_followed(own.living, own.code)}</td></tr>'
        for own in story.lacking
    )
    if not rows:
        return ""
    head = heads([title("社区"), say("本社区没有的"), say("住在那里的人")], (2,))
    return f'<p class="small">{say("承诺每个社区都有、本社区没有的，住的人多的在前：")}</p>{scrolled(head, rows)}'


def _survey_next(story: Story) -> str:
    """Say which kinds have to be surveyed before anybody can say who lacks them; empty where none has."""
    kinds = story.survey
    if not kinds:
        return ""
    first = say("下一步：先调查{0}。", kinds[0])
    rest = say("然后是{0}。", say("、").join(kinds[1:6])) if kinds[1:] else ""
    why = say(
        "这些设施取自地图，漏了多少不知道：图上走得到的算走得到，图上走不到的不等于没有。先查涉及的人最多的一类；"
        "查全一类，就把它写进 district.toml 的 surveyed_kinds，这一类才说得出谁够不着、补在哪里。"
    )
    return f'<p><b>{html.escape(first)}</b>{html.escape(rest)}</p><p class="small">{html.escape(why)}</p>'


def _other_table(story: Story) -> str:
    """Every rule: what the plan says, then what is counted beside it, each line with its standard, clause and confidence."""
    e, parts = html.escape, []
    head = heads([*(title(name) for name in ("指标", "结果", "换算法", "依据", "标记")), say("编号")])
    for heading, goals in story.headings.items():
        rows = "".join(
            f"<tr><td>{e(goal.label)}</td><td>{_followed(goal.share, goal.rule, text=e(goal.headline))}</td><td>{e(goal.alternatives)}</td>"
            f'<td>{e(goal.standard)}<br><span class="small">{e(goal.cited)}</span></td>'
            f"<td>{e(goal.mark)}</td><td><code>{e(goal.rule)}</code></td></tr>"
            for goal in goals
        )
        parts.append(
            f"<h3>{e(heading)}</h3><details><summary>{say('展开 {0} 项', len(goals))}</summary>{scrolled(head, rows)}</details>"
        )
    return f"<section><h2>{say('全部指标')}</h2>{''.join(parts)}{receipt_line()}</section>"


def _rests_on(story: Story) -> str:
    """What the numbers rest on: layers with their basis, and how each number is made."""
    district = story.district
    book = "tables/规划目标落实核对表.xlsx"
    files = {say("表格"): ["tables/coverage.xlsx"], "GIS": ["gis/coverage.gpkg"], say("运行记录"): ["run.json"]}
    if has_own_plan(district):
        files = {say("规划目标落实核对表"): ["ledger.html", book], **files}
    found = say("　").join(
        say("{0}：{1}", what, say("、").join(f'<a href="{f}">{f}</a>' for f in own)) for what, own in files.items()
    )
    e = html.escape
    rows = "".join(
        f'<tr><td>{e(r.layer)}</td><td class="n">{r.features}</td><td class="n">{r.weak}</td><td>{e(r.basis)}</td>'
        f"<td>{e(r.source)}</td><td>{e(r.licence)}</td><td>{e(r.date)}</td></tr>"
        for r in story.sources
    )
    columns = ("图层", "要素数", "其中示意或合成", "依据类型", "来源", "许可", "日期")
    head = heads([title(name) for name in columns], (1, 2))
    names = [district.rule(goal.rule) for goal in story.every]
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
        f"{_findings(story)}"
        f"{scrolled(head, rows)}"
        f'<p class="small">{found}</p></section>'
    )


def _findings(story: Story) -> str:
    """What the audit found that matters, with what to do about it."""
    e = html.escape
    rows = "".join(
        f"<tr><td>{r.severity}</td><td>{e(r.topic)}</td><td>{e(r.finding)}</td>"
        f'<td class="n">{r.concerned}</td><td>{e(r.remedy)}</td></tr>'
        for r in story.findings
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
            write_text(path, text)
    except OSError as error:
        raise cannot_write_into(folder, error) from error
