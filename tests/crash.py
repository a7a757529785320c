"""
What a command does to files, step by step: recorded, cut off after any of them, or refused by the system at one.

Python says what it is about to do (`sys.addaudithook`); what libraries write by themselves lies between two such steps, in
files that are put in their place by one.

A command is killed, or refused something, in a copy of the process in which it was recorded (a fork), which goes on from a step
not long before: it knows and holds what the command did there, in a folder that was made what it was there. It has none of the
threads and processes that the command had; who wants those, and the way from the beginning, takes `stopped_anew`.
"""

from __future__ import annotations

import errno
import gc
import os
import pickle
import signal
import stat
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple, NoReturn

from xinhe_geo.core import strangers
from xinhe_geo.core.worker import forking

_CHANGING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
#: A file is opened, and nothing is in it any more.
EMPTIED = "open, emptied,"
_NAMED = {"os.rename": 2, "os.link": 2, "os.remove": 1, "os.rmdir": 1, "os.mkdir": 1, "os.truncate": 1, "os.symlink": 2}


class _Watch:
    def __init__(self) -> None:
        self.place = ""
        self.pid = 0
        self.step: Callable[[str], None] | None = None
        self.between: Callable[[], None] | None = None
        self.hooked = self.within = False


_WATCH = _Watch()


def _path(value: object, folder: object = -1) -> str:
    if isinstance(value, int) or value is None:
        return ""
    name = os.fsdecode(value)  # type: ignore[arg-type]
    if not os.path.isabs(name):
        above = os.readlink(f"/proc/self/fd/{folder}") if isinstance(folder, int) and folder >= 0 else os.getcwd()
        name = os.path.join(above, name)
    return os.path.normpath(name)


def _hook(event: str, args: tuple[object, ...]) -> None:
    watch = _WATCH
    if watch.step is None or watch.within or (event != "open" and event not in _NAMED) or os.getpid() != watch.pid:
        return
    watch.within = True
    try:
        if event == "open":
            flags = args[2]
            paths = [_path(args[0])] if isinstance(flags, int) and flags & _CHANGING else []
        else:
            several = _NAMED[event]
            folders = [a for a in args[several:] if isinstance(a, int)] or [-1]
            if event == "os.mkdir":
                folders = [args[2] if len(args) > 2 else -1]  # type: ignore[list-item]
            paths = [_path(a, folders[min(i, len(folders) - 1)]) for i, a in enumerate(args[:several])]
        if any(p.startswith(watch.place + os.sep) for p in paths):
            emptied = event == "open" and isinstance(args[2], int) and args[2] & os.O_TRUNC
            watch.step(f"{EMPTIED if emptied else event} {paths[-1].removeprefix(watch.place + os.sep)}")
        elif watch.between is not None:
            watch.between()
    finally:
        watch.within = False


@contextmanager
def watching(place: Path, step: Callable[[str], None], between: Callable[[], None] | None = None) -> Iterator[None]:
    """
    Call `step` before whatever changes a file below a folder, with what it is; what it raises, the command meets.

    `between` is called before files are read, and whatever else is done to files.
    """
    if not _WATCH.hooked:
        sys.addaudithook(_hook)
        _WATCH.hooked = True
    _WATCH.place, _WATCH.pid, _WATCH.step, _WATCH.between = os.path.realpath(place), os.getpid(), step, between
    try:
        yield
    finally:
        _WATCH.step = _WATCH.between = None


class Thing(NamedTuple):
    """What lies at a place below a folder: its mode, and what a file holds; None of a folder."""

    mode: int
    content: bytes | None


#: What a folder is at some moment, by the places below it. What has not changed between two moments is there once.
State = dict[str, Thing]
#: What files were when they were last looked at, by inode: size, when they were changed, whether that was long enough before.
Known = dict[int, tuple[tuple[object, ...], Thing]]
#: A file that was changed less than so many nanoseconds before it was read may change again, and no clock tells.
_TICK = 50_000_000


