"""
Where new facilities close most of the gap: exact optima with proof, and the plans that are nearly as good.

`solve` works on a plain table of costs between demands and sites; `sites` makes that table for a district, between the
same entrances and by the same rule that coverage counts with, so that what it promises is what coverage finds once the
sites are there. Four questions:

=========  ===========  ================================================================================
mclp       最大覆盖     `n` more sites: which ones bring most weight within the limit (the default)
lscp       全覆盖       the fewest (or cheapest) sites that bring everybody within the limit
p_median   总路程最短   `n` more sites: least weight x cost in all, everybody to the nearest
p_center   最远者最近   `n` more sites: least cost of whoever is farthest
=========  ===========  ================================================================================

Church and ReVelle 1974; Toregas et al. 1971; ReVelle and Swain 1970; Hakimi 1964. The models themselves: `siting.models`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from scipy.spatial import cKDTree

from ..access import (
    TOLERANCE_MIN,
    coverage,
    facility_entrances,
    home_entrances,
    home_points,
    od_table,
    presence,
    same_compound,
    without_stairs,
)
from ..core import (
    BASES,
    DEMONSTRATION,
    METHOD_LABELS,
    TOLERANCE_M,
    Edit,
    Profile,
    Rule,
    SitingError,
    UnknownNameError,
    WrongValueError,
    amount,
    named_by_homes,
    per_cent,
    renewal_is_shown,
    say,
    told,
)
from ..district import SAME_SPOT_M, District, Named, Scenario, kind_name, meant, must_be_district, rule_name
from .assumed import assumption, with_assumption
from .candidates import (
    DOOR_APART_M,
    GRID_M,
    candidate_sites,
    community_spots,
    door_spots,
    given_spots,
    inside_spots,
    room_spots,
    spots_of,
)
from .models import ROUNDING, solve
from .task import Progress, Sites, Siting, some

WEIGHTS = ("people", "people_60plus", "area_m2", "homes", "community")
#: `sites` calls two plans different only when some site of one lies farther than this from every site of the other.
APART_M = 300.0
#: A place is told by named streets this near, and by a second one only where that is about as near as the first.
NEAR_STREET_M = 300.0
SECOND_STREET_M = 100.0
#: Sites in the sentence about near-ties.
NAMED_TIES = 4
#: People by whom equal plans are told apart.
WHOM = ("people", "people_60plus")
#: What is lost at most where a site moves, by model; {0:.0%} is `Siting.within`.
_LOST_AT_MOST = {
    "mclp": "新增至多少 {0:.0%}",
    "lscp": "仍全部够得着",
    "p_median": "总路程至多增加 {0:.0%}",
    "p_center": "最远的路程至多增加 {0:.0%}",
}
#: Plans are called by letters, the best one A.
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

_DEFAULT = Siting()


# --- for a district --------------------------------------------------------------------------------------------------


class Wanted(NamedTuple):
    """What is to be built, where it may stand, and how it is judged: parameters as in `sites`."""

    kind: Named
    candidates: gpd.GeoDataFrame | gpd.GeoSeries | str | None = None
    siting: Siting = _DEFAULT
    profile: Named | None = None
    assume_complete: bool = False


class Phase(NamedTuple):
    """One phase of building: how many new sites (None: as many as the budget pays for), and what it may spend."""

    n: int | None
    budget: float | None = None


#: A zone is written in whole metres.
ROUNDED_M = 1.0
#: The ground about a site is tried at this spacing, or wider where that would be more than so many spots.
TRIED_M, TRIED_AT_MOST = 10.0, 600


class _Case(NamedTuple):
    """What `sites` works on."""

    district: District
    kind: str
    rule: Rule
    walker: Profile
    cover: pd.DataFrame  # index home: what is served today
    points: gpd.GeoDataFrame
    spots: gpd.GeoDataFrame  # candidates; index site
    targets: pd.DataFrame  # entrances of the candidates
    weight: str
    assumed: str  # what the answer has to say of facilities only seen on a map

    @property
    def timed(self) -> Profile | None:
        """Who walks, where the rule counts minutes."""
        return self.walker if self.rule.method == "walk_min" else None


class _Table(NamedTuple):
    """A cost table, and what each demand in it stands for."""

    costs: pd.DataFrame
    weights: pd.Series
    people: pd.Series  # index demand: those by whom equal plans are told apart, missing where not known
    siting: Siting
    units: pd.DataFrame  # rows: demand, home, share (of the home) that gains when the demand is reached
    reached: pd.DataFrame  # rows: demand, site that serves it by the rule
    gain: pd.Series  # index demand: weight that gains, missing where not known
    total: float  # known weight of the district, served or not


@told("选址", 4)
@named_by_homes
def sites(
    district: District,
    kind: Named,
    n: int | None = None,
    *,
    candidates: gpd.GeoDataFrame | gpd.GeoSeries | str | None = None,
    siting: Siting = _DEFAULT,
    profile: Named | None = None,
    each: bool = False,
    assume_complete: bool = False,
    progress: Progress | None = None,
) -> gpd.GeoDataFrame:
    """
    Find where `n` more facilities of a kind serve most of those who are not served today.

    Parameters
    ----------
    district
        Facilities open in its year are there already.
    kind
        A kind, judged by its headline rule in `kinds.csv`; or a rule, for a new facility of its first kind; each by code, name or
        row. A kind without a headline rule is judged by metres along the streets: `siting.limit`, which only "p_median" and
        "p_center" do without.
    n
        How many new sites.
    candidates
        Where they may be built, any CRS, index: their ids; optional column `name`. None:
        `xinhe_geo.siting.candidate_sites(district)`, a frame of which a part will do (`spots[spots.within(shape)]`), and
        for the models in which everybody must be reached ("lscp", "p_median", "p_center") also places for those whom none
        of these reaches: beside their gates, and where that is not near enough, inside the wall. "streets": these too,
        whatever the model. "rooms": only rooms that are there (layer `rooms`) and can be used for the kind.
    siting
        What is asked for, in the ids of the candidates. Its limit replaces the rule's.
    profile
        Who walks, instead of the rule's own profile.
    each
        All plans within `siting.within` of the best, one row per plan and site, instead of the best alone.
    assume_complete
        Take what a map shows of a kind that nobody surveyed for all there is; the answer says so. Otherwise such a kind is
        refused: who lacks it is not known.
    progress
        Called with a short line now and then while a long solve goes on; Ctrl-C gives the best plan so far.

    Returns
    -------
    chosen
        Index `site`, or (`plan`, `site`) where `each`; most gained first. Columns `plan`, `rank`, `tag` (what a meeting calls
        it, on maps and in tables: the plan's letter, A the best, and the rank where the plan has several: B, or B2), `name`
        (where it is, in words: a name given, or community and nearest named streets), `origin` (what sort of place: room,
        street, parcel, vacant, host, given, door, inside or community; door, inside and community are less certain than the others), `kind`,
        `rule`, `label`, `method`, `profile`, `weight` (what was weighed), `community`, `zone`; `people_gained`,
        `people_60plus_gained`, `area_m2_gained`, `homes_gained`, `communities_gained` (what this site adds to those
        before it; communities in which somebody gains, or that get their first facility), the same as `…_cumulative`;
        `homes_unknown` (homes that gain and whose people are not known), `share_before`, `share_after` (0-1 of the
        known weight, after this site and those before it); `tied` (how many places are as good by the objective: 1 is no tie;
        they are ordered by the people of the goal, then by the mean walk), `may_stand` (WKT in the district's CRS: the zone in
        which this site may stand, the others staying, while at most `siting.within` of the gain is lost; it has exactly
        the candidates of which that was counted in it, of a kind promised to every community those of its own; empty with
        capacities); `objective`, `bound`, `gap`, `proven` of the whole plan;
        `left_out` (in words: homes that no candidate reaches and `siting.leave_out` leaves out, how far; else empty);
        `basis` (weakest input), `mark` (演示值（不作结论）, 假定图上设施完整, or empty), `reason`, `near_ties` (sentences), geometry in the
        district's CRS. `coverage` finds `share_after` once the sites are there. Empty where "lscp" needs no site: everybody is
        served today.

    Notes
    -----
    With "mclp" and "lscp" every point of a home is a demand. With "p_median" and "p_center" a home goes to one facility
    as a whole, by the mean (or greatest) cost of its points, and facilities of today take part; a kind promised to every
    community is then judged by the walk of its rule.

    Raises
    ------
    SitingError
        It cannot be done; says why: a kind was only seen on a map and `assume_complete` is not said; homes are out of reach, and
        which ones, and how far their nearest candidate is.
    UnknownNameError
        No such kind, rule, profile or candidate.
    WrongValueError
        Something else than a district, or a value that none of the parameters may have.
    """
    must_be_district(district)
    if not isinstance(siting, Siting):
        raise WrongValueError(
            say('siting 要写 xh.Siting(model="p_median")，不是 {0} {1:.60}', type(siting).__name__, repr(siting))
        )
    tell = progress or (lambda _: None)
    tell(say("找候选点，算路程"))
    case = _case(district, Wanted(kind, candidates, siting, profile, assume_complete))
    distances = _distances(case, siting)
    siting = siting if siting.apart_m is not None else replace(siting, apart_m=APART_M)
    if case.rule.metric == "presence":
        table = _community_table(case, siting)
    elif siting.model in ("mclp", "lscp"):
        table = _point_table(case, siting)
    else:
        table = _home_table(case, siting)
    tell(say("求最优解"))
    try:
        plans = solve(
            table.costs,
            pd.DataFrame({"weight": table.weights, "people": table.people}),
            n,
            siting=replace(table.siting, weight="weight", ties="people"),
            sites=Sites([*case.spots.index, *table.siting.existing], distances),
            progress=progress,
        )
    except SitingError as error:
        if error.uncovered.empty:
            raise
        said = say(
            "{0}。放宽距离，在它们附近加候选点，或允许把它们留下（leave_out）", _lost_text(case, error.uncovered)
        )
        raise SitingError(said, error.uncovered) from None
    tell(say("算每处的好处"))
    tied = _tied(case, table, plans, distances)
    told = plans if each else plans.iloc[:1]
    frame = pd.concat([_explain(case, table, plan) for plan in told.itertuples()])
    frame["tied"] = tied
    frame["near_ties"] = _nothing_text(case, table, plans) or say("；").join(
        text
        for text in (
            _tie_text(case, plans, tied),
            _near_ties(case, plans, siting),
            _moves_text(case, plans, distances, siting),
        )
        if text
    )
    if case.assumed:
        frame["mark"] = [with_assumption(mark, case.assumed) for mark in frame["mark"]]
        assumed = with_assumption(case.assumed, _most_text(case, table, n, float(plans["bound"].iloc[0])))
        frame["reason"] = [with_assumption(reason, assumed) for reason in frame["reason"]]
    lost = pd.DataFrame(plans["left_out"].iloc[0], columns=["demand", "site", "cost"]).set_index("demand")
    frame["left_out"] = say("{0}；没有算在内", _lost_text(case, lost)) if len(lost) else ""
    frame = gpd.GeoDataFrame(frame, geometry=case.spots.geometry.reindex(frame.index).array, crs=district.crs)
    return frame.set_index("plan", append=True, drop=False).swaplevel() if each else frame


def _most_text(case: _Case, table: _Table, n: int | None, bound: float) -> str:
    """Say what a map that lacks so many could stand for at most: the best that so many more can do, by the model's proven bound."""
    if n is None or table.siting.model != "mclp" or table.siting.budget is not None:
        return ""
    most = (table.total - float(table.gain.sum()) + bound) / table.total
    return say("图上若漏了 {0} 处而都在候选点上，{1}至多 {2}", n, rule_name(case.district, case.rule), per_cent(most))


def sites_plan(chosen: gpd.GeoDataFrame, plan: int = 1, *, name: str = "sites") -> Scenario:
    """
    Return the scenario that opens what was chosen, to be edited, compared and taken to the meeting.

    Parameters
    ----------
    chosen
        Result of `sites`, of one plan or of several (`each`), or of `phases` (all of them).
    plan
        Which plan of it.
    name
        The scenario's name.

    Returns
    -------
    Scenario
        One `open_facility` per site (`use_rooms` in a room that is there), under the id of the site, in metres of the district's CRS: on the same district
        `coverage` finds the `share_after` that `sites` promised.

    Raises
    ------
    UnknownNameError
        No such plan.
    """
    own = chosen[(chosen["plan"] == plan).to_numpy()] if len(chosen) else chosen
    if len(chosen) and own.empty:
        raise UnknownNameError("方案", str(plan), [str(p) for p in dict.fromkeys(chosen["plan"])])
    spots = zip(
        own.index.get_level_values("site"),
        own.geometry.array,
        own["kind"],
        [say("{0}（{1}）", *called) for called in zip(own["tag"], own["name"], strict=True)],
        own["origin"],
        strict=True,
    )
    edits = tuple(
        Edit(
            "use_rooms" if origin == "room" else "open_facility",
            {
                "facility": str(site),
                "kind": str(kind),
                "name": say("拟设 {0}", where),
                "xy": [float(spot.x), float(spot.y)],
            },
        )
        for site, spot, kind, where, origin in spots
    )
    return Scenario(
        name, say("选址方案 {0}", plan), edits, note=say("位置为推算：{0}", say("；").join(map(str, own["reason"])))
    )


def phases(
    district: District, wanted: Wanted, steps: Sequence[Phase], *, progress: Progress | None = None
) -> gpd.GeoDataFrame:
    """
    Build in phases: what is best in each, once what was built before stands.

    Parameters
    ----------
    wanted
        What is to be built. A locked site belongs to the first phase; the prices of its `siting` are what budgets pay.
    steps
        How many new sites in each phase, and what it may spend; without a budget of its own, that of `wanted.siting`.
    district, progress
        As in `sites`.

    Returns
    -------
    chosen
        Index (`phase`, `site`), phase 1 first; columns as in `sites`, `tag` a number in the order of building. Each phase is
        proven by itself: together they need not be the best for all sites at once.

    Raises
    ------
    SitingError, UnknownNameError
        As in `sites`; or there is no phase.
    """
    if not steps:
        raise SitingError(say("至少要有一期"))
    kind, candidates, siting, profile, assume = wanted
    parts, built = [], list[Hashable]()
    for phase, (n, own) in enumerate(steps, start=1):
        budget = siting.budget if own is None else own
        locked = siting.locked if phase == 1 else ()
        asked = replace(siting, existing=(*siting.existing, *built), locked=locked, budget=budget, plans=1)
        chosen = sites(
            district,
            kind,
            n,
            candidates=candidates,
            siting=asked,
            profile=profile,
            assume_complete=assume,
            progress=progress,
        )
        built += list(chosen.index)
        parts.append(chosen.assign(phase=phase).set_index("phase", append=True).swaplevel())
    frame = pd.concat(parts)
    frame["tag"] = [str(i + 1) for i in range(len(frame))]
    return gpd.GeoDataFrame(frame, geometry="geometry", crs=district.crs)


def _case(district: District, wanted: Wanted) -> _Case:
    """Put together what today looks like; refuse where it is not known."""
    kind, candidates, siting, profile, assume = wanted
    own, rule = judged_by(district, kind, siting)
    if district.homes is None or district.homes.empty:
        raise SitingError(say("没有小区图层，不知道谁还没有服务到"))
    assumed = assumption(district, rule, assume)
    walker = district.profile(rule.profile if profile is None else profile)
    cover = coverage(district, rules=[rule], profile=profile).droplevel("rule")
    if cover["served"].isna().all():
        labels = say("、").join(kind_name(district, kind) for kind in rule.kinds)
        raise SitingError(say("数据不足：不知道现在哪里有{0}；先调查并写进 surveyed_kinds", labels))
    if isinstance(candidates, str) and candidates not in ("streets", "rooms"):
        raise UnknownNameError("候选点", candidates, ["streets", "rooms"])
    by_itself = candidates is None or (isinstance(candidates, str) and candidates == "streets")
    if by_itself:
        spots = candidate_sites(district, kind=own)
    else:
        spots = room_spots(district, own) if isinstance(candidates, str) else given_spots(district, candidates)
    if spots.empty and isinstance(candidates, str):
        raise SitingError(say("没有能用的存量用房：在图层 rooms 里填，能用作（usable_for）留空为都可以"))
    if spots.empty:
        raise SitingError(say("没有候选点"))
    clash = spots.index[spots.index.isin(() if district.facilities is None else district.facilities.index)]
    if len(clash):
        raise SitingError(say("候选点和已有设施编号相同：{0}；给候选点换一个编号", some(clash)))
    points = home_points(district)
    many = points.groupby("home")["home"].transform("size") > 1
    number = (points.groupby("home").cumcount() + 1).astype("str")
    points = points.assign(demand=points["home"].where(~many, points["home"] + "#" + number))
    spots = _free(district, own, spots)
    timed = walker if rule.method == "walk_min" else None
    targets = _entered(district, spots, timed) if by_itself else facility_entrances(district, spots, timed)
    weight = _weight_name(rule, cover, siting)
    case = _Case(district, own, rule, walker, cover, points, spots, targets, weight, assumed)
    asked = siting.model != "mclp" or candidates is not None
    silent = any(isinstance(each, Mapping) for each in (siting.costs, siting.capacity))  # say nothing of more places
    return _completed(case, siting) if by_itself and asked and not silent else case


def _entered(district: District, spots: gpd.GeoDataFrame, walker: Profile | None) -> pd.DataFrame:
    """Return the entrances of candidates that were not given, looked for once: goal after goal asks for some of the same."""
    key = ("entered candidates", without_stairs(district, walker) is not None)
    if key not in district.memo:
        district.memo[key] = facility_entrances(district, candidate_sites(district), walker)
    every: pd.DataFrame = district.memo[key]
    return every[every["place"].isin(spots.index).to_numpy()].reset_index(drop=True)


def _free(district: District, kind: str, spots: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Take out candidates on whose very spot one of the kind is open: it would be counted as two."""
    facilities = district.open_facilities
    there = None if facilities is None else facilities.geometry[(facilities["kind"] == kind).to_numpy(dtype=bool)]
    if there is None or there.empty or spots.empty:
        return spots
    on_it, taken = there.sindex.query(spots.geometry.array, predicate="dwithin", distance=SAME_SPOT_M)
    free = spots.drop(index=spots.index[np.unique(on_it)])
    if free.empty:
        raise SitingError(say("候选点上都已有同类设施（{0}）；换别的位置", some(there.index[np.unique(taken)])))
    return free


def judged_by(district: District, kind: Named, siting: Siting = _DEFAULT) -> tuple[str, Rule]:
    """
    Return the kind to be built and the rule it is judged by, with the limit that is asked for.

    Parameters
    ----------
    kind, siting
        As in `sites`.

    Raises
    ------
    SitingError, UnknownNameError
        As in `sites`.
    """
    own, rule = _rule_for(district, kind, siting)
    if siting.limit is not None:
        limit = "minutes" if rule.method == "walk_min" else "metres"
        rule = replace(rule, **{limit: siting.limit})  # type: ignore[arg-type]
    return own, rule


def _rule_for(district: District, name: Named, siting: Siting) -> tuple[str, Rule]:
    kinds = district.kinds
    walked = siting.model in ("p_median", "p_center")
    is_rule, key = (1, "") if isinstance(name, Rule) else meant("设施类别或规则", name, kinds, district.rules)
    if not is_rule and not isinstance(kinds.at[key, "rule"], str):
        return key, _bare_rule(district, key, siting.limit, walked)
    rule = district.rule(name if not key else key if is_rule else str(kinds.at[key, "rule"]))
    if walked and rule.metric == "presence":  # how far people walk, not which community it stands in
        rule = replace(rule, metric="reach", denominator="people")
    return (rule.kinds[0] if is_rule else key), rule


def _bare_rule(district: District, kind: str, limit: float | None, walked: bool) -> Rule:
    """Return what a kind that no standard judges is judged by: metres along the streets."""
    label = kind_name(district, kind)
    if limit is None and not walked:
        raise SitingError(
            say(
                "{0}（{1}）在 kinds.csv 里没有领头规则，不知道多远算够得着；用 limit 给出沿街多少米，或直接给规则名",
                label,
                kind,
            )
        )
    walker = str(district.profiles.index[0])
    metres = np.inf if limit is None else limit
    text = label if limit is None else say("{0} {1:g} 米", label, limit)
    return Rule(kind, say("{0}（沿街，本次指定）", text), (kind,), "network_m", metres, np.inf, walker, "people")


def _completed(case: _Case, siting: Siting) -> _Case:
    """Add places for those whom no candidate reaches: beside the gate, every gate, inside the wall."""
    if case.rule.metric == "presence":
        here = case.district.locate(case.spots)["community"]
        matrix = presence(case.district)
        return _with_spots(case, community_spots(case.district, matrix.index[~matrix.index.isin(here)]))
    for spacing in (DOOR_APART_M, 1.0, None):
        lost = _out_of_reach(case, siting)
        if lost.empty:
            break
        number = int(case.spots["origin"].isin(["door", "inside"]).sum())
        more = (
            inside_spots(case.district, lost, number)
            if spacing is None
            else door_spots(case.district, lost, spacing, number)
        )
        case = _with_spots(case, more)
    return case


def _with_spots(case: _Case, more: gpd.GeoDataFrame) -> _Case:
    if more.empty:
        return case
    spots = gpd.GeoDataFrame(pd.concat([case.spots, more]), geometry="geometry", crs=case.district.crs)
    spots = _free(case.district, case.kind, spots)
    return case._replace(spots=spots, targets=facility_entrances(case.district, spots, case.timed))


def _out_of_reach(case: _Case, siting: Siting) -> pd.Index:
    """Return the points of homes that nothing of today and no candidate that may be used reaches."""
    walked = siting.model in ("p_median", "p_center")
    limit = np.inf if walked else _limit(case.rule) + _rule_tolerance(case.rule)
    today = _today(case).fillna(np.inf).to_numpy(dtype=float)
    nearest = np.minimum(today, _nearest_candidate(case, case.targets[~case.targets["place"].isin(siting.banned)]))
    lost = ~np.isfinite(nearest) if walked else nearest > limit
    values = _home_values(case).reindex(case.points["home"]).to_numpy(dtype=float)
    return case.points.index[lost & (values != 0)]


def _nearest_candidate(case: _Case, targets: pd.DataFrame) -> np.ndarray:
    """Return the cost of each point of a home to the nearest candidate; inf where none can be reached."""
    nearest = np.full(len(case.points), np.inf)
    row = case.points.index
    if case.rule.method == "buffer":
        here = shapely.get_coordinates(np.asarray(case.points.geometry.array))
        return np.asarray(cKDTree(targets[["x", "y"]].to_numpy(dtype=float)).query(here)[0])
    walker = case.timed
    entrances = home_entrances(case.district, walker)
    found = case.district.network.search(entrances, targets[(targets["edge"] >= 0).to_numpy()], profile=walker)
    same = same_compound(case.district, case.points, targets)
    inside = same["metres"].to_numpy(dtype=float) / (1.0 if walker is None else walker.speed_m_s * 60.0)
    for place, cost in ((entrances["place"], found["cost"].to_numpy(dtype=float)), (same["place"], inside)):
        there = np.isfinite(cost)
        np.minimum.at(nearest, row.get_indexer(pd.Index(place))[there], cost[there])
    return nearest


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


def _whom(case: _Case, siting: Siting) -> str | None:
    """Return by whom equal plans are told apart: the old for what is theirs, else everybody; None where nobody is known."""
    if siting.ties is not None and siting.ties not in WHOM:
        raise UnknownNameError("并列时按谁排", siting.ties, WHOM)
    rule, elderly = case.rule, case.district.kinds["elderly"].reindex(case.rule.kinds)
    theirs = rule.denominator == "people_60plus" or bool(elderly.fillna(False).all())
    asked = [siting.ties] if siting.ties else ["people_60plus", "people"] if theirs else ["people"]
    return next((column for column in asked if case.cover[column].notna().any()), None)


def _people_of(case: _Case, siting: Siting) -> pd.Series:
    """Return per home the people by whom equal plans are told apart; missing where not known."""
    column = _whom(case, siting)
    return pd.Series(np.nan, index=case.cover.index) if column is None else case.cover[column]


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
    """Return rows point, site, cost between points of homes and entrances of sites, measured as coverage measures them."""
    own = case.points.loc[points]
    if method == "buffer":
        return _straight_costs(own, targets, limit)
    walker = case.walker if method == "walk_min" else None
    entrances = home_entrances(case.district, walker)
    entrances = entrances[entrances["place"].isin(points)]
    found = case.district.network.pairs(entrances, targets[targets["edge"] >= 0], profile=walker, limit=limit)
    rows = found.reset_index().set_axis(["point", "site", "cost"], axis=1)
    same = same_compound(case.district, own, targets).set_axis(["point", "site", "cost"], axis=1)
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
    weights = _point_values(own, _home_values(case))
    return _Table(
        _frame_of(table, _unit(rule)),
        weights,
        _point_values(own, _people_of(case, siting)),
        replace(siting, limit=_limit(rule)),
        _units(own),
        rows[["demand", "site"]],
        weights,
        float(_home_values(case).sum()),
    )


def _units(points: gpd.GeoDataFrame) -> pd.DataFrame:
    return pd.DataFrame({"demand": points["demand"], "home": points["home"], "share": points["weight"]})


def _point_values(points: gpd.GeoDataFrame, homes: pd.Series) -> pd.Series:
    """Return what each point has of its home's value, index demand; missing where not known."""
    values = homes.reindex(points["home"]).to_numpy(dtype=float) * points["weight"].to_numpy()
    return pd.Series(values, index=pd.Index(points["demand"]))


def _today(case: _Case) -> pd.Series:
    """Return the cost of each point to the nearest facility of today, by the rule's own method."""
    column = {"buffer": "straight_metres", "network_m": "metres", "walk_min": "minutes"}[case.rule.method]
    table = od_table(case.district, case.rule.kinds, profile=case.walker)[column]
    return table.groupby(level="point").min().reindex(case.points.index)


def _home_table(case: _Case, siting: Siting) -> _Table:
    """Demand: all homes, as wholes; facilities of today are there."""
    rule, method = case.rule, case.rule.method
    facilities = case.district.open_facilities
    own = None if facilities is None else facilities[facilities["kind"].isin(rule.kinds).to_numpy()]
    targets, there = case.targets, []
    if own is not None and not own.empty:
        targets, there = (
            pd.concat([targets, facility_entrances(case.district, own, case.timed)], ignore_index=True),
            list(own.index),
        )
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
        costs,
        values,
        _people_of(case, siting),
        replace(siting, limit=None, existing=(*siting.existing, *there)),
        _units(outside),
        reached,
        _point_values(outside, values),
        float(values.sum()),
    )


def _community_table(case: _Case, siting: Siting) -> _Table:
    """Demand: communities without a facility; a site serves the one it stands in. Costs only choose among its sites."""
    if siting.model not in ("mclp", "lscp"):
        raise SitingError(say("按“每个社区有一处”要求的类别，只能问 mclp（n 处补哪些社区）或 lscp（补齐要几处）"))
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
    return _Table(
        _frame_of(rows, "minutes"),
        weights,
        _people_of(case, siting).groupby(homes).sum(min_count=1).reindex(lacks),
        replace(siting, limit=None),
        units,
        rows[["demand", "site"]],
        weights,
        total,
    )


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
    "plan",
    "rank",
    "tag",
    "name",
    "origin",
    "kind",
    "rule",
    "label",
    "method",
    "profile",
    "weight",
    "community",
    "zone",
    *(f"{c}_gained" for c in (*_AMOUNTS, "communities")),
    *(f"{c}_cumulative" for c in (*_AMOUNTS, "communities")),
    "homes_unknown",
    "share_before",
    "share_after",
    "tied",
    "may_stand",
    "objective",
    "bound",
    "gap",
    "proven",
    "basis",
    "mark",
    "reason",
)


