"""People conserved: a plan worked out by hand for two parcels, every year, and random plans."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from clock import trials
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import FlakyStrategyDefinition

import xinhe_geo as xh
from xinhe_geo.core.i18n import speaking
from xinhe_geo.core.models import Edit
from xinhe_geo.core.schema import LAYERS
from xinhe_geo.district.edits import ACTIONS
from xinhe_geo.district.scenario import Scenario
from xinhe_geo.district.scenario_text import conflicts, steps
from xinhe_geo.renewal.balance import COUNTS, GROUPS, SINCE, YEARLY, accounts, balance
from xinhe_geo.report.story.change import people_line
from xinhe_geo.report.story.parcels import Parcels

TOY = Path(__file__).parents[1] / "toy"


def dated(*edits: tuple[int | None, str, dict[str, Any]], year: int | None = None) -> Scenario:
    made = [Edit(do, what if y is None else {"year": y, **what}) for y, do, what in edits]
    return Scenario("p", "试算", tuple(made), year)


def facts_of(*rows: tuple[str, int | None, str, str | None, str]) -> pd.DataFrame:
    """Figures of the ledger: parcel, year, quantity, holder, value."""
    table = pd.DataFrame(rows, columns=["parcel", "year", "quantity", "holder", "value"])
    table = table.reindex(columns=[c for c in LAYERS["parcel_facts"].names if c != "row"])
    return table.astype({"year": "Int64", "high": "float64"}).rename_axis("row")


def on_parcels() -> xh.District:
    """The toy with 920 people in A and 500 in B, each on a parcel of its own, and a free parcel; C comes in 2028, D goes after 2027."""
    toy = xh.District.load(TOY)
    homes = toy.rows["homes"].copy()
    numbers = {"A": (920.0, 230.0, 368), "B": (500.0, 100.0, 200), "C": (60.0, 6.0, 24), "D": (80.0, 20.0, 32)}
    for home, (people, older, households) in numbers.items():
        homes.loc[home, ["people", "people_60plus", "households"]] = people, older, households
    homes.loc["C", "since"], homes.loc["D", "until"] = 2028, 2027
    west, south, _, _ = homes.geometry["A"].bounds
    shapes = [
        homes.geometry["A"].buffer(5),
        homes.geometry["B"].buffer(5),
        shapely.box(west, south - 90, west + 40, south - 50),
    ]
    parcels = gpd.GeoDataFrame(
        {"name": ["甲", "乙", "空地"], "use": ["居住"] * 3},
        geometry=shapes,
        crs=toy.crs,
        index=pd.Index(["jia", "yi", "free"], name="parcel"),
    )
    ledger = facts_of(
        ("jia", 2025, "people", "owner", "700"),
        ("jia", 2025, "people", "tenant", "220"),
        ("jia", 2025, "registered", None, "650"),
        ("jia", 2027, "people", "owner", "1"),  # of a later year: who lived there first it does not say
    )
    return toy.with_rows({**toy.rows, "homes": homes, "parcels": parcels, "parcel_facts": ledger})


@pytest.fixture(scope="module")
def ground() -> xh.District:
    return on_parcels()


#: 1,120 move in 2026 (700 wait, 220 take cash, 200 go elsewhere), 600 return in 2029, with 1,900 who are new.
WORKED = dated(
    (2026, "move_households", {"homes": ["A"], "people": 700, "registered": 500, "holder": "owner", "fate": "waiting"}),
    (2026, "move_households", {"homes": ["A"], "people": 220, "registered": 50, "holder": "tenant", "fate": "cash"}),
    (
        2026,
        "move_households",
        {"homes": ["B"], "people": 200, "people_60plus": 50, "households": 90, "fate": "elsewhere"},
    ),
    (2027, "demolish_homes", {"homes": ["A"]}),
    (2028, "retrofit", {"home": "B", "elevators": 4, "parking_places": 60}),
    (2029, "build_homes", {"parcel": "jia", "home": "new", "people": 1900, "people_60plus": 190, "households": 700}),
    (2029, "return_households", {"parcel": "jia", "home": "new", "people": 600, "registered": 450, "holder": "owner"}),
)

#: opening, moved_out, returned, newcomers, other, closing | moved_total, waiting, returned_total, elsewhere, cash, unsaid
BY_HAND = {
    ("jia", "people", "", 2026): "920 920 0 0 0 0 | 920 700 0 0 220 0",
    ("jia", "people", "", 2027): "0 0 0 0 0 0 | 920 700 0 0 220 0",
    ("jia", "people", "", 2028): "0 0 0 0 0 0 | 920 700 0 0 220 0",
    ("jia", "people", "", 2029): "0 0 600 1900 0 2500 | 920 100 600 0 220 0",
    ("jia", "people", "owner", 2026): "700 700 0 0 0 0 | 700 700 0 0 0 0",
    ("jia", "people", "owner", 2029): "0 0 600 0 0 600 | 700 100 600 0 0 0",
    ("jia", "people", "tenant", 2026): "220 220 0 0 0 0 | 220 0 0 0 220 0",
    ("jia", "people", "tenant", 2029): "0 0 0 0 0 0 | 220 0 0 0 220 0",
    # 368 households, people 920: 700 and 220 take 280 and 88; 600 of 700 return, with 240 of 280
    ("jia", "households", "", 2026): "368 368 0 0 0 0 | 368 280 0 0 88 0",
    ("jia", "households", "", 2029): "0 0 240 700 0 940 | 368 40 240 0 88 0",
    # 650 are registered: 100 of them never lived there and stay in the books
    ("jia", "registered", "", 2026): "650 550 0 0 0 100 | 550 500 0 0 50 0",
    ("jia", "registered", "", 2028): "100 0 0 0 0 100 | 550 500 0 0 50 0",
    ("yi", "people", "", 2026): "500 200 0 0 0 300 | 200 0 0 200 0 0",
    ("yi", "people", "", 2027): "300 0 0 0 0 300 | 200 0 0 200 0 0",
    ("yi", "people", "", 2028): "300 0 0 0 0 300 | 200 0 0 200 0 0",
    ("yi", "people", "", 2029): "300 0 0 0 0 300 | 200 0 0 200 0 0",
    ("yi", "households", "", 2026): "200 90 0 0 0 110 | 90 0 0 90 0 0",
    # on no parcel: D goes after 2027, C comes in 2028
    ("", "people", "", 2027): "{0} 0 0 0 0 {0} | 0 0 0 0 0 0",
    ("", "people", "", 2028): "{0} 0 0 0 -20 {1} | 0 0 0 0 0 0",
}


@pytest.mark.slow
def test_the_plan_worked_out_by_hand(ground: xh.District) -> None:
    table = accounts(ground, WORKED)
    assert sorted(set(table.index.get_level_values("year"))) == [2026, 2027, 2028, 2029]
    outside = ground.rows["homes"].drop(index=["A", "B", "C"])["people"].sum()
    for key, text in BY_HAND.items():
        numbers = text.format(f"{outside:g}", f"{outside - 20:g}").replace("|", "").split()
        assert table.loc[key].tolist() == [float(n) for n in numbers], key
    # nobody has said how many of the 1,900 are registered there
    assert table.loc[("jia", "registered", "", 2029), ["newcomers", "closing"]].isna().all()
    moved = table.xs(("people", "", 2029), level=("count", "holder", "year"))["moved_total"].sum()
    assert moved == 1120


@pytest.mark.slow
def test_a_plan_plays_from_year_to_year(ground: xh.District) -> None:
    people = {year: WORKED.at(year).on(ground).homes["people"] for year in (2025, 2026, 2027, 2029)}
    assert people[2025].loc["A"] == 920 and people[2026].loc["A"] == 0 and people[2026].loc["B"] == 300
    assert "A" not in people[2027].index and people[2029].loc["new"] == 2500
    whole = WORKED.on(ground)
    assert whole.year == 2029, "without a year of its own it stands for the last one of its edits"
    # 190 new; of the 700 who left a quarter were 60 and more, as in A: 150 of 600 return
    assert whole.homes.loc["new", "people_60plus"] == 190 + 150
    assert whole.homes.loc["B", ["elevators", "parking_places", "renewed_year"]].tolist() == [4, 60, 2028]
    text = steps(WORKED, ground)["text"]
    assert text[1].startswith("2026 年：700 人搬离") and "被征收户，过渡中" in text[1]


@pytest.mark.slow
def test_what_ends_is_undone(ground: xh.District) -> None:
    """Housed elsewhere for two years: they are back in the third, and a street that was closed is open again."""
    plan = dated(
        (2026, "move_households", {"homes": ["A"], "people": 300, "fate": "waiting", "to": "B", "until": 2027}),
        (2026, "close_street", {"street": "bridge", "until": 2026}),
        year=2026,
    )
    table = accounts(ground, plan)
    assert table.loc[("jia", "people", "", 2026)].tolist() == [920, 300, 0, 0, 0, 620, 300, 300, 0, 0, 0, 0]
    assert table.loc[("jia", "people", "", 2028)].tolist() == [620, 0, 300, 0, 0, 920, 300, 0, 300, 0, 0, 0]
    assert table.loc[("yi", "people", "", slice(None)), "closing"].tolist() == [800, 800, 500]
    assert table.loc[("yi", "people", "", slice(None)), "other"].tolist() == [300, 0, -300]
    assert "bridge" not in plan.at(2026).on(ground).rows["streets"].index
    assert "bridge" in plan.at(2027).on(ground).rows["streets"].index
    after = plan.at(2028).on(ground)
    for name, frame in ground.rows.items():
        pd.testing.assert_frame_equal(pd.DataFrame(after.rows[name]), pd.DataFrame(frame))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("edits", "step", "words"),
    [
        ([(2026, "move_households", {"homes": ["A"], "people": 921})], 1, "住着 920 人，要搬走 921 人"),
        (
            [
                (2026, "move_households", {"homes": ["A"], "people": 500, "holder": "owner"}),
                (2027, "move_households", {"homes": ["A"], "people": 201, "holder": "owner"}),
            ],
            2,
            "被征收户有 700 人，前面已搬走 500，这一步再搬 201",
        ),
        ([(2026, "move_households", {"homes": ["A"], "registered": 651})], 1, "户籍人口有 650"),
        (
            [
                (2026, "move_households", {"homes": ["A"], "people": 500, "fate": "waiting"}),
                (2026, "move_households", {"homes": ["A"], "people": 400, "fate": "cash"}),
                (2027, "demolish_homes", {"homes": ["A"]}),
                (2028, "build_homes", {"parcel": "jia", "home": "n", "people": 0}),
                (2028, "return_households", {"parcel": "jia", "home": "n", "people": 521}),
            ],
            5,
            "可能回来的有 520 人，要还迁 521 人",
        ),
        (
            [
                (2028, "demolish_homes", {"homes": ["A"]}),
                (2026, "build_homes", {"parcel": "jia", "home": "n", "people": 10}),
            ],
            2,
            "建在 2026 年仍有人住的 1 个小区上",
        ),
        ([(2028, "demolish_homes", {"homes": ["D"]})], 1, "D 到 2027 年为止"),
        ([(2026, "return_households", {"parcel": "jia", "home": "B", "people": 1})], 1, "不在地块 jia 上"),
        ([(2026, "demolish_homes", {"homes": ["A"], "until": 2027})], 1, "不能写 until"),
        ([(2026, "close_street", {"street": "bridge", "until": 2025})], 1, "早于 year"),
    ],
)
def test_what_contradicts_is_named_with_its_step(
    ground: xh.District, edits: list[tuple[int, str, dict[str, Any]]], step: int, words: str
) -> None:
    plan = dated(*edits)
    found = conflicts(plan, ground)
    assert found.index.tolist() == [step] and words in found["problem"].iloc[0]
    with pytest.raises(xh.ScenarioError, match="第"):
        accounts(ground, plan)
    if found["kind"].eq("conflict").all():
        identities(accounts(ground, plan, with_conflicts=True), ground, plan)


def identities(table: pd.DataFrame, district: xh.District, plan: Scenario) -> None:
    """
    Stock and flow of every line; who left is somewhere; all parcels together are the district.

    Where a home goes whose households nobody knows, how many were there and how many went is unknown, and how many are left is not.
    """
    flow = table["opening"] - table["moved_out"] + table["returned"] + table["newcomers"] + table["other"]
    flow = flow.mask(flow < -1e-9)  # less than nobody is nothing that could be told
    np.testing.assert_allclose(flow[flow.notna()], table["closing"][flow.notna()], atol=1e-9)
    where = table[list(SINCE[1:])].sum(axis=1, skipna=False)
    known = (
        where.notna()
    )  # of who is back it may be unknown how many were registered: then so is how many of these wait
    np.testing.assert_allclose(where[known], table["moved_total"][known], atol=1e-9)
    for year in sorted(set(table.index.get_level_values("year"))):
        homes = plan.at(year).on(district, with_conflicts=True).homes
        own = table.xs(("people", "", year), level=("count", "holder", "year"))
        assert own["closing"].sum() == pytest.approx(homes["people"].sum())
    assert (table[["waiting", "unsaid", "elsewhere", "cash"]].fillna(0) >= -1e-9).all().all()


#: group of jia in 2029: people, opening, moved_out, returned, newcomers, other | moved_total, waiting, returned_total, elsewhere, cash, unsaid
GROUPS_BY_HAND = {
    # 700 owners left and 600 are back: 100 wait
    ("jia", 2029, "owner"): "600 0 0 600 0 0 | 700 100 600 0 0 0",
    ("jia", 2029, "tenant"): "0 0 0 0 0 0 | 220 0 0 0 220 0",
    ("jia", 2029, "residents"): "0 0 0 0 0 0 | 0 0 0 0 0 0",
    ("jia", 2029, "newcomers"): "1900 0 0 0 1900 0 | 0 0 0 0 0 0",
    ("jia", 2026, "owner"): "0 700 700 0 0 0 | 700 700 0 0 0 0",
    ("yi", 2026, "residents"): "300 500 200 0 0 0 | 200 0 0 200 0 0",
}


@pytest.mark.slow
def test_who_moves_without_a_word_of_which_kind_leaves_every_kind_unknown(ground: xh.District) -> None:
    """The ledger tells 700 owners from 220 tenants; a step that tells them apart says so of all who may still be meant."""
    some, rest = {"homes": ["A"], "people": 300, "fate": "waiting"}, {"homes": ["A"], "fate": "cash"}
    back = {"parcel": "jia", "home": "new", "people": 200}
    built = (2029, "build_homes", {"parcel": "jia", "home": "new", "people": 1900})
    torn = (2027, "demolish_homes", {"homes": ["A"]})
    plan = dated((2026, "move_households", some), torn, built, (2030, "return_households", back))
    own = accounts(ground, plan, range(2026, 2031)).xs(("jia", "people"), level=("parcel", "count"))
    for holder in ("owner", "tenant"):
        closing = own.loc[holder, "closing"]
        assert np.isnan(closing[2026]) and np.isnan(closing[2030]) and (closing[[2027, 2028, 2029]] == 0).all()
        assert np.isnan(own.loc[(holder, 2026), "moved_out"]) and np.isnan(own.loc[(holder, 2030), "returned"])
    said = (2026, "move_households", {**rest, "people": 700, "holder": "owner"})
    own = accounts(ground, dated(said, (2027, "move_households", rest)), [2026, 2027]).xs(
        ("jia", "people"), level=("parcel", "count")
    )
    assert own.loc[("owner", 2027), ["closing", "moved_out", "moved_total"]].tolist() == [0, 0, 700]
    assert own.loc["tenant", "closing"].tolist() == [220, 0]


@pytest.mark.slow
@pytest.mark.matrix
def test_everybody_is_in_one_line_of_a_year(ground: xh.District) -> None:
    """Index parcel, year, group: the column sums to the district, newcomers stand apart, a plan knows whose it is."""
    table = balance(ground, WORKED)
    assert table.index.names == ["parcel", "year", "group"] and table.columns[0] == "people"
    for key, text in GROUPS_BY_HAND.items():
        assert table.loc[key].tolist() == [float(n) for n in text.replace("|", "").split()], key
    add_up(table, ground, WORKED)
    of_plan = balance(ground.scenario(WORKED))
    pd.testing.assert_frame_equal(of_plan, table)
    households = balance(ground.scenario(WORKED), count="households")
    # 700 new households, 240 that are back; nobody has told the households of one 口径
    assert households["households"].loc["jia", 2029].to_dict() == {"residents": 240, "newcomers": 700}
    with pytest.raises(xh.ScenarioError, match="哪个街道"):
        balance(WORKED)
    with pytest.raises(xh.UnknownNameError):
        balance(ground, WORKED, count="heads")


@pytest.mark.slow
def test_newcomers_who_leave_are_no_residents(ground: xh.District) -> None:
    """400 come to the free parcel in 2027, 150 of them leave in 2029: who lived there before is nobody."""
    plan = dated(
        (2027, "build_homes", {"parcel": "free", "home": "n", "people": 400}),
        (2029, "move_households", {"homes": ["n"], "people": 150, "fate": "cash"}),
    )
    table = balance(ground, plan)
    assert table.loc[("free", 2029, "newcomers"), ["people", "moved_out", "cash"]].tolist() == [250, 150, 150]
    assert (table.loc[("free", slice(None), "residents"), :] == 0).all(axis=None)
    add_up(table, ground, plan)


def add_up(table: pd.DataFrame, district: xh.District, plan: Scenario) -> None:
    """Stock and flow of every line, whereabouts, and all lines of a year together are the people of the district."""
    flow = table["opening"] - table["moved_out"] + table["returned"] + table["newcomers"] + table["other"]
    np.testing.assert_allclose(flow, table["people"], atol=1e-6)
    np.testing.assert_allclose(table[list(SINCE[1:])].sum(axis=1, skipna=False), table["moved_total"], atol=1e-6)
    assert set(table.index.get_level_values("group")) <= set(GROUPS) and table.index.is_unique
    assert (table.fillna(0).drop(columns="other") >= -1e-6).all(axis=None)
    for year, people in table["people"].groupby(level="year").sum().items():
        homes = plan.at(int(year)).on(district, with_conflicts=True).homes
        assert people == pytest.approx(homes["people"].sum())


def any_plan() -> st.SearchStrategy[Scenario]:
    """People moving, returning, homes torn down and built, in any order of years, some of it for a time."""
    home, year = st.sampled_from(["A", "B"]), st.none() | st.integers(2024, 2031)
    what: dict[str, st.SearchStrategy[dict[str, Any]]] = {
        "move_households": st.fixed_dictionaries(
            {"homes": st.lists(home, min_size=1, max_size=3, unique=True)},
            optional={
                "people": st.integers(0, 700),
                "households": st.integers(0, 90),
                "fate": st.sampled_from(["waiting", "elsewhere", "cash"]),
                "to": st.sampled_from(["C", "D"]),
                "until": st.integers(2031, 2033),
            },
        ),
        "return_households": st.fixed_dictionaries(
            {"parcel": st.just("jia"), "home": st.sampled_from(["A", "n1"]), "people": st.integers(0, 700)}
        ),
        "demolish_homes": st.fixed_dictionaries({"homes": st.lists(home, min_size=1, max_size=2, unique=True)}),
        "build_homes": st.fixed_dictionaries(
            {"parcel": st.sampled_from(["jia", "free"]), "home": st.sampled_from(["n1", "n2"])},
            optional={"until": st.integers(2031, 2033)},
        ).map(lambda d: {"people": 400, "households": 150, **d}),
    }
    edit = st.sampled_from(sorted(what)).flatmap(lambda do: st.tuples(year, st.just(do), what[do]))
    return st.lists(edit, min_size=1, max_size=6).map(lambda edits: dated(*edits, year=None))


@pytest.mark.slow
@pytest.mark.matrix
@settings(max_examples=trials(16), deadline=None, derandomize=True, phases=[Phase.generate])
@given(plan=any_plan())
def test_any_plan_keeps_count_of_everybody(ground: xh.District, plan: Scenario) -> None:
    """Exact every year, in every line, and all parcels together are the homes of the district."""
    for _ in plan.edits:  # what is left out can leave another without its ground
        wrong = conflicts(plan, ground)
        gone = set(wrong.index[wrong["kind"] == "impossible"])
        plan = Scenario("p", edits=tuple(e for i, e in enumerate(plan.edits, 1) if i not in gone))
        if not gone:
            break
    before = {name: pd.DataFrame(frame).copy() for name, frame in ground.rows.items()}
    identities(accounts(ground, plan, with_conflicts=True), ground, plan)
    add_up(balance(ground, plan, with_conflicts=True), ground, plan)
    for name, frame in before.items():
        pd.testing.assert_frame_equal(pd.DataFrame(ground.rows[name]), frame)


class Ids(NamedTuple):
    """Rows of a district that plans are made of: homes, those that take in others, parcels, a facility that is planned."""

    homes: list[str]
    taking: list[str]
    parcels: list[str]
    planned: str


TOY_IDS = Ids(["A", "B", "C"], ["C", "D", "B"], ["jia", "yi", "free"], "F4")


def west_of(district: xh.District, parcel: str) -> list[list[float]]:
    """The west of a parcel, to its middle."""
    x0, y0, x1, y1 = district.rows["parcels"].geometry[parcel].bounds
    spots = [shapely.Point(at) for at in shapely.box(x0, y0, (x0 + x1) / 2, y1).exterior.coords[:4]]
    return [[p.x, p.y] for p in gpd.GeoSeries(spots, crs=district.crs).to_crs(4326)]


def any_edits(
    district: xh.District, own: Ids = TOY_IDS
) -> st.SearchStrategy[list[tuple[int | None, str, dict[str, Any]]]]:
    """Every kind of edit there is, in any order of years, some of it for a time, with parts of people."""
    home, new = st.sampled_from([*own.homes, "n1"]), st.sampled_from(["n1", "n2"])
    kind = st.sampled_from(sorted(district.surveyed_kinds))
    ids = {
        layer: st.sampled_from(sorted(map(str, district.rows[layer].index)))
        for layer in ("facilities", "gates", "streets")
    }
    west, south, east, north = map(int, district.rows["homes"].total_bounds)
    spot = st.tuples(st.integers(west, east), st.integers(south, north)).map(lambda p: [float(p[0]), float(p[1])])
    people, parcel = st.floats(0, 700).map(lambda n: round(n, 2)), st.sampled_from(own.parcels)
    fixed = st.fixed_dictionaries
    some: dict[str, st.SearchStrategy[dict[str, Any]]] = {
        "move_households": fixed(
            {"homes": st.lists(home, min_size=1, max_size=2, unique=True)},
            optional={
                "people": people,
                "households": st.integers(0, 90),
                "registered": people,
                "holder": st.sampled_from(["owner", "tenant"]),
                "fate": st.sampled_from(["waiting", "elsewhere", "cash"]),
                "to": st.sampled_from(own.taking),
            },
        ),
        "return_households": fixed(
            {"parcel": st.just(own.parcels[0]), "home": st.sampled_from([own.homes[0], "n1"]), "people": people},
            optional={"households": st.integers(0, 90), "registered": people, "holder": st.just("owner")},
        ),
        "demolish_homes": fixed({"homes": st.lists(home, min_size=1, max_size=2, unique=True)}),
        "build_homes": fixed(
            {"parcel": parcel, "home": new, "people": people}, optional={"parking_places": st.integers(0, 90)}
        ),
        "build_floor_area": fixed(
            {"parcel": parcel, "quantity": st.just("floor_homes_m2"), "floor_area_m2": st.integers(0, 900)}
        ),
        "change_use": fixed({"parcel": parcel, "use": st.sampled_from(["居住", "绿地"])}),
        "split_parcel": fixed(
            {
                "parcel": st.just(own.parcels[0]),
                "parts": st.just([{"parcel": "n1", "outline": west_of(district, own.parcels[0])}, {"parcel": "n2"}]),
            }
        ),
        "retrofit": fixed(
            {"home": home}, optional={"elevators": st.integers(0, 9), "parking_places": st.integers(0, 99)}
        ),
        "use_rooms": fixed({"facility": new, "kind": kind, "home": home}),
        "open_facility": fixed({"facility": new, "kind": kind, "xy": spot}),
        "close_facility": fixed({"facility": ids["facilities"]}),
        "move_facility": fixed({"facility": ids["facilities"], "xy": spot}),
        "resize_facility": fixed({"facility": ids["facilities"], "capacity": st.integers(0, 90)}),
        "open_planned": fixed({"facility": st.just(own.planned)}),
        "open_gate": fixed({"gate": ids["gates"]}),
        "close_gate": fixed({"gate": ids["gates"]}),
        "close_street": fixed({"street": ids["streets"]}),
        "open_lanes": fixed({"home": home}),
        "set_wait": fixed({"street": ids["streets"], "wait_s": st.integers(0, 300)}),
        "add_street": fixed({"street": new, "line": st.just([[117.0, 39.0], [117.001, 39.0]])}),
    }
    assert set(some) == set(ACTIONS)
    of_people = ["move_households", "return_households", "demolish_homes", "build_homes", "use_rooms", "retrofit"]
    do = st.sampled_from([*of_people, *of_people, *sorted(some)])
    years, ends = st.none() | st.integers(2024, 2031), st.none() | st.integers(0, 4)

    def lasting(step: tuple[int | None, str, dict[str, Any], int | None]) -> tuple[int | None, str, dict[str, Any]]:
        year, do, what, more = step
        ends = more is not None and year is not None and not ACTIONS[do].lasting
        return (year, do, {**what, "until": year + more}) if ends else (year, do, what)

    edit = do.flatmap(lambda do: st.tuples(years, st.just(do), some[do], ends)).map(lasting)
    return st.lists(edit, min_size=1, max_size=7)


def what_can_be(plan: Scenario, district: xh.District) -> Scenario:
    """Return a plan without what cannot be carried out; what only contradicts stays in it."""
    for _ in plan.edits:  # what is left out can leave another without its ground
        wrong = conflicts(plan, district)
        gone = set(wrong.index[wrong["kind"] == "impossible"])
        plan = replace(plan, edits=tuple(e for i, e in enumerate(plan.edits, 1) if i not in gone))
        if not gone:
            break
    return plan


@pytest.mark.slow
def test_any_edits_of_any_two_plans_keep_count_of_everybody(ground: xh.District) -> None:
    keep_count(ground, TOY_IDS, trials(16))


@pytest.mark.slow
@pytest.mark.matrix
def test_any_edits_of_two_plans_of_the_bundled_district_keep_count_of_everybody() -> None:
    bundled = xh.District.load()
    homes, facilities = bundled.rows["homes"].copy(), bundled.rows["facilities"]
    homes["people"] = homes["people"].fillna(0)  # of whom nobody knows, the total would not be known either
    bundled = bundled.with_rows({**bundled.rows, "homes": homes})
    where = bundled.rows["parcels"].geometry
    on = [str(home) for home in homes.index if where.intersects(homes.geometry[home]).any()]
    off = [str(home) for home in homes.index if str(home) not in on]
    planned = str(facilities.index[facilities["state"] == "planned"][0])
    parcels = [p for p in where.index if where[p].intersects(homes.geometry[on[0]])]
    parcels += [p for p in where.index if p not in parcels]
    keep_count(bundled, Ids([*on[:6], off[0]], off[1:4], list(map(str, parcels)), planned), 4)


def keep_count(ground: xh.District, ids: Ids, number: int) -> None:
    """
    Two plans joined, each with a year of its own or none: people add up every year, and the district is as it was.

    Hypothesis at times takes these strategies for ones that draw otherwise when asked again, and would then hide what is wrong: what
    is wrong is therefore kept here, and so is how many plans were tried.
    """
    edits, before = any_edits(ground, ids), {name: pd.DataFrame(frame).copy() for name, frame in ground.rows.items()}
    wrong, tried = list[str](), list[Scenario]()

    def as_before(district: xh.District) -> None:
        for name, frame in before.items():
            pd.testing.assert_frame_equal(pd.DataFrame(district.rows[name]), frame, check_exact=True)

    @settings(max_examples=number, deadline=None, derandomize=True, phases=[Phase.generate])
    @given(first=edits, second=edits, years=st.tuples(*[st.none() | st.integers(2024, 2031)] * 2))
    def one(first: Any, second: Any, years: tuple[int | None, int | None]) -> None:
        a, b = (
            replace(dated(*own), name=name, year=year)
            for name, own, year in zip("ab", (first, second), years, strict=True)
        )
        plan = what_can_be(a + b, ground)
        tried.append(plan)
        try:
            table = accounts(ground, plan, with_conflicts=True)
            identities(table, ground, plan)
            # whatever contradicts: nobody is fewer than nobody, and nowhere more people are old than live there
            assert (table.drop(columns=["moved_out", "returned", "newcomers", "other"]).fillna(0) >= 0).all(axis=None)
            lived = plan.on(ground, with_conflicts=True).homes
            assert not (lived["people_60plus"] > lived["people"] + 1e-6).any()
            if conflicts(
                plan, ground
            ).empty:  # one who moves more people than live there is told so, and goes below nothing
                add_up(balance(ground, plan), ground, plan)
            as_before(ground)
            as_before(passed(plan, ground).on(ground, with_conflicts=True))
        except AssertionError as error:
            wrong.append(f"{plan.edits}: {error}")

    with suppress(FlakyStrategyDefinition):
        one()
    assert not wrong, wrong[0]
    assert len(tried) > number // 3


def passed(plan: Scenario, district: xh.District) -> Scenario:
    """Return the year after all that a plan does for a time: whatever can end has ended."""
    own = [Edit(e.do, {"year": 2024, **e.what, "until": 2035}) for e in plan.edits if not ACTIONS[e.do].lasting]
    return what_can_be(Scenario("p", "试算", tuple(own)), district).at(2036)


@pytest.mark.slow
@pytest.mark.parametrize("until", [None, 2028])
def test_guests_of_a_home_that_is_torn_down_are_told_and_counted_once(ground: xh.District, until: int | None) -> None:
    """100 of A are housed in B, which is torn down a year later: for a time they still are on their way, for good they are B's."""
    ends = {} if until is None else {"until": until}
    plan = dated(
        (2026, "move_households", {"homes": ["A"], "people": 100, "to": "B", "fate": "waiting", **ends}),
        (2027, "demolish_homes", {"homes": ["B"]}),
    )
    found = conflicts(plan, ground)
    assert found["problem"].tolist() == [] if until is None else "要住到 2028 年末" in found["problem"].item()
    table = accounts(ground, plan, with_conflicts=until is not None)
    identities(table, ground, plan)
    line = table.loc[("yi", "people", "", 2027)]
    assert line[["moved_out", "other"]].tolist() == ([600, 0] if until is None else [500, -100])
    if until is not None:
        assert table.loc[("yi", "people", "", 2029)].tolist() == [0, 0, 0, 0, 0, 0, 500, 0, 0, 0, 0, 500]
        assert table.loc[("jia", "people", "", 2029), ["returned", "closing"]].tolist() == [100, 920]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("edits", "words"),
    [
        ([(2026, "demolish_homes", {"homes": ["A"]}), (2027, "demolish_homes", {"homes": ["A"]})], "在第 1 步已经拆除"),
        (
            [
                (2026, "demolish_homes", {"homes": ["A"]}),
                (2027, "move_households", {"homes": ["A"], "people": 1}),
            ],
            "在第 1 步已经拆除",
        ),
        ([(y, "open_planned", {"facility": "F4"}) for y in (2026, 2027)], "在第 1 步已经建成"),
        ([(y, "build_homes", {"parcel": "free", "home": "n", "people": 9}) for y in (2026, 2027)], "在第 1 步已经有了"),
        (
            [
                (2026, "move_households", {"homes": ["A"], "people": 100, "households": 40, "fate": "waiting"}),
                (2027, "return_households", {"parcel": "jia", "home": "A", "people": 100, "households": 41}),
            ],
            "有 40 户，要还迁 41 户",
        ),
        (
            [
                (2026, "move_households", {"homes": ["A"], "people": 100, "registered": 60, "fate": "waiting"}),
                (2027, "return_households", {"parcel": "jia", "home": "A", "people": 100, "registered": 61}),
            ],
            "有 60 户籍人口，要还迁 61 户籍人口",
        ),
    ],
)
def test_what_is_done_again_is_a_conflict_that_one_can_go_on_with(
    ground: xh.District, edits: list[tuple[int, str, dict[str, Any]]], words: str
) -> None:
    plan = dated(*edits)
    found = conflicts(plan, ground)
    assert found.index.tolist() == [2] and found["kind"].tolist() == ["conflict"] and words in found["problem"].iloc[0]
    with pytest.raises(xh.ScenarioError, match="第 2 步"):
        plan.on(ground)
    identities(accounts(ground, plan, with_conflicts=True), ground, plan)


