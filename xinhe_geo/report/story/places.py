"""What there is where, as tables: who lives in each zone, which kinds of facilities there are, what each community has and lacks."""

from __future__ import annotations

from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from ...access import EXACT, SHARE_TOLERANCE, home_points, od_tables, only_known, presence
from ...core import DEMONSTRATION, renewal_is_shown, say
from ...district import District
from ...ledger import CIRCLE_MIN
from ...maps import promised_rules
from ..analysis import Analysis
from .goals import counted_in
from .records import Figure, count, people


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


def facilities_beyond(district: District, zones: pd.DataFrame) -> int:
    """Return how many open facilities lie outside the district whose `zone_figures` these are."""
    here = zones["facilities"].iloc[-1]
    facilities = district.open_facilities
    return 0 if facilities is None or not np.isfinite(here) else len(facilities) - int(here)


def layer_figures(district: District) -> pd.DataFrame:
    """
    Return what each layer with shapes rests on; parcels are told of only where they may be (`core.renewal_is_shown`).

    Returns
    -------
    figures
        Index layer, in the order of the manifest; `features`, `weak` (of them schematic or synthetic), `bases` (tuple of codes).
    """
    rows = {}
    for name in district.manifest["layers"]:
        frame = district.layers.get(name)
        if frame is not None and (name != "parcels" or renewal_is_shown(district.manifest)):
            basis = district.basis(name)
            weak = int(basis.isin(DEMONSTRATION).sum())
            rows[name] = {"features": len(frame), "weak": weak, "bases": tuple(sorted(set(basis.dropna())))}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["features", "weak", "bases"]).rename_axis("layer")


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
    found = rows.groupby("label", sort=False).agg(homes=("label", "size"), people=("people", "sum"))
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


# --- one community ---------------------------------------------------------------------------------------------------