class _Plan(Protocol):
    """A row of what `solve` returns."""

    Index: int
    sites: Sequence[Hashable]
    objective: float
    bound: float
    gap: float
    proven: bool
    mean: float
    worst: float
    swaps: Sequence[Sequence[Hashable]]


def _explain(case: _Case, table: _Table, plan: _Plan) -> pd.DataFrame:
    """Return the rows of one plan, one per site in the order of what each adds."""
    facts = case.cover.assign(homes=1.0)[[*_AMOUNTS, "community"]]
    units = table.units.reset_index(drop=True).join(facts, on="home")
    about = {site for sites in (plan.sites, *plan.swaps) for site in sites}
    where = case.district.locate(case.spots[case.spots.index.isin(about)])[["community", "zone"]]
    served = table.total - float(table.gain.sum())
    seen: set[Hashable] = set()
    rows: list[dict[str, Any]] = []
    names, origins = _called(case, plan.sites), case.spots["origin"].to_dict()
    letter = LETTERS[(plan.Index - 1) % len(LETTERS)]
    groups = {column: where[column].to_dict() for column in where.columns}
    # of a plan with capacities nobody knows any
    zones = {s: _zone(case, table, plan, s, where["community"]) for s in plan.sites} if plan.swaps else {}
    for rank, (site, demands) in enumerate(_in_order(list(plan.sites), table), start=1):
        gained = units[units["demand"].isin(demands)]
        row: dict[str, Any] = {
            "site": site,
            "plan": plan.Index,
            "rank": rank,
            "tag": letter if len(plan.sites) == 1 else f"{letter}{rank}",
            "name": names[site],
            "origin": origins[site],
        }
        for column in _AMOUNTS:
            row[f"{column}_gained"] = _amount(facts[column], gained[column] * gained["share"])
        communities = demands if case.rule.metric == "presence" else set(gained["community"].dropna())
        row["communities_gained"] = len(communities - seen)
        seen |= communities
        row["homes_unknown"] = int(gained.loc[gained["people"].isna(), "home"].nunique())
        row["share_before"] = served / table.total if rank == 1 else rows[0]["share_before"]
        served += float(
            table.gain[table.gain.index.isin(demands)].sum()
        )  # in the table's order, whatever that of a set
        row["share_after"] = served / table.total
        row |= {column: group[site] for column, group in groups.items()}
        row["may_stand"] = zones.get(site, "")
        row["reason"] = _reason(case, table, row, gained, plan)
        rows.append(row)
    # "lscp" may need no site at all: everybody is served today
    frame = (pd.DataFrame(rows) if rows else pd.DataFrame(columns=["site", *COLUMNS])).set_index("site")
    for column in (*_AMOUNTS, "communities"):
        frame[f"{column}_cumulative"] = frame[f"{column}_gained"].cumsum()
    basis = case.cover["basis"].dropna()
    facts_of_all = {
        "tied": 1,
        "kind": case.kind,
        "rule": case.rule.name,
        "label": rule_name(case.district, case.rule),
        "method": case.rule.method,
        "profile": case.walker.name,
        "weight": case.weight,
        "objective": plan.objective,
        "bound": plan.bound,
        "gap": plan.gap,
        "proven": plan.proven,
        "basis": max(basis, key=BASES.index),
        "mark": say("演示值（不作结论）") if basis.isin(DEMONSTRATION).any() else "",
    }
    return frame.assign(**facts_of_all)[list(COLUMNS)]


