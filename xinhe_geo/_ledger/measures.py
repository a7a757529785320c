"""
How a promise is measured: metrics, few and general, each bound by its name in `measures.csv`.

A metric is given a district and one row of that table, and returns what it found (`Found`): the value, what it counted in
words, the rows of which layers it touched, the gap and what would close it. What it cannot do without it names (`Lacks`).
Verdicts are none of its business: see `ledger`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from ..capacity import COUNT, decay_of, sizes, within_capacity
from ..coverage import SHARE_TOLERANCE, TOLERANCE_MIN, presence
from ..district import District
from ..layers import BASES, BASIS_LABELS, DEMONSTRATION, LAYERS, ON_THE_WAY
from ..reach import facility_doors, hinge, home_points
from ..values import METHOD_LABELS, METHODS, TOLERANCE_M, Rule

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
#: What a metric cannot do without: layers, and columns of its row.
_LAYERS_OF: Mapping[str, tuple[str, ...]] = {
    "communities_with": ("communities", "facilities"),
    "communities_without": ("communities", "facilities"),
    "coverage": ("homes", "facilities", "streets"),
    "completeness": ("homes", "facilities", "streets"),
    "kinds_present": ("facilities",),
    "near": ("homes", "facilities", "streets"),  # the wall of a compound is part of the way
    "in_gap": ("homes", "facilities", "streets"),
    "difference": ("homes", "facilities", "streets"),
    "gini": ("homes", "facilities", "streets"),
    "theil": ("homes", "facilities", "streets"),
    "per_thousand": ("homes", "facilities"),
    "capacity": ("homes", "facilities", "streets"),
    "per_communities": ("communities", "facilities"),
    "attribute": ("facilities",),
    "series": ("series",),
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
SCOPE_LAYERS = {
    "district": "district", "zone": "zones", "area": "areas", "community": "communities", "parcel": "parcels", "home": "homes",
}  # fmt: skip
#: Metrics that take the whole district for all its homes or communities, whatever its outline.
_WHOLE_DISTRICT = (
    "coverage", "completeness", "capacity", "in_gap", "difference", "gini", "theil", "communities_with", "communities_without", "mix",
)  # fmt: skip
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
_WEIGHTS = {
    "people": ("常住人口", "人"),
    "people_60plus": ("60岁及以上人口", "位60岁及以上老人"),
    "households": ("户数", "户"),
    "area_m2": ("居住用地", "m² 居住用地"),
    "homes": ("小区数", "个小区"),
}
_WORDS = {
    "plan": "规划原文",
    "standard": "标准",
    "reference": "参考线",
    "any": "任一",
    "all": "都要",
    ">=": "≥",
    "<=": "≤",
    "==": "＝",
}
SIGNS = {">=": "≥", "<=": "≤", "==": "＝"}
#: How many places a gap names before it says "and so on".
NAMED_AT_MOST = 8

Measure = Mapping[str, Any]


class Found(NamedTuple):
    """What a metric found: the value, what it counted in words, and which rows of which layers it touched."""

    value: float
    said: str
    touched: Mapping[str, pd.Series]
    gap: str = ""
    fix: str = ""
    low: float = math.nan  # the same number by other methods
    high: float = math.nan
    target: float = math.nan  # replaces the number of the table
    waits: str = ""  # what still has to be typed in
    note: str = ""  # what was left out of the number


class Lacks(Exception):
    """Something a measure cannot do without; the message names it."""


def evaluate(district: District, m: Measure) -> Found:
    """
    Measure one row of `measures.csv`.

    Raises
    ------
    Lacks
        A layer, a kind's survey or a column it cannot do without.
    """
    _require_layers(district, m)
    return _METRICS[str(m["metric"])](district, m)


# --- rows, numbers and names ------------------------------------------------------------------------------------------


def once(district: District, key: Hashable, make: Callable[[], Any]) -> Any:
    """Return a table derived from this district, made once."""
    if ("ledger", key) not in district.memo:
        district.memo["ledger", key] = make()
    return district.memo["ledger", key]


def rows_of(district: District, name: str) -> pd.DataFrame:
    """Return the rows of a table as they were read; the same frame for everybody."""
    table: pd.DataFrame = once(district, ("table", name), lambda: district.rows[name])
    return table


def listed(text: str) -> list[str]:
    """Return the parts of a cell that lists several things."""
    return [part.strip() for part in text.split(";") if part.strip()]


def target_of(m: Measure) -> float:
    """Return the number a row is compared with; missing where it states none."""
    if m["metric"] == "per_communities" or not m["operator"]:
        return math.nan
    return float(m["high"] if m["operator"] == "<=" else m["low"])


def number_text(value: float, unit: str) -> str:
    """Return a number with its unit, in as many digits as say something."""
    digits = (
        0 if value == round(value) or abs(value) >= 1000 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    )
    return f"{value:,.{digits}f} {unit}".strip()


def _named(names: Iterable[object]) -> str:
    words = [str(n) for n in names]
    more = f" 等 {len(words)} 处" if len(words) > NAMED_AT_MOST else ""
    return "、".join(words[:NAMED_AT_MOST]) + more


def _kind_names(district: District, kinds: Iterable[str], joint: str = "、") -> str:
    labels = district.kinds["label"]
    return joint.join(str(labels.get(k, k)) for k in kinds)


# --- what a row rests on ---------------------------------------------------------------------------------------------


def layers_for(m: Measure) -> list[str]:
    """Return the layers and tables a measure cannot do without, in the order of their declaration."""
    names = {*_LAYERS_OF.get(m["metric"], ()), *listed(m["needs"])}
    names |= {n for n in (m["layer"], m["other_layer"]) if n}
    if m["metric"] == "count" and not m["layer"]:
        names.add("facilities")
    if m["metric"] == "area" and m["per"] > 0:
        names.add("homes")
    if m["metric"] == "along" and m["relation"] != "length":
        names.add("facilities" if m["relation"] == "facilities" else "streets")
    if m["metric"] == "topology" or m["metric"] in ("series", "missing", "per_communities"):
        return [n for n in LAYERS if n in names]
    if m["scope"] == "line":
        names.add(m["lines"])
    elif m["scope"] != "district" or m["metric"] not in _WHOLE_DISTRICT:
        names.add(SCOPE_LAYERS[m["scope"]])
    if m["group"]:
        names.add(SCOPE_LAYERS[m["group"]])
    return [n for n in LAYERS if n in names]


def _require_layers(district: District, m: Measure) -> None:
    have = once(district, "declared", lambda: frozenset(district.rows))
    unsaid = _unsaid(district, m)
    missing = [n for n in LAYERS if n in {*layers_for(m), *unsaid} and n not in have]
    if missing:
        words = "、".join(f"{LAYERS[n].label}（layers.{n}）" for n in missing)
        names = ", ".join(f'"{n}"' for n in unsaid)
        known = f"；确实没有或不计的，在 district.toml 里写 without = [{names}]" if unsaid else ""
        raise Lacks(f"缺图层或表：{words}{known}")


def _walked(m: Measure) -> bool:
    """Whether a measure rests on walks: from homes along the streets."""
    return {"homes", "streets"} <= set(layers_for(m))


def _unsaid(district: District, m: Measure) -> list[str]:
    """Return the layers on the way that are not there, and of which nobody said that there are none."""
    return [n for n in ON_THE_WAY if _walked(m) and n not in district.layers and n not in district.without]


def _touch(district: District, layer: str, rows: Iterable[object] | None = None) -> dict[str, pd.Series]:
    """Return the basis of the rows of a layer that a number rests on; where there are none, the basis of the layer."""
    basis = district.basis(layer)
    if rows is not None:
        basis = basis[basis.index.isin(list(rows))]
    if basis.empty:
        default = str(district.manifest["layers"].get(layer, {}).get("basis", "derived"))
        basis = pd.Series([default], index=[""])
    return {layer: basis}


def _walk(district: District) -> dict[str, pd.Series]:
    """Return the basis of what every walk rests on: streets, and gates, entrances and barriers where there are any."""
    way = [n for n in ("streets", *ON_THE_WAY) if n in district.layers and len(district.layers[n])]
    return {layer: basis for name in way for layer, basis in _touch(district, name).items()}


def demonstration(touched: Mapping[str, pd.Series]) -> str:
    """Say how much of the input is schematic or synthetic: "社区 13 处中 13 处为示意"; empty where none is."""
    parts = []
    for layer, basis in touched.items():
        weak = basis[basis.isin(DEMONSTRATION)]
        if len(weak):
            words = "、".join(BASIS_LABELS[b] for b in DEMONSTRATION if (weak == b).any())
            counted = "" if list(basis.index) == [""] else f" {len(basis):,} 处中 {len(weak):,} 处"
            parts.append(f"{LAYERS[layer].label}{counted}为{words}")
    return "；".join(parts)


def weakest(touched: Mapping[str, pd.Series]) -> str:
    """Return the weakest basis among the rows a number rests on."""
    have = {b for basis in touched.values() for b in basis}
    return next((b for b in reversed(BASES) if b in have), "")


#: Columns that are said elsewhere in the row.
_TOLD = (
    "measure", "commitment", "label", "metric", "role", "text", "unit", "standard", "confidence", "lacks", "needs", "scope", "codes",
)  # fmt: skip


def parameters(district: District, m: Measure) -> str:
    """Return the filled parameters of a measure in words."""
    parts = [f"范围 {scope_text(district, m)}"]
    for name, column in LAYERS["measures"].names.items():
        value = m[name]
        if name in _TOLD or value == "" or pd.isna(value):
            continue
        if name in ("kinds", "near_kinds"):
            shown = _kind_names(district, listed(value))
        elif name == "rule":
            rule = district.rule(value)
            walker = district.profile(rule.profile)
            shown = (
                f"{rule.label}（{METHOD_LABELS[rule.method]}，{rule.metres:g} m / {rule.minutes:g} 分钟，"
                f"{walker.label} {walker.speed_m_s:g} m/s）"
            )
        elif name == "weight":
            shown = _WEIGHTS[value][0]
        elif name in ("layer", "other_layer", "lines"):
            shown = LAYERS[value].label
        elif name == "decay":
            zones = decay_of(district, value)
            shown = "、".join(f"{limit:g} 分钟以内 {weight:g}" for limit, weight in zones.items())
        elif name == "profile":
            walker = district.profile(value)
            shown = f"{walker.label} {walker.speed_m_s:g} m/s"
        else:
            shown = _WORDS.get(value, value) if isinstance(value, str) else f"{value:g}"
        parts.append(f"{column.label} {shown}{column.unit and ' ' + column.unit}")
    parts.append(f"数据年份 {district.year}，社区名录 {district.list_year} 年")
    return "；".join(parts)


def scope_text(district: District, m: Measure) -> str:
    """Say over what a row is measured."""
    if m["scope"] == "district":
        return "全街道"
    layer = m["lines"] if m["scope"] == "line" else SCOPE_LAYERS[m["scope"]]
    frame = district.layers.get(layer)
    names = pd.Series(dtype="str") if frame is None else frame["name"]
    names = names[~names.index.duplicated()]
    words = [str(names.get(c, c)) for c in listed(m["codes"])]
    near = f" {m['metres']:g} m 以内" if m["scope"] in ("line", "parcel", "home") and m["metres"] > 0 else ""
    return f"{LAYERS[layer].label}：{'、'.join(words)}{near}"


def inputs(district: District, m: Measure) -> str:
    """Return one line per file a row rests on: layer, file, hash, date, basis, source."""
    lines = []
    tables = ["commitments", "measures", *(["rules", "profiles"] if m["rule"] else [])]
    tables += ["decays", "profiles"] if m["decay"] else []
    own = layers_for(m)
    own += [n for n in ON_THE_WAY if _walked(m) and n in district.layers]
    for name in dict.fromkeys([*own, *tables]):
        if name not in district.files.index:
            lines.append(f"{LAYERS[name].label}｜没有声明")
            continue
        file, said = district.files.loc[name], district.manifest["layers"].get(name, {})
        parts = [LAYERS[name].label, str(file["file"]), f"sha256 {str(file['sha256'])[:16]}", str(said.get("date", ""))]
        parts += [BASIS_LABELS.get(str(said.get("basis", "")), ""), str(file["from"]), str(said.get("source", ""))]
        lines.append("｜".join(p for p in parts if p))
    return "\n".join(lines)


# --- scopes ----------------------------------------------------------------------------------------------------------


def _pick(district: District, layer: str, codes: str) -> gpd.GeoDataFrame:
    """Return the rows of a layer whose key or name is asked for; all where nothing is."""
    frame = district.layers[layer]
    if not codes:
        return frame
    wanted = listed(codes)
    names = set(frame["name"].dropna())
    missing = [c for c in wanted if c not in frame.index and c not in names]
    # phases of an estate are built one after the other: those that stand are taken
    if missing and not (layer == "homes" and len(missing) < len(wanted)):
        when = f"（{district.list_year} 年名录）" if layer == "communities" else ""
        raise Lacks(f"{LAYERS[layer].label}{when}里没有“{'、'.join(missing)}”")
    return frame[frame.index.isin(wanted) | frame["name"].isin(wanted).to_numpy()]


def _scope_rows(district: District, m: Measure) -> tuple[str, gpd.GeoDataFrame]:
    layer = m["lines"] if m["scope"] == "line" else SCOPE_LAYERS[m["scope"]]
    return layer, _pick(district, layer, m["codes"] if m["scope"] != "district" else "")


def _scope_shape(district: District, m: Measure) -> tuple[shapely.Geometry, dict[str, pd.Series]]:
    """Return the outline of a measure's scope, widened by `metres` around lines, parcels and homes."""
    layer, rows = _scope_rows(district, m)
    shape = shapely.union_all(rows.geometry.array)
    if m["scope"] in ("line", "parcel", "home") and m["metres"] > 0:
        shape = shapely.buffer(shape, m["metres"])
    return shape, _touch(district, layer, rows.index)


