"""How districts, networks and plans look, how rows of results are told, and what frames from outside are held to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from lxml import etree

import xinhe_geo as xh
from xinhe_geo.core import Look, small_map, speaking

TOY = Path(__file__).parents[1] / "toy"


@pytest.fixture(scope="module")
def toy() -> xh.District:
    return xh.District.load(TOY)


@pytest.fixture(scope="module")
def plan(toy: xh.District) -> xh.Scenario:
    edits = [xh.District.load().scenario("wuchedi-renewal").edits[0]]
    return xh.Scenario("plan<b>", "方案", tuple(edits), year=2025)


def test_a_repr_is_one_short_line(toy: xh.District, plan: xh.Scenario) -> None:
    for value in (toy, toy.network, plan):
        assert len(repr(value)) < 200 and "\n" not in repr(value)
    assert all(word in repr(toy) for word in ("玩具街道", "2022", "EPSG:4548", "小区 5", "设施 4"))
    assert "方案" in repr(plan) and "2025" in repr(plan) and "1 步" in repr(plan)
    with speaking("en"):
        assert "homes 5" in repr(toy)


def test_a_card_says_what_is_there_and_is_whole_markup(toy: xh.District, plan: xh.Scenario) -> None:
    for value in (toy, toy.network, plan):
        page = value._repr_html_()
        etree.fromstring(page.replace("&nbsp;", " "))
        assert "<script" not in page and len(page) < 100_000
    page = toy._repr_html_()
    for layer, frame in toy.layers.items():
        assert f"<td>{toy.files['file'][layer]}</td>" in page and f"<td>{len(frame)}</td>" in page, layer
    assert "已普查 6 类" in page and "<svg" in page
    assert "<b>plan&lt;b&gt;</b>" in plan._repr_html_()


def test_a_secret_district_is_not_drawn(toy: xh.District) -> None:
    layers = {**toy.manifest["layers"], "homes": {**toy.manifest["layers"]["homes"], "secrecy": "秘密"}}
    secret = replace(toy, manifest=MappingProxyType({**toy.manifest, "layers": layers}))
    assert "<svg" not in secret._repr_html_() and "<svg" in toy._repr_html_()


def test_a_small_map_keeps_what_is_where() -> None:
    places = gpd.GeoSeries([shapely.Point(0, 0), shapely.Point(10, 5), shapely.Point(), None], crs="EPSG:4548")
    drawn = etree.fromstring(small_map([Look(places, 'fill="red"')]))
    spots = [(float(c.get("cx")), float(c.get("cy"))) for c in drawn.iter("{*}circle")]
    assert spots == [(0.0, 260.0), (520.0, 0.0)]
    assert small_map([Look(places.iloc[2:], "")]) == ""


@pytest.mark.slow
def test_a_row_of_any_result_is_told(toy: xh.District) -> None:
    cover = xh.coverage(toy)
    one = xh.explain(cover, ("A", "plan_clinic_15"))
    assert (
        "15分钟基本医疗卫生服务圈" in one and "minutes: 3.18" in one and "served: 100.0%" in one and "area:" not in one
    )
    assert xh.explain(cover, cover.loc[("A", "plan_clinic_15")]) == one
    assert "另有" in xh.explain(cover, "A")
    holes = xh.gaps(toy, cover, "clinic_station")
    assert (
        str(holes["reason"].iloc[0])
        in xh.explain(holes, holes.index[0])
        == xh.explain(holes, str(holes["name"].iloc[0]))
    )
    lead = xh.headlines(toy, cover)
    assert str(lead.loc["plan_clinic_15", "headline"]) in xh.explain(lead, "plan_clinic_15")
    assert "share" in xh.explain(xh.curve(toy, "clinic_station"), ("", 15.0))
    assert "数据不足" in xh.explain(xh.within(toy, "library", minutes=5), "A")
    with pytest.raises(xh.UnknownNameError, match="plan_clinic_15"):
        xh.explain(lead, "plan_clinic_51")
    with pytest.raises(xh.UnknownNameError):
        xh.explain(cover, ("A", "nothing"))
    with pytest.raises(xh.XinheError, match="结果表"):
        xh.explain("cover", "A")


def test_what_a_rule_does_not_ask_for_is_not_told_as_lacking(toy: xh.District) -> None:
    mine = xh.Rule(kinds="canteen", minutes=10)
    cover = xh.coverage(toy, rules=mine)
    for told in (
        xh.explain(cover, ("A", mine)),
        xh.explain(xh.summary(cover), mine.name),
        xh.explain(xh.summary(cover, by="community"), ("T01", mine.name)),
    ):
        assert "数据不足" not in told and "10 分钟" in told, told
    present = xh.summary(xh.coverage(toy, rules="plan_canteen_community"))
    assert "communities_share" in xh.explain(present, "plan_canteen_community")


@pytest.mark.slow
def test_the_ends_of_a_range_are_told_as_its_value_is(toy: xh.District) -> None:
    firm = xh.robustness(toy, "clinic_station", draws=39)
    told = dict(line.split(": ") for line in xh.explain(firm, firm.index[0]).splitlines()[1:])
    assert all(told[end].endswith("%") for end in ("value", "low", "high", "low_80", "high_80", "least", "most"))
    assert xh.explain(firm, firm.index[0]).splitlines()[0] == "plan_clinic_15"


def test_replace_takes_a_layer_and_keeps_the_rest(toy: xh.District) -> None:
    back = toy.replace(homes=toy.homes.to_crs(4326))
    assert all(back.layers[name].equals(toy.layers[name]) for name in toy.layers), "what came back has not changed"
    assert (back.basis("homes") == "surveyed").all()
    homes = toy.homes
    homes.loc["A", "people"] = 999
    other = toy.replace(homes=homes.reset_index())
    assert other.basis("homes").to_dict() == {**dict.fromkeys("BCDE", "surveyed"), "A": "unstated"}
    assert xh.coverage(other, rules="clinic_station")["people"].iloc[0] == 999 and toy.homes.loc["A", "people"] == 100
    assert toy.replace(gates=None).gates is None
    assert set(other.rows) == set(toy.rows)


def test_everything_wrong_with_frames_is_said_at_once(toy: xh.District) -> None:
    bad = {
        "homes": toy.homes.assign(people=[-5, "viele", 1, 2, 3]),
        "facilities": toy.facilities.set_crs(None, allow_override=True),
        "gates": toy.gates.reset_index(drop=True),
        "streets": pd.DataFrame({"street": ["a"]}),
        "zones": toy.zones.set_geometry(toy.zones.geometry.iloc[[0, 0]].set_axis(toy.zones.index)).assign(
            geometry=[None] * 2
        ),
    }
    with pytest.raises(xh.DataError) as caught:
        toy.replace(**bad)
    problems = caught.value.problems
    assert set(bad) <= set(problems["layer"])
    said = " ".join(problems["problem"])
    assert all(word in said for word in ("小于 0", "不是数", "没有坐标系", "没有编号", "DataFrame"))
    with pytest.raises(xh.DataError, match="canteen"):
        toy.replace(facilities=toy.facilities.assign(kind="canten"))
    with pytest.raises(xh.DataError, match=r"公里|适用范围"):
        toy.replace(homes=toy.homes.set_geometry(toy.homes.translate(60_000.0)))
    with pytest.raises(xh.UnknownNameError, match="homes"):
        toy.replace(home=toy.homes)
    with pytest.raises(xh.DataError, match=r"唯一|重复"):
        toy.replace(homes=pd.concat([toy.homes, toy.homes.iloc[:1]]))
    assert np.isfinite(xh.summary(xh.coverage(toy, rules="clinic_station"))["share"]).all()
