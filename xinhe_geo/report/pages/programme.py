"""项目库与年度计划: which project in which year, what it brings, what is left out and why, as a page and a workbook."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from ... import maps
from ...core import APPLIED, MONEY_STATES, amount, language, per_cent, refuse_uncleared, rounded, say, write_text
from ...district import District, rule_name
from ...maps import wording
from ...renewal import ELDERLY, FLOOR, KEPT, PEOPLE, REASONS, URGENT_FIRST, Programmed, lack_in_words
from ..files import added_to
from ..workbook import foot, write_workbook
from .brief import link_pages
from .shell import HALF_HEIGHT, concluded, figure, page_text, table_html

#: The aims, in the order in which they come.
AIMS = {FLOOR: "社区底线（服务得最少的社区）", URGENT_FIRST: "限时解决", ELDERLY: "为老", PEOPLE: "居民"}
#: What an aim is counted in, where it is not promises x people x years.
UNITS = {URGENT_FIRST: "问题·年"}
#: So many sources of money have a colour of their own.
NAMED = 3
#: What `cost` is planned with is said once, in the note.
_UNKNOWN = "数据不足"
#: Its tables are narrow, and two maps go onto a page.
_STYLE = "@media print { body { page: auto !important; } }"


def programme_sheets(district: District, found: Programmed) -> dict[str, pd.DataFrame]:
    """
    Return a programme as tables with Chinese columns, by the name of their sheet.

    Parameters
    ----------
    district
        What it was made for.
    found
        What `programmed` returned.
    """
    return {
        "年度计划": _yearly(found.plan),
        "未列入": _left_out(found.plan),
        "逐年服务": _served(district, found.years),
        "资金": _money(found.money),
        "再投入": _more(found.more),
        "相近方案": _near(found.near),
    }


def programme_notes(found: Programmed) -> list[str]:
    """
    Return the sentences that say how sure a programme is and what it rests on, in the language that is spoken.

    Parameters
    ----------
    found
        What `programmed` returned.
    """
    said = [_tally(found)]
    if found.clashes:
        contradicts = "列入的项目的方案互相矛盾，矛盾的步骤不起作用或算了两次（第几步按列入项目的步骤依次数）：{0}。不能一起做的写进互斥项目（excludes）再排。"
        said.append(say(contradicts, say("；").join(found.clashes)))
    for aim in _aims(found):
        name = say("{0}（{1}）", aim.name, aim.about) if aim.about else aim.name
        said.append(say("{0}：{1}，{2}。", name, f"{aim.value} {aim.unit}".strip(), aim.beyond))
    said.append(_proof(found))
    high = float(found.levels["value"].iloc[-1]) if len(found.levels) else 0.0
    said += [
        say("{0} {1}列入后少服务 {2} 人次：{3}。", key, row["name"], amount(-row["people"]), say(KEPT[row["kept"]]))
        for key, row in found.plan[(found.plan["kept"] != "").to_numpy()].iterrows()
    ]
    if found.asked.costs == "low":
        said.append(say("按造价下限排，超出下限的没有安排资金。"))
    if found.overruns is not None:
        said.append(say("按造价下限排，每年任意 {0} 个项目超支到上限也付得起。", found.overruns))
    elif found.low > high and found.low:
        said.append(say("按造价上限排，全部超支也付得起。"))
    if found.low > high and found.low:
        said.append(say("都按下限，目标可多 {0}。", per_cent((found.low - high) / found.low)))
    said += [say("{0}。", line) for line in (_added(found), _near_by(found)) if line]
    said.append(
        say("按人次·年计：数据年住在这里的居民，自项目完工的那一年起，每有一项规划目标走得到计一次；导入人口不计。")
    )
    if any(e.do == "move_households" for e in found.scenario.edits):
        said.append(say("搬走的居民自搬离的项目完工的那一年起不再计，还迁以后也不计。"))
    said.append(say("先保社区底线，再排限时解决的问题，然后为老，最后全体居民。"))
    said.append(_applied(found))
    return said


def _applied(found: Programmed) -> str:
    """Return whether money that is only asked for counts, and how much of it is needed."""
    if not found.asked.applied:
        return say("拟申请的资金不参与排序。")
    own = found.money[(found.money.index.get_level_values("state") == APPLIED)]["spent"].sum()
    return say("拟申请的资金也参与排序：安排的资金里有 {0} 万元还没有落实。", amount(own))


class Aim(NamedTuple):
    """What a programme reaches of an aim, in digits, and whether any could reach more; a share has no unit, but says of whom it is."""

    name: str
    value: str
    beyond: str
    unit: str
    about: str


class Finished(NamedTuple):
    """A year in which projects are finished: which, the rule that gains most by then ("": none does), and what that comes to."""

    year: int
    told: str
    rule: str
    concluded: str


class ProgrammeStory(NamedTuple):
    """
    What documents show of a programme: each sentence, figure and table made once, in the language that is spoken.

    Attributes
    ----------
    tally
        How many projects are in it, for how much, and how many are not.
    proof
        Whether it is proven to be the best.
    aims
        What it reaches, aim by aim, in the order in which they come.
    concluded
        What each sheet comes to, by its name; none where there is nothing to say.
    begun
        How many projects begin in each year, for how much.
    how
        How each sheet is to be read, by its name.
    sheets
        As `programme_sheets` returns them.
    spent
        What is spent (万元): a row per source, what gives most first; a column per year.
    gained
        How many people are served more: a row per goal, what gains most in the last year first; a column per year.
    finished
        The years in which projects are finished, in their order.
    notes
        As `programme_notes` returns them.
    """

    tally: str
    proof: str
    aims: list[Aim]
    concluded: dict[str, str]
    begun: list[str]
    how: dict[str, str]
    sheets: dict[str, pd.DataFrame]
    spent: pd.DataFrame
    gained: pd.DataFrame
    finished: list[Finished]
    notes: list[str]


def programme_story(district: District, found: Programmed) -> ProgrammeStory:
    """
    Return what documents show of a programme.

    Parameters
    ----------
    district, found
        As in `programme_sheets`.
    """
    sheets, spent = programme_sheets(district, found), _spent_by_year(found)
    gained = sheets["逐年服务"].pivot_table("新增（人）", "目标", "年份", fill_value=0.0, sort=False)
    if len(gained):
        gained = gained.sort_values(gained.columns[-1], ascending=False, kind="stable")
    return ProgrammeStory(
        _tally(found),
        _proof(found),
        _aims(found),
        dict(_concluded(found, spent, gained)),
        _begun(found),
        {name: say(told) for name, told in {**_HOW, "资金": _HOW_PAID[_planned_with(found)]}.items()},
        sheets,
        spent,
        gained,
        list(_finished(district, found)),
        programme_notes(found),
    )


def _tally(found: Programmed) -> str:
    """Return how many projects a programme takes in, for how much, and how many it leaves out."""
    chosen = _chosen(found)
    told = (len(chosen), amount(chosen["cost"].sum()), len(found.plan) - len(chosen))
    return say("列入 {0} 个项目，{1} 万元；未列入 {2} 个。", *told)


def _aims(found: Programmed) -> list[Aim]:
    """Return what a programme reaches, aim by aim, in the order in which they come."""
    listed = []
    for name, row in found.levels.iterrows():
        digits, unit = (per_cent, "") if name == FLOOR else (amount, say(UNITS.get(str(name), "人次·年")))
        value, bound = digits(row["value"]), digits(row["bound"])
        about = _floor_about(found) if name == FLOOR else ""
        listed.append(Aim(say(AIMS[str(name)]), value, beyond_text(value, bound, float(row["bound"])), unit, about))
    return listed


def _floor_about(found: Programmed) -> str:
    """Say whose floor it is, and of what."""
    year = int(found.years.index.get_level_values("year").max()) if len(found.years) else ""
    told = say("到 {0} 年，居民走得到的规划目标占比最低的社区", year)
    where = str(found.plan["floor_of"].iloc[0]) if len(found.plan) else ""
    return say("{0}，是{1}", told, where) if where else told


def beyond_text(value: str, bound: str, number: float) -> str:
    """Return what no programme could exceed, as it is printed: one figure stands once."""
    if not math.isfinite(number):
        return say("最多能到多少没有算出")
    return say("不能再多") if bound == value else say("最多不超过 {0}", bound)


def _proof(found: Programmed) -> str:
    """Return whether a programme is proven to be the best, and how far it may be from that."""
    gap = float(found.plan["gap"].iloc[0]) if len(found.plan) else 0.0
    shown = per_cent(gap, 2) if math.isfinite(gap) else say(_UNKNOWN)
    proven = bool(found.plan["proven"].all())
    return say("已证明最优（差距 {0}）。", shown) if proven else say("没有证明最优，与上界还差 {0}。", shown)


def _concluded(found: Programmed, spent: pd.DataFrame, gained: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Yield the sentence that a sheet comes to, where there is one to say."""
    by_year, left = spent.sum(), found.plan[(found.plan["reason"] != "").to_numpy()]
    if begun := _begun(found):
        yield "年度计划", say("；").join(begun)
    if by_year.sum() > 0:
        told = (by_year.idxmax(), amount(by_year.max()), amount(by_year.sum()))
        yield "资金", say("资金用得最多的是 {0} 年：{1} 万元，各年共 {2} 万元", *told)
    last = gained.iloc[:, -1] if len(gained) else pd.Series(dtype="float64")
    if last.max() > 0:
        told = (gained.columns[-1], last.idxmax(), amount(last.max()))
        fewer = say("；少服务最多的是“{0}”：{1} 人", last.idxmin(), amount(-last.min())) if last.min() < 0 else ""
        yield "逐年服务", say("到 {0} 年，新增服务最多的是“{1}”：{2} 人", *told) + fewer
    elif last.min() < 0:
        fewer = say("；少服务最多的是“{0}”：{1} 人", last.idxmin(), amount(-last.min()))
        yield "逐年服务", say("到 {0} 年没有新增服务", gained.columns[-1]) + fewer
    if len(left):
        why = left["reason"].value_counts()
        each = (say("{0} {1} 个", say(REASONS[reason]), why[reason]) for reason in REASONS if reason in why.index)
        yield "未列入", say("未列入 {0} 个：{1}", len(left), say("；").join(each))
    if len(found.more):
        yield "再投入", _added(found) or say("再投入 {0} 万元，服务的人也不增加", amount(found.more.index.max()))
    yield "相近方案", _near_by(found)


