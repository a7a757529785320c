"""
Where new facilities close most of the gap: exact optima with proof, and the plans that are nearly as good.

`solve` works on a plain table of costs between demands and sites; `sites` makes that table for a district, between the
same doors and by the same rule that coverage counts with, so that what it promises is what coverage finds once the
sites are there. Four questions:

=========  ===========  ================================================================================
mclp       最大覆盖     `n` more sites: which ones bring most weight within the limit (the default)
lscp       全覆盖       the fewest (or cheapest) sites that bring everybody within the limit
p_median   总路程最短   `n` more sites: least weight x cost in all, everybody to the nearest
p_center   最远者最近   `n` more sites: least cost of whoever is farthest
=========  ===========  ================================================================================

Church and ReVelle 1974; Toregas et al. 1971; ReVelle and Swain 1970; Hakimi 1964. Solved with HiGHS (scipy).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array
from scipy.spatial import cKDTree

from .coverage import TOLERANCE_MIN, coverage, presence
from .district import District
from .errors import SitingError, UnknownNameError
from .layers import BASES, DEMONSTRATION
from .reach import _same_compound, facility_doors, hinge, home_doors, home_points
from .values import METHOD_LABELS, TOLERANCE_M, Profile, Rule

MODELS = ("mclp", "lscp", "p_median", "p_center")
MODEL_LABELS = {
    "mclp": "增加 n 处，新增覆盖最多",
    "lscp": "最少几处能全部覆盖",
    "p_median": "总路程最短",
    "p_center": "最远的人走得最近",
}
WEIGHTS = ("people", "people_60plus", "area_m2", "homes", "community")
#: One candidate per cell of this size: the point of a public street nearest to its middle.
GRID_M = 150.0
#: `sites` calls two plans different only when some site of one lies farther than this from every site of the other.
APART_M = 300.0
#: Streets are sampled at this spacing for the grid of candidates.
SAMPLE_M = 10.0
#: A place beside a street without a name is told by a named one this near.
NEAR_STREET_M = 300.0
#: What the solver calls proven may differ from the objective counted afresh by rounding.
ROUNDING = 1e-7
#: Largest coefficient handed to the solver: its tolerances are absolute.
SCALE = 1e4

Labels = tuple[Hashable, ...]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


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
        The new sites together cost at most `budget`; `costs` gives the price of each site. With a budget `n` is the
        greatest number.
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
    """

    model: str = "mclp"
    limit: float | None = None
    weight: str | None = None
    locked: Sequence[Hashable] = ()
    banned: Sequence[Hashable] = ()
    existing: Sequence[Hashable] = ()
    spacing_m: float = 0.0
    budget: float | None = None
    costs: Mapping[Hashable, float] | None = None
    capacity: float | Mapping[Hashable, float] | None = None
    within: float = 0.02
    plans: int = 5
    apart_m: float | None = None
    gap: float = 0.0
    nodes: int | None = None

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

    Returns
    -------
    plans
        Index `plan` (1 is the best). Columns `sites` (tuple of new sites), `objective` (mclp: weight within the limit,
        existing sites included; lscp: number or price of new sites; p_median: sum of weight x cost; p_center: greatest
        cost), `bound` (proven: no plan can be better), `gap` (their relative difference), `proven`, `covered` (weight
        within the limit), `share` (of the known weight), `mean`, `worst` (cost to the nearest site, mean weighted;
        missing with capacities, where not everybody goes to the nearest), `price` (missing without `siting.costs`),
        `unknown`, `unknown_covered` (demands of unknown weight, and those of them within the limit). Objectives are
        counted afresh from the costs, not taken from the solver. Equal plans: the one nearer on average first.

    Raises
    ------
    SitingError
        It cannot be done; says why, and `.uncovered` lists demands no site can reach and how far their nearest is.
    UnknownNameError
        A locked, banned or existing site that is not a candidate.
    """
    task = _task(costs, weights, n, siting, site_distances, candidates)
    found: list[_Found] = []
    cuts: list[Flags] = []
    while len(found) < siting.plans:
        plan = _optimum(task, cuts)
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
        raise UnknownNameError("候选点", str(missing[0]), [str(s) for s in _sorted(table["site"].unique())])
    demands = pd.Index(_sorted(table["demand"].unique()), name="demand")
    rank = {site: i for i, site in enumerate(_sorted(wanted))}
    own = table[table["site"].isin(wanted)]
    if limit is not None:
        own = own[(own["cost"] <= limit + _tolerance(costs)).to_numpy()]
    own = own.assign(rank=own["site"].map(rank)).sort_values(["cost", "rank"], kind="stable")
    return own.drop_duplicates("demand").set_index("demand")[["site", "cost"]].reindex(demands)


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
) -> _Task:
    table = _tidy_costs(costs)
    known = _weights(weights, siting)
    candidates = list(candidates or ())
    demands = pd.Index(_sorted([*table["demand"].unique(), *known.index]) if weights is not None else
                       _sorted(table["demand"].unique()), name="demand")  # fmt: skip
    weight = np.ones(len(demands)) if weights is None else known.reindex(demands).to_numpy(dtype=float)
    if (weight < 0).any() or np.isinf(weight).any():
        raise SitingError(f"权重必须是不小于 0 的数：{_some(demands[(weight < 0) | np.isinf(weight)])}")
    sites = pd.Index(_sorted([*table["site"].unique(), *candidates, *siting.existing]), name="site")
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
        existing=existing, locked=locked, banned=banned, n=n, price=_per_site(sites, siting.costs, "造价"),
        capacity=_per_site(sites, siting.capacity, "规模"), conflicts=conflicts, close=close,
        unit={"metres": "米", "minutes": "分钟"}.get(_column(costs), ""), siting=siting,
    )  # fmt: skip


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
        raise SitingError(f"权重表里有重复的编号：{_some(weights.index[weights.index.duplicated()])}")
    return weights.astype("float64")


def _per_site(sites: pd.Index, given: float | Mapping[Hashable, float] | None, what: str) -> Floats | None:
    if given is None:
        return None
    each = given if isinstance(given, (Mapping, pd.Series)) else dict.fromkeys(sites, given)
    values = np.array([float(each.get(site, np.nan)) for site in sites])
    if np.isnan(values).any() or (values < 0).any():
        bad = sites[np.isnan(values) | (values < 0)]
        raise SitingError(f"每处候选点都要有不小于 0 的{what}；缺或不对的：{_some(bad)}")
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


def _sorted(labels: Iterable[Hashable]) -> list[Hashable]:
    """Return labels once each in an order that does not depend on that of the rows."""
    unique = list(dict.fromkeys(labels))
    try:
        return sorted(unique)  # type: ignore[type-var]
    except TypeError:
        return sorted(unique, key=lambda v: (type(v).__name__, str(v)))


def _some(labels: Iterable[Hashable], most: int = 8) -> str:
    names = [str(v) for v in labels]
    return "、".join(names[:most]) + (f" 等 {len(names)} 处" if len(names) > most else "")


# --- the programmes --------------------------------------------------------------------------------------------------


class _Programme:
    """A mixed-integer programme being written down: sites first, then whatever the model adds; sparse rows."""

    def __init__(self, task: _Task, kept: Flags, more: int = 0) -> None:
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
        done = milp(
            objective * scale, integrality=whole, bounds=Bounds(self.low, self.high), constraints=rows, options=options
        )
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


def _optimum(task: _Task, cuts: Sequence[Flags]) -> _Found | None:
    """Return the best plan that is none of those cut off, or None where there is none."""
    if task.siting.model == "p_center":
        return _center(task, cuts)
    if task.capacity is not None or task.siting.model == "p_median":
        return _assigned(task, cuts)
    return _max_cover(task, cuts) if task.siting.model == "mclp" else _full_cover(task, cuts)


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
    total, covered = float(known.sum()), float(known[reached].sum())
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
        "unknown": int(unknown.sum()),
        "unknown_covered": int((unknown & reached).sum()),
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


# --- for a district --------------------------------------------------------------------------------------------------


class _Case(NamedTuple):
    """What `sites` works on."""

    district: District
    kind: str
    rule: Rule
    walker: Profile
    cover: pd.DataFrame  # index home: what is served today
    points: gpd.GeoDataFrame
    doors: pd.DataFrame  # of the points
    spots: gpd.GeoDataFrame  # candidates; index site
    targets: pd.DataFrame  # doors of the candidates
    weight: str


class _Table(NamedTuple):
    """A cost table, and what each demand in it stands for."""

    costs: pd.DataFrame
    weights: pd.Series
    siting: Siting
    units: pd.DataFrame  # rows: demand, home, share (of the home) that gains when the demand is reached
    reached: pd.DataFrame  # rows: demand, site that serves it by the rule
    gain: pd.Series  # index demand: weight that gains, missing where not known
    total: float  # known weight of the district, served or not


def sites(
    district: District,
    kind: str,
    n: int | None = None,
    *,
    candidates: gpd.GeoDataFrame | gpd.GeoSeries | None = None,
    siting: Siting = _DEFAULT,
    profile: str | Profile | None = None,
    each: bool = False,
) -> gpd.GeoDataFrame:
    """
    Find where `n` more facilities of a kind serve most of those who are not served today.

    Parameters
    ----------
    district
        Facilities open in its year are there already.
    kind
        A kind, judged by its headline rule in `kinds.csv`; or a rule, for a new facility of its first kind.
    n
        How many new sites.
    candidates
        Where they may be built, any CRS, index: their ids; optional column `name`. None: `candidate_sites(district)`.
    siting
        What is asked for, in the ids of the candidates. Its limit replaces the rule's.
    profile
        Who walks, instead of the rule's own profile.
    each
        All plans within `siting.within` of the best, one row per plan and site, instead of the best alone.

    Returns
    -------
    chosen
        Index `site`, or (`plan`, `site`) where `each`; most gained first. Columns `plan`, `rank`, `name`, `kind`,
        `rule`, `label`, `method`, `profile`, `weight` (what was weighed), `community`, `zone`; `people_gained`,
        `people_60plus_gained`, `area_m2_gained`, `homes_gained`, `communities_gained` (what this site adds to those
        before it; communities in which somebody gains, or that get their first facility), the same as `…_cumulative`;
        `homes_unknown` (homes that gain and whose people are not known), `share_before`, `share_after` (0-1 of the
        known weight, after this site and those before it); `objective`, `bound`, `gap`, `proven` of the whole plan;
        `basis` (weakest input), `mark` (演示值（不作结论） or empty), `reason`, `near_ties` (Chinese), geometry in the
        district's CRS. `coverage` finds `share_after` once the sites are there.

    Notes
    -----
    With "mclp" and "lscp" every point of a home is a demand. With "p_median" and "p_center" a home goes to one facility
    as a whole, by the mean (or greatest) cost of its points, and facilities of today take part.

    Raises
    ------
    SitingError
        It cannot be done; says why.
    UnknownNameError
        No such kind, rule, profile or candidate.
    """
    case = _case(district, kind, candidates, siting, profile)
    distances = _distances(case, siting)
    siting = siting if siting.apart_m is not None else replace(siting, apart_m=APART_M)
    if case.rule.metric == "presence":
        table = _community_table(case, siting)
    elif siting.model in ("mclp", "lscp"):
        table = _point_table(case, siting)
    else:
        table = _home_table(case, siting)
    plans = solve(
        table.costs, table.weights, n, siting=table.siting, site_distances=distances,
        candidates=[*case.spots.index, *table.siting.existing],
    )  # fmt: skip
    ties = _near_ties(plans, siting)
    parts = [_explain(case, table, plan) for plan in plans.itertuples()]
    frame = pd.concat(parts if each else parts[:1])
    frame["near_ties"] = ties
    frame = gpd.GeoDataFrame(frame, geometry=case.spots.geometry.reindex(frame.index).array, crs=district.crs)
    return frame.set_index("plan", append=True, drop=False).swaplevel() if each else frame


def candidate_sites(
    district: District, *, spacing_m: float = GRID_M, extra: gpd.GeoDataFrame | gpd.GeoSeries | None = None
) -> gpd.GeoDataFrame:
    """
    Propose where something could be built: evenly along the public streets, in every parcel, and where asked.

    Parameters
    ----------
    spacing_m
        One candidate per cell of this size that a public street runs through: the street point nearest to its middle.
    extra
        More places, any CRS, index: their ids; optional column `name`.

    Returns
    -------
    spots
        Index `site`; columns `name` (street, parcel or own name, may be missing), `origin` (street, parcel, given);
        geometry in the district's CRS. Inside the district's outline where it has one.
    """
    parts = [_street_grid(district, spacing_m)]
    parcels = district.parcels
    if parcels is not None and not parcels.empty:
        inside = shapely.point_on_surface(parcels.geometry.array)
        parts.append(_spots(parcels.index, parcels["name"].array, "parcel", inside, district.crs))
    if extra is not None:
        parts.append(_given_spots(district, extra))
    spots = pd.concat(parts)
    twice = spots.index[spots.index.duplicated()]
    if len(twice):
        raise SitingError(f"候选点编号重复：{_some(twice)}；换一个编号")
    return gpd.GeoDataFrame(spots, geometry="geometry", crs=district.crs)


def _spots(index: Any, names: Any, origin: str, points: Any, crs: Any) -> gpd.GeoDataFrame:
    frame = pd.DataFrame({"name": pd.array(names, dtype="str"), "origin": origin}, index=pd.Index(index, name="site"))
    return gpd.GeoDataFrame(frame, geometry=np.asarray(points, dtype=object), crs=crs)


def _given_spots(district: District, given: gpd.GeoDataFrame | gpd.GeoSeries) -> gpd.GeoDataFrame:
    if given.crs is None:
        raise SitingError("候选点没有声明坐标系；先用 set_crs 声明")
    if given.index.has_duplicates:
        raise SitingError(f"候选点编号重复：{_some(given.index[given.index.duplicated()])}")
    names = given["name"].array if isinstance(given, gpd.GeoDataFrame) and "name" in given.columns else None
    names = np.full(len(given), np.nan) if names is None else names
    return _spots(given.index, names, "given", given.geometry.to_crs(district.crs).array, district.crs)


def _street_grid(district: District, spacing_m: float) -> gpd.GeoDataFrame:
    if not spacing_m > 0:
        raise SitingError(f"候选点间距必须大于 0：{spacing_m}")
    edges = district.network.edges
    edges = edges[edges["home"].isna().to_numpy() & ~edges["steps"].to_numpy(dtype=bool)]
    count = np.maximum(np.ceil(edges["length_m"].to_numpy() / SAMPLE_M), 1).astype(np.int64)
    edge = np.repeat(np.arange(len(edges)), count)
    step = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count)
    points = shapely.line_interpolate_point(
        np.asarray(edges.geometry.array)[edge], (step + 0.5) / count[edge], normalized=True
    )
    xy = shapely.get_coordinates(points)
    if district.boundary is not None:
        outline = shapely.union_all(district.boundary.geometry.array)
        shapely.prepare(outline)
        inside = shapely.intersects_xy(outline, xy)
        points, xy, edge = points[inside], xy[inside], edge[inside]
    cell = np.floor(xy / spacing_m).astype(np.int64)
    off = np.hypot(*(xy - (cell + 0.5) * spacing_m).T)
    order = np.lexsort((edge, off, cell[:, 0], -cell[:, 1]))  # north to south, west to east, the middle first
    first = np.r_[True, (np.diff(cell[order], axis=0) != 0).any(axis=1)] if len(order) else np.zeros(0, dtype=bool)
    best = order[first]
    labels = [f"c{i + 1:04d}" for i in range(len(best))]
    return _spots(labels, edges["name"].to_numpy(dtype=object)[edge[best]], "street", points[best], district.crs)


def _case(
    district: District,
    kind: str,
    candidates: gpd.GeoDataFrame | gpd.GeoSeries | None,
    siting: Siting,
    profile: str | Profile | None,
) -> _Case:
    """Put together what today looks like; refuse where it is not known."""
    own, rule = _rule_for(district, kind)
    if siting.limit is not None:
        limit = "minutes" if rule.method == "walk_min" else "metres"
        rule = replace(rule, **{limit: siting.limit})  # type: ignore[arg-type]
    if district.homes is None or district.homes.empty:
        raise SitingError("没有小区图层，不知道谁还没有服务到")
    walker = district.profile(rule.profile if profile is None else profile)
    cover = coverage(district, rules=[rule], profile=profile).droplevel("rule")
    if cover["served"].isna().all():
        labels = "、".join(str(district.kinds.loc[k, "label"]) for k in rule.kinds)
        raise SitingError(f"数据不足：不知道现在哪里有{labels}；先调查并写进 surveyed_kinds")
    spots = candidate_sites(district) if candidates is None else _given_spots(district, candidates)
    if spots.empty:
        raise SitingError("没有候选点")
    clash = spots.index[spots.index.isin(() if district.facilities is None else district.facilities.index)]
    if len(clash):
        raise SitingError(f"候选点和已有设施编号相同：{_some(clash)}；给候选点换一个编号")
    points = home_points(district)
    many = points.groupby("home")["home"].transform("size") > 1
    number = (points.groupby("home").cumcount() + 1).astype("str")
    points = points.assign(demand=points["home"].where(~many, points["home"] + "#" + number))
    doors, targets = home_doors(district), facility_doors(district, spots)
    weight = _weight_name(rule, cover, siting)
    return _Case(district, own, rule, walker, cover, points, doors, spots, targets, weight)


def _rule_for(district: District, name: str) -> tuple[str, Rule]:
    """Return the kind to be built and the rule it is judged by."""
    kinds, rules = district.kinds, district.rules
    if name in kinds.index:
        rule = kinds.loc[name, "rule"]
        if not isinstance(rule, str):
            raise SitingError(f"类别 {name} 在 kinds.csv 里没有领头规则；写上 rule，或直接给规则名")
        return name, district.rule(rule)
    if name in rules.index:
        return district.rule(name).kinds[0], district.rule(name)
    raise UnknownNameError("设施类别或规则", name, [*kinds.index, *rules.index])


def _weight_name(rule: Rule, cover: pd.DataFrame, siting: Siting) -> str:
    """Return what demand is weighed by: as asked, else the rule's denominator, else what is known instead."""
    presence_rule = rule.metric == "presence"
    if siting.weight is not None:
        allowed = WEIGHTS if presence_rule else WEIGHTS[:-1]
        if siting.weight not in allowed:
            raise UnknownNameError("权重", siting.weight, allowed)
        return siting.weight
    if presence_rule:
        return "community"
    wanted = "people" if rule.denominator == "community" else rule.denominator
    return next((c for c in (wanted, "area_m2") if cover[c].notna().any()), "homes")


