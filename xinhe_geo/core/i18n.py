"""
What reports and ledger say, in Chinese or in English.

Sentences stand in the code in Chinese, as templates; `english.json` has each of them in English, and the words that come
from tables (units, categories). Names of places and words of the plan are never translated. The language is that of the output
that is being written (`speaking`), so that what finds a number need not be told what it will be read in.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from decimal import ROUND_HALF_UP, Decimal
from typing import ParamSpec, TypeVar

from .calls import refuse_misfit
from .errors import UnknownNameError
from .shipped import as_typed

P = ParamSpec("P")
Result = TypeVar("Result")
LANGS = ("zh", "en")
#: What a page says it is in.
HTML_LANG = {"zh": "zh-CN", "en": "en"}
_LANG = ContextVar("language", default="zh")
#: Whether those who live somewhere are counted by cells of a grid, and not by the compounds they live in.
_CELLS = ContextVar("cells", default=False)


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
    before = _LANG.set(lang)
    try:
        yield
    finally:
        _LANG.reset(before)


def named_by_homes(function: Callable[P, Result]) -> Callable[P, Result]:
    """
    Return a function that names homes as what they are in the district that its first argument is, or is about.

    Cells of a grid are no compounds: where a district's homes are such (`cells`), sentences and words say so.
    """

    @functools.wraps(function)
    def named(*args: P.args, **kwargs: P.kwargs) -> Result:
        first = next(iter((*args, *kwargs.values())), None)
        before = _CELLS.set(bool(getattr(getattr(first, "district", first), "cells", "")))
        try:
            return function(*args, **kwargs)
        except TypeError:
            refuse_misfit(function, args, kwargs)
            raise
        finally:
            _CELLS.reset(before)

    return named


def by_cells() -> bool:
    """Return whether homes are named as cells at present."""
    return _CELLS.get()


#: What homes are called where they are cells; not in names of options, files and placeholders.
_HOME = re.compile(r"(?<![-{\w.])([Hh])ome(s?)(?![\w=}]|\.\w)")


def renamed(text: str) -> str:
    """Return a text of ours in which homes are called what they are in the district that is spoken of."""
    if not _CELLS.get():
        return text
    return _HOME.sub(lambda m: f"{'C' if m[1] == 'H' else 'c'}ell{m[2]}", text.replace("小区", "格网单元"))


def language() -> str:
    """Return the language that is spoken."""
    return _LANG.get()


def say(sentence: str, *values: object) -> str:
    """Return a sentence with its values, in the language that is spoken, with the commands that exist here; it must stand in the catalogue."""
    shown = [Figure(value) if isinstance(value, float) else value for value in values]
    own = sentence if language() == "zh" else agreeing(english()["say"][sentence], *shown)
    return tight(as_typed(renamed(own)).format(*shown))


#: Chinese marks bring their own room: no space stands beside them.
_LOOSE = re.compile(r"(?<=[《（「、，。；：！？）》」]) +(?=\S)|(?<=\S) +(?=[《（「、，。；：！？）》」])")


def tight(text: str) -> str:
    """Return a text without spaces beside Chinese marks, where Chinese is spoken: what joins words and names cannot know what they begin with."""
    return _LOOSE.sub("", text) if language() == "zh" else text


#: A word of an English sentence that agrees with a count: `{0} {0:home|homes}`, what is said of one before what is said of others.
_AGREES = re.compile(r"\{(\w+):([^{}|]*)\|([^{}|]*)\}")
_ONE = re.compile(r"[+−-]?1(?![\d.,])")


def agreeing(sentence: str, *values: object, **named: object) -> str:
    """Return a sentence whose words agree with their counts: with what is shown of these, so that 1.2 said as 1 is one."""

    def form(found: re.Match[str]) -> str:
        field = re.search(rf"\{{{found[1]}(?::[^{{}}|]*)?\}}", sentence)
        shown = (field[0] if field else f"{{{found[1]}}}").format(*values, **named)
        return found[2] if _ONE.match(shown) else found[3]

    return _AGREES.sub(form, sentence)


class Figure(float):
    """A number as sentences say it: what is not known says so, and a share is 0 % or 100 % only where it is."""

    def __format__(self, spec: str) -> str:
        return self.text(spec)

    def text(self, spec: str, unknown: str | None = None) -> str:
        """
        Return the number as a format says; "nan", "inf" and "-0" are nobody's figures: by default 数据不足.

        Halves are rounded away from zero, of the number as its first fifteen digits say it, as spreadsheets do: whatever the
        order in which it was added up (187.5 and 187.49999999999997 people are 188).
        """
        if not math.isfinite(self):
            return say("数据不足") if unknown is None else unknown
        text = format(self._rounded(spec) if spec[-1:] in ("f", "%") else float(self), spec)
        return text[1:] if text.startswith("-") and not text.strip("-0.,%") else text

    def _rounded(self, spec: str) -> Decimal:
        share = spec.endswith("%")
        step = Decimal(1).scaleb(-int(spec[:-1].rpartition(".")[2] or 6) - 2 * share)
        value = Decimal(f"{float(self):.15g}")
        value = value.quantize(step, ROUND_HALF_UP) if abs(value) < 1e15 else value
        return min(max(value, step), 1 - step) if share and 1e-9 < self < 1 - 1e-9 else value


def word(text: str) -> str:
    """Return a word of a table (a unit, a category); one that nobody has translated stays as it is."""
    words = english()["words"]
    return renamed(text if language() == "zh" else words[text]) if text in words else text


def counted(number: float, unit: str) -> str:
    """Return a unit as it is said of a number: in English one of a thing is singular."""
    return renamed(english()["one"].get(unit, unit)) if number == 1 else unit


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
def english() -> Mapping[str, Mapping[str, str]]:
    """Return the catalogue: `say` sentences, `words` of tables, `sheets` names and headers of the workbook."""
    text = importlib.resources.files(__package__).joinpath("english.json").read_text("utf-8")
    catalogue: dict[str, dict[str, str]] = json.loads(text)
    return catalogue


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
