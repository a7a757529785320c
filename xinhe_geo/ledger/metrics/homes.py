"""Metrics of homes: who is served, by how much, how unequally, and whether there is enough."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import ArrayLike

from ...access import (
    COUNT,
    SHARE_TOLERANCE,
    TOLERANCE_MIN,
    Need,
    PointsOfHomes,
    decay_of,
    home_points,
    least_minutes,
    limit_metres,
    od_tables,
    points_of_homes,
    share_within,
    sizes,
    within_capacity,
)
from ...core import METHOD_LABELS, METHODS, TOLERANCE_M, Rule, amount, language, layer_name, listed, say, word
from ...district import District, column_name, walker_name
from .base import (
    NAMED_AT_MOST,
    SCOPE_LAYERS,
    UNITS,
    WALKED,
    WEIGHTS,
    Found,
    Lacks,
    Measure,
    Metric,
    Short,
    Terms,
    bases_text,
    classes_of,
    facilities_of,
    having,
    homes_in,
    in_words,
    kind_names,
    kinds_of,
    metric,
    number_text,
    once,
    open_places,
    parts,
    pick,
    planned_places,
    planned_text,
    require_layers,
    require_survey,
    scope_text,
    short_of,
    surveyed,
    target_of,
    touch,
    unsurveyed,
    walk,
    weight_of,
    whole_text,
)


@metric(
    "per_thousand",
    Metric(
        "人均规模",
        "Σ 规模 ÷ 人口 × 每多少人",
        layers=("homes", "facilities"),
        columns=("kinds", "field", "per"),
        sized=True,
        declared=True,
    ),
)
def _per_thousand(district: District, m: Measure) -> Found:
    """Capacity (or number) of some kinds per so many people of the scope."""
    kinds, field, weight = kinds_of(m), str(m["field"]), str(m["weight"] or "people")
    homes, touched = homes_in(district, m)
    people = weight_of(homes, weight)
    places, more = open_places(district, m, kinds)
    touched |= more
    offered = _sizes(places, field, kinds, district)
    total, base = float(offered.sum()), float(people.sum())
    value = total / base * m["per"]
    size = "" if field == "count" else say("共 {0}", number_text(total, ""))
    said = say("{0} 处{1}，{2} {3}", len(places), size, say(WEIGHTS[weight][0]), number_text(base, ""))
    short = target_of(m) * base / m["per"] - total
    gap = (
        say("按 {0:g} 计还差 {1:,}", target_of(m), math.ceil(short - 1e-09))
        if m["operator"] == ">=" and short > 1e-9
        else ""
    )
    terms = Terms("per", pd.concat([parts(places["name"], offered, 0.0), parts(homes["name"], 0.0, people)]), m["per"])
    return Found(value, said, touched, gap, planned_text(planned_places(district, kinds)) if gap else "", terms=terms)


@metric(
    "ratio",
    Metric(
        "两类规模之比",
        "一类设施的规模之和 ÷ 另一类的规模之和",
        layers=("facilities",),
        columns=("kinds", "near_kinds", "field"),
        sized=True,
        declared=True,
    ),
)
def _ratio(district: District, m: Measure) -> Found:
    """How much some kinds offer against how much others offer, both in the scope."""
    field, sides = str(m["field"]), (kinds_of(m), listed(m["near_kinds"]))
    totals: list[float] = []
    rows: list[pd.DataFrame] = []
    touched: dict[str, gpd.GeoDataFrame] = {}
    for kinds in sides:
        places, more = open_places(district, m, kinds)
        offered = _sizes(places, field, kinds, district)
        totals.append(float(offered.sum()))
        rows.append(parts(places["name"], 0.0, offered) if rows else parts(places["name"], offered, 0.0))
        facilities = pd.concat(
            [basis for basis in (touched.get("facilities"), more["facilities"]) if basis is not None]
        )
        touched = {**touched, **more, "facilities": facilities}
    if not totals[1] > 0:
        raise Lacks(say("{0}里没有{1}，无从相比", scope_text(district, m), kind_names(district, sides[1], "或")))
    names = [kind_names(district, kinds, "或") for kinds in sides]
    said = say("{0} {1}，{2} {3}", names[0], number_text(totals[0], ""), names[1], number_text(totals[1], ""))
    times = 100.0 if m["unit"] == "%" else 1.0
    value = totals[0] / totals[1] * times
    return Found(value, said, touched, short_of(m, value), terms=Terms("per", pd.concat(rows), times))


def _sizes(places: pd.DataFrame, field: str, kinds: Sequence[str], district: District) -> pd.Series:
    """Return how much each place offers; a place without a size, or sizes in different units, is 数据不足."""
    what, label = (
        kind_names(district, kinds, "或"),
        say("个数") if field == COUNT else column_name("facilities", field),
    )
    try:
        offered = sizes(places, field)
    except ValueError as error:
        raise Lacks(say("{0}的{1}，不能相加（facilities 的 capacity_unit 列）", what, word(str(error)))) from error
    if offered.isna().any():
        blank = int(offered.isna().sum())
        raise Lacks(
            say("缺{0}的{1}（facilities 的 {2} 列，{3} 处中 {4} 处没有填）", what, label, field, len(offered), blank)
        )
    return offered


@metric(
    "capacity",
    Metric(
        "够得着且够用",
        "Rj = Sj ÷ Σk Pk·w(tkj)，Ai = Σj Rj·w(tij)；Σ Pi·min(1, Ai × 每多少人 ÷ 应有数) ÷ Σ Pi，w 按距离衰减表",
        layers=WALKED,
        columns=("kinds", "field", "per", "norm", "decay"),
        sized=True,
        in_parts=True,
        whole_district=True,
        declared=True,
    ),
)
def _capacity(district: District, m: Measure) -> Found:
    """Share of people with a place in reach and room in it; supply is shared out among all who can walk to it."""
    kinds, weight, per = kinds_of(m), str(m["weight"] or "people"), float(m["per"])
    require_survey(district, kinds)
    homes, touched = homes_in(district, m)
    demand = weight_of(homes, weight)
    everywhere = district.open_facilities
    assert everywhere is not None  # the layer was asked for before
    _sizes(everywhere[everywhere["kind"].isin(kinds).to_numpy()], str(m["field"]), kinds, district)
    rows = shared_out(district, m).reindex(homes.index)
    touched |= {**walk(district), **facilities_of(district, kinds)}
    total = float(rows["demand"].sum())
    reach, served = float(rows["within"].sum()), float(rows["served"].sum())
    unit, walker = say(WEIGHTS[weight][1]), district.profile(m["profile"] or first_profile(district))
    limit = decay_of(district, str(m["decay"])).index[-1]
    said = say(
        "按{0}的速度 {1:g} 分钟内有的 {2:.1%}，有且够用的 {3:.1%}（应有每 {4:g} 人 {5:g}；分到的合每 {6:g} 人 {7}）",
        walker_name(district, walker),
        limit,
        reach / total,
        served / total,
        per,
        m["norm"],
        per,
        number_text(float(rows["supply"].sum()) / total * per, ""),
    )
    short = float(rows["short"].sum())
    missed = (rows["demand"] - rows["served"]).dropna()
    where = _missed(homes, missed, weight, say("服务范围外或不够用"))
    gap = say("{0}；按应有数还差 {1}", where, number_text(round(short, 2), "")) if where else ""
    unknown = int(demand.isna().sum())
    note = say("{0} 处小区的{1}不详、未计入", unknown, say(WEIGHTS[weight][0])) if unknown else ""
    planned = planned_text(planned_places(district, kinds)) if gap else ""
    fix = say("在缺口最大的小区附近增设{0}，或扩大现有的规模", kind_names(district, kinds, "或")) if gap else ""
    return Found(
        served / total * 100,
        said.replace(" 人 ", f" {unit} ") if unit != "人" else said,
        touched,
        gap,
        say("；").join(part for part in (fix, planned) if part),
        note=note,
        short=_short(district, missed, weight),
        terms=Terms("per", parts(homes["name"], rows["served"], rows["demand"])[rows["demand"].notna()], 100.0),
    )


def shared_out(district: District, m: Measure) -> pd.DataFrame:
    """Return what `within_capacity` finds for a row of metric capacity: index home."""
    key = ("capacity", *(m[c] for c in ("kinds", "norm", "per", "decay", "field", "profile", "weight")))

    def make() -> pd.DataFrame:
        need = Need(float(m["norm"]), float(m["per"]), str(m["decay"]), str(m["field"]), str(m["weight"] or "people"))
        return within_capacity(district, kinds_of(m), need, profile=m["profile"] or first_profile(district))

    return once(district, key, make)


def _points_within(district: District, rule: Rule, method: str) -> np.ndarray:
    """Return which of `home_points` get to any of the rule's kinds within its limit, in their order."""
    tables = od_tables(district, rule.kinds, profile=rule.profile).values()
    column = {"walk_min": "minutes", "network_m": "metres"}.get(method, "straight_metres")
    limit = rule.minutes + TOLERANCE_MIN if method == "walk_min" else rule.metres + TOLERANCE_M
    return np.logical_or.reduce([table[column].to_numpy() <= limit for table in tables])


