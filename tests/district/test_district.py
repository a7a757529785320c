"""The door: every problem of a folder found at once, each naming file, row, field and remedy."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import xinhe_geo as xh
from xinhe_geo.access.od_table import od_table
from xinhe_geo.core import WrongValueError
from xinhe_geo.core.i18n import named_by_homes, speaking
from xinhe_geo.core.schema import LAYERS
from xinhe_geo.district import check
from xinhe_geo.district.given import must_be_cover
from xinhe_geo.district.labels import walker_name
from xinhe_geo.district.renewal_edits import stands

TOY = Path(__file__).parents[1] / "toy"


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    """Return a copy of the toy district that a test may break."""
    return Path(shutil.copytree(TOY, tmp_path / "玩具 街道"))


def edit(folder: Path, file: str, change: Callable[[list[dict[str, Any]]], None]) -> None:
    path = folder / file
    data = json.loads(path.read_text("utf-8"))
    change(data["features"])
    path.write_text(json.dumps(data, ensure_ascii=False), "utf-8")


def manifest(folder: Path, pattern: str, replacement: str) -> None:
    path = folder / "district.toml"
    text = path.read_text("utf-8")
    changed = re.sub(pattern, replacement, text, count=1, flags=re.S)
    assert changed != text
    path.write_text(changed, "utf-8")


def errors_of(folder: Path) -> pd.DataFrame:
    table = xh.check(folder)
    with pytest.raises(xh.DataError) as caught:
        xh.District.load(folder)
    assert caught.value.problems.equals(table)
    return table[table["severity"] == "error"].reset_index(drop=True)


def only(folder: Path) -> pd.Series:
    table = errors_of(folder)
    assert len(table) == 1, table.to_string()
    assert table.loc[0, "remedy"]
    return table.loc[0]


@pytest.mark.slow
def test_toy_is_clean() -> None:
    assert xh.check(TOY).empty
    district = xh.District.load(TOY)
    assert district.name == "玩具街道"
    assert list(district.homes.index) == ["A", "B", "C", "D", "E"]
    assert pd.isna(district.homes.loc["C", "people"])


@pytest.mark.slow
def test_missing_declared_file(toy: Path) -> None:
    (toy / "homes/gates.geojson").unlink()
    row = only(toy)
    assert row["layer"] == "gates" and row["file"] == "homes/gates.geojson" and "不存在" in row["problem"]


@pytest.mark.slow
def test_undeclared_layer_is_absent(toy: Path) -> None:
    manifest(toy, r"\[layers\.communities\].*?(?=\n\[)", "")
    district = xh.District.load(toy)
    assert district.communities is None
    assert district.groups["community"].isna().all()


@pytest.mark.slow
def test_missing_crs(toy: Path) -> None:
    manifest(toy, r'(\[layers\.homes\]\nfile = "[^"]*"\n)crs = "[^"]*"\n', r"\1")
    row = only(toy)
    assert row["field"] == "layers.homes.crs" and "坐标系" in row["problem"]


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3857", "EPSG:4547", "EPSG:999999"])
def test_wrong_layer_crs(toy: Path, crs: str) -> None:
    manifest(toy, r'(\[layers\.homes\]\nfile = "[^"]*"\n)crs = "[^"]*"', rf'\1crs = "{crs}"')
    table = errors_of(toy)
    assert set(table["layer"]) == {"homes"}
    assert set(table["field"]) <= {"geometry", "layers.homes.crs"}


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3857", "EPSG:4527", "nonsense"])
def test_wrong_district_crs(toy: Path, crs: str) -> None:
    manifest(toy, r'\ncrs = "EPSG:4548"', f'\ncrs = "{crs}"')
    if crs == "EPSG:4527":  # the same belt with its number in front: lengths stay true
        assert xh.check(toy).empty
    else:
        table = errors_of(toy)
        assert (table["field"] == "crs").any()


@pytest.mark.slow
def test_duplicate_ids(toy: Path) -> None:
    edit(toy, "homes/homes.geojson", lambda rows: rows[1]["properties"].update(home="A"))
    table = errors_of(toy)
    row = table[table["problem"].str.contains("重复")].iloc[0]
    assert (row["file"], row["row"], row["field"]) == ("homes/homes.geojson", "A", "home")


@pytest.mark.slow
def test_unknown_kind_suggests(toy: Path) -> None:
    edit(toy, "pois/facilities.geojson", lambda rows: rows[0]["properties"].update(kind="clinic_staton"))
    row = only(toy)
    assert (row["row"], row["field"]) == ("F1", "kind")
    assert "clinic_staton" in row["problem"]


@pytest.mark.slow
@pytest.mark.matrix
def test_unknown_parent_code(toy: Path) -> None:
    edit(toy, "boundaries/communities.geojson", lambda rows: rows[0]["properties"].update(zone="west"))
    row = only(toy)
    assert (row["layer"], row["row"], row["field"]) == ("communities", "T01", "zone")


@pytest.mark.slow
def test_gate_of_no_home(toy: Path) -> None:
    edit(toy, "homes/gates.geojson", lambda rows: rows[0]["properties"].update(home="Z"))
    row = only(toy)
    assert (row["row"], row["field"]) == ("gA", "home")


@pytest.mark.slow
def test_self_crossing_polygon(toy: Path) -> None:
    def cross(rows: list[dict[str, Any]]) -> None:
        ring = rows[0]["geometry"]["coordinates"][0]
        ring[1], ring[2] = ring[2], ring[1]

    edit(toy, "homes/homes.geojson", cross)
    row = only(toy)
    assert (row["row"], row["field"]) == ("A", "geometry") and "自相交" in row["problem"]


@pytest.mark.slow
def test_text_where_a_number_belongs(toy: Path) -> None:
    edit(toy, "homes/homes.geojson", lambda rows: rows[0]["properties"].update(people="一百"))
    row = only(toy)
    assert (row["row"], row["field"]) == ("A", "people") and "一百" in row["problem"]


@pytest.mark.slow
def test_negative_people(toy: Path) -> None:
    edit(toy, "homes/homes.geojson", lambda rows: rows[3]["properties"].update(people_60plus=-5))
    row = only(toy)
    assert (row["row"], row["field"]) == ("D", "people_60plus") and "-5" in row["problem"]


@pytest.mark.slow
def test_more_elderly_than_people(toy: Path) -> None:
    edit(toy, "homes/homes.geojson", lambda rows: rows[0]["properties"].update(people_60plus=101))
    assert only(toy)["row"] == "A"


@pytest.mark.slow
def test_swapped_axes(toy: Path) -> None:
    """Longitude and latitude written the wrong way round, in one row only."""
    homes = xh.District.load(toy).homes.to_crs("EPSG:4326")
    manifest(toy, r'(\[layers\.homes\]\nfile = "[^"]*"\n)crs = "[^"]*"', r'\1crs = "EPSG:4326"')
    good = json.loads(homes.reset_index()[["home", "name", "people", "geometry"]].to_json())
    point = next(f for f in good["features"] if f["properties"]["home"] == "D")
    point["geometry"]["coordinates"].reverse()
    (toy / "homes/homes.geojson").write_text(json.dumps(good), "utf-8")
    row = only(toy)
    assert (row["row"], row["field"]) == ("D", "geometry") and "写反" in row["problem"]


@pytest.mark.slow
def test_geometry_missing_or_of_the_wrong_type(toy: Path) -> None:
    def spoil(rows: list[dict[str, Any]]) -> None:
        rows[0]["geometry"] = None
        rows[1]["geometry"] = {"type": "Point", "coordinates": [500000, 4320000]}

    edit(toy, "network/streets.geojson", spoil)
    table = errors_of(toy)
    assert list(table["row"]) == ["h0", "h100"]


@pytest.mark.slow
def test_broken_json_and_toml(toy: Path) -> None:
    (toy / "homes/homes.geojson").write_text('{"type": "FeatureCollection", "features": [', "utf-8")
    table = errors_of(toy)
    assert set(table["layer"]) == {"homes"}
    (toy / "district.toml").write_text("name = ", "utf-8")
    assert errors_of(toy).loc[0, "file"] == "district.toml"


@pytest.mark.slow
def test_everything_is_reported_at_once(toy: Path) -> None:
    edit(toy, "homes/homes.geojson", lambda rows: rows[0]["properties"].update(people=-1, households="x"))
    edit(toy, "pois/facilities.geojson", lambda rows: rows[2]["properties"].update(kind="nope"))
    (toy / "boundaries/barriers.geojson").unlink()
    table = errors_of(toy)
    assert {(r.layer, r.field) for r in table.itertuples()} == {
        ("homes", "people"),
        ("homes", "households"),
        ("facilities", "kind"),
        ("barriers", "file"),
    }


@pytest.mark.slow
def test_path_outside_the_folder_is_refused(toy: Path) -> None:
    manifest(toy, r'file = "homes/homes.geojson"', 'file = "../homes.geojson"')
    assert "homes" in set(errors_of(toy)["layer"])


@pytest.mark.slow
def test_unknown_layer_suggests(toy: Path) -> None:
    manifest(toy, r"\[layers\.gates\]", "[layers.gate]")
    row = errors_of(toy).iloc[0]
    assert row["field"] == "layers.gate" and "gates" in row["remedy"]


def test_not_a_folder(tmp_path: Path) -> None:
    assert errors_of(tmp_path / "nowhere").loc[0, "file"] == "district.toml"


@pytest.mark.slow
def test_district_is_not_changed_by_its_callers() -> None:
    district = xh.District.load(TOY)
    homes = district.homes
    homes.loc["A", "people"] = 999_999.0
    homes["extra"] = 1
    assert district.homes.loc["A", "people"] == 100
    assert "extra" not in district.homes.columns


@pytest.mark.slow
@pytest.mark.parametrize("table", ["profiles", "rules"])
def test_who_walks_and_what_is_asked_are_named_by_code_or_label(table: str) -> None:
    """Every label that one row has stands for its code; one that several have is refused, and so is one that nobody has."""
    district = xh.District.load(TOY)
    rows, find = getattr(district, table), district.profile if table == "profiles" else district.rule
    assert len(rows) > 3
    for code, row in rows.iterrows():
        for label in {str(row[c]) for c in ("label", "label_en") if c in rows and isinstance(row[c], str) and row[c]}:
            same = {
                k
                for c in ("label", "label_en")
                if c in rows
                for k in rows.index[(rows[c] == label).to_numpy(dtype=bool)]
            }
            if same == {code} or label in rows.index:
                assert find(label).name == code
            else:
                with pytest.raises(xh.UnknownNameError, match=str(code)):
                    find(label)
    with pytest.raises(xh.UnknownNameError):
        find("nobody")


@pytest.mark.slow
def test_years() -> None:
    district = xh.District.load(TOY)
    assert "F4" not in district.open_facilities.index
    assert "F4" not in district.at(2025).facilities.query("state == 'open'").index
    assert "F4" in district.at(2025, planned=True).open_facilities.index
    assert "F4" not in district.at(2024, planned=True).facilities.index
    assert district.at(2025).year == 2025 and district.year == 2022


@pytest.mark.slow
def test_groups_by_position_and_by_code(toy: Path) -> None:
    groups = xh.District.load(toy).groups
    assert list(groups["community"].fillna("-")) == ["T01", "T02", "T01", "T02", "-"]
    assert list(groups["zone"]) == ["south", "north", "south", "north", "south"]
    edit(toy, "homes/homes.geojson", lambda rows: rows[4]["properties"].update(community="T02"))
    assert xh.District.load(toy).groups.loc["E", "community"] == "T02"


@pytest.mark.slow
def test_unknown_names_suggest() -> None:
    district = xh.District.load(TOY)
    with pytest.raises(xh.UnknownNameError, match="elderly"):
        district.profile("eldery")
    with pytest.raises(LookupError, match="plan_clinic_15"):
        district.rule("plan_clinic_5")


@pytest.mark.slow
@pytest.mark.matrix
def test_bundled_district_opens() -> None:
    district = xh.District.load()
    assert district.is_demonstration
    problems = xh.check()
    assert (problems["severity"] != "error").all(), problems.to_string()


def test_every_declared_parent_exists() -> None:
    for layer in LAYERS.values():
        for column in layer.columns:
            if column.parent:
                assert column.parent[0] in LAYERS
                assert column.parent[1] in LAYERS[column.parent[0]].names


@pytest.mark.slow
def test_layers_that_are_not_there_are_said_in_words(toy: Path) -> None:
    assert xh.District.load(toy).without == {"entrances"}
    path, text = toy / "district.toml", (toy / "district.toml").read_text("utf-8")
    path.write_text(text.replace('without = ["entrances"]', 'without = ["entrances", "gates", "homes"]'), "utf-8")
    problems = xh.check(toy).set_index("severity")
    assert problems.loc["error", "field"] == "without" and "“homes”" in problems.loc["error", "problem"]
    assert "gates" in problems.loc["warning", "problem"] and problems.loc["warning", "remedy"]
    path.write_text(text.replace('without = ["entrances"]', 'without = "entrances"'), "utf-8")
    assert errors_of(toy).loc[0, ["file", "field"]].tolist() == ["district.toml", "without"]


def declare(folder: Path, layer: str, file: str) -> None:
    path = folder / "district.toml"
    text = f'\n[layers.{layer}]\nfile = "{file}"\ncrs = "EPSG:4548"\nbasis = "surveyed"\n'
    path.write_text(path.read_text("utf-8") + text, "utf-8")


def write(folder: Path, file: str, rows: list[tuple[dict[str, Any], str, Any]]) -> None:
    features = [{"type": "Feature", "properties": p, "geometry": {"type": t, "coordinates": c}} for p, t, c in rows]
    (folder / file).write_text(json.dumps({"type": "FeatureCollection", "features": features}), "utf-8")


def at(x: float, y: float) -> list[float]:
    return [500000 + x, 4320000 + y]


def metres(folder: Path, home: str, kind: str) -> float:
    return float(od_table(xh.District.load(folder), [kind]).xs((home, kind), level=("home", "kind"))["metres"].iloc[0])


@pytest.mark.slow
def test_extra_links_join_the_streets_they_meet(toy: Path) -> None:
    """A path across the river at x = 150, its ends drawn 2 m short of both banks' streets."""
    write(
        toy,
        "network/extra_links.geojson",
        [({"street": "neu", "name": "渡桥", "class": "footway"}, "LineString", [at(150, 298), at(150, 202)])],
    )
    declare(toy, "extra_links", "network/extra_links.geojson")
    # B: 50 to (150, 300), 100 over the new path, 50 to x = 200, 200 down, 10 to the station
    assert metres(toy, "B", "clinic_station") == pytest.approx(50 + 100 + 50 + 200 + 10)


