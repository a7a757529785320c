"""What a plan comes to, as a section of a page: sentences, who stays, moves and comes, and a bar for each goal."""

from __future__ import annotations

import html

from ...core import amount, per_cent, say, signed
from ...core import title as column_title
from ...district import District
from ...maps import diverging_bar
from ..story.change import Change
from .shell import heads, scrolled


def concluded(change: Change) -> str:
    """Return what a comparison comes to: sentences, who stays, moves and comes, and a bar for each goal."""
    e, goals, who = html.escape, change.goals, change.who
    told = "".join(f"<li>{e(sentence)}</li>" for sentence in change.verdict)
    told = f'<ul class="verdict">{told}</ul>' if told else f"<p>{say('没有可以评判的目标。')}</p>"
    people = ""
    if who is not None:
        figures = {"之前常住": who.before}
        figures |= {"方案写明原来就住着": who.there} if who.there else {}
        figures |= {"留下的居民": who.stay}
        # where the plan says where to, it says who returns too
        figures |= {"搬出": who.out, "还迁": who.back} if who.by_plan else {"迁出（去向待填）": who.out}
        figures |= {"导入人口": who.came, "其他变动": who.other, "之后常住": who.after}
        cells = "".join(f'<td class="n">{amount(number)}</td>' for number in figures.values())
        names = [say(group) for group in figures]
        people = scrolled(heads(names, range(len(names))), f"<tr>{cells}</tr>", "short")
        people += f'<p class="small">{say("单位：人。留下的、迁出的、导入的三类分列，不相加；受益和受影响只算留下的居民")}</p>'
    rows = "".join(
        f'<tr><td>{e(row.label)}</td><td class="n">{per_cent(row.before, unknown="—")}</td><td class="n">{per_cent(row.after, unknown="—")}</td>'
        f'<td class="diverging">{diverging_bar(row.points, change.longest, hollow=row.tone == "others")}</td>'
        + (
            f'<td class="n">{signed(row.points)}</td>'
            if row.tone != "unknown"
            else f'<td class="unknown">{say("数据不足")}</td>'
        )
        + f'<td class="{row.tone}">{e(row.net_text)}</td></tr>'
        for row in goals.itertuples()
    )
    names = [say("目标"), column_title("之前"), column_title("之后"), say("降低 ← → 提高")]
    names += [column_title("变化（百分点）"), column_title("净增（按本指标）")]
    table = scrolled(heads(names, (1, 2, 4, 5)), rows) if rows else ""
    if (goals["tone"] == "others").any():
        table += f'<p class="small">{say("空心：居民走得到的没有变，份额只因人口迁入或迁出而变")}</p>'
    mark = demonstration_mark(change.pair.after.district)
    return f"<section><h2>{say('结论')}{mark}</h2>{told}{people}<h3>{say('各项目标')}</h3>{table}</section>"


def demonstration_mark(district: District) -> str:
    """Return the mark that stands in every figure of a demonstration."""
    return f'<span class="mark">{say("演示数据")}</span>' if district.is_demonstration else ""
