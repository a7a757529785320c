"""How firm the goals are, in words: what nobody has checked, between which ends the share lies, and whether that can turn the verdict."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pandas as pd

from ...access import EXACT, SHARE_TOLERANCE, bound_of, doubted
from ...core import UnknownNameError, amount, listed, per_cent, say
from ...district import District
from .records import Firmness, Goal

#: What is in doubt, by layer and what of it, with how many.
_DOUBTED = {
    "facilities:existence": "{0} 处设施有没有",
    "facilities:position": "{0} 处设施的位置",
    "gates:gate": "{0} 处出入口",
    "homes:people": "{0} 个小区的人数",
    "streets:street": "{0} 段街道能不能走",
    "streets:stairs": "{0} 段街道有没有台阶",
}
#: What was varied for a range, and what of the rest was taken as recorded.
_VARIED = {
    "facilities:existence": "设施开没开",
    "facilities:position": "设施位置",
    "gates:gate": "出入口开没开",
    "homes:people": "小区人数",
    "streets:street": "街道通不通",
    "streets:stairs": "街道有没有台阶",
}
#: As many of those who check are named in a sentence.
NAMED = 3
#: What is counted, in which unit, and how many of what the library counts are one of it.
UNITS = {
    "people": ("人", 1.0),
    "people_60plus": ("老人", 1.0),
    "area_m2": ("公顷", 1e-4),
    "homes": ("个小区", 1.0),
    "community": ("个社区", 1.0),
}


def firm_of(goal: Goal, row: pd.Series, communities: int) -> Firmness:
    """
    Return how firm a goal is.

    Parameters
    ----------
    goal
        How it stands.
    row
        Of `robustness`, that of its rule.
    communities
        How many there are.
    """
    count = communities if goal.metric == "presence" else 0
    value, low, high = (float(row[end]) for end in ("value", "low", "high"))
    ends = _ends(low, high, count)
    verdict = {"whole": say("达标"), "short": say("未达标")}.get(goal.state, "") if not goal.mark else ""
    turns = bool(verdict) and (high >= 1.0 - SHARE_TOLERANCE if goal.state == "short" else low < 1.0 - SHARE_TOLERANCE)
    text = _told(row, (_ends(value, value, count), ends), verdict, turns=turns) + _varied(row)
    if row["facts"] == 0 and goal.mark and np.isfinite(value):
        text = say("{0}；{1}", text, goal.mark)
    judged = goal.mark or (say("待核") if turns else say("{0}，不改判", verdict) if verdict else "")
    shares = value, low, high
    recorded, who = _ends(value, value, count), say("、").join(listed(str(row["who"])))
    return Firmness(
        *(goal.rule, goal.label, recorded, ends, shares, text, judged, turns),
        *(checked_mark(value, row["facts"], surveyed=bool(np.isfinite(high))), who),
    )


def checked_mark(value: float, facts: float, *, surveyed: bool) -> str:
    """
    Say 已核 or 待核 of a figure by how many facts in doubt it depends on; "" where either is not known.

    What was only seen on a map, and not `surveyed`, is never 已核: nobody has looked for what the map does not show.
    """
    if not (np.isfinite(value) and np.isfinite(facts)):
        return ""
    return say("待核") if facts or not surveyed else say("已核")


def checked_marks(district: District, rows: pd.DataFrame) -> list[str]:
    """
    Say of rows of a ledger or a checkup whether what they rest on is checked, as of the goals; "" of what no rule decides.

    Parameters
    ----------
    district
        Whose they are.
    rows
        Columns `value`, and `rule`: what decides who is served; "" or missing where nothing does.
    """
    rules = rows["rule"].fillna("").astype(str)
    own = {}
    for name in filter(None, dict.fromkeys(rules)):
        with suppress(UnknownNameError):  # of a kind that the folder does not know
            own[name] = district.rule(name)
    found = doubted(district, list({rule.name: rule for rule in own.values()}.values())) if own else {}
    facts = [found[own[name].name] if name in own else np.nan for name in rules]
    surveyed = [name not in own or bound_of(district, own[name].kinds) == EXACT for name in rules]
    rows_of = zip(rows["value"], facts, surveyed, strict=True)
    return [checked_mark(float(value), float(count), surveyed=seen) for value, count, seen in rows_of]


def difference_told(names: tuple[str, str], row: pd.Series) -> str:
    """
    Say how firm it is that one plan serves more than another.

    Parameters
    ----------
    names
        What the first and the second are called.
    row
        Of `differences`.
    """
    value, low, high = (float(row[end]) for end in ("value", "low", "high"))
    if not np.isfinite(value):
        return say("数据不足")
    if not low and not high:
        return say("两者一样，核实后也一样")
    if not row["apart"]:
        return say("现有数据不足以区分，不作为取舍依据")
    more, less = (names[1], names[0]) if low > 0 else (names[0], names[1])
    least, most = sorted((abs(low), abs(high)))
    unit, factor = UNITS[str(row["unit"])]
    ends = [amount(end * factor, 1 if factor != 1.0 else 0) for end in (least, most)]
    told = ends[0] if ends[0] == ends[1] else f"{ends[0]}—{ends[1]}"
    return say("{0}比{1}多 {2} {3}", more, less, told, say(unit))


def _ends(low: float, high: float, count: int) -> str:
    """Say two ends, as one where they print alike: shares, or how many of so many communities."""
    if not np.isfinite(low):
        return say("数据不足")
    least, most = (f"{round(end * count)}" if count and np.isfinite(end) else per_cent(end, 0) for end in (low, high))
    told = say("不少于 {0}", least) if not np.isfinite(high) else least if least == most else f"{least}—{most}"
    return say("{0} 个社区（共 {1} 个）", told, count) if count else told


def _varied(row: pd.Series) -> str:
    """Say what a range was worked out by varying, and what bears on it as well and was taken as recorded; "" where there is no range."""
    if not row["facts"] or not np.isfinite(row["value"]):
        return ""
    varied, fixed = (say("、").join(say(_VARIED[sort]) for sort in listed(str(row[of]))) for of in ("varied", "fixed"))
    if not fixed:
        return say("（变动的有{0}）", varied)
    return say("（只变动了{0}；{1}没有存疑，按录入的算）", varied, fixed)


def _told(row: pd.Series, ends: tuple[str, str], verdict: str, *, turns: bool) -> str:
    """Say what is in doubt, and what it leaves of the share and of the verdict, where there is one."""
    recorded, left = ends
    if not np.isfinite(row["value"]):
        return say("数据不足")
    if not row["facts"]:
        if not np.isfinite(row["high"]):
            return say("没有登记存疑的事；按录入{0}，图上没有的不知道", left)
        return say("没有登记存疑的事，按录入为 {0}", recorded)
    cause, some, every = str(row["cause"]), int(row["cause_facts"]), int(row["facts"])
    what = say(_DOUBTED[cause], some) if cause else say("{0} 件事", every)
    if cause and every > some:
        what = say("{0}等 {1} 件事", what, every)
    if not np.isfinite(row["high"]):
        return say("{0}未核，核实后{1}；图上没有的不知道", what, left)
    if left == recorded:
        return say("{0}未核，核实前后都是 {1}", what, recorded)
    if not verdict:
        return say("{0}未核，核实后为 {1}", what, left)
    if turns:
        who = say("、").join(listed(str(row["who"]))[:NAMED])
        what = say("{0}（{1}）", what, who) if who else what
        return say("按统一口径{0}；待核{1}，核实后为 {2}", verdict, what, left)
    return say("{0}未核，核实后为 {1}，不影响“{2}”", what, left, verdict)
