"""
Every door through which files of others come in, besides that of `add`: a sound file for each, and what reads it.

A reader gets the damaged file and a folder with a copy of the toy district, which it may spoil.
"""

from __future__ import annotations

import functools
import json
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import openpyxl
import osmium
from test_osm_import import town

from hostile.corpus import one, text
from xinhe_geo.district import Scenario, check, undo
from xinhe_geo.district.seal import broken, seal
from xinhe_geo.io import add
from xinhe_geo.io.new_district import read_said, recipe_of
from xinhe_geo.io.osm_import import left_out
from xinhe_geo.ledger import export_rules, import_rules, read_record, take_figures
from xinhe_geo.report.ledger_workbook import TASKS_SHEET, USER_COLUMNS, read_tasks

TOY = Path(__file__).parents[1] / "toy"
TOML = """name = "a"
label = "甲"
[[edit]]
do = "close_facility"
facility = "F1"
[streets]
file = "town.osm"
[homes]
file = "people.csv"
crs = "WGS84"
"""
GRAPH = (
    '<graphml xmlns="http://graphml.graphdrawing.org/xmlns"><key id="x" for="node" attr.name="x" attr.type="string"/>'
    '<key id="y" for="node" attr.name="y" attr.type="string"/><key id="c" for="graph" attr.name="crs" attr.type="string"/>'
    '<graph edgedefault="directed"><data key="c">epsg:4326</data><node id="1"><data key="x">117</data><data key="y">39</data>'
    '</node><node id="2"><data key="x">117.1</data><data key="y">39</data></node><edge source="1" target="2" id="0"/></graph></graphml>'
)


class Door(NamedTuple):
    """What a file is called, a sound one, and what reads it."""

    name: str
    sound: Callable[[Path], bytes]
    read: Callable[[Path, Path], object]


def _packed(place: Path) -> bytes:
    (place / "a.osm").write_text(town().xml(), "utf-8")
    with osmium.SimpleWriter(str(place / "a.osm.pbf")) as writer:
        for thing in osmium.FileProcessor(str(place / "a.osm")):
            writer.add(thing)
    return (place / "a.osm.pbf").read_bytes()


def _sealed(place: Path) -> bytes:
    folder = shutil.copytree(TOY, place / "sealed")
    seal(folder)
    return (folder / "seal.json").read_bytes()


def _tasks(place: Path) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = TASKS_SHEET
    for row in (["任务"], ["编号", *USER_COLUMNS], ["1", "甲科", "乙科", "2030", "在办", "附件"]):
        sheet.append(row)
    book.save(place / "tasks.xlsx")
    return (place / "tasks.xlsx").read_bytes()


def _asked(option: str) -> Callable[[Path], bytes]:
    """What `add` writes for somebody to answer."""

    def make(place: Path) -> bytes:
        answers = place / "answers.xlsx"
        add(_list(place), TOY, "facilities", crs="WGS84", **{option: answers})
        return answers.read_bytes()

    return make


def _list(place: Path) -> Path:
    return text(place / "list.csv", [*one(类别="没见过的"), *one(编号="P2", 名称="某园", 类别="canteen")[1:]])


def _remember(name: str) -> Callable[[Path, Path], object]:
    """What a folder remembers is read by whoever undoes; trusted, so that all of it is."""

    def read(path: Path, place: Path) -> object:
        (place / "toy" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place / "toy" / name)
        return undo(place / "toy", trust=True)

    return read


def _of_folder(act: Callable[[Path], object]) -> Callable[[Path, Path], object]:
    return lambda path, place: (shutil.copy(path, place / "toy" / path.name), act(place / "toy"))


def _record(said: Mapping[str, object]) -> Callable[[Path], bytes]:
    return lambda _: json.dumps(said, ensure_ascii=False).encode()


VERSION = {
    "layer": "homes",
    "source": "a.csv",
    "files": [{"file": "homes/homes.geojson", "old": None, "new": "0" * 64}],
}
RUN = {"district": {}, "parameters": {}, "inputs": {}, "ledger": {}, "versions": {"xinhe-geo": "1"}, "files": {}}
DOORS = {
    "manifest": Door("district.toml", lambda _: (TOY / "district.toml").read_bytes(), _of_folder(check)),
    "plan": Door("plan.toml", lambda _: TOML.encode(), lambda path, _: Scenario.read(path)),
    "recipe": Door("recipe.toml", lambda _: TOML.encode(), lambda path, _: recipe_of(read_said(path))),
    "extract": Door("a.osm", lambda _: town().xml().encode(), lambda path, _: left_out(path)),
    "packed extract": Door("a.osm.pbf", _packed, lambda path, _: left_out(path)),
    "graph": Door("a.graphml", lambda _: GRAPH.encode(), lambda path, _: left_out(path)),
    "journal": Door(
        "a.json", _record({"version": "001", "do": "undo", "record": ""}), _remember(".history/journal.json")
    ),
    "version": Door("a.json", _record(VERSION), _remember(".history/001/record.json")),
    "seal": Door("seal.json", _sealed, _of_folder(broken)),
    "run": Door("run.json", _record(RUN), lambda path, _: read_record(path)),
    "rules": Door(
        "a.xlsx",
        lambda place: export_rules(place / "a.xlsx", TOY).read_bytes(),
        lambda path, _: import_rules(path, TOY),
    ),
    "tasks": Door("a.xlsx", _tasks, lambda path, _: read_tasks(path)),
    "figures": Door("a.xlsx", _tasks, lambda path, _: take_figures(path, TOY, apply=False)),
    "answers": Door(
        "a.xlsx", _asked("values"), lambda path, place: add(_list(place), TOY, "facilities", crs="WGS84", values=path)
    ),
    "decisions": Door(
        "a.xlsx", _asked("decide"), lambda path, place: add(_list(place), TOY, "facilities", crs="WGS84", decide=path)
    ),
}


@functools.cache
def sound(door: str) -> bytes:
    """Return a file that is taken as it is."""
    with tempfile.TemporaryDirectory() as place:
        return DOORS[door].sound(Path(place))


def within_the_package(content: bytes, damage: Callable[[bytes], bytes], choose: Callable[[list[str]], str]) -> bytes:
    """Return a zip one of whose members is damaged and packed anew, so that its sum is right and its reader is met."""
    import io

    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new:
        chosen = choose(old.namelist())
        for name in old.namelist():
            new.writestr(name, damage(old.read(name)) if name == chosen else old.read(name))
    return stream.getvalue()
