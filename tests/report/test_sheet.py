"""Sheets: every glyph there, nothing left behind in matplotlib, the same bytes again, names that do not overlap."""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
from pathlib import Path

import geopandas as gpd
import matplotlib
import numpy as np
import pandas as pd
import pypdf
import pytest
import shapely
from ink import texts_of

import xinhe_geo as xh
from xinhe_geo.maps.leading_rules import promised_rules
from xinhe_geo.maps.presets import scene_for, themes
from xinhe_geo.maps.style import shown_count
from xinhe_geo.report.analysis import analyse
from xinhe_geo.report.paper import carto as _carto
from xinhe_geo.report.paper import page as _paper
from xinhe_geo.report.paper.sheet import _for_public
from xinhe_geo.report.story import places as _overview

_atlas = importlib.import_module("xinhe_geo.report.paper.atlas")

TOY = Path(__file__).parents[1] / "toy"


@pytest.fixture(scope="module")
def toy() -> xh.District:
    return xh.District.load(TOY)


def text_of(path: Path) -> str:
    return re.sub(r"\s", "", "".join(texts_of(path)))


# --- paper --------------------------------------------------------------------------------------------------------------


def test_a_text_breaks_where_it_must_and_not_before() -> None:
    lines = _paper.wrap("一二三四五（六七）八，九", 10, 60)
    assert lines == ["一二三四五", "（六七）八，", "九"]
    assert all(_paper.span(line, 10) <= 61 for line in _paper.wrap("averyveryverylongword " * 3, 10, 60))
    assert _paper.cut("一二三四五六", 10, 40) == "一二三…"


@pytest.mark.slow
def test_what_the_typeface_lacks_becomes_a_box_without_a_warning(tmp_path: Path) -> None:
    assert _paper.legible("新\n河\u200b𠮷🏥") == "新 河 □□"
    page = _paper.Paper(60, 40, 300)
    page.words(10, 20, "50$ 到 60$ 🏥", _paper.Lettering(12, bold=True, halo="#ffffff"))
    (tmp_path / "a.pdf").write_bytes(_paper.pdf_bytes([page], "x"))
    assert text_of(tmp_path / "a.pdf") == "50$到60$□"


def test_hatching_stays_inside_and_lies_on_one_grid() -> None:
    shapes = np.array([shapely.box(3, 5, 40, 50), shapely.box(60, 20, 90, 44)], dtype=object)
    lines = _paper._hatching(shapes)
    assert all(shapely.union_all(shapes).buffer(1e-6).covers(line) for line in lines)
    offsets = {round(float(x + y), 6) % 6.5 for line in lines for x, y in line.coords[:1]}
    assert len({round(o, 3) % 6.5 for o in offsets}) == 1


# --- the map ------------------------------------------------------------------------------------------------------------


def test_the_scale_is_round_and_the_bar_as_long_as_it_says() -> None:
    page = _paper.Paper(420, 297, 1600)
    ground = _carto.Ground(page, _paper.Frame(20, 90, 1000, 900), "EPSG:4548", (550_000, 4_320_000, 555_000, 4_324_000))
    # 5 km and 3 % on either side on 1000 of 1600 units of 420 mm: 5300 m on 262.5 mm, 1:20,190; the next round one
    assert ground.denominator == 25_000
    (x0, _), (x1, _) = ground.on_page(np.array([[551_000.0, 4_321_000.0], [552_000.0, 4_321_000.0]]))
    assert (x1 - x0) * page.metre == pytest.approx(1000 / 25_000)


def test_room_is_given_once() -> None:
    page = _paper.Paper(420, 297, 1600)
    ground = _carto.Ground(page, _paper.Frame(0, 0, 1000, 900), "EPSG:4548", (0, 4_320_000, 5_000, 4_324_000))
    assert ground.free([(100, 100, 140, 120)])
    ground.take((100, 100, 140, 120))
    assert not ground.free([(139, 110, 160, 130)])
    assert ground.free([(141, 110, 160, 130)])
    assert not ground.free([(-5, 10, 20, 30)])


