"""What `check` finds, in English: every problem of every spoiled folder, in the place where the Chinese one is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from spoken import checked
from test_hostile_folders import TRAPS

import xinhe_geo as xh
from xinhe_geo.core import describe, problems_table
from xinhe_geo.core.errors import NAMELESS, Problem, nameless, row_name
from xinhe_geo.core.i18n import speaking
from xinhe_geo.core.schema import LAYERS

TOY = Path(__file__).parents[1] / "toy"
Spoil = Callable[[Path], object]


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    """Return a copy of the toy district that a test may break."""
    return Path(shutil.copytree(TOY, tmp_path / "toy"))


#: What people write where something else is asked for.
CELLS: dict[str, Any] = {
    "nothing": None,
    "words": "乱写的",
    "less than nothing": -7,
    "more than there is": 1e30,
    "half of it": 1.5,
    "what nobody sees": "A\u200b",
    "a list": "x;y",
}


@pytest.mark.slow
@pytest.mark.one_in(3)
@pytest.mark.parametrize("what", CELLS)
def test_a_wrong_cell_is_told_in_english(toy: Path, what: str) -> None:
    """In every column of every layer at once; the first item of each also carries a column that nobody knows."""
    for path in sorted(toy.rglob("*.geojson")):
        layer = next(layer for layer in LAYERS.values() if path.stem == layer.name)
        data = json.loads(path.read_text("utf-8"))
        said = data["features"][0]["properties"]
        said |= {"陌生": 1, **{column: CELLS[what] for column in layer.names if column in said or column != layer.key}}
        path.write_text(json.dumps(data, ensure_ascii=False), "utf-8")
    found = checked(toy)
    assert len(found) >= 20 and found["file"].nunique() > 5


def feature(change: Callable[[dict[str, Any]], object], file: str = "homes/homes.geojson") -> Spoil:
    def spoil(folder: Path) -> None:
        data = json.loads((folder / file).read_text("utf-8"))
        change(data["features"][0])
        (folder / file).write_text(json.dumps(data, ensure_ascii=False), "utf-8")

    return spoil


def shape(kind: str, coordinates: Any) -> Spoil:
    return feature(lambda row: row.update(geometry={"type": kind, "coordinates": coordinates}))


def text(this: str, that: str, file: str = "district.toml") -> Spoil:
    def spoil(folder: Path) -> None:
        said = (folder / file).read_text("utf-8")
        assert this in said
        (folder / file).write_text(said.replace(this, that, 1), "utf-8")

    return spoil


def content(file: str, written: bytes) -> Spoil:
    return lambda folder: (folder / file).write_bytes(written)


HOMES, X, Y = "homes/homes.geojson", 500_000.0, 4_320_000.0
FILES: dict[str, Spoil] = {
    "no manifest": lambda folder: (folder / "district.toml").unlink(),
    "a manifest in two": text('crs = "EPSG', 'crs = "EPSG\n'),
    "a manifest that is none": content("district.toml", "街道 ＝ 玩具".encode("gb18030")),
    "another version": text("schema = 1", "schema = 9"),
    "no name": text('name = "玩具街道"', 'name = ""'),
    "no CRS": text('crs = "EPSG:4548"\ndata', "data"),
    "a CRS in degrees": text('crs = "EPSG:4548"\ndata', 'crs = "EPSG:4326"\ndata'),
    "a CRS of elsewhere": text('crs = "EPSG:4548"\ndata', 'crs = "EPSG:3857"\ndata'),
    "entries and layers nobody knows": text("[layers.zones]", "colour = 1\n[layers.zonse]\nfile = 'x'\n[layers.zones]"),
    "a layer without a file": text('file = "boundaries/zones.geojson"', ""),
    "a layer from outside": text("boundaries/zones.geojson", "../zones.geojson"),
    "a layer that is not there": text("boundaries/zones.geojson", "boundaries/zoned.geojson"),
    "a layer of a format nobody reads": text("boundaries/zones.geojson", "boundaries/../district.toml"),
    "another basis": text('basis = "surveyed"', 'basis = "见过"'),
    "no CRS of a layer": text('crs = "EPSG:4548"\nbasis', "basis"),
    "kinds that are none": text('"clinic_station", ', '"诊所", '),
    "kinds as a word": text("surveyed_kinds = [", "mapped_kinds = 'canteen'\nsurveyed_kinds = ["),
    "kinds of both": text("surveyed_kinds = [", "mapped_kinds = ['canteen']\nsurveyed_kinds = ["),
    "without what is there": text('["entrances"]', '["gates", "homes"]'),
    "a secret nobody understands": text("[layers.homes]", '[layers.homes]\nsecrecy = "很密"\nmiji = "绝密"'),
    "a secret with a mistake in it": text("[layers.homes]", '[layers.homes]\nsecrecy = "机密"\ncolour = 1'),
    "half a file": content(HOMES, b'{"type": "FeatureCollection", "features": ['),
    "another format": content(HOMES, b"PK\x03\x04"),
    "words for a shape": feature(lambda row: row.update(geometry=None)),
    "a point for a way": feature(
        lambda row: row.update(geometry={"type": "Point", "coordinates": [X, Y]}), "network/streets.geojson"
    ),
    "an outline that crosses itself": shape("Polygon", [[[X, Y], [X + 9, Y + 9], [X + 9, Y], [X, Y + 9], [X, Y]]]),
    "far away": shape("Point", [X + 90_000, Y]),
    "beyond the zone": shape("Point", [X + 9e6, Y]),
    "no id": feature(lambda row: row["properties"].pop("home")),
    "an id that is there": feature(lambda row: row["properties"].update(home="B")),
    "an id that looks like another": feature(lambda row: row["properties"].update(home="ｂ")),
    "more old people than people": feature(lambda row: row["properties"].update(people_60plus=5000)),
    "no beginning": feature(lambda row: row["properties"].update(since=2030, until=2020)),
    "the same home twice": text('"home": "B"', '"home": "B", "since": 2020', HOMES),
    "rules as Excel writes them": content("homes/gates.csv", b""),
    "a table with a title": lambda folder: [
        (folder / "standards").mkdir(),
        (folder / "standards/rules.csv").write_bytes("规则表,,\nrule,label,kinds\n".encode()),
    ],
    "a table parted by semicolons": lambda folder: [
        (folder / "standards").mkdir(),
        (folder / "standards/rules.csv").write_bytes(b"rule;label;kinds\n"),
    ],
    "a table of another encoding": lambda folder: [
        (folder / "standards").mkdir(),
        (folder / "standards/rules.csv").write_bytes("rule,label\n一,二\n".encode("gb18030")),
    ],
    "a note of a change": lambda folder: [
        (folder / ".history").mkdir(),
        (folder / ".history/journal.json").write_bytes(b'{"do": "undone"}'),
    ],
}


@pytest.mark.slow
@pytest.mark.one_in(3)
@pytest.mark.parametrize("case", FILES)
def test_a_spoiled_file_is_told_in_english(toy: Path, case: str) -> None:
    FILES[case](toy)
    found = checked(toy)
    assert len(found) or case in ("the same home twice", "rules as Excel writes them")


@pytest.mark.slow
@pytest.mark.parametrize("case", [name for name, (_, door) in TRAPS.items() if door == "check"])
def test_a_trap_is_told_in_english(toy: Path, tmp_path: Path, case: str) -> None:
    TRAPS[case][0](toy, tmp_path)
    assert len(checked(toy))


def test_a_folder_that_is_not_there_is_told_in_english(tmp_path: Path) -> None:
    assert list(checked(tmp_path / "nowhere")["problem"]) == ["there is no such folder: nowhere"]


def test_a_row_without_an_id_is_the_same_row_in_both_languages() -> None:
    """Its id stands in tables, and is no sentence; what is printed says which item of the file it is."""
    row = nameless(3)
    table = problems_table([Problem("error", "homes", "a.geojson", row, "home", "x", "y")])
    (problem,) = table.itertuples(index=False)
    assert NAMELESS.fullmatch(row) and row_name("H1") == "H1"
    assert describe(problem) == "a.geojson 第 3 个要素 home：x。y"
    with speaking("en"):
        assert row_name(row) == "item 3" and describe(problem) == "a.geojson item 3 home: x; y"


def test_what_is_there_no_more_of_is_named_in_english() -> None:
    with speaking("en"):
        said = str(xh.UnknownNameError("设施类别", "canteeen", ["canteen", "clinic"]))
    assert said == "there is no kind of facility “canteeen”; perhaps canteen; choose from: canteen, clinic"
