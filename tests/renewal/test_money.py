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
from xinhe_geo.core.models import Edit
from xinhe_geo.core.schema import LAYERS
from xinhe_geo.district.parcel_facts import ledger_problems
from xinhe_geo.district.scenario import Scenario
from xinhe_geo.renewal.money import floor_ratio, money, spent, totals, unit_lines
from xinhe_geo.report.story.parcels import Parcels

TOY = Path(__file__).parents[1] / "toy"
Row = tuple[str, int | None, str, str | None, float | None] | tuple[str, int | None, str, str | None, float | None, str]


@pytest.fixture(scope="module")
def toy() -> xh.District:
    """The toy with two parcels, and nothing in their ledger yet."""
    district = xh.District.load(TOY)
    parcels = district.rows["homes"].loc[["A", "B"], ["name", "geometry", "basis", "source"]]
    parcels = parcels.set_index(pd.Index(["p", "q"], name="parcel")).set_geometry([shapely.box(0, 0, 100, 100)] * 2)
    return district.with_rows({**district.rows, "parcels": parcels.set_crs(district.crs, allow_override=True)})


def filled(toy: xh.District, *rows: Row) -> xh.District:
    """Parcel, year, quantity, value, high; and the fund, where one is named."""
    names = ["parcel", "year", "quantity", "value", "high", "fund"]
    table = pd.DataFrame([(*row, None)[:6] for row in rows], columns=names)
    table = table.reindex(columns=[c for c in LAYERS["parcel_facts"].names if c != "row"])
    return toy.with_rows(
        {
            **toy.rows,
            "parcel_facts": table.astype(
                {"year": "Int64", "high": "float64", **dict.fromkeys(("holder", "fund", "basis", "source"), "str")}
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


def test_money_by_source_and_year_is_the_same_money(toy: xh.District) -> None:
    """Two funds pay one item in one year; who pays the rest nobody has said; sums by fund and year are those of the table, and not netted."""
    district = filled(
        toy,
        ("p", 2027, "cost_acquisition", "100", 150.0, "专项债"),
        ("p", 2027, "cost_acquisition", "40", None, "财政资金"),
        ("p", 2028, "cost_acquisition", "7", 9.0),
        ("p", 2027, "cost_services", "10", 20.0, "财政资金"),
        ("p", 2028, "receipt_land", "500", None, "受让人"),
        ("p", 2029, "receipt_sales", None, None, "购房人"),
    )
    table = money(district).loc[["p"]]
    assert len(table.loc[("p", "public", "cost_acquisition", 2027)]) == 2
    by = totals(table, by=("budget", "topic", "fund", "year"))
    ends = {key: row[["low", "high"]].tolist() for key, row in by.iterrows() if row["items"]}
    assert ends == {
        ("public", "cost", "专项债", 2027): [100, 150],
        ("public", "cost", "财政资金", 2027): [50, 60],
        ("public", "cost", "", 2028): [7, 9],
        ("project", "receipt", "受让人", 2028): [500, 500],
    }
    sold = by.loc[("project", "receipt", "购房人", 2029)]
    assert np.isnan(sold["low"]) and sold["blank"] == 1, "asked for, and nobody has filled it in"
    pd.testing.assert_frame_equal(by.groupby(["budget", "topic"], sort=False).sum(min_count=1), totals(table))


def test_a_fund_belongs_to_money_and_pays_an_item_once_a_year(toy: xh.District) -> None:
    twice = ("p", 2027, "cost_services", "10", 20.0, "财政资金")
    rows = filled(
        toy, ("p", None, "ownership", "国有", None), twice, twice, ("p", 2027, "households", "5", None, "专项债")
    ).rows
    told = [(p.field, p.problem) for p in ledger_problems(rows, {})]
    assert [field for field, _ in told] == ["fund", "quantity"]
    assert "没有资金渠道" in told[0][1] and "同一资金渠道" in told[1][1]
    other = (*twice[:5], "专项债")
    assert not list(ledger_problems(filled(toy, ("p", None, "ownership", "国有", None), twice, other).rows, {}))


@pytest.mark.slow
@pytest.mark.parametrize("cells", ["p", "p#1,2", "p#1;p#2"])
def test_what_a_plan_costs_is_said_by_its_projects_or_by_the_ledger(toy: xh.District, cells: str) -> None:
    """Projects that name every step of a plan and no other say what it costs; else the ledger does, unless something in it is blank."""
    plan = Scenario("p", "试算", (Edit("retrofit", {"home": "A"}), Edit("retrofit", {"home": "B"})))
    typed: list[Row] = [("p", 2027, f"cost_{item}", "10", 20.0) for item in ("acquisition", "resettlement")]
    district = filled(toy, *typed, ("p", 2027, "cost_building", "5", 5.0), ("p", 2028, "receipt_land", "900", None))
    assert spent(district, plan, "p") == (25, 45, "ledger"), "no receipt is taken off"
    assert np.isnan(spent(filled(toy, *typed[:1]), plan, "p").low)
    named = cells.split(";")
    n = len(named)

    def costed(*edits: str) -> xh.District:
        rows = {"name": "试", "edits": list(edits), "cost_low": 3.0, "cost_high": 4.0}
        table = pd.DataFrame(rows).reindex(columns=[c for c in LAYERS["projects"].names if c != "project"])
        keys = pd.Index([f"P{i}" for i in range(len(edits))], name="project")
        return district.with_rows({**district.rows, "projects": table.set_axis(keys)})

    assert spent(costed(*named), plan, "p") == (3 * n, 4 * n, "projects")
    ends = (3.0 * n, 4.0 * n)
    for known, told in ((costed(*named), ends), (district, (np.nan, np.nan))):  # the ledger is the same for every plan
        option = Parcels(known)._option(plan, "p")
        np.testing.assert_equal(option.spent, told)
        assert ("数据不足" in option.texts["spent"]) == np.isnan(told[0]), "what the ledger says is no plan's"
    assert spent(costed("p#1", *named[1:-1]), plan, "p").origin == "ledger", "a step is in no project"
    assert spent(costed("p;other"), plan, "p").origin == "ledger", "the project does more than the plan"


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
