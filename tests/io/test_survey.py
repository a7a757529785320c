"""A filled form of a survey: every line of it is taken, asked about or explained, and undo brings back the bytes of before."""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import geopandas as gpd
import openpyxl
import pytest
import shapely

import xinhe_geo as xh
from xinhe_geo.access import facts_in_doubt
from xinhe_geo.district import undo
from xinhe_geo.io import SHEETS, SurveyRow, answers_tally, heads_of, survey_book, take_survey

TOY = Path(__file__).parents[1] / "toy"
#: Who was there, and when.
SEEN = {"工号": "A017", "日期": "2026-11-28"}
#: What is written on a line (layer, id, cells), and what has to become of it.
LINES: list[tuple[str, str, dict[str, object], str, str]] = [
    ("gates", "gA", {"核实情况": "开放", "开放时段": "6:00—22:00", "对谁开放": "仅本小区居民", **SEEN}, "taken", "6:00"),
    ("gates", "gB", {"核实情况": "不开放", "台阶级数": 3, "坡道": "没有", **SEEN}, "taken", "状态 停用"),
    ("gates", "gB2", {"核实情况": "未能核实", **SEEN}, "explained", "仍算待核"),
    ("gates", "gE", {**SEEN}, "explained", "没有填"),
    ("gates", "n1", {"核实情况": "未能核实", "坡道": "有", **SEEN}, "asked", "未能核实"),
    ("gates", "n2", {"核实情况": "不开放", "开放时段": "全天", **SEEN}, "asked", "开放时段"),
    ("gates", "n3", {"核实情况": "开放", "对谁开放": "仅车辆", **SEEN}, "asked", "仅车辆"),
    ("gates", "n4", {"核实情况": "查无", "台阶级数": 2, **SEEN}, "asked", "查无"),
    ("gates", "n5", {"核实情况": "开着", **SEEN}, "asked", "不认识"),
    ("gates", "n6", {"开放时段": "全天", **SEEN}, "asked", "没有填核实情况"),
    ("gates", "n7", {"核实情况": "开放", "台阶级数": "很多", **SEEN}, "asked", "台阶级数"),
    ("gates", "n8", {"核实情况": "开放", "台阶级数": -2, **SEEN}, "asked", "台阶级数"),
    ("gates", "n9", {"核实情况": "开放", "开放时段": "=1+1", **SEEN}, "asked", "开放时段"),
    ("gates", "n10", {"核实情况": "开放", "日期": "2026-11-28"}, "asked", "工号"),
    ("gates", "n11", {"核实情况": "开放", "工号": "A017"}, "asked", "日期"),
    ("gates", "n12", {"核实情况": "开放", "工号": "张三丰", "日期": "2026-11-28"}, "asked", "工号"),
    ("gates", "n13", {"核实情况": "开放", "工号": "13812345678", "日期": "2026-11-28"}, "asked", "工号"),
    ("gates", "n14", {"核实情况": "开放", "工号": "A017", "日期": "上周"}, "asked", "日期"),
    ("gates", "n15", {"核实情况": "开放", "工号": "A017", "日期": "2026-02-30"}, "asked", "日期"),
    ("gates", "n16", {"核实情况": "开放", "工号": "A017", "日期": "2026年11月8日"}, "taken", "记为实测"),
    ("gates", "n17", {"核实情况": "查无", **SEEN}, "taken", "状态 停用"),
    ("gates", "n18", {"核实情况": "开放", **SEEN}, "asked", "填得不一样"),
    ("gates", "n18", {"核实情况": "不开放", **SEEN}, "asked", "填得不一样"),
    ("gates", "n19", {"核实情况": "开放", "工号": "A018", "日期": "2026-11-20"}, "explained", "填得一样"),
    ("gates", "n19", {"核实情况": "开放", **SEEN}, "taken", "记为实测"),
    ("gates", "n20", {"核实情况": "开放", "备注": "京A12345 停在门口", **SEEN}, "taken", "备注"),
    ("gates", "gone", {"核实情况": "开放", **SEEN}, "asked", "没有这个编号"),
    ("gates", "", {"核实情况": "开放", **SEEN}, "asked", "没有编号"),
    ("facilities", "F1", {"核实情况": "正常", "图上位置": "对", "建筑面积（m²）": 820, **SEEN}, "taken", "820"),
    ("facilities", "F2", {"核实情况": "正常", "图上位置": "不对", "服务社区": "甲社区、乙社区", **SEEN}, "taken", "T01;T02"),
    ("facilities", "F3", {"核实情况": "正常", **SEEN}, "taken", "位置仍算待核"),
    ("facilities", "F5", {"核实情况": "挂牌未运营", "床位": "20张", **SEEN}, "taken", "规模 20"),
    ("facilities", "F4", {"核实情况": "查无", **SEEN}, "explained", "数据年"),
    ("facilities", "P5", {"核实情况": "查无", "床位": 5, **SEEN}, "asked", "查无"),
    ("facilities", "P2", {"核实情况": "搬迁", "图上位置": "对", **SEEN}, "asked", "搬迁"),
    ("facilities", "P3", {"核实情况": "停业", **SEEN}, "taken", "状态 停用"),
    ("facilities", "P4", {"核实情况": "正常", "床位": "不少", **SEEN}, "asked", "规模"),
    ("facilities", "P1", {"核实情况": "正常", "服务社区": "丁社区", **SEEN}, "asked", "服务社区"),
    ("streets", "bridge", {"核实情况": "已测", **dict(zip(
        ("第一次等待（秒）", "第二次等待（秒）", "第三次等待（秒）"), (20, 40, 45), strict=True)), **SEEN}, "taken", "35"),
    ("streets", "s1", {"核实情况": "已测", "第一次等待（秒）": 20, **SEEN}, "asked", "1 次"),
]  # fmt: off


