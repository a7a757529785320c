"""
How a promise is measured: metrics, few and general, each bound by its name in `measures.csv`.

A metric is given a district and one row of that table, and returns what it found (`Found`): the value, what it counted in
words, the rows of which layers it touched, the gap and what would close it. What it cannot do without it names (`Lacks`).
The metrics stand in `places`, `homes`, `shapes` and `figures`, what they share in `base`. Verdicts are none of their
business: see `ledger`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ...district import District
from . import figures, homes, places, shapes
from .base import Found, Measure, require_layers

#: Per metric: its name in words, and its formula in words.
FORMULAS: Mapping[str, tuple[str, str]] = {
    "communities_with": ("有设施的社区", "界内有 1 处以上开放设施的社区数（按社区去重）÷ 社区总数"),
    "communities_without": ("缺设施的社区", "社区总数 − 界内有 1 处以上开放设施的社区数"),
    "coverage": ("可达份额", "Σ（小区的分母 × 小区内在限值以内的居住点份额）÷ Σ 小区的分母"),
    "completeness": ("配套齐全度", "Σ（小区的分母 × 限时内走得到的类别数 ÷ 类别总数）÷ Σ 小区的分母"),
    "count": ("个数", "范围内开放设施（或图层要素）的个数"),
    "kinds_present": ("有的类别数", "范围内有 1 处以上开放设施的类别数"),
    "area": ("面积", "范围内图层要素的面积之和（投影坐标系，重叠只计一次）"),
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


#: Every metric by its name.
METRICS: Mapping[str, Callable[[District, Measure], Found]] = {
    **places.METRICS,
    **homes.METRICS,
    **shapes.METRICS,
    **figures.METRICS,
}
