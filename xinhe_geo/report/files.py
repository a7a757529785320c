"""How what is handed over gets to its place: beside the target first, then swapped in, so that a failure leaves earlier outputs."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from ..core import (
    EnvironmentProblem,
    SourceError,
    XinheError,
    cannot_write,
    held,
    hidden,
    hold,
    is_full,
    keep_file,
    let_go,
    opened,
    os_words,
    own_room,
    place_file,
    remove_file,
    remove_tree,
    room_lock,
    say,
    sweep,
    write_bytes,
    write_text,
)
from ..district import MANIFEST
from .record import NOTED, RECORD, hashes, read_json, read_noted, read_run, run_files, trusted

#: The ledger's workbook, into which people type; what they typed is carried over, so it may be replaced though changed.
LEDGER_BOOK = "tables/规划目标落实核对表.xlsx"
CARRIED = {LEDGER_BOOK}
#: Places of what a report writes.
_REPORTED = re.compile(
    r"[^/]+\.html|maps/[^/]+\.html|tables/[^/]+\.(?:xlsx|parquet)|gis/[^/]+\.(?:gpkg|qgz)|suggested\.json"
)
#: Bytes of a file: a longer one is not ours (somebody may have left a file of holes, of a thousand gigabytes).
_LONGEST = 4_000_000_000
#: What a report begins with: looked at before anything is computed.
FIRST = ("index.html", "tables/coverage.xlsx", "tables/coverage.parquet", "gis/coverage.gpkg", RECORD)


def cannot_write_into(folder: Path, error: OSError) -> EnvironmentProblem:
    """Return the error of a folder that cannot be written, or of the file in it that the system names."""
    return cannot_write(Path(str(error.filename or folder)).name, error, folder)


def _refuse_district(target: Path) -> None:
    if (target / MANIFEST).is_file():
        raise EnvironmentProblem(say("{0} 是街道数据目录，不能把结果写在里面；用 --out 另写一个文件夹", target.name))


@contextmanager
def swapped_in(target: Path) -> Iterator[Path]:
    """Give a folder to write into; when all went well its files replace those of an earlier run, else nothing changes."""
    _refuse_district(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        repair(target)
    except OSError as error:
        if isinstance(error, XinheError):
            raise
        if is_full(error):
            raise cannot_write_into(target, error) from error
        raise EnvironmentProblem(
            say("不能写入 {0}：{1}。换一个文件夹（--out），或检查权限和磁盘空间", target.name, os_words(error))
        ) from error
    try:
        with own_room(target) as fresh:
            yield fresh
            put_in_place(fresh, target)
    except XinheError:
        raise
    except OSError as error:
        raise cannot_write_into(target, error) from error


def put_in_place(fresh: Path, target: Path) -> None:
    """
    Move the files of a report over those of the earlier one; what that one made and this one does not goes, others stay.

    Raises
    ------
    EnvironmentProblem
        A file in the way is not ours: nothing is changed.
    """
    repair(target)
    target.mkdir(exist_ok=True)
    made, earlier = hashes(fresh), run_files(target)
    # a record may come from anybody: only what a report writes
    gone = {name: earlier[name] for name in sorted(set(earlier) - set(made)) if _REPORTED.fullmatch(name)}
    _hand_over(target, _Order(fresh, made, gone, noted=False))


@contextmanager
def added_to(target: Path) -> Iterator[Path]:
    """
    Give a folder to write into; when all went well its files come into `target`, beside what is there, and are noted.

    Raises
    ------
    EnvironmentProblem
        `target` holds the data of a district, cannot be written, or a file in the way is not ours: nothing is changed.
    """
    _refuse_district(target)
    above = next((p for p in (target, *target.parents) if p.is_dir()), target.parent)
    try:
        repair(target)
        sweep(target.parent, target)
        with own_room(target, above) as fresh:
            yield fresh
            if any(fresh.iterdir()):
                target.mkdir(parents=True, exist_ok=True)
                _hand_over(target, _Order(fresh, hashes(fresh), {}, noted=True))
    except XinheError:
        raise
    except OSError as error:
        raise cannot_write_into(target, error) from error


def put_over(target: Path, texts: Mapping[str, str]) -> None:
    """
    Put texts over files of an earlier report, all of them or none.

    Raises
    ------
    EnvironmentProblem
        They cannot be written, or one in the way is not ours.
    """
    with _told(target), own_room(target) as fresh:
        for name, text in texts.items():
            write_text(fresh / name, text)
        _hand_over(target, _Order(fresh, hashes(fresh), {}, noted=False))


# --- handing over ----------------------------------------------------------------------------------------------------

#: Lies in a folder while files come into it: which, with their hashes, and the room they come from.
MARK = ".xinhe-unfinished.json"
_ROOM = re.compile(r"(?:\.\./)*(\.xinhe-[^/\\]+)((?:/[^/\\]+)*)")


class _Order(NamedTuple):
    """Files that come into a folder from a room, with their hashes; files that go from it; whether they are noted there."""

    room: Path
    files: Mapping[str, str]
    gone: Mapping[str, str]
    noted: bool

    def in_turn(self) -> list[tuple[str, str]]:
        """Return the files, the record last: until it comes, the earlier one says which files are ours to replace."""
        return sorted(self.files.items(), key=lambda file: file[0] == RECORD)


def _hand_over(target: Path, order: _Order) -> None:
    """
    Move every file of a room to its place, or none where one in the way is not ours.

    A mark says so from before the first until after the last: whoever comes next carries on where this process was killed
    (`repair`). What fails here is taken back.
    """
    refuse_foreign(target, order.files, order.room)
    way = os.path.relpath(os.path.realpath(order.room), os.path.realpath(target))
    said = {**order._asdict(), "room": Path(way).as_posix()}
    _note(target / MARK, said, order.room.parent)
    old = hidden(order.room.parent, order.room.parent)
    moved: list[str] = []
    try:
        for name, wanted in order.in_turn():
            place = target / name
            if place.is_file() and _hash(place) == wanted:
                continue
            keep_file(place, old / name, target)
            moved.append(name)
            with held(place, target, make=True):
                place_file(order.room / name, place, target)
        if order.noted:
            note_written(target, order.files, order.room.parent)
    except (OSError, SourceError):
        with suppress(OSError, SourceError):
            for name in moved:
                if (old / name).exists():
                    place_file(old / name, target / name, target)
                else:
                    remove_file(target / name, target)
            (target / MARK).unlink()
        raise
    _finish(target, order)


def _finish(target: Path, order: _Order) -> None:
    for name, then in order.gone.items():
        if (
            _REPORTED.fullmatch(name)
            and _is_plain(target, name)
            and (target / name).is_file()
            and _hash(target / name) == then
        ):
            remove_file(target / name, target)
    (target / MARK).unlink(missing_ok=True)


def repair(target: Path) -> bool:
    """
    Carry on where a process was killed while files came into a folder; return whether there was anything to do.

    A mark may come from anybody: only files are moved that lie in a room of ours and have the hashes it says, and only to
    where nothing lies, or what we wrote.

    Raises
    ------
    EnvironmentProblem
        The process is still at it, or the folder cannot be written.
    """
    said = read_json(target / MARK)
    found = _ROOM.fullmatch(str(said.get("room", "")))
    if not said or found is None or ".." in found[2].split("/"):
        return False
    room = target / found[0]
    lock = room_lock(room.parents[found[2].count("/") - 1] if found[2] else room)
    with _told(target):
        handle = hold(lock, lock.parents[1]) if lock.parent.is_dir() and not lock.parent.is_symlink() else None
        if handle is None and lock.exists():
            raise EnvironmentProblem(say("另一个程序正在写 {0}，请等它结束后重试", target.name))
        try:
            order = _Order(room, trusted(said.get("files")), trusted(said.get("gone")), noted=True)
            origin = lock.parents[1]
            here = [n for n, wanted in order.in_turn() if _brought(target, n, order.room / n, wanted, origin)]
            if said.get("noted") is True or len(here) < len(order.files):
                note_written(target, here, None if handle is None else lock.parent)
            _finish(target, order._replace(gone=order.gone if len(here) == len(order.files) else {}))
        finally:
            if handle is not None:
                let_go(lock, handle, lock.parents[1])
        if handle is not None:
            remove_tree(lock.parent)
    return True


def _brought(target: Path, name: str, fresh: Path, wanted: str, origin: Path) -> bool:
    """Bring a file to its place if it is not there yet, along no link from `origin` on; return whether it is."""
    place = target / name
    if _is_plain(target, name) and place.is_file() and _hash(place) == wanted:
        return True
    if fresh.is_symlink() or not fresh.is_file() or _hash(fresh) != wanted or _foreign(target, [name], None):
        return False
    with held(place, target, make=True):
        place_file(fresh, place, target, origin)
    return True


@contextmanager
def _told(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if isinstance(error, XinheError):
            raise
        raise cannot_write_into(target, error) from error


def _note(place: Path, said: Mapping[str, object], room: Path | None) -> None:
    """Write what we note for ourselves; it grows in a room that is swept, for where it comes a next run may have nothing to write."""
    write_bytes(place, (json.dumps(said, ensure_ascii=False, indent=1) + "\n").encode(), room=room)


def note_written(folder: Path, names: Iterable[str], room: Path | None = None) -> None:
    """Note files of a folder as ours, as they are now; in a `room` of ours it grows."""
    noted = {name: h for name, h in read_noted(folder).items() if (folder / name).is_file()}
    noted |= {name: _hash(folder / name) for name in names}
    _note(folder / NOTED, {"files": dict(sorted(noted.items()))}, room)


def refuse_foreign(folder: Path, names: Iterable[str], fresh: Path | None = None) -> None:
    """
    Stop before files are replaced that we have not written, or that somebody has changed since.

    Parameters
    ----------
    folder
        Where they are to come.
    names
        Places in it.
    fresh
        Folder with the same places: a file that is the same already is nobody's loss.

    Raises
    ------
    EnvironmentProblem
        Naming them.
    """
    if fresh is None:
        repair(folder)
        if folder.is_dir() and not os.access(folder, os.W_OK):  # told before anything is computed
            raise cannot_write_into(folder, PermissionError(errno.EACCES, ""))
    wrong = _foreign(folder, names, fresh)
    if wrong:
        more = say(" 等 {0} 个", len(wrong)) if len(wrong) > 5 else ""
        raise EnvironmentProblem(
            say(
                "{0} 里的 {1}{2}不是本程序写的（或写出后被改过、是链接），没有动它，也没有写出任何结果；"
                "把它移走或改名，或用 --out 另写一个文件夹",
                folder.name or folder,
                say("、").join(wrong[:5]),
                more,
            )
        )


def _foreign(folder: Path, names: Iterable[str], fresh: Path | None) -> list[str]:
    """Return which files in the way are not ours."""
    known = [run_files(folder), read_noted(folder)]
    if RECORD in names and read_run(folder) and not (folder / RECORD).is_symlink():
        names = [name for name in names if name != RECORD]

    def foreign(name: str) -> bool:
        place = folder / name
        if not os.path.lexists(place) and _is_plain(folder, name):
            return False
        if not _is_plain(folder, name) or not place.is_file():
            return True
        if name in CARRIED and any(name in files for files in known):
            return False
        now = _hash(place)
        return now not in [files.get(name) for files in known] and (fresh is None or now != _hash(fresh / name))

    return sorted(name for name in names if foreign(name))


def _is_plain(folder: Path, name: str) -> bool:
    """Return whether neither a file nor a folder on the way to it is a link (or a file where a folder should be)."""
    place = folder / name
    between = [p for p in place.parents if folder in p.parents]
    return not place.is_symlink() and all(not p.is_symlink() and (p.is_dir() or not p.exists()) for p in between)


def _hash(path: Path) -> str:
    """Return the hash of a file; "" of one that is longer than whatever is written here: somebody else's."""
    with opened(path) as stream:
        if os.fstat(stream.fileno()).st_size > _LONGEST:
            return ""
        return hashlib.file_digest(stream, "sha256").hexdigest()


def is_as_written(folder: Path, name: str) -> bool:
    """Return whether a file is there as the last report into the folder wrote it."""
    place = folder / name
    return _is_plain(folder, name) and place.is_file() and run_files(folder).get(name) == _hash(place)
