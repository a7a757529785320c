"""
What is handed over: the brief, the maps, the workbook, the GeoPackage, and the record of what they rest on.

Everything is written beside the target first and swapped in when complete, so that a failure leaves earlier outputs as
they were. Same inputs give the same bytes: no clocks, no absolute paths, fixed order.
"""

from __future__ import annotations

import hashlib
import html
import importlib.metadata
import json
import os
import platform
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio

from . import maps
from ._analysis import Progress, analyse, mapped_rules, promised_rules, sources_table
from ._aside import Aside
from ._drawing.meeting import DEMONSTRATION_TEXT, PRESETS, meeting
from ._drawing.named import COMPLETENESS, GAPS, OVERVIEW, PARCELS, misses_any, scene_for
from ._drawing.style import layer_of, web_file
from ._ledger.book import ledger_workbook
from ._ledger.communities import communities_page
from ._ledger.page import ledger_page
from ._ledger.panel import counting, typed_figures, with_typed
from ._ledger.since import (
    RECORDS,
    Record,
    changes,
    ledger_record,
    read_record,
    since_section,
)
from ._names import column_name, kind_name, rule_name, walker_name
from ._words import HTML_LANG, language, marked, say, speaking, title, word
from .audit import SEVERITIES, rests_on
from .coverage import coverage, headlines, rules_of
from .district import MANIFEST, District
from .errors import EnvironmentProblem, UnknownNameError, XinheError, os_words
from .layers import BASIS_LABELS, LAYERS, keeping, refuse_uncleared
from .ledger import has_own_plan, ledger, spoken
from .progress import told
from .values import DENOMINATOR_LABELS, METHOD_LABELS, Rule

RECORD = "run.json"
#: How many maps the brief shows as pictures; the others are links.
PICTURES = 8
#: What the brief looks like; English words take more room.
STYLES = {"zh": ("brief.css",), "en": ("brief.css", "brief-en.css")}
#: What is printed or edited beside the report -> its file.
DOCUMENTS = {"sheet": "现状总图.pdf", "word": "汇报.docx", "slides": "汇报.pptx"}


@told("写会议材料", 7)
def brief(
    district: District,
    to: str | Path = "output",
    *,
    preset: str = "plan",
    since: str | Path | None = None,
    progress: Progress | None = None,
    processes: int = 1,
    lang: str = "zh",
) -> pd.DataFrame:
    """
    Write the whole report into a folder: `index.html`, `meeting.html`, `maps/`, `tables/`, `gis/`, `run.json`.

    Parameters
    ----------
    district
        What `District.load` opened; it stays as it was.
    to
        Folder for the outputs; made where absent. Files of an earlier run are replaced as a whole, other files are kept.
    preset
        "plan" (规划目标), "td1063" (体检评估) or "elderly" (老年人).
    since
        `run.json` of an earlier run, or its folder: what changed since then is shown (与上次相比).
    progress
        Called with a short line as each step begins.
    processes
        2 shares the work out with a second process, where there is a processor for it; the files are the same.
    lang
        "zh" or "en": what every page, map and table is written in. Files, layers and record are called the same in both; names and
        words of the plan stay Chinese.

    Returns
    -------
    headlines
        What the brief says first: index rule, columns as `coverage.headlines`.

    Raises
    ------
    UnknownNameError
        No such preset or language.
    SourceError
        No such record, or one of another district.
    EnvironmentProblem
        The folder cannot be written, or a file in it is held open.
    """
    if preset not in PRESETS:
        raise UnknownNameError("口径预设", preset, list(PRESETS))
    refuse_uncleared(district.manifest, "写出报告")
    tell = progress or (lambda _: None)
    before = None if since is None else read_record(since)  # now: it may lie in the folder that is written
    with speaking(lang), Aside(processes=processes) as aside, aside.beside() as early:
        tell(say("计算可达和覆盖"))
        district.network  # noqa: B018  (before anything is handed over: all need it)
        live = early(_meeting_page, district, lang)
        cover = coverage(district, rules=preset)
        judged = aside(_judged, district, Path(to), lang)  # takes up what was walked until here
        results = analyse(district, preset=preset, progress=tell, cover=cover)
        _write(district, results, Path(to), _Run(None, before, tell, aside, live, judged))
    headline: pd.DataFrame = results["headlines"]
    return headline


def documents(
    district: District,
    names: str | Sequence[str] = tuple(DOCUMENTS),
    to: str | Path = "output",
    *,
    preset: str = "plan",
    progress: Progress | None = None,
    lang: str = "zh",
) -> list[Path]:
    """
    Write what is printed or edited: the overview sheet, the Word brief, the slides, each under its name in `DOCUMENTS`.

    Parameters
    ----------
    names
        "sheet" (A3, PDF), "word" (.docx), "slides" (.pptx); one, several or none of them.
    to
        Folder for the files; made where absent.
    preset
        "plan", "td1063" or "elderly"; the sheet is the same for all.
    progress
        Called with a short line as each step begins.
    lang
        "zh" or "en", as `brief`.

    Returns
    -------
    files
        What was written, in the order of `names`.

    Raises
    ------
    UnknownNameError
        No such document, preset or language.
    EnvironmentProblem
        A file cannot be written, or the typeface of the maps is missing.
    """
    names = (names,) if isinstance(names, str) else names
    for name in names:
        if name not in DOCUMENTS:
            raise UnknownNameError("材料", str(name), list(DOCUMENTS))
    if preset not in PRESETS:
        raise UnknownNameError("口径预设", preset, list(PRESETS))
    files = [Path(to) / DOCUMENTS[name] for name in names]
    with speaking(lang):
        for name, file in zip(names, files, strict=True):
            _write_document(district, name, file, preset, progress, lang)
    return files


def _write_document(
    district: District, name: str, file: Path, preset: str, progress: Progress | None, lang: str
) -> None:
    """Write one of `DOCUMENTS` in the language that is spoken."""
    # The office formats take a second to import, and few ask for them.
    file.parent.mkdir(parents=True, exist_ok=True)
    if name == "sheet":
        from .sheet import sheet

        sheet(district, to=file, lang=lang)
    elif name == "word":
        from ._printing.word import write_brief

        write_brief(district, file, preset=preset, progress=progress)
    else:
        from ._printing.slides import slides

        slides(district, file, preset=preset, progress=progress)


class _Judged(NamedTuple):
    """What the ledger says, with the figures of an earlier 专栏1 that it counts, and as it is put on record."""

    table: pd.DataFrame
    typed: pd.DataFrame
    record: Record


