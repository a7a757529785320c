"""What may be said of a kind that was only seen on a map: that some walk reaches one, never that none does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..core import UNCHECKED, say
from ..district import District, kind_name
from .home_shares import SHARE_TOLERANCE

#: How a share stands to the truth: it is it, or the truth may be more.
EXACT, AT_LEAST = "exact", "at_least"
#: What a home says of the way to facilities, where it may have a nearer one that no map shows.
_OF_THE_WAY = ("facility", "metres", "straight_metres", "minutes")


def bound_of(district: District, kinds: Sequence[str]) -> str:
    """
    Say how what is counted of some kinds, any of which serves, stands to the truth.

    Parameters
    ----------
    district
        What `District.load` opened; it stays as it was.
    kinds
        Index of `kinds`.

    Returns
    -------
    bound
        "exact"; or "at_least" where one of them was only seen on a map: whoever is reached is reached, and of the others nobody
        knows. A kind of which nothing is known beside one that was surveyed counts so too, since schema 2: before, folders
        could not say what they meant by that.
    """
    if not district.mapped_kinds.isdisjoint(kinds):
        return AT_LEAST
    surveyed = {kind in district.surveyed_kinds for kind in kinds}
    return AT_LEAST if len(surveyed) == 2 and district.manifest.get("schema") != 1 else EXACT


def only_known(cover: pd.DataFrame) -> pd.DataFrame:
    """
    Blank what a coverage cannot say: of a kind seen on a map, whatever it counts of homes that none was found for.

    Parameters
    ----------
    cover
        Result of `coverage`, or the rows of one rule.

    Returns
    -------
    cover
        The same rows. Where `bound` is "at_least" and not all of the home is served, `served…` and what it says of the way are
        missing: 数据不足. The very same frame where nothing is blanked.
    """
    if "bound" not in cover.columns or not len(cover):
        return cover
    unsure = (cover["bound"] == AT_LEAST).to_numpy() & ~(cover["served"] >= 1 - SHARE_TOLERANCE).to_numpy(dtype=bool)
    if not unsure.any():
        return cover
    blank = [c for c in cover.columns if c in _OF_THE_WAY or c == "served" or c.startswith("served_")]
    told = cover.copy()
    for column in blank:
        told[column] = told[column].mask(unsure)
    return told


def only_shares_known(table: pd.DataFrame) -> pd.DataFrame:
    """Blank the numbers of groups (`summary`) that rest on a kind seen on a map: which group lacks it, nobody knows."""
    unsure = (table["bound"] == AT_LEAST).to_numpy()
    if not unsure.any():
        return table
    told = table.copy()
    for column in told.columns:
        if column == "share" or column.endswith(("_share", "_served")):
            told[column] = told[column].mask(unsure)
    return told


def what_to_survey(district: District, kinds: Sequence[str]) -> str:
    """Say what has to be done before anybody can say who lacks some kinds; empty where nothing has."""
    if bound_of(district, kinds) == EXACT:
        return ""
    unsure = [k for k in kinds if k not in district.surveyed_kinds]
    names = say("、").join(kind_name(district, k) for k in unsure)
    return say("先调查{0}：已知的不等于都有；查全了写进 district.toml 的 surveyed_kinds，才说得出谁走不到", names)


def unchecked_of(district: District, kinds: Sequence[str]) -> int:
    """Return how many facilities of some kinds nobody has looked at yet: they count only in the upper end of a range."""
    facilities = district.layers.get("facilities")
    if facilities is None:
        return 0
    return int(np.count_nonzero(facilities["kind"].isin(kinds) & (facilities["state"] == UNCHECKED)))
