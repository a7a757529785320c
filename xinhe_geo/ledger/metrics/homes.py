"""Metrics of homes: who is served, by how much, how unequally, and whether there is enough."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from ...access import (
    COUNT,
    SHARE_TOLERANCE,
    TOLERANCE_MIN,
    Need,
    decay_of,
    home_points,
    od_tables,
    sizes,
    within_capacity,
)
from ...core import METHOD_LABELS, METHODS, TOLERANCE_M, Rule, say, word
from ...district import District, column_name, kind_name, layer_name, walker_name
from .base import (
    SCOPE_LAYERS,
    UNITS,
    WEIGHTS,
    Found,
    Lacks,
    Measure,
    Short,
    bases_text,
    facilities_of,
    homes_in,
    in_words,
    kind_names,
    listed,
    number_text,
    once,
    open_places,
    pick,
    planned_places,
    planned_text,
    require_layers,
    require_survey,
    surveyed,
    target_of,
    touch,
    unsurveyed,
    walk,
    weight_of,
)


def _per_thousand(district: District, m: Measure) -> Found:
    """Capacity (or number) of some kinds per so many people of the scope."""
    kinds, field, weight = listed(m["kinds"]), str(m["field"]), str(m["weight"] or "people")
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
    return Found(value, said, touched, gap, planned_text(planned_places(district, kinds)) if gap else "")


def _sizes(places: gpd.GeoDataFrame, field: str, kinds: Sequence[str], district: District) -> pd.Series:
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


def _capacity(district: District, m: Measure) -> Found:
    """Share of people with a place in reach and room in it; supply is shared out among all who can walk to it."""
    kinds, weight, per = listed(m["kinds"]), str(m["weight"] or "people"), float(m["per"])
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
    where = _missed(homes, missed, weight, say("够不着或不够用"))
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
    )


def shared_out(district: District, m: Measure) -> pd.DataFrame:
    """Return what `within_capacity` finds for a row of metric capacity: index home."""
    key = ("capacity", *(m[c] for c in ("kinds", "norm", "per", "decay", "field", "profile", "weight")))

    def make() -> pd.DataFrame:
        need = Need(float(m["norm"]), float(m["per"]), str(m["decay"]), str(m["field"]), str(m["weight"] or "people"))
        return within_capacity(district, listed(m["kinds"]), need, profile=m["profile"] or first_profile(district))

    return once(district, key, make)


def _points_within(district: District, rule: Rule, method: str) -> pd.Series:
    """Return which points of `home_points` get to any of the rule's kinds within its limit; index point."""
    tables = od_tables(district, rule.kinds, profile=rule.profile).values()
    column = {"walk_min": "minutes", "network_m": "metres"}.get(method, "straight_metres")
    limit = rule.minutes + TOLERANCE_MIN if method == "walk_min" else rule.metres + TOLERANCE_M
    return pd.concat([table[column] <= limit for table in tables], axis=1).any(axis=1)


def _served(district: District, rules: Sequence[Rule], method: str = "") -> pd.Series:
    """Return the share (0-1) of each home that meets all rules, by their own methods or by one method; index home."""

    def make() -> pd.Series:
        points = home_points(district)
        within = np.ones(len(points), dtype=bool)
        for rule in rules:
            within &= _points_within(district, rule, method or rule.method).reindex(points.index).to_numpy(dtype=bool)
        return _share_of_points(district, within.astype(float))

    return once(district, ("served", tuple(rules), method), make)


def _share_of_points(district: District, values: np.ndarray) -> pd.Series:
    """Return the weighted sum of a value of each of `home_points`, by home."""

    def make() -> tuple[pd.Series, np.ndarray, pd.Index]:
        points = home_points(district)
        names = points["weight"].groupby(points["home"].to_numpy()).sum().index
        return points["weight"], names.get_indexer(pd.Index(points["home"])), names

    weight, number, names = once(
        district, "points by home", make
    )  # names are slow to group by, and this is asked often
    share = (weight * values).groupby(number).sum()
    return share.where(share < 1 - SHARE_TOLERANCE, 1.0).set_axis(names)


