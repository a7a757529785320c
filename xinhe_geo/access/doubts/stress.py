"""Stress: each bridge, crossing, gate and facility taken away by itself, and who then loses a promise."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
import shapely
from scipy.spatial import cKDTree

from ...core import Edit, Profile, Rule, say
from ...district import District, Scenario
from ...network import WalkNetwork
from ..coverage import is_surveyed, presence, rules_of
from ..entrances import entrances_of_open, home_entrances, home_points, same_compound
from ..home_shares import points_of_homes, within_limit
from .facts import passages

#: What can be lost: a street across a barrier or water, another one where people wait, a gate, a facility.
LOSSES = {"passage": "close_street", "crossing": "close_street", "gate": "close_gate", "facility": "close_facility"}
STRESS_COLUMNS = (
    "name",
    "people",
    "people_60plus",
    "homes",
    "promises",
    "worst",
    "worst_people",
    "communities",
    "substitute",
)


def stress(
    district: District, rules: str | Sequence[str | Rule] = "plan", *, progress: Callable[[str], None] | None = None
) -> pd.DataFrame:
    """
    Take every passage, crossing, gate and facility away by itself, and say who then loses a promise.

    Each is what a plan of that one edit comes to (`close_street`, `close_gate`, `close_facility`): the same doors, searched again without it.

    Parameters
    ----------
    district
        What `District.load` opened; it stays as it was.
    rules
        As in `coverage`.
    progress
        Is told what is taken away.

    Returns
    -------
    table
        MultiIndex (loss, id): "passage" (a public street that crosses a barrier or water: bridge, underpass), "crossing" (another one
        with a wait), "gate", "facility"; those first by which most people lose a rule. Columns `name`; `people`, `people_60plus`,
        `homes` who lose at least one of the rules (shares of homes added up; missing where nobody knows how many live there),
        `promises` (how many rules somebody loses), `worst` (the rule that most people lose), `worst_people`, `communities` (how
        often a community has no other of a kind), `substitute` (of a facility, the place that most of those who went there go to
        next; empty where there is none within the limit). Only of kinds of which something is known.

    Raises
    ------
    UnknownNameError
        No such set or rule.
    """
    tell = progress or (lambda _: None)
    asked = [rule for rule in rules_of(district, rules) if is_surveyed(district, rule.kinds)]
    if district.homes is None or district.homes.empty or not asked or district.open_facilities is None:
        nothing = pd.MultiIndex.from_arrays([[], []], names=["loss", "id"])
        return pd.DataFrame(columns=list(STRESS_COLUMNS), index=nothing)
    base = _Base(district, asked)
    found: dict[tuple[str, str], _Lost] = {}
    for what, losses in (
        (say("逐处停用设施"), base.facilities),
        (say("逐处关出入口"), base.gates),
        (say("逐段断桥和过街"), base.streets),
    ):
        tell(what)
        found |= losses()
    return _table(base, found)


class _Lost(NamedTuple):
    """What is served no more: rules by points; how many communities lose a rule; where those who went there would go."""

    points: np.ndarray
    communities: int = 0
    substitute: str = ""


class _Walks(NamedTuple):
    """What the answers of a rule rest on: ways out, doors of its kinds, and the walks that stay inside a compound."""

    origins: pd.DataFrame
    targets: pd.DataFrame
    inside: pd.DataFrame


class _Base:
    """A district as it is, and what becomes of it without one thing."""

    def __init__(self, district: District, rules: Sequence[Rule]) -> None:
        self.district, self.rules = district, rules
        self.points = home_points(district)
        self.homes = points_of_homes(self.points)
        self.walked = [i for i, rule in enumerate(rules) if rule.metric == "reach" and rule.method != "buffer"]
        self._ways: dict[tuple[Profile | None, tuple[str, ...]], _Walks] = {}
        open_facilities = district.open_facilities
        assert open_facilities is not None
        self.open = open_facilities
        self.found = {i: self._found(i, self.walks(i)) for i in self.walked}
        self.served = np.array([self._served(i) for i in range(len(rules))])

    def walker(self, number: int) -> Profile | None:
        """Return who walks by a rule; None where metres are counted."""
        rule = self.rules[number]
        return self.district.profile(rule.profile) if rule.method == "walk_min" else None

    def walks(self, number: int) -> _Walks:
        """Return what the answers of a rule rest on."""
        walker, kinds = self.walker(number), self.rules[number].kinds
        if (walker, kinds) not in self._ways:
            doors = entrances_of_open(self.district, walker)
            own = self.open.index[self.open["kind"].isin(kinds).to_numpy()]
            doors = doors[doors["place"].isin(own).to_numpy()].reset_index(drop=True)
            inside = same_compound(self.district, self.points, doors)
            self._ways[walker, kinds] = _Walks(home_entrances(self.district, walker), doors, inside)
        return self._ways[walker, kinds]

    def _found(self, number: int, walks: _Walks, network: WalkNetwork | None = None) -> pd.DataFrame:
        """Return the nearest target of every way out of a rule."""
        doors = walks.targets[(walks.targets["edge"] >= 0).to_numpy()]
        return (network or self.district.network).search(walks.origins, doors, profile=self.walker(number))

    def _within(self, number: int, walks: _Walks, found: pd.DataFrame) -> np.ndarray:
        """Return which points are served by a rule, given the cost of each way out."""
        return within_limit(self._costs(number, walks, found), self.rules[number], self.rules[number].method)

    def _costs(self, number: int, walks: _Walks, found: pd.DataFrame) -> dict[str, np.ndarray]:
        walker, least = self.walker(number), np.full(len(self.points), np.inf)
        np.minimum.at(least, walks.origins["place"].to_numpy(np.int64), found["cost"].fillna(np.inf).to_numpy(float))
        inside = walks.inside["metres"].to_numpy(float)
        inside = inside if walker is None else inside / walker.speed_m_s / 60.0
        np.minimum.at(least, walks.inside["place"].to_numpy(np.int64), inside)
        return {"metres" if walker is None else "minutes": least}

    def _served(self, number: int) -> np.ndarray:
        rule = self.rules[number]
        if number in self.found:
            return self._within(number, self.walks(number), self.found[number])
        if rule.metric == "presence":
            return self._present(self._serving(rule))
        return self._near(number, "")

    # --- rules that nobody walks by

    def _serving(self, rule: Rule) -> pd.DataFrame:
        serving = self.district.serving(self.open[self.open["kind"].isin(rule.kinds).to_numpy()])
        return serving[serving["community"].isin(presence(self.district).index)]

    def _present(self, serving: pd.DataFrame) -> np.ndarray:
        home = self.district.groups["community"].isin(serving["community"])
        return home.reindex(self.homes.names).to_numpy(dtype=bool)[self.homes.code]

    def _near(self, number: int, without: str) -> np.ndarray:
        """Return which points lie within a straight line of a door of a rule, without one facility."""
        doors = self.walks(number).targets
        doors = doors[(doors["place"] != without).to_numpy()]
        if doors.empty:
            return np.zeros(len(self.points), np.bool_)
        straight = cKDTree(doors[["x", "y"]].to_numpy()).query(
            shapely.get_coordinates(self.points.geometry.to_numpy())
        )[0]
        return within_limit({"straight_metres": straight}, self.rules[number], "buffer")

    # --- one thing less

    def facilities(self) -> Iterator[tuple[tuple[str, str], _Lost]]:
        """Yield what is lost with each facility."""
        for name, kind in self.open["kind"].items():
            lost, communities, substitute = np.zeros_like(self.served), 0, ""
            for number in (i for i, rule in enumerate(self.rules) if kind in rule.kinds):
                rule = self.rules[number]
                if rule.metric == "presence":
                    serving = self._serving(rule)
                    left = serving[(serving["facility"] != name).to_numpy()]
                    after = self._present(left)
                    communities += len(set(serving["community"]) - set(left["community"]))
                elif number in self.found:
                    after, went = self._without_facility(number, str(name))
                    substitute = substitute or went
                else:
                    after = self._near(number, str(name))
                lost[number] = self.served[number] & ~after
            yield ("facility", str(name)), _Lost(lost, communities, substitute)

    def _without_facility(self, number: int, name: str) -> tuple[np.ndarray, str]:
        """Return who is served without a facility, and where most of those go who went there."""
        walks = self.walks(number)
        targets, inside = (
            part[(part[column] != name).to_numpy()]
            for part, column in ((walks.targets, "place"), (walks.inside, "target"))
        )
        left = _Walks(walks.origins, targets, inside)
        found = self._found(number, left)
        went = (self.found[number]["target"] == name).to_numpy(dtype=bool, na_value=False)
        after = self._within(number, left, found)
        near = after[walks.origins["place"].to_numpy(np.int64)]
        next_one = found["target"][went & near].value_counts()
        best = next_one.index[(next_one == next_one.max()).to_numpy()] if len(next_one) else []
        return after, min(map(str, best), default="")

    def gates(self) -> Iterator[tuple[tuple[str, str], _Lost]]:
        """Yield what is lost with each gate: its residents have the others, and places behind it are entered by the others."""
        gates = self.district.gates
        if gates is None:
            return
        behind = {i: self.walks(i).targets.groupby("gate").indices for i in self.walked}
        ways = {i: self.walks(i).origins.groupby("gate").indices for i in self.walked}
        for name in gates.index[(gates["state"].fillna("open") == "open").to_numpy()]:
            lost = np.zeros_like(self.served)
            for number in self.walked:
                if name in behind[number]:
                    walks = self.walks(number)
                    origins, targets = (
                        part[(part["gate"] != name).to_numpy(dtype=bool, na_value=True)] for part in walks[:2]
                    )
                    left = _Walks(origins, targets, walks.inside)
                    lost[number] = self.served[number] & ~self._within(number, left, self._found(number, left))
                elif name in ways[number]:
                    lost[number] = self._locked_in(number, ways[number][name])
            yield ("gate", str(name)), _Lost(lost)

    def _locked_in(self, number: int, rows: np.ndarray) -> np.ndarray:
        """Return which points are served no more without some of the ways out: nobody but their residents is touched."""
        walks, lost = self.walks(number), np.zeros(len(self.points), np.bool_)
        whose = walks.origins["place"].to_numpy(np.int64)
        own = np.unique(whose[rows])
        left = np.setdiff1d(np.flatnonzero(np.isin(whose, own)), rows)
        inside = walks.inside[walks.inside["place"].isin(own).to_numpy()]
        few = _Walks(walks.origins.iloc[left], walks.targets, inside)
        lost[own] = (self.served[number] & ~self._within(number, few, self.found[number].iloc[left]))[own]
        return lost

    def streets(self) -> Iterator[tuple[tuple[str, str], _Lost]]:
        """Yield what is lost with each passage and each crossing."""
        for loss, name in _streets(self.district):
            if name in self._stood_on:  # a plan attaches what has lost all its doors anew
                plan = Scenario("stress", edits=(Edit("close_street", {"street": name}),)).on(
                    self.district, with_conflicts=True
                )
                yield (loss, name), _Lost(self.served & ~_Base(plan, self.rules).served)
                continue
            shut = self.district.network.shutting([name])
            lost = np.zeros_like(self.served)
            for numbers in self._alike:
                doors = {i: self.walks(i).targets for i in numbers}
                reachable = {i: own[(own["edge"] >= 0).to_numpy()] for i, own in doors.items()}
                first = numbers[0]
                found = shut.search_each(self.walks(first).origins, reachable, profile=self.walker(first))
                for number in numbers:
                    after = self._within(number, self.walks(number), found[number])
                    lost[number] = self.served[number] & ~after
            yield (loss, name), _Lost(lost)

    @cached_property
    def _alike(self) -> list[list[int]]:
        """The rules that are walked by, those of one walker together."""
        groups: dict[Profile | None, list[int]] = {}
        for number in self.walked:
            groups.setdefault(self.walker(number), []).append(number)
        return list(groups.values())

    @cached_property
    def _stood_on(self) -> frozenset[str]:
        """The streets that any door lies on."""
        parts = [doors["edge"].to_numpy() for number in self.walked for doors in self.walks(number)[:2]]
        edges = np.unique(np.concatenate(parts or [np.empty(0, np.int64)]))
        return frozenset(self.district.network.edges["street"].iloc[edges[edges >= 0]])


def _streets(district: District) -> Iterator[tuple[str, str]]:
    """Yield the public streets that cross a barrier or water, and the others where people wait."""
    streets = district.streets
    if streets is None:
        return
    public = streets[streets["home"].isna().to_numpy()]
    across = public.index.isin(passages(district))
    waits = (public["wait_s"] > 0).to_numpy(dtype=bool)
    for name, passage, crossing in sorted(zip(map(str, public.index), across, waits, strict=True)):
        if passage or crossing:
            yield "passage" if passage else "crossing", name


def _table(base: _Base, found: dict[tuple[str, str], _Lost]) -> pd.DataFrame:
    homes, rules = base.district.homes, base.rules
    assert homes is not None
    counted = homes.reindex(base.homes.names)
    weight = base.homes.weight
    people, older = (counted[c].to_numpy(dtype=float)[base.homes.code] * weight for c in ("people", "people_60plus"))
    names = {"facility": base.open["name"], "gate": base.district.gates, "street": base.district.streets}
    rows = {}
    for (loss, key), lost in found.items():
        any_rule = lost.points.any(axis=0)
        each = [_sum(people[own]) for own in lost.points]
        # a rule that nobody loses is never the worst, nor one of which nobody knows how many lose it where others are known
        worst = int(np.argmax(np.where(lost.points.any(axis=1), np.nan_to_num(each, nan=-1.0), -2.0)))
        layer = names.get(loss, names["street"])
        named = (
            layer if isinstance(layer, pd.Series) else layer["name"] if layer is not None else pd.Series(dtype="str")
        )
        rows[loss, key] = {
            "name": str(named[key]) if pd.notna(named[key]) else "",
            "people": _sum(people[any_rule]),
            "people_60plus": _sum(older[any_rule]),
            "homes": float(weight[any_rule].sum()),
            "promises": int(lost.points.any(axis=1).sum()),
            "worst": rules[worst].name if any_rule.any() else "",
            "worst_people": each[worst] if any_rule.any() else 0.0,
            "communities": lost.communities,
            "substitute": lost.substitute,
        }
    index = pd.MultiIndex.from_tuples(list(rows), names=["loss", "id"])
    table = pd.DataFrame(list(rows.values()), index=index, columns=list(STRESS_COLUMNS))
    order = np.lexsort((-table["homes"], -table["people"].fillna(-1.0)))  # of equals in the order of their ids
    return table.iloc[order]


def _sum(amounts: np.ndarray) -> float:
    """Add up what is known; missing where there is something, and nothing is known of it."""
    known = amounts[~np.isnan(amounts)]
    return float(known.sum()) if len(known) or not len(amounts) else float("nan")
