"""What a plan must provide, on the toy district by hand; distances are worked out in test_reach.py."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely
from mapped import toy_folder

import xinhe_geo as xh
from xinhe_geo.access.effects import effects
from xinhe_geo.core import speaking, word
from xinhe_geo.core.errors import ScenarioError, UnknownNameError
from xinhe_geo.core.models import Edit
from xinhe_geo.district.scenario import Scenario
from xinhe_geo.report.pages.plans import provision_sheet
from xinhe_geo.siting.provision import on_parcel, provision

TOY = Path(__file__).parents[1] / "toy"


@pytest.fixture(scope="module")
def toy() -> xh.District:
    return with_norms(xh.District.load(TOY))


def with_norms(toy: xh.District) -> xh.District:
    """The toy with a parcel where its home A stands, and four norms for its clinic."""
    home = toy.rows["homes"].loc[["A"]]
    parcels = home[["name", "geometry", "basis", "source", "checked_by", "checked_on", "note"]].assign(
        zone=np.nan, use=np.nan
    )
    parcels.index = pd.Index(["plot"], name="parcel")
    kind = str(toy.open_facilities.loc["F1", "kind"])
    table = toy.rows["norms"].iloc[:0]
    rows = {
        "places": {
            "unit": "处",
            "base": "people",
            "per": 1000.0,
            "amount": 1.0,
            "field": "count",
            "confidence": "read",
        },
        "beds": {
            "unit": "床",
            "base": "people_60plus",
            "per": 100.0,
            "amount": 3.0,
            "field": "capacity",
            "m2_each": 35.0,
            "confidence": "recalled",
        },
        "rooms": {
            "unit": "m²",
            "base": "households",
            "per": 100.0,
            "amount": 30.0,
            "field": "floor_area_m2",
            "confidence": "convention",
        },
    }
    own = pd.DataFrame(
        {c: [rows[n].get(c, np.nan) for n in rows] for c in table.columns}, index=pd.Index(list(rows), name="norm")
    )
    own["set"], own["label"], own["kinds"] = "toy", list(rows), kind
    own[["standard", "clause", "source", "note"]] = ["标准", "第 1 条", "某处", ""]
    return toy.with_rows({**toy.rows, "parcels": parcels, "norms": own})


def plan(people: float, **more: object) -> Scenario:
    """New homes where A stood, with A's gate."""
    edits = (
        Edit("demolish_homes", {"homes": ["A"]}),
        Edit("build_homes", {"parcel": "plot", "home": "NEW", "people": people, **more}),
    )
    return Scenario("p", "试算", edits)


@pytest.mark.slow
def test_what_is_needed_and_what_is_left_over(toy: xh.District) -> None:
    """
    F1 is the only clinic near. Whoever has it as the nearest comes first: the people of the other homes.

    400 newcomers need 0.4 of a place that 1,000 people share.
    """
    after = plan(400.0).on(toy)
    others = after.homes[after.homes.index != "NEW"]
    found = provision(toy, plan(400.0), norms="places").loc["places"]
    assert found["required"] == pytest.approx(0.4)
    nearest = xh.coverage(after).xs("plan_clinic_15", level="rule")["facility"]
    users = float(others["people"][(nearest.reindex(others.index) == "F1").to_numpy()].sum())
    assert users > 0
    assert found["own"] == 0.0
    assert found["absorbed"] == pytest.approx(min(0.4, max(0.0, 1 - users / 1000)))
    assert found["missing"] == pytest.approx(0.4 - found["absorbed"])
    assert found["standard_text"] == "依据 标准 第 1 条"
    many = provision(toy, plan(4000.0), norms="places").loc["places"]
    assert many["absorbed"] == pytest.approx(1 - users / 1000)
    assert many["to_build"] == np.ceil(4.0 - many["absorbed"])
    assert f"缺 {many['to_build']:.0f} 处" in many["verdict"]
    few = provision(toy, plan(1000.0 * (0.4 + float(many["absorbed"]))), norms="places").loc["places"]
    assert few["missing"] == pytest.approx(0.4) and few["to_build"] == 0 and "需求不足一处" in few["verdict"]
    half = provision(toy, plan(1000.0 * (0.5 + float(many["absorbed"]))), norms="places").loc["places"]
    assert half["missing"] == pytest.approx(0.5) and half["to_build"] == 1


