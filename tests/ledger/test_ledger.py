"""The ledger on the toy district, every number worked out by hand, and on the bundled one."""

from __future__ import annotations

import importlib
import itertools
import math
import os
import shutil
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any, cast

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from ledger_toy import (
    ALL,
    BY_HAND,
    CIRCLE,
    LATEST,
    REACHED,
    RIVER,
    SUM,
    TOPOLOGY,
    TOY,
    evaluated,
    figures,
    folder_with,
    lg,
    measure,
    of_t1,
    toy,
    toy_with,
)

import xinhe_geo as xh
from xinhe_geo.core import Edit
from xinhe_geo.core.schema import METRICS
from xinhe_geo.ledger.communities import community_targets
from xinhe_geo.ledger.metrics import figures as typed_in
from xinhe_geo.ledger.metrics import homes, shapes
from xinhe_geo.ledger.metrics import registry as _measures
from xinhe_geo.ledger.metrics.base import Lacks, Metric, measure_rows, number_text, weight_of
from xinhe_geo.ledger.metrics.terms import terms
from xinhe_geo.ledger.panel import panel_sheet
from xinhe_geo.report.pages.ledger import ledger_page
from xinhe_geo.report.report import write_ledger

book_of = importlib.import_module("xinhe_geo.report.ledger_workbook")

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def toy_by_hand(tmp_path_factory: pytest.TempPathFactory) -> xh.District:
    rows = [measure(name, metric, **cells) for name, metric, cells, _, _ in BY_HAND]
    return xh.District.load(folder_with(tmp_path_factory.mktemp("hand") / "toy", rows))


@pytest.fixture(scope="module")
def by_hand(toy_by_hand: xh.District) -> pd.DataFrame:
    return of_t1(toy_by_hand)


@pytest.mark.parametrize(("name", "value", "verdict"), [(row[0], row[3], row[4]) for row in BY_HAND])
def test_by_hand(by_hand: pd.DataFrame, name: str, value: float, verdict: str) -> None:
    row = by_hand.loc[name]
    assert row["value"] == pytest.approx(value, rel=1e-9, abs=1e-9, nan_ok=True)
    assert row["verdict"] == verdict
    assert row["demonstration"] == ""
    assert row["needs"] if verdict == "数据不足" else row["needs"] == "" or "未计入" in row["needs"]


@pytest.mark.parametrize(("square_metres", "gap"), [(0.5, ""), (1, "缝和叠共 1 m²"), (2, "缝和叠共 2 m²")])
def test_less_than_a_square_metre_is_rounding(square_metres: float, gap: str) -> None:
    """The southern zone is 1,000 m by 300 m; a notch of a metre's depth is cut into its edge: from a square metre on it is a gap."""
    toy = toy_with([measure("tiles", "topology", **{**TOPOLOGY, "relation": "tiles", "operator": "<=", "high": 0.1})])
    zones = toy.rows["zones"].copy()
    west, south, _, _ = zones.geometry["south"].bounds
    notch = shapely.box(west + 100, south, west + 100 + square_metres, south + 1)
    zones.loc["south", zones.geometry.name] = shapely.difference(zones.geometry["south"], notch)
    assert of_t1(toy.with_rows({**toy.rows, "zones": zones})).loc["tiles", "gap"] == gap


@pytest.mark.parametrize(
    ("relation", "other", "gap"),
    [("inside", "north", "落在外面的"), ("covered", "north", "没有盖住的"), ("overlap", "north", "重叠的")],
)
def test_what_does_not_fit_is_called_by_how_it_should_lie(relation: str, other: str, gap: str) -> None:
    """A square of 100 m, half of it in the northern zone, laid twice: 5,000 m² lie outside, 5,000 m² twice."""
    toy = toy_with(
        [
            measure(
                "lies", "topology", layer="areas", other_layer="zones", other_codes=other, relation=relation, unit="%"
            )
        ]
    )
    zones = toy.rows["zones"]
    west, south, _, _ = zones.geometry["north"].bounds
    squares = [shapely.box(west, south - 50, west + 100, south + 50), shapely.box(west, south, west + 100, south + 50)]
    areas = gpd.GeoDataFrame(
        {"name": ["a", "b"]}, geometry=squares, index=pd.Index(["a", "b"], name="area"), crs=zones.crs
    )
    said = of_t1(toy.with_rows({**toy.rows, "areas": areas})).loc["lies", "gap"]
    size = zones.geometry["north"].area - 5_000 if relation == "covered" else 5_000
    assert said == f"{gap} {size:,.0f} m²"


def test_a_number_asked_for_is_printed_with_all_its_digits() -> None:
    """Neither 2e+06 nor 123457."""
    rows = [
        measure("big", "count", kinds="canteen", operator=">=", low=2_000_000, unit="m²"),
        measure("odd", "count", kinds="canteen", operator="<=", high=1_234_567.5, unit="m²"),
        measure("two", "count", kinds="canteen", operator="between", low=0.05, high=1_000_000, unit="km²"),
    ]
    told = of_t1(toy_with(rows))["target_text"]
    assert told.to_dict() == {"big": "≥ 2,000,000 m²", "odd": "≤ 1,234,567.5 m²", "two": "0.05—1,000,000 km²"}


def test_what_opened_since_is_not_all_that_is_open() -> None:
    """The toy's one station has been there for ever: since 2021 none was opened, and nobody says that none is open."""
    rows = [
        measure("new", "count", kinds="clinic_station", since=2021),
        measure("all", "count", kinds="clinic_station"),
    ]
    told = of_t1(toy_with(rows))["text"]
    assert "全街道里 2021 年以后开的有 0 处" in told["new"] and "里开放" not in told["new"]
    assert "全街道里开放 1 处" in told["all"]


@pytest.mark.slow
def test_each_measure_says_its_own_gap(tmp_path: Path) -> None:
    """Three things are missing, each short of one: the promise names all three and does not say 还差 1 处 once."""
    names = {"学校": "primary_school", "公园": "park", "消防站": "fire_station"}
    rows = [measure(n, "count", kinds=kind, operator=">=", low=1, unit="处") for n, kind in names.items()]
    own = toy_with(rows)
    own = replace(own, manifest=MappingProxyType({**own.manifest, "surveyed_kinds": list(own.kinds.index)}))
    table = lg.ledger(own)
    page = ledger_page(own, table)
    book_of.ledger_workbook(own, table, tmp_path / "book.xlsx")
    cells = {
        str(c.value) for sheet in openpyxl.load_workbook(tmp_path / "book.xlsx") for r in sheet.iter_rows() for c in r
    }
    for name in names:
        assert f"差距：{name}：还差 1 处" in page
    assert "\n".join(f"{name}：还差 1 处" for name in names) in cells
    alone = toy_with([measure("canteen", "communities_with", kinds="canteen", **ALL)])
    assert "差距：缺 1 个社区" in ledger_page(alone, lg.ledger(alone))


def test_land_uses_are_said_in_words() -> None:
    """Codes of a layer are no words: half of the zone is industrial, a quarter is shops under two codes, a quarter has a Chinese name."""
    rows = [measure("mix", "mix", layer="landuse", field="use")]
    toy = toy_with(rows)
    west, south, _, _ = toy.rows["district"].total_bounds
    sizes = {"industrial": (0, 200), "retail": (200, 250), "commercial": (250, 300), "居住用地": (300, 400)}
    land = gpd.GeoDataFrame(
        {"name": None, "use": list(sizes)},
        geometry=[shapely.box(west + a, south, west + b, south + 100) for a, b in sizes.values()],
        index=pd.Index(range(4), name="id").astype(str),
        crs=toy.crs,
    )
    with_land = toy.with_rows({**toy.rows, "landuse": land})
    assert "工业用地 50%、商业服务业用地 25%、居住用地 25%" in of_t1(with_land).loc["mix", "text"]
    said = lg.ledger(with_land, lang="en")["text"].to_list()
    assert any("Industrial land 50%, Commercial land 25%, Residential land 25%" in text for text in said)


