"""How what is handed over gets to its place: beside the target first, then swapped in, so that a failure leaves earlier outputs."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..core import EnvironmentProblem, XinheError, os_words
from ..district import MANIFEST
from .record import RECORD


def cannot_write(name: str, error: OSError) -> EnvironmentProblem:
    """Return the error of a file that cannot be written, with what to do."""
    return EnvironmentProblem(f"写 {name} 时出错：{os_words(error)}。若它正被 Excel 或浏览器打开，请关闭后重试")


def cannot_write_into(folder: Path, error: OSError) -> EnvironmentProblem:
    """Return the error of a folder that cannot be written, or of the file in it that the system names."""
    return cannot_write(Path(str(error.filename or folder)).name, error)


def write_bytes(path: Path, content: bytes) -> None:
    """
    Write a file beside its place first, then put it there.

    Raises
    ------
    EnvironmentProblem
        It cannot be written, or is held open.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}")
        fresh.write_bytes(content)
        os.replace(fresh, path)
    except OSError as error:
        raise cannot_write(path.name, error) from error


@contextmanager
def swapped_in(target: Path) -> Iterator[Path]:
    """Give a folder to write into; when all went well its files replace those of an earlier run, else nothing changes."""
    if (target / MANIFEST).is_file():
        raise EnvironmentProblem(f"{target.name} 是街道数据目录，不能把结果写在里面；用 --out 另写一个文件夹")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
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
    """Move the new files over the old ones; files of the earlier run that are no longer made go, others stay."""
    target.mkdir(exist_ok=True)
    earlier: set[str] = set()
    record = target / RECORD
    if record.is_file():
        try:
            earlier = set(json.loads(record.read_text("utf-8")).get("files", {}))
        except (ValueError, AttributeError):
            earlier = set()
    made = {p.relative_to(fresh).as_posix() for p in fresh.rglob("*") if p.is_file()}
    for name in sorted(made):
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.is_file() or place.read_bytes() != (fresh / name).read_bytes():
            os.replace(fresh / name, place)
    for name in sorted(earlier - made):
        stale = target / name
        if stale.is_file() and target.resolve() in stale.resolve().parents:
            stale.unlink()
