"""The commands: progress, exit codes, one clear message where something is wrong."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.table import Table

from ..core import (
    DataError,
    EnvironmentProblem,
    ScenarioError,
    SitingError,
    SourceError,
    UnknownNameError,
    XinheError,
    describe,
    listening,
)

#: 0 done; 1 done in part; 2 wrong command line; 3 the data; 4 the environment.
DONE, PARTLY, USAGE, DATA, ENVIRONMENT = range(5)

MESSAGES = {
    "zh": {
        "done": "完成：打开 {}",
        "loading": "读取街道数据",
        "changed": "与上次相比有 {} 处变化",
        "taken": "记进台账填报表 {} 个数；undo 可撤销",
        "typed": "专栏1 工作表里新填的 {} 个数已计入；要长期保留，用 ledger --take 记进台账填报表",
        "drawing": "画图",
        "before_review": "送审前还缺：{}",
        "pictures": "另有 {} 张图在 {}",
        "clean": "数据格式：{} 处错误，{} 处提示",
        "auditing": "核查数据能支撑到什么程度",
        "applied": "已写入；要撤销用 undo 命令",
        "not_applied": "还没有写入：加 --yes 写入",
        "undone": "已撤销",
        "unchanged": "没有改动",
        "solving": "计算候选点并求解",
        "proven": "已证明最优（差距 {}）",
        "not_proven": "没有证明最优，与上界还差 {}",
        "imported": "已建立街道目录 {}；下一步：python run.py report {}",
        "was_split": "建立 {} 个街道目录，失败 {} 个；下一步：python run.py batch {} --out 结果",
        "starting": "启动工作进程",
        "batched": "新做 {} 个，以前做好 {} 个，失败 {} 个，没有做 {} 个；打开 {}",
        "homes_left": "人口表里有些行没有取用，连同原因在 {}",
        "leaves": "将向 {1} 发送的只有这个取整后的范围（西, 南, 东, 北）：{0}",
        "sure": "发送并下载？",
        "interrupted": "已中断；原有输出没有改动",
        "edit_next": "已写好 {0}：打开它，去掉要用的行前面的 #，填好；再用 scenario check 检查",
        "steps": "共 {} 步，{} 步做不了",
        "took": "数据：{} 处提示，见 check 命令",
    },
    "en": {
        "done": "Done: open {}",
        "loading": "Reading the district",
        "changed": "{} changes since the earlier run",
        "taken": "{} figures taken into the yearly table; undo takes them out again",
        "typed": "{} figures typed into the panel sheet count; ledger --take keeps them in the yearly table",
        "drawing": "Drawing",
        "before_review": "Still missing before the map is sent for approval: {}",
        "pictures": "{} pictures in {}",
        "clean": "Format: {} errors, {} warnings",
        "auditing": "Auditing what the data can carry",
        "applied": "Written; `undo` takes it back",
        "not_applied": "Nothing written yet: add --yes to write",
        "undone": "Undone",
        "unchanged": "Nothing changed",
        "solving": "Costs of the candidates, then the solver",
        "proven": "Proven optimal (gap {})",
        "not_proven": "Not proven: {} from the bound",
        "imported": "Made district folder {}; next: python run.py report {}",
        "was_split": "Made {} district folders, {} failed; next: python run.py batch {} --out RESULTS",
        "starting": "Starting workers",
        "batched": "Done {}, kept {}, failed {}, not run {}; open {}",
        "homes_left": "Some rows of the table of people were not taken; they and the reasons are in {}",
        "leaves": "Only this rounded box (west, south, east, north) is sent to {1}: {0}",
        "sure": "Send and download?",
        "interrupted": "Interrupted; earlier outputs are unchanged",
        "edit_next": "Wrote {0}: open it, uncomment what is wanted, fill it in; then `scenario check`",
        "steps": "{} steps, {} of them cannot be carried out",
        "took": "Data: {} warnings, see the check command",
    },
}

app = typer.Typer(
    name="xinhe-geo",
    help="街道公共服务设施的步行可达分析。",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
_out = Console(highlight=False)
_err = Console(stderr=True, highlight=False)
Since = Annotated[
    Path | None, typer.Option("--since", help="上次输出里的 run.json（或那个文件夹）：列出与上次相比的变化")
]
Lang = Annotated[str, typer.Option("--lang", help="zh 或 en")]


def _text(lang: str, key: str, *args: object) -> str:
    return MESSAGES["en" if lang == "en" else "zh"][key].format(*args)


@contextmanager
def _watched(text: str) -> Iterator[Status]:
    """Show a line that says what the work is at and how much of it is done."""
    with _err.status(text) as status, listening(lambda what, done: status.update(f"{escape(what)}　{done:.0%}")):
        yield status


def _grid(*columns: str, title: str | None = None) -> Table:
    """Return an empty table whose long Chinese cells wrap instead of being cut off."""
    table = Table(title=title)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _show(path: Path) -> str:
    """Return a path as the reader would type it: relative where it lies below the working folder."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


@app.command()
def report(
    folder: Annotated[Path | None, typer.Argument(help="街道目录；省略为随程序的演示街道")] = None,
    out: Annotated[Path, typer.Option("--out", help="输出目录")] = Path("output"),
    year: Annotated[int | None, typer.Option("--year", help="哪一年的状态")] = None,
    planned: Annotated[bool, typer.Option("--planned", help="到期的规划设施也算开放")] = False,
    communities: Annotated[int | None, typer.Option("--communities", help="用哪一年的社区名录")] = None,
    preset: Annotated[str, typer.Option("--preset", help="plan 规划目标 | td1063 体检评估 | elderly 老年人")] = "plan",
    since: Since = None,
    plans: Annotated[
        bool, typer.Option("--plans", help="再写目录里每个方案的比较页，和不可达人口最多一项的选址页（要几分钟）")
    ] = False,
    lang: Lang = "zh",
) -> None:
    """分析一个街道，写出简报、地图、表格和 GIS 数据。"""
    from ..district import District
    from ..report import brief

    with _watched(_text(lang, "loading")) as status:

        def show(step: str) -> None:
            status.update(escape(step))

        district = District.load(folder)
        if year is not None or planned or communities is not None:
            district = district.at(district.year if year is None else year, planned=planned, communities=communities)
        lead = brief(district, out, preset=preset, since=since, progress=show, processes=2, lang=lang)
        if plans:
            from ..report import write_comparisons, write_worst

            write_comparisons(district, out, rules=preset, progress=show)
            write_worst(district, lead, out, progress=show)
    _out.print(escape(_text(lang, "done", _show(out / "index.html"))))


@app.command()
def check(
    folder: Annotated[Path | None, typer.Argument(help="街道目录；省略为随程序的演示街道")] = None,
    lang: Lang = "zh",
) -> None:
    """检查街道目录：每一处问题在哪个文件、哪一行、哪一列、怎么改；数据能支撑到什么程度。"""
    from ..district import check as check_folder

    problems = check_folder(folder)
    errors = int((problems["severity"] == "error").sum())
    if len(problems):
        table = _grid("级别", "文件", "行", "列", "问题", "怎么办")
        for row in problems.itertuples(index=False):
            level = "错误" if row.severity == "error" else "提示"
            table.add_row(level, *(escape(str(v)) for v in (row.file, row.row, row.field, row.problem, row.remedy)))
        _out.print(table)
    _out.print(_text(lang, "clean", errors, len(problems) - errors))
    if errors:
        raise typer.Exit(DATA)
    _show_audit(folder, lang)


