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


@pytest.mark.slow
@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.booleans(), st.integers(0, 2))
def test_the_nearest_clear_street_is_the_same(seed: int, whole: bool, rings: int) -> None:
    """
    Points and walls anywhere, or on whole metres, where legs run through corners, along walls and end on them.

    Rings of walls, some with a gap: within a whole one nothing further out is asked.
    """
    rng = np.random.default_rng(seed)

    def some(n: int) -> np.ndarray:
        xy = rng.uniform(0, 12, (n, 2))
        return np.round(xy) if whole else xy

    streets = [shapely.LineString(xy) for xy in some(24).reshape(12, 2, 2) if (xy[0] != xy[1]).any()]
    walls = [shapely.LineString(xy) for xy in some(24).reshape(6, 4, 2) if (xy[1:] != xy[:-1]).any(axis=1).all()]
    for _ in range(rings):
        corners = np.exp(1j * np.sort(rng.uniform(0, 2 * np.pi, 9))) * rng.uniform(1, 5) + complex(
            *rng.uniform(3, 9, 2)
        )
        ring = np.column_stack([corners.real, corners.imag])[: 9 - int(rng.integers(0, 2))]
        ring = np.concatenate([np.round(ring) if whole else ring, ring[:1] if len(ring) == 9 else ring[-1:] + 0.5])
        walls += [shapely.LineString(own) for own in np.split(ring, [5]) if len(np.unique(own, axis=0)) > 1]
        walls += [shapely.LineString(ring[4:6])] if (ring[4] != ring[5]).any() else []
    lines = gpd.GeoDataFrame(geometry=streets, crs=3857)
    net, points = WalkNetwork.from_streets(lines), gpd.GeoSeries(shapely.points(some(8)), crs=3857)
    found = []
    with pytest.MonkeyPatch.context() as patch:
        for many in (0, 10**9):
            patch.setattr(nearest_edges, "MANY", many)
            found.append(net.attach(points, barriers=np.array(walls, dtype=object)))
    pd.testing.assert_frame_equal(*found)


@pytest.mark.parametrize("gap", [-0.1, 0.0, 0.02])
def test_walls_all_around_are_seen_and_so_is_a_gap(gap: float) -> None:
    """Two banks of a river that bends, and a ring in two pieces: shut in where these overlap, and not where they only meet or have a gap."""
    bends = np.linspace(-30.0, 30.0, 61)
    banks = [shapely.LineString(np.column_stack([bends, 4.0 * np.sin(bends / 3.0) + side])) for side in (-1.0, 1.0)]
    turn = np.linspace(gap, 2.0 * np.pi, 40)
    ring = [shapely.LineString(np.column_stack([np.cos(own), np.sin(own)]) * 3.0) for own in (turn[:22], turn[20:])]
    for walls, shut in ((banks, True), (ring, gap < 0), (banks[:1], False)):
        tree = nearest_edges.barrier_tree(np.array(walls, dtype=object), None)  # type: ignore[arg-type]
        assert tree is not None and nearest_edges._shut_in(np.array([0.3, 0.2]), tree, 100.0) == shut
