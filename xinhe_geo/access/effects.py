"""What a plan changes for whom: gains, losses, and facilities that get fuller or emptier."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np
import pandas as pd

from ..core import Rule, say
from ..district import District
from .bounds import EXACT
from .coverage import coverage, summary

#: A place counts as fuller (or emptier) when it has a tenth more (or fewer) users: a convention of this tool.
FULLER = 1.1


def effects(before: District, after: District, *, rules: str | Sequence[str | Rule] = "plan") -> pd.DataFrame:
    """
    Say, rule by rule, what a plan changes for whom.

    Returns
    -------
    table
        Index rule. `label`, `before`, `after` (shares by the rule's denominator), `change` (missing where one of
        the two leaves out homes that the other has or counts, as nobody knows how many of the rule's own live there); `net_of` (what the rule itself
        counts: people, people_60plus, area_m2, or community where it asks whether each has one), `net` (how many of these more
        are served, those who lose taken off); `net_seen` (the same, counted by the places that are known where these may not be all);
        `people_gain`, `people_lose` (people who live before and after in homes that exist in both, newly served or no longer: who
        moves gains and loses nothing by it), `people_60plus_gain`, `people_60plus_lose`,
        `people_new_served`, `people_new_unserved` (who came to homes that only exist after; who returns to them is not among
        these), `people_crowded`, `people_relieved` (people of homes in both that are served in both, and now share their facility with
        a tenth more, or fewer, than before), `homes_gain`, `homes_lose` (names, the
        first ten); `bound` ("at_least": a kind was only seen on a map; who gains or loses may be served by one that no map
        shows, so that these are at most, and `net` is missing where there are any). Numbers of people are missing where of those concerned none is known,
        or of nobody at all.
    """
    return effects_of(coverage(before, rules=rules), coverage(after, rules=rules), after)


def effects_of(
    a: pd.DataFrame,
    b: pd.DataFrame,
    after: District,
    sums: tuple[pd.DataFrame, pd.DataFrame] | None = None,
    shared: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """
    Return `effects`, given the coverages of both states, and the later state.

    Where they are known already: `sums`, what `summary` says of both coverages, and `shared`, what `crowding` says of them.
    """
    a = as_divided(a, after)
    communities = None if after.communities is None else len(after.communities)
    old, new = (summary(a), summary(b)) if sums is None else sums
    table = old[["label"]].copy()
    table["before"], table["after"] = old["share"], new["share"].reindex(old.index)
    table["change"] = (table["after"] - table["before"]).mask(table.index.isin(_of_others(a, b)))
    both = a[["served", "people", "people_60plus", "area_m2", "name"]].join(
        b["served"].rename("served_after"), how="inner"
    )
    both = both.assign(**who_stay(both, b))
    change = both["served_after"] - both["served"]
    unknown = both.index.unique("rule").difference(both.index[change.notna()].get_level_values("rule"))
    change = change.fillna(0.0)
    rules_there = table.index
    for people in ("people", "people_60plus"):
        table[f"{people}_gain"] = _known_sum(np.maximum(change, 0.0), both[people], rules_there)
        table[f"{people}_lose"] = _known_sum(np.maximum(-change, 0.0), both[people], rules_there)
    table["bound"] = new["bound"].reindex(rules_there)
    table["net_of"] = a["denominator"].groupby(level="rule").first().reindex(rules_there)
    of_rule, moved = both.groupby(level="rule").indices, change.to_numpy()
    amounts = {what: both[what].to_numpy(float, na_value=np.nan) for what in both.columns.intersection(table["net_of"])}
    table["net_seen"] = [
        _net(communities, row, moved, amounts, of_rule.get(row.Index, [])) for row in table.itertuples()
    ]
    touched = table.index.isin(both.index[moved != 0].get_level_values("rule"))  # at most nobody is nobody
    table["net"] = table["net_seen"].where((table["bound"] == EXACT).to_numpy() | ~touched)
    table.loc[table.index.isin(unknown), ["net", "net_seen"]] = np.nan  # nobody knows who is served
    fresh = b[~b.index.isin(a.index)]
    people = fresh["people"].to_numpy(np.float64, na_value=np.nan)
    came = pd.Series(newcomers(fresh.index.get_level_values("home"), people, after), fresh.index)
    table["people_new_served"] = _known_sum(fresh["served"].fillna(0.0), came, rules_there)
    table["people_new_unserved"] = _known_sum((1 - fresh["served"]).fillna(0.0), came, rules_there)
    shared = crowding(a, b) if shared is None else shared
    for column in ("people_crowded", "people_relieved"):
        table[column] = _known_sum(shared[column], shared["people"], rules_there)
    names = both["name"].fillna(both.index.get_level_values("home").to_series(index=both.index))
    for column, mask in (("homes_gain", change > 1e-9), ("homes_lose", change < -1e-9)):
        table[column] = names[mask].groupby(level="rule").apply(_some)
    table[["homes_gain", "homes_lose"]] = table[["homes_gain", "homes_lose"]].astype("object").fillna("")
    return table


def _of_others(a: pd.DataFrame, b: pd.DataFrame) -> list[str]:
    """Return the rules whose share leaves homes out in one state only, since nobody knows how many it counts there: the two are of others."""
    blank = []
    for cover in (a, b):
        columns = (cover[c].to_numpy(np.float64, na_value=np.nan) for c in ("people", "people_60plus", "served"))
        (people, aged, served), whose = columns, cover["denominator"].to_numpy(object)
        unsaid = ((whose == "people") & np.isnan(people)) | ((whose == "people_60plus") & np.isnan(aged))
        blank.append(cover.index[unsaid & ~np.isnan(served) & (people != 0)])
    return list(blank[0].symmetric_difference(blank[1]).unique("rule"))


def as_divided(cover: pd.DataFrame, after: District) -> pd.DataFrame:
    """
    Return the coverage of an earlier state by the homes of a later one: whom a plan has given a piece of a home has walked as all of it did.

    Parameters
    ----------
    cover
        MultiIndex (home, rule).
    after
        The later state, which knows what it has divided (`District.parted`).
    """
    homes = dict.fromkeys(cover.index.get_level_values("home") if after.parted else [])
    parts = {home: after.parts_of("homes", home) for home in homes if ("homes", home) in after.parted}
    if not parts:
        return cover
    counted = cover.columns.intersection(["people", "people_60plus", "households", "area_m2"])
    level = cover.index.get_level_values("home")
    pieces = []
    for home, shares in parts.items():
        own = cover[level == home]
        for piece, share in shares.items():
            one = own.rename(index={home: piece}, level="home")
            pieces.append(one.assign(**{column: one[column] * share for column in counted}))
    return pd.concat([cover[~level.isin(list(parts))], *pieces])


def who_stay(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Return how many of each row of `before` live there in both states: people, people_60plus; missing where a state does not say."""
    return pd.DataFrame(
        {
            of: np.minimum(
                *(own[of].reindex(before.index).to_numpy(np.float64, na_value=np.nan) for own in (before, after))
            )
            for of in ("people", "people_60plus")
        },
        index=before.index,
    )


