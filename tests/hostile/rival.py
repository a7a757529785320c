"""
Somebody else who may write into the same folder, and exchanges something in it for a link at the very moment it is to be touched.

Whatever this process (and what it has forked) is about to do to a file below a folder, Python says before it does it
(`sys.addaudithook`): at one such moment, chosen by its number, another process puts a link in the place of the file, or of a folder
on the way to it, and keeps what was there. The link leads to a folder of the same names outside. Nobody else can exchange
anything in a folder that is closed to others, nor name there what lies in it, unless it is always called the same.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

#: What Python says, how many paths come with it, and after which argument their folders do.
_TOUCHING = {
    "open": 1,
    "os.rename": 2,
    "os.link": 2,
    "os.remove": 1,
    "os.rmdir": 1,
    "os.mkdir": 1,
    "os.chmod": 1,
    "os.scandir": 1,
    "os.listdir": 1,
    "shutil.rmtree": 1,
    "shutil.copyfile": 2,
    "rival": 1,  # what tests say of native code
}
CLOSED = re.compile(r"\.[^/]*-[a-z0-9_]{8}")
_STATE: dict[str, Any] = {"rival": None, "hooked": False, "busy": False}


class Rival:
    """The other process: `run` does something while it waits for its moment."""

    def __init__(self, place: Path, outside: Path) -> None:
        self.place, self.outside = place, outside
        (self._asked, self._ask), (self._answered, self._answer) = os.pipe(), os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self._serve()
            finally:
                os._exit(0)

    def end(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        for handle in (self._asked, self._ask, self._answered, self._answer):
            os.close(handle)

    def say(self, *words: object) -> Any:
        text = json.dumps(words).encode("utf-8", "surrogateescape")
        os.write(self._ask, struct.pack("I", len(text)) + text)
        size = struct.unpack("I", os.read(self._answered, 4))[0]
        return json.loads(os.read(self._answered, size))

    def _serve(self) -> None:
        at, above, leak, done, seen = -1, 0, "", "", list[str]()
        while head := os.read(self._asked, 4):
            what, *words = json.loads(os.read(self._asked, struct.unpack("I", head)[0]))
            answer: Any = None
            if what == "begin":
                (at, above, leak), done, seen = words, "", []
            elif what == "end":
                answer = [seen, done]
            else:
                for path in words:
                    if len(seen) == at and self._exchange(path, above, leak):
                        done = f"{what} {path}"
                    seen.append(path)
            text = json.dumps(answer).encode()
            os.write(self._answer, struct.pack("I", len(text)) + text)

    def _exchange(self, name: str, above: int, leak: str) -> bool:
        """Put a link in the place of a file, or of the folder so many steps above it."""
        way = Path(*Path(name).parts[: len(Path(name).parts) - above])
        self.outside.mkdir()
        shutil.copytree(self.place, self.outside / "mirror", symlinks=True, ignore=_closed)
        for file in (self.outside / "mirror").rglob("*"):
            if leak and file.is_file() and not file.is_symlink():
                file.write_bytes(file.read_bytes().replace("甲".encode(), leak.encode()))
        here = self.place / way
        if os.path.lexists(here):
            os.rename(here, self.place.with_name("kept"))
        elif not here.parent.is_dir():
            return False
        os.symlink(self.outside / "mirror" / way, here)
        (self.outside.with_name("then.json")).write_text(json.dumps(tree(self.outside)), "utf-8")
        return True


def _closed(place: str, names: list[str]) -> list[str]:
    """Return what others cannot see, and cannot guess."""
    return [n for n in names if CLOSED.fullmatch(n)] if CLOSED.fullmatch(Path(place).name) else []


def can_exchange(name: str, above: int) -> bool:
    """Return whether somebody else can exchange what lies so many steps above a path, which is not the folder that was named itself."""
    parts = Path(name).parts[: len(Path(name).parts) - above]
    return len(parts) > (parts[:1] != () and not CLOSED.fullmatch(parts[0])) and not any(
        map(CLOSED.fullmatch, parts[:-1])
    )


def tree(folder: Path) -> dict[str, Any]:
    """Return whatever can be told of what lies in a folder, but when."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        name = path.relative_to(folder).as_posix()
        link, file = path.is_symlink(), path.is_file() and not path.is_symlink()
        found[name] = [status.st_mode, os.readlink(path) if link else path.read_bytes().hex() if file else ""]
    return found


def _hook(event: str, args: tuple[Any, ...]) -> None:
    rival: Rival | None = _STATE["rival"]
    if rival is None or _STATE["busy"] or event not in _TOUCHING:
        return
    _STATE["busy"] = True
    try:
        several = _TOUCHING[event]
        modes = event in ("os.mkdir", "os.chmod")
        folders = [a for a in args[several + modes :] if isinstance(a, int)] if event != "open" else []
        paths = [
            _below(rival.place, a, folders[min(i, len(folders) - 1)] if folders else -1)
            for i, a in enumerate(args[:several])
        ]
        if any(paths):
            rival.say(event, *filter(None, paths))
    finally:
        _STATE["busy"] = False


def _below(place: Path, value: object, folder: int) -> str:
    """Return where below the place a path lies; "" where it does not."""
    if isinstance(value, int) or value is None:
        return ""
    name = os.fsdecode(value)  # type: ignore[arg-type]
    if not os.path.isabs(name):
        if folder >= 0:
            name = os.path.join(os.readlink(f"/proc/self/fd/{folder}"), name)
        else:  # by a handle that nobody is told of
            found = sorted(place.rglob(name)) if name not in ("", ".", "..") else []
            name = str(found[0]) if found else ""
    name = os.path.normpath(name)
    return name.removeprefix(f"{place}{os.sep}") if name.startswith(f"{place}{os.sep}") else ""


@contextmanager
def rivalled(place: Path, outside: Path) -> Iterator[Callable[..., tuple[list[str], str]]]:
    """Give what does something while the other process waits for a moment; it returns what was touched, and what was exchanged."""
    if not _STATE["hooked"]:
        sys.addaudithook(_hook)
        _STATE["hooked"] = True
    rival = Rival(place, outside)

    def run(act: Callable[[], object], at: int = -1, above: int = 0, leak: str = "") -> tuple[list[str], str]:
        rival.say("begin", at, above, leak)
        _STATE["rival"] = rival
        try:
            act()
        finally:
            _STATE["rival"] = None
            seen, done = rival.say("end")
        return seen, done

    try:
        yield run
    finally:
        with suppress(OSError):
            rival.end()
