"""
Siting on a plain table of costs between demands and sites: the models, their programmes, and the refusals.

Church and ReVelle 1974 (mclp); Toregas et al. 1971 (lscp); ReVelle and Swain 1970 (p_median); Hakimi 1964 (p_center).
Solved with HiGHS (scipy).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from ..core import SitingError, UnknownNameError, amount, say
from .median import Purse, affordable, counted, narrowed
from .milp import EQUAL, MixedInteger
from .task import (
    Flags,
    Floats,
    Found,
    Ints,
    Progress,
    Sites,
    Siting,
    Task,
    Watch,
    in_order,
    task_of,
    tidy_costs,
    tolerance,
    unreachable,
    without_lost,
)

#: What the solver calls proven may differ from the objective counted afresh by rounding.
ROUNDING = 1e-7
#: Up to so many pairs of demand and site the solver also proves which of equal plans is nearest on average.
EXACT_PAIRS = 4000

_DEFAULT, _BY_COSTS = Siting(), Sites()


# --- on a plain cost table -------------------------------------------------------------------------------------------


def solve(
    costs: pd.DataFrame | pd.Series,
    weights: pd.DataFrame | pd.Series | None = None,
    n: int | None = None,
    *,
    siting: Siting = _DEFAULT,
    sites: Sites = _BY_COSTS,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """
    Choose sites, with proof.

    Parameters
    ----------
    costs
        MultiIndex (demand, site), one column; a pair that is absent cannot be reached. Metres or minutes, as the limit.
    weights
        Index demand; aligned by id, never by row. A missing weight, or a demand without one, is unknown: it adds
        nothing to any sum, is counted in `unknown`, and must be reached like the others where everybody must. Weight 0
        is nobody, who need not be reached. None: 1 each. A frame has `siting.weight` as its column.
    n
        How many new sites, locked ones among them: exactly so many; at most where there is a budget, and for "lscp",
        which needs no `n`.
    siting
        What is asked for.
    sites
        Sites that are not in `costs`, and metres between sites.
    progress
        Called with a short line now and then while a long solve goes on. Ctrl-C then gives the best plan so
        far: not `proven`, with what is known of its `bound`.

    Returns
    -------
    plans
        Index `plan` (1 is the best). Columns `sites` (tuple of new sites), `objective` (mclp: weight within the limit,
        existing sites included; lscp: number or price of new sites; p_median: sum of weight x cost; p_center: greatest
        cost), `bound` (proven: no plan can be better), `gap` (their relative difference), `proven`, `covered` (weight
        within the limit), `share` (of the known weight), `mean`, `worst` (cost to the nearest site, mean weighted;
        missing with capacities, where not everybody goes to the nearest), `price` (missing without `siting.costs`),
        `unknown`, `unknown_covered` (demands of unknown weight, and those of them within the limit), `left_out` (tuple of
        (demand, nearest site or None, cost or NaN): whom `siting.leave_out` left out; they count in `share` all the same).
        Objectives are
        counted afresh from the costs, not taken from the solver. Equal plans: the one that serves more of `siting.ties`
        first (`people`, its sum within the limit), of these the one nearer on average: the best of a tie is always listed.
        The people are the solver's as the objective is; the walk is exact for one site and for up to `EXACT_PAIRS` pairs,
        and found by moving one site at a time beyond these. `swaps`: per site of `sites` the tuple of others each of which could stand in its
        place while at most `siting.within` of the gain is lost (of p_median and p_center: while the cost grows by at most
        that share); empty with capacities.

    Raises
    ------
    SitingError
        It cannot be done; says why, and `.uncovered` lists demands no site can reach and how far their nearest is.
    UnknownNameError
        A locked, banned or existing site that is not a candidate.
    """
    task = without_lost(task_of(costs, weights, n, siting, sites, Watch(progress)))
    found: list[Found] = []
    cuts: list[Flags] = []
    search = _search(task)
    while len(found) < siting.plans:
        plan = search(cuts)
        if task.watch.stopped:
            found = found or [_so_far(task, plan)]
            break
        if plan is None:
            if not found:
                raise _refusal(task)
            break
        if found and not _near(task, plan.objective, found[0].objective):
            break
        found.append(plan)
        cuts.append(_same_place(task, plan.chosen))
    rows = sorted((_report(task, plan) for plan in found), key=partial(_listed, siting))
    return pd.DataFrame(rows, index=pd.RangeIndex(1, len(rows) + 1, name="plan"))


def assign(costs: pd.DataFrame | pd.Series, chosen: Iterable[Hashable], *, limit: float | None = None) -> pd.DataFrame:
    """
    Say which of the chosen sites each demand goes to.

    Returns
    -------
    assignments
        Index demand (every one in `costs`, sorted); `site` (the nearest, the first in order among equals) and `cost`;
        both missing where none is within the limit.
    """
    table = tidy_costs(costs)
    wanted = list(dict.fromkeys(chosen))
    missing = [s for s in wanted if s not in set(table["site"])]
    if missing:
        raise UnknownNameError("候选点", str(missing[0]), [str(s) for s in in_order(table["site"].unique())])
    demands = pd.Index(in_order(table["demand"].unique()), name="demand")
    rank = {site: i for i, site in enumerate(in_order(wanted))}
    own = table[table["site"].isin(wanted)]
    if limit is not None:
        own = own[(own["cost"] <= limit + tolerance(costs)).to_numpy()]
    own = own.assign(rank=own["site"].map(rank)).sort_values(["cost", "rank"], kind="stable")
    return own.drop_duplicates("demand").set_index("demand")[["site", "cost"]].reindex(demands)


# --- the programmes --------------------------------------------------------------------------------------------------


class _Programme(MixedInteger):
    """The programme of a siting task: sites first, then whatever the model adds."""

    def __init__(self, task: Task, kept: Flags, more: int = 0) -> None:
        sites = len(task.sites)
        low, high = np.zeros(sites + more), np.ones(sites + more)
        low[:sites] = task.existing | task.locked
        high[:sites] = task.existing | task.locked | (task.new & kept)
        super().__init__(low, high, np.arange(sites + more) < sites, task.watch)


def _site_rows(task: Task, programme: _Programme, cuts: Sequence[Flags]) -> None:
    """Number, budget, spacing, and plans that are listed already."""
    new = np.flatnonzero(task.new)
    if task.n is not None:
        programme.add(np.zeros(len(new)), new, 1.0, task.n if task.exact else -np.inf, task.n)
    if task.siting.budget is not None and task.price is not None:
        spare = task.siting.budget + 1e-9 * max(task.siting.budget, 1.0)
        programme.add(np.zeros(len(new)), new, task.price[new], -np.inf, spare)
    if len(task.conflicts):
        free = ~task.existing[task.conflicts].any(axis=1)
        chosen = task.conflicts[free]
        pairs = np.arange(len(chosen))
        programme.add(np.repeat(pairs, 2), chosen.ravel(), 1.0, np.full(len(chosen), -np.inf), 1.0)
    for same in cuts:
        elsewhere = new[~same[new]]
        programme.add(np.zeros(len(elsewhere)), elsewhere, 1.0, 1.0, np.inf)


Search = Callable[[Sequence[Flags]], "Found | None"]


def _search(task: Task) -> Search:
    """Return what finds the best plan that is none of those cut off, or None where there is none."""
    model = task.siting.model
    if model == "p_center":
        return partial(_center, task)
    if task.capacity is not None:
        return partial(_assigned, task)
    if model == "p_median":
        return _median_search(task)
    if model == "mclp" and task.exact and task.n == 1:
        return partial(_best_one, task)
    return partial(_max_cover if model == "mclp" else _full_cover, task)


def _best_one(task: Task, cuts: Sequence[Flags]) -> Found | None:
    """Most weight with one more site: each is counted by itself, so that the first in order is proven without a programme."""
    weight, nearest = np.nan_to_num(task.weight), _nearest_cost(task, np.zeros(0, dtype=np.int64))
    served = np.isfinite(nearest)
    allowed = np.flatnonzero(task.new & ~np.any([*cuts, np.zeros(len(task.sites), dtype=bool)], axis=0))
    must = np.flatnonzero(task.locked & task.new)
    if len(must):
        allowed = np.intersect1d(allowed, must) if len(must) == 1 else allowed[:0]
    if not len(allowed):
        return None
    there = served[task.row]
    walks = np.where(there, np.minimum(task.cost - np.where(there, nearest[task.row], 0.0), 0.0), task.cost)

    def with_each(today: float, more: Floats) -> Floats:
        return np.asarray(today + np.bincount(task.col, more, len(task.sites))[allowed], dtype=np.float64)

    objective = with_each(float(weight[served].sum()), weight[task.row] * ~there)
    people = with_each(float(task.people[served].sum()), task.people[task.row] * ~there)
    walked = with_each(float((weight[served] * nearest[served]).sum()), weight[task.row] * walks)
    mean = np.divide(walked, objective, out=np.full(len(allowed), np.nan), where=objective > 0)
    order = [_order(task.siting, *each) for each in zip(objective, people, mean, strict=True)]
    chosen = allowed[[min(range(len(allowed)), key=order.__getitem__)]]
    exact = _objective(task, chosen)
    return Found(chosen, exact, exact)


def _median_search(task: Task) -> Search:
    """
    Look at the sites only that can be part of a plan worth listing.

    Bounds of a Lagrangian relaxation rule out most sites (`siting.median`); the plans of the few that remain are counted one
    by one, or, where these are too many, left to the solver.
    """
    needs = task.needs
    if not needs.any():
        return partial(_assigned, task)
    new = np.flatnonzero(task.new)
    cost = np.full(
        (len(task.demands), len(task.sites)), np.inf
    )  # whoever's weight is not known costs nothing if reached
    cost[task.row, task.col] = np.nan_to_num(task.weight)[task.row] * task.cost
    there = cost[needs][:, task.existing].min(axis=1, initial=np.inf)
    place = np.full(len(task.sites), -1)
    place[new] = np.arange(len(new))
    pairs = place[task.conflicts]
    within = task.siting.within if task.siting.plans > 1 else 0.0
    mine = np.ascontiguousarray(cost[needs][:, new])
    locked_new, apart = task.locked[new], pairs[(pairs >= 0).all(axis=1)]
    if task.exact and task.n is not None:
        few = narrowed(mine, there, task.n, locked_new, apart, within)
    elif task.price is not None and task.siting.budget is not None:
        purse = Purse(task.price[new], task.siting.budget, len(new) if task.n is None else task.n)
        few = affordable(mine, there, purse, locked_new, apart, within)
    else:
        few = None
    if few is None:
        return partial(_assigned, task)
    plans = counted(few) if task.exact else None
    if plans is not None:
        return partial(_next_counted, task, [(value, np.sort(new[list(chosen)])) for value, chosen in plans])
    banned = task.banned.copy()
    banned[new[~few.kept]] = True
    locked = task.locked.copy()
    locked[new[few.fixed]] = True
    rows = np.full(len(task.demands), -1)
    rows[needs] = np.arange(int(needs.sum()))
    useful = np.ones(len(task.row), dtype=bool)
    judged = (place[task.col] >= 0) & (np.nan_to_num(task.weight) > 0)[task.row]
    useful[judged] = few.useful[rows[task.row[judged]], place[task.col[judged]]]
    smaller = task._replace(
        banned=banned, locked=locked, row=task.row[useful], col=task.col[useful], cost=task.cost[useful]
    )
    return partial(_counted_in_full, task, smaller)


def _counted_in_full(task: Task, smaller: Task, cuts: Sequence[Flags]) -> Found | None:
    """Solve the smaller task; count the objective over all pairs."""
    plan = _assigned(smaller, cuts)
    return None if plan is None else plan._replace(objective=_objective(task, plan.chosen))


def _next_counted(task: Task, plans: list[tuple[float, Ints]], cuts: Sequence[Flags]) -> Found | None:
    """Return the first of plans in order that is none of those cut off; its bound is its own value: all were counted."""
    for _, chosen in plans:
        if all(not same[chosen].all() for same in cuts):
            objective = _objective(task, chosen)
            return Found(chosen, objective, objective)
    return None


def _so_far(task: Task, plan: Found | None) -> Found:
    """Return the best plan known when somebody pressed Ctrl-C: the solver's, or one built up site by site."""
    by_hand = _greedy(task)
    sign = -1.0 if task.siting.model == "mclp" else 1.0
    if plan is None and by_hand is None:
        raise KeyboardInterrupt
    if plan is None or (by_hand is not None and sign * by_hand.objective < sign * plan.objective):
        assert by_hand is not None
        return by_hand if plan is None else by_hand._replace(bound=plan.bound)
    return plan