def test_an_area_is_per_so_many_people_only_where_a_number_says_so() -> None:
    """The zones are 1,000 m by 600 m together; 360 people are known: 600,000 / 360 m² for each, and for no number all of it."""
    cells = {"layer": "zones", "unit": "m²"}
    rows = evaluated(*(measure(f"per{per}", "area", **cells, per=per) for per in ("", 0, 1, 36)))
    assert rows["value"].tolist() == pytest.approx([600_000, 600_000, 600_000 / 360, 60_000])


def test_every_metric_is_worked_out() -> None:
    assert {row[1] for row in BY_HAND} | {"series"} == set(METRICS) == set(_measures.METRICS)


def test_every_number_worked_out_says_what_it_is_added_up_from(toy_by_hand: xh.District, by_hand: pd.DataFrame) -> None:
    """A receipt of one that does not would add the number up from itself."""
    numbers = by_hand.index[np.isfinite(by_hand["value"])]
    rows = {m["measure"].removeprefix("T1."): m for m in measure_rows(toy_by_hand)}
    assert len(numbers) > 30 and not {
        rows[name]["metric"] for name in numbers if terms(toy_by_hand, rows[name]) is None
    }


def test_what_is_said_beside_the_number(by_hand: pd.DataFrame) -> None:
    # 甲社区: A 100 people, C nobody knows; 乙社区: B 200 and D 50; E (10) lies in no community
    known = "；1 处小区的常住人口不详、未计入"
    assert by_hand.loc["canteen", "gap"] == f"缺 1 个社区：甲社区（100 人）；涉及常住人口 100 人（依据：实测）{known}"
    assert by_hand.loc["no_engine", "fix"] == "补齐数据：行车时间"
    assert by_hand.loc["canteen", "text"].startswith(
        "canteen：50 %；2 个社区（2022 年名录）中 1 个有（1 个社区只按落点判（没有填服务社区））；目标 ≥ 100 %；部分达标"
    )
    # 北站 is planned for 2025 in 乙社区
    assert "北站（2025 年）" in by_hand.loc["since", "fix"] and by_hand.loc["since", "gap"] == "还差 1 处"
    assert "参考线 ≥ 100 %" in by_hand.loc["circle_line", "text"] and "标准 ≥ 1" in by_hand.loc["second_hand", "text"]
    circle = by_hand.loc["circle"]
    assert circle["gap"] == "10 人不可达，在 1 个小区：戊苑 10 人"
    # the three methods as a range: 1000 m by street 350 of 360, 1000 m as the crow flies all of them
    assert circle["low_other"] == pytest.approx(REACHED) and circle["high_other"] == pytest.approx(100)
    assert circle["method"] == "可达份额（步行时间）"
    assert "1 处小区的常住人口不详" in circle["needs"]
    assert "老年食堂" not in by_hand.loc["no_survey", "needs"] and "菜市场" in by_hand.loc["no_survey", "needs"]
    assert "layers.parcels" in by_hand.loc["no_layer", "needs"]
    assert "T07" in by_hand.loc["no_community", "needs"] and "行车时间" in by_hand.loc["no_engine", "needs"]
    assert "capacity" in by_hand.loc["no_capacity", "needs"] and "floor_area_m2" in by_hand.loc["no_area", "needs"]
    assert "服务范围外或不够用，在 3 个小区：乙苑 49 人、丁楼 12 人、戊苑 10 人" in by_hand.loc["enough", "gap"]
    assert "有的 97.2%，有且够用的 80.2%" in by_hand.loc["enough", "text"]
    assert (
        "5 分钟以内 1、10 分钟以内 0.68" in by_hand.loc["enough", "parameters"]
        and "decays.csv" in by_hand.loc["enough", "inputs"]
    )
    assert "缝 0 m²，叠 0 m²" in by_hand.loc["tiles", "text"]
    assert (by_hand["contradiction"] == "X1：两个数。处理：并列。").all()


#: 甲社区 has neither: A (100 people, 40 of them 60+, 40 households, 60 m by 60 m of land), C (unknown, 60 m by 60 m).
#: 乙社区 has no day care: B 200 people, 20, 80 households, 60 m by 60 m; D 50 people, 50, 20 households, drawn as a point.
@pytest.mark.parametrize(
    ("kind", "weight", "size", "of", "said"),
    [
        (
            "canteen",
            "",
            100,
            "常住人口（人）",
            "甲社区（100 人）；涉及常住人口 100 人（依据：实测）；1 处小区的常住人口不详",
        ),
        ("elderly_daycare", "", 350, "常住人口（人）", "甲社区（100 人）、乙社区（250 人）；涉及常住人口 350 人"),
        (
            "elderly_daycare",
            "people_60plus",
            110,
            "60岁及以上人口（人）",
            "甲社区（40 人）、乙社区（70 人）；涉及60岁及以上人口 110 人",
        ),
        ("canteen", "households", 40, "户数（户）", "甲社区（40 户）；涉及户数 40 户"),
        (
            "elderly_daycare",
            "area_m2",
            10_800,
            "居住用地（m²）",
            "甲社区（7,200 m²）、乙社区（3,600 m²）；涉及居住用地 10,800 m²",
        ),
        (
            "elderly_daycare",
            "homes",
            4,
            "小区数（个小区）",
            "甲社区（2 个小区）、乙社区（2 个小区）；涉及小区数 4 个小区",
        ),
    ],
)
def test_who_lives_where_a_community_lacks_it_by_hand(kind: str, weight: str, size: float, of: str, said: str) -> None:
    row = evaluated(measure("c", "communities_with", kinds=kind, weight=weight, **ALL)).loc["c"]
    assert row["gap_size"] == pytest.approx(size) and row["gap_of"] == of and row["gap_basis"] == "实测"
    assert said in row["gap"]


@pytest.mark.slow
def test_what_nobody_knows_of_the_people_is_said_and_judges_nothing() -> None:
    """People of A are synthetic, then unknown, then there are no homes: the verdict on communities stays."""
    district = toy_with([measure("c", "communities_with", kinds="canteen", **ALL)])
    homes = district.rows["homes"]
    verdict = of_t1(district).loc["c", "verdict"]

    def with_homes(frame: pd.DataFrame | None) -> pd.Series:
        return of_t1(district.with_rows({"homes": frame})).loc["c"]

    made_up = with_homes(homes.assign(basis=["synthetic", *["surveyed"] * (len(homes) - 1)]))
    assert (
        made_up["gap_basis"] == "合成，演示值不作结论"
        and made_up["demonstration"] == ""
        and made_up["verdict"] == verdict
    )
    other = homes.copy()
    other.loc["A", "people"] = pd.NA
    blank = with_homes(other)
    assert blank["gap"] == "缺 1 个社区：甲社区；涉及的常住人口：数据不足（2 处小区的常住人口都没有填）"
    assert np.isnan(blank["gap_size"]) and blank["gap_of"] == "常住人口（人）" and blank["gap_basis"] == "数据不足"
    none = with_homes(None)
    assert "数据不足（缺图层：小区（layers.homes））" in none["gap"] and none["verdict"] == verdict
    away = with_homes(homes.drop(index=["A", "C"]))
    assert away["gap"] == "缺 1 个社区：甲社区；涉及的常住人口：数据不足（界内没有 2022 年的小区）"


