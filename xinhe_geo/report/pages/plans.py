"""
Plans for the meeting: two states side by side, and all plans of a folder on one page.

Everything is counted by `scenario`, `provision` and `ledger`; here it is put into one table a meeting can read, a workbook,
and pages that load nothing.
"""

from __future__ import annotations

import html
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

import geopandas as gpd
import numpy as np
import pandas as pd
import xlsxwriter

from ... import maps
from ...access import effects, home_changes, sharing
from ...core import EnvironmentProblem, ScenarioError, SourceError, read_layer, refuse_uncleared
from ...district import District, Scenario, scenarios, steps
from ...ledger import ledger
from ...maps import DEMONSTRATION_TEXT
from ...siting import BASE_LABELS, provision
from ..analysis import Progress
from ..files import added_to, beside, cannot_write, refuse_foreign, write_bytes
from ..tables import csv_text, marked_rows
from ..workbook import foot, write_sheet
from .brief import link_pages
from .shell import page_text, receipt_line, table_html, titled

#: How many rules get a map of their own in a comparison.
MAPS_AT_MOST = 6
#: Smaller changes of a share are rounding.
SHARE = 5e-5
#: Where the comparisons of a folder's plans lie beside a brief, each in a folder of its name.
COMPARED = "plans"

_EFFECT_NAMES = {
    "label": "指标",
    "before": "之前",
    "after": "之后",
    "change": "变化（百分点）",
    "people_gain": "受益居民（人）",
    "people_60plus_gain": "其中60岁及以上（人）",
    "people_lose": "受影响居民（人）",
    "people_crowded": "设施更挤的居民（人）",
    "people_relieved": "设施更松的居民（人）",
    "people_new_served": "新居民可达（人）",
    "people_new_unserved": "新居民不可达（人）",
    "homes_gain": "受益小区",
    "homes_lose": "受影响小区",
}


class State(NamedTuple):
    """A state of a district, and what it is called."""

    district: District
    label: str


def state_of(district: District, name: str | None, *, year: int | None = None, with_conflicts: bool = False) -> State:
    """
    Return a state of a district and what it is called.

    Parameters
    ----------
    name
        A scenario of the folder, a TOML file, or None: the district as it is.
    year
        The year it stands for where the scenario names none; None keeps the district's.
    with_conflicts
        Carry out a scenario that contradicts the district (see `conflicts`); its label then says so.

    Raises
    ------
    UnknownNameError, ScenarioError
        No such scenario, or one that cannot be carried out, or has conflicts.
    """
    if name is None:
        state = district if year is None else district.at(year, planned=district.with_planned)
        return State(state, f"现状（{state.year} 年）")
    plan: Scenario = Scenario.read(name) if name.endswith(".toml") else district.scenario(name)
    base = district if year is None or plan.year is not None else district.at(year, planned=district.with_planned)
    after = plan.on(base, with_conflicts=with_conflicts)
    return State(after, f"{after.manifest['scenario']}（{after.year} 年）")


def verdict_changes(before: District, after: District) -> pd.DataFrame:
    """
    List the targets of the plan whose value or verdict differs between two states.

    Returns
    -------
    table
        Index (commitment, measure). `label`, `unit`, `target_text`, `value_before`, `value_after`, `value_change`,
        `verdict_before`, `verdict_after`, `reached` (what the numbers alone would say: 达到, 不再达到 or empty; a demonstration
        carries its mark in the verdicts).
    """
    a, b = ledger(before), ledger(after)
    both = a[["label", "unit", "target_text", "operator", "target", "value", "verdict"]].join(
        b[["value", "verdict"]].add_suffix("_after"), how="inner"
    )
    same = (both["value"] == both["value_after"]) | (both["value"].isna() & both["value_after"].isna())
    both = both[~same | (both["verdict"] != both["verdict_after"])]
    table = both[["label", "unit", "target_text"]].copy()
    table["value_before"], table["value_after"] = both["value"], both["value_after"]
    table["value_change"] = both["value_after"] - both["value"]
    table["verdict_before"], table["verdict_after"] = both["verdict"], both["verdict_after"]
    table["reached"] = [_reached(row) for row in both.itertuples()]
    return table


