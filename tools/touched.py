"""
A pytest plugin: which test calls which function of the library, and in what order to ask them.

`--touched FILE` writes for every test its seconds of processor time and the functions called in it (those of fixtures that a
whole file shares count for each of its tests); compiled loops are not seen. `--asked FILE` runs tests in the order of a list.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections import defaultdict
from collections.abc import Generator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

LIBRARY = f"{os.sep}xinhe_geo{os.sep}"
#: What was called since the present test, or the present fixture of a whole file, began.
_CALLED: list[set[CodeType]] = [set()]
_SHARED: dict[str, set[CodeType]] = defaultdict(set)
_TESTS: dict[str, tuple[float, list[str]]] = {}


def name_of(code: CodeType) -> str:
    """Return the file below the library and the function, without what stands inside it."""
    return f"{Path(code.co_filename.rpartition(LIBRARY)[2]).as_posix()} {code.co_qualname.partition('.<')[0]}"


def note(frame: FrameType, _event: str, _argument: object) -> None:
    _CALLED[-1].add(frame.f_code)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--touched", metavar="FILE", help="write what each test calls")
    parser.addoption("--asked", metavar="FILE", help="run the tests of this list, in its order")


def pytest_configure(config: pytest.Config) -> None:
    if config.option.touched:
        threading.settrace(note)
        sys.settrace(note)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    _CALLED[:] = [set()]
    began = sum(os.times()[:4])
    try:
        return (yield)
    finally:
        called = _CALLED[0] | _SHARED[item.path.name]
        names = sorted({name_of(code) for code in called if LIBRARY in code.co_filename})
        _TESTS[item.nodeid] = (round(sum(os.times()[:4]) - began, 3), names)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: Any, request: pytest.FixtureRequest) -> Generator[None, object, object]:
    _CALLED.append(set())
    try:
        return (yield)
    finally:
        called = _CALLED.pop()
        _CALLED[-1] |= called
        if fixturedef.scope != "function":
            _SHARED[request.node.nodeid.rpartition("/")[2]] |= called


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.option.asked:
        order = {test: place for place, test in enumerate(json.loads(Path(config.option.asked).read_text("utf-8")))}
        items[:] = sorted((item for item in items if item.nodeid in order), key=lambda item: order[item.nodeid])


def pytest_sessionfinish(session: pytest.Session) -> None:
    sys.settrace(None)
    if session.config.option.touched:
        Path(session.config.option.touched).write_text(json.dumps(_TESTS), "utf-8")
