"""What is said of who is outside: one sentence tells of one walk to one facility, and the same in both languages."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import shapely
from clock import seeds
from oracle import districts

import xinhe_geo as xh
from xinhe_geo.access import entrances_of_open, home_points, od_tables, reasons
from xinhe_geo.core import speaking

TOY = Path(__file__).parents[1] / "toy"
NUMBER = re.compile(r"\d[\d,.]*\d|\d")


def each_tells_of_one_walk(district: xh.District) -> set[str]:
    """By brute force over the points of each home and the entrances of the facility that is named; returns how it was said."""
    cover, doors, points = xh.coverage(district), entrances_of_open(district), home_points(district)
    spots, said = shapely.get_coordinates(points.geometry.array), set[str]()
    for rule in cover.index.unique("rule"):
        told = district.rule(str(rule))
        gaps = xh.gaps(district, cover, str(rule))
        if gaps.empty:
            continue
        with speaking("en"):
            english = reasons(district, gaps)
        tables = od_tables(district, told.kinds, profile=district.profile(told.profile))
        for (home, row), other in zip(gaps.iterrows(), english, strict=True):
            assert NUMBER.findall(str(row["reason"])) == NUMBER.findall(other), (rule, home)
            place = row["facility_minutes"]
            if not isinstance(place, str):
                continue
            own = doors.loc[doors["place"] == place, ["x", "y"]].to_numpy()
            near = np.flatnonzero(points["home"] == home)
            far = np.hypot(*np.moveaxis(spots[near][:, None] - own, 2, 0)).min(axis=1)
            minutes = np.stack(
                [np.where(t["facility_minutes"] == place, t["minutes"], np.nan)[near] for t in tables.values()]
            )
            same = (np.abs(minutes - row["minutes"]) < 1e-9).any(axis=0)
            assert np.isclose(far[same], row["straight_metres"]).any(), (rule, home)
            assert row["detour"] == pytest.approx(row["walked_metres"] / row["straight_metres"])
            for words, metres in re.findall(r"(到它的直线|另一处直线|附近没有)\D*([\d,]+) 米", str(row["reason"])):
                column = "straight_metres" if words == "到它的直线" else "nearest_straight_metres"
                assert metres == f"{row[column]:,.0f}", (rule, home)
                said.add(words)
    return said


@pytest.mark.slow
def test_in_the_toy_district() -> None:
    each_tells_of_one_walk(xh.District.load(TOY))


@pytest.mark.parametrize("seed", seeds(0, 2, 12))
def test_in_random_districts(tmp_path: Path, seed: int) -> None:
    each_tells_of_one_walk(xh.District.load(districts.write(tmp_path, seed)))


@pytest.mark.matrix
def test_in_the_bundled_district_where_the_facility_nearest_in_a_straight_line_is_often_another() -> None:
    assert each_tells_of_one_walk(xh.District.load()) == {"到它的直线", "另一处直线", "附近没有"}