def _greedy(task: Task) -> Found | None:
    """Choose sites one by one, each time the one that helps most; None where that does not end in a plan."""
    if task.capacity is not None:
        return None
    chosen = np.flatnonzero(task.locked & task.new)
    price = np.zeros(len(task.sites)) if task.price is None else task.price
    whole = task.siting.model != "mclp"
    most = task.n if task.n is not None else int(task.new.sum())
    far = 2.0 * float(task.cost.max(initial=0.0)) + 1.0
    weight = np.ones(len(task.demands)) if task.siting.model == "lscp" else np.nan_to_num(task.weight)
    while len(chosen) < most:
        nearest = _nearest_cost(task, chosen)
        if task.siting.model == "lscp" and np.isfinite(nearest[task.needs]).all():
            break
        allowed = task.new.copy()
        allowed[chosen] = False
        allowed[task.conflicts[np.isin(task.conflicts, chosen).any(axis=1)]] = False
        if task.siting.budget is not None:
            allowed &= price <= task.siting.budget - price[chosen].sum()
        if not allowed.any():
            break
        now = np.where(np.isfinite(nearest), nearest, far)[task.row]
        helps = (
            np.isinf(nearest)[task.row] * 1.0
            if task.siting.model in ("mclp", "lscp")
            else np.maximum(now - task.cost, 0.0)
        )
        gain = np.bincount(task.col, weight[task.row] * helps, len(task.sites)).astype(float)
        gain[~allowed] = -1.0
        chosen = np.r_[chosen, int(np.argmax(gain))]
    nearest = _nearest_cost(task, chosen)
    if (task.exact and len(chosen) != task.n) or (whole and not np.isfinite(nearest[task.needs]).all()):
        return None
    chosen = np.sort(chosen)
    best = np.nansum(task.weight[np.unique(task.row[(task.existing | task.new)[task.col]])]) if not whole else 0.0
    return Found(chosen, _objective(task, chosen), float(best))