@pytest.mark.slow
def test_what_is_not_known_is_said(toy: xh.District) -> None:
    """F1 says no beds; the plan says no older people and no households."""
    silent = provision(toy, plan(400.0)).loc[["beds", "rooms"]]
    assert silent["required"].isna().all()
    assert "没有写60岁及以上" in silent.loc["beds", "verdict"] and "没有写户数" in silent.loc["rooms", "verdict"]
    told = provision(toy, plan(400.0, people_60plus=200, households=150))
    assert told.loc["beds", "required"] == pytest.approx(6)
    assert told.loc["beds", "required_m2"] == pytest.approx(6 * 35)
    assert told.loc["rooms", "required"] == pytest.approx(45)
    assert "没有写规模（F1）" in told.loc["beds", "verdict"]
    assert told.loc["beds", "standard_text"] == "参考值（未核）" and told.loc["rooms", "standard_text"] == "本工具约定"
    assert told["missing"].notna().tolist() == [True, False, False]


@pytest.mark.slow
def test_of_a_kind_only_seen_on_a_map_what_is_missing_is_at_most_so_much(toy: xh.District, tmp_path: Path) -> None:
    """There may be more than the map shows: the same number, said as 至多."""
    mapped = with_norms(xh.District.load(toy_folder(tmp_path / "toy")))
    known, seen = (provision(d, plan(5000.0), norms="places").loc["places"] for d in (toy, mapped))
    assert known["bound"] == "exact" and seen["bound"] == "at_least"
    assert seen["missing"] == known["missing"] > 0
    assert "至多" not in known["verdict"] and seen["verdict"].startswith("至多" + known["verdict"])


def test_what_the_plan_opens_itself_counts_first(toy: xh.District) -> None:
    spot = shapely.get_coordinates(toy.facilities.geometry["F1"])[0]
    kind = str(toy.facilities.loc["F1", "kind"])
    opened = Edit(
        "open_facility", {"facility": "NEU", "kind": kind, "xy": [float(spot[0]) + 2, float(spot[1])], "capacity": 50}
    )
    with_own = Scenario("q", edits=(*plan(400.0).edits, opened))
    found = provision(toy, with_own, norms="places").loc["places"]
    assert found["own"] == pytest.approx(0.4)
    assert found["missing"] == 0 and found["verdict"] == "够用"


@pytest.mark.slow
def test_who_returns_is_no_new_person(toy: xh.District) -> None:
    """Of 700 in the new homes 300 lived there before: 400 are new, and the 300 stay users of what there is."""
    homes = toy.rows["homes"].copy()
    homes.loc["A", ["people", "people_60plus", "households"]] = 500.0, 100.0, 200
    ground = toy.with_rows({**toy.rows, "homes": homes})
    edits = (
        Edit("build_homes", {"parcel": "plot", "home": "OLD", "people": 90}),  # without a year: it was there before
        Edit("move_households", {"homes": ["A"], "fate": "waiting", "year": 2026}),
        Edit("demolish_homes", {"homes": ["A", "OLD"], "year": 2027}),
        Edit("build_homes", {"parcel": "plot", "home": "NEW", "people": 400.0, "households": 150, "year": 2029}),
        Edit("return_households", {"parcel": "plot", "home": "NEW", "people": 300, "year": 2029}),
    )
    both, new = Scenario("p", edits=edits), Scenario("p", edits=edits[:-1])
    after, fewer = both.on(ground, with_conflicts=True), new.on(ground, with_conflicts=True)
    assert after.homes["people"]["NEW"] == 700 and after.arrived["NEW"]["people"] == 400
    told, alone = (provision(ground, p, norms="toy", after=a) for p, a in ((both, after), (new, fewer)))
    assert told.loc["places", "base_amount"] == 400 and told.loc["rooms", "base_amount"] == 150
    # 300 residents more have F1 as their nearest, and come first
    others = fewer.homes["people"].drop("NEW")
    nearest = xh.coverage(fewer).xs("plan_clinic_15", level="rule")["facility"].reindex(others.index)
    users = float(others[(nearest == "F1").to_numpy()].sum())
    assert alone.loc["places", "absorbed"] == pytest.approx(min(0.4, max(0.0, 1 - users / 1000)))
    assert told.loc["places", "absorbed"] == pytest.approx(min(0.4, max(0.0, 1 - (users + 300) / 1000)))
    nobody = Scenario("p", edits=(*edits[:3], Edit("build_homes", {**edits[3].what, "people": 0.0}), edits[4]))
    none = provision(ground, nobody, norms="places", after=nobody.on(ground, with_conflicts=True))
    assert none["base_amount"].tolist() == [0] and none["to_build"].tolist() == [0], "who returns asks for nothing new"
    effect = effects(ground.at(2029), after).loc["plan_clinic_15"]
    assert effect["people_new_served"] + effect["people_new_unserved"] == pytest.approx(400)


