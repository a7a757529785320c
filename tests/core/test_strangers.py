"""What reads files of strangers cannot reach out, cannot take long, and can send nothing but plain values."""

from __future__ import annotations

import io
import itertools
import os
import pickle
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from datetime import date, datetime, timedelta
from datetime import time as clock
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from xinhe_geo.core import SourceError, strangers
from xinhe_geo.core.plain import read_plain, write_plain
from xinhe_geo.core.strangers import apart, reading
from xinhe_geo.district import check, commit, locked, reader

ROOT = Path(__file__).resolve().parents[2]
TOY = ROOT / "tests" / "toy"


# --- what a reader that has been taken over could try ------------------------------------------------------------------


def connecting(path: Path) -> str:
    socket.create_connection(("127.0.0.1", int(path.name)), timeout=2).close()
    return "connected"


def sending(path: Path) -> str:
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", int(path.name)))
    return "sent"


def running(_: Path) -> str:
    return subprocess.run([sys.executable, "-c", "print(1)"], capture_output=True, check=True).stdout.decode()


def becoming(_: Path) -> str:
    os.execv(sys.executable, [sys.executable, "-c", "0"])
    return "became"


def looking(path: Path) -> str:
    return (path.parents[1] / "outside.txt").read_text("utf-8")


def writing(path: Path) -> str:
    return str((path.parent / "new.txt").write_text("x", "utf-8"))


def removing(path: Path) -> str:
    path.unlink()
    return "removed"


def named(_: Path, files: list[Path], more: dict[str, tuple[Path, ...]]) -> str:
    return "".join(path.read_text("utf-8") for path in [*files, *more["a"]])


@pytest.mark.skipif(sys.platform != "linux", reason="this function is known to forks only")
def test_names_mean_the_same_files_though_the_other_process_stands_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a").write_text("x", "utf-8")
    assert apart(named, Path("a"), [Path("a")], {"a": (Path("a"),)}) == "xx"
    assert apart(standing, Path("a")) != str(tmp_path)


def standing(_: Path) -> str:
    return os.getcwd()


REACHING = [connecting, sending, running, becoming, looking, writing, removing]


@pytest.mark.skipif(sys.platform != "linux", reason="what the system refuses by itself differs")
@pytest.mark.parametrize("act", REACHING)
def test_a_reader_reaches_nothing_but_its_folder(tmp_path: Path, act: Callable[[Path], str]) -> None:
    (tmp_path / "outside.txt").write_text("secret", "utf-8")
    (tmp_path / "in").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        path = tmp_path / "in" / str(server.getsockname()[1])
        path.write_text("x", "utf-8")
        with pytest.raises(OSError, match=r"(?i)permission|not permitted|takes no"):
            apart(act, path)
        with pytest.raises(TimeoutError):
            server.accept()
    assert path.read_text("utf-8") == "x" and os.listdir(path.parent) == [path.name]


def reading_it(path: Path) -> tuple[int, str]:
    return os.getpid(), path.read_text("utf-8")


