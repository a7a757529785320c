"""
Siblings of the files in `corpus`, each an attack of its own kind: name -> a function that makes the file in a folder.

They must be refused by `add` as those are: in one sentence, in bounded time, with nothing written and nobody asked.
"""

from __future__ import annotations

import json
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ezdxf
import pyarrow as pa
import pyarrow.parquet

from hostile.corpus import (
    LAT,
    LAUGHS,
    LON,
    Make,
    changed,
    collection,
    drawing,
    feature,
    geopackage,
    kml,
    raw,
    shapefile,
)


def sparse(name: str, size: int = 1 << 40) -> Make:
    """A file that takes no room on the disk and has a thousand gigabytes."""

    def make(folder: Path) -> Path:
        with (folder / name).open("wb") as file:
            file.truncate(size)
        return folder / name

    return make


def pipe(name: str) -> Make:
    return lambda folder: (os.mkfifo(folder / name), folder / name)[1]


def port(name: str) -> Make:
    """A socket that somebody has left in the folder; opened by nobody here, for whoever opens one is caught."""
    return lambda folder: (os.mknod(folder / name, stat.S_IFSOCK | 0o600), folder / name)[1]


def linked(name: str, to: str) -> Make:
    return lambda folder: ((folder / name).symlink_to(to), folder / name)[1]


def zipped(name: str, *members: tuple[str, bytes]) -> Make:
    def make(folder: Path) -> Path:
        with zipfile.ZipFile(folder / name, "w") as package:
            for member, content in members:
                package.writestr(zipfile.ZipInfo(member), content)
        return folder / name

    return make


def overlapping(name: str, times: int = 3000) -> Make:
    """A package whose members all lie at one place: small, though it unpacks to gigabytes and each member is within bounds."""

    def make(folder: Path) -> Path:
        inner = b"<kml/>" + b" " * 2_000_000
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed = packer.compress(inner) + packer.flush()
        sizes = (zlib.crc32(inner), len(packed), len(inner))
        local = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 8, 0, 0, *sizes, 7, 0) + b"doc.kml" + packed
        entries = [
            struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 8, 0, 0, *sizes, 7, 0, 0, 0, 0, 0, 0) + b"doc.kml"
            for _ in range(times)
        ]
        end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, times, times, sum(map(len, entries)), len(local), 0)
        (folder / name).write_bytes(local + b"".join(entries) + end)
        return folder / name

    return make


def patched(made: Callable[[Path], Path], part: str, at: int, content: bytes) -> Make:
    """A sound file, or one beside it, some bytes of whose head are others."""

    def make(folder: Path) -> Path:
        path = made(folder)
        target = path.with_suffix(part) if part else path
        whole = bytearray(target.read_bytes())
        whole[at : at + len(content)] = content
        target.write_bytes(whole)
        return path

    return make


def blob(geometry: bytes) -> Make:
    """A geopackage whose shape is other bytes."""

    def make(folder: Path) -> Path:
        import sqlite3
        from contextlib import closing

        path = geopackage(folder)
        with closing(sqlite3.connect(path)) as base:
            for (name,) in base.execute("SELECT name FROM sqlite_master WHERE type='trigger'").fetchall():
                base.execute(f'DROP TRIGGER "{name}"')
            base.execute("UPDATE a SET geom = ?", [b"GP\0\1" + struct.pack("<i", 4326) + geometry])
            base.commit()
        return path

    return make


def xref(folder: Path) -> Path:
    """A drawing that is another one, by its path."""
    made = ezdxf.new("R2010")
    made.add_xref_def("../../../../etc/passwd", "other")
    made.add_image_def("//host/share/a.png", (1, 1))
    made.modelspace().add_blockref("other", (0, 0))
    made.saveas(folder / "a.dxf")
    return folder / "a.dxf"


def within_itself(folder: Path) -> Path:
    """A block that holds itself, and one that holds two of another, thirty times over."""
    made = ezdxf.new("R2010")
    own = made.blocks.new("own")
    own.add_blockref("own", (0, 0))
    made.blocks.new("b0").add_point((0, 0))
    for i in range(1, 31):
        block = made.blocks.new(f"b{i}")
        block.add_blockref(f"b{i - 1}", (0, 0))
        block.add_blockref(f"b{i - 1}", (1, 0))
    made.modelspace().add_blockref("own", (0, 0))
    made.modelspace().add_blockref("b30", (0, 0))
    made.saveas(folder / "a.dxf")
    return folder / "a.dxf"


