"""Who is outside, most people first, and why: the walk of the median point that is not served, in parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from scipy.spatial import cKDTree

from ..core import Rule, UnknownNameError, named_by_homes, say
from ..district import District, Named, kind_name, meant, must_be_cover, must_be_district
from .bounds import EXACT, bound_of
from .coverage import GROUPINGS, nearest_of_any
from .entrances import entrances_of_open, home_points
from .home_shares import SHARE_TOLERANCE, within_limit
from .od_table import od_tables
from .walls import rows_of_each

# --- gaps ------------------------------------------------------------------------------------------------------------


@named_by_homes
def gaps(district: District, cover: pd.DataFrame, rule: Named) -> gpd.GeoDataFrame:
    """
    List the homes that are not (wholly) served, most people first, and say why.

    Parameters
    ----------
    district
        What `District.load` opened; it stays as it was.
    cover
        Result of `coverage`.
    rule
        A rule in `cover`, or a kind (its headline rule of `kinds.csv`, else the only rule of `cover` that asks for it): code,
        name or row.

    Returns
    -------
    places
        Index home. Columns `name`, groups (zone, area, community, grid), `people_unserved`, `people_60plus_unserved`,
        `share_unserved`, `counted` and `unserved` (which of the two the rule counts in, and that number), the rule's `kind`,
        `metric`, `limit_metres`, `limit_minutes`, and of the median unserved point: `facility` and `metres` (the fewest metres);
        `facility_minutes` (the one that takes least time), and of the walk to it `minutes`, `gate_known` (whether it leaves by a
        known gate), `gate_minutes`, `wait_minutes`, `street_minutes` (these three add up to `minutes`), `walked_metres`,
        `straight_metres` (to its nearest entrance), `detour` (walked over straight), `crosses` (names of barriers between);
        `nearest_straight_metres` (to any facility, as the crow flies), `reason` (one sentence), geometry. Homes fully served, or
        数据不足, are absent: so are all where a kind was only seen on a map, for nobody knows who lacks it (`headlines` says in
        `needs` what has to be surveyed). For Excel, what planners call the columns:
        `heads = xinhe_geo.app.TABLES["gaps"]`, `places[list(heads)].rename(columns=heads)`.

    Raises
    ------
    UnknownNameError
        No such rule or kind in `cover`.
    ValueError
        No district, or no result of `coverage`.
    """
    must_be_district(district)
    must_be_cover(cover)
    name = rule_meant(district, cover, rule)
    own = cover.xs(name, level="rule")
    chosen = rule_in(district, own, name)
    own = own[(own["served"] < 1 - SHARE_TOLERANCE).to_numpy()]
    homes, facilities = district.layers.get("homes"), district.layers.get("facilities")
    if homes is None or facilities is None or own.empty or bound_of(district, chosen.kinds) != EXACT:
        return gpd.GeoDataFrame({"people_unserved": []}, geometry=[], crs=district.crs)
    walker = district.profile(str(own["profile"].iloc[0]))
    best = nearest_of_any(od_tables(district, chosen.kinds, profile=walker), chosen.kinds)
    points = home_points(district)
    walk = _median_unserved(points, best, chosen, own.index).reindex(own.index)
    straight, crosses = _as_the_crow_flies(district, points, walk, facilities)
    share, gate = 1.0 - own["served"], walk["gate_metres"] / walker.speed_m_s / 60.0
    people = {column: own[column] * share for column in ("people", "people_60plus")}
    counted = "people_60plus" if chosen.denominator == "people_60plus" else "people"
    columns = {
        "name": homes["name"].reindex(own.index).fillna(own.index.to_series()),
        **{column: own[column] for column in GROUPINGS if column in own.columns},
        **{f"{column}_unserved": lost for column, lost in people.items()},
        "counted": counted,
        "unserved": people[counted],
        "share_unserved": share,
        **{column: walk[column] for column in walk.columns.difference(["point", "gate_metres"], sort=False)},
        "gate_minutes": gate,
        "street_minutes": walk["minutes"] - walk["wait_minutes"] - gate.fillna(0.0),
        "nearest_straight_metres": walk["straight_metres"],
        "straight_metres": straight,
        "detour": walk["walked_metres"] / straight.where(straight > 0),
        "crosses": crosses,
        "kind": ";".join(chosen.kinds),
        "metric": chosen.metric,
        "limit_metres": chosen.metres,
        "limit_minutes": chosen.minutes,
    }
    table = pd.DataFrame(columns, index=own.index)
    table["reason"] = reasons(district, table)
    # most first, what is not known last
    rows = np.lexsort((-share.to_numpy(dtype=float), -table["unserved"].to_numpy(dtype=float)))
    table = table.iloc[rows]
    return gpd.GeoDataFrame(table, geometry=homes.geometry.reindex(table.index).array, crs=district.crs)


def rule_meant(district: District, cover: pd.DataFrame, said: Named) -> str:
    """Return the rule of `cover` that is meant: itself, the headline rule of the kind that is, or the only one that asks for it."""
    first = np.sort(np.unique(cover.index.codes[1], return_index=True)[1])  # where each stands first
    rules = cover[["label", "kind"]].iloc[first].droplevel("home")
    what = "表里的规则或类别"
    is_kind, name = meant(what, said, rules, district.kinds)
    if is_kind:
        headline = str(district.kinds.at[name, "rule"])
        asking = [str(rule) for rule, kinds in rules["kind"].items() if name in kinds.split(";")]
        if headline not in rules.index and len(asking) != 1:
            raise UnknownNameError(what, name, asking or list(rules.index), several=len(asking) > 1)
        name = headline if headline in rules.index else asking[0]
    return name


def rule_in(district: District, own: pd.DataFrame, name: str) -> Rule:
    """Return the rule that its rows of a cover were made with: its limits and walker may differ from `rules.csv`."""
    row = own.iloc[0]
    asked: dict[str, Any] = {
        "label": str(row["label"]),
        "kinds": tuple(str(row["kind"]).split(";")),
        "method": str(row["method"]),
        "metres": float(row["limit_metres"]),
        "minutes": float(row["limit_minutes"]),
        "profile": str(row["profile"]),
        "denominator": str(row["denominator"]),
        "metric": str(row["metric"]),
    }
    return replace(district.rule(name), **asked) if name in district.rules.index else Rule(name=name, **asked)


def _median_unserved(points: gpd.GeoDataFrame, best: pd.DataFrame, rule: Rule, homes: pd.Index) -> pd.DataFrame:
    """Return, per home, the row of the origin-destination table of its median unserved point: a real point, so that its parts add up."""
    home = homes.get_indexer(pd.Index(points["home"]))
    unserved = home >= 0
    if rule.metric == "reach":
        unserved &= ~within_limit(best, rule, rule.method)
    rows = np.flatnonzero(unserved)
    rows = rows[np.lexsort((rows, best["minutes"].to_numpy()[rows], home[rows]))]  # what cannot get there comes last
    start = np.flatnonzero(np.r_[True, home[rows][1:] != home[rows][:-1]][: len(rows)])
    middle = rows[start + (np.diff(np.r_[start, len(rows)]) - 1) // 2]
    table = best.iloc[middle].drop(columns="home")
    table["point"], table.index = middle, homes[home[middle]]
    return table


def _as_the_crow_flies(
    district: District, points: gpd.GeoDataFrame, walk: pd.DataFrame, facilities: gpd.GeoDataFrame
) -> tuple[pd.Series, pd.Series]:
    """Return the straight metres to the facility that each walk leads to, else to the nearest, and the barriers between."""
    rows = np.flatnonzero(walk["facility_minutes"].notna())
    there = walk["facility_minutes"].to_numpy(dtype=object)[rows]
    spots = shapely.get_coordinates(points.geometry.to_numpy()[walk["point"].to_numpy()[rows].astype(int)])
    straight, crosses = walk["straight_metres"].copy(), pd.Series("", index=walk.index, dtype="object")
    straight.iloc[rows] = _straight_to(district, spots, there)
    crosses.iloc[rows] = _crossed(district, spots, there, facilities)
    return straight, crosses


def _crossed(district: District, spots: np.ndarray, there: np.ndarray, facilities: gpd.GeoDataFrame) -> list[str]:
    """Return the names of the barriers between each spot and its facility, as the crow flies."""
    barriers = district.layers.get("barriers")
    if barriers is None or barriers.empty or not len(there):
        return [""] * len(there)
    shapes = facilities.geometry.array[facilities.index.get_indexer(pd.Index(there))]
    ends = np.stack([spots, shapely.get_coordinates(shapely.point_on_surface(shapes))], axis=1)
    line, barrier = barriers.sindex.query(shapely.linestrings(ends), predicate="intersects", sort=True)
    names, crossed = barriers["name"].fillna(barriers["kind"]).tolist(), [dict[str, None]() for _ in there]
    for row, number in zip(line.tolist(), barrier.tolist(), strict=True):
        crossed[row][names[number]] = None
    return [say("、").join(own) for own in crossed]


def _straight_to(district: District, spots: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Return how far, as the crow flies, the nearest entrance is of the facility that is walked to from each spot in least time."""
    doors = entrances_of_open(district)
    ends, corners = rows_of_each(doors["place"].to_numpy(object)), doors[["x", "y"]].to_numpy()
    metres = np.full(len(spots), np.nan)
    for place, rows in rows_of_each(there).items():
        metres[rows] = cKDTree(corners[ends[place]]).query(spots[rows])[0]
    return metres


