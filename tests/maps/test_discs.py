"""Homes known as points are seen on a map of all of them, whether a street or a city."""

from __future__ import annotations

import re
from types import SimpleNamespace

import geopandas as gpd
import numpy as np
import pytest
import shapely

from xinhe_geo.maps import svg
from xinhe_geo.maps.basemap import DISC_M, disc_radius


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


@pytest.mark.parametrize("width", [90, 164, 348, 820, 1160])
def test_a_scale_bar_and_its_words_lie_within_a_picture_however_small(width: int) -> None:
    """The last number stands over the end of the bar: half of it, "500 m" in 11 units, lies beyond."""
    for metres in np.geomspace(50, 50_000, 60):
        view = SimpleNamespace(scale=width / metres, width=width, height=100)
        drawn = svg._picture_rule(view, "N")
        ends = [float(x) for x in re.findall(r'<text x="([\d.]+)" y="77', drawn)]
        assert len(ends) == 3 and max(ends) + 18 <= width + 4, (width, metres)
