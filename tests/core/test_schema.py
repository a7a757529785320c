"""The declarations: types, the check of rows, and the dictionary made from them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from xinhe_geo.core.errors import SourceError
from xinhe_geo.core.schema import LAYERS, at_year, bundled_folder
from xinhe_geo.core.secrecy import refuse_leaving, secret_layers, suppressed
from xinhe_geo.core.validate import check_rows

ROOT = Path(__file__).parents[2]


def homes(**columns: list[object]) -> gpd.GeoDataFrame:
    n = len(next(iter(columns.values())))
    shapes = [shapely.box(10 * i, 0, 10 * i + 5, 5) for i in range(n)]
    return gpd.GeoDataFrame(columns, geometry=shapes, crs="EPSG:4548")


def test_absent_columns_are_missing_not_zero() -> None:
    frame, problems = check_rows(LAYERS["homes"], homes(home=["a", "b"]), "homes.geojson")
    assert not problems
    assert frame["people"].isna().all() and frame["households"].isna().all()
    assert list(frame.index) == ["a", "b"] and frame.index.name == "home"


def test_numbers_as_text_are_numbers() -> None:
    frame, problems = check_rows(LAYERS["homes"], homes(home=[1, 2], people=["12.5", None], households=["7", ""]), "h")
    assert not problems
    assert frame["people"].tolist()[0] == 12.5 and pd.isna(frame["people"].iloc[1])
    assert frame["households"].iloc[0] == 7 and list(frame.index) == ["1", "2"]


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("people", "很多", "不是数"),
        ("people", "-3", "小于"),
        ("people", "inf", "不是数"),
        ("households", "2.5", "不是整数"),
        ("since", "25", "不像年份"),
        ("basis", "heard", "不在可选值中"),
    ],
)
def test_a_cell_that_does_not_fit(column: str, value: str, words: str) -> None:
    _, problems = check_rows(LAYERS["homes"], homes(home=["a"], **{column: [value]}), "homes.geojson")
    assert [(p.row, p.field) for p in problems] == [("a", column)]
    assert words in problems[0].problem and problems[0].remedy


@given(st.lists(st.one_of(st.none(), st.text(max_size=6), st.integers(), st.floats()), min_size=1, max_size=6))
def test_any_cell_is_taken_or_reported(cells: list[object]) -> None:
    names = [f"h{i}" for i in range(len(cells))]
    frame, problems = check_rows(LAYERS["homes"], homes(home=names, people=pd.array(cells, dtype="object")), "h")
    reported = {p.row for p in problems}
    for name, cell in zip(names, cells, strict=True):
        blank = (
            cell is None or (isinstance(cell, float) and pd.isna(cell)) or (isinstance(cell, str) and not cell.strip())
        )
        known = pd.notna(frame.loc[name, "people"])
        assert known or blank or name in reported


def test_dated_keys_may_come_back_in_another_period() -> None:
    frame, problems = check_rows(LAYERS["homes"], homes(home=["a", "a"], since=[2000, 2023], until=[2022, None]), "h")
    assert not problems
    assert len(at_year(LAYERS["homes"], frame, 2022)) == 1
    assert at_year(LAYERS["homes"], frame, 2023)["since"].tolist() == [2023]
    assert at_year(LAYERS["homes"], frame, 1999).empty


def test_undeclared_columns_are_a_warning() -> None:
    _, problems = check_rows(LAYERS["homes"], homes(home=["a"], 电话=["123"]), "homes.geojson")
    assert [(p.severity, p.field) for p in problems] == [("warning", "电话")]


def test_bundled_data_is_found() -> None:
    assert (bundled_folder() / "district.toml").is_file()


def test_dictionary_is_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("make_dictionary", ROOT / "tools" / "make_dictionary.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.TARGET.read_text("utf-8") == module.dictionary(), "python tools/make_dictionary.py"


def test_what_may_leave_the_house() -> None:
    counts = suppressed(pd.Series([0, 1, 9, 10, 250, None], index=list("abcdef")))
    assert counts.isna().tolist() == [False, True, True, False, False, True]
    assert counts["a"] == 0
    manifest = {"layers": {"homes": {"secrecy": "秘密"}, "streets": {"secrecy": "public"}, "gates": {}}}
    assert secret_layers(manifest) == {"homes": "秘密"}
    assert set(secret_layers({**manifest, "secrecy": "confidential"})) == {"homes", "gates"}
    with pytest.raises(SourceError, match="小区 的密级是 秘密，不能导出"):
        refuse_leaving(manifest, "导出")
