"""OpenStreetMap files as they come: read by what they hold, put in order where they are not, refused by their true cause."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from xml.etree.ElementTree import ParseError, iterparse

import numpy as np

from ..core import SourceError, XinheError, say
from .arrays import Ints, StrPath
from .pbf_order import nodes_in_order

if TYPE_CHECKING:
    from osmium import FileProcessor, SimpleWriter
    from osmium.io import File
    from osmium.osm import Node, Relation, Way, osm_entity_bits

#: Objects that an editor has drawn and nobody has uploaded have negative ids. Readers of areas and places know only positive
#: ones: in a copy put in order, -7 is this number and 7 more. OpenStreetMap itself is far below.
_DRAWN = 1 << 59
_ORDER = "nwr"
#: What a file begins with that is none of OpenStreetMap's, and what it is.
_OTHERS = (
    (
        rb"\s*<(!doctype\s+)?html",
        "是一张网页（多半是下载时服务器给的出错页面），不是地图数据。打开看它说什么，再重新下载",
    ),
    (rb"\s*[\[{]", "是 JSON，不是 OSM 数据。在 Overpass 导出时选 OSM XML；是 GeoJSON 就把文件名改成 .geojson"),
    (rb"PK\x03\x04", "是压缩包（zip）。解开以后用里面的 .osm 或 .osm.pbf"),
    (rb"version https://git-lfs", "只是一个占位文件（Git LFS），数据没有取下来。用 git lfs pull 取，或重新下载"),
    (rb"\xff\xe0|\xff\xff", "是 o5m 格式。用 osmconvert 转成 .osm.pbf"),
)


class Extract(NamedTuple):
    """A file to read: what osmium opens, and what the file is called that it came in."""

    file: File
    name: str


def own_id(number: int) -> int:
    """Return the id that an object has in the file it came in: negative where it was drawn and never uploaded."""
    return number if number <= _DRAWN else _DRAWN - number


@contextmanager
def in_order(path: StrPath | Extract) -> Iterator[Extract]:
    """
    Give a file whose objects come in order, each once, with positive ids (`own_id` has those of the file).

    A file that is not so (just drawn, sorted by nobody, with history, put together from several answers) is read through a
    copy of its own that is: of every object its newest version, unless that is deleted.

    Raises
    ------
    SourceError
        As `explained`.
    """
    if isinstance(path, Extract):
        with explained(path.name):
            yield path
        return
    file = opened(path)
    with explained(path), tempfile.TemporaryDirectory() as room:
        deleted = frozenset[tuple[str, int]]()
        whole = _is_in_order(file, Path(path))
        if b"action=" in _plain_text(Path(path)):
            deleted = _deleted_in_editor(Path(path))
        if not whole or deleted:
            file = _put_in_order(file, Path(room), deleted)
        yield Extract(file, Path(path).name)


@contextmanager
def explained(path: StrPath) -> Iterator[None]:
    """
    Turn what the reader says of a file into one sentence with its true cause.

    Raises
    ------
    SourceError
        "damaged, download again" only where a checksum or the stream says so.
    """
    from osmium import InvalidLocationError

    try:
        yield
    except XinheError:
        raise
    except (RuntimeError, ValueError, InvalidLocationError) as error:
        raise SourceError(say("{0} {1}", Path(path).name, _cause(error))) from error


def opened(path: StrPath) -> File:
    """
    Return a file as osmium opens it: by what is in it, whatever its name says.

    Raises
    ------
    SourceError
        No such file, an empty one, or one that holds something else.
    """
    from osmium.io import File

    path = Path(path)
    if not path.is_file():
        raise SourceError(say("文件不存在：{0}", path.name))
    with path.open("rb") as stream:
        head = stream.read(512)
    if not head:
        raise SourceError(say("{0} 是空的（0 字节）：下载或导出没有完成，重新取一次", path.name))
    for begins, said in _OTHERS:
        if re.match(begins, head, re.IGNORECASE):
            raise SourceError(say("{0} {1}", path.name, say(said)))
    if head.startswith(b"\x1f\x8b"):
        return File(str(path), "osm.gz")
    if head.startswith(b"BZh"):
        return File(str(path), "osm.bz2")
    if b"OSMHeader" in head[:64]:
        return File(str(path), "pbf")
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return File(str(path), "osm")
    raise SourceError(
        say("{0} 里不是 OSM 数据：开头既不是 OSM 的 XML，也不是 PBF。文件名和内容不符，或取错了文件", path.name)
    )


_DAMAGED = re.compile(
    r"gzip|bzip2|uncompress|unexpected EOF|truncated|zlib|lz4|PBF error|pbf|protozero|end of buffer|varint|wire type|blob|read failed",
    re.IGNORECASE,
)
_AT = re.compile(r"XML parsing error at line (\d+), column (\d+): (.*)")
#: What a reader says may quote the file.
_MOST_SAID = 200
_BROKEN_OFF = ("no element found", "unclosed token", "unclosed CDATA section", "partial character")


def _cause(error: Exception) -> str:
    """Return what is wrong with a file, and what to do, from what its reader said."""
    said = (str(error).splitlines() or [type(error).__name__])[0][:_MOST_SAID]
    if isinstance(error, UnicodeDecodeError):
        return say("里有文字不是 UTF-8 编码。用 JOSM 打开，另存一次")
    if (at := _AT.search(said)) is not None:
        line, column, what = at.groups()
        if what in _BROKEN_OFF:
            return say("到第 {0} 行就断了，后面的没有存下来。重新下载或重新导出", line)
        return say(
            "第 {0} 行第 {1} 个字符处不是合法的 XML（{2}）。改正这一处，或用 JOSM 重新另存", line, int(column) + 1, what
        )
    for pattern, text in (
        (r"wrong format for coordinate: '(.*)'", "里有一个坐标不是经纬度：{0}。改正这一处"),
        (r"illegal (?:id|user id|version|changeset|number[^:]*): '(.*)'", "里有一个编号不是整数：{0}。改正这一处"),
        (r"Can not read file with version (.*)", "是 OSM 数据的旧版本 {0}，只认 0.6。用 JOSM 打开，另存一次"),
        (r"Can not read file without version", '的 osm 元素没有写版本。加上 version="0.6"'),
        (r"Unknown top-level element: (.*)", "里是 {0}，不是 OSM 数据。取错了文件，或导出时选错了格式"),
        (r"XML entities are not supported", "里有实体定义（<!ENTITY>），OSM 数据里不该有。用 JOSM 打开，另存一次"),
        (r"required feature not supported: (.*)", "用了读不了的 PBF 特性 {0}。用 osmium cat 转一次"),
    ):
        if (found := re.search(pattern, said, re.IGNORECASE)) is not None:
            return say(text, *found.groups())
    if _DAMAGED.search(said):
        return say("在下载或拷贝中损坏了（{0}）。请重新下载", said)
    return say("读不下去：{0}。用 JOSM 打开看看，另存一次", said)


def processor(file: File, kinds: osm_entity_bits | None = None) -> FileProcessor:
    """Return what reads the objects of a file; with two threads whatever the machine has, for their room counts as memory."""
    import osmium

    return osmium.FileProcessor(file, osmium.osm.ALL if kinds is None else kinds, osmium.io.ThreadPool(2))


def _objects(file: File, *, nodes: bool = True) -> Iterator[Node | Way | Relation]:
    """Yield the nodes, ways and relations of a file as they come; or without the nodes."""
    import osmium
    from osmium.osm import Node, Relation, Way

    kinds = osmium.osm.WAY | osmium.osm.RELATION
    for thing in processor(file, kinds | osmium.osm.NODE if nodes else kinds):
        if isinstance(thing, (Node, Way, Relation)):
            yield thing


def _refers_to(thing: Node | Way | Relation) -> list[int]:
    """Return the ids that an object is made of."""
    from osmium.osm import Relation, Way

    if isinstance(thing, Way):
        return [node.ref for node in thing.nodes]
    return [member.ref for member in thing.members] if isinstance(thing, Relation) else []


def _is_in_order(file: File, path: Path) -> bool:
    """Return whether the objects come as nodes, ways, relations, by id, each once, with positive ids and none deleted."""
    header = processor(file).header
    if header.has_multiple_object_versions:
        return False
    promised: bool | None = header.get("sorting") == "Type_then_ID"
    # Nodes are millions: they stand where a header says so, or the numbers they are packed as; the order of ways and relations,
    # and what they refer to, is seen here.
    if not promised:
        promised = nodes_in_order(path)
        if promised is False:
            return False
    last, kind = 0, "n"
    for thing in _objects(file, nodes=not promised):
        number = thing.id
        if (own := thing.type_str()) != kind:
            if _ORDER.index(own) < _ORDER.index(kind):
                return False
            last, kind = 0, own
        if number <= last or thing.deleted or (kind != "n" and min(_refers_to(thing), default=0) < 0):
            return False
        last = number
    return True


def _put_in_order(file: File, room: Path, deleted: frozenset[tuple[str, int]]) -> File:
    """Write the newest version of every object that is not deleted, in order and with positive ids."""
    import osmium

    rows = [
        (_ORDER.index(thing.type_str()), _shifted(thing.id), thing.version, len(thing.tags), thing.deleted)
        for thing in _objects(file)
    ]
    table: Ints = np.array(rows, np.int64).reshape(-1, 5)
    # Of equal versions the one with tags: Overpass repeats an object bare for those that refer to it.
    order = np.lexsort((np.arange(len(table)), table[:, 3], table[:, 2], table[:, 1], table[:, 0]))
    newest = np.ones(len(order), bool)
    newest[:-1] = (np.diff(table[order, 1]) != 0) | (np.diff(table[order, 0]) != 0)
    chosen = np.zeros(len(table), bool)
    chosen[order[newest]] = True
    chosen &= table[:, 4] == 0
    loose, sorted_ = room / "loose.osm.pbf", room / "sorted.osm.pbf"
    with osmium.SimpleWriter(str(loose)) as writer:
        for thing, wanted in zip(_objects(file), chosen.tolist(), strict=True):
            if wanted and (thing.type_str(), thing.id) not in deleted:
                _write(writer, thing)
    merged = osmium.MergeInputReader()
    merged.add_file(str(loose))
    with osmium.SimpleWriter(str(sorted_)) as writer:
        merged.apply(writer, simplify=False)
    return osmium.io.File(str(sorted_), "pbf")


def _shifted(number: int) -> int:
    if abs(number) >= _DRAWN:
        raise ValueError(f"illegal id: '{number}'")
    return number if number >= 0 else _DRAWN - number


def _write(writer: SimpleWriter, thing: Node | Way | Relation) -> None:
    from osmium.osm import Node, Way

    if isinstance(thing, Node):
        writer.add_node(thing.replace(id=_shifted(thing.id)))
    elif isinstance(thing, Way):
        writer.add_way(thing.replace(id=_shifted(thing.id), nodes=[_shifted(node.ref) for node in thing.nodes]))
    else:
        members = [(member.type, _shifted(member.ref), member.role) for member in thing.members]
        writer.add_relation(thing.replace(id=_shifted(thing.id), members=members))


def _plain_text(path: Path) -> bytes:
    """Return what a file of XML holds, "" where it is packed."""
    with path.open("rb") as stream:
        return b"<" + stream.read() if stream.read(1) == b"<" else b""


def _deleted_in_editor(path: Path) -> frozenset[tuple[str, int]]:
    """Return the objects that JOSM marks as deleted in a file it has saved and not uploaded."""
    gone = set()
    try:
        for _, element in iterparse(path):
            if element.tag in ("node", "way", "relation"):
                if element.get("action") == "delete":
                    gone.add((element.tag[0], int(element.get("id", "0"))))
                element.clear()
    except (ParseError, ValueError):  # the reader of the map will say what is wrong
        return frozenset()
    return frozenset(gone)
