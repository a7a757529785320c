"""Tables as CSV: no text of the data is a formula, whichever command writes them."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pandas as pd
import pytest
from hostile.corpus import FORMULAS

from xinhe_geo.app.batch import districts_of
from xinhe_geo.core import csv_text

PACKAGE = Path(__file__).resolve().parents[2] / "xinhe_geo"
#: Who writes CSV by itself, and why it may.
PLAIN = {
    "core/spreadsheet.py": "this is it",
    "district/staging.py": "the data themselves, read again as they are",
    "io/new_folder.py": "names of files and their hashes, read again as they are",
    "io/split.py": "rows of a table of people on their way to the district they belong to",
    "ledger/panel.py": "is hashed, not written",
    "app/lessons.py": "what a lesson fills in by itself",
}
WIDE = ("＝1+1", "＋1+1", "－cmd", "＠SUM(1)", "\t=1", "\r=1", "x\r=1+1")


@pytest.mark.parametrize("text", [*FORMULAS, *WIDE])
@pytest.mark.parametrize("index", [True, False])
def test_no_text_is_a_formula(text: str, index: bool) -> None:
    """In a cell, as a name of a row or of a column."""
    table = pd.DataFrame({text: [text, "x"], "n": [-1.5, 2]}, index=pd.Index([text, "y"], name=f"{text}."))
    for line in pd.read_csv(io.StringIO(csv_text(table, index=index)), header=None, dtype=str).to_numpy():
        assert not [cell for cell in line if "\r" in str(cell) or re.match(r"[=+@\t\r＝＋＠－]|-\D", str(cell))]
    assert "-1.5" in csv_text(table)


def test_nobody_writes_csv_past_it() -> None:
    found = {p.relative_to(PACKAGE).as_posix() for p in PACKAGE.rglob("*.py") if ".to_csv(" in p.read_text("utf-8")}
    assert found == set(PLAIN)


def test_a_catalogue_that_was_made_safe_is_read(tmp_path: Path) -> None:
    """A folder whose name begins with a dash stands there behind an apostrophe."""
    rows = pd.DataFrame({"folder": ["-新河", "b"], "status": "done"}, index=pd.Index(["1", "2"], name="code"))
    (tmp_path / "catalogue.csv").write_text(csv_text(rows), "utf-8-sig")
    assert {folder.name for folder in districts_of([tmp_path / "catalogue.csv"]).values()} == {"-新河", "b"}
