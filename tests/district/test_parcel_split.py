"""A parcel divided into several: ground, homes, people, figures, stages and promises add up to the whole, each year and in every count."""

from __future__ import annotations

import json
from dataclasses import replace
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

import xinhe_geo as xh
from xinhe_geo.access.effects import as_divided, effects
from xinhe_geo.core.models import Edit
from xinhe_geo.core.schema import LAYERS
from xinhe_geo.district.parcel_facts import home_parcels
from xinhe_geo.district.parcel_split import apportioned
from xinhe_geo.district.scenario import Scenario
from xinhe_geo.district.scenario_text import conflicts, steps
from xinhe_geo.renewal.balance import SINCE, accounts, balance
from xinhe_geo.renewal.parcels import parcel_figures, parcel_stages, promises
from xinhe_geo.report.story.parcels import Parcels

TOY = Path(__file__).parents[1] / "toy"
#: Of A: 920 people, 230 of them 60 and more, 368 households; on the ground that is divided.
LIVED = {"people": 920.0, "people_60plus": 230.0, "households": 368}


@pytest.fixture(scope="module")
def ground() -> xh.District:
    """The toy with A on a parcel of its own, which has a ledger, stages and a promise; B on another."""
    toy = xh.District.load(TOY)
    homes = toy.rows["homes"].copy()
    homes.loc["A", list(LIVED)] = list(LIVED.values())
    homes.loc["C", list(LIVED)] = 60.0, 6.0, 24
    homes.loc["A", ["elevators", "parking_places", "storeys"]] = 3, 41, 6
    shapes = [homes.geometry[home].buffer(5, join_style="mitre") for home in "AB"]
    parcels = gpd.GeoDataFrame(
        {"name": ["甲", "乙"], "use": ["居住"] * 2},
        geometry=shapes,
        crs=toy.crs,
        index=pd.Index(["jia", "yi"], name="parcel"),
    )
    facts = [
        ("jia", 2025, "people", "owner", "700", np.nan),
        ("jia", 2025, "people", "tenant", "220", np.nan),
        ("jia", 2025, "registered", None, "651", np.nan),
        ("jia", None, "far_limit", None, "1.8", np.nan),
        ("jia", None, "ownership", None, "国有", np.nan),
        ("jia", 2027, "cost_acquisition", None, "14000", 18000.0),
        ("jia", 2027, "receipt_land", None, None, np.nan),
        ("yi", None, "ownership", None, None, np.nan),
    ]
    ledger = table_of("parcel_facts", ["parcel", "year", "quantity", "holder", "value", "high"], facts)
    stages = table_of("stages", ["parcel", "stage", "date", "share"], [("jia", "state_signing", "2026-04", 92.0)])
    wanted = table_of("promises", ["parcel", "quote", "kinds"], [("jia;yi", "配建卫生服务站", "clinic_station")])
    own = {"homes": homes, "parcels": parcels, "parcel_facts": ledger, "stages": stages, "promises": wanted}
    return toy.with_rows({**toy.rows, **own})


def table_of(layer: str, columns: list[str], rows: list[Any]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=columns).reindex(columns=[c for c in LAYERS[layer].names if c != "row"])
    return table.astype({c: "Int64" for c in ("year",) if c in table}).rename_axis("row")


def west(district: xh.District, share: float, parcel: str = "jia") -> list[list[float]]:
    """The western part of a parcel: a box over that share of its width."""
    x0, y0, x1, y1 = district.rows["parcels"].geometry[parcel].bounds
    ring = shapely.box(x0, y0, x0 + (x1 - x0) * share, y1).exterior.coords[:-1]
    there = gpd.GeoSeries([shapely.Point(at) for at in ring], crs=district.crs).to_crs(4326)
    return [[p.x, p.y] for p in there]


def dated(*edits: tuple[int | None, str, dict[str, Any]]) -> Scenario:
    return Scenario("p", "试算", tuple(Edit(do, what if y is None else {"year": y, **what}) for y, do, what in edits))


def split(year: int | None, parts: list[dict[str, Any]], parcel: str = "jia") -> tuple[int | None, str, dict[str, Any]]:
    return year, "split_parcel", {"parcel": parcel, "parts": parts}


