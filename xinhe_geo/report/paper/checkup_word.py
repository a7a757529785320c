"""The checkup as a report in the form of official papers: its five parts in the usual order, short, with the sheets annexed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ...access import rests_on
from ...core import named_by_homes, refuse_uncleared, say, write_bytes
from ...core import title as column
from ...district import District, place_title
from ...report import CHECKUP_HOW, Checked, cell_text
from .page import letters, unbroken
from .word import TOLD, Document, close, warn

#: The parts in the usual order, and which columns of its sheet the annex of each shows: a page is not as wide as a workbook.
PARTS = {
    "指标汇总": ("指标", "名称", "数值", "单位", "怎么得出", "问题数", "涉及人数"),
    "问题清单": ("次序", "问题编号", "问题指标", "在哪里", "涉及人数", "整治类型", "责任单位", "完成时限", "状态"),
    "整治建议清单": ("问题指标", "问题数", "涉及人数", "整治建议", "整治区域", "责任单位"),
    "项目库": ("项目", "名称", "对应问题", "总投资（万元）", "累计完成（万元）", "最早开工年", "状态", "责任单位"),
    "上年度整治成效": (
        *("问题编号", "问题指标", "上年涉及人数", "当年涉及人数", "状态", "算已解决", "对应项目", "项目状态"),
    ),
}
#: What is said of a part whose sheet is not there or has no row.
NONE = {
    "指标汇总": "没有可以核对的指标。",
    "问题清单": "没有算出问题。",
    "整治建议清单": "没有要整治的问题。",
    "项目库": "街道目录里没有项目库，投资数据不足。",
    "上年度整治成效": "没有上一年的问题清单，整治成效数据不足。",
}
#: So many rows are annexed; the workbook has all.
ANNEXED = 150
#: How many letters are in a line of a column: as many as its longest words have, within these; a letter, and what is beside them (cm).
_NARROW, _BROAD, EM_CM, _BESIDE = 2.2, 12.0, 0.32, 0.42


@named_by_homes
def checkup_word(district: District, found: Checked, to: str | Path) -> Path:
    """
    Write a checkup as a Word document: 指标汇总, 问题清单, 整治建议清单, 项目库, 上年度整治成效, and the sheets annexed.

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
    place, heading = place_title(district), say("自查表")
    refuse_uncleared(district.manifest, say("写出{0}", heading))
    paper = Document(district)
    title = say("关于{0}自查情况的报告", place)
    paper.title(title)
    paper.say(say("（主送机关待填）："), style="主送机关")
    paper.say(say("现将{0}自查情况报告如下（数据年份 {1}）。只报数，不评分、不评等级。", place, district.year))
    warn(paper)
    annexed = [name for name in PARTS if len(found.sheets.get(name, ()))]
    for name in PARTS:
        paper.heading(say(name))
        said = [*found.told.get(name, ())] or ([] if name in annexed else [say(NONE[name])])
        if name in annexed:
            said.append(say("见附件 {0}。", annexed.index(name) + 1))
        paper.say(*said)
        paper.points(_points(found, name))
    paper.heading(say("数据依据和可信程度"))
    paper.say(say("{0}。", rests_on(district)))
    paper.say(say("特此报告。"))
    close(paper, annexed)
    for name in annexed:
        _annex(paper, name, found.sheets[name])
    return write_bytes(Path(to), paper.save(title))


def _points(found: Checked, name: str) -> list[str]:
    """Return what the body tells of a part one by one: what to begin with, and what to do about it."""
    if name == "问题清单":
        rows = found.first.head(TOLD)[["问题", "在哪里", "为什么先办"]]
        return [say("{0}：{1}；{2}。", *row) for row in rows.itertuples(index=False, name=None)]
    if name == "整治建议清单" and name in found.sheets:
        rows = found.sheets[name].head(TOLD)[["问题指标", "问题数", "整治建议"]]
        return [
            say("{0}（{1} 处）：{2}。", indicator, cell_text("问题数", number), str(advice).rstrip("。"))
            for indicator, number, advice in rows.itertuples(index=False, name=None)
        ]
    return []


def _annex(paper: Document, name: str, table: pd.DataFrame) -> None:
    """Annex a sheet: the columns that a page has room for and that say anything, in the digits that pages print."""
    own = table[[c for c in PARTS[name] if c in table.columns]]
    said = {str(c): [cell_text(str(c), v) for v in own[c].head(ANNEXED)] for c in own.columns}
    blank = [c for c, cells in said.items() if not any(cell.strip("—") for cell in cells)]
    shown = {c: cells for c, cells in said.items() if c not in blank}
    head, rows = [column(c) for c in shown], list(zip(*shown.values(), strict=True))
    right = [j for j, c in enumerate(shown) if pd.api.types.is_numeric_dtype(own[c].dtype)]
    paper.annex(say(name))
    paper.table(say(name), head, rows, _widths([head, *rows]), right=right)
    paper.text(say("{0}。", say(CHECKUP_HOW[name])))
    if blank:
        paper.text(say("各行都没有填的列：{0}。", say("、").join(map(column, blank))))
    if len(own) > ANNEXED:
        paper.text(say("另有 {0} 行，见{1}。", len(own) - ANNEXED, "自查表.xlsx"))


def _widths(rows: Sequence[Sequence[str]]) -> list[float]:
    """Return how wide the columns of a table are, in centimetres: by their longest words, and room beside them."""
    columns = list(zip(*rows, strict=True))
    asked = (min(max(*map(letters, cells), _NARROW), _BROAD) for cells in columns)
    return [EM_CM * max(wide, *map(unbroken, cells)) + _BESIDE for wide, cells in zip(asked, columns, strict=True)]
