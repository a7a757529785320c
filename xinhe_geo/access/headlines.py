"""The one number that leads, rule by rule, in the words of a planner, and what it rests on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..core import (
    BASIS_LABELS,
    DEMONSTRATION,
    DENOMINATOR_LABELS,
    METHOD_LABELS,
    ON_THE_WAY,
    TOLERANCE_M,
    Profile,
    Rule,
    amount,
    language,
    layer_name,
    named_by_homes,
    per_cent,
    say,
)
from ..district import (
    District,
    buildings_said,
    kind_name,
    must_be_district,
    of_list,
    rule_name,
    stretch_said,
    walker_name,
)
from .bounds import AT_LEAST, EXACT, unchecked_of, what_to_survey
from .coverage import NEAR_LINE_M, coverage, is_surveyed, presence, presence_grounds, summary
from .gaps import rule_in
from .people_draws import drawn_range

#: How many places by a line are named before it is said how many there are.
_NAMED_AT_MOST = 5

# --- what is shown first ---------------------------------------------------------------------------------------------


@named_by_homes
def headlines(district: District, cover: pd.DataFrame) -> pd.DataFrame:
    """
    Say, rule by rule, the one number that leads, in the words of a planner.

    Parameters
    ----------
    district
        What `District.load` opened; it stays as it was.
    cover
        Result of `coverage`.

    Returns
    -------
    table
        Index rule (in the order of `cover`). Columns `label`, `kind`, `headline` (a sentence), `value` (0-1, missing =
        数据不足), `alternatives` (换算法 line), `mark` (演示值（不作结论）, 数据不足 or empty), `basis_text`, `standard_text`,
        `heading` (规划目标, or 参考指标（非纲要） for what the plan does not say), `cited` (standard, clause, how well it is known),
        `dependent_share` (share that only facilities outside the district serve), `people_unserved` (missing where nobody knows),
        `bound` ("exact"; "at_least" where a kind was only seen on a map: `value` is what is reached if all of the map is so),
        `value_high` (the value if every facility that is still to be checked is what it seems; else as `value`), `unchecked`
        (how many these are), `denominator` (what `value` is counted in), `walk_share` (of whom a walk of the rule's minutes
        reaches one: of a community that has one not everybody can walk there), `needs` (what has to be surveyed before anybody
        can say who lacks it; else empty).
    """
    must_be_district(district)
    whole = summary(cover)
    matrix = presence(district)
    rules = {name: cover.xs(name, level="rule") for name in cover.index.unique("rule")}
    asked = {name: rule_in(district, own, name) for name, own in rules.items()}
    upper = _upper(district, [rule for rule in asked.values() if unchecked_of(district, rule.kinds)])
    alike = at_one_limit(district, list(asked.values()))
    rows = [
        _headline(district, asked[name], _Found(whole.loc[name], own, matrix, alike.get(name, own)), upper)
        for name, own in rules.items()
    ]
    return pd.DataFrame(rows).set_index("rule")


class _Found(NamedTuple):
    """What was counted of a rule: its line of `summary`, its homes, what stands in each community; its homes at one limit."""

    total: pd.Series
    own: pd.DataFrame
    matrix: pd.DataFrame
    alike: pd.DataFrame


def limit_metres(district: District, rule: Rule) -> float:
    """Return how far one may walk by a rule, in metres: for a walk in minutes as far as its walker gets without waiting."""
    if rule.method != "walk_min":
        return rule.metres
    return rule.minutes * 60.0 * district.profile(rule.profile).speed_m_s


def at_one_limit(district: District, rules: Sequence[Rule]) -> dict[str, pd.DataFrame]:
    """
    Count all methods at the same limit in metres: what differs is then the method, and nothing else.

    Returns
    -------
    covers
        By the names of the rules, their rows of `coverage`, as far as they say who is served and what counts; index home.
    """
    same = []
    for rule in rules:
        metres = limit_metres(district, rule)
        speed = district.profile(rule.profile).speed_m_s
        same.append(replace(rule, metres=metres, minutes=metres / speed / 60.0))
    if not same or district.homes is None or district.homes.empty:
        return {}
    cover = coverage(district, rules=same)
    told = cover[[c for c in cover if c in ("name", *DENOMINATOR_LABELS) or c.startswith("served")]]
    return {rule.name: told.xs(rule.name, level="rule") for rule in same}


def if_all_are_there(district: District, rules: Sequence[Rule]) -> dict[str, pd.DataFrame]:
    """
    Count as if every facility that is still to be checked were what it seems.

    Returns
    -------
    covers
        By the names of the rules, their rows of `coverage`; index home.
    """
    return {name: found.own for name, found in _upper(district, rules).items()}


def _upper(district: District, rules: Sequence[Rule]) -> dict[str, _Found]:
    """Return what is found if every facility that is still to be checked is what it seems; by the names of the rules."""
    if not rules:
        return {}
    key = ("upper", tuple(rules))
    if key not in district.memo:
        other = district.counting_unchecked()
        cover = coverage(other, rules=rules)
        whole, matrix = summary(cover), presence(other)
        district.memo[key] = {
            rule.name: _Found(whole.loc[rule.name], own, matrix, own)
            for rule in rules
            for own in [cover.xs(rule.name, level="rule")]
        }
    found: dict[str, _Found] = district.memo[key]
    return found


def _headline(district: District, rule: Rule, found: _Found, upper: Mapping[str, _Found]) -> dict[str, object]:
    total, own = found.total, found.own
    walker = district.profile(str(total["profile"]))
    denominator = usable_denominator(rule.denominator, total)
    counted = denominator if denominator == "people_60plus" else "people"
    unserved = _unserved(own, counted)
    bound = str(total["bound"])
    row: dict[str, object] = {
        "rule": rule.name,
        "label": rule_name(district, rule),
        "kind": ";".join(rule.kinds),
        "value": np.nan,
        "headline": say("数据不足"),
        "alternatives": "",
        "mark": "",
        "basis_text": basis_text(district, rule),
        "standard_text": rule.basis_text,
        "heading": rule.heading,
        "cited": rule.cited,
        "dependent_share": np.nan,
        "people_unserved": unserved if bound == EXACT else np.nan,
        "denominator": denominator or "",
        "bound": bound,
        "mapped": not district.drawn_kinds.isdisjoint(rule.kinds),
        "value_high": np.nan,
        "walk_share": np.nan,
        "unchecked": unchecked_of(district, rule.kinds),
        "needs": what_to_survey(district, rule.kinds),
    }
    if rule.metric == "presence":
        _community_headline(district, rule, (found, upper.get(rule.name)), row)
    elif denominator is not None:
        value = float(total[f"{denominator}_share"])
        high = upper.get(rule.name)
        row["value"] = value
        row["value_high"] = value if high is None else float(high.total[f"{denominator}_share"])
        what = {
            "people": "常住人口",
            "people_60plus": "60岁及以上人口",
            "area_m2": "居住用地",
            "homes": "小区（个数）",
        }[denominator]
        most = _unserved(own, denominator)
        least = most if high is None else _unserved(high.own, denominator)
        limit = limit_text(district, rule, walker)
        row["headline"] = _reach_sentence(limit, say(what), row, (least, most))
    if denominator is not None and own["served"].notna().any():
        row["alternatives"] = _alternatives(district, rule, found, denominator)
        row["walk_share"] = _share_of(own, denominator, "walk_min")
        weight = pd.Series(1.0, index=own.index) if denominator == "homes" else own[denominator]
        known = weight[own["served"].notna()].sum()
        gain = ((own["served"] - own["served_inside"]).clip(lower=0) * weight).sum()
        row["dependent_share"] = gain / known if known > 0 else np.nan
    if not np.isfinite(float(row["value"])):  # type: ignore[arg-type]
        row["mark"] = say("数据不足")
        row["headline"] = _what_is_missing(district, rule)
    elif own["basis"].isin(DEMONSTRATION).any():
        row["mark"] = say("演示值（不作结论）")
    elif bound == AT_LEAST:
        row["mark"] = say("只据地图（不作结论）") if row["mapped"] else say("没有查全（不作结论）")
    if denominator == "people" and (ends := drawn_range(district, own["served"])) is not None:
        told = say("人口按楼面积分摊，分摊的误差使走得到的份额在 {0:.1%}—{1:.1%} 之间（95 % 的抽样）", *ends)
        row["basis_text"] = say("；").join(part for part in (str(row["basis_text"]), told) if part)
    del row["mapped"]
    return row


def _unserved(own: pd.DataFrame, counted: str) -> float:
    """Return how many (people, square metres, homes) are not served; missing where nobody is known."""
    each = 1.0 if counted == "homes" else own[counted]
    return float((each * (1.0 - own["served"])).sum(min_count=1))


#: How what is not reached is said, by what the share of the sentence counts: sentence, digits, factor.
_MISSED = {
    "people": ("，{0} 人不可达", 0, 1.0),
    "people_60plus": ("，{0} 人不可达", 0, 1.0),
    "area_m2": ("，{0} 公顷不可达", 1, 1e-4),
    "homes": ("，{0} 个小区不可达", 1, 1.0),
}


def _if(row: Mapping[str, object]) -> str:
    """Say what is taken for granted where not all facilities are known."""
    if row["mapped"]:
        return say("若图上的设施都在、路都能走，出入口按最近处计")
    return say("若列出的设施就是全部")


def _reach_sentence(limit: str, what: str, row: Mapping[str, object], unserved: tuple[float, float]) -> str:
    """Say how much is in reach, and how many people are not: these only of kinds that somebody has counted."""
    value, high, unchecked = float(row["value"]), float(row["value_high"]), row["unchecked"]  # type: ignore[arg-type]
    if row["bound"] == AT_LEAST:
        if unchecked:
            told = "{0}：{1}，{2}的 {3}—{4} 走得到（{5} 处待核，全部属实时为上限）"
            return say(told, _if(row), limit, what, per_cent(value, 0), per_cent(high, 0), unchecked)
        return say("{0}：{1}，{2}的 {3} 走得到", _if(row), limit, what, per_cent(value, 0))
    words, digits, factor = _MISSED[str(row["denominator"])]
    least, most = (amount(lost * factor, digits) for lost in unserved)
    some = np.isfinite(unserved[1]) and float(most.replace(",", "")) > 0
    if unchecked:
        missing = say(words, f"{least}—{most}") if some else ""
        told = "{0}可达{1} {2}—{3}（{4} 处待核，全部属实时为上限）{5}"
        return say(told, limit, what, per_cent(value, 0), per_cent(high, 0), unchecked, missing)
    return say("{0}可达{1} {2}{3}", limit, what, per_cent(value, 0), say(words, most) if some else "")


def usable_denominator(wanted: str, total: pd.Series) -> str | None:
    """Return the rule's denominator, or what stands in for it: people, then residential land, then number of homes."""
    order = ["people" if wanted == "community" else wanted, "area_m2", "homes"]
    return next((d for d in order if np.isfinite(total[f"{d}_share"])), None)


