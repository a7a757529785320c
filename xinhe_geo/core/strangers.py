"""
Files of strangers are read in a process of their own, which has given up everything but reading them (`confinement`).

What comes back is plain values (`plain`): bytes that break a parser break that process, and one that they have taken over can
send numbers and texts. It gets time and memory by the size of the file. What lies in a folder that is ours is read in this
process: it costs nothing there.
"""

from __future__ import annotations

import faulthandler
import gc
import io
import mimetypes
import os
import pickle
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, NamedTuple, NoReturn, ParamSpec, TypeVar

import pandas as pd
import pyogrio.errors

from . import errors, progress
from .confinement import die_with_parent, give_up, limit
from .files import cannot_write
from .i18n import speaking
from .opening import is_below, nobody_else_changes
from .plain import read_plain, write_plain
from .schema import bundled_folder
from .sentences import english, language, say
from .worker import alone, forking

P = ParamSpec("P")
Result = TypeVar("Result")

#: Seconds of processor time and megabytes of memory for a file of nothing, and for each megabyte in it.
_SECONDS, _SECONDS_PER_MB, _MEGABYTES, _MEGABYTES_PER_MB, _MOST_MEGABYTES = 8.0, 0.25, 280.0, 60.0, 3_000.0
#: Files that are packed hold about so many times what they are long.
_PACKED = {".xlsx": 10, ".kmz": 10, ".parquet": 10, ".geoparquet": 10}
#: Others hold little more than they are long, but take a while to unpack and go through.
_WORK = {".gz": 10, ".bz2": 10, ".pbf": 20}
#: What takes a file apart into many has them all open: so much memory more.
_MEGABYTES_WRITING = 400.0
#: After so many times the processor time it may take, by the clock, a process that has used less than this share of it since the
#: last look waits for something that does not come. One that works on is stopped by the processor time alone: on a machine that is
#: busy an honest file takes any number of minutes.
_WAIT, _IDLE = 12, 0.01
#: An answer that is longer is none.
_MOST_ANSWER = 4_000_000_000
#: What is wrong with a file is no page, whichever library said it and whatever it quotes.
_MOST_SAID = 2_500
_OUT_OF_TIME = "读了太久还没有读完，不像正常的文件"
_OUT_OF_ROOM = "读它要的内存太多，不像正常的文件"
_TOO_DEEP = "里面一层套一层，太深，不像正常的文件"
_BROKE = "读的时候中断了，文件损坏或不像正常的文件"
_REMEDY = "打开看看是否完整，只留要用的内容，另存为新的文件"


class _Child(NamedTuple):
    """The other process: its number, where work goes in and answers come out, what it may read, where it may write."""

    pid: int
    work: IO[bytes]
    answers: IO[bytes]
    places: Mapping[str, int]  # held open: what takes the place of a folder is another one, which it may not read
    rooms: Sequence[str]  # the first is its own, and goes with it
    process: subprocess.Popen[bytes] | None  # None: a fork

    def may_read(self, place: str) -> bool:
        """Return whether a folder is one of the places, or lies in one."""
        return any(is_below(place, own) and _is_still(own, handle) for own, handle in self.places.items())


class _State:
    """Of this process: the other one, how many `reading` are open, which folders are ours, whether this is the other one."""

    def __init__(self) -> None:
        self.child: _Child | None = None
        self.owner = os.getpid()
        self.open = 0
        self.ours: list[str] = []
        self.confined = False


_STATE = _State()
_LOCK = threading.RLock()


@contextmanager
def reading(*ours: Path) -> Iterator[None]:
    """Keep one process for what is read within; what lies in folders that are `ours` is read in this one."""
    with _LOCK:
        _after_fork()
        _STATE.open += 1
        kept = len(_STATE.ours)
        _STATE.ours += [os.path.realpath(folder) for folder in ours]
    try:
        yield
    finally:
        with _LOCK:
            del _STATE.ours[kept:]
            _STATE.open -= 1
            if _STATE.open == 0 and _STATE.child is not None:  # the next may read other folders, and not these
                _end(_STATE.child)


