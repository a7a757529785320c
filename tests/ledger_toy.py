"""The toy district with promises of its own, and what its measures come to, worked out by hand."""

from __future__ import annotations

import csv
import functools
import importlib
import math
import shutil
from pathlib import Path
from typing import Any

import pandas as pd

import xinhe_geo as xh
from xinhe_geo.core.schema import LAYERS
from xinhe_geo.core.validate import check_rows

#: `xinhe_geo.ledger.ledger` is the function; its module goes by the same name.
lg = importlib.import_module("xinhe_geo.ledger.ledger")

TOY = Path(__file__).parent / "toy"
NO_CONTRADICTION = {"id": "X1", "issue": "两个数。", "quote_a": "甲", "handling": "并列。", "touches": "T1"}
PROMISES = [
    {
        "id": "T1",
        "kind": "commitment",
        "quote": "社区全覆盖",
        "section": "一",
        "category": "养老;医疗",
        "spatial_unit": "社区",
        "binding": "约束性",
    },
    {
        "id": "T2",
        "kind": "commitment",
        "quote": "<b>完善</b>十五分钟圈",
        "section": "二",
        "category": "便民",
        "spatial_unit": "街道",
    },
    {"id": "T9", "kind": "left_out", "quote": "其余", "section": "三", "category": "便民", "note": "没有数"},
]


def write(path: Path, layer: str, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [c for c in LAYERS[layer].names if c != "row"])
        writer.writeheader()
        writer.writerows(rows)


def measure(name: str, metric: str, /, **cells: Any) -> dict[str, Any]:
    row = {
        "measure": f"T1.{name}",
        "commitment": "T1",
        "label": name,
        "metric": metric,
        "role": "own",
        "scope": "district",
    }
    return {**row, "text": "手算", **({"target_from": "plan"} if "operator" in cells else {}), **cells}


def folder_with(
    folder: Path,
    measures: list[dict[str, Any]],
    *,
    series: list[dict[str, Any]] | None = None,
    drop: tuple[str, ...] = (),
) -> Path:
    """Return a copy of the toy district with its own tables, and without some layers."""
    shutil.copytree(TOY, folder)
    tables = {"commitments": PROMISES, "measures": measures, "contradictions": [NO_CONTRADICTION]}
    manifest = (folder / "district.toml").read_text("utf-8")
    for layer in drop:
        before, _, after = manifest.partition(f"[layers.{layer}]")
        manifest = before + (after[after.index("[layers.") :] if "[layers." in after else "")
    for name, rows in tables.items():
        write(folder / "tables" / f"{name}.csv", name, rows)
        manifest += f'\n[layers.{name}]\nfile = "tables/{name}.csv"\n'
    (folder / "district.toml").write_text(manifest, "utf-8")
    return folder


