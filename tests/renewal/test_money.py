"""Money in ranges: typed, estimated from reference prices, or blank; two tables, nothing netted; the lines of a renewal unit as hints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

import xinhe_geo as xh
from xinhe_geo.core.schema import LAYERS
from xinhe_geo.renewal.money import floor_ratio, money, totals, unit_lines

TOY = Path(__file__).parents[1] / "toy"
Row = tuple[str, int | None, str, str | None, float | None]


@pytest.fixture(scope="module")
def toy() -> xh.District:
    """The toy with two parcels, and nothing in their ledger yet."""
    district = xh.District.load(TOY)
    parcels = district.rows["homes"].loc[["A", "B"], ["name", "geometry", "basis", "source"]]
    parcels = parcels.set_index(pd.Index(["p", "q"], name="parcel")).set_geometry([shapely.box(0, 0, 100, 100)] * 2)
    return district.with_rows({**district.rows, "parcels": parcels.set_crs(district.crs, allow_override=True)})


def filled(toy: xh.District, *rows: Row) -> xh.District:
    """Parcel, year, quantity, value, high."""
    table = pd.DataFrame(list(rows), columns=["parcel", "year", "quantity", "value", "high"])
    table = table.reindex(columns=[c for c in LAYERS["parcel_facts"].names if c != "row"])
    return toy.with_rows(
        {
            **toy.rows,
            "parcel_facts": table.astype(
                {"year": "Int64", "high": "float64", "holder": "str", "basis": "str", "source": "str"}
            ).rename_axis("row"),
        }
    )


def test_what_is_typed_counts_and_what_is_not_is_estimated_or_blank(toy: xh.District) -> None:
    """29,400 m² at 50 to 150 yuan are 147 to 441 ten thousand; two years of one item stay two; no receipt is made up."""
    district = filled(
        toy,
        ("p", 2027, "cost_acquisition", "14000", 18000.0),
        ("p", 2028, "cost_acquisition", "1000", None),
        ("p", 2027, "floor_demolished_m2", "29400", None),
        ("p", 2028, "receipt_land", None, None),
        ("q", 2028, "floor_kept_m2", "16000", None),
    )
    table = money(district)
    own = table.loc["p"].loc["public"]
    assert own.loc[("cost_acquisition", 2027), ["low", "high", "origin"]].tolist() == [14000, 18000, "typed"]
    assert own.loc[("cost_acquisition", 2028), ["low", "high"]].tolist() == [1000, 1000]
    assert own.loc[("cost_demolition", 2027), ["low", "high", "origin"]].tolist() == [147, 441, "reference"]
    assert own.loc[("cost_resettlement", 0), "origin"] == "blank" and np.isnan(own.loc[("cost_resettlement", 0), "low"])
    land = table.loc[("p", "project", "receipt_land", 2028)]
    assert np.isnan(land["low"]) and land["origin"] == "blank" and land["who"]
    # three prices for one item: the lowest of all and the highest of all (314 and 449 yuan)
    renovated = table.loc[("q", "public", "cost_renovation", 2028)]
    assert renovated[["low", "high"]].tolist() == pytest.approx([16000 * 314 / 1e4, 16000 * 449 / 1e4])
    assert not (table["origin"] == "reference").xs("project", level="budget").any(), (
        "nothing built, nothing sold: no price"
    )
    sums = totals(table.loc[["p"]])
    assert sums.loc[("public", "cost"), ["low", "high", "items", "blank", "reference"]].tolist() == [
        15147,
        19441,
        3,
        1,
        1,
    ]
    assert np.isnan(sums.loc[("project", "receipt"), "low"]) and set(sums.index.names) == {"budget", "topic"}


@pytest.mark.slow
@settings(max_examples=20, deadline=None, derandomize=True)
@given(data=st.data())
def test_ranges_never_collapse_and_nothing_is_netted(toy: xh.District, data: st.DataObject) -> None:
    """Whatever is typed: the sum of the lower ends and of the upper ends, costs and receipts apart, and never one figure of a range."""
    items = ("cost_acquisition", "cost_services", "cost_building", "receipt_land", "receipt_sales")
    chosen = data.draw(st.lists(st.sampled_from(items), unique=True, min_size=1))
    ends = {i: sorted(data.draw(st.tuples(st.integers(0, 9999), st.integers(0, 9999)))) for i in chosen}
    district = filled(toy, *(("p", 2027, i, str(low), float(high)) for i, (low, high) in ends.items()))
    table = money(district).loc[["p"]]
    known = table[table["low"].notna()]
    assert set(known.index.get_level_values("item")) == set(chosen) and (known["origin"] == "typed").all()
    sums = totals(known)
    for (budget, topic), total in sums.iterrows():
        own = known[(known["topic"] == topic) & (known.index.get_level_values("budget") == budget)]
        names = own.index.get_level_values("item")
        assert [total["low"], total["high"]] == [sum(ends[n][0] for n in names), sum(ends[n][1] for n in names)]
        if any(ends[n][0] < ends[n][1] for n in names):
            assert total["low"] < total["high"]


def test_the_lines_of_a_unit_are_worked_out_for_all_its_parcels(toy: xh.District) -> None:
    """Demolished 30,000 of 100,000, built 45,000 to 66,000: 30 % and 1.5 to 2.2; what one parcel lacks is named and not 0."""
    rows: list[Row] = [(parcel, None, "renewal_unit", "片区一", None) for parcel in ("p", "q")]
    rows += [("p", 2027, "floor_old_m2", "40000", None), ("q", 2027, "floor_old_m2", "60000", None)]
    rows += [("p", 2027, "floor_demolished_m2", "30000", None), ("q", 2027, "floor_demolished_m2", "0", None)]
    rows += [("p", 2029, "floor_homes_m2", "40000", 60000.0), ("p", 2029, "floor_services_m2", "5000", 6000.0)]
    rows += [("q", 2029, "floor_homes_m2", "0", None), ("p", 2029, "households_to_rehouse", "100", None)]
    rows += [("p", 2029, "households_rehoused_near", "60", None), ("q", 2029, "rent_growth", "3", 6.0)]
    table = unit_lines(filled(toy, *rows)).loc["片区一"]
    assert table.loc["demolition_share", ["low", "high", "side"]].tolist() == [30, 30, "beyond"]
    assert table.loc["rebuilt_ratio", ["low", "high", "side"]].tolist() == [1.5, 2.2, "across"]
    near = table.loc["rehoused_near"]
    assert near["side"] == "unknown" and np.isnan(near["low"])
    assert set(near["lacks"]) == {("q", "households_rehoused_near"), ("q", "households_to_rehouse")}
    assert table.loc["rent_growth", "lacks"] == [("p", "rent_growth")]
    whole = [
        *rows,
        ("q", 2029, "households_to_rehouse", "20", None),
        ("q", 2029, "households_rehoused_near", "0", None),
    ]
    both = unit_lines(filled(toy, *whole, ("p", 2029, "rent_growth", "1", None))).loc["片区一"]
    assert both.loc["rehoused_near", ["low", "side"]].tolist() == [50, "within"], "60 of 120: the line itself is kept"
    assert both.loc["rent_growth", ["low", "high", "side"]].tolist() == [1, 6, "across"]
    assert unit_lines(filled(toy, *rows[2:])).empty, "without a unit nothing is compared"


def test_the_floor_ratio_is_of_what_stands_in_the_end(toy: xh.District) -> None:
    """A hectare with 4,000 kept and 10,000 to 14,000 built: 1.4 to 1.8, whatever was demolished."""
    rows: list[Row] = [("p", None, "far_limit", "1.5", None), ("p", 2027, "floor_demolished_m2", "90000", None)]
    rows += [("p", 2027, "floor_kept_m2", "4000", None), ("p", 2029, "floor_homes_m2", "10000", 14000.0)]
    found = floor_ratio(filled(toy, *rows), "p")
    assert (found.low, found.high, found.limit, found.homes_built) == (1.4, 1.8, 1.5, True)
    assert np.isnan(floor_ratio(filled(toy, *rows[:2]), "p").low)