def _homes_in(district: District, m: Measure) -> tuple[gpd.GeoDataFrame, dict[str, pd.Series]]:
    """Return the homes of a measure's scope, and the basis of what says so."""
    homes = district.layers["homes"]
    touched: dict[str, pd.Series] = {}
    if m["scope"] in ("zone", "area", "community"):
        layer, rows = _scope_rows(district, m)
        homes = homes[district.groups[m["scope"]].reindex(homes.index).isin(rows.index).to_numpy()]
        touched = _touch(district, layer, rows.index)
    elif m["scope"] == "home" and not m["metres"] > 0:
        homes = _pick(district, "homes", m["codes"])
    elif m["scope"] != "district":
        shape, touched = _scope_shape(district, m)
        spots = homes.geometry.array if m["scope"] == "line" else shapely.point_on_surface(homes.geometry.array)
        homes = homes[shapely.intersects(shape, spots)]
    if homes.empty:
        raise Lacks(f"{scope_text(district, m)}里没有 {district.year} 年的小区")
    return homes, {**_touch(district, "homes", homes.index), **touched}


def _facilities_of(district: District, kinds: Sequence[str]) -> dict[str, pd.Series]:
    facilities = district.layers["facilities"]
    return _touch(district, "facilities", facilities.index[facilities["kind"].isin(kinds)])


