"""The second process: the same answers as without it, and the same failures."""

from __future__ import annotations

import asyncio
import math
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import xinhe_geo as xh
from xinhe_geo.core import progress, worker
from xinhe_geo.core.worker import Worker, alone

TOY = Path(__file__).parents[1] / "toy"


@pytest.fixture(params=["fork", "fresh"])
def two(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Two processors, and either way in which the other process comes about."""
    if request.param == "fork" and sys.platform != "linux":
        pytest.skip("forks are for Linux")
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(worker, "_may_fork", lambda: request.param == "fork")
    return str(request.param)


@pytest.mark.slow
@pytest.mark.one_in(2)
def test_answers_come_in_any_order_and_failures_are_met_here(two: str) -> None:
    with Worker(processes=2) as aside:
        there = _taken(aside, os.getpid)
        assert there != os.getpid()
        wrong, large = aside(math.sqrt, -1.0), aside(bytes, 1 << 22)
        assert len(large()) == 1 << 22
        with pytest.raises(ValueError, match=r"math domain|nonnegative"):
            wrong()
        last = aside(_where, 0.0)
        os.kill(there, signal.SIGTERM)
        assert last() in (os.getpid(), there)  # whoever did it: there is an answer
        assert aside(_where, 0.0)() == os.getpid()
    assert aside(_where, 0.0)() == os.getpid()


def _where(wait: float) -> int:
    time.sleep(wait)
    return os.getpid()


def _told() -> int:
    with progress.work("x", 1) as step:
        step("y")
    return os.getpid()


@pytest.mark.slow
def test_a_copy_of_this_process_tells_nobody_and_leaves_nothing(two: str, capfd: pytest.CaptureFixture[str]) -> None:
    heard: list[str] = []
    with progress.listening(lambda what, share: heard.append(what)), Worker(processes=2) as aside:
        print("before", end="")  # not flushed yet: must not be written by both
        pid = _taken(aside, _told)
        _taken(aside, print, "noise")
    assert pid != os.getpid()
    assert heard == []
    assert capfd.readouterr().out == "before"
    with pytest.raises(ChildProcessError):  # it has ended, and been waited for
        os.waitpid(pid, os.WNOHANG)


def _taken(aside: Worker, function: Any, *args: Any) -> Any:
    """Hand work over and wait until it was begun there, so that it is not done here."""
    future = aside._hand_over(function, args, {})
    assert future is not None
    return future.result(timeout=60)


def test_other_threads_mean_a_fresh_interpreter() -> None:
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    try:
        assert not worker._may_fork()
    finally:
        end.set()
        thread.join()


def test_threads_that_wait_for_work_hold_nothing() -> None:
    go = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()
        while not alone():  # it is on its way back to the queue
            time.sleep(0.001)
        began = threading.Event()
        busy = pool.submit(lambda: began.set() or go.wait())
        try:
            began.wait()
            assert not alone()
        finally:
            go.set()
        assert busy.result()


def test_an_event_loop_that_waits_holds_nothing() -> None:
    loop = asyncio.new_event_loop()
    other = threading.Thread(target=loop.run_forever)
    other.start()
    try:
        began, go = threading.Event(), threading.Event()
        while not alone():  # on its way to where it waits
            time.sleep(0.001)
        loop.call_soon_threadsafe(lambda: began.set() or go.wait())
        began.wait()
        assert not alone()
        go.set()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        other.join()
        loop.close()


def test_a_script_is_not_run_again_by_a_fresh_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(worker, "_may_fork", lambda: False)
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
    monkeypatch.setattr(sys.modules["__main__"], "__file__", "script.py", raising=False)
    with Worker(processes=2) as aside:
        assert aside(_where, 0.0)() == os.getpid()


@pytest.mark.slow
@pytest.mark.one_in(2)
def test_what_both_hold_does_not_travel(two: str) -> None:
    """An analysis holds its district: the other process finds the district it knows in it."""
    kept = [1, 2]
    holder = [kept, None, "x"]
    with Worker(kept, holder, processes=2) as aside:
        assert _taken(aside, id, kept) == _taken(aside, id, kept)  # the very object, not a copy of it
        assert _taken(aside, _holds, holder, kept)
        assert not _taken(aside, _holds, holder, [1, 2])


def _holds(holder: list[object], kept: object) -> bool:
    return holder[0] is kept


def _until(end: str) -> int:
    while not Path(end).exists():
        time.sleep(0.01)
    return os.getpid()


@pytest.mark.slow
def test_what_the_other_has_not_taken_up_is_done_here(two: str, tmp_path: Path) -> None:
    end = tmp_path / "end"
    with Worker(processes=2) as aside:
        busy, *_, last = aside(_until, str(end)), *(aside(_where, 0.0) for _ in range(5))
        assert last() == os.getpid()  # else it would wait for ever
        end.touch()
        pid = busy()
    if pid != os.getpid():
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_short_work_is_not_worth_a_fresh_interpreter(two: str) -> None:
    with Worker(processes=2, fork_only=True) as early:
        assert (early._pool is None) == (two == "fresh")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_other_ends_with_the_one_that_made_it() -> None:
    """Whoever kills a report, kills both."""
    code = (
        "import os; os.cpu_count = lambda: 2\n"
        "from xinhe_geo.core.worker import Worker\n"
        "aside = Worker(processes=2); future = aside._hand_over(os.getpid, (), {})\n"
        "print(future.result(), flush=True); input()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        pid = int(run.stdout.readline())
        assert pid != run.pid
        run.kill()
    for _ in range(200):
        status = Path(f"/proc/{pid}/stat")
        if not status.exists() or status.read_text().split()[2] == "Z":
            return
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    pytest.fail("it goes on alone")


def test_one_process_does_it_itself() -> None:
    with Worker(processes=1) as aside:
        assert aside(os.getpid)() == os.getpid()


@pytest.mark.slow
def test_a_district_and_its_network_travel() -> None:
    district = xh.District.load(TOY)
    district.network  # noqa: B018  (goes along where it is there)
    copy = pickle.loads(pickle.dumps(district))
    assert copy.network.edges.equals(district.network.edges)
    assert copy.manifest == district.manifest and not copy.memo
    assert xh.coverage(copy).equals(xh.coverage(district))
    with pytest.raises(TypeError):
        copy.manifest["name"] = "x"
