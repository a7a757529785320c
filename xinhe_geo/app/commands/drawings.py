"""Commands that draw: sheets, atlas, maps, the public edition, slides, Word, CAD."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Protocol

import typer
from rich.markup import escape

from ...core import UnknownNameError, speaking
from ...district import District
from ...io import drawing_of
from ...maps import PRESETS, Tiles, of_district, themes
from ...siting import sites as find_sites
from .console import OUT, Lang, grid, message, opened, replacing, shown_path, watched
from .siting import kind_or_rule


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
    from ...report.paper import file_name, sheet

    with watched(message(lang, "loading")) as tell:
        district = opened(folder, "写出图纸")
        known = themes(district, lang)
        if theme == "list":
            shown = grid("图", "图名")
            for name, title in known.items():
                shown.add_row(escape(str(name)), escape(str(title)))
            OUT.print(shown)
            return
        tell(message(lang, "drawing"))
        to = out or Path(file_name(f"{district.name}-{known.get(theme, theme)}") + ".pdf")
        show = "straight" if straight else "minutes"
        before = set(to.parent.glob("*"))
        written = sheet(district, theme, to, size=size, show=show, public=public, number=number, lang=lang)
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
    lang: Lang = "zh",
) -> None:
    """图册：现状、缺口、每项目标各一页，再每个社区一页（一社区一图一表），合成一个 PDF。"""
    from ...report.paper import Format, atlas

    with watched(message(lang, "loading")) as tell:
        district = opened(folder, "写出图册")
        written = atlas(
            district,
            out,
            form=Format(size, lang),
            figures=figures,
            preset=preset,
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
    scenario: Annotated[str | None, typer.Option("--scenario", help="方案名或 .toml 文件（difference、swipe）")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="写到哪个 .html 或 .svg 文件")] = None,
    tiles: Annotated[
        str | None, typer.Option("--tiles", help="在线底图：tianditu | tianditu-image（要联网，只用于现状和规则图）")
    ] = None,
    key: Annotated[str, typer.Option("--key", help="自己申请的天地图密钥")] = "",
    lang: Lang = "zh",
) -> None:
    """画一张图：一个断网也能打开的 HTML，或一张 SVG。"""
    with watched(message(lang, "loading")) as tell:
        district = opened(folder, "写出地图")
        tell(message(lang, "drawing"))
        asked = Tiles(tiles, key) if tiles else None
        drawn = of_district(district, what, rule=rule, scenario=scenario, tiles=asked, lang=lang)
        to = out or Path(f"{what}{'-' + rule if rule else ''}.html")
        with replacing(lang, to):
            drawn.write(to)
    OUT.print(escape(message(lang, "done", shown_path(to))))


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
        OUT.print(escape(message(lang, "before_review", "、".join(missing))))
    OUT.print(escape(message(lang, "done", shown_path(written[0]))))


def make_slides(
    folder: Annotated[Path | None, typer.Argument(help="街道目录；省略为随程序的演示街道")] = None,
    out: Annotated[Path, typer.Option("--out", help="写到哪个 .pptx 文件")] = Path("汇报.pptx"),
    preset: Annotated[str, typer.Option("--preset", help="plan | td1063 | elderly")] = "plan",
    lang: Lang = "zh",
) -> None:
    """汇报幻灯片（16:9）：一页一个结论，配图、数字和可编辑的图表，备注写明依据。"""
    from ...report.paper import write_slides

    _write_document(write_slides, folder, out, ".pptx", preset, lang)


def make_word(
    folder: Annotated[Path | None, typer.Argument(help="街道目录；省略为随程序的演示街道")] = None,
    out: Annotated[Path, typer.Option("--out", help="写到哪个 .docx 文件")] = Path("汇报.docx"),
    preset: Annotated[str, typer.Option("--preset", help="plan | td1063 | elderly")] = "plan",
    lang: Lang = "zh",
) -> None:
    """Word 汇报：目标是什么、现状多少、差多少、补哪里、补完多少、有多不确定、什么无法核对。"""
    from ...report.paper import write_brief

    _write_document(write_brief, folder, out, ".docx", preset, lang)


class _Writer(Protocol):
    """What writes a document about a district, and returns where it is."""

    def __call__(self, district: District, to: Path, /, *, preset: str, progress: Callable[[str], None]) -> Path: ...


def _write_document(write: _Writer, folder: Path | None, out: Path, ending: str, preset: str, lang: str) -> None:
    if out.suffix.lower() != ending:
        raise UnknownNameError("文件格式", out.suffix or out.name, [ending])
    if preset not in PRESETS:
        raise UnknownNameError("口径预设", preset, list(PRESETS))
    with speaking(lang), watched(message(lang, "loading")) as tell:
        district = opened(folder, "写出汇报")
        with replacing(lang, out):
            path = write(district, out, preset=preset, progress=tell)
    OUT.print(escape(message(lang, "done", shown_path(path))))


def dxf(
    folder: Annotated[Path | None, typer.Argument(help="街道目录；省略为随程序的演示街道")] = None,
    out: Annotated[Path, typer.Option("--out", help="写到哪个 .dxf 文件")] = Path("街道.dxf"),
    kind: Annotated[str | None, typer.Option("--sites", help="同时画出这一类设施的选址结果")] = None,
    n: Annotated[int, typer.Option("--n", help="选址几处")] = 1,
    lang: Lang = "zh",
) -> None:
    """导出 DXF 给设计院：街道界、小区、地块、路网、设施（和选址），用街道的投影坐标系。"""
    with watched(message(lang, "loading")):
        district = opened(folder, "导出 DXF")
        found = None
        if kind is not None:
            kind = kind_or_rule(district, kind)
            found = find_sites(district, kind, n)
        with replacing(lang, out):
            counts = drawing_of(district, out, found)
    for layer, number in counts.items():
        OUT.print(escape(f"{layer}：{number}"))
    OUT.print(escape(message(lang, "done", shown_path(out))))
