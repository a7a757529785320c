"""
Planners' own files: the template, messy tables, the right datum, hostile files, and writes that are never half done.

Every file is made here, by code.
"""

from __future__ import annotations

import csv
import importlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ezdxf
import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pyogrio
import pytest
import shapely

from xinhe_geo.app.cli import DATA, DONE, main
from xinhe_geo.core import datum as _datum
from xinhe_geo.core.datum import DATUMS, from_wgs84
from xinhe_geo.core.errors import DataError, EnvironmentProblem, SourceError, UnknownNameError
from xinhe_geo.core.schema import LAYERS, bundled_folder
from xinhe_geo.district import journal as _journal
from xinhe_geo.district import read_folder
from xinhe_geo.district.district import District
from xinhe_geo.district.journal import recover, undo
from xinhe_geo.district.reader import check
from xinhe_geo.io import current_layer
from xinhe_geo.io.add import add
from xinhe_geo.io.cells import cell_text, coordinate, unit_factor
from xinhe_geo.io.datum_check import UNPROVEN
from xinhe_geo.io.dxf import drawing_of
from xinhe_geo.io.row_report import REPORT_COLUMNS, tally
from xinhe_geo.io.sheets import read_workbook
from xinhe_geo.io.template import template
from xinhe_geo.report.analysis import sources_table

# The package offers a function of this name, which hides the module from `import`.
adding = importlib.import_module("xinhe_geo.io.add")

ROOT = Path(__file__).resolve().parents[2]
TOY = Path(__file__).parents[1] / "toy"
#: What a person answers for where nothing confirms the datum of a few rows.
CHECKED = "测试里量过"


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    folder = tmp_path / "toy"
    shutil.copytree(TOY, folder)
    return folder


@pytest.fixture(scope="module")
def bundled_district() -> District:
    return District.load()


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def lonlat(x: float, y: float) -> tuple[float, float]:
    point = gpd.GeoSeries([shapely.Point(x, y)], crs=District.load(TOY).crs).to_crs(4326).iloc[0]
    return point.x, point.y


def book(path: Path, rows: list[list[Any]], title: str = "Sheet1") -> Path:
    made = openpyxl.Workbook()
    sheet = made.active
    sheet.title = title
    for row in rows:
        sheet.append(row)
    made.save(path)
    return path


def text(path: Path, rows: list[list[Any]], encoding: str = "utf-8-sig") -> Path:
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows(rows)
    path.write_bytes(stream.getvalue().encode(encoding))
    return path


def of(report: pd.DataFrame, result: str) -> pd.DataFrame:
    return report[report["result"] == result]


def adds_up(report: pd.DataFrame, rows: int) -> bool:
    counts = tally(report)
    return counts["rows"] == rows == counts["taken"] + counts["reported"]


HEAD = ["编号", "名称", "类别", "经度", "纬度"]
X, Y = 500_200.0, 4_320_100.0
LON, LAT = 117.0023, 39.0113


@pytest.fixture(scope="module", autouse=True)
def _here() -> None:
    global LON, LAT
    LON, LAT = lonlat(X, Y)


# --- the template ---------------------------------------------------------------------------------------------------


def test_the_template_is_the_same_every_time_and_follows_the_declarations(tmp_path: Path) -> None:
    first, second = template(tmp_path / "a.xlsx"), template(tmp_path / "b.xlsx")
    assert first.read_bytes() == second.read_bytes()
    made = openpyxl.load_workbook(first)
    wanted = {"homes", "facilities", "gates", "entrances", "series"}
    assert {LAYERS[name].label for name in wanted} < set(made.sheetnames)
    assert made.sheetnames[0] == "说明"
    homes = [cell.value for cell in made["小区"][2]]
    assert homes[:5] == ["编号", "名称", "社区代码", "户数（户）", "常住人口（人）"]
    assert {"经度（度）", "纬度（度）"} < set(homes)
    assert "经度（度）" not in [cell.value for cell in made["台账填报表"][2]]
    assert made["设施"].data_validations.dataValidation
    offered = {str(c) for row in made["选项"].iter_rows(values_only=True) for c in row}
    assert {"户数", "常住人口", "征收决定", "国有土地上房屋征收：签约"} < offered, "as `add` takes them"
    assert made["选项"].sheet_state == "hidden"
    assert str(made["设施"]["A3"].value).startswith("示例")
    with pytest.raises(SourceError, match="xlsx"):
        template(tmp_path / "a.xls")


@pytest.mark.slow
def test_an_empty_template_says_that_it_is_empty(tmp_path: Path, toy: Path) -> None:
    with pytest.raises(SourceError, match="没有数据行"):
        add(template(tmp_path / "a.xlsx"), toy, "facilities", crs="WGS84")


@pytest.mark.slow
@pytest.mark.matrix
def test_template_filled_in_comes_back_equal(tmp_path: Path, bundled_district: District, toy: Path) -> None:
    """Sixty facilities of the bundled district typed into a template and added to another folder are the same rows."""
    wanted = bundled_district.rows["facilities"].iloc[:60].to_crs(4326)
    labels = bundled_district.kinds["label"]
    path = template(tmp_path / "填报.xlsx")
    made = openpyxl.load_workbook(path)
    sheet = made["设施"]
    for key, row in wanted.iterrows():
        spot = row.geometry.representative_point()
        cells = {
            "编号": key,
            "名称": row["name"],
            "类别": labels[row["kind"]],
            "备注": row["note"],
            "经度（度）": spot.x,
            "纬度（度）": spot.y,
        }
        cells = {k: None if isinstance(v, float) and np.isnan(v) else v for k, v in cells.items()}
        sheet.append([cells.get(cell.value) for cell in sheet[2]])
    made.save(path)
    folder = tmp_path / "new"
    shutil.copytree(bundled_folder(), folder)
    (folder / "pois" / "facilities.geojson").unlink()
    (folder / "pois" / "entrances.geojson").unlink()
    manifest = (folder / "district.toml").read_text("utf-8")
    parts = manifest.split("\n[layers.")
    kept = [p for p in parts if not p.startswith(("facilities]", "entrances]"))]
    (folder / "district.toml").write_text("\n[layers.".join(kept), "utf-8")
    report = add(path, folder, "facilities", crs="WGS84", apply=True, datum_checked=CHECKED)
    assert list(report.columns) == list(REPORT_COLUMNS)
    assert adds_up(report, 61)
    assert tally(report)["new"] == 60
    district = District.load(folder)
    assert district.manifest["layers"]["facilities"]["basis"] == "unstated", "nobody has said"
    assert district.manifest["layers"]["facilities"]["source"] == "填报.xlsx"
    got = district.rows["facilities"]
    assert list(got.index) == list(wanted.index)
    for column in ("name", "kind", "note"):
        assert got[column].fillna("").tolist() == wanted[column].fillna("").tolist()
    spots = wanted.geometry.representative_point().to_crs(district.crs)
    assert shapely.distance(got.geometry.array, spots.array).max() < 0.01
    again = add(path, folder, "facilities", crs="WGS84", apply=True, datum_checked=CHECKED)
    assert tally(again)["unchanged"] == 60
    undo(folder)
    assert "facilities" not in District.load(folder).rows


# --- messy tables ---------------------------------------------------------------------------------------------------


def messy() -> list[list[Any]]:
    return [
        ["新河街道为老服务设施一览表（2026年）", None, None, None, None, None, None, None, None],
        ["联系人：王五", "填报单位：民政科"],
        [
            "序号",
            "设施编号",
            "设施名称",
            "设施类型",
            "X坐标（经度）",
            "东经",
            "北纬",
            "建筑面积(平方米)",
            "联系电话",
            "负责人",
        ],
        [1, "Ａ１", "一食堂", "社区食堂点", None, "117°00′08.3″", "39°00′40.7″", "１，２００", "13800000000", "张三"],
        [2, "A2", "二食堂", "canteen", None, f"{LON:.6f}", f"{LAT:.6f}", "宽敞", "13900000000", "李四"],
        [3, "A3", "三食堂", "canteen", None, LON, LAT, 300, None, None],
        [4, "A3", "三食堂", "canteen", None, LON, LAT, 300, None, None],
        [5, "A5", "五食堂", "canteen", None, None, None, None, None, None],
        [6, "A6", "六食堂", "canteen", None, LAT, LON, None, None, None],
        [7, "A7", "七食堂", "canteen", None, f"东经{LON:.6f}度", f"N{LAT:.6f}°", "80㎡", None, None],
        ["合计", None, None, None, None, None, None, 1500],
        ["注：数据截至2026年6月"],
    ]


