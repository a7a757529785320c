"""Tables as CSV: no text of the data is a formula, whichever command writes them."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pandas as pd
import pytest
from hostile.corpus import FORMULAS

from xinhe_geo.app.batch import districts_of
from xinhe_geo.core import csv_text, reading, without_mark
from xinhe_geo.io.value_words import Answers, answer_sheet, read_answers

PACKAGE = Path(__file__).resolve().parents[2] / "xinhe_geo"
#: Who writes CSV by itself, and why it may.
PLAIN = {
    "core/spreadsheet.py": "this is it",
    "district/staging.py": "the data themselves, read again as they are",
    "io/new_folder.py": "names of files and their hashes, read again as they are",
    "io/split.py": "rows of a table of people on their way to the district they belong to",
    "ledger/rulebook.py": "the rules themselves, read again as they are",
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


@pytest.mark.parametrize("text", [*FORMULAS, *WIDE, "x", "'x", "-5", "'-5", ""])
def test_what_was_marked_is_read_as_it_was(text: str) -> None:
    line = next(csv.reader(io.StringIO(csv_text(pd.DataFrame([[text, ""]]), index=False, header=False), newline="")))
    assert without_mark(line[0]) == text.replace("\r", "\n")


@pytest.mark.parametrize("text", [*FORMULAS, *WIDE])
def test_a_sheet_of_questions_holds_no_formula_and_is_read_as_it_was_written(tmp_path: Path, text: str) -> None:
    sheet = answer_sheet(Answers({("类别", text): text}), [[text, text, "3", text, ""]])
    cells = [cell for row in csv.reader(io.StringIO(sheet.decode("utf-8-sig"), newline="")) for cell in row]
    assert not [cell for cell in cells if re.match(r"[=+@\t\r＝＋＠－]|-\D", cell)]
    (tmp_path / "对照.csv").write_bytes(sheet)
    with reading(tmp_path):
        assert read_answers(tmp_path / "对照.csv").of("类别", text) == text.replace("\r", "\n").strip()


def test_nobody_writes_csv_past_it() -> None:
    found = {
        p.relative_to(PACKAGE).as_posix()
        for p in PACKAGE.rglob("*.py")
        if re.search(r"\.to_csv\(|csv\.(Dict)?[wW]riter\(", p.read_text("utf-8"))
    }
    assert found == set(PLAIN)


def test_a_catalogue_that_was_made_safe_is_read(tmp_path: Path) -> None:
    """A folder whose name begins with a dash stands there behind an apostrophe."""
    rows = pd.DataFrame({"folder": ["-新河", "b"], "status": "done"}, index=pd.Index(["1", "2"], name="code"))
    (tmp_path / "catalogue.csv").write_text(csv_text(rows), "utf-8-sig")
    assert {folder.name for folder in districts_of([tmp_path / "catalogue.csv"]).values()} == {"-新河", "b"}
