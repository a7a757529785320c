"""
What many districts show side by side: one row per district and indicator, ranks, spread, outliers and what explains them.

Only like is compared with like: the same rule defined the same way, in the same denominator. Districts whose value rests
on a demonstration or only on a map, or whose denominator is so small that one home decides it, are shown without a rank. A
district that is there in several years is ranked, drawn and counted once: by its latest year.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, SupportsFloat

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from ..access import rests_on
from ..core import BASIS_LABELS, METHOD_LABELS, METHODS, Rule, amount, per_cent, say
from ..district import District, kind_name, rule_name, survey_note, walker_name
from .analysis import Analysis

LONLAT = "EPSG:4326"
#: Outlines are drawn, not measured: simplified to this.
OUTLINE_M = 10.0
#: Fewer homes than this, or one home with more than this share of the denominator: one home decides the number.
FEW_HOMES = 10
LARGEST_HOME = 0.2
#: Outlines that share less of the smaller one than this are two places, whatever their code says.
SAME_PLACE = 0.5
FEW_COMMUNITIES = 5
#: Fewer comparable districts than this have no outliers.
FEW_DISTRICTS = 8
#: Iglewicz and Hoaglin (1993): a modified z-score of more than this is an outlier.
OUTLIER_Z = 3.5

DENOMINATORS = {
    "people": "常住人口（人）",
    "people_60plus": "60岁及以上（人）",
    "area_m2": "居住用地（平方米）",
    "homes": "住处（个）",
    "communities": "社区（个）",
}
#: Why a district has no rank, if not for what marks its figure.
NO_RANK = {
    "again": "同一街道较早的一份",
    "small": "样本小",
    "unlike": "口径或分母与多数不同",
}


# --- one district ----------------------------------------------------------------------------------------------------


def facts(district: District, results: Analysis) -> dict[str, Any]:
    """
    Return what the comparison needs of one district, as plain values, its words in the language that is spoken.

    Parameters
    ----------
    results
        Of `analyse`.

    Returns
    -------
    facts
        `district` (code, name, year, totals, what it rests on), `outline` (WKT in EPSG:4326, or None) and `indicators`: per
        rule value, denominator, its size and what is served of it, shares by the three methods, facilities, and what the
        rule asks (`definition`).
    """
    outline, basis = _outline(district)
    homes, facilities = district.homes, district.open_facilities
    totals = {column: _total(homes, column) for column in ("people", "people_60plus", "area_m2")}
    inside = None if facilities is None else _inside(district, facilities)
    area = outline.area.sum() / 1e6 if outline is not None else np.nan
    return {
        "district": {
            "code": district.code,
            "name": district.name,
            "crs": str(district.crs),
            "year": district.year,
            "list_year": district.list_year,
            "demonstration": district.is_demonstration,
            "rests_on": rests_on(district),
            "survey_note": survey_note(district),
            "outline_basis": say(BASIS_LABELS[basis]) if basis in BASIS_LABELS else "",
            "area_km2": _number(area, 4),
            "homes": 0 if homes is None else len(homes),
            "cells": bool(district.cells),
            "facilities": 0 if inside is None else int(inside.sum()),
            **{name: _number(value, 3) for name, value in totals.items()},
        },
        "outline": None if outline is None else _drawn(outline),
        "indicators": [_indicator(district, results, rule, facilities, inside) for rule in results.headlines.index],
    }


def _outline(district: District) -> tuple[gpd.GeoSeries | None, str]:
    """Return the district's outline in its CRS; without one, the hull of its homes."""
    border, homes = district.boundary, district.homes
    if border is not None and len(border):
        return gpd.GeoSeries([shapely.union_all(border.geometry.array)], crs=district.crs), str(
            district.basis("district").iloc[0]
        )
    if homes is not None and len(homes):
        hull = shapely.convex_hull(shapely.union_all(homes.geometry.array)).buffer(100)
        return gpd.GeoSeries([hull], crs=district.crs), "derived"
    return None, ""


def _drawn(outline: gpd.GeoSeries) -> str:
    lonlat = outline.simplify(OUTLINE_M).to_crs(LONLAT)
    return str(shapely.to_wkt(shapely.normalize(shapely.set_precision(lonlat.iloc[0], 1e-6)), rounding_precision=6))


def _inside(district: District, facilities: gpd.GeoDataFrame) -> np.ndarray:
    border = district.boundary
    if border is None or border.empty:
        return np.ones(len(facilities), dtype=bool)
    where = shapely.point_on_surface(facilities.geometry.array)
    return np.asarray(shapely.intersects(where, shapely.union_all(border.geometry.array)))