def _worth_a_look(task: Task, cuts: Sequence[Flags], wanted: Flags, limit: float = np.inf) -> Flags:
    """
    Drop sites that another one beats: it reaches all that they reach, at no higher price.

    Any plan with such a site has one at least as good without it, so the optimum stays what it is; of a thousand points
    along streets about a hundred remain. Both must lie on the same side of every plan cut off, and with a spacing
    nothing is dropped. One of each kind stays, and as many as are to be chosen.
    """
    if len(task.conflicts):
        return np.ones(len(task.sites), dtype=bool)
    m = len(task.sites)
    fixed = task.existing | task.locked
    served = np.zeros(len(task.demands), dtype=bool)
    near = task.cost <= limit
    served[task.row[near & fixed[task.col]]] = True
    pairs = near & task.new[task.col] & (wanted & ~served)[task.row]
    reach = csr_array((np.ones(int(pairs.sum())), (task.row[pairs], task.col[pairs])), shape=(len(task.demands), m))
    size = np.asarray(reach.sum(axis=0)).ravel()
    price = np.zeros(m) if task.price is None else task.price
    side = np.unique(np.column_stack([*cuts, np.zeros(m)]), axis=0, return_inverse=True)[1].ravel()
    best_first = np.lexsort((np.arange(m), price, -size))
    place = np.empty(m, dtype=np.int64)
    place[best_first] = np.arange(m)
    both = (reach.T @ reach).tocoo()
    a, b = both.coords
    beaten = (both.data == size[a]) & (place[b] < place[a]) & (price[b] <= price[a]) & (side[a] == side[b])
    kept = np.ones(m, dtype=bool)
    kept[a[beaten]] = False
    idle = np.flatnonzero((size == 0) & task.new & ~task.locked)
    kept[idle[pd.Series(side[idle]).duplicated().to_numpy()]] = task.price is not None
    kept |= fixed
    spare = np.flatnonzero(task.new & ~kept)
    kept[spare[: max(0, (task.n or 0) - int((kept & task.new).sum()))]] = True
    return kept