def apart(
    function: Callable[P, Result],
    path: Path,
    /,
    *args: Any,
    folder: Path | None = None,
    into: Path | None = None,
    **kwargs: Any,
) -> Result:
    """
    Return what a function of this library makes of a file, called in the other process unless the file is ours.

    Parameters
    ----------
    function
        Its first argument is the path; it returns plain values (`plain`).
    folder
        What the file came with, and may be read with it; by default the folder it lies in.
    into
        A folder in which the function may write; by default it has none.

    Raises
    ------
    SourceError
        Reading it took too much time or memory, or broke the other process. Otherwise what the function raises.
    """
    with _LOCK:
        _after_fork()
        if _STATE.confined or _is_ours(path):
            return function(path, *args, **kwargs)  # type: ignore[arg-type]
        with reading():
            place = os.path.abspath(path.parent if folder is None else folder)
            child = _child(place, None if into is None else os.path.abspath(into))
            return _ask(child, function, path, args, kwargs)


def _after_fork() -> None:
    """Forget the other process of the one this was forked from."""
    if _STATE.owner != os.getpid():
        _STATE.child, _STATE.owner = None, os.getpid()


def _is_ours(path: Path) -> bool:
    """Return whether a file is the program's own, or lies in a folder of ours where nobody else can exchange it meanwhile."""
    place, bundled = os.path.realpath(path), bundled_folder()
    if is_below(place, os.path.realpath(bundled)) and is_below(os.path.abspath(path), os.path.abspath(bundled)):
        return True
    return any(is_below(place, own) for own in _STATE.ours) and nobody_else_changes(path)