def _home_values(case: _Case) -> pd.Series:
    """Return the weight of each home; missing where not known."""
    if case.weight == "homes":
        return pd.Series(1.0, index=case.cover.index)
    return case.cover[case.weight]


def _limit(rule: Rule) -> float:
    return rule.minutes if rule.method == "walk_min" else rule.metres


def _rule_tolerance(rule: Rule) -> float:
    return TOLERANCE_MIN if rule.method == "walk_min" else TOLERANCE_M


def _unit(rule: Rule) -> str:
    return "minutes" if rule.method == "walk_min" else "metres"


def _point_costs(case: _Case, points: pd.Index, targets: pd.DataFrame, limit: float, method: str) -> pd.DataFrame:
    """Return rows point, site, cost between points of homes and doors, measured as coverage measures them."""
    own = case.points.loc[points]
    if method == "buffer":
        return _straight_costs(own, targets, limit)
    walker = case.walker if method == "walk_min" else None
    doors = case.doors[case.doors["place"].isin(points)]
    found = case.district.network.pairs(doors, targets[targets["edge"] >= 0], profile=walker, limit=limit)
    rows = found.reset_index().set_axis(["point", "site", "cost"], axis=1)
    same = _same_compound(case.district, own, targets).set_axis(["point", "site", "cost"], axis=1)
    if same.empty:
        return rows
    if walker is not None:
        same["cost"] = same["cost"] / walker.speed_m_s / 60.0
    rows = pd.concat([rows, same[same["cost"] <= limit]], ignore_index=True)
    return _least(rows)


