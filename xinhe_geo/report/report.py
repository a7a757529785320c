"""
What is handed over: the brief, the maps, the workbook, the GeoPackage, and the record of what they rest on.

Everything is written beside the target first and swapped in when complete, so that a failure leaves earlier outputs as
they were. Same inputs give the same bytes: no clocks, no absolute paths, fixed order.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from .. import maps
from ..core import (
    Rule,
    UnknownNameError,
    Worker,
    named_by_homes,
    path_given,
    refuse_uncleared,
    say,
    speaking,
    told,
    write_text,
)
from ..district import District, must_be_district, rule_name
from ..ledger import (
    DRAFT_SHEET,
    PANEL_SHEET,
    RECORDS,
    Record,
    changes,
    counting,
    has_own_plan,
    keep_evaluated,
    ledger,
    ledger_record,
    read_record,
    spoken,
    typed_figures,
    typed_rows,
    with_typed,
)
from ..maps import (
    COMPLETENESS,
    GAPS,
    OVERVIEW,
    PARCELS,
    PRESETS,
    layer_of,
    mapped_rules,
    misses_any,
    scene_for,
)
from ..renewal import on_record
from .analysis import Analysis, Progress
from .closing import with_problems
from .files import FIRST, LEDGER_BOOK, added_to, is_as_written, refuse_foreign, swapped_in
from .gis import geopackage
from .leader_book import LEADER_BOOK, leader_book
from .ledger_workbook import TASKS_SHEET, ledger_workbook, read_tasks, responsible
from .pages.brief import brief_page, with_links
from .pages.ground import ground_page
from .pages.plans import comparison, comparison_files
from .pages.registry import PAGES, Shown, made
from .record import RECORD, hashes, record_of
from .story.firmness import checked_marks
from .story.steps import KEPT, siting_order, suggested, text_of
from .story.story import Story
from .workbook import workbook

#: The map of all gaps stands behind so many others.
GAPS_AFTER = 8
#: What is printed or edited beside the report -> its file.
DOCUMENTS = {"sheet": "现状总图.pdf", "word": "汇报.docx", "slides": "汇报.pptx"}


@told("写会议材料", 7)
@named_by_homes
def brief(
    district: District,
    to: str | Path = "output",
    *,
    preset: str = "plan",
    since: str | Path | None = None,
    progress: Progress | None = None,
    processes: int = 1,
    lang: str = "zh",
    suggest: bool = False,
    ranges: bool = False,
    against: District | None = None,
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
    suggest
        Whether a next step is worked out for every goal that is not met; else for the one that falls shortest. What was worked out
        for the same inputs stands in `suggested.json` and is taken over.
    ranges
        Whether it is said between which ends each share lies once what nobody has checked is checked (some seconds more).
    against
        Another state, which this one is held against (what was there before a plan, another plan): the brief then says what differs,
        and `compare.html` with its workbook and maps stands beside it.

    Returns
    -------
    headlines
        What the brief says first: index rule, columns as `access.headlines`. None, where there are no homes: then the folder has a
        page of the streets and facilities, their map, and what to add.

    Raises
    ------
    UnknownNameError
        No such preset or language.
    SourceError
        No such record, or one of another district.
    EnvironmentProblem
        The folder cannot be written, a file in it is held open, or a file in the way is not ours.
    """
    must_be_district(district)
    if preset not in PRESETS:
        raise UnknownNameError("口径预设", preset, list(PRESETS))
    refuse_uncleared(district.manifest, "写出报告")
    refuse_foreign(path_given(to, "to "), [*FIRST, *(page.file for page in PAGES)])
    tell = progress or (lambda _: None)
    before = None if since is None else read_record(since)  # now: it may lie in the folder that is written
    with speaking(lang):
        if district.homes is None or district.homes.empty:
            return _without_homes(district, Path(to), preset, tell, lang)
        tell(say("计算可达和覆盖"))
        results = Analysis.of(district, preset, ranges=ranges)
        results.cover  # noqa: B018  (before anything is handed over: all need what is walked for it)
        with Worker(district, processes=processes, fork_only=True) as ledgers:
            judged, ahead = ledgers(_judged, district, Path(to), lang), ledgers(_pages, district, lang)
            tell(say("找缺口和原因"))
            results.work_out()
            aside = Worker(district, results, processes=processes)
            _write(
                district, results, Path(to), _Run(None, before, tell, aside, ledgers, ahead, judged, suggest, against)
            )
    headline: pd.DataFrame = results.headlines
    return headline


