"""
选址比选 and 增开通道: the near-ties of a siting side by side, and each home's gap with what would fix it, as pages for a meeting.

Every plan is carried out on the district and coverage is counted afresh; the pages load nothing.
"""

from __future__ import annotations

import html
from pathlib import Path
from typing import NamedTuple

import geopandas as gpd
import pandas as pd

from ... import maps
from ...access import coverage
from ...core import Profile, SitingError, as_typed, language, named_by_homes, refuse_uncleared, say, write_text
from ...core import title as column_title
from ...district import District, kind_name, rule_name, walker_name
from ...siting import LETTERS, Siting, assumption, fixes, judged_by, links_plan, pairs_plan, sites, sites_plan
from ..analysis import Progress
from ..files import added_to
from ..story.choice import (
    Choice,
    Now,
    carried_out,
    compared,
    gain_beyond,
    gap_sheet,
    link_sheet,
    pair_sheet,
    places_text,
    plan_name,
    proof,
    ranked_headlines,
    site_sheet,
    users_text,
    who_sheet,
)
from ..tables import cell_text
from .brief import link_pages
from .plans import workbook, write_scenario
from .shell import HALF_HEIGHT, HALF_PAGE, concluded, figure, page_text, table_html

#: Homes that a page lists; the workbook has all.
HOMES = 25