def read(layer: str, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return rows as they come through the door."""
    names = [c for c in LAYERS[layer].names if c != "row"]
    text = pd.DataFrame(rows, columns=names).astype(object)
    frame, problems = check_rows(LAYERS[layer], text, "")
    assert not problems
    return frame


@functools.cache
def toy() -> xh.District:
    return xh.District.load(TOY)


def toy_with(
    measures: list[dict[str, Any]], *, series: list[dict[str, Any]] | None = None, **facilities: dict[str, Any]
) -> xh.District:
    """Return the toy district with its own tables, and some facilities with other attributes."""
    rows = dict(toy().rows)
    tables = {"commitments": PROMISES, "measures": measures, "contradictions": [NO_CONTRADICTION], "series": series}
    rows |= {name: read(name, table) for name, table in tables.items() if table is not None}
    places = rows["facilities"].copy()
    for facility, cells in facilities.items():
        for column, value in cells.items():
            places.loc[facility, column] = value
    return toy().with_rows({**rows, "facilities": places})


def evaluated(*measures: dict[str, Any], series: list[dict[str, Any]] | None = None) -> pd.DataFrame:
    return of_t1(toy_with(list(measures), series=series))


def of_t1(district: xh.District) -> pd.DataFrame:
    return lg.ledger(district).loc["T1"].rename(lambda name: name.removeprefix("T1."))


NORTH, SOUTH = {"scope": "zone", "codes": "north"}, {"scope": "zone", "codes": "south"}
ALL = {"unit": "%", "operator": ">=", "low": 100}
RIVER = {"scope": "line", "lines": "barriers", "codes": "river;river2"}
CIRCLE = {"rule": "plan_clinic_15", "weight": "people"}
# 15 min at 1.1 m/s is 990 m: A 210 m, B 590 m and D 540 m over the bridge (30 s) get there; E has no way. Known people: 360.
REACHED = 350 / 360 * 100
TOPOLOGY = {"layer": "zones", "other_layer": "district", "unit": "%"}

#: name, metric, cells, value, verdict
BY_HAND: list[tuple[str, str, dict[str, Any], float, str]] = [
    # 乙社区 has the canteen, the fitness spot and the party centre, 甲社区 has the station; nobody has day care
    ("canteen", "communities_with", {"kinds": "canteen", **ALL}, 50, "部分达标"),
    ("daycare", "communities_with", {"kinds": "elderly_daycare", **ALL}, 0, "未达标"),
    ("either", "communities_with", {"kinds": "clinic_station;canteen", **ALL}, 100, "达标"),
    ("both", "communities_with", {"kinds": "clinic_station;canteen", "combine": "all", **ALL}, 0, "未达标"),
    (
        "named",
        "communities_with",
        {"kinds": "canteen", "scope": "community", "codes": "T02", "unit": "个", "operator": ">=", "low": 1},
        1,
        "达标",
    ),
    ("zone", "communities_with", {"kinds": "canteen", "unit": "%", **SOUTH}, 0, "报现状（原文无量化目标）"),
    ("lacking", "communities_without", {"kinds": "canteen", "unit": "个", "operator": "<=", "high": 0}, 1, "未达标"),
    ("circle", "coverage", {"unit": "%", **CIRCLE}, REACHED, "报现状（原文无量化目标）"),
    ("circle_100", "coverage", {**ALL, **CIRCLE}, REACHED, "部分达标"),
    ("circle_97", "coverage", {**ALL, **CIRCLE, "low": 97}, REACHED, "达标"),
    ("circle_line", "coverage", {**ALL, **CIRCLE, "target_from": "reference"}, REACHED, "报现状（原文无量化目标）"),
    ("circle_north", "coverage", {"unit": "%", **CIRCLE, **NORTH}, 100, "报现状（原文无量化目标）"),
    # of the four homes with land only A is within 300 m; the 300 m are from memory
    ("unverified", "coverage", {**ALL, "rule": "gb50180_clinic_station", "weight": "area_m2"}, 25, "参考值（未核）"),
    # both the canteen and the station in 15 min at 0.8 m/s (720 m): B 60 and 590 m, D 310 and 540 m; A has 760 m to the canteen
    (
        "jointly",
        "coverage",
        {"unit": "%", "rule": "plan_elderly_canteen_15", "also_rules": "plan_elderly_clinic_15"},
        70 / 115 * 100,
        "报现状（原文无量化目标）",
    ),
    # 6 min are 396 m: the station for A, the canteen for B and D; half of what was asked for each, nothing for E
    (
        "half",
        "completeness",
        {"unit": "%", "kinds": "clinic_station;canteen", "minutes": 6, "weight": "people"},
        175 / 360 * 100,
        "报现状（原文无量化目标）",
    ),
    (
        "complete",
        "completeness",
        {"unit": "%", "kinds": "clinic_station;canteen", "minutes": 6, "combine": "all"},
        0,
        "报现状（原文无量化目标）",
    ),
    ("count", "count", {"kinds": "fitness", "unit": "处", "operator": ">=", "low": 1}, 1, "达标"),
    ("count_2", "count", {"kinds": "fitness", "unit": "处", "operator": ">=", "low": 2}, 1, "部分达标"),
    ("count_south", "count", {"kinds": "fitness", "unit": "处", "operator": ">=", "low": 1, **SOUTH}, 0, "未达标"),
    (
        "since",
        "count",
        {"kinds": "clinic_station", "unit": "处", "operator": ">=", "low": 1, "since": 2021},
        0,
        "未达标",
    ),
    ("exactly", "count", {"layer": "communities", "unit": "个", "operator": "==", "low": 1, **SOUTH}, 1, "达标"),
    (
        "between",
        "count",
        {"layer": "communities", "unit": "个", "operator": "between", "low": 3, "high": 4},
        2,
        "未达标",
    ),
    (
        "kinds",
        "kinds_present",
        {"kinds": "canteen;fitness;clinic_station", "unit": "类", **NORTH},
        2,
        "报现状（原文无量化目标）",
    ),
    (
        "area",
        "area",
        {"layer": "zones", "unit": "km²", "operator": "between", "low": 0.285, "high": 0.315, **NORTH},
        0.3,
        "达标",
    ),
    (
        "per_head",
        "area",
        {"layer": "communities", "unit": "m²", "per": 1, "weight": "people"},
        390_000 / 360,
        "报现状（原文无量化目标）",
    ),
    (
        "inside",
        "topology",
        {**TOPOLOGY, "codes": "north", "relation": "inside", "operator": ">=", "low": 99.5},
        100,
        "达标",
    ),
    (
        "north_of",
        "topology",
        {"layer": "zones", "codes": "north", "other_layer": "barriers", "relation": "north_of", **ALL},
        100,
        "达标",
    ),
    (
        "south_of",
        "topology",
        {"layer": "zones", "codes": "south", "other_layer": "barriers", "relation": "north_of", **ALL},
        0,
        "未达标",
    ),
    ("tiles", "topology", {**TOPOLOGY, "relation": "tiles", "operator": "<=", "high": 0.1}, 0, "达标"),
    ("covered", "topology", {**TOPOLOGY, "layer": "communities", "relation": "covered", **ALL}, 65, "未达标"),
    ("overlap", "topology", {**TOPOLOGY, "relation": "overlap", "operator": "<=", "high": 0}, 0, "达标"),
    (
        "straddle",
        "topology",
        {"layer": "district", "other_layer": "zones", "relation": "straddle", "operator": "<=", "high": 0},
        1,
        "未达标",
    ),
    # the party centre is inside 乙苑: 22.4 m to the gate, 20 m to the street, where the canteen lies 10 m off: 52.4 m
    (
        "near",
        "near",
        {"kinds": "canteen", "near_kinds": "party_service_center", "metres": 53, "unit": "处"},
        1,
        "报现状（原文无量化目标）",
    ),
    (
        "not_near",
        "near",
        {"kinds": "canteen", "near_kinds": "party_service_center", "metres": 52, "unit": "处"},
        0,
        "报现状（原文无量化目标）",
    ),
    # the canteen lies 40 m from the river, the station 250 m
    (
        "along",
        "along",
        {
            "kinds": "clinic_station;canteen",
            "relation": "facilities",
            "metres": 100,
            "unit": "处",
            "operator": ">=",
            "low": 2,
            **RIVER,
        },
        1,
        "部分达标",
    ),
    # nobody crosses the two banks themselves: the longer one is 640 m
    ("spacing", "along", {"relation": "spacing", "unit": "m", **RIVER}, 640, "报现状（原文无量化目标）"),
    # of the gates (A, B twice, E) only A's home has the station within 6 min
    (
        "in_gap",
        "in_gap",
        {"layer": "gates", "kinds": "clinic_station", "minutes": 6, "unit": "%"},
        75,
        "报现状（原文无量化目标）",
    ),
    (
        "difference",
        "difference",
        {"group": "zone", "codes": "south;north", "unit": "百分点", **CIRCLE},
        100 / 110 * 100 - 100,
        "报现状（原文无量化目标）",
    ),
    # nought for a share q of the people and one for the rest: Gini is q, Theil is -ln(1 - q)
    ("gini", "gini", CIRCLE, 10 / 360, "报现状（原文无量化目标）"),
    ("theil", "theil", {**CIRCLE, "group": "zone"}, math.log(360 / 350), "报现状（原文无量化目标）"),
    (
        "per_thousand",
        "per_thousand",
        {"kinds": "clinic_station", "field": "count", "per": 1000, "unit": "处/千人"},
        1000 / 360,
        "报现状（原文无量化目标）",
    ),
    # one station per 300 people: A has enough, B and D 0.68 * 300 / 270 of it (see test_capacity)
    (
        "enough",
        "capacity",
        {"kinds": "clinic_station", "field": "count", "per": 300, "norm": 1, "decay": "walk15", **ALL},
        (100 + 250 * 0.68 * 300 / 270) / 360 * 100,
        "部分达标",
    ),
    (
        "enough_read",
        "capacity",
        {
            "kinds": "clinic_station",
            "field": "count",
            "per": 300,
            "norm": 1,
            "decay": "walk15",
            "unit": "%",
            "operator": ">=",
            "low": 80,
            "target_from": "standard",
            "confidence": "recalled",
        },
        (100 + 250 * 0.68 * 300 / 270) / 360 * 100,
        "参考值（未核）",
    ),
    (
        "no_beds",
        "capacity",
        {"kinds": "clinic_station", "field": "capacity", "per": 300, "norm": 1, "decay": "walk15"},
        math.nan,
        "数据不足",
    ),
    (
        "read",
        "per_communities",
        {
            "kinds": "clinic_station",
            "low": 3,
            "high": 4,
            "operator": ">=",
            "target_from": "standard",
            "confidence": "read",
        },
        1,
        "达标",
    ),
    (
        "second_hand",
        "per_communities",
        {
            "kinds": "clinic_station",
            "low": 3,
            "high": 4,
            "operator": ">=",
            "target_from": "standard",
            "confidence": "second_hand",
        },
        1,
        "参考值（未核）",
    ),
    ("mix", "mix", {"layer": "zones", "field": "name"}, 1, "报现状（原文无量化目标）"),
    # one of the two that are named is there; one station to a canteen and a fitness spot
    (
        "by_name",
        "named",
        {"kinds": "canteen", "named": "北食堂;南食堂", "unit": "处", "operator": ">=", "low": 2},
        1,
        "部分达标",
    ),
    (
        "ratio",
        "ratio",
        {"kinds": "clinic_station", "near_kinds": "canteen;fitness", "field": "count", "unit": "%"},
        50,
        "报现状（原文无量化目标）",
    ),
    # the planned station of 2025 is not there in 2021 either: nothing has changed
    ("change", "change", {"of": "T1.count", "since": 2021, "operator": ">=", "low": 1, "unit": "处"}, 0, "未达标"),
    # nobody has day care; to the land of 甲社区 everybody walks within the hour but 戊苑, which has no way: 100 + 200 + 50
    (
        "use",
        "best_use",
        {"kinds": "elderly_daycare", "minutes": 60, "scope": "community", "codes": "T01", "unit": "人"},
        350,
        "报现状（原文无量化目标）",
    ),
    (
        "no_capacity",
        "per_thousand",
        {"kinds": "clinic_station", "field": "capacity", "per": 1000},
        math.nan,
        "数据不足",
    ),
    ("no_area", "attribute", {"kinds": "canteen", "field": "floor_area_m2"}, math.nan, "数据不足"),
    ("no_survey", "communities_with", {"kinds": "market", **ALL}, math.nan, "数据不足"),
    ("no_layer", "count", {"layer": "parcels"}, math.nan, "数据不足"),
    (
        "no_community",
        "communities_with",
        {"kinds": "canteen", "scope": "community", "codes": "T07"},
        math.nan,
        "数据不足",
    ),
    ("no_engine", "missing", {"lacks": "行车时间"}, math.nan, "数据不足"),
]


def figures(**years: Any) -> list[dict[str, Any]]:
    """Return rows of the yearly figures of indicator T: `y2021=4` …"""
    return [{"indicator": "T", "year": year.removeprefix("y"), "value": value} for year, value in years.items()]


SUM = {"series": "T", "since": 2021, "until": 2025, "aggregate": "sum", "unit": "亿元", "operator": ">=", "low": 20}
LATEST = {**SUM, "aggregate": "latest", "operator": "<=", "low": "", "high": 3.5, "unit": "%"}
