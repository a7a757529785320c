"""Keys that differ in nothing that is read, and signs that nobody sees, are named."""

from __future__ import annotations

import geopandas as gpd
import pytest
import shapely

from xinhe_geo.core import LAYERS, check_rows


def found(*keys: str, name: str = "甲") -> list[tuple[str, str, str]]:
    frame = gpd.GeoDataFrame(
        {"home": list(keys), "name": name, "people": 1},
        geometry=[shapely.box(i, 0, i + 1, 1) for i in range(len(keys))],
        crs=4326,
    )
    problems = check_rows(LAYERS["homes"], frame, "homes.geojson")[1]
    return [(p.severity, p.row, p.problem) for p in problems if "看不见" in p.problem]


@pytest.mark.parametrize(
    "other", ["h1", "Ｈ1", "H１", "H\u200b1", "\ufeffH1", "H\u20601", "H 1".replace(" ", "\u3000")]
)
def test_a_key_like_another_to_the_eye(other: str) -> None:
    said = found("H1", other)
    assert any(row == other and "只差" in problem and "H1" in problem for _, row, problem in said)
    assert {severity for severity, *_ in said} == {"warning"}


def test_composed_and_not() -> None:
    assert any("只差" in problem for *_, problem in found("caf\u00e9", "cafe\u0301"))


@pytest.mark.parametrize("sign", ["\u200b", "\u202e", "\u2066", "\ufeff", "\u00ad", "\x07"])
def test_a_sign_that_nobody_sees(sign: str) -> None:
    assert any(f"U+{ord(sign):04X}" in problem for *_, problem in found("H1", name=f"甲{sign}苑"))


def test_what_is_different_or_visible_is_not_named() -> None:
    assert not found("H1", "H2", "I1", "甲", "乙", name="春风\u3000里 Ａ座")
