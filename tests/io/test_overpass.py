"""Fetching against a server on loopback: a good answer, busy, gone, cut off, refused; and what leaves the machine."""

from __future__ import annotations

import gzip
import threading
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import osmium
import pytest

import xinhe_geo as xh
from xinhe_geo.io import overpass as _overpass
from xinhe_geo.io.overpass import Patience, download, rounded

ANSWER = b"""<?xml version="1.0" encoding="UTF-8"?>
<osm version="0.6"><meta osm_base="2026-10-04T05:58:01Z"/>
<node id="1" version="1" timestamp="2026-01-01T00:00:00Z" lat="39.05" lon="117.62"/>
<node id="2" version="1" timestamp="2026-01-01T00:00:00Z" lat="39.05" lon="117.63"/>
<way id="5" version="1" timestamp="2026-01-01T00:00:00Z"><nd ref="1"/><nd ref="2"/><tag k="highway" v="residential"/></way>
</osm>
"""
BOX = rounded((117.60, 39.00, 117.75, 39.12))


class Recorded(BaseHTTPRequestHandler):
    """Plays the answers of `script` in turn, the last one again and again; remembers what it was asked."""

    script: ClassVar[list[object]] = []
    seen: ClassVar[list[tuple[str, str]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.seen.append((str(self.headers["User-Agent"]), urllib.parse.parse_qs(body)["data"][0]))
        answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(answer, int):
            self.send_response(answer)
            if answer == 429:
                self.send_header("Retry-After", "7")
            self.end_headers()
            return
        assert isinstance(answer, bytes)
        packed = gzip.compress(answer, mtime=0)
        self.send_response(200)
        self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        self.wfile.write(packed)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    Recorded.script, Recorded.seen = [ANSWER], []
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Recorded)
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}/api"
    httpd.shutdown()
    httpd.server_close()


def patience(slept: list[float] | None = None) -> Patience:
    return Patience(tries=3, wait_s=1.0, timeout_s=5.0, sleep=(slept if slept is not None else []).append)


def test_a_good_answer_is_kept_and_merged(server: str, tmp_path: Path) -> None:
    file = download(BOX, tmp_path, hosts=[server], patience=patience())
    ways = [o.id for o in osmium.FileProcessor(str(file)) if o.is_way()]
    assert ways == [5]  # once, though every theme brought it
    assert len(list(tmp_path.glob("raw-*.osm.gz"))) == len(_overpass.THEMES)
    assert gzip.decompress(sorted(tmp_path.glob("raw-*.osm.gz"))[0].read_bytes()) == ANSWER


def test_only_a_rounded_box_leaves_the_machine(server: str, tmp_path: Path) -> None:
    box = rounded((117.612345, 39.023456, 117.634567, 39.056789))
    assert box == (117.59, 39.0, 117.65, 39.08)
    download(box, tmp_path, hosts=[server], patience=patience())
    for agent, query in Recorded.seen:
        assert agent.startswith("xinhe-geo")
        assert "[bbox:39.00,117.59,39.08,117.65]" in query
        assert "39.023" not in query and "poly" not in query


def test_the_last_bits_of_a_degree_do_not_make_the_box_larger() -> None:
    """Less than half a millimetre beyond a hundredth of a degree is how a number was written; a centimetre is asked for."""
    speck, centimetre = 4e-9, 1e-7
    west, south, east, north = 117.60, 39.00, 117.75, 39.12
    same = rounded((west - speck, south - speck, east + speck, north + speck), margin=0.0)
    assert same == (west, south, east, north)
    more = rounded((west - centimetre, south - centimetre, east + centimetre, north + centimetre), margin=0.0)
    assert more == (117.59, 38.99, 117.76, 39.13)


def test_busy_waits_as_asked(server: str, tmp_path: Path) -> None:
    slept: list[float] = []
    Recorded.script = [429, ANSWER]
    download(BOX, tmp_path, hosts=[server], patience=patience(slept))
    assert slept == [7.0]


