"""A folder built from an OSM extract is complete, exact, repeatable, and says what it left out."""

from __future__ import annotations

import bz2
import gzip
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from xinhe_geo.core.errors import EnvironmentProblem, SourceError
from xinhe_geo.district import beside, exchange, survey_note
from xinhe_geo.district.district import District
from xinhe_geo.io import new_folder
from xinhe_geo.io.osm_import import import_osm
from xinhe_geo.io.tag_rules import read_tag_rules

PLACES = Path(__file__).parents[2] / "../shared/places"

# --- a toy extract: a town of 1 km on a grid of 0.001 degrees (86 m by 111 m) ---------------------------

Way = tuple[int, Sequence[int], Mapping[str, str]]


def node_at(column: int, row: int) -> int:
    """Id of the grid node; ids tell the place: column 3, row 2 is 1302."""
    return 1000 + 100 * column + row


class Town:
    """Collects nodes, ways and relations and writes them as .osm XML."""

    def __init__(self) -> None:
        self.nodes = {node_at(c, r): (117.6 + c / 1000, 39.05 + r / 1000, {}) for c in range(12) for r in range(12)}
        self.ways: list[Way] = []
        self.relations: list[tuple[int, Sequence[tuple[str, int, str]], Mapping[str, str]]] = []

    def point(self, ident: int, lon: float, lat: float, **tags: str) -> None:
        self.nodes[ident] = (lon, lat, tags)

    def way(self, ident: int, nodes: Sequence[int], **tags: str) -> None:
        self.ways.append((ident, nodes, {k.replace("__", ":"): v for k, v in tags.items()}))

    def square(self, ident: int, column: int, row: int, **tags: str) -> None:
        corners = [(column, row), (column + 1, row), (column + 1, row + 1), (column, row + 1), (column, row)]
        self.way(ident, [node_at(*c) for c in corners], **tags)

    def relation(self, ident: int, members: Sequence[tuple[str, int, str]], **tags: str) -> None:
        self.relations.append((ident, members, tags))

    def xml(self, *, stamp: str | None = "2021-05-06T07:08:09Z", head: str = "") -> str:
        when = f' version="1" timestamp="{stamp}"' if stamp else ' version="1"'
        lines = ["<?xml version='1.0' encoding='UTF-8'?>", '<osm version="0.6" generator="test">', head]
        for ident, (lon, lat, tags) in sorted(self.nodes.items()):
            lines.append(f'<node id="{ident}" lon="{lon:.7f}" lat="{lat:.7f}"{when}>{tag_lines(tags)}</node>')
        for ident, nodes, tags in sorted(self.ways, key=lambda way: way[0]):
            refs = "".join(f'<nd ref="{n}"/>' for n in nodes)
            lines.append(f'<way id="{ident}"{when}>{refs}{tag_lines(tags)}</way>')
        for ident, members, tags in self.relations:
            parts = "".join(f'<member type="{t}" ref="{r}" role="{role}"/>' for t, r, role in members)
            lines.append(f'<relation id="{ident}"{when}>{parts}{tag_lines(tags)}</relation>')
        return "\n".join([*lines, "</osm>", ""])


def tag_lines(tags: Mapping[str, str]) -> str:
    return "".join(f"<tag k={quoteattr(k)} v={quoteattr(v)}/>" for k, v in tags.items())


