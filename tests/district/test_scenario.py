"""Scenarios on the toy district; distances are worked out in test_reach.py."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import shapely
from clock import trials
from hypothesis import given, settings
from hypothesis import strategies as st
from plans import as_if_anew, told_of

import xinhe_geo as xh
from xinhe_geo.access.effects import effects, home_changes, sharing
from xinhe_geo.access.od_table import od_table
from xinhe_geo.core.models import Edit
from xinhe_geo.district.edits import ACTIONS
from xinhe_geo.district.scenario import Scenario
from xinhe_geo.district.scenario_text import blank, conflicts, scenarios, steps

TOY = Path(__file__).parents[1] / "toy"


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
    return float(od_table(district, [kind]).xs((home, kind), level=("home", "kind"))["metres"].iloc[0])


def test_open_a_station_next_to_b(toy: xh.District) -> None:
    """At (120, 300) on the street: B walks 50 to (150, 300) and 30 along it."""
    after = plan(("open_facility", {"facility": "N1", "kind": "clinic_station", "at": lonlat(toy, 120, 300)})).on(toy)
    assert metres(after, "B", "clinic_station") == pytest.approx(80, abs=1e-3)
    assert metres(toy, "B", "clinic_station") == pytest.approx(590)
    assert "N1" not in toy.facilities.index


def test_steps_are_written_as_in_a_file(toy: xh.District, tmp_path: Path) -> None:
    """Whoever has only `help(xh.Scenario)` writes what a file would say; it is the same plan, and as strict."""
    entries = [{"do": "open_facility", "facility": "N1", "kind": "canteen", "xy": [500120.0, 4320300.0]}]
    typed = Scenario("p", "试算", edits=entries)  # type: ignore[arg-type]
    (tmp_path / "p.toml").write_text(typed.text(), "utf-8")
    what = {key: value for key, value in entries[0].items() if key != "do"}
    assert Scenario.read(tmp_path / "p.toml") == typed == plan(("open_facility", what))
    assert "N1" in typed.on(toy).facilities.index


@pytest.mark.parametrize(
    ("edits", "said"),
    [
        ([{"do": "open_facilty"}], "第 1 步 open_facilty：.*open_facility"),
        ([{"do": "open_facility", "kind": "canteen"}, {"do": "close"}], r"(?s)第 1 步.*缺少 facility.*第 2 步 close"),
        (["open_facility"], "第 1 步写成.*不是 str.*open_facility"),
        ({"do": "close_facility", "id": "F1"}, "不认识的项 id"),
    ],
)
def test_a_step_that_does_not_fit_is_refused_where_it_is_written(edits: Any, said: str) -> None:
    with pytest.raises(xh.ScenarioError, match=said):
        Scenario("p", edits=edits)


def test_close_and_move(toy: xh.District) -> None:
    closed = plan(("close_facility", {"facility": "F1"})).on(toy)
    assert pd.isna(metres(closed, "A", "clinic_station"))
    moved = plan(("move_facility", {"facility": "F1", "at": lonlat(toy, 110, 0)})).on(toy)
    assert metres(moved, "A", "clinic_station") == pytest.approx(50 + 60, abs=1e-3)


STATION: dict[str, dict[str, object]] = {
    "close_facility": {},
    "move_facility": {"xy": [500110.0, 4320000.0]},
    "resize_facility": {"capacity": 7},
    "open_planned": {},
    "open_facility": {"kind": "clinic_station", "xy": [500120.0, 4320300.0]},
}


@pytest.mark.parametrize("own", ["F1", "F4"])
@pytest.mark.parametrize("second", STATION)
@pytest.mark.parametrize("first", STATION)
def test_of_two_edits_of_one_facility_the_later_has_its_effect_or_a_conflict(
    toy: xh.District, first: str, second: str, own: str
) -> None:
    both = plan(*((do, {"facility": own, **STATION[do]}) for do in (first, second)), year=2022)
    found = conflicts(both, toy)
    if not found.empty:
        assert found["problem"].str.contains(own).all()
        return
    row = both.on(toy).facilities.reindex([own]).iloc[0]
    done = {
        "close_facility": lambda: pd.isna(row["kind"]) or row["state"] == "closed",
        "move_facility": lambda: (
            row["state"] == "open" and row.geometry.distance(shapely.Point(500110, 4320000)) < 0.01
        ),
        "resize_facility": lambda: row["state"] == "open" and row["capacity"] == 7,
        "open_planned": lambda: row["state"] == "open",
    }
    assert done[second](), f"{first}, {second}: nothing is said, and nothing is done"


def test_what_a_step_has_closed_is_named_with_the_step(toy: xh.District) -> None:
    moved = plan(
        ("close_facility", {"facility": "F1"}), ("move_facility", {"facility": "F1", **STATION["move_facility"]})
    )
    assert conflicts(moved, toy)["problem"].tolist() == ["F1 在第 1 步已经停用；两步删去一步"]


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
    found = od_table(slow, ["clinic_station"]).xs(("B", "clinic_station"), level=("home", "kind")).iloc[0]
    assert found["minutes"] == pytest.approx(590 / 1.1 / 60 + 1.5)


def laned(district: xh.District) -> xh.District:
    """The toy with an inner lane of A, from (300, 100) to (200, 0): 141.4 m instead of 200."""
    import geopandas as gpd
    import shapely

    streets = district.rows["streets"]
    lane = streets.loc[["h0"]].assign(home="A").rename(index={"h0": "lane"})
    lane.geometry = [shapely.LineString([(500300, 4320100), (500200, 4320000)])]
    lane.index.name = streets.index.name
    return district.with_rows(
        {**district.rows, "streets": gpd.GeoDataFrame(pd.concat([streets, lane]), crs=district.crs)}
    )


@pytest.mark.slow
def test_lanes_opened_are_streets_for_everybody(toy: xh.District) -> None:
    """D: 350 down to y = 100, the lane, 10 to the station; before, 450 and 90. C: 40, 50, 100, the lane, 10."""
    closed = laned(toy)
    after = plan(("open_lanes", {"home": "A"})).on(closed)
    assert metres(closed, "D", "clinic_station") == pytest.approx(540)
    assert metres(after, "D", "clinic_station") == pytest.approx(350 + 2**0.5 * 100 + 10)
    assert metres(after, "C", "clinic_station") == pytest.approx(40 + 50 + 100 + 2**0.5 * 100 + 10)
    assert metres(after, "A", "clinic_station") == pytest.approx(metres(toy, "A", "clinic_station"))
    assert set(after.rows["streets"].index) == set(closed.rows["streets"].index)
    pd.testing.assert_frame_equal(pd.DataFrame(after.gates), pd.DataFrame(closed.gates))
    cover, opened = xh.coverage(closed), xh.coverage(after)
    assert not (opened["metres"] > cover["metres"] + 1e-6).any()
    text = steps(plan(("open_lanes", {"home": "A"})), closed).loc[1, "text"]
    assert text == "开放内部道路：甲苑（A）"


def test_a_new_street_joins_public_streets_before_lanes(toy: xh.District) -> None:
    """It ends at (206, 5.5), 0.4 m from A's lane and 5.5 m from y = 0: were it joined to the lane, it would lead nobody on."""
    new = {"street": "neu", "line": [lonlat(toy, 400, 100), lonlat(toy, 206, 5.5)]}
    after = plan(("add_street", new)).on(laned(toy))
    end = (206 - 400) ** 2 + 100**2
    # C: 40 to the street, 50 down to (400, 100), the new street to (206, 0), 4 to the station
    assert metres(after, "C", "clinic_station") == pytest.approx(40 + 50 + end**0.5 + 4, abs=0.01)


