"""
A second process of this library that takes over a piece of work: no answer depends on it, only how long one waits.

It is a fresh interpreter told to listen, not a fork (which threads and macOS do not survive) and not a spawned copy of the
caller's script (which would run again where it has no main guard). What it cannot do is done here instead, so that a
failure is the one that would have been met without it.
"""

from __future__ import annotations

import os
import pickle
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, NamedTuple, ParamSpec, TypeVar

P = ParamSpec("P")
Result = TypeVar("Result")


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
        self._process: subprocess.Popen[bytes] | None = None
        if min(processes, os.cpu_count() or 1) < 2:
            return
        code = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import serve; serve()"
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        except OSError:  # no second process to be had: the work is done in this one
            return
        # Answers are taken as they come: who waits to be rid of one does not listen.
        threading.Thread(target=_listen, args=(self._process.stdout, self._more), daemon=True).start()

    def __enter__(self) -> Aside:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        if process.stdin is not None:
            with suppress(OSError):  # what it had not read yet has nowhere to go
                process.stdin.close()

    def __call__(self, function: Callable[P, Result], /, *args: P.args, **kwargs: P.kwargs) -> Callable[[], Result]:
        """Hand over a call of a function of this library and return what waits for its result."""
        number = self._send(function, args, kwargs)

        def fetch() -> Result:
            done, result = self._answer(number)
            return result if done else function(*args, **kwargs)

        return fetch

    def _answer(self, number: int) -> tuple[bool, Any]:
        """Wait for the answer to what was sent as this number; say whether there is one."""
        while len(self._answers) <= number and self._process is not None:
            more = self._more.get()
            if more is None:
                self._give_up()
            else:
                self._answers.append(more)
        return self._answers[number] if number < len(self._answers) else (False, None)

    def _send(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
        """Send work and return its number."""
        number, self._sent = self._sent, self._sent + 1
        if self._process is None or self._process.stdin is None:
            return number
        places = {id(known): place for place, known in enumerate(self._held)}
        told = [_Held(places[id(value)]) if id(value) in places else value for value in args]
        self._held += [value for value in told if not isinstance(value, _Held)]
        try:
            pickle.dump((function, told, kwargs), self._process.stdin, protocol=pickle.HIGHEST_PROTOCOL)
            self._process.stdin.flush()
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


def serve() -> None:
    """Do what comes in on standard input until it ends, and answer on standard output."""
    held: list[Any] = []
    work, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no answer
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
