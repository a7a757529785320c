"""数据可信度 and 单点失效: how firm each goal is, and who loses a promise with any one thing, as a page and a table each."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

import pandas as pd

from ...access import Visits, robustness, stress, worth_checking
from ...core import amount, named_by_homes, per_cent, refuse_uncleared, say, write_text
from ...core import title as column_title
from ...district import District, kind_name, rule_name
from ...maps import MARKS_STYLE, promised_rules, span_bar
from ..analysis import Analysis, Progress
from ..files import added_to
from ..story.goals import firmness_of
from ..story.records import Firmness
from ..story.story import Story
from ..workbook import foot, write_workbook
from .brief import link_pages
from .shell import concluded, heads, page_text, scrolled, table_html

#: What can be lost, as it is called.
LOSS_LABELS = {"passage": "过阻隔的通道", "crossing": "过街", "gate": "出入口", "facility": "设施"}
#: What is to be found out of a fact, by what of it is in doubt; and how.
CHECK_LABELS = {
    "position": "位置对不对",
    "existence": "还在不在、开不开",
    "gate": "出入口开不开",
    "street": "能不能走通",
    "stairs": "有没有台阶",
    "people": "住多少人",
}
HOW_LABELS = {"phone": "打电话问社区", "field": "到现场看"}
#: As many losses as a page lists; the table has all.
LISTED = 40


@named_by_homes
def firmness(district: District, *, preset: str = "plan", seed: int = 0, draws: int = 199) -> tuple[Firmness, ...]:
    """
    Say how firm each promised goal is, those that lead first, in the language that is spoken.

    Parameters
    ----------
    district
        What `District.load` opened; it stays as it was.
    preset
        A set of rules.
    seed, draws
        As in `robustness`.

    Raises
    ------
    UnknownNameError
        No such set.
    """
    analysis = Analysis.of(district, preset)
    return firmness_of(analysis, robustness(district, promised_rules(district, analysis), seed=seed, draws=draws))


def ranges_sheet(goals: tuple[Firmness, ...]) -> pd.DataFrame:
    """Return how firm goals are as a table with Chinese columns."""
    rows = [(goal.label, goal.recorded, goal.ends, goal.text, goal.verdict) for goal in goals]
    table = pd.DataFrame(rows, columns=["目标", "现状", "核实后", "怎么说", "判定"])
    return _with_who(table, [goal.who for goal in goals])


def _with_who(table: pd.DataFrame, who: Sequence[str]) -> pd.DataFrame:
    """Return a table with who checks each row and by when, where anybody has typed it."""
    return table.assign(**{"谁核、何时核完": list(who)}) if any(who) else table


@named_by_homes
def check_list(
    district: District, *, preset: str = "plan", most: int = 20, visits: Visits | None = None, seed: int = 0
) -> pd.DataFrame:
    """
    List which facts to check first, as a table with Chinese columns: those to ask by telephone, then those to look at in walking order.

    Parameters
    ----------
    district
        What `District.load` opened; it stays as it was.
    preset
        A set of rules; what of them is promised is to become firm.
    most, visits, seed
        As in `worth_checking`.

    Returns
    -------
    table
        Index fact.

    Raises
    ------
    UnknownNameError
        No such set.
    """
    analysis = Analysis.of(district, preset)
    rules = promised_rules(district, analysis)
    table = worth_checking(district, rules, most=most, visits=visits, seed=seed)
    table = table.assign(rank=range(1, len(table) + 1)).sort_values("stop", kind="stable")
    communities = pd.Series(dtype="str") if district.communities is None else district.communities["name"]
    labels = {rule: rule_name(district, district.rule(rule)) for rule in set(table["rule"])}
    told = pd.DataFrame(
        {
            "重要次序": table["rank"].to_numpy(),
            "怎么核": [say(HOW_LABELS[how]) for how in table["how"]],
            "核什么": [say(CHECK_LABELS[what]) for what in table["what"]],
            "编号": table["id"].to_numpy(),
            "名称": table["name"].to_numpy(),
            "社区": [communities.get(code, code) for code in table["community"]],
            "用时（分钟）": table["minutes"].to_numpy(),
            "现场第几站": [stop or None for stop in table["stop"]],
            "从上一站走（分钟）": table["walk_min"].round(1).to_numpy(),
            "影响最大的一项": table["rule"].map(labels).to_numpy(),
            "核到这里还剩的不确定": [per_cent(left, 0) for left in table["left"]],
        },
        index=table.index,
    )
    return _with_who(told, list(table["who"]))


def shrunk_sheet(before: tuple[Firmness, ...], after: tuple[Firmness, ...]) -> pd.DataFrame:
    """Return what a check has changed, goal by goal: the share and its range before and after; goals it left alone are left out."""
    was = {goal.rule: goal for goal in before}
    rows = [
        (goal.label, was[goal.rule].recorded, was[goal.rule].ends, goal.recorded, goal.ends, goal.text)
        for goal in after
        if goal.rule in was and (was[goal.rule].recorded, was[goal.rule].ends) != (goal.recorded, goal.ends)
    ]
    return pd.DataFrame(rows, columns=["目标", "导入前现状", "导入前范围", "导入后现状", "导入后范围", "怎么说"])


def _ranges_table(goals: tuple[Firmness, ...]) -> str:
    """Return the same for a page, with the ends drawn on a line from 0 to 100 %."""
    names = [column_title(name) for name in ("目标", "现状", "核实后")]
    names += [say("0 → 100 %，竖线为现状"), column_title("怎么说"), column_title("判定")]
    rows = "".join(
        f"<tr><td>{escape(goal.label)}</td><td>{escape(goal.recorded)}</td><td>{escape(goal.ends)}</td>"
        f'<td class="span">{span_bar(*goal.shares)}</td><td>{escape(goal.text)}</td><td>{escape(goal.verdict)}</td></tr>'
        for goal in goals
    )
    return scrolled(heads(names, ()), rows) if rows else ""


def _widest(goals: tuple[Firmness, ...]) -> list[str]:
    """Say which goal is the least certain, and how many may be judged otherwise."""
    goal = max(goals, key=lambda goal: goal.shares[2] - goal.shares[1])
    turning = sum(own.turns for own in goals)
    told = say("最不确定的是“{0}”：现在 {1}，核实后 {2}。", goal.label, goal.recorded, goal.ends)
    return [told, *([say("{0} 项目标核实后可能改判。", turning)] if turning else [])]


def stress_sheet(district: District, table: pd.DataFrame) -> pd.DataFrame:
    """Return who loses what as a table with Chinese columns; only what somebody loses."""
    some = table[(table["homes"] > 0).to_numpy()]
    names = {rule: rule_name(district, district.rule(rule)) for rule in set(some["worst"])}
    facilities, known = district.facilities, {}
    if facilities is not None:
        known = {
            str(key): name if isinstance(name, str) else kind_name(district, str(kind))
            for key, name, kind in zip(facilities.index, facilities["name"], facilities["kind"], strict=True)
        }
    return pd.DataFrame(
        {
            "失去什么": [say(LOSS_LABELS[loss]) for loss in some.index.get_level_values("loss")],
            "编号": some.index.get_level_values("id"),
            "名称": some["name"].to_numpy(),
            "失去保障（人）": some["people"].to_numpy(),
            "其中60岁及以上（人）": some["people_60plus"].to_numpy(),
            "涉及几项": some["promises"].to_numpy(),
            "影响最大的一项": some["worst"].map(names).to_numpy(),
            "这一项失去（人）": some["worst_people"].to_numpy(),
            "最好的替代": [
                known.get(name, name) or (say("没有") if loss == "facility" else "")
                for name, loss in zip(some["substitute"], some.index.get_level_values("loss"), strict=True)
            ],
        }
    )


@named_by_homes
def write_robustness(
    district: District,
    to: str | Path,
    *,
    seed: int = 0,
    draws: int = 199,
    most: int = 20,
    visits: Visits | None = None,
    progress: Progress | None = None,
) -> None:
    """
    Write how firm each promised goal is, and what to check first: `robustness.html`, `tables/数据可信度.xlsx`.

    Parameters
    ----------
    district
        What `District.load` opened.
    to
        The folder of a report, or a new one.
    seed, draws
        As in `robustness`.
    most, visits
        As in `worth_checking`; 0: no list.
    progress
        Is told what is done.

    Raises
    ------
    EnvironmentProblem
        A file cannot be written.
    """
    tell = progress or (lambda _: None)
    tell(say("抽样：每件存疑的事可能是什么"))
    goals = firmness(district, seed=seed, draws=draws)
    note = [
        say("“核实后”是 95 % 的抽样之间；没有出处的概率不抽，只给上下限，每个小区至少一处出入口开着。"),
        say("步速和等待是约定，不在其中。"),
        *_conventions(district),
    ]
    sheets = [(say("数据可信度"), ranges_sheet(goals), " ".join(note))]
    shown = (concluded(_widest(goals)) if goals else "") + _ranges_table(goals)
    checks = pd.DataFrame()
    if most:
        tell(say("排出最值得核的事"))
        checks = check_list(district, most=most, visits=visits, seed=seed)
    if len(checks):
        about = say("先打电话，再到现场；把名单上的核完，剩下的不确定见最后一列。没有出处的概率在排序里按一半算。")
        sheets.append((say("待核清单"), checks, about))
        shown += f'<h2>{say("先核哪几件")}</h2><p class="small">{escape(about)}</p>{table_html(checks)}'
    _write(district, Path(to), ("robustness", "数据可信度", say("数据可信度")), sheets, (shown, note))


@named_by_homes
def write_stress(district: District, to: str | Path, *, progress: Progress | None = None) -> pd.DataFrame:
    """
    Write who loses a promise with any one thing: `stress.html`, `tables/单点失效.xlsx`; return the table.

    Parameters
    ----------
    district
        What `District.load` opened.
    to
        The folder of a report, or a new one.
    progress
        Is told what is done.

    Raises
    ------
    EnvironmentProblem
        A file cannot be written.
    """
    table = stress_sheet(district, stress(district, promised_rules(district, Analysis.of(district)), progress=progress))
    note = [
        say(
            "逐一去掉一座桥、一处过街、一处出入口、一处设施，其余不变，重新计算谁失去至少一项保障；与关这一处的方案算出的相同。"
        ),
        say("没有列出的，去掉后没有人失去保障。"),
    ]
    shown = (concluded(_worst_loss(table)) if len(table) else "") + table_html(table.head(LISTED))
    sheets = [(say("单点失效"), table, " ".join(note))]
    _write(district, Path(to), ("stress", "单点失效", say("单点失效")), sheets, (shown if len(table) else "", note))
    return table


def _worst_loss(table: pd.DataFrame) -> list[str]:
    """Say what would be missed most, and how much hangs on one thing alone."""
    if table.empty:
        return []
    first, own = table.iloc[0], table[(table["失去什么"] == say(LOSS_LABELS["facility"])).to_numpy()]
    alone = own[(own["最好的替代"] == say("没有")).to_numpy()]
    told = say(
        "最离不开的是{0}：没有它，{1} 人失去至少一项保障。",
        first["名称"] or first["编号"],
        amount(first["失去保障（人）"]),
    )
    count = say(
        "{0} 处去掉后有人失去保障；其中设施 {1} 处，{2} 处没有替代。", *map(amount, (len(table), len(own), len(alone)))
    )
    return [told, count]


def _conventions(district: District) -> list[str]:
    """Say what a tenth more or less speed would do: agreed, and in no range."""
    paces = Story(Analysis.of(district)).paces
    parts = [
        say("{0} {1}（慢一成 {2}，快一成 {3}）", p.label, p.usual.text, p.slower.text, p.faster.text) for p in paces
    ]
    return [say("步速约定的影响：{0}。", say("；").join(parts))] if parts else []


def _write(
    district: District,
    to: Path,
    what: tuple[str, str, str],
    sheets: list[tuple[str, pd.DataFrame, str]],
    said: tuple[str, list[str]],
) -> None:
    """Write a page (its markup, and the notes under it) and its workbook beside a report."""
    (name, file, heading), (shown, note) = what, said
    refuse_uncleared(district.manifest, say("写出{0}", heading))
    with added_to(to) as folder:
        book = f"tables/{file}.xlsx"
        write_workbook(folder / book, heading, district.year, sheets, foot(district))
        body = shown or f'<p class="line">{escape(say("没有。"))}</p>'
        body += "".join(f'<p class="small">{escape(line)}</p>' for line in note)
        nav = f'<a href="{escape(book)}">{say("表格")}</a>'
        if (to / "index.html").is_file():
            nav += f'　<a href="index.html">{say("简报")}</a>'
        page = page_text(district, heading, nav, f"<section>{body}</section>", style=MARKS_STYLE)
        write_text(folder / f"{name}.html", page)
    link_pages(to)
