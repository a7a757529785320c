"""The command about renewal parcels: their figures, stages and promises as tables, and who lives there year by year."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from ...core import keeping, say, speaking
from ...maps import DEMONSTRATION_TEXT
from ...report import NO_STAGES, PARCELS_PAGE, Parcel, Parcels, PromiseLine, topic_name, write_parcels
from .console import OUT, Lang, WithConflicts, grid, message, opened, shown_path, watched
from .parcel_money import show_left_to_others, show_money, show_unit_lines
from .parcel_plans import PlanFigures


def parcels(
    parcel: Annotated[str | None, typer.Argument(help="地块编号或名称；不写就是全部")] = None,
    folder: Annotated[Path | None, typer.Option("--for", help="街道目录；省略为随程序的演示街道")] = None,
    plan: Annotated[str | None, typer.Option("--plan", help="方案名或 TOML 文件：逐年看谁搬走、谁回来、谁新来")] = None,
    year: Annotated[
        int | None, typer.Option("--year", help="看哪一年末；省略为数据年，写了方案为方案的最后一年")
    ] = None,
    with_conflicts: WithConflicts = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="另写出 parcels.html（一块地一张 A4 两面）、核算表（活公式）和 GIS 图层"),
    ] = None,
    lang: Lang = "zh",
) -> None:
    """地块台账：用途权属、面积、户与人、进度、承诺做到没有；写了方案就逐年列出居民收支；--out 写出一块地一张纸。"""
    with watched(message(lang, "loading")) as tell, speaking(lang):
        district = opened(folder, "列出地块台账")
        told = Parcels(district, None if plan is None else district.scenario(plan), year, with_conflicts)
        chosen = None if parcel is None else told.key(parcel)
        shown = told.all if chosen is None else told.parts(chosen)
        if out is not None:
            write_parcels(told, out, only=chosen, progress=tell)
        plans = None
        if told.looked_at is not None:
            plans = PlanFigures.of(district, told.looked_at, with_conflicts=with_conflicts)
    with speaking(lang):
        title = str(told.shown.manifest.get("scenario", ""))
        if told.troubles:
            OUT.print(escape(told.troubles))
        for own in shown:
            OUT.rule(escape(say("{0}（{1}）", own.name, own.id)))
            OUT.print(escape(own.ground))
            _print_figures(own)
            _print_stages(own)
            _print_promises(own.promised, say("任务"))
            show_money(own.money)
            show_left_to_others(told.shown, own.id)
            if plans is not None:
                plans.show_parcel(own.id, title, told.wholes(own.id))
        if chosen is None:
            _print_promises(told.elsewhere, say("不在地块上的承诺"))
        show_unit_lines(told.shown, [own.id for own in shown], of_plan=plans is not None)
        if plans is not None:
            plans.show_elsewhere(everywhere=chosen is None)
        OUT.print(escape(keeping(district.manifest)))
        if district.is_demonstration:
            OUT.print(say(DEMONSTRATION_TEXT))
    if out is not None:
        OUT.print(escape(message(lang, "done", shown_path(out / PARCELS_PAGE))))


def _print_figures(own: Parcel) -> None:
    if not own.plain:
        return
    shown = grid(*map(say, ("指标", "口径", "数值", "年份", "依据", "谁能填")), title=say("台账"))
    for line in own.plain:  # money has tables of its own
        label = f"{topic_name(line.topic)}　{line.label}"
        shown.add_row(*map(escape, (label, line.holder, line.text, line.year, line.basis, line.who)))
    OUT.print(shown)


def _print_stages(own: Parcel) -> None:
    if not own.stages:
        OUT.print(escape(say(NO_STAGES)))
        return
    shown = grid(*map(say, ("阶段", "日期", "比例", "谁能填")), title=say("进度"))
    for line in own.stages:
        shown.add_row(*map(escape, line))
    OUT.print(shown)


def _print_promises(own: Sequence[PromiseLine], title: str) -> None:
    if not own:
        return
    shown = grid(*map(say, ("原文", "要什么", "做到没有", "还缺", "由什么回答")), title=title)
    for line in own:
        shown.add_row(*map(escape, (line.quote, line.wants, line.told, line.lacks, line.answers)))
    OUT.print(shown)
