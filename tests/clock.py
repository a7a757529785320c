"""
What each test costs in processor time, its children's included, and which unit tests cost more than they may.

Not time by the clock: on a busy machine that says nothing. `--times FILE` writes the whole table, what takes longest first.
`--few` makes random trials a tenth of what they are, so that they may be unit tests; with all tests they have their length.
"""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

#: Seconds that a unit test may take; more is for `--all`: mark it slow.
BUDGET_S = 0.25
#: What may take longer.
PATIENT = {"slow", "browser", "matrix", "journey"}

#: Long trials: `--all` has the first twelfth of what is proven before a release.
A_PART_OR_ALL = [pytest.param(12, id="first twelfth"), pytest.param(1, id="all", marks=pytest.mark.matrix)]


def seeds(quick: int, slow: int, most: int) -> list[Any]:
    """Return the seeds of random trials: so many for the quick tests, up to `slow` for all tests, up to `most` before a release."""
    return [
        *range(quick),
        *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(quick, slow)),
        *(pytest.param(seed, marks=pytest.mark.matrix) for seed in range(slow, most)),
    ]


def one_in(step: int, values: Iterable[Any]) -> list[Any]:
    """Return what a test is tried on: one of so many with all tests, the others before a release."""
    return [v if at % step == 0 else pytest.param(v, marks=pytest.mark.matrix) for at, v in enumerate(values)]


#: When the present step of a test began, in processor time; the fixtures it made; inside which fixtures we are.
_BEGAN = [0.0]
_MADE: list[tuple[str, float]] = []
_INSIDE: list[float] = []
#: Seconds, step, test, and whether it may take longer: of all workers, where there are any.
_COSTS: list[tuple[float, str, str, bool]] = []


def trials(count: int) -> int:
    """Return how many examples a test of random cases tries: as many as it asks for, with `--few` a tenth of them."""
    return max(count * settings.default.max_examples // 100, 2)


def named_by(config: pytest.Config) -> set[str]:
    """Return the words of the expression that chooses tests by marks."""
    return set(re.findall(r"\w+", config.option.markexpr))


def spent() -> float:
    """Return the seconds of processor time of this process and of the children it waited for."""
    return sum(os.times()[:4])


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--times", metavar="FILE", help="write the processor time of every test and fixture to a table")
    parser.addoption("--few", action="store_true", help="a tenth of the random trials, but in packages that -m names")


def pytest_runtest_logstart() -> None:
    _BEGAN[0] = spent()


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: Any) -> Generator[None, object, object]:
    """Count what a fixture costs, without those it asks for."""
    began = spent()
    _INSIDE.append(0.0)
    try:
        return (yield)
    finally:
        took = spent() - began
        _MADE.append((fixturedef.argname, took - _INSIDE.pop()))
        if _INSIDE:
            _INSIDE[-1] += took


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the cost of this step on its report, which is how it gets from a worker to where all is told."""
    report = yield
    now = spent()
    report.user_properties.append(("processor_s", round(now - _BEGAN[0], 3)))
    report.user_properties += [(f"made {name}", round(took, 3)) for name, took in _MADE if took >= 0.01]
    _MADE.clear()
    _BEGAN[0] = now
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    patient = bool(PATIENT & set(report.keywords))
    for what, took in report.user_properties:
        step = report.when if what == "processor_s" else what
        if step is not None and isinstance(took, float):
            _COSTS.append((took, step, report.nodeid, patient))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Name the unit tests that cost more than they may; what is made for a whole file is not theirs."""
    named = named_by(config)  # being changed: with all their trials
    costs = sorted(_COSTS, key=lambda cost: (-cost[0], cost[1:]))
    if config.option.times:
        lines = [f"{took}\t{step}\t{test}\t{'patient' * patient}\n" for took, step, test, patient in costs]
        Path(config.option.times).write_text("".join(lines), "utf-8")
    over = [
        (took, test)
        for took, step, test, patient in costs
        if step == "call" and took > BUDGET_S and not patient and test.split("/")[1] not in named
    ]
    if over and config.option.few:
        terminalreporter.section(f"unit tests over {BUDGET_S} s of processor time: mark them slow")
        for took, test in over:
            terminalreporter.line(f"{took:6.2f} s  {test}")
    steps = [took for took, step, _, _ in costs if step in ("setup", "call", "teardown")]
    terminalreporter.line(f"{sum(steps):.0f} s of processor time in {len({cost[2] for cost in costs})} tests")
