"""The public edition: pictures only, nothing that could be taken out of them, refused where it must be."""

from __future__ import annotations

import base64
import html
import importlib
import re
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd
import pytest
from ink import texts_of

import xinhe_geo as xh
from xinhe_geo.access import audit
from xinhe_geo.core import layer_name, speaking
from xinhe_geo.maps import OVERVIEW, scene_for
from xinhe_geo.report.analysis import analyse
from xinhe_geo.report.pages.ground import ground_page
from xinhe_geo.report.paper import carto
from xinhe_geo.report.paper.carto import without_borders
from xinhe_geo.report.story.evidence import may_be_told

edition = importlib.import_module("xinhe_geo.report.paper.public")
workbook_module = importlib.import_module("xinhe_geo.report.workbook")

TOY = Path(__file__).parents[1] / "toy"
PAYLOAD = "</title><script>window.pwned=1</script>"


@pytest.fixture(scope="module")
def toy() -> xh.District:
    return xh.District.load(TOY)


@pytest.fixture(scope="module")
def written(toy: xh.District, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("public")
    return edition.public(toy, folder, rules=["plan_clinic_15"], size="A4", contact="022-0000")


def with_layer(district: xh.District, name: str, **facts: Any) -> xh.District:
    layers = {**district.manifest["layers"], name: {**district.manifest["layers"][name], **facts}}
    return replace(district, manifest=MappingProxyType({**district.manifest, "layers": layers}))


@pytest.mark.slow
@pytest.mark.matrix
def test_a_surveyed_district_comes_out_as_pictures_only(written: list[Path]) -> None:
    assert written[0].name == "index.html"
    assert sorted({f.suffix for f in written}) == [".html", ".pdf", ".png"]
    assert len(written) == 1 + 2 * 3, "the overview, the completeness and the rule asked for"
    assert {f.name for f in written} | {".xinhe.json"} == {f.name for f in written[0].parent.iterdir()}


@pytest.mark.slow
def test_the_page_holds_no_coordinates_counts_or_scripts(toy: xh.District, written: list[Path]) -> None:
    page = written[0].read_text("utf-8")
    assert "<script" not in page and "<svg" not in page and "default-src 'none'" in page
    plain = re.sub(r'src="data:image/png;base64,[^"]*"', "", page)
    assert not [name for name in toy.homes["name"] if name in plain]
    words = re.sub(r"<style>.*?</style>|<[^>]*>", " ", plain, flags=re.DOTALL)
    assert set(re.findall(r"\d+", words)) == {"10", "15", "022", "0000", "2023", "2"}, (
        "the limit, the titles, the telephone and the number of the rule that is cited; no count"
    )
    x, y = toy.homes.total_bounds[:2]
    assert f"{x:.0f}" not in plain and f"{y:.0f}" not in plain and not re.search(r"11[67]\.\d{3}|39\.\d{3}", plain)
    pictures = [base64.b64decode(p) for p in re.findall(r"base64,([^\"]*)", page)]
    assert len(pictures) == 3 and all(p.startswith(b"\x89PNG") for p in pictures)
    for word in (
        "《地图审核管理规定》第五条",
        "更新地块",
        "送审",
        "审图号",
        "小于 10",
        "涉密",
        "022-0000",
        "送审前还缺：审图号、图号",
    ):
        assert word in plain, word


@pytest.mark.slow
def test_the_sheets_are_marked_and_show_no_boundary(written: list[Path]) -> None:
    for file in written:
        if file.suffix != ".pdf":
            continue
        said = "".join(texts_of(file)[0].split())
        assert "须先送审" in said and "内部资料" not in said
        assert "街道界" not in said and "社区界" not in said
        assert not re.search(r"(?<!\d)[1-9](人|个小区|户)|小区[1-9]个", said)


@pytest.mark.slow
def test_schematic_boundaries_are_refused(tmp_path: Path, toy: xh.District) -> None:
    with pytest.raises(xh.DataError, match="公开"):
        edition.public(xh.District.load(), tmp_path / "bundled")
    with pytest.raises(xh.DataError, match="示意或合成"):
        edition.public(with_layer(toy, "communities", basis="schematic"), tmp_path / "toy")
    with pytest.raises(xh.DataError, match="密级"):
        edition.public(with_layer(toy, "homes", secrecy="秘密"), tmp_path / "toy")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_no_parcel_and_no_plan_is_shown(toy: xh.District, tmp_path: Path) -> None:
    """Neither as a map of its own, nor as a line, a name or a key on another; nor a district with a plan carried out on it."""
    scene = scene_for(xh.District.load(), "plan_clinic_15")
    shown = carto.without_borders(scene)
    assert any(x.id == "parcels" for x in scene.layers) and not any(x.id == "parcels" for x in shown.layers)
    assert not any(label.kind == "parcel" for label in shown.labels)
    assert not any("parcels" in row["ids"] for group in shown.groups for row in group["rows"])
    with pytest.raises(xh.UnknownNameError, match="parcels"):
        edition.public(toy, tmp_path / "parcels", rules=["parcels"])
    with pytest.raises(xh.DataError, match="方案是内部资料"):
        edition.public(replace(toy, manifest=MappingProxyType({**toy.manifest, "scenario": "甲"})), tmp_path / "plan")
    assert not list(tmp_path.iterdir())


def test_names_and_numbers_of_the_user_stay_text(toy: xh.District) -> None:
    named = replace(toy, manifest=MappingProxyType({**toy.manifest, "name": PAYLOAD}))
    page = edition._page(named, [(PAYLOAD, b"")], PAYLOAD, [PAYLOAD], PAYLOAD)
    assert "<script" not in page and page.count("</title>") == 1


@pytest.mark.slow
@pytest.mark.matrix
def test_the_same_edition_twice_has_the_same_bytes(toy: xh.District, written: list[Path], tmp_path: Path) -> None:
    again = edition.public(toy, tmp_path, rules=["plan_clinic_15"], size="A4", contact="022-0000")
    assert [f.read_bytes() for f in again] == [f.read_bytes() for f in written]


def test_no_public_edition_says_where_anything_is_to_be_renewed(toy: xh.District) -> None:
    """Parcels are internal: not drawn, not named, not in the legend; the maps of the house have them."""
    parcels = toy.rows["homes"].loc[["A", "B"], ["geometry", "basis", "source"]]
    parcels = parcels.assign(name=["甲地块", "乙地块"], use="更新", note=None)
    parcels.index = pd.Index(["p", "q"], name="parcel")
    scene = scene_for(toy.with_rows({**toy.rows, "parcels": parcels}), OVERVIEW)
    inside = {layer.id for layer in scene.layers} | {i for g in scene.groups for row in g["rows"] for i in row["ids"]}
    assert "parcels" in inside and any("地块" in label.text for label in scene.labels)
    district = toy.with_rows({**toy.rows, "parcels": parcels})
    # and no form that is handed out, no slide and no letter, unless somebody has confirmed it
    for shown in (without_borders(scene), carto.handed_on(scene, district)):
        outside = {layer.id for layer in shown.layers}
        outside |= {i for g in shown.groups for row in g["rows"] for i in row["ids"]}
        assert "parcels" not in outside and not any("地块" in label.text for label in shown.labels)
    confirmed = replace(district, manifest=MappingProxyType({**toy.manifest, "renewal_outputs": "张三 2026-05-12"}))
    assert carto.handed_on(scene, confirmed) is scene


def test_nor_what_was_found_of_it(toy: xh.District) -> None:
    """By what it is of, not by how a sentence begins in a language."""
    parcels = toy.rows["homes"].loc[["A"], ["geometry", "source"]].assign(name="甲地块", basis="synthetic", note=None)
    district = toy.with_rows({**toy.rows, "parcels": parcels.rename_axis("parcel")})
    confirmed = replace(district, manifest=MappingProxyType({**toy.manifest, "renewal_outputs": "张三 2026-05-12"}))
    for lang in ("zh", "en"):
        with speaking(lang):
            found = audit(district)
            (line,) = found.loc[found["layer"] == "parcels", "finding"]
            assert line in html.unescape(ground_page(confirmed, "")) and line not in html.unescape(
                ground_page(district, "")
            )
            assert list(may_be_told(confirmed, found)["finding"]) == list(found["finding"])
            assert line not in set(may_be_told(district, found)["finding"])


@pytest.mark.slow
def test_nor_does_a_workbook_name_it(toy: xh.District) -> None:
    parcels = toy.rows["homes"].loc[["A"], ["geometry", "source"]].assign(name="甲地块", basis="synthetic", note=None)
    district = toy.with_rows({**toy.rows, "parcels": parcels.rename_axis("parcel")})
    confirmed = replace(district, manifest=MappingProxyType({**toy.manifest, "renewal_outputs": "张三 2026-05-12"}))
    (line,) = audit(district).query("layer == 'parcels'")["finding"]
    for own, named in ((confirmed, True), (district, False)):
        sheets = {name: table for name, table, _ in workbook_module._sheets(own, analyse(own))}
        assert (line in set(sheets["数据核查"]["发现"])) == named
        assert named or layer_name("parcels") not in set(sheets["来源与依据"]["图层"])
