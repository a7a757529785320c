"""A figure has the same digits wherever it is said: page, Word, slides, sheet, workbook, GeoPackage, communities, live map; in both languages."""

from __future__ import annotations

import html
import importlib
import io
import math
import re
from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any, NamedTuple

import docx
import numpy as np
import openpyxl
import pandas as pd
import pptx
import pyogrio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ink import texts_of
from ledger_toy import BY_HAND, folder_with, measure

import xinhe_geo as xh
from xinhe_geo.app import open_desk, promises_told, sortable
from xinhe_geo.core import amount, per_cent, whole
from xinhe_geo.core.i18n import speaking, title
from xinhe_geo.core.sentences import say, tight
from xinhe_geo.ledger import number_text, verdicts
from xinhe_geo.maps.live_model import LiveModel
from xinhe_geo.maps.live_numbers import LiveNumbers
from xinhe_geo.maps.presets import scene_for
from xinhe_geo.maps.style import number_text as on_maps
from xinhe_geo.maps.themes import percent
from xinhe_geo.report import write_ledger
from xinhe_geo.report.analysis import analyse
from xinhe_geo.report.paper import Format
from xinhe_geo.report.paper import sheet as draw_sheet
from xinhe_geo.report.paper.atlas import community_page
from xinhe_geo.report.paper.page import pdf_bytes
from xinhe_geo.report.paper.sheet import map_png
from xinhe_geo.report.report import LEDGER_BOOK
from xinhe_geo.report.story.records import Figure, Goal
from xinhe_geo.report.story.story import Story

pytestmark = pytest.mark.slow

_word = importlib.import_module("xinhe_geo.report.paper.word")
_slides = importlib.import_module("xinhe_geo.report.paper.slides")

TOY = Path(__file__).parents[1] / "toy"
LANGS = ("zh", "en")


class Told(NamedTuple):
    """A district told in one language: its story, and the folder everything was written into."""

    story: Story
    folder: Path


def told(district: xh.District, folder: Path, lang: str) -> Told:
    """Write everything that shows figures; every map is the same small one, sheets have tests of their own."""
    drawn = map_png(scene_for(district, "overview"), 60, 50, units=500, dpi=60)
    with speaking(lang), pytest.MonkeyPatch.context() as patch:
        for module in (_word, _slides):
            patch.setattr(module, "map_png", lambda *_, **__: drawn)
        xh.brief(district, folder, lang=lang)
        _word.write_brief(district, folder / "a.docx")
        _slides.slides(district, folder / "a.pptx")
        draw_sheet(district, "gaps", folder / "gaps.pdf", lang=lang)
        return Told(Story(analyse(district)), folder)


@pytest.fixture(scope="module", params=["zh", pytest.param("en", marks=pytest.mark.matrix)])
def toy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Told:
    return told(xh.District.load(TOY), tmp_path_factory.mktemp("toy"), request.param)


# --- what documents say ------------------------------------------------------------------------------------------------


def cells_of_word(folder: Path) -> list[list[str]]:
    document = docx.Document(str(folder / "a.docx"))
    return [[cell.text for cell in row.cells] for table in document.tables for row in table.rows]


def slides_of(folder: Path) -> Iterator[tuple[str, str, list[list[str]], dict[str, tuple[float, ...]]]]:
    """Yield of each slide its title, its text and notes, the rows of its tables, and its bars by name, a value for each series."""
    for slide in pptx.Presentation(str(folder / "a.pptx")).slides:
        shapes = list(slide.shapes)
        texts = [s.text_frame.text for s in shapes if s.has_text_frame]
        text = "\n".join([*texts, slide.notes_slide.notes_text_frame.text])
        rows = [[c.text for c in row.cells] for s in shapes if s.has_table for row in s.table.rows]
        charts = [s.chart.plots[0] for s in shapes if s.has_chart]
        bars = {
            own[0]: own[1:] for p in charts for own in zip(p.categories, *(s.values for s in p.series), strict=True)
        }
        yield slide.shapes.title.text, text, rows, bars


