"""
Siting on a plain table of costs between demands and sites: the models, their programmes, and the refusals.

Church and ReVelle 1974 (mclp); Toregas et al. 1971 (lscp); ReVelle and Swain 1970 (p_median); Hakimi 1964 (p_center).
Solved with HiGHS (scipy).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from ..coverage import TOLERANCE_MIN
from ..errors import SitingError, UnknownNameError
from ..values import TOLERANCE_M
from .median import Purse, affordable, counted, narrowed

MODELS = ("mclp", "lscp", "p_median", "p_center")
MODEL_LABELS = {
    "mclp": "增加 n 处，新增覆盖最多",
    "lscp": "最少几处能全部覆盖",
    "p_median": "总路程最短",
    "p_center": "最远的人走得最近",
}
#: What the solver calls proven may differ from the objective counted afresh by rounding.
ROUNDING = 1e-7
#: Largest coefficient handed to the solver: its tolerances are absolute.
SCALE = 1e4
#: The solver works in slices of seconds, each this many times longer than the one before: an interrupted solve has what
#: the last whole slice found.
FIRST_SLICE_S, SLICE_GROWTH = 4.0, 4.0

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Siting:
    """
    What is asked of new sites.

    Parameters
    ----------
    model
        One of `MODELS`.
    limit
        Within reach means at most this, in the unit of the cost table (metres or minutes). None: every pair in the
        table; in `sites`, the limit of the kind's rule.
    weight
        Column that demand is weighted with: of the table of weights in `solve`; in `sites` one of `WEIGHTS`, by default
        the denominator of the kind's rule.
    locked, banned
        Sites that are chosen in any case (they count among the `n`), and never.
    existing
        Sites that are there and stay; they cost nothing and do not count.
    spacing_m
        Least distance between two new sites, in metres.
    budget, costs
        The new sites together cost at most `budget`; `costs` gives the price of each site, or one price for all. With a
        budget `n` is the greatest number.
    capacity
        The weight one site can serve, one number or one per site. Demand may be shared among sites.
    within
        List also the plans that are worse than the best by at most this share (0.02 is 2 %) …
    plans
        … but no more than so many in all.
    apart_m
        A plan is another one only when at least one site of it lies farther than this from every site of those before.
        None: 0 in `solve` (every plan), 300 in `sites`.
    gap
        Stop when this close to the proven bound (share); 0 asks for the optimum.
    nodes
        Stop after so many branches. Neither is a time, so that results repeat.
    leave_out
        Where everybody must be reached, leave out those whom no site can reach instead of refusing; the answer names them.

    Raises
    ------
    SitingError
        No such model, a number below 0, a budget without prices, or a site both locked and banned.
    """

    model: str = "mclp"
    limit: float | None = None
    weight: str | None = None
    locked: Sequence[Hashable] = ()
    banned: Sequence[Hashable] = ()
    existing: Sequence[Hashable] = ()
    spacing_m: float = 0.0
    budget: float | None = None
    costs: float | Mapping[Hashable, float] | None = None
    capacity: float | Mapping[Hashable, float] | None = None
    within: float = 0.02
    plans: int = 5
    apart_m: float | None = None
    gap: float = 0.0
    nodes: int | None = None
    leave_out: bool = False

    def __post_init__(self) -> None:
        if self.model not in MODELS:
            raise UnknownNameError("选址模型", self.model, MODELS)
        for name in ("locked", "banned", "existing"):
            given = getattr(self, name)
            labels = (given,) if isinstance(given, str) else tuple(dict.fromkeys(given))
            object.__setattr__(self, name, labels)
        for name in ("limit", "budget", "apart_m", "spacing_m", "within", "gap"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise SitingError(f"{name} 不能是负数：{value}")
        if self.plans < 1:
            raise SitingError(f"plans 至少是 1：{self.plans}")
        if self.budget is not None and self.costs is None:
            raise SitingError("给了预算 budget，还要用 costs 给出每处候选点的造价")
        both = [str(s) for s in self.locked if s in self.banned]
        if both:
            raise SitingError(f"既锁定又禁用：{'、'.join(both)}")


_DEFAULT = Siting()


# --- on a plain cost table -------------------------------------------------------------------------------------------


def solve(
    costs: pd.DataFrame | pd.Series,
    weights: pd.DataFrame | pd.Series | None = None,
    n: int | None = None,
    *,
    siting: Siting = _DEFAULT,
    site_distances: pd.DataFrame | pd.Series | None = None,
    candidates: Iterable[Hashable] | None = None,
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
    site_distances
        MultiIndex (site, site), one column in metres, either order; pairs farther apart than anything asks about may be
        absent. Needed for `spacing_m` and `apart_m`.
    candidates
        Ids of all sites, where some reach nobody and are therefore not in `costs`.
    progress
        Called with a short Chinese line now and then while a long solve goes on. Ctrl-C then gives the best plan so
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
        counted afresh from the costs, not taken from the solver. Equal plans: the one nearer on average first.

    Raises
    ------
    SitingError
        It cannot be done; says why, and `.uncovered` lists demands no site can reach and how far their nearest is.
    UnknownNameError
        A locked, banned or existing site that is not a candidate.
    """
    task = _without_lost(_task(costs, weights, n, siting, site_distances, candidates, _Watch(progress)))
    found: list[_Found] = []
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
    rows = sorted((_report(task, plan) for plan in found), key=lambda row: _rank(siting, row))
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
    table = _tidy_costs(costs)
    wanted = list(dict.fromkeys(chosen))
    missing = [s for s in wanted if s not in set(table["site"])]
    if missing:
        raise UnknownNameError("候选点", str(missing[0]), [str(s) for s in in_order(table["site"].unique())])
    demands = pd.Index(in_order(table["demand"].unique()), name="demand")
    rank = {site: i for i, site in enumerate(in_order(wanted))}
    own = table[table["site"].isin(wanted)]
    if limit is not None:
        own = own[(own["cost"] <= limit + _tolerance(costs)).to_numpy()]
    own = own.assign(rank=own["site"].map(rank)).sort_values(["cost", "rank"], kind="stable")
    return own.drop_duplicates("demand").set_index("demand")[["site", "cost"]].reindex(demands)


