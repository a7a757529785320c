"""
Of a plan, too, a figure has the same digits in every document, and no document has a figure that is not in the story.

The story is walked through as it is: every record, sentence and table that can be reached from it, and what its maps say (their scenes:
titles, legends, who lives in each class). What a document shows is read from its file. Figures are what is counted: shares, thousands,
decimals, numbers of people. The plan of the toy district in both languages; before a release that of the bundled district, too.
"""

from __future__ import annotations

import dataclasses
import html
import importlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import docx
import ezdxf
import numpy as np
import openpyxl
import pandas as pd
import pptx
import pyogrio
import pytest
from ink import texts_of

import xinhe_geo as xh
from xinhe_geo.core import amount, per_cent
from xinhe_geo.core.i18n import speaking, title
from xinhe_geo.io import drawing_of
from xinhe_geo.maps import PARCELS, number_text, percent
from xinhe_geo.maps.presets import scene_for
from xinhe_geo.report import Parcels
from xinhe_geo.report.analysis import analyse
from xinhe_geo.report.gis import geopackage
from xinhe_geo.report.leader_book import leader_book
from xinhe_geo.report.pages.brief import brief_page
from xinhe_geo.report.pages.plans import comparison
from xinhe_geo.report.paper.page import Paper
from xinhe_geo.report.paper.sheet import map_png, theme_pages, write_pages
from xinhe_geo.report.paper.sheet_parts import Format
from xinhe_geo.report.states import Asked, sides_of
from xinhe_geo.report.story.records import Figure
from xinhe_geo.report.story.story import Story
from xinhe_geo.report.workbook import workbook

pytestmark = pytest.mark.slow

TOY = Path(__file__).parents[1] / "toy"
CLOSE = 'label = "关南站"\n[[edit]]\ndo = "close_facility"\nfacility = "F1"\n'
FIGURE = re.compile(
    r"(?<![\d:.,/])(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?%?|\d+\.\d+%?|\d+%|\d+(?= ?(?:人|老人|people|residents)))(?![\d/])"
)
#: What is not counted: how papers and maps are measured, versions, coordinate systems, licences, numbers of chapters.
MEASURES = re.compile(
    r"1:[\d,]+|[\d.,]+\s?(?:k?m\b|mm|公里|米|公顷|ha\b|m/s|dpi)|EPSG:\d+|ODbL [\d.]+|CC BY [\d.]+|\d+\.\d+\.\d+"
)


#: The maps that are not about one rule.
SCENES = ("overview", "completeness", "gaps")


class Written(NamedTuple):
    """A plan in one language: its story, and what each document of it says."""

    story: Story
    says: Mapping[str, str]
    folder: Path


@pytest.fixture(
    scope="module", params=["zh", *(pytest.param(own, marks=pytest.mark.matrix) for own in ("en", "bundled"))]
)
def plan(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Written:
    folder, lang = tmp_path_factory.mktemp("plan"), request.param
    if request.param == "bundled":
        sides, lang = sides_of(xh.District.load(), Asked("wuchedi-renewal")), "zh"
    else:
        shutil.copytree(TOY, folder / "toy")
        (folder / "toy/scenarios").mkdir()
        (folder / "toy/scenarios/close.toml").write_text(CLOSE, "utf-8")
        sides = sides_of(xh.District.load(folder / "toy"), Asked("close"))
    with speaking(lang):
        story = Story(analyse(sides.district), against=sides.against)
        return Written(story, written(story, folder, lang), folder)


#: What is written in Chinese only: a drawing's layers are, too; the sheets of an atlas in English are those of `sheet` and of `test_same_figures`.
IN_CHINESE = ("drawing", "atlas")


def written(story: Story, folder: Path, lang: str) -> dict[str, str]:
    """Write all documents of a story, and return what they say."""
    return {name: write(story, folder) for name, write in DOCUMENTS.items() if lang == "zh" or name not in IN_CHINESE}


def of_office(name: str, write: str, file: str, read: Callable[[Path], str]) -> Callable[[Story, Path], str]:
    """Return what writes a document of a story that is there already, every map the same small one, and what it says."""

    def document(story: Story, folder: Path) -> str:
        module = importlib.import_module(f"xinhe_geo.report.paper.{name}")
        drawn = map_png(scene_for(story.district, "overview"), 60, 50, units=500, dpi=60) if name != "atlas" else b""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "Story", lambda *_, **__: story)
            patch.setattr(module, "analyse", lambda *_, **__: story.analysis)
            if name == "atlas":
                module.atlas(story.district, folder / "atlas", form=Format("A4", story.analysis.lang))
            else:
                patch.setattr(module, "map_png", lambda *_, **__: drawn)
                getattr(module, write)(story.district, folder / file)
        return read(folder / file)

    return document


