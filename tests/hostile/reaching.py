"""
Layers that would read another file, or ask the network, at their own word; run as a program, it tries to read each of them.

Each maker gets an empty folder, an address nobody may ask and a file nobody may open.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import geopandas as gpd
import pyogrio
import shapely

Make = Callable[[Path, str, Path], Path]
SUFFIXES = (".geojson", ".json", ".gpkg", ".fgb", ".shp")
POINT = {"type": "Point", "coordinates": [117.0, 39.0]}


def sound(path: Path) -> Path:
    frame = gpd.GeoDataFrame({"home": ["H"], "people": [5]}, geometry=[shapely.Point(117, 39)], crs=4326)
    pyogrio.write_dataframe(frame, path, driver="GeoJSON" if path.suffix == ".json" else None)
    return path


def vrt(source: object) -> str:
    return (
        f'<OGRVRTDataSource><OGRVRTLayer name="a"><SrcDataSource>{source}</SrcDataSource>'
        "<SrcLayer>outside</SrcLayer></OGRVRTLayer></OGRVRTDataSource>"
    )


def written(suffix: str, content: Callable[[str, Path], str]) -> Make:
    def make(place: Path, url: str, secret: Path) -> Path:
        if suffix == ".shp":  # with everything beside it that a shapefile has
            sound(place / "a.shp")
        (place / f"a{suffix}").write_text(content(url, secret), "utf-8")
        return place / f"a{suffix}"

    return make


def document(**said: Any) -> Callable[[str, Path], str]:
    """A JSON whose texts may name the address and the file."""

    def content(url: str, secret: Path) -> str:
        return json.dumps(said).replace("URL", url).replace("SECRET", str(secret))

    return content


def sql(*statements: str) -> Make:
    def make(place: Path, url: str, secret: Path) -> Path:
        path = sound(place / "a.gpkg")
        with closing(sqlite3.connect(path)) as base:
            base.execute("PRAGMA writable_schema=ON")
            for statement in statements:
                base.execute(statement.replace("URL", url).replace("SECRET", str(secret)))
            base.commit()
        return path

    return make


def view(what: str) -> Make:
    return sql(
        f"CREATE VIEW v AS SELECT 1 AS fid, {what} AS name, geom FROM a",
        "DELETE FROM gpkg_geometry_columns",
        "DELETE FROM gpkg_contents",
        "INSERT INTO gpkg_contents(table_name, data_type, identifier, srs_id) VALUES ('v', 'features', 'v', 4326)",
        "INSERT INTO gpkg_geometry_columns VALUES ('v', 'geom', 'POINT', 4326, 0, 0)",
    )


def linked(suffix: str, part: str = "") -> Make:
    """A file, or one beside it, that is a link to another folder's."""

    def make(place: Path, _url: str, secret: Path) -> Path:
        path = sound(place / f"a{suffix}")
        beside = path.with_suffix(part) if part.startswith(".") else path.with_name(path.name + part)
        beside.unlink(missing_ok=True)
        beside.symlink_to(secret)
        return path

    return make


def named(name: str, other: str) -> Make:
    """A sound file of a name in which GDAL or pyogrio could see another file, which is there too."""

    def make(place: Path, url: str, secret: Path) -> Path:
        path = sound(place / "b.gpkg").rename(place / name)
        (place / other).write_text(vrt(secret), "utf-8")
        return path

    return make