@pytest.mark.slow
def test_closures_shut_what_they_touch(toy: Path) -> None:
    """The bridge shut at its middle: nobody north of the river gets to the station."""
    write(toy, "network/closures.geojson", [({"id": "c1", "name": "桥面施工"}, "Point", at(300, 250))])
    declare(toy, "closures", "network/closures.geojson")
    assert pd.isna(metres(toy, "B", "clinic_station"))
    assert metres(toy, "A", "clinic_station") == pytest.approx(210)


@pytest.mark.slow
def test_own_facilities_win_and_likenesses_are_listed(toy: Path) -> None:
    from xinhe_geo.access.audit import audit

    rows = [
        ({"facility": "F1", "name": "南站（核对）", "kind": "clinic_station"}, "Point", at(110, 0)),
        ({"facility": "M1", "name": "北食堂（民政名录）", "kind": "canteen"}, "Point", at(170, 300)),
    ]
    write(toy, "pois/own.geojson", rows)
    declare(toy, "own_facilities", "pois/own.geojson")
    district = xh.District.load(toy)
    assert district.facilities.loc["F1", "name"] == "南站（核对）"
    assert {"F2", "M1"} <= set(district.facilities.index)  # both stay
    assert metres(toy, "A", "clinic_station") == pytest.approx(50 + 60)
    findings = audit(district)
    alike = findings[findings["finding"].str.contains("没有自动合并")]
    assert list(alike["where"]) == ["M1"]


