"""
What becomes of each row of a file, decided on one sheet before anything is written: 更新, 新增 or 跳过.

Each row that the file has and what it was held against stand on the sheet, with a decision filled in that doubles nobody;
beside it a page shows the shapes of both over each other. The sheet, filled in, is read with the same file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely

from ..core import (
    DataError,
    Problem,
    SourceError,
    amount,
    layer_name,
    problems_table,
    refuse_uncleared,
    say,
    write_bytes,
)
from ..district import alike
from .answer_book import Questions, answer_book
from .cells import is_blank, printable
from .current_layer import CurrentLayer
from .file_rows import FileRows
from .head_count import HeadCount
from .likeness import MOST, Decided
from .matching import Matched
from .placing_page import Held, reconcile_page
from .positions import Placed
from .row_report import RESULT_LABELS, TAKEN
from .sheets import workbook_rows

SHEET, GONE_SHEET = "逐行决定", "文件里没有的"
#: How a decision is written, and what it means to `Wishes`.
WISHES = {"更新": "update", "新增": "new", "跳过": "skip"}
_UPDATE, _NEW, _SKIP = WISHES
_LINE, _KEY, _NAME, _RESULT, _THERE, _WHY, _AWAY, _DECISION, _TARGET = HEADS = (
    "行",
    "编号",
    "名称",
    "结果",
    "目录里的",
    "凭什么",
    "相距（米）",
    "决定",
    "更新哪一处",
)
#: What is explained beside, with the words as they are to be typed.
_REMARKS = (
    "一行是文件里的一行；黄色两列是要定的：{3}（{0}、{1}、{2}），{0}的写目录里哪一处的编号。已经填好的是建议：待定的一行也不建议{1}。",
    "{0}：就是目录里的这一处，用文件里的值改它，它保留自己的编号，文件里的编号记作“对方编号”。{1}：目录里没有。{2}：这一行不要。",
    "{3}空着的行照程序认的办；“待定”的行空着就不写入。改好存盘，用同一个文件再运行一次。",
)


@dataclass(frozen=True)
class Choice:
    """A row of the file, what it was held against, and what is proposed: `could_be` are rows of the layer by position."""

    i: int
    result: str
    could_be: Sequence[int]
    why: str
    decision: str
    target: str  # the id of the row to update; "" where none is


def choices_of(rows: FileRows, placed: Placed, matched: Matched, current: CurrentLayer) -> list[Choice]:
    """Return what is to be decided of each row that can come in, doubt first; each row that is there is proposed once."""
    results: dict[int | None, str] = {}
    for said in rows.report.lines:
        if said.result in (*TAKEN, "unclear"):
            results.setdefault(said.row, said.result)
    ids, claimed = current.ids(), set(matched.at.values())
    found: list[Choice] = []
    for i, line in enumerate(rows.lines):
        unclear, at = rows.unclear.get(i), matched.at.get(i)
        if line not in results or (unclear is not None and unclear.why.column):
            continue  # refused, left out, or asked about by value
        could_be = [at] if at is not None else [] if unclear is None else unclear.could_be
        why = rows.known.get(i) or (
            unclear.why.reason if unclear is not None else say("没有相像的" if at is None else "编号或名称相同")
        )
        decision, target = _NEW, ""
        if at is not None:
            decision, target = _UPDATE, ids[at]
        elif unclear is not None:
            likely = next((p for p in could_be if p not in claimed and _is_likely(rows, placed, current, i, p)), None)
            decision, target = (_SKIP, "") if likely is None else (_UPDATE, ids[likely])
            claimed |= set() if likely is None else {likely}
        found.append(Choice(i, results[line], could_be, why, decision, target))
    first = {result: n for n, result in enumerate(("unclear", *TAKEN))}
    return sorted(found, key=lambda c: (first[c.result], c.i not in rows.known, c.i))


def _is_likely(rows: FileRows, placed: Placed, current: CurrentLayer, i: int, p: int) -> bool:
    """Whether a row is more likely that place than not: names alike, or most of the smaller outline in common."""
    names = current.rows["name"] if "name" in current.rows.columns else None
    if rows.layer.key in rows.cells and str(rows.cells[rows.layer.key][i]) == current.ids()[p]:
        return False  # one id and two places: nobody is overwritten unasked
    if names is not None and alike(rows.column_cell("name", i), names.iloc[p]):
        return True
    shape, there = placed.metric[i], current.rows.geometry.iloc[p]
    if shape is None or shapely.get_dimensions(shape) != 2 or shapely.get_dimensions(there) != 2:
        return False
    return bool(shapely.intersection(shape, there).area >= MOST * min(shape.area, there.area))


def write_decisions(
    path: Path,
    choices: Sequence[Choice],
    held: tuple[FileRows, Placed, CurrentLayer],
    gone: Sequence[int],
    people: HeadCount | None,
) -> None:
    """
    Write the sheet, and the page of shapes beside it under the same name.

    Parameters
    ----------
    path
        The .xlsx.
    choices
        What is to be decided (`choices_of`).
    held
        The file, where its rows lie, and the layer they were held against.
    gone
        Rows of the layer (by position) that the file does not have.
    people
        How many there are before and after; None where the layer is not of homes.
    """
    rows, placed, current = held
    refuse_uncleared(current.manifest, "写出决定表")
    ids = current.ids()
    lines = [list(_line(choice, rows, placed, current)) for choice in choices]
    sheet = Questions(
        SHEET,
        HEADS,
        lines,
        asked=(_DECISION, _TARGET),
        choices={_DECISION: list(WISHES)},
        own_choices={_TARGET: [[ids[p] for p in choice.could_be] for choice in choices]},
    )
    names = current.rows["name"].tolist() if "name" in current.rows.columns else [""] * len(ids)
    away = Questions(GONE_SHEET, ("编号", "名称"), [[printable(ids[p]), printable(names[p])] for p in gone])
    said = () if people is None else (say("常住人口：{0}", people),)
    title = say("{0}：{1}逐行决定", rows.file, layer_name(current.layer.name))
    write_bytes(path, answer_book(title, (*said, *(say(text, *WISHES, _DECISION) for text in _REMARKS)), [sheet, away]))
    pairs = [
        Held(
            say("第 {0} 行 {1}", rows.lines[c.i], printable(rows.column_cell("name", c.i))),
            say(RESULT_LABELS[c.result]),
            c.why,
            placed.metric[c.i],
            tuple(current.rows.geometry.iloc[p] for p in c.could_be),
            " ".join(filter(None, (c.decision and say(c.decision), c.target))),
        )
        for c in choices
    ]
    stay = [current.rows.geometry.iloc[p] for p in gone]
    page = reconcile_page(pairs, stay, current.tables, current.metric, rows.file)
    write_bytes(path.with_suffix(".html"), page.encode())


def _line(choice: Choice, rows: FileRows, placed: Placed, current: CurrentLayer) -> Iterator[object]:
    ids, i = current.ids(), choice.i
    names = current.rows["name"].tolist() if "name" in current.rows.columns else [""] * len(ids)
    yield rows.lines[i]
    yield printable(rows.column_cell(rows.layer.key, i))
    yield printable(rows.column_cell("name", i))
    yield say(RESULT_LABELS[choice.result])
    yield say("；").join(printable(f"{ids[p]} {names[p] or ''}".strip()) for p in choice.could_be[:3])
    yield choice.why
    shape, there = placed.metric[i], [current.rows.geometry.iloc[p] for p in choice.could_be]
    yield None if shape is None or not there else round(float(np.min(shapely.distance(shape, there))), 1)
    yield choice.decision
    yield choice.target


def read_decisions(path: Path, rows: FileRows, matched: Matched, current: CurrentLayer) -> dict[int, Decided]:
    """
    Read a sheet of decisions about the rows of this file.

    Parameters
    ----------
    path
        The .xlsx, filled in.
    rows, matched, current
        The file, what ids and names have told, and the layer.

    Returns
    -------
    decided
        By line of the file; rows without a decision, and those that their own id tells, are left out.

    Raises
    ------
    SourceError
        It is no such sheet.
    DataError
        Lines that belong to another file, decisions nobody can follow: all of them, with sheet line and column.
    """
    grid = workbook_rows(path).get(SHEET)
    heads = [str(c).strip() for c in grid[0][1] if not is_blank(c)] if grid else []
    if grid is None or not {_LINE, _NAME, _DECISION, _TARGET} <= set(heads):
        raise SourceError(
            say("{0} 不是决定表：要有工作表“{1}”，表头是 {2}", printable(path.name), SHEET, say("、").join(HEADS))
        )
    at = {head: heads.index(head) for head in heads}
    lines = {line: i for i, line in enumerate(rows.lines)}
    ids = {own: p for p, own in enumerate(current.ids())}
    found: dict[int, Decided] = {}
    wrong: list[Problem] = []
    updated: dict[str, int] = {}
    for number, cells in grid[1:]:
        said = {head: _text(cells[j]) if j < len(cells) else "" for head, j in at.items()}

        def refuse(column: str, why: str, remedy: str, line: int = number) -> None:
            wrong.append(Problem("error", SHEET, printable(path.name), str(line), column, why, remedy))

        i = lines.get(int(said[_LINE])) if said[_LINE].isdigit() else None
        if i is None or printable(rows.column_cell("name", i)) != said[_NAME]:
            refuse(
                _LINE,
                say("{0} 的第 {1} 行不是“{2}”", rows.file, said[_LINE], said[_NAME]),
                say("文件改过就重新写出决定表"),
            )
        elif said[_DECISION] and said[_DECISION] not in WISHES:
            refuse(
                _DECISION,
                say("“{0}”不是决定", printable(said[_DECISION])),
                say("写 {0}，或空着", say("、").join(WISHES)),
            )
        elif said[_DECISION] == _NEW and i in matched.at:
            refuse(
                _DECISION,
                say("编号 {0} 目录里已有，不能当作新增", matched.keys[i]),
                say("在文件里换一个编号，或写{0}", _UPDATE),
            )
        elif said[_DECISION] == _UPDATE and said[_TARGET] not in ids:
            refuse(_TARGET, say("目录里没有编号“{0}”", printable(said[_TARGET])), say("写目录里那一处的编号，一个"))
        elif said[_DECISION] == _UPDATE and updated.setdefault(said[_TARGET], number) != number:
            refuse(
                _TARGET,
                say("和表里第 {0} 行更新同一处 {1}", updated[said[_TARGET]], said[_TARGET]),
                say("留一行{0}，其余{1}或{2}", _UPDATE, _SKIP, _NEW),
            )
        elif said[_DECISION] and not (said[_DECISION] == _UPDATE and matched.at.get(i) == ids[said[_TARGET]]):
            own = said[_TARGET] if said[_DECISION] == _UPDATE else ""
            found[rows.lines[i]] = Decided(WISHES[said[_DECISION]], own)
    if wrong:
        raise DataError(problems_table(wrong), path.name)
    return found


def _text(cell: object) -> str:
    """Return a cell as it was written: a whole number that Excel keeps as a fraction is whole."""
    if is_blank(cell):
        return ""
    return amount(cell).replace(",", "") if isinstance(cell, float) and cell.is_integer() else str(cell).strip()
