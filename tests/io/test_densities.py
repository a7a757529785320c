"""How densely a map was drawn only warns; two lists made apart say how many there are, with ends that hold as often as they say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinhe_geo.core import speaking
from xinhe_geo.io.densities import (
    EXPECTED_AT_LEAST,
    FILTERED,
    THIN,
    Drawn,
    expected,
    in_all,
    reference_densities,
    tell_densities,
)
from xinhe_geo.io.import_log import ImportLog

PLACES = reference_densities()
LABELS = {str(kind): str(kind) for kind in PLACES.index.unique("kind")}


def place(name: str, size: float = 1.0, kept: float = 1.0) -> Drawn:
    """Return a well-mapped place of another size, of whose facilities a share was drawn."""
    own = PLACES.xs(name, level="place")
    counts = np.floor(own["count"] * size * kept)
    return Drawn(counts, float(own["street_km"].iloc[0]) * size, int(own["buildings"].iloc[0] * size))


def told(drawn: Drawn) -> list[tuple[str, str]]:
    log = ImportLog()
    tell_densities(drawn, LABELS, log)
    return [(row[1], row[5]) for row in log.rows]


def test_the_table_has_a_row_for_each_kind_of_each_place_and_says_of_when() -> None:
    assert not PLACES.index.has_duplicates and PLACES.index.unique("place").size >= 2
    assert (
        pd.to_datetime(PLACES["date"], format="%Y-%m-%d").notna().all() and PLACES["source"].str.contains("ODbL").all()
    )
    alike = PLACES.groupby(level="place")[["street_km", "buildings", "date"]].nunique()
    assert (alike == 1).all(axis=None), "a place has one size and one day"


@given(st.sampled_from(sorted(PLACES.index.unique("place"))), st.integers(1, 50))
def test_a_place_as_dense_as_these_is_not_told_of(name: str, size: int) -> None:
    assert told(place(name, size)) == []


@pytest.mark.slow
@pytest.mark.matrix
@given(st.sampled_from(sorted(PLACES.index.unique("place"))), st.integers(5, 50))
def test_a_map_of_streets_is_known_as_one_whatever_few_things_it_holds(name: str, size: int) -> None:
    drawn = place(name, size, kept=0.02)
    for buildings in (0, 3):
        ((what, _),) = told(drawn._replace(buildings=buildings))
        assert what == "像是筛过的提取"
    busy = drawn.kinds.copy()
    busy.iloc[0] = 10_000  # of one kind everything was kept: stops of a map for transit
    ((what, _),) = told(drawn._replace(kinds=busy, buildings=0))
    assert what == "像是筛过的提取"


@pytest.mark.slow
@pytest.mark.matrix
@given(st.data())
def test_a_kind_is_named_exactly_where_it_is_a_third_of_the_least(data: st.DataObject) -> None:
    drawn = place(data.draw(st.sampled_from(sorted(PLACES.index.unique("place")))), 10)
    table = expected(drawn)
    kind = data.draw(st.sampled_from(sorted(table.index)))
    least = float(table.loc[kind].min())
    fewer = drawn.kinds.copy()
    fewer[kind] = float(data.draw(st.integers(0, int(2 * least) + 1)))
    found = told(drawn._replace(kinds=fewer))
    assert bool(found) == (fewer[kind] < THIN * least and least >= EXPECTED_AT_LEAST)
    assert all(what == "画得比参照地稀的" and kind in named for what, named in found)


def test_few_streets_say_nothing_and_buildings_drawn_by_chance_measure_nothing() -> None:
    assert told(Drawn(pd.Series(dtype="float64"), 0.5, 0)) == []
    assert {measure for _, measure in expected(Drawn(pd.Series(dtype="float64"), 700.0, 3)).columns} == {"street_km"}
    assert FILTERED < THIN
    with speaking("en"):
        log = ImportLog()
        tell_densities(place("Legazpi", 10, kept=0.0), LABELS, log)
        assert log.rows and not any("\u3400" <= char <= "\u9fff" for cell in log.rows[0] for char in str(cell))


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize(("n", "share"), [(10, 0.8), (10, 0.5), (40, 0.5), (40, 0.3)])
def test_the_ends_hold_as_often_as_they_say(n: int, share: float) -> None:
    rng = np.random.default_rng(n)
    hits, asked = 0, 0
    for _ in range(200):
        first, second = rng.random((2, n)) < share
        both = int((first & second).sum())
        if both:
            total, low, high = in_all(int(first.sum()), int(second.sum()), both)
            assert first.sum() + second.sum() - both <= low <= high and low <= total * (1 + 1e-9)
            hits, asked = hits + (low <= n <= high), asked + 1
    assert hits / asked >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / asked)


@pytest.mark.slow
@pytest.mark.matrix
@given(st.integers(1, 40), st.integers(1, 40), st.data())
def test_what_both_lists_have_says_how_many_there_are(first: int, second: int, data: st.DataObject) -> None:
    both = data.draw(st.integers(1, min(first, second)))
    total, low, high = in_all(first, second, both)
    assert low >= first + second - both and low - 1 <= total <= high
    if both < min(first, second):
        assert in_all(first, second, both + 1)[2] <= high, "more in common, fewer in all"
    for wrong in (0, min(first, second) + 1):
        with pytest.raises(ValueError, match="估不出"):
            in_all(first, second, wrong)


def test_no_place_or_kind_stands_in_the_code() -> None:
    code = (Path(__file__).parents[2] / "xinhe_geo/io/densities.py").read_text("utf-8")
    assert not [name for name in (*PLACES.index.unique("place"), *LABELS) if f'"{name}"' in code]
