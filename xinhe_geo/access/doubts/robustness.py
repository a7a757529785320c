"""How firm a share is: between which ends it lies, given what nobody has checked, and what of that matters most."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, compress
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from scipy.special import ndtr

from ...core import Rule, UnknownNameError, checked_count, well_called
from ...district import District
from ..bounds import AT_LEAST, bound_of
from ..coverage import coverage, is_surveyed, presence, rules_of, summary
from ..entrances import entrances_of_open, home_entrances
from ..headlines import usable_denominator
from ..home_shares import SHARE_TOLERANCE
from .draws import LEVELS, nearest_level, normals
from .facts import facts_in_doubt
from .reached import Places, State, Ways, places_of, served_at_best, served_at_worst, ways_of

#: Of the draws in their order: how many are left out at either end, of each so many.
OUTER, INNER = 0.025, 0.1
#: What can only take from a share, or only add to it.
MONOTONE = ("gate", "street", "stairs", "existence")
#: What is in doubt of a street.
OF_STREETS = ("street", "stairs")
#: Of so many streets that may be shut and take somebody's last door each set is searched; of more all and none.
SHUT_AT_MOST = 4
#: What the street beside one with stairs is called after it.
BESIDE = "\0level"
#: A mean of draws this far off, in their standard deviations, is a bias.
BIASED = 0.25
RANGE_COLUMNS = (
    *("value", "low", "high", "low_80", "high_80", "least", "most", "exact", "bias"),
    *("facts", "varied", "fixed", "cause", "cause_facts", "who", "denominator"),
)


#: How many are drawn unless told: the 5th and the 195th are the ends of 95 %.
DRAWS = 199


@well_called
def robustness(
    district: District,
    rules: str | Sequence[str | Rule] = "plan",
    *,
    seed: int = 0,
    draws: int = DRAWS,
    by: str | None = None,
) -> pd.DataFrame:
    """
    Say between which ends each rule's share lies, given the facts that `doubts.csv` puts in doubt.

    Facts with a sourced probability, and positions, are drawn; all others are intervals, so that each draw gives a low and a high end.
    Speed and waits are agreed, and no part of a range. Which facts to check first, so that a range shrinks:
    `xinhe_geo.access.worth_checking(district, rules, most=3)`.

    Parameters
    ----------
    district
        What `District.load` opened; it stays as it was.
    rules
        As in `coverage`.
    seed
        Of the random numbers; the same seed gives the same bytes.
    draws
        How many; 199 make the 5th and the 195th the ends of 95 %.
    by
        A grouping of homes ("zone", "community" …), besides the whole.

    Returns
    -------
    table
        MultiIndex (rule, group; group "" is the whole). Columns `value` (0-1, as `headlines`, by the rule's denominator), `low`, `high` (95 % of the draws),
        `low_80`, `high_80`, `least`, `most` (all that gates, streets and existence can do, positions and people as recorded), `exact` (these two are
        reached, not only never left; False also where a street in doubt, closed, can leave somebody without a door, who is attached anew: of more than
        four such streets only all and none are looked at, and a gate that is shut as well may leave the range), `bias` (mean of the draws minus the value),
        `facts` (how many in doubt touch it), `varied` (what of which layers these are, "gates:gate;facilities:position") and `fixed` (what bears
        on the share as well, and was taken as recorded, since nothing of it is in doubt),
        `cause` (layer and what of it, "gates:gate", that alone moves it most; "" where nothing does),
        `cause_facts` (how many these are), `who` (who finds out and by when, as typed, those of most facts first, with ";" between),
        `denominator`. Missing: 数据不足; of a kind that was only seen on a map the upper end is missing, because nobody knows what the map does not show.

    Raises
    ------
    UnknownNameError
        No such set, rule or grouping.
    ValueError
        Fewer than 39 draws: they have no 95 %.
    """
    checked_count(draws, "draws（抽样次数）", 39)
    asked = rules_of(district, rules)
    if by is not None and by not in district.groups.columns:
        raise UnknownNameError("分组", by, list(district.groups.columns))
    case = Case(district, asked, seed, draws)
    rows = {(rule.name, group): row for rule in asked for group, row in _rows(case, rule, by)}
    index = pd.MultiIndex.from_tuples(rows, names=["rule", "group"])
    return pd.DataFrame(list(rows.values()), index=index, columns=list(RANGE_COLUMNS))


def doubted(district: District, rules: str | Sequence[str | Rule] = "plan") -> pd.Series:
    """
    Count the facts in doubt that each rule's share depends on, as `robustness` counts them, without working out what they do to it.

    Parameters
    ----------
    district
        What `District.load` opened; it stays as it was.
    rules
        As in `coverage`.

    Returns
    -------
    facts
        Index rule; missing where the share is not known.

    Raises
    ------
    UnknownNameError
        No such set or rule.
    """
    asked = rules_of(district, rules)
    case = Case(district, asked, 0, DRAWS)
    found = {rule.name: _in_doubt(case, rule, _groups(case, rule, None)[1]) for rule in asked}
    return pd.Series({name: np.nan if facts is None else len(facts) for name, facts in found.items()}, dtype="float64")


class Change(NamedTuple):
    """A street that is otherwise than recorded: nobody passes (who takes no stairs, where these are in doubt), or it has no stairs."""

    street: str
    level: bool = False


#: Streets as they are recorded.
UNCHANGED: frozenset[Change] = frozenset()


class Ends(NamedTuple):
    """The low and the high end of a share in each state, shape (states, groups)."""

    low: np.ndarray
    high: np.ndarray


class _Placed(NamedTuple):
    """Of each fact: what is in doubt, of which gate or facility (-1: of neither), whether it is drawn, and by which random number."""

    what: np.ndarray
    column: np.ndarray
    drawn: np.ndarray
    number: np.ndarray


@dataclass(frozen=True, eq=False)
class Case:
    """A district whose facts are in doubt, and what was searched for it once."""

    district: District
    rules: Sequence[Rule]
    seed: int
    draws: int

    @cached_property
    def facts(self) -> pd.DataFrame:
        """What is in doubt."""
        return facts_in_doubt(self.district)

    @cached_property
    def wide(self) -> District:
        """The district with every facility and every gate that may be there."""
        wide = self.district.counting_unchecked() if self.of("existence").size else self.district
        gates, doubtful = wide.rows.get("gates"), self.of("gate")
        if gates is None:
            return wide
        shut = gates.index.isin(doubtful) & (gates["state"] == "closed").to_numpy(dtype=bool, na_value=False)
        if not shut.any():
            return wide
        return wide.with_rows({**wide.rows, "gates": gates.assign(state=gates["state"].mask(shut, "open"))})

    @cached_property
    def facilities(self) -> gpd.GeoDataFrame:
        """The facilities of all kinds that are asked for, those that may be there as well."""
        kinds = {kind for rule in self.rules for kind in rule.kinds}
        found = self.wide.open_facilities
        if found is None:
            return gpd.GeoDataFrame({"kind": []}, geometry=[], crs=self.wide.crs)
        return found[found["kind"].isin(kinds).to_numpy()]

    def of(self, what: str) -> pd.Index:
        """Return the ids of the rows of which that is in doubt."""
        return pd.Index(self.facts["id"][(self.facts["what"] == what).to_numpy()], dtype="str")

    @cached_property
    def _numbers(self) -> dict[str, np.ndarray]:
        """The standard normal numbers of every fact that can be drawn, by what they are for; a column of each fact."""
        facts = self.facts[self.facts["drawn"].to_numpy(dtype=bool)]
        return {axis: normals(facts, axis, self.seed, self.draws) for axis in ("east", "north", "people", "is")}

    def numbers(self, facts: pd.DataFrame, axis: str) -> np.ndarray:
        """Return the standard normal numbers of some facts, shape (draws, facts)."""
        return self._numbers[axis][:, self._placed.number[self.facts.index.get_indexer(facts.index)]]

    @cached_property
    def _placed(self) -> _Placed:
        """Where everything in doubt stands among gates, facilities and random numbers."""
        what, drawn = self.facts["what"].to_numpy(object), self.facts["drawn"].to_numpy(dtype=bool)
        own = {"gate": self.gates, "existence": self.facilities.index, "position": self.facilities.index}
        column = np.full(len(what), -1)
        for name, names in own.items():
            column[what == name] = names.get_indexer(self.facts["id"].to_numpy(object)[what == name])
        return _Placed(what, column, drawn, np.cumsum(drawn) - 1)

    def happens(self, facts: pd.DataFrame) -> np.ndarray:
        """Return whether each of some facts is as recorded, shape (draws, facts); `probability` says how often."""
        return np.asarray(ndtr(self.numbers(facts, "is")) < facts["probability"].to_numpy(dtype=float))

    @cached_property
    def gates(self) -> pd.Index:
        """The gates in doubt."""
        return self.of("gate")

    def sigma(self) -> np.ndarray:
        """Return the standard deviation of each facility's position along an axis, metres."""
        own = self.facts[(self.facts["what"] == "position").to_numpy()].set_index("id")["metres"]
        return own.reindex(self.facilities.index).fillna(0.0).to_numpy(dtype=float) / np.sqrt(2.0)

    @cached_property
    def _memo(self) -> dict[object, object]:
        return {}

    def changed(self, changes: frozenset[Change]) -> District:
        """
        Return the district with some streets otherwise than recorded; every place keeps its doors, as under a plan.

        A street without its stairs is another one beside it, so that it only adds doors and ways.
        """
        key = "changed", changes
        if key not in self._memo:
            self._memo[key] = self._changed(changes) if changes else self.wide
        found = self._memo[key]
        assert isinstance(found, District)
        return found

    def _changed(self, changes: frozenset[Change]) -> District:
        shut = {change.street for change in changes if not change.level}
        level = {change.street for change in changes if change.level} - shut
        rows = {}
        for layer in ("streets", "extra_links"):
            frame = self.wide.rows.get(layer)
            if frame is not None:
                beside = frame[frame.index.isin(level)].assign(steps=False)
                beside.index = beside.index.astype(object) + BESIDE
                kept = frame[~frame.index.isin(shut)]
                rows[layer] = pd.concat([kept, beside.rename_axis(frame.index.name)]) if len(beside) else kept
        return self.wide.with_rows(rows, scenario="changed")

    def places(self, changes: frozenset[Change]) -> Places:
        """Return the facilities and where they may be, with some streets otherwise."""
        key = "places", changes
        if key not in self._memo:
            self._memo[key] = places_of(self.changed(changes), self.facilities, self.sigma())
        found = self._memo[key]
        assert isinstance(found, Places)
        return found

    def chosen(self, rule: Rule) -> np.ndarray:
        """Return which of the facilities a rule asks for."""
        return np.flatnonzero(self.facilities["kind"].isin(rule.kinds).to_numpy())

    def lose_doors(self, changes: frozenset[Change]) -> bool:
        """Tell whether somebody can be left without a door where some or all of these streets are shut, whichever gates are open: such are attached anew."""
        shut = frozenset(change for change in changes if not change.level)
        key = "lose doors", shut
        if key not in self._memo:
            stairs = self.district.profiles.index[~self.district.profiles["steps"].to_numpy(dtype=bool)]
            walkers = (None, *map(self.district.profile, stairs[:1]))
            self._memo[key] = bool(shut) and any(
                _loses(ways(self.wide, walker), ways(self.changed(shut), walker), self.gates)
                for walker in walkers
                for ways in (home_entrances, entrances_of_open)
            )
        return bool(self._memo[key])

    def _closings(
        self, worst: frozenset[Change], best: frozenset[Change]
    ) -> list[tuple[frozenset[Change], frozenset[Change]]]:
        """
        Return the streets between which a share lies, at worst and at best.

        Whom a closed street leaves without a door is attached anew, perhaps to a better one: then each set of closed streets is looked at, of
        many all and none.
        """
        shut = sorted(worst - best)
        if not shut or not self.lose_doors(worst):
            return [(worst, best)]
        sizes = range(len(shut) + 1) if len(shut) <= SHUT_AT_MOST else (0, len(shut))
        some = [frozenset(own) for size in sizes for own in combinations(shut, size)]
        return [((worst & best) | own, best | own) for own in some]

    def ways(self, rule: Rule, changes: frozenset[Change]) -> Ways:
        """Return which ways lead to what a rule asks for, with some streets otherwise."""
        limit = rule.minutes if rule.method == "walk_min" else rule.metres
        key = "ways", rule.kinds, rule.method, limit, rule.profile if rule.method == "walk_min" else "", changes
        if key not in self._memo:
            district, places = self.changed(changes), self.places(changes)
            self._memo[key] = ways_of(district, rule, places, self.chosen(rule), self.gates)
        found = self._memo[key]
        assert isinstance(found, Ways)
        return found

    def bearing(self, rule: Rule) -> list[str]:
        """Return what a rule's share can depend on, be it in doubt or not: layers and what of them."""
        walked = rule.metric == "reach" and rule.method != "buffer"
        counted = self.denominator(rule) in ("people", "people_60plus") and rule.metric == "reach"
        ways, people = ["gates:gate", "streets:street"] if walked else [], ["homes:people"] if counted else []
        return ["facilities:existence", "facilities:position", *ways, *people]

    def touching(self, rule: Rule) -> pd.DataFrame:
        """Return the facts that a rule's share can depend on."""
        facts, own = self.facts, self.facilities.index[self.chosen(rule)]
        layers = {sort.partition(":")[0] for sort in self.bearing(rule)} - {"facilities"}
        touched = (facts["layer"] == "facilities") & facts["id"].isin(own) | facts["layer"].isin(layers)
        if rule.method != "walk_min" or self.district.profile(rule.profile).steps:
            touched &= facts["what"] != "stairs"  # nobody minds them
        if rule.metric == "presence":
            touched &= (facts["what"] != "position") | facts["id"].isin(self.by_position)
        return facts[touched.to_numpy()]

    def changes(self, facts: pd.DataFrame) -> list[Change]:
        """Return what becomes of the streets of some facts where it is not as recorded, in their order."""
        own, streets = facts[facts["what"].isin(OF_STREETS).to_numpy()], self.district.streets
        if streets is None or own.empty:
            return []
        stairs = streets["steps"].reindex(own["id"]).to_numpy(dtype=bool) & (own["what"] == "stairs").to_numpy()
        return [Change(street, bool(level)) for street, level in zip(own["id"], stairs, strict=True)]

    @cached_property
    def by_position(self) -> set[str]:
        """The facilities of which nothing but their position says whom they serve."""
        said = self.wide.serving(self.facilities)
        return set(self.facilities.index) - set(said.loc[said["by"] != "position", "facility"])

    @cached_property
    def cover(self) -> pd.DataFrame:
        """The coverage of all rules, as recorded."""
        return coverage(self.district, rules=list(self.rules))

    @cached_property
    def _whole(self) -> pd.DataFrame:
        return summary(self.cover)

    def denominator(self, rule: Rule) -> str:
        """Return what a rule's share counts."""
        key = "denominator", rule.name
        if key not in self._memo:
            known = self.district.homes is not None and not self.homes.empty
            self._memo[key] = (known and usable_denominator(rule.denominator, self._whole.loc[rule.name])) or ""
        return str(self._memo[key])

    @cached_property
    def homes(self) -> gpd.GeoDataFrame:
        """The homes of the district, which has some."""
        homes = self.district.homes
        assert homes is not None
        return homes

    # --- states of the facts

    def state(self, facts: pd.DataFrame, *, drawn: bool) -> State:
        """
        Return states in which some facts are in doubt and all others as recorded.

        Parameters
        ----------
        facts
            Those in doubt.
        drawn
            Draw those that can be; else they are intervals as well, and positions as recorded: one state.
        """
        facilities, gates = self.facilities.index, self.gates
        places = self.places(UNCHANGED)
        count = self.draws if drawn and facts["drawn"].any() else 1
        position = np.tile(places.positions // 2, (count, 1))
        there, at_best = np.ones((2, count, len(facilities)), np.bool_)
        opened, opened_at_best = np.zeros((2, count, len(gates)), np.bool_) | self.recorded_open
        waiting = facilities.get_indexer(self._unchecked)
        there[:, waiting[waiting >= 0]] = at_best[:, waiting[waiting >= 0]] = False  # as recorded they serve nobody
        placed, row = self._placed, self.facts.index.get_indexer(facts.index)
        what, column, sure = placed.what[row], placed.column[row], placed.drawn[row] & drawn
        for name, low, high in (("existence", there, at_best), ("gate", opened, opened_at_best)):
            own = (what == name) & (column >= 0)
            either, fixed = column[own & ~sure], own & sure
            low[:, either], high[:, either] = False, True
            if fixed.any():
                as_said = self.happens(facts[fixed])
                if name == "gate":
                    as_said = as_said == self.recorded_open[column[fixed]]
                low[:, column[fixed]] = high[:, column[fixed]] = as_said
        moved = (what == "position") & (column >= 0) & drawn
        moved[moved] = places.positions[column[moved]] > 1
        if moved.any():
            east, north = (nearest_level(self.numbers(facts[moved], axis)) for axis in ("east", "north"))
            position[:, column[moved]] = north * len(LEVELS) + east
        if opened_at_best.all(axis=0).all():
            return State(position, there, at_best, opened, opened_at_best)
        return State(position, there, at_best, *self._one_open(opened, opened_at_best))

    @cached_property
    def recorded_open(self) -> np.ndarray:
        """Whether each gate in doubt is open as recorded."""
        gates = self.district.gates
        if gates is None:
            return np.empty(0, np.bool_)
        return (gates["state"].fillna("open") == "open").reindex(self.gates).to_numpy(dtype=bool)

    @cached_property
    def _unchecked(self) -> pd.Index:
        facilities = self.district.open_facilities
        known = pd.Index([]) if facilities is None else facilities.index
        return self.facilities.index.difference(known)

    def _one_open(self, sure: np.ndarray, at_best: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Leave the first gate of a compound open whose gates are all drawn shut: people live there, and come out."""
        for own in self.only_doubted:
            if self.recorded_open[own].any():
                locked = ~at_best[:, own].any(axis=1)
                sure[locked, own[0]] = at_best[locked, own[0]] = True
        return sure, at_best

    @cached_property
    def only_doubted(self) -> tuple[np.ndarray, ...]:
        """The gates (places in `gates`) of each home of which no other gate is open."""
        gates = self.district.gates
        if gates is None or not len(self.gates):
            return ()
        every = (gates["state"].fillna("open") == "open").to_numpy()
        free = set(gates["home"][every & ~gates.index.isin(self.gates)])
        home = gates["home"].reindex(self.gates).to_numpy(object)
        return tuple(np.flatnonzero(home == name) for name in dict.fromkeys(home) if name not in free)

    def streets(
        self, facts: pd.DataFrame, count: int, *, drawn: bool
    ) -> Iterator[tuple[np.ndarray, frozenset[Change], frozenset[Change]]]:
        """Yield states, so many in all, by their streets: which states, and what is otherwise in them at worst, and at best."""
        own = facts[facts["what"].isin(OF_STREETS).to_numpy()]
        sure, changes = own["drawn"].to_numpy(dtype=bool) & drawn, self.changes(facts)
        either = frozenset(change for change, fixed in zip(changes, sure, strict=True) if not fixed)
        shut = frozenset(change for change in either if not change.level)
        if not sure.any():
            yield np.arange(count), shut, either - shut
            return
        fixed = list(compress(changes, sure))
        sets, which = np.unique(~self.happens(own[sure]), axis=0, return_inverse=True)
        for number, row in enumerate(sets):
            told = frozenset(compress(fixed, row))
            yield np.flatnonzero(which == number), told | shut, told | (either - shut)

    # --- shares

    def ends(self, rule: Rule, facts: pd.DataFrame, groups: np.ndarray, *, drawn: bool) -> Ends:
        """
        Return the ends of a rule's share in each state of some facts, group by group.

        Parameters
        ----------
        rule, facts, drawn
            As in `state`.
        groups
            Which homes (communities, of a rule of presence) count in each group, shape (groups, homes).
        """
        if rule.metric == "presence":
            return self._communities(rule, facts, groups, drawn=drawn)
        state = self.state(facts, drawn=drawn).take(self.chosen(rule))
        parts: list[np.ndarray] = []
        order = []
        walked = facts if rule.method != "buffer" else facts[:0]
        for rows, worst, best in self.streets(walked, len(state.position), drawn=drawn):
            own = State(*(part[rows] for part in state))
            closings = self._closings(worst, best)
            low = [served_at_worst(self.wide, self.ways(rule, changes), own) for changes, _ in closings]
            high = [served_at_best(self.wide, self.ways(rule, changes), own) for _, changes in closings]
            parts.append(np.stack([np.min(low, axis=0), np.max(high, axis=0)]))
            order.append(rows)
        shares = np.concatenate(parts, axis=1)[:, np.argsort(np.concatenate(order))]
        return self._weighted(rule, facts, groups, shares, drawn=drawn)

    def amounts(self, rule: Rule) -> pd.Series:
        """Return how much of what a rule counts each home has."""
        homes, counted = self.homes, self.denominator(rule)
        if counted == "homes":
            return pd.Series(1.0, index=homes.index)
        area = homes.geometry.area
        return area.where(area > 0) if counted == "area_m2" else homes[counted]

    def _weighted(
        self, rule: Rule, facts: pd.DataFrame, groups: np.ndarray, shares: np.ndarray, *, drawn: bool
    ) -> Ends:
        homes = self.homes
        weight, count = self.amounts(rule).fillna(0.0).to_numpy(dtype=float), shares.shape[1]
        some = np.tile(weight, (count, 1))
        own = facts[(facts["what"] == "people").to_numpy()]
        sure = own["drawn"].to_numpy(dtype=bool) & drawn
        column = homes.index.get_indexer(own["id"])
        if sure.any():
            error = self.numbers(own[sure], "people") * own["spread"].to_numpy(dtype=float)[sure]
            some[:, column[sure]] *= np.maximum(1.0 + error, 0.0)
        apart = np.zeros(len(weight))
        if drawn:
            apart[column[~sure]] = own["spread"].to_numpy(dtype=float)[~sure]
        low, high = (
            np.column_stack([_extreme(share[:, g], some[:, g], apart[g], sign) for g in groups])
            for share, sign in zip(shares, (-1.0, 1.0), strict=True)
        )
        return Ends(low, high)

    def _communities(self, rule: Rule, facts: pd.DataFrame, groups: np.ndarray, *, drawn: bool) -> Ends:
        state = self.state(facts, drawn=drawn).take(self.chosen(rule))
        own = self.facilities.iloc[self.chosen(rule)]
        communities = presence(self.district).index
        serving = self.wide.serving(own)
        serves = np.zeros((len(own), len(communities)), np.bool_)
        place, code = own.index.get_indexer(serving["facility"]), communities.get_indexer(serving["community"])
        serves[place[code >= 0], code[code >= 0]] = True
        moved = facts[((facts["what"] == "position") & facts["id"].isin(own.index)).to_numpy()]
        count = len(state.there)
        has = [there.astype(float) @ serves > 0 for there in (state.there, state.there_at_best)]
        if drawn and len(moved):
            row = own.index.get_indexer(moved["id"])
            fixed = np.delete(np.arange(len(own)), row)
            has = [there[:, fixed].astype(float) @ serves[fixed] > 0 for there in (state.there, state.there_at_best)]
            at = self._displaced(own.iloc[row], moved, count)
            for k, number in enumerate(row):
                code = communities.get_indexer(at[:, k])
                for found, there in zip(has, (state.there, state.there_at_best), strict=True):
                    rows = np.flatnonzero((code >= 0) & there[:, number])
                    found[rows, code[rows]] = True
        low, high = (np.column_stack([found[:, g].mean(axis=1) for g in groups]) for found in has)
        return Ends(low, high)

    def _displaced(self, own: gpd.GeoDataFrame, facts: pd.DataFrame, count: int) -> np.ndarray:
        """Return the community in which each facility lies in each draw, shape (draws, facilities): in no way rounded to levels."""
        spots = shapely.get_coordinates(shapely.point_on_surface(own.geometry.array))
        sigma = facts["metres"].to_numpy(dtype=float) / np.sqrt(2.0)
        away = np.stack([self.numbers(facts, axis) * sigma for axis in ("east", "north")], axis=-1)
        points = gpd.GeoDataFrame(geometry=shapely.points((spots[None] + away).reshape(-1, 2)), crs=own.crs)
        return self.wide.locate(points)["community"].to_numpy(object).reshape(count, len(own))


def _loses(before: pd.DataFrame, after: pd.DataFrame, doubtful: pd.Index) -> bool:
    """Tell whether somebody was attached anew, or has no ways left, or only by gates in doubt: with those shut, the lost ones are attached anew."""
    had, left = (
        pd.MultiIndex.from_frame(ways[["place", "gate"]].fillna({"gate": ""}).astype(str)).unique()
        for ways in (before, after[~after["anew"].to_numpy(dtype=bool)])
    )
    sure = left[~left.get_level_values("gate").isin(doubtful)]
    lost = had.difference(left).get_level_values("place")
    return bool(after["anew"].any()) or not lost.isin(sure.get_level_values("place")).all()


def _extreme(share: np.ndarray, weight: np.ndarray, apart: np.ndarray, sign: float) -> np.ndarray:
    """
    Return the greatest (`sign` 1) or least (-1) weighted mean of shares if each weight may be off by its part either way.

    Whoever is above the mean takes its greatest weight, the others their least: the best cut in the order of the shares is the answer.
    """
    if not apart.any():
        whole = weight.sum(axis=1)
        return np.divide((share * weight).sum(axis=1), whole, out=np.full(len(share), np.nan), where=whole > 0)
    order = np.argsort(-sign * share, axis=1, kind="stable")
    value = np.take_along_axis(share, order, axis=1)
    most, least = (
        np.take_along_axis(weight * np.maximum(1.0 + way * apart, 0.0), order, axis=1) for way in (1.0, -1.0)
    )

    def cut(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        nothing = np.zeros((len(a), 1))
        front = np.hstack([nothing, np.cumsum(a, axis=1)])
        back = np.hstack([np.cumsum(b[:, ::-1], axis=1)[:, ::-1], nothing])
        return front + back

    whole = cut(most, least)
    mean = np.divide(cut(value * most, value * least), whole, out=np.full_like(whole, np.nan), where=whole > 0)
    return np.asarray(sign * np.nanmax(sign * mean, axis=1))


# --- rows of the table -----------------------------------------------------------------------------------------------


def _in_doubt(case: Case, rule: Rule, groups: np.ndarray) -> pd.DataFrame | None:
    """Return the facts in doubt that a rule's share depends on; None where the share is not known."""
    counted = rule.metric == "presence" or case.denominator(rule)
    if not (len(groups.T) and is_surveyed(case.district, rule.kinds) and counted):
        return None
    return case.touching(rule) if len(case.chosen(rule)) else case.facts[:0]


def _rows(case: Case, rule: Rule, by: str | None) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield the whole, and each group, of a rule."""
    names, groups = _groups(case, rule, by)
    blank: dict[str, object] = dict.fromkeys(RANGE_COLUMNS, np.nan)
    blank |= {
        "exact": False,
        "facts": 0,
        "varied": "",
        "fixed": "",
        "cause": "",
        "cause_facts": 0,
        "who": "",
        "denominator": case.denominator(rule),
    }
    facts = _in_doubt(case, rule, groups)
    if facts is None:
        yield from ((name, dict(blank)) for name in names)
        return
    value = _recorded(case, rule, groups)
    blank |= {"facts": len(facts), "who": ";".join(facts["who"][(facts["who"] != "").to_numpy()].value_counts().index)}
    found = _Found(case, rule, facts, groups, Ends(value[None], value[None]))
    varied = list(dict.fromkeys(found.sort))
    blank |= {"varied": ";".join(varied), "fixed": ";".join(s for s in case.bearing(rule) if s not in varied)}
    monotone = facts["what"].isin(MONOTONE)
    extremes = case.ends(rule, facts[monotone.to_numpy()], groups, drawn=False) if monotone.any() else found.recorded
    causes = {sort: _width(found.of([sort])) for sort in sorted(set(found.sort))}
    exact = not len(facts) or _is_exact(case, rule, facts[monotone.to_numpy()])
    hidden = bound_of(case.district, rule.kinds) == AT_LEAST
    for number, name in enumerate(names):
        row = dict(blank) | {"value": value[number]} | found.quantiles(number)
        row |= {"least": extremes.low[0, number], "most": extremes.high[0, number], "exact": exact}
        if hidden:
            row |= dict.fromkeys(("high", "high_80", "most"), np.nan)
        widest = max(causes, key=lambda sort: (causes[sort][number], sort), default="")
        if widest and causes[widest][number] > SHARE_TOLERANCE:
            row |= {"cause": widest, "cause_facts": int((found.sort == widest).sum())}
        yield name, row


class _Found:
    """The ends of a rule's share under any sorts of facts ("gates:gate"), worked out when first asked for."""

    def __init__(self, case: Case, rule: Rule, facts: pd.DataFrame, groups: np.ndarray, recorded: Ends) -> None:
        self.case, self.rule, self.facts, self.groups, self.recorded = case, rule, facts, groups, recorded
        self.sort = facts["layer"] + ":" + facts["what"]
        self._memo: dict[tuple[str, ...], Ends] = {(): recorded}

    def of(self, sorts: Iterable[str]) -> Ends:
        """Return the ends if only facts of some sorts are in doubt."""
        key = tuple(sorted(set(sorts)))
        if key not in self._memo:
            own = self.facts[self.sort.isin(key).to_numpy()]
            self._memo[key] = self.case.ends(self.rule, own, self.groups, drawn=True)
        return self._memo[key]

    def quantiles(self, number: int) -> dict[str, object]:
        """
        Return the ends of the draws of a group.

        Errors of positions and people go either way. Where they shift the share all the same, the truth may lie as far on the other side:
        the ends are moved out until what lies mirrored at the value is within them too.
        """
        value = float(self.recorded.low[0, number])
        symmetric = self.of(self.sort[self.facts["drawn"].to_numpy() & ~self.facts["what"].isin(MONOTONE).to_numpy()])
        mean = symmetric.low[:, number] + symmetric.high[:, number]
        bias = float((mean / 2.0).mean() - value)
        biased = abs(bias) > BIASED * float((mean / 2.0).std()) > 0
        every = self.of(self.sort)
        row: dict[str, object] = {"bias": bias}
        for names, part in ((("low", "high"), OUTER), (("low_80", "high_80"), INNER)):
            low, high = (float(end[number]) for end in _ranked(every, part))
            if biased:
                least, most = (float(end[number]) for end in _ranked(symmetric, part))
                low -= max(least + most - 2.0 * value, 0.0)
                high += max(2.0 * value - least - most, 0.0)
            row |= dict(zip(names, np.clip((low, high), 0.0, 1.0).tolist(), strict=True))
        return row


def _ranked(ends: Ends, part: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of the draws of all groups, with a part of them left out on either side."""
    rank = max(round(part * (len(ends.low) + 1)), 1) - 1
    low, high = (np.sort(end, axis=0) for end in ends)
    return low[rank], high[len(high) - 1 - rank]


def _width(ends: Ends) -> np.ndarray:
    low, high = _ranked(ends, OUTER)
    return np.asarray(high - low)


def _groups(case: Case, rule: Rule, by: str | None) -> tuple[list[str], np.ndarray]:
    """Return the names of the groups, the whole first, and which homes (communities) each holds."""
    district = case.district
    if rule.metric == "presence":
        index = presence(district).index
        frame = district.communities
        codes = pd.Series(index, index=index) if by == "community" else None
        if codes is None and by is not None and frame is not None and by in frame:
            codes = frame[by].reindex(index)
    else:
        index = pd.Index([]) if district.homes is None else district.homes.index
        codes = None if by is None else district.groups[by].reindex(index)
    names = [] if codes is None else sorted(codes.dropna().unique())
    masks = [np.ones(len(index), np.bool_), *((codes == name).to_numpy(dtype=bool) for name in names)]
    return ["", *map(str, names)], np.array(masks)


def _recorded(case: Case, rule: Rule, groups: np.ndarray) -> np.ndarray:
    """Return the share of each group as it stands, in the bits of `headlines` for the whole."""
    if rule.metric == "presence":
        matrix = presence(case.district)
        has = (matrix.reindex(columns=list(rule.kinds), fill_value=0).sum(axis=1) > 0).to_numpy()
        return np.array([float(has[g].mean()) if g.any() else np.nan for g in groups])
    counted = case.denominator(rule)
    own = case.cover.xs(rule.name, level="rule").reindex(case.homes.index)
    amount = pd.Series(1.0, index=own.index) if counted == "homes" else own[counted]
    whole = np.asarray(
        [(amount * own["served"])[g].sum(min_count=1) / amount[g][own["served"][g].notna()].sum() for g in groups],
        float,
    )
    whole[0] = float(case._whole.loc[rule.name, f"{counted}_share"])
    return whole


def _is_exact(case: Case, rule: Rule, facts: pd.DataFrame) -> bool:
    """Return whether the extremes are states that can be: nobody was attached anew, no facility is entered by gates that differ."""
    if rule.metric == "presence":
        return True
    ((_, shut, _),) = case.streets(facts if rule.method != "buffer" else facts[:0], 1, drawn=False)
    return case.ways(rule, shut).exact and not case.lose_doors(shut)
