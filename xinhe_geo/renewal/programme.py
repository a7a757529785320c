"""Which project in which year, under the money of each source and year: chosen with proof, and what it leaves out."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..access import (
    PLAN,
    PointsOfHomes,
    coverage,
    home_points,
    nearest_of_any,
    od_tables,
    points_of_homes,
    rules_of,
    within_limit,
)
from ..core import (
    APPLIED,
    FINISHED,
    GIVEN_UP,
    IDEA,
    LAYERS,
    SECURED,
    UNDER_WAY,
    URGENT,
    DataError,
    Edit,
    Problem,
    Rule,
    ScenarioError,
    UnknownNameError,
    WrongValueError,
    amount,
    as_text,
    layer_name,
    listed,
    problems_table,
    say,
    well_called,
)
from ..district import (
    ACTIONS,
    District,
    Scenario,
    conflicts,
    funds_of,
    must_be_district,
    place_name,
    project_steps,
    yearly_of,
)
from ..siting import MixedInteger, Watch
from .choosing import (
    CENT,
    FLOOR,
    LEVELS_IN_ORDER,
    PEOPLE,
    URGENT_FIRST,
    Candidate,
    Choosing,
    Chosen,
    Extra,
    Pay,
    Pot,
    Set,
    Short,
    Task,
    Wishes,
)
from .ranking import is_for_elderly

#: Why a project is not in the programme. In it: "".
REASONS = {
    "finished": "已完工",
    "given_up": "已退出",
    "no_cost": "造价数据不足",
    "too_late": "最早开工年和工期超出资金表的年份",
    "waits": "先行项目没有列入",
    "excluded": "与已列入的项目互斥",
    "no_money": "资金不足",
    "no_gain": "在所计年份内不增加规划目标的覆盖",
    "better": "同等投入下另有更优方案",
}
#: Why a project is in the programme although fewer are served with it.
KEPT = {
    "under_way": "已在实施",
    "urgent": "写明限时解决",
    "unnamed": "写明限时解决（没有写是哪个问题，按一个问题计）",
    "ahead": "其他列入的项目要它先做",
    "aims": "排在前面的目标要它",
}
#: More money that is tried, in 万元.
MORE_MONEY = (100.0, 200.0, 500.0)
#: Other programmes are named where they are no more than this share worse, and at most so many.
NEAR, OTHERS = 0.02, 3
_NONE: Set = frozenset()


@dataclass(frozen=True, slots=True)
class Programming:
    """
    How a programme is chosen.

    Parameters
    ----------
    rules
        What is promised: a set of `rules.csv`, rules or kinds, as in `coverage`. With "plan" what the plan itself says.
    horizon
        The last year in which is counted who is served; None: the last year of the money.
    equity
        Whether the least served community is served as well as can be before anything else is looked at.
    applied
        Whether money that is only asked for counts too.
    costs
        "high": what is chosen can be paid if every project costs its upper end; "low": its lower end.
    overruns
        With "high": that it can be paid if at most so many projects a year cost their upper end, whichever they are, and the others
        their lower end; None: all of them.
    gap
        Stop when this close to the proven bound (share); 0 asks for the optimum.

    Raises
    ------
    ValueError
        Other costs than "high" and "low", a number of overruns below 0 or beside "low", or a gap below 0.
    """

    rules: str | Sequence[str | Rule] = PLAN
    horizon: int | None = None
    equity: bool = True
    applied: bool = False
    costs: str = "high"
    overruns: int | None = None
    gap: float = 0.0

    def __post_init__(self) -> None:
        if self.costs not in ("high", "low"):
            raise WrongValueError(say("costs 写 high 或 low：{0}", self.costs))
        if self.overruns is not None and (self.overruns < 0 or self.costs != "high"):
            raise WrongValueError(say("overruns 写不小于 0 的个数，只和 costs = high 一起用：{0}", self.overruns))
        if not 0 <= self.gap < 1:
            raise WrongValueError(say("gap 要在 0 和 1 之间：{0}", self.gap))


class Programmed(NamedTuple):
    """
    A programme: its projects, and what they bring year by year and cost.

    Attributes
    ----------
    plan
        As `programme` returns it.
    years
        Index (year, rule): label; `people` served as `coverage` counts them in the district of that year; `reference` (of these, who
        lived there before and has not moved), `newcomers` (the others: who came, or returned); `without` (who would be served if nothing
        were done) and `gained` (`reference` less `without`). Rule "": what projects without edits say they serve.
    money
        Index (fund, year, state): amount, spent (at the costs that were planned with).
    more
        Index amount (万元 that come on top, in any year and for anything): `person_years` and `people` (in the last year) that they
        would add.
    levels
        Index level, in the order in which they were maximised: value, bound. The floor is a share, the others are counted in
        problems x years (urgent) and promises x people x years.
    low
        What the lower ends of all costs would allow: value of the last level.
    near
        Other programmes that come near to it (`NEAR`), best first: index rank; `without` and `instead` (ids of projects that are left
        out and that come in, parted by `;`), `value` (of the last level), `share` (of the programme's own), cost.
    overruns
        How many overruns a year can be paid; missing: all, or none that was asked for.
    scenario
        The chosen projects as a plan whose edits carry the years in which projects are finished.
    asked
        How it was chosen.
    clashes
        How the steps of chosen projects contradict those of others: a step that contradicts is without effect, or counts twice.
    """

    plan: pd.DataFrame
    years: pd.DataFrame
    money: pd.DataFrame
    more: pd.DataFrame
    levels: pd.DataFrame
    low: float
    near: pd.DataFrame
    overruns: int | None
    scenario: Scenario
    asked: Programming
    clashes: tuple[str, ...]


@well_called
def programme(
    district: District,
    projects: pd.DataFrame | None = None,
    budgets: pd.DataFrame | None = None,
    *,
    weights: Mapping[str, float] | None = None,
    programming: Programming | None = None,
    progress: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """
    Choose which project is begun in which year, with proof.

    What is maximised are promises x people x years: who is served under each rule, counted from the year in which a project is
    finished, of those who live in the district in its year (newcomers never count). First the least served community is
    served as well as can be, then come problems that must be solved by a date, then people of 60 or more under rules for the
    elderly, then people.

    Parameters
    ----------
    district
        What `District.load` opened; it stays as it was.
    projects, budgets
        Rows as in `renewal/projects.csv` and `budgets.csv`, judged as a folder's are; None: the district's own.
    weights
        Instead of one aim after the other their weighted sum: "urgent", "elderly", "people" (aims without one count nothing); and
        codes of rules: by how much each promise counts.
    programming
        Rules, horizon, equity, which money and costs, and how near to the bound is enough.
    progress
        Called with a short Chinese line now and then. Ctrl-C then gives the best programme so far, with its bound.

    Returns
    -------
    plan
        Index project, in the order of their years, those left out last. Columns name; `year` (in which it begins) and `finished`, missing
        where it is left out; `cost` (万元, as planned with), `cost_low`, `cost_high`; `people` and `people_60plus`: promises x people
        who would not be served in the last year without it (`declared` where the project says so itself, having no edits); `reason`
        (a key of `xinhe_geo.renewal.REASONS`, "" where it is chosen); `short` (万元 that are missing at least, where the money
        does not suffice), `short_years` and `short_funds` (when, and which sources may pay, parted by `;`); `kept` (a key of
        `xinhe_geo.renewal.KEPT` where it is chosen although fewer are served with it, else ""). The same in every row: `objective` (of the last level,
        promises x people x years more than if nothing were done), `bound`, `gap`, `proven`, `floor` (share served of the least served community
        in the last year; missing without equity or communities), `floor_of` (its name; "" without).

    Raises
    ------
    DataError
        Everything that is wrong with projects and money, in `.problems`; or there are none.
    ScenarioError
        What is under way cannot be paid.
    UnknownNameError
        A weight of what is no aim and no rule.

    Examples
    --------
    >>> import xinhe_geo as xh
    >>> plan = xh.programme(xh.District.load())                  # doctest: +SKIP
    >>> plan.loc[plan["reason"] == "", ["year", "cost"]]         # doctest: +SKIP
    """
    asked = Programming() if programming is None else programming
    return _prepared(district, projects, budgets, weights, asked, progress).chosen_plan()


def programmed(
    district: District,
    projects: pd.DataFrame | None = None,
    budgets: pd.DataFrame | None = None,
    *,
    weights: Mapping[str, float] | None = None,
    programming: Programming | None = None,
    progress: Callable[[str], None] | None = None,
) -> Programmed:
    """Return a programme with everything that is told of it; parameters and errors as of `programme`."""
    asked = Programming() if programming is None else programming
    return _prepared(district, projects, budgets, weights, asked, progress).everything()


# --- from rows to numbers --------------------------------------------------------------------------------------------


def _prepared(
    district: District,
    projects: pd.DataFrame | None,
    budgets: pd.DataFrame | None,
    weights: Mapping[str, float] | None,
    asked: Programming,
    progress: Callable[[str], None] | None,
) -> _Work:
    must_be_district(district)
    given = {name: frame for name, frame in (("projects", projects), ("budgets", budgets)) if frame is not None}
    state = district.replace(**given) if given else district
    missing = {
        name: (say("没有{0}", layer_name(name)), say("照 template 的表填写，在 district.toml 声明"))
        for name in ("projects", "budgets")
        if name not in state.rows or state.rows[name].empty
    }
    if "budgets" not in missing and not (state.rows["budgets"]["year"] >= state.year).any():
        missing["budgets"] = (
            say("没有数据年 {0} 及以后的资金", state.year),
            say("写上 {0} 年及以后的资金", state.year),
        )
    if missing:
        files = {name: f"{LAYERS[name].folder}/{name}.csv" for name in missing}
        said = [Problem("error", name, files[name], "", "", *told) for name, told in missing.items()]
        raise DataError(problems_table(said), district.name)
    # the district that was given keeps what was walked: projects and money change none of it
    walked = district.memo.setdefault("programme", {})
    return _Work(state, dict(weights or {}), asked, Watch(progress), walked)


class _Project(NamedTuple):
    """A project as its row says it."""

    key: str
    row: pd.Series
    edits: tuple[Edit, ...]
    steps: tuple[str, ...]  # which step of which plan each edit is
    duration: int
    status: str
    low: float
    high: float

    def roles(self) -> set[str]:
        return {ACTIONS[e.do].serves for e in self.edits} - {"none"}

    def ahead(self, by_key: Mapping[str, _Project]) -> set[str]:
        """Return the keys of all that must be finished before it begins."""
        found: set[str] = set()
        asked = listed(as_text(self.row["after"]))
        while asked:
            key = asked.pop()
            if key in by_key and key not in found:
                found.add(key)
                asked += listed(as_text(by_key[key].row["after"]))
        return found


def _project(state: District, key: str, row: pd.Series) -> _Project:
    low = _number(row["invest"]) if pd.isna(row["cost_low"]) else _number(row["cost_low"])
    high = low if pd.isna(row["cost_high"]) else _number(row["cost_high"])
    span = _number(row["end"]) - _number(row["start"]) + 1
    yearly = yearly_of(row["yearly"])
    duration = next((d for d in (_number(row["duration"]), float(len(yearly)) or math.nan, span) if d >= 1), 1.0)
    status = IDEA if pd.isna(row["status"]) else str(row["status"])
    begun = status == UNDER_WAY and _number(row["start"]) + duration - 1 <= state.year
    own = [] if status in (FINISHED, GIVEN_UP) or begun else project_steps(state.folder, row["edits"])
    edits, steps = tuple(edit for _, edit in own), tuple(step for step, _ in own)
    return _Project(key, row, edits, steps, int(duration), status, low, high)


def _number(cell: object) -> float:
    return math.nan if cell is None or pd.isna(cell) else float(cell)  # type: ignore[arg-type]


def _in_order(projects: Sequence[_Project]) -> list[int]:
    """Return the positions of projects, what must be finished before others first: only then can the others be carried out."""
    by_key = {p.key: p for p in projects}
    return sorted(range(len(projects)), key=lambda j: len(projects[j].ahead(by_key)))


def _names(edit: Edit) -> set[str]:
    """Return everything that an edit names."""
    values = (value if isinstance(value, list | tuple) else [value] for value in edit.what.values())
    return {name for some in values for name in some if isinstance(name, str)}


def _groundwork(projects: Sequence[_Project]) -> dict[tuple[int, int], set[str]]:
    """Return the edits that serve nobody and make what one that serves somebody names: project, which of its edits, and what is made."""
    every = {(j, i): e for j, p in enumerate(projects) for i, e in enumerate(p.edits)}
    rest = {at: e for at, e in every.items() if ACTIONS[e.do].serves == "none"}
    named = {name for at, e in every.items() if at not in rest for name in _names(e)}
    found: dict[tuple[int, int], set[str]] = {}
    while more := [at for at in rest if named & set(ACTIONS[rest[at].do].made_by(rest[at].what))]:
        for at in more:
            edit = rest.pop(at)
            found[at] = set(ACTIONS[edit.do].made_by(edit.what))
            named |= _names(edit)
    return found


#: Which points are served under each rule, by the year, the edits that are carried out, and the rules.
_Walked = dict[tuple[int, str, tuple[Rule, ...]], np.ndarray]
#: Who moves together: home (-1: every home) and the projects of which each moves them, how many, and how many of 60 or more.
_Part = tuple[int, Set, tuple[float, float]]


class _Walks:
    """Whom a set of projects serves, found by walking in the district that it makes."""

    def __init__(
        self,
        state: District,
        rules: Sequence[Rule],
        projects: Sequence[_Project],
        years: Sequence[int],
        walked: _Walked,
    ) -> None:
        self.state, self.rules, self.projects = state, rules, projects
        self._epochs = _epochs(state, years)
        self._bases = {epoch: state.at(year) for year, epoch in self._epochs.items()}
        self._walked = walked
        self._order, self._ground = _in_order(projects), _groundwork(projects)
        made = {name for some in self._ground.values() for name in some}
        self._alone = frozenset(
            j
            for j, project in enumerate(projects)
            if project.roles() == {"places"} and not any(made & _names(e) for e in project.edits)
        )
        self._places: dict[
            tuple[int, Set, Set], dict[int, np.ndarray]
        ] = {}  # whom each of them reaches, by what else is done
        self._asked: set[tuple[int, Set, Set]] = set()
        self.points = points_of_homes(home_points(state))
        homes = state.homes
        names = self.points.names
        lived, older = (_lived(homes, column, names) for column in ("people", "people_60plus"))
        parts = self._parts(names, (lived, older))
        point = [
            np.arange(len(self.points.code)) if home < 0 else np.flatnonzero(self.points.code == home)
            for home, *_ in parts
        ]
        self._point = np.concatenate(point)
        self._movers = [movers for _, movers, _ in parts]
        own, code = self.points.weight[self._point], self.points.code[self._point]
        self._part = np.concatenate([np.full(len(at), i) for i, at in enumerate(point)])
        lived, older = (
            own * self._staying(parts, whole, i)[self._part, code] for i, whole in enumerate((lived, older))
        )
        for_elderly = np.array([is_for_elderly(state, rule) for rule in rules], dtype=float)
        self.lived = self.people = np.tile(lived, len(rules))  # the one as they are, the other may be weighted
        self.elderly = (for_elderly[:, None] * older[None, :]).ravel()
        groups = (
            state.groups["community"].reindex(names)
            if "community" in state.groups
            else pd.Series(index=names, dtype=object)
        )
        number, self.group_names = pd.factorize(groups, sort=True)
        self.group = np.tile(number[code], len(rules))

    def _parts(self, names: pd.Index, counts: tuple[np.ndarray, np.ndarray]) -> list[_Part]:
        """
        Return who moves: everybody first (home -1), then per home and projects how many of its people, and of 60 or more.

        Projects that exclude each other move the same people, others move different ones as long as there are any.
        """
        base = self._bases[min(self._bases)]  # later a home may be gone by itself
        by_key = {p.key: p for p in self.projects}
        others = [set(listed(as_text(p.row["excludes"]))) for p in self.projects]
        spans: dict[tuple[int, int], list[tuple[float, float, int]]] = {}
        for j in self._order:
            project = self.projects[j]
            if not any(e.do == "move_households" for e in project.edits):
                continue
            ahead = project.ahead(by_key)
            first = tuple(e for k in self._order if self.projects[k].key in ahead for e in self.projects[k].edits)
            before, after = (_carried_out(base, edits).homes for edits in (first, (*first, *project.edits)))
            for c, (column, whole) in enumerate(zip(("people", "people_60plus"), counts, strict=True)):
                here, left = (_lived(homes, column, names) for homes in (before, after))
                gone = here - left
                for home in map(int, np.flatnonzero(gone > 1e-9)):
                    own = spans.setdefault((home, c), [])
                    beside = [
                        end
                        for _, end, k in own
                        if self.projects[k].key not in others[j] and project.key not in others[k]
                    ]
                    start = max(min(max(beside, default=0.0), whole[home] - gone[home]), 0.0)
                    own.append((start, start + float(gone[home]), j))
        parts: dict[tuple[int, Set], list[float]] = {}
        for (home, c), own in spans.items():
            for start, end in itertools.pairwise(sorted({at for a, b, _ in own for at in (a, b)})):
                movers = frozenset(j for a, b, j in own if a <= start and end <= b)
                if movers:
                    parts.setdefault((home, movers), [0.0, 0.0])[c] += end - start
        return [(-1, _NONE, (0.0, 0.0)), *((home, movers, (p, o)) for (home, movers), (p, o) in parts.items())]

    def _staying(self, parts: Sequence[_Part], whole: np.ndarray, which: int) -> np.ndarray:
        """Return how many of each home are of each part, shape (parts, homes): who moves with none of them is of the first."""
        found = np.zeros((len(parts), len(whole)))
        found[0] = whole
        for i, (home, _, gone) in enumerate(parts[1:], 1):
            found[i, home] = gone[which]
            found[0, home] = max(found[0, home] - gone[which], 0.0)
        return found

    def epoch(self, year: int) -> int:
        """Return the number of the stretch of years in which the district itself does not change."""
        return self._epochs[year]

    def ways(self, epoch: int) -> int:
        """Return the number of the first epoch whose streets and gates are the same."""
        own = self._bases[epoch].layers
        for other in sorted(e for e in self._bases if e < epoch):
            there = self._bases[other].layers
            if all(_same(own.get(name), there.get(name)) for name in ("streets", "gates")):
                return other
        return epoch

    def served(self, epoch: int, opened: Set, closed: Set) -> np.ndarray:
        """Return, rule by rule and point by point, who is served."""
        walked = self._together(epoch, opened, closed)
        gone = np.array([bool(movers & closed) for movers in self._movers])[self._part]
        served: np.ndarray = (walked[:, self._point] & ~gone[None, :]).ravel()
        return served

    def _together(self, epoch: int, opened: Set, closed: Set) -> np.ndarray:
        """
        Return which points are served under each rule.

        Places of which each only adds itself serve together whom any of them serves; so where the same ways are asked about again with
        other places, what each place reaches is found once, and the places are put together without another walk.
        """
        places, rest = opened & self._alone, opened - self._alone
        key = epoch, rest, closed
        if places and key in self._asked and key not in self._places:
            self._places[key] = self._reached(epoch, rest, closed, sorted(self._alone))
        if places:
            self._asked.add(key)
        reached = self._places.get(key, {})
        if not places <= set(reached):
            return self._walk(epoch, opened, closed)
        walked = self._walk(epoch, rest, closed)
        return np.logical_or.reduce([walked, *(reached[j] for j in sorted(places))])

    def _walk(self, epoch: int, opened: Set, closed: Set) -> np.ndarray:
        """Return the same as found by walking, once for all who ask."""
        edits, base = self._edits(opened, closed), self._bases[epoch]
        key = base.year, repr(edits), tuple(self.rules)
        if key not in self._walked:
            try:
                after = _carried_out(base, edits)
            except ScenarioError as error:
                told = [t for t in _troubles(self.projects, base, edits, base.year) if t.kind == "impossible"]
                raise ScenarioError(told[0].text) from error
            self._walked[key] = self._found(after)
        return self._walked[key]

    def _edits(self, opened: Set, closed: Set) -> tuple[Edit, ...]:
        """Return what some projects do that opens, what some do that closes, and what these need; what does neither is left out."""
        by_role = {"less": closed, "none": _NONE}
        return tuple(
            edit
            for j in self._order
            for i, edit in enumerate(self.projects[j].edits)
            if j in (opened | closed if (j, i) in self._ground else by_role.get(ACTIONS[edit.do].serves, opened))
        )

    def _found(self, after: District) -> np.ndarray:
        """Return which points of the reference homes are served under each rule; nobody where the home is gone."""
        own = points_of_homes(home_points(after))
        served = np.zeros((len(self.rules), len(own.code)), dtype=bool)
        for i, rule in enumerate(self.rules):
            if rule.metric == "presence":
                shares = coverage(after, rules=[rule]).droplevel("rule")["served"].reindex(own.names)
                served[i] = (shares.fillna(0.0).to_numpy() > 0.5)[own.code]
            else:
                costs = nearest_of_any(od_tables(after, rule.kinds, profile=rule.profile), rule.kinds)
                served[i] = within_limit(costs, rule, rule.method)
        return self._of_reference(own, served)

    def _of_reference(self, own: PointsOfHomes, served: np.ndarray) -> np.ndarray:
        """Return what is so of the points of a district for those of the reference homes; nothing where a home is gone."""
        found = np.zeros((len(self.rules), len(self.points.code)), dtype=bool)
        place = {name: i for i, name in enumerate(own.names)}
        for i, name in enumerate(self.points.names):
            k = place.get(name)
            if k is not None and own.size[k] == self.points.size[i]:
                here, there = (slice(p.start[n], p.start[n] + p.size[n]) for p, n in ((self.points, i), (own, k)))
                found[:, here] = served[:, there]
        return found

    def reach(self, epoch: int, ways: Set, places: Sequence[int]) -> dict[int, np.ndarray]:
        """Return whom each project serves by the places it opens; those of which it is not known are left out."""
        key = epoch, ways, _NONE
        if key not in self._places:
            self._places[key] = self._reached(epoch, ways, _NONE, sorted(self._alone))
        found = self._places[key]
        return {j: found[j][:, self._point].ravel() for j in places if j in found}

    def _reached(self, epoch: int, rest: Set, closed: Set, places: Sequence[int]) -> dict[int, np.ndarray]:
        """
        Return whom each project serves by the places it opens, found for all of them in one go.

        Every place is given a kind of its own, so that one table of walks tells them apart. Where the projects cannot all be carried
        out together nothing is said of any.
        """
        try:
            after = _carried_out(self._bases[epoch], self._edits(rest | set(places), closed))
        except ScenarioError:
            return {}
        opened = {str(e.what["facility"]): j for j in places for e in self.projects[j].edits if "facility" in e.what}
        rows, kinds = {}, dict.fromkeys(places, frozenset[str]())
        for name in ("facilities", "own_facilities"):
            frame = after.rows.get(name)
            if frame is not None:
                kind = [
                    f"{k} {opened[i]}" if i in opened else k for i, k in zip(frame.index, frame["kind"], strict=True)
                ]
                rows[name] = frame.assign(kind=pd.array(kind, dtype="str"))
                for i, k in zip(frame.index, frame["kind"], strict=True):
                    if i in opened:
                        kinds[opened[i]] |= {str(k)}
        apart = after.with_rows(rows)
        own = points_of_homes(home_points(apart))
        serving = apart.serving(apart.facilities) if apart.facilities is not None else None
        community = apart.groups["community"].reindex(own.names).to_numpy(object)
        found = {j: np.zeros((len(self.rules), len(own.code)), dtype=bool) for j in places}
        for i, rule in enumerate(self.rules):
            asked = {j: [f"{k} {j}" for k in rule.kinds if k in kinds[j]] for j in places}
            every = [kind for some in asked.values() for kind in some]
            if rule.metric == "presence" and serving is not None:
                for j in (j for j in places if asked[j]):
                    mine = serving[serving["facility"].map(opened).eq(j).to_numpy()]["community"]
                    found[j][i] = np.isin(community, list(mine))[own.code]
            elif rule.metric != "presence" and every:
                tables = od_tables(apart, every, profile=rule.profile)
                for j, some in asked.items():
                    if some:
                        found[j][i] = within_limit(nearest_of_any(tables, some), rule, rule.method)
        return {j: self._of_reference(own, served) for j, served in found.items()}

    def by_rule(self, served: np.ndarray) -> np.ndarray:
        """Return how many of the reference residents are served under each rule."""
        total: np.ndarray = (self.lived * served).reshape(len(self.rules), -1).sum(axis=1)
        return total


def _lived(homes: pd.DataFrame | None, column: str, names: pd.Index) -> np.ndarray:
    """Return how many are known to live in each of some homes; nobody in one that is not there."""
    if homes is None:
        return np.zeros(len(names))
    return np.nan_to_num(homes[column].reindex(names).to_numpy(float))


def _same(own: pd.DataFrame | None, other: pd.DataFrame | None) -> bool:
    return own is other or (own is not None and other is not None and bool(own.equals(other)))


def _carried_out(base: District, edits: tuple[Edit, ...]) -> District:
    """Return a district with edits carried out in its year; what contradicts itself is told elsewhere."""
    plan = Scenario("programme", "programme", edits, year=base.year)
    return plan.on(base, with_conflicts=True) if edits else base


class _Trouble(NamedTuple):
    """What is wrong with one step of a project."""

    project: str
    step: str  # of which plan
    problem: str
    kind: str

    @property
    def text(self) -> str:
        return say("项目 {0}（{1}）：{2}", self.project, self.step, self.problem)


def _troubles(projects: Sequence[_Project], base: District, edits: Sequence[Edit], year: int) -> list[_Trouble]:
    """Return what is wrong with edits of some projects that are carried out together."""
    whose = {id(e): (p.key, step) for p in projects for e, step in zip(p.edits, p.steps, strict=True)}
    wrong = conflicts(Scenario("programme", "programme", tuple(edits), year=year), base)
    return [_Trouble(*whose[id(edits[int(row.Index) - 1])], row.problem, row.kind) for row in wrong.itertuples()]


def _epochs(state: District, years: Sequence[int]) -> dict[int, int]:
    """Return, per year, the number of its stretch: a new one begins where rows come or go by their own dates."""
    begins: set[int] = set()
    for name, frame in state.rows.items():
        if LAYERS[name].dated and {"since", "until"} <= set(frame.columns):
            begins |= {int(y) for y in frame["since"].dropna()} | {int(y) + 1 for y in frame["until"].dropna()}
    epochs, number = {}, -1
    for year in sorted(years):
        number += 1 if year in begins or number < 0 else 0
        epochs[year] = number
    return epochs


class _Work:
    """A programme at work: what is asked, in rows and in numbers."""

    def __init__(
        self, state: District, weights: Mapping[str, float], asked: Programming, watch: Watch, walked: _Walked
    ) -> None:
        self.state, self.asked, self.watch = state, asked, watch
        self.rules = _known(state, promised(state, asked.rules))
        for name in weights:
            if name not in LEVELS_IN_ORDER and name not in {r.name for r in self.rules}:
                raise UnknownNameError("权重", name, [*LEVELS_IN_ORDER, *(r.name for r in self.rules)])
        budgets = state.rows["budgets"]
        self.budgets = budgets[
            (budgets["year"] >= state.year).to_numpy()
        ]  # what the years before had is spent, or nobody's to say
        self.projects = [_project(state, str(key), row) for key, row in state.rows["projects"].iterrows()]
        self.ground = _groundwork(self.projects)
        self.paid = range(int(self.budgets["year"].min()), int(self.budgets["year"].max()) + 1)
        self.years = range(self.paid[0], max(self.paid[-1], asked.horizon or 0) + 1)
        self._must_work_alone()
        self.walks = _Walks(state, self.rules, self.projects, self.years, walked)
        by_rule = [weights.get(rule.name, 1.0) for rule in self.rules]
        self.walks.people = self.walks.people * np.repeat(by_rule, len(self.walks.people) // max(len(self.rules), 1))
        levels = {name: weight for name, weight in weights.items() if name in LEVELS_IN_ORDER}
        self.wishes = Wishes(levels or None, asked.equity, asked.gap)
        self.pots = [_pot(row, asked.applied) for _, row in self.budgets.iterrows()]
        self.spare = len(self.pots)  # more money that is tried: none at first
        self.pots.append(Pot(self.paid[0], 0.0, True))

    def _must_work_alone(self) -> None:
        """Carry out each project on its own, with what must be done before it; tell of all that cannot be."""
        by_key = {p.key: p for p in self.projects}
        wrong, order = [], [self.projects[j] for j in _in_order(self.projects)]
        for project in self.projects:
            own = [p for p in order if p.key in {project.key, *project.ahead(by_key)}]
            edits = [e for p in own for e in p.edits]
            try:
                if edits:
                    Scenario("project", project.key, tuple(edits), year=self.years[-1]).on(self.state)
            except ScenarioError:
                first = _troubles(own, self.state, edits, self.years[-1])[0]
                what, _, remedy = first.problem.partition(say("；"))
                remedy = remedy or say("改正方案文件；scenario check 列出全部问题")
                told = say("{0}：{1}", first.step, what)
                wrong.append(Problem("error", "projects", "projects.csv", project.key, "edits", told, remedy))
        if wrong:
            raise DataError(problems_table(wrong), self.state.name)

    # --- the task

    def task(self, costs: str) -> Task:
        """Return what is asked in numbers, at the upper or lower ends of the costs."""
        index = {p.key: j for j, p in enumerate(self.projects)}
        candidates = [self._candidate(p, index, costs) for p in self.projects]
        return Task(tuple(self.years), candidates, self.pots, self._extras(candidates), self.asked.overruns or 0)

    def _candidate(self, project: _Project, index: Mapping[str, int], costs: str) -> Candidate:
        row, roles = project.row, project.roles()
        must = project.status == UNDER_WAY and not pd.isna(row["start"])
        over = {p.key for p in self.projects if p.status == FINISHED}
        names = {c: [n for n in listed(as_text(row[c])) if n in index and n not in over] for c in ("after", "excludes")}
        pays = self._pays(project, costs)
        starts: tuple[int, ...] = ()
        if must:
            starts = (int(row["start"]),)
            pays = tuple(pay for pay in pays if starts[0] + pay.year >= self.paid[0])
        elif project.status not in (FINISHED, GIVEN_UP) and not math.isnan(project.high):
            first = max(self.paid[0], int(row["earliest"]) if pd.notna(row["earliest"]) else 0)
            starts = tuple(range(first, self.paid[-1] - project.duration + 2))
        return Candidate(
            starts,
            project.duration,
            pays,
            must,
            frozenset(index[n] for n in names["after"]),
            frozenset(index[n] for n in names["excludes"]),
            # what others stand on is open, too: without it they cannot be carried out
            opens=bool(roles & {"places", "ways", "moved", "either"})
            or any(j == index[project.key] for j, _ in self.ground),
            closes=bool(roles & {"less", "moved", "either"}),
            ways=bool(roles & {"ways", "either"}),
            whole=bool(roles & {"moved", "either"}),
        )

    def _pays(self, project: _Project, costs: str) -> tuple[Pay, ...]:
        """Return what a project has to pay; where only some may overrun, what it costs more then stands apart."""
        if costs == "low" or self.asked.overruns is None:
            return self._parted(project, project.high if costs == "high" else project.low)
        owed: dict[tuple[int, Set], list[float]] = {}
        for end, total in enumerate((project.low, project.high)):
            for pay in self._parted(project, total):
                owed.setdefault((pay.year, pay.pots), [0.0, 0.0])[end] += pay.amount
        return tuple(Pay(year, low, pots, max(high - low, 0.0)) for (year, pots), (low, high) in owed.items())

    def _parted(self, project: _Project, total: float) -> tuple[Pay, ...]:
        """Return how much of a total is paid in which year from which pots."""
        if math.isnan(total):
            return ()
        sums = yearly_of(project.row["yearly"]) or [1.0] * project.duration
        sums = [*sums, *[0.0] * (project.duration - len(sums))]
        whole = sum(sums) or 1.0
        funds = funds_of(project.row["funds"])
        fixed = {fund.name: fund.amount for fund in funds if not math.isnan(fund.amount)}
        free = [fund.name for fund in funds if math.isnan(fund.amount)]
        if fixed and not free:  # all of it is parted: the parts grow with it
            scale = total / sum(fixed.values()) if sum(fixed.values()) else 0.0
            parts = [(amount * scale, self._pots([name], project)) for name, amount in fixed.items()]
        else:
            rest = max(total - sum(fixed.values()), 0.0)
            parts = [(amount, self._pots([name], project)) for name, amount in fixed.items()]
            parts.append((rest, self._pots(free, project)))
        return tuple(
            Pay(year, amount * share / whole, pots)
            for year, share in enumerate(sums)
            for amount, pots in parts
            if amount * share > 0
        )

    def _pots(self, funds: Sequence[str], project: _Project) -> Set:
        """Return the pots that may pay for a project: of these sources (any where none is named), for its type."""
        kind = as_text(project.row["kind"])
        found = set()
        for p, (_, row) in enumerate(self.budgets.iterrows()):
            types = listed(as_text(row["types"]))
            if (not funds or row["fund"] in funds) and (not types or kind in types):
                found.add(p)
        return frozenset({*found, self.spare})

    def _extras(self, candidates: Sequence[Candidate]) -> list[Extra]:
        """Return what counts besides walks: what projects without edits say they serve, and problems to solve by a date."""
        extras: list[Extra] = []
        cited: dict[str, set[int]] = {}
        urgent: set[str] = set()
        for j, project in enumerate(self.projects):
            if not candidates[j].starts:
                continue
            if not project.roles() and (people := self.declared(project)) > 0:
                extras.append(Extra(frozenset({j}), PEOPLE, people))
            names = listed(as_text(project.row["problem"])) or [f"项目 {project.key}"]
            for name in names:
                cited.setdefault(name, set()).add(j)
            if project.row["urgency"] == URGENT:
                urgent |= set(names)
        return [*extras, *(Extra(frozenset(cited[name]), URGENT_FIRST, 1.0) for name in sorted(urgent))]

    def declared(self, project: _Project) -> float:
        """Return how many people a project without edits says it serves; 0 where it does not say."""
        if not pd.isna(project.row["people"]):
            return float(project.row["people"])
        homes = self.state.homes
        own = [h for h in listed(as_text(project.row["homes"])) if homes is not None and h in homes.index]
        return float(homes.loc[own, "people"].sum()) if homes is not None else 0.0

    # --- what is told

    def chosen_plan(self) -> pd.DataFrame:
        """Choose, and return the table of projects."""
        with self.watch.until_stopped():
            choosing = self._choosing()
            return self._plan(choosing, choosing.best(self.wishes))

    def everything(self) -> Programmed:
        """Choose, and return all that is told of it; Ctrl-C gives what there is by then."""
        with self.watch.until_stopped():
            return self._everything()

    def _everything(self) -> Programmed:
        choosing = self._choosing()
        chosen = choosing.best(self.wishes)
        plan = self._plan(choosing, chosen)
        at_low = self._at_low(choosing, chosen)
        levels = pd.DataFrame(
            [(x.value, x.bound) for x in chosen.levels],
            columns=["value", "bound"],
            index=pd.Index([x.name for x in chosen.levels], name="level"),
        )
        return Programmed(
            plan,
            self._years(choosing, chosen),
            self._money(choosing.task, chosen),
            self._more(choosing, chosen),
            levels,
            at_low.levels[-1].value,
            self._near(choosing, chosen, plan),
            self.asked.overruns,
            self._scenario(choosing, chosen),
            self.asked,
            self._clashes(chosen),
        )

    def _choosing(self) -> Choosing:
        """Return a programme to be chosen; what is under way can be paid."""
        choosing = Choosing(self.task(self.asked.costs), self.walks, self.watch)
        candidates = choosing.task.candidates
        short = choosing.short(self.spare) if any(own.must for own in candidates) else None
        if short is not None and short.total > CENT:
            own = [
                project.key
                for project, c in zip(self.projects, candidates, strict=True)
                if c.must and any((pay.pots, c.starts[0] + pay.year) in short.owed for pay in c.pays)
            ]
            told = say("在实施的项目 {0} 在资金表里排不下：{1}", say("、").join(own), lack_in_words(self._lack(short)))
            raise ScenarioError(say("{0}；核对它们的逐年投资、可用渠道和资金表", told))
        return choosing

    def _lack(self, short: Short) -> dict[str, Any]:
        """Return how much money is short, in which years, and which sources may pay for it."""
        funds = self.budgets["fund"].to_numpy(object)
        pots = sorted({p for some, _ in short.owed for p in some if p != self.spare})
        years = sorted({year for _, year in short.owed})
        names = dict.fromkeys(str(funds[p]) for p in pots)
        return {"short": short.total, "short_years": ";".join(map(str, years)), "short_funds": ";".join(names)}

    def _clashes(self, chosen: Chosen) -> tuple[str, ...]:
        """Return what contradicts between chosen projects: each alone works, with what must be done before it."""
        begun = [j for j in _in_order(self.projects) if chosen.starts[j] is not None]
        begun.sort(key=lambda j: (chosen.starts[j] or 0) + self.projects[j].duration)
        edits = [e for j in begun for e in self.projects[j].edits]
        found = _troubles(self.projects, self.state, edits, self.years[-1]) if edits else []
        return tuple(trouble.text for trouble in found)

    def _at_low(self, choosing: Choosing, chosen: Chosen) -> Chosen:
        """Return what the lower ends of all costs would allow; what was chosen where it was stopped."""
        if self.watch.stopped:
            return chosen
        try:
            low = Choosing(self.task("low"), self.walks, self.watch) if self.asked.costs == "high" else choosing
            found = low.best(self.wishes)
        except KeyboardInterrupt:
            if not self.watch.stopped:
                raise
        return chosen if self.watch.stopped else found

    def _plan(self, choosing: Choosing, chosen: Chosen) -> pd.DataFrame:
        last = self.years[-1]
        served = choosing.served_in(chosen.starts, last)
        done = choosing.done_in(chosen.starts, last)
        rows = []
        for j, project in enumerate(self.projects):
            start = chosen.starts[j]
            people, older, declared = math.nan, math.nan, False
            if j in done:
                people, older, declared = self._brings(choosing, chosen, j, served)
            row = {
                "name": project.row["name"],
                "year": math.nan if start is None else start,
                "finished": math.nan if start is None else start + project.duration - 1,
                "cost": project.high if self.asked.costs == "high" and self.asked.overruns is None else project.low,
                "cost_low": project.low,
                "cost_high": project.high,
                "people": people,
                "people_60plus": older,
                "declared": declared,
            }
            reason, short = ("", None) if start is not None else self._reason(choosing, chosen, j)
            lack = self._lack(short) if short else {"short": math.nan, "short_years": "", "short_funds": ""}
            rows.append(
                {**row, "reason": reason, **lack, "kept": self._kept(choosing, chosen, j) if people < 0 else ""}
            )
        goal = chosen.levels[-1]
        floor = next((x.value for x in chosen.levels if x.name == FLOOR), math.nan)
        plan = pd.DataFrame(rows, index=pd.Index([p.key for p in self.projects], name="project"))
        gap = (goal.bound - goal.value) / abs(goal.value) if goal.value else (0.0 if goal.bound <= 1e-9 else math.inf)
        plan = plan.assign(objective=goal.value, bound=goal.bound, gap=max(gap, 0.0), proven=chosen.proven, floor=floor)
        plan = plan.assign(floor_of="" if math.isnan(floor) else self._least_served(served))
        return plan.iloc[np.lexsort((plan.index, plan["year"].fillna(math.inf)))]

    def _least_served(self, served: np.ndarray) -> str:
        """Return the name of the community of which the least share is served."""
        walks, within = self.walks, self.walks.group >= 0
        own, lived = walks.group[within], walks.people[within]
        there = np.bincount(own, lived * served[within])
        whole = np.bincount(own, lived)
        share = np.divide(there, whole, out=np.full(len(whole), np.inf), where=whole > 0)
        return place_name(self.state, str(walks.group_names[int(np.argmin(share))])) if np.isfinite(share).any() else ""

    def _brings(self, choosing: Choosing, chosen: Chosen, j: int, served: np.ndarray) -> tuple[float, float, bool]:
        """Return who would not be served in the last year without a project."""
        project = self.projects[j]
        if not project.roles():
            people = self.declared(project)
            return (people if people else math.nan), math.nan, True
        without = [None if k == j else s for k, s in enumerate(chosen.starts)]
        try:
            change = served * 1.0 - choosing.served_in(without, self.years[-1])
        except ScenarioError:
            return math.nan, math.nan, False
        return float(self.walks.lived @ change), float(self.walks.elderly @ change), False

    def _kept(self, choosing: Choosing, chosen: Chosen, j: int) -> str:
        """Return why a project is in the programme although fewer are served with it."""
        row = self.projects[j].row
        if choosing.task.candidates[j].must:
            return "under_way"
        if row["urgency"] == URGENT:
            return "urgent" if listed(as_text(row["problem"])) else "unnamed"
        begun = (own for own, s in zip(choosing.task.candidates, chosen.starts, strict=True) if s is not None)
        return "ahead" if any(j in own.after for own in begun) else "aims"

    def _reason(self, choosing: Choosing, chosen: Chosen, j: int) -> tuple[str, Short | None]:
        """Return why a project is left out, and how much money is short for it."""
        project, own, task = self.projects[j], choosing.task.candidates[j], choosing.task
        if project.status in (FINISHED, GIVEN_UP):
            return ("finished" if project.status == FINISHED else "given_up"), None
        if math.isnan(project.high):
            return "no_cost", None
        if not own.starts:
            return "too_late", None
        if any(chosen.starts[k] is None for k in own.after):
            return "waits", None
        if any(
            chosen.starts[k] is not None
            for k in range(len(task.candidates))
            if k in own.excludes or j in task.candidates[k].excludes
        ):
            return "excluded", None
        short = choosing.short(self.spare, j)
        if short is None:
            return "too_late", None
        if short.total > CENT:
            return "no_money", short
        ready = [(chosen.starts[k] or 0) + task.candidates[k].duration for k in own.after]
        added = [{**dict(enumerate(chosen.starts)), j: s} for s in own.starts if s >= max(ready, default=s)]
        fits = any(_spending(task, [plan[k] for k in range(len(task.candidates))]) is not None for plan in added)
        return ("no_gain" if fits else "better"), None

    def _years(self, choosing: Choosing, chosen: Chosen) -> pd.DataFrame:
        rows: dict[tuple[int, str], dict[str, object]] = {}
        scenario = self._scenario(choosing, chosen)
        for year in self.years:
            served = self.walks.by_rule(choosing.served_in(chosen.starts, year))
            without = self.walks.by_rule(choosing.served_in([None] * len(chosen.starts), year))
            base = self.state.at(year)
            after = scenario.at(year).on(base, with_conflicts=True) if scenario.edits else base
            cover = coverage(after, rules=list(self.rules))
            people = (cover["served"] * cover["people"]).groupby(level="rule").sum()
            for i, rule in enumerate(self.rules):
                total = float(people.get(rule.name, math.nan))
                rows[year, rule.name] = {
                    "label": rule.label,
                    "people": total,
                    "reference": float(served[i]),
                    "newcomers": max(total - float(served[i]), 0.0),
                    "without": float(without[i]),
                    "gained": float(served[i] - without[i]),
                }
            done = choosing.done_in(chosen.starts, year)
            said = sum(e.weight for e in choosing.task.extras if e.level == PEOPLE and done & e.by)
            if any(e.level == PEOPLE for e in choosing.task.extras):
                rows[year, ""] = {
                    "label": "",
                    "people": said,
                    "reference": said,
                    "newcomers": 0.0,
                    "without": 0.0,
                    "gained": said,
                }
        index = pd.MultiIndex.from_tuples(list(rows), names=["year", "rule"])
        return pd.DataFrame(list(rows.values()), index=index)

    def _money(self, task: Task, chosen: Chosen) -> pd.DataFrame:
        spent = _spending(task, chosen.starts)
        given = [0.0] * len(self.pots) if spent is None else spent
        states = self.budgets["state"].fillna(SECURED)
        table = pd.DataFrame(
            {
                "fund": self.budgets["fund"].to_numpy(),
                "year": self.budgets["year"].astype(int).to_numpy(),
                "state": states.to_numpy(),
                "amount": self.budgets["amount"].to_numpy(float),
                "spent": given[: self.spare],
            }
        )
        return table.groupby(["fund", "year", "state"], sort=True)[["amount", "spent"]].sum()

    def _more(self, choosing: Choosing, chosen: Chosen) -> pd.DataFrame:
        last, now = self.years[-1], chosen.levels[-1].value
        here = float(self.walks.lived @ choosing.served_in(chosen.starts, last))
        rows = []
        for sum_of_money in () if self.watch.stopped else MORE_MONEY:
            try:
                other = choosing.best(self.wishes, [*self.pots[: self.spare], Pot(self.paid[0], sum_of_money, True)])
            except KeyboardInterrupt:
                if not self.watch.stopped:
                    raise
            if self.watch.stopped:
                break
            done = [choosing.done_in(plan, last) for plan in (chosen.starts, other.starts)]
            said = [sum(e.weight for e in choosing.task.extras if e.level == PEOPLE and d & e.by) for d in done]
            there = float(self.walks.lived @ choosing.served_in(other.starts, last))
            rows.append((other.levels[-1].value - now, there + said[1] - here - said[0]))
        index = pd.Index(MORE_MONEY[: len(rows)], name="amount")
        return pd.DataFrame(rows, index=index, columns=["person_years", "people"])

    def _near(self, choosing: Choosing, chosen: Chosen, plan: pd.DataFrame) -> pd.DataFrame:
        keys = [p.key for p in self.projects]
        counts = frozenset(j for extra in choosing.task.extras for j in extra.by)
        brings = plan.reindex(keys)["people"].to_numpy(float)
        useful = frozenset(
            j for j, s in enumerate(chosen.starts) if s is not None and (j in counts or brings[j] > 1e-9)
        )
        others = [] if self.watch.stopped else choosing.near(chosen, useful, self.wishes, NEAR, OTHERS)
        here = {j for j, s in enumerate(chosen.starts) if s is not None}
        best, rows = chosen.levels[-1].value, []
        for other in others:
            there = {j for j, s in enumerate(other.starts) if s is not None}
            cost = sum(float(plan.loc[keys[j], "cost"]) for j in there)
            value = other.levels[-1].value
            left, come = (";".join(keys[j] for j in sorted(some)) for some in (here - there, there - here))
            rows.append((left, come, value, value / best if best else 1.0, cost))
        index = pd.RangeIndex(1, len(rows) + 1, name="rank")
        return pd.DataFrame(rows, index=index, columns=["without", "instead", "value", "share", "cost"])

    def _scenario(self, choosing: Choosing, chosen: Chosen) -> Scenario:
        edits = [
            (s + p.duration - 1, Edit(e.do, {**e.what, "year": s + p.duration - 1}))
            for p, s in zip(self.projects, chosen.starts, strict=True)
            if s is not None
            for e in p.edits
        ]
        return Scenario("programme", "年度计划", tuple(edit for _, edit in sorted(edits, key=lambda pair: pair[0])))


def lack_in_words(lack: Mapping[str, Any]) -> str:
    """
    Say how much money is short, when, and which sources may pay for it.

    Parameters
    ----------
    lack
        `short`, `short_years` and `short_funds`, as in a row of `programme`.
    """
    years, funds = (say("、").join(listed(as_text(lack[c]))) for c in ("short_years", "short_funds"))
    told = (years, amount(lack["short"]), funds or say("没有"))
    return say("{0} 年至少还差 {1} 万元；可用渠道：{2}", *told)


def promised(state: District, rules: str | Sequence[str | Rule]) -> list[Rule]:
    """Return the rules that count: with "plan" those of the plan, without the indicators that are shown beside it."""
    chosen = rules_of(state, rules)
    if isinstance(rules, str) and rules == PLAN:
        own = set(state.rules.index[(state.rules["set"] == PLAN).to_numpy()])
        chosen = [rule for rule in chosen if rule.name in own]
    return chosen


def _known(state: District, rules: Sequence[Rule]) -> list[Rule]:
    """Return the rules of which is known who is served; of the others nothing can be counted."""
    if not rules:
        return []
    served = coverage(state, rules=list(rules))["served"].groupby(level="rule").count()
    return [rule for rule in rules if served.get(rule.name, 0) > 0]


def _pot(row: pd.Series, applied: bool) -> Pot:
    counts = applied or row["state"] != APPLIED
    return Pot(
        int(row["year"]), float(row["amount"]) if counts else 0.0, bool(row["carry"]) and not pd.isna(row["carry"])
    )


def _spending(task: Task, starts: Sequence[int | None]) -> list[float] | None:
    """Return what each pot pays for a plan, those that are named first as much as they can; None where it cannot be paid."""
    owed: dict[tuple[Set, int], float] = {}
    over: dict[tuple[Set, int], list[float]] = {}
    for own, start in zip(task.candidates, starts, strict=True):
        if start is not None:
            for pay in own.pays:
                owed[pay.pots, start + pay.year] = owed.get((pay.pots, start + pay.year), 0.0) + pay.amount
                over.setdefault((pay.pots, start + pay.year), []).append(pay.more)
    for group, more in over.items():
        owed[group] += sum(sorted(more, reverse=True)[: task.overruns])
    flows = [(n, p) for n, (pots, year) in enumerate(owed) for p in sorted(pots) if task.pots[p].pays_in(year)]
    if not owed:
        return [0.0] * len(task.pots)
    short = len(flows)
    programme = MixedInteger(
        np.zeros(short + 1), np.full(short + 1, np.inf), np.zeros(short + 1, dtype=bool), Watch(None)
    )
    for n, due in enumerate(owed.values()):
        own_flows = np.array([i for i, (m, _) in enumerate(flows) if m == n] + [short], dtype=np.int64)
        programme.add(np.zeros(len(own_flows)), own_flows, 1.0, due, np.inf)
    for p, pot in enumerate(task.pots):
        own_flows = np.array([i for i, (_, q) in enumerate(flows) if q == p], dtype=np.int64)
        if len(own_flows):
            programme.add(np.zeros(len(own_flows)), own_flows, 1.0, -np.inf, pot.amount)
    cost = np.array([1e-4 * (1 + p) / len(task.pots) for _, p in flows] + [1e3])
    x, _, _ = programme.minimise(cost, 0.0, None)
    if x is None or x[short] > 1e-4:
        return None
    spent = [0.0] * len(task.pots)
    for (_, p), flow in zip(flows, x, strict=False):
        spent[p] += float(flow)
    return spent