class _Walk(NamedTuple):
    """What is said of the walk to the nearest facility: columns of `gaps`."""

    kind: str
    metric: str
    limit_metres: float
    minutes: float
    straight_metres: float
    nearest_straight_metres: float
    facility_minutes: str
    gate_minutes: float
    wait_minutes: float
    street_minutes: float
    crosses: str
    detour: float


def reasons(district: District, places: pd.DataFrame) -> list[str]:
    """Say of each row of `gaps`, in the language that is spoken, why the place is not served, with the parts of its walk."""
    facilities = district.layers.get("facilities")
    names = {} if facilities is None else dict(zip(facilities.index.tolist(), facilities["name"].tolist(), strict=True))
    kinds = {
        kind: say("、").join(kind_name(district, part) for part in kind.split(";")) for kind in places["kind"].unique()
    }
    walks = map(_Walk._make, zip(*(places[part].tolist() for part in _Walk._fields), strict=True))
    return [_reason(walk, kinds[walk.kind], names) for walk in walks]


def _reason(row: _Walk, what: str, names: Mapping[str, object]) -> str:
    minutes, straight, nearest = float(row.minutes), float(row.straight_metres), float(row.nearest_straight_metres)
    if np.isnan(nearest):
        return say("全区没有开放的{0}", what)
    if np.isnan(minutes):
        return say("走不到任何{0}：所在路网与其他街道不连通，或没有开放的出入口（直线 {1:,.0f} 米）", what, nearest)
    name = names.get(row.facility_minutes)
    parts = []
    if row.gate_minutes == row.gate_minutes and row.gate_minutes > 0:
        parts.append(say("到小区出入口 {0:.1f}", row.gate_minutes))
    if row.wait_minutes >= 0.05:
        parts.append(say("过街等候 {0:.1f}", row.wait_minutes))
    parts.append(say("沿街步行 {0:.1f}", row.street_minutes))
    named = name if isinstance(name, str) else row.facility_minutes
    text = say("最近的{0}步行 {1:.1f} 分钟（{2}）", named, minutes, say("，").join(parts))
    if row.metric == "presence":
        return say("本社区没有开放的{0}；{1}", what, text)
    if row.crosses and row.detour > 1.5:
        return say("{0}；到它的直线 {1:,.0f} 米，隔着{2}，绕行 {3:.1f} 倍", text, straight, row.crosses, row.detour)
    if straight <= row.limit_metres:
        return say("{0}；到它的直线只有 {1:,.0f} 米，绕行 {2:.1f} 倍", text, straight, row.detour)
    if nearest <= row.limit_metres:
        return say("{0}；另一处直线只有 {1:,.0f} 米，走过去更久", text, nearest)
    return say("{0}；附近没有，直线也有 {1:,.0f} 米", text, nearest)
