"""The forms of a survey: what stands on them, the same bytes twice, filled in and read back by command; whose number stays at home."""

from __future__ import annotations

import re
from pathlib import Path

import geopandas as gpd
import openpyxl
import pyogrio
import pytest
from test_secret_district import unpacked
from test_survey import SEEN, bytes_of, folder_in

import xinhe_geo as xh
from xinhe_geo.access import facts_in_doubt
from xinhe_geo.app.cli import main
from xinhe_geo.app.commands.console import DONE, PARTLY
from xinhe_geo.io import SHEETS, heads_of
from xinhe_geo.report.paper import FORM_FILES


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_in(tmp_path_factory.mktemp("survey"))


@pytest.fixture(scope="module")
def district(folder: Path) -> xh.District:
    return xh.District.load(folder)


@pytest.fixture(scope="module")
def written(district: xh.District, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("forms")
    xh.survey(district, out, most=6, crossings=1)
    return out


@pytest.mark.slow
@pytest.mark.matrix
def test_paper_workbook_and_geopackage_ask_of_the_same_places(district: xh.District, written: Path) -> None:
    pages, book, layers = (written / name for name in FORM_FILES)
    asked = {}
    for sheet in openpyxl.load_workbook(book).worksheets:
        layer = next((layer for layer, own in SHEETS.items() if own.name == sheet.title), None)
        if layer is not None:
            heads, *rows = sheet.iter_rows(values_only=True)
            assert list(heads) == heads_of(layer)
            asked[sheet.title] = [row[heads.index("编号")] for row in rows]
            assert all(cell is None for row in rows for cell in row[5:]), "nothing is answered beforehand"
    assert sum(map(len, asked.values())) == 7 and asked["过街"] == ["bridge"]
    named = [name for name, _ in pyogrio.list_layers(layers) if name in asked]
    assert sorted(named) == sorted(asked)
    for name in named:
        own = gpd.read_file(layers, layer=name)
        assert own["编号"].tolist() == asked[name] and own.crs == district.crs
        fields = pyogrio.read_info(layers, layer=name)["dtypes"]
        assert set(map(str, fields)) == {"object"}, "a telephone fills in plain text"
    assert pages.read_bytes().startswith(b"%PDF")
    in_doubt = {f"{fact.layer}:{fact.id}" for fact in facts_in_doubt(district).itertuples()}
    layer_of = {own.name: layer for layer, own in SHEETS.items()}
    assert {f"{layer_of[name]}:{key}" for name, keys in asked.items() if name != "过街" for key in keys} <= in_doubt


@pytest.mark.slow
def test_the_same_district_gives_the_same_bytes(district: xh.District, written: Path, tmp_path: Path) -> None:
    xh.survey(district, tmp_path / "again", most=6, crossings=1)
    assert {name: (tmp_path / "again" / name).read_bytes() == (written / name).read_bytes() for name in FORM_FILES} == (
        dict.fromkeys(FORM_FILES, True)
    )


@pytest.mark.slow
def test_what_is_asked_for_is_what_is_on_the_form(district: xh.District, tmp_path: Path) -> None:
    """Facts in an order of somebody's own: the first of them, each place once, community by community."""
    facts = ["gates:gB:gate", "facilities:F1:position", "facilities:F1:existence", "gates:none:gate", "gates:gE:gate"]
    found = xh.survey(district, tmp_path, facts=facts, most=2, crossings=0)
    assert sorted(found["id"]) == ["F1", "gB"] and found.index.tolist() == [1, 2]
    assert found["group"].is_monotonic_increasing
    with pytest.raises(ValueError, match="不小于 1"):
        xh.survey(district, tmp_path, most=0)


@pytest.mark.slow
@pytest.mark.matrix
def test_filled_in_and_read_back_by_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One gate turns out shut, one facility is where it was said to be: what is in doubt and the ranges shrink; undo brings it back."""
    folder, out = folder_in(tmp_path), tmp_path / "out"
    assert main(["survey", str(folder), "--out", str(out)]) == DONE
    before, form = bytes_of(folder), out / FORM_FILES[1]
    book = openpyxl.load_workbook(form)
    answers = {
        "出入口": {"gA": {"核实情况": "开放"}, "gE": {"核实情况": "未能核实"}},
        "设施": {"F1": {"核实情况": "正常", "图上位置": "对"}},
    }
    for name, places in answers.items():
        heads, *rows = book[name].iter_rows()
        columns = [cell.value for cell in heads]
        for row in rows:
            for head, value in {**places.get(row[columns.index("编号")].value, {}), **SEEN}.items():
                if row[columns.index("编号")].value in places:
                    row[columns.index(head)].value = value
    book.save(form)
    capsys.readouterr()
    assert main(["survey", str(folder), "--take", str(form)]) == DONE and bytes_of(folder) == before
    said = capsys.readouterr().out
    lines = sum(sheet.max_row - 1 for sheet in book.worksheets if sheet.title in {own.name for own in SHEETS.values()})
    assert (
        f"共 {lines} 行：取用 2 行，要问 0 行，不写入 {lines - 2} 行" in said
        and "没有写入" not in said.partition("共")[0]
    )
    doubted = len(facts_in_doubt(xh.District.load(folder)))
    assert main(["survey", str(folder), "--take", str(form), "--yes", "--surveyed"]) == DONE
    said = capsys.readouterr().out
    assert f"存疑的事：{doubted} → {doubted - 2} 件" in said and "记为实测 2 行" in said
    assert len(facts_in_doubt(xh.District.load(folder))) == doubted - 2
    assert main(["undo", str(folder)]) == DONE
    assert {name: content for name, content in bytes_of(folder).items() if name in before} == before
    book["出入口"].cell(2, [c.value for c in book["出入口"][1]].index("核实情况") + 1).value = "半开"
    book.save(form)
    assert main(["survey", str(folder), "--take", str(form)]) == PARTLY


@pytest.mark.slow
@pytest.mark.matrix
def test_the_number_of_whoever_checked_is_in_no_export(tmp_path: Path) -> None:
    folder, out, marker = folder_in(tmp_path), tmp_path / "out", "QX-70931"
    for file in ("homes/gates.geojson", "pois/facilities.geojson"):
        path = folder / file
        text = re.sub(
            r'("properties": ?\{)', rf'\1"checked_by":"{marker}","checked_on":"2026-11-28",', path.read_text("utf-8")
        )
        path.write_text(text, "utf-8")
    assert (xh.District.load(folder).rows["gates"]["checked_by"] == marker).all()
    for typed in (
        ["gpkg", str(folder), "--out", str(out / "a.gpkg")],
        ["dxf", str(folder), "--out", str(out / "a.dxf")],
        ["map", "overview", str(folder), "--out", str(out / "m.html")],
        ["survey", str(folder), "--out", str(out / "s")],
        ["template", "--blanks", "--for", str(folder), "--out", str(out / "b.xlsx")],
    ):
        assert main(typed) == DONE, typed
    files = [path for path in out.rglob("*") if path.is_file()]
    found = [p.name for p in files for part in unpacked(p.read_bytes()) if marker.encode() in part]
    assert len(files) >= 7 and not found
