"""
How a file gets to its place: it grows beside it, is safe on the disk, and is put there at once. All that is written passes here.

So a failure leaves an earlier file as it was, and is told in one sentence that says what to do. Libraries that write files
themselves are given a name (`growing`) and hand over what they made.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pyogrio.errors import DataLayerError, DataSourceError, FeatureError

from .errors import EnvironmentProblem, SourceError, XinheError, os_words
from .i18n import speaking
from .locks import hold, let_go
from .opening import held
from .sentences import language, say

#: What the system says of a disk that is full, or of a share of it that is used up.
_NO_MORE = {errno.ENOSPC, errno.EDQUOT}
_REMEDIES = {
    errno.EROFS: "换一个能写的文件夹",
    errno.EEXIST: "",  # these say it by themselves
    errno.EISDIR: "",
    errno.ENOTDIR: "",
    errno.ENAMETOOLONG: "换一个短些的名字",
}
#: What libraries raise that write files, of a disk that is full or a folder that may not be written.
_OF_LIBRARIES = (DataSourceError, DataLayerError, FeatureError, sqlite3.Error)
#: How they say that the disk is full, where they know; and so many bytes that are free mean that it is.
_FULL = re.compile(r"disk (is )?full|no space left", re.IGNORECASE)
_NO_ROOM = 100_000
#: SQLite takes 512 bytes, of which its own files beside a database and our room beside the place need some.
_LONGEST = 400
_REMEDY = "检查权限和磁盘空间；若它正被 Excel、WPS 或浏览器打开，请关闭后重试"


def is_full(error: BaseException) -> bool:
    """Return whether an error says that there is no more room on a disk; Python says so too when it finds none for what passes."""
    number = error.errno if isinstance(error, OSError) else None
    return number in _NO_MORE or (number == errno.ENOENT and "temporary directory" in str(error))


def full_disk(name: str, place: Path | None = None, need: int = 0) -> EnvironmentProblem:
    """
    Return the error of a disk that is full, in English too whatever is spoken: what was not written, what it needs and what is left.

    Parameters
    ----------
    name
        What was to be written.
    place
        Where; what is left there is said where it is less than what is needed.
    need
        Bytes, where they are known.
    """
    left = -1
    with suppress(OSError):
        above = None if place is None else next((p for p in (place, *place.parents) if p.is_dir()), None)
        left = -1 if above is None else shutil.disk_usage(above).free
    told = []
    for lang in dict.fromkeys((language(), "en")):
        with speaking(lang):
            room = [say("要 {0:,.2f} MB", need / 1e6)] if need else []
            if 0 <= left < max(need, _NO_ROOM):
                room.append(say("还剩 {0:,.2f} MB", left / 1e6))
            more = say("（{0}）", say("，").join(room)) if room else ""
            told.append(say("写 {0} 时出错：磁盘满了。腾出空间后重试，或换一个盘{1}", name, more))
    return EnvironmentProblem(" / ".join(told))


def cannot_write(name: str, error: Exception, place: Path | None = None, need: int = 0) -> EnvironmentProblem:
    """Return the error of a file that cannot be written, with what to do; of a full disk as `full_disk`."""
    why, remedy = str(error).splitlines()[-1:], _REMEDY
    if is_full(error) or (_FULL.search(str(error)) and not isinstance(error, OSError)):
        return full_disk(name, place, need)
    if isinstance(error, OSError):
        why, remedy = [os_words(error)], _REMEDIES.get(error.errno or 0, _REMEDY)
    said = say("写 {0} 时出错：{1}", name, "".join(why)[-160:])
    return EnvironmentProblem(say("{0}。{1}", said, say(remedy)) if remedy else said)


def holds(path: Path, content: bytes) -> bool:
    """Return whether a path is an ordinary file of this content; nothing longer is read, and nothing that has no end."""
    return path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content


def write_bytes(path: Path, content: bytes, *, room: Path | None = None, folder: Path | None = None) -> Path:
    """
    Write a file, and the folders above it, so that it is there whole or not at all; return its place.

    Parameters
    ----------
    room
        Folder on the same disk in which it grows; by default its own.
    folder
        From here on no link is followed on the way to it (`held`).

    Raises
    ------
    EnvironmentProblem
        It cannot be written, or is held open.
    SourceError
        There is a link on the way.
    """
    with growing(path, room=room, size=len(content), folder=folder) as fresh:
        fresh.write_bytes(content)
    return path


def write_text(path: Path, text: str, *, mark: bool = False, folder: Path | None = None) -> Path:
    """
    Write a text as `write_bytes` does: UTF-8, lines as they are, with the `mark` by which Excel knows that it is.

    Raises
    ------
    EnvironmentProblem, SourceError
        As `write_bytes`.
    """
    return write_bytes(path, text.encode("utf-8-sig" if mark else "utf-8"), folder=folder)


@contextmanager
def growing(path: Path, *, room: Path | None = None, size: int = 0, folder: Path | None = None) -> Iterator[Path]:
    """
    Give a name, as the file's own but beside it, to write to; when all went well the file is put in its place.

    Parameters
    ----------
    room
        Folder on the same disk in which it grows; by default its own.
    size
        How many bytes it will have, where that is known.
    folder
        From here on no link is followed on the way to it (`held`).

    Raises
    ------
    EnvironmentProblem
        It cannot be written, or is held open.
    SourceError
        There is a link on the way.
    """
    try:
        with held(path, folder, make=True):
            pass
        with own_room(path, room, folder) as own:
            yield own / path.name
            place_file(own / path.name, path, folder)
    except XinheError:
        raise
    except OSError as error:
        raise cannot_write(path.name, error, path, size) from error
    except _OF_LIBRARIES as error:
        raise cannot_write(path.name, _reason(path) or error, path) from error
    except Exception as error:
        said = error.args[0] if error.args else None
        if isinstance(said, OSError):  # XlsxWriter wraps what the system said
            raise cannot_write(path.name, said, path) from error
        raise


def _reason(path: Path) -> OSError | None:
    """Return why a library could not write a file, where it does not know: no room on the disk, or too long a name."""
    with suppress(OSError):
        if shutil.disk_usage(path.parent).free < _NO_ROOM:
            return OSError(errno.ENOSPC, "")
    return OSError(errno.ENAMETOOLONG, "") if len(os.fsencode(path.absolute())) > _LONGEST else None


def place_file(fresh: Path, path: Path, folder: Path | None = None, origin: Path | None = None) -> None:
    """
    Put a finished file in its place, once it is safe on the disk: the step that all that is written goes through.

    Parameters
    ----------
    folder
        From here on no link is followed on the way to its place (`held`).
    origin
        From here on none is followed to where it lies; not needed where nobody else knows of that.

    Raises
    ------
    SourceError
        There is a link on the way.
    OSError
        It cannot be put there.
    """
    with held(fresh, origin) as (own, room), held(path, folder) as (name, place):
        handle = os.open(own, os.O_RDWR | _EXACTLY, dir_fd=room)
        try:
            os.fsync(handle)
            with suppress(FileNotFoundError):
                before = os.stat(name, dir_fd=place, follow_symlinks=False)
                if stat.S_ISREG(before.st_mode) and os.chmod in os.supports_fd:
                    os.chmod(handle, stat.S_IMODE(before.st_mode))
        finally:
            os.close(handle)
        os.replace(own, name, src_dir_fd=room, dst_dir_fd=place)


def remove_file(path: Path, folder: Path | None = None) -> None:
    """
    Remove a file, if it is there, and nothing by its name in another folder.

    Parameters
    ----------
    folder
        From here on no link is followed on the way to it (`held`).

    Raises
    ------
    SourceError
        There is a link on the way.
    OSError
        It cannot be removed.
    """
    with suppress(FileNotFoundError), held(path, folder) as (name, place):
        os.unlink(name, dir_fd=place)


def remove_tree(path: Path, folder: Path | None = None) -> None:
    """Remove a folder and what lies in it as far as that goes: no link is followed on the way from `folder`, or below."""
    with suppress(OSError, SourceError), held(path, folder) as (name, place):
        shutil.rmtree(name, ignore_errors=True, dir_fd=place)


_PREFIX = ".xinhe-"
#: A file by its name, not one that it leads to; to the byte.
_EXACTLY = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
#: So many seconds after it was made a room without a lock belongs to nobody who is just about to hold it.
_ABOUT_TO = 10.0


def keep_file(path: Path, old: Path, folder: Path) -> None:
    """Keep a file of a folder as it is now, by another name for it where the disk knows such; nothing where there is no file."""
    if not path.is_file():
        return
    with held(path, folder) as (name, place):
        old.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(name, old, src_dir_fd=place, follow_symlinks=False)
        except (OSError, NotImplementedError):
            shutil.copy2(path, old, follow_symlinks=False)


def room_lock(room: Path) -> Path:
    """Return the file that is held in a room while its process lives."""
    return room / ".lock"


@contextmanager
def own_room(path: Path, above: Path | None = None, folder: Path | None = None) -> Iterator[Path]:
    """
    Give an empty folder beside a place (or in `above`) for what is to come there; what killed processes left goes first.

    It lies in a room that is closed to others, under a name that they cannot know: whoever puts something else in the place of
    the room leads nobody who writes by that name. From `folder` on no link is followed on the way to it.
    """
    where = path.parent if above is None else above
    sweep(where, path)
    home = where if folder is None else folder
    room = _made(where, beside_prefix(path), home, 0o700)
    handle = hold(room_lock(room), home)
    try:
        yield hidden(room, home)
    finally:
        if handle is not None:
            let_go(room_lock(room), handle, home)
        remove_tree(room, home)


def hidden(room: Path, folder: Path) -> Path:
    """Make a folder in one that is closed to others, under a name that they cannot know."""
    return _made(room, f"{_PREFIX}in-", folder, 0o755)


def _made(where: Path, prefix: str, folder: Path, mode: int) -> Path:
    """Make a folder whose name ends at random."""
    found = where / f"{prefix}{secrets.token_hex(4)}"
    with held(found, folder) as (name, place):
        os.mkdir(name, mode, dir_fd=place)
    return found


def sweep(where: Path, path: Path, *, about_to: float | None = None) -> None:
    """
    Remove rooms for a place that lie in a folder and whose processes are gone.

    Parameters
    ----------
    about_to
        An empty one that is younger, in seconds (ten by default), may belong to a process that is about to hold it.
    """
    young = _ABOUT_TO if about_to is None else about_to
    try:
        with os.scandir(where) as around:
            left = [
                e.path for e in around if e.name.startswith(beside_prefix(path)) and e.is_dir(follow_symlinks=False)
            ]
    except OSError:
        return
    for room in map(Path, left):
        with suppress(OSError, SourceError):
            age = time.time() - room.lstat().st_mtime  # below 0 where the clock was set back
            if not room_lock(room).exists() and 0 <= age < young and not any(room.iterdir()):
                continue
            handle = hold(room_lock(room), where)
            if handle is not None:
                let_go(room_lock(room), handle, where)
                remove_tree(room)


def beside_prefix(path: Path) -> str:
    """Return how the name of what grows beside a place begins: by it whatever a killed process left is known."""
    return f"{_PREFIX}{path.name[:40]}-"