@pytest.mark.slow
@pytest.mark.one_in(3)
@pytest.mark.parametrize("kind", ["xlsx", "utf-8", "gb18030"])
def test_a_messy_list(tmp_path: Path, toy: Path, kind: str) -> None:
    rows = messy()
    path = book(tmp_path / "乱.xlsx", rows) if kind == "xlsx" else text(tmp_path / "乱.csv", rows, kind)
    before = contents(toy)
    report = add(path, toy, "facilities", crs="WGS84")
    assert contents(toy) == before, "without apply nothing is written"
    assert adds_up(report, 9)
    refused = of(report, "refused").set_index("row")
    assert set(refused.index) == {5, 7, 8, 9}
    asked = of(report, "unclear").set_index("row")
    assert list(asked.index) == [4], "a kind that nobody knows is asked, by what is written"
    assert "社区食堂点" in asked.loc[4, "reason"]
    assert "不是数" in refused.loc[5, "reason"]
    assert "第 6 行重复" in refused.loc[7, "reason"]
    assert "没有坐标" in refused.loc[8, "reason"]
    assert "写反" in refused.loc[9, "reason"]
    assert (refused["remedy"] != "").all()
    assert set(of(report, "skipped")["row"]) == {11, 12}
    assert set(of(report, "new")["row"]) == {6, 10}
    assert set(of(report, "dropped")["column"]) == {"联系电话", "负责人"}
    said = report.to_csv()
    assert not [secret for secret in ("13800000000", "张三", "李四", "王五") if secret in said]
    add(path, toy, "facilities", crs="WGS84", apply=True, datum_checked=CHECKED)
    everything = b"".join(contents(toy).values()).decode("utf-8", "replace")
    assert not [secret for secret in ("13800000000", "张三", "李四", "王五") if secret in everything]
    got = District.load(toy).rows["facilities"]
    assert got.loc["A7", "floor_area_m2"] == 80
    assert got.loc["A3", "basis"] != "schematic"
    assert shapely.distance(got.geometry["A7"], shapely.Point(X, Y)) < 0.2


def test_degrees_minutes_seconds() -> None:
    for said in (
        "117°39′00″",
        "117度39分0秒",
        "E117°39'0\"",
        "东经117°39′",
        "１１７．６５",
        "117.65°E",
        "117.65",
        117.65,
    ):
        assert coordinate(said) == pytest.approx(117.65, abs=1e-9), said
    for said in ("", "nan", "inf", "117°61′", "北京", "1,2,x", "--3", "1e999x"):
        assert not np.isfinite(coordinate(said)), said


@pytest.mark.slow
def test_all_rows_swapped_is_seen_as_a_whole(tmp_path: Path, toy: Path) -> None:
    rows = [HEAD, *([f"S{i}", f"点{i}", "canteen", LAT, LON + i * 1e-4] for i in range(4))]
    report = add(text(tmp_path / "a.csv", rows), toy, "facilities", crs="WGS84")
    assert tally(report)["new"] == 4
    assert of(report, "note")["reason"].str.contains("写反").any()


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize("way", ["east-north", "north-east", "zone", "north-zone"])
def test_projected_coordinates(tmp_path: Path, toy: Path, way: str) -> None:
    """Chinese survey tables write X for north; eastings may carry the number of their zone."""
    east, north = (X + 39e6 if "zone" in way else X), Y
    pair = [north, east] if way.startswith("north") else [east, north]
    rows = [["编号", "名称", "类别", "X坐标（m）", "Y坐标（m）"], ["P1", "点", "canteen", *pair]]
    add(text(tmp_path / "a.csv", rows), toy, "facilities", crs=4548, apply=True, datum_checked=CHECKED)
    assert shapely.distance(District.load(toy).rows["facilities"].geometry["P1"], shapely.Point(X, Y)) < 0.01


@pytest.mark.slow
def test_a_declaration_is_required_and_must_fit(tmp_path: Path, toy: Path) -> None:
    path = text(tmp_path / "a.csv", [HEAD, ["P1", "点", "canteen", LON, LAT]])
    with pytest.raises(SourceError, match=r"没有声明坐标系.*GCJ-02"):
        add(path, toy, "facilities")
    with pytest.raises(SourceError, match="不认识的坐标系"):
        add(path, toy, "facilities", crs="火星")
    with pytest.raises(DataError, match="像是经纬度"):
        add(path, toy, "facilities", crs=4548)
    with pytest.raises(UnknownNameError):
        add(path, toy, "../homes", crs="WGS84")
    with pytest.raises(SourceError, match="不是街道目录"):
        add(path, tmp_path, "facilities", crs="WGS84")


@pytest.mark.slow
@pytest.mark.matrix
def test_numbers_without_positions_update_what_is_there(tmp_path: Path, toy: Path) -> None:
    homes = District.load(toy).rows["homes"]
    key = homes.index[0]
    rows = [["小区编号", "常住人口（人）"], [key, 77], ["没有的", 5]]
    report = add(text(tmp_path / "a.csv", rows), toy, "homes", apply=True, datum_checked=CHECKED, sure=True)
    assert tally(report)["changed"] == 1
    assert "没有坐标" in of(report, "refused")["reason"].iloc[0]
    after = District.load(toy).rows["homes"]
    assert after.loc[key, "people"] == 77
    assert after.geometry.geom_equals(homes.geometry).all()
    assert after.drop(columns=["people", "geometry"]).equals(homes.drop(columns=["people", "geometry"]))


@pytest.mark.slow
@pytest.mark.matrix
def test_a_point_does_not_replace_an_outline(tmp_path: Path, toy: Path) -> None:
    homes = District.load(toy).rows["homes"]
    outline = homes.index[(homes.geom_type == "Polygon").to_numpy()][0]
    rows = [["编号", "经度", "纬度", "户数"], [outline, LON, LAT, 9]]
    report = add(text(tmp_path / "a.csv", rows), toy, "homes", crs="WGS84", apply=True, datum_checked=CHECKED)
    assert of(report, "note")["reason"].str.contains("面没有改").any()
    assert District.load(toy).rows["homes"].geometry[outline].equals(homes.geometry[outline])


@pytest.mark.slow
@pytest.mark.matrix
def test_gone_rows_stay_unless_replaced(tmp_path: Path, toy: Path) -> None:
    before = set(District.load(toy).rows["facilities"].index)
    path = text(tmp_path / "a.csv", [HEAD, ["P1", "点", "canteen", LON, LAT]])
    report = add(path, toy, "facilities", crs="WGS84", apply=True, datum_checked=CHECKED)
    assert set(of(report, "gone")["key"]) == before
    assert set(District.load(toy).rows["facilities"].index) == before | {"P1"}
    add(path, toy, "facilities", crs="WGS84", apply=True, datum_checked=CHECKED, replace=True)
    # F2 is the one canteen that was there; the file says nothing of clinics, fitness and the party centre
    assert set(District.load(toy).rows["facilities"].index) == before - {"F2"} | {"P1"}


@pytest.mark.slow
def test_rows_without_a_key_are_known_by_name(tmp_path: Path, toy: Path) -> None:
    there = District.load(toy).rows["facilities"]
    name = there["name"].iloc[0]
    rows = [["名称", "类别", "经度", "纬度"], [name, None, None, None], ["新点", "canteen", LON, LAT]]
    path = text(tmp_path / "a.csv", rows)
    report = add(path, toy, "facilities", crs="WGS84", apply=True, datum_checked=CHECKED)
    assert of(report, "unchanged")["key"].tolist() == [there.index[0]]
    assert tally(report)["new"] == 1
    assert tally(add(path, toy, "facilities", crs="WGS84"))["unchanged"] == 2, "the made key is the same next time"
    rows[1][0], rows[2][0] = "7", "8"
    path = text(tmp_path / "b.csv", [["号", *rows[0]], ["Z1", "新点二", "canteen", LON, LAT]])
    assert of(add(path, toy, "facilities", crs="WGS84", key="号"), "new")["key"].tolist() == ["Z1"]


@pytest.mark.slow
@pytest.mark.matrix
def test_the_ledger_table(tmp_path: Path, toy: Path) -> None:
    rows = [["指标编号", "年份", "数值", "填报人"], ["i1", "2025年", "１２.５", "科室"], ["i1", 2026, "不知道", None]]
    report = add(text(tmp_path / "a.csv", rows), toy, "series", apply=True, datum_checked=CHECKED)
    assert tally(report)["new"] == 1
    assert tally(report)["refused"] == 1
    rows = [["指标编号", "年份", "数值"], ["i1", 2025, 13], ["i1", 2026, 14]]
    report = add(text(tmp_path / "b.csv", rows), toy, "series", apply=True, datum_checked=CHECKED)
    assert (tally(report)["changed"], tally(report)["new"]) == (1, 1)
    got = District.load(toy).rows["series"]
    assert got["value"].tolist() == [13, 14]
    assert got["filled_by"].iloc[0] == "科室"


@pytest.mark.slow
def test_formulas_that_were_never_computed_are_not_blanks(tmp_path: Path, toy: Path) -> None:
    path = book(
        tmp_path / "a.xlsx",
        [[*HEAD, "规模"], ["P1", "点", "canteen", LON, LAT, "=1+1"], ["P2", "点", "canteen", LON, LAT, 3]],
    )
    report = add(path, toy, "facilities", crs="WGS84")
    assert of(report, "refused")["row"].tolist() == [2]
    assert of(report, "new")["row"].tolist() == [3]