def _show_audit(folder: Path | None, lang: str) -> None:
    """Print how far sound data can carry conclusions, and the line to put under a map."""
    from ..access import SEVERITIES, audit, rests_on
    from ..district import District

    with _watched(_text(lang, "auditing")):
        district = District.load(folder)
        table = audit(district)
    shown = _grid("轻重", "方面", "数据核查发现", "哪里", "涉及人口", "怎么办")
    for row in table.itertuples():
        people = "" if np.isnan(row.people) else f"{row.people:,.0f}"
        shown.add_row(
            SEVERITIES[row.severity], row.topic, escape(row.finding), escape(row.where), people, escape(row.remedy)
        )
    _out.print(shown)
    _out.print(escape(rests_on(district)))


@app.command("import")
def import_(
    file: Annotated[
        Path, typer.Argument(help="OSM 提取文件（.osm.pbf .osm .osm.gz .osm.bz2），或只有街道的 .graphml .gpkg")
    ],
    out: Annotated[Path, typer.Option("--out", help="新的街道目录")],
    homes: Annotated[Path | None, typer.Option("--homes", help="人口表 CSV：id, lon, lat, population")] = None,
    name: Annotated[str | None, typer.Option("--name", help="街道名称")] = None,
    code: Annotated[str | None, typer.Option("--code", help="统计代码")] = None,
    crs: Annotated[str | None, typer.Option("--crs", help="计算用的投影坐标系；省略为当地 UTM 带")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="替换以前导入的目录")] = False,
    lang: Lang = "zh",
) -> None:
    """从 OSM 提取文件建立一个街道目录。"""
    from ..core import LAYERS
    from ..io import import_osm

    with _watched(escape(file.name)) as status:
        taken = import_osm(
            file,
            out,
            homes=homes,
            name=name,
            code=code,
            crs=crs,
            overwrite=overwrite,
            progress=lambda step: status.update(escape(str(step))),
        )
    table = _grid("图层", "内容", "取用", "未取", "原因", "例")
    taken = taken.rename(index={name: layer.label for name, layer in LAYERS.items()})
    for row in taken.reset_index().itertuples(index=False):
        table.add_row(*("" if v is None or str(v) == "nan" else escape(str(v)) for v in row))
    _out.print(table)
    _out.print(escape(_text(lang, "imported", _show(out), _show(out))))


@app.command("split")
def split_(
    extract: Annotated[Path, typer.Argument(help="全市 OSM 提取文件：.osm.pbf")],
    districts: Annotated[Path, typer.Option("--districts", help="街道界：GeoJSON 或 GeoPackage 的面")],
    code: Annotated[str, typer.Option("--code", help="代码列（街道按代码识别）")],
    out: Annotated[Path, typer.Option("--out", help="放各街道目录的文件夹")],
    name: Annotated[str | None, typer.Option("--name", help="名称列")] = None,
    margin: Annotated[float, typer.Option("--margin", help="界外多取多少米的街道和设施")] = 1500.0,
    homes: Annotated[Path | None, typer.Option("--homes", help="全市人口表 CSV：id, lon, lat, people")] = None,
    crs: Annotated[str | None, typer.Option("--crs", help="计算用的投影坐标系；省略为各街道的 UTM 带")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="替换以前切分的结果")] = False,
    lang: Lang = "zh",
) -> None:
    """把一座城市的 OSM 提取文件切成各街道的目录（按代码，每个街道带界外一段步行距离）。"""
    from ..io import CATALOGUE, LEFT_OUT, split

    with _watched(escape(extract.name)) as status:
        made = split(
            extract,
            districts,
            out,
            code=code,
            name=name,
            margin=margin,
            homes=homes,
            crs=crs,
            overwrite=overwrite,
            progress=lambda step: status.update(escape(str(step))),
        )
    shown = _grid("代码", "名称", "居住点", "人口", "道路", "设施", "说明")
    noted = made[(made["status"] == "failed") | (made["note"] != "")]
    for row in (made if len(made) <= 40 else noted.head(40)).itertuples():
        people = "" if row.people != row.people else f"{row.people:,.0f}"
        cells = (row.Index, row.name, f"{row.homes:,}", people, f"{row.streets:,}", f"{row.facilities:,}", row.note)
        shown.add_row(*(escape(str(cell)) for cell in cells))
    _out.print(shown)
    failed = int((made["status"] == "failed").sum())
    if (out / LEFT_OUT).exists():
        _out.print(escape(_text(lang, "homes_left", _show(out / LEFT_OUT))))
    _out.print(escape(_text(lang, "was_split", len(made) - failed, failed, _show(out / CATALOGUE))))
    if failed:
        raise typer.Exit(PARTLY)


@app.command()
def ways(
    file: Annotated[Path, typer.Argument(help="import 能读的文件")],
    walk_filter: Annotated[Path | None, typer.Option("--filter", help="自己的 walk_filter.toml")] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="逐条写到 CSV")] = None,
) -> None:
    """列出不能步行的道路和原因（步行规则在 network/walk_filter.toml，可以改）。"""
    from ..io import left_out

    with _watched(escape(file.name)):
        table = left_out(file, walk_filter=walk_filter)
    shown = _grid("原因", "条数", "例")
    for reason, rows in table.groupby("reason", sort=False):
        examples = [f"{way}{'' if name is None else f' {name}'}" for way, name in rows["name"].head(6).items()]
        shown.add_row(escape(str(reason)), str(len(rows)), escape("、".join(examples)))
    _out.print(shown)
    _out.print(f"共 {len(table)} 条道路不计入步行网")
    if csv is not None:
        from ..report import csv_text

        csv.write_text(csv_text(table), encoding="utf-8-sig")
        _out.print(escape(_show(csv)))


@app.command()
def batch(
    folders: Annotated[list[str], typer.Argument(help="街道目录、通配符或 catalogue.csv，可写几个")],
    out: Annotated[Path, typer.Option("--out", help="输出目录")] = Path("output-many"),
    workers: Annotated[int | None, typer.Option("--workers", help="本机几个进程；省略为每核一个")] = None,
    scheduler: Annotated[str | None, typer.Option("--scheduler", help="现有 Dask 集群：tcp://主机:8786")] = None,
    ship: Annotated[bool, typer.Option("--ship", help="没有共享存储：把目录发给工作进程")] = False,
    force: Annotated[bool, typer.Option("--force", help="做过的也重做")] = False,
    only: Annotated[str | None, typer.Option("--only", help="tables：只写表格和 GIS 数据，快得多")] = None,
    preset: Annotated[str, typer.Option("--preset", help="plan 规划目标 | td1063 体检评估 | elderly 老年人")] = "plan",
    timings: Annotated[Path | None, typer.Option("--timings", help="另存每个街道的用时和内存（CSV）")] = None,
    lang: Lang = "zh",
) -> None:
    """分析许多街道（本机几个进程或 Dask 集群），并相互比较；做完的不重做，一个失败不影响别的。"""
    from .batch import batch as run

    with _watched(_text(lang, "starting")) as status:

        def show(tick: Any) -> None:
            status.update(escape(tick.text))
            # where nobody watches a moving line, one line for each tenth
            if not _err.is_terminal and tick.done * 10 // tick.total > (tick.done - 1) * 10 // tick.total:
                _err.print(escape(tick.text))

        table = run(
            folders,
            out,
            workers=workers,
            scheduler=scheduler,
            preset=preset,
            only=only,
            ship=ship,
            force=force,
            progress=show,
        )
    if timings is not None:
        timings.write_text("\ufeff" + table.round(3).to_csv(lineterminator="\n"), encoding="utf-8")
    bad = table[table["status"].isin(["failed", "not_run"])]
    if len(bad):
        shown = _grid("街道", "代码", "结果", "问题")
        for row in bad.head(40).itertuples():
            shown.add_row(
                *(
                    escape(str(v))
                    for v in (row.name, row.code, {"failed": "失败"}.get(row.status, "没有做"), row.problem)
                )
            )
        _out.print(shown)
    n = table["status"].value_counts()
    counts = (n.get("done", 0), n.get("kept", 0), n.get("failed", 0), n.get("not_run", 0))
    page = out / ("index.html" if counts[0] + counts[1] else "status.csv")
    _out.print(escape(_text(lang, "batched", *counts, _show(page))))
    if len(bad):
        raise typer.Exit(PARTLY)


