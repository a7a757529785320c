"""Findings of the audit on the toy district, which has one odd island, one compound without gates and one unknown number."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely

import xinhe_geo as xh
from xinhe_geo.access.audit import audit, rests_on

TOY = Path(__file__).parents[1] / "toy"


@pytest.fixture(scope="module")
def findings() -> dict[str, dict[str, object]]:
    return {row["finding"]: row for row in audit(xh.District.load(TOY)).to_dict("records")}


def one(findings: dict[str, dict[str, object]], words: str) -> dict[str, object]:
    found = [row for text, row in findings.items() if words in text]
    assert len(found) == 1, (words, list(findings))
    return found[0]


def test_island_and_who_lives_on_it(findings: dict[str, dict[str, object]]) -> None:
    assert "island" in str(one(findings, "与主网不通")["where"])
    stranded = one(findings, "孤立路网")
    assert (stranded["where"], stranded["people"], stranded["severity"]) == ("E", 10.0, "high")


@pytest.mark.parametrize(
    "layer, parent, told", [("gates", "homes", "小区的出入口"), ("entrances", "facilities", "设施的出入口")]
)
def test_a_door_that_is_drawn_elsewhere_is_told(layer: str, parent: str, told: str) -> None:
    """A door 99 m from its home or facility may be its door; one 101 m away is told, with whose it is."""
    toy = xh.District.load(TOY)
    place = toy.rows[parent].iloc[[0]]
    key = toy.rows[parent].index.name
    for away, found in ((99.0, 0), (101.0, 1)):
        east, north = place.total_bounds[2] + away, shapely.get_y(place.geometry.iloc[0].centroid)
        door = gpd.GeoDataFrame({key: place.index}, geometry=[shapely.Point(east, north)], index=["door"], crs=toy.crs)
        rows = gpd.GeoDataFrame(pd.concat([toy.rows[layer], door]) if layer in toy.rows else door)
        rows.index.name = "gate" if layer == "gates" else "entrance"
        findings = audit(toy.replace(**{layer: rows}))
        own = findings[findings["finding"].str.contains(told)]
        assert len(own) == found and (not found or own["where"].tolist() == [place.index[0]])


def test_unknown_gates_and_people(findings: dict[str, dict[str, object]]) -> None:
    assert one(findings, "不知道出入口")["where"] == "C"
    assert one(findings, "不知道人口")["where"] == "C"
    assert one(findings, "不在任何社区")["where"] == "E"


def test_a_finding_names_rows_of_the_layer_it_is_about(findings: dict[str, dict[str, object]]) -> None:
    """Whoever leaves a layer out of what is told leaves out what was found of it, whatever it is called."""
    toy = xh.District.load(TOY)
    for said, row in findings.items():
        named = [] if row["layer"] == "kinds" or " 等 " in str(row["where"]) else str(row["where"]).split("、")
        assert {*filter(None, named)} <= {*toy.rows[str(row["layer"])].index}, said
    assert {str(row["layer"]) for row in findings.values()} == {"streets", "homes", "kinds"}


@pytest.mark.slow
def test_metres_along_ones_own_lane_are_no_gap_in_the_drawing() -> None:
    """C stands on a lane of its own, 159.3 m from either mouth: it is not far from a street."""
    toy = xh.District.load(TOY)
    streets = toy.rows["streets"]
    lane = streets.iloc[:1].assign(home="C").rename(index={streets.index[0]: "lane"})
    xy = [(400, 100), (490, 102), (440, 150), (490, 198), (400, 200)]
    lane.geometry = [shapely.LineString([(500000 + x, 4320000 + y) for x, y in xy])]
    lane.index.name = streets.index.name
    rows = gpd.GeoDataFrame(pd.concat([streets, lane]), crs=toy.crs)
    assert not audit(toy.with_rows({**toy.rows, "streets": rows}))["finding"].str.contains("离最近的路").any()


def test_surveyed_data_carries_no_demonstration_finding(findings: dict[str, dict[str, object]]) -> None:
    assert not [text for text in findings if "不能作结论" in text]


def test_what_is_listed_is_counted_in_its_own_words(findings: dict[str, dict[str, object]]) -> None:
    assert str(one(findings, "没有调查过")["where"]).endswith(" 类")


@pytest.mark.slow
def test_bundled_district_says_so() -> None:
    district = xh.District.load()
    table = audit(district)
    assert table["finding"].str.contains(r"街道路网 \d,\d{3} 段中 \d,\d{3} 段为").any()
    assert table["finding"].str.contains("不能作结论").any()
    assert not table["remedy"].eq("").any()
    assert "不作结论" in rests_on(district)
    assert "不作结论" not in rests_on(xh.District.load(TOY))


@pytest.mark.slow
def test_near_miss_is_found(tmp_path: Path) -> None:
    """A street that ends 1 m short of another is a finding; one that touches is none."""
    import shutil

    for gap, expected in ((1.0, 1), (0.0, 0)):
        folder = Path(shutil.copytree(TOY, tmp_path / f"toy{gap}"))
        path = folder / "network/streets.geojson"
        streets = gpd.read_file(path).set_crs("EPSG:4548", allow_override=True)
        extra = gpd.GeoDataFrame(
            {"street": ["stub"], "name": ["短路"], "class": ["footway"], "steps": [False]},
            geometry=[shapely.LineString([(500100 + gap, 4320000 + 50), (500150, 4320050)])],
            crs="EPSG:4548",
        )
        import pandas as pd

        both = pd.concat([streets, extra], ignore_index=True)
        path.write_text(both.to_json(drop_id=True), "utf-8")
        table = audit(xh.District.load(folder))
        near = table[table["finding"].str.contains("却没有相接")]
        # without a shared vertex the touching stub is not joined either: from its end to the street is 0 m
        assert len(near) == expected


@pytest.mark.slow
def test_a_wall_across_the_gap_makes_it_none() -> None:
    """A street that ends 1 m short of another may end at a wall between the two; a wall elsewhere excuses nothing."""
    toy = xh.District.load(TOY)
    rows = toy.rows

    def with_line(layer: str, name: str, line: list[tuple[float, float]]) -> gpd.GeoDataFrame:
        row = rows[layer].iloc[:1].rename(index={rows[layer].index[0]: name})
        row.geometry = [shapely.LineString([(500_000 + x, 4_320_000 + y) for x, y in line])]
        row.index.name = rows[layer].index.name
        return gpd.GeoDataFrame(pd.concat([rows[layer], row]), crs=toy.crs)

    streets = with_line("streets", "stub", [(101, 50), (150, 50)])
    for east, found in ((100.5, False), (125.0, True)):
        barriers = with_line("barriers", "wall", [(east, 30), (east, 70)])
        table = audit(toy.with_rows({**rows, "streets": streets, "barriers": barriers}))
        assert table["finding"].str.contains("却没有相接").any() == found


@pytest.mark.slow
def test_a_street_drawn_as_two_lines_wants_crossings(tmp_path: Path) -> None:
    """Two lines of one name, 20 m apart and 1 km long, joined at one end only: far from the other side at the open end."""
    import json
    import shutil

    folder = Path(shutil.copytree(TOY, tmp_path / "toy"))
    path = folder / "network/streets.geojson"
    data = json.loads(path.read_text("utf-8"))

    def add(key: str, name: str | None, line: list[list[float]]) -> None:
        shape = {"type": "LineString", "coordinates": [[500000 + x, 4320000 + y] for x, y in line]}
        properties = {"street": key, "name": name, "class": "secondary"}
        data["features"].append({"type": "Feature", "properties": properties, "geometry": shape})

    add("n", "双幅路", [[0, 520], [1000, 520]])
    add("s", "双幅路", [[0, 500], [500, 500], [1000, 500]])
    add("j", None, [[0, 500], [0, 520]])
    path.write_text(json.dumps(data), "utf-8")
    table = audit(xh.District.load(folder))
    found = table[table["finding"].str.contains("走到对面")]
    assert list(found["where"]) == ["双幅路"]
    # spots every 1000/6 m from the closed end: 83, 250, 417 ... m; the way round is 2x + 20, over 400 from x = 190 on
    assert found["count"].iloc[0] >= 5