def _without_homes(district: District, to: Path, preset: str, tell: Progress, lang: str) -> pd.DataFrame:
    """Write what can be said where nobody is known to live: streets, facilities, and what to add; return no headlines."""
    tell(say("画地图"))
    with swapped_in(to) as folder:
        overview = maps.draw(district, lang=lang)
        overview.save(folder / "maps" / f"{OVERVIEW}.html")
        write_text(folder / "index.html", ground_page(district, overview.picture()))
        record = {**record_of(district, None, preset), "files": hashes(folder)}
        write_text(folder / RECORD, json.dumps(record, ensure_ascii=False, indent=1) + "\n")
    columns = ["label", "kind", "headline", "value", "mark", "people_unserved", "bound", "needs"]
    return pd.DataFrame(columns=columns).rename_axis("rule")


@named_by_homes
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
    refuse_foreign(Path(to), [DOCUMENTS[name] for name in names])
    with speaking(lang), added_to(Path(to)) as folder:
        for name in names:
            _write_document(district, name, folder / DOCUMENTS[name], preset, progress, lang)
    return [Path(to) / DOCUMENTS[name] for name in names]


def _write_document(
    district: District, name: str, file: Path, preset: str, progress: Progress | None, lang: str
) -> None:
    """Write one of `DOCUMENTS` in the language that is spoken."""
    # The office formats take a second to import, and few ask for them.
    file.parent.mkdir(parents=True, exist_ok=True)
    if name == "sheet":
        from ..report.paper import sheet

        sheet(district, to=file, lang=lang)
    elif name == "word":
        from ..report.paper import write_brief

        write_brief(district, file, preset=preset, progress=progress)
    else:
        from ..report.paper import write_slides

        write_slides(district, file, preset=preset, progress=progress)


class _Judged(NamedTuple):
    """What the ledger says, with the figures of an earlier 专栏1 that it counts, what was filled in beside them, and its record."""

    table: pd.DataFrame
    typed: pd.DataFrame
    tasks: pd.DataFrame
    record: Record


class _Run(NamedTuple):
    """How a report is written: which part of it, compared with what, told to whom, by whom."""

    only: str | None
    since: Record | None
    tell: Progress
    aside: Worker
    ledgers: Worker  # who evaluates the ledger writes it: what it is made of is there
    ahead: Callable[[], Mapping[str, str]]
    judged: Callable[[], _Judged | None]
    every: bool = False
    against: District | None = None