@app.command()
def fetch(
    out: Annotated[Path, typer.Option("--out", help="新的街道目录")],
    bbox: Annotated[str | None, typer.Option("--bbox", help="西,南,东,北（经纬度）")] = None,
    for_: Annotated[Path | None, typer.Option("--for", help="为哪个街道目录下载（只用它的外框）")] = None,
    homes: Annotated[Path | None, typer.Option("--homes", help="人口表 CSV")] = None,
    host: Annotated[list[str] | None, typer.Option("--host", help="Overpass 服务地址，可写几个")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="不再询问")] = False,
    lang: Lang = "zh",
) -> None:
    """联网下载 OpenStreetMap 的街道和设施（唯一会联网的命令）。"""
    from ..district import District
    from ..io import HOSTS, box_to_fetch
    from ..io import fetch as fetch_osm

    box = box_to_fetch(
        bbox=None if bbox is None else _numbers(bbox), district=None if for_ is None else District.load(for_)
    )
    _out.print(escape(_text(lang, "leaves", ", ".join(f"{v:.2f}" for v in box), (host or HOSTS)[0])))
    if not yes and not typer.confirm(_text(lang, "sure")):
        raise typer.Exit(DONE)
    with _watched("…") as status:
        fetch_osm(out, box, hosts=host or HOSTS, homes=homes, progress=lambda step: status.update(escape(str(step))))
    _out.print(escape(_text(lang, "imported", _show(out), _show(out))))


def _numbers(text: str) -> list[float]:
    """Return comma-separated numbers; anything else is a wrong command line."""
    try:
        return [float(part) for part in text.replace("，", ",").split(",")]
    except ValueError:
        raise SourceError(f"不是四个数：{text}。写法：--bbox 117.60,39.00,117.75,39.12") from None


@app.command()
def compare(
    scenario: Annotated[str, typer.Argument(help="方案名（目录里的 scenarios/名.toml）或 TOML 文件")],
    other: Annotated[
        str | None, typer.Argument(help="与哪个方案比：写了就是 第一个→第二个；不写就是 现状→方案")
    ] = None,
    folder: Annotated[Path | None, typer.Option("--for", help="街道目录；省略为随程序的演示街道")] = None,
    preset: Annotated[str, typer.Option("--preset", help="plan | td1063 | elderly")] = "plan",
    out: Annotated[Path | None, typer.Option("--out", help="写出网页、表格、差异图和左右对比图的文件夹")] = None,
    lang: Lang = "zh",
) -> None:
    """比较方案实施前后，或两个方案：哪些指标变了，谁受益，谁受影响。"""
    from ..access import effects
    from ..district import District
    from ..maps import DEMONSTRATION_TEXT
    from ..report import people_line, signed, state_of, write_comparison

    with _watched(_text(lang, "loading")) as status:
        district = District.load(folder)
        after, name_after = state_of(district, scenario if other is None else other)
        # the same year on both sides: what changes is the plan, not the calendar
        before, name_before = state_of(district, None if other is None else scenario, year=after.year)
        table = effects(before, after, rules=preset)
        if out is not None:
            write_comparison(
                before,
                after,
                out,
                names=(name_before, name_after),
                rules=preset,
                progress=lambda step: status.update(escape(step)),
            )
    title = escape(name_after if other is None else f"{name_before} → {name_after}")
    shown = _grid("指标", "前", "后", "百分点", "受益居民", "受影响居民", "更挤", "迁入可达", title=title)
    for column in shown.columns[1:]:
        column.no_wrap = True
    table = table.reindex(table["change"].abs().sort_values(ascending=False, kind="stable").index)
    for row in table[table["change"].abs().round(4) > 0].itertuples():
        if row.before == row.before:
            share = "—" if row.after != row.after else f"{row.after:.1%}"
            change = "—" if row.change != row.change else signed(row.change * 100)
            shown.add_row(
                escape(row.label),
                f"{row.before:.1%}",
                share,
                change,
                f"{row.people_gain:,.0f}",
                f"{row.people_lose:,.0f}",
                f"{row.people_crowded:,.0f}",
                f"{row.people_new_served:,.0f}",
            )
    _out.print(people_line(before, after))
    _out.print(shown)
    _out.print(f"另有 {int((table['change'].abs().round(4) <= 0).sum())} 项没有变化")
    if district.is_demonstration:
        _out.print(DEMONSTRATION_TEXT)
    if out is not None:
        _out.print(escape(_text(lang, "done", _show(out / "compare.html"))))


@app.command()
def plans(
    folder: Annotated[Path | None, typer.Argument(help="街道目录；省略为随程序的演示街道")] = None,
    out: Annotated[Path, typer.Option("--out", help="输出目录；与 report 用同一个，简报会链接过去")] = Path("output"),
    lang: Lang = "zh",
) -> None:
    """把目录里的方案写成一页 plans.html：做什么、假定什么、谁受益、要配建什么。"""
    from ..district import District
    from ..report import write_plans

    with _watched(_text(lang, "loading")) as status:
        write_plans(District.load(folder), out, progress=lambda step: status.update(escape(step)))
    _out.print(escape(_text(lang, "done", _show(out / "plans.html"))))


@app.command("provision")
def provision_list(
    scenario: Annotated[str | None, typer.Argument(help="方案名或 TOML 文件；不写就用 --parcel 和 --people")] = None,
    folder: Annotated[Path | None, typer.Option("--for", help="街道目录；省略为随程序的演示街道")] = None,
    norms: Annotated[str | None, typer.Option("--norms", help="只用 norms.csv 里的哪一套或哪一条")] = None,
    parcel: Annotated[str | None, typer.Option("--parcel", help="在哪个地块上建")] = None,
    people: Annotated[float | None, typer.Option("--people", help="新增常住人口")] = None,
    elderly: Annotated[float | None, typer.Option("--elderly", help="其中 60 岁及以上")] = None,
    households: Annotated[int | None, typer.Option("--households", help="新增户数")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="另存为 .xlsx 或 .csv")] = None,
    lang: Lang = "zh",
) -> None:
    """配建清单：新增人口按配建标准要配什么，周边还能接纳多少，还缺多少。"""
    from ..district import District, Scenario
    from ..maps import DEMONSTRATION_TEXT
    from ..report import provision_sheet, write_table
    from ..siting import on_parcel, provision

    with _watched(_text(lang, "loading")):
        district = District.load(folder)
        if scenario is not None:
            plan = Scenario.read(scenario) if scenario.endswith(".toml") else district.scenario(scenario)
        else:
            plan = on_parcel(parcel, people, people_60plus=elderly, households=households)
        table = provision(district, plan, norms=norms)
    shown = _grid("配什么", "应配", "方案自带", "周边可接纳", "还缺", "结论", "依据与可信度", title=escape(plan.label))
    for row in table.itertuples():
        amounts = (row.required, row.own, row.absorbed, row.missing)
        numbers = ("数据不足" if np.isnan(v) else f"{_amount(v)} {row.unit}" for v in amounts)
        shown.add_row(*(escape(str(v)) for v in (row.label, *numbers, row.verdict, row.standard_text)))
    _out.print(shown)
    if district.is_demonstration:
        _out.print(DEMONSTRATION_TEXT)
    if out is not None:
        write_table(out, district, "配建清单", provision_sheet(table), "应配 = 新增数 ÷ 每多少 × 应有多少")
        _out.print(escape(_text(lang, "done", _show(out))))