# --- GIS files ------------------------------------------------------------------------------------------------------


def points(n: int = 3) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(
        {
            "编号": [f"G{i}" for i in range(n)],
            "名称": [f"第{i}食堂" for i in range(n)],
            "类别": ["canteen"] * n,
            "建筑面积": [100.0 + i for i in range(n)],
            "户主姓名": ["某人"] * n,
        },
        geometry=gpd.points_from_xy(LON + np.arange(n) * 1e-4, [LAT] * n),
        crs=4326,
    )


@pytest.mark.slow
@pytest.mark.one_in(4)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # GDAL cuts UTF-8 names in half
@pytest.mark.parametrize("kind", ["gbk", "gbk without cpg", "utf-8", "geojson", "gpkg", "fgb"])
def test_gis_files(tmp_path: Path, toy: Path, kind: str) -> None:
    suffix = kind if kind in ("geojson", "gpkg", "fgb") else "shp"
    path = tmp_path / f"食堂.{suffix}"
    how: dict[str, Any] = {"encoding": "gbk" if "gbk" in kind else "utf-8"} if suffix == "shp" else {}
    pyogrio.write_dataframe(points(), path, **how)
    if "without" in kind:
        path.with_suffix(".cpg").unlink()
    with pytest.raises(SourceError, match="没有声明坐标系"):
        add(path, toy, "facilities")
    report = add(path, toy, "facilities", crs="WGS84", apply=True, datum_checked=CHECKED)
    assert adds_up(report, 3)
    assert tally(report)["new"] == 3
    assert len(of(report, "dropped")) == 1
    got = District.load(toy).rows["facilities"]
    assert got.loc["G1", "name"] == "第1食堂"
    assert got.loc["G2", "floor_area_m2"] == 102
    assert got.loc["G1", "basis"] == "unstated"
    assert b"\xe6\x9f\x90\xe4\xba\xba" not in b"".join(contents(toy).values())


@pytest.mark.slow
def test_a_geopackage_layer_is_edited_in_its_own_format(tmp_path: Path, toy: Path) -> None:
    layer = District.load(toy).rows["facilities"].reset_index()
    pyogrio.write_dataframe(layer, toy / "pois" / "facilities.gpkg", layer="facilities")
    (toy / "pois" / "facilities.geojson").unlink()
    manifest = toy / "district.toml"
    manifest.write_text(manifest.read_text("utf-8").replace("facilities.geojson", "facilities.gpkg"), "utf-8")
    assert not (check(toy)["severity"] == "error").any()
    before = contents(toy)
    path = text(tmp_path / "a.csv", [HEAD, ["P1", "点", "canteen", LON, LAT], ["F1", "改名", None, None, None]])
    report = add(path, toy, "facilities", crs="WGS84", apply=True, datum_checked=CHECKED)
    assert (tally(report)["new"], tally(report)["renamed"]) == (1, 1)
    got = District.load(toy).rows["facilities"]
    assert got.loc["F1", "name"] == "改名"
    assert len(got) == len(layer) + 1
    assert shapely.distance(got.geometry["P1"], shapely.Point(X, Y)) < 0.01
    undo(toy)
    assert contents(toy) == before


@pytest.mark.slow
def test_a_file_that_names_another_grid_is_refused(tmp_path: Path, toy: Path) -> None:
    path = tmp_path / "a.gpkg"
    pyogrio.write_dataframe(points().to_crs(4549), path)
    with pytest.raises(SourceError, match="文件里写的是"):
        add(path, toy, "facilities", crs=4548)
    pyogrio.write_dataframe(points().to_crs(4527), tmp_path / "b.gpkg")
    assert tally(add(tmp_path / "b.gpkg", toy, "facilities", crs=4527))["new"] == 3


def kml_of(placemarks: str) -> bytes:
    return f'<kml xmlns="http://www.opengis.net/kml/2.2"><Document><Folder><name>食堂</name>{placemarks}</Folder></Document></kml>'.encode()


