"""`coverage.xlsx`: 社区×设施矩阵 and 缺口清单 first, then what they are made of; and how any table becomes a sheet."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import pandas as pd

from ..access import AT_LEAST, EXACT, SEVERITIES, only_known, rests_on
from ..core import BASIS_LABELS, DENOMINATOR_LABELS, METHOD_LABELS, crs_label, growing, keeping, say, speaking, title
from ..district import District, credit_of, kind_name, list_told, of_list, place_title, walker_name, year_told
from ..maps import DEMONSTRATION_TEXT
from .analysis import LISTED, Analysis, by_heading
from .story.evidence import layers_told, may_be_told
from .story.goals import goal_of
from .tables import is_year

if TYPE_CHECKING:
    import xlsxwriter
    from xlsxwriter.format import Format

#: Where the results of homes stand if they are too many to be listed.
DETAILS = "coverage.parquet"
#: Rows that fit into a sheet, its heads left out.
FITTING = 1_048_000


def workbook(
    district: District,
    results: Analysis,
    path: Path,
    changed: Mapping[str, tuple[pd.DataFrame, str]] = MappingProxyType({}),
) -> None:
    """
    Write `coverage.xlsx`: 社区×设施矩阵 and 缺口清单 first, then headlines, groups, homes, the annex, sources.

    `changed`: by sheet name what a plan changes, and what its numbers are; these sheets come last.
    """
    with speaking(results.lang):
        sheets = [*_sheets(district, results), *((name, *told) for name, told in changed.items())]
        write_workbook(path, say("{0} 公共服务设施覆盖", place_title(district)), district.year, sheets, foot(district))
    if results.many:
        _write_details(results.cover, path.with_name(DETAILS))


def _write_details(cover: pd.DataFrame, path: Path) -> None:
    from fastparquet import write

    rows = only_known(cover).reset_index()
    texts = [name for name, kind in rows.dtypes.items() if not pd.api.types.is_numeric_dtype(kind)]
    rows = rows.astype(dict.fromkeys(texts, object))
    with growing(path) as fresh:
        write(
            str(fresh), rows.where(rows.notna(), None).astype(rows.dtypes), object_encoding="utf8", compression="ZSTD"
        )


def write_workbook(
    path: Path, title: str, year: int, sheets: Iterable[tuple[str, pd.DataFrame, str]], note: str
) -> None:
    """Write a workbook of tables: (sheet name, table with Chinese headers, what its numbers are); `note` under each title."""
    import xlsxwriter

    options = {"strings_to_formulas": False, "strings_to_urls": False, "nan_inf_to_errors": False, "in_memory": True}
    with growing(path) as fresh, xlsxwriter.Workbook(fresh, options) as book:
        # A fixed creation time: the same inputs must give the same bytes.
        book.set_properties({"title": title, "created": datetime(year, 1, 1, tzinfo=UTC)})
        for name, table, unit in sheets:
            write_sheet(book, name, table, unit, note)


def _sheets(district: District, results: Analysis) -> Iterator[tuple[str, pd.DataFrame, str]]:
    """Yield (sheet name, table with Chinese headers, what its numbers are)."""
    lead = results.headlines
    matrix = results.presence
    names = district.communities["name"] if district.communities is not None else pd.Series(dtype="str")
    if len(matrix):
        table = matrix.rename(columns={kind: kind_name(district, str(kind)) for kind in matrix.columns})
        table.insert(0, "社区", names.reindex(table.index))
        table.index.name = "社区代码"
        unit = say("开放设施个数；{0} 个社区{1}", len(table), of_list(district))
    else:
        table, unit = pd.DataFrame({"说明": [say("数据不足：没有社区界或没有设施")]}), ""
    yield "社区×设施矩阵", table.reset_index(), unit
    told = say("人口为常住人口；分钟按该规则的人群步速，含过街等候")
    if results.gaps_unlisted:
        told += say("；共 {0} 行，这里是前 {1} 行", f"{len(results.gaps):,}", f"{LISTED:,}")
    yield "缺口清单", _gap_sheet(results.gaps.head(LISTED), names), told
    labels = lead["label"]
    for heading, own in by_heading(lead.loc[results.order]):
        rows = own.reset_index()
        if results.ranges:
            goals = [goal_of(results, str(rule)) for rule in rows["rule"]]
            rows = rows.assign(firm=[goal.firm for goal in goals], checked=[goal.checked for goal in goals])
        rows = rows if (rows["needs"] != "").any() else rows.drop(columns="needs")
        yield (
            heading,
            _named(
                rows,
                {
                    "label": "指标",
                    "headline": "结果",
                    "firm": "核实后",
                    "checked": "核没核",
                    "mark": "标记",
                    "alternatives": "换算法",
                    "standard_text": "依据",
                    "cited": "标准、条款、可信度",
                    "dependent_share": "依赖界外设施的份额",
                    "people_unserved": "不可达人口",
                    "basis_text": "数据依据",
                    "needs": "还要查清",
                    "rule": "规则",
                },
            ),
            say("份额为 0–1"),
        )
    for group, label in (("zone", "分区"), ("area", "片区"), ("community", "社区")):
        if group in results.by:
            yield (
                f"按{label}",
                _group_sheet(district, results.by[group], group, label, labels),
                say("人、平方米；份额为 0–1"),
            )
    if results.many:
        told = say("共 {0} 行，全部在 {1}；这里一行为一条规则；份额为 0–1", f"{len(results.cover):,}", DETAILS)
        yield "小区明细", _walks_sheet(results.walks, labels), told
    else:
        told = say("一行为一个小区在一条规则下的结果；份额为 0–1")
        yield "小区明细", _cover_sheet(district, results.cover, labels), told
    table = results.completeness
    if len(table):
        yield (
            "配套齐全度",
            _named(
                table.drop(columns="geometry").reset_index(),
                {
                    "home": "小区编号",
                    "name": "小区",
                    "community": "社区代码",
                    "completeness": "齐全度",
                    "complete": "全部齐全的份额",
                    "kinds": "计入类别数",
                    "lacks": "缺",
                    "people": "常住人口",
                    "people_60plus": "60岁及以上",
                },
            ),
            say("成人步行 15 分钟内有的必备类别份额，0–1"),
        )
    yield "附表 全部口径", _annex(district, results.summary, labels), say("方法 × 分母；份额为 0–1")
    findings = may_be_told(district, results.audit)
    findings = findings.assign(severity=findings["severity"].map(lambda s: say(SEVERITIES[s])))
    yield (
        "数据核查",
        _named(
            findings,
            {
                "severity": "轻重",
                "topic": "方面",
                "finding": "发现",
                "where": "哪里",
                "count": "处数",
                "people": "涉及人口",
                "remedy": "怎么办",
            },
        ),
        rests_on(district),
    )
    yield "来源与依据", layers_told(district), ""
    problems = district.problems
    yield (
        "数据提示",
        _named(
            problems,
            {
                "severity": "级别",
                "layer": "图层",
                "file": "文件",
                "row": "行",
                "field": "列",
                "problem": "问题",
                "remedy": "怎么办",
            },
        ),
        "",
    )


def _named(table: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """Return the columns of `names` that exist, under their Chinese names, in that order."""
    kept = [c for c in names if c in table.columns]
    return table[kept].rename(columns=dict(names))


def _said(labels: Mapping[str, str]) -> dict[str, str]:
    """Return labels in the language that is spoken."""
    return {key: say(label) for key, label in labels.items()}


def _gap_sheet(table: pd.DataFrame, communities: pd.Series) -> pd.DataFrame:
    if table.empty:
        return pd.DataFrame({"说明": [say("没有缺口，或数据不足")]})
    rows = table.assign(community_name=table["community"].map(communities))
    return _named(
        rows,
        {
            "label": "指标",
            "name": "小区",
            "community_name": "社区",
            "people_unserved": "不可达人口",
            "people_60plus_unserved": "不可达60岁及以上",
            "share_unserved": "不可达份额",
            "minutes": "到最近设施（分钟）",
            "gate_minutes": "其中到出入口",
            "wait_minutes": "其中过街等候",
            "street_minutes": "其中沿街步行",
            "walked_metres": "步行距离（米）",
            "straight_metres": "到它的直线（米）",
            "detour": "绕行倍数",
            "crosses": "隔着",
            "reason": "原因",
            "home": "小区编号",
        },
    )


_SUMMARY_NAMES = {
    "label": "指标",
    "share": "份额（本规则分母）",
    "people": "常住人口",
    "people_served": "可达人口",
    "people_share": "人口份额",
    "people_60plus": "60岁及以上",
    "people_60plus_served": "可达60岁及以上",
    "people_60plus_share": "60岁及以上份额",
    "area_m2": "居住用地（平方米）",
    "area_m2_served": "可达居住用地（平方米）",
    "area_m2_share": "居住用地份额",
    "homes": "小区数",
    "homes_served": "可达小区（折合）",
    "people_unknown": "人口未知的小区数",
    "rule": "规则",
}


def _group_sheet(
    district: District, table: pd.DataFrame, group: str, label: str, labels: Mapping[str, str]
) -> pd.DataFrame:
    layer = {"zone": "zones", "area": "areas", "community": "communities"}[group]
    names = district.layers[layer]["name"] if layer in district.layers else pd.Series(dtype="str")
    rows = table.reset_index()
    rows["label"] = rows["rule"].map(labels)
    rows[group] = rows[group].map(names).fillna(rows[group]).fillna(say("（不在任何一个里）"))
    return _named(rows, {group: label, **_SUMMARY_NAMES})


def _cover_sheet(district: District, cover: pd.DataFrame, labels: Mapping[str, str]) -> pd.DataFrame:
    facilities = district.facilities
    names = pd.Series(dtype="str") if facilities is None else facilities["name"]
    rows = only_known(cover).reset_index()
    rows["label"] = rows["rule"].map(labels)
    rows["facility"] = rows["facility"].map(names[~names.index.duplicated()]).astype(object).fillna(rows["facility"])
    rows["method"] = rows["method"].map(_said(METHOD_LABELS))
    rows["basis"] = rows["basis"].map(_said(BASIS_LABELS))
    rows["method"] = rows["method"].where(rows["metric"] != "presence", say("按社区计（界内有即算）"))
    if district.zones is not None:
        rows["zone"] = rows["zone"].map(district.zones["name"]).fillna(rows["zone"])
    return _named(
        rows,
        {
            "home": "小区编号",
            "name": "小区",
            "label": "指标",
            "method": "方法",
            "facility": "最近设施",
            "straight_metres": "直线距离（米）",
            "metres": "路网距离（米）",
            "minutes": "步行时间（分钟）",
            "served": "可达份额",
            "served_buffer": "直线半径",
            "served_network_m": "路网距离",
            "served_walk_min": "步行时间",
            "served_inside": "仅界内设施",
            "people": "常住人口",
            "people_60plus": "60岁及以上",
            "area_m2": "居住用地（平方米）",
            "zone": "分区",
            "community": "社区代码",
            "basis": "依据类型",
            "rule": "规则",
        },
    )


def _walks_sheet(walks: pd.DataFrame, labels: Mapping[str, str]) -> pd.DataFrame:
    rows = walks.reset_index().assign(label=walks.index.map(labels))
    return _named(
        rows,
        {
            "label": "指标",
            "homes": "小区数",
            "reached": "知道步行时间的",
            "q25": "四分之一不超过（分钟）",
            "q50": "一半不超过（分钟）",
            "q75": "四分之三不超过（分钟）",
            "q95": "95% 不超过（分钟）",
            "served": "可达份额（小区平均）",
            "rule": "规则",
        },
    )


def _annex(district: District, total: pd.DataFrame, labels: Mapping[str, str]) -> pd.DataFrame:
    rows = total.reset_index()
    rows["label"] = rows["rule"].map(labels)
    rows["bound"] = rows["bound"].map({EXACT: "", AT_LEAST: say("至少（没有查全）")})
    rows = rows if (rows["bound"] != "").any() else rows.drop(columns="bound")
    rows["profile"] = rows["profile"].map(lambda name: walker_name(district, district.profile(name)))
    rows["method"] = rows["method"].map(_said(METHOD_LABELS))
    rows["denominator"] = rows["denominator"].map(_said(DENOMINATOR_LABELS))
    return _named(rows, {"method": "方法", "profile": "人群", "denominator": "分母", "bound": "界", **_SUMMARY_NAMES})


def write_sheet(book: xlsxwriter.Workbook, name: str, table: pd.DataFrame, unit: str, note: str) -> None:
    """Write one table: title line, header, rows, filter, frozen panes, widths, number formats."""
    if len(table) > FITTING:
        unit += say("；共 {0} 行，这里是前 {1} 行", f"{len(table):,}", f"{FITTING:,}")
        table = table.head(FITTING)
    sheet = book.add_worksheet(title(name))
    head = book.add_format({"bold": True, "bg_color": "#DDE7EE", "border": 1, "text_wrap": True, "valign": "vcenter"})
    quiet = book.add_format({"italic": True, "font_color": "#666666"})
    sheet.write_string(
        0,
        0,
        say("　").join(text for text in (title(name), unit) if text),
        book.add_format({"bold": True, "font_size": 13}),
    )
    sheet.write_string(1, 0, note, quiet)
    looks: dict[str, Format] = {}  # each made once: XlsxWriter asks every cell again for that of two which are the same
    for j, (column, own) in enumerate(table.items()):  # two may be called the same: names are the data's
        shown = title(str(column))
        sheet.write_string(2, j, shown, head)
        shape = _number_format(own, str(column))
        look = looks[shape] = looks.get(shape) or book.add_format({"num_format": shape})
        texts = {shown}
        for i, value in enumerate(own.to_numpy(dtype=object).tolist(), 3):
            if isinstance(value, str):
                sheet.write_string(i, j, value)
                texts.add(value)
            elif value is not None and value is not pd.NA and math.isfinite(value):
                sheet.write_number(i, j, value, look)
        sheet.set_column(j, j, min(max(max(map(_width, texts)) + 1, 7), 60))
    sheet.freeze_panes(3, 2 if len(table.columns) > 4 else 0)
    if len(table) and len(table.columns):
        sheet.autofilter(2, 0, 2 + len(table), len(table.columns) - 1)
    if name.startswith("社区×设施"):
        red = book.add_format({"bg_color": "#F6D6CF"})
        last = max(len(table.columns) - 1, 2)
        sheet.conditional_format(
            3, 2, 2 + len(table), last, {"type": "cell", "criteria": "==", "value": 0, "format": red}
        )
    sheet.set_landscape()
    sheet.set_paper(8)
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(2)
    sheet.print_area(0, 0, 2 + len(table), max(len(table.columns) - 1, 0))
    sheet.set_footer("&L" + note.replace("&", "&&")[:200] + "&R&P / &N")


def _number_format(values: pd.Series, column: str) -> str:
    if values.dtype == object or pd.api.types.is_string_dtype(values.dtype):
        return "General"
    numbers = pd.to_numeric(values, errors="coerce").dropna()
    if is_year(column):
        return "0"
    if "份额" not in column and any(word in column for word in ("人口", "60岁", "人数")):
        return "#,##0"
    if (
        "份额" in column
        or column.endswith(say("（份额）"))
        or column in ("齐全度", "直线半径", "路网距离", "步行时间", "仅界内设施")
    ):
        return "0.0%"
    return "#,##0" if len(numbers) == 0 or (numbers == numbers.round()).all() or numbers.abs().max() >= 1000 else "0.0"


_WIDE = re.compile("[^\0-\u2e7f]")


def _width(text: str) -> int:
    """Return the width of text in Excel's half-width characters."""
    return len(text) if text.isascii() else len(text) + len(_WIDE.findall(text))


def foot(district: District) -> str:
    """Return what stands under every table: demonstration or not, who may see it, year, CRS, credit."""
    mark = say("{0}。", say(DEMONSTRATION_TEXT)) if district.is_demonstration else ""
    mark += say("{0}。", keeping(district.manifest))
    text = "{0}{1}，数据年份 {2}{3}，坐标系 {4}。{5}"
    return say(
        text,
        mark,
        place_title(district),
        year_told(district),
        list_told(district),
        crs_label(district.crs),
        credit_of(district),
    )
