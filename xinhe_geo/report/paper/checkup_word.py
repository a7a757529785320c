"""The checkup as a report in the form of official papers: its five parts in the usual order, short, with the sheets annexed."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ...access import rests_on
from ...core import named_by_homes, refuse_uncleared, say, write_bytes
from ...core import title as column
from ...district import District, place_title
from ...report import Checked, cell_text
from .page import letters, unbroken
from .word import TOLD, Document, close, warn

#: So many rows are annexed; the workbook has all.
ANNEXED = 150
#: How many letters are in a line of a column: as many as its longest words have, within these; a letter, and what is beside them (cm).
_NARROW, _BROAD, EM_CM, _BESIDE = 2.2, 12.0, 0.32, 0.42


@named_by_homes
def checkup_word(district: District, found: Checked, to: str | Path) -> Path:
    """
    Write a checkup as a Word document: its parts in the order of its form, and the sheets annexed.

    Parameters
    ----------
    district
        Whose it is.
    found
        What `checked` returned.
    to
        A .docx file.

    Returns
    -------
    file
        What was written; addressee, signature and date are left to be typed.

    Raises
    ------
    EnvironmentProblem
        The file cannot be written.
    """
    form, place = found.form, place_title(district)
    refuse_uncleared(district.manifest, say("写出{0}", say(form.heading)))
    paper = Document(district)
    title = say(form.title, place)
    paper.title(title)
    paper.say(say("（主送机关待填）："), style="主送机关")
    paper.say(say(form.lead, place, district.year))
    warn(paper)
    annexed = [name for name in form.parts if len(found.sheets.get(name, ()))]
    for name in form.parts:
        paper.heading(say(name))
        said = [*found.told.get(name, ())] or ([] if name in annexed else [say(form.none[name])])
        if name in annexed:
            number = annexed.index(name) + 1
            listed = say("共列 {0} 条，见附件 {1}。", len(found.sheets[name]), number)
            said.append(say("见附件 {0}。", number) if said else listed)
        paper.say(*said)
        paper.points(found.points.get(name, [])[:TOLD])
    paper.heading(say("数据依据和可信程度"))
    paper.say(say("{0}。", rests_on(district)))
    paper.say(say("特此报告。"))
    close(paper, annexed)
    for name in annexed:
        _annex(paper, name, found)
    return write_bytes(Path(to), paper.save(title))


def _annex(paper: Document, name: str, found: Checked) -> None:
    """Annex a sheet: the columns that a page has room for and that say anything, in the digits that pages print."""
    table = found.sheets[name]
    own = table[[c for c in found.form.parts[name] or table.columns if c in table.columns]]
    said = {str(c): [cell_text(str(c), v) for v in own[c].head(ANNEXED)] for c in own.columns}
    blank = [c for c, cells in said.items() if not any(cell.strip("—") for cell in cells)]
    shown = {c: cells for c, cells in said.items() if c not in blank}
    head, rows = [column(c) for c in shown], list(zip(*shown.values(), strict=True))
    right = [j for j, c in enumerate(shown) if pd.api.types.is_numeric_dtype(own[c].dtype)]
    paper.annex(say(name))
    columns = list(zip(*[head, *rows], strict=True))
    asked = (min(max(*map(letters, cells), _NARROW), _BROAD) for cells in columns)
    # as wide as their longest words, and room beside them
    widths = [EM_CM * max(wide, *map(unbroken, cells)) + _BESIDE for wide, cells in zip(asked, columns, strict=True)]
    paper.table(say(name), head, rows, widths, right=right)
    paper.text(say("{0}。", say(found.form.how[name])))
    if blank:
        paper.text(say("各行都没有填的列：{0}。", say("、").join(map(column, blank))))
    if len(own) > ANNEXED:
        paper.text(say("另有 {0} 行，见{1}。", len(own) - ANNEXED, Path(found.form.book).name))
