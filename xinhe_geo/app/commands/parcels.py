"""The command about renewal parcels: their figures, stages and promises as tables, and who lives there year by year."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from rich.markup import escape

from ...core import BASIS_LABELS, HOLDERS, TOPICS, amount, keeping, per_cent, say, speaking, word
from ...district import District, Scenario, cell, kind_name
from ...maps import DEMONSTRATION_TEXT
from ...renewal import STATUSES, parcel_figures, parcel_named, parcel_stages, promises
from ...renewal import parcels as parcels_of
from .console import OUT, Lang, grid, message, opened, watched
from .parcel_money import show_left_to_others, show_money, show_unit_lines
from .parcel_plans import PlanFigures


def parcels(
    parcel: Annotated[str | None, typer.Argument(help="地块编号或名称；不写就是全部")] = None,
    folder: Annotated[Path | None, typer.Option("--for", help="街道目录；省略为随程序的演示街道")] = None,
    plan: Annotated[str | None, typer.Option("--plan", help="方案名或 TOML 文件：逐年看谁搬走、谁回来、谁新来")] = None,
    year: Annotated[
        int | None, typer.Option("--year", help="看哪一年末；省略为数据年，写了方案为方案的最后一年")
    ] = None,
    with_conflicts: Annotated[bool, typer.Option("--with-conflicts", help="方案自相矛盾也照算，并写明")] = False,
    lang: Lang = "zh",
) -> None:
    """地块台账：用途权属、面积、户与人、进度、承诺做到没有；写了方案就逐年列出居民收支。"""
    with watched(message(lang, "loading")), speaking(lang):
        district = opened(folder, "列出地块台账")
        made = None
        if plan is not None:
            made = Scenario.read(plan) if plan.endswith(".toml") else district.scenario(plan)
            made = made if year is None else made.at(year)
        when = year if year is not None else district.year if made is None else made.year_on(district)
        state = district.at(when)
        after = None if made is None else made.on(district, with_conflicts=with_conflicts)
        chosen = None if parcel is None else parcel_named(state, parcel)
        told = parcels_of(state)
        told = told if chosen is None else told.loc[[chosen]]
        figured = state if after is None else after
        figures = parcel_figures(figured, when)
        stages = parcel_stages(state)
        promised = promises(state.at(district.year), made, after=after)
        told_of = None if made is None else PlanFigures.of(district, made, with_conflicts=with_conflicts)
    with speaking(lang):
        for name, row in told.iterrows():
            OUT.rule(escape(f"{row['name'] or name}（{name}）"))
            OUT.print(escape(_ground(row, when)))
            _print_figures(district, figures, str(name))
            _print_stages(district, stages, str(name))
            own = promised[[str(name) in listed for listed in promised["parcels"]]]
            _print_promises(district, own, say("任务"))
            show_money(figured, str(name))
            show_left_to_others(figured, str(name))
            if told_of is not None and after is not None:
                told_of.show_parcel(str(name), str(after.manifest.get("scenario", "")))
        if chosen is None:
            _print_promises(district, promised[[not listed for listed in promised["parcels"]]], say("不在地块上的承诺"))
        show_unit_lines(figured, [str(name) for name in told.index])
        if told_of is not None:
            told_of.show_elsewhere(everywhere=chosen is None)
        OUT.print(escape(keeping(district.manifest)))
        if district.is_demonstration:
            OUT.print(DEMONSTRATION_TEXT)


def _ground(row: pd.Series, year: int) -> str:
    people = amount(row["people"], unknown=say("人口数据不足"))
    homes = say("{0} 年末图上有 {1} 个小区、{2} 人", year, amount(row["homes"]), people)
    parts = [word(row["use"]), say("图上 {0:.2f} 公顷", row["area_m2"] / 1e4), homes, row["note"]]
    return say("；").join(str(part) for part in parts if part)


def _print_figures(district: District, figures: pd.DataFrame, parcel: str) -> None:
    if parcel not in figures.index.get_level_values("parcel"):
        return
    shown = grid(*map(say, ("指标", "口径", "数值", "年份", "依据", "谁能填")), title=say("台账"))
    table = district.rows["quantities"]
    for (quantity, holder), row in figures.loc[parcel].iterrows():
        about = table.loc[quantity].fillna("")
        value = say("待填")
        if row["value"] and row["low"] == row["low"]:
            ends = dict.fromkeys(amount(n, 0 if n == round(n) else 2) for n in (row["low"], row["high"]))
            value = f"{'—'.join(ends)} {word(str(row['unit']))}".strip()
        elif row["value"]:
            value = str(row["value"])
        basis = say(BASIS_LABELS[row["basis"]]) if row["basis"] in BASIS_LABELS else ""
        shown.add_row(
            escape(f"{say(TOPICS[row['topic']])}　{cell(about, 'label')}"),
            say(HOLDERS[holder]) if holder else "",
            escape(value),
            "" if math.isnan(row["year"]) else f"{row['year']:.0f}",
            basis,
            "" if row["value"] else escape(cell(about, "who")),
        )
    OUT.print(shown)


def _print_stages(district: District, stages: pd.DataFrame, parcel: str) -> None:
    if parcel not in stages.index.get_level_values("parcel"):
        return
    own = stages.loc[parcel]
    if list(own.index) == [""]:
        OUT.print(escape(say("进度待填：还没有写走哪一条链（国有土地、集体土地、综合整治），填在 stages.csv")))
        return
    table = district.rows["stage_chains"]
    shown = grid(*map(say, ("阶段", "日期", "比例", "谁能填")), title=say("进度"))
    for stage, row in own.iterrows():
        about = table.loc[stage].fillna("")
        share = "" if math.isnan(row["share"]) else f"{per_cent(row['share'] / 100)} {cell(about, 'share_of')}"
        date = row["date"] or say("待填")
        shown.add_row(
            escape(cell(about, "label")), date, escape(share), "" if row["date"] else escape(cell(about, "who"))
        )
    OUT.print(shown)


def _print_promises(district: District, own: pd.DataFrame, title: str) -> None:
    if own.empty:
        return
    shown = grid(*map(say, ("原文", "要什么", "做到没有", "还缺", "由什么回答")), title=title)
    for row in own.itertuples():
        kinds = say("、").join(kind_name(district, kind) for kind in row.kinds)
        lacks = "" if math.isnan(row.lacks) or not row.lacks else say("{0} 处", amount(row.lacks))
        done = "" if math.isnan(row.done) else say("完成 {0}", per_cent(row.done / 100))
        steps = say("方案第 {0} 步", say("、").join(map(str, row.steps))) if row.steps else ""
        asked = say("谁能填：{0}", row.filled_by) if row.status == "blank" and row.filled_by else ""
        answers = [part for part in (done, say("、").join(row.by), steps, asked) if part]
        quote = f"{row.place}：{row.quote}" if row.place else str(row.quote)
        shown.add_row(*map(escape, (quote, kinds, say(STATUSES[row.status]), lacks, say("；").join(answers))))
    OUT.print(shown)
