"""What stands twice: homes whose people would count twice are errors, facilities that look like one are warnings."""

from __future__ import annotations

import json
import re
import shutil
import time
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from clock import trials
from hypothesis import given, settings
from hypothesis import strategies as st

from xinhe_geo.core import DataError, speaking
from xinhe_geo.district import District, alike, check
from xinhe_geo.district.doubles import (
    DENSE,
    MOST_PAIRS,
    NEAR_M,
    SHARED,
    SPOT_M,
    copied_homes,
    doubled,
    near_facilities,
    shared_homes,
)

TOY = Path(__file__).parents[1] / "toy"


def homes(shapes: list[Any], names: list[str | None] | None = None, **columns: Any) -> gpd.GeoDataFrame:
    n = len(shapes)
    head: dict[str, Any] = {"name": names or [None] * n, "people": 10.0, "since": pd.NA, "until": pd.NA}
    return gpd.GeoDataFrame(head | columns, geometry=shapes, index=[f"h{i}" for i in range(n)])


def pairs(frame: gpd.GeoDataFrame) -> set[tuple[int, int]]:
    return {pair[:2] for pair in shared_homes(frame)}


corner = st.integers(0, 40)
side = st.integers(1, 20)


@settings(max_examples=trials(60), deadline=None)
@given(st.lists(st.tuples(corner, corner, side, side), min_size=2, max_size=14))
def test_outlines_against_every_pair(boxes: list[tuple[int, int, int, int]]) -> None:
    """Rectangles, whose common area is worked out by hand: exactly the pairs over the tolerance."""
    expected = set()
    for i, (x, y, w, h) in enumerate(boxes):
        for j, (u, v, a, b) in enumerate(boxes[:i]):
            common = max(0, min(x + w, u + a) - max(x, u)) * max(0, min(y + h, v + b) - max(y, v))
            if common > SHARED * min(w * h, a * b):
                expected.add((j, i))
    assert pairs(homes([shapely.box(x, y, x + w, y + h) for x, y, w, h in boxes])) == expected


placed = st.tuples(
    st.integers(0, 5), st.integers(0, 5), st.sampled_from(["柳苑", "柳苑一期", "柳苑（二期）", "杨苑", None])
)
counts = st.tuples(*[st.sampled_from([None, 0.0, 10.0])] * 3)


@settings(max_examples=trials(60), deadline=None)
@given(st.lists(st.tuples(placed, counts), min_size=2, max_size=12))
def test_homes_typed_twice_against_every_pair(
    rows: list[tuple[tuple[int, int, str | None], tuple[float | None, ...]]],
) -> None:
    """Seven metres apart: the near pairs that agree in a figure and differ in none, by name or by a second figure."""
    where, figures = zip(*rows, strict=True)
    heads = dict(zip(("people", "people_60plus", "households"), zip(*figures, strict=True), strict=True))
    frame = homes([shapely.Point(7 * x, 7 * y) for x, y, _ in where], [name for *_, name in where], **heads)

    def twice(i: int, j: int) -> bool:
        both = [(a, b) for a, b in zip(figures[i], figures[j], strict=True) if a is not None and b is not None]
        equal = sum(a == b > 0 for a, b in both)
        bare = [str(where[k][2] or "？").replace("（", "").replace("）", "") for k in (i, j)]
        names = None not in (where[i][2], where[j][2]) and (bare[0] in bare[1] or bare[1] in bare[0])
        phases = {"柳苑一期", "柳苑二期"} == set(bare)
        near = 7 * np.hypot(where[i][0] - where[j][0], where[i][1] - where[j][1]) <= NEAR_M
        return bool(near and all(a == b for a, b in both) and equal and (names or (equal > 1 and not phases)))

    expected = {(i, j) for j in range(len(rows)) for i in range(j) if twice(i, j)}
    assert {pair[:2] for pair in copied_homes(frame)} == expected


spot = st.tuples(st.integers(0, 12), st.integers(0, 12), st.sampled_from(["甲苑", "乙苑", None]))


@settings(max_examples=trials(60), deadline=None)
@given(st.lists(spot, min_size=2, max_size=14))
def test_points_on_one_spot(spots: list[tuple[int, int, str | None]]) -> None:
    """Every point with a namesake within the tolerance is in a pair, and no pair is without one (a third of a metre apart)."""
    found = pairs(homes([shapely.Point(x / 3, y / 3) for x, y, _ in spots], [name for *_, name in spots]))

    def near(i: int, j: int) -> bool:
        a, b = spots[i], spots[j]
        return a[2] is not None and a[2] == b[2] and np.hypot(a[0] - b[0], a[1] - b[1]) <= 3 * SPOT_M + 1e-9

    assert all(near(i, j) for i, j in found)
    same = [(i, j) for j in range(len(spots)) for i in range(j) if near(i, j) and spots[i][:2] == spots[j][:2]]
    assert {j for _, j in same} <= {j for _, j in found}, "on the very spot nobody is missed"


