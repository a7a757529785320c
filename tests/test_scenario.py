"""Scenarios on the toy district; distances are worked out in test_reach.py."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

import xinhe_geo as xh
from xinhe_geo.reach import hinge
from xinhe_geo.scenario import (
    Scenario,
    blank,
    conflicts,
    effects,
    home_changes,
    scenarios,
    sharing,
    steps,
)
from xinhe_geo.values import Edit

TOY = Path(__file__).parent / "toy"


@pytest.fixture(scope="module")
def toy() -> xh.District:
    return xh.District.load(TOY)


def lonlat(district: xh.District, x: float, y: float) -> list[float]:
    import geopandas as gpd
    import shapely

    spot = gpd.GeoSeries([shapely.Point(500000 + x, 4320000 + y)], crs=district.crs).to_crs("EPSG:4326").iloc[0]
    return [spot.x, spot.y]


def plan(*edits: tuple[str, dict[str, object]], year: int | None = None) -> Scenario:
    return Scenario("p", "试算", tuple(Edit(do, what) for do, what in edits), year)


def metres(district: xh.District, home: str, kind: str) -> float:
    return float(hinge(district, [kind]).xs((home, kind), level=("home", "kind"))["metres"].iloc[0])


def test_open_a_station_next_to_b(toy: xh.District) -> None:
    """At (120, 300) on the street: B walks 50 to (150, 300) and 30 along it."""
    after = plan(("open_facility", {"facility": "N1", "kind": "clinic_station", "at": lonlat(toy, 120, 300)})).on(toy)
    assert metres(after, "B", "clinic_station") == pytest.approx(80, abs=1e-3)
    assert metres(toy, "B", "clinic_station") == pytest.approx(590)
    assert "N1" not in toy.facilities.index


def test_close_and_move(toy: xh.District) -> None:
    closed = plan(("close_facility", {"facility": "F1"})).on(toy)
    assert pd.isna(metres(closed, "A", "clinic_station"))
    moved = plan(("move_facility", {"facility": "F1", "at": lonlat(toy, 110, 0)})).on(toy)
    assert metres(moved, "A", "clinic_station") == pytest.approx(50 + 60, abs=1e-3)


def test_planned_opens(toy: xh.District) -> None:
    after = plan(("open_planned", {"facility": "F4"}), year=2022).on(toy)
    assert metres(after, "B", "clinic_station") == pytest.approx(50 + 10)


def test_gate_opens(toy: xh.District) -> None:
    """B's closed east gate (180, 350): 30 to it, then 20 to the street x = 200 at (200, 350)."""
    after = plan(("open_gate", {"gate": "gB2"})).on(toy)
    # to F3, which stands 40 m off (300, 450): up x = 200 to y = 400, across to x = 300, up 50
    assert metres(after, "B", "fitness") == pytest.approx(30 + 20 + 50 + 100 + 50 + 40)
    new = plan(("open_gate", {"gate": "gC", "home": "C", "at": lonlat(toy, 440, 121)})).on(toy)
    # on the wall at (440, 120): 30 to it, 20 to y = 100, then 40 to x = 400, 100 down, 190 west
    assert metres(new, "C", "clinic_station") == pytest.approx(30 + 20 + 40 + 100 + 190, abs=1e-3)


def test_a_second_bridge_joins_inside_streets(toy: xh.District) -> None:
    """A bridge at x = 150 meets both banks inside their streets: B to F1 = 50 + 100 + 200 + … by the shortest way."""
    bridge = {"street": "neu", "line": [lonlat(toy, 150, 300), lonlat(toy, 150, 200)]}
    after = plan(("add_street", bridge)).on(toy)
    # from (150, 200) east to x = 200, down to y = 0, east to x = 210
    assert metres(after, "B", "clinic_station") == pytest.approx(50 + 100 + 50 + 200 + 10, abs=0.01)
    assert metres(toy, "B", "clinic_station") == pytest.approx(590)


def test_close_the_bridge_and_change_its_wait(toy: xh.District) -> None:
    assert pd.isna(metres(plan(("close_street", {"street": "bridge"})).on(toy), "B", "clinic_station"))
    slow = plan(("set_wait", {"street": "bridge", "wait_s": 90})).on(toy)
    found = hinge(slow, ["clinic_station"]).xs(("B", "clinic_station"), level=("home", "kind")).iloc[0]
    assert found["minutes"] == pytest.approx(590 / 1.1 / 60 + 1.5)


