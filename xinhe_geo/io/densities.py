"""
How densely a map was drawn, beside places that were drawn well; and how many there are in all, where two lists name some.

From one map nobody can tell how many it lacks: a density warns, and no more. Of two lists that were made apart, what both name
says how much each lacks (Chapman 1951).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import pandas as pd

from ..core import SourceError, say
from .import_log import ImportLog
from .tag_rules import bundled_table, read_csv

#: A kind is told where there are fewer than this share of what the least densely drawn of the places would have, by every measure.
THIN = 1 / 3
#: Nothing is told where fewer than this many would be there: of so few none is no wonder.
EXPECTED_AT_LEAST = 5.0
#: Most kinds with fewer than this share of it: the map was filtered, or drawn for something else.
FILTERED = 1 / 10
#: Of an interval that holds 95 of 100 times, what lies beyond each end.
ONE_TAIL = 0.025


class Drawn(NamedTuple):
    """What of a map was taken: facilities by kind, kilometres that can be walked, buildings."""

    kinds: pd.Series
    street_km: float
    buildings: int


def reference_densities() -> pd.DataFrame:
    """
    Return what was drawn in places that are well mapped (`densities.csv`).

    Returns
    -------
    DataFrame
        Index (place, kind); columns `count`, `street_km`, `buildings` (of the whole place), `date`, `source`.

    Raises
    ------
    SourceError
        The table lacks a column, or a number in it is none.
    """
    file = bundled_table("densities")
    table = read_csv(file)
    missing = [c for c in ("place", "kind", "count", "street_km", "buildings", "date", "source") if c not in table]
    if missing:
        raise SourceError(say("{0}：缺少列 {1}。照自带的补上", file.name, say("、").join(missing)))
    numbers = table[["count", "street_km", "buildings"]].apply(pd.to_numeric, errors="coerce")
    if numbers.isna().any(axis=None) or (numbers <= 0).any(axis=None):
        raise SourceError(say("{0}：count、street_km、buildings 都要是大于 0 的数", file.name))
    return pd.concat([table[["place", "kind", "date", "source"]], numbers], axis=1).set_index(["place", "kind"])


def expected(drawn: Drawn) -> pd.DataFrame:
    """
    Return how many of a kind each well-mapped place would have, had it as much street, or as many buildings, as this map.

    Returns
    -------
    DataFrame
        Index kind, those that every place has; a column for each place and measure (numbers of facilities). Buildings count only
        where they were drawn themselves: a map of streets has some by chance.
    """
    places = reference_densities()
    size = {"street_km": drawn.street_km, "buildings": float(drawn.buildings)}
    if drawn.buildings < THIN * float((places["buildings"] / places["street_km"]).min()) * drawn.street_km:
        del size["buildings"]
    found = dict[tuple[str, str], pd.Series]()
    for place, own in places.groupby(level="place", sort=False):
        counts = own.droplevel("place")
        found |= {(str(place), measure): counts["count"] / counts[measure] * size[measure] for measure in size}
    return pd.DataFrame(found).dropna()


def tell_densities(drawn: Drawn, labels: Mapping[str, str], log: ImportLog) -> None:
    """Say of which kinds a map has far fewer than places that are well mapped; and where it looks filtered."""
    table = expected(drawn)
    table = table[table.index.isin(list(labels))]
    if table.empty:
        return
    known = reference_densities()["date"].groupby(level="place", sort=False).first()
    places = say("、").join(f"{place} {str(day)[:4]}" for place, day in known.items())
    here, least, most = drawn.kinds.reindex(table.index).fillna(0), table.min(axis=1), table.max(axis=1)
    enough = least >= EXPECTED_AT_LEAST
    nearly_none = enough & (here < FILTERED * least)
    if 2 * nearly_none.sum() > enough.sum():
        told = say(
            "可步行的道路 {0:.0f} 公里，而可比的 {1} 类设施里有 {2} 类不到画得全的地方（{3}）的十分之一：多半没有取设施，或没有画。设施各项不作结论",
            drawn.street_km,
            int(enough.sum()),
            int(nearly_none.sum()),
            places,
        )
        log.note("facilities", say("像是筛过的提取"), told)
        return
    thin = least.index[enough & (here < THIN * least)]
    if len(thin):
        told = say(
            "按街道长度和楼栋数同 {0} 比。只作提示，不是漏画的数：一份图估不出漏了多少，要另一份名单（update）", places
        )
        named = [
            say("{0} {1:.0f} 处（参照 {2:.0f}—{3:.0f}）", labels[str(kind)], here[kind], least[kind], most[kind])
            for kind in thin
        ]
        log.note("facilities", say("画得比参照地稀的"), told, named)


def in_all(first: int, second: int, both: int) -> tuple[float, int, int]:
    """
    Return how many there are in all, from two lists made apart, and the ends between which that lies 95 of 100 times.

    (first + 1)(second + 1) / (both + 1) - 1 (Chapman 1951). The ends are exact: of so many, lists of these sizes have at least,
    and at most, so many in common with a chance of 2.5 % or more (hypergeometric). Where who stands in one list is likelier to
    stand in the other, as is usual, there are more than this says.

    Raises
    ------
    ValueError
        The lists have nothing in common, or more than one of them has.

    Examples
    --------
    >>> total, low, high = in_all(20, 15, 12)
    >>> round(total, 1), low, high
    (24.8, 23, 34)
    """
    if not 1 <= both <= min(first, second):
        raise ValueError(say("两份名单 {0} 处、{1} 处，共有 {2} 处：估不出一共有多少", first, second, both))
    from scipy.stats import hypergeom  # takes half a second, and few ask

    named = first + second - both
    total = (first + 1) * (second + 1) / (both + 1) - 1

    def likely(n: int) -> tuple[bool, bool]:  # to have no more in common than these; to have no fewer
        chance = hypergeom(n, first, second)
        return bool(chance.cdf(both) >= ONE_TAIL), bool(chance.sf(both - 1) >= ONE_TAIL)

    reach = named
    while likely(reach)[1]:
        reach *= 2
    low = _first(named, reach, lambda n: likely(n)[0])
    return max(total, float(named)), low, _first(low, reach, lambda n: not likely(n)[1]) - 1


def _first(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """Return the first number for which something holds that holds for all after it, and for `high`."""
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low
