"""`parcels.html`: one A4 of two sides for each renewal parcel; its workbook of live formulas and its layers stand beside it."""

from __future__ import annotations

import html
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import geopandas as gpd

from ... import maps
from ...core import SourceError, language, named_by_homes, refuse_uncleared, say, write_text
from ...core import title as column_title
from ...district import District, place_title
from ...maps import figure_of, parcel_scene, wording
from ..analysis import Progress
from ..files import added_to, refuse_foreign
from ..gis import write_layers
from ..parcel_book import parcel_book
from ..story.parcels import (
    GROUP_LABELS,
    Account,
    FigureLine,
    Option,
    Parcel,
    Parcels,
    PromiseLine,
    Total,
    budget_name,
    concluded,
    first_options,
    not_shown,
    options_grid,
    topic_name,
)
from .brief import link_pages
from .change import demonstration_mark
from .shell import figure, heads, page_text, scrolled

#: What is written, each by its place in the folder.
PARCELS_PAGE, PARCEL_BOOK, PARCEL_LAYERS = "parcels.html", "tables/地块台账.xlsx", "gis/地块.gpkg"
#: What is said where nobody has told which chain a parcel goes through.
NO_STAGES = "进度待填：还没有写走哪一条链（国有土地、集体土地、综合整治），填在 stages.csv"

_STYLE = """
.side { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 4px 20px 14px; margin: 14px 0; }
.side h2 { margin: 12px 0 4px; } .side h3 { margin: 12px 0 2px; font-size: 15px; }
.pair { display: grid; grid-template-columns: minmax(0, 1.1fr) minmax(0, 1fr); gap: 0 20px; align-items: start; }
.side figure { margin: 6px 0; } .side svg { width: 100%; height: auto; display: block; }
.maps { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 8px; } .maps figure { margin: 0; }
.side figcaption { font-size: 13px; padding: 2px 8px; overflow-wrap: anywhere; }
.books { display: grid; grid-template-columns: repeat(auto-fill, minmax(290px, 1fr)); gap: 6px 18px; align-items: start; }
.beaten { color: var(--warn); } main .side :is(th, th.n, td) { min-width: 0; } :lang(zh) .side :is(th, td):not(.n) { min-width: calc(2em + 9px); }
main .side .wide td:not(.n) { min-width: 5em; } main .side .wide td:first-child { min-width: 9em; } main .side .kept td:nth-child(-n+3) { white-space: nowrap; }
@media (max-width: 900px) { .pair { grid-template-columns: minmax(0, 1fr); } .side { padding: 4px 12px 12px; } }
@media screen and (max-width: 900px) { :lang(zh) .side :is(th, td):not(.n) { min-width: calc(3em + 26px); } }
@media print {
  @page { size: A4; margin: 10mm 11mm; } body { page: auto !important; }
  header, footer { display: none; } html, body { background: #fff; } main { padding: 0; max-width: none; }
  .side { border: 0; padding: 0; margin: 0 0 10px; } .side figure { break-inside: avoid; } .side h2 { break-after: avoid; }
  .side[id] { min-height: 276mm; margin: 0; } .side:not([id]) + .side[id] { break-before: page; } main .side :is(th, td) { overflow-wrap: break-word; }
  main .side .kept td:is(:first-child, :nth-child(3), .n) { white-space: normal; }
  .side h2 { font-size: 13pt; margin: 0 0 2px; } .side h3 { font-size: 9.5pt; margin: 6px 0 1px; break-after: avoid; }
  .side :is(p, table, li) { font-size: 7.1pt; line-height: 1.2; margin: 2px 0; } .side :is(th, td) { padding: 0 4px; }
  .side tr { break-inside: avoid; } [lang=en] .side :is(p, table, li) { font-size: 6.5pt; line-height: 1.12; }
  .side:not([id]):not(:has(.books th:nth-child(4))) :is(p, table, li) { font-size: 8.4pt; line-height: 1.3; }
  .pair { grid-template-columns: minmax(0, 1fr) minmax(0, 1.12fr); gap: 0 10px; } .scroll { overflow: visible; }
  .maps { gap: 4px; } .side figcaption { font-size: 6.5pt; padding: 1px 4px; }
  .books { display: block; columns: 3; column-gap: 12px; } .books .scroll { break-inside: avoid; margin: 0 0 4px; }
}
"""


