"""Hostile and broken files: one clear message and exit code each, in bounded time, and nothing written."""

from __future__ import annotations

import functools
import importlib
import io
import shutil
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hostile.corpus import HARMLESS, HOSTILE, book, drawing, geopackage, one, text
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xinhe_geo.app.cli import DATA, main
from xinhe_geo.core.errors import XinheError
from xinhe_geo.district import read_folder
from xinhe_geo.io import current_layer
from xinhe_geo.io.add import add
from xinhe_geo.io.row_report import tally

# The package offers a function of this name, which hides the module from `import`.
adding = importlib.import_module("xinhe_geo.io.add")

resource = pytest.importorskip("resource", reason="memory is measured")
TOY = Path(__file__).parents[1] / "toy"
#: Reading 1,000,000 rows is bounded by these; everything else takes a fraction.
SECONDS, MEGABYTES = 20, 900


@pytest.fixture(scope="module", autouse=True)
def _read_once() -> Any:
    """The folder stays as it is, which is what these tests are about: it is read once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(current_layer, "read_folder", functools.lru_cache(maxsize=1)(lambda folder: read_folder(TOY)))
        patch.setattr(adding, "check_copy", lambda *_: None)  # has tests of its own
        yield


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shutil.copytree(TOY, tmp_path_factory.mktemp("hostile") / "toy")


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_there_are_more_than_two_hundred() -> None:
    assert len(HOSTILE) > 250


@pytest.mark.parametrize("name", list(HOSTILE))
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
    assert code == DATA
    assert time.monotonic() - start < SECONDS
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) / 1024 < MEGABYTES
    assert any("\u4e00" <= c <= "\u9fff" for c in said.err)
    assert len(said.err) < 2000
    assert not said.out.strip()
    # Folded where the terminal ends, so compared without line feeds.
    assert str(tmp_path) not in said.err.replace("\n", "")
    assert all(c.isprintable() or c == "\n" for c in said.err)
    assert contents(toy) == before
    assert {p.name for p in place.iterdir()} == around


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
            "dxf": lambda: drawing(place),
            "geojson": lambda: HARMLESS["three dimensions"](place),
            "kmz": lambda: HARMLESS["a member that leads elsewhere"](place),
        }
        if kind == "kml":
            with zipfile.ZipFile(io.BytesIO(sound("kmz"))) as package:
                return package.read(package.namelist()[0])
        return make[kind]().read_bytes()


KINDS = ("csv", "xlsx", "geojson", "kml", "kmz", "dxf", "gpkg")
QUIET = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]


@settings(max_examples=80, deadline=None, suppress_health_check=QUIET)
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


@settings(max_examples=25, deadline=None, suppress_health_check=QUIET)
@given(rows=st.lists(st.lists(CELL, min_size=5, max_size=5), min_size=1, max_size=8))
def test_rows_are_taken_or_reported_whatever_they_hold(tmp_path: Path, toy: Path, rows: list[list[Any]]) -> None:
    path = text(tmp_path / "a.csv", [[*one()[0]], one()[1], *rows])
    try:
        counts = tally(add(path, toy, "facilities", crs="WGS84"))
    except XinheError:
        return
    assert counts["rows"] == counts["taken"] + counts["reported"]