def test_namesakes_are_a_pair_wherever_the_grids_have_their_lines() -> None:
    """Two points at most a tolerance apart, each pair of a name of its own, on every tenth of a cell of two tolerances."""
    steps, ways = np.arange(0, 2 * SPOT_M, SPOT_M / 5), SPOT_M * np.array([(0.9, 0), (0, 0.9), (0.6, 0.6), (0.6, -0.6)])
    spots = np.array([(100 * k + x, y) for k, x in enumerate(steps) for y in steps for _ in ways])
    both = np.stack([spots, spots + np.tile(ways, (len(steps) ** 2, 1))], axis=1).reshape(-1, 2)
    names: list[str | None] = [f"苑{i // 2}" for i in range(len(both))]
    assert pairs(homes(list(shapely.points(both)), names)) == {(i, i + 1) for i in range(0, len(both), 2)}


def test_touching_slivers_and_other_years_are_fine() -> None:
    box, next_door = shapely.box(0, 0, 100, 100), shapely.box(100, 0, 200, 100)
    assert not pairs(homes([box, next_door]))
    assert not pairs(homes([box, shapely.box(81, 0, 181, 100)])), "19 % is a sliver"
    assert pairs(homes([box, shapely.box(79, 0, 179, 100)])) == {(0, 1)}
    rebuilt: dict[str, Any] = {"since": [pd.NA, 2021], "until": [2020, pd.NA]}
    assert not pairs(homes([box, box], **rebuilt)), "torn down and built again"
    assert pairs(homes([box, box], since=[pd.NA, 2020], until=[2020, pd.NA])) == {(0, 1)}
    assert pairs(homes([box, shapely.Point(5, 5)], ["甲苑", "甲 苑"])) == {(0, 1)}, "its point and its outline"
    assert not pairs(homes([box, shapely.Point(5, 5)], ["甲苑", "三号楼"]))


def doubled_toy(tmp_path: Path, people: int | None) -> Path:
    folder = tmp_path / "toy"
    shutil.copytree(TOY, folder)
    file = folder / "homes" / "homes.geojson"
    whole = json.loads(file.read_text("utf-8"))
    twin = json.loads(json.dumps(whole["features"][0]))
    twin["properties"] |= {"home": "Z", "people": people, "people_60plus": None, "households": None}
    whole["features"].append(twin)
    file.write_text(json.dumps(whole, ensure_ascii=False), "utf-8")
    return folder


@pytest.mark.slow
def test_people_counted_twice_stop_the_district(tmp_path: Path) -> None:
    folder = doubled_toy(tmp_path, 90)
    found = check(folder)
    assert found["severity"].tolist() == ["error"]
    row = found.iloc[0]
    # A is 60 m by 60 m
    assert row["row"] == "Z" and all(said in row["problem"] for said in ("A（甲苑）", "3,600 m²", "100 人", "90 人"))
    assert "A" in row["remedy"]
    with pytest.raises(DataError):
        District.load(folder)


@pytest.mark.slow
def test_a_twin_without_people_counts_nobody_twice(tmp_path: Path) -> None:
    found = check(doubled_toy(tmp_path, None))
    assert found["severity"].tolist() == ["warning"] and "数据不足" in found["problem"].iloc[0]


def facilities(rows: list[tuple[float, str | None, str]]) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(
        {
            "name": [name for _, name, _ in rows],
            "kind": [kind for *_, kind in rows],
            "state": None,
            "since": pd.NA,
            "until": pd.NA,
        },
        geometry=[shapely.Point(x, 0) for x, *_ in rows],
    )


@pytest.mark.parametrize(
    ("other", "twice"),
    [
        ((20, "北食堂", "canteen"), True),
        ((20, "（北）食堂", "canteen"), True),
        ((20, "新河北食堂", "canteen"), True),
        ((20, "南食堂", "canteen"), False),
        ((20, "北食堂2", "canteen"), False),
        ((20, None, "canteen"), False),
        ((20, "北食堂", "clinic_station"), False),
        ((NEAR_M + 1, "北食堂", "canteen"), False),
    ],
)
def test_facilities_that_look_like_one(other: tuple[float, str | None, str], twice: bool) -> None:
    assert bool(near_facilities(facilities([(0, "北食堂", "canteen"), other]))) is twice