# --- sheets -------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_sheet_says_what_it_shows_and_how(toy: xh.District, tmp_path: Path) -> None:
    (path,) = xh.sheet(toy, "plan_clinic_15", tmp_path / "clinic.pdf", size="A4", number="T-1")
    said = text_of(path)
    for words in (
        "玩具街道",
        "图名",
        "制图单位",
        "数据年份2022",
        "坐标系",
        "EPSG:4548",
        "比例尺",
        "1:",
        "方法",
        "步行时间",
        "分母",
        "常住人口",
        "图号",
        "T-1",
        "北",
        "来源",
        "依据",
    ):
        assert words in said, words
    page = pypdf.PdfReader(path).pages[0]
    assert texts_of(path)[0] == page.extract_text(), "what tests read without the drawing is what stands in the whole"
    assert [round(float(v)) for v in page.mediabox[2:]] == [842, 595]
    fonts = [f.get_object() for f in page["/Resources"]["/Font"].values()]
    assert {str(f["/BaseFont"]).split("+")[-1] for f in fonts if "/BaseFont" in f} == {"NotoSansSC-Regular"}
    assert len(path.read_bytes()) < 400_000


@pytest.mark.slow
@pytest.mark.matrix
def test_same_inputs_same_bytes_and_matplotlib_as_before(toy: xh.District, tmp_path: Path) -> None:
    before = dict(matplotlib.rcParams)
    first = [p.read_bytes() for p in xh.sheet(toy, "plan_canteen_community", tmp_path / "a", size="A4")]
    again = [
        p.read_bytes() for p in xh.sheet(xh.District.load(TOY), "plan_canteen_community", tmp_path / "b", size="A4")
    ]
    assert first == again
    assert first[0].startswith(b"%PDF") and first[1].startswith(b"\x89PNG")
    assert b"CreationDate" not in first[0]
    assert dict(matplotlib.rcParams) == before


@pytest.mark.slow
@pytest.mark.one_in(3)
@pytest.mark.parametrize("what", ["overview", "completeness", "gaps"])
def test_fixed_themes(toy: xh.District, tmp_path: Path, what: str) -> None:
    (path,) = xh.sheet(toy, what, tmp_path / f"{what}.pdf", size="A4")
    assert themes(toy)[what] in text_of(path)


@pytest.mark.slow
def test_wrong_words_are_named(toy: xh.District, tmp_path: Path) -> None:
    with pytest.raises(xh.UnknownNameError, match="overview"):
        xh.sheet(toy, "overvieuw", tmp_path / "a.pdf")
    with pytest.raises(xh.UnknownNameError, match="A3"):
        xh.sheet(toy, "overview", tmp_path / "a.pdf", size="A5")
    with pytest.raises(xh.UnknownNameError, match=r"\.pdf"):
        xh.sheet(toy, "overview", tmp_path / "a.tif")
    assert not list(tmp_path.iterdir())


# --- for the public -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_public_sheets_show_no_borders_and_no_small_numbers(toy: xh.District, tmp_path: Path) -> None:
    scene = _for_public(toy, scene_for(toy, "plan_canteen_community"))
    assert not {layer.id for layer in scene.layers} & set(_carto.BORDERS)
    assert scene.themes[0].layer == "homes"
    (path,) = xh.sheet(
        toy, "plan_canteen_community", tmp_path / "p.pdf", size="A4", public=True, approval="津S(2026)001"
    )
    said = text_of(path)
    assert "审图号" in said and "津S(2026)001" in said
    assert "街道界" not in said and "社区界" not in said and "内部资料" not in said


@pytest.mark.slow
@pytest.mark.slow
def test_a_count_says_of_what_and_of_how_many(toy: xh.District) -> None:
    """Of the five homes of the toy nobody knows who lives in one; of its two communities one has a canteen."""
    assert "常住人口 360 人（另有 1 个小区人口未知）" in scene_for(toy, "overview").lines
    (fact,) = scene_for(toy, "gaps").themes[0].facts
    assert fact["big"].endswith(" 个小区") and fact["text"].endswith("（共 5 个小区）")
    (theme,) = (t for t in scene_for(toy, "plan_canteen_community").themes if t.id == "plan_canteen_community")
    assert set(theme.modes[0].texts) <= {f"社区 {n} 个" for n in range(3)}