@named_by_homes
def write_parcels(story: Parcels, to: str | Path, *, only: str | None = None, progress: Progress | None = None) -> Path:
    """
    Write the parcels: `parcels.html`, `tables/地块台账.xlsx` (whose formulas give every figure of the page) and `gis/地块.gpkg`.

    Parameters
    ----------
    story
        The parcels, under a plan or as they are.
    to
        The folder of a report, or a new one.
    only
        One of them, by its id (one that the plan has divided: its parts); None: all.

    Returns
    -------
    page
        Where it is.

    Raises
    ------
    EnvironmentProblem
        A file cannot be written.
    SourceError
        There are no parcels.
    """
    district, tell = story.shown, progress or (lambda _: None)
    refuse_uncleared(district.manifest, "写出地块台账")
    refuse_foreign(Path(to), (PARCELS_PAGE, PARCEL_BOOK, PARCEL_LAYERS))
    shown = story.all if only is None else story.parts(only)
    if not shown:
        raise SourceError(say("这个目录里没有地块（图层 parcels）；用 add 文件 --to 街道目录 --layer parcels 收进来"))
    with added_to(Path(to)) as folder:
        parts = []
        options = {}
        for own in shown:
            tell(say("地块：{0}", own.name))
            options[own.id] = story.options(own.id)
            parts.append(_sides(story, own, options[own.id]))
        tell(say("写表格和 GIS 数据"))
        parcel_book(folder / PARCEL_BOOK, district, shown, options, story.troubles)
        _layers(folder / PARCEL_LAYERS, district, shown)
        heading = say("{0} 地块台账", place_title(district))
        nav = (
            f'<a href="{PARCEL_BOOK}">{say("核算表（活公式，与本页逐数相同）")}</a>　<a href="{PARCEL_LAYERS}">GIS</a>'
        )
        if (Path(to) / "index.html").is_file():
            nav += f'　<a href="index.html">{say("简报")}</a>'
        write_text(folder / PARCELS_PAGE, page_text(district, heading, nav, "".join(parts), style=_STYLE))
    link_pages(Path(to))
    return Path(to) / PARCELS_PAGE


def _sides(story: Parcels, own: Parcel, options: Sequence[Option]) -> str:
    """Return both sides of a parcel's sheet."""
    e, district = html.escape, story.shown
    plan = district.manifest.get("scenario")
    basis = say("方案“{0}”，{1} 年，含假定", plan, district.year) if plan else say("按台账，{0} 年", district.year)
    head = f"{e(own.name)}　<small>{e(basis)}</small>{demonstration_mark(district)}"
    picture = figure_of(parcel_scene(district, own.id, language()), _MAP)
    return (
        f'<section class="side" id="{e(own.id)}"><h2>{head}</h2>'
        f"<p>{e(own.ground)}</p>"
        f'<div class="pair"><div>{figure(picture)}{option_maps(story, own, first_options(options))}</div>'
        f"<div>{_people(district, own, story.troubles)}{_stages(own)}</div></div>"
        f'<h3>{say("台账")}</h3><div class="pair">{"".join(map(_ledger, own.halves))}</div>'
        f"{_promised(own.promised)}</section>"
        f'<section class="side"><h2>{head}</h2>{_balance(own, story.troubles)}'
        f"{_capacity(own)}{_money(own.money)}{_options(options)}</section>"
    )


def _people(district: District, own: Parcel, troubles: str) -> str:
    """Who lives here at the end of each year, stacked; who waits and who has left stands above, without fill."""
    if not own.bars:
        why = say("没有逐年的人口：写了方案（--plan）、台账填了户与人，才有")
        if own.accounts:
            why = troubles or say("没有图：地块上各年都没有住过人，或有的年份数据不足；见背面的居民收支")
        return f"<h3>{say('户与人')}</h3><p>{html.escape(why)}</p>"
    rows = [
        maps.Stack(str(year.year), [(year.groups[key], text) for key, text in year.texts.items()]) for year in own.bars
    ]
    seal = wording(language())["demo"] if district.is_demonstration else ""
    chart = maps.stacks(say("各年末的人"), [say(label) for label in GROUP_LABELS.values()], rows, seal)
    said = say("实心的住在地块上；空心的搬离后过渡，虚线的已离开或去向待填。居民与导入人口分列，不相加")
    return f"<h3>{say('各年末的人')}</h3>{figure(chart)}<p>{html.escape(said)}</p>"


