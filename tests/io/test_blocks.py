"""Homes without a table: every building counts, blocks take nothing twice, and the people of areas keep their totals."""

from __future__ import annotations

import math
import random
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import pytest
import shapely
from clock import seeds
from test_osm_import import Town, line, node_at, town

from xinhe_geo.access import basis_text, rests_on
from xinhe_geo.access.people_draws import drawn_people, drawn_range
from xinhe_geo.core import EnvironmentProblem, Rule, SourceError, speaking
from xinhe_geo.district import District
from xinhe_geo.io.import_log import ImportLog
from xinhe_geo.io.osm_import import import_osm
from xinhe_geo.io.population import area_of, read_areas, shared

LONLAT = "EPSG:4326"


def built_town(seed: int) -> tuple[Town, dict[int, str]]:
    """A grid of streets with buildings of any use, and what each building says it is."""
    rng, t, uses = random.Random(seed), Town(), {}
    for k in range(0, 12, 3):
        t.way(1000 + k, [node_at(c, k) for c in range(12)], highway="residential")
        t.way(2000 + k, [node_at(k, r) for r in range(12)], highway="residential")
    t.square(5000, 4, 4, landuse="industrial")
    t.square(5001, 7, 7, landuse="residential", name="某里")
    for i in range(40):
        use = rng.choice(["yes", "yes", "yes", "house", "apartments", "school", "retail", "roof"])
        lon, lat = 117.6 + rng.uniform(0, 0.011), 39.05 + rng.uniform(0, 0.011)
        side, first = rng.uniform(0.00005, 0.0002), 100_000 + 4 * i
        for j, (x, y) in enumerate(((0, 0), (1, 0), (1, 1), (0, 1))):
            t.point(first + j, lon + x * side, lat + y * side)
        tags = {"building": use, **({"building:levels": str(rng.randint(1, 9))} if rng.random() < 0.5 else {})}
        t.ways.append((6000 + i, [first, first + 1, first + 2, first + 3, first], tags))
        uses[6000 + i] = use
    return t, uses


def corner(c: int, r: int) -> tuple[float, float]:
    return 117.6 + c * 0.001, 39.05 + r * 0.001


def imported(t: Town, folder: Path, **given: object) -> tuple[District, object]:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "town.osm").write_text(t.xml(), "utf-8")
    report = import_osm(folder / "town.osm", folder / "out", **given)  # type: ignore[arg-type]
    return District.load(folder / "out"), report


@pytest.mark.one_in(2)
@pytest.mark.parametrize("seed", seeds(0, 2, 12))
def test_every_building_is_in_one_block_or_said_to_be_none(seed: int, tmp_path: Path) -> None:
    t, uses = built_town(seed)
    d, _ = imported(t, tmp_path)
    assert d.homes is not None
    counts = d.manifest["layers"]["homes"]["buildings"]
    real = [use for use in uses.values() if use != "roof"]
    assert counts["seen"] == len(real)
    assert int(d.homes["buildings"].sum()) == counts["used"]
    assert int(d.homes["stated_homes"].sum()) == counts["stated"] == sum(u in ("house", "apartments") for u in real)
    # of unstated use only those on industrial land are left out, found here by their corners alone
    plot = shapely.box(*corner(4, 4), *corner(5, 5))
    away = sum(
        shapely.contains(plot, shapely.Point(np.mean([t.nodes[n][:2] for n in refs[:4]], axis=0)))
        for ident, refs, _ in t.ways
        if uses.get(ident) == "yes"
    )
    assert counts["used"] == sum(u in ("yes", "house", "apartments") for u in real) - away
    assert len(d.homes) < counts["used"]
    assert (shapely.area(d.homes.geometry.to_numpy()) > 0).all()


def test_shared_people_add_up_to_each_area_whatever_the_weights() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        total = rng.integers(0, 5000, 12).astype(float)
        area = rng.integers(-1, 12, 200)
        weight = rng.uniform(1, 10_000, 200)
        people = shared(total, area, weight)
        assert np.isnan(people[area < 0]).all()
        for k in range(12):
            mine = people[area == k]
            assert not len(mine) or math.fsum(mine) == pytest.approx(total[k], abs=1e-9 * (1 + total[k]))
            if len(mine) > 1 and total[k]:  # twice the floor, twice the people
                assert mine / mine[0] == pytest.approx(weight[area == k] / weight[area == k][0])