def newcomers(homes: Iterable[str], people: np.ndarray, after: District) -> np.ndarray:
    """Return who of the people in homes that only exist after came in: not who returned, nor who lived there before."""
    if not after.arrived:
        return people
    came = {home: number for home, who in after.arrived.items() if np.isfinite(number := float(who["people"]))}
    return np.array([came.get(home, own) for home, own in zip(homes, people, strict=True)], np.float64)


def people_told(number: float, *, aged: bool) -> str:
    """Return a number of people with its unit: of the old (`aged`) or of everybody."""
    return say("数据不足") if np.isnan(number) else say("{0:,.0f} 名老人" if aged else "{0:,.0f} 人", number)


def known_sum(parts: pd.Series, amounts: pd.Series) -> float:
    """
    Add up a part of what each home has.

    Missing where of none of the homes, or of none that is concerned, the amount is known; else 0 where none is concerned.
    """
    some = (parts > 0).to_numpy()
    if len(amounts) and amounts.isna().all():
        return np.nan
    return float((parts * amounts)[some].sum(min_count=1)) if some.any() else 0.0


def _known_sum(parts: pd.Series, people: pd.Series, rules: pd.Index) -> pd.Series:
    """Return `known_sum` by rule."""
    known = (parts * people)[(parts > 0).to_numpy()].groupby(level="rule").sum(min_count=1)
    concerned = rules.isin(known.index)
    nobody_known = bool(len(people)) and bool(people.isna().all())
    total: pd.Series = known.reindex(rules).where(concerned | nobody_known, 0.0)
    return total


