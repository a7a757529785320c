"""
Which project in which year: a mixed-integer programme over sets that somebody else evaluates.

Whom a set of projects serves is asked of an `Oracle`; nothing is assumed of it but that opening never takes a service away and
closing never gives one. From a set S in which a demand is not served follows a cut: it is served only if a project that opens
something and is not in S is done, or one of S that closes something is not. Every relaxation with such cuts is a bound; they are
added until the plan found is not cut. Solved with HiGHS (scipy).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, Protocol

import numpy as np

from ..core import ScenarioError, say
from ..siting import EQUAL, MixedInteger, Watch

#: What a programme is to bring, the first of these first.
FLOOR, URGENT_FIRST, ELDERLY, PEOPLE = "floor", "urgent", "elderly", "people"
LEVELS_IN_ORDER = (URGENT_FIRST, ELDERLY, PEOPLE)

#: Less money than this (万元) is rounding.
CENT = 1e-4

Set = frozenset[int]
_NONE: Set = frozenset()


class Pay(NamedTuple):
    """What a project has to pay in a year of its work (0 is the first), from which pots, and how much more if it overruns."""

    year: int
    amount: float
    pots: Set
    more: float = 0.0


class Pot(NamedTuple):
    """Money of a year; what carries over may be spent later, too."""

    year: int
    amount: float
    carry: bool

    def pays_in(self, year: int) -> bool:
        """Whether it can be spent in a year."""
        return year == self.year or (self.carry and year > self.year)


class Candidate(NamedTuple):
    """A project as the programme sees it; others are named by their position."""

    starts: tuple[int, ...]  # years in which it may begin; none: it cannot
    duration: int
    pays: tuple[Pay, ...]
    must: bool = False
    after: Set = _NONE
    excludes: Set = _NONE
    opens: bool = False
    closes: bool = False
    ways: bool = False  # what it opens changes ways, so that more than its own places may be reached
    whole: bool = False  # what it opens cannot be done without what it closes

    @property
    def lone(self) -> bool:
        """Whether it opens places and does nothing else: whom it serves does not depend on other places."""
        return self.opens and not self.closes and not self.ways


class Extra(NamedTuple):
    """What is reached when any of some projects is done, whatever anybody walks: how much of it, at which level."""

    by: Set
    level: str
    weight: float


class Task(NamedTuple):
    """What is asked: years, projects, money, what counts besides walks, and how many overruns a year must be payable."""

    years: tuple[int, ...]
    candidates: Sequence[Candidate]
    pots: Sequence[Pot]
    extras: Sequence[Extra] = ()
    overruns: int = 0


class Oracle(Protocol):
    """Who knows whom a set of projects serves."""

    #: How many people, and how many of 60 or more, each demand is; to which group it belongs (-1: none).
    people: np.ndarray
    elderly: np.ndarray
    group: np.ndarray

    def epoch(self, year: int) -> int:
        """Return a number that is the same for years in which the same sets serve the same demands."""
        ...

    def ways(self, epoch: int) -> int:
        """Return a number that is the same for epochs in which every way is the same: a new place reaches the same people."""
        ...

    def served(self, epoch: int, opened: Set, closed: Set) -> np.ndarray:
        """
        Return which demands are served.

        Raises
        ------
        ScenarioError
            The set cannot be carried out.
        """
        ...

    def reach(self, epoch: int, ways: Set, places: Sequence[int]) -> dict[int, np.ndarray]:
        """Return whom each of some projects that only open places may serve where some ways are open; those not known are left out."""
        ...


class Level(NamedTuple):
    """What a plan reaches of one aim, and what none can exceed."""

    name: str
    value: float
    bound: float


class Short(NamedTuple):
    """How much money is short: of what is owed to whom it may be paid by, and in which year."""

    total: float
    owed: Mapping[tuple[Set, int], float]


class Chosen(NamedTuple):
    """The best plan found: in which year each project begins (None: never), and how sure it is."""

    starts: tuple[int | None, ...]
    levels: tuple[Level, ...]
    proven: bool
    monotone: bool  # whether nothing was found that a cut takes away and the engine grants


class Wishes(NamedTuple):
    """How a programme is chosen: weights by level (None: one level after the other), the floor of groups first, how near is enough."""

    weights: dict[str, float] | None = None
    equity: bool = True
    gap: float = 0.0


class _State(NamedTuple):
    opened: Set
    closed: Set


class _Group(NamedTuple):
    """Demands that are served alike in every set looked at: what any of them takes to be served."""

    cuts: tuple[tuple[Set, Set], ...]  # at least one of the first done, or of the second not done
    people: float
    elderly: float
    of: int


#: A sum that is 1 where a group is served, or an extra reached, in a year: variables, their signs, what is added, of what, when.
_Term = tuple[list[int], list[float], float, "_Group | Extra", int]


class _Aim(NamedTuple):
    """What is maximised, as weights: of a person, of one of 60 or more, and of the extras of each level."""

    name: str
    people: float = 0.0
    elderly: float = 0.0
    extras: Mapping[str, float] = MappingProxyType({})

    def of(self, what: _Group | Extra) -> float:
        """Return what it adds to serve a group, or to reach an extra."""
        if isinstance(what, Extra):
            return self.extras.get(what.level, 0.0) * what.weight
        return self.people * what.people + self.elderly * what.elderly


class Choosing:
    """A programme being chosen: what has been evaluated stays, so that more money can be tried without beginning anew."""

    def __init__(self, task: Task, oracle: Oracle, watch: Watch) -> None:
        self.task, self.oracle, self.watch = task, oracle, watch
        c = task.candidates
        self.usable = [j for j, own in enumerate(c) if own.starts]
        self.openers = frozenset(j for j in self.usable if c[j].opens)
        self.whole = frozenset(j for j in self.usable if c[j].whole)
        self.lone = frozenset(j for j in self.usable if c[j].lone)
        self.ways = frozenset(j for j in self.usable if c[j].ways)
        self.states: dict[int, dict[_State, np.ndarray]] = {}
        self.reach: dict[tuple[int, bool], dict[int, np.ndarray]] = {}
        self.monotone = True
        self.barred: list[Set] = []  # projects of which at least one must be left out
        self._groups: dict[tuple[int, int], list[_Group]] = {}
        for epoch in dict.fromkeys(map(oracle.epoch, task.years)):
            self._begin(epoch)

    # --- what has been evaluated

    def _look(self, epoch: int, opened: Iterable[int], closed: Iterable[int]) -> np.ndarray | None:
        """Evaluate a set once; None where it cannot be carried out."""
        state = _State(frozenset(opened), frozenset(closed))
        known = self.states.setdefault(epoch, {})
        if state not in known:
            try:
                known[state] = self.oracle.served(epoch, *state)
            except ScenarioError:
                return None
        return known[state]

    def _begin(self, epoch: int) -> None:
        """Evaluate what says most: nothing done, everything open, all but one, and each closure."""
        self._look(epoch, (), ())
        if self.watch.stopped:
            return
        # where a way may become better or worse, nothing is known of a place but how it is reached now
        known = (_NONE, self.ways) if self.ways and not self.ways & self.whole else (_NONE,)
        for ways in known:
            self._look(epoch, ways, ())
            self.reach[epoch, bool(ways)] = self._reach_of_places(epoch, ways)
        closers = [j for j in self.usable if self.task.candidates[j].closes]
        if self.openers - self.lone:
            self._look(epoch, self.openers, self.whole)
            for j in sorted(self.openers - self.lone):
                self._look(epoch, self.openers - {j}, self.whole - {j})
        for j in closers:
            self._look(epoch, {j} & self.whole, {j})
            self._look(epoch, self.openers, self.whole | {j})

    def _reach_of_places(self, epoch: int, ways: Set) -> dict[int, np.ndarray]:
        """Return whom each place may serve: known once for all years in which the ways are the same."""
        for (other, opened), known in self.reach.items():
            if opened == bool(ways) and self.oracle.ways(other) == self.oracle.ways(epoch):
                return known
        return self.oracle.reach(epoch, ways, sorted(self.lone))

    def _lifted(self, epoch: int, state: _State, demand: int) -> tuple[Set, Set]:
        """Return a cut of a demand that a set does not serve, without places that are known to be too far from it."""
        reach = self.reach.get((epoch, bool(state.opened & self.ways)), {})
        pos = {j for j in self.openers - state.opened if j not in reach or reach[j][demand]}
        return frozenset(pos), state.closed

    def groups(self, epoch: int) -> list[_Group]:
        """Return the demands, put together where they are served alike, each with what it takes."""
        states = list(self.states[epoch])
        key = epoch, len(states)
        if key in self._groups:
            return self._groups[key]
        o = self.oracle
        reached = [r for (e, _), by in self.reach.items() if e == epoch for r in by.values()]
        columns = np.array([*(self.states[epoch][s] for s in states), *reached], dtype=bool)
        packed = np.packbits(columns, axis=0)
        table = np.vstack([packed.astype(np.int64), o.group[None, :]]).T
        _, first, inverse = np.unique(table, axis=0, return_index=True, return_inverse=True)
        inverse = inverse.ravel()
        people, elderly = (np.bincount(inverse, w, len(first)) for w in (o.people, o.elderly))
        found = []
        for g, demand in enumerate(first):
            cuts = {self._lifted(epoch, s, demand) for s in states if not self.states[epoch][s][demand]}
            few = [a for a in cuts if not any(b != a and b[0] <= a[0] and b[1] <= a[1] for b in cuts)]
            ordered = sorted(few, key=lambda cut: (sorted(cut[0]), sorted(cut[1])))
            found.append(_Group(tuple(ordered), float(people[g]), float(elderly[g]), int(o.group[demand])))
        self._groups[key] = found
        return found

    # --- choosing

    def best(self, wishes: Wishes, pots: Sequence[Pot] | None = None) -> Chosen:
        """
        Choose, one aim after the other.

        Parameters
        ----------
        wishes
            What is to be reached first, and how near to the bound is enough.
        pots
            Other money than the task's.

        Raises
        ------
        ScenarioError
            Projects under way cannot be paid.
        """
        money = self.task.pots if pots is None else pots
        kept: list[tuple[_Aim, float]] = []
        levels: list[Level] = []
        plan: tuple[int | None, ...] | None = None
        for aim in self._aims(wishes):
            if self._interrupted():
                break
            found, bound = self._reach(aim, kept, money, wishes, plan)
            plan = found if found is not None else plan
            if plan is None and self._interrupted() and not any(c.must for c in self.task.candidates):
                plan = (None,) * len(self.task.candidates)
            if plan is None:
                if self._interrupted():
                    break
                raise ScenarioError(say("在实施的项目的资金在资金表里排不下；核对它们的逐年投资、可用渠道和资金表"))
            value = self._value(aim, plan)
            bound = max(bound, value)
            levels.append(Level(aim.name, value, bound))
            kept.append((aim, value))
        if plan is None:
            raise KeyboardInterrupt
        near = wishes.gap + 1e-7
        proven = all(x.bound - x.value <= near * max(abs(x.value), 1.0) for x in levels) and not self.watch.stopped
        return Chosen(plan, tuple(levels), proven and self.monotone, self.monotone)

    def near(self, best: Chosen, useful: Set, wishes: Wishes, within: float, count: int) -> list[Chosen]:
        """
        Return other plans that come near to the best: without at least one of its useful projects, and of those before.

        Parameters
        ----------
        best
            What `best` returned.
        useful
            Projects of it that bring something: leaving out one that brings nothing is no other plan.
        wishes
            As for `best`.
        within
            In each aim by no more than this share worse.
        count
            At most so many.
        """
        found: list[Chosen] = []
        self.barred = [useful] if useful else []
        try:
            while self.barred and len(found) < count and not self.watch.stopped:
                other = self.best(wishes)
                if self._interrupted():
                    break
                worse = (
                    a.value - b.value > within * abs(a.value) + 1e-9
                    for a, b in zip(best.levels, other.levels, strict=True)
                )
                if any(worse):
                    break
                found.append(other)
                self.barred.append(frozenset(j for j, s in enumerate(other.starts) if s is not None))
        except (ScenarioError, ValueError):  # nothing is left, or it was stopped between two aims
            pass
        except KeyboardInterrupt:
            if not self.watch.stopped:
                raise
        finally:
            self.barred = []
        return found

    def short(self, spare: int, one: int | None = None) -> Short | None:
        """
        Return how much money is short at least for what is under way, and one more project with all that must come before it.

        Parameters
        ----------
        spare
            The pot out of which is paid what no other pays.
        one
            Which project; None: what is under way alone.

        Returns
        -------
        short
            None where the years do not suffice, whatever the money.
        """
        c, money = self.task.candidates, list(self.task.pots)
        money[spare] = Pot(min(pot.year for pot in money), np.inf, True)
        wanted, ahead = {j for j, own in enumerate(c) if own.must}, [] if one is None else [one]
        while ahead:
            wanted.add(j := ahead.pop())
            ahead += [k for k in c[j].after if k not in wanted and not c[j].must]
        written = _Written(self, money, None, [])
        found = written.least_of(spare, wanted)
        if found is None:
            return None
        return Short(sum(found.values()), {owed: amount for owed, amount in found.items() if amount > CENT})

    def _interrupted(self) -> bool:
        return self.watch.stopped

    def _aims(self, wishes: Wishes) -> list[_Aim]:
        named = {
            URGENT_FIRST: _Aim(URGENT_FIRST, extras={URGENT_FIRST: 1.0}),
            ELDERLY: _Aim(ELDERLY, elderly=1.0, extras={ELDERLY: 1.0}),
            PEOPLE: _Aim(PEOPLE, people=1.0, extras={PEOPLE: 1.0}),
        }
        floor = [_Aim(FLOOR)] if wishes.equity and len(set(self.oracle.group) - {-1}) > 1 else []
        if wishes.weights is None:
            return [*floor, *(named[name] for name in LEVELS_IN_ORDER if self._matters(name))]
        weights = wishes.weights
        return [*floor, _Aim(PEOPLE, weights.get(PEOPLE, 0.0), weights.get(ELDERLY, 0.0), weights)]

    def _matters(self, level: str) -> bool:
        if level == PEOPLE or any(e.level == level for e in self.task.extras):
            return True
        return level == ELDERLY and bool((self.oracle.elderly > 0).any())

    def _reach(
        self,
        aim: _Aim,
        kept: Sequence[tuple[_Aim, float]],
        money: Sequence[Pot],
        wishes: Wishes,
        plan: tuple[int | None, ...] | None,
    ) -> tuple[tuple[int | None, ...] | None, float]:
        """Return the best plan of one aim under those before, and the bound; cuts are added until it is not cut."""
        best = plan
        bound = np.inf
        while True:
            written = _Written(self, money, aim, kept)
            found, bound_now = written.solved(aim, wishes.gap)
            bound = min(bound, bound_now)
            if found is None:
                return best, bound
            before = {epoch: len(known) for epoch, known in self.states.items()}
            value = self._value(aim, found)
            as_kept = all(self._value(a, found) >= v - 1e-6 * max(abs(v), 1.0) for a, v in kept)
            if as_kept and (best is None or value > self._value(aim, best) + 1e-12):
                best = found
            new = before != {epoch: len(known) for epoch, known in self.states.items()}
            if self.watch.stopped or not new:
                if value > bound + 1e-6 * max(abs(bound), 1.0):
                    self.monotone = False
                return best, bound
            if best is not None and bound - self._value(aim, best) <= wishes.gap * abs(self._value(aim, best)):
                return best, bound

    def done_in(self, plan: Sequence[int | None], year: int) -> Set:
        """Return the projects that are finished at the end of a year."""
        c = self.task.candidates
        return frozenset(j for j, s in enumerate(plan) if s is not None and s + c[j].duration - 1 <= year)

    def served_in(self, plan: Sequence[int | None], year: int) -> np.ndarray:
        """Return whom a plan serves in a year, as the engine says."""
        done, c = self.done_in(plan, year), self.task.candidates
        opened, closed = done & self.openers, frozenset(j for j in done if c[j].closes)
        epoch = self.oracle.epoch(year)
        found = self._look(epoch, opened, closed)
        # what cannot be carried out is asked again, so that the oracle says which projects contradict each other
        return self.oracle.served(epoch, opened, closed) if found is None else found

    def _value(self, aim: _Aim, plan: Sequence[int | None]) -> float:
        """Return what a plan reaches of an aim, counted afresh: more than if nothing were done."""
        o, task = self.oracle, self.task
        if aim.name == FLOOR:
            return self._floor(self.served_in(plan, task.years[-1]))
        total = 0.0
        weight = aim.people * o.people + aim.elderly * o.elderly
        for year in task.years:
            base = self.states[o.epoch(year)][_State(_NONE, _NONE)]
            total += float(weight @ self.served_in(plan, year)) - float(weight @ base)
            done = self.done_in(plan, year)
            total += sum(aim.of(e) for e in task.extras if done & e.by)
        return total

    def _floor(self, served: np.ndarray) -> float:
        o = self.oracle
        own = o.group >= 0
        there = np.bincount(o.group[own], o.people[own])
        reached = np.bincount(o.group[own], (o.people * served)[own], len(there))
        return float((reached[there > 0] / there[there > 0]).min(initial=1.0))


class _Written:
    """The programme written down for the solver."""

    def __init__(
        self, choosing: Choosing, money: Sequence[Pot], aim: _Aim | None, kept: Sequence[tuple[_Aim, float]]
    ) -> None:
        self.choosing, self.task = choosing, choosing.task
        task = self.task
        self.begin = [(j, s) for j, own in enumerate(task.candidates) for s in own.starts]
        self.at = {pair: i for i, pair in enumerate(self.begin)}
        self.size = len(self.begin)
        self.rows: list[tuple[list[int], list[float], float, float]] = []
        self.high = [1.0] * self.size
        self._beginnings()
        self.flows: list[tuple[int, tuple[Set, int], int]] = []  # out of which pot, for what is owed, which variable
        self._money(money)
        if aim is None:
            return
        self.terms = self._served()
        self.floor = self._new(1.0) if FLOOR in {aim.name, *(a.name for a, _ in kept)} else -1
        if self.floor >= 0:
            self._floors()
        for level, value in kept:
            self._keep(level, value)

    def _new(self, high: float) -> int:
        self.high.append(high)
        self.size += 1
        return self.size - 1

    def _row(self, cols: Sequence[int], values: Sequence[float], low: float, high: float) -> None:
        self.rows.append((list(cols), list(values), low, high))

    def _done(self, j: int, year: int) -> list[int]:
        """Return the variables of which one is 1 where a project is finished at the end of a year."""
        own = self.task.candidates[j]
        return [self.at[j, s] for s in own.starts if s + own.duration - 1 <= year]

    def _beginnings(self) -> None:
        """Write that a project begins once at most, after its prerequisites are finished, and never beside what it excludes."""
        c = self.task.candidates
        for barred in self.choosing.barred:
            some = [self.at[j, s] for j in sorted(barred) for s in c[j].starts]
            self._row(some, [1.0] * len(some), -np.inf, len(barred) - 1.0)
        for j, own in enumerate(c):
            if own.starts:
                every = [self.at[j, s] for s in own.starts]
                self._row(every, [1.0] * len(every), 1.0 if own.must else 0.0, 1.0)
            for other in () if own.must else own.after:
                for s in own.starts:
                    ready = self._done(other, s - 1)
                    begun = [self.at[j, t] for t in own.starts if t <= s]
                    self._row([*begun, *ready], [1.0] * len(begun) + [-1.0] * len(ready), -np.inf, 0.0)
            for other in own.excludes:
                if own.starts and c[other].starts:
                    both = [self.at[k, s] for k in (j, other) for s in c[k].starts]
                    self._row(both, [1.0] * len(both), 0.0, 1.0)

    def _money(self, money: Sequence[Pot]) -> None:
        """
        Write that whatever is paid comes out of pots that may pay for it, and no pot gives more than it holds.

        Whichever of the projects overrun, as many a year as is asked: of what one group of pots owes in a year the greatest overruns
        are paid for, too, in the linear form of Bertsimas and Sim.
        """
        owed: dict[tuple[Set, int], list[tuple[int, float, float]]] = {}
        for i, (j, s) in enumerate(self.begin):
            for pay in self.task.candidates[j].pays:
                if pay.amount > 0 or pay.more > 0:
                    owed.setdefault((pay.pots, s + pay.year), []).append((i, pay.amount, pay.more))
        drawn: dict[int, list[int]] = {}
        for (pots, year), parts in owed.items():
            own = [p for p in sorted(pots) if money[p].pays_in(year)]
            flows = [self._new(np.inf) for _ in own]
            for p, flow in zip(own, flows, strict=True):
                drawn.setdefault(p, []).append(flow)
                self.flows.append((p, (pots, year), flow))
            cols, values = [i for i, *_ in parts], [amount for _, amount, _ in parts]
            over, shares = self._overruns([(i, more) for i, _, more in parts if more > 0])
            self._row([*cols, *over, *flows], [*values, *shares, *[-1.0] * len(flows)], -np.inf, 0.0)
        for p, flows in drawn.items():
            self._row(flows, [1.0] * len(flows), -np.inf, money[p].amount)

    def _overruns(self, parts: Sequence[tuple[int, float]]) -> tuple[list[int], list[float]]:
        """Return variables and weights of a sum that is no less than the greatest overruns together, as many as may be."""
        if not parts or not self.task.overruns:
            return [], []
        each = self._new(np.inf)
        beyond = [self._new(np.inf) for _ in parts]
        for (i, more), own in zip(parts, beyond, strict=True):
            self._row([each, own, i], [1.0, 1.0, -more], 0.0, np.inf)
        return [each, *beyond], [float(self.task.overruns), *[1.0] * len(beyond)]

    def _served(self) -> list[_Term]:
        """Return, per group or extra and year, the sum that is 1 where it is served: variables, their signs, and what is added."""
        o = self.choosing.oracle
        terms: list[_Term] = []
        for year in self.task.years:
            for group in self.choosing.groups(o.epoch(year)):
                if group.people > 0 or group.elderly > 0:
                    terms.append((*self._any_of(group.cuts, year), group, year))
            for extra in self.task.extras:
                terms.append((*self._any_of(((extra.by, _NONE),), year), extra, year))
        return terms

    def _any_of(self, cuts: Sequence[tuple[Set, Set]], year: int) -> tuple[list[int], list[float], float]:
        sums = []
        for pos, neg in cuts:
            done, undone = ([i for j in sorted(some) for i in self._done(j, year)] for some in (pos, neg))
            sums.append(
                ([*done, *undone], [1.0] * len(done) + [-1.0] * len(undone), float(len(neg)), len(pos) + len(neg))
            )
        if not sums:
            return [], [], 1.0
        if any(not cols and not base for cols, _, base, _ in sums):
            return [], [], 0.0
        if len(sums) == 1 and sums[0][3] == 1:  # one project decides: no variable of its own is needed
            return sums[0][:3]
        z = self._new(1.0)
        for cols, values, base, _ in sums:
            self._row([z, *cols], [1.0, *(-v for v in values)], -np.inf, base)
        return [z], [1.0], 0.0

    def _weighted(self, level: _Aim) -> tuple[np.ndarray, float]:
        """Return the weight of each variable for an aim, and what it comes to where all are 0, more than if nothing were done."""
        vector, base = np.zeros(self.size), 0.0
        for cols, values, added, what, _ in self.terms:
            weight = level.of(what)
            if weight:
                np.add.at(vector, cols, weight * np.asarray(values))
                base += weight * added
        o = self.choosing.oracle
        for year in self.task.years:
            nothing = self.choosing.states[o.epoch(year)][_State(_NONE, _NONE)]
            base -= float((level.people * o.people + level.elderly * o.elderly) @ nothing)
        return vector, base

    def _floors(self) -> None:
        o = self.choosing.oracle
        own = o.group >= 0
        there = np.bincount(o.group[own], o.people[own])
        last = self.task.years[-1]
        for group in np.flatnonzero(there > 0):
            cols, values, base = [self.floor], [-1.0], 0.0
            for its, signs, added, what, year in self.terms:
                if isinstance(what, _Group) and what.of == group and year == last:
                    share = what.people / there[group]
                    cols += its
                    values += [share * sign for sign in signs]
                    base += share * added
            self._row(cols, values, -base, np.inf)

    def _keep(self, level: _Aim, value: float) -> None:
        if level.name == FLOOR:
            self._row([self.floor], [1.0], value - EQUAL * max(abs(value), 1.0), np.inf)
            return
        vector, base = self._weighted(level)
        there = np.flatnonzero(vector)
        scale = 1.0 / max(float(np.abs(vector).max(initial=0.0)), 1e-300)
        least = (value - base) * scale
        self._row(list(there), list(vector[there] * scale), least - 1e-7 * max(abs(least), 1e-3), np.inf)

    def least_of(self, pot: int, wanted: Iterable[int]) -> dict[tuple[Set, int], float] | None:
        """Return what a pot pays at least, for what is owed, where these projects are done and no other; None where they cannot be."""
        vector = np.zeros(self.size)
        own = [(owed, flow) for p, owed, flow in self.flows if p == pot]
        for (
            _,
            year,
        ), flow in own:  # of several years in which it could be short the last is told: until then there is money
            vector[flow] = 1.0 - 1e-6 * (year - self.task.years[0])
        for j, c in enumerate(self.task.candidates):
            every = [self.at[j, s] for s in c.starts]
            done = float(j in wanted)
            if done and not every:
                return None
            self._row(every, [1.0] * len(every), done, done)
        x, _ = self._minimised(vector, 0.0)
        return None if x is None else {owed: float(x[flow]) for owed, flow in own}

    def _minimised(self, vector: np.ndarray, gap: float) -> tuple[np.ndarray | None, float]:
        whole = np.arange(self.size) < len(self.begin)
        programme = MixedInteger(np.zeros(self.size), np.array(self.high), whole, self.choosing.watch)
        if self.rows:
            number = np.repeat(np.arange(len(self.rows)), [len(cols) for cols, *_ in self.rows])
            cols = np.array([c for own, *_ in self.rows for c in own], dtype=np.int64)
            values = np.array([v for _, own, *_ in self.rows for v in own], dtype=float)
            low, high = (np.array([row[k] for row in self.rows]) for k in (2, 3))
            programme.add(number, cols, values, low, high)
        x, least, _ = programme.minimise(vector, gap, None)
        return x, least

    def solved(self, aim: _Aim, gap: float) -> tuple[tuple[int | None, ...] | None, float]:
        """Return the plan that the solver finds best, and the bound of the aim."""
        if aim.name == FLOOR:
            vector, base = np.zeros(self.size), 0.0
            vector[self.floor] = 1.0
        else:
            vector, base = self._weighted(aim)
        x, least = self._minimised(-vector, gap)
        if x is None:
            return None, np.inf if least == -np.inf else base - least
        plan: list[int | None] = [None] * len(self.task.candidates)
        for (j, s), chosen in zip(self.begin, x, strict=False):
            if chosen > 0.5:
                plan[j] = s
        return tuple(plan), base - least