class _Watch:
    """Keeps an eye on a long solve: says how far it is, and remembers that somebody pressed Ctrl-C."""

    def __init__(self, say: Progress | None) -> None:
        self.say = say or (lambda _: None)
        self.stopped = False

    def run(self, solver: Callable[[float], Any], nodes: int | None) -> Any:
        """
        Solve in ever longer slices of time until done; return the last whole slice's result, None where there is none.

        A slice starts afresh, so that what a finished solve returns does not depend on how fast the machine is. The
        solver works in a thread of its own: while it does, this one can be interrupted.
        """
        seconds, last = FIRST_SLICE_S, None
        while not self.stopped:
            begun = time.perf_counter()
            result = self._slice(solver, seconds)
            if result is None:
                return last
            last = result
            if result.status != 1 or (nodes is not None and time.perf_counter() - begun < seconds):
                return last
            gap = "" if result.mip_gap is None or not np.isfinite(result.mip_gap) else f"，差距 {result.mip_gap:.1%}"
            self.say(f"求解 {seconds:.0f} 秒{gap}；继续（Ctrl-C 取目前最好的方案）")
            seconds *= SLICE_GROWTH
        return last

    def _slice(self, solver: Callable[[float], Any], seconds: float) -> Any:
        found: list[Any] = []
        thread = threading.Thread(target=lambda: found.append(solver(seconds)), daemon=True)
        try:
            thread.start()
            while thread.is_alive():
                thread.join(0.2)
        except KeyboardInterrupt:
            self.stopped = True
            return None
        return found[0]


class _Task(NamedTuple):
    """A siting question in numbers: demands and sites are positions in sorted lists of their ids."""

    demands: pd.Index
    sites: pd.Index
    row: Ints  # pairs within the limit, sorted by (row, col)
    col: Ints
    cost: Floats
    beyond: pd.DataFrame  # pairs beyond the limit: demand, site, cost
    weight: Floats  # NaN where not known
    existing: Flags
    locked: Flags
    banned: Flags
    n: int | None
    price: Floats | None
    capacity: Floats | None
    conflicts: Ints  # (k, 2) pairs of sites closer than the spacing
    close: csr_array | None  # which sites count as the same place
    unit: str
    siting: Siting
    watch: _Watch
    lost: pd.DataFrame  # demands left out (as `_unreachable` returns them), with their `weight`

    @property
    def new(self) -> Flags:
        """Sites that may be chosen."""
        return ~self.existing & ~self.banned

    @property
    def needs(self) -> Flags:
        """Demands that somebody stands behind, or may."""
        needs: Flags = self.weight != 0
        return needs

    @property
    def exact(self) -> bool:
        """Whether exactly `n` sites are chosen."""
        return self.n is not None and self.siting.budget is None and self.siting.model != "lscp"


