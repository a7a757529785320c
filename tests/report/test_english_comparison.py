"""Many districts in English: their reports, and the comparison on its page, in the workbook and in the GeoPackage."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pyogrio
import pytest
from test_batch import copies, files_of, in_years, record, sample, work_here
from test_english import HAN, Text, may_stay

from xinhe_geo.app import batch as module
from xinhe_geo.app.cli import main
from xinhe_geo.core.i18n import speaking
from xinhe_geo.report.districts import side_by_side
from xinhe_geo.report.pages.districts import write_side_by_side


def in_english(facts_of: dict[str, Any]) -> dict[str, Any]:
    """Return a record as a run in English makes it, of two indicators that are called the same."""
    (one,) = facts_of["indicators"]
    words = {"label": "Clinic within 15 min", "kinds": "clinics", "asks": "adults, walking time of at most 15 min"}
    words |= {"standard": "Reference (not verified)", "headline": "Insufficient data: nobody surveyed clinics"}
    mark = "Demonstration (no conclusion)" if one["mark"] else ""
    rows = [{**one, **words, "mark": mark, "rule": rule} for rule in ("r", "again")]
    return {**facts_of, "indicators": rows}


def read(out: Path) -> Text:
    """Return what the page of a comparison shows; shapes end where they begin: their tips are what is in them."""
    return Text(re.sub("</(?:use|circle)>", "", (out / "index.html").read_text("utf-8")))


def said(out: Path) -> Iterator[str]:
    """Yield what the comparison in a folder shows: page, sheets, rows and columns of the layers, whose names are the same in every language."""
    page = read(out)
    assert page.lang == "en" and not page.unmarked
    yield from page.shown
    for sheet in openpyxl.load_workbook(out / "tables" / "comparison.xlsx").worksheets:
        yield sheet.title
        yield from (str(cell) for row in sheet.iter_rows(values_only=True) for cell in row if cell is not None)
    package = out / "gis" / "comparison.gpkg"
    for layer in {name for name, _ in pyogrio.list_layers(package)} - {"layer_styles"}:
        rows = pyogrio.read_dataframe(package, layer=layer, read_geometry=False)
        yield from (str(cell) for column in rows for cell in rows[column])
    with contextlib.closing(sqlite3.connect(package)) as db:
        for (style,) in db.execute("SELECT styleQML FROM layer_styles"):
            yield from re.findall(r'<alias [^>]*name="([^"]*)"', style)


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize("cells", [0, 2, 14])
def test_the_comparison_is_english_but_for_names(cells: int, tmp_path: Path) -> None:
    """With what is seldom there: outliers, several years, a crowd, districts that failed or are apart, a code twice."""
    records = [*sample(), *in_years((2026, 0.8, "d"), (2024, 0.5, "d"), (2025, 0.5, "e"))]
    crowd = [(f"m{i}", record(i, i * 37 % 100 / 100, homes=3 if i % 9 else 60)) for i in range(230)]
    apart = [
        (k, {**r, "outline": r["outline"].replace("117", "99") if k < "k04" else r["outline"]}) for k, r in records
    ]
    for name, given in (("usual", records), ("crowd", crowd), ("apart", apart)):
        some = [(k, {**r, "district": {**r["district"], "cells": i < cells}}) for i, (k, r) in enumerate(given)]
        figures = {}
        for lang in ("zh", "en"):
            with speaking(lang):
                districts, values = side_by_side([(k, in_english(r)) for k, r in some])
                status = districts[["name", "code"]].assign(status="done", problem="")
                status.loc["zz"] = ["Elsewhere", "1", "failed", "homes: no numbers"]
                write_side_by_side(districts, values, status, tmp_path / lang / name)
            figures[lang] = read(tmp_path / lang / name).figures
        assert not {run for text in said(tmp_path / "en" / name) for run in HAN.findall(text) if run != "新河街道"}
        assert figures["en"] == figures["zh"] and figures["en"].total() > 40
        book = openpyxl.load_workbook(tmp_path / "en" / name / "tables" / "comparison.xlsx")
        shares = [cell.number_format for cell in book["Subdistricts by indicator"][4][2:]]
        assert shares == ["0.0%"] * 2, "also where two indicators are called the same"


@pytest.mark.slow
def test_a_batch_in_english_is_english_but_for_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    work_here(monkeypatch)
    copies(tmp_path / "in", "a")
    command = ["batch", str(tmp_path / "in"), "--out", str(tmp_path / "many"), "--only", "tables", "--lang", "en"]
    assert main(command) == 0
    district = module.District.load(tmp_path / "in" / "a")
    with speaking("en"):
        module.write_report(district, module.analyse(district), tmp_path / "single", only="tables")
    assert files_of(tmp_path / "many" / "districts" / "a") == files_of(tmp_path / "single")
    stays = may_stay(district)
    shown = [capsys.readouterr().out, (tmp_path / "many" / "status.csv").read_text("utf-8"), *said(tmp_path / "many")]
    assert not {run for text in shown for run in HAN.findall(text) if run not in stays}
