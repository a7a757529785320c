"""Commands that offer rows and take those that a person confirms: targets out of a plan's text, projects that the data suggest."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from rich.markup import escape

from ...core import SourceError, amount, say, speaking, title
from ...district import name_of_label
from ...ledger import not_offered, take_targets, write_targets
from ...maps import DEMONSTRATION_TEXT
from ...renewal import SOURCES, accept, accepted_in, ids_in, suggestions, write_suggestions
from .console import OUT, Lang, grid, is_guarded, message, opened, replacing, shown_path, watched


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
        with speaking("en" if lang == "en" else "zh"):
            if left := not_offered(text):
                OUT.print(left)
        return
    with watched(message(lang, "loading")):
        changes = take_targets(text, to, decide, apply=yes)
    show_changes("commitments", changes, to, lang, applied=yes)


def suggest(
    folder: Annotated[Path | None, typer.Argument(help="街道目录；省略为随程序的演示街道")] = None,
    plan: Annotated[list[str] | None, typer.Option("--plan", help="这个方案新建住房要配建的也列，可写几个")] = None,
    each: Annotated[int, typer.Option("--each", min=1, help="每项目标列几处位置、几条通道")] = 1,
    every: Annotated[bool, typer.Option("--every", help="规划目标以外的体检指标也选址（多用几分钟）")] = False,
    sets: Annotated[list[str] | None, typer.Option("--set", help="只看这一套体检指标，可写几个")] = None,
    decide: Annotated[
        Path | None, typer.Option("--decide", help="建议表（.xlsx）：还没有就写出，填好了再运行一次就读它")
    ] = None,
    chosen: Annotated[list[str] | None, typer.Option("--accept", help="采纳哪几条：编号，用逗号隔开，可写几个")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="写入；不写则只列出会改什么")] = False,
    lang: Lang = "zh",
) -> None:
    """建议项目：由选址、增开通道、方案配建、体检得出，写明解决哪些问题，造价待填；采纳的进项目库，undo 可撤销。"""
    with watched(message(lang, "solving")) as tell:
        district = opened(folder, "列出建议项目")
        plans = [district.scenario(name) for name in plan or ()]
        table = suggestions(district, plans=plans, each=each, every=every, sets=sets, progress=tell)
    _show_suggestions(table, lang)
    with speaking("en" if lang == "en" else "zh"):
        if not table["complete"].all():
            OUT.print(say("提前停下：只列到停下时找到的，还有规划目标没有看"))
        if district.is_demonstration:
            OUT.print(say(DEMONSTRATION_TEXT))
    if decide is not None and not decide.is_file():
        with replacing(lang, decide):
            write_suggestions(table, district, decide)
        OUT.print(message(lang, "suggested", len(table), escape(shown_path(decide))))
        return
    accepted = {} if decide is None else accepted_in(decide, table)
    accepted |= {key: accepted.get(key, {}) for key in ids_in(chosen or ())}
    if not accepted:
        return
    if folder is None:
        raise SourceError(say("随程序的演示街道不能改；写自己的街道目录：suggest 街道目录 --accept 编号"))
    show_changes("projects", accept(folder, table, accepted, apply=yes), folder, lang, applied=yes)


def _show_suggestions(table: pd.DataFrame, lang: str) -> None:
    with speaking("en" if lang == "en" else "zh"):
        shown = grid(*map(title, ("编号", "来自", "项目名称", "解决的问题", "涉及人数", "项目库里")))
        for key, row in table.iterrows():
            solved = len(list(filter(None, str(row["problems"]).split(";"))))
            people = amount(float(row["people"]), unknown=say("数据不足")) if solved else ""
            known = row["project"] or row["cited_by"]
            cells = (key, say(SOURCES[row["source"]]), row["name"], str(solved or ""), people, known)
            shown.add_row(*(escape(str(cell)) for cell in cells))
        OUT.print(shown)


def show_changes(layer: str, changes: pd.DataFrame, folder: Path, lang: str, *, applied: bool) -> None:
    """Print what becomes of rows of a layer, and whether it has been written."""
    if changes.empty or (changes["change"] == "没变").all():
        OUT.print(message(lang, "unchanged"))
        return
    with speaking(lang):
        shown = grid(*map(title, ("行", "改动", "列", "原来", "改成")))
    for row in () if is_guarded(folder) else changes.itertuples(index=False):
        cells = (row.row, say(row.change), name_of_label(layer, row.column), row.before, row.after)
        shown.add_row(*(escape(str(cell)) for cell in cells))
    OUT.print(message(lang, "guarded") if is_guarded(folder) else shown)
    OUT.print(message(lang, "applied" if applied else "not_applied"))