def sheets(story: Story, folder: Path) -> str:
    form = Format("A3", story.analysis.lang)
    pages = [page for what in ("overview", story.worst[0].rule) for page in theme_pages(story, what, form)]
    write_pages(pages, folder / "a.pdf", "a")
    return pdf_text(folder / "a.pdf")


def layers(story: Story, folder: Path) -> str:
    """Write GeoPackage and project; return what the project says: what its layers are called, and what they are about."""
    geopackage(story, folder / "a.gpkg")
    with zipfile.ZipFile(folder / "a.qgz") as archive:
        project = archive.read("a.qgs").decode()
    return html.unescape("\n".join(re.findall(r"<(?:layername|abstract|title)>([^<]*)", project)))


def leaders(story: Story, folder: Path) -> str:
    leader_book(story, folder / "overview.xlsx")
    return book_text(folder / "overview.xlsx")


def tables(story: Story, folder: Path) -> str:
    """Write the workbook; return its sentences: its numbers are those of every home, and compared with their sheets."""
    assert story.change is not None
    changed = comparison(story.change, targets=False)
    workbook(story.district, story.analysis, folder / "coverage.xlsx", changed)
    book = openpyxl.load_workbook(folder / "coverage.xlsx")
    told = [book[title(heading)] for heading in (*story.headings, "一页表")]
    return "\n".join(
        cell for sheet in told for row in sheet.iter_rows(values_only=True) for cell in row if isinstance(cell, str)
    )


def drawing(story: Story, folder: Path) -> str:
    assert story.change is not None
    drawing_of(story.district, folder / "a.dxf", against=story.against, notes=story.change.lines)
    space = ezdxf.readfile(folder / "a.dxf").modelspace()
    return "\n".join(str(e.dxf.text) for e in space if e.dxftype() == "TEXT")


def pdf_text(path: Path) -> str:
    return "".join(texts_of(path))


def book_text(path: Path) -> str:
    """Return what a workbook shows: numbers as their cells are formatted, sums as they were worked out for who cannot work them out."""
    said = []
    for sheet in openpyxl.load_workbook(path, data_only=True):
        for cell in (cell for row in sheet.iter_rows() for cell in row if cell.value is not None):
            shares = "%" in cell.number_format
            number = isinstance(cell.value, int | float)
            said.append(
                (per_cent(cell.value, 0) if shares else amount(cell.value) + " 人") if number else str(cell.value)
            )
    return "\n".join(said)


def page_text(page: str) -> str:
    return html.unescape(re.sub(r"<(style|script|svg).*?</\1>|<[^>]+>", "\n", page, flags=re.DOTALL))


def word_text(path: Path) -> str:
    document = docx.Document(str(path))
    cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    return "\n".join([*(p.text for p in document.paragraphs), *cells])