def _grid(names: Sequence[str], rows: Sequence[Sequence[str]], numbers: Collection[int] = (), kind: str = "") -> str:
    """Return texts as a table; a column that nobody has filled in is left out."""
    e, kept = html.escape, [j for j, _ in enumerate(names) if j == 0 or any(row[j] for row in rows)]
    right = ' class="n"'
    body = "".join(
        f"<tr>{''.join(f'<td{right if j in numbers else str()}>{e(row[j])}</td>' for j in kept)}</tr>" for row in rows
    )
    places = {j: i for i, j in enumerate(kept)}
    return scrolled(heads([names[j] for j in kept], [places[j] for j in numbers if j in places]), body, kind)


def _ledger(lines: Sequence[FigureLine]) -> str:
    names = [say(name) for name in ("类别", "指标", "口径", "数值", "年份", "依据", "谁能填")]
    rows = [(topic_name(x.topic), x.label, x.holder, x.text, x.year, x.basis, x.who) for x in lines]
    return _grid(names, rows, (3,))


def _stages(own: Parcel) -> str:
    heading = f"<h3>{say('进度')}</h3>"
    if not own.stages:
        return f"{heading}<p>{html.escape(say(NO_STAGES))}</p>"
    return heading + _grid([say(name) for name in ("阶段", "日期", "比例", "谁能填")], own.stages, kind="kept")


def _promised(lines: Sequence[PromiseLine]) -> str:
    if not lines:
        return f"<h3>{say('承诺')}</h3><p>{say('规划没有写到这块地。')}</p>"
    names = [say(name) for name in ("原文", "要什么", "做到没有", "还缺", "由什么回答")]
    rows = [(line.quote, line.wants, line.told, line.lacks, line.answers) for line in lines]
    return f"<h3>{say('承诺：做到、有安排、还缺')}</h3>{_grid(names, rows, kind='wide')}"


def _balance(own: Parcel, troubles: str) -> str:
    if not own.accounts:
        return ""
    # of what a parcel was divided from the page has who is counted in all; each 口径 of it is in the workbook
    shown = [account for account in own.accounts if not (account.parcel and account.holder)]
    tables = "".join(_account(account, own.years) for account in shown)
    zero = say("没有列出的行，各年都是 0。年末在住 = 上年末在住 − 搬出 + 还迁 + 导入 + 其他变动；各口径分列，不相加")
    told = f'<p class="beaten"><b>{html.escape(troubles)}</b></p>' if troubles else ""
    return f'<h3>{say("居民收支")}</h3>{told}<div class="books">{tables}</div><p>{html.escape(zero)}</p>'


def _account(account: Account, years: Sequence[int]) -> str:
    e, number = html.escape, '<td class="n">{0}</td>'
    rows = "".join(
        f"<tr><td>{e(line.label)}</td>{''.join(number.format(e(text)) for text in line.texts)}</tr>"
        for line in account.told
    )
    names = [e(account.label), *map(str, years)]
    return scrolled(heads(names, range(1, len(names))), rows)


def _capacity(own: Parcel) -> str:
    """What falls short, and in which year."""
    if not own.capacity:
        return ""
    names = [say("配什么"), say("单位"), *map(str, own.years), say("结论")]
    rows = [(line.label, line.unit, *line.texts["short"], line.told) for line in own.lacking]
    table = _grid(names, rows, [i for i, _ in enumerate(own.years, 2)]) if rows else ""
    told = [say("还缺：按当年的人需要的，减去走得到的、别人用过以后还剩下的；各项的需要、现有和新增见核算表")]
    told += [own.enough] if own.enough else []
    return f"<h3>{say('逐年够不够：各年还缺多少（地块上所有的人，还迁的也算）')}</h3>{table}<p>{html.escape(say('；').join(told))}</p>"


def _money(totals: Sequence[Total]) -> str:
    """Two tables side by side, never netted."""
    budgets = dict.fromkeys(total.budget for total in totals)
    tables = "".join(_budget(budget, [own for own in totals if own.budget == budget]) for budget in budgets)
    return f'<div class="pair">{tables}</div><p>{say("两张表不相抵，收支也不相抵；区间是台账或参考值的下限和上限")}</p>'