def test_what_is_only_made_later_is_told_with_its_step(ground: xh.District) -> None:
    plan = dated(
        (2026, "retrofit", {"home": "n", "elevators": 1}),
        (2027, "build_homes", {"parcel": "free", "home": "n", "people": 9}),
    )
    assert "n 到第 2 步才有" in conflicts(plan, ground)["problem"].item()


def test_plans_that_are_joined_keep_their_years() -> None:
    """A plan of 2025, one whose steps have years, one of 2030: each step is carried out when its own plan says, whichever comes first."""
    one = Scenario("a", edits=(Edit("retrofit", {"home": "A"}),), year=2025)
    two = dated((None, "retrofit", {"home": "B"}), (2027, "retrofit", {"home": "C"}))
    three = replace(one, name="c", year=2030)
    for plans, years in (
        ((one, two), [2025, None, 2027]),
        ((two, one), [None, 2027, 2025]),
        ((one, three), [2025, 2030]),
        ((three, one), [2030, 2025]),
        ((one, one), [2025, 2025]),
    ):
        joined = plans[0] + plans[1]
        assert [joined.since(edit) for edit in joined.edits] == years
        assert joined.years[-1] == max(y for y in years if y)
    assert (one + one).year == 2025


@pytest.mark.slow
@pytest.mark.matrix
def test_two_plans_one_after_the_other_are_one_plan(ground: xh.District) -> None:
    """People are conserved across plans: what both do together is what each does, where they touch different parcels."""
    first = dated(
        *(
            (e.what["year"], e.do, {k: v for k, v in e.what.items() if k != "year"})
            for e in WORKED.edits
            if "B" not in str(e.what)
        )
    )
    second = dated((2026, "move_households", {"homes": ["B"], "people": 200, "fate": "elsewhere"}))
    both, alone = accounts(ground, first.then(second)), accounts(ground, first)
    own = [key for key in alone.index if key[0] == "jia"]
    pd.testing.assert_frame_equal(both.loc[own], alone.loc[own])
    assert both.loc[("yi", "people", "", 2026), "moved_out"] == 200
    pd.testing.assert_frame_equal(accounts(ground, first, [2028]), alone[alone.index.get_level_values("year") == 2028])


