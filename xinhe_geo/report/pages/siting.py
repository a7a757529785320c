"""
选址比选 and 增开通道: the near-ties of a siting side by side, and each home's gap with what would fix it, as pages for a meeting.

Every plan is carried out on the district and coverage is counted afresh; the pages load nothing.
"""

from __future__ import annotations

import html
from pathlib import Path
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd

from ... import maps
from ...access import coverage, facility_entrances, gaps, known_sum, sharing_of, summary
from ...core import Profile, Rule, SitingError, refuse_uncleared, write_text
from ...district import District
from ...siting import (
    LETTERS,
    ROUNDING,
    Siting,
    assumption,
    fixes,
    judged_by,
    links_plan,
    pairs_plan,
    sites,
    sites_plan,
)
from ..analysis import Progress
from ..files import added_to
from .brief import link_pages
from .plans import workbook, write_scenario
from .shell import page_text, table_html, titled

#: Homes that are named in a sentence about who gains.
NAMED = 6
#: Homes that a page lists; the workbook has all.
HOMES = 25


class _Choice(NamedTuple):
    """One plan of a siting, carried out."""

    letter: str
    rows: gpd.GeoDataFrame  # of `sites`, index site
    after: District
    cover: pd.DataFrame  # index (home, rule), with the plan
    gained: pd.Series  # index home: share newly served, homes that gain only
    users: pd.Series  # index site: people whose nearest one it becomes
    inside: bool  # whether a site stands in a home, which the live map cannot count


class _Now(NamedTuple):
    """The district as it is, and how it is judged."""

    district: District
    rule: Rule
    walker: str | Profile | None
    cover: pd.DataFrame


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
    say: Progress


def _write_choice(
    district: District, chosen: gpd.GeoDataFrame, folder: Path, target: Path, asked: _Asked
) -> pd.DataFrame:
    """Write the files of a siting into a folder of their own, on the way to `target`; return what the page compares."""
    siting, profile, say = asked
    kind, rule = judged_by(district, str(chosen["kind"].iloc[0]), siting)
    rule = rule if rule.name == chosen["rule"].iloc[0] else judged_by(district, str(chosen["rule"].iloc[0]), siting)[1]
    now = _Now(district, rule, profile, coverage(district, rules=[rule], profile=profile))
    choices: list[_Choice] = []
    for number in dict.fromkeys(chosen["plan"]):
        say(f"复核方案 {LETTERS[len(choices) % 26]}")
        choices.append(_carried_out(now, chosen, int(number), LETTERS[len(choices) % 26]))
    table = _compared(now, choices)
    label = str(district.kinds.loc[kind, "label"])
    figures = []
    for choice in choices:
        say(f"画方案 {choice.letter}")
        pair = maps.Comparison(district, choice.after, (now.cover, choice.cover))
        zones = dict(zip(choice.rows["tag"], choice.rows["may_stand"], strict=True))
        drawn = maps.difference(pair, rule, tags=_tags(choice.rows), zones=zones).picture()
        figures.append(
            f"<figure>{drawn}<figcaption>{_plan_name(choice)}{html.escape(_places(choice))}</figcaption></figure>"
        )
        plan = sites_plan(chosen, int(choice.rows["plan"].iloc[0]), name=f"sites-{kind}-{choice.letter}")
        write_scenario(folder / "scenarios" / f"{plan.name}.toml", plan, district)
    book = f"tables/选址-{kind}.xlsx"
    workbook(
        folder / book,
        district,
        {
            "方案比较": (table, "一行一个方案；都在街道上实际设置后重新计算"),
            "每处": (_site_sheet(choices), "按新增多少排序；新增为在前面几处之外"),
            "谁受益": (_who_sheet(now, choices), "各方案新增的可达份额 0–1"),
        },
    )
    title = f"{label} 选址比选"
    nav = f'<a href="{book}">表格</a>' + _back(target)
    body = _question(now, chosen) + f"<section><h2>方案比较</h2>{table_html(table)}{_reading(chosen)}</section>"
    body += f'<section><h2>各方案的图</h2><div class="figures even">{"".join(figures)}</div></section>'
    body += "".join(_choice_section(now, choice, choices[0], kind) for choice in choices)
    write_text(folder / f"sites-{kind}.html", page_text(district, title, nav, body))
    return table


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
    open_ = lead[(lead["value"] < 1 - 1e-9) & (lead["people_unserved"] > 0)]
    asked = [district.rule(str(name)) for name in open_.index]
    read = [2 * rule.of_plan + (rule.confidence == "read") for rule in asked]
    ranked = open_.assign(read=read).sort_values(["read", "people_unserved"], ascending=False, kind="stable")
    siting = Siting(plans=3)
    for name in map(str, ranked.index):
        try:
            found = sites(district, name, 1, siting=siting, each=True, progress=progress)
        except SitingError:  # no candidate helps: look at the next
            continue
        write_choice(district, found, to, siting=siting, progress=progress)
        return name
    return None