def _groups(task: Task, kept: Flags, wanted: Flags, limit: float = np.inf) -> tuple[Floats, Ints, Ints]:
    """
    Merge demands that the same sites reach: per group its weight and its people, shape (2, group), and the (group, site) pairs.

    Points of one home mostly share their sites; this loses nothing and makes the programme several times smaller.
    Demands that an existing or locked site reaches are left out; one that nothing reaches is a group without pairs.
    """
    fixed = task.existing | task.locked
    usable = (fixed | (task.new & kept))[task.col] & (task.cost <= limit)
    row, col = task.row[usable], task.col[usable]
    served = np.zeros(len(task.demands), dtype=bool)
    served[row[fixed[col]]] = True
    first = np.searchsorted(row, np.arange(len(task.demands) + 1))
    worth = np.vstack([np.nan_to_num(task.weight), task.people])
    sums: dict[bytes, Floats] = {}
    members: dict[bytes, Ints] = {}
    for i in np.flatnonzero(wanted & ~served):
        own = col[first[i] : first[i + 1]]
        key = own.tobytes()
        sums[key] = sums.get(key, np.zeros(2)) + worth[:, i]
        members[key] = own
    if not members:
        return np.zeros((2, 0)), np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    group = np.repeat(np.arange(len(members)), [len(m) for m in members.values()])
    return np.column_stack(list(sums.values())), group, np.concatenate(list(members.values()))


def _max_cover(task: Task, cuts: Sequence[Flags]) -> Found | None:
    """Most weight within the limit, of equal plans most people: y of a group at most the sum of its sites."""
    wanted = (np.nan_to_num(task.weight) > 0) | (task.people > 0)
    kept = _worth_a_look(task, cuts, wanted)
    (weight, people), group, site = _groups(task, kept, wanted)
    m, g = len(task.sites), len(weight)
    programme = _Programme(task, kept, g)
    _site_rows(task, programme, cuts)
    y = m + np.arange(g)
    if g:
        rows = np.r_[np.arange(g), group]
        programme.add(rows, np.r_[y, site], np.r_[np.ones(g), -np.ones(len(site))], -np.inf, np.zeros(g))
    x, bound, _ = programme.minimise(-np.r_[np.zeros(m), weight], task.siting.gap, task.siting.nodes)
    if x is None:
        return None
    reached_anyway = float(np.nansum(task.weight)) - float(weight.sum())
    best = _finish(task, x, reached_anyway - bound)
    if people.any() and not _proportional(weight, people):
        programme.at_least(y, weight, best.objective - reached_anyway)
        x, _, _ = programme.minimise(-np.r_[np.zeros(m), people], 0.0, task.siting.nodes)
        best = _better_of(task, best, x)
    return _nearer(task, best, cuts)


def _proportional(a: Floats, b: Floats) -> bool:
    """Whether one is the other times a number: then nothing that is equal in one differs in the other."""
    return bool(a.any()) and bool(np.allclose(a * b.sum(), b * a.sum(), rtol=EQUAL, atol=0.0))


def _better_of(task: Task, best: Found, x: Floats | None) -> Found:
    """Return the plan that the solver read `x` for, where it is as good and comes before; else what was best before."""
    if x is None:
        return best
    other = _finish(task, x, best.bound)
    return other if _standing(task, other.chosen) < _standing(task, best.chosen) else best


def _standing(task: Task, chosen: Ints) -> tuple[float, float, float]:
    """Return what plans are put in order by, the least first: the objective, whom it serves, the mean walk."""
    return _order(task.siting, _objective(task, chosen), _served_people(task, chosen), _mean_walk(task, chosen))


def _order(siting: Siting, objective: float, people: float, mean: float) -> tuple[float, float, float]:
    first, second, third = (float(f"{value:.9g}") for value in (objective, people, 0.0 if np.isnan(mean) else mean))
    return (-first if siting.model == "mclp" else first, -second, third)


def _served_people(task: Task, chosen: Ints) -> float:
    """Return how many people a plan has within the limit, of those by whom equal plans are told apart."""
    return float(task.people[np.isfinite(_nearest_cost(task, chosen))].sum())