def town() -> Town:
    t = Town()
    # streets: a cross, a footway; a street whose middle node lies outside the clipped file; a motorway, never walked
    t.way(1, [node_at(c, 5) for c in range(12)], highway="residential", name="新胡路")
    t.way(2, [node_at(5, r) for r in range(12)], highway="tertiary")
    t.way(3, [node_at(5, 0), node_at(6, 1)], highway="footway")
    t.way(4, [node_at(1, 5), node_at(1, 6), 999_999, node_at(1, 8), node_at(1, 9)], highway="service")
    t.way(5, [node_at(0, 11), node_at(11, 11)], highway="motorway", name="某高速")
    # barriers: a railway, its tunnel, a canal, a stream that is no barrier, a river of which nothing is in the file
    t.way(10, [node_at(0, 2), node_at(11, 2)], railway="rail")
    t.way(11, [node_at(0, 3), node_at(11, 3)], railway="rail", tunnel="yes")
    t.way(12, [node_at(2, 0), node_at(2, 4), 999_999, node_at(2, 7), node_at(2, 11)], waterway="canal", name="某干渠")
    t.way(13, [node_at(9, 0), node_at(9, 4)], waterway="stream")
    t.way(14, [999_998, 999_999], waterway="river")
    # a park: a multipolygon whose ring is two untagged ways, with a pond in it; and one that lacks a member
    t.way(20, [node_at(6, 6), node_at(9, 6), node_at(9, 9)])
    t.way(21, [node_at(9, 9), node_at(6, 9), node_at(6, 6)])
    t.square(22, 7, 7, natural="water")
    t.relation(
        1,
        [("way", 20, "outer"), ("way", 21, "outer"), ("way", 22, "inner")],
        type="multipolygon",
        leisure="park",
        name="某公园",
    )
    t.relation(2, [("way", 999_997, "outer")], type="multipolygon", leisure="park")
    # facilities: points, a building, two kinds at once, closed down, a line, a private clinic, nothing known
    t.point(50, 117.6051, 39.0552, amenity="clinic", name="Posto de Saúde")
    t.point(51, 117.6052, 39.0552, amenity="clinic", name="某某口腔")
    t.point(52, 117.6053, 39.0552, amenity="pharmacy", leisure="park")
    t.point(53, 117.6054, 39.0552, amenity="pharmacy", disused="yes")
    t.point(54, 117.6056, 39.0552, amenity="bench")
    t.square(30, 3, 6, amenity="kindergarten", name="某幼儿园")
    t.way(31, [node_at(3, 8), node_at(4, 9)], leisure="track")
    t.relation(3, [("way", 30, "")], type="site", amenity="school")
    # homes: flats; a house on residential land, which is its compound; one elsewhere; land without houses; a house cut off by the clip
    t.square(40, 3, 3, building="apartments", addr__street="新胡路", addr__housenumber="7")
    t.square(41, 6, 3, landuse="residential")
    t.way(42, [9_001, 9_002, 9_003, 9_001], building="yes")
    for ident, lon, lat in ((9_001, 117.6062, 39.0532), (9_002, 117.6068, 39.0532), (9_003, 117.6065, 39.0537)):
        t.point(ident, lon, lat)
    t.square(43, 8, 3, building="yes")
    t.square(44, 10, 3, landuse="residential", name="某里")
    t.way(45, [node_at(0, 0), node_at(1, 0), 999_996, node_at(0, 0)], building="house")
    return t


@pytest.fixture
def extract(tmp_path: Path) -> Path:
    path = tmp_path / "town.osm"
    path.write_text(town().xml(), "utf-8")
    return path


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, District]:
    folder = tmp_path_factory.mktemp("taken")
    (folder / "town.osm").write_text(town().xml(), "utf-8")
    report = import_osm(folder / "town.osm", folder / "out")
    return report, District.load(folder / "out")


def line(report: pd.DataFrame, layer: str, what: str) -> pd.Series:
    rows = report.loc[[layer]]
    rows = rows[rows["what"].str.contains(what, regex=False)]
    assert len(rows) == 1, (layer, what, rows)
    return rows.iloc[0]


def files(folder: Path) -> dict[str, bytes]:
    return {f.relative_to(folder).as_posix(): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}


# --- what is taken ---------------------------------------------------------------------------------------------------


def test_every_layer_of_the_town(taken: tuple[pd.DataFrame, District]) -> None:
    _, d = taken
    assert d.name == d.code == "town"
    assert d.crs == "EPSG:4548"  # the national zone of 117 degrees, in which the town lies
    assert d.year == 2021
    assert set(d.layers) == {
        "district",
        "streets",
        "homes",
        "facilities",
        "barriers",
        "green",
        "water",
        "landuse",
    }
    assert d.without == {"gates", "entrances"}, "what an extract does not hold is said, not guessed"
    assert d.facilities is not None
    assert d.facilities["kind"].to_dict() == {
        "n50": "clinic_station",
        "n52": "pharmacy",
        "r1": "park",
        "w30": "kindergarten",
    }
    assert d.homes is not None
    # a small residential area that holds a building is one compound; a building whose use nobody has said is lived in
    assert set(d.homes.index) == {"w40", "w41", "w43", "w44"}
    assert d.homes["buildings"].dropna().to_dict() == {"w40": 1, "w41": 1, "w43": 1}
    assert d.homes["people"].isna().all()
    assert d.homes["name"].to_dict()["w40"] == "新胡路 7"
    assert d.barriers is not None
    assert d.barriers["kind"].to_dict() == {
        "w10": "railway",
        "w12": "canal",
        "w12-2": "canal",
        "w5": "expressway",
    }
    assert d.streets is not None
    assert {"w1", "w2", "w3"} <= set(d.streets.index)
    assert "w5" not in d.streets.index
    assert d.layers["landuse"]["use"].to_dict() == {"w41": "residential", "w44": "residential"}
    assert set(d.layers["water"].index) == {"w12", "w12-2", "w13", "w22"}
    assert list(d.layers["green"].index) == ["r1"]


