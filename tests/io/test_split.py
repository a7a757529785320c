"""A city made by hand: a lattice of streets, a few shops, homes, one park whose outline crosses districts."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import osmium
import pandas as pd
import pytest
import shapely

from xinhe_geo.app.cli import main
from xinhe_geo.core.errors import SourceError
from xinhe_geo.district.district import District
from xinhe_geo.io.osm_import import import_osm
from xinhe_geo.io.split import Division, safe_name, split

module = importlib.import_module("xinhe_geo.io.split")

#: Lattice of SIDE x SIDE corners, about 170 m by 220 m apart.
SIDE, WEST, SOUTH, STEP = 16, 10.0, 50.0, 0.002


def node(i: int, j: int) -> int:
    return 1 + i * SIDE + j


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("city") / "city.osm.pbf"
    head = osmium.io.Header()
    head.set("osmosis_replication_timestamp", "2024-05-06T00:00:00Z")
    with osmium.SimpleWriter(str(file), header=head) as writer:
        for i in range(SIDE):
            for j in range(SIDE):
                tags = {"amenity": "pharmacy", "name": f"药店 {i}-{j}"} if i % 5 == 2 and j % 5 == 2 else {}
                add(writer.add_node, id=node(i, j), location=(WEST + i * STEP, SOUTH + j * STEP), tags=tags)
        ways: list[tuple[list[int], dict[str, str]]] = []
        for k in range(SIDE):
            ways.append(([node(k, j) for j in range(SIDE)], {"highway": "residential", "name": f"{k} 号街"}))
            ways.append(([node(i, k) for i in range(SIDE)], {"highway": "footway"}))
        # a park of two halves across the whole city, its outline only in a relation
        ways.append(([node(1, 1), node(14, 1), node(14, 2)], {}))
        ways.append(([node(14, 2), node(1, 2), node(1, 1)], {}))
        for i in range(0, SIDE - 1, 3):
            for j in range(0, SIDE - 1, 3):
                ring = [node(i, j), node(i + 1, j), node(i + 1, j + 1), node(i, j + 1), node(i, j)]
                ways.append((ring, {"landuse": "residential", "name": f"小区 {i}-{j}"}))
        for number, (nodes, tags) in enumerate(ways, 1):
            add(writer.add_way, id=number, nodes=nodes, tags=tags)
        members = [("w", 2 * SIDE + 1, "outer"), ("w", 2 * SIDE + 2, "outer")]
        add(writer.add_relation, id=1, members=members, tags={"type": "multipolygon", "leisure": "park"})
    return file


def add(put: Any, **values: Any) -> None:
    kind = {
        "location": osmium.osm.mutable.Node,
        "nodes": osmium.osm.mutable.Way,
        "members": osmium.osm.mutable.Relation,
    }
    put(next(make for key, make in kind.items() if key in values)(**values))


def boundaries(folder: Path, n: int, **columns: Any) -> Path:
    size = (SIDE - 1) * STEP / n
    boxes = [
        shapely.box(WEST + i * size, SOUTH + j * size, WEST + (i + 1) * size, SOUTH + (j + 1) * size)
        for i in range(n)
        for j in range(n)
    ]
    data = {"代码": [f"12011600{k}" for k in range(len(boxes))], "名称": ["新河街道"] * len(boxes), **columns}
    file = folder / "界.geojson"
    gpd.GeoDataFrame(data, geometry=boxes, crs="EPSG:4326").to_file(file, driver="GeoJSON")
    return file


def people(folder: Path) -> Path:
    rng = np.random.default_rng(5)
    n, size = 200, (SIDE - 1) * STEP
    table = pd.DataFrame(
        {
            "id": [f"h{i}" for i in range(n)],
            "lon": (WEST + size * rng.random(n)).round(6),
            "lat": (SOUTH + size * rng.random(n)).round(6),
            "people": rng.integers(1, 900, n),
        }
    )
    table.loc[0, ["lon", "lat"]] = [WEST + size / 2, SOUTH + size / 2]  # on the corner where all districts meet
    table["lat"] = table["lat"].astype("object")
    table.loc[1, "lat"] = "=北纬五十度"
    table.loc[2, "lon"] = WEST - 1
    file = folder / "人口.csv"
    table.to_csv(file, index=False, encoding="gb18030")
    return file


def files_of(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.slow
@pytest.mark.matrix
def test_one_district_around_everything_is_the_plain_import(city: Path, tmp_path: Path) -> None:
    border = boundaries(tmp_path, 1)
    made = split(city, Division(border, "代码", "名称"), tmp_path / "out")
    assert list(made["status"]) == ["done"] and list(made.index) == ["120116000"]
    import_osm(city, tmp_path / "plain", boundary=border, name="新河街道", code="120116000")
    assert files_of(tmp_path / "out" / "120116000") == files_of(tmp_path / "plain")


@pytest.mark.slow
@pytest.mark.matrix
@pytest.mark.parametrize(("fan", "bucket", "chunk"), [(24, 1_000_000, 50_000), (2, 40, 16)])
def test_each_district_has_its_streets_margin_and_whole_areas(
    city: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fan: int, bucket: int, chunk: int
) -> None:
    # Tiny limits take the same city through several levels and many buckets.
    for name, value in (("FAN", fan), ("BUCKET", bucket), ("CHUNK", chunk)):
        monkeypatch.setattr(module, name, value)
    border = boundaries(tmp_path, 2)
    made = split(city, Division(border, "代码", "名称", margin=300), tmp_path / "out")
    assert list(made.index) == [f"12011600{k}" for k in range(4)] and set(made["status"]) == {"done"}
    whole = gpd.read_file(border)
    for at, code in enumerate(made.index):
        district = District.load(tmp_path / "out" / code)
        assert (district.code, district.name, district.year) == (code, "新河街道", 2024)
        area = whole.to_crs(district.crs).geometry[at].buffer(299)
        lattice = [shapely.Point(WEST + i * STEP, SOUTH + j * STEP) for i in range(SIDE) for j in range(SIDE)]
        corners = gpd.GeoSeries(lattice, crs=4326).to_crs(district.crs)
        assert corners[corners.intersects(area)].distance(district.streets.union_all()).max() < 0.01
        if at in (0, 2):  # the park lies in the south; a district that touches it has all of it
            park = shapely.box(WEST + STEP, SOUTH + STEP, WEST + 14 * STEP, SOUTH + 2 * STEP)
            all_of_it = gpd.GeoSeries([park], crs=4326).to_crs(district.crs).area.sum()
            assert district.layers["green"].area.sum() == pytest.approx(all_of_it, rel=1e-4)
        found = district.facilities[district.facilities["kind"] == "pharmacy"]
        shops = gpd.GeoSeries([p for k, p in enumerate(lattice) if k // SIDE % 5 == 2 and k % SIDE % 5 == 2], crs=4326)
        shops = shops.to_crs(district.crs)
        assert shops[shops.intersects(area)].distance(found.union_all()).max() < 0.01
        assert len(district.facilities) == int(made.loc[code, "facilities"])
        assert len(district.homes) == int(made.loc[code, "homes"]) > 0
    assert not list((tmp_path / "out").glob(".split*"))


@pytest.mark.slow
@pytest.mark.matrix
def test_people_go_where_they_live_and_add_up(city: Path, tmp_path: Path) -> None:
    table = people(tmp_path)
    made = split(city, Division(boundaries(tmp_path, 2), "代码", "名称"), tmp_path / "out", homes=table)
    asked = pd.read_csv(table, encoding="gb18030")
    left = pd.read_csv(tmp_path / "out" / "homes_left_out.csv")
    assert dict(zip(left["id"], left["未取原因"], strict=True)) == {
        "h1": "坐标是空的或不是数",
        "h2": "不在任何街道界内",
    }
    assert left["lat"].astype(str).iloc[0] == "'=北纬五十度"  # no formula
    assert made["people"].sum() + left["people"].sum() == asked["people"].sum()
    first = District.load(tmp_path / "out" / "120116000").homes
    assert "h0" in first.index  # a home on the corner of four districts is counted once, in the first by code
    assert sum("h0" in District.load(tmp_path / "out" / c).homes.index for c in made.index) == 1
    again = pd.read_csv(tmp_path / "out" / "catalogue.csv", dtype={"code": str})
    assert list(again["code"]) == list(made.index)


@pytest.mark.slow
@pytest.mark.matrix
def test_a_district_without_people_or_streets_is_told_not_fatal(city: Path, tmp_path: Path) -> None:
    border = boundaries(tmp_path, 1)
    frame = gpd.read_file(border)
    sea = frame.assign(代码="9", 名称="海上", geometry=[shapely.box(WEST + 1, SOUTH, WEST + 1.01, SOUTH + 0.01)])
    pd.concat([frame, sea]).to_file(border, driver="GeoJSON")
    code = main(
        [
            "split",
            str(city),
            "--districts",
            str(border),
            "--code",
            "代码",
            "--name",
            "名称",
            "--out",
            str(tmp_path / "o"),
        ]
    )
    assert code == 1
    made = pd.read_csv(tmp_path / "o" / "catalogue.csv", dtype={"code": str}).set_index("code")
    assert dict(made["status"]) == {"120116000": "done", "9": "failed"} and "没有可步行的道路" in made.loc["9", "note"]
    assert not (tmp_path / "o" / "9").exists()
    assert main(["split", str(city), "--districts", str(border), "--code", "代码", "--out", str(tmp_path / "o")]) == 3


def test_codes_decide_and_every_fault_is_named_at_once(city: Path, tmp_path: Path) -> None:
    border = boundaries(tmp_path, 2, 代码=["1", "1", None, "a"])
    with pytest.raises(SourceError, match="有 2 处错误") as failure:
        split(city, Division(border, "代码"), tmp_path / "out")
    assert "代码 1 重复（第 1、2 个面）" in str(failure.value) and "第 3 个面没有代码" in str(failure.value)
    assert not (tmp_path / "out").exists()
    with pytest.raises(SourceError, match=r"没有列 code（现有列：代码、名称）"):
        split(city, Division(border, "code"), tmp_path / "out")


def test_a_file_that_cannot_be_read_says_why(city: Path, tmp_path: Path) -> None:
    """A shapefile that came without its index: the words of what reads it are handed on."""
    border = tmp_path / "a.shp"
    border.write_bytes((9994).to_bytes(4, "big") + bytes(96))
    with pytest.raises(SourceError, match=r"a\.shp：文件不完整或格式不对（Unable to open .*shx.*）。"):
        split(city, Division(border, "代码"), tmp_path / "out")


@pytest.mark.slow
@pytest.mark.matrix
def test_numbers_as_codes_stay_whole(city: Path, tmp_path: Path) -> None:
    border = boundaries(tmp_path, 1, 代码=[120116006.0])
    assert list(split(city, Division(border, "代码"), tmp_path / "out").index) == ["120116006"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("120116006", "120116006"),
        ("../../etc", "%2E.%2F..%2Fetc"),
        ("新河 a/b", "新河%20a%2Fb"),
        ("CON", "%CON"),
        ("..", "%2E%2E"),
        ("a.b.", "a.b%2E"),
    ],
)
def test_codes_become_safe_folder_names(text: str, name: str) -> None:
    assert safe_name(text) == name


@pytest.mark.slow
def test_unsorted_extracts_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "mixed.osm.pbf"
    with osmium.SimpleWriter(str(file)) as writer:
        for number in (5, 3):
            add(writer.add_node, id=number, location=(WEST, SOUTH), tags={})
    with pytest.raises(SourceError, match="没有按类型和编号排序"):
        split(file, Division(boundaries(tmp_path, 1), "代码"), tmp_path / "out")
