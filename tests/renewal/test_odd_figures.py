"""Figures that can be typed and are hardly meant are asked about, each by its own row; sound ones are not."""

from __future__ import annotations

import io
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely

import xinhe_geo as xh
from xinhe_geo.core.errors import Problem
from xinhe_geo.core.models import Edit
from xinhe_geo.core.schema import LAYERS
from xinhe_geo.core.validate import check_rows
from xinhe_geo.district import conflicts
from xinhe_geo.district.odd_figures import MOST_IN_A_HOUSEHOLD, MOST_PER_HOUSEHOLD, MOST_PER_M2, crowded, odd_figures

STANDARDS = Path(__file__).parents[2] / "data" / "standards"
FACTS = "parcel,year,quantity,holder,value,high,fund"
#: A sound ledger: nothing to ask.
SOUND = """p,2025,floor_old_m2,,20250,,
p,2027,floor_demolished_m2,,20250,,
p,2025,households,,270,,
p,2025,people,,660,,
p,2025,households,owner,210,,
p,2025,households,tenant,60,,
p,2025,people,owner,520,,
p,2029,households_to_rehouse,,210,,
p,2029,households_rehoused_near,,180,,
p,2026,cost_acquisition,,9000,12000,专项债
p,2029,rent_growth,,0.5,,
q,2025,floor_old_m2,,30000,,
q,2025,households,,1,,
q,2025,people,,1,,""".splitlines()
#: What is wrong with one line of it, and the words of the question.
ODD = {
    "p,2027,floor_demolished_m2,,30000,,": "拆除建筑面积 30,000 大于原有建筑面积 20,250",
    "p,2025,households,,660,,": "660 户 660 人",
    "p,2025,people,,4051,,": "一户 15.0 人",
    "p,2025,households,tenant,61,,": "各口径户数合计 271 大于合计那一行的 270",
    "p,2029,households_rehoused_near,,211,,": "就地就近安置户数 211 大于应安置户数 210",
    "p,2026,cost_acquisition,,9000,120000000,专项债": "合每m² 5,925.9 万元",
    "p,2029,rent_growth,,0.03,,": "像是把百分数写成了小数",
}


def asked(lines: list[str]) -> list[Problem]:
    rows = {}
    tables = {
        "parcel_facts": pd.read_csv(io.StringIO("\n".join([FACTS, *lines])), dtype="str"),
        "quantities": pd.read_csv(STANDARDS / "quantities.csv", dtype="str", encoding="utf-8-sig"),
    }
    for name, table in tables.items():
        rows[name], problems = check_rows(LAYERS[name], table, f"{name}.csv")
        assert not problems
    return list(odd_figures(rows, {}))


def test_nothing_is_asked_of_a_sound_ledger_and_of_the_bundled_one() -> None:
    assert asked(SOUND) == []
    assert asked([line.rsplit(",", 4)[0] + ",,,," for line in SOUND]) == [], "blanks are no figures"


@pytest.mark.parametrize("line", ODD)
def test_one_odd_figure_is_asked_about_once(line: str) -> None:
    named = line.split(",")[:4]
    lines = [line if sound.split(",")[:4] == named else sound for sound in SOUND]
    assert lines != SOUND
    (problem,) = asked(lines)
    assert problem.severity == "warning" and ODD[line] in problem.problem and problem.remedy
    assert problem.row == str(lines.index(line) + 2)


def test_money_that_was_typed_in_yuan_is_always_asked_about() -> None:
    """Whatever is between a thousandth and all of what may be meant, times ten thousand is more than anything may be."""
    for size, unit, most in (("floor_old_m2", "m²", MOST_PER_M2), ("households", "户", MOST_PER_HOUSEHOLD)):
        for each in (most / 5000, most / 100, most):
            ledger = [f"p,2025,{size},,100,,", f"p,2026,cost_building,,{100 * each},,"]
            assert asked(ledger) == []
            (problem,) = asked([ledger[0], f"p,2026,cost_building,,{100 * each * 10_000},,"])
            assert f"合每{unit}" in problem.problem


def test_a_share_typed_for_a_per_cent_is_asked_about() -> None:
    shares = pd.Series([0.0, 0.3, 0.95, 1.0, 1.5, 95.0, 100.0, float("nan")])
    for layer, column in (("stages", "share"), ("projects", "consent")):
        found = list(odd_figures({layer: pd.DataFrame({column: shares})}, {}))
        assert [p.row for p in found] == ["1", "2", "3"] and {p.field for p in found} == {column}


def test_too_many_people_for_so_many_dwellings() -> None:
    assert crowded(100, 100 * MOST_IN_A_HOUSEHOLD) == "" == crowded(0, 5) == crowded(float("nan"), 5)
    assert crowded(100, 40_000) == "100 户 40,000 人，一户 400.0 人"
    homes = pd.DataFrame({"households": pd.array([100, 100, None], dtype="Int64"), "people": [40_000.0, 300.0, 900.0]})
    assert [p.row for p in odd_figures({"homes": homes}, {})] == ["0"]


@pytest.mark.parametrize("metres", [-30.0, 0.0, 0.5, 30.0, 100.0])
def test_ground_that_is_drawn_twice_is_asked_about_with_its_area(metres: float) -> None:
    shapes = [shapely.box(0, 0, 100, 100), shapely.box(100 - metres, 0, 200 - metres, 100), shapely.box(0, 500, 9, 509)]
    parcels = gpd.GeoDataFrame({"name": ["甲", None, "丙"]}, geometry=shapes, index=["a", "b", "c"], crs=3857)
    found = list(odd_figures({"parcels": parcels}, {}))
    assert len(found) == (metres > 1)
    for problem in found:
        assert problem.row == "b" and f"b 和 a（甲）重叠 {metres * 100:,.0f} m²" in problem.problem


@pytest.mark.slow
def test_a_plan_that_crams_people_into_dwellings_contradicts_itself() -> None:
    district = xh.District.load()
    parcel = str(district.rows["parcels"].index[0])
    for people, told in ((40_000, 1), (260, 0)):
        new = {"parcel": parcel, "home": "new", "households": 100, "people": people, "people_60plus": 0}
        plan = xh.Scenario("t", "t", (Edit("build_homes", new),), year=2030)
        told_of = conflicts(plan, district)["problem"].str.contains("一户 400.0 人")
        assert told_of.sum() == told