@pytest.mark.slow
def test_a_comparison_tells_residents_who_return_from_newcomers(ground: xh.District) -> None:
    """1,120 left, 600 are back in a new home, 1,900 are new in the same one; what is left over went with homes of their own."""
    line = people_line(ground.at(2029), WORKED.on(ground))
    assert "搬离 1,120 人" in line and "还迁 600 人" in line and "导入 1,900 人" in line and "其他变动" not in line
    before = Edit(
        "build_homes", {"parcel": "free", "home": "old", "people": 50}
    )  # without a year: it was there already
    line = people_line(ground.at(2029), Scenario("p", edits=(before, *WORKED.edits)).on(ground))
    # whom only the plan puts there is told as such, and is no change that nobody explains
    assert "导入 1,900 人" in line and "另有 50 人原来就住着" in line and "其他变动" not in line
    later = people_line(ground.at(2027), WORKED.at(2029).on(ground))
    # C comes with 60 and D's 80 go after 2027, by years of their own: the toy says so, not the plan
    assert "其他变动 −20 人" in later.replace("-", "−") and "按自己的起止年" in later
    torn = dated((2026, "demolish_homes", {"homes": ["B"]}))
    assert "迁出 500 人（不计入受影响居民；去向待填）" in people_line(ground.at(2026), torn.on(ground))