def _served(district: District, rules: Sequence[Rule], method: str = "") -> pd.Series:
    """Return the share (0-1) of each home that meets all rules, by their own methods or by one method; index home."""

    def make() -> pd.Series:
        within = [_points_within(district, rule, method or rule.method) for rule in rules]
        return _share_of_points(district, np.logical_and.reduce(within).astype(float))

    return once(district, ("served", tuple(rules), method), make)


def _otherwise(district: District, rules: Sequence[Rule], method: str) -> pd.Series:
    """Return what a method finds at the limit in metres that each rule has by its own: what differs is then the method, and nothing else."""
    same = []
    for rule in rules:
        metres = limit_metres(district, rule)
        minutes = metres / district.profile(rule.profile).speed_m_s / 60.0
        same.append(rule if rule.method == method else replace(rule, metres=metres, minutes=minutes))
    return _served(district, same, method)


def _points_by_home(district: District) -> PointsOfHomes:
    return once(district, "points by home", lambda: points_of_homes(home_points(district)), ("homes",))


def _share_of_points(district: District, values: np.ndarray) -> pd.Series:
    """Return the weighted sum of a value of each of `home_points`, by home."""
    homes = _points_by_home(district)
    return pd.Series(share_within(homes, values), index=homes.names)


def _mean(values: ArrayLike, weights: pd.Series) -> float:
    """Return the mean of what is known of both; rows in the same order."""
    value, weight = np.asarray(values, dtype=np.float64), weights.to_numpy(np.float64)
    both = ~(np.isnan(value) | np.isnan(weight))
    return float((value[both] * weight[both]).sum() / weight[both].sum())


