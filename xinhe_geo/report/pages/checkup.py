"""The checkup as the published form has it: 指标汇总, 问题清单, 整治建议清单, 项目库, 上年度整治成效; a workbook and a page."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ...core import (
    CONFIDENCE_LABELS,
    LAYERS,
    LEVELS,
    PROBLEM_STATES,
    PROJECT_STATES,
    URGENCIES,
    amount,
    csv_text,
    layer_name,
    listed,
    named_by_homes,
    per_cent,
    place_in,
    refuse_uncleared,
    say,
    word,
    write_text,
)
from ...district import District, column_name, kind_name, place_name
from ...renewal import INDICATOR_STATES, checkup, concerned, last_years, problems, ranked, standing
from ..closing import closed_and_missed
from ..files import added_to
from ..story.firmness import checked_marks
from ..tables import cell_text
from ..workbook import foot, write_workbook
from .brief import link_pages
from .shell import concluded, page_text, table_html

#: Where the problems are kept for the next year.
KEPT = "tables/problems.csv"
#: So many groups of problems are named to begin with.
BEGIN = 10
#: What each sheet says under its heading.
CHECKUP_HOW = {
    "指标汇总": "只报数，不评分、不评等级；缺资料的写明缺哪一列，填报的在台账填报表里填",
    "先办哪些": "同一口径、同一社区的问题合为一组；限时解决的在前，然后为老，再按涉及人数",
    "问题清单": "一个小区（社区）、一项指标一个问题，编号不随行序和设施改名变；次序是所在组的办理次序",
    "整治建议清单": "同一项指标的问题合在一起；责任单位待填",
    "项目库": "总投资为造价上限",
    "上年度整治成效": "能计算的重新测算；其余凭验收材料转待复核，现场核定后销号；资料订正、口径改变、拆除不算已解决",
}
#: On paper a number stays whole, and no column is one letter wide.
_STYLE = "@media print { main td:first-child { white-space: nowrap; overflow-wrap: normal } }"
#: As many problems as a page lists; the workbook has all.
LISTED = 100


class Form(NamedTuple):
    """
    What a checkup is called and how it is laid out, wherever it is shown.

    Attributes
    ----------
    heading, page, book
        Its heading, and the files of its page and workbook.
    begins
        The heading of what to begin with.
    how
        What each sheet says under its heading.
    parts
        The parts of the Word report in their order, and which columns of its sheet the annex of each shows.
    none
        What is said of a part whose sheet is not there or has no row.
    title, lead
        Of the Word report: its title (of what place) and first sentence (of what place and year).
    """

    heading: str
    page: str
    book: str
    begins: str
    how: Mapping[str, str]
    parts: Mapping[str, tuple[str, ...]]
    none: Mapping[str, str]
    title: str
    lead: str


#: A page is not as wide as a workbook: an annex shows these columns.
SELF_CHECK = Form(
    "自查表",
    "checkup.html",
    "tables/自查表.xlsx",
    "先办哪些",
    CHECKUP_HOW,
    {
        "指标汇总": ("指标", "名称", "数值", "单位", "怎么得出", "核没核", "问题数", "涉及人数"),
        "问题清单": (
            *("次序", "问题编号", "问题指标", "在哪里", "涉及人数", "整治类型", "责任单位", "完成时限", "状态"),
        ),
        "整治建议清单": ("问题指标", "问题数", "涉及人数", "整治建议", "整治区域", "责任单位"),
        "项目库": ("项目", "名称", "对应问题", "总投资（万元）", "累计完成（万元）", "最早开工年", "状态", "责任单位"),
        "上年度整治成效": (
            *("问题编号", "问题指标", "上年涉及人数", "当年涉及人数", "状态", "算已解决", "对应项目", "项目状态"),
        ),
    },
    {
        "指标汇总": "没有可以核对的指标。",
        "问题清单": "没有算出问题。",
        "整治建议清单": "没有要整治的问题。",
        "项目库": "街道目录里没有项目库，投资数据不足。",
        "上年度整治成效": "没有上一年的问题清单，整治成效数据不足。",
    },
    "关于{0}自查情况的报告",
    "现将{0}自查情况报告如下（数据年份 {1}）。只报数，不评分、不评等级。",
)


class Checked(NamedTuple):
    """
    A checkup in words.

    Attributes
    ----------
    form
        What it is called, and how it is laid out.
    told
        By the name of its sheet: how much is known, how many problems there are and whom they concern, what the projects cost, what
        became of last year's, a sentence each.
    first
        The groups of problems to begin with, and why these, as a table with Chinese columns.
    sheets
        The sheets of the published form, by their names.
    points
        By the name of its sheet: what a report tells of it one by one, what to begin with first.
    kept
        All problems as rows of `renewal/problems.csv`: what next year's checkup is held against; None where it finds none.
    """

    form: Form
    told: dict[str, tuple[str, ...]]
    first: pd.DataFrame
    sheets: dict[str, pd.DataFrame]
    points: dict[str, list[str]]
    kept: pd.DataFrame | None

    @property
    def said(self) -> tuple[str, ...]:
        """All sentences, in the order of the sheets."""
        return tuple(line for lines in self.told.values() for line in lines)


@named_by_homes
def checked(district: District, sets: list[str] | None = None, *, ranges: bool = False) -> Checked:
    """
    Return the checkup of a district in words: what there is to say, which problems to begin with, and the sheets of the form.

    Parameters
    ----------
    district
        This year's; its own `problems` are those of last year.
    sets
        As in `checkup`.
    ranges
        Whether it is said of each figure that comes of a rule whether what it rests on is checked (已核 or 待核).

    Raises
    ------
    UnknownNameError
        No such set.
    """
    found, listed = checkup(district, sets), problems(district, sets=sets)
    still = standing(listed)
    groups = ranked(district, still)
    sheets = {
        "指标汇总": _indicators(district, found, ranges=ranges),
        "问题清单": _problems(district, still, groups),
        "整治建议清单": _suggested(district, still, groups),
    }
    if "projects" in district.rows:
        sheets["项目库"] = project_sheet(district.rows["projects"])
    last = last_years(listed)
    if len(last):
        sheets["上年度整治成效"] = _effects(district, last)
    kept = listed.reindex(columns=[c for c in LAYERS["problems"].names if c != "problem"])
    state = found["status"].value_counts()
    counts = (len(found), *(int(state.get(name, 0)) for name in INDICATOR_STATES))  # each is in one of them
    told = {
        "指标汇总": (say("{0} 项指标：已计算 {1} 项，缺资料 {2} 项，已填报 {3} 项，待填 {4} 项。", *counts),),
        "问题清单": tuple(_problems_told(district, still, groups)),
        "项目库": tuple(projects_told(sheets.get("项目库"))),
        "上年度整治成效": tuple(_effects_told(district, last)),
    }
    first = _first(district, groups)
    points = {
        "问题清单": _points("{0}：{1}；{2}。", first, ("问题", "在哪里", "为什么先办")),
        "整治建议清单": _points("{0}（{1} 处）：{2}。", sheets["整治建议清单"], ("问题指标", "问题数", "整治建议")),
    }
    return Checked(SELF_CHECK, told, first, sheets, points, kept)


def _worded(cells: Iterable[object]) -> list[object]:
    """Return words of the shipped tables in the language that is spoken; those of an office's own stay as they are."""
    return [word(cell) if isinstance(cell, str) else cell for cell in cells]