def _mean_walk(task: Task, chosen: Ints) -> float:
    nearest = _nearest_cost(task, chosen)
    reached, known = np.isfinite(nearest), np.nan_to_num(task.weight)
    covered = float(known[reached].sum())
    return float((known[reached] * nearest[reached]).sum()) / covered if covered > 0 else np.nan


def _full_cover(task: Task, cuts: Sequence[Flags]) -> Found | None:
    """Fewest (cheapest) sites that reach everybody."""
    kept = _worth_a_look(task, cuts, task.needs)
    programme = _Programme(task, kept)
    _site_rows(task, programme, cuts)
    if not _cover_rows(task, programme, kept, np.inf):
        return None
    price = (np.ones(len(task.sites)) if task.price is None else task.price) * task.new
    x, bound, _ = programme.minimise(price, task.siting.gap, task.siting.nodes)
    return None if x is None else _nearer(task, _finish(task, x, bound), cuts)


def _cover_rows(task: Task, programme: _Programme, kept: Flags, limit: float, wanted: Flags | None = None) -> bool:
    """Ask that every (wanted) demand is reached; False where no site can."""
    (weight, _), group, site = _groups(task, kept, task.needs if wanted is None else wanted, limit)
    if len(np.unique(group)) < len(weight):
        return False
    if len(weight):
        programme.add(group, site, 1.0, np.ones(len(weight)), np.inf)
    return True


def _center(task: Task, cuts: Sequence[Flags]) -> Found | None:
    """Least radius within which the sites reach everybody: bisection over the costs that occur, each step proven."""
    usable = (task.existing | task.new)[task.col] & task.needs[task.row]
    nearest = np.full(len(task.demands), np.inf)
    np.minimum.at(nearest, task.row[usable], task.cost[usable])
    floor = float(nearest[task.needs].max(initial=0.0))
    if np.isinf(floor):
        return None
    radii = np.unique(task.cost[usable & (task.cost >= floor)]) if task.needs.any() else np.zeros(1)
    low, high, impossible = 0, len(radii) - 1, -1  # impossible: the largest position proven to be too small
    best: Found | None = None
    while low <= high:
        middle = (low + high) // 2
        found, proven = _within_radius(task, cuts, float(radii[middle]))
        if found is None:
            impossible = middle if proven else impossible  # every smaller radius is too small with it
            low = middle + 1
            continue
        best = _finish(task, found, 0.0)
        if task.capacity is not None:  # the nearest site may be full
            best = best._replace(objective=float(radii[middle]))
        high = int(np.searchsorted(radii, best.objective)) - 1
    if best is None:
        return None
    best = best._replace(bound=float(radii[min(impossible + 1, len(radii) - 1)]))
    return best if task.capacity is not None else _nearer(task, best, cuts)


def _within_radius(task: Task, cuts: Sequence[Flags], radius: float) -> tuple[Floats | None, bool]:
    """Return a plan that reaches everybody within `radius`, and where there is none whether that is proven."""
    programme: _Programme | None
    if task.capacity is not None:
        programme, _ = _assignment(task, cuts, radius)
        if programme is None:
            return None, True
    else:
        kept = _worth_a_look(task, cuts, task.needs, radius)
        programme = _Programme(task, kept)
        _site_rows(task, programme, cuts)
        if not _cover_rows(task, programme, kept, radius):
            return None, True
    x, _, none = programme.minimise(np.zeros(programme.size), 0.0, task.siting.nodes)
    return x, none


def _assignment(task: Task, cuts: Sequence[Flags], limit: float) -> tuple[_Programme | None, Ints]:
    """Write down who goes where (z of a pair: the share of a demand that goes to a site); return the pairs too."""
    known = np.nan_to_num(task.weight) > 0
    if task.capacity is None and task.siting.model == "mclp":
        known |= task.people > 0
    every = np.ones(len(task.sites), dtype=bool)
    useful = (task.existing | task.new)[task.col] & known[task.row] & (task.cost <= limit)
    if task.capacity is None:  # nobody walks farther than to what is there already
        fixed = np.full(len(task.demands), np.inf)
        there = (task.existing | task.locked)[task.col]
        np.minimum.at(fixed, task.row[there], task.cost[there])
        useful &= (task.cost < fixed[task.row]) | (there & (task.cost == fixed[task.row]))
    pairs = np.flatnonzero(useful)
    row, col = task.row[pairs], task.col[pairs]
    all_served = task.siting.model != "mclp"
    if all_served and len(np.unique(row)) < int(known.sum()):
        return None, pairs
    m, p = len(task.sites), len(pairs)
    programme = _Programme(task, every, p)
    _site_rows(task, programme, cuts)
    if all_served and not _cover_rows(task, programme, every, limit, task.needs & ~known):
        return None, pairs
    z = m + np.arange(p)
    demand, number = np.unique(row, return_inverse=True)
    programme.add(number, z, 1.0, np.full(len(demand), 1.0 if all_served else 0.0), 1.0)
    free = np.flatnonzero(task.capacity is not None or ~(task.existing | task.locked)[col])
    n = len(free)
    programme.add(
        np.r_[np.arange(n), np.arange(n)],
        np.r_[z[free], col[free]],
        np.r_[np.ones(n), -np.ones(n)],
        -np.inf,
        np.zeros(n),
    )
    if task.capacity is not None and p:
        used, place = np.unique(col, return_inverse=True)
        unit = 1.0 / max(float(task.weight[known].max()), 1e-300)
        programme.add(
            np.r_[place, np.arange(len(used))],
            np.r_[z, used],
            np.r_[task.weight[row] * unit, -task.capacity[used] * unit],
            -np.inf,
            np.zeros(len(used)),
        )
    return programme, pairs


