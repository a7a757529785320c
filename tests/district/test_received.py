"""A folder from somebody else: reading it opens nothing outside and asks nobody, and its journals move nothing."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import json
import os
import random
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pyogrio
import pyproj
import pytest
from clock import spent, trials
from hostile.reaching import REACHING, SUFFIXES, sound, vrt
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xinhe_geo.app.batch import _hash_of
from xinhe_geo.app.cli import DATA, DONE, main
from xinhe_geo.core import (
    LAYERS,
    ScenarioError,
    SourceError,
    XinheError,
    apart,
    crs_of,
    layers_in,
    read_layer,
    said,
    strangers,
)
from xinhe_geo.core.files import write_bytes
from xinhe_geo.district import Scenario, check, commit, locked, recover, secrecy_of, undo
from xinhe_geo.district.journal import HISTORY
from xinhe_geo.district.seal import broken, is_own, seal
from xinhe_geo.io.new_district import read_said

TESTS = Path(__file__).parents[1]
TOY = TESTS / "toy"


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    return shutil.copytree(TOY, tmp_path / "toy")


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


# --- reading ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.one_in(3)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_sound_layers_are_read_whatever_they_are_called(tmp_path: Path, suffix: str) -> None:
    place = tmp_path / "新 河#1?.x"
    place.mkdir()
    path = sound(place / f"小区 50%{suffix}")
    assert len(read_layer(path, tmp_path)) == 1
    assert len(layers_in(path)) == 1
    assert read_layer(path).crs.to_epsg() == 4326


def test_texts_that_are_no_texts_are_said_in_words(tmp_path: Path) -> None:
    path = sound(tmp_path / "a.gpkg")
    path.write_bytes(path.read_bytes().replace(b"\x17H", b"\x17\xff").replace(b"people", b"peop\xffe"))
    with pytest.raises(SourceError, match=r"a\.gpkg"):
        read_layer(path)


def test_a_plain_reader_would_follow_what_these_files_say(tmp_path: Path) -> None:
    """The corpus is worth something: what it is made of does reach out where nobody looks."""
    secret = sound(tmp_path / "outside.geojson")
    (tmp_path / "a.geojson").write_text(vrt(secret), "utf-8")
    assert len(pyogrio.read_dataframe(tmp_path / "a.geojson")) == 1
    with pytest.raises(SourceError, match=r"a\.geojson"):
        read_layer(tmp_path / "a.geojson")


@pytest.mark.skipif(os.name != "posix", reason="names with a colon")
def test_no_layer_is_another_file_because_of_where_one_stands(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """GDAL looks first for a file that is called as what it is asked for, `GeoJSON:` and all, in the folder one stands in."""
    asked = toy / f"GeoJSON:{toy}" / "homes" / "homes.geojson"
    asked.parent.mkdir(parents=True)
    asked.write_text(vrt(toy / "homes" / "gates.geojson").replace("outside", "gates"), "utf-8")
    monkeypatch.chdir(toy)
    assert "gate" in pyogrio.read_dataframe(f"GeoJSON:{toy}/homes/homes.geojson"), "whoever stands here is led astray"
    assert "gate" not in read_layer(Path("homes/homes.geojson"), Path())


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="links and devices")
def test_no_layer_reaches_out(tmp_path: Path) -> None:
    """Whatever a layer says: no request, no other file; with strace, as the system sees it, otherwise by what answers."""
    secret = sound(tmp_path / "outside.geojson")
    place = tmp_path / "in"
    place.mkdir()
    trace, strace = tmp_path / "trace", shutil.which("strace")
    watch = [strace, "-f", "-o", str(trace), "-e", "trace=openat,open,connect,socket"] if strace else []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        done = subprocess.run(
            [*watch, sys.executable, "-m", "hostile.reaching", str(place), url, str(secret)],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)])},
        )
        assert done.returncode == 0, done.stderr[-3000:]
        assert done.stdout == ""
        with pytest.raises(TimeoutError):
            server.accept()
    if strace:
        lines = trace.read_text("utf-8", "replace").splitlines()
        start = next(i for i, line in enumerate(lines) if '"/dev/null"' in line)
        assert not [line for line in lines[start:] if str(secret) in line or "AF_INET" in line or "/dev/zero" in line]


WATCHED = """
import os, sys
from pathlib import Path
folder, secret = Path(sys.argv[1]), sys.argv[2]
import xinhe_geo as xh
xh.check()  # everything is loaded
main, seen = os.getpid(), os.open(sys.argv[3], os.O_CREAT | os.O_APPEND | os.O_WRONLY)
def hook(event, args):  # in the process that reads files of strangers, too: it is a fork of this one
    if event.startswith(("socket.", "subprocess.")) or (event == "open" and str(args[0]).startswith(secret)):
        os.write(seen, f"{os.getpid() != main} {event} {args}\\n".encode())
    if event == "open" and os.getpid() != main and str(args[0]).startswith(str(folder)):
        os.write(seen, b"apart\\n")