# --- gates and lanes --------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.matrix
def test_a_gates_layer_without_features_knows_no_gates(toy: Path) -> None:
    """It is no error, and every home goes straight to the street, as where the layer is not declared."""
    edit(toy, "homes/gates.geojson", list.clear)
    assert xh.check(toy).empty
    silent = xh.District.load(toy)
    assert silent.gates is not None and silent.gates.empty
    cover = xh.coverage(silent)
    assert not od_table(silent, ["clinic_station"])["gate_known"].any()
    manifest(toy, r"\[layers\.gates\].*?(?=\n\[)", "")
    pd.testing.assert_frame_equal(cover, xh.coverage(xh.District.load(toy)))


@pytest.mark.slow
def test_other_layers_without_features_say_what_is_missing(toy: Path) -> None:
    edit(toy, "homes/homes.geojson", list.clear)
    assert "缺少必填列" in errors_of(toy).loc[0, "problem"]


@pytest.mark.slow
def test_a_wait_in_a_lane_is_an_error_of_its_row(toy: Path) -> None:
    def lane(features: list[dict[str, Any]]) -> None:
        bridge = next(f for f in features if f["properties"]["street"] == "bridge")
        bridge["properties"]["home"] = "A"

    edit(toy, "network/streets.geojson", lane)
    row = only(toy)
    assert (row["layer"], row["row"], row["field"]) == ("streets", "bridge", "wait_s")
    assert "小区 A" in row["problem"] and "公共街道" in row["remedy"]