def _assigned(task: Task, cuts: Sequence[Flags]) -> Found | None:
    """Models in which it matters who goes where: p_median, and any with capacities."""
    programme, pairs = _assignment(task, cuts, np.inf)
    if programme is None:
        return None
    m = len(task.sites)
    objective = np.zeros(programme.size)
    flow = task.weight[task.row[pairs]]
    model = task.siting.model
    if model == "p_median":
        objective[m:] = flow * task.cost[pairs]
    elif model == "mclp":
        objective[m:] = -flow
    else:
        objective[:m] = (np.ones(m) if task.price is None else task.price) * task.new
    x, bound, _ = programme.minimise(objective, task.siting.gap, task.siting.nodes)
    if x is None:
        return None
    sign = -1.0 if model == "mclp" else 1.0
    best = _finish(task, x, sign * bound)
    if task.capacity is not None and model != "lscp":
        served = float(np.sum(np.abs(objective[m:]) * np.clip(x[m:], 0.0, 1.0)))
        best = best._replace(objective=served)
    return best


def _finish(task: Task, x: Floats, bound: float) -> Found:
    """Read the chosen sites and count their objective afresh from the costs."""
    chosen = np.flatnonzero((x[: len(task.sites)] > 0.5) & task.new)
    return Found(chosen, _objective(task, chosen), bound)


def _objective(task: Task, chosen: Ints) -> float:
    model = task.siting.model
    if model == "lscp":
        return float(len(chosen)) if task.price is None else float(task.price[chosen].sum())
    nearest = _nearest_cost(task, chosen)
    if model == "mclp":
        return float(np.nansum(np.where(np.isfinite(nearest), task.weight, 0.0)))
    if model == "p_center":
        return float(nearest[task.needs].max(initial=0.0))
    return float(np.nansum(np.where(np.isfinite(nearest), nearest, 0.0) * task.weight))


def _nearest_cost(task: Task, chosen: Ints) -> Floats:
    """Return the least cost of each demand to an open site within the limit; inf where none."""
    is_open = task.existing.copy()
    is_open[chosen] = True
    nearest = np.full(len(task.demands), np.inf)
    own = is_open[task.col]
    np.minimum.at(nearest, task.row[own], task.cost[own])
    return nearest


def _nearer(task: Task, best: Found, cuts: Sequence[Flags]) -> Found:
    """
    Among plans equal by the model and by whom they serve prefer one whose sites lie near the people.

    Many sites of a street reach the very same homes; without this the solver's arbitrary one, often at the rim, is
    named. Sites are moved one by one while that helps; where there are few pairs the solver then looks at all plans. Of a
    budget nothing is spent on sites that add nothing. The objective and the people stay what they are.
    """
    chosen = best.chosen
    if not task.exact and task.siting.model == "mclp":
        chosen = _without_idle(task, chosen, best.objective, cuts)
    for _ in range(20):  # each round only shortens walks, so it ends by itself; the number is for very long plateaus
        before = chosen
        for site in before:
            if not task.locked[site]:
                chosen = _moved(task, chosen, int(site), best, cuts)
        if np.array_equal(before, chosen):
            break
    best = best._replace(chosen=chosen, objective=_objective(task, chosen))
    if len(chosen) < 2 or len(task.row) > EXACT_PAIRS or not (task.exact or task.siting.model == "lscp"):
        return best
    return _nearest_of_all(task, best, cuts)


def _nearest_of_all(task: Task, best: Found, cuts: Sequence[Flags]) -> Found:
    """Let the solver find the shortest walks among all plans that are as good and serve as many."""
    model = task.siting.model
    programme, pairs = _assignment(task, cuts, best.objective if model == "p_center" else np.inf)
    if programme is None:
        return best
    z, row = len(task.sites) + np.arange(len(pairs)), task.row[pairs]
    weight = np.nan_to_num(task.weight)
    if model == "mclp":
        programme.at_least(z, weight[row], best.objective)
        if task.people.any():
            programme.at_least(z, task.people[row], _served_people(task, best.chosen))
    elif model == "lscp":
        new = np.flatnonzero(task.new)
        price = np.ones(len(task.sites)) if task.price is None else task.price
        programme.at_least(new, -price[new], -best.objective)
    objective = np.zeros(programme.size)
    objective[z] = weight[row] * task.cost[pairs]
    x, _, _ = programme.minimise(objective, 0.0, task.siting.nodes)
    return _better_of(task, best, x)


def _without_idle(task: Task, chosen: Ints, objective: float, cuts: Sequence[Flags]) -> Ints:
    price = np.ones(len(task.sites)) if task.price is None else task.price
    people = _served_people(task, chosen)
    for site in sorted(chosen, key=lambda i: (-price[i], -i)):
        rest = chosen[chosen != site]
        another = all(not same[rest].all() for same in cuts)
        as_good = _objective(task, rest) >= objective * (1 - EQUAL)
        if another and as_good and not task.locked[site] and _served_people(task, rest) >= people * (1 - EQUAL):
            chosen = rest
    return chosen