def slides_text(path: Path) -> str:
    """Return what slides and their notes say; bars as name and share, or name and number."""
    said = []
    for slide in pptx.Presentation(str(path)).slides:
        said.append(slide.notes_slide.notes_text_frame.text)
        for shape in slide.shapes:
            said += [shape.text_frame.text] if shape.has_text_frame else []
            said += [c.text for row in shape.table.rows for c in row.cells] if shape.has_table else []
            plot = shape.chart.plots[0] if shape.has_chart else None
            for own in plot.series if plot is not None else ():  # parts of a stack have labels of their own
                shares = "%" in str((plot if plot.has_data_labels else own).data_labels.number_format)
                bars = zip(plot.categories, own.values, strict=True)
                said += [f"{name}\t{per_cent(value, 0) if shares else amount(value)}" for name, value in bars]
    return "\n".join(said)


#: What writes each document of a story into a folder, and returns what it says.
DOCUMENTS: dict[str, Callable[[Story, Path], str]] = {
    "page": lambda story, _: page_text(brief_page(story, [], [])),
    "word": of_office("word", "write_brief", "a.docx", word_text),
    "slides": of_office("slides", "slides", "a.pptx", slides_text),
    "atlas": of_office("atlas", "atlas", "atlas/图册.pdf", pdf_text),
    "sheet": sheets,
    "layers": layers,
    "leader's workbook": leaders,
    "workbook": tables,
    "drawing": drawing,
}
#: What does not list goals with their figures.
WITHOUT_GOALS = ("layers", "workbook", "atlas")


# --- what the story says ----------------------------------------------------------------------------------------------


def strings(thing: object, seen: dict[int, object]) -> Iterator[str]:
    """Yield every text that can be reached from a thing: records, tables, and whatever a story or a change has."""
    if id(thing) in seen:
        return
    seen[id(thing)] = thing  # kept, for the next one made would have the id of one that is gone
    if isinstance(thing, str):
        yield thing
    elif isinstance(thing, Mapping):
        yield from strings([*thing.keys(), *thing.values()], seen)
    elif isinstance(thing, pd.DataFrame | pd.Series):
        for column in thing.columns if isinstance(thing, pd.DataFrame) else [None]:
            yield from (str(v) for v in (thing if column is None else thing[column]) if isinstance(v, str))
    elif isinstance(thing, Sequence | set | frozenset):
        for part in thing:
            yield from strings(part, seen)
    elif type(thing).__name__ in ("Story", "Change", "Parcel", "Parcels"):
        names = [n for n in dir(type(thing)) if not n.startswith("_") and not callable(getattr(type(thing), n))]
        # of a parcel also what has no default: that is no name of its class
        fields = dataclasses.fields(thing) if type(thing).__name__ == "Parcel" else ()  # type: ignore[arg-type]
        for name in [*names, *(own.name for own in fields)]:
            yield from strings(getattr(thing, name), seen)
    elif dataclasses.is_dataclass(thing):  # a scene: what maps say
        yield from strings([getattr(thing, own.name) for own in dataclasses.fields(thing)], seen)
    for name in ("amount", "told", "text") if hasattr(thing, "_fields") else ():
        yield from (getattr(thing, n) for n in (name,) if isinstance(getattr(thing, n, None), str))


def figures_of(text: str) -> set[str]:
    return set(FIGURE.findall(MEASURES.sub(" ", text)))


