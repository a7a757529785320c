"""What each community has and lacks, on the toy district by hand and on the bundled one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from ledger_toy import ALL, CIRCLE, measure, toy, toy_with

import xinhe_geo as xh
from xinhe_geo.ledger.communities import (
    community_minutes,
    community_overview,
    community_sheet,
    community_targets,
)
from xinhe_geo.ledger.metrics.base import Lacks
from xinhe_geo.ledger.metrics.homes import mean_by_group

ENOUGH = {"kinds": "clinic_station", "field": "count", "per": 300, "norm": 1, "decay": "walk15", "unit": "%"}
ROWS = [
    measure("canteen", "communities_with", kinds="canteen", **ALL),
    measure("both", "communities_with", kinds="clinic_station;canteen", combine="all", **ALL),
    measure("one", "communities_with", kinds="canteen", scope="community", codes="乙社区", unit="个"),
    measure("circle", "coverage", **{**ALL, **CIRCLE}),
    measure("daily", "completeness", kinds="clinic_station;canteen", minutes=6, unit="%"),
    measure("enough", "capacity", role="beside", **ENOUGH),
    measure("aside", "coverage", role="beside", unit="%", **CIRCLE),
    measure("lacking", "communities_with", kinds="market", **ALL),
]


@pytest.fixture(scope="module")
def targets() -> pd.DataFrame:
    district = toy_with(ROWS)
    return community_targets(district, xh.ledger(district))


#: 甲社区 (T01): A, and C whose people are unknown, the station (E is in no community); 乙社区 (T02): B and D, the canteen.
@pytest.mark.parametrize(
    ("community", "name", "value", "verdict", "text"),
    [
        (
            "T01",
            "canteen",
            0,
            "未达标",
            "缺老年食堂（社区食堂），涉及常住人口 100 人（依据：实测）；1 处小区的常住人口不详、未计入",
        ),
        ("T02", "canteen", 1, "达标", "有"),
        ("T02", "both", 0, "未达标", "缺社区卫生服务站，涉及常住人口 250 人（依据：实测）"),
        ("T02", "one", 1, "报现状（原文无量化目标）", "有"),
        # shares as every page writes them: whole per cent, 100% only where nobody is missing
        ("T01", "circle", 100, "达标", "100%"),
        ("T02", "circle", 100, "达标", "100%"),
        ("T01", "daily", 50, "报现状（原文无量化目标）", "50%"),
        ("T02", "enough", 0.68 * 300 / 270 * 100, "报现状（原文无量化目标）", "76%，差 61 人"),
    ],
)
def test_each_community_by_hand(
    targets: pd.DataFrame, community: str, name: str, value: float, verdict: str, text: str
) -> None:
    row = targets.loc[(community, f"T1.{name}")]
    assert row["value"] == pytest.approx(value) and row["verdict"] == verdict and row["text"] == text
    assert row["short"] == (value < 100 and text != "有")


def test_only_what_can_be_taken_of_one_community_is_there(targets: pd.DataFrame) -> None:
    assert "T1.aside" not in targets.index.get_level_values("measure")  # beside the plan's own measure
    assert "T1.lacking" not in targets.index.get_level_values("measure")  # nobody looked for markets
    assert ("T01", "T1.one") not in targets.index
    assert targets.loc[("T01", "T1.circle"), "whole"] == pytest.approx(350 / 360 * 100)


def test_who_lives_there_and_what_is_there() -> None:
    overview = community_overview(toy())
    assert list(overview.index) == ["T01", "T02"] and list(overview["name"]) == ["甲社区", "乙社区"]
    assert list(overview["people"]) == [100, 250] and list(overview["people_60plus"]) == [40, 70]
    assert list(overview["homes"]) == [2, 2] and overview.loc["T01", "has"] == "社区卫生服务站 1"
    assert (
        "老年食堂" in overview.loc["T01", "lacks_promised"]
        and "社区卫生服务站" in overview.loc["T02", "lacks_essential"]
    )


def test_minutes_to_the_nearest_by_hand() -> None:
    """To the station: A 210 m. B 590 m and D 540 m over the bridge (30 s): by people (200, 50)."""
    minutes = community_minutes(toy())
    assert minutes.loc[("T01", "canteen"), "minutes"] == pytest.approx(760 / 66 + 0.5)
    assert minutes.loc[("T01", "clinic_station"), "minutes"] == pytest.approx(210 / 66)
    assert minutes.loc[("T01", "clinic_station"), "within"] == 1
    assert minutes.loc[("T02", "clinic_station"), "minutes"] == pytest.approx((200 * 590 + 50 * 540) / 250 / 66 + 0.5)


@pytest.mark.parametrize(("b", "d", "metres"), [(0, 1, 540), (1, 0, 590), (0.25, 0.75, 552.5), (0, 0, 565)])
def test_the_mean_walk_of_a_community_is_of_whoever_lives_there_be_it_one(b: float, d: float, metres: float) -> None:
    """B walks 590 m and D 540 m: one person alone is the mean; where nobody lives, the points of homes are, one each."""
    homes = toy().rows["homes"].copy()
    homes["people"] = homes["people"].astype("float64")
    homes.loc[["B", "D"], "people"] = [b, d]
    minutes = community_minutes(toy().with_rows({"homes": homes}))
    assert minutes.loc[("T02", "clinic_station"), "minutes"] == pytest.approx(metres / 66 + 0.5)


def test_the_mean_of_each_group_is_of_those_of_whom_something_is_known() -> None:
    """T01 has A and C, T02 has B and D, E is in none: means by weight, the lowest first; with nobody known it says what is lacking."""
    level = pd.Series({"A": 1.0, "B": 0.5, "C": np.nan, "D": 0.0, "E": 0.0})
    weights = pd.Series({"A": 100.0, "B": 200.0, "C": 7.0, "D": 50.0, "E": 10.0})
    m = {"group": "community"}
    found = mean_by_group(toy(), m, level, weights)
    assert list(found.index) == ["T02", "T01"] and list(found) == [pytest.approx(40.0), 100.0]
    for nobody in (level * np.nan, level.where(level.index == "E")):
        with pytest.raises(Lacks, match="社区里没有小区"):
            mean_by_group(toy(), m, nobody, weights)


@pytest.mark.slow
def test_without_communities_or_homes_nothing_is_made_up() -> None:
    district = toy_with(ROWS)
    for layer in ("communities", "homes", "facilities", "streets"):
        without = district.with_rows({layer: None})
        table = xh.ledger(without)
        assert len(community_sheet(without, table)) == (1 if layer == "communities" else 2)


@pytest.mark.slow
@pytest.mark.matrix
def test_the_bundled_district_concludes_nothing() -> None:
    district = xh.District.load()
    table = xh.ledger(district)
    targets = community_targets(district, table)
    assert targets.index.get_level_values("community").nunique() == 13
    assert set(targets["verdict"]) == {"演示值（不作结论）"}
    sheet = community_sheet(district, table)
    assert len(sheet) == 13 and sheet["有"].ne("").all() and np.isfinite(sheet["常住人口"]).all()
