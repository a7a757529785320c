"""The command of surveys on the ground: forms out, forms in."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from rich.markup import escape

from ...access import facts_in_doubt
from ...core import SourceError, csv_text, refuse_uncleared, say, speaking, title, write_text
from ...district import secrecy_of
from ...io import OUTCOMES, SHEETS, answers_tally, take_survey
from ...report import Firmness, firmness, shrunk_sheet
from .console import OUT, PARTLY, Lang, grid, is_guarded, message, opened, shown_path, watched

#: How many lines of a form are printed, those that ask something first.
_SHOWN = 60


def survey(
    folder: Annotated[Path | None, typer.Argument(help="街道目录；省略为随程序的演示街道")] = None,
    out: Annotated[Path, typer.Option("--out", help="写出核查表的文件夹：.pdf、.xlsx、.gpkg")] = Path("output"),
    most: Annotated[int, typer.Option("--most", min=1, help="最多列几处出入口和设施")] = 40,
    crossings: Annotated[int, typer.Option("--crossings", min=0, help="最多列几处过街，各测三次等待")] = 6,
    take: Annotated[Path | None, typer.Option("--take", help="填好的核查表（.xlsx、.gpkg）：读回街道目录")] = None,
    surveyed: Annotated[
        bool, typer.Option("--surveyed", help="确认表上的工号和日期属实：这些行记为实测，不再存疑")
    ] = False,
    report: Annotated[Path | None, typer.Option("--report", help="逐行的结果另写一份 CSV")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="写入；不写则只列出会改什么")] = False,
    lang: Lang = "zh",
) -> None:
    """核查表：列出最该去看的出入口、设施、过街，打印或装进手机；填好用 --take 读回，undo 可撤销。"""
    if take is None:
        _write(folder, out, (most, crossings), lang)
        return
    if folder is None:
        raise SourceError(say("--take 要知道写进哪个目录：survey 街道目录 --take 填好的表.xlsx"))
    if report is not None:
        refuse_uncleared(secrecy_of(folder), "另写逐行的结果")
    guarded = is_guarded(folder)
    with watched(message(lang, "loading")):
        answers = take_survey(take, folder, surveyed=surveyed)
    if yes and not surveyed and sys.stdin.isatty():
        surveyed = typer.confirm(say("表上的工号和日期属实，这些行记为实测？"))
    wanted = yes and bool((answers["outcome"] == "taken").any())
    before = None
    if wanted:
        with watched(message(lang, "loading")):
            before = None if guarded else _ranges(folder, lang)
            answers = take_survey(take, folder, surveyed=surveyed, apply=True)
    _show(answers, guarded=guarded)
    if report is not None:
        write_text(report, csv_text(answers.assign(outcome=answers["outcome"].map(OUTCOMES))), mark=True)
        OUT.print(escape(shown_path(report)))
    OUT.print(message(lang, "applied" if wanted else "nothing_applied" if yes else "not_applied"))
    if before is not None:
        with watched(message(lang, "loading")):
            after = _ranges(folder, lang)
        _show_shrunk(before, after, lang)
    if (answers["outcome"] == "asked").any():
        raise typer.Exit(PARTLY)


def _write(folder: Path | None, out: Path, how_many: tuple[int, int], lang: str) -> None:
    from ...report.paper import FORM_FILES
    from ...report.paper import survey as write_forms

    with watched(message(lang, "loading")):
        district = opened(folder, "写出核查表")
        places = write_forms(district, out, most=how_many[0], crossings=how_many[1])
    if places.empty:
        OUT.print(say("没有要核查的：没有存疑的出入口和设施，也没有要测等待的过街。"))
        return
    shown = grid(*map(title, ("序号", "是什么", "编号", "名称", "社区")))
    for row in places.itertuples():
        cells = (str(row.Index), title(SHEETS[str(row.layer)].name), row.id, row.name, row.group)
        shown.add_row(*(escape(str(cell)) for cell in cells))
    OUT.print(shown)
    for name in FORM_FILES:
        OUT.print(escape(message(lang, "done", shown_path(out / name))))


_Ranges = tuple[int, tuple[Firmness, ...]]


def _ranges(folder: Path, lang: str) -> _Ranges:
    """Return how many facts of a folder are in doubt, and how firm its goals are."""
    district = opened(folder, "算核查前后的范围")
    with speaking("en" if lang == "en" else "zh"):
        return len(facts_in_doubt(district)), firmness(district)


def _show(answers: pd.DataFrame, *, guarded: bool) -> None:
    """Print what becomes of each line, what asks for an answer first."""
    shown = grid(*map(title, ("表", "行", "编号", "结果", "说明", "怎么办")))
    order = answers["outcome"].map({"asked": 0, "taken": 1, "explained": 2})
    for row in answers.iloc[order.argsort(kind="stable")].head(_SHOWN).itertuples():
        cells = (row.sheet, row.row, row.id, say(OUTCOMES[str(row.outcome)]), row.what, row.remedy)
        cells = (*cells[:2], "", cells[3], "", "") if guarded else cells
        shown.add_row(*(escape(str(cell)) for cell in cells))
    OUT.print(shown)
    told = answers_tally(answers)
    parts = [say("{0} {1:,} 行", say(label), told[name]) for name, label in OUTCOMES.items()]
    OUT.print(
        say(
            "共 {0:,} 行：{1}；其中记为实测 {2:,} 行",
            told["answers"],
            say("，").join(parts),
            int(answers["signed"].sum()),
        )
    )


def _show_shrunk(before: _Ranges, after: _Ranges, lang: str) -> None:
    """Print how the ranges of the goals have shrunk."""
    OUT.print(say("存疑的事：{0:,} → {1:,} 件", before[0], after[0]))
    table = shrunk_sheet(before[1], after[1])
    if table.empty:
        OUT.print(say("各项目标的范围没有变。"))
        return
    with speaking("en" if lang == "en" else "zh"):
        shown = grid(*(title(str(column)) for column in table.columns))
    for row in table.itertuples(index=False):
        shown.add_row(*(escape(str(cell)) for cell in row))
    OUT.print(shown)