def _zone(case: _Case, table: _Table, plan: _Plan, site: Hashable, where: pd.Series) -> str:
    """
    Return the ground on which a site may stand instead as WKT, "" where there is none: about it and the candidates that are as good.

    `where`: the community of each candidate. Where each community is to have one, half a cell of the grid about each, inside
    the community; for a rule of walks, of that what is as good wherever it was tried; for the models that shorten walks the
    spots themselves.
    """
    presence = case.rule.metric == "presence"
    others = dict(zip(plan.sites, plan.swaps, strict=True))[site]
    sites = [s for s in (site, *others) if not presence or where[s] == where[site]]
    if not sites:
        return ""
    own = case.spots.index.isin(sites)
    xy = shapely.get_coordinates(shapely.point_on_surface(np.asarray(case.spots.geometry.array)))
    reach = np.full(int(own.sum()), GRID_M / 2 if table.siting.model in ("mclp", "lscp") else SAME_SPOT_M)
    if not own.all():  # no other candidate lies in it
        reach = np.minimum(reach, cKDTree(xy[~own]).query(xy[own])[0] / 2)
    spots = shapely.points(xy[own])
    ground = shapely.union_all(shapely.buffer(spots, np.maximum(reach, SAME_SPOT_M), quad_segs=4))
    communities = case.district.communities
    if presence and communities is not None:  # beyond its line a site serves another community
        ground = shapely.intersection(ground, shapely.buffer(communities.geometry[where[site]], -ROUNDED_M))
    elif table.siting.model in ("mclp", "lscp"):
        cells = _as_good(case, table, [s for s in plan.sites if s != site], site, ground)
        ground = shapely.union_all([*cells, *shapely.buffer(spots, SAME_SPOT_M, quad_segs=4)])
    return str(shapely.to_wkt(ground, rounding_precision=0))


