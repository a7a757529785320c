"""Flips: the fewest facts in doubt, and what each would have to be, that turn a verdict."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix

from ...core import Rule, say, well_called
from ...district import District
from ..coverage import is_surveyed
from ..home_shares import SHARE_TOLERANCE
from .elements import displacements, elements_of
from .robustness import OF_STREETS, UNCHANGED, Case, Change

FLIP_COLUMNS = ("fact", "becomes", "east_m", "north_m", "size", "least", "share", "proven")
#: Sets of so many facts are all tried, where there are not more than so many of them; larger ones are looked for by a model.
TRIED, TRIED_AT_MOST = 2, 30_000
#: So many sets of streets are searched anew at most: for pairs that are tried, and for the model.
SEARCHED_AT_MOST = 40
#: What the model takes for less than the target: by so much of the whole, ten times what it takes for nothing.
VISIBLE = 1e-5
#: Sets that are listed, and branches that the model looks at.
LISTED, NODES = 20, 5_000


@well_called
def flips(district: District, rule: str | Rule, *, target: float = 1.0) -> pd.DataFrame:
    """
    Find the smallest sets of facts that would turn a rule's verdict, and what each of them would have to be.

    Parameters
    ----------
    district
        What `District.load` opened; it stays as it was.
    rule
        A rule, or the kind it leads: code, name or row.
    target
        The share (0-1) that has to be reached: where it is, what would bring it below, else what would bring it there.

    Returns
    -------
    table
        MultiIndex (flip, number): the sets, best first, and their facts. Columns `fact` (as in `xinhe_geo.access.facts_in_doubt`), `becomes`
        ("open", "closed", "there", "absent", "moved"; of a street "impassable", "stairs", "level"), `east_m`, `north_m` (of what is moved),
        `size` (facts in the set), `least` (no set of fewer turns the verdict), `share` (what the rule comes to), `proven` (`size` is that
        least; never where a street in doubt, shut, can leave somebody without a door, who is attached anew). Empty where nothing in doubt can turn it, or
        nothing is known. Gates count for who lives behind them, not for places behind them; people are left out, and that a street that is shut brings
        somebody nearer, who is attached anew.

    Raises
    ------
    UnknownNameError
        No such rule.
    ValueError
        A target that is not above 0 and at most 1.
    """
    if not 0.0 < target <= 1.0:
        raise ValueError(say("目标份额 {0} 应大于 0、不大于 1", target))
    asked = district.rule(rule)
    case = Case(district, (asked,), 0, 39)
    if not is_surveyed(district, asked.kinds) or not len(case.chosen(asked)) or not case.denominator(asked):
        return _table(None, [], 0)
    cover = Covering.of(case, asked, target)
    sets, least = _tried(cover)
    if not sets:
        found, least = _modelled(cover, least)
        sets = [found] if found else []
    return _table(cover, sets[:LISTED], least)


class Option(NamedTuple):
    """What a fact could be otherwise: the row of the gate or facility, and its position where it is moved; what becomes of a street."""

    fact: str
    becomes: str
    row: int = -1
    position: int = -1
    change: Change | None = None


class Led(NamedTuple):
    """
    Ways of elements by gate and facility.

    A way is open if its gate is (-1: none), its facility is there, and `reach` has the position of the facility.
    """

    element: np.ndarray  # of each way
    gate: np.ndarray
    facility: np.ndarray
    reach: np.ndarray  # (ways, positions)


@dataclass(frozen=True, eq=False)
class Covering:
    """
    Who is served by which ways: elements (points of homes, or communities) by their weight, and the ways to them.

    `led` searches the ways anew where some streets are otherwise: what closes only takes ways, what becomes level only adds some.
    """

    weight: np.ndarray  # of each element, as a share of the whole
    led: Callable[[frozenset[Change]], Led]
    recorded: tuple[np.ndarray, np.ndarray, np.ndarray]  # gates open, facilities there, position of each
    homes: tuple[np.ndarray, ...]  # gates of each home all of whose gates are in doubt
    away: np.ndarray  # (facilities, positions, 2): metres east and north of the recorded one
    options: tuple[Option, ...]
    target: float
    feet_stay: bool = True  # no street in doubt can take the last door of a place, which then would be attached anew

    @staticmethod
    def of(case: Case, rule: Rule, target: float) -> Covering:
        """Read it off what was searched of a rule."""
        chosen, places = case.chosen(rule), case.places(UNCHANGED)
        count, own = places.positions[chosen], case.facilities.iloc[chosen]
        found = elements_of(case, rule)
        state = case.state(case.facts[:0], drawn=False)
        there = state.there[0, chosen]
        options = tuple(_options(case, rule, own.index, (state.open[0], there, count)))
        away = np.stack([displacements(sigma) for sigma in case.sigma()[chosen]])
        recorded = state.open[0], there, count // 2
        led = cache(lambda changes: Led(*elements_of(case, rule, changes)[3:]))
        cover = Covering(found.weight, led, recorded, case.only_doubted, away, options, target)
        streets = tuple(option for option in _streets(case, rule) if option.change and option.change.level == cover.up)
        feet_stay = not case.lose_doors(frozenset(case.changes(case.touching(rule))))
        # where all of them together change nothing, none of them does
        useful = bool(streets) and not (feet_stay and cover.share(streets) == cover.value)
        return replace(cover, options=(*options, *streets) if useful else options, feet_stay=feet_stay)

    def share(self, chosen: tuple[Option, ...]) -> float:
        """Return the share that is served if some facts are otherwise; missing where that cannot be."""
        opened, there, position = (part.copy() for part in self.recorded)
        for option in chosen:
            if option.change is not None:
                continue
            if option.becomes in ("open", "closed"):
                opened[option.row] = option.becomes == "open"
            elif option.becomes == "moved":
                position[option.row] = option.position
            else:
                there[option.row] = option.becomes == "there"
        if any(self.recorded[0][own].any() and not opened[own].any() for own in self.homes):
            return float("nan")  # people live there, and come out
        led = self.led(changes_of(chosen))
        ways = np.append(opened, True)[led.gate] & there[led.facility]
        ways &= led.reach[np.arange(len(led.reach)), position[led.facility]]
        served = np.zeros(len(self.weight), np.bool_)
        served[led.element[ways]] = True
        return float(self.weight[served].sum())

    @cached_property
    def value(self) -> float:
        """The share as recorded."""
        return self.share(())

    @property
    def up(self) -> bool:
        """Whether the target has yet to be reached."""
        return self.value < self.target - SHARE_TOLERANCE

    def turns(self, chosen: tuple[Option, ...]) -> bool:
        """Return whether the verdict is another if some facts are otherwise."""
        share = self.share(chosen)
        return bool(np.isfinite(share)) and (share < self.target - SHARE_TOLERANCE) != self.up


def changes_of(chosen: Iterable[Option]) -> frozenset[Change]:
    """Return which streets are otherwise."""
    return frozenset(option.change for option in chosen if option.change is not None)


def _streets(case: Case, rule: Rule) -> Iterator[Option]:
    """Yield what streets could be otherwise."""
    own = case.touching(rule)
    own = own[own["what"].isin(OF_STREETS).to_numpy()]
    for fact, change in zip(own.itertuples(), case.changes(own), strict=True):
        becomes = "level" if change.level else "impassable" if fact.what == "street" else "stairs"
        yield Option(fact.Index, becomes, change=change)


def _options(
    case: Case, rule: Rule, names: pd.Index, recorded: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> Iterator[Option]:
    """Yield what the facts that touch a rule could be otherwise."""
    opened, there, count = recorded
    for fact in case.touching(rule).itertuples():
        if fact.what == "gate":
            row = case.gates.get_loc(fact.id)
            yield Option(fact.Index, "closed" if opened[row] else "open", row)
        elif fact.what == "existence":
            row = names.get_loc(fact.id)
            yield Option(fact.Index, "absent" if there[row] else "there", row)
        elif fact.what == "position":
            row = names.get_loc(fact.id)
            for position in range(count[row]):
                if position != count[row] // 2:
                    yield Option(fact.Index, "moved", row, position)


def _tried(cover: Covering) -> tuple[list[tuple[Option, ...]], int]:
    """Try all sets of one and two facts; return those of the smallest size that turn the verdict, and how small none is."""
    for size in range(1, TRIED + 1):
        count = len(cover.options)
        streets = len(changes_of(cover.options))
        many = count * (count - 1) // 2 > TRIED_AT_MOST or streets * (streets - 1) // 2 > SEARCHED_AT_MOST
        if size > count or streets > SEARCHED_AT_MOST or (size > 1 and many):
            return [], size
        found = [
            chosen
            for chosen in itertools.combinations(cover.options, size)
            if len({option.fact for option in chosen}) == size and cover.turns(chosen)
        ]
        if found:
            sign = -1.0 if cover.up else 1.0
            return sorted(found, key=lambda chosen: (sign * cover.share(chosen), chosen)), size
    return [], TRIED + 1


class _Linear(NamedTuple):
    """A number that is 0 or 1 as a sum: a constant, and variables with their coefficients."""

    constant: float
    columns: tuple[int, ...] = ()
    factors: tuple[float, ...] = ()


class _Rows:
    """Constraints `sum <= most`, as they are collected."""

    def __init__(self) -> None:
        self.columns: list[int] = []
        self.factors: list[float] = []
        self.lines: list[int] = []
        self.most: list[float] = []

    def add(self, parts: Iterable[tuple[float, _Linear]], most: float) -> None:
        """Add one: the parts times their factors come to `most` at most."""
        for factor, part in parts:
            most -= factor * part.constant
            self.columns += part.columns
            self.factors += [factor * own for own in part.factors]
            self.lines += [len(self.most)] * len(part.columns)
        self.most.append(most)


def _modelled(cover: Covering, least: int) -> tuple[tuple[Option, ...], int]:
    """
    Find a smallest set by partial covering with weights; return it, and how many facts any set has at least.

    Ways are searched with the streets as recorded and with all of them otherwise, and then as the set found has them, until it turns the
    verdict as it is counted: each model is a relaxation, so that its bound holds.
    """
    if not cover.options:
        return (), least
    searched = list(dict.fromkeys([UNCHANGED, changes_of(cover.options)]))
    while True:
        chosen, bound = _solved(cover, searched)
        least = max(least, bound) if cover.feet_stay else least
        if not chosen or cover.turns(chosen):
            return chosen, least
        if (changes := changes_of(chosen)) in searched or len(searched) >= SEARCHED_AT_MOST:
            return (), least
        searched.append(changes)


def _solved(cover: Covering, searched: Sequence[frozenset[Change]]) -> tuple[tuple[Option, ...], int]:
    """
    Solve the model with the ways of some sets of streets; return a set, and how many facts any has at least.

    Down, an element is lost only if each way to it is cut: lost + gate + there + reach <= 3, and as much more as streets are shut with
    which the way was not searched. Up, it is won only if some way to it is open, or a street becomes level with which none was searched:
    won <= the sum of these, each way at most its gate, its facility and its reach. One option at most of each fact.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp  # takes a tenth of a second, and few ask

    count = len(cover.options)
    gates, there, reach = _states(cover)
    elements = np.flatnonzero(cover.weight > 0)
    column = dict(zip(elements.tolist(), range(count, count + len(elements)), strict=True))
    rows, columns = _Rows(), count + len(elements)
    for changes in searched:
        led = cover.led(changes)
        other = tuple(i for i, o in enumerate(cover.options) if o.change is not None and o.change not in changes)
        beyond = _Linear(0.0, other, (1.0,) * len(other))
        sums: dict[int, list[int]] = {element: [] for element in column}
        for way, element in enumerate(map(int, led.element)):
            if element not in column:
                continue
            parts = gates[int(led.gate[way])], there[int(led.facility[way])], reach(led, way)
            if not cover.up:
                lost = _Linear(0.0, (column[element],), (1.0,))
                rows.add([(1.0, lost), *((1.0, part) for part in parts), (-1.0, beyond)], 3.0)
                continue
            opened = _Linear(0.0, (columns,), (1.0,))
            sums[element].append(columns)
            columns += 1
            for part in parts:
                rows.add([(1.0, opened), (-1.0, part)], 0.0)
        for element in column if cover.up else ():
            some = tuple(sums[element])
            won = _Linear(0.0, (column[element], *some), (1.0, *(-1.0 for _ in some)))
            rows.add([(1.0, won), (-1.0, beyond)], 0.0)
    for fact in dict.fromkeys(option.fact for option in cover.options):
        own = tuple(i for i, option in enumerate(cover.options) if option.fact == fact)
        rows.add([(1.0, _Linear(0.0, own, (1.0,) * len(own)))], 1.0)
    for compound in cover.homes:
        if cover.recorded[0][compound].any():  # one of its gates stays open
            rows.add([(-1.0, gates[int(gate)]) for gate in compound], -1.0)
    needed = cover.target - SHARE_TOLERANCE / 2 if cover.up else 1.0 - cover.target + VISIBLE
    weights = tuple(float(cover.weight[element]) for element in elements)
    rows.add([(-1.0, _Linear(0.0, tuple(column.values()), weights))], -needed)
    cost = np.zeros(columns)
    cost[:count] = 1.0
    table = coo_matrix((rows.factors, (rows.lines, rows.columns)), shape=(len(rows.most), columns)).tocsr()
    answer = milp(
        cost,
        integrality=cost,  # the others are as whole as what the facts become
        bounds=Bounds(0.0, 1.0),
        constraints=LinearConstraint(table, -np.inf, np.array(rows.most)),
        options={"node_limit": NODES},
    )
    bound = answer.mip_dual_bound
    least = int(np.ceil(bound - 1e-6)) if bound is not None and np.isfinite(bound) else 0
    chosen = () if answer.x is None else tuple(o for o, x in zip(cover.options, answer.x, strict=False) if x > 0.5)
    return chosen, least