def _mean(values: pd.Series, weights: pd.Series) -> float:
    both = values.notna() & weights.notna()
    return float((values[both] * weights[both]).sum() / weights[both].sum())


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
    others = [_mean(_served(district, rules, method).reindex(homes.index), weights) * 100 for method in METHODS]
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
    missed = (weights * (1.0 - served)).dropna()
    gap = _missed(homes, missed, weight)
    fix = (
        say("在缺口最大的小区附近增设{0}，或增开出入口；候选位置用选址计算", kind_names(district, kinds, "或"))
        if gap
        else ""
    )
    short = _short(district, missed, weight)
    return Found(value, said, touched, gap, fix, min(others), max(others), note=note, short=short)


def by_home(district: District, m: Measure) -> tuple[pd.Series, pd.Series, str]:
    """
    Return the share (0-1) of each home of a row's scope, what each counts, and the unit of that in words; index home.

    For the metrics that are means over homes: coverage, completeness, capacity.

    Raises
    ------
    Lacks
        What the row cannot do without.
    """
    require_layers(district, m)
    homes, _ = homes_in(district, m)
    weight = str(m["weight"] or "people")
    if m["metric"] == "capacity":
        rows = shared_out(district, m).reindex(homes.index)
        return rows["served"] / rows["demand"].where(rows["demand"] > 0), rows["demand"], say(WEIGHTS[weight][1])
    if m["metric"] == "coverage" and not m["weight"]:
        asked = district.rule(m["rule"]).denominator
        weight = "people" if asked == "community" else asked
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
    some = missed.index[(missed > SHARE_TOLERANCE).to_numpy()]
    return Short(float(missed.sum()), weight, bases_text(district.basis("homes").reindex(some)))


def _missed(homes: gpd.GeoDataFrame, missed: pd.Series, weight: str, lot: str = "") -> str:
    """Say how many are not served (`lot`, by default that they have no way), and where most of them are."""
    total = float(missed.sum())
    if total <= SHARE_TOLERANCE:
        return ""
    most = missed[missed > SHARE_TOLERANCE].sort_values(ascending=False, kind="stable")
    names = homes["name"].where(homes["name"].notna(), homes.index)
    unit = say(WEIGHTS[weight][1])
    of_one = say(UNITS[weight])
    words = [f"{names[k]}" if weight == "homes" else f"{names[k]} {v:,.0f} {of_one}" for k, v in most.items()]
    said = (number_text(round(total, 1), unit), lot or say("不可达"), len(most), in_words(words))
    if weight == "homes" and total != len(most):  # parts of homes: more homes are named than add up
        return say("折合 {0}{1}，涉及 {2} 个小区：{3}", *said)
    return say("{0}{1}，在 {2} 个小区：{3}", *said)


def _reached(district: District, kinds: Sequence[str], minutes: float, profile: str) -> pd.DataFrame:
    """Return, per point and kind, whether a walk of so many minutes gets there."""

    def make() -> pd.DataFrame:
        tables = od_tables(district, kinds, profile=profile)
        return pd.DataFrame({kind: table["minutes"] <= minutes + TOLERANCE_MIN for kind, table in tables.items()})

    return once(district, ("reached", tuple(kinds), minutes, profile), make)


def _level(district: District, m: Measure) -> tuple[pd.Series, list[str], pd.DataFrame]:
    """Return how well each home is served (0-1), by a rule or by the share of kinds within a walk; kinds; per point."""
    if m["rule"]:
        rules = [district.rule(name) for name in (m["rule"], *listed(m["also_rules"]))]
        for rule in rules:
            require_survey(district, rule.kinds)
        kinds = list(dict.fromkeys(k for rule in rules for k in rule.kinds))
        return _served(district, rules), kinds, pd.DataFrame()
    asked = listed(m["kinds"])
    require_survey(district, asked, every=m["combine"] == "all", one_by_one=True)
    kinds = surveyed(district, asked)
    has = _reached(district, kinds, m["minutes"], m["profile"] or first_profile(district))
    values = has.all(axis=1) if m["combine"] == "all" else has.mean(axis=1)
    return _share_of_points(district, values.to_numpy(dtype=float)), kinds, has


def first_profile(district: District) -> str:
    """Return the walker that stands first in `profiles.csv`: who walks where a row does not say."""
    return str(district.profiles.index[0])


