"""
A siting question at the door: what is asked (`Siting`), the tables checked and put into numbers (`Task`), and an eye on a long
solve (`Watch`).
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array

from ..access import TOLERANCE_MIN
from ..core import TOLERANCE_M, SitingError, UnknownNameError, is_above_zero, is_whole, per_cent, say, well_made

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult

MODELS = ("mclp", "lscp", "p_median", "p_center")
MODEL_LABELS = {
    "mclp": "增加 n 处，新增覆盖最多",
    "lscp": "最少几处能全部覆盖",
    "p_median": "总路程最短",
    "p_center": "最远的人走得最近",
}
#: The solver works in slices of seconds, each this many times longer than the one before: an interrupted solve has what
#: the last whole slice found.
FIRST_SLICE_S, SLICE_GROWTH = 4.0, 4.0

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Progress = Callable[[str], None]
#: Works for at most so many seconds.
Solver = Callable[[float], "OptimizeResult"]


@well_made
@dataclass(frozen=True)
class Siting:
    """
    What is asked of new sites.

    Parameters
    ----------
    model
        "mclp": `n` sites that bring most people within the limit; "lscp": the fewest that bring everybody there; "p_median":
        the least walk of all together; "p_center": the least walk of whoever has the longest.
    limit
        Within reach means at most this, in the unit of the cost table (metres or minutes). None: every pair in the
        table; in `sites`, the limit of the kind's rule.
    weight
        Column that demand is weighted with: of the table of weights in `xinhe_geo.siting.models.solve`; in `sites` people,
        people_60plus, area_m2, homes or community, by default the denominator of the kind's rule.
    ties
        Column of people by which plans that are equal are told apart, most of them first: of that table of weights in
        `solve` (None: nothing tells them apart but the mean walk), for "mclp": by the other models everybody is reached; in `sites`
        people or people_60plus, by default those whom the kind is for.
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
    ties: str | None = None
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
            if value is not None and not (value == 0 or is_above_zero(value)):
                raise SitingError(say("{0} 要是不小于 0 的数：{1:.40}", name, repr(value)))
        if self.plans < 1:
            raise SitingError(say("plans 至少是 1：{0}", self.plans))
        if self.budget is not None and self.costs is None:
            raise SitingError(say("给了预算 budget，还要用 costs（命令里是 --price）给出每处候选点的造价"))
        both = [str(s) for s in self.locked if s in self.banned]
        if both:
            raise SitingError(say("既锁定又禁用：{0}", say("、").join(both)))


class Sites(NamedTuple):
    """
    What is known of the sites besides what they cost to reach.

    Attributes
    ----------
    ids
        All sites, where some reach nobody and are therefore not in the table of costs.
    metres
        MultiIndex (site, site), one column in metres, either order; pairs farther apart than anything asks about may be
        absent. Needed for `spacing_m` and `apart_m`.
    """

    ids: Sequence[Hashable] = ()
    metres: pd.DataFrame | pd.Series | None = None


