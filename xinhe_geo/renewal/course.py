"""A plan from year to year: the district with it and without it at the end of each, and the walks of residents meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ..access import FULLER, as_divided, coverage, facility_names, home_changes_of, sharing_of, who_stay
from ..core import Rule
from ..district import District, Scenario

#: Smaller changes of minutes, and of the share that is served, are rounding.
MINUTES, SHARE = 0.05, 5e-5


@dataclass(frozen=True, eq=False)
class Course:
    """
    A plan as it plays on a district, year by year; each state is worked out once.

    Attributes
    ----------
    district
        As it is.
    plan
        Its edits may carry years, and end again.
    with_conflicts
        Go on although the plan contradicts itself or the district.
    """

    district: District
    plan: Scenario
    with_conflicts: bool = False
    _made: dict[int, District] = field(init=False, repr=False, default_factory=dict)
    _else: dict[int, District] = field(init=False, repr=False, default_factory=dict)

    @property
    def years(self) -> tuple[int, ...]:
        """The years in which the plan begins or ends something: between two of them it changes nothing."""
        return self.plan.years or (self.plan.year_on(self.district),)

    def at(self, year: int) -> District:
        """
        Return the district at the end of a year, with the plan as it stands then.

        Raises
        ------
        ScenarioError
            An edit that cannot be carried out, or every conflict: which step, and why.
        """
        if year not in self._made:
            self._made[year] = self.plan.at(year).on(self.district, with_conflicts=self.with_conflicts)
        return self._made[year]

    def without(self, year: int) -> District:
        """Return the district at the end of a year as it is without the plan."""
        if year not in self._else:
            planned = self.plan.planned or self.district.with_planned
            self._else[year] = self.district.at(year, planned=planned)
        return self._else[year]


def walks_during(course: Course, rules: str | Sequence[str | Rule] = "plan") -> pd.DataFrame:
    """
    Say whose walks a plan makes longer, or takes away, in which year: during construction as well as after it.

    Returns
    -------
    walks
        Index home, rule, year: homes that stand with the plan and without it, in the years in which the plan does something, where it makes
        the walk longer or serves fewer. Columns name, label, people (who live there both ways: the lesser number), minutes_without,
        minutes (missing: nothing within reach), served_without, served (shares), counted (people; of a rule for the old
        people_60plus), lose (how many of these are no longer served), worst (the year in which most of them lose it,
        then the longest walk, then the first: one for each home and rule).

    Raises
    ------
    ScenarioError
        A plan that cannot be carried out.
    """
    found = []
    for year in course.years:
        without, made = course.without(year), course.at(year)
        a, b = as_divided(coverage(without, rules=rules), made), coverage(made, rules=rules)
        both = home_changes_of(a, b)
        both = both[(both["state"] == "both").to_numpy()]
        stay = who_stay(a.reindex(both.index), b)
        old = b["denominator"].reindex(both.index) == "people_60plus"
        unreachable = both["minutes_after"].isna() & both["minutes_before"].notna()
        lost = (-both["served_change"]).clip(lower=0.0).fillna(0.0)
        lost = lost.where(lost > SHARE, 0.0)
        worse = (both["minutes_change"] > MINUTES) | unreachable | (lost > 0)
        rows = both[["name", "label"]].assign(
            people=stay["people"],
            minutes_without=both["minutes_before"],
            minutes=both["minutes_after"],
            served_without=both["served_before"],
            served=both["served_after"],
            counted=np.where(old, "people_60plus", "people"),
            lose=stay["people"].mask(old, stay["people_60plus"]) * lost,
        )
        found.append(rows[worse.to_numpy(dtype=bool)].assign(year=year))
    table = pd.concat(found).set_index("year", append=True).sort_index()
    return table.assign(worst=_worst(table))


def _worst(table: pd.DataFrame) -> np.ndarray:
    """Return which rows are the worst year of their home and rule."""
    keys = pd.DataFrame(
        {
            "lost": (table["served_without"] - table["served"]).fillna(0.0),
            "minutes": table["minutes"].fillna(np.inf),
            "at": np.arange(len(table)),
        },
        index=table.index,
    ).sort_values(["lost", "minutes", "at"], ascending=[False, False, True], kind="stable")
    first = ~keys.index.droplevel("year").duplicated()
    chosen = np.zeros(len(table), dtype=bool)
    chosen[keys["at"].to_numpy()[first]] = True
    return chosen


def affected_by_year(walks: pd.DataFrame, years: Sequence[int]) -> pd.DataFrame:
    """
    Count the residents whom a plan takes something away from, by goal and year: of a goal for the old the old.

    Parameters
    ----------
    walks
        What `walks_during` gives.
    years
        The columns, in order.

    Returns
    -------
    affected
        Index rule, those first that most residents lose in one year; `label`, then one column a year: how many residents are no longer
        served; missing where of those concerned none is known.
    """
    losing = walks[(walks["lose"] != 0).to_numpy()]
    by = losing.groupby(level=["rule", "year"])["lose"].sum(min_count=1)
    table = by.unstack("year").reindex(columns=list(years)).astype("float64")
    nobody = pd.MultiIndex.from_product([table.index, table.columns]).difference(by.index)
    for rule, year in nobody:
        table.loc[rule, year] = 0.0
    most = table.max(axis=1).fillna(np.inf)
    table = table.loc[most.sort_values(ascending=False, kind="stable").index]
    labels = walks["label"].groupby(level="rule").first()
    table.insert(0, "label", labels.reindex(table.index))
    return table


def load_during(course: Course, rules: str | Sequence[str | Rule] = "plan") -> pd.DataFrame:
    """
    List the places that serve a tenth more people with a plan than without it (服务负荷上升), year by year.

    Returns
    -------
    load
        Index rule, facility, year; columns label, name, users_without, users (people whose nearest it is), change; the greatest first within
        a rule and year.

    Raises
    ------
    ScenarioError
        A plan that cannot be carried out.
    """
    found = []
    for year in course.years:
        states = course.without(year), course.at(year)
        a, b = (coverage(state, rules=rules) for state in states)
        shared = sharing_of(a, b, facility_names(*states)).rename(
            columns={"users_before": "users_without", "users_after": "users"}
        )
        there = states[0].open_facilities
        old = shared.index.get_level_values("facility").isin([] if there is None else there.index)
        fuller = (shared["users"] > shared["users_without"] * FULLER).to_numpy() & old
        found.append(shared[fuller & (shared["change"] > 0.5).to_numpy()].assign(year=year))
    table = pd.concat(found).set_index("year", append=True)
    return table.sort_values(["change"], ascending=False, kind="stable").sort_index(
        level=["rule", "year"], sort_remaining=False, kind="stable"
    )
