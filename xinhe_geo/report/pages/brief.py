"""`index.html`: two pages that conclude (how are we doing, where is it worst, what to do next) and the annex they rest on, in one file that loads nothing."""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from ...access import rests_on, starts_in_words
from ...core import (
    SourceError,
    crs_label,
    language,
    marked,
    opened,
    per_cent,
    read_whole,
    say,
    speaking,
    title,
    web_file,
)
from ...district import list_told, place_title, survey_note, walker_name, year_told
from ...ledger import has_own_plan
from ...maps import (
    DEMONSTRATION_TEXT,
    MARKS_STYLE,
    bars,
    curves,
    figure_of,
    front_scene,
    preset_text,
    slope,
    tone_style,
    too_many_to_meet,
    walk_picture,
    wording,
)
from ...maps import Bar as ChartBar
from ...maps import Line as ChartLine
from ..files import is_as_written, put_over
from ..record import RECORD, read_run
from ..story.change import Change
from ..story.front import TOLD_AT, aims
from ..story.records import Figure, Goal, Line, Step, WalkTold
from ..story.story import Story
from ..workbook import foot
from .change import concluded
from .receipts import OF_BRIEF
from .registry import Page
from .shell import HALF_HEIGHT, cell_html, figure, followed, heads, html_page, receipt_line, scrolled, warning
from .since import since_section

#: English words take more room.
ENGLISH_STYLE = "report/brief-en.css"
#: How many homes the annex lists, how many the second page, and how many goals the first.
ROWS, FIRST_GAPS, FIRST_GOALS = 12, 5, 12


def brief_page(
    story: Story, drawn: Sequence[Mapping[str, str]], pages: Sequence[Page], changed: pd.DataFrame | None = None
) -> str:
    """
    Return `index.html`: two pages that conclude, and the annex. One file, nothing loaded.

    Parameters
    ----------
    drawn
        The maps beside it: `title` and `file` of each.
    pages
        The pages beside it.
    changed
        What changed since an earlier run.
    """
    e, district = html.escape, story.district
    styles = [tone_style(), *([MARKS_STYLE] if story.change is not None else [])]
    styles += [web_file(ENGLISH_STYLE)] if language() == "en" else []
    mark = warning(say(DEMONSTRATION_TEXT)) if district.is_demonstration else ""
    homes = re.match(r"\d{4}", str(district.manifest["layers"].get("homes", {}).get("date", "")))
    aged = homes is not None and int(homes[0]) != district.year and not district.is_demonstration
    lists = (say("，小区资料 {0} 年", homes[0]) if homes and aged else "") + list_told(district)
    borrowed = ""
    if not district.has_own_rules:
        borrowed = f'<p class="line">{say("规则表用的是随程序的默认口径，不是本街道自己规划提出的目标")}</p>'
    if many := too_many_to_meet(district):
        borrowed += f'<p class="line">{e(many)}</p>'
    borrowed += warning(survey_note(district))
    links = {page.file: say(page.link) for page in pages}
    links |= {"#annex": say("附件"), "tables/coverage.xlsx": say("表格")}
    nav = say("　").join(f'<a href="{file}">{what}</a>' for file, what in links.items()) + '<span id="beside"></span>'
    said = say(
        "口径：{0}　数据年份：{1}{2}　坐标系：{3}",
        preset_text(district, story.analysis.preset),
        year_told(district),
        lists,
        crs_label(district.crs),
    )
    heading = say("{0} 公共服务设施覆盖简报", place_title(district))
    there = {page.file for page in pages} | {m["file"] for m in drawn}
    body = f"""<header>
<h1>{e(heading)}</h1>
<nav>{nav}</nav>
</header>
<main>
<section class="sheet">
{_conclusion(story)}
{mark}
{_lines(story, there)}
<p class="line">{e(said)}</p>
{borrowed}
</section>
<section class="sheet" id="where">
{_map(story)}
{_five_gaps(story)}
{_plans(story)}
</section>
<section class="annex" id="annex">
<h2 class="part">{say("附件")}</h2>
{"" if story.change is None else _changed(story.change)}
{"" if changed is None else since_section(changed)}
{_heat(story, there)}
{_curves(story)}
{_walks(story)}
{_slope(story)}
{_gap_section(story)}
{_other_table(story)}
{_rests_on(story)}
{_links(drawn)}
</section>
</main>
<footer><p>{e(foot(district))}</p></footer>"""
    return marked(html_page(heading, "".join(styles), body))


