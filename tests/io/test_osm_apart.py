"""Extracts of OpenStreetMap are a stranger's files: parsed in the process that has given up everything else, within limits."""

from __future__ import annotations

import gzip
import os
import resource
import socket
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import osmium
import pytest
import shapely
from clock import trials
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_osm_import import town

from xinhe_geo.core import XinheError, strangers
from xinhe_geo.io import overpass
from xinhe_geo.io.osm_extract import date_of
from xinhe_geo.io.osm_import import import_osm, left_out
from xinhe_geo.io.split import Division, split
from xinhe_geo.network import WalkNetwork

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="what the other process gives up differs")


@pytest.fixture
def extract(tmp_path: Path) -> Path:
    path = tmp_path / "in" / "town.osm"
    path.parent.mkdir()
    path.write_text(town().xml(), "utf-8")
    return path


def divided(path: Path, out: Path) -> None:
    frame = gpd.GeoDataFrame({"c": ["1", "2"]}, geometry=[shapely.box(117.6, 39, 117.606, 39.1)] * 2, crs=4326)
    frame.to_file(path.parent / "edge.geojson", driver="GeoJSON")
    (path.parent / "people.csv").write_text("id,lon,lat,people\nS1,117.6035,39.0545,12\n", "utf-8")
    division = Division(path.parent / "edge.geojson", "c")
    assert list(split(path, division, out, homes=path.parent / "people.csv")["status"]) == ["done"] * 2


#: Whatever reads an extract.
READERS: dict[str, Callable[[Path, Path], object]] = {
    "import": import_osm,
    "network": lambda path, _: WalkNetwork.from_osm(path),
    "ways": lambda path, _: left_out(path),
    "date": lambda path, _: date_of(path),
    "split": divided,
    "answers of servers": lambda path, out: (out.mkdir(), overpass._merge([path, path], out / "a.osm.pbf")),
}


@pytest.mark.one_in(2)
@pytest.mark.parametrize(
    "reader", [pytest.param(r, marks=pytest.mark.slow if r in ("split", "import") else []) for r in READERS]
)
def test_nothing_of_an_extract_is_parsed_here(
    extract: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reader: str
) -> None:
    """The library that reads it is called in the other process only, which cannot write, nor ask anybody, nor look elsewhere."""
    here, secret, seen = os.getpid(), tmp_path / "secret.txt", tmp_path / "in" / "new"
    secret.write_text("x", "utf-8")
    for name in ("FileProcessor", "MergeInputReader"):
        true = getattr(osmium, name)

        def called(*args: object, true: Callable[..., object] = true) -> object:
            if os.getpid() == here:
                raise SystemError("parsed here")
            for reach in (lambda: secret.read_text("utf-8"), lambda: seen.write_text("x", "utf-8"), socket.socket):
                try:
                    reach()
                except OSError:
                    continue
                raise SystemError("reached out")
            return true(*args)

        monkeypatch.setattr(osmium, name, called)
    READERS[reader](extract, tmp_path / "out")


def block(kind: bytes, content: bytes, claimed: int | None = None) -> bytes:
    """One block of a packed extract, which may claim another length than it has."""
    packed = zlib.compress(content, 9)
    blob = b"\x10" + varint(len(content) if claimed is None else claimed) + b"\x1a" + varint(len(packed)) + packed
    head = b"\x0a" + varint(len(kind)) + kind + b"\x18" + varint(len(blob))
    return struct.pack(">I", len(head)) + head + blob


def varint(number: int) -> bytes:
    found = b""
    while number > 127:
        found, number = found + bytes([number & 127 | 128]), number >> 7
    return found + bytes([number])