def _states(cover: Covering) -> tuple[list[_Linear], list[_Linear], Callable[[Led, int], _Linear]]:
    """Return what becomes of each gate (the last: none, always open), of each facility, and of the reach of a way, as sums of options."""
    opened, present, position = cover.recorded
    gates = [*(_Linear(float(value)) for value in opened), _Linear(1.0)]
    there = [_Linear(float(value)) for value in present]
    moves: dict[int, list[tuple[int, int]]] = {}
    for number, option in enumerate(cover.options):
        if option.change is not None:
            continue
        if option.becomes == "moved":
            moves.setdefault(option.row, []).append((number, option.position))
        else:
            some = gates if option.becomes in ("open", "closed") else there
            sign = 1.0 if option.becomes in ("open", "there") else -1.0
            some[option.row] = _Linear(some[option.row].constant, (number,), (sign,))

    def reach(led: Led, way: int) -> _Linear:
        facility = int(led.facility[way])
        now = float(led.reach[way, position[facility]])
        own = [(n, float(led.reach[way, at]) - now) for n, at in moves.get(facility, ())]
        own = [(number, change) for number, change in own if change]
        return _Linear(now, tuple(number for number, _ in own), tuple(change for _, change in own))

    return gates, there, reach


def _table(cover: Covering | None, sets: list[tuple[Option, ...]], least: int) -> pd.DataFrame:
    rows, keys = [], []
    for number, chosen in enumerate(sets, 1):
        assert cover is not None
        share = cover.share(chosen)
        for place, option in enumerate(sorted(chosen), 1):
            east, north = cover.away[option.row][option.position] if option.position >= 0 else (np.nan, np.nan)
            keys.append((number, place))
            rows.append(
                (
                    option.fact,
                    option.becomes,
                    east,
                    north,
                    len(chosen),
                    least,
                    share,
                    cover.feet_stay and len(chosen) == least,
                )
            )
    index = pd.MultiIndex.from_tuples(keys, names=["flip", "number"])
    return pd.DataFrame(rows, columns=list(FLIP_COLUMNS), index=index if keys else index[:0])