def _begun(found: Programmed) -> list[str]:
    """How many projects begin in each year, for how much."""
    begun = _chosen(found).groupby("year", sort=True)["cost"]
    return [say("{0} 年开工 {1} 个项目，造价 {2} 万元", int(year), len(own), amount(own.sum())) for year, own in begun]


def _added(found: Programmed) -> str:
    """What the least sum of more money that serves anybody more would add; "" where none does."""
    some = found.more[(found.more["people"] > 0).to_numpy()]
    if not len(some):
        return ""
    told = (amount(float(some.index[0])), amount(some["people"].iloc[0]))
    return say("再投入 {0} 万元可新增服务 {1} 人（每项目标计一次）", *told)


def _near_by(found: Programmed) -> str:
    return say("相近的其他安排有 {0} 个", len(found.near)) if len(found.near) else say("没有相近的其他安排")


def _spent_by_year(found: Programmed) -> pd.DataFrame:
    """What is spent: a row per source, what gives most first, what is beyond `NAMED` put together; a column per year."""
    spent = found.money["spent"].groupby(level=["fund", "year"]).sum().unstack("year", fill_value=0.0)
    most = spent.sum(axis=1).sort_values(ascending=False, kind="stable")
    most = most[most > 0]  # what pays for nothing has no bar
    own = spent.loc[most.index[:NAMED]].copy()
    if len(most) > NAMED:
        own.loc[say("其余渠道")] = spent.loc[most.index[NAMED:]].sum()
    return own