def _as_good(
    case: _Case, table: _Table, rest: Sequence[Hashable], site: Hashable, ground: shapely.Geometry
) -> list[shapely.Geometry]:
    """Return the cells of a fine grid about whose corners, and one cell beyond, a site in place of another loses four fifths of what is asked at most."""
    x0, y0, x1, y1 = shapely.bounds(ground)
    step = max(TRIED_M, float(np.sqrt(shapely.area(ground) / TRIED_AT_MOST)))
    columns, rows = np.arange(x0, x1 + step, step), np.arange(y0, y1 + step, step)
    grid = np.stack(np.meshgrid(columns, rows), axis=-1)
    inside = np.asarray(shapely.contains_xy(ground, grid[..., 0], grid[..., 1]))
    names = [f"{k}" for k in range(int(inside.sum()))]
    tried = spots_of(names, np.full(len(names), np.nan), "given", shapely.points(grid[inside]), case.district.crs)
    gain, reached = table.gain.fillna(0.0), table.reached
    by_rest = set(reached["demand"][reached["site"].isin(rest)])
    by_all = by_rest | set(reached["demand"][(reached["site"] == site).to_numpy()])
    whole, kept = (float(gain[gain.index.isin(list(by))].sum()) for by in (by_all, by_rest))
    open_ = case.points[case.points["demand"].isin(gain.index) & ~case.points["demand"].isin(list(by_rest))]
    limit = _limit(case.rule) + _rule_tolerance(case.rule)
    found = _point_costs(
        case, open_.index, facility_entrances(case.district, tried, case.timed), limit, case.rule.method
    )
    adds = gain.reindex(open_["demand"].reindex(found["point"])).groupby(found["site"].to_numpy()).sum()
    # four fifths of what is asked: the rest is for what lies between the spots
    within = 0.8 * table.siting.within if table.siting.model == "mclp" else 0.0
    good = np.zeros(inside.shape, dtype=bool)
    good[inside] = kept + adds.reindex(names, fill_value=0.0).to_numpy() >= whole * (1 - within - ROUNDING)
    edge = np.pad(good, 1)
    core = np.logical_and.reduce([edge[i : i + len(rows), j : j + len(columns)] for i in range(3) for j in range(3)])
    cells = core[:-1, :-1] & core[1:, :-1] & core[:-1, 1:] & core[1:, 1:]
    corners = grid[:-1, :-1][cells]
    return list(shapely.box(corners[:, 0], corners[:, 1], corners[:, 0] + step, corners[:, 1] + step))


