"""A district from nothing: the README's path typed as it stands, nothing called official or surveyed that nobody called so."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import geopandas as gpd
import osmium
import pandas as pd
import pytest
import shapely
from test_osm_import import town

from xinhe_geo.app.cli import DATA, DONE, main
from xinhe_geo.app.commands.console import PARTLY
from xinhe_geo.core import SourceError
from xinhe_geo.district import District
from xinhe_geo.io import FETCH, new_district, read_said, recipe_of

CHECKED = "测试里量过三点"
BOX = (117.599, 39.049, 117.612, 39.062)


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files an office has: a boundary, its compounds, its facilities; and an extract of the map."""
    (tmp_path / "新胡.osm").write_text(town().xml(), "utf-8")
    with osmium.SimpleWriter(str(tmp_path / "城市.osm.pbf")) as writer:
        for thing in osmium.FileProcessor(str(tmp_path / "新胡.osm")):
            writer.add(thing)
    gpd.GeoDataFrame({"名称": ["界"]}, geometry=[shapely.box(*BOX)], crs=4326).to_file(tmp_path / "界.geojson")
    (tmp_path / "小区.csv").write_text(
        "编号,名称,经度,纬度,常住人口\nS1,甲苑,117.6035,39.0545,1200\nS2,乙苑,117.6072,39.0556,\n", "utf-8-sig"
    )
    (tmp_path / "设施.csv").write_text(
        "名称,类别,经度,纬度\n新胡药店,药店,117.6041,39.0551\n新胡食堂,社区食堂,117.6061,39.0549\n", "utf-8-sig"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


OWN = [
    *("--streets", "新胡.osm", "--boundary", "界.geojson", "--homes", "小区.csv", "--facilities", "设施.csv"),
    *("--set", "homes.crs=WGS84", "--set", "facilities.crs=WGS84"),
    *("--set", f"homes.checked={CHECKED}", "--set", f"facilities.checked={CHECKED}"),
]


def manifest(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "district.toml").read_text("utf-8"))


def bases(folder: Path) -> set[str]:
    """Return every basis in the folder: of its layers, and of their rows."""
    found = {str(entry.get("basis", "")) for entry in manifest(folder)["layers"].values()}
    district = District.load(folder)
    return found.union(*(set(frame["basis"].dropna()) for frame in district.rows.values() if "basis" in frame.columns))


@pytest.mark.slow
def test_without_answers_nothing_is_called_official_or_surveyed(office: Path) -> None:
    assert main(["new", "新胡", "--name", "新胡街道", *OWN]) == DONE
    assert "CGCS2000 / 3-degree Gauss-Kruger CM 117E" in (office / "新胡" / "import" / "report.csv").read_text(
        "utf-8-sig"
    )
    district = District.load(office / "新胡")
    report = pd.read_csv(office / "新胡" / "import" / "report.csv", encoding="utf-8-sig").set_index("what")
    absent = set(report.loc["有对照规则而没有找到", "examples"].split(" 等 ")[0].split("、"))
    assert absent and absent.isdisjoint(district.kinds.loc[list(set(district.rows["facilities"]["kind"])), "label"])
    assert district.name == "新胡街道"
    assert district.crs == "EPSG:4548", "CGCS2000, three-degree zone around 117 E"
    assert list(district.rows["homes"]["name"]) == ["甲苑", "乙苑"], "the office's compounds, and none of the map's"
    assert district.rows["homes"]["people"].sum() == 1200
    assert district.rows["homes"]["people"].isna().sum() == 1
    assert {"新胡药店", "新胡食堂", "某幼儿园"} <= set(district.rows["facilities"]["name"])
    said = manifest(office / "新胡")
    assert not {"official", "surveyed"} & bases(office / "新胡")
    assert said["surveyed_kinds"] == [] and said["secrecy"] == "internal"
    assert "date" not in said["layers"]["homes"] and "date" not in said["layers"]["district"]
    assert said["layers"]["streets"]["date"] == "2021-05-06"
    assert not (office / "新胡" / ".history").exists()


@pytest.mark.slow
@pytest.mark.matrix
def test_what_is_said_of_a_file_stands_in_the_folder_and_of_no_other(office: Path) -> None:
    more = ("homes.basis=official", "homes.date=2025-12-31", "boundary.basis=surveyed", "boundary.date=2024-03-01")
    assert main(["new", "新胡", "--name", "新胡街道", *OWN, *(a for m in more for a in ("--set", m))]) == DONE
    said = manifest(office / "新胡")
    assert (said["layers"]["homes"]["basis"], said["layers"]["homes"]["date"]) == ("official", "2025-12-31")
    assert (said["layers"]["district"]["basis"], said["layers"]["district"]["date"]) == ("surveyed", "2024-03-01")
    assert said["layers"]["streets"]["basis"] == "osm"
    facilities = District.load(office / "新胡").rows["facilities"]
    assert set(facilities.loc[facilities["name"].isin(["新胡药店", "新胡食堂"]), "basis"]) == {"unstated"}
    assert said["data_year"] == 2025
    rows = (office / "新胡" / "import" / "homes.csv").read_text("utf-8-sig")
    assert "常住人口合计（2025 年）" in rows and "2021 年" not in rows, "the map is of 2021, the people are not"