def _budget(budget: str, totals: Sequence[Total]) -> str:
    names = [say(name) for name in ("指标", "数值", "年份", "出自")]
    parts = [f"<h3>{html.escape(say('{0}（各年）', budget_name(budget)))}</h3>"]
    for own in totals:
        rows = [(line.label, line.text, line.year, line.origin) for line in own.lines]
        summed = say("{0}合计", topic_name(own.topic))
        parts.append(f"{_grid(names, rows, (1,), 'kept')}<p><b>{html.escape(summed)}　{html.escape(own.text)}</b></p>")
        years, funds = own.by_fund
        parts.append(_grid([say("资金渠道（万元）"), *years], funds, [j for j, _ in enumerate(years, 1)], "kept"))
    return f"<div>{''.join(parts)}</div>"


def _options(options: Sequence[Option]) -> str:
    """The plans of a parcel beside each other: one table, and what it comes to."""
    heading = f"<h3>{say('方案比选')}</h3>"
    if not options:
        return f"{heading}<p>{say('目录里没有动到这块地的方案。')}</p>"
    return f"{heading}{options_table(options)}<p>{html.escape(not_shown(options))}</p>"


def option_maps(story: Parcels, own: Parcel, options: Sequence[Option]) -> str:
    """Return the parcel as it is and under each plan that can be carried out, as small maps of one frame and one scale."""
    states = [(say("现状"), story.district), *((x.label, x.state) for x in options[:_MOST_MAPS] if x.state is not None)]
    if not states[1:]:
        return ""
    known = story.line_of(own.id)[-1]  # what a plan divides, the others know whole
    bounds = parcel_scene(story.district, known, language()).bounds
    figures = (
        f"<figure>{figure_of(replace(parcel_scene(state, known, language()), bounds=bounds, labels=[]), _SMALL)}"
        f"<figcaption>{html.escape(label)}</figcaption></figure>"
        for label, state in states
    )
    return f'<div class="maps">{"".join(figures)}</div><p>{say("小图同一图幅、同一比例尺")}</p>'


#: Width and height of a small map: what is written into it, a scale and where north is, has its points on a quarter of a page's width.
_SMALL = (196.0, 147.0)
#: And of the large one beside the people: its words have six points on half a page of paper.
_MAP = (420.0, 320.0)
#: So many plans are drawn: with the present two rows of small maps.
_MOST_MAPS = 5


def options_table(options: Sequence[Option]) -> str:
    """Return plans beside each other, a row each, and the sentence that follows from all of them."""
    names, rows = options_grid(options, first_options(options))
    end = concluded(options)
    return _grid(names, rows, [j for j, _ in enumerate(names[1:-1], 1)], "wide") + (
        f"<p><b>{html.escape(end)}</b></p>" if end else ""
    )


def _text_of(own: Parcel, quantity: str) -> str:
    return next((line.text for line in own.figures if line.quantity == quantity and not line.holder), "")


def _layers(path: Path, district: District, shown: Sequence[Parcel]) -> None:
    """Write the parcels with their figures, and the homes on them, for QGIS."""
    places, homes = district.layers["parcels"], district.homes
    own = places.loc[[parcel.id for parcel in shown]]
    figures = {line.quantity: (line.label, line.text) for parcel in shown for line in parcel.plain if not line.holder}
    told = {key: [_text_of(parcel, key) for parcel in shown] for key in figures}
    for budget, topic in dict.fromkeys((total.budget, total.topic) for parcel in shown for total in parcel.money):
        key = f"{budget}_{topic}"
        figures[key] = (say("{0}：{1}", budget_name(budget), topic_name(topic)), "")
        told[key] = [next((t.text for t in p.money if (t.budget, t.topic) == (budget, topic)), "") for p in shown]
    counts = {status: [parcel.tally[status] for parcel in shown] for status in shown[0].tally} if shown else {}
    frame = gpd.GeoDataFrame({"name": own["name"], **told, **counts}, geometry=own.geometry, crs=district.crs)
    layers = {"地块": frame}
    on = [home for parcel in shown for home in parcel.homes]
    if homes is not None and on:
        there = homes[homes.index.isin(on)]
        layers["地块上的小区"] = there[["name", "people", "geometry"]]
    labels = {key: label for key, (label, _) in figures.items()} | {
        "name": column_title("名称"),
        "people": column_title("常住人口"),
    }
    write_layers(path, layers, district.year, labels, about=place_title(district))
