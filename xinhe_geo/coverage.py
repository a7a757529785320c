"""
Who is served: shares per home and per any grouping, completeness, gaps and why.

Three methods stand beside each other and run between the same doors; every number carries its method, denominator,
profile, year and basis. Unknown people are missing, never 0, and shares are taken over what is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from ._names import kind_name, layer_name, rule_name, walker_name
from ._words import language, say
from .district import District
from .errors import UnknownNameError
from .layers import BASES, BASIS_LABELS, DEMONSTRATION, ON_THE_WAY
from .progress import work
from .reach import hinge, hinge_of_kinds, home_points
from .values import DENOMINATOR_LABELS, METHOD_LABELS, TOLERANCE_M, Profile, Rule

GROUPINGS = ("zone", "area", "community", "grid")
#: Minutes carry the rounding of their metres.
TOLERANCE_MIN = 1e-8
#: Unserved shares below this are rounding, not people.
SHARE_TOLERANCE = 1e-9


def coverage(
    district: District, *, rules: str | Sequence[str | Rule] = "plan", profile: str | Profile | None = None
) -> pd.DataFrame:
    """
    Compute how much of each home is served under each rule.

    Parameters
    ----------
    district
        What `District.load` opened; it stays as it was.
    rules
        A set of `rules.csv` ("plan", "td1063", "elderly" …), or names of rules, or `Rule` values.
    profile
        Who walks, instead of each rule's own profile.

    Returns
    -------
    cover
        MultiIndex (home, rule). Columns: `label`, `kind` (";"-joined: any of them serves), `metric`, `method`, `profile`,
        `denominator`, `limit_metres`, `limit_minutes`; `facility` (nearest by the rule's method for most of the home),
        `metres`, `straight_metres`, `minutes` (medians over the home's points, missing where most of it cannot get there);
        `served` (share 0-1 by the rule's own method), `served_buffer`, `served_network_m`, `served_walk_min` (each method),
        `served_inside` (the rule's method, facilities inside the district only); `people`, `people_60plus`, `households`,
        `area_m2`; `zone`, `area`, `community`, `grid`; `basis` (weakest input). Missing `served` means 数据不足.

    Raises
    ------
    UnknownNameError
        No such set, rule or profile.
    """
    chosen = rules_of(district, rules, profile)
    homes = district.homes
    if homes is None or homes.empty:
        return pd.DataFrame(
            columns=["label", "kind", "served"], index=pd.MultiIndex.from_arrays([[], []], names=["home", "rule"])
        )
    ground = _ground(district, homes)
    parts: dict[str, Mapping[str, Any]] = {}
    walkers = list(dict.fromkeys(rule.profile for rule in chosen))
    with work("计算覆盖率", len(walkers) + len(chosen)) as step:
        for walker in walkers:
            own = [rule for rule in chosen if rule.profile == walker]
            kinds = dict.fromkeys(kind for rule in own for kind in rule.kinds)
            who = profile if isinstance(profile, Profile) else district.profile(walker)
            step(f"{who.label}步行")
            nearest = (hinge_of_kinds(district, kinds, profile=who, inside_only=only) for only in (False, True))
            everywhere, inside = nearest
            for group in dict.fromkeys(rule.kinds for rule in own):
                asking = [rule for rule in own if rule.kinds == group]
                tables = _any_of(everywhere, group), _any_of(inside, group)
                for rule, found in zip(asking, _cover_kinds(district, asking, ground, tables), strict=True):
                    step(rule.label)
                    parts[rule.name] = found
    return _joined(ground.facts, [parts[rule.name] for rule in chosen])


def _joined(facts: pd.DataFrame, rules: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return the rows of all rules, home by home: what the homes carry beside what each rule found for them."""
    count, homes = len(rules), len(facts)
    order = np.repeat(facts.index.argsort(), count), np.tile(np.arange(count), homes)
    rows = order[1] * homes + order[0]
    columns: dict[str, Any] = {"home": facts.index.take(order[0])}
    columns |= {name: facts[name].array.take(order[0]) for name in facts.columns if name != "home_basis"}
    for name, first in rules[0].items():
        if isinstance(first, (str, float)):
            words = pd.array([rule[name] for rule in rules], dtype="str" if isinstance(first, str) else "float64")
            columns[name] = words.take(order[1])
        else:
            values = np.concatenate([rule[name] for rule in rules]).take(rows)
            columns[name] = pd.array(values, dtype="str") if values.dtype == object else values
    return pd.DataFrame(columns).set_index(["home", "rule"])


def rules_of(district: District, rules: str | Sequence[str | Rule], profile: str | Profile | None = None) -> list[Rule]:
    """Return the rules a set name, a rule name or a list of either stands for, with `profile` put in where given."""
    table = district.rules
    if isinstance(rules, str):
        names: list[str | Rule] = list(table.index[(table["set"] == rules).to_numpy()])
        if not names:
            if rules not in table.index:
                known = [*dict.fromkeys(table["set"]), *table.index]
                raise UnknownNameError("规则集或规则", rules, known)
            names = [rules]
    else:
        names = list(rules)
    chosen = [district.rule(name) for name in names]
    if profile is None:
        return chosen
    walker = district.profile(profile)
    return [replace(rule, profile=walker.name) for rule in chosen]


def _home_facts(district: District, homes: gpd.GeoDataFrame) -> pd.DataFrame:
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

    homes: _Homes
    facts: pd.DataFrame
    basis: np.ndarray  # of each home, as its place in BASES
    streets: int
    facilities: Mapping[str, int]  # by kind


def _ground(district: District, homes: gpd.GeoDataFrame) -> _Ground:
    facts = _home_facts(district, homes)
    order = {name: i for i, name in enumerate(BASES)}
    streets = district.basis("streets").unique() if "streets" in district.layers else []
    kinds: dict[str, int] = {}
    facilities = district.facilities
    if facilities is not None:
        known = pd.DataFrame({"kind": facilities["kind"].array, "basis": district.basis("facilities").array})
        for kind, basis in known.drop_duplicates().itertuples(index=False):
            kinds[kind] = max(kinds.get(kind, 0), order[basis])
    points = _homes_of(home_points(district))
    weakest = max((order[basis] for basis in streets), default=0)
    return _Ground(points, facts, facts["home_basis"].map(order).to_numpy(), weakest, kinds)


def _cover_kinds(
    district: District, rules: Sequence[Rule], ground: _Ground, tables: tuple[pd.DataFrame, pd.DataFrame]
) -> list[dict[str, Any]]:
    """
    Return, rule by rule, its columns with one row per home; the rules ask for the same kinds and the same walker.

    `tables` are the hinge over all facilities and over those inside. Rules that ask for the same differ in their limits alone.
    """
    best = tables[0]
    homes, kinds = ground.homes, rules[0].kinds
    rows = homes.names.get_indexer(ground.facts.index)

    def by_metres(column: str, told: Callable[[_Homes, pd.Series], np.ndarray]) -> np.ndarray:
        """Return what is told of a column that is the same whoever walks, kept for the next walker."""
        key = ("cover", kinds, column)
        if key not in district.memo:
            district.memo[key] = told(homes, best[column])[rows]
        found: np.ndarray = district.memo[key]
        return found

    shared = {column: by_metres(column, _median) for column in ("metres", "straight_metres")}
    shared["minutes"] = _median(homes, best["minutes"])[rows]
    nearest = {}
    for timed in {rule.method == "walk_min" for rule in rules}:
        nearest[timed] = _most(homes, best["facility_minutes"])[rows] if timed else by_metres("facility", _most)
    costs, inside = ({column: table[column].to_numpy() for column in COST_COLUMNS} for table in tables)
    within = [[*(_within(costs, rule, method) for method in METHOD_LABELS), _within(inside, rule, rule.method)]
              for rule in rules]  # fmt: skip
    shares = _share(homes, np.array(within))[:, :, rows]
    if not _is_surveyed(district, kinds):
        shares[:] = np.nan
    floor = max(ground.streets, *(ground.facilities.get(kind, 0) for kind in kinds))
    basis = np.array(BASES, dtype=object)[np.maximum(ground.basis, floor)]
    answers = []
    for rule, share in zip(rules, shares, strict=True):
        served = {f"served_{method}": share[i] for i, method in enumerate(METHOD_LABELS)}
        served |= {"served": served[f"served_{rule.method}"], "served_inside": share[-1]}
        if rule.metric == "presence" and _is_surveyed(district, kinds):
            served["served"] = served["served_inside"] = _present(district, kinds, ground.facts)
        answers.append({
            "rule": rule.name, "label": rule.label, "kind": ";".join(kinds), "metric": rule.metric,
            "method": rule.method, "profile": rule.profile, "denominator": rule.denominator,
            "limit_metres": float(rule.metres), "limit_minutes": float(rule.minutes),
            **shared, "facility": nearest[rule.method == "walk_min"], **served, "basis": basis,
        })  # fmt: skip
    return answers


def _is_surveyed(district: District, kinds: Iterable[str]) -> bool:
    """A kind nobody surveyed, and of which nothing is known, gives 数据不足 rather than 0."""
    if "known_kinds" not in district.memo:
        facilities = district.facilities
        district.memo["known_kinds"] = district.surveyed_kinds | set(() if facilities is None else facilities["kind"])
    return not district.memo["known_kinds"].isdisjoint(kinds)


def _any_of(tables: Mapping[str, pd.DataFrame], kinds: Sequence[str]) -> pd.DataFrame:
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


#: What the three methods compare with their limits.
COST_COLUMNS = ("straight_metres", "metres", "minutes")


def _within(costs: Mapping[str, Any] | pd.DataFrame, rule: Rule, method: str) -> np.ndarray:
    """Return which points are within the rule's limit by a method; the limit itself is within."""
    if method == "walk_min":
        return np.asarray(costs["minutes"]) <= rule.minutes + TOLERANCE_MIN
    return np.asarray(costs["straight_metres" if method == "buffer" else "metres"]) <= rule.metres + TOLERANCE_M


class _Homes(NamedTuple):
    """The points of each home lie together: where each home begins, how many it has, and the homes in that order."""

    start: np.ndarray
    size: np.ndarray
    names: pd.Index
    code: np.ndarray  # home number of each point
    weight: np.ndarray


def _homes_of(points: gpd.GeoDataFrame) -> _Homes:
    home = points["home"].to_numpy(dtype=object)
    start = np.flatnonzero(np.r_[True, home[1:] != home[:-1]])
    count = np.diff(np.r_[start, len(home)])
    code = np.repeat(np.arange(len(start)), count)
    return _Homes(start, count, pd.Index(home[start], name="home"), code, points["weight"].to_numpy())


def _share(homes: _Homes, within: np.ndarray) -> np.ndarray:
    """Return the share of each home's points that are within; points, and homes, along the last axis."""
    share = np.add.reduceat(within * homes.weight, homes.start, axis=-1)
    return np.where(share < 1 - SHARE_TOLERANCE, share, 1.0)


def _median(homes: _Homes, values: Any) -> np.ndarray:
    """Return the (lower) median over each home's points; a point that cannot get there is farther than any that can."""
    values = np.asarray(values, dtype=float)
    filled = np.where(np.isnan(values), np.inf, values)
    ranked = filled[np.lexsort((filled, homes.code))]
    median = ranked[homes.start + (homes.size - 1) // 2]
    return np.where(np.isfinite(median), median, np.nan)


def _most(homes: _Homes, facility: pd.Series) -> np.ndarray:
    """Return the facility nearest for most of each home's points, missing where none; ties by id."""
    number, names = pd.factorize(facility, sort=True)
    there = number >= 0
    found = np.full(len(homes.names), np.nan, dtype=object)
    if there.any():
        count = len(names)
        pair, n = np.unique(homes.code[there] * count + number[there], return_counts=True)
        home, which = pair // count, pair % count
        order = np.lexsort((which, -n, home))
        first = order[np.unique(home[order], return_index=True)[1]]
        found[home[first]] = np.asarray(names)[which[first]]
    return found


def _present(district: District, kinds: Sequence[str], facts: pd.DataFrame) -> np.ndarray:
    """1 where the home's community has an open facility of the kinds, 0 where not, missing where it is in none."""
    matrix = presence(district)
    if matrix.empty:
        return np.full(len(facts), np.nan)
    has = (matrix[matrix.columns.intersection(kinds)].to_numpy() > 0).any(axis=1)
    row = matrix.index.get_indexer(facts["community"])
    return np.where(row >= 0, has[row], np.nan)


# --- groups ----------------------------------------------------------------------------------------------------------


def summary(cover: pd.DataFrame, *, by: str | None = None) -> pd.DataFrame:
    """
    Add homes up: how many people, how much land and how many homes each rule serves.

    Parameters
    ----------
    cover
        Result of `coverage`.
    by
        A grouping column of `cover` ("zone", "area", "community", "grid"); None for the whole district.

    Returns
    -------
    table
        MultiIndex (group, rule), or index rule where `by` is None. For each of `people`, `people_60plus`, `area_m2`, `homes`: the known
        total, `…_served`, `…_share` (0-1 of the known total; missing where nothing is known); `…_unknown` counts homes
        whose value is not known. `communities`, `communities_served`, `communities_share` for rules of presence: a community
        counts once, however many facilities it has. `share` is by the rule's own denominator.
        Homes in no group are in group missing.

    Raises
    ------
    UnknownNameError
        `cover` has no such grouping.
    """
    if by is not None and by not in cover.columns:
        raise UnknownNameError("分组", by, [g for g in GROUPINGS if g in cover.columns])
    rows = cover.reset_index()
    rows["homes"] = 1.0
    keys, counted = ["rule"] if by is None else [by, "rule"], ["people", "people_60plus", "area_m2", "homes"]
    known, unknown = rows["served"].notna(), [f"{column}_unknown" for column in counted]
    for column in counted:
        rows[f"{column}_unknown"] = rows[column].isna()
        rows[f"{column}_served"] = rows[column] * rows["served"]
        rows[column] = rows[column].where(known)
    groups = rows.groupby(keys, dropna=False, sort=False)
    table = groups[["label", "kind", "method", "profile", "denominator"]].first()
    sums = groups[[*counted, *(f"{column}_served" for column in counted)]].sum(min_count=1)
    blank = groups[unknown].sum()
    for column in counted:
        table[column], table[f"{column}_served"] = sums[column], sums[f"{column}_served"]
        table[f"{column}_share"] = table[f"{column}_served"] / table[column].where(table[column] > 0)
        table[f"{column}_unknown"] = blank[f"{column}_unknown"]
    table = table.join(_communities(rows, keys))
    own = table["denominator"].replace({"community": "communities"})
    own = own.where(own != "communities", np.where(table["communities"].notna(), "communities", "homes"))
    table["share"] = [table[f"{d}_share"].iloc[i] for i, d in enumerate(own)]
    return table if by is None else table.sort_index(level=0, sort_remaining=False)


def _communities(rows: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Count, for rules of presence, the communities (that have homes) and those of them that have what is asked for."""
    known = rows[(rows["metric"] == "presence") & rows["community"].notna() & rows["served"].notna()]
    each = known.drop_duplicates([*dict.fromkeys([*keys, "community"])])
    groups = each.groupby(keys, dropna=False, sort=False)["served"]
    table = pd.DataFrame({"communities": groups.size().astype("float64"), "communities_served": groups.sum()})
    table["communities_share"] = table["communities_served"] / table["communities"]
    return table


def presence(district: District) -> pd.DataFrame:
    """
    Count open facilities per community and kind (社区×设施矩阵).

    Parameters
    ----------
    district
        What `District.load` opened; it stays as it was.

    Returns
    -------
    matrix
        Index community (of the list of `list_year`), one column per kind that has facilities or was surveyed; whole numbers.
        Empty where the district has no communities or no facilities.
    """
    if "presence" not in district.memo:
        district.memo["presence"] = _presence(district)
    matrix: pd.DataFrame = district.memo["presence"].copy(deep=False)
    return matrix


def _presence(district: District) -> pd.DataFrame:
    communities, facilities = district.communities, district.open_facilities
    if communities is None or facilities is None:
        return pd.DataFrame()
    where = district.locate(facilities)["community"]
    kinds = [k for k in district.kinds.index if k in district.surveyed_kinds or (facilities["kind"] == k).any()]
    counts = pd.crosstab(where, facilities["kind"]) if where.notna().any() else pd.DataFrame()
    return counts.reindex(index=communities.index, columns=kinds, fill_value=0).astype("int64")


def completeness(district: District, *, minutes: float = 15.0, profile: str | Profile = "adult") -> gpd.GeoDataFrame:
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
        of the kinds most of the home lacks), `people`, groups, geometry.

    Raises
    ------
    UnknownNameError
        No such profile.
    """
    homes = district.homes
    kinds = district.kinds
    essential = [k for k in kinds.index[kinds["essential"].to_numpy(dtype=bool)] if _is_surveyed(district, [k])]
    if homes is None or not essential:
        return gpd.GeoDataFrame({"completeness": []}, geometry=[], crs=district.crs)
    points = home_points(district)
    table = hinge(district, essential, profile=profile)["minutes"].unstack("kind").droplevel("home")[essential]
    has = (table.reindex(points.index) <= minutes + TOLERANCE_MIN).to_numpy()
    homes_of = _homes_of(points)
    by_home = pd.DataFrame({k: _share(homes_of, has[:, i]) for i, k in enumerate(essential)}, index=homes_of.names)
    complete = pd.Series(_share(homes_of, has.all(axis=1)), index=homes_of.names)
    labels, comma = {k: kind_name(district, k) for k in essential}, say("、")
    lacks = by_home.apply(lambda row: comma.join(labels[k] for k in essential if row[k] < 0.5), axis=1)
    result = homes[["name", "people", "people_60plus", "geometry"]].join(district.groups)
    result["completeness"] = by_home.mean(axis=1)
    result["complete"] = complete
    result["kinds"] = len(essential)
    result["lacks"] = lacks
    return result


# --- gaps ------------------------------------------------------------------------------------------------------------


def gaps(district: District, cover: pd.DataFrame, rule: str) -> gpd.GeoDataFrame:
    """
    List the homes that are not (wholly) served, most people first, and say why.

    Parameters
    ----------
    district
        What `District.load` opened; it stays as it was.
    cover
        Result of `coverage`.
    rule
        A rule in `cover`, or a kind (its headline rule of `kinds.csv`).

    Returns
    -------
    places
        Index home. Columns `name`, groups, `people_unserved`, `people_60plus_unserved`, `share_unserved`, `counted` and
        `unserved` (which of the two the rule counts in, and that number), and of the median
        unserved point: `facility`, `minutes`, `gate_minutes`, `wait_minutes`, `street_minutes` (they add up to `minutes`),
        `metres`, `straight_metres`, `detour` (walked over straight), `crosses` (names of barriers between), `reason`
        (one Chinese sentence), geometry. Homes fully served, or 数据不足, are absent.

    Raises
    ------
    UnknownNameError
        No such rule or kind in `cover`.
    """
    name = _headline_rule(district, cover, rule)
    own = cover.xs(name, level="rule")
    chosen = _rule_in(district, own, name)
    own = own[(own["served"] < 1 - SHARE_TOLERANCE).to_numpy()]
    homes, facilities = district.homes, district.facilities
    if homes is None or facilities is None or own.empty:
        return gpd.GeoDataFrame({"people_unserved": []}, geometry=[], crs=district.crs)
    walker = district.profile(str(own["profile"].iloc[0]))
    best = _any_of(hinge_of_kinds(district, chosen.kinds, profile=walker), chosen.kinds)
    points = home_points(district)
    worst = _median_unserved(points, best, chosen, own.index)
    table = own[[c for c in (*GROUPINGS, "people", "people_60plus") if c in own.columns]].copy()
    table.insert(0, "name", homes["name"].reindex(own.index))
    share = 1.0 - own["served"]
    table["people_unserved"] = own["people"] * share
    table["people_60plus_unserved"] = own["people_60plus"] * share
    table["counted"] = "people_60plus" if chosen.denominator == "people_60plus" else "people"
    table["unserved"] = table[f"{table['counted'].iloc[0]}_unserved"]
    table["share_unserved"] = share
    table = table.drop(columns=["people", "people_60plus"]).join(worst.drop(columns="point"))
    table["gate_minutes"] = table.pop("gate_metres") / walker.speed_m_s / 60.0
    table["street_minutes"] = table["minutes"] - table["wait_minutes"] - table["gate_minutes"].fillna(0.0)
    table["detour"] = table["metres"] / table["straight_metres"].where(table["straight_metres"] > 0)
    table["crosses"] = _crossed(district, points, worst, facilities)
    names = dict(zip(facilities.index, facilities["name"], strict=True))
    what = say("、").join(kind_name(district, k) for k in chosen.kinds)
    walks = map(_Walk._make, zip(*(table[part].tolist() for part in _Walk._fields), strict=True))
    table["reason"] = [_reason(what, chosen, walk, names) for walk in walks]
    table["geometry"] = homes.geometry.reindex(table.index)
    table = gpd.GeoDataFrame(table, geometry="geometry", crs=district.crs)
    return table.sort_values(["unserved", "share_unserved"], ascending=False, kind="stable", na_position="last")


def _headline_rule(district: District, cover: pd.DataFrame, name: str) -> str:
    """Return `name` where it is a rule of `cover`, else the headline rule of the kind it names."""
    names = cover.index.unique("rule").tolist()
    if name not in names and name in district.kinds.index and pd.notna(district.kinds.loc[name, "rule"]):
        name = str(district.kinds.loc[name, "rule"])
    if name not in names:
        raise UnknownNameError("规则或类别", name, names)
    return name


def _rule_in(district: District, own: pd.DataFrame, name: str) -> Rule:
    """Return the rule that its rows of a cover were made with: its limits and walker may differ from `rules.csv`."""
    row = own.iloc[0]
    asked: dict[str, Any] = {
        "label": str(row["label"]), "kinds": tuple(str(row["kind"]).split(";")), "method": str(row["method"]),
        "metres": float(row["limit_metres"]), "minutes": float(row["limit_minutes"]), "profile": str(row["profile"]),
        "denominator": str(row["denominator"]), "metric": str(row["metric"]),
    }  # fmt: skip
    return replace(district.rule(name), **asked) if name in district.rules.index else Rule(name=name, **asked)


def _median_unserved(points: gpd.GeoDataFrame, best: pd.DataFrame, rule: Rule, homes: pd.Index) -> pd.DataFrame:
    """Return, per home, the hinge row of its median unserved point: a real point, so that its parts add up."""
    home = homes.get_indexer(pd.Index(points["home"]))
    minutes = best["minutes"].reindex(points.index).to_numpy(dtype=float)
    unserved = home >= 0
    if rule.metric == "reach":
        unserved &= ~_within(best.reindex(points.index), rule, rule.method)
    rows = np.flatnonzero(unserved)
    rows = rows[np.lexsort((rows, minutes[rows], home[rows]))]  # what cannot get there comes last
    start = np.flatnonzero(np.r_[True, home[rows][1:] != home[rows][:-1]][: len(rows)])
    middle = rows[start + (np.diff(np.r_[start, len(rows)]) - 1) // 2]
    table = best.reindex(points.index[middle]).reset_index()
    table["home"] = homes[home[middle]]
    return table.set_index("home")


def _crossed(
    district: District, points: gpd.GeoDataFrame, worst: pd.DataFrame, facilities: gpd.GeoDataFrame
) -> pd.Series:
    """Return the names of the barriers between each place and its facility, as the crow flies."""
    barriers = district.barriers
    crossed = pd.Series("", index=worst.index, dtype="object")
    there = worst["facility_minutes"].dropna()
    if barriers is None or barriers.empty or there.empty:
        return crossed
    ends = np.empty((len(there), 2, 2))
    ends[:, 0] = shapely.get_coordinates(points.geometry.loc[worst.loc[there.index, "point"]].array)
    ends[:, 1] = shapely.get_coordinates(shapely.point_on_surface(facilities.geometry.loc[there].array))
    line, barrier = barriers.sindex.query(shapely.linestrings(ends), predicate="intersects")
    names = barriers["name"].fillna(barriers["kind"]).to_numpy()
    for row in np.unique(line):
        crossed[there.index[row]] = say("、").join(dict.fromkeys(names[np.sort(barrier[line == row])]))
    return crossed


class _Walk(NamedTuple):
    """What is said of the walk to the nearest facility: columns of `gaps`."""

    minutes: float
    straight_metres: float
    facility_minutes: str
    gate_minutes: float
    wait_minutes: float
    street_minutes: float
    crosses: str
    detour: float


def _reason(what: str, rule: Rule, row: _Walk, names: Mapping[str, object]) -> str:
    """Say in one sentence why a place is not served, with the parts of its walk."""
    minutes, straight = float(row.minutes), float(row.straight_metres)
    if np.isnan(straight):
        return say("全区没有开放的{0}", what)
    if np.isnan(minutes):
        return say("走不到任何{0}：所在路网与其他街道不连通，或没有开放的出入口（直线 {1:,.0f} 米）", what, straight)
    facility = row.facility_minutes
    name = names.get(facility, facility)
    name = facility if not isinstance(name, str) else name
    parts = []
    if row.gate_minutes == row.gate_minutes and row.gate_minutes > 0:
        parts.append(say("到小区出入口 {0:.1f}", row.gate_minutes))
    if row.wait_minutes >= 0.05:
        parts.append(say("过街等候 {0:.1f}", row.wait_minutes))
    parts.append(say("沿街步行 {0:.1f}", row.street_minutes))
    text = say("最近的{0}步行 {1:.1f} 分钟（{2}）", name, minutes, say("，").join(parts))
    if rule.metric == "presence":
        return say("本社区没有开放的{0}；{1}", what, text)
    if row.crosses and row.detour > 1.5:
        return say("{0}；直线 {1:,.0f} 米，隔着{2}，绕行 {3:.1f} 倍", text, straight, row.crosses, row.detour)
    if straight <= rule.metres:
        return say("{0}；直线只有 {1:,.0f} 米，绕行 {2:.1f} 倍", text, straight, row.detour)
    return say("{0}；附近没有，直线也有 {1:,.0f} 米", text, straight)


# --- what is shown first ---------------------------------------------------------------------------------------------


def headlines(district: District, cover: pd.DataFrame) -> pd.DataFrame:
    """
    Say, rule by rule, the one number that leads, in the words of a planner.

    Parameters
    ----------
    district
        What `District.load` opened; it stays as it was.
    cover
        Result of `coverage`.

    Returns
    -------
    table
        Index rule (in the order of `cover`). Columns `label`, `kind`, `headline` (a sentence), `value` (0-1, missing =
        数据不足), `alternatives` (换算法 line), `mark` (演示值（不作结论）, 数据不足 or empty), `basis_text`, `standard_text`,
        `dependent_share` (share that only facilities outside the district serve), `people_unserved`.
    """
    whole = summary(cover)
    matrix = presence(district)
    rules = {name: cover.xs(name, level="rule") for name in cover.index.unique("rule")}
    rows = [_headline(district, _rule_in(district, own, name), whole.loc[name], own, matrix)
            for name, own in rules.items()]  # fmt: skip
    return pd.DataFrame(rows).set_index("rule")


def _headline(
    district: District, rule: Rule, total: pd.Series, own: pd.DataFrame, matrix: pd.DataFrame
) -> dict[str, object]:
    walker = district.profile(str(total["profile"]))
    denominator = _usable_denominator(rule.denominator, total)
    counted = denominator if denominator == "people_60plus" else "people"
    unserved = (own[counted] * (1.0 - own["served"])).sum(min_count=1)
    row: dict[str, object] = {
        "rule": rule.name, "label": rule_name(district, rule), "kind": ";".join(rule.kinds), "value": np.nan, "headline": say("数据不足"),
        "alternatives": "", "mark": "", "basis_text": basis_text(district, rule), "standard_text": rule.basis_text,
        "dependent_share": np.nan, "people_unserved": unserved, "denominator": denominator or "",
    }  # fmt: skip
    if rule.metric == "presence":
        _community_headline(district, rule, matrix, row)
    elif denominator is not None:
        value = float(total[f"{denominator}_share"])
        row["value"] = value
        what = {
            "people": "常住人口",
            "people_60plus": "60岁及以上人口",
            "area_m2": "居住用地",
            "homes": "小区（个数）",
        }[denominator]
        missing = say("，{0:,.0f} 人不可达", unserved) if np.isfinite(unserved) and unserved >= 0.5 else ""
        row["headline"] = say("{0}可达{1} {2:.1%}{3}", _limit_text(district, rule, walker), say(what), value, missing)
    if denominator is not None and own["served"].notna().any():
        row["alternatives"] = _alternatives(rule, own, denominator)
        weight = pd.Series(1.0, index=own.index) if denominator == "homes" else own[denominator]
        known = weight[own["served"].notna()].sum()
        gain = ((own["served"] - own["served_inside"]).clip(lower=0) * weight).sum()
        row["dependent_share"] = gain / known if known > 0 else np.nan
    if not np.isfinite(float(row["value"])):  # type: ignore[arg-type]
        row["mark"] = say("数据不足")
        row["headline"] = _what_is_missing(district, rule)
    elif own["basis"].isin(DEMONSTRATION).any():
        row["mark"] = say("演示值（不作结论）")
    return row


def _usable_denominator(wanted: str, total: pd.Series) -> str | None:
    """Return the rule's denominator, or what stands in for it: people, then residential land, then number of homes."""
    order = ["people" if wanted == "community" else wanted, "area_m2", "homes"]
    return next((d for d in order if np.isfinite(total[f"{d}_share"])), None)


def _community_headline(district: District, rule: Rule, matrix: pd.DataFrame, row: dict[str, object]) -> None:
    if matrix.empty or not _is_surveyed(district, rule.kinds):
        return
    has = matrix.reindex(columns=list(rule.kinds), fill_value=0).sum(axis=1) > 0
    communities = district.communities
    names = communities["name"] if communities is not None else pd.Series(dtype="str")
    lacks = [str(names.get(c, c)) for c in has.index[~has]]
    row["value"] = float(has.mean())
    missing = say("；缺：{0}", say("、").join(lacks)) if lacks else ""
    row["headline"] = say(
        "{0} 个社区（{1} 年名录）中 {2} 个有{3}", len(has), district.list_year, int(has.sum()), missing
    )


def _limit_text(district: District, rule: Rule, walker: Profile) -> str:
    if rule.method == "walk_min":
        return say("{0}步行 {1:g} 分钟", walker_name(district, walker), rule.minutes)
    return say("{0} {1:g} 米", say(METHOD_LABELS[rule.method]), rule.metres)


def _alternatives(rule: Rule, own: pd.DataFrame, denominator: str) -> str:
    """Return the other ways to count, in one line; a presence rule names the circle it is counted in."""
    weight = pd.Series(1.0, index=own.index) if denominator == "homes" else own[denominator]
    known = weight[own["served"].notna()].sum()
    if not known > 0:
        return ""
    shares = [(own[f"served_{m}"] * weight).sum() / known for m in METHOD_LABELS]
    words = say("直线 {0:.0%}｜路网 {1:.0%}｜步行 {2:.0%}", *shares)
    name = say(DENOMINATOR_LABELS.get(denominator, "小区数"))
    if rule.metric == "presence":
        return say("另：{0:g} 米或 {1:g} 分钟圈内的{2}：{3}", rule.metres, rule.minutes, name, words)
    return say("换算法（{0}）：{1}", name, words)


def _what_is_missing(district: District, rule: Rule) -> str:
    if district.homes is None:
        return say("数据不足：缺小区图层")
    if rule.metric == "presence" and district.communities is None:
        return say("数据不足：缺社区界")
    labels = say("、").join(kind_name(district, k) for k in rule.kinds)
    if not _is_surveyed(district, rule.kinds):
        return say("数据不足：没有调查过{0}", labels)
    return say("数据不足：缺人口和用地")


def basis_text(district: District, rule: Rule) -> str:
    """
    Say what a rule's numbers rest on: "小区 101 处中 101 处为合成；设施 38 处中 12 处为示意".

    A walk is counted without gates, entrances or barriers where the district has no such layer, and says so.
    """
    key = ("weak rows", rule.kinds, language())
    if key not in district.memo:
        district.memo[key] = _weak_rows(district, rule.kinds)
    parts = list(district.memo[key])
    absent = [layer_name(name) for name in ON_THE_WAY if name not in district.layers]
    if absent and rule.metric == "reach" and rule.method != "buffer":
        parts.append(say("没有图层、步行未计：{0}", say("、").join(absent)))
    return say("；").join(parts)


def _weak_rows(district: District, kinds: Sequence[str]) -> list[str]:
    """Say of homes, facilities of some kinds and streets how many are schematic or synthetic."""
    parts = []
    facilities = district.facilities
    rows = {
        "小区": district.basis("homes") if district.homes is not None else pd.Series(dtype="str"),
        "设施": pd.Series(dtype="str")
        if facilities is None
        else district.basis("facilities")[facilities["kind"].isin(kinds)],
        "路段": district.basis("streets") if "streets" in district.layers else pd.Series(dtype="str"),
    }
    for label, basis in rows.items():
        weak = basis[basis.isin(DEMONSTRATION)]
        if len(weak):
            words = say("、").join(say(BASIS_LABELS[b]) for b in DEMONSTRATION if (weak == b).any())
            told = say(label), len(basis), len(weak), words
            parts.append(
                say("{0} {1} 段中 {2} 段为{3}", *told) if label == "路段" else say("{0} {1} 处中 {2} 处为{3}", *told)
            )
    return parts


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
