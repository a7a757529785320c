"""The maps as files: they load nothing, keep data from becoming code, are the same every time, and say what they show."""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import fakes
import folium
import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from branca.element import CssLink, JavascriptLink
from hypothesis import given
from hypothesis import strategies as st
from poisoned import PAYLOADS, poisoned, two_covers

import xinhe_geo as xh
from xinhe_geo import maps
from xinhe_geo.core.errors import UnknownNameError, XinheError
from xinhe_geo.core.html import web_file
from xinhe_geo.core.numbers import per_cent
from xinhe_geo.maps import html_map, presets, scene_json
from xinhe_geo.maps import style as _style
from xinhe_geo.maps.basemap import names_of
from xinhe_geo.maps.live import _drawing
from xinhe_geo.maps.live_model import LiveModel
from xinhe_geo.maps.meeting import meeting
from xinhe_geo.maps.room import Room
from xinhe_geo.maps.svg import _Column, _Hatches, write_groups
from xinhe_geo.maps.themes import _round_edges, rows_of

TOY = Path(__file__).parents[1] / "toy"


def page(m: maps.HouseMap) -> str:
    return str(m.get_root().render())


def scene(text: str) -> dict[str, Any]:
    block = re.search(r'<script id="xh-data" type="([^"]+)">(.*?)</script>', text, re.DOTALL)
    assert block is not None
    raw = block.group(2)
    found = json.loads(raw if "json" in block.group(1) else gzip.decompress(base64.b64decode(raw)))
    assert isinstance(found, dict)
    return found


def layer(content: dict[str, Any], name: str) -> dict[str, Any]:
    return next(x for x in content["layers"] if x["id"] == name)


def everything(district: fakes.MadeUpDistrict) -> dict[str, tuple[tuple[Any, ...], dict[str, Any]]]:
    """Return every way to call the two verbs."""
    cover, homes = fakes.cover(), district.layers["homes"]
    values = pd.Series(np.linspace(0, 1, len(homes)), index=homes.index, name="completeness").where(
        homes.index != "h11"
    )
    return {
        "state": ((), {}),
        "themes": ((cover, fakes.rings()), {}),
        "walk": ((cover,), {"rule": "clinic15"}),
        "straight": ((cover,), {"rule": "clinic15", "show": "straight"}),
        "radius": ((cover,), {"rule": "shop300"}),
        "presence": ((cover,), {"rule": "canteen1"}),
        "unsurveyed": ((cover,), {"rule": "school1"}),
        "gaps": ((cover,), {"rule": "clinic15", "gaps": fakes.gaps()}),
        "gaps alone": ((), {"gaps": fakes.gaps()}),
        "values": ((), {"values": values, "title": "配套齐全度"}),
        "metres": ((), {"values": values * 900, "title": "到站距离", "unit": "m"}),
        "english": ((cover, fakes.rings()), {"lang": "en"}),
    }


CASES = tuple(everything(fakes.district()))


@pytest.mark.slow
@pytest.mark.one_in(3)
@pytest.mark.parametrize("case", CASES)
def test_a_page_loads_nothing_and_is_the_same_every_time(case: str) -> None:
    args, options = everything(fakes.district())[case]
    text = page(maps.draw(fakes.district(), *args, **options))
    assert not re.search(r"""(?:src|href)\s*=\s*["']?https?:""", text)
    assert not re.search(r"""@import|url\(\s*["']?(?:https?:)?//""", text)
    assert "default-src 'none'" in text.split("</head>", maxsplit=1)[0]
    assert text == page(maps.draw(fakes.district(), *args, **options))
    content = scene(text)
    assert content["layers"] and content["groups"]


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_a_picture_is_one_svg_without_script_and_the_same_every_time(case: str) -> None:
    args, options = everything(fakes.district())[case]
    text = maps.picture(fakes.district(), *args, **options)
    root = ET.fromstring(text)
    assert root.tag.endswith("svg") and root.get("viewBox") and root.get("width") is None
    tags = {e.tag.rsplit("}", 1)[-1] for e in root.iter()}
    assert not tags & {"script", "image", "foreignObject", "use"}
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "nan" not in text.lower().replace("unknown", "")
    assert text == maps.picture(fakes.district(), *args, **options)


def test_a_legend_cuts_no_name_short_that_has_room_below_the_others() -> None:
    key = ({"fill": "#000"}, "A")
    short, long = [(key, f"n{i}", "7") for i in range(8)], [(key, f"a name of its own {i}", "7") for i in range(8)]

    def drawn(entries: list[Any]) -> tuple[str, float]:
        column = _Column(_Hatches())
        write_groups(column, [("group", entries)])
        return "".join(column.parts), column.y

    two, one = drawn(short), drawn(long)
    assert ">7<" not in two[0] and one[0].count(">7<") == 8  # counts have room in one column only
    assert "…" not in one[0] and two[1] < one[1]
    many = drawn(long * 6)  # too many for one column: cut
    assert "…" in many[0]


def test_two_pictures_in_one_page_do_not_share_names() -> None:
    first, second = maps.picture(fakes.district()), maps.picture(fakes.district(), fakes.cover(), rule="canteen1")
    ids = [set(re.findall(r'\bid="([^"]+)"', text)) for text in (first, second)]
    assert all(ids) and not ids[0] & ids[1]
    for text, own in zip((first, second), ids, strict=True):
        assert set(re.findall(r"url\(#([^)]+)\)", text)) <= own
        assert not re.search(r"<style>\s*[^.]", text), "no style that reaches beyond the picture"