def test_who_a_walk_leaves_out_is_a_number_too(by_hand: pd.DataFrame) -> None:
    """E's 10 people have no way; of the canteen and the station 乙苑 49, 丁楼 12, 戊苑 10 (see above)."""
    circle, enough = by_hand.loc["circle"], by_hand.loc["enough"]
    assert (
        circle["gap_size"] == pytest.approx(10)
        and circle["gap_of"] == "常住人口（人）"
        and circle["gap_basis"] == "实测"
    )
    assert enough["gap_size"] == pytest.approx(360 - 100 - 250 * 0.68 * 300 / 270)
    assert np.isnan(by_hand.loc["circle_north", "gap_size"]) and by_hand.loc["circle_north", "gap_of"] == ""


def test_theil_adds_up(by_hand: pd.DataFrame) -> None:
    """South: 110 people, 100 of them served; north: 250, all."""
    mean, p, a = 350 / 360, np.array([110 / 360, 250 / 360]), np.array([100 / 110, 1.0])
    between = float((p * a / mean * np.log(a / mean)).sum())
    assert f"组间 {between:.4f}，组内 {math.log(360 / 350) - between:.4f}" in by_hand.loc["theil", "text"]


def test_coverage_is_that_of_the_library(by_hand: pd.DataFrame) -> None:
    share = xh.summary(xh.coverage(toy(), rules=["plan_clinic_15"])).loc["plan_clinic_15", "people_share"]
    assert by_hand.loc["circle", "value"] == pytest.approx(share * 100, abs=1e-9)


def test_attribute_against_a_number() -> None:
    cells = {"kinds": "party_service_center", "field": "floor_area_m2", "unit": "m²", "operator": ">=", "low": 2000}
    for floor, verdict in ((1999.0, "未达标"), (2000.0, "达标")):
        own = of_t1(toy_with([measure("area", "attribute", **cells)], F5={"floor_area_m2": floor})).loc["area"]
        assert own["value"] == floor and own["verdict"] == verdict


def test_sizes_in_different_units_are_not_added() -> None:
    beds = {"kinds": "clinic_station;canteen", "field": "capacity", "per": 1000}
    row = measure("beds", "per_thousand", **beds)
    places = {"F1": {"capacity": 9.0, "capacity_unit": "床"}, "F2": {"capacity": 9.0, "capacity_unit": "座"}}
    assert "床、座" in of_t1(toy_with([row], **places)).loc["beds", "needs"]
    places["F2"]["capacity_unit"] = "床"
    assert of_t1(toy_with([row], **places)).loc["beds", "value"] == pytest.approx(18 / 360 * 1000)


def test_planned_places_count_when_asked_for() -> None:
    district = toy_with([measure("since", "count", kinds="clinic_station", since=2021, operator=">=", low=1)])
    assert of_t1(district.at(2025)).loc["since", "verdict"] == "未达标"
    later = of_t1(district.at(2025, planned=True)).loc["since"]
    assert later["verdict"] == "达标" and "北站" in later["text"]


def test_how_far_apart_a_line_can_be_crossed() -> None:
    """Across the toy's grid at y = 50: streets at 0, 100 … 500; the last 130 m have none."""
    streets = toy().layers["streets"]
    line = shapely.LineString([(499_980, 4_320_050), (500_630, 4_320_050)])
    gaps, crossings = shapes._crossings(line, streets)
    assert crossings == 6 and max(gaps) == pytest.approx(130) and sorted(gaps)[:-1] == pytest.approx([20] + [100] * 5)


def test_how_much_of_a_line_is_accompanied() -> None:
    """Homes 乙苑 and 丙苑 lie 70 m from the river: within 80 m of each are 60 + 2 * sqrt(80² - 70²) m of its 980 m."""
    own = evaluated(measure("l", "along", relation="length", layer="homes", metres=80, unit="%", **RIVER)).loc["l"]
    assert own["value"] == pytest.approx(2 * (60 + 2 * math.sqrt(1500)) / 980 * 100, rel=1e-3)


# --- inequality -----------------------------------------------------------------------------------------------------


def test_gini_and_theil_by_hand() -> None:
    one = pd.Series([1.0, 1, 1, 1])
    # mean absolute difference of 1..4 over all 16 pairs is 20/16, mean 2.5
    assert homes.gini(pd.Series([1.0, 2, 3, 4]), one) == pytest.approx(20 / 16 / 2 / 2.5)
    assert homes.gini(pd.Series([3.0, 3]), pd.Series([1.0, 9])) == pytest.approx(0)
    assert homes.theil(pd.Series([0.0, 1]), one[:2])["total"] == pytest.approx(0.693147, abs=1e-6)  # ln 2
    parts = homes.theil(pd.Series([1.0, 1, 3, 3]), one, pd.Series(list("aabb")))
    assert parts["within"] == pytest.approx(0) and parts["total"] == pytest.approx(
        0.25 * math.log(0.5) + 0.75 * math.log(1.5)
    )
    assert math.isnan(homes.gini(pd.Series([0.0, 0]), one[:2])) and math.isnan(
        homes.theil(pd.Series([0.0, 0]), one[:2])["total"]
    )


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 9)), min_size=2, max_size=8))
def test_weights_are_people(rows: list[tuple[int, int]]) -> None:
    """A home of seven counts as seven people alike; Gini is half the mean absolute difference over the mean."""
    a, p = (pd.Series(column, dtype=float) for column in zip(*rows, strict=True))
    everyone = np.repeat(a.to_numpy(), p.astype(int))
    if everyone.sum() == 0:
        return
    pairs = np.mean([abs(x - y) for x, y in itertools.product(everyone, everyone)])
    assert homes.gini(a, p) == pytest.approx(pairs / 2 / everyone.mean(), abs=1e-12)
    ratio = everyone[everyone > 0] / everyone.mean()
    assert homes.theil(a, p)["total"] == pytest.approx((ratio * np.log(ratio)).sum() / len(everyone), abs=1e-12)


# --- yearly figures -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "filled", "value", "verdict", "said"),
    [
        (SUM, figures(y2020=4.4), math.nan, "待填", "T 的 2021—2025 年"),
        (SUM, figures(y2020=4.4, y2021=4, y2022=5), 9, "待填", "应为 8 亿元，达到进度"),
        (SUM, figures(y2021=4, y2022=3), 7, "待填", "应为 8 亿元，落后于进度"),
        (SUM, figures(y2021=4, y2022=4, y2023=4, y2024=4, y2025=4), 20, "达标", "≥ 20 亿元"),
        (SUM, figures(y2021=4, y2022=4, y2023=4, y2024=4, y2025=3), 19, "部分达标", "≥ 20 亿元"),
        (SUM, figures(y2021=4, y2022=4, y2023=4, y2025=9), 21, "待填", "T 的 2024 年"),
        (LATEST, figures(y2024=3.2, y2025=3.6), 3.6, "未达标", "≤ 3.5 %"),
        (LATEST, figures(y2025=3.5), 3.5, "达标", "≤ 3.5 %"),
        (LATEST, [*figures(y2025=3.5), *figures(y2025=3.4)], math.nan, "数据不足", "2025 年填了两次"),
    ],
)
def test_series(cells: dict[str, Any], filled: list[dict[str, Any]], value: float, verdict: str, said: str) -> None:
    own = evaluated(measure("s", "series", **cells), series=filled).loc["s"]
    assert own["value"] == pytest.approx(value, nan_ok=True)
    assert own["verdict"] == verdict and said in own["text"]


