"""Any file of OpenStreetMap loads, however its objects are packed, ordered and numbered; what cannot be read is told by its cause."""

from __future__ import annotations

import bz2
import gzip
import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import osmium
import pytest
from clock import spent
from test_osm_import import Town, tag_lines, town

from xinhe_geo.app.cli import main
from xinhe_geo.core import SourceError, XinheError
from xinhe_geo.district import District
from xinhe_geo.io.osm_import import import_osm
from xinhe_geo.network import WalkNetwork

STAMP = 'version="2" timestamp="2021-05-06T07:08:09Z"'


def head(body: Sequence[str]) -> str:
    return "\n".join(
        ["<?xml version='1.0' encoding='UTF-8'?>", '<osm version="0.6" generator="test">', *body, "</osm>"]
    )


def objects(t: Town, sign: int = 1) -> tuple[list[str], list[str], list[str]]:
    """Nodes, ways and relations of a town, one element each."""
    nodes = [
        f'<node id="{sign * i}" lon="{lon:.7f}" lat="{lat:.7f}" {STAMP}>{tag_lines(tags)}</node>'
        for i, (lon, lat, tags) in sorted(t.nodes.items())
    ]
    ways = [
        f'<way id="{sign * i}" {STAMP}>{"".join(f"<nd ref={chr(34)}{sign * n}{chr(34)}/>" for n in refs)}{tag_lines(tags)}</way>'
        for i, refs, tags in sorted(t.ways, key=lambda way: way[0])
    ]
    relations = []
    for i, members, tags in t.relations:
        parts = "".join(f'<member type="{kind}" ref="{sign * ref}" role="{role}"/>' for kind, ref, role in members)
        relations.append(f'<relation id="{sign * i}" {STAMP}>{parts}{tag_lines(tags)}</relation>')
    return nodes, ways, relations


def just_drawn() -> str:
    nodes, ways, relations = objects(town(), -1)
    return head([*nodes, *ways, *relations])


def drawn_into_the_map() -> str:
    """What JOSM saves: new ways on old nodes, old ways on new ones, in the order of its memory."""
    text = head([part for group in objects(town()) for part in group])
    for new in (1, 20, 40, 1705, 50):
        text = re.sub(rf'(\b(?:id|ref))="{new}"', rf'\1="-{new}"', text)
    return text


def sorted_by_nobody() -> str:
    rows = [part for group in objects(town()) for part in group]
    random.Random(3).shuffle(rows)
    return head(rows)


def ways_first() -> str:
    nodes, ways, relations = objects(town())
    return head([*relations, *ways, *nodes])


def answered_twice() -> str:
    """What Overpass gives for `out body; >; out skel;`: objects again, bare, for those that refer to them."""
    nodes, ways, relations = objects(town())
    bare = [re.sub(r"<tag [^>]*/>", "", row) for row in (*nodes, *ways)]
    return head([*nodes, *ways, *relations, *bare])


def with_history() -> str:
    """Every object in two versions, the old one elsewhere and called otherwise; and what has been deleted since."""
    nodes, ways, relations = objects(town())
    old = [row.replace('version="2"', 'version="1"').replace('lat="39.05', 'lat="39.06') for row in nodes]
    older_ways = [row.replace('version="2"', 'version="1"').replace('v="新胡路"', 'v="旧名"') for row in ways]
    gone = [
        '<way id="70" version="1" visible="true"><nd ref="1000"/><nd ref="1101"/><tag k="highway" v="path"/></way>',
        '<way id="70" version="2" visible="false"/>',
    ]
    both = [row for pair in zip(old, nodes, strict=True) for row in pair]
    both_ways = [row for pair in zip(older_ways, ways, strict=True) for row in pair]
    return head([*both, *both_ways, *gone, *relations])


def deleted_in_the_editor() -> str:
    nodes, ways, relations = objects(town())
    gone = (
        '<way id="70" action="delete" visible="true"><nd ref="1000"/><nd ref="1101"/><tag k="highway" v="path"/></way>'
    )
    return head([*nodes, *ways, gone, *relations])


FORMS: dict[str, Callable[[], str]] = {
    f.__name__: f
    for f in (
        just_drawn,
        drawn_into_the_map,
        sorted_by_nobody,
        ways_first,
        answered_twice,
        with_history,
        deleted_in_the_editor,
    )
}