def test_characters_that_no_page_may_hold_are_left_out() -> None:
    d = fakes.district()
    d.name = "甲\x00\x0b\ue000乙"
    assert "甲乙" in ET.fromstring(maps.picture(d))[0].text  # type: ignore[operator]
    assert "\x0b" not in page(maps.draw(d)).split('<script id="xh-data"')[0]


def test_language_title_and_watermark() -> None:
    text = page(maps.draw(fakes.district()))
    assert '<html lang="zh-CN">' in text and "<title>示范街道 · 现状总图</title>" in text
    assert "演示数据 不作结论" in text and "内部资料 注意保管" in text and "边界为示意" in text
    assert "设施 8 处中 7 处为合成" in text  # one facility says surveyed, its layer synthetic
    english = page(maps.draw(fakes.district(), lang="en"))
    assert '<html lang="en">' in english and "Demonstration data" in english
    assert not re.search("[\u4e00-\u9fff]", english.split("<body>")[0].replace("示范街道", "").split("<title>")[1][:60])
    with pytest.raises(xh.UnknownNameError):
        maps.draw(fakes.district(), lang="fr")


def test_the_strictest_layer_marks_every_output() -> None:
    d = fakes.district()
    assert _style.badges_of(d, False, "zh") == [("", "内部资料 注意保管")]
    d.manifest = {"secrecy": "public", "layers": {"homes": {"secrecy": "秘密"}, "streets": {"secrecy": "机密"}}}
    assert _style.badges_of(d, True, "zh") == [("demo", "演示数据 不作结论"), ("", "机密 按保密规定保管")]


def test_real_data_carry_no_watermark() -> None:
    d = fakes.district()
    d.manifest = {"credit": "", "secrecy": "public", "layers": {n: {"basis": "surveyed"} for n in d.layers}}
    text = page(maps.draw(d, fakes.cover().assign(basis="surveyed"), rule="clinic15"))
    content = scene(text)
    assert content["mark"] == "" and "tag" not in content["themes"][0]["facts"][0]
    assert "内部资料 注意保管" in text and "没有示意或合成数据" in text, (
        "a map of public layers still shows coordinates and counts"
    )
    assert "不作结论" not in maps.picture(d)


def test_open_map_data_are_credited() -> None:
    d = fakes.district()
    d.manifest["layers"]["streets"] = {"basis": "osm"}
    assert "OpenStreetMap contributors" in page(maps.draw(d))


def test_the_headline_is_the_weighted_share_of_what_is_known() -> None:
    cover = fakes.cover(("clinic15",))
    content = scene(page(maps.draw(fakes.district(), cover, rule="clinic15")))
    theme = content["themes"][0]
    known = cover[cover["served"].notna() & cover["people"].notna()]
    share = (known["served"] * known["people"]).sum() / known["people"].sum()
    assert 0.3 < share < 0.99
    assert theme["facts"][0]["big"] == f"{share:.0%}"  # as the card says it
    rule = fakes.district().rule(
        "clinic15"
    )  # circles and streets by its metres, walks by its minutes: each limit stands by its share
    parts = [
        (known[f"served_{m}"] * known["people"]).sum() / known["people"].sum()
        for m in ("buffer", "network_m", "walk_min")
    ]
    limits = (f"{rule.metres:g} 米", f"{rule.metres:g} 米", f"{rule.minutes:g} 分钟")
    told = "｜".join(f"{w} {m} {s:.0%}" for w, m, s in zip(("直线", "路网", "步行"), limits, parts, strict=True))
    assert f"换算法：{told}" in theme["notes"]
    assert theme["facts"][0]["tag"] == "演示值（不作结论）"
    mode = theme["modes"][0]
    assert [s["label"] for s in mode["styles"]] == [
        "≤ 5 分钟",
        "5–10 分钟",
        "10–15 分钟",
        "15–20 分钟",
        "> 20 分钟",
        "走不到",
        "数据不足",
    ]
    assert sum(mode["counts"]) == 40
    names = dict(zip(layer(content, "homes")["n"]["v"], mode["s"], strict=True))
    assert names["示范74里"] == 5, "no way there is not 数据不足"
    assert names["示范03里"] == 6
    minutes = cover["minutes"].droplevel("rule")
    assert names["示范00里"] == np.searchsorted([5, 10, 15, 20], minutes["h00"])


def test_exactly_at_the_limit_is_inside() -> None:
    cover = fakes.cover(("clinic15",))
    cover["minutes"] = 15.0 + 1e-9
    mode = scene(page(maps.draw(fakes.district(), cover)))["themes"][0]["modes"][0]
    assert mode["counts"][2] == 40 and sum(mode["counts"][3:]) == 0


def test_near_in_a_straight_line_only() -> None:
    cover = fakes.cover(("clinic15",))
    content = scene(page(maps.draw(fakes.district(), cover, rule="clinic15", show="straight")))
    theme = content["themes"][0]
    assert theme["start"] == 1 and "直线可达、步行不可达" in theme["title"]
    only = (cover["served_buffer"] >= 0.5) & (cover["served_walk_min"] < 0.5)
    assert theme["modes"][1]["counts"][1] == int(only.sum()) > 0
    with pytest.raises(xh.UnknownNameError):
        maps.draw(fakes.district(), cover, show="sideways")