def _moved(task: Task, chosen: Ints, site: int, best: Found, cuts: Sequence[Flags]) -> Ints:
    """Put one site where the plan is as good and the walks of those it reaches are shortest."""
    rest = chosen[chosen != site]
    m = len(task.sites)
    allowed = task.new.copy()
    allowed[rest] = False
    allowed[task.conflicts[np.isin(task.conflicts, rest).any(axis=1)]] = False
    for same in cuts:
        if same[rest].all():
            allowed &= ~same
    if task.price is not None and task.siting.model != "p_center":
        allowed &= task.price <= task.price[site]
    nearest = _nearest_cost(task, rest)
    radius = best.objective if task.siting.model == "p_center" else np.inf
    nearest[nearest > radius] = np.inf
    pairs = task.cost <= radius
    row, col, cost = task.row[pairs], task.col[pairs], task.cost[pairs]
    known, new = np.nan_to_num(task.weight), np.isinf(nearest[row])
    if task.siting.model == "mclp":
        lacking = best.objective - float(known[np.isfinite(nearest)].sum())
        adds = np.bincount(col[new], known[row[new]], m)
        allowed &= adds >= lacking - EQUAL * max(best.objective, EQUAL)
        if task.people.any():  # equal plans also serve as many people
            now = float(task.people[np.isfinite(nearest)].sum())
            fewest = _served_people(task, chosen) - now
            allowed &= np.bincount(col[new], task.people[row[new]], m) >= fewest - EQUAL * (now + fewest)
    else:
        lost = task.needs & np.isinf(nearest)
        allowed &= np.bincount(col[lost[row]], minlength=m) == lost.sum()
    far = float(task.cost.max(initial=0.0))
    closer = known[row] * np.maximum(np.where(new, far, nearest[row]) - cost, 0.0)
    shorter = np.bincount(col, closer, m).astype(np.float64)  # whole numbers where there is no pair at all
    allowed[site] = True
    shorter[~allowed] = -np.inf
    better = int(np.argmax(shorter))
    if shorter[better] <= shorter[site] * (1 + 1e-12):
        return chosen
    return np.sort(np.r_[rest, better])


def _same_place(task: Task, chosen: Ints) -> Flags:
    """Return which sites belong to a plan, or are as good as in it."""
    if task.close is None:
        same = np.zeros(len(task.sites), dtype=bool)
        same[chosen] = True
        return same
    near: Flags = np.asarray(task.close[chosen].sum(axis=0)).ravel() > 0
    return near


def _listed(siting: Siting, row: Mapping[str, Any]) -> tuple[float, float, float]:
    return _order(siting, row["objective"], row["people"], row["mean"])


def _near(task: Task, objective: float, best: float) -> bool:
    """Whether a plan is within the asked share of the best."""
    rounding = EQUAL * max(abs(best), EQUAL)
    if task.siting.model == "mclp":
        return objective >= best * (1 - task.siting.within) - rounding
    return objective <= best * (1 + task.siting.within) + rounding


def _report(task: Task, plan: Found) -> dict[str, Any]:
    nearest = _nearest_cost(task, plan.chosen)
    reached, unknown = np.isfinite(nearest), np.isnan(task.weight)
    known = np.where(unknown, 0.0, task.weight)
    total, covered = float(known.sum() + task.lost["weight"].sum()), float(known[reached].sum())
    capacity = task.capacity is not None
    capped = capacity and task.siting.model == "mclp"
    bound, objective = plan.bound, plan.objective
    if abs(bound - objective) <= ROUNDING * max(abs(objective), 1e-9):
        bound = objective  # equal but for the solver's rounding
    gap = abs(objective - bound) / max(abs(objective), 1e-300) if objective != bound else 0.0
    counted = reached & task.needs
    return {
        "sites": tuple(task.sites[plan.chosen]),
        "objective": objective,
        "bound": bound,
        "gap": gap,
        "proven": bool(gap <= ROUNDING),
        "covered": objective if capped else covered,
        "share": (objective if capped else covered) / total if total > 0 else np.nan,
        "people": float(task.people[reached].sum()),
        "mean": np.nan if capacity else _mean_walk(task, plan.chosen),
        "worst": float(nearest[counted].max()) if counted.any() and not capacity else np.nan,
        "price": np.nan if task.price is None else float(task.price[plan.chosen].sum()),
        "unknown": int(unknown.sum() + task.lost["weight"].isna().sum()),
        "unknown_covered": int((unknown & reached).sum()),
        "left_out": tuple(task.lost[["site", "cost"]].itertuples(name=None)),
        "swaps": () if capacity else _swaps(task, plan),
    }