class _Target(Protocol):
    """A target of the plan with its number in two states, as `itertuples` gives it."""

    operator: str
    target: float
    value: float
    value_after: float


def _reached(row: _Target) -> str:
    """Say whether the number crosses the target: only for targets that are a floor or a ceiling."""
    if row.operator not in (">=", "<=") or not np.isfinite(row.target):
        return ""
    sign = 1.0 if row.operator == ">=" else -1.0
    was, now = (np.isfinite(v) and sign * (v - row.target) >= -1e-9 for v in (row.value, row.value_after))
    return "" if was == now else "达到" if now else "不再达到"


def comparison(
    before: District, after: District, *, rules: str = "plan", targets: bool = True
) -> dict[str, tuple[pd.DataFrame, str]]:
    """
    Put what differs between two states into tables with Chinese headers.

    Parameters
    ----------
    rules
        A set of rules.
    targets
        Whether the plan's targets are evaluated too (some seconds).

    Returns
    -------
    tables
        By sheet name: table, and what its numbers are.
    """
    table = effects(before, after, rules=rules)
    shown = table[
        (table["change"].abs() > SHARE)
        | (table[["people_gain", "people_lose"]].max(axis=1) > 0.5)
        | (table[["people_crowded", "people_new_served", "people_new_unserved"]].max(axis=1) > 0.5)
    ]
    shown = by_residents(shown).assign(change=shown["change"] * 100)
    homes = home_changes(before, after, rules=rules)
    moved = homes[
        (homes["minutes_change"].abs() > 0.05) | (homes["served_change"].abs() > SHARE) | (homes["state"] != "both")
    ]
    states = {"both": "前后都有", "new": "新建", "gone": "拆除"}
    moved = moved.assign(state=moved["state"].map(states)).reset_index()
    users = sharing(before, after, rules=rules)
    users = users[users["change"].abs() > 0.5].reset_index()
    sheets = {
        "一页表": (
            titled(shown, _EFFECT_NAMES),
            "之前、之后为各指标自己的分母中可达的份额；设施更挤、更松：最近的一处使用人口多或少一成以上",
        ),
        "小区变化": (
            titled(
                moved,
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
            "分钟为小区中位点到最近设施；负数为更近",
        ),
        "设施使用人数": (
            titled(
                users,
                {
                    "label": "指标",
                    "facility": "设施编号",
                    "name": "设施",
                    "users_before": "之前人口",
                    "users_after": "之后人口",
                    "change": "变化人数",
                },
            ),
            "可达居民按最近一处计，单位：人",
        ),
    }
    if targets and "commitments" in before.rows:
        sheets["目标变化"] = (
            titled(
                verdict_changes(before, after).reset_index(),
                {
                    "commitment": "承诺",
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
            "规划目标中数值或判定有变化的各项",
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
    note = (DEMONSTRATION_TEXT + "　" if district.is_demonstration else "") + foot(district)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside(path) as fresh:
            with xlsxwriter.Workbook(fresh, {"strings_to_formulas": False, "strings_to_urls": False}) as book:
                book.set_properties({"title": path.stem, "created": _EPOCH})
                for name, (table, unit) in sheets.items():
                    rows = table if len(table) else pd.DataFrame({"说明": ["没有变化"]})
                    write_sheet(book, name[:31], rows, unit, note)
            os.replace(fresh, path)
    except OSError as error:
        raise cannot_write(path.name, error) from error


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
        raise EnvironmentProblem(f"表格写成 .xlsx 或 .csv，不认识 {path.name}")
    refuse_uncleared(district.manifest, "写出表格")
    marked = marked_rows(table, district)
    write_bytes(path, ("\ufeff" + csv_text(marked, index=False)).encode("utf-8"))


def read_shapes(path: Path) -> gpd.GeoDataFrame:
    """
    Read a layer of lines and points (GeoJSON, GeoPackage, shapefile) to try as links.

    Raises
    ------
    SourceError
        It is not there, cannot be read, or names no CRS.
    """
    if not path.is_file():
        raise SourceError(f"文件不存在：{path.name}")
    try:
        frame = read_layer(path)
    except SourceError:
        raise
    except Exception as error:  # drivers raise many types; the message is what matters
        raise SourceError(f"读不出来：{path.name}（{str(error).splitlines()[0][:160]}）") from error
    if not isinstance(frame, gpd.GeoDataFrame) or frame.crs is None:
        raise SourceError(f"{path.name} 没有图形或坐标系；用 GIS 存成 GeoJSON 或 GeoPackage")
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
    write_bytes(path, plan.text().encode("utf-8"))


def write_new(path: Path, text: str) -> None:
    """
    Write a new file; one that is there already is left alone.

    Raises
    ------
    EnvironmentProblem
        It is there already, or cannot be written.
    """
    if path.exists():
        raise EnvironmentProblem(f"{path.name} 已经有了，没有改动它；换一个方案名，或先移走")
    write_bytes(path, text.encode("utf-8"))


def provision_sheet(table: pd.DataFrame) -> pd.DataFrame:
    """Return a provision list with Chinese headers."""
    rows = table.assign(base=table["base"].map(BASE_LABELS))
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


def write_comparison(
    before: State,
    after: State,
    to: str | Path,
    *,
    rules: str = "plan",
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
    refuse_foreign(Path(to), ("compare.html", "方案比较.xlsx"))
    with added_to(Path(to)) as folder:
        return _write_comparison(before, after, folder, rules, progress or (lambda _: None), back)


def _write_comparison(
    before: State, after: State, folder: Path, rules: str, say: Progress, back: str | None
) -> pd.DataFrame:
    """Write the files of a comparison into a folder of their own; return the one-page table."""
    old, new, names = before.district, after.district, (before.label, after.label)
    say("计算两边的覆盖、人数和目标")
    sheets = comparison(old, new, rules=rules)
    table = effects(old, new, rules=rules)
    moved = table[["people_gain", "people_lose", "people_new_served"]].sum(axis=1)
    chosen = list(moved[moved > 0.5].sort_values(ascending=False, kind="stable").index[:MAPS_AT_MOST])
    links = []
    for rule in chosen:
        say(f"画地图：{table.loc[rule, 'label']}")
        files = f"maps/difference-{rule}.html", f"maps/swipe-{rule}.html"
        (folder / "maps").mkdir(parents=True, exist_ok=True)
        maps.difference(maps.Comparison(old, new), rule).save(folder / files[0])
        maps.swipe(maps.Comparison(old, new), rule, sides=names).save(folder / files[1])
        links += [
            (files[0], f"{table.loc[rule, 'label']}：差异图"),
            (files[1], f"{table.loc[rule, 'label']}：左右对比"),
        ]
    workbook(folder / "方案比较.xlsx", old, sheets)
    title = f"{names[0]} 与 {names[1]}"
    body = "".join(
        _section(name, _few_names(data), unit) for name, (data, unit) in sheets.items() if name != "小区变化"
    )
    listed = "".join(f'<li><a href="{html.escape(file)}">{html.escape(text)}</a></li>' for file, text in links)
    listed = f'<section><h2>地图</h2><ul class="links">{listed}</ul></section>' if links else ""
    nav = '<a href="方案比较.xlsx">表格（含每个小区）</a>' + (
        "" if back is None else f'　<a href="{html.escape(back)}">全部方案</a>'
    )
    page = page_text(old, title, nav, listed + body + receipt_line(" --plan 方案"))
    write_bytes(folder / "compare.html", page.encode("utf-8"))
    return sheets["一页表"][0]


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
    refuse_foreign(Path(to), ("plans.html", "tables/方案.xlsx"))
    say = progress or (lambda _: None)
    listed = scenarios(district)
    if listed.empty:
        raise ScenarioError("这个目录里没有方案（scenarios/*.toml）；用 scenario new 建一个")
    parts, rows, sheets = [], [], {}
    for name in listed.index:
        plan: Scenario = district.scenario(name)
        say(f"计算方案：{plan.label or name}")
        before = district if plan.year is None else district.at(plan.year)
        after = plan.on(district)
        table = effects(before, after, rules=rules)
        table = table.reindex(table["people_gain"].sort_values(ascending=False, kind="stable").index)
        needs = provision(district, plan) if _builds(plan) else None
        detail = f"{COMPARED}/{name}/compare.html"
        found = detail if (Path(to) / detail).is_file() else None
        parts.append(_plan_section(district, _Counted(str(name), plan, before, after, table, needs), found))
        best = table.iloc[0]
        rows.append(
            (
                name,
                plan.label,
                after.year,
                best["people_gain"],
                best["people_60plus_gain"],
                best["people_lose"],
                best["label"],
            )
        )
        sheets[name] = (
            titled(table.assign(change=table["change"] * 100), _EFFECT_NAMES),
            "之前、之后为可达的份额；之前是同一年没有这个方案",
        )
        if needs is not None:
            sheets[f"配建 {name}"] = (provision_sheet(needs), "应配 = 新增数 ÷ 每多少 × 应有多少")
    columns = ["scenario", "label", "year", "people_gain", "people_60plus_gain", "people_lose", "rule"]
    summary = pd.DataFrame(rows, columns=columns).set_index("scenario")
    nav = '<a href="index.html">简报</a>　' if (Path(to) / "index.html").is_file() else ""
    page = page_text(district, f"{district.name} 方案", nav + '<a href="tables/方案.xlsx">表格</a>', "".join(parts))
    with added_to(Path(to)) as folder:
        workbook(folder / "tables" / "方案.xlsx", district, sheets)
        write_bytes(folder / "plans.html", page.encode("utf-8"))
    link_pages(Path(to))
    return summary


def write_comparisons(
    district: District, to: str | Path, *, rules: str = "plan", progress: Progress | None = None
) -> list[str]:
    """
    Compare each plan of a district's folder with the same year without it (`plans/NAME/compare.html`), then write `plans.html`.

    Returns
    -------
    names
        The plans; none where the folder has none, and then nothing is written.

    Raises
    ------
    ScenarioError
        A plan that cannot be carried out.
    EnvironmentProblem
        A file cannot be written.
    """
    say = progress or (lambda _: None)
    names = [str(name) for name in scenarios(district).index]
    for number, name in enumerate(names, start=1):
        after = state_of(district, name)
        before = state_of(district, None, year=after.district.year)
        head = f"方案 {number}/{len(names)} {after.label}："
        write_comparison(
            before,
            after,
            Path(to) / COMPARED / name,
            rules=rules,
            back="../../plans.html",
            progress=partial(_said, say, head),
        )
    if names:
        write_plans(district, to, rules=rules, progress=progress)
    return names


def _said(say: Progress, head: str, step: str) -> None:
    say(head + step)


def _builds(plan: Scenario) -> bool:
    return any(edit.do == "build_homes" for edit in plan.edits)


class _Counted(NamedTuple):
    """A plan of the folder and what was counted of it."""

    name: str
    plan: Scenario
    before: District  # the same year without it
    after: District
    table: pd.DataFrame  # of `effects`, who gains most first
    needs: pd.DataFrame | None  # of `provision`, where it builds homes


def _plan_section(district: District, counted: _Counted, detail: str | None) -> str:
    """Return one plan: what it does and assumes, whom it serves, what it must provide; `detail` is where its comparison lies."""
    e = html.escape
    name, plan, before, after, table, needs = counted
    done = steps(plan, district)
    items = "".join(
        f"<li>{e(row.text)}"
        + (f'<br><span class="small">假定：{e(row.assumes)}</span>' if row.assumes else "")
        + "</li>"
        for row in done.itertuples()
    )
    planned = "<li>到期的规划设施全部开放</li>" if plan.planned else ""
    what = (
        f"<ol>{items}</ol>{'<ul>' + planned + '</ul>' if planned else ''}" if items or planned else "<p>没有改动。</p>"
    )
    gains = table[(table["change"].abs() > SHARE) | (table["people_gain"] > 0.5) | (table["people_lose"] > 0.5)].head(
        10
    )
    effect = table_html(_short(gains)) if len(gains) else '<p class="line">各项指标都没有变化。</p>'
    note = f'<p class="small">说明：{e(plan.note)}</p>' if plan.note else ""
    need = ""
    if needs is not None:
        need = "<h3>配建清单</h3>" + table_html(
            provision_sheet(needs)[
                ["配什么", "应配", "单位", "方案自带可用", "周边可接纳", "须新建（取整）", "结论", "依据与可信度"]
            ]
        )
    more = f"<code>python run.py compare {e(name)} --out 文件夹</code>"
    if detail is not None:
        more = f'<a href="{e(detail)}">{e(plan.label or name)}：比较页、差异图、左右对比图</a>'
    return (
        f'<section><h2 id="{e(name)}">{e(plan.label or name)}（{after.year} 年）</h2>{note}<p class="line">{e(people_line(before, after))}</p>'
        f"<h3>做什么，假定什么</h3>{what}<h3>谁受益，谁受影响</h3>{effect}{need}"
        f'<p class="small">细看：{more}</p></section>'
    )


def by_residents(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `effects`, first what moves most residents; what moves none of them comes after, by its share."""
    residents = (table["people_gain"].fillna(0) + table["people_lose"].fillna(0)).round(6)
    order = np.lexsort((-table["change"].abs().fillna(0).to_numpy(), -residents.to_numpy()))
    return table.iloc[order]


def people_line(before: District, after: District) -> str:
    """
    Say for which years both sides stand, and who lives there before and after, so that it adds up.

    People of before, less those of homes that are gone, plus those of new ones (导入人口, not residents of before), plus what
    else changed, are the people of after.
    """
    old, new = before.homes, after.homes
    if old is None or new is None:
        return "数据不足：没有小区图层"
    gone, fresh = old[~old.index.isin(new.index)], new[~new.index.isin(old.index)]
    years = (
        f"两边都按 {before.year} 年" if before.year == after.year else f"之前 {before.year} 年，之后 {after.year} 年"
    )
    was, now, out, came = (float(frame["people"].sum()) for frame in (old, new, gone, fresh))
    text = f"{years}：之前常住人口 {was:,.0f}，之后 {now:,.0f}"
    if len(gone):
        text += f"；减少 {len(gone)} 个小区，迁出 {out:,.0f} 人（不计入受影响居民；去向待填）"
    if len(fresh):
        text += f"；新增 {len(fresh)} 个小区，导入 {came:,.0f} 人（不计入受益居民）"
    other = now - was + out - came
    if abs(other) >= 0.5:
        text += f"；其他变动 {other:+,.0f} 人"
    unknown = sum(int(frame["people"].isna().sum()) for frame in (old, new))
    return text + (f"；{unknown} 个小区人口不详，未计入" if unknown else "")


def _few_names(table: pd.DataFrame, most: int = 3) -> pd.DataFrame:
    """Return a table whose lists of homes are short enough for a page; the workbook has them in full."""
    short = table.copy()
    for column in short.columns.intersection(["受益小区", "受影响小区"]):
        lists = [str(text).split(" 等 ")[0].split("、") for text in short[column]]
        short[column] = ["、".join(names[:most]) + (" 等" if len(names) > most else "") for names in lists]
    return short


def _short(table: pd.DataFrame) -> pd.DataFrame:
    """Return the columns a meeting reads."""
    names = {
        k: v for k, v in _EFFECT_NAMES.items() if k not in ("homes_lose", "people_relieved", "people_new_unserved")
    }
    return _few_names(titled(table.assign(change=table["change"] * 100), names))


def _section(name: str, table: pd.DataFrame, unit: str) -> str:
    body = table_html(table) if len(table) else '<p class="line">没有变化。</p>'
    return f'<section><h2>{html.escape(name)}</h2><p class="small">{html.escape(unit)}</p>{body}</section>'
