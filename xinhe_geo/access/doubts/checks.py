"""The list to check: which facts in doubt, once known, would leave least of what is uncertain about the goals, and how to get round them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from ...core import Rule, checked_count, say
from ...district import District
from ..coverage import is_surveyed, rules_of
from .supposed import NOTHING, Share, Supposing

CHECK_COLUMNS = (
    *("doubt", "layer", "id", "what", "name", "community", "how", "minutes"),
    *("gain", "left", "rule", "pair", "stop", "walk_min", "who"),
)
#: What somebody who lives there knows without going to look.
BY_TELEPHONE = ("existence", "gate", "people")
#: As many pairs are worked out, those first that may come to most.
PAIRS = 100
#: Where no street leads, so much longer than straight.
DETOUR = 1.4
#: As many places are looked at for a walk, those first that are worth most.
WALKED = 60


@dataclass(frozen=True, slots=True)
class Visits:
    """
    What checking costs: minutes of a question by telephone and of a look at the place, and how fast one walks between two.

    `budget`: minutes there are in all, looks and walks and calls together; None is as many as it takes.
    """

    call: float = 5.0
    look: float = 10.0
    speed_m_s: float = 1.2
    budget: float | None = None

    def __post_init__(self) -> None:
        """Refuse what takes no time."""
        if min(self.call, self.look, self.speed_m_s) <= 0 or (self.budget is not None and self.budget <= 0):
            raise ValueError(say("每次核查的分钟数、步速和总时间都应大于 0"))


def worth_checking(
    district: District,
    rules: str | Sequence[str | Rule] = "plan",
    *,
    most: int = 20,
    visits: Visits | None = None,
    seed: int = 0,
    draws: int = 199,
) -> pd.DataFrame:
    """
    List the facts in doubt that are worth checking first: those that, once known, take most from the variance of the rules' shares.

    Each is chosen given those above it, on the draws of `robustness`; two that only matter together are chosen together. What nobody
    gave a probability of is taken as even, for this order alone.

    Parameters
    ----------
    district
        What `District.load` opened; it stays as it was.
    rules
        As in `coverage`: the shares that are to become firm, added up.
    most
        How many facts at most.
    visits
        What checking costs, in minutes. With a budget, what takes most per minute comes first, and all that are listed fit.
    seed, draws
        As in `robustness`.

    Returns
    -------
    facts
        Index fact (as in `facts_in_doubt`), in the order of choice. Columns `doubt`, `layer`, `id`, `what`; `name`, `community` of
        the thing; `how` ("phone": the community knows, "field": somebody has to look); `minutes` (of the call or the look);
        `gain` (share of the variance that it takes, given those above), `left` (share that is left after it, worked out by drawing
        what is not known anew: the two agree but for chance); `rule` (whose share it moves most); `pair` (the fact it was chosen
        with, else ""); `stop` (1, 2 … in walking order; 0: by telephone), `walk_min` (from the stop before), `who` (as in `facts_in_doubt`).
        Empty where nothing
        in doubt moves anything.

    Raises
    ------
    UnknownNameError
        No such set or rule.
    ValueError
        Fewer than 39 draws, or no place in the list.
    """
    checked_count(draws, "draws（抽样次数）", 39)
    checked_count(most, "most（清单列几件事）")
    case = Supposing(district, rules_of(district, rules), seed, draws)
    known = [
        rule
        for rule in case.rules
        if is_surveyed(district, rule.kinds) and len(case.chosen(rule)) and case.denominator(rule)
    ]
    worth = _Worth([Share(case, rule) for rule in known], most)
    costs = _Costs(case, visits or Visits(), worth.alone)
    return _table(case, worth, costs, _chosen(worth, costs, most))


class _Worth:
    """What facts are worth for several shares together."""

    def __init__(self, shares: Sequence[Share], most: int) -> None:
        self.shares = shares
        gains = [share.alone["gain"].rename(share.rule.name) for share in shares if len(share.alone)]
        self.by_rule = pd.concat(gains, axis=1).fillna(0.0).sort_index() if gains else pd.DataFrame(dtype=float)
        self.alone = self.by_rule.sum(axis=1)
        floor = max(self.alone.nlargest(most).min() if len(self.alone) else 0.0, NOTHING)
        bounds = [(bound, sorted(two), i) for i, s in enumerate(shares) for two, bound in s.pairs(floor).items()]
        self.together: dict[frozenset[str], float] = {}
        for _, two, number in sorted(bounds, key=lambda row: (-row[0], *row[1:]))[:PAIRS]:
            self.together[frozenset(two)] = self.together.get(frozenset(two), 0.0) + shares[number].together(*two)
        self._left: dict[tuple[int, frozenset[str]], float] = {}

    def left(self, known: Sequence[str]) -> float:
        """Return the variance that is left once some facts are known."""
        whole = 0.0
        for number, share in enumerate(self.shares):
            own = frozenset(share.alone.index.intersection(list(known)))
            if (number, own) not in self._left:
                self._left[number, own] = share.left(own)
            whole += self._left[number, own]
        return whole

    def given(self, known: Sequence[str]) -> pd.Series:
        """Return what each other fact takes once some are known."""
        gain = self.alone.drop(list(known))
        for two, more in self.together.items():
            new = two - set(known)
            if len(new) == 1:
                gain[min(new)] += more
        return gain


class _Costs:
    """Minutes of checking a fact, given where one goes anyway."""

    def __init__(self, case: Supposing, visits: Visits, alone: pd.Series) -> None:
        self.visits, facts = visits, case.facts.loc[alone.index]
        self.by_phone = facts["what"].isin(BY_TELEPHONE)
        field = facts[~self.by_phone.to_numpy()]
        first = alone[field.index].sort_values(ascending=False, kind="stable").index[:WALKED]
        spots = [_spot(case, str(fact.layer), str(fact.id)) for fact in field.loc[first].itertuples()]
        self.stops = pd.Index(first)
        self.walk = _minutes_between(case.district, spots, visits.speed_m_s) if spots else np.empty((0, 0))

    def fits(self, known: Sequence[str]) -> bool:
        """Return whether there is time for some facts."""
        return self.visits.budget is None or self.minutes(known) <= self.visits.budget

    def minutes(self, known: Sequence[str]) -> float:
        """Return the minutes of all calls, looks and walks."""
        tour, calls = self.tour(known), sum(bool(self.by_phone[fact]) for fact in known)
        walks = sum(self.walk[a, b] for a, b in pairwise(tour))
        return float(calls * self.visits.call + (len(known) - calls) * self.visits.look + walks)

    def tour(self, known: Sequence[str]) -> list[int]:
        """Return the places of facts that somebody has to look at (rows of `stops`) in an order with little walking."""
        stops = self.stops.get_indexer([fact for fact in known if not self.by_phone[fact]])
        return _round(self.walk, stops.tolist())


def _spot(case: Supposing, layer: str, row: str) -> shapely.Point:
    rows = case.wide.layers[layer]
    assert rows is not None
    return shapely.point_on_surface(rows.geometry.loc[row])


def _minutes_between(district: District, spots: Sequence[shapely.Point], speed_m_s: float) -> np.ndarray:
    """Return the minutes between places by the streets; where none leads, by a straight line and a part more."""
    points = gpd.GeoSeries(list(spots), index=range(len(spots)), crs=district.crs)
    where = shapely.get_coordinates(points.array)
    metres = np.hypot(*(where[:, None] - where[None]).transpose(2, 0, 1)) * DETOUR
    found = district.network.metres(points, points)["metres"]
    rows, columns = (found.index.get_level_values(i).to_numpy() for i in (0, 1))
    metres[rows, columns] = found.to_numpy()
    return np.asarray(metres / speed_m_s / 60.0)


def _round(walk: np.ndarray, stops: Sequence[int]) -> list[int]:
    """Return stops in an order with little walking: each put in where it costs least, then turned round where that is shorter."""

    def length(tour: Sequence[int]) -> float:
        return float(sum(walk[a, b] for a, b in pairwise(tour)))

    tour: list[int] = []
    for stop in stops:
        tour = min(([*tour[:i], stop, *tour[i:]] for i in range(len(tour) + 1)), key=length)
    better = True
    while better:
        better = False
        for i in range(len(tour) - 1):
            for j in range(i + 2, len(tour) + 1):
                turned = [*tour[:i], *reversed(tour[i:j]), *tour[j:]]
                if length(turned) < length(tour) - NOTHING:
                    tour, better = turned, True
    return tour


class _Choice(NamedTuple):
    """A fact on the list, the one it was chosen with ("" where by itself), and the variance it takes given those before."""

    fact: str
    pair: str
    gain: float


def _chosen(worth: _Worth, costs: _Costs, most: int) -> list[_Choice]:
    """
    Choose facts one after the other; return each with the one it was chosen with, and the variance it takes.

    Two are chosen at once where they take more together than the best one and the next.
    """
    known: list[str] = []
    found: list[_Choice] = []

    def best(taken: Sequence[str]) -> tuple[str, float] | None:
        gain = worth.given(taken)
        gain = gain[(gain > NOTHING).to_numpy()]
        gain = gain[(costs.by_phone[gain.index] | gain.index.isin(costs.stops)).to_numpy()]
        if costs.visits.budget is None:
            return None if gain.empty else (str(gain.idxmax()), float(gain.max()))
        before = costs.minutes(taken)
        price = {fact: costs.minutes([*taken, fact]) - before for fact in gain.index}
        rate = pd.Series({f: gain[f] / max(p, NOTHING) for f, p in price.items() if before + p <= costs.visits.budget})
        return None if rate.empty else (str(rate.idxmax()), float(gain[rate.idxmax()]))

    while len(known) < most and (first := best(known)) is not None:
        second = best([*known, first[0]]) if len(known) + 2 <= most else None
        step = [first[0]]
        if second is not None:
            gain = worth.given(known)
            at_once = {
                two: float(gain[list(two)].sum()) + more
                for two, more in worth.together.items()
                if not two & set(known) and costs.fits([*known, *two])
            }
            two = max(at_once, key=lambda pair: (at_once[pair], sorted(pair)), default=frozenset())
            if at_once.get(two, 0.0) > first[1] + second[1] + NOTHING:
                step = sorted(two, key=lambda fact: (-gain[fact], fact))
        for place, fact in enumerate(step):
            pair = step[1 - place] if len(step) == 2 else ""
            found.append(_Choice(fact, pair, float(worth.given(known)[fact])))
            known.append(fact)
    return found


def _table(case: Supposing, worth: _Worth, costs: _Costs, chosen: Sequence[_Choice]) -> pd.DataFrame:
    facts = pd.Index([choice.fact for choice in chosen], name="fact", dtype="str")
    table = case.facts.loc[facts, ["doubt", "layer", "id", "what", "who"]]
    if table.empty:
        return table.reindex(columns=list(CHECK_COLUMNS))
    every = worth.left([])
    left = np.minimum.accumulate([every, *(worth.left(list(facts[: i + 1])) for i in range(len(facts)))]) / every
    phone = costs.by_phone[facts].to_numpy()
    tour = costs.tour(list(facts))
    stop = pd.Series(range(1, len(tour) + 1), index=costs.stops[tour])
    walks = pd.Series([0.0, *(costs.walk[a, b] for a, b in pairwise(tour))][: len(tour)], stop.index)
    named = [_named(case, str(row.layer), str(row.id)) for row in table.itertuples()]
    return table.assign(
        name=[name for name, _ in named],
        community=[community for _, community in named],
        how=np.where(phone, "phone", "field"),
        minutes=np.where(phone, costs.visits.call, costs.visits.look),
        gain=[choice.gain / every for choice in chosen],
        left=left[1:],
        rule=worth.by_rule.loc[facts].idxmax(axis=1),
        pair=[choice.pair for choice in chosen],
        stop=stop.reindex(facts).fillna(0).astype("int64"),
        walk_min=walks.reindex(facts),
    )[list(CHECK_COLUMNS)]


def _named(case: Supposing, layer: str, row: str) -> tuple[str, str]:
    """Return what a thing is called (a gate: its home), and its community."""
    rows, groups = case.wide.layers[layer], case.district.groups
    assert rows is not None
    home = row if layer == "homes" else str(rows.at[row, "home"]) if layer == "gates" else ""
    named, key = (case.district.homes, home) if home else (rows, row)
    name = named.at[key, "name"] if named is not None and "name" in named and key in named.index else None
    community = groups["community"].get(home) if home else case.wide.locate(rows.loc[[row]])["community"].iloc[0]
    return str(name) if pd.notna(name) else "", str(community) if pd.notna(community) else ""
