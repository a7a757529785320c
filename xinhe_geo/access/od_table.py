"""
The origin-destination table: each point of a home, its nearest place of each kind, and what the walk there costs.

Its rows run between the entrances of homes and facilities; coverage, gaps, siting, ledger and maps are read off it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from scipy.spatial import cKDTree

from ..core import Profile
from ..district import District, Named
from ..network import Nearest
from .entrances import WAY_OUT, entrances_of_open, home_entrances, home_points, places_open, walks_inside
from .walls import without_stairs

OD_COLUMNS = (
    "facility",
    "metres",
    "straight_metres",
    "facility_minutes",
    "minutes",
    "walked_metres",
    "wait_minutes",
    "gate_metres",
    "gate_known",
)

Kept = TypeVar("Kept")


# --- the table ------------------------------------------------------------------------------------------------------


def od_table(
    district: District, kinds: Iterable[str], *, profile: Named = "adult", inside_only: bool = False
) -> pd.DataFrame:
    """
    Return the nearest open facility of each kind for each point of each home.

    Parameters
    ----------
    kinds
        Kinds to look for; one without open facilities has only missing values.
    profile
        Who walks, for `minutes`.
    inside_only
        Only facilities inside the district's own outline.

    Returns
    -------
    table
        MultiIndex (home, point, kind). Columns: `facility`, `metres` (shortest walk along the streets, entrances included);
        `straight_metres` (to the nearest entrance of any facility of the kind); `facility_minutes`, `minutes` (least time),
        `walked_metres`, `wait_minutes`, `gate_metres` (parts of that least-time walk), `gate_known`. Missing where
        unreachable.
    """
    tables = od_tables(district, kinds, profile=profile, inside_only=inside_only)
    table = pd.concat([own.assign(kind=kind) for kind, own in tables.items()], ignore_index=False)
    return table.reset_index().set_index(["home", "point", "kind"]).sort_index()[list(OD_COLUMNS)]


def od_tables(
    district: District, kinds: Iterable[str], *, profile: Named = "adult", inside_only: bool = False
) -> dict[str, pd.DataFrame]:
    """
    Return the rows of `od_table` kind by kind: index point, in the order of `home_points`, column `home` first.

    They are the same frames for everybody, which nobody writes to.
    """
    walker = district.profile(profile)
    asked = list(dict.fromkeys(kinds))
    facilities = places_open(district, inside_only)
    outside = set[str]()  # without facilities outside the outline both tables are one
    if inside_only:
        everywhere = places_open(district, inside_only=False)
        outside = set(everywhere.loc[~everywhere.index.isin(facilities.index), "kind"])
    keys = {kind: ("od_table", kind, walker, inside_only and kind in outside) for kind in asked}

    def make(new: Sequence[str]) -> dict[str, pd.DataFrame]:
        own = _of_each_kind(facilities, new)
        by_metres = {kind: ("od_table by metres", *keys[kind][1::2]) for kind in new}
        missing = {kind: own[kind] for kind in new if by_metres[kind] not in district.memo}
        for kind, found in _by_metres(district, missing).items():
            district.memo[by_metres[kind]] = found
        return _tables_of(district, {k: district.memo[by_metres[k]] for k in new}, walker)

    return _kind_by_kind(
        district, keys, lambda kin, alike: od_tables(kin, alike, profile=walker, inside_only=inside_only), make
    )


def least_minutes(district: District, kinds: Iterable[str], *, profile: Named = "adult") -> dict[str, np.ndarray]:
    """Return of `od_tables` the column `minutes`, where nothing else is asked of these kinds: half the work."""
    walker = district.profile(profile)
    asked = list(dict.fromkeys(kinds))
    known = {kind: district.memo.get(("od_table", kind, walker, False)) for kind in asked}
    keys = {kind: ("least minutes", kind, walker) for kind, table in known.items() if table is None}

    def make(new: Sequence[str]) -> dict[str, np.ndarray]:
        blank = np.full(len(home_points(district)), np.nan)
        own = _of_each_kind(places_open(district, inside_only=False), new)
        some = {kind: ids for kind, ids in own.items() if len(ids) and len(blank)}
        timed = _timed(district, _ends_of(district, some, walker), walker)
        return {kind: timed[kind]["minutes"] if kind in timed else blank for kind in new}

    found = _kind_by_kind(district, keys, lambda kin, alike: least_minutes(kin, alike, profile=walker), make)
    return {kind: found[kind] if table is None else table["minutes"].to_numpy() for kind, table in known.items()}


def _kind_by_kind(
    district: District,
    keys: Mapping[str, Hashable],
    there: Callable[[District, list[str]], Mapping[str, Kept]],
    make: Callable[[list[str]], Mapping[str, Kept]],
) -> dict[str, Kept]:
    """Return what is kept of each kind: found `there`, in a district where it is the same, or made."""
    same: dict[District | None, list[str]] = {}
    for kind, key in keys.items():
        if key not in district.memo:
            same.setdefault(district.kin((*WAY_OUT, "entrances", "district"), [kind]), []).append(kind)
    for before, alike in same.items():
        found = make(alike) if before is None else there(before, alike)
        district.memo.update({keys[kind]: one for kind, one in found.items()})
    return {kind: district.memo[key] for kind, key in keys.items()}


def _of_each_kind(facilities: gpd.GeoDataFrame, kinds: Sequence[str]) -> dict[str, pd.Index]:
    kind_of = facilities["kind"].to_numpy(object)
    return {kind: facilities.index[kind_of == kind] for kind in kinds}


class _Ends(NamedTuple):
    """
    Where the entrances of a kind's facilities are, those by a street, and the walks to them that never leave a wall.

    Facilities are numbers here, in the order of their ids: places in `names`.
    """

    corners: np.ndarray
    by_street: dict[str, np.ndarray]
    same: Mapping[str, np.ndarray]
    names: pd.api.extensions.ExtensionArray


class _ByMetres(NamedTuple):
    """What the table holds of one kind whoever walks, and what it was made of."""

    columns: dict[str, Any]
    ends: _Ends
    facilities: pd.Index


def _ends_of(district: District, own: Mapping[str, pd.Index], walker: Profile | None) -> dict[str, _Ends]:
    """Return, given the facilities of each kind (some of each), where they are entered."""
    everything, walks = entrances_of_open(district, walker), walks_inside(district, walker)
    places = places_open(district, inside_only=False).index.sort_values()
    names = pd.array(places, dtype="str")
    place, target = (places.get_indexer(frame[of]) for frame, of in ((everything, "place"), (walks, "target")))
    number = np.full(len(places), -1)  # of the kind, as asked for
    for kind, facilities in enumerate(own.values()):
        number[places.get_indexer(facilities)] = kind
    corners = _parted({"xy": everything[["x", "y"]].to_numpy()}, number[place], len(own))
    some = np.flatnonzero((everything["edge"] >= 0).to_numpy())
    doors = {name: everything[name].to_numpy()[some] for name in ("edge", "at_m", "access_m")}
    by_street = _parted({"place": place[some], **doors}, number[place[some]], len(own))
    inside = {"place": walks["place"].to_numpy(np.int64), "target": target, "metres": walks["metres"].to_numpy(float)}
    same = _parted({**inside, "gate_known": walks["gate_known"].to_numpy(bool)}, number[target], len(own))
    return {kind: _Ends(corners[k]["xy"], by_street[k], same[k], names) for k, kind in enumerate(own)}


def _parted(columns: Mapping[str, np.ndarray], number: np.ndarray, count: int) -> list[dict[str, np.ndarray]]:
    """Return the rows of each number below `count`, in their order; those of other numbers are left out."""
    order = np.argsort(number, kind="stable")
    cuts = pairwise(np.searchsorted(number[order], np.arange(count + 1)))
    rows = {name: values[order] for name, values in columns.items()}
    return [{name: values[start:end] for name, values in rows.items()} for start, end in cuts]


def _by_metres(district: District, own: Mapping[str, pd.Index]) -> dict[str, _ByMetres | None]:
    """Return, given the facilities of each kind, what does not depend on who walks; None where there are none."""
    points, entrances = home_points(district), home_entrances(district)
    spots = shapely.get_coordinates(points.geometry.to_numpy())
    some = {kind: ids for kind, ids in own.items() if len(ids) and not points.empty}
    ends = _ends_of(district, some, None)
    searches = district.network.nearest_each(entrances, {kind: end.by_street for kind, end in ends.items()})
    found: dict[str, _ByMetres | None] = dict.fromkeys(own)
    doors = _ways_out(entrances)
    for kind, end in ends.items():
        straight = cKDTree(end.corners).query(spots)[0]
        columns = {"straight_metres": np.asarray(straight)}
        columns |= _best_entrances(len(points), doors, searches[kind], end, None)
        found[kind] = _ByMetres(columns, end, some[kind])
    return found


def _tables_of(district: District, near: Mapping[str, _ByMetres | None], walker: Profile) -> dict[str, pd.DataFrame]:
    """Return the rows of each kind, given what does not depend on who walks."""
    points, count = home_points(district), len(home_points(district))
    there = {kind: found for kind, found in near.items() if found is not None}
    ends = {kind: found.ends for kind, found in there.items()}
    if without_stairs(district, walker) is not None:
        ends = _ends_of(district, {kind: found.facilities for kind, found in there.items()}, walker)
    timed = _timed(district, ends, walker)
    index = pd.RangeIndex(count, name="point")
    blank: dict[str, Any] = {"home": points["home"].array, **dict.fromkeys(OD_COLUMNS, np.full(count, np.nan))}
    blank["facility"] = blank["facility_minutes"] = pd.array([np.nan] * count, dtype="str")
    blank["gate_known"] = np.zeros(count, np.bool_)
    tables = {}
    for kind in near:
        columns = blank | (there[kind].columns | timed[kind] if kind in there else {})
        tables[kind] = pd.DataFrame(columns, index=index, copy=False)
    return tables


def _timed(district: District, ends: Mapping[str, _Ends], walker: Profile) -> dict[str, dict[str, Any]]:
    """Return the columns of each kind that depend on who walks."""
    count, entrances = len(home_points(district)), home_entrances(district, walker)
    targets = {kind: end.by_street for kind, end in ends.items()}
    searches = district.network.nearest_each(entrances, targets, profile=walker)
    doors = _ways_out(entrances)
    return {kind: _best_entrances(count, doors, searches[kind], end, walker) for kind, end in ends.items()}


def _ways_out(entrances: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return of `home_entrances` what is read of them kind by kind."""
    return {
        "place": entrances["place"].to_numpy(np.int64),
        "gate_metres": entrances["gate_metres"].to_numpy(float),
        "gate_known": entrances["gate_known"].to_numpy(bool),
    }