def test_one_process_for_what_is_read_together_and_none_for_what_is_ours(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(name, "utf-8")
    with reading():
        found = [apart(reading_it, tmp_path / name) for name in "abab"]
    assert [text for _, text in found] == list("abab")
    assert len({pid for pid, _ in found}) == 1 and found[0][0] != os.getpid()
    with reading(tmp_path):
        assert apart(reading_it, tmp_path / "a")[0] == os.getpid()
    assert apart(reading_it, tmp_path / "a")[0] not in (os.getpid(), found[0][0])
    if sys.platform == "linux":
        with pytest.raises(ProcessLookupError):
            os.kill(found[0][0], 0)


@pytest.mark.parametrize("threads", [False, pytest.param(True, marks=[pytest.mark.slow, pytest.mark.matrix])])
def test_a_folder_that_takes_the_place_of_another_is_read(tmp_path: Path, threads: bool) -> None:
    """Whether the other process is a fork, or a fresh interpreter because a thread runs in this one."""
    folder, file = tmp_path / "folder", tmp_path / "folder" / "a"
    stop = threading.Event()
    other = threading.Thread(target=stop.wait)
    if threads:
        other.start()
    try:
        with reading():
            for text in ("first", "second", "third"):
                folder.mkdir()
                file.write_text(text, "utf-8")
                assert apart(reading_it, file)[1] == text
                shutil.rmtree(folder)
    finally:
        stop.set()
        if threads:
            other.join()


def busy(_: Path) -> None:
    while True:
        pass


def asleep(_: Path) -> None:
    time.sleep(100)


def greedy(_: Path) -> int:
    return len(bytearray(2_000_000_000))


def dying(_: Path) -> None:
    os.abort()


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.skipif(sys.platform != "linux", reason="limits of processor time and memory")
@pytest.mark.parametrize(
    ("act", "words"), [(busy, "读了太久"), (asleep, "读了太久"), (greedy, "内存太多"), (dying, "读的时候中断了")]
)
def test_whoever_takes_too_much_is_stopped_and_the_next_file_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: Callable[[Path], Any], words: str
) -> None:
    monkeypatch.setattr(strangers, "_SECONDS", 0.5)
    monkeypatch.setattr(strangers, "_WAIT", 4 if act is asleep else 100)
    (tmp_path / "表.csv").write_text("x", "utf-8")
    with reading():
        with pytest.raises(SourceError, match=f"表.csv：.*{words}"):
            apart(act, tmp_path / "表.csv")
        assert apart(reading_it, tmp_path / "表.csv")[1] == "x"


def late(path: Path) -> str:
    time.sleep(0.1)
    return path.name


@pytest.mark.parametrize("works", [True, False])
def test_the_clock_stops_whoever_waits_and_not_whoever_works_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, works: bool
) -> None:
    """On a busy machine an honest file takes many times its processor time; the clock looks five times meanwhile."""
    monkeypatch.setattr(strangers, "_WAIT", 0.02 / strangers._SECONDS)
    ticks = itertools.count(step=strangers._SECONDS * works)
    monkeypatch.setattr(strangers, "_processor_seconds", lambda _pid: next(ticks))
    (tmp_path / "a").touch()
    with nullcontext() if works else pytest.raises(SourceError, match="读了太久"):
        assert apart(late if works else asleep, tmp_path / "a") == "a"


@pytest.mark.skipif(sys.platform != "linux", reason="the system tells it in another way")
def test_the_processor_time_of_a_process_is_known() -> None:
    assert strangers._processor_seconds(os.getpid()) == pytest.approx(time.process_time(), abs=0.5)


def refusing(path: Path) -> None:
    raise {"ours": SourceError("甲。乙"), "system": FileNotFoundError(2, "no"), "other": ZeroDivisionError("x")}[
        path.name
    ]


@pytest.mark.parametrize(
    ("name", "kind"), [("ours", SourceError), ("system", FileNotFoundError), ("other", RuntimeError)]
)
def test_a_failure_is_the_one_that_was_met(tmp_path: Path, name: str, kind: type[Exception]) -> None:
    (tmp_path / name).touch()
    with pytest.raises(kind):
        apart(refusing, tmp_path / name)


# --- what travels ------------------------------------------------------------------------------------------------------


def travelled(value: object) -> Any:
    stream = io.BytesIO()
    write_plain(value, stream)
    return read_plain(io.BytesIO(stream.getvalue()))


CELLS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.datetimes()
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.decimals(allow_nan=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=10,
)


@given(value=CELLS)
def test_cells_come_back_as_they_were(value: object) -> None:
    assert travelled(value) == value


