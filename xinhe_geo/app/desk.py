"""
What a notebook works on: its district, its parameters checked before anything is computed, and the folder its results go to.

A notebook asks, draws and tells; opening, checking, naming columns and saving stand here, once for all of them.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pandas as pd
from pandas.api.types import is_float_dtype

from ..access import SEVERITIES, rests_on
from ..core import DENOMINATOR_LABELS, UnknownNameError, WrongValueError, say, thing, whole
from ..district import District
from ..maps import PRESETS, HouseMap
from ..report import is_year
from .notebook import keep, sortable
from .words import TABLES

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

#: Where notebooks keep what they make, seen from the folder they lie in.
RESULTS = Path("../output/notebooks")
#: What homes are put into groups by: the column of `coverage`, and the layer that names the groups.
GROUPS: Mapping[str, str] = {"zone": "zones", "area": "areas", "community": "communities", "grid": "grid"}
#: What shares are counted in.
COUNTED: Mapping[str, str] = {
    **{name: label for name, label in DENOMINATOR_LABELS.items() if name != "community"},
    "homes": "小区个数",
}
Shown = TypeVar("Shown", bound="HouseMap | Styler | str")


class Desk:
    """
    A notebook at work: its `district`, and `show`, which keeps what it shows.

    Parameters
    ----------
    number
        The notebook's number, with which the names of its files begin.
    district
        What `District.load` opened.
    """

    def __init__(self, number: str, district: District) -> None:
        self.number, self.district = number, district
        self._tables = 0
        RESULTS.mkdir(parents=True, exist_ok=True)

    def __repr__(self) -> str:
        return say("{0}，{1} 年。{2}", self.district.name, self.district.year, rests_on(self.district))

    def path(self, name: str) -> Path:
        """Return where a file of this notebook goes."""
        return RESULTS / f"{self.number}-{name}"

    def show(self, thing: Shown, name: str) -> Shown:
        """Keep a map, a table or a picture (text of an SVG) as a file that opens offline, and return it, so that the cell shows it."""
        if isinstance(thing, HouseMap):
            thing.save(self.path(f"{name}.html"))
        else:
            keep(thing, self.path(f"{name}{'.svg' if isinstance(thing, str) else '.html'}"), self.district)
        return thing

    def table(
        self,
        frame: pd.DataFrame,
        columns: Mapping[str, str] | str | None = None,
        *,
        index: str | None = None,
        digits: int = 1,
        save: str = "",
    ) -> Styler:
        """
        Return columns of a frame under the names that planners read.

        Parameters
        ----------
        frame
            Shares (columns whose name ends in （%）) are given from 0 to 1; people and homes (…（人）) are shown whole.
        columns
            What is shown, in order, and what it is called; or a table of `app.words` that says both. None shows all as they are called.
        index
            What the index is called; without a name it is not shown.
        digits
            Decimal places of other numbers.
        save
            Name of a table (.csv) that is kept too; "" keeps none.
        """
        columns = TABLES[columns] if isinstance(columns, str) else columns
        shown = frame if columns is None else frame.reindex(columns=list(columns)).rename(columns=dict(columns))
        shown = shown.rename_axis(index)
        if is_float_dtype(shown.index.dtype) and (shown.index == shown.index.round()).all():
            shown.index = shown.index.astype("int64")  # metres and minutes that somebody chose, not results
        for name in shown.columns:
            if str(name).endswith("（%）") and columns is not None:
                shown[name] = shown[name] * 100
            elif str(name).endswith("（人）"):
                shown[name] = shown[name].map(whole, na_action="ignore").astype("Int64")
            elif is_year(str(name)):
                shown[name] = shown[name].map(
                    lambda year: "" if pd.isna(year) else f"{year:.0f}" if isinstance(year, float) else str(year)
                )
        if save:
            keep(shown, self.path(f"{save}.csv"), self.district)
        self._tables += 1
        return sortable(shown, f"t{self._tables}", digits=digits)


def open_desk(
    number: str,
    folder: str | Path | None = None,
    *,
    year: int | None = None,
    planned: bool = False,
    **parameters: object,
) -> Desk:
    """
    Open the district of a notebook, after its parameters were checked.

    Parameters
    ----------
    number
        The notebook's number.
    folder
        District folder; None opens the bundled one.
    year, planned
        The state to compute in; by default that of the data.
    parameters
        Parameters of the notebook by the names they have there. What the library itself checks need not be among them.

    Raises
    ------
    UnknownNameError
        A choice that there is not, with those there are.
    ValueError
        A number that cannot be.
    """
    for name, value in {"year": year, "planned": planned, **parameters}.items():
        if name in _CHOICES:
            _refuse_unknown(*_CHOICES[name], value)
        if name in _NUMBERS and not _NUMBERS[name][0](value):
            raise WrongValueError(say("{0} 应当是{1}，不是 {2!r}", name, thing(_NUMBERS[name][1]), value))
    # Our tables are small, and Arrow's strings slow in them (see `cli.main`): those of this kernel are Python's from here on.
    pd.set_option("mode.string_storage", "python")
    # Nor need the collector look through all that was imported again and again: that took a seventh of what a report takes here.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    district = District.load(folder)
    if "kind" in parameters:
        _refuse_unknown("设施类别", list(district.kinds.index[district.kinds["rule"].notna()]), parameters["kind"])
    if classes := parameters.get("classes"):  # a district need not have all of them
        known = set(district.network.edges["class"].dropna())
        several = list(classes) if isinstance(classes, tuple | list) else [classes]
        if not known & set(several):
            raise UnknownNameError("道路等级", several[0], sorted(known))
    return Desk(number, district.at(district.year if year is None else year, planned=planned))


def _refuse_unknown(what: str, known: Iterable[str], value: object) -> None:
    if value not in set(known):
        raise UnknownNameError(what, value, list(known))


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


#: Parameters that are one of several words, by name: what they are called in a message, and the words.
_CHOICES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "severity": ("轻重", SEVERITIES),
    "denominator": ("分母", COUNTED),
    "by": ("分组", GROUPS),
    "preset": ("口径预设", PRESETS),
}
#: Parameters that are numbers or yes and no: what they must fulfil, and that in words.
_NUMBERS: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "year": (lambda v: v is None or (_whole(v) and 2000 <= v <= 2100), " None，或 2000 到 2100 之间的年份"),  # type: ignore[operator]
    "end_of": (lambda v: v is None or (_whole(v) and 2000 <= v <= 2100), " None，或 2000 到 2100 之间的年份"),  # type: ignore[operator]
    "planned": (lambda v: isinstance(v, bool), " True 或 False"),
    "take_back": (lambda v: isinstance(v, bool), " True 或 False"),
    "top": (lambda v: _whole(v) and v > 0, "大于 0 的整数"),  # type: ignore[operator]
    "least": (lambda v: isinstance(v, int | float) and v >= 0, " 0 或更大的数"),
    "extra_s": (lambda v: isinstance(v, int | float) and v >= 0, " 0 或更大的数"),
    "speeds": (
        lambda v: isinstance(v, tuple | list) and len(v) == 2 and 0 < v[0] <= v[1],
        "两个大于 0 的数，慢的在前，如 (20, 40)",
    ),
}
