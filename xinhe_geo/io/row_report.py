"""What becomes of every row of a file that is added: the report, line by line, and its tally."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import pandas as pd

from .cells import printable

#: What becomes of a row of the file that is taken, and of one that is not.
TAKEN = ("new", "opened", "changed", "moved", "renamed", "unchanged")
REPORTED = ("refused", "unclear", "skipped")
#: The same, and what can become of a row already there, of a column or cell about persons; a remark.
RESULTS = (*TAKEN, *REPORTED, "closed", "gone", "dropped", "note")
RESULT_LABELS = {
    "new": "新增",
    "opened": "规划的已开放",
    "changed": "修改",
    "moved": "移位",
    "renamed": "改名",
    "unchanged": "没变",
    "refused": "拒收",
    "unclear": "待定",
    "skipped": "跳过",
    "closed": "停用",
    "gone": "文件里没有",
    "dropped": "不收的内容",
    "note": "说明",
}


class Where(NamedTuple):
    """What a line of the report points at: a row of the file (its line) or of the folder (its key), a column, a value."""

    row: int | None = None
    key: str = ""
    column: str = ""
    value: object = ""


NOWHERE = Where()


class Line(NamedTuple):
    """One line of the report, as `REPORT_COLUMNS` names its cells."""

    row: int | None
    key: str
    result: str
    column: str
    value: str
    reason: str
    remedy: str


REPORT_COLUMNS = Line._fields


@dataclass
class RowReport:
    """Rows of the report as they come up."""

    lines: list[Line] = field(default_factory=list)

    def say(self, result: str, reason: str, remedy: str = "", at: Where = NOWHERE) -> None:
        """Add a line."""
        self.lines.append(Line(at.row, at.key, result, at.column, printable(at.value), reason, remedy))

    def frame(self) -> pd.DataFrame:
        """Return the lines as the report."""
        frame = pd.DataFrame(self.lines, columns=list(REPORT_COLUMNS), dtype="object")
        frame["row"] = frame["row"].astype("Int64")
        return frame


def tally(report: pd.DataFrame) -> dict[str, int]:
    """
    Return how many rows of the file came in and what became of them.

    Keys `rows`, `taken`, `reported`, then one for each of `RESULTS` (`gone`: rows of the folder, `dropped` and `note`:
    lines). `rows` = `taken` + `reported`; a row counts once however many lines speak of it.
    """
    of_rows = (*TAKEN, *REPORTED)
    first = report[report["row"].notna() & report["result"].isin(of_rows)].drop_duplicates("row")
    counts = {name: int((first["result"] == name).sum()) for name in of_rows}
    counts |= {name: int((report["result"] == name).sum()) for name in RESULTS if name not in of_rows}
    taken, reported = (sum(counts[name] for name in names) for names in (TAKEN, REPORTED))
    return {"rows": len(first), "taken": taken, "reported": reported, **counts}
