"""What the things of a district's tables are called, in the language that is spoken: layers, columns, walkers, kinds, rules."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import pandas as pd

from ..core import LAYERS, Profile, Rule, language, layer_name, renamed, say, speaking, stretch_over, word
from .district import District
from .reader import EDGE_TOLD, STRETCH_TOLD, WHERE


def place_title(district: District, lang: str | None = None) -> str:
    """Return what titles call a district: its name; under a plan also which plan, for which year, and that it is an assumption."""
    plan = district.manifest.get("scenario")
    if not plan:
        return district.name
    with speaking(lang or language()):
        return say("{0}〔方案“{1}”，{2} 年，含假定〕", district.name, plan, district.year)


def state_name(district: District) -> str:
    """Return what one of two states of a district is called beside the other: the plan, or what is there, and the year."""
    plan = district.manifest.get("scenario")
    if plan:
        return say("{0}（{1} 年）", plan, district.year)
    return say("现状（{0} 年）" if district.year == _data_year(district) else "不做方案（{0} 年）", district.year)


def _data_year(district: District) -> int:
    return int(district.manifest.get("data_year", district.year))


def year_told(district: District) -> str:
    """Say of which year the data are; in another year, a plan's or an earlier one, also for which year that state stands."""
    own = _data_year(district)
    return str(own) if own == district.year else say("{0}（{1} 年的状态）", own, district.year)


def place_name(district: District, place: object) -> str:
    """Return what a home or a community is called; the whole district where none is named."""
    if not isinstance(place, str) or not place:
        return say("全街道")
    for frame in (district.communities, district.homes):
        if frame is not None and place in frame.index and pd.notna(frame.loc[place, "name"]):
            return str(frame.loc[place, "name"])
    return place


def column_name(layer: str, column: str) -> str:
    """Return what a column is called."""
    own = LAYERS[layer].names[column].label
    return renamed(own if language() == "zh" else column.replace("_m2", " (m²)").replace("_", " "))


def name_of_label(layer: str, label: str) -> str:
    """Return what a column is called that somebody knows by its label; what is no column's stays as it is."""
    return next((column_name(layer, column.name) for column in LAYERS[layer].columns if column.label == label), label)


def list_told(district: District) -> str:
    """Say behind the year of the data of which year the list of communities is; "" where there is none, or nobody has said."""
    year = district.known_list_year if "communities" in district.layers else None
    return "" if year is None else say("，社区名录 {0} 年", year)


#: Layers that people bring, and what a row of them rests on then.
_BROUGHT, _OWN_BASES = ("district", "communities", "homes", "facilities"), ("official", "surveyed", "unstated")


def credit_of(district: District) -> str:
    """Return whom the data are from: what the folder credits, and the layers with rows that are of no map where only a map is credited."""
    credit = str(district.manifest.get("credit", "") or "")
    if not re.fullmatch("© OpenStreetMap contributors[^；;]*", credit):
        return credit
    layers = [name for name in _BROUGHT if name in district.layers]
    brought = [layer_name(name) for name in layers if district.basis(name).isin(_OWN_BASES).any()]
    return say("{0}；{1}：本地资料", credit, say("、").join(brought)) if brought else credit


def of_list(district: District) -> str:
    """Say in brackets, behind a number of communities, by the list of which year they are counted; "" where nobody has said."""
    return "" if district.known_list_year is None else say("（{0} 年名录）", district.known_list_year)


#: What importers once wrote into manifests; it is worked out now, for facilities come and go.
_OF_MAP = "设施取自 OpenStreetMap，没有实地调查，是否齐全未知：走得到的算走得到，图上走不到的不等于没有；图上没有的类别按数据不足处理"


def survey_note(district: District) -> str:
    """Say that facilities are a map's and nobody has surveyed them, as far as they are; else what somebody wrote of it, or ""."""
    stored, facilities = str(district.manifest.get("survey_note") or ""), district.layers.get("facilities")
    if stored and stored != _OF_MAP:
        return word(stored)
    if facilities is None:
        return ""
    unsure = facilities["kind"].isin(district.mapped_kinds).to_numpy()
    seen = int((unsure & (district.basis("facilities") == "osm").to_numpy()).sum())
    if seen == len(facilities):
        return say(_OF_MAP) if seen else ""
    told = "{0} 处设施中 {1} 处取自 OpenStreetMap，没有实地调查，是否齐全未知：走得到的算走得到，图上走不到的不等于没有"
    return say(told, len(facilities), seen) if seen else ""


def walker_name(district: District, walker: Profile) -> str:
    """Return what a walker is called."""
    if language() == "zh":
        return walker.label
    table = district.profiles
    if "label_en" not in table or walker.name not in table.index:
        return walker.label
    said = table.loc[walker.name, "label_en"]
    return str(said) if isinstance(said, str) and said else walker.label


def kind_name(district: District, kind: str) -> str:
    """Return what a kind of facility is called."""
    key = ("kind names", language())
    if key not in district.memo:
        table = district.kinds
        names = table["label"].map(str).to_dict()
        if language() == "en" and "label_en" in table:
            names |= {own: said for own, said in table["label_en"].items() if isinstance(said, str) and said}
        district.memo[key] = names
    names = district.memo[key]
    return str(names.get(kind, kind))


def rule_name(district: District, rule: Rule) -> str:
    """Return what a rule is called; without an English name of its own it is made of its kinds and its limit."""
    if language() == "zh":
        return rule.label
    table = district.rules
    said = table.loc[rule.name, "label_en"] if "label_en" in table and rule.name in table.index else None
    if isinstance(said, str) and said:
        return said
    kinds = " / ".join(kind_name(district, kind) for kind in rule.kinds)
    if rule.metric == "presence":
        return say("每个社区有{0}", kinds)
    if math.isinf(rule.minutes if rule.method == "walk_min" else rule.metres):
        return kinds
    limit = say("{0:g} 分钟", rule.minutes) if rule.method == "walk_min" else say("{0:g} 米", rule.metres)
    who = say("（60岁及以上）") if rule.denominator == "people_60plus" else ""
    return say("{0}内有{1}{2}", limit, kinds, who)


def stretch_said(district: District) -> str:
    """Say by how much lengths are stretched at the edge of a place too wide for one plane; else ""."""
    key = "stretch", language()
    if key not in district.memo:
        own = next((district.layers[name] for name in WHERE if name in district.layers), None)
        worst = 0.0 if own is None or own.empty else stretch_over(own.crs, own.total_bounds)[1]
        far = abs(worst) > STRETCH_TOLD
        west, south, east, north = own.total_bounds if far and own is not None else (0.0,) * 4
        district.memo[key] = say(EDGE_TOLD, (east - west) / 1000, (north - south) / 1000, worst) if far else ""
    return str(district.memo[key])


def buildings_said(district: District) -> str:
    """Say on how many of a map's buildings the homes rest, where they are blocks of these; else ""."""
    counts = district.manifest.get("layers", {}).get("homes", {}).get("buildings")
    if not isinstance(counts, Mapping) or not counts.get("seen"):
        return ""
    seen, used, stated, levels = (float(counts.get(key, 0)) for key in ("seen", "used", "stated", "levels"))
    told = "住处由图上 {0:,.0f} 栋楼中的 {1:,.0f} 栋（{2:.0%}）合成，其中 {3:.0%} 写明是住宅、{4:.0%} 写明层数"
    return say(told, seen, used, used / seen, stated / max(used, 1.0), levels / max(used, 1.0))