def told_by(story: Story) -> list[str]:
    """Return what a story says: its texts, those of its parts by community, zone and area, those of its maps, and its tables."""
    seen = dict[int, object]()
    texts = list(strings(story, seen))
    parts = [story.parts(goal, group) for goal in story.every for group in ("community", "area", "zone")]
    texts += strings([*parts, *(story.zones(goal) for goal in story.every)], seen)
    for table in (story.zone_table, story.kind_table, story.layer_table):
        numbers = table.select_dtypes("number").to_numpy(dtype=float).ravel()
        texts += [said for v in numbers[np.isfinite(numbers)] for said in (amount(v) + " 人", f"{v:.2f}", f"{v:.1f}")]
    texts += of_communities(story)
    if story.against is not None and story.district.parcels is not None:  # the sheets of parcels
        parcels = Parcels(story.against, year=story.district.year, carried_out=story.district)
        texts += strings([parcels.of(str(parcel)) for parcel in story.district.parcels.index], seen)
        overview = scene_for(story.district, PARCELS, results=story.analysis)
        texts += strings(
            [(layer.extra, layer.table) for layer in overview.layers if layer.id.startswith("parcels")], seen
        )
    scenes = [
        scene_for(story.district, what, results=story.analysis) for what in (*SCENES, *(g.rule for g in story.goals))
    ]
    texts += strings([(scene.lines, scene.themes, scene.groups, scene.evidence) for scene in scenes], seen)
    texts += strings([layer.extra for scene in scenes for layer in scene.layers], seen)
    rules = story.district.rules
    texts += [" ".join(map(str, row)) for row in rules[["standard", "clause", "label"]].to_numpy()]
    for own in (*story.every, *(story.change.shifts if story.change is not None else ())):  # the bars of charts
        shares = (own.before, own.after) if hasattr(own, "before") else (own.share,)
        texts += [f"{own.label} {share.text}" for share in shares]
    return texts


def vocabulary(story: Story) -> set[str]:
    """Return the figures of a story."""
    return set().union(*map(figures_of, told_by(story)))


def of_communities(story: Story) -> Iterator[str]:
    """Yield what is told of each community in tables: who lives there, how it stands with each goal, what it has of daily life."""
    table, district = story.completeness_table, story.district
    for row in table.itertuples(index=False):
        yield " ".join([percent(row.share), amount(row.people) + " 人", amount(row.homes) + " 人"])
    for code in [] if district.communities is None else map(str, district.communities.index):
        lives = story.who_lives(code)
        yield f"{amount(lives['people'])} 人 {amount(lives['people_60plus'])} 人 {amount(lives['area_km2'], 2)}"
        for row in story.promises_in(code).itertuples():
            yield f"{percent(row.share)} {number_text(row.missed)} 人"
        yield from (amount(minutes, 1) for minutes in story.kinds_in(code)["minutes"] if np.isfinite(minutes))


# --- the same everywhere ----------------------------------------------------------------------------------------------


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


def check_changes(plan: Written) -> None:
    """Whatever the plan moves: label, both shares and the net gain, in each document that tells them."""
    change = plan.story.change
    assert change is not None and len(change.moved) >= 2
    for name, said in plan.says.items():
        flat = squeezed(said)
        for shift in change.moved if name not in WITHOUT_GOALS else ():
            for text in (shift.label, shift.before.text, shift.after.text, shift.net):
                assert squeezed(text) in flat, (name, shift.label, text)


def check_goals(plan: Written) -> None:
    """A row, a bar or a sentence of each goal has its own share, in every document that lists the goals."""
    for name in ("page", "word", "slides", "leader's workbook"):
        flat = squeezed(plan.says.get(name, ""))
        for goal in (goal for goal in plan.story.goals if goal.share.known and flat):
            near = [flat[m.end() : m.end() + 60] for m in re.finditer(re.escape(squeezed(goal.label)), flat)]
            assert any(goal.share.text in text or squeezed(goal.big) in text for text in near), (name, goal.label)


def check_vocabulary(plan: Written) -> None:
    known = vocabulary(plan.story)
    assert len(known) > 30
    foreign = {name: sorted(figures_of(said) - known) for name, said in plan.says.items()}
    assert not any(foreign.values()), foreign


def clauses(text: str) -> dict[str, str]:
    """Return the parts of a text that say something by themselves, without spaces, each with its wording: a sign for each figure."""
    parts = re.split(r"[\n。；;]|\. ", MEASURES.sub(" ", text))
    return {squeezed(part): squeezed(FIGURE.sub("#", part)) for part in parts}


