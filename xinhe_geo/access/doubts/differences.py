"""How firm a difference is: between which ends it lies what one plan serves more than another, on the same draws of the same facts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import NamedTuple

import numpy as np
import pandas as pd

from ...core import Rule, checked_count
from ...district import District
from ..bounds import AT_LEAST, bound_of
from ..coverage import is_surveyed, presence, rules_of
from ..entrances import home_points
from ..home_shares import points_of_homes
from .elements import elements_of
from .facts import facts_in_doubt
from .robustness import OUTER, UNCHANGED, Case

DIFFERENCE_COLUMNS = ("value", "low", "high", "apart", "unit", "facts")
#: Of so many gates of a compound all that may be open are tried; of more, each point is told by itself.
GATES_TRIED = 5
#: A difference below this is none.
NONE = 1e-6


def differences(
    first: District,
    second: District,
    rules: str | Sequence[str | Rule] = "plan",
    *,
    base: District | None = None,
    seed: int = 0,
    draws: int = 199,
) -> pd.DataFrame:
    """
    Say between which ends it lies what one state serves more than another, given what nobody has checked.

    Both states share their facts and the draws of them. What is an interval is the same in both as well: a gate that may be shut
    is shut in both. A row that a plan has made or changed is as the plan says, and in no doubt there.

    Parameters
    ----------
    first, second
        Two states of one district: before and after a plan, or two plans. They stay as they were.
    rules
        As in `coverage`.
    base
        The state that the plans change; None is what stood before the plan of `first`, or `first` where that is none.
    seed, draws
        As in `robustness`.

    Returns
    -------
    table
        Index rule. Columns `value` (second less first as recorded), `low`, `high` (95 % of the draws, each with the least and the
        most that the intervals leave), `apart` (all between the ends is above nothing, or all below), `unit` (what is counted:
        "people", "people_60plus", "area_m2", "homes", "community"), `facts` (how many in doubt touch it). Missing: 数据不足, also
        where a kind was only seen on a map.

    Raises
    ------
    UnknownNameError
        No such set or rule.
    ValueError
        Fewer than 39 draws.
    """
    checked_count(draws, "draws（抽样次数）", 39)
    asked, origin = rules_of(first, rules), base or first.ground or first
    cases = tuple(AsPlanned(district, asked, seed, draws, origin) for district in (first, second))
    rows = [_row(cases, rule) for rule in asked]
    return pd.DataFrame(
        rows, columns=list(DIFFERENCE_COLUMNS), index=pd.Index([r.name for r in asked], name="rule", dtype="str")
    )


@dataclass(frozen=True, eq=False)
class AsPlanned(Case):
    """A case of a plan: in doubt is what is as in the state that the plan changes."""

    base: District

    @cached_property
    def facts(self) -> pd.DataFrame:
        """What is in doubt."""
        facts = facts_in_doubt(self.district)
        if self.base is self.district:
            return facts
        keep = [
            _is_as_in(self.base, self.district, layer, key)
            for layer, key in zip(facts["layer"], facts["id"], strict=True)
        ]
        return facts[np.array(keep, dtype=bool)]


def _is_as_in(base: District, district: District, layer: str, key: str) -> bool:
    own, before = district.layers.get(layer), base.layers.get(layer)
    if own is None or before is None or key not in before.index:
        return False
    same_state = "state" not in own or str(own.at[key, "state"]) == str(before.at[key, "state"])
    return same_state and bool(own.geometry.loc[key] == before.geometry.loc[key])


def _row(cases: tuple[AsPlanned, ...], rule: Rule) -> tuple[object, ...]:
    """Return the ends of a rule's difference, and what is counted."""
    first, second = cases
    unit = "community" if rule.metric == "presence" else first.denominator(rule)
    touching = first.touching(rule).index.union(second.touching(rule).index)
    known = all(
        is_surveyed(case.district, rule.kinds) and bound_of(case.district, rule.kinds) != AT_LEAST for case in cases
    )
    if not known or not unit or unit != ("community" if rule.metric == "presence" else second.denominator(rule)):
        return (*(np.nan,) * 3, False, unit, len(touching))
    value = float(_ends(cases, rule, drawn=None)[0][0])
    low, high = (np.sort(end) for end in _ends(cases, rule, drawn=True))
    rank = max(round(OUTER * (len(low) + 1)), 1) - 1
    least, most = min(float(low[rank]), value), max(float(high[len(high) - 1 - rank]), value)
    return value, least, most, least > NONE or most < -NONE, unit, len(touching)