@app.command("links")
def find_links(
    rule: Annotated[str, typer.Argument(help="规则名，或设施类别")],
    n: Annotated[int, typer.Option("--n", min=1, help="列几处")] = 10,
    folder: Annotated[Path | None, typer.Option("--for", help="街道目录；省略为随程序的演示街道")] = None,
    weight: Annotated[str | None, typer.Option("--weight", help="people | people_60plus；省略按规则的分母")] = None,
    layer: Annotated[Path | None, typer.Option("--layer", help="只试这个图层里的线（通道）和点（出入口）")] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="另存为 CSV 或 .xlsx")] = None,
    toml: Annotated[Path | None, typer.Option("--toml", help="把最好的一处存成方案")] = None,
    gaps: Annotated[bool, typer.Option("--gaps", help="逐个小区说怎样才够得着")] = False,
    pairs: Annotated[bool, typer.Option("--pairs", help="再列两处一起开的组合")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="写出一页：开哪里，每个小区为什么够不着、怎样才够得着")
    ] = None,
    lang: Lang = "zh",
) -> None:
    """增开出入口效果：只开一处出入口、过街、桥或断头路，哪一处让最多的人够得着。"""
    from ..district import District
    from ..maps import DEMONSTRATION_TEXT
    from ..report import read_shapes, write_scenario, write_table
    from ..siting import fixes, judged_by, link_pairs, links, links_plan

    with _watched(_text(lang, "loading")) as status:
        district = District.load(folder)
        rule = _kind_or_rule(district, rule)
        given = None if layer is None else read_shapes(layer)

        def show(step: str) -> None:
            status.update(escape(step))

        if out is not None:
            from ..report import write_links

            table = write_links(district, rule, out, n=n, weight=weight, candidates=given, progress=show)
        else:
            table = links(district, rule, n=n, weight=weight, candidates=given, progress=show)
        places = fixes(district, rule) if gaps else None
        both = link_pairs(district, rule, weight=weight, candidates=given, progress=show) if pairs else None
    shown = _grid("序", "种类", "新增可达", "其中60岁以上", "共省（人·分钟）", "实施后")
    for row in table.itertuples():
        shown.add_row(
            str(row.Index),
            row.kind_label,
            f"{row.people_gained:,.0f}",
            f"{row.people_60plus_gained:,.0f}",
            f"{row.minutes_saved:,.0f}",
            f"{row.share_after:.1%}",
        )
    _show_ranked(shown, table, "没有一处单独的通道能让更多人够得着，或少走路")
    if both is not None:
        paired = _grid("序", "新增可达", "其中60岁以上", "共省（人·分钟）", "实施后", title="两处一起开")
        for row in both.itertuples():
            paired.add_row(
                str(row.Index),
                f"{row.people_gained:,.0f}",
                f"{row.people_60plus_gained:,.0f}",
                f"{row.minutes_saved:,.0f}",
                f"{row.share_after:.1%}",
            )
        _show_ranked(paired, both, "没有两处一起开能让更多人够得着，或少走路")
    if places is not None:
        fixed = _grid("小区", "不可达", "分钟", "到出入口", "等候", "沿街", "怎样才够得着")
        for row in places.itertuples():
            minutes = (row.minutes, row.gate_minutes, row.wait_minutes, row.street_minutes)
            fixed.add_row(
                escape(str(row.name)),
                "人口不详" if row.unserved != row.unserved else f"{row.unserved:,.0f}",
                *("—" if np.isnan(v) else f"{v:.1f}" for v in minutes),
                escape(row.fix),
            )
        _out.print(fixed)
    if district.is_demonstration:
        _out.print(DEMONSTRATION_TEXT)
    if csv is not None:
        write_table(csv, district, "增开通道", _with_middle(table))
        _out.print(escape(_text(lang, "done", _show(csv))))
    if toml is not None and len(table):
        write_scenario(toml, links_plan(table, name=toml.stem))
        _out.print(escape(_text(lang, "done", _show(toml))))
    if out is not None:
        _out.print(escape(_text(lang, "done", _show(out / f"links-{judged_by(district, rule)[1].name}.html"))))


def _show_ranked(shown: Table, table: Any, none: str) -> None:
    """Print a table of openings, and below it what each of them is."""
    _out.print(shown if len(table) else none)
    for row in table.itertuples():
        _out.print(escape(f"{row.Index} {row.text}"))


def _with_middle(table: Any) -> Any:
    """Return a table of lines and points with the longitude and latitude of their middles; what is no cell is left out."""
    return _with_lonlat(table.reset_index().drop(columns="edit").assign(geometry=table.geometry.centroid.array))


scenario_app = typer.Typer(help="方案：列出、新建、检查。", no_args_is_help=True)
app.add_typer(scenario_app, name="scenario")


@scenario_app.command("list")
def list_scenarios(
    folder: Annotated[Path | None, typer.Argument(help="街道目录；省略为随程序的演示街道")] = None,
) -> None:
    """列出一个街道目录里的方案。"""
    from ..district import District, scenarios

    shown = _grid("方案", "名称", "年份", "步数", "说明")
    for row in scenarios(District.load(folder)).itertuples():
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
    _out.print(shown)


app.command("scenarios")(list_scenarios)


@scenario_app.command("new")
def new_scenario(
    name: Annotated[str, typer.Argument(help="方案名：文字、数字、- 和 _")],
    folder: Annotated[
        Path | None, typer.Option("--for", help="街道目录：写进它的 scenarios/；省略就写在当前文件夹")
    ] = None,
    lang: Lang = "zh",
) -> None:
    """写一个带注释的方案文件：去掉要用的那几行前面的 #，填好，就是一个方案。"""
    from ..district import District, blank
    from ..report import write_new

    with _watched(_text(lang, "loading")):
        text = blank(District.load(folder), name)
    path = (Path() if folder is None else folder / "scenarios") / f"{name}.toml"
    write_new(path, text)
    _out.print(escape(_text(lang, "edit_next", _show(path))))


@scenario_app.command("check")
def check_scenario(
    file: Annotated[str, typer.Argument(help="方案文件（.toml）或方案名")],
    folder: Annotated[Path | None, typer.Option("--for", help="街道目录；省略为随程序的演示街道")] = None,
    lang: Lang = "zh",
) -> None:
    """检查一个方案：每一步做什么、假定什么，哪一步做不了、为什么。"""
    from ..district import District, Scenario, conflicts, steps

    with _watched(_text(lang, "loading")):
        district = District.load(folder)
        plan = Scenario.read(file) if file.endswith(".toml") else district.scenario(file)
        done, wrong = steps(plan, district), conflicts(plan, district)
    shown = _grid("步", "做什么", "假定", "做不做得了", title=escape(plan.label or plan.name))
    for row in done.itertuples():
        reason = wrong.loc[row.Index, "problem"] if row.Index in wrong.index else "可以"
        shown.add_row(str(row.Index), *(escape(v) for v in (row.text, row.assumes, reason)))
    _out.print(shown)
    _out.print(_text(lang, "steps", len(done), len(wrong)))
    if len(wrong):
        raise typer.Exit(DATA)


