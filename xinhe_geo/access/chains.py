"""A day on foot: from home to one place after the other and home again, with rests; who can do it in how long, and where it breaks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..core import Profile, WrongValueError, limits_of, say
from ..district import District, Named, kind_name, must_be_district
from .destinations import destinations
from .entrances import entrances_of_open, home_entrances, home_points

#: What the end of the day is called, among the stops.
HOME = "home"


class Pace(NamedTuple):
    """How far somebody walks in one go: the longest leg, and a rest after so many minutes on the feet, all in minutes."""

    longest: float = 15.0
    rest_after: float = 10.0
    rest: float = 3.0


def chain(
    district: District, stops: Sequence[Named], *, profile: Named = "elderly", pace: Pace | None = None
) -> pd.DataFrame:
    """
    Return the shortest day of each home: out, to one place of each kind in turn, and home again.

    Which places are gone to is chosen so that the whole day is least, walks and rests together; every leg must be within
    `pace.longest`. A home is stood for by its point whose day is the median.

    Parameters
    ----------
    district
        What `District.load` opened; it stays as it was.
    stops
        Kinds, rules or facilities in the order in which they are gone to.
    profile
        Who walks.
    pace
        How far in one go; by default 15 minutes a leg, and three minutes of rest after each ten that are not the last.

    Returns
    -------
    table
        Index `home`. Columns `minutes` (walks and rests; missing where the day breaks), `walked`, `rests` (how many),
        `longest` (the longest leg, without rests), `breaks` (name of the first kind that no leg reaches, or "home" where the way
        back is too long; missing where the day holds), `places` (ids, in order), `people`, `people_60plus` and the
        columns of groups.

    Raises
    ------
    UnknownNameError
        No such kind, rule, facility or profile.
    ValueError
        No stop; a pace that is not above 0.

    Examples
    --------
    >>> import xinhe_geo as xh
    >>> from xinhe_geo.access import chain
    >>> chain(xh.District.load("tests/toy"), ["canteen"]).shape[0]
    5
    """
    must_be_district(district)
    pace = Pace() if pace is None else pace
    limits_of(list(pace), "pace")
    if not len(stops) or isinstance(stops, str):
        raise WrongValueError(say("stops 至少写一站，如 ['clinic_station', 'market']"))
    walker = district.profile(profile)
    doors, out = entrances_of_open(district, walker), home_entrances(district, walker)
    own = [doors[doors["place"].isin(destinations(district, stop).facilities)] for stop in stops]
    walks = _walks(district, [out, *own, out], pace, walker)
    points, homes = home_points(district), district.layers["homes"]
    days = _Days(walks, points.index, [pd.Index(sorted(part["place"].unique())) for part in own], pace)
    names = [*(kind_name(district, str(s)) if str(s) in district.kinds.index else str(s) for s in stops), HOME]
    table = days.table(names)
    table["home"] = points["home"]
    first = table.sort_values(["minutes", "home"], kind="stable", na_position="last")
    order = first.groupby("home").cumcount()
    middle = (first.groupby("home")["home"].transform("size") - 1) // 2
    chosen = first[(order == middle).to_numpy()].set_index("home").reindex(homes.index).rename_axis("home")
    facts = [c for c in ("people", "people_60plus", "zone", "community") if c in homes.columns]
    return chosen.join(homes[facts])


def _walks(district: District, ends: Sequence[pd.DataFrame], pace: Pace, walker: Profile) -> list[pd.Series]:
    """Return the minutes of each leg between places that are near enough."""
    found = []
    for here, there in pairwise(ends):
        pairs = district.network.pairs(here, there, profile=walker, limit=pace.longest)
        found.append(pairs["minutes"])
    return found


class _Days:
    """The least days of points of homes: forward over the stops, point by point, all at once."""

    def __init__(self, walks: Sequence[pd.Series], points: pd.Index, stops: Sequence[pd.Index], pace: Pace) -> None:
        self.pace, self.points, self.stops = pace, points, stops
        ends = [points, *stops, points]
        self.legs = [self._matrix(w, a, b) for w, (a, b) in zip(walks, pairwise(ends), strict=True)]

    def _matrix(self, walk: pd.Series, here: pd.Index, there: pd.Index) -> np.ndarray:
        legs = np.full((len(here), len(there)), np.inf)
        rows, columns = (at.get_indexer(walk.index.get_level_values(i)) for i, at in enumerate((here, there)))
        known = (rows >= 0) & (columns >= 0)
        legs[rows[known], columns[known]] = walk.to_numpy()[known]
        return legs

    def rests(self, walked: np.ndarray) -> np.ndarray:
        """Return how often somebody sits down on a leg: not at its end, where the stop is."""
        whole = np.where(np.isfinite(walked), walked, 0.0)
        rests: np.ndarray = np.maximum(np.ceil(whole / self.pace.rest_after - 1e-9) - 1, 0)
        return rests

    def table(self, names: Sequence[str]) -> pd.DataFrame:
        """Return the day of each point."""
        cost = [leg + self.pace.rest * self.rests(leg) for leg in self.legs]
        best, came = cost[0], []
        reached = [np.isfinite(best).any(axis=1)]
        for leg in cost[1:-1]:
            through = best[:, :, None] + leg[None, :, :]
            came.append(through.argmin(axis=1) if through.shape[1] else np.zeros(through.shape[::2], int))
            best = through.min(axis=1, initial=np.inf)
            reached.append(np.isfinite(best).any(axis=1))
        whole = best + cost[-1].T
        last = whole.argmin(axis=1) if whole.shape[1] else np.zeros(len(whole), int)
        total = whole.min(axis=1, initial=np.inf)
        reached.append(np.isfinite(total))
        holds = np.isfinite(total)
        route = self._route(last, came)
        own = np.arange(len(self.points))
        steps = [self.legs[0][own, route[0]]] if len(self.stops[0]) else [np.full(len(own), np.inf)]
        for leg, here, there in zip(self.legs[1:-1], route[:-1], route[1:], strict=True):
            steps.append(leg[here, there] if leg.size else np.full(len(own), np.inf))
        steps.append(self.legs[-1][route[-1], own] if self.legs[-1].size else np.full(len(own), np.inf))
        walked = np.where(holds, np.array(steps), np.nan)
        broken = np.array(reached).argmin(axis=0)
        places = [
            "、".join(str(stop[at]) for stop, at in zip(self.stops, (r[i] for r in route), strict=True))
            if holds[i]
            else None
            for i in own
        ]
        return pd.DataFrame(
            {
                "minutes": np.where(holds, total, np.nan),
                "walked": walked.sum(axis=0),
                "rests": pd.array(np.where(holds, self.rests(walked).sum(axis=0), np.nan), dtype="Int64"),
                "longest": np.where(holds, np.nan_to_num(walked).max(axis=0), np.nan),
                "breaks": pd.array([None if h else names[b] for h, b in zip(holds, broken, strict=True)], dtype="str"),
                "places": pd.array(places, dtype="str"),
            },
            index=self.points,
        )

    def _route(self, last: np.ndarray, came: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the place of each stop, from the last one back."""
        own, route = np.arange(len(last)), [last]
        for back in reversed(came):
            route.insert(0, back[own, route[0]] if back.size else np.zeros(len(last), int))
        return route