class _Side(NamedTuple):
    """One state under a rule: its ways by element, gate and facility, and what of these is so in each draw, surely or at best."""

    names: pd.Index  # homes or communities
    first: dict[str, int]  # the first element of each
    size: dict[str, int]  # … and how many it has
    part: np.ndarray
    amount: np.ndarray  # (wholes, draws)
    ways: pd.DataFrame  # whole, point, gate, place: what is the same in both states under one key; `row` of its reach
    reach: np.ndarray  # (ways, draws): where all streets are that may be there
    reach_at_worst: np.ndarray
    there: dict[str, tuple[np.ndarray, np.ndarray]]
    gates: dict[str, tuple[np.ndarray, np.ndarray]]
    compounds: dict[str, tuple[str, ...]]  # gates of homes that no certain gate leads out of
    margin: dict[str, float]


def _side(case: AsPlanned, rule: Rule, *, drawn: bool | None) -> _Side:
    """Return a state; `drawn` None: as recorded."""
    facts = case.touching(rule) if drawn is not None and len(case.chosen(rule)) else case.facts[:0]
    chosen = case.chosen(rule)
    state = case.state(facts, drawn=drawn is not None).take(chosen)
    count = case.draws if drawn is not None else 1
    state = type(state)(*(np.broadcast_to(part, (count, part.shape[1])) for part in state))
    told = frozenset(case.changes(facts)) if rule.method != "buffer" else UNCHANGED
    shut = frozenset(change for change in told if not change.level)
    elements = elements_of(case, rule, told - shut)
    places, gates = case.facilities.index[chosen], case.gates
    homes = points_of_homes(home_points(case.wide))
    presence_rule = rule.metric == "presence"
    names = presence(case.district).index if presence_rule else homes.names
    start, size = (np.arange(len(names)), np.ones(len(names), np.int64)) if presence_rule else homes[:2]
    whole = elements.whole[elements.element]

    def keyed(found: tuple[np.ndarray, ...]) -> pd.DataFrame:
        element, gate, facility = found
        gate_names = np.append(gates.to_numpy(object), "")[gate]
        own = elements.whole[element]
        named = names.to_numpy(object)[own]
        point = element - start[own]
        return pd.DataFrame(
            {"whole": named, "point": point, "gate": gate_names, "place": places.to_numpy(object)[facility]}
        )

    ways = keyed((elements.element, elements.gate, elements.facility))
    reach = elements.reach[np.arange(len(whole))[:, None], state.position[:, elements.facility].T]
    worst = reach
    if told:
        fewer = elements_of(case, rule, shut)
        left = keyed((fewer.element, fewer.gate, fewer.facility))
        leads = fewer.reach[np.arange(len(left))[:, None], state.position[:, fewer.facility].T]
        by_key = pd.DataFrame(leads).groupby([left[c] for c in left.columns]).any()
        worst = by_key.reindex(pd.MultiIndex.from_frame(ways), fill_value=False).to_numpy(dtype=bool)
    amount = np.repeat(elements.amount[:, None], count, axis=1)
    people = facts[(facts["what"] == "people").to_numpy()]
    sure = people["drawn"].to_numpy(dtype=bool)
    if sure.any():
        error = case.numbers(people[sure], "people") * people["spread"].to_numpy(dtype=float)[sure]
        amount[names.get_indexer(people["id"][sure])] *= np.maximum(1.0 + error, 0.0).T
    margin = people[~sure].set_index("id")["spread"]
    own_gates = {str(g): (state.open[:, i], state.open_at_best[:, i]) for i, g in enumerate(gates)}
    compounds: dict[str, tuple[str, ...]] = {}
    for own in case.only_doubted:
        if case.recorded_open[own].any():
            members = tuple(map(str, gates[own]))
            compounds |= dict.fromkeys(members, members)
    there = {str(p): (state.there[:, i], state.there_at_best[:, i]) for i, p in enumerate(places)}
    first, sizes = (dict(zip(map(str, names), part.tolist(), strict=True)) for part in (start, size))
    return _Side(
        names, first, sizes, elements.part, amount, ways, reach, worst, there, own_gates, compounds, margin.to_dict()
    )


