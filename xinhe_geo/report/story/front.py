"""What is said first: three sentences that conclude, a line per goal with what to do, curves, and the walks behind the gaps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from ...access import curve, nearest_of_any, od_tables, route
from ...core import adding_up, amount, say
from ...district import District
from ...maps import tones
from ..analysis import Analysis
from .records import (
    GOALS,
    Cell,
    Conclusion,
    Curve,
    Gap,
    Goal,
    HeatRow,
    LegTold,
    Line,
    Part,
    Step,
    Tally,
    WalkTold,
    share,
)

#: So many gaps have their walk drawn.
WALKS = 5
#: Names that a sentence lists before it says how many there are.
NAMED = 2
#: Minutes that a curve is told at.
TOLD_AT = (5, 10, 15, 20, 30)
#: What the parts of a walk are called; ways along lanes and streets, waits and doors.
LEGS = {"inside": "小区内", "access": "到街道", "street": "沿街", "wait": "过街等候", "entrance": "进门"}


def aims(district: District) -> str:
    """Return what the goals are called: the plan's only where this place's own plan says them."""
    return say("规划提出的目标") if district.has_own_goals else say("参考口径")


def met_sentence(tally: Tally, what: str) -> str:
    """Say how many goals are met."""
    if not tally.promised:
        return say("没有可以核对的{0}：规则表里没有查到出处的条目", what)
    if not tally.whole and not tally.short:
        return say("{0} 项{1}都还不能判断：数据不足，或设施没有查全", tally.promised, what)
    rest = say("，{0} 项数据不足", tally.unknown) if tally.unknown else ""
    return say("{0} 项{1}中 {2} 项做到，{3} 项还差", tally.promised, what, tally.whole, tally.short) + rest


def checked_sentence(tally: Tally, *, own: bool) -> str:
    """Say how many of the plan's goals, or of the yardsticks beside it, have a gap; no full stop."""
    unknown = say("，{0} 项数据不足", tally.unknown) if tally.unknown else ""
    goals = "核对 {0} 项有原文可查的目标和标准：{1} 项没有缺口，{2} 项还有缺口{3}"
    told = goals if own else "核对 {0} 项参考口径：{1} 项没有缺口，{2} 项还有缺口{3}"
    return say(told, tally.promised, tally.whole, tally.short, unknown)


def worst_sentence(goal: Goal | None, tally: Tally, survey: Sequence[str]) -> str:
    """Say which goal falls shortest, and for how many people; or what keeps anybody from saying so."""
    if goal is None and tally.whole:
        return say("能判断的目标没有短板")
    if goal is None:
        return (
            say("短板在哪里还说不出来：先调查{0}", say("、").join(survey[:NAMED]))
            if survey
            else say("短板在哪里还说不出来：数据不足")
        )
    if goal.metric == "presence":
        return say("短板突出的是“{0}”：{1} 个社区有，没有的社区住着 {2}", goal.label, goal.big, goal.unserved.told)
    return say("短板突出的是“{0}”：可达 {1}，{2}在服务范围外", goal.label, goal.big, goal.unserved.told)


def next_sentence(goal: Goal | None, step: Step | None, survey: Sequence[str]) -> str:
    """Say what to do next, and what it brings."""
    if goal is not None and step is not None:
        place = step.places[0]
        said = "下一步：为“{0}”在{1}增设 1 处，{2}，{3}由 {4} 提高到 {5}（{6}）"
        return say(
            said,
            goal.label,
            place.where,
            step.brings,
            step.before.counted,
            step.before.text,
            step.after.text,
            step.sure,
        )
    if survey:
        return say("下一步：调查{0}，查全了才能判断谁在服务范围外、补在哪里", say("、").join(survey[:NAMED]))
    if goal is not None:
        return say("下一步：没有找到新增一处就能改善的位置，先核实出入口和路网，再看增开出入口效果")
    return say("下一步：补齐数据，或保持现有设施")


def _about(goal: Goal, short: Sequence[Part], step: Step | None) -> str:
    """Return what the figures of `_next` are about; "" where it says none."""
    if goal.state != "short" or (step is None and goal.metric == "presence"):
        return ""
    named = [part for part in short if not part.nowhere]
    return step.about if step is not None else f"{goal.rule}/{named[0].code}" if named else ""


def line_of(goal: Goal, short: Sequence[Part], step: Step | None, responsible: str, survey: bool) -> Line:
    """Return a goal's line of the first table."""
    missed = goal.unserved.told if goal.state in ("whole", "short") else say("未知")
    return Line(goal, missed, responsible, _next(goal, short, step, survey), _about(goal, short, step))