@named_by_homes
def write_report(
    district: District,
    results: Analysis,
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
        Record of an earlier run (`ledger.read_record`).

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
    here = Worker(processes=1)
    lang = results.lang
    ahead, judged = here(_pages, district, lang), here(_judged, district, Path(to), lang)
    with speaking(lang):
        _write(district, results, Path(to), _Run(only, since, progress or (lambda _: None), here, here, ahead, judged))


def _write(district: District, results: Analysis, to: Path, run: _Run) -> None:
    with swapped_in(to) as folder, run.ledgers, run.aside:  # nobody may write into the folder any more when it goes
        story = Story(results, against=run.against)
        changed = {} if story.change is None else comparison(story.change, targets=False)
        booked = run.aside(workbook, district, results, folder / "tables" / "coverage.xlsx", changed)
        run.tell(say("写表格和 GIS 数据"))
        geopackage(story, folder / "gis" / "coverage.gpkg")
        leader_book(story, folder / "tables" / LEADER_BOOK)
        now: Record = record_of(district, results, results.preset)
        if run.only is None:
            now = _write_pages(story, folder, to, now, run)
        booked()
        record = {**now, "files": hashes(folder)}
        write_text(folder / RECORD, json.dumps(record, ensure_ascii=False, indent=1) + "\n")


def _write_pages(story: Story, folder: Path, target: Path, now: Record, run: _Run) -> Record:
    """Write what people look at: the ledger, the live map, maps, the brief; return the record with the ledger's rows."""
    district, results = story.district, story.analysis
    if has_own_plan(district):
        run.tell(say("核对规划目标"))
    judged = run.judged()
    if judged is not None and judged.typed.empty:
        keep_evaluated(district, judged.table)
    if judged is not None and len(judged.typed):
        run.tell(say(TYPED_TEXT, len(judged.typed)))
    record = ledger_record(district, None) if judged is None else judged.record
    now = {**now, "inputs": record["inputs"], "ledger": record["ledger"]}
    if problems := on_record(district):
        now = {**now, "problems": problems}
    if judged is not None and results.ranges:
        judged = judged._replace(table=judged.table.assign(checked=checked_marks(district, judged.table)))
    changed = None if run.since is None else with_problems(changes(now, run.since, district), district, run.since)
    if changed is not None:
        changed["label"] = changed["id"].map(results.headlines["label"]).fillna(changed["label"])
    pictured = {rule: f"maps/{rule}.html" for rule in mapped_rules(district, results)}
    sited = run.aside(suggested, results, siting_order(story.worst), every=run.every, kept=_kept(target))
    filed = run.ledgers(_write_judged, district, judged, changed, pictured, folder)
    # The last first: maps are drawn here from the first on, and there from the last, until they meet.
    drawn = [
        run.aside(_write_map, district, results, name, folder / "maps") for name in reversed(_maps(district, results))
    ]
    run.tell(say("写会议用的活地图"))
    ahead = run.ahead()
    run.tell(say("画地图"))
    shown = [fetch() for fetch in reversed(drawn)]
    filed()
    found = sited()
    for file, page in ahead.items():
        write_text(folder / file, maps.with_sites(page, found))
    write_text(folder / KEPT, text_of(results, found))
    if story.change is not None:
        comparison_files(story.change, story.change.names, folder, run.tell)
    run.tell(say("写简报"))
    offices = {} if judged is None else responsible(judged.table, judged.tasks)
    story = replace(story, sites=found, offices=offices)
    for file, page in made("results", Shown(district, story)):
        write_text(folder / file, page)
    index = brief_page(story, shown, [p for p in PAGES if (folder / p.file).exists()], changed)
    write_text(folder / "index.html", with_links(index, target))
    return now


def _kept(target: Path) -> Path | None:
    """Return the sites that an earlier report has worked out, where they are as it wrote them."""
    return target / KEPT if is_as_written(target, KEPT) else None


def _pages(district: District, lang: str) -> dict[str, str]:
    """Return the pages that need nothing but the district."""
    with speaking(lang):
        return dict(made("district", Shown(district)))


#: The map of what its rows rest on.
EVIDENCE = "maps/evidence.html"
#: What is said when figures of an earlier workbook count.
TYPED_TEXT = "专栏1 工作表里新填的 {0} 个数已计入；要长期保留，用 ledger --take 记进台账填报表"


class _Ledger(NamedTuple):
    """A ledger to be written: of which district, with what was typed into an earlier book, what changed, which maps show it."""

    district: District
    table: pd.DataFrame
    typed: pd.DataFrame | None
    tasks: pd.DataFrame
    since: pd.DataFrame | None
    maps: Mapping[str, str]


def _judged(district: District, target: Path, lang: str) -> _Judged | None:
    """Evaluate the plan, where the folder has one of its own, with what was typed into an earlier workbook in `target`."""
    if not has_own_plan(district):
        return None
    book = target / LEDGER_BOOK
    cells = typed_rows(book, PANEL_SHEET, DRAFT_SHEET, TASKS_SHEET)  # once: to open it takes longest
    typed = typed_figures(district, book, rows=cells)
    own = counting(district, typed)
    table = ledger(own, lang=lang)
    return _Judged(table, typed, read_tasks(book, cells), ledger_record(own, table))


def _write_judged(
    district: District,
    judged: _Judged | None,
    since: pd.DataFrame | None,
    pictured: Mapping[str, str],
    folder: Path,
) -> None:
    """Write the ledger's files of a report, where there is a plan; `pictured`: the map of a rule."""
    if judged is not None:
        own = _Ledger(counting(district, judged.typed), judged.table, judged.typed, judged.tasks, since, pictured)
        _write_ledger_files(own, folder)


def _write_ledger_files(own: _Ledger, folder: Path) -> None:
    """Write the ledger's pages and workbook; what people filled into an earlier workbook is carried over."""
    district, table = own.district, own.table
    ledger_workbook(district, table, folder / LEDGER_BOOK, earlier=own.tasks, since=own.since, typed=own.typed)
    maps.evidence(district, table).save(folder / EVIDENCE)
    shown = Shown(district, None, table, own.since, {**own.maps, "": EVIDENCE}, own.tasks)
    for file, page in made("ledger", shown):
        write_text(folder / file, page)


@named_by_homes
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
        Figures of the earlier workbook there that `district` counts already (`ledger.with_typed`); by default they are read
        here, and where there are any the ledger is evaluated again with them.
    since
        `run.json` or `ledger.json` of an earlier run, or its folder: what changed since then is shown (与上次相比).

    lang
        "zh" or "en", as `ledger`; a table in the other language is evaluated again. `ledger.json` is the same in both.

    Returns
    -------
    changes
        What changed, as `ledger.changes`; None where nothing was compared.

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
    with speaking(lang):
        changed = None if since is None else changes(now, read_record(since), district)
    with added_to(target) as fresh:
        tasks = read_tasks(target / LEDGER_BOOK)
        _write_ledger_files(_Ledger(district, table, typed, tasks, changed, {}), fresh)
        write_text(fresh / RECORDS[-1], json.dumps(now, ensure_ascii=False, indent=1) + "\n")
    return changed


# --- maps ------------------------------------------------------------------------------------------------------------


#: The map that shows elderly and grown-up walkers side by side.
WALKERS = "walkers"


def _maps(district: District, results: Analysis) -> list[str]:
    """Return which maps there are, in the order of the brief."""
    chosen = [OVERVIEW, *([COMPLETENESS] if len(results.completeness) else []), *mapped_rules(district, results)]
    if misses_any(district, results):
        chosen.insert(GAPS_AFTER, GAPS)
    if layer_of(district, "parcels") is not None:
        chosen.append(PARCELS)
    return chosen if _walked_rule(district, results) is None else [*chosen, WALKERS]


def _write_map(district: District, results: Analysis, name: str, folder: Path) -> dict[str, str]:
    """Write one of `_maps`; return what the brief says of it (title, file)."""
    file, lang = folder / f"{name}.html", results.lang
    if name == WALKERS:
        walked = _walked_rule(district, results)
        assert walked is not None
        maps.walkers(district, walked, lang=lang).save(file)
        with speaking(lang):
            title = say("{0} {1}：老年人与成人对照", district.name, rule_name(district, walked))
    else:
        scene = scene_for(district, name, results=results, lang=lang)
        maps.HouseMap(scene).save(file)
        title = scene.title
    return {"file": f"maps/{name}.html", "title": title}


def _walked_rule(district: District, results: Analysis) -> Rule | None:
    """Return, of the rules that grown-ups are measured by in minutes, the one that most of them miss."""
    if not {"adult", "elderly"} <= set(district.profiles.index):
        return None
    rules = [district.rule(name) for name in mapped_rules(district, results)]
    walked = [r for r in rules if r.metric == "reach" and r.method == "walk_min" and r.profile == "adult"]
    return min(walked, key=lambda r: float(results.headlines.loc[r.name, "value"]), default=None)
