"""Locks that die with their process: a file that is held while work goes on, and gone, or held by nobody, afterwards."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

from .errors import SourceError
from .opening import held


def let_go(path: Path, handle: int, folder: Path | None = None) -> None:
    """Give up a lock, and remove its file: that one, and no other that goes by its name now."""
    if sys.platform == "win32":
        os.close(handle)
        with suppress(OSError):
            os.unlink(path)
        return
    # Removed while still held: whoever waits for this file sees that it is no longer the one in place.
    with suppress(OSError, SourceError), held(path, folder) as (name, place):
        own = os.fstat(handle)
        if own.st_size == 0 and os.path.samestat(own, os.stat(name, dir_fd=place, follow_symlinks=False)):
            os.unlink(name, dir_fd=place)
    os.close(handle)


def hold(path: Path, folder: Path | None = None) -> int | None:
    """Return a handle that holds the lock, None where somebody else does; from `folder` on no link is followed on the way."""
    with held(path, folder) as (name, place):
        for _ in range(10):
            handle = os.open(name, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644, dir_fd=place)
            try:
                if sys.platform == "win32":
                    import msvcrt

                    msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
                    return handle
                import fcntl

                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                with suppress(FileNotFoundError):
                    if os.path.samestat(os.stat(name, dir_fd=place), os.fstat(handle)):
                        return handle
            except (BlockingIOError, PermissionError):
                os.close(handle)
                return None
            os.close(handle)
    return None