sys.addaudithook(hook)
problems = xh.check(folder)
print(*sorted(set(problems.loc[problems["severity"] == "error", "file"])))
"""


@pytest.mark.slow
@pytest.mark.matrix
@pytest.mark.skipif(os.name != "posix", reason="links and pipes")
def test_check_of_a_received_folder_stays_in_it(tmp_path: Path, toy: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    secret = sound(outside / "a.geojson")
    (toy / "homes" / "homes.geojson").write_text(vrt(secret), "utf-8")
    (toy / "pois" / "facilities.geojson").unlink()
    (toy / "pois" / "facilities.geojson").symlink_to(secret)
    os.rename(toy / "homes" / "gates.geojson", toy / "homes" / "kept")
    os.mkfifo(toy / "homes" / "gates.geojson")
    (toy / "standards").mkdir(exist_ok=True)
    (toy / "standards" / "rules.csv").unlink(missing_ok=True)
    (toy / "standards" / "rules.csv").symlink_to("/dev/zero")
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, str(toy), str(outside), str(tmp_path / "seen")],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(TESTS.parent)},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert set((tmp_path / "seen").read_text("utf-8").splitlines()) == ({"apart"} if sys.platform == "linux" else set())
    assert {"homes/homes.geojson", "pois/facilities.geojson", "homes/gates.geojson"} <= set(done.stdout.split())


class Opened:
    """What is opened in a folder by whoever it is, native code and other processes too (inotify)."""

    def __init__(self, folder: Path) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._handle = self._libc.inotify_init1(os.O_NONBLOCK)
        watch = self._libc.inotify_add_watch(self._handle, os.fsencode(folder), 0x21)  # opened, read
        assert self._handle >= 0 and watch >= 0, os.strerror(ctypes.get_errno())

    def since(self) -> bytes:
        """Return what has been told since the last time, none of it if nothing was opened."""
        with contextlib.suppress(BlockingIOError):
            return os.read(self._handle, 65_536)
        return b""

    def close(self) -> None:
        os.close(self._handle)


class Steps:
    """Where this process opens files, or asks for something, that checking a folder does not take."""

    def __init__(self) -> None:
        self.allowed: list[str] = []
        self.found: list[str] = []
        sys.addaudithook(self._hook)

    def _hook(self, event: str, args: tuple[object, ...]) -> None:
        if not self.allowed:
            return
        if event.startswith(("socket.", "subprocess.", "os.exec", "os.posix_spawn", "urllib.")):
            self.found.append(f"{event} {args}")
        elif event == "open" and isinstance(args[0], str | bytes):
            place = os.path.realpath(os.fsdecode(args[0]))
            own_room = os.path.join(os.path.realpath(tempfile.gettempdir()), "xinhe-")  # of the other process
            if not place.startswith(own_room) and not any(
                place == own or place.startswith(own + os.sep) for own in self.allowed
            ):
                self.found.append(f"open {place}")


def reaching_folders(place: Path, url: str, secret: Path) -> list[Path]:
    """Return district folders each of whose layers is a file that reaches out, and each of such files in one of them."""
    names = [name for name, layer in LAYERS.items() if layer.geometry is not None]
    made = []
    corpus = [*REACHING.items()]
    for number in range(-(-len(corpus) // len(names))):
        several = corpus[number * len(names) : (number + 1) * len(names)]
        folder = place / f"d{number}"
        shutil.copytree(TOY, folder)
        head = (TOY / "district.toml").read_text("utf-8").partition("[layers.")[0]
        for name, (_, make) in zip(names, several, strict=False):
            (folder / name).mkdir(exist_ok=True)
            file = make(folder / name, url, secret)
            said = json.dumps(file.relative_to(folder).as_posix(), ensure_ascii=False)
            head += f'[layers.{name}]\nfile = {said}\ncrs = "EPSG:4326"\nbasis = "surveyed"\n'
        (folder / "district.toml").write_text(head, "utf-8")
        made.append(folder)
    return made


def spoilt_folders(place: Path, count: int) -> list[Path]:
    """Return copies of the toy district some bytes of whose files are others."""
    dice = random.Random(19)
    made = []
    for number in range(count):
        folder = shutil.copytree(TOY, place / f"s{number}")
        for file in dice.sample(sorted(p for p in folder.rglob("*") if p.is_file()), 3):
            content = bytearray(file.read_bytes())
            for _ in range(dice.choice([1, 3, 40])):
                at = dice.randrange(len(content))
                content[at : at + dice.choice([0, 1, 1, 9])] = dice.randbytes(dice.choice([0, 1, 3]))
            file.write_bytes(content)
        made.append(folder)
    return made


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="inotify")
def test_check_of_any_folder_opens_no_socket_and_no_file_outside(tmp_path: Path) -> None:
    """Over the corpus of files that reach out, and folders spoilt at random; native code and the other process are watched too."""
    outside = tmp_path / "outside"
    outside.mkdir()
    secret = sound(outside / "a.geojson")
    check()  # everything is loaded
    steps = Steps()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        folders = [*reaching_folders(tmp_path / "in", url, secret), *spoilt_folders(tmp_path / "in", trials(15))]
        eye = Opened(outside)
        roots = [TESTS.parent, sys.prefix, sys.base_prefix, "/proc", "/dev/null", "/usr", *sys.path]
        for folder in folders:
            steps.allowed = [os.path.realpath(p) for p in (*roots, folder) if str(p)]
            problems = check(folder)
            steps.allowed = []
            assert not steps.found and not eye.since(), (folder, steps.found)
            assert folder.name.startswith("s") or (problems["severity"] == "error").any()
        with pytest.raises(TimeoutError):
            server.accept()
        secret.read_bytes()
        assert eye.since(), "the watch does watch"
        eye.close()


def crs_of_a_file(place: str) -> dict[str, str]:
    """Texts of a CRS that send whoever reads them to a file: settings, grids, models; in every way that they are written."""
    wkt = pyproj.CRS("EPSG:32650").to_wkt("WKT1_GDAL").removesuffix("]")
    return {
        "init": f"+init={place}/a:1",
        "grids": f"+proj=utm +zone=50 +nadgrids={place}/a +type=crs",
        "grids in wkt": f'{wkt},EXTENSION["PROJ4","+proj=utm +zone=50 +nadgrids={place}/a +units=m"]]',
        "heights": f"+proj=utm +zone=50 +datum=WGS84 +geoidgrids={place}/a +type=crs",
        "a model": f"+proj=defmodel +model={place}/a +type=crs",
        "triangles": f"+proj=tinshift +file={place}/a +type=crs",
        "a path": f"{place}/a",
        "an address": f"file:{place}/a",
    }


@pytest.mark.slow
@pytest.mark.one_in(4)
@pytest.mark.skipif(sys.platform != "linux", reason="inotify")
@pytest.mark.parametrize("way", crs_of_a_file(""))
def test_no_coordinate_system_opens_a_file(tmp_path: Path, toy: Path, way: str) -> None:
    """Whether the manifest names it, for the district or a layer, or a layer says it of itself: an error, and nothing is opened."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a").write_text("<1> +proj=utm +zone=50 +datum=WGS84 <>\n", "utf-8")
    said = crs_of_a_file(str(outside))[way]
    manifest = (toy / "district.toml").read_text("utf-8")
    district = re.sub(r'(?m)^crs = ".*"$', lambda _: f"crs = {json.dumps(said)}", manifest, count=1)
    layer = re.sub(r'(\[layers\.homes\]\n[^\[]*?)crs = ".*"', lambda m: f"{m[1]}crs = {json.dumps(said)}", manifest)
    assert manifest not in (district, layer)
    eye = Opened(outside)
    for text in (district, layer):
        (toy / "district.toml").write_text(text, "utf-8")
        problems = check(toy)
        wrong = problems[problems["severity"] == "error"]
        assert "crs" in "".join(wrong["field"]) and wrong["problem"].str.contains("不认识的坐标系").any()
        assert not eye.since()
    with pytest.raises(pyproj.exceptions.CRSError):
        crs_of(said)
    with contextlib.suppress(pyproj.exceptions.CRSError):  # a layer holds what PROJ takes for a CRS
        own = sound(toy / "own.gpkg")
        with contextlib.closing(sqlite3.connect(own)) as base:
            base.execute(
                "UPDATE gpkg_spatial_ref_sys SET definition = ?, organization = 'x' WHERE srs_id = 4326", [said]
            )
            base.commit()
        eye.since()
        with contextlib.suppress(SourceError):
            frame = read_layer(own)
            assert frame.crs is None or "outside" not in frame.crs.to_wkt()
        assert not eye.since()
    eye.close()