def _back(folder: Path) -> str:
    return '　<a href="index.html">简报</a>' if (folder / "index.html").is_file() else ""


def _carried_out(now: _Now, chosen: gpd.GeoDataFrame, number: int, letter: str) -> _Choice:
    rows = chosen[(chosen["plan"] == number).to_numpy()]
    rows = rows.set_axis(rows.index.get_level_values("site"), axis=0)
    after = sites_plan(chosen, number).on(now.district)
    cover = coverage(after, rules=[now.rule], profile=now.walker)
    change = (cover["served"] - now.cover["served"]).droplevel("rule").fillna(0.0)
    users = sharing_of(now.cover, cover, {})["users_after"].droplevel("rule")
    new = rows.index.astype(str)
    built = after.open_facilities
    inside = built is not None and bool(facility_entrances(after, built.loc[new])["inside"].notna().any())
    return _Choice(letter, rows, after, cover, change[change > 1e-9], users.reindex(new).fillna(0.0), inside)


def _compared(now: _Now, choices: list[_Choice]) -> pd.DataFrame:
    """Return one row per plan, and the first of how it is today."""
    rows = [{"方案": "现状", "位置": "—", **_state(now, now.cover)}]
    values = [float(choice.rows["objective"].iloc[0]) for choice in choices]
    off = [abs(value - values[0]) / values[0] if values[0] else 0.0 for value in values]
    tied = sum(share < ROUNDING for share in off) > 1
    for choice, share in zip(choices, off, strict=True):
        last = choice.rows.iloc[-1]
        rows.append(
            {
                "方案": choice.letter,
                "位置": _places(choice),
                "新增居民（人）": last["people_cumulative"],
                "其中60岁及以上（人）": last["people_60plus_cumulative"],
                "惠及社区": last["communities_cumulative"],
                "人口不详的小区": int(choice.rows["homes_unknown"].sum()),
                **_state(now, choice.cover),
                "与最好的差": f"{share:.1%}" if share >= ROUNDING else "并列最好" if tied else "最好",
            }
        )
    order = [
        "方案",
        "位置",
        "新增居民（人）",
        "其中60岁及以上（人）",
        "惠及社区",
        "实施后",
        "平均步行（分钟）",
        "仍不可达（人）",
        "覆盖最低的社区",
        "人口不详的小区",
        "与最好的差",
    ]
    table = pd.DataFrame(rows).reindex(columns=order)
    return table if table["人口不详的小区"].fillna(0).any() else table.drop(columns="人口不详的小区")