@pytest.mark.slow
@pytest.mark.matrix
def test_draws_of_who_lives_where_keep_the_total_of_each_area(tmp_path: Path) -> None:
    t, _ = built_town(3)
    quarters((1000, 250, 0, 37)).to_file(tmp_path / "areas.gpkg")
    d, _ = imported(t, tmp_path / "t", population=tmp_path / "areas.gpkg")
    draws = drawn_people(d)
    assert d.homes is not None and draws is not None
    parts = [part.split(":") for cell in d.homes["people_parts"].dropna() for part in cell.split(";")]
    totals = {a: sum(float(n) for name, n in parts if name == a) for a in "abd"}
    assert totals == pytest.approx({"a": 1000, "b": 250, "d": 37}, rel=1e-8)
    assert d.homes["people"].sum() == pytest.approx(1287)
    assert draws.sum().to_numpy() == pytest.approx(1287), "every draw adds up"
    assert (draws >= 0).all().all() and draws.nunique(axis=1).max() > 100
    assert draws.mean(axis=1).to_numpy() == pytest.approx(
        d.homes["people"].reindex(draws.index).to_numpy(), rel=0.35, abs=3
    )
    assert drawn_range(d, pd.Series(1.0, index=d.homes.index)) == pytest.approx((1, 1))
    half = pd.Series(np.arange(len(d.homes)) % 2 == 0, index=d.homes.index, dtype=float)
    low, high = drawn_range(d, half) or (0, 0)
    assert low < float(half @ d.homes["people"].fillna(0)) / 1287 < high


def test_a_building_lies_in_the_area_its_middle_lies_in() -> None:
    areas = np.array([shapely.box(i, 0, i + 1, 1) for i in range(4)], dtype=object)
    shapes = np.array([shapely.box(x, 0.2, x + 0.5, 0.8) for x in (0.1, 0.9, 2.6, 3.9, 9.0)], dtype=object)
    assert area_of(shapes, areas).tolist() == [0, 1, 2, -1, -1]


def quarters(people: object = (1000, 250, 0, 37)) -> gpd.GeoDataFrame:
    cells = [(0, 0), (6, 0), (0, 6), (6, 6)]
    boxes = [shapely.box(*corner(c, r), *corner(c + 6, r + 6)) for c, r in cells]
    return gpd.GeoDataFrame({"area": list("abcd"), "people": list(people)}, geometry=boxes, crs=LONLAT)  # type: ignore[call-overload]


@pytest.mark.slow
@pytest.mark.matrix
def test_areas_keep_their_people_and_nobody_without_a_building_is_lost(tmp_path: Path) -> None:
    quarters().to_file(tmp_path / "areas.gpkg")
    d, report = imported(town(), tmp_path / "t", population=tmp_path / "areas.gpkg")
    assert d.homes is not None
    people = d.homes["people"]
    assert people.sum() == pytest.approx(1287)
    # w40 stands in the south-west, w41 and w43 in the south-east; nobody drew a building in the north
    assert people["w40"] == pytest.approx(1000)
    assert people["w41"] + people["w43"] == pytest.approx(250)
    assert people["area-d"] == pytest.approx(37)
    assert "area-c" not in people.index, "where nobody lives is no home"
    assert np.isnan(people["w44"]), "land without a building has no floor: unknown, not 0"
    assert d.manifest["layers"]["homes"]["basis"] == "derived"
    assert "areas.gpkg" in d.manifest["layers"]["homes"]["source"]
    said = rests_on(d)
    assert "3 栋（" in said and "写明是住宅" in said
    assert "写明层数" in basis_text(d, Rule("any", kinds="park", minutes=15))
    with speaking("en"):
        assert "buildings on the map" in rests_on(d)
    assert line(report, "homes", "有人、没有画楼")["taken"] == 1  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("people", "name", "said"),
    [
        ([1, 2, 3, -4], "areas.gpkg", "第 4 块"),
        (["1", "2", "many", "4"], "areas.gpkg", "第 3 块"),
        ([1, 2, 3, 4], "areas.csv", "面图层"),
    ],
)
def test_areas_that_cannot_serve_are_refused_by_name(people: object, name: str, said: str, tmp_path: Path) -> None:
    quarters(people).to_file(tmp_path / "areas.gpkg")
    (tmp_path / "areas.csv").write_text("area,people\na,1\n", "utf-8")
    with pytest.raises(SourceError, match=said):
        imported(town(), tmp_path / "t", population=tmp_path / name)
    with pytest.raises(SourceError, match="只给一种"):
        imported(town(), tmp_path / "t", population=tmp_path / name, homes=tmp_path / "areas.csv")
    assert not (tmp_path / "t/out").exists()


