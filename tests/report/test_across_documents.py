"""
Of a plan, too, a figure has the same digits in every document, and no document has a figure that is not in the story.

The story is walked through as it is: every record, sentence and table that can be reached from it. What a document shows is read from
its file. Figures are what is counted: shares, thousands, decimals, numbers of people.
"""

from __future__ import annotations

import html
import importlib
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import docx
import ezdxf
import numpy as np
import pandas as pd
import pptx
import pyogrio
import pypdf
import pytest

import xinhe_geo as xh
from xinhe_geo.core import amount, per_cent
from xinhe_geo.core.i18n import speaking
from xinhe_geo.io import drawing_of
from xinhe_geo.maps.presets import scene_for
from xinhe_geo.report.analysis import analyse
from xinhe_geo.report.gis import geopackage
from xinhe_geo.report.pages.brief import brief_page
from xinhe_geo.report.paper.sheet import map_png, theme_pages, write_pages
from xinhe_geo.report.paper.sheet_parts import Format
from xinhe_geo.report.states import Asked, sides_of
from xinhe_geo.report.story.story import Story

pytestmark = pytest.mark.slow

TOY = Path(__file__).parents[1] / "toy"
CLOSE = 'label = "关南站"\n[[edit]]\ndo = "close_facility"\nfacility = "F1"\n'
FIGURE = re.compile(
    r"(?<![\d:.,/])(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?%?|\d+\.\d+%?|\d+%|\d+(?= ?(?:人|老人|people|residents)))(?![\d/])"
)
#: What is not counted: how papers and maps are measured, versions, coordinate systems, licences, numbers of chapters.
MEASURES = re.compile(
    r"1:[\d,]+|[\d.,]+ ?(?:k?m\b|mm|公里|米|公顷|ha\b|m/s|dpi)|EPSG:\d+|ODbL [\d.]+|CC BY [\d.]+|\d+\.\d+\.\d+"
)


class Written(NamedTuple):
    """A plan in one language: its story, and what each document of it says."""

    story: Story
    says: Mapping[str, str]
    folder: Path