@pytest.mark.slow
def test_communities_with_and_without() -> None:
    content = scene(page(maps.draw(fakes.district(), fakes.cover(), rule="canteen1")))
    theme = content["themes"][0]
    assert theme["layer"] == "presence" and theme["facts"][0]["big"] == "1 / 2"
    assert theme["missing"] == [["乙社区", 1]], "a planned one does not count"
    assert sum(theme["modes"][0]["counts"][:2]) == 1 and theme["modes"][0]["counts"][2:] == [1, 0, 0]
    unknown = scene(page(maps.draw(fakes.district(), fakes.cover(), rule="school1")))["themes"][0]
    assert unknown["facts"][0]["big"] == "数据不足" and unknown["missing"] == []


@pytest.mark.slow
@pytest.mark.one_in(3)
@pytest.mark.parametrize("share", [0.0, 0.29, 0.49, 0.5, 0.71, 1.0])
def test_what_is_there_and_few_can_walk_to_is_not_drawn_as_full(share: float) -> None:
    """Every community that has one is drawn by whom a walk reaches: of two homes one is reached, and counts `share` of the people."""
    district = xh.District.load(TOY)
    cover = xh.coverage(district, rules=["plan_canteen_community"])
    there = xh.presence(district)["canteen"] > 0
    homes = cover["community"].map(there).fillna(False).to_numpy(dtype=bool)
    assert there.any() and homes.any()
    cover["served_walk_min"] = cover["served_walk_min"].mask(homes, share)
    theme = scene(page(maps.draw(district, cover, rule="plan_canteen_community")))["themes"][0]
    mode = theme["modes"][0]
    lived_in = set(cover["community"][homes])
    few = len(lived_in) if share < 0.5 else 0
    assert mode["counts"][:2] == [int(there.sum()) - few, few]
    assert mode["styles"][0]["fill"] != mode["styles"][1]["fill"] and "不到一半" in mode["styles"][1]["label"]
    assert theme["facts"][0]["big"] == f"{int(there.sum())} / {len(there)}"  # whether there is one is another question


def test_a_typed_community_wins_over_the_position() -> None:
    d = fakes.district()
    places = d.layers["facilities"].copy()
    places["community"] = places["kind"].map({"canteen": "c1"})
    d.layers["facilities"] = places
    theme = scene(page(maps.draw(d, fakes.cover(), rule="canteen1")))["themes"][0]
    assert theme["missing"] == [["甲社区", 0]]


@pytest.mark.slow
def test_all_rules_can_be_chosen_and_rings_choose_the_first() -> None:
    content = scene(page(maps.draw(fakes.district(), fakes.cover(("canteen1", "shop300", "clinic15")), fakes.rings())))
    assert [t["id"] for t in content["themes"]] == ["canteen1", "shop300", "clinic15"]
    assert content["current"] == 2
    # Rings that do not say: the smallest holds every clinic, and no other kind wholly.
    silent = fakes.rings().drop(columns="kind")
    silent.geometry = silent.geometry.union(silent.geometry.translate(1500, 600))
    chosen = scene(page(maps.draw(fakes.district(), fakes.cover(("canteen1", "shop300", "clinic15")), silent)))
    assert chosen["themes"][chosen["current"]]["id"] == "clinic15"
    with pytest.raises(xh.UnknownNameError):
        maps.draw(fakes.district(), fakes.cover(("shop300",)), rule="clinic15")


@pytest.mark.slow
def test_the_title_can_be_given() -> None:
    cover = fakes.cover(("clinic15", "shop300"))
    one = scene(page(maps.draw(fakes.district(), cover, rule="clinic15", title="汇报用图")))
    assert one["themes"][0]["title"] == one["head"]["title"] == "汇报用图"
    two = scene(page(maps.draw(fakes.district(), cover, title="汇报用图")))
    assert [t["title"] for t in two["themes"]] == ["汇报用图 · 卫生站 15 分钟", "汇报用图 · 便利店 300 米"]
    assert "<title>汇报用图</title>" in page(maps.draw(fakes.district(), title="汇报用图"))


def test_planned_is_hollow_and_closed_is_grey() -> None:
    content = scene(page(maps.draw(fakes.district())))
    clinics = layer(content, "k-clinic")
    assert clinics["s"] == [0, 0, 1] and clinics["styles"][1]["hollow"]
    assert layer(content, "k-shop")["s"] == [0, 2]
    assert clinics["styles"][0]["fill"] == "#CC3311" and clinics["styles"][0]["symbol"] == "卫"
    park = layer(content, "k-park")
    assert re.fullmatch("#[0-9a-f]{6}", park["styles"][0]["fill"]), "a colour that is none is not passed on"
    assert park["styles"][0]["symbol"] == "公"


def test_gaps_are_ranked_and_listed() -> None:
    gaps = layer(scene(page(maps.draw(fakes.district(), gaps=fakes.gaps()))), "gaps")
    assert [g["name"] for g in gaps["list"]] == ["东八里", "东七里"]
    assert gaps["list"][0]["people"] == "550 人" and "隔着河" in gaps["list"][0]["why"]
    assert gaps["table"][1]["v"][0] is None, "unknown minutes are unknown, not a number"
    text = maps.picture(fakes.district(), gaps=fakes.gaps())
    assert text.index("东八里") < text.index("东七里")


