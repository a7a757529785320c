"""The project for QGIS: every table of the GeoPackage, found beside it, under names that people read; the same bytes again."""

from __future__ import annotations

import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import geopandas as gpd
import pyproj
import pytest
from shapely import LineString, Point, box

from xinhe_geo.report.gis import write_layers
from xinhe_geo.report.qgis import CHANGED, Shown, change_categories, write_project

#: One plane that is registered, one that nobody has given a number.
PLANES = ("EPSG:32650", "+proj=tmerc +lat_0=39 +lon_0=117.6 +k=1 +x_0=0 +y_0=0 +ellps=GRS80 +units=m")
LABELS = {
    "id": "编号",
    "name": "名称",
    "served": "可达份额",
    "state": "状态",
    "served_change": "变化份额",
    "kind": "类别",
}
#: What opens a project with the reader of QGIS itself, where that is installed, and says what it found.
READER = """
import os, sys
os.environ["QT_QPA_PLATFORM"] = "offscreen"
from qgis.core import QgsApplication, QgsProject
QgsApplication.setPrefixPath("/usr", True)
app = QgsApplication([], False)
app.initQgis()
project = QgsProject.instance()
print("read", project.read(sys.argv[1]), project.crs().isValid())
for layer in project.mapLayers().values():
    aliases = all(field.alias() for field in layer.fields() if field.name() != "fid")
    print("layer", layer.isValid(), layer.crs().isValid(), layer.featureCount(), aliases, layer.labelsEnabled(), layer.name())
sys.stdout.flush()
os._exit(0)
"""


def layers(plane: str) -> dict[str, gpd.GeoDataFrame]:
    """Points, lines, areas, and a table that mixes them; a name that XML would stumble over."""
    square, spot = box(0, 0, 100, 100), Point(150, 50)
    frame = gpd.GeoDataFrame({"id": ["a", "b"], "name": ['甲 <&"苑', "乙苑"]}, geometry=[square, spot], crs=plane)
    moved = frame.assign(state=["both", "new"], served_change=[0.5, float("nan")]).iloc[:1]
    places = frame.iloc[1:].assign(kind="clinic")
    return {
        "设施": places.set_index("id"),
        "变化_a": moved.set_index("id"),
        "覆盖_a": frame.assign(served=[1.0, 0.2]).set_index("id"),
        "街道": gpd.GeoDataFrame(
            {"id": ["s"], "name": ["一路"]}, geometry=[LineString([(0, 0), (200, 0)])], crs=plane
        ).set_index("id"),
    }


SHOWN = {
    "设施": Shown(
        "设施", "设施", "点", "kind", {"clinic": ("卫生站", "#CC3311"), "other": ("别的", "red")}, visible=True
    ),
    "变化_a": Shown("甲", "前后", "变化", CHANGED, change_categories(), visible=True),
    "覆盖_a": Shown("甲", "可达份额", "覆盖"),
    "街道": Shown("街道", "路网", "底图", visible=True),
}


@pytest.fixture(params=PLANES, ids=["registered", "its own"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    tables = layers(request.param)
    write_layers(tmp_path / "甲.gpkg", tables, 2022, LABELS, about="甲", shown=SHOWN)
    return write_project(tmp_path / "甲.gpkg", tables, SHOWN, LABELS, '甲〔"乙" & 丙〕')


def read(path: Path) -> Element:
    with zipfile.ZipFile(path) as archive:
        return ElementTree.fromstring(archive.read(f"{path.stem}.qgs"))


def sources(root: Element) -> Iterator[tuple[str, str, str]]:
    """Yield of each layer its file, its table and which shapes of it."""
    for layer in root.iter("maplayer"):
        file, table, *shapes = (layer.findtext("datasource") or "").split("|")
        yield file, table.removeprefix("layername="), "".join(shapes).removeprefix("geometrytype=")


def test_a_project_opens_every_table_beside_it(project: Path) -> None:
    root = read(project)
    assert root.findtext("title") == '甲〔"乙" & 丙〕'
    found = list(sources(root))
    assert {file for file, _, _ in found} == {"./甲.gpkg"} and root.findtext("properties/Paths/Absolute") == "false"
    assert [(table, shape) for _, table, shape in found] == [
        ("设施", ""),
        ("变化_a", ""),
        ("覆盖_a", "Point"),
        ("覆盖_a", "Polygon"),
        ("街道", ""),
    ]
    listed = {entry.get("id"): entry for entry in root.iter("layer-tree-layer")}
    assert list(listed) == [layer.findtext("id") for layer in root.iter("maplayer")]
    assert [group.get("name") for group in root.findall("layer-tree-group/layer-tree-group")] == [
        "点",
        "变化",
        "覆盖",
        "底图",
    ]
    assert sum(entry.get("checked") == "Qt::Checked" for entry in listed.values()) == 3
    colours = {option.get("value", "") for option in root.iter("Option") if option.get("name") == "color"}
    assert {"204,51,17,200"} < colours and all(re.fullmatch(r"\d+,\d+,\d+,\d+", colour) for colour in colours)
    for layer in root.iter("maplayer"):
        assert all(alias.get("name") == LABELS[alias.get("field", "")] for alias in layer.iter("alias"))
        assert layer.findtext("abstract") and layer.find("labeling") is not None


@pytest.mark.slow
@pytest.mark.parametrize("plane", PLANES, ids=["registered", "its own"])
def test_same_bytes_twice(tmp_path: Path, plane: str) -> None:
    once, again = (
        write_project(tmp_path / f"{folder}/甲.gpkg", layers(plane), SHOWN, LABELS, "甲").read_bytes()
        for folder in "ab"
    )
    assert once == again


@pytest.mark.slow
@pytest.mark.one_in(2)
def test_qgis_itself_reads_it(project: Path) -> None:
    """All layers valid, with their coordinate system, rows, aliases and labels; where QGIS is installed."""
    program = shutil.which("python3", path="/usr/bin")
    if (
        program is None
        or subprocess.run([program, "-c", "import qgis.core"], capture_output=True, check=False).returncode
    ):
        pytest.skip("no QGIS on this machine")
    ran = subprocess.run([program, "-c", READER, str(project)], capture_output=True, text=True, check=True, timeout=120)
    lines = [line.split(maxsplit=6) for line in ran.stdout.splitlines()]
    assert lines[0] == ["read", "True", "True"]
    assert sorted(line[6] for line in lines[1:]) == sorted(["设施", "甲", "甲（点）", "甲（面）", "街道"])
    assert all(line[1:6] == ["True", "True", "1", "True", "True"] for line in lines[1:])


def test_a_plane_without_a_number_is_looked_up_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Among all that are registered, which takes a tenth of a second, and not again for every layer."""
    looked_up, asked = pyproj.CRS.to_epsg, list[int]()

    def noted(plane: pyproj.CRS, least: int = 70) -> int | None:
        asked.append(least)
        return looked_up(plane, least)

    monkeypatch.setattr(pyproj.CRS, "to_epsg", noted)
    frames = layers(PLANES[1].replace("117.6", "116.25"))
    write_layers(tmp_path / "a.gpkg", frames, 2024, LABELS)
    assert len(asked) == 1 < len(frames)