def test_unknown_people_stay_unknown(ground: xh.District) -> None:
    homes = ground.rows["homes"].copy()
    homes.loc["A", "people"] = np.nan
    unknown = ground.with_rows({**ground.rows, "homes": homes})
    table = accounts(unknown, dated((2026, "move_households", {"homes": ["A"], "fate": "waiting"})))
    line = table.loc[("jia", "people", "", 2026)]
    assert line[["opening", "moved_out", "waiting"]].isna().all() and line["cash"] == 0
    assert set(table.columns) == {*YEARLY, *SINCE} and set(table.index.get_level_values("count")) <= set(COUNTS)


@pytest.mark.slow
def test_what_contradicts_is_no_count(ground: xh.District) -> None:
    """701 of 700 owners, and 230 old people among 20: unknown, with the step named, and never less than nobody."""
    moved = (2026, "move_households", {"homes": ["A"], "people": 500, "holder": "owner", "fate": "waiting"})
    plan = dated(
        moved, (2027, "move_households", {"homes": ["A"], "people": 400, "people_60plus": 0, "holder": "owner"})
    )
    problems = conflicts(plan, ground)["problem"]
    assert problems.index.tolist() == [2, 2] and "60岁及以上却有 105 位" in problems.iloc[0]
    table = accounts(ground, plan, with_conflicts=True)
    line = table.loc[("jia", "people", "owner", 2027)]
    assert line[["closing"]].isna().all() and line["moved_total"] == 900
    assert (table.drop(columns=["moved_out", "returned", "newcomers", "other"]).fillna(0) >= 0).all(axis=None)
    homes = plan.on(ground, with_conflicts=True).homes
    assert homes.loc["A", "people"] == 20 and pd.isna(homes.loc["A", "people_60plus"])
    with pytest.raises(xh.ScenarioError, match="多于 people"):
        dated((2026, "move_households", {"homes": ["A"], "people": 5, "people_60plus": 6})).on(ground)
    with speaking("zh"):
        story = Parcels(ground.with_rows({"norms": None}), plan, None, True)
        assert "第 2 步 居民搬离：台账写 jia 的被征收户有 700 人" in story.troubles
        own = next(a for a in story.of("jia").accounts if (a.counted, a.holder) == ("people", "owner"))
        assert {f.code: f.texts for f in own.lines}["closing"] == ("200", "数据不足")
    with speaking("en"):
        assert Parcels(ground, plan, None, True).troubles.endswith(
            "step 2, Households move away; step 2, Households move away"
        )
