"""What a district has, as figures: who lives in each zone, and which kinds of facilities there are, in how many communities."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from ..coverage import presence
from ..district import District


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