def _points(sentence: str, table: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """Return the first rows of a table as sentences."""
    rows = table.head(BEGIN)[list(columns)].itertuples(index=False, name=None)
    return [say(sentence, *(cell_text(c, v).rstrip("。") for c, v in zip(columns, row, strict=True))) for row in rows]


def _problems_told(district: District, still: pd.DataFrame, groups: pd.DataFrame) -> Iterator[str]:
    """Yield how many problems there are and whom they concern."""
    if len(still):
        people = amount(concerned(district, still), unknown=say("数据不足"))
        yield say(
            "问题 {0} 个，合为 {1} 组（同一口径、同一社区），涉及居民 {2} 人，一人只计一次。",
            amount(len(still)),
            amount(len(groups)),
            people,
        )
        urgent = int(groups["urgent"].sum())
        if urgent:
            yield say("其中限时解决 {0} 组。", urgent)
    else:
        yield say("没有算出问题。")


def projects_told(table: pd.DataFrame | None) -> Iterator[str]:
    """Yield how many projects there are, what they cost, and what of that is done."""
    if table is None or not len(table):
        return
    cost, spent = table["总投资（万元）"].astype("float64"), table["累计完成（万元）"].astype("float64")
    told = say(
        "项目库有 {0} 个项目，写明造价的 {1} 个，总投资 {2} 万元（按造价上限计）。",
        len(table),
        cost.count(),
        _total(cost),
    )
    yield told if cost.count() else say("项目库有 {0} 个项目，都没有写造价。", len(table))
    keys = {str(key): own for key, own in zip(table["项目"], cost, strict=True)}
    apart = {
        tuple(sorted((key, other)))
        for key, cell in zip(keys, table["互斥项目"], strict=True)
        for other in listed(cell)
        if other in keys
    }
    if apart and cost.count():
        unknown = say("数据不足")
        each = (
            say(
                "{0}（{1} 万元）和 {2}（{3} 万元）",
                a,
                amount(keys[a], unknown=unknown),
                b,
                amount(keys[b], unknown=unknown),
            )
            for a, b in sorted(apart)
        )
        yield say("总投资里互斥的项目都算了，实际只做其中一个：{0}。", say("；").join(each))
    told = say("累计完成投资 {0} 万元（{1} 个项目填报）。", _total(spent), spent.count())
    yield told if spent.count() else say("累计完成投资没有项目填报。")


def _total(values: pd.Series) -> str:
    """Return what is known of a column added up; nothing known is not 0."""
    return amount(values.sum(min_count=1), unknown=say("数据不足"))


def _effects_told(district: District, last: pd.DataFrame) -> Iterator[str]:
    """Yield what became of last year's problems."""
    if len(last):
        solved = int(last["solved"].sum())
        share = per_cent(solved / len(last))
        yield say("上年 {0} 个问题，已解决 {1} 个（{2}）。", amount(len(last)), amount(solved), share)
        yield from closed_and_missed(district, last)


def _first(district: District, groups: pd.DataFrame) -> pd.DataFrame:
    """The groups to begin with, and why these."""
    own = groups.head(BEGIN)
    return pd.DataFrame(
        {
            "次序": range(1, len(own) + 1),
            "问题": _worded(own["name"]),
            "在哪里": [place_name(district, place) for place in own["community"]],
            "问题数": own["problems"].to_numpy(),
            "涉及人数": own["people"].to_numpy(float),
            "其中60岁及以上（人）": own["people_60plus"].to_numpy(float),
            "为什么先办": [_why(row) for _, row in own.iterrows()],
            "整治建议": _worded(own["suggest"]),
            "责任单位": [duty or say("待填") for duty in own["duty"]],
            "对应项目": [projects.replace(";", say("、")) or say("还没有项目") for projects in own["projects"]],
        }
    )


def _why(row: pd.Series) -> str:
    """Return why a group of problems comes where it does."""
    ahead = [say(reason) for reason, so in (("限时解决", row["urgent"]), ("为老", row["elderly"])) if so]
    people = float(row["people"])
    told = say("涉及 {0} 人", amount(people)) if not math.isnan(people) else say("涉及人数数据不足")
    return say("，").join([*ahead, told])


def _ranks(listed: pd.DataFrame, groups: pd.DataFrame) -> pd.Series:
    """Return, per problem, in which place its group comes."""
    order = {number: rank for rank, cell in enumerate(groups["numbers"], 1) for number in cell.split(";")}
    return pd.Series([order[str(number)] for number in listed.index], index=listed.index, dtype="int64")


def _indicators(district: District, found: pd.DataFrame, *, ranges: bool) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "哪一套": _worded(found["set"]),
            "体检维度": [say(LEVELS[level]) for level in found["level"]],
            "指标": found.index,
            "名称": _worded(found["name"]),
            "数值": found["value"],
            "净缺口": found["net"],
            "单位": _worded(found["unit"].fillna("")),
            "怎么得出": [_how(district, row) for _, row in found.iterrows()],
            **({"核没核": checked_marks(district, found)} if ranges else {}),
            "问题数": found["places"],
            "涉及人数": found["people"],
            "数据不足的小区": found["unknown"],
            "标准、条款、可信度": [
                "，".join(
                    filter(None, (str(standard), place_in("", str(clause)), say(CONFIDENCE_LABELS[how]) if how else ""))
                )
                for standard, clause, how in found[["standard", "clause", "confidence"]].fillna("").to_numpy()
            ],
        }
    ).reset_index(drop=True)