@metric(
    "coverage",
    Metric(
        "可达份额",
        "Σ（小区的分母 × 小区内在限值以内的居住点份额）÷ Σ 小区的分母",
        layers=WALKED,
        columns=("rule",),
        in_parts=True,
        whole_district=True,
        declared=True,
    ),
)
def _coverage(district: District, m: Measure) -> Found:
    """Share of people (or land, homes) within the limit of a rule, or of several at once, by the rule's own method."""
    rules = [district.rule(name) for name in (m["rule"], *listed(m["also_rules"]))]
    for rule in rules:
        require_survey(district, rule.kinds)
    homes, touched = homes_in(district, m)
    first = "people" if rules[0].denominator == "community" else rules[0].denominator
    weight = str(m["weight"] or first)
    weights = weight_of(homes, weight)
    served = _served(district, rules).reindex(homes.index)
    others = [_mean(_otherwise(district, rules, method).reindex(homes.index), weights) * 100 for method in METHODS]
    kinds = list(dict.fromkeys(k for rule in rules for k in rule.kinds))
    touched |= {**walk(district), **facilities_of(district, kinds)}
    value = _mean(served, weights) * 100
    limit = say("、").join(dict.fromkeys(_limit(district, rule) for rule in rules))
    said = say(
        "{0}可达{1}的份额，共 {2}",
        limit,
        say(WEIGHTS[weight][0]),
        number_text(float(weights.sum()), say(WEIGHTS[weight][1])),
    )
    unknown = int(weights.isna().sum())
    note = say("{0} 处小区的{1}不详、未计入", unknown, say(WEIGHTS[weight][0])) if unknown else ""
    lost = weights.to_numpy() * (1.0 - served.to_numpy())
    missed = pd.Series(lost[~np.isnan(lost)], homes.index[~np.isnan(lost)])
    gap = _missed(homes, missed, weight)
    fix = (
        say("在缺口最大的小区附近增设{0}，或增开出入口；候选位置用选址计算", kind_names(district, kinds, "或"))
        if gap
        else ""
    )
    short = _short(district, missed, weight)
    return Found(value, said, touched, gap, fix, min(others), max(others), note=note, short=short)