def check_sentences(plan: Written) -> None:
    """What is worded as something that the story says has the story's figures: another figure of the story is as wrong as any."""
    known = {part: wording for text in told_by(plan.story) for part, wording in clauses(text).items()}
    worded = {wording for wording in known.values() if "#" in wording and len(wording) > 6}
    told = {
        name: {part: w for part, w in clauses(said).items() if part not in known} for name, said in plan.says.items()
    }
    wrong = {name: [part for part, wording in own.items() if wording in worded] for name, own in told.items()}
    assert not any(wrong.values()), wrong


def check_workbook(plan: Written) -> None:
    """The sheet of a plan in `coverage.xlsx`: shares before and after as its cells show them, and the same net gain."""
    change = plan.story.change
    assert change is not None
    sheet = openpyxl.load_workbook(plan.folder / "coverage.xlsx")[title("一页表")]
    head, *rows = list(sheet.iter_rows(min_row=3, values_only=True))
    listed = {row[head.index(title("指标"))]: dict(zip(head, row, strict=True)) for row in rows}
    for shift in (s for s in change.moved if s.before.known and s.after.known):
        row = listed[shift.label]
        assert per_cent(row[title("之前")], 0) == shift.before.text, shift.label
        assert per_cent(row[title("之后")], 0) == shift.after.text, shift.label
        assert row[title("净增（按本指标）")] == shift.net


def check_project(plan: Written) -> None:
    """Every layer of the project is a table of the GeoPackage beside it; the map of each goal that moves is among them."""
    change = plan.story.change
    assert change is not None
    with zipfile.ZipFile(plan.folder / "a.qgz") as archive:
        project = archive.read("a.qgs").decode()
    opened = re.findall(r"<datasource>\./a\.gpkg\|layername=([^|<]+)", project)
    assert opened and set(opened) <= set(pyogrio.list_layers(plan.folder / "a.gpkg")[:, 0])
    assert {f"变化_{rule}" for rule in change.drawn} <= set(opened)
    told = {
        re.sub(r"（[点线面]）$| \((?:points|lines|areas)\)$", "", line) for line in plan.says["layers"].splitlines()
    }
    labels = plan.story.analysis.headlines["label"]
    titles = set(change.drawn.values()) | {labels[rule] for rule in labels.index if f"覆盖_{rule}" in opened}
    assert titles <= told
    worded = {re.sub(r"\d", "#", label) for label in titles}
    assert [line for line in told - titles if re.sub(r"\d", "#", line) in worded] == []


def check_layers(plan: Written) -> None:
    """Worked out anew from the GeoPackage: the share of people served before and after, in the story's digits."""
    change = plan.story.change
    assert change is not None
    told = {shift.rule: shift for shift in change.shifts}
    checked = 0
    for rule in change.drawn:
        own = plan.story.district.rule(rule)
        if rule not in told or own.denominator not in ("people", "people_60plus"):
            continue
        rows = pyogrio.read_dataframe(plan.folder / "a.gpkg", layer=f"变化_{rule}")
        people = rows[own.denominator].astype(float)
        for side in ("before", "after"):
            share = float((rows[f"served_{side}"] * people).sum() / people[rows[f"served_{side}"].notna()].sum())
            assert per_cent(share, 0) == getattr(told[rule], side).text, (rule, side)
            checked += 1
    assert checked >= 4


#: What a PDF says stands where it is drawn: its spaces are those of the page.
DRAWN = ("atlas", "sheet")
LOOSE = re.compile(r".{0,12}(?:[《（「、，。；：！？）》」] +(?=\S)|\S +(?=[《（「、，。；：！？）》」])).{0,12}")


def check_marks(plan: Written) -> None:
    """Chinese marks have their own room: no space stands beside them."""
    loose = {
        name: [found[0] for line in said.splitlines() for found in LOOSE.finditer(line.strip())]
        for name, said in plan.says.items()
        if name not in DRAWN and plan.story.analysis.lang == "zh"
    }
    assert not any(loose.values()), loose