def test_the_park_is_a_polygon_with_its_pond_cut_out(taken: tuple[pd.DataFrame, District]) -> None:
    _, d = taken
    assert d.facilities is not None
    park = d.facilities.geometry["r1"]
    assert park.geom_type == "Polygon"
    assert len(park.interiors) == 1
    # 3 x 3 cells less one; a cell is 0.001 degree of longitude by 0.001 of latitude at 39.06 N: 86.5 m by 111.0 m
    assert park.area == pytest.approx(8 * 86.5 * 111.0, rel=0.01)


def test_streets_keep_their_joints_through_projection_and_file(taken: tuple[pd.DataFrame, District]) -> None:
    _, d = taken
    # w1 and w2 share a node, w3 starts on w2, the first part of w4 on w1; its part beyond the gap is an island
    assert d.network.edges["component"].nunique() == 2


def test_what_is_left_out_is_said(taken: tuple[pd.DataFrame, District]) -> None:
    report, d = taken
    assert list(report.columns) == ["what", "taken", "left_out", "reason", "examples"]
    unbuilt = report[(report["what"] == "面") & (report["left_out"] > 0)]["examples"]
    assert unbuilt.to_dict() == {"facilities": "r2", "homes": "w45"}
    assert line(report, "facilities", "停用的")["examples"] == "n53"
    assert line(report, "facilities", "画成线")["examples"] == "w31、r3"
    assert line(report, "facilities", "合几条规则")["examples"] == "n52（取 pharmacy，也合 park）"
    assert line(report, "facilities", "没有对照规则")["examples"] == "amenity=bench×1、amenity=clinic×1"
    assert line(report, "facilities", "（clinic_station）")["reason"] == "其中 1 处须人工确认（见各行备注）"
    assert line(report, "homes", "用途没有写明的楼")["taken"] == 2
    assert line(report, "barriers", "河渠、铁路、高速公路")["examples"] == "w14"
    assert report.loc["streets", "left_out"].sum() >= 1
    stored = pd.read_csv(d.folder / "import/report.csv", encoding="utf-8-sig", keep_default_na=False)
    pd.testing.assert_frame_equal(stored.set_index("layer"), report, check_dtype=False)


def test_a_doubtful_facility_says_so_itself_and_a_sure_one_does_not(taken: tuple[pd.DataFrame, District]) -> None:
    _, d = taken
    assert d.facilities is not None
    assert d.facilities.loc["n50", "note"].startswith("须人工确认")
    assert d.facilities["state"].eq("unchecked").tolist() == (d.facilities.index == "n50").tolist()
    assert d.open_facilities is not None and "n50" not in d.open_facilities.index
    assert pd.isna(d.facilities.loc["w30", "note"])


def test_kinds_found_were_seen_on_a_map_and_none_counts_as_surveyed(taken: tuple[pd.DataFrame, District]) -> None:
    report, d = taken
    assert d.mapped_kinds == {"clinic_station", "pharmacy", "park", "kindergarten"}
    assert d.surveyed_kinds == frozenset() and d.manifest["surveyed_kinds"] == []
    assert "是否齐全未知" in survey_note(d)
    assert line(report, "facilities", "有对照规则而没有找到")["reason"] == "不能断定没有，按数据不足处理"
    assert "library" in {rule.kind for rule in read_tag_rules()}


def test_the_outline_is_derived_and_holds_everything(taken: tuple[pd.DataFrame, District]) -> None:
    report, d = taken
    assert d.manifest["layers"]["district"]["basis"] == "derived"
    assert d.boundary is not None
    outline = d.boundary.geometry.iloc[0]
    assert d.streets is not None
    assert d.homes is not None
    assert shapely.contains_properly(outline, d.streets.geometry.array).all()
    assert shapely.contains_properly(outline, d.homes.geometry.array).all()
    assert "不是法定界线" in line(report, "district", "街道界")["reason"]


def test_every_layer_credits_osm(taken: tuple[pd.DataFrame, District]) -> None:
    _, d = taken
    assert d.manifest["credit"] == "© OpenStreetMap contributors, ODbL 1.0"
    assert "made_by" not in d.manifest  # who makes the map is a name that people write
    for name in set(d.layers) - {"district"}:
        entry = d.manifest["layers"][name]
        assert (entry["basis"], entry["licence"], entry["date"]) == ("osm", "ODbL 1.0", "2021-05-06"), name
        assert "town.osm" in entry["source"]


@pytest.mark.slow
def test_steps_are_told_as_they_begin(extract: Path, tmp_path: Path) -> None:
    steps: list[str] = []
    import_osm(extract, tmp_path / "out", progress=steps.append)
    assert len(steps) >= 3


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize(("suffix", "opener"), [(".osm.gz", gzip.open), (".osm.bz2", bz2.open)])
def test_packed_extracts_give_the_same_layers(tmp_path: Path, extract: Path, suffix: str, opener: object) -> None:
    packed = tmp_path / f"town{suffix}"
    with opener(packed, "wb") as stream:  # type: ignore[operator]
        stream.write(extract.read_bytes())
    import_osm(extract, tmp_path / "plain")
    import_osm(packed, tmp_path / "packed")
    a, b = files(tmp_path / "plain"), files(tmp_path / "packed")
    same = [name for name in a if name.endswith((".geojson", ".gpkg"))]
    assert len(same) == 8
    assert all(a[name] == b[name] for name in same)