def parquet(folder: Path, **meta: bytes) -> Path:
    table = pa.table({"编号": ["P"], "类别": ["canteen"], "geometry": [b"\1\1\0\0\0"]})
    pyarrow.parquet.write_table(
        table.replace_schema_metadata({k.encode(): v for k, v in meta.items()}), folder / "a.geoparquet"
    )
    return folder / "a.geoparquet"


def nested(depth: int) -> bytes:
    """A collection of collections, as WKB."""
    return b"\0" + struct.pack("<BII", 1, 7, 1) * depth + struct.pack("<BIdd", 1, 1, LON, LAT)


def deep(shape: Any, depth: int) -> str:
    return '{"type":"GeometryCollection","geometries":[' * depth + json.dumps(shape) + "]}" * depth


POINT = {"type": "Point", "coordinates": [LON, LAT]}
ONE_PLACE = {"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {"z": 0}, "geometry": POINT}]}
EXTERNAL = (
    b'<externalReferences><externalReference r:id="rId9"/></externalReferences>'
    b'<definedNames><definedName name="_xlnm.Print_Titles">[1]x!$A$1</definedName></definedNames>'
)
#: Refused, each in one sentence.
SIBLINGS: dict[str, Make] = {
    # what is no file
    "a pipe": pipe("a.csv"),
    "a pipe as geojson": pipe("a.geojson"),
    "a socket": port("a.csv"),
    "a link to a device": linked("a.csv", "/dev/zero"),
    "a link to a password file": linked("a.csv", "/etc/passwd"),
    "a link to itself": linked("a.csv", "a.csv"),
    "a link to the memory of the process": linked("a.csv", "/proc/self/mem"),
    **{
        f"a thousand gigabytes of nothing: {e}": sparse(f"a.{e}")
        for e in ("csv", "xlsx", "geojson", "gpkg", "kmz", "dxf", "fgb")
    },
    # packages
    "a member that is absolute": zipped("a.kmz", ("/etc/doc.kml", b"<x/>")),
    "a member on a drive": zipped("a.kmz", ("C:\\doc.kml", b"<x/>")),
    "a member of a share": zipped("a.kmz", ("\\\\host\\share\\doc.kml", b"<x/>")),
    "a member with strokes the other way": zipped("a.kmz", ("..\\..\\doc.kml", b"<x/>")),
    "members at one place": overlapping("a.kmz"),
    "members at one place, as a workbook": overlapping("a.xlsx"),
    "a package within a package": zipped("a.kmz", ("doc.kml", b"PK\3\4" * 100)),
    "a member of a name of 60,000 signs": zipped("a.kmz", ("x" * 60_000 + ".kml", b"<kml/>")),
    # workbooks
    "a workbook of another workbook's cells": changed(
        "sheet1.xml", lambda b: b.replace(b"<v>117.0023</v>", b"<f>[1]x!A1</f>")
    ),
    "a workbook that starts another program": changed(
        "sheet1.xml", lambda b: b.replace(b"<v>117.0023</v>", b"<f>cmd|' /C calc'!A0</f>")
    ),
    "entities after a long remark": changed(
        "sheet1.xml", lambda b: b"<!--" + b" " * 9000 + b"-->" + LAUGHS[21:] + b.replace(b"canteen", b"&b;")
    ),
    "entities in utf-16 after a long remark": changed(
        "styles.xml", lambda b: (" " * 9000 + LAUGHS.decode()[21:] + "<l>&b;</l>").encode("utf-16")
    ),
    "a shared text beyond the last": changed(
        "sheet1.xml", lambda b: b.replace(b't="n"><v>117.0023</v>', b't="s"><v>99999999</v>')
    ),
    "a workbook of an unknown reference": changed(
        "workbook.xml", lambda b: b.replace(b"<sheets>", EXTERNAL + b"<sheets>")
    ),
    "a workbook that is encrypted": raw(
        "a.xlsx", bytes.fromhex("d0cf11e0a1b11ae1") + b"\0" * 4000 + "EncryptedPackage".encode("utf-16-le")
    ),
    # texts
    "utf-7": raw("a.csv", b"+j,+AD0-cmd\n1,2\n"),
    "utf-32": raw("a.csv", "编号,名称\n1,点\n".encode("utf-32")),
    "a number of a million digits": raw("a.json", b'[{"facility":' + b"9" * 1_000_000 + b"}]"),
    "a key of a megabyte": raw("a.json", b'[{"' + b"k" * 1_000_000 + b'": 1}]'),
    # shapes
    "coordinates at the end of numbers": collection(feature({"type": "Point", "coordinates": [1e308, -1e308]})),
    "coordinates beyond numbers": raw(
        "a.geojson",
        b'{"type":"FeatureCollection","features":[{"type":"Feature","properties":{},"geometry":{"type":"Point","coordinates":[1e999,39]}}]}',
    ),
    "collections within collections": raw(
        "a.geojson",
        f'{{"type":"FeatureCollection","features":[{{"type":"Feature","properties":{{}},"geometry":{deep(POINT, 5000)}}}]}}'.encode(),
    ),
    "what is known of a place within itself": raw(
        "a.geojson", json.dumps(ONE_PLACE).replace("0", '{"a":' * 900 + "1" + "}" * 900, 1).encode()
    ),
    "a shape of four billion points": blob(b"\0" + struct.pack("<BII", 1, 2, 0xFFFFFFFF)),
    "a shape of collections within collections": blob(nested(20_000)),
    "a dbf of other lengths": patched(shapefile, ".dbf", 4, struct.pack("<IHH", 0x7FFFFFFF, 33, 0xFFFF)),
    "a dbf without columns": patched(shapefile, ".dbf", 8, struct.pack("<HH", 33, 0)),
    "a shx that points elsewhere": patched(shapefile, ".shx", 100, struct.pack(">II", 0x3FFFFFFF, 0x3FFFFFFF)),
    "a network link": kml(
        "<Document><NetworkLink><Link><href>file:///etc/passwd</href></Link></NetworkLink>"
        "<NetworkLink><Url><href>\\\\host\\share\\a.kml</href></Url></NetworkLink></Document>"
    ),
    "an entity of a file": kml("<Document/>", '<!DOCTYPE k [<!ENTITY x SYSTEM "file:///etc/passwd">]>'),
    "a style of another host": kml(
        "<Document><Placemark><styleUrl>http://127.0.0.1:9/a#b</styleUrl><name>x</name></Placemark></Document>"
    ),
    # drawings
    "a group that is no number": patched(drawing, "", 0, b"xyz\n"),
    # columns
    "parquet of nonsense": lambda folder: parquet(folder, geo=b"{"),
    "parquet of a crs elsewhere": lambda folder: parquet(
        folder,
        geo=json.dumps(
            {"primary_column": "geometry", "columns": {"geometry": {"encoding": "WKB", "crs": "+init=/etc/passwd:1"}}}
        ).encode(),
    ),
    "parquet of a shape cut short": lambda folder: parquet(
        folder, geo=json.dumps({"primary_column": "geometry", "columns": {"geometry": {"encoding": "WKB"}}}).encode()
    ),
}


#: Each row is told why it is not taken.
BY_ROW_SIBLINGS = {"a drawing of a drawing elsewhere", "blocks within themselves"}
SIBLINGS |= {
    "a drawing of a drawing elsewhere": xref,
    "blocks within themselves": within_itself,
}
#: These are taken for what they are, and their odd part is nothing.
HARMLESS_SIBLINGS: dict[str, Make] = {
    "merged cells without end": changed(
        "sheet1.xml",
        lambda b: b.replace(b"</sheetData>", b'</sheetData><mergeCells><mergeCell ref="A1:XFD1048576"/></mergeCells>'),
    ),
}


def wide(folder: Path) -> Path:
    """A workbook each of whose rows has one cell, at the other end."""
    return changed(
        "sheet1.xml",
        lambda b: b.replace(
            b"</sheetData>",
            b"".join(b'<row r="%d"><c r="XFD%d"><v>1</v></c></row>' % (i, i) for i in range(3, 30_000))
            + b"</sheetData>",
        ),
    )(folder)


#: Small files that could take minutes or gigabytes.
SLOW_SIBLINGS: dict[str, Make] = {
    "quotes without end": raw("a.csv", b'"' * 5_000_000 + b"\n"),
    "half a million merged cells": changed(
        "sheet1.xml",
        lambda b: b.replace(
            b"</sheetData>",
            b"</sheetData><mergeCells>"
            + b"".join(b'<mergeCell ref="A%d:B%d"/>' % (i, i) for i in range(3, 500_000))
            + b"</mergeCells>",
        ),
    ),
    "cells at the other end": wide,
    "a package at one place": overlapping("a.kmz", 4900),
    "a number of twenty million digits": raw("a.json", b"[" + b"9" * 20_000_000 + b"]"),
    "objects within objects": raw("a.geojson", b'{"type":"FeatureCollection","features":[' + b'{"a":' * 3_000_000),
    "escapes": raw("a.json", b'[{"x":"' + b"\\ud800" * 3_000_000 + b'"}]'),
    "columns of one sign": raw("a.csv", b";" * 3_000_000 + b"\n" + b"\t," * 3_000_000),
    "blocks within themselves": within_itself,
}
