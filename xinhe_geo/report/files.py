"""How what is handed over gets to its place: beside the target first, then swapped in, so that a failure leaves earlier outputs."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..core import EnvironmentProblem, XinheError, beside_prefix, cannot_write, os_words, place_file, write_text
from ..district import MANIFEST
from .record import NOTED, RECORD, read_noted, read_run, run_files

#: The ledger's workbook, into which people type; what they typed is carried over, so it may be replaced though changed.
LEDGER_BOOK = "tables/规划目标落实核对表.xlsx"
CARRIED = {LEDGER_BOOK}
#: Places of what a report writes.
_REPORTED = re.compile(r"[^/]+\.html|maps/[^/]+\.html|tables/[^/]+\.xlsx|gis/[^/]+\.gpkg")
#: What a report begins with: looked at before anything is computed.
FIRST = (
    "index.html",
    "tables/coverage.xlsx",
    "gis/coverage.gpkg",
    RECORD,
)


def cannot_write_into(folder: Path, error: OSError) -> EnvironmentProblem:
    """Return the error of a folder that cannot be written, or of the file in it that the system names."""
    return cannot_write(Path(str(error.filename or folder)).name, error)


@contextmanager
def swapped_in(target: Path) -> Iterator[Path]:
    """Give a folder to write into; when all went well its files replace those of an earlier run, else nothing changes."""
    if (target / MANIFEST).is_file():
        raise EnvironmentProblem(f"{target.name} 是街道数据目录，不能把结果写在里面；用 --out 另写一个文件夹")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=beside_prefix(target), dir=target.parent))
    except OSError as error:
        raise EnvironmentProblem(
            f"不能写入 {target.name}：{os_words(error)}。换一个文件夹（--out），或检查权限和磁盘空间"
        ) from error
    try:
        yield fresh
        put_in_place(fresh, target)
    except XinheError:
        raise
    except OSError as error:
        raise cannot_write_into(target, error) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def put_in_place(fresh: Path, target: Path) -> None:
    """
    Move the files of a report over those of the earlier one; what that one made and this one does not goes, others stay.

    Raises
    ------
    EnvironmentProblem
        A file in the way is not ours: nothing is changed.
    """
    target.mkdir(exist_ok=True)
    earlier = run_files(target)
    made = _move(fresh, target)
    for name in sorted(set(earlier) - made):
        stale = target / name
        # a record may come from anybody: only what a report writes, where it has not been touched since
        if _REPORTED.fullmatch(name) and _is_plain(target, name) and _hash(stale) == earlier[name]:
            stale.unlink()


@contextmanager
def added_to(target: Path) -> Iterator[Path]:
    """
    Give a folder to write into; when all went well its files come into `target`, beside what is there, and are noted.

    Raises
    ------
    EnvironmentProblem
        `target` holds the data of a district, cannot be written, or a file in the way is not ours: nothing is changed.
    """
    if (target / MANIFEST).is_file():
        raise EnvironmentProblem(f"{target.name} 是街道数据目录，不能把结果写在里面；用 --out 另写一个文件夹")
    above = next((p for p in (target, *target.parents) if p.is_dir()), target.parent)
    try:
        with tempfile.TemporaryDirectory(prefix=".xinhe-", dir=above) as room:
            yield Path(room)
            if any(Path(room).iterdir()):
                target.mkdir(parents=True, exist_ok=True)
                note_written(target, _move(Path(room), target))
    except XinheError:
        raise
    except OSError as error:
        raise cannot_write_into(target, error) from error


def note_written(folder: Path, names: Iterable[str]) -> None:
    """Note files of a folder as ours, as they are now."""
    noted = {name: h for name, h in read_noted(folder).items() if (folder / name).is_file()}
    noted |= {name: _hash(folder / name) for name in names}
    text = json.dumps({"files": dict(sorted(noted.items()))}, ensure_ascii=False, indent=1) + "\n"
    write_text(folder / NOTED, text)


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

    wrong = sorted(name for name in names if foreign(name))
    if wrong:
        more = f" 等 {len(wrong)} 个" if len(wrong) > 5 else ""
        raise EnvironmentProblem(
            f"{folder.name or folder} 里的 {'、'.join(wrong[:5])}{more}不是本程序写的（或写出后被改过、是链接），没有动它，也没有写出任何"
            "结果；把它移走或改名，或用 --out 另写一个文件夹"
        )


def _move(fresh: Path, target: Path) -> set[str]:
    """Move every file to its place, or none where one in the way is not ours; return their places."""
    made = {p.relative_to(fresh).as_posix() for p in fresh.rglob("*") if p.is_file()}
    refuse_foreign(target, made, fresh)
    for name in sorted(made):
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.is_file() or place.read_bytes() != (fresh / name).read_bytes():
            place_file(fresh / name, place)
    return made


def _is_plain(folder: Path, name: str) -> bool:
    """Return whether neither a file nor a folder on the way to it is a link (or a file where a folder should be)."""
    place = folder / name
    between = [p for p in place.parents if folder in p.parents]
    return not place.is_symlink() and all(not p.is_symlink() and (p.is_dir() or not p.exists()) for p in between)


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def is_as_written(folder: Path, name: str) -> bool:
    """Return whether a file is there as the last report into the folder wrote it."""
    place = folder / name
    return _is_plain(folder, name) and place.is_file() and run_files(folder).get(name) == _hash(place)
