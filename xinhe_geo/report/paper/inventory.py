"""What a district has, as figures: who lives in each zone, and which kinds of facilities there are, in how many communities."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from ...access import presence
from ...core import say
from ...district import District


def zone_figures(district: District) -> pd.DataFrame:
    """
    Return how each zone stands, and the whole district.

    Returns
    -------
    figures
        Index zone, the whole last under the district's code ("" where it has none); `name`, `area_km2` (of the outline, in the
        district's CRS), `communities`, `homes`, `facilities` (counts; facilities open and inside), `people`, `people_60plus` (missing where
        no home says). Only the whole where there are no zones.
    """
    zones = district.zones
    parts = {} if zones is None else {code: str(zones.at[code, "name"]) for code in zones.index}
    rows = {code: _figures(district, code, zones) for code in parts}
    whole = str(district.manifest.get("code", ""))
    rows[whole] = _figures(district, None, district.layers.get("district"))
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("zone")
    table.insert(0, "name", [parts.get(code, district.name) for code in table.index])
    return table


def _figures(district: District, code: str | None, outlines: gpd.GeoDataFrame | None) -> dict[str, float]:
    """Return the figures of one zone, or of the whole district where `code` is None."""
    own = None if outlines is None else outlines if code is None else outlines.loc[[code]]
    row = {"area_km2": np.nan if own is None else float(own.geometry.area.sum() / 1e6)}
    layers = {"communities": district.communities, "homes": district.homes, "facilities": district.open_facilities}
    for name, layer in layers.items():
        if layer is None:
            row[name] = np.nan
            continue
        there = np.ones(len(layer), dtype=bool)
        if code is not None:
            there = (district.locate(layer)["zone"] == code).to_numpy(dtype=bool)
        elif own is not None and name == "facilities":  # neighbours' facilities are in the data, too
            there = own.geometry.union_all().intersects(shapely.point_on_surface(layer.geometry.array))
        row[name] = float(there.sum())
        if name == "homes":
            row |= {c: float(layer[c][there].astype("float64").sum(min_count=1)) for c in ("people", "people_60plus")}
    return row


def kind_figures(district: District) -> pd.DataFrame:
    """
    Return which kinds of facilities there are.

    Returns
    -------
    figures
        Index kind, those first that the plan promises to every community, then those of the circle of daily life, then the
        rest; `open`, `planned` (counts), `communities` (how many have an open one; missing without communities). Kinds that
        were not surveyed and do not occur are absent: of them nothing is known.
    """
    facilities, kinds = district.facilities, district.kinds
    if facilities is None:
        return pd.DataFrame(columns=["open", "planned", "communities"])
    state = facilities["state"].fillna("open") if "state" in facilities else pd.Series("open", index=facilities.index)
    counts = pd.crosstab(facilities["kind"], state).reindex(columns=["open", "planned"], fill_value=0)
    known = [k for k in kinds.index if k in district.surveyed_kinds or k in counts.index]
    rank = {"community": 0, "circle": 1}
    order = sorted(known, key=lambda k: rank.get(str(kinds.at[k, "lead"]), 2))
    table = counts.reindex(order, fill_value=0).rename_axis("kind")
    matrix = presence(district)
    has = (matrix > 0).sum() if len(matrix) else pd.Series(dtype="float64")
    table["communities"] = has.reindex(table.index).astype("float64")
    return table


def lacking_figures(district: District, table: pd.DataFrame) -> pd.DataFrame:
    """
    Return which kinds of daily life are out of reach, and for how many.

    Parameters
    ----------
    table
        Result of `completeness`.

    Returns
    -------
    figures
        Index label of the kind, most people first; `homes`, `people` (of homes of which at most half reaches one).
    """
    lacks = table["lacks"].fillna("").astype(str).str.split(say("、")).explode()
    lacks = lacks[lacks != ""]
    people = pd.to_numeric(table["people"]).reindex(lacks.index).to_numpy(dtype="float64", na_value=np.nan)
    rows = pd.DataFrame({"label": lacks.to_numpy(), "people": people})
    found = rows.groupby("label").agg(homes=("label", "size"), people=("people", "sum"))
    return found.sort_values(["people", "homes"], ascending=False, kind="stable")


def community_completeness(district: District, table: pd.DataFrame) -> pd.DataFrame:
    """
    Return how complete the services of each community are.

    Returns
    -------
    figures
        Index community, the least complete first; `name`, `homes`, `people`, `share` (mean of `completeness`, 0-1, by people).
        Empty where there are no communities.
    """
    communities = district.communities
    if communities is None:
        return pd.DataFrame(columns=["name", "homes", "people", "share"])
    own = district.groups["community"].reindex(table.index)
    people = pd.to_numeric(table["people"]).astype("float64")
    known = people.notna() & table["completeness"].notna()
    rows = pd.DataFrame(
        {
            "community": own,
            "homes": 1.0,
            "people": people.where(known),
            "got": (people * table["completeness"]).where(known),
        }
    )
    sums = rows.groupby("community")[["homes", "people", "got"]].sum().reindex(communities.index)
    sums["share"] = sums["got"] / sums["people"].where(sums["people"] > 0)
    sums.insert(0, "name", communities["name"])
    return sums.drop(columns="got").sort_values("share", kind="stable")
