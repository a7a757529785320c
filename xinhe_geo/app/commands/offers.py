"""Commands that offer rows and take those that a person confirms: targets out of a plan's text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from rich.markup import escape

from ...ledger import take_targets, write_targets
from .console import OUT, Lang, grid, is_guarded, message, replacing, shown_path, watched


def targets(
    text: Annotated[Path, typer.Argument(help="规划文本：纯文本文件（.txt），一段一行")],
    to: Annotated[Path, typer.Option("--to", help="街道目录")],
    decide: Annotated[Path, typer.Option("--decide", help="确认表（.xlsx）：还没有就写出，填好了再运行一次就读它")],
    yes: Annotated[bool, typer.Option("--yes", help="写入；不写则只列出会改什么")] = False,
    lang: Lang = "zh",
) -> None:
    """规划文本里带数、带地名的句子逐句列出，确认了的记进规划目标表（如十五五目标台账）；没有一句自动收，undo 可撤销。"""
    if not decide.is_file():
        with watched(message(lang, "loading")), replacing(lang, decide):
            rows = write_targets(text, to, decide)
        OUT.print(message(lang, "offered", len(rows), escape(shown_path(decide))))
        return
    with watched(message(lang, "loading")):
        changes = take_targets(text, to, decide, apply=yes)
    show_changes(changes, to, lang, applied=yes)


def show_changes(changes: pd.DataFrame, folder: Path, lang: str, *, applied: bool) -> None:
    """Print what becomes of rows, and whether it has been written."""
    if changes.empty:
        OUT.print(message(lang, "unchanged"))
        return
    shown = grid("行", "改动", "列", "原来", "改成")
    for row in () if is_guarded(folder) else changes.itertuples(index=False):
        shown.add_row(*(escape(str(cell)) for cell in row))
    OUT.print(message(lang, "guarded") if is_guarded(folder) else shown)
    OUT.print(message(lang, "applied" if applied else "not_applied"))
