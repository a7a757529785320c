"""终期评估: the plan's targets in its last year, in the form of the checkup: what is done, what is not, what nobody can say yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from ...core import UnknownNameError, amount, language, listed_words, named_by_homes, say, word
from ...district import District
from ...ledger import VERDICTS, borrowed_plan, canonical, last_year, ledger, number_text, verdicts
from ..story.firmness import checked_marks
from ..story.promises import promises_of
from .checkup import BEGIN, Checked, Form, project_sheet, projects_told

#: What is not done, and what nobody can say yet.
_SHORT, _OPEN = ("未达标", "部分达标"), ("数据不足", "待填")
FINAL = Form(
    "规划终期评估",
    "final.html",
    "tables/终期评估.xlsx",
    "先补哪些",
    {
        "先补哪些": "未达标的在前，然后按差距涉及的人数",
        "目标完成情况": "一项目标一个判定，按规划的类别",
        "目标清单": "决定判定的量法各一行；怎么量、凭什么见核对表",
        "未完成目标": "未达标和部分达标的；责任单位待填",
        "还缺的资料": "数据不足和待填的：补齐以前不作结论",
        "项目库": "总投资为造价上限",
    },
    {
        "目标完成情况": (),
        "目标清单": ("编号", "原文", "目标值", "现状", "判定", "核没核"),
        "未完成目标": ("编号", "原文", "现状", "目标值", "差距", "差距涉及", "怎么补", "责任单位"),
        "还缺的资料": ("编号", "量什么", "判定", "缺什么"),
        "项目库": ("项目", "名称", "总投资（万元）", "累计完成（万元）", "状态", "责任单位"),
    },
    {
        "目标完成情况": "没有登记规划目标。",
        "目标清单": "没有登记规划目标。",
        "未完成目标": "没有判为未达标或部分达标的目标。",
        "还缺的资料": "每项目标都有数。",
        "项目库": "街道目录里没有项目库，投资数据不足。",
    },
    "关于{0}规划终期评估的报告",
    "现将{0}规划终期评估情况报告如下（数据年份 {1}）。",
)


@named_by_homes
def final_checked(district: District, year: int | None = None, *, ranges: bool = False) -> Checked:
    """
    Return the final evaluation of a plan in words: each target as it stands at the end of the plan's last year.

    Parameters
    ----------
    district
        Whose plan it is; what the data do not yet know of that year is said.
    year
        Another year than the last of the plan's.
    ranges
        Whether it is said of each figure that comes of a rule whether what it rests on is checked (已核 or 待核).

    Raises
    ------
    UnknownNameError
        The targets name no years, and none is given; or not a year.
    """
    end = last_year(district) if year is None else year
    if end is None:
        raise UnknownNameError("规划末年", "", (say("用 --year 写哪一年"),))
    state = district.at(end)
    table = ledger(state, lang=language())
    said, plain = verdicts(table), canonical(table)
    own = plain[(plain["role"] == "own").to_numpy()]
    short = own[own["verdict"].isin(_SHORT).to_numpy()]
    worst = np.lexsort((-short["gap_size"].astype("float64").fillna(-1.0), short["verdict"] != _SHORT[0]))
    sheets = {
        "目标完成情况": _by_category(table),
        "目标清单": _targets(own),
        "未完成目标": _not_done(short.iloc[worst]),
        "还缺的资料": _lacking(own[own["verdict"].isin(_OPEN).to_numpy()]),
    }
    if ranges:
        sheets["目标清单"]["核没核"] = checked_marks(state, own)
    if "projects" in district.rows:
        sheets["项目库"] = project_sheet(district.rows["projects"])
    told = {
        "目标完成情况": tuple(_counted(district, end, said)),
        "目标清单": _listed(sheets["目标清单"]),
        "还缺的资料": _lacked(sheets["还缺的资料"]),
        "项目库": tuple(projects_told(sheets.get("项目库"))),
    }
    first = sheets["未完成目标"].head(BEGIN)
    points = [
        say(
            "{0}（{1}）：{2}。",
            row["编号"],
            row["判定"],
            say("；").join(filter(None, (row["现状"], row["差距"], row["怎么补"]))),
        )
        for _, row in first.iterrows()
    ]
    return Checked(FINAL, told, first.drop(columns="责任单位"), sheets, {"未完成目标": points}, None)


def _counted(district: District, end: int, said: pd.Series) -> Iterator[str]:
    """Yield how many targets stand how, and what that cannot mean."""
    if borrowed := borrowed_plan(district):
        yield borrowed
    counts = said.value_counts()
    each = [say("{0} {1} 项", say(v), amount(counts[say(v)])) for v in VERDICTS if say(v) in counts.index]
    if each:
        yield say("规划末年 {0} 年，核对 {1} 项目标：{2}。", end, amount(len(said)), say("，").join(each))
    if district.year < end:
        yield say(
            "数据年份 {0} 早于规划末年 {1}：小区、设施、道路是 {0} 年的资料，不能当作终期结论。", district.year, end
        )


def _listed(table: pd.DataFrame) -> tuple[str, ...]:
    """Say how many rows targets have: one that is measured in several ways has several."""
    told = "{0} 项目标按决定判定的量法逐条列出，共 {1} 条。"
    return (say(told, table["编号"].nunique(), len(table)),) if len(table) else ()


def _lacked(table: pd.DataFrame) -> tuple[str, ...]:
    """Say how many targets nobody can judge yet, and how much is lacking for that."""
    told = "{0} 项目标有数据不足或待填的量法，所缺资料 {1} 条；补齐以前不作结论。"
    return (say(told, table["编号"].nunique(), len(table)),) if len(table) else ()


def _by_category(table: pd.DataFrame) -> pd.DataFrame:
    found = promises_of(table)
    if found is None:
        return pd.DataFrame({"类别": []})
    columns = ["类别", *found.verdicts, "合计"]
    rows = [[name, *own, sum(own)] for name, own in found.categories.items()]
    rows.append([say("合计"), *found.verdicts.values(), found.total])
    return pd.DataFrame(rows, columns=columns)


def _codes(own: pd.DataFrame) -> list[str]:
    return [str(code) for code in own.index.get_level_values("commitment")]


def _stands(row: Mapping[str, object] | pd.Series) -> str:
    """Return a number with its unit, what nobody knows as a dash."""
    value = float(row["value"])  # type: ignore[arg-type]
    return f"{row['label']} {number_text(value, str(row['unit']))}" if np.isfinite(value) else say("数据不足")


def _targets(own: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "编号": _codes(own),
            "原文": own["quote"].to_numpy(),
            "类别": [listed_words(cell) for cell in own["category"]],
            "年份": [word(cell) for cell in own["year"]],
            "目标值": own["target_text"].to_numpy(),
            "现状": [_stands(row) for _, row in own.iterrows()],
            "判定": [say(v) for v in own["verdict"]],
        }
    )


def _not_done(own: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "编号": _codes(own),
            "原文": own["quote"].to_numpy(),
            "判定": [say(v) for v in own["verdict"]],
            "现状": [_stands(row) for _, row in own.iterrows()],
            "目标值": own["target_text"].to_numpy(),
            "差距": own["gap"].to_numpy(),
            "差距涉及": [_who(row) for _, row in own.iterrows()],
            "怎么补": own["fix"].to_numpy(),
            "责任单位": say("待填"),
        }
    )


def _who(row: pd.Series) -> str:
    """Return how many of whom a gap is about."""
    if not row["gap_of"]:
        return ""
    return say("{0} {1}", row["gap_of"], amount(float(row["gap_size"]), unknown=say("数据不足")))


def _lacking(own: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "编号": _codes(own),
            "原文": own["quote"].to_numpy(),
            "量什么": own["label"].to_numpy(),
            "判定": [say(v) for v in own["verdict"]],
            "缺什么": own["needs"].to_numpy(),
        }
    )
