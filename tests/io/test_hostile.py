"""Hostile and broken files: one clear message and exit code each, in bounded time, and nothing written."""

from __future__ import annotations

import functools
import importlib
import io
import os
import random
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from clock import A_PART_OR_ALL, spent, trials
from hostile.corpus import HARMLESS, HOSTILE, SLOW, book, drawing, flatgeobuf, geopackage, one, shapefile, text
from hostile.doors import DOORS, GRAPH, within_the_package
from hostile.doors import sound as sound_door
from hostile.siblings import BY_ROW_SIBLINGS, HARMLESS_SIBLINGS, SIBLINGS, SLOW_SIBLINGS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xinhe_geo.app.cli import DATA, main
from xinhe_geo.app.commands.console import PARTLY
from xinhe_geo.core import SourceError, layers_in, read_layer
from xinhe_geo.core.errors import XinheError
from xinhe_geo.district import read_folder
from xinhe_geo.io import current_layer
from xinhe_geo.io.add import add
from xinhe_geo.io.osm_import import left_out
from xinhe_geo.io.row_report import tally

# The package offers a function of this name, which hides the module from `import`.
adding = importlib.import_module("xinhe_geo.io.add")

resource = pytest.importorskip("resource", reason="memory is measured")
HOSTILE = HOSTILE | SIBLINGS
HARMLESS = HARMLESS | HARMLESS_SIBLINGS
SLOW = SLOW | SLOW_SIBLINGS
TOY = Path(__file__).parents[1] / "toy"
#: Reading 1,000,000 rows is bounded by these; everything else takes a fraction.
SECONDS, MEGABYTES = 20, 900


@pytest.fixture(scope="module", autouse=True)
def _read_once() -> Any:
    """The folder stays as it is, which is what these tests are about: it is read once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(current_layer, "read_folder", functools.lru_cache(maxsize=1)(lambda folder: read_folder(TOY)))
        patch.setattr(adding, "check_copy", lambda *_: [])  # has tests of its own
        yield


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shutil.copytree(TOY, tmp_path_factory.mktemp("hostile") / "toy")


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module", autouse=True)
def nothing_reaches_out(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No file of this module makes this process, or the one that reads files of strangers, open a socket or start a program."""
    place = tmp_path_factory.mktemp("seen") / "seen"
    seen, watching = os.open(place, os.O_CREAT | os.O_APPEND | os.O_WRONLY), [True]

    def hook(event: str, args: tuple[object, ...]) -> None:
        if watching[0] and event in ("socket.connect", "socket.bind", "socket.getaddrinfo", "os.system", "os.exec"):
            os.write(seen, f"{event} {args}\n".encode())

    sys.addaudithook(hook)
    yield
    watching[0] = False
    os.close(seen)
    assert place.read_text("utf-8") == ""


def test_there_are_more_than_two_hundred() -> None:
    assert len(HOSTILE) > 250


#: These take a second or two.
LARGE = {"1,000,000 rows in csv", "a zip bomb", "a kmz bomb"}
#: A reading of each costs a third of a second: every tenth for every change, all of them in `--all`.
TENTH = set(list(HOSTILE)[::10]) - LARGE


#: Words that nobody knows are asked about; nothing is written either.
BY_ROW = {
    "a drawing of lines",
    "a drawing far away",
    "a drawing in metres",
    *BY_ROW_SIBLINGS,
}  # each row is told why it is not taken
#: A layer of a drawing with nothing but texts is a list of places, whose kinds are asked about.
ASKED = {
    *BY_ROW,
    "a drawing of texts",
    "unknown kind",
    "a state nobody knows",
    "an unknown kind in json",
    "an object for a kind",
}


@pytest.mark.one_in(8)
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in TENTH else [pytest.mark.slow]) for name in HOSTILE]
)
def test_hostile_files(tmp_path: Path, toy: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "in"
    place.mkdir()
    path = HOSTILE[name](place)
    before, around = contents(toy), {p.name for p in place.iterdir()}
    start, peak = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    code = main(
        [
            "add",
            str(path),
            "--to",
            str(toy),
            "--layer",
            "facilities",
            "--crs",
            "WGS84",
            "--yes",
            "--datum-checked",
            "测试里量过",
        ]
    )
    said = capsys.readouterr()
    assert code == (PARTLY if name in ASKED else DATA)
    assert time.monotonic() - start < SECONDS
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) / 1024 < MEGABYTES
    asked = name in ASKED
    told = said.out if asked else said.err
    assert not asked or "目录没有改动" in told.replace("\n", "")
    assert any("\u4e00" <= c <= "\u9fff" for c in told)
    assert len(told) < (6000 if asked else 2000)
    assert asked or not said.out.strip()
    # Folded where the terminal ends, so compared without line feeds.
    assert str(tmp_path) not in (said.out + said.err).replace("\n", "")
    assert all(c.isprintable() or c == "\n" for c in said.out + said.err)
    assert contents(toy) == before
    assert {p.name for p in place.iterdir()} == around