def test_unknown_values_are_not_zero() -> None:
    homes = fakes.district().layers["homes"]
    values = pd.Series(np.nan, index=homes.index).where(homes.index != "h00", 0.0)
    theme = scene(page(maps.draw(fakes.district(), values=values, title="齐全度")))["themes"][0]
    assert theme["modes"][0]["counts"] == [1, 0, 0, 0, 0, 39]
    people = layer(scene(page(maps.draw(fakes.district()))), "homes")["table"][0]
    assert people["k"] == "常住人口"
    at = list(homes.index).index("h33")
    assert (people["d"][people["v"][at]] if people["v"][at] is not None else None) is None


@pytest.mark.slow
@pytest.mark.one_in(4)
@pytest.mark.parametrize(
    "missing",
    [
        "district",
        "zones",
        "communities",
        "landuse",
        "water",
        "green",
        "barriers",
        "named_roads",
        "places",
        "homes",
        "facilities",
        "streets",
        "gates",
    ],
)
def test_any_layer_may_be_absent_or_empty(missing: str) -> None:
    whole = fakes.district().layers[missing]
    for frame in (
        None,
        whole.iloc[:0],
        whole.set_geometry(gpd.GeoSeries([None] * len(whole), whole.index, crs=fakes.CRS)),
    ):
        d = fakes.district(**{missing: frame})
        assert scene(page(maps.draw(d)))["layers"]
        assert maps.picture(d, fakes.cover() if missing != "communities" else None).startswith("<svg")


def test_columns_may_be_missing() -> None:
    d = fakes.district()
    for name in d.layers:
        keep = [c for c in ("kind", "geometry") if c in d.layers[name].columns]
        d.layers[name] = d.layers[name][keep]
    d.profiles = pd.DataFrame()
    cover = fakes.cover(("clinic15",))[["served"]]
    content = scene(page(maps.draw(d, cover)))
    assert content["themes"][0]["facts"][0]["big"] == "数据不足"
    assert maps.picture(d, cover).startswith("<svg")


def test_nothing_to_draw_says_so() -> None:
    d = fakes.district()
    d.layers = {}
    with pytest.raises(ValueError, match="没有可画的图层"):
        maps.draw(d)


def test_points_may_be_homes_and_zones_may_have_holes() -> None:
    homes = fakes.district().layers["homes"]
    hollow = gpd.GeoDataFrame(
        {"name": ["环"]},
        index=pd.Index(["z"], name="zone"),
        crs=fakes.CRS,
        geometry=[shapely.Point(fakes.X, fakes.Y).buffer(900).difference(shapely.Point(fakes.X, fakes.Y).buffer(300))],
    )
    content = scene(
        page(maps.draw(fakes.district(homes=homes.set_geometry(homes.centroid), zones=hollow), fakes.cover()))
    )
    assert len(layer(content, "homes")["g"]) == 40 and len(layer(content, "zones")["g"][0]) == 2


def test_coordinates_come_back() -> None:
    d = fakes.district()
    content = scene(page(maps.draw(d)))
    flat = layer(content, "homes")["g"][0][0]
    ring = (np.asarray(flat).reshape(-1, 2).cumsum(axis=0) + content["origin"]) / 1e6
    truth = d.layers["homes"].geometry.iloc[[0]].to_crs(4326).iloc[0]
    drawn = shapely.Polygon(ring)
    assert drawn.symmetric_difference(truth).area < 0.001 * truth.area
    assert shapely.hausdorff_distance(drawn, truth) < 2e-6


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize("payload", PAYLOADS)
def test_data_never_become_markup(payload: str) -> None:
    d = poisoned(payload)
    cover = fakes.cover(("clinic15", "canteen1")).assign(facility=payload, kind=payload)
    gaps = fakes.gaps().assign(name=payload, reason=payload, community=payload)
    m = maps.draw(d, cover, fakes.rings(), gaps=gaps, title=payload)
    text = page(m)
    body = text.split("<body>")[1].split('<script id="xh-data"')[0]
    assert "<img" not in body and "${" not in body and "`" not in body
    assert "window.pwned=2</script>" not in text
    assert text.count("<script") == text.count("</script>")
    content = scene(text)
    assert payload in content["head"]["title"] and payload in layer(content, "gaps")["list"][0]["name"]
    later = poisoned(payload)
    later.layers["facilities"] = later.layers["facilities"].drop(index="f1")
    later.layers["homes"] = later.layers["homes"].drop(index="h74")
    two = tuple(c.assign(facility=payload, kind=payload) for c in two_covers())
    others = [
        maps.walkers(d, "clinic15", covers=two),
        maps.difference(maps.Comparison(d, later, two), "clinic15"),
        maps.swipe(maps.Comparison(d, later, two), "clinic15", sides=(payload, payload)),
    ]
    for other in others:
        text = page(other)
        body = text.split("<body>")[1].split('<script id="xh-data"')[0]
        assert "<img" not in body and "${" not in body and "`" not in body
        assert text.count("<script") == text.count("</script>")
        ET.fromstring(other.picture())
    root = ET.fromstring(maps.picture(d, cover, fakes.rings(), gaps=gaps, title=payload))
    assert any(payload in (e.text or "") for e in root.iter() if e.tag.endswith("title"))


