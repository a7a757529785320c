"""
What a command does to files, step by step: recorded, cut off after any of them, or refused by the system at one.

Python says what it is about to do (`sys.addaudithook`); what libraries write by themselves lies between two such steps, in
files that are put in their place by one.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_CHANGING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_NAMED = {"os.rename": 2, "os.link": 2, "os.remove": 1, "os.rmdir": 1, "os.mkdir": 1, "os.truncate": 1, "os.symlink": 2}


class _Watch:
    def __init__(self) -> None:
        self.place = ""
        self.pid = 0
        self.step: Callable[[str], None] | None = None
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
            watch.step(f"{event} {paths[-1].removeprefix(watch.place + os.sep)}")
    finally:
        watch.within = False


@contextmanager
def watching(place: Path, step: Callable[[str], None]) -> Iterator[None]:
    """Call `step` before whatever changes a file below a folder, with what it is; what it raises, the command meets."""
    if not _WATCH.hooked:
        sys.addaudithook(_hook)
        _WATCH.hooked = True
    _WATCH.place, _WATCH.pid, _WATCH.step = os.path.realpath(place), os.getpid(), step
    try:
        yield
    finally:
        _WATCH.step = None


def copied(place: Path, to: Path) -> None:
    """Copy a folder as it is at this moment."""
    shutil.copytree(place, to, symlinks=True, dirs_exist_ok=True, ignore_dangling_symlinks=True)


def put_back(kept: Path, place: Path) -> None:
    """Make a folder what it was."""
    for entry in place.iterdir():
        shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    copied(kept, place)


def recorded(place: Path, act: Callable[[], object], into: Path) -> list[str]:
    """Run a command; keep what the folder is before each of its steps in `into/0`, `into/1`, …; return the steps."""
    steps: list[str] = []

    def keep(step: str) -> None:
        copied(place, into / str(len(steps)))
        steps.append(step)

    with watching(place, keep):
        act()
    return steps


def killed(place: Path, act: Callable[[], object], at: int) -> int:
    """Run a command in a process that is killed before its step `at`; return how it ended (-9)."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        left = [at]

        def count(_: str) -> None:
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1

        code = 1
        try:
            silent = os.open(os.devnull, os.O_WRONLY)
            for standard in (1, 2):
                os.dup2(silent, standard)
            with watching(place, count):
                act()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def refused(place: Path, act: Callable[[], object], at: int, code: int) -> object:
    """
    Run a command whose step `at` the system refuses; return what it returns.

    A disk that is full stays full: from then on nothing can be made (but removed, and put in its place). Whatever else is
    refused is refused once.
    """
    import errno

    count = [0]

    def step(what: str) -> None:
        now, count[0] = count[0], count[0] + 1
        making = what.startswith(("open", "os.mkdir", "os.link"))
        if (now == at and (making or code != errno.ENOSPC)) or (now > at and code == errno.ENOSPC and making):
            raise OSError(code, os.strerror(code), what.partition(" ")[2])

    with watching(place, step):
        return act()
