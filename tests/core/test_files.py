"""Files are there whole or not at all, whatever happens while they are written, and a failure is told in one sentence."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import shapely
import xlsxwriter
from pyogrio.errors import DataSourceError

from xinhe_geo.core.errors import DataError, EnvironmentProblem
from xinhe_geo.core.files import beside_prefix, growing, holds, write_bytes, write_text
from xinhe_geo.core.opening import held

OLD, NEW = "旧" * 1000, "新" * 100_000
STEPS = ("mkdir", "open", "fsync", "replace")
WORDS = {
    errno.ENOSPC: "磁盘满了.*腾出空间",
    errno.EACCES: "没有权限.*正被 Excel.*关闭后重试",
    errno.EROFS: "这个盘是只读的.*换一个",
    errno.EBUSY: "正被占用.*关闭后重试",
}


def library(write: Callable[[Path], object]) -> Callable[[Path], None]:
    def whole(path: Path) -> None:
        with growing(path) as fresh:
            write(fresh)

    return whole


def workbook(path: Path) -> None:
    with xlsxwriter.Workbook(path, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        for row, value in enumerate(np.random.default_rng(1).random(40_000)):
            sheet.write_number(row, 0, value)


def layer(path: Path) -> None:
    points = shapely.points(np.random.default_rng(1).random((20_000, 2)))
    pyogrio.write_dataframe(gpd.GeoDataFrame(geometry=points, crs=4326), path, driver="GPKG")


def table(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("create table t (a blob)")
        db.execute("insert into t values (zeroblob(1000000))")


WRITERS: dict[str, Callable[[Path], object]] = {
    "bytes.bin": lambda path: write_bytes(path, NEW.encode()),
    "text.html": lambda path: write_text(path, NEW),
    "book.xlsx": library(workbook),
    "layer.gpkg": library(layer),
    "table.gpkg": library(table),
}


def test_a_file_is_there_with_the_folders_above_it(tmp_path: Path) -> None:
    path = tmp_path / "甲" / "乙" / "a.csv"
    assert write_text(path, "一\r\n二\n", mark=True) == path
    assert path.read_bytes() == b"\xef\xbb\xbf" + "一\r\n二\n".encode()
    os.chmod(path, 0o640)
    write_bytes(path, b"2", room=tmp_path)
    assert path.read_bytes() == b"2" and path.stat().st_mode & 0o777 == 0o640
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a.csv", "乙", "甲"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("code", WORDS)
@pytest.mark.parametrize("earlier", [True, False])
def test_a_failure_at_any_step_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, code: int, earlier: bool
) -> None:
    path = tmp_path / "表.csv"
    if earlier:
        path.write_text(OLD, "utf-8")
    real = getattr(os, step) if step != "open" else Path.write_bytes

    def fails(*args: Any, **kwargs: Any) -> object:
        if any(str(tmp_path) in str(a) for a in args) or step != "open":  # by handles, not by names
            raise OSError(code, "it is so")
        return real(*args, **kwargs)

    monkeypatch.setattr(Path, "write_bytes", fails) if step == "open" else monkeypatch.setattr(os, step, fails)
    with pytest.raises(EnvironmentProblem, match=f"^写 表.csv 时出错：{WORDS[code]}"):
        write_text(path, NEW)
    monkeypatch.undo()
    assert [(p.name, p.read_text("utf-8")) for p in tmp_path.rglob("*")] == ([("表.csv", OLD)] if earlier else [])


@contextmanager
def little_room(size: int) -> Iterator[None]:
    """Let no file become longer than so many bytes."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.slow
