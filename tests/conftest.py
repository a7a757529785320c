"""What every test may use: the reference files beside the checkout, and a browser."""

from __future__ import annotations

import gc
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from clock import (  # hooks, which pytest finds here by their names
    deal,
    named_by,
    pytest_addoption,
    pytest_fixture_setup,
    pytest_runtest_logreport,
    pytest_runtest_logstart,
    pytest_runtest_makereport,
    pytest_terminal_summary,
)
from hypothesis import HealthCheck, settings

from run import take_lock

__all__ = [
    "pytest_addoption",
    "pytest_fixture_setup",
    "pytest_runtest_logreport",
    "pytest_runtest_logstart",
    "pytest_runtest_makereport",
    "pytest_terminal_summary",
]

ROOT = Path(__file__).resolve().parents[1]

# As the command line has it; notebooks, whose kernels know nothing of this file, run with pandas' own choice.
pd.set_option("mode.string_storage", "python")

# The same examples on every run, and no deadline: a busy machine is not a wrong result.
settings.register_profile(
    "xinhe", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("xinhe")


#: Seconds, as once measured, of what takes longest: a file, or a test that shares nothing with its file. Those that wait for browsers
#: and servers lie apart, so that never two of three workers wait; so do those that read the bundled report, which the first of them makes.
LONGEST = {
    "tests/report/test_english.py": 50,
    "tests/journeys/test_lab.py": 49,
    "tests/io/test_hostile.py": 48,
    "tests/io/test_add.py": 42,
    "tests/browser/test_payloads.py": 40,
    "tests/io/test_hostile.py::test_a_minute_of_damage": 36,
    "tests/siting/test_siting.py": 34,
    "tests/journeys/test_kills.py::test_three_points": 12,
    "tests/browser/test_meeting.py": 32,
    "tests/journeys/test_notebooks.py": 31,
    "tests/journeys/test_front_door.py": 29,
    "tests/district/test_received.py": 28,
    "tests/app/test_spoken_commands.py": 27,
    "tests/browser/test_all_pages.py": 26,
    "tests/test_architecture.py::test_types": 25,
    "tests/journeys/test_secret_district.py": 24,
    "tests/ledger/test_every_row.py": 23,
    "tests/app/test_cli.py": 22,
    "tests/ledger/test_ledger.py": 21,
    "tests/io/test_year_list.py": 20,
    "tests/ledger/test_rulebook.py": 20,
    "tests/app/test_batch.py": 19,
    "tests/district/test_scenario.py": 18,
    "tests/core/test_secrecy.py": 18,
    "tests/renewal/test_bad_projects.py": 17,
    "tests/report/test_plans.py": 17,
    "tests/report/test_across_documents.py": 17,
    "tests/io/test_likeness.py": 16,
    "tests/report/test_word.py": 16,
    "tests/report/test_sheet.py": 15,
    "tests/io/test_local_plane.py": 15,
    "tests/district/test_spoken.py": 14,
    "tests/district/test_district.py": 14,
    "tests/oracle/test_oracle.py": 14,
    "tests/renewal/test_balance.py": 13,
    "tests/io/test_osm_apart.py": 13,
    "tests/test_architecture.py": 12,
    "tests/network/test_network.py": 12,
    "tests/maps/test_maps.py": 11,
    "tests/report/test_english_comparison.py": 11,
    "tests/report/test_parcel_pages.py": 11,
    "tests/io/test_osm_import.py": 10,
    "tests/report/test_unknown.py": 10,
    "tests/io/test_any_osm_file.py": 10,
    "tests/test_bundled_data.py": 9,
    "tests/journeys/test_extras.py": 9,
}


def unit_of(nodeid: str) -> str:
    """Return what one worker does as a whole: a file, whose tests share what is costly to make, or a test of its own."""
    function = nodeid.partition("[")[0]
    return nodeid if function in LONGEST else nodeid.partition("::")[0]


def seconds_of(nodeid: str) -> int:
    return LONGEST.get(nodeid.partition("[")[0]) or LONGEST.get(nodeid.partition("::")[0], 0)


#: The packages of the library; the tests of each are in a folder of its name.
PACKAGES = sorted(path.parent.name for path in (ROOT / "xinhe_geo").glob("*/__init__.py"))


def pytest_configure(config: pytest.Config) -> None:
    for name in PACKAGES:
        config.addinivalue_line("markers", f"{name}: in tests/{name}")
    settings.register_profile("few", settings.get_profile("xinhe"), max_examples=config.option.trials)


def pytest_make_collect_report(collector: pytest.Collector) -> None:
    """Let random trials be as few as `--trials` says, but not in packages that `-m` names: it is these that are being changed."""
    if isinstance(collector, pytest.Module):
        few = collector.path.parent.name not in named_by(collector.config)
        settings.load_profile("few" if few else "xinhe")


@pytest.hookimpl(tryfirst=True)  # before pytest chooses by marks
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """
    Mark each test with its package, by which `-m` can ask for it.

    Begin with what takes longest where workers share the tests, so that none has a long file left at the end.
    """
    for item in items:
        folder = item.path.parent.name
        if folder in PACKAGES:
            item.add_marker(folder)
    if not any("::" in argument for argument in config.args):  # a test that is asked for by name has all its cases
        deal(items)
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: -seconds_of(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Hand out the tests in the order they were put in; xdist itself begins with the files of the most tests."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class LongestFirst(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return unit_of(nodeid)

    config.option.loadscopereorder = False
    return LongestFirst(config, log)


def pytest_collection_finish() -> None:
    """Look for garbage as seldom as the command itself does."""
    # Otherwise a quarter of the processor time goes into looking through pandas, matplotlib and the tests, again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 50)


@pytest.fixture(scope="session", autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What the program keeps outside folders goes to a place of the tests, and so it does in processes they start."""
    with pytest.MonkeyPatch.context() as patch:
        for variable in ("XDG_STATE_HOME", "LOCALAPPDATA"):
            patch.setenv(variable, str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_waiting_for_the_disk() -> Iterator[None]:
    """Nobody pulls the plug on tests: a file that is to be safe is still told so, open as it must be, and nobody waits for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", os.fstat)
        yield


@pytest.fixture(scope="session", autouse=True)
def _loaded(request: pytest.FixtureRequest) -> None:
    """A worker loads what nearly every test needs, compiled loops too, before the first of them, whose cost it is not."""
    if hasattr(request.config, "workerinput"):
        import xinhe_geo

        xinhe_geo.coverage(xinhe_geo.District.load(ROOT / "tests" / "toy"))


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], object]], Path]:
    """
    Return what makes a folder once per run, whichever worker asks first: `once("name", lambda folder: ...)`.

    For what is costly and read by tests of several files; nobody writes into it.
    """
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "once"
    shared.mkdir(exist_ok=True)

    def made(name: str, make: Callable[[Path], object]) -> Path:
        whole, part = shared / name, shared / f"{name}.part"
        with open(shared / f"{name}.lock", "ab") as lock:  # the system frees it when a worker dies
            while not take_lock(lock.fileno()):
                time.sleep(0.1)
            if not whole.exists():
                shutil.rmtree(part, ignore_errors=True)
                part.mkdir()
                make(part)
                part.rename(whole)
        return whole

    return made