def test_target_handed_down_is_typed_in() -> None:
    row = measure("s", "series", **{**SUM, "low": "", "aggregate": "latest", "target_series": "T.target"})
    handed = [{"indicator": "T.target", "year": 2025, "value": 90}]
    for done, extra, verdict in ((80, [], "报现状（原文无量化目标）"), (80, handed, "未达标"), (90, handed, "达标")):
        assert evaluated(row, series=[*figures(y2025=done), *extra]).loc["s", "verdict"] == verdict


# --- whole tables ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bundled() -> xh.District:
    return xh.District.load()


@pytest.fixture(scope="module")
def table(bundled: xh.District) -> pd.DataFrame:
    return lg.ledger(bundled)


@pytest.fixture(scope="module")
def beyond(bundled: xh.District) -> pd.DataFrame:
    return lg.beyond(bundled)


@pytest.mark.slow
def test_all_promises_are_there_and_nothing_is_concluded(bundled: xh.District, table: pd.DataFrame) -> None:
    codes = list(dict.fromkeys(table.index.get_level_values("commitment")))
    assert len(codes) == 56 and codes[0] == "I01" and codes[-1] == "S42"
    assert not set(table["verdict"]) & {"达标", "部分达标", "未达标"}
    assert (table.groupby(level="commitment")["role"].agg(lambda r: (r == "own").any())).all()
    shown = table[table["value"].notna() & (table["metric"] != "series")]
    assert (shown["verdict"] == "演示值（不作结论）").all() and shown["demonstration"].str.contains("示意|合成").all()
    lacking = table[table["verdict"] == "数据不足"]
    assert (lacking["needs"] != "").all() and lacking["text"].str.contains("数据不足：").all()
    assert (
        list(table.columns) == list(lg.COLUMNS)
        and not table.drop(columns=["value", "target", "low_other", "high_other", "gap_size"]).isna().any().any()
    )
    assert len(table[table["binding"] != ""].groupby(level="commitment").size()) == 14
    assert set(lg.verdicts(table)) <= set(lg.VERDICTS)
    pd.testing.assert_frame_equal(lg.ledger(bundled), table)


@pytest.mark.slow
def test_quotes_are_word_for_word(shared: Path, bundled: xh.District, table: pd.DataFrame) -> None:
    plan = (shared / "reference" / "plan.txt").read_text("utf-8")
    quotes = [*table["quote"], *lg.left_out(bundled)["quote"]]
    contradictions = bundled.rows["contradictions"]
    quotes += [*contradictions["quote_a"], *contradictions["quote_b"].dropna()]
    assert not [quote for quote in quotes if quote not in plan]
    known = pd.read_csv(shared / "reference" / "commitments.csv", dtype=str).set_index("id")
    first = table.groupby(level="commitment", sort=False).first()
    assert list(first.index) == list(known.index)
    for column in ("quote", "section", "category", "binding"):
        assert (first[column] == known[column].fillna("")).all(), column


@pytest.mark.slow
def test_what_is_left_out_says_why(bundled: xh.District) -> None:
    rows = lg.left_out(bundled)
    assert len(rows) >= 20 and (rows["note"] != "").all()
    assert rows["quote"].str.contains("业委会组建率").any() and rows["quote"].str.contains("安置率达到98%").any()


@pytest.mark.slow
def test_the_station_norm_stands_against_the_plan(bundled: xh.District) -> None:
    """Thirteen communities, one station per three or four: four to five."""
    standards = lg.beyond(bundled)
    assert "应有 4—5 处" in lg.explain(standards, "B.stations") and not set(standards["verdict"]) & {"达标", "未达标"}
    row = standards.loc["B.stations"]
    assert "应有 4—5 处" in row["text"] and "规划只写新建 1—2 个" in row["how"] and row["target"] == 4


TOY_LAYERS = tuple(tomllib.loads((TOY / "district.toml").read_text("utf-8"))["layers"])
BUNDLED_LAYERS = tuple(tomllib.loads((ROOT / "data" / "district.toml").read_text("utf-8"))["layers"])


def only_rows_that_need_it_change(before: pd.DataFrame, after: pd.DataFrame, layer: str) -> pd.Series:
    needs_it = after["needs"].str.contains(f"（layers.{layer}）", regex=False)
    assert (after.loc[needs_it, "verdict"] == "数据不足").all() and after.loc[needs_it, "value"].isna().all()
    same, gone = before[~needs_it], after[~needs_it]
    if layer == "homes":  # who lives in a community that lacks something is known from homes; all else of the row stays
        of_gap = ["gap", "gap_size", "gap_of", "gap_basis", "inputs"]
        who = same["metric"].str.startswith("communities_")
        assert (
            gone.loc[who & (same["gap"] != ""), "gap"]
            .str.contains("数据不足（缺图层：小区（layers.homes））", regex=False)
            .all()
        )
        same, gone = (frame.assign(**{c: frame[c].where(~who) for c in of_gap}) for frame in (same, gone))
    if layer == "parcels":  # what is typed in of a parcel stands without its outline, but not what it is called
        called = dict.fromkeys(("scope", "parameters"), r"更新地块：[^；]*")
        same, gone = (frame.replace(called, "", regex=True) for frame in (same, gone))
    if layer == "communities":  # of which year their list is, is said where there is one
        same = same.replace({"parameters": r"，社区名录 \d+ 年"}, "", regex=True)
    pd.testing.assert_frame_equal(same, gone)
    return needs_it


@pytest.mark.slow
def test_what_the_city_examination_counts_and_nobody_knows_is_named(bundled: xh.District) -> None:
    """Nine numbers of gaps: those without data wait for a figure, say in words which data and from whom, and give no number."""
    standards = lg.beyond(bundled)
    own = standards[standards["label"].str.startswith("城市体检：")]
    assert len(own) == 10, "nine numbers; charging as communities without, and as piles short"
    unknown = own[own["verdict"] == "待填"]
    named = {
        "B.gap_school_places": ("适龄儿童数", "学位数"),
        "B.gap_parking": ("汽车保有量", "泊位数"),
        "B.gap_piles": ("新能源汽车保有量", "充电桩数"),
        "B.gap_pavement": ("净宽", "人行道普查"),
        "B.gap_sorting": ("垃圾分类台账",),
    }
    assert set(unknown.index) == set(named) and unknown["value"].isna().all()
    for key, words in named.items():
        assert all(word in unknown.loc[key, "needs"] for word in words) and "待填：" in unknown.loc[key, "text"]
        assert unknown.loc[key, "fix"].startswith(f"填报台账填报表 {key} 的")


@pytest.mark.slow
@pytest.mark.one_in(4)
@pytest.mark.parametrize("layer", TOY_LAYERS)
def test_without_a_layer_only_its_rows_change(tmp_path: Path, by_hand: pd.DataFrame, layer: str) -> None:
    rows = [measure(name, metric, **cells) for name, metric, cells, _, _ in BY_HAND]
    district = xh.District.load(folder_with(tmp_path / "without", rows, drop=(layer,)))
    assert only_rows_that_need_it_change(by_hand, of_t1(district), layer).any()
    write_ledger(district, lg.ledger(district), tmp_path / "out")
    assert f"layers.{layer}" in (tmp_path / "out" / "ledger.html").read_text("utf-8")