@pytest.mark.parametrize("pairs", [1, 30])
def test_what_looks_like_one_is_told_in_the_language_that_is_spoken(pairs: int) -> None:
    """An extract has such pairs, and its report in English lists what `check` says: few one by one, many together."""
    names = [(400.0 * (i // 2) + i % 2, f"Canteen {chr(65 + i // 2)}", "canteen") for i in range(2 * pairs)]
    with speaking("en"):
        told = list(doubled({"facilities": facilities(names)}, {"facilities": {"file": "pois/a.geojson"}}))
    assert len(told) == 1
    assert not re.search(r"[\u3000-\u9fff]", told[0].problem + told[0].remedy)


def test_in_a_crowd_only_the_same_name_is_held_against_another() -> None:
    """So many of a kind on one square of `NEAR_M` are compared pair by pair, and not two more of them."""
    for count, alike_too in ((DENSE, True), (DENSE + 2, False)):
        names = [f"{'新河' * (i % 2)}{chr(0x4E00 + i // 2) * 3}食堂" for i in range(count)]
        rows = [(NEAR_M * (i + 0.5) / (count + 2), name, "canteen") for i, name in enumerate(names)]
        apart = [pair[:2] for pair in near_facilities(facilities(rows))]
        assert apart == ([(i, i + 1) for i in range(0, count, 2)] if alike_too else [])
        same = [(x, names[i // 2 * 2], kind) for i, (x, _, kind) in enumerate(rows)]
        assert len(near_facilities(facilities(same))) == count // 2


@pytest.mark.slow
def test_many_pairs_of_a_kind_are_one_line(tmp_path: Path) -> None:
    """The platforms of five stops are told one by one, of six in one line."""
    for stops, lines in ((5, 5), (6, 1)):
        folder = tmp_path / str(stops)
        shutil.copytree(TOY, folder)
        file = folder / "pois" / "facilities.geojson"
        whole = json.loads(file.read_text("utf-8"))
        for i in range(2 * stops):
            cells = {"facility": f"P{i}", "name": f"第{i // 2}站点", "kind": "fitness"}
            spot = [500_100 + 50 * (i // 2) + 10 * (i % 2), 4_320_200]
            point = {"type": "Point", "coordinates": spot}
            whole["features"].append({"type": "Feature", "properties": cells, "geometry": point})
        file.write_text(json.dumps(whole, ensure_ascii=False), "utf-8")
        found = check(folder)
        assert found["severity"].tolist() == ["warning"] * lines
        assert ("6 对" in found["problem"].iloc[0]) is (stops == 6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("column", "cells", "said"),
    [
        ("people_year", (2020, 2023), ["warning", "2020 年 1 处、2023 年"]),
        ("people_year", (2023, 2023), []),
        ("people_year", (2023, None), []),
        ("people_kind", ("resident", "registered"), ["error", "不能相加"]),
        ("people_kind", ("registered", None), ["error", "不能相加"]),
        ("people_kind", ("registered", "registered"), []),
    ],
)
def test_people_are_of_one_sort_and_year(
    tmp_path: Path, column: str, cells: tuple[object, ...], said: list[str]
) -> None:
    """What was counted in two ways is never added; in two years, the total is said to be true of none."""
    folder = tmp_path / "toy"
    shutil.copytree(TOY, folder)
    file = folder / "homes" / "homes.geojson"
    whole = json.loads(file.read_text("utf-8"))
    for feature, cell in zip(whole["features"], [cells[0]] + [cells[1]] * len(whole["features"]), strict=False):
        feature["properties"][column] = cell
    file.write_text(json.dumps(whole, ensure_ascii=False), "utf-8")
    found = check(folder)
    found = found[found["field"] == column]
    assert found["severity"].tolist() == said[:1] and all(said[1] in problem for problem in found["problem"])


def test_names() -> None:
    assert alike("新河街道社区卫生服务中心", "新河街道 社区卫生服务中心") and alike("Main Clinic", "main clinic")
    for one, other in (("一站", "二站"), ("东门", "西门"), ("A座", "B座"), ("3号楼", "13号楼"), ("", ""), (None, None)):
        assert not alike(one, other)


@pytest.mark.slow
@pytest.mark.matrix
def test_a_hundred_thousand_homes_in_bounded_time() -> None:
    """Outlines in rows that touch, points in one heap, a crowd of canteens: seconds, not hours."""
    n = 100_000
    x, y = 50.0 * (np.arange(n) % 400), 50.0 * (np.arange(n) // 400)
    start = time.process_time()
    touching = homes(list(shapely.box(x, y, x + 50, y + 50)))
    assert not shared_homes(touching)
    heap = homes(list(shapely.points(np.zeros(n), np.zeros(n))), [f"点{i // 2}" for i in range(n)])
    assert len(shared_homes(heap)) == MOST_PAIRS
    assert len(copied_homes(heap.assign(name=None, people_60plus=2.0, households=3.0))) == MOST_PAIRS
    apart = heap.assign(people=np.arange(n) + 1.0, people_60plus=np.nan, households=np.nan)
    assert not copied_homes(apart)
    crowd = facilities([(i * 0.01, f"点{i}", "canteen") for i in range(20_000)])
    assert not near_facilities(crowd)
    assert time.process_time() - start < 60
