"""Next year's list of a kind: each change by its name, other kinds untouched, earlier years as they were, undone to the byte."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
import shapely.affinity

from xinhe_geo.access import coverage, facility_changes
from xinhe_geo.access.entrances import entrances_of_open
from xinhe_geo.core import SourceError, UnknownNameError
from xinhe_geo.district import District, undo
from xinhe_geo.io import Coordinates, Request, Wishes, add, tally, update
from xinhe_geo.io.densities import in_all
from xinhe_geo.ledger import changes, ledger_record

TOY = Path(__file__).parents[1] / "toy"
SAID = Request(Coordinates(4548, checked="测试里量过三点"))
#: Canteens of the toy besides its own F2: name, east, north (metres from the corner of the toy).
THERE = {"东食堂": (400, 300), "西食堂": (60, 300), "南食堂": (300, 20), "老店": (500, 200), "旧名": (700, 30)}
#: The list of the year after: three closed (东, 西, 南), two opened, 老店 moved 200 m, 旧名 renamed, 北食堂 as it was.
NEXT = {"北食堂": (150, 290), "老店": (500, 400), "新名": (700, 30), "甲食堂": (50, 150), "乙食堂": (600, 500)}
KEYS = {"北食堂": "F2", "老店": "C4", "新名": "C5", "甲食堂": "N1", "乙食堂": "N2"}


def table(path: Path, rows: list[dict[str, Any]]) -> Path:
    pd.DataFrame(rows).to_csv(path, index=False, encoding="utf-8-sig")
    return path


def row(key: str, name: str, place: tuple[float, float], **more: Any) -> dict[str, Any]:
    return {"编号": key, "名称": name, "东坐标": 500000 + place[0], "北坐标": 4320000 + place[1], **more}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy with five canteens more, as of 2022."""
    place = tmp_path_factory.mktemp("made")
    target = place / "玩具"
    shutil.copytree(TOY, target)
    file = table(
        place / "现有.csv", [row(f"C{i}", n, at, 类别="canteen") for i, (n, at) in enumerate(THERE.items(), 1)]
    )
    add(file, target, "facilities", crs=4548, apply=True, datum_checked="测试里量过三点")
    return target


@pytest.fixture
def folder(tmp_path: Path, made: Path) -> Path:
    return shutil.copytree(made, tmp_path / "玩具")


@pytest.fixture
def following(tmp_path: Path) -> Path:
    return table(tmp_path / "2026.csv", [row(KEYS[name], name, at) for name, at in NEXT.items()])


def contents(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and ".history" not in p.parts
    }


def open_in(folder: Path, year: int, kind: str = "canteen") -> dict[str, tuple[str, float, float]]:
    rows = District.load(folder).at(year).open_facilities
    assert rows is not None
    own = rows[rows["kind"] == kind]
    centres = shapely.get_coordinates(shapely.centroid(own.geometry.array)).round(1)
    return {k: (str(n), float(x), float(y)) for k, n, (x, y) in zip(own.index, own["name"], centres, strict=True)}


def others(folder: Path) -> list[dict[str, Any]]:
    features = json.loads((folder / "pois" / "facilities.geojson").read_text("utf-8"))["features"]
    return [f for f in features if f["properties"]["kind"] != "canteen"]


@pytest.mark.slow
@pytest.mark.matrix
def test_each_change_is_told_by_name_and_earlier_years_stay(folder: Path, following: Path) -> None:
    before, then, rest = contents(folder), open_in(folder, 2022), others(folder)
    report = update(following, folder, kind="canteen", year=2026, request=SAID, apply=True)
    counts = tally(report)
    told = {name: counts[name] for name in ("new", "closed", "moved", "renamed", "unchanged", "refused", "unclear")}
    assert told == {"new": 2, "closed": 3, "moved": 1, "renamed": 1, "unchanged": 1, "refused": 0, "unclear": 0}
    assert set(report.loc[report["result"] == "closed", "value"]) == {"东食堂", "西食堂", "南食堂"}
    assert {n for n, _, _ in open_in(folder, 2026).values()} == set(NEXT)
    assert open_in(folder, 2026)["C4"][1:] == (500500.0, 4320400.0)
    assert open_in(folder, 2022) == then == open_in(folder, 2025), "the years before stay as they were"
    assert others(folder) == rest, "no row of another kind is touched"
    assert District.load(folder).year == 2026
    undo(folder)
    assert contents(folder) == before