class _Run(NamedTuple):
    """How a report is written: which part of it, compared with what, told to whom, by whom."""

    only: str | None
    since: Record | None
    tell: Progress
    aside: Aside
    live: Callable[[], str | None]
    judged: Callable[[], _Judged | None]


def write_report(
    district: District,
    results: Mapping[str, Any],
    to: str | Path,
    *,
    only: str | None = None,
    since: Record | None = None,
    progress: Progress | None = None,
) -> None:
    """
    Write what `analyse` found into a folder, as `brief` does.

    Parameters
    ----------
    only
        "tables": the workbook, the GeoPackage and the record, without maps, meeting page, ledger and brief; None: everything.
    since
        Record of an earlier run (`_ledger.since.read_record`).

    Raises
    ------
    UnknownNameError
        No such part of a report.
    EnvironmentProblem
        As `brief`.
    """
    if only not in (None, "tables"):
        raise UnknownNameError("输出内容", str(only), ["tables"])
    refuse_uncleared(district.manifest, "写出报告")
    here = Aside(processes=1)
    lang = results["lang"]
    live, judged = here(_meeting_page, district, lang), here(_judged, district, Path(to), lang)
    with speaking(lang):
        _write(district, results, Path(to), _Run(only, since, progress or (lambda _: None), here, live, judged))


def _write(district: District, results: Mapping[str, Any], to: Path, run: _Run) -> None:
    with _swapped_in(to) as folder, run.aside:  # nobody may write into the folder any more when it goes
        booked = run.aside(workbook, district, results, folder / "tables" / "coverage.xlsx")
        run.tell(say("写表格和 GIS 数据"))
        geopackage(district, results, folder / "gis" / "coverage.gpkg")
        now: Record = _record(district, results, results["preset"])
        if run.only is None:
            now = _write_pages(district, results, folder, to, now, run)
        booked()
        record = {**now, "files": _hashes(folder)}
        (folder / RECORD).write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _write_pages(
    district: District, results: Mapping[str, Any], folder: Path, target: Path, now: Record, run: _Run
) -> Record:
    """Write what people look at: the ledger, the live map, maps, the brief; return the record with the ledger's rows."""
    if has_own_plan(district):
        run.tell(say("核对规划目标"))
    judged = run.judged()
    if judged is not None and len(judged.typed):
        run.tell(say(TYPED_TEXT, len(judged.typed)))
    record = ledger_record(district, None) if judged is None else judged.record
    now = {**now, "inputs": record["inputs"], "ledger": record["ledger"]}
    changed = None if run.since is None else changes(now, run.since)
    if changed is not None:
        changed["label"] = changed["id"].map(results["headlines"]["label"]).fillna(changed["label"])
    pictured = {rule: f"maps/{rule}.html" for rule in mapped_rules(district, results)}
    filed = run.aside(_write_judged, district, judged, changed, pictured, folder, target)
    # The last first: maps are drawn here from the first on, and there from the last, until they meet.
    drawn = [
        run.aside(_write_map, district, results, name, i, folder / "maps")
        for i, name in reversed([*enumerate(_maps(district, results))])
    ]
    run.tell(say("写会议用的活地图"))
    page = run.live()
    if page is not None:
        (folder / "meeting.html").write_text(page, encoding="utf-8")
    run.tell(say("画地图"))
    pictures = [fetch() for fetch in reversed(drawn)]
    filed()
    run.tell(say("写简报"))
    brief_page = _page(district, results, pictures, page is not None, changed)
    (folder / "index.html").write_text(_with_links(brief_page, target), encoding="utf-8")
    return now


#: Pages that commands of their own write beside the brief.
BESIDE = ("plans.html", "sites-*.html", "links-*.html")
_LINKS = re.compile(r"<span id=\"beside\">.*?</span>", re.DOTALL)
#: Of these, the ones that `report --plans` writes, and what they are called.
ON_REQUEST = {"plans.html": "方案比较（目录里有方案时）", "sites-*.html": "选址比选"}


def _with_links(page: str, folder: Path) -> str:
    """Link the pages that lie beside the brief, by their titles; say how to get those that do not."""
    found = [path for pattern in BESIDE for path in sorted(folder.glob(pattern))]
    titles = [re.search(r"<title>(.*?)</title>", path.read_text("utf-8"), re.DOTALL) for path in found]
    links = say("　").join(
        f'<a href="{html.escape(path.name)}">{title.group(1) if title else html.escape(path.stem)}</a>'
        for path, title in zip(found, titles, strict=True)
    )
    missing = [say(name) for pattern, name in ON_REQUEST.items() if not any(folder.glob(pattern))]
    if missing:
        option = "<code>--plans</code>"
        how = say("还没有写：{0}；写这份简报的 report 命令后面加 {1} 再运行一次", say("、").join(missing), option)
        links = say("　").join(text for text in (links, f"<small>{how}</small>") if text)
    return _LINKS.sub(lambda _: f'<span id="beside">{links}</span>', page, count=1)


def link_pages(folder: Path) -> None:
    """
    Link the pages beside a brief from it, where there is one: what the next report would write, now.

    Raises
    ------
    EnvironmentProblem
        The brief cannot be written.
    """
    brief_file, record_file = folder / "index.html", folder / RECORD
    if not (brief_file.is_file() and record_file.is_file()):
        return
    try:
        old = brief_file.read_text("utf-8")
        with speaking("en" if '<html lang="en">' in old[:200] else "zh"):
            page = _with_links(old, folder)
        if page == old:
            return
        record = json.loads(record_file.read_text("utf-8"))
        record["files"]["index.html"] = hashlib.sha256(page.encode("utf-8")).hexdigest()
        for path, text in ((brief_file, page), (record_file, json.dumps(record, ensure_ascii=False, indent=1) + "\n")):
            fresh = path.with_name(f".{path.name}")
            fresh.write_bytes(text.encode("utf-8"))
            os.replace(fresh, path)
    except OSError as error:
        raise _cannot_write(error, folder) from error


def _meeting_page(district: District, lang: str) -> str | None:
    """Return the live map, where there are homes, streets and facilities to move."""
    if any(name not in district.layers or district.layers[name].empty for name in ("homes", "streets", "facilities")):
        return None
    with speaking(lang):
        return meeting(district)


#: The ledger's workbook, and its pages.
LEDGER_BOOK = "tables/规划目标落实核对表.xlsx"
#: The map of what its rows rest on.
EVIDENCE = "maps/evidence.html"
#: What is said when figures of an earlier workbook count.
TYPED_TEXT = "专栏1 工作表里新填的 {} 个数已计入；要长期保留，用 ledger --take 记进台账填报表"