@pytest.mark.slow
def test_small_counts_are_gone_before_anything_is_drawn(toy: xh.District) -> None:
    assert [shown_count(n, "人", "zh", 10) for n in (0, 1, 9.4, 10, 14.9, 15, 1204)] == [
        "0 人",
        "少于10 人",
        "少于10 人",
        "10 人",
        "10 人",
        "20 人",
        "1,200 人",
    ]
    assert shown_count(None, "人", "zh", 10) is None and shown_count(7, "people", "en") == "7 people"
    homes = toy.rows["homes"].copy()
    homes["people"] = [7, *homes["people"].iloc[1:]]
    small = toy.with_rows({**toy.rows, "homes": homes})
    for what in ("overview", "completeness", "gaps", "plan_clinic_15"):
        inside, outside = (scene_for(small, what, fewer_than=n) for n in (0, 10))
        for scene, hidden in ((inside, False), (outside, True)):
            words = [
                *scene.lines,
                *(w for theme in scene.themes for w in (*theme.notes, *(f["text"] for f in theme.facts))),
            ]
            words += [text for theme in scene.themes for mode in theme.modes for text in mode.texts]
            words += [g["people"] for layer in scene.layers for g in layer.extra.get("list", ())]
            counts = [
                n.replace(",", "")
                for w in words
                for n in re.findall(r"([\d,]+) ?(?:人|个小区)|小区 ([\d,]+)", w)
                for n in n
                if n
            ]
            assert counts or what == "gaps"
            if hidden:
                assert all(int(n) % 10 == 0 for n in counts), (what, words)
            else:
                assert any(int(n) % 10 for n in counts), (what, words)


@pytest.mark.slow
def test_an_overview_says_who_lives_where_and_what_there_is(toy: xh.District, tmp_path: Path) -> None:
    figures = _overview.zone_figures(toy)
    whole = figures.iloc[-1]
    assert list(figures["name"])[-1] == "玩具街道" and len(figures) == len(toy.zones) + 1
    for column in ("homes", "people", "people_60plus", "facilities", "communities"):
        assert figures[column].iloc[:-1].sum() == whole[column], column
    assert whole["people"] == toy.homes["people"].sum() and whole["area_km2"] == pytest.approx(
        toy.layers["district"].area.sum() / 1e6
    )
    kinds = _overview.kind_figures(toy)
    assert set(toy.surveyed_kinds) <= set(kinds.index)
    for kind, row in kinds.iterrows():
        assert row["open"] == (toy.open_facilities["kind"] == kind).sum()
        assert row["communities"] == (xh.presence(toy)[kind] > 0).sum()
    (path,) = xh.sheet(toy, "overview", tmp_path / "o.pdf")
    said = text_of(path)
    for word in ("分区概况", "数据来源", f"{whole['people']:,.0f}", *toy.zones["name"]):
        assert word in said, word


@pytest.mark.slow
@pytest.mark.matrix
def test_gaps_without_room_go_on_overleaf(toy: xh.District, tmp_path: Path) -> None:
    homes = toy.rows["homes"]
    many = pd.concat(
        [homes.set_axis([f"{i}-{n}" for i in homes.index]).rename_axis(homes.index.name) for n in range(12)]
    )
    crowded = toy.with_rows({**toy.rows, "homes": gpd.GeoDataFrame(many, crs=homes.crs)})
    scene = scene_for(crowded, "plan_clinic_15")
    listed = next(layer.extra["list"] for layer in scene.layers if layer.id == "gaps")
    (path,) = xh.sheet(crowded, "plan_clinic_15", tmp_path / "c.pdf", size="A4")
    pages = [re.sub(r"\s", "", page) for page in texts_of(path)]
    assert len(pages) > 1 and "见下页" in pages[0]
    assert f"{len(listed)}{listed[-1]['name']}" in pages[-1]
    left = int(re.search(r"另有(\d+)处", pages[0])[1])
    assert f"{len(listed) - left + 1}{listed[len(listed) - left]['name']}" in pages[1]


@pytest.mark.slow
def test_a_sheet_speaks_english_but_for_names(toy: xh.District, tmp_path: Path) -> None:
    named = {toy.name, toy.manifest["credit"]}
    for frame in toy.layers.values():
        named |= set(frame["name"].dropna()) if "name" in frame else set()
    for what in ("overview", "completeness", "gaps", "plan_clinic_15", "plan_canteen_community"):
        for path in xh.sheet(toy, what, tmp_path / f"{what}.pdf", lang="en"):
            said = text_of(path)
            assert "Madeby" in said and "Scale" in said and "Internal" in said
            for name in sorted(map(str, named), key=len, reverse=True):
                said = said.replace(re.sub(r"\s", "", name), "")
            assert not re.findall("[\u4e00-\u9fff]", said), (what, said)
    with pytest.raises(xh.UnknownNameError):
        xh.sheet(toy, "overview", tmp_path / "x.pdf", lang="fr")