def in_two(district: xh.District, share: float | None = None, at: float = 0.5) -> list[dict[str, Any]]:
    said = ({}, {}) if share is None else ({"share": share}, {"share": round(1 - share, 6)})
    return [
        {"parcel": "jia-1", "name": "甲一", "outline": west(district, at), **said[0]},
        {"parcel": "jia-2", **said[1]},
    ]


def worked(district: xh.District) -> Scenario:
    """200 owners leave, the parcel is divided 60 to 40 a year later, 100 more leave the first part, 250 return to it."""
    return dated(
        (
            2026,
            "move_households",
            {"homes": ["A"], "people": 200, "registered": 151, "households": 80, "holder": "owner", "fate": "waiting"},
        ),
        split(2027, in_two(district, 0.6)),
        (
            2028,
            "move_households",
            {"homes": ["A-1"], "people": 100, "registered": 60, "holder": "owner", "fate": "waiting"},
        ),
        (
            2029,
            "return_households",
            {"parcel": "jia-1", "home": "A-1", "people": 250, "registered": 180, "holder": "owner"},
        ),
    )


#: opening, moved_out, returned, newcomers, other, closing | moved_total, waiting, returned_total, elsewhere, cash, unsaid
BY_HAND = {
    ("jia", "people", "", 2026): "920 200 0 0 0 720 | 200 200 0 0 0 0",
    # 720 live there when it is divided: 432 and 288
    ("jia", "people", "", 2027): "720 0 0 0 -720 0 | 200 200 0 0 0 0",
    ("jia-1", "people", "", 2027): "0 0 0 0 432 432 | 0 0 0 0 0 0",
    ("jia-2", "people", "", 2027): "0 0 0 0 288 288 | 0 0 0 0 0 0",
    ("jia-1", "people", "", 2028): "432 100 0 0 0 332 | 100 100 0 0 0 0",
    # of the 250 who return 100 left the part itself, 150 the whole before it was divided: 50 of it still wait
    ("jia-1", "people", "", 2029): "332 0 250 0 0 582 | 100 0 100 0 0 0",
    ("jia", "people", "", 2029): "0 0 0 0 0 0 | 200 50 150 0 0 0",
    ("jia-2", "people", "", 2029): "288 0 0 0 0 288 | 0 0 0 0 0 0",
    # of 700 owners 200 have left: 300 and 200 are divided; nobody of the 220 tenants has
    ("jia-1", "people", "owner", 2027): "0 0 0 0 300 300 | 0 0 0 0 0 0",
    ("jia-2", "people", "tenant", 2027): "0 0 0 0 88 88 | 0 0 0 0 0 0",
    ("jia-1", "people", "owner", 2029): "200 0 250 0 0 450 | 100 0 100 0 0 0",
    # 288 households: 172.8 and 115.2 are no households
    ("jia-1", "households", "", 2027): "0 0 0 0 173 173 | 0 0 0 0 0 0",
    ("jia-2", "households", "", 2027): "0 0 0 0 115 115 | 0 0 0 0 0 0",
    # 651 are registered, 151 have left: 300 and 200
    ("jia", "registered", "", 2027): "500 0 0 0 -500 0 | 151 151 0 0 0 0",
    ("jia-1", "registered", "", 2027): "0 0 0 0 300 300 | 0 0 0 0 0 0",
    # 180 return: 72 by the people, but no more than the 60 who left the part; the other 120 left the whole
    ("jia-1", "registered", "", 2029): "240 0 180 0 0 420 | 60 0 60 0 0 0",
    ("jia", "registered", "", 2029): "0 0 0 0 0 0 | 151 31 120 0 0 0",
}


@pytest.mark.slow
def test_a_division_worked_out_by_hand(ground: xh.District) -> None:
    plan = worked(ground)
    assert conflicts(plan, ground).empty
    table = accounts(ground, plan)
    for key, text in BY_HAND.items():
        assert table.loc[key].tolist() == [float(n) for n in text.replace("|", "").split()], key
    adds_up(table, ground, plan)
    groups = balance(ground, plan)["people"]
    assert groups.loc["jia-1", 2029].to_dict() == {"owner": 450, "tenant": 132, "residents": 0}
    text = steps(plan, ground).loc[2]
    assert text["text"].startswith("2027 年：把甲（jia）划分为 2 块：甲一（jia-1）") and "60" in text["assumes"]