def by_home(district: District, m: Measure, method: str = "") -> tuple[pd.Series, pd.Series, str]:
    """
    Return the share (0-1) of each home of a row's scope, what each counts, and the unit of that in words, found once; index home.

    For the metrics that are means over homes: coverage (by another `method` where one is named), completeness, capacity.

    Raises
    ------
    Lacks
        What the row cannot do without.
    """
    return once(district, ("by home", m["measure"], method, language()), lambda: _by_home(district, m, method))


def _by_home(district: District, m: Measure, method: str) -> tuple[pd.Series, pd.Series, str]:
    require_layers(district, m)
    homes, _ = homes_in(district, m)
    weight = str(m["weight"] or "people")
    if m["metric"] == "capacity":
        rows = shared_out(district, m).reindex(homes.index)
        return rows["served"] / rows["demand"].where(rows["demand"] > 0), rows["demand"], say(WEIGHTS[weight][1])
    if m["metric"] == "coverage" and not m["weight"]:
        asked = district.rule(m["rule"]).denominator
        weight = "people" if asked == "community" else asked
    if method:
        rules = [district.rule(name) for name in (m["rule"], *listed(m["also_rules"]))]
        level = _otherwise(district, rules, method)
    else:
        level, _, _ = _level(district, m)
    return level.reindex(homes.index), weight_of(homes, weight), say(WEIGHTS[weight][1])


def _limit(district: District, rule: Rule) -> str:
    if rule.method == "walk_min":
        return say("按{0}的速度 {1:g} 分钟", walker_name(district, district.profile(rule.profile)), rule.minutes)
    return say("{0} {1:g} 米", say(METHOD_LABELS[rule.method]), rule.metres)


def _short(district: District, missed: pd.Series, weight: str) -> Short | None:
    """Return how many are not served; nothing where all are."""
    if float(missed.sum()) <= SHARE_TOLERANCE:
        return None
    basis, some = district.basis("homes"), missed.index[missed.to_numpy() > SHARE_TOLERANCE]
    own = basis.to_numpy()[basis.index.get_indexer(some)]
    return Short(float(missed.sum()), weight, bases_text(own.tolist()))


def _missed(homes: gpd.GeoDataFrame, missed: pd.Series, weight: str, lot: str = "") -> str:
    """Say how many are not served (`lot`, by default that they have no way), and where most of them are."""
    total = float(missed.sum())
    if total <= SHARE_TOLERANCE:
        return ""
    number = missed.to_numpy()
    most = np.flatnonzero(number > SHARE_TOLERANCE)
    most = most[np.argsort(-number[most], kind="stable")]
    first, keys = number[most[:NAMED_AT_MOST]].tolist(), missed.index.to_numpy(object)[most].tolist()
    names = homes["name"].to_numpy(object)[homes.index.get_indexer(keys[:NAMED_AT_MOST])].tolist()
    unit = say(WEIGHTS[weight][1])
    of_one = say(UNITS[weight])
    # those that are not named are counted
    words = [
        f"{name if isinstance(name, str) else key}" + ("" if weight == "homes" else f" {amount(v)} {of_one}")
        for key, name, v in zip(keys, names, first, strict=False)
    ]
    told = number_text(round(total, 1), unit) if weight == "homes" else whole_text(total, unit)
    said = (told, lot or say("不可达"), len(most), in_words([*words, *keys[NAMED_AT_MOST:]]))
    if weight == "homes" and total != len(most):  # parts of homes: more homes are named than add up
        return say("折合 {0}{1}，涉及 {2} 个小区：{3}", *said)
    return say("{0}{1}，在 {2} 个小区：{3}", *said)


def _reached(district: District, kinds: Sequence[str], minutes: float, profile: str) -> dict[str, np.ndarray]:
    """Return, per kind, whether a walk of so many minutes gets there from each of `home_points`."""

    def make() -> dict[str, np.ndarray]:
        least = least_minutes(district, kinds, profile=profile)
        return {kind: walks <= minutes + TOLERANCE_MIN for kind, walks in least.items()}

    return once(district, ("reached", tuple(kinds), minutes, profile), make)


