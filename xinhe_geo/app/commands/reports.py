"""Commands that write a report: of one district, of many, of the targets of a plan, of a notebook."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from ...core import ScenarioError, bundled_folder, csv_text, refuse_uncleared, say, speaking, title, write_text
from ...district import secrecy_of
from ...ledger import borrowed_plan, take_figures, verdicts, with_typed
from ...ledger import ledger as evaluate
from ...maps import renewal_in_words, too_many_to_meet
from ...report import LEDGER_BOOK, Asked, brief, sides_of, state_of, write_comparisons, write_ledger, write_worst
from ...report import receipt as write_receipt
from ..batch import Tick
from ..batch import batch as run_batch
from ..notebook import run_notebook as run_book
from ..site import build_site
from ..suite import copy_notebooks
from .console import (
    ERR,
    OUT,
    PARTLY,
    Against,
    Lang,
    Plan,
    Ranges,
    Since,
    WithConflicts,
    Year,
    grid,
    message,
    opened,
    replacing,
    shown_path,
    watched,
)


def report(
    folder: Annotated[Path | None, typer.Argument(help="街道目录；省略为随程序的演示街道")] = None,
    out: Annotated[Path, typer.Option("--out", help="输出目录")] = Path("output"),
    year: Year = None,
    planned: Annotated[bool, typer.Option("--planned", help="到期的规划设施也算开放")] = False,
    communities: Annotated[int | None, typer.Option("--communities", help="用哪一年的社区名录")] = None,
    preset: Annotated[
        str, typer.Option("--preset", help="plan 规划目标和参考指标 | td1063 体检评估 | elderly 老年人")
    ] = "plan",
    since: Since = None,
    plans: Annotated[
        bool, typer.Option("--plans", help="再写目录里每个方案的比较页，和不可达人口最多一项的选址页（要几分钟）")
    ] = False,
    suggest: Annotated[
        bool, typer.Option("--suggest", help="给每一项没做到的目标都测算新增一处放在哪里；省略只测算短板突出的一项")
    ] = False,
    plan: Plan = None,
    against: Against = None,
    with_conflicts: WithConflicts = False,
    ranges: Ranges = False,
    lang: Lang = "zh",
) -> None:
    """分析一个街道，写出简报、地图、表格和 GIS 数据。"""
    with watched(message(lang, "loading")) as tell:
        with speaking(lang):
            district = opened(folder, "写出报告")
        if planned or communities is not None:
            district = district.at(district.year if year is None else year, planned=planned, communities=communities)
        sides = sides_of(district, Asked(plan, against, year, with_conflicts))
        lead = brief(
            sides.district,
            out,
            preset=preset,
            since=since,
            progress=tell,
            processes=2,
            lang=lang,
            suggest=suggest,
            ranges=ranges,
            against=sides.against,
        )
        wrong = None
        if plans:
            with speaking(lang):
                try:
                    write_comparisons(district, out, rules=preset, progress=tell, processes=2)
                except ScenarioError as error:  # told at the end: all else that was asked for is there
                    wrong = error
            write_worst(sides.district, lead, out, progress=tell)
    with speaking(lang):
        parcels, many = renewal_in_words(district), too_many_to_meet(district)
    if many:
        OUT.print(escape(many))
    if parcels and (out / "meeting.html").is_file():
        OUT.print(escape(parcels))
    OUT.print(escape(message(lang, "done", shown_path(out / "index.html"))))
    if wrong is not None:
        raise wrong


def batch(
    folders: Annotated[list[str], typer.Argument(help="街道目录、通配符或 catalogue.csv，可写几个")],
    out: Annotated[Path, typer.Option("--out", help="输出目录")] = Path("output-many"),
    workers: Annotated[int | None, typer.Option("--workers", help="本机几个进程；省略为每核一个")] = None,
    scheduler: Annotated[str | None, typer.Option("--scheduler", help="现有 Dask 集群：tcp://主机:8786")] = None,
    ship: Annotated[bool, typer.Option("--ship", help="没有共享存储：把目录发给工作进程")] = False,
    force: Annotated[bool, typer.Option("--force", help="做过的也重做")] = False,
    only: Annotated[str | None, typer.Option("--only", help="tables：只写表格和 GIS 数据，快得多")] = None,
    preset: Annotated[
        str, typer.Option("--preset", help="plan 规划目标和参考指标 | td1063 体检评估 | elderly 老年人")
    ] = "plan",
    timings: Annotated[Path | None, typer.Option("--timings", help="另存每个街道的用时和内存（CSV）")] = None,
    lang: Lang = "zh",
) -> None:
    """分析许多街道（本机几个进程或 Dask 集群），并相互比较；做完的不重做，一个失败不影响别的。"""
    refuse_uncleared({}, "写出报告")  # of what is typed; each district is asked where it is opened
    with watched(message(lang, "starting")) as tell:

        def show(tick: Tick) -> None:
            tell(tick.text)
            # where nobody watches a moving line, one line for each tenth
            if not ERR.is_terminal and tick.done * 10 // tick.total > (tick.done - 1) * 10 // tick.total:
                ERR.print(escape(tick.text))

        table = run_batch(
            folders,
            out,
            workers=workers,
            scheduler=scheduler,
            preset=preset,
            only=only,
            ship=ship,
            force=force,
            lang=lang,
            progress=show,
        )
    if timings is not None:
        with replacing(lang, timings):
            write_text(timings, csv_text(table.round(3)), mark=True)
    bad = table[table["status"].isin(["failed", "not_run"])]
    if len(bad):
        with speaking(lang):
            shown = grid(*map(title, ("街道", "代码", "结果", "问题")))
            words = {"failed": say("失败"), "not_run": say("没有做")}
        for row in bad.head(40).itertuples():
            shown.add_row(*(escape(str(v)) for v in (row.name, row.code, words[row.status], row.problem)))
        OUT.print(shown)
    n = table["status"].value_counts()
    counts = (n.get("done", 0), n.get("kept", 0), n.get("failed", 0), n.get("not_run", 0))
    page = out / ("index.html" if counts[0] + counts[1] else "status.csv")
    OUT.print(escape(message(lang, "batched", *counts, shown_path(page))))
    if len(bad):
        raise typer.Exit(PARTLY)


def ledger(
    folder: Annotated[Path | None, typer.Argument(help="街道目录；省略为随程序的演示街道")] = None,
    out: Annotated[Path, typer.Option("--out", help="输出目录")] = Path("output"),
    since: Since = None,
    take: Annotated[
        Path | None, typer.Option("--take", help="先把这个核对表工作簿专栏1里填的数记进街道目录（undo 可撤销）")
    ] = None,
    by: Annotated[str, typer.Option("--by", help="填报人，与 --take 一起用")] = "",
    lang: Lang = "zh",
) -> None:
    """规划目标落实核对表：规划的每一项目标现在到了哪一步，凭什么这样说。"""
    if take is not None:
        refuse_uncleared(secrecy_of(folder or bundled_folder()), "写出核对表")
        _take(take, folder or bundled_folder(), by, lang)
    with watched(message(lang, "loading")):
        district, typed = with_typed(opened(folder, "写出核对表"), out / LEDGER_BOOK)
        table = evaluate(district, lang=lang)
        changed = write_ledger(district, table, out, since=since, typed=typed, lang=lang)
    if len(typed):
        OUT.print(message(lang, "typed", len(typed)))
    if borrowed := borrowed_plan(district, lang):
        ERR.print(escape(borrowed))
    for verdict, n in verdicts(table).value_counts().items():
        OUT.print(f"{escape(str(verdict))}{': ' if lang == 'en' else '：'}{n}")
    if changed is not None:
        OUT.print(message(lang, "changed", len(changed)))
    OUT.print(escape(message(lang, "done", shown_path(out / "ledger.html"))))


def receipt(
    figure: Annotated[str, typer.Argument(help="规则编号（简报里的数）或量法编号（核对表里的数），如 plan_clinic_15")],
    folder: Annotated[Path | None, typer.Argument(help="街道目录；省略为随程序的演示街道")] = None,
    plan: Annotated[str | None, typer.Option("--plan", help="方案名或 TOML 文件：写出比较表里的数")] = None,
    year: Annotated[int | None, typer.Option("--year", help="哪一年的状态")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="写到哪个文件；省略为 编号.json")] = None,
    lang: Lang = "zh",
) -> None:
    """把印出来的一个数写成算式：点位、出入口、走法、规则、输入文件的校验值；tools/readd.py 不用本程序就能重新加一遍。"""
    target = out or Path(f"{figure}.json")
    with watched(message(lang, "loading")), speaking(lang):
        district = opened(folder, "写出算式")
        after = None if plan is None else state_of(district, plan).district
        before = district if year is None and after is None else district.at(after.year if after else year or 0)
        found = write_receipt(before, figure, after=after, to=target)
    for what, _, printed in found["printed"]:
        OUT.print(escape(f"{found['label']} {what} {printed}"))
    OUT.print(escape(message(lang, "receipt", shown_path(target))))


def _take(workbook: Path, folder: Path, by: str, lang: str) -> None:
    """Take the figures typed into a workbook into the folder, and say which."""
    figures = take_figures(workbook, folder, by=by)
    for row in figures.itertuples():
        before = "" if row.before != row.before else f"{row.before:,.15g} → "
        OUT.print(escape(say("{0} {1}：{2}{3:,.15g} {4}", row.indicator, row.year, before, row.after, row.unit)))
    OUT.print(message(lang, "taken", len(figures)) if len(figures) else message(lang, "unchanged"))


def run_notebook(
    name: Annotated[str, typer.Argument(help="笔记本的编号（如 03）、文件名或路径")],
    parameter: Annotated[
        list[str] | None, typer.Option("-p", "--parameter", help="名=值，可写几个；名和值见笔记本最上面一格")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="存到哪个文件夹；省略为 output/notebooks")] = None,
    from_: Annotated[Path, typer.Option("--from", help="笔记本在哪个文件夹")] = Path("notebooks"),
    lang: Lang = "zh",
) -> None:
    """换参数跑一个笔记本，存下跑好的笔记本和一个断网也能打开的 HTML 文件。"""
    with watched(name) as tell:
        _, page = run_book(name, parameter or (), folder=from_, out=out, progress=tell)
    OUT.print(escape(message(lang, "done", shown_path(page))))


def notebooks(
    folder: Annotated[Path, typer.Argument(help="复制到哪个文件夹")] = Path("notebooks"), lang: Lang = "zh"
) -> None:
    """把随程序的笔记本复制到一个文件夹；已经改过的不覆盖。"""
    files = copy_notebooks(folder)
    OUT.print(escape(message(lang, "copied", len(files), shown_path(folder))))


def docs(
    out: Annotated[Path, typer.Option("--out", help="做到哪个文件夹")] = Path("output/docs"), lang: Lang = "zh"
) -> None:
    """把文档做成网站：从磁盘直接打开，断网能搜索。"""
    with watched(message(lang, "documents")):
        page = build_site(out)
    OUT.print(escape(message(lang, "done", shown_path(page))))
