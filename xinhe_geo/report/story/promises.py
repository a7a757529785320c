"""What the ledger says of the plan's promises, as documents show it: by category and verdict, row by row."""

from __future__ import annotations

import re
from typing import NamedTuple, Protocol

import numpy as np
import pandas as pd

from ...core import say, word
from ...ledger import number_text, verdicts, whole_text


class Promise(NamedTuple):
    """A promise that a number decides about: the words of the plan, and where it stands."""

    code: str
    quote: str
    stands: str


class Blank(NamedTuple):
    """A measure that cannot be taken, and what it lacks."""

    code: str
    label: str
    verdict: str
    needs: str


class Promises(NamedTuple):
    """
    The plan's promises.

    Attributes
    ----------
    verdicts
        How many promises have which verdict, the most first.
    categories
        Per category of the plan how many have which verdict, in the order of `verdicts`; the largest category first.
    measured
        Those that a number decides about.
    blanks
        Measures that lack data.
    """

    verdicts: dict[str, int]
    categories: dict[str, tuple[int, ...]]
    measured: tuple[Promise, ...]
    blanks: tuple[Blank, ...]

    @property
    def total(self) -> int:
        """How many promises there are."""
        return sum(self.verdicts.values())

    @property
    def rows(self) -> list[list[str]]:
        """The categories with their counts and sums, and the whole last; none is left blank."""
        rows = [[name, *(f"{n}" if n else "" for n in own), f"{sum(own)}"] for name, own in self.categories.items()]
        return [*rows, [say("合计"), *(f"{n}" for n in self.verdicts.values()), f"{self.total}"]]


def verdict_counts(said: pd.Series) -> dict[str, int]:
    """Return how many promises have which verdict, the most first."""
    return {str(verdict): int(n) for verdict, n in said.value_counts().items()}


def first_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return the first row of each promise; index commitment, in the order of the plan."""
    return table.groupby(level="commitment", sort=False).first()


def promises_of(table: pd.DataFrame) -> Promises | None:
    """Return what a ledger says; None where there is no plan."""
    if table.empty:
        return None
    said = verdicts(table)
    counts, first = verdict_counts(said), first_rows(table)
    cross = pd.crosstab(first["category"].str.split(";").str[0], said).reindex(columns=list(counts))
    cross = cross.loc[cross.sum(axis=1).sort_values(ascending=False, kind="stable").index]
    open_ = [say("待填"), say("数据不足")]
    measured = first.index[~said.isin(open_).reindex(first.index).to_numpy()]
    blank = table[table["verdict"].isin(open_).to_numpy()]
    return Promises(
        verdicts=counts,
        categories={
            word(str(name)): tuple(map(int, row)) for name, row in zip(cross.index, cross.to_numpy(), strict=True)
        },
        measured=tuple(
            Promise(
                str(c),
                # that of a plan without sections stands in brackets already
                say("{0}（{1}）", first.loc[c, "quote"], str(first.loc[c, "section"]).strip("（）")),
                say("{0}；{1}", _where_it_stands(table.loc[[c]]), said[c]),
            )
            for c in measured
        ),
        blanks=tuple(
            Blank(str(key[0]), str(r.label), str(r.verdict), str(r.needs))
            for key, r in zip(blank.index, blank.itertuples(), strict=True)
        ),
    )


def _where_it_stands(rows: pd.DataFrame) -> str:
    """Say the numbers that decide about a promise, each with its target."""
    own = rows[((rows["role"] == "own") & rows["value"].notna()).to_numpy()]
    return say("；").join(
        f"{r.label} {number_text(float(r.value), str(r.unit))}{say('（目标 {0}）', r.target_text) if r.target_text else ''}{_who(r)}"
        for r in own.itertuples()
    )


class _Gap(Protocol):
    """A row of the ledger, as `itertuples` gives it."""

    gap_of: str
    gap_size: float
    gap_basis: str


def _who(row: _Gap) -> str:
    """Say how many the gap of a row of the ledger is about, of what, and what that rests on; nothing where it is about nobody."""
    if not row.gap_of:
        return ""
    what, unit = re.split(r" ?[（(]", str(row.gap_of)[:-1])
    if not np.isfinite(row.gap_size):
        return say("，差距涉及的{0}数据不足", what)
    return say("，差距涉及{0} {1}（依据：{2}）", what, whole_text(row.gap_size, unit), row.gap_basis)
