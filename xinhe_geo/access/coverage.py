"""
Who is served: shares per home and per any grouping, completeness, and two states side by side.

Three methods stand beside each other and run between the same entrances; every number carries its method, denominator,
profile, year and basis. Unknown people are missing, never 0, and shares are taken over what is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeAlias, cast

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from ..core import (
    BASES,
    LAYERS,
    METHOD_LABELS,
    Profile,
    Rule,
    WrongValueError,
    limits_of,
    say,
    well_called,
    work,
)
from ..district import District, Named, kind_name, meant, must_be_cover, must_be_district, rule_name, walker_name
from ..network import Graph, WalkNetwork
from .bounds import AT_LEAST, EXACT, bound_of
from .entrances import home_points, places_open
from .home_shares import (
    COST_COLUMNS,
    TOLERANCE_MIN,
    PointsOfHomes,
    median_by_home,
    most_common,
    points_of_homes,
    share_within,
    within_limit,
)
from .od_table import od_table, od_tables

#: The set of what a plan says, and that of the indicators which are shown with it, under a heading of their own.
PLAN, BESIDE_THE_PLAN = "plan", "reference"
#: Columns that say which group a home belongs to, and the layer each comes from.
GROUPINGS = {"zone": "zones", "area": "areas", "community": "communities", "grid": "grid"}


#: What may be given as one rule.
ONE = (str, Rule, pd.Series, type(None))
#: Rules as they are asked for: a set, a rule or a kind, or several of these.
Rules: TypeAlias = Named | Sequence[Named]


@well_called
def coverage(
    district: District,
    *,
    rules: Rules = "plan",
    profile: Named | None = None,
    network: WalkNetwork | Graph | None = None,
) -> pd.DataFrame:
    """
    Compute how much of each home is served under each rule.

    Parameters
    ----------
    district
        What `District.load` opened; it stays as it was.
    rules
        A set of `rules.csv` ("plan", "td1063", "elderly" …); or a rule or several: code, name, row or `Rule`, or a kind, which means
        the rule that leads it. With "plan" come, behind what the plan says, the indicators of set "reference": `Rule.of_plan` tells
        them apart.
    profile
        Who walks, instead of each rule's own profile.
    network
        A network of one's own to walk on, or a graph of OSMnx, in place of the district's streets (`District.walking_on`).

    Returns
    -------
    cover
        MultiIndex (home, rule). Columns: `name` of the home; `label`, `kind` (";"-joined: any of them serves), `metric`, `method`, `profile`,
        `denominator`, `limit_metres`, `limit_minutes`; `facility` (nearest by the rule's method for most of the home),
        `metres`, `straight_metres`, `minutes` (medians over the home's points, missing where most of it cannot get there);
        `served` (share 0-1 by the rule's own method), `served_buffer`, `served_network_m`, `served_walk_min` (each method),
        `served_inside` (the rule's method, facilities inside the district only); `people`, `people_60plus`, `households`,
        `area_m2`; `zone`, `area`, `community`, `grid`; `basis` (weakest input); `bound` ("exact", or "at_least" where a kind was
        only seen on a map: whoever is not served may be by one that no map shows). Missing `served` means 数据不足. Facilities
        that are still to be checked serve nobody.

    Raises
    ------
    UnknownNameError
        No such set, rule, kind or profile.
    DataError, NetworkError
        The network is not one that the district can walk on.
    ValueError
        No district, or two rules of one name.
    """
    must_be_district(district)
    district = district if network is None else district.walking_on(network)
    chosen = rules_of(district, rules, profile)
    if isinstance(profile, Profile):  # somebody's own walker, asked for once: not kept
        return _covered(district, chosen, profile)
    kept: dict[tuple[Rule, ...], pd.DataFrame] = district.memo.setdefault("coverage", {})
    asked = tuple(chosen)
    whole = next((rules for rules in kept if set(asked) <= set(rules)), asked)
    if whole not in kept:
        kept[whole] = _covered(district, chosen, profile)
    return kept[whole].copy(deep=False) if whole == asked else _only(kept[whole], whole, asked)


def _only(cover: pd.DataFrame, whole: Sequence[Rule], asked: Sequence[Rule]) -> pd.DataFrame:
    """Return the rows of some rules of a coverage, home by home in the order in which they are asked for."""
    order = np.array([whole.index(rule) for rule in asked], dtype=np.int64)
    homes = np.arange(len(cover) // len(whole), dtype=np.int64)
    return cover.iloc[(homes[:, None] * len(whole) + order).ravel()].reset_index().set_index(["home", "rule"])


def _covered(district: District, chosen: Sequence[Rule], profile: Named | None) -> pd.DataFrame:
    homes = district.layers.get("homes")
    if homes is None or homes.empty:
        return pd.DataFrame(
            columns=["label", "kind", "served"], index=pd.MultiIndex.from_arrays([[], []], names=["home", "rule"])
        )
    ground = _ground(district, homes)
    parts: dict[str, dict[str, Any]] = {}
    walkers = list(dict.fromkeys(rule.profile for rule in chosen))
    with work(say("计算覆盖率"), len(walkers) + len(chosen)) as step:
        for walker in walkers:
            own = [rule for rule in chosen if rule.profile == walker]
            kinds = dict.fromkeys(kind for rule in own for kind in rule.kinds)
            who = profile if isinstance(profile, Profile) else district.profile(walker)
            step(say("{0}步行", walker_name(district, who)))
            nearest = (od_tables(district, kinds, profile=who, inside_only=only) for only in (False, True))
            everywhere, inside = nearest
            for group in dict.fromkeys(rule.kinds for rule in own):
                asking = [rule for rule in own if rule.kinds == group]
                near = nearest_of_any(everywhere, group)
                alike = all(everywhere[kind] is inside[kind] for kind in group)
                tables = near, near if alike else nearest_of_any(inside, group)
                for rule, found in zip(asking, _cover_kinds(district, asking, ground, tables), strict=True):
                    step(rule_name(district, rule))
                    parts[rule.name] = found
    return _joined(ground.facts, [parts[rule.name] for rule in chosen])


def _joined(facts: pd.DataFrame, rules: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """
    Return the rows of all rules, home by home: what the homes carry beside what each rule found for them.

    A city has millions of rows: nothing is copied twice, what a rule found is let go as it is taken, and texts, which repeat,
    are Python's (a pointer a row, where Arrow writes each out again).
    """
    count, homes, at = len(rules), len(facts), facts.index.argsort()
    text = pd.StringDtype("python", na_value=np.nan)
    of_home = np.repeat(at, count)
    columns: dict[str, Any] = {}
    for name in facts.columns.drop("home_basis"):
        own = facts[name]
        columns[name] = (own.astype(text) if own.dtype == "str" else own).array.take(of_home)
    for name, first in rules[0].copy().items():
        told = [rule.pop(name) for rule in rules]
        if isinstance(first, str | float):
            values = np.tile(np.array(told, dtype=object if isinstance(first, str) else np.float64), homes)
        else:
            values = np.stack([own[at] for own in told], axis=1).ravel()
        columns[name] = pd.array(values, dtype=text) if values.dtype == object else values
    names = pd.Index(columns.pop("rule")[:count])
    levels = [facts.index.take(at), names.sort_values()]
    codes = [np.repeat(np.arange(homes), count), np.tile(levels[1].get_indexer(names), homes)]
    index = pd.MultiIndex(levels, codes, names=["home", "rule"], verify_integrity=False)
    return pd.DataFrame(columns, index=index, copy=False)


def rules_of(district: District, rules: Rules, profile: Named | None = None) -> list[Rule]:
    """Return the rules that a set's name, a rule, a kind or several of these stand for, with `profile` put in where given."""
    table = district.rules
    if isinstance(rules, pd.DataFrame):
        rules = list(rules.index)
    said = (
        list(cast("Sequence[Named]", rules)) if isinstance(rules, Iterable) and not isinstance(rules, ONE) else [rules]
    )
    names: list[Named] = []
    for name in said:
        own = [] if not isinstance(name, str) else list(table.index[(table["set"] == name).to_numpy()])
        names += own or [name]
        if own and name == PLAN:
            names += list(table.index[(table["set"] == BESIDE_THE_PLAN).to_numpy()])
    walker = None if profile is None else district.profile(profile)
    chosen = list(dict.fromkeys(district.rule(name) for name in names))
    chosen = [replace(rule, profile=(walker or district.profile(rule.profile)).name) for rule in chosen]
    called = [rule.name for rule in chosen]
    if len(set(called)) < len(called):
        twice = next(name for name in called if called.count(name) > 1)
        raise WrongValueError(say("两条不同的规则都叫 {0}；给其中一条另写 name", twice))
    return chosen


def home_facts(district: District, homes: gpd.GeoDataFrame) -> pd.DataFrame:
    """What every row of a home carries: people, land, groups, basis."""
    area = homes.geometry.area
    return pd.DataFrame(
        {
            "name": homes["name"],
            "people": homes["people"],
            "people_60plus": homes["people_60plus"],
            "households": homes["households"].astype("float64"),
            "area_m2": area.where(area > 0),
            "home_basis": district.basis("homes"),
        }
    ).join(district.groups)


class _Ground(NamedTuple):
    """What all rules of a district stand on: its homes, what they carry, and the weakest basis of what they walk along and to."""

    homes: PointsOfHomes
    facts: pd.DataFrame
    basis: np.ndarray  # of each home, as its place in BASES
    streets: int
    facilities: Mapping[str, int]  # by kind


def _ground(district: District, homes: gpd.GeoDataFrame) -> _Ground:
    """Return it, found once: coverage is asked for by many sets of rules."""
    if "ground of coverage" not in district.memo:
        district.memo["ground of coverage"] = _find_ground(district, homes)
    found: _Ground = district.memo["ground of coverage"]
    return found


def _find_ground(district: District, homes: gpd.GeoDataFrame) -> _Ground:
    facts = home_facts(district, homes)
    order = {name: i for i, name in enumerate(BASES)}
    streets = district.basis("streets").unique() if "streets" in district.layers else []
    kinds: dict[str, int] = {}
    facilities = district.layers.get("facilities")
    if facilities is not None:
        known = pd.DataFrame({"kind": facilities["kind"].array, "basis": district.basis("facilities").array})
        for kind, basis in known.drop_duplicates().itertuples(index=False):
            kinds[kind] = max(kinds.get(kind, 0), order[basis])
    points = points_of_homes(home_points(district))
    weakest = max((order[basis] for basis in streets), default=0)
    return _Ground(points, facts, facts["home_basis"].map(order).to_numpy(), weakest, kinds)


def _cover_kinds(
    district: District, rules: Sequence[Rule], ground: _Ground, tables: tuple[pd.DataFrame, pd.DataFrame]
) -> list[dict[str, Any]]:
    """
    Return, rule by rule, its columns with one row per home; the rules ask for the same kinds and the same walker.

    `tables` are the origin-destination tables over all facilities and over those inside. Rules that ask for the same differ in their limits alone.
    """
    best = tables[0]
    homes, kinds = ground.homes, rules[0].kinds
    rows = homes.names.get_indexer(ground.facts.index)

    def by_metres(column: str, told: Callable[[PointsOfHomes, pd.Series], np.ndarray]) -> np.ndarray:
        """Return what is told of a column that is the same whoever walks, kept for the next walker."""
        key = ("cover", kinds, column)
        if key not in district.memo:
            district.memo[key] = told(homes, best[column])[rows]
        found: np.ndarray = district.memo[key]
        return found

    shared = {column: by_metres(column, median_by_home) for column in ("metres", "straight_metres")}
    shared["minutes"] = median_by_home(homes, best["minutes"])[rows]
    nearest = {}
    for timed in {rule.method == "walk_min" for rule in rules}:
        nearest[timed] = (
            most_common(homes, best["facility_minutes"])[rows] if timed else by_metres("facility", most_common)
        )
    costs, inside = ({column: table[column].to_numpy() for column in COST_COLUMNS} for table in tables)
    within = [
        [*(within_limit(costs, rule, method) for method in METHOD_LABELS), within_limit(inside, rule, rule.method)]
        for rule in rules
    ]
    shares = share_within(homes, np.array(within))[:, :, rows]
    if not is_surveyed(district, kinds):
        shares[:] = np.nan
    floor = max(ground.streets, *(ground.facilities.get(kind, 0) for kind in kinds))
    basis = np.array(BASES, dtype=object)[np.maximum(ground.basis, floor)]
    bound = bound_of(district, kinds)
    answers = []
    for rule, share in zip(rules, shares, strict=True):
        served = {f"served_{method}": share[i] for i, method in enumerate(METHOD_LABELS)}
        served |= {"served": served[f"served_{rule.method}"], "served_inside": share[-1]}
        if rule.metric == "presence" and is_surveyed(district, kinds):
            served["served"] = served["served_inside"] = _present(district, kinds, ground.facts)
        for method, limit in (("buffer", rule.metres), ("network_m", rule.metres), ("walk_min", rule.minutes)):
            if method != rule.method and not np.isfinite(limit):  # nobody said how far by this one
                served[f"served_{method}"] = np.full(len(rows), np.nan)
        answers.append(
            {
                "rule": rule.name,
                "label": rule.label,
                "kind": ";".join(kinds),
                "metric": rule.metric,
                "method": rule.method,
                "profile": rule.profile,
                "denominator": rule.denominator,
                "limit_metres": float(rule.metres),
                "limit_minutes": float(rule.minutes),
                **shared,
                "facility": nearest[rule.method == "walk_min"],
                **served,
                "basis": basis,
                "bound": bound,
            }
        )
    return answers


def is_surveyed(district: District, kinds: Iterable[str]) -> bool:
    """Whether anything is known of some kinds, surveyed or seen on a map: of others 数据不足 is said rather than 0."""
    if "known_kinds" not in district.memo:
        facilities = district.layers.get("facilities")
        district.memo["known_kinds"] = district.surveyed_kinds | set(() if facilities is None else facilities["kind"])
    return not district.memo["known_kinds"].isdisjoint(kinds)


def nearest_of_any(tables: Mapping[str, pd.DataFrame], kinds: Sequence[str]) -> pd.DataFrame:
    """Return, per point, the nearest of any of `kinds`; index point."""
    frames = [tables[kind] for kind in kinds]
    first, count = frames[0], len(frames[0])
    if len(frames) == 1:
        return first
    every = pd.concat(frames, ignore_index=True)

    def least(cost: str) -> np.ndarray:
        """Return the rows of the kinds that cost each point least; of equals the first kind's."""
        values = every[cost].fillna(np.inf).to_numpy().reshape(len(frames), count)
        return np.asarray(values.argmin(axis=0) * count + np.arange(count))

    nearest, soonest = least("metres"), least("minutes")
    by_metres = ("home", "facility", "metres")
    columns = {c: every[c].array.take(nearest if c in by_metres else soonest) for c in first.columns}
    columns["straight_metres"] = np.fmin.reduce([frame["straight_metres"].to_numpy() for frame in frames])
    return pd.DataFrame(columns, index=first.index)


def _present(district: District, kinds: Sequence[str], facts: pd.DataFrame) -> np.ndarray:
    """1 where the home's community has an open facility of the kinds, 0 where not, missing where it is in none."""
    matrix = presence(district)
    if matrix.empty:
        return np.full(len(facts), np.nan)
    has = (matrix[matrix.columns.intersection(kinds)].to_numpy() > 0).any(axis=1)
    row = matrix.index.get_indexer(facts["community"])
    return np.where(row >= 0, has[row], np.nan)


# --- groups ----------------------------------------------------------------------------------------------------------


@well_called
def summary(cover: pd.DataFrame, *, by: str | None = None) -> pd.DataFrame:
    """
    Add homes up: how many people, how much land and how many homes each rule serves.

    Parameters
    ----------
    cover
        Result of `coverage`.
    by
        A grouping column of `cover` ("zone", "area", "community", "grid"), or what its layer is called; None for the whole district.

    Returns
    -------
    table
        MultiIndex (group, rule), or index rule where `by` is None; groups are codes, whose names stand in the layer
        (`district.communities["name"]`). Columns `label`, `kind`, `metric`, `method`, `profile`, `denominator` of the rule. For each of
        `people`, `people_60plus`, `area_m2`, `homes`: the known total, `…_served`, `…_share` (0-1 of the known total; missing where
        nothing is known); `…_unknown` counts homes whose value is not known. For rules of presence (`metric`) served are those
        in whose community there is one, however far, and `communities`, `communities_served`, `communities_share` count each
        community once. `share` is by the rule's own denominator; `bound` says how all these stand to the truth: "exact", or
        "at_least" where a kind was only seen on a map. Homes in no group are in group missing.

    Raises
    ------
    UnknownNameError
        `cover` has no such grouping.
    ValueError
        No result of `coverage`.
    """
    must_be_cover(cover)
    by = None if by is None else grouping_of(cover, by)
    rows = cover.reset_index()
    rows["homes"] = 1.0
    rows["unsure"] = rows["bound"] == AT_LEAST if "bound" in rows.columns else False
    keys, counted = ["rule"] if by is None else [by, "rule"], ["people", "people_60plus", "area_m2", "homes"]
    known, unknown = rows["served"].notna(), [f"{column}_unknown" for column in counted]
    for column in counted:
        rows[f"{column}_unknown"] = rows[column].isna()
        rows[f"{column}_served"] = rows[column] * rows["served"]
        rows[column] = rows[column].where(known)
    groups = rows.groupby(keys, dropna=False, sort=False)
    said = ["label", "kind", "metric", "method", "profile", "denominator"]  # the same in all rows of a rule
    table = rows[[*keys, *said]][~rows.duplicated(keys)].set_index(keys)
    sums = groups[[*counted, *(f"{column}_served" for column in counted)]].sum(min_count=1)
    blank = groups[[*unknown, "unsure"]].sum()
    for column in counted:
        table[column], table[f"{column}_served"] = sums[column], sums[f"{column}_served"]
        table[f"{column}_share"] = table[f"{column}_served"] / table[column].where(table[column] > 0)
        table[f"{column}_unknown"] = blank[f"{column}_unknown"]
    table = table.join(_communities(rows, keys))
    own = table["denominator"].replace({"community": "communities"})
    own = own.where(own != "communities", np.where(table["communities"].notna(), "communities", "homes"))
    shares = {d: table[f"{d}_share"].tolist() for d in set(own)}
    table["share"] = [shares[d][i] for i, d in enumerate(own)]
    table["bound"] = np.where(blank["unsure"].to_numpy() > 0, AT_LEAST, EXACT)
    return table if by is None else table.sort_index(level=0, sort_remaining=False)


def grouping_of(table: pd.DataFrame, by: str) -> str:
    """Return the column of a table that a grouping means: by its own name, or by that of its layer in either language."""
    if isinstance(by, str) and by in table.columns:
        return by
    layers = pd.Series(
        {column: LAYERS[layer].label for column, layer in GROUPINGS.items() if column in table.columns}, dtype="str"
    )
    names = pd.DataFrame({"label": layers, "name": [GROUPINGS[column] for column in layers.index]})
    if isinstance(by, gpd.GeoDataFrame):
        raise WrongValueError(say("分组写列名；自己的分区先换进街道：district.replace(communities=表)，再算 coverage"))
    return meant("分组", by, names)[1]


def _communities(rows: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Count, for rules of presence, the communities (that have homes) and those of them that have what is asked for."""
    known = rows[(rows["metric"] == "presence") & rows["community"].notna() & rows["served"].notna()]
    each = known.drop_duplicates([*dict.fromkeys([*keys, "community"])])
    groups = each.groupby(keys, dropna=False, sort=False)["served"]
    table = pd.DataFrame({"communities": groups.size().astype("float64"), "communities_served": groups.sum()})
    table["communities_share"] = table["communities_served"] / table["communities"]
    return table


@well_called
def presence(district: District) -> pd.DataFrame:
    """
    Count open facilities per community and kind (社区×设施矩阵): by whom they serve (`District.serving`).

    Parameters
    ----------
    district
        What `District.load` opened; it stays as it was.

    Returns
    -------
    matrix
        Index community (of the list of `list_year`), one column per kind that has facilities or was surveyed; whole numbers,
        missing where none was seen on a map and nobody has looked whether there is one. Empty where the district has no communities or no facilities.
    """
    must_be_district(district)
    if "presence" not in district.memo:
        district.memo["presence"] = _presence(district)
    matrix: pd.DataFrame = district.memo["presence"].copy(deep=False)
    return matrix


def _presence(district: District) -> pd.DataFrame:
    communities, facilities = district.layers.get("communities"), district.open_facilities
    if communities is None or facilities is None:
        return pd.DataFrame()
    serving = _serving_open(district, facilities)
    kinds = [k for k in district.kinds.index if k in district.surveyed_kinds or (facilities["kind"] == k).any()]
    kind = facilities["kind"][~facilities.index.duplicated()].reindex(serving["facility"]).to_numpy()
    row, column = communities.index.get_indexer(serving["community"]), pd.Index(kinds).get_indexer(kind)
    known, counted = (row >= 0) & (column >= 0), np.zeros((len(communities), len(kinds)), np.int64)
    np.add.at(counted, (row[known], column[known]), 1)
    counts = pd.DataFrame(counted, index=communities.index, columns=pd.Index(kinds, dtype="str"))
    for kind in [k for k in kinds if k in district.mapped_kinds]:
        counts[kind] = counts[kind].where(counts[kind] > 0)
    return counts


#: Nearer to the line of a community than this, a place drawn by hand may as well stand on the other side of it.
NEAR_LINE_M = 30.0


class Grounds(NamedTuple):
    """How it is known which communities have some kinds: how many only by where a place lies, and places near a line."""

    by_position: int
    near_line: pd.Series  # metres to the line; index: the place's name, or its id; nearest first


def presence_grounds(district: District, kinds: Sequence[str], codes: Iterable[str] | None = None) -> Grounds:
    """
    Say what presence rests on: books, or only where places lie, and which of these lie within 30 m of a community's line.

    Parameters
    ----------
    district
        What `District.load` opened; it stays as it was.
    kinds
        Kinds any of which counts.
    codes
        The communities that are asked about; all by default.

    Returns
    -------
    grounds
        `by_position`: communities that have one only by the position of it; `near_line`: metres of such places to the nearest line
        of a community, of those under 30 m.
    """
    communities, facilities = district.layers.get("communities"), places_open(district, inside_only=False)
    if communities is None or "facilities" not in district.layers:
        return Grounds(0, pd.Series(dtype="float64"))
    asked = communities.index if codes is None else communities.index[communities.index.isin(list(codes))]
    if ("lines", tuple(asked)) not in district.memo:
        outlines = communities.geometry[asked].array
        district.memo["lines", tuple(asked)] = shapely.union_all(shapely.boundary(outlines))
    own = facilities["kind"].isin(kinds).to_numpy()
    serving = _serving_open(district, facilities)
    facility, community, by = (serving[name].to_numpy(object) for name in ("facility", "community", "by"))
    ids, codes = {*facilities.index.to_numpy(object)[own]}, {*asked}
    some = np.array([f in ids and c in codes for f, c in zip(facility, community, strict=True)], dtype=bool)
    said = some & (by != "position")
    only = {*community[some]} - {*community[said]}
    drawn = own & ~facilities.index.isin(facility[said])
    spots = shapely.point_on_surface(facilities.geometry.to_numpy()[drawn])
    names = facilities["name"][drawn].fillna(facilities.index[drawn].to_series())
    metres = shapely.distance(district.memo["lines", tuple(asked)], spots)
    near = pd.Series(metres, index=names.to_numpy(), dtype="float64").sort_values(kind="stable")
    return Grounds(len(only), near[near < NEAR_LINE_M])


def _serving_open(district: District, facilities: gpd.GeoDataFrame) -> pd.DataFrame:
    """Return which communities the open facilities serve, found once."""
    if "serving open" not in district.memo:
        district.memo["serving open"] = district.serving(facilities)
    found: pd.DataFrame = district.memo["serving open"]
    return found


@well_called
def completeness(district: District, *, minutes: float = 15.0, profile: Named = "adult") -> gpd.GeoDataFrame:
    """
    Return how complete daily life is within a walk of each home (配套齐全度).

    Parameters
    ----------
    district
        What `District.load` opened; it stays as it was.
    minutes
        Walking time from the home's points, in minutes.
    profile
        Who walks.

    Returns
    -------
    homes
        Index home; `completeness` (0-1: share of the essential kinds of `kinds.csv` that were surveyed, averaged over the
        home's points), `complete` (share of the home that has them all), `kinds` (how many were counted), `lacks` (names
        of the kinds most of the home lacks), `name`, `people`, `people_60plus`, groups (zone, area, community, grid), geometry.

    Raises
    ------
    UnknownNameError
        No such profile.
    ValueError
        No district, or minutes that are not above 0.
    """
    must_be_district(district)
    limits_of(minutes, "minutes")
    homes = district.layers.get("homes")
    kinds = district.kinds
    essential = kinds.index[kinds["essential"].to_numpy(dtype=bool)]
    essential = [k for k in essential if is_surveyed(district, [k]) and k not in district.mapped_kinds]
    if homes is None or not essential:
        return gpd.GeoDataFrame({"completeness": []}, geometry=[], crs=district.crs)
    points = home_points(district)
    table = od_table(district, essential, profile=profile)["minutes"].unstack("kind").droplevel("home")[essential]
    has = (table.reindex(points.index) <= minutes + TOLERANCE_MIN).to_numpy()
    homes_of = points_of_homes(points)
    by_home = pd.DataFrame(
        {k: share_within(homes_of, has[:, i]) for i, k in enumerate(essential)}, index=homes_of.names
    )
    complete = pd.Series(share_within(homes_of, has.all(axis=1)), index=homes_of.names)
    labels, comma = {k: kind_name(district, k) for k in essential}, say("、")
    lacks = by_home.apply(lambda row: comma.join(labels[k] for k in essential if row[k] < 0.5), axis=1)
    result = homes[["name", "people", "people_60plus", "geometry"]].join(district.groups)
    result["completeness"] = by_home.mean(axis=1)
    result["complete"] = complete
    result["kinds"] = len(essential)
    result["lacks"] = lacks
    return result


@well_called
def compare(a: pd.DataFrame, b: pd.DataFrame, *, by: str | None = None) -> pd.DataFrame:
    """
    Subtract two coverages: what changes from `a` to `b`, in people and shares.

    Parameters
    ----------
    a, b
        Results of `coverage` under the same rules.
    by
        A grouping as in `summary`; None for the whole district.

    Returns
    -------
    table
        Index as `summary`; for each of people, people_60plus, area_m2, homes: `…_served` and `…_share` of `b` minus `a`.

    Raises
    ------
    UnknownNameError
        The coverages have no such grouping.
    """
    left, right = summary(a, by=by), summary(b, by=by)
    names = [f"{c}_{w}" for c in ("people", "people_60plus", "area_m2", "homes") for w in ("served", "share")]
    left, right = left[names].align(right[names], join="outer")
    difference = right - left
    return difference.where(difference.abs() > 1e-12, 0.0).where(difference.notna())
