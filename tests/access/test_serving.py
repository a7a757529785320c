"""有没有: whom a facility serves by the books, before where it was drawn; who does not serve at all; what the page says of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_toy import ALL, TOY, measure, of_t1, toy, toy_with

import xinhe_geo as xh
from xinhe_geo.access import grounds_text, presence_grounds
from xinhe_geo.core.schema import STATE_LABELS

#: T01 甲社区 has the station F1, T02 乙社区 the canteen F2.
STATION, CANTEEN = "F1", "F2"


def with_cells(**facilities: dict[str, Any]) -> xh.District:
    return toy_with([measure("c", "communities_with", kinds="canteen", **ALL)], **facilities)


def test_the_books_come_before_the_drawing() -> None:
    district = with_cells(F2={"serves_community": "T01; T02"})
    assert list(xh.presence(district)["canteen"]) == [1, 1]
    assert of_t1(district).loc["c", "value"] == 100 and "只按落点判" not in of_t1(district).loc["c", "text"]
    away = with_cells(F2={"serves_community": "T01"})
    assert list(xh.presence(away)["canteen"]) == [1, 0], "not the one it stands in"
    assert list(xh.presence(with_cells(F2={"serves_community": "T01", "community": "T02"}))["canteen"]) == [1, 0]
    other_list = with_cells(F2={"serves_community": "T99"})
    assert list(xh.presence(other_list)["canteen"]) == [0, 1], "none of them in the list of this year: where it stands"


@pytest.mark.parametrize("state", sorted(STATE_LABELS))
def test_who_does_not_serve_is_not_there(state: str) -> None:
    """Neither in 有没有 nor in any walk; a blank state is open."""
    district = with_cells(F2={"state": state, "serves_community": "T01;T02"})
    assert (xh.presence(district)["canteen"].sum() > 0) == (state == "open")
    cover = xh.coverage(district, rules=["plan_canteen_community"])
    assert bool(cover["served_network_m"].sum() > 0) == (state == "open")


def folder_of(tmp_path: Path, **cells: Any) -> Path:
    """Return a copy of the toy whose canteen says something else."""
    folder = shutil.copytree(TOY, tmp_path / "toy")
    file = next(folder.rglob("facilities.geojson"))
    layer = json.loads(file.read_text("utf-8"))
    own = next(f["properties"] for f in layer["features"] if f["properties"]["facility"] == CANTEEN)
    own |= cells
    file.write_text(json.dumps(layer, ensure_ascii=False), "utf-8")
    return folder


@pytest.mark.slow
def test_a_community_that_does_not_exist_is_named_at_the_door(tmp_path: Path) -> None:
    problems = xh.check(folder_of(tmp_path, serves_community="T01；T07;T8"))
    said = problems[(problems["field"] == "serves_community").to_numpy()]
    assert list(said["row"]) == [CANTEEN] * 2 and said["problem"].str.contains("“T07”|“T8”").all()
    assert (said["remedy"] != "").all() and (said["severity"] == "error").all()


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize(
    ("written", "state"),
    [
        ("正常", "open"),
        ("开放", "open"),
        ("挂牌未运营", "nominal"),
        ("停业", "closed"),
        ("搬迁", "moved"),
        ("moved", "moved"),
    ],
)
def test_states_as_offices_write_them(tmp_path: Path, written: str, state: str) -> None:
    district = xh.District.load(folder_of(tmp_path, state=written))
    assert district.facilities is not None and district.facilities.loc[CANTEEN, "state"] == state
    assert (CANTEEN in district.open_facilities.index) == (state == "open")  # type: ignore[union-attr]


@pytest.mark.slow
def test_what_was_judged_by_a_drawing_is_said_and_how_near_the_line_it_is() -> None:
    """The canteen, put 12 m from the line between the two communities, then 31 m, then with books."""
    district = toy()
    spot, areas = district.rows["facilities"].geometry[CANTEEN], district.communities
    assert areas is not None
    line = areas.geometry["T02"].boundary
    foot = line.interpolate(line.project(spot))
    step = np.array([spot.x - foot.x, spot.y - foot.y]) / spot.distance(line)

    def at(metres: float, **cells: Any) -> xh.District:
        rows = district.rows["facilities"].copy()
        rows["geometry"] = rows.geometry.mask(
            rows.index == CANTEEN, type(spot)(foot.x + step[0] * metres, foot.y + step[1] * metres)
        )
        for column, value in cells.items():
            rows.loc[CANTEEN, column] = value
        return district.with_rows({**district.rows, "facilities": rows})

    near = presence_grounds(at(12.0), ["canteen"])
    assert near.by_position == 1 and near.near_line.iloc[0] == pytest.approx(12.0)
    assert grounds_text(at(12.0), ["canteen"]) == (
        f"1 个社区只按落点判（没有填服务社区）；离社区界不到 30 m：{near.near_line.index[0]}（12 m）"
    )
    assert grounds_text(at(31.0), ["canteen"]) == "1 个社区只按落点判（没有填服务社区）"
    assert grounds_text(at(12.0, serves_community="T02"), ["canteen"]) == ""
    cover = xh.coverage(at(12.0), rules=["plan_canteen_community"])
    assert "12 m" in xh.headlines(at(12.0), cover)["basis_text"].iloc[0]


@pytest.mark.slow
@given(st.lists(st.sampled_from(["", "T01", "T02", "T01;T02", "T03", "T03; T01"]), min_size=5, max_size=5))
def test_serving_against_counting_by_hand(cells: list[str]) -> None:
    """Every facility of the toy with any list: counted one by one, with no table."""
    district = toy()
    rows = district.rows["facilities"].copy()
    rows["serves_community"] = pd.Series([*cells, *[""] * len(rows)][: len(rows)], index=rows.index)
    state = district.with_rows({**district.rows, "facilities": rows})
    matrix, there = xh.presence(state), state.open_facilities
    assert there is not None and state.communities is not None
    for code, area in state.communities.geometry.items():
        for kind in matrix:
            count = 0
            for row in there[(there["kind"] == kind).to_numpy()].itertuples():
                books = {c.strip() for c in str(row.serves_community).split(";")} & {"T01", "T02"}
                count += code in books if books else area.covers(row.geometry.representative_point())
            assert matrix.loc[code, kind] == count