@pytest.mark.slow
def test_drawn_entrances_stay_with_what_stays_and_end_where_something_moves_away(folder: Path, following: Path) -> None:
    """老店 moves 200 m: its door ends with the year before, so that nobody walks to the new place by the old door."""
    doors = [row("D4", "门", (510, 200), 设施编号="C4"), row("D2", "门", (150, 280), 设施编号="F2")]
    add(
        table(folder.parent / "门.csv", doors),
        folder,
        "entrances",
        crs=4548,
        apply=True,
        datum_checked="测试里量过三点",
    )
    before = contents(folder)["pois/entrances.geojson"]
    report = update(following, folder, kind="canteen", year=2026, request=SAID, apply=True)
    assert report["reason"].str.contains("C4 移走了，原处的 1 个出入口到 2025 年为止").sum() == 1
    old, new = (District.load(folder).at(year).entrances for year in (2025, 2026))
    assert old is not None and new is not None and (set(old.index), set(new.index)) == ({"D4", "D2"}, {"D2"})
    new_places = entrances_of_open(District.load(folder)).query("place == 'C4'")
    assert len(new_places), "C4 is entered where it is now"
    undo(folder)
    assert contents(folder)["pois/entrances.geojson"] == before
    update(
        table(following, [row("F2", "北食堂", (150, 290))]), folder, kind="canteen", year=2026, request=SAID, apply=True
    )
    assert contents(folder)["pois/entrances.geojson"] == before, "nothing moved: no byte of the entrances"


@pytest.mark.slow
@pytest.mark.parametrize(("east", "told"), [(0, 0), (20, 0), (200, 1)])
def test_a_position_put_right_says_which_doors_are_drawn_where_it_was(folder: Path, east: float, told: int) -> None:
    """The list of all years is not ended by a correction: the door stays as it is drawn, and somebody has to look at it."""
    doors = [row("D4", "门", (510, 200), 设施编号="C4"), row("D2", "门", (150, 280), 设施编号="F2")]
    place = folder.parent
    add(table(place / "门.csv", doors), folder, "entrances", crs=4548, apply=True, datum_checked="测试里量过三点")
    before = contents(folder)["pois/entrances.geojson"]
    there = THERE["老店"]
    file = table(place / "改.csv", [row("C4", "老店", (there[0] + east, there[1]))])
    report = add(file, folder, "facilities", crs=4548, apply=True, datum_checked="测试里量过三点")
    assert report["reason"].str.contains("C4 移动了，1 个出入口还画在原处").sum() == told
    assert contents(folder)["pois/entrances.geojson"] == before
    homes = gpd.read_file(folder / "homes" / "homes.geojson").set_crs(4548, allow_override=True)
    home = homes[homes["home"] == "A"]
    home.set_geometry(shapely.transform(home.geometry.array, lambda at: at + np.array([east, 0.0]))).to_file(
        place / "homes.gpkg", driver="GPKG"
    )
    report = add(place / "homes.gpkg", folder, "homes", crs=4548, apply=True, datum_checked="测试里量过三点")
    assert report["reason"].str.contains("A 移动了，1 个出入口还画在原处").sum() == told


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize(("east", "there"), [(0, {"W", "E"}), (20, {"W", "E"}), (45, {"E"}), (200, set())])
def test_an_outline_that_moves_keeps_its_past_and_the_doors_that_are_still_its_own(
    folder: Path, tmp_path: Path, east: float, there: set[str]
) -> None:
    """
    By hand: a park 60 m wide has a door at its western and its eastern edge. 20 m further east both are within 30 m of it, 45 m
    further only the eastern one (it lies inside), although the outlines overlap; 200 m further none. The year before stays.
    """
    park = shapely.box(500100, 4320100, 500160, 4320160)

    def drawn(name: str, shape: shapely.Geometry) -> Path:
        frame = gpd.GeoDataFrame({"facility": ["P"], "name": ["园"], "kind": ["park"]}, geometry=[shape], crs=4548)
        frame.to_file(tmp_path / name, driver="GPKG")
        return tmp_path / name

    add(drawn("a.gpkg", park), folder, "facilities", crs=4548, apply=True, datum_checked="测试里量过三点")
    doors = [row("W", "西门", (100, 130), 设施编号="P"), row("E", "东门", (160, 130), 设施编号="P")]
    add(table(tmp_path / "门.csv", doors), folder, "entrances", crs=4548, apply=True, datum_checked="测试里量过三点")
    now = shapely.affinity.translate(park, east)
    report = update(drawn("b.gpkg", now), folder, kind="park", year=2026, request=SAID, apply=True)
    assert tally(report)["moved"] == (east > 0)
    before, after = (District.load(folder).at(year) for year in (2025, 2026))
    assert before.facilities is not None and before.entrances is not None and after.entrances is not None
    assert before.facilities.geometry["P"].equals_exact(park, 0.1) and set(before.entrances.index) == {"W", "E"}
    assert set(after.entrances.index) == there
    changed = facility_changes(before, after)
    told = (
        changed[changed.index.get_level_values(-1) == "P"]
        if changed.index.nlevels > 1
        else changed.loc[changed.index == "P"]
    )
    assert told["metres"].round(0).tolist() == ([east] if east else [])
    assert told["change"].tolist() == ([] if not east else ["moved" if east > 60 else "redrawn"])


