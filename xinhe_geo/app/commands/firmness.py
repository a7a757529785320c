"""Commands about how firm it is: the range of each goal, and who loses a promise with any one thing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from rich.markup import escape

from ...access import Visits
from ...core import amount, say, speaking, title
from ...maps import DEMONSTRATION_TEXT
from ...report import check_list, firmness, ranges_sheet, write_robustness, write_stress, write_table
from .console import OUT, Lang, grid, message, opened, replacing, shown_path, watched

#: What is printed of losses, and of how many.
SHOWN = ["失去什么", "编号", "名称", "失去保障（人）", "涉及几项", "最好的替代"]
PRINTED = 20
#: What is printed of what to check.
CHECKED = ["重要次序", "怎么核", "核什么", "编号", "名称", "现场第几站", "核到这里还剩的不确定"]


def robustness(
    folder: Annotated[Path | None, typer.Argument(help="街道目录；省略为随程序的演示街道")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="随机数的种子；同一个种子结果一样")] = 0,
    draws: Annotated[int, typer.Option("--draws", min=39, help="抽样次数")] = 199,
    check: Annotated[int, typer.Option("--check", min=0, help="另列出最值得核的几件事；0 不列")] = 10,
    minutes: Annotated[
        float | None, typer.Option("--minutes", min=1, help="核查一共有多少分钟：打电话、到现场和路上都算")
    ] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="另存为 CSV 或 .xlsx")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="写出一页和表格的文件夹，如报告的输出目录")] = None,
    lang: Lang = "zh",
) -> None:
    """数据可信度：没有核过的事（出入口、位置、有没有）核实后，每个目标会在多少到多少之间，会不会改判；先核哪几件。"""
    with watched(message(lang, "loading")) as tell, speaking("en" if lang == "en" else "zh"):
        district = opened(folder, "列出数据可信度")
        visits = Visits(budget=minutes)
        goals = firmness(district, seed=seed, draws=draws)
        table = ranges_sheet(goals)
        if out is not None:
            write_robustness(district, out, seed=seed, draws=draws, most=check, visits=visits, progress=tell)
        _show(table[["目标", "怎么说"]], demonstration=district.is_demonstration)
        if check:
            tell(say("排出最值得核的事"))
            checks = check_list(district, most=check, visits=visits, seed=seed)
            if len(checks):
                _show(checks[CHECKED], demonstration=False)
        if csv is not None:
            with replacing(lang, csv):
                write_table(csv, district, "数据可信度", table)
    for path in (csv, None if out is None else out / "robustness.html"):
        if path is not None:
            OUT.print(escape(message(lang, "done", shown_path(path))))


def stress(
    folder: Annotated[Path | None, typer.Argument(help="街道目录；省略为随程序的演示街道")] = None,
    out: Annotated[Path, typer.Option("--out", help="写出一页和表格的文件夹，如报告的输出目录")] = Path("output"),
    lang: Lang = "zh",
) -> None:
    """单点失效：逐一去掉一座桥、一处过街、一处出入口、一处设施，看谁失去保障，最好的替代是哪一处。"""
    with watched(message(lang, "loading")) as tell, speaking("en" if lang == "en" else "zh"):
        district = opened(folder, "列出单点失效")
        table = write_stress(district, out, progress=tell)
        _show(table[SHOWN].head(PRINTED), demonstration=district.is_demonstration)
    OUT.print(escape(message(lang, "done", shown_path(out / "stress.html"))))


def _show(table: pd.DataFrame, *, demonstration: bool) -> None:
    shown = grid(*(title(str(column)) for column in table.columns))
    for row in table.itertuples(index=False):
        shown.add_row(*(escape(cell) if isinstance(cell, str) else amount(cell, unknown="—") for cell in row))
    OUT.print(shown)
    if demonstration:
        OUT.print(say(DEMONSTRATION_TEXT))
