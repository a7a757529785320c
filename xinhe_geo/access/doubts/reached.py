"""
Who reaches what, place by place and way by way: from it every state of the facts in doubt is put together without a search.

Of each facility, and each of its displaced positions, it is searched once which ways out of which points of homes lead to it within the limit
of a rule. A facility that is not there, or a gate that is shut, takes its own away and leaves all others; so a state costs only ors.
"""

from __future__ import annotations

from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from scipy.sparse import csr_matrix

from ...core import TOLERANCE_M, Profile, Rule
from ...district import District
from ..entrances import entrances_of_open, facility_entrances, home_entrances, home_points, same_compound
from ..home_shares import TOLERANCE_MIN, points_of_homes, share_within
from .draws import LEVELS


class Places(NamedTuple):
    """
    Facilities and where they may be: `unit` is the first position of each, `positions` how many it has: one, or those of `LEVELS` each way.

    The one in the middle is the recorded one.
    """

    names: pd.Index
    unit: np.ndarray
    positions: np.ndarray
    entrances: dict[bool, pd.DataFrame]  # by whether a walker takes no stairs: doors by unit
    inside: dict[bool, pd.DataFrame]  # walks that never leave a compound: `place`, `unit`, `metres`


class Ways(NamedTuple):
    """Which ways lead within a limit to each unit: bits over the slots (a point of a home, and the gate it leaves by), and over points."""

    first: np.ndarray  # of each facility that was chosen: the row of its first unit
    point: np.ndarray  # of each slot
    gate: np.ndarray  # of each slot: its number, -1 where it leaves by none
    sure: np.ndarray  # (units, bits of slots): whichever of the gates in doubt of the facility's own compound is open
    maybe: np.ndarray  # … if all are
    inside: np.ndarray  # (units, bits of points): without any gate
    exact: bool  # no facility is entered by several gates in doubt


class State(NamedTuple):
    """States of the facts, one per row: which of its positions each facility has, whether it is there, whether each gate is open."""

    position: np.ndarray
    there: np.ndarray
    there_at_best: np.ndarray
    open: np.ndarray
    open_at_best: np.ndarray

    def take(self, facilities: np.ndarray) -> State:
        """Return it for some of the facilities."""
        there = self.there[:, facilities], self.there_at_best[:, facilities]
        return State(self.position[:, facilities], *there, self.open, self.open_at_best)


def places_of(district: District, facilities: gpd.GeoDataFrame, sigma: np.ndarray) -> Places:
    """
    Return facilities with the positions they may have.

    Parameters
    ----------
    district
        Where they stand.
    facilities
        Open ones, in its CRS.
    sigma
        Standard deviation of each along each axis, metres; 0 where its position is certain.
    """
    drawn = district.entrances
    own = np.zeros(len(facilities), np.bool_) if drawn is None else facilities.index.isin(drawn["facility"])
    moved = (sigma > 0) & ~own  # a drawn entrance says itself where a place is entered
    count = np.where(moved, len(LEVELS) ** 2, 1)
    unit = np.cumsum(count) - count
    east, north = (axis.ravel() for axis in np.meshgrid(LEVELS, LEVELS))
    shapes = facilities.geometry.to_numpy()[moved]
    away = np.repeat(sigma[moved], len(east))[:, None] * np.tile(np.column_stack([east, north]), (len(shapes), 1))
    vertices = np.repeat(shapes, len(east))
    sizes = shapely.get_num_coordinates(vertices)
    spots = shapely.set_coordinates(vertices, shapely.get_coordinates(vertices) + np.repeat(away, sizes, axis=0))
    numbers = (unit[moved][:, None] + np.arange(len(east))).ravel()
    displaced = gpd.GeoDataFrame({"kind": ""}, geometry=spots, crs=facilities.crs, index=numbers)
    elsewhere = np.tile((east != 0) | (north != 0), len(shapes))
    whose = np.repeat(np.arange(len(facilities)), count)
    return Places(facilities.index, unit, count, *_doors(district, facilities, displaced[elsewhere], whose))


