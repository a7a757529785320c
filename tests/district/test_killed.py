"""A kill at any moment: every state that the disk goes through, put back on the disk, is one that the next start repairs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from xinhe_geo.district import beside, check, commit, exchange, locked, put_back, recover, undo
from xinhe_geo.district.journal import HISTORY, hold, let_go

OLD = {"district.toml": b'[layers.homes]\nfile = "homes/homes.geojson"\n', "homes/homes.geojson": b"old"}
NEW = {
    "pois/facilities.geojson": b"new",
    "homes/homes.geojson": b"new",
    "district.toml": OLD["district.toml"] + b'[layers.facilities]\nfile = "pois/facilities.geojson"\n',
}


def fill(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def contents(folder: Path) -> dict[str, bytes]:
    found = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    return {k: v for k, v in found.items() if not k.startswith(HISTORY)}


def moments(room: Path, kept: Path, act: Callable[[], Any]) -> list[Path]:
    """Do something in a room; return what lay in it before each change of the disk, and at the end."""
    states: list[Path] = []

    def keep() -> None:
        states.append(shutil.copytree(room, kept / str(len(states)), symlinks=True))

    with pytest.MonkeyPatch.context() as patch:
        busy = [False]

        def watched(call: Callable[..., Any]) -> Callable[..., Any]:
            def wrapped(*args: Any, **kwargs: Any) -> Any:
                if not busy[0]:
                    busy[0] = True
                    keep()
                    busy[0] = False
                return call(*args, **kwargs)

            return wrapped

        for name in ("replace", "unlink", "fsync", "mkdir", "rmdir"):
            patch.setattr(os, name, watched(getattr(os, name)))
        act()
    keep()
    return states


def put(state: Path, room: Path) -> None:
    shutil.rmtree(room)
    shutil.copytree(state, room, symlinks=True)


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place with a district in it, and what the program keeps outside: a kill is at the same moment for both."""
    place = tmp_path / "room"
    fill(place / "d", OLD)
    monkeypatch.setenv("XDG_STATE_HOME", str(place / "state"))
    monkeypatch.setenv("LOCALAPPDATA", str(place / "state"))
    return place


def add(folder: Path) -> None:
    with locked(folder):
        commit(folder, NEW, "facilities", "a.csv")


@pytest.mark.slow
@pytest.mark.parametrize("every", [4, pytest.param(1, marks=pytest.mark.matrix)])
def test_add_and_undo_at_every_moment(room: Path, tmp_path: Path, every: int) -> None:
    folder = room / "d"
    added = moments(room, tmp_path / "add", lambda: add(folder))
    assert contents(folder) == NEW
    undone = moments(room, tmp_path / "undo", lambda: undo(folder))
    assert contents(folder) == OLD
    assert min(len(added), len(undone)) > 15
    for states in (added, undone):
        seen = set()
        for state in (*states[:-1:every], states[-1]):
            put(state, room)
            recover(folder)
            found = contents(folder)
            assert found in (OLD, NEW), (state, found)
            seen.add(found == NEW)
            if found == OLD:
                add(folder)
            assert contents(folder) == NEW
            undo(folder)
            assert contents(folder) == OLD
            assert not (folder / HISTORY).exists()
        assert seen == {True, False}


def test_an_import_over_an_earlier_one_at_every_moment(room: Path, tmp_path: Path) -> None:
    folder = room / "d"

    def again() -> None:
        with beside(folder) as fresh:
            fill(fresh, NEW)
            exchange(fresh, folder)

    states = moments(room, tmp_path / "kept", again)
    assert contents(folder) == NEW
    seen = set()
    missing = 0
    for state in states:
        put(state, room)
        absent = not folder.exists()
        missing += absent
        assert put_back(folder) == absent
        assert contents(folder) in (OLD, NEW)
        seen.add(contents(folder) == NEW)
        assert [p.name for p in room.iterdir() if p.name not in ("d", "state")] == []
        again()
        assert contents(folder) == NEW
    assert missing
    assert seen == {True, False}


def test_whoever_opens_a_folder_that_was_put_aside_has_it_back_and_is_told(room: Path) -> None:
    (room / ".d-import-x").mkdir()
    os.replace(room / "d", room / ".d-import-x" / "old")
    problems = check(room / "d")
    assert "已恢复" in problems["problem"].iloc[0]
    assert contents(room / "d") == OLD


def test_what_a_living_process_works_in_is_left_alone(room: Path) -> None:
    place = room / ".d-import-x"
    place.mkdir()
    os.replace(room / "d", place / "old")
    handle = hold(place / "lock")
    assert handle is not None
    assert put_back(room / "d") is False
    assert contents(place / "old") == OLD
    let_go(place / "lock", handle)
    assert put_back(room / "d") is True


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_links_beside_a_folder_are_no_places_of_ours(room: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    fill(elsewhere / "old", NEW)
    (room / ".d-import-x").symlink_to(elsewhere)
    shutil.rmtree(room / "d")
    assert put_back(room / "d") is False
    assert contents(elsewhere / "old") == NEW