def _surveyed(district: District, kinds: Iterable[str]) -> list[str]:
    """Return the kinds that were surveyed, or of which something is known at all."""
    known = district.surveyed_kinds | set(district.layers["facilities"]["kind"])
    return [k for k in kinds if k in known]


def _require_survey(district: District, kinds: Sequence[str], *, every: bool = False) -> None:
    have = _surveyed(district, kinds)
    if not have or (every and len(have) < len(kinds)):
        raise Lacks(f"没有调查过{_kind_names(district, [k for k in kinds if k not in have])}")


def _open_places(district: District, m: Measure, kinds: Sequence[str]) -> tuple[gpd.GeoDataFrame, dict[str, pd.Series]]:
    """Return the open facilities of some kinds inside a measure's scope, opened no earlier than its `since`."""
    _require_survey(district, kinds)
    shape, touched = _scope_shape(district, m)
    places = district.open_facilities
    assert places is not None  # the layer was asked for before
    places = places[places["kind"].isin(kinds).to_numpy()]
    if m["since"] == m["since"]:
        places = places[(places["since"].fillna(-1) >= m["since"]).to_numpy(dtype=bool)]
    return places[shapely.intersects(shape, places.geometry.array)], {**_facilities_of(district, kinds), **touched}


def _planned(district: District, kinds: Sequence[str], shape: shapely.Geometry | None = None) -> gpd.GeoDataFrame:
    """Return planned facilities that are not counted as open, whatever their year: a plan is for later."""
    places = gpd.GeoDataFrame(rows_of(district, "facilities"))
    due = places["since"].notna() & (places["since"].fillna(0) <= district.year) & district.with_planned
    places = places[(places["kind"].isin(kinds) & (places["state"] == "planned") & ~due).to_numpy(dtype=bool)]
    return places if shape is None else places[shapely.intersects(shape, places.geometry.array)]


def _planned_text(places: gpd.GeoDataFrame) -> str:
    if places.empty:
        return ""
    words = [
        f"{name if isinstance(name, str) else key}{'' if pd.isna(year) else f'（{int(year)} 年）'}"
        for key, name, year in zip(places.index, places["name"], places["since"], strict=True)
    ]
    return f"已有规划点位：{_named(words)}"


# --- metrics: places -------------------------------------------------------------------------------------------------


def _communities_with(district: District, m: Measure) -> Found:
    """How many communities have one of the kinds (or all of them); each counts once however many it has."""
    kinds = listed(m["kinds"])
    _require_survey(district, kinds, every=m["combine"] == "all")
    touched = _facilities_of(district, kinds)
    has, _ = presence_of(district, m, touched)
    touched |= _touch(district, "communities", has.index)
    names = district.layers["communities"]["name"]
    lacking = [names.get(c, c) for c in has.index[~has]]
    joint = "和" if m["combine"] == "all" else "或"
    what = _kind_names(district, kinds, joint)
    counted = f"{len(has)} 个社区（{district.list_year} 年名录）中 {int(has.sum())} 个有"
    without = m["metric"] == "communities_without"
    value = float(len(lacking) if without else has.mean() * 100 if m["unit"] == "%" else has.sum())
    gap = f"缺 {len(lacking)} 个社区：{_named(lacking)}" if lacking else ""
    return Found(value, counted, touched, gap, _fill_communities(district, kinds, has, what) if lacking else "")


def presence_of(
    district: District, m: Measure, touched: dict[str, pd.Series] | None = None
) -> tuple[pd.Series, pd.DataFrame]:
    """Return whether each community of a row's scope has what is asked, and how many of each kind; `touched` is added to."""
    kinds = listed(m["kinds"])
    matrix = once(district, "presence", lambda: presence(district))
    counts = matrix.reindex(columns=kinds, fill_value=0)
    counts = counts[counts.index.isin(_communities_in(district, m, {} if touched is None else touched))]
    own = counts > 0
    return own.all(axis=1) if m["combine"] == "all" else own.any(axis=1), counts


def _communities_in(district: District, m: Measure, touched: dict[str, pd.Series]) -> pd.Index:
    """Return the communities of a measure's scope: named themselves, or well inside it."""
    communities = district.layers["communities"]
    if m["scope"] == "district":
        return communities.index
    if m["scope"] == "community":
        return _pick(district, "communities", m["codes"]).index
    shape, outline = _scope_shape(district, m)
    touched |= outline
    inside = shapely.intersects(shape, shapely.point_on_surface(communities.geometry.array))
    if not inside.any():
        raise Lacks(f"{scope_text(district, m)}里没有社区")
    return communities.index[inside]


def _fill_communities(district: District, kinds: Sequence[str], has: pd.Series, what: str) -> str:
    """Say what would close the gap: one place in each community that lacks one; planned places there are named."""
    planned = _planned(district, kinds)
    there = district.locate(planned)["community"] if len(planned) else pd.Series(dtype="str")
    due = planned[there.isin(has.index[~has]).to_numpy(dtype=bool)] if len(planned) else planned
    text = f"每个缺的社区补 1 处{what}，共 {int((~has).sum())} 处"
    said = _planned_text(due)
    return f"{text}；{said}" if said else text


def _count(district: District, m: Measure) -> Found:
    """How many places of some kinds, or rows of a layer, are in the scope."""
    if m["layer"]:
        layer = str(m["layer"])
        frame = district.layers[layer]
        shape, touched = _scope_shape(district, m)
        rows = frame[shapely.intersects(shape, shapely.point_on_surface(frame.geometry.array))]
        value, what = float(len(rows)), LAYERS[layer].label
        return Found(value, f"{scope_text(district, m)}里有 {len(rows)} 处{what}", {**_touch(district, layer), **touched},
                      _short_of(m, value))  # fmt: skip
    kinds = listed(m["kinds"]) or list(district.kinds.index)
    places, touched = _open_places(district, m, kinds)
    value = float(len(places))
    said = f"{scope_text(district, m)}里开放 {len(places)} 处" + (f"：{_place_names(places)}" if len(places) else "")
    gap = _short_of(m, value)
    due = _planned_text(_planned(district, kinds, _scope_shape(district, m)[0])) if gap else ""
    return Found(value, said, touched, gap, due)


def _place_names(places: gpd.GeoDataFrame) -> str:
    return _named(n if isinstance(n, str) else k for k, n in zip(places.index, places["name"], strict=True))


def _short_of(m: Measure, value: float) -> str:
    target = target_of(m)
    if m["operator"] in (">=", "between", "==") and value < target:
        return f"还差 {number_text(target - value, str(m['unit']))}"
    above = m["high"] if m["operator"] == "between" else target
    if m["operator"] in ("<=", "between", "==") and value > above:
        return f"超出 {number_text(value - above, str(m['unit']))}"
    return ""