@pytest.mark.slow
def test_saving_swaps_in_and_a_notebook_shows_the_same(tmp_path: Path) -> None:
    target = tmp_path / "新 图" / "map.html"
    m = maps.draw(fakes.district(), fakes.cover(), fakes.rings())
    m.save(target)
    assert target.read_text("utf-8") == page(m) == page(m), "rendering twice changes nothing"
    assert [p.name for p in target.parent.iterdir()] == ["map.html"]
    buffer = io.BytesIO()
    m.save(buffer, close_file=False)
    assert buffer.getvalue() == target.read_bytes()
    cell = m._repr_html_()
    inner = re.search(r"atob\(&quot;([^&]*)&quot;\)", cell)
    assert inner is not None and gzip.decompress(base64.b64decode(inner.group(1))).decode() == page(m)
    assert "Make this Notebook Trusted" not in cell
    target.parent.joinpath("taken.html").mkdir()
    with pytest.raises(xh.XinheError, match="taken"):
        m.save(target.parent / "taken.html")
    assert not list(target.parent.glob(".*.part"))


@pytest.mark.slow
def test_other_folium_elements_may_be_added_if_they_load_nothing() -> None:
    def with_marker() -> maps.HouseMap:
        m = maps.draw(fakes.district())
        folium.Marker([38.8, 115.9], popup="甲", icon=folium.DivIcon(html="<b>甲</b>")).add_to(m)
        folium.GeoJson(
            fakes.district().layers["zones"].to_crs(4326)[["name", "geometry"]], tooltip=folium.GeoJsonTooltip(["name"])
        ).add_to(m)
        return m

    assert page(with_marker()) == page(with_marker()), "folium's random ids do not reach the file"
    m = maps.draw(fakes.district())
    folium.TileLayer("https://tile.example.org/{z}/{x}/{y}.png", attr="x").add_to(m)
    with pytest.raises(html_map.MissingAsset, match="example"):
        page(m)
    m = maps.draw(fakes.district())
    m.get_root().header.add_child(JavascriptLink("https://cdn.example.org/x.js"), name="x")
    with pytest.raises(html_map.MissingAsset, match="断网"):
        page(m)


def test_everything_a_folium_map_asks_for_is_inlined_or_dropped() -> None:
    m = maps.draw(fakes.district())
    header = m.get_root().header
    for name, url in [*folium.folium._default_js, *folium.folium._default_css]:
        header.add_child((CssLink if url.endswith(".css") else JavascriptLink)(url), name=name)
    text = page(m)
    assert text.count("Leaflet 1.9") == 1 and "bootstrap" not in text.lower().split("<body>")[0]


@pytest.mark.slow
def test_a_large_file_is_packed_and_a_huge_one_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = page(maps.draw(fakes.district()))
    monkeypatch.setattr(scene_json, "PACK_BYTES", 1000)
    packed = page(maps.draw(fakes.district()))
    assert scene(packed) == scene(plain) and len(packed) < len(plain)
    monkeypatch.setattr(html_map, "LARGE_BYTES", 1000)
    with pytest.warns(UserWarning, match="MB"):
        maps.draw(fakes.district()).save(tmp_path / "m.html")


@pytest.mark.slow
def test_ten_thousand_features_stay_small() -> None:
    base = len(page(maps.draw(fakes.district())))
    side = np.arange(100) * 24.0
    x, y = (v.ravel() + o for v, o in zip(np.meshgrid(side, side * 0.6), (fakes.X, fakes.Y), strict=True))
    shapes = shapely.box(x, y, x + 17.3, y + 9.1)
    many = gpd.GeoDataFrame(
        {"name": [f"楼{i}" for i in range(10_000)], "people": np.arange(10_000) % 300 + 1.0},
        geometry=shapes,
        crs=fakes.CRS,
        index=pd.Index([f"b{i}" for i in range(10_000)], name="home"),
    )
    size = len(page(maps.draw(fakes.district(homes=many))).encode())
    assert size - base < 700_000


def test_colours_of_the_classes_differ_in_lightness() -> None:
    """In order: the farther the darker, to what is beyond the limit, and both sides of it differ without any hue."""
    look = _style.house_style()["cover"]

    def light(colour: str) -> float:
        r, g, b = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
        return 0.2126 * r**2.2 + 0.7152 * g**2.2 + 0.0722 * b**2.2

    inside, over = ([light(c) for c in look[side]] for side in ("inside", "over"))
    shades = [0.05 + shade for shade in (*inside, *over)]
    assert all(lighter / darker > 1.4 for lighter, darker in pairwise(shades))


def test_the_words_exist_in_both_languages() -> None:
    assert set(_style.wording("zh")) == set(_style.wording("en"))
    files = sorted(Path(maps.__file__).parent.glob("*.py"))
    used = {key for file in files for key in re.findall(r'\bt\["(\w+)"\]', file.read_text("utf-8"))}
    assert len(used) > 50
    for key in used:
        assert key in _style.wording("zh"), key
    script = web_file("maps/map.js")
    used = set(re.findall(r"\b(?:scene\.t|t)\.([a-z]\w+)", script))
    assert used == set(scene_json.SCRIPT_WORDS)


def test_our_own_files_name_no_address() -> None:
    for name in ("map.js", "map.css", "style.json", "texts.json"):
        assert "http" not in web_file(f"maps/{name}").replace("http://www.w3.org/2000/svg", "")


@pytest.fixture(scope="module")
def bundled() -> tuple[xh.District, pd.DataFrame]:
    d = xh.District.load()
    return d, xh.coverage(d)