def _doors(
    district: District, facilities: gpd.GeoDataFrame, displaced: gpd.GeoDataFrame, whose: np.ndarray
) -> tuple[dict[bool, pd.DataFrame], dict[bool, pd.DataFrame]]:
    """
    Return the doors of all units, and the walks to them that stay in a compound, for who takes stairs and who takes none.

    In which compound a place is, is as recorded: only its metres are in doubt. A position on the other side of a wall is left at the recorded one.

    `whose`: the facility of each unit.
    """
    entrances, inside, points = {}, {}, home_points(district)
    recorded = np.flatnonzero(~np.isin(np.arange(len(whose)), displaced.index))
    stairs = district.profiles.index[~district.profiles["steps"].to_numpy(dtype=bool)]
    for walker in (None, *map(district.profile, stairs[:1])):
        known = entrances_of_open(district, walker)
        row = facilities.index.get_indexer(known["place"])
        known = known[row >= 0].assign(whose=row[row >= 0])
        parts = [known.assign(place=recorded[known["whose"]])]
        if len(displaced):
            moved = facility_entrances(district, displaced, walker)
            room = known.drop_duplicates("whose").set_index("whose")["inside"].fillna("")
            own = pd.Series(whose[moved["place"].astype("int64")]).map(room)
            across = np.unique(
                moved["place"][(own.to_numpy() != moved["inside"].fillna("").to_numpy())].astype("int64")
            )
            back = pd.DataFrame({"unit": across, "whose": whose[across]}).merge(known, on="whose")
            parts += [moved[~moved["place"].isin(across)], back.assign(place=back["unit"])]
        some = [part for part in parts if len(part)] or parts[:1]  # perhaps there is no facility at all
        doors = pd.concat([part[list(known.columns[:-1])] for part in some], ignore_index=True)
        entrances[walker is not None] = doors = doors.astype({"place": "int64"})
        walks = same_compound(district, points, doors)
        inside[walker is not None] = walks.rename(columns={"target": "unit"})
    return entrances, inside


def ways_of(district: District, rule: Rule, places: Places, chosen: np.ndarray, doubtful: pd.Index) -> Ways:
    """
    Search which ways lead to facilities within the limit of a rule.

    Parameters
    ----------
    district
        With every facility, gate and street that may be there.
    rule
        Its method, limit and walker count.
    places, chosen
        Facilities, and which of them.
    doubtful
        Ids of the gates that may be shut.
    """
    timed = rule.method == "walk_min"
    walker = district.profile(rule.profile) if timed else None
    level = walker is not None and not walker.steps
    points, doors, walks = home_points(district), places.entrances[level], places.inside[level]
    units = (places.unit[chosen][:, None] + np.arange(places.positions.max()))[
        np.arange(places.positions.max()) < places.positions[chosen][:, None]
    ]
    first = np.cumsum(places.positions[chosen]) - places.positions[chosen]
    row = np.full(int(places.unit[-1] + places.positions[-1]), -1)
    row[units] = np.arange(len(units))
    doors = doors.assign(row=row[doors["place"]])
    doors = doors[(doors["row"] >= 0).to_numpy()]
    if rule.method == "buffer":
        near = _near(points, doors, len(units), rule.metres + TOLERANCE_M)
        blank = np.empty(0, np.int64)
        nothing = np.zeros((len(units), 0), np.uint8)
        return Ways(first, blank, blank, nothing, nothing, near, exact=True)
    indoors = np.zeros((len(units), len(points)), np.bool_)
    walks = walks.assign(row=row[walks["unit"].to_numpy(np.int64)])
    walks = walks[(walks["row"] >= 0).to_numpy()]
    short = _within(walks["metres"].to_numpy(float) / (1.0 if walker is None else walker.speed_m_s * 60.0), rule)
    indoors[walks["row"].to_numpy()[short], walks["place"].to_numpy(np.int64)[short]] = True
    origins, slots = _slots(home_entrances(district, walker))
    found = _through(district, rule, walker, (origins, doors), (len(units), len(slots)), doubtful)
    gates = np.where(slots["gate"].isna(), -1, doubtful.get_indexer(slots["gate"]))
    return Ways(first, slots["place"].to_numpy(), gates, *found[:2], np.packbits(indoors, axis=1), exact=found[2])


def _within(cost: np.ndarray, rule: Rule) -> np.ndarray:
    timed = rule.method == "walk_min"
    return cost <= (rule.minutes + TOLERANCE_MIN if timed else rule.metres + TOLERANCE_M)


