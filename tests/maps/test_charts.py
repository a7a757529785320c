"""Charts and roles: what must be told apart differs in light, letters can be read on every fill, no label covers another."""

from __future__ import annotations

import math
import re
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinhe_geo.maps import charts
from xinhe_geo.maps.style import READABLE, contrast, house_style, ink_on, luminance, role

#: What two tones that must be told apart differ in at least, in light (they survive a photocopy).
APART = 1.8
HEX = st.integers(0, 0xFFFFFF).map(lambda n: f"#{n:06x}")


def test_a_problem_and_what_is_fine_differ_in_light() -> None:
    assert contrast(role("problem"), role("fine")) >= APART
    assert luminance(role("problem")) < luminance(role("fine"))  # dark is the problem


def test_the_ramp_of_problems_grows_darker_step_by_step() -> None:
    ramp = [role("fine"), *house_style()["roles"]["ramp"]]
    for light, dark in pairwise(ramp):
        assert luminance(light) > luminance(dark) and contrast(light, dark) >= APART, (light, dark)


@given(HEX)
def test_letters_can_be_read_on_any_fill(colour: str) -> None:
    assert contrast(ink_on(colour), colour) >= READABLE


@given(st.lists(st.floats(0, 200), min_size=1, max_size=8))
def test_names_at_the_ends_of_lines_never_cover_each_other(places: list[float]) -> None:
    moved = charts.apart(places, 15.0, 0.0, 200.0)
    assert all(b - a >= 15 - 1e-9 for a, b in pairwise(sorted(moved)))


@given(st.lists(st.one_of(st.floats(0, 1e6), st.just(float("nan"))), max_size=20))
def test_darker_is_never_less(values: list[float]) -> None:
    shades = charts.tones(values)
    assert all(
        (shade == -1) == math.isnan(value) and (shade == 0) == (value == 0)
        for shade, value in zip(shades, values, strict=True)
    )
    for (a, x), (b, y) in combinations(zip(values, shades, strict=True), 2):
        if a < b:
            assert x <= y


@pytest.mark.parametrize(
    "drawn",
    [
        charts.curves(
            "甲", [charts.Line("<a>", [0.0, 0.5]), charts.Line("b", [0.1, 0.5])], [0.0, 30.0], 15.0, "分钟", "演示"
        ),
        charts.slope("甲", ["现状", "<b>"], [0.2, 1.0], ["20%", "100%"], "演示"),
        charts.bars("甲", [charts.Bar("<c>", 0.5, "1/2"), charts.Bar("d", float("nan"), "?")], "演示"),
    ],
)
def test_a_chart_is_safe_marked_inside_and_large_enough_to_read(drawn: str) -> None:
    assert not re.search("<[abc]>", drawn) and ">演示<" in drawn and "<title>甲</title>" in drawn
    assert min(float(size) for size in re.findall(r'font-size="([\d.]+)"', drawn)) >= 9