def test_gateway_timeout_and_cut_answers_are_tried_again(server: str, tmp_path: Path) -> None:
    slept: list[float] = []
    Recorded.script = [504, ANSWER[: len(ANSWER) // 2], ANSWER]
    download(BOX, tmp_path, hosts=[server], patience=patience(slept))
    assert slept == [1.0, 2.0]


def test_the_server_that_gave_up_is_not_believed(server: str, tmp_path: Path) -> None:
    gave_up = ANSWER.replace(b"</osm>", b"<remark> runtime error: Query timed out </remark>\n</osm>")
    Recorded.script = [gave_up]
    with pytest.raises(xh.EnvironmentProblem, match="中途放弃"):
        download(BOX, tmp_path, hosts=[server], patience=patience())
    assert not list(tmp_path.glob("*.osm.gz"))


def test_refused_by_one_taken_from_the_next(server: str, tmp_path: Path) -> None:
    Recorded.script = [406, ANSWER]
    assert download(BOX, tmp_path, hosts=[server, server], patience=patience()).is_file()


def test_refused_by_all(server: str, tmp_path: Path) -> None:
    Recorded.script = [403]
    with pytest.raises(xh.SourceError, match="import"):
        download(BOX, tmp_path, hosts=[server], patience=patience())


def test_goes_on_where_it_stopped(server: str, tmp_path: Path) -> None:
    Recorded.script = [ANSWER, 504]
    with pytest.raises(xh.EnvironmentProblem):
        download(BOX, tmp_path, hosts=[server], patience=patience())
    before = len(Recorded.seen)
    Recorded.script = [ANSWER]
    download(BOX, tmp_path, hosts=[server], patience=patience())
    assert len(Recorded.seen) - before == len(_overpass.THEMES) - 1


def test_without_a_network_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(xh.EnvironmentProblem, match=r"没有网络时用本地文件") as caught:
        download(BOX, tmp_path, hosts=["http://127.0.0.1:9/api"], patience=patience())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "box", [(117.7, 39.0, 117.6, 39.1), (0, 0, 200, 1), (100, 20, 110, 30), (float("nan"), 0, 1, 1)]
)
def test_bad_boxes(box: tuple[float, float, float, float]) -> None:
    with pytest.raises(xh.SourceError):
        rounded(box)


TOY = Path(__file__).parents[1] / "toy"


@pytest.mark.slow
def test_fetch_makes_a_folder_like_an_import(server: str, tmp_path: Path) -> None:
    from xinhe_geo.io.osm_import import box_to_fetch, fetch

    box = box_to_fetch(bbox=(117.60, 39.00, 117.75, 39.12))
    fetch(tmp_path / "street", box, hosts=[server], patience=patience())
    district = xh.District.load(tmp_path / "street")
    assert list(district.streets.index) == ["w5"]
    assert (tmp_path / "street.download").is_dir()


@pytest.mark.slow
def test_the_boundary_itself_never_leaves(server: str, tmp_path: Path) -> None:
    from xinhe_geo.io.osm_import import box_to_fetch

    district = xh.District.load(TOY)
    west, _, _, north = district.boundary.to_crs("EPSG:4326").total_bounds
    box = box_to_fetch(district=district)
    assert box[0] < west - 0.01 and box[3] > north + 0.01
    assert all(round(v, 2) == v for v in box)


@pytest.mark.slow
def test_a_secret_layer_is_not_fetched_for(tmp_path: Path) -> None:
    import shutil

    from xinhe_geo.io.osm_import import box_to_fetch

    folder = Path(shutil.copytree(TOY, tmp_path / "toy"))
    manifest = folder / "district.toml"
    manifest.write_text(
        manifest.read_text("utf-8").replace('licence = "MIT"', 'licence = "MIT"\nsecrecy = "秘密"', 1), "utf-8"
    )
    with pytest.raises(xh.SourceError, match="密级"):
        box_to_fetch(district=xh.District.load(folder))
