"""Commands that look for the best place: of new facilities, of gates and passages."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import geopandas as gpd
import pandas as pd
import typer
from rich.markup import escape

from ...core import SitingError, amount, named_by_homes, per_cent, say, speaking, title
from ...district import District
from ...maps import DEMONSTRATION_TEXT
from ...report import read_shapes, write_choice, write_links, write_scenario, write_table
from ...siting import Openings, Siting, fixes, judged_by, link_pairs, links, links_plan, sites_plan
from ...siting import sites as find_sites
from .console import OUT, Lang, grid, message, opened, saved, shown_path, watched


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
    rooms: Annotated[bool, typer.Option("--rooms", help="只在存量用房（rooms 图层）里选")] = False,
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
        bool, typer.Option("--leave-out", help="服务范围外的小区留下并列出，而不是拒绝（lscp、p_median、p_center）")
    ] = False,
    assume_complete: Annotated[
        bool, typer.Option("--assume-complete", help="类别只取自地图时：假定图上的就是全部，结果会注明")
    ] = False,
    csv: Annotated[Path | None, typer.Option("--csv", help="另存为 CSV 或 .xlsx")] = None,
    toml: Annotated[Path | None, typer.Option("--toml", help="把最好的方案存成方案文件")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="写出选址比选页、表格和各方案的文件夹")] = None,
    lang: Lang = "zh",
) -> None:
    """选址：增加 n 处，新增覆盖最多；证明最优，并列出相近的方案。Ctrl-C 取目前最好的方案。"""
    with watched(message(lang, "solving")) as tell, speaking(lang):
        district = opened(folder, "列出选址")
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
        named = "rooms" if rooms else "streets" if streets else None
        given = named if layer is None or named else _labelled(read_shapes(layer))
        found = find_sites(
            district,
            kind,
            None if model == "lscp" else n,
            siting=asked,
            candidates=given,
            profile=profile,
            each=True,
            assume_complete=assume_complete,
            progress=tell,
        )
        roomy = _in_rooms(district, kind, n, asked, profile) if given is None and len(found) else ""
        if out is not None and len(found):
            write_choice(district, found, out, siting=asked, profile=profile, progress=tell)
        table = found.drop(columns=["plan", "may_stand"]).reset_index()  # a zone is no cell of a table
    with speaking(lang):
        if table.empty:
            OUT.print(say("现在已经全部够得着，不需要新增"))
            return
        if roomy:
            OUT.print(escape(roomy))
        _show_sites(table, lang)
        if district.is_demonstration:
            OUT.print(say(DEMONSTRATION_TEXT))
        saved(lang, csv, lambda path: write_table(path, district, "选址", _with_lonlat(table)))
        saved(lang, toml, lambda path: write_scenario(path, sites_plan(found, name=path.stem), district))
        if out is not None:
            OUT.print(escape(message(lang, "done", shown_path(out / f"sites-{table['kind'].iloc[0]}.html"))))


def _in_rooms(district: District, kind: str, n: int, asked: Siting, profile: str | None) -> str:
    """Say what rooms that are there would do, before land is looked at; nothing where there are none for the kind."""
    if "rooms" not in district.rows:
        return ""
    try:
        best = find_sites(district, kind, n, siting=replace(asked, plans=1), candidates="rooms", profile=profile)
    except SitingError:  # fewer rooms than asked for, or none that reaches anybody
        return ""
    people = amount(best["people_cumulative"].iloc[-1] if len(best) else 0.0, unknown=say("不详"))
    where = say("、").join(map(str, best["name"]))
    return say("先看存量用房：{0}，新增居民 {1} 人；下面是连同街边、空地、地块一起比的结果", where, people)


def _show_sites(table: pd.DataFrame, lang: str) -> None:
    """Print the plans of a siting, how sure they are, and whom they leave out."""
    columns = ("图上编号", "位置", "新增居民", "其中60岁及以上", "实施前", "实施后", "候选点")
    shown = grid(*map(title, columns), title=escape(str(table["label"].iloc[0])))
    before = table["share_after"].shift().where(table["rank"] > 1, table["share_before"])
    for row in table.assign(share_before=before).itertuples():
        shown.add_row(
            str(row.tag),
            escape(str(row.name)),
            *(amount(v, unknown=say("不详")) for v in (row.people_gained, row.people_60plus_gained)),
            *(per_cent(v, unknown=say("不详")) for v in (row.share_before, row.share_after)),
            escape(str(row.site)),
        )
    OUT.print(shown)
    for row in table.itertuples():
        OUT.print(escape(f"{row.tag} {row.reason}"))
    proven = bool(table["proven"].all())
    OUT.print(message(lang, "proven" if proven else "not_proven", per_cent(float(table["gap"].max()), 2)))
    OUT.print(escape(str(table["near_ties"].iloc[0])))
    if table["left_out"].iloc[0]:
        OUT.print(escape(str(table["left_out"].iloc[0])))


def _labelled(points: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return places of a file under their own ids (a column `site` or `id`), else numbered p001, p002 …"""
    for column in ("site", "id"):
        if column in points.columns:
            return points.set_index(points[column].astype("str"))
    return points.set_index([f"p{i + 1:03d}" for i in range(len(points))])


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
    assume_complete: Annotated[
        bool, typer.Option("--assume-complete", help="类别只取自地图时：假定图上的就是全部，结果会注明")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="写出一页：开哪里，每个小区为什么在服务范围外、怎样才够得着")
    ] = None,
    lang: Lang = "zh",
) -> None:
    """增开出入口效果：只开一处出入口、过街、桥或断头路，哪一处让最多的人够得着。"""
    with watched(message(lang, "loading")) as tell, speaking(lang):
        district = opened(folder, "列出增开通道")
        given = Openings(None if layer is None else read_shapes(layer), assume_complete=assume_complete)
        table = links(district, rule, n=n, weight=weight, openings=given, progress=tell)
        both = None
        if pairs or out is not None:
            both = link_pairs(district, rule, weight=weight, openings=given, progress=tell)
        if both is not None and out is not None:
            write_links(district, rule, table, both, out, progress=tell)
        places = fixes(district, rule) if gaps else None
    with speaking(lang):
        _show_openings(table, none=say("没有一处单独的通道能让更多人够得着，或少走路"))
        if both is not None and pairs:
            _show_openings(both, heading=say("两处一起开"), none=say("没有两处一起开能让更多人够得着，或少走路"))
        if places is not None:
            _show_fixes(district, places)
        if district.is_demonstration:
            OUT.print(say(DEMONSTRATION_TEXT))
        # by longitude and latitude of their middles: a line is no cell
        middles = table.reset_index().drop(columns="edit").assign(geometry=table.geometry.centroid.array)
        saved(lang, csv, lambda path: write_table(path, district, "增开通道", _with_lonlat(middles)))
        if len(table):
            saved(lang, toml, lambda path: write_scenario(path, links_plan(table, name=path.stem), district))
        if out is not None:
            page = f"links-{judged_by(district, rule)[1].name}.html"
            OUT.print(escape(message(lang, "done", shown_path(out / page))))