def _level(district: District, m: Measure) -> tuple[pd.Series, list[str], pd.DataFrame]:
    """Return how well each home is served (0-1), by a rule or by the share of kinds within a walk; kinds; per point."""
    if m["rule"]:
        rules = [district.rule(name) for name in (m["rule"], *listed(m["also_rules"]))]
        for rule in rules:
            require_survey(district, rule.kinds)
        kinds = list(dict.fromkeys(k for rule in rules for k in rule.kinds))
        return _served(district, rules), kinds, pd.DataFrame()
    has = _has_classes(district, m)
    values = (np.all if m["combine"] == "all" else np.mean)(has.to_numpy(bool), axis=1)
    return _share_of_points(district, values.astype(float)), surveyed(district, kinds_of(m)), has


def _has_classes(district: District, m: Measure) -> pd.DataFrame:
    """
    Return, per point, whether a walk gets to each class of kinds of a row; one of the kinds of a class is enough.

    A class is left out where one of its kinds was not surveyed: not to get to the others says nothing of that one.
    """
    key = ("classes", m["kinds"], m["minutes"], m["profile"], m["combine"], language())
    return once(district, key, lambda: _classes_reached(district, m))


def _classes_reached(district: District, m: Measure) -> pd.DataFrame:
    asked = kinds_of(m)
    require_survey(district, asked, every=m["combine"] == "all", one_by_one=True)
    known = set(surveyed(district, asked))
    classes = [one for one in classes_of(m) if known.issuperset(one)]
    if not classes:
        require_survey(district, [k for k in asked if k not in known], one_by_one=True)
    kinds = list(dict.fromkeys(kind for one in classes for kind in one))
    has = _reached(district, kinds, m["minutes"], m["profile"] or first_profile(district))
    reached = {kind_names(district, one, "或"): np.any([has[kind] for kind in one], axis=0) for one in classes}
    points = home_points(district).index
    each = np.array(list(reached.values()), bool).reshape(len(reached), len(points))
    return pd.DataFrame(each.T, points, list(reached))


def first_profile(district: District) -> str:
    """Return the walker that stands first in `profiles.csv`: who walks where a row does not say."""
    return str(district.profiles.index[0])


@metric(
    "completeness",
    Metric(
        "配套齐全度",
        "Σ（小区的分母 × 限时内走得到的类别数 ÷ 类别总数）÷ Σ 小区的分母",
        layers=WALKED,
        columns=("kinds", "minutes"),
        rule_or_kinds=True,
        in_classes=True,
        in_parts=True,
        whole_district=True,
        declared=True,
    ),
)
def _completeness(district: District, m: Measure) -> Found:
    """Mean share of kinds within a walk (or the share that has them all), over the homes of the scope."""
    level, kinds, has = _level(district, m)
    homes, touched = homes_in(district, m)
    weight = str(m["weight"] or "people")
    weights = weight_of(homes, weight)
    touched |= {**walk(district), **facilities_of(district, kinds)}
    value = _mean(level.reindex(homes.index), weights) * 100
    points = _points_by_home(district)
    shares = share_within(points, has.to_numpy(float).T)[:, points.names.get_indexer(homes.index)] if len(has) else ()
    per_kind = {kind: _mean(share, weights) for kind, share in zip(has, shares, strict=True)}
    lacking = sorted((share, k) for k, share in per_kind.items() if share < 1 - SHARE_TOLERANCE)
    gap = (
        say("最缺：") + in_words(say("{0}（可达 {1:.0%}）", name, share) for share, name in lacking) if lacking else ""
    )
    walker = district.profile(m["profile"] or first_profile(district))
    what = say("各类齐全的份额") if m["combine"] == "all" else say("平均齐全度")
    said = say(
        "按{0}的速度 {1:g} 分钟，{2} 类，按{3}加权的{4}",
        walker_name(district, walker),
        m["minutes"],
        len(has.columns) or len(kinds),
        say(WEIGHTS[weight][0]),
        what,
    )
    fix = say("先补{0}：可达份额最低", lacking[0][1]) if lacking else ""
    note = unsurveyed(district, kinds_of(m))
    if m["group"]:
        layer = SCOPE_LAYERS[str(m["group"])]
        each = mean_by_group(district, m, level.reindex(homes.index), weights)
        names = district.layers[layer]["name"]
        told = in_words(say("{0} {1:.0f}%", names.get(code, code), mean) for code, mean in each.items())
        value, touched = float(each.iloc[0]), {**touched, **touch(district, layer, each.index)}
        said += say("；{0} {1} 处，由低到高：{2}", layer_name(layer), len(each), told)
    return Found(value, said, touched, gap, fix, note=note)


