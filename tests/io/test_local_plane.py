"""Where nobody names a CRS, metres are metres on the ground; and a plane without a code survives every file and page."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyproj
import pytest
import shapely
from clock import trials
from hypothesis import given, settings
from hypothesis import strategies as st

import xinhe_geo as xh
from xinhe_geo.access import rests_on
from xinhe_geo.app.cli import main
from xinhe_geo.core import plane_of, speaking, stretch_over
from xinhe_geo.io.dxf import drawing_of
from xinhe_geo.io.osm_import import import_osm
from xinhe_geo.io.parquet import read_parquet

ON_EARTH = pyproj.Geod(ellps="WGS84")
#: Cities far apart, from the equator to 70 degrees north, on both hemispheres and close to 180 degrees.
CITIES = {
    "Quito": (-78.49, -0.18),
    "Nairobi": (36.82, -1.29),
    "Santiago": (-70.65, -33.45),
    "Helsinki": (24.94, 60.17),
    "Suva": (178.44, -18.14),
    "Tromso": (18.96, 69.65),
}


def extract(path: Path, lon: float, lat: float, *, km: float = 2.0) -> Path:
    """Write a town as an OpenStreetMap extract: a grid of streets some kilometres wide, houses between them, a clinic."""
    step_lat, count = km / 111.32 / 8, 9
    step_lon = step_lat / np.cos(np.radians(lat))
    nodes = {(i, j): (lon + (i - 4) * step_lon, lat + (j - 4) * step_lat) for i in range(count) for j in range(count)}
    number = {place: 1 + k for k, place in enumerate(nodes)}
    rows = [f'<node id="{number[at]}" lon="{x:.9f}" lat="{y:.9f}" version="1"/>' for at, (x, y) in nodes.items()]
    ways = [[(i, j) for j in range(count)] for i in range(count)] + [
        [(i, j) for i in range(count)] for j in range(count)
    ]
    told = [("highway", "residential")] * len(ways)
    for i, j in ((1, 1), (4, 6), (6, 2)):
        corners = [(i + a, j + b) for a, b in ((0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8))]
        for a, b in corners:
            number[a, b] = len(number) + 1
            x, y = lon + (a - 4) * step_lon, lat + (b - 4) * step_lat
            rows.append(f'<node id="{number[a, b]}" lon="{x:.9f}" lat="{y:.9f}" version="1"/>')
        ways.append([*corners, corners[0]])
        told.append(("landuse", "residential"))
    here = lon + 0.3 * step_lon, lat + 0.3 * step_lat
    rows.append(f'<node id="9999" lon="{here[0]:.9f}" lat="{here[1]:.9f}"><tag k="amenity" v="clinic"/></node>')
    for k, (way, tag) in enumerate(zip(ways, told, strict=True), 1):
        refs = "".join(f'<nd ref="{number[at]}"/>' for at in way)
        rows.append(f'<way id="{k}" version="1">{refs}<tag k="{tag[0]}" v="{tag[1]}"/></way>')
    path.write_text("<osm version='0.6'>" + "".join(rows) + "</osm>", "utf-8")
    return path


def on_the_ground(network: xh.WalkNetwork) -> np.ndarray:
    """Return the geodesic length of every edge."""
    lines = network.edges.to_crs("EPSG:4326").geometry
    return np.array([ON_EARTH.geometry_length(line) for line in lines])


@pytest.mark.slow
@pytest.mark.one_in(3)
@pytest.mark.parametrize("city", CITIES)
def test_metres_of_an_extract_are_metres_on_the_ground(tmp_path: Path, city: str) -> None:
    # 20 km to each side: a transverse Mercator of scale 1 is at most (20 / 6371)² / 2 = 5 millionths too long there.
    network = xh.WalkNetwork.from_osm(extract(tmp_path / "town.osm", *CITIES[city], km=40))
    off = network.edges["length_m"].to_numpy() / on_the_ground(network) - 1
    assert np.abs(off).max() < 5.2e-6 and off.min() > -1e-9  # never shorter than the ground
    assert network.crs.to_epsg() is None


@pytest.mark.slow
@given(st.floats(-179.0, 179.0), st.floats(-80.0, 80.0), st.integers(0, 999))
@settings(max_examples=trials(25), deadline=None)
def test_the_plane_against_geodesics_anywhere(lon: float, lat: float, seed: int) -> None:
    plane = plane_of(lon - 0.05, lat - 0.05, lon + 0.05, lat + 0.05)
    rng = np.random.default_rng(seed)
    ends = np.column_stack([lon + rng.uniform(-0.05, 0.05, 8), lat + rng.uniform(-0.05, 0.05, 8)])
    x, y = pyproj.Transformer.from_crs("EPSG:4326", plane, always_xy=True).transform(*ends.T)
    flat = np.hypot(np.diff(x), np.diff(y))
    ground = ON_EARTH.inv(*ends[:-1].T, *ends[1:].T)[2]
    # a local plane is exact to a millionth this near its middle; a national zone has its edge 1.5 degrees off its meridian
    most = 1.5e-6 if plane.to_authority() is None else 4e-4
    assert np.abs(flat / ground - 1).max() < most
    assert plane == pyproj.CRS.from_wkt(plane.to_wkt()) == plane_of(lon - 0.05, lat - 0.05, lon + 0.05, lat + 0.05)


@pytest.mark.parametrize(
    ("lon", "lat", "meridian"), [(117.6, 39.05, 117), (116.4, 39.9, 117), (121.47, 31.23, 120), (87.6, 43.8, 87)]
)
def test_in_china_the_national_zone_is_taken_as_it_is(tmp_path: Path, lon: float, lat: float, meridian: int) -> None:
    network = xh.WalkNetwork.from_osm(extract(tmp_path / "town.osm", lon, lat))
    assert network.crs.name == f"CGCS2000 / 3-degree Gauss-Kruger CM {meridian}E"
    assert network.crs.to_epsg() is not None


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize(("lon", "lat"), [(105.0, 33.0), (11.0, 45.0)])
def test_a_country_is_measured_in_one_plane_and_what_that_stretches_is_told(
    tmp_path: Path, lon: float, lat: float
) -> None:
    """Eight degrees wide, in no zone: it is imported without an error; where a metre is not a metre by a thousandth is said."""
    import_osm(extract(tmp_path / "land.osm", lon, lat, km=700), tmp_path / "land", basis="official")
    found = xh.check(tmp_path / "land")
    assert not (found["severity"] == "error").any()
    told = found.loc[found["problem"].str.contains("拉伸"), "problem"].tolist()
    land = xh.District.load(tmp_path / "land")
    off = land.network.edges["length_m"].to_numpy() / on_the_ground(land.network) - 1
    west, middle = np.abs(off).max(), np.abs(off).min()
    assert middle < 2e-4 and 1e-3 < west < 2e-3
    assert len(told) == 1 and f"{west:+.1%}" in told[0]
    assert stretch_over(land.crs, land.layers["district"].total_bounds)[1] == pytest.approx(west, rel=0.3)
    assert told[0] in rests_on(land)
    with speaking("en"):
        assert "stretched by +0.2%" in rests_on(land) or "stretched by +0.1%" in rests_on(land)
    assert "拉伸" not in rests_on(xh.District.load())


@pytest.mark.slow
@given(st.floats(75.0, 130.0), st.floats(20.0, 50.0), st.floats(0.01, 6.0))
@settings(max_examples=trials(50), deadline=None)
def test_a_national_zone_is_taken_only_where_it_covers_the_extent(lon: float, lat: float, half: float) -> None:
    plane = plane_of(lon - half, lat - 0.1, lon + half, lat + 0.1)
    area = plane.area_of_use
    assert plane.to_authority() is None or (
        area is not None and area.west - 0.5 <= lon - half and lon + half <= area.east + 0.5
    )


def test_lines_graphs_and_a_crs_that_is_named_stay_in_their_plane(tmp_path: Path) -> None:
    file = extract(tmp_path / "town.osm", *CITIES["Helsinki"])
    utm = xh.WalkNetwork.from_osm(file, crs=32635)
    assert utm.crs.to_epsg() == 32635
    again = xh.WalkNetwork.from_streets(utm.edges[["geometry"]].reset_index(drop=True))
    assert again.crs == utm.crs
    assert np.allclose(np.sort(again.edges["length_m"]), np.sort(utm.edges["length_m"]), atol=1e-9)
    assert xh.WalkNetwork.from_graph(utm.to_graph()).crs == utm.crs


@pytest.mark.slow
@pytest.mark.one_in(3)
@pytest.mark.parametrize("city", ["Helsinki", "Santiago", "Suva"])
def test_a_plane_without_a_code_survives(tmp_path: Path, city: str) -> None:
    import_osm(extract(tmp_path / "town.osm", *CITIES[city]), tmp_path / "town", basis="official")
    manifest = tomllib.loads((tmp_path / "town" / "district.toml").read_text("utf-8"))
    plane = pyproj.CRS.from_user_input(manifest["crs"])
    assert plane.to_authority() is None and plane.name.startswith("Local transverse Mercator")
    town = xh.District.load(
        tmp_path / "town"
    )  # streets lie in a GeoPackage in that very plane: the two are held against each other
    assert town.network.crs == plane
    off = town.network.edges["length_m"].to_numpy() / on_the_ground(town.network) - 1
    assert np.abs(off).max() < 1e-6

    town.network.save(tmp_path / "town.npz")
    kept = xh.WalkNetwork.load(tmp_path / "town.npz")
    assert kept.crs == plane and (kept.edges["length_m"] == town.network.edges["length_m"]).all()

    homes = town.layers["homes"].reset_index()
    homes.to_file(tmp_path / "homes.gpkg", driver="GPKG")
    fastparquet = pytest.importorskip("fastparquet")
    rows = homes[["name"]].assign(geometry=shapely.to_wkb(homes.geometry.to_numpy()))
    geo = {"encoding": "WKB", "geometry_types": [], "crs": plane.to_json_dict()}  # GeoParquet holds PROJJSON
    said = json.dumps({"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": geo}})
    kinds = {"name": "utf8", "geometry": "bytes"}
    fastparquet.write(str(tmp_path / "homes.parquet"), rows, object_encoding=kinds, custom_metadata={"geo": said})
    table, back = read_parquet(tmp_path / "homes.parquet"), gpd.read_file(tmp_path / "homes.gpkg")
    for crs, shapes in ((table.crs, table.shapes), (back.crs, back.geometry.to_numpy())):
        assert crs is not None and crs.equals(plane, ignore_axis_order=True)
        assert shapely.equals_exact(shapes, homes.geometry.to_numpy(), 1e-9).all()

    pytest.importorskip("ezdxf")
    drawing_of(town, tmp_path / "town.dxf")
    assert plane.name in (tmp_path / "town.dxf").read_text("utf-8")


@pytest.mark.slow
@pytest.mark.matrix
@pytest.mark.parametrize("city", ["Santiago"])
def test_pages_and_files_of_a_report_in_a_plane_without_a_code(tmp_path: Path, city: str) -> None:
    import_osm(extract(tmp_path / "town.osm", *CITIES[city]), tmp_path / "town", basis="official")
    plane = pyproj.CRS.from_user_input(tomllib.loads((tmp_path / "town" / "district.toml").read_text("utf-8"))["crs"])
    assert main(["report", str(tmp_path / "town"), "--out", str(tmp_path / "out")]) == 0
    record = json.loads((tmp_path / "out" / "run.json").read_text("utf-8"))
    assert pyproj.CRS.from_user_input(record["district"]["crs"]) == plane
    for name in ("index.html", "meeting.html", "maps/overview.html"):
        page = (tmp_path / "out" / name).read_text("utf-8")
        assert "PROJCRS" not in page, name  # people read its name, not its definition
    layers = gpd.list_layers(tmp_path / "out" / "gis" / "coverage.gpkg")
    drawn = layers[layers["geometry_type"].notna()]["name"]
    assert len(drawn)
    for name in drawn:
        back = gpd.read_file(tmp_path / "out" / "gis" / "coverage.gpkg", layer=name)
        assert back.crs is not None and back.crs.equals(plane, ignore_axis_order=True), name