class _Ledger(NamedTuple):
    """A ledger to be written: of which district, with which figures of an earlier 专栏1, what changed, which maps show it."""

    district: District
    table: pd.DataFrame
    typed: pd.DataFrame | None
    since: pd.DataFrame | None
    maps: Mapping[str, str]


def _judged(district: District, target: Path, lang: str) -> _Judged | None:
    """Evaluate the plan, where the folder has one of its own, with what was typed into an earlier workbook in `target`."""
    if not has_own_plan(district):
        return None
    typed = typed_figures(district, target / LEDGER_BOOK)
    own = counting(district, typed)
    table = ledger(own, lang=lang)
    return _Judged(table, typed, ledger_record(own, table))


def _write_judged(
    district: District,
    judged: _Judged | None,
    since: pd.DataFrame | None,
    pictured: Mapping[str, str],
    folder: Path,
    target: Path,
) -> None:
    """Write the ledger's files of a report, where there is a plan; `pictured`: the map of a rule."""
    if judged is not None:
        own = _Ledger(counting(district, judged.typed), judged.table, judged.typed, since, pictured)
        _write_ledger_files(own, folder, target / LEDGER_BOOK)


def _write_ledger_files(own: _Ledger, folder: Path, earlier: Path) -> None:
    """Write the ledger's pages and workbook; what people filled into an earlier workbook is carried over."""
    district, table = own.district, own.table
    ledger_workbook(district, table, folder / LEDGER_BOOK, earlier=earlier, since=own.since, typed=own.typed)
    (folder / EVIDENCE).parent.mkdir(exist_ok=True)
    maps.evidence(district, table).save(folder / EVIDENCE)
    page = ledger_page(district, table, maps={**own.maps, "": EVIDENCE}, since=own.since)
    (folder / "ledger.html").write_text(page, encoding="utf-8")
    (folder / "communities.html").write_text(communities_page(district, table), encoding="utf-8")