def _show_openings(table: pd.DataFrame, *, heading: str | None = None, none: str) -> None:
    """Print a table of openings, or of pairs of them, and below it what each of them is."""
    kinds = "kind_label" in table.columns
    columns = ("新增可达", "其中60岁及以上", "共省（人·分钟）", "实施后")
    shown = grid(*map(title, ("序", *(("种类",) if kinds else ()), *columns)), title=heading)
    for row in table.itertuples():
        shown.add_row(
            str(row.Index),
            *((row.kind_label,) if kinds else ()),
            *(amount(v, unknown=say("不详")) for v in (row.people_gained, row.people_60plus_gained, row.minutes_saved)),
            per_cent(row.share_after, unknown=say("不详")),
        )
    OUT.print(shown if len(table) else none)
    for row in table.itertuples():
        OUT.print(escape(f"{row.Index} {row.text}"))


@named_by_homes
def _show_fixes(_district: District, places: pd.DataFrame) -> None:
    """Print home by home the parts of its walk, and what would bring it inside."""
    heads = ("小区", "不可达", "分钟", "到出入口", "等候", "沿街", "怎样才够得着")
    shown = grid(*map(title, heads))
    for row in places.itertuples():
        minutes = (row.minutes, row.gate_minutes, row.wait_minutes, row.street_minutes)
        shown.add_row(
            escape(str(row.name)),
            amount(row.unserved, unknown=say("不详")),
            *(amount(v, 1, unknown="—") for v in minutes),
            escape(row.fix),
        )
    OUT.print(shown)


def _with_lonlat(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of points with longitude and latitude in place of the geometry."""
    lonlat = gpd.GeoSeries(table["geometry"]).to_crs("EPSG:4326")
    return table.drop(columns="geometry").assign(lon=lonlat.x.round(7), lat=lonlat.y.round(7))