def _ask(child: _Child, function: Callable[..., Any], path: Path, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    # what reading a file, or the files of a folder, may take
    parts = path.iterdir() if path.is_dir() else path.parent.glob(f"{_plain_stem(path)}.*") if path.exists() else ()
    size = sum(p.stat().st_size for p in parts if p.is_file()) / 1e6 * _PACKED.get(path.suffix.lower(), 1)
    work = _SECONDS_PER_MB * size * _WORK.get(path.suffix.lower(), 1)
    seconds, megabytes = _SECONDS + work, min(_MEGABYTES + _MEGABYTES_PER_MB * size, _MOST_MEGABYTES)
    megabytes += _MEGABYTES_WRITING * (len(child.rooms) > 1)
    late, answered = threading.Event(), threading.Event()

    def watch() -> None:
        before = _processor_seconds(child.pid)
        while not answered.wait(seconds * _WAIT):
            now = _processor_seconds(child.pid)
            if now - before < seconds * _IDLE:
                late.set()
                with suppress(OSError):
                    os.kill(child.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
                return
            before = now

    clock = threading.Thread(target=watch, daemon=True)
    clock.start()
    try:
        asked = (function, path, args, kwargs, seconds, megabytes, language())
        pickle.dump(_whole(asked), child.work, protocol=pickle.HIGHEST_PROTOCOL)
        child.work.flush()
        kind, said = read_plain(io.BytesIO(_answer(child.answers)))
    except (OSError, EOFError, ValueError, MemoryError) as error:
        ended = _end(child)
        out_of_time = late.is_set() or ended == -getattr(signal, "SIGXCPU", 0)
        raise _refused(path, _OUT_OF_TIME if out_of_time else _BROKE) from error
    except BaseException:
        _end(child)
        raise
    finally:
        answered.set()
        clock.join()  # a thread that is still there would keep the next one from being a fork
    if kind == "memory":
        _end(child)
        raise _refused(path, _OUT_OF_ROOM)
    if kind == "depth":
        raise _refused(path, _TOO_DEEP)
    return said if kind == "found" else _raise(kind, said)


def _whole(said: Any) -> Any:
    """Return paths as they are wherever one stands, also those in plain lists and tables: the other process stands elsewhere."""
    if isinstance(said, Path):
        return said.absolute()
    if type(said) in (list, tuple):
        return type(said)(map(_whole, said))
    return {key: _whole(value) for key, value in said.items()} if type(said) is dict else said


def _processor_seconds(pid: int) -> float:
    """Return how much processor time a process has had; 0 where the system does not tell, so that the clock decides there."""
    with suppress(OSError, ValueError, IndexError):
        own = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        return (int(own[11]) + int(own[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _answer(stream: IO[bytes]) -> bytes:
    size = struct.unpack("Q", stream.read(8).ljust(8, b"\xff"))[0]
    content = stream.read(size) if size < _MOST_ANSWER else b""
    if len(content) < size:
        raise EOFError
    return content


def _plain_stem(path: Path) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in path.stem)


def _refused(path: Path, what: str) -> errors.SourceError:
    return errors.refused(say(what), say(_REMEDY), file=path.name)


# --- failures travel by name -------------------------------------------------------------------------------------------

#: What readers raise that their callers know by type, besides the system's and our own.
_KNOWN: dict[str, type[Exception]] = {
    kind.__name__: kind
    for kind in (
        ValueError,
        TypeError,
        KeyError,
        RuntimeError,
        pd.errors.ParserError,
        pd.errors.EmptyDataError,
        pyogrio.errors.DataSourceError,
        pyogrio.errors.DataLayerError,
        pyogrio.errors.FeatureError,
    )
}


def _said(error: Exception) -> tuple[str, Any]:
    """Return a failure as plain values."""
    if isinstance(error, MemoryError):
        return "memory", ""
    if isinstance(error, RecursionError):
        return "depth", ""
    if isinstance(error, errors.DataError):
        return "data", (error.problems, error.folder)
    if isinstance(error, errors.XinheError):
        parts = (error.what, error.remedy) if isinstance(error, errors.SourceError) else ("", "")
        return "ours", (type(error).__name__, str(error), *parts)
    if isinstance(error, OSError):
        return "system", (error.errno or 0, error.strerror or str(error))
    named = next((kind.__name__ for kind in type(error).__mro__ if kind.__name__ in _KNOWN), "RuntimeError")
    return "known", (named, str(error) if named == type(error).__name__ else f"{error} ({type(error).__name__})")


def _raise(kind: str, said: Any) -> NoReturn:
    if kind == "data":
        raise errors.DataError(*said)
    if kind == "system":
        raise OSError(*said)
    name, text, *parts = (errors.in_short(told.splitlines()) if len(told) > _MOST_SAID else told for told in said)
    found = getattr(errors, name, errors.SourceError) if kind == "ours" else _KNOWN[name]
    if found in (errors.DataError, errors.UnknownNameError) or not issubclass(found, Exception):
        found = errors.SourceError
    error = found(text)
    if isinstance(error, errors.SourceError) and len(parts) == 2 and parts[0]:
        error.what, error.remedy = map(str, parts)
    raise error


# --- the other process -------------------------------------------------------------------------------------------------


def _child(place: str, into: str | None) -> _Child:
    """Return the process that may read a folder, and write into one; another one where the one at hand may not."""
    child = _STATE.child
    if child is not None and child.may_read(place) and (into is None or into in child.rooms):
        return child
    known = () if child is None else [own for own in child.places if os.path.isdir(own)]
    if child is not None:
        _end(child)
    made = [] if into is None else [into]
    places = {own: _held(own) for own in sorted({place, *known, *made})}
    rooms = [_own_room(), *made]
    start = _forked if sys.platform == "linux" and alone() else _started
    _STATE.child = start(places, rooms)
    return _STATE.child


def _own_room() -> str:
    try:
        return tempfile.mkdtemp(prefix="xinhe-")
    except OSError as error:
        raise cannot_write(say("临时文件"), error) from error


def _held(place: str) -> int:
    """Hold a folder open, where a process is shut out of whatever it was not given: its number names no other meanwhile."""
    with suppress(OSError):
        return os.open(place, os.O_PATH | os.O_CLOEXEC) if sys.platform == "linux" else -1
    return -1


def _got_hold_of(places: Mapping[str, int]) -> list[str | int]:
    """Return folders as what is held open of them, by their names only where nothing is."""
    return [place if handle < 0 else handle for place, handle in places.items()]


def _is_still(place: str, handle: int) -> bool:
    if sys.platform != "linux":
        return True
    with suppress(OSError):
        return os.path.samestat(os.fstat(handle), os.stat(place))
    return False


def _forked(places: Mapping[str, int], rooms: Sequence[str]) -> _Child:
    (work_out, work_in), (answers_out, answers_in) = os.pipe(), os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    with forking():
        pid = os.fork()
        if pid == 0:
            os.close(work_in)
            os.close(answers_out)
            _serve_and_end(work_out, answers_in, _got_hold_of(places), rooms)
    os.close(work_out)
    os.close(answers_in)
    return _Child(pid, open(work_in, "wb"), open(answers_out, "rb"), places, rooms, None)


def _serve_and_end(work_out: int, answers_in: int, places: Iterable[str | int], rooms: Sequence[str]) -> NoReturn:
    """Serve in a fork, which ends here whatever comes: nothing of what it was copied from runs in it again."""
    try:
        gc.freeze()
        die_with_parent()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other of the two answers an interrupt
        progress.silence()
        faulthandler.disable()
        silent = os.open(os.devnull, os.O_WRONLY)
        for standard in (1, 2):
            os.dup2(silent, standard)
        with open(work_out, "rb") as work, open(answers_in, "wb") as answers:
            _serve(work, answers, places, rooms)
    finally:
        os._exit(0)


def _started(places: Mapping[str, int], rooms: Sequence[str]) -> _Child:
    known = sorted(
        name for name in sys.modules if name.partition(".")[0] == __name__.partition(".")[0] and "__main__" not in name
    )
    code = (
        f"import sys, importlib; sys.path[:] = {sys.path!r}; [importlib.import_module(name) for name in {known!r}]; "
        f"from {__name__} import serve; serve({_got_hold_of(places)!r}, {list(rooms)!r})"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        pass_fds=[handle for handle in places.values() if handle >= 0],
    )
    assert process.stdin is not None
    assert process.stdout is not None
    return _Child(process.pid, process.stdin, process.stdout, places, rooms, process)


def _end(child: _Child) -> int:
    """End the other process; return how it ended, a signal as a negative number."""
    if _STATE.child is child:
        _STATE.child = None
    with suppress(OSError):  # what was not read has nowhere to go
        child.work.close()
    if child.process is not None:
        child.process.kill()
        code = child.process.wait()
    else:
        with suppress(OSError):
            os.kill(child.pid, signal.SIGKILL)
        code = 0
        with suppress(ChildProcessError):
            code = os.waitstatus_to_exitcode(os.waitpid(child.pid, 0)[1])
    child.answers.close()
    for handle in child.places.values():
        if handle >= 0:
            os.close(handle)
    shutil.rmtree(child.rooms[0], ignore_errors=True)
    return code


def serve(places: list[str | int], rooms: list[str]) -> None:
    """Read what comes in on standard input, and answer on standard output."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no answer
    _serve(sys.stdin.buffer, answers, places, rooms)


def _serve(work: IO[bytes], answers: IO[bytes], places: Iterable[str | int], rooms: Sequence[str]) -> None:
    _STATE.confined = True
    mimetypes.init()  # what libraries look up in folders that are closed from here on
    english()  # and what is wrong with a file is said in either language
    sys.path[:] = [os.path.abspath(place) for place in sys.path]
    os.chdir(next(iter(rooms)))  # where nobody has put a file by whose name a reader would be led
    give_up(list(places), [Path(p) for p in rooms])
    while True:
        try:
            function, path, args, kwargs, seconds, megabytes, lang = pickle.load(work)
        except EOFError:
            return
        limit(seconds, megabytes)
        stream = io.BytesIO()
        try:
            with speaking(lang):
                write_plain(("found", function(path, *args, **kwargs)), stream)
        except Exception as error:
            stream = io.BytesIO()
            write_plain(_said(error), stream)
        with stream.getbuffer() as content:
            answers.write(struct.pack("Q", len(content)))
            answers.write(content)
        answers.flush()