@named_by_homes
def write_choice(
    district: District,
    chosen: gpd.GeoDataFrame,
    to: str | Path,
    *,
    siting: Siting,
    profile: str | Profile | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """
    Write the plans of a siting side by side: `sites-KIND.html`, `tables/选址-KIND.xlsx`, `scenarios/sites-KIND-A.toml` and so on.

    Parameters
    ----------
    chosen
        Result of `sites` with `each`, not empty.
    siting, profile
        What was asked for.

    Returns
    -------
    table
        One row per plan, Chinese headers: what the page compares.

    Raises
    ------
    EnvironmentProblem
        A file cannot be written.
    """
    refuse_uncleared(district.manifest, "写出选址比选")
    with added_to(Path(to)) as folder:
        table = _write_choice(district, chosen, folder, Path(to), _Asked(siting, profile, progress or (lambda _: None)))
    link_pages(Path(to))
    return table


class _Asked(NamedTuple):
    """What was asked of a siting, and who is told how far its pages are."""

    siting: Siting
    profile: str | Profile | None
    tell: Progress


def _write_choice(
    district: District, chosen: gpd.GeoDataFrame, folder: Path, target: Path, asked: _Asked
) -> pd.DataFrame:
    """Write the files of a siting into a folder of their own, on the way to `target`; return what the page compares."""
    siting, profile, tell = asked
    kind, rule = judged_by(district, str(chosen["kind"].iloc[0]), siting)
    rule = rule if rule.name == chosen["rule"].iloc[0] else judged_by(district, str(chosen["rule"].iloc[0]), siting)[1]
    now = Now(district, rule, profile, coverage(district, rules=[rule], profile=profile))
    choices: list[Choice] = []
    for number in dict.fromkeys(chosen["plan"]):
        tell(say("复核方案 {0}", LETTERS[len(choices) % 26]))
        choices.append(carried_out(now, chosen, int(number), LETTERS[len(choices) % 26]))
    table = compared(now, choices)
    label = kind_name(district, kind)
    figures = []
    for choice in choices:
        tell(say("画方案 {0}", choice.letter))
        pair = maps.Comparison(district, choice.after, (now.cover, choice.cover))
        zones = dict(zip(choice.rows["tag"], choice.rows["may_stand"], strict=True))
        tags = dict(zip(choice.rows.index.astype(str), choice.rows["tag"], strict=True))
        drawn = maps.difference(pair, rule, tags=tags, zones=zones, lang=language()).figure(HALF_PAGE)
        figures.append(figure(drawn, f"{plan_name(choice)}{html.escape(places_text(choice))}"))
        plan = sites_plan(chosen, int(choice.rows["plan"].iloc[0]), name=f"sites-{kind}-{choice.letter}")
        write_scenario(folder / "scenarios" / f"{plan.name}.toml", plan, district)
    book = f"tables/选址-{kind}.xlsx"
    workbook(
        folder / book,
        district,
        {
            "方案比较": (table, say("一行一个方案；都在街道上实际设置后重新计算")),
            "每处": (site_sheet(choices), say("按新增多少排序；新增为在前面几处之外")),
            "谁受益": (who_sheet(now, choices), say("各方案新增的可达份额 0–1")),
        },
    )
    title = say("{0} 选址比选", label)
    nav = f'<a href="{book}">{say("表格")}</a>' + _back(target)
    body = concluded(_best(table))
    body += f"<section><h2>{column_title('方案比较')}</h2>{table_html(table)}{_reading(chosen)}</section>"
    body += f'<section><h2>{say("各方案的图")}</h2><div class="figures even">{"".join(figures)}</div></section>'
    body += _question(now, chosen)
    body += "".join(_choice_section(now, choice, choices[0], kind) for choice in choices)
    write_text(folder / f"sites-{kind}.html", page_text(district, title, nav, body))
    return table


@named_by_homes
def write_worst(
    district: District, lead: pd.DataFrame, to: str | Path, *, progress: Progress | None = None
) -> str | None:
    """
    Write the page of sites for the headline that leaves most people out, or the next one that a new site helps.

    Parameters
    ----------
    lead
        Result of `access.headlines`; what the plan says goes first, then rules that stand in a text someone read.

    Returns
    -------
    rule
        The rule of that headline; None where no site helps anybody.

    Raises
    ------
    EnvironmentProblem
        A file cannot be written.
    """
    siting = Siting(plans=3)
    for name in ranked_headlines(district, lead):
        try:
            found = sites(district, name, 1, siting=siting, each=True, progress=progress)
        except SitingError:  # no candidate helps: look at the next
            continue
        write_choice(district, found, to, siting=siting, progress=progress)
        return name
    return None


def _back(folder: Path) -> str:
    return f'　<a href="index.html">{say("简报")}</a>' if (folder / "index.html").is_file() else ""


def _best(table: pd.DataFrame) -> list[str]:
    """Say what the page comes to: which plan is best, where, and what it brings."""
    before, best = table.iloc[0], table.iloc[1]
    tied = say("、").join(table.loc[(table["与最好的差"] == say("并列最好")).to_numpy(), "方案"])
    first = say("{0} 并列最好，排在最前的是", tied) if tied else say("最好的是")
    counts = {
        "新增居民（人）": "新增居民 {0} 人",
        "其中60岁及以上（人）": "其中60岁及以上 {0} 人",
        "仍不可达（人）": "仍不可达 {0} 人",
    }
    people = [(told, cell_text(name, best[name])) for name, told in counts.items()]
    told = say("，").join(say(told, text) for told, text in people if text != "—") or say("人口不详")
    return [say("{0} {1}：由 {2} 提高到 {3}；{4}。", first, best["位置"], before["实施后"], best["实施后"], told)]


#: What plans are weighed by.
_WEIGHED = {
    "people": "常住人口",
    "people_60plus": "60岁及以上人口",
    "area_m2": "居住用地",
    "homes": "小区数",
    "community": "社区数",
}


def _question(now: Now, chosen: gpd.GeoDataFrame) -> str:
    """Say what was asked, how it was judged, and how sure the answer is."""
    e, first = html.escape, chosen.iloc[0]
    walker = walker_name(now.district, now.district.profile(str(first["profile"])))
    weight = say(_WEIGHED[first["weight"]])
    lines = [
        say("按“{0}”评判，{1}；比的是{2}。{3}。", first["label"], walker, weight, proof(chosen)),
        str(first["near_ties"]),
    ]
    lines += [str(first["left_out"])] if first["left_out"] else []
    assumed = assumption(now.district, now.rule, True)
    lines += [say("{0}：下面的人数都按图上有的就是全部算，不作结论。", assumed)] if assumed else []
    return (
        f"<section><h2>{say('问的是什么')}</h2>" + "".join(f"<p>{e(line)}</p>" for line in lines if line) + "</section>"
    )


def _reading(chosen: gpd.GeoDataFrame) -> str:
    unsure = chosen["origin"].isin(["door", "inside", "community"]).any()
    note = say("　标“待核”的是推算的点，要到现场看有没有地方。") if unsure else ""
    told = say(
        "新增只算前后都住在这里的人；平均步行按能走到的居民到最近一处计。"
        "几个方案相差很小时，用地、产权、造价和与其他设施合设，由会议决定。"
    )
    return f'<p class="small">{told}{note}</p>'


def _choice_section(now: Now, choice: Choice, best: Choice, kind: str) -> str:
    """Return one plan: why each site, who uses it, who gains here and not in the best plan."""
    e = html.escape
    items = "".join(
        f"<li><b>{e(str(row.tag))}</b> {e(str(row.reason))}{users_text(choice, str(row.Index))}</li>"
        for row in choice.rows.itertuples()
    )
    text = ""
    if choice is not best:
        more, less = gain_beyond(now, choice.gained, best.gained), gain_beyond(now, best.gained, choice.gained)
        parts = (
            say("多惠及 {0}", more) if more else say("没有多惠及谁"),
            say("少惠及 {0}", less) if less else say("没有少惠及谁"),
        )
        text = f"<p>{e(say('与方案 A 比：{0}。', say('；').join(parts)))}</p>"
    file = f"scenarios/sites-{kind}-{choice.letter}.toml"
    link, run = f'<a href="{e(file)}">{e(file)}</a>', as_typed("python run.py compare")
    command = f"<code>{run} {e(file)} --out {say('文件夹')}</code>"
    live = say("有一处在小区里，会议活地图打不开") if choice.inside else say("也可在会议活地图里打开")
    return (
        f'<section><h2>{say("方案 {0}", choice.letter)}</h2><ul class="plain">{items}</ul>{text}'
        f'<p class="small">{say("方案文件 {0}：细看用 {1}，{2}", link, command, live)}</p></section>'
    )


# --- links, and each home's gap --------------------------------------------------------------------------------------


@named_by_homes
def write_links(
    district: District,
    rule: str,
    ranked: gpd.GeoDataFrame,
    both: gpd.GeoDataFrame,
    to: str | Path,
    *,
    progress: Progress | None = None,
) -> None:
    """
    Write which openings would help, and home by home why it is outside: `links-RULE.html`, `tables/增开通道-RULE.xlsx`, plans.

    Parameters
    ----------
    rule
        As in `links`.
    ranked, both
        Results of `links` and `link_pairs` for that rule.

    Raises
    ------
    SitingError, UnknownNameError
        As in `links`.
    EnvironmentProblem
        A file cannot be written.
    """
    refuse_uncleared(district.manifest, "写出增开出入口效果")
    with added_to(Path(to)) as folder:
        _write_links(district, rule, (ranked, both), (folder, Path(to)), progress or (lambda _: None))
    link_pages(Path(to))


def _write_links(
    district: District,
    rule: str,
    found: tuple[gpd.GeoDataFrame, gpd.GeoDataFrame],
    way: tuple[Path, Path],
    tell: Progress,
) -> None:
    """Write the files of openings (one, and two together) into a folder of their own, on the way to another."""
    (ranked, both), (folder, target) = found, way
    tell(say("逐个小区看怎样才够得着"))
    places = fixes(district, rule)
    own = judged_by(district, rule)[1]
    cover = coverage(district, rules=[own])
    tell(say("画缺口图"))
    drawn = maps.figure_of(maps.openings_scene(district, own, cover, ranked.geometry, language()), HALF_HEIGHT)
    sheets = {
        "一处": (link_sheet(ranked), say("只开这一处；在街道上实际打开后重新计算")),
        "两处一起": (pair_sheet(both), say("两处同时开")),
        "逐个小区": (
            gap_sheet(places),
            say("中位的不可达点到最近一处；到出入口、等候、沿街相加为总分钟；绕行为走的路 ÷ 直线"),
        ),
    }
    book = f"tables/增开通道-{own.name}.xlsx"
    workbook(folder / book, district, sheets)
    for table, plan in ((ranked, links_plan), (both, pairs_plan)):
        if len(table):
            made = plan(table, name=f"{'links' if table is ranked else 'pairs'}-{own.name}")
            write_scenario(folder / "scenarios" / f"{made.name}.toml", made, district)
    empty = {
        "一处": say("没有一处单独的通道能让更多人够得着，或少走路。"),
        "两处一起": say("没有两处一起开能让更多人够得着，或少走路。"),
        "逐个小区": say("没有服务范围外的小区，或数据不足。"),
    }
    repeats = ["小区编号", "为什么"]  # only the numbers again
    body = "".join(
        f'<section><h2>{column_title(name)}</h2><p class="small">{html.escape(unit)}{_rest(table)}</p>'
        + (
            table_html(table.head(HOMES).drop(columns=repeats, errors="ignore"))
            if len(table)
            else f'<p class="line">{empty[name]}</p>'
        )
        + "</section>"
        for name, (table, unit) in sheets.items()
    )
    assumed = assumption(district, own, True)
    told = say("{0}：下面的人数都按图上有的就是全部算，不作结论。", assumed)
    note = f'<p class="line">{html.escape(told)}</p>' if assumed else ""
    if len(ranked):
        note = concluded([say("只开一处，最好的是 {0}：{1}。", ranked.index[0], ranked["text"].iloc[0])]) + note
    name = rule_name(district, own)
    caption = say("现在谁在服务范围外，开在哪里（{0}）；编号同下表", html.escape(name))
    shown = f"{note}{figure(drawn, caption)}"
    page = page_text(
        district,
        say("增开出入口效果：{0}", name),
        f'<a href="{book}">{say("表格")}</a>{_back(target)}',
        f"<section>{shown}</section>{body}",
    )
    write_text(folder / f"links-{own.name}.html", page)


def _rest(table: pd.DataFrame) -> str:
    told = say("；共 {0} 个小区，这里列不可达最多的 {1} 个，其余和原因见表格", len(table), HOMES)
    return told if len(table[HOMES:]) else ""
