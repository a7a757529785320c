"""
Datums: twenty cities from another implementation, round trips, and a verdict that never accuses honest data.

Cities: hujiulong/gcoord, `test/fixtures`, MIT.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from clock import A_PART_OR_ALL, trials
from hypothesis import given, settings
from hypothesis import strategies as st

from xinhe_geo.core.datum import (
    ANYWHERE,
    DATUMS,
    PEERS_AT_MOST,
    _by_odds,
    _lonlat_points,
    _Places,
    datum_name,
    diagnose,
    diagnose_likeness,
    diagnose_names,
    from_wgs84,
    tie,
    to_wgs84,
)
from xinhe_geo.core.errors import SourceError, UnknownNameError, XinheError
from xinhe_geo.core.schema import bundled_folder
from xinhe_geo.district.district import District
from xinhe_geo.io.datum_check import known_by_name

CITIES = Path(__file__).parents[2] / "../shared/yardsticks/cities/cities.csv"
needs_cities = pytest.mark.skipif(not CITIES.is_file(), reason="../shared/yardsticks is not here")
METRIC = "EPSG:4548"
X0, Y0 = 554_000.0, 4_323_000.0


def convert(layer: Any, start: str, end: str) -> Any:
    """A layer whose numbers are in one datum, in another."""
    shapes = layer.geometry.to_crs("EPSG:4326")
    moved = shapely.transform(
        shapes.array, lambda xy: np.column_stack(from_wgs84(*to_wgs84(xy[:, 0], xy[:, 1], start), end))
    )
    series = gpd.GeoSeries(moved, index=layer.index, crs="EPSG:4326").to_crs(layer.crs)
    return layer.set_geometry(series) if isinstance(layer, gpd.GeoDataFrame) else series


# --- conversion ------------------------------------------------------------------------------------------------------


def off(a: tuple[np.ndarray, np.ndarray], lon: pd.Series, lat: pd.Series) -> float:
    return float(max(np.abs(a[0] - lon).max(), np.abs(a[1] - lat).max()))


@needs_cities
def test_twenty_cities() -> None:
    c = pd.read_csv(CITIES)
    assert len(c) == 20
    wgs, gcj, bd = ((c[f"{d}_lon"], c[f"{d}_lat"]) for d in ("wgs84", "gcj02", "bd09"))
    assert off(from_wgs84(*wgs, "GCJ-02"), *gcj) <= 1e-5
    assert off(from_wgs84(*wgs, "BD-09"), *bd) <= 1e-5
    assert off(to_wgs84(*gcj, "GCJ-02"), *wgs) <= 1e-5
    assert off(to_wgs84(*bd, "BD-09"), *wgs) <= 1e-5
    assert off(from_wgs84(*to_wgs84(*gcj, "GCJ-02"), "BD-09"), *bd) <= 1e-6
    for datum in ("GCJ-02", "BD-09"):
        assert off(to_wgs84(*from_wgs84(*wgs, datum), datum), *wgs) <= 1e-9


@settings(max_examples=trials(200), deadline=None, derandomize=True)
@given(lon=st.floats(73.5, 136.0), lat=st.floats(2.0, 55.0), datum=st.sampled_from(DATUMS))
def test_there_and_back(lon: float, lat: float, datum: str) -> None:
    x, y = from_wgs84(lon, lat, datum)
    back = to_wgs84(x, y, datum)
    assert back[0] == pytest.approx(lon, abs=1e-9)
    assert back[1] == pytest.approx(lat, abs=1e-9)
    again = from_wgs84(*to_wgs84(lon, lat, datum), datum)
    assert again[0] == pytest.approx(lon, abs=1e-9)
    assert again[1] == pytest.approx(lat, abs=1e-9)


def test_the_shift_is_known() -> None:
    """About 530 m east and 86 m north at 117.63 E, 39.03 N; 1.3 km for BD-09."""
    x, y = from_wgs84(117.63, 39.03, "gcj02")
    east, north = (x - 117.63) * 111_320 * np.cos(np.radians(39.03)), (y - 39.03) * 111_000
    assert east == pytest.approx(530, abs=3)
    assert north == pytest.approx(86, abs=3)


def test_shapes_missing_values_and_abroad() -> None:
    lon, lat = np.array([[117.0, np.nan], [2.35, -70.0]]), np.array([[39.0, 39.0], [48.85, -33.0]])
    x, y = from_wgs84(lon, lat, "BD-09")
    assert x.shape == (2, 2)
    assert np.isnan(x[0, 1])
    assert (x[1] == lon[1]).all()
    assert (y[1] == lat[1]).all()
    assert x[0, 0] != lon[0, 0]
    back = to_wgs84(x, y, "BD-09")
    assert back[0][0, 0] == pytest.approx(117.0, abs=1e-9)
    assert (back[0][1] == lon[1]).all()
    assert to_wgs84([], [], "GCJ-02")[0].shape == (0,)


@pytest.mark.parametrize(
    ("name", "datum"),
    [("gcj02", "GCJ-02"), ("GCJ-02", "GCJ-02"), ("BD09", "BD-09"), ("CGCS2000", "WGS84"), ("wgs 84", "WGS84")],
)
def test_names(name: str, datum: str) -> None:
    assert datum_name(name) == datum


def test_messages() -> None:
    with pytest.raises(UnknownNameError, match="GCJ-02"):
        datum_name("GCJ-20")
    with pytest.raises(SourceError, match="写反"):
        from_wgs84(39.0, 117.0, "GCJ-02")
    with pytest.raises(SourceError, match="以米为单位"):
        to_wgs84(554_000.0, 4_323_000.0, "GCJ-02")
    assert issubclass(SourceError, (XinheError, ValueError))


# --- the verdict -----------------------------------------------------------------------------------------------------


def grid(step: float, size: float = 6_000.0, wobble: float = 0.0) -> gpd.GeoSeries:
    """Streets about every `step` metres both ways; `wobble` makes the blocks uneven."""
    rng = np.random.default_rng(3)
    at = np.arange(0, size + 1, step)
    xs, ys = (at + rng.uniform(-wobble, wobble, len(at)) for _ in range(2))
    lines = [[(X0 + x, Y0 + a), (X0 + x, Y0 + b)] for x in xs for a, b in pairwise(np.sort(ys))]
    lines += [[(X0 + a, Y0 + y), (X0 + b, Y0 + y)] for y in ys for a, b in pairwise(np.sort(xs))]
    return gpd.GeoSeries(shapely.linestrings(lines), crs=METRIC)


def along(streets: gpd.GeoSeries, n: int, off_m: float, rng: np.random.Generator) -> gpd.GeoSeries:
    """`n` points beside streets, up to `off_m` metres from them."""
    lines = np.asarray(streets.array)[rng.integers(0, len(streets), n)]
    points = shapely.line_interpolate_point(lines, rng.uniform(0, 1, n), normalized=True)
    xy = shapely.get_coordinates(points) + rng.uniform(-off_m, off_m, (n, 2)) / np.sqrt(2)
    return gpd.GeoSeries(shapely.points(xy), crs=streets.crs)


@pytest.mark.parametrize("datum", DATUMS)
@pytest.mark.parametrize("crs", ["EPSG:4326", METRIC])
def test_the_datum_is_found(datum: str, crs: str) -> None:
    streets = grid(400, wobble=120)
    honest = along(streets, 60, 15, np.random.default_rng(1))
    found = diagnose(convert(honest, "WGS84", datum).to_crs(crs), streets)
    assert found.index[found["winner"]].tolist() == [datum]
    assert found["median_m"][datum] < 15
    assert found["median_m"].drop(datum).min() > 40
    assert datum in found["text"].iloc[0]
    assert list(found.index) == list(DATUMS)
    assert found["margin_m"][datum] > 20
    assert found["score"].idxmax() == datum


def test_polygons_and_several_layers_are_references() -> None:
    streets = grid(800, wobble=200)
    rng = np.random.default_rng(8)
    houses = gpd.GeoSeries(
        [shapely.box(X0 + x, Y0 + y, X0 + x + 40, Y0 + y + 30) for x, y in rng.uniform(0, 6_000, (150, 2))], crs=METRIC
    )
    moved = convert(gpd.GeoDataFrame(geometry=houses), "WGS84", "GCJ-02")
    found = diagnose(moved, [streets, houses.to_crs("EPSG:4326")])
    assert found["median_m"]["GCJ-02"] == pytest.approx(0, abs=1e-6)
    assert found["winner"]["GCJ-02"]
    assert "537" in found["text"].iloc[0] or found["moved_m"]["GCJ-02"] == pytest.approx(537, abs=10)


@pytest.mark.slow
def test_no_verdict_where_nothing_can_be_told() -> None:
    streets = grid(400, wobble=120)
    rng = np.random.default_rng(2)
    few = convert(along(streets, 4, 5, rng), "WGS84", "GCJ-02")
    assert not diagnose(few, streets)["winner"].any()
    assert "4 个点" in diagnose(few, streets)["text"].iloc[0]
    anywhere = gpd.GeoSeries(shapely.points(rng.uniform(0, 6_000, (200, 2)) + np.array([X0, Y0])), crs=METRIC)
    assert not diagnose(anywhere, streets)["winner"].any()
    outline = gpd.GeoSeries([shapely.box(X0, Y0, X0 + 6_000, Y0 + 6_000)], crs=METRIC)
    assert not diagnose(anywhere, outline)["winner"].drop("WGS84").any()
    dense = grid(40)
    assert not diagnose(along(dense, 100, 5, rng), dense)["winner"].drop("WGS84").any()


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("off_m", "count"),
    [
        (15, 10),
        *(pytest.param(off, 250, marks=pytest.mark.slow) for off in (0, 15, 60)),
        *(pytest.param(off, 1000, marks=pytest.mark.matrix) for off in (0, 15, 60)),
    ],
)
def test_honest_points_are_never_accused(off_m: float, count: int) -> None:
    """Random subsets of five to thirty points along streets, regular, uneven and dense ones."""
    rng = np.random.default_rng(20)
    layers = [grid(100), grid(130, wobble=40), grid(300, wobble=100), grid(55, size=3_000, wobble=20)]
    for k in range(count):
        streets = layers[k % len(layers)]
        found = diagnose(along(streets, int(rng.integers(5, 31)), off_m, rng), streets)
        assert not found["winner"].drop("WGS84").any(), found.to_string()


@pytest.mark.slow
@pytest.mark.matrix
@pytest.mark.parametrize("part", A_PART_OR_ALL)
def test_honest_points_of_the_bundled_streets_are_never_accused(part: int) -> None:
    path = bundled_folder() / "network" / "streets.geojson"
    if not path.is_file():
        pytest.skip("the bundled streets are not here")
    streets = gpd.read_file(path).geometry
    metric = streets.to_crs(streets.estimate_utm_crs())
    rng = np.random.default_rng(4)
    for _ in range(1000 // part):
        found = diagnose(along(metric, int(rng.integers(5, 21)), 25, rng), metric)
        assert not found["winner"].drop("WGS84").any(), found.to_string()


@pytest.mark.slow
def test_bundled_streets_tell_gcj02_from_wgs84() -> None:
    path = bundled_folder() / "network" / "streets.geojson"
    if not path.is_file():
        pytest.skip("the bundled streets are not here")
    streets = gpd.read_file(path).geometry
    rng = np.random.default_rng(6)
    metric = streets.to_crs(streets.estimate_utm_crs())
    for datum in ("GCJ-02", "BD-09"):
        moved = convert(along(metric, 150, 10, rng), "WGS84", datum)
        found = diagnose(moved, metric)
        assert found.index[found["winner"]].tolist() == [datum]


def test_what_cannot_be_measured_is_said() -> None:
    streets = grid(400)
    spot = gpd.GeoSeries([shapely.Point(X0, Y0)], crs=METRIC)
    with pytest.raises(SourceError, match="坐标系"):
        diagnose(gpd.GeoSeries([shapely.Point(117, 39)]), streets)
    with pytest.raises(SourceError, match="没有要素"):
        diagnose(spot[:0], streets)
    with pytest.raises(SourceError, match="参照"):
        diagnose(spot, streets[:0])
    with pytest.raises(SourceError, match="参照"):
        diagnose(spot, [])


# --- names -----------------------------------------------------------------------------------------------------------


def bundled() -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]:
    district = District.load()
    facilities = district.rows["facilities"]
    spots = facilities.set_geometry(facilities.geometry.representative_point())
    return spots, known_by_name(district.rows, district.crs)


@pytest.mark.slow
def test_names_tell_what_streets_cannot() -> None:
    spots, known = bundled()
    for datum in DATUMS:
        some = spots.iloc[:60]
        found = diagnose_names(convert(some.geometry, "WGS84", datum), some["name"], known)
        assert found.index[found["winner"]].tolist() in ([datum], [] if datum == "WGS84" else [datum])
    nobody = diagnose_names(spots.geometry.iloc[:5], [None] * 5, known)
    assert not nobody["winner"].any()


@pytest.mark.slow
@pytest.mark.parametrize("part", A_PART_OR_ALL)
def test_honest_names_are_never_accused(part: int) -> None:
    """Random subsets of five or more facilities, with their own names and with somebody else's: not even a suspicion."""
    spots, known = bundled()
    rng = np.random.default_rng(11)
    for k in range(400 // part):
        some = spots.iloc[rng.choice(len(spots), int(rng.integers(5, 25)), replace=False)]
        names = some["name"] if k % 2 else rng.permutation(some["name"].to_numpy())
        found = diagnose_names(some.geometry, names, known)
        assert not found[["leans", "winner"]].drop("WGS84").any(axis=None), found.to_string()


# --- how places lie --------------------------------------------------------------------------------------------------


def lying() -> tuple[gpd.GeoSeries, gpd.GeoSeries, gpd.GeoSeries]:
    rows = District.load().rows
    spots = gpd.GeoSeries(rows["facilities"].geometry.representative_point())
    return spots, rows["streets"].geometry, rows["homes"].geometry


@pytest.mark.slow
def test_twelve_places_tell_a_datum_by_how_their_like_lie() -> None:
    spots, streets, homes = lying()
    peers, some = spots.iloc[::2], spots.iloc[1::50].head(12)
    for datum in DATUMS:
        found = diagnose_likeness(convert(some, "WGS84", datum), peers, streets, homes)
        assert found.index[found["winner"]].tolist() == [datum], found.to_string()
        assert found.loc[datum, "supported"] and f"最像 {datum}" in found["text"].iloc[0]
    alone = diagnose_likeness(convert(some, "WGS84", "GCJ-02"), peers, streets)
    assert alone["lead"].max() < found["lead"].max(), "streets alone know less"


@pytest.mark.slow
def test_few_places_or_few_peers_or_peers_in_a_wrong_datum_say_nothing() -> None:
    spots, streets, homes = lying()
    gcj = convert(spots, "WGS84", "GCJ-02")
    assert not diagnose_likeness(gcj.iloc[:4], spots.iloc[::2], streets, homes)["winner"].any()
    few = diagnose_likeness(gcj.iloc[:40], spots.iloc[:29], streets, homes)
    assert not few["winner"].any() and "29 个" in few["text"].iloc[0]
    astray = diagnose_likeness(spots.iloc[1:40:2], gcj.iloc[::2], streets, homes)
    assert not astray["winner"].drop("WGS84").any() and not astray["supported"].drop("WGS84").any()


def test_likeness_is_the_ratio_of_counted_shares() -> None:
    """Thirty peers within 5 m of the only street: honest ones fall in the classes up to 45 m, and no further."""
    street = gpd.GeoSeries([shapely.LineString([(X0 - 9_000, Y0), (X0 + 9_000, Y0)])], crs=METRIC)
    peers = gpd.GeoSeries([shapely.Point(X0 + 10 * i, Y0 + 1) for i in range(30)], crs=METRIC)
    like = _Places(street, None).likeness(_lonlat_points(peers))
    assert like.shape == (8,) and (like[[0, 2, 3]] > 0).all() and (like[5:] < 0).all()
    assert like.min() >= np.log(ANYWHERE), "no point weighs more than this against"


@pytest.mark.slow
@pytest.mark.matrix
@pytest.mark.parametrize("part", A_PART_OR_ALL)
def test_honest_lists_are_never_taken_for_another_datum_by_how_they_lie(part: int) -> None:
    """Two thousand random lists, of all kinds and of one, up to 40 m off, and lists that have nothing to do with the map."""
    spots, streets, homes = lying()
    rng = np.random.default_rng(17)
    kinds = District.load().rows["facilities"]["kind"].to_numpy()
    places = _Places(streets, homes)
    like = places.likeness(_lonlat_points(spots, PEERS_AT_MOST))

    def evidence(xy: np.ndarray) -> np.ndarray:
        lonlat = shapely.get_coordinates(gpd.GeoSeries(shapely.points(xy), crs=spots.crs).to_crs(4326).array)
        here, moves = places.moves(lonlat)
        return np.stack([like[places.classes(here + move)[0]] for move in moves])

    xy = shapely.get_coordinates(spots.array)
    pools = [evidence(xy + rng.normal(0, off_m / np.sqrt(2), xy.shape)) for off_m in (0, 10, 20, 40)]
    pools.append(evidence(rng.uniform(spots.total_bounds[:2], spots.total_bounds[2:], xy.shape)))
    for k in range(2000 // part):
        of_kind = np.flatnonzero(kinds == rng.choice(kinds)) if k % 2 else np.arange(len(spots))
        chosen = rng.choice(of_kind, min(int(rng.integers(5, 41)), len(of_kind)), replace=False)
        _, supported, winner = _by_odds(pools[k % 5][:, chosen].sum(axis=1), len(chosen))
        assert not winner[1:].any(), (k, len(chosen))
        assert not supported[1:].any() or k % 5 == 4, "nor does anything but noise support another"


# --- local grids -----------------------------------------------------------------------------------------------------


def turned(xy: np.ndarray, degrees: float, scale: float = 1.0) -> np.ndarray:
    a = np.radians(degrees)
    return scale * xy @ np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]]) + [5000.0, -300.0]


