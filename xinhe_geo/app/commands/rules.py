"""Commands about rules: list them, apply them, edit them as a workbook."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from ...access import coverage, headlines
from ...core import LAYERS, METHOD_LABELS, UnknownNameError, amount, say, speaking, title, word
from ...district import District, name_of_label, rule_name
from ...ledger import export_rules as write_rules
from ...ledger import import_rules as read_rules
from ...report import by_heading
from .console import OUT, Lang, grid, is_guarded, message, opened, saved, watched


def list_rules(
    folder: Annotated[Path | None, typer.Argument(help="街道目录；省略为随程序的演示街道")] = None,
    set_: Annotated[str | None, typer.Option("--set", help="只列一套的每一条")] = None,
    lang: Lang = "zh",
) -> None:
    """列出规则集，或一套里的每一条：问什么、限值、可信度。"""
    with speaking(lang):
        OUT.print(_listed(opened(folder, "列出规则"), set_))


def _listed(district: District, set_: str | None) -> Table:
    table = district.rules
    sets = list(dict.fromkeys(table["set"]))
    if set_ is not None and set_ not in sets:
        raise UnknownNameError("规则集", set_, sets)
    if set_ is None:
        shown = grid(*map(say, ("规则集", "条数", "读到原文", "转引", "凭记忆", "本工具约定")))
        for name in sets:
            counts = table.loc[(table["set"] == name).to_numpy(), "confidence"].value_counts()
            grades = [str(counts.get(c, 0)) for c in ("read", "second_hand", "recalled", "convention")]
            shown.add_row(escape(name), str(int(counts.sum())), *grades)
    else:
        heads = (*map(title, ("规则", "名称", "方法")), *map(say, ("米", "分钟", "能印什么")))
        shown = grid(*heads, title=escape(_heading(district, set_)))
        for name in table.index[(table["set"] == set_).to_numpy()]:
            rule = district.rule(name)
            cells = (
                name,
                rule_name(district, rule),
                say(METHOD_LABELS[rule.method]),
                f"{rule.metres:g}",
                f"{rule.minutes:g}",
                f"{rule.basis_text}\n{rule.cited}",
            )
            shown.add_row(*(escape(cell) for cell in cells))
    return shown


def run_rules(
    set_: Annotated[str, typer.Argument(metavar="规则集", help="规则集，如 gb50180；rules list 列出全部")],
    folder: Annotated[Path | None, typer.Argument(help="街道目录；省略为随程序的演示街道")] = None,
    lang: Lang = "zh",
) -> None:
    """按一套规则算一遍：每条现在多少，换算法多少，多少人在服务范围外，凭什么。"""
    with watched(message(lang, "loading")), speaking(lang):
        district = opened(folder, "列出结果")
        table = headlines(district, coverage(district, rules=set_))
        heads = [title("规则"), *map(say, ("现在", "换算法", "服务范围外的人", "凭什么")), say("不详")]
    for heading, own in by_heading(table):
        shown = grid(*heads[:-1], title=escape(heading))
        for name, row in own.iterrows():
            cells = (
                f"{row['label']}\n{name}",
                f"{row['headline']} {row['mark']}".strip(),
                row["alternatives"],
                amount(row["people_unserved"], unknown=heads[-1]),
                row["cited"],
            )
            shown.add_row(*(escape(str(cell)) for cell in cells))
        OUT.print(shown)


def _heading(district: District, set_: str) -> str:
    """Return the heading of a set: 规划目标 only for what the place's own plan says."""
    rules = [district.rule(str(name)) for name in district.rules.index[(district.rules["set"] == set_).to_numpy()]]
    return say("、").join(dict.fromkeys(rule.heading for rule in rules))


def export_rules(
    file: Annotated[Path, typer.Argument(help="写到哪个 .xlsx 文件")],
    folder: Annotated[Path | None, typer.Argument(help="街道目录；省略为随程序的演示街道")] = None,
    lang: Lang = "zh",
) -> None:
    """把设施类别、规则、配建标准、量法、规划要求、步行人群、距离衰减写成一个可以改的工作簿。"""
    saved(lang, file, lambda path: write_rules(path, folder))


def import_rules(
    file: Annotated[Path, typer.Argument(help="rules export 写出、改过的 .xlsx")],
    to: Annotated[Path, typer.Option("--to", help="街道目录")],
    yes: Annotated[bool, typer.Option("--yes", help="写入；不写则只列出会改什么")] = False,
    lang: Lang = "zh",
) -> None:
    """把改过的规则导回街道目录：先列出每一处改动，再加 --yes 写入；undo 可以撤销。"""
    changes = read_rules(file, to, apply=yes)
    if changes.empty:
        OUT.print(message(lang, "unchanged"))
        return
    with speaking(lang):
        shown = grid(say("表"), *map(title, ("行", "改动", "列", "原来", "改成")))
        labels = {name: word(layer.label) for name, layer in LAYERS.items()}
    for row in () if is_guarded(to) else changes.itertuples(index=False):
        cells = (
            labels[row.table],
            row.row,
            say(row.change),
            name_of_label(row.table, row.column),
            row.before,
            row.after,
        )
        shown.add_row(*(escape(str(cell)) for cell in cells))
    OUT.print(message(lang, "guarded") if is_guarded(to) else shown)
    OUT.print(message(lang, "applied" if yes else "not_applied"))
