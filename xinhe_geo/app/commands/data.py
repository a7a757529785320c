"""Commands about the data of a district: check it, make a folder, add to it, take back."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from rich.markup import escape

from ...access import SEVERITIES, audit, rests_on
from ...core import (
    UNSTATED,
    DataError,
    SourceError,
    amount,
    csv_text,
    layer_name,
    refuse_leaving,
    refuse_uncleared,
    row_name,
    say,
    speaking,
    title,
    word,
    write_text,
)
from ...district import District, column_name, secrecy_of
from ...district import check as check_folder
from ...district import number as seal_number
from ...district import seal as seal_folder
from ...district import undo as undo_last
from ...io import (
    CATALOGUE,
    FETCH,
    FORMATS,
    HOSTS,
    LEFT_OUT,
    PARTS,
    PEOPLE_COLUMN,
    RESULT_LABELS,
    UNPROVEN,
    Coordinates,
    Division,
    PeopleJump,
    Request,
    Wishes,
    asked,
    boundary_box,
    box_to_fetch,
    downloaded,
    import_osm,
    kept_rows,
    left_out,
    new_district,
    read_said,
    recipe_of,
    split,
    tally,
)
from ...io import add as add_rows
from ...io import blanks as write_blanks
from ...io import fetch as fetch_osm
from ...io import template as write_template
from ...io import update as update_list
from .console import (
    DATA,
    DONE,
    ERR,
    OUT,
    PARTLY,
    Lang,
    grid,
    is_guarded,
    message,
    replacing,
    saved,
    shown_path,
    watched,
)


def check(
    folder: Annotated[Path | None, typer.Argument(help="街道目录；省略为随程序的演示街道")] = None, lang: Lang = "zh"
) -> None:
    """检查街道目录：每一处问题在哪个文件、哪一行、哪一列、怎么改；数据能支撑到什么程度。"""
    with speaking(lang):
        problems = check_folder(folder)
    errors = int((problems["severity"] == "error").sum())
    if len(problems):
        with speaking(lang):
            table = grid(*map(title, ("级别", "文件", "行", "列", "问题", "怎么办")))
            levels = {True: say("错误"), False: say("提示")}
            for row in problems.itertuples(index=False):
                cells = (row.file, row_name(row.row), row.field, row.problem, row.remedy)
                table.add_row(levels[row.severity == "error"], *(escape(str(v)) for v in cells))
        OUT.print(table)
    OUT.print(message(lang, "clean", errors, len(problems) - errors))
    if folder is not None and (code := seal_number(folder)):
        OUT.print(message(lang, "seal", code))
    if errors:
        raise typer.Exit(DATA)
    if is_guarded(folder):
        OUT.print(message(lang, "guarded"))
        return
    _show_audit(folder, lang)


def _show_audit(folder: Path | None, lang: str) -> None:
    """Print how far sound data can carry conclusions, and the line to put under a map."""
    with watched(message(lang, "auditing")), speaking(lang):
        district = District.load(folder)
        table, said = audit(district), rests_on(district)
        shown = grid(*map(say, ("轻重", "方面", "数据核查发现")), title("哪里"), say("涉及人口"), say("怎么办"))
        for row in table.itertuples():
            people, level = amount(row.people, unknown=""), say(SEVERITIES[row.severity])
            shown.add_row(level, row.topic, escape(row.finding), escape(row.where), people, escape(row.remedy))
    OUT.print(shown)
    OUT.print(escape(said))


def import_(
    file: Annotated[
        Path, typer.Argument(help="OSM 提取文件（.osm.pbf .osm .osm.gz .osm.bz2），或只有街道的 .graphml .gpkg")
    ],
    out: Annotated[Path, typer.Option("--out", help="新的街道目录")],
    homes: Annotated[Path | None, typer.Option("--homes", help="人口表 CSV：id, lon, lat, population")] = None,
    population: Annotated[
        Path | None,
        typer.Option("--population", help="代替人口表：人口栅格 .tif（每格人数）或带人口列的面，按楼面积分到街块"),
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="街道名称")] = None,
    code: Annotated[str | None, typer.Option("--code", help="统计代码")] = None,
    crs: Annotated[
        str | None,
        typer.Option(
            "--crs", help="计算用的投影坐标系；省略为当地的平面（国内 CGCS2000 三度带，别处比例为 1 的横轴墨卡托）"
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="替换以前导入的目录")] = False,
    basis: Annotated[
        str, typer.Option("--basis", help="人口表依据什么：official、surveyed、derived …；不写记为依据未说明")
    ] = UNSTATED,
    lang: Lang = "zh",
) -> None:
    """从 OSM 提取文件建立一个街道目录。"""
    with watched(file.name) as tell, speaking(lang):
        taken = import_osm(
            file,
            out,
            homes=homes,
            population=population,
            name=name,
            code=code,
            crs=crs,
            overwrite=overwrite,
            basis=basis,
            progress=tell,
        )
    _show_taken(taken, lang)
    OUT.print(escape(message(lang, "imported", shown_path(out), shown_path(out))))


def _show_taken(taken: pd.DataFrame, lang: str) -> None:
    """Print what an import took and what it left out; two examples where something may have to be looked at, all in the folder."""
    with speaking(lang):
        table = grid(*(say(head) for head in ("图层", "内容", "取用", "未取", "原因", "例")))
        for row in taken.itertuples():
            first = str(row.examples).split(say("、"))[:2] if row.reason else []
            cells = (layer_name(str(row.Index)), row.what, row.taken, row.left_out, row.reason, say("、").join(first))
            table.add_row(*("" if v is None or str(v) == "nan" else escape(f"{v}") for v in cells))
    OUT.print(table)


def new(
    folder: Annotated[Path, typer.Argument(help="新的街道目录")],
    name: Annotated[str | None, typer.Option("--name", help="街道名称")] = None,
    streets: Annotated[
        str | None, typer.Option("--streets", help="道路：OSM 提取文件（.osm.pbf）或街道线文件；fetch 为联网下载")
    ] = None,
    boundary: Annotated[str | None, typer.Option("--boundary", help="街道界：GeoJSON、GeoPackage 的面")] = None,
    homes: Annotated[str | None, typer.Option("--homes", help="小区和人口：add 能读的文件；省略为地图上的住宅")] = None,
    facilities: Annotated[str | None, typer.Option("--facilities", help="自己的设施名录：add 能读的文件")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="文件的说明：homes.basis=official、homes.date=2026-11-01、facilities.crs=GCJ-02、facilities.checked=…；可写几次；不写就是未说明",
        ),
    ] = None,
    from_: Annotated[Path | None, typer.Option("--from", help="以上各项写在一个 .toml 里")] = None,
    crs: Annotated[
        str | None, typer.Option("--crs", help="计算用的投影坐标系；省略：国内为 CGCS2000 三度带，国外为 UTM 带")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="替换以前建立、以后没有改过的目录")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="联网下载时不再询问")] = False,
    lang: Lang = "zh",
) -> None:
    """从无到有建立一个街道目录：街道界、小区、设施用自己的，道路取自提取文件；什么都不写就一项一项问。"""
    said = {} if from_ is None else read_said(from_)
    given = {"streets": streets, "boundary": boundary, "homes": homes, "facilities": facilities}
    if from_ is None and name is None and not any(given.values()):
        name, given, set_ = _asked_for()
    said |= {key: value for key, value in (("name", name), ("crs", crs)) if value}
    said |= {part: {"file": file} for part, file in given.items() if file}
    for key, value in _pairs(set_).items():
        part, _, own = key.partition(".")
        if part not in PARTS or not own or not isinstance(said.get(part, {}), dict):
            raise SourceError(
                say(
                    "--set 写成 {0} 加一点，如 --set homes.basis=official；现在是 {1}={2}",
                    say("、").join(PARTS),
                    key,
                    value,
                )
            )
        said.setdefault(part, {})[own] = value
    if said.get("streets") == {"file": FETCH}:
        said["streets"] = {"file": str(_fetched(folder, said.get("boundary"), lang, sure=yes))}
    with watched(folder.name) as tell:
        made = new_district(folder, recipe_of(said), overwrite=overwrite, progress=tell)
    _show_taken(made.taken, lang)
    for layer, rows in made.rows.items():
        OUT.print(escape(layer_name(layer)))
        _show_added(rows, lang, guarded=False)
    _say_unanswered(said)
    OUT.print(escape(message(lang, "imported", shown_path(folder), shown_path(folder))))
    for rows in made.rows.values():
        _say_unread(rows)
    if any(asked(rows) for rows in made.rows.values()):
        raise typer.Exit(PARTLY)


#: What is asked of a file, and of what parts of a district nobody asks it: an extract says so itself.
_QUESTIONS = (
    ("basis", "  依据（official、surveyed、derived …；不知道就直接回车）"),
    ("date", "  日期（如 2026-11-01）"),
)


def _asked_for() -> tuple[str, dict[str, str | None], list[str]]:
    """Ask for each part of a new district; an empty answer leaves it out."""

    def ask(text: str) -> str:
        return str(typer.prompt(text, default="", show_default=False)).strip().strip("\"'")

    try:
        name, given, more = ask(say("街道名称")), dict[str, str | None](), list[str]()
        for part, label in PARTS.items():
            given[part] = ask(
                say(
                    "{0}的文件（{1}）",
                    say(label),
                    say(".osm.pbf，或 fetch 联网下载") if part == "streets" else say("没有就直接回车"),
                )
            )
            crs = (("crs", "  坐标系（WGS84、GCJ-02、BD-09 或 EPSG 代码）"),) if part in ("homes", "facilities") else ()
            for key, text in (*_QUESTIONS, *crs) if given[part] and part != "streets" else ():
                answer = ask(say(text))
                more += [f"{part}.{key}={answer}"] if answer else []
    except typer.Abort:
        raise SourceError(say("没有答完，什么也没有写。也可以写成选项或一个 .toml：见 new --help")) from None
    return name, given, more


def _fetched(folder: Path, boundary: object, lang: str, *, sure: bool) -> Path:
    """Download the map around a boundary, after saying what leaves this machine; return the file."""
    if not isinstance(boundary, dict) or not boundary.get("file"):
        raise SourceError(say("联网下载要有街道界（--boundary），才知道下载哪里；没有就先用 fetch --bbox"))
    box = box_to_fetch(bbox=boundary_box(Path(boundary["file"])))
    OUT.print(escape(message(lang, "leaves", ", ".join(f"{v:.2f}" for v in box), HOSTS[0])))
    if not sure and not typer.confirm(message(lang, "sure")):
        raise typer.Exit(DONE)
    with watched("…") as tell:
        return downloaded(folder, box, progress=tell)


def _say_unanswered(said: Mapping[str, Any]) -> None:
    """Name the files of which nobody has said what they rest on."""
    silent = [
        say(label)
        for part, label in PARTS.items()
        if part != "streets" and said.get(part) and "basis" not in said[part]
    ]
    if silent:
        ERR.print(
            say("没有说明依据，记为“依据未说明”：{0}。知道就写 --set homes.basis=official …", say("、").join(silent))
        )


def split_(
    extract: Annotated[Path, typer.Argument(help="全市 OSM 提取文件：.osm.pbf")],
    districts: Annotated[Path, typer.Option("--districts", help="街道界：GeoJSON 或 GeoPackage 的面")],
    code: Annotated[str, typer.Option("--code", help="代码列（街道按代码识别）")],
    out: Annotated[Path, typer.Option("--out", help="放各街道目录的文件夹")],
    name: Annotated[str | None, typer.Option("--name", help="名称列")] = None,
    margin: Annotated[float, typer.Option("--margin", help="界外多取多少米的街道和设施")] = 1500.0,
    homes: Annotated[Path | None, typer.Option("--homes", help="全市人口表 CSV：id, lon, lat, people")] = None,
    crs: Annotated[str | None, typer.Option("--crs", help="计算用的投影坐标系；省略为各街道当地的平面")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="替换以前切分的结果")] = False,
    basis: Annotated[
        str, typer.Option("--basis", help="街道界和人口表依据什么：official、surveyed、derived …；不写记为依据未说明")
    ] = UNSTATED,
    lang: Lang = "zh",
) -> None:
    """把一座城市的 OSM 提取文件切成各街道的目录（按代码，每个街道带界外一段步行距离）。"""
    with watched(extract.name) as tell:
        made = split(
            extract,
            Division(districts, code, name, margin, crs, basis),
            out,
            homes=homes,
            overwrite=overwrite,
            progress=tell,
        )
    shown = grid(*map(title, ("代码", "名称", "居住点", "人口", "道路", "设施", "说明")))
    noted = made[(made["status"] == "failed") | (made["note"] != "")]
    for row in (made if len(made) <= 40 else noted.head(40)).itertuples():
        people = amount(row.people, unknown="")
        cells = (row.Index, row.name, f"{row.homes:,}", people, f"{row.streets:,}", f"{row.facilities:,}", row.note)
        shown.add_row(*(escape(str(cell)) for cell in cells))
    OUT.print(shown)
    failed = int((made["status"] == "failed").sum())
    if (out / LEFT_OUT).exists():
        OUT.print(escape(message(lang, "homes_left", shown_path(out / LEFT_OUT))))
    OUT.print(escape(message(lang, "was_split", len(made) - failed, failed, shown_path(out / CATALOGUE))))
    if basis == UNSTATED:
        ERR.print(say("没有说明街道界和人口表的依据：记为“依据未说明”。知道就写 --basis official、surveyed …"))
    if failed:
        raise typer.Exit(PARTLY)


def ways(
    file: Annotated[Path, typer.Argument(help="import 能读的文件")],
    walk_filter: Annotated[Path | None, typer.Option("--filter", help="自己的 walk_filter.toml")] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="逐条写到 CSV")] = None,
    lang: Lang = "zh",
) -> None:
    """列出不能步行的道路和原因（步行规则在 network/walk_filter.toml，可以改）。"""
    refuse_uncleared({}, "列出道路")  # of what is typed
    with watched(file.name):
        table = left_out(file, walk_filter=walk_filter)
    shown = grid(*map(title, ("原因", "条数", "例")))
    for reason, rows in table.groupby("reason", sort=False):
        examples = [f"{way}{'' if name is None else f' {name}'}" for way, name in rows["name"].head(6).items()]
        shown.add_row(escape(word(str(reason))), str(len(rows)), escape(say("、").join(examples)))
    OUT.print(shown)
    OUT.print(say("共 {0} 条道路不计入步行网", len(table)))
    if csv is not None:
        with replacing(lang, csv):
            write_text(csv, csv_text(table), mark=True)
        OUT.print(escape(shown_path(csv)))


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
    if for_ is not None:
        refuse_leaving(secrecy_of(for_), "联网下载；请在外网机上用 --bbox 另行下载")
    box = box_to_fetch(
        bbox=None if bbox is None else _numbers(bbox), district=None if for_ is None else District.load(for_)
    )
    OUT.print(escape(message(lang, "leaves", ", ".join(f"{v:.2f}" for v in box), (host or HOSTS)[0])))
    if not yes and not typer.confirm(message(lang, "sure")):
        raise typer.Exit(DONE)
    with watched("…") as tell:
        fetch_osm(out, box, hosts=host or HOSTS, homes=homes, progress=tell)
    OUT.print(escape(message(lang, "imported", shown_path(out), shown_path(out))))


def _numbers(text: str) -> list[float]:
    """Return comma-separated numbers; anything else is a wrong command line."""
    try:
        values = [float(part) for part in text.replace("，", ",").split(",")]
    except ValueError:
        raise SourceError(say("不是四个数：{0}。写法：--bbox 117.60,39.00,117.75,39.12", text)) from None
    if not np.isfinite(values).all():
        raise SourceError(say("不是有限的数：{0}。写法：--bbox 117.60,39.00,117.75,39.12", text))
    return values


def template(
    out: Annotated[Path, typer.Option("--out", help="写到哪个 .xlsx 文件")] = Path("模板.xlsx"),
    folder: Annotated[Path | None, typer.Option("--for", help="街道目录：下拉选项用它的类别表")] = None,
    blanks: Annotated[
        bool,
        typer.Option("--blanks", help="不写模板，写目录里还缺什么：面积、床位、状态、服务社区、人口；填好用 add 导入"),
    ] = False,
    lang: Lang = "zh",
) -> None:
    """写一个可以填的 Excel 模板：每个图层一张表，中文表头、单位、下拉选项、示例行。"""
    if blanks:
        if folder is None:
            raise SourceError(say("--blanks 要知道是哪个目录：加 --for 街道目录"))
        with replacing(lang, out):
            missing = write_blanks(out, folder)
        shown = grid(*map(title, ("图层", "列", "没有值的")))
        for name, n in missing.items():
            layer, _, column = name.partition(".")
            shown.add_row(layer_name(layer), column_name(layer, column), say("{0:,} 处", n))
        OUT.print(shown)
        OUT.print(escape(message(lang, "done", shown_path(out))))
        return
    saved(lang, out, lambda path: write_template(path, folder))


def add(
    file: Annotated[Path, typer.Argument(help=" ".join(FORMATS))],
    to: Annotated[Path, typer.Option("--to", help="街道目录")],
    layer: Annotated[str, typer.Option("--layer", help="图层，如 facilities、homes、gates")],
    crs: Annotated[
        str | None, typer.Option("--crs", help="坐标系：EPSG:4326、WGS84、GCJ-02、BD-09 …（有坐标时必写）")
    ] = None,
    sheet: Annotated[str | None, typer.Option("--sheet", help="Excel 的哪一张表，或 GIS 文件的哪个图层")] = None,
    dxf_layer: Annotated[list[str] | None, typer.Option("--dxf-layer", help="读哪些 CAD 图层，可写几次")] = None,
    key: Annotated[str | None, typer.Option("--key", help="哪一列是编号")] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="文件里没有的行从图层里去掉（设施只去掉文件里有的类别）")
    ] = False,
    basis: Annotated[
        str, typer.Option("--basis", help="新的位置依据什么：surveyed、official、osm、derived …；不写记为依据未说明")
    ] = UNSTATED,
    new: Annotated[
        list[str] | None, typer.Option("--new", help="这些行是新增的：行号或编号，all 为全部对不上的；可写几次")
    ] = None,
    update: Annotated[
        list[str] | None, typer.Option("--update", help="这些行更新目录里相像的行；5=H03 为第 5 行就是 H03；可写几次")
    ] = None,
    skip: Annotated[list[str] | None, typer.Option("--skip", help="这些行不要；可写几次")] = None,
    decide: Annotated[
        Path | None,
        typer.Option(
            "--decide", help="决定表（.xlsx）：没有就写出，每行一个建议，旁边一页对照图；改好再运行一次照它办"
        ),
    ] = None,
    sure: Annotated[bool, typer.Option("--sure", help="人口合计变化超过 5% 也写入")] = False,
    report_to: Annotated[Path | None, typer.Option("--report", help="逐行的结果另写一份 CSV")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="整张表都一样的列，如 类别=社区食堂；可写几次")
    ] = None,
    control: Annotated[Path | None, typer.Option("--control", help="CAD 自有坐标：控制点表 CSV")] = None,
    affine: Annotated[bool, typer.Option("--affine", help="控制点用六参数（扫描的图）")] = False,
    repair: Annotated[bool, typer.Option("--repair", help="修复自相交的面，逐个列出")] = False,
    place: Annotated[Path | None, typer.Option("--place", help="没有坐标的行：写一页地图（.html），在上面放")] = None,
    values: Annotated[
        Path | None, typer.Option("--values", help="不认识的类别和状态：写出对照表（.csv），填好再导入一次，目录会记住")
    ] = None,
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
    if report_to is not None:
        refuse_uncleared(secrecy_of(to), "另写逐行的结果")
    waiting = decide is not None and not decide.exists()

    def taken(sure: bool) -> pd.DataFrame:
        with watched(file.name):
            return add_rows(
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
                values=values,
                datum_checked=datum_checked,
                basis=basis,
                new=new or (),
                update=update or (),
                skip=skip or (),
                sure=sure,
                decide=decide,
            )

    try:
        report_ = _sure_of_people(taken, sure)
    except (SourceError, DataError) as error:
        if isinstance(error, SourceError):
            _keep_page(error, file)
        elif place is not None and place.is_file():
            ERR.print(escape(say("没有坐标的行可以在 {0} 上放，存下的表再用 add 导入。", shown_path(place))))
        raise
    if place is not None and place.is_file():
        OUT.print(escape(message(lang, "done", shown_path(place))))
    if values is not None and values.is_file():
        OUT.print(escape(message(lang, "done", shown_path(values))))
    if report_to is not None:
        write_text(report_to, csv_text(report_), mark=True)
        OUT.print(escape(shown_path(report_to)))
    _show_added(report_, lang, guarded=is_guarded(to))
    for row in report_[report_["column"] == say(UNPROVEN)].itertuples():
        ERR.print(escape(say("注意：{0}。{1}", row.reason, row.remedy)))
    _say_written(report_, lang, decide, waiting=waiting, yes=yes, takes_away=replace)
    if not is_guarded(to):
        _say_unread(report_)
    if report_["result"].isin(["refused", "unclear"]).any():
        raise typer.Exit(PARTLY)


def update(
    file: Annotated[Path, typer.Argument(help="这一年的名录（add 能读的文件）")],
    to: Annotated[Path, typer.Option("--to", help="街道目录")],
    kind: Annotated[str, typer.Option("--kind", help="设施类别（如 pharmacy、药店），或大类")],
    year: Annotated[
        int, typer.Option("--year", help="哪一年的名录：不早于数据年份，也不晚于它和今年两年以上", min=1900, max=2200)
    ],
    crs: Annotated[str | None, typer.Option("--crs", help="坐标系：EPSG:4326、WGS84、GCJ-02、BD-09 …")] = None,
    sheet: Annotated[str | None, typer.Option("--sheet", help="Excel 的哪一张表，或 GIS 文件的哪个图层")] = None,
    key: Annotated[str | None, typer.Option("--key", help="哪一列是编号")] = None,
    basis: Annotated[str, typer.Option("--basis", help="新的位置依据什么；不写记为依据未说明")] = UNSTATED,
    new: Annotated[list[str] | None, typer.Option("--new", help="这些行是新开的：行号或编号，all 为全部")] = None,
    update_: Annotated[list[str] | None, typer.Option("--update", help="5=H03：第 5 行就是 H03；可写几次")] = None,
    skip: Annotated[list[str] | None, typer.Option("--skip", help="这些行不要；可写几次")] = None,
    decide: Annotated[
        Path | None,
        typer.Option(
            "--decide", help="决定表（.xlsx）：没有就写出，每行一个建议，旁边一页对照图；改好再运行一次照它办"
        ),
    ] = None,
    values: Annotated[Path | None, typer.Option("--values", help="不认识的类别和状态写到哪张对照表（见 add）")] = None,
    datum_checked: Annotated[str, typer.Option("--datum-checked", help="坐标基准怎么核对的（见 add）")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="写入；不写则只列出会改什么")] = False,
    sure: Annotated[bool, typer.Option("--sure", help="年份确实比数据年份早，或晚很多")] = False,
    lang: Lang = "zh",
) -> None:
    """一类设施今年的名录：新开、停用、搬迁、改名、规划的已开；只动这一类，停用的行保留，以前各年不变。"""
    wishes = Wishes(tuple(new or ()), tuple(update_ or ()), tuple(skip or ()))
    request = Request(
        Coordinates(crs, checked=datum_checked),
        basis,
        sheet,
        key,
        values=values,
        wishes=wishes,
        decide=decide,
        sure=sure,
    )
    waiting = decide is not None and not decide.exists()
    with watched(file.name):
        try:
            rows = update_list(file, to, kind=kind, year=year, request=request, apply=yes)
        except SourceError as error:
            _keep_page(error, file)
            raise
    _show_added(rows, lang, guarded=is_guarded(to))
    _say_written(rows, lang, decide, waiting=waiting, yes=yes)
    if asked(rows):
        raise typer.Exit(PARTLY)


def _sure_of_people(taken: Callable[[bool], pd.DataFrame], sure: bool) -> pd.DataFrame:
    """Take a file; where the number of people jumps, ask whoever sits at the screen, and let the refusal be where nobody does."""
    try:
        return taken(sure)
    except PeopleJump as jump:
        if not sys.stdin.isatty():
            raise
        ERR.print(escape(str(jump)))
        if not typer.confirm(say("人口确实这样变，写入？")):
            raise
        return taken(True)


def _say_written(
    rows: pd.DataFrame, lang: str, decide: Path | None, *, waiting: bool, yes: bool, takes_away: bool = False
) -> None:
    """Say whether anything was written, and what to do next where decisions wait; `takes_away`: what a file lacks goes."""
    if waiting and decide is not None and decide.is_file():
        OUT.print(escape(message(lang, "decide", shown_path(decide), shown_path(decide.with_suffix(".html")))))
        return
    if decide is None and (rows["result"] == "unclear").any():
        OUT.print(message(lang, "to_decide"))
    OUT.print(
        message(
            lang, "nothing_applied" if _nothing_in(rows) and not takes_away else "applied" if yes else "not_applied"
        )
    )


def _nothing_in(rows: pd.DataFrame) -> bool:
    """Return whether a file changes nothing, because not one of its rows could be taken; what it lacks stays where it is then."""
    counts = tally(rows)
    return counts["taken"] == 0 < counts["refused"] + counts["unclear"] and not counts["closed"]


#: How many lines of a report a screen shows, and how many of what the file does not have and stays are named.
_SHOWN, _NAMED = 60, 5


def _show_added(report_: pd.DataFrame, lang: str, *, guarded: bool) -> None:
    """Print what becomes of each row, what asks for an answer first, then what is said of the file; the whole is in the report."""
    asks = report_["result"].isin(["unclear", "refused"])
    many = len(report_) > _SHOWN
    stays = kept_rows(report_)
    notes = report_[(report_["result"] == "note") & report_["row"].isna()]
    told = report_[report_["result"] != "unchanged"].drop(index=[*stays.index, *notes.index])
    told = pd.concat([told[asks[told.index]], told[~asks[told.index]]]) if many else told
    lines = told.head(_SHOWN)[["row", "key", "result", "column", "value", "reason", "remedy"]].astype("object")
    lines["result"] = [say(RESULT_LABELS[r]) for r in lines["result"]]
    lines = lines.where(lines.notna(), "").astype(str)
    if guarded:
        lines[["key", "value", "reason", "remedy"]] = ""
    lines = lines.set_axis([*map(title, ("行", "编号", "结果", "列", "值", "原因", "怎么办"))], axis=1)
    lines = lines.loc[:, (lines != "").any()]
    shown = grid(*lines.columns)
    for cells in lines.itertuples(index=False):
        shown.add_row(*map(escape, cells))
    if len(lines):
        OUT.print(shown)
    if guarded:
        OUT.print(message(lang, "guarded"))
    else:
        _say_of_file(stays, notes[notes["column"] != say(PEOPLE_COLUMN)])
    words = {**RESULT_LABELS, "rows": "共读到", "taken": "取用", "reported": "未取（原因如上）"}
    counts = {"dropped": "{0} {1:,} 处", "note": "{0} {1:,} 条", "closed": "{0} {1:,} 处"}
    said = [say(counts.get(name, "{0} {1:,} 行"), say(words[name]), n) for name, n in tally(report_).items() if n]
    OUT.print(escape(say("，").join(said)))
    people = report_[(report_["column"] == say(PEOPLE_COLUMN)) & (report_["result"] == "note")]
    for reason in () if guarded else people.loc[people["value"] == "", "reason"]:
        OUT.print(escape(reason))


def _say_unread(report_: pd.DataFrame) -> None:
    """Print last of all which columns look like numbers of people and were not read, where nobody knows any."""
    unread = report_[
        (report_["column"] == say(PEOPLE_COLUMN)) & (report_["result"] == "note") & (report_["value"] != "")
    ]
    for reason in unread["reason"]:
        ERR.print(escape(say("注意：{0}", reason)))


def _say_of_file(stays: pd.DataFrame, notes: pd.DataFrame) -> None:
    """Print which rows of the folder the file does not have and leave as they are, and what is said of the file as a whole."""
    if len(stays):
        names = [str(row.value or row.key) for row in stays.head(_NAMED).itertuples()]
        more = say(" 等") if len(stays) > _NAMED else ""
        OUT.print(escape(say("目录里有、文件里没有的 {0:,} 行都保留：{1}{2}", len(stays), say("、").join(names), more)))
    for row in notes.itertuples():
        said = say("。").join(text for text in (str(row.reason), str(row.value), str(row.remedy)) if text)
        OUT.print(escape(say("{0}：{1}", row.column, said) if row.column else said))


def _pairs(said: list[str] | None) -> dict[str, str]:
    """Return `column=value` pairs; anything else is a wrong command line."""
    pairs = [text.partition("=") for text in said or ()]
    for column, equals, value in pairs:
        if not (column.strip() and equals and value.strip()):
            raise SourceError(say("--set 写成 列=值，如 --set 类别=社区食堂；现在是 {0}{1}{2}", column, equals, value))
    return {column.strip(): value.strip() for column, _, value in pairs}


def _keep_page(error: SourceError, file: Path) -> None:
    """Write the page of what was measured beside the file it is about; say where."""
    if error.page:
        page = file.with_name(f"{file.stem}-坐标核对.html")
        try:
            write_text(page, error.page)
        except OSError:
            return
        ERR.print(escape(say("每种假设的残差和地图：{0}", shown_path(page))))


def seal(
    folder: Annotated[Path, typer.Argument(help="街道目录")],
    again: Annotated[bool, typer.Option("--again", help="封存以后改过的，核对以后重新封存")] = False,
    lang: Lang = "zh",
) -> None:
    """封存街道目录：记下每个文件的校验值；以后哪怕改了一个字节，check 都在读它之前指出是哪个文件。"""
    OUT.print(message(lang, "sealed", seal_folder(folder, again=again)))


def undo(
    folder: Annotated[Path, typer.Argument(help="街道目录")],
    trust: Annotated[
        bool, typer.Option("--trust", help="目录是拷来、挪来或别人给的，也照它自己的记录撤销（先核对内容）")
    ] = False,
    lang: Lang = "zh",
) -> None:
    """撤销最近一次 add 或 rules import：街道目录逐字节回到之前。"""
    with speaking(lang):
        words = {"restored": say("已恢复"), "removed": say("已移除")}
        for row in undo_last(folder, trust=trust).reset_index().itertuples(index=False):
            OUT.print(escape(say("　").join((str(row.file), words.get(str(row.what), str(row.what))))))
    OUT.print(message(lang, "undone"))