def _total(homes: gpd.GeoDataFrame | None, column: str) -> float:
    if homes is None or column not in homes:
        return np.nan
    return float(homes[column].astype("float64").sum(min_count=1))


def _number(value: object, digits: int = 9) -> float | None:
    """Return a number as JSON keeps it; None where unknown."""
    if not isinstance(value, SupportsFloat) or pd.isna(value) or not np.isfinite(float(value)):
        return None
    return round(float(value), digits)


def _indicator(
    district: District,
    results: Analysis,
    name: str,
    facilities: gpd.GeoDataFrame | None,
    inside: np.ndarray | None,
) -> dict[str, Any]:
    lead, rule = results.headlines.loc[name], district.rule(name)
    own = results.cover.xs(name, level="rule")
    unit = str(lead["denominator"])
    weight = pd.Series(1.0, index=own.index) if unit in ("homes", "") else own[unit].astype("float64")
    known = weight.where(own["served"].notna())
    size = float(known.sum())
    shares = {
        f"share_{m}": _number((own[f"served_{m}"] * known).sum() / size)
        if size > 0 and own[f"served_{m}"].notna().any()
        else None
        for m in METHODS
    }
    largest = _number(known.max() / size) if size > 0 else None
    if rule.metric == "presence" and len(results.presence):
        largest = None  # a home is no share of communities
        unit, size = "communities", float(len(results.presence))
    value = _number(lead["value"])
    of_kind = np.zeros(0, dtype=bool) if facilities is None else facilities["kind"].isin(rule.kinds).to_numpy()
    asks = {
        k: v for k, v in asdict(rule).items() if k in ("kinds", "method", "metres", "minutes", "denominator", "metric")
    }
    asks["walker"] = asdict(district.profile(rule.profile)) if rule.method == "walk_min" else None
    return {
        "rule": name,
        "label": rule_name(district, rule),
        "definition": hashlib.sha256(json.dumps(asks, sort_keys=True, default=str).encode()).hexdigest()[:12],
        "kinds": say("、").join(kind_name(district, kind) for kind in rule.kinds),
        "asks": _asks(district, rule),
        "standard": rule.basis_text,
        "value": value,
        "denominator": unit if value is not None else "",
        "size": _number(size, 3) if value is not None else None,
        "served": None if value is None else _number(value * size, 3),
        "unserved_people": _number(lead["people_unserved"], 3),
        "homes": int(own["served"].notna().sum()),
        "largest_home": largest,
        **shares,
        "outside_share": _number(lead["dependent_share"]),
        "minutes": _number(own["minutes"].median(), 3),
        "facilities": int((of_kind & inside).sum()) if inside is not None else 0,
        "facilities_near": int(of_kind.sum()),
        "headline": str(lead["headline"]),
        "mark": str(lead["mark"]),
    }


def _asks(district: District, rule: Rule) -> str:
    """Say what a rule asks, in one line."""
    if rule.metric == "presence":
        return say("每个社区至少有一处")
    method = say(METHOD_LABELS[rule.method])
    if rule.method != "walk_min":
        return say("{0}不超过 {1}", method, say("{0:g} 米", rule.metres))
    walker = walker_name(district, district.profile(rule.profile))
    return say("{0}，{1}不超过 {2}", walker, method, say("{0:g} 分钟", rule.minutes))


# --- side by side ----------------------------------------------------------------------------------------------------


def side_by_side(records: Iterable[tuple[str, Mapping[str, Any]]]) -> tuple[gpd.GeoDataFrame, pd.DataFrame]:
    """
    Put the facts of many districts into two tables, in the language that is spoken, as the facts are.

    Returns
    -------
    districts
        Index key, in order; the columns of `facts["district"]`, the outline in EPSG:4326, and `same_as`: the key of the
        latest year of the same district (its own where there is no other).
    values
        One row per district and indicator, in the order of the districts: `key`, `rule`, the columns of
        `facts["indicators"]`, and what `_judged` adds: `compared` (same definition and denominator as most), `small`,
        `no_rank` (why there is none, or empty), `rank` (1 = highest; equal values share it), `median`, `z`, `outlier`
        ("high", "low" or empty), `why`.
    """
    rows, shapes, values = [], [], []
    for key, record in records:
        rows.append({"key": key, **record["district"]})
        shapes.append(None if record["outline"] is None else shapely.from_wkt(record["outline"]))
        values += [{"key": key, **row} for row in record["indicators"]]
    districts = gpd.GeoDataFrame(rows, geometry=shapes, crs=LONLAT).set_index("key")
    for column in ("people", "people_60plus", "area_m2", "area_km2"):
        districts[column] = districts[column].astype("float64")
    districts["same_as"] = _same_as(districts)
    table = pd.DataFrame(values)
    numbers = [
        "value",
        "size",
        "served",
        "unserved_people",
        "largest_home",
        *(f"share_{m}" for m in METHODS),
        "outside_share",
        "minutes",
    ]
    table[numbers] = table[numbers].astype("float64")
    parts = [_judged(part, districts) for _, part in table.groupby("rule", sort=False)]
    return districts, pd.concat(parts).sort_index(kind="stable")