def content(file: Path, out: Path) -> dict[str, dict[str, object]]:
    """What a folder made of a file holds, by the ids the file has, without their sign."""
    import_osm(file, out, name="某街道", code="c")
    district = District.load(out)
    layers = {name: frame for name, frame in district.layers.items() if name != "district"}
    return {
        name: {
            str(key).replace("-", "", 1) if str(key)[1] == "-" else str(key): shape.wkt
            for key, shape in frame.geometry.items()
        }
        for name, frame in layers.items()
        if hasattr(frame, "geometry")
    }


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, object]]:
    folder = tmp_path_factory.mktemp("plain")
    (folder / "town.osm").write_text(head([row for group in objects(town()) for row in group]), "utf-8")
    return content(folder / "town.osm", folder / "out")


@pytest.mark.one_in(5)
@pytest.mark.parametrize(
    "form",
    [pytest.param(f, marks=() if f in ("drawn_into_the_map", "with_history") else pytest.mark.slow) for f in FORMS],
)
def test_the_same_town_in_every_order_and_numbering(
    form: str, plain: dict[str, dict[str, object]], tmp_path: Path
) -> None:
    """The layers are those of the file in order, to the last coordinate; only the sign of ids may differ."""
    (tmp_path / "town.osm").write_text(FORMS[form](), "utf-8")
    assert content(tmp_path / "town.osm", tmp_path / "out") == plain


@pytest.mark.slow
@pytest.mark.one_in(5)
@pytest.mark.parametrize("suffix", [".osm", ".osm.gz", ".osm.bz2", ".osm.pbf", ".pbf"])
def test_a_file_is_read_by_what_it_holds_whatever_it_is_called(suffix: str, tmp_path: Path) -> None:
    text = just_drawn().encode()
    source = tmp_path / "source.osm"
    source.write_bytes(text)
    with osmium.SimpleWriter(str(tmp_path / "packed.osm.pbf")) as writer:
        for thing in osmium.FileProcessor(str(source)):
            writer.add(thing)
    packings = [text, gzip.compress(text), bz2.compress(text), (tmp_path / "packed.osm.pbf").read_bytes()]
    metres = set()
    for i, data in enumerate(packings):
        file = tmp_path / f"town{i}{suffix}"
        file.write_bytes(data)
        metres.add(round(float(WalkNetwork.from_osm(file).edges.length.sum()), 6))
    assert len(metres) == 1
    assert metres.pop() > 2_000