CHECKS = (
    *(check_changes, check_goals, check_vocabulary, check_sentences),
    *(check_workbook, check_project, check_layers, check_marks),
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_plan_has_the_same_digits_everywhere(plan: Written, check: Callable[[Written], None]) -> None:
    with speaking(plan.story.analysis.lang):
        check(plan)


# --- a digit changed on the way to any of them is noticed ---------------------------------------------------------------


class Off:
    """Changes the last digit of one figure, the first it meets that a story can have; everything else stays as it is."""

    def __init__(self) -> None:
        self.done = False

    def text(self, said: str) -> str:
        found = None if self.done else next((m for m in FIGURE.finditer(said) if m[0] in figures_of(said)), None)
        if found is None:
            return said
        self.done, last = True, max(i for i, letter in enumerate(found[0]) if letter.isdigit())
        figure = f"{found[0][:last]}{(int(found[0][last]) + 1) % 10}{found[0][last + 1 :]}"
        return said[: found.start()] + figure + said[found.end() :]

    def digit(self, said: str) -> str:
        if self.done or not re.search(r"\d", said):
            return said
        self.done = True
        return re.sub(r"\d", lambda found: str((int(found[0]) + 1) % 10), said, count=1)

    def number(self, value: float) -> float:
        if self.done or not np.isfinite(value) or not value > 0:
            return value
        self.done = True
        return value + (1 if value > 1 else 0.01 if value < 0.9 else -0.01)

    def shares(self, frame: pd.DataFrame, column: str) -> pd.DataFrame:
        """Return a table one share of which is off by as much as is seen in the whole."""
        if self.done or column not in frame.columns:
            return frame
        self.done = True
        return frame.assign(**{column: (frame[column] * 0.9).where(frame[column] > 0, 0.1)})


def fault(name: str, off: Off, patch: pytest.MonkeyPatch) -> None:
    """Plant a fault in what writes a document."""
    places = {
        "word": ("report.paper.word", "plain"),
        "slides": ("report.paper.slides", "plain"),
        "drawing": ("io.dxf", "_clean"),
    }
    if name in places:
        module = importlib.import_module(f"xinhe_geo.{places[name][0]}")
        own = getattr(module, places[name][1])
        patch.setattr(module, places[name][1], lambda text: off.text(own(text)))
    elif name == "charts of slides":
        shown = Figure.plotted.fget  # type: ignore[attr-defined]
        patch.setattr(Figure, "plotted", property(lambda figure: off.number(shown(figure))))
    elif name in ("sheet", "atlas"):
        words = Paper.words
        patch.setattr(Paper, "words", lambda paper, x, y, text, *rest: words(paper, x, y, off.text(text), *rest))
    elif name == "page":
        module = importlib.import_module("xinhe_geo.report.pages.brief")
        patch.setattr(module, "html", SimpleNamespace(escape=lambda text, *_: html.escape(off.text(str(text)))))
    elif name == "leader's workbook":
        shown = Figure.shown.fget  # type: ignore[attr-defined]
        patch.setattr(Figure, "shown", property(lambda figure: off.number(shown(figure))))
    elif name == "workbook":
        module = importlib.import_module("xinhe_geo.report.workbook")
        write = module.write_sheet
        patch.setattr(
            module, "write_sheet", lambda book, name, table, *rest: write(book, name, off.shares(table, "之后"), *rest)
        )
    else:
        module = importlib.import_module("xinhe_geo.report.gis")
        write_layers, write_project = module.write_layers, module.write_project
        if name == "layers":
            patch.setattr(
                module,
                "write_layers",
                lambda path, layers, *rest, **more: write_layers(
                    path, {key: off.shares(own, "served_after") for key, own in layers.items()}, *rest, **more
                ),
            )
        else:  # the project
            patch.setattr(
                module,
                "write_project",
                lambda path, layers, shown, *rest: write_project(
                    path, layers, {key: own._replace(title=off.digit(own.title)) for key, own in shown.items()}, *rest
                ),
            )


@pytest.mark.matrix
@pytest.mark.parametrize("name", [*DOCUMENTS, "charts of slides", "project"])
def test_a_digit_changed_in_any_document_is_noticed(plan: Written, tmp_path: Path, name: str) -> None:
    story, written_by = plan.story, {"charts of slides": "slides", "project": "layers"}.get(name, name)
    if written_by not in plan.says or not (plan.folder / "toy").is_dir():
        pytest.skip("written in Chinese only, or the toy district is enough")
    off = Off()
    with pytest.MonkeyPatch.context() as patch, speaking(story.analysis.lang):
        fault(name, off, patch)
        says = {**plan.says, written_by: DOCUMENTS[written_by](story, tmp_path)}
    assert off.done
    for file in ("a.gpkg", "a.qgz", "coverage.xlsx"):
        if not (tmp_path / file).exists():
            shutil.copy(plan.folder / file, tmp_path / file)
    noticed = []
    with speaking(story.analysis.lang):
        for check in CHECKS:
            try:
                check(Written(story, says, tmp_path))
            except AssertionError:
                noticed.append(check.__name__)
    assert noticed, "nobody noticed"


@pytest.mark.matrix
def test_same_bytes_twice(plan: Written, tmp_path: Path) -> None:
    """Every document of a plan, written again from the same files: nothing tells the hour, nothing depends on what ran before."""
    if plan.story.analysis.lang != "zh" or not (plan.folder / "toy").is_dir():
        pytest.skip("one language of one district is enough")
    sides = sides_of(xh.District.load(plan.folder / "toy"), Asked("close"))
    with speaking("zh"):
        written(Story(analyse(sides.district), against=sides.against), tmp_path, "zh")
    names = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*"))
    assert {name.rpartition(".")[2] for name in names} >= {"docx", "pptx", "pdf", "xlsx", "gpkg", "qgz", "dxf"}
    assert [name for name in names if (tmp_path / name).read_bytes() != (plan.folder / name).read_bytes()] == []


#: Writes all documents of the plan of a folder into another.
AGAIN = """
import sys
from pathlib import Path
import test_across_documents as own
sides = own.sides_of(own.xh.District.load(sys.argv[1]), own.Asked("close"))
with own.speaking("zh"):
    own.written(own.Story(own.analyse(sides.district), against=sides.against), Path(sys.argv[2]), "zh")
"""


@pytest.mark.matrix
def test_same_bytes_elsewhere(plan: Written, tmp_path: Path) -> None:
    """From another folder, on another day, for another user of a system that speaks another language; nothing hashes as before."""
    if plan.story.analysis.lang != "zh" or not (plan.folder / "toy").is_dir():
        pytest.skip("one language of one district is enough")
    shutil.copytree(plan.folder / "toy", tmp_path / "somewhere else/街道 甲")
    (tmp_path / "out").mkdir()
    env = {"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "LANG": "C", "PYTHONHASHSEED": "7", "PYTHONUTF8": "1"}
    env |= {"HOME": str(tmp_path), "USER": "nobody", "LOGNAME": "nobody"}
    env["PYTHONPATH"] = os.pathsep.join([str(Path(xh.__file__).parents[1]), str(Path(__file__).parent)])
    command = [sys.executable, "-c", AGAIN, str(tmp_path / "somewhere else/街道 甲"), str(tmp_path / "out")]
    subprocess.run(command, check=True, env={**os.environ, **env}, cwd=tmp_path, timeout=1800)
    names = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.*"))
    assert len(names) >= 8
    assert [n for n in names if (tmp_path / "out" / n).read_bytes() != (plan.folder / n).read_bytes()] == []


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("可达 88.8%，另有 1,234 人", {"88.8%", "1,234"}),
        ("15 分钟 51% 可达", {"51%"}),
        ("1:5,000 的图，EPSG:4548，800 m", set()),
        ("360 people", {"360"}),
    ],
)
def test_a_foreign_figure_is_seen(said: str, found: set[str]) -> None:
    assert figures_of(said) == found