def test_what_cannot_be_done_to_lanes(toy: xh.District) -> None:
    with pytest.raises(xh.ScenarioError, match="B 没有画内部道路"):
        plan(("open_lanes", {"home": "B"})).on(laned(toy))
    with pytest.raises(xh.ScenarioError, match="没有小区 AA"):
        plan(("open_lanes", {"home": "AA"})).on(laned(toy))
    with pytest.raises(xh.ScenarioError, match="内部道路，不写等待"):
        plan(("set_wait", {"street": "lane", "wait_s": 9})).on(laned(toy))
    opened = plan(("open_lanes", {"home": "A"}), ("set_wait", {"street": "lane", "wait_s": 9})).on(laned(toy))
    assert opened.rows["streets"].loc["lane", "wait_s"] == 9


@pytest.mark.slow
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
    # a dwelling is for one household: who returns to what newcomers have filled is a conflict, and what it says to write is none
    moved = ("move_households", {"homes": ["A"], "people": 30, "households": 12, "fate": "waiting"})
    torn, back = ("demolish_homes", {"homes": ["A"]}), {"parcel": "A", "home": "NEW", "people": 30, "households": 12}
    said = conflicts(plan(moved, torn, ("build_homes", built), ("return_households", back)), district)
    assert said["problem"].str.contains("80 套.*12 户.*92 户.*households = 68，people = 170$").tolist() == [True]
    fewer = {"parcel": "A", "home": "NEW", "households": 68, "people": 170}
    right = plan(moved, torn, ("build_homes", fewer), ("return_households", back))
    assert conflicts(right, district).empty
    assert right.on(district).homes.loc["NEW", ["households", "people"]].tolist() == [80, 200]