def _amount(all_homes: pd.Series, gained: pd.Series) -> float:
    """Add up what is known; missing where something gains and nothing of it is known."""
    if gained.empty:
        return 0.0 if all_homes.notna().any() else np.nan
    return float(gained.sum(min_count=1))


def _in_order(chosen: list[Hashable], table: _Table) -> list[tuple[Hashable, set[Hashable]]]:
    """Put the sites of a plan in order, each time the one that adds most (of equals, to most people), with the demands each adds."""
    own = table.reached[table.reached["site"].isin(chosen) & table.reached["demand"].isin(table.gain.index)]
    reach = np.zeros((len(chosen), len(table.gain)), dtype=bool)
    reach[pd.Index(chosen).get_indexer(own["site"]), table.gain.index.get_indexer(own["demand"])] = True
    gain, demands = np.nan_to_num(table.gain.to_numpy(dtype=float)), table.gain.index.to_numpy(dtype=object)
    people = np.nan_to_num(table.people.reindex(table.gain.index).to_numpy(dtype=float))
    left = list(range(len(chosen)))
    steps: list[tuple[Hashable, set[Hashable]]] = []
    while left:
        adds_most = np.lexsort((-(reach[left] @ people), -(reach[left] @ gain)))  # then the first: sites come sorted
        best = left.pop(int(adds_most[0]))
        adds = reach[best].copy()
        steps.append((chosen[best], set(demands[adds])))
        reach[:, adds] = False
    return steps