class _Found(NamedTuple):
    chosen: Ints  # positions of the new sites, sorted
    objective: float
    bound: float


def _task(
    costs: pd.DataFrame | pd.Series,
    weights: pd.DataFrame | pd.Series | None,
    n: int | None,
    siting: Siting,
    site_distances: pd.DataFrame | pd.Series | None,
    candidates: Iterable[Hashable] | None,
    watch: _Watch,
) -> _Task:
    table = _tidy_costs(costs)
    known = _weights(weights, siting)
    candidates = list(candidates or ())
    demands = pd.Index(in_order([*table["demand"].unique(), *known.index]) if weights is not None else
                       in_order(table["demand"].unique()), name="demand")  # fmt: skip
    weight = np.ones(len(demands)) if weights is None else known.reindex(demands).to_numpy(dtype=float)
    if (weight < 0).any() or np.isinf(weight).any():
        raise SitingError(f"权重必须是不小于 0 的数：{some(demands[(weight < 0) | np.isinf(weight)])}")
    sites = pd.Index(in_order([*table["site"].unique(), *candidates, *siting.existing]), name="site")
    _check_n(n, siting, sites, known_sites={*table["site"], *candidates})
    within = np.ones(len(table), dtype=bool)
    if siting.limit is not None:
        within = (table["cost"] <= siting.limit + _tolerance(costs)).to_numpy()
    row, col = demands.get_indexer(pd.Index(table["demand"])), sites.get_indexer(pd.Index(table["site"]))
    order = np.lexsort((col, row))
    order = order[within[order]]
    conflicts, close = _neighbours(sites, siting, site_distances)
    existing, locked, banned = (sites.isin(list(v)) for v in (siting.existing, siting.locked, siting.banned))
    return _Task(
        demands=demands, sites=sites, row=row[order].astype(np.int64), col=col[order].astype(np.int64),
        cost=table["cost"].to_numpy(dtype=float)[order], beyond=table[~within], weight=weight,
        existing=existing, locked=locked, banned=banned, n=n, price=_per_site(sites, siting.costs, "造价", siting.existing),
        capacity=_per_site(sites, siting.capacity, "规模"), conflicts=conflicts, close=close,
        unit={"metres": "米", "minutes": "分钟"}.get(_column(costs), ""), siting=siting, watch=watch,
        lost=pd.DataFrame({"site": [], "cost": [], "weight": []}),
    )  # fmt: skip


def _without_lost(task: _Task) -> _Task:
    """Let nobody stand behind demands that no site can reach, where that is allowed."""
    if not task.siting.leave_out or task.siting.model == "mclp":
        return task
    lost = _unreachable(task)
    place = task.demands.get_indexer(lost.index)
    weight = task.weight.copy()
    weight[place] = 0.0
    return task._replace(weight=weight, lost=lost.assign(weight=task.weight[place]))


def _check_n(n: int | None, siting: Siting, sites: pd.Index, known_sites: set[Hashable]) -> None:
    for label in (*siting.locked, *siting.banned, *siting.existing):
        if label not in known_sites:
            raise UnknownNameError("候选点", str(label), [str(s) for s in sites if s in known_sites])
    if n is None:
        if siting.model != "lscp" and siting.budget is None:
            raise SitingError(f"“{MODEL_LABELS[siting.model]}”要给 n（新增几处）")
    elif n < 1 or n != int(n):
        raise SitingError(f"n 必须是不小于 1 的整数：{n}")
    elif len(set(siting.locked) - set(siting.existing)) > n:
        raise SitingError(f"锁定了 {len(siting.locked)} 处，多于要选的 {n} 处")


def _tidy_costs(costs: pd.DataFrame | pd.Series) -> pd.DataFrame:
    """Return columns demand, site, cost; pairs without a cost are left out."""
    index = costs.index
    if not isinstance(index, pd.MultiIndex) or index.nlevels != 2:
        raise SitingError("代价表的索引必须是 (demand, site) 两级")
    if isinstance(costs, pd.DataFrame) and costs.shape[1] != 1:
        raise SitingError(f"代价表只能有一列，现在是 {list(costs.columns)}")
    values = (costs.iloc[:, 0] if isinstance(costs, pd.DataFrame) else costs).to_numpy(dtype=float)
    table: pd.DataFrame = pd.DataFrame(
        {"demand": index.get_level_values(0), "site": index.get_level_values(1), "cost": values}
    )
    table = table.dropna()
    if np.isinf(table["cost"]).any():
        raise SitingError("代价不能是无穷大；到不了的就不要那一行")
    if (table["cost"] < 0).any():
        raise SitingError("代价不能是负数")
    twice = table.duplicated(["demand", "site"])
    if twice.any():
        demand, site = table.loc[twice, ["demand", "site"]].iloc[0]
        raise SitingError(f"代价表里 ({demand}, {site}) 出现了两次")
    return table