def _state(now: _Now, cover: pd.DataFrame) -> dict[str, float | str]:
    """Return how one state stands: the share by the rule's denominator, the mean walk, who is left, the community that has least."""
    own = cover.droplevel("rule")
    known = own["people"].notna() & own["minutes"].notna()
    people = float(own.loc[known, "people"].sum())
    mean = float((own["minutes"] * own["people"])[known].sum()) / people if people else np.nan
    share = float(summary(cover)["share"].iloc[0])
    text = "—"
    if own["community"].notna().any():
        by = summary(cover, by="community")["people_share"].droplevel("rule").dropna()
        by = by[by.index.notna()]
        communities = now.district.communities
        if len(by):
            least = by.index[(by <= by.min() + 1e-9).to_numpy()]
            name = least[0] if communities is None else communities["name"].get(least[0], least[0])
            text = f"{name}{f'等 {len(least)} 个' if len(least) > 1 else ''} {by.min():.0%}"
    left = known_sum((1 - own["served"]).fillna(0.0), own["people"])
    return {
        "实施后": "数据不足" if np.isnan(share) else f"{share:.1%}",
        "平均步行（分钟）": mean,
        "仍不可达（人）": left,
        "覆盖最低的社区": text,
    }


def _tags(rows: pd.DataFrame) -> dict[str, str]:
    """Return what is written on the map at each new facility."""
    return dict(zip(rows.index.astype(str), rows["tag"], strict=True))


def _plan_name(choice: _Choice) -> str:
    """Return the beginning of a line about a plan; where it has one site, that carries the letter itself."""
    return f"方案 {choice.letter}：" if len(choice.rows) > 1 else ""


def _places(choice: _Choice) -> str:
    """Say where the sites of a plan are, as their reasons do, each after its letter; many in short."""
    where = [str(reason).split("：", maxsplit=1)[0].removeprefix("设在").strip() for reason in choice.rows["reason"]]
    names = [f"{tag} {text}" for tag, text in zip(choice.rows["tag"], where, strict=True)]
    return "、".join(names[:NAMED]) + (f" 等 {len(names)} 处" if len(names) > NAMED else "")


def _question(now: _Now, chosen: gpd.GeoDataFrame) -> str:
    """Say what was asked, how it was judged, and how sure the answer is."""
    e, first = html.escape, chosen.iloc[0]
    walker = now.district.profile(str(first["profile"])).label
    weights = {
        "people": "常住人口",
        "people_60plus": "60岁及以上人口",
        "area_m2": "居住用地",
        "homes": "小区数",
        "community": "社区数",
    }
    proof = (
        "已证明最优：没有更好的放法"
        if chosen["proven"].all()
        else f"没有证明最优，离可能的最好还差 {chosen['gap'].max():.1%}"
    )
    lines = [
        f"按“{first['label']}”评判，{walker}；比的是{weights[first['weight']]}。{proof}。",
        str(first["near_ties"]),
    ]
    lines += [str(first["left_out"])] if first["left_out"] else []
    assumed = assumption(now.district, now.rule, True)
    lines += [f"{assumed}：下面的人数都按图上有的就是全部算，不作结论。"] if assumed else []
    return "<section><h2>问的是什么</h2>" + "".join(f"<p>{e(line)}</p>" for line in lines if line) + "</section>"


def _reading(chosen: gpd.GeoDataFrame) -> str:
    unsure = chosen["origin"].isin(["door", "inside", "community"]).any()
    note = "　标“待核”的是推算的点，要到现场看有没有地方。" if unsure else ""
    return (
        '<p class="small">新增只算前后都住在这里的人；平均步行按能走到的居民到最近一处计。'
        f"几个方案相差很小时，用地、产权、造价和与其他设施合设，由会议决定。{note}</p>"
    )


