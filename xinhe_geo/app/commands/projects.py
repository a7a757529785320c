"""Commands about projects: the checkup that finds problems, and the programme that says which project comes when."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from rich.markup import escape

from ...core import amount, keeping, say, speaking, title
from ...maps import DEMONSTRATION_TEXT
from ...renewal import Programming, programmed
from ...report import (
    checked,
    final_checked,
    programme_notes,
    programme_sheets,
    write_checkup,
    write_programme,
    write_scenario,
)
from .console import OUT, Lang, Ranges, ending, grid, message, opened, replacing, saved, shown_path, watched


def programme(
    folder: Annotated[Path | None, typer.Argument(help="街道目录；省略为随程序的演示街道")] = None,
    horizon: Annotated[int | None, typer.Option("--horizon", help="计到哪一年；省略为资金表的最后一年")] = None,
    costs: Annotated[str, typer.Option("--costs", help="high 按造价上限排（全部超支也付得起）| low 按下限")] = "high",
    overruns: Annotated[
        int | None, typer.Option("--overruns", min=0, help="每年最多几个项目超支到造价上限也付得起；省略为全部")
    ] = None,
    applied: Annotated[bool, typer.Option("--applied", help="拟申请的资金也算；不写只算已落实的")] = False,
    no_floor: Annotated[bool, typer.Option("--no-floor", help="不先保社区底线")] = False,
    weight: Annotated[
        list[str] | None,
        typer.Option("--weight", help="不按先后按权重：urgent=3、elderly=2、people=1 或 规则=2，可写几个"),
    ] = None,
    gap: Annotated[float, typer.Option("--gap", min=0, help="离证明的界多近就停：0.01 为 1%；0 为求到最优")] = 0.001,
    toml: Annotated[Path | None, typer.Option("--toml", help="把年度计划存成逐年的方案文件")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="写出一页和表格的文件夹，如报告的输出目录")] = None,
    slides: Annotated[Path | None, typer.Option("--slides", help="写成汇报幻灯片：哪个 .pptx 文件")] = None,
    lang: Lang = "zh",
) -> None:
    """项目库与年度计划：在各渠道各年的资金里，哪个项目哪一年做，证明最优，并列出没有列入的和原因。Ctrl-C 取目前最好的。"""
    if slides is not None:
        ending(slides, ".pptx")  # before anything is worked out for it
    with watched(message(lang, "solving")) as tell, speaking("en" if lang == "en" else "zh"):
        district = opened(folder, "排年度计划")
        asked = Programming(
            horizon=horizon, equity=not no_floor, applied=applied, costs=costs, overruns=overruns, gap=gap
        )
        found = programmed(district, weights=_weights(weight or []), programming=asked, progress=tell)
        if out is not None:
            write_programme(district, found, out)
        if slides is not None:
            from ...report.paper import write_programme_slides

            with replacing(lang, slides):
                write_programme_slides(district, found, slides)
    with speaking("en" if lang == "en" else "zh"):
        for name, table in programme_sheets(district, found).items():
            if len(table):
                _print_sheet(say(name), table)
        for line in programme_notes(found):
            OUT.print(escape(line))
        if weight:
            OUT.print(escape(say("权重：{0}", say("、").join(weight))))
        OUT.print(escape(keeping(district.manifest)))
        if district.is_demonstration:
            OUT.print(say(DEMONSTRATION_TEXT))
    saved(lang, toml, lambda path: write_scenario(path, found.scenario, district))
    for path in (out and out / "programme.html", slides):
        if path is not None:
            OUT.print(escape(message(lang, "done", shown_path(path))))


def checkup(
    folder: Annotated[Path | None, typer.Argument(help="街道目录；省略为随程序的演示街道")] = None,
    sets: Annotated[
        list[str] | None, typer.Option("--set", help="只看这一套（体检指标表的“哪一套”），可写几个")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="写出一页和表格的文件夹，如报告的输出目录")] = None,
    word: Annotated[Path | None, typer.Option("--word", help="写成 Word 报告（公文格式）：哪个 .docx 文件")] = None,
    final: Annotated[
        bool, typer.Option("--final", help="终期评估：规划末年的核对表，写成同样的一页、表格、Word")
    ] = False,
    year: Annotated[int | None, typer.Option("--year", help="终期评估看哪一年末；省略为规划目标的末年")] = None,
    ranges: Ranges = False,
    lang: Lang = "zh",
) -> None:
    """自查：体检指标逐项算出、写明缺哪一列，或待填；问题清单、整治建议、项目库、上年度整治成效。只报数，不评分。"""
    if word is not None:
        ending(word, ".docx")
    with watched(message(lang, "loading")), speaking("en" if lang == "en" else "zh"):
        district = opened(folder, "列出自查表")
        found = final_checked(district, year, ranges=ranges) if final else checked(district, sets, ranges=ranges)
        if out is not None:
            write_checkup(district, found, out)
        if word is not None:
            from ...report.paper import write_checkup_word

            with replacing(lang, word):
                write_checkup_word(district, found, word)
    with speaking("en" if lang == "en" else "zh"):
        for name, columns in _PRINTED.items():
            if len(table := found.sheets.get(name, found.first if name == found.form.begins else pd.DataFrame())):
                _print_sheet(say(name), table[[c for c in columns or table.columns if c in table.columns]])
        for line in found.said:
            OUT.print(escape(line))
        OUT.print(escape(keeping(district.manifest)))
        if district.is_demonstration:
            OUT.print(say(DEMONSTRATION_TEXT))
        if word is not None:
            from ...report.paper import left_to_type

            OUT.print(escape(left_to_type()))
    for path in (out and out / found.form.page, word):
        if path is not None:
            OUT.print(escape(message(lang, "done", shown_path(path))))


#: What is printed of a checkup, and which columns have room.
_PRINTED: dict[str, tuple[str, ...]] = {
    "指标汇总": ("指标", "名称", "数值", "单位", "怎么得出", "核没核", "问题数"),
    "上年度整治成效": (),
    "先办哪些": ("次序", "问题", "在哪里", "问题数", "涉及人数", "为什么先办"),
    "目标完成情况": (),
    "先补哪些": ("编号", "判定", "现状", "目标值", "差距"),
}


def _weights(said: list[str]) -> dict[str, float] | None:
    found = {}
    for text in said:
        name, _, number = text.partition("=")
        try:
            found[name.strip()] = float(number)
        except ValueError:
            raise typer.BadParameter(say("--weight 写的是 {0}；写 people=1 这样的一对", text)) from None
    wrong = [name for name, number in found.items() if not 0 <= number < math.inf]
    if wrong:
        raise typer.BadParameter(say("--weight 的 {0} 要是不小于 0 的数", wrong[0]))
    return found or None


#: Rows of a table in the terminal: more are looked through in the page or the workbook.
_SHOWN = 200


def _print_sheet(heading: str, table: pd.DataFrame) -> None:
    shown = grid(*(title(str(column)) for column in table.columns), title=escape(heading))
    for row in table.head(_SHOWN).itertuples(index=False):
        cells = ("" if not isinstance(v, str) and pd.isna(v) else v for v in row)
        shown.add_row(*(escape(v if isinstance(v, str) else _plain(v)) for v in cells))
    OUT.print(shown)
    if len(table) > _SHOWN:
        OUT.print(say("另有 {0} 行", len(table) - _SHOWN))


def _plain(value: float) -> str:
    number = float(value)
    return f"{number:.0f}" if number == round(number) and 1900 <= number <= 2200 else amount(number)
