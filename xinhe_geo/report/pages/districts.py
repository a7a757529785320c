"""The comparison of many districts on paper and screen: one page that loads nothing, a workbook, a GeoPackage."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from ...core import amount, marked, per_cent, say, title, write_text
from ...maps import DEMONSTRATION_TEXT, house_style
from ..districts import (
    DENOMINATORS,
    FEW_COMMUNITIES,
    FEW_DISTRICTS,
    FEW_HOMES,
    LARGEST_HOME,
    over_years,
    ranking,
    spread,
    without_rank,
)
from ..gis import write_layers
from ..workbook import write_workbook
from .shell import figure, heads, html_page, scrolled, warning

COMPARISON = ("index.html", "tables/comparison.xlsx", "gis/comparison.gpkg")
#: Rows of one sheet: Excel holds 1,048,576 and would lose the rest without a word.
SHEET_ROWS = 1_000_000
#: Rows of a table on the page; the workbook has all of them.
ROWS = 200
#: Classes of a share, from lowest to highest: the darker the worse.
COLOURS = (*reversed(house_style()["roles"]["ramp"]), house_style()["roles"]["fine"])
_BLANK = house_style()["cover"]["unknown"]
#: What is not known is hatched, so that it is no class on a photocopy either.
_UNKNOWN = f"repeating-linear-gradient(45deg,{_BLANK['hatch']} 0 2px,{_BLANK['fill']} 2px 5px)"
_MAP = (560.0, 420.0)
#: Height of the crowded part, drawn again as wide as the map.
_INSET = 280.0
_CHART = (560.0, 170.0)
#: Height of the strip of dots under a histogram.
_DOTS = 42.0

_STYLE = """
.two { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(420px, 100%), 1fr)); gap: 16px; margin: 10px 0; }
.two figure svg { background: #fffdf9; } .two figcaption { color: var(--quiet); font-size: 13px; }
.key { display: inline-block; width: 22px; height: 11px; border: 1px solid #b9b2a5; margin: 0 5px 0 14px; vertical-align: -1px; }
.indicator { border-top: 1px solid var(--line); padding-top: 6px; break-before: auto; }
.indicator h3 { font-size: 17px; margin-top: 16px; }
td .bar { min-width: 90px; margin-top: 8px; }
tr.quiet td { color: var(--quiet); }
ul.outliers { margin: 4px 14px 12px; padding-left: 18px; font-size: 13.5px; }
ul.outliers li { margin: 4px 0; }
"""


def write_side_by_side(
    districts: gpd.GeoDataFrame, values: pd.DataFrame, status: pd.DataFrame, out: Path, *, page: str = "index.html"
) -> None:
    """
    Write `index.html`, `tables/comparison.xlsx` and `gis/comparison.gpkg` into a folder, each whole or not at all.

    All are in the language that is spoken; layers are called the same in each.

    Parameters
    ----------
    districts, values
        Of `side_by_side`, in the same language.
    status
        Index key; `name`, `code`, `status` (done / failed / not_run), `problem`.
    page
        The file of each district's own outputs that its name links to.
    """
    table, year = spread(values), int(districts["year"].max())
    note = _note(districts)
    write_text(out / "index.html", _page(districts, values, status, table, page))
    sheets = _sheets(districts, values, status, table)
    write_workbook(out / "tables" / "comparison.xlsx", say("街道比较"), year, sheets, note)
    aliases = {column: title(alias) for column, alias in _ALIASES.items()}
    labels = {**aliases, **dict(table["label"])}
    write_layers(out / "gis" / "comparison.gpkg", _layers(districts, values), year, labels)


#: Columns of the GeoPackage, as QGIS shows them.
_ALIASES = {
    "key": "目录",
    "code": "代码",
    "name": "名称",
    "served": "份额",
    "size": "分母",
    "rank_text": "名次",
    "people": "常住人口",
    "outlier_text": "离群",
    "why": "可能的原因",
}


def _homes(districts: gpd.GeoDataFrame) -> str:
    """Return what those are called in which people live: some places are counted by cells of a grid, and not by compounds."""
    cells = districts["cells"]
    return "格网单元" if cells.all() else "小区或格网单元" if cells.any() else "小区"


def _note(districts: gpd.GeoDataFrame) -> str:
    demo = int(districts["demonstration"].sum())
    weak = say("其中 {0} 个是{1}。", demo, say(DEMONSTRATION_TEXT)) if demo else ""
    told = "{0} 个街道。{1}份额为 0–1；名次只在口径和分母相同、不是演示、样本够大的街道之间排"
    return say(told, len(districts), weak)


# --- tables ----------------------------------------------------------------------------------------------------------

_STATUS = {"done": "完成", "failed": "失败", "not_run": "没有做"}
_OUTLIER = {"high": "偏高", "low": "偏低"}


def _told(codes: pd.Series, words: Mapping[str, str]) -> pd.Series:
    """Return what codes stand for, in words; nothing where one stands for nothing."""
    return codes.map({code: say(text) for code, text in words.items()}).fillna("")


def _sheets(
    districts: gpd.GeoDataFrame, values: pd.DataFrame, status: pd.DataFrame, table: pd.DataFrame
) -> Iterator[tuple[str, pd.DataFrame, str]]:
    """Yield the workbook's sheets."""
    known = table[table["known"] > 0]
    told = say("份额为 0–1；中位数、四分位只算有名次的街道；合计是这些街道的分母加在一起")
    yield "指标", _spread_table(table), told
    long = _long_table(districts, values[values["rule"].isin(known.index)])
    for part, start in enumerate(range(0, max(len(long), 1), SHEET_ROWS), 1):
        name = "排名" if part == 1 else f"{title('排名')} {part}"
        yield name, long.iloc[start : start + SHEET_ROWS], say("按指标、名次；没有名次的写明原因")
    wide = values.pivot(index="key", columns="rule", values="value").reindex(index=districts.index, columns=known.index)
    wide = wide.rename(columns={rule: f"{label}{say('（份额）')}" for rule, label in known["label"].items()})
    beside = pd.concat([_who(districts), wide], axis=1).reset_index(drop=True)
    yield "街道×指标", beside, say("份额为 0–1；空白为数据不足")
    yield "街道", _district_table(districts, status), say("人口、用地来自各街道目录；空白为未知，不是 0")
    odd = values[values["outlier"] != ""]
    if len(odd):
        told = say("稳健 z 值大于 3.5；原因是与同类中位数的差别，供核对，不是结论")
        yield "离群", _long_table(districts, odd), told


def _who(districts: gpd.GeoDataFrame) -> pd.DataFrame:
    return districts[["name", "code"]].rename(columns={"name": "街道", "code": "代码"})


def _spread_table(table: pd.DataFrame) -> pd.DataFrame:
    rows = table.assign(denominator=_told(table["denominator"], DENOMINATORS))
    names = {
        "label": "指标",
        "asks": "要求",
        "standard": "依据",
        "denominator": "分母",
        "districts": "街道数",
        "known": "有数据",
        "ranked": "有名次",
        "demo": "演示",
        "small": "样本小",
        "unlike": "口径不同",
        "no_data": "数据不足",
        "low": "最低（份额）",
        "q1": "下四分位（份额）",
        "median": "中位（份额）",
        "q3": "上四分位（份额）",
        "high": "最高（份额）",
        "pooled": "合计（份额）",
        "outliers": "离群",
    }
    return rows[list(names)].rename(columns=names)


def _long_table(districts: gpd.GeoDataFrame, values: pd.DataFrame) -> pd.DataFrame:
    names, homes = districts["name"], _homes(districts)
    parts = [ranking(values, rule, names) for rule in dict.fromkeys(values["rule"])]
    rows = pd.concat(parts) if parts else values.assign(name="")
    rows = rows.assign(
        rank_text=without_rank(rows),
        code=rows["key"].map(districts["code"]),
        outlier=_told(rows["outlier"], _OUTLIER),
        denominator=_told(rows["denominator"], DENOMINATORS),
    )
    columns = {
        "label": "指标",
        "rank_text": "名次",
        "name": "街道",
        "code": "代码",
        "value": "结果（份额）",
        "denominator": "分母",
        "size": "分母大小",
        "served": "其中可达",
        "unserved_people": "不可达人口",
        "share_buffer": "直线半径（份额）",
        "share_network_m": "路网距离（份额）",
        "share_walk_min": "步行时间（份额）",
        "outside_share": "依赖界外（份额）",
        "minutes": "到最近设施（分钟，中位）",
        "facilities": "界内设施",
        "facilities_near": "界内外设施",
        "homes": f"{homes}数",
        "largest_home": f"最大一个{homes}占（份额）",
        "z": "稳健z值",
        "outlier": "离群",
        "why": "可能的原因",
    }
    return rows[list(columns)].rename(columns=columns)


def _district_table(districts: gpd.GeoDataFrame, status: pd.DataFrame) -> pd.DataFrame:
    rows = status.join(districts.drop(columns=["name", "code", "geometry"])).reset_index()
    rows["status"] = _told(rows["status"], _STATUS)
    rows["demonstration"] = rows["demonstration"].map({True: title("演示"), False: ""}).fillna("")
    names = {
        "key": "目录",
        "name": "街道",
        "code": "代码",
        "status": "结果",
        "problem": "问题",
        "year": "数据年份",
        "people": "常住人口",
        "people_60plus": "60岁及以上",
        "homes": f"{_homes(districts)}数",
        "facilities": "界内设施",
        "area_km2": "面积（平方公里）",
        "demonstration": "演示",
        "outline_basis": "界线依据",
        "rests_on": "数据依据",
        "survey_note": "设施说明",
    }
    return rows[list(names)].rename(columns=names)


def _layers(districts: gpd.GeoDataFrame, values: pd.DataFrame) -> dict[str, gpd.GeoDataFrame]:
    """Return one layer of all indicators side by side, and one per indicator with rank and denominator."""
    wide = values.pivot(index="key", columns="rule", values="value").reindex(districts.index)
    wide = wide[[c for c in dict.fromkeys(values["rule"]) if wide[c].notna().any()]]
    layers = {"街道": districts.drop(columns="geometry").join(wide).set_geometry(districts.geometry)}
    for rule in wide.columns:
        part = ranking(values, rule, districts["name"]).set_index("key")
        rows = part.assign(
            code=districts["code"].reindex(part.index),
            served=part["value"],
            rank_text=without_rank(part),
            outlier_text=_told(part["outlier"], _OUTLIER),
        )
        kept = ["code", "name", "served", "denominator", "size", "rank_text", "facilities", "outlier_text", "why"]
        layers[f"指标_{rule}"] = gpd.GeoDataFrame(
            rows[kept], geometry=districts.geometry.reindex(rows.index), crs=districts.crs
        )
    return layers


# --- the page --------------------------------------------------------------------------------------------------------


def _page(
    districts: gpd.GeoDataFrame, values: pd.DataFrame, status: pd.DataFrame, table: pd.DataFrame, page: str
) -> str:
    e = html.escape
    latest = districts[districts["same_as"] == districts.index]
    demo, n = int(latest["demonstration"].sum()), len(latest)
    told = "{0} 个街道中 {1} 个是{2}：列出而不排名"
    mark = warning(say(told, n, demo, say(DEMONSTRATION_TEXT)) if demo else "")
    unsurveyed = int((latest["survey_note"] != "").sum())
    if unsurveyed:
        told = "{0} 个街道的设施没有实地调查（来自 OpenStreetMap）：低值可能只是图上没有画，先核对再比较"
        mark += warning(say(told, unsurveyed))
    given = districts.groupby("same_as")["year"].agg(["size", "nunique"])  # the same in another year is meant
    same_year = districts["code"].reindex(given.index[given["size"] > given["nunique"]])
    codes = pd.concat([latest["code"], status["code"].drop(districts.index)])
    twice = sorted({str(c) for c in (*same_year, *codes[codes.duplicated() & (codes != "")])})
    if twice:
        told = "{0} 个代码出现不止一次：{1}。同一个街道给了两次，或代码写错"
        mark += warning(say(told, len(twice), say("、").join(twice[:8])))
    bad = int((status["status"] != "done").sum())
    failed = say("，{0} 个没有完成（见“各街道”）", bad) if bad else ""
    known = table[table["known"] > 0]
    over = _over_years(districts, values)
    shapes = _Shapes(latest, page)
    values = values[values["key"].isin(latest.index)]
    sections = "".join(_indicator(districts, values, rule, known.loc[rule], shapes) for rule in known.index)
    lacking = say("、").join(e(label) for label in table.loc[table["known"] == 0, "label"])
    told = say("所有街道都数据不足的 {0} 项：{1}", len(table) - len(known), lacking)
    missing = f'<p class="small">{told}</p>' if lacking else ""
    heading = say("{0} 个街道的比较", len(status) - len(districts) + n)
    line = say("{0} 个完成{1}　数据年份：{2}　指标 {3} 项", n, failed, _years(districts), len(known))
    links = (
        ("tables/comparison.xlsx", say("全部表格")),
        ("gis/comparison.gpkg", say("GIS 数据")),
        ("status.csv", say("完成情况")),
    )
    nav = say("　").join(f'<a href="{file}">{name}</a>' for file, name in links)
    body = f"""{shapes.definitions()}
<header>
<h1>{heading}</h1>
<p class="line">{line}</p>
{mark}
<nav>{nav}</nav>
</header>
<main>
{over}<section><h2>{say("各指标的分布")}</h2>{_overview(known)}{missing}</section>
<section><h2>{say("逐项比较")}</h2>
<p class="small">{_how(_homes(districts))}</p>
{sections}</section>
<section><h2>{say("各街道")}</h2>{_district_rows(districts, status, page)}</section>
</main>
<footer><p>{say("{0}。各街道的数据来源和许可见各自的简报。", e(_note(districts)))}</p></footer>"""
    return marked(html_page(heading, _STYLE, body))


#: Homes as they are counted in a sentence.
_COUNTED = {"小区": "个小区", "格网单元": "个格网单元", "小区或格网单元": "个小区或格网单元"}


def _how(homes: str) -> str:
    """Say who is ranked, what is a small sample, and what an outlier."""
    told = """名次只在口径和分母相同、不是演示、样本够大的街道之间排。样本小：不足 {0} {1}、最大一{1}超过分母的
{2}，或不足 {3} 个社区，一{1}就能左右结果。离群：与中位数的差超过 3.5 个稳健标准差，至少
{4} 个街道可比时才判；所列原因是与同类中位数的差别，供核对，不是结论。"""
    return say(told, FEW_HOMES, say(_COUNTED[homes]), per_cent(LARGEST_HOME, 0), FEW_COMMUNITIES, FEW_DISTRICTS)


def _over_years(districts: gpd.GeoDataFrame, values: pd.DataFrame) -> str:
    """Return the section of districts that are there in several years: a small chart for each indicator; "" without any."""
    table, rows, alike = over_years(districts, values), [], []
    for _, part in table.groupby(["key", "rule"], sort=False):
        first, marks = part.iloc[0], say("；").join(dict.fromkeys(mark for mark in part["mark"] if mark))
        if part["value"].map(per_cent).nunique() == 1 and part["value"].notna().all():
            alike.append(f"{first['name']} {first['label']} {per_cent(first['value'])} {marks}".strip())
            continue
        said = say("　").join(f"{say('{0} 年', int(row.year))} {per_cent(row.value)}" for row in part.itertuples())
        rows.append(
            f"<tr><td>{html.escape(str(first['name']))}</td><td>{html.escape(str(first['label']))}</td>"
            f"<td>{_slope(part['year'].tolist(), part['value'].tolist())}</td><td>{html.escape(said)}</td>"
            f"<td>{html.escape(marks)}</td></tr>"
        )
    if table.empty:
        return ""
    names = ("街道", "指标", "走势（0–100%）", "各年", "说明")
    shown = scrolled(_heads(names), "".join(rows)) if rows else ""
    if alike:
        listed = html.escape(say("；").join(alike))
        summary = say("各年相同的 {0} 项", len(alike))
        shown += f'<details><summary>{summary}</summary><p class="small">{listed}</p></details>'
    return f"<section><h2>{say('逐年')}</h2>{shown}</section>\n"


def _heads(names: Sequence[str], numbers: Collection[int] = ()) -> str:
    """Return the heads of columns, as the workbook calls them."""
    return heads([title(name) for name in names], numbers)


def _slope(years: Sequence[int], shares: Sequence[float]) -> str:
    """Return shares from 0 to 100 % over years as a small line; a year without a share leaves a gap."""
    first, last = years[0], years[-1]
    spots = [
        None if math.isnan(share) else (6 + 148 * (year - first) / max(last - first, 1), 36 - 32 * share)
        for year, share in zip(years, shares, strict=True)
    ]
    lines = "".join(
        f'<path d="M{a[0]:.1f} {a[1]:.1f}L{b[0]:.1f} {b[1]:.1f}" stroke="#1f6f78" stroke-width="2"/>'
        for a, b in pairwise(spots)
        if a is not None and b is not None
    )
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="#1f6f78"/>' for x, y in filter(None, spots))
    return (
        f'<svg width="160" height="40" viewBox="0 0 160 40" role="img" aria-label="{say("{0}—{1} 年", first, last)}">'
        f'<path d="M4 36H156M4 4H156" stroke="#e4ded2"/>{lines}{dots}</svg>'
    )


def _years(districts: gpd.GeoDataFrame) -> str:
    years = sorted(set(districts["year"]))
    return str(years[0]) if len(years) == 1 else say("{0}—{1}", years[0], years[-1])


def _overview(known: pd.DataFrame) -> str:
    """One row per indicator: how it spreads."""
    rows = "".join(
        f'<tr><td><a href="#{html.escape(rule)}">{html.escape(row.label)}</a></td><td>{html.escape(row.asks)}</td><td class="n">{row.ranked}</td>'
        f'<td class="n">{row.demo + row.small + row.unlike}</td><td class="n">{row.no_data}</td><td>{_box(row)}</td>'
        f'<td class="n">{per_cent(row.median, unknown="—")}</td><td class="n">{per_cent(row.pooled, unknown="—")}</td>'
        f'<td class="n">{row.outliers or ""}</td></tr>'
        for rule, row in zip(known.index, known.itertuples(), strict=True)
    )
    names = ("指标", "要求", "有名次", "不排名", "数据不足", "最低—四分位—最高", "中位", "合计", "离群")
    return scrolled(_heads(names, (2, 3, 4, 6, 7, 8)), rows)


class _Spread(Protocol):
    """A row of `spread`, as `itertuples` gives it."""

    low: float
    q1: float
    median: float
    q3: float
    high: float


def _box(row: _Spread) -> str:
    """Return lowest, quartiles and highest on a line from 0 to 100 %."""
    if row.median != row.median:
        return "—"
    x = [4 + 152 * float(v) for v in (row.low, row.q1, row.median, row.q3, row.high)]
    return (
        f'<svg width="160" height="18" viewBox="0 0 160 18" role="img" aria-label="{say("中位 {0}", per_cent(row.median, 0))}">'
        f'<path d="M4 9H156" stroke="#e4ded2" stroke-width="2"/>'
        f'<path d="M{x[0]:.1f} 9H{x[4]:.1f}" stroke="#7a8a94"/><rect x="{x[1]:.1f}" y="4" width="{max(x[3] - x[1], 1):.1f}" height="10" fill="#9cc4c2"/>'
        f'<path d="M{x[2]:.1f} 2V16" stroke="#1f6f78" stroke-width="2.5"/></svg>'
    )


def _indicator(districts: gpd.GeoDataFrame, values: pd.DataFrame, rule: str, row: pd.Series, shapes: _Shapes) -> str:
    e = html.escape
    part = ranking(values, rule, districts["name"])
    part["code"] = part["key"].map(districts["code"])
    known = part[part["value"].notna()]
    legend = "".join(
        f'<span class="key" style="background:{c}"></span>{20 * i}–{20 * i + 20}%' for i, c in enumerate(COLOURS)
    )
    legend += f'<span class="key" style="background:{_UNKNOWN}"></span>{say("数据不足")}'
    if shapes.dense is not None:
        legend += say("　") + say("下图为框内放大")
    if shapes.apart:
        legend += say("　") + say("相距太远，并排画，比例尺相同")
    if (known["no_rank"] != "").any():
        legend += f'<span class="key" style="border-style:dashed;border-color:#555"></span>{title("不排名")}'
    counted = say(DENOMINATORS[row["denominator"]]) if row["denominator"] in DENOMINATORS else "—"
    about = (row["asks"], say("类别：{0}", row["kinds"]), say("分母：{0}", counted), row["standard"])
    dots = say("每点一个街道：实心有名次，空心不排名，红色方块离群；竖线为中位数")
    return (
        f'<div class="indicator" id="{e(rule)}"><h3>{e(row["label"])}</h3><p class="small">{e(say("　").join(about))}</p>'
        f'<div class="two">{figure(shapes.map(part), legend)}'
        f"<div>{figure(_distribution(known, row), dots)}"
        f"{_outliers(part)}</div></div>{_rank_table(part, shapes.page)}</div>"
    )


def _distribution(known: pd.DataFrame, row: pd.Series) -> str:
    """Return a histogram of the ranked districts over a strip of dots."""
    width, height = _CHART
    left, right, base = 30.0, width - 20, height - 78
    ranked = known[known["rank"].notna()]
    counts = np.histogram(ranked["value"], bins=20, range=(0, 1))[0]
    step, top = (right - left) / 20, max(int(counts.max()), 1) if len(ranked) else 1
    out = [
        f'<rect x="{left + i * step + 0.5:.1f}" y="{base - 70 * c / top:.1f}" width="{step - 1:.1f}" height="{70 * c / top:.1f}" fill="#9cc4c2"/>'
        for i, c in enumerate(counts)
        if c
    ]
    out.append(f'<text x="{left - 4:.0f}" y="{base - 64:.0f}" text-anchor="end" class="t">{top}</text>')
    for tick in range(0, 101, 20):
        x = left + (right - left) * tick / 100
        out.append(
            f'<path d="M{x:.1f} {base:.1f}v4" stroke="#8a949c"/><text x="{x:.1f}" y="{base + 15:.1f}" text-anchor="middle">{tick}%</text>'
        )
    out.append(f'<path d="M{left:.1f} {base:.1f}H{right:.1f}" stroke="#8a949c"/>')
    if row["median"] == row["median"]:
        x = left + (right - left) * row["median"]
        out.append(
            f'<path d="M{x:.1f} {base - 74:.1f}V{base + 40:.1f}" stroke="#1f6f78" stroke-width="1.5" stroke-dasharray="4 3"/>'
        )
    out += _dots(known, lambda value: left + (right - left) * value, base + 27)
    return f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{say("分布")}" font-size="11" fill="#5f6d77">{"".join(out)}</svg>'


def _dots(known: pd.DataFrame, across: Callable[[float], float], top: float) -> Iterator[str]:
    """Yield one dot per district, those of like value below each other; where there are many, smaller and closer."""
    order = known.sort_values(["value", "key"], kind="stable")
    wide = 5 if len(order) <= 60 else 3
    column = (order["value"] * (across(1) - across(0)) / wide).round()
    level = column.groupby(column).cumcount()
    step = min(wide, _DOTS / max(int(level.max()), 1)) if len(order) else 0
    for item, c, i in zip(order.itertuples(), column, level, strict=True):
        fill = "#b02040" if item.outlier else "#1f6f78" if item.rank == item.rank else "#fff"
        edge = "#b02040" if item.outlier else "#1f6f78"
        x, y, r = across(0) + wide * c, top + step * i, 0.6 * wide if wide > 3 else 1.6
        shape = f"M{x - r:.1f} {y - r:.1f}h{2 * r:g}v{2 * r:g}h-{2 * r:g}z"  # of an outlier, which on a photocopy is not red
        dot = f'path d="{shape}"' if item.outlier else f'circle cx="{x:.1f}" cy="{y:.1f}" r="{r:g}"'
        yield (
            f'<{dot} fill="{fill}" stroke="{edge}">'
            f"<title>{html.escape(str(item.name))} {per_cent(item.value)}</title></{dot.split(maxsplit=1)[0]}>"
        )


def _outliers(part: pd.DataFrame) -> str:
    odd = part[part["outlier"] != ""]
    if odd.empty:
        return ""
    rows = "".join(_odd(row) for row in odd.head(8).itertuples())
    more = f"<li>{say('另有 {0} 个，见工作簿“离群”表', len(odd) - 8)}</li>" if len(odd) > 8 else ""
    return f'<ul class="outliers">{rows}{more}</ul>'


def _odd(row: _Odd) -> str:
    value, usual, how = per_cent(row.value), per_cent(row.median), say(_OUTLIER[row.outlier])
    name, code, why = (html.escape(str(text)) for text in (row.name, row.code, row.why))
    return f"<li>{say('{0}（{1}）{2}，{3}（中位 {4}）：{5}', f'<b>{name}</b>', code, value, how, usual, why)}</li>"


def _rank_table(part: pd.DataFrame, page: str) -> str:
    """Return the ranked table; of very many, the first and last, and where the rest is."""
    cut, note = part, ""
    if len(part) > ROWS:
        ranked = int(part["rank"].notna().sum())
        last = max(ranked, ROWS)
        cut = pd.concat([part.iloc[: ROWS // 2], part.iloc[last - ROWS // 2 : last]])
        told = say("列出前后各 {0} 个；全部 {1} 个见工作簿“排名”表。", ROWS // 2, len(part))
        note = f'<p class="small">{told}</p>'
    rows = "".join(_rank_row(row, rank, page) for row, rank in zip(cut.itertuples(), without_rank(cut), strict=True))
    names = ("名次", "街道", "结果", "其中可达 / 分母", "直线｜路网｜步行", "界内设施", "依赖界外", "说明")
    body = scrolled(_heads(names, (0, 3, 4, 5, 6)), rows) + note
    summary = say("排名表（{0} 个街道）", len(part))
    return body if len(part) <= 30 else f"<details><summary>{summary}</summary>{body}</details>"


class _Odd(Protocol):
    """A row of `ranking` that is an outlier, as `itertuples` gives it."""

    name: str
    code: str
    value: float
    median: float
    outlier: str
    why: str


class _Ranked(Protocol):
    """A row of `ranking`, as `itertuples` gives it."""

    key: str
    name: str
    code: str
    rank: float
    value: float
    share_buffer: float
    share_network_m: float
    share_walk_min: float
    largest_home: float
    small: bool
    no_rank: str
    outlier: str
    headline: str
    served: float
    size: float
    facilities: int
    outside_share: float


def _rank_row(row: _Ranked, rank: str, page: str) -> str:
    e, known = html.escape, row.value == row.value
    link = f'<a href="districts/{e(_url(row.key))}/{page}">{e(str(row.name))}</a> <span class="small">{e(str(row.code))}</span>'
    number = rank if row.rank == row.rank else "—"
    value = (
        f'{per_cent(row.value)}<div class="bar"><i style="width:{per_cent(row.value)}"></i></div>'
        if known
        else say("数据不足")
    )
    ways = say("｜").join(
        per_cent(v, 0, unknown="—") for v in (row.share_buffer, row.share_network_m, row.share_walk_min)
    )
    one = row.small and not math.isnan(row.largest_home)
    large = say("最大一处占 {0}", per_cent(row.largest_home, 0)) if one else ""
    said = [row.no_rank, say(_OUTLIER[row.outlier]) if row.outlier else "", large]
    unknown = row.headline.removeprefix(say("数据不足")).removeprefix(say("："))
    text = say("；").join(t for t in said if t) if known else unknown
    return (
        f'<tr{"" if row.rank == row.rank else " class=quiet"}><td class="n">{number}</td><td>{link}</td><td>{value}</td>'
        f'<td class="n">{amount(row.served, unknown="—")} / {amount(row.size, unknown="—")}</td><td class="n">{ways}</td><td class="n">{row.facilities:,}</td>'
        f'<td class="n">{per_cent(row.outside_share, unknown="—")}</td><td>{e(text)}</td></tr>'
    )


def _url(text: str) -> str:
    return text.replace("%", "%25")


def _district_rows(districts: gpd.GeoDataFrame, status: pd.DataFrame, page: str) -> str:
    """Return a row per district: those that failed first, with their message."""
    e = html.escape
    order = status.assign(bad=status["status"] != "done").sort_values("bad", ascending=False, kind="stable")
    rows = []
    for key, row in order.head(2 * ROWS).iterrows():
        if key not in districts.index:
            rows.append(
                f'<tr><td>{e(row["name"])}</td><td>{e(row["code"])}</td><td colspan="6">'
                f'<span class="mark">{say(_STATUS[row["status"]])}</span> {e(row["problem"])}</td></tr>'
            )
            continue
        d = districts.loc[key]
        link = f'<a href="districts/{e(_url(str(key)))}/{page}">{e(d["name"])}</a>'
        demo = f'<span class="mark">{e(say(DEMONSTRATION_TEXT))}</span>' if d["demonstration"] else ""
        rows.append(
            f'<tr><td>{link}{demo}</td><td>{e(d["code"])}</td><td class="n">{d["year"]}</td><td class="n">{amount(d["people"], unknown="—")}</td>'
            f'<td class="n">{d["homes"]:,}</td><td class="n">{d["facilities"]:,}</td><td class="n">{amount(d["area_km2"], 1)}</td>'
            f"<td>{e(d['rests_on'])}</td></tr>"
        )
    who, what = ("街道", "代码", "年份", "常住人口"), ("界内设施", "平方公里", "数据依据")
    names = [*map(title, who), say(_homes(districts)), *map(title, what)]
    beyond = say("另有 {0} 个，见工作簿“街道”表。", len(order) - 2 * ROWS)
    more = f'<p class="small">{beyond}</p>' if len(order) > 2 * ROWS else ""
    return scrolled(heads(names, (2, 3, 4, 5, 6)), "".join(rows)) + more


# --- the map ---------------------------------------------------------------------------------------------------------


#: What moves coordinates (x, y) to their place on the map.
_Put = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


class _Shapes:
    """The districts as shapes drawn once and used by every map; far apart ones stand side by side at one scale."""

    def __init__(self, districts: gpd.GeoDataFrame, page: str) -> None:
        self.page = page
        drawn = districts[districts.geometry.notna().to_numpy()]
        self.keys = {key: i for i, key in enumerate(drawn.index)}
        self.names = drawn["name"]
        self.paths: list[str] = []
        self.places: list[tuple[float, float]] = []
        self.apart = False
        self.dense: tuple[float, float, float, float] | None = None
        if len(drawn):
            self._lay_out([shapely.from_wkb(shapely.to_wkb(g)) for g in drawn.geometry])

    def _lay_out(self, shapes: Sequence[shapely.Geometry]) -> None:
        width, height = _MAP
        bounds = np.array([shape.bounds for shape in shapes])
        middle = (bounds[:, 1].min() + bounds[:, 3].max()) / 2
        spans = [bounds[:, 0].min(), bounds[:, 1].min(), bounds[:, 2].max(), bounds[:, 3].max()]
        across = (spans[2] - spans[0]) * math.cos(math.radians(middle))
        scale = min((width - 20) / max(across, 1e-9), (height - 20) / max(spans[3] - spans[1], 1e-9))
        typical = float(np.median(np.sqrt((bounds[:, 2] - bounds[:, 0]) * (bounds[:, 3] - bounds[:, 1]))))
        self.apart = typical * scale < 5 and len(shapes) <= 60
        if self.apart:
            self._side_by_side(shapes, bounds)
            return
        x0 = width / 2 - across * scale / 2
        y0 = height / 2 + (spans[3] - spans[1]) * scale / 2
        flat = math.cos(math.radians(middle)) * scale
        for shape in shapes:
            self._add(shape, lambda x, y: (x0 + (x - spans[0]) * flat, y0 - (y - spans[1]) * scale))
        self.dense = _dense(
            np.array(self.places), np.sqrt((bounds[:, 2] - bounds[:, 0]) * (bounds[:, 3] - bounds[:, 1])) * scale
        )

    def _side_by_side(self, shapes: Sequence[shapely.Geometry], bounds: np.ndarray) -> None:
        columns = math.ceil(math.sqrt(len(shapes) * _MAP[0] / _MAP[1]))
        rows = math.ceil(len(shapes) / columns)
        wide, high = _MAP[0] / columns, _MAP[1] / rows
        flat = np.cos(np.radians((bounds[:, 1] + bounds[:, 3]) / 2))
        size = max(
            float(((bounds[:, 2] - bounds[:, 0]) * flat).max() / (wide - 16)),
            float((bounds[:, 3] - bounds[:, 1]).max() / (high - 34)),
        )

        def into(i: int) -> _Put:
            x, y = (bounds[i, 0] + bounds[i, 2]) / 2, (bounds[i, 1] + bounds[i, 3]) / 2
            left, top, f = wide * (i % columns + 0.5), high * (i // columns + 0.5) - 8, float(flat[i])
            return lambda a, b: (left + (a - x) * f / size, top - (b - y) / size)

        for i, shape in enumerate(shapes):
            self._add(shape, into(i))
            self.places[-1] = (wide * (i % columns + 0.5), high * (i // columns + 1) - 8)

    def _add(self, shape: shapely.Geometry, put: _Put) -> None:
        moved = shapely.transform(shape, lambda xy: np.column_stack(put(xy[:, 0], xy[:, 1])))
        moved = moved.simplify(0.3)
        rings = [r for p in shapely.get_parts(moved) for r in (p.exterior, *p.interiors)]
        texts = ["M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in shapely.get_coordinates(r)[:-1]) + "Z" for r in rings]
        self.paths.append("".join(texts))
        point = shapely.point_on_surface(moved)
        self.places.append((point.x, point.y) if not point.is_empty else (0.0, 0.0))

    def definitions(self) -> str:
        """Return the shapes, once for the page."""
        drawn = "".join(f'<path id="d{i}" d="{path}" fill-rule="evenodd"/>' for i, path in enumerate(self.paths))
        drawn += (
            '<pattern id="unknown" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
            f'<path d="M0 0H5V5H0Z" fill="{_BLANK["fill"]}"/><path d="M0 0H2V5H0Z" fill="{_BLANK["hatch"]}"/></pattern>'
        )
        return f'<svg width="0" height="0" aria-hidden="true" style="position:absolute"><defs>{drawn}</defs></svg>'

    def map(self, part: pd.DataFrame) -> str:
        """Return one indicator's map."""
        out = []
        for row in part.itertuples():
            i = self.keys.get(row.key)
            if i is None:
                continue
            known = row.value == row.value
            fill = COLOURS[min(int(row.value * 5), 4)] if known else "url(#unknown)"
            quiet = known and row.no_rank != ""
            line = ' stroke="#555" stroke-width="1.8" stroke-dasharray="4 3"' if quiet else ' stroke="#fffdf9"'
            text = f"{row.name} {per_cent(row.value)}" if known else f"{row.name} {say('数据不足')}"
            tip = f"<title>{html.escape(text + (say('（{0}）', row.no_rank) if quiet else ''))}</title>"
            out.append(f'<use href="#d{i}" fill="{fill}"{line}>{tip}</use>')
        if self.apart or len(self.paths) <= 30:
            out += [
                f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle" font-size="12" fill="#23303a" stroke="#fffdf9" stroke-width="3" '
                f'paint-order="stroke">{html.escape(name)}</text>'
                for x, y, name in _clear_of_each_other(self.places, [str(name) for name in self.names])
            ]
        drawn = "".join(out)
        if self.dense is not None:
            x, y, wide, high = self.dense
            drawn += (
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{high:.1f}" fill="none" stroke="#23303a"/>'
            )
        whole = f'<svg viewBox="0 0 {_MAP[0]:g} {_MAP[1]:g}" role="img" aria-label="{say("地图")}" stroke-width=".7">{drawn}</svg>'
        return whole if self.dense is None else whole + self._enlarged("".join(out))

    def _enlarged(self, drawn: str) -> str:
        """Return the dense part of a map again, as wide as the map."""
        x, y, wide, high = self.dense or (0.0, 0.0, *_MAP)
        return (
            f'<svg viewBox="{x:.1f} {y:.1f} {wide:.1f} {high:.1f}" role="img" aria-label="{say("框内放大")}" stroke-width="{0.7 * wide / _MAP[0]:.2f}" '
            f'style="border-top:1px solid #23303a">{drawn}</svg>'
        )


def _clear_of_each_other(
    places: Sequence[tuple[float, float]], names: Sequence[str]
) -> Iterator[tuple[float, float, str]]:
    """Yield the names that stand on no earlier one; the others are told by the mouse and in the table."""
    kept: list[tuple[float, float, float]] = []
    for (middle, y), name in zip(places, names, strict=True):
        half = sum(6.0 if ord(c) > 0x2E7F else 3.5 for c in name)
        x = min(max(middle, half + 2), _MAP[0] - half - 2)  # a name near the edge stays whole
        if all(abs(x - a) >= half + b or abs(y - c) >= 13 for a, c, b in kept):
            kept.append((x, y, half))
            yield x, y, name


def _dense(places: np.ndarray, sizes: np.ndarray) -> tuple[float, float, float, float] | None:
    """Return the frame (x, y, width, height) of the half of many districts that is crowded; None where none is too small to see."""
    if len(sizes) < 60 or np.median(sizes) > _MAP[0] / 30:
        return None
    middle, part = np.median(places, axis=0), np.array([_MAP[0], _INSET])
    reach = float(np.quantile((np.abs(places - middle) / part).max(axis=1), 0.5)) * 1.1
    if reach > 0.25:  # no crowd: they are small everywhere
        return None
    return (*(middle - reach * part), *(2 * reach * part))
