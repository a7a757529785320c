"""The list of planted defects keeps up with the code: what each of them replaces stands there, once."""

from __future__ import annotations

import pytest

from oracle.defects import DEFECTS, ROOT, Defect, planted, rows


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.what)
def test_the_defect_can_still_be_planted(defect: Defect) -> None:
    assert planted(ROOT / "xinhe_geo", defect) != (ROOT / "xinhe_geo" / defect.file).read_text(encoding="utf-8")


def test_there_are_as_many_as_are_told_of() -> None:
    assert len({defect.what for defect in DEFECTS}) == len(DEFECTS) == 26


@pytest.mark.matrix
def test_every_defect_is_found() -> None:
    """By a test of the second engine or by a unit test of its place: the row says by which, "-" is none."""
    missed = [row for row in rows([]) if row.split("|")[4:6] == [" - ", " - "]]
    assert not missed