def folder_in(place: Path) -> Path:
    """Return a copy of the toy in which nobody has checked gates and facilities, with more of both."""
    folder = place / "toy"
    shutil.copytree(TOY, folder)
    manifest = folder / "district.toml"
    text = manifest.read_text("utf-8")
    for layer in ("gates", "facilities"):
        text = re.sub(rf'(\[layers\.{layer}\][^\[]*?basis = )"surveyed"', r'\1"osm"', text)
    manifest.write_text(text, "utf-8")
    for file, key, more in (
        ("homes/gates.geojson", "gate", {f"n{i}": {"home": "B"} for i in range(21)}),
        ("pois/facilities.geojson", "facility", {f"P{i}": {"kind": "fitness"} for i in range(1, 6)}),
    ):
        path = folder / file
        told = json.loads(path.read_text("utf-8"))
        for name, own in more.items():
            shape = {"type": "Point", "coordinates": [500150.0, 4320320.0]}
            told["features"].append({"type": "Feature", "properties": {key: name, **own}, "geometry": shape})
        path.write_text(json.dumps(told, ensure_ascii=False), "utf-8")
    return folder


def form_in(place: Path, lines: list[tuple[str, str, dict[str, object]]]) -> Path:
    """Return a workbook as `survey` writes it, filled in."""
    rows = [SurveyRow(layer, key, i, "甲社区", "", "") for i, (layer, key, _) in enumerate(lines, 1)]
    path = place / "form.xlsx"
    path.write_bytes(survey_book("核查表", rows, ["甲社区", "乙社区"]))
    book = openpyxl.load_workbook(path)
    rows = dict.fromkeys(SHEETS, 1)
    for layer, _, cells in lines:
        rows[layer] += 1
        for head, value in cells.items():
            cell = book[SHEETS[layer].name].cell(rows[layer], heads_of(layer).index(head) + 1)
            cell.value = value
    book.save(path)
    return path


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def street_named(folder: Path) -> str:
    streets = xh.District.load(folder).rows["streets"].index
    return next(str(name) for name in streets if name != "bridge")


