"""
Sentences in the language that is spoken: what every other module says something by.

They stand in the code in Chinese, as templates; `english.json` has each of them in English, and the words that come from tables
(units, categories). Which language is spoken, and by whom it is chosen: `i18n`.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
import math
import re
from collections.abc import Mapping
from contextvars import ContextVar
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from .shipped import as_typed

#: The language that is spoken: "zh" or "en".
LANGUAGE = ContextVar("language", default="zh")
#: Whether those who live somewhere are counted by cells of a grid, and not by the compounds they live in.
CELLS = ContextVar("cells", default=False)


def language() -> str:
    """Return the language that is spoken."""
    return LANGUAGE.get()


def say(sentence: str, *values: object) -> str:
    """Return a sentence with its values, in the language that is spoken, with the commands that exist here; it must stand in the catalogue."""
    if not values:
        return as_typed(_said(sentence, LANGUAGE.get(), CELLS.get()))
    shown = [Figure(value) if isinstance(value, float) else value for value in values]
    own = sentence if LANGUAGE.get() == "zh" else agreeing(english()["say"][sentence], *shown)
    return tight(as_typed(renamed(own)).format(*shown))


@functools.cache
def _said(sentence: str, language: str, cells: bool) -> str:
    """Return a sentence without values, made once for as long as it is said in one language of homes that are called the same."""
    return tight(renamed(sentence if language == "zh" else agreeing(english()["say"][sentence])).format())


#: Chinese marks bring their own room: no space stands beside them.
_LOOSE = re.compile(r" (?:(?<=[《（「、，。；：！？）》」] ) *(?=\S)|(?<=\S ) *(?=[《（「、，。；：！？）》」]))")


def tight(text: str) -> str:
    """Return a text without spaces beside Chinese marks, where Chinese is spoken: what joins words and names cannot know what they begin with."""
    return _LOOSE.sub("", text) if " " in text and language() == "zh" else text


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
        order in which it was added up (187.5 and 187.49999999999997 people are 188). What is written for people to read (with a
        sign, thousands or as a share) has a minus that no line ends behind; coordinates, which are typed again, have a hyphen.
        """
        if not math.isfinite(self):
            return say("数据不足") if unknown is None else unknown
        text = format(self._rounded(spec) if spec[-1:] in ("f", "%") else float(self), spec)
        if "-" not in text:
            return text
        text = text[1:] if text.startswith("-") and not text.strip("-0.,%") else text
        return text.replace("-", "−") if {*spec} & {*",+%"} else text

    def _rounded(self, spec: str) -> Decimal | float:
        share, digits = _digits(spec)
        steps = abs(self) * 10.0**digits
        # far from a half, and from what would be none or all of it: any rounding says the same
        if (1.0 <= steps <= 10.0**digits - 1.0 or not share) and steps < 1e9 and abs(steps % 1.0 - 0.5) > 1e-4:
            return float(self)
        step = Decimal(1).scaleb(-digits)
        value = Decimal(f"{float(self):.15g}")
        value = value.quantize(step, ROUND_HALF_UP) if abs(value) < 1e15 else value
        return min(max(value, step), 1 - step) if share and 1e-9 < self < 1 - 1e-9 else value


@functools.cache
def _digits(spec: str) -> tuple[bool, int]:
    """Return whether a format is that of a share, and how many digits of the number itself it shows."""
    share = spec.endswith("%")
    return share, int(spec[:-1].rpartition(".")[2] or 6) + 2 * share


def word(text: str) -> str:
    """Return a word of a table (a unit, a category); one that nobody has translated stays as it is."""
    words = english()["words"]
    return renamed(text if language() == "zh" else words[text]) if text in words else text


def thing(text: str) -> str:
    """Return what a thing is called of which there is none by a name; one that nobody has translated stays as it is."""
    return renamed(text if language() == "zh" else english()["things"].get(text, text))


def cell(row: Mapping[str, Any], column: str) -> str:
    """Return a cell in the language that is spoken, where the table has it in that language (`label_en` beside `label`)."""
    said = row.get(f"{column}_en") if language() == "en" else None
    return said if isinstance(said, str) and said else str(row[column])


def counted(number: float, unit: str) -> str:
    """Return a unit as it is said of a number: in English one of a thing is singular."""
    return renamed(english()["one"].get(unit, unit)) if number == 1 else unit


@functools.cache
def english() -> Mapping[str, Mapping[str, str]]:
    """Return the catalogue: `say` sentences, `words` of tables, `sheets` names and headers of the workbook, `things` that are named, `help`."""
    text = importlib.resources.files(__package__).joinpath("english.json").read_text("utf-8")
    catalogue: dict[str, dict[str, str]] = json.loads(text)
    return catalogue


#: What homes are called where they are cells; not in names of options, files and placeholders.
_HOME = re.compile(r"(?<![-{\w.])([Hh])ome(s?)(?![\w=}]|\.\w)")


def renamed(text: str) -> str:
    """Return a text of ours in which homes are called what they are in the district that is spoken of."""
    if not CELLS.get():
        return text
    return _HOME.sub(lambda m: f"{'C' if m[1] == 'H' else 'c'}ell{m[2]}", text.replace("小区", "格网单元"))
