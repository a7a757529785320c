"""What became of the problems that projects were to solve, in words: for what changed since an earlier report, and for the checkup."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from ..core import PROBLEM_STATES, PROJECT_STATES, amount, say, word
from ..district import District, place_name
from ..renewal import BY_PROJECT, MISSED, SOLVED_OTHERWISE, WAITS, Followed, followed, last_years, outcomes


def with_problems(changed: pd.DataFrame, district: District, before: Mapping[str, object]) -> pd.DataFrame:
    """
    Add to what changed since an earlier report which problems projects have solved, and which they have not.

    Parameters
    ----------
    changed
        What `ledger.changes` found.
    district
        This year's.
    before
        The record of the earlier report.
    """
    then = before.get("problems")
    known: Followed = then if isinstance(then, Mapping) else {}
    if not known and "problems" not in district.rows:
        return changed
    found = last_years(followed(district, known))
    rows = pd.DataFrame(list(_told(district, found)), columns=changed.columns, dtype="object")
    return pd.concat([changed, rows], ignore_index=True) if len(rows) else changed


def _told(district: District, found: pd.DataFrame) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield a row for each problem of last year that is solved, needs nobody any more, or was to be solved and is not."""
    ends = outcomes(district, found)
    for number, row in found.iterrows():
        outcome, by = ends.loc[number]
        if outcome == WAITS and row["state"] == row["state_before"]:
            continue
        name = word(str(row["name"])) if pd.notna(row["name"]) else row["indicator"]
        label = say("{0}（{1}）", name, place_name(district, row["place"]))
        was = f"{say(PROBLEM_STATES[row['state_before']])}{_people(row['people_before'])}"
        state = say(PROBLEM_STATES[row["state"]]) + _people(row["people"])
        projects = say("、").join(map(str, projects_named(district, by)))
        became = {
            BY_PROJECT: say("{0}，由项目解决：{1}", state, projects),
            SOLVED_OTHERWISE: say("{0}，引用它的项目没有一个完工", state),
            MISSED: say("{0}，项目应解决而未解决：{1}", state, projects),
        }.get(outcome, state)
        yield "问题", str(number), label, was, became


def _people(people: object) -> str:
    return say("（{0} 人）", amount(float(people))) if pd.notna(people) else ""  # type: ignore[arg-type]


def projects_named(district: District, keys: str) -> list[str]:
    """Return projects by id, name and state; `keys` are parted by `;`."""
    rows = district.rows["projects"] if keys else pd.DataFrame()
    told = []
    for key in filter(None, keys.split(";")):
        state = rows.loc[key, "status"]
        told.append(
            say("{0} {1}（{2}）", key, rows.loc[key, "name"], say(PROJECT_STATES.get(state, PROJECT_STATES["idea"])))
        )
    return told


def closed_and_missed(district: District, last: pd.DataFrame) -> Iterator[str]:
    """Yield in sentences how many of last year's problems projects have solved, and which they were to solve and did not."""
    ends = outcomes(district, last)
    closed, missed = (ends[(ends["outcome"] == what).to_numpy()] for what in (BY_PROJECT, MISSED))
    if len(closed):
        yield say("由完工的项目解决 {0} 个。", amount(len(closed)))
    if len(missed):
        shown = [say("{0}（{1}）", number, by.replace(";", say("、"))) for number, by in missed["by"].iloc[:10].items()]
        more = say(" 等 {0} 个", len(missed)) if len(missed) > len(shown) else ""
        yield say("项目应解决而未解决 {0} 个：{1}。", amount(len(missed)), say("、").join(shown) + more)