def test_refusals(toy: xh.District) -> None:
    with pytest.raises(ScenarioError, match="没有新建住房"):
        provision(toy, Scenario("nothing"))
    with pytest.raises(UnknownNameError, match="places"):
        provision(toy, plan(1.0), norms="place")
    with pytest.raises(ScenarioError, match="--parcel"):
        on_parcel("plot", None)
    wrong = toy.rows["norms"].assign(kinds="nix")
    with pytest.raises(xh.DataError, match="没有设施类别“nix”"):
        provision(toy.with_rows({**toy.rows, "norms": wrong}), plan(1.0))


@pytest.mark.slow
@pytest.mark.matrix
def test_the_bundled_plan_carries_its_marks() -> None:
    district = xh.District.load()
    table = provision(district, district.scenario("wuchedi-renewal"))
    assert (table["mark"] == "演示值（不作结论）").all()
    assert set(table["confidence"]) >= {"read", "recalled", "convention"}
    known = table.dropna(subset=["missing"])
    parts = known[["own", "absorbed", "missing"]].sum(axis=1)
    assert known["required"].to_numpy() == pytest.approx(parts.to_numpy()) and len(known) > 8
    assert table.loc["nursing_beds", "required_m2"] == pytest.approx(35 * table.loc["nursing_beds", "required"])


HAN = re.compile(r"[\u3400-\u9fff]")


def test_what_the_shipped_tables_call_things_has_its_english() -> None:
    """Norms and their units, indicators of the checkup, choices and units of the ledger of parcels, who could fill in what was promised."""
    rows = xh.District.load(TOY).rows
    named = [*rows["norms"]["label"], *rows["norms"]["unit"], *rows["quantities"]["unit"].dropna()]
    named += [own for cell in rows["quantities"]["options"].dropna() for own in cell.split(";")]
    named += [*rows["checkup_indicators"][["set", "name", "unit", "suggest"]].to_numpy().ravel()]
    promised = pd.read_csv(Path(__file__).parents[2] / "data/renewal/promises.csv", encoding="utf-8-sig", dtype="str")
    named += [own for cell in promised["filled_by"].dropna() for own in cell.split("、")]
    with speaking("en"):
        assert [own for own in dict.fromkeys(named) if isinstance(own, str) and HAN.search(word(own))] == []


@pytest.mark.slow
def test_a_list_in_english_is_english(toy: xh.District) -> None:
    """Names of places, the words of a standard and remarks stay as they are."""
    with speaking("en"):
        sheet = provision_sheet(provision(toy, plan(1.0)))
    left = sheet.drop(columns=["配什么", "周边设施", "依据与可信度", "备注"])
    assert len(sheet) == 3
    assert [cell for cell in left.to_numpy().ravel() if isinstance(cell, str) and HAN.search(cell)] == []