def _kinds_present(district: District, m: Measure) -> Found:
    """How many of the kinds the scope has at least one of."""
    kinds = listed(m["kinds"])
    asked = _surveyed(district, kinds)
    places, touched = _open_places(district, m, kinds)
    have = [k for k in asked if (places["kind"] == k).any()]
    lacking = [k for k in asked if k not in have]
    value = len(have) / len(asked) * 100 if m["unit"] == "%" else float(len(have))
    gap = f"缺：{_kind_names(district, lacking)}" if lacking else ""
    fix = (
        f"配建{_kind_names(district, lacking)}；{_planned_text(_planned(district, lacking, _scope_shape(district, m)[0]))}".rstrip(
            "；"
        )
        if lacking
        else ""
    )
    said = f"{scope_text(district, m)}：{len(asked)} 类中有 {len(have)} 类"
    return Found(value, said, touched, gap, fix, note=_unsurveyed(district, kinds))


def _unsurveyed(district: District, kinds: Sequence[str]) -> str:
    missing = [k for k in kinds if k not in _surveyed(district, kinds)]
    return f"没有调查过、未计入：{_kind_names(district, missing)}" if missing else ""


def _near(district: District, m: Measure) -> Found:
    """Which places of some kinds have one of other kinds within a walk along the streets."""
    kinds, others = listed(m["kinds"]), listed(m["near_kinds"])
    _require_survey(district, others)
    places, touched = _open_places(district, m, kinds)
    everywhere = district.open_facilities
    assert everywhere is not None
    targets = everywhere[everywhere["kind"].isin(others).to_numpy()]
    touched |= {**_facilities_of(district, [*kinds, *others]), **_walk(district)}
    if places.empty:
        raise Lacks(f"{scope_text(district, m)}里没有开放的{_kind_names(district, kinds)}，无从比较")
    metres = _walk_between(district, places, targets)
    near = metres <= m["metres"] + TOLERANCE_M
    value = float(near.mean() * 100 if m["unit"] == "%" else near.sum())
    names = places["name"].where(places["name"].notna(), places.index)
    order = metres[near].sort_values(kind="stable").index
    words = [f"{names[k]}（{metres[k]:,.0f} m）" for k in order]
    said = f"{len(places)} 处中 {int(near.sum())} 处的 {m['metres']:g} m 内有{_kind_names(district, others, '或')}"
    return Found(value, said + (f"：{_named(words)}" if words else ""), touched,
                  f"还没有的：{_named(names[~near])}" if (~near).any() else "",
                  "由近到远先作试点" if words else "")  # fmt: skip


def _walk_between(district: District, places: gpd.GeoDataFrame, targets: gpd.GeoDataFrame) -> pd.Series:
    """Return metres along the streets from each place to its nearest target; missing where there is no way."""
    nothing = pd.Series(np.nan, index=places.index)
    if targets.empty:
        return nothing
    ends = [facility_doors(district, frame) for frame in (places, targets)]
    doors, goals = (frame[(frame["edge"] >= 0).to_numpy()].reset_index(drop=True) for frame in ends)
    if doors.empty or goals.empty:
        return nothing
    found = district.network.search(doors, goals)
    metres = pd.Series(found["cost"].to_numpy(dtype=float)).groupby(doors["place"].to_numpy()).min()
    return metres.reindex(places.index)


def _attribute(district: District, m: Measure) -> Found:
    """The largest, smallest or summed attribute of the open facilities of some kinds."""
    kinds, field = listed(m["kinds"]), str(m["field"])
    places, touched = _open_places(district, m, kinds)
    what = _kind_names(district, kinds, "或")
    if places.empty:
        raise Lacks(f"{scope_text(district, m)}里没有开放的{what}，没有属性可比")
    values = pd.to_numeric(places[field], errors="coerce").dropna()
    label = LAYERS["facilities"].names[field].label
    if values.empty:
        raise Lacks(f"缺{what}的{label}（facilities 的 {field} 列，{len(places)} 处都没有填）")
    value = float(getattr(values, m["aggregate"] if m["aggregate"] in ("max", "min", "sum") else "max")())
    blank = len(places) - len(values)
    names = places["name"].where(places["name"].notna(), places.index)
    said = "、".join(
        f"{names[k]} {number_text(float(v), str(m['unit']))}" for k, v in values.head(NAMED_AT_MOST).items()
    )
    note = f"{blank} 处没有填{label}" if blank else ""
    return Found(value, said, touched, _short_of(m, value), _planned_text(_planned(district, kinds)), note=note)


def _per_thousand(district: District, m: Measure) -> Found:
    """Capacity (or number) of some kinds per so many people of the scope."""
    kinds, field, weight = listed(m["kinds"]), str(m["field"]), str(m["weight"] or "people")
    homes, touched = _homes_in(district, m)
    people = _weight_of(homes, weight)
    places, more = _open_places(district, m, kinds)
    touched |= more
    offered = _sizes(places, field, kinds, district)
    total, base = float(offered.sum()), float(people.sum())
    value = total / base * m["per"]
    size = "" if field == "count" else f"共 {number_text(total, '')}"
    said = f"{len(places)} 处{size}，{_WEIGHTS[weight][0]} {number_text(base, '')}"
    short = target_of(m) * base / m["per"] - total
    gap = f"按 {target_of(m):g} 计还差 {math.ceil(short - 1e-9):,}" if m["operator"] == ">=" and short > 1e-9 else ""
    return Found(value, said, touched, gap, _planned_text(_planned(district, kinds)) if gap else "")


def _sizes(places: gpd.GeoDataFrame, field: str, kinds: Sequence[str], district: District) -> pd.Series:
    """Return how much each place offers; a place without a size, or sizes in different units, is 数据不足."""
    what, label = (
        _kind_names(district, kinds, "或"),
        "个数" if field == COUNT else LAYERS["facilities"].names[field].label,
    )
    try:
        offered = sizes(places, field)
    except ValueError as error:
        raise Lacks(f"{what}的{error}，不能相加（facilities 的 capacity_unit 列）") from error
    if offered.isna().any():
        blank = int(offered.isna().sum())
        raise Lacks(f"缺{what}的{label}（facilities 的 {field} 列，{len(offered)} 处中 {blank} 处没有填）")
    return offered


def _capacity(district: District, m: Measure) -> Found:
    """Share of people with a place in reach and room in it; supply is shared out among all who can walk to it."""
    kinds, weight, per = listed(m["kinds"]), str(m["weight"] or "people"), float(m["per"])
    _require_survey(district, kinds)
    homes, touched = _homes_in(district, m)
    demand = _weight_of(homes, weight)
    everywhere = district.open_facilities
    assert everywhere is not None  # the layer was asked for before
    _sizes(everywhere[everywhere["kind"].isin(kinds).to_numpy()], str(m["field"]), kinds, district)
    rows = shared_out(district, m).reindex(homes.index)
    touched |= {**_walk(district), **_facilities_of(district, kinds)}
    total = float(rows["demand"].sum())
    reach, served = float(rows["within"].sum()), float(rows["served"].sum())
    unit, walker = _WEIGHTS[weight][1], district.profile(m["profile"] or _first_profile(district))
    limit = decay_of(district, str(m["decay"])).index[-1]
    said = (
        f"按{walker.label}的速度 {limit:g} 分钟内有的 {reach / total:.1%}，有且够用的 {served / total:.1%}"
        f"（应有每 {per:g} 人 {m['norm']:g}；分到的合每 {per:g} 人 {number_text(float(rows['supply'].sum()) / total * per, '')}）"
    )
    short = float(rows["short"].sum())
    where = _missed(homes, (rows["demand"] - rows["served"]).dropna(), weight).replace("不可达", "够不着或不够用")
    gap = f"{where}；按应有数还差 {number_text(round(short, 2), '')}" if where else ""
    unknown = int(demand.isna().sum())
    note = f"{unknown} 处小区的{_WEIGHTS[weight][0]}不详、未计入" if unknown else ""
    planned = _planned_text(_planned(district, kinds)) if gap else ""
    fix = f"在缺口最大的小区附近增设{_kind_names(district, kinds, '或')}，或扩大现有的规模" if gap else ""
    return Found(served / total * 100, said.replace(" 人 ", f" {unit} ") if unit != "人" else said, touched, gap,
                 "；".join(part for part in (fix, planned) if part), note=note)  # fmt: skip