def _column(costs: pd.DataFrame | pd.Series) -> str:
    return str(costs.columns[0] if isinstance(costs, pd.DataFrame) else costs.name)


def _tolerance(costs: pd.DataFrame | pd.Series) -> float:
    return TOLERANCE_MIN if _column(costs) == "minutes" else TOLERANCE_M


def _weights(weights: pd.DataFrame | pd.Series | None, siting: Siting) -> pd.Series:
    if weights is None:
        return pd.Series(dtype="float64")
    if isinstance(weights, pd.DataFrame):
        name = siting.weight or (str(weights.columns[0]) if weights.shape[1] == 1 else "")
        if name not in weights.columns:
            raise UnknownNameError("权重列", name, [str(c) for c in weights.columns])
        weights = weights[name]
    if weights.index.has_duplicates:
        raise SitingError(f"权重表里有重复的编号：{some(weights.index[weights.index.duplicated()])}")
    return weights.astype("float64")


def _per_site(
    sites: pd.Index, given: float | Mapping[Hashable, float] | None, what: str, free: Sequence[Hashable] = ()
) -> Floats | None:
    """Return what is given for each site; those of `free` that are not named have 0."""
    if given is None:
        return None
    each = dict(given) if isinstance(given, (Mapping, pd.Series)) else dict.fromkeys(sites, given)
    each = {**dict.fromkeys(free, 0.0), **each}
    values = np.array([float(each.get(site, np.nan)) for site in sites])
    if np.isnan(values).any() or (values < 0).any():
        bad = sites[np.isnan(values) | (values < 0)]
        raise SitingError(f"每处候选点都要有不小于 0 的{what}；缺或不对的：{some(bad)}")
    return values


def _neighbours(
    sites: pd.Index, siting: Siting, distances: pd.DataFrame | pd.Series | None
) -> tuple[Ints, csr_array | None]:
    """Return pairs closer than the spacing, and the matrix of sites that count as the same place."""
    none = np.empty((0, 2), dtype=np.int64)
    if not (siting.spacing_m or siting.apart_m):
        return none, None
    if distances is None:
        raise SitingError("要求间距 spacing_m 或 apart_m 时，要给候选点之间的距离 site_distances")
    table = _tidy_costs(distances)
    a, b = sites.get_indexer(pd.Index(table["demand"])), sites.get_indexer(pd.Index(table["site"]))
    metres = table["cost"].to_numpy(dtype=float)
    both = (a >= 0) & (b >= 0) & (a != b)
    a, b, metres = a[both], b[both], metres[both]
    near = metres < siting.spacing_m - TOLERANCE_M
    conflicts = np.unique(np.sort(np.column_stack([a[near], b[near]]), axis=1), axis=0) if near.any() else none
    if not siting.apart_m:
        return conflicts, None
    near = metres <= siting.apart_m + TOLERANCE_M
    every = np.arange(len(sites))
    rows, cols = np.r_[a[near], b[near], every], np.r_[b[near], a[near], every]
    return conflicts, csr_array((np.ones(len(rows)), (rows, cols)), shape=(len(sites), len(sites)))


def in_order(labels: Iterable[Hashable]) -> list[Hashable]:
    """Return labels once each in an order that does not depend on that of the rows."""
    unique = list(dict.fromkeys(labels))
    try:
        return sorted(unique)  # type: ignore[type-var]
    except TypeError:
        return sorted(unique, key=lambda v: (type(v).__name__, str(v)))


def some(labels: Iterable[Hashable], most: int = 8) -> str:
    """Return the first few labels, and how many there are."""
    names = [str(v) for v in labels]
    return "、".join(names[:most]) + (f" 等 {len(names)} 处" if len(names) > most else "")


# --- the programmes --------------------------------------------------------------------------------------------------