@pytest.mark.slow
def test_a_raster_of_people_keeps_its_total(tmp_path: Path) -> None:
    rasterio = pytest.importorskip("rasterio")
    west, north = corner(0, 12)
    values = np.zeros((12, 12), "float32")
    values[8, 3], values[8, 6], values[8, 8], values[1, 1], values[11, 11] = 40.5, 10, 20.25, 7, np.nan
    profile = {"driver": "GTiff", "height": 12, "width": 12, "count": 1, "dtype": "float32", "nodata": -200}
    values[0, 0] = -200
    with rasterio.open(
        tmp_path / "pop.tif",
        "w",
        crs=LONLAT,
        transform=rasterio.Affine(0.001, 0, west, 0, -0.001, north),
        **profile,
    ) as f:
        f.write(values, 1)
    d, _ = imported(town(), tmp_path / "t", population=tmp_path / "pop.tif")
    assert d.homes is not None
    assert d.homes["people"].sum() == pytest.approx(40.5 + 10 + 20.25 + 7, rel=1e-6)
    assert d.homes.loc["w40", "people"] == pytest.approx(40.5)
    assert d.homes.loc["w43", "people"] == pytest.approx(20.25)
    assert (d.homes.index.str.startswith("area-")).sum() == 1
    (tmp_path / "bad.tif").write_bytes(b"II*\0 no raster")
    with pytest.raises(SourceError, match="不是能读的 GeoTIFF"):
        imported(town(), tmp_path / "u", population=tmp_path / "bad.tif")


#: Six numbers that lead from pixels to places and say nothing of the kind; pixels of nobody's people; planes without a place.
HOSTILE_RASTERS = {
    "pixels of no size": {"transform": (0, 0, 500000, 0, 0, 4321000)},
    "pixels of no number": {"transform": (math.nan, 0, 500000, 0, -100, 4321000)},
    "pixels without end": {"transform": (math.inf, 0, 500000, 0, -100, 4321000)},
    "pixels smaller than anything": {"transform": (1e-300, 0, 500000, 0, -1e-300, 4321000)},
    "a plane of nowhere": {"crs": 'LOCAL_CS["x",UNIT["m",1]]'},
    "another planet": {"crs": 'GEOGCS["M",DATUM["D",SPHEROID["M",1737400,0]],PRIMEM["R",0],UNIT["d",0.0174]]'},
    "more people than the world has": {"value": 1e308},
    "people without end": {"value": math.inf},
    "blocks of gigabytes": {"size": 200_000, "tiled": True, "blockxsize": 131072, "blockysize": 65536},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE_RASTERS)
def test_hostile_rasters_are_refused_in_a_sentence(name: str, tmp_path: Path) -> None:
    rasterio = pytest.importorskip("rasterio")
    odd = {"transform": (100, 0, 500000, 0, -100, 4321000), "crs": "EPSG:4548", "size": 10, **HOSTILE_RASTERS[name]}
    value, size, place = odd.pop("value", 5.0), odd.pop("size"), tmp_path / "a.tif"
    odd["transform"] = rasterio.Affine(*odd["transform"])
    shape = {"driver": "GTiff", "height": size, "width": size, "count": 1, "dtype": "float64", "sparse_ok": True}
    with rasterio.open(place, "w", **shape, **odd) as raster:
        if size == 10:
            raster.write(np.full((size, size), value), 1)
    with pytest.raises(SourceError, match=r"^a\.tif"):
        read_areas(place, pyproj.CRS(4548), shapely.box(500000, 4320000, 501000, 4321000), ImportLog())


def test_without_what_reads_rasters_one_sentence_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "rasterio", None)
    (tmp_path / "pop.tif").write_bytes(b"II*\0")
    with pytest.raises(EnvironmentProblem, match="rasterio"):
        imported(town(), tmp_path / "t", population=tmp_path / "pop.tif")