@pytest.mark.slow
def test_public_sheets_of_schematic_boundaries_are_refused(tmp_path: Path) -> None:
    with pytest.raises(xh.DataError, match="公开"):
        xh.sheet(xh.District.load(), "overview", tmp_path / "p.pdf", public=True)
    assert not list(tmp_path.iterdir())


def test_public_sheets_colour_homes_by_their_community(toy: xh.District) -> None:
    inside = scene_for(toy, "plan_canteen_community")
    outside = _for_public(toy, inside)
    by_code = dict(zip(toy.communities.index, inside.themes[0].modes[0].pick, strict=True))
    homes = next(layer for layer in outside.layers if layer.id == "homes").geometry
    assert isinstance(homes, gpd.GeoSeries)
    codes = toy.groups["community"].reindex(homes.index)
    expected = [by_code.get(code, len(outside.themes[0].modes[0].styles) - 1) for code in codes]
    assert list(outside.themes[0].modes[0].pick) == expected


@pytest.mark.slow
@pytest.mark.matrix
def test_the_bundled_district_opens_in_a_reader(tmp_path: Path) -> None:
    program = shutil.which("pdftoppm")
    if program is None:
        pytest.skip("no pdftoppm on this machine")
    (path,) = xh.sheet(xh.District.load(), "plan_clinic_15", tmp_path / "clinic.pdf")
    done = subprocess.run(
        [program, "-r", "30", "-png", path, tmp_path / "page"], capture_output=True, text=True, check=True
    )
    assert not done.stderr
    assert "演示数据" in text_of(path) and "□" not in text_of(path)


# --- the atlas ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.matrix
def test_the_atlas_has_a_sheet_per_community(toy: xh.District, tmp_path: Path) -> None:
    written = _atlas.atlas(toy, tmp_path, form=_atlas.Format("A4"))
    assert written == [tmp_path / "图册.pdf"]
    pages = [re.sub(r"\s", "", page) for page in texts_of(written[0])]
    for name in toy.communities["name"]:
        (own,) = [page for page in pages if page.startswith(f"玩具街道·{name}")]
        assert "目标在本社区" in own and "必备设施" in own
    assert all(page.startswith("玩具街道") for page in pages)


@pytest.mark.slow
def test_a_community_s_numbers_are_those_of_the_report(toy: xh.District) -> None:
    results = analyse(toy)
    by = results.by["community"]
    for code in toy.communities.index:
        facts = _overview.community_promises(toy, results, code)
        assert list(facts.index) == promised_rules(toy, results)
        for name, row in facts.iterrows():
            rule = toy.rule(name)
            if rule.metric == "presence":
                kinds = [k for k in rule.kinds if k in results.presence]
                assert row["places"] == results.presence.loc[code, kinds].sum()
            elif (code, name) in by.index:
                assert row["share"] == pytest.approx(by.loc[(code, name), "share"], nan_ok=True)
    # those whom the communities miss are those whom the district misses
    everywhere = pd.concat([_overview.community_promises(toy, results, c) for c in toy.communities.index])
    missed = everywhere["missed"].groupby(level=0).sum()
    lead = results.headlines
    reach = [r for r in missed.index if toy.rule(r).metric == "reach" and lead.loc[r, "denominator"] == "people"]
    nowhere = results.cover[results.cover["community"].isna().to_numpy()]
    rest = (nowhere["people"] * (1 - nowhere["served"])).groupby(level="rule").sum()
    assert reach and rest[reach].gt(0).any()
    assert (missed + rest)[reach].to_numpy() == pytest.approx(lead.loc[reach, "people_unserved"].to_numpy())


def test_the_middle_resident_is_found_by_people() -> None:
    minutes = pd.Series([4.0, 9.0, np.nan, 20.0])
    assert _overview._middle(minutes, pd.Series([10, 10, 10, 1])) == 9.0
    assert _overview._middle(minutes, pd.Series([1, 1, 30, 1])) == np.inf
    assert np.isnan(_overview._middle(minutes, pd.Series([np.nan, 0, np.nan, 0])))
