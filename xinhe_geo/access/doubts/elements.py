"""Who is led where, as rows: points of homes or communities with their weight, and the ways that lead from them to what a rule asks for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import shapely

from ...core import Rule
from ..coverage import presence
from ..entrances import home_points
from ..home_shares import points_of_homes
from .draws import LEVELS
from .reached import Ways
from .robustness import UNCHANGED, Case, Change


class Elements(NamedTuple):
    """
    Points of homes, or communities, and ways from them to facilities.

    A way is open if its gate is (-1: none that is in doubt), its facility is there, and `reach` has the position of the facility.
    """

    whole: np.ndarray  # of each element: its home or community
    part: np.ndarray  # … and how much of that it is
    amount: np.ndarray  # of each home or community: what the rule counts
    element: np.ndarray  # of each way
    gate: np.ndarray
    facility: np.ndarray
    reach: np.ndarray  # (ways, positions)

    @property
    def weight(self) -> np.ndarray:
        """Each element as a share of everything that is counted."""
        weight = self.amount[self.whole] * self.part
        return np.asarray(weight / weight.sum())


def elements_of(case: Case, rule: Rule, changes: frozenset[Change] = UNCHANGED) -> Elements:
    """
    Return who is led where by a rule.

    Parameters
    ----------
    case, rule
        What was searched, and for which rule.
    changes
        Streets that are otherwise than recorded.
    """
    chosen = case.chosen(rule)
    own = case.facilities.iloc[chosen]
    count = case.places(changes).positions[chosen] if len(chosen) else np.empty(0, np.int64)
    if rule.metric == "presence":
        every = np.ones(len(presence(case.district)))
        return Elements(np.arange(len(every)), every, every, *_columns(list(_by_community(case, own, count))))
    homes = points_of_homes(home_points(case.wide))
    amount = case.amounts(rule).reindex(homes.names).fillna(0.0).to_numpy(dtype=float)
    counts = amount[homes.code] * homes.weight > 0
    ways = case.ways(rule, changes) if len(chosen) else None
    parts = [] if ways is None else list(_by_point(ways, counts, count))
    return Elements(homes.code, homes.weight, amount, *_columns(parts))


_Part = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def _columns(parts: Sequence[_Part]) -> _Part:
    """Put ways together, those of one facility after those of another."""
    none = np.empty(0, np.int64)
    if not parts:
        return none, none, none, np.empty((0, 1), np.bool_)
    element, gate, facility, reach = (np.concatenate(column) for column in zip(*parts, strict=True))
    return element, gate, facility, reach


def _by_point(ways: Ways, counts: np.ndarray, count: np.ndarray) -> Iterator[_Part]:
    """Yield the ways of those points that count to each facility, of which there are `count` positions."""
    for bits, gate, point in (
        (ways.maybe, ways.gate, ways.point),
        (ways.inside, np.full(len(counts), -1), np.arange(len(counts))),
    ):
        leads = np.unpackbits(bits, axis=1, count=len(point)).astype(np.bool_)
        for number, first in enumerate(ways.first):
            own = np.zeros((len(point), count.max()), np.bool_)
            own[:, : count[number]] = leads[first : first + count[number]].T
            some = np.flatnonzero(own.any(axis=1) & counts[point])
            yield point[some], gate[some], np.full(len(some), number), own[some]


def _by_community(case: Case, own: gpd.GeoDataFrame, count: np.ndarray) -> Iterator[_Part]:
    """Yield the same of communities; positions count where nothing else says whom a facility serves."""
    codes = presence(case.district).index
    serving = case.wide.serving(own) if len(own) else None
    sigma = case.sigma()[case.facilities.index.get_indexer(own.index)]
    for number, name in enumerate(own.index):
        assert serving is not None
        said = serving[(serving["facility"] == name).to_numpy()]
        reach = np.zeros((len(codes), count.max()), np.bool_)
        row = codes.get_indexer(said["community"])
        reach[row[row >= 0], : count[number]] = True
        if count[number] > 1 and name in case.by_position:
            away = displacements(sigma[number])
            spot = shapely.get_coordinates(shapely.point_on_surface(own.geometry.iloc[number]))
            frame = (
                own.iloc[[0] * len(away)].reset_index(drop=True)[["geometry"]].set_geometry(shapely.points(spot + away))
            )
            row = codes.get_indexer(case.wide.locate(frame)["community"])
            reach[:, : count[number]] = row == np.arange(len(codes))[:, None]
        some = np.flatnonzero(reach.any(axis=1))
        yield some, np.full(len(some), -1), np.full(len(some), number), reach[some]


def displacements(sigma: float) -> np.ndarray:
    """Return the positions a facility may have, metres east and north of the recorded one."""
    east, north = (axis.ravel() for axis in np.meshgrid(LEVELS, LEVELS))
    return np.column_stack([east, north]) * sigma