def placemark(name: str, shape: str, kind: str = "canteen") -> str:
    data = f'<ExtendedData><Data name="类别"><value>{kind}</value></Data></ExtendedData>'
    return f"<Placemark><name>{name}</name>{data}{shape}</Placemark>"


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize("kind", ["kml", "kmz", "gdb"])
def test_files_of_other_programs(tmp_path: Path, toy: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    if kind == "gdb":
        pyogrio.write_dataframe(points(2), path, driver="OpenFileGDB")
    else:
        spots = [f"<Point><coordinates>{LON + i * 1e-4},{LAT},0</coordinates></Point>" for i in range(2)]
        content = kml_of("".join(placemark(f"第{i}食堂", spot) for i, spot in enumerate(spots)))
        if kind == "kml":
            path.write_bytes(content)
        else:
            with zipfile.ZipFile(path, "w") as package:
                package.writestr("doc.kml", content)
    report = add(path, toy, "facilities", crs="WGS84", apply=True, datum_checked=CHECKED)
    assert adds_up(report, 2)
    got = District.load(toy).rows["facilities"]
    new = got[got["name"].isin(["第0食堂", "第1食堂"])]
    assert (new["kind"] == "canteen").all()
    assert shapely.distance(new.geometry.iloc[0], shapely.Point(X, Y)) < 0.2


@pytest.mark.slow
def test_rows_of_an_old_workbook_have_the_numbers_that_are_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first row is 1; blank ones count. Nothing here writes .xls, so its reader is played."""
    xlrd = pytest.importorskip("xlrd")
    kept = [["名称", "地址"], [], ["甲食堂", "一号"]]
    text = {"ctype": xlrd.XL_CELL_TEXT}
    work = SimpleNamespace(
        nrows=3, row=lambda i: [SimpleNamespace(value=v, **text) for v in kept[i]], merged_cells=[(2, 3, 0, 2)]
    )
    book = SimpleNamespace(datemode=0, sheet_names=lambda: ["表"], sheet_by_name=lambda _: work)
    monkeypatch.setattr(xlrd, "open_workbook", lambda **_: book)
    (tmp_path / "a.xls").write_bytes(b"\xd0\xcf\x11\xe0" + bytes(600))
    found = read_workbook(tmp_path / "a.xls", None)["表"]
    assert [(number, list(cells)) for number, cells in found.rows] == [(1, kept[0]), (3, kept[2])]
    assert found.merges == [(3, 0, 3, 1)]


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize("kind", ["dxf", "geojson", "kml"])
def test_as_many_rows_as_may_be_are_read_and_not_one_more(
    tmp_path: Path, toy: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"a.{kind}"
    if kind == "dxf":
        drawing = ezdxf.new("R2010")
        for i in range(3):
            drawing.modelspace().add_point((X + 20 * i, Y))
        drawing.saveas(path)
    elif kind == "geojson":
        path.write_text(points(3).to_crs(4326).to_json(), "utf-8")
    else:
        spots = [f"<Point><coordinates>{LON + i * 1e-4},{LAT},0</coordinates></Point>" for i in range(3)]
        path.write_bytes(kml_of("".join(placemark(f"第{i}食堂", spot) for i, spot in enumerate(spots))))
    said: dict[str, Any] = {"crs": 4548, "fill": {"类别": "canteen"}} if kind == "dxf" else {"crs": "WGS84"}
    for most in (3, 2):
        monkeypatch.setattr(f"xinhe_geo.io.{'dxf' if kind == 'dxf' else 'gis_files'}.MOST_ROWS", most)
        if most == 3:
            assert tally(add(path, toy, "facilities", datum_checked=CHECKED, **said))["rows"] == 3
        else:
            with pytest.raises(SourceError, match="超过 2 个要素"):
                add(path, toy, "facilities", datum_checked=CHECKED, **said)


def geoparquet(path: Path, frame: gpd.GeoDataFrame, encoding: str = "WKB") -> Path:
    """Write GeoParquet as geopandas does with pyarrow, which is not installed here."""
    import fastparquet

    said = {
        "version": "1.0.0",
        "primary_column": "geometry",
        "columns": {"geometry": {"encoding": encoding, "geometry_types": [], "crs": frame.crs.to_json_dict()}},
    }
    plain = (
        pd.DataFrame(frame.drop(columns="geometry")).astype("object").assign(geometry=shapely.to_wkb(frame.geometry))
    )
    fastparquet.write(
        path,
        plain,
        custom_metadata={"geo": json.dumps(said)},
        compression="ZSTD",
        object_encoding={c: "bytes" if c == "geometry" else "utf8" for c in plain},
    )
    return path


@pytest.mark.slow
@pytest.mark.matrix
def test_geoparquet(tmp_path: Path, toy: Path) -> None:
    frame = gpd.GeoDataFrame(
        {
            "编号": ["Q1", "Q2", "Q3"],
            "日间照料中心名称": ["甲", "乙", "丙"],
            "类别": ["canteen", "canteen", "没有这类"],
        },
        geometry=gpd.points_from_xy([LON] * 3, [LAT] * 3),
        crs=4490,
    ).rename(columns={"日间照料中心名称": "名称"})
    report = add(
        geoparquet(tmp_path / "a.parquet", frame), toy, "facilities", crs="EPSG:4490", apply=True, datum_checked=CHECKED
    )
    assert adds_up(report, 3) and tally(report)["new"] == 2
    assert shapely.distance(District.load(toy).layers["facilities"].geometry["Q1"], shapely.Point(X, Y)) < 0.01
    with pytest.raises(SourceError, match="声明 EPSG:4548，文件里写的是"):
        add(tmp_path / "a.parquet", toy, "facilities", crs="EPSG:4548")
    with pytest.raises(SourceError, match="不是按 WKB"):
        add(geoparquet(tmp_path / "b.parquet", frame, "point"), toy, "facilities", crs="WGS84")
    whole = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "c.parquet").write_bytes(whole[:-200] + bytes(100) + whole[-100:])
    with pytest.raises(SourceError, match=r"c\.parquet：读不出来，可能不完整"):
        add(tmp_path / "c.parquet", toy, "facilities", crs="WGS84")


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize("repair", [False, True])
def test_polygons_are_mended_only_when_asked(tmp_path: Path, toy: Path, repair: bool) -> None:
    bow = shapely.Polygon([(LON, LAT), (LON + 1e-3, LAT + 1e-3), (LON + 1e-3, LAT), (LON, LAT + 1e-3)])
    square = shapely.box(LON, LAT + 2e-3, LON + 1e-3, LAT + 3e-3)
    frame = gpd.GeoDataFrame({"编号": ["B1", "B2"]}, geometry=[bow, square], crs=4326)
    pyogrio.write_dataframe(frame, tmp_path / "a.gpkg")
    report = add(tmp_path / "a.gpkg", toy, "parcels", crs="WGS84", repair=repair, apply=True, datum_checked=CHECKED)
    assert adds_up(report, 2)
    assert tally(report)["new"] == (2 if repair else 1)
    said = report[report["reason"].str.contains("图形已修复")]
    assert said["row"].tolist() == ([1] if repair else [])
    if repair:
        assert District.load(toy).rows["parcels"].geometry["B1"].geom_type == "MultiPolygon"


@pytest.mark.slow
def test_two_levels_of_header_merged_cells_and_units(tmp_path: Path, toy: Path) -> None:
    made = openpyxl.Workbook()
    sheet = made.active
    for row in (
        ["为老服务设施一览表", *[None] * 7],
        ["编号", "名称", "类别", "坐标", None, "规模情况", None, "人员"],
        [None, None, None, "经度", "纬度", "建筑面积（公顷）", "床位", "男"],
        ["M1", "甲", "canteen", LON, LAT, 0.05, 3, 4],
        ["M2", "乙", None, LON, LAT, "500㎡", 3, 4],
        ["M3", "丙", "canteen", LON, LAT, "０．１", 3, 4],
        ["M4", "丁", "canteen", LON, LAT, None, 3, 4],
        ["合计", None, None, None, None, 0.2],
    ):
        sheet.append(row)
    for cells in ("A1:H1", "A2:A3", "B2:B3", "C2:C3", "D2:E2", "F2:G2", "C4:C5", "F6:F7"):
        sheet.merge_cells(cells)
    made.save(tmp_path / "a.xlsx")
    report = add(tmp_path / "a.xlsx", toy, "facilities", crs="WGS84", apply=True, datum_checked=CHECKED)
    assert adds_up(report, 5)
    assert tally(report)["new"] == 4
    got = District.load(toy).rows["facilities"]
    assert got.loc["M2", "kind"] == "canteen", "a merged word holds for both rows"
    assert got.loc[["M1", "M2"], "floor_area_m2"].tolist() == [500, 500]
    assert got.loc[["M3", "M4"], "floor_area_m2"].isna().all(), "a merged number is nobody's"
    assert of(report, "note")["reason"].str.contains("分不到各行").any()
    assert "人员男" in set(of(report, "note")["column"])


def test_units_in_headers_and_cells() -> None:
    people = LAYERS["homes"].names["people"]
    assert unit_factor("人口（万人）", people) == 1e4
    assert unit_factor("常住人口(2022年)", people) == 1
    assert unit_factor("人口/万人", people) == 1e4
    assert cell_text(people, "1.2", {}, 1e4) == "12000"
    assert cell_text(people, "1.2万人", {}) == "12000"
    assert cell_text(people, "１，２００人", {}) == "1200"
    area = LAYERS["facilities"].names["floor_area_m2"]
    assert unit_factor("建筑面积（亩）", area) == pytest.approx(666.6667, abs=1e-4)
    assert cell_text(area, "80平方米", {}, 1e4) == "80"


@pytest.mark.slow
@pytest.mark.matrix
def test_records_as_web_maps_export_them(tmp_path: Path, toy: Path) -> None:
    pois = [
        {
            "id": "B1",
            "name": "丙食堂",
            "location": f"{LON},{LAT}",
            "tel": "13812345678",
            "address": "某路",
            "biz": {"a": 1},
        }
    ]
    (tmp_path / "a.json").write_text(json.dumps({"status": "1", "pois": pois}), "utf-8")
    with pytest.raises(DataError, match="没有填（类别）"):
        add(tmp_path / "a.json", toy, "facilities", crs="WGS84")
    kind_label = str(District.load(toy).kinds["label"]["canteen"])
    report = add(
        tmp_path / "a.json",
        toy,
        "facilities",
        crs="WGS84",
        fill={"类别": kind_label},
        apply=True,
        datum_checked=CHECKED,
    )
    assert tally(report)["new"] == 1
    assert of(report, "dropped")["column"].tolist() == ["tel"]
    assert District.load(toy).rows["facilities"].loc["B1", "kind"] == "canteen"
    with pytest.raises(UnknownNameError, match="列"):
        add(tmp_path / "a.json", toy, "facilities", crs="WGS84", fill={"颜色": "红"})


@pytest.mark.slow
@pytest.mark.matrix
def test_old_workbooks(tmp_path: Path, toy: Path) -> None:
    office = shutil.which("soffice")
    if office is None:
        pytest.skip("no LibreOffice to write an .xls with")
    book(tmp_path / "a.xlsx", messy())
    home = f"-env:UserInstallation={(tmp_path / 'office').as_uri()}"
    command = [office, home, "--headless", "--convert-to", "xls", "--outdir", str(tmp_path), str(tmp_path / "a.xlsx")]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    old = add(tmp_path / "a.xls", toy, "facilities", crs="WGS84")
    new = add(tmp_path / "a.xlsx", toy, "facilities", crs="WGS84")
    pd.testing.assert_frame_equal(old.drop(columns="value"), new.drop(columns="value"))


@pytest.mark.slow
@pytest.mark.matrix
def test_rows_with_an_address_stand_in_the_compound_it_names(tmp_path: Path, toy: Path) -> None:
    homes = District.load(toy).rows["homes"]
    name = homes["name"].iloc[0]
    rows = [
        ["名称", "类别", "地址"],
        ["甲", "canteen", f"某街道{name}底商1号"],
        ["乙", "canteen", "不知道"],
        ["丙", "canteen", f"{name}和{homes['name'].iloc[1]}之间"],
    ]
    page = tmp_path / "落点.html"
    report = add(text(tmp_path / "a.csv", rows), toy, "facilities", place=page, apply=True, datum_checked=CHECKED)
    assert adds_up(report, 3)
    assert of(report, "note")["reason"].str.contains(f"小区“{name}”内一点").any()
    assert of(report, "refused")["row"].tolist() == [3, 4]
    got = District.load(toy).rows["facilities"].set_index("name")
    assert got.loc["甲", "basis"] == "derived"
    assert shapely.distance(got.geometry["甲"], homes.geometry.iloc[0]) == 0
    said = page.read_text("utf-8")
    assert "乙" in said
    assert "可能在" in said
    assert "http://www.w3.org/2000/svg" in said
    assert said.count("http:") + said.count("https:") == 1, "nothing is loaded"


@pytest.mark.matrix
@pytest.mark.browser
@pytest.mark.parametrize("phone", [False, True])
def test_rows_are_placed_by_hand(tmp_path: Path, toy: Path, chromium: Any, phone: bool) -> None:
    rows = [
        ["编号", "名称", "类别", "地址"],
        ["N1", "</script><b>甲".replace("<", "＜"), "canteen", "不知道"],
        ["N2", '乙"，x', "canteen", "</script><img src=x onerror=window.pwned=1>"],
    ]
    page_file = tmp_path / "落点.html"
    with pytest.raises(DataError, match="没有坐标"):
        add(text(tmp_path / "a.csv", rows), toy, "facilities", place=page_file)
    size = {"width": 390, "height": 844} if phone else {"width": 1200, "height": 800}
    tab = chromium.new_context(viewport=size, has_touch=phone, is_mobile=phone)
    page = tab.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda e: wrong.append(str(e)))
    page.on("request", lambda r: None if r.url.startswith(("file:", "blob:")) else wrong.append(r.url))
    page.goto(page_file.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator("#map").scroll_into_view_if_needed()
    box = page.locator("#map").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    if phone:  # two fingers drawn apart about the middle: nearer, what is in the middle stays there, nothing is placed
        scale = "new DOMMatrix(getComputedStyle(document.getElementById('world')).transform).a"
        before, fingers = page.evaluate(scale), tab.new_cdp_session(page)
        for kind, apart in (("touchStart", 30), ("touchMove", 45), ("touchMove", 60), ("touchEnd", 0)):
            points = [{"x": x + d, "y": y, "id": i} for i, d in enumerate((-apart, apart))] if apart else []
            fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        assert page.evaluate(scale) == pytest.approx(2 * before, rel=0.02)
        assert page.evaluate("placing.spots.filter(Boolean).length") == 0
    touch = page.touchscreen.tap if phone else page.mouse.click
    touch(x, y)
    touch(x + 40, y)
    with page.expect_download() as saved:
        page.click("#save")
    saved.value.save_as(tmp_path / "落点.csv")
    assert page.evaluate("window.pwned") is None
    assert not wrong
    tab.close()
    report = add(tmp_path / "落点.csv", toy, "facilities", crs="WGS84", apply=True, datum_checked=CHECKED)
    assert tally(report)["new"] == 2
    got = District.load(toy).rows["facilities"]
    assert got.loc["N2", "name"] == '乙"，x'
    west, south, east, north = District.load(toy).rows["district"].total_bounds
    assert got.geometry["N1"].x == pytest.approx((west + east) / 2, abs=3)
    assert got.geometry["N1"].y == pytest.approx((south + north) / 2, abs=3)


# --- drawings -------------------------------------------------------------------------------------------------------


def to_local(x: float, y: float) -> tuple[float, float]:
    """A grid of the drawing's own: turned by 30 degrees, its origin elsewhere."""
    c, s = np.cos(np.radians(30)), np.sin(np.radians(30))
    return 1000 + c * (x - 500_000) + s * (y - 4_320_000), 2000 - s * (x - 500_000) + c * (y - 4_320_000)


def drawing(path: Path, version: str, move: Callable[[float, float], tuple[float, float]]) -> Path:
    made = ezdxf.new(version)
    if version == "R12":
        made.encoding = "gbk"
    made.blocks.new("点位").add_circle((0, 0), 1)
    space = made.modelspace()
    for i in range(3):
        block = space.add_blockref("点位", move(X + 10 * i, Y), dxfattribs={"layer": "食堂"})
        block.add_attrib("编号", f"C{i}", (0, 0))
        block.add_attrib("名称", f"第{i}食堂", (0, 0))
    ring = [move(X + a, Y + b) for a, b in ((0, 0), (50, 0), (50, 40), (0, 40))]
    where = {"layer": "地块"}
    if version == "R12":
        space.add_polyline2d(ring, close=True, dxfattribs=where)
    else:
        space.add_lwpolyline(ring, close=True, dxfattribs=where)
    space.add_text("一号地", dxfattribs={"layer": "地块", "insert": move(X + 20, Y + 20)})
    space.add_text("孤字", dxfattribs={"layer": "地块", "insert": move(X + 500, Y + 500)})
    made.saveas(path)
    return path


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize("kind", ["R2013", "R2000", "R12", "R12 that says it is Western"])
def test_drawings(tmp_path: Path, toy: Path, kind: str) -> None:
    path = drawing(tmp_path / "a.dxf", kind.partition(" ")[0], lambda x, y: (x, y))
    if "Western" in kind:
        path.write_bytes(path.read_bytes().replace(b"ANSI_936", b"ANSI_1252"))
    with pytest.raises(SourceError, match="没有声明坐标系"):
        add(path, toy, "facilities", sheet="食堂", fill={"类别": "canteen"})
    report = add(
        path, toy, "facilities", crs=4548, sheet="食堂", fill={"类别": "canteen"}, apply=True, datum_checked=CHECKED
    )
    assert adds_up(report, 3)
    assert tally(report)["new"] == 3
    got = District.load(toy).rows["facilities"]
    assert got.loc[["C0", "C1", "C2"], "name"].tolist() == ["第0食堂", "第1食堂", "第2食堂"]
    assert shapely.distance(got.geometry["C1"], shapely.Point(X + 10, Y)) < 0.01
    report = add(path, toy, "parcels", crs=4548, sheet="地块", apply=True, datum_checked=CHECKED)
    assert adds_up(report, 3)
    assert tally(report)["new"] == 1
    parcels = District.load(toy).rows["parcels"]
    assert parcels["name"].tolist() == ["一号地"]
    assert parcels.area.iloc[0] == pytest.approx(2000, abs=0.1)
    with pytest.raises(SourceError, match="没有 CAD 图层“别的”"):
        add(path, toy, "parcels", crs=4548, sheet="别的")


def control(path: Path, swapped: bool = False, wrong: float = 0.0, n: int = 4) -> Path:
    spots = [(500_000, 4_320_000), (500_300, 4_320_010), (500_310, 4_320_250), (500_020, 4_320_300)][:n]
    rows = [["点名", "图上X", "图上Y", "东坐标", "北坐标"]]
    for i, spot in enumerate(spots):
        a, b = to_local(*spot)
        a += wrong if i == 1 else 0
        rows.append([f"K{i}", *((b, a) if swapped else (a, b)), *spot])  # type: ignore[list-item]
    return text(path, rows)


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize("swapped", [False, True])
def test_a_drawing_in_a_grid_of_its_own_is_tied_in(tmp_path: Path, toy: Path, swapped: bool) -> None:
    path = drawing(tmp_path / "a.dxf", "R2013", to_local)
    how: dict[str, Any] = {"crs": 4548, "sheet": "食堂", "fill": {"类别": "canteen"}}
    report = add(
        path, toy, "facilities", control=control(tmp_path / "c.csv", swapped), apply=True, datum_checked=CHECKED, **how
    )
    assert tally(report)["new"] == 3
    assert of(report, "note")["reason"].str.contains("残差").sum() == 4
    assert of(report, "note")["reason"].str.contains("旋转 30.00").any()
    got = District.load(toy).rows["facilities"]
    assert shapely.distance(got.geometry["C2"], shapely.Point(X + 20, Y)) < 0.01
    with pytest.raises(SourceError, match=r"控制点对不上：残差 K0") as caught:
        add(path, toy, "facilities", control=control(tmp_path / "d.csv", wrong=5), **how)
    assert caught.value.residuals["residual_m"].max() > 0.5
    with pytest.raises(SourceError, match="至少要 3 个"):
        add(path, toy, "facilities", control=control(tmp_path / "e.csv", n=2), **how)
    with pytest.raises(SourceError, match="缺少列"):
        add(path, toy, "facilities", control=text(tmp_path / "f.csv", [["点名"], ["K"]]), **how)


@pytest.mark.slow
def test_a_drawing_of_the_district_comes_back(tmp_path: Path, toy: Path) -> None:
    district = District.load(toy)
    counts = drawing_of(district, tmp_path / "a.dxf")
    drawing_of(district, tmp_path / "b.dxf")
    assert (tmp_path / "a.dxf").read_bytes() == (tmp_path / "b.dxf").read_bytes()
    facilities = district.layers["facilities"]
    assert counts["设施"] >= len(facilities)
    made = ezdxf.readfile(tmp_path / "a.dxf")
    assert not made.audit().has_errors
    blocks = {b.get_attrib_text("编号"): b for b in made.modelspace().query("INSERT")}
    for key, point in facilities.geometry[(facilities.geom_type == "Point").to_numpy()].items():
        assert tuple(blocks[key].dxf.insert)[:2] == pytest.approx((point.x, point.y), abs=1e-6)
    manifest = toy / "district.toml"
    manifest.write_text(
        manifest.read_text("utf-8").replace("[layers.homes]", '[layers.homes]\nsecrecy = "秘密"'), "utf-8"
    )
    with pytest.raises(SourceError, match="小区 的密级是 秘密，不能导出 DXF"):
        drawing_of(District.load(toy), tmp_path / "c.dxf")
    assert not (tmp_path / "c.dxf").exists()


# --- the right datum ------------------------------------------------------------------------------------------------


def listed(path: Path, frame: gpd.GeoDataFrame, datum: str, *, keys: bool) -> Path:
    spots = frame.to_crs(4326).geometry.representative_point()
    x, y = from_wgs84(spots.x, spots.y, datum)
    names = frame.index if keys else [f"new-{i}" for i in range(len(frame))]
    rows = [
        [k, n, c, repr(float(a)), repr(float(b))]
        for k, n, c, a, b in zip(names, frame["name"], frame["kind"], x, y, strict=True)
    ]
    return text(path, [HEAD, *rows])


@pytest.fixture
def one_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count once what is likely among a folder's own features: many lists are tried on folders that stay as they are."""
    count, counted = _datum._Places.likeness, {}

    def likeness(places: Any, peers: Any) -> Any:
        key = (peers.tobytes(), *(shapely.total_bounds(tree.geometries).tobytes() for tree, _ in places.trees))
        if key not in counted:
            counted[key] = count(places, peers)
        return counted[key]

    monkeypatch.setattr(_datum._Places, "likeness", likeness)


@pytest.fixture
def district_copy(tmp_path: Path) -> Path:
    folder = tmp_path / "xinhe"
    shutil.copytree(bundled_folder(), folder)
    return folder


@pytest.mark.slow
@pytest.mark.matrix
@pytest.mark.parametrize("datum", ["GCJ-02", "BD-09"])
def test_bundled_facilities_in_a_wrong_datum(
    tmp_path: Path, bundled_district: District, district_copy: Path, one_folder: None, datum: str
) -> None:
    """Rows already known give a wrong datum away; so do 602 new ones by the streets; 65 new ones by what they are named after."""
    everything = bundled_district.rows["facilities"]
    some = everything.iloc[:65]
    before = contents(district_copy)
    known = listed(tmp_path / "a.csv", some, datum, keys=True)
    with pytest.raises(SourceError, match=f"(?s)声明的坐标基准是 WGS84.*{datum}"):
        add(known, district_copy, "facilities", crs="WGS84", apply=True, datum_checked=CHECKED)
    many = listed(tmp_path / "b.csv", everything, datum, keys=False)
    with pytest.raises(SourceError, match=f"(?s)像是 {datum}.*中位距离.*BD-09　"):
        add(many, district_copy, "facilities", crs="WGS84", apply=True, datum_checked=CHECKED)
    few = listed(tmp_path / "c.csv", some, datum, keys=False)
    with pytest.raises(SourceError, match=f"(?s)像是 {datum}.*名称里有已知的地方") as caught:
        add(few, district_copy, "facilities", crs="WGS84", apply=True, datum_checked=CHECKED)
    assert caught.value.residuals.loc[datum, "median_m"] < 20
    assert caught.value.page.count("<figure>") == 3
    assert "http:" not in caught.value.page and "https:" not in caught.value.page
    assert contents(district_copy) == before


@pytest.mark.slow
@pytest.mark.matrix
@pytest.mark.parametrize("datum", DATUMS)
def test_declared_right_they_come_back(
    tmp_path: Path, bundled_district: District, district_copy: Path, datum: str
) -> None:
    some = bundled_district.rows["facilities"].iloc[:65]
    points_only = some[(some.geom_type == "Point").to_numpy()]
    assert len(points_only) >= 60
    assert tally(
        add(listed(tmp_path / "a.csv", points_only, datum, keys=True), district_copy, "facilities", crs=datum)
    )["unchanged"] == len(points_only)
    again = listed(tmp_path / "b.csv", points_only, datum, keys=False)
    seen = add(again, district_copy, "facilities", crs=datum)
    assert tally(seen)["new"] == 0, "an id of the office's own makes no second facility"
    add(again, district_copy, "facilities", crs=datum, apply=True, datum_checked=CHECKED, new=["all"])
    got = District.load(district_copy).rows["facilities"]
    new = got[got.index.str.startswith("new-")]
    assert (new["basis"] == "unstated").all(), "added to a layer of other basis"
    away = shapely.distance(new.geometry.array, points_only.geometry.array)
    assert away.max() < 0.01


@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "count"), [(0, 20), *(pytest.param(part, 250, marks=pytest.mark.matrix) for part in (1, 2, 3, 4))]
)
def test_honest_lists_are_never_refused(
    tmp_path: Path, bundled_district: District, one_folder: None, monkeypatch: pytest.MonkeyPatch, part: int, count: int
) -> None:
    """20 random subsets (before a release 1,000) of five rows and more through the whole of `add`: known ids, new ids, new ids and names."""
    whole = read_folder(bundled_folder())
    monkeypatch.setattr(current_layer, "read_folder", lambda folder: whole)
    monkeypatch.setattr(adding, "check_copy", lambda folder, files: [])
    everything = bundled_district.rows["facilities"]
    choose = np.random.default_rng([7, part])
    for k in range(count):
        some = everything.iloc[np.sort(choose.choice(len(everything), int(choose.integers(5, 41)), replace=False))]
        if k % 3 == 2:
            some = some.assign(name=[f"点{i}" for i in range(len(some))])
        report = add(
            listed(tmp_path / "a.csv", some, "WGS84", keys=k % 3 == 0), bundled_folder(), "facilities", crs="WGS84"
        )
        assert tally(report)["refused"] == 0