PLACED = """
import geopandas as gpd, xinhe_geo.core
print(gpd.GeoSeries(gpd.points_from_xy([-77], [39]), crs=4267).to_crs(26918).x[0])
"""


@pytest.mark.slow
def test_no_coordinate_system_asks_the_network(tmp_path: Path) -> None:
    """Whatever the environment allows PROJ: a layer in an old datum, for which there are grids to be fetched."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        done = subprocess.run(
            [sys.executable, "-c", PLACED],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env={**os.environ, "PYTHONPATH": str(TESTS.parent), "PROJ_NETWORK": "ON", "PROJ_NETWORK_ENDPOINT": url},
        )
        with pytest.raises(TimeoutError):
            server.accept()
    assert done.returncode == 0 and float(done.stdout) == pytest.approx(326_800, abs=100), done.stderr[-2000:]


@pytest.mark.slow
@pytest.mark.one_in(3)
@pytest.mark.parametrize("crs", ["IAU_2015:30110", "EPSG:5800", "EPSG:4978", "1", "[]"])
def test_odd_coordinate_systems_are_rows_of_the_check(toy: Path, crs: str) -> None:
    """Of another planet, of a building site, with heights, or none: said of the district or of a layer."""
    manifest = (toy / "district.toml").read_text("utf-8")
    for at in ("", r"\[layers\.homes\]\n[^\[]*?"):
        text = re.sub(f'(?m)({at})^crs = ".*"$', lambda m: f"{m[1]}crs = {json.dumps(crs)}", manifest, count=1)
        (toy / "district.toml").write_text(text, "utf-8")
        assert text != manifest and (check(toy)["severity"] == "error").any()


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["x" * 5000, "homes/" + "y/" * 3000 + "a.csv", "a\\u0000b", "/etc/hostname", "C:a.csv"]
)
def test_odd_names_of_files_are_rows_of_the_check(toy: Path, name: str) -> None:
    manifest = toy / "district.toml"
    text = manifest.read_text("utf-8")
    manifest.write_text(text.replace('"homes/homes.geojson"', f'"{name}"'), "utf-8")
    assert (check(toy)["severity"] == "error").any()


SAID = {
    "a key of many parts": "a" + ".a" * 200_000 + " = 1",
    "many brackets": "a = " + "[" * 100_000,
    "long": "#" * 3_000_000,
}


@pytest.mark.slow
@pytest.mark.one_in(3)
@pytest.mark.skipif(sys.platform != "linux", reason="limits of processor time")
@pytest.mark.parametrize("name", SAID)
def test_what_a_folder_says_cannot_take_long(toy: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A manifest, a plan or a recipe at which the parser would work for hours, or fall over, is refused in one sentence."""
    monkeypatch.setattr(strangers, "_SECONDS", 0.1)
    for file in (toy / "district.toml", toy / "a.toml", toy / "b.toml"):
        file.write_text(SAID[name], "utf-8")
    assert "district.toml" in set(check(toy)["file"])
    with pytest.raises(ScenarioError, match=r"a\.toml"):
        Scenario.read(toy / "a.toml")
    with pytest.raises(SourceError, match=r"b\.toml"):
        read_said(toy / "b.toml")
    assert secrecy_of(toy) == {"secrecy": "?"}