def test_tables_come_back_as_they_were() -> None:
    shapes = [shapely.Point(1, 2, 3), None, shapely.from_wkt("MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)))"), shapely.Point()]
    frame = gpd.GeoDataFrame(
        {
            "字": ["a", None, "\0", "c"],
            "n": [1, 2, 3, 4],
            "x": [1.5, float("nan"), float("inf"), -0.0],
            "days": pd.to_datetime(["2020-01-01", None, "2021-02-03", "1970-01-01"]),
            "zoned": pd.to_datetime(["2020-01-01", None, "2021-02-03", "1970-01-01"], utc=True),
            "whole": pd.array([1, None, 3, 4], dtype="Int64"),
            "any": pd.Series([1, "a", None, b"x"], dtype="object"),
            "yes": [True, False, True, True],
        },
        geometry=shapes,
        crs="EPSG:4326",
    )
    found = travelled(frame)
    pd.testing.assert_frame_equal(
        pd.DataFrame(found.drop(columns="geometry")), pd.DataFrame(frame.drop(columns="geometry"))
    )
    assert list(found.geometry.to_wkb()) == list(frame.geometry.to_wkb()) and found.crs == frame.crs
    assert found.crs.to_epsg() == 4326 and type(found) is gpd.GeoDataFrame
    for index in (pd.Index(["a", "b", "c", "d"], name="键"), pd.Index([3, 1, 2, 0])):
        pd.testing.assert_index_equal(travelled(frame.set_index(index)).index, index)
    twice = pd.DataFrame([[1, 2]], columns=["a", "a"])
    pd.testing.assert_frame_equal(travelled(twice), twice)
    for value in (np.float64(1.5), np.int32(3), np.bool_(True), np.datetime64("2020-01-01", "s"), np.array([[1, 2]])):
        assert np.array_equal(travelled(value), value) and type(travelled(value)) is type(value)
    assert travelled([pd.NA, pd.NaT])[0] is pd.NA
    moments = [
        datetime(2020, 1, 1),
        date(2020, 1, 1),
        clock(8, 30),
        timedelta(days=-1),
        pd.Timestamp("2020-01-01", tz="UTC"),
    ]
    assert travelled(moments) == moments and [type(m) for m in travelled(moments)] == [type(m) for m in moments]
    own = pyproj.CRS.from_proj4("+proj=tmerc +lon_0=117 +k=0.9999")
    assert travelled(own).equals(own)


@pytest.mark.parametrize("value", [print, object(), {1}.pop, io.BytesIO()])
def test_what_is_not_plain_does_not_travel(value: object) -> None:
    with pytest.raises((TypeError, pickle.PicklingError)):
        write_plain(value, io.BytesIO())


class Calls:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("/nowhere/at/all",)


def objects() -> bytes:
    """An array that says of itself that it holds objects."""
    stream = io.BytesIO()
    said = pickle.Pickler(stream, protocol=5)
    said.persistent_id = lambda value: ("array", "|O8", (1,), b"\0" * 8) if value == "x" else None  # type: ignore[method-assign]
    said.dump("x")
    return stream.getvalue()


@pytest.mark.parametrize("content", [pickle.dumps(Calls()), pickle.dumps(print), objects(), b"", b"\x80\x05"])
def test_nothing_is_called_that_whoever_answers_names(content: bytes) -> None:
    with pytest.raises(ValueError, match="nothing plain"):
        read_plain(io.BytesIO(content))


# --- folders -----------------------------------------------------------------------------------------------------------


def forks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    made: list[str] = []
    for name in ("_forked", "_started"):
        start = getattr(strangers, name)

        def noted(*args: Any, start: Any = start) -> Any:
            made.append(start.__name__)
            return start(*args)

        monkeypatch.setattr(strangers, name, noted)
    return made


@pytest.mark.slow
def test_a_folder_is_received_until_its_journal_is_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = forks(monkeypatch)
    monkeypatch.setattr(reader, "_MOST_KNOWN", 0)  # what has been read before is not read at all
    folder = shutil.copytree(TOY, tmp_path / "toy")
    assert check(folder).empty and len(made) == 1
    with locked(folder):
        old = (folder / "homes" / "homes.geojson").read_bytes()
        commit(folder, {"homes/homes.geojson": old + b"\n"}, "homes", "a.csv")
    assert check(folder).empty and len(made) == 1
    assert check(shutil.copytree(folder, tmp_path / "copy")).empty and len(made) == 2
    assert check().empty and len(made) == 2


@pytest.mark.slow
def test_a_bomb_in_a_received_folder_is_a_row_of_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = shutil.copytree(TOY, tmp_path / "toy")
    monkeypatch.setattr(strangers, "_MEGABYTES", 60.0)
    monkeypatch.setattr(strangers, "_MEGABYTES_PER_MB", 0.0)
    place = folder / "pois" / "kinds.csv"
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(b"kind,label\n" + b"a,b\n" * 20_000_000)
    found = check(folder)
    assert list(found.loc[found["severity"] == "error", "file"])[:1] == ["pois/kinds.csv"]
    assert found["problem"].str.contains("内存太多|中断").any()