class _Programme:
    """A mixed-integer programme being written down: sites first, then whatever the model adds; sparse rows."""

    def __init__(self, task: _Task, kept: Flags, more: int = 0) -> None:
        self.watch = task.watch
        self.size = len(task.sites) + more
        self.sites = len(task.sites)
        self.low = np.zeros(self.size)
        self.high = np.ones(self.size)
        self.low[: self.sites] = task.existing | task.locked
        self.high[: self.sites] = task.existing | task.locked | (task.new & kept)
        self.parts: list[tuple[Ints, Ints, Floats]] = []
        self.bounds: list[tuple[Floats, Floats]] = []
        self.count = 0

    def add(self, row: Any, col: Any, value: Any, low: Any, high: Any) -> None:
        """Add rows, numbered from 0 within this call, with `low <= sum(value * x[col]) <= high`."""
        row, low, high = np.asarray(row, dtype=np.int64), np.atleast_1d(low), np.atleast_1d(high)
        height = np.broadcast(low, high).size
        values = np.broadcast_to(np.asarray(value, dtype=float), row.shape)
        self.parts.append((row + self.count, np.asarray(col, dtype=np.int64), values))
        self.bounds.append((np.broadcast_to(low, height).astype(float), np.broadcast_to(high, height).astype(float)))
        self.count += height

    def minimise(self, objective: Floats, gap: float, nodes: int | None) -> tuple[Floats | None, float, bool]:
        """Return the best solution found, the proven lower bound, and whether it is known that there is none."""
        scale = SCALE / max(float(np.abs(objective).max(initial=0.0)), 1e-300)
        rows = []
        if self.count:
            row, col, value = (np.concatenate(p) for p in zip(*self.parts, strict=True))
            matrix = csr_array((value, (row, col)), shape=(self.count, self.size))
            low, high = (np.concatenate(b) for b in zip(*self.bounds, strict=True))
            rows = [LinearConstraint(matrix, low, high)]
        whole = np.zeros(self.size)
        whole[: self.sites] = 1
        options: dict[str, Any] = {"mip_rel_gap": gap}
        if nodes is not None:
            options["node_limit"] = nodes

        def solver(seconds: float) -> Any:
            return milp(
                objective * scale, integrality=whole, bounds=Bounds(self.low, self.high), constraints=rows,
                options=options | {"time_limit": seconds},
            )  # fmt: skip

        done = self.watch.run(solver, nodes)
        if done is None:
            return None, -np.inf, False
        bound = -np.inf if done.mip_dual_bound is None else float(done.mip_dual_bound) / scale
        return done.x, bound, done.status == 2


def _site_rows(task: _Task, programme: _Programme, cuts: Sequence[Flags]) -> None:
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


Search = Callable[[Sequence[Flags]], "_Found | None"]


def _search(task: _Task) -> Search:
    """Return what finds the best plan that is none of those cut off, or None where there is none."""
    model = task.siting.model
    if model == "p_center":
        return partial(_center, task)
    if task.capacity is not None:
        return partial(_assigned, task)
    if model == "p_median":
        return _median_search(task)
    return partial(_max_cover if model == "mclp" else _full_cover, task)


def _median_search(task: _Task) -> Search:
    """
    Look at the sites only that can be part of a plan worth listing.

    Bounds of a Lagrangian relaxation rule out most sites (`_siting.median`); the plans of the few that remain are counted one
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


def _counted_in_full(task: _Task, smaller: _Task, cuts: Sequence[Flags]) -> _Found | None:
    """Solve the smaller task; count the objective over all pairs."""
    plan = _assigned(smaller, cuts)
    return None if plan is None else plan._replace(objective=_objective(task, plan.chosen))


def _next_counted(task: _Task, plans: list[tuple[float, Ints]], cuts: Sequence[Flags]) -> _Found | None:
    """Return the first of plans in order that is none of those cut off; its bound is its own value: all were counted."""
    for _, chosen in plans:
        if all(not same[chosen].all() for same in cuts):
            objective = _objective(task, chosen)
            return _Found(chosen, objective, objective)
    return None


def _so_far(task: _Task, plan: _Found | None) -> _Found:
    """Return the best plan known when somebody pressed Ctrl-C: the solver's, or one built up site by site."""
    by_hand = _greedy(task)
    sign = -1.0 if task.siting.model == "mclp" else 1.0
    if plan is None and by_hand is None:
        raise KeyboardInterrupt
    if plan is None or (by_hand is not None and sign * by_hand.objective < sign * plan.objective):
        assert by_hand is not None
        return by_hand if plan is None else by_hand._replace(bound=plan.bound)
    return plan


