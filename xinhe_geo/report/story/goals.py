"""What is promised: what each rule asks, where things stand, which communities miss it, and the homes that miss most."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ...access import EXACT, SHARE_TOLERANCE
from ...core import DENOMINATOR_LABELS, METHOD_LABELS, Rule, say
from ...district import walker_name
from ...maps import promised_rules, worst_gaps
from ..analysis import Analysis
from .firmness import firm_of
from .records import Figure, Firmness, Gap, Goal, Lacking, Part, Tally, people, share

#: A share that facilities beyond the border serve is told above this.
OUTSIDE = 5e-4
#: Layers of the groupings, by the name of the grouping in a cover.
LAYER_OF = {"community": "communities", "area": "areas", "zone": "zones"}


def goal_of(analysis: Analysis, name: str) -> Goal:
    """Return how a rule stands."""
    district, row = analysis.district, analysis.headlines.loc[name]
    rule, value, n = district.rule(name), float(row["value"]), len(analysis.presence)
    walker, stands_in = district.profile(rule.profile), rule.metric != "presence" and str(row["denominator"])
    denominator = stands_in or rule.denominator
    led = share("share", name, value, denominator)
    depends = float(row["dependent_share"])
    goal = Goal(
        rule=name,
        label=str(row["label"]),
        metric=rule.metric,
        exact=row["bound"] == EXACT,
        state=_state(value, str(row["bound"])),
        share=led,
        big=f"{round(value * n)} / {n}" if rule.metric == "presence" and led.known else led.text,
        headline=str(row["headline"]),
        alternatives=str(row["alternatives"]),
        mark=str(row["mark"]),
        standard=str(row["standard_text"]),
        heading=str(row["heading"]),
        cited=str(row["cited"]),
        own=rule.of_plan,
        walked=_walked(rule, value, float(row["walk_share"])),
        basis=str(row["basis_text"]),
        outside=say("其中 {0:.1%} 依赖界外设施", depends) if depends > OUTSIDE else "",
        unserved=people("unserved", name, float(row["people_unserved"]), counted_in(rule)),
        asked=_asked(rule),
        method=say("按社区计（界内有即算）" if rule.metric == "presence" else METHOD_LABELS[rule.method]),
        denominator=say(DENOMINATOR_LABELS.get(denominator, "小区数")),
        walker=walker_name(district, walker),
        speed=f"{walker.speed_m_s:g}",
        timed=rule.method == "walk_min",
    )
    if analysis.firm is None or not led.known:
        return goal
    row = analysis.firm.loc[name]
    firm = firm_of(goal, row, n)
    return goal._replace(firm=firm.text if row["facts"] else "", checked=firm.checked)


def firmness_of(analysis: Analysis, ranges: pd.DataFrame) -> tuple[Firmness, ...]:
    """Return how firm each goal is; `ranges` as `robustness` returns them for rules of the analysis."""
    whole, communities = ranges.xs("", level="group"), len(analysis.presence)
    return tuple(firm_of(goal_of(analysis, str(name)), whole.loc[name], communities) for name in whole.index)


def _state(value: float, bound: str) -> str:
    if not np.isfinite(value):
        return "unknown"
    return "at_least" if bound != EXACT else "whole" if value >= 1 - SHARE_TOLERANCE else "short"


def _walked(rule: Rule, value: float, walked: float) -> Figure | None:
    """Return of whom a walk reaches one of what communities have."""
    if rule.metric != "presence" or not np.isfinite(walked):
        return None
    return share("walked", rule.name, min(walked, value), "people")


def _asked(rule: Rule) -> str:
    if rule.metric == "presence":
        return say("每个社区至少 1 处")
    return say("{0:g} 分钟", rule.minutes) if rule.method == "walk_min" else say("{0:g} 米", rule.metres)


def counted_in(rule: Rule) -> str:
    """Return whom a rule counts when it counts people."""
    return "people_60plus" if rule.denominator == "people_60plus" else "people"


def promised_goals(analysis: Analysis) -> tuple[Goal, ...]:
    """Return what stands in a text someone read: the plan's own promises first."""
    return tuple(goal_of(analysis, name) for name in promised_rules(analysis.district, analysis))