def _swaps(task: Task, plan: Found) -> tuple[tuple[Hashable, ...], ...]:
    """Return per site of a plan which others could stand in its place while little is lost; a locked site stays."""
    model, within, m = task.siting.model, task.siting.within, len(task.sites)
    row, col, cost, known = task.row, task.col, task.cost, np.nan_to_num(task.weight)
    today = _nearest_cost(task, np.zeros(0, dtype=np.int64))
    least = plan.objective - within * (plan.objective - float(known[np.isfinite(today)].sum()))
    most = np.inf if model == "lscp" else plan.objective * (1 + within)
    rounding = EQUAL * max(abs(plan.objective), EQUAL)
    found: list[tuple[Hashable, ...]] = []
    for site in plan.chosen:
        rest = plan.chosen[plan.chosen != site]
        allowed = task.new & ~task.locked[site]
        allowed[plan.chosen] = False
        allowed[task.conflicts[np.isin(task.conflicts, rest).any(axis=1)]] = False
        if task.price is not None and model == "lscp":
            allowed &= task.price <= task.price[site] * (1 + within)
        elif task.price is not None and task.siting.budget is not None:
            allowed &= task.price <= task.siting.budget - task.price[rest].sum()
        nearest = _nearest_cost(task, rest)
        if model == "mclp":
            new = np.isinf(nearest)[row]
            adds = np.bincount(col[new], known[row[new]], m)
            allowed &= float(known[np.isfinite(nearest)].sum()) + adds >= least - rounding
        else:  # everybody is still reached, by p_center within the radius
            radius = most + rounding if model == "p_center" else np.inf
            lost = task.needs & (np.isinf(nearest) | (nearest > radius))
            allowed &= np.bincount(col[lost[row] & (cost <= radius)], minlength=m) == lost.sum()
        if model == "p_median":
            walked = known[row] * np.where(np.isinf(nearest)[row], cost, np.minimum(cost - nearest[row], 0.0))
            there = float((known * np.where(np.isfinite(nearest), nearest, 0.0)).sum())
            allowed &= there + np.bincount(col, walked, m) <= most + rounding
        found.append(tuple(task.sites[np.flatnonzero(allowed)]))
    return tuple(found)


# --- why not ---------------------------------------------------------------------------------------------------------


def _refusal(task: Task) -> SitingError:
    """Find out why there is no plan, and say what to do."""
    siting, new = task.siting, task.new
    if siting.model != "mclp":
        out = unreachable(task)
        if len(out):
            return SitingError(_unreachable_text(task, out), out)
    if task.n is not None and task.exact and int(new.sum()) < task.n:
        return SitingError(
            say("可用的候选点只有 {0} 处，选不出 {1} 处；增加候选点，或少禁用几处", int(new.sum()), task.n)
        )
    locked = task.locked & new
    if len(task.conflicts) and locked[task.conflicts].all(axis=1).any():
        a, b = task.sites[task.conflicts[locked[task.conflicts].all(axis=1)][0]]
        return SitingError(say("锁定的 {0} 和 {1} 相距不到 {2:g} 米；放宽间距，或少锁一处", a, b, siting.spacing_m))
    if siting.budget is not None and task.price is not None and task.price[locked].sum() > siting.budget:
        return SitingError(say("锁定的几处要 {0:,.10g}，超过预算 {1:,.10g}", task.price[locked].sum(), siting.budget))
    if siting.model != "mclp":
        return _too_few(task)
    if len(task.conflicts):
        return SitingError(
            say("两两相距至少 {0:g} 米时，选不出 {1} 处；放宽间距，或少选几处", siting.spacing_m, task.n)
        )
    return SitingError(_not_found_text(task))


def _not_found_text(task: Task) -> str:
    if task.siting.nodes is not None:
        return say("搜索 {0} 个节点还没有找到方案；放宽 nodes", task.siting.nodes)
    return say("没有同时满足各项要求（处数、锁定、间距、预算、规模）的方案；逐项放宽试试")


def _unreachable_text(task: Task, out: pd.DataFrame) -> str:
    def one(demand: Hashable, site: object, cost: float) -> str:
        if np.isnan(cost):
            return say("{0}（走不到任何候选点）", demand)
        far = f"{amount(cost, 1)} {task.unit}".rstrip()
        return say("{0}（最近的候选点 {1}，{2}）", demand, site, far)

    first = [one(*row) for row in out.head(8).itertuples(name=None)]
    more = say("，等 {0} 处", len(out)) if len(out) > 8 else ""
    listed = say("、").join(first) + more
    if task.siting.limit is None:
        return say("{0} 处需求没有候选点够得着：{1}。放宽距离，或在它们附近加候选点", len(out), listed)
    limit = f"{task.siting.limit:g} {task.unit}".rstrip()
    return say("{0} 处需求 {1}内没有候选点够得着：{2}。放宽距离，或在它们附近加候选点", len(out), limit, listed)


def _too_few(task: Task) -> SitingError:
    """Everybody can be reached, but not by so few sites: say how many it takes."""
    free = replace(task.siting, model="lscp", budget=None, costs=None, spacing_m=0.0, capacity=None)
    loose = task._replace(siting=free, n=None, price=None, conflicts=np.empty((0, 2), dtype=np.int64), capacity=None)
    fewest = _full_cover(loose, ())
    if fewest is not None and task.n is not None and len(fewest.chosen) > task.n:
        return SitingError(say("{0} 处不够：要让所有需求都够得着，至少要 {1} 处", task.n, len(fewest.chosen)))
    if task.capacity is not None:
        total = float(np.nansum(task.weight))
        return SitingError(say("规模不够：需求共 {0:,.10g}，选出的几处装不下；加大规模或多选几处", total))
    return SitingError(_not_found_text(task))