@pytest.mark.slow
@pytest.mark.matrix
def test_walks_need_to_know_what_is_on_the_way(tmp_path: Path, by_hand: pd.DataFrame) -> None:
    """The toy has no entrances and says so; silent, or once it says so of gates, too, its walks are other walks."""
    rows = [measure(name, metric, **cells) for name, metric, cells, _, _ in BY_HAND]

    def with_manifest(name: str, line: str, *drop: str) -> pd.DataFrame:
        folder = folder_with(tmp_path / name, rows, drop=drop)
        text = (folder / "district.toml").read_text("utf-8").replace('without = ["entrances"]\n', line)
        (folder / "district.toml").write_text(text, "utf-8")
        return of_t1(xh.District.load(folder))

    silent = with_manifest("silent", "")
    turned = only_rows_that_need_it_change(by_hand, silent, "entrances")
    assert turned["circle"] and turned["near"] and turned["enough"] and not turned["canteen"] and not turned["area"]
    needs = silent.loc["circle", "needs"]
    assert needs.startswith("缺图层或表：设施出入口（layers.entrances）") and 'without = ["entrances"]' in needs
    said = with_manifest("said", 'without = ["entrances", "gates", "barriers"]\n', "gates", "barriers")
    assert (
        said.loc["circle", "verdict"] == "报现状（原文无量化目标）" and "小区出入口" not in said.loc["circle", "inputs"]
    )


@pytest.mark.slow
@pytest.mark.matrix
@pytest.mark.parametrize("layer", BUNDLED_LAYERS)
def test_without_a_layer_of_the_bundled_district_only_its_rows_change(
    bundled: xh.District, table: pd.DataFrame, beyond: pd.DataFrame, layer: str
) -> None:
    district = bundled.with_rows({layer: None})
    promise = [
        "claims",
        "unmeasured",
    ]  # how much of the whole promise has a figure: its other rows tell of a lost one too
    own = only_rows_that_need_it_change(table.drop(columns=promise), lg.ledger(district).drop(columns=promise), layer)
    beside = only_rows_that_need_it_change(beyond, lg.beyond(district), layer)
    assert own.any() or beside.any() or layer in NOT_ASKED_FOR


#: Layers that are drawn, or tables of parcels that nobody has filled in, that no row of the bundled ledger is measured by.
NOT_ASKED_FOR = ("places", "ramps", "parcel_facts", "stages", "promises", "projects", "budgets")


@pytest.mark.slow
def test_figures_of_the_bundled_ledger_by_hand(bundled: xh.District, table: pd.DataFrame, beyond: pd.DataFrame) -> None:
    """
    Why some figures are what they are, each recomputed from the rows alone.

    S04, S05, S12: a health centre stands nowhere, so with centre and station apart nobody could have all 13; together they
    are one of 12. S40: twelve covered patches of 5,000 m² are 60,000, whatever the drawing's 59,998 are. S25: 104 piles are
    on the list, 56 of them open by 2022, beside 640 bays. S24: no nursery opened after 2020. S42: the cells cover all
    communities, and not the homes that lie in none. B.stations: four are due and four are there, nothing is short.
    """
    value = table.reset_index("commitment")["value"]
    facilities, outline = bundled.open_facilities, shapely.union_all(bundled.layers["district"].geometry.array)
    assert facilities is not None
    inside = facilities[shapely.intersects(outline, facilities.geometry.array)]
    size = inside.groupby("kind")["capacity"].sum()
    listed = bundled.rows["facilities"]
    assert listed[listed["kind"] == "charging"]["capacity"].sum() == 104 and size["charging"] == 56
    assert value["S25.piles"] == pytest.approx(56 / 640 * 100) and size["parking"] == 640
    assert (facilities["kind"] == "clinic_center").sum() == 0 and value["S04.complete"] > 80 and value["S04.all"] > 0
    ground = bundled.layers["bare_ground"]
    assert value["S40.area"] == 12 * 5000 == ground["covered_m2"].sum()
    assert value["S40.bare"] == pytest.approx(ground.geometry.area.sum()) and value["S40.bare"] < 60_000
    nurseries = inside[inside["kind"] == "nursery"]
    assert nurseries["since"].isna().all() and value["S24.supply"] == 180 and value["S24.more"] == 0
    homes, cells = bundled.layers["homes"], shapely.union_all(bundled.layers["grid"].geometry.array)
    own = shapely.union_all(homes.geometry.array)
    assert value["S42.homes"] == pytest.approx(shapely.intersection(own, cells).area / own.area * 100, rel=1e-6)
    assert value["S33.count"] == 5 and value["S35.count"] == 3 and value["S03.named"] == 5
    assert beyond.loc["B.stations", "value"] == 4 and beyond.loc["B.stations", "gap"] == ""
    gap = next(m for m in lg.measure_rows(bundled) if m["measure"] == "S38.gap")
    before = _measures.evaluate(bundled.at(2020), gap).value
    assert value["S38.narrowed"] == pytest.approx(value["S38.gap"] - before)


@pytest.mark.slow
def test_editing_a_row_changes_the_output() -> None:
    row = measure("c", "communities_with", kinds="canteen", **ALL)
    assert evaluated(row).loc["c", "verdict"] == "部分达标"
    assert evaluated({**row, "low": 50}).loc["c", "verdict"] == "达标"
    assert evaluated({**row, "kinds": "fitness;clinic_station"}).loc["c", "value"] == 100


@pytest.mark.slow
@pytest.mark.matrix
def test_a_copied_folder_is_judged_by_its_own_tables(tmp_path: Path) -> None:
    """Copied, a cell changed: no line of the manifest is needed for that."""
    folder = shutil.copytree(TOY, tmp_path / "copy")
    shutil.copytree(ROOT / "data" / "standards", folder / "standards")
    file = folder / "standards" / "measures.csv"
    rows = pd.read_csv(file, dtype=str, keep_default_na=False)
    rows.loc[rows["measure"] == "I09.communities", "low"] = "40"
    rows.to_csv(file, index=False, encoding="utf-8-sig")
    rules = folder / "standards" / "rules.csv"
    rules.write_text(rules.read_text("utf-8-sig").replace(",buffer,", ",bufer,", 1), "utf-8")
    assert (xh.check(folder)["file"] == "standards/rules.csv").any(), "and by their mistakes"
    shutil.copy(ROOT / "data" / "standards" / "rules.csv", rules)
    row = lg.ledger(xh.District.load(folder)).loc[("I09", "I09.communities")]
    assert row["target"] == 40 and "measures.csv｜sha256" in row["inputs"] and row["inputs"].count("本目录") == 5


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize(
    ("cells", "field", "said"),
    [
        ({"metric": "coverige"}, "metric", "coverige"),
        ({"low": "many"}, "low", "不是数"),
        ({"commitment": "T5"}, "commitment", "T5"),
        ({"rule": "plan_clinc_15"}, "rule", "plan_clinc_15"),
        ({"scope": "planet"}, "scope", "planet"),
        ({"text": ""}, "text", "没有填"),
    ],
)
def test_a_bad_cell_is_named_at_the_door(tmp_path: Path, cells: dict[str, Any], field: str, said: str) -> None:
    folder = folder_with(tmp_path / "toy", [measure("c", "communities_with", kinds="canteen", **{**ALL, **cells})])
    problem = xh.check(folder).query("severity == 'error'").iloc[0]
    assert problem["file"] == "tables/measures.csv" and problem["row"] == "T1.c" and problem["field"] == field
    assert said in problem["problem"] and problem["remedy"]