@pytest.fixture(scope="module", params=["zh", "en"])
def plan(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Written:
    folder = tmp_path_factory.mktemp("plan")
    shutil.copytree(TOY, folder / "toy")
    (folder / "toy/scenarios").mkdir()
    (folder / "toy/scenarios/close.toml").write_text(CLOSE, "utf-8")
    sides = sides_of(xh.District.load(folder / "toy"), Asked("close"))
    with speaking(request.param):
        story = Story(analyse(sides.district), against=sides.against)
        return Written(story, written(story, folder, request.param), folder)


def written(story: Story, folder: Path, lang: str) -> dict[str, str]:
    """Write all documents of a story, every map the same small one, and return what they say."""
    drawn = map_png(scene_for(story.district, "overview"), 60, 50, units=500, dpi=60)
    with pytest.MonkeyPatch.context() as patch:
        for name, write in (("word", "write_brief"), ("slides", "slides")):
            module = importlib.import_module(f"xinhe_geo.report.paper.{name}")
            patch.setattr(module, "map_png", lambda *_, **__: drawn)
            patch.setattr(module, "Story", lambda *_, **__: story)
            patch.setattr(module, "analyse", lambda *_, **__: story.analysis)
            getattr(module, write)(story.district, folder / {"word": "a.docx", "slides": "a.pptx"}[name])
    pages = [
        page for what in ("overview", story.worst[0].rule) for page in theme_pages(story, what, Format("A3", lang))
    ]
    write_pages(pages, folder / "a.pdf", "a")
    geopackage(story, folder / "a.gpkg")
    says = {"page": page_text(brief_page(story, [], [])), "word": word_text(folder), "slides": slides_text(folder)}
    says["sheet"] = "".join(page.extract_text() for page in pypdf.PdfReader(folder / "a.pdf").pages)
    if lang == "zh":  # a drawing is in Chinese, as its layers are
        assert story.change is not None
        drawing_of(story.district, folder / "a.dxf", against=story.against, notes=story.change.lines)
        space = ezdxf.readfile(folder / "a.dxf").modelspace()
        says["drawing"] = "\n".join(str(e.dxf.text) for e in space if e.dxftype() == "TEXT")
    return says


def page_text(page: str) -> str:
    return html.unescape(re.sub(r"<(style|script|svg).*?</\1>|<[^>]+>", " ", page, flags=re.DOTALL))


def word_text(folder: Path) -> str:
    document = docx.Document(str(folder / "a.docx"))
    cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    return "\n".join([*(p.text for p in document.paragraphs), *cells])


def slides_text(folder: Path) -> str:
    """Return what slides and their notes say; bars as name and share, or name and number."""
    said = []
    for slide in pptx.Presentation(str(folder / "a.pptx")).slides:
        said.append(slide.notes_slide.notes_text_frame.text)
        for shape in slide.shapes:
            said += [shape.text_frame.text] if shape.has_text_frame else []
            said += [c.text for row in shape.table.rows for c in row.cells] if shape.has_table else []
            for own in shape.chart.plots[0].series if shape.has_chart else ():
                shares = "%" in str(shape.chart.plots[0].data_labels.number_format)
                bars = zip(shape.chart.plots[0].categories, own.values, strict=True)
                said += [f"{name} {per_cent(value, 0) if shares else amount(value)}" for name, value in bars]
    return "\n".join(said)


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
    elif type(thing).__name__ in ("Story", "Change", "Parcels"):
        names = [n for n in dir(type(thing)) if not n.startswith("_") and not callable(getattr(type(thing), n))]
        for name in names:
            yield from strings(getattr(thing, name), seen)
    for name in ("amount", "told", "text") if hasattr(thing, "_fields") else ():
        yield from (getattr(thing, n) for n in (name,) if isinstance(getattr(thing, n, None), str))


def figures_of(text: str) -> set[str]:
    return set(FIGURE.findall(MEASURES.sub(" ", text)))


def vocabulary(story: Story) -> set[str]:
    """Return the figures of a story: of its texts, of its parts by community, zone and area, and of its tables."""
    seen = dict[int, object]()
    texts = list(strings(story, seen))
    parts = [story.parts(goal, group) for goal in story.every for group in ("community", "area", "zone")]
    texts += strings([*parts, *(story.zones(goal) for goal in story.every)], seen)
    for table in (story.zone_table, story.kind_table, story.layer_table):
        numbers = table.select_dtypes("number").to_numpy(dtype=float).ravel()
        texts += [said for v in numbers[np.isfinite(numbers)] for said in (amount(v) + " 人", f"{v:.2f}", f"{v:.1f}")]
    rules = story.district.rules
    texts += [" ".join(map(str, row)) for row in rules[["standard", "clause", "label"]].to_numpy()]
    return set().union(*map(figures_of, texts))


# --- the same everywhere ----------------------------------------------------------------------------------------------


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


def test_before_and_after_have_the_same_digits_everywhere(plan: Written) -> None:
    """Whatever the plan moves: label, both shares and the net gain, in each document that tells them."""
    change = plan.story.change
    assert change is not None and len(change.moved) >= 2
    for name, said in plan.says.items():
        flat = squeezed(said)
        for shift in change.moved:
            for text in (shift.label, shift.before.text, shift.after.text, shift.net):
                assert squeezed(text) in flat, (name, shift.label, text)


def test_the_layers_add_up_to_the_figures(plan: Written) -> None:
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


def test_no_document_has_a_figure_that_is_not_in_the_story(plan: Written) -> None:
    known = vocabulary(plan.story)
    assert len(known) > 30
    foreign = {name: sorted(figures_of(said) - known) for name, said in plan.says.items()}
    assert not any(foreign.values()), foreign


def test_same_bytes_twice(plan: Written, tmp_path: Path) -> None:
    """Every document of a plan, written again from the same files: nothing tells the hour, nothing depends on what ran before."""
    if plan.story.analysis.lang != "zh":
        pytest.skip("one language is enough")
    sides = sides_of(xh.District.load(plan.folder / "toy"), Asked("close"))
    with speaking("zh"):
        written(Story(analyse(sides.district), against=sides.against), tmp_path, "zh")
    names = sorted(path.name for path in tmp_path.iterdir())
    assert {name.rpartition(".")[2] for name in names} >= {"docx", "pptx", "pdf", "gpkg", "qgz", "dxf"}
    assert [name for name in names if (tmp_path / name).read_bytes() != (plan.folder / name).read_bytes()] == []


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
