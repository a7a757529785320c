"""What report, sheets, slides and Word brief all show, computed once: coverage, headlines, gaps, and which of it leads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from ._names import layer_name, rule_name, walker_name
from ._words import language, say, word
from .audit import audit
from .coverage import completeness, coverage, gaps, headlines, presence, summary
from .district import District
from .errors import SitingError
from .layers import BASIS_LABELS, DEMONSTRATION, LAYERS
from .reach import isochrones
from .siting import sites
from .values import Rule

Progress = Callable[[str], None]


def analyse(
    district: District, *, preset: str = "plan", progress: Progress | None = None, cover: pd.DataFrame | None = None
) -> dict[str, Any]:
    """
    Compute everything the report shows, once.

    Parameters
    ----------
    cover
        Result of `coverage` for `preset`, where it is there already.

    Returns
    -------
    results
        `cover`, `headlines`, `gaps` (all rules, one table), `gap_tables` (per rule), `presence`, `completeness`, `summary`
        (whole district), `by` (per grouping), `preset`, `order` (leading rules first), `lang` (what its words are in: the language
        that is spoken).
    """
    tell = progress or (lambda _: None)
    if cover is None:
        tell(say("计算可达和覆盖"))
        cover = coverage(district, rules=preset)
    lead = headlines(district, cover)
    order = _leading_rules(district, lead)
    tell(say("找缺口和原因"))
    tables = {rule: gaps(district, cover, rule) for rule in order if np.isfinite(lead.loc[rule, "value"])}
    return {
        "preset": preset,
        "lang": language(),
        "cover": cover,
        "headlines": lead,
        "order": order,
        "gap_tables": tables,
        "gaps": _all_gaps(district, tables),
        "presence": presence(district),
        "completeness": completeness(district),
        "audit": audit(district),
        "summary": summary(cover),
        "by": {g: summary(cover, by=g) for g in ("zone", "area", "community") if cover.get(g, pd.Series(dtype=str)).notna().any()},
    }  # fmt: skip


def _leading_rules(district: District, lead: pd.DataFrame) -> list[str]:
    """Rules that lead: what the plan promises (per community, then within a circle); the rest follow."""
    kinds = district.kinds
    how = {"community": 0, "circle": 1, "tier": 2}

    def rank(rule: str) -> int:
        own = [k for k in str(lead.loc[rule, "kind"]).split(";") if k in kinds.index]
        promised = district.rule(rule).confidence == "read" and district.rule(rule).standard.startswith("《")
        return min([how[str(kinds.loc[k, "lead"])] for k in own] or [2]) if promised else 2

    return sorted(lead.index, key=lambda r: (rank(r), list(lead.index).index(r)))


def _all_gaps(district: District, tables: Mapping[str, gpd.GeoDataFrame]) -> pd.DataFrame:
    parts = [
        t.drop(columns="geometry").reset_index().assign(rule=rule, label=rule_name(district, district.rule(rule)))
        for rule, t in tables.items()
        if len(t) and "reason" in t.columns
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def promised_rules(district: District, results: Mapping[str, Any]) -> list[str]:
    """Rules that stand in a text someone read: the plan's own promises first."""
    return [r for r in results["order"] if district.rule(r).confidence == "read"][:12]


def best_sites(district: District, results: Mapping[str, Any]) -> pd.DataFrame:
    """
    Find, for every promise that is not kept for all, where one more facility serves most people.

    Returns
    -------
    best
        Index rule; columns of `siting.sites` (one site each): `label`, `reason`, `people_gained`, `share_before`, `share_after`,
        `near_ties`, `mark` …; rules for which no site helps are absent.
    """
    lead, found = results["headlines"], []
    for name in promised_rules(district, results):
        if not lead.loc[name, "value"] < 1 - 1e-9 or not lead.loc[name, "people_unserved"] > 0:
            continue
        try:
            table = sites(district, name, 1)
        except SitingError:  # no candidate helps: nothing to recommend
            continue
        found.append(table.drop(columns="geometry").head(1).assign(rule=name))
    columns = ["rule", "label", "reason", "people_gained", "share_before", "share_after", "near_ties", "mark"]
    table = pd.concat(found) if found else pd.DataFrame(columns=columns)
    return table.set_index("rule")