def shared_out(district: District, m: Measure) -> pd.DataFrame:
    """Return what `within_capacity` finds for a row of metric capacity: index home."""
    key = ("capacity", *(m[c] for c in ("kinds", "norm", "per", "decay", "field", "profile", "weight")))

    def make() -> pd.DataFrame:
        return within_capacity(
            district,
            listed(m["kinds"]),
            norm=float(m["norm"]),
            per=float(m["per"]),
            decay=str(m["decay"]),
            field=str(m["field"]),
            profile=m["profile"] or _first_profile(district),
            weight=str(m["weight"] or "people"),
        )

    rows: pd.DataFrame = once(district, key, make)
    return rows


def _per_communities(district: District, m: Measure) -> Found:
    """How many places there should be where each serves `low` to `high` communities, against how many there are."""
    kinds = listed(m["kinds"])
    _require_survey(district, kinds)
    places = district.open_facilities
    assert places is not None
    places = places[places["kind"].isin(kinds).to_numpy()]
    communities = district.layers["communities"]
    inside = district.locate(places)["community"].notna().to_numpy()
    value, n = float(inside.sum()), len(communities)
    few, many = math.ceil(n / m["high"]), math.ceil(n / m["low"])
    short = f"还差 {few - value:.0f}—{many - value:.0f} 处" if value < few else f"还差 0—{many - value:.0f} 处"
    said = f"{n} 个社区（{district.list_year} 年名录），每 {m['low']:g}—{m['high']:g} 个 1 处，应有 {few}—{many} 处，现有 {value:.0f} 处"
    touched = {**_touch(district, "communities"), **_facilities_of(district, kinds)}
    fix = _planned_text(_planned(district, kinds)) if value < many else ""
    return Found(value, said, touched, short if value < many else "", fix, target=float(few))


# --- metrics: homes --------------------------------------------------------------------------------------------------


def _points_within(district: District, rule: Rule, method: str) -> pd.Series:
    """Return which points of `home_points` get to any of the rule's kinds within its limit; index point."""
    table = hinge(district, rule.kinds, profile=rule.profile)
    if method == "walk_min":
        within = table["minutes"] <= rule.minutes + TOLERANCE_MIN
    else:
        within = table["metres" if method == "network_m" else "straight_metres"] <= rule.metres + TOLERANCE_M
    return within.groupby(level="point").any()


def _served(district: District, rules: Sequence[Rule], method: str = "") -> pd.Series:
    """Return the share (0-1) of each home that meets all rules, by their own methods or by one method; index home."""

    def make() -> pd.Series:
        points = home_points(district)
        within = np.ones(len(points), dtype=bool)
        for rule in rules:
            within &= _points_within(district, rule, method or rule.method).reindex(points.index).to_numpy(dtype=bool)
        return _share_of_points(points, within.astype(float))

    served: pd.Series = once(district, ("served", tuple(rules), method), make)
    return served


def _share_of_points(points: gpd.GeoDataFrame, values: np.ndarray) -> pd.Series:
    share = (points["weight"] * values).groupby(points["home"].to_numpy()).sum()
    return share.where(share < 1 - SHARE_TOLERANCE, 1.0)


def _weight_of(homes: gpd.GeoDataFrame, weight: str) -> pd.Series:
    """Return what each home counts; unknown stays unknown, and all unknown is 数据不足."""
    if weight == "homes":
        return pd.Series(1.0, index=homes.index)
    values = homes.geometry.area if weight == "area_m2" else homes[weight].astype("float64")
    values = values.where(values > 0) if weight == "area_m2" else values
    if not values.sum() > 0:
        column = "homes 画成面" if weight == "area_m2" else f"homes 的 {weight} 列"
        raise Lacks(f"缺{_WEIGHTS[weight][0]}（{column}）")
    return values


def _mean(values: pd.Series, weights: pd.Series) -> float:
    both = values.notna() & weights.notna()
    return float((values[both] * weights[both]).sum() / weights[both].sum())


def _coverage(district: District, m: Measure) -> Found:
    """Share of people (or land, homes) within the limit of a rule, or of several at once, by the rule's own method."""
    rules = [district.rule(name) for name in (m["rule"], *listed(m["also_rules"]))]
    for rule in rules:
        _require_survey(district, rule.kinds)
    homes, touched = _homes_in(district, m)
    first = "people" if rules[0].denominator == "community" else rules[0].denominator
    weight = str(m["weight"] or first)
    weights = _weight_of(homes, weight)
    served = _served(district, rules).reindex(homes.index)
    others = [_mean(_served(district, rules, method).reindex(homes.index), weights) * 100 for method in METHODS]
    kinds = list(dict.fromkeys(k for rule in rules for k in rule.kinds))
    touched |= {**_walk(district), **_facilities_of(district, kinds)}
    value = _mean(served, weights) * 100
    limit = "、".join(dict.fromkeys(_limit(district, rule) for rule in rules))
    said = f"{limit}可达{_WEIGHTS[weight][0]}的份额，共 {number_text(float(weights.sum()), _WEIGHTS[weight][1])}"
    unknown = int(weights.isna().sum())
    note = f"{unknown} 处小区的{_WEIGHTS[weight][0]}不详、未计入" if unknown else ""
    missed = (weights * (1.0 - served)).dropna()
    gap = _missed(homes, missed, weight)
    fix = (
        f"在缺口最大的小区附近增设{_kind_names(district, kinds, '或')}，或增开出入口；候选位置用选址计算" if gap else ""
    )
    return Found(value, said, touched, gap, fix, min(others), max(others), note=note)


def by_home(district: District, m: Measure) -> tuple[pd.Series, pd.Series, str]:
    """
    Return the share (0-1) of each home of a row's scope, what each counts, and the unit of that in words; index home.

    For the metrics that are means over homes: coverage, completeness, capacity.

    Raises
    ------
    Lacks
        What the row cannot do without.
    """
    _require_layers(district, m)
    homes, _ = _homes_in(district, m)
    weight = str(m["weight"] or "people")
    if m["metric"] == "capacity":
        rows = shared_out(district, m).reindex(homes.index)
        return rows["served"] / rows["demand"].where(rows["demand"] > 0), rows["demand"], _WEIGHTS[weight][1]
    if m["metric"] == "coverage" and not m["weight"]:
        asked = district.rule(m["rule"]).denominator
        weight = "people" if asked == "community" else asked
    level, _, _ = _level(district, m)
    return level.reindex(homes.index), _weight_of(homes, weight), _WEIGHTS[weight][1]


def _limit(district: District, rule: Rule) -> str:
    if rule.method == "walk_min":
        return f"按{district.profile(rule.profile).label}的速度 {rule.minutes:g} 分钟"
    return f"{METHOD_LABELS[rule.method]} {rule.metres:g} 米"


def _missed(homes: gpd.GeoDataFrame, missed: pd.Series, weight: str) -> str:
    """Say how many are not served, and where most of them are."""
    total = float(missed.sum())
    if total <= SHARE_TOLERANCE:
        return ""
    most = missed[missed > SHARE_TOLERANCE].sort_values(ascending=False, kind="stable")
    names = homes["name"].where(homes["name"].notna(), homes.index)
    unit = _WEIGHTS[weight][1]
    words = [f"{names[k]}" if weight == "homes" else f"{names[k]} {v:,.0f}" for k, v in most.items()]
    return f"{number_text(round(total, 1), unit)}不可达，在 {len(most)} 个小区：{_named(words)}"


