"""What is said in English: nothing Chinese but what the data say, and the same things in the same places as in Chinese."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

import xinhe_geo as xh
from xinhe_geo.core.i18n import speaking

#: Runs of Chinese, and the marks between them.
HAN = re.compile(r"[\u3400-\u9fff]+")
MARKS = re.compile(r"[，。；：、？！]")
#: Where a problem is, which no language changes.
PLACE = ["severity", "layer", "file", "row", "field"]


def texts_of(folder: Path) -> str:
    """Return all that the files of a folder say, as one text in which a run is looked up."""
    return "\n".join(path.read_text("utf-8", "ignore") for path in sorted(folder.rglob("*")) if path.is_file())


def ours(said: str, known: str) -> list[str]:
    """Return the runs of Chinese in a text that are no quotation of what is known."""
    return [run for run in HAN.findall(said) if run not in known]


def checked(folder: Path, known: str = "") -> pd.DataFrame:
    """
    Check a folder in both languages; return what is said in English.

    Each problem is found in the same file, row and field, says what to do where it says so in Chinese, and holds no Chinese but
    what stands in the folder, or in `known`.
    """
    chinese = xh.check(folder)
    with speaking("en"):
        english = xh.check(folder)
    pd.testing.assert_frame_equal(english[PLACE], chinese[PLACE])
    known += texts_of(folder)
    for mine, theirs in zip(english.itertuples(), chinese.itertuples(), strict=True):
        assert mine.problem and bool(mine.remedy) == bool(theirs.remedy), mine
        assert not ours(f"{mine.problem} {mine.remedy}", known), (mine.problem, mine.remedy)
        assert not MARKS.search(HAN.sub("", mine.remedy)), mine.remedy
    return english
