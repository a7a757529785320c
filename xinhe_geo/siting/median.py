"""
The p-median in plain arrays: bounds that rule out sites, and the few plans left counted one by one.

Everybody going to one open site each is relaxed with a price `u` per demand (Lagrange; Cornuéjols, Fisher and Nemhauser
1977). The relaxation falls apart into one number per site, so that the bound with a site forced in, or out, is known at
once: a site whose bound is worse than any plan worth listing can be left out without looking further.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import comb
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
#: From each site's number: how much of each site is chosen, and a lower bound of what they come to.
Choose = Callable[[Floats], tuple[Floats, float]]

#: Steps of the subgradient, and how many of them without progress halve its length.
STEPS, PATIENCE = 800, 20
#: Bounds are compared with this much room for rounding (share).
ROOM = 1e-9
#: Plans are counted one by one up to this many additions.
COUNT_AT_MOST = 600_000_000
#: More plans than this within reach of the best are not worth keeping in a list.
PLANS_AT_MOST = 400_000


class Purse(NamedTuple):
    """What may be chosen: at most `n` sites that cost at most `budget` together."""

    price: Floats
    budget: float
    n: int

    def pays(self, chosen: Ints) -> bool:
        """Whether it pays for all of these."""
        return len(chosen) <= self.n and float(self.price[chosen].sum()) <= self.budget + ROOM * max(self.budget, 1.0)


class Narrowed(NamedTuple):
    """What is left of a p-median: which sites, which of them surely, and what a plan worth listing costs at most."""

    cost: Floats  # (demand, site): weight x cost, inf where out of reach
    there: Floats  # per demand: to the nearest site that stands already
    n: int
    kept: Flags
    fixed: Flags
    useful: Flags  # (demand, site): pairs that a plan worth listing may use
    most: float
    bound: float
    apart: Flags | None  # (site, site): pairs too close to each other


def narrowed(cost: Floats, there: Floats, n: int, locked: Flags, conflicts: Ints, within: float) -> Narrowed | None:
    """
    Rule out sites that no plan within `within` of the optimum can have.

    Parameters
    ----------
    cost
        Shape (demand, site): weight times cost, `inf` where the site is out of reach.
    there
        Shape (demand,): the same to the nearest site that stands already, `inf` where none.
    n
        Exactly so many sites are chosen, `locked` ones among them.
    conflicts
        Shape (k, 2): sites that exclude each other.
    within
        Plans worse than the best by more than this share are of no interest.

    Returns
    -------
    left
        None where no plan was found to start from.
    """
    apart = _pairs_apart(conflicts, cost.shape[1])
    start = _improved(cost, there, _one_by_one(cost, there, n, locked, apart), locked, apart)
    if start is None:
        return None
    free = np.flatnonzero(~locked)
    lower, prices, rho, best = _relaxed(
        cost, there, partial(_cheapest, free, locked, n), partial(_far_enough, apart), _total(cost, there, start)
    )
    most = best * (1 + within) + ROOM * max(abs(best), 1.0)
    order = free[np.argsort(rho[free], kind="stable")]
    k = n - int(locked.sum())
    room = ROOM * max(abs(best), 1.0)
    kept, fixed = np.ones(len(rho), dtype=bool), locked.copy()
    extra = np.zeros(len(rho))
    if 0 < k < len(order):
        extra[order[k:]] = rho[order[k:]] - rho[order[k - 1]]
        kept[order[k:]] = lower + extra[order[k:]] <= most + room
        fixed[order[:k]] = lower + rho[order[k]] - rho[order[:k]] > most + room
    elif k == 0:
        kept = locked.copy()
    forced = np.maximum(cost - prices[:, None], 0.0) + extra[None, :]
    useful = (lower + forced <= most + room) & kept[None, :]
    return Narrowed(cost, there, n, kept, fixed, useful, most, lower, apart)


def affordable(
    cost: Floats, there: Floats, purse: Purse, locked: Flags, conflicts: Ints, within: float
) -> Narrowed | None:
    """
    Rule out sites that no plan within `within` of the optimum can have, where a budget limits what is chosen.

    Parameters are as in `narrowed`, and `purse`: at most so many sites at at most so much. The relaxation also puts a price
    on the budget (or on the number, whichever binds harder), which makes it fall apart into one number per site again.
    """
    apart = _pairs_apart(conflicts, cost.shape[1])
    best = min(
        (
            _total(cost, there, plan)
            for plan in (_bought(cost, there, purse, locked, apart, each) for each in (0.0, 1.0))
        ),
        default=np.inf,
    )
    if not np.isfinite(best):
        return None
    lower, prices, rho, best = _relaxed(
        cost,
        there,
        lambda each: _knapsack(each, purse, locked)[:2],
        lambda chosen: purse.pays(chosen) and _far_enough(apart, chosen),
        best,
    )
    reduced = _knapsack(rho, purse, locked)[2]
    most = best * (1 + within) + ROOM * max(abs(best), 1.0)
    room = ROOM * max(abs(best), 1.0)
    kept = (lower + np.maximum(reduced, 0.0) <= most + room) | locked
    fixed = (lower - np.minimum(reduced, 0.0) > most + room) | locked
    forced = np.maximum(cost - prices[:, None], 0.0) + np.maximum(reduced, 0.0)[None, :] * ~locked
    useful = (lower + forced <= most + room) & kept[None, :]
    return Narrowed(cost, there, int(kept.sum()), kept, fixed, useful, most, lower, apart)


def _pairs_apart(conflicts: Ints, m: int) -> Flags | None:
    if not len(conflicts):
        return None
    apart = np.zeros((m, m), dtype=bool)
    apart[conflicts[:, 0], conflicts[:, 1]] = apart[conflicts[:, 1], conflicts[:, 0]] = True
    return apart


def _far_enough(apart: Flags | None, chosen: Ints) -> bool:
    """Whether no two of these exclude each other."""
    return apart is None or not apart[np.ix_(chosen, chosen)].any()


def _bought(cost: Floats, there: Floats, purse: Purse, locked: Flags, apart: Flags | None, thrift: float) -> Ints:
    """Buy the locked sites, then each time the one that helps most (for its price, where `thrift` is 1)."""
    far = 2.0 * float(cost[np.isfinite(cost)].max(initial=1.0)) + 1.0
    chosen = [int(i) for i in np.flatnonzero(locked)]
    near = np.minimum(np.minimum(there, far), cost[:, chosen].min(axis=1, initial=np.inf))
    worth = np.maximum(purse.price, 1e-12) ** thrift
    while len(chosen) < purse.n:
        allowed = purse.price <= purse.budget - purse.price[chosen].sum()
        allowed[chosen] = False
        if apart is not None and chosen:
            allowed &= ~apart[chosen].any(axis=0)
        gain = np.where(allowed, (near[:, None] - np.minimum(near[:, None], cost)).sum(axis=0) / worth, 0.0)
        if not gain.max(initial=0.0) > 0:
            break
        chosen.append(int(np.argmax(gain)))
        near = np.minimum(near, cost[:, chosen[-1]])
    return np.array(sorted(chosen), dtype=np.int64)


def _knapsack(each: Floats, purse: Purse, locked: Flags) -> tuple[Floats, float, Floats]:
    """
    Choose sites of least `each` (all at most 0) within the purse, where a part of a site may be bought.

    Return how much of each site is bought, a lower bound of their sum, and each site's number after the purse has its price.
    """
    free = np.flatnonzero(~locked)
    left, count = purse.budget - float(purse.price[locked].sum()), purse.n - int(locked.sum())
    found = []
    for size, room in ((purse.price[free], left), (np.ones(len(free)), float(count))):
        with np.errstate(divide="ignore", invalid="ignore"):
            value = np.where(each[free] < 0, -each[free] / size, 0.0)  # free of charge: first of all
        order = np.argsort(-np.nan_to_num(value, posinf=np.inf), kind="stable")
        order = order[value[order] > 0]
        filled = np.cumsum(size[order])
        whole = int(np.searchsorted(filled, room * (1 + ROOM), side="right"))
        price = float(value[order[whole]]) if whole < len(order) else 0.0
        reduced = each.copy()
        reduced[free] += price * size
        low = float(each[locked].sum() + np.minimum(reduced[free], 0.0).sum() - price * room)
        part = locked.astype(float)
        part[free[order[:whole]]] = 1.0
        if whole < len(order) and size[order[whole]] > 0:
            part[free[order[whole]]] = (room - (filled[whole - 1] if whole else 0.0)) / size[order[whole]]
        found.append((low, part, reduced))
    low, part, reduced = max(found, key=lambda way: way[0])
    return part, low, reduced


def _total(cost: Floats, there: Floats, chosen: Ints) -> float:
    return float(np.minimum(there, cost[:, chosen].min(axis=1, initial=np.inf)).sum())


def _one_by_one(cost: Floats, there: Floats, n: int, locked: Flags, apart: Flags | None) -> Ints | None:
    """Choose the locked sites, then each time the site that helps most."""
    far = 2.0 * float(cost[np.isfinite(cost)].max(initial=1.0)) + 1.0
    chosen = [int(i) for i in np.flatnonzero(locked)]
    near = np.minimum(there, far)
    for site in chosen:
        near = np.minimum(near, cost[:, site])
    while len(chosen) < n:
        allowed = np.ones(cost.shape[1], dtype=bool)
        allowed[chosen] = False
        if apart is not None and chosen:
            allowed &= ~apart[chosen].any(axis=0)
        if not allowed.any():
            return None
        total = np.minimum(near[:, None], cost).sum(axis=0)
        site = int(np.argmin(np.where(allowed, total, np.inf)))
        chosen.append(site)
        near = np.minimum(near, cost[:, site])
    return np.array(sorted(chosen), dtype=np.int64)


def _improved(cost: Floats, there: Floats, chosen: Ints | None, locked: Flags, apart: Flags | None) -> Ints | None:
    """Exchange one site for another while that shortens the walks (Teitz and Bart 1968); None where somebody is left out."""
    if chosen is None:
        return None
    best = _total(cost, there, chosen)
    for _ in range(50):
        moved = False
        for site in [int(i) for i in chosen[~locked[chosen]]]:
            rest = chosen[chosen != site]
            near = np.minimum(there, cost[:, rest].min(axis=1, initial=np.inf))
            total = np.minimum(near[:, None], cost).sum(axis=0)
            total[rest] = np.inf
            if apart is not None and len(rest):
                total[apart[rest].any(axis=0)] = np.inf
            other = int(np.argmin(total))
            if total[other] < best - ROOM * max(abs(best), 1.0) or (np.isinf(best) and np.isfinite(total[other])):
                chosen, best, moved = np.sort(np.r_[rest, other]), float(total[other]), True
        if not moved:
            break
    return chosen if np.isfinite(best) else None


def _cheapest(free: Ints, locked: Flags, n: int, each: Floats) -> tuple[Floats, float]:
    """Choose the locked sites and those of least `each`, `n` in all; return what is chosen and their sum."""
    order = free[np.argsort(each[free], kind="stable")[: n - int(locked.sum())]]
    part = locked.astype(float)
    part[order] = 1.0
    return part, float(each[locked].sum() + each[order].sum())


def _relaxed(
    cost: Floats, there: Floats, choose: Choose, may: Callable[[Ints], bool], best: float
) -> tuple[float, Floats, Floats, float]:
    """Raise the Lagrangian bound; return the bound, its prices, each site's number, and the best plan's cost so far."""
    u = np.sort(np.column_stack([there, cost]), axis=1)[:, 1]
    u = np.where(np.isfinite(u), u, np.minimum(there, cost.min(axis=1)))
    lower, prices, rho = -np.inf, u, np.zeros(cost.shape[1])
    pace, waited = 1.0, 0
    for _ in range(STEPS):
        gain = np.minimum(cost - u[:, None], 0.0)
        each = gain.sum(axis=0)
        part, least = choose(each)
        value = float(u.sum() + np.minimum(there - u, 0.0).sum() + least)
        chosen = np.flatnonzero(part >= 1)
        if value > lower + ROOM * max(abs(lower), 1.0) or np.isinf(lower):
            lower, prices, rho, waited = value, u, each, 0
        else:
            waited += 1
        if may(chosen):
            best = min(best, _total(cost, there, chosen))
        if best - lower <= ROOM * max(abs(best), 1.0) or pace < 1e-4:
            break
        if waited >= PATIENCE:
            pace, waited, u = pace / 2, 0, prices
            continue
        some = np.flatnonzero(part)
        slope = 1.0 - (there < u) - (gain[:, some] < 0) @ part[some]
        size = float(slope @ slope)
        if size == 0:
            break
        u = np.maximum(u + pace * (1.02 * best - value) / size * slope, 0.0)
    return lower, prices, rho, best


def counted(left: Narrowed) -> list[tuple[float, tuple[int, ...]]] | None:
    """
    Count every plan of the sites that are left, and return those worth listing, best first; None where they are too many.

    Sites are added in order; a start is given up once even all later sites together could not make it worth listing.
    """
    fixed = tuple(int(i) for i in np.flatnonzero(left.fixed))
    free = np.flatnonzero(left.kept & ~left.fixed)
    k = left.n - len(fixed)
    if comb(len(free), max(k, 0)) * len(left.there) > COUNT_AT_MOST:
        return None
    base: Floats = np.minimum(left.there, left.cost[:, list(fixed)].min(axis=1, initial=np.inf))
    if k == 0:
        return [(float(base.sum()), fixed)]
    cost = np.ascontiguousarray(left.cost[:, free])
    later = np.minimum.accumulate(cost[:, ::-1], axis=1)[:, ::-1]
    plans: list[tuple[float, tuple[int, ...]]] = []

    def add(near: Floats, first: int, k: int, chosen: tuple[int, ...]) -> None:
        if len(plans) > PLANS_AT_MOST:
            return
        if k == 1:
            total = np.minimum(near[:, None], cost[:, first:]).sum(axis=0)
            plans.extend((float(total[j]), (*chosen, first + int(j))) for j in np.flatnonzero(total <= left.most))
            return
        for i in range(first, len(free) - k + 1):
            if np.minimum(near, later[:, i]).sum() > left.most:
                return
            add(np.minimum(near, cost[:, i]), i + 1, k - 1, (*chosen, i))

    add(base, 0, k, ())
    if len(plans) > PLANS_AT_MOST:
        return None
    named = [(value, tuple(sorted((*fixed, *(int(free[i]) for i in own))))) for value, own in plans]
    if left.apart is not None:
        named = [(value, own) for value, own in named if not left.apart[np.ix_(own, own)].any()]
    return sorted(named)