def test_build_on_a_parcel(tmp_path: Path) -> None:
    """FAR 2 on 60 m x 60 m, 90 m2 a dwelling: 80 households, 200 people, a fifth of them 60 or older."""
    folder = Path(shutil.copytree(TOY, tmp_path / "toy"))
    text = (folder / "homes/homes.geojson").read_text("utf-8").replace('"home"', '"parcel"')
    for name in ("households", "people_60plus", "people"):
        text = text.replace(f'"{name}"', '"note"')
    lines = [line for line in text.splitlines() if '"D"' not in line]
    (folder / "boundaries/parcels.geojson").write_text("\n".join(lines), "utf-8")
    manifest = folder / "district.toml"
    manifest.write_text(
        manifest.read_text("utf-8")
        + '\n[layers.parcels]\nfile = "boundaries/parcels.geojson"\ncrs = "EPSG:4548"\nbasis = "surveyed"\n',
        "utf-8",
    )
    district = xh.District.load(folder)
    built = {
        "parcel": "A",
        "home": "NEW",
        "far": 2.0,
        "m2_per_dwelling": 90,
        "household_size": 2.5,
        "share_60plus": 0.2,
    }
    after = plan(("demolish_homes", {"homes": ["A"]}), ("build_homes", built)).on(district)
    assert "A" not in after.homes.index and "gA" not in after.gates.index
    new = after.homes.loc["NEW"]
    assert (new["households"], new["people"], new["people_60plus"]) == (80, 200, 40)
    table = effects(district, after)
    assert table.loc["plan_clinic_15", "people_new_served"] == pytest.approx(200)


def test_effects_of_a_second_station(toy: xh.District) -> None:
    after = plan(("open_facility", {"facility": "N1", "kind": "canteen", "at": lonlat(toy, 50, 0)})).on(toy)
    row = effects(toy, after).loc["plan_elderly_canteen_15"]
    # A's 40 elderly lived 630 m from the only canteen across the bridge (720 m in 15 min at 0.8 m/s minus its wait)
    assert row["people_lose"] == 0
    assert row["after"] >= row["before"]


def test_applying_leaves_the_district_as_it_was(toy: xh.District) -> None:
    before = {name: frame.copy() for name, frame in toy.rows.items()}
    plan(
        ("close_facility", {"facility": "F1"}),
        ("close_gate", {"gate": "gA"}),
        ("add_street", {"street": "neu", "line": [lonlat(toy, 150, 300), lonlat(toy, 150, 200)]}),
    ).on(toy)
    for name, frame in toy.rows.items():
        pd.testing.assert_frame_equal(pd.DataFrame(frame), pd.DataFrame(before[name]))
    nothing = plan().on(toy)
    assert (xh.compare(xh.coverage(toy), xh.coverage(nothing)).fillna(0) == 0).all().all()


def test_toml_round_trip(toy: xh.District, tmp_path: Path) -> None:
    first = plan(
        ("open_facility", {"facility": "N1", "kind": "canteen", "at": [117.5, 39.01], "name": '引号"与\\'}),
        ("set_wait", {"street": "bridge", "wait_s": 12.5}),
        year=2025,
    )
    path = tmp_path / "p.toml"
    path.write_text(first.text(), "utf-8")
    assert Scenario.read(path) == first
    assert Scenario.read(path).text() == first.text()


def test_everything_wrong_is_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(
        'name = "x"\nyaer = 2025\n[[edit]]\ndo = "open_facilty"\n[[edit]]\ndo = "close_facility"\nfacilty = "F1"\n'
        '[[edit]]\ndo = "set_wait"\nstreet = "s"\nwait_s = "lang"\n',
        "utf-8",
    )
    with pytest.raises(xh.ScenarioError) as caught:
        Scenario.read(path)
    text = str(caught.value)
    for words in ("是否想写 year", "是否想写 open_facility", "是否想写 facility", "缺少 facility", "wait_s 的写法不对"):
        assert words in text


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (("close_facility", {"facility": "F9"}), "第 1 步 close_facility：没有设施 F9"),
        (("open_facility", {"facility": "F1", "kind": "canteen", "at": [117, 39]}), "已经有了"),
        (("open_facility", {"facility": "X", "kind": "cantine", "at": [117, 39]}), "是否想写 canteen"),
        (("open_planned", {"facility": "F1"}), "不是规划中"),
        (("close_street", {"street": "brigde"}), "是否想写 bridge"),
    ],
)
def test_conflicts_name_the_edit(toy: xh.District, edit: tuple[str, dict[str, object]], words: str) -> None:
    with pytest.raises(xh.ScenarioError, match=words):
        plan(edit).on(toy)