def _community_headline(
    district: District, rule: Rule, found: tuple[_Found, _Found | None], row: dict[str, object]
) -> None:
    certain, upper = found
    if certain.matrix.empty or not is_surveyed(district, rule.kinds):
        return
    has, might = (
        one.matrix.reindex(columns=list(rule.kinds), fill_value=0).sum(axis=1) > 0
        for one in (certain, upper or certain)
    )
    row["value"], row["value_high"] = float(has.mean()), float(might.mean())
    count = f"{int(has.sum())}" if upper is None else f"{int(has.sum())}—{int(might.sum())}"
    if row["bound"] == AT_LEAST:
        told = "{0}：{1} 个社区{2}中 {3} 个看得到；其余有没有不知道"
        row["headline"] = say(told, _if(row), len(has), of_list(district), count)
        return
    communities = district.layers.get("communities")
    names = communities["name"] if communities is not None else pd.Series(dtype="str")
    lacks = [str(names.get(c, c)) for c in has.index[~has]]
    missing = say("；缺：{0}", say("、").join(lacks)) if lacks else ""
    row["headline"] = say("{0} 个社区{1}中 {2} 个有{3}", len(has), of_list(district), count, missing)


def limit_text(district: District, rule: Rule, walker: Profile) -> str:
    """Say how far a rule lets one walk, and who walks."""
    if rule.method == "walk_min":
        return say("{0}步行 {1:g} 分钟", walker_name(district, walker), rule.minutes)
    return say("{0} {1:g} 米", say(METHOD_LABELS[rule.method]), rule.metres)


