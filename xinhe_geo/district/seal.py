"""
A seal on a district folder: the hash of every file in it, so that whatever has changed since is named before it is read.

Nobody signs it: whoever changes a folder can seal it anew. So it has a number, which is told to whoever receives the folder by
another way (`seal` and `check` print it).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath

from ..core import EnvironmentProblem, SourceError, as_read, opened, os_words, read_json, read_whole, say, write_text
from . import own_journals
from .journal import HISTORY, SEAL, district_folder, finish, is_last_change_own, locked

#: What lies in a folder and is not sealed: versions before, outputs, what systems leave behind.
_LEFT_OUT = {HISTORY, "output", ".git", ".DS_Store", "Thumbs.db", "desktop.ini", SEAL}
_MOST_BYTES = 20_000_000
#: Bytes of all files together that are gone through: whoever sends a folder may put holes of a thousand gigabytes into it.
_MOST_HASHED = 8_000_000_000
_TOO_LARGE = "太大，没有核对"
CHANGED, MISSING, ADDED = "封条以后改过", "封条里有，现在没有", "封条里没有"


def seal(folder: str | Path, *, again: bool = False) -> str:
    """
    Seal a district folder; return the number of its seal.

    Parameters
    ----------
    again
        Also where files have changed since it was last sealed.

    Raises
    ------
    SourceError
        No district folder, one with a journal that is not ours, or one whose seal is broken.
    EnvironmentProblem
        It cannot be read or written.
    """
    target = district_folder(folder)
    wrong = broken(target)
    if wrong and not again:
        named = say("、").join(say("{0}（{1}）", name, what) for name, what in list(wrong.items())[:12])
        raise SourceError(
            say("{0} 的封条对不上：{1}。核对这些文件，确认无误后用 seal --again 重新封存", target.name, named)
        )
    with locked(target):
        finish(target)
        try:
            files = _hashes(target)
        except OSError as error:
            raise EnvironmentProblem(say("{0} 读不全：{1}。检查权限", target.name, os_words(error))) from error
        large = [name for name, value in files.items() if value == _TOO_LARGE]
        if large:
            raise SourceError(
                say(
                    "{0} 里的 {1} {2}。移走不属于这个目录的大文件",
                    target.name,
                    say("、").join(large[:5]),
                    say(_TOO_LARGE),
                )
            )
        text = _text(files)
        own_journals.enter(target, text.encode())
        write_text(target / SEAL, text)
    return number(target)


def number(folder: Path) -> str:
    """Return the number of a folder's seal, "" where it has none."""
    text = _sealed(folder)
    if not text:
        return ""
    digits = hashlib.sha256(text).hexdigest()[:16]
    return "-".join(digits[i : i + 4] for i in range(0, 16, 4))


def broken(folder: Path) -> dict[str, str]:
    """Return what a folder's seal says of its files that is not so: the file and what is wrong with it; none without a seal."""
    place = folder / SEAL
    if not os.path.lexists(place):
        return {}
    try:
        text = _sealed(folder)
        own = own_journals.entered(folder, text)
        said = (json.loads(text) if own else read_json(place, folder, text))["files"]
        sound = isinstance(said, dict) and _text({str(k): str(v) for k, v in said.items()}).encode() == text
    except (OSError, ValueError, KeyError, TypeError):
        sound = False
    if not sound:
        return {SEAL: say("封条本身改过或读不懂")}
    try:
        now = _hashes(folder)
    except OSError as error:
        return {str(error.filename or folder.name): os_words(error)}
    found = {name: say(CHANGED if name in now else MISSING) for name, value in said.items() if now.get(name) != value}
    found |= {name: say(_TOO_LARGE) for name, value in now.items() if value == _TOO_LARGE}
    return found | {name: say(ADDED) for name in now if name not in said}


def is_vouched(folder: Path, file: str, wrong: Mapping[str, str]) -> bool:
    """
    Return whether a folder has no seal, or one that says what reading one of its files would read.

    Parameters
    ----------
    file
        As the manifest names it. What lies beside it under its name is read with it (a shapefile's table, a log of changes of a
        GeoPackage), and what lies in it; other systems find it under another case too.
    wrong
        What `broken` found.
    """
    own = PurePosixPath(file.replace("\\", "/"))
    beside = as_read(own.with_suffix("").as_posix()) + "."
    if any(as_read(name.replace("\\", "/")).startswith((beside, as_read(f"{own}/"))) for name in wrong):
        return False
    return not any(map(_is_left_out, own.parts)) or not os.path.lexists(folder / SEAL)


def _is_left_out(name: str) -> bool:
    return name in _LEFT_OUT or name.startswith(".xinhe-")


def is_own(folder: Path) -> bool:
    """Return whether a folder is this user's: last changed here by an import, or sealed here and as it was then."""
    with suppress(OSError):
        if text := _sealed(folder):
            return own_journals.entered(folder, text) and not broken(folder)
    return is_last_change_own(folder)


def _sealed(folder: Path) -> bytes:
    """Return what a folder's seal says; nothing where it has none, or that is none."""
    place = folder / SEAL
    with suppress(SourceError):
        text = read_whole(place, folder, _MOST_BYTES) if place.is_file() else b""
        return text if len(text) < _MOST_BYTES else b""
    return b""


def _text(files: Mapping[str, str]) -> str:
    """Return what a seal of these files is: with a sum of its own, so that a change in it is not taken for one in a file."""
    listed = dict(sorted(files.items()))
    own = hashlib.sha256(json.dumps(listed).encode()).hexdigest()
    return json.dumps({"seal": 1, "sum": own, "files": listed}, ensure_ascii=False, indent=1) + "\n"


def _hashes(folder: Path) -> dict[str, str]:
    """Return the hash of every file, links by where they lead; other things, and what is too large, are not read."""
    found, left = dict[str, str](), _MOST_HASHED
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(n for n in folders if not _is_left_out(n))
        for name in sorted([*names, *(n for n in folders if Path(place, n).is_symlink())]):
            path = Path(place, name)
            if _is_left_out(name):
                continue
            key = path.relative_to(folder).as_posix().encode("utf-8", "backslashreplace").decode()
            if path.is_symlink():
                found[key] = f"-> {os.readlink(path)}"
                continue
            found[key] = "不是文件"
            with suppress(SourceError), opened(path, folder) as stream:
                left -= os.fstat(stream.fileno()).st_size
                found[key] = _TOO_LARGE if left < 0 else hashlib.file_digest(stream, "sha256").hexdigest()
    return found
