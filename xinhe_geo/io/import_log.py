"""What an import took and what it left out, each with the reason."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from ..core import LAYERS, say

REPORT_COLUMNS = ("layer", "what", "taken", "left_out", "reason", "examples")


class ImportLog:
    """Collects the rows of the report, in the order things are found."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, int, int, str, str]] = []

    def took(self, layer: str, what: str, n: int, reason: str = "", examples: Iterable[str] = ()) -> None:
        """Say what was taken; nothing where it is none."""
        if n:
            self.rows.append((layer, what, n, 0, reason, some(examples)))

    def left(self, layer: str, what: str, n: int, reason: str, examples: Iterable[str] = ()) -> None:
        """Say what was left out, and why; nothing where it is none."""
        if n:
            self.rows.append((layer, what, 0, n, reason, some(examples)))

    def note(self, layer: str, what: str, reason: str, examples: Iterable[str] = ()) -> None:
        """Say something that is no number of features."""
        self.rows.append((layer, what, 0, 0, reason, some(examples)))

    def frame(self) -> pd.DataFrame:
        """Return the rows as a table indexed by layer, layers in their declared order."""
        order = {name: i for i, name in enumerate(dict.fromkeys(("district", "streets", *LAYERS)))}
        rows = sorted(self.rows, key=lambda row: order[row[0]])
        return pd.DataFrame(rows, columns=list(REPORT_COLUMNS)).set_index("layer")


def some(examples: Iterable[str], n: int = 8) -> str:
    """Return the first few of a list in words, and how many there are."""
    listed = list(examples)
    return say("、").join(listed[:n]) + (say(" 等 {0} 个", len(listed)) if len(listed) > n else "")