def state_of(place: Path, known: Known | None = None) -> State:
    """Return what a folder is; files are read whose times are not those that are `known`."""
    known = {} if known is None else known
    found: State = {}

    def look(folder: str, above: str) -> None:
        with os.scandir(folder) as entries:
            for entry in entries:
                at, name = entry.stat(follow_symlinks=False), above + entry.name
                if stat.S_ISDIR(at.st_mode):
                    found[name] = Thing(at.st_mode, None)
                    look(entry.path, f"{name}/")
                    continue
                assert stat.S_ISREG(at.st_mode), name  # commands make no links that stay
                settled = time.time_ns() - at.st_ctime_ns > _TICK
                times = at.st_size, at.st_mtime_ns, at.st_ctime_ns
                then, thing = known.get(at.st_ino, ((), Thing(0, None)))
                if then != (*times, True):
                    now = Thing(at.st_mode, Path(entry.path).read_bytes())
                    thing = thing if thing == now else now  # the same is there once
                    known[at.st_ino] = (*times, settled), thing
                found[name] = thing

    look(str(place), "")
    return found


def emptied(step: str, state: State) -> State:
    """Return what a folder is in the middle of a step that empties a file: a copy, or what it was."""
    name = step.removeprefix(f"{EMPTIED} ")
    return state if name == step else {**state, name: Thing(state.get(name, _FILE).mode, b"")}


_FILE = Thing(stat.S_IFREG | 0o644, b"")


def put_back(state: State, place: Path) -> None:
    """Make a folder what it was."""
    now = state_of(place)
    for name in sorted(now, reverse=True):  # what lies in a folder before the folder
        if now[name] != state.get(name) and (now[name].content is not None or name not in state):
            (place / name).rmdir() if now[name].content is None else (place / name).unlink()
    for name in sorted(state):
        if now.get(name) != state[name]:
            mode, content = state[name]
            (place / name).mkdir(exist_ok=True) if content is None else (place / name).write_bytes(content)
            (place / name).chmod(stat.S_IMODE(mode))


#: Seconds of processor time that a command works before another copy of it waits.
_APART = 0.1


class Waiting(NamedTuple):
    """
    A copy of a command that waits before one of its steps, and knows whatever the command knew there.

    `state`: what the folder is there; `locks`: by their places the files that it may hold as locks, by other names for them, which stay.
    """

    at: int
    state: State
    locks: dict[str, Path]
    pid: int
    orders: Connection
    answers: Connection


class Recorded(NamedTuple):
    """A run of a command: its steps, each with what the folder was before it, what it returned, and copies of it that wait."""

    place: Path
    steps: list[tuple[str, State]]
    found: list[object]
    waiting: list[Waiting]


def recorded(place: Path, act: Callable[[], object], *, copies: bool = False) -> Recorded:
    """
    Run a command; return what it did and what it returned.

    Parameters
    ----------
    copies
        Whether copies of it wait, which `stopped` lets go on, until they are told to `end`; what it returns can be pickled then.
    """
    run = Recorded(place, [], [], [])
    own, known, last = os.getpid(), Known(), [0.0]

    def keep(step: str) -> None:
        run.steps.append((step, state_of(place, known)))

    def wait() -> None:
        # while another process reads for this one, a copy would ask that one too
        if time.process_time() - last[0] > _APART and strangers._STATE.open == 0 and not _holds_any(place):
            _wait_here(run, state_of(place, known))
            last[0] = time.process_time()

    try:
        with watching(place, keep, wait if copies else None):
            if copies:
                _wait_here(run, state_of(place, known))
            run.found.append(act())
    except BaseException:
        if os.getpid() == own:
            end(run)
        raise
    finally:
        if os.getpid() != own:  # a copy that went on, to its end
            _answer(run.found)
    return run


def end(run: Recorded) -> None:
    """End the copies that wait."""
    for copy in run.waiting:
        copy.orders.close()
    for copy in reversed(run.waiting):  # each holds what the earlier ones are told by
        os.waitpid(copy.pid, 0)


def _holds_any(place: Path) -> bool:
    """
    Return whether this process has anything open in a folder: what is put back later, by the same name, would not do for it.

    Locks do, and what lies in it itself (a whole district), which is not put back.
    """
    import fcntl  # Linux only, as what is tried with it

    for number in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            name = os.readlink(f"/proc/self/fd/{number}")
            stays = "/" not in name.removeprefix(f"{place}/") and fcntl.fcntl(int(number), fcntl.F_GETFL) & os.O_PATH
            if name.startswith(f"{place}/") and not stays and not name.endswith("lock"):
                return True
    return False


