"""How firm the goals are, in words: what nobody has checked, between which ends the share lies, and whether that can turn the verdict."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ...access import SHARE_TOLERANCE, doubted
from ...core import amount, listed, per_cent, say
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
    text = _told(row, (_ends(value, value, count), ends), verdict, turns=turns)
    judged = goal.mark or (say("待核") if turns else say("{0}，不改判", verdict) if verdict else "")
    shares = value, low, high
    recorded, who = _ends(value, value, count), say("、").join(listed(str(row["who"])))
    return Firmness(
        goal.rule, goal.label, recorded, ends, shares, text, judged, turns, checked_mark(value, row["facts"]), who
    )


def checked_mark(value: float, facts: float) -> str:
    """Say 已核 or 待核 of a figure by how many facts in doubt it depends on; "" where either is not known."""
    if not (np.isfinite(value) and np.isfinite(facts)):
        return ""
    return say("待核") if facts else say("已核")


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
    own = [name for name in dict.fromkeys(rules) if name in district.rules.index]
    facts = rules.map(doubted(district, own) if own else {})
    return [checked_mark(float(value), float(count)) for value, count in zip(rows["value"], facts, strict=True)]


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


def _told(row: pd.Series, ends: tuple[str, str], verdict: str, *, turns: bool) -> str:
    """Say what is in doubt, and what it leaves of the share and of the verdict, where there is one."""
    recorded, left = ends
    if not np.isfinite(row["value"]):
        return say("数据不足")
    if not row["facts"]:
        return say("没有存疑的事，就是 {0}", recorded)
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