def _slots(ways: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return ways out under the number of their slot, and the slots: each point with each gate it leaves by."""
    key = ways["place"].astype("int64").astype(str) + "\0" + ways["gate"].fillna("").astype(str)
    number = pd.factorize(key)[0]
    first = np.unique(number, return_index=True)[1]
    return ways.assign(place=number), ways[["place", "gate"]].iloc[first].reset_index(drop=True)


def _through(
    district: District,
    rule: Rule,
    walker: Profile | None,
    ends: tuple[pd.DataFrame, pd.DataFrame],
    size: tuple[int, int],
    doubtful: pd.Index,
) -> tuple[np.ndarray, np.ndarray, bool]:
    """Return which slots lead to which units: surely, at best (bits), and whether both can be so at once."""
    origins, doors = ends
    doors = doors[(doors["edge"] >= 0).to_numpy()]
    gate = np.where(doors["gate"].isna(), -1, doubtful.get_indexer(doors["gate"]))
    label, first = np.unique(doors["row"].to_numpy() * (len(doubtful) + 1) + gate + 1, return_inverse=True)
    targets = doors.assign(place=first)
    limit = rule.minutes + TOLERANCE_MIN if walker is not None else rule.metres + TOLERANCE_M
    found = district.network.pairs(origins, targets, profile=walker, limit=limit)
    cost = found.iloc[:, 0].to_numpy()
    slot, target = (found.index.get_level_values(i).to_numpy()[_within(cost, rule)] for i in (0, 1))
    leads = np.zeros((len(label), size[1]), np.bool_)
    leads[target, slot] = True
    unit, shut = label // (len(doubtful) + 1), label % (len(doubtful) + 1) > 0
    maybe, sure = np.zeros((2, *size), np.bool_)
    np.logical_or.at(maybe, unit, leads)
    np.logical_or.at(sure, unit[~shut], leads[~shut])
    has_sure = np.isin(np.arange(size[0]), unit[~shut])
    alone = unit[shut][~has_sure[unit[shut]]]  # entered by gates in doubt alone: by the worst of them
    for one in np.unique(alone):
        sure[one] = leads[(unit == one) & shut].all(axis=0)
    exact = not (np.bincount(alone, minlength=1) > 1).any()  # one gate cannot be the worst for everybody
    return np.packbits(sure, axis=1), np.packbits(maybe, axis=1), bool(exact)


def _near(points: gpd.GeoDataFrame, doors: pd.DataFrame, count: int, metres: float) -> np.ndarray:
    """Return which points lie within a straight line of each unit, as bits."""
    near, spots = np.zeros((count, len(points)), np.bool_), shapely.get_coordinates(points.geometry.to_numpy())
    for row, at in doors.groupby("row")[["x", "y"]]:
        away = spots[:, None, :] - at[["x", "y"]].to_numpy()[None]
        near[row] = np.hypot(away[..., 0], away[..., 1]).min(axis=1) <= metres
    return np.packbits(near, axis=1)


def served_at_best(district: District, ways: Ways, state: State) -> np.ndarray:
    """Return the share of each home that is served in each state at best, shape (states, homes)."""
    homes, unit = points_of_homes(home_points(district)), ways.first + state.position
    found = _any(ways.inside, unit, state.there_at_best, len(homes.code))
    if len(ways.point):
        leads = _any(ways.maybe, unit, state.there_at_best, len(ways.point))
        found |= _by_point(ways, leads & _opened(ways, state.open_at_best), len(homes.code))
    return share_within(homes, found)


def served_at_worst(district: District, ways: Ways, state: State) -> np.ndarray:
    """
    Return the share of each home that is served in each state at worst, shape (states, homes).

    A compound all of whose gates are in doubt keeps one of them open, the one that serves least.
    """
    homes, unit = points_of_homes(home_points(district)), ways.first + state.position
    inside = _any(ways.inside, unit, state.there, len(homes.code))
    if not len(ways.point):
        return share_within(homes, inside)
    sure, opened = _any(ways.sure, unit, state.there, len(ways.point)), _opened(ways, state.open)
    low = share_within(homes, _by_point(ways, sure & opened, len(homes.code)) | inside)
    own = np.flatnonzero(ways.gate >= 0)
    if not len(own):
        return low
    # of a home none of whose ways is surely open
    home = homes.code[ways.point]
    led = np.zeros((len(low), len(homes.names)), np.bool_)
    np.logical_or.at(led.T, home, opened.T)
    gates, column = np.unique(ways.gate[own], return_inverse=True)
    of_home = np.zeros(len(gates), np.int64)
    of_home[column] = home[own]
    weight = homes.weight[ways.point[own]]
    adds = csr_matrix((weight, (column, np.arange(len(own)))), shape=(len(gates), len(own)))
    extra = (sure & ~inside[:, ways.point])[:, own]
    by_gate = np.asarray(adds @ extra.T.astype(float)).T
    by_gate[~state.open_at_best[:, gates]] = np.inf
    least = np.full(low.shape, np.inf)
    np.minimum.at(least.T, of_home, by_gate.T)
    worst = share_within(homes, inside) + np.where(np.isfinite(least), least, 0.0)
    return np.where(led, low, np.minimum(worst, 1.0))


def _opened(ways: Ways, gates: np.ndarray) -> np.ndarray:
    """Return which slots have their gate open in each state; who leaves by none always does."""
    return np.hstack([gates, np.ones((len(gates), 1), np.bool_)])[:, ways.gate]


def _by_point(ways: Ways, leads: np.ndarray, count: int) -> np.ndarray:
    """Return, per state, which points any of their slots leads from."""
    order = np.argsort(ways.point, kind="stable")
    start = np.flatnonzero(np.diff(ways.point[order], prepend=-1))
    found = np.zeros((len(leads), count), np.bool_)
    found[:, ways.point[order][start]] = np.logical_or.reduceat(leads[:, order], start, axis=1)
    return found


def _any(bits: np.ndarray, unit: np.ndarray, there: np.ndarray, count: int) -> np.ndarray:
    """Return, per state, the bits that any facility that is there sets."""
    found = np.zeros((len(unit), bits.shape[1]), np.uint8)
    for place in range(unit.shape[1]):
        own, here = unit[:, place], there[:, place]
        if (own == own[0]).all():
            found |= np.where(here[:, None], bits[own[0]], 0).astype(np.uint8)
        else:
            found |= bits[own] * here[:, None]
    return np.unpackbits(found, axis=1, count=count).astype(np.bool_)