def _same_as(districts: gpd.GeoDataFrame) -> pd.Series:
    """Return, per district, the key of the latest with its code in its place; a code that two places share is a mistake."""
    found = pd.Series(districts.index, districts.index, dtype="object")
    order = districts.sort_values("year", ascending=False, kind="stable")
    for _, part in order[order["code"] != ""].groupby("code", sort=False):
        latest, *rest = part.geometry.items()
        for key, shape in rest:
            both = (latest[1], shape)
            unknown = any(s is None or s.is_empty for s in both)
            if unknown or latest[1].intersection(shape).area >= SAME_PLACE * min(s.area for s in both):
                found[key] = latest[0]
    return found


def over_years(districts: gpd.GeoDataFrame, values: pd.DataFrame) -> pd.DataFrame:
    """
    Return how districts that are there in several years changed.

    Parameters
    ----------
    districts, values
        As `side_by_side` returns them.

    Returns
    -------
    table
        One row per district, rule and year, in this order: `key` (of its latest year), `code`, `name`, `rule`, `label`, `year`, `value` (a share; missing where
        it is not known), `mark`. Only rules asked alike in all years of a district, and known in two of them at least.
    """
    places = districts[["code", "name", "year", "same_as"]].rename(columns={"name": "district"})
    table = values.join(places, on="key").drop_duplicates(["same_as", "rule", "year"])
    asked = table["definition"].astype(str) + "|" + table["denominator"].astype(str)
    table["asked"] = asked.where(table["value"].notna())
    group = table.groupby(["same_as", "rule"], sort=False)
    found = table[(group["value"].transform("count") > 1) & (group["asked"].transform("nunique") == 1)]
    order = {rule: n for n, rule in enumerate(dict.fromkeys(values["rule"]))}
    found = found.sort_values(
        ["code", "same_as", "rule", "year"], key=lambda c: c.map(order) if c.name == "rule" else c, kind="stable"
    )
    shown = found.drop(columns="key").rename(columns={"same_as": "key"})
    shown = shown[["key", "code", "district", "rule", "label", "year", "value", "mark"]]
    return shown.rename(columns={"district": "name"}).reset_index(drop=True)


def _judged(part: pd.DataFrame, districts: gpd.GeoDataFrame) -> pd.DataFrame:
    """Rank one indicator and find its outliers."""
    part = part.copy()
    known = part["value"].notna()
    again = part["key"].map(districts["same_as"]) != part["key"]
    like = part[["definition", "denominator"]].apply(tuple, axis=1)
    # the most frequent definition; among equally frequent ones the first in order of text
    most = min(like[known & ~again].mode()) if (known & ~again).any() else None
    part["compared"] = known & ~again & (like == most)
    few = np.where(
        part["denominator"] == "communities",
        part["size"] < FEW_COMMUNITIES,
        (part["homes"] < FEW_HOMES) | (part["largest_home"] > LARGEST_HOME),
    )
    part["small"] = known & few
    demo = known & (part["mark"] != "")
    why = [say(NO_RANK["again"]), part["mark"], say(NO_RANK["unlike"]), say(NO_RANK["small"])]
    part["no_rank"] = np.select([again, demo, known & ~part["compared"], part["small"]], why, "")
    ranked = part["compared"] & (part["no_rank"] == "")
    values = part["value"].where(ranked)
    part["rank"] = values.round(9).rank(method="min", ascending=False)
    part["median"] = values.median()
    part["z"] = _modified_z(values)
    enough = int(ranked.sum()) >= FEW_DISTRICTS
    part["outlier"] = np.select(
        [enough & (part["z"] > OUTLIER_Z), enough & (part["z"] < -OUTLIER_Z)], ["high", "low"], ""
    )
    part["why"] = ""
    if (part["outlier"] != "").any():
        part["why"] = _why(part, districts, ranked)
    return part


def _modified_z(values: pd.Series) -> pd.Series:
    """Return how far each value lies from the median, in robust standard deviations; 0 where most are equal."""
    away = values - values.median()
    spread = away.abs().median()
    if spread > 1e-9:
        return 0.6745 * away / spread
    mean = away.abs().mean()
    return away / (1.253314 * mean) if mean > 1e-9 else away * 0.0