def _chosen(found: Programmed) -> pd.DataFrame:
    return found.plan[(found.plan["reason"] == "").to_numpy()]


def _yearly(plan: pd.DataFrame) -> pd.DataFrame:
    own = plan[(plan["reason"] == "").to_numpy()]
    return pd.DataFrame(
        {
            "年份": own["year"].astype("Int64"),
            "项目": own.index,
            "名称": own["name"],
            "完工年": own["finished"].astype("Int64"),
            "造价（万元）": own["cost"],
            "下限（万元）": own["cost_low"],
            "受益人次": own["people"],
            "其中为老": own["people_60plus"],
            "人数来自": [say("填报") if d else say("计算") for d in own["declared"]],
        }
    ).reset_index(drop=True)


def _left_out(plan: pd.DataFrame) -> pd.DataFrame:
    own = plan[(plan["reason"] != "").to_numpy()]
    return pd.DataFrame(
        {
            "项目": own.index,
            "名称": own["name"].to_numpy(),
            "造价（万元）": own["cost"].to_numpy(),
            "原因": [_why(row) for _, row in own.iterrows()],
        }
    )


def _why(row: pd.Series) -> str:
    reason = say(REASONS[row["reason"]])
    return say("{0}：{1}", reason, lack_in_words(row)) if row["short_years"] else reason