@pytest.mark.slow
@pytest.mark.one_in(3)
@pytest.mark.parametrize(("english", "said"), [("Adults", "Adults"), ("", "成人"), (None, "成人")])
def test_a_walker_without_an_english_name_has_the_other(english: str | None, said: str) -> None:
    district = xh.District.load(TOY)
    table = district.profiles.assign(label_en=district.profiles["label_en"].astype(object))
    table.loc["adult", "label_en"] = english
    other = district.with_rows({**district.rows, "profiles": table})
    with speaking("en"):
        assert walker_name(other, other.profile("adult")) == said


@pytest.mark.parametrize("levels", [["home", "rule"], ["home", "kind"], ["home"]])
@pytest.mark.parametrize("column", ["served", "share"])
def test_a_coverage_has_both_its_levels_and_its_column(levels: list[str], column: str) -> None:
    """A table that has one of the two is refused, and the error names what it lacks."""
    index = pd.MultiIndex.from_tuples([tuple("ab"[: len(levels)])], names=levels)
    given = pd.DataFrame({column: [1.0]}, index=index if len(levels) > 1 else pd.Index(["a"], name="home"))
    lacks = [name for name in ("home", "rule", "served") if name not in (*levels, column)]
    if not lacks:
        must_be_cover(given)
        return
    with pytest.raises(WrongValueError, match="缺 " + "、".join(lacks)):
        must_be_cover(given)