@pytest.fixture(scope="session")
def bundled_reports(once: Callable[[str, Callable[[Path], object]], Path]) -> Path:
    """Return a folder with the report of the bundled district in `zh` and `en`; in `lead.pkl` what `brief` returned for the first."""
    import xinhe_geo

    def make(folder: Path) -> None:
        district = xinhe_geo.District.load()
        xinhe_geo.brief(district, folder / "zh").to_pickle(folder / "lead.pkl")
        xinhe_geo.brief(district, folder / "en", lang="en")

    return once("reports", make)


@pytest.fixture(scope="session")
def toy_report(once: Callable[[str, Callable[[Path], object]], Path]) -> Path:
    """Return the report of the district of five homes."""
    import xinhe_geo

    def make(folder: Path) -> None:
        xinhe_geo.brief(xinhe_geo.District.load(ROOT / "tests" / "toy"), folder / "output")

    return once("toy", make) / "output"


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the checkout's folder."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of reference files and real extracts beside the checkout; skip where there is none."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("no reference files (../shared) beside this checkout")
    return folder


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Return a headless Chromium (the system's own) that makes no requests by itself."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium on this machine")
    from playwright.sync_api import sync_playwright

    quiet = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
    quiet += ["--disable-component-update", "--disable-sync"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        quiet.append("--no-sandbox")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=quiet)
        yield browser
        browser.close()


@pytest.fixture
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a Dask scheduler and two workers as someone else would, from the command line; give its address."""
    distributed = pytest.importorskip("distributed")
    folder = tmp_path_factory.mktemp("dask")
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    said = folder / "scheduler.json"
    options = ["--scheduler-file", str(said), "--no-dashboard"]
    with open(folder / "log", "w") as log:

        def start(*arguments: str) -> subprocess.Popen[bytes]:
            command = [sys.executable, "-m", "dask", *arguments, *options]
            return subprocess.Popen(command, env=env, cwd=folder, stdout=log, stderr=log)

        started = [start("scheduler", "--host", "127.0.0.1", "--port", "0")]
        try:
            until = time.monotonic() + 300
            while not said.exists() and time.monotonic() < until:
                time.sleep(0.1)
            started += [start("worker", "--host", "127.0.0.1", "--nthreads", "1") for _ in range(2)]
            address = str(json.loads(said.read_text("utf-8"))["address"])
            with distributed.Client(
                address, timeout=300
            ) as client:  # on a busy machine they need longer than a planner would wait
                client.wait_for_workers(2, timeout=300)
            yield address
        finally:
            for process in reversed(started):
                process.terminate()
                process.wait(60)
