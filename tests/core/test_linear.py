"""Every pattern that looks at a text takes time as that is long, whatever stands in it: no cell or name holds anybody up."""

from __future__ import annotations

import ast
import importlib
import re
import re._parser as parser  # type: ignore[import-not-found]
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clock import trials
from hypothesis import given, settings
from hypothesis import strategies as st

from xinhe_geo.core import without_brackets

PACKAGE = Path(__file__).resolve().parents[2] / "xinhe_geo"
LOOKS = {"search", "match", "fullmatch", "sub", "findall", "finditer", "split"}
#: What they look at is short: a name of a file, a mark (its length is judged first), the first bytes of a file, a header, our own words.
SHORT = {
    *("core/foreign.py", "core/secrecy_marks.py", "core/html.py", "core/i18n.py", "core/errors.py", "io/dxf.py"),
    *("io/headers.py", "io/cells.py:findall", "maps/scripts.py", "maps/html_map.py", "app/suite.py"),
    "core/validate.py:compile",  # `without_brackets`, below
}
LENGTH, SECONDS = 4_000, 0.05


def patterns() -> Iterator[tuple[str, re.Pattern[Any], set[str]]]:
    """Yield where each pattern of the package stands, the pattern, and in which ways it looks at a text."""
    for path in sorted(PACKAGE.rglob("*.py")):
        text, file = path.read_text("utf-8"), path.relative_to(PACKAGE).as_posix()
        tree = ast.parse(text)
        names = {id(n.value): ast.unparse(n.targets[0]) for n in ast.walk(tree) if isinstance(n, ast.Assign)}
        for call in (n for n in ast.walk(tree) if isinstance(n, ast.Call) and n.args):
            how = call.func.attr if isinstance(call.func, ast.Attribute) else ""
            if ast.unparse(call.func) != f"re.{how}" or {file, f"{file}:{how}"} & SHORT:
                continue
            name, where = names.get(id(call), ""), f"{file}:{call.lineno}"
            if isinstance(call.args[0], ast.Constant):
                flags = [a for a in (*call.args, *(k.value for k in call.keywords)) if ast.unparse(a).startswith("re.")]
                made = re.compile(call.args[0].value, sum(int(eval(ast.unparse(f), {"re": re})) for f in flags))
            else:  # put together of others
                made = getattr(importlib.import_module(f"xinhe_geo.{file[:-3].replace('/', '.')}"), name or "?", None)
            if made is not None:
                met = set(re.findall(rf"\b{name}\.(\w+)\b", text)) & LOOKS if how == "compile" else {how}
                yield where, made, met or LOOKS


_CATEGORIES = {parser.CATEGORY_DIGIT: "0", parser.CATEGORY_SPACE: " ", parser.CATEGORY_WORD: "a"}


def signs(part: Any) -> Iterator[str]:
    """Yield a sign of each kind that a pattern looks for, and the words that stand in it."""
    word = ""
    for kind, said in part:
        if str(kind) == "LITERAL":
            word += chr(said)
            yield chr(said)
            continue
        yield word
        word = ""
        if str(kind) == "IN":
            for what, which in said:
                yield {"RANGE": lambda s: chr(s[0]), "LITERAL": chr}.get(str(what), _CATEGORIES.get)(which) or "x"
        elif str(kind) in ("ANY", "NOT_LITERAL"):
            yield "x"
        inner = said if isinstance(said, list | tuple) else ()
        for piece in (*inner, *(p for i in inner if isinstance(i, list) for p in i)):
            if isinstance(piece, parser.SubPattern):
                yield from signs(piece)
    yield word


def slow(pattern: re.Pattern[Any], ways: set[str]) -> str:
    """Return a text of which a pattern makes more than it should, "" where there is none."""
    said = pattern.pattern
    some = sorted({*signs(parser.parse(said.decode("latin-1") if isinstance(said, bytes) else said)), " ", "0"} - {""})
    look = (
        re.Pattern.fullmatch if ways == {"fullmatch"} else re.Pattern.match if ways <= {"match", "fullmatch"} else None
    )
    for one in some[:30]:
        for end in ("!", ""):
            text = one * (LENGTH // len(one)) + end
            given = text.encode("utf-8") if isinstance(said, bytes) else text
            start = time.thread_time()
            look(pattern, given) if look else [*pattern.finditer(given)]
            if time.thread_time() - start > SECONDS:
                return text[:10]
    return ""


@pytest.mark.slow
def test_no_text_holds_a_pattern_up() -> None:
    assert not [(place, text) for place, pattern, ways in patterns() if (text := slow(pattern, ways))]


def test_one_that_would_is_found() -> None:
    assert slow(re.compile(r"[（(].*?[)）]"), {"sub"}) and slow(re.compile(r"(\d+\.?\d*|\.\d+)"), {"fullmatch"})
    assert not slow(re.compile(r"(\d+(\.\d*)?|\.\d+)"), {"fullmatch"}) and not slow(re.compile(r"\s+"), {"sub"})


@settings(max_examples=trials(100))
@given(st.text("(（)）a甲 ", max_size=12))
def test_what_stands_in_brackets_goes_as_it_did(text: str) -> None:
    assert without_brackets(text) == re.sub(r"[（(].*?[)）]", "", text)


@pytest.mark.parametrize("text", ["（" * 300_000, "（" * 300_000 + ")", "(a)" * 100_000 + "("])
def test_brackets_that_nothing_closes_take_no_time(text: str) -> None:
    start = time.thread_time()
    assert len(without_brackets(text)) in (0, 1, 300_000)
    assert time.thread_time() - start < 1