def page_of(folder: Path, name: str = "index.html") -> str:
    text = re.sub(r"<(style|script|svg).*?</\1>", "", (folder / name).read_text("utf-8"), flags=re.DOTALL)
    return html.unescape(re.sub(r"<[^>]+>", "\x1f", text.replace('<span lang="zh">', "").replace("</span>", "")))


def plain(text: str) -> str:
    """Return a text without what breaks lines and marks languages in a page."""
    return re.sub(r"[\s\x1f]+", "", text)


def sheet_rows(folder: Path, name: str) -> list[dict[str, Any]]:
    book = openpyxl.load_workbook(folder / "tables" / "coverage.xlsx", read_only=True)
    head, *rows = list(book[title(name)].iter_rows(min_row=3, values_only=True))
    return [dict(zip(head, row, strict=True)) for row in rows]


def digits(value: float) -> str:
    """Return a number as a spreadsheet shows it: of fifteen digits, halves away from zero."""
    return f"{Decimal(f'{value:.15g}').quantize(Decimal(1), ROUND_HALF_UP):,}"


# --- the same in every document ----------------------------------------------------------------------------------------


def check_goals(own: Told) -> None:
    """Each goal's number and sentence: page, Word, slides, workbook."""
    story, folder = own
    page, word, slides = plain(page_of(folder)), cells_of_word(folder), list(slides_of(folder))
    listed = {row[title("规则")]: row for heading in story.headings for row in sheet_rows(folder, heading)}
    assert story.goals
    for goal in story.goals:
        for text in (goal.label, goal.headline):
            assert plain(text) in page, text
        assert any(goal.label in row and goal.headline in row for row in word), goal.label
        assert listed[goal.rule][title("结果")] == goal.headline
        number = listed[goal.rule][title("不可达人口")]
        assert (number is None) == (not goal.unserved.known)
        assert number is None or digits(number) == goal.unserved.text, goal.rule
        if goal.share.known:
            assert plain(goal.label + goal.big) in page, goal.rule
            bars = next(own for _, text, _, own in slides if own and goal.headline in text)
            name = next(n for n in bars if n.startswith(goal.label))
            assert bars[name] == (pytest.approx(goal.share.value, abs=1e-6),), goal.rule
            assert goal.metric != "presence" or goal.big in name
    for goal in story.worst[:1]:  # it has a map of its own
        (title_, text) = next((t, x) for t, x, _, _ in slides if t.startswith(goal.label))
        assert goal.headline in title_ and goal.big in text


def check_parts(own: Told) -> None:
    """Whom each goal misses, community by community and in none: Word, slides, workbook add up to the headline."""
    story, folder = own
    word, slides = cells_of_word(folder), list(slides_of(folder))
    rows = sheet_rows(folder, "按社区") if "community" in story.analysis.by else []
    for goal in story.judged:
        parts, short = story.parts(goal), story.short(goal)
        assert sum(p.missed.value for p in short if p.missed.known) == pytest.approx(goal.unserved.value), goal.rule
        if parts:
            row = next(r for r in word if r[0] == goal.label and len(r) == 5 and r[3] == goal.unserved.amount)
            for part in short:
                assert tight(f"{part.name} {part.missed.amount}") in row[4]
        text = next((x for t, x, _, _ in slides if t.startswith(goal.label) and goal.headline in t), None)
        for part in short[:6] if text is not None else ():
            assert say("{0}：{1}", part.name, part.missed.amount) in text
        held = "60岁及以上" if goal.unserved.of == "people_60plus" else "常住人口"
        of = "可达60岁及以上" if goal.unserved.of == "people_60plus" else "可达人口"
        found = {r[title("社区")]: r for r in rows if r[title("规则")] == goal.rule}
        for part in parts:
            both = found[part.name][title(held)], found[part.name][title(of)]
            assert not part.missed.known or digits(both[0] - both[1]) == part.missed.text, (goal.rule, part.name)