def _served(district: District, years: pd.DataFrame) -> pd.DataFrame:
    rows = years.reset_index()
    some = rows[(rows["gained"].abs() > 1e-9).groupby(rows["rule"]).transform("any").to_numpy()]
    labels = [rule_name(district, district.rule(rule)) if rule else say("填报受益") for rule in some["rule"]]
    parts = some[["newcomers", "without", "gained"]].map(rounded).sum(axis=1, skipna=False)
    served = parts.where(
        (parts - some["people"]).abs() < 2, some["people"]
    )  # as printed, it is what the others add up to
    return pd.DataFrame(
        {
            "年份": some["year"].to_numpy(),
            "目标": labels,
            "走得到（人）": served.to_numpy(),
            "其中导入和还迁（人）": some["newcomers"].to_numpy(),
            "不做项目时（人）": some["without"].to_numpy(),
            "新增（人）": some["gained"].to_numpy(),
        }
    )


def _money(money: pd.DataFrame) -> pd.DataFrame:
    rows = money.reset_index()
    return pd.DataFrame(
        {
            "资金渠道": rows["fund"],
            "年份": rows["year"],
            "是否落实": [say(MONEY_STATES[state]) for state in rows["state"]],
            "金额（万元）": rows["amount"],
            "安排（万元）": rows["spent"].round(6),
            "结余（万元）": (rows["amount"] - rows["spent"]).round(6),
        }
    )


def _more(more: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "再投入（万元）": more.index,
            "可新增服务（人次）": more["people"].to_numpy(),
            "可新增（人次·年）": more["person_years"].to_numpy(),
        }
    )


def _near(near: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "方案": near.index,
            "不做": [cell.replace(";", say("、")) for cell in near["without"]],
            "换成": [cell.replace(";", say("、")) or say("没有") for cell in near["instead"]],
            "目标值": near["value"].to_numpy(),
            "为本计划的": [per_cent(share) for share in near["share"]],
            "造价（万元）": near["cost"].to_numpy(),
        }
    )


#: What each sheet says under its heading.
_HOW: Mapping[str, str] = {
    "年度计划": "年份为开工年；受益为没有这个项目时，最后一年少服务的人次，几个项目都能服务的不重复计",
    "未列入": "原因是第一个成立的",
    "逐年服务": "与那一年街道的覆盖率相同；搬走的人不再计，新增可以是负数；只列有变化的",
    "资金": "",
    "再投入": "任何一年都能用、用在任何项目上的钱，多给这么多",
    "相近方案": "各级目标都相差不超过 2% 的其他安排：现有数据不足以区分，取舍可看别的理由",
}


#: The same of money, by what it was planned with.
_HOW_PAID = {
    "high": "按造价上限安排；拟申请的另列",
    "low": "按造价下限安排；拟申请的另列",
    "some": "按造价下限安排，另留出每年几个项目超支的钱；拟申请的另列",
}


def _planned_with(found: Programmed) -> str:
    return found.asked.costs if found.overruns is None else "some"


def _charts(district: District, spent: pd.DataFrame) -> str:
    """Return bars of a programme: what is spent in each year, from which source."""
    rows = [maps.Stack(str(year), [(float(v), amount(v)) for v in spent[year]]) for year in spent.columns]
    seal = wording(language())["demo"] if district.is_demonstration else ""
    chart = maps.stacks(say("逐年安排的资金（万元）"), list(map(str, spent.index)), rows, seal)
    return f"<section><h2>{say('逐年安排的资金（万元）')}</h2>{figure(chart)}</section>"