@pytest.mark.slow
@pytest.mark.matrix
def test_the_bundled_district_fits(bundled: tuple[xh.District, pd.DataFrame]) -> None:
    d, cover = bundled
    assert len(page(maps.draw(d)).encode()) < 1_200_000
    assert len(page(maps.draw(d, cover)).encode()) < 1_200_000
    assert len(maps.picture(d).encode()) < 400_000
    assert len(maps.picture(d, cover).encode()) < 400_000


@pytest.mark.slow
def test_the_map_says_the_same_numbers_as_the_tables(bundled: tuple[xh.District, pd.DataFrame]) -> None:
    d, cover = bundled
    content = scene(page(maps.draw(d, cover)))
    table = xh.summary(cover)
    matrix = xh.presence(d) if hasattr(xh, "presence") else None
    compared = 0
    for theme in content["themes"]:
        rule = d.rule(theme["id"])
        big = theme["facts"][0]["big"]
        if theme["layer"] == "presence":
            if matrix is not None and big != "数据不足":
                has = matrix.reindex(columns=list(rule.kinds), fill_value=0).sum(axis=1) > 0
                assert big == f"{int(has.sum())} / {len(has)}"
        elif rule.denominator in ("people", "people_60plus", "area_m2") and big != "数据不足":
            share = float(table.loc[rule.name, f"{rule.denominator}_share"])
            assert big == per_cent(share, 0), rule.name
            compared += 1
    assert compared > 10


# --- two walkers, before and after ------------------------------------------------------------------------------------


def test_the_walkers_map_counts_people_60plus_whom_only_the_first_walker_serves() -> None:
    d = fakes.district()
    content = scene(page(maps.walkers(d, "clinic", covers=two_covers())))
    theme = content["themes"][0]
    mode = theme["modes"][0]
    homes = list(d.layers["homes"].index)
    assert [homes[i] for i, s in enumerate(mode["s"]) if s == 1] == ["h00", "h01"]
    old = d.layers["homes"]["people_60plus"]
    expected = old["h00"] + 0.5 * old["h01"]
    assert theme["facts"][0]["big"] == f"{expected:,.0f} 人" and "60岁及以上" in theme["facts"][0]["text"]
    assert f"60岁及以上 {expected:,.0f} 人" in mode["texts"][1]
    assert theme["facts"][0]["tag"] == "演示值（不作结论）"
    with pytest.raises(UnknownNameError, match="步行时间"):
        maps.walkers(d, "canteen1", covers=two_covers())


@pytest.mark.slow
def test_the_difference_map_adds_up_and_lists_what_changes() -> None:
    before, after = fakes.district(), fakes.district()
    facilities = after.layers["facilities"]
    new = facilities.loc[["f0"]].set_index(pd.Index(["n1"], name="facility")).assign(name="新站<b>")
    moved = facilities.drop(index="f1").copy()
    moved.loc["f0", "geometry"] = shapely.Point(fakes.X + 700, fakes.Y + 700)
    after.layers["facilities"] = pd.concat([moved, new])
    after.layers["homes"] = after.layers["homes"].drop(index="h74")
    m = maps.difference(maps.Comparison(before, after, two_covers()), "clinic")
    content = scene(page(m))
    theme = content["themes"][0]
    homes = list(after.layers["homes"].index)
    effect = [[homes[i] for i, s in enumerate(theme["modes"][0]["s"]) if s == k] for k in (0, 1)]
    assert effect == [["h70"], ["h00", "h01"]]
    people = before.layers["homes"]["people"]
    assert theme["facts"][0]["big"] == f"{people['h70']:,.0f} 人"
    assert theme["facts"][1]["big"] == f"{people['h00'] + people['h01'] / 2:,.0f} 人"
    assert any("拆除 1 个小区" in note for note in theme["notes"])
    assert {x["name"]: x["people"] for x in layer(content, "changed")["list"]} == {
        "新站<b>": "新开",
        facilities["name"]["f0"]: "迁址",
        facilities["name"]["f1"]: "撤除",
    }
    assert len(layer(content, "gone")["g"]) == 1
    assert ET.fromstring(m.picture()) is not None
    assert page(m) == page(maps.difference(maps.Comparison(before, after, two_covers()), "clinic"))


def test_the_difference_of_communities_counts_those_that_get_one() -> None:
    before, after = fakes.district(), fakes.district()
    after.layers["facilities"] = after.layers["facilities"].assign(state="open")
    theme = scene(page(maps.difference(maps.Comparison(before, after), "canteen1")))["themes"][0]
    assert theme["facts"][0]["big"] == "+1" and theme["modes"][0]["counts"] == [1, 0, 1, 0]


@pytest.mark.slow
def test_the_swipe_map_carries_what_is_the_same_once() -> None:
    before, after = fakes.district(), fakes.district()
    after.layers["facilities"] = after.layers["facilities"].drop(index="f1")
    text = page(maps.swipe(maps.Comparison(before, after, two_covers()), "clinic15"))
    content = scene(text)
    other = [x for x in content["past"]["layers"] if not isinstance(x, str)]
    assert [x["id"] for x in other] == ["k-clinic"] and content["past"]["labels"] is not None
    assert content["sides"] == ["现状", "方案"]
    assert content["past"]["themes"][0]["facts"] != content["themes"][0]["facts"]
    assert scene(page(maps.swipe(maps.Comparison(before, before))))["past"]["labels"] is None


# --- online tiles -----------------------------------------------------------------------------------------------------