def _why(part: pd.DataFrame, districts: gpd.GeoDataFrame, ranked: pd.Series) -> pd.Series:
    """Say, for each outlier, in which of the things that make a share it differs from the middle of its peers."""
    own = districts.loc[part["key"]].set_axis(part.index)
    looks = {
        "每万人设施": (part["facilities"] / own["people"].where(own["people"] > 0) * 1e4, "{0} 处", 2, 1),
        "每平方公里设施": (part["facilities"] / own["area_km2"], "{0} 处", 2, 1),
        "每平方公里人口": (own["people"] / own["area_km2"], "{0} 人", 0, 1),
        "依赖界外设施": (part["outside_share"], "", 0, -1),
        "绕行（直线圈内而走不到的份额）": (
            (part["share_buffer"] - part["share_network_m"]).clip(lower=0),
            "",
            0,
            -1,
        ),
        "到最近设施步行时间中位数": (part["minutes"], "{0} 分钟", 1, -1),
    }
    found = pd.Series("", index=part.index)
    for at in part.index[part["outlier"] != ""]:
        up = 1 if part.loc[at, "outlier"] == "high" else -1
        none = part.loc[at, "facilities"] == 0 and up < 0
        said = [say("界内没有{0}", part.loc[at, "kinds"])] if none else []
        for label, (values, form, digits, sign) in looks.items():
            if none and label in ("每万人设施", "每平方公里设施"):
                continue  # said already
            value, middle = values.loc[at], values.where(ranked).median()
            if pd.isna(value) or pd.isna(middle):
                continue
            spread = (values.where(ranked) - middle).abs().median()
            if abs(value - middle) > 2 * spread and np.sign(value - middle) == up * sign:
                here, usual = (say(form, amount(v, digits)) if form else per_cent(v, digits) for v in (value, middle))
                said.append(say("{0} {1}（中位 {2}）", say(label), here, usual))
        plain = say("密度、设施数、绕行都在常见范围内：先核对该街道的设施和人口数据")
        found.loc[at] = say("；").join(said[:3]) or plain
    return found


def spread(values: pd.DataFrame) -> pd.DataFrame:
    """
    Sum up each indicator over the districts that are ranked.

    Returns
    -------
    table
        Index rule, in order; of a district that is there in several years only the latest counts. Columns `label`, `kinds`,
        `asks`, `standard`, `denominator`, `districts` (all), `known`, `ranked`, `demo`, `small`, `unlike`, `no_data`; `low`, `q1`,
        `median`, `q3`, `high` (0-1) and `pooled` (what is served of all ranked denominators together); `outliers`.
    """
    rows = []
    for rule, part in values[values["no_rank"] != say(NO_RANK["again"])].groupby("rule", sort=False):
        ranked = part[part["rank"].notna()]
        known = part["value"].notna()
        quarter = ranked["value"].quantile([0, 0.25, 0.5, 0.75, 1]).to_numpy() if len(ranked) else [np.nan] * 5
        compared = part[part["compared"]]
        first = compared.iloc[0] if len(compared) else part.iloc[0]
        size = ranked["size"].sum()
        rows.append(
            {
                "rule": rule,
                "label": first["label"],
                "kinds": first["kinds"],
                "asks": first["asks"],
                "standard": first["standard"],
                "denominator": first["denominator"],
                "districts": len(part),
                "known": int(known.sum()),
                "ranked": len(ranked),
                "demo": int(((part["no_rank"] == part["mark"]) & (part["no_rank"] != "")).sum()),
                **{why: int((part["no_rank"] == say(NO_RANK[why])).sum()) for why in ("small", "unlike")},
                "no_data": int((~known).sum()),
                **dict(zip(("low", "q1", "median", "q3", "high"), quarter, strict=True)),
                "pooled": ranked["served"].sum() / size if size > 0 else np.nan,
                "outliers": int((part["outlier"] != "").sum()),
            }
        )
    return pd.DataFrame(rows).set_index("rule")


def ranking(values: pd.DataFrame, rule: str, names: Mapping[str, str] | pd.Series) -> pd.DataFrame:
    """Return one indicator's districts: ranked ones first, then those shown without a rank, then those without data."""
    part = values[values["rule"] == rule].copy()
    part["name"] = part["key"].map(names)
    part["group"] = np.select([part["rank"].notna(), part["value"].notna()], [0, 1], 2)
    return part.sort_values(["group", "value", "key"], ascending=[True, False, True], kind="stable")


def without_rank(part: pd.DataFrame) -> Sequence[str]:
    """Return, per row of a ranking, its rank as text or why there is none."""
    return [
        f"{row.rank:.0f}" if row.rank == row.rank else (row.no_rank if row.value == row.value else say("数据不足"))
        for row in part[["rank", "no_rank", "value"]].itertuples(index=False)
    ]