def _changed(change: Change) -> str:
    """What a plan changes, and where all of it stands."""
    names = html.escape(say("{0}与{1}", *change.names))
    more = f'<p class="line"><a href="compare.html">{say("方案前后：每个指标、小区、设施和地图")}</a></p>'
    return f"<section><h2>{names}</h2><p>{html.escape(change.people)}</p>{more}</section>{concluded(change)}"


# --- the first page --------------------------------------------------------------------------------------------------


def _conclusion(story: Story) -> str:
    """The three sentences."""
    e, own = html.escape, story.conclusion
    mark = f'<span class="mark">{e(own.mark)}</span>' if own.mark else ""
    said = zip((own.met, own.worst, own.next), own.about, strict=True)
    rows = "".join(f"<li>{_said(e(text), about)}{mark}</li>" for text, about in said)
    return f'<ol class="conclusion">{rows}</ol>'


def _lines(story: Story, there: set[str]) -> str:
    """The table of the goals, worst first; what does not fit on the page stands in the annex with all others."""
    e = html.escape
    if not story.lines:
        return ""
    head = heads([say("目标"), say("现状"), say("缺口人数"), say("责任单位"), say("下一步")], (2,))
    rows = "".join(_line(line, there) for line in story.lines[:FIRST_GOALS])
    rest = story.lines[FIRST_GOALS:]
    more = f'<p class="small">{e(say("其余 {0} 项见附件“全部指标”", len(rest)))}</p>' if rest else ""
    return f"{scrolled(head, rows, 'goals')}{more}"


def _line(line: Line, there: set[str]) -> str:
    e, goal = html.escape, line.goal
    file = f"maps/{goal.rule}.html"
    name = f'<a href="{file}">{e(goal.label)}</a>' if file in there else e(goal.label)
    mark = f'<span class="mark">{e(goal.mark)}</span>' if goal.mark and not goal.exact else ""
    office = e(line.responsible) or f'<span class="small">{say("待填")}</span>'
    return (
        f'<tr id="goal-{e(goal.rule)}"><td>{name}</td>'
        f'<td class="now"><b>{_followed(goal.share, goal.rule, text=goal.big)}</b>{mark}{_bar(goal)}{_firm(goal)}</td>'
        f'<td class="n">{_followed(goal.unserved, goal.rule, text=e(line.missed))}</td><td>{office}</td><td>{_said(e(line.next), line.about)}</td></tr>'
    )


def _followed(figure: Figure, *about: str, text: str = "") -> str:
    """Return a figure as a link to what it is added up from; what nobody knows is none."""
    told = text or html.escape(figure.told)
    return followed(told, OF_BRIEF, *about) if figure.known else told


def _said(text: str, about: str) -> str:
    """Return a text (markup) whose figures are about something as a link to what they are added up from."""
    return followed(text, OF_BRIEF, about) if about and re.search(r"\d", text) else text


def _firm(goal: Goal) -> str:
    """Return how firm a goal is, where that was asked."""
    return f'<p class="small">{html.escape(goal.firm)}</p>' if goal.firm else ""


def _bar(goal: Goal) -> str:
    """Draw a share; of communities that have one only as much is filled as people can walk there, the rest is an outline."""
    if not goal.share.known:
        return ""
    wide, walked = f"width:{per_cent(goal.share.value)}", goal.walked
    if walked is None:
        return f'<div class="bar" role="img" aria-label="{goal.share.text}"><i style="{wide}"></i></div>'
    told = say("有 {0}；走得到 {1}", goal.share.text, walked.text)
    return (
        f'<div class="bar has" role="img" aria-label="{told}"><b style="{wide}"></b><i style="width:{per_cent(walked.value)}"></i></div>'
        f'<p class="small">{told}</p>'
    )


