"""The changes that `tools/mutate.py` makes keep up with the code, and are what they say."""

from __future__ import annotations

import ast
import importlib.util
import json
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = """
def f(a, b):
    '''Say 1 + 1.'''
    if not a and b <= 2:  # 丙
        return (a + b) * 3
    return "甲" + "乙"
"""


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("mutate", ROOT / "tools" / "mutate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["mutate"] = module
    spec.loader.exec_module(module)
    return module


def test_every_change_of_a_small_file(tool: ModuleType) -> None:
    """By hand: an operator or a number where it stands, in bytes; neither what is said nor what is joined of words."""
    finder = tool.Finder("x/y.py", SOURCE.encode())
    finder.visit(ast.parse(SOURCE))
    found = [
        (finder.source[: m.start] + m.new.encode() + finder.source[m.end :]).decode().splitlines()[m.line - 1].strip()
        for m in finder.found
    ]
    assert sorted(found) == [
        "if a and b <= 2:  # 丙",
        "if not a and b < 2:  # 丙",
        "if not a and b <= 3:  # 丙",
        "if not a or b <= 2:  # 丙",
        "return (a + b) * 4",
        "return (a + b) / 3",
        "return (a - b) * 3",
    ]


@pytest.mark.slow
def test_sixty_of_five_packages_and_those_that_are_known(tool: ModuleType) -> None:
    chosen = tool.chosen(1, 60)
    assert len(set(chosen)) == 60 and set(Counter(m.package for m in chosen).values()) == {12}
    assert {(m.file, m.words) for m in chosen} >= tool.KNOWN
    for mutant in chosen:
        assert tool.planted(mutant) != (ROOT / "xinhe_geo" / mutant.file).read_bytes()
        ast.parse(tool.planted(mutant))


def test_tests_that_call_the_function_are_asked_and_the_cheap_first(tool: ModuleType) -> None:
    """Of a compiled loop nobody knows who calls it: then all of the package."""
    first, second, third, other = (
        f"tests/{where}"
        for where in (
            "access/test_coverage.py::test_a",
            "access/test_coverage.py::test_b",
            "access/test_coverage.py::test_c",
            "io/test_add.py::test_d",
        )
    )
    called = ["access/coverage.py _presence"]
    costs = {
        first: (0.4, called),
        second: (0.1, called),
        third: (0.2, ["access/coverage.py other"]),
        other: (0.1, called),
    }
    mutant = tool.Mutant("constant", "access/coverage.py", 1, 0, 1, "2", "_presence: 1 in x + 1")
    assert tool.tests_of(mutant, costs) == [second, first]
    assert tool.tests_of(mutant._replace(words="loop: 1 in x + 1"), costs) == [second, third, first]


def test_what_a_file_lacks_of_a_package_is_learnt(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list of one package says nothing of another: with no test to ask, every change there would seem to be noticed, or none."""
    asked: list[list[str]] = []

    def run(_copy: Path, tests: list[str], *options: str) -> str:
        asked.append(tests)
        Path(options[1]).write_text(json.dumps({f"{folder}/test_x.py::test_a": [0.1, []] for folder in tests}), "utf-8")
        return ""

    monkeypatch.setattr(tool, "first_failure", run)
    file = tmp_path / "learnt.json"
    for packages in (["tests/access"], ["tests/access", "tests/io"], ["tests/io"]):
        costs = tool.learnt_of(tmp_path, packages, file)
        assert all(any(test.startswith(f"{folder}/") for test in costs) for folder in packages)
    assert asked == [["tests/access"], ["tests/io"]] and list(tmp_path.iterdir()) == [file]
    monkeypatch.setattr(tool, "first_failure", lambda *_: "test_x.py::test_a")
    with pytest.raises(SystemExit, match="test_x"):
        tool.learnt_of(tmp_path, ["tests/ledger"], file)
