"""
Two links together (两处一起开): which pair of gates, crossings, bridges or missing links brings most people inside a rule.

Every pair of the best single candidates is judged exactly: a shortest walk uses each of the two at most once, in one order
or the other. The best pairs are then carried out on the district and coverage is counted afresh.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from ..access import coverage, summary
from ..core import BASES, DEMONSTRATION, UnknownNameError, amount, say
from ..district import District, Named, Scenario
from .assumed import with_assumption
from .links import (
    SPARE,
    Ask,
    Floats,
    Openings,
    Progress,
    Try,
    Walk,
    apart,
    asked_for,
    best_first,
    edit_of,
    effect_of,
    gained_text,
    gate_walks,
    judged,
    line_walks,
    place_names,
    sorts_of,
    where_text,
)

#: Pairs are formed of so many candidates that do most alone.
PAIRED_AT_MOST = 40
_EVERYWHERE = Openings()

COLUMNS = (
    "first",
    "second",
    "text",
    "people_gained",
    "people_60plus_gained",
    "people_lost",
    "minutes_saved",
    "homes_gained",
    "share_before",
    "share_after",
    "estimated",
    "alone_first",
    "alone_second",
    "with_best",
    "rule",
    "weight",
    "edits",
    "basis",
    "mark",
    "geometry",
)


def link_pairs(
    district: District,
    rule_or_kind: Named,
    *,
    n: int = 5,
    openings: Openings = _EVERYWHERE,
    weight: str | None = None,
    progress: Progress | None = None,
) -> gpd.GeoDataFrame:
    """
    Rank pairs of openings that are made together.

    Parameters
    ----------
    rule_or_kind, openings, weight, progress
        As in `links`. Of what is found everywhere one gate per home, and none beside another, is paired; there a pair of which
        one half shortens nobody's walk by itself is not looked for. Of given candidates it is.
    n
        How many pairs to return.

    Returns
    -------
    ranked
        Index pair (P01 is the best). `first`, `second` (what is opened where, in words), `text` (one sentence);
        `people_gained`, `people_60plus_gained`, `people_lost`, `minutes_saved`, `homes_gained`, `share_before`, `share_after`,
        `rule`, `weight`, `basis`, `mark` as in `links`, counted afresh with both links there; `estimated` (what the search
        said of the pair), `alone_first`, `alone_second` (what it said of each half alone), all in the weight asked for;
        `with_best` (whether one half is the best single link: the best such pair is what opening one after the other
        gives); `edits` (tuple of two `Edit`); geometry (both lines or points) in the district's CRS. At least the best pair
        with the best single link is listed. Empty where no two links help.

    Raises
    ------
    SitingError, UnknownNameError
        As in `links`.
    """
    tell = progress or (lambda _: None)
    given = openings.candidates is not None
    ask = asked_for(district, rule_or_kind, weight, openings)._replace(idle=given)
    tries = judged(ask, tell)
    order = best_first(tries)
    best = [tries[i] for i in (order[:PAIRED_AT_MOST] if given else apart(tries, order, PAIRED_AT_MOST))]
    tell(say("两两组合 {0} 对", len(best) * (len(best) - 1) // 2))
    ranked = _ranked(ask, _walks(ask, best))
    chosen = ranked[: n + SPARE]
    greedy = next((pair for pair in ranked if 0 in pair[2:]), None)  # the best single link and what adds most to it
    if greedy is not None and greedy not in chosen:
        chosen = [*chosen, greedy]
    table = _counted(ask, best, chosen, tell)
    kept = table.head(n)
    if greedy is not None and not kept["with_best"].any():
        kept = pd.concat([kept, table[table["with_best"].to_numpy(dtype=bool)].head(1)])
    kept = gpd.GeoDataFrame(kept, geometry="geometry", crs=district.crs)
    kept.index = pd.Index([f"P{i + 1:02d}" for i in range(len(kept))], name="pair")
    return kept


def _walks(ask: Ask, best: Sequence[Try]) -> list[Walk]:
    """Return the walks by way of each of the best, in their order."""
    lines = [k for k, one in enumerate(best) if one.kind != "gate"]
    gates = [k for k, one in enumerate(best) if one.kind == "gate"]
    found: dict[int, Walk] = {}
    for walk in line_walks(ask, [best[k].shape for k in lines], [best[k].kind for k in lines]):
        found[lines[walk.number]] = walk
    for walk in gate_walks(ask, [(best[k].home, best[k].gate, best[k].shape) for k in gates]):
        found[gates[walk.number]] = walk
    return [found[k] for k in sorted(found)]


def _ranked(ask: Ask, walks: Sequence[Walk]) -> list[tuple[float, float, int, int]]:
    """Return (gained, saved, first, second) of every pair that helps, best first."""
    between = _between(ask, walks)
    today, out = ask.today, ask.today > ask.limit + ask.tolerance
    known = np.isfinite(today)
    alone = [np.minimum(today, walk.new) for walk in walks]
    found = []
    for i, j in combinations(range(len(walks)), 2):
        new = np.minimum(alone[i], alone[j])
        for a, b in ((i, j), (j, i)):
            new = np.minimum(new, _one_then_other(walks[a], walks[b], between[a, b]))
        gained = float(ask.people[out & (new <= ask.limit + ask.tolerance)].sum())
        saved = float((ask.people[known] * (today[known] - new[known])).sum())
        if gained > 0 or saved > 0:
            found.append((round(gained, 6), round(saved, 6), i, j))
    return sorted(found, key=lambda pair: (-pair[0], -pair[1], pair[2:]))


def _between(ask: Ask, walks: Sequence[Walk]) -> dict[tuple[int, int], Floats]:
    """Return the cost from each end of one candidate to each end of another, (ends of a, ends of b)."""
    if not walks:
        return {}
    first = np.cumsum([0, *(len(walk.feet) for walk in walks)])
    feet = pd.concat([walk.feet for walk in walks]).assign(place=np.arange(first[-1]))
    found = ask.district.network.pairs(feet, feet, profile=ask.walker, limit=ask.limit).iloc[:, 0]
    cost = np.full((first[-1], first[-1]), np.inf)
    cost[found.index.get_level_values(0), found.index.get_level_values(1)] = found.to_numpy(dtype=float)
    np.fill_diagonal(cost, 0.0)
    here = [slice(a, b) for a, b in pairwise(first)]
    return {(i, j): cost[here[i], here[j]] for i in range(len(walks)) for j in range(len(walks)) if i != j}


def _one_then_other(one: Walk, other: Walk, between: Floats) -> Floats:
    """Cost of each point by way of one link and then the other; nobody comes in by a gate that is not his own."""
    least = np.full(one.to.shape[1], np.inf)
    if len(other.away) == 1:
        return least
    last = len(one.away) - 1
    for enter in range(len(one.away)):
        leave = last - enter
        for on in (0, 1):
            rest = one.price + between[leave, on] + other.price + other.away[1 - on]
            least = np.minimum(least, one.to[enter] + rest)
    return least


def _counted(
    ask: Ask, best: Sequence[Try], pairs: Sequence[tuple[float, float, int, int]], tell: Progress
) -> pd.DataFrame:
    """Carry out each pair on the district and count again; most people first."""
    cover = coverage(ask.district, rules=[ask.rule])
    before, share = cover.droplevel("rule"), float(summary(cover)["share"].iloc[0])
    names = _names(ask.district, best)
    rows = []
    for number, (gained, _, a, b) in enumerate(pairs):
        tell(say("逐对复核 {0}/{1}", number + 1, len(pairs)))
        edits = tuple(edit_of(ask, best[k], f"link-{k + 1}") for k in (a, b))
        after = Scenario("links", edits=edits, planned=ask.district.with_planned).on(ask.district)
        row = effect_of(before, coverage(after, rules=[ask.rule]))
        shapes = [best[k].shape for k in (a, b)]
        row |= {
            "first": names[a],
            "second": names[b],
            "share_before": share,
            "estimated": gained,
            "alone_first": best[a].gained,
            "alone_second": best[b].gained,
            "with_best": 0 in (a, b),
            "rule": ask.rule.name,
            "edits": edits,
            "geometry": shapely.GeometryCollection(shapes),
        }
        rows.append(row | {"text": with_assumption(_text(row, ask.weight), ask.assumed)})
    basis = before["basis"].dropna()
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    frame["weight"] = ask.weight
    frame["basis"] = max(basis, key=BASES.index) if len(basis) else ""
    mark = say("演示值（不作结论）") if basis.isin(DEMONSTRATION).any() else ""
    frame["mark"] = with_assumption(mark, ask.assumed)
    return frame.sort_values([f"{ask.weight}_gained", "minutes_saved"], ascending=False, kind="stable")


def _names(district: District, best: Sequence[Try]) -> list[str]:
    shapes = [one.shape for one in best]
    homes = pd.Series([one.home or None for one in best], dtype="object")
    frame = gpd.GeoDataFrame({"home": homes}, geometry=shapes, crs=district.crs)
    _, crossed = sorts_of(district, shapes)
    places = place_names(district, frame)
    return [
        where_text(one.kind, place, over, one.shape.length)
        for one, place, over in zip(best, places, crossed, strict=True)
    ]


def _text(row: Mapping[str, Any], weight: str) -> str:
    """Say in one sentence what a pair brings, and whether it is more than its halves."""
    both = say("{0}，同时{1}", row["first"], row["second"])
    if row["people_gained"] < 0.5:
        saved = "" if np.isnan(row["minutes_saved"]) else say("；每趟共省 {0} 人·分钟", amount(row["minutes_saved"]))
        return say("{0}：没有新增可达居民{1}", both, saved)
    alone = (amount(row["alone_first"]), amount(row["alone_second"]))
    halves = (
        say("单开前一处60岁及以上 {0} 人、后一处60岁及以上 {1} 人", *alone)
        if weight == "people_60plus"
        else say("单开前一处 {0} 人、后一处 {1} 人", *alone)
    )
    gained = gained_text(row["people_gained"], row["people_60plus_gained"], row["homes_gained"])
    return say("{0}：{1}；{2}", both, gained, halves)


def pairs_plan(ranked: gpd.GeoDataFrame, pair: str | None = None, *, name: str = "links") -> Scenario:
    """
    Return a scenario of one pair of links.

    Parameters
    ----------
    ranked
        Result of `link_pairs`.
    pair
        Its id; None: the best.
    name
        The scenario's name.

    Raises
    ------
    UnknownNameError
        No such pair.
    """
    wanted = (ranked.index[0] if len(ranked) else "") if pair is None else pair
    if wanted not in ranked.index:
        raise UnknownNameError("通道组合", wanted, list(ranked.index))
    return Scenario(
        name, say("增开两处通道"), ranked.loc[wanted, "edits"], note=say("位置为推算：{0}", ranked.loc[wanted, "text"])
    )
