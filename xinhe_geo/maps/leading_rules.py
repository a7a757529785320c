"""Which rules lead, which are promised and mapped, and the rings a rule is drawn with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from ..access import isochrones
from ..core import Rule
from ..district import District, walker_name


class Analysed(Protocol):
    """What is known of a district when its maps are drawn: `report.Analysis`."""

    @property
    def lang(self) -> str:
        """The language its sentences are in."""
        ...

    @property
    def cover(self) -> pd.DataFrame:
        """Result of `coverage`."""
        ...

    @property
    def headlines(self) -> pd.DataFrame:
        """Result of `headlines`."""
        ...

    @property
    def order(self) -> list[str]:
        """The rules, those that lead first."""
        ...

    @property
    def gap_tables(self) -> Mapping[str, gpd.GeoDataFrame]:
        """Results of `gaps`, by rule."""
        ...

    @property
    def completeness(self) -> gpd.GeoDataFrame:
        """Result of `completeness`."""
        ...


def leading_rules(district: District, lead: pd.DataFrame) -> list[str]:
    """Rules that lead: what the plan promises (per community, then within a circle); the rest follow."""
    kinds = district.kinds
    how = {"community": 0, "circle": 1, "tier": 2}

    def rank(rule: str) -> int:
        own = [k for k in str(lead.loc[rule, "kind"]).split(";") if k in kinds.index]
        promised = district.rule(rule).confidence == "read" and district.rule(rule).standard.startswith("《")
        return min([how[str(kinds.loc[k, "lead"])] for k in own] or [2]) if promised else 2

    return sorted(lead.index, key=lambda r: (rank(r), list(lead.index).index(r)))


def promised_rules(district: District, results: Analysed) -> list[str]:
    """Rules that the plan itself makes; of a set that has none those in a text someone read, last those of another place's plan."""
    return promised_among(district, results.order)


def promised_among(district: District, order: Sequence[str]) -> list[str]:
    """Return those of some rules that are promised, as `promised_rules` puts them."""
    read = [r for r in order if district.rule(r).confidence == "read"]
    read = [r for r in read if district.rule(r).of_plan] or read
    return sorted(read, key=lambda r: district.rule(r).elsewhere)[:12]


def mapped_rules(district: District, results: Analysed) -> list[str]:
    """One map per leading rule that has a value: all that is promised, and the essential kinds of daily life."""
    lead, kinds = results.headlines, district.kinds
    essential = set(kinds.index[kinds["essential"].to_numpy(dtype=bool)])
    chosen = []
    for rule in results.order:
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