def write_ledger(
    district: District,
    table: pd.DataFrame,
    to: str | Path,
    *,
    since: str | Path | None = None,
    typed: pd.DataFrame | None = None,
    lang: str = "zh",
) -> pd.DataFrame | None:
    """
    Write the ledger alone into a folder: its pages, its workbook, whose filled-in cells are kept, and `ledger.json`.

    Parameters
    ----------
    table
        Result of `ledger`.
    typed
        Figures of the earlier workbook there that `district` counts already (`_ledger.panel.with_typed`); by default they are read
        here, and where there are any the ledger is evaluated again with them.
    since
        `run.json` or `ledger.json` of an earlier run, or its folder: what changed since then is shown (与上次相比).

    lang
        "zh" or "en", as `ledger`; a table in the other language is evaluated again. `ledger.json` is the same in both.

    Returns
    -------
    changes
        What changed, as `_ledger.since.changes`; None where nothing was compared.

    Raises
    ------
    UnknownNameError
        Another language.
    SourceError
        No such record, or one of another district.
    DataError
        Cells of the earlier 专栏1 that are no figures.
    EnvironmentProblem
        The folder cannot be written, or a file in it is held open.
    """
    target = Path(to)
    refuse_uncleared(district.manifest, "写出核对表")
    if typed is None:
        district, typed = with_typed(district, target / LEDGER_BOOK)
        table = ledger(district, lang=lang) if len(typed) else table
    if spoken(table) != lang:
        table = ledger(district, lang=lang)
    now = ledger_record(district, table)
    changed = None if since is None else changes(now, read_record(since))
    try:
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".ledger-", dir=target) as name:
            fresh = Path(name)
            _write_ledger_files(_Ledger(district, table, typed, changed, {}), fresh, target / LEDGER_BOOK)
            (fresh / RECORDS[-1]).write_text(json.dumps(now, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
            for path in sorted(p for p in fresh.rglob("*") if p.is_file()):
                place = target / path.relative_to(fresh)
                place.parent.mkdir(parents=True, exist_ok=True)
                os.replace(path, place)
    except OSError as error:
        if isinstance(error, EnvironmentProblem):
            raise
        raise _cannot_write(error, target) from error
    return changed


# --- maps ------------------------------------------------------------------------------------------------------------


#: The map that shows elderly and grown-up walkers side by side.
WALKERS = "walkers"


def _maps(district: District, results: Mapping[str, Any]) -> list[str]:
    """Return which maps there are, in the order of the brief."""
    chosen = [OVERVIEW, *([COMPLETENESS] if len(results["completeness"]) else []), *mapped_rules(district, results)]
    if misses_any(district, results):
        chosen.insert(PICTURES, GAPS)
    if layer_of(district, "parcels") is not None:
        chosen.append(PARCELS)
    return chosen if _walked_rule(district, results) is None else [*chosen, WALKERS]


def _write_map(district: District, results: Mapping[str, Any], name: str, place: int, folder: Path) -> dict[str, str]:
    """Write one of `_maps`, the `place`-th; return what the brief shows of it (title, file, picture)."""
    folder.mkdir(parents=True, exist_ok=True)
    file, lang = folder / f"{name}.html", results["lang"]
    if name == WALKERS:
        walked = _walked_rule(district, results)
        assert walked is not None
        maps.walkers(district, walked, lang=lang).save(file)
        with speaking(lang):
            title, picture = say("{0} {1}：老年人与成人对照", district.name, rule_name(district, walked)), ""
    else:
        scene = scene_for(district, name, results=results, lang=lang)
        drawn = maps.HouseMap(scene)
        drawn.save(file)
        title, picture = scene.title, drawn.picture() if place < PICTURES else ""
    return {"file": f"maps/{name}.html", "title": title, "svg": picture}


def _walked_rule(district: District, results: Mapping[str, Any]) -> Rule | None:
    """Return, of the rules that grown-ups are measured by in minutes, the one that most of them miss."""
    if not {"adult", "elderly"} <= set(district.profiles.index):
        return None
    rules = [district.rule(name) for name in mapped_rules(district, results)]
    walked = [r for r in rules if r.metric == "reach" and r.method == "walk_min" and r.profile == "adult"]
    return min(walked, key=lambda r: float(results["headlines"].loc[r.name, "value"]), default=None)


# --- workbook --------------------------------------------------------------------------------------------------------


def workbook(district: District, results: Mapping[str, Any], path: Path) -> None:
    """Write `coverage.xlsx`: 社区×设施矩阵 and 缺口清单 first, then headlines, groups, homes, the annex, sources."""
    with speaking(results["lang"]):
        sheets = _sheets(district, results)
        write_workbook(path, say("{0} 公共服务设施覆盖", district.name), district.year, sheets, _foot(district))


def write_workbook(
    path: Path, title: str, year: int, sheets: Iterable[tuple[str, pd.DataFrame, str]], note: str
) -> None:
    """Write a workbook of tables: (sheet name, table with Chinese headers, what its numbers are); `note` under each title."""
    import xlsxwriter

    path.parent.mkdir(parents=True, exist_ok=True)
    book = xlsxwriter.Workbook(
        str(path),
        {"strings_to_formulas": False, "strings_to_urls": False, "nan_inf_to_errors": False, "in_memory": True},
    )
    # A fixed creation time: the same inputs must give the same bytes.
    book.set_properties({"title": title, "created": datetime(year, 1, 1, tzinfo=UTC)})
    for name, table, unit in sheets:
        _sheet(book, name, table, unit, note)
    book.close()


def _sheets(district: District, results: Mapping[str, Any]) -> Iterator[tuple[str, pd.DataFrame, str]]:
    """Yield (sheet name, table with Chinese headers, what its numbers are)."""
    lead = results["headlines"]
    matrix = results["presence"]
    names = district.communities["name"] if district.communities is not None else pd.Series(dtype="str")
    if len(matrix):
        table = matrix.rename(columns={kind: kind_name(district, str(kind)) for kind in matrix.columns})
        table.insert(0, "社区", names.reindex(table.index))
        table.index.name = "社区代码"
        unit = say("开放设施个数；{0} 年社区名录共 {1} 个", district.list_year, len(table))
    else:
        table, unit = pd.DataFrame({"说明": [say("数据不足：没有社区界或没有设施")]}), ""
    yield "社区×设施矩阵", table.reset_index(), unit
    yield "缺口清单", _gap_sheet(results["gaps"], names), say("人口为常住人口；分钟按该规则的人群步速，含过街等候")
    rows, labels = lead.loc[results["order"]].reset_index(), lead["label"]
    yield "结论", _named(rows, {
        "label": "指标", "headline": "结果", "mark": "标记", "alternatives": "换算法", "standard_text": "依据",
        "dependent_share": "依赖界外设施的份额", "people_unserved": "不可达人口", "basis_text": "数据依据", "rule": "规则",
    }), say("份额为 0–1")  # fmt: skip
    for group, label in (("zone", "分区"), ("area", "片区"), ("community", "社区")):
        if group in results["by"]:
            yield (
                f"按{label}",
                _group_sheet(district, results["by"][group], group, label, labels),
                say("人、平方米；份额为 0–1"),
            )
    yield (
        "小区明细",
        _cover_sheet(district, results["cover"], labels),
        say("一行为一个小区在一条规则下的结果；份额为 0–1"),
    )
    table = results["completeness"]
    if len(table):
        yield "配套齐全度", _named(table.drop(columns="geometry").reset_index(), {
            "home": "小区编号", "name": "小区", "community": "社区代码", "completeness": "齐全度", "complete": "全部齐全的份额",
            "kinds": "计入类别数", "lacks": "缺", "people": "常住人口", "people_60plus": "60岁及以上",
        }), say("成人步行 15 分钟内有的必备类别份额，0–1")  # fmt: skip
    yield "附表 全部口径", _annex(district, results["summary"], labels), say("方法 × 分母；份额为 0–1")
    findings = results["audit"].assign(severity=results["audit"]["severity"].map(lambda s: say(SEVERITIES[s])))
    yield "数据核查", _named(findings, {
        "severity": "轻重", "topic": "方面", "finding": "发现", "where": "哪里", "count": "处数", "people": "涉及人口", "remedy": "怎么办",
    }), rests_on(district)  # fmt: skip
    yield "来源与依据", sources_table(district), ""
    problems = district.problems
    yield "数据提示", _named(problems, {
        "severity": "级别", "layer": "图层", "file": "文件", "row": "行", "field": "列", "problem": "问题", "remedy": "怎么办",
    }), ""  # fmt: skip


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
    return _named(rows, {
        "label": "指标", "name": "小区", "community_name": "社区", "people_unserved": "不可达人口",
        "people_60plus_unserved": "不可达60岁及以上", "share_unserved": "不可达份额", "minutes": "到最近设施（分钟）",
        "gate_minutes": "其中到出入口", "wait_minutes": "其中过街等候", "street_minutes": "其中沿街步行", "metres": "路网距离（米）",
        "straight_metres": "直线距离（米）", "detour": "绕行倍数", "crosses": "隔着", "reason": "原因", "home": "小区编号",
    })  # fmt: skip


_SUMMARY_NAMES = {
    "label": "指标", "share": "份额（本规则分母）", "people": "常住人口", "people_served": "可达人口", "people_share": "人口份额",
    "people_60plus": "60岁及以上", "people_60plus_served": "可达60岁及以上", "people_60plus_share": "60岁及以上份额",
    "area_m2": "居住用地（平方米）", "area_m2_served": "可达居住用地（平方米）", "area_m2_share": "居住用地份额",
    "homes": "小区数", "homes_served": "可达小区（折合）", "people_unknown": "人口未知的小区数", "rule": "规则",
}  # fmt: skip


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
    rows = cover.reset_index()
    rows["label"] = rows["rule"].map(labels)
    rows["facility"] = rows["facility"].map(names[~names.index.duplicated()]).fillna(rows["facility"])
    rows["method"] = rows["method"].map(_said(METHOD_LABELS))
    rows["basis"] = rows["basis"].map(_said(BASIS_LABELS))
    rows["method"] = rows["method"].where(rows["metric"] != "presence", say("按社区计（界内有即算）"))
    if district.zones is not None:
        rows["zone"] = rows["zone"].map(district.zones["name"]).fillna(rows["zone"])
    return _named(rows, {
        "home": "小区编号", "name": "小区", "label": "指标", "method": "方法", "facility": "最近设施", "straight_metres": "直线距离（米）",
        "metres": "路网距离（米）", "minutes": "步行时间（分钟）", "served": "可达份额", "served_buffer": "直线半径", "served_network_m":
        "路网距离", "served_walk_min": "步行时间", "served_inside": "仅界内设施", "people": "常住人口", "people_60plus": "60岁及以上",
        "area_m2": "居住用地（平方米）", "zone": "分区", "community": "社区代码", "basis": "依据类型", "rule": "规则",
    })  # fmt: skip


def _annex(district: District, total: pd.DataFrame, labels: Mapping[str, str]) -> pd.DataFrame:
    rows = total.reset_index()
    rows["label"] = rows["rule"].map(labels)
    rows["profile"] = rows["profile"].map(lambda name: walker_name(district, district.profile(name)))
    rows["method"] = rows["method"].map(_said(METHOD_LABELS))
    rows["denominator"] = rows["denominator"].map(_said(DENOMINATOR_LABELS))
    return _named(rows, {"method": "方法", "profile": "人群", "denominator": "分母", **_SUMMARY_NAMES})


def _sheet(book: Any, name: str, table: pd.DataFrame, unit: str, note: str) -> None:
    """Write one table: title line, header, rows, filter, frozen panes, widths, number formats."""
    from ._quicksheet import QuickSheet

    sheet = book.add_worksheet(title(name), worksheet_class=QuickSheet)
    head = book.add_format({"bold": True, "bg_color": "#DDE7EE", "border": 1, "text_wrap": True, "valign": "vcenter"})
    quiet = book.add_format({"italic": True, "font_color": "#666666"})
    sheet.write_string(
        0,
        0,
        say("　").join(text for text in (title(name), unit) if text),
        book.add_format({"bold": True, "font_size": 13}),
    )
    sheet.write_string(1, 0, note, quiet)
    for j, column in enumerate(table.columns):
        shown = title(str(column))
        sheet.write_string(2, j, shown, head)
        style = book.add_format({"num_format": _number_format(table[column], str(column))})
        values = table[column].to_numpy(dtype=object).tolist()
        sheet.put_column(3, j, values, style)
        longest = max(map(_width, {shown, *(v for v in values if isinstance(v, str))}))
        sheet.set_column(j, j, min(max(longest + 1, 7), 60))
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
    sheet.set_footer("&L" + note.replace("&", "&&")[:200] + "&R&P / &N")


def _number_format(values: pd.Series, column: str) -> str:
    if values.dtype == object or pd.api.types.is_string_dtype(values.dtype):
        return "General"
    numbers = pd.to_numeric(values, errors="coerce").dropna()
    if "份额" not in column and any(word in column for word in ("人口", "60岁", "人数")):
        return "#,##0"
    if "份额" in column or column in ("齐全度", "直线半径", "路网距离", "步行时间", "仅界内设施"):
        return "0.0%"
    return "#,##0" if len(numbers) == 0 or (numbers == numbers.round()).all() or numbers.abs().max() >= 1000 else "0.0"


_WIDE = re.compile("[^\0-\u2e7f]")


def _width(text: str) -> int:
    """Return the width of text in Excel's half-width characters."""
    return len(text) if text.isascii() else len(text) + len(_WIDE.findall(text))


def _foot(district: District) -> str:
    mark = say("{0}。", say(DEMONSTRATION_TEXT)) if district.is_demonstration else ""
    credit = str(district.manifest.get("credit", ""))
    mark += say("{0}。", keeping(district.manifest))
    text = "{0}{1}，数据年份 {2}，社区名录 {3} 年，坐标系 {4}。{5}"
    return say(text, mark, district.name, district.year, district.list_year, district.crs, credit)


# --- GeoPackage ------------------------------------------------------------------------------------------------------

_ALIASES = {
    "home": "小区编号", "facility": "设施编号", "community": "社区代码", "name": "名称", "kind": "类别", "label": "指标", "rule": "规则",
    "people": "常住人口", "people_60plus": "60岁及以上", "served": "可达份额", "minutes": "步行时间_分钟", "metres": "路网距离_米",
    "straight_metres": "直线距离_米", "people_unserved": "不可达人口", "reason": "原因", "completeness": "配套齐全度", "lacks": "缺",
    "state": "状态", "basis": "依据类型", "zone": "分区", "area": "片区", "served_buffer": "直线半径_份额",
    "served_network_m": "路网距离_份额", "served_walk_min": "步行时间_份额", "served_inside": "仅界内设施_份额", "method": "方法",
    "profile": "人群", "denominator": "分母", "metric": "量法", "limit_metres": "限值_米", "limit_minutes": "限值_分钟", "grid": "网格编号",
    "people_60plus_unserved": "不可达60岁及以上", "share_unserved": "不可达比例", "unserved": "不可达数", "counted": "按什么人口", "crosses": "隔着",
    "gate_known": "出入口已知", "gate_minutes": "到出入口_分钟", "wait_minutes": "过街等候_分钟", "street_minutes": "沿街步行_分钟",
    "facility_minutes": "步行最近设施", "walked_metres": "步行距离_米", "detour": "绕行倍数", "kinds": "应配类数", "complete": "齐全",
    "area_m2": "面积_平方米", "area_km2": "面积_平方公里",
}  # fmt: skip


def geopackage(district: District, results: Mapping[str, Any], path: Path) -> None:
    """
    Write `coverage.gpkg` in the district's CRS, styled for QGIS.

    One layer per mapped rule (homes with their shares, metres, minutes) and its gaps; one layer of all rules side by side;
    completeness, facilities and outlines.
    """
    declared = {c.name: column_name(layer.name, c.name) for layer in LAYERS.values() for c in layer.names.values()}
    labels = {**declared, **results["headlines"]["label"], **{name: word(alias) for name, alias in _ALIASES.items()}}
    write_layers(path, _gis_layers(district, results), district.year, labels)


def write_layers(path: Path, layers: Mapping[str, gpd.GeoDataFrame], year: int, labels: Mapping[str, str]) -> None:
    """Write layers into a GeoPackage, styled for QGIS; `labels` are the aliases of columns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    # GDAL stamps the time of writing into a GeoPackage unless told which, and waits for the disk after every layer.
    options = {"OGR_CURRENT_DATE": f"{year}-01-01T00:00:00.000Z", "OGR_SQLITE_SYNCHRONOUS": "OFF"}
    pyogrio.set_gdal_config_options(options)
    try:
        for name, frame in layers.items():
            pyogrio.write_dataframe(_plain(frame), path, layer=name, driver="GPKG", promote_to_multi=False)
    finally:
        pyogrio.set_gdal_config_options(dict.fromkeys(options))
    _dress(path, layers, year, labels)


def _gis_layers(district: District, results: Mapping[str, Any]) -> dict[str, gpd.GeoDataFrame]:
    homes, cover = district.homes, results["cover"]
    layers: dict[str, gpd.GeoDataFrame] = {}
    if homes is not None and len(cover):
        for rule in mapped_rules(district, results):
            own = cover.xs(rule, level="rule")
            layers[f"覆盖_{rule}"] = gpd.GeoDataFrame(own, geometry=homes.geometry.reindex(own.index), crs=district.crs)
            table = results["gap_tables"].get(rule)
            if table is not None and len(table):
                layers[f"缺口_{rule}"] = table
        wide = cover["served"].unstack("rule")[results["order"]]
        wide.insert(0, "name", homes["name"].reindex(wide.index))
        layers["全部指标"] = gpd.GeoDataFrame(wide, geometry=homes.geometry.reindex(wide.index), crs=district.crs)
        if len(results["completeness"]):
            layers["配套齐全度"] = results["completeness"]
    for name in ("facilities", "communities", "zones", "parcels", "barriers"):
        if name in district.layers:
            layers[LAYERS[name].label] = district.layers[name]
    return layers


def _plain(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return a frame every driver can write: the key as a column, booleans and nullable numbers as plain ones."""
    frame = frame.reset_index()
    for column in frame.columns:
        if column != frame.geometry.name and str(frame[column].dtype) in ("Int64", "boolean"):
            frame[column] = frame[column].astype("float64")
    return frame


def _dress(path: Path, layers: Mapping[str, gpd.GeoDataFrame], year: int, labels: Mapping[str, str]) -> None:
    """Put Chinese aliases and default QGIS styles into the GeoPackage."""
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(
            "CREATE TABLE IF NOT EXISTS layer_styles (id INTEGER PRIMARY KEY AUTOINCREMENT, f_table_catalog TEXT, "
            "f_table_schema TEXT, f_table_name TEXT, f_geometry_column TEXT, styleName TEXT, styleQML TEXT, styleSLD TEXT, "
            "useAsDefault BOOLEAN, description TEXT, owner TEXT, ui TEXT, update_time DATETIME)"
        )
        db.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier, last_change) "
            "VALUES ('layer_styles', 'attributes', 'layer_styles', ?)",
            (f"{year}-01-01T00:00:00.000Z",),
        )
        for name, frame in layers.items():
            fields = [str(c) for c in frame.reset_index().columns if c != frame.geometry.name]
            db.execute(
                "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, styleName, "
                "styleQML, styleSLD, useAsDefault, description, owner) VALUES ('', '', ?, 'geom', ?, ?, '', 1, '', '')",
                (name, name, _qml(frame, fields, labels)),
            )