def _greedy(task: _Task) -> _Found | None:
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
    return _Found(chosen, _objective(task, chosen), float(best))


def _worth_a_look(task: _Task, cuts: Sequence[Flags], wanted: Flags, limit: float = np.inf) -> Flags:
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


def _groups(task: _Task, kept: Flags, wanted: Flags, limit: float = np.inf) -> tuple[Floats, Ints, Ints]:
    """
    Merge demands that the same sites reach: weight per group, and the (group, site) pairs.

    Points of one home mostly share their sites; this loses nothing and makes the programme several times smaller.
    Demands that an existing or locked site reaches are left out; one that nothing reaches is a group without pairs.
    """
    fixed = task.existing | task.locked
    usable = (fixed | (task.new & kept))[task.col] & (task.cost <= limit)
    row, col = task.row[usable], task.col[usable]
    served = np.zeros(len(task.demands), dtype=bool)
    served[row[fixed[col]]] = True
    first = np.searchsorted(row, np.arange(len(task.demands) + 1))
    weights: dict[bytes, float] = {}
    members: dict[bytes, Ints] = {}
    for i in np.flatnonzero(wanted & ~served):
        own = col[first[i] : first[i + 1]]
        key = own.tobytes()
        weights[key] = weights.get(key, 0.0) + float(np.nan_to_num(task.weight[i]))
        members[key] = own
    if not members:
        return np.zeros(0), np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    group = np.repeat(np.arange(len(members)), [len(m) for m in members.values()])
    return np.array(list(weights.values())), group, np.concatenate(list(members.values()))


def _max_cover(task: _Task, cuts: Sequence[Flags]) -> _Found | None:
    """Most weight within the limit: y of a group at most the sum of its sites."""
    wanted = np.nan_to_num(task.weight) > 0
    kept = _worth_a_look(task, cuts, wanted)
    weight, group, site = _groups(task, kept, wanted)
    m, g = len(task.sites), len(weight)
    programme = _Programme(task, kept, g)
    _site_rows(task, programme, cuts)
    if g:
        rows = np.r_[np.arange(g), group]
        programme.add(rows, np.r_[m + np.arange(g), site], np.r_[np.ones(g), -np.ones(len(site))], -np.inf, np.zeros(g))
    x, bound, _ = programme.minimise(-np.r_[np.zeros(m), weight], task.siting.gap, task.siting.nodes)
    if x is None:
        return None
    reached_anyway = float(np.nansum(task.weight)) - float(weight.sum())
    return _nearer(task, _finish(task, x, reached_anyway - bound), cuts)


def _full_cover(task: _Task, cuts: Sequence[Flags]) -> _Found | None:
    """Fewest (cheapest) sites that reach everybody."""
    kept = _worth_a_look(task, cuts, task.needs)
    programme = _Programme(task, kept)
    _site_rows(task, programme, cuts)
    if not _cover_rows(task, programme, kept, np.inf):
        return None
    price = (np.ones(len(task.sites)) if task.price is None else task.price) * task.new
    x, bound, _ = programme.minimise(price, task.siting.gap, task.siting.nodes)
    return None if x is None else _nearer(task, _finish(task, x, bound), cuts)


def _cover_rows(task: _Task, programme: _Programme, kept: Flags, limit: float, wanted: Flags | None = None) -> bool:
    """Ask that every (wanted) demand is reached; False where no site can."""
    weight, group, site = _groups(task, kept, task.needs if wanted is None else wanted, limit)
    if len(np.unique(group)) < len(weight):
        return False
    if len(weight):
        programme.add(group, site, 1.0, np.ones(len(weight)), np.inf)
    return True


def _center(task: _Task, cuts: Sequence[Flags]) -> _Found | None:
    """Least radius within which the sites reach everybody: bisection over the costs that occur, each step proven."""
    usable = (task.existing | task.new)[task.col] & task.needs[task.row]
    nearest = np.full(len(task.demands), np.inf)
    np.minimum.at(nearest, task.row[usable], task.cost[usable])
    floor = float(nearest[task.needs].max(initial=0.0))
    if np.isinf(floor):
        return None
    radii = np.unique(task.cost[usable & (task.cost >= floor)]) if task.needs.any() else np.zeros(1)
    low, high, impossible = 0, len(radii) - 1, -1  # impossible: the largest position proven to be too small
    best: _Found | None = None
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


def _within_radius(task: _Task, cuts: Sequence[Flags], radius: float) -> tuple[Floats | None, bool]:
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


