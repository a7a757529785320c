"""A file's rows that are there under another id: recognised, asked about or new, and people never doubled."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import pytest
import shapely

from xinhe_geo.app.cli import DATA, DONE, main
from xinhe_geo.app.commands.console import PARTLY
from xinhe_geo.core import DataError, SourceError
from xinhe_geo.district import District, check, undo
from xinhe_geo.io import add, tally
from xinhe_geo.io.positions import FAR_M, Place

TOY = Path(__file__).parents[1] / "toy"
CHECKED = "测试里量过"


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    folder = tmp_path / "toy"
    shutil.copytree(TOY, folder)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    frame = gpd.GeoDataFrame(rows, geometry="geometry", crs=District.load(TOY).crs)
    frame.to_file(path, driver="GPKG")
    return path


def office(path: Path, shift: float = 0.0) -> Path:
    """The office's own layer of the same compounds: its ids, its drawing (`shift` metres off), one count more."""
    there = District.load(TOY).rows["homes"]
    rows = [
        {"编号": f"S{i}", "名称": name, "常住人口": people, "geometry": shapely.affinity.translate(shape, shift, shift)}
        for i, (name, people, shape) in enumerate(zip(there["name"], there["people"], there.geometry, strict=True))
    ]
    return written(path, rows)


def put(path: Path, folder: Path, layer: str = "homes", **said: Any) -> pd.DataFrame:
    return add(path, folder, layer, crs=4548, apply=True, datum_checked=CHECKED, **said)


def result_of(report: pd.DataFrame) -> dict[int, str]:
    first = report[report["row"].notna() & ~report["result"].isin(["note", "dropped"])].drop_duplicates("row")
    return dict(zip(first["row"].astype(int), first["result"], strict=True))


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize("shift", [0.0, 4.0])
def test_the_offices_own_layer_of_the_same_compounds_doubles_nobody(tmp_path: Path, toy: Path, shift: float) -> None:
    before, files = District.load(toy).rows["homes"], contents(toy)
    report = put(office(tmp_path / "小区.gpkg", shift), toy)
    counts = tally(report)
    assert (counts["new"], counts["unclear"], counts["refused"]) == (0, 0, 0), report.to_string()
    after = District.load(toy).rows["homes"]
    assert list(after.index) == list(before.index)
    assert after["people"].equals(before["people"])
    assert after["other_id"].tolist() == [f"S{i}" for i in range(5)]
    said = report.loc[report["column"] == "常住人口", "reason"].iloc[0]
    assert "360 → 360 人" in said  # 100 + 200 + 50 + 10; 丙苑 is unknown
    again = tally(add(office(tmp_path / "又.gpkg", shift), toy, "homes", crs=4548))
    assert again["unchanged"] == 5, "the office's ids are known now"
    undo(toy)
    assert contents(toy) == files


@pytest.mark.slow
def test_what_each_row_is(tmp_path: Path, toy: Path) -> None:
    there = District.load(toy).rows["homes"]
    shapes = there.geometry
    move = shapely.affinity.translate
    rows = [
        {"编号": "1", "名称": "甲苑", "常住人口": 100, "geometry": shapes["A"]},
        {"编号": "2", "名称": "乙苑二期改", "常住人口": 200, "geometry": shapes["B"]},
        {"编号": "3", "名称": "丙苑", "常住人口": None, "geometry": move(shapes["C"], 150, 0)},
        {"编号": "4", "名称": "己苑", "常住人口": 5, "geometry": move(shapes["E"], 30, 0)},
        {"编号": "5", "名称": "庚苑", "常住人口": 5, "geometry": move(shapes["E"], 0, 200)},
    ]
    path = written(tmp_path / "小区.gpkg", rows)
    report = add(path, toy, "homes", crs=4548, datum_checked=CHECKED)
    lines = sorted(result_of(report))
    results = [result_of(report)[line] for line in lines]
    # the same outline and name; the same outline under another name; the name moved 150 m; half of 戊苑 under another name
    assert results == ["changed", "renamed", "moved", "unclear", "new"]
    assert report.loc[report["result"] == "moved", "value"].tolist() == ["移动 150.0 米"]
    unclear = report[report["result"] == "unclear"].iloc[0]
    assert "E（重叠占较小一处的 50%，叫“戊苑”）" in unclear["reason"]
    assert f"--update {lines[3]}=E" in unclear["remedy"] and f"--new {lines[3]}" in unclear["remedy"]
    put(path, toy)
    assert set(District.load(toy).rows["homes"].index) == {*there.index, "5"}, "what is unclear is not written"