HEADER = block(b"OSMHeader", b"\x22\x0eOsmSchema-V0.6\x22\x0aDenseNodes")
START = b'<?xml version="1.0"?><osm version="0.6">'
#: Files of a few hundred kilobytes at which a reader could work for minutes, or take gigabytes; first one of those that take three seconds.
BOMBS: dict[str, Callable[[], tuple[str, bytes]]] = {
    "a way of too many nodes": lambda: (
        ".osm.gz",
        gzip.compress(START + b'<way id="1">' + b'<nd ref="1"/>' * 8_000_000),
    ),
    "objects of one number without end": lambda: (".osm.gz", gzip.compress(START + b'<node id="1"/>' * 6_000_000)),
    "blanks": lambda: (".osm.gz", gzip.compress(START + b" " * 150_000_000)),
    "entities within entities": lambda: (
        ".osm",
        b'<!DOCTYPE osm [<!ENTITY a "aaaaaaaaaa">'
        + b"".join(b'<!ENTITY %c "%b">' % (98 + i, b"&%c;" % (97 + i) * 10) for i in range(9))
        + b']><osm version="0.6"><node id="1"><tag k="a" v="&j;"/></node></osm>',
    ),
    "a file of another folder": lambda: (
        ".osm",
        b'<!DOCTYPE osm [<!ENTITY a SYSTEM "file:///etc/passwd">]><osm version="0.6"><note>&a;</note></osm>',
    ),
    "blocks that unpack to a thousand times": lambda: (
        ".osm.pbf",
        HEADER + block(b"OSMData", b"\x0a\x00" + b"\x12\x00" * 8_000_000) * 8,
    ),
    "a block that claims gigabytes": lambda: (".osm.pbf", HEADER + block(b"OSMData", b"\x0a\x00", 3_000_000_000)),
}
MEASURED = """
import resource, sys
from pathlib import Path
from xinhe_geo.core import XinheError
from xinhe_geo.io.osm_import import import_osm
small, large, out = sys.argv[1:]
def used():
    return [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
def met(path):
    start = sum(use.ru_utime + use.ru_stime for use in used())
    try:
        import_osm(path, out)
        said = "taken"
    except XinheError as error:
        said = str(error)
    now = used()
    return said, sum(u.ru_utime + u.ru_stime for u in now) - start, max(u.ru_maxrss for u in now) / 1024
before = met(small)[2]
said, took, peak = met(large)
print(f"{took:.1f} {peak - before:.0f} {said} {Path(out).exists()}")
"""


@pytest.mark.slow
@pytest.mark.one_in(7)
@pytest.mark.parametrize("name", BOMBS)
def test_no_extract_takes_minutes_or_gigabytes(tmp_path: Path, name: str) -> None:
    suffix, content = BOMBS[name]()
    (tmp_path / "small.osm").write_bytes(START + b"</osm>")
    (tmp_path / f"large{suffix}").write_bytes(content)
    assert len(content) < 600_000
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, tmp_path / "small.osm", tmp_path / f"large{suffix}", tmp_path / "out"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    seconds, megabytes, said = done.stdout.split(" ", 2)
    assert float(seconds) < 11 and float(megabytes) < 330, done.stdout
    assert "large" in said and said.strip().endswith("False") and len(said) < 1000


@pytest.mark.slow
@settings(max_examples=trials(30), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(packed=st.booleans(), data=st.data())
def test_damaged_extracts_never_crash(tmp_path: Path, packed: bool, data: st.DataObject) -> None:
    """Bytes overwritten, cut out or put in anywhere: the file is taken or refused with a message, and nothing is half made."""
    path, out = tmp_path / f"a.osm{'.pbf' if packed else ''}", tmp_path / "network"
    whole = tmp_path / "whole.osm"
    if not whole.is_file():
        whole.write_text(town().xml(), "utf-8")
        with osmium.SimpleWriter(str(tmp_path / "whole.osm.pbf")) as writer:
            for thing in osmium.FileProcessor(str(whole)):
                writer.add(thing)
    content = bytearray((tmp_path / f"whole{path.name[1:]}").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content)))
        content[at : at + data.draw(st.integers(0, 30))] = data.draw(st.binary(max_size=12))
    path.write_bytes(bytes(content))
    try:
        WalkNetwork.from_osm(path)
    except XinheError as error:
        assert len(str(error)) < 1000
    assert not out.exists()


@pytest.mark.parametrize("what", ['timestamp="2021-05-06T07:08:09Z"', 'version="1"', 'lon="117.6000000"', 'id="1000"'])
def test_a_reader_that_quotes_the_file_is_not_quoted_whole(extract: Path, what: str) -> None:
    text = extract.read_text("utf-8")
    assert what in text
    extract.write_text(text.replace(what, f'{what.partition("=")[0]}="{"甲" * 50_000}"', 1), "utf-8")
    with pytest.raises(XinheError) as caught:
        WalkNetwork.from_osm(extract)
    assert len(str(caught.value)) < 500


@pytest.mark.slow
def test_a_saved_network_that_unpacks_to_more_than_anybody_has_room_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strangers, "_MEGABYTES", 60.0)
    with open(tmp_path / "a.net", "wb") as stream:
        np.savez_compressed(stream, meta=np.zeros(150_000_000, np.uint8))
    kept = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(XinheError, match=r"a\.net"):
        WalkNetwork.load(tmp_path / "a.net")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < kept + 50_000