def _reached(district: District, kinds: Sequence[str], minutes: float, profile: str) -> pd.DataFrame:
    """Return, per point and kind, whether a walk of so many minutes gets there."""

    def make() -> pd.DataFrame:
        table = hinge(district, kinds, profile=profile)["minutes"].unstack("kind").droplevel("home")[list(kinds)]
        return (table <= minutes + TOLERANCE_MIN).reindex(home_points(district).index)

    reached: pd.DataFrame = once(district, ("reached", tuple(kinds), minutes, profile), make)
    return reached


def _level(district: District, m: Measure) -> tuple[pd.Series, list[str], pd.DataFrame]:
    """Return how well each home is served (0-1), by a rule or by the share of kinds within a walk; kinds; per point."""
    if m["rule"]:
        rules = [district.rule(name) for name in (m["rule"], *listed(m["also_rules"]))]
        for rule in rules:
            _require_survey(district, rule.kinds)
        kinds = list(dict.fromkeys(k for rule in rules for k in rule.kinds))
        return _served(district, rules), kinds, pd.DataFrame()
    asked = listed(m["kinds"])
    _require_survey(district, asked, every=m["combine"] == "all")
    kinds = _surveyed(district, asked)
    has = _reached(district, kinds, m["minutes"], m["profile"] or _first_profile(district))
    values = has.all(axis=1) if m["combine"] == "all" else has.mean(axis=1)
    return _share_of_points(home_points(district), values.to_numpy(dtype=float)), kinds, has


def _first_profile(district: District) -> str:
    """Return the walker that stands first in `profiles.csv`: who walks where a row does not say."""
    return str(district.profiles.index[0])


def _completeness(district: District, m: Measure) -> Found:
    """Mean share of kinds within a walk (or the share that has them all), over the homes of the scope."""
    level, kinds, has = _level(district, m)
    homes, touched = _homes_in(district, m)
    weight = str(m["weight"] or "people")
    weights = _weight_of(homes, weight)
    touched |= {**_walk(district), **_facilities_of(district, kinds)}
    value = _mean(level.reindex(homes.index), weights) * 100
    points = home_points(district)
    per_kind = {
        k: _mean(_share_of_points(points, has[k].to_numpy(dtype=float)).reindex(homes.index), weights) for k in has
    }
    lacking = sorted((share, k) for k, share in per_kind.items() if share < 1 - SHARE_TOLERANCE)
    labels = district.kinds["label"]
    gap = "最缺：" + _named(f"{labels[k]}（可达 {share:.0%}）" for share, k in lacking) if lacking else ""
    walker = district.profile(m["profile"] or _first_profile(district))
    what = "各类齐全的份额" if m["combine"] == "all" else "平均齐全度"
    said = f"按{walker.label}的速度 {m['minutes']:g} 分钟，{len(kinds)} 类，按{_WEIGHTS[weight][0]}加权的{what}"
    fix = f"先补{labels[lacking[0][1]]}：可达份额最低" if lacking else ""
    return Found(value, said, touched, gap, fix, note=_unsurveyed(district, listed(m["kinds"])))


def _difference(district: District, m: Measure) -> Found:
    """Weighted mean of the first group less that of the second, in percentage points."""
    level, kinds, _ = _level(district, m)
    homes = district.layers["homes"]
    layer = SCOPE_LAYERS[str(m["group"])]
    groups = district.groups[str(m["group"])].reindex(homes.index)
    rows = _pick(district, layer, m["codes"])
    weight = str(m["weight"] or "people")
    weights = _weight_of(homes, weight)
    means, names = [], []
    for code in listed(m["codes"])[:2]:
        one = _pick(district, layer, code)
        own = groups.isin(one.index)
        if not weights[own].sum() > 0:
            raise Lacks(f"缺{_WEIGHTS[weight][0]}：{one['name'].iloc[0]}里没有")
        means.append(_mean(level.reindex(homes.index)[own], weights[own]) * 100)
        names.append(str(one["name"].iloc[0]))
    counted = homes.index[groups.isin(rows.index)]
    touched = {**_touch(district, "homes", counted), **_touch(district, layer, rows.index)}
    touched |= {**_walk(district), **_facilities_of(district, kinds)}
    value = means[0] - means[1]
    said = f"{names[0]} {means[0]:.1f} %，{names[1]} {means[1]:.1f} %"
    worse = names[0] if value < 0 else names[1]
    gap = f"{worse}低 {abs(value):.1f} 个百分点" if abs(value) > 0.05 else ""
    return Found(
        value, said, touched, gap, f"先补{worse}的缺项" if gap else "", note=_unsurveyed(district, listed(m["kinds"]))
    )


def _inequality(district: District, m: Measure) -> Found:
    """Gini or Theil of how well homes are served, people-weighted; Theil split between and within groups."""
    level, kinds, _ = _level(district, m)
    homes, touched = _homes_in(district, m)
    weight = str(m["weight"] or "people")
    weights = _weight_of(homes, weight)
    values = level.reindex(homes.index)
    known = weights.notna() & (weights > 0)
    values, weights = values[known], weights[known]
    touched |= {**_walk(district), **_facilities_of(district, kinds)}
    said = f"按{_WEIGHTS[weight][0]}加权，{len(values)} 个小区；0 为人人一样"
    note = _unsurveyed(district, listed(m["kinds"]))
    if m["metric"] == "gini":
        return Found(gini(values, weights), said, touched, note=note)
    groups = None
    if m["group"]:
        groups = district.groups[str(m["group"])].reindex(values.index).fillna("")
        touched |= _touch(district, SCOPE_LAYERS[str(m["group"])])
    parts = theil(values, weights, groups)
    split = f"，其中组间 {parts['between']:.4f}，组内 {parts['within']:.4f}" if groups is not None else ""
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
        raise Lacks(f"{LAYERS[layer].label}图层里没有要素")
    _, nearest = homes.sindex.nearest(shapely.point_on_surface(spots.geometry.array), return_all=False)
    own = homes.index[nearest]
    lacking = (level.reindex(own) < 1 - SHARE_TOLERANCE).to_numpy()
    by_home = has.astype(float).groupby(home_points(district)["home"]).mean().reindex(own)
    wanted = by_home.lt(0.5).sum().sort_values(ascending=False, kind="stable")
    touched = {**_touch(district, layer), **_touch(district, "homes", own), **_walk(district)}
    touched |= _facilities_of(district, kinds)
    value = float(lacking.mean() * 100 if m["unit"] == "%" else lacking.sum())
    labels = district.kinds["label"]
    words = [f"{labels[k]}（{n} 处）" for k, n in wanted.items() if n > 0]
    gap = f"这些地方可补：{_named(words)}" if words else ""
    return Found(value, f"{len(spots)} 处中 {int(lacking.sum())} 处挨着缺配套的小区", touched, gap, gap)


# --- metrics: shapes -------------------------------------------------------------------------------------------------