@app.command()
def sites(
    kind: Annotated[str, typer.Argument(help="设施类别（kinds.csv）或规则名")],
    n: Annotated[int, typer.Option("--n", help="增加几处")] = 1,
    folder: Annotated[Path | None, typer.Option("--for", help="街道目录；省略为随程序的演示街道")] = None,
    plans: Annotated[int, typer.Option("--plans", min=1, help="最多列几个相近的方案")] = 3,
    model: Annotated[
        str, typer.Option("--model", help="mclp 新增覆盖最多 | lscp 最少几处全覆盖 | p_median | p_center")
    ] = "mclp",
    weight: Annotated[str | None, typer.Option("--weight", help="people | people_60plus | area_m2 | homes")] = None,
    limit: Annotated[
        float | None, typer.Option("--limit", help="多远算够得着（分钟或米，同规则）；省略按领头规则")
    ] = None,
    layer: Annotated[Path | None, typer.Option("--layer", help="只在这个点图层里选（GeoJSON、GeoPackage）")] = None,
    streets: Annotated[bool, typer.Option("--streets", help="候选点加上小区门口和小区内的点")] = False,
    lock: Annotated[list[str] | None, typer.Option("--lock", help="一定要选的候选点，可写几个")] = None,
    ban: Annotated[list[str] | None, typer.Option("--ban", help="不许选的候选点，可写几个")] = None,
    spacing: Annotated[float, typer.Option("--spacing", min=0, help="新设的几处两两相距至少多少米")] = 0.0,
    within: Annotated[float, typer.Option("--within", min=0, help="比最好的差多少以内也列出：0.02 为 2%")] = 0.02,
    price: Annotated[float | None, typer.Option("--price", min=0, help="每处造价；与 --budget 一起用")] = None,
    budget: Annotated[
        float | None, typer.Option("--budget", min=0, help="造价合计不超过多少；--n 成为最多几处")
    ] = None,
    capacity: Annotated[float | None, typer.Option("--capacity", min=0, help="每处最多服务多少（同权重）")] = None,
    profile: Annotated[str | None, typer.Option("--profile", help="谁在走（profiles.csv）；省略按规则")] = None,
    gap: Annotated[float, typer.Option("--gap", min=0, help="离证明的界多近就停：0.01 为 1%；0 为求到最优")] = 0.0,
    nodes: Annotated[int | None, typer.Option("--nodes", min=1, help="最多搜索几个分支就停")] = None,
    leave_out: Annotated[
        bool, typer.Option("--leave-out", help="够不着的小区留下并列出，而不是拒绝（lscp、p_median、p_center）")
    ] = False,
    csv: Annotated[Path | None, typer.Option("--csv", help="另存为 CSV 或 .xlsx")] = None,
    toml: Annotated[Path | None, typer.Option("--toml", help="把最好的方案存成方案文件")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="写出选址比选页、表格和各方案的文件夹")] = None,
    lang: Lang = "zh",
) -> None:
    """选址：增加 n 处，新增覆盖最多；证明最优，并列出相近的方案。Ctrl-C 取目前最好的方案。"""
    from ..district import District
    from ..maps import DEMONSTRATION_TEXT
    from ..report import read_shapes, write_scenario, write_table
    from ..siting import Siting, sites_plan
    from ..siting import sites as find_sites

    with _watched(_text(lang, "solving")) as status:
        district = District.load(folder)
        kind = _kind_or_rule(district, kind)
        asked = Siting(
            model=model,
            weight=weight,
            plans=plans,
            limit=limit,
            locked=lock or (),
            banned=ban or (),
            spacing_m=spacing,
            within=within,
            costs=price,
            budget=budget,
            capacity=capacity,
            gap=gap,
            nodes=nodes,
            leave_out=leave_out,
        )
        given = "streets" if streets else None if layer is None else _labelled(read_shapes(layer))

        def show(step: str) -> None:
            status.update(escape(step))

        found = find_sites(
            district,
            kind,
            None if model == "lscp" else n,
            siting=asked,
            candidates=given,
            profile=profile,
            each=True,
            progress=show,
        )
        if out is not None and len(found):
            from ..report import write_choice

            write_choice(district, found, out, siting=asked, profile=profile, progress=show)
        table = found.drop(columns="plan").reset_index()
    if table.empty:
        _out.print("现在已经全部够得着，不需要新增")
        return
    _show_sites(table, lang)
    if district.is_demonstration:
        _out.print(DEMONSTRATION_TEXT)
    if csv is not None:
        write_table(csv, district, "选址", _with_lonlat(table))
        _out.print(escape(_text(lang, "done", _show(csv))))
    if toml is not None:
        write_scenario(toml, sites_plan(found, name=toml.stem))
        _out.print(escape(_text(lang, "done", _show(toml))))
    if out is not None:
        _out.print(escape(_text(lang, "done", _show(out / f"sites-{table['kind'].iloc[0]}.html"))))


def _amount(value: float) -> str:
    """Return an amount as people write it: a whole number, or what is less than ten with two decimals."""
    return f"{value:,.0f}" if value == round(value) or abs(value) >= 10 else f"{value:.2f}"


def _kind_or_rule(district: Any, said: str) -> str:
    """Return the kind or rule that is meant: by its own name, or as planners call it ("老年食堂" for "老年食堂（社区食堂）")."""
    from ..io import bare_name

    kinds, rules = district.kinds["label"], district.rules["label"]
    if said in kinds.index or said in rules.index:
        return said
    for labels in (kinds, kinds.map(bare_name), rules):
        named = labels.index[(labels == said).to_numpy()]
        if len(named) == 1:
            return str(named[0])
    if said.isascii():
        return said  # the library says what is near it
    raise UnknownNameError("设施类别或规则", said, [*kinds, *rules])


def _show_sites(table: Any, lang: str) -> None:
    """Print the plans of a siting, how sure they are, and whom they leave out."""
    columns = ("图上编号", "位置", "新增居民", "其中60岁以上", "实施前", "实施后", "候选点")
    shown = _grid(*columns, title=escape(str(table["label"].iloc[0])))
    before = table["share_after"].shift().where(table["rank"] > 1, table["share_before"])
    for row in table.assign(share_before=before).itertuples():
        shown.add_row(
            str(row.tag),
            escape(str(row.name)),
            f"{row.people_gained:,.0f}",
            f"{row.people_60plus_gained:,.0f}",
            f"{row.share_before:.1%}",
            f"{row.share_after:.1%}",
            escape(str(row.site)),
        )
    _out.print(shown)
    for row in table.itertuples():
        _out.print(escape(f"{row.tag} {row.reason}"))
    proven = bool(table["proven"].all())
    _out.print(_text(lang, "proven" if proven else "not_proven", f"{float(table['gap'].max()):.2%}"))
    _out.print(escape(str(table["near_ties"].iloc[0])))
    if table["left_out"].iloc[0]:
        _out.print(escape(str(table["left_out"].iloc[0])))


def _labelled(points: Any) -> Any:
    """Return places of a file under their own ids (a column `site` or `id`), else numbered p001, p002 …"""
    for column in ("site", "id"):
        if column in points.columns:
            return points.set_index(points[column].astype("str"))
    return points.set_index([f"p{i + 1:03d}" for i in range(len(points))])


def _take(workbook: Path, folder: Path, by: str, lang: str) -> None:
    """Take the figures typed into a workbook into the folder, and say which."""
    from ..ledger import take_figures

    figures = take_figures(workbook, folder, by=by)
    for row in figures.itertuples():
        before = "" if row.before != row.before else f"{row.before:,.15g} → "
        _out.print(escape(f"{row.indicator} {row.year}：{before}{row.after:,.15g} {row.unit}"))
    _out.print(_text(lang, "taken", len(figures)) if len(figures) else _text(lang, "unchanged"))