def tally_of(goals: tuple[Goal, ...]) -> Tally:
    """Count which goals are met, which are not, and of which that cannot be said."""
    states = [goal.state for goal in goals]
    whole, short = states.count("whole"), states.count("short")
    return Tally(len(states), whole, short, len(states) - whole - short)


# --- community by community ------------------------------------------------------------------------------------------


def parts_of(analysis: Analysis, goal: Goal, group: str = "community") -> tuple[Part, ...]:
    """
    Return how the communities (areas, zones) stand to a goal, those first that miss most people.

    Homes that are in none of them are a part of their own, the last, so that who is missed adds up to the whole.
    """
    district, table = analysis.district, analysis.by.get(group)
    if table is None or LAYER_OF[group] not in district.layers:
        return ()
    names = district.layers[LAYER_OF[group]]["name"]
    own, of = table.xs(goal.rule, level="rule"), counted_in(district.rule(goal.rule))
    missed = own[of] - own[f"{of}_served"]
    inside = missed[missed.index.isin(names.index)].sort_values(ascending=False, kind="stable")
    called, shares = names.to_dict(), own["share"].to_dict()
    parts = [_part(goal, str(code), str(called[code] or ""), shares[code], lost) for code, lost in inside.items()]
    nowhere = own.index.isna()
    if nowhere.any() and missed[nowhere].iloc[0] > SHARE_TOLERANCE:
        parts.append(_part(goal, "", say("（不在任何一个里）"), own["share"][nowhere].iloc[0], missed[nowhere].iloc[0]))
    return tuple(part for part in parts if part.share.known)


def _part(goal: Goal, code: str, name: str, served: float, missed: float) -> Part:
    about = f"{goal.rule}/{code}"
    lost = people("missed", about, float(missed), goal.unserved.of)
    return Part(code, name, share("share", about, float(served), goal.share.of), lost)


def by_zone(analysis: Analysis, goal: Goal) -> tuple[Figure, ...]:
    """Return a goal's share in each zone, in the order of the zones."""
    table, zones = analysis.by.get("zone"), analysis.district.zones
    codes = [] if table is None or zones is None else zones.index
    found = {} if table is None else table["share"].to_dict()
    return tuple(
        share("share", f"{goal.rule}/{code}", float(found.get((code, goal.rule), np.nan)), goal.share.of)
        for code in codes
    )


def short_of(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """Return the parts in which somebody, or something, is missing."""
    return tuple(part for part in parts if not part.whole)


def lacking_communities(analysis: Analysis, goals: tuple[Goal, ...]) -> tuple[Lacking, ...]:
    """Return the communities that have none of something promised to every community, those first where most people live."""
    district, found = analysis.district, dict[str, list[str]]()
    for goal in goals:
        if goal.metric == "presence" and goal.state == "short":
            for part in parts_of(analysis, goal):
                if part.code and not part.whole:
                    found.setdefault(part.code, []).append(goal.label)
    if district.communities is None or district.homes is None:
        return ()
    living = district.homes["people"].groupby(district.groups["community"].reindex(district.homes.index))
    lives, names = living.sum(min_count=1), district.communities["name"]
    rows = [
        Lacking(code, str(names[code]), tuple(lacks), people("people", code, float(lives.get(code, np.nan))))
        for code, lacks in found.items()
    ]
    return tuple(sorted(rows, key=lambda row: (-np.nan_to_num(row.living.value, nan=-1.0), row.code)))


# --- home by home ----------------------------------------------------------------------------------------------------


def gaps_of(analysis: Analysis) -> tuple[Gap, ...]:
    """Return the homes that miss something promised, in the order of `maps.worst_gaps`."""
    worst = worst_gaps(analysis.district, analysis, analysis.lang)
    if worst is None:
        return ()
    return tuple(
        Gap(
            home=str(row.Index),
            name=row.name_ if isinstance(row.name_, str) else str(row.Index),
            rule=str(row.rule),
            label=str(row.lacks),
            walked=bool(row.walked),
            unserved=people("unserved", f"{row.rule}/{row.Index}", float(row.unserved), str(row.counted)),
            reason=str(row.reason),
            why=str(row.why),
            others=tuple(row.others),
            minutes=float(row.minutes),
        )
        for row in pd.DataFrame(worst).rename(columns={"name": "name_"}).itertuples()
    )