def _choice_section(now: _Now, choice: _Choice, best: _Choice, kind: str) -> str:
    """Return one plan: why each site, who uses it, who gains here and not in the best plan."""
    e = html.escape
    items = "".join(
        f"<li><b>{e(str(row.tag))}</b> {e(str(row.reason))}{_users_text(choice, str(row.Index))}</li>"
        for row in choice.rows.itertuples()
    )
    text = ""
    if choice is not best:
        more, less = _people(now, choice.gained, best.gained), _people(now, best.gained, choice.gained)
        parts = (f"多惠及 {more}" if more else "没有多惠及谁", f"少惠及 {less}" if less else "没有少惠及谁")
        text = f"<p>与方案 A 比：{e('；'.join(parts))}。</p>"
    file = f"scenarios/sites-{kind}-{choice.letter}.toml"
    return (
        f'<section><h2>方案 {choice.letter}</h2><ul class="plain">{items}</ul>{text}'
        f'<p class="small">方案文件 <a href="{e(file)}">{e(file)}</a>：细看用 <code>python run.py compare {e(file)} --out 文件夹</code>，'
        f"{'有一处在小区里，会议活地图打不开' if choice.inside else '也可在会议活地图里打开'}</p></section>"
    )


def _users_text(choice: _Choice, site: str) -> str:
    """Say for how many people a site becomes the nearest; nothing where nobody's number is known."""
    homes = choice.after.homes
    if homes is None or homes["people"].isna().all():
        return ""
    return f"；建成后约 {choice.users[site]:,.0f} 人以它为最近的一处"


def _people(now: _Now, gained: pd.Series, other: pd.Series) -> str:
    """Say how many people gain in one plan beyond another, and who they are; empty where nobody."""
    homes = now.district.homes
    more = gained.sub(other, fill_value=0.0)
    more = more[more > 1e-9]
    if homes is None or more.empty:
        return ""
    people = (more * homes["people"].reindex(more.index)).sort_values(ascending=False, kind="stable")
    names = homes["name"].reindex(people.index)
    named = list(names.fillna(names.index.to_series()).astype(str))
    listed = "、".join(named[:NAMED]) + (f" 等 {len(named)} 个小区" if len(named) > NAMED else "")
    return f"{'人口不详' if people.isna().all() else f'{people.sum():,.0f} 人'}（{listed}）"


def _site_sheet(choices: list[_Choice]) -> pd.DataFrame:
    parts = [
        c.rows.assign(letter=c.letter, users=c.users.to_numpy(), site=c.rows.index).drop(columns="geometry")
        for c in choices
    ]
    return titled(
        pd.concat(parts),
        {
            "letter": "方案",
            "tag": "图上编号",
            "name": "位置",
            "site": "候选点",
            "people_gained": "新增居民（人）",
            "people_60plus_gained": "其中60岁及以上（人）",
            "communities_gained": "惠及社区",
            "homes_unknown": "人口不详的小区",
            "share_after": "实施后份额",
            "users": "以它为最近的居民（人）",
            "reason": "理由",
            "mark": "标记",
        },
    )


def _who_sheet(now: _Now, choices: list[_Choice]) -> pd.DataFrame:
    """Return who gains in which plan, most people first."""
    own = now.cover.droplevel("rule")
    table = pd.DataFrame({f"方案 {c.letter}": c.gained for c in choices}).fillna(0.0)
    table.insert(0, "小区", own["name"].reindex(table.index).fillna(table.index.to_series()))
    table.insert(1, "常住人口", own["people"].reindex(table.index))
    return table.sort_values("常住人口", ascending=False, kind="stable").rename_axis("小区编号").reset_index()