def check_gaps(own: Told) -> None:
    """Who is worst off: one order, the same people, in page, Word, slides, sheet, map, workbook, GeoPackage."""
    story, folder = own
    gaps = story.gaps
    assert gaps and [g.walked for g in gaps] == sorted((g.walked for g in gaps), reverse=True)
    page = plain(page_of(folder))
    places = [page.index(plain(f"{g.name}{g.label}{g.unserved.told}")) for g in gaps[:12]]
    assert places == sorted(places)
    ranks = [r for r in cells_of_word(folder) if len(r) == 4 and r[0].isdigit()][: len(gaps[:15])]
    assert ranks == [[str(i), g.name, g.unserved.text, g.why] for i, g in enumerate(gaps[:15], 1)]
    rows = next(rows for t, _, rows, _ in slides_of(folder) if str(len(gaps)) in t and gaps[0].name in t)
    assert [r[:3] for r in rows[1:]][:3] == [[str(i), g.name, g.unserved.text] for i, g in enumerate(gaps[:3], 1)]
    layer = next(x for x in scene_for(story.district, "gaps", results=story.analysis).layers if x.id == "gaps")
    assert [row["name"] for row in layer.extra["list"]] == [g.name for g in gaps]
    text = plain("".join(texts_of(folder / "gaps.pdf")))
    for i, gap in enumerate(gaps[:5], 1):
        assert plain(f"{i}{gap.name}{gap.unserved.text if gap.unserved.known else ''}") in text, gap.name
    listed = {(r[title("小区编号")], r[title("指标")]): r for r in sheet_rows(folder, "缺口清单")}
    kept = dict[str, Any]()
    for gap in gaps:
        column = "不可达60岁及以上" if gap.unserved.of == "people_60plus" else "不可达人口"
        number = listed[(gap.home, gap.label)][title(column)]
        assert number is None if not gap.unserved.known else digits(number) == gap.unserved.text
        if gap.rule not in kept:
            frame = pyogrio.read_dataframe(folder / "gis" / "coverage.gpkg", layer=f"缺口_{gap.rule}")
            kept[gap.rule] = frame.set_index("home")["unserved"]
        assert not gap.unserved.known or digits(kept[gap.rule][gap.home]) == gap.unserved.text


def check_remedies(own: Told) -> None:
    """What one more place brings, and how sure that is: Word and slides; before is what the headline says."""
    story, folder = own
    word, slides = cells_of_word(folder), [bar for *_, bars in slides_of(folder) for bar in bars.items()]
    goals: Mapping[str, Goal] = {goal.rule: goal for goal in story.goals}
    for remedy in story.remedies:
        said = [remedy.label, remedy.gained.told, f"{remedy.before.counted}{remedy.before.text}", remedy.after.text]
        assert any(row[:4] == said for row in word), said
        sides = pytest.approx(remedy.before.value, abs=1e-6), pytest.approx(remedy.after.value, abs=1e-6)
        assert any(remedy.label in name and remedy.brings_shortly in name and bar == sides for name, bar in slides), (
            said
        )
        if goals[remedy.rule].metric == "reach":
            assert remedy.before.text == goals[remedy.rule].share.text
    for pace in story.paces:
        assert pace.usual.text == goals[pace.rule].share.text
        assert any(
            row[2:] == [pace.slower.text, pace.usual.text, pace.faster.text] for row in word if row[0] == pace.label
        )


def check_communities(own: Told) -> None:
    """The page of communities: who lives in each and in none is everybody; it lacks what the brief says it lacks."""
    story, folder = own
    if not (folder / "communities.html").is_file():
        return
    pages = {p[:40]: p for p in plain(page_of(folder, "communities.html")).split(plain(title("常住人口")))}
    for row in story.lacking:
        assert any(text.startswith(row.living.text) for text in pages), row.name


