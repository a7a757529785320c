"""A long barrier is held against legs piece by piece, and stops exactly those that cross it as a whole."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from xinhe_geo.network.nearest_edges import PIECE, barrier_tree, crossing


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_pieces_stop_whom_the_whole_line_stops(seed: int, closed: bool) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2 * PIECE + 2, 12 * PIECE))
    # whole numbers, so that legs through a corner go through it exactly
    xy = np.cumsum(rng.integers(1, 4, (n, 2)) * rng.choice([1, 1, 1, -1], (n, 2)), axis=0).astype(float) * 2
    if closed:
        turn = np.linspace(0, 2 * np.pi, n, endpoint=False)
        xy = np.round(500 * np.column_stack([np.cos(turn), np.sin(turn)])) * 2
        xy = np.vstack([xy, xy[:1]])
    line = shapely.LineString(xy)
    corner = xy[rng.integers(0, len(xy), 200)]
    step = np.array([3.0, -5.0])
    across = np.stack([corner - step, corner + step])  # through corners
    ending = np.stack([corner - (4, 1), corner])  # ending on them
    far = rng.uniform(xy.min(0) - 9, xy.max(0) + 9, (2, 400, 2))
    ends = np.stack([xy[[0, -1]] - step, xy[[0, -1]] + step])
    start, stop = (np.concatenate([across[k], ending[k], far[k], ends[k]]) for k in (0, 1))
    tree = barrier_tree([line, shapely.LineString([(0, 0), (1, 0)])], None)  # type: ignore[arg-type]
    assert tree is not None and len(tree.geometries) > 3
    legs = shapely.linestrings(np.stack([start, stop], axis=1))
    # a leg that also runs along the barrier for a while does cross it, though the whole line says no
    along = shapely.length(shapely.intersection(legs, line)) > 0
    alone = shapely.STRtree([line, shapely.LineString([(0, 0), (1, 0)])])
    whole = np.isin(np.arange(len(legs)), alone.query(legs, predicate="crosses")[0])
    assert whole.any() and not whole.all()
    assert np.array_equal(crossing(start, stop, tree)[~along], whole[~along])