#: Processor time, and memory beyond what a run takes that meets a file of one line.
SLOW_SECONDS, SLOW_MEGABYTES = 10, 300
MEASURED = """
import resource, sys
from xinhe_geo.core import XinheError
from xinhe_geo.io.osm_import import left_out
from xinhe_geo.io import add
small, large, folder = sys.argv[1:]

def used():
    return [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]

def seconds():
    return sum(use.ru_utime + use.ru_stime for use in used())

def met(path):
    start = seconds()
    try:
        add(path, folder, "facilities", crs="WGS84", fill={"类别": "canteen"})
    except XinheError as error:
        assert len(str(error)) < 3000
        said = str(error)
    else:
        said = ""
    return said, seconds() - start, max(use.ru_maxrss for use in used()) / 1024

before = met(small)[2]
said, took, peak = met(large)
print(f"{took:.1f} {peak - before:.0f} {said}")
"""


@pytest.mark.slow
@pytest.mark.one_in(8)
@pytest.mark.parametrize("name", SLOW)
def test_no_file_takes_minutes_or_gigabytes(tmp_path: Path, toy: Path, name: str) -> None:
    """Each in a process of its own, for memory is measured as the most there ever was."""
    small = text(tmp_path / "small.csv", [["甲"], [1]])
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(small), str(SLOW[name](tmp_path)), str(toy)],
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    seconds, megabytes, said = done.stdout.split(" ", 2)
    assert any("\u4e00" <= c <= "\u9fff" for c in said)
    assert float(seconds) < SLOW_SECONDS
    assert float(megabytes) < SLOW_MEGABYTES


@pytest.mark.parametrize("name", HARMLESS)
def test_odd_but_sound_files_are_taken(tmp_path: Path, toy: Path, name: str) -> None:
    report = add(HARMLESS[name](tmp_path), toy, "facilities", crs="WGS84")
    assert tally(report)["new"] == 1, report.to_string()


# --- fuzz -----------------------------------------------------------------------------------------------------------


@functools.cache
def sound(kind: str) -> bytes:
    """A file that is taken as it is."""
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        make = {
            "csv": lambda: text(place / "a.csv", one()),
            "xlsx": lambda: book(place / "a.xlsx", one()),
            "gpkg": lambda: geopackage(place),
            "fgb": lambda: flatgeobuf(place),
            "dxf": lambda: drawing(place),
            "geojson": lambda: HARMLESS["three dimensions"](place),
            "kmz": lambda: HARMLESS["a member that leads elsewhere"](place),
        }
        if kind == "kml":
            with zipfile.ZipFile(io.BytesIO(sound("kmz"))) as package:
                return package.read(package.namelist()[0])
        return make[kind]().read_bytes()


KINDS = ("csv", "xlsx", "geojson", "kml", "kmz", "dxf", "gpkg", "fgb")
QUIET = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]


@pytest.mark.slow
@settings(max_examples=trials(80), deadline=None, suppress_health_check=QUIET)
@given(kind=st.sampled_from(KINDS), data=st.data())
def test_damaged_files_never_crash(tmp_path: Path, toy: Path, kind: str, data: st.DataObject) -> None:
    """Bytes overwritten, cut out or put in anywhere: the file is taken or refused with a message."""
    content = bytearray(sound(kind))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content)))
        content[at : at + data.draw(st.integers(0, 30))] = data.draw(st.binary(max_size=12))
    path = tmp_path / f"a.{kind}"
    path.write_bytes(bytes(content))
    before = contents(toy)
    try:
        add(path, toy, "facilities", crs="WGS84", fill={"类别": "canteen"})
    except XinheError as error:
        assert len(str(error)) < 3000
    assert contents(toy) == before


CELL = st.one_of(
    st.none(), st.integers(), st.floats(), st.text(max_size=12), st.sampled_from(["合计", "117°39′", "39.0144"])
)


@pytest.mark.slow
@settings(max_examples=trials(25), deadline=None, suppress_health_check=QUIET)
@given(rows=st.lists(st.lists(CELL, min_size=5, max_size=5), min_size=1, max_size=8))
def test_rows_are_taken_or_reported_whatever_they_hold(tmp_path: Path, toy: Path, rows: list[list[Any]]) -> None:
    path = text(tmp_path / "a.csv", [[*one()[0]], one()[1], *rows])
    try:
        counts = tally(add(path, toy, "facilities", crs="WGS84"))
    except XinheError:
        return
    assert counts["rows"] == counts["taken"] + counts["reported"]