def test_online_tiles_only_when_asked_and_only_from_their_host() -> None:
    plain = page(maps.draw(fakes.district()))
    assert "tianditu" not in plain
    text = page(maps.draw(fakes.district(), tiles="tianditu", key="0123456789abcdef"))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    said = re.sub(r"(script|style)-src [^;]*", r"\1-src 'unsafe-inline'", policy.group(1))
    assert said == html_map.POLICY.replace("img-src ", "img-src https://t0.tianditu.gov.cn ")
    addresses = scene(text)["tiles"]["addresses"]
    assert all(a.startswith("https://t0.tianditu.gov.cn/") and a.endswith("tk=0123456789abcdef") for a in addresses)
    assert "天地图" in text.split('<script id="xh-data"')[0]


@pytest.mark.parametrize(
    ("tiles", "key", "words"),
    [
        ("amap", "0123456789abcdef", "GCJ-02"),
        ("https://webrd01.is.autonavi.com/{x}", "0123456789abcdef", "GCJ-02"),
        ("baidu", "0123456789abcdef", "BD-09"),
        ("https://tiles.example/{z}/{x}/{y}.png", "", "无从核对"),
        ("tianditu", "", "密钥"),
        ("tianditu", 'abc"><script>', "密钥"),
        ("bing", "0123456789abcdef", "在线底图"),
    ],
)
def test_tiles_of_another_datum_are_refused(tiles: str, key: str, words: str) -> None:
    with pytest.raises(XinheError, match=words):
        maps.draw(fakes.district(), tiles=tiles, key=key)


# --- maps by name -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def toy() -> xh.District:
    return xh.District.load(Path(__file__).parents[1] / "toy")


@pytest.mark.slow
@pytest.mark.matrix
def test_the_map_of_all_gaps_counts_the_promises_each_home_misses(toy: xh.District) -> None:
    theme = scene(page(maps.of_district(toy, "gaps")))["themes"][0]
    cover = xh.coverage(toy)
    read = [rule for rule in toy.rules.index if toy.rule(rule).confidence == "read"]
    missed = cover[cover.index.get_level_values("rule").isin(read) & (cover["served"] < 1 - 1e-9)]
    counts = missed.groupby(level="home").size().reindex(toy.homes.index, fill_value=0)
    assert theme["facts"][0]["big"] == f"{(counts > 0).sum()} 个小区"
    shown = theme["table"][0]["v"]
    words = theme["table"][0].get("d")
    assert [words[i] if words else i for i in shown] == [f"{n} 项" for n in counts]


@pytest.mark.slow
def test_the_map_of_parcels_says_who_lives_on_them(toy: xh.District) -> None:
    home = toy.homes.iloc[[0]]
    parcels = gpd.GeoDataFrame(
        {"name": ["甲地", "乙地"], "use": ["棚改", "城市更新"]},
        geometry=[home.geometry.iloc[0].buffer(5), shapely.box(-900, -900, -800, -800)],
        index=pd.Index(["a", "b"], name="parcel"),
        crs=toy.crs,
    )
    listed = layer(
        scene(page(maps.of_district(toy.with_rows({**toy.rows, "parcels": parcels}), "parcels"))), "parcels"
    )["list"]
    assert [entry["name"] for entry in listed] == ["甲地", "乙地"]
    assert listed[0]["why"].startswith(f"棚改；地块上有 1 个小区 {home['people'].iloc[0]:,.0f} 人")
    assert listed[1] == {"name": "乙地", "people": "1.0 公顷", "why": "城市更新；地块上没有小区"}


def test_whole_numbers_fall_into_whole_classes() -> None:
    d = fakes.district()
    homes = d.layers["homes"].index
    for top, expected in ((3, ["0 项", "1 项", "2 项", "3 项"]), (9, ["0 项", "1–3 项", "4–6 项", "7–9 项"])):
        values = pd.Series(np.arange(len(homes)) % (top + 1), index=homes, dtype="float64", name="缺")
        theme = scene(page(maps.draw(d, values=values, unit="项")))["themes"][0]
        labels = [style["label"] for style in theme["modes"][0]["styles"] if not style.get("skip")]
        assert labels == expected
        assert sum(theme["modes"][0]["counts"]) == len(homes)


@given(st.floats(-1e6, 1e6), st.floats(0.001, 1e6))
def test_other_numbers_fall_into_round_classes(low: float, span: float) -> None:
    """At most five, as wide as each other, none at an end without a value; a planner reads 5–7.5 minutes, not 5.509–7.465."""
    edges = _round_edges(low, low + span)
    assert 1 <= len(edges) - 1 <= 5
    step = edges[1] - edges[0]
    slack = 1e-3 * step
    assert edges[0] - slack <= low < edges[1] + slack and edges[-2] - slack <= low + span <= edges[-1] + slack
    np.testing.assert_allclose(np.diff(edges), step, rtol=1e-3)
    assert float(f"{step:.2g}") == pytest.approx(step, rel=1e-3)


def test_a_symbol_that_must_be_seen_stands_beside_another() -> None:
    room = Room((0.0, 0.0, 200.0, 200.0), 1.0, "EPSG:4548", (500_000.0, 4_300_000.0, 500_200.0, 4_300_200.0))
    room.take((90.0, 90.0, 110.0, 110.0))
    assert room.beside(50.0, 50.0, 9.0) == (50.0, 50.0)
    x, y = room.beside(100.0, 105.0, 9.0)
    assert max(abs(x - 100), abs(y - 100)) >= 19 and abs(x - 100) + abs(y - 105) < 20
    room.take((0.0, 0.0, 200.0, 200.0))
    assert room.beside(100.0, 100.0, 9.0) == (100.0, 100.0), "over others where there is no room"