def _area(district: District, m: Measure) -> Found:
    """Area of a layer's rows in the scope, in the unit of the row; per person where `per` is given."""
    layer = str(m["layer"])
    same = SCOPE_LAYERS.get(str(m["scope"])) == layer
    rows = _pick(district, layer, m["codes"]) if same else district.layers[layer]
    shape = shapely.union_all(rows.geometry.array)
    touched = _touch(district, layer, rows.index)
    if not same:
        outline, more = _scope_shape(district, m)
        shape, touched = shapely.intersection(shape, outline), {**touched, **more}
    value = float(shape.area) / {"km²": 1e6, "公顷": 1e4}.get(str(m["unit"]), 1.0)
    said = f"{len(rows)} 处{LAYERS[layer].label}合计 {number_text(shape.area, 'm²')}"
    if m["per"] > 0:
        homes, more = _homes_in(district, m)
        people = float(_weight_of(homes, str(m["weight"] or "people")).sum())
        value, touched = value / people * m["per"], {**touched, **more}
        said += f"，{_WEIGHTS[str(m['weight'] or 'people')][0]} {number_text(people, '')}"
    return Found(value, said, touched, _short_of(m, value))


def _topology(district: District, m: Measure) -> Found:
    """How the rows of one layer lie to those of another: inside, north of, covered, overlapping, tiling, straddling."""
    layer, other = str(m["layer"]), str(m["other_layer"])
    rows = _pick(district, layer, m["codes"])
    others = _pick(district, other, m["other_codes"])
    touched = {**_touch(district, layer, rows.index), **_touch(district, other, others.index)}
    own, whole = shapely.union_all(rows.geometry.array), shapely.union_all(others.geometry.array)
    names = f"{LAYERS[layer].label} {len(rows)} 处", f"{LAYERS[other].label} {len(others)} 处"
    relation = str(m["relation"])
    if relation == "straddle":
        return _straddle(rows, others, touched, m)
    overlap = _ground(rows.geometry.area.sum() - own.area)
    outside = _ground(shapely.difference(whole, own).area)
    if relation == "north_of":
        north = shapely.intersection(own, _north_of(whole, own))
        rest = _ground(own.area - north.area)
        value = (1 - rest / own.area) * 100
        said = f"{names[0]}中在线以北的面积份额"
    elif relation == "inside":
        rest = _ground(shapely.difference(own, whole).area)
        value, said = (1 - rest / own.area) * 100, f"{names[0]}落在{names[1]}以内的面积份额"
    elif relation == "covered":
        value, rest, said = (1 - outside / whole.area) * 100, outside, f"{names[1]}被{names[0]}盖住的面积份额"
    elif relation == "overlap":
        value, rest, said = (
            overlap / whole.area * 100,
            overlap,
            f"{names[0]}互相重叠的面积占{LAYERS[other].label}的份额",
        )
    else:
        rest = outside + overlap
        value, said = (
            rest / whole.area * 100,
            f"{names[0]}拼{names[1]}：缝 {number_text(outside, 'm²')}，叠 {number_text(overlap, 'm²')}",
        )
    rest = _ground(rest)
    gap = f"不合的面积 {number_text(rest, 'm²')}" if rest > 0 else ""
    return Found(value, said, touched, gap, "核对两个图层的界线" if gap else "")


def _ground(area: float) -> float:
    """Return an area; less than a square metre is the rounding of coordinates."""
    return float(area) if area >= 1.0 else 0.0


def _straddle(rows: gpd.GeoDataFrame, others: gpd.GeoDataFrame, touched: dict[str, pd.Series], m: Measure) -> Found:
    """How many rows lie in more than one row of the other layer (slivers of less than 1 % of the row are drawing errors)."""
    i, j = others.sindex.query(rows.geometry.array, predicate="intersects")
    shared = shapely.area(
        shapely.intersection(np.asarray(rows.geometry.array)[i], np.asarray(others.geometry.array)[j])
    )
    enough = shared > 0.01 * rows.geometry.area.to_numpy()[i]
    counts = np.bincount(i[enough], minlength=len(rows))
    across = rows[counts > 1]
    said = f"{len(rows)} 处中 {len(across)} 处跨界"
    return Found(float(len(across)), said, touched, f"跨界：{_place_names(across)}" if len(across) else "",
                  "按界线拆开" if len(across) else "")  # fmt: skip


def _north_of(line: shapely.Geometry, around: shapely.Geometry) -> shapely.Geometry:
    """Return the ground north of a line that runs roughly west to east, its ends drawn out due west and due east."""
    merged = shapely.line_merge(shapely.union_all(line))
    parts = [shapely.get_coordinates(part) for part in shapely.get_parts(merged)]
    parts = [part if part[0, 0] <= part[-1, 0] else part[::-1] for part in parts]
    path = np.concatenate(sorted(parts, key=lambda part: float(part[0, 0])))
    west, _, east, north = shapely.total_bounds([line, around]) + np.array([-1.0, -1.0, 1.0, 1.0])
    ring = [(west, path[0, 1]), *map(tuple, path), (east, path[-1, 1]), (east, north), (west, north)]
    return shapely.make_valid(shapely.Polygon(ring))


def _along(district: District, m: Measure) -> Found:
    """What lies along a line: places within a distance, how much of it is accompanied, how far apart it can be crossed."""
    layer, rows = str(m["lines"]), _pick(district, str(m["lines"]), m["codes"])
    touched = _touch(district, layer, rows.index)
    line = shapely.union_all(rows.geometry.array)
    if line.area > 0:
        line = shapely.boundary(line)
    where = scope_text(district, {**m, "scope": "line", "metres": math.nan})
    if m["relation"] == "facilities":
        return _along_places(district, m, line, touched)
    if m["relation"] == "length":
        other = str(m["layer"])
        company = shapely.union_all(district.layers[other].geometry.array)
        near = shapely.buffer(company, max(m["metres"], 0.0), quad_segs=32)
        part = float(shapely.intersection(line, near).length)
        said = f"{where}全长 {number_text(line.length, 'm')}，其中 {number_text(part, 'm')} 的 {m['metres']:g} m 内有{LAYERS[other].label}"
        rest = line.length - part
        gap = f"还有 {number_text(rest, 'm')} 没有" if rest > 1.0 else ""
        return Found(
            part / line.length * 100, said, {**touched, **_touch(district, other)}, gap, "补连断开的段" if gap else ""
        )
    gaps, crossings = _crossings(line, district.layers["streets"])
    said = f"{where}全长 {number_text(line.length, 'm')}，可步行穿越 {crossings} 处"
    gap = f"最长的一段 {number_text(max(gaps), 'm')} 过不去"
    return Found(max(gaps), said, {**touched, **_touch(district, "streets")}, gap, "在最长的一段中间增加过街桥或通道")


def _along_places(district: District, m: Measure, line: shapely.Geometry, touched: dict[str, pd.Series]) -> Found:
    kinds = listed(m["kinds"])
    _require_survey(district, kinds)
    places = district.open_facilities
    assert places is not None
    places = places[places["kind"].isin(kinds).to_numpy()]
    if places.empty:
        raise Lacks(f"没有开放的{_kind_names(district, kinds)}，无从比较")
    metres = shapely.distance(line, places.geometry.array)
    near = metres <= m["metres"] + TOLERANCE_M
    value = float(near.mean() * 100 if m["unit"] == "%" else near.sum())
    names = places["name"].where(places["name"].notna(), places.index)
    words = [f"{name}（{d:,.0f} m）" for name, d in zip(names, metres, strict=True)]
    said = f"{len(places)} 处中 {int(near.sum())} 处在 {m['metres']:g} m 以内：{_named(words)}"
    return Found(value, said, {**touched, **_facilities_of(district, kinds)}, _short_of(m, value))


