"""The checkup as the published form has it: 指标汇总, 问题清单, 整治建议清单, 项目库, 上年度整治成效; a workbook and a page."""

from __future__ import annotations

import html
import math
from pathlib import Path

import pandas as pd

from ...core import (
    CONFIDENCE_LABELS,
    LAYERS,
    LEVELS,
    PROBLEM_STATES,
    PROJECT_STATES,
    URGENCIES,
    amount,
    refuse_uncleared,
    say,
    write_text,
)
from ...district import District, column_name, kind_name, layer_name
from ...renewal import INDICATOR_STATES, checkup, problems
from ..files import added_to
from ..workbook import foot, write_workbook
from .brief import link_pages
from .shell import page_text, table_html

#: What each sheet says under its heading.
_TOLD = {
    "指标汇总": "只报数，不评分、不评等级；缺资料的写明缺哪一列，填报的在台账填报表里填",
    "问题清单": "一个小区（社区）、一项指标一个问题，编号不随行序和设施改名变",
    "整治建议清单": "同一项指标的问题合在一起；责任单位待填",
    "项目库": "总投资为造价上限",
    "上年度整治成效": "能计算的重新测算；其余凭验收材料转待复核，现场核定后销号；资料订正、口径改变、拆除不算已解决",
}
#: As many problems as a page lists; the workbook has all.
LISTED = 100


def checkup_sheets(district: District, sets: list[str] | None = None) -> dict[str, pd.DataFrame]:
    """
    Return the checkup of a district as tables with Chinese columns, by the name of their sheet.

    Parameters
    ----------
    district
        This year's; its own `problems` are those of last year.
    sets
        As in `checkup`.

    Raises
    ------
    UnknownNameError
        No such set.
    """
    found, listed = checkup(district, sets), problems(district, sets=sets)
    still = listed[~listed["state"].isin(["closed", "solved", "corrected", "redefined", "demolished"]).to_numpy()]
    sheets = {
        "指标汇总": _indicators(district, found),
        "问题清单": _problems(district, still),
        "整治建议清单": _suggested(still),
    }
    if "projects" in district.rows:
        sheets["项目库"] = _projects(district.rows["projects"])
    if not listed["is_new"].all():
        sheets["上年度整治成效"] = _effects(district, listed[~listed["is_new"].astype(bool).to_numpy()])
    return sheets


def _indicators(district: District, found: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "哪一套": found["set"],
            "体检维度": [say(LEVELS[level]) for level in found["level"]],
            "指标": found.index,
            "名称": found["name"],
            "数值": found["value"],
            "净缺口": found["net"],
            "单位": found["unit"].fillna(""),
            "怎么得出": [_how(district, row) for _, row in found.iterrows()],
            "问题数": found["places"],
            "涉及人数": found["people"],
            "数据不足的小区": found["unknown"],
            "标准、条款、可信度": [
                "，".join(filter(None, (str(standard), str(clause), say(CONFIDENCE_LABELS[how]) if how else "")))
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


def _problems(district: District, listed: pd.DataFrame) -> pd.DataFrame:
    names: dict[str, str] = {}
    for frame in (district.communities, district.homes):
        names |= {} if frame is None else {str(k): str(v) for k, v in frame["name"].dropna().items()}
    return pd.DataFrame(
        {
            "问题编号": listed.index,
            "体检维度": [say(LEVELS[level]) if level in LEVELS else "" for level in listed["level"]],
            "问题指标": listed["name"].astype(object).fillna(listed["indicator"]),
            "在哪里": [
                names.get(str(p), str(p)) if isinstance(p, str) and p else say("全街道") for p in listed["place"]
            ],
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


def _suggested(listed: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for indicator, own in listed.groupby("indicator", sort=True):
        first = own.iloc[0]
        places = say("、").join(str(p) for p in own["place"].iloc[:6] if isinstance(p, str) and p)
        more = say(" 等 {0} 处", len(own)) if len(own) > 6 else ""
        urgency = say(URGENCIES[first["urgency"]]) if first["urgency"] in URGENCIES else ""
        people = float(own["people"].astype("float64").sum(min_count=1))
        rows.append(
            (indicator, first["name"], len(own), people, first["suggest"], places + more, urgency, first["duty"])
        )
    columns = ["指标", "问题指标", "问题数", "涉及人数", "整治建议", "整治区域", "整治类型", "责任单位"]
    return pd.DataFrame(rows, columns=columns)


def _projects(rows: pd.DataFrame) -> pd.DataFrame:
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
            "问题指标": old["name"].astype(object).fillna(old["indicator"]).to_numpy(),
            "上年涉及人数": old["people_before"].astype("float64").to_numpy(),
            "当年涉及人数": old["people"].astype("float64").to_numpy(),
            "状态": [say(PROBLEM_STATES[state]) for state in old["state"]],
            "算已解决": [say("是") if solved else say("否") for solved in old["solved"]],
            "对应项目": [say("、").join(keys) for keys in cited],
            "项目状态": [say("、").join(say(PROJECT_STATES[status[k]]) for k in keys if k in status) for keys in cited],
        }
    )


def checkup_note(sheets: dict[str, pd.DataFrame]) -> str:
    """
    Return in one sentence how much of a checkup is known.

    Parameters
    ----------
    sheets
        What `checkup_sheets` returned.
    """
    own = sheets["指标汇总"]
    computed = int((own["怎么得出"] == say(INDICATOR_STATES["computed"])).sum())
    blank = int((own["怎么得出"] == say(INDICATOR_STATES["blank"])).sum())
    found = say(
        "{0} 项指标，已计算 {1} 项，待填 {2} 项；问题 {3} 个。", len(own), computed, blank, len(sheets["问题清单"])
    )
    if "上年度整治成效" not in sheets:
        return found
    last = sheets["上年度整治成效"]
    solved, total = int((last["算已解决"] == say("是")).sum()), len(last)
    share = amount(100 * solved / total) if total else math.nan
    return found + say("上年 {0} 个问题，已解决 {1} 个（{2}%）。", total, solved, share)


def write_checkup(district: District, sheets: dict[str, pd.DataFrame], to: str | Path) -> None:
    """
    Write a checkup: `checkup.html`, `tables/自查表.xlsx`.

    Parameters
    ----------
    district
        Whose it is.
    sheets
        What `checkup_sheets` returned.
    to
        The folder of a report, or a new one.

    Raises
    ------
    EnvironmentProblem
        A file cannot be written.
    """
    heading = say("自查表")
    refuse_uncleared(district.manifest, say("写出{0}", heading))
    target = Path(to)
    with added_to(target) as folder:
        book = "tables/自查表.xlsx"
        pages = [(name, table, say(_TOLD[name])) for name, table in sheets.items()]
        write_workbook(folder / book, heading, district.year, pages, foot(district))
        nav = f'<a href="{html.escape(book)}">{say("表格")}</a>'
        if (target / "index.html").is_file():
            nav += f'　<a href="index.html">{say("简报")}</a>'
        body = f'<section><p class="line">{html.escape(checkup_note(sheets))}</p></section>'
        for name, table, told in pages:
            shown = (
                table_html(table.head(LISTED)) if len(table) else f'<p class="line">{html.escape(say("没有。"))}</p>'
            )
            body += (
                f'<section><h2>{html.escape(say(name))}</h2><p class="small">{html.escape(told)}</p>{shown}</section>'
            )
        write_text(folder / "checkup.html", page_text(district, heading, nav, body))
    link_pages(target)
