"""
What reports and ledger say, in Chinese or in English.

Names of places and words of the plan are never translated. The language is that of the output that is being written (`speaking`),
so that what finds a number need not be told what it will be read in. How sentences are said: `sentences`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from .calls import refuse_misfit
from .errors import UnknownNameError
from .sentences import CELLS, LANGUAGE, english, language, renamed, say, word

P = ParamSpec("P")
Result = TypeVar("Result")
LANGS = ("zh", "en")
#: What a page says it is in.
HTML_LANG = {"zh": "zh-CN", "en": "en"}


@contextmanager
def speaking(lang: str) -> Iterator[None]:
    """
    Say everything in a language ("zh" or "en") for as long as this lasts.

    Raises
    ------
    UnknownNameError
        Another language.
    """
    if lang not in LANGS:
        raise UnknownNameError("语言", lang, list(LANGS))
    before = LANGUAGE.set(lang)
    try:
        yield
    finally:
        LANGUAGE.reset(before)


def named_by_homes(function: Callable[P, Result]) -> Callable[P, Result]:
    """
    Return a function that names homes as what they are in the district that its first argument is, or is about.

    Cells of a grid are no compounds: where a district's homes are such (`cells`), sentences and words say so.
    """

    @functools.wraps(function)
    def named(*args: P.args, **kwargs: P.kwargs) -> Result:
        first = next(iter((*args, *kwargs.values())), None)
        # a district has none: to ask it for one takes long, since it looks for what may be meant
        about = first if hasattr(type(first), "cells") else getattr(first, "district", first)
        before = CELLS.set(bool(getattr(about, "cells", "")))
        try:
            return function(*args, **kwargs)
        except TypeError:
            refuse_misfit(function, args, kwargs)
            raise
        finally:
            CELLS.reset(before)

    return named


def by_cells() -> bool:
    """Return whether homes are named as cells at present."""
    return CELLS.get()


def listed_words(text: str) -> str:
    """Return a cell that lists several words."""
    return say("、").join(word(part.strip()) for part in text.split(";") if part.strip())


def parted(text: str) -> str:
    """Return a cell that lists several passages of the plan."""
    return "；".join(part.strip() for part in text.split(";") if part.strip())


def title(text: str) -> str:
    """Return the name of a sheet of the workbook, or of a column; one that is made of data stays as it is."""
    sheets = english()["sheets"]
    return renamed(text if language() == "zh" else sheets[text]) if text in sheets else text


def back(text: str) -> str:
    """Return the Chinese of a word the workbook has in either language: what was typed is read whatever it was written in."""
    return _chinese().get(text, text).replace("格网单元", "小区")


@functools.cache
def _chinese() -> Mapping[str, str]:
    return {en: zh for zh, en in english()["sheets"].items()}


_TAG = re.compile(r"(<[^>]*>)")
_QUOTE = re.compile(r"""lang=["']zh["']""")
_HAN = re.compile(
    r"[\u3001-\u303f\u3400-\u9fff\uff00-\uffef](?:[\u2014\u201c\u201d\u2018\u2019\u3000-\u303f\u3400-\u9fff\uff00-\uffef])*"
)
_SILENT = ("<style", "<script", "<title", "<option", "<text")


def marked(page: str) -> str:
    """Return an English page whose runs of Chinese (names, words of the plan) are marked as such, for fonts and readers aloud."""
    if language() == "zh":
        return page
    parts, tag = [], ""
    for part in _TAG.split(page):
        if part.startswith("<"):
            tag = part
            parts.append(part)
        elif tag.startswith(_SILENT) or _QUOTE.search(tag):
            parts.append(part)
        else:
            parts.append(_HAN.sub(lambda m: f'<span lang="zh">{m.group()}</span>', part))
    return "".join(parts)