@pytest.mark.slow
@pytest.mark.matrix
def test_what_cannot_be_told_is_said_and_a_suspicion_asks(
    tmp_path: Path,
    bundled_district: District,
    district_copy: Path,
    one_folder: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Three namesakes that fit another datum stop an import until somebody has checked; nothing to compare with is said aloud."""
    homes = bundled_district.rows["homes"]
    named = homes[homes["name"].notna()].iloc[[3, 40, 77]]
    some = gpd.GeoDataFrame(
        {"name": [*named["name"], "甲", "乙"], "kind": "canteen"},
        crs=homes.crs,
        geometry=[*named.representative_point(), *homes.representative_point().iloc[[100, 120]]],
    )
    wrong = listed(tmp_path / "a.csv", some, "GCJ-02", keys=False)
    with pytest.raises(SourceError, match=r"(?s)更像 GCJ-02.*不能断定.*--datum-checked"):
        add(wrong, district_copy, "facilities", crs="WGS84")
    assert UNPROVEN in set(add(wrong, district_copy, "facilities", crs="WGS84", datum_checked=CHECKED)["column"])
    for datum in ("WGS84", "GCJ-02"):
        right = listed(tmp_path / "b.csv", some, datum, keys=False)
        assert tally(add(right, district_copy, "facilities", crs=datum))["new"] == 5
    unknown = listed(tmp_path / "c.csv", some.assign(name=[*"甲乙丙丁戊"]), "GCJ-02", keys=False)
    code = main(["add", str(unknown), "--to", str(district_copy), "--layer", "facilities", "--crs", "WGS84"])
    assert code == DONE
    assert "没有得到证实" in capsys.readouterr().err
    known = listed(tmp_path / "d.csv", bundled_district.rows["facilities"].iloc[:5], "WGS84", keys=True)
    report = add(known, district_copy, "facilities", crs="WGS84")
    assert UNPROVEN not in set(report["column"])
    assert report["reason"].str.contains("编号相同的 5 个要素吻合").any()


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize("datum", ["GCJ-02", "BD-09"])
def test_twenty_unknown_places_in_a_wrong_datum_are_refused(
    tmp_path: Path, bundled_district: District, district_copy: Path, datum: str
) -> None:
    """No known name, no known row, too few for the streets: how the rows that are there lie gives them away."""
    some = bundled_district.rows["facilities"].iloc[5::30].head(20)
    some = some.assign(name=[f"点{i}" for i in range(len(some))])
    wrong = listed(tmp_path / "a.csv", some, datum, keys=False)
    with pytest.raises(SourceError, match=f"(?s)声明的坐标基准是 WGS84.*同类要素.*最像 {datum}"):
        add(wrong, district_copy, "facilities", crs="WGS84", datum_checked=CHECKED)
    report = add(wrong, district_copy, "facilities", crs=datum)
    assert UNPROVEN not in set(report["column"])
    assert report["reason"].str.contains(f"坐标基准 {datum} 与目录吻合").any()


@pytest.mark.slow
@pytest.mark.matrix
def test_what_nothing_confirms_is_written_only_when_somebody_says_how_it_was_checked(
    tmp_path: Path, toy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, before = text(tmp_path / "a.csv", one()), contents(toy)
    assert UNPROVEN in set(add(path, toy, "facilities", crs="WGS84")["column"]), "looking is free"
    for said in ("", "   "):
        with pytest.raises(SourceError, match=r"没有得到证实(?s:.*)没有写入任何东西(?s:.*)--datum-checked"):
            add(path, toy, "facilities", crs="WGS84", apply=True, datum_checked=said)
    for said in ("yes", "=cmd()|x"):
        with pytest.raises(SourceError, match="--datum-checked"):
            add(path, toy, "facilities", crs="WGS84", apply=True, datum_checked=said)
    command = ["add", str(path), "--to", str(toy), "--layer", "facilities", "--crs", "WGS84", "--yes"]
    assert main(command) == DATA and "--datum-checked" in capsys.readouterr().err
    assert contents(toy) == before
    assert main([*command, "--datum-checked", "天地图上抽查 1 点，张三"]) == DONE
    source = District.load(toy).rows["facilities"].loc["P1", "source"]
    assert source == "a.csv；坐标基准 WGS84 已核对：天地图上抽查 1 点，张三"
    undo(toy)
    assert contents(toy) == before


@pytest.mark.slow
@pytest.mark.matrix
def test_a_known_row_put_right_confirms_the_datum_and_one_half_a_kilometre_off_does_not(
    tmp_path: Path, bundled_district: District, district_copy: Path
) -> None:
    some = bundled_district.rows["facilities"]
    some = some[(some.geom_type == "Point").to_numpy()].iloc[[4]]
    dragged = some.set_geometry(some.translate(110, -90))
    report = add(
        listed(tmp_path / "a.csv", dragged, "WGS84", keys=True), district_copy, "facilities", crs="WGS84", apply=True
    )
    assert tally(report)["moved"] == 1 and UNPROVEN not in set(report["column"])
    undo(district_copy)
    for datum in ("GCJ-02", "BD-09"):
        with pytest.raises(SourceError, match="没有得到证实"):
            add(
                listed(tmp_path / "b.csv", some, datum, keys=True), district_copy, "facilities", crs="WGS84", apply=True
            )


# --- persons --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_people_are_dropped_wherever_they_stand(tmp_path: Path, toy: Path) -> None:
    number, phone = "12010119800101123X", "13812345678"
    rows = [
        [*HEAD, "身份证号", "代码2", "户号", "备注"],
        ["P1", "点", "canteen", LON, LAT, number, number, "HK-00125", f"找 {phone}"],
        ["P2", "点二", "canteen", LON, LAT, None, number, "HK-00126", "好"],
    ]
    report = add(text(tmp_path / "a.csv", rows), toy, "facilities", crs="WGS84", apply=True, datum_checked=CHECKED)
    assert set(of(report, "dropped")["column"]) == {"身份证号", "代码2", "户号", "备注"}
    assert tally(report)["new"] == 2
    kept = b"".join(contents(toy).values()).decode("utf-8", "replace") + report.to_csv()
    assert not [secret for secret in (number, phone, "HK-0012") if secret in kept]
    assert District.load(toy).rows["facilities"].loc["P2", "note"] == "好"


@pytest.mark.slow
@pytest.mark.one_in(3)
@pytest.mark.parametrize("where", ["file", "title", "header"])
def test_lists_of_persons_in_trouble_are_refused(tmp_path: Path, toy: Path, where: str) -> None:
    rows = [
        ["社区矫正人员名单" if where == "title" else "名单"],
        [*HEAD, "刑释日期" if where == "header" else "备注"],
        ["P1", "点", "canteen", LON, LAT, ""],
    ]
    path = text(tmp_path / ("信访人员.csv" if where == "file" else "a.csv"), rows)
    with pytest.raises(SourceError, match="特殊人群"):
        add(path, toy, "facilities", crs="WGS84", apply=True, datum_checked=CHECKED)


# --- hostile files --------------------------------------------------------------------------------------------------


def one(**cells: Any) -> list[list[Any]]:
    row = {"编号": "P1", "名称": "点", "类别": "canteen", "经度": LON, "纬度": LAT} | cells
    return [list(row), list(row.values())]


@pytest.mark.slow
def test_duplicate_ids_take_the_first_and_report_the_rest(tmp_path: Path, toy: Path) -> None:
    cells = [["D", "甲", "canteen", LON, LAT], ["D", "乙", "canteen", LON, LAT], ["D", "丙", "canteen", LON, LAT]]
    report = add(text(tmp_path / "a.csv", [HEAD, *cells]), toy, "facilities", crs="WGS84")
    assert adds_up(report, 3)
    assert of(report, "refused")["row"].tolist() == [3, 4]


# --- never half done ------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.matrix
def test_undo_is_byte_for_byte(tmp_path: Path, toy: Path) -> None:
    states = [contents(toy)]
    for i, layer in enumerate(("facilities", "entrances", "facilities")):
        entrance = [["编号", "设施编号", "经度", "纬度"], ["E1", "F1", LON, LAT]]
        cells = entrance if layer == "entrances" else [HEAD, [f"U{i}", "点", "canteen", LON, LAT]]
        add(text(tmp_path / f"{i}.csv", cells), toy, layer, crs="WGS84", apply=True, datum_checked=CHECKED)
        states.append({k: v for k, v in contents(toy).items() if not k.startswith(".history")})
    assert "entrances" in District.load(toy).rows and not District.load(toy).without
    for state in states[-2::-1]:
        done = undo(toy)
        assert set(done["what"]) <= {"restored", "removed"}
        assert {k: v for k, v in contents(toy).items() if not k.startswith(".history")} == state
    assert contents(toy) == states[0]
    assert not (toy / ".history").exists()
    with pytest.raises(SourceError, match="没有可以撤销"):
        undo(toy)


@pytest.mark.slow
def test_undo_does_not_lose_later_work(tmp_path: Path, toy: Path) -> None:
    add(text(tmp_path / "a.csv", one()), toy, "facilities", crs="WGS84", apply=True, datum_checked=CHECKED)
    file = toy / "pois" / "facilities.geojson"
    file.write_bytes(file.read_bytes() + b"\n")
    with pytest.raises(SourceError, match="手工改过"):
        undo(toy)


@pytest.mark.slow
def test_what_was_changed_by_hand_can_be_undone_as_it_is_said(tmp_path: Path, toy: Path) -> None:
    """Whoever follows the steps has the folder as it was, and what he wrote into the manifest himself."""
    before = contents(toy)
    cells = [["编号", "设施编号", "经度", "纬度"], ["E1", "F1", LON, LAT]]
    add(text(tmp_path / "a.csv", cells), toy, "entrances", crs="WGS84", apply=True, datum_checked=CHECKED)
    manifest = toy / "district.toml"
    manifest.write_bytes(manifest.read_bytes() + b"# mine\n")
    with pytest.raises(SourceError, match=r"district\.toml 在导入以后手工改过") as stopped:
        undo(toy)
    said = str(stopped.value)
    kept, names = re.findall(r"把 (\S+/old) 里的 (\S+) 拷回原位", said)[0]
    for name in names.split("、"):
        shutil.copy(toy / kept / name, toy / name)
    for name in re.findall(r"删去这一次才有的 (\S+?)；", said)[0].split("、"):
        (toy / name).unlink()
    shutil.rmtree(toy / re.findall(r"删去文件夹 (\S+?)；", said)[0])
    manifest.write_bytes(manifest.read_bytes() + b"# mine\n")
    assert {k: v for k, v in contents(toy).items() if not k.startswith(".history")} == {
        **before,
        "district.toml": before["district.toml"] + b"# mine\n",
    }
    with pytest.raises(SourceError, match="没有可以撤销"):
        undo(toy)
    with pytest.raises(SourceError, match="没有这个文件夹"):
        undo(toy / "没有")


@pytest.mark.slow
def test_two_at_once(tmp_path: Path, toy: Path) -> None:
    path = text(tmp_path / "a.csv", one())
    with _journal.locked(toy), pytest.raises(EnvironmentProblem, match="另一个程序正在改"):
        add(path, toy, "facilities", crs="WGS84", apply=True, datum_checked=CHECKED)
    assert contents(toy) == contents(TOY)
    add(path, toy, "facilities", crs="WGS84", apply=True, datum_checked=CHECKED)


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize("layer", ["facilities", "entrances"])
def test_a_file_held_open_changes_nothing(
    tmp_path: Path, toy: Path, monkeypatch: pytest.MonkeyPatch, layer: str
) -> None:
    cells = one() if layer == "facilities" else [["编号", "设施编号", "经度", "纬度"], ["E1", "F1", LON, LAT]]
    held = "pois/facilities.geojson" if layer == "facilities" else "district.toml"
    before = contents(toy)
    replace = os.replace

    def refuse(source: Any, target: Any, **folders: Any) -> None:
        at = folders.get("dst_dir_fd")
        if Path("" if at is None else os.readlink(f"/proc/self/fd/{at}"), target) == toy / held:
            raise PermissionError(13, "Permission denied", str(target))
        replace(source, target, **folders)

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(EnvironmentProblem, match="关闭后重试"):
        add(text(tmp_path / "a.csv", cells), toy, layer, crs="WGS84", apply=True, datum_checked=CHECKED)
    monkeypatch.undo()
    assert contents(toy) == before


@pytest.mark.slow
@pytest.mark.matrix
def test_ten_thousand_rows_in_bounded_time(tmp_path: Path, toy: Path) -> None:
    cells = [[f"M{i}", f"点{i}", "canteen", LON + i * 1e-7, LAT] for i in range(10_000)]
    path = text(tmp_path / "a.csv", [HEAD, *cells])
    start = time.monotonic()
    report = add(path, toy, "facilities", crs="WGS84", apply=True, datum_checked=CHECKED)
    assert adds_up(report, 10_000)
    assert tally(add(path, toy, "facilities", crs="WGS84"))["unchanged"] == 10_000
    assert time.monotonic() - start < 60


KILLED = """
import os, shutil, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from xinhe_geo.district import District, recover, undo
from xinhe_geo.io import add

every, template, work, layer, *files = sys.argv[2:]

def state(folder):
    files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
    return {k: v for k, v in files.items() if not k.startswith(".history")}

def act(folder, what):
    if what == "add":
        add(files[0], folder, layer, crs="WGS84", apply=True, datum_checked="测试里量过")
    else:
        undo(folder, trust=True)  # a copy of the folder it was made in

def run(folder, what, n):
    # Dies just before the n-th change of the disk; returns whether it did.
    child = os.fork()
    if child == 0:
        left = [n]
        def deadly(call):
            def wrapped(*args, **kwargs):
                left[0] -= 1
                if left[0] < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return call(*args, **kwargs)
            return wrapped
        for name in ("replace", "unlink", "fsync", "mkdir", "rmdir"):
            setattr(os, name, deadly(getattr(os, name)))
        act(folder, what)
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])