def _share_of(own: pd.DataFrame, denominator: str, method: str) -> float:
    """Return the share that a method finds served, of what is known."""
    columns = ("served", f"served_{method}", *([] if denominator == "homes" else [denominator]))
    served, by_method, *counted = (own[column].to_numpy(np.float64, na_value=np.nan) for column in columns)
    weight = np.where(
        np.isnan(served), np.nan, *(counted or [1.0])
    )  # a home in no community is in neither part of the share
    known = np.nansum(weight)
    return float(np.nansum(by_method * weight) / known) if known > 0 else np.nan


def _alternatives(district: District, rule: Rule, found: _Found, denominator: str) -> str:
    """Return the other ways to count, in one line, all at one limit in metres; where the rule has another one, that too."""
    shares = [_share_of(found.alike, denominator, method) for method in METHOD_LABELS]
    if not np.isfinite(shares).all():
        return ""
    words = say("直线 {0:.0%}｜路网 {1:.0%}｜步行 {2:.0%}", *shares)
    name, metres = say(DENOMINATOR_LABELS.get(denominator, "小区数")), limit_metres(district, rule)
    told = "另：{1:g} 米内的{0}：{2}" if rule.metric == "presence" else "换算法（{0}，同为 {1:g} 米）：{2}"
    line = say(told, name, metres, words)
    walked = rule.minutes * 60.0 * district.profile(rule.profile).speed_m_s
    if rule.method == "walk_min" and abs(rule.metres - metres) > TOLERANCE_M:
        straight, streets = (_share_of(found.own, denominator, method) for method in ("buffer", "network_m"))
        line += say("；限 {0:g} 米时直线 {1:.0%}｜路网 {2:.0%}", rule.metres, straight, streets)
    elif rule.method != "walk_min" and abs(walked - metres) > TOLERANCE_M:
        walk = _share_of(found.own, denominator, "walk_min")
        line += say("；限 {0:g} 分钟（{1:g} 米）时步行 {2:.0%}", rule.minutes, walked, walk)
    return line


