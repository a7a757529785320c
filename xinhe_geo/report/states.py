"""Which state of a district a document shows, and which it is held against: the present, a plan, two plans, in one year."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from ..core import ScenarioError, say
from ..district import District, Scenario, state_name


class State(NamedTuple):
    """A state of a district, and what it is called."""

    district: District
    label: str


def state_of(district: District, name: str | None, *, year: int | None = None, with_conflicts: bool = False) -> State:
    """
    Return a state of a district and what it is called.

    Parameters
    ----------
    name
        A scenario of the folder, a TOML file, or None: the district as it is.
    year
        The year it stands for where the scenario names none; None keeps the district's.
    with_conflicts
        Carry out a scenario that contradicts the district (see `conflicts`); its label then says so.

    Raises
    ------
    UnknownNameError, ScenarioError
        No such scenario, or one that cannot be carried out, or has conflicts.
    """
    if name is None:
        state = district if year is None else district.at(year, planned=district.with_planned)
    else:
        plan = district.scenario(name)
        plan = plan if year is None or plan.year is not None else plan.at(year)
        state = plan.on(district, with_conflicts=with_conflicts)
    return State(state, state_name(state))


class Asked(NamedTuple):
    """Which state is asked for: a plan, another it is held against (else what is there), one year for all, conflicts or not."""

    plan: str | None = None
    against: str | None = None
    year: int | None = None
    with_conflicts: bool = False


class Sides(NamedTuple):
    """The state that a document shows, and the one that it is held against; None where it shows what is there."""

    district: District
    against: District | None = None


def sides_of(district: District, asked: Asked) -> Sides:
    """
    Return what a document shows.

    Parameters
    ----------
    district
        As it is.
    asked
        Nothing: the district itself, the same object. A year is that in which every plan is looked at; without one a plan stands for
        its own, and what it is held against for the same.

    Raises
    ------
    UnknownNameError
        No such plan: the nearest names.
    ScenarioError
        A plan that cannot be carried out, or contradicts itself or the district; something to hold it against, and no plan.
    """
    if asked.plan is None:
        if asked.against is not None:
            raise ScenarioError(say("--against 是与 --plan 的方案相比的另一个方案；请先用 --plan 写要看的方案"))
        return Sides(state_of(district, None, year=asked.year).district)
    plan = _in_year(district.scenario(asked.plan), asked.year)
    after = plan.on(district, with_conflicts=asked.with_conflicts)
    if asked.against is None:
        return Sides(after, district.at(after.year, planned=district.with_planned))
    other = _in_year(district.scenario(asked.against), asked.year)
    # the same year on both sides where the other names none: what changes is the plan, not the calendar
    other = other if asked.year is not None or other.year is not None else other.at(after.year)
    return Sides(after, other.on(district, with_conflicts=asked.with_conflicts))


def _in_year(plan: Scenario, year: int | None) -> Scenario:
    return plan if year is None else plan.at(year)


def year_by_year(district: District, names: Sequence[str]) -> list[str]:
    """
    Return plans in the order in which they are looked at: those of one year stand together, the year of most of them last.

    What a year is like without a plan is then worked out once.
    """
    years = {name: district.scenario(name).year or district.year for name in names}
    beside = Counter(years.values())
    return sorted(names, key=lambda name: (beside[years[name]], years[name]))


def year_of_several(district: District, names: Sequence[str]) -> int | None:
    """Return the year of most plans; None where no two of them stand for the same."""
    year, plans = Counter(district.scenario(name).year or district.year for name in names).most_common(1)[0]
    return year if plans > 1 else None