@pytest.mark.slow
@pytest.mark.matrix
def test_a_file_in_order_is_read_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nodes, ways and relations by id: no copy is made of it, and one is made as soon as two objects change places."""

    def copied(*_: object) -> None:
        raise AssertionError("a copy was made")

    monkeypatch.setattr("xinhe_geo.network.osm_file._put_in_order", copied)
    nodes, ways, relations = objects(town())
    (tmp_path / "town.osm").write_text(head([*nodes, *ways, *relations]), "utf-8")
    WalkNetwork.from_osm(tmp_path / "town.osm")
    for body in ([*nodes, *relations, *ways], [*nodes, *ways, *relations[::-1]], [*nodes[::-1], *ways]):
        (tmp_path / "town.osm").write_text(head(body), "utf-8")
        with pytest.raises(RuntimeError, match="a copy was made"):  # met in the process that reads it
            WalkNetwork.from_osm(tmp_path / "town.osm")


def element(kind: str, parts: str, **tags: str) -> str:
    """One way or relation 900 over nodes or members, in short: nodes by number, members as kind and number."""
    if kind == "way":
        inside = "".join(f'<nd ref="{n}"/>' for n in parts.split())
    else:
        inside = "".join(
            f'<member type="{p[0]}" ref="{p[1]}" role="outer"/>' for p in (m.split(":") for m in parts.split())
        )
    return f'<{kind} id="900">{inside}{tag_lines(tags)}</{kind}>'


PARK = {"type": "multipolygon", "leisure": "park"}
ODD = {
    "a way of no nodes": element("way", "", highway="path"),
    "a way of one node": element("way", "1000", highway="path"),
    "a way of one place": element("way", "1000 1000", highway="path"),
    "a way of nodes that are not there": element("way", "77 78", highway="path"),
    "a building cut by the clip": element("way", "1000 77 1000", building="house"),
    "a building like an eight": element("way", "1000 1101 1001 1100 1000", building="house"),
    "a relation of itself": element("relation", "relation:900", **PARK),
    "a relation of the other": element("relation", "relation:901", **PARK)
    + element("relation", "relation:900", **PARK).replace('id="900"', 'id="901"'),
    "a relation of nothing": element("relation", "", **PARK),
    "a node beyond the pole": '<node id="90000" lon="1" lat="95"><tag k="amenity" v="pharmacy"/></node>',
    "a node of a very large id": '<node id="9007199254740993" lon="117.6" lat="39.05"><tag k="amenity" v="pharmacy"/></node>',
}


@pytest.mark.slow
def test_odd_objects_do_not_matter_to_the_others(tmp_path: Path) -> None:
    """All at once, for time's sake; the network is that of the town."""
    rows = [row for group in objects(town()) for row in group]
    (tmp_path / "town.osm").write_text(head(rows), "utf-8")
    renumbered = (
        re.sub(r'\b(id|ref)="90([01])"', rf'\1="{10_000 + 10 * i}\2"', row) for i, row in enumerate(ODD.values())
    )
    (tmp_path / "odd.osm").write_text(head([*rows, *renumbered]), "utf-8")
    was, now = (WalkNetwork.from_osm(tmp_path / name).edges.length.sum() for name in ("town.osm", "odd.osm"))
    assert was == pytest.approx(now, abs=1e-9)
    import_osm(tmp_path / "odd.osm", tmp_path / "out")
    facilities = District.load(tmp_path / "out").facilities
    assert facilities is not None
    assert "n9007199254740993" in facilities.index


GOOD = head([f'<node id="{i}" lat="39" lon="117"><tag k="a" v="{i * 7919}"/></node>' for i in range(1, 2000)]).encode()
DAMAGED = "请重新下载"