# --- a minute of anything -------------------------------------------------------------------------------------------

#: Words that mean something to a reader somewhere: put into a file anywhere.
WORDS = (
    b"<OGRVRTDataSource>",
    b'"crs":{"type":"link","properties":{"href":"http://127.0.0.1:9"}},',
    b"gdal_streamed_alg",
    b"ogr_geocode('x')",
    b"/vsicurl/http://127.0.0.1:9/",
    b'r="99999999999"',
    b"<!ENTITY a 'b'>",
    b"<" * 5000,
    b"[" * 5000,
    b"\n" * 5000,
    b"\0" * 64,
    b"\xff" * 64,
    b"9" * 400,
)


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Return bytes with words of other formats, cuts and repetitions in them; of a package, half the time, within one member."""
    if content[:2] == b"PK" and chance.random() < 0.5:
        return within_the_package(content, lambda inner: damaged(inner, chance), chance.choice)
    spoilt = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(spoilt) + 1)
        end = at + chance.choice([0, 0, 1, 30, len(spoilt)])
        piece = bytes(spoilt[at : at + 200]) * chance.choice([2, 50])
        spoilt[at:end] = chance.choice([*WORDS, piece, chance.randbytes(12)])
    return bytes(spoilt)


def met(read: Callable[[], object]) -> str:
    """Return what is wrong with how a file is met: it is taken, or refused in one sentence of ours, within seconds."""
    start = spent()
    try:
        read()
    except XinheError as error:
        if len(str(error)) >= 3000:
            return f"a message as long as a file: {str(error)[:200]}"
    took = spent() - start
    return f"{took:.0f} s" if took > SLOW_SECONDS else ""


@pytest.mark.slow
@pytest.mark.parametrize("key", ["c" + " " * 9_000, "c" * 9_000])
def test_what_a_library_quotes_of_a_file_is_no_page(tmp_path: Path, key: str) -> None:
    """The name of a key that is not there is as long as somebody made it."""
    path = tmp_path / "a.graphml"
    path.write_text(GRAPH.replace('<data key="c">', f'<data key="{key}">'), "utf-8")
    start = spent()
    with pytest.raises(XinheError, match="OSMnx") as told:
        left_out(path)
    assert len(str(told.value)) < 3000 and spent() - start < SLOW_SECONDS


@pytest.mark.slow
@pytest.mark.parametrize("made", [flatgeobuf, geopackage, shapefile])
def test_a_damaged_layer_is_refused_in_words_whoever_reads_it(tmp_path: Path, made: Callable[[Path], Path]) -> None:
    """Drivers raise many types, and so do shapes made of what they give: one reader says it for people, streets, outlines and links."""
    path, chance, refused = made(tmp_path), random.Random(7), 0
    whole = path.read_bytes()
    for _ in range(trials(40)):
        path.write_bytes(damaged(whole, chance))
        try:
            layers_in(path)
            read_layer(path)
        except SourceError as error:
            refused += 1
            assert error.what and error.remedy
    assert refused


@pytest.mark.slow
@pytest.mark.parametrize("part", A_PART_OR_ALL)
def test_a_minute_of_damage(tmp_path: Path, toy: Path, part: int) -> None:
    """
    Every door: tables, drawings and layers as `add` and `check` read them; what a folder says and remembers; extracts; answers.

    Half a minute of processor time with all tests, which makes a minute with the random trials of single doors; four hundred
    seconds before a release.
    """
    chance = random.Random(11)
    before, until, count = contents(toy), spent() + (30 if part > 1 else 400), 0
    faults = []
    while spent() < until:
        kind = (*KINDS, *DOORS)[count % (len(KINDS) + len(DOORS))]
        own = tmp_path / "own"
        shutil.rmtree(own, ignore_errors=True)
        shutil.copytree(TOY, own / "toy")
        path = own / (DOORS[kind].name if kind in DOORS else f"a.{kind}")
        path.write_bytes(damaged(sound_door(kind) if kind in DOORS else sound(kind), chance))
        reads: list[Callable[[], object]] = [lambda path=path, kind=kind, own=own: DOORS[kind].read(path, own)]
        if kind in KINDS:
            reads = [
                lambda path=path: add(path, toy, "facilities", crs="WGS84", fill={"类别": "canteen"}),
                lambda path=path: read_layer(path),
            ]
        kept = path.read_bytes()
        try:
            faults += [f"{kind} {count}: {wrong}" for read in reads if (wrong := met(read))]
        except Exception as error:  # all of them are told, with the bytes of the first
            faults.append(f"{kind} {count}: {type(error).__name__}: {error}; {kept[:2000]!r}")
        count += 1
    assert not faults, "\n".join(faults[:20])
    assert contents(toy) == before
    assert count > 3 * len({*KINDS, *DOORS})