def _reason(case: _Case, table: _Table, row: Mapping[str, Any], gained: pd.DataFrame, plan: _Plan) -> str:
    """Say in one sentence what a site brings, and to whom."""
    rule = case.rule
    where = placed(case.district, row)
    place = where if row["origin"] == "host" else say("设在{0}", where)
    if gained.empty and not row["communities_gained"]:
        nobody = say("没有新增") if row["rank"] == 1 else say("在前面几处之外没有新增")
        none = nobody if np.isfinite(_limit(rule)) else say("缩短路程")
        return say("{0}：{1}", place, none) + _travel_text(table, plan, rule)
    whom = _whom_text(row, rule)
    if rule.metric == "presence":
        label = kind_name(case.district, str(case.kind))
        communities = case.district.communities
        name = row["community"] if communities is None else communities["name"].get(row["community"])
        walk = say("，居民平均步行 {0:.1f} 分钟", plan.mean) if len(plan.sites) == 1 and np.isfinite(plan.mean) else ""
        return say("{0}：{1}从没有到有{2}，惠及{3}{4}", place, name, label, whom, walk)
    by_home = (gained["share"] * gained["people"].fillna(gained["area_m2"]).fillna(1.0)).groupby(gained["home"]).sum()
    names = case.district.homes["name"] if case.district.homes is not None else pd.Series(dtype="str")
    first = by_home.sort_values(ascending=False, kind="stable").index[:3]
    homes = say("、").join(str(names[h]) if isinstance(names[h], str) else str(h) for h in first)
    more = say("等 {0} 个小区", len(by_home)) if len(by_home) > len(first) else ""
    limit = (
        say("步行 {0:g} 分钟", rule.minutes)
        if rule.method == "walk_min"
        else say("{0} {1:g} 米", say(METHOD_LABELS[rule.method]), rule.metres)
    )
    limit = limit if np.isfinite(_limit(rule)) else say("步行")
    unknown = say("；另有 {0} 个小区人口不详", row["homes_unknown"]) if row["homes_unknown"] else ""
    return say("{0}：新增{1}{2}可达，主要是{3}{4}{5}", place, whom, limit, homes, more, unknown) + _travel_text(
        table, plan, rule
    )