def adds_up(table: pd.DataFrame, district: xh.District, plan: Scenario) -> None:
    """Every line of every year; a year follows the one before; all parcels together are who lives in the district."""
    flow = table["opening"] - table["moved_out"] + table["returned"] + table["newcomers"] + table["other"]
    known = flow.notna() & table["closing"].notna()
    np.testing.assert_allclose(flow[known], table["closing"][known], atol=1e-9)
    np.testing.assert_allclose(table[list(SINCE[1:])].sum(axis=1, skipna=False), table["moved_total"], atol=1e-9)
    before = table["closing"].groupby(level=["parcel", "count", "holder"]).shift()
    both = before.notna() & table["opening"].notna()
    np.testing.assert_allclose(table["opening"][both], before[both], atol=1e-9)
    for year in sorted(set(table.index.get_level_values("year"))):
        homes = plan.at(int(year)).on(district, with_conflicts=True).homes
        own = table.xs(("people", "", year), level=("count", "holder", "year"))
        assert own["closing"].sum() == pytest.approx(homes["people"].sum())


@pytest.mark.slow
def test_everything_of_a_parcel_is_divided(ground: xh.District) -> None:
    """Ground, homes and what they have, ledger and money between the same ends; limits, texts and stages stand for each part."""
    after = dated(split(2027, in_two(ground, 0.6))).on(ground)
    whole, parts = ground.rows["parcels"].geometry["jia"], after.parcels.geometry[["jia-1", "jia-2"]]
    assert "jia" not in after.parcels.index and parts.area.sum() == pytest.approx(whole.area)
    assert shapely.symmetric_difference(shapely.union_all(parts.array), whole).area < 0.01
    homes = after.homes.loc[["A-1", "A-2"]]
    assert homes[["people", "people_60plus", "households"]].sum().tolist() == list(LIVED.values())
    assert homes["people"].tolist() == [552, 368] and homes["storeys"].tolist() == [6, 6]
    assert homes["elevators"].sum() == 3 and homes["parking_places"].tolist() == [25, 16]
    assert homes.geometry.area.sum() == pytest.approx(ground.homes.geometry["A"].area)
    assert after.gates["home"].tolist().count("A") == 0 and {"A-1", "A-2"} & after.walled_homes
    told = parcel_figures(after, 2027)
    assert told.loc[("jia-1", "cost_acquisition", ""), ["low", "high"]].tolist() == [8400, 10800]
    assert told.loc[("jia-2", "cost_acquisition", ""), ["low", "high"]].tolist() == [5600, 7200]
    assert told["value"].xs("far_limit", level="quantity")[["jia-1", "jia-2"]].tolist() == ["1.8", "1.8"]
    assert (
        told.loc[("jia-2", "ownership", ""), "value"] == "国有"
        and told.loc[("jia-1", "people", "owner"), "value"] == "420"
    )
    people = [float(told.loc[(part, "registered", ""), "value"]) for part in ("jia-1", "jia-2")]
    assert people == [391, 260], "whole people, and nobody lost"
    assert (
        parcel_stages(after)["date"].loc[[("jia-1", "state_signing"), ("jia-2", "state_signing")]].tolist()
        == ["2026-04"] * 2
    )
    line = promises(ground, dated(split(2027, in_two(ground))), after=after).iloc[0]
    assert line["parcels"] == ["jia-1", "jia-2", "yi"]
    assert after.parts_of("parcels", "jia").keys() == {"jia-1", "jia-2"} and after.parts_of("homes", "B") == {"B": 1.0}


