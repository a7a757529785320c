"""Layers that were read before are not read again: whatever was changed in between is seen, and what was wrong is said again."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest

from xinhe_geo.core import problems_table
from xinhe_geo.district import District, check, reader, seal

TOY = Path(__file__).parents[1] / "toy"
FACILITIES, HOMES = "pois/facilities.geojson", "homes/homes.geojson"


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(reader, "_KNOWN", {})
    return shutil.copytree(TOY, tmp_path / "toy")


def _edited(name: str, this: str, that: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        text = (folder / name).read_text("utf-8")
        assert this in text
        (folder / name).write_text(text.replace(this, that), "utf-8")

    return edit


EDITS: dict[str, Callable[[Path], None]] = {
    "nothing": lambda folder: None,
    "a name": _edited(FACILITIES, "北食堂", "南食堂"),
    "people": _edited(HOMES, '"people": 100', '"people": 101'),
    "people, unreadable": _edited(HOMES, '"people": 100', '"people": "约一百"'),
    "an id twice": _edited(HOMES, '"home": "B"', '"home": "A"'),
    "the basis in the manifest": _edited("district.toml", 'basis = "surveyed"', 'basis = "derived"'),
    "a mark in the manifest": _edited("district.toml", "[layers.homes]", '[layers.homes]\nsecrecy = "内部"'),
    "the file of another layer": lambda folder: shutil.copy(folder / FACILITIES, folder / HOMES) and None,
    "no file": lambda folder: (folder / HOMES).unlink(),
    "a seal": lambda folder: seal(folder) and None,
}


def _all(folder: Path) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    _, rows, _, problems = reader.read_folder(folder)
    return problems_table(problems), rows


@pytest.mark.slow
@pytest.mark.one_in(3)
@pytest.mark.parametrize("edit", EDITS)
def test_what_has_been_read_before_is_as_if_read_anew(toy: Path, edit: str) -> None:
    reader.read_folder(toy)
    EDITS[edit](toy)
    problems, rows = _all(toy)
    reader._KNOWN.clear()
    anew, rows_anew = _all(toy)
    pd.testing.assert_frame_equal(problems, anew)
    assert rows.keys() == rows_anew.keys()
    for name, frame in rows.items():
        assert type(frame) is type(rows_anew[name])
        pd.testing.assert_frame_equal(frame, rows_anew[name])


def test_files_are_not_read_twice(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of eight layers one differs: it alone is read again, in whatever folder the others lie."""
    read: list[str] = []
    whole = reader._read_layer
    monkeypatch.setattr(reader, "_read_layer", lambda *a: (read.append(a[1].name), whole(*a))[1])
    District.load(toy)
    first, read[:] = [*read], []
    assert {"homes", "facilities", "streets"} <= {*first}
    EDITS["people"](toy)
    District.load(shutil.copytree(toy, toy.parent / "copy"))
    assert read == ["homes"]


def test_what_is_done_to_rows_stays_with_whoever_does_it(toy: Path) -> None:
    one = District.load(toy)
    assert one.homes is not None
    homes = reader.read_folder(toy)[1]["homes"]
    homes.loc["A", "people"] = 1e6
    homes["more"] = 1
    two = District.load(toy)
    assert two.homes is not None
    pd.testing.assert_frame_equal(one.homes, two.homes)
    assert two.homes.loc["A", "people"] == 100


def test_no_more_is_known_than_there_is_room_for(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    District.load(toy)
    sizes = [size for _, size in reader._KNOWN.values()]
    monkeypatch.setattr(reader, "_MOST_KNOWN", sum(sizes) // 2)
    EDITS["people"](toy)
    District.load(toy)
    assert 0 < sum(size for _, size in reader._KNOWN.values()) <= sum(sizes) // 2


@pytest.mark.skipif(not hasattr(Path, "symlink_to"), reason="no links")
def test_what_is_known_is_not_taken_through_a_link_that_leads_out(toy: Path, tmp_path: Path) -> None:
    """The same bytes as of a known layer, but not in the folder: refused as if they had never been read."""
    District.load(toy)
    shutil.move(toy / HOMES, tmp_path / "outside.geojson")
    (toy / HOMES).symlink_to(tmp_path / "outside.geojson")
    problems = check(toy)
    assert (problems["layer"] == "homes").any() and "homes" not in reader.read_folder(toy)[1]


@pytest.mark.slow
def test_folders_are_opened_by_several_threads(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With room for one layer or two, so that each thread puts out what another has just put in."""
    monkeypatch.setattr(reader, "_MOST_KNOWN", max(p.stat().st_size for p in toy.rglob("*.geojson")))
    want = District.load(toy).homes
    with ThreadPoolExecutor(4) as pool:
        found = [district.homes for district in pool.map(District.load, [toy] * 12)]
    assert want is not None and all(homes is not None and homes.equals(want) for homes in found)