def programme_pair(district: District, found: Programmed, year: int) -> maps.Comparison:
    """
    Return a district in a year without any project, and with all that are finished by then.

    Parameters
    ----------
    district, found
        As in `programme_sheets`.
    year
        Which year.
    """
    base = district.at(year)
    return maps.Comparison(base, found.scenario.at(year).on(base, with_conflicts=True))


def _finished(district: District, found: Programmed) -> Iterator[Finished]:
    """Yield the years in which projects are finished, and what they change most by then."""
    own = _chosen(found)
    for year in sorted({int(y) for y in own["finished"].dropna()}):
        names = own.loc[(own["finished"] == year).to_numpy(), "name"]
        told = say("{0} 年完工：{1}", year, say("、").join(map(str, names)))
        rule, concluded = "", say("到 {0} 年，走得到的人数没有变化", year)
        if year in found.years.index.get_level_values("year"):
            gained = found.years.loc[year, "gained"].drop("", errors="ignore")
            fewer = _fewer(district, gained)
            if fewer:
                concluded = say("到 {0} 年没有新增服务", year) + fewer
            if len(gained) and gained.max() > 1e-9:
                rule = str(gained.idxmax())
                told_of = (year, rule_name(district, district.rule(rule)), amount(gained.max()))
                concluded = say("到 {0} 年，完工的项目使“{1}”新增服务 {2} 人", *told_of) + fewer
        yield Finished(year, told, rule, concluded)


def _fewer(district: District, gained: pd.Series) -> str:
    """Name the rule that loses most people, where one does."""
    if not (len(gained) and gained.min() < -1e-9):
        return ""
    label = rule_name(district, district.rule(str(gained.idxmin())))
    return say("；少服务最多的是“{0}”：{1} 人", label, amount(-gained.min()))


def _maps(district: District, found: Programmed, finished: Sequence[Finished]) -> str:
    """Return a map for each year in which projects are finished: whom they bring within reach, against the year without any."""
    figures = []
    for own in finished:
        if own.rule:
            pair = programme_pair(district, found, own.year)
            drawn = maps.figure_of(maps.difference_scene(pair, own.rule, language()), HALF_HEIGHT)
            shown = say("。图为到这一年全部完工项目对“{0}”的影响", rule_name(district, district.rule(own.rule)))
            told = f"{html.escape(own.told + shown)}<br>{html.escape(own.concluded)}"
            figures.append(figure(drawn, told))
        else:
            figures.append(f"<p>{html.escape(own.told)}<br>{html.escape(own.concluded)}</p>")
    return f"<section><h2>{say('逐年一图')}</h2>{''.join(figures)}</section>" if figures else ""


def write_programme(district: District, found: Programmed, to: str | Path) -> None:
    """
    Write a programme: `programme.html`, `tables/年度计划.xlsx`.

    Parameters
    ----------
    district
        What it was made for.
    found
        What `programmed` returned.
    to
        The folder of a report, or a new one.

    Raises
    ------
    EnvironmentProblem
        A file cannot be written.
    """
    heading = say("项目库与年度计划")
    refuse_uncleared(district.manifest, say("写出{0}", heading))
    story = programme_story(district, found)
    target = Path(to)
    with added_to(target) as folder:
        book = "tables/年度计划.xlsx"
        pages = [(name, table, story.how[name]) for name, table in story.sheets.items()]
        write_workbook(folder / book, heading, district.year, pages, foot(district))
        nav = f'<a href="{html.escape(book)}">{say("表格")}</a>'
        if (target / "index.html").is_file():
            nav += f'　<a href="index.html">{say("简报")}</a>'
        body = concluded(story.notes) + _charts(district, story.spent)
        for name, table, told in pages:
            first = (
                f'<p class="line">{html.escape(say("{0}。", story.concluded[name]))}</p>'
                if name in story.concluded
                else ""
            )
            shown = table_html(table) if len(table) else f'<p class="line">{html.escape(say("没有。"))}</p>'
            body += (
                f'<section><h2>{html.escape(say(name))}</h2>{first}<p class="small">{html.escape(told)}</p>'
                f"{shown}</section>"
            )
        body += _maps(district, found, story.finished)
        write_text(folder / "programme.html", page_text(district, heading, nav, body, style=_STYLE))
    link_pages(target)
