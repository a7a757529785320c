"""What a plan comes to, as a section of a page: sentences, who stays, moves and comes, and a bar for each goal."""

from __future__ import annotations

import html
import math
import re

from ...core import amount, per_cent, say, signed
from ...core import title as column_title
from ...district import District
from ...maps import diverging_bar
from ..story.change import LIVING, Change, GoalRow
from .receipts import OF_CHANGE
from .shell import followed, heads, scrolled


def concluded(change: Change) -> str:
    """Return what a comparison comes to: sentences, who stays, moves and comes, and a bar for each goal."""
    e, goals = html.escape, change.goals
    told = "".join(f"<li>{followed(e(said.text), OF_CHANGE, said.about)}</li>" for said in change.verdict)
    told = f'<ul class="verdict">{told}</ul>' if told else f"<p>{say('没有可以评判的目标。')}</p>"
    people = ""
    if change.living:
        cells = "".join(
            f'<td class="n">{followed(amount(group.number), OF_CHANGE, LIVING)}</td>' for group in change.living
        )
        names = [group.label for group in change.living]
        people = scrolled(heads(names, range(len(names))), f"<tr>{cells}</tr>", "short")
        people += f'<p class="small">{say("单位：人。留下的、迁出的、导入的三类分列，不相加；受益和受影响只算留下的居民")}</p>'
    people += f'<p class="small">{e(change.left_out)}</p>' if change.left_out else ""
    rows = "".join(_goal_row(row, change.longest, change.firm.get(row.code)) for row in goals.itertuples())
    names = [say("目标"), column_title("之前"), column_title("之后"), say("降低 ← → 提高")]
    names += [column_title("变化（百分点）"), column_title("净增（按本指标）")]
    names += [column_title("核实后相差")] if change.firm else []
    table = scrolled(heads(names, (1, 2, 4, 5)), rows) if rows else ""
    if (goals["tone"] == "others").any():
        table += f'<p class="small">{say("空心：居民走得到的没有变，份额只因人口迁入或迁出而变")}</p>'
    mark = demonstration_mark(change.pair.after.district)
    return f"<section><h2>{say('结论')}{mark}</h2>{told}{people}<h3>{say('各项目标')}</h3>{table}</section>"


def _goal_row(row: GoalRow, longest: float, firm: str | None) -> str:
    """Return the row of a goal: both shares, a bar, what lies between them, whom it serves more, how firm that is where it was asked."""

    def figure(text: str) -> str:
        return followed(html.escape(text), OF_CHANGE, row.code) if re.search(r"\d", text) else html.escape(text)

    before, after = (figure(per_cent(share, 0, unknown="—")) for share in (row.before, row.after))
    points = f'<td class="n">{figure(signed(row.points))}</td>'
    if row.tone == "unknown":
        points = f'<td class="unknown">{say("数据不足")}</td>'
    told = "" if firm is None else f"<td>{html.escape(firm)}</td>"
    return (
        f'<tr><td>{html.escape(row.label)}</td><td class="n">{before}</td><td class="n">{after}</td>'
        f'<td class="diverging">{diverging_bar(row.points, longest, hollow=row.tone == "others")}</td>'
        f'{points}<td class="{"unknown" if math.isnan(row.net) else row.tone}">{figure(row.net_text)}</td>{told}</tr>'
    )


def demonstration_mark(district: District) -> str:
    """Return the mark that stands in every figure of a demonstration."""
    return f'<span class="mark">{say("演示数据")}</span>' if district.is_demonstration else ""