@app.command()
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
    """规划目标落实核对表：规划的每一条承诺现在到了哪一步，凭什么这样说。"""
    from ..core import bundled_folder
    from ..district import District
    from ..ledger import borrowed_plan, verdicts, with_typed
    from ..ledger import ledger as evaluate
    from ..report import LEDGER_BOOK, write_ledger

    if take is not None:
        _take(take, folder or bundled_folder(), by, lang)
    with _watched(_text(lang, "loading")):
        district, typed = with_typed(District.load(folder), out / LEDGER_BOOK)
        table = evaluate(district, lang=lang)
        changed = write_ledger(district, table, out, since=since, typed=typed, lang=lang)
    if len(typed):
        _out.print(_text(lang, "typed", len(typed)))
    if borrowed := borrowed_plan(district, lang):
        _err.print(escape(borrowed))
    for verdict, n in verdicts(table).value_counts().items():
        _out.print(f"{escape(str(verdict))}{': ' if lang == 'en' else '：'}{n}")
    if changed is not None:
        _out.print(_text(lang, "changed", len(changed)))
    _out.print(escape(_text(lang, "done", _show(out / "ledger.html"))))


@app.command("sheet")
def one_sheet(
    theme: Annotated[str, typer.Argument(help="overview | completeness | gaps | 规则名；list 列出全部")] = "overview",
    folder: Annotated[Path | None, typer.Argument(help="街道目录；省略为随程序的演示街道")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="写到哪个 .pdf 或 .png 文件；没有后缀则两种都写")] = None,
    size: Annotated[str, typer.Option("--size", help="A3 | A4")] = "A3",
    straight: Annotated[bool, typer.Option("--straight", help="与直线半径对照")] = False,
    public: Annotated[
        bool, typer.Option("--public", help="公开版：不画行政界线，小于 10 的数不显示，留审图号")
    ] = False,
    number: Annotated[str, typer.Option("--number", help="图号")] = "",
    lang: Lang = "zh",
) -> None:
    """一张图一页：现状总图、某条规则的结论图、缺口图、配套齐全度、更新地块图，A3 或 A4 的 PDF 和 PNG。"""
    from ..district import District
    from ..maps import themes
    from ..report.paper import file_name, sheet

    with _watched(_text(lang, "loading")) as status:
        district = District.load(folder)
        known = themes(district, lang)
        if theme == "list":
            shown = _grid("图", "图名")
            for name, title in known.items():
                shown.add_row(escape(str(name)), escape(str(title)))
            _out.print(shown)
            return
        status.update(_text(lang, "drawing"))
        to = out or Path(file_name(f"{district.name}-{known.get(theme, theme)}") + ".pdf")
        show = "straight" if straight else "minutes"
        written = sheet(district, theme, to, size=size, show=show, public=public, number=number, lang=lang)
    for path in written:
        _out.print(escape(_text(lang, "done", _show(path))))


@app.command("atlas")
def make_atlas(
    folder: Annotated[Path | None, typer.Argument(help="街道目录；省略为随程序的演示街道")] = None,
    out: Annotated[Path, typer.Option("--out", help="输出目录")] = Path("output"),
    size: Annotated[str, typer.Option("--size", help="A3 | A4")] = "A3",
    figures: Annotated[bool, typer.Option("--figures", help="每页另存一张 300 dpi 的 PNG（figures/）")] = False,
    preset: Annotated[str, typer.Option("--preset", help="plan | td1063 | elderly")] = "plan",
    lang: Lang = "zh",
) -> None:
    """图册：现状、缺口、每项承诺各一页，再每个社区一页（一社区一图一表），合成一个 PDF。"""
    from ..district import District
    from ..report.paper import atlas

    with _watched(_text(lang, "loading")) as status:
        district = District.load(folder)
        written = atlas(
            district,
            out,
            size=size,
            figures=figures,
            preset=preset,
            lang=lang,
            progress=lambda step: status.update(escape(step)),
        )
    _out.print(escape(_text(lang, "done", _show(written[0]))))
    if len(written) > 1:
        _out.print(escape(_text(lang, "pictures", len(written) - 1, _show(written[1].parent))))


@app.command("map")
def one_map(
    what: Annotated[
        str,
        typer.Argument(
            help="overview 现状 | completeness 配套齐全度 | gaps 缺口 | parcels 更新地块 | rule 一条规则 | "
            "walkers 老年人与成人 | difference 前后变化 | swipe 前后对比"
        ),
    ] = "overview",
    folder: Annotated[Path | None, typer.Argument(help="街道目录；省略为随程序的演示街道")] = None,
    rule: Annotated[str | None, typer.Option("--rule", help="规则名或设施类别（kinds.csv）")] = None,
    scenario: Annotated[str | None, typer.Option("--scenario", help="方案名或 .toml 文件（difference、swipe）")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="写到哪个 .html 或 .svg 文件")] = None,
    tiles: Annotated[
        str | None, typer.Option("--tiles", help="在线底图：tianditu | tianditu-image（要联网，只用于现状和规则图）")
    ] = None,
    key: Annotated[str, typer.Option("--key", help="自己申请的天地图密钥")] = "",
    lang: Lang = "zh",
) -> None:
    """画一张图：一个断网也能打开的 HTML，或一张 SVG。"""
    from ..district import District
    from ..maps import of_district

    with _watched(_text(lang, "loading")) as status:
        district = District.load(folder)
        status.update(_text(lang, "drawing"))
        drawn = of_district(district, what, rule=rule, scenario=scenario, tiles=tiles, key=key, lang=lang)
        to = out or Path(f"{what}{'-' + rule if rule else ''}.html")
        drawn.write(to)
    _out.print(escape(_text(lang, "done", _show(to))))


@app.command("public")
def public_edition(
    folder: Annotated[Path | None, typer.Argument(help="街道目录；省略为随程序的演示街道")] = None,
    out: Annotated[Path, typer.Option("--out", help="输出目录")] = Path("public"),
    rule: Annotated[list[str] | None, typer.Option("--rule", help="出哪些规则的图，可重复；省略为规划承诺的")] = None,
    size: Annotated[str, typer.Option("--size", help="A3 | A4")] = "A3",
    approval: Annotated[str, typer.Option("--approval", help="审图号")] = "",
    number: Annotated[str, typer.Option("--number", help="图号")] = "",
    contact: Annotated[str, typer.Option("--contact", help="审图咨询电话")] = "",
    lang: Lang = "zh",
) -> None:
    """公开版：只有图片（PDF、PNG、一页 HTML），不画行政界线，小数不显示；界线为示意时拒绝。"""
    from ..district import District
    from ..report.paper import missing_on_sheets, public

    with _watched(_text(lang, "loading")) as status:
        district = District.load(folder)
        written = public(
            district,
            out,
            rules=rule or None,
            size=size,
            approval=approval,
            number=number,
            contact=contact,
            progress=lambda step: status.update(escape(step)),
        )
    missing = missing_on_sheets(district, approval=approval, number=number)
    if missing:
        _out.print(escape(_text(lang, "before_review", "、".join(missing))))
    _out.print(escape(_text(lang, "done", _show(written[0]))))


@app.command("slides")
def make_slides(
    folder: Annotated[Path | None, typer.Argument(help="街道目录；省略为随程序的演示街道")] = None,
    out: Annotated[Path, typer.Option("--out", help="写到哪个 .pptx 文件")] = Path("汇报.pptx"),
    preset: Annotated[str, typer.Option("--preset", help="plan | td1063 | elderly")] = "plan",
    lang: Lang = "zh",
) -> None:
    """汇报幻灯片（16:9）：一页一个结论，配图、数字和可编辑的图表，备注写明依据。"""
    from ..report.paper import slides

    _write_document(slides, folder, out, ".pptx", preset, lang)


