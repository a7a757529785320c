"""
What each test costs in processor time, its children's included, and which unit tests cost more than they may.

Not time by the clock: on a busy machine that says nothing. `--times FILE` writes the whole table, what takes longest first.
`--trials PERCENT` shortens random trials: to a tenth for the quick tests, to three tenths for all of them, before a release not at all.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

#: Seconds that a unit test may take; more is for `--all`: mark it slow.
BUDGET_S = 0.25
#: Seconds that any other test may take of `--all`; more is for `--matrix`.
SLOW_BUDGET_S = 5
#: What may take longer still: whole programs and journeys, of which there is one case each.
LONGER = {
    "tests/app/test_batch.py::test_good_ones_are_done_a_broken_one_is_a_row_and_nothing_is_done_twice",
    "tests/core/test_secrecy.py::test_a_run_of_a_notebook_is_kept_with_its_mark_or_not_at_all",
    "tests/io/test_add.py::test_a_kill_at_any_moment_leaves_old_or_new",
    "tests/io/test_hostile.py::test_a_minute_of_damage",
    "tests/journeys/test_front_door.py::test_a_bundle_installs_without_a_network",
    "tests/journeys/test_lab.py::test_a_saved_notebook_shows_its_maps_trusted_or_not_and_without_a_kernel",
    "tests/journeys/test_notebooks.py::test_the_lines_of_the_tutorial_run",
    "tests/ledger/test_ledger.py::test_the_outputs_are_the_same_in_any_process",
    "tests/report/test_plans.py::test_the_pages_ask_once_for_each_state",
    "tests/report/test_unknown.py::test_no_output_says_nan_or_0_of_whom_nobody_counted",
    "tests/test_architecture.py::test_types",
}
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


def deal(items: Sequence[pytest.Item]) -> None:
    """Let one in so many cases of a test that is marked `one_in(so many)` run with all tests; the others are of the matrix."""
    met: Counter[str] = Counter()
    for item in items:
        names = {mark.name for mark in item.iter_markers()}
        if "one_in" in names and PATIENT & names and "matrix" not in names:
            function = item.nodeid.partition("[")[0]
            if met[function] % next(item.iter_markers("one_in")).args[0]:
                item.add_marker("matrix")
            met[function] += 1


#: When the present step of a test began, in processor time; the fixtures it made; inside which fixtures we are.
_BEGAN = [0.0]
_MADE: list[tuple[str, float]] = []
_INSIDE: list[float] = []
#: Seconds, step, test, and whether it may take longer: of all workers, where there are any.
_COSTS: list[tuple[float, str, str, bool]] = []


def trials(count: int) -> int:
    """Return how many examples a test of random cases tries: as many as it asks for, or with `--trials` a part of them."""
    return max(count * settings.default.max_examples // 100, 2)


def named_by(config: pytest.Config) -> set[str]:
    """Return the words of the expression that chooses tests by marks."""
    return set(re.findall(r"\w+", config.option.markexpr))


def spent() -> float:
    """Return the seconds of processor time of this process and of the children it waited for."""
    return sum(os.times()[:4])


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--times", metavar="FILE", help="write the processor time of every test and fixture to a table")
    shorter = "per cent of the random trials, but in packages that -m names"
    parser.addoption("--trials", type=int, default=100, metavar="PERCENT", help=shorter)


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
    calls = [(took, test, patient) for took, step, test, patient in costs if step == "call"]
    budgets = {
        f"unit tests over {BUDGET_S} s of processor time: mark them slow": [
            (took, test)
            for took, test, patient in calls
            if took > BUDGET_S and not patient and test.split("/")[1] not in named
        ],
        f"tests over {SLOW_BUDGET_S} s of processor time: shorten them, or let the matrix have them": [
            (took, test)
            for took, test, patient in calls
            if took > SLOW_BUDGET_S and patient and test.partition("[")[0] not in LONGER
        ],
    }
    for title, over in budgets.items():
        if over and config.option.trials < 100:
            terminalreporter.section(title)
            for took, test in over:
                terminalreporter.line(f"{took:6.2f} s  {test}")
    steps = [took for took, step, _, _ in costs if step in ("setup", "call", "teardown")]
    terminalreporter.line(f"{sum(steps):.0f} s of processor time in {len({cost[2] for cost in costs})} tests")