@pytest.mark.slow
def test_somebody_says_what_a_row_is(tmp_path: Path, toy: Path) -> None:
    shape = shapely.affinity.translate(District.load(toy).rows["homes"].geometry["E"], 30, 0)
    path = written(tmp_path / "a.gpkg", [{"编号": "K", "名称": "己苑", "常住人口": 11, "geometry": shape}])
    files = contents(toy)
    with pytest.raises(DataError, match="算两次"):
        put(path, toy, new=["K"])
    assert contents(toy) == files
    put(path, toy, skip=["K"])
    assert contents(toy) == files
    for wrong in (
        {"new": ["没有"]},
        {"update": ["K=没有"]},
        {"new": ["K"], "skip": ["K"]},
        {"new": ["all"], "skip": ["all"]},
    ):
        with pytest.raises(SourceError):
            put(path, toy, **wrong)
    put(path, toy, update=["K"])
    row = District.load(toy).rows["homes"].loc["E"]
    assert (row["name"], row["people"], row["other_id"]) == ("己苑", 11, "K")
    undo(toy)
    put(path, toy, update=["all"])
    assert District.load(toy).rows["homes"].loc["E", "people"] == 11
    undo(toy)
    assert contents(toy) == files


@pytest.mark.slow
def test_the_same_id_of_another_place_overwrites_nothing(tmp_path: Path, toy: Path) -> None:
    """Two offices both number their compounds A, B, C."""
    shape = shapely.box(500_600, 4_320_400, 500_650, 4_320_450)
    path = written(tmp_path / "a.gpkg", [{"编号": "A", "名称": "别处花园", "常住人口": 7, "geometry": shape}])
    files = contents(toy)
    report = put(path, toy)
    assert tally(report)["unclear"] == 1 and "编号相同" in report.loc[report["result"] == "unclear", "reason"].iloc[0]
    assert contents(toy) == files


def test_around_the_district_is_as_far_on_every_side() -> None:
    """A box of 100 m by 50 m: a position just within the distance counts on all four sides, one at it on none."""
    place = Place(pyproj.CRS.from_epsg(4548), (0.0, 0.0, 100.0, 50.0), known=True)
    for off, near in ((FAR_M - 0.001, True), (FAR_M, False)):
        sides = np.array([(-off, 25), (100 + off, 25), (50, -off), (50, 50 + off)])
        assert place.near(sides).tolist() == [near] * 4
    assert not place.near(np.array([(np.nan, 25), (50, np.inf)])).any()


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize(("name", "result"), [("别处花园", "unclear"), ("甲苑", "moved"), (None, "moved")])
def test_a_row_of_a_known_id_far_off_is_a_stranger_only_by_another_name(
    tmp_path: Path, toy: Path, name: str | None, result: str
) -> None:
    shape = shapely.box(500_600, 4_320_400, 500_650, 4_320_450)
    path = written(tmp_path / "a.gpkg", [{"编号": "A", "名称": name, "常住人口": 100, "geometry": shape}])
    report = add(path, toy, "homes", crs=4548, datum_checked=CHECKED)
    assert list(result_of(report).values()) == [result]


@pytest.mark.slow
@pytest.mark.matrix
def test_a_jump_in_people_needs_a_word(tmp_path: Path, toy: Path) -> None:
    """360 people; 18 are a twentieth."""
    files = contents(toy)
    shape = shapely.box(500_600, 4_320_400, 500_650, 4_320_450)
    for people, jumps in ((18, False), (19, True)):
        path = written(
            tmp_path / f"{people}.gpkg", [{"编号": "N", "名称": "新苑", "常住人口": people, "geometry": shape}]
        )
        if jumps:
            assert "--sure" in "".join(add(path, toy, "homes", crs=4548, datum_checked=CHECKED)["remedy"])
            with pytest.raises(SourceError, match=r"360 → 379 人（\+5\.3%）.*没有写入任何东西.*--sure"):
                put(path, toy)
            assert contents(toy) == files
        put(path, toy, sure=jumps)
        assert District.load(toy).rows["homes"]["people"].sum() == 360 + people
        undo(toy)
        assert contents(toy) == files


