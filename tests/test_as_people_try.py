"""Calls as people try them: each works, or is refused in words that name what would."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from spoken import ours, texts_of

import xinhe_geo as xh
from xinhe_geo.core import LAYERS, bundled_folder, speaking, well_called
from xinhe_geo.siting import links

TOY = Path(__file__).parent / "toy"


class Desk(NamedTuple):
    """What somebody has in hand."""

    x: xh.District
    cover: pd.DataFrame


@pytest.fixture(scope="module")
def desk() -> Desk:
    toy = xh.District.load(TOY)
    return Desk(toy, xh.coverage(toy))


def rules(cover: pd.DataFrame) -> list[str]:
    return list(cover.index.unique("rule"))


def same(a: gpd.GeoDataFrame, b: gpd.GeoDataFrame) -> bool:
    return len(a) > 0 and a["area_m2"].tolist() == pytest.approx(b["area_m2"].tolist())


STATION = "plan_clinic_15"
ELDERLY = xh.Rule(kinds="canteen", minutes=10, profile="elderly")
#: What is typed, and what has to be true of what comes out.
WORKS: dict[str, Callable[[Desk], object]] = {
    "coverage of a kind": lambda t: rules(xh.coverage(t.x, rules="clinic_station")) == [STATION],
    "of its label": lambda t: rules(xh.coverage(t.x, rules="社区卫生服务站")) == [STATION],
    "of its English": lambda t: rules(xh.coverage(t.x, rules="Community health station")) == [STATION],
    "of a rule's label": lambda t: rules(xh.coverage(t.x, rules="15分钟基本医疗卫生服务圈")) == [STATION],
    "of a row of kinds": lambda t: rules(xh.coverage(t.x, rules=t.x.kinds.loc["clinic_station"])) == [STATION],
    "of a row of rules": lambda t: rules(xh.coverage(t.x, rules=t.x.rules.loc[STATION])) == [STATION],
    "of rows of rules": lambda t: rules(xh.coverage(t.x, rules=t.x.rules.loc[[STATION]])) == [STATION],
    "of one Rule": lambda t: len(xh.coverage(t.x, rules=xh.Rule(kinds="canteen", minutes=15))) == 5,
    "of kinds, twice the same rule": lambda t: (
        rules(xh.coverage(t.x, rules=["clinic_station", "clinic_center"])) == [STATION]
    ),
    "of a set and a kind": lambda t: (
        len(rules(xh.coverage(t.x, rules=["plan", "clinic_station"]))) == len(rules(t.cover))
    ),
    "a kind with its brackets left out": lambda t: t.x.rule("老年食堂").kinds == ("canteen",),
    "a kind as letters of another width": lambda t: t.x.key("kinds", "ＣＡＮＴＥＥＮ") == "canteen",
    "a facility's row as a kind": lambda t: t.x.key("kinds", t.x.facilities.loc["F1"]) == "clinic_station",
    "a home's row of itertuples": lambda t: t.x.key("homes", next(t.x.homes.itertuples())) == "A",
    "a frame of one row": lambda t: t.x.key("homes", t.x.homes.loc[["A"]]) == "A",
    "a community's name": lambda t: t.x.key("communities", "甲社区") == "T01",
    "who walks, in Chinese": lambda t: (
        xh.coverage(t.x, rules="clinic_station", profile="老年人")["profile"].eq("elderly").all()
    ),
    "who walks, in English": lambda t: t.x.profile("Elderly (60+)").name == "elderly",
    "who walks, as a row": lambda t: t.x.profile(t.x.profiles.loc["frail"]).speed_m_s == 0.6,
    "gaps of a label": lambda t: xh.gaps(t.x, t.cover, "老年食堂").equals(xh.gaps(t.x, t.cover, "canteen")),
    "gaps of a Rule": lambda t: len(xh.gaps(t.x, t.cover, t.x.rule(STATION))) > 0,
    "gaps of the only rule that asks for a kind": lambda t: (
        xh.gaps(t.x, xh.coverage(t.x, rules=xh.Rule(kinds="canteen", minutes=1)), "canteen")["reason"]
        .str.contains("食堂")
        .all()
    ),
    "isochrones, one number": lambda t: xh.isochrones(t.x, "clinic_station", minutes=15).index.tolist() == [15.0],
    "of a label": lambda t: same(xh.isochrones(t.x, "社区卫生服务站"), xh.isochrones(t.x, "clinic_station")),
    "of an id": lambda t: same(xh.isochrones(t.x, "F1"), xh.isochrones(t.x, "clinic_station")),
    "of a name": lambda t: same(xh.isochrones(t.x, "南站"), xh.isochrones(t.x, "F1")),
    "of a row": lambda t: same(xh.isochrones(t.x, t.x.facilities.loc["F1"]), xh.isochrones(t.x, "F1")),
    "of several ids": lambda t: (
        xh.isochrones(t.x, ["F1", "北食堂"], each=True, minutes=5).index.unique("place").tolist() == ["F1", "F2"]
    ),
    "of a tuple of ids": lambda t: len(xh.isochrones(t.x, ("F1", "F2"), minutes=5)) == 1,
    "of a home": lambda t: len(xh.isochrones(t.x, "甲苑", minutes=5)) == 1,
    "of a point in metres": lambda t: len(xh.isochrones(t.x, shapely.Point(500050, 4320000), minutes=5)) == 1,
    "of a point in degrees": lambda t: same(
        xh.isochrones(t.x, tuple(lonlat(t.x, 500050, 4320000)), minutes=5),
        xh.isochrones(t.x, (500050.0, 4320000.0), minutes=5),
    ),
    "of metres, one number": lambda t: xh.isochrones(t.x, "F1", metres=300).index.tolist() == [300.0],
    "of a network and a point": lambda t: len(xh.isochrones(t.x.network, shapely.Point(500050, 4320000))) == 3,
    "of a graph": lambda t: len(xh.isochrones(t.x.network.to_graph(), shapely.Point(500050, 4320000))) == 3,
    "route by names": lambda t: xh.route(t.x, "甲苑", "南站")["facility"].eq("F1").all(),
    "route by rows": lambda t: xh.route(t.x, t.x.homes.loc["A"], t.x.facilities.loc["F1"])["minutes"].sum() > 0,
    "route to a rule's label": lambda t: len(xh.route(t.x, "甲苑", "15分钟基本医疗卫生服务圈", profile="老年人")) > 0,
    "route to a Rule, by whom it is about": lambda t: xh.route(t.x, "A", ELDERLY).equals(
        xh.route(t.x, "A", "canteen", profile="elderly")
    ),
    "within a Rule, by whom it is about": lambda t: xh.within(t.x, ELDERLY, minutes=9).equals(
        xh.within(t.x, "canteen", minutes=9, profile="elderly")
    ),
    "isochrones of a Rule, by whom it is about": lambda t: same(
        xh.isochrones(t.x, ELDERLY), xh.isochrones(t.x, "canteen", profile="elderly")
    ),
    "summary by a Chinese word": lambda t: xh.summary(t.cover, by="社区").equals(xh.summary(t.cover, by="community")),
    "summary by a layer": lambda t: xh.summary(t.cover, by="zones").equals(xh.summary(t.cover, by="zone")),
    "sites by a label": lambda t: len(xh.sites(t.x, "社区卫生服务站", 1, siting=xh.Siting(limit=5.0))) == 1,
    "sites for a Rule": lambda t: len(xh.sites(t.x, xh.Rule(kinds="clinic_station", minutes=5), 1)) == 1,
    "draw a kind's rule": lambda t: "基本医疗卫生服务圈" in xh.picture(t.x, t.cover, rule="clinic_station"),
    "draw a coverage of one's own rule": lambda t: (
        "老年食堂（社区食堂） 5 分钟" in xh.picture(t.x, xh.coverage(t.x, rules=xh.Rule(kinds="canteen", minutes=5)))
    ),
    "receipt of a kind": lambda t: xh.receipt(t.x, "社区卫生服务站")["figure"] == STATION,
    "the balance of one year": lambda t: xh.balance(t.x, years=2025).equals(xh.balance(t.x, years=[2025])),
    "with_rows keeps the others": lambda t: set(t.x.with_rows({"homes": t.x.rows["homes"]}).rows) == set(t.x.rows),
    "with_rows takes one away": lambda t: t.x.with_rows({"gates": None}).gates is None,
    "links by a label": lambda t: links(t.x, "社区卫生服务站", n=1) is not None,
}


def lonlat(district: xh.District, x: float, y: float) -> tuple[float, float]:
    point = gpd.GeoSeries([shapely.Point(x, y)], crs=district.crs).to_crs(4326).iloc[0]
    return point.x, point.y


def lonlats(district: xh.District) -> gpd.GeoSeries:
    return gpd.GeoSeries([shapely.Point(500050, 4320000)], crs=district.crs)


#: What is typed, and what the refusal has to say.
REFUSED: dict[str, tuple[Callable[[Desk], object], str]] = {
    "a kind misspelt in a Rule": (lambda t: xh.coverage(t.x, rules=xh.Rule(kinds=("canten",), minutes=5)), "canteen"),
    "a Rule without a limit": (lambda t: xh.Rule(kinds="canteen"), "minutes"),
    "a Rule of nothing": (lambda t: xh.Rule(minutes=5), "kinds"),
    "a Rule with all wrong": (lambda t: xh.Rule(kinds="a", method="walk", minutes=-1), "walk_min.*大于 0"),
    "two Rules of one name": (
        lambda t: xh.coverage(t.x, rules=[xh.Rule("a", kinds="canteen", minutes=m) for m in (5, 9)]),
        "都叫 a",
    ),
    "a rule misspelt": (lambda t: xh.coverage(t.x, rules="clinc_station"), "clinic_station"),
    "half of a label": (lambda t: xh.coverage(t.x, rules="卫生服务站"), "社区卫生服务站"),
    "no rule": (lambda t: xh.coverage(t.x, rules=None), "没有写是哪个规则"),
    "a kind without a rule": (lambda t: xh.coverage(t.x, rules="绿带"), "领头规则.*绿带"),
    "a path for a district": (lambda t: xh.coverage("tests/toy"), "District.load"),
    "a table for a district": (lambda t: xh.gaps(t.cover, t.x, "canteen"), "不是表"),
    "draw a text": (lambda t: xh.draw("x"), "District.load"),
    "draw a kind for a coverage": (lambda t: xh.draw(t.x, "clinic_station"), "xh.coverage"),
    "draw a coverage as rings": (lambda t: xh.draw(t.x, None, "clinic_station"), "isochrones"),
    "summary of a district": (lambda t: xh.summary(t.x), "xh.coverage"),
    "summary of a summary": (lambda t: xh.summary(xh.summary(t.cover)), "home"),
    "summary by nothing": (lambda t: xh.summary(t.cover, by="comunity"), "community"),
    "gaps of None": (lambda t: xh.gaps(t.x, t.cover, None), "没有写是哪个"),
    "gaps without the coverage": (lambda t: xh.gaps(t.x, "canteen", "canteen"), "xh.coverage"),
    "gaps of a number": (lambda t: xh.gaps(t.x, t.cover, 1.5), "不是 float"),
    "minutes as a text": (lambda t: xh.isochrones(t.x, "F1", minutes="15"), "如 15"),
    "minutes below 0": (lambda t: xh.isochrones(t.x, "F1", minutes=-5), "大于 0"),
    "no minutes": (lambda t: xh.isochrones(t.x, "F1", minutes=[]), "大于 0"),
    "an id misspelt": (lambda t: xh.isochrones(t.x, "F11"), "F1"),
    "a facility not open yet": (lambda t: xh.isochrones(t.x.at(2025), "北站"), "planned=True"),
    "a name for a network": (lambda t: xh.isochrones(t.x.network, "clinic_station"), "点位"),
    "a text for a network": (lambda t: xh.isochrones("streets", "clinic_station"), "District.load"),
    "who walks misspelt": (lambda t: xh.isochrones(t.x, "F1", profile="eldery"), "elderly"),
    "route from nowhere": (lambda t: xh.route(t.x, "甲园", "F1"), "甲苑"),
    "route to nothing open": (lambda t: xh.route(t.x, "A", "幼儿园"), "开放的.*幼儿园"),
    "n as a text": (lambda t: xh.sites(t.x, "canteen", "2"), "如 2"),
    "n as a truth": (lambda t: xh.sites(t.x, "canteen", True), "如 2"),
    "sites of a home": (lambda t: xh.sites(t.x, "甲苑", 1), "没有设施类别或规则"),
    "a scenario misspelt": (lambda t: t.x.scenario("nothing"), "方案"),
    "a layer misspelt": (lambda t: t.x.key("home", "A"), "homes"),
    "a home by None": (lambda t: t.x.key("homes", None), "没有写是哪个小区"),
    "all homes for one": (lambda t: t.x.key("homes", t.x.homes), "GeoDataFrame"),
    "a year that is none": (lambda t: t.x.at(20250), "1900"),
    "completeness in words": (lambda t: xh.completeness(t.x, minutes="quarter"), "如 15"),
    "a sheet misspelt": (lambda t: xh.sheet(t.x, "卫生站"), "卫生服务站"),
    "minutes of a coverage": (lambda t: xh.coverage(t.x, minutes=10), "没有参数 minutes.*xh.Rule"),
    "a kind of a coverage": (lambda t: xh.coverage(t.x, kind="canteen"), "没有参数 kind，这里叫 rules"),
    "rules without their name": (lambda t: xh.coverage(t.x, "clinic_station"), "rules=…"),
    "trip_times, as in OSMnx's examples": (lambda t: xh.isochrones(t.x, "F1", trip_times=[5]), "这里叫 minutes"),
    "minutes without their name": (lambda t: xh.isochrones(t.x, "F1", 10), "minutes=…"),
    "a speed": (lambda t: xh.isochrones(t.x, "F1", walk_speed=4.5), "这里叫 profile"),
    "within without minutes": (lambda t: xh.within(t.x, "canteen"), "还要写 minutes"),
    "gaps without a rule": (lambda t: xh.gaps(t.x, t.cover), "还要写 rule"),
    "p of a p-median": (lambda t: xh.sites(t.x, "canteen", p=2), "这里叫 n"),
    "a weight of an edge": (lambda t: xh.route(t.x, "A", "F1", weight="length"), "这里叫 profile"),
    "a column to draw": (lambda t: xh.draw(t.x, column="people"), "这里叫 values"),
    "a parameter misspelt": (lambda t: xh.curve(t.x, "canteen", minute=5), "minutes"),
    "by without its name": (lambda t: xh.summary(t.cover, "community"), "by=…"),
    "a curve of a coverage": (lambda t: xh.curve(t.cover), "还要写 what"),
    "a path for the class": (lambda t: xh.District("tests/toy"), r"District\.load\('tests/toy'\)"),
    "a position with latitude first": (lambda t: xh.isochrones(t.x, (39.04, 117.0)), "先写经度"),
    "a position in another town": (lambda t: xh.isochrones(t.x, shapely.Point(117.63, 39.04)), "54 千米"),
    "points without a CRS": (lambda t: xh.isochrones(t.x, gpd.GeoSeries([shapely.Point(0, 0)])), "set_crs"),
    "a list for points": (lambda t: t.x.network.metres(["F1"], ["F1"]), "GeoSeries"),
    "one point for points": (lambda t: t.x.network.reach(shapely.Point(0, 0), 500), "GeoSeries"),
    "a limit with its unit": (lambda t: t.x.network.reach(lonlats(t.x), "500m"), "不小于 0 的数：500m"),
    "minutes of nobody": (lambda t: t.x.network.minutes(lonlats(t.x), lonlats(t.x), 15), "还要写 profile"),
    "a frame for a graph": (lambda t: xh.WalkNetwork.from_graph(t.x.streets), "from_streets"),
    "a file for streets": (lambda t: xh.WalkNetwork.from_streets("a.shp"), "read_file"),
    "a point for candidates": (lambda t: xh.sites(t.x, "canteen", 1, candidates=shapely.Point(0, 0)), "GeoSeries"),
    "a model for a siting": (lambda t: xh.sites(t.x, "canteen", 1, siting="p_median"), "xh.Siting"),
    "an objective": (lambda t: xh.Siting(objective="mclp"), "这里叫 model"),
    "a column's name to draw": (lambda t: xh.draw(t.x, values="people"), "people 列"),
    "numbers without homes": (lambda t: xh.picture(t.x, values=[1, 2, 3]), "按小区编号"),
    "a map saved nowhere": (lambda t: xh.draw(t.x).save(), "还要写 outfile。"),
    "no plan": (lambda t: t.x.scenario(), "还要写 name"),
    "a plan without a name": (lambda t: xh.Scenario(), "还要写 name"),
    "a plan on a path": (lambda t: xh.Scenario("p").on("tests/toy"), "District.load"),
    "no year": (lambda t: t.x.at(planned=True), "还要写 year"),
    "flips of nothing": (lambda t: xh.flips(t.x), "还要写 rule"),
    "a time in a Rule": (lambda t: xh.Rule(kinds="canteen", time=15), "这里叫 minutes"),
    "a speed in a Profile": (lambda t: xh.Profile(speed=1.2), "这里叫 speed_m_s"),
    "one too many": (lambda t: xh.presence(t.x, "canteen"), "只有 1 项"),
    "the nearest three": (lambda t: xh.within(t.x, "canteen", minutes=15, k=3), "network.nearest"),
    "the balance of a name": (lambda t: xh.balance("p"), "district.scenario"),
    "problems of a set": (lambda t: xh.problems(t.x, "all"), "sets="),
    "a number for rules": (lambda t: xh.coverage(t.x, rules=15), '没有规则或设施类别 "15"'),
    "several limits in a Rule": (lambda t: xh.Rule(kinds="canteen", minutes=[5, 10]), "几条规则"),
    "a limit of a Rule as a text": (lambda t: xh.Rule(kinds="canteen", metres="500"), "metres 要写一个大于 0 的数"),
    "a limit of a siting as a text": (lambda t: xh.Siting(limit="15"), "limit 要是不小于 0 的数"),
    "the year of nothing": (lambda t: t.x.at(None), "1900"),
    "a layer's name for rows": (lambda t: t.x.with_rows("homes"), "{图层: 表}"),
    "a number for a folder": (lambda t: xh.District.load(5), "路径.*不是 int"),
    "a district for a folder": (lambda t: xh.check(t.x), "路径.*不是 District"),
    "a frame for an extract": (lambda t: xh.WalkNetwork.from_osm(t.x.streets), "路径.*不是 GeoDataFrame"),
    "a number to write to": (lambda t: xh.brief(t.x, to=5), "to 要写.*路径"),
    "a survey of all": (lambda t: xh.survey(t.x, most="all"), "不小于 1 的整数"),
    "few draws": (lambda t: xh.robustness(t.x, "canteen", draws=5), "不小于 39 的整数"),
    "many draws": (lambda t: xh.robustness(t.x, "canteen", draws="many"), "不小于 39 的整数"),
    "rings for a coverage": (lambda t: xh.draw(t.x, xh.isochrones(t.x, "F1", minutes=5)), "rings="),
    "a map saved as paper": (lambda t: xh.draw(t.x).save("map.pdf"), "xh.sheet"),
    "a kind in place of a Rule's name": (lambda t: xh.Rule("canteen", minutes=10), "kinds='canteen'"),
    "layers for the class": (lambda t: xh.District(homes=t.x.homes), r"replace\(homes=表.*xinhe-geo new"),
    "a dictionary for the class": (lambda t: xh.District({"homes": t.x.homes}), "to_file"),
    "areas of one's own to group by": (lambda t: xh.summary(t.cover, by=t.x.zones), r"replace\(communities=表\)"),
    "a walk to draw": (lambda t: xh.draw(t.x, xh.route(t.x, "A", "F1")), r"\.explore\(m=xh\.draw"),
    "what is not measured": (lambda t: xh.within(t.x, "jobs", minutes=20), "计量单位.*可选"),
    "a step that is none": (lambda t: xh.Scenario("p", edits=[{"do": "?"}]), "open_facility.*set_wait"),
    "a gate of nobody knows where": (lambda t: xh.Scenario("p", edits=[{"do": "open_gate"}]), "gate（.*home 和 at"),
    "a home of a plan by name": (
        lambda t: xh.Scenario("p", edits=[{"do": "open_gate", "gate": "n", "home": "甲苑", "at": [117.0, 39.0]}]).on(
            t.x
        ),
        "写编号：A",
    ),
    "a kind of a plan by name": (
        lambda t: xh.Scenario(
            "p", edits=[{"do": "open_facility", "facility": "n", "kind": "老年食堂", "xy": [0, 0]}]
        ).on(t.x),
        "写编号：canteen",
    ),
    "a receipt of nothing": (lambda t: xh.receipt(t.x, "plan_clinic"), "plan_clinic_15"),
}


@pytest.mark.parametrize("call", WORKS)
def test_what_people_try_works(desk: Desk, call: str) -> None:
    assert WORKS[call](desk)


@cache
def known() -> str:
    """Return what is Chinese in either language: the data, and what tables and layers may be called by who types."""
    tables = [*bundled_folder().rglob("kinds.csv"), *bundled_folder().rglob("rules.csv")]
    typed = "甲园 卫生站"
    return (
        typed + texts_of(TOY) + "".join(map(str, LAYERS.values())) + "".join(path.read_text("utf-8") for path in tables)
    )


@pytest.mark.parametrize("call", REFUSED)
def test_what_people_try_is_refused_in_words(desk: Desk, call: str) -> None:
    """In English nothing Chinese is said but what stands in the data, or was typed."""
    function, said = REFUSED[call]
    with pytest.raises(xh.XinheError, match=said) as told:
        function(desk)
    with speaking("en"), pytest.raises(told.type) as english:
        function(desk)
    assert not ours(str(english.value), known()), str(english.value)


def test_many_calls_are_tried() -> None:
    assert len(WORKS) + len(REFUSED) >= 40


def test_a_column_that_a_layer_does_not_have_is_not_lost_in_silence(desk: Desk) -> None:
    with pytest.warns(UserWarning, match="没有 jobs 这样的列.*capacity_unit"):
        desk.x.replace(facilities=desk.x.facilities.assign(jobs=12))
    jobs = desk.x.facilities.assign(capacity=12.0, capacity_unit="岗位")
    assert xh.within(desk.x.replace(facilities=jobs), "岗位", minutes=60)["within"].max() >= 12.0


def test_a_name_that_two_share_asks_for_the_id(desk: Desk) -> None:
    homes = desk.x.rows["homes"]
    homes["name"] = homes["name"].where(homes.index != "B", "甲苑")
    with pytest.raises(xh.UnknownNameError, match=r"不止一个.*A.*B"):
        desk.x.with_rows({"homes": homes}).key("homes", "甲苑")


def test_what_a_rule_does_not_say_is_unknown_and_not_everything(desk: Desk) -> None:
    cover = xh.coverage(desk.x, rules=xh.Rule(kinds="canteen", minutes=15))
    assert cover["served_walk_min"].notna().all()
    assert cover[["served_buffer", "served_network_m"]].isna().all().all()
    assert np.isfinite(xh.headlines(desk.x, cover)["value"]).all()


#: What others call what is here, and what has to be said.
ELSEWHERE = {
    "load": "District.load",
    "nearest": r"network\.nearest",
    "isochrone": "isochrones",
    "shortest_path": "route",
    "plot": "draw",
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_name_of_another_library_is_told_what_it_is_here(name: str) -> None:
    with pytest.raises(AttributeError, match=ELSEWHERE[name]):
        getattr(xh, name)
    assert not hasattr(xh, name) and not hasattr(xh, f"__{name}__")


def test_a_name_that_a_district_does_not_have_is_told(desk: Desk) -> None:
    for name, said in (("home", "homes"), ("coverage", r"xh\.coverage\(district\)"), ("plot", "draw")):
        with pytest.raises(AttributeError, match=said):
            getattr(desk.x, name)
        assert not hasattr(desk.x, name)
    assert not hasattr(desk.x, "_ipython_canary_method_should_not_exist_")


def helped() -> Iterator[tuple[str, str]]:
    """Yield what `help` says of every public name, and of what every public class offers."""
    for name in xh.__all__:
        thing = getattr(xh, name)
        yield name, inspect.getdoc(thing) or ""
        for own, offered in vars(thing).items() if isinstance(thing, type) else ():
            if not own.startswith("_"):
                yield f"{name}.{own}", inspect.getdoc(offered) or ""


def test_what_help_names_can_be_imported_as_it_is_named() -> None:
    """A function of a district, or a list of words, that is not public stands with the package it is imported from."""
    front = Path(xh.__file__).parent
    hidden = set[str]()
    for source in front.rglob("*.py"):
        text = source.read_text("utf-8")
        hidden |= set(re.findall(r"^([A-Z][A-Z_]+)\b[^=\n]*= ", text, re.M))
        for own in text.split("\ndef ")[1:]:
            if "\n    district\n" in own.partition("\nclass ")[0]:  # its docstring tells of its parameters
                hidden.add(own.partition("(")[0])
    hidden -= {*xh.__all__, *dir(xh.District)}
    for who, text in helped():
        for said in re.findall(r"`([A-Za-z_][\w.]*)(?:\(.*?\))?`", text):
            if said.startswith("xinhe_geo."):
                place, _, name = said.rpartition(".")
                assert hasattr(importlib.import_module(place), name), f"{who}: {said}"
            assert said not in hidden, f"{who}: {said} is named without its package"


#: Results, whose columns `help` has to tell.
RESULTS: dict[str, Callable[[Desk], pd.DataFrame]] = {
    "coverage": lambda t: t.cover,
    "summary": lambda t: xh.summary(t.cover, by="community"),
    "compare": lambda t: xh.compare(t.cover, t.cover, by="zone"),
    "gaps": lambda t: xh.gaps(t.x, t.cover, "clinic_station"),
    "headlines": lambda t: xh.headlines(t.x, t.cover),
    "completeness": lambda t: xh.completeness(t.x),
    "isochrones": lambda t: xh.isochrones(t.x, ["F1", "F2"], each=True),
    "route": lambda t: xh.route(t.x, "A", "F1"),
    "curve": lambda t: xh.curve(t.x, "clinic_station", profile=["adult", "elderly"]),
    "within": lambda t: xh.within(t.x, "clinic_station", minutes=(5, 10)),
    "sites": lambda t: xh.sites(t.x, ELDERLY, 1),
    "balance": lambda t: xh.balance(t.x),
    "parcels": lambda t: xh.parcels(t.x),
}


@pytest.mark.parametrize("name", RESULTS)
def test_help_tells_every_column(desk: Desk, name: str) -> None:
    """As it is called, or by its beginning or its end: `people` and `…_served` tell `people_served`."""
    table, told = RESULTS[name](desk), inspect.getdoc(getattr(xh, name)) or ""
    words, ends = set(re.findall(r"\w+", told)), tuple(re.findall(r"…(_\w+)", told))
    for column in map(str, table.columns):
        begins = [column.removesuffix(end) for end in ends if column.endswith(end)]
        assert column in words or any(word.startswith(begin) for begin in begins for word in words), column


def test_the_front_says_what_to_call_for_what() -> None:
    """`help(xh)` begins with a table of tasks; what it names is there, and nothing public is left out."""
    told = re.findall(r"`([^`]+)`", xh.__doc__ or "")
    named = {name for text in told for name in re.findall(r"[A-Za-z_]\w*", text)}
    errors = {
        name for name in xh.__all__ if isinstance(thing := getattr(xh, name), type) and issubclass(thing, Exception)
    }
    assert set(xh.__all__) - errors - {"__version__"} <= named
    assert "XinheError" in named or "XinheError" in (xh.__doc__ or "")
    for text in told:
        place, _, name = text.partition("(")[0].rpartition(".")
        where = {"district": xh.District, "district.network": xh.WalkNetwork, "": xh, "xh": xh}.get(place)
        if where is not None and place:
            assert hasattr(where, name), text


def test_an_error_within_a_call_stays_its_own() -> None:
    """Only arguments that do not fit are explained: whatever else is a TypeError says what it said."""
    with pytest.raises(TypeError, match="inner") as caught:
        well_called(lambda x: (_ for _ in ()).throw(TypeError("inner")))(1)
    assert not isinstance(caught.value, xh.XinheError)
