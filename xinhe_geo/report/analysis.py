"""What report, sheets, slides and Word brief all show, computed once: coverage, headlines, gaps, and which of it leads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from ..access import EXACT, audit, completeness, coverage, gaps, headlines, only_shares_known, presence, summary
from ..core import BASIS_LABELS, DEMONSTRATION, LAYERS, SitingError, language, say, word
from ..district import District, layer_name, rule_name
from ..maps import leading_rules, promised_rules
from ..siting import sites

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
        (whole district), `by` (per grouping; shares are missing where they rest on a kind only seen on a map), `preset`, `order`
        (leading rules first), `lang` (what its words are in: the language that is spoken).
    """
    tell = progress or (lambda _: None)
    if cover is None:
        tell(say("计算可达和覆盖"))
        cover = coverage(district, rules=preset)
    lead = headlines(district, cover)
    order = leading_rules(district, lead)
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
        "by": {
            g: only_shares_known(summary(cover, by=g))
            for g in ("zone", "area", "community")
            if cover.get(g, pd.Series(dtype=str)).notna().any()
        },
    }


def _all_gaps(district: District, tables: Mapping[str, gpd.GeoDataFrame]) -> pd.DataFrame:
    parts = [
        t.drop(columns="geometry").reset_index().assign(rule=rule, label=rule_name(district, district.rule(rule)))
        for rule, t in tables.items()
        if len(t) and "reason" in t.columns
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def by_heading(lead: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Part headlines into what the plan says (规划目标) and what is counted beside it (参考指标), each under its heading."""
    return [(str(heading), own) for heading, own in lead.groupby("heading", sort=False)]


def judged_rules(district: District, results: Mapping[str, Any]) -> list[str]:
    """Return the promised rules of which can be said who is not served: those with a value whose kinds somebody has surveyed."""
    lead = results["headlines"]
    promised = promised_rules(district, results)
    return [r for r in promised if np.isfinite(lead.loc[r, "value"]) and lead.loc[r, "bound"] == EXACT]


def survey_first(district: District, results: Mapping[str, Any]) -> list[str]:
    """
    Return which kinds to survey before anything else can be said, those first that concern most people.

    Returns
    -------
    kinds
        Kinds of promised rules (of all, where nothing that is promised was seen) that were only seen on a map: by the people, or
        homes, for whom the map shows none. No number goes with that: it says whom to ask about, not who lacks anything.
    """
    lead, cover = results["headlines"], results["cover"]
    rules = [r for r in promised_rules(district, results) if lead.loc[r, "bound"] != EXACT]
    rules = rules or [r for r in results["order"] if lead.loc[r, "bound"] != EXACT]
    concerned: dict[str, tuple[float, float]] = {}
    for name in rules:
        own = cover.xs(name, level="rule")
        unseen = 1.0 - own["served"].fillna(0.0)
        size = float((unseen * own["people"]).sum()), float(unseen.sum())
        for kind in district.rule(name).kinds:
            if kind in district.mapped_kinds:
                concerned[kind] = max(concerned.get(kind, (0.0, 0.0)), size)
    return sorted(concerned, key=lambda kind: (-concerned[kind][0], -concerned[kind][1], kind))


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
    rows = {}
    for name in judged_rules(district, results):
        rule = district.rule(name)
        if rule.metric != "reach" or rule.method != "walk_min":
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
                "图层": layer_name(str(name)),
                "文件": entry["file"],
                "出处": word(entry["from"]),
                "依据类型": word(BASIS_LABELS.get(said.get("basis", ""), "")),
                "要素数": np.nan if frame is None else len(frame),
                "其中示意或合成": np.nan if frame is None else weak,
                "来源": said.get("source", ""),
                "许可": said.get("licence", ""),
                "日期": str(said.get("date", "")),
                "SHA-256": entry["sha256"][:16],
            }
        )
    return pd.DataFrame(rows)