@pytest.mark.slow
@pytest.mark.matrix
def test_facilities_under_other_ids(tmp_path: Path, toy: Path) -> None:
    at = District.load(toy).rows["facilities"].geometry
    move = shapely.affinity.translate
    rows = [
        {"编号": "1", "名称": "北 食堂", "类别": "canteen", "geometry": move(at["F2"], 8, 0)},
        {"编号": "2", "名称": "南站", "类别": "clinic_station", "geometry": move(at["F1"], 200, 0)},
        {"编号": "3", "名称": "健身点", "类别": "canteen", "geometry": at["F3"]},
        {"编号": "4", "名称": "南食堂", "类别": "canteen", "geometry": move(at["F2"], 0, 9)},
    ]
    report = put(written(tmp_path / "a.gpkg", rows), toy, "facilities")
    # alike 8 m off (renamed by a blank); the lone name moved; another kind of that name; another canteen next door
    assert list(result_of(report).values()) == ["renamed", "moved", "new", "new"], report.to_string()
    got = District.load(toy).rows["facilities"]
    assert got.loc["F2", "other_id"] == "1" and got.loc["F1", "other_id"] == "2"
    assert not (check(toy)["severity"] == "error").any()


@pytest.mark.slow
@pytest.mark.matrix
def test_replace_stays_within_the_kinds_of_the_file(tmp_path: Path, toy: Path) -> None:
    shape = shapely.Point(500_700, 4_320_300)
    path = written(tmp_path / "a.gpkg", [{"编号": "N", "名称": "新食堂", "类别": "canteen", "geometry": shape}])
    report = put(path, toy, "facilities", replace=True)
    assert set(District.load(toy).rows["facilities"].index) == {"F1", "F3", "F4", "F5", "N"}
    gone = report[report["result"] == "gone"].set_index("key")["reason"]
    assert gone["F2"].endswith("删去") and gone.drop("F2").str.contains("没有这一类，保留").all()


@pytest.mark.slow
@pytest.mark.matrix
def test_replace_keeps_what_is_unclear(tmp_path: Path, toy: Path) -> None:
    shapes = District.load(toy).rows["homes"].geometry
    rows = [{"编号": k, "名称": None, "常住人口": None, "geometry": shapes[k]} for k in ("A", "B", "C", "D")]
    rows.append(
        {"编号": "K", "名称": "己苑", "常住人口": 11, "geometry": shapely.affinity.translate(shapes["E"], 30, 0)}
    )
    put(written(tmp_path / "a.gpkg", rows), toy, replace=True)
    assert "E" in District.load(toy).rows["homes"].index


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize("basis", [None, "official"])
def test_nothing_is_called_surveyed_unasked(tmp_path: Path, toy: Path, basis: str | None) -> None:
    shape = shapely.box(500_600, 4_320_400, 500_650, 4_320_450)
    path = written(tmp_path / "a.gpkg", [{"编号": "N", "名称": "新苑", "常住人口": 9, "geometry": shape}])
    said = {} if basis is None else {"basis": basis}
    report = put(path, toy, **said)
    assert District.load(toy).basis("homes")["N"] == (basis or "unstated")
    told = report["remedy"].str.contains("--basis").sum()
    assert told == (1 if basis is None else 0), "said once"