def torn(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


@pytest.mark.slow
@pytest.mark.one_in(4)
@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("none.osm", b"", "是空的（0 字节）"),
        ("page.osm", b"<!DOCTYPE html><html><body>Too many requests</body></html>", "是一张网页"),
        ("json.osm", b'{"version": 0.6, "elements": []}', "是 JSON"),
        ("zip.osm.pbf", b"PK\x03\x04....", "是压缩包（zip）"),
        ("lfs.osm.pbf", b"version https://git-lfs.github.com/spec/v1\n", "占位文件"),
        ("words.osm.pbf", b"not a protobuf at all, only text", "里不是 OSM 数据"),
        ("gpx.osm", b'<?xml version="1.0"?><gpx version="1.1"></gpx>', "里是 gpx"),
        ("old.osm", b'<osm version="0.5"></osm>', "旧版本 0.5"),
        ("bare.osm", b"<osm></osm>", "没有写版本"),
        ("place.osm", b'<osm version="0.6"><node id="1" lat="x" lon="2"/></osm>', "不是经纬度：x"),
        ("id.osm", b'<osm version="0.6"><node id="n1" lat="1" lon="2"/></osm>', "不是整数：n1"),
        ("amp.osm", b'<osm version="0.6">\n<node id="1" lat="1" lon="2" user="a&b"/></osm>', "第 2 行第"),
        ("cut.osm", torn(GOOD), "就断了"),
        ("entity.osm", b'<!DOCTYPE a [<!ENTITY b "c">]><osm version="0.6"></osm>', "实体定义"),
        ("cut.osm.gz", torn(gzip.compress(GOOD)), DAMAGED),
        ("sum.osm.gz", flipped(gzip.compress(GOOD), -6), DAMAGED),
        ("cut.osm.bz2", torn(bz2.compress(GOOD)), DAMAGED),
        ("sum.osm.bz2", flipped(bz2.compress(GOOD), 2000), DAMAGED),
        ("roads.osm", head(['<node id="1" lat="1" lon="2"/>']).encode(), "一条道路也没有"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_by_its_cause(name: str, data: bytes, said: str, tmp_path: Path) -> None:
    """Both readers say it; that it is damaged is said only of a stream that is."""
    (tmp_path / name).write_bytes(data)
    for read in (lambda: WalkNetwork.from_osm(tmp_path / name), lambda: import_osm(tmp_path / name, tmp_path / "out")):
        with pytest.raises(XinheError) as caught:
            read()
        assert name in str(caught.value)
        assert (DAMAGED in str(caught.value)) == (said == DAMAGED)
    assert said in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_torn_pbf_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "town.osm").write_text(town().xml(), "utf-8")
    with osmium.SimpleWriter(str(tmp_path / "town.osm.pbf")) as writer:
        for thing in osmium.FileProcessor(str(tmp_path / "town.osm")):
            writer.add(thing)
    whole = (tmp_path / "town.osm.pbf").read_bytes()
    for data in (torn(whole), flipped(whole, len(whole) // 2)):
        (tmp_path / "broken.osm.pbf").write_bytes(data)
        with pytest.raises(SourceError, match=DAMAGED):
            WalkNetwork.from_osm(tmp_path / "broken.osm.pbf")


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [4, pytest.param(40, marks=pytest.mark.matrix)])
def test_bytes_and_words_changed_at_random_raise_nothing_but_our_errors(tmp_path: Path, seconds: int) -> None:
    """Four seconds of damage (before a release forty) to both readers: words of the XML swapped, bytes of it and of packed files changed."""
    rng = random.Random(7)
    source = tmp_path / "town.osm"
    source.write_text(town().xml(), "utf-8")
    with osmium.SimpleWriter(str(tmp_path / "town.osm.pbf")) as writer:
        for thing in osmium.FileProcessor(str(source)):
            writer.add(thing)
    text = source.read_text("utf-8")
    values = [
        "",
        "-1",
        "0",
        "x",
        "1e400",
        "91",
        "-181",
        "NaN",
        "9223372036854775807",
        "multipolygon",
        "residential",
        "yes",
    ]
    packed = {
        ".osm.pbf": (tmp_path / "town.osm.pbf").read_bytes(),
        ".osm.gz": gzip.compress(text.encode()),
        ".osm": text.encode(),
    }
    until = spent() + seconds
    tried = 0
    while spent() < until:
        tried += 1
        suffix = rng.choice([*packed, "words"])
        if suffix == "words":
            places = [m.span(1) for m in re.finditer(r'="([^"]*)"', text)]
            data = text
            for start, end in sorted(rng.sample(places[6:], rng.randint(1, 8)), reverse=True):
                data = data[:start] + rng.choice(values) + data[end:]
            raw, suffix = data.encode(), ".osm"
        else:
            changed = bytearray(packed[suffix])
            for _ in range(rng.randint(1, 6)):
                changed[rng.randrange(len(changed))] = rng.randrange(256)
            raw = bytes(changed)
        file = tmp_path / f"bad{suffix}"
        file.write_bytes(raw)
        for read in (WalkNetwork.from_osm, lambda f, out=tmp_path / f"out{tried}": import_osm(f, out)):
            try:
                read(file)
            except XinheError as error:
                assert file.name in str(error) or "没有" in str(error), str(error)
    assert tried > 2 * seconds


@pytest.mark.slow
@pytest.mark.matrix
def test_what_an_import_says_in_english_has_no_chinese_but_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The town with everything there is to say of it: what is left out, why, examples, the table of people with its faults."""
    (tmp_path / "town.osm").write_text(town().xml(stamp=None), "utf-8")
    rows = [
        "id,lon,lat,population,extra",
        "a,117.605,39.055,10,1",
        "b,117.62,39.055,5,1",
        "c,17,39,7,1",
        "d,117.605,39.055,-1,1",
        "e,,,2,1",
    ]
    (tmp_path / "people.csv").write_text("\n".join(rows), "utf-8")
    for more in ([], ["--homes", str(tmp_path / "people.csv")]):
        assert (
            main(
                [
                    "import",
                    str(tmp_path / "town.osm"),
                    "--out",
                    str(tmp_path / f"out{len(more)}"),
                    "--lang",
                    "en",
                    *more,
                ]
            )
            == 0
        )
        said = "".join(capsys.readouterr().out.split())
        for name in ("新胡路", "某高速"):
            said = said.replace(name, "")
        assert not re.findall(r"[\u3001-\u9fff]+", said)