@pytest.mark.slow
def test_without_ids_another_name_on_the_spot_of_one_that_is_not_listed_is_renamed(
    folder: Path, tmp_path: Path
) -> None:
    """By hand: 旧名 is 康宁饭堂 now; 隔壁 opens at the point of 北食堂, which is listed; 老店 and 南食堂 are as they were."""
    kept = {name: THERE[name] for name in ("老店", "南食堂", "东食堂", "西食堂")}
    rows = [
        row("", n, at) for n, at in {**kept, "北食堂": (150, 290), "康宁饭堂": (700, 30), "隔壁": (150, 290)}.items()
    ]
    named = table(tmp_path / "无编号.csv", [{k: v for k, v in r.items() if k != "编号"} for r in rows])
    report = update(named, folder, kind="canteen", year=2026, request=SAID)
    counts = tally(report)
    told = {name: counts[name] for name in ("new", "closed", "renamed", "unchanged", "unclear")}
    assert told == {"new": 1, "closed": 0, "renamed": 1, "unchanged": 5, "unclear": 0}, report.to_string()
    assert report.loc[report["result"] == "renamed", "value"].tolist() == ["康宁饭堂"]
    line = str(report.loc[report["result"] == "renamed", "row"].iloc[0])
    told_new = replace(SAID, wishes=Wishes(new=[line]))
    counts = tally(update(named, folder, kind="canteen", year=2026, request=told_new))
    assert (counts["new"], counts["closed"], counts["renamed"]) == (2, 1, 0), "who knows better says --new"


@pytest.mark.slow
@pytest.mark.matrix
def test_the_same_list_again_changes_nothing(folder: Path, following: Path) -> None:
    update(following, folder, kind="canteen", year=2026, request=SAID, apply=True)
    before = contents(folder)
    counts = tally(update(following, folder, kind="canteen", year=2026, request=SAID, apply=True))
    assert counts["unchanged"] == counts["rows"] == 5 and counts["closed"] == 0
    assert contents(folder) == before


@pytest.mark.slow
@pytest.mark.matrix
def test_a_planned_one_on_the_list_is_open_from_its_year_and_one_that_is_not_stays_planned(
    folder: Path, tmp_path: Path
) -> None:
    named = table(tmp_path / "站.csv", [row("F1", "南站", (210, 0)), row("F4", "北站", (150, 310))])
    report = update(named, folder, kind="clinic_station", year=2024, request=SAID, apply=True)
    assert tally(report)["opened"] == 1
    assert set(open_in(folder, 2024, "clinic_station")) == {"F1", "F4"}
    assert set(open_in(folder, 2023, "clinic_station")) == {"F1"}
    undo(folder)
    alone = table(tmp_path / "又.csv", [row("F1", "南站", (210, 0))])
    assert tally(update(alone, folder, kind="clinic_station", year=2024, request=SAID, apply=True))["closed"] == 0
    states = District.load(folder).rows["facilities"]["state"]
    assert states["F4"] == "planned"


@pytest.mark.slow
def test_what_the_list_calls_closed_ends_and_stays_in_the_folder(folder: Path, tmp_path: Path) -> None:
    rows = [row("F2", "北食堂", (150, 290), 状态="正常")]
    rows += [row(f"C{i}", n, at, 状态="停业" if i == 1 else "正常") for i, (n, at) in enumerate(THERE.items(), 1)]
    report = update(table(tmp_path / "账.csv", rows), folder, kind="canteen", year=2026, request=SAID, apply=True)
    assert report.loc[report["result"] == "closed", "key"].tolist() == ["C1"]
    assert District.load(folder).rows["facilities"].loc["C1", "until"] == 2025


