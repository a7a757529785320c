"""Whoever may write into a folder too exchanges a file or a folder in it for a link, at every moment: nothing outside is touched."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyogrio
import pytest
from clock import A_PART_OR_ALL
from hostile.rival import can_exchange, rivalled, tree

import xinhe_geo as xh
from xinhe_geo.core import LAYERS, bundled_folder
from xinhe_geo.core.files import growing, write_text
from xinhe_geo.district import beside, commit, exchange, locked, reader, recover, seal, undo
from xinhe_geo.district.reader import read_folder
from xinhe_geo.district.scenario import label_of, plan_files
from xinhe_geo.io import add
from xinhe_geo.report.files import added_to, put_in_place, repair

TOY = Path(__file__).resolve().parents[1] / "toy"
LEAK = "外面的秘密"
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="links that anybody makes, and forks")


def put(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    return folder


MANIFEST = '[layers.homes]\nfile = "homes/homes.geojson"\n'
NEW = {
    "pois/facilities.geojson": b"new",
    "homes/homes.geojson": b"new",
    "district.toml": (MANIFEST + '[layers.facilities]\nfile = "pois/facilities.geojson"\n').encode(),
}
PAGES = {"index.html": "新", "maps/a.html": "新", "tables/b.xlsx": "新"}


def district(place: Path) -> None:
    put(place / "d", {"district.toml": MANIFEST, "homes/homes.geojson": "old"})


def change(place: Path) -> None:
    with locked(place / "d"):
        commit(place / "d", NEW, "facilities", "a.csv")


def changed(place: Path) -> None:
    district(place)
    change(place)


def half_done(place: Path) -> None:
    """As a process leaves it that is killed while it changes a folder; things of others in the way of what is swept."""
    changed(place)
    history = place / "d" / ".history"
    text = {"version": "001", "do": "undo", "record": ""}
    put(history, {"journal.json": json.dumps(text), "new-002/old/a.csv": "x", ".xinhe-a.csv-abcdefgh/a.csv": "x"})
    put(history, {".profile-mine/kept": "x", ".note-mine": "x"})


def reported(place: Path) -> None:
    pages = put(place / "fresh", {**PAGES, "maps/gone.html": "旧"})
    (pages / "run.json").write_text(_record(pages), "utf-8")
    put_in_place(pages, place / "out")
    shutil.rmtree(pages)


def _record(pages: Path) -> str:
    from xinhe_geo.report.record import hashes

    return json.dumps({"versions": {"xinhe-geo": "0"}, "files": hashes(pages)})


def report(place: Path, pages: Path) -> None:
    put(pages, dict.fromkeys(PAGES, "更新"))
    (pages / "run.json").write_text(_record(pages), "utf-8")
    put_in_place(pages, place / "out")


def added(place: Path) -> None:
    with added_to(place / "out") as room:
        for name, text in PAGES.items():
            write_text(room / name, text)
            with growing(room / f"{name}.zip") as fresh, zipfile.ZipFile(fresh, "w") as packed:
                packed.writestr("a", text)


def left(place: Path) -> None:
    """As a process leaves it that is killed while it writes."""
    reported(place)
    room = place / ".xinhe-out-abcdefgh"
    put(room / "made", {"index.html": "更新", "maps/a.html": "更新"})
    from xinhe_geo.report.record import hashes

    said = {"room": "../.xinhe-out-abcdefgh/made", "files": hashes(room / "made"), "gone": {}, "noted": True}
    put(place / "out", {".xinhe-unfinished.json": json.dumps(said)})
    put(place / "out" / ".xinhe-a.zip-abcdefgh", {"a.zip": "x", "inner/b": "x"})


def packed(place: Path) -> None:
    with growing(place / "out" / "a.zip") as fresh:
        with zipfile.ZipFile(fresh, "w") as file:
            file.writestr("a", "x")
        (fresh.parent / "beside").write_text("x")


def imported(place: Path) -> None:
    with beside(place / "d") as fresh:
        put(fresh, {"district.toml": "x", "homes/homes.geojson": "x"})
        exchange(fresh, place / "d")


#: What there is before, and what is done.
ACTS: dict[str, tuple[Callable[[Path], object], Callable[[Path], object]]] = {
    "a change": (district, change),
    "an undo": (changed, lambda place: undo(place / "d", trust=True)),
    "what was not finished": (half_done, lambda place: recover(place / "d", trust=True)),
    "a seal": (changed, lambda place: seal(place / "d")),
    "a report": (reported, lambda place: report(place, place.parent / "pages")),
    "pages": (reported, added),
    "a report carried on": (left, lambda place: repair(place / "out")),
    "a text": (left, lambda place: write_text(place / "out" / "a.html", "x")),
    "a file of a library": (left, packed),
    "an import": (district, imported),
}


@pytest.mark.slow
@pytest.mark.parametrize("part", A_PART_OR_ALL)
@pytest.mark.parametrize("act", ACTS)
def test_nothing_outside_is_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: str, part: int) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    before, do = ACTS[act]
    base, place = tmp_path / "base", tmp_path / "base" / "place"
    monkeypatch.setattr(os, "fsync", lambda _: None)
    wrong: list[str] = []
    refused: list[BaseException] = []

    def once() -> None:
        try:
            do(place)
        except (xh.XinheError, OSError) as error:
            refused.append(error)

    def again() -> None:
        shutil.rmtree(base, ignore_errors=True)
        place.mkdir(parents=True)
        before(place)
        reader._KNOWN.clear()  # what is known is not read again, and gives nobody an occasion

    with rivalled(place, base / "outside") as run:
        again()
        touched, _ = run(lambda: do(place))
        moments = [(at, above) for at, name in enumerate(touched) for above in (0, 1, 2) if can_exchange(name, above)]
        moments = some(moments, part, 24)
        for at, above in moments:
            again()
            _, done = run(once, at, above)
            if done:
                then = json.loads((base / "then.json").read_text("utf-8"))
                now = json.loads(json.dumps(tree(base / "outside")))
                more = [n for n in {**then, **now} if then.get(n) != now.get(n) and not _is_hidden(n)]
                wrong += [f"{at} {above} {done}: {n}" for n in more]
    untold = [repr(e) for e in refused if not isinstance(e, xh.XinheError | FileNotFoundError)]
    assert not wrong + untold, "\n".join([f"{len(wrong)} in {len(moments)} moments", *wrong[:60], *untold[:20]])
    assert moments and (refused or part > 1)


def some(moments: list[tuple[int, int]], part: int, number: int) -> list[tuple[int, int]]:
    """Return all of them where all are asked for, else about so many, from the first to the last."""
    return moments[:: 1 if part == 1 else max(len(moments) // number, 1)]


def _is_hidden(name: str) -> bool:
    """Return whether something lies in a folder under a name that nobody else knows: it replaces nothing wherever it comes to lie."""
    return bool(re.search(r"/\.xinhe-in-[0-9a-f]{8}(/|$)", name))


# --- reading -----------------------------------------------------------------------------------------------------------


def received(place: Path) -> Path:
    """A folder with each kind of file that one has: layers, tables, plans, answers, a seal."""
    folder = shutil.copytree(TOY, place / "d")
    for name in ("kinds", "rules"):
        table = f"{LAYERS[name].folder}/{name}.csv"
        put(folder, {table: (bundled_folder() / table).read_text("utf-8")})
    put(
        folder,
        {"scenarios/a.toml": 'label = "甲"\n[[add]]\n', "pois/values.csv": "列,写法,行数,例,是什么\n类别,甲,,,\n"},
    )
    put(place.parent, {"rows.csv": "编号,名称,类别,经度,纬度\nP1,点,食堂,117.0023,39.0144\n"})
    return folder


def sealed(place: Path) -> None:
    seal(received(place))


def shared(place: Path) -> None:
    """Ours, for it was last changed here, and open to everybody."""
    folder = received(place)
    with locked(folder):
        commit(folder, {"pois/values.csv": (folder / "pois/values.csv").read_bytes()}, "facilities", "a.csv")
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o777)


def told(place: Path) -> str:
    """Return all that reading a folder tells."""
    _, rows, files, problems = read_folder(place / "d")
    return "".join(frame.astype(str).to_csv() for frame in rows.values()) + files.to_csv() + str(problems)


def taken(place: Path) -> str:
    add(place.parent / "rows.csv", place / "d", "facilities", crs="WGS84", apply=True)
    return told(place)


READS: dict[str, tuple[Callable[[Path], object], Callable[[Path], str]]] = {
    "a received folder": (received, told),
    "a sealed folder": (sealed, told),
    "a shared folder of ours": (shared, told),
    "plans": (received, lambda place: str([label_of(path) for path in plan_files(place / "d").values()])),
    "an addition": (shared, taken),
}


@pytest.mark.slow
@pytest.mark.parametrize("part", A_PART_OR_ALL)
@pytest.mark.parametrize("name", READS)
def test_nothing_outside_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, part: int) -> None:
    """What lies outside says 外面的秘密 where the folder says 甲: no table, no problem and no file that is written says it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(os, "fsync", lambda _: None)
    drawn = pyogrio.read_dataframe

    def read(path: str, *args: Any, **kwargs: Any) -> object:
        sys.audit("rival", path.removeprefix("GeoJSON:"))  # of what native code opens Python says nothing
        return drawn(path, *args, **kwargs)

    monkeypatch.setattr(pyogrio, "read_dataframe", read)
    before, do = READS[name]
    base, place = tmp_path / "base", tmp_path / "base" / "place"
    said: list[str] = []

    def once() -> None:
        try:
            said.append(do(place))
        except (xh.XinheError, OSError) as error:
            said.append(str(error))

    def again() -> None:
        shutil.rmtree(base, ignore_errors=True)
        place.mkdir(parents=True)
        before(place)
        reader._KNOWN.clear()  # what is known is not read again, and gives nobody an occasion
        said.clear()

    wrong = []
    with rivalled(place, base / "outside") as run:
        again()
        touched, _ = run(once)
        assert "甲" in said[0] and LEAK not in said[0]
        moments = [(at, above) for at, path in enumerate(touched) for above in (0, 1) if can_exchange(path, above)]
        moments = some(moments, part, 6)
        for at, above in moments:
            again()
            _, done = run(once, at, above, LEAK)
            written = [
                p for p in place.rglob("*") if p.is_file() and not p.is_symlink() and LEAK.encode() in p.read_bytes()
            ]
            through = [p for p in written if not any(above.is_symlink() for above in p.parents)]
            if done and (LEAK in said[0] or through):
                wrong.append(f"{at} {above} {done}: {[str(p) for p in through]} {said[0][:80]}")
    assert not wrong, "\n".join([f"{len(wrong)} in {len(moments)} moments", *wrong[:60]])