# --- the second page -------------------------------------------------------------------------------------------------


def _map(story: Story) -> str:
    """The one map: homes in two tones, the five gaps by number, where something new would stand."""
    goal, homes = story.mapped, story.district.homes
    if goal is None or homes is None or homes.empty:
        return ""
    places = dict.fromkeys(place for step in story.plans for place in step.places)
    sites = [(place.tag, place.x, place.y) for place in places]
    scene = front_scene(story.district, goal.rule, story.analysis, sites, story.analysis.lang)
    about = say("{0}：谁在服务范围外，缺口在哪里，补在哪里", goal.label)
    return f"<h2>{html.escape(about)}</h2>{figure(figure_of(scene, HALF_HEIGHT))}"


def _five_gaps(story: Story) -> str:
    """The five homes that miss most, in the order of `maps.worst_gaps`."""
    e = html.escape
    rows = "".join(
        f'<tr><td class="n">{i}</td><td>{e(gap.name)}</td><td>{e(gap.label)}</td>'
        f'<td class="n">{_followed(gap.unserved, gap.rule, gap.home)}</td><td>{e(gap.reason)}</td></tr>'
        for i, gap in enumerate(story.gaps[:FIRST_GAPS], 1)
    )
    if not rows:
        return _survey_next(story)
    head = heads([say("序"), title("小区"), say("最大的缺口"), say("服务范围外"), say("原因")], (0, 3))
    return f"<h2>{say('缺口最大的五处')}</h2>{scrolled(head, rows, 'five')}"


def _plans(story: Story) -> str:
    """What one, two and three new places bring."""
    e, goal = html.escape, story.leading
    if goal is None or not story.plans:
        return ""
    rows = "".join(
        f"<tr><td>{e(say('增设 {0} 处', step.number))}</td><td>{e(say('；').join(f'{place.tag} {place.where}' for place in step.places))}</td>"
        f'<td class="n">{_communities(step)}{_said(e(step.gained.told), step.about)}</td>'
        f'<td class="n">{_said(f"{step.before.text} → {step.after.text}", step.about)}</td>'
        f'<td class="n">{_said(e(step.left.told), step.about)}</td>'
        f"<td>{e(step.sure)}</td></tr>"
        for step in story.plans
    )
    have = story.plans[0].before.counted or say("可达")
    names = [say("方案"), say("位置（图上字母）"), say("新增服务"), have, say("仍在服务范围外"), say("可信度")]
    about = say("怎么补：{0}", goal.label)
    mark = f'<span class="mark">{e(goal.mark)}</span>' if goal.mark else ""
    return f"<h2>{e(about)}{mark}</h2>{scrolled(heads(names, (2, 3, 4)), rows, 'plans')}"


def _communities(step: Step) -> str:
    """Say how many communities get their first one, before how many live there; "" of a goal that does not ask for one in each."""
    return html.escape(say("{0} 个社区有了，住着", step.communities)) + " " if step.communities else ""


# --- the annex -------------------------------------------------------------------------------------------------------


def _heat(story: Story, there: set[str]) -> str:
    """Communities by goals: how many people each goal misses where, the darker the more."""
    e = html.escape
    if not story.heat:
        return ""
    goals = [goal for goal in story.judged if goal.rule in story.heat[0].cells]
    linked = "communities.html" in there
    names = [f'<a href="#all-{e(goal.rule)}">{e(goal.label)}</a>' for goal in goals]
    rows = []
    for row in story.heat:
        link = f"communities.html#c-{e(row.code)}" if linked and row.code else ""
        cells = "".join(
            f'<td class="n {row.cells[goal.rule].tone}">{_linked(row.cells[goal.rule].text, link)}</td>'
            for goal in goals
        )
        rows.append(f"<tr><th>{_linked(e(row.name), link)}</th>{cells}</tr>")
    head = heads([title("社区"), *names], [i for i, _ in enumerate(names, 1)])
    said = say(
        "格里是服务范围外的人数（为老的目标是60岁及以上），越深越多；每格单独取整，相加与总数可差几人；点格看这个社区，点表头看这一项的依据和算法。"
    )
    return f"<section><h2>{say('社区和目标：缺口在哪里')}</h2><p class='small'>{said}</p>{scrolled(head, ''.join(rows), 'heat')}</section>"