def _best_entrances(
    count: int, doors: Mapping[str, np.ndarray], found: Nearest, near: _Ends, walker: Profile | None
) -> dict[str, Any]:
    """Return, per point, the best of its ways out (as `found`) and of the walks inside its own compound."""
    same = near.same
    inside = same["metres"] if walker is None else same["metres"] / walker.speed_m_s / 60.0
    place = np.concatenate([doors["place"], same["place"]])
    cost = np.concatenate([found.cost, inside])
    code = np.concatenate([found.target, same["target"]])
    there = np.flatnonzero(np.isfinite(cost))
    least = np.full(count, np.inf)
    np.minimum.at(least, place[there], cost[there])
    best = there[cost[there] == least[place[there]]]
    # of equally near facilities the first by id, of its entrances the first
    best = best[np.argsort(place[best] * (len(near.names) + 1) + code[best], kind="stable")]
    row, target = best[np.diff(place[best], prepend=-1) != 0], np.full(count, -1)
    points = place[row]
    target[points] = code[row]
    facility = near.names.take(target, allow_fill=True)
    if walker is None:
        return {"facility": facility, "metres": _spread_out(count, points, cost[row])}
    minutes = _spread_out(count, points, cost[row])
    walked = _spread_out(count, points, np.concatenate([found.metres, same["metres"]])[row])
    wait = minutes - walked / walker.speed_m_s / 60.0
    gated = same["gate_known"]
    gate = np.concatenate([doors["gate_metres"], np.where(gated, 0.0, np.nan)])[row]
    known = np.zeros(count, np.bool_)
    known[points] = np.concatenate([doors["gate_known"], gated])[row]
    return {
        "facility_minutes": facility,
        "minutes": minutes,
        "walked_metres": walked,
        "wait_minutes": np.where(np.isnan(minutes), np.nan, np.where(wait > 1e-9, wait, 0.0)),
        "gate_metres": _spread_out(count, points, gate),
        "gate_known": known,
    }