def _qml(frame: gpd.GeoDataFrame, fields: Sequence[str], labels: Mapping[str, str]) -> str:
    """Return a QGIS style: shares and minutes in classes where there are any, else one symbol; Chinese aliases."""
    aliases = "".join(
        f'<alias index="{i}" field="{html.escape(f)}" name="{html.escape(labels.get(f, ""))}"/>'
        for i, f in enumerate(fields)
    )
    kind = str(frame.geom_type.dropna().iloc[0]) if len(frame.geom_type.dropna()) else "Point"
    symbol = "marker" if "Point" in kind else "line" if "Line" in kind else "fill"
    column = next((c for c in ("served", "completeness", "share_unserved") if c in fields), None)
    if column is None:
        renderer = f'<renderer-v2 type="singleSymbol"><symbols>{_symbol("0", symbol, "70,110,140,200")}</symbols></renderer-v2>'
    else:
        colours = ("178,58,46,200", "232,150,90,200", "240,214,140,200", "120,180,150,200", "38,120,110,200")
        if column == "share_unserved":
            colours = colours[::-1]
        ranges = "".join(
            f'<range lower="{i / 5}" upper="{(i + 1) / 5}" symbol="{i}" label="{i * 20}–{i * 20 + 20}%" render="true"/>'
            for i in range(5)
        )
        symbols = "".join(_symbol(str(i), symbol, c) for i, c in enumerate(colours))
        renderer = (
            f'<renderer-v2 type="graduatedSymbol" attr="{column}" graduatedMethod="GraduatedColor">'
            f"<ranges>{ranges}</ranges><symbols>{symbols}</symbols></renderer-v2>"
        )
    return f'<!DOCTYPE qgis PUBLIC "" "SYSTEM"><qgis styleCategories="Symbology|Fields">{renderer}<aliases>{aliases}</aliases></qgis>'