def _linked(text: str, link: str) -> str:
    return f'<a href="{link}">{text}</a>' if link else text


def _seal(story: Story) -> str:
    """What stands inside every figure of a demonstration."""
    return wording(language())["demo"] if story.district.is_demonstration else ""


def _curves(story: Story) -> str:
    """How many have reached what is asked for, minute by minute, and the same as a table."""
    e = html.escape
    if not story.curves:
        return ""
    about = say("走多少分钟，有多少人走得到")
    lines = [ChartLine(own.goal.label, own.shares) for own in story.curves]
    limits = list(dict.fromkeys(own.limit for own in story.curves))
    limit = limits[0] if len(limits) == 1 else float("nan")
    chart = curves(about, lines, story.curves[0].minutes, limit, say("分钟"), _seal(story))
    head = heads([say("目标"), *(say("{0} 分钟", at) for at in TOLD_AT)], range(1, len(TOLD_AT) + 1))
    cells = [
        "".join(f'<td class="n">{_followed(f, f.about, text=f.text)}</td>' for f in own.told) for own in story.curves
    ]
    rows = "".join(
        f"<tr><td>{e(own.goal.label)}</td>{own_cells}</tr>" for own, own_cells in zip(story.curves, cells, strict=True)
    )
    return f"<section><h2>{about}</h2>{figure(chart)}{scrolled(head, rows, 'short')}</section>"


def _walks(story: Story) -> str:
    """The walks behind the largest gaps, drawn, with the minutes of each part."""
    if not story.walks:
        return ""
    shown = "".join(_walk(story, walk) for walk in story.walks)
    key = say("1 起点，2 终点；粗线沿街，点线小区内和进门，圆圈过街等候，细虚线是直线，粗虚线是走不过去的阻隔。")
    return f"<section><h2>{say('为什么远：缺口最大的几处怎么走')}</h2><p class='small'>{key}</p><div class='walks'>{shown}</div></section>"


def _walk(story: Story, walk: WalkTold) -> str:
    e = html.escape
    about = say("{0} 到 {1}", walk.gap.name, walk.facility)
    picture = walk_picture(story.district, walk.gap.home, walk.route, about, _seal(story))
    told = say("；").join(say("{0} {1} 米 {2} 分钟", leg.label, leg.metres, leg.minutes) for leg in walk.legs)
    whole = say("合计 {0} 米 {1} 分钟；到它的直线 {2} 米", walk.metres, walk.minutes, walk.straight)
    return figure(picture, f"<b>{e(about)}</b>　{e(whole)}<br>{e(told)}<br>{e(walk.gap.reason)}")


def _slope(story: Story) -> str:
    """What the leading goal comes to with one, two and three new places; the table stands on the second page."""
    goal = story.leading
    if goal is None or not story.plans:
        return ""
    about = say("增设几处以后：{0}", goal.label)
    labels = [say("现状"), *(say("增设 {0} 处", step.number) for step in story.plans)]
    told = [story.plans[0].before, *(step.after for step in story.plans)]
    chart = slope(about, labels, [f.value for f in told], [f.text for f in told], _seal(story))
    return f"<section><h2>{html.escape(about)}</h2>{figure(chart)}</section>"


def _links(drawn: Sequence[Mapping[str, str]]) -> str:
    e = html.escape
    links = "".join(f'<li><a href="{e(p["file"])}">{e(p["title"])}</a></li>' for p in drawn)
    return f'<section class="screen"><h2>{say("地图")}</h2><ul class="links">{links}</ul></section>'