def mean_by_group(district: District, m: Measure, level: pd.Series, weights: pd.Series) -> pd.Series:
    """Return the weighted mean (in per cent) of each group that has homes, the lowest first."""
    groups = district.groups[str(m["group"])].reindex(level.index)
    values, counts = level.to_numpy(np.float64), weights.to_numpy(np.float64)
    known = np.flatnonzero((values * counts == values * counts) & (counts > 0) & groups.notna().to_numpy())
    if not len(known):
        raise Lacks(say("{0}里没有小区", layer_name(SCOPE_LAYERS[str(m["group"])])))
    own = pd.DataFrame({"part": (values * counts)[known], "whole": counts[known]})
    own = own.groupby(groups.to_numpy(object)[known]).sum()
    return (own["part"] / own["whole"] * 100).sort_values(kind="stable")


@metric(
    "difference",
    Metric(
        "两组之差",
        "第一组的加权平均 − 第二组的加权平均（百分点）",
        layers=WALKED,
        columns=("group", "codes"),
        rule_or_kinds=True,
        in_classes=True,
        whole_district=True,
        declared=True,
    ),
)
def _difference(district: District, m: Measure) -> Found:
    """Weighted mean of the first group less that of the second, in percentage points."""
    level, kinds, _ = _level(district, m)
    homes = district.layers["homes"]
    layer = SCOPE_LAYERS[str(m["group"])]
    groups = district.groups[str(m["group"])].reindex(homes.index)
    rows = pick(district, layer, m["codes"])
    weight = str(m["weight"] or "people")
    weights = weight_of(homes, weight)
    means, names = [], []
    for code in listed(m["codes"])[:2]:
        one = pick(district, layer, code)
        own = groups.isin(one.index)
        if not weights[own].sum() > 0:
            raise Lacks(say("缺{0}：{1}里没有", say(WEIGHTS[weight][0]), one["name"].iloc[0]))
        means.append(_mean(level.reindex(homes.index)[own], weights[own]) * 100)
        names.append(str(one["name"].iloc[0]))
    counted = homes.index[groups.isin(rows.index)]
    touched = {**touch(district, "homes", counted), **touch(district, layer, rows.index)}
    touched |= {**walk(district), **facilities_of(district, kinds)}
    value = means[0] - means[1]
    said = say("{0} {1:.1f} %，{2} {3:.1f} %", names[0], means[0], names[1], means[1])
    worse = names[0] if value < 0 else names[1]
    gap = say("{0}低 {1:.1f} 个百分点", worse, abs(value)) if abs(value) > 0.05 else ""
    return Found(
        value, said, touched, gap, say("先补{0}的缺项", worse) if gap else "", note=unsurveyed(district, kinds_of(m))
    )


@metric(
    "gini",
    Metric(
        "基尼系数",
        "Σi Σj pi·pj·|ai − aj| ÷ (2·ā)，p 为人口份额，a 为小区的可达水平",
        layers=WALKED,
        rule_or_kinds=True,
        in_classes=True,
        whole_district=True,
        declared=True,
    ),
)
@metric(
    "theil",
    Metric(
        "泰尔指数",
        "Σ pi·(ai ÷ ā)·ln(ai ÷ ā)，并分成组间与组内两部分",
        layers=WALKED,
        rule_or_kinds=True,
        in_classes=True,
        whole_district=True,
        declared=True,
    ),
)
def _inequality(district: District, m: Measure) -> Found:
    """Gini or Theil of how well homes are served, people-weighted; Theil split between and within groups."""
    level, kinds, _ = _level(district, m)
    homes, touched = homes_in(district, m)
    weight = str(m["weight"] or "people")
    weights = weight_of(homes, weight)
    values = level.reindex(homes.index)
    known = weights.notna() & (weights > 0)
    values, weights = values[known], weights[known]
    touched |= {**walk(district), **facilities_of(district, kinds)}
    said = say("按{0}加权，{1} 个小区；0 为人人一样", say(WEIGHTS[weight][0]), len(values))
    note = unsurveyed(district, kinds_of(m))
    share = _gini_parts if m["metric"] == "gini" else _theil_parts
    each = share(values.to_numpy(dtype=float), weights.to_numpy(dtype=float))
    terms = Terms("sum", parts(homes["name"][known], each))
    if m["metric"] == "gini":
        return Found(gini(values, weights), said, touched, note=note, terms=terms)
    groups = None
    if m["group"]:
        groups = district.groups[str(m["group"])].reindex(values.index).fillna("")
        touched |= touch(district, SCOPE_LAYERS[str(m["group"])])
    index = theil(values, weights, groups)
    split = say("，其中组间 {0:.4f}，组内 {1:.4f}", index["between"], index["within"]) if groups is not None else ""
    return Found(float(index["total"]), said + split, touched, note=note, terms=terms)


