"""What a plan changes for whom: gains, losses, and facilities that get fuller or emptier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from ..core import Rule, say
from ..district import District
from .coverage import coverage, summary

#: A place counts as fuller (or emptier) when it has a tenth more (or fewer) users: a convention of this tool.
FULLER = 1.1


def effects(before: District, after: District, *, rules: str | Sequence[str | Rule] = "plan") -> pd.DataFrame:
    """
    Say, rule by rule, what a plan changes for whom.

    Returns
    -------
    table
        Index rule. `label`, `before`, `after` (shares by the rule's denominator), `change`; `people_gain`, `people_lose`
        (people of homes that exist in both, newly served or no longer), `people_60plus_gain`, `people_60plus_lose`,
        `people_new_served`, `people_new_unserved` (in homes that only exist after), `people_crowded`, `people_relieved` (people of
        homes in both that are served in both, and now share their facility with a tenth more, or fewer, than before), `homes_gain`, `homes_lose` (names, the
        first ten).
    """
    return effects_of(coverage(before, rules=rules), coverage(after, rules=rules))


def effects_of(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    """Return `effects`, given the coverages of both states."""
    old, new = summary(a), summary(b)
    table = old[["label"]].copy()
    table["before"], table["after"] = old["share"], new["share"].reindex(old.index)
    table["change"] = table["after"] - table["before"]
    both = a[["served", "people", "people_60plus", "name"]].join(b["served"].rename("served_after"), how="inner")
    change = (both["served_after"] - both["served"]).fillna(0.0)
    for people in ("people", "people_60plus"):
        table[f"{people}_gain"] = (change.clip(lower=0) * both[people]).groupby(level="rule").sum()
        table[f"{people}_lose"] = (-change.clip(upper=0) * both[people]).groupby(level="rule").sum()
    fresh = b[~b.index.isin(a.index)]
    table["people_new_served"] = (fresh["served"] * fresh["people"]).groupby(level="rule").sum()
    table["people_new_unserved"] = ((1 - fresh["served"]) * fresh["people"]).groupby(level="rule").sum()
    table = table.join(_crowding(a, b))
    names = both["name"].fillna(both.index.get_level_values("home").to_series(index=both.index))
    for column, mask in (("homes_gain", change > 1e-9), ("homes_lose", change < -1e-9)):
        table[column] = names[mask].groupby(level="rule").apply(_some)
    counted = [c for c in table.columns if c.startswith("people_")]
    table[counted] = table[counted].fillna(0.0)
    table[["homes_gain", "homes_lose"]] = table[["homes_gain", "homes_lose"]].astype("object").fillna("")
    return table


def home_changes(before: District, after: District, *, rules: str | Sequence[str | Rule] = "plan") -> pd.DataFrame:
    """
    Say home by home what changes between two states: minutes, and who is served.

    Returns
    -------
    table
        MultiIndex (home, rule), every home of either state. `name`, `label`, `people`, `people_60plus` (of `after`, or of
        `before` for homes that are gone), `state` (both, new, gone), `minutes_before`, `minutes_after` (median point, missing
        where unreachable), `minutes_change` (missing where either is), `served_before`, `served_after`, `served_change` (shares
        0-1; missing for homes that are not in both), `facility_before`, `facility_after`. Swapping the states turns the sign of
        every change.
    """
    return home_changes_of(coverage(before, rules=rules), coverage(after, rules=rules))


def home_changes_of(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    """Return `home_changes`, given the coverages of both states."""
    every = b.index.append(a.index[~a.index.isin(b.index)])
    left, right = a.reindex(every), b.reindex(every)
    here, there = every.isin(a.index), every.isin(b.index)
    table = pd.DataFrame(index=every)
    for column in ("name", "label", "people", "people_60plus"):
        table[column] = right[column].where(there, left[column])
    table["state"] = pd.Series("both", index=every).where(here, "new").where(there, "gone")
    for column in ("minutes", "served"):
        table[f"{column}_before"], table[f"{column}_after"] = left[column], right[column]
        table[f"{column}_change"] = right[column] - left[column]
    table["facility_before"], table["facility_after"] = left["facility"], right["facility"]
    return table


def sharing(before: District, after: District, *, rules: str | Sequence[str | Rule] = "plan") -> pd.DataFrame:
    """
    Count how many people share each facility in two states: everybody who is served, at the nearest.

    Returns
    -------
    table
        MultiIndex (rule, facility), facilities that anybody uses in either state. `label`, `name`, `users_before`,
        `users_after`, `change` (people); homes whose people are not known do not count.
    """
    a, b = coverage(before, rules=rules), coverage(after, rules=rules)
    return sharing_of(a, b, facility_names(before, after))


def facility_names(*districts: District) -> dict[str, str]:
    """Return the names of the facilities that have one, by their ids; those of the last district count."""
    names: dict[str, object] = {}
    for district in districts:
        frame = district.facilities
        names |= {} if frame is None else dict(zip(frame.index, frame["name"], strict=True))
    return {key: name for key, name in names.items() if isinstance(name, str)}


def sharing_of(a: pd.DataFrame, b: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """Return `sharing`, given the coverages of both states and what the facilities are called."""
    users = [_users(cover) for cover in (a, b)]
    table = pd.DataFrame({"users_before": users[0], "users_after": users[1]}).fillna(0.0).sort_index()
    table["change"] = table["users_after"] - table["users_before"]
    labels = pd.concat([a, b])["label"].groupby(level="rule").first()
    table.insert(0, "label", labels.reindex(table.index.get_level_values("rule")).to_numpy())
    ids = table.index.get_level_values("facility")
    table.insert(1, "name", [names.get(i, i) for i in ids])
    return table


def _users(cover: pd.DataFrame) -> pd.Series:
    """Return the people served at each facility, index (rule, facility)."""
    rows = cover.assign(users=cover["served"] * cover["people"]).reset_index()
    found: pd.Series = rows[rows["users"] > 0].groupby(["rule", "facility"])["users"].sum()
    return found


def _crowding(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    """
    Return, per rule, the people whose facility has a tenth more (and fewer) users than theirs had before.

    Of homes that are in both states and served in both; columns people_crowded, people_relieved.
    """
    both = a[["served", "people", "facility"]].join(b[["served", "facility"]].add_suffix("_after"), how="inner")
    rule = both.index.get_level_values("rule")
    counts = []
    for cover, column in ((a, "facility"), (b, "facility_after")):
        keys = pd.MultiIndex.from_arrays([rule, both[column]])
        counts.append(_users(cover).reindex(keys).to_numpy(dtype=float))
    people = both["people"] * both[["served", "served_after"]].min(axis=1)
    more = pd.Series(counts[1] > counts[0] * FULLER, index=both.index)
    fewer = pd.Series(counts[1] * FULLER < counts[0], index=both.index)
    sums = {
        name: (people * mask).groupby(level="rule").sum()
        for name, mask in (("people_crowded", more), ("people_relieved", fewer))
    }
    return pd.DataFrame(sums)


def _some(names: pd.Series) -> str:
    listed = list(dict.fromkeys(map(str, names)))
    return say("、").join(listed[:10]) + (say(" 等 {0} 个", len(listed)) if len(listed) > 10 else "")