def _symbol(name: str, kind: str, colour: str) -> str:
    layer = {"marker": "SimpleMarker", "line": "SimpleLine", "fill": "SimpleFill"}[kind]
    field = "line_color" if kind == "line" else "color"
    return (
        f'<symbol name="{name}" type="{kind}" alpha="1"><layer class="{layer}" enabled="1">'
        f'<Option type="Map"><Option name="{field}" type="QString" value="{colour}"/></Option></layer></symbol>'
    )


# --- the brief -------------------------------------------------------------------------------------------------------


def _page(
    district: District,
    results: Mapping[str, Any],
    pictures: Sequence[Mapping[str, str]],
    has_meeting: bool,
    changed: pd.DataFrame | None = None,
) -> str:
    """Return `index.html`: headlines, maps, gaps, what it rests on. One file, nothing loaded."""
    e = html.escape
    style = "".join(web_file(name) for name in STYLES[language()])
    mark = f'<p class="demo">{e(say(DEMONSTRATION_TEXT))}</p>' if district.is_demonstration else ""
    lists = say("　社区名录：{0} 年", district.list_year) if district.communities is not None else ""
    borrowed = ""
    if district.files.at["rules", "from"] != "本目录":
        borrowed = f'<p class="line">{say("规则表用的是随程序的默认口径，不是本街道自己的规划承诺")}</p>'
    if district.manifest.get("survey_note"):
        borrowed += f'<p class="demo">{e(str(district.manifest["survey_note"]))}</p>'
    links = {"meeting.html": say("会议活地图：拖动设施看谁受益")} if has_meeting else {}
    if has_own_plan(district):
        links |= {"ledger.html": say("规划目标落实核对表"), "communities.html": say("一社区一页")}
    links |= {"maps/overview.html": say("现状总图"), "tables/coverage.xlsx": say("表格")}
    nav = say("　").join(
        [*(f'<a href="{file}">{what}</a>' for file, what in links.items()), '<span id="beside"></span>']
    )
    said = say(
        "口径：{0}　数据年份：{1}{2}　坐标系：{3}", say(PRESETS[results["preset"]]), district.year, lists, district.crs
    )
    heading = say("{0} 公共服务设施覆盖简报", district.name)
    return marked(f"""<!DOCTYPE html>
<html lang="{HTML_LANG[language()]}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>{e(heading)}</title>
<style>{style}</style>
</head>
<body>
<header>
<h1>{e(heading)}</h1>
<p class="line">{e(said)}</p>
{borrowed}
{mark}
<nav>{nav}</nav>
</header>
<main>
{"" if changed is None else since_section(changed)}
{_cards(district, results)}
{_figures(pictures)}
{_gap_section(district, results)}
{_other_table(results)}
{_rests_on(district, results)}
</main>
<footer><p>{e(_foot(district))}</p></footer>
</body>
</html>
""")