@pytest.mark.slow
def test_who_is_divided_is_compared_as_before(ground: xh.District) -> None:
    """Nobody is new: who lives in a piece is compared with the walk of the home that it was cut from, and counts once."""
    after = dated(split(2025, in_two(ground, 0.6))).on(ground)
    a = as_divided(xh.coverage(ground), after)
    assert a["people"].groupby(level="rule").sum().equals(xh.coverage(ground)["people"].groupby(level="rule").sum())
    told = effects(ground, after)
    assert (told[["people_new_served", "people_new_unserved"]].fillna(0) == 0).all(axis=None)
    assert set(a.index) == set(xh.coverage(after).index)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("parts", "words"),
    [
        (lambda d: [*in_two(d, 0.6)[:1], {"parcel": "x", "share": 0.5}], "份额合起来是 110"),
        (lambda d: [{**p, "share": s} for p, s in zip(in_two(d), (0.3, 0.3), strict=True)], "份额合起来是 60"),
        (lambda d: [*in_two(d)[:1], {"parcel": "x", "outline": west(d, 0.8)}], "画了两次的有"),
        (lambda d: [{"parcel": "x", "outline": west(d, 0.3)}, {"parcel": "y", "outline": west(d, 0.3)}], None),
        (lambda d: [{"parcel": "x", "outline": west(d, 1.6)[:4]}, {"parcel": "y"}], None),
        (lambda d: [{"parcel": "x", "outline": west(d, 0.5, "yi")}, {"parcel": "y"}], None),
        (lambda d: [*in_two(d)[:1], {"parcel": "jia"}], None),
        (lambda d: [*in_two(d)[:1], {"parcel": "yi"}], None),
    ],
)
def test_what_does_not_come_to_the_whole_is_told(ground: xh.District, parts: Any, words: str | None) -> None:
    """A conflict can be gone on with, and people still add up; what leaves a part no ground, or has no id of its own, cannot."""
    plan = dated((2026, "move_households", {"homes": ["A"], "people": 20}), split(2027, parts(ground)))
    found = conflicts(plan, ground)
    assert found.index.tolist() == [2] and found["kind"].tolist() == ["conflict" if words else "impossible"]
    assert (words or "") in found["problem"].item()
    if words:
        adds_up(accounts(ground, plan, with_conflicts=True), ground, plan)


@pytest.mark.slow
def test_ground_that_no_part_has_is_told_and_its_people_are_not_lost(ground: xh.District) -> None:
    parts = [{"parcel": "x", "outline": west(ground, 0.3)}, {"parcel": "y", "outline": west(ground, 0.6)}]
    plan = dated((2026, "retrofit", {"home": "A", "elevators": 1}), split(2027, parts))
    said = conflicts(plan, ground)["problem"].item()
    assert "哪一块也没有画到的有" in said and "画了两次的有" in said
    adds_up(accounts(ground, plan, with_conflicts=True), ground, plan)


def test_what_is_done_to_the_whole_later_is_told_with_its_parts(ground: xh.District) -> None:
    plan = dated(
        split(2027, in_two(ground)),
        (2028, "change_use", {"parcel": "jia", "use": "绿地"}),
        (2028, "move_households", {"homes": ["A"]}),
    )
    said = conflicts(plan, ground)["problem"]
    assert "划分为 jia-1、jia-2" in said[2] and "划分为 A-1、A-2" in said[3]
    early = dated((2026, "change_use", {"parcel": "jia-1", "use": "绿地"}), split(2027, in_two(ground)))
    assert "到第 2 步才有" in conflicts(early, ground)["problem"].item()


