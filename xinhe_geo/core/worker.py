"""
A second process of this library that takes over a piece of work: no answer depends on it, only how long one waits.

Where nothing else runs in this process it is a fork, made when the first work is handed over: it knows everything that was
worked out until then. Elsewhere (threads and macOS do not survive a fork) it is a fresh interpreter told to listen, not a
spawned copy of the caller's script (which would run again where it has no main guard). What it cannot do is done here instead,
so that a failure is the one that would have been met without it.
"""

from __future__ import annotations

import gc
import io
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
import warnings
import weakref
from collections import deque
from collections.abc import Callable, Mapping
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


class _Job(NamedTuple):
    """A call that waits for its turn: its number, which of the held arguments it takes, and itself, written out."""

    number: int
    places: tuple[int, ...]
    text: bytes


class Worker:
    """
    Work handed over, in order, and fetched when needed: `fetch = aside(function, *args)`, then `fetch()`.

    The other process is given one piece at a time. What it has not begun by the time it is fetched is done here: whoever is free
    takes what is left, this process from where it fetches first, the other from what was handed over first.

    What is handed over again travels once, also within something else: the other process holds every argument it was given,
    with what it has derived from it since. Leaving it as a context ends the other process, whatever it is at. Without
    `processes` to spare the work is done in this process, when it is fetched.
    """

    def __init__(self, *, processes: int) -> None:
        self._count = 0
        self._held: list[Any] = []
        self._texts: dict[int, bytes] = {}  # of what is held: what has not travelled yet, written out
        self._due: deque[_Job] = deque()
        self._answers: dict[int, tuple[bool, Any]] = {}
        self._news = threading.Condition()
        self._other: _Other | None = None
        self._tender: threading.Thread | None = None
        self._answering = False
        self._forks = False
        if min(processes, os.cpu_count() or 1) < 2:
            return
        self._forks = _may_fork()
        if not self._forks:  # it starts while this process works out what it will be asked
            self._tend_to(_started)

    def _tend_to(self, start: Callable[[], _Other]) -> None:
        """Start the other process; where there is none to be had the work is done in this one."""
        with suppress(OSError):
            self._other, self._answering = start(), True
            self._tender = threading.Thread(target=self._tend, args=(self._other,), daemon=True)
            _TENDERS.add(self._tender)
            self._tender.start()

    def beside(self) -> Worker:
        """Return another one where that costs no more than a fork, else this one: its context may be entered twice."""
        return Worker(processes=2) if self._forks else self

    @property
    def pid(self) -> int | None:
        """The other process, where there is one by now."""
        return self._other.process.pid if self._other is not None and self._answering else None

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        other, tender, self._other, self._forks = self._other, self._tender, None, False
        self._let_go()
        if other is None or tender is None:
            return
        other.process.kill()
        other.wait()
        tender.join()  # nobody is left who would keep it waiting
        with suppress(OSError):  # what had not been read yet has nowhere to go
            other.work.close()
        other.answers.close()

    def __call__(self, function: Callable[P, Result], /, *args: P.args, **kwargs: P.kwargs) -> Callable[[], Result]:
        """Hand over a call of a function of this library and return what waits for its result."""
        number = self._hand_over(function, args, kwargs)

        def fetch() -> Result:
            done, result = self._answer(number)
            return result if done else function(*args, **kwargs)

        return fetch

    def _answer(self, number: int) -> tuple[bool, Any]:
        """Return the answer to a job that was begun, when it is there; say whether there is one."""
        with self._news:
            for job in self._due:
                if job.number == number:
                    self._due.remove(job)
                    return False, None
            self._news.wait_for(lambda: number in self._answers or not self._answering)
            return self._answers.get(number, (False, None))

    def _hand_over(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
        """Write work out as it is now, to be sent when the other process is free; return its number."""
        number, self._count = self._count, self._count + 1
        if self._forks:
            self._forks, self._held = False, list(args)  # a fork has them already, with all that was derived from them
            self._tend_to(lambda: _forked(dict(enumerate(self._held))))
        if not self._answering:
            return number
        places = {id(value): place for place, value in enumerate(self._held)}
        fresh = list({id(value): value for value in args if id(value) not in places}.values())
        try:
            texts = []
            for place, value in enumerate(fresh, start=len(self._held)):
                texts.append(_written(value, places))
                places[id(value)] = place
            taken = tuple(places[id(value)] for value in args)
            text = pickle.dumps((function, taken, kwargs), protocol=pickle.HIGHEST_PROTOCOL)
        except (pickle.PicklingError, TypeError, AttributeError):
            return number  # cannot travel: it is done here
        with self._news:
            self._texts.update(enumerate(texts, start=len(self._held)))
            self._held += fresh
            self._due.append(_Job(number, taken, text))
            self._news.notify_all()
        return number

    def _tend(self, other: _Other) -> None:
        """Give the other process one job after the other and take its answers, until one of the two is gone."""
        while True:
            with self._news:
                self._news.wait_for(lambda: self._due or not self._answering)
                if not self._answering:
                    return
                job = self._due.popleft()
                self._news.notify_all()
                # whatever was handed over until then: it may be held by what this job takes
                new = {place: text for place, text in self._texts.items() if place <= max(job.places, default=-1)}
                self._texts = {place: text for place, text in self._texts.items() if place not in new}
            try:
                pickle.dump((new, job.text), other.work, protocol=pickle.HIGHEST_PROTOCOL)
                other.work.flush()
                answer = pickle.load(other.answers)
            except (OSError, EOFError, ValueError, pickle.UnpicklingError):
                self._let_go()
                return
            with self._news:
                self._answers[job.number] = answer
                self._news.notify_all()

    def _let_go(self) -> None:
        """Expect nothing more of the other process: what is not answered by now is done here."""
        with self._news:
            self._answering = False
            self._due.clear()
            self._news.notify_all()


#: The threads that wait for other processes.
_TENDERS: weakref.WeakSet[threading.Thread] = weakref.WeakSet()


#: What is written out wherever it stands.
_PLAIN = (type(None), int, float, str, bytes, tuple)


class _Writer(pickle.Pickler):
    """Writes a value out; what the other process holds already (by the ids of `places`) stands in it by its place."""

    def __init__(self, stream: io.BytesIO, places: Mapping[int, int]) -> None:
        super().__init__(stream, protocol=pickle.HIGHEST_PROTOCOL)
        self._places = places

    def persistent_id(self, value: object) -> int | None:
        """Return the place of what is held."""
        return None if isinstance(value, _PLAIN) else self._places.get(id(value))


class _Reader(pickle.Unpickler):
    """Reads what `_Writer` wrote."""

    def __init__(self, stream: io.BytesIO, held: Mapping[int, Any]) -> None:
        super().__init__(stream)
        self._held = held

    def persistent_load(self, place: int) -> object:
        """Return what is held at a place."""
        return self._held[place]


def _written(value: object, places: Mapping[int, int]) -> bytes:
    stream = io.BytesIO()
    _Writer(stream, places).dump(value)
    return stream.getvalue()


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
    """Return whether this process can be forked, by the module that counts children."""
    return sys.platform == "linux" and not multiprocessing.current_process().daemon and alone()


def alone() -> bool:
    """
    Return whether nothing else runs in this process that could hold a lock which a copy of it would then wait for.

    The thread that turns the spinner of a command draws a line, and one that waits for another process reads a pipe: neither
    touches anything that the copy uses.
    """
    others = [thread for thread in threading.enumerate() if thread is not threading.current_thread()]
    return all(type(thread).__module__ == "rich.live" or thread in _TENDERS for thread in others)


def _forked(held: dict[int, Any]) -> _Other:
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
            _serve(work, answers, held)

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
    _serve(work, answers, {})


def _serve(work: IO[bytes], answers: IO[bytes], held: dict[int, Any]) -> None:
    """Do what comes in until it ends, and answer; `held` is what arguments are, by their places."""
    while True:
        try:
            new, text = pickle.load(work)
        except EOFError:
            return
        for place, value in new.items():
            held[place] = _Reader(io.BytesIO(value), held).load()
        function, places, kwargs = pickle.loads(text)
        try:
            answer = (True, function(*(held[place] for place in places), **kwargs))
        except Exception:  # the caller does it again, and meets the same failure where it can be shown
            answer = (False, None)
        pickle.dump(answer, answers, protocol=pickle.HIGHEST_PROTOCOL)
        answers.flush()