COLLECTION = {"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {}, "geometry": POINT}]}
BY_ADDRESS = {"type": "link", "properties": {"href": "URL/crs.wkt", "type": "esriwkt"}}
#: These are read as what they are, and their words as words.
TAKEN = ("vrt within a collection", "an algorithm within a collection", "a projection of another file")
REACHING: dict[str, Make] = {
    **{f"vrt of a file as {s}": written(s, lambda _, secret: vrt(secret)) for s in SUFFIXES},
    **{f"vrt of an address as {s}": written(s, lambda url, _: vrt(f"/vsicurl/{url}/a.geojson")) for s in SUFFIXES},
    **{
        f"web service as {s}": written(s, lambda url, _: f"<OGRWFSDataSource><URL>{url}</URL></OGRWFSDataSource>")
        for s in SUFFIXES
    },
    "vrt within a collection": written(
        ".geojson", lambda _, s: json.dumps(COLLECTION)[:-1] + ',"x":"' + vrt(s).replace('"', "'") + '"}'
    ),
    "an algorithm": written(
        ".geojson", document(type="gdal_streamed_alg", command_line="gdal vector pipeline ! read SECRET")
    ),
    "an algorithm within a collection": written(
        ".geojson",
        document(**COLLECTION, x={"type": "gdal_streamed_alg", "command_line": "gdal vector pipeline ! read SECRET"}),
    ),
    "a crs by address": written(".geojson", document(crs=BY_ADDRESS, **COLLECTION)),
    "a crs by address, written twice": written(
        ".geojson",
        lambda u, s: (
            document(crs=BY_ADDRESS, **COLLECTION)(u, s)[:-1]
            + ',"crs":{"type":"name","properties":{"name":"EPSG:4326"}}}'
        ),
    ),
    "a crs by address in a shape": written(
        ".geojson",
        document(
            type="FeatureCollection",
            features=[{"type": "Feature", "properties": {}, "geometry": {**POINT, "crs": BY_ADDRESS}}],
        ),
    ),
    "a crs by url": written(".geojson", document(crs={"type": "Url", "properties": {"url": "URL/crs"}}, **COLLECTION)),
    "esri json": written(
        ".geojson", document(geometryType="esriGeometryPoint", features=[], exceededTransferLimit=True)
    ),
    "topojson": written(".geojson", document(type="Topology", objects={}, arcs=[])),
    "stac": written(
        ".json", document(type="Catalog", stac_version="1.0.0", links=[{"rel": "item", "href": "URL/i.json"}])
    ),
    "an address": written(".geojson", lambda url, _: f"{url}/a.geojson"),
    "a view that asks the network": view("ogr_geocode('x')"),
    "a view without end": view(
        "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n)"
    ),
    "a trigger that asks the network": sql("CREATE TRIGGER t AFTER DELETE ON a BEGIN SELECT ogr_geocode('x'); END"),
    "a virtual table": sql(
        "INSERT INTO sqlite_master VALUES('table', 'x', 'x', 0, 'CREATE VIRTUAL TABLE x USING VirtualOGR(''SECRET'')')"
    ),
    "a geopackage without contents": sql("DROP TABLE gpkg_contents"),
    "a link as a file": lambda place, _, secret: (place / "a.geojson").symlink_to(secret) or place / "a.geojson",
    **{f"a link as {part}": linked(".shp", part) for part in (".dbf", ".prj", ".cpg", ".shx")},
    "a link as write-ahead log": linked(".gpkg", "-wal"),
    "a link as metadata": linked(".gpkg", ".aux.xml"),
    "a name with parameters": named("a;x.gpkg", "a"),
    "a name in an archive": named("a.zip!a.gpkg", "a.zip"),
    "a path of an archive": lambda place, *_: (
        (place / "a.zip").mkdir(),
        sound(place / "b.gpkg").rename(place / "a.zip" / "b!b.gpkg"),
    )[1],
    "a projection of another file": lambda place, _, secret: (
        sound(place / "a.shp"),
        (place / "a.prj").write_text(str(secret)),
        place / "a.shp",
    )[2],
    "a device": lambda place, *_: (place / "a.geojson").symlink_to("/dev/zero") or place / "a.geojson",
}


def main(place: Path, url: str, secret: Path) -> None:
    """Try to read each; print what was read though it should not have been."""
    from xinhe_geo.core import SourceError, layers_in, read_layer

    made = {}
    for i, (name, make) in enumerate(REACHING.items()):
        (place / str(i)).mkdir()
        made[name] = make(place / str(i), url, secret)
    sound(place / "first.gpkg")
    read_layer(place / "first.gpkg")  # what is loaded once is loaded by now
    Path("/dev/null").read_bytes()  # from here on, whoever watches
    for name, path in made.items():
        for read in (read_layer, layers_in):
            try:
                found = read(path)
            except (SourceError, FileNotFoundError):
                continue
            except Exception as error:
                print(f"not refused: {name}: {type(error).__name__}: {error}")
                continue
            if name not in TAKEN or len(found) != 1:
                print(f"read: {name}: {len(found)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