def _least(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the least cost per point and site."""
    return rows.groupby(["point", "site"])["cost"].min().to_frame().reset_index()


def _straight_costs(points: gpd.GeoDataFrame, targets: pd.DataFrame, limit: float) -> pd.DataFrame:
    here = shapely.get_coordinates(np.asarray(points.geometry.array))
    there = targets[["x", "y"]].to_numpy(dtype=float)
    if np.isinf(limit):  # of the whole extent
        limit = float(np.hypot(*(np.ptp(np.concatenate([here, there]), axis=0)))) + 1.0
    found = cKDTree(here).sparse_distance_matrix(cKDTree(there), limit, output_type="ndarray")
    rows = pd.DataFrame(
        {
            "point": np.asarray(points.index)[found["i"]],
            "site": targets["place"].to_numpy()[found["j"]],
            "cost": found["v"],
        }
    )
    return _least(rows)


def _frame_of(rows: pd.DataFrame, unit: str) -> pd.DataFrame:
    index = pd.MultiIndex.from_arrays([rows["demand"], rows["site"]], names=["demand", "site"])
    return pd.DataFrame({unit: rows["cost"].to_numpy(dtype=float)}, index=index)


def _point_table(case: _Case, siting: Siting) -> _Table:
    """Demand: the points of homes that are outside today."""
    rule, limit = case.rule, _limit(case.rule) + _rule_tolerance(case.rule)
    today = _today(case)
    outside = case.points.index[~(today <= limit).to_numpy(dtype=bool)]
    rows = _point_costs(case, outside, case.targets, limit, rule.method)
    rows["demand"] = case.points["demand"].reindex(rows["point"]).to_numpy()
    there = rows[rows["site"].isin(siting.existing)]["demand"].unique()
    own = case.points.loc[outside]
    own, rows = own[~own["demand"].isin(there)], rows[~rows["demand"].isin(there)]
    table = rows
    if siting.model == "lscp":  # tell how far the nearest is from those nothing reaches
        lost = own.index[~own["demand"].isin(rows["demand"]).to_numpy()]
        far = _point_costs(case, lost, case.targets, np.inf, rule.method)
        far["demand"] = case.points["demand"].reindex(far["point"]).to_numpy()
        table = pd.concat([rows, far], ignore_index=True)
    weights = _point_values(case, own)
    return _Table(
        _frame_of(table, _unit(rule)), weights, replace(siting, limit=_limit(rule)), _units(own),
        rows[["demand", "site"]], weights, float(_home_values(case).sum()),
    )  # fmt: skip


def _units(points: gpd.GeoDataFrame) -> pd.DataFrame:
    return pd.DataFrame({"demand": points["demand"], "home": points["home"], "share": points["weight"]})


def _point_values(case: _Case, points: gpd.GeoDataFrame) -> pd.Series:
    """Return the weight of each point, index demand; missing where not known."""
    values = _home_values(case).reindex(points["home"]).to_numpy(dtype=float) * points["weight"].to_numpy()
    return pd.Series(values, index=pd.Index(points["demand"]))


def _today(case: _Case) -> pd.Series:
    """Return the cost of each point to the nearest facility of today, by the rule's own method."""
    column = {"buffer": "straight_metres", "network_m": "metres", "walk_min": "minutes"}[case.rule.method]
    table = hinge(case.district, case.rule.kinds, profile=case.walker)[column]
    return table.groupby(level="point").min().reindex(case.points.index)


def _home_table(case: _Case, siting: Siting) -> _Table:
    """Demand: all homes, as wholes; facilities of today are there."""
    rule, method = case.rule, case.rule.method
    facilities = case.district.open_facilities
    own = None if facilities is None else facilities[facilities["kind"].isin(rule.kinds).to_numpy()]
    targets, there = case.targets, []
    if own is not None and not own.empty:
        targets, there = pd.concat([targets, facility_doors(case.district, own)], ignore_index=True), list(own.index)
    rows = _point_costs(case, case.points.index, targets, np.inf, method)
    rows["home"] = case.points["home"].reindex(rows["point"]).to_numpy()
    rows["part"] = case.points["weight"].reindex(rows["point"]).to_numpy() * rows["cost"]
    groups = rows.groupby(["home", "site"])
    cost = groups["part"].sum() if siting.model == "p_median" else groups["cost"].max()
    size = case.points.groupby("home").size()
    whole = groups.size() == size.reindex(cost.index.get_level_values("home")).to_numpy()
    costs = cost[whole].to_frame(_unit(rule))
    costs.index = costs.index.set_names(["demand", "site"])
    limit = _limit(rule) + _rule_tolerance(rule)
    served = set(rows.loc[rows["site"].isin([*there, *siting.existing]) & (rows["cost"] <= limit), "point"])
    outside = case.points[~case.points.index.isin(served)]
    near = rows[rows["point"].isin(outside.index) & (rows["cost"] <= limit)]
    reached = pd.DataFrame(
        {"demand": case.points["demand"].reindex(near["point"]).to_numpy(), "site": near["site"].to_numpy()}
    )
    values = _home_values(case)
    return _Table(
        costs, values, replace(siting, limit=None, existing=(*siting.existing, *there)), _units(outside), reached,
        _point_values(case, outside), float(values.sum()),
    )  # fmt: skip


def _community_table(case: _Case, siting: Siting) -> _Table:
    """Demand: communities without a facility; a site serves the one it stands in. Costs only choose among its sites."""
    if siting.model not in ("mclp", "lscp"):
        raise SitingError("按“每个社区有一处”承诺的类别，只能问 mclp（n 处补哪些社区）或 lscp（补齐要几处）")
    district, rule = case.district, case.rule
    matrix = presence(district)
    lacks = matrix.index[(matrix.reindex(columns=list(rule.kinds), fill_value=0).sum(axis=1) == 0).to_numpy()]
    where = district.locate(case.spots)["community"]
    lacks = lacks[~lacks.isin(where[where.index.isin(siting.existing)])]
    inside = where[where.isin(lacks)]
    far = 2.0 * rule.minutes
    cost = pd.Series(far, index=inside.index).to_frame("cost").assign(demand=inside)
    homes = case.cover["community"]
    points = case.points.index[case.points["home"].map(homes).isin(lacks).to_numpy()]
    if len(points) and len(inside):
        targets = case.targets[case.targets["place"].isin(inside.index)]
        cost["cost"] = _mean_minutes(case, points, targets, inside, far)
    rows = cost.rename_axis("site").reset_index()
    units = pd.DataFrame({"demand": homes, "home": homes.index, "share": 1.0})[homes.isin(lacks).to_numpy()]
    if case.weight == "community":
        weights, total = pd.Series(1.0, index=lacks), float(len(matrix))
    else:
        values = _home_values(case)
        weights = values.groupby(homes).sum(min_count=1).reindex(lacks)
        total = float(values[homes.notna()].sum())
    return _Table(_frame_of(rows, "minutes"), weights, replace(siting, limit=None), units, rows[["demand", "site"]],
                  weights, total)  # fmt: skip


def _mean_minutes(case: _Case, points: pd.Index, targets: pd.DataFrame, community: pd.Series, far: float) -> pd.Series:
    """Return how long residents of a site's community walk to it on average; nobody counts as farther than `far`."""
    own = case.points.loc[points]
    people = case.cover["people"].reindex(own["home"]).fillna(0.0).to_numpy() * own["weight"].to_numpy()
    own = pd.DataFrame({"community": own["home"].map(case.cover["community"]), "people": people}, index=points)
    silent = own.groupby("community")["people"].transform("sum") == 0
    own["people"] = own["people"].where(~silent, 1.0)
    rows = _point_costs(case, points, targets, far, "walk_min")
    rows["community"] = own["community"].reindex(rows["point"]).to_numpy()
    rows = rows[(rows["community"] == community.reindex(rows["site"]).to_numpy()).to_numpy()]
    saved = (far - rows["cost"]) * own["people"].reindex(rows["point"]).to_numpy()
    saved = saved.groupby(rows["site"]).sum().reindex(community.index, fill_value=0.0)
    total = own.groupby("community")["people"].sum().reindex(community).fillna(1.0).to_numpy()
    mean: pd.Series = far - saved / total
    return mean


def _distances(case: _Case, siting: Siting) -> pd.DataFrame:
    """
    Return the pairs of candidates near enough to matter, in metres.

    For a kind promised to every community, plans that differ only within a community are not different ones unless
    asked for: its sites count as one place.
    """
    spots = case.spots
    xy = shapely.get_coordinates(shapely.point_on_surface(np.asarray(spots.geometry.array)))
    far = max(siting.spacing_m, APART_M if siting.apart_m is None else siting.apart_m)
    pairs = cKDTree(xy).query_pairs(far, output_type="ndarray")
    metres = np.hypot(*(xy[pairs[:, 0]] - xy[pairs[:, 1]]).T)
    if case.rule.metric == "presence" and siting.apart_m is None and not siting.spacing_m:
        where = case.district.locate(spots)["community"]
        code = pd.factorize(where)[0]
        a, b = np.nonzero((code[:, None] == code[None, :]) & (code >= 0)[:, None])
        pairs = np.column_stack([a, b])[a < b]
        metres = np.zeros(len(pairs))
    index = pd.MultiIndex.from_arrays([spots.index[pairs[:, 0]], spots.index[pairs[:, 1]]])
    return pd.DataFrame({"metres": metres}, index=index)


# --- and in words ----------------------------------------------------------------------------------------------------

_AMOUNTS = ("people", "people_60plus", "area_m2", "homes")
COLUMNS = (
    "plan", "rank", "name", "kind", "rule", "label", "method", "profile", "weight", "community", "zone",
    *(f"{c}_gained" for c in (*_AMOUNTS, "communities")), *(f"{c}_cumulative" for c in (*_AMOUNTS, "communities")),
    "homes_unknown", "share_before", "share_after", "objective", "bound", "gap", "proven", "basis", "mark", "reason",
)  # fmt: skip


def _explain(case: _Case, table: _Table, plan: Any) -> pd.DataFrame:
    """Return the rows of one plan, one per site in the order of what each adds."""
    facts = case.cover.assign(homes=1.0)[[*_AMOUNTS, "community"]]
    units = table.units.reset_index(drop=True).join(facts, on="home")
    where = case.district.locate(case.spots)[["community", "zone"]]
    served = table.total - float(table.gain.sum())
    seen: set[Hashable] = set()
    rows: list[dict[str, Any]] = []
    names = case.spots["name"].to_dict()
    groups = {column: where[column].to_dict() for column in where.columns}
    for rank, (site, demands) in enumerate(_in_order(list(plan.sites), table), start=1):
        gained = units[units["demand"].isin(demands)]
        row: dict[str, Any] = {"site": site, "plan": plan.Index, "rank": rank, "name": names[site]}
        for column in _AMOUNTS:
            row[f"{column}_gained"] = _amount(facts[column], gained[column] * gained["share"])
        communities = demands if case.rule.metric == "presence" else set(gained["community"].dropna())
        row["communities_gained"] = len(communities - seen)
        seen |= communities
        row["homes_unknown"] = int(gained.loc[gained["people"].isna(), "home"].nunique())
        row["share_before"] = served / table.total if rank == 1 else rows[0]["share_before"]
        served += float(table.gain.reindex(list(demands)).sum())
        row["share_after"] = served / table.total
        row |= {column: group[site] for column, group in groups.items()}
        row["reason"] = _reason(case, table, row, gained, plan)
        rows.append(row)
    frame = pd.DataFrame(rows).set_index("site")
    for column in (*_AMOUNTS, "communities"):
        frame[f"{column}_cumulative"] = frame[f"{column}_gained"].cumsum()
    basis = case.cover["basis"].dropna()
    facts_of_all = {
        "kind": case.kind, "rule": case.rule.name, "label": case.rule.label, "method": case.rule.method,
        "profile": case.walker.name, "weight": case.weight, "objective": plan.objective, "bound": plan.bound,
        "gap": plan.gap, "proven": plan.proven, "basis": max(basis, key=BASES.index),
        "mark": "演示值（不作结论）" if basis.isin(DEMONSTRATION).any() else "",
    }  # fmt: skip
    return frame.assign(**facts_of_all)[list(COLUMNS)]


def _amount(all_homes: pd.Series, gained: pd.Series) -> float:
    """Add up what is known; missing where something gains and nothing of it is known."""
    if gained.empty:
        return 0.0 if all_homes.notna().any() else np.nan
    return float(gained.sum(min_count=1))


def _in_order(chosen: list[Hashable], table: _Table) -> list[tuple[Hashable, set[Hashable]]]:
    """Put the sites of a plan in order, each time the one that adds most, with the demands each adds."""
    own = table.reached[table.reached["site"].isin(chosen)]
    serves: dict[Hashable, set[Hashable]] = {site: set(rows["demand"]) for site, rows in own.groupby("site")}
    left, done = list(chosen), set[Hashable]()
    steps: list[tuple[Hashable, set[Hashable]]] = []
    while left:
        adds = [(serves.get(site, set()) - done) & set(table.gain.index) for site in left]
        sums = [float(table.gain.reindex(_sorted(demands)).sum()) for demands in adds]
        best = int(np.argmax(sums))  # the first of equals: sites come sorted
        steps.append((left.pop(best), adds[best]))
        done |= adds[best]
    return steps


def _reason(case: _Case, table: _Table, row: Mapping[str, Any], gained: pd.DataFrame, plan: Any) -> str:
    """Say in one Chinese sentence what a site brings, and to whom."""
    rule = case.rule
    place = _place_text(case, row)
    if gained.empty and not row["communities_gained"]:
        return f"{place}：在前面几处之外没有新增" + _travel_text(table, plan, rule)
    whom = _whom_text(row)
    if rule.metric == "presence":
        label = str(case.district.kinds["label"][case.kind])
        communities = case.district.communities
        name = row["community"] if communities is None else communities["name"].get(row["community"])
        walk = f"，居民平均步行 {plan.mean:.1f} 分钟" if len(plan.sites) == 1 and np.isfinite(plan.mean) else ""
        return f"{place}：{name}从没有到有{label}，惠及{whom}{walk}"
    by_home = (gained["share"] * gained["people"].fillna(gained["area_m2"]).fillna(1.0)).groupby(gained["home"]).sum()
    names = case.district.homes["name"] if case.district.homes is not None else pd.Series(dtype="str")
    first = by_home.sort_values(ascending=False, kind="stable").index[:3]
    homes = "、".join(str(names[h]) if isinstance(names[h], str) else str(h) for h in first)
    more = f"等 {len(by_home)} 个小区" if len(by_home) > len(first) else ""
    limit = (
        f"步行 {rule.minutes:g} 分钟"
        if rule.method == "walk_min"
        else f"{METHOD_LABELS[rule.method]} {rule.metres:g} 米"
    )
    unknown = f"；另有 {row['homes_unknown']} 个小区人口不详" if row["homes_unknown"] else ""
    return f"{place}：新增{whom}{limit}可达，主要是{homes}{more}{unknown}" + _travel_text(table, plan, rule)


def _place_text(case: _Case, row: Mapping[str, Any]) -> str:
    origin = case.spots.loc[row["site"], "origin"]
    communities = case.district.communities
    inside = communities["name"].get(row["community"]) if communities is not None else None
    if not isinstance(row["name"], str):
        near = _near_street(case, row["site"])
        hints = [text for text in (inside, near and f"近{near}") if isinstance(text, str) and text]
        return f"设在 {row['site']}" + (f"（{'，'.join(hints)}）" if hints else "")
    inside = f"（{inside}）" if isinstance(inside, str) else ""
    return f"设在{row['name']}{'旁' if origin == 'street' else '地块' if origin == 'parcel' else ''}{inside}"


def _near_street(case: _Case, site: Hashable) -> str:
    """Return the name of the nearest street that has one, within `NEAR_STREET_M`; else empty."""
    edges = case.district.network.edges
    edges = edges[edges["name"].notna().to_numpy()]
    spot = case.spots.geometry[site]
    near = edges.sindex.nearest(spot, max_distance=NEAR_STREET_M, return_all=False)[1]
    return str(edges["name"].iloc[near[0]]) if len(near) else ""


def _whom_text(row: Mapping[str, Any]) -> str:
    people, older = row["people_gained"], row["people_60plus_gained"]
    if np.isfinite(people):
        aged = f"（60 岁及以上 {older:,.0f} 人）" if np.isfinite(older) else ""
        return f" {people:,.0f} 人{aged}"
    if np.isfinite(row["area_m2_gained"]):
        return f"居住用地 {row['area_m2_gained'] / 1e4:,.1f} 公顷（人口不详）"
    return f" {row['homes_gained']:,.1f} 个小区（人口不详）"


def _travel_text(table: _Table, plan: Any, rule: Rule) -> str:
    """For the models about distance: what the whole plan gives."""
    if table.siting.model not in ("p_median", "p_center") or not np.isfinite(plan.mean):
        return ""
    unit = "分钟" if rule.method == "walk_min" else "米"
    return f"；整个方案平均 {plan.mean:,.1f} {unit}，最远 {plan.worst:,.1f} {unit}"


def _near_ties(plans: pd.DataFrame, siting: Siting) -> str:
    """Name the other plans and how much worse they are."""
    if len(plans) < 2:
        return f"没有相差 {siting.within:.0%} 以内的其他方案" if siting.plans > 1 else ""
    best = float(plans["objective"].iloc[0])
    parts = []
    for chosen, objective in zip(plans["sites"].iloc[1:], plans["objective"].iloc[1:], strict=True):
        off = abs(float(objective) - best) / best if best else 0.0
        parts.append(f"{'、'.join(str(s) for s in chosen)}（{'一样好' if off < ROUNDING else f'差 {off:.1%}'}）")
    return f"另有 {len(parts)} 个相差不到 {siting.within:.0%} 的方案：{'；'.join(parts)}"
