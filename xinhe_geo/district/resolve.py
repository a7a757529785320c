"""What a caller means: a thing of a district by its code, by its name in either language, or by its row."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import TypeAlias

import pandas as pd

from ..core import Profile, Rule, UnknownNameError, nearest
from .doubles import bare_name, plain_name

#: How a thing is given: its code or name, its row (of a frame, or of `itertuples`), or a value of it.
Named: TypeAlias = str | pd.Series | pd.DataFrame | Profile | Rule | tuple[object, ...]

#: Columns that say what a thing is called.
_NAMES = ("label", "label_en", "name", "name_en")


def meant(what: str, said: Named, *tables: pd.DataFrame) -> tuple[int, str]:
    """
    Return in which of some tables (index: the codes) a thing stands, and under which code.

    A code comes before a name, a name as it is written before one that differs in width, case, blanks or what stands in
    brackets; of equally good ones that of the first table.

    Parameters
    ----------
    what
        What is looked for, in Chinese: for the message.
    said
        A code, a name in either language, or a row: of the table itself, or one with a column called as its index (`kind` of a
        facility, `facility` of a gap).
    tables
        Where it may stand.

    Raises
    ------
    UnknownNameError
        No such thing (names the three most like it), or more than one of that name (names their codes).
    """
    texts = list(dict.fromkeys(_texts(said, [str(table.index.name) for table in tables])))
    for keys_of, text in itertools.product(_TIERS, texts):
        for number, table in enumerate(tables):
            keys = keys_of(table, text)
            if len(keys) > 1:
                raise UnknownNameError(what, text, keys, several=True)
            if keys:
                return number, keys[0]
    known = [str(name) for table in tables for names in (table.index, *_names_in(table)) for name in names]
    if not texts or not nearest(texts[0], known):
        known = [str(name) for table in sorted(tables, key=len) for name in table.index]  # what is few can be listed
    raise UnknownNameError(what, texts[0] if texts else said, list(dict.fromkeys(known)))


def _texts(said: object, columns: list[str]) -> Iterator[str]:
    """Yield what may be the code or name of what was given, the likeliest first."""
    if isinstance(said, (Profile, Rule)):
        yield said.name
    elif isinstance(said, pd.DataFrame):
        if len(said) == 1:
            yield from _texts(said.iloc[0], columns)
    elif isinstance(said, (pd.Series, tuple)):
        row = said.to_dict() if isinstance(said, pd.Series) else getattr(said, "_asdict", dict)()
        own = said.name if isinstance(said, pd.Series) else row.get("Index")
        cells = [*(own if isinstance(own, tuple) else (own,)), *(row.get(column) for column in columns)]
        yield from (cell for cell in cells if isinstance(cell, str) and cell)
    elif isinstance(said, int) and not isinstance(said, bool):
        yield str(said)
    elif isinstance(said, str) and said.strip():
        yield said.strip()


def _names_in(table: pd.DataFrame) -> Iterator[pd.Series]:
    for column in _NAMES:
        if column in table.columns:
            yield table[column].dropna()


def _as_code(table: pd.DataFrame, text: str) -> list[str]:
    return [text] if text in table.index else []


def _as_name(table: pd.DataFrame, text: str) -> list[str]:
    return list(
        dict.fromkeys(str(key) for names in _names_in(table) for key in names.index[(names == text).to_numpy()])
    )


def _as_written_otherwise(table: pd.DataFrame, text: str) -> list[str]:
    """Return the codes of what differs in width, case, blanks and signs; brackets may be left out with what is in them."""
    wanted, codes = plain_name(text), table.index.to_series()
    found = [
        str(key)
        for names in (codes, *_names_in(table))
        for key, name in names.items()
        if wanted and wanted in (plain_name(name), plain_name(bare_name(name)))
    ]
    return list(dict.fromkeys(found))


_TIERS: tuple[Callable[[pd.DataFrame, str], list[str]], ...] = (_as_code, _as_name, _as_written_otherwise)