@pytest.mark.parametrize("name", WRITERS)
def test_a_disk_that_gets_full_while_a_library_writes(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(OLD, "utf-8")
    with little_room(4096), pytest.raises(EnvironmentProblem, match=f"写 {name} 时出错：.*。"):
        WRITERS[name](path)
    assert path.read_text("utf-8") == OLD and [p.name for p in tmp_path.iterdir()] == [name]
    WRITERS[name](path)
    assert path.stat().st_size > 10_000 and [p.name for p in tmp_path.iterdir()] == [name]


def test_what_goes_wrong_otherwise_is_told_as_it_is(tmp_path: Path) -> None:
    for error in (DataError, ZeroDivisionError, KeyboardInterrupt):
        with pytest.raises(error), growing(tmp_path / "a") as fresh:
            fresh.write_text("half", "utf-8")
            raise error.__new__(error)
    with pytest.raises(EnvironmentProblem, match="文件夹，不是文件"):
        write_bytes(tmp_path, b"")
    with pytest.raises(EnvironmentProblem, match="名字太长"):
        write_bytes(tmp_path / ("长" * 100), b"")
    with pytest.raises(EnvironmentProblem, match=r"是文件，不是文件夹|同名的文件"):
        write_bytes(write_bytes(tmp_path / "b", b"") / "c", b"")
    assert [p.name for p in tmp_path.iterdir()] == ["b"]


def test_what_a_killed_process_leaves_is_known_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / ("名" * 80)
    with growing(path) as fresh:
        assert fresh.parents[1].name.startswith(beside_prefix(path)) and fresh.name == path.name
        fresh.touch()


def test_a_clock_that_was_set_back_keeps_nothing(tmp_path: Path) -> None:
    """What a killed process has left goes, though it seems to be a year younger than the next one."""
    left = tmp_path / ".xinhe-a.csv-x"
    left.mkdir()
    ahead = time.time() + 365 * 86_400
    os.utime(left, (ahead, ahead))
    write_text(tmp_path / "a.csv", NEW)
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]


@pytest.mark.parametrize("said", ["execute insert : database or disk is full", "Failed to write."])
def test_a_full_disk_is_told_though_a_library_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10**9 if "full" in said else 0))
    with (
        pytest.raises(EnvironmentProblem, match=r"^写 a\.gpkg 时出错：磁盘满了。腾出空间"),
        growing(tmp_path / "a.gpkg"),
    ):
        raise DataSourceError(said)


def test_a_name_that_a_library_finds_too_long_is_told(tmp_path: Path) -> None:
    """A database's path may have 512 bytes, and a Chinese sign has three."""
    path = tmp_path.joinpath(*["很长的文件夹名" * 3] * 9) / "a.db"
    with (
        pytest.raises(EnvironmentProblem, match=r"^写 a\.db 时出错：名字太长。换一个短些的名字"),
        growing(path) as fresh,
        closing(sqlite3.connect(fresh)) as base,
    ):
        base.execute("CREATE TABLE a (b)")


@pytest.mark.skipif(os.name == "nt", reason="pipes")
def test_whether_a_file_holds_something_is_asked_of_ordinary_files_of_that_length_only(tmp_path: Path) -> None:
    """A pipe has no end, a device none either, and a file of holes says a thousand gigabytes."""
    for name in ("same", "other", "longer", "holes"):
        (tmp_path / name).write_bytes({"same": b"abc", "other": b"abd"}.get(name, b"abcd"))
    os.truncate(tmp_path / "holes", 1 << 40)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/zero")
    names = ("same", "other", "longer", "holes", "pipe", "device", "none", ".")
    assert [name for name in names if holds(tmp_path / name, b"abc")] == ["same"]


@pytest.mark.skipif(os.name == "nt", reason="names are all there is")
def test_a_place_is_told_from_here_or_from_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a folder that is told from here Python makes one that is told from the root (`tempfile.mkdtemp`, from 3.12 on)."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a" / "b").mkdir(parents=True)
    for path in (Path("a/b/c"), tmp_path / "a/b/c"):
        for folder in (Path("a"), tmp_path / "a", Path(), Path("a/b")):
            with held(path, folder) as (name, handle):
                assert handle is not None and (name, os.stat(handle).st_ino) == ("c", os.stat("a/b").st_ino)