old = Path(work) / "old"
shutil.copytree(template, old)
new = Path(work) / "new"
shutil.copytree(template, new)
act(new, "add")
before, after = state(old), state(new)
assert before != after
rows = {name: len(District.load(folder).rows.get(layer, ())) for name, folder in (("old", old), ("new", new))}
for what, start in (("add", old), ("undo", new)):
    moments, outcomes = 0, set()
    for n in range(0, 200, int(every)):
        folder = Path(work) / f"{what}-{n}"
        shutil.copytree(start, folder)
        killed = run(folder, what, n)
        seen = len(District.load(folder).rows.get(layer, ()))
        assert seen in rows.values(), (what, n, seen)
        recover(folder)
        found = state(folder)
        assert found in (before, after), (what, n, sorted(set(found) ^ set(after)))
        outcomes.add(found == after)
        # Whatever happened, the next one works.
        if found == before:
            act(folder, "add")
            assert state(folder) == after
        act(folder, "undo")
        assert state(folder) == before
        assert not (folder / ".history").exists()
        shutil.rmtree(folder)
        if not killed:
            break
        moments += 1
    assert outcomes == {True, False}, outcomes
    print(what, moments)
    assert moments * int(every) >= 8, moments
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("layer", ["facilities", "entrances"])
@pytest.mark.one_in(2)
@pytest.mark.parametrize("every", [30, pytest.param(1, marks=pytest.mark.matrix)])
def test_a_kill_at_any_moment_leaves_old_or_new(tmp_path: Path, layer: str, every: int) -> None:
    """
    `facilities` is there already; `entrances` is new, so its file and the manifest have to appear together.

    Every thirtieth moment, before a release every one; every state of the disk, without killing, has `tests/district/test_killed.py`.
    """
    cells = one() if layer == "facilities" else [["编号", "设施编号", "经度", "纬度"], ["E1", "F1", LON, LAT]]
    path = text(tmp_path / "a.csv", cells)
    program = tmp_path / "killed.py"
    program.write_text(textwrap.dedent(KILLED), "utf-8")
    work = tmp_path / "work"
    work.mkdir()
    done = subprocess.run(
        [sys.executable, str(program), str(ROOT), str(every), str(TOY), str(work), layer, str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_recover_says_whether_there_was_anything(toy: Path) -> None:
    assert recover(toy) is False
    assert contents(toy) == contents(TOY)


@pytest.mark.slow
@pytest.mark.matrix
def test_a_folder_with_other_errors_can_still_be_added_to(tmp_path: Path, toy: Path) -> None:
    (toy / "homes" / "gates.geojson").write_bytes(b"{")
    add(text(tmp_path / "a.csv", one()), toy, "facilities", crs="WGS84", apply=True, datum_checked=CHECKED)
    broken = check(toy)
    assert set(broken[broken["severity"] == "error"]["layer"]) == {"gates"}
    with pytest.raises(DataError):
        add(
            text(tmp_path / "b.csv", [["编号", "小区编号", "经度", "纬度"], ["g", "h", LON, LAT]]),
            toy,
            "gates",
            crs="WGS84",
        )


@pytest.mark.slow
@pytest.mark.matrix
def test_same_inputs_same_bytes(tmp_path: Path, toy: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(toy, other)
    path = text(tmp_path / "a.csv", one())
    first = add(path, toy, "facilities", crs="WGS84", apply=True, datum_checked=CHECKED)
    second = add(path, other, "facilities", crs="WGS84", apply=True, datum_checked=CHECKED)
    assert contents(toy) == contents(other)
    pd.testing.assert_frame_equal(first, second)


@pytest.mark.slow
def test_a_table_without_data_or_known_headers_says_what_it_has(toy: Path, tmp_path: Path) -> None:
    (tmp_path / "空.csv").write_bytes(b"\xef\xbb\xbf\r\n")
    with pytest.raises(SourceError, match="没有数据"):
        add(tmp_path / "空.csv", toy, "facilities", crs="WGS84")
    with pytest.raises(SourceError, match="甲、乙"):
        add(text(tmp_path / "a.csv", [["甲", "乙"], [1, 2]]), toy, "facilities", crs="WGS84")


@pytest.mark.slow
def test_a_row_with_a_name_and_no_number_is_told_that_the_number_is_missing(toy: Path, tmp_path: Path) -> None:
    rows = [HEAD, ["n1", "新站", "老年食堂", LON, LAT], ["", "有名称的站", "老年食堂", LON, LAT]]
    report = add(text(tmp_path / "a.csv", rows), toy, "facilities", crs="WGS84")
    (reason,) = of(report, "refused")["reason"]
    assert "没有编号" in reason and "没有名称" not in reason


@pytest.mark.slow
def test_a_basis_that_does_not_come_in_is_told(tmp_path: Path) -> None:
    """`basis` is of rows that are new or move; of the others it is said what they go on resting on, here and in the table of layers."""
    folder = shutil.copytree(TOY, tmp_path / "toy")
    there = District.load(folder).rows["facilities"].to_crs(4326)
    lines = [
        f"{key},{row['name']}（改）,{row['kind']},{row.geometry.x},{row.geometry.y}" for key, row in there.iterrows()
    ]
    lines.append(f"N1,新食堂,canteen,{there.geometry.x.iloc[0] + 0.002},{there.geometry.y.iloc[0]}")
    (tmp_path / "a.csv").write_text("\n".join(["编号,名称,类别,经度,纬度", *lines]), "utf-8-sig")
    told = add(
        tmp_path / "a.csv", folder, "facilities", crs="WGS84", datum_checked=CHECKED, basis="official", apply=True
    )
    note = told.loc[(told["column"] == "依据类型").to_numpy(), "reason"]
    assert list(note) == [f"目录里已有、位置没有动的行依据不变：实测 {len(there)}；--basis 只记在新增和移动的行上"]
    district = District.load(folder)
    bases = district.basis("facilities")  # of those that stand in the year of the data
    assert bases["N1"] == "official" and set(bases.drop("N1")) == {"surveyed"}
    table = sources_table(district).set_index("图层")["依据类型"]
    assert table["设施"] == f"实测 {len(bases) - 1}、官方 1" and table["小区"] == "实测"
    again = add(tmp_path / "a.csv", folder, "facilities", crs="WGS84", datum_checked=CHECKED, basis="surveyed")
    assert "官方 1；" in again.loc[(again["column"] == "依据类型").to_numpy(), "reason"].iloc[0]
    silent = add(tmp_path / "a.csv", folder, "facilities", crs="WGS84", datum_checked=CHECKED)
    assert not silent["reason"].str.contains("依据不变").any()


@pytest.mark.slow
def test_rows_of_another_layer_are_called_by_their_names(tmp_path: Path) -> None:
    """Gates by the name of their home, under any usual head; of a name that several have the codes are suggested."""
    folder = tmp_path / "toy"
    shutil.copytree(TOY, folder)
    for head in ("小区", "小区名称", "所属小区", "小区编号"):
        path = tmp_path / f"{head}.csv"
        path.write_text(
            f"{head},出入口名称,东坐标,北坐标\n甲苑,甲苑西门,500020,4320050\n丙苑小区,丙苑门,500410,4320150\n", "utf-8"
        )
        report = add(path, folder, "gates", crs=4548, apply=head == "小区编号", datum_checked="测试里量过")
        assert tally(report)["new"] == 2, report.to_string()
    gates = District.load(folder).rows["gates"]
    assert gates.set_index("name")["home"].loc[["甲苑西门", "丙苑门"]].tolist() == ["A", "C"]
    homes = folder / "homes" / "homes.geojson"
    homes.write_text(homes.read_text("utf-8").replace("丙苑", "甲苑"), "utf-8")
    path.write_text("小区,出入口名称,东坐标,北坐标\n甲苑,又一门,500020,4320060\n", "utf-8")
    with pytest.raises(DataError, match="写编号：A、C"):
        add(path, folder, "gates", crs=4548, datum_checked="测试里量过")