def placed(district: District, row: Mapping[str, Any]) -> str:
    """
    Return where a site is, in words, and in which community where its name does not say so.

    Parameters
    ----------
    row
        One of what `sites` returns.
    """
    inside, called = _community_name(district, row["community"]), str(row["name"])
    where = say("{0}（{1}）", called, inside) if inside and inside not in called else called
    return say("附设在{0}", where) if row["origin"] == "host" else where


#: What a site with a name of its own is called, by the origin of the candidate.
_CALLED = {
    "room": "{}（存量用房）",
    "parcel": "{}地块",
    "vacant": "{}",
    "host": "{}",
    "given": "{}",
    "door": "{}出入口旁（街边点，待核）",
    "inside": "{}内（待核）",
    "community": "{}内（位置待核）",
}


def _called(case: _Case, sites: Iterable[Hashable]) -> dict[Hashable, str]:
    """
    Return what people call the places of candidates: by a name, else by the community and the streets about it.

    What is no candidate, or has neither, keeps its id. A parcel is called by where it lies, unless it may be named.
    """
    unnamed = {"street"} if renewal_is_shown(case.district.manifest) else {"street", "parcel"}
    own = case.spots.loc[case.spots.index.isin(list(sites))]
    communities = case.district.locate(own)["community"]
    edges = case.district.network.edges
    edges = edges[edges["name"].notna().to_numpy() & edges["home"].isna().to_numpy()]
    texts: dict[Hashable, str] = {site: str(site) for site in sites}
    for site, name, origin, spot in zip(own.index, own["name"], own["origin"], own.geometry, strict=True):
        if isinstance(name, str) and origin not in unnamed:
            texts[site] = say(_CALLED[origin], name)
            continue
        roads = _near_streets(edges, shapely.point_on_surface(spot))
        if isinstance(name, str) and origin == "street":  # it stands on it
            roads = [name, *(road for road in roads if road != name)][:2]
        parts = (
            _community_name(case.district, communities[site]),
            say("{0}附近", say("、").join(roads)) if roads else "",
        )
        where = " ".join(part for part in parts if part)
        if origin == "given":
            where = say("{0}（{1}）", site, where) if where else str(site)
        texts[site] = where + (say("空地") if origin == "vacant" and where else "") or str(site)
    return texts


def _community_name(district: District, community: Hashable) -> str:
    names = district.communities
    name = None if names is None else names["name"].get(community)
    return name if isinstance(name, str) else ""


def _near_streets(edges: gpd.GeoDataFrame, spot: shapely.Point) -> list[str]:
    """Return the nearest street's name, and another's about as near, as at a corner; empty where none is near."""
    near = edges.iloc[edges.sindex.query(spot, predicate="dwithin", distance=NEAR_STREET_M)]
    off = shapely.distance(np.asarray(near.geometry.array), spot)
    each = pd.Series(off, index=near["name"].astype("str").to_numpy(dtype=object)).groupby(level=0).min()
    each = each.sort_values(kind="stable")
    return [str(road) for road in each.index[(each <= each.min() + SECOND_STREET_M).to_numpy()][:2]]


def _whom_text(row: Mapping[str, Any], rule: Rule) -> str:
    """Say how many gain: first those whom the rule counts."""
    people, older = row["people_gained"], row["people_60plus_gained"]
    if rule.denominator == "people_60plus" and np.isfinite(older):
        everybody = say("（常住人口 {0:,.0f} 人）", people) if np.isfinite(people) else ""
        return say(" 60岁及以上 {0:,.0f} 人{1}", older, everybody)
    if np.isfinite(people):
        aged = say("（60岁及以上 {0:,.0f} 人）", older) if np.isfinite(older) else ""
        return say(" {0:,.0f} 人{1}", people, aged)
    if np.isfinite(row["area_m2_gained"]):
        return say("居住用地 {0:,.1f} 公顷（人口不详）", row["area_m2_gained"] / 1e4)
    return say(" {0:,.1f} 个小区（人口不详）", row["homes_gained"])


def _travel_text(table: _Table, plan: _Plan, rule: Rule) -> str:
    """For the models about distance: what the whole plan gives."""
    if table.siting.model not in ("p_median", "p_center") or not np.isfinite(plan.mean):
        return ""
    unit = say("分钟") if rule.method == "walk_min" else say("米")
    return say("；整个方案平均 {0:,.1f} {1}，最远 {2:,.1f} {3}", plan.mean, unit, plan.worst, unit)


def _tied(case: _Case, table: _Table, plans: pd.DataFrame, distances: pd.DataFrame) -> int:
    """Return how many places (of plans of several sites: plans that are listed) are as good as the best plan."""
    best = plans.iloc[0]
    equal = _off(plans) < ROUNDING
    if table.siting.model != "mclp" or not best["sites"] or table.siting.capacity is not None:
        return int(equal.sum())
    own = table.reached[table.reached["demand"].isin(table.gain.index)]
    may = ~own["site"].isin(table.siting.banned) & ~own["site"].isin(table.siting.existing)
    own = own[may.to_numpy()].assign(gain=table.gain.reindex(own["demand"][may]).to_numpy())
    if (
        case.rule.metric == "presence"
    ):  # a site serves its own community: equal are those with the weight of the last one chosen
        each = own.drop_duplicates("demand").set_index("demand")["gain"].dropna()
        chosen = own[own["site"].isin(best["sites"])].drop_duplicates("demand")["gain"]
        last = each >= chosen.min() * (1 - ROUNDING)
        as_last = each <= chosen.min() * (1 + ROUNDING)
        more = int(last.sum()) > len(chosen)
        return int((last & as_last).sum()) if more else 1
    if len(best["sites"]) > 1:
        return int(equal.sum())
    gain = own.groupby("site")["gain"].sum()
    left = [best["sites"][0], *gain.index[(gain >= gain.max() * (1 - ROUNDING)).to_numpy()]]
    near = _near_by(distances)
    count = 0
    while left:  # what lies about one of them is the same place
        same = near.get(left[0], set())
        left = [site for site in left if site != left[0] and site not in same]
        count += 1
    return max(count, int(equal.sum()))


