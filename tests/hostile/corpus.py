"""
More than two hundred files that must be refused: name -> a function that makes the file in a folder and returns its path.

Every one would be a list of canteens for the toy district, were it not for one thing.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ezdxf
import geopandas as gpd
import numpy as np
import openpyxl
import pyogrio
import shapely

Make = Callable[[Path], Path]
LON, LAT = 117.0023, 39.0144
HEAD = ["编号", "名称", "类别", "经度", "纬度"]


def one(**cells: Any) -> list[list[Any]]:
    row = {"编号": "P1", "名称": "点", "类别": "canteen", "经度": LON, "纬度": LAT} | cells
    return [list(row), list(row.values())]


def text(path: Path, rows: list[list[Any]], encoding: str = "utf-8-sig") -> Path:
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows(rows)
    path.write_bytes(stream.getvalue().encode(encoding, "surrogatepass"))
    return path


def book(path: Path, rows: list[list[Any]]) -> Path:
    made = openpyxl.Workbook()
    for row in rows:
        made.active.append(row)
    made.save(path)
    return path


def raw(name: str, content: bytes) -> Make:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return make


def cell(**cells: Any) -> Make:
    return lambda folder: text(folder / "a.csv", one(**cells))


def named(name: str, rows: list[list[Any]]) -> Make:
    return lambda folder: text(folder / name, rows)


def cut(made: Callable[[Path], Path], share: float, part: str = "") -> Make:
    """The first part of a sound file, or of a file beside it."""

    def make(folder: Path) -> Path:
        path = made(folder)
        target = path.with_suffix(part) if part else path
        content = target.read_bytes()
        target.write_bytes(content[: int(len(content) * share)])
        return path

    return make


def changed(name: str, change: Callable[[bytes], bytes]) -> Make:
    """A sound workbook of which one member is changed."""

    def make(folder: Path) -> Path:
        sound, path = book(folder / "sound.xlsx", one()), folder / "a.xlsx"
        with zipfile.ZipFile(sound) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
            for member in old.namelist():
                content = old.read(member)
                new.writestr(member, change(content) if member.endswith(name) else content)
        return path

    return make


def without(name: str) -> Make:
    def make(folder: Path) -> Path:
        sound, path = book(folder / "sound.xlsx", one()), folder / "a.xlsx"
        with zipfile.ZipFile(sound) as old, zipfile.ZipFile(path, "w") as new:
            for member in old.namelist():
                if not member.endswith(name):
                    new.writestr(member, old.read(member))
        return path

    return make


def bomb(name: str, first: str, content: bytes, size: int = 400_000_000) -> Make:
    """An archive that is small and unpacks to much."""

    def make(folder: Path) -> Path:
        with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as package:
            package.writestr(first, content)
            with package.open("big.bin", "w", force_zip64=True) as member:
                for _ in range(size // 8_000_000):
                    member.write(b"\0" * 8_000_000)
        return folder / name

    return make


def packed(name: str, **members: bytes) -> Make:
    def make(folder: Path) -> Path:
        with zipfile.ZipFile(folder / name, "w") as package:
            for member, content in members.items():
                package.writestr(member.replace("_dot_", "."), content)
        return folder / name

    return make


def points() -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(
        {"编号": ["G1", "G2"], "名称": ["甲", "乙"], "类别": ["canteen"] * 2},
        geometry=gpd.points_from_xy([LON, LON + 1e-4], [LAT] * 2),
        crs=4326,
    )


def shapefile(folder: Path) -> Path:
    pyogrio.write_dataframe(points(), folder / "a.shp", encoding="gbk")
    return folder / "a.shp"


def lacking(part: str) -> Make:
    def make(folder: Path) -> Path:
        shapefile(folder).with_suffix(part).unlink()
        return folder / "a.shp"

    return make


def geopackage(folder: Path) -> Path:
    pyogrio.write_dataframe(points(), folder / "a.gpkg")
    return folder / "a.gpkg"


def flatgeobuf(folder: Path) -> Path:
    pyogrio.write_dataframe(points(), folder / "a.fgb")
    return folder / "a.fgb"


def two_layers(folder: Path) -> Path:
    geopackage(folder)
    pyogrio.write_dataframe(points(), folder / "a.gpkg", layer="other", append=False)
    return folder / "a.gpkg"


def plain_sqlite(folder: Path) -> Path:
    base = sqlite3.connect(folder / "a.gpkg")
    base.execute("create table t (x)")
    base.commit()
    base.close()
    return folder / "a.gpkg"


def drawing(folder: Path) -> Path:
    made = ezdxf.new("R2010")
    made.blocks.new("点位").add_circle((0, 0), 1)
    made.modelspace().add_blockref("点位", (LON, LAT))
    made.saveas(folder / "a.dxf")
    return folder / "a.dxf"


def drawn(draw: Callable[[Any], Any]) -> Make:
    def make(folder: Path) -> Path:
        made = ezdxf.new("R2010")
        draw(made.modelspace())
        made.saveas(folder / "a.dxf")
        return folder / "a.dxf"

    return make


def collection(*features: Any, **more: Any) -> Make:
    return raw("a.geojson", json.dumps({"type": "FeatureCollection", "features": list(features), **more}).encode())


def feature(geometry: Any, **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "properties": {"facility": "P1", "kind": "canteen"} | properties, "geometry": geometry}


def shape(kind: str, coordinates: Any) -> Make:
    return collection(feature({"type": kind, "coordinates": coordinates}))


def kml(inside: str, before: str = "") -> Make:
    content = (
        f'<?xml version="1.0" encoding="UTF-8"?>{before}<kml xmlns="http://www.opengis.net/kml/2.2">{inside}</kml>'
    )
    return raw("a.kml", content.encode())


def many_rows(folder: Path) -> Path:
    with (folder / "a.csv").open("w", encoding="utf-8") as stream:
        stream.write(",".join(HEAD) + "\n")
        for k in range(100):
            stream.writelines(f"M{k}-{i},点,canteen,{LON},{LAT}\n" for i in range(10_000))
    return folder / "a.csv"


def many_rows_book(folder: Path) -> Path:
    row = b'<row><c t="inlineStr"><is><t>x</t></is></c></row>' * 1000

    def grown(content: bytes) -> bytes:
        return content.replace(b"</sheetData>", row * 1000 + b"</sheetData>")

    return changed("sheet1.xml", grown)(folder)


def long_lines(folder: Path) -> Path:
    frame = gpd.GeoDataFrame({"编号": ["L"]}, geometry=[shapely.LineString([[LON, LAT], [LON, LAT + 0.01]])], crs=4326)
    pyogrio.write_dataframe(frame, folder / "a.gpkg")
    return folder / "a.gpkg"


LAUGHS = b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>'
BOW_TIE = [[117.0, 39.0], [117.001, 39.001], [117.001, 39.0], [117.0, 39.001], [117.0, 39.0]]
INVISIBLE = {
    "bell": "\x07",
    "escape": "\x1b",
    "backspace": "\x08",
    "delete": "\x7f",
    "c1": "\x9b",
    "soft hyphen": "\xad",
    "zero width space": "\u200b",
    "left-to-right mark": "\u200e",
    "right-to-left mark": "\u200f",
    "right-to-left override": "\u202e",
    "left-to-right override": "\u202d",
    "isolate": "\u2066",
    "word joiner": "\u2060",
    "byte order mark": "\ufeff",
    "private use": "\ue000",
    "arabic letter mark": "\u061c",
    "tag": "\U000e0041",
}
MARKUP = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "</script><b>",
    "<!-- x",
    "<a href=javascript:alert(1)>x</a>",
    "<iframe src=//x>",
    "点< b onclick=x>",
    "<style>*{}</style>",
    "<?php x ?>",
)
FORMULAS = (
    '=HYPERLINK("http://x")',
    "=1+1",
    "=cmd|' /C calc'!A0",
    "@SUM(1+1)",
    "+cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "=IMPORTXML(1)",
    "=DDE(1)",
)
PATHS = ("../../etc/passwd", "..\\..\\x", "/etc/passwd", "C:\\x", "a/../b", "..", "x/y", "\\\\host\\share")
NUMBERS = {
    "nan": "NaN",
    "infinity": "inf",
    "minus infinity": "-Infinity",
    "overflow": "1e400",
    "words": "北京",
    "hex": "0x75",
    "two numbers": "117.65 39.05 1",
    "minutes over 60": "117°61′",
    "seconds over 60": "117°10′75″",
    "two signs": "--117",
    "two points": "117.0.1",
    "true": "TRUE",
    "a date": "2026-01-01",
    "only a sign": "-",
    "percent": "117%",
    "roman": "CXVII",
    "chinese numerals": "一百一十七度",
    "beyond the world": "500",
    "far west": "-117.0",
    "antimeridian": "180",
    "null": "NULL",
    "not available": "#N/A",
    "division": "#DIV/0!",
    "huge": "9" * 400,
    "tiny": "1e-320",
}
SHAPES: dict[str, Make] = {
    "a point without coordinates": collection(feature({"type": "Point"})),
    "a point of one number": shape("Point", [117.0]),
    "a point of words": shape("Point", ["a", "b"]),
    "a point of null": shape("Point", [None, None]),
    "nan in json": shape("Point", [float("nan")] * 2),
    "infinity in json": shape("Point", [float("inf"), 39]),
    "null island in json": shape("Point", [0, 0]),
    "an empty point": shape("Point", []),
    "beyond the pole": shape("Point", [117, 99]),
    "the antimeridian": shape("Point", [180, 39]),
    "metres in json": shape("Point", [500_200, 4_320_100]),
    "a line for a point": shape("LineString", [[LON, LAT], [LON, LAT + 1e-4]]),
    "a line of one point": shape("LineString", [[LON, LAT]]),
    "many points": shape("MultiPoint", [[LON, LAT], [LON, LAT + 1e-4]]),
    "many lines": shape("MultiLineString", [[[LON, LAT], [LON, LAT + 1e-4]]]),
    "a ring of two points": shape("Polygon", [[[LON, LAT], [LON, LAT]]]),
    "an open ring": shape("Polygon", [[[LON, LAT], [LON + 1e-4, LAT], [LON, LAT + 1e-4]]]),
    "a bow tie": shape("Polygon", [BOW_TIE]),
    "a hole outside": shape(
        "Polygon",
        [
            [[LON, LAT], [LON + 1e-3, LAT], [LON, LAT + 1e-3], [LON, LAT]],
            [[LON + 0.1, LAT], [LON + 0.101, LAT], [LON + 0.1, LAT + 1e-3], [LON + 0.1, LAT]],
        ],
    ),
    "a polygon over the antimeridian": shape("Polygon", [[[179, 39], [-179, 39], [-179, 40], [179, 39]]]),
    "a mixed collection": collection(
        feature(
            {
                "type": "GeometryCollection",
                "geometries": [
                    {"type": "Point", "coordinates": [LON, LAT]},
                    {"type": "LineString", "coordinates": [[LON, LAT], [117, 39]]},
                ],
            }
        )
    ),
    "an empty collection": collection(feature({"type": "GeometryCollection", "geometries": []})),
    "an unknown shape": shape("Circle", [LON, LAT]),
    "a shape of text": collection(feature("POINT(117 39)")),
    "no geometry": collection(feature(None)),
    "no features": collection(),
    "features of numbers": collection(1, 2),
    "features of null": collection(None),
    "a string of features": raw("a.geojson", b'{"type":"FeatureCollection","features":"x"}'),
    "a list": raw("a.geojson", b"[1,2]"),
    "one feature alone": raw("a.geojson", json.dumps(feature({"type": "Point", "coordinates": [LON, LAT]})).encode()),
    "topojson": raw("a.geojson", b'{"type":"Topology","objects":{}}'),
    "not json": raw("a.geojson", b"{"),
    "two documents": raw("a.geojson", b"{}{}"),
    "deep json": raw("a.geojson", b"[" * 200_000),
    "latin json": raw("a.geojson", b'{"type":"FeatureCollection\xff","features":[]}'),
    "a crs of nonsense": collection(feature({"type": "Point", "coordinates": [LON, LAT]}), crs={"x": 1}),
    "a crs nobody knows": collection(
        feature({"type": "Point", "coordinates": [LON, LAT]}),
        crs={"type": "name", "properties": {"name": "EPSG:999999"}},
    ),
    "an unknown kind in json": collection(feature({"type": "Point", "coordinates": [LON, LAT]}, kind="{0.__class__}")),
    "an object for a kind": collection(feature({"type": "Point", "coordinates": [LON, LAT]}, kind={"a": 1})),
    "a list for a key": collection(feature({"type": "Point", "coordinates": [LON, LAT]}, facility=["../x"])),
    "a key of html": collection(feature({"type": "Point", "coordinates": [LON, LAT]}, facility="<script>x</script>")),
    "duplicate members": raw("a.geojson", b'{"type":"FeatureCollection","features":[],"features":3}'),
}

HOSTILE: dict[str, Make] = {
    "absent": lambda folder: folder / "no.csv",
    "a folder": lambda folder: folder,
    "a folder that ends in csv": lambda folder: ((folder / "d.csv").mkdir(), folder / "d.csv")[1],
    **{
        f"empty {e}": raw(f"a.{e}", b"")
        for e in ("csv", "xlsx", "xls", "json", "geojson", "gpkg", "fgb", "shp", "kml", "kmz", "dxf")
    },
    **{
        f"noise in {e}": raw(f"a.{e}", np.random.default_rng(5).bytes(3000))
        for e in ("csv", "xlsx", "xls", "json", "geojson", "gpkg", "fgb", "kml", "kmz", "dxf")
    },
    **{
        f"png as {e}": raw(f"a.{e}", b"\x89PNG\r\n\x1a\n\xff\xff\xff\x00" * 20)
        for e in ("csv", "xlsx", "xls", "json", "geojson", "gpkg", "fgb", "kml", "kmz", "dxf")
    },
    **{
        f"web page as {e}": raw(f"a.{e}", b"<!DOCTYPE html><html><body>404 not found</body></html>")
        for e in ("csv", "xlsx", "xls", "json", "geojson", "gpkg", "fgb", "kml", "kmz", "dxf")
    },
    **{
        f"not taken: {e}": raw(f"a.{e}", b"x" * 50)
        for e in (
            "dwg",
            "dgn",
            "zip",
            "rar",
            "7z",
            "parquet",
            "pdf",
            "docx",
            "xlsm",
            "ods",
            "tab",
            "mdb",
            "exe",
            "py",
            "vrt",
        )
    },
    "no extension": raw("a", b"x"),
    "only an extension": raw(".csv", b"x"),
    "two extensions": raw("a.csv.exe", b"x"),
    "nested archive": packed("a.kmz", inner_dot_zip=b"PK\x03\x04"),
    # text tables
    "blank csv": raw("a.csv", b"\n\n , ,\n"),
    "nul bytes": raw("a.csv", b"\x00\x01\x02" * 50),
    "neither utf-8 nor gb18030": raw("a.csv", "编号,名称".encode() + b"\xff\xff\x80\x00"),
    "utf-16 cut in half": raw("a.csv", "编号,名称\n".encode("utf-16")[:-1]),
    "an open quote": raw("a.csv", ('编号,名称\n"P1,' + "x" * 200_000).encode()),
    "a cell longer than csv allows": cell(名称="长" * 200_000),
    "a cell of many words": cell(名称="长" * 3000),
    "1,000,000 rows in csv": many_rows,
    "1,000,000 rows in xlsx": many_rows_book,
    "10,000 columns in csv": lambda folder: text(
        folder / "a.csv", [[f"c{i}" for i in range(10_000)], list(range(10_000))]
    ),
    "10,000 columns in xlsx": lambda folder: book(
        folder / "a.xlsx", [[f"c{i}" for i in range(10_000)], list(range(10_000))]
    ),
    "no header": lambda folder: text(folder / "a.csv", [["甲", "乙"], [1, 2]]),
    "header only": lambda folder: text(folder / "a.csv", [HEAD]),
    "total only": lambda folder: text(folder / "a.csv", [HEAD, ["合计", "", "", "", ""]]),
    "example only": lambda folder: text(folder / "a.csv", [HEAD, ["示例（可删）", "点", "canteen", LON, LAT]]),
    "header again and again": lambda folder: text(folder / "a.csv", [HEAD] * 5),
    "too many cells": lambda folder: text(folder / "a.csv", [HEAD, ["P", "点", "canteen", LON, LAT, 1, 2, 3]]),
    "records of numbers": raw("a.json", b"[1,2,3]"),
    "records of nothing": raw("a.json", b"[]"),
    "an object without records": raw("a.json", b'{"a": 1}'),
    "two lists of records": raw("a.json", b'{"a": [{"x": 1}], "b": [{"x": 1}]}'),
    "records without a header": raw("a.json", b'[{"x": 1}, {"y": 2}]'),
    "deep records": raw("a.json", b'{"a":' * 100_000),
    "another city": cell(经度=121.47, 纬度=31.23),
    "null island": cell(经度=0, 纬度=0),
    "metres declared as degrees": cell(经度=500_200.0, 纬度=4_320_100.0),
    "no key": cell(编号=" "),
    "unknown kind": cell(类别="{0.__class__}%s%n"),
    "negative area": cell(建筑面积=-5),
    "an area of words": cell(建筑面积="很大"),
    "a state nobody knows": cell(状态="'; DROP TABLE x; --"),
    "a year of the middle ages": cell(起始年=1066),
    **{f"number: {n}": cell(经度=v) for n, v in NUMBERS.items()},
    **{f"invisible in the key: {n}": cell(编号=f"P{c}1") for n, c in INVISIBLE.items()},
    **{f"invisible in the name: {n}": cell(名称=f"点{c}x") for n, c in INVISIBLE.items()},
    **{f"markup {i}": cell(名称=v) for i, v in enumerate(MARKUP)},
    **{f"markup in the key {i}": cell(编号=v) for i, v in enumerate(MARKUP[:4])},
    **{f"formula {i}": cell(名称=v) for i, v in enumerate(FORMULAS)},
    **{f"path in the key {i}": cell(编号=v) for i, v in enumerate(PATHS)},
    **{f"persons: {w}": named(f"{w}名单.csv", one()) for w in ("信访", "吸毒", "刑释", "社区矫正", "精神障碍", "涉稳")},
    **{
        f"persons in a title: {w}": named("a.csv", [[f"{w}人员一览"], *one()]) for w in ("上访", "戒毒人员", "刑满释放")
    },
    # workbooks
    "csv as xlsx": raw("a.xlsx", "编号,名称\n1,点\n".encode()),
    "xlsx as xls": lambda folder: book(folder / "b.xlsx", [["甲"], [1]]).rename(folder / "a.xls"),
    "old xls as xlsx": raw("a.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600),
    "an old workbook of nothing": raw("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 5000),
    "an archive that is no workbook": packed("a.xlsx", a_dot_txt=b"x"),
    "a word document": packed("a.xlsx", word_dot_xml=b"x", **{"[Content_Types]_dot_xml": b"<Types/>"}),
    **{
        f"xlsx cut at {s:.0%}": cut(lambda folder: book(folder / "a.xlsx", one()), s)
        for s in (0.02, 0.2, 0.5, 0.8, 0.95, 0.99)
    },
    **{f"without {n}": without(n) for n in ("workbook.xml", "sheet1.xml", "[Content_Types].xml", "workbook.xml.rels")},
    **{
        f"broken {n}": changed(n, lambda b: b[: len(b) // 3])
        for n in ("workbook.xml", "sheet1.xml", "[Content_Types].xml", "styles.xml")
    },
    **{
        f"billion laughs in {n}": changed(n, lambda b: LAUGHS + b"<l>&b;</l>")
        for n in ("workbook.xml", "sheet1.xml", "theme1.xml", "styles.xml")
    },
    "a sheet of another schema": changed("sheet1.xml", lambda b: b"<x/>"),
    "a zip bomb": bomb("a.xlsx", "[Content_Types].xml", b"<Types/>"),
    "many members": packed("a.xlsx", **{f"m{i}": b"" for i in range(6000)}),
    "a workbook of formulas": lambda folder: book(folder / "a.xlsx", one(名称="=1+1")),
    # GIS files
    **SHAPES,
    "text as gpkg": raw("a.gpkg", b"hello"),
    "another database": plain_sqlite,
    "two layers": two_layers,
    "lines in gpkg": long_lines,
    **{f"gpkg cut at {s:.0%}": cut(geopackage, s) for s in (0.01, 0.1, 0.3, 0.6)},
    **{f"fgb cut at {s:.0%}": cut(flatgeobuf, s) for s in (0.01, 0.1, 0.3, 0.6)},
    "shp without dbf": lacking(".dbf"),
    "shp without shx": lacking(".shx"),
    **{f"{e} cut at {s:.0%}": cut(shapefile, s, e) for e, s in itertools.product((".shp", ".dbf"), (0.0, 0.2))},
    "text as shp": lambda folder: (shapefile(folder).write_bytes(b"hello" * 40), folder / "a.shp")[1],
    "a virtual file as shp": lambda folder: (
        shapefile(folder).write_bytes(b"<OGRVRTDataSource><OGRVRTLayer name='x'/></OGRVRTDataSource>"),
        folder / "a.shp",
    )[1],
    "an empty geodatabase": lambda folder: ((folder / "a.gdb").mkdir(), folder / "a.gdb")[1],
    "a geodatabase of noise": lambda folder: (
        (folder / "a.gdb").mkdir(),
        (folder / "a.gdb" / "a00000001.gdbtable").write_bytes(b"\x03\0\0\0" * 40),
        folder / "a.gdb",
    )[2],
    "a file named gdb": raw("a.gdb", b"x"),
    "kml of nothing": kml("<Document/>"),
    "kml cut short": raw(
        "a.kml", b'<?xml version="1.0"?><kml xmlns="http://www.opengis.net/kml/2.2"><Document><Placemark><Po'
    ),
    "billion laughs in kml": kml("<Document><Placemark><name>x</name></Placemark></Document>", LAUGHS.decode()[21:]),
    "a link to the network": kml("<NetworkLink><Link><href>http://127.0.0.1:9/x.kml</href></Link></NetworkLink>"),
    "another xml": raw("a.kml", b'<?xml version="1.0"?><gpx/>'),
    "a virtual file as kml": raw("a.kml", b"<OGRVRTDataSource><OGRVRTLayer name='x'/></OGRVRTDataSource>"),
    "kml without a shape": kml("<Document><Placemark><name>x</name></Placemark></Document>"),
    "kml of words": kml(
        "<Document><Placemark><name>x</name><Point><coordinates>a,b</coordinates></Point></Placemark></Document>"
    ),
    "kml of null island": kml(
        "<Document><Placemark><name>x</name><Point><coordinates>0,0</coordinates></Point></Placemark></Document>"
    ),
    "billion laughs in utf-16": lambda folder: (
        (folder / "a.kml").write_bytes((LAUGHS.decode()[21:] + "<kml>&b;</kml>").encode("utf-16")),
        folder / "a.kml",
    )[1],
    "a placemark of another shape": kml("<Document><Placemark><name>x</name><Model/></Placemark></Document>"),
    "kmz of nothing": packed("a.kmz", readme_dot_txt=b"x"),
    "kmz of noise": packed("a.kmz", doc_dot_kml=b"\x00\x01" * 50),
    "a kmz bomb": bomb("a.kmz", "doc.kml", b"<kml/>"),
    "kmz of laughs": packed("a.kmz", doc_dot_kml=LAUGHS + b"<kml>&b;</kml>"),
    # drawings
    "dwg named dxf": raw("a.dxf", b"AC1027" + b"\0" * 500),
    "text as dxf": raw("a.dxf", b"hello\nworld\n"),
    **{f"dxf cut at {s:.0%}": cut(drawing, s) for s in (0.01, 0.3, 0.6)},
    "binary dxf of nothing": raw("a.dxf", b"AutoCAD Binary DXF\r\n\x1a\x00" + b"\0" * 100),
    "a drawing of nothing": drawn(lambda space: None),
    "a drawing of texts": drawn(lambda space: space.add_text("字")),
    "a drawing of lines": drawn(lambda space: space.add_line((LON, LAT), (LON, LAT + 1e-4))),
    "a drawing far away": drawn(lambda space: space.add_point((1e12, 1e12))),
    "a drawing in metres": drawn(lambda space: space.add_point((500_200, 4_320_100))),
}


def big(name: str, content: Callable[[], bytes]) -> Make:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content())
        return folder / name

    return make


def row_of_a_workbook(row: Callable[[], bytes]) -> Make:
    return changed("sheet1.xml", lambda content: content.replace(b"</sheetData>", row() + b"</sheetData>"))


def described(text: Callable[[], str]) -> Make:
    def make(folder: Path) -> Path:
        mark = f"<description>{text()}</description><Point><coordinates>{LON},{LAT}</coordinates></Point>"
        return kml(f"<Document><Placemark>{mark}</Placemark></Document>")(folder)

    return make


#: Small or plain files that once took minutes or gigabytes.
SLOW: dict[str, Make] = {
    "a row number beyond any worksheet": row_of_a_workbook(
        lambda: b'<row r="99999999999"><c r="A99999999999"><v>1</v></c></row>'
    ),
    "rows that are blank to the last column": row_of_a_workbook(
        lambda: b"".join(b'<row r="%d"><c r="XFD%d"/></row>' % (i, i) for i in range(3, 100_000))
    ),
    "kml of nothing but opening signs": big("a.kml", lambda: b"<" * 8_000_000),
    "a description of nothing but opening signs": described(lambda: f"<![CDATA[{'<' * 8_000_000}]]>"),
    "elements within elements": big("a.kml", lambda: b"<kml>" + b"<a>" * 2_000_000),
    "a declaration without end": big("a.kml", lambda: b"<?xml " + b" " * 8_000_000),
    "more elements than anybody draws": big("a.kml", lambda: b"<kml>" + b"<a/>" * 5_000_000 + b"</kml>"),
    "nothing but line feeds": big("a.csv", lambda: b"\n" * 95_000_000),
    "nothing but carriage returns": big("a.csv", lambda: b"\r" * 95_000_000),
    "nothing but commas": big("a.csv", lambda: b"," * 20_000_000),
    "lists of nothing": big(
        "a.geojson", lambda: b'{"type":"FeatureCollection","features":[' + b"[]," * 30_000_000 + b"[]]}"
    ),
    "records of nothing": big("a.json", lambda: b"[" + b"{}," * 20_000_000 + b"{}]"),
    "a drawing of sections": big("a.dxf", lambda: b"  0\nSECTION\n" * 3_000_000),
}

#: Files that look odd and are sound: they must be taken.
HARMLESS: dict[str, Make] = {
    "braces": cell(名称="{0.__class__}"),
    "percent signs": cell(名称="%s%n"),
    "emoji": cell(名称="食堂😀"),
    "quotes": cell(名称="O'Brien; DROP TABLE"),
    "less than": cell(名称="a & b < 3"),
    "a dash": cell(名称="-"),
    "line feeds in a cell": cell(名称="甲\n乙"),
    "gb18030": lambda folder: text(folder / "a.csv", one(名称="㐀𠮷"), "gb18030"),
    "utf-16": lambda folder: text(folder / "a.csv", one(), "utf-16"),
    "semicolons": raw("a.csv", f"编号;名称;类别;经度;纬度\nP1;点;canteen;{LON};{LAT}\n".encode()),
    "a member that leads elsewhere": packed(
        "a.kmz",
        **{
            "../../doc_dot_kml": (
                f'<kml xmlns="http://www.opengis.net/kml/2.2"><Document><Placemark><name>点</name><ExtendedData><Data name="类别">'
                f"<value>canteen</value></Data></ExtendedData><Point><coordinates>{LON},{LAT},12</coordinates></Point>"
                "</Placemark></Document></kml>"
            ).encode()
        },
    ),
    "three dimensions": shape("Point", [LON, LAT, 12.5]),
    "a very long file name": lambda folder: text(folder / ("长" * 60 + ".csv"), one()),
    "a file name of markup": lambda folder: text(folder / "[red]&lt;b&gt;'$(x).csv", one()),
}
