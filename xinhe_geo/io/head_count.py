"""How many people a layer of homes has before a file comes in and after: people are not doubled by a list."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from ..core import PEOPLE_KINDS, RESIDENT, SourceError, amount, at_year, say
from ..district import Edit, is_missing
from .cells import is_blank, printable
from .current_layer import CurrentLayer
from .file_rows import FileRows
from .headers import counted_as
from .matching import Matched
from .row_report import RowReport, Where

#: A list that changes the number of people by more than this part is written only when somebody says it is meant.
JUMP = 0.05
#: What stands under `column` in the line of a report that says how many people there are before and after.
PEOPLE_COLUMN = "常住人口"


class PeopleJump(SourceError):
    """The number of people would change by more than `JUMP`, and nobody has said that it is meant."""


def say_whom(rows: FileRows, matched: Matched, current: CurrentLayer) -> None:
    """
    Write into the rows whom their numbers of people count, and of which year, where the header says so.

    "户籍人口（2020年）" says both; "常住人口" says residents, which is written only over another word that is there.
    """
    if "people" not in rows.columns:
        return
    head = rows.incoming.heads[rows.columns["people"]]
    whom = counted_as(head) or (RESIDENT if PEOPLE_KINDS[RESIDENT] in head else "")
    year = re.search(r"(?:19|20)\d\d(?=年)", head)
    there = current.rows["people_kind"].tolist()
    kinds, years = rows.column("people_kind"), rows.column("people_year")
    for i, people in enumerate(rows.cells["people"]):
        before = there[matched.at[i]] if i in matched.at else None
        own = RESIDENT if is_missing(before) else str(before)
        if people is not None and kinds[i] is None and whom and whom != own:
            kinds[i] = whom
        if people is not None and years[i] is None and year is not None:
            years[i] = year.group()
    rows.cells |= {n: c for n, c in (("people_kind", kinds), ("people_year", years)) if any(v is not None for v in c)}


#: What a header of people may say that is none of those understood.
_OF_PEOPLE = re.compile("人|口|people|pop", re.IGNORECASE)


def say_unread(rows: FileRows, people: HeadCount | None) -> None:
    """Say of columns that were not read that they look like numbers of people, where nobody knows any."""
    if people is None or pd.notna(people.after):
        return
    for j, head in enumerate(rows.incoming.heads):
        cells = [
            str(row[j]).strip().removesuffix("人").replace(",", "")
            for row in rows.incoming.rows
            if not is_blank(row[j])
        ]
        numbers = pd.to_numeric(pd.Series(cells, dtype="object"), errors="coerce")
        whole = numbers.notna() & (numbers >= 1) & (numbers % 1 == 0)
        if j not in rows.columns.values() and _OF_PEOPLE.search(head) and whole.sum() > len(rows) / 2:
            said = say("“{0}”一列像常住人口，没有读：表头改成“常住人口”再来", printable(head))
            rows.report.say("note", said, "", Where(column=say(PEOPLE_COLUMN), value=printable(head)))


class HeadCount(NamedTuple):
    """The people of the data's year, before and after; missing where nobody knows any."""

    before: float
    after: float

    @property
    def jumps(self) -> bool:
        """Whether the number changes by more than `JUMP`; a district that had none cannot jump."""
        return bool(self.before > 0) and not abs(self.after - self.before) <= JUMP * self.before

    def __str__(self) -> str:
        numbers = [amount(v, unknown=say("数据不足")) for v in self]
        share = say("（{0:+.1%}）", self.after / self.before - 1) if self.before > 0 and pd.notna(self.after) else ""
        return say("{0} → {1} 人{2}", numbers[0], numbers[1], share)


def head_count(current: CurrentLayer, edits: Sequence[Edit], leaving: set[int], report: RowReport) -> HeadCount | None:
    """Count the people before and after the edits and report both; None where the layer is not of homes."""
    if current.layer.name != "homes":
        return None
    heads = ["people", "people_year", "since", "until"]
    before = pd.DataFrame(current.rows[heads]).reset_index(drop=True).astype("object")
    rows = before.to_dict("index")
    new = len(rows)
    for edit in edits:
        at = edit.at
        if at is None:
            at, new = new, new + 1
        rows[at] = {**rows.get(at, dict.fromkeys(heads)), **{h: v for h, v in edit.cells.items() if h in heads}}
    after = pd.DataFrame([row for p, row in rows.items() if p not in leaving], columns=heads, dtype="object")
    year = int(current.manifest.get("data_year") or 0)
    typed = [at_year(current.layer, frame.apply(pd.to_numeric, errors="coerce"), year) for frame in (before, after)]
    count = HeadCount(*(float(frame["people"].sum(min_count=1)) for frame in typed))
    if edits or leaving:
        said = say("变化超过 5%，写入要加 --sure（sure=True）") if count.jumps else ""
        report.say("note", say("常住人口合计（{0} 年）：{1}", year, count), said, Where(column=say(PEOPLE_COLUMN)))
    return count