@pytest.mark.slow
def test_effects_of_a_second_station(toy: xh.District) -> None:
    after = plan(("open_facility", {"facility": "N1", "kind": "canteen", "at": lonlat(toy, 50, 0)})).on(toy)
    row = effects(toy, after).loc["plan_elderly_canteen_15"]
    # A's 40 elderly lived 630 m from the only canteen across the bridge (720 m in 15 min at 0.8 m/s minus its wait)
    assert row["people_lose"] == 0
    assert row["after"] >= row["before"]


@pytest.mark.slow
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


def test_a_file_that_is_no_toml_says_where_in_chinese(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    for content, words in (
        (b"label = \nyear = 2025\n", "第 1 行"),
        (b'label = "a"\nyear = \n', "第 2 行"),
        ("label = '方案'".encode("gb18030"), "另存为时编码选 UTF-8"),
    ):
        path.write_bytes(content)
        with pytest.raises(xh.ScenarioError, match=words):
            Scenario.read(path)


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


@pytest.mark.slow
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


@pytest.mark.slow
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
    assert {e.do for e in every.edits} == set(ACTIONS)
    assert len({e.what["year"] for e in every.edits if "year" in e.what}) == 3, "an example in three phases"
    with pytest.raises(xh.ScenarioError, match="方案名"):
        blank(toy, "../x")


@pytest.mark.slow
def test_steps_spell_out_what_is_assumed() -> None:
    district = xh.District.load()
    listed = steps(district.scenario("wuchedi-renewal"), district)
    built = listed[listed["do"] == "build_homes"].iloc[0]
    for words in ("容积率 1.6", "住宅用地占 55%", "每户 95 m²", "户均 2.6 人", "60岁及以上占 18%", "户，"):
        assert words in built["assumes"]
    assert (listed["text"] != "").all()


def test_what_a_step_makes_is_called_by_its_name_in_later_ones(toy: xh.District) -> None:
    """A home that only the plan has, and a facility in rooms of that home: each by its own name, no step by a bare key."""
    here, ring = lonlat(toy, 150, 300), [lonlat(toy, x, y) for x, y in [(140, 290), (160, 290), (160, 310)]]
    told = steps(
        plan(
            ("build_homes", {"parcel": "P", "home": "neu", "name": "新居", "polygon": ring, "people": 10}),
            ("open_facility", {"facility": "neu-f", "kind": "canteen", "name": "新食堂", "at": here, "home": "neu"}),
            ("move_households", {"homes": ["neu"], "people": 5, "group": "租客", "year": 2026}),
            ("close_facility", {"facility": "neu-f"}),
        ),
        toy,
    )["text"]
    assert "新居（neu）" in told[3] and "新食堂（neu-f）" in told[4] and "新食堂" not in told[3]


@pytest.mark.parametrize(
    ("more", "said"),
    [({}, ""), ({"wait_s": 20}, "，等待 20 秒"), ({"wait_s": 20, "steps": True}, "，等待 20 秒，有台阶")],
)
def test_a_street_says_what_it_assumes(toy: xh.District, more: dict[str, object], said: str) -> None:
    new = {"street": "neu", "line": [lonlat(toy, 150, 300), lonlat(toy, 150, 200)], **more}
    assert steps(plan(("add_street", new)), toy)["assumes"].to_list() == [f"走向为假定{said}"]


# --- whatever the plan ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ground(toy: xh.District) -> xh.District:
    """The toy with two parcels to build on, a free one and one where its home D stands, and an inner lane of A."""
    parcels = toy.rows["homes"].loc[["D", "D"], ["name", "geometry", "basis", "source"]].rename_axis("parcel")
    parcels.index = pd.Index(["plot", "taken"], name="parcel")
    west, south, _, _ = parcels.geometry["taken"].bounds
    shapes = [shapely.box(west - 60, south - 60, west - 10, south - 10), parcels.geometry["taken"]]
    parcels = parcels.set_geometry(gpd.GeoSeries(shapes, index=parcels.index, crs=toy.crs))
    return laned(toy.with_rows({**toy.rows, "parcels": parcels}))


def in_two(district: xh.District, parcel: str) -> list[dict[str, object]]:
    """A parcel of four corners, divided between two of them."""
    ring = district.rows["parcels"].geometry.to_crs(4326)[parcel].exterior.coords[:3]
    return [{"parcel": f"{parcel}-1", "outline": [list(at) for at in ring]}, {"parcel": f"{parcel}-2"}]


def test_the_help_of_a_plan_names_every_edit() -> None:
    assert not [do for do in ACTIONS if do not in str(Scenario.__doc__)]


def edits_of(district: xh.District, *, only: str = "") -> st.SearchStrategy[Edit]:
    """Any edit there is (with `only` in its name), on anything there is."""
    ids = {
        layer: st.sampled_from([str(i) for i in district.rows[layer].index])
        for layer in ("facilities", "homes", "gates", "streets")
    }
    xy = st.tuples(st.integers(0, 900), st.integers(0, 450)).map(lambda p: [500_000.0 + p[0], 4_320_000.0 + p[1]])
    at = st.tuples(st.integers(0, 900), st.integers(0, 450)).map(lambda p: lonlat(district, *p))
    kind, fresh = st.sampled_from(sorted(district.surveyed_kinds)), st.sampled_from(["n1", "n2", "n3"])
    some: dict[str, dict[str, st.SearchStrategy[Any]]] = {
        "open_facility": {"facility": fresh, "kind": kind, "xy": xy},
        "close_facility": {"facility": ids["facilities"]},
        "move_facility": {"facility": ids["facilities"], "at": at},
        "resize_facility": {"facility": ids["facilities"], "capacity": st.integers(0, 90)},
        "open_planned": {"facility": st.just("F4")},
        "use_rooms": {"facility": fresh, "kind": kind, "home": ids["homes"]},
        "move_households": {
            "homes": st.lists(ids["homes"], min_size=1, max_size=2, unique=True),
            "people": st.integers(1, 40),
        },
        "return_households": {"parcel": st.just("taken"), "home": st.just("D"), "people": st.integers(1, 90)},
        "build_floor_area": {
            "parcel": st.just("plot"),
            "quantity": st.just("floor_homes_m2"),
            "floor_area_m2": st.integers(1, 9000),
        },
        "change_use": {"parcel": st.just("plot"), "use": st.sampled_from(["居住", "绿地"])},
        "split_parcel": {"parcel": st.just("plot"), "parts": st.just(in_two(district, "plot"))},
        "retrofit": {"home": ids["homes"], "elevators": st.integers(0, 9)},
        "demolish_homes": {"homes": st.lists(ids["homes"], min_size=1, max_size=2, unique=True)},
        "build_homes": {
            "parcel": st.sampled_from(["plot", "plot", "taken"]),
            "home": fresh,
            "people": st.integers(0, 500),
            "gates": st.lists(at, min_size=1, max_size=2),
        },
        "open_gate": {"gate": ids["gates"]},
        "close_gate": {"gate": ids["gates"]},
        "add_street": {"street": fresh, "line": st.lists(at, min_size=2, max_size=3, unique_by=tuple)},
        "close_street": {"street": ids["streets"]},
        "open_lanes": {"home": ids["homes"]},
        "set_wait": {"street": ids["streets"], "wait_s": st.integers(0, 300)},
    }
    assert set(some) == set(ACTIONS)
    return st.sampled_from(sorted(do for do in some if only in do)).flatmap(
        lambda do: st.fixed_dictionaries(some[do]).map(lambda what: Edit(do, what))
    )


def feasible(edits: list[Edit], district: xh.District) -> Scenario:
    """Leave out the edits that cannot be carried out."""
    wrong = conflicts(plan(*((e.do, dict(e.what)) for e in edits)), district)
    return Scenario("p", edits=tuple(e for i, e in enumerate(edits, 1) if i not in wrong.index))


#: A rule in minutes, one that asks what each community has, one for people 60+.
FEW = ["plan_clinic_15", "plan_canteen_community", "plan_elderly_canteen_15"]


def state_of(district: xh.District) -> dict[str, pd.DataFrame]:
    return {name: pd.DataFrame(frame).copy() for name, frame in district.rows.items()}


@pytest.mark.slow
@settings(max_examples=trials(12), deadline=None, derandomize=True)
@given(data=st.data())
def test_any_plan_can_be_taken_back_and_turns_round(ground: xh.District, data: st.DataObject) -> None:
    """The district is as it was; two plans compared one way are the negative of the other way; one with itself is nothing."""
    before = state_of(ground)
    first, second = (
        feasible(data.draw(st.lists(edits_of(ground), min_size=1, max_size=4)), ground).on(ground) for _ in "ab"
    )
    a, b = xh.coverage(first, rules=FEW), xh.coverage(second, rules=FEW)
    for by in (None, "community"):
        there, back = xh.compare(a, b, by=by), xh.compare(b, a, by=by)
        pd.testing.assert_frame_equal(there, -back, check_exact=True)
        assert (xh.compare(a, a, by=by).fillna(0.0) == 0).all().all()
    there, back = (home_changes(*pair, rules=FEW) for pair in ((first, second), (second, first)))
    for column in ("minutes_change", "served_change"):
        pd.testing.assert_series_equal(there[column], -back[column].reindex(there.index), check_exact=True)
    gains, losses = (effects(*pair, rules=FEW) for pair in ((first, second), (second, first)))
    pd.testing.assert_series_equal(gains["people_gain"], losses["people_lose"], check_names=False, check_exact=True)
    pd.testing.assert_series_equal(gains["change"], -losses["change"], check_exact=True)
    for name, frame in before.items():
        pd.testing.assert_frame_equal(pd.DataFrame(ground.rows[name]), frame)


#: Alone it is always a conflict: nobody has left (tests/renewal/test_balance.py).
NEVER_ALONE = {"return_households"}


@pytest.mark.slow
@pytest.mark.one_in(4)
@pytest.mark.parametrize("do", sorted(set(ACTIONS) - NEVER_ALONE))
@settings(max_examples=1, deadline=None, derandomize=True)
@given(data=st.data())
def test_every_edit_taken_back_leaves_the_district_it_was(ground: xh.District, do: str, data: st.DataObject) -> None:
    """With the edit and without it again: the same rows, the same streets, the same coverage."""
    edit = data.draw(
        edits_of(ground, only=do).filter(lambda e: e.do == do and conflicts(Scenario("p", edits=(e,)), ground).empty)
    )
    before, cover, streets = state_of(ground), xh.coverage(ground, rules=FEW), ground.network.edges.copy()
    done = Scenario("p", edits=(edit,)).on(ground)
    xh.coverage(done, rules=FEW)
    again = Scenario("p").on(ground)
    for name, frame in before.items():
        pd.testing.assert_frame_equal(pd.DataFrame(again.rows[name]), frame)
    pd.testing.assert_frame_equal(pd.DataFrame(again.network.edges), pd.DataFrame(streets))
    pd.testing.assert_frame_equal(xh.coverage(again, rules=FEW), cover)
    changed = [n for n in done.rows if n not in before or not pd.DataFrame(done.rows[n]).equals(before[n])]
    same = edit.do in ("resize_facility", "set_wait", "open_gate", "close_gate")  # it may be so already
    assert changed or same


#: Edits that another edit takes back, on rows of the toy.
BACK = [
    ("close_gate", {"gate": "gA"}, ("open_gate", {"gate": "gA"})),
    ("open_gate", {"gate": "gB2"}, ("close_gate", {"gate": "gB2"})),
    ("set_wait", {"street": "bridge", "wait_s": 500}, ("set_wait", {"street": "bridge", "wait_s": 0})),
    ("add_street", {"street": "n", "line": [[0.0, 150.0], [200.0, 150.0]]}, ("close_street", {"street": "n"})),
    ("build_homes", {"parcel": "plot", "home": "n", "people": 90}, ("demolish_homes", {"homes": ["n"]})),
    (
        "open_facility",
        {"facility": "n", "kind": "canteen", "xy": [500_050.0, 4_320_000.0]},
        ("close_facility", {"facility": "n"}),
    ),
]


@pytest.mark.parametrize(("do", "what", "back"), BACK)
def test_what_the_opposite_edit_takes_back(
    ground: xh.District, do: str, what: dict[str, Any], back: tuple[str, dict[str, Any]]
) -> None:
    if "line" in what:
        what = {**what, "line": [lonlat(ground, x, y) for x, y in what["line"]]}
    if "wait_s" in what:
        back = (back[0], {**back[1], "wait_s": float(ground.rows["streets"].loc["bridge", "wait_s"])})
    done, undone = plan((do, what)).on(ground), plan((do, what), back).on(ground)
    covers = [
        xh.coverage(d, rules=FEW).drop(columns="basis") for d in (undone, ground)
    ]  # a closed one is still in the rows
    pd.testing.assert_frame_equal(*covers, check_exact=False, rtol=0, atol=1e-9)
    assert not pd.DataFrame(done.rows[_TOUCHED[do]]).equals(pd.DataFrame(ground.rows[_TOUCHED[do]]))


_TOUCHED = {
    "close_gate": "gates",
    "open_gate": "gates",
    "set_wait": "streets",
    "add_street": "streets",
    "build_homes": "homes",
    "open_facility": "facilities",
}


def scenarios_of_any_kind() -> st.SearchStrategy[Scenario]:
    """Whatever can be written: any text, any number, any of the edits."""
    number = st.floats(0, 1e9) | st.integers(0, 10**9)
    lonlats = st.tuples(st.floats(-180, 180), st.floats(-90, 90)).map(list)
    name = st.text(min_size=1).filter(lambda t: bool(t.strip()))
    values: dict[str, st.SearchStrategy[Any]] = (
        {
            "at": lonlats,
            "xy": st.tuples(st.floats(-1e7, 1e7), st.floats(-1e7, 1e7)).map(list),
            "steps": st.booleans(),
            "gates": st.lists(lonlats, min_size=1, max_size=2),
            "homes": st.lists(name, min_size=1, max_size=3),
            "line": st.lists(lonlats, min_size=2, max_size=3, unique_by=tuple),
            "parts": st.lists(
                st.fixed_dictionaries(
                    {"parcel": name, "outline": st.lists(lonlats, min_size=3, max_size=4, unique_by=tuple)},
                    optional={"name": st.text(), "share": st.floats(0.01, 1)},
                ),
                min_size=2,
                max_size=3,
                unique_by=lambda part: part["parcel"],
            ),
            "households": st.integers(0, 10**6),
            "elevators": st.integers(0, 99),
            "parking_places": st.integers(0, 9999),
            "property_managed": st.booleans(),
            "holder": st.sampled_from(["owner", "public_tenant", "tenant"]),
            "fate": st.sampled_from(["waiting", "elsewhere", "cash"]),
            "year": st.integers(1900, 2050),
            "until": st.integers(2050, 2200),
        }
        | dict.fromkeys(
            (
                "capacity",
                "people",
                "people_60plus",
                "far",
                "site_share",
                "m2_per_dwelling",
                "household_size",
                "share_60plus",
                "wait_s",
                "registered",
                "floor_area_m2",
            ),
            number,
        )
        | dict.fromkeys(("name", "class"), st.text())
    )

    def can(do: str, key: str) -> bool:
        return key != "until" or not ACTIONS[do].lasting

    def edit(do: str) -> st.SearchStrategy[Edit]:
        what = st.fixed_dictionaries(
            {key: values.get(key, name) for key in ACTIONS[do].needs},
            optional={key: values.get(key, name) for key in (*ACTIONS[do].may, "year", "until") if can(do, key)},
        )
        return what.map(lambda w: Edit(do, w))

    edits = st.lists(st.sampled_from(sorted(ACTIONS)).flatmap(edit), max_size=4).map(tuple)
    return st.builds(
        Scenario,
        name=name,
        label=st.text(),
        edits=edits,
        year=st.none() | st.integers(1900, 2200),
        planned=st.booleans(),
        note=st.text(),
    )


@settings(max_examples=trials(80), deadline=None, derandomize=True)
@given(first=scenarios_of_any_kind())
def test_any_plan_comes_back_from_its_file(first: Scenario, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(first.text().encode("utf-8"))
    again = Scenario.read(path)
    assert again == first and again.text() == first.text()


#: What somebody types into a plan, and what is said about it.
TYPED = [
    ('year = "2025"', "year 的写法不对"),
    ("year = 2025.5", "整数"),
    ('planned = "no"', "true 或 false"),
    ("label = 5", "加引号"),
    ("edit = 5", r"\[\[edit\]\]"),
    ('[edit]\ndo = "close_facility"', "两层方括号"),
    ('[[edit]]\ndo = "move_facility"\nfacility = "F1"\nat = ["a", "b"]', r"at 的写法不对.*\[经度, 纬度\]"),
    ('[[edit]]\ndo = "move_facility"\nfacility = "F1"\nat = [39.03, 117.6]', "经度, 纬度"),
    ('[[edit]]\ndo = "move_facility"\nfacility = "F1"\nat = [117.6]', "经度, 纬度"),
    ('[[edit]]\ndo = "move_facility"\nfacility = "F1"\nxy = [nan, 1.0]', "东, 北"),
    ('[[edit]]\ndo = "add_street"\nstreet = "s"\nline = [1, 2]', "至少两个不同的点"),
    ('[[edit]]\ndo = "add_street"\nstreet = "s"\nline = [[117.6, 39.0], [117.6, 39.0]]', "至少两个不同的点"),
    ('[[edit]]\ndo = "demolish_homes"\nhomes = [1]', "编号的列表"),
    ('[[edit]]\ndo = "resize_facility"\nfacility = "F1"\ncapacity = nan', "不小于 0"),
    ('[[edit]]\ndo = "resize_facility"\nfacility = "F1"\ncapacity = -4', "不小于 0"),
]


@pytest.mark.parametrize(("text", "words"), TYPED)
def test_what_is_typed_wrongly_is_said(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "typed.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(xh.ScenarioError, match=words):
        Scenario.read(path)


def test_edits_made_in_python_are_looked_at_too(toy: xh.District) -> None:
    for edit in (
        Edit("close_facilty", {}),
        Edit("close_facility"),
        Edit("set_wait", {"street": "bridge", "wait_s": "9"}),
    ):
        with pytest.raises(xh.ScenarioError, match=r"第 1 步.*(是否想写|缺少|写法不对)"):
            Scenario("p", edits=(edit,)).on(toy)


# --- what can be done and should not be ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def renewed() -> tuple[xh.District, Scenario]:
    district = xh.District.load()
    return district, district.scenario("xinhezhuang-renewal")


@pytest.mark.slow
def test_homes_over_homes_that_are_lived_in_are_a_conflict(renewed: tuple[xh.District, Scenario]) -> None:
    """In its own year the parcel is free; in 2030 homes that came in 2029 stand there, and those to demolish are gone."""
    district, own = renewed
    assert conflicts(own, district).empty
    later = replace(own, year=2030)
    found = conflicts(later, district)
    assert found["kind"].eq("conflict").all() and found["do"].tolist() == ["demolish_homes", "build_homes"]
    homes = district.at(2030).homes
    site = district.parcels.geometry[own.edits[1].what["parcel"]]
    over = homes[homes.geometry.area.gt(0) & (homes.intersection(site).area > 0.2 * homes.geometry.area)]
    assert len(over) > 3
    problem = found["problem"].iloc[1]
    assert f"{len(over)} 个小区" in problem and f"{over['people'].sum():,.0f} 人" in problem
    with pytest.raises(xh.ScenarioError, match="人口会算两次") as refused:
        later.on(district)
    assert "第 1 步" in str(refused.value) and "第 2 步" in str(refused.value), "all conflicts are named at once"
    carried = later.on(district, with_conflicts=True)
    assert carried.manifest["scenario"].endswith("（2 处冲突未解决）"), "every number of it says so"
    freed = replace(later, edits=(Edit("demolish_homes", {"homes": list(over.index)}), *own.edits[1:]))
    assert conflicts(freed, district).empty
    people = freed.on(district).homes["people"].sum()
    assert people == homes["people"].sum() - over["people"].sum() + own.edits[1].what["people"]


@pytest.mark.slow
def test_the_order_of_building_and_demolishing_does_not_matter(renewed: tuple[xh.District, Scenario]) -> None:
    district, own = renewed
    turned = replace(own, edits=(own.edits[1], own.edits[0], *own.edits[2:]))
    assert conflicts(turned, district).empty


@pytest.mark.parametrize(
    ("edits", "words"),
    [
        ([("close_facility", {"facility": "F1"}), ("close_facility", {"facility": "F1"})], "已经停用"),
        ([("open_gate", {"gate": "gB2"}), ("open_gate", {"gate": "gB2"})], "本来就开着"),
        ([("close_gate", {"gate": "gB2"})], "本来就关着"),
        ([("open_facility", {"facility": x, "kind": "canteen", "at": "here"}) for x in "MN"], "会算成两处"),
    ],
)
def test_what_is_so_already_is_a_conflict(
    toy: xh.District, edits: list[tuple[str, dict[str, Any]]], words: str
) -> None:
    here = lonlat(toy, 120, 300)
    twice = plan(*((do, {k: here if v == "here" else v for k, v in what.items()}) for do, what in edits))
    found = conflicts(twice, toy)
    assert found.index.tolist() == [len(edits)] and words in found["problem"].iloc[0]
    with pytest.raises(xh.ScenarioError, match=words):
        twice.on(toy)
    assert twice.on(toy, with_conflicts=True).name == toy.name


def test_another_name_on_the_spot_of_one_of_its_kind_is_a_conflict(toy: xh.District) -> None:
    """It would be counted as two; another kind there, or the same a few metres off, is none."""
    open_ = toy.open_facilities
    assert open_ is not None
    there = open_.to_crs("EPSG:4326").representative_point().iloc[0]
    kind, other = str(open_["kind"].iloc[0]), next(k for k in toy.kinds.index if k not in set(open_["kind"]))
    for what, apart, wrong in ((kind, 0.0, 1), (other, 0.0, 0), (kind, 1e-3, 0)):
        at = [there.x + apart, there.y]
        found = conflicts(plan(("open_facility", {"facility": "N", "kind": what, "name": "另一个名称", "at": at})), toy)
        assert len(found) == wrong, (what, apart)


@pytest.mark.slow
@settings(max_examples=trials(40))
@given(data=st.data())
def test_a_plan_without_conflicts_counts_nobody_twice(ground: xh.District, data: st.DataObject) -> None:
    """People after are people before, less those of homes demolished, plus those of homes built; no two homes overlap."""
    edits = data.draw(st.lists(edits_of(ground, only="homes"), min_size=1, max_size=5))
    made = Scenario("p", edits=tuple(edits))
    for _ in edits:  # what is left out can leave another without its ground
        wrong = conflicts(made, ground)
        made = replace(made, edits=tuple(e for i, e in enumerate(made.edits, 1) if i not in wrong.index))
    before, after = ground.homes, made.on(ground).homes
    gone, new = before[~before.index.isin(after.index)], after[~after.index.isin(before.index)]
    assert after["people"].sum() == pytest.approx(before["people"].sum() - gone["people"].sum() + new["people"].sum())
    for home, site in new.geometry.items():
        others = after[(after.index != home).tolist()]
        shared = others.intersection(site).area
        assert not (shared > 0.2 * others.geometry.area.clip(upper=site.area)).any(), home


@pytest.mark.slow
@settings(max_examples=trials(6), deadline=None, derandomize=True)
@given(data=st.data())
def test_what_a_plan_left_alone_is_as_if_worked_out_anew(ground: xh.District, data: st.DataObject) -> None:
    """After any plan, in any year, what is taken from the district before it equals, to the bit, what is found from nothing."""
    only = data.draw(st.sampled_from(["", "facility", "gate", "street", "wait", "planned"]))
    edits = feasible(data.draw(st.lists(edits_of(ground, only=only), max_size=3)), ground).edits
    year, planned = data.draw(st.sampled_from([None, ground.year + 1, ground.year + 13])), data.draw(st.booleans())
    if not data.draw(st.booleans()):
        told_of(ground)  # else it is asked for after the plan
    done = Scenario("p", edits=edits, year=year, planned=planned).on(ground)
    as_if_anew(done)
    as_if_anew(done.at(data.draw(st.integers(ground.year - 2, ground.year + 13)), planned=planned))