@pytest.mark.slow
def test_forty_answers_are_each_taken_asked_or_explained(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    other = street_named(folder)
    lines = [(layer, other if key == "s1" else key, cells) for layer, key, cells, _, _ in LINES]
    assert len(lines) == 40
    form, before = form_in(tmp_path, lines), bytes_of(folder)
    found = take_survey(form, folder, surveyed=True)
    assert bytes_of(folder) == before, "nothing is written unless it is asked for"
    wrong = [
        (row.id, row.outcome, row.what)
        for row, (_, _, _, outcome, said) in zip(found.itertuples(), LINES, strict=True)
        if row.outcome != outcome or said not in row.what
    ]
    assert not wrong
    told = answers_tally(found)
    assert told["answers"] == 40 == told["taken"] + told["asked"] + told["explained"] and min(told.values()) > 0
    assert found.loc[found["outcome"] == "asked", "remedy"].str.len().gt(0).all(), (
        "what to do is said of each that is asked"
    )
    assert "张三丰" not in found.to_csv() and "13812345678" not in found.to_csv() and "京A12345" not in found.to_csv()


@pytest.mark.slow
def test_what_is_taken_is_written_and_nothing_else_and_undo_brings_it_back(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    other = street_named(folder)
    form = form_in(tmp_path, [(layer, other if key == "s1" else key, cells) for layer, key, cells, _, _ in LINES])
    before = bytes_of(folder)
    planned = take_survey(form, folder, surveyed=True)
    assert planned.equals(take_survey(form, folder, surveyed=True, apply=True))
    after = xh.District.load(folder)
    gates, places = after.rows["gates"], after.rows["facilities"]
    assert dict(gates.loc["gB", ["state", "steps", "ramp", "basis", "checked_by", "checked_on"]]) == {
        "state": "closed", "steps": 3, "ramp": "no", "basis": "surveyed", "checked_by": "A017", "checked_on": "2026-11-28",
    }  # fmt: off
    assert tuple(gates.loc["gA", ["open_to", "hours"]]) == ("residents", "6:00—22:00")
    assert gates.loc["n16", "checked_on"] == "2026-11-08" and gates["note"].isna().all()
    assert after.rows["streets"].loc["bridge", "wait_s"] == (20 + 40 + 45) / 3
    assert places.loc["F1", "basis"] == "surveyed" and places.loc["F2", ["basis", "checked_by"]].isna().all()
    assert "京A" not in "".join(content.decode("utf-8", "replace") for content in bytes_of(folder).values())
    # a line that was not taken left its row as it was
    for layer, key, _, outcome, _ in LINES:
        rows = after.rows[layer]
        if outcome != "taken" and key in rows.index and layer == "gates" and key != "n19":
            assert gates.loc[key, ["checked_by", "basis"]].isna().all(), key
    undo(folder)
    kept = bytes_of(folder)
    assert {name: kept[name] for name in before} == before


@pytest.mark.slow
@pytest.mark.matrix
def test_the_same_form_again_changes_nothing(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    form = form_in(tmp_path, [("gates", "gA", {"核实情况": "开放", **SEEN})])
    take_survey(form, folder, surveyed=True, apply=True)
    first = bytes_of(folder)
    again = take_survey(form, folder, surveyed=True, apply=True)
    assert bytes_of(folder) == first and again["outcome"].tolist() == ["taken"] and "一样" in again["what"].iloc[0]


@pytest.mark.slow
@pytest.mark.matrix
def test_only_a_person_makes_it_surveyed(tmp_path: Path) -> None:
    """Without the confirmation the answers are taken, nobody signs, and the rows stay in doubt; with it they leave it."""
    folder = folder_in(tmp_path)
    form = form_in(tmp_path, [
        ("gates", "gB", {"核实情况": "不开放", **SEEN}),
        ("facilities", "F1", {"核实情况": "正常", "图上位置": "对", **SEEN}),
        ("facilities", "F2", {"核实情况": "正常", "图上位置": "不对", **SEEN}),
    ])  # fmt: off
    before = set(facts_in_doubt(xh.District.load(folder)).index)
    assert not take_survey(form, folder, apply=True)["signed"].any()
    unsigned = xh.District.load(folder)
    assert unsigned.rows["gates"].loc["gB", "state"] == "closed" and unsigned.rows["gates"]["checked_by"].isna().all()
    assert set(facts_in_doubt(unsigned).index) == before
    assert take_survey(form, folder, surveyed=True, apply=True)["signed"].tolist() == [True, True, False]
    left = set(facts_in_doubt(xh.District.load(folder)).index)
    assert before - left == {"gates:gB:gate", "facilities:F1:position"} and not left - before


@pytest.mark.slow
@pytest.mark.matrix
def test_a_later_check_is_not_overwritten_by_an_older_form(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    take_survey(form_in(tmp_path, [("gates", "gA", {"核实情况": "开放", **SEEN})]), folder, surveyed=True, apply=True)
    older = form_in(tmp_path, [("gates", "gA", {"核实情况": "不开放", "工号": "A017", "日期": "2026-11-01"})])
    found = take_survey(older, folder, surveyed=True, apply=True)
    assert found["outcome"].tolist() == ["asked"] and "2026-11-28" in found["what"].iloc[0]


@pytest.mark.slow
def test_whatever_is_typed_the_counts_add_up(tmp_path: Path) -> None:
    """Forty lines of cells drawn at random from what people type: one outcome each, nothing else changes, undo brings it back."""
    folder, chance = folder_in(tmp_path), random.Random(7)
    words: Mapping[str, list[object]] = {
        "核实情况": ["开放", "不开放", "查无", "未能核实", "正常", "?", None],
        "开放时段": [None, "全天", "<b>"], "对谁开放": [None, "任何人", "仅车辆"], "台阶级数": [None, 0, "x"],
        "坡道": [None, "有"], "工号": ["A1", "李四", None], "日期": ["2026-11-28", "昨天", None],
    }  # fmt: off
    known = [*xh.District.load(folder).rows["gates"].index, "none"]
    lines = [
        ("gates", chance.choice(known), {head: chance.choice(some) for head, some in words.items()}) for _ in range(40)
    ]
    before = bytes_of(folder)
    form = form_in(tmp_path, lines)
    found = take_survey(form, folder, surveyed=True, apply=True)
    told = answers_tally(found)
    assert told["answers"] == 40 == told["taken"] + told["asked"] + told["explained"]
    assert found["row"].is_unique and found["what"].str.len().gt(0).all()
    changed = {name for name, content in bytes_of(folder).items() if before.get(name) != content}
    assert {name for name in changed if not name.startswith(".history")} <= {"homes/gates.geojson"}
    if changed:
        undo(folder)
    assert {name: content for name, content in bytes_of(folder).items() if name in before} == before


@pytest.mark.slow
def test_stairs_are_asked_taken_and_settle_what_is_in_doubt_of_a_way(tmp_path: Path) -> None:
    """Of the bridge is in doubt whether one can pass and by stairs: that it has some is written, and both leave; a day to come is asked about."""
    folder = folder_in(tmp_path)
    rows = [f"{what},streets,{what},surveyed,footway,convention,试验" for what in ("stairs", "street")]
    (folder / "doubts.csv").write_text("\n".join(["doubt,layer,what,basis,classes,confidence,source", *rows]), "utf-8")
    manifest = folder / "district.toml"
    manifest.write_text(manifest.read_text("utf-8") + '\n[layers.doubts]\nfile = "doubts.csv"\n', "utf-8")
    in_doubt = {"streets:bridge:stairs", "streets:bridge:street"}
    assert in_doubt <= set(facts_in_doubt(xh.District.load(folder)).index)
    assert "bridge" in xh.survey(xh.District.load(folder), tmp_path / "out", most=1, crossings=1)["id"].tolist()
    cases = {
        "h0": ({"核实情况": "走不通"}, "asked", "走不通"),
        "h100": ({"核实情况": "能走", "有没有台阶": "不少"}, "asked", "不认识"),
        "h200": ({"核实情况": "已测", "有没有台阶": "有"}, "asked", "0 次"),
        "h300": ({"核实情况": "能走", "有没有台阶": "有", "第一次等待（秒）": 9}, "asked", "1 次"),
        "h400": ({"核实情况": "能走", "有没有台阶": "有", "日期": "2199-01-01"}, "asked", "还没有到"),
        "h500": ({"核实情况": "能走"}, "taken", "仍算待核"),
        "bridge": ({"核实情况": "能走", "有没有台阶": "有"}, "taken", "台阶 有（原来是 没有）"),
    }
    form = form_in(tmp_path, [("streets", key, {**SEEN, **cells}) for key, (cells, *_) in cases.items()])
    found = take_survey(form, folder, surveyed=True, apply=True)
    for (_, outcome, said), row in zip(cases.values(), found.itertuples(), strict=True):
        assert row.outcome == outcome and said in row.what, row
    after = xh.District.load(folder)
    assert after.rows["streets"].loc["bridge", "steps"] and not in_doubt & set(facts_in_doubt(after).index)
    undo(folder)
    assert in_doubt <= set(facts_in_doubt(xh.District.load(folder)).index)


@pytest.mark.matrix
def test_a_geopackage_is_read_as_the_workbook(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    cells = {"核实情况": "不开放", **SEEN}
    heads = heads_of("gates")
    row = {head: cells.get(head) for head in heads} | {"编号": "gB"}
    spot = shapely.Point(0, 0)  # where somebody dragged it to: not taken
    frame = gpd.GeoDataFrame([row], geometry=[spot], crs="EPSG:4548")
    frame = frame[["geometry", *reversed(heads)]].assign(uuid="x", 照片=None)  # as a project on the telephone has it
    frame.to_file(tmp_path / "form.gpkg", layer="出入口", driver="GPKG")
    track = gpd.GeoDataFrame({"工号": ["A017"]}, geometry=[shapely.LineString([(0, 0), (1, 1)])], crs="EPSG:4548")
    track.to_file(tmp_path / "form.gpkg", layer="轨迹", driver="GPKG")
    found = take_survey(tmp_path / "form.gpkg", folder, surveyed=True, apply=True)
    assert found[["sheet", "id", "outcome"]].values.tolist() == [["出入口", "gB", "taken"]]
    gate = xh.District.load(folder).rows["gates"].loc["gB"]
    assert gate["state"] == "closed" and gate.geometry.distance(shapely.Point(500150, 4320320)) < 1


@pytest.mark.parametrize("name", ["form.docx", "none.xlsx", "list.xlsx"])
def test_what_is_no_form_is_refused(tmp_path: Path, name: str) -> None:
    folder = folder_in(tmp_path)
    if name == "form.docx":
        (tmp_path / name).write_bytes(b"x")
    if name == "list.xlsx":
        book = openpyxl.Workbook()
        book.active.append(["编号", "名称"])
        book.save(tmp_path / name)
    with pytest.raises(xh.SourceError, match="不存在" if name == "none.xlsx" else "核查表"):
        take_survey(tmp_path / name, folder)
