"""
What a process gives up before it reads what a stranger wrote: the network, other programs, other files, memory and time.

Linux: a filter of system calls (seccomp) and a set of folders (Landlock), both of which hold to the end of the process and for
whatever runs in it, native libraries too. Where a system has neither, what Python itself does is refused (an audit hook), and
the limits of the caller hold: it stops whoever takes too long.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

#: By machine: how its kernel calls it (audit.h), and the numbers of system calls that nobody needs for reading a file: socket,
#: connect, execve, execveat, ptrace, process_vm_readv and _writev, io_uring_setup.
_MACHINES = {
    "x86_64": (0xC000003E, (41, 42, 59, 322, 101, 310, 311, 425)),
    "aarch64": (0xC00000B7, (198, 203, 221, 281, 117, 270, 271, 425)),
}
_NO_NEW_PRIVILEGES, _SET_SECCOMP, _DIE_WITH_PARENT, _KILL = 38, 22, 1, 9
#: Landlock: numbers of its system calls, the same on every machine; rights to files up to its first version, and what reads.
_CREATE, _ADD, _RESTRICT = 444, 445, 446
_RIGHTS, _MOVE, _TRUNCATE, _READ = (1 << 13) - 1, 1 << 13, 1 << 14, 0b1100
_NOT_FOLDERS = 0b111 | _TRUNCATE  # rights that a single file can have
#: What Python says it is about to do that reading never takes.
_REACHING = (
    "socket.connect",
    "socket.bind",
    "socket.getaddrinfo",
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.startfile",
    "urllib.Request",
)


def die_with_parent() -> None:
    """End this process when the one that started it ends, however that comes about (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, _KILL, 0, 0, 0)


def give_up(places: Iterable[str | int], rooms: Sequence[Path]) -> None:
    """
    Give up, for good, whatever reading files of some folders does not take.

    Parameters
    ----------
    places
        Folders that may be read, besides those of Python and of this library: by a handle, which means the same one whatever its
        name means by then, or by their names.
    rooms
        The folders that may be written: the first for what readers unpack.
    """
    tempfile.tempdir = os.environ["TMPDIR"] = str(rooms[0])
    # What reads graphs loads joblib, which would warn that it may make no semaphore here.
    os.environ["JOBLIB_MULTIPROCESSING"] = "0"
    sys.addaudithook(_refuse)
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            libc = ctypes.CDLL(None, use_errno=True)
            libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
            _only_folders(libc, [*places, *_of_python()], rooms)
            _no_calls(libc)


def _refuse(event: str, _args: tuple[object, ...]) -> None:
    if event in _REACHING:
        raise PermissionError(errno.EACCES, f"reading a file takes no {event}")


def _of_python() -> list[Path]:
    """Return where Python, its packages and the system's libraries and tables lie."""
    named = [*sys.path, *sysconfig.get_paths().values(), sys.prefix, sys.base_prefix, Path(__file__).parents[1]]
    data = [os.environ.get(name, "") for name in ("PROJ_DATA", "PROJ_LIB", "GDAL_DATA")]
    system = [
        "/usr",
        "/lib",
        "/lib64",
        "/etc/localtime",
        "/proc/self",
        "/dev/null",
        "/dev/urandom",
        "/sys/devices/system/cpu",
    ]
    return [Path(p) for p in dict.fromkeys([*map(str, named), *data, *system]) if p]


def _only_folders(libc: ctypes.CDLL, places: Iterable[str | int | Path], rooms: Iterable[Path]) -> None:
    """Let nothing be read but what lies in some folders, and nothing be written but in others (Landlock)."""
    version = libc.syscall(_CREATE, None, 0, 1)
    if version < 1:
        return
    rights = _RIGHTS | (_MOVE if version >= 2 else 0) | (_TRUNCATE if version >= 3 else 0)
    said = struct.pack("QQ", rights, 0b11)  # and no port bound or connected to
    rules = libc.syscall(_CREATE, said, 16 if version >= 4 else 8, 0)
    if rules < 0:
        return
    try:
        for place, granted in [*((p, _READ) for p in places), *((p, rights) for p in rooms)]:
            with suppress(OSError):
                handle = os.dup(place) if isinstance(place, int) else os.open(place, os.O_PATH | os.O_CLOEXEC)
                try:
                    own = granted if os.path.isdir(handle) else granted & _NOT_FOLDERS
                    libc.syscall(_ADD, rules, 1, struct.pack("=Qi", own & rights, handle), 0)
                finally:
                    os.close(handle)
        libc.syscall(_RESTRICT, rules, 0)
    finally:
        os.close(rules)


class _Filter(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


def _no_calls(libc: ctypes.CDLL) -> None:
    """Answer some system calls with 'not permitted' from here on (seccomp, a program of the Berkeley packet filter)."""
    machine, calls = _MACHINES.get(platform.machine(), (0, ()))
    if not calls or struct.calcsize("P") != 8:
        return
    load, equal, at_least, answer = 0x20, 0x15, 0x35, 0x06
    allow, refuse = 0x7FFF0000, 0x00050000 | errno.EACCES
    steps = [(load, 0, 0, 4), (equal, 0, len(calls) + 3, machine), (load, 0, 0, 0)]
    steps.append((at_least, len(calls) + 1, 0, 0x40000000))  # the other way to number calls on the same machine
    steps += [(equal, len(calls) - i, 0, call) for i, call in enumerate(calls)]
    steps += [(answer, 0, 0, allow), (answer, 0, 0, refuse)]
    code = b"".join(struct.pack("=HBBI", *step) for step in steps)
    libc.prctl(_SET_SECCOMP, 2, ctypes.byref(_Filter(len(steps), code)), 0, 0)


def limit(seconds: float, megabytes: float) -> None:
    """Let this process have so much more processor time and memory than it has had until now, where the system can."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
        _, most = resource.getrlimit(resource.RLIMIT_CPU)
        soon = int(used + seconds) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (soon if most < 0 else min(soon, most), most))
        held = int(Path("/proc/self/statm").read_text("ascii").split()[5]) * resource.getpagesize()
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        room = held + int(megabytes * 1e6)
        resource.setrlimit(resource.RLIMIT_DATA, (room if most < 0 else min(room, most), most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