def _how(district: District, row: pd.Series) -> str:
    if row["status"] != "lacks":
        return say(INDICATOR_STATES[row["status"]])
    return say("缺 {0}", say("、").join(_lacking(district, part) for part in str(row["lacks"]).split(";")))


def _lacking(district: District, part: str) -> str:
    """Return what is lacking as planners call it: a column of a layer, a kind, or what was asked for."""
    layer, _, column = part.partition(".")
    if layer in LAYERS and column in LAYERS[layer].names:
        return say("{0}的“{1}”列", layer_name(layer), column_name(layer, column))
    return kind_name(district, part) if part in district.kinds.index else part


def _problems(district: District, still: pd.DataFrame, groups: pd.DataFrame) -> pd.DataFrame:
    rank = _ranks(still, groups)
    people = still["people"].astype("float64").fillna(-1.0)
    order = np.lexsort((still.index, -people, rank))
    listed = still.iloc[order]
    return pd.DataFrame(
        {
            "次序": rank.iloc[order],
            "问题编号": listed.index,
            "体检维度": [say(LEVELS[level]) if level in LEVELS else "" for level in listed["level"]],
            "问题指标": _worded(listed["name"].astype(object).fillna(listed["indicator"])),
            "在哪里": [place_name(district, place) for place in listed["place"]],
            "涉及人数": listed["people"].astype("float64"),
            "缺多少": listed["amount"].astype("float64"),
            "整治类型": [say(URGENCIES[u]) if u in URGENCIES else "" for u in listed["urgency"]],
            "责任单位": listed["duty"].astype(object).fillna(""),
            "完成时限": listed["due"].astype(object).fillna(""),
            "发现年份": listed["found"],
            "对应项目": listed["projects"],
            "状态": [say(PROBLEM_STATES[state]) for state in listed["state"]],
        }
    ).reset_index(drop=True)


