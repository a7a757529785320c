"""Cells are cells: H3 indexes and regular grids are recognised, drawn as what they are, and never called 小区."""

from __future__ import annotations

import importlib
import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h3
import numpy as np
import pandas as pd
import pytest
import shapely
from test_osm_import import line, people, town

from xinhe_geo.access.entrances import CELL_POINTS_AT_MOST, facility_entrances, home_points
from xinhe_geo.app.cli import main
from xinhe_geo.core import are_h3, say, speaking, title
from xinhe_geo.core.i18n import named_by_homes
from xinhe_geo.district import District
from xinhe_geo.io.home_cells import grid_cells
from xinhe_geo.io.osm_import import import_osm
from xinhe_geo.maps.style import wording

ROOT = Path(__file__).parents[2]


def hexagons(resolution: int = 9) -> list[str]:
    return sorted(h3.grid_disk(h3.latlng_to_cell(39.055, 117.605, resolution), 2))


def table_of(cells: list[str], write: str = "{}") -> str:
    rows = [f"{write.format(cell)},{lon:.7f},{lat:.7f},10" for cell in cells for lat, lon in [h3.cell_to_latlng(cell)]]
    return "\n".join(["id,lon,lat,people", *rows, ""])


@pytest.fixture
def extract(tmp_path: Path) -> Path:
    path = tmp_path / "town.osm"
    path.write_text(town().xml(), "utf-8")
    return path


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize("as_number", [False, True])
def test_h3_cells_are_drawn_as_hexagons(extract: Path, tmp_path: Path, as_number: bool) -> None:
    cells = hexagons()
    ids = {cell: str(int(cell, 16)) if as_number else cell for cell in cells}
    table = "\n".join(
        r.replace(r.split(",")[0], ids.get(r.split(",")[0], r.split(",")[0]), 1) for r in table_of(cells).split("\n")
    )
    report = import_osm(extract, tmp_path / "out", homes=people(tmp_path, table))
    d = District.load(tmp_path / "out")
    assert d.homes is not None and d.cells == "h3"
    assert (d.homes.geometry.geom_type == "Polygon").all()
    size = h3.cell_area(cells[0], unit="m^2")
    assert d.homes.geometry.area.to_numpy() == pytest.approx(size, rel=0.02)
    assert d.homes.geometry.union_all().area == pytest.approx(len(cells) * size, rel=0.02), "no gap and no overlap"
    assert d.homes["people"].sum() == 10 * len(cells)
    assert home_points(d).groupby("home").size().between(9, CELL_POINTS_AT_MOST + 4).all()
    assert d.facilities is not None
    assert facility_entrances(d, d.facilities)["inside"].isna().all(), "a facility is in no cell's compound"
    assert "六边形" in line(report, "homes", "单元")["reason"]


@pytest.mark.slow
@pytest.mark.matrix
def test_ids_that_only_look_like_indexes_stay_places(extract: Path, tmp_path: Path) -> None:
    assert not are_h3(["8" + "0" * 14]) and not are_h3([]) and not are_h3(["a", *hexagons()])
    assert not are_h3([*hexagons(9), *hexagons(8)]), "one resolution covers the ground once"
    cells = hexagons()
    moved = table_of(cells).replace("117.60", "117.62")
    import_osm(extract, tmp_path / "out", homes=people(tmp_path, moved))
    there = District.load(tmp_path / "out").homes
    assert there is not None and (there.geometry.geom_type == "Point").all()


@pytest.mark.parametrize("seed", range(6))
def test_a_grid_is_found_turned_thinned_and_shaken_and_scattered_points_are_none(seed: int) -> None:
    rng = np.random.default_rng(seed)
    step, angle = rng.uniform(50, 500), rng.uniform(-0.7, 0.7)
    x, y = np.meshgrid(np.arange(9.0), np.arange(11.0))
    own = np.column_stack([x.ravel(), y.ravel()])[rng.random(99) < 0.7] * step
    shaken = own + rng.uniform(-0.002, 0.002, own.shape) * step
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    found = grid_cells(shaken @ turn + 1e5, turned=True)
    assert found is not None
    assert shapely.area(found) == pytest.approx(step**2, rel=0.01)
    assert shapely.union_all(shapely.buffer(found, 0.01 * step)).area == pytest.approx(len(own) * step**2, rel=0.1)
    assert grid_cells(shaken + 1e5) is not None, "not turned"
    assert grid_cells(rng.uniform(0, 1000, (80, 2)), turned=True) is None
    assert grid_cells(own[:8]) is None, "a few points are no grid"


@pytest.mark.slow
def test_points_of_a_grid_become_squares(extract: Path, tmp_path: Path) -> None:
    rows = [f"g{i}-{j},{117.601 + i * 0.002:.4f},{39.051 + j * 0.002:.4f},5" for i in range(5) for j in range(5)]
    import_osm(extract, tmp_path / "out", homes=people(tmp_path, "\n".join(["id,lon,lat,people", *rows, ""])))
    d = District.load(tmp_path / "out")
    assert d.homes is not None and d.cells == "grid" and d.homes["people"].sum() == 125
    # 0.002 degree of longitude by 0.002 of latitude at 39.055 N: 173 m by 222 m
    assert d.homes.geometry.area.to_numpy() == pytest.approx(173 * 222, rel=0.01)