@pytest.mark.slow
def test_parts_come_from_a_layer_beside_the_plan(ground: xh.District, tmp_path: Path) -> None:
    """The same plan as with outlines in it; a wrong layer is told with the step."""
    ring = west(ground, 0.5)
    feature = {
        "type": "Feature",
        "properties": {"parcel": "jia-1", "name": "甲一", "share": 0.6, "fid": 7},
        "geometry": {"type": "Polygon", "coordinates": [[*ring, ring[0]]]},
    }
    x0, y0, x1, y1 = ground.rows["parcels"].geometry["jia"].bounds
    east = shapely.box((x0 + x1) / 2, y0, x1, y1).exterior.coords
    there = gpd.GeoSeries([shapely.Point(at) for at in east], crs=ground.crs).to_crs(4326)
    other = {
        "type": "Feature",
        "properties": {"parcel": "jia-2", "share": 0.4},
        "geometry": {"type": "MultiPolygon", "coordinates": [[[[p.x, p.y] for p in there]]]},
    }
    (tmp_path / "parts.geojson").write_text(
        json.dumps({"type": "FeatureCollection", "features": [feature, other]}), "utf-8"
    )
    path = tmp_path / "p.toml"
    text = '[[edit]]\ndo = "split_parcel"\nyear = 2027\nparcel = "jia"\nlayer = "{0}"\n'
    path.write_text(text.format("parts.geojson"), "utf-8")
    plan = Scenario.read(path)
    assert plan.edits[0].what["parts"][0]["outline"] == ring
    (tmp_path / "again.toml").write_text(plan.text(), "utf-8")
    assert Scenario.read(tmp_path / "again.toml").edits == plan.edits
    same = dated(split(2027, in_two(ground, 0.6))).on(ground).homes["people"]
    pd.testing.assert_series_equal(plan.on(ground).homes["people"], same)
    for name, words in (
        ("../parts.geojson", "不带文件夹"),
        ("no.geojson", "读不出来"),
        ("p.toml", "GeoJSON 文件的名字"),
    ):
        path.write_text(text.format(name), "utf-8")
        with pytest.raises(xh.ScenarioError, match=words):
            Scenario.read(path)
    for wrong in ("[]", '{"features": [{}]}', '{"features": [], "crs": {"properties": {"name": "EPSG:4548"}}}', "no"):
        (tmp_path / "parts.geojson").write_text(wrong, "utf-8")
        path.write_text(text.format("parts.geojson"), "utf-8")
        with pytest.raises(xh.ScenarioError, match="第 1 步"):
            Scenario.read(path)


@pytest.mark.slow
def test_newcomers_stay_newcomers_where_a_parcel_is_divided(ground: xh.District) -> None:
    """400 came in 2027; of the part with three quarters of it 300 are newcomers, and nobody there is a resident."""
    plan = dated(
        (2026, "demolish_homes", {"homes": ["A"]}),
        (2027, "build_homes", {"parcel": "jia", "home": "n", "people": 400, "people_60plus": 40, "households": 160}),
        split(2028, in_two(ground, 0.75)),
        (2029, "build_homes", {"parcel": "jia-2", "home": "m", "people": 0}),
    )
    whole = replace(plan, edits=plan.edits[:3])
    people = balance(ground, whole, [2028])["people"]
    assert people.loc["jia-1", 2028, "newcomers"] == 300 and people.loc["jia-1", 2028].sum() == 300
    assert people.loc["jia-2", 2028, "newcomers"] == 100
    after = whole.on(ground)
    assert {home: came["people"] for home, came in after.arrived.items()} == {"n-1": 300, "n-2": 100}


@pytest.mark.slow
def test_in_any_one_year_newcomers_are_told_apart(ground: xh.District) -> None:
    """Who came in 2027 is no resident in a balance of 2029 alone."""
    plan = dated(
        (2026, "demolish_homes", {"homes": ["B"]}),
        (2027, "build_homes", {"parcel": "yi", "home": "n", "people": 400}),
        (2029, "retrofit", {"home": "A", "elevators": 1}),
    )
    assert balance(ground, plan, [2029])["people"].loc["yi", 2029].to_dict() == {"newcomers": 400, "residents": 0}


@pytest.mark.slow
def test_a_division_without_a_trace_when_it_is_taken_back(ground: xh.District) -> None:
    before = {name: pd.DataFrame(frame).copy() for name, frame in ground.rows.items()}
    worked(ground).on(ground)
    for name, frame in before.items():
        pd.testing.assert_frame_equal(pd.DataFrame(ground.rows[name]), frame)