def _assignment(task: _Task, cuts: Sequence[Flags], limit: float) -> tuple[_Programme | None, Ints]:
    """Write down who goes where (z of a pair: the share of a demand that goes to a site); return the pairs too."""
    known = np.nan_to_num(task.weight) > 0
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
            np.r_[place, np.arange(len(used))], np.r_[z, used],
            np.r_[task.weight[row] * unit, -task.capacity[used] * unit], -np.inf, np.zeros(len(used)),
        )  # fmt: skip
    return programme, pairs


def _assigned(task: _Task, cuts: Sequence[Flags]) -> _Found | None:
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


def _finish(task: _Task, x: Floats, bound: float) -> _Found:
    """Read the chosen sites and count their objective afresh from the costs."""
    chosen = np.flatnonzero((x[: len(task.sites)] > 0.5) & task.new)
    return _Found(chosen, _objective(task, chosen), bound)


def _objective(task: _Task, chosen: Ints) -> float:
    model = task.siting.model
    if model == "lscp":
        return float(len(chosen)) if task.price is None else float(task.price[chosen].sum())
    nearest = _nearest_cost(task, chosen)
    reached = np.isfinite(nearest)
    if model == "mclp":
        return float(np.nansum(np.where(reached, task.weight, 0.0)))
    if model == "p_center":
        return float(nearest[task.needs].max(initial=0.0))
    return float(np.nansum(np.where(reached, nearest, 0.0) * task.weight))


def _nearest_cost(task: _Task, chosen: Ints) -> Floats:
    """Return the least cost of each demand to an open site within the limit; inf where none."""
    is_open = task.existing.copy()
    is_open[chosen] = True
    nearest = np.full(len(task.demands), np.inf)
    own = is_open[task.col]
    np.minimum.at(nearest, task.row[own], task.cost[own])
    return nearest


