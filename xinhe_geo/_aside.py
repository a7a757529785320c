"""
A second process of this library that takes over a piece of work: no answer depends on it, only how long one waits.

Where nothing else runs in this process it is a fork, made when the first work is handed over: it knows everything that was
worked out until then. Elsewhere (threads and macOS do not survive a fork) it is a fresh interpreter told to listen, not a
spawned copy of the caller's script (which would run again where it has no main guard). What it cannot do is done here instead,
so that a failure is the one that would have been met without it.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import pickle
import queue
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import IO, Any, NamedTuple, ParamSpec, Protocol, TypeVar

from . import progress

P = ParamSpec("P")
Result = TypeVar("Result")


class _Process(Protocol):
    """What is asked of the other process, forked or not."""

    @property
    def pid(self) -> int | None: ...
    def kill(self) -> None: ...


class _Other(NamedTuple):
    """The other process: itself, what waits for its end, where work goes in and answers come out."""

    process: _Process
    wait: Callable[[], object]
    work: IO[bytes]
    answers: IO[bytes]


class Aside:
    """
    Work handed over, in order, and fetched when needed: `fetch = aside(function, *args)`, then `fetch()`.

    What is handed over again travels once: the other process holds every argument it was given, with what it has derived from
    it since. Leaving it as a context ends the other process, whatever it is at. Without `processes` to spare the work is done in
    this process, when it is fetched.
    """

    def __init__(self, *, processes: int) -> None:
        self._sent = 0
        self._held: list[Any] = []
        self._answers: list[tuple[bool, Any]] = []
        self._more = queue.SimpleQueue[tuple[bool, Any] | None]()
        self._other: _Other | None = None
        self._forks = False
        if min(processes, os.cpu_count() or 1) < 2:
            return
        self._forks = _may_fork()
        if not self._forks:  # it starts while this process works out what it will be asked
            self._listen_to(_started)

    def _listen_to(self, start: Callable[[], _Other]) -> None:
        """Start the other process; where there is none to be had the work is done in this one."""
        with suppress(OSError):
            self._other = start()
            # Answers are taken as they come: who waits to be rid of one does not listen.
            threading.Thread(target=_listen, args=(self._other.answers, self._more), daemon=True).start()

    @property
    def pid(self) -> int | None:
        """The other process, where there is one by now."""
        return None if self._other is None else self._other.process.pid

    def __enter__(self) -> Aside:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        other, self._other, self._forks = self._other, None, False
        if other is None:
            return
        other.process.kill()
        other.wait()
        with suppress(OSError):  # what it had not read yet has nowhere to go
            other.work.close()

    def __call__(self, function: Callable[P, Result], /, *args: P.args, **kwargs: P.kwargs) -> Callable[[], Result]:
        """Hand over a call of a function of this library and return what waits for its result."""
        number = self._send(function, args, kwargs)

        def fetch() -> Result:
            done, result = self._answer(number)
            return result if done else function(*args, **kwargs)

        return fetch

    def _answer(self, number: int) -> tuple[bool, Any]:
        """Wait for the answer to what was sent as this number; say whether there is one."""
        while len(self._answers) <= number and self._other is not None:
            more = self._more.get()
            if more is None:
                self._give_up()
            else:
                self._answers.append(more)
        return self._answers[number] if number < len(self._answers) else (False, None)

    def _send(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
        """Send work and return its number."""
        number, self._sent = self._sent, self._sent + 1
        if self._forks:
            self._forks, self._held = False, list(args)  # a fork has them already, with all that was derived from them
            self._listen_to(lambda: _forked(self._held))
        if self._other is None:
            return number
        places = {id(known): place for place, known in enumerate(self._held)}
        told = [_Held(places[id(value)]) if id(value) in places else value for value in args]
        self._held += [value for value in told if not isinstance(value, _Held)]
        try:
            pickle.dump((function, told, kwargs), self._other.work, protocol=pickle.HIGHEST_PROTOCOL)
            self._other.work.flush()
        except (OSError, pickle.PicklingError, TypeError, AttributeError):
            self._give_up()
        return number

    def _give_up(self) -> None:
        self.__exit__(None, None, None)


def _listen(pipe: Any, answers: queue.SimpleQueue[tuple[bool, Any] | None]) -> None:
    """Take answers off a pipe until it ends."""
    with pipe:
        while True:
            try:
                answers.put(pickle.load(pipe))
            except (OSError, EOFError, ValueError, pickle.UnpicklingError):
                answers.put(None)
                return


class _Held(NamedTuple):
    """In place of an argument that the other process holds: which of those it was given, counted from 0."""

    place: int


# --- how the other process comes about -------------------------------------------------------------------------------


def _started() -> _Other:
    """Start a fresh interpreter that listens."""
    code = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import serve; serve()"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdin is not None
    assert process.stdout is not None
    return _Other(process, process.wait, process.stdin, process.stdout)


def _may_fork() -> bool:
    """
    Return whether this process can be forked: nothing else runs in it that could hold a lock which the copy then waits for.

    The thread that turns the spinner of a command draws a line and touches nothing that the copy uses.
    """
    if sys.platform != "linux" or multiprocessing.current_process().daemon:
        return False
    others = [thread for thread in threading.enumerate() if thread is not threading.current_thread()]
    return all(type(thread).__module__ == "rich.live" for thread in others)


def _forked(held: Sequence[Any]) -> _Other:
    """Fork this process; the copy listens, and knows the objects of `held`."""
    (work_out, work_in), (answers_out, answers_in) = os.pipe(), os.pipe()

    def listen() -> None:
        os.close(work_in)  # else it would never see that nothing more comes
        os.close(answers_out)
        progress.silence()  # whoever is told of progress is told by the other of the two
        sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (to the end of the process)
        for standard in (1, 2):
            os.dup2(sys.stdout.fileno(), standard)
        with open(work_out, "rb") as work, open(answers_in, "wb") as answers:
            _serve(work, answers, list(held))

    frozen = gc.get_freeze_count()
    gc.freeze()  # the copy does not look through what is there by now for garbage, which would copy it page by page
    process = multiprocessing.get_context("fork").Process(target=listen, daemon=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # sleeping threads of libraries, which know forks
            process.start()
    except OSError:
        for end in (work_in, answers_out):
            os.close(end)
        raise
    finally:
        if not frozen:
            gc.unfreeze()
        for end in (work_out, answers_in):
            os.close(end)
    return _Other(process, process.join, open(work_in, "wb"), open(answers_out, "rb"))


def serve() -> None:
    """Do what comes in on standard input until it ends, and answer on standard output."""
    work, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no answer
    gc.freeze()
    _serve(work, answers, [])


def _serve(work: IO[bytes], answers: IO[bytes], held: list[Any]) -> None:
    """Do what comes in until it ends, and answer; `held` is what an argument may be said to be."""
    while True:
        try:
            function, told, kwargs = pickle.load(work)
        except EOFError:
            return
        args = [held[value.place] if isinstance(value, _Held) else value for value in told]
        held += [value for value in told if not isinstance(value, _Held)]
        try:
            answer = (True, function(*args, **kwargs))
        except Exception:  # the caller does it again, and meets the same failure where it can be shown
            answer = (False, None)
        pickle.dump(answer, answers, protocol=pickle.HIGHEST_PROTOCOL)
        answers.flush()
