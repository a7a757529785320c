"""How firm the goals are, in words: what nobody has checked, between which ends the share lies, and whether that can turn the verdict."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ...access import SHARE_TOLERANCE
from ...core import per_cent, say
from ..analysis import Analysis
from .goals import goal_of
from .records import Firmness, Goal

#: What is in doubt, by layer and what of it, with how many.
_DOUBTED = {
    "facilities:existence": "{0} 处设施有没有",
    "facilities:position": "{0} 处设施的位置",
    "gates:gate": "{0} 处出入口",
    "homes:people": "{0} 个小区的人数",
    "streets:street": "{0} 段街道能不能走",
}


def firmness_of(analysis: Analysis, ranges: pd.DataFrame) -> tuple[Firmness, ...]:
    """Return how firm each goal is; `ranges` as `robustness` returns them for the rules of the analysis."""
    whole = ranges.xs("", level="group")
    return tuple(_firmness(analysis, goal_of(analysis, str(name)), whole.loc[name]) for name in whole.index)


def _firmness(analysis: Analysis, goal: Goal, row: pd.Series) -> Firmness:
    count = len(analysis.presence) if goal.metric == "presence" else 0
    value, low, high = (float(row[end]) for end in ("value", "low", "high"))
    ends = _ends(low, high, count)
    verdict = {"whole": say("达标"), "short": say("未达标")}.get(goal.state, "") if not goal.mark else ""
    turns = bool(verdict) and (high >= 1.0 - SHARE_TOLERANCE if goal.state == "short" else low < 1.0 - SHARE_TOLERANCE)
    text = _told(row, (_ends(value, value, count), ends), verdict, turns=turns)
    judged = goal.mark or (say("待核") if turns else say("{0}，不改判", verdict) if verdict else "")
    shares = value, low, high
    return Firmness(goal.rule, goal.label, _ends(value, value, count), ends, shares, text, judged, turns)


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
        return say("按统一口径{0}；待核{1}，核实后为 {2}", verdict, what, left)
    return say("{0}未核，核实后为 {1}，不影响“{2}”", what, left, verdict)
