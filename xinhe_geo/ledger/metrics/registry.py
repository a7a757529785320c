"""
How a promise is measured: metrics, few and general, each bound by its name in `measures.csv`.

A metric is given a district and one row of that table, and returns what it found (`Found`): the value, what it counted in
words, the rows of which layers it touched, the gap and what would close it. What it cannot do without it names (`Lacks`).
The metrics stand in `places`, `homes`, `shapes` and `figures`, what they share in `base`. Verdicts are none of their
business: see `ledger`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ...core import XinheError, say
from ...district import District, cell
from . import figures, homes, places, shapes
from .base import Found, Lacks, Measure, number_text, once, require_layers, short_of

#: Per metric: its name in words, and its formula in words.
FORMULAS: Mapping[str, tuple[str, str]] = {
    "communities_with": (
        "有设施的社区",
        "有 1 处以上开放设施的社区数（按社区去重；先按台账写的服务社区，没有填的按落点）÷ 社区总数",
    ),
    "communities_without": (
        "缺设施的社区",
        "社区总数 − 有 1 处以上开放设施的社区数（先按台账写的服务社区，没有填的按落点）",
    ),
    "coverage": ("可达份额", "Σ（小区的分母 × 小区内在限值以内的居住点份额）÷ Σ 小区的分母"),
    "completeness": ("配套齐全度", "Σ（小区的分母 × 限时内走得到的类别数 ÷ 类别总数）÷ Σ 小区的分母"),
    "count": ("个数", "范围内开放设施（或图层要素）的个数"),
    "kinds_present": ("有的类别数", "范围内有 1 处以上开放设施（或限时内步行到得了）的类别数"),
    "area": ("面积", "范围内图层要素的面积之和（投影坐标系，重叠只计一次），或填报的面积之和"),
    "topology": ("图形关系", "两个图层的面在投影坐标系里求交、求差后的面积之比"),
    "near": ("两类相邻", "沿街步行距离在限值以内有邻近类别的设施数 ÷ 设施总数"),
    "along": ("沿线", "线的限距以内的设施数，或有绿带的线长 ÷ 线长，或相邻可步行穿越点的最大间距"),
    "in_gap": ("落在缺口里", "最近的小区缺至少一类设施的地点数 ÷ 地点总数"),
    "difference": ("两组之差", "第一组的加权平均 − 第二组的加权平均（百分点）"),
    "gini": ("基尼系数", "Σi Σj pi·pj·|ai − aj| ÷ (2·ā)，p 为人口份额，a 为小区的可达水平"),
    "theil": ("泰尔指数", "Σ pi·(ai ÷ ā)·ln(ai ÷ ā)，并分成组间与组内两部分"),
    "per_thousand": ("人均规模", "Σ 规模 ÷ 人口 × 每多少人"),
    "capacity": (
        "够得着且够用",
        "Rj = Sj ÷ Σk Pk·w(tkj)，Ai = Σj Rj·w(tij)；Σ Pi·min(1, Ai × 每多少人 ÷ 应有数) ÷ Σ Pi，w 按距离衰减表",
    ),
    "per_communities": ("按社区数配置", "应有 = 社区数 ÷ 每处服务的社区数，向上取整；缺口 = 应有 − 现有"),
    "attribute": ("设施属性", "范围内开放设施的属性值，与数比较"),
    "mix": ("用地混合熵", "−Σ p·ln p ÷ ln K，p 为各类用地的面积份额，K 为全图的类数"),
    "named": ("点名的在不在", "原文点名的设施或图形里，范围内有且开放的个数"),
    "ratio": ("两类规模之比", "一类设施的规模之和 ÷ 另一类的规模之和"),
    "change": ("变化", "同一条量法现在的数 − 基期的数；或方案做成后的数 − 做之前的数（两组之差取绝对值）"),
    "best_use": ("建什么新增最多", "Σ 走得到地块、还走不到这一类的居民，逐类逐地块比较，取最大"),
    "series": ("台账指标", "逐年填报的数：取最近一年，或累计相加，与目标年的数比较"),
    "missing": ("现有数据量不出", "—"),
}


COLUMNS_OF: Mapping[str, tuple[str, ...]] = {
    "communities_with": ("kinds",),
    "communities_without": ("kinds",),
    "coverage": ("rule",),
    "completeness": ("kinds", "minutes"),
    "kinds_present": ("kinds",),
    "area": ("layer",),
    "topology": ("layer", "other_layer", "relation"),
    "near": ("kinds", "near_kinds", "metres"),
    "along": ("relation", "lines", "codes"),
    "in_gap": ("layer", "kinds", "minutes"),
    "difference": ("group", "codes"),
    "per_thousand": ("kinds", "field", "per"),
    "capacity": ("kinds", "field", "per", "norm", "decay"),
    "per_communities": ("kinds", "low", "high"),
    "attribute": ("kinds", "field"),
    "mix": ("layer", "field"),
    "named": ("named",),
    "ratio": ("kinds", "near_kinds", "field"),
    "change": ("of",),
    "best_use": ("kinds", "minutes", "codes"),
    "series": ("series",),
    "missing": ("lacks",),
}


#: Metrics that some of is better than none of.
IN_PARTS = (
    "communities_with",
    "coverage",
    "completeness",
    "capacity",
    "count",
    "kinds_present",
    "near",
    "along",
    "area",
    "named",
)


def evaluate(district: District, m: Measure) -> Found:
    """
    Measure one row of `measures.csv`.

    Raises
    ------
    Lacks
        A layer, a kind's survey or a column it cannot do without.
    """
    require_layers(district, m)
    return METRICS[str(m["metric"])](district, m)


def _change(district: District, m: Measure) -> Found:
    """How another row has changed since a year, or would be changed by a plan; of a difference its size."""
    of = m["changed"]
    before, after, names = _states(district, m)
    found = [evaluate(state, of) for state in (before, after)]
    values = [abs(one.value) if of["metric"] == "difference" else one.value for one in found]
    if not all(np.isfinite(values)):
        raise Lacks(say("{0}的数不全，算不出变化", cell(of, "label")))
    value, unit = values[1] - values[0], str(of["unit"])
    said = say(
        "{0}：{1} {2}，{3} {4}",
        cell(of, "label"),
        names[0],
        number_text(values[0], unit),
        names[1],
        number_text(values[1], unit),
    )
    touched = {**found[0].touched, **found[1].touched}
    return Found(value, said, touched, short_of(m, value), note=found[1].note)


def _states(district: District, m: Measure) -> tuple[District, District, tuple[str, str]]:
    """Return the two states that a row of metric change compares, and what they are called."""
    if not m["scenario"]:
        if not np.isfinite(m["since"]) or m["since"] >= district.year:
            raise Lacks(
                say(
                    "{0} 年以后的数据（数据年份是 {1}）",
                    say("基期") if np.isnan(m["since"]) else f"{m['since']:.0f}",
                    district.year,
                )
            )
        year = int(m["since"])
        return district.at(year), district, (say("{0} 年", year), say("{0} 年", district.year))
    try:
        plan = district.scenario(str(m["scenario"]))
        after = once(district, ("plan", m["scenario"]), lambda: plan.on(district))
    except XinheError as error:
        raise Lacks(say("缺方案 {0}（scenarios/{0}.toml）：{1}", m["scenario"], str(error).split("\n")[0])) from error
    before = district.at(after.year, planned=district.with_planned)
    return before, after, (say("{0} 年现状", before.year), plan.label or plan.name)


#: Every metric by its name.
METRICS: Mapping[str, Callable[[District, Measure], Found]] = {
    **places.METRICS,
    **homes.METRICS,
    **shapes.METRICS,
    **figures.METRICS,
    "change": _change,
}