class _Line(Protocol):
    """A line of `effects` on the way."""

    Index: str
    change: float
    net_of: str


def _net(
    communities: int | None,
    row: _Line,
    moved: np.ndarray,
    amounts: Mapping[str, np.ndarray],
    homes: np.ndarray | Sequence[int],
) -> float:
    """Return how many more a rule finds served, of what it counts itself; `homes`: its rows."""
    if row.net_of == "community":
        return np.nan if communities is None else float(row.change) * communities
    change, amount = moved[homes], amounts[row.net_of][homes]
    if np.isnan(amount).all():
        return np.nan
    some = change != 0
    return float(pd.Series((change * amount)[some]).sum(min_count=1)) if some.any() else 0.0


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
    return home_changes_of(as_divided(coverage(before, rules=rules), after), coverage(after, rules=rules))


def home_changes_of(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    """Return `home_changes`, given the coverages of both states."""
    every = b.index.append(a.index[~a.index.isin(b.index)])
    told = ["name", "label", "people", "people_60plus", "minutes", "served", "facility"]
    left, right = a[told].reindex(every), b[told].reindex(every)
    here, there = every.isin(a.index), every.isin(b.index)
    table = pd.DataFrame(index=every)
    for column in ("name", "label", "people", "people_60plus"):
        table[column] = right[column] if there.all() else right[column].where(there, left[column])
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
        frame = district.layers.get("facilities")
        names |= {} if frame is None else dict(zip(frame.index.tolist(), frame["name"].tolist(), strict=True))
    return {key: name for key, name in names.items() if isinstance(name, str)}


def sharing_of(a: pd.DataFrame, b: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """Return `sharing`, given the coverages of both states and what the facilities are called."""
    users = [_users(cover) for cover in (a, b)]
    table = pd.DataFrame({"users_before": users[0], "users_after": users[1]}).fillna(0.0).sort_index()
    table["change"] = table["users_after"] - table["users_before"]
    labels = pd.concat([a, b])["label"].groupby(level="rule").first()
    table.insert(0, "label", labels.reindex(table.index.get_level_values("rule")).to_numpy())
    ids = table.index.get_level_values("facility")
    table.insert(1, "name", [names.get(i, i) for i in ids.to_numpy(object).tolist()])
    return table


def _users(cover: pd.DataFrame) -> pd.Series:
    """Return the people served at each facility, index (rule, facility)."""
    users = (cover["served"] * cover["people"]).rename("users")
    some = np.flatnonzero((users > 0).to_numpy())
    rules, facilities = cover.index.get_level_values("rule").take(some), cover["facility"].take(some)
    found: pd.Series = users.take(some).groupby([rules, facilities]).sum()
    return found


def crowding(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    """
    Say, home by home, whose facility has a tenth more (or fewer) users than theirs had before, given the coverages of both states.

    Returns
    -------
    table
        MultiIndex (home, rule) of homes that are in both states; `people` (who live there in both); `people_crowded`, `people_relieved`:
        which share (0-1) of them, served in both states, that is so for.
    """
    told = ["served", "people", "people_60plus", "facility"]
    both = a[told].join(b[["served", "facility"]].add_suffix("_after"), how="inner")
    rule = both.index.get_level_values("rule")
    counts = []
    for cover, column in ((a, "facility"), (b, "facility_after")):
        keys = pd.MultiIndex.from_arrays([rule, both[column]])
        counts.append(_users(cover).reindex(keys).to_numpy(dtype=float))
    part = both[["served", "served_after"]].min(axis=1).fillna(0.0)
    more, fewer = counts[1] > counts[0] * FULLER, counts[1] * FULLER < counts[0]
    people = who_stay(both, b)["people"]
    return pd.DataFrame({"people": people, "people_crowded": part * more, "people_relieved": part * fewer})


def _some(names: pd.Series) -> str:
    listed = list(dict.fromkeys(map(str, names)))
    return say("、").join(listed[:10]) + (say(" 等 {0} 个", len(listed)) if len(listed) > 10 else "")