def _next(goal: Goal, short: Sequence[Part], step: Step | None, survey: bool) -> str:
    if goal.state == "whole":
        return say("保持")
    if goal.state != "short":
        return say("先把设施查全") if survey else say("补齐数据")
    if step is not None:
        return say("在{0}增设 1 处，{1}", step.places[0].where, step.brings)
    named = [part for part in short if not part.nowhere]
    if not named:
        return say("测算选址")
    names = say("、").join(part.name for part in named[:NAMED])
    if goal.metric == "presence":
        more = say("等 {0} 个社区", len(named)) if len(named) > NAMED else ""
        return say("在{0}{1}各增设 1 处", names, more)
    return say("先看{0}：{1}在服务范围外", named[0].name, named[0].missed.told)


def conclusion(
    goals: tuple[Goal, ...], leading: Goal | None, sentences: tuple[str, str, str], step: Step | None
) -> Conclusion:
    """Put the three sentences together, with the mark of what is no conclusion."""
    marks = dict.fromkeys(goal.mark for goal in goals if goal.mark)
    mark = leading.mark if leading is not None else next(iter(marks), "")
    worst = leading.rule if leading is not None else ""
    return Conclusion(mark, *sentences, (GOALS, worst, step.about if step is not None else ""))


# --- curves and walks ------------------------------------------------------------------------------------------------


def curve_of(analysis: Analysis, goal: Goal) -> Curve:
    """Return how many have reached what a goal asks for, minute by minute."""
    rule = analysis.district.rule(goal.rule)
    table = curve(analysis.district, goal.rule, minutes=range(41)).loc[""]
    minutes = tuple(float(minute) for minute in table.index)
    told = tuple(
        share("curve", f"{goal.rule}/{at}min", float(table["share"][float(at)]), goal.share.of) for at in TOLD_AT
    )
    limit = float(rule.minutes) if goal.timed else math.nan
    return Curve(goal, minutes, tuple(float(v) for v in table["share"]), limit, told)


def walk_of(district: District, gap: Gap, names: Mapping[str, str]) -> WalkTold | None:
    """Return the walk behind a gap, from the very point its minutes are those of; None where nobody gets there."""
    rule = district.rule(gap.rule)
    walker = district.profile(rule.profile)
    table = nearest_of_any(od_tables(district, rule.kinds, profile=walker), rule.kinds)
    own = table[(table["home"] == gap.home).to_numpy()]
    off = (own["minutes"] - gap.minutes).abs()
    if not np.isfinite(gap.minutes) or off.isna().all():
        return None
    row = own.loc[off.idxmin()]
    legs = route(district, gap.home, str(row["facility_minutes"]), profile=walker, point=int(off.idxmin()))
    ends = legs.geometry.iloc[0], legs.geometry.iloc[-1]
    crow = math.dist(ends[0].coords[0], ends[1].coords[-1])
    parts, whole = legs.groupby("leg", sort=False)[["metres", "minutes"]].sum(), legs[["metres", "minutes"]].sum()
    metres, minutes = (adding_up(list(parts[c]), whole[c], digits) for c, digits in (("metres", 0), ("minutes", 1)))
    told = tuple(
        LegTold(str(leg), say(LEGS[str(leg)]), amount(far), amount(long, 1))
        for leg, far, long in zip(parts.index, metres, minutes, strict=True)
    )
    return WalkTold(
        gap=gap,
        facility=names.get(str(row["facility_minutes"])) or str(row["facility_minutes"]),
        legs=told,
        minutes=amount(whole["minutes"], 1),
        metres=amount(whole["metres"]),
        straight=amount(crow),
        route=legs,
    )


def heat_of(parts: Mapping[str, Sequence[Part]]) -> tuple[HeatRow, ...]:
    """Return the communities by goals (rule -> its parts): how many people each goal misses where; most people first."""
    names = {part.code: part.name for own in parts.values() for part in own}
    by = {rule: {part.code: part for part in own} for rule, own in parts.items()}
    flat = [(code, rule) for code in names for rule in by]
    values = [by[rule][code].missed.value if code in by[rule] else math.nan for code, rule in flat]
    shades = dict(zip(flat, tones(values), strict=True))
    rows = []
    for code, name in names.items():
        cells = {}
        for rule, own in by.items():
            shade = shades[code, rule]
            said = "" if code not in own else own[code].missed.text
            cells[rule] = Cell(said, f"t{shade}" if shade >= 0 else "tu")
        rows.append(HeatRow(code, name, cells))
    worst = {
        code: max((v for (c, _), v in zip(flat, values, strict=True) if c == code and math.isfinite(v)), default=0.0)
        for code in names
    }
    return tuple(sorted(rows, key=lambda row: (not row.code, -worst[row.code], row.code)))