def _cards(district: District, results: Mapping[str, Any]) -> str:
    """Return a card for each promise that has a value, and one line for those that have none, with what is missing."""
    e, lead = html.escape, results["headlines"]
    promised = promised_rules(district, results)
    known = [r for r in promised if np.isfinite(lead.loc[r, "value"])]
    # where nothing that is promised can be said, say what can be said of the rest
    known = known or [r for r in results["order"] if np.isfinite(lead.loc[r, "value"])][:8]
    cards = "".join(_card(district, results, rule) for rule in known)
    unknown = [r for r in promised if not np.isfinite(lead.loc[r, "value"])]
    rows = "".join(f"<li>{e(say('{0}：{1}', lead.loc[r, 'label'], lead.loc[r, 'headline']))}</li>" for r in unknown)
    missing = (
        f'<details open><summary>{say("数据不足的 {0} 项", len(unknown))}</summary><ul class="links">{rows}</ul></details>'
        if unknown
        else ""
    )
    return f'<section><h2>{say("一眼看结果")}</h2><div class="cards">{cards}</div>{missing}</section>'


def _card(district: District, results: Mapping[str, Any], rule: str) -> str:
    e, row = html.escape, results["headlines"].loc[rule]
    value, n = float(row["value"]), len(results["presence"])
    number = f"{round(value * n)} / {n}" if district.rule(rule).metric == "presence" else f"{value:.0%}"
    mark = f'<span class="mark">{e(row["mark"])}</span>' if row["mark"] else ""
    depends = row["dependent_share"]
    outside = (
        f'<p class="small">{say("其中 {0:.1%} 依赖界外设施", depends)}</p>'
        if np.isfinite(depends) and depends > 0.0005
        else ""
    )
    return (
        f'<article class="card"><h3>{e(row["label"])}</h3><p class="number">{number}{mark}</p>'
        f'<div class="bar" role="img" aria-label="{value:.0%}"><i style="width:{value:.1%}"></i></div>'
        f'<p>{e(row["headline"])}</p><p class="small">{e(row["alternatives"])}</p>{outside}'
        f'<p class="small">{e(row["standard_text"])}</p></article>'
    )


def _figures(pictures: Sequence[Mapping[str, str]]) -> str:
    e = html.escape
    figures = "".join(
        f'<figure>{p["svg"]}<figcaption><a href="{e(p["file"])}">{e(say("{0}（打开可操作的地图）", p["title"]))}</a></figcaption></figure>'
        for p in pictures
        if p["svg"]
    )
    rest = [p for p in pictures if not p["svg"]]
    links = "".join(f'<li><a href="{e(p["file"])}">{e(p["title"])}</a></li>' for p in rest)
    more = (
        f'<details><summary>{say("其余 {0} 张地图", len(rest))}</summary><ul class="links">{links}</ul></details>'
        if rest
        else ""
    )
    return f'<section><h2>{say("地图")}</h2><div class="figures">{figures}</div>{more}</section>'


def _gap_section(district: District, results: Mapping[str, Any]) -> str:
    """The places that lack most of what is promised: one row per place, its largest gap with the reason, what else it lacks."""
    e, table = html.escape, results["gaps"]
    promised = promised_rules(district, results)
    table = table[table["rule"].isin(promised)] if len(table) else table
    if table.empty:
        none = say("承诺的指标没有发现缺口，或数据不足以判断。")
        return f"<section><h2>{say('谁还够不着，为什么')}</h2><p>{none}</p></section>"
    rank = {rule: i for i, rule in enumerate(promised)}
    rows = table.assign(
        rank=table["rule"].map(rank), is_reach=[district.rule(r).metric == "reach" for r in table["rule"]]
    )
    rows = rows.sort_values(["is_reach", "unserved", "share_unserved", "rank", "home"],
                            ascending=[False, False, False, True, True], kind="stable", na_position="last")  # fmt: skip
    top = rows.drop_duplicates("home").head(12)
    lacking = table.groupby("home")["label"].apply(list)
    body = "".join(
        f'<tr><td>{e(_name(r.name, r.home))}</td><td>{e(r.label)}</td><td class="n">{_people(r.unserved, r.counted)}</td>'
        f"<td>{e(r.reason)}</td><td>{e(say('、').join(x for x in lacking[r.home] if x != r.label)) or '—'}</td></tr>"
        for r in top.itertuples(index=False)
    )
    book = '<a href="tables/coverage.xlsx">tables/coverage.xlsx</a>'
    said = say(
        "规划承诺的 {0} 项指标共有 {1} 个小区够不着其中至少一项；下面 {2} 个，走路够不着的人多的在前，其次是本社区没有的。全部见 {3} 的“缺口清单”。",
        len(promised), table["home"].nunique(), len(top), book,
    )  # fmt: skip
    return (
        f'<section><h2>{say("谁还够不着，为什么")}</h2><p class="small">{said}</p>'
        f'<div class="scroll"><table><thead><tr><th>{title("小区")}</th><th>{say("最大的缺口")}</th><th class="n">{say("不可达人口")}</th>'
        f"<th>{say('原因')}</th><th>{say('还缺')}</th></tr></thead><tbody>{body}</tbody></table></div></section>"
    )


def _name(name: object, key: object) -> str:
    return name if isinstance(name, str) else str(key)


def _people(value: float, counted: str = "people") -> str:
    if not np.isfinite(value):
        return say("人口不详")
    return say("60岁以上 {0:,.0f} 人" if counted == "people_60plus" else "{0:,.0f} 人", value)


def _other_table(results: Mapping[str, Any]) -> str:
    e, lead = html.escape, results["headlines"]
    rows = "".join(
        f"<tr><td>{e(row['label'])}</td><td>{e(row['headline'])}</td><td>{e(row['alternatives'])}</td>"
        f"<td>{e(row['standard_text'])}</td><td>{e(row['mark'])}</td></tr>"
        for _, row in lead.loc[results["order"]].iterrows()
    )
    heads = "".join(f"<th>{title(name)}</th>" for name in ("指标", "结果", "换算法", "依据", "标记"))
    return (
        f"<section><h2>{say('全部指标')}</h2><details><summary>{say('展开 {0} 项', len(lead))}</summary>"
        f'<div class="scroll"><table><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div></details></section>"
    )


