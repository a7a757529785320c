"""Streets from a saved graph or a layer of lines: the same lengths, what is no street listed, nothing guessed."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from shapely.geometry import LineString, Point

from xinhe_geo.app.cli import main
from xinhe_geo.core.errors import SourceError
from xinhe_geo.district.district import District
from xinhe_geo.io.osm_import import import_osm, left_out
from xinhe_geo.io.street_files import read_street_file
from xinhe_geo.network.walk_network import WalkNetwork

LINES: dict[str, list[Any]] = {
    "osm_id": ["11", "12", "13", "14"],
    "highway": ["residential", "steps", "motorway", "footway"],
    "name": ["甲路", None, "某高速", None],
    "other_tags": [None, None, None, '"footway"=>"crossing","crossing"=>"traffic_signals"'],
}
SHAPES = [
    LineString([(0, 0), (300, 0)]),
    LineString([(300, 0), (300, 100)]),
    LineString([(0, 50), (300, 50)]),
    LineString([(300, 0), (320, 0)]),
]


def lines(columns: dict[str, list[Any]] | None = None, crs: Any = "EPSG:4548") -> gpd.GeoDataFrame:
    shapes = shapely.transform(SHAPES, lambda xy: np.add(xy, (556_000, 4_323_000)))
    return gpd.GeoDataFrame(LINES if columns is None else columns, geometry=shapes, crs=crs)


@pytest.mark.slow
def test_a_layer_of_lines_is_judged_by_its_tags(tmp_path: Path) -> None:
    path = tmp_path / "路.gpkg"
    lines().to_file(path, layer="任意")
    read = read_street_file(path)
    assert read.streets.index.tolist() == ["w11", "w12", "w14"]
    assert read.streets["steps"].tolist() == [False, True, False]
    assert read.streets["wait_s"].tolist() == [0, 0, 25]
    assert read.streets["name"].isna().tolist() == [False, True, True]
    assert read.excluded.to_dict("records") == [
        {"way": "w13", "name": "某高速", "class": "motorway", "reason": "高速公路不能步行"}
    ]
    assert read.from_osm
    net = WalkNetwork.from_streets(read.streets, crs="EPSG:4548")
    assert math.isclose(net.edges["length_m"].sum(), 420, abs_tol=1e-3)


@pytest.mark.slow
def test_a_saved_graph_gives_the_lengths_it_was_made_of(tmp_path: Path) -> None:
    import osmnx

    street = lines().iloc[[0, 1, 3]].rename(columns={"highway": "class"}).drop(columns=["osm_id", "other_tags"])
    net = WalkNetwork.from_streets(street.assign(street=["a", "b", "c"]).set_index("street"))
    path = tmp_path / "街.graphml"
    osmnx.save_graphml(net.to_graph(), path)
    read = read_street_file(path)
    assert sorted(read.streets.index) == ["a", "b", "c"]  # once, though a graph lists both directions
    again = WalkNetwork.from_streets(read.streets, crs="EPSG:4548")
    assert math.isclose(again.edges["length_m"].sum(), net.edges["length_m"].sum(), abs_tol=1e-3)


@pytest.mark.slow
def test_an_edge_of_several_classes_is_walkable_if_one_is(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    mixed = ["['motorway', 'residential']", "['motorway', 'motorway_link']", "residential", "['path', 'steps']"]
    lines({**LINES, "highway": mixed, "other_tags": [None] * 4}).to_file(path, layer="edges")
    read = read_street_file(path)
    assert read.streets.index.tolist() == ["w11", "w13", "w14"]
    assert read.streets["class"].tolist() == ["motorway;residential", "residential", "path;steps"]
    assert read.streets["steps"].tolist() == [False, False, True]


def test_lines_without_a_class_are_all_taken_and_said_so(tmp_path: Path) -> None:
    path = tmp_path / "a.geojson"
    lines({"name": ["a", "b", "c", "d"]}).to_crs("EPSG:4326").to_file(path)
    read = read_street_file(path)
    assert read.streets.index.tolist() == ["s1", "s2", "s3", "s4"]
    assert any("没有道路等级" in note for note in read.notes)
    assert not read.from_osm


@pytest.mark.slow
def test_the_layer_named_like_streets_is_chosen_and_doubt_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    lines().to_file(path, layer="rails")
    lines().iloc[:1].to_file(path, layer="roads")
    assert len(read_street_file(path).streets) == 1
    other = tmp_path / "b.gpkg"
    lines().to_file(other, layer="一")
    lines().to_file(other, layer="二")
    with pytest.raises(SourceError, match="一、二"):
        read_street_file(other)


@pytest.mark.parametrize("name", ["points.gpkg", "text.gpkg", "text.graphml", "no_crs.gpkg", "empty.graphml"])
def test_what_holds_no_streets_is_refused_by_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.startswith("points"):
        gpd.GeoDataFrame(geometry=[Point(1, 1)], crs="EPSG:4326").to_file(path)
    elif name.startswith("no_crs"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that there is no CRS is the point
            lines(crs=None).to_file(path)
    else:
        path.write_text("" if name.startswith("empty") else "不是图")
    with pytest.raises(SourceError, match=name.replace(".", r"\.")):
        import_osm(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_folder_of_streets_alone_loads_and_says_what_is_missing(tmp_path: Path) -> None:
    path, out = tmp_path / "路.gpkg", tmp_path / "街道"
    lines().to_file(path, layer="streets")
    report = import_osm(path, out)
    district = District.load(out)
    assert len(district.streets) == 3 and district.homes is None
    assert "只有街道" in " ".join(report["reason"])
    assert district.manifest["layers"]["streets"]["basis"] == "osm"


@pytest.mark.slow
def test_lines_of_unknown_origin_are_neither_osm_nor_public(tmp_path: Path) -> None:
    path, out = tmp_path / "路.gpkg", tmp_path / "街道"
    lines({"name": list("abcd")}).to_file(path)
    import_osm(path, out)
    manifest = District.load(out).manifest
    assert manifest["layers"]["streets"]["basis"] == "unstated"
    assert manifest["secrecy"] == "internal" and "OpenStreetMap" not in manifest["credit"]


@pytest.mark.slow
@pytest.mark.matrix
def test_every_excluded_way_is_listed_with_its_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, table = tmp_path / "路.gpkg", tmp_path / "out.csv"
    lines().to_file(path)
    assert left_out(path)["reason"].to_dict() == {"w13": "高速公路不能步行"}
    assert main(["ways", str(path), "--csv", str(table)]) == 0
    assert "共 1 条道路" in capsys.readouterr().out
    assert table.read_text("utf-8-sig").splitlines() == [
        "way,name,class,reason",
        "w13,某高速,motorway,高速公路不能步行",
    ]
    assert main(["ways", str(tmp_path / "none.gpkg")]) == 3