def _near_by(distances: pd.DataFrame) -> dict[Hashable, set[Hashable]]:
    """Return per candidate those that count as the same place."""
    near: dict[Hashable, set[Hashable]] = {}
    for a, b in zip(*(distances.index.get_level_values(end).tolist() for end in (0, 1)), strict=True):
        near.setdefault(a, set()).add(b)
        near.setdefault(b, set()).add(a)
    return near


def _off(plans: pd.DataFrame) -> pd.Series:
    """Return how much worse each plan is than the best, as a share."""
    best = float(plans["objective"].iloc[0])
    off: pd.Series = (plans["objective"] - best).abs() / (abs(best) or 1.0)
    return off


def _tie_text(case: _Case, plans: pd.DataFrame, tied: int) -> str:
    """Say how many are equal, and what they are put in order by."""
    if tied < 2:
        return ""
    whom = case.rule.denominator == "people_60plus" or bool(case.district.kinds["elderly"].get(case.kind, False))
    by = say("惠及的60岁及以上人口") if whom and case.cover["people_60plus"].notna().any() else say("惠及人口")
    by = by if case.cover["people"].notna().any() else say("平均步行")
    if case.rule.metric == "presence" or len(plans["sites"].iloc[0]) == 1:
        return say("并列 {0} 处，按{1}排序", tied, by)
    return say("并列 {0} 个方案，按{1}排序", tied, by)


def _moves_text(case: _Case, plans: pd.DataFrame, distances: pd.DataFrame, siting: Siting) -> str:
    """Say where near the sites of the best plan others would lose at most so much: the zone that its map draws."""
    best, near = plans.iloc[0], _near_by(distances)
    counts = [len(near.get(s, set()) & set(o)) for s, o in zip(best["sites"], best["swaps"], strict=False)]
    if not sum(counts) or not siting.within:
        return ""
    where = say("同一社区里") if _by_community(case, siting) else say("{0:g} 米以内", siting.apart_m)
    several = len(counts) > 1
    parts = [say("A{0} {1} 个", i, k) if several else say("{0} 个", k) for i, k in enumerate(counts, 1) if k]
    lost = say("一样好") if case.rule.metric == "presence" else say(_LOST_AT_MOST[siting.model], siting.within)
    return say("{0}另有候选点 {1}，只把这一处移过去，{2}（范围见图）", where, say("、").join(parts), lost)


def _by_community(case: _Case, siting: Siting) -> bool:
    return case.rule.metric == "presence" and siting.apart_m == APART_M and not siting.spacing_m


def _nothing_text(case: _Case, table: _Table, plans: pd.DataFrame) -> str:
    """Say that even the best plan serves nobody more, where it is so: then all are equal, and none is worth a word."""
    if table.siting.model != "mclp" or not plans["proven"].iloc[0] or plans["objective"].iloc[0] > ROUNDING:
        return ""
    if case.rule.metric == "presence" and not table.gain.sum() > 0:
        return say("每个社区都已经有了，不用增设")
    return say("增设在哪里都没有新增")


def _near_ties(case: _Case, plans: pd.DataFrame, siting: Siting) -> str:
    """Name the other plans and how much worse they are; what is too near to be another plan is not among them."""
    names = _called(case, {site for chosen in plans["sites"].iloc[1:] for site in chosen})
    if not plans["proven"].iloc[0]:
        return say("没有证明最优，也就没有找相近的方案")
    if len(plans) < 2:
        if siting.plans < 2:
            return ""
        if _by_community(case, siting):
            return say("别的社区里没有相差 {0:.0%} 以内的方案", siting.within)
        if siting.apart_m:
            return say("{0:g} 米以外没有相差 {1:.0%} 以内的其他方案", siting.apart_m, siting.within)
        return say("没有相差 {0:.0%} 以内的其他方案", siting.within)
    parts = []
    for i, (chosen, off) in enumerate(zip(plans["sites"].iloc[1:], _off(plans).iloc[1:], strict=True)):
        places = (
            say("、").join(names[site] for site in chosen) if len(chosen) <= NAMED_TIES else say("{0} 处", len(chosen))
        )
        letter = LETTERS[(i + 1) % len(LETTERS)]
        parts.append(say("{0} {1}（{2}）", letter, places, say("一样好") if off < ROUNDING else say("差 {0:.1%}", off)))
    told = "另有 {0} 个相差不到 {1:.0%} 的方案：{2}"
    if len(plans) == siting.plans:  # the list ends where it was told to
        told = "至少另有 {0} 个相差不到 {1:.0%} 的方案：{2}"
    return say(told, len(parts), siting.within, say("；").join(parts))


def _lost_text(case: _Case, uncovered: pd.DataFrame) -> str:
    """Name the homes that no candidate reaches, and how far the nearest is from their farthest point."""
    demands = pd.Index(case.points["demand"])
    communities = case.district.communities
    unit = say("分钟") if case.rule.method == "walk_min" else say("米")
    if case.rule.metric == "presence":
        names = pd.Series(dtype="str") if communities is None else communities["name"]
        listed = [str(names.get(c, c)) for c in uncovered.index]
        return say("{0} 个社区里没有候选点：{1}", len(listed), some(listed))
    homes = (
        case.points["home"].to_numpy(dtype=object)[demands.get_indexer(uncovered.index)]
        if (uncovered.index.isin(demands).all())
        else np.asarray(uncovered.index, dtype=object)
    )
    worst = (
        uncovered.assign(home=homes, far=uncovered["cost"].fillna(np.inf))
        .sort_values(["home", "far"], ascending=[True, False], kind="stable")
        .drop_duplicates("home")
        .sort_values(["far", "home"], ascending=[False, True], kind="stable")
    )
    names = case.district.homes["name"] if case.district.homes is not None else pd.Series(dtype="str")
    called = _called(case, list(worst["site"].dropna()))
    texts = []
    for row in worst.itertuples():
        name = names.get(row.home)
        name = f"{name} {row.home}" if isinstance(name, str) else str(row.home)
        far = (
            say("走不到任何候选点")
            if pd.isna(row.cost)
            else say("最近的候选点 {0}，{1} {2}", called[row.site], amount(row.cost, 1), unit)
        )
        texts.append(say("{0}（{1}）", name, far))
    limit = _limit(case.rule)
    within = say("{0:g} {1}内", limit, unit) if np.isfinite(limit) and uncovered["cost"].notna().any() else ""
    gates = case.district.gates
    silent = len(worst) if gates is None else int((~worst["home"].isin(gates["home"])).sum())
    why = say("；其中 {0} 个没有出入口资料，只能从边上最近的街道量起，先补出入口", silent) if silent else ""
    return say("{0} 个小区{1}没有候选点够得着：{2}{3}", len(texts), within, some(texts), why)
