"""Commands that draw: sheets, atlas, maps, the public edition, slides, Word, CAD."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Protocol

import typer
from rich.markup import escape

from ...core import UnknownNameError, say, speaking, title
from ...district import District, place_title
from ...io import drawing_of
from ...maps import PRESETS, Tiles, of_district, themes
from ...report import Asked, Change, Comparison, sides_of, write_geopackage
from ...siting import sites as find_sites
from .console import (
    OUT,
    Against,
    Lang,
    Plan,
    Ranges,
    WithConflicts,
    Year,
    ending,
    grid,
    message,
    opened,
    replacing,
    saved,
    shown_path,
    watched,
)


def one_sheet(
    theme: Annotated[
        str, typer.Argument(help="overview | completeness | gaps | 规则名 | 地块；list 列出全部")
    ] = "overview",
    folder: Annotated[Path | None, typer.Argument(help="街道目录；省略为随程序的演示街道")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="写到哪个 .pdf 或 .png 文件；没有后缀则两种都写")] = None,
    size: Annotated[str, typer.Option("--size", help="A3 | A4")] = "A3",
    straight: Annotated[bool, typer.Option("--straight", help="与直线半径对照")] = False,
    public: Annotated[
        bool, typer.Option("--public", help="公开版：不画行政界线，小于 10 的数不显示，留审图号")
    ] = False,
    number: Annotated[str, typer.Option("--number", help="图号")] = "",
    date: Annotated[str, typer.Option("--date", help="地块图图签上的日期，照写的印")] = "",
    plan: Plan = None,
    against: Against = None,
    year: Year = None,
    with_conflicts: WithConflicts = False,
    lang: Lang = "zh",
) -> None:
    """一张图一页：现状总图、某条规则的结论图、缺口图、配套齐全度、更新地块图，A3 或 A4 的 PDF 和 PNG。"""
    from ...report.paper import Format, file_name, parcel_asked, parcel_sheet, sheet

    with watched(message(lang, "loading")) as tell:
        sides = sides_of(opened(folder, "写出图纸"), Asked(plan, against, year, with_conflicts))
        district = sides.district
        known = themes(district, lang)
        if theme == "list":
            with speaking(lang):
                shown = grid(say("图"), say("图名"))
            for name, title in known.items():
                shown.add_row(escape(str(name)), escape(str(title)))
            OUT.print(shown)
            return
        tell(message(lang, "drawing"))
        to = out or Path(file_name(f"{place_title(district, lang)}-{known.get(theme, theme)}") + ".pdf")
        show = "straight" if straight else "minutes"
        before = set(to.parent.glob("*"))
        if parcel := parcel_asked(district, theme):
            form = Format(size, lang, public, "", number, date)
            written = parcel_sheet(district, parcel, to, form=form, against=sides.against)
        else:
            written = sheet(
                district,
                theme,
                to,
                size=size,
                show=show,
                public=public,
                number=number,
                lang=lang,
                against=sides.against,
            )
    for path in written:
        if path in before:
            OUT.print(escape(message(lang, "replaced", shown_path(path))))
        OUT.print(escape(message(lang, "done", shown_path(path))))


def make_atlas(
    folder: Annotated[Path | None, typer.Argument(help="街道目录；省略为随程序的演示街道")] = None,
    out: Annotated[Path, typer.Option("--out", help="输出目录")] = Path("output"),
    size: Annotated[str, typer.Option("--size", help="A3 | A4")] = "A3",
    figures: Annotated[bool, typer.Option("--figures", help="每页另存一张 300 dpi 的 PNG（figures/）")] = False,
    preset: Annotated[str, typer.Option("--preset", help="plan | td1063 | elderly")] = "plan",
    plan: Plan = None,
    against: Against = None,
    year: Year = None,
    with_conflicts: WithConflicts = False,
    lang: Lang = "zh",
) -> None:
    """图册：现状、缺口、每项目标各一页，再每个社区一页（一社区一图一表），合成一个 PDF。"""
    from ...report.paper import Format, atlas

    with watched(message(lang, "loading")) as tell:
        sides = sides_of(opened(folder, "写出图册"), Asked(plan, against, year, with_conflicts))
        written = atlas(
            sides.district,
            out,
            form=Format(size, lang),
            figures=figures,
            preset=preset,
            against=sides.against,
            progress=tell,
        )
    OUT.print(escape(message(lang, "done", shown_path(written[0]))))
    if len(written) > 1:
        OUT.print(escape(message(lang, "pictures", len(written) - 1, shown_path(written[1].parent))))


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
    scenario: Annotated[str | None, typer.Option("--scenario", help="difference、swipe 的方案；与 --plan 相同")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="写到哪个 .html 或 .svg 文件")] = None,
    tiles: Annotated[
        str | None, typer.Option("--tiles", help="在线底图：tianditu | tianditu-image（要联网，只用于现状和规则图）")
    ] = None,
    key: Annotated[str, typer.Option("--key", help="自己申请的天地图密钥")] = "",
    plan: Plan = None,
    against: Against = None,
    year: Year = None,
    with_conflicts: WithConflicts = False,
    lang: Lang = "zh",
) -> None:
    """画一张图：一个断网也能打开的 HTML，或一张 SVG。"""
    with watched(message(lang, "loading")) as tell:
        own = scenario if plan is None and what in ("difference", "swipe") else plan
        sides = sides_of(opened(folder, "写出地图"), Asked(own, against, year, with_conflicts))
        tell(message(lang, "drawing"))
        lie_on = Tiles(tiles, key) if tiles else None
        drawn = of_district(sides.district, what, rule=rule, against=sides.against, tiles=lie_on, lang=lang)
        to = out or Path(f"{what}{'-' + rule if rule else ''}.html")
        saved(lang, to, drawn.write)


def public_edition(
    folder: Annotated[Path | None, typer.Argument(help="街道目录；省略为随程序的演示街道")] = None,
    out: Annotated[Path, typer.Option("--out", help="输出目录")] = Path("public"),
    rule: Annotated[list[str] | None, typer.Option("--rule", help="出哪些规则的图，可重复；省略为规划目标的")] = None,
    size: Annotated[str, typer.Option("--size", help="A3 | A4")] = "A3",
    approval: Annotated[str, typer.Option("--approval", help="审图号")] = "",
    number: Annotated[str, typer.Option("--number", help="图号")] = "",
    contact: Annotated[str, typer.Option("--contact", help="审图咨询电话")] = "",
    lang: Lang = "zh",
) -> None:
    """公开版：只有图片（PDF、PNG、一页 HTML），不画行政界线，小数不显示；界线为示意时拒绝。"""
    from ...report.paper import missing_on_sheets, public

    with watched(message(lang, "loading")) as tell:
        district = District.load(folder)
        written = public(
            district,
            out,
            rules=rule or None,
            size=size,
            approval=approval,
            number=number,
            contact=contact,
            progress=tell,
        )
    missing = missing_on_sheets(district, approval=approval, number=number)
    if missing:
        with speaking(lang):
            left = say("、").join(map(title, missing))
        OUT.print(escape(message(lang, "before_review", left)))
    OUT.print(escape(message(lang, "done", shown_path(written[0]))))


def make_slides(
    folder: Annotated[Path | None, typer.Argument(help="街道目录；省略为随程序的演示街道")] = None,
    out: Annotated[Path, typer.Option("--out", help="写到哪个 .pptx 文件")] = Path("汇报.pptx"),
    preset: Annotated[str, typer.Option("--preset", help="plan | td1063 | elderly")] = "plan",
    plan: Plan = None,
    against: Against = None,
    year: Year = None,
    with_conflicts: WithConflicts = False,
    ranges: Ranges = False,
    lang: Lang = "zh",
) -> None:
    """汇报幻灯片（16:9）：一页一个结论，配图、数字和可编辑的图表，备注写明依据。"""
    from ...report.paper import write_slides

    write = partial(write_slides, to=ending(out, ".pptx"), preset=_preset(preset), ranges=ranges)
    _write_document(write, folder, Asked(plan, against, year, with_conflicts), out, lang)


def make_word(
    folder: Annotated[Path | None, typer.Argument(help="街道目录；省略为随程序的演示街道")] = None,
    out: Annotated[Path, typer.Option("--out", help="写到哪个 .docx 文件")] = Path("汇报.docx"),
    preset: Annotated[str, typer.Option("--preset", help="plan | td1063 | elderly")] = "plan",
    request: Annotated[bool, typer.Option("--request", help="写成请示（代拟稿），一文一事")] = False,
    plan: Plan = None,
    against: Against = None,
    year: Year = None,
    with_conflicts: WithConflicts = False,
    ranges: Ranges = False,
    lang: Lang = "zh",
) -> None:
    """Word 情况报告（公文格式，三至五页，附表在后）：方案前后、总体情况、短板、建议、依据；或请示的代拟稿。"""
    from ...report.paper import left_to_type, write_brief

    write = partial(write_brief, to=ending(out, ".docx"), preset=_preset(preset), ranges=ranges, request=request)
    _write_document(write, folder, Asked(plan, against, year, with_conflicts), out, lang)
    with speaking(lang):
        OUT.print(escape(left_to_type(request=request)))


class _Writer(Protocol):
    """What writes a document about a district, and returns where it is."""

    def __call__(self, district: District, /, *, against: District | None, progress: Callable[[str], None]) -> Path: ...


def _preset(preset: str) -> str:
    if preset not in PRESETS:
        raise UnknownNameError("口径预设", preset, list(PRESETS))
    return preset


def _write_document(write: _Writer, folder: Path | None, asked: Asked, out: Path, lang: str) -> None:
    with speaking(lang), watched(message(lang, "loading")) as tell:
        sides = sides_of(opened(folder, "写出汇报"), asked)
        with replacing(lang, out):
            path = write(sides.district, against=sides.against, progress=tell)
    OUT.print(escape(message(lang, "done", shown_path(path))))


def gpkg(
    folder: Annotated[Path | None, typer.Argument(help="街道目录；省略为随程序的演示街道")] = None,
    out: Annotated[Path, typer.Option("--out", help="写到哪个 .gpkg 文件")] = Path("街道.gpkg"),
    preset: Annotated[str, typer.Option("--preset", help="plan | td1063 | elderly")] = "plan",
    plan: Plan = None,
    against: Against = None,
    year: Year = None,
    with_conflicts: WithConflicts = False,
    lang: Lang = "zh",
) -> None:
    """单写一个 GeoPackage 和打开它的 QGIS 工程（.qgz，分组、样式、标注都配好）：每条规则的小区和缺口；写了方案，另有变化图层。"""
    write = partial(write_geopackage, to=ending(out, ".gpkg"), preset=_preset(preset))
    with speaking(lang), watched(message(lang, "loading")):
        sides = sides_of(opened(folder, "写出 GeoPackage"), Asked(plan, against, year, with_conflicts))
        with replacing(lang, out, out.with_suffix(".qgz")):
            path = write(sides.district, against=sides.against)
    for written in (path, path.with_suffix(".qgz")):
        OUT.print(escape(message(lang, "done", shown_path(written))))


def dxf(
    folder: Annotated[Path | None, typer.Argument(help="街道目录；省略为随程序的演示街道")] = None,
    out: Annotated[Path, typer.Option("--out", help="写到哪个 .dxf 文件")] = Path("街道.dxf"),
    kind: Annotated[str | None, typer.Option("--sites", help="同时画出这一类设施的选址结果")] = None,
    n: Annotated[int, typer.Option("--n", help="选址几处")] = 1,
    plan: Plan = None,
    against: Against = None,
    year: Year = None,
    with_conflicts: WithConflicts = False,
    lang: Lang = "zh",
) -> None:
    """导出 DXF 给设计院：街道界、小区、地块、路网、设施（和选址），用街道的投影坐标系。"""
    with watched(message(lang, "loading")):
        sides = sides_of(opened(folder, "导出 DXF"), Asked(plan, against, year, with_conflicts))
        found = None
        if kind is not None:
            found = find_sites(sides.district, kind, n)
        notes: Sequence[str] = ()
        if sides.against is not None:  # a drawing is in Chinese, as its layers are
            with speaking("zh"):
                notes = Change(Comparison.of(sides.against, sides.district)).lines
        with replacing(lang, out):
            counts = drawing_of(sides.district, out, found, against=sides.against, notes=notes)
    with speaking(lang):
        for layer, number in counts.items():
            OUT.print(escape(say("{0}：{1}", layer, number)))
    OUT.print(escape(message(lang, "done", shown_path(out))))