def _suggested(district: District, still: pd.DataFrame, groups: pd.DataFrame) -> pd.DataFrame:
    rows = []
    rank = _ranks(still, groups)
    by_indicator = still.groupby("indicator", sort=True)
    for indicator in rank.groupby(still["indicator"], sort=True).min().sort_values(kind="stable").index:
        own = by_indicator.get_group(indicator)
        first = own.iloc[0]
        most = own.iloc[np.argsort(-own["people"].astype("float64").fillna(-1.0).to_numpy(), kind="stable")[:6]]
        places = say("、").join(place_name(district, p) for p in most["place"])
        more = say(" 等 {0} 处", len(own)) if len(own) > 6 else ""
        urgency = say(URGENCIES[first["urgency"]]) if first["urgency"] in URGENCIES else ""
        people = concerned(district, own)
        rows.append(
            (
                *(indicator, *_worded([first["name"]]), len(own), people),
                *(*_worded([first["suggest"]]), places + more, urgency, first["duty"]),
            )
        )
    columns = ["指标", "问题指标", "问题数", "涉及人数", "整治建议", "整治区域", "整治类型", "责任单位"]
    return pd.DataFrame(rows, columns=columns)


def project_sheet(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the table of projects as documents show it."""
    return pd.DataFrame(
        {
            "项目": rows.index,
            "名称": rows["name"],
            "体检维度": [say(LEVELS[level]) if level in LEVELS else "" for level in rows["level"]],
            "对应问题": rows["problem"].fillna(""),
            "没有问题的理由": rows["reason"].fillna(""),
            "更新类型": rows["kind"].fillna(""),
            "建设内容": rows["scope"].fillna(""),
            "总投资（万元）": rows["cost_high"].fillna(rows["cost_low"]).fillna(rows["invest"]),
            "累计完成（万元）": rows["spent"],
            "最早开工年": rows["earliest"],
            "互斥项目": rows["excludes"].fillna(""),
            "状态": [
                say(PROJECT_STATES[state]) if state in PROJECT_STATES else say(PROJECT_STATES["idea"])
                for state in rows["status"]
            ],
            "责任单位": rows["duty"].fillna(""),
        }
    ).reset_index(drop=True)


def _effects(district: District, old: pd.DataFrame) -> pd.DataFrame:
    """Last year's problems, one by one: how many people then and now, its state, and what the projects that cite it have come to."""
    rows = district.rows.get("projects")
    status = {} if rows is None else {str(k): str(v) for k, v in rows["status"].fillna("idea").items()}
    cited = [[key for key in str(cell).split(";") if key] for cell in old["projects"]]
    return pd.DataFrame(
        {
            "问题编号": old.index,
            "问题指标": _worded(old["name"].astype(object).fillna(old["indicator"])),
            "上年涉及人数": old["people_before"].astype("float64").to_numpy(),
            "当年涉及人数": old["people"].astype("float64").to_numpy(),
            "状态": [say(PROBLEM_STATES[state]) for state in old["state"]],
            "算已解决": [say("是") if solved else say("否") for solved in old["solved"]],
            "对应项目": [say("、").join(keys) for keys in cited],
            "项目状态": [say("、").join(say(PROJECT_STATES[status[k]]) for k in keys if k in status) for keys in cited],
        }
    )


@named_by_homes
def write_checkup(district: District, found: Checked, to: str | Path) -> None:
    """
    Write a checkup as its form has it: a page, a workbook, and `tables/problems.csv`, next year's list of last year's problems.

    Parameters
    ----------
    district
        Whose it is.
    found
        What `checked` returned.
    to
        The folder of a report, or a new one.

    Raises
    ------
    EnvironmentProblem
        A file cannot be written.
    """
    form, heading = found.form, say(found.form.heading)
    refuse_uncleared(district.manifest, say("写出{0}", heading))
    target = Path(to)
    with added_to(target) as folder:
        pages = [(name, table, say(form.how[name])) for name, table in found.sheets.items()]
        write_workbook(folder / form.book, heading, district.year, pages, foot(district))
        nav = f'<a href="{html.escape(form.book)}">{say("表格")}</a>'
        if found.kept is not None:
            write_text(folder / KEPT, csv_text(found.kept), mark=True)
            nav += f'　<a href="{KEPT}">{say("问题清单（记进下一年的目录）")}</a>'
        if (target / "index.html").is_file():
            nav += f'　<a href="index.html">{say("简报")}</a>'
        body = concluded(found.said)
        for name, table, told in [(form.begins, found.first, say(form.how[form.begins])), *pages]:
            shown = (
                table_html(table.head(LISTED)) if len(table) else f'<p class="line">{html.escape(say("没有。"))}</p>'
            )
            body += (
                f'<section><h2>{html.escape(say(name))}</h2><p class="small">{html.escape(told)}</p>{shown}</section>'
            )
        write_text(folder / form.page, page_text(district, heading, nav, body, style=_STYLE))
    link_pages(target)