def speed_range(district: District, results: Mapping[str, Any], *, part: float = 0.1) -> pd.DataFrame:
    """
    Return what the promised walking times come to if people walk a little slower or faster than supposed.

    Returns
    -------
    range
        Index rule; `label`, `speed_m_s`, `slower`, `usual`, `faster` (shares 0-1 of the rule's own denominator, at 1 - `part`, 1 and
        1 + `part` times the speed).
    """
    lead, rows = results["headlines"], {}
    for name in promised_rules(district, results):
        rule = district.rule(name)
        if rule.metric != "reach" or rule.method != "walk_min" or pd.isna(lead.loc[name, "value"]):
            continue
        walker = district.profile(rule.profile)
        shares = []
        for factor in (1 - part, 1.0, 1 + part):
            who = replace(walker, name=f"{walker.name}*{factor:g}", speed_m_s=walker.speed_m_s * factor)
            cover = results["cover"] if factor == 1.0 else coverage(district, rules=[rule], profile=who)
            shares.append(float(summary(cover).loc[name, "share"]))
        rows[name] = {
            "label": rule_name(district, rule),
            "speed_m_s": walker.speed_m_s,
            **dict(zip(("slower", "usual", "faster"), shares, strict=True)),
        }
    return pd.DataFrame.from_dict(
        rows, orient="index", columns=["label", "speed_m_s", "slower", "usual", "faster"]
    ).rename_axis("rule")


def mapped_rules(district: District, results: Mapping[str, Any]) -> list[str]:
    """One map per leading rule that has a value: all that is promised, and the essential kinds of daily life."""
    lead, kinds = results["headlines"], district.kinds
    essential = set(kinds.index[kinds["essential"].to_numpy(dtype=bool)])
    chosen = []
    for rule in results["order"]:
        own = set(str(lead.loc[rule, "kind"]).split(";"))
        if np.isfinite(lead.loc[rule, "value"]) and (district.rule(rule).confidence == "read" or own & essential):
            chosen.append(rule)
    return chosen


def rings_of(district: District, rule: Rule) -> gpd.GeoDataFrame | None:
    """Return the outline a reach rule is drawn with: 5, 10 and 15 minutes up to its own limit, all its kinds together."""
    if rule.metric != "reach" or rule.method == "buffer":
        return None
    limits = sorted({m for m in (5.0, 10.0, 15.0) if m < rule.minutes} | {rule.minutes})
    facilities = district.open_facilities
    if facilities is None or not facilities["kind"].isin(rule.kinds).any():
        return None
    parts = [isochrones(district, kind, minutes=limits, profile=rule.profile) for kind in rule.kinds]
    shapes = [shapely.union_all([p.geometry.loc[m] for p in parts]) for m in limits]
    rings = gpd.GeoDataFrame(geometry=shapes, crs=district.crs, index=pd.Index(limits, name="minutes"))
    rings["profile"] = walker_name(district, district.profile(rule.profile))
    return rings[~rings.is_empty]


def sources_table(district: District) -> pd.DataFrame:
    """Return, per layer and table: file, basis, source, licence, date, number of rows, of which schematic or synthetic, hash."""
    rows = []
    for name, entry in district.files.iterrows():
        said = district.manifest["layers"].get(name, {})
        layer = LAYERS[str(name)]
        frame = district.layers.get(str(name)) if layer.geometry else None
        weak = int(district.basis(str(name)).isin(DEMONSTRATION).sum()) if frame is not None else 0
        rows.append(
            {
                "图层": layer_name(str(name)), "文件": entry["file"], "出处": word(entry["from"]),
                "依据类型": word(BASIS_LABELS.get(said.get("basis", ""), "")), "要素数": np.nan if frame is None else len(frame),
                "其中示意或合成": np.nan if frame is None else weak, "来源": said.get("source", ""), "许可": said.get("licence", ""),
                "日期": str(said.get("date", "")), "SHA-256": entry["sha256"][:16],
            }
        )  # fmt: skip
    return pd.DataFrame(rows)