def _what_is_missing(district: District, rule: Rule) -> str:
    if "homes" not in district.layers:
        return say("数据不足：缺小区图层")
    if rule.metric == "presence" and "communities" not in district.layers:
        return say("数据不足：缺社区界")
    labels = say("、").join(kind_name(district, k) for k in rule.kinds)
    if not is_surveyed(district, rule.kinds):
        return say("数据不足：没有调查过{0}", labels)
    return say("数据不足：缺人口和用地")


@named_by_homes
def basis_text(district: District, rule: Rule) -> str:
    """
    Say what a rule's numbers rest on: "小区 101 处中 101 处为合成；设施 38 处中 12 处为示意".

    A walk is counted without gates, entrances or barriers where the district has no such layer, and says so.
    """
    key = ("weak rows", rule.kinds, language())
    if key not in district.memo:
        district.memo[key] = _weak_rows(district, rule.kinds)
    parts = [*district.memo[key], buildings_said(district), stretch_said(district)]
    absent = [layer_name(name) for name in ON_THE_WAY if name not in district.layers]
    if absent and rule.metric == "reach" and rule.method != "buffer":
        parts.append(say("没有图层、步行未计：{0}", say("、").join(absent)))
    parts += [grounds_text(district, rule.kinds)] if rule.metric == "presence" else []
    return say("；").join(part for part in parts if part)


def grounds_text(district: District, kinds: Sequence[str], codes: Iterable[str] | None = None) -> str:
    """Say how many communities have one only by where it was drawn, and which of these lie within 30 m of a line; "" where none."""
    by_position, near = presence_grounds(district, kinds, codes)
    parts = [say("{0} 个社区只按落点判（没有填服务社区）", by_position)] if by_position else []
    if len(near):
        told = [say("{0}（{1:,.0f} m）", name, metres) for name, metres in near.head(_NAMED_AT_MOST).items()]
        more = say(" 等 {0} 处", len(near)) if len(near) > _NAMED_AT_MOST else ""
        parts.append(say("离社区界不到 {0:g} m：{1}", NEAR_LINE_M, say("、").join(told) + more))
    return say("；").join(parts)


def _weak_rows(district: District, kinds: Sequence[str]) -> list[str]:
    """Say of homes, facilities of some kinds and streets how many are schematic or synthetic."""
    parts = []
    facilities = district.layers.get("facilities")
    rows = {
        "小区": district.basis("homes") if "homes" in district.layers else pd.Series(dtype="str"),
        "设施": pd.Series(dtype="str")
        if facilities is None
        else district.basis("facilities")[facilities["kind"].isin(kinds)],
        "路段": district.basis("streets") if "streets" in district.layers else pd.Series(dtype="str"),
    }
    for label, basis in rows.items():
        counts = Counter(basis.to_numpy().tolist())
        weak = [b for b in DEMONSTRATION if counts[b]]
        if weak:
            words = say("、").join(say(BASIS_LABELS[b]) for b in weak)
            told = say(label), len(basis), sum(counts[b] for b in weak), words
            parts.append(
                say("{0} {1} 段中 {2} 段为{3}", *told) if label == "路段" else say("{0} {1} 处中 {2} 处为{3}", *told)
            )
    return parts