def _crossings(line: shapely.Geometry, streets: gpd.GeoDataFrame) -> tuple[list[float], int]:
    """Return how far apart a line can be crossed on foot (its ends count as barriers' ends), and how often."""
    gaps, crossings = [], 0
    for part in shapely.get_parts(shapely.line_merge(line)):
        hit = streets.geometry.array[streets.sindex.query(part, predicate="intersects")]
        spots = shapely.get_parts(shapely.point_on_surface(shapely.get_parts(shapely.intersection(part, hit))))
        spots = spots[~shapely.is_empty(spots)]
        at = np.unique(np.round(shapely.line_locate_point(part, spots), 3)) if len(spots) else np.empty(0)
        gaps += list(np.diff(np.concatenate([[0.0], at, [part.length]])))
        crossings += len(at)
    return gaps, crossings


def _mix(district: District, m: Measure) -> Found:
    """Entropy of land uses in the scope: 0 where there is one use, 1 where all uses of the layer have equal shares."""
    layer, field = str(m["layer"]), str(m["field"])
    frame = district.layers[layer]
    shapes, touched = frame.geometry.array, _touch(district, layer)
    if m["scope"] != "district":
        outline, more = _scope_shape(district, m)
        shapes, touched = shapely.intersection(shapes, outline), {**touched, **more}
    area = pd.Series(shapely.area(shapes), index=frame.index).groupby(frame[field]).sum()
    if not area.sum() > 0 or len(area) < 2:
        raise Lacks(f"{scope_text(district, m)}里{LAYERS[layer].label}不到两类")
    share = (area / area.sum())[area > 0]
    value = float(-(share * np.log(share)).sum() / np.log(len(area)))
    most = share.sort_values(ascending=False, kind="stable").head(4)
    return Found(value, "、".join(f"{k} {v:.0%}" for k, v in most.items()), touched)


# --- metrics: what people type in ------------------------------------------------------------------------------------


def _series(district: District, m: Measure) -> Found:
    """A yearly figure: the latest, or the sum since the plan began, against the number of the target year."""
    own = _figures(district, str(m["series"]))
    since = int(m["since"]) if m["since"] == m["since"] else int(own["year"].min()) if len(own) else district.year
    until = int(m["until"]) if m["until"] == m["until"] else int(own["year"].max()) if len(own) else district.year
    filled = own[own["year"].between(since, until).to_numpy()].set_index("year")["value"].sort_index()
    target = _typed_target(district, m, until)
    ask = f"台账填报表 {m['series']} 的 {since}—{until} 年"
    if filled.empty:
        return Found(math.nan, "", _touch(district, "series"), waits=ask, target=target)
    touched = _touch(district, "series", own.index)
    value = float(filled.iloc[-1] if m["aggregate"] in ("", "latest") else getattr(filled, m["aggregate"])())
    last = int(filled.index[-1])
    blank = [y for y in range(since, until + 1) if y not in filled.index]
    to_fill = blank if m["aggregate"] == "sum" else [y for y in blank if y > last]
    goal = target if np.isfinite(target) else target_of(m)
    said = f"已填到 {last} 年{_filled_text(own[(own['year'] == last).to_numpy()])}" + (
        f"，{_path_text(district, m, value, last, since, until, goal)}" if last < until else ""
    )
    waits = f"台账填报表 {m['series']} 的 {'、'.join(map(str, to_fill))} 年" if to_fill else ""
    return Found(value, said, touched, _short_of({**m, "low": goal, "high": goal}, value), waits=waits, target=target)


def _filled_text(own: pd.DataFrame) -> str:
    """Say who filled in a figure and where it comes from, as far as the table says."""
    words = [str(v) for c in ("filled_by", "source") for v in own[c].dropna()]
    return f"（{'，'.join(dict.fromkeys(words))}）" if words else ""


def trend(district: District, m: Measure) -> pd.DataFrame:
    """
    Return what was typed in for a row of metric series, year by year, and the straight path to its target.

    Returns
    -------
    trend
        Index year, from the one before `since` to `until`. `actual` (added up where the row adds up; missing where nothing was
        typed in), `path` (missing without a target, or without a base where the row does not add up). Empty where nothing is known.
    """
    try:
        _require_layers(district, m)
        own = _figures(district, str(m["series"]))
        target = _typed_target(district, m, int(m["until"])) if np.isfinite(m["until"]) else math.nan
    except Lacks:
        return pd.DataFrame(columns=["actual", "path"])
    goal = target if np.isfinite(target) else target_of(m)
    if not np.isfinite(m["since"]) or not np.isfinite(m["until"]):
        return pd.DataFrame(columns=["actual", "path"])
    since, until = int(m["since"]), int(m["until"])
    years = pd.RangeIndex(since - 1, until + 1, name="year")
    actual = own.set_index("year")["value"].reindex(years)
    if m["aggregate"] == "sum":
        actual.loc[since - 1] = math.nan  # a year of before the plan does not count towards it
        actual, base = actual.cumsum(), 0.0
    else:
        base = float(actual.loc[since - 1])
    path = base + (goal - base) * (np.asarray(years) - (since - 1)) / (until - since + 1)
    return pd.DataFrame({"actual": actual, "path": path}, index=years)


def _figures(district: District, indicator: str) -> pd.DataFrame:
    """Return the filled rows of one indicator; a year filled twice is 数据不足."""
    table = rows_of(district, "series")
    own = table[((table["indicator"] == indicator) & table["value"].notna()).to_numpy()]
    twice = own["year"][own["year"].duplicated()]
    if len(twice):
        raise Lacks(f"台账填报表 {indicator} 的 {int(twice.iloc[0])} 年填了两次，不知取哪一个")
    return own.astype({"year": "int64"})


def _typed_target(district: District, m: Measure, year: int) -> float:
    """Return the target that was handed down and typed in, where the plan states none."""
    if not m["target_series"]:
        return math.nan
    own = _figures(district, str(m["target_series"]))
    own = own[(own["year"] == year).to_numpy()]
    return float(own["value"].iloc[0]) if len(own) else math.nan


def _path_text(district: District, m: Measure, value: float, last: int, since: int, until: int, goal: float) -> str:
    """Say where a straight path to the target would be by now."""
    if not np.isfinite(goal) or until < since:
        return f"{until} 年到期"
    base = 0.0
    if m["aggregate"] != "sum":
        before = _figures(district, str(m["series"])).set_index("year")["value"]
        base = float(before.get(since - 1, goal))
    due = base + (goal - base) * (last - since + 1) / (until - since + 1)
    on_path = value >= due - 1e-9 if m["operator"] != "<=" else value <= due + 1e-9
    return f"按直线进度应为 {number_text(due, str(m['unit']))}，{'达到' if on_path else '落后于'}进度，{until} 年到期"


def _missing(district: District, m: Measure) -> Found:
    """Nothing here can measure it: the row says what is needed."""
    raise Lacks(f"缺{m['lacks']}")


_METRICS: Mapping[str, Callable[[District, Measure], Found]] = {
    "communities_with": _communities_with,
    "communities_without": _communities_with,
    "coverage": _coverage,
    "completeness": _completeness,
    "count": _count,
    "kinds_present": _kinds_present,
    "area": _area,
    "topology": _topology,
    "near": _near,
    "along": _along,
    "in_gap": _in_gap,
    "difference": _difference,
    "gini": _inequality,
    "theil": _inequality,
    "per_thousand": _per_thousand,
    "capacity": _capacity,
    "per_communities": _per_communities,
    "attribute": _attribute,
    "mix": _mix,
    "series": _series,
    "missing": _missing,
}