def test_homes_are_named_as_what_they_are_while_a_district_of_cells_is_spoken_of() -> None:
    @named_by_homes
    def told(about: object) -> list[str]:
        return [
            say("{0} 个小区", 3),
            title("小区编号"),
            say("小区"),
            say("{0} 个小区人口不详，未计入", "x") if about is None else "",
        ]

    class Cells:
        cells = "h3"

    class About:
        district = Cells()

    for about in (Cells(), About()):
        assert told(about)[:3] == ["3 个格网单元", "格网单元编号", "格网单元"]
        with speaking("en"):
            assert told(about)[:3] == ["3 cells", "Cell id", "Cells"]
    assert say("{0} 个小区", 3) == "3 个小区", "no longer than that"


def texts(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".html", ".svg", ".csv", ".txt"):
            yield path.name, re.sub(r"<(script|style).*?</\1>", "", path.read_text("utf-8"), flags=re.DOTALL)
        elif path.suffix in (".xlsx", ".docx", ".pptx"):
            with zipfile.ZipFile(path) as parts:
                for name in parts.namelist():
                    if name.endswith(".xml"):
                        yield f"{path.name}:{name}", parts.read(name).decode("utf-8")


def test_maps_made_one_after_another_name_homes_each_by_its_own_district() -> None:
    """What maps say is kept between maps, so what was said of compounds must not come back for cells."""

    @named_by_homes
    def said_of(district: SimpleNamespace) -> str:
        return wording("zh")["search"]

    compounds, cells = SimpleNamespace(cells=""), SimpleNamespace(cells="grid")
    for _ in range(2):
        assert "小区" in said_of(compounds)
        assert "小区" not in said_of(cells) and "单元" in said_of(cells)


#: What writes a document or a table of homes on its own, asked for by a command of its own.
FRONTS = (
    *("gis.write_geopackage", "report.write_report", "pages.checkup.checked", "pages.checkup.write_checkup"),
    *(
        "pages.final.final_checked",
        "pages.parcels.write_parcels",
        "paper.atlas.atlas",
        "paper.checkup_word.checkup_word",
    ),
    *(
        "paper.public.public",
        "paper.sheet.sheet",
        "paper.slides.slides",
        "paper.survey_form.survey",
        "paper.word.write_brief",
    ),
)


@pytest.mark.parametrize("front", FRONTS)
def test_each_document_names_homes_as_its_district_does(front: str) -> None:
    module, _, name = front.rpartition(".")
    made: Any = getattr(importlib.import_module(f"xinhe_geo.report.{module}"), name)
    names = {made.__code__.co_name}
    while hasattr(made, "__wrapped__"):
        made = made.__wrapped__
        names.add(made.__code__.co_name)
    assert named_by_homes(print).__code__.co_name in names


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_no_document_calls_a_cell_a_compound(lang: str, tmp_path: Path) -> None:
    """Names of data apart (a nursing home is one): the toy district, whose homes are said to be cells."""
    folder = tmp_path / "cells"
    shutil.copytree(ROOT / "tests/toy", folder)
    manifest = folder / "district.toml"
    manifest.write_text(
        manifest.read_text("utf-8").replace("[layers.homes]", '[layers.homes]\ncells = "grid"'), "utf-8"
    )
    out = tmp_path / "out"
    assert main(["report", str(folder), "--out", str(out), "--lang", lang]) == 0
    kinds = pd.read_csv(ROOT / "data/pois/kinds.csv")["label_en"]
    ours = re.compile("|".join(re.escape(k) for k in kinds if "home" in k.lower()))
    wrong = re.compile("小区" if lang == "zh" else r"(?<![-\w./#\"'=])[Hh]omes?(?![-\w/\"'=]|\.\w)")
    found = [
        (name, text[max(m.start() - 30, 0) : m.end() + 20])
        for name, raw in texts(out)
        for text in [ours.sub("", raw)]
        for m in wrong.finditer(text)
    ]
    assert found == []
    right = "格网单元" if lang == "zh" else "cell"
    assert any(right in text for _, text in texts(out))


def test_a_grid_of_which_just_a_tenth_is_there_is_one() -> None:
    """Twelve of 10 by 12 squares, all numbers whole: of exactly so much it is a grid, of less it is none."""
    across = [*range(10), 4, 5]
    tenth = np.column_stack([across, range(12)]).astype(float)
    found = grid_cells(tenth)
    assert found is not None and shapely.area(found).tolist() == [1.0] * 12
    assert grid_cells(np.column_stack([across, [*range(10), 10, 12]]).astype(float)) is None, "12 of 130"


@pytest.mark.slow
def test_what_is_printed_of_cells_names_no_home(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "toy"
    shutil.copytree(ROOT / "tests/toy", folder)
    manifest = folder / "district.toml"
    manifest.write_text(
        manifest.read_text("utf-8").replace("[layers.homes]", '[layers.homes]\ncells = "grid"'), "utf-8"
    )
    assert main(["links", "clinic_station", "--gaps", "--for", str(folder)]) == 0
    shown = capsys.readouterr().out
    assert "小区" not in shown and "格网单元" in shown.replace("\n", "")