# --- links, and each home's gap --------------------------------------------------------------------------------------


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
    say: Progress,
) -> None:
    """Write the files of openings (one, and two together) into a folder of their own, on the way to another."""
    (ranked, both), (folder, target) = found, way
    say("逐个小区看怎样才够得着")
    places = fixes(district, rule)
    own = judged_by(district, rule)[1]
    cover = coverage(district, rules=[own])
    say("画缺口图")
    drawn = maps.picture(district, cover, rule=own, gaps=gaps(district, cover, own.name))
    sheets = {
        "一处": (_link_sheet(ranked), "只开这一处；在街道上实际打开后重新计算"),
        "两处一起": (_pair_sheet(both), "两处同时开"),
        "逐个小区": (
            _gap_sheet(places),
            "中位的不可达点到最近一处；到出入口、等候、沿街相加为总分钟；绕行为走的路 ÷ 直线",
        ),
    }
    book = f"tables/增开通道-{own.name}.xlsx"
    workbook(folder / book, district, sheets)
    for table, plan in ((ranked, links_plan), (both, pairs_plan)):
        if len(table):
            made = plan(table, name=f"{'links' if table is ranked else 'pairs'}-{own.name}")
            write_scenario(folder / "scenarios" / f"{made.name}.toml", made, district)
    empty = {
        "一处": "没有一处单独的通道能让更多人够得着，或少走路。",
        "两处一起": "没有两处一起开能让更多人够得着，或少走路。",
        "逐个小区": "没有够不着的小区，或数据不足。",
    }
    body = "".join(
        f'<section><h2>{name}</h2><p class="small">{html.escape(unit)}{_rest(table)}</p>'
        + (table_html(_on_page(table)) if len(table) else f'<p class="line">{empty[name]}</p>')
        + "</section>"
        for name, (table, unit) in sheets.items()
    )
    assumed = assumption(district, own, True)
    note = (
        f'<p class="line">{html.escape(assumed)}：下面的人数都按图上有的就是全部算，不作结论。</p>' if assumed else ""
    )
    figure = f'{note}<div class="figures"><figure>{drawn}<figcaption>现在谁够不着（{html.escape(own.label)}）</figcaption></figure></div>'
    page = page_text(
        district,
        f"增开出入口效果：{own.label}",
        f'<a href="{book}">表格</a>{_back(target)}',
        f"<section>{figure}</section>{body}",
    )
    write_text(folder / f"links-{own.name}.html", page)


def _on_page(table: pd.DataFrame) -> pd.DataFrame:
    """Return what a page shows of a table: its first rows, and no text that only repeats the numbers."""
    return table.head(HOMES).drop(columns=["小区编号", "为什么"], errors="ignore")


def _rest(table: pd.DataFrame) -> str:
    return f"；共 {len(table)} 个小区，这里列不可达最多的 {HOMES} 个，其余和原因见表格" if len(table) > HOMES else ""


def _link_sheet(ranked: gpd.GeoDataFrame) -> pd.DataFrame:
    length = ranked["length_m"].where(ranked["length_m"] > 0).round()  # a gate has none
    return titled(
        ranked.drop(columns="geometry").assign(length_m=length).reset_index(),
        {
            "link": "序",
            "kind_label": "种类",
            "text": "开在哪里，谁受益",
            "people_gained": "新增居民（人）",
            "people_60plus_gained": "其中60岁及以上（人）",
            "minutes_saved": "每趟共省（人·分钟）",
            "length_m": "长度（米）",
            "share_after": "之后",
        },
    )


def _pair_sheet(both: gpd.GeoDataFrame) -> pd.DataFrame:
    return titled(
        both.drop(columns="geometry").reset_index(),
        {
            "pair": "序",
            "text": "开在哪里，谁受益",
            "people_gained": "新增居民（人）",
            "people_60plus_gained": "其中60岁及以上（人）",
            "minutes_saved": "每趟共省（人·分钟）",
            "share_after": "之后",
        },
    )


def _gap_sheet(places: gpd.GeoDataFrame) -> pd.DataFrame:
    if places.empty:
        return pd.DataFrame()
    minutes = places[["minutes", "gate_minutes", "wait_minutes", "street_minutes", "detour"]].round(1)
    return titled(
        places.drop(columns="geometry").assign(**minutes).reset_index(),
        {
            "home": "小区编号",
            "name": "小区",
            "unserved": "不可达（人）",
            "minutes": "到最近（分钟）",
            "gate_minutes": "到出入口（分钟）",
            "wait_minutes": "等候（分钟）",
            "street_minutes": "沿街（分钟）",
            "detour": "绕行（倍）",
            "crosses": "隔着",
            "reason": "为什么",
            "fix": "怎样才够得着",
        },
    )