@pytest.mark.slow
def test_rows_of_another_kind_are_not_taken(folder: Path, tmp_path: Path) -> None:
    rows = [row("F2", "北食堂", (150, 290), 类别="canteen"), row("F3", "健身点", (340, 450), 类别="fitness")]
    report = update(table(tmp_path / "混.csv", rows), folder, kind="canteen", year=2026, request=SAID)
    assert tally(report)["refused"] == 1


@pytest.mark.slow
def test_a_list_of_a_map_service_is_read_by_its_classes(folder: Path, tmp_path: Path) -> None:
    """The office calls its canteens 长者食堂; a bank and a supermarket on the list are no canteens, a clinic is asked about."""
    listed = {**THERE, "北食堂": (150, 290), "新店": (600, 500)}
    rows = [row("", name, at, type="长者食堂") for name, at in listed.items()]
    for name, kind in (
        ("某银行", "金融保险服务;银行;中国银行"),
        ("某超市", "购物服务;超级市场;超市"),
        ("某诊所", "诊所"),
    ):
        rows.append(row("", name, (620, 300), type=kind))
    file = table(tmp_path / "导出.csv", [{k: v for k, v in r.items() if k != "编号"} for r in rows])
    asked = replace(SAID, values=tmp_path / "对照.csv")
    report = update(file, folder, kind="canteen", year=2026, request=asked, apply=True)
    counts = tally(report)
    told = {name: counts[name] for name in ("new", "unchanged", "closed", "skipped", "refused", "unclear")}
    assert told == {"new": 1, "unchanged": 6, "closed": 0, "skipped": 1, "refused": 1, "unclear": 1}, report.to_string()
    assert {n for n, _, _ in open_in(folder, 2026).values()} == set(listed)
    sheet = asked.values
    assert sheet is not None
    sheet.write_text(sheet.read_text("utf-8-sig").replace("某诊所,", "某诊所,不收"), "utf-8-sig")
    assert tally(update(file, folder, kind="canteen", year=2026, request=asked, apply=True))["skipped"] == 2
    assert tally(update(file, folder, kind="canteen", year=2026, request=SAID))["unclear"] == 0, "the folder remembers"


@pytest.mark.slow
@pytest.mark.matrix
def test_a_kind_is_called_by_its_label_too_and_one_that_nobody_knows_is_refused(folder: Path, following: Path) -> None:
    label = District.load(folder).kinds["label"]["canteen"]
    assert tally(update(following, folder, kind=str(label), year=2026, request=SAID))["closed"] == 3
    with pytest.raises(UnknownNameError):
        update(following, folder, kind="没有的", year=2026, request=SAID)


@pytest.mark.slow
def test_a_datum_nobody_answers_for_writes_nothing(folder: Path, following: Path) -> None:
    before = contents(folder)
    with pytest.raises(SourceError):
        update(following, folder, kind="canteen", year=2026, request=Request(Coordinates(None)), apply=True)
    assert contents(folder) == before


@pytest.mark.slow
@pytest.mark.matrix
def test_a_later_report_says_of_each_facility_whom_it_changes_something_for(folder: Path, following: Path) -> None:
    """
    Held against the coverage itself: whoever is named gains or loses by it, and nobody is counted twice.

    The canteen F2 stays as it was, and so is not named.
    """
    before = ledger_record(District.load(folder), None)
    update(following, folder, kind="canteen", year=2026, request=SAID, apply=True)
    district = District.load(folder)
    found = changes(ledger_record(district, None), before, district)
    own = found[found["part"] == "设施"].set_index("label")
    assert set(own.index) == {"东食堂", "西食堂", "南食堂", "老店", "新名", "甲食堂", "乙食堂"}
    assert all(own.loc[name, "after"].startswith("停用") for name in ("东食堂", "西食堂", "南食堂"))
    assert all(own.loc[name, "after"].startswith("新开") for name in ("甲食堂", "乙食堂"))
    assert own.loc["老店", "after"].startswith("搬迁 200 米")
    assert (own.loc["新名", "before"], own.loc["新名", "after"]) == ("旧名", "改名：没有小区因此变化")
    table = facility_changes(district.at(2022), district)
    rule = district.kinds["rule"]["canteen"]
    then, now = (coverage(d, rules=[rule]).xs(rule, level="rule") for d in (district.at(2022), district))
    gained = set(now.index[now["served"].fillna(0) > then["served"].fillna(0) + 1e-9])
    lost = set(now.index[now["served"].fillna(0) < then["served"].fillna(0) - 1e-9])
    names = district.homes["name"]
    canteens = table[table["kind"] == "canteen"]
    assert {n for row in canteens["homes_gain"] for n in row} <= set(names[list(gained)])
    assert {n for row in canteens["homes_lose"] for n in row} <= set(names[list(lost)])
    counted = set(canteens["counted"])
    assert counted == {"people_60plus" if (now["denominator"] == "people_60plus").any() else "people"}
    assert canteens["people_lose"].sum() <= float(now.loc[list(lost), counted.pop()].sum())
    served = set(names[list(then.index[then["served"].fillna(0) > 0])])
    for row in canteens.itertuples():
        assert set(row.homes_other) <= served - set(names[list(gained | lost)]), (
            "still: as before, neither more nor less"
        )
        assert row.change != "renamed" or not (row.homes_gain or row.homes_lose or row.homes_other)