def test_stacking(toy: xh.District) -> None:
    one = plan(("close_facility", {"facility": "F1"}))
    two = plan(("open_planned", {"facility": "F4"}), year=2025)
    both = one.then(two)
    assert both.year == 2025 and len(both.edits) == 2
    assert metres(both.on(toy), "B", "clinic_station") == pytest.approx(60)


def test_scenarios_of_the_bundled_district_can_be_carried_out() -> None:
    district = xh.District.load()
    listed = scenarios(district)
    assert len(listed) >= 3
    for name in listed.index:
        after = district.scenario(name).on(district)
        assert after.name == district.name
    with pytest.raises(xh.UnknownNameError):
        district.scenario("nothing-like-it")


# --- what changes, for whom -------------------------------------------------------------------------------------------


def test_changes_turn_round_and_vanish(toy: xh.District) -> None:
    """Nothing changes between a state and itself; from b to a everything is the other way round."""
    after = plan(
        ("open_facility", {"facility": "N1", "kind": "clinic_station", "at": lonlat(toy, 120, 300)}),
        ("demolish_homes", {"homes": ["C"]}),
    ).on(toy)
    there, back = home_changes(toy, after), home_changes(after, toy)
    for column in ("minutes_change", "served_change"):
        pd.testing.assert_series_equal(there[column], -back[column].reindex(there.index))
    assert there.loc[("B", "plan_clinic_15"), "minutes_change"] < 0
    assert set(there.xs("C", level="home")["state"]) == {"gone"} and set(back.xs("C", level="home")["state"]) == {"new"}
    same = home_changes(toy, toy)
    assert (same[["minutes_change", "served_change"]].fillna(0) == 0).all().all()
    assert (sharing(toy, toy)["change"] == 0).all()
    nothing = effects(toy, toy).filter(like="people_")
    assert (nothing == 0).all().all()
    pd.testing.assert_series_equal(
        sharing(toy, after)["change"], -sharing(after, toy)["change"], check_index_type=False
    )
    a, b = effects(toy, after), effects(after, toy)
    pd.testing.assert_series_equal(a["people_crowded"], b["people_relieved"], check_names=False)


def test_who_now_shares_a_clinic(toy: xh.District) -> None:
    """All who used F1 share it with 500 newcomers; those who moved away from it share less."""
    homes = toy.rows["homes"]
    crowd = homes.copy()
    crowd.loc["A", "people"] += 500
    after = toy.with_rows({**toy.rows, "homes": crowd})
    users = sharing(toy, after, rules=["plan_clinic_15"]).loc[("plan_clinic_15", "F1")]
    assert users["change"] == pytest.approx(500 * xh.coverage(toy).loc[("A", "plan_clinic_15"), "served"])
    row = effects(toy, after, rules=["plan_clinic_15"]).loc["plan_clinic_15"]
    assert row["people_crowded"] == pytest.approx(users["users_before"]) and row["people_relieved"] == 0


def test_every_conflict_is_listed_with_its_step(toy: xh.District) -> None:
    bad = plan(
        ("close_facility", {"facility": "F9"}),
        ("close_facility", {"facility": "F1"}),
        ("open_planned", {"facility": "F1"}),
    )
    found = conflicts(bad, toy)
    assert list(found.index) == [1, 3] and "没有设施 F9" in found.loc[1, "problem"]
    assert conflicts(plan(), toy).empty


def test_a_blank_plan_can_be_read_and_every_edit_in_it_too(toy: xh.District, tmp_path: Path) -> None:
    text = blank(toy, "方案一")
    path = tmp_path / "方案一.toml"
    path.write_text(text, "utf-8")
    assert Scenario.read(path).edits == ()
    path.write_text(re.sub(r"(?m)^# (?=\[\[edit\]\]$|\w+ = )", "", text), "utf-8")
    every = Scenario.read(path)
    assert len({e.do for e in every.edits}) == len(every.edits) == 12
    with pytest.raises(xh.ScenarioError, match="方案名"):
        blank(toy, "../x")


def test_steps_spell_out_what_is_assumed() -> None:
    district = xh.District.load()
    listed = steps(district.scenario("wuchedi-renewal"), district)
    built = listed[listed["do"] == "build_homes"].iloc[0]
    for words in ("容积率 1.6", "住宅用地占 55%", "每户 95 m²", "户均 2.6 人", "60 岁及以上占 18%", "户，"):
        assert words in built["assumes"]
    assert (listed["text"] != "").all()
