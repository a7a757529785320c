"""
Writes into a district folder that are never half done.

Old files are kept, a journal notes what is to be done, then it is done; whoever opens the folder at any moment sees the
old state or the new one. The version before is kept in `.history` inside the folder, and `undo` brings it back.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pandas as pd

from ..core import EnvironmentProblem, SourceError, XinheError, os_words

HISTORY = ".history"


def write_whole(path: Path, content: bytes, by: Path | None = None) -> None:
    """Write a file so that it is there whole or not at all; `by` is where it grows, the file's own folder by default."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=by or path.parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            if path.exists():
                shutil.copymode(path, name)
            else:
                os.chmod(name, 0o644)
            os.replace(name, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(name)
            raise
    except OSError as error:
        raise EnvironmentProblem(
            f"写 {path.name} 时出错：{os_words(error)}。检查磁盘空间和权限；若它正被其他程序打开，请关闭后重试"
        ) from error


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other imports out of a folder; the lock dies with its process, and leaves nothing behind."""
    history = folder / HISTORY
    try:
        history.mkdir(exist_ok=True)
        handle = _lock(history / "lock")
    except OSError as error:
        raise EnvironmentProblem(f"不能写入 {folder.name}：{os_words(error)}。检查权限和磁盘空间") from error
    if handle is None:
        raise EnvironmentProblem(f"另一个程序正在改 {folder.name}，请等它结束后重试")
    try:
        yield
    except OSError as error:
        if isinstance(error, XinheError):
            raise
        raise EnvironmentProblem(
            f"写 {folder.name} 时出错：{os_words(error)}。检查磁盘空间和权限；若其中文件正被其他程序打开，请关闭后重试"
        ) from error
    finally:
        with suppress(OSError):
            if sys.platform == "win32":
                os.close(handle)
                os.unlink(history / "lock")
            else:
                # Removed while still held: whoever waits for this file sees that it is no longer the one in place.
                os.unlink(history / "lock")
                os.close(handle)
        with suppress(OSError):
            history.rmdir()


def _lock(path: Path) -> int | None:
    """Return a handle that holds the lock, None where somebody else does."""
    for _ in range(10):
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
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


def _versions(history: Path) -> list[Path]:
    return sorted(p for p in history.glob("[0-9]*") if p.is_dir() and p.name.isdigit())


def commit(folder: Path, files: Mapping[str, bytes], layer: str, source: str) -> None:
    """
    Keep the old files, note in a journal what is to be done, do it.

    The manifest goes last: until then a new layer's file is declared nowhere, so whoever opens the folder at any moment
    sees the old state or the new one.
    """
    history = folder / HISTORY
    number = int(_versions(history)[-1].name) + 1 if _versions(history) else 1
    version = history / f"{number:03d}"
    fresh = history / f"new-{number:03d}"
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        steps = _prepare(folder, fresh, files)
        record = {"layer": layer, "source": source, "files": steps}
        write_whole(fresh / "record.json", json.dumps(record, ensure_ascii=False, indent=1).encode())
        write_whole(history / "journal.json", json.dumps({"version": version.name, "do": "apply"}).encode())
    except BaseException:
        if not (history / "journal.json").is_file():
            shutil.rmtree(fresh, ignore_errors=True)
        raise
    try:
        finish(folder)
    except OSError:
        _step_back(folder, version, steps)
        raise


def _prepare(folder: Path, fresh: Path, files: Mapping[str, bytes]) -> list[dict[str, str | None]]:
    """Write what is there and what is to come beside each other; return one step for each file."""
    steps: list[dict[str, str | None]] = []
    for name, content in files.items():
        place = folder / name
        old = place.read_bytes() if place.is_file() else None
        if old is not None:
            write_whole(fresh / "old" / name, old)
        write_whole(fresh / "new" / name, content)
        steps.append({"file": name, "old": None if old is None else _sha(old), "new": _sha(content)})
    return steps


def _step_back(folder: Path, version: Path, steps: Sequence[Mapping[str, Any]]) -> None:
    """Put back what was there, after a disk that is full or a file held open; the journal stays if even that fails."""
    with suppress(OSError):
        for step in reversed(steps):
            place = folder / step["file"]
            if step["old"] is None:
                place.unlink(missing_ok=True)
            elif _sha(place.read_bytes()) != step["old"]:
                write_whole(place, (version / "old" / step["file"]).read_bytes(), version.parent)
        (version.parent / "journal.json").unlink()
        shutil.rmtree(version, ignore_errors=True)
        shutil.rmtree(version.parent / f"new-{version.name}", ignore_errors=True)


def finish(folder: Path) -> None:
    """Carry out what the journal says; again from the start where an earlier process was killed in the middle."""
    history = folder / HISTORY
    journal = history / "journal.json"
    if journal.is_file():
        note = json.loads(journal.read_text("utf-8"))
        version = history / note["version"]
        fresh = history / f"new-{version.name}"
        if note["do"] == "apply" and not version.is_dir():
            os.replace(fresh, version)
        steps = json.loads((version / "record.json").read_text("utf-8"))["files"] if version.is_dir() else []
        undoing = note["do"] == "undo"
        for step in reversed(steps) if undoing else steps:
            kept = version / ("old" if undoing else "new") / step["file"]
            if undoing and step["old"] is None:
                (folder / step["file"]).unlink(missing_ok=True)
                with suppress(OSError):
                    (folder / step["file"]).parent.rmdir()
            else:
                write_whole(folder / step["file"], kept.read_bytes(), history)
        if undoing:
            # Under another name first: half a version must not look like a whole one.
            if version.is_dir():
                os.replace(version, fresh)
            journal.unlink()
        else:
            journal.unlink()
            shutil.rmtree(version / "new", ignore_errors=True)
    for left in [*history.glob("new-*"), *(v / "new" for v in _versions(history))]:
        shutil.rmtree(left, ignore_errors=True)
    for left in history.glob(".*-*"):
        left.unlink(missing_ok=True)


def recover(folder: str | Path) -> bool:
    """Finish what a killed import or undo left half done; return whether there was anything."""
    target = Path(folder)
    if not (target / HISTORY).is_dir():
        return False
    with locked(target):
        unfinished = (target / HISTORY / "journal.json").is_file()
        finish(target)
    return unfinished


def undo(folder: str | Path) -> pd.DataFrame:
    """
    Bring back, byte for byte, the files as they were before the last import into a folder.

    Returns
    -------
    files
        Index file; columns `layer`, `source` (the file whose import is undone), `what` (restored, removed).

    Raises
    ------
    SourceError
        Nothing to undo, or a file has been changed since.
    EnvironmentProblem
        The folder cannot be written, or another process is writing it.
    """
    target = Path(folder)
    if not (target / HISTORY).is_dir():
        raise SourceError(f"{target.name or target} 没有可以撤销的导入")
    with locked(target):
        finish(target)
        versions = _versions(target / HISTORY)
        if not versions:
            raise SourceError(f"{target.name or target} 没有可以撤销的导入")
        record = json.loads((versions[-1] / "record.json").read_text("utf-8"))
        for step in record["files"]:
            place = target / step["file"]
            if not place.is_file() or _sha(place.read_bytes()) != step["new"]:
                raise SourceError(
                    f"{step['file']} 在导入以后又改过，撤销会丢掉那些修改。先把它另存，或手工从 {HISTORY} 恢复"
                )
        note = {"version": versions[-1].name, "do": "undo"}
        write_whole(target / HISTORY / "journal.json", json.dumps(note).encode())
        finish(target)
    lines = [
        (s["file"], record["layer"], record["source"], "removed" if s["old"] is None else "restored")
        for s in record["files"]
    ]
    return pd.DataFrame(lines, columns=["file", "layer", "source", "what"]).set_index("file")