@pytest.mark.slow
@pytest.mark.matrix
def test_the_command(tmp_path: Path, toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shape = shapely.affinity.translate(District.load(toy).rows["homes"].geometry["E"], 30, 0)
    path = written(tmp_path / "a.gpkg", [{"编号": "K", "名称": "己苑", "常住人口": 90, "geometry": shape}])
    command = ["add", str(path), "--to", str(toy), "--layer", "homes", "--crs", "4548", "--datum-checked", CHECKED]
    assert main([*command, "--report", str(tmp_path / "r.csv")]) == PARTLY
    out = capsys.readouterr().out
    assert "待定" in out and "文件里没有 5 行" in out
    assert set(pd.read_csv(tmp_path / "r.csv")["result"]) >= {"unclear", "gone"}
    assert main([*command, "--update", "K=E", "--yes"]) == DATA, "10 to 90 of 360 people is a jump"
    assert "--sure" in capsys.readouterr().err
    assert main([*command, "--update", "K=E", "--basis", "official", "--sure", "--yes"]) == DONE
    assert json.loads((toy / "homes" / "homes.geojson").read_text("utf-8"))["features"][4]["properties"]["people"] == 90


def with_points(folder: Path) -> gpd.GeoDataFrame:
    """The homes of a folder as an office's table has them: points, each with all its figures."""
    there = District.load(folder).rows["homes"].drop(columns="parcel", errors="ignore")
    there = there.assign(people=[937, 801, 655, 512, 433], people_60plus=[215, 180, 140, 99, 70])
    there = there.assign(households=[347, 300, 240, 190, 160], geometry=there.geometry.centroid)
    path = next((folder / "homes").glob("homes.*"))
    path.unlink()
    there.reset_index().to_file(path, driver="GeoJSON")
    return there


def office_rows(
    there: gpd.GeoDataFrame, said: str, metres: float, more: int = 0, far: float = 0.0
) -> list[dict[str, Any]]:
    """Each home again as a row of an office's table, its name said otherwise."""
    figures = zip(
        there["name"], there["people"], there["people_60plus"], there["households"], there.geometry, strict=True
    )
    return [
        {
            "名称": said.format(name),
            "常住人口": people + more,
            "60岁及以上人口": older + more,
            "户数": households + more,
            "geometry": shapely.affinity.translate(spot, metres + far, far),
        }
        for name, people, older, households, spot in figures
    ]


COPIES = ["{}（一期）", "原{}", "某某{}家园"]


@pytest.mark.slow
@pytest.mark.one_in(4)
@pytest.mark.parametrize("whole", [False, True], ids=["copies", "with the list"])
@pytest.mark.parametrize("metres", [1.0, 20.0])
@pytest.mark.parametrize("said", COPIES)
def test_no_copy_of_a_home_is_written_unasked(tmp_path: Path, toy: Path, said: str, metres: float, whole: bool) -> None:
    """Typed again with more words and a little moved, alone or below the row it copies: asked about, and nobody comes twice."""
    there = with_points(toy)
    before = District.load(toy).homes["people"].sum()
    copies = office_rows(there, said, metres)
    path = written(tmp_path / "又.gpkg", [*(office_rows(there, "{}", 0.0) if whole else []), *copies])
    put(path, toy)
    assert District.load(toy).homes["people"].sum() == before
    lines = result_of(add(path, toy, "homes", crs=4548, datum_checked=CHECKED))
    assert "new" not in lines.values(), lines
    put(path, toy, new=["all"], sure=True)
    assert check(toy)["problem"].str.contains("同一批人会算两次").sum() >= len(there)


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize(("more", "far"), [(7, 0.0), (0, 40.0)], ids=["own figures", "own place"])
@pytest.mark.parametrize("said", ["{}二期", "{}（二期）"])
def test_phases_with_figures_or_a_place_of_their_own_are_new(
    tmp_path: Path, toy: Path, said: str, more: int, far: float
) -> None:
    path = written(tmp_path / "二期.gpkg", office_rows(with_points(toy), said, 5.0, more, far))
    assert set(result_of(put(path, toy, sure=True)).values()) == {"new"}
    assert len(District.load(toy).homes) == 10


@pytest.mark.slow
def test_the_later_of_two_new_rows_that_can_be_one_is_asked_about(tmp_path: Path, toy: Path) -> None:
    there = with_points(toy)
    new = office_rows(there.iloc[:1], "新{}", 0.0, more=3, far=300.0)
    path = written(tmp_path / "新.gpkg", [*new, *office_rows(there.iloc[:1], "新{}（一期）", 4.0, more=3, far=300.0)])
    report = put(path, toy, sure=True)
    assert list(result_of(report).values()) == ["new", "unclear"]
    assert "--skip" in report.loc[report["result"] == "unclear", "remedy"].iloc[0]