def _completeness(district: District, m: Measure) -> Found:
    """Mean share of kinds within a walk (or the share that has them all), over the homes of the scope."""
    level, kinds, has = _level(district, m)
    homes, touched = homes_in(district, m)
    weight = str(m["weight"] or "people")
    weights = weight_of(homes, weight)
    touched |= {**walk(district), **facilities_of(district, kinds)}
    value = _mean(level.reindex(homes.index), weights) * 100
    per_kind = {
        k: _mean(_share_of_points(district, has[k].to_numpy(dtype=float)).reindex(homes.index), weights) for k in has
    }
    lacking = sorted((share, k) for k, share in per_kind.items() if share < 1 - SHARE_TOLERANCE)
    gap = (
        say("最缺：") + in_words(say("{0}（可达 {1:.0%}）", kind_name(district, k), share) for share, k in lacking)
        if lacking
        else ""
    )
    walker = district.profile(m["profile"] or first_profile(district))
    what = say("各类齐全的份额") if m["combine"] == "all" else say("平均齐全度")
    said = say(
        "按{0}的速度 {1:g} 分钟，{2} 类，按{3}加权的{4}",
        walker_name(district, walker),
        m["minutes"],
        len(kinds),
        say(WEIGHTS[weight][0]),
        what,
    )
    fix = say("先补{0}：可达份额最低", kind_name(district, lacking[0][1])) if lacking else ""
    return Found(value, said, touched, gap, fix, note=unsurveyed(district, listed(m["kinds"])))


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
        value,
        said,
        touched,
        gap,
        say("先补{0}的缺项", worse) if gap else "",
        note=unsurveyed(district, listed(m["kinds"])),
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
    note = unsurveyed(district, listed(m["kinds"]))
    if m["metric"] == "gini":
        return Found(gini(values, weights), said, touched, note=note)
    groups = None
    if m["group"]:
        groups = district.groups[str(m["group"])].reindex(values.index).fillna("")
        touched |= touch(district, SCOPE_LAYERS[str(m["group"])])
    parts = theil(values, weights, groups)
    split = say("，其中组间 {0:.4f}，组内 {1:.4f}", parts["between"], parts["within"]) if groups is not None else ""
    return Found(float(parts["total"]), said + split, touched, note=note)


def gini(values: pd.Series, weights: pd.Series) -> float:
    """
    Return the weighted Gini coefficient: half the mean absolute difference over the mean.

    ``G = sum_ij p_i p_j |a_i - a_j| / (2 mean)`` with population shares `p`; 0 where all are alike; missing where the mean is 0.
    With equal weights it is ``inequality.gini.Gini``.
    """
    order = np.argsort(np.asarray(values, dtype=float), kind="stable")
    a = np.asarray(values, dtype=float)[order]
    p = np.asarray(weights, dtype=float)[order]
    p = p / p.sum()
    mean = float((p * a).sum())
    if mean <= 0:
        return math.nan
    # sorted, the sum over pairs is one pass: each value times (people below it - people above it)
    below = np.cumsum(p) - p
    return float((p * a * (2 * below + p - 1)).sum() / mean)


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
    p = p / p.sum()
    mean = float((p * a).sum())
    if mean <= 0:
        return math.nan
    ratio = a / mean
    return float((p * ratio * np.log(np.where(ratio > 0, ratio, 1.0))).sum())


def _in_gap(district: District, m: Measure) -> Found:
    """How many places of a layer lie by a home that lacks at least one of the kinds within a walk."""
    layer = str(m["layer"])
    spots = district.layers[layer]
    level, kinds, has = _level(district, {**m, "combine": "all"})
    homes = district.layers["homes"]
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
    words = [say("{0}（{1} 处）", kind_name(district, k), n) for k, n in wanted.items() if n > 0]
    gap = say("这些地方可补：{0}", in_words(words)) if words else ""
    return Found(value, say("{0} 处中 {1} 处挨着缺配套的小区", len(spots), int(lacking.sum())), touched, gap, gap)


#: Metrics by name.
METRICS: Mapping[str, Callable[[District, Measure], Found]] = {
    "coverage": _coverage,
    "completeness": _completeness,
    "in_gap": _in_gap,
    "difference": _difference,
    "gini": _inequality,
    "theil": _inequality,
    "per_thousand": _per_thousand,
    "capacity": _capacity,
}