@pytest.mark.slow
@pytest.mark.matrix
def test_the_story_of_parts(ground: xh.District) -> None:
    """Each part has the accounts of the whole beside its own; who returned to it is back, though they had left the whole."""
    from xinhe_geo.core.i18n import speaking

    with speaking("zh"):
        story = Parcels(ground.with_rows({"norms": None}), worked(ground))
        part = story.of("jia-1")
        assert list(story.shown.parts_of("parcels", "jia")) == ["jia-1", "jia-2"] and story.key("甲") == "jia"
        assert "2027 年由甲划出" in part.ground
        assert part.bars[-1].groups == {"stay": 332, "back": 250, "came": 0, "waiting": 0, "left": 0}
        assert {account.parcel for account in part.accounts} == {"", "jia"}
        assert any(account.label == "甲：常住人口" for account in part.accounts)


@settings(max_examples=trials(60), deadline=None, derandomize=True)
@given(
    number=st.integers(0, 3000), less=st.integers(0, 3000), weights=st.lists(st.floats(0.01, 1), min_size=2, max_size=6)
)
def test_whole_numbers_are_divided_into_whole_numbers(number: int, less: int, weights: list[float]) -> None:
    more, fewer = (apportioned(float(n), weights) for n in (max(number, less), min(number, less)))
    assert sum(more) == max(number, less) and all(n == round(n) >= 0 for n in more)
    assert all(a >= b for a, b in zip(more, fewer, strict=True)), "of fewer people nobody has more"
    assert all(abs(n - max(number, less) * w / sum(weights)) < len(weights) for n, w in zip(more, weights, strict=True))


@pytest.mark.slow
@settings(max_examples=trials(4), deadline=None, derandomize=True)
@given(data=st.data())
def test_any_plan_that_divides_keeps_count_of_everybody(ground: xh.District, data: st.DataObject) -> None:
    """Moves, returns, demolitions and homes for a time about a parcel that is divided, at any line, by any shares, in any year."""
    home = st.sampled_from(["A", "A-1", "A-2", "B"])
    parcel = st.sampled_from(["jia", "jia-1", "jia-2", "yi"])
    people, fixed = st.integers(1, 500), st.fixed_dictionaries
    what = {
        "move_households": fixed(
            {"homes": st.lists(home, min_size=1, max_size=2, unique=True)},
            optional={
                "people": people,
                "holder": st.sampled_from(["owner", "tenant"]),
                "fate": st.just("waiting"),
                "to": st.just("C"),
            },
        ),
        "return_households": fixed({"parcel": parcel, "home": home, "people": people}),
        "demolish_homes": fixed({"homes": st.lists(home, min_size=1, max_size=2, unique=True)}),
        "build_homes": fixed({"parcel": parcel, "home": st.just("n"), "people": people}),
        "change_use": fixed({"parcel": parcel, "use": st.just("绿地")}),
    }
    edit = st.sampled_from(sorted(what)).flatmap(lambda do: st.tuples(st.integers(2025, 2030), st.just(do), what[do]))
    edits = data.draw(st.lists(edit, min_size=1, max_size=6))
    at = data.draw(st.floats(0.2, 0.8))
    share = data.draw(st.none() | st.floats(0.1, 0.9).map(lambda n: round(n, 2)))
    plan = dated(*edits, split(data.draw(st.integers(2026, 2029)), in_two(ground, share, at)))
    for _ in plan.edits:
        wrong = conflicts(plan, ground)
        gone = set(wrong.index[wrong["kind"] == "impossible"])
        plan = replace(plan, edits=tuple(e for i, e in enumerate(plan.edits, 1) if i not in gone))
    adds_up(accounts(ground, plan, with_conflicts=True), ground, plan)


def test_a_home_is_on_the_parcel_that_holds_most_of_it_be_it_only_a_point() -> None:
    parcels = gpd.GeoDataFrame(index=["jia", "yi"], geometry=[shapely.box(0, 0, 10, 10), shapely.box(10, 0, 20, 10)])
    shapes = {
        "jia": [shapely.Point(5, 5), shapely.box(0, 0, 10, 10), shapely.box(8, 2, 11, 4)],
        "yi": [shapely.Point(15, 5), shapely.box(9, 2, 12, 4)],
        "": [shapely.Point(25, 5), shapely.box(9, 2, 11, 4), shapely.box(19, 2, 22, 4)],
    }
    for parcel, some in shapes.items():
        assert home_parcels(gpd.GeoDataFrame(geometry=some), parcels) == [parcel] * len(some)
