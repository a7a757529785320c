"""What the command about parcels prints of money: two tables in ranges, the lines of a renewal unit, and what others decide."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby

from rich.markup import escape

from ...core import amount, cell, say, standing, word
from ...district import District
from ...renewal import floor_ratio, unit_lines
from ...report import Total, budget_name, topic_name
from .console import OUT, grid

#: What a line of a renewal unit comes to.
SIDES = {
    "within": "在参考线以内",
    "beyond": "超出参考线，请复核",
    "across": "区间跨过参考线，请复核",
    "unknown": "数据不足",
}


def show_money(totals: Sequence[Total]) -> None:
    """Print both tables of money of a parcel, never netted, and who pays in which year; nothing where nobody asks for any."""
    for budget, own in groupby(totals, key=lambda total: total.budget):
        label, parts = budget_name(budget), list(own)
        shown = grid(
            *map(say, ("项目", "年份", "金额", "资金渠道", "出自")),
            title=escape(say("{0}（各年，不与另一张表相抵）", label)),
        )
        for total in parts:
            for line in total.lines:
                name = f"{topic_name(total.topic)}　{line.label}"
                shown.add_row(*map(escape, (name, line.year, line.text, line.fund, line.origin)))
        OUT.print(shown)
        for total in parts:
            OUT.print(escape(say("{0}合计 {1}", topic_name(total.topic), total.text)))
            years, funds = total.by_fund
            by_year = grid(
                say("资金渠道（万元）"), *years, title=escape(say("{0}：{1}", label, topic_name(total.topic)))
            )
            for row in funds:
                by_year.add_row(*map(escape, row))
            OUT.print(by_year)


def _range(low: float, high: float, unit: str, digits: int = 0) -> str:
    ends = dict.fromkeys(amount(n, digits) for n in (low, high))
    return f"{'—'.join(ends)} {word(unit)}".strip()


def show_unit_lines(district: District, shown_parcels: Sequence[str], *, of_plan: bool = False) -> None:
    """Print the renewal units of some parcels against their lines: hints with their confidence; of a plan the ledger knows none."""
    table = unit_lines(district)
    table = table[[not set(shown_parcels).isdisjoint(members) for members in table["parcels"]]]
    for unit, rows in table.groupby(level="unit", sort=False):
        shown = grid(
            *map(say, ("提示", "数值", "参考线", "怎样", "可信度")),
            title=escape(say("更新单元：{0}（提示，不作判定）", unit)),
        )
        for (_, line), row in rows.iterrows():
            about = district.rows["unit_lines"].loc[line]
            unknown = row["side"] == "unknown"
            value = say("数据不足") if unknown else _range(row["low"], row["high"], row["limit_unit"], 2)
            sign = "≤" if row["operator"] == "<=" else "≥"
            lacks = say("、").join(dict.fromkeys(_figure(district, *pair) for pair in row["lacks"]))
            told = say("缺 {0}", lacks) if lacks else say(SIDES[row["side"]])
            if of_plan and not unknown:
                told = say("数据不足（台账的数，不是这个方案的）")
            limit = f"{sign} {amount(row['limit'])} {row['limit_unit']}".strip()
            standard = say("{0}：{1}", row["standard"], standing(row["confidence"], row["standard"], "", row["source"]))
            shown.add_row(*map(escape, (cell(about, "label"), value, limit, told, standard)))
        OUT.print(shown)


def _figure(district: District, parcel: str, quantity: str) -> str:
    return say("{0} 的{1}", parcel, cell(district.rows["quantities"].loc[quantity], "label"))


def show_left_to_others(district: District, parcel: str) -> None:
    """Print what this tool does not decide: sunlight, heritage, and whether a parcel keeps to its detailed plan."""
    ratio = floor_ratio(district, parcel)
    if math.isnan(ratio.low):
        return
    far, limit = _range(ratio.low, ratio.high, "", 2), amount(ratio.limit, 2, unknown=say("待填"))
    told = [say("控规：按台账折算容积率 {0}，上限 {1}；是否符合由规划和自然资源部门认定", far, limit)]
    if ratio.homes_built:
        told.append(say("日照：新建住房须做日照分析（核 GB 50180 4.0.9 与当地规定），由规划部门审定；本工具不算"))
    told.append(say("文物：是否涉及历史文化遗存由文物部门认定；本工具没有这个图层"))
    OUT.print(escape(say("须由主管部门决定的：")))
    for sentence in told:
        OUT.print(escape(f"· {sentence}"))
