"""
A second process of this library that takes over a piece of work: no answer depends on it, only how long one waits.

Where nothing else runs in this process it is a fork, made when the first work is handed over: it knows everything that was
worked out until then. Elsewhere (threads and macOS do not survive a fork) it is a fresh interpreter. What it cannot do is done
here instead, so that a failure is the one that would have been met without it.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType
from typing import Any, NamedTuple, ParamSpec, TypeVar

from . import progress

P = ParamSpec("P")
Result = TypeVar("Result")


#: Where threads only wait, unless they call something from there: for work, for a process to end, for whatever an event loop serves.
_WAITING = {("concurrent.futures.thread", "_worker"), ("asyncio.unix_events", "_do_waitpid"), ("selectors", "select")}


class _Held(NamedTuple):
    """Stands for what both processes hold, by its place."""

    place: int


class Worker:
    """
    Work handed over, in order, and fetched when needed: `fetch = aside(function, *args)`, then `fetch()`.

    What the other process has not taken up by the time it is fetched is done here. Both hold `shared`, which never travels but
    once, to a fresh interpreter; other arguments travel with every call. Leaving it as a context waits for the piece that the
    other process is at, and drops the rest. Without `processes` to spare the work is done in this process, when it is fetched.

    `fork_only`: short work, for which a fresh interpreter would take longer to start than it saves.
    """

    def __init__(self, *shared: object, processes: int, fork_only: bool = False) -> None:
        self._shared = shared
        self._pool: ProcessPoolExecutor | None = None
        forks = _may_fork()
        if min(processes, os.cpu_count() or 1) > 1 and (forks or (_may_start() and not fork_only)):
            context = multiprocessing.get_context("fork" if forks else "spawn")
            self._pool = ProcessPoolExecutor(1, context, _begin, shared)

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def __call__(self, function: Callable[P, Result], /, *args: P.args, **kwargs: P.kwargs) -> Callable[[], Result]:
        """Hand over a call of a function of this library and return what waits for its result."""
        future = self._hand_over(function, args, kwargs)

        def fetch() -> Result:
            if future is not None and not future.cancel():
                with suppress(Exception):  # it is met again below, where it can be shown
                    result: Result = future.result()
                    return result
            return function(*args, **kwargs)

        return fetch

    def _hand_over(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Future[Any] | None:
        if self._pool is None:
            return None
        places = {id(value): _Held(place) for place, value in enumerate(self._shared)}
        with (
            suppress(OSError, RuntimeError),
            forking(),
        ):  # no process to be had, it was killed, or this was left as a context
            return self._pool.submit(_do, function, [places.get(id(value), value) for value in args], kwargs)
        return None


@contextmanager
def forking() -> Iterator[None]:
    """
    Make copies of this process within, in silence about threads of libraries that sleep and know forks.

    A copy begins with `gc.freeze()`: to look through what is there by now for garbage would copy it page by page.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def _may_fork() -> bool:
    """Return whether this process can be forked, by the module that counts children."""
    return sys.platform == "linux" and not multiprocessing.current_process().daemon and alone()


def alone() -> bool:
    """
    Return whether nothing else runs in this process that could hold a lock which a copy of it would then wait for.

    The thread that turns the spinner of a command draws a line, and those that serve another process read and write pipes:
    none touches anything that the copy uses. Nor does one that waits for work, or for another process to end.
    """
    at = sys._current_frames()
    others = [thread for thread in threading.enumerate() if thread is not threading.current_thread()]
    return all(
        type(thread).__module__ in ("rich.live", "concurrent.futures.process", "jupyter_client.channels")
        or thread.name == "QueueFeederThread"
        or (thread.ident in at and _where(at[thread.ident]) in _WAITING)
        for thread in others
    )


def _where(frame: FrameType) -> tuple[str, str]:
    """Return the module and the function that a thread is in."""
    return str(frame.f_globals.get("__name__")), frame.f_code.co_name


def _may_start() -> bool:
    """Return whether a fresh interpreter does no harm: of a program started as a script it would run that script again."""
    main = sys.modules["__main__"]
    script = main.__spec__ is None and hasattr(main, "__file__")
    return not script and not multiprocessing.current_process().daemon


# --- in the other process --------------------------------------------------------------------------------------------

_SHARED: list[Any] = []


def _begin(*shared: object) -> None:
    """Begin as the other process: it is told of by nobody, writes on no terminal, and ends with the one that made it."""
    gc.freeze()
    _SHARED[:] = shared
    progress.silence()
    sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (to the end of the process)
    for standard in (1, 2):
        os.dup2(sys.stdout.fileno(), standard)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _do(function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]) -> object:
    return function(*(_SHARED[a.place] if isinstance(a, _Held) else a for a in args), **kwargs)