@app.command("word")
def make_word(
    folder: Annotated[Path | None, typer.Argument(help="街道目录；省略为随程序的演示街道")] = None,
    out: Annotated[Path, typer.Option("--out", help="写到哪个 .docx 文件")] = Path("汇报.docx"),
    preset: Annotated[str, typer.Option("--preset", help="plan | td1063 | elderly")] = "plan",
    lang: Lang = "zh",
) -> None:
    """Word 汇报：目标是什么、现状多少、差多少、补哪里、补完多少、有多不确定、什么无法核对。"""
    from ..report.paper import write_brief

    _write_document(write_brief, folder, out, ".docx", preset, lang)


def _write_document(write: Any, folder: Path | None, out: Path, ending: str, preset: str, lang: str) -> None:
    from ..core import speaking
    from ..district import District
    from ..maps import PRESETS

    if out.suffix.lower() != ending:
        raise UnknownNameError("文件格式", out.suffix or out.name, [ending])
    if preset not in PRESETS:
        raise UnknownNameError("口径预设", preset, list(PRESETS))
    with speaking(lang), _watched(_text(lang, "loading")) as status:
        district = District.load(folder)
        path = write(district, out, preset=preset, progress=lambda step: status.update(escape(step)))
    _out.print(escape(_text(lang, "done", _show(path))))


@app.command()
def template(
    out: Annotated[Path, typer.Option("--out", help="写到哪个 .xlsx 文件")] = Path("模板.xlsx"),
    folder: Annotated[Path | None, typer.Option("--for", help="街道目录：下拉选项用它的类别表")] = None,
    lang: Lang = "zh",
) -> None:
    """写一个可以填的 Excel 模板：每个图层一张表，中文表头、单位、下拉选项、示例行。"""
    from ..io import template as write_template

    write_template(out, folder)
    _out.print(escape(_text(lang, "done", _show(out))))


@app.command()
def add(
    file: Annotated[
        Path, typer.Argument(help=".xlsx .xls .csv .json .geojson .gpkg .shp .kml .kmz .parquet .gdb .dxf")
    ],
    to: Annotated[Path, typer.Option("--to", help="街道目录")],
    layer: Annotated[str, typer.Option("--layer", help="图层，如 facilities、homes、gates")],
    crs: Annotated[
        str | None, typer.Option("--crs", help="坐标系：EPSG:4326、WGS84、GCJ-02、BD-09 …（有坐标时必写）")
    ] = None,
    sheet: Annotated[str | None, typer.Option("--sheet", help="Excel 的哪一张表，或 GIS 文件的哪个图层")] = None,
    dxf_layer: Annotated[list[str] | None, typer.Option("--dxf-layer", help="读哪些 CAD 图层，可写几次")] = None,
    key: Annotated[str | None, typer.Option("--key", help="哪一列是编号")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="文件里没有的行从图层里去掉")] = False,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="整张表都一样的列，如 类别=社区食堂；可写几次")
    ] = None,
    control: Annotated[Path | None, typer.Option("--control", help="CAD 自有坐标：控制点表 CSV")] = None,
    affine: Annotated[bool, typer.Option("--affine", help="控制点用六参数（扫描的图）")] = False,
    repair: Annotated[bool, typer.Option("--repair", help="修复自相交的面，逐个列出")] = False,
    place: Annotated[Path | None, typer.Option("--place", help="没有坐标的行：写一页地图（.html），在上面放")] = None,
    datum_checked: Annotated[
        str,
        typer.Option(
            "--datum-checked",
            help="坐标基准得不到证实时必写：怎么核对的，如“天地图上抽查 3 点，张三 11-26”；记在来源里",
        ),
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", help="写入；不写则只列出会改什么")] = False,
    lang: Lang = "zh",
) -> None:
    """把自己的表格或 GIS 文件加进街道目录：每一行要么取用，要么说明原因；先看改动，再加 --yes 写入。"""
    from ..io import RESULT_LABELS, UNPROVEN, tally
    from ..io import add as add_rows

    with _watched(escape(file.name)):
        try:
            report_ = add_rows(
                file,
                to,
                layer,
                crs=crs,
                sheet=sheet or (";".join(dxf_layer) if dxf_layer else None),
                key=key,
                apply=yes,
                replace=replace,
                fill=_pairs(set_),
                control=control,
                affine=affine,
                repair=repair,
                place=place,
                datum_checked=datum_checked,
            )
        except (SourceError, DataError) as error:
            if isinstance(error, SourceError):
                _keep_page(error, file)
            elif place is not None and place.is_file():
                _err.print(escape(f"没有坐标的行可以在 {_show(place)} 上放，存下的表再用 add 导入。"))
            raise
    if place is not None and place.is_file():
        _out.print(escape(_text(lang, "done", _show(place))))
    counts = tally(report_)
    shown = _grid("行", "编号", "结果", "列", "值", "原因", "怎么办")
    for row in report_[~report_["result"].isin(["gone", "unchanged"])].head(60).itertuples():
        cells = (
            row.row,
            row.key,
            RESULT_LABELS.get(row.result, row.result),
            row.column,
            row.value,
            row.reason,
            row.remedy,
        )
        shown.add_row(*("" if str(v) in {"nan", "None", "<NA>"} else escape(str(v)) for v in cells))
    _out.print(shown)
    words = {**RESULT_LABELS, "rows": "共读到", "taken": "取用", "reported": "未取（原因如上）"}
    units = {"dropped": "处", "note": "条"}
    said = [
        f"{words[name]} {n:,} {units.get(name, '行')}"
        for name, n in counts.items()
        if n and (replace or name != "gone")
    ]
    _out.print(escape("，".join(said)))
    for row in report_[report_["column"] == UNPROVEN].itertuples():
        _err.print(escape(f"注意：{row.reason}。{row.remedy}"))
    _out.print(_text(lang, "applied" if yes else "not_applied"))
    if counts.get("refused", 0):
        raise typer.Exit(PARTLY)


rules_app = typer.Typer(name="rules", help="规则：列出、导出成 Excel 改、改完导回。", no_args_is_help=True)
app.add_typer(rules_app)


@rules_app.command("list")
def list_rules(
    folder: Annotated[Path | None, typer.Argument(help="街道目录；省略为随程序的演示街道")] = None,
    set_: Annotated[str | None, typer.Option("--set", help="只列一套的每一条")] = None,
) -> None:
    """列出规则集，或一套里的每一条：问什么、限值、可信度。"""
    from ..core import METHOD_LABELS
    from ..district import District

    district = District.load(folder)
    table = district.rules
    sets = list(dict.fromkeys(table["set"]))
    if set_ is not None and set_ not in sets:
        raise UnknownNameError("规则集", set_, sets)
    if set_ is None:
        shown = _grid("规则集", "条数", "读到原文", "转引", "凭记忆", "本工具约定")
        for name in sets:
            counts = table.loc[(table["set"] == name).to_numpy(), "confidence"].value_counts()
            grades = [str(counts.get(c, 0)) for c in ("read", "second_hand", "recalled", "convention")]
            shown.add_row(escape(name), str(int(counts.sum())), *grades)
    else:
        shown = _grid("规则", "名称", "方法", "米", "分钟", "能印什么")
        for name in table.index[(table["set"] == set_).to_numpy()]:
            rule = district.rule(name)
            cells = (
                name,
                rule.label,
                METHOD_LABELS[rule.method],
                f"{rule.metres:g}",
                f"{rule.minutes:g}",
                rule.basis_text,
            )
            shown.add_row(*(escape(cell) for cell in cells))
    _out.print(shown)