def check_community_sheets(own: Told) -> None:
    """The sheet of a community in the atlas: the share, and whom each goal misses, are those of the workbook."""
    story, folder = own
    if "community" not in story.analysis.by:
        return
    form, names = Format("A4", lang=story.analysis.lang), story.district.layers["communities"]["name"]
    rows = {(r[title("社区")], r[title("规则")]): r for r in sheet_rows(folder, "按社区")}
    for code in list(names.index)[:2]:
        page = io.BytesIO(pdf_bytes([community_page(story, str(code), form)], "t"))
        text, seen = plain("".join(texts_of(page))), 0
        for rule, row in story.promises_in(str(code)).iterrows():
            found = rows.get((names[code], rule))
            if found is None or row["metric"] != "reach" or not np.isfinite(row["share"]):
                continue
            seen += 1
            assert per_cent(found[title("份额（本规则分母）")]).replace(".0%", "%") in text, (code, rule)
            held, of = (
                ("60岁及以上", "可达60岁及以上") if row["counted"] == "people_60plus" else ("常住人口", "可达人口")
            )
            assert digits(found[title(held)] - found[title(of)]) in text, (code, rule)
        assert seen


def check_live(own: Told) -> None:
    """The live map of the notebook counts what the story says: who is left out, and the share."""
    story = own.story
    model = LiveModel(story.district)
    for goal in story.judged:
        kind = story.district.rule(goal.rule).kinds[0]
        if goal.metric != "reach" or kind not in model.askable or story.district.kinds.at[kind, "rule"] != goal.rule:
            continue
        model.ask(kind, None, None)
        shown = LiveNumbers(model, model.count(model.plan))
        assert digits(shown.gaps()["people"]) == goal.unserved.text
        assert shown.headline()["now"] == pytest.approx(goal.share.value)


CHECKS = (check_goals, check_parts, check_gaps, check_remedies, check_communities, check_community_sheets, check_live)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_figure_has_the_same_digits_everywhere(toy: Told, check: Any) -> None:
    with speaking(toy.story.analysis.lang):
        check(toy)


@pytest.mark.slow
@pytest.mark.matrix
@pytest.mark.parametrize("lang", LANGS)
def test_and_so_it_has_in_the_bundled_district(lang: str, tmp_path: Path) -> None:
    own = told(xh.District.load(), tmp_path, lang)
    with speaking(lang):
        for check in CHECKS:
            check(own)


@pytest.mark.matrix
@pytest.mark.parametrize("lang", LANGS)
def test_a_number_of_the_ledger_has_the_same_digits_everywhere(tmp_path: Path, lang: str) -> None:
    """A row of every metric: on the page, in the workbook as its cell is formatted, in Word and in the notebook; verdicts counted on page and slide."""
    measures = [measure(name, metric, **cells) for name, metric, cells, _, _ in BY_HAND]
    district = xh.District.load(folder_with(tmp_path / "toy", measures))
    with speaking(lang), pytest.MonkeyPatch.context() as patch:
        drawn = map_png(scene_for(district, "overview"), 60, 50, units=500, dpi=60)
        for module in (_word, _slides):
            patch.setattr(module, "map_png", lambda *_, **__: drawn)
        table = xh.ledger(district, lang=lang)
        write_ledger(district, table, tmp_path, lang=lang)
        _word.write_brief(district, tmp_path / "a.docx")
        _slides.slides(district, tmp_path / "a.pptx")
        page = plain(page_of(tmp_path, "ledger.html"))
        word = plain("".join(cell for row in cells_of_word(tmp_path) for cell in row))
        book = openpyxl.load_workbook(tmp_path / LEDGER_BOOK)
        shown: dict[str, str] = {}
        for sheet in book:
            heads = {str(cell.value): cell.column for row in sheet.iter_rows(max_row=6) for cell in row}
            if not {title("数值"), title("编号"), title("量什么")} <= set(heads):
                continue
            for row in sheet.iter_rows():
                value = row[heads[title("数值")] - 1]
                if isinstance(value.value, int | float):
                    decimals = len(value.number_format.partition(".")[2])
                    shown[str(row[heads[title("编号")] - 1].value)] = amount(value.value, decimals)
        known = table[np.isfinite(table["value"].astype(float))]
        assert len(known) > 20
        for (_, key), row in known.iterrows():
            said = number_text(float(row["value"]), str(row["unit"]))
            assert plain(said) in page and said.startswith(shown[key]), key
            if row["role"] == "own":
                assert plain(f"{row['label']} {said}") in word, key
            if np.isfinite(row["low_other"]):
                low, high = number_text(row["low_other"], ""), number_text(row["high_other"], str(row["unit"]))
                assert plain(f"{low}—{high}") in page, key
        for code, first in promises_told(known).set_index("编号").iterrows():
            own = table.loc[code][table.loc[code, "role"] == "own"]
            assert first["value"].startswith(shown[own.index[0]]), code
        counts = verdicts(table).value_counts()
        heading = next(
            t for t, *_ in slides_of(tmp_path) if all(f"{n} {verdict}" in t for verdict, n in counts.items())
        )
        assert str(counts.sum()) in heading
        assert all(plain(f"{verdict} {n}") in page for verdict, n in counts.items())