@pytest.mark.slow
def test_what_a_notebook_keeps_of_a_map_needs_no_trust() -> None:
    """Without frames, styles and scripts, as JupyterLab shows what is not trusted: a picture, and how to trust the file."""
    cell = maps.draw(fakes.district())._repr_html_()
    bare = re.sub(r"<style.*?</style>|<iframe.*?</iframe>", "", cell, flags=re.DOTALL)
    assert re.search(r'<img alt="[^"]+"[^>]* src="data:image/(png|svg\+xml);base64,', bare) and "信任笔记本" in bare
    assert "<style>.xh-still{display:none}</style>" in cell, "where it is trusted the page alone is seen"


@pytest.mark.slow
def test_a_plugin_brings_its_files(tmp_path: Path) -> None:
    class Plugin(folium.Marker):
        def render(self, **kwargs: object) -> None:
            super().render(**kwargs)
            self.get_root().header.add_child(JavascriptLink("https://x.example/heat.min.js"), name="heat")

    def with_plugin() -> maps.HouseMap:
        m = maps.draw(fakes.district())
        Plugin([38.838, 115.86]).add_to(m)
        return m

    with pytest.raises(html_map.MissingAsset, match="carry"):
        page(with_plugin())
    script = tmp_path / "heat.min.js"
    script.write_text('var heat = "</script>";\n//# sourceMappingURL=heat.map\n', "utf-8")
    drawn = page(with_plugin().carry(script))
    assert 'var heat = "<\\/script>";' in drawn and "x.example" not in drawn and "sourceMappingURL" not in drawn
    with pytest.raises(xh.EnvironmentProblem, match=r"nowhere\.js"):
        with_plugin().carry(tmp_path / "nowhere.js")
    with pytest.raises(xh.UnknownNameError, match=r"\.css"):
        with_plugin().carry(tmp_path / "a.png")


@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(["near", "far"])), max_size=12), st.permutations("abcd")
)
def test_rows_of_a_rule_stand_as_the_homes_do(keys: list[tuple[str, str]], homes: list[str]) -> None:
    """Of a home that a table has twice the first counts; one that it has not is missing; a rule that it has not is missing of all."""
    index = pd.MultiIndex.from_tuples(keys or [("a", "far")], names=["home", "rule"])
    cover = pd.DataFrame({"served": np.arange(len(index), dtype=float)}, index=index)
    first = {home: n for home, rule, n in reversed([(*key, n) for n, key in enumerate(index)]) if rule == "near"}
    shapes = gpd.GeoDataFrame(geometry=gpd.GeoSeries([None] * 4, index=pd.Index(homes, name="home")))
    found = rows_of(cover, "near", shapes)["served"]
    assert list(found.index) == homes and found.dropna().to_dict() == first


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_map_is_the_same_whatever_was_drawn_before_it(lang: str) -> None:
    """Maps of one district share what lies under them: how many processes draw them must not show."""
    district = xh.District.load()
    names = ["overview", "completeness", "gaps", "parcels", "plan_clinic_15", "plan_canteen_community"]

    def drawn(order: list[str]) -> dict[str, str]:
        here = replace(district)  # knows nothing of what was drawn of another
        return {name: page(maps.HouseMap(presets.scene_for(here, name, lang=lang))) for name in order}

    forth, back = drawn(names), drawn(names[::-1])
    assert not [name for name in names if forth[name] != back[name]]
    assert len(set(forth.values())) == len(names)


@pytest.mark.parametrize("sign", "\u061c\u200f\u202e\u2067")
def test_nor_does_one_in_data_that_a_page_unpacks(sign: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names with signs that turn what follows: `by_hash` sees the page, and neither what is packed in it nor what a widget is sent."""
    own = xh.District.load(TOY)
    rows = own.rows["facilities"].copy()
    rows["name"] = f"甲{sign}" + rows["name"].astype(object)
    district = own.with_rows({"facilities": rows})
    monkeypatch.setattr(scene_json, "PACK_BYTES", 1000)
    content = json.dumps(scene(page(maps.HouseMap(presets.scene_for(district, "overview")))), ensure_ascii=False)
    packed = re.findall(r"[A-Za-z0-9+/]{400,}={0,2}", meeting(district))
    unpacked = [gzip.decompress(base64.b64decode(text)) for text in packed if text.startswith("H4sI")]
    live = _drawing(LiveModel(district))
    assert "甲" in content and sign not in content
    assert any("甲".encode() in data for data in unpacked)
    assert not [data for data in unpacked if sign.encode() in data] and sign not in live


def test_codes_are_told_by_their_names() -> None:
    """A code that no row of the layer has, and one whose row has no name, stand for themselves; a home in none says nothing."""
    rows = pd.DataFrame({"name": ["甲社区", None]}, index=["T01", "T02"], dtype="str")
    district = cast("xh.District", SimpleNamespace(layers={"communities": rows}, memo={}))
    codes = pd.Series(["T01", "T02", "T99", None], dtype="str")
    assert names_of(district, "communities", codes) == ["甲社区", "T02", "T99", None]