def holed(folder: Path, name: str) -> None:
    """A file that takes no room on the disk and has a thousand gigabytes."""
    (folder / name).parent.mkdir(exist_ok=True, parents=True)
    with (folder / name).open("wb") as file:
        file.truncate(1 << 40)


def piped(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)


def led(folder: Path, name: str, to: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    if (folder / name).is_dir():
        shutil.rmtree(folder / name)
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(to)


def says(folder: Path, this: str, that: str) -> None:
    text = (folder / "district.toml").read_text("utf-8")
    assert this in text
    (folder / "district.toml").write_text(text.replace(this, that, 1), "utf-8")


def down(folder: Path) -> None:
    for _ in range(300):
        folder /= "d"
        folder.mkdir()


SEALED = json.dumps({"files": {"/dev/zero": "0" * 64, "../../etc/passwd": "0" * 64}})
#: What somebody may put into a folder: each is told in words and in seconds by `check`, and by `seal` too.
TRAPS = {
    "a manifest that is a pipe": lambda f: piped(f, "district.toml"),
    "a manifest of holes": lambda f: holed(f, "district.toml"),
    "a manifest of somebody else": lambda f: led(f, "district.toml", "/etc/passwd"),
    "a manifest that is a device": lambda f: led(f, "district.toml", "/dev/zero"),
    "a manifest of 150,000 entries": lambda f: says(
        f, "schema", "".join(f"k{i}=1\n" for i in range(150_000)) + "schema"
    ),
    "a layer of holes": lambda f: holed(f, "homes/homes.geojson"),
    "a layer called so that it steers the terminal": lambda f: says(
        f, '"homes/homes.geojson"', '"homes/\\u001b[2J\\u202ex.geojson"'
    ),
    "layers of another folder": lambda f: led(f, "homes", "/etc"),
    "a seal that is a pipe": lambda f: piped(f, "seal.json"),
    "a seal of holes": lambda f: holed(f, "seal.json"),
    "a seal that is a folder": lambda f: (f / "seal.json").mkdir(),
    "a seal of devices": lambda f: (f / "seal.json").write_text(SEALED, "utf-8"),
    "holes that nobody declared": lambda f: (seal(f), holed(f, "big.bin")),
    "a journal that is a pipe": lambda f: piped(f, ".history/journal.json"),
    "a journal of holes": lambda f: holed(f, ".history/journal.json"),
    "a history of another folder": lambda f: led(f, ".history", "/etc"),
    "a plan that is a pipe": lambda f: piped(f, "scenarios/a.toml"),
    "a folder in itself": lambda f: led(f, "again", "."),
    "three hundred folders down": down,
    "a name that is no text": lambda f: open(os.fsencode(f) + b"/\xff\xfe.csv", "w").close(),
    "a name that steers the terminal": lambda f: (f / "a\nb\x1b[31m\u202e.csv").write_text("x", "utf-8"),
    "a name of 255 bytes": lambda f: (f / ("长" * 83 + ".csv")).write_text("x", "utf-8"),
}


@pytest.mark.slow
@pytest.mark.one_in(8)
@pytest.mark.skipif(sys.platform != "linux", reason="pipes, holes and names of bytes")
@pytest.mark.parametrize("name", TRAPS)
def test_what_lies_in_a_folder_holds_nobody_up(toy: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    TRAPS[name](toy)
    start = spent()
    for command in ("check", "seal"):
        assert main([command, str(toy)]) in (DONE, DATA)
        said = "".join(capsys.readouterr())
        assert said.strip() and all(c.isprintable() or c == "\n" for c in said), said[-2000:]
    assert spent() - start < 5


def test_a_folder_with_holes_is_no_district_for_a_batch(toy: Path) -> None:
    """Its hash is of every file, and whatever a link leads to elsewhere is none of its own."""
    before = _hash_of(toy)
    led(toy, "elsewhere", "/etc/passwd")
    assert _hash_of(toy) == before
    holed(toy, "big.bin")
    with pytest.raises(SourceError, match="不像街道目录"):
        _hash_of(toy)


# --- journals --------------------------------------------------------------------------------------------------------


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def changed(folder: Path, name: str = "homes/homes.geojson") -> bytes:
    """Change one file of a district as an import does; return what it was."""
    old = (folder / name).read_bytes()
    with locked(folder):
        commit(folder, {name: old + b"\n"}, "homes", "a.csv")
    return old


@pytest.mark.slow
def test_a_copied_folder_is_undone_only_when_told_to_trust_it(tmp_path: Path, toy: Path) -> None:
    old = changed(toy)
    other = shutil.copytree(toy, tmp_path / "copy")
    before = contents(other)
    with pytest.raises(SourceError, match=r"homes/homes\.geojson.*--trust"):
        undo(other)
    assert contents(other) == before
    assert list(undo(other, trust=True)["what"]) == ["restored"]
    assert (other / "homes/homes.geojson").read_bytes() == old
    undo(toy)
    assert contents(toy) == contents(TOY)


def forge(folder: Path, do: str, files: list[dict[str, Any]], kept: bytes) -> None:
    """A history as its own code would write it, of the files it is told."""
    version = folder / HISTORY / "001"
    record = json.dumps({"layer": "homes", "source": "a.csv", "files": files}).encode()
    for side in ("old", "new"):
        (version / side).mkdir(parents=True, exist_ok=True)
        for step in files:
            name = str(step.get("file")).replace("\0", "")
            place = version / side / name
            try:
                # Also where a careless reader would look for it: `version/new/../outside/a.txt`.
                if os.path.realpath(place).startswith(os.path.realpath(version)):
                    Path(os.path.normpath(place)).parent.mkdir(parents=True, exist_ok=True)
                    Path(os.path.normpath(place)).write_bytes(kept)
            except (OSError, ValueError):
                continue
    write_bytes(version / "record.json", record)
    note = {"version": "001", "do": do, "record": sha(record)}
    write_bytes(folder / HISTORY / "journal.json", json.dumps(note).encode())


KEPT = b"forged"
LEADING_OUT = [
    "../outside/a.txt",
    "../outside/new.txt",
    "homes/../../outside/a.txt",
    "link/a.txt",
    "link",
    ".history/lock",
    ".History/journal.json",
    "C:\\x",
    "C:/x",
    "..\\outside\\a.txt",
    "\\\\host\\share\\x",
    "homes//homes.geojson",
    "./homes/homes.geojson",
    "homes/homes.geojson\0",
    "homes/homes.geojson ",
    "homes/homes.geojson::$DATA",
    "HOMES/homes.geojson",
    "con",
    "nul.csv",
    "",
    ".",
    "..",
    "/",
    "x" * 5000,
    "plans/new.toml",
    "run.py",
]
#: Names that would be right if the manifest had them (another case is another file, where the system says so).
UNDECLARED = ("HOMES/homes.geojson", "plans/new.toml", "run.py")
NAMES = st.sampled_from([*LEADING_OUT, "OUTSIDE/a.txt"]) | st.just("homes/homes.geojson") | st.text(max_size=20)
HASHES = st.sampled_from([sha(KEPT), sha(b"x"), None, "", 5, [], {}])
#: What a forger writes who knows the files he is after: to put his own in the place of one, to make one, to remove one.
FITTING = st.sampled_from([(sha(b"x"), sha(KEPT)), (None, sha(KEPT)), (sha(KEPT), sha(b"x")), (None, sha(b"x"))])
STEPS = st.lists(
    st.builds(lambda file, hashes: {"file": file, "old": hashes[0], "new": hashes[1]}, NAMES, FITTING)
    | st.fixed_dictionaries({"file": NAMES | st.integers(), "old": HASHES, "new": HASHES}),
    min_size=1,
    max_size=2,
)
ODD = st.recursive(
    st.none() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3), max_leaves=5
)


@pytest.mark.slow
@pytest.mark.one_in(16)
@pytest.mark.parametrize("name", LEADING_OUT)
@pytest.mark.parametrize(
    ("do", "old", "new"),
    [
        ("apply", sha(b"x"), sha(KEPT)),
        ("apply", None, sha(KEPT)),
        ("undo", sha(KEPT), sha(b"x")),
        ("undo", None, sha(b"x")),
    ],
)
def test_a_forger_who_is_trusted_gets_nothing_but_the_district(
    tmp_path: Path, name: str, do: str, old: str | None, new: str
) -> None:
    folder, outside = tmp_path / "d", tmp_path / "outside"
    for place in (folder / "homes", outside):
        place.mkdir(parents=True)
    (outside / "a.txt").write_bytes(b"x")
    (folder / "homes" / "homes.geojson").write_bytes(b"x")
    (folder / "run.py").write_bytes(b"x")
    if os.name == "posix":
        (folder / "link").symlink_to(outside)
    declared = [json.dumps(n, ensure_ascii=False) for n in (name, "homes/homes.geojson") if n.isprintable()]
    manifest = "".join(f"[layers.l{i}]\nfile = {n}\n" for i, n in enumerate(declared))
    (folder / "district.toml").write_text(manifest if name not in UNDECLARED else "", "utf-8")
    forge(folder, do, [{"file": name, "old": old, "new": new}], KEPT)
    before = {k: v for k, v in contents(tmp_path).items() if f"d/{HISTORY}" not in k}
    with pytest.raises(SourceError):
        recover(folder, trust=True)
    assert {k: v for k, v in contents(tmp_path).items() if f"d/{HISTORY}" not in k} == before


@pytest.mark.slow
@settings(max_examples=trials(30), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    do=st.sampled_from(["apply", "undo"]),
    files=STEPS,
    odd=st.none() | st.none() | ODD,
    trust=st.booleans(),
    more=st.booleans(),
)
def test_forged_journals_touch_nothing_outside_and_nothing_unasked(
    tmp_path_factory: pytest.TempPathFactory, do: str, files: list[dict[str, Any]], odd: Any, trust: bool, more: bool
) -> None:
    place = tmp_path_factory.mktemp("forged")
    folder, outside = place / "d", place / "outside"
    (folder / "homes").mkdir(parents=True)
    outside.mkdir()
    (outside / "a.txt").write_bytes(b"x")
    (folder / "district.toml").write_text('[layers.homes]\nfile = "homes/homes.geojson"\n', "utf-8")
    (folder / "homes" / "homes.geojson").write_bytes(b"x")
    if os.name == "posix":
        (folder / "link").symlink_to(outside)
    if more:  # declared, so that only where it leads speaks against it
        files = [{**step, "file": str(step["file"]).replace("OUTSIDE", str(outside))} for step in files]
        said = "".join(f"[layers.l{i}]\nfile = {json.dumps(s['file'])}\n" for i, s in enumerate(files))
        (folder / "district.toml").write_text(said, "utf-8", errors="replace")
    forge(folder, do, files, KEPT)
    if odd is not None:
        (folder / HISTORY / "001" / "record.json").write_text(json.dumps(odd), "utf-8")
    before = {k: v for k, v in contents(folder).items() if not k.startswith(HISTORY)}
    around = {p.name for p in place.iterdir()}
    for act in (recover, undo):
        with contextlib.suppress(XinheError):
            act(folder, trust=trust)
    assert {p.name: p.read_bytes() for p in outside.iterdir()} == {"a.txt": b"x"}
    assert {p.name for p in place.iterdir()} == around
    after = {k: v for k, v in contents(folder).items() if not k.startswith(HISTORY)}
    touched = {k for k in before.keys() | after.keys() if before.get(k) != after.get(k)}
    assert not touched or trust
    declared = {"district.toml", "homes/homes.geojson", *(str(s["file"]) for s in files if more)}
    assert touched <= declared
    shutil.rmtree(place, ignore_errors=True)


@pytest.mark.skipif(os.name != "posix", reason="links")
@pytest.mark.parametrize("part", [HISTORY, f"{HISTORY}/001", f"{HISTORY}/lock", f"{HISTORY}/journal.json", "homes"])
def test_links_in_a_history_lead_nowhere(tmp_path: Path, toy: Path, part: str) -> None:
    """Neither the sweep of leftovers nor a lock nor a version is looked for outside."""
    changed(toy)
    outside = tmp_path / "outside"
    shutil.copytree(toy / HISTORY / "001", outside / "001")
    (outside / "001" / "new").mkdir()
    (outside / "new-002").mkdir()
    (outside / ".a-b").write_bytes(b"x")
    place = toy / part
    shutil.rmtree(place, ignore_errors=True)
    place.unlink(missing_ok=True)
    place.symlink_to(outside / "fresh" if part.endswith(("lock", "json")) else outside)
    before, rows = contents(outside), set(outside.rglob("*"))
    for trust in (False, True):
        with pytest.raises(XinheError):
            undo(toy, trust=trust)
    assert contents(outside) == before
    assert set(outside.rglob("*")) == rows


@pytest.mark.slow
def test_check_shows_a_journal_that_is_not_ours(toy: Path) -> None:
    files = [{"file": "homes/homes.geojson", "old": None, "new": sha(KEPT)}]
    forge(toy, "apply", files, KEPT)
    before = contents(toy)
    problems = check(toy)
    assert list(problems["file"]) == [f"{HISTORY}/journal.json"]
    assert list(problems["severity"]) == ["warning"]
    assert "--trust" in problems["remedy"].iloc[0]
    with pytest.raises(SourceError, match="--trust"):
        recover(toy)
    assert contents(toy) == before


@pytest.mark.slow
def test_only_what_this_user_wrote_is_parsed_here(toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Journals, records and seals of a folder that was received are parsed where its layers are; our own are not."""
    changed(toy)
    seal(toy)
    asked: list[str] = []

    def noted(function: Any, path: Path, *args: Any, **more: Any) -> Any:
        asked.append(path.name)
        return apart(function, path, *args, **more)

    monkeypatch.setattr(said, "apart", noted)
    assert not broken(toy) and is_own(toy) and not asked
    other = shutil.copytree(toy, tmp_path / "copy")
    assert not broken(other) and not is_own(other) and asked == ["seal.json"]
    (other / "seal.json").unlink()
    undo(other, trust=True)
    assert asked[1:3] == ["record.json"] * 2 and not set(asked) & {"homes.geojson"}


DEEP = {"lists": b"[" * 400_000, "closed lists": b"[" * 400_000 + b"]" * 400_000, "records": b'{"a":' * 150_000}


@pytest.mark.parametrize(
    "content", [*DEEP.values(), b"\xff", b"1" * 100_000, b"null", b"[1]"], ids=lambda content: repr(content[:8])
)
def test_records_that_nobody_wrote_are_told_in_one_sentence(toy: Path, content: bytes) -> None:
    """Whatever lies where a journal, a version's record or a seal should: nothing is moved, and `check` names it."""
    changed(toy)
    for name in (f"{HISTORY}/journal.json", f"{HISTORY}/001/record.json", "seal.json"):
        place = toy / name
        kept = place.read_bytes() if place.is_file() else None
        place.write_bytes(content)
        before = contents(toy)
        with pytest.raises(XinheError) as caught:
            undo(toy, trust=True)
        assert len(str(caught.value)) < 500 and contents(toy) == before
        place.unlink()
        if kept is not None:
            place.write_bytes(kept)


def test_a_history_that_does_not_fit_is_not_used_even_when_trusted(toy: Path) -> None:
    changed(toy)
    kept = toy / HISTORY / "001" / "old" / "homes" / "homes.geojson"
    kept.write_bytes(kept.read_bytes() + b" ")
    before = contents(toy)
    for trust in (False, True):
        with pytest.raises(SourceError, match="对不上"):
            undo(toy, trust=trust)
    assert contents(toy) == before
