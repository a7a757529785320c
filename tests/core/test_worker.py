"""The second process: the same answers as without it, and the same failures."""

from __future__ import annotations

import math
import operator
import os
import pickle
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

import xinhe_geo as xh
from xinhe_geo.core import progress
from xinhe_geo.core import worker as _aside
from xinhe_geo.core.worker import Worker

TOY = Path(__file__).parents[1] / "toy"


@pytest.fixture(params=["fork", "fresh"])
def two(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Two processors, and either way in which the other process comes about."""
    if request.param == "fork" and sys.platform != "linux":
        pytest.skip("forks are for Linux")
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(_aside, "_may_fork", lambda: request.param == "fork")
    return str(request.param)


def begun(aside: Worker) -> None:
    """Wait until the other process has been given all that was handed over, so that none of it is done here."""
    with aside._news:
        assert aside._news.wait_for(lambda: not aside._due, timeout=60)


def test_answers_come_in_any_order_and_failures_are_met_here(two: str) -> None:
    with Worker(processes=2) as aside:
        wrong, large, pid = aside(math.sqrt, -1.0), aside(bytes, 1 << 22), aside(os.getpid)
        begun(aside)
        assert pid() == aside.pid != os.getpid()
        assert len(large()) == 1 << 22
        with pytest.raises(ValueError, match=r"math domain|nonnegative"):
            wrong()
        last = aside(os.getpid)
        assert aside.pid is not None
        os.kill(aside.pid, signal.SIGTERM)
        assert last() in (os.getpid(), pid())  # whoever did it: there is an answer
        assert aside(os.getpid)() == os.getpid()


def _told() -> int:
    with progress.work("x", 1) as step:
        step("y")
    return os.getpid()


@pytest.mark.slow
def test_a_copy_of_this_process_tells_nobody_and_leaves_nothing(two: str, capfd: pytest.CaptureFixture[str]) -> None:
    heard: list[str] = []
    with progress.listening(lambda what, share: heard.append(what)), Worker(processes=2) as aside:
        print("before", end="")  # not flushed yet: must not be written by both
        told, noise = aside(_told), aside(print, "noise")
        begun(aside)
        assert told() == aside.pid != os.getpid()
        noise()
        pid = aside.pid
    assert heard == []
    assert capfd.readouterr().out == "before"
    with pytest.raises(ChildProcessError):  # it has ended, and been waited for
        os.waitpid(pid, os.WNOHANG)


def test_other_threads_mean_a_fresh_interpreter() -> None:
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    try:
        assert not _aside._may_fork()
    finally:
        end.set()
        thread.join()


def test_what_is_handed_over_again_travels_once(two: str) -> None:
    kept, other = [[1, 2], [1, 2]]
    with Worker(processes=2) as aside:
        first, again, both = aside(id, kept), aside(id, kept), aside(operator.is_, kept, other)
        begun(aside)
        assert first() == again()  # the very object, not a copy of it
        assert not both()
        sizes = [aside(len, kept), aside(len, other)]
        begun(aside)
        assert [size() for size in sizes] == [2, 2]
        assert len(aside._held) == 2


def _holds(holder: list[object], kept: object) -> bool:
    return holder[0] is kept


@pytest.mark.slow
def test_what_is_held_is_not_sent_again_within_something_else(two: str) -> None:
    """An analysis holds its district: the other process must find the district it knows in it, with what it has derived."""
    kept = [1, 2]
    holder = [kept, None, "x"]
    outer = [holder]
    with Worker(processes=2) as aside:
        told = [aside(len, kept), aside(_holds, holder, kept), aside(_holds, outer, holder)]
        begun(aside)
        assert [tell() for tell in told] == [2, True, True]


def _until(end: str) -> int:
    while not Path(end).exists():
        time.sleep(0.01)
    return os.getpid()


@pytest.mark.slow
def test_what_the_other_has_not_begun_is_done_here(two: str, tmp_path: Path) -> None:
    end = tmp_path / "end"
    with Worker(processes=2) as aside:
        busy, first, last = aside(_until, str(end)), aside(os.getpid), aside(os.getpid)
        assert last() == os.getpid()  # else it would wait for ever
        end.touch()
        begun(aside)
        assert busy() == first() == aside.pid
        pid = aside.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.slow
def test_another_one_beside_it_is_a_fork_or_itself(two: str, tmp_path: Path) -> None:
    end = tmp_path / "end"
    with Worker(processes=2) as aside, aside.beside() as early:
        assert (early is aside) == (two == "fresh")
        busy = early(_until, str(end))
        pid = aside(os.getpid)
        end.touch()
        begun(aside)
        assert pid() == aside.pid
        assert busy() == early.pid
    with Worker(processes=1) as aside, aside.beside() as early:
        assert early is aside


def test_one_process_does_it_itself() -> None:
    with Worker(processes=1) as aside:
        assert aside(os.getpid)() == os.getpid()


def test_a_district_and_its_network_travel() -> None:
    district = xh.District.load(TOY)
    district.network  # noqa: B018  (goes along where it is there)
    copy = pickle.loads(pickle.dumps(district))
    assert copy.network.edges.equals(district.network.edges)
    assert copy.manifest == district.manifest and not copy.memo
    assert xh.coverage(copy).equals(xh.coverage(district))
    with pytest.raises(TypeError):
        copy.manifest["name"] = "x"