@rules_app.command("run")
def run_rules(
    set_: Annotated[str, typer.Argument(metavar="SET", help="规则集，如 gb50180；rules list 列出全部")],
    folder: Annotated[Path | None, typer.Argument(help="街道目录；省略为随程序的演示街道")] = None,
    lang: Lang = "zh",
) -> None:
    """按一套规则算一遍：每条现在多少，换算法多少，多少人够不着，凭什么。"""
    from ..access import coverage, headlines
    from ..district import District

    with _watched(_text(lang, "loading")):
        district = District.load(folder)
        table = headlines(district, coverage(district, rules=set_))
    shown = _grid("规则", "现在", "换算法", "够不着的人", "凭什么")
    for name, row in table.iterrows():
        unserved = row["people_unserved"]
        cells = (
            f"{row['label']}\n{name}",
            f"{row['headline']} {row['mark']}".strip(),
            row["alternatives"],
            "不详" if np.isnan(unserved) else f"{unserved:,.0f}",
            row["standard_text"],
        )
        shown.add_row(*(escape(str(cell)) for cell in cells))
    _out.print(shown)


@rules_app.command("export")
def export_rules(
    file: Annotated[Path, typer.Argument(help="写到哪个 .xlsx 文件")],
    folder: Annotated[Path | None, typer.Argument(help="街道目录；省略为随程序的演示街道")] = None,
    lang: Lang = "zh",
) -> None:
    """把规则、量法、步行人群、距离衰减写成一个可以改的工作簿。"""
    from ..ledger import export_rules as write_rules

    write_rules(file, folder)
    _out.print(escape(_text(lang, "done", _show(file))))


@rules_app.command("import")
def import_rules(
    file: Annotated[Path, typer.Argument(help="rules export 写出、改过的 .xlsx")],
    to: Annotated[Path, typer.Option("--to", help="街道目录")],
    yes: Annotated[bool, typer.Option("--yes", help="写入；不写则只列出会改什么")] = False,
    lang: Lang = "zh",
) -> None:
    """把改过的规则导回街道目录：先列出每一处改动，再加 --yes 写入；undo 可以撤销。"""
    from ..core import LAYERS
    from ..ledger import import_rules as read_rules

    changes = read_rules(file, to, apply=yes)
    if changes.empty:
        _out.print(_text(lang, "unchanged"))
        return
    shown = _grid("表", "行", "改动", "列", "原来", "改成")
    for row in changes.itertuples(index=False):
        cells = (LAYERS[row.table].label, row.row, row.change, row.column, row.before, row.after)
        shown.add_row(*(escape(str(cell)) for cell in cells))
    _out.print(shown)
    _out.print(_text(lang, "applied" if yes else "not_applied"))


def _pairs(said: list[str] | None) -> dict[str, str]:
    """Return `column=value` pairs; anything else is a wrong command line."""
    pairs = [text.partition("=") for text in said or ()]
    for column, equals, value in pairs:
        if not (column.strip() and equals and value.strip()):
            raise SourceError(f"--set 写成 列=值，如 --set 类别=社区食堂；现在是 {column}{equals}{value}")
    return {column.strip(): value.strip() for column, _, value in pairs}


def _keep_page(error: SourceError, file: Path) -> None:
    """Write the page of what was measured beside the file it is about; say where."""
    if error.page:
        page = file.with_name(f"{file.stem}-坐标核对.html")
        try:
            page.write_text(error.page, encoding="utf-8")
        except OSError:
            return
        _err.print(escape(f"每种假设的残差和地图：{_show(page)}"))


@app.command()
def dxf(
    folder: Annotated[Path | None, typer.Argument(help="街道目录；省略为随程序的演示街道")] = None,
    out: Annotated[Path, typer.Option("--out", help="写到哪个 .dxf 文件")] = Path("街道.dxf"),
    kind: Annotated[str | None, typer.Option("--sites", help="同时画出这一类设施的选址结果")] = None,
    n: Annotated[int, typer.Option("--n", help="选址几处")] = 1,
    lang: Lang = "zh",
) -> None:
    """导出 DXF 给设计院：街道界、小区、地块、路网、设施（和选址），用街道的投影坐标系。"""
    from ..district import District
    from ..io import drawing_of
    from ..siting import sites as find_sites

    with _watched(_text(lang, "loading")):
        district = District.load(folder)
        found = None
        if kind is not None:
            kind = _kind_or_rule(district, kind)
            found = find_sites(district, kind, n)
        counts = drawing_of(district, out, found)
    for layer, number in counts.items():
        _out.print(escape(f"{layer}：{number}"))
    _out.print(escape(_text(lang, "done", _show(out))))


@app.command()
def undo(
    folder: Annotated[Path, typer.Argument(help="街道目录")],
    lang: Lang = "zh",
) -> None:
    """撤销最近一次 add 或 rules import：街道目录逐字节回到之前。"""
    from ..district import undo as undo_last

    for row in undo_last(folder).reset_index().itertuples(index=False):
        what = {"restored": "已恢复", "removed": "已移除"}.get(str(row.what), str(row.what))
        _out.print(escape(f"{row.file}　{what}"))
    _out.print(_text(lang, "undone"))


@app.command("notebook")
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
    from .notebook import run_notebook as run

    with _watched(escape(name)) as status:
        _, page = run(name, parameter or (), folder=from_, out=out, progress=lambda step: status.update(escape(step)))
    _out.print(escape(_text(lang, "done", _show(page))))


def _with_lonlat(table: Any) -> Any:
    """Return a table of points with longitude and latitude in place of the geometry."""
    import geopandas as gpd

    lonlat = gpd.GeoSeries(table["geometry"]).to_crs("EPSG:4326")
    return table.drop(columns="geometry").assign(lon=lonlat.x.round(7), lat=lonlat.y.round(7))


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return its exit code. Every failure on purpose prints one clear message."""
    try:
        code = app(
            args=sys.argv[1:] if arguments is None else arguments, standalone_mode=False, prog_name="python run.py"
        )
    except DataError as error:
        rows = error.problems[error.problems["severity"] == "error"]
        _err.print(escape(f"数据有 {len(rows)} 处错误，没有写出任何结果："))
        for row in rows.head(50).itertuples(index=False):
            _err.print(escape("  " + describe(row)))
        if len(rows) > 50:
            _err.print(escape(f"  …… 另有 {len(rows) - 50} 处，用 check 命令看全部"))
        return DATA
    except (SourceError, ScenarioError, SitingError) as error:
        _err.print(escape(str(error)))
        return DATA
    except UnknownNameError as error:
        _err.print(escape(str(error)))
        return USAGE
    except EnvironmentProblem as error:
        _err.print(escape(str(error)))
        return ENVIRONMENT
    except XinheError as error:
        _err.print(escape(str(error)))
        return DATA
    except typer.Exit as stop:
        return int(stop.exit_code)
    except KeyboardInterrupt:
        _err.print(_text("zh", "interrupted"))
        return ENVIRONMENT
    except Exception as error:
        return _usage_or_raise(error)
    if code == _BY_CTRL_C:  # typer turns the interrupt into this number and says nothing
        _err.print(_text("zh", "interrupted"))
    return code if isinstance(code, int) else DONE


_BY_CTRL_C = 130


def _usage_or_raise(error: Exception) -> int:
    """Print what the command line got wrong, with its exit code; anything else is a fault of ours and is raised."""
    show = getattr(error, "show", None)
    if show is None:
        raise error
    _err.print("命令写得不对（python run.py --help 列出全部命令）：")
    show()
    if "unexpected extra argument" in str(error):
        _err.print(
            "这个命令不认得多出来的那一项；自己的街道目录写在 --for 后面的命令有：sites、links、compare、provision、scenario、template"
        )
    return int(getattr(error, "exit_code", USAGE))
