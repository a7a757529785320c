"""Slides, 16:9: one conclusion per page with its map, its number and a table or chart that can be edited; notes say what it rests on."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pptx
from pptx.chart.data import CategoryChartData
from pptx.dml.color import RGBColor
from pptx.enum.chart import XL_CHART_TYPE, XL_LABEL_POSITION, XL_LEGEND_POSITION
from pptx.enum.shapes import MSO_CONNECTOR
from pptx.enum.text import MSO_ANCHOR, PP_ALIGN
from pptx.oxml.ns import qn
from pptx.util import Emu, Inches, Pt

from ...access import rests_on
from ...core import REFERENCE, crs_label, language, named_by_homes, refuse_uncleared, say, told, write_bytes
from ...core import title as column
from ...district import District, credit_of, list_told, place_title, year_told
from ...maps import (
    COMPLETENESS,
    DEMONSTRATION_TEXT,
    GAPS,
    OVERVIEW,
    Scene,
    badges_of,
    difference_scene,
    scene_for,
    themes,
)
from ...report import Goal, Story, analyse
from .carto import handed_on
from .office import TONGUES, document_bytes
from .page import Columns, Frame, plain, wrap
from .sheet import map_png

if TYPE_CHECKING:
    from pptx.slide import Slide
    from pptx.text.text import _Paragraph as Paragraph

    #: What other decks call a slide of python-pptx.
    AnySlide = Slide

SLIDES = "汇报.pptx"
#: Classes of python-pptx that say nothing about their types.
_RGB: Any = RGBColor
_CHART: Any = CategoryChartData
INK, QUIET, STRONG, MARK = "2B3138", "626A72", "0B4F5C", "8A3B52"
_FACE = "Microsoft YaHei"
#: How wide a letter is, in Chinese ones.
LETTER = {"zh": 1.0, "en": 0.55}
_LEFT, _TOP, _WIDE, _HIGH = 0.5, 1.45, 12.33, 5.2
_MAP = (5.6, 5.2)
#: What lies beside a map.
BESIDE = Frame(_LEFT + _MAP[0] + 0.35, _TOP, _WIDE - _MAP[0] - 0.35, _HIGH)
#: A chart that has the page for itself, or half of it.
WHOLE = Frame(_LEFT, _TOP, _WIDE, _HIGH)
_HALF, _OTHER_HALF = Frame(_LEFT, _TOP, 7.4, _HIGH), Frame(_LEFT + 7.7, _TOP, _WIDE - 7.7, _HIGH)
_GAP_LEFT, _GAP_WIDTHS = BESIDE.left, (0.5, 2.2, 1.1, BESIDE.width - 3.8)
#: A map as it is drawn, in millimetres.
_MAP_MM = (_MAP[0] * 25.4, _MAP[1] * 25.4)
#: The size of a title -> how many Chinese letters of it two lines have room for.
TITLES = {28: 34, 24: 56, 20: 84, 16: 110}
#: A meeting listens to so many pages.
MOST_SLIDES = 10
#: The least size of letters in a chart, which a room can read.
CHART_TYPE = 12
#: By how much lines may be smaller, one after the other, to fit into their box; what a box leaves free at its sides, in inches.
_SMALLER, _INSET = (1.0, 0.9, 0.8, 0.7), 0.1
#: How far lines are apart, in letters: said in so many points, for the faces of two computers do not agree on one line.
_LEADING = 1.25
#: A row of many in a table is at least so high, in inches.
_LEAST_ROW = 0.27
#: How many bars can be read on a page, how many lines beside a map, and how many rows.
CHARTED, LISTED, TABLED = 14, 6, 12
#: How many goals that a plan moves are charted.
CHANGED = 10
#: How many differences are said under the chart, in how many inches: firm or not, where that was asked.
FIRMLY, _FIRM = 4, 1.28
_ABOVE, _BELOW = Frame(_LEFT, _TOP, _WIDE, _HIGH - _FIRM), Frame(_LEFT, _TOP + _HIGH - _FIRM, _WIDE, _FIRM)
#: Before and after; and the parts of one bar, dark and light in turn: neighbours are told apart in grey too.
SIDES = ("E3CDB0", "1F6F78")
PARTS = ("1F6F78", "F0B48C", "8A3B52", "D4E7E4", "4F4780", "F6E0A8", "3A424A", "C9C3B8")


@dataclass(frozen=True)
class Line:
    """A line of text on a slide."""

    words: str
    size: float
    colour: str = QUIET
    bold: bool = False


@dataclass(frozen=True)
class Bars:
    """A bar chart: a value per name in each series; shares are told as percentages."""

    title: str
    names: Sequence[str]
    series: Mapping[str, Sequence[float | None]]
    share: bool = True
    stacked: bool = False
    colours: Sequence[str] = ("1F6F78",)


@told("写幻灯片", 5)
@named_by_homes
def slides(
    district: District,
    to: str | Path = SLIDES,
    *,
    preset: str = "plan",
    ranges: bool = False,
    against: District | None = None,
    progress: Callable[[str], None] | None = None,
) -> Path:
    """
    Write slides for a meeting, ten at most: a conclusion each as title, a chart or a map each, method and source in the notes.

    Of a plan first what it changes, for whom and where; then how the goals stand, the gaps, what would help, the ledger, what it
    rests on. Maps of the goals that fall shortest take the pages that are left.

    Parameters
    ----------
    to
        A .pptx file.
    preset
        "plan", "td1063" or "elderly".
    ranges
        Whether it is said how firm each goal, and each difference, is.
    against
        Another state, which this one is held against (what was there before a plan, another plan); None: none.

    Returns
    -------
    file
        What was written. Every text, table and chart in it can be edited; maps are pictures.

    Raises
    ------
    EnvironmentProblem
        The file cannot be written, or the typeface of the maps is missing.
    """
    refuse_uncleared(district.manifest, "写出汇报")
    tell = progress or (lambda _: None)
    story = Story(analyse(district, preset=preset, ranges=ranges, progress=tell), against=against)
    deck = Deck(district)
    deck.cover(story)
    tell(say("画图表和地图"))
    pages = [page for page in _PAGES if page.of(story)]
    maps = [goal for goal in (*story.worst, *story.known) if goal.share.known]
    room = MOST_SLIDES - 1 - len(pages)
    for page in pages:
        if page.then is not None:
            tell(say(page.then))
        page.write(deck, story)
        if (
            page.write is _goals
        ):  # what is left of the ten shows where the goals are missed, the largest shortfall first
            for goal in list(dict.fromkeys(maps))[: max(room, 0)]:
                _promise(deck, story, goal)
    return write_bytes(Path(to), deck.save(_name(district)))


class Deck:
    """A presentation being written: what all its pages have in common."""

    def __init__(self, district: District) -> None:
        self.district = district
        self.show = pptx.Presentation()
        self.show.slide_width, self.show.slide_height = Inches(13.333), Inches(7.5)
        for part in self.show.slide_master.part.rels.values():
            if part.reltype.endswith("/theme"):
                # Chinese text in PowerPoint's own face rather than whatever a computer falls back on
                blob = part.target_part.blob
                part.target_part._blob = blob.replace(b'<a:ea typeface=""/>', f'<a:ea typeface="{_FACE}"/>'.encode())

    def page(self, title: str, notes: Sequence[str]) -> Slide:
        """Add a page whose title is a sentence; `notes` are what the speaker reads."""
        slide: Slide = self.show.slides.add_slide(self.show.slide_layouts[5])
        box = slide.shapes.title
        assert box is not None  # this layout has one
        box.left, box.top, box.width, box.height = Inches(_LEFT), Inches(0.3), Inches(_WIDE), Inches(0.95)
        frame = box.text_frame
        frame.word_wrap, frame.vertical_anchor = True, MSO_ANCHOR.MIDDLE
        letters = len(title) * LETTER[language()]
        size = next((size for size, most in TITLES.items() if letters <= most), 14)
        _write(frame.paragraphs[0], title, size, INK, bold=True)
        frame.paragraphs[0].alignment = PP_ALIGN.LEFT
        line = slide.shapes.add_connector(
            MSO_CONNECTOR.STRAIGHT, Inches(_LEFT), Inches(1.3), Inches(_LEFT + _WIDE), Inches(1.3)
        )
        line.line.color.rgb, line.line.width = _RGB.from_string(MARK), Pt(2)
        number = len(self.show.slides)
        foot = say(
            "{0}　数据年份 {1}　{2}",
            place_title(self.district),
            year_told(self.district),
            credit_of(self.district),
        )
        self.text(slide, Frame(_LEFT - 0.1, 7.0, _WIDE + 0.2, 0.35), [Line(foot, 9.5)])
        badges = badges_of(self.district, self.district.is_demonstration, language())
        mark = say("　").join(say(DEMONSTRATION_TEXT) if kind == "demo" else words for kind, words in badges)
        self.text(
            slide,
            Frame(_LEFT, 6.68, _WIDE + 0.1, 0.3),
            [Line(say("{0}　{1}", mark, number), 10, MARK, True)],
            right=True,
        )
        spoken = slide.notes_slide.notes_text_frame
        assert spoken is not None  # and so has that of notes
        spoken.text = "\n".join(plain(n) for n in notes if n)
        return slide

    def text(self, slide: Slide, place: Frame, lines: Sequence[Line], *, right: bool = False) -> None:
        """Write lines into a box; where they have no room as large as they are, all of them are smaller."""
        frame = slide.shapes.add_textbox(*_inches(place)).text_frame
        frame.word_wrap = True
        for i, line in enumerate(_fitted(lines, place)):
            paragraph = frame.paragraphs[0] if i == 0 else frame.add_paragraph()
            _write(paragraph, line.words, line.size, line.colour, bold=line.bold)
            paragraph.line_spacing = _leading(line.size)
            paragraph.space_after = Pt(4)
            if right:
                paragraph.alignment = PP_ALIGN.RIGHT

    def picture(
        self, slide: Slide, png: bytes, alt: str, left: float = _LEFT, top: float = _TOP, width: float = _MAP[0]
    ) -> None:
        """Put a map on a page, with words for those who cannot see it."""
        shape = slide.shapes.add_picture(io.BytesIO(png), Inches(left), Inches(top), width=Inches(width))
        element: Any = shape._element  # its types stop here
        element.nvPicPr.cNvPr.set("descr", plain(alt))
        shape.name = plain(alt)[:60]

    def table(
        self,
        slide: Slide,
        columns: Columns,
        rows: Sequence[Sequence[str]],
        left: float = _LEFT,
        top: float = _TOP,
    ) -> float:
        """
        Put a table that can be edited on a page.

        Rows are as high as their text needs (not every program lets them grow); rows that would run off the page are left out,
        and counted in the last one. Returns where it ends, in inches from the top.
        """
        head, widths, size = columns.head, columns.widths, columns.size
        tall = row_heights(columns, rows)
        fits = max(int(np.searchsorted(np.cumsum(tall), _TOP + _HIGH - top + 1e-6)), 2)
        is_cut = fits < len(tall)
        if is_cut:
            left_out = len(tall) - fits + 1
            rows = [*rows[: fits - 2], [say("另有 {0} 行", left_out), *([""] * (len(head) - 1))]]
            tall = [*tall[: fits - 1], _LEAST_ROW]
        place = Frame(left, top, sum(widths), sum(tall))
        grid = slide.shapes.add_table(len(rows) + 1, len(head), *_inches(place)).table
        for j, width in enumerate(widths):
            grid.columns[j].width = Inches(width)
        for i, cells in enumerate([head, *rows]):
            grid.rows[i].height = Inches(tall[i])
            for j, words in enumerate(cells):
                cell = grid.cell(i, j)
                cell.margin_top = cell.margin_bottom = Emu(12000)
                cell.margin_left = cell.margin_right = Emu(50000)
                cell.vertical_anchor = MSO_ANCHOR.MIDDLE
                fill: Any = cell.fill
                fill.solid()
                fill.fore_color.rgb = _RGB.from_string("E9E4DA" if i == 0 else "FFFDF9" if i % 2 else "F6F2EA")
                paragraph = cell.text_frame.paragraphs[0]
                _write(paragraph, words, size, INK, bold=i == 0)
                paragraph.line_spacing = _leading(size)
                if j in columns.numbers and not (is_cut and i == len(rows)):
                    paragraph.alignment = PP_ALIGN.RIGHT
        if is_cut:  # how many are left out has the whole row
            grid.cell(len(rows), 0).merge(grid.cell(len(rows), len(head) - 1))
        return top + sum(tall)

    def bars(self, slide: Slide, place: Frame, bars: Bars) -> None:
        """Put a bar chart that can be edited on a page, the first name on top."""
        share, stacked = bars.share, bars.stacked
        data = _CHART(number_format="0%" if share else "0")
        data.categories = [_category(n) for n in bars.names]
        for name, values in bars.series.items():
            data.add_series(_category(name), values)
        kind = XL_CHART_TYPE.BAR_STACKED if stacked else XL_CHART_TYPE.BAR_CLUSTERED
        shape: Any = slide.shapes.add_chart(
            kind, *_inches(place), data
        )  # no chart, as its types say, but the frame of one
        chart = shape.chart
        chart.has_title = True
        _write(chart.chart_title.text_frame.paragraphs[0], bars.title, 13, INK, bold=True)
        chart.has_legend = len(bars.series) > 1
        if chart.has_legend:
            chart.legend.position, chart.legend.include_in_layout = XL_LEGEND_POSITION.BOTTOM, False
            chart.legend.font.size = Pt(CHART_TYPE)
        chart.category_axis.reverse_order = True
        chart.category_axis.tick_labels.font.size = Pt(CHART_TYPE)
        chart.value_axis.visible = False
        chart.value_axis.has_major_gridlines = False
        if all(value is None or value >= 0 for values in bars.series.values() for value in values):
            chart.value_axis.minimum_scale = 0.0
        if share:
            chart.value_axis.maximum_scale = 1.08
        plot = chart.plots[0]
        plot.gap_width, plot.vary_by_categories = 45, False
        if stacked:
            plot.overlap = 100
        else:
            plot.has_data_labels = True
            labels = plot.data_labels
            labels.number_format, labels.number_format_is_linked = "0%" if share else "#,##0", False
            labels.position, labels.font.size = XL_LABEL_POSITION.OUTSIDE_END, Pt(CHART_TYPE)
        for i, own in enumerate(plot.series):
            own.invert_if_negative = False  # else a loss has no colour
            own.format.fill.solid()
            own.format.fill.fore_color.rgb = _RGB.from_string(bars.colours[i])
            if stacked:  # how many, in the part itself; none where there is none
                labels = own.data_labels
                labels.show_value, labels.number_format, labels.number_format_is_linked = True, "#,##0;;", False
                labels.position, labels.font.size = XL_LABEL_POSITION.CENTER, Pt(CHART_TYPE)
                labels.font.color.rgb = _RGB.from_string(INK if i % 2 else "FFFFFF")

    def map(self, slide: Slide, story: Story, what: str, alt: str, left: float = _LEFT) -> None:
        """Put one of the maps on a page."""
        scene = scene_for(self.district, what, results=story.analysis, lang=language())
        self.scene(slide, handed_on(scene, self.district), alt, left=left)

    def scene(self, slide: Slide, scene: Scene, alt: str, left: float = _LEFT) -> None:
        """Put a map that is made already on a page."""
        self.picture(slide, map_png(scene, *_MAP_MM, units=820.0), alt, left=left)

    def cover(self, story: Story) -> None:
        """Add the first page."""
        district = self.district
        notes = [say("本演示的每个数字见各页备注和 coverage.xlsx。"), rests_on(district)]
        first = story.change.verdict[:1] if story.change is not None else ()
        concluded = first[0].text if first else _tally(story)
        slide = self.page(concluded, notes)
        built = [] if story.change is None else [Line(line, 16, INK) for line in story.change.built]
        lines = [
            Line(_name(district), 22, STRONG, True),
            *built,
            Line(
                say("数据年份 {0}{1}；坐标系 {2}", year_told(district), list_told(district), crs_label(district.crs)),
                16,
                INK,
            ),
        ]
        if district.is_demonstration:
            lines += [Line(say(DEMONSTRATION_TEXT), 18, MARK, True), Line(rests_on(district), 13)]
        self.text(slide, Frame(_LEFT, _TOP + 0.2, 6.4, _HIGH - 0.2), lines)
        self.map(slide, story, OVERVIEW, str(themes(district, language())[OVERVIEW]), left=7.23)

    def save(self, title: str) -> bytes:
        """Return the presentation, which is called `title`."""
        return document_bytes(self.show.save, self.show.core_properties, title, self.district.year)


def _name(district: District) -> str:
    return say("{0}公共服务设施步行可达评估", place_title(district))


def _inches(frame: Frame) -> tuple[Inches, Inches, Inches, Inches]:
    return Inches(frame.left), Inches(frame.top), Inches(frame.width), Inches(frame.height)


def _cut(words: str, most: int) -> str:
    """Return words cut off after as many as fit, counted in Chinese ones."""
    most = int(most / LETTER[language()])
    return words[:most] + ("…" if len(words) > most else "")


def _category(name: str) -> str:
    """Return a name as the workbook inside a chart may hold it: a space keeps it from being a formula or a link there."""
    return re.sub(r"^(?=[={]|(?:ftp|http)s?://|mailto:|(?:in|ex)ternal:)", " ", plain(name))


def _height(cells: Sequence[str], widths: Sequence[float], size: float) -> float:
    """Return how high a row must be, in inches: faces differ, so a little more than the packaged one needs."""
    lines = max(len(wrap(c, size * 1.06, w * 72 - 8)) for c, w in zip(cells, widths, strict=True))
    return lines * size * _LEADING / 72 + 0.05


def row_heights(columns: Columns, rows: Sequence[Sequence[str]]) -> list[float]:
    """Return how high the rows of a table are on a slide, its head first, in inches."""
    least = 0.32 if len(rows) < 12 else _LEAST_ROW
    return [max(least, _height(row, columns.widths, columns.size)) for row in [columns.head, *rows]]


def _tall(lines: Sequence[Line], width: float) -> float:
    """Return how high lines are in a box, in inches, with what is left free below each."""
    return sum(_height([line.words], [width], line.size) + 4 / 72 for line in lines)


def _fitted(lines: Sequence[Line], place: Frame) -> Sequence[Line]:
    """Return lines as large as they are or, where these have no room, all of them smaller."""
    for scale in _SMALLER:
        own = [replace(line, size=round(line.size * scale, 1)) for line in lines]
        if _tall(own, place.width - _INSET) <= place.height:
            break
    return own


def _leading(size: float) -> Pt:
    return Pt(size * _LEADING)


def _write(paragraph: Paragraph, words: str, size: float, colour: str, *, bold: bool = False) -> None:
    run = paragraph.add_run()
    run.text = plain(words)
    font = run.font
    font.size, font.bold, font.color.rgb = Pt(size), bold, _RGB.from_string(colour)
    properties = run._r.get_or_add_rPr()
    properties.set("lang", TONGUES[language()])
    face = properties.makeelement(qn("a:ea"), {"typeface": _FACE})
    properties.append(face)


# --- pages --------------------------------------------------------------------------------------------------------------


def _change(deck: Deck, story: Story) -> None:
    """Chart the goals that a plan moves."""
    change = story.change
    assert change is not None
    said = [sentence.text for sentence in change.verdict]
    known = [s for s in change.moved if s.before.known and s.after.known][:CHANGED]
    others = "{0} 项目标的份额变了，只因人口迁入或迁出"
    none = say(others, len(change.moved)) if change.moved else say("方案没有改变任何一项目标")
    title = say("；").join(said[1:3]) or none
    firm = [say("{0}：{1}", s.label, s.firm) for s in change.moved if s.firm]
    notes = [say("{0}与{1}", *change.names), *said, *firm, change.people, change.unmoved, *change.lines[2:]]
    slide = deck.page(title, [*notes, _method(deck), rests_on(deck.district)])
    if known:
        before, after = [s.before.plotted for s in known], [s.after.plotted for s in known]
        sides = dict(zip(change.names, (before, after), strict=True))
        bars = Bars(say("变了的目标"), [s.label for s in known], sides, colours=SIDES)
        deck.bars(slide, _ABOVE if firm else WHOLE, bars)
        if firm:
            deck.text(slide, _BELOW, [Line(line, 13) for line in firm[:FIRMLY]])
    else:
        deck.text(slide, WHOLE, [Line(change.unmoved, 20, INK)])


def _people(deck: Deck, story: Story) -> None:
    """Chart who lives there before and after a plan; those who stay, move and come are never added up."""
    change = story.change
    assert change is not None
    groups = [group for group in change.living if group.text != "0"]
    title = say("，").join(say("{0} {1} 人", group.label, group.text) for group in groups)
    apart = say("单位：人。留下的、迁出的、导入的三类分列，不相加；受益和受影响只算留下的居民")
    slide = deck.page(title, [change.people, apart, rests_on(deck.district)])
    series = {say("人"): [group.plotted for group in groups]}
    deck.bars(slide, WHOLE, Bars(say("谁住在这里（人）"), [group.label for group in groups], series, share=False))


def _moved(deck: Deck, story: Story) -> None:
    """Map whom the goal that a plan moves most serves anew, and whom no longer."""
    change = story.change
    assert change is not None
    shift = next((s for s in change.moved if s.tone in ("gain", "lose")), None)  # what moves those who live here
    rule, label = (shift.rule, shift.label) if shift else next(iter(change.drawn.items()))
    shift = shift or next((s for s in change.shifts if s.rule == rule), None)
    told = say("{0}：{1} → {2}（{3}）", label, shift.before.text, shift.after.text, shift.told) if shift else label
    slide = deck.page(told, [*(said.text for said in change.verdict), _method(deck), rests_on(deck.district)])
    scene = difference_scene(change.pair.maps, rule, language())
    deck.scene(slide, replace(scene, bounds=change.around(rule, scene.bounds)), told)
    felt = [row for row in change.felt.itertuples() if row.Index == rule]
    lines = [Line(shift.net, 30, STRONG, True)] if shift else []
    for row in felt:
        for words, told, who in (
            ("住在这里的居民中，改为可达的：{0}", row.gain_text, row.homes_gain),
            ("住在这里的居民中，不再可达的：{0}", row.lose_text, row.homes_lose),
        ):
            lines += [Line(say(words, told), 16, INK, True), Line(_cut(str(who), 90), 13)]
    others = [s for s in change.moved if s.rule != rule][:LISTED]
    lines += [Line(say("其他变了的目标"), 16, INK, True)] if others else []
    lines += [Line(say("{0}：{1} → {2}（{3}）", s.label, s.before.text, s.after.text, s.told), 14, INK) for s in others]
    deck.text(slide, BESIDE, [line for line in lines if line.words])


def _tally(story: Story) -> str:
    """Say how many goals are met."""
    tally = story.tally
    own, other = (
        "{0} 项目标和标准中，{1} 项没有缺口，{2} 项还有缺口",
        "{0} 项参考口径中，{1} 项没有缺口，{2} 项还有缺口",
    )
    title = say(own if story.district.has_own_goals else other, tally.promised, tally.whole, tally.short)
    return title + (say("，{0} 项数据不足", tally.unknown) if tally.unknown else "")


def _goals(deck: Deck, story: Story) -> None:
    """Chart what each goal has come to; the notes say each in full, and what is counted beside the plan under its own heading."""
    known = [goal for goal in story.goals if goal.share.known]
    notes = [say("{0}：{1} {2}", goal.label, goal.told, goal.marks) for goal in story.goals]
    notes += [say("份额的分母见每行；换算法列出直线半径、路网距离、步行时间三种结果。")]
    notes += [say("{0}：{1}", goal.label, goal.alternatives) for goal in known]
    beside = [goal for goal in story.beside if goal.share.known]
    beside += [goal for goal in story.beside if not goal.share.known]  # what nobody surveyed comes last
    notes += [say(REFERENCE), *(say("{0}：{1}", goal.label, goal.headline) for goal in beside)] if beside else []
    slide = deck.page(_tally(story), [*notes, rests_on(deck.district)])
    series = {say("份额"): [goal.share.plotted for goal in known[:CHARTED]]}
    names = [f"{goal.label}（{goal.big}）" if goal.metric == "presence" else goal.label for goal in known[:CHARTED]]
    deck.bars(slide, WHOLE, Bars(say("每项目标做到几成（各项自己的分母）"), names, series))


def _promise(deck: Deck, story: Story, goal: Goal) -> None:
    """Map where a goal is missed, with its number and the communities that miss most."""
    title = say("{0}：{1}", goal.label, goal.headline)
    slide = deck.page(
        title,
        [_method_of(deck, goal), goal.standard, goal.alternatives, goal.firm, say("依据：{0}", goal.basis), goal.mark],
    )
    deck.map(slide, story, goal.rule, title)
    lines = [
        Line(goal.big, 36, STRONG, True),
        Line(goal.mark, 16, MARK, True),
        *([Line(goal.firm, 13)] if goal.firm else []),
        Line(goal.alternatives, 13),
        Line(goal.standard, 12),
    ]
    short = story.short(goal)[:LISTED]
    if short:
        lines.append(Line(say("服务范围外的人多的在前"), 14, INK, True))
    lines += [Line(say("{0}：{1}", part.name, part.missed.amount), 14, INK) for part in short]
    deck.text(slide, BESIDE, [line for line in lines if line.words])


def _completeness(deck: Deck, story: Story) -> None:
    mean = story.mean_completeness
    title = say("必备设施共 {0} 类，居民走 15 分钟平均够得着其中的 {1}", story.essential, mean.text)
    notes = say("哪些类必备见 kinds.csv 的 essential；按常住人口加权；成人步速。")
    slide = deck.page(title, [notes, rests_on(deck.district)])
    lacks = story.out_of_reach[:CHARTED]
    if not lacks:
        return deck.map(slide, story, COMPLETENESS, title)
    words, series = say("缺这一类的居民"), [kind.people.plotted for kind in lacks]
    chart = Bars(
        say("最缺哪类：15 分钟内走不到的居民（人）"),
        [kind.label for kind in lacks],
        {words: series},
        share=False,
        colours=("D0682C",),
    )
    return deck.bars(slide, WHOLE, chart)


def _gaps(deck: Deck, story: Story) -> None:
    own = "{0} 个小区至少在一项规划目标的服务范围外，缺口最大的是{1}"
    other = "{0} 个小区至少在一项参考口径的服务范围外，缺口最大的是{1}"
    title = say(own if deck.district.has_own_goals else other, len(story.gaps), story.gaps[0].name)
    first = [say("{0} {1}：{2}", str(i), gap.name, gap.why) for i, gap in enumerate(story.gaps[:LISTED], 1)]
    notes = [say("一个小区只列最大的缺口；全部见 coverage.xlsx 的“缺口清单”。"), *first, rests_on(deck.district)]
    slide = deck.page(title, notes)
    deck.map(slide, story, GAPS, title)
    rows = [[str(i), gap.name, gap.unserved.text, gap.label] for i, gap in enumerate(story.gaps[:TABLED], 1)]
    head = [say("序"), column("小区"), say("不可达"), column("任务")]
    deck.table(slide, Columns(head, _GAP_WIDTHS, (0, 2), 12), rows, _GAP_LEFT)


def _help(deck: Deck, story: Story) -> None:
    first = story.first_remedies[0]
    labels = say("、").join(say("“{0}”", remedy.label) for remedy in story.first_remedies)
    title = say("补一处受益最多的是{0}：{1}", labels, first.brings)
    notes = [
        say("每项各补一处，取新增覆盖最多的候选点，已证明最优；每个社区都要有的，只优选到社区；没有考虑用地和造价。")
    ]
    for r in story.remedies:
        notes += [
            say(
                "{0}：{1} → {2}，{3}；{4}",
                r.label,
                f"{r.before.counted}{r.before.text}",
                r.after.text,
                r.brings,
                r.reason,
            ),
            r.near_ties,
        ]
    slide = deck.page((say("规划目标里，") if first.own else "") + title, [*notes, rests_on(deck.district)])
    shown = [r for r in story.remedies if r.before.known and r.after.known][:CHANGED]
    sides = {say("补前"): [r.before.plotted for r in shown], say("补后"): [r.after.plotted for r in shown]}
    names = [say("{0}（{1}）", r.label, r.brings_shortly) for r in shown]
    deck.bars(slide, WHOLE, Bars(say("每项目标各补一处，补前和补后（各条自己的分母）"), names, sides, colours=SIDES))


def _ledger(deck: Deck, story: Story) -> None:
    plan = story.promises
    assert plan is not None
    counts = say("，").join(f"{n} {verdict}" for verdict, n in plan.verdicts.items())
    lacking = [say("{0}：{1}", row.label, row.needs) for row in plan.blanks if row.verdict == say("数据不足")]
    slide = deck.page(
        say("规划 {0} 项目标逐条核对：", plan.total) + counts,
        [
            say("逐条见规划目标落实核对表（ledger.html、xlsx）。"),
            say("“待填”是要台账填报的数，“数据不足”写明缺哪份数据。"),
            *lacking,
        ],
    )
    names, rows = list(plan.categories), zip(*plan.categories.values(), strict=True)
    series = dict(zip(plan.verdicts, rows, strict=True))
    chart = Bars(say("各类目标的核对结果（条）"), names, series, share=False, stacked=True, colours=PARTS)
    deck.bars(slide, WHOLE, chart)


def _rests(deck: Deck, story: Story) -> None:
    """Chart how much of each layer is schematic or synthetic; beside it what has to be mended first."""
    findings, weak = story.findings, story.weak
    notes = [say("{0} {1}：{2}（{3}）", *f[:3], f.remedy) for f in findings]
    title = say("这些数字能说到什么程度：数据核查发现 {0} 处要先处理的问题", len(findings))
    slide = deck.page(title, [rests_on(deck.district), *notes])
    shown = [layer for layer in weak if layer.share][:CHARTED]
    words = [Line(rests_on(deck.district), 13)]
    words += [Line(say("{0}：{1}", f.topic, _cut(f.finding, 46)), 13, INK) for f in findings[:LISTED]]
    if not shown:
        return deck.text(slide, WHOLE, words)
    names = [say("{0}（{1} 处中 {2} 处）", layer.layer, layer.features, layer.weak) for layer in shown]
    series = {say("示意或合成"): [layer.plotted for layer in shown]}
    deck.bars(slide, _HALF, Bars(say("各图层有几成是示意或合成的"), names, series, colours=("D0682C",)))
    return deck.text(slide, _OTHER_HALF, words)


def _method(deck: Deck) -> str:
    return say("数据年份 {0}；受益和受影响只算两边都在的小区里留下的居民。", year_told(deck.district))


def _method_of(deck: Deck, goal: Goal) -> str:
    told = "口径：方法 {0}；分母 {1}；人群 {2} {3} m/s；数据年份 {4}"
    return say(told, goal.method, goal.denominator, goal.walker, goal.speed, year_told(deck.district))


class _Page(NamedTuple):
    """A page: when there is one, what writes it, what is said while it is."""

    of: Callable[[Story], bool]
    write: Callable[[Deck, Story], None]
    then: str | None = None


#: The pages after the first, in their order.
_PAGES = (
    _Page(lambda story: story.change is not None, _change),
    _Page(lambda story: story.change is not None and bool(story.change.living), _people),
    _Page(lambda story: story.change is not None and bool(story.change.drawn), _moved),
    _Page(lambda story: any(goal.share.known for goal in story.goals), _goals),
    _Page(lambda story: bool(story.gaps), _gaps),
    _Page(lambda story: story.mean_completeness.known, _completeness),
    _Page(lambda story: bool(story.first_remedies), _help, "算补点"),
    _Page(lambda story: story.promises is not None, _ledger, "核对规划目标"),
    _Page(lambda _: True, _rests),
)
