"""Commands about plans: compare them, list what they must provide, write and check their files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from rich.markup import escape

from ...access import EXACT, effects
from ...core import amount, per_cent, say, speaking, title, word
from ...district import blank, conflicts, rule_name, scenarios, state_name, steps
from ...maps import DEMONSTRATION_TEXT
from ...report import (
    Asked,
    Change,
    Comparison,
    State,
    by_residents,
    people_line,
    provision_sheet,
    sides_of,
    with_net,
    with_whom,
    write_comparison,
    write_new,
    write_plans,
    write_table,
)
from ...siting import on_parcel, provision
from .console import DATA, OUT, Lang, Ranges, Year, grid, message, opened, saved, shown_path, watched

#: Below this a number of people prints as 0, which is 0 at most already.
MOST_FROM = 0.5


def compare(
    scenario: Annotated[str, typer.Argument(help="方案名（目录里的 scenarios/名.toml）或 TOML 文件")],
    other: Annotated[
        str | None, typer.Argument(help="与哪个方案比：写了就是 第一个→第二个；不写就是 现状→方案")
    ] = None,
    folder: Annotated[Path | None, typer.Option("--for", help="街道目录；省略为随程序的演示街道")] = None,
    preset: Annotated[str, typer.Option("--preset", help="plan | td1063 | elderly")] = "plan",
    out: Annotated[Path | None, typer.Option("--out", help="写出网页、表格、差异图和左右对比图的文件夹")] = None,
    with_conflicts: Annotated[
        bool, typer.Option("--with-conflicts", help="方案自相矛盾也照算；每份输出的方案名上都会写明")
    ] = False,
    year: Year = None,
    ranges: Ranges = False,
    lang: Lang = "zh",
) -> None:
    """比较方案实施前后，或两个方案：哪些指标变了，谁受益，谁受影响。"""
    with watched(message(lang, "loading")) as tell, speaking(lang):
        district = opened(folder, "比较方案")
        asked = Asked(other or scenario, None if other is None else scenario, year, with_conflicts)
        after, before = sides_of(district, asked)
        assert before is not None
        old, new = State(before, state_name(before)), State(after, state_name(after))
        table = effects(before, after, rules=preset)
        firm = Change(Comparison.of(before, after, preset, ranges=ranges)).moved if ranges else ()
        if out is not None:
            write_comparison(old, new, out, rules=preset, ranges=ranges, progress=tell)
    with speaking(lang):
        title = escape(new.label if other is None else f"{old.label} → {new.label}")
        if before.year != after.year:
            told = "两边不是同一年（{0} 年、{1} 年），差别里也有年份的；要同一年加 --year"
            OUT.print(say(told, before.year, after.year))
        OUT.print(people_line(before, after))
        table = with_whom(with_net(by_residents(table)))
        table["label"] = [rule_name(after, after.rule(str(name))) for name in table.index]
        changed = table[~(table["change"].abs().round(4) <= 0) & table["before"].notna()]
        headings = [after.rule(str(name)).heading for name in changed.index]
        for heading in sorted(dict.fromkeys(headings), key=headings.index):
            _show_effects(changed[[h == heading for h in headings]], say("　").join((title, escape(heading))))
        for shift in firm:
            OUT.print(escape(say("{0}：{1}", shift.label, shift.firm)))
        OUT.print(say("另有 {0} 项没有变化", int((table["change"].abs().round(4) <= 0).sum())))
        if district.is_demonstration:
            OUT.print(say(DEMONSTRATION_TEXT))
    if out is not None:
        OUT.print(escape(message(lang, "done", shown_path(out / "compare.html"))))


def _show_effects(table: pd.DataFrame, title: str) -> None:
    """Print what changes: the shares, the net gain in what each rule counts, who gains and loses of those whom it counts."""
    heads = ("指标", "前", "后", "净增", "受益居民", "受影响", "服务负荷上升", "迁入")
    shown = grid(*map(say, heads), title=title)
    shown.padding = (0, 0)  # eight columns have to fit on a narrow screen
    for row in table.itertuples():
        # of a kind only seen on a map: whoever gains or loses may be served by one that it does not show
        exact = row.bound == EXACT
        own = [(row.gain, row.gain_text), (row.lose, row.lose_text)]
        own = own if row.net_of == "people_60plus" else [(number, amount(number)) for number, _ in own]
        people = [*own, *((number, amount(number)) for number in (row.people_crowded, row.people_new_served))]
        shown.add_row(
            escape(row.label),
            *("—" if np.isnan(v) else _told("至少 {0}", per_cent(v), exact) for v in (row.before, row.after)),
            row.net_text,
            *(
                _told("至多 {0}", say("不详") if np.isnan(v) else told, exact or not v >= MOST_FROM)
                for v, told in people
            ),
        )
    OUT.print(shown)


def _told(bound: str, figure: str, exact: bool) -> str:
    return figure if exact else say(bound, figure)


def plans(
    folder: Annotated[Path | None, typer.Argument(help="街道目录；省略为随程序的演示街道")] = None,
    out: Annotated[Path, typer.Option("--out", help="输出目录；与 report 用同一个，简报会链接过去")] = Path("output"),
    lang: Lang = "zh",
) -> None:
    """把目录里的方案写成一页 plans.html：做什么、假定什么、谁受益、要配建什么。"""
    with watched(message(lang, "loading")) as tell:
        district = opened(folder, "写出方案")
        with speaking(lang):
            write_plans(district, out, progress=tell)
    OUT.print(escape(message(lang, "done", shown_path(out / "plans.html"))))


def provision_list(
    scenario: Annotated[str | None, typer.Argument(help="方案名或 TOML 文件；不写就用 --parcel 和 --people")] = None,
    folder: Annotated[Path | None, typer.Option("--for", help="街道目录；省略为随程序的演示街道")] = None,
    norms: Annotated[str | None, typer.Option("--norms", help="只用 norms.csv 里的哪一套或哪一条")] = None,
    parcel: Annotated[str | None, typer.Option("--parcel", help="在哪个地块上建")] = None,
    people: Annotated[float | None, typer.Option("--people", help="新增常住人口")] = None,
    elderly: Annotated[float | None, typer.Option("--elderly", help="其中60岁及以上")] = None,
    households: Annotated[int | None, typer.Option("--households", help="新增户数")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="另存为 .xlsx 或 .csv")] = None,
    lang: Lang = "zh",
) -> None:
    """配建清单：新增人口按配建标准要配什么，周边还能接纳多少，还缺多少。"""
    with watched(message(lang, "loading")), speaking(lang):
        district = opened(folder, "列出配建清单")
        if scenario is None:
            parcel = parcel if parcel is None else district.key("parcels", parcel)
            plan = on_parcel(parcel, people, people_60plus=elderly, households=households)
        else:
            plan = district.scenario(scenario)
        table = provision(district, plan, norms=norms)
    with speaking(lang):
        _show_provision(table, plan.label)
        if district.is_demonstration:
            OUT.print(say(DEMONSTRATION_TEXT))
    with speaking(lang):
        how = say("应配 = 新增数 ÷ 每多少 × 应有多少")
        saved(lang, out, lambda path: write_table(path, district, "配建清单", provision_sheet(table), how))


def _show_provision(table: pd.DataFrame, plan: str) -> None:
    """Print what must be provided: how much, what there is already, what is missing."""
    heads = ("配什么", "应配", "方案自带", "周边可接纳", "还缺", "结论", "依据与可信度")
    shown = grid(*map(title, heads), title=escape(say("{0}（只算新来的人，还迁的不算）", plan)))
    for row in table.itertuples():
        amounts = (row.required, row.own, row.absorbed, row.missing)
        numbers = [say("数据不足") if np.isnan(v) else f"{_amount(v)} {word(str(row.unit))}" for v in amounts]
        if row.bound != EXACT and row.missing > 0:
            numbers[-1] = say("至多 {0}", numbers[-1])
        shown.add_row(*(escape(str(v)) for v in (row.label, *numbers, row.verdict, row.standard_text)))
    OUT.print(shown)


def _amount(value: float) -> str:
    """Return an amount as people write it: a whole number, or what is less than ten with two decimals."""
    return amount(value) if value == round(value) or abs(value) >= 10 else amount(value, 2)


def list_scenarios(
    folder: Annotated[Path | None, typer.Argument(help="街道目录；省略为随程序的演示街道")] = None,
    lang: Lang = "zh",
) -> None:
    """列出一个街道目录里的方案。"""
    with speaking(lang):
        shown = grid(*map(title, ("方案", "名称", "年份")), say("步数"), title("说明"))
    for row in scenarios(opened(folder, "列出方案")).itertuples():
        shown.add_row(
            *(
                escape(str(v))
                for v in (
                    row.Index,
                    row.label,
                    "" if not row.year or np.isnan(row.year) else f"{row.year:.0f}",
                    row.edits,
                    row.note,
                )
            )
        )
    OUT.print(shown)


def new_scenario(
    name: Annotated[str, typer.Argument(help="方案名：文字、数字、- 和 _")],
    folder: Annotated[
        Path | None, typer.Option("--for", help="街道目录：写进它的 scenarios/；省略就写在当前文件夹")
    ] = None,
    lang: Lang = "zh",
) -> None:
    """写一个带注释的方案文件：去掉要用的那几行前面的 #，填好，就是一个方案。"""
    with watched(message(lang, "loading")):
        text = blank(opened(folder, "写出方案"), name)
    path = (Path() if folder is None else folder / "scenarios") / f"{name}.toml"
    write_new(path, text)
    OUT.print(escape(message(lang, "edit_next", shown_path(path))))


def check_scenario(
    file: Annotated[str, typer.Argument(help="方案文件（.toml）或方案名")],
    folder: Annotated[Path | None, typer.Option("--for", help="街道目录；省略为随程序的演示街道")] = None,
    lang: Lang = "zh",
) -> None:
    """检查一个方案：每一步做什么、假定什么，哪一步做不了、为什么。"""
    with watched(message(lang, "loading")), speaking(lang):
        district = opened(folder, "列出方案")
        plan = district.scenario(file)
        done, wrong = steps(plan, district), conflicts(plan, district)
    with speaking(lang):
        shown = grid(*map(say, ("步", "做什么", "假定", "做不做得了")), title=escape(plan.label or plan.name))
        for row in done.itertuples():
            reason = say("；").join(wrong.loc[[row.Index], "problem"]) if row.Index in wrong.index else say("可以")
            shown.add_row(str(row.Index), *(escape(v) for v in (row.text, row.assumes, reason)))
    OUT.print(shown)
    impossible = int((wrong["kind"] == "impossible").sum())
    OUT.print(message(lang, "steps", len(done), impossible, len(wrong) - impossible))
    if len(wrong):
        raise typer.Exit(DATA)