@pytest.mark.slow
@pytest.mark.matrix
def test_one_file_says_the_same_as_options(office: Path) -> None:
    recipe = {
        "name": "新胡街道",
        "streets": "新胡.osm",
        "boundary": "界.geojson",
        "homes": {"file": "小区.csv", "crs": "WGS84", "checked": CHECKED},
        "facilities": {"file": "设施.csv", "crs": "WGS84", "checked": CHECKED},
    }
    tables = [f"{k} = {json.dumps(v, ensure_ascii=False)}" for k, v in recipe.items() if isinstance(v, str)]
    for key, table in ((k, v) for k, v in recipe.items() if isinstance(v, dict)):
        tables += [f"[{key}]", *(f"{k} = {json.dumps(v, ensure_ascii=False)}" for k, v in table.items())]
    (office / "街道.toml").write_text("\n".join(tables), "utf-8")
    assert main(["new", "一", "--from", "街道.toml"]) == DONE
    assert main(["new", "二", "--name", "新胡街道", *OWN]) == DONE
    one, two = (
        {p.relative_to(f): p.read_bytes() for p in f.rglob("*") if p.is_file()} for f in (office / "一", office / "二")
    )
    assert one == two


@pytest.mark.slow
def test_without_options_it_asks(office: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["新胡街道", "新胡.osm", "界.geojson", "official", "", "", ""])
    monkeypatch.setattr("typer.prompt", lambda *_, **__: next(answers))
    assert main(["new", "问"]) == DONE
    assert next(answers, None) is None
    assert manifest(office / "问")["layers"]["district"]["basis"] == "official"


def test_all_that_is_wrong_is_said_at_once(office: Path) -> None:
    said = {
        "streets": {"file": "无.osm"},
        "homes": {"file": "小区.csv", "basis": "真的", "date": "去年"},
        "colour": "红",
    }
    with pytest.raises(SourceError) as refused:
        recipe_of(said)
    for word in ("5 处", "name：", "无.osm", "homes.basis", "homes.date", "colour"):
        assert word in str(refused.value)


@pytest.mark.slow
def test_a_list_that_cannot_be_taken_leaves_nothing_behind(office: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {p.name for p in office.iterdir()}
    assert main(["new", "新胡", "--name", "新胡街道", "--streets", "新胡.osm", "--homes", "小区.csv"]) == DATA
    assert "--sethomes.crs" in "".join(capsys.readouterr().err.split())  # a line may end at any blank
    assert {p.name for p in office.iterdir()} == before


@pytest.mark.slow
@pytest.mark.matrix
def test_rows_that_cannot_be_told_are_listed_and_the_others_are_in(office: Path) -> None:
    with (office / "小区.csv").open("a", encoding="utf-8") as file:
        file.write("S3,丙苑,117.6035,39.0525,很多\n")
    assert main(["new", "新胡", "--name", "新胡街道", *OWN]) == PARTLY
    assert list(District.load(office / "新胡").rows["homes"].index) == ["S1", "S2"]
    assert "丙苑" in (office / "新胡" / "import" / "homes.csv").read_text("utf-8-sig") or "S3" in (
        office / "新胡" / "import" / "homes.csv"
    ).read_text("utf-8-sig")


@pytest.mark.slow
@pytest.mark.matrix
def test_a_folder_made_before_is_replaced_only_when_asked(office: Path) -> None:
    recipe = recipe_of({"name": "甲街道", "streets": {"file": "新胡.osm"}})
    new_district(office / "甲", recipe)
    with pytest.raises(SourceError, match="overwrite"):
        new_district(office / "甲", recipe)
    before = {p: p.read_bytes() for p in (office / "甲").rglob("*") if p.is_file()}
    new_district(office / "甲", recipe, overwrite=True)
    assert before == {p: p.read_bytes() for p in (office / "甲").rglob("*") if p.is_file()}


@pytest.mark.slow
def test_from_nothing_to_a_brief_in_five_commands(office: Path) -> None:
    """The README's path, with an office's own boundary, compounds and places, and streets of a packed extract."""
    packed = ["城市.osm.pbf" if word == "新胡.osm" else word for word in OWN]
    (office / "食堂.csv").write_text("名称,类别,经度,纬度\n东食堂,社区食堂,117.6083,39.0551\n", "utf-8-sig")
    five = [
        ["template", "--out", "模板.xlsx"],
        ["new", "新胡", "--name", "新胡街道", *packed],
        ["check", "新胡"],
        [
            *("add", "食堂.csv", "--to", "新胡", "--layer", "facilities"),
            *("--crs", "WGS84", "--datum-checked", CHECKED, "--yes"),
        ],
        ["report", "新胡", "--out", "结果"],
    ]
    assert [main(command) for command in five] == [DONE] * 5
    pages = [*(office / "结果").glob("*.html")]
    assert "新胡街道" in (office / "结果" / "index.html").read_text("utf-8")
    assert "依据未说明" in (office / "结果" / "index.html").read_text("utf-8")
    assert not [page.name for page in pages if "实测" in page.read_text("utf-8")]
    readme = (Path(__file__).parents[2] / "README.zh-CN.md").read_text("utf-8")
    path = readme[readme.index("五条命令") :]
    assert [path.index(f"run.py {command[0]}") for command in five] == sorted(
        path.index(f"run.py {c[0]}") for c in five
    )


def test_files_of_a_recipe_lie_where_it_lies(tmp_path: Path) -> None:
    """Whatever folder one stands in; streets that are downloaded are no file."""
    path = tmp_path / "方案.toml"
    path.write_text('name = "甲"\nstreets = "路.osm"\n[homes]\nfile = "表/小区.xlsx"\n', "utf-8")
    said = read_said(path)
    assert said["streets"] == {"file": str(tmp_path / "路.osm")}
    assert said["homes"] == {"file": str(tmp_path / "表/小区.xlsx")} and said["name"] == "甲"
    path.write_text(f'streets = "{FETCH}"', "utf-8")
    assert read_said(path)["streets"] == {"file": FETCH}
