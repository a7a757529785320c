"""A script of ours in the language that is spoken: its texts stand in it in Chinese and are put over before it goes into a page."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from typing import NamedTuple

from ..core import as_typed, by_cells, english, language, renamed

_HAN = re.compile(r"[\u3001-\u303f\u3400-\u9fff\uff00-\uffef]")
#: What a script is made of, as far as texts are concerned; a slash after one of these signs begins a pattern.
_PART = re.compile(
    r"""//[^\n]* | /\*.*?\*/ | (?<=[(,=:\[!&|?{};])\s*/(?![/*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n\[])+/
    | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*' | (?P<template>`) | (?P<open>\{) | (?P<close>\})""",
    re.VERBOSE | re.DOTALL,
)


class _Text(NamedTuple):
    """A text of a script: where it stands, its sentence with {0}, {1} … for what is worked out, and the code of those."""

    start: int
    end: int
    sentence: str
    values: tuple[str, ...]


def spoken_script(script: str) -> str:
    """
    Return a script whose texts are in the language that is spoken.

    Raises
    ------
    KeyError
        A text that stands in no catalogue.
    """
    return as_typed(renamed(script) if language() == "zh" else _english(script, by_cells()))


@functools.cache
def _english(script: str, cells: bool) -> str:
    """Return a script in English; `cells` says for which of the two names of homes it is kept."""
    catalogue, parts, at = english()["scripts"], [], 0
    for text in _texts(script):
        parts.append(script[at : text.start])
        parts.append(
            _literal(renamed(catalogue[text.sentence]), text.values, cells)
            if _HAN.search(text.sentence)
            else _literal(text.sentence, text.values, cells)
        )
        at = text.end
    return "".join([*parts, script[at:]])


def sentences(script: str) -> list[str]:
    """Return the Chinese texts of a script, as the catalogue has them."""
    found = []
    for text in _texts(script):
        found += [text.sentence] if _HAN.search(text.sentence) else []
        found += [own for value in text.values for own in sentences(value)]
    return found


def _literal(said: str, values: tuple[str, ...], cells: bool) -> str:
    """Return a text as code; what is worked out stands where its number stands, and words agree with it (`core.agreeing`)."""
    if not values:
        return json.dumps(said, ensure_ascii=False)
    plain = said.replace("\\", "\\\\").replace("`", "\\`").replace("${", "\\${")

    def code(found: re.Match[str]) -> str:
        own = _english(values[int(found[1])], cells)
        if found[2] is None:
            return "${" + own + "}"
        return f'${{String({own}) === "1" ? {json.dumps(found[2])} : {json.dumps(found[3])}}}'

    return "`" + re.sub(r"\{(\d)(?::([^{}|]*)\|([^{}|]*))?\}", code, plain) + "`"


def _texts(script: str) -> Iterator[_Text]:
    """Yield strings with Chinese in them and all templates, in order; what stands in a template's values belongs to it."""
    at = 0
    while (part := _PART.search(script, at)) is not None:
        at = part.end()
        if part.group("template"):
            text = _template(script, part.start())
            at = text.end
            if _HAN.search(script[text.start : text.end]):
                yield text
        elif part.group()[0] in "\"'" and _HAN.search(part.group()):
            yield _Text(part.start(), part.end(), _unquoted(part.group()), ())


def _unquoted(literal: str) -> str:
    body = literal[1:-1]
    return str(json.loads('"' + body.replace("\\'", "'").replace('"', '\\"' if literal[0] == "'" else '"') + '"'))


def _template(script: str, start: int) -> _Text:
    """Return the template that begins at a place."""
    values: list[str] = []
    at, words = start + 1, ""
    while script[at] != "`":
        if script.startswith("${", at):
            end = _closing(script, at + 2)
            words += f"{{{len(values)}}}"
            values.append(script[at + 2 : end])
            at = end + 1
        else:
            step = 2 if script[at] == "\\" else 1
            words += {"\\n": "\n", "\\`": "`"}.get(script[at : at + step], script[at : at + step])
            at += step
    return _Text(start, at + 1, words, tuple(values))


def _closing(script: str, start: int) -> int:
    """Return where the brace closes that was opened before a place."""
    depth, at = 0, start
    while True:
        part = _PART.search(script, at)
        assert part is not None
        at = part.end()
        if part.group("template"):
            at = _template(script, part.start()).end
        elif part.group("open"):
            depth += 1
        elif part.group("close"):
            if depth == 0:
                return part.start()
            depth -= 1
