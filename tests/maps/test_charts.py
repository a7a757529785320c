"""Charts and roles: what must be told apart differs in light, letters can be read on every fill, no label covers another."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from itertools import combinations, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sight import difference

from xinhe_geo.core.html import web_file
from xinhe_geo.maps import charts
from xinhe_geo.maps.style import READABLE, contrast, house_style, ink_on, luminance, role
from xinhe_geo.report.pages.districts import COLOURS

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


def meeting_classes() -> dict[str, dict[str, str]]:
    """Return how the meeting map paints its homes, as its script says it."""
    block = re.search(r"const CLASSES = \{(.*?)\n  \};", web_file("maps/meeting-map.js"), re.DOTALL)
    assert block is not None
    rows = re.findall(r"(\w+): \{ (.*?) \}", block.group(1))
    return {name: dict(re.findall(r'(\w+): "([^"]*)"', row)) for name, row in rows}


def told_apart() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield sets of styles of which any two must be told apart, on one map."""
    look, live = house_style(), meeting_classes()
    cover = [{"fill": c} for c in (*look["cover"]["inside"], *look["cover"]["over"])]
    yield "minutes", [*cover, look["cover"]["unreachable"]]
    yield "change", [look["change"][name] for name in ("gain", "lose", "stays", "never")]
    yield "straight", [{"fill": c} for c in look["straight"].values()]
    yield "presence", [look["presence"][name] for name in ("yes", "no")]
    yield "values", [{"fill": c} for c in look["values"]]
    yield "heat", [{"fill": c} for c in (role("fine"), *look["roles"]["ramp"])]
    yield "districts", [*({"fill": c} for c in COLOURS), look["cover"]["unknown"]]
    yield "meeting", [live[name] for name in ("full", "part", "none", "gain", "lose")]
    yield "two tones", [{"fill": role("fine")}, {"fill": role("problem")}, look["cover"]["unknown"]]


@pytest.mark.parametrize(("name", "styles"), list(told_apart()), ids=[name for name, _ in told_apart()])
def test_what_must_be_told_apart_differs_in_light_or_texture_and_in_colour(
    name: str, styles: list[dict[str, Any]]
) -> None:
    """For a photocopy: light, or hatched against plain. For every eye: 20 apart, or hatched against plain."""
    for one, other in combinations(styles, 2):
        texture = ("hatch" in one) != ("hatch" in other)
        assert texture or contrast(one["fill"], other["fill"]) >= APART, (name, one, other)
        assert texture or difference(one["fill"], other["fill"], 3) >= 20, (name, one, other)


def test_dark_is_always_the_problem() -> None:
    look, live = house_style(), meeting_classes()
    ramps = {
        "minutes": [*look["cover"]["inside"], *look["cover"]["over"]],
        "values": look["values"],
        "districts": COLOURS[::-1],
        "change": [look["change"]["stays"]["fill"], look["change"]["never"]["fill"]],
        "straight": [look["straight"][name] for name in ("both", "straight", "neither")],
        "presence": [look["presence"][name]["fill"] for name in ("yes", "no")],
        "meeting": [live[name]["fill"] for name in ("full", "part", "none")],
    }
    for name, ramp in ramps.items():
        light = [luminance(colour) for colour in ramp]
        assert light == sorted(light, reverse=True), name


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
