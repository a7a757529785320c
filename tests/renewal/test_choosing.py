"""The programme on plain sets: published optima, toy programmes worked out by counting all, and brute force."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from xinhe_geo.core import ScenarioError
from xinhe_geo.renewal.choosing import PEOPLE, URGENT_FIRST, Candidate, Choosing, Extra, Pay, Pot, Set, Task, Wishes
from xinhe_geo.siting import Watch

NONE: Set = frozenset()
FREE = Wishes(equity=False)


class Known:
    """Who is served by which set, as a function; counts how often it is asked."""

    def __init__(self, people: Sequence[float], served, elderly=None, group=None) -> None:
        self.people = np.array(people, dtype=float)
        self.elderly = np.zeros(len(people)) if elderly is None else np.array(elderly, dtype=float)
        self.group = np.full(len(people), -1) if group is None else np.array(group)
        self.how, self.asked = served, 0

    def epoch(self, year: int) -> int:
        return 0

    def ways(self, epoch: int) -> int:
        return 0

    def reach(self, epoch: int, ways: Set, places: Sequence[int]) -> dict[int, np.ndarray]:
        return {j: self.served(epoch, ways | {j}, NONE) for j in places}

    def served(self, epoch: int, opened: Set, closed: Set) -> np.ndarray:
        self.asked += 1
        return np.array([self.how(d, opened, closed) for d in range(len(self.people))], dtype=bool)


def nobody() -> Known:
    return Known([1.0], lambda d, o, c: False)


def plain(cost: float, years: range, *, pots: Set = frozenset({0}), **more) -> Candidate:
    return Candidate(tuple(years), 1, (Pay(0, cost, pots),), **more)


#: J. E. Beasley's OR-Library, mknap1: the seven choices of R&D projects of Petersen (1967), each with the optimum it was published with.
MKNAP1 = Path(__file__).with_name("mknap1.txt")


class Knapsack(NamedTuple):
    """Values of projects, what each takes of each resource, how much there is, and the published optimum."""

    values: np.ndarray
    takes: np.ndarray
    there: np.ndarray
    optimum: float


def published() -> list[Knapsack]:
    numbers = iter(MKNAP1.read_text().split())

    def some(count: int) -> np.ndarray:
        return np.array([float(next(numbers)) for _ in range(count)])

    found = []
    for _ in range(int(next(numbers))):
        n, m, optimum = int(next(numbers)), int(next(numbers)), float(next(numbers))
        found.append(Knapsack(some(n), some(n * m).reshape(m, n), some(m), optimum))
    assert next(numbers, None) is None
    return found


@pytest.mark.parametrize("number", range(1, 8))
def test_published_knapsacks_of_several_resources(number: int) -> None:
    own = published()[number - 1]
    resources, projects = own.takes.shape
    pays = [tuple(Pay(0, float(own.takes[r, j]), frozenset({r})) for r in range(resources)) for j in range(projects)]
    task = Task(
        (1,),
        [Candidate((1,), 1, each) for each in pays],
        [Pot(1, float(there), False) for there in own.there],
        [Extra(frozenset({j}), PEOPLE, float(value)) for j, value in enumerate(own.values)],
    )
    found = Choosing(task, nobody(), Watch(None)).best(FREE)
    assert found.levels[-1].value == pytest.approx(own.optimum) == found.levels[-1].bound and found.proven
    chosen = np.array([start is not None for start in found.starts])
    assert own.values @ chosen == pytest.approx(own.optimum)
    assert (own.takes @ chosen <= own.there + 1e-9).all()


def test_the_toy_programme_that_greed_gets_wrong() -> None:
    """Eight projects of (cost, people a year), three years of 9, 7, 6; D after A, F after C, B or H: 312 (greedy 249)."""
    names = "ABCDEFGH"
    data = dict(zip(names, [(5, 12), (6, 39), (4, 24), (4, 16), (3, 24), (3, 12), (8, 59), (7, 22)], strict=True))
    after, excludes = {"D": "A", "F": "C"}, {"B": "H"}

    def at(name: str) -> Set:
        return frozenset({names.index(name)}) if name else NONE

    pots = [Pot(year, money, False) for year, money in ((1, 9), (2, 7), (3, 6))]
    every = frozenset(range(3))
    candidates = [
        plain(data[n][0], range(1, 4), pots=every, after=at(after.get(n, "")), excludes=at(excludes.get(n, "")))
        for n in names
    ]
    extras = [Extra(at(n), PEOPLE, data[n][1]) for n in names]
    found = Choosing(Task((1, 2, 3), candidates, pots, extras), nobody(), Watch(None)).best(FREE)
    assert found.levels[-1].value == pytest.approx(312) and found.proven
    assert {n: s for n, s in zip(names, found.starts, strict=True) if s} == {"G": 1, "C": 2, "E": 2, "B": 3}


@pytest.mark.parametrize(("carry", "best", "begin"), [(False, 84, "CAD"), (True, 87, "ACD")])
def test_the_toy_programme_of_places(carry: bool, best: int, begin: str) -> None:
    covers = {"A": {1, 2}, "B": {2, 3}, "C": {3, 4, 5}, "D": {5, 6}}
    cost = {"A": 5, "B": 4, "C": 6, "D": 3}
    oracle = Known([10, 8, 6, 5, 4, 3], lambda d, o, c: any(d + 1 in covers["ABCD"[j]] for j in o))
    pots = [Pot(year, money, carry) for year, money in ((1, 6), (2, 5), (3, 6))]
    candidates = [plain(cost[n], range(1, 4), pots=frozenset(range(3)), opens=True) for n in "ABCD"]
    found = Choosing(Task((1, 2, 3), candidates, pots), oracle, Watch(None)).best(FREE)
    assert found.levels[-1].value == pytest.approx(best) and found.proven
    order = sorted((s, "ABCD"[j]) for j, s in enumerate(found.starts) if s)
    assert [name for _, name in order] == list(begin) and [s for s, _ in order] == [1, 2, 3]


def by_hand(task: Task, oracle: Known, equity: bool) -> tuple[float, ...]:
    """The best values of all programmes, counted one by one: floor, urgent, elderly, people."""
    best: tuple[float, ...] = ()
    kinds = [[None, *c.starts] for c in task.candidates]
    for plan in itertools.product(*kinds):
        c = task.candidates
        if any(s is None and own.must for s, own in zip(plan, c, strict=True)):
            continue
        ok = True
        for j, s in enumerate(plan):
            if s is None:
                continue
            ok &= all(plan[o] is not None and plan[o] + c[o].duration <= s for o in c[j].after)
            ok &= all(plan[o] is None for o in c[j].excludes)
        spent: dict[int, float] = {}
        for j, s in enumerate(plan):
            for pay in c[j].pays if s is not None else ():
                spent[s + pay.year] = spent.get(s + pay.year, 0.0) + pay.amount
        for year, total in spent.items():
            ok &= total <= sum(p.amount for p in task.pots if p.year == year) + 1e-9
        if not ok:
            continue
        base = oracle.served(0, NONE, NONE)
        values = {"urgent": 0.0, "elderly": 0.0, "people": 0.0}
        served = base
        for year in task.years:
            done = {j for j, s in enumerate(plan) if s is not None and s + c[j].duration - 1 <= year}
            served = oracle.served(
                0, frozenset(j for j in done if c[j].opens), frozenset(j for j in done if c[j].closes)
            )
            values["people"] += float(oracle.people @ (served * 1.0 - base))
            values["elderly"] += float(oracle.elderly @ (served * 1.0 - base))
            for extra in task.extras:
                values[extra.level] += extra.weight * bool(done & extra.by)
        floor = min(
            float((oracle.people * served)[oracle.group == g].sum() / oracle.people[oracle.group == g].sum())
            for g in set(oracle.group)
        )
        told = (*((floor,) if equity else ()), *values.values())
        best = max(best, tuple(round(v, 6) for v in told))
    return best


@pytest.mark.parametrize("seed", range(12))
def test_brute_force_over_all_programmes(seed: int) -> None:
    """Places, gates that only help together, a closure, a move: whoever is served depends on all of them."""
    rng = np.random.default_rng(seed)
    size, demands, years = 6, 9, (1, 2, 3)
    role = ["place", "place", "gate", "gate", "close", "move" if seed % 2 else "place"]
    near = rng.random((demands, size)) < 0.35
    behind = rng.random(demands) < 0.4  # reached only with both gates
    lost = rng.random(demands) < 0.4
    there = rng.random(demands) < 0.3

    def served(d: int, opened: Set, closed: Set) -> bool:
        places = any(near[d, j] for j in opened if role[j] in ("place", "move") and not behind[d])
        gates = bool(behind[d] and {2, 3} <= opened and (there[d] or any(near[d, j] for j in opened)))
        stays = bool(
            there[d] and not (lost[d] and 4 in closed) and not (d % 3 == 0 and role[5] == "move" and 5 in closed)
        )
        return places or gates or (stays and not behind[d])

    oracle = Known(rng.integers(1, 20, demands), served, rng.integers(0, 5, demands), np.arange(demands) % 2)
    candidates = []
    for j in range(size):
        duration = int(rng.integers(1, 3))
        half = float(rng.integers(1, 5))
        pays = tuple(Pay(k, half, frozenset(range(3))) for k in range(duration))
        starts = tuple(range(1, 4 - duration + 1))
        candidates.append(
            Candidate(
                starts,
                duration,
                pays,
                must=role[j] == "close" and seed % 3 == 0,
                after=frozenset({0}) if j == 1 and seed % 2 else NONE,
                excludes=frozenset({1}) if j == 5 and seed % 4 == 0 else NONE,
                opens=role[j] != "close",
                closes=role[j] in ("close", "move"),
                ways=role[j] == "gate",
                whole=role[j] == "move",
            )
        )
    extras = [Extra(frozenset({4, 5}), URGENT_FIRST, 1.0)] if seed % 2 else []
    task = Task(years, candidates, [Pot(y, float(rng.integers(4, 9)), False) for y in years], extras)
    equity = seed % 4 > 1
    expected = by_hand(task, oracle, equity)
    found = Choosing(task, oracle, Watch(None)).best(Wishes(equity=equity))
    told = {level.name: level.value for level in found.levels}
    names = (*(("floor",) if equity else ()), "urgent", "elderly", "people")
    assert [round(told.get(n, 0.0), 6) for n in names] == pytest.approx(list(expected))
    assert found.proven and found.monotone


def test_what_is_under_way_must_be_paid() -> None:
    task = Task((1,), [plain(5, range(1, 2), must=True)], [Pot(1, 3, False)])
    with pytest.raises(ScenarioError, match="排不下"):
        Choosing(task, nobody(), Watch(None)).best(FREE)


def test_a_classic_of_capital_budgeting() -> None:
    """Lorie and Savage: nine projects that are paid in two years; 70 by counting all."""
    value = (14, 17, 17, 15, 40, 12, 14, 10, 12)
    first, second = (12, 54, 6, 6, 30, 6, 48, 36, 18), (3, 7, 6, 2, 35, 6, 4, 3, 3)
    both = frozenset({0, 1})
    candidates = [
        Candidate((1,), 2, (Pay(0, float(a), both), Pay(1, float(b), both))) for a, b in zip(first, second, strict=True)
    ]
    extras = [Extra(frozenset({j}), PEOPLE, float(v)) for j, v in enumerate(value)]
    task = Task((1, 2), candidates, [Pot(1, 50.0, False), Pot(2, 20.0, False)], extras)
    found = Choosing(task, nobody(), Watch(None)).best(FREE)
    assert found.levels[-1].value == 70 and [j + 1 for j, s in enumerate(found.starts) if s] == [1, 3, 4, 6, 9]


def test_identities_of_money() -> None:
    """Without money nothing; with enough everything; more money, or money that carries over, never brings less."""
    rng = np.random.default_rng(7)
    near = rng.random((8, 5)) < 0.4
    oracle = Known(rng.integers(1, 9, 8), lambda d, o, c: any(near[d, j] for j in o))
    every = frozenset(range(2))
    candidates = [plain(float(rng.integers(1, 6)), range(1, 3), pots=every, opens=True) for _ in range(5)]

    def best(*amounts: float, carry: bool = False) -> float:
        pots = [Pot(y, a, carry) for y, a in zip((1, 2), amounts, strict=True)]
        return Choosing(Task((1, 2), candidates, pots), oracle, Watch(None)).best(FREE).levels[-1].value

    everything = 2 * float(oracle.people @ near.any(axis=1))
    assert best(0, 0) == 0 and best(99, 0) == pytest.approx(everything)
    for money in ((3, 3), (5, 2), (2, 6)):
        assert best(*money) <= best(*money, carry=True) + 1e-9
        assert best(*money) <= best(money[0] + 1, money[1]) + 1e-9


@pytest.mark.parametrize("seed", range(6))
def test_however_many_projects_overrun(seed: int) -> None:
    """Against all programmes, each held against all overruns of so many projects a year; none and all are the two ends of the costs."""
    rng = np.random.default_rng(seed)
    size, years = 5, (1, 2)
    low, more = rng.integers(1, 6, size), rng.integers(0, 5, size)
    value = rng.integers(1, 20, size)
    money = [float(rng.integers(4, 12)) for _ in years]

    def chosen(overruns: int, add: float) -> float:
        candidates = [
            Candidate(years, 1, (Pay(0, float(a + add * m), frozenset({0, 1}), float(m * (add == 0))),))
            for a, m in zip(low, more, strict=True)
        ]
        pots = [Pot(y, m, False) for y, m in zip(years, money, strict=True)]
        extras = [Extra(frozenset({j}), PEOPLE, float(v)) for j, v in enumerate(value)]
        found = Choosing(Task(years, candidates, pots, extras, overruns), nobody(), Watch(None)).best(FREE)
        assert found.proven
        return found.levels[-1].value

    for overruns in range(size + 1):
        best = 0.0
        for plan in itertools.product((0, 1, 2), repeat=size):
            begun = [[j for j in range(size) if plan[j] == year] for year in years]
            dearest = [
                max(
                    sum(low[own]) + sum(more[list(some)])
                    for some in itertools.combinations(own, min(overruns, len(own)))
                )
                for own in begun
            ]
            if all(a <= b for a, b in zip(dearest, money, strict=True)):
                best = max(best, sum(float(value[j]) * (3 - plan[j]) for j in range(size) if plan[j]))
        assert chosen(overruns, 0) == pytest.approx(best)
    assert chosen(size, 0) == pytest.approx(chosen(0, 1)), "all may overrun: the upper ends"


class Interrupted(Watch):
    """Somebody presses Ctrl-C while the solver works for the second time."""

    def run(self, solver, nodes):
        if self.stopped:
            return
        self.stopped = True
        return


def test_ctrl_c_keeps_what_there_is_and_says_that_nothing_is_proven() -> None:
    oracle = Known([5.0], lambda d, o, c: bool(o))
    task = Task((1,), [plain(1, range(1, 2), opens=True)], [Pot(1, 3, False)])
    found = Choosing(task, oracle, Interrupted(None)).best(FREE)
    assert found.starts == (None,) and not found.proven
    assert found.levels[-1].value == 0 and found.levels[-1].bound == np.inf


@pytest.mark.parametrize("at", [1, 4, 9, 13, 15, 17, 19, 24])
def test_a_real_ctrl_c_while_sets_are_walked_keeps_the_best_plan_and_its_bound(at: int) -> None:
    """Whichever evaluation it comes in: nothing is lost that was found, and a bound that is told holds."""

    class Pressed(Known):
        def served(self, epoch: int, opened: Set, closed: Set) -> np.ndarray:
            found = super().served(epoch, opened, closed)
            if self.asked == at:
                os.kill(os.getpid(), signal.SIGINT)
            return found

    def how(d: int, opened: Set, closed: Set) -> bool:
        return len(opened & {d, (d + 1) % 6, (d + 2) % 6}) >= 2 and d not in closed

    def task() -> Task:
        some = [plain(1.0 + j % 3, range(1, 3), opens=True, ways=True) for j in range(6)]
        return Task((1, 2), some, [Pot(1, 5, True), Pot(2, 2, False)])

    best = Choosing(task(), Known([5.0, 3.0, 8.0, 2.0, 9.0, 4.0], how), Watch(None)).best(FREE)
    before, watch, oracle = signal.getsignal(signal.SIGINT), Watch(None), Pressed([5.0, 3.0, 8.0, 2.0, 9.0, 4.0], how)
    try:
        with watch.until_stopped():
            found = Choosing(task(), oracle, watch).best(FREE)
    except KeyboardInterrupt:
        assert watch.stopped and oracle.asked <= 8 + at  # no plan was there yet, and none was sought
    else:
        assert watch.stopped == (oracle.asked >= at) and found.proven != watch.stopped
        assert found.levels[-1].value <= best.levels[-1].value + 1e-9 <= found.levels[-1].bound + 2e-9
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("seed", range(4))
def test_near_ties_are_the_next_best_sets(seed: int) -> None:
    """Against all sets of projects: those that leave out something useful of every one before, best first."""
    rng = np.random.default_rng(seed)
    size = 6
    cost, value = rng.integers(1, 6, size), rng.integers(5, 9, size).astype(float)
    money = float(cost.sum()) / 2
    extras = [Extra(frozenset({j}), PEOPLE, v) for j, v in enumerate(value)]
    choosing = Choosing(
        Task((1,), [plain(float(c), range(1, 2)) for c in cost], [Pot(1, money, False)], extras), nobody(), Watch(None)
    )
    best = choosing.best(FREE)
    sets = [frozenset(j for j in range(size) if k >> j & 1) for k in range(1 << size)]
    payable = [s for s in sets if sum(cost[j] for j in s) <= money]
    before = [frozenset(j for j, s in enumerate(best.starts) if s is not None)]
    found = choosing.near(best, before[0], FREE, 0.25, 3)
    for other in found:
        left = [s for s in payable if not any(b <= s for b in before)]
        assert other.levels[-1].value == pytest.approx(max(sum(value[j] for j in s) for s in left))
        assert other.levels[-1].value >= 0.75 * best.levels[-1].value - 1e-9
        before.append(frozenset(j for j, s in enumerate(other.starts) if s is not None))
    if len(found) < 3:
        left = [s for s in payable if not any(b <= s for b in before)]
        assert max((sum(value[j] for j in s) for s in left), default=0.0) < 0.75 * best.levels[-1].value
    assert choosing.best(FREE).starts == best.starts, "nothing stays barred"


@pytest.mark.parametrize("seed", range(8))
def test_what_is_short_is_the_least_that_would_pay(seed: int) -> None:
    """One project with all before it, beside what is under way: by Hall's condition, over all years in which they may begin."""
    rng = np.random.default_rng([seed, 19])
    years = range(1, 4)
    pots = [Pot(int(rng.integers(1, 4)), float(rng.integers(0, 9)), bool(rng.random() < 0.4)) for _ in range(4)]
    spare = len(pots)

    def pays() -> tuple[Pay, ...]:
        some = frozenset({*(int(p) for p in rng.permutation(4)[:2]), spare})
        return tuple(Pay(k, float(rng.integers(1, 9)), some) for k in range(2))

    after = [NONE, frozenset({0}) if seed % 2 else NONE, NONE, frozenset({1}) if seed % 4 == 3 else NONE]
    spans = [2 if len(after[j]) == 0 else 1 for j in range(4)]
    candidates = [
        Candidate((1,) if j == 2 else tuple(range(1, 5 - spans[j])), spans[j], pays()[: spans[j]], j == 2, after[j])
        for j in range(4)
    ]
    choosing = Choosing(Task(tuple(years), candidates, [*pots, Pot(1, 0.0, True)]), nobody(), Watch(None))
    for one in (None, 0, 1, 3):
        wanted = {2} if one is None else {2, one}
        for _ in range(2):
            wanted |= {k for j in wanted for k in after[j]}
        least = np.inf
        for starts in itertools.product(*([None] if j not in wanted else candidates[j].starts for j in range(4))):
            begun = [(candidates[j], s) for j, s in enumerate(starts) if s is not None]
            if any(starts[k] + spans[k] > starts[j] for j in wanted for k in after[j]):
                continue
            owed = [(p.amount, p.pots - {spare}, s + p.year) for c, s in begun for p in c.pays]
            sets = (some for n in range(len(owed) + 1) for some in itertools.combinations(owed, n))
            lacks = (
                sum(a for a, *_ in some)
                - sum(pot.amount for i, pot in enumerate(pots) if any(i in p and pot.pays_in(y) for _, p, y in some))
                for some in sets
            )
            least = min(least, max(lacks))
        short = choosing.short(spare, one)
        assert (np.inf if short is None else short.total) == pytest.approx(least, abs=1e-6)
        assert short is None or sum(short.owed.values()) == pytest.approx(least, abs=1e-3)
