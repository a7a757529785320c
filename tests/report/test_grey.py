"""Who prints without colours, or sits far from the projector, still tells neighbours of a chart apart."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pptx
import pytest
from pptx.chart.chart import Chart

from xinhe_geo.district.district import District
from xinhe_geo.report.leader_book import AFTER, BEFORE
from xinhe_geo.report.paper.slides import PARTS, SIDES, slides

TOY = Path(__file__).parents[1] / "toy"
#: Two greys beside each other differ as much in contrast, as much as a shape must from its ground; words on one as they must.
APART, READ = 3.0, 4.5


def light(colour: str) -> float:
    """Return the relative luminance of a colour written as six digits."""
    parts = [int(colour.lstrip("#")[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    red, green, blue = (v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((light(one), light(other)))
    return (high + 0.05) / (low + 0.05)


def charts(path: Path) -> Iterator[Chart]:
    for slide in pptx.Presentation(str(path)).slides:
        for shape in slide.shapes:
            framed: Any = shape
            if shape.has_chart:
                yield framed.chart


def test_neighbours_differ_in_lightness() -> None:
    for row in (SIDES, PARTS, (BEFORE, AFTER)):
        assert [pair for pair in pairwise(row) if contrast(*pair) < APART] == []


@pytest.mark.slow
@pytest.mark.matrix
def test_each_chart_of_a_presentation_is_read_in_grey(tmp_path: Path) -> None:
    """As it is written: neighbours apart, and a number on a part in a colour that stands out from it."""
    slides(District.load(TOY), tmp_path / "a.pptx")
    found = [list(chart.plots[0].series) for chart in charts(tmp_path / "a.pptx")]
    assert found
    for series in found:
        fills = [str(own.format.fill.fore_color.rgb) for own in series]
        assert [pair for pair in pairwise(fills) if contrast(*pair) < APART] == []
        for own, fill in zip(series, fills, strict=True):
            labels = own._element.find(".//{*}dLbls")
            if labels is not None and labels.find(".//{*}srgbClr") is not None:
                assert contrast(fill, labels.find(".//{*}srgbClr").get("val")) >= READ
