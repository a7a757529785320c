"""Commands about renewal: parcels, who lives there year by year, and the programme of projects, and the checkup."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from rich.markup import escape

from ...core import BASIS_LABELS, HOLDERS, TOPICS, amount, keeping, per_cent, say, speaking, title, word
from ...district import District, Scenario, cell, kind_name
from ...maps import DEMONSTRATION_TEXT
from ...renewal import (
    STATUSES,
    Programming,
    balance,
    parcel_figures,
    parcel_named,
    parcel_stages,
    programmed,
    promises,
)
from ...renewal import parcels as parcels_of
from ...report import (
    checkup_note,
    checkup_sheets,
    programme_notes,
    programme_sheets,
    write_checkup,
    write_programme,
    write_scenario,
)
from .console import OUT, Lang, grid, message, opened, replacing, shown_path, watched

#: What is counted in a balance, and what its columns are called.
COUNT_LABELS = {"people": "常住人口", "registered": "户籍人口", "households": "户"}
FLOW_LABELS = {
    "opening": "上年末在住",
    "moved_out": "搬出",
    "returned": "还迁",
    "newcomers": "导入",
    "other": "其他变动",
    "closing": "年末在住",
    "moved_total": "累计搬出",
    "waiting": "过渡中",
    "returned_total": "已还迁",
    "elsewhere": "异地安置",
    "cash": "货币离开",
    "unsaid": "去向待填",
}


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
        figures = parcel_figures(state if after is None else after, when)
        stages = parcel_stages(state)
        promised = promises(state.at(district.year), made, after=after)
        books = None if made is None else balance(district, made, with_conflicts=with_conflicts)
    with speaking(lang):
        for name, row in told.iterrows():
            OUT.rule(escape(f"{row['name'] or name}（{name}）"))
            OUT.print(escape(_ground(row, when)))
            _print_figures(district, figures, str(name))
            _print_stages(district, stages, str(name))
            own = promised[[str(name) in listed for listed in promised["parcels"]]]
            _print_promises(district, own, say("任务"))
            if books is not None and after is not None:
                _print_balance(books, str(name), str(after.manifest.get("scenario", "")))
        if chosen is None:
            _print_promises(district, promised[[not listed for listed in promised["parcels"]]], say("不在地块上的承诺"))
        if books is not None and chosen is None:
            _print_balance(books, "", say("地块以外"))
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


def _print_balance(books: pd.DataFrame, parcel: str, title: str) -> None:
    """Print whom a plan moves: years side by side, so that a window of 80 columns holds them without breaking a number."""
    if parcel not in books.index.get_level_values("parcel"):
        return
    own = books.loc[parcel]
    years = sorted(own.index.get_level_values("year").unique())
    shown = grid(say("口径"), title=escape(say("居民收支：{0}", title)))
    for year in years:
        shown.add_column(str(year), justify="right", no_wrap=True)
    for (count, holder), rows in own.groupby(["count", "holder"], sort=False):
        shown.add_section()
        shown.add_row(say(COUNT_LABELS[count]) + (say("（{0}）", say(HOLDERS[holder])) if holder else ""))
        by_year = rows.droplevel(["count", "holder"]).reindex(years)
        for column, label in FLOW_LABELS.items():
            numbers = (amount(number, unknown=say("数据不足")) for number in by_year[column])
            shown.add_row("　" + say(label), *numbers)
    OUT.print(shown)


def programme(
    folder: Annotated[Path | None, typer.Argument(help="街道目录；省略为随程序的演示街道")] = None,
    horizon: Annotated[int | None, typer.Option("--horizon", help="计到哪一年；省略为资金表的最后一年")] = None,
    costs: Annotated[str, typer.Option("--costs", help="high 按造价上限排（全部超支也付得起）| low 按下限")] = "high",
    applied: Annotated[bool, typer.Option("--applied", help="拟申请的资金也算；不写只算已落实的")] = False,
    no_floor: Annotated[bool, typer.Option("--no-floor", help="不先保社区底线")] = False,
    weight: Annotated[
        list[str] | None,
        typer.Option("--weight", help="不按先后按权重：urgent=3、elderly=2、people=1 或 规则=2，可写几个"),
    ] = None,
    gap: Annotated[float, typer.Option("--gap", min=0, help="离证明的界多近就停：0.01 为 1%；0 为求到最优")] = 0.001,
    toml: Annotated[Path | None, typer.Option("--toml", help="把年度计划存成逐年的方案文件")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="写出一页和表格的文件夹，如报告的输出目录")] = None,
    lang: Lang = "zh",
) -> None:
    """项目库与年度计划：在各渠道各年的资金里，哪个项目哪一年做，证明最优，并列出没有列入的和原因。Ctrl-C 取目前最好的。"""
    with watched(message(lang, "solving")) as tell, speaking("en" if lang == "en" else "zh"):
        district = opened(folder, "排年度计划")
        asked = Programming(horizon=horizon, equity=not no_floor, applied=applied, costs=costs, gap=gap)
        found = programmed(district, weights=_weights(weight or []), programming=asked, progress=tell)
        if out is not None:
            write_programme(district, found, out)
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
    if toml is not None:
        with replacing(lang, toml):
            write_scenario(toml, found.scenario, district)
        OUT.print(escape(message(lang, "done", shown_path(toml))))
    if out is not None:
        OUT.print(escape(message(lang, "done", shown_path(out / "programme.html"))))


def checkup(
    folder: Annotated[Path | None, typer.Argument(help="街道目录；省略为随程序的演示街道")] = None,
    sets: Annotated[
        list[str] | None, typer.Option("--set", help="只看这一套（体检指标表的“哪一套”），可写几个")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="写出一页和表格的文件夹，如报告的输出目录")] = None,
    lang: Lang = "zh",
) -> None:
    """自查：体检指标逐项算出、写明缺哪一列，或待填；问题清单、整治建议、项目库、上年度整治成效。只报数，不评分。"""
    with watched(message(lang, "loading")), speaking("en" if lang == "en" else "zh"):
        district = opened(folder, "列出自查表")
        sheets = checkup_sheets(district, sets)
        if out is not None:
            write_checkup(district, sheets, out)
    with speaking("en" if lang == "en" else "zh"):
        shown = sheets["指标汇总"][["指标", "名称", "数值", "单位", "怎么得出", "问题数"]]
        _print_sheet(say("指标汇总"), shown)
        if "上年度整治成效" in sheets:
            _print_sheet(say("上年度整治成效"), sheets["上年度整治成效"])
        OUT.print(escape(checkup_note(sheets)))
        OUT.print(escape(keeping(district.manifest)))
        if district.is_demonstration:
            OUT.print(say(DEMONSTRATION_TEXT))
    if out is not None:
        OUT.print(escape(message(lang, "done", shown_path(out / "checkup.html"))))


def _weights(said: list[str]) -> dict[str, float] | None:
    found = {}
    for text in said:
        name, _, number = text.partition("=")
        try:
            found[name.strip()] = float(number)
        except ValueError:
            raise typer.BadParameter(f"--weight 写的是 {text}；写 people=1 这样的一对") from None
    wrong = [name for name, number in found.items() if not 0 <= number < math.inf]
    if wrong:
        raise typer.BadParameter(f"--weight 的 {wrong[0]} 要是不小于 0 的数")
    return found or None


def _print_sheet(heading: str, table: pd.DataFrame) -> None:
    shown = grid(*(title(str(column)) for column in table.columns), title=escape(heading))
    for row in table.itertuples(index=False):
        cells = ("" if not isinstance(v, str) and pd.isna(v) else v for v in row)
        shown.add_row(*(escape(v if isinstance(v, str) else _plain(v)) for v in cells))
    OUT.print(shown)


def _plain(value: float) -> str:
    number = float(value)
    return f"{number:.0f}" if number == round(number) and 1900 <= number <= 2200 else amount(number)