def test_a_row_stands_from_its_first_year_to_its_last_whichever_is_known() -> None:
    rows = pd.DataFrame({"since": [None, 2020, 2020, None], "until": [None, None, 2024, 2019]}, dtype="Int64")
    found = {year: stands(rows, year).tolist() for year in (2019, 2020, 2024, 2025)}
    assert found == {
        2019: [True, False, False, True],
        2020: [True, True, True, False],
        2024: [True, True, True, False],
        2025: [True, True, False, False],
    }


def test_whoever_speaks_of_a_district_asks_it_for_nothing_that_it_has_not(
    toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What such a name may mean is looked for among all names: two hundred times in a report."""

    def refuse(_: xh.District, name: str) -> None:
        pytest.fail(f"asked for {name}")

    district = xh.District.load(toy)
    monkeypatch.setattr(xh.District, "__getattr__", refuse)
    assert named_by_homes(lambda own: own.year)(district) == district.year


def test_kinds_in_the_manifest_may_be_called_by_their_labels(toy: Path) -> None:
    manifest, there = toy / "district.toml", xh.District.load(toy)
    text = manifest.read_text("utf-8")
    for kind in there.surveyed_kinds:
        text = text.replace(f'"{kind}"', f'"{there.kinds.loc[kind, "label"]}"')
    manifest.write_text(text, "utf-8")
    assert '"canteen"' not in text and xh.District.load(toy).surveyed_kinds == there.surveyed_kinds
    manifest.write_text(text.replace(str(there.kinds.loc["canteen", "label"]), "老年食堂"), "utf-8")
    assert xh.District.load(toy).surveyed_kinds == there.surveyed_kinds, "without what stands in brackets"
    manifest.write_text(text.replace(str(there.kinds.loc["canteen", "label"]), "药店店"), "utf-8")
    assert "药店" in check(toy).loc[lambda p: p["field"] == "surveyed_kinds", "remedy"].iloc[0]