@pytest.mark.slow
@pytest.mark.matrix
def test_beside_a_map_the_list_says_how_many_there_may_be_in_all(folder: Path, following: Path, tmp_path: Path) -> None:
    """Six on the map, five listed, 北食堂, 老店 and 旧名 on both: 7 x 6 / 4 - 1 = 9.5, by lists made apart."""

    def notes(file: Path) -> list[str]:
        report = update(file, folder, kind="canteen", year=2026, request=SAID)
        return [str(reason) for reason in report.loc[report["result"] == "note", "reason"] if "名单上" in str(reason)]

    assert notes(following) == [], "what the office has surveyed is no map"
    facilities = folder / "pois" / "facilities.geojson"
    data = json.loads(facilities.read_text("utf-8"))
    for feature in data["features"]:
        feature["properties"]["basis"] = "osm"
    facilities.write_text(json.dumps(data, ensure_ascii=False), "utf-8")
    (said,) = notes(following)
    assert "地图上 6 处、名单上 5 处，两边都有的 3 处" in said and "约 10 处" in said
    total, low, high = in_all(6, 5, 3)
    assert total == 9.5 and f"{low}—{high} 处" in said
    apart = table(tmp_path / "别处.csv", [row("Z1", "新店", (700, 450))])
    (said,) = notes(apart)
    assert "估不出" in said


@pytest.mark.slow
def test_a_list_does_not_close_what_lies_outside_the_district(folder: Path, tmp_path: Path) -> None:
    """Nor does it go by unseen that most of what is there would end: a list that is not whole looks just like that."""
    place = folder / "pois" / "facilities.geojson"
    data = json.loads(place.read_text("utf-8"))
    far = next(f for f in data["features"] if f["properties"]["name"] == "东食堂")
    far["geometry"]["coordinates"][0] += 5000  # metres
    place.write_text(json.dumps(data, ensure_ascii=False), "utf-8")
    short = table(tmp_path / "短.csv", [row("F2", "北食堂", NEXT["北食堂"])])
    report = update(short, folder, kind="canteen", year=2026, request=SAID)
    assert set(report.loc[report["result"] == "closed", "value"]) == set(THERE) - {"东食堂"}
    notes = " ".join(report.loc[report["result"] == "note", "reason"])
    assert "1 处在街道界外、名录里没有：保留" in notes and "6 处，要停用 4 处，超过一半" in notes
    ends = table(
        tmp_path / "停.csv", [row("F2", "北食堂", NEXT["北食堂"]), {"编号": "C1", "名称": "东食堂", "状态": "停业"}]
    )
    report = update(ends, folder, kind="canteen", year=2026, request=SAID)
    assert "东食堂" in set(report.loc[report["result"] == "closed", "value"]), "unless the list says so of it"


@pytest.mark.parametrize(("year", "said"), [(1926, "早于数据年份 2022"), (2021, "早于数据年份 2022"), (2099, "太远")])
def test_a_year_typed_wrong_is_not_taken_unasked(tmp_path: Path, year: int, said: str) -> None:
    folder = tmp_path / "toy"
    shutil.copytree(TOY, folder)
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    following = table(tmp_path / "a.csv", [row("F2", "北食堂", (150, 290))])
    for apply in (False, True):
        with pytest.raises(SourceError, match=said):
            update(following, folder, kind="canteen", year=year, request=SAID, apply=apply)
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before
    if year > 2022:
        assert tally(update(following, folder, kind="canteen", year=year, request=replace(SAID, sure=True)))["rows"]