def _ends(cases: tuple[AsPlanned, ...], rule: Rule, *, drawn: bool | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the least and the most of the difference in each draw; both are it where nothing is an interval."""
    sides = [_side(case, rule, drawn=drawn) for case in cases]
    count = sides[0].amount.shape[1]
    low, high = np.zeros((2, count))
    ways = [side.ways.groupby("whole").indices for side in sides]
    for home in dict.fromkeys([*map(str, sides[0].names), *map(str, sides[1].names)]):
        least, most = _of_home(sides, [own.get(home, np.empty(0, np.int64)) for own in ways], home)
        spread = max(side.margin.get(home, 0.0) for side in sides)
        low += least * np.where(least < 0, 1.0 + spread, 1.0 - spread)
        high += most * np.where(most > 0, 1.0 + spread, 1.0 - spread)
    return low, high


def _of_home(sides: Sequence[_Side], rows: Sequence[np.ndarray], home: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the least and most that the second state serves more of a home, whichever of its gates are open: one at least is."""
    count = sides[0].amount.shape[1]
    nothing = np.zeros(count)
    if _alike(sides, rows, home):
        return nothing, nothing
    keys = [side.ways.iloc[own] for side, own in zip(sides, rows, strict=True)]
    union = pd.concat(keys)[["point", "gate", "place"]].drop_duplicates().sort_values(["point", "gate", "place"])
    if union.empty:
        return nothing, nothing
    key = pd.MultiIndex.from_frame(union)
    held = [_Led.of(side, own, key) for side, own in zip(sides, rows, strict=True)]
    weights = [_weights(side, home, union["point"].to_numpy()) for side in sides]
    if all(np.array_equal(a, b) for a, b in zip(*held, strict=True)) and np.array_equal(weights[0], weights[1]):
        return nothing, nothing
    start = np.flatnonzero(np.diff(union["point"].to_numpy(), prepend=-1))
    weight = [own[start] for own in weights]
    least, most = np.full(count, np.inf), np.full(count, -np.inf)
    for gates, possible in _gates_open(sides, union["gate"].to_numpy(object)):
        low, high = _bracket(held, weight, start, gates)
        least = np.where(possible, np.minimum(least, low), least)
        most = np.where(possible, np.maximum(most, high), most)
    return least, most


def _alike(sides: Sequence[_Side], rows: Sequence[np.ndarray], home: str) -> bool:
    """Return whether a home has the same ways in both states, to the same places: most homes, told without working anything out."""
    a, b = sides
    if len(rows[0]) != len(rows[1]) or home not in a.first or home not in b.first or a.size[home] != b.size[home]:
        return False
    ways = [side.ways.iloc[own] for side, own in zip(sides, rows, strict=True)]
    if any((ways[0][key].to_numpy() != ways[1][key].to_numpy()).any() for key in ("point", "gate", "place")):
        return False
    places = ways[0]["place"].unique()
    same_there = all(np.array_equal(a.there[str(p)], b.there[str(p)]) for p in places)
    same_reach = np.array_equal(a.reach[rows[0]], b.reach[rows[1]])
    same_worst = np.array_equal(a.reach_at_worst[rows[0]], b.reach_at_worst[rows[1]])
    points = np.arange(a.size[home])
    counts = [_weights(side, home, points) for side in sides]
    return same_there and same_reach and same_worst and np.array_equal(counts[0], counts[1])


def _weights(side: _Side, home: str, points: np.ndarray) -> np.ndarray:
    """Return what each point of a home counts in each draw; nothing where the home, or the point, is not there."""
    weights = np.zeros((len(points), side.amount.shape[1]))
    if home in side.first:
        here = points < side.size[home]
        parts = side.part[side.first[home] + points[here]]
        weights[here] = side.amount[side.names.get_loc(home)] * parts[:, None]
    return weights


class _Led(NamedTuple):
    """Of each way in a state: whether it leads to its place surely and at best, and whether that is there, surely and at best."""

    reach: np.ndarray
    reach_at_worst: np.ndarray
    there: np.ndarray
    there_at_best: np.ndarray

    @staticmethod
    def of(side: _Side, rows: np.ndarray, key: pd.MultiIndex) -> _Led:
        """Return that of one home in the order of `key`; ways there are several of are one."""
        count = side.amount.shape[1]
        own = key.get_indexer(pd.MultiIndex.from_frame(side.ways.iloc[rows][["point", "gate", "place"]]))
        reach, worst = np.zeros((2, len(key), count), np.bool_)
        np.logical_or.at(reach, own, side.reach[rows])
        np.logical_or.at(worst, own, side.reach_at_worst[rows])
        absent = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
        there = [side.there.get(str(place), absent) for place in key.get_level_values("place")]
        return _Led(reach, worst, *(np.array(part) for part in zip(*there, strict=True)))


def _gates_open(
    sides: Sequence[_Side], gates: np.ndarray
) -> Iterator[tuple[tuple[np.ndarray, np.ndarray], np.ndarray]]:
    """
    Yield which ways have their gate open, surely and at best, for all states of the gates; and in which draws that can be.

    Gates in doubt are the same in both states; of a compound that only they lead out of, one is open.
    """
    count = sides[0].amount.shape[1]
    both = {**sides[1].gates, **sides[0].gates}
    own = [gate for gate in dict.fromkeys(gates) if gate]
    members = list(dict.fromkeys([*own, *(m for side in sides for gate in own for m in side.compounds.get(gate, ()))]))
    open_either = [gate for gate in members if (both[gate][0] != both[gate][1]).any()]
    always = np.ones(count, np.bool_)
    if len(open_either) > GATES_TRIED:
        ends = [np.array([both[gate][end] if gate else always for gate in gates]) for end in (0, 1)]
        yield (ends[0], ends[1]), always
        return
    for states in product((False, True), repeat=len(open_either)):
        told = dict(zip(open_either, states, strict=True))
        now = {gate: np.full(count, told[gate]) if gate in told else both[gate][0] for gate in members}
        possible = always.copy()
        for compound in {side.compounds[gate] for side in sides for gate in own if gate in side.compounds}:
            possible &= np.any([now[gate] for gate in compound], axis=0)
        opened = np.array([now[gate] if gate else always for gate in gates])
        yield (opened, opened), possible


def _bracket(
    held: Sequence[_Led], weight: Sequence[np.ndarray], start: np.ndarray, gates: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """
    Return the least and most of what the second state serves more of a home, with its gates as told.

    A point is gained only by a way that the first state has not, and lost only by one that the second has not: what the two share is the
    same in both.
    """
    sure = [gates[0] & own.reach_at_worst & own.there for own in held]
    best = [gates[1] & own.reach & own.there_at_best for own in held]
    tied = (held[0].there == held[1].there) & (held[0].there_at_best == held[1].there_at_best)
    tied &= (held[0].reach == held[0].reach_at_worst) & (held[1].reach == held[1].reach_at_worst)
    extra = [best[i] & ~np.where(tied, best[1 - i], sure[1 - i]) for i in (0, 1)]

    def any_of(ways: np.ndarray) -> np.ndarray:
        return np.logical_or.reduceat(ways, start, axis=0)

    low_a, low_b = map(any_of, sure)
    high_a, high_b = map(any_of, best)
    extra_a, extra_b = map(any_of, extra)
    same = weight[0] == weight[1]
    least = np.where(low_b & ~high_a, 1, np.where(extra_a & ~low_b, -1, 0))
    most = np.where(low_a & ~high_b, -1, np.where(extra_b & ~low_a, 1, 0))
    low = np.where(same, weight[1] * least, weight[1] * low_b - weight[0] * high_a)
    high = np.where(same, weight[1] * most, weight[1] * high_b - weight[0] * low_a)
    return low.sum(axis=0), high.sum(axis=0)
