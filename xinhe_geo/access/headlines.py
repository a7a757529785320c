"""The one number that leads, rule by rule, in the words of a planner, and what it rests on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..core import (
    BASIS_LABELS,
    DEMONSTRATION,
    DENOMINATOR_LABELS,
    METHOD_LABELS,
    ON_THE_WAY,
    Profile,
    Rule,
    language,
    say,
)
from ..district import District, kind_name, layer_name, rule_name, walker_name
from .coverage import is_surveyed, presence, summary
from .gaps import rule_in

# --- what is shown first ---------------------------------------------------------------------------------------------


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
        `dependent_share` (share that only facilities outside the district serve), `people_unserved`.
    """
    whole = summary(cover)
    matrix = presence(district)
    rules = {name: cover.xs(name, level="rule") for name in cover.index.unique("rule")}
    rows = [
        _headline(district, rule_in(district, own, name), whole.loc[name], own, matrix) for name, own in rules.items()
    ]
    return pd.DataFrame(rows).set_index("rule")


def _headline(
    district: District, rule: Rule, total: pd.Series, own: pd.DataFrame, matrix: pd.DataFrame
) -> dict[str, object]:
    walker = district.profile(str(total["profile"]))
    denominator = usable_denominator(rule.denominator, total)
    counted = denominator if denominator == "people_60plus" else "people"
    unserved = (own[counted] * (1.0 - own["served"])).sum(min_count=1)
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
        "dependent_share": np.nan,
        "people_unserved": unserved,
        "denominator": denominator or "",
    }
    if rule.metric == "presence":
        _community_headline(district, rule, matrix, row)
    elif denominator is not None:
        value = float(total[f"{denominator}_share"])
        row["value"] = value
        what = {
            "people": "常住人口",
            "people_60plus": "60岁及以上人口",
            "area_m2": "居住用地",
            "homes": "小区（个数）",
        }[denominator]
        missing = say("，{0:,.0f} 人不可达", unserved) if np.isfinite(unserved) and unserved >= 0.5 else ""
        row["headline"] = say("{0}可达{1} {2:.1%}{3}", limit_text(district, rule, walker), say(what), value, missing)
    if denominator is not None and own["served"].notna().any():
        row["alternatives"] = _alternatives(rule, own, denominator)
        weight = pd.Series(1.0, index=own.index) if denominator == "homes" else own[denominator]
        known = weight[own["served"].notna()].sum()
        gain = ((own["served"] - own["served_inside"]).clip(lower=0) * weight).sum()
        row["dependent_share"] = gain / known if known > 0 else np.nan
    if not np.isfinite(float(row["value"])):  # type: ignore[arg-type]
        row["mark"] = say("数据不足")
        row["headline"] = _what_is_missing(district, rule)
    elif own["basis"].isin(DEMONSTRATION).any():
        row["mark"] = say("演示值（不作结论）")
    return row


def usable_denominator(wanted: str, total: pd.Series) -> str | None:
    """Return the rule's denominator, or what stands in for it: people, then residential land, then number of homes."""
    order = ["people" if wanted == "community" else wanted, "area_m2", "homes"]
    return next((d for d in order if np.isfinite(total[f"{d}_share"])), None)


def _community_headline(district: District, rule: Rule, matrix: pd.DataFrame, row: dict[str, object]) -> None:
    if matrix.empty or not is_surveyed(district, rule.kinds):
        return
    has = matrix.reindex(columns=list(rule.kinds), fill_value=0).sum(axis=1) > 0
    communities = district.communities
    names = communities["name"] if communities is not None else pd.Series(dtype="str")
    lacks = [str(names.get(c, c)) for c in has.index[~has]]
    row["value"] = float(has.mean())
    missing = say("；缺：{0}", say("、").join(lacks)) if lacks else ""
    row["headline"] = say(
        "{0} 个社区（{1} 年名录）中 {2} 个有{3}", len(has), district.list_year, int(has.sum()), missing
    )


def limit_text(district: District, rule: Rule, walker: Profile) -> str:
    """Say how far a rule lets one walk, and who walks."""
    if rule.method == "walk_min":
        return say("{0}步行 {1:g} 分钟", walker_name(district, walker), rule.minutes)
    return say("{0} {1:g} 米", say(METHOD_LABELS[rule.method]), rule.metres)


def _alternatives(rule: Rule, own: pd.DataFrame, denominator: str) -> str:
    """Return the other ways to count, in one line; a presence rule names the circle it is counted in."""
    weight = pd.Series(1.0, index=own.index) if denominator == "homes" else own[denominator]
    known = weight[own["served"].notna()].sum()
    if not known > 0:
        return ""
    shares = [(own[f"served_{m}"] * weight).sum() / known for m in METHOD_LABELS]
    words = say("直线 {0:.0%}｜路网 {1:.0%}｜步行 {2:.0%}", *shares)
    name = say(DENOMINATOR_LABELS.get(denominator, "小区数"))
    if rule.metric == "presence":
        return say("另：{0:g} 米或 {1:g} 分钟圈内的{2}：{3}", rule.metres, rule.minutes, name, words)
    return say("换算法（{0}）：{1}", name, words)


def _what_is_missing(district: District, rule: Rule) -> str:
    if district.homes is None:
        return say("数据不足：缺小区图层")
    if rule.metric == "presence" and district.communities is None:
        return say("数据不足：缺社区界")
    labels = say("、").join(kind_name(district, k) for k in rule.kinds)
    if not is_surveyed(district, rule.kinds):
        return say("数据不足：没有调查过{0}", labels)
    return say("数据不足：缺人口和用地")


def basis_text(district: District, rule: Rule) -> str:
    """
    Say what a rule's numbers rest on: "小区 101 处中 101 处为合成；设施 38 处中 12 处为示意".

    A walk is counted without gates, entrances or barriers where the district has no such layer, and says so.
    """
    key = ("weak rows", rule.kinds, language())
    if key not in district.memo:
        district.memo[key] = _weak_rows(district, rule.kinds)
    parts = list(district.memo[key])
    absent = [layer_name(name) for name in ON_THE_WAY if name not in district.layers]
    if absent and rule.metric == "reach" and rule.method != "buffer":
        parts.append(say("没有图层、步行未计：{0}", say("、").join(absent)))
    return say("；").join(parts)


def _weak_rows(district: District, kinds: Sequence[str]) -> list[str]:
    """Say of homes, facilities of some kinds and streets how many are schematic or synthetic."""
    parts = []
    facilities = district.facilities
    rows = {
        "小区": district.basis("homes") if district.homes is not None else pd.Series(dtype="str"),
        "设施": pd.Series(dtype="str")
        if facilities is None
        else district.basis("facilities")[facilities["kind"].isin(kinds)],
        "路段": district.basis("streets") if "streets" in district.layers else pd.Series(dtype="str"),
    }
    for label, basis in rows.items():
        weak = basis[basis.isin(DEMONSTRATION)]
        if len(weak):
            words = say("、").join(say(BASIS_LABELS[b]) for b in DEMONSTRATION if (weak == b).any())
            told = say(label), len(basis), len(weak), words
            parts.append(
                say("{0} {1} 段中 {2} 段为{3}", *told) if label == "路段" else say("{0} {1} 处中 {2} 处为{3}", *told)
            )
    return parts
