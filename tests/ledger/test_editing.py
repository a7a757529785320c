"""Rows are data: one cell changed changes what comes out, with no line of code; a bad one is named by file, row and column."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from ledger_toy import ALL, folder_with, measure

import xinhe_geo as xh
from xinhe_geo.core.schema import LAYERS
from xinhe_geo.siting.provision import on_parcel, provision

ROOT = Path(__file__).resolve().parents[2]
#: The tables of the ledger, and those it leans on; the toy carries them all here.
BUNDLED = ("rules", "profiles", "decays", "norms")
MEASURES = [
    measure("with", "communities_with", kinds="canteen", **ALL),
    measure("circle", "coverage", rule="plan_clinic_15", unit="%", weight="people"),
    measure("enough", "capacity", kinds="clinic_station", field="count", per=300, norm=1, decay="walk15"),
    measure("year", "series", series="T", since=2021, until=2022, aggregate="latest", operator=">=", low=8, unit="家"),
]
PARCEL = (
    '{"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {"parcel": "plot", "name": "地块"}, '
    '"geometry": {"type": "Polygon", "coordinates": [[[500120, 4320020], [500180, 4320020], [500180, 4320080], [500120, 4320080], '
    "[500120, 4320020]]]}}]}"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = folder_with(tmp_path / "toy", MEASURES)
    manifest = ""
    for name in BUNDLED:
        shutil.copy(ROOT / "data" / "standards" / f"{name}.csv", made / "tables" / f"{name}.csv")
        manifest += f'\n[layers.{name}]\nfile = "tables/{name}.csv"\n'
    (made / "tables" / "series.csv").write_text("indicator,unit,year,value\nT,家,2022,9\n", "utf-8")
    (made / "boundaries" / "parcels.geojson").write_text(PARCEL, "utf-8")
    manifest += '\n[layers.series]\nfile = "tables/series.csv"\n'
    manifest += '\n[layers.parcels]\nfile = "boundaries/parcels.geojson"\ncrs = "EPSG:4548"\nbasis = "surveyed"\n'
    with (made / "district.toml").open("a", encoding="utf-8") as file:
        file.write(manifest)
    return made


def edit(folder: Path, table: str, row: str, column: str, value: str) -> None:
    """Change one cell as a text editor or Excel does."""
    path = folder / "tables" / f"{table}.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    key = LAYERS[table].key
    found = [r for i, r in enumerate(rows, 1) if r.get(key, str(i)) == row]
    assert len(found) == 1
    found[0][column] = value
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def cell(measure_: str, column: str) -> Callable[[xh.District], Any]:
    return lambda district: xh.ledger(district).loc[("T1", f"T1.{measure_}"), column]


def required(district: xh.District) -> Any:
    return provision(district, on_parcel("plot", 1500.0), norms="clinic_station_count")["required"].iloc[0]


#: table, row, column, what is written there, what is read, before, after
EDITS: list[tuple[str, str, str, str, Callable[[xh.District], Any], Any, Any]] = [
    ("commitments", "T1", "quote", "社区都有", cell("with", "quote"), "社区全覆盖", "社区都有"),
    ("measures", "T1.with", "low", "50", cell("with", "verdict"), "部分达标", "达标"),
    ("measures", "T1.with", "kinds", "clinic_station;canteen", cell("with", "value"), 50, 100),
    (
        "contradictions",
        "X1",
        "issue",
        "三个数。",
        cell("with", "contradiction"),
        "X1：两个数。处理：并列。",
        "X1：三个数。处理：并列。",
    ),
    ("series", "1", "value", "7", cell("year", "verdict"), "达标", "未达标"),
    # 15 min at 1.1 m/s: A, B and D (over the bridge); 5 min are 330 m: A alone, 100 of 360
    ("rules", "plan_clinic_15", "minutes", "5", cell("circle", "value"), 350 / 3.6, 100 / 3.6),
    ("profiles", "adult", "speed_m_s", "0.3", cell("circle", "value"), 350 / 3.6, 100 / 3.6),
    # A and the two behind the bridge share 1 station by 1 and 0.68; then by 1 and 1: 350 people, 300 of the norm each
    ("decays", "walk15-2", "weight", "1", cell("enough", "value"), (100 + 250 * 0.68 * 300 / 270) / 3.6, 300 / 3.6),
    ("norms", "clinic_station_count", "amount", "3", required, 0.1, 0.3),
]


@pytest.mark.slow
@pytest.mark.one_in(5)
@pytest.mark.parametrize(("table", "row", "column", "value", "read", "before", "after"), EDITS)
def test_one_cell_changes_what_comes_out(
    folder: Path,
    table: str,
    row: str,
    column: str,
    value: str,
    read: Callable[[xh.District], Any],
    before: Any,
    after: Any,
) -> None:
    def close(expected: Any) -> Any:
        return expected if isinstance(expected, str) else pytest.approx(expected, rel=1e-9)

    assert read(xh.District.load(folder)) == close(before)
    edit(folder, table, row, column, value)
    assert read(xh.District.load(folder)) == close(after)


BAD: list[tuple[str, str, str, str, str]] = [
    ("commitments", "T1", "kind", "promise", "“promise”不在可选值中"),
    ("commitments", "T2", "quote", "", "没有填（原文）"),
    ("measures", "T1.with", "metric", "communities", "“communities”不在可选值中"),
    ("measures", "T1.circle", "rule", "plan_clinic", "plan_clinic"),
    ("measures", "T1.with", "kinds", "cantine", "没有设施类别“cantine”"),
    ("contradictions", "X1", "issue", "", "没有填（矛盾）"),
    ("series", "1", "year", "二〇二二", "不是数"),
    ("series", "1", "value", "九", "“九”不是数"),
    ("rules", "plan_clinic_15", "minutes", "-15", "-15 小于 0"),
    ("rules", "plan_clinic_15", "kinds", "clinic_sation", "没有设施类别“clinic_sation”"),
    ("rules", "plan_clinic_15", "confidence", "sure", "“sure”不在可选值中"),
    ("profiles", "adult", "speed_m_s", "fast", "“fast”不是数"),
    ("decays", "walk15-2", "weight", "-1", "-1 小于 0"),
    ("norms", "clinic_station_count", "amount", "一处", "“一处”不是数"),
    ("norms", "clinic_station_count", "kinds", "clinic", "没有设施类别“clinic”"),
]


@pytest.mark.slow
@pytest.mark.one_in(5)
@pytest.mark.parametrize(("table", "row", "column", "value", "said"), BAD)
def test_a_bad_cell_is_named(folder: Path, table: str, row: str, column: str, value: str, said: str) -> None:
    edit(folder, table, row, column, value)
    found = xh.check(folder).query("severity == 'error'")
    named = found[(found["row"] == row) & (found["field"] == column)]
    assert named["file"].tolist()[:1] == [f"tables/{table}.csv"], found.to_string()
    assert said in named["problem"].iloc[0] and named["remedy"].iloc[0]
    with pytest.raises(xh.DataError):
        xh.District.load(folder)


@pytest.mark.slow
def test_bad_cells_are_named_all_at_once(folder: Path) -> None:
    """Of cells that are changed twice the last counts."""
    for table, row, column, value, _ in BAD:
        if (table, column) not in {("rules", "kinds"), ("norms", "kinds"), ("measures", "kinds")}:
            edit(folder, table, row, column, value)
    whole = xh.check(folder).query("severity == 'error'")
    assert set(whole["file"]) == {f"tables/{table}.csv" for table in {table for table, *_ in BAD}}


@pytest.mark.slow
def test_a_contradiction_of_a_promise_that_is_not_there_is_named(folder: Path) -> None:
    edit(folder, "contradictions", "X1", "touches", "T1;T7")
    with pytest.raises(xh.DataError) as caught:
        xh.ledger(xh.District.load(folder))
    problem: pd.Series = caught.value.problems.iloc[0]
    assert problem[["file", "row", "field"]].tolist() == ["tables/contradictions.csv", "X1", "touches"]
    assert "T7" in problem["problem"] and problem["remedy"]