def _rests_on(district: District, results: Mapping[str, Any]) -> str:
    """What the numbers rest on: layers with their basis, and how each number is made."""
    book = "tables/规划目标落实核对表.xlsx"
    files = {say("表格"): ["tables/coverage.xlsx"], "GIS": ["gis/coverage.gpkg"], say("运行记录"): ["run.json"]}
    if has_own_plan(district):
        files = {say("规划目标落实核对表"): ["ledger.html", book], **files}
    found = say("　").join(
        say("{0}：{1}", what, say("、").join(f'<a href="{f}">{f}</a>' for f in own)) for what, own in files.items()
    )
    e = html.escape
    table = sources_table(district)
    table = table[table["要素数"].notna()]
    rows = "".join(
        f'<tr><td>{e(r["图层"])}</td><td class="n">{r["要素数"]:,.0f}</td><td class="n">{r["其中示意或合成"]:,.0f}</td><td>{e(r["依据类型"])}</td>'
        f"<td>{e(str(r['来源']))}</td><td>{e(str(r['许可']))}</td><td>{e(r['日期'])}</td></tr>"
        for _, r in table.iterrows()
    )
    heads = "".join(
        f'<th class="n">{title(name)}</th>' if name in ("要素数", "其中示意或合成") else f"<th>{title(name)}</th>"
        for name in ("图层", "要素数", "其中示意或合成", "依据类型", "来源", "许可", "日期")
    )
    names = [district.rule(r) for r in results["order"]]
    walkers = say("；").join(
        f"{walker_name(district, p)} {p.speed_m_s:g} m/s"
        for p in (district.profile(n) for n in dict.fromkeys(r.profile for r in names))
    )
    return (
        f"<section><h2>{say('这些数字凭什么')}</h2><ul>"
        f"<li>{say('从小区内均匀分布的点出发，直线走到小区出入口（不翻墙、不过铁路河道），再沿街道走到设施的门；距离沿街道精确切算，不取最近节点。')}</li>"
        f"<li>{say('步速：{0}；过街等候按路段上的秒数计入。', e(walkers))}</li>"
        f"<li>{say('三种算法量的是同一对门之间的距离，直线不会比步行长；“数据不足”不是 0。')}</li>"
        f"<li>{say('{0}。', e(rests_on(district)))}</li></ul>"
        f"{_findings(results['audit'])}"
        f'<div class="scroll"><table><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
        f'<p class="small">{found}</p></section>'
    )


def _findings(table: pd.DataFrame) -> str:
    """What the audit found that matters, with what to do about it."""
    e = html.escape
    rows = "".join(
        f"<tr><td>{say(SEVERITIES[r.severity])}</td><td>{e(r.topic)}</td><td>{e(r.finding)}</td>"
        f'<td class="n">{"" if pd.isna(r.people) else f"{r.people:,.0f}"}</td><td>{e(r.remedy)}</td></tr>'
        for r in table[table["severity"] != "info"].itertuples(index=False)
    )
    if not rows:
        return ""
    head = (
        f"<th>{title('轻重')}</th><th>{title('方面')}</th><th>{say('数据核查发现')}</th>"
        f'<th class="n">{title("涉及人口")}</th><th>{title("怎么办")}</th>'
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div><p></p>'


# --- record and swap -------------------------------------------------------------------------------------------------


def _record(district: District, results: Mapping[str, Any], preset: str) -> dict[str, Any]:
    """Return what the outputs were made from: inputs with hashes, parameters, versions; and what was found."""
    packages = (
        "xinhe-geo",
        "geopandas",
        "shapely",
        "pandas",
        "numpy",
        "scipy",
        "folium",
        "numba",
        "pyproj",
        "pyogrio",
        "xlsxwriter",
    )
    versions = {"python": platform.python_version()}
    for name in packages:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "?"
    lead = results["headlines"]
    if (
        results["lang"] != "zh"
    ):  # a record is in Chinese whatever the report is read in: the next one is compared with it
        with speaking("zh"):
            lead = headlines(district, results["cover"])
    return {
        "district": {"name": district.name, "code": district.code, "crs": district.crs},
        "parameters": {
            "preset": preset, "year": district.year, "community_list_year": district.list_year,
            "planned": district.with_planned, "scenario": str(district.manifest.get("scenario", "")), "rules": [r.name for r in rules_of(district, preset)],
        },
        "inputs": {
            str(name): {"file": row["file"], "from": row["from"], "sha256": row["sha256"]}
            for name, row in district.files.iterrows()
        },
        "versions": versions,
        "results": {
            rule: {
                "label": row["label"], "headline": row["headline"], "mark": row["mark"],
                "value": None if pd.isna(row["value"]) else round(float(row["value"]), 9),
            }
            for rule, row in lead.iterrows()
        },
    }  # fmt: skip


def _hashes(folder: Path) -> dict[str, str]:
    """Return the hash of every file written, by its place in the folder."""
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


@contextmanager
def _swapped_in(target: Path) -> Iterator[Path]:
    """Give a folder to write into; when all went well its files replace those of an earlier run, else nothing changes."""
    if (target / MANIFEST).is_file():
        raise EnvironmentProblem(f"{target.name} 是街道数据目录，不能把结果写在里面；用 --out 另写一个文件夹")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise EnvironmentProblem(
            f"不能写入 {target.name}：{os_words(error)}。换一个文件夹（--out），或检查权限和磁盘空间"
        ) from error
    try:
        yield fresh
        put_in_place(fresh, target)
    except XinheError:
        raise
    except OSError as error:
        raise _cannot_write(error, target) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _cannot_write(error: OSError, target: Path) -> EnvironmentProblem:
    name = Path(str(error.filename or target)).name
    return EnvironmentProblem(f"写 {name} 时出错：{os_words(error)}。若它正被 Excel 或浏览器打开，请关闭后重试")


def put_in_place(fresh: Path, target: Path) -> None:
    """Move the new files over the old ones; files of the earlier run that are no longer made go, others stay."""
    target.mkdir(exist_ok=True)
    earlier: set[str] = set()
    record = target / RECORD
    if record.is_file():
        try:
            earlier = set(json.loads(record.read_text("utf-8")).get("files", {}))
        except (ValueError, AttributeError):
            earlier = set()
    made = {p.relative_to(fresh).as_posix() for p in fresh.rglob("*") if p.is_file()}
    for name in sorted(made):
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.is_file() or place.read_bytes() != (fresh / name).read_bytes():
            os.replace(fresh / name, place)
    for name in sorted(earlier - made):
        stale = target / name
        if stale.is_file() and target.resolve() in stale.resolve().parents:
            stale.unlink()
