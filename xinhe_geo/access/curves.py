"""How access grows with the minutes, and how much is within reach: what one limit alone does not show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias, cast

import numpy as np
import pandas as pd

from ..core import (
    BASES,
    LAYERS,
    Profile,
    Rule,
    UnknownNameError,
    WrongValueError,
    is_above_zero,
    limits_of,
    say,
    well_called,
)
from ..district import District, Named, must_be_district
from .bounds import AT_LEAST, EXACT, bound_of
from .capacity import decay_of, sizes
from .coverage import coverage, grouping_of, is_surveyed, nearest_of_any
from .destinations import destinations
from .entrances import home_points, places_open
from .home_shares import TOLERANCE_MIN, points_of_homes, share_within
from .od_table import od_tables, pairs

#: The group of a curve that is not asked for by groups.
ALL = ""
#: A curve of nobody.
_NOBODY = pd.DataFrame(
    {"share": [], "people": []}, index=pd.MultiIndex.from_arrays([[], []], names=["group", "minute"])
)
#: One walker, or several side by side.
Walkers: TypeAlias = Named | Sequence[Named]


@well_called
def curve(
    district: District,
    what: Named,
    *,
    profile: Walkers | None = None,
    by: str | None = None,
    minutes: float | Iterable[float] = range(61),
) -> pd.DataFrame:
    """
    Say how many are there after how many minutes: the share that `coverage` counts at one limit, at every one.

    Parameters
    ----------
    district
        What `District.load` opened; it stays as it was.
    what
        A rule, or a kind (the rule that leads it): code, name, row or `Rule`. Judged by the walk, whatever the rule's own method.
    profile
        Who walks, instead of the rule's own profile; several stand one after the other.
    by
        A grouping as in `summary`; None for the whole district.
    minutes
        Minutes of walking at which is counted, 0 among them if wanted.

    Returns
    -------
    table
        Index (`group`, `minute`), with `profile` first where several are asked for; without `by` the only group is "". Columns
        `share` (0-1 of the known total of what the rule counts: at the limit of a rule in minutes what `summary` says), `people`
        (residents who are there by then); empty where nothing is known of the kind; `counted` (people, people_60plus or area_m2), `rule`,
        `bound` ("exact", or "at_least" where a kind was only seen on a map), `basis` (weakest input).

    Raises
    ------
    UnknownNameError
        No such rule, kind, profile or grouping.
    ValueError
        No district, or minutes below 0.

    Examples
    --------
    >>> import xinhe_geo as xh
    >>> toy = xh.District.load("tests/toy")
    >>> grown = xh.curve(toy, "clinic_station", minutes=(0, 5, 10, 15))
    >>> grown["share"].round(2).tolist()
    [0.0, 0.28, 0.97, 0.97]
    >>> both = xh.curve(toy, "clinic_station", profile=["adult", "elderly"], minutes=15)
    >>> both.index.names
    FrozenList(['profile', 'group', 'minute'])
    """
    must_be_district(district)
    limits = limits_of(minutes, "minutes", zero=True)
    rule, several = district.rule(what), _several(profile)
    walkers = [district.profile(rule.profile if profile is None else own) for own in several]
    parts = {walker.name: _grown(district, rule, walker, by, limits) for walker in walkers}
    return _joined(parts, profile)


def _several(profile: Walkers | None) -> list[Named | None]:
    one = profile is None or isinstance(profile, (str, Profile, pd.Series, pd.DataFrame))
    return [cast("Named | None", profile)] if one else list(cast("Sequence[Named]", profile))


def _joined(parts: dict[str, pd.DataFrame], profile: Walkers | None) -> pd.DataFrame:
    """Return one table; several walkers stand in a level of their own."""
    if len(_several(profile)) == 1 and not isinstance(profile, (list, tuple)):
        return next(iter(parts.values()))
    return pd.concat(parts, names=["profile"])


def _grown(district: District, rule: Rule, walker: Profile, by: str | None, limits: Sequence[float]) -> pd.DataFrame:
    """Return the rows of one walker."""
    counted = "people" if rule.denominator == "community" else rule.denominator
    known = walker.name in district.profiles.index and district.profile(walker.name) == walker  # kept under its name
    cover = coverage(district, rules=[rule], profile=walker.name if known else walker).droplevel("rule")
    column = None if by is None else grouping_of(cover, by)
    group = pd.Series(ALL, index=cover.index) if column is None else cover[column]
    tables = od_tables(district, rule.kinds, profile=walker)
    homes = points_of_homes(home_points(district))
    soon = nearest_of_any(tables, rule.kinds)["minutes"].to_numpy()
    served = share_within(homes, soon <= np.array(limits)[:, None] + TOLERANCE_MIN)
    served = served[:, homes.names.get_indexer(cover.index)]
    if not is_surveyed(district, rule.kinds):
        cover = cover.iloc[:0]
    index = pd.Index(limits, name="minute")
    rows = []
    for name, own in cover.groupby(group, dropna=False, sort=column is not None).indices.items():
        people, weight = (cover[c].to_numpy(dtype=float)[own] for c in ("people", counted))
        total = np.nansum(weight)
        table = pd.DataFrame(index=index)
        table["share"] = np.nansum(served[:, own] * weight, axis=1) / total if total > 0 else np.nan
        there = np.isfinite(people).any()
        table["people"] = np.nansum(served[:, own] * people, axis=1) if there else np.nan
        rows.append(table.assign(group=name))
    table = pd.concat(rows).set_index("group", append=True).swaplevel() if rows else _NOBODY.copy()
    order = {basis: place for place, basis in enumerate(BASES)}
    basis = max(cover["basis"], key=lambda own: order[own], default="")
    return table.assign(counted=counted, rule=rule.name, bound=bound_of(district, rule.kinds), basis=basis)


@well_called
def within(
    district: District,
    what: Named,
    *,
    minutes: float | Iterable[float],
    profile: Walkers | None = None,
    column: str | None = None,
    decay: str | float | None = None,
) -> pd.DataFrame:
    """
    Say how many facilities each home has within a walk, or how many jobs, beds or seats these have together.

    A home is stood for by its point of median minutes, the one that `route` starts from.

    Parameters
    ----------
    district
        What `District.load` opened; it stays as it was.
    what
        A kind, a rule (any of its kinds) or a facility; or what places are measured in (床, 座, 岗位 …: `capacity_unit` of
        facilities): their `capacity` together.
    minutes
        Minutes of the longest walk that counts, one number or several.
    profile
        Who walks; several stand one after the other. None: whom the rule is about where `what` is one, else an adult.
    column
        A column of numbers of the facilities that is added up ("capacity", "floor_area_m2"); None counts facilities.
    decay
        How much less counts what is farther. None: all within the limit counts whole (threshold). A number: half after so many
        minutes, a quarter after twice as many (gravity). A name: the zones of a decay in `decays.csv`.

    Returns
    -------
    table
        Index `home`, with `minutes` behind it where several are asked for and `profile` before it where several walk. Columns
        `within` (how many, or how much; missing where nothing is known of the kind, or of what they have), `mean` (over the
        points of the home, by their share of it), `nearest` (minutes to the nearest, of some facilities only where it is within
        reach; without decay `within` is 1 or more exactly where it is), `facility` (which), `unknown` (how many within reach do
        not say how much), `point`, `bound` ("exact", or "at_least" where a kind was only seen on a map, or `unknown` is above 0),
        `people`, groups (zone, area, community, grid).

    Raises
    ------
    UnknownNameError
        No such kind, rule, facility, unit, column, decay or profile.
    ValueError
        No district, minutes or a decay that are not above 0, or a facility that is not open; units that differ.

    Examples
    --------
    >>> import xinhe_geo as xh
    >>> toy = xh.District.load("tests/toy")
    >>> xh.within(toy, "clinic_station", minutes=15)["within"].tolist()
    [1.0, 1.0, 1.0, 1.0, 0.0]
    >>> near = xh.within(toy, "clinic_station", minutes=(5, 15), decay=5)
    >>> near.index.names
    FrozenList(['home', 'minutes'])
    """
    must_be_district(district)
    limits = limits_of(minutes, "minutes")
    asked, steps = _asked(district, what, column), _steps(district, decay)
    parts = {}
    for walker in (district.profile(asked.profile if own is None else own) for own in _several(profile)):
        each = {limit: _reached(district, asked, walker, limit, steps) for limit in limits}
        one = not isinstance(minutes, Iterable)
        table = each[limits[0]] if one else pd.concat(each, names=["minutes"]).swaplevel().sort_index(kind="stable")
        parts[walker.name] = table
    return _joined(parts, profile)


def _steps(district: District, decay: str | float | None) -> pd.Series | float | None:
    """Return the zones of a decay that is named, or the minutes after which half counts."""
    if isinstance(decay, str):
        return decay_of(district, decay)
    if decay is not None and not is_above_zero(decay):
        raise WrongValueError(say("decay 要写减半的分钟数（大于 0）或 decays.csv 里的名称，不是 {0!r:.40}", decay))
    return decay


class _Asked(NamedTuple):
    """Which open facilities count, how much each has (missing: not known), of which kinds, whether what they are is known, who walks."""

    amounts: pd.Series
    kinds: tuple[str, ...]
    known: bool
    profile: str


def _asked(district: District, what: Named, column: str | None) -> _Asked:
    places = places_open(district, inside_only=False)
    found = destinations(district, what, units=column is None)
    own = places.loc[found.facilities]
    numbers = [
        name for name, own in LAYERS["facilities"].names.items() if own.type in ("int", "float") and name in places
    ]
    if column is not None and column not in numbers:
        raise UnknownNameError("数值列", column, numbers)
    each = "capacity" if found.unit else column
    amounts = pd.Series(1.0, index=own.index) if each is None else sizes(own, each)
    known = bool(found.unit) or not found.kinds or is_surveyed(district, found.kinds)
    return _Asked(amounts, found.kinds or tuple(map(str, own["kind"])), known, found.profile)


def _reached(
    district: District, asked: _Asked, walker: Profile, limit: float, decay: pd.Series | float | None
) -> pd.DataFrame:
    """Return what each home reaches within one limit."""
    homes = points_of_homes(home_points(district))
    # a hair beyond the limit, so that what is within by the tolerance of `coverage` is among them
    rows = pairs(district, asked.kinds, profile=walker, minutes=limit + 2 * TOLERANCE_MIN).reset_index()
    rows = rows[(rows["facility"].isin(asked.amounts.index) & (rows["minutes"] <= limit + TOLERANCE_MIN)).to_numpy()]
    point, cost = rows["point"].to_numpy(np.int64), rows["minutes"].to_numpy()
    amount, count = asked.amounts.reindex(rows["facility"]).to_numpy(dtype=float), len(homes.code)
    unknown = np.bincount(point[np.isnan(amount)], minlength=count)
    total = np.bincount(point, np.nan_to_num(amount) * _weight(cost, decay), minlength=count).astype(float)
    total[(unknown > 0) & (total == 0) | (not asked.known)] = np.nan
    near = _nearest(district, asked, walker, rows)
    soon = near["minutes"].fillna(np.inf).to_numpy()
    middle = np.lexsort((soon, homes.code))[homes.start + (homes.size - 1) // 2]  # of equals the first, as in `route`
    sure = bound_of(district, asked.kinds) == EXACT
    columns = {
        "within": total[middle],
        "mean": np.add.reduceat(total * homes.weight, homes.start) if count else total,
        "nearest": near["minutes"].to_numpy()[middle],
        "facility": near["facility"].array.take(middle),
        "unknown": unknown[middle],
        "point": middle,
        "bound": np.where(sure & (unknown[middle] == 0), EXACT, AT_LEAST),
    }
    facts = [] if district.homes is None else [district.homes["people"], district.groups]
    return pd.DataFrame(columns, index=homes.names).join(facts).sort_index()


def _weight(minutes: np.ndarray, decay: pd.Series | float | None) -> np.ndarray:
    """Return how much counts what lies so many minutes away."""
    if decay is None:
        return np.ones(len(minutes))
    if isinstance(decay, pd.Series):
        zone = np.searchsorted(decay.index.to_numpy() + TOLERANCE_MIN, minutes)
        return np.append(decay.to_numpy(), 0.0)[zone]
    return np.asarray(0.5 ** (minutes / decay))


def _nearest(district: District, asked: _Asked, walker: Profile, rows: pd.DataFrame) -> pd.DataFrame:
    """Return `minutes` and `facility` of the nearest for each point: of all of some kinds as everywhere, else of what is within reach."""
    places = places_open(district, inside_only=False)
    others = places["kind"].isin(asked.kinds).to_numpy() & ~places.index.isin(asked.amounts.index)
    points = home_points(district).index
    if asked.kinds and not others.any():
        best = nearest_of_any(od_tables(district, asked.kinds, profile=walker), asked.kinds)
        return best[["minutes", "facility_minutes"]].set_axis(["minutes", "facility"], axis=1)
    first = rows.sort_values(["minutes", "facility"], kind="stable").drop_duplicates("point").set_index("point")
    return first[["minutes", "facility"]].reindex(points)