def _nearer(task: _Task, best: _Found, cuts: Sequence[Flags]) -> _Found:
    """
    Among plans equal by the model prefer one whose sites lie near the people: move sites one by one while that helps.

    Many sites of a street reach the very same homes; without this the solver's arbitrary one, often at the rim, is
    named. Of a budget nothing is spent on sites that add nothing. The objective stays what it is.
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
    return best._replace(chosen=chosen, objective=_objective(task, chosen))


def _without_idle(task: _Task, chosen: Ints, objective: float, cuts: Sequence[Flags]) -> Ints:
    price = np.ones(len(task.sites)) if task.price is None else task.price
    for site in sorted(chosen, key=lambda i: (-price[i], -i)):
        rest = chosen[chosen != site]
        another = all(not same[rest].all() for same in cuts)
        if another and not task.locked[site] and _objective(task, rest) >= objective * (1 - 1e-9):
            chosen = rest
    return chosen


def _moved(task: _Task, chosen: Ints, site: int, best: _Found, cuts: Sequence[Flags]) -> Ints:
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
        allowed &= adds >= lacking - 1e-9 * max(best.objective, 1e-9)
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


def _same_place(task: _Task, chosen: Ints) -> Flags:
    """Return which sites belong to a plan, or are as good as in it."""
    if task.close is None:
        same = np.zeros(len(task.sites), dtype=bool)
        same[chosen] = True
        return same
    near: Flags = np.asarray(task.close[chosen].sum(axis=0)).ravel() > 0
    return near


def _rank(siting: Siting, row: Mapping[str, Any]) -> tuple[float, float]:
    """Best first; of equals the one that is nearer on average."""
    objective = float(f"{row['objective']:.9g}")
    return (-objective if siting.model == "mclp" else objective, np.nan_to_num(row["mean"]))


def _near(task: _Task, objective: float, best: float) -> bool:
    """Whether a plan is within the asked share of the best."""
    rounding = 1e-9 * max(abs(best), 1e-9)
    if task.siting.model == "mclp":
        return objective >= best * (1 - task.siting.within) - rounding
    return objective <= best * (1 + task.siting.within) + rounding


def _report(task: _Task, plan: _Found) -> dict[str, Any]:
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
    walked = float((known[reached] * nearest[reached]).sum())
    counted = reached & task.needs
    return {
        "sites": tuple(task.sites[plan.chosen]),
        "objective": objective,
        "bound": bound,
        "gap": gap,
        "proven": bool(gap <= ROUNDING),
        "covered": objective if capped else covered,
        "share": (objective if capped else covered) / total if total > 0 else np.nan,
        "mean": walked / covered if covered > 0 and not capacity else np.nan,
        "worst": float(nearest[counted].max()) if counted.any() and not capacity else np.nan,
        "price": np.nan if task.price is None else float(task.price[plan.chosen].sum()),
        "unknown": int(unknown.sum() + task.lost["weight"].isna().sum()),
        "unknown_covered": int((unknown & reached).sum()),
        "left_out": tuple(task.lost[["site", "cost"]].itertuples(name=None)),
    }


# --- why not ---------------------------------------------------------------------------------------------------------


def _refusal(task: _Task) -> SitingError:
    """Find out why there is no plan, and say what to do."""
    siting, new = task.siting, task.new
    if siting.model != "mclp":
        out = _unreachable(task)
        if len(out):
            return SitingError(_unreachable_text(task, out), out)
    if task.n is not None and task.exact and int(new.sum()) < task.n:
        return SitingError(f"可用的候选点只有 {int(new.sum())} 处，选不出 {task.n} 处；增加候选点，或少禁用几处")
    locked = task.locked & new
    if len(task.conflicts) and locked[task.conflicts].all(axis=1).any():
        a, b = task.sites[task.conflicts[locked[task.conflicts].all(axis=1)][0]]
        return SitingError(f"锁定的 {a} 和 {b} 相距不到 {siting.spacing_m:g} 米；放宽间距，或少锁一处")
    if siting.budget is not None and task.price is not None and task.price[locked].sum() > siting.budget:
        return SitingError(f"锁定的几处要 {task.price[locked].sum():,.10g}，超过预算 {siting.budget:,.10g}")
    if siting.model != "mclp":
        return _too_few(task)
    if len(task.conflicts):
        return SitingError(f"两两相距至少 {siting.spacing_m:g} 米时，选不出 {task.n} 处；放宽间距，或少选几处")
    return SitingError(_not_found_text(task))


def _not_found_text(task: _Task) -> str:
    if task.siting.nodes is not None:
        return f"搜索 {task.siting.nodes} 个节点还没有找到方案；放宽 nodes"
    return "没有同时满足各项要求（处数、锁定、间距、预算、规模）的方案；逐项放宽试试"


def _unreachable(task: _Task) -> pd.DataFrame:
    """Return the demands that no site which may be used reaches within the limit, with the nearest beyond it."""
    usable = (task.existing | task.new)[task.col]
    reached = np.zeros(len(task.demands), dtype=bool)
    reached[task.row[usable]] = True
    out = task.demands[task.needs & ~reached]
    beyond = task.beyond[task.beyond["demand"].isin(out) & task.beyond["site"].isin(task.sites[~task.banned])]
    beyond = beyond.sort_values(["cost", "site"], kind="stable").drop_duplicates("demand").set_index("demand")
    return beyond[["site", "cost"]].reindex(out)


def _unreachable_text(task: _Task, out: pd.DataFrame) -> str:
    def one(demand: Hashable, site: Any, cost: float) -> str:
        if np.isnan(cost):
            return f"{demand}（走不到任何候选点）"
        return f"{demand}（最近的候选点 {site}，{cost:,.1f} {task.unit}".rstrip() + "）"

    first = [one(*row) for row in out.head(8).itertuples(name=None)]
    more = f"，等 {len(out)} 处" if len(out) > 8 else ""
    limit = "" if task.siting.limit is None else f" {task.siting.limit:g} {task.unit}".rstrip() + "内"
    return f"{len(out)} 处需求{limit}没有候选点够得着：{'、'.join(first)}{more}。放宽距离，或在它们附近加候选点"


def _too_few(task: _Task) -> SitingError:
    """Everybody can be reached, but not by so few sites: say how many it takes."""
    free = replace(task.siting, model="lscp", budget=None, costs=None, spacing_m=0.0, capacity=None)
    loose = task._replace(siting=free, n=None, price=None, conflicts=np.empty((0, 2), dtype=np.int64), capacity=None)
    fewest = _full_cover(loose, ())
    if fewest is not None and task.n is not None and len(fewest.chosen) > task.n:
        return SitingError(f"{task.n} 处不够：要让所有需求都够得着，至少要 {len(fewest.chosen)} 处")
    if task.capacity is not None:
        total = float(np.nansum(task.weight))
        return SitingError(f"规模不够：需求共 {total:,.10g}，选出的几处装不下；加大规模或多选几处")
    return SitingError(_not_found_text(task))