def community_promises(district: District, results: Analysis, code: str) -> pd.DataFrame:
    """
    Return how a community stands with everything that is promised.

    Returns
    -------
    promises
        Index rule; `label`, `metric` ("presence" or "reach"), `places` (open facilities in the community), `share` (0-1 of the
        rule's own denominator; for presence 0 or 1), `minutes` (walk of the middle resident to the nearest, inf where more than
        half cannot get there), `missed` (people not served), `counted` ("people" or "people_60plus"). Unknown is missing.
    """
    cover, counts = only_known(results.cover), results.presence
    lead, rows = results.headlines, {}
    by = results.by.get("community")
    for name in promised_rules(district, results):
        rule = district.rule(name)
        own = cover.xs(name, level="rule")
        own = own[(own["community"] == code).to_numpy()]
        counted = counted_in(rule)
        kinds = [k for k in rule.kinds if k in counts.columns]
        places = float(counts.loc[code, kinds].sum()) if kinds and code in counts.index else np.nan
        known = pd.notna(lead.loc[name, "value"])
        found = by.loc[(code, name)] if known and by is not None and (code, name) in by.index else None
        share = np.nan if found is None else float(found["share"])
        if known and rule.metric == "presence":
            share = 1.0 if places > 0 else 0.0 if lead.loc[name, "bound"] == EXACT else np.nan
        missed = np.nan if found is None else float(found[counted] - found[f"{counted}_served"])
        rows[name] = {
            "label": rule.label,
            "metric": rule.metric,
            "places": places,
            "share": share,
            "short": share < 1 - SHARE_TOLERANCE,
            "minutes": _middle(own["minutes"], own[counted]) if lead.loc[name, "bound"] == EXACT else np.nan,
            "missed": missed,
            "counted": counted,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("rule")


def community_kinds(district: District, results: Analysis, code: str) -> pd.DataFrame:
    """
    Return what a community has of the kinds of daily life.

    Returns
    -------
    kinds
        Index kind; `label`, `places` (open facilities in the community), `minutes` (adult walk of the middle resident to the
        nearest, inside the community or not; inf where more than half cannot get there, missing where there is none at all), `far`
        (whether that is beyond the circle of daily life).
    """
    kinds, counts, homes = district.kinds, results.presence, district.layers["homes"]
    chosen = [
        k
        for k in kinds.index
        if (kinds.at[k, "essential"] is True or kinds.at[k, "essential"] == 1)
        and k in counts.columns
        # of a kind that was only seen on a map nobody knows where the nearest is
        and k not in district.mapped_kinds
    ]
    own = homes.index[(district.groups["community"].reindex(homes.index) == code).to_numpy()]
    points = home_points(district)
    points = points[points["home"].isin(own).to_numpy()]
    # a point carries its share of the home's people
    people = points["weight"] * points["home"].map(homes["people"])
    rows = {}
    for kind, table in od_tables(district, chosen).items():
        minutes = table["minutes"].reindex(points.index)
        places = int(counts.at[code, kind]) if code in counts.index else 0
        middle = _middle(minutes, people)
        if not (district.layers["facilities"]["kind"] == kind).any():
            middle = np.nan  # nowhere in the data: nothing to walk to
        rows[kind] = {"label": kinds.at[kind, "label"], "places": places, "minutes": middle, "far": middle > CIRCLE_MIN}
    columns = ["label", "places", "minutes", "far"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("kind")


def _middle(minutes: pd.Series, weight: pd.Series) -> float:
    """Return the minutes of the middle resident; unreachable is infinite, nobody known is missing."""
    value, weights = minutes.to_numpy(dtype="float64"), pd.to_numeric(weight).to_numpy(dtype="float64")
    known = ~np.isnan(weights) & (weights > 0)
    if not known.any():
        return np.nan
    value, weights = np.where(np.isnan(value[known]), np.inf, value[known]), weights[known]
    order = np.argsort(value, kind="stable")
    return float(value[order][np.searchsorted(np.cumsum(weights[order]), weights.sum() / 2)])


def community_facts(code: str, row: pd.Series) -> tuple[Figure, ...]:
    """Return who lives in a community of `ledger.community_overview`: residents, aged 60+, homes, hectares of them."""
    number = {c: float(row.get(c, np.nan)) for c in ("homes", "people", "people_60plus", "area_m2")}
    return (
        people("people", code, number["people"]),
        people("people", code, number["people_60plus"], "people_60plus"),
        count("homes", code, number["homes"]),
        count("hectares", code, number["area_m2"] / 1e4),
    )


class Beyond(NamedTuple):
    """The homes that are in no community."""

    homes: Figure
    people: Figure


def in_no_community(district: District) -> Beyond | None:
    """Return how many homes are in no community, and who lives there: with them the communities add up; None where all are in one."""
    homes, own = district.homes, district.groups.get("community")
    if homes is None or own is None:
        return None
    rest = homes[own.reindex(homes.index).isna().to_numpy()]
    living = float(rest["people"].astype("float64").sum(min_count=1))
    return Beyond(count("homes", "", len(rest)), people("people", "", living)) if len(rest) else None


def nearest_last(minutes: pd.DataFrame) -> pd.DataFrame:
    """Return the walks of a community (`ledger.community_minutes`), those first that fewest make in time."""
    return minutes.sort_values("within", kind="stable")


def mean_completeness(table: pd.DataFrame) -> tuple[float, int]:
    """Return the share of essential kinds that a resident reaches on the average, and how many kinds these are; missing where unknown."""
    known = table[table["people"].notna() & table["completeness"].notna()] if len(table) else table
    if not len(known) or known["people"].sum() <= 0:
        return np.nan, 0
    mean = (known["completeness"] * known["people"]).sum() / known["people"].sum()
    return float(mean), int(known["kinds"].max())


def who_lives(district: District, code: str) -> dict[str, float]:
    """Return of one community: `homes`, `unknown` (of them without residents), `people`, `people_60plus`, `area_km2`."""
    homes = district.layers["homes"]
    own = homes[(district.groups["community"].reindex(homes.index) == code).to_numpy()]
    return {
        "homes": len(own),
        "unknown": int(own["people"].isna().sum()),
        "people": float(own["people"].sum()),
        "people_60plus": float(own["people_60plus"].sum()),
        "area_km2": float(district.layers["communities"].geometry.loc[code].area / 1e6),
    }