@pytest.mark.parametrize(
    ("cells", "field"),
    [
        ({"kinds": "cantine"}, "kinds"),
        ({"kinds": ""}, "kinds"),
        ({"target_from": ""}, "target_from"),
        ({"low": ""}, "low"),
        ({"low": 9, "high": 3}, "low"),
        ({"scope": "zone"}, "codes"),
        ({"needs": "roads"}, "needs"),
        ({"commitment": "T9"}, "commitment"),
        ({"metric": "attribute", "field": "height"}, "field"),
        ({"metric": "capacity", "field": "count", "per": 300, "norm": 1, "decay": "walk51"}, "decay"),
        ({"metric": "capacity", "field": "count", "per": 300, "norm": 0, "decay": "walk15"}, "norm"),
    ],
)
def test_cells_that_contradict_each_other_are_named(cells: dict[str, Any], field: str) -> None:
    district = toy_with([measure("c", "communities_with", **{"kinds": "canteen", **ALL, **cells})])
    with pytest.raises(xh.DataError) as caught:
        lg.ledger(district)
    problem = caught.value.problems.iloc[0]
    assert (problem["file"], problem["row"], problem["field"]) == ("standards/measures.csv", "T1.c", field)


def test_one_schematic_row_makes_a_demonstration() -> None:
    rows = [measure("c", "communities_with", kinds="canteen", **ALL), measure("d", "count", kinds="fitness")]
    table = of_t1(toy_with(rows, F2={"basis": "schematic"}))
    assert (
        table.loc["c", "verdict"] == "演示值（不作结论）"
        and table.loc["c", "demonstration"] == "设施 1 处中 1 处为示意"
    )
    assert table.loc["d", "verdict"] == "报现状（原文无量化目标）"


def test_a_schematic_gate_is_part_of_the_way() -> None:
    rows = dict(toy_with([measure("c", "coverage", **CIRCLE), measure("d", "count", kinds="fitness")]).rows)
    gates = rows["gates"].assign(basis=["schematic", "", "", ""]).replace({"basis": {"": np.nan}})
    table = of_t1(toy().with_rows({**rows, "gates": gates}))
    assert (
        table.loc["c", "verdict"] == "演示值（不作结论）" and "小区出入口 4 处中 1 处为示意" in table.loc["c", "text"]
    )
    assert "homes/gates.geojson" in table.loc["c", "inputs"] and table.loc["d", "demonstration"] == ""


def test_a_promise_nobody_measures_says_so() -> None:
    table = lg.ledger(toy_with([]))
    assert list(table.index) == [("T1", "T1"), ("T2", "T2")] and (table["verdict"] == "数据不足").all()


# --- explain, workbook, page ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_explain_names_inputs_and_formula(bundled: xh.District, table: pd.DataFrame) -> None:
    text = lg.explain(table, "S17.people")
    for part in (
        "协调推进1-2个社区卫生服务站建设",
        "homes/homes.geojson",
        str(bundled.files.loc["homes", "sha256"])[:16],
        "2026-11-24",
        "合成",
        "15 分钟",
        "1.1 m/s",
        "公式：",
        "演示值（不作结论）",
        "X04",
        "rules.csv",
    ):
        assert part in text, part
    assert lg.explain(table, ("S17", "S17.people")) == text and text in lg.explain(table, "S17")
    with pytest.raises(xh.UnknownNameError, match=r"S17\.people"):
        lg.explain(table, "S17.peple")


@pytest.mark.slow
def test_every_row_can_be_explained(bundled: xh.District, table: pd.DataFrame) -> None:
    """Inputs (file, hash, date, basis), measure, parameters, formula in words: for each row of both tables."""
    for part in (table, lg.beyond(bundled)):
        for key in part.index:
            name = key[-1] if isinstance(key, tuple) else key
            row, text = part.loc[key], xh.explain(part, name)
            assert text.startswith(f"{name}　{row['label']}")
            assert all(f"\n{word}：" in text for word in ("怎么量", "算法", "公式", "参数", "输入", "一句话"))
            lines = text.split("输入：\n")[1].split("\n")
            assert {"规划承诺表", "量法表"} <= {line.strip().split("｜")[0] for line in lines}
            for line in lines:
                layer, file, digest, *rest = line.strip().split("｜")
                known = bundled.files[(bundled.files["file"] == file).to_numpy()]
                assert digest.removeprefix("sha256 ") == known["sha256"].iloc[0][:16], layer
                if "standards/" not in file and "pois/kinds" not in file:
                    assert rest[0].startswith("20") and rest[1] in (
                        "示意",
                        "合成",
                        "官方",
                        "开放地图",
                        "推算",
                        "实测",
                    ), line
            if np.isfinite(row["value"]):
                assert number_text(row["value"], row["unit"]) in text


@pytest.mark.slow
def test_workbook_keeps_what_was_filled_in(tmp_path: Path) -> None:
    district = toy_with([measure("c", "communities_with", kinds="canteen", **ALL)])
    table = lg.ledger(district)
    path = tmp_path / "out" / "规划目标落实核对表.xlsx"
    book_of.ledger_workbook(district, table, path)
    first = path.read_bytes()
    book_of.ledger_workbook(district, table, path)
    assert path.read_bytes() == first, "same inputs, same bytes"
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == [
        "核对表",
        "专栏1",
        "任务分解表",
        "社区一览",
        "规划之外的标准",
        "未列入的表述",
        "原文矛盾",
        "来源",
        "专栏1底稿",
    ]
    assert [sheet.title for sheet in book if sheet.sheet_state != "visible"] == ["专栏1底稿"]
    sheet = book["核对表"]
    head = [cell.value for cell in sheet[3]]
    assert sheet["A2"].value.startswith("2 项目标：部分达标 1，数据不足 1。")
    # what a meeting asks is printed, how it was made is not; whole numbers have no point
    assert head[:2] == ["任务", "原文"] and sheet.print_area.endswith(
        f"${openpyxl.utils.get_column_letter(head.index('缺什么') + 1)}$5"
    )
    assert head.index("差距") < head.index("缺什么") < head.index("参数")
    at = head.index("差距涉及")
    assert head[at : at + 3] == ["差距涉及", "涉及什么", "涉及的依据"]
    assert [sheet.cell(4, at + j).value for j in (1, 2, 3)] == [100, "常住人口（人）", "实测"]
    assert (
        sheet.cell(4, head.index("数值") + 1).value == 50
        and sheet.cell(4, head.index("数值") + 1).number_format == "#,##0"
    )
    sheet = book["任务分解表"]
    head = [cell.value for cell in sheet[3]]
    assert sheet.freeze_panes == "C4" and head[0] == "编号" and head[-5:] == list(book_of.USER_COLUMNS)
    sheet.cell(4, head.index("责任科室") + 1, "=民政科")
    sheet.cell(5, head.index("进度") + 1, 60)
    sheet.cell(6, 1, "T8")
    sheet.cell(6, head.index("佐证材料") + 1, "会议纪要")
    book.save(path)
    again = tmp_path / "again.xlsx"
    book_of.ledger_workbook(district, table, again, earlier=path)
    kept = book_of.read_tasks(again)
    assert kept.loc["T2", "进度"] == 60 and kept.loc["T8", "佐证材料"] == "会议纪要"
    for row in openpyxl.load_workbook(again)["任务分解表"].iter_rows():
        assert all(cell.data_type != "f" for cell in row)


#: What the ledger writes.
OUTPUTS = (
    ".xinhe.json",
    "communities.html",
    "ledger-receipts.html",
    "ledger.html",
    "ledger.json",
    "maps/evidence.html",
    "tables/规划目标落实核对表.xlsx",
)