@pytest.mark.matrix
def test_both_languages_tell_the_same_figures() -> None:
    """Only the words differ: codes, what they are about, numbers, units and digits are the same."""
    figures: list[list[Figure]] = []
    for lang in LANGS:
        with speaking(lang):
            figures.append(list(Story(analyse(xh.District.load(TOY))).figures()))
    assert len(figures[0]) > 50 and len(figures[0]) == len(figures[1])
    for ours, theirs in zip(*figures, strict=True):
        assert (ours.code, ours.about, ours.unit, ours.of) == (theirs.code, theirs.about, theirs.unit, theirs.of)
        assert np.isclose(ours.value, theirs.value, equal_nan=True)
        assert ours.text == theirs.text or not ours.known


# --- rounded once, wherever it is written ------------------------------------------------------------------------------

#: Numbers of which halves are many, exact or off by what adding up leaves.
HALVES = st.tuples(st.integers(0, 40_000), st.sampled_from([0.0, 1e-11, -1e-11])).map(lambda n: n[0] / 20 + n[1])


@given(HALVES)
def test_maps_sheets_charts_and_notebooks_round_as_pages_do(value: float) -> None:
    for decimals in (0, 1, 2):
        assert on_maps(value, "", decimals) == amount(value, decimals)
        cells = sortable(pd.DataFrame({"a": [value]}), digits=decimals).to_html()
        assert f">{amount(value, decimals)}<" in cells
    assert f"{whole(value):,}" == amount(value) and Figure("", "", value, "people", "", "").plotted == whole(value)
    share = value / 2_000
    assert percent(share).replace(" %", "") == per_cent(share).removesuffix("%").removesuffix(".0")


@given(
    st.one_of(HALVES, st.sampled_from([0.0, 100.0]).flatmap(lambda n: st.floats(-0.1, 0.1).map(lambda off: n + off)))
)
def test_a_number_of_the_ledger_says_none_or_all_only_where_it_is(value: float) -> None:
    """Of whatever is further from 0 and 100 than what six decimals can show."""
    text = number_text(value, "%").removesuffix(" %").replace(",", "").replace("−", "-")
    near = min((0.0, 100.0), key=lambda n: abs(value - n))
    assert math.isclose(float(text), value, rel_tol=0.05, abs_tol=5.1e-4)
    if abs(value - near) > 1e-6:
        assert float(text) != near, text


def test_a_table_of_a_notebook_shows_whole_people_as_pages_do() -> None:
    desk = open_desk("07", TOY)
    frame = pd.DataFrame({"n": [0.5, 2.5, 186.5, float("nan")]})
    shown = desk.table(frame, {"n": "不可达（人）"}).to_html()
    assert re.findall(r"<td[^>]*>([^<]*)</td>", shown) == ["1", "3", "187", "数据不足"]
