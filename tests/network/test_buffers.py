"""Ground along streets: the same as every street buffered for itself, whatever the strokes and the threads."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import shapely
from clock import trials
from hypothesis import given, settings
from hypothesis import strategies as st

from xinhe_geo.network import buffers as _frontage
from xinhe_geo.network.buffers import frontage, strokes


def _segments(lines: np.ndarray) -> list[tuple[float, ...]]:
    """Every segment of lines, in whichever direction, sorted."""
    found = []
    for line in lines:
        xy = shapely.get_coordinates(line)
        found += [tuple(np.ravel(sorted([tuple(a), tuple(b)]))) for a, b in itertools.pairwise(xy)]
    return sorted(found)


@st.composite
def streets(draw: st.DrawFn) -> np.ndarray:
    """Random streets between points of a grid, narrow or wide: crossings, parallels, loops, rings and islands."""
    spot, step = st.tuples(st.integers(0, 5), st.integers(0, 5)), draw(st.sampled_from([40.0, 700.0]))
    ways = draw(st.lists(st.lists(spot, min_size=2, max_size=4), min_size=1, max_size=40))
    lines = [[np.multiply(p, step) for i, p in enumerate(way) if i == 0 or way[i - 1] != p] for way in ways]
    return np.array([shapely.LineString(line) for line in lines if len(line) > 1], dtype=object)


@settings(max_examples=trials(60), deadline=None)
@given(streets())
def test_strokes_hold_every_segment_once(lines: np.ndarray) -> None:
    if not len(lines):
        return
    found = strokes(lines)
    assert _segments(found) == _segments(lines)
    assert len(found) <= len(lines)


@pytest.mark.slow
@settings(max_examples=trials(40), deadline=None)
@given(streets())
def test_the_same_ground_as_street_by_street(lines: np.ndarray) -> None:
    ground = frontage(lines, 25.0)
    assert shapely.is_valid(ground)
    if not len(lines):
        assert shapely.is_empty(ground)
        return
    one_by_one = shapely.union_all(shapely.buffer(lines, 25.0, quad_segs=16))
    assert shapely.area(shapely.symmetric_difference(ground, one_by_one)) < 0.03 * one_by_one.area
    assert shapely.covers(
        shapely.buffer(one_by_one, 0.5), ground
    )  # GEOS leaves out corners of less than 1 % of the width


@pytest.mark.parametrize("step", [60.0, 700.0])
def test_all_at_once_or_one_by_one_the_ground_is_the_same(step: float, monkeypatch: pytest.MonkeyPatch) -> None:
    spots = np.random.default_rng(5).integers(0, 6, (40, 2, 2)) * step
    lines = shapely.linestrings(spots[(spots[:, 0] != spots[:, 1]).any(axis=1)])
    grounds = []
    for sparse in (0.0, np.inf):
        monkeypatch.setattr(_frontage, "SPARSE", sparse)
        grounds.append(frontage(lines, 25.0))
    assert shapely.is_valid(grounds).all()
    assert shapely.area(shapely.symmetric_difference(*grounds)) < 1e-3 * shapely.area(grounds[0])


def test_a_stroke_goes_straight_on_through_a_crossing() -> None:
    cross = np.array([shapely.LineString([(0, 0), end]) for end in ((100, 3), (0, 100), (-100, 0), (5, -100))])
    assert sorted(line.length for line in strokes(cross)) == pytest.approx(
        sorted([cross[0].length + 100.0, cross[3].length + 100.0])
    )


def test_a_ring_is_closed() -> None:
    corners = [(0, 0), (100, 0), (100, 100), (0, 100)]
    ring = np.array([shapely.LineString([a, b]) for a, b in zip(corners, [*corners[1:], corners[0]], strict=True)])
    (found,) = strokes(ring)
    assert found.is_closed and found.length == 400.0


def test_threads_change_no_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    spots = np.random.default_rng(3).uniform(0.0, 900.0, (80, 2, 2))
    lines = shapely.linestrings(spots)
    assert len(lines) >= _frontage.HALVES_FROM
    shapes = []
    for threads in (1, 2):
        monkeypatch.setattr(_frontage, "thread_count", lambda threads=threads: threads)
        shapes.append(shapely.to_wkb(frontage(lines, 25.0)))
    assert shapes[0] == shapes[1]
