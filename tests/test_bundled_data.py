"""The bundled demonstration district: built the same way every time, and built as its manifest says."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import geopandas as gpd
import networkx as nx
import numpy as np
import pandas as pd
import pytest
import shapely
from shapely.geometry import MultiPolygon, Polygon, box

from xinhe_geo.core.schema import LAYERS
from xinhe_geo.district.district import District
from xinhe_geo.district.reader import check

REPO = Path(__file__).parents[1]
DATA = REPO / "data"
SHARED = REPO / "../shared"
MANIFEST = tomllib.loads((DATA / "district.toml").read_text(encoding="utf-8"))
#: The layers with geometry; the ledger's series is a table of what the plan states.
DRAWN = {name: entry for name, entry in MANIFEST["layers"].items() if LAYERS[name].geometry}
CODE = "120116006"


@cache
def read(layer: str) -> gpd.GeoDataFrame:
    """One layer in metres."""
    frame = gpd.read_file(DATA / MANIFEST["layers"][layer]["file"])
    return frame.to_crs(MANIFEST["crs"])


def alive(frame: gpd.GeoDataFrame, year: int) -> gpd.GeoDataFrame:
    """Rows that exist in a year."""
    since = frame["since"] if "since" in frame else pd.Series(np.nan, index=frame.index)
    until = frame["until"] if "until" in frame else pd.Series(np.nan, index=frame.index)
    return frame[~(since > year) & ~(until < year)]


def open_in(kind: str, year: int, *, planned: bool = False) -> gpd.GeoDataFrame:
    """Open (and, when asked, planned) facilities of a kind in a year."""
    frame = read("facilities")
    state = frame["state"].fillna("open")
    return alive(frame[(frame["kind"] == kind) & ((state == "open") | (planned & (state == "planned")))], year)


def zone(name: str) -> Polygon:
    """The polygon of one zone."""
    return read("zones").set_index("zone").geometry[name]


def by_community(frame: gpd.GeoDataFrame, year: int = 2022) -> pd.Series:
    """How many features lie in each community."""
    communities = alive(read("communities"), year)
    points = shapely.point_on_surface(frame.geometry.array)
    return pd.Series({c.community: int(c.geometry.contains(points).sum()) for c in communities.itertuples()})


@pytest.mark.slow
def test_the_script_writes_exactly_these_bytes(tmp_path: Path) -> None:
    run = [sys.executable, str(REPO / "tools" / "make_xinhe.py"), "--out", str(tmp_path)]
    subprocess.run(run, check=True, capture_output=True)
    made = sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*") if p.is_file())
    assert len(made) == len(MANIFEST["layers"]) + 2 + 9  # the manifest, the note on the data, nine scenarios
    different = [str(p) for p in made if (tmp_path / p).read_bytes() != (DATA / p).read_bytes()]
    assert different == []


@pytest.mark.slow
def test_the_check_at_the_door_finds_nothing() -> None:
    problems = check(DATA)
    assert problems.empty, problems.to_string()


def test_small_enough_to_travel() -> None:
    assert sum(p.stat().st_size for p in DATA.rglob("*") if p.is_file()) < 3_000_000


@pytest.mark.parametrize("layer", sorted(DRAWN))
def test_files_hold_declared_columns_valid_shapes_and_one_feature_per_line(layer: str) -> None:
    entry = MANIFEST["layers"][layer]
    text = (DATA / entry["file"]).read_text(encoding="utf-8")
    features = json.loads(text)["features"]
    assert text.endswith("\n")
    assert text.count("\n") == len(features) + 2
    declared = LAYERS[layer]
    assert set(features[0]["properties"]) <= set(declared.names)
    assert all(value is not None for f in features for value in f["properties"].values())
    used = list(declared.names)
    assert all([c for c in used if c in f["properties"]] == list(f["properties"]) for f in features)
    frame = read(layer)
    assert frame.geometry.is_valid.all()
    assert not frame.geometry.is_empty.any()
    assert set(frame.geom_type) <= set(declared.geometry or ())
    keys = frame[[declared.key, *(c for c in ("since", "until") if c in frame)]]
    assert not keys.duplicated().any()
    assert {"basis", "source", "licence", "date", "secrecy", "crs"} <= set(entry)


def test_whatever_rests_on_openstreetmap_says_so() -> None:
    for layer, entry in DRAWN.items():
        frame = read(layer)
        if "basis" in frame and (frame["basis"] == "osm").any():
            assert entry["licence"] == "ODbL-1.0", layer
            assert frame.loc[frame["basis"] == "osm", "source"].str.contains("OpenStreetMap contributors").all(), layer
        head = json.loads((DATA / entry["file"]).read_text(encoding="utf-8"))
        assert head["licence"] == entry["licence"]
        assert ("OpenStreetMap" in head["attribution"]) == (entry["licence"] == "ODbL-1.0")
    assert "© OpenStreetMap contributors" in (DATA / "README.md").read_text(encoding="utf-8")
    assert "© OpenStreetMap contributors" in MANIFEST["credit"]


def test_nothing_claims_to_be_official_or_surveyed() -> None:
    for layer, entry in DRAWN.items():
        assert entry["basis"] in ("schematic", "synthetic")
        frame = read(layer)
        if "basis" in frame:
            assert set(frame["basis"].dropna()) <= {"osm", "derived", "schematic", "synthetic"}, layer


# --- boundaries ---------------------------------------------------------------------------------------------------


def test_zones_divide_the_district_and_the_new_one_is_21_km2_north_of_the_expressway() -> None:
    district = read("district").geometry.iloc[0]
    old, new = zone("old"), zone("new")
    assert new.area == pytest.approx(21e6, rel=0.01)
    assert 5e6 <= old.area <= 8e6
    assert old.intersection(new).area < 0.5
    assert district.symmetric_difference(shapely.union_all([old, new])).area < 0.5
    axis = read("barriers").set_index("barrier").geometry["exp"]
    halves = shapely.polygonize([shapely.node(shapely.union_all([axis, box(*district.buffer(100).bounds).exterior]))])
    north = max(halves.geoms, key=lambda g: g.centroid.y)
    assert new.difference(north).area < 0.01
    assert old.intersection(north).area < 0.01


def test_extents_keep_to_what_is_known() -> None:
    district, old, new = (
        g.to_crs(4326).iloc[0]
        for g in (
            read("district").geometry,
            read("zones").set_index("zone").geometry[["old"]],
            read("zones").set_index("zone").geometry[["new"]],
        )
    )
    marine, xinbei = box(117.58598, 39.05600, 117.69129, 39.10812), box(117.62875, 39.04463, 117.67156, 39.07105)
    assert marine.covers(new)
    assert district.intersection(xinbei).area == 0
    assert district.intersection(box(117.63415, 39.02320, 117.659, 39.05041)).area == 0
    window = box(117.612, 39.023, 117.634, 39.056)
    assert old.intersection(window).area / old.area > 0.95
    assert "矛盾" in read("district")["note"].iloc[0]


def test_communities_tile_the_old_town_in_both_list_years() -> None:
    communities = read("communities")
    for year, n in ((2020, 13), (2022, 13), (2023, 14), (2035, 14)):
        now = alive(communities, year)
        assert len(now) == n == now["community"].nunique()
        in_old = now[now["zone"] == "old"].geometry
        assert zone("old").symmetric_difference(shapely.union_all(in_old.array)).area < 0.5
        assert shapely.coverage_is_valid(now.to_crs(4326).geometry.array)
    assert set(communities.loc[communities["community"] == f"{CODE}014", "since"]) == {2023}


def test_community_codes_and_names_are_the_published_ones() -> None:
    path = SHARED / "places" / "xinhe_communities.csv"
    if not path.exists():
        pytest.skip("../shared/places/xinhe_communities.csv is not here")
    listed = pd.read_csv(path, dtype=str)
    for year in (2019, 2022, 2023):
        known = listed[listed["year"] == str(year)].set_index("code")["name"].str.removesuffix("居委会")
        ours = alive(read("communities"), year).set_index("community")["name"]
        assert ours.sort_index().to_dict() == known.sort_index().to_dict()


def test_areas_and_grid() -> None:
    areas = read("areas")
    assert len(areas) == 13
    assert list(areas["name"])[:5] == ["威海路片区", "南益南瑞片区", "四季风情片区", "赵家地片区", "漓江里片区"]
    assert areas["name"].str.contains("原文未点名").sum() == 8
    assert zone("old").buffer(0.1).covers(shapely.union_all(areas.geometry.array))
    cells = read("grid")
    whole = shapely.union_all(alive(read("communities"), 2022).geometry.array)
    assert cells.geometry.area.sum() == pytest.approx(whole.area, abs=1)
    assert shapely.union_all(cells.geometry.array).symmetric_difference(whole).area < 1


def test_siji_fengqing_lies_between_its_four_roads() -> None:
    roads = read("named_roads").set_index("name").geometry
    axes = shapely.union_all([roads[n] for n in ("崇智路", "新胡路", "崇义路", "津塘公路")])
    ring = read("communities").set_index("community").geometry[f"{CODE}009"].exterior
    assert max(shapely.Point(p).distance(axes) for p in ring.segmentize(20).coords) < 3


def test_parcels_lie_by_their_roads_and_the_canal() -> None:
    parcels = read("parcels").set_index("name").geometry
    roads = read("named_roads").set_index("name").geometry
    for road in ("安顺道", "崇信路", "赵新路"):
        assert parcels["五车地"].distance(roads[road]) < 40
    canal = read("barriers").set_index("barrier").geometry["canal"]
    assert zone("old").covers(parcels["五车地"])
    for name in ("新河庄南河底", "新河庄北河底"):
        assert parcels[name].distance(canal) < 80
        assert zone("new").covers(parcels[name])


def test_named_roads_follow_the_real_ones() -> None:
    path = SHARED / "places" / "osm_yunshandao.geojson"
    if not path.exists():
        pytest.skip("../shared/places/osm_yunshandao.geojson is not here")
    real = gpd.read_file(path).to_crs(MANIFEST["crs"])
    real = real[real.geom_type == "LineString"].dissolve("name").geometry
    ours = read("named_roads")
    ours = ours[ours["basis"] == "osm"]
    assert set(ours["name"]) >= {
        "威海路",
        "云山道",
        "厦门路",
        "庐山道",
        "谐海路",
        "靖海路",
        "蒿山道",
        "第九大街",
        "北大街",
    }
    for road in ours.itertuples():
        points = [shapely.Point(p) for p in road.geometry.segmentize(20).coords]
        assert max(p.distance(real[road.name]) for p in points) <= 60, road.name


def test_logistics_parks_stand_along_gangcheng_dadao_and_malls_in_the_new_town() -> None:
    axis = read("named_roads").set_index("name").geometry["港城大道"]
    parks = read("places").query("type == 'logistics_park'")
    assert len(parks) == len(open_in("logistics_park", 2022)) == 5
    assert (parks.geometry.distance(axis) < 1000).all()
    malls = read("places").query("type == 'mall' and basis == 'schematic'")
    assert set(malls["name"]) == {"友阿奥特莱斯", "红星美凯龙", "吾悦广场"}
    assert malls.geometry.within(zone("new")).all()


def test_micro_spaces_lie_inside_compounds() -> None:
    homes = shapely.union_all(alive(read("homes"), 2022).geometry.array)
    assert read("micro_spaces").geometry.within(homes).all()


def test_bare_ground_adds_up_to_what_the_plan_reports() -> None:
    assert read("bare_ground").geometry.area.sum() == pytest.approx(60_000, rel=0.001)


# --- streets and homes --------------------------------------------------------------------------------------------


def ends(line: shapely.LineString) -> tuple[tuple[float, float], tuple[float, float]]:
    """Both ends of a line in whole millimetres."""
    a, b = line.coords[0], line.coords[-1]
    return (round(a[0], 3), round(a[1], 3)), (round(b[0], 3), round(b[1], 3))


def network(streets: gpd.GeoDataFrame) -> nx.MultiGraph:
    """Lines joined where they share an end."""
    graph = nx.MultiGraph()
    for street in streets.itertuples():
        graph.add_edge(*ends(street.geometry), key=street.street)
    return graph


@pytest.mark.parametrize("year", [2020, 2022, 2025, 2035])
def test_streets_are_one_network_and_one_island(year: int) -> None:
    streets = alive(read("streets"), year)
    assert len(streets) >= 2500
    assert streets["street"].is_unique
    parts = sorted((len(p) for p in nx.connected_components(network(streets))), reverse=True)
    assert len(parts) == 2
    assert parts[1] <= 6
    assert set(streets.loc[streets["note"].fillna("").str.contains("孤岛"), "class"]) == {"service"}


def test_lines_are_cut_wherever_they_share_a_vertex() -> None:
    streets = read("streets")
    graph = network(streets)
    nodes = set(graph.nodes)
    for street in streets.itertuples():
        inner = {(round(x, 3), round(y, 3)) for x, y in street.geometry.coords[1:-1]}
        assert not inner & nodes, street.street


def test_streets_meet_at_vertices_or_not_at_all() -> None:
    streets = alive(read("streets"), 2022)
    lines = streets.geometry.array
    first, second = shapely.STRtree(lines).query(lines, predicate="crosses")
    crossing = {
        (streets["street"].iloc[i], streets["street"].iloc[j]) for i, j in zip(first, second, strict=True) if i < j
    }
    over = streets.set_index("street")["class"] == "steps"
    assert all(over[a] or over[b] for a, b in crossing), sorted(crossing)[:5]


def test_barriers_have_few_crossings() -> None:
    streets, barriers = read("streets"), read("barriers").set_index("barrier").geometry
    counts = {b: int(streets.geometry.crosses(line).sum()) for b, line in barriers.items() if not b.startswith("wall")}
    inside = streets[streets.geometry.intersects(read("district").geometry.iloc[0])]
    for name, most in (("rail", 5), ("canal", 14), ("exp", 5), ("bei", 2), ("freight", 3), ("changshen", 0)):
        n = int(inside.geometry.crosses(barriers[name]).sum())
        assert n <= most, (name, n)
        assert name == "changshen" or n >= 1, name
    assert counts["rail"] >= 3


def test_crossings_wait_and_footbridges_have_steps_with_a_way_round() -> None:
    streets = read("streets")
    waits = streets["wait_s"].dropna()
    assert waits.between(20, 40).all()
    assert len(waits) > 60
    assert set(streets.loc[waits.index, "class"]) == {"footway"}
    stairs = streets[streets["steps"] == True]  # noqa: E712
    assert 1 <= len(stairs) <= 4
    graph = network(streets[~streets["street"].isin(stairs["street"])])
    for street in streets.itertuples():
        for data in graph.get_edge_data(*ends(street.geometry), default={}).values():
            data["metres"] = street.geometry.length
    for stair in stairs.itertuples():
        a, b = ends(stair.geometry)
        if a in graph and b in graph:
            round_way = nx.shortest_path_length(graph, a, b, weight="metres")
            assert round_way > 3 * stair.geometry.length


def test_no_street_is_a_motorway() -> None:
    streets = read("streets")
    assert not set(streets["class"]) & {"motorway", "trunk"}
    assert not set(streets["name"].dropna()) & {"第九大街", "北大街", "京津塘高速公路", "长深高速公路"}


@pytest.mark.parametrize("year", [2020, 2022, 2025, 2035])
def test_compounds_stand_apart_from_each_other_and_from_public_streets(year: int) -> None:
    streets = read("streets")
    homes = alive(read("homes"), year)
    shapes = homes.geometry.array
    first, second = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    assert (first == second).all()
    inner = shapely.buffer(shapes, -0.5)
    streets = alive(streets, year)
    lines = streets.geometry.array
    one, other = shapely.STRtree(lines).query(inner, predicate="intersects")
    own = streets["home"].iloc[other].to_numpy() == homes["home"].iloc[one].to_numpy()
    assert own.all(), streets["street"].iloc[other[~own]].tolist()[:5]
    assert len(homes) >= 100


@pytest.mark.slow
def test_gates_are_on_the_wall_and_on_a_public_street_that_reaches_the_network() -> None:
    homes = read("homes").set_index("home").geometry
    gates, streets = read("gates"), read("streets")
    public = streets[streets["home"].isna()]
    main = max(nx.connected_components(network(public)), key=len)
    assert (gates.geometry.distance(gpd.GeoSeries(homes.boundary.loc[gates["home"]].array, crs=gates.crs)) <= 0.5).all()
    for gate in gates.itertuples():
        assert (round(gate.geometry.x, 3), round(gate.geometry.y, 3)) in main, gate.gate
    lanes = streets[streets["home"].notna()]
    assert set(lanes["home"]) == set(gates["home"])
    for home, group in lanes.groupby("home"):
        graph = network(group)
        assert nx.is_connected(graph), home
        assert (graph.nodes & main) == {
            (round(p.x, 3), round(p.y, 3)) for p in gates.loc[gates["home"] == home].geometry
        }, home
    without = set(homes.index) - set(gates["home"])
    assert 2 <= len(without) <= 8
    assert {1, 2, 3, 4} <= set(gates.groupby("home").size())


def test_people_are_plausible_round_and_sometimes_unknown() -> None:
    homes = alive(read("homes"), 2022)
    people = homes["people"]
    assert 30_000 <= people.sum() <= 45_000
    assert 1 <= people.isna().sum() <= 3
    assert (people.dropna() % 10 == 0).all()
    assert (homes["people_60plus"].dropna() < people.dropna()).all()
    assert people.sum() / homes.loc[people.notna(), "households"].sum() == pytest.approx(2.5, abs=0.1)
    old = homes.geometry.centroid.within(zone("old"))
    share = homes["people_60plus"].groupby(old).sum() / people.groupby(old).sum()
    assert share[True] > share[False] + 0.08


# --- facilities ---------------------------------------------------------------------------------------------------


def test_fourteen_canteens_do_not_cover_thirteen_communities() -> None:
    canteens = open_in("canteen", 2022)
    assert len(canteens) == len(open_in("canteen", 2020)) == 14
    counts = by_community(canteens)
    assert counts.sum() == 14
    assert (counts > 0).sum() < 13
    assert (counts == 2).any()
    centres = by_community(open_in("party_service_center", 2022))
    assert len(open_in("party_service_center", 2022)) == 14
    assert (centres >= 1).all()


def test_old_houses_on_renewal_plots_make_way() -> None:
    homes = read("homes")
    old = homes[homes["name"].str.contains("平房")]
    assert old["until"].notna().all()
    plots = read("parcels").set_index("name").geometry
    for name, n in (("五车地", 3), ("新河庄南河底", 6), ("新河庄北河底", 6)):
        on_plot = old[old["name"].str.startswith(name)]
        assert len(on_plot) == n
        assert on_plot.geometry.within(plots[name].buffer(8)).all()
    assert (homes["name"] == "新建里小区").sum() == 1
    assert homes.loc[homes["name"] == "新建里小区", "until"].isna().all()


def test_promised_facilities_are_planned_not_open() -> None:
    assert open_in("clinic_center", 2025).empty
    assert len(open_in("clinic_center", 2025, planned=True)) == 1
    stations = open_in("clinic_station", 2025, planned=True)
    planned = stations[stations["state"] == "planned"]
    found = by_community(planned)
    assert set(found[found > 0].index) == {f"{CODE}010", f"{CODE}011"}
    daycare = by_community(open_in("elderly_daycare", 2022))
    assert 0 < (daycare > 0).sum() < 13
    assert (by_community(open_in("elderly_daycare", 2025, planned=True)) > 0).all()
    fitness = by_community(open_in("fitness", 2022))
    assert 9 <= (fitness > 0).sum() < 13


def test_every_kind_of_the_table_is_here_and_said_to_be_surveyed() -> None:
    kinds = set(pd.read_csv(DATA / "pois" / "kinds.csv", encoding="utf-8-sig")["kind"])
    here = set(read("facilities")["kind"])
    assert here <= kinds
    assert sorted(here) == MANIFEST["surveyed_kinds"]
    assert kinds - here == set()


def test_facilities_stand_beside_public_streets_and_not_on_walls() -> None:
    facilities, streets, homes = read("facilities"), read("streets"), read("homes")
    points = facilities[(facilities.geom_type == "Point") & ~facilities["basis"].isin(["osm", "derived"])]
    public = streets.loc[streets["home"].isna()].geometry.array
    _, away = shapely.STRtree(public).query_nearest(points.geometry.array, return_distance=True, all_matches=False)
    inside = points.geometry.within(shapely.union_all(homes.geometry.array)).to_numpy()
    assert ((away >= 5) & (away <= 30))[~inside].all()
    assert 5 <= inside[(points["kind"] != "waste_point").to_numpy()].sum() < 60
    walls = shapely.union_all(homes.boundary.array)
    assert points.geometry.distance(walls).min() > 2


def test_some_facilities_lie_across_the_boundary() -> None:
    facilities = read("facilities")
    outside = facilities[~facilities.geometry.intersects(read("district").geometry.iloc[0])]
    assert {"clinic_station", "primary_school", "market", "supermarket"} <= set(outside["kind"])


def test_years_differ() -> None:
    counts = {y: len(alive(read("facilities"), y)) for y in (2020, 2022, 2025, 2035)}
    assert len(set(counts.values())) == 4
    homes = {y: len(alive(read("homes"), y)) for y in (2022, 2025, 2035)}
    assert len(set(homes.values())) == 3
    waters = read("water").geometry
    assert all(isinstance(g, Polygon | MultiPolygon) for g in waters)


@pytest.mark.slow
def test_scenarios_can_be_carried_out() -> None:
    district = District.load(DATA)
    names = sorted(p.stem for p in (DATA / "scenarios").glob("*.toml"))
    assert len(names) == 9
    for name in names:
        after = district.scenario(name).on(district)
        assert after.facilities is not None, name
    renewed = district.scenario("wuchedi-renewal").on(district)
    assert not renewed.homes["name"].str.contains("五车地平房").any()
    assert renewed.homes.loc["wuchedi-new", "people"] > 1000
    assert (renewed.gates["home"] == "wuchedi-new").sum() >= 2


def test_entrances_lie_on_their_parks() -> None:
    parks = read("facilities").set_index("facility").geometry
    for entrance in read("entrances").itertuples():
        assert parks[entrance.facility].exterior.distance(entrance.geometry) < 0.5


def test_series_holds_table_one_and_blanks_to_fill_in() -> None:
    table = pd.read_csv(DATA / "ledger" / "series.csv", encoding="utf-8-sig", dtype=str)
    assert list(table.columns) == ["indicator", "unit", "year", "value", "source", "filled_by"]
    known = table.dropna(subset="value").set_index(["indicator", "year"])["value"]
    assert known[("I05", "2020")] == "1000"
    assert known[("I05.target", "2025")] == "2800"
    assert known[("I14", "2020")] == "0"
    assert set(known.index.get_level_values("year")) == {"2020", "2025"}
    assert all(i.endswith(".target") for i, y in known.index if y == "2025")
    assert table["filled_by"].isna().all()