def _gap_section(story: Story) -> str:
    """The places that lack most of what is promised: one row per place, its largest gap with the reason, what else it lacks."""
    e, district, survey = html.escape, story.district, _survey_next(story)
    heading = f"<h2>{say('谁在服务范围外，为什么')}</h2>"
    if not story.gaps:
        none = say("目标没有发现缺口，或数据不足以判断。") if story.judged or not survey else ""
        return f"<section>{heading}<p>{none}</p>{survey}</section>"
    top = story.gaps[:ROWS]
    body = "".join(
        f'<tr><td>{e(gap.name)}</td><td>{e(gap.label)}</td><td class="n">{_followed(gap.unserved, gap.rule, gap.home)}</td>'
        f"<td>{e(gap.reason)}</td><td>{e(say('、').join(gap.others)) or '—'}</td></tr>"
        for gap in top
    )
    book = '<a href="tables/coverage.xlsx">tables/coverage.xlsx</a>'
    said = say(
        "{0} {1} 项，共有 {2} 个小区至少在其中一项的服务范围外；下面 {3} 个，步行在服务范围外的人多的在前，其次是本社区没有的。全部见 {4} 的“缺口清单”。",
        aims(district),
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
    return f'<p class="small">{say("要求每个社区都有、本社区没有的，住的人多的在前：")}</p>{scrolled(head, rows)}'


def _survey_next(story: Story) -> str:
    """Say which kinds have to be surveyed before anybody can say who lacks them; empty where none has."""
    kinds = story.survey
    if not kinds:
        return ""
    first = say("下一步：先调查{0}。", kinds[0])
    rest = say("然后是{0}。", say("、").join(kinds[1:6])) if kinds[1:] else ""
    why = say(
        "这些设施没有查全，漏了多少不知道：走得到的算走得到，走不到的不等于没有。先查涉及的人最多的一类；"
        "查全一类，就把它写进 district.toml 的 surveyed_kinds，这一类才说得出谁在服务范围外、补在哪里。"
    )
    return f'<p><b>{html.escape(first)}</b>{html.escape(rest)}</p><p class="small">{html.escape(why)}</p>'


def _claimed(goal: Goal) -> str:
    """Return what may be claimed of a number, where that is not said by where it stands."""
    said_already = goal.own or goal.standard == goal.cited
    return "" if said_already else f'<br><span class="small">{html.escape(goal.standard)}</span>'


def _other_table(story: Story) -> str:
    """Every rule: what the plan says, then what is counted beside it, each line with its standard, clause and confidence."""
    e, parts = html.escape, []
    head = heads([*(title(name) for name in ("指标", "结果", "换算法", "依据", "标记")), say("编号")])
    for heading, goals in story.headings.items():
        rows = "".join(
            f'<tr id="all-{e(goal.rule)}"><td>{e(goal.label)}</td><td>{_followed(goal.share, goal.rule, text=e(goal.headline))}{_outside(goal)}'
            f"{_firm(goal)}</td>"
            f"<td>{_said(e(goal.alternatives), goal.rule if goal.share.known else '')}</td>"
            f"<td>{e(goal.cited)}{_claimed(goal)}</td>"
            f"<td>{e(goal.mark)}</td><td><code>{e(goal.rule)}</code></td></tr>"
            for goal in goals
        )
        parts.append(
            f"<h3>{e(heading)}</h3><details><summary>{say('展开 {0} 项', len(goals))}</summary>{scrolled(head, rows)}</details>"
        )
    return f"<section class='screen'><h2>{say('全部指标')}</h2>{''.join(parts)}{receipt_line()}</section>"


def _outside(goal: Goal) -> str:
    """How much of a goal rests on facilities beyond the border."""
    return f'<br><span class="small">{html.escape(goal.outside)}</span>' if goal.outside else ""


def _rests_on(story: Story) -> str:
    """What the numbers rest on: layers with their basis, and how each number is made."""
    district = story.district
    book = "tables/规划目标落实核对表.xlsx"
    files = {
        say("表格"): ["tables/coverage.xlsx", "tables/overview.xlsx"],
        "GIS": ["gis/coverage.gpkg", "gis/coverage.qgz"],
        say("运行记录"): ["run.json"],
    }
    if has_own_plan(district):
        files = {say("规划目标落实核对表"): ["ledger.html", book], **files}
    found = say("　").join(
        say("{0}：{1}", what, say("、").join(f'<a href="{f}">{f}</a>' for f in own)) for what, own in files.items()
    )
    e = html.escape
    rows = "".join(
        f'<tr><td>{e(r.layer)}</td><td class="n">{r.features}</td><td class="n">{r.weak}</td><td>{e(r.basis)}</td>'
        f"<td>{e(r.source)}</td>{cell_html(e(r.licence), r.licence)}{cell_html(e(r.date), r.date)}</tr>"
        for r in story.sources
    )
    columns = ("图层", "要素数", "其中示意或合成", "依据类型", "来源", "许可", "日期")
    head = heads([title(name) for name in columns], (1, 2))
    names = [district.rule(goal.rule) for goal in story.every]
    walkers = say("；").join(
        f"{walker_name(district, p)} {p.speed_m_s:g} m/s"
        for p in (district.profile(n) for n in dict.fromkeys(r.profile for r in names))
    )
    told = "{0}，直线走到小区出入口（不翻墙、不过铁路河道），再沿街道走到设施的门；距离沿街道精确切算，不取最近节点。"
    walks = e(say(told, starts_in_words(district)))
    return (
        f"<section><h2>{say('这些数字凭什么')}</h2><ul>"
        f"<li>{walks}</li>"
        f"<li>{say('步速：{0}；过街等候按路段上的秒数计入。', e(walkers))}</li>"
        f"<li>{say('三种算法量的是同一对门之间的距离，直线不会比步行长；“数据不足”不是 0。')}</li>"
        f"<li>{say('{0}。', e(rests_on(district)))}</li></ul>"
        f"{_findings(story)}"
        f"{figure(bars(say('数据有多少是实的'), _weak(story), _seal(story)))}"
        f"{scrolled(head, rows)}"
        f'<p class="small">{found}</p></section>'
    )


def _weak(story: Story) -> list[ChartBar]:
    """How much of each layer is invented."""
    return [ChartBar(w.layer, w.share, say("{0} 中 {1} 为示意或合成", w.features, w.weak)) for w in story.weak]


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
BESIDE = ("plans.html", "sites-*.html", "links-*.html", "robustness.html", "stress.html")
#: The title of a page of ours stands within so many bytes.
_HEAD_BYTES = 65_536
_LINKS = re.compile(r"<span id=\"beside\">.*?</span>", re.DOTALL)


def with_links(page: str, folder: Path) -> str:
    """Link the pages that lie beside the brief, by their titles."""
    found = [path for pattern in BESIDE for path in sorted(folder.glob(pattern))]
    links = [f'<a href="{html.escape(path.name)}">{html.escape(_title_of(path))}</a>' for path in found]
    told = "".join(say("　") + link for link in links)
    return _LINKS.sub(lambda _: f'<span id="beside">{told}</span>', page, count=1)


def _title_of(page: Path) -> str:
    """Return the title of a page, whoever wrote it: a text, whatever stands in it."""
    try:
        with opened(page) as stream:
            head = stream.read(_HEAD_BYTES).decode("utf-8", "replace")
    except (OSError, SourceError):
        return page.stem
    _, begins, rest = head.partition("<title>")
    title, ends, _ = rest.partition("</title>")
    return html.unescape(title).strip() if begins and ends else page.stem


def link_pages(folder: Path) -> None:
    """
    Link the pages beside a brief from it, where there is one: what the next report would write, now.

    Raises
    ------
    EnvironmentProblem
        The brief cannot be written.
    """
    if not is_as_written(folder, "index.html"):  # somebody else's, or changed since: left alone
        return
    old = read_whole(folder / "index.html").decode("utf-8")
    with speaking("en" if '<html lang="en">' in old[:200] else "zh"):
        page = with_links(old, folder)
    if page != old:
        record = read_run(folder)
        record["files"]["index.html"] = hashlib.sha256(page.encode("utf-8")).hexdigest()
        put_over(folder, {"index.html": page, RECORD: json.dumps(record, ensure_ascii=False, indent=1) + "\n"})