class Watch:
    """Keeps an eye on a long solve: says how far it is, and remembers that somebody pressed Ctrl-C."""

    def __init__(self, tell: Progress | None) -> None:
        self.tell = tell or (lambda _: None)
        self.stopped = False

    @contextmanager
    def until_stopped(self) -> Iterator[None]:
        """
        Note Ctrl-C instead of breaking off, so that what is at work ends where it has something to show; a second one breaks off.

        Within work that is watched itself (a solve in a search over many promises) that work is stopped, too. Outside the main
        thread nothing can be noted, and nothing is changed.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def note(number: int, frame: FrameType | None) -> None:
            if self.stopped:
                raise KeyboardInterrupt
            for watch in _WATCHING:
                watch.stopped = True
            self.tell(say("停下来，取目前最好的方案"))

        before = signal.signal(signal.SIGINT, note)
        _WATCHING.append(self)
        try:
            yield
        finally:
            _WATCHING.remove(self)
            signal.signal(signal.SIGINT, signal.default_int_handler if before is None else before)

    def run(self, solver: Solver, nodes: int | None) -> OptimizeResult | None:
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
            gap = (
                ""
                if result.mip_gap is None or not np.isfinite(result.mip_gap)
                else say("，差距 {0}", per_cent(result.mip_gap))
            )
            self.tell(say("求解 {0:.0f} 秒{1}；继续（Ctrl-C 取目前最好的方案）", seconds, gap))
            seconds *= SLICE_GROWTH
        return last

    def _slice(self, solver: Solver, seconds: float) -> OptimizeResult | None:
        found: list[OptimizeResult] = []
        thread = threading.Thread(target=lambda: found.append(solver(seconds)), daemon=True)
        try:
            thread.start()
            while thread.is_alive():
                thread.join(0.2)
                if self.stopped:  # noted by `until_stopped`
                    return None
        except KeyboardInterrupt:
            self.stopped = True
            return None
        return found[0]


#: Who notes Ctrl-C now, outermost first.
_WATCHING: list[Watch] = []


class Task(NamedTuple):
    """A siting question in numbers: demands and sites are positions in sorted lists of their ids."""

    demands: pd.Index
    sites: pd.Index
    row: Ints  # pairs within the limit, sorted by (row, col)
    col: Ints
    cost: Floats
    beyond: pd.DataFrame  # pairs beyond the limit: demand, site, cost
    weight: Floats  # NaN where not known
    people: Floats  # by whom equal plans are told apart; 0 where nothing tells them apart, or not known
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
    watch: Watch
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


class Found(NamedTuple):
    """A plan, what it is worth, and the proven bound."""

    chosen: Ints  # positions of the new sites, sorted
    objective: float
    bound: float


def task_of(
    costs: pd.DataFrame | pd.Series,
    weights: pd.DataFrame | pd.Series | None,
    n: int | None,
    siting: Siting,
    known: Sites,
    watch: Watch,
) -> Task:
    """Check what is asked, and put it into numbers; parameters as in `models.solve`."""
    table = tidy_costs(costs)
    given = _weights(weights, siting.weight, siting)
    asking, offered = (table[end].unique().tolist() for end in ("demand", "site"))
    demands = pd.Index(in_order([*asking, *given.index] if weights is not None else asking), name="demand")
    weight = np.ones(len(demands)) if weights is None else given.reindex(demands).to_numpy(dtype=float)
    people = np.zeros(len(demands))
    if siting.ties is not None:
        if not isinstance(weights, pd.DataFrame):
            raise SitingError(say("并列时按“{0}”排，权重要是有这一列的表", siting.ties))
        if siting.model == "mclp":  # by the others everybody is reached: all plans serve the same people
            people = np.nan_to_num(_weights(weights, siting.ties, siting).reindex(demands).to_numpy(dtype=float))
    for values in (weight, people):
        if (values < 0).any() or np.isinf(values).any():
            raise SitingError(say("权重必须是不小于 0 的数：{0}", some(demands[(values < 0) | np.isinf(values)])))
    sites = pd.Index(in_order([*offered, *known.ids, *siting.existing]), name="site")
    _check_n(n, siting, sites, known_sites={*offered, *known.ids})
    within = np.ones(len(table), dtype=bool)
    if siting.limit is not None:
        within = (table["cost"] <= siting.limit + tolerance(costs)).to_numpy()
    row, col = demands.get_indexer(pd.Index(table["demand"])), sites.get_indexer(pd.Index(table["site"]))
    order = np.lexsort((col, row))
    order = order[within[order]]
    conflicts, close = _neighbours(sites, siting, known.metres)
    existing, locked, banned = (sites.isin(list(v)) for v in (siting.existing, siting.locked, siting.banned))
    return Task(
        demands=demands,
        sites=sites,
        row=row[order].astype(np.int64),
        col=col[order].astype(np.int64),
        cost=table["cost"].to_numpy(dtype=float)[order],
        beyond=table[~within],
        weight=weight,
        people=people,
        existing=existing,
        locked=locked,
        banned=banned,
        n=n,
        price=_per_site(sites, siting.costs, say("造价"), siting.existing),
        capacity=_per_site(sites, siting.capacity, say("规模")),
        conflicts=conflicts,
        close=close,
        unit={"metres": say("米"), "minutes": say("分钟")}.get(_column(costs), ""),
        siting=siting,
        watch=watch,
        lost=pd.DataFrame({"site": [], "cost": [], "weight": []}),
    )


def without_lost(task: Task) -> Task:
    """Let nobody stand behind demands that no site can reach, where that is allowed."""
    if not task.siting.leave_out or task.siting.model == "mclp":
        return task
    lost = unreachable(task)
    place = task.demands.get_indexer(lost.index)
    weight = task.weight.copy()
    weight[place] = 0.0
    return task._replace(weight=weight, lost=lost.assign(weight=task.weight[place]))


def unreachable(task: Task) -> pd.DataFrame:
    """Return the demands that no site which may be used reaches within the limit, with the nearest beyond it."""
    usable = (task.existing | task.new)[task.col]
    reached = np.zeros(len(task.demands), dtype=bool)
    reached[task.row[usable]] = True
    out = task.demands[task.needs & ~reached]
    beyond = task.beyond[task.beyond["demand"].isin(out) & task.beyond["site"].isin(task.sites[~task.banned])]
    beyond = beyond.sort_values(["cost", "site"], kind="stable").drop_duplicates("demand").set_index("demand")
    return beyond[["site", "cost"]].reindex(out)


def _check_n(n: int | None, siting: Siting, sites: pd.Index, known_sites: set[Hashable]) -> None:
    for label in (*siting.locked, *siting.banned, *siting.existing):
        if label not in known_sites:
            raise UnknownNameError("候选点", str(label), [str(s) for s in sites if s in known_sites])
    if n is None:
        if siting.model != "lscp" and siting.budget is None:
            raise SitingError(say("“{0}”要给 n（新增几处）", say(MODEL_LABELS[siting.model])))
    elif not is_whole(n) or n < 1:
        raise SitingError(say("n（新增几处）必须是不小于 1 的整数，如 2：{0:.40}", repr(n)))
    elif len(set(siting.locked) - set(siting.existing)) > n:
        raise SitingError(say("锁定了 {0} 处，多于要选的 {1} 处", len(siting.locked), n))


def tidy_costs(costs: pd.DataFrame | pd.Series) -> pd.DataFrame:
    """Return columns demand, site, cost; pairs without a cost are left out."""
    index = costs.index
    if not isinstance(index, pd.MultiIndex) or index.nlevels != 2:
        raise SitingError(say("代价表的索引必须是 (demand, site) 两级"))
    if isinstance(costs, pd.DataFrame) and costs.shape[1] != 1:
        raise SitingError(say("代价表只能有一列，现在是 {0}", list(costs.columns)))
    values = (costs.iloc[:, 0] if isinstance(costs, pd.DataFrame) else costs).to_numpy(dtype=float)
    table: pd.DataFrame = pd.DataFrame(
        {"demand": index.get_level_values(0), "site": index.get_level_values(1), "cost": values}
    )
    table = table.dropna()
    if np.isinf(table["cost"]).any():
        raise SitingError(say("代价不能是无穷大；到不了的就不要那一行"))
    if (table["cost"] < 0).any():
        raise SitingError(say("代价不能是负数"))
    twice = table.duplicated(["demand", "site"])
    if twice.any():
        demand, site = table.loc[twice, ["demand", "site"]].iloc[0]
        raise SitingError(say("代价表里 ({0}, {1}) 出现了两次", demand, site))
    return table


def _column(costs: pd.DataFrame | pd.Series) -> str:
    return str(costs.columns[0] if isinstance(costs, pd.DataFrame) else costs.name)


def tolerance(costs: pd.DataFrame | pd.Series) -> float:
    """Return how much more than the limit still counts as within, in the unit of the costs."""
    return TOLERANCE_MIN if _column(costs) == "minutes" else TOLERANCE_M


def _weights(weights: pd.DataFrame | pd.Series | None, column: str | None, siting: Siting) -> pd.Series:
    if weights is None:
        return pd.Series(dtype="float64")
    if isinstance(weights, pd.DataFrame):
        others = [str(c) for c in weights.columns if c != siting.ties]
        name = column or (others[0] if len(others) == 1 else "")
        if name not in weights.columns:
            raise UnknownNameError("权重列", name, [str(c) for c in weights.columns])
        weights = weights[name]
    if weights.index.has_duplicates:
        raise SitingError(say("权重表里有重复的编号：{0}", some(weights.index[weights.index.duplicated()])))
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
    wrong = ~np.isfinite(values) | (values < 0)
    if wrong.any():
        bad = sites[wrong]
        raise SitingError(say("每处候选点都要有不小于 0 的{0}；缺或不对的：{1}", what, some(bad)))
    return values


def _neighbours(
    sites: pd.Index, siting: Siting, distances: pd.DataFrame | pd.Series | None
) -> tuple[Ints, csr_array | None]:
    """Return pairs closer than the spacing, and the matrix of sites that count as the same place."""
    none = np.empty((0, 2), dtype=np.int64)
    if not (siting.spacing_m or siting.apart_m):
        return none, None
    if distances is None:
        raise SitingError(say("要求间距 spacing_m 或 apart_m 时，要给候选点之间的距离 Sites.metres"))
    table = tidy_costs(distances)
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
    return say("、").join(names[:most]) + (say(" 等 {0} 处", len(names)) if len(names) > most else "")