def _spread_out(count: int, rows: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return an array of `count` numbers, missing but for `rows`."""
    out = np.full(count, np.nan)
    out[rows] = values
    return out


def pairs(
    district: District,
    kinds: Iterable[str],
    *,
    profile: Named = "adult",
    minutes: float,
    points: pd.Index | None = None,
) -> pd.Series:
    """
    Return the least time of every walk from a point of `home_points` to an open facility of some kinds, within a limit.

    Unlike the table of the nearest, which keeps only the nearest, this holds every pair: asked for per kind, and never kept.

    Parameters
    ----------
    kinds
        Kinds to look for.
    profile
        Who walks.
    minutes
        Longest walk.
    points
        The points of `home_points` that are asked about; all by default.

    Returns
    -------
    minutes
        Sorted MultiIndex (point, facility); `minutes`. Pairs further apart, or without a way, are absent.
    """
    walker, doors = district.profile(profile), ["place", "edge", "at_m", "access_m"]
    facilities = places_open(district, inside_only=False)
    asked = facilities.index[facilities["kind"].isin(list(kinds)).to_numpy()]
    entrances, names = home_entrances(district, walker)[doors], ["point", "facility"]
    if points is not None:
        entrances = entrances[entrances["place"].isin(points).to_numpy()]
    if asked.empty or entrances.empty:
        return pd.Series([], index=pd.MultiIndex.from_arrays([[], []], names=names), dtype="float64", name="minutes")
    targets = entrances_of_open(district, walker)
    reachable = targets["place"].isin(asked).to_numpy() & (targets["edge"] >= 0).to_numpy()
    targets = targets.loc[reachable, doors].reset_index(drop=True)
    found = district.network.pairs(entrances, targets, profile=walker, limit=minutes)["minutes"]
    same = walks_inside(district, walker)
    near = same["metres"].to_numpy(dtype=float) / walker.speed_m_s / 60.0
    near_by = same["target"].isin(asked).to_numpy() & (near <= minutes)
    near_by &= same["place"].isin(entrances["place"]).to_numpy()
    if near_by.any():
        ends = [same["place"].to_numpy()[near_by], same["target"].to_numpy()[near_by]]
        inside = pd.Series(near[near_by], index=pd.MultiIndex.from_arrays(ends))
        found = pd.concat([part for part in (found, inside) if len(part)]).groupby(level=[0, 1]).min()
    return found.rename_axis(names).rename("minutes")