def gini(values: pd.Series, weights: pd.Series) -> float:
    """
    Return the weighted Gini coefficient: half the mean absolute difference over the mean.

    ``G = sum_ij p_i p_j |a_i - a_j| / (2 mean)`` with population shares `p`; 0 where all are alike; missing where the mean is 0.
    With equal weights it is ``inequality.gini.Gini``.
    """
    return float(_gini_parts(np.asarray(values, dtype=float), np.asarray(weights, dtype=float)).sum())


def _gini_parts(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return what each adds to the Gini coefficient; missing where the mean is 0."""
    order = np.argsort(values, kind="stable")
    a, p = values[order], weights[order] / weights.sum()
    mean = float((p * a).sum())
    # sorted, the sum over pairs is one pass: each value times (people below it - people above it)
    below, each = np.cumsum(p) - p, np.full(len(a), np.nan)
    each[order] = p * a * (2 * below + p - 1) / mean if mean > 0 else np.nan
    return each


def theil(values: pd.Series, weights: pd.Series, groups: pd.Series | None = None) -> pd.Series:
    """
    Return the weighted Theil index and its parts.

    ``T = sum_i p_i (a_i / mean) ln(a_i / mean)``; 0 ln 0 is 0. With groups, `between` is the same sum over group means and
    `within` the rest, so that they add up to `total` (Theil 1967; as ``inequality.theil.TheilD``).

    Returns
    -------
    parts
        Index total, between, within; all missing where the mean is 0.
    """
    a, p = np.asarray(values, dtype=float), np.asarray(weights, dtype=float)
    total = _theil(a, p)
    label = np.zeros(len(a)) if groups is None else np.asarray(groups)
    table = pd.DataFrame({"group": label, "p": p, "pa": p * a}).groupby("group", sort=True).sum()
    table = table[(table["p"] > 0).to_numpy()]
    between = _theil((table["pa"] / table["p"]).to_numpy(), table["p"].to_numpy())
    return pd.Series({"total": total, "between": between, "within": total - between})


def _theil(a: np.ndarray, p: np.ndarray) -> float:
    return float(_theil_parts(a, p).sum())


def _theil_parts(a: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Return what each adds to the Theil index; missing where the mean is 0."""
    p = p / p.sum()
    mean = float((p * a).sum())
    if mean <= 0:
        return np.full(len(a), np.nan)
    ratio = a / mean
    return np.asarray(p * ratio * np.log(np.where(ratio > 0, ratio, 1.0)))


@metric(
    "in_gap",
    Metric(
        "落在缺口里",
        "最近的小区缺至少一类设施的地点数 ÷ 地点总数",
        layers=WALKED,
        columns=("layer", "kinds", "minutes"),
        rule_or_kinds=True,
        in_classes=True,
        whole_district=True,
        declared=True,
    ),
)
def _in_gap(district: District, m: Measure) -> Found:
    """How many places of a layer lie by a home that lacks at least one of the kinds within a walk."""
    layer = str(m["layer"])
    spots = district.layers[layer]
    homes, _ = homes_in(district, {**m, "scope": "district"})
    level, kinds, has = _level(district, {**m, "combine": "all"})
    if spots.empty:
        raise Lacks(say("{0}图层里没有要素", layer_name(layer)))
    _, nearest = homes.sindex.nearest(shapely.point_on_surface(spots.geometry.array), return_all=False)
    own = homes.index[nearest]
    lacking = (level.reindex(own) < 1 - SHARE_TOLERANCE).to_numpy()
    by_home = has.astype(float).groupby(home_points(district)["home"]).mean().reindex(own)
    wanted = by_home.lt(0.5).sum().sort_values(ascending=False, kind="stable")
    touched = {**touch(district, layer), **touch(district, "homes", own), **walk(district)}
    touched |= facilities_of(district, kinds)
    value = float(lacking.mean() * 100 if m["unit"] == "%" else lacking.sum())
    words = [say("{0}（{1} 处）", name, n) for name, n in wanted.items() if n > 0]
    gap = say("这些地方可补：{0}", in_words(words)) if words else ""
    said = say("{0} 处中 {1} 处挨着缺配套的小区", len(spots), int(lacking.sum()))
    return Found(value, said, touched, gap, gap, terms=having(parts(spots["name"], lacking.astype(float)), m))


@metric(
    "best_use",
    Metric(
        "建什么新增最多",
        "Σ 走得到地块、还走不到这一类的居民，逐类逐地块比较，取最大",
        layers=WALKED,
        columns=("kinds", "minutes", "codes"),
        in_classes=True,
        declared=True,
    ),
)
def _best_use(district: District, m: Measure) -> Found:
    """
    How many people more would get to a class of kinds if it stood on one of the scope's parcels; the class that brings most.

    A place that takes up the parcel is entered from the streets along its edge. All pairs of parcel and class are told.
    """
    layer = SCOPE_LAYERS[str(m["scope"])]
    rows, weight = pick(district, layer, m["codes"]), str(m["weight"] or "people")
    has, points, homes = _has_classes(district, m), home_points(district), district.layers["homes"]
    counts = np.nan_to_num((points["weight"] * points["home"].map(weight_of(homes, weight))).to_numpy())
    without = {name: ~has[name].to_numpy() for name in has}
    gains = {
        (str(row), name): float(counts[there & lacking].sum())
        for row, there in _reached_from(district, rows, m).items()
        for name, lacking in without.items()
    }
    order = sorted(gains, key=lambda pair: (-gains[pair], pair))
    names = rows["name"].where(rows["name"].notna(), rows.index)
    unit = say(UNITS[weight])
    best = order[0]
    told = [
        say("{0}{1} +{2:,.0f} {3}", names[row], name, gains[row, name], unit) for row, name in order if gains[row, name]
    ]
    said = say(
        "建在地块上，步行 {0:g} 分钟新增可达，由多到少：{1}",
        m["minutes"],
        in_words(told) if told else say("都没有新增"),
    )
    touched = {**touch(district, layer, rows.index), **touch(district, "homes"), **walk(district)}
    touched |= facilities_of(district, kinds_of(m))
    fix = say("具体位置用选址计算（sites 命令）比较") if told else ""
    each = pd.Series({f"{row} {name}": gain for (row, name), gain in gains.items()})
    terms = Terms("max", parts(each.index.to_series(), each))
    return Found(gains[best], said, touched, fix=fix, note=unsurveyed(district, kinds_of(m)), terms=terms)


def _reached_from(district: District, rows: gpd.GeoDataFrame, m: Measure) -> dict[object, np.ndarray]:
    """Return, per row of a layer, which of `home_points` walk to it within the minutes of `m`, as they do to a large facility."""
    reached: dict[object, np.ndarray] = {}
    kinds = [str(kind) for kind in district.kinds.index]
    for start in range(0, len(rows), len(kinds)):  # each row stands as a kind of its own
        some = rows.iloc[start : start + len(kinds)]
        own = dict(zip(some.index, kinds, strict=False))
        places = gpd.GeoDataFrame({"kind": list(own.values())}, geometry=some.geometry.array, crs=rows.crs)
        places.index = pd.Index([f"use-{key}" for key in own], name="facility")
        there = district.layers["facilities"]
        types = there.drop(columns="geometry").dtypes.to_dict()
        other = district.with_rows(
            {
                "own_facilities": None,
                "entrances": None,
                "facilities": places.reindex(columns=there.columns).astype(types),
            }
        )
        least = least_minutes(other, own.values(), profile=m["profile"] or first_profile(district))
        reached |= {key: least[kind] <= m["minutes"] + TOLERANCE_MIN for key, kind in own.items()}
    return reached