@settings(max_examples=trials(50), deadline=None, derandomize=True)
@given(degrees=st.floats(-180, 180), seed=st.integers(0, 99), n=st.integers(3, 8))
def test_a_local_grid_is_found(degrees: float, seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
    known = np.column_stack([np.cos(angle), np.sin(angle)]) * 400 + rng.uniform(-50, 50, (n, 2)) + [X0, Y0]
    local = turned(known - [X0, Y0], degrees)
    for given_order in (local, local[:, ::-1]):
        matrix, table = tie(given_order, known)
        assert np.abs(np.column_stack([given_order, np.ones(n)]) @ matrix - known).max() < 1e-6
        assert table["residual_m"].max() < 1e-6
        assert table["scale"].iloc[0] == pytest.approx(1)
    assert table["swapped"].all()


def test_control_points_that_cannot_be_right() -> None:
    known = np.array([[0.0, 0], [400, 0], [400, 300], [0, 300]]) + np.array([X0, Y0])
    local = turned(known - [X0, Y0], 20)
    noisy = local + np.array([[0.05, 0], [0, -0.05], [-0.05, 0], [0, 0.05]])
    _, table = tie(noisy, known)
    assert 0.01 < table["residual_m"].max() < 0.1
    assert tie(noisy, known, affine=True)[1]["residual_m"].max() < 0.1
    local[2] += 3.0
    with pytest.raises(SourceError, match="最大的是 丙") as caught:
        tie(local, known, names="甲乙丙丁")
    assert list(caught.value.residuals.index) == list("甲乙丙丁")
    with pytest.raises(SourceError, match="不是 1"):
        tie(turned(known - [X0, Y0], 20, 1.5), known)
    with pytest.raises(SourceError, match="一条线"):
        tie(local[:3], np.array([[0.0, 0], [1, 1], [2, 2.0001]]) * 100)
    with pytest.raises(SourceError, match="至少要 4 个"):
        tie(local[:3], known[:3], affine=True)
    with pytest.raises(SourceError, match="不是数"):
        tie(local * np.nan, known)
