"""
Plans for the meeting: two states side by side, and all plans of a folder on one page.

Everything is counted by `scenario`, `provision` and `ledger`; here it is put into one table a meeting can read, a workbook,
and pages that load nothing.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import geopandas as gpd
import pandas as pd
import xlsxwriter

from ... import maps
from ...core import (
    EnvironmentProblem,
    ScenarioError,
    SourceError,
    Worker,
    as_typed,
    csv_text,
    growing,
    holds,
    language,
    named_by_homes,
    read_layer,
    refuse_uncleared,
    say,
    signed,
    speaking,
    word,
    write_text,
)
from ...core import title as column_title
from ...district import District, Scenario, scenarios, steps
from ...maps import DEMONSTRATION_TEXT, MARKS_STYLE
from ...siting import BASE_LABELS, provision
from ..analysis import Analysis, Comparison, Progress
from ..files import added_to, refuse_foreign
from ..states import State, state_of, year_by_year, year_of_several
from ..story.change import Change, few_names, side_by_side
from ..sums import abouts, of_change
from ..tables import marked_rows, titled
from ..workbook import foot, write_sheet
from .brief import link_pages
from .change import concluded, demonstration_mark
from .receipts import OF_CHANGE, receipts_page
from .shell import followed, heads, page_text, receipt_line, scrolled, table_html

#: How many rules of a plan the page of all plans lists.
ROWS = 10
#: Where the comparisons of a folder's plans lie beside a brief, each in a folder of its name.
COMPARED = "plans"
#: What a comparison, and the page of all plans, are made of.
COMPARISON_FILES = ("compare.html", "方案比较.xlsx", OF_CHANGE)
PLANS_FILES = ("plans.html", "tables/方案.xlsx")

_EFFECT_NAMES = {
    "label": "指标",
    "before": "之前",
    "after": "之后",
    "points": "变化（百分点）",
    "net_text": "净增（按本指标）",
    "firm": "核实后相差",
    "people_gain": "受益居民（人）",
    "people_60plus_gain": "其中60岁及以上（人）",
    "people_lose": "受影响居民（人）",
    "people_60plus_lose": "受影响的60岁及以上（人）",
    "people_crowded": "服务负荷上升的居民（人）",
    "people_relieved": "设施更松的居民（人）",
    "people_new_served": "导入人口可达（人）",
    "people_new_unserved": "导入人口不可达（人）",
    "homes_gain": "受益小区",
    "homes_lose": "受影响小区",
    "code": "编号",
}


def comparison(change: Change, *, targets: bool = True) -> dict[str, tuple[pd.DataFrame, str]]:
    """
    Put what differs between two states into tables with Chinese headers.

    Parameters
    ----------
    targets
        Whether the plan's targets are evaluated too (some seconds).

    Returns
    -------
    tables
        By sheet name: table, and what its numbers are.
    """
    pair = change.pair
    sheets = {
        "一页表": (
            titled(change.rules, _EFFECT_NAMES),
            say("之前、之后为各指标自己的分母中可达的份额；服务负荷上升、下降：最近的一处使用人口多或少一成以上"),
        ),
        "小区变化": (
            titled(
                change.homes,
                {
                    "home": "小区编号",
                    "name": "小区",
                    "label": "指标",
                    "state": "状态",
                    "people": "常住人口",
                    "people_60plus": "60岁及以上",
                    "minutes_before": "之前（分钟）",
                    "minutes_after": "之后（分钟）",
                    "minutes_change": "变化（分钟）",
                    "served_before": "之前可达份额",
                    "served_after": "之后可达份额",
                    "served_change": "变化份额",
                    "facility_before": "之前最近",
                    "facility_after": "之后最近",
                },
            ),
            say("分钟为小区中位点到最近设施；负数为更近"),
        ),
        "设施使用人数": (
            titled(
                change.users,
                {
                    "label": "指标",
                    "facility": "设施编号",
                    "name": "设施",
                    "users_before": "之前人口",
                    "users_after": "之后人口",
                    "change": "变化人数",
                },
            ),
            say("可达居民按最近一处计，单位：人"),
        ),
    }
    if targets and "commitments" in pair.before.district.rows:
        sheets["目标变化"] = (
            titled(
                pair.verdicts.reset_index(),
                {
                    "commitment": "任务",
                    "measure": "量法",
                    "label": "量什么",
                    "target_text": "目标",
                    "unit": "单位",
                    "value_before": "之前的数",
                    "value_after": "之后的数",
                    "value_change": "变化",
                    "reached": "数值是否到目标",
                    "verdict_before": "之前判定",
                    "verdict_after": "之后判定",
                },
            ),
            say("规划目标中数值或判定有变化的各项"),
        )
    return sheets


def workbook(path: Path, district: District, sheets: Mapping[str, tuple[pd.DataFrame, str]]) -> None:
    """
    Write tables into one workbook, beside the target first; a demonstration says so on every sheet.

    Raises
    ------
    EnvironmentProblem
        It cannot be written, or is held open.
    """
    refuse_uncleared(district.manifest, "写出表格")
    note = (say(DEMONSTRATION_TEXT) + say("　") if district.is_demonstration else "") + foot(district)
    options = {"strings_to_formulas": False, "strings_to_urls": False}
    with growing(path) as fresh, xlsxwriter.Workbook(fresh, options) as book:
        book.set_properties({"title": path.stem, "created": _EPOCH})
        for name, (table, unit) in sheets.items():
            rows = table if len(table) else pd.DataFrame({"说明": [say("没有变化")]})
            write_sheet(book, name[:31], rows, unit, note)


_EPOCH = pd.Timestamp(2000, 1, 1).to_pydatetime()


def write_table(path: Path, district: District, name: str, table: pd.DataFrame, unit: str = "") -> None:
    """
    Write one table as .xlsx or .csv, by the ending of the file's name.

    Raises
    ------
    EnvironmentProblem
        It cannot be written, or the ending is another.
    """
    if path.suffix.lower() == ".xlsx":
        workbook(path, district, {name: (table, unit)})
        return
    if path.suffix.lower() != ".csv":
        raise EnvironmentProblem(say("表格写成 .xlsx 或 .csv，不认识 {0}", path.name))
    refuse_uncleared(district.manifest, "写出表格")
    marked = marked_rows(table, district)
    write_text(path, csv_text(marked.rename(columns=column_title), index=False), mark=True)


def read_shapes(path: Path) -> gpd.GeoDataFrame:
    """
    Read a layer of lines and points (GeoJSON, GeoPackage, shapefile) to try as links.

    Raises
    ------
    SourceError
        It is not there, cannot be read, or names no CRS.
    """
    if not path.is_file():
        raise SourceError(say("文件不存在：{0}", path.name))
    frame = read_layer(path)
    if not isinstance(frame, gpd.GeoDataFrame) or frame.crs is None:
        raise SourceError(say("{0} 没有图形或坐标系；用 GIS 存成 GeoJSON 或 GeoPackage", path.name))
    return frame.explode(index_parts=False, ignore_index=True)


def write_scenario(path: Path, plan: Scenario, district: District) -> None:
    """
    Write a scenario as TOML; it names places of the district it was made from.

    Raises
    ------
    SourceError
        A layer of the district is secret, and nobody has cleared its outputs.
    EnvironmentProblem
        It cannot be written.
    """
    refuse_uncleared(district.manifest, "写出方案")
    write_text(path, plan.text())


def write_new(path: Path, text: str) -> None:
    """
    Write a new file; one that is there already is left alone.

    Raises
    ------
    EnvironmentProblem
        Another one is there already, or it cannot be written.
    """
    # the same is there where a run was killed right after it
    if path.exists() and not holds(path, text.encode()):
        raise EnvironmentProblem(say("{0} 已经有了，没有改动它；换一个方案名，或先移走", path.name))
    write_text(path, text)


def provision_sheet(table: pd.DataFrame) -> pd.DataFrame:
    """Return a provision list with Chinese headers."""
    own = {column: [word(str(cell)) for cell in table[column]] for column in ("label", "unit")}
    rows = table.assign(base=[column_title(BASE_LABELS[base]) for base in table["base"]], **own)
    return titled(
        rows,
        {
            "label": "配什么",
            "base": "按什么算",
            "base_amount": "新增数",
            "required": "应配",
            "unit": "单位",
            "required_m2": "应配建筑面积（m²）",
            "required_site_m2": "应配用地（m²）",
            "own": "方案自带可用",
            "absorbed": "周边可接纳",
            "missing": "还缺",
            "to_build": "须新建（取整）",
            "verdict": "结论",
            "reach": "周边指",
            "facilities": "周边设施",
            "standard_text": "依据与可信度",
            "note": "备注",
            "mark": "标记",
        },
    )


@named_by_homes
def write_comparison(
    before: State,
    after: State,
    to: str | Path,
    *,
    rules: str = "plan",
    ranges: bool = False,
    back: str | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """
    Write a comparison into a folder: `compare.html`, `方案比较.xlsx`, and a map of differences and a swipe map per changed rule.

    Parameters
    ----------
    before, after
        Two states (`state_of`).
    rules
        A set of rules.
    ranges
        Whether it is said how firm the differences are.
    back
        Where the page of all plans lies, as seen from the folder; None where there is none.

    Returns
    -------
    table
        The one-page table (Chinese headers).

    Raises
    ------
    EnvironmentProblem
        A file cannot be written.
    """
    refuse_uncleared(before.district.manifest, "写出方案比较")
    refuse_foreign(Path(to), COMPARISON_FILES)
    pair = Comparison.of(before.district, after.district, rules, ranges=ranges)
    with added_to(Path(to)) as folder:
        return comparison_files(Change(pair), (before.label, after.label), folder, progress, back=back)


def comparison_files(
    change: Change, names: tuple[str, str], folder: Path, progress: Progress | None = None, *, back: str | None = None
) -> pd.DataFrame:
    """Write the files of a comparison into a folder; return the one-page table. Parameters as in `write_comparison`."""
    pair, tell = change.pair, progress or (lambda _: None)
    e, old, lang = html.escape, pair.before.district, language()
    tell(say("计算两边的覆盖、人数和目标"))
    sheets = comparison(change)
    links: dict[str, str] = {}
    for rule, label in change.drawn.items():
        tell(say("画地图：{0}", label))
        files = f"maps/difference-{rule}.html", f"maps/swipe-{rule}.html"
        (folder / "maps").mkdir(parents=True, exist_ok=True)
        maps.difference(pair.maps, rule, lang=lang).save(folder / files[0])
        maps.swipe(pair.maps, rule, sides=names, lang=lang).save(folder / files[1])
        links |= {files[0]: say("{0}：差异图", label), files[1]: say("{0}：左右对比", label)}
    workbook(folder / "方案比较.xlsx", old, sheets)
    body = "".join(
        _section(name, _few_names(sheets[name][0]), sheets[name][1], about)
        for name, about in abouts(change).items()
        if name in sheets
    )
    listed = "".join(f'<li><a href="{e(file)}">{e(text)}</a></li>' for file, text in links.items())
    listed = f'<section><h2>{say("地图")}</h2><ul class="links">{listed}</ul></section>' if links else ""
    nav = f'<a href="方案比较.xlsx">{say("表格（含每个小区）")}</a>'
    nav += "" if back is None else f'　<a href="{e(back)}">{say("全部方案")}</a>'
    nav += f'　<a href="{OF_CHANGE}">{say("每个数的算式")}</a>'
    heading, options = say("{0}与{1}", *names), say(" --plan 方案")
    write_text(folder / OF_CHANGE, receipts_page(old, of_change(change), heading, options))
    body = concluded(change) + listed + body + receipt_line(options)
    page = page_text(old, heading, nav, body, style=MARKS_STYLE)
    write_text(folder / "compare.html", page)
    return sheets["一页表"][0]


def _matrix(district: District, plans: Mapping[str, _Told]) -> str:
    """Return all plans beside each other: what each changes of each goal, with its sums where there is a page of them."""
    e, table = html.escape, side_by_side({name: own.goals for name, own in plans.items()})
    rows = "".join(
        f"<tr><td>{e(table.loc[rule, ('', 'label')])}</td>"
        + "".join(_matrix_cell(table.loc[rule, name], own.sums, str(rule)) for name, own in plans.items())
        + "</tr>"
        for rule in table.index
    )
    linked = [f'<a href="#{e(name)}">{e(own.label or name)}</a>' for name, own in plans.items()]
    body = scrolled(heads([say("目标"), *linked]), rows) if rows else f"<p>{say('没有一个方案改变任何目标。')}</p>"
    note = say(
        "各方案与同一年没有它的情形相比：按目标自己的分母净增，括号里是百分点（净增为 0 的，份额只因人口迁入或迁出而变）；“—”为没有变化"
    )
    mark = demonstration_mark(district)
    return f'<section><h2>{say("方案一览")}{mark}</h2>{body}<p class="small">{note}</p></section>'


def _matrix_cell(found: pd.Series, page: str, rule: str) -> str:
    if found["tone"] not in ("gain", "lose", "others"):
        return f'<td class="same">{say("数据不足") if found["tone"] == "unknown" else "—"}</td>'
    told = f"{html.escape(found['net_text'])}<br>{say('（{0}）', signed(found['points'])).strip()}"
    tone = "unknown" if found["net_text"] == say("数据不足") else found["tone"]
    return f'<td class="{tone}">{followed(told, page, rule) if page else told}</td>'


@named_by_homes
def write_plans(
    district: District, to: str | Path, *, rules: str = "plan", progress: Progress | None = None
) -> pd.DataFrame:
    """
    Write all plans of a district's folder into `plans.html` and `方案.xlsx`, each against the same year without it.

    Returns
    -------
    table
        Index scenario; `label`, `year`, `people_gain`, `people_60plus_gain`, `people_lose` of the rule it moves most, `rule`.

    Raises
    ------
    ScenarioError
        The folder has no plan.
    EnvironmentProblem
        A file cannot be written.
    """
    refuse_uncleared(district.manifest, "写出方案比较")
    refuse_foreign(Path(to), PLANS_FILES)
    names = [str(name) for name in scenarios(district).index]
    if not names:
        raise ScenarioError(say("这个目录里没有方案（scenarios/*.toml）；用 scenario new 建一个"))
    tell, told = progress or (lambda _: None), {}
    for name in names:
        tell(say("计算方案：{0}", district.scenario(name).label or name))
        told[name] = _told(district, name, _planned(district, name, rules), Path(to))
    return _write_plans(district, Path(to), told)


class _Planned(NamedTuple):
    """A plan of the folder, what its two states are called, and what it changes against the same year without it."""

    plan: Scenario
    labels: tuple[str, str]
    change: Change


def _planned(district: District, name: str, rules: str) -> _Planned:
    after = state_of(district, name)
    before = state_of(district, None, year=after.district.year)
    pair = Comparison.of(before.district, after.district, rules)
    return _Planned(district.scenario(name), (before.label, after.label), Change(pair))


class _Told(NamedTuple):
    """What the page of all plans says of one."""

    label: str
    sums: str  # the page of its sums; "" where it has none
    section: str
    row: tuple[Any, ...]
    sheets: dict[str, tuple[pd.DataFrame, str]]
    goals: pd.DataFrame


def _told(district: District, name: str, own: _Planned, to: Path) -> _Told:
    plan, change = own.plan, own.change
    compared = f"{COMPARED}/{name}" if (to / COMPARED / name / OF_CHANGE).is_file() else ""
    after, best = change.pair.after.district, change.gains.iloc[0]
    needs = provision(district, plan, after=after) if any(edit.do == "build_homes" for edit in plan.edits) else None
    sheets = {name: (titled(change.gains, _EFFECT_NAMES), say("之前、之后为可达的份额；之前是同一年没有这个方案"))}
    if needs is not None:
        sheets[say("配建 {0}", name)] = provision_sheet(needs), say("应配 = 新增数 ÷ 每多少 × 应有多少")
    gained = best[["people_gain", "people_60plus_gain", "people_lose", "label"]]
    section = _plan_section(district, name, own, needs, compared)
    sums = f"{compared}/{OF_CHANGE}" if compared else ""
    return _Told(plan.label, sums, section, (name, plan.label, after.year, *gained), sheets, change.goals)


def _write_plans(district: District, to: Path, told: Mapping[str, _Told]) -> pd.DataFrame:
    """Write the page and the workbook of all plans."""
    columns = ["scenario", "label", "year", "people_gain", "people_60plus_gain", "people_lose", "rule"]
    summary = pd.DataFrame([own.row for own in told.values()], columns=columns).set_index("scenario")
    nav = f'<a href="index.html">{say("简报")}</a>　' if (to / "index.html").is_file() else ""
    nav += f'<a href="tables/方案.xlsx">{say("表格")}</a>'
    body = _matrix(district, told) + "".join(own.section for own in told.values())
    page = page_text(district, say("{0} 方案", district.name), nav, body, style=MARKS_STYLE)
    with added_to(to) as folder:
        sheets = {name: sheet for own in told.values() for name, sheet in own.sheets.items()}
        workbook(folder / "tables" / "方案.xlsx", district, sheets)
        write_text(folder / "plans.html", page)
    link_pages(to)
    return summary


@named_by_homes
def write_comparisons(
    district: District, to: str | Path, *, rules: str = "plan", progress: Progress | None = None, processes: int = 1
) -> list[str]:
    """
    Compare each plan of a district's folder with the same year without it (`plans/NAME/compare.html`), then write `plans.html`.

    Parameters
    ----------
    processes
        2 shares the plans out with a second process, where there is a processor for it; the files are the same.

    Returns
    -------
    names
        The plans; none where the folder has none, and then nothing is written.

    Raises
    ------
    ScenarioError
        Plans that cannot be carried out, all of them; what there is of the others has been written.
    EnvironmentProblem
        A file cannot be written.
    """
    names = [str(name) for name in scenarios(district).index]
    refuse_uncleared(district.manifest, "写出方案比较")
    if not names:
        return names
    refuse_foreign(Path(to), PLANS_FILES)
    for name in names:
        refuse_foreign(Path(to) / COMPARED / name, COMPARISON_FILES)
    tell, told, wrong = progress or (lambda _: None), dict[str, _Told](), list[str]()
    queue = year_by_year(district, names)
    if processes > 1 and (year := year_of_several(district, queue)) is not None:
        # Both processes would work out what that year is like without a plan: the second knows it from its beginning.
        before = Analysis.of(state_of(district, None, year=year).district, rules)
        before.summary, before.ledger  # noqa: B018
    with Worker(district, processes=processes) as aside:
        # The last first: plans are compared here from the first on, and there from the last, until they meet.
        ahead = [aside(_compared, district, name, Path(to), rules, language()) for name in reversed(queue)]
        for number, (name, fetch) in enumerate(zip(queue, reversed(ahead), strict=True), start=1):
            tell(say("方案 {0}/{1}：{2}", number, len(names), district.scenario(name).label or name))
            try:
                told[name] = fetch()
            except ScenarioError as error:
                wrong.append(str(error))
    if told:
        _write_plans(district, Path(to), {name: told[name] for name in names if name in told})
    if wrong:
        raise ScenarioError("\n".join(wrong))
    return names


def _compared(district: District, name: str, to: Path, rules: str, lang: str) -> _Told:
    """Write the comparison of a plan; return what is said of it beside the others."""
    with speaking(lang):
        own, folder = _planned(district, name, rules), to / COMPARED / name
        with added_to(folder) as fresh:
            comparison_files(own.change, own.labels, fresh, back="../../plans.html")
        return _told(district, name, own, to)


def _plan_section(district: District, name: str, own: _Planned, needs: pd.DataFrame | None, compared: str) -> str:
    """
    Return one plan: what it does and assumes, whom it serves, what it must provide.

    `needs` is what it must provide where it builds homes; `compared` is the folder of its comparison, "" where there is none.
    """
    e, plan, change = html.escape, own.plan, own.change
    items = "".join(
        f"<li>{e(row.text)}"
        + (f'<br><span class="small">{e(say("假定：{0}", row.assumes))}</span>' if row.assumes else "")
        + "</li>"
        for row in steps(plan, district).itertuples()
    )
    planned = f"<ul><li>{say('到期的规划设施全部开放')}</li></ul>" if plan.planned else ""
    what = f"<ol>{items}</ol>{planned}" if items or planned else f"<p>{say('没有改动。')}</p>"
    felt = change.felt.head(ROWS)
    left_out = ("homes_lose", "people_relieved", "people_new_unserved")  # what a meeting does not read
    short = {k: v for k, v in _EFFECT_NAMES.items() if k not in left_out}
    effect = (
        table_html(_few_names(titled(felt, short)), f"{compared}/{OF_CHANGE}" if compared else "", list(felt.index))
        if len(felt)
        else f'<p class="line">{say("各项指标都没有变化。")}</p>'
    )
    note = f'<p class="small">{e(say("说明：{0}", plan.note))}</p>' if plan.note else ""
    need = ""
    if needs is not None:
        columns = ["配什么", "应配", "单位", "方案自带可用", "周边可接纳", "须新建（取整）", "结论", "依据与可信度"]
        need = f"<h3>{say('配建清单（只算新来的人，还迁的不算）')}</h3>{table_html(provision_sheet(needs)[columns])}"
    more = f"<code>{as_typed('python run.py')} compare {e(name)} --out {say('文件夹')}</code>"
    if compared:
        there = "{0}：比较页、差异图、左右对比图" if change.drawn else "{0}：比较页"
        more = f'<a href="{e(compared)}/compare.html">{e(say(there, plan.label or name))}</a>'
    heading = say("{0}（{1} 年）", plan.label or name, change.pair.after.district.year)
    return (
        f'<section><h2 id="{e(name)}">{e(heading)}</h2>{note}<p class="line">{e(change.people)}</p>'
        f"<h3>{say('做什么，假定什么')}</h3>{what}<h3>{say('谁受益，谁受影响')}</h3>{effect}{need}"
        f'<p class="small">{say("细看：{0}", more)}</p></section>'
    )


def _few_names(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose lists of homes are short enough for a page; the workbook has them in full."""
    lists = table.columns.intersection(["受益小区", "受影响小区"])
    return table.assign(**{column: table[column].astype(str).map(few_names) for column in lists})


def _section(name: str, table: pd.DataFrame, unit: str, about: Sequence[str]) -> str:
    body = table_html(table, OF_CHANGE, about) if len(table) else f'<p class="line">{say("没有变化。")}</p>'
    return (
        f'<section><h2>{html.escape(column_title(name))}</h2><p class="small">{html.escape(unit)}</p>{body}</section>'
    )
