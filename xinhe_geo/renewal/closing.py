"""Whether the loop closes: which problems projects were to solve, which they have solved, and which they have not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ..core import FINISHED, GIVEN_UP, listed
from ..district import District
from .checkup import problems_of
from .ranking import ENDED, standing

#: What became of a problem: solved and a project that cites it is finished; solved otherwise; there though such a project
#: was to be finished by now; there, and none was; needs nobody any more, without having been solved.
BY_PROJECT, SOLVED_OTHERWISE, MISSED, WAITS, NOT_ASKED = "by_project", "otherwise", "missed", "waits", "not_asked"
#: What is kept of a problem from one year to the next.
_KEPT = ("indicator", "name", "place", "people", "definition", "found", "state", "projects")

#: The problems that somebody follows, as a report puts them on record: by their number.
Followed = Mapping[str, Mapping[str, Any]]


def followed(district: District, before: Followed | None = None) -> pd.DataFrame:
    """
    Return the problems that somebody follows, as they stand now: those that projects cite, and those of last year's list.

    Parameters
    ----------
    district
        This year's.
    before
        What `on_record` said in an earlier year: these are followed, too.

    Returns
    -------
    problems
        As `problems` returns them; only the indicators that these are about are measured.
    """
    old = district.rows.get("problems")
    old = pd.DataFrame(columns=["indicator"]) if old is None else old
    if before:
        then = pd.DataFrame.from_dict({str(k): dict(v) for k, v in before.items()}, orient="index")
        old = old.astype(object).combine_first(then.astype(object)) if len(old) else then
    projects = district.rows.get("projects")
    cited = set() if projects is None else {n for cell in projects["problem"].dropna() for n in listed(str(cell))}
    about = {*old["indicator"], *(number.partition("@")[0] for number in cited)}
    rows = district.rows["checkup_indicators"]
    found = problems_of(district, rows[rows.index.isin(about)], old)
    return found[found.index.isin({*old.index, *cited})]


def on_record(district: District) -> dict[str, dict[str, object]]:
    """Return what a report keeps of the problems that somebody follows, so that the next one can say what became of them."""
    found = standing(followed(district))
    return {
        str(number): {
            c: row[c].item() if hasattr(row[c], "item") else row[c] for c in _KEPT if pd.notna(row[c]) and row[c] != ""
        }
        for number, row in found.iterrows()
    }


def outcomes(district: District, found: pd.DataFrame) -> pd.DataFrame:
    """
    Say what became of problems, and which projects were to solve them.

    Parameters
    ----------
    district
        This year's.
    found
        What `problems` returned, or some of its rows.

    Returns
    -------
    outcomes
        Index problem; `outcome` (`BY_PROJECT`, `SOLVED_OTHERWISE`, `MISSED`, `WAITS` or `NOT_ASKED`), and `by`: projects that cite it and
        are finished, or were to be by the end of this year, parted by `;`.
    """
    projects = district.rows.get("projects")
    due = set() if projects is None else {str(key) for key, row in projects.iterrows() if _is_due(row, district.year)}
    stands = set(standing(found).index)
    rows = []
    for number, row in found.iterrows():
        by = [key for key in listed(str(row["projects"] or "")) if key in due]
        if number in stands:
            outcome = MISSED if by else WAITS
        elif row["solved"]:
            by = [key for key in by if projects is not None and projects.loc[key, "status"] == FINISHED]
            outcome = BY_PROJECT if by else SOLVED_OTHERWISE
        else:
            outcome = NOT_ASKED
        rows.append((outcome, ";".join(by)))
    return pd.DataFrame(rows, columns=["outcome", "by"], index=found.index)


def last_years(found: pd.DataFrame) -> pd.DataFrame:
    """Return the problems that stood last year: of these a year is asked what became of them."""
    return found[(~found["is_new"].astype(bool) & ~found["state_before"].isin(ENDED)).to_numpy()]


def _is_due(row: pd.Series, year: int) -> bool:
    """Return whether a project is finished, or was to be by the end of a year."""
    if row["status"] in (FINISHED, GIVEN_UP):
        return bool(row["status"] == FINISHED)
    end = row["end"]
    if pd.isna(end) and pd.notna(row["start"]):
        end = row["start"] + (row["duration"] if pd.notna(row["duration"]) else 1) - 1
    return bool(pd.notna(end) and end <= year)
