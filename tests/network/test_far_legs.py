"""Legs that surely cross something near are left out before they are asked one by one: the street that is found is the same."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from xinhe_geo import WalkNetwork
from xinhe_geo.network import nearest_edges


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.booleans())
def test_the_nearest_clear_street_is_the_same(seed: int, whole: bool) -> None:
    """Points and walls anywhere, or on whole metres, where legs run through corners, along walls and end on them."""
    rng = np.random.default_rng(seed)

    def some(n: int) -> np.ndarray:
        xy = rng.uniform(0, 12, (n, 2))
        return np.round(xy) if whole else xy

    streets = [shapely.LineString(xy) for xy in some(24).reshape(12, 2, 2) if (xy[0] != xy[1]).any()]
    walls = [shapely.LineString(xy) for xy in some(24).reshape(6, 4, 2) if (xy[1:] != xy[:-1]).any(axis=1).all()]
    lines = gpd.GeoDataFrame(geometry=streets, crs=3857)
    net, points = WalkNetwork.from_streets(lines), gpd.GeoSeries(shapely.points(some(8)), crs=3857)
    found = []
    with pytest.MonkeyPatch.context() as patch:
        for many in (0, 10**9):
            patch.setattr(nearest_edges, "MANY", many)
            found.append(net.attach(points, barriers=np.array(walls, dtype=object)))
    pd.testing.assert_frame_equal(*found)
