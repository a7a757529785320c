"""
Files and folders that somebody else may exchange while they are used: got hold of once, and what was got hold of is used.

A name that has been looked at may mean another file by the time it is opened, written or removed: whoever may write into the
same folder puts a link in its place, or in the place of a folder on the way. So what is opened here is looked at by its handle
(`opened`), and what is done to a file is done in the folder that was got hold of (`held`), whatever that is called by then.
Where a system has no such handles (Windows), names are all there is.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from io import BufferedReader
from pathlib import Path

from .errors import SourceError, refused
from .sentences import say

#: To look at a file before anything begins by opening it, as on a device or a pipe; elsewhere nothing waits, at least.
_LOOKING = getattr(os, "O_PATH", getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)) | getattr(os, "O_BINARY", 0)
_FOLDER = getattr(os, "O_PATH", 0) | getattr(os, "O_DIRECTORY", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_HANDLES = {os.open, os.unlink, os.rename, os.stat} <= os.supports_dir_fd
_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def ordinary(path: Path, folder: Path | None = None) -> None:
    """
    Refuse what is no file of its own: a device, a pipe, or a link that leads out of the folder it came with.

    Raises
    ------
    SourceError
        With what it is and what to do.
    """
    with suppress(OSError):  # whoever opens it is told
        os.close(_looked_at(path, folder))


def opened(path: Path, folder: Path | None = None) -> BufferedReader:
    """
    Open a file for reading: an ordinary one, inside its folder, whatever its name meant before.

    Parameters
    ----------
    folder
        What the file came with, and links must not lead out of; by default the folder it lies in.

    Raises
    ------
    SourceError
        It is something else, or lies elsewhere.
    OSError
        It cannot be opened.
    """
    handle = _looked_at(path, folder)
    if not hasattr(os, "O_PATH"):
        return open(handle, "rb")
    try:
        return open(f"/proc/self/fd/{handle}", "rb")
    finally:
        os.close(handle)


def read_whole(path: Path, folder: Path | None = None, most: int = -1) -> bytes:
    """
    Return the bytes of a file, opened as `opened` does; of a longer one than `most`, one byte more than that.

    Raises
    ------
    SourceError, OSError
        As `opened`.
    """
    with opened(path, folder) as stream:
        return stream.read(most + 1 if most >= 0 else -1)


def _looked_at(path: Path, folder: Path | None) -> int:
    """Return a handle of a file that is an ordinary one, inside its folder."""
    home = os.path.realpath(path.parent if folder is None else folder)
    if sys.platform == "win32" and path.is_dir():  # which it does not open
        raise refused(say("不是普通文件"), say("换成真正的文件"), file=path.name)
    handle = os.open(path, _LOOKING)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise refused(say("不是普通文件"), say("换成真正的文件"), file=path.name)
        if not is_below(_place(handle, path), home):
            raise refused(say("是指向文件夹外面的链接"), say("把文件本身放进来"), file=path.name)
    except BaseException:
        os.close(handle)
        raise
    return handle


def _place(handle: int, path: Path) -> str:
    """Return where a file lies that is open; "" where its name means another one by now."""
    with suppress(OSError):
        return os.readlink(f"/proc/self/fd/{handle}")
    real = os.path.realpath(path)
    with suppress(OSError):
        if os.path.samestat(os.lstat(real), os.fstat(handle)):
            return real
    return ""


def is_below(place: str, folder: str) -> bool:
    """Return whether a place is a folder or lies in it; both without links."""
    return os.path.normcase(place) == os.path.normcase(folder) or os.path.normcase(place).startswith(
        os.path.normcase(os.path.join(folder, ""))
    )


@contextmanager
def held(path: Path, folder: Path | None = None, *, make: bool = False) -> Iterator[tuple[str, int | None]]:
    """
    Get hold of the folder that something lies in; give its name and the handle, by which `os` does something to it there.

    Parameters
    ----------
    folder
        From here on no link is followed on the way; by default only what lies in the last folder is meant.
    make
        Folders on the way are made where they are missing.

    Raises
    ------
    SourceError
        There is a link on the way.
    OSError
        It cannot be got hold of.
    """
    if make and (folder is None or not _HANDLES):
        path.parent.mkdir(parents=True, exist_ok=True)
    if not _HANDLES:
        yield str(path), None
        return
    # what Python names a folder by that it makes begins at the root, from 3.12 on, whatever it was asked for
    way = [] if folder is None else path.absolute().parent.relative_to(folder.absolute()).parts
    handle = os.open(path.parent if folder is None else folder, _FOLDER)
    try:
        for part in way:
            try:
                if make:
                    with suppress(FileExistsError):
                        os.mkdir(part, dir_fd=handle)
                inner = os.open(part, _FOLDER | _NO_LINK, dir_fd=handle)
            except NotADirectoryError as error:
                raise _led_astray(path) from error
            os.close(handle)
            handle = inner
        yield path.name, handle
    finally:
        os.close(handle)


def _led_astray(path: Path) -> SourceError:
    what = say("{0} 的路径里有一段是链接或文件，没有动任何文件", path.name)
    return refused(what, say("换成真正的文件或文件夹，或删去这个链接"))


def nobody_else_changes(path: Path) -> bool:
    """Return whether no other account may change a file, put something beside it, or another in its place (Windows: not known)."""
    if not hasattr(os, "geteuid"):
        return True
    real = Path(os.path.realpath(path))
    places = [(p, depth < 2) for way in (path.absolute(), real) for depth, p in enumerate((way, *way.parents))]
    with suppress(OSError):
        return all(_is_mine(os.lstat(place), close) for place, close in places)
    return False


def _is_mine(status: os.stat_result, close: bool) -> bool:
    """Return whether only this account (and root) may change something; farther up, where others may change only what is theirs."""
    if status.st_uid not in (0, os.geteuid()):
        return False
    if stat.S_ISLNK(status.st_mode) or (status.st_mode & stat.S_ISVTX and not close):
        return True
    others = status.st_mode & _OTHERS
    return not others or (others == stat.S_IWGRP and _is_own_group(status.st_gid))


@cache
def _is_own_group(number: int) -> bool:
    """Return whether a group is the one that many systems make for each account, of the same name."""
    if sys.platform == "win32":
        return False
    import grp
    import pwd

    with suppress(KeyError):
        return grp.getgrgid(number).gr_name == pwd.getpwuid(os.geteuid()).pw_name
    return False