@pytest.mark.slow
@pytest.mark.matrix
def test_names_and_crs_as_asked(extract: Path, tmp_path: Path) -> None:
    import_osm(extract, tmp_path / "out", name="某“街道”\\", code="120116", crs="EPSG:4548")
    d = District.load(tmp_path / "out")
    assert (d.name, d.code, d.crs) == ("某“街道”\\", "120116", "EPSG:4548")


@pytest.mark.slow
def test_an_extract_without_homes_still_gives_streets_and_facilities(tmp_path: Path) -> None:
    t = Town()
    t.way(1, [node_at(0, 0), node_at(3, 0)], highway="residential")
    (tmp_path / "bare.osm").write_text(t.xml(), "utf-8")
    report = import_osm(tmp_path / "bare.osm", tmp_path / "out")
    d = District.load(tmp_path / "out")
    assert set(d.layers) == {"district", "streets"}
    assert "--homes" in line(report, "homes", "居住点")["reason"]


@pytest.mark.slow
@pytest.mark.matrix
def test_many_features_go_to_a_geopackage(tmp_path: Path, extract: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import_osm(extract, tmp_path / "few")
    monkeypatch.setattr(new_folder, "MANY", 1)
    import_osm(extract, tmp_path / "many")
    few, many = District.load(tmp_path / "few"), District.load(tmp_path / "many")
    assert many.manifest["layers"]["homes"]["file"] == "homes/homes.gpkg"
    for name, frame in few.layers.items():
        assert frame.geometry.geom_equals_exact(many.layers[name].geometry, 1e-6).all(), name
        pd.testing.assert_frame_equal(frame.drop(columns="geometry"), many.layers[name].drop(columns="geometry"))


# --- the year --------------------------------------------------------------------------------------------------------


def test_the_newest_object_dates_a_file_without_a_stamp(taken: tuple[pd.DataFrame, District]) -> None:
    report, d = taken
    assert d.year == 2021
    assert "2021-05-06" in line(report, "district", "数据日期")["reason"]


@pytest.mark.slow
@pytest.mark.matrix
def test_an_overpass_file_is_dated_by_its_base(tmp_path: Path) -> None:
    path = tmp_path / "overpass.osm"
    path.write_text(town().xml(stamp=None, head='<meta osm_base="2024-03-01T00:00:00Z"/>'), "utf-8")
    import_osm(path, tmp_path / "out")
    assert District.load(tmp_path / "out").year == 2024


@pytest.mark.slow
def test_a_file_without_any_date_takes_its_own_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "undated.osm"
    path.write_text(town().xml(stamp=None), "utf-8")
    os.utime(path, (1_600_000_000, 1_600_000_000))  # 2020-09-13
    report = import_osm(path, tmp_path / "out")
    assert District.load(tmp_path / "out").year == 2020
    assert "核对" in line(report, "district", "数据日期")["reason"]


# --- homes from a table ----------------------------------------------------------------------------------------------


def people(tmp_path: Path, text: str, *, encoding: str = "utf-8", name: str = "people.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


GOOD = "id,lon,lat,population,jobs\na,117.6041,39.0551,120,3\nb,117.6061,39.0551,80.5,4\nc,117.6071,39.0551,,5\n"


@pytest.mark.slow
def test_people_come_from_the_table_and_add_up(extract: Path, tmp_path: Path) -> None:
    report = import_osm(extract, tmp_path / "out", homes=people(tmp_path, GOOD))
    d = District.load(tmp_path / "out")
    assert d.homes is not None
    assert list(d.homes.index) == ["a", "b", "c"]
    assert d.homes["people"].sum() == 200.5
    assert pd.isna(d.homes.loc["c", "people"])  # blank is unknown, not 0
    assert line(report, "homes", "的列")["examples"] == "jobs"
    assert line(report, "homes", "的点")["taken"] == 3
    assert d.manifest["layers"]["homes"]["basis"] == "unstated"
    assert d.manifest["secrecy"] == "internal"


@pytest.mark.slow
def test_rows_that_cannot_be_right_are_listed_with_their_people(extract: Path, tmp_path: Path) -> None:
    table = (
        "id,lon,lat,people,people_60plus,households\n"
        "a,117.6041,39.0551,100,30,40\n"
        "b,,39.0551,10,,\n"  # no longitude
        "c,39.0551,117.6041,11,,\n"  # swapped: not on earth
        "d,abc,39.0551,12,,\n"
        "e,116.0,39.0551,13,,\n"  # 140 km away
        "f,117.6041,39.0551,-5,,\n"
        "g,117.6041,39.0551,viele,,\n"
        "h,117.6041,39.0551,20,21,\n"
        "i,117.6041,39.0551,20,1,3.5\n"
    )
    report = import_osm(extract, tmp_path / "out", homes=people(tmp_path, table))
    d = District.load(tmp_path / "out")
    assert d.homes is not None
    assert list(d.homes.index) == ["a"]
    left = report.loc[["homes"]].query("left_out > 0").set_index("reason")
    assert left["left_out"].to_dict() == {
        "坐标是空的、不是数，或不在经纬度范围内；涉及人口 33": 3,
        "离街道网 50 公里以上，经纬度可能写反或坐标系不对；涉及人口 13": 1,
        "people 不是 0 或更大的数": 2,
        "60岁及以上人口大于常住人口；涉及人口 20": 1,
        "households 不是 0 或更大的整数；涉及人口 20": 1,
    }
    assert left["examples"].iloc[0] == "第 3 行 b、第 4 行 c、第 5 行 d"


@pytest.mark.slow
def test_blank_lines_are_no_rows_and_lines_keep_their_numbers(extract: Path, tmp_path: Path) -> None:
    table = "id,lon,lat,people\na,117.6041,39.0551,5\n\n,,,\nb,x,39.0551,6\n,,,\n"
    report = import_osm(extract, tmp_path / "out", homes=people(tmp_path, table))
    left = report.loc[["homes"]].query("left_out > 0")
    assert left["examples"].to_list() == ["第 5 行 b"]
    assert line(report, "homes", "的点")["reason"] == "共 2 行，人口合计 5"


@pytest.mark.slow
@pytest.mark.matrix
def test_homes_beyond_the_streets_are_kept_with_a_warning(extract: Path, tmp_path: Path) -> None:
    table = "id,lon,lat,people\na,117.6041,39.0551,5\nfar,117.7,39.0551,6\n"  # 7.6 km east of the last street
    report = import_osm(extract, tmp_path / "out", homes=people(tmp_path, table))
    homes = District.load(tmp_path / "out").homes
    assert homes is not None
    assert homes["people"].sum() == 11
    assert line(report, "homes", "1 个点")["examples"] == "far"


@pytest.mark.slow
def test_a_chinese_table_from_excel(extract: Path, tmp_path: Path) -> None:
    table = "编号;经度;纬度;常住人口;60岁及以上;户数;名称\n甲;117.6041;39.0551;100;30;40;某里\n"
    import_osm(extract, tmp_path / "out", homes=people(tmp_path, table, encoding="gb18030"))
    d = District.load(tmp_path / "out")
    assert d.homes is not None
    row = d.homes.loc["甲"]
    assert (row["people"], row["people_60plus"], row["households"], row["name"]) == (100, 30, 40, "某里")


@pytest.mark.slow
@pytest.mark.matrix
def test_x_and_y_are_degrees_or_metres_of_the_crs_given(extract: Path, tmp_path: Path) -> None:
    at = gpd.GeoSeries([shapely.Point(117.6041, 39.0551)], crs="EPSG:4326").to_crs("EPSG:4548").iloc[0]
    metres = people(tmp_path, f"id,x,y,people\na,{at.x!r},{at.y!r},7\n", name="metres.csv")
    degrees = people(tmp_path, "id,x,y,people\na,117.6041,39.0551,7\n", name="degrees.csv")
    found = []
    for i, table in enumerate((metres, degrees)):
        import_osm(extract, tmp_path / f"out{i}", homes=table, crs="EPSG:4548")
        homes = District.load(tmp_path / f"out{i}").homes
        assert homes is not None
        found.append(homes.geometry["a"])
    assert found[0].distance(found[1]) < 0.02
    assert found[0].distance(at) < 0.02
    with pytest.raises(SourceError, match=r"metres\.csv：x、y 不是经纬度"):
        import_osm(extract, tmp_path / "out9", homes=metres)


@pytest.mark.slow
@pytest.mark.matrix
def test_a_table_without_ids_numbers_its_rows(extract: Path, tmp_path: Path) -> None:
    report = import_osm(extract, tmp_path / "out", homes=people(tmp_path, "lng,lat\n117.6041,39.0551\n"))
    homes = District.load(tmp_path / "out").homes
    assert homes is not None
    assert list(homes.index) == ["h1"]
    assert homes["people"].isna().all()
    assert "没有 id 列" in line(report, "homes", "的编号")["reason"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,people\na,5\n", "people.csv：没有坐标列（现有列：id、people）"),
        ("id,lon,lat\na,117.6,39.05\na,117.6,39.05\n", "people.csv：编号重复：a"),
        ("id,lon,lat\n,117.6,39.05\n", "people.csv：有 1 行没有编号"),
        ("id,lon,lat\na,39.05,117.6\n", "people.csv：没有一行能用。坐标是空的"),
        ("", "people.csv：不是能读的 CSV 表"),
        ('id,lon,lat\na,"117.6,39.05\n', "people.csv：不是能读的 CSV 表"),
    ],
)
def test_a_table_that_cannot_serve_is_refused_by_name(extract: Path, tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SourceError) as caught:
        import_osm(extract, tmp_path / "out", homes=people(tmp_path, text))
    assert said in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_workbook_or_a_missing_table_is_refused(extract: Path, tmp_path: Path) -> None:
    (tmp_path / "people.xlsx").write_bytes(b"PK")
    with pytest.raises(SourceError, match="另存为"):
        import_osm(extract, tmp_path / "out", homes=tmp_path / "people.xlsx")
    with pytest.raises(SourceError, match=r"文件不存在：nobody\.csv"):
        import_osm(extract, tmp_path / "out", homes=tmp_path / "nobody.csv")


# --- a boundary that is given ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_homes_beyond_a_given_boundary_belong_to_the_neighbours(extract: Path, tmp_path: Path) -> None:
    border = gpd.GeoDataFrame(geometry=[shapely.box(117.600, 39.050, 117.6065, 39.060)], crs="EPSG:4326")
    border.to_file(tmp_path / "border.geojson", driver="GeoJSON")
    report = import_osm(extract, tmp_path / "out", homes=people(tmp_path, GOOD), boundary=tmp_path / "border.geojson")
    d = District.load(tmp_path / "out")
    assert d.homes is not None
    assert list(d.homes.index) == ["a", "b"]
    assert line(report, "homes", "街道界以外")["examples"] == "c"
    assert d.manifest["layers"]["district"]["basis"] == "unstated", "nobody has said whose line it is"
    said = {"homes": people(tmp_path, GOOD), "boundary": tmp_path / "border.geojson", "basis": "official"}
    import_osm(extract, tmp_path / "said", **said)
    assert District.load(tmp_path / "said").manifest["layers"]["district"]["basis"] == "official"
    assert d.facilities is not None
    assert "r1" in d.facilities.index  # the park next door still serves


@pytest.mark.slow
def test_a_boundary_elsewhere_or_without_a_polygon_is_refused(extract: Path, tmp_path: Path) -> None:
    for name, shape, said in (
        ("far", shapely.box(0, 0, 1, 1), "不在一处"),
        ("line", shapely.LineString([(117.6, 39.05), (117.61, 39.06)]), "没有面"),
    ):
        gpd.GeoDataFrame(geometry=[shape], crs="EPSG:4326").to_file(tmp_path / f"{name}.geojson", driver="GeoJSON")
        with pytest.raises(SourceError, match=said):
            import_osm(extract, tmp_path / "out", boundary=tmp_path / f"{name}.geojson")
    (tmp_path / "broken.geojson").write_text("{", "utf-8")
    for name, said in (
        ("broken.geojson", "broken.geojson：不是完整的 GeoJSON"),
        ("none.geojson", "文件不存在：none.geojson"),
    ):
        with pytest.raises(SourceError, match=said):
            import_osm(extract, tmp_path / "out", boundary=tmp_path / name)


# --- files that cannot be taken --------------------------------------------------------------------------------------


def test_extracts_that_cannot_be_taken_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x", "utf-8")
    (tmp_path / "fake.osm.pbf").write_bytes(b"not a protobuf at all, only text")
    (tmp_path / "cut.osm").write_text(town().xml()[:2000], "utf-8")
    (tmp_path / "folder.osm").mkdir()
    for name, said in (
        ("none.osm.pbf", "文件不存在：none.osm.pbf"),
        ("notes.txt", "notes.txt 不是 OSM 数据"),
        ("fake.osm.pbf", "fake.osm.pbf"),
        ("cut.osm", "cut.osm"),
        ("folder.osm", "folder.osm 是文件夹"),
    ):
        with pytest.raises(SourceError) as caught:
            import_osm(tmp_path / name, tmp_path / "out")
        assert said in str(caught.value)
        assert not (tmp_path / "out").exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cut.osm", "fake.osm.pbf", "folder.osm", "notes.txt"]


def test_a_file_without_a_street_to_walk_on_is_refused(tmp_path: Path) -> None:
    t = Town()
    t.way(5, [node_at(0, 0), node_at(3, 0)], highway="motorway")
    t.way(6, [node_at(0, 1), node_at(3, 1)], railway="rail")
    (tmp_path / "dull.osm").write_text(t.xml(), "utf-8")
    with pytest.raises(SourceError, match=r"dull.osm.*步行"):
        import_osm(tmp_path / "dull.osm", tmp_path / "out")


@pytest.mark.parametrize(
    ("crs", "said"), [("EPSG:4326", "不是以米为单位"), ("EPSG:1", "不认识的坐标系"), ("x", "不认识")]
)
def test_a_crs_that_cannot_measure_is_refused(extract: Path, tmp_path: Path, crs: str, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        import_osm(extract, tmp_path / "out", crs=crs)


@pytest.mark.slow
def test_a_crs_of_another_part_of_the_world_is_refused(extract: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="没有通过检查"):
        import_osm(extract, tmp_path / "out", crs="EPSG:32633")
    assert not (tmp_path / "out").exists()


# --- tables of one's own ---------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.matrix
def test_a_tag_table_of_ones_own_decides_and_travels_with_the_folder(extract: Path, tmp_path: Path) -> None:
    table = tmp_path / "tags.csv"
    table.write_text("id,kind,tags\nq,square,amenity=bench|fountain\np,park,leisure=*&name=某*\n", "utf-8")
    import_osm(extract, tmp_path / "out", osm_tags=table)
    d = District.load(tmp_path / "out")
    assert d.facilities is not None
    assert d.facilities["kind"].to_dict() == {"n54": "square", "r1": "park"}
    assert (tmp_path / "out/pois/osm_tags.csv").read_bytes() == table.read_bytes()
    assert d.manifest["layers"]["osm_tags"]["file"] == "pois/osm_tags.csv"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,kind,tags\nq,square,amenity\n", "第 q 行 tags：“amenity”里没有等号"),
        ("id,kind,tags,not_tags\nq,square,a=b,c=\n", "第 q 行 not_tags"),
        ("id,kind,tags\nq,sqare,a=b\n", "类别表没有的类别：sqare"),
        ("id,tags\nq,a=b\n", "缺少列 kind"),
    ],
)
def test_a_tag_table_with_mistakes_is_refused(extract: Path, tmp_path: Path, text: str, said: str) -> None:
    table = tmp_path / "tags.csv"
    table.write_text(text, "utf-8")
    with pytest.raises(SourceError) as caught:
        import_osm(extract, tmp_path / "out", osm_tags=table)
    assert said in str(caught.value)
    with pytest.raises(SourceError, match="文件不存在"):
        read_tag_rules(tmp_path / "none.csv")


