"""
A place beside a folder where its successor is made, and the exchange of the two, which a kill cannot spoil.

The place is locked by whoever works in it, and the lock dies with the process: what is found unlocked was left by one that was
killed. If that happened between putting the old folder aside and putting the new one there, the old one is put back.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..core import SourceError, held, hidden, hold, let_go, remove_tree

_OLD, _LOCK = "old", "lock"


@contextmanager
def beside(target: Path, purpose: str = "import") -> Iterator[Path]:
    """
    Give an empty folder in which the successor of `target` is made; whatever is left there goes at the end.

    Places of earlier processes that were killed are swept first, and an old folder that lies in one is put back.
    """
    put_back(target, purpose)
    place = Path(tempfile.mkdtemp(prefix=_prefix(target, purpose), dir=target.parent))
    handle = hold(place / _LOCK, target.parent)
    try:
        yield hidden(place, target.parent)
    finally:
        # What could not be put where it belongs stays, for the next process to put back.
        if target.exists() or not (place / _OLD).exists():
            remove_tree(place)
        if handle is not None:
            let_go(place / _LOCK, handle, target.parent)
        with suppress(OSError):
            place.rmdir()


def exchange(fresh: Path, target: Path) -> None:
    """Put the finished folder of `beside` in the place of the old one; the old one stays until the new one is there."""
    room, had = fresh.parents[1], target.exists()
    with (
        held(target) as (name, here),
        held(fresh, room) as (new, made),
        held(fresh.parent / _OLD, room) as (old, aside),
    ):
        if had:
            os.replace(name, old, src_dir_fd=here, dst_dir_fd=aside)
        try:
            os.replace(new, name, src_dir_fd=made, dst_dir_fd=here)
        except OSError:
            if had:
                os.replace(old, name, src_dir_fd=aside, dst_dir_fd=here)
            raise


def put_back(target: Path, purpose: str = "import") -> bool:
    """
    Sweep what killed processes left beside a folder; return whether the folder itself had to be put back.

    What a living process works in is left alone, and so is what is no folder of its own.
    """
    found = False
    for place in _left(target, purpose):
        with suppress(OSError, SourceError):
            handle = hold(place / _LOCK, target.parent)
            if handle is None:
                continue
            try:
                if not os.path.lexists(target) and (place / _OLD).is_dir() and not (place / _OLD).is_symlink():
                    os.replace(place / _OLD, target)
                    found = True
                if os.path.lexists(target) or not (place / _OLD).exists():
                    remove_tree(place)
            finally:
                let_go(place / _LOCK, handle, target.parent)
            with suppress(OSError):
                place.rmdir()
    return found


def _left(target: Path, purpose: str) -> list[Path]:
    """Return the places beside a folder, the latest first: an older one may hold an older state."""
    prefix = _prefix(target, purpose)
    try:
        with os.scandir(target.parent) as around:
            names = [e.name for e in around if e.name.startswith(prefix) and e.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    return sorted((target.parent / name for name in names), key=lambda p: (-p.lstat().st_mtime_ns, p.name))


def _prefix(target: Path, purpose: str) -> str:
    return f".{target.name}-{purpose}-"
