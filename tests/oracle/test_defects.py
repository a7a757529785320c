"""The list of planted defects keeps up with the code: what each of them replaces stands there, once."""

from __future__ import annotations

import re

import pytest

from oracle.defects import DEFECTS, QUICK, ROOT, Defect, planted, rows


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.what)
def test_the_defect_can_still_be_planted(defect: Defect) -> None:
    assert planted(ROOT / "xinhe_geo", defect) != (ROOT / "xinhe_geo" / defect.file).read_text(encoding="utf-8")


def test_there_are_as_many_as_are_told_of() -> None:
    assert len({defect.what for defect in DEFECTS}) == len(DEFECTS) == 26


def test_the_page_lists_them_as_they_are_and_tests_that_there_are() -> None:
    """Number, words and file of each; whatever test is named is in a file of that name, the second engine's in its own."""
    page = (ROOT / "docs" / "correctness.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d+) \| (.*?) \| `(\S+\.py)` \| (.*?) \| (.*?) \|$", page, re.MULTILINE)
    assert [(int(n), what, file) for n, what, file, *_ in rows] == [
        (n, defect.what, defect.file) for n, defect in enumerate(DEFECTS, 1)
    ]
    for _, what, _, oracle, unit in rows:
        assert {oracle, unit} != {"-"}, what
        if oracle != "-":
            assert oracle.strip("`") in QUICK, what
        if unit != "-":
            file, name = unit.strip("`").partition("[")[0].split()
            (where,) = (ROOT / "tests").glob(f"*/{file}.py")
            assert f"def {name}(" in where.read_text("utf-8"), what


@pytest.mark.matrix
def test_every_defect_is_found() -> None:
    """By a test of the second engine or by a unit test of its place: the row says by which, "-" is none."""
    missed = [row for row in rows([]) if row.split("|")[4:6] == [" - ", " - "]]
    assert not missed