def test_a_rule_needs_all_its_tags_and_none_of_the_excluded(tmp_path: Path) -> None:
    table = tmp_path / "tags.csv"
    table.write_text("id,kind,tags,not_tags\nq,square,a=1|2&b=x*,c=no;d=*&e=5\n", "utf-8")
    (rule,) = read_tag_rules(table)
    assert rule.matches({"a": "2", "b": "xyz"})
    assert not rule.matches({"a": "3", "b": "xyz"})
    assert not rule.matches({"a": "2"})
    assert not rule.matches({"a": "2", "b": "yx"})
    assert not rule.matches({"a": "1", "b": "x", "c": "no"})
    assert rule.matches({"a": "1", "b": "x", "c": "yes", "d": "9"})
    assert not rule.matches({"a": "1", "b": "x", "d": "9", "e": "5"})


@pytest.mark.slow
def test_a_walk_filter_of_ones_own_travels_with_the_folder(extract: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('[[rule]]\nwalk = true\nreason = "只走支路"\ntags = { highway = ["tertiary"] }\n', "utf-8")
    import_osm(extract, tmp_path / "out", walk_filter=own)
    d = District.load(tmp_path / "out")
    assert d.streets is not None
    assert list(d.streets.index) == ["w2"]
    assert (tmp_path / "out/network/walk_filter.toml").read_bytes() == own.read_bytes()
    with pytest.raises(SourceError, match=r"文件不存在：none\.toml"):
        import_osm(extract, tmp_path / "out2", walk_filter=tmp_path / "none.toml")


# --- same inputs, same bytes; whole or not at all --------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.matrix
def test_two_imports_are_equal_to_the_byte(extract: Path, tmp_path: Path) -> None:
    import_osm(extract, tmp_path / "one", homes=people(tmp_path, GOOD))
    import_osm(extract, tmp_path / "deep/er/two", homes=people(tmp_path, GOOD))
    a, b = files(tmp_path / "one"), files(tmp_path / "deep/er/two")
    assert list(a) == list(b)
    assert [name for name in a if a[name] != b[name]] == []
    assert str(tmp_path).encode() not in b"".join(a.values())


def test_a_folder_with_other_things_is_never_touched(extract: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.docx").write_bytes(b"years of work")
    for overwrite in (False, True):
        with pytest.raises(SourceError, match="不是空的"):
            import_osm(extract, out, overwrite=overwrite)
    assert files(out) == {"thesis.docx": b"years of work"}
    (tmp_path / "plain").write_bytes(b"a file")
    with pytest.raises(SourceError, match="已经有这个文件"):
        import_osm(extract, tmp_path / "plain", overwrite=True)


@pytest.mark.slow
@pytest.mark.matrix
def test_an_earlier_import_is_replaced_only_when_asked_and_only_untouched(extract: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()  # an empty folder is fine
    import_osm(extract, out)
    before = files(out)
    with pytest.raises(SourceError, match="overwrite"):
        import_osm(extract, out)
    import_osm(extract, out, name="新名", overwrite=True)
    assert District.load(out).name == "新名"
    (out / "homes/gates.geojson").write_text("{}", "utf-8")
    with pytest.raises(SourceError, match=r"又改过：homes/gates.geojson"):
        import_osm(extract, out, overwrite=True)
    (out / "homes/gates.geojson").unlink()
    toml = out / "district.toml"
    toml.write_text(toml.read_text("utf-8") + "# mine\n", "utf-8")
    with pytest.raises(SourceError, match=r"又改过：district.toml"):
        import_osm(extract, out, overwrite=True)
    assert set(before) == set(files(out))


@pytest.mark.slow
@pytest.mark.matrix
def test_a_failure_in_the_middle_leaves_nothing_new_and_the_old_as_it_was(
    extract: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = tmp_path / "room"
    import_osm(extract, room / "old")
    before = files(room)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    for step in ("_toml", "seal", "exchange"):
        with monkeypatch.context() as patch:
            patch.setattr(new_folder, step, full)
            for name in ("old", "new"):
                with pytest.raises(EnvironmentProblem, match=f"写 {name} 时出错：磁盘满了。腾出空间"):
                    import_osm(extract, room / name, name="x", overwrite=True)
        assert files(room) == before, step
        assert [p.name for p in room.iterdir()] == ["old"], step


def test_an_exchange_that_fails_puts_the_old_folder_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (target / "f").write_text("target", "utf-8")
    real = os.replace

    def held_open(source: Path, destination: Path, **folders: Any) -> None:
        if Path(source).name.startswith(".xinhe-in-"):
            raise PermissionError(13, "in use")
        real(source, destination, **folders)

    monkeypatch.setattr(os, "replace", held_open)
    with pytest.raises(PermissionError), beside(target) as fresh:
        (fresh / "f").write_text("fresh", "utf-8")
        exchange(fresh, target)
    assert (target / "f").read_text("utf-8") == "target"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["target"]


# --- real extracts ---------------------------------------------------------------------------------------------------


def place(name: str) -> Path:
    path = PLACES / name
    if not path.is_file():
        pytest.skip(f"没有真实数据 {name}（../shared/places 不在）")
    return path


@pytest.mark.slow
@pytest.mark.matrix
def test_sao_paulo_with_people(tmp_path: Path) -> None:
    table = place("saopaulo_hexgrid.csv")
    report = import_osm(place("saopaulo.osm.pbf"), tmp_path / "sp", homes=table)
    d = District.load(tmp_path / "sp")
    assert d.homes is not None
    assert len(d.homes) == 323
    assert d.homes["people"].sum() == pd.read_csv(table)["population"].sum() == 517_570
    assert d.year == 2020
    assert "Local transverse Mercator 46." in d.crs  # no national zone: scale 1 through the middle of the streets
    assert line(report, "homes", "的列")["examples"] == "schools、jobs、healthcare"
    length = d.network.edges["length_m"]
    assert length.groupby(d.network.edges["component"]).sum().max() / length.sum() > 0.9


@pytest.mark.slow
@pytest.mark.matrix
def test_helsinki_without_people_and_clipped(tmp_path: Path) -> None:
    report = import_osm(place("helsinki.osm.pbf"), tmp_path / "hel")
    d = District.load(tmp_path / "hel")
    assert d.homes is not None
    assert len(d.homes) > 50
    assert d.homes["people"].isna().all()
    assert d.facilities is not None
    assert {"clinic_station", "pharmacy", "park", "library", "supermarket"} <= set(d.facilities["kind"])
    taken = report.loc["facilities", "taken"].sum()
    assert taken == len(d.facilities)
    # every closed outline that the clip cut is named as left out, none is lost in silence
    assert report[report["what"] == "面"]["left_out"].sum() > 50


@pytest.mark.slow
@pytest.mark.matrix
def test_porto_twice_is_the_same(tmp_path: Path) -> None:
    for name in ("one", "two"):
        import_osm(place("porto.osm.pbf"), tmp_path / name)
    a, b = files(tmp_path / "one"), files(tmp_path / "two")
    assert [name for name in a if a[name] != b[name]] == []
    shutil.rmtree(tmp_path / "two")
    d = District.load(tmp_path / "one")
    assert d.year == 2015
    assert d.streets is not None
    assert len(d.streets) > 40_000
