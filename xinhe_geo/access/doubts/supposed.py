"""What a share would be if some facts were known: everything in doubt is drawn, and a draw is put together again with a fact as it is told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import ndtr

from ...core import Rule
from ..coverage import presence
from ..entrances import home_points
from ..home_shares import points_of_homes
from .draws import CUTS, LEVELS
from .elements import Elements, elements_of
from .facts import facts_in_doubt
from .robustness import OF_STREETS, UNCHANGED, Case, Change

#: How likely it is that something is as recorded where nobody has said: only for the order of a list, in no range.
EVEN = 0.5
#: How often each of `LEVELS` is drawn.
SHARES = np.diff([0.0, *ndtr(CUTS), 1.0])
#: Of a variance, what is nothing.
NOTHING = 1e-12


class Supposing(Case):
    """A case in which everything in doubt is drawn: what has no probability as often one way as the other."""

    @cached_property
    def facts(self) -> pd.DataFrame:
        """What is in doubt, all of it drawn; a margin of people that is no standard deviation is as if spread evenly."""
        facts = facts_in_doubt(self.district)
        evenly = (facts["what"] == "people").to_numpy() & ~facts["drawn"].to_numpy(dtype=bool)
        return facts.assign(
            drawn=True,
            probability=facts["probability"].fillna(EVEN),
            spread=facts["spread"].where(~evenly, facts["spread"] / np.sqrt(3.0)),
        )

    @cached_property
    def as_drawn(self) -> np.ndarray:
        """Whether each gate in doubt is open in each draw, whoever that locks in; a row of each gate."""
        own = self.facts[(self.facts["what"] == "gate").to_numpy()]
        opened = np.repeat(self.recorded_open[:, None], self.draws, axis=1)
        if len(own):
            opened[self.gates.get_indexer(own["id"])] ^= ~self.happens(own).T
        return opened

    @cached_property
    def let_out(self) -> np.ndarray:
        """Whether each gate is open; people who live behind gates that are all drawn shut come out by one of them."""
        opened = self.as_drawn.copy()
        for number, value in self.gates_if(dict.fromkeys(range(len(opened)))).items():
            opened[number] = value
        return opened

    @cached_property
    def _compound(self) -> dict[int, np.ndarray]:
        """The gates of the compound of each gate in doubt that no certain one leads out of."""
        return {int(gate): own for own in self.only_doubted if self.recorded_open[own].any() for gate in own}

    def gates_if(self, values: Mapping[int, float | np.ndarray | None]) -> dict[int, np.ndarray]:
        """
        Return whether gates are open in each draw if some are as they are said to be (None: as drawn); with those of their compounds.

        Of a compound that would be locked, that one is open which is not said to be closed, else the first.
        """
        found: dict[int, np.ndarray] = {}
        for gate in values:
            if gate in found:
                continue
            own = self._compound.get(gate, np.array([gate]))
            said = np.array([values.get(int(one)) is not None for one in own])
            opened = self.as_drawn[own].copy()
            for row in np.flatnonzero(said):
                opened[row] = np.asarray(values[int(own[row])], np.bool_)
            if gate in self._compound:
                opened[np.argmin(said), ~opened.any(axis=0)] = True
            found |= dict(zip(own.tolist(), opened, strict=True))
        return found

    @cached_property
    def spread(self) -> pd.Series:
        """The standard deviation of the people of each home in doubt, as a share of them."""
        return self.facts[(self.facts["what"] == "people").to_numpy()].set_index("id")["spread"]

    def normals_of(self, homes: pd.Index) -> np.ndarray:
        """Return the standard normal numbers of homes, a row of each."""
        return self.numbers(self.facts.loc[[f"homes:{home}:people" for home in homes]], "people").T


class _Column(NamedTuple):
    """What a fact is about: what of it, and which gate, facility or home."""

    what: str
    number: int


class Share:
    """
    The share of a rule in every draw, and what it would be in each if some facts were known.

    Arrays of gates, facilities, ways and elements have a row of each and a column of each draw.
    """

    def __init__(self, case: Supposing, rule: Rule, changes: frozenset[Change] = UNCHANGED) -> None:
        self.case, self.rule, self.facts = case, rule, case.touching(rule)
        self.names, self.homes = case.facilities.index[case.chosen(rule)], _homes(case, rule)
        state = case.state(self.facts, drawn=True).take(case.chosen(rule))
        self.position, self.there = (np.broadcast_to(part, (case.draws, part.shape[1])).T for part in state[:2])
        elements = elements_of(case, rule, changes)
        self.amount = np.repeat(elements.amount[:, None], case.draws, axis=1)
        own = self.facts[(self.facts["what"] == "people").to_numpy()]
        if len(own):
            error = self.case.numbers(own, "people") * own["spread"].to_numpy(dtype=float)
            self.amount[self.homes.get_indexer(own["id"])] *= np.maximum(1.0 + error, NOTHING).T
        self._sort(elements)

    def _sort(self, elements: Elements) -> None:
        """Keep the ways of those who are neither always served nor never; the others are a sum."""
        drawn = self.facts["id"][(self.facts["what"] == "existence").to_numpy()]
        sure = (elements.gate < 0) & ~np.isin(elements.facility, self.names.get_indexer(drawn))
        moved = (self.position != self.position[:, :1]).any(axis=1)[elements.facility]
        width = self.case.places(UNCHANGED).positions[self.case.chosen(self.rule)][elements.facility]
        here = elements.reach[np.arange(len(width)), self.position[elements.facility, 0]]
        sure &= (elements.reach.sum(axis=1) >= width) | (~moved & here)
        always = np.zeros(len(elements.part), np.bool_)
        always[elements.element[sure]] = True
        rows = np.flatnonzero(~always[elements.element])
        some, self.element = np.unique(elements.element[rows], return_inverse=True)
        self.gate, self.facility, self.reach = elements.gate[rows], elements.facility[rows], elements.reach[rows]
        self.whole, self.part = elements.whole[some], elements.part[some]
        self.always = np.bincount(elements.whole[always], elements.part[always], len(elements.amount))

    # --- as drawn

    @cached_property
    def _gates(self) -> np.ndarray:
        """Whether each gate in doubt is open; the last stands for all that are not."""
        return np.vstack([self.case.let_out, np.ones(self.case.draws, np.bool_)])

    @cached_property
    def _reached(self) -> np.ndarray:
        """Whether each way leads to its facility where that is."""
        return self.reach[np.arange(len(self.reach))[:, None], self.position[self.facility]]

    @cached_property
    def _ways(self) -> np.ndarray:
        """Whether each way is open."""
        return np.asarray(self._gates[self.gate] & self.there[self.facility] & self._reached)

    @cached_property
    def _count(self) -> np.ndarray:
        """How many ways of each element are open."""
        count = np.zeros((len(self.part), self.case.draws), np.int32)
        np.add.at(count, self.element, self._ways)
        return count

    @cached_property
    def _served(self) -> np.ndarray:
        """How much of each home, or community, is served."""
        served = np.repeat(self.always[:, None], self.case.draws, axis=1)
        np.add.at(served, self.whole, (self._count > 0) * self.part[:, None])
        return served

    @cached_property
    def _sums(self) -> tuple[np.ndarray, np.ndarray]:
        return (self.amount * self._served).sum(axis=0), self.amount.sum(axis=0)

    @cached_property
    def value(self) -> np.ndarray:
        """The share in each draw."""
        return np.asarray(self._sums[0] / self._sums[1])

    # --- what facts are about

    @cached_property
    def _columns(self) -> dict[str, _Column]:
        found = {}
        for fact, key, what in zip(self.facts.index, self.facts["id"], self.facts["what"], strict=True):
            if what not in OF_STREETS:
                index = {"gate": self.case.gates, "people": self.homes}.get(what, self.names)
                found[str(fact)] = _Column(str(what), int(index.get_indexer([key])[0]))
        return found

    @cached_property
    def _of_gate(self) -> dict[int, np.ndarray]:
        return _rows_by(self.gate)

    @cached_property
    def _of_facility(self) -> dict[int, np.ndarray]:
        return _rows_by(self.facility)

    def _moves(self, column: _Column) -> bool:
        """Return whether a fact opens or shuts any way, or counts people."""
        own = self._of_gate if column.what == "gate" else self._of_facility
        return column.what == "people" or column.number in own

    # --- as it would be

    def known(self, facts: Mapping[str, float | np.ndarray]) -> np.ndarray:
        """Return the share in each draw if some facts (of gates, facilities, people) had these values, one or one per draw."""
        values: dict[str, dict[int, float | np.ndarray]] = {w: {} for w in ("gate", "existence", "position", "people")}
        for fact, value in facts.items():
            values[self._columns[fact].what][self._columns[fact].number] = value
        gates = self.case.gates_if(values["gate"])
        none = np.empty(0, np.int64)
        parts = [self._of_gate.get(gate, none) for gate in gates]
        parts += [self._of_facility.get(place, none) for place in {**values["existence"], **values["position"]}]
        rows = np.unique(np.concatenate(parts)) if parts else none
        served, whole = self._sums
        change, elements = self._changed(rows, gates, values)
        amount = self.amount
        if values["people"]:
            amount, own = amount.copy(), list(values["people"])
            spread = self.case.spread.reindex(self.homes[own]).to_numpy(dtype=float)
            drawn = np.stack([np.broadcast_to(value, self.case.draws) for value in values["people"].values()])
            now = self.case.normals_of(self.homes[own])
            factor = np.maximum(1.0 + drawn * spread[:, None], NOTHING) / np.maximum(
                1.0 + now * spread[:, None], NOTHING
            )
            amount[own] *= factor
            served, whole = (amount * self._served).sum(axis=0), amount.sum(axis=0)
        homes = self.whole[elements]
        return np.asarray((served + (change * amount[homes] * self.part[elements][:, None]).sum(axis=0)) / whole)

    def _changed(
        self, rows: np.ndarray, gates: Mapping[int, np.ndarray], values: Mapping[str, Mapping[int, float | np.ndarray]]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return who is served more (1) or less (-1) if some ways are otherwise, and of which elements that is."""
        if not len(rows):
            return np.zeros((0, self.case.draws), np.int8), rows
        facility, gate = self.facility[rows], self.gate[rows]
        opened, there, reached = self._gates[gate], self.there[facility], self._reached[rows]
        for number, is_open in gates.items():
            opened[gate == number] = is_open
        for number, value in values["existence"].items():
            there[facility == number] = np.asarray(value, np.bool_)
        for number, value in values["position"].items():
            own = facility == number
            at = np.broadcast_to(np.asarray(value, np.int64), self.case.draws)
            reached[own] = self.reach[rows[own]][:, at]
        order = np.argsort(self.element[rows], kind="stable")
        start = np.flatnonzero(np.diff(self.element[rows][order], prepend=-1))
        elements = self.element[rows][order][start]
        more = (opened & there & reached).astype(np.int32) - self._ways[rows]
        before = self._count[elements]
        after = before + np.add.reduceat(more[order], start, axis=0)
        return (after > 0).astype(np.int8) - (before > 0), elements

    # --- what a fact is worth

    def levels(self, fact: str) -> tuple[np.ndarray, np.ndarray]:
        """Return what a fact may turn out to be (a position, there or not, open or not, standard deviations), and how often."""
        column = self._columns[fact]
        if column.what == "position":
            return np.arange(len(LEVELS) ** 2), np.outer(SHARES, SHARES).ravel()
        if column.what == "people":
            return LEVELS, SHARES
        so = float(self.facts.at[fact, "probability"])
        if column.what == "gate" and not self.case.recorded_open[column.number]:
            so = 1.0 - so
        return np.array([1, 0]), np.array([so, 1.0 - so])

    def _if(self, fact: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the share in each draw for each level of a fact, shape (levels, draws), and how often each is."""
        if fact not in self._columns:
            other = Share(self.case, self.rule, frozenset(self.case.changes(self.facts.loc[[fact]]))).value
            so = float(self.facts.at[fact, "probability"])
            return np.stack([self.value, other]), np.array([so, 1.0 - so])
        levels, often = self.levels(fact)
        return np.stack([self.known({fact: level}) for level in levels]), often

    @cached_property
    def alone(self) -> pd.DataFrame:
        """
        Return the facts that move the share.

        Columns `gain` (what knowing it takes from the variance), `mixed` (how much more it may take with others, at most), `street`.
        """
        found = {}
        for fact in self.facts.index:
            column = self._columns.get(fact)
            if column is not None and not self._moves(column):
                continue
            values, often = self._if(fact)
            mean = often @ values
            whole = float((often @ (values - mean) ** 2).mean())
            gain = float(often @ (values.mean(axis=1) - mean.mean()) ** 2)
            if whole > NOTHING:
                found[fact] = (gain, max(whole - gain, 0.0), column is None)
        return pd.DataFrame.from_dict(found, orient="index", columns=["gain", "mixed", "street"])

    def pairs(self, floor: float) -> dict[frozenset[str], float]:
        """Return two facts each that may take more together than each for itself, and how much more at most; not less than `floor`."""
        mixed = self.alone["mixed"][((self.alone["mixed"] > floor) & ~self.alone["street"].astype(bool)).to_numpy()]
        own = [fact for fact in mixed.index if self._columns[fact].what != "people"]
        return {frozenset(two): min(mixed[two[0]], mixed[two[1]]) for two in combinations(own, 2)}

    def together(self, one: str, other: str) -> float:
        """Return what knowing two facts takes from the variance beyond what each does."""
        (first, p), (second, q) = self.levels(one), self.levels(other)
        mean = np.array([[self.known({one: a, other: b}).mean() for b in second] for a in first])
        apart = mean - (mean @ q)[:, None] - (p @ mean)[None] + p @ mean @ q
        return float(p @ apart**2 @ q)

    def left(self, known: Iterable[str]) -> float:
        """Return the variance that is left once some facts are known: half the mean square between draws that have these in common."""
        rest = self.alone.index.difference(list(known))
        other = {fact: np.roll(self._drawn(self._columns[fact], fact), 1) for fact in rest if fact in self._columns}
        half = float(((self.value - self.known(other)) ** 2).mean() / 2.0)
        return half + float(self.alone["gain"][rest][self.alone["street"][rest].astype(bool)].sum())

    def _drawn(self, column: _Column, fact: str) -> np.ndarray:
        if column.what == "people":
            return self.case.numbers(self.facts.loc[[fact]], "people")[:, 0]
        return {"position": self.position, "existence": self.there, "gate": self.case.as_drawn}[column.what][
            column.number
        ]


def _rows_by(column: np.ndarray) -> dict[int, np.ndarray]:
    """Return the rows of each number, as they come."""
    if not len(column):
        return {}
    order = np.argsort(column, kind="stable")
    numbers, start = np.unique(column[order], return_index=True)
    return dict(zip(numbers.tolist(), np.split(order, start[1:]), strict=True))


def _homes(case: Case, rule: Rule) -> pd.Index:
    """Return the names of what a rule counts, in the order of `Elements.amount`."""
    return presence(case.district).index if rule.metric == "presence" else points_of_homes(home_points(case.wide)).names