#: In a copy that goes on: where it says what became of it.
_SAY: list[int] = []


def _wait_here(run: Recorded, state: State) -> None:
    """Leave a copy of this process that waits for orders; what it copies for each returns from here, and goes on."""
    (orders, orders_in), (answers_out, answers) = Pipe(duplex=False), Pipe(duplex=False)
    with forking():
        pid = os.fork()
    if pid:
        orders.close()
        answers.close()
        names = [name for name in state if name.endswith("lock")]
        locks = {name: run.place.parent / f"lock-{pid}-{i}" for i, name in enumerate(names)}
        for name, kept in locks.items():
            os.link(run.place / name, kept)
        run.waiting.append(Waiting(len(run.steps), state, locks, pid, orders_in, answers_out))
        return
    gc.freeze()
    orders_in.close()
    answers_out.close()
    try:
        while True:
            at, code = orders.recv()
            out, into = os.pipe()
            with forking():
                going = os.fork()
            if going == 0:
                gc.freeze()
                break
            os.close(into)
            with open(out, "rb") as stream:
                said = stream.read()
            answers.send((os.waitstatus_to_exitcode(os.waitpid(going, 0)[1]), said))
    except EOFError:
        os._exit(0)
    except BaseException:
        os._exit(1)
    _SAY[:] = [into]
    strangers._after_fork()  # the process that reads for this one's parent is not this one's to end
    _WATCH.pid, _WATCH.step, _WATCH.between = os.getpid(), stopping(at - len(run.steps), code), None


def _answer(found: list[object]) -> NoReturn:
    try:
        with open(_SAY[0], "wb") as stream:
            pickle.dump(found or [traceback.format_exc()[-500:]], stream)
    finally:
        os._exit(0)


def stopped(run: Recorded, at: int, code: int | None) -> object:
    """
    Let a copy of a command go on from the last place where one waits to a step; return what it returns, or how it ended.

    Parameters
    ----------
    code
        How the system refuses the step (`stopping`); None: the process is killed there.
    """
    copy = next(c for c in reversed(run.waiting) if c.at <= at)
    put_back(copy.state, run.place)
    for name, kept in copy.locks.items():  # a lock is the file that is held, and no other of its name
        (run.place / name).unlink()
        os.link(kept, run.place / name)
    copy.orders.send((at, code))
    ended, said = copy.answers.recv()
    for name in copy.locks:  # the copy that waits goes on holding it, as nobody does who was killed
        with suppress(FileNotFoundError):
            content = (run.place / name).read_bytes()
            (run.place / name).unlink()
            (run.place / name).write_bytes(content)
    return pickle.loads(said)[0] if said else ended


def stopping(at: int, code: int | None) -> Callable[[str], None]:
    """
    Return what kills this process before its step `at`, or has the system refuse it.

    A disk that is full stays full: from then on nothing can be made (but removed, and put in its place). Whatever else is
    refused is refused once.
    """
    count = [0]

    def step(what: str) -> None:
        now, count[0] = count[0], count[0] + 1
        if code is None:
            if now == at:
                os.kill(os.getpid(), signal.SIGKILL)
            return
        making = what.startswith(("open", "os.mkdir", "os.link"))
        if (now == at and (making or code != errno.ENOSPC)) or (now > at and code == errno.ENOSPC and making):
            raise OSError(code, os.strerror(code), what.removeprefix(EMPTIED).split(" ", 1)[1])

    return step


def stopped_anew(place: Path, act: Callable[[], object], at: int, code: int | None) -> object:
    """Run a command from its beginning, in a process of its own, to a step; return what it returns, or how it ended."""
    out, into = os.pipe()
    with forking():
        pid = os.fork()
    if pid == 0:
        gc.freeze()
        _SAY[:], found = [into], list[object]()
        try:
            with watching(place, stopping(at, code)):
                found.append(act())
        finally:
            _answer(found)
    os.close(into)
    with open(out, "rb") as stream:
        said = stream.read()
    ended = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return pickle.loads(said)[0] if said else ended