def written(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.slow
@pytest.mark.matrix
def test_every_output_is_the_same_to_the_byte(tmp_path: Path) -> None:
    rows = [measure(name, metric, **cells) for name, metric, cells, _, _ in BY_HAND]
    folder = folder_with(tmp_path / "toy", [*rows, measure("s", "series", **SUM)])
    for out in ("a", "b", "b"):  # into an empty folder, another, and over what is there
        district = xh.District.load(folder)
        write_ledger(district, lg.ledger(district), tmp_path / out)
    first = written(tmp_path / "a")
    assert tuple(first) == OUTPUTS and first == written(tmp_path / "b")


@pytest.mark.slow
@pytest.mark.parametrize("bundled", [False, pytest.param(True, marks=pytest.mark.matrix)])
def test_the_outputs_are_the_same_in_any_process(tmp_path: Path, bundled: bool) -> None:
    """Another order of hashes, another time zone, another folder."""
    rows = [measure(name, metric, **cells) for name, metric, cells, _, _ in BY_HAND]
    own = [] if bundled else [str(folder_with(tmp_path / "toy", [*rows, measure("s", "series", **SUM)]))]
    for out, seed, zone in (("a", "1", "UTC"), ("b", "2", "Asia/Shanghai")):
        env = {**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "PYTHONPATH": str(ROOT)}
        args = [sys.executable, "-m", "xinhe_geo", "ledger", *own, "--out", str(tmp_path / out)]
        subprocess.run(args, check=True, env=env, cwd=tmp_path, capture_output=True)
    first = written(tmp_path / "a")
    assert tuple(first) == OUTPUTS and first == written(tmp_path / "b")


@pytest.mark.slow
def test_libreoffice_finds_every_cell_as_it_was_written(tmp_path: Path) -> None:
    """Nothing is repaired, nothing lost: about ten seconds."""
    soffice = shutil.which("soffice")
    if soffice is None:
        pytest.skip("LibreOffice is not there")
    rows = [measure(name, metric, **cells) for name, metric, cells, _, _ in BY_HAND]
    district = toy_with([*rows, measure("s", "series", **SUM)], series=figures(y2021=4, y2022=5))
    path, again = tmp_path / "a" / "核对表.xlsx", tmp_path / "b" / "核对表.xlsx"
    book_of.ledger_workbook(district, lg.ledger(district), path)
    profile = f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"
    command = [soffice, profile, "--headless", "--convert-to", "xlsx", "--outdir", str(again.parent), str(path)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    ours, theirs = openpyxl.load_workbook(path), openpyxl.load_workbook(again)
    assert ours.sheetnames == theirs.sheetnames
    for sheet in ours:
        other = theirs[sheet.title]
        assert sheet.freeze_panes == other.freeze_panes and sheet.dimensions == other.dimensions
        for row in sheet.iter_rows():
            for cell in row:
                read = other[cell.coordinate].value
                assert read == (pytest.approx(cell.value) if isinstance(cell.value, float) else cell.value), (
                    cell.coordinate
                )


def test_a_damaged_workbook_is_not_written_over(tmp_path: Path) -> None:
    district = toy_with([])
    path = tmp_path / "规划目标落实核对表.xlsx"
    path.write_bytes(b"not a workbook")
    with pytest.raises(xh.EnvironmentProblem, match="任务分解表"):
        book_of.ledger_workbook(district, lg.ledger(district), path)
    assert path.read_bytes() == b"not a workbook" and list(tmp_path.glob(".*.part")) == []


def test_the_panel_shows_years_and_targets(tmp_path: Path) -> None:
    row = measure("s", "series", **SUM)
    district = toy_with([row], series=figures(y2020=4.4, y2021=4, y2022=5))
    panel = panel_sheet(district, lg.ledger(district))
    assert (
        list(panel["编号"]) == ["T1"]
        and panel.loc[0, "2020"] == 4.4
        and panel.loc[0, "2022"] == 5
        and panel.loc[0, "目标"] == 20
    )
    assert math.isnan(panel.loc[0, "2025"]) and panel.loc[0, "判定"] == "待填"


@pytest.mark.slow
def test_the_panel_is_open_only_where_it_is_read(tmp_path: Path) -> None:
    district = toy_with([measure("s", "series", **SUM)], series=figures(y2021=4, y2022=5))
    book_of.ledger_workbook(district, lg.ledger(district), tmp_path / "book.xlsx")
    book = openpyxl.load_workbook(tmp_path / "book.xlsx")
    assert [sheet.title for sheet in book if sheet.protection.sheet] == ["专栏1"]
    sheet = book["专栏1"]
    assert not sheet.protection.autoFilter and "--take" in sheet["A2"].value
    open_cells = {sheet.cell(3, c.column).value for c in sheet[4] if not c.protection.locked}
    assert open_cells == {"2021", "2022", "2023", "2024", "2025"}
    assert len(sheet._charts) == 1


def test_trend_to_the_target() -> None:
    row = measure("s", "series", **SUM)
    district = toy_with([row], series=figures(y2020=4.4, y2021=4, y2022=5))
    m = lg.measure_rows(district)[0]
    table = typed_in.trend(district, m)
    assert list(table.index) == [2020, 2021, 2022, 2023, 2024, 2025]
    assert table["actual"].tolist()[1:3] == [4, 9] and table["actual"].isna().sum() == 4
    assert list(table["path"]) == pytest.approx([0, 4, 8, 12, 16, 20])
    latest = typed_in.trend(district, {**m, "aggregate": "latest", "low": 14.4})
    assert latest["actual"].tolist()[:2] == [4.4, 4] and latest["path"].tolist() == pytest.approx(
        [4.4, 6.4, 8.4, 10.4, 12.4, 14.4]
    )
    page = ledger_page(district, lg.ledger(district))
    assert page.count('class="trend"') == 1 and "2021：4 亿元" in page


def test_page_is_one_file_and_escapes(tmp_path: Path) -> None:
    row = measure("c", "communities_with", kinds="canteen", **ALL)
    district = toy_with([row])
    page = ledger_page(district, lg.ledger(district), maps={"plan_clinic_15": "maps/plan_clinic_15.html"})
    assert "&lt;b&gt;完善&lt;/b&gt;十五分钟圈" in page and "<b>完善</b>" not in page
    assert "http:" not in page and "https:" not in page and 'src="' not in page
    assert 'data-lacks="T01"' in page and "甲社区：c：缺老年食堂" in page
    assert 'data-category="养老;医疗"' in page and "default-src 'none'" in page and page.count('class="promise"') == 2
    assert page == ledger_page(district, lg.ledger(district), maps={"plan_clinic_15": "maps/plan_clinic_15.html"})


@pytest.mark.matrix
@pytest.mark.browser
def test_page_filters(tmp_path: Path, chromium: Any, bundled: xh.District, table: pd.DataFrame) -> None:
    path = tmp_path / "ledger.html"
    path.write_text(ledger_page(bundled, table), "utf-8")
    page = chromium.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(path.as_uri())
    assert page.inner_text("#count") == "56 / 56"
    states = page.locator(".states a").evaluate_all("links => links.map(link => link.textContent)")
    assert sorted(states) == sorted(lg.verdicts(table).index), "all of them, by their state, come first"
    assert page.locator(".promise:visible").count() == page.locator("main > .promise").count() < 56
    folded = page.locator(".typed .promise").first.get_attribute("id")
    page.locator(f".states a[href='#{folded}']").click()
    page.wait_for_selector(f"#{folded}[open]")
    assert page.locator(f"#{folded}").is_visible(), "a code leads into the fold"
    page.select_option("#category", "养老")
    assert page.inner_text("#count") == "4 / 56" and page.locator(".promise:visible").count() == 4
    page.fill("#find", "没有这样的字")
    assert page.inner_text("#count") == "0 / 56"
    page.fill("#find", "")
    page.select_option("#category", "")
    page.check("#gap")
    own = table[(table["role"] == "own") & (table["gap"] != "")]
    # what is judged by typed figures alone is folded together below the others
    typed = (table.loc[table["role"] == "own", "metric"] == "series").groupby(level="commitment").all()
    short = sorted(dict.fromkeys(own.index.get_level_values("commitment")), key=lambda code: bool(typed[code]))
    assert page.locator(".promise:visible").evaluate_all("rows => rows.map(row => row.id)") == short
    page.uncheck("#gap")
    chip = page.locator("button.verdict", has_text="待填")
    chip.click()
    assert page.inner_text("#count") == f"{(lg.verdicts(table) == '待填').sum()} / 56"
    chip.click()
    assert page.inner_text("#count") == "56 / 56"
    targets = community_targets(bundled, table)
    for code in ("120116006010", "120116006001"):
        short = targets.loc[code][targets.loc[code, "short"].to_numpy(dtype=bool)]
        wanted = [c for c in dict.fromkeys(short["commitment"]) if c]
        page.select_option("#community", code)
        shown = page.locator(".promise:visible").evaluate_all("rows => rows.map(row => row.id)")
        assert sorted(shown) == sorted(wanted) and 0 < len(wanted) < 56
        first = short[(short["commitment"] == shown[0]).to_numpy()].iloc[0]
        line = page.locator(f"#{shown[0]} .here:visible")
        assert line.count() == 1 and first["text"] in line.inner_text()
        page.locator(f"#{shown[0]} > summary").click()
        link = page.locator(f"#{shown[0]} .inside .here:visible a")
        assert link.get_attribute("href") == f"communities.html#c-{code}"
        page.locator(f"#{shown[0]} > summary").click()
    page.close()
    assert said == []


@pytest.mark.slow
def test_no_frame_of_the_district_is_changed(bundled: xh.District, table: pd.DataFrame) -> None:
    assert isinstance(bundled.layers["homes"], gpd.GeoDataFrame) and len(table)
    assert "served" not in bundled.layers["homes"].columns


def test_parts_of_homes_are_not_counted_as_homes() -> None:
    rows = toy().homes
    halves = pd.Series([0.5, 0.25, 1.0], index=rows.index[:3])
    assert homes._missed(rows, halves, "homes").startswith("折合 1.80 个小区不可达，涉及 3 个小区：")
    assert homes._missed(rows, halves.round(), "homes").startswith("1 个小区不可达，在 1 个小区：")


def test_a_bracket_that_a_cell_of_the_plan_cut_off_is_closed() -> None:
    assert lg.quoted("增速(%") == "“增速(%)”" and lg.quoted("面积(亩)") == "“面积(亩)”"


def only_mapped(district: xh.District, *kinds: str) -> xh.District:
    """Return a district of which some kinds were only seen on a map; the others that it lists were surveyed."""
    listed = [kind for kind in district.manifest["surveyed_kinds"] if kind not in kinds]
    said = {"schema": 1, "surveyed_kinds": listed, "mapped_kinds": list(kinds)}
    return replace(district, manifest=MappingProxyType({**district.manifest, **said}))


#: Metrics that rest on facilities of some kinds; two do by what their rows say.
OF_KINDS = {"named", "change", *(name for name, own in _measures.METRICS.items() if "facilities" in own.layers)}


@pytest.mark.slow
def test_no_row_is_judged_by_facilities_only_seen_on_a_map() -> None:
    """All rows worked out by hand: those that rest on facilities say what to survey, the others stand as they are."""
    rows = [measure(name, metric, **cells) for name, metric, cells, *_ in BY_HAND]
    plain = toy_with(rows)
    before, after = of_t1(plain), of_t1(only_mapped(plain, *plain.manifest["surveyed_kinds"]))
    rests = 0
    for row in rows:
        name = row["measure"].removeprefix("T1.")
        counts = row["metric"] == "count" and not row.get("layer")
        if row["metric"] in OF_KINDS or counts or row.get("relation") == "facilities":
            rests += 1
            assert after.loc[name, "verdict"] == "数据不足" and np.isnan(after.loc[name, "value"]), name
            assert after.loc[name, "gap"] == "" and np.isnan(after.loc[name, "gap_size"]), name
            if before.loc[name, "verdict"] != "数据不足":
                assert "没有调查过" in after.loc[name, "needs"] and after.loc[name, "fix"].startswith("先调查"), name
        else:
            pd.testing.assert_series_equal(before.loc[name], after.loc[name])
    assert rests > 15


def test_kinds_counted_one_by_one_leave_out_what_was_only_seen_on_a_map() -> None:
    """Canteen, fitness spot and party centre stand in the district, day care does not: 3 of 4; without the canteen 2 of 3."""
    kinds = "canteen;fitness;party_service_center;elderly_daycare"
    district = toy_with([measure("k", "kinds_present", kinds=kinds, unit="类"), measure("c", "count", kinds=kinds)])
    assert of_t1(district).loc["k", "value"] == 3
    table = of_t1(only_mapped(district, "canteen"))
    assert table.loc["k", "value"] == 2 and "没有调查过、未计入" in table.loc["k", "needs"]
    assert table.loc["c", "verdict"] == "数据不足"  # together they may be more


@pytest.mark.slow
def test_a_row_stays_as_before_a_plan_only_where_its_metric_says_all_that_it_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A count of canteens, and a plan that closes a clinic; then the same row of a metric that says nothing of what it reads."""
    before = toy_with([measure("c", "count", kinds="canteen")])
    after = xh.Scenario("p", edits=(Edit("close_facility", {"facility": "F1"}),)).on(before)
    row = next(m for m in lg.measure_rows(before) if m["measure"] == "T1.c")
    assert _measures.unchanged(after, row) is not None
    monkeypatch.setitem(_measures.METRICS, "untold", Metric("甲", "乙", layers=("facilities",)))
    assert _measures.unchanged(after, {**row, "metric": "untold"}) is None


#: A home: its group, its level, what it counts.
HOME = st.tuples(st.sampled_from(["a", "b", None]), *[st.sampled_from([0.0, 0.25, 1.0, 3.0, math.nan])] * 2)


@given(st.lists(HOME, min_size=1, max_size=6))
def test_the_mean_of_a_group_is_of_those_who_count(rows: list[tuple[str | None, float, float]]) -> None:
    """A group in which nobody counts, or nothing is known, has none; the lowest comes first."""
    frame = pd.DataFrame(rows, columns=["group", "level", "weight"], index=[f"h{i}" for i in range(len(rows))])
    of: dict[str, list[tuple[float, float]]] = {}
    for group, level, weight in rows:
        if group and weight > 0 and not math.isnan(level):
            of.setdefault(group, []).append((level * weight, weight))
    want = {group: 100 * sum(a for a, _ in own) / sum(b for _, b in own) for group, own in of.items()}
    asked = cast("xh.District", SimpleNamespace(groups={"community": frame["group"].astype("str")}, layers={}))
    try:
        found = homes.mean_by_group(asked, {"group": "community"}, frame["level"], frame["weight"])
    except Lacks:
        assert not want
    else:
        assert found.to_dict() == pytest.approx(want) and found.is_monotonic_increasing and want


def test_a_home_drawn_as_a_point_has_no_land_that_is_known() -> None:
    shapes = [shapely.box(0, 0, 10, 5), shapely.Point(0, 0), None]
    drawn = gpd.GeoDataFrame({"people": [1.0, 0.0, math.nan]}, geometry=shapes, index=list("abc"))
    assert weight_of(drawn, "area_m2").to_dict() == pytest.approx({"a": 50, "b": math.nan, "c": math.nan}, nan_ok=True)
    assert weight_of(drawn, "people").to_dict() == pytest.approx({"a": 1, "b": 0, "c": math.nan}, nan_ok=True)
