"""Locks that die with their process: a file that is held while work goes on, and gone, or held by nobody, afterwards."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path


def let_go(path: Path, handle: int) -> None:
    """Give up a lock, and remove its file."""
    if sys.platform == "win32":
        os.close(handle)
        with suppress(OSError):
            os.unlink(path)
        return
    # Removed while still held: whoever waits for this file sees that it is no longer the one in place.
    with suppress(OSError):
        os.unlink(path)
    os.close(handle)


def hold(path: Path) -> int | None:
    """Return a handle that holds the lock, None where somebody else does."""
    for _ in range(10):
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)
        try:
            if sys.platform == "win32":
                import msvcrt

                msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
                return handle
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with suppress(FileNotFoundError):
                if os.stat(path).st_ino == os.fstat(handle).st_ino:
                    return handle
        except (BlockingIOError, PermissionError):
            os.close(handle)
            return None
        os.close(handle)
    return None
