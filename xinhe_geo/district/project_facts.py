"""Projects and money at the door: what contradicts itself or names what is not there; and the edits that a project carries out."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from ..core import (
    IDEA,
    RESERVED,
    UNDER_WAY,
    Edit,
    Problem,
    ScenarioError,
    SourceError,
    as_text,
    did_you_mean,
    listed,
    say,
)
from .scenario import Scenario, plan_files

#: Sums of money agree when they differ by no more than this (万元).
CENT = 0.005
#: What is not begun yet: its years lie ahead.
_AHEAD = (IDEA, RESERVED)
_A_YEAR = 1900
#: No plan has more steps than a number of so many digits says.
_DIGITS = 6
_PART = re.compile(r"([^#]+)(?:#([\d,，\s]+))?")


class Fund(NamedTuple):
    """A source of money that a project may be paid from, and how much it pays of it in any case (missing: as it comes)."""

    name: str
    amount: float


def funds_of(cell: object) -> list[Fund]:
    """
    Return the sources of money named in a cell: `fund` or `fund=万元`, parted by `;`.

    Raises
    ------
    ValueError
        What stands behind `=` is no number of at least 0.
    """
    found = []
    for part in listed(as_text(cell)):
        name, said, number = part.partition("=")
        amount = float(pd.to_numeric(number.strip(), errors="coerce"))
        if said and not 0 <= amount < math.inf:
            raise ValueError(part)
        found.append(Fund(name.strip(), amount))
    return found


def yearly_of(cell: object) -> list[float]:
    """
    Return the sums of a cell, year by year.

    Raises
    ------
    ValueError
        One of them is no number of at least 0.
    """
    sums = [float(part) for part in listed(as_text(cell))]
    if not all(0 <= amount < math.inf for amount in sums):
        raise ValueError(as_text(cell))
    return sums


def project_edits(folder: Path, cell: object) -> list[Edit]:
    """Return the edits that a project carries out, as its cell `edits` names them; parameters and errors as of `project_steps`."""
    return [edit for _, edit in project_steps(folder, cell)]


def project_steps(folder: Path, cell: object) -> list[tuple[str, Edit]]:
    """
    Return the edits that a project carries out, each with the plan and the step it is (`plan#2`).

    Parameters
    ----------
    folder
        The district's: its plans lie in `scenarios/`.
    cell
        `plan`, or `plan#2,4` for some of its steps (from 1); several parted by `;`.

    Returns
    -------
    edits
        As a plan stands at the end of its last year: what has ended before is left out, and no edit carries a year, for a project
        is carried out as a whole when it is finished.

    Raises
    ------
    ScenarioError
        No such plan or step, or a plan that cannot be read: which, and what there is.
    """
    found: list[tuple[str, Edit]] = []
    for name, wanted in steps_named(cell).items():
        files = plan_files(folder)
        if name not in files:
            raise ScenarioError(say("没有方案 {0}；{1}", name, did_you_mean(name, files)))
        plan = Scenario.read(files[name])
        beyond = [step for step in sorted(wanted) if not 1 <= step <= len(plan.edits)]
        if beyond:
            raise ScenarioError(say("方案 {0} 没有第 {1} 步；它有 {2} 步", plan.name, beyond[0], len(plan.edits)))
        last = max(plan.years, default=0)
        for step, edit in enumerate(plan.edits, 1):
            over = edit.what.get("until") is not None and edit.what["until"] < last
            if not over and (not wanted or step in wanted):
                own = Edit(edit.do, {k: v for k, v in edit.what.items() if k not in ("year", "until")})
                found.append((f"{name}#{step}", own))
    return found


def steps_named(cell: object) -> dict[str, set[int]]:
    """
    Return the plans that a cell `edits` names, and which of their steps; no step stands for all.

    Raises
    ------
    ScenarioError
        It is written in another way.
    """
    found: dict[str, set[int]] = {}
    for part in listed(as_text(cell)):
        match = _PART.fullmatch(part)
        said = re.split(r"[,，\s]+", match[2] or "") if match else []
        if match is None or any(len(step) > _DIGITS for step in said):
            raise ScenarioError(say("“{0}”的写法不对；写方案名，或 方案名#2,4", part[:60]))
        name, steps = match[1].strip(), {int(step) for step in said if step}
        whole = name in found and not (steps and found[name])
        found[name] = set() if whole else found.get(name, set()) | steps
    return found


# --- the check at the door -------------------------------------------------------------------------------------------


def project_problems(
    rows: Mapping[str, pd.DataFrame], declared: Mapping[str, Any], year: int, folder: Path
) -> Iterator[Problem]:
    """
    Yield everything in projects and money that contradicts itself, or names what is not there.

    Parameters
    ----------
    rows, declared
        All rows of a district, and what its manifest says of their files.
    year
        Of the data: what has not begun begins in it at the earliest, and money of the years before it is spent. Next year's data
        make last year's rows old, not wrong: they are told, and the district works.
    folder
        The district's, where the plans lie that projects name.
    """
    projects, budgets = rows.get("projects"), rows.get("budgets")
    if projects is not None:
        file = str(declared.get("projects", {}).get("file", ""))
        funds = None if budgets is None else sorted(set(budgets["fund"].dropna()))
        for key, row in projects.iterrows():
            told = [*_cost(row), *_years(row), *_funds(row, funds), *_others(str(key), row)]
            told += [*_edits(row, folder)]
            for field, problem, remedy in told:
                yield Problem("error", "projects", file, str(key), field, problem, remedy)
            for field, problem, remedy in _overtaken(row, year):
                yield Problem("warning", "projects", file, str(key), field, problem, remedy)
            for number in _unknown_problems(row, rows.get("problems")):
                said, remedy = (
                    say("问题清单里没有 {0}", number),
                    say("照 checkup 列出的问题编号写；今年新发现的，记进问题清单"),
                )
                yield Problem("warning", "projects", file, str(key), "problem", said, remedy)
            if pd.isna(row["problem"]) and pd.isna(row["reason"]):
                said = say("没有对应的体检问题，也没有写理由")
                remedy = say("在 problem 写问题编号，或在 reason 写为什么要做")
                yield Problem("warning", "projects", file, str(key), "problem", said, remedy)
        yield from _circles(projects, file)
    if budgets is not None:
        yield from _money_problems(budgets, projects, str(declared.get("budgets", {}).get("file", "")), year)


def _money_problems(budgets: pd.DataFrame, projects: pd.DataFrame | None, file: str, year: int) -> Iterator[Problem]:
    kinds = set() if projects is None else set(projects["kind"].dropna())
    twice = budgets[["fund", "year", "amount", "types", "state"]].astype(str).duplicated()
    for key in budgets.index[twice.to_numpy()]:
        said = say("{0} {1} 年同样的一行写了两次，两笔都算", budgets.loc[key, "fund"], budgets.loc[key, "year"])
        remedy = say("是重复的就删去一行；是两笔就在 note 写明")
        yield Problem("warning", "budgets", file, str(key), "amount", said, remedy)
    for key, row in budgets.iterrows():
        if _number(row["year"]) < year:
            said = say("{0} 年早于数据年 {1}，排计划时不算", row["year"], year)
            remedy = say("结转下来的，另写一行 {0} 年的资金", year)
            yield Problem("warning", "budgets", file, str(key), "year", said, remedy)
        for kind in listed(as_text(row["types"])):
            if kinds and kind not in kinds:
                said = say("项目库里没有更新类型“{0}”", kind)
                yield Problem("warning", "budgets", file, str(key), "types", said, did_you_mean(kind, kinds))


def _unknown_problems(row: pd.Series, problems: pd.DataFrame | None) -> list[str]:
    return [] if problems is None else [n for n in listed(as_text(row["problem"])) if n not in problems.index]


#: Field, problem, remedy.
_Told = tuple[str, str, str]


def _cost(row: pd.Series) -> Iterator[_Told]:
    low, high = _number(row["cost_low"]), _number(row["cost_high"])
    if high < low:
        yield "cost_high", say("造价上限 {0:g} 小于下限 {1:g}", high, low), say("核对两格，改正其中一个")
    if math.isnan(low) and not math.isnan(high):
        yield "cost_low", say("写了造价上限，没有写下限"), say("在 cost_low 写下限；只有一个数就只写 cost_low")
    parts = [float(v) for c, v in row.items() if str(c).startswith("invest_") and pd.notna(v)]
    if parts and pd.notna(row["invest"]) and sum(parts) > float(row["invest"]) + CENT:
        said = say("各渠道合计 {0:g} 大于总投资 {1:g}", sum(parts), row["invest"])
        yield "invest", said, say("核对总投资和各渠道的数，改正其中一个")
    try:
        sums = yearly_of(row["yearly"])
    except ValueError:
        yield "yearly", say("“{0}”不是一列不小于 0 的数", row["yearly"]), say("写成 40;60 这样，开工起每年一个数")
        return
    if sums and pd.notna(row["duration"]) and len(sums) != row["duration"]:
        yield (
            "yearly",
            say("写了 {0} 年的投资，工期是 {1} 年", len(sums), row["duration"]),
            say("一年一个数，当年没有写 0；或改工期"),
        )
        return
    totals = [v for v in (low, high, _number(row["invest"])) if not math.isnan(v)]
    if sums and totals and all(abs(sum(sums) - total) > CENT for total in totals):
        yield "yearly", say("各年合计 {0:g} 不等于造价 {1:g}", sum(sums), totals[0]), say("合计等于造价下限或上限")


def _number(cell: object) -> float:
    return math.nan if pd.isna(cell) else float(cell)  # type: ignore[arg-type]


def _overtaken(row: pd.Series, year: int) -> Iterator[_Told]:
    """Yield the years in which a project was to begin that has not begun, and that are over."""
    if pd.isna(row["status"]) or row["status"] in _AHEAD:
        for field, label in (("earliest", say("最早开工年")), ("start", say("开工年"))):
            if _A_YEAR <= _number(row[field]) < year:  # what is no year at all is said where cells are judged
                said = say("{0} {1} 早于数据年 {2}，排计划时从 {2} 年算起", label, row[field], year)
                yield field, said, say("改成 {0} 年或以后；已经开工的把状态写成实施", year)


def _years(row: pd.Series) -> Iterator[_Told]:
    if row["status"] == UNDER_WAY and pd.isna(row["start"]):
        yield "start", say("状态是实施，没有写开工年"), say("写哪一年开工；还没有开工的把状态写成储备")
    if _number(row["end"]) < _number(row["start"]):
        yield "end", say("完工年 {0} 早于开工年 {1}", row["end"], row["start"]), say("核对两格，改正其中一个")


def _funds(row: pd.Series, known: list[str] | None) -> Iterator[_Told]:
    try:
        funds = funds_of(row["funds"])
    except ValueError as error:
        yield "funds", say("“{0}”的金额不是不小于 0 的数", error), say("写 渠道=万元，如 专项债=60")
        return
    for fund in funds:
        if known is not None and fund.name not in known:
            yield "funds", say("资金表里没有渠道“{0}”", fund.name), did_you_mean(fund.name, known)
    fixed = [fund.amount for fund in funds if not math.isnan(fund.amount)]
    totals = [v for v in map(_number, (row["cost_low"], row["cost_high"], row["invest"])) if not math.isnan(v)]
    if fixed and totals:
        whole = len(fixed) == len(funds)
        if sum(fixed) > max(totals) + CENT or (whole and all(abs(sum(fixed) - t) > CENT for t in totals)):
            said = say("各渠道合计 {0:g} 与造价 {1:g} 不符", sum(fixed), totals[0])
            yield "funds", said, say("合计等于造价；余下由谁出还没有定的，加上那个渠道、不写金额")


def _others(key: str, row: pd.Series) -> Iterator[_Told]:
    after, excludes = (listed(as_text(row[c])) for c in ("after", "excludes"))
    if key in excludes:
        yield "excludes", say("与自己互斥"), say("从这一格去掉自己")
    for both in sorted(set(after) & set(excludes)):
        yield "excludes", say("{0} 既是先行项目又互斥", both), say("从其中一格去掉")


def _edits(row: pd.Series, folder: Path) -> Iterator[_Told]:
    try:
        project_edits(folder, row["edits"])
    except (ScenarioError, SourceError) as error:
        said = (error.what, error.remedy) if isinstance(error, SourceError) else str(error).split(say("；"), 1)
        what, remedy = (*said, "")[:2]
        yield "edits", what, remedy or say("改正方案文件；scenario check 列出全部问题")


def _circles(projects: pd.DataFrame, file: str) -> Iterator[Problem]:
    """Yield the circle that prerequisites close, where they do: nothing in it can ever begin."""
    before = {
        str(key): [p for p in listed(as_text(cell)) if p in projects.index] for key, cell in projects["after"].items()
    }
    while True:
        try:
            TopologicalSorter(before).prepare()
        except CycleError as error:
            circle = list(error.args[1])[::-1]  # each waits for the next
            begin = circle.index(min(circle))
            names = [*circle[:-1][begin:], *circle[:-1][:begin]] if begin < len(circle) - 1 else circle[:-1]
            said = say("先行项目绕成一圈：{0}", " → ".join([*names, names[0]]))
            yield Problem("error", "projects", file, names[0], "after", said, say("从其中一格去掉一个先行项目"))
            before[names[0]] = []
        else:
            return
