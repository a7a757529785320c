"""Homes known as points are seen on a map of all of them, whether a street or a city."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

import xinhe_geo as xh
from xinhe_geo import maps
from xinhe_geo.maps import svg
from xinhe_geo.maps.basemap import DISC_M, disc_radius, labels_of
from xinhe_geo.maps.presets import openings_scene
from xinhe_geo.maps.room import Room


@pytest.mark.parametrize("side", [800.0, 20_000.0, 60_000.0])
@pytest.mark.parametrize("homes", [2, 40, 4_000])
def test_discs_are_seen_and_do_not_cover_each_other(side: float, homes: int) -> None:
    rng = np.random.default_rng(homes)
    spots = gpd.GeoSeries(shapely.points(rng.uniform(0, side, (homes, 2))))
    radius = disc_radius(spots)
    near = spots.sindex.nearest(spots, exclusive=True, return_all=False, return_distance=True)[1]
    assert radius >= DISC_M
    assert radius == DISC_M or 2 * radius <= np.median(near) + 1e-9
    wide = max(np.ptp(spots.x), np.ptp(spots.y))
    if homes <= 40 and side > 10_000 and np.median(near) > wide / 100:
        assert 900 * radius / wide >= 3 - 1e-9, "three points across nine hundred"


def test_one_home_and_areas_are_drawn_as_before() -> None:
    assert disc_radius(gpd.GeoSeries([shapely.Point(0, 0)])) == DISC_M
    assert disc_radius(gpd.GeoSeries([shapely.box(0, 0, 9e4, 9e4), shapely.Point(5, 5)])) == DISC_M
    assert disc_radius(gpd.GeoSeries([shapely.Point(5, 5)] * 3)) == DISC_M  # on one spot nobody has a neighbour


def test_a_name_leaves_the_disc_of_its_home_free() -> None:
    """What one looks for is the colour of the disc; a compound that is drawn has its name within."""
    toy = xh.District.load(Path(__file__).parents[1] / "toy")
    homes = toy.layers["homes"]
    some = homes.index[: len(homes) // 2]
    spots = homes.geometry.where(~homes.index.isin(some), homes.geometry.centroid)
    district = toy.replace(homes=homes.set_geometry(spots))
    labels = {label.text: label.geometry for label in labels_of(district, "zh") if label.kind == "home"}
    away = pd.Series({home: labels[homes.loc[home, "name"]].distance(spots[home]) for home in homes.index})
    is_point = shapely.get_dimensions(spots) == 0
    assert 0 < is_point.sum() < len(homes)
    assert (away[is_point] > disc_radius(spots)).all() and (away[~is_point] == 0).all()


@pytest.mark.parametrize("width", [90, 164, 348, 820, 1160])
def test_a_scale_bar_and_its_words_lie_within_a_picture_however_small(width: int) -> None:
    """The last number stands over the end of the bar: half of it, "500 m" in 11 units, lies beyond."""
    for metres in np.geomspace(50, 50_000, 60):
        view = SimpleNamespace(scale=width / metres, width=width, height=100)
        drawn = svg._picture_rule(view, "N")
        ends = [float(x) for x in re.findall(r'<text x="([\d.]+)" y="77', drawn)]
        assert len(ends) == 3 and max(ends) + 18 <= width + 4, (width, metres)


@pytest.mark.parametrize("spread", [0.0, 5.0, 40.0, 150.0])
@pytest.mark.parametrize("seed", range(8))
def test_symbols_that_must_be_seen_hide_neither_each_other_nor_their_places(seed: int, spread: float) -> None:
    """Ten of one spot, too: each has room of its own, and a line leads to its place."""
    rng, r = np.random.default_rng(seed), 13.0
    room = Room((0.0, 0.0, 600.0, 370.0), 0.1, "EPSG:4548", (500_000.0, 4_300_000.0, 506_000.0, 4_303_700.0))
    middle = rng.uniform((100, 90), (500, 280))
    places = [(float(x), float(y)) for x, y in middle + rng.uniform(-spread, spread, (10, 2))]
    discs = np.empty((0, 2))
    for x, y in places:
        bx, by = room.beside(x, y, r, places)
        assert not len(discs) or np.abs(discs - (bx, by)).max(axis=1).min() >= 2 * r - 1e-9
        assert all(max(abs(a - bx), abs(b - by)) > r or (a, b) == (x, y) for a, b in places)
        discs = np.vstack([discs, (bx, by)])


def test_ten_openings_of_one_corner_are_all_read_on_the_map() -> None:
    district = xh.District.load(Path(__file__).parents[1] / "toy")
    rule = district.rule("plan_clinic_15")
    x, y = np.mean(district.layers["homes"].total_bounds.reshape(2, 2), axis=0)
    names = [f"L{n:02}" for n in range(1, 11)]
    openings = gpd.GeoSeries(
        [shapely.Point(x + 3 * n, y) if n % 2 else shapely.LineString([(x, y), (x + 9 * n, y + 9)]) for n in range(10)],
        index=names,
        crs=district.crs,
    )
    drawn = maps.figure_of(openings_scene(district, rule, xh.coverage(district, rules=[rule]), openings))
    rims = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)" r="13.0" fill="#fff"/>', drawn)
    discs = np.array(rims, dtype=float)
    assert len(discs) == 10 and all(drawn.count(f">{name}<") >= 1 for name in names)
    apart = np.hypot(*(discs[:, None] - discs[None]).transpose(2, 0, 1))[np.triu_indices(10, 1)]
    assert apart.min() >= 2 * 13.0 - 0.2


@pytest.mark.parametrize("seed", range(8))
def test_the_way_to_a_symbol_lies_under_none(seed: int) -> None:
    """Ten about a crossroads: wherever they stand in the end, next to no line is hidden in part."""
    rng, r = np.random.default_rng(seed), 13.0
    room = Room((0.0, 0.0, 600.0, 370.0), 0.1, "EPSG:4548", (500_000.0, 4_300_000.0, 506_000.0, 4_303_700.0))
    places = [(float(x), float(y)) for x, y in rng.uniform((280, 165), (320, 205), (10, 2))]
    discs = np.array([room.beside(*place, r, places) for place in places])
    hidden = 0
    for number, (disc, place) in enumerate(zip(discs, places, strict=True)):
        way = np.linspace(disc, place, 60)
        others = np.delete(discs, number, axis=0)
        hidden += bool((np.hypot(*(way[:, None] - others[None]).transpose(2, 0, 1)) < r - 1).any())
    assert hidden <= 1
