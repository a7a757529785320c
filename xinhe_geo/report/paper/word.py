"""The paper for Word in the form that offices use: what to know in three to five pages, and tables, pictures and sources annexed."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import docx
from docx.enum.style import WD_STYLE_TYPE
from docx.enum.table import WD_TABLE_ALIGNMENT
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Cm, Pt, RGBColor

from ...access import rests_on, starts_in_words
from ...core import (
    REFERENCE,
    DataError,
    Problem,
    language,
    named_by_homes,
    problems_table,
    refuse_uncleared,
    say,
    told,
    write_bytes,
)
from ...core import title as column
from ...district import MANIFEST, District, credit_of, kind_name, list_told, place_title, year_told
from ...ledger import bases_text
from ...maps import COMPLETENESS, DEMONSTRATION_TEXT, GAPS, OVERVIEW, badges_of, preset_text, scene_for, themes
from ...report import Story, analyse
from .carto import handed_on
from .office import TONGUES, document_bytes
from .page import letters, plain
from .sheet import map_png

if TYPE_CHECKING:
    from docx.styles.style import ParagraphStyle
    from docx.text.paragraph import Paragraph

BRIEF = "汇报.docx"
_INK, _QUIET, _MARK = RGBColor(0x2B, 0x31, 0x38), RGBColor(0x62, 0x6A, 0x72), RGBColor(0x8A, 0x3B, 0x52)
_SONG, _HEI, _KAI, _FANG, _TITLE = "宋体", "黑体", "楷体_GB2312", "仿宋_GB2312", "方正小标宋简体"
#: Measures of GB/T 9704: edges of the page in centimetres, 22 lines of three-size letters on it, two letters' indent.
_TOP, _BOTTOM, _LEFT, _RIGHT = 3.7, 3.5, 2.8, 2.6
_BODY, _LINE, _INDENT = 16.0, 28.9, 32.0
_SMALL, _SMALL_LINE = 10.5, 16.0
#: How much smaller the body is in English, whose words are longer: no office asks for the Chinese size there.
_IN_ENGLISH = 0.75
#: Styles by name: the face, the size, the distance of lines, the indent of the first; "" a style that Word has of its own.
_STYLES = {
    "Normal": (_FANG, _BODY, _LINE, _INDENT),
    "Title": (_TITLE, 22.0, 36.0, 0.0),
    "Heading 1": (_HEI, _BODY, _LINE, _INDENT),
    "Heading 2": (_KAI, _BODY, _LINE, _INDENT),
    "Heading 3": (_HEI, 14.0, 24.0, 0.0),
    "Caption": (_HEI, 9.5, 14.0, 0.0),
    "List Bullet": (_FANG, _SMALL, _SMALL_LINE, 0.0),
    "Header": (_SONG, 9.0, 12.0, 0.0),
    "Footer": (_SONG, 14.0, 18.0, 0.0),
    "主送机关": (_FANG, _BODY, _LINE, 0.0),
    "附件说明": (_FANG, _BODY, _LINE, _INDENT),
    "落款": (_FANG, _BODY, _LINE, 0.0),
    "成文日期": (_FANG, _BODY, _LINE, 0.0),
    "附件正文": (_FANG, _SMALL, _SMALL_LINE, 0.0),
    "表格正文": (_FANG, 9.0, 12.0, 0.0),
    "表头": (_FANG, 9.0, 12.0, 0.0),
}
#: What stands before the first annex in the list of them takes so many letters: the others stand below it.
_AHEAD = {"zh": 3.0, "en": 4.0}
#: How sections are numbered in Chinese; so many goals, gaps, remedies and findings are told in the body: all stand in the annexes.
_NUMERALS, TOLD, BRIEFLY = "一二三四五六七八九", 5, 3
#: Room that a letter of a word takes which cannot be broken (centimetres); Chinese breaks anywhere.
LETTER_CM = {"zh": 0.0, "en": 0.15}
_WIDTH = 21.0 - _LEFT - _RIGHT  # centimetres of text on an A4 page


@told("写 Word 简报", 6)
@named_by_homes
def write_brief(
    district: District,
    to: str | Path = BRIEF,
    *,
    preset: str = "plan",
    ranges: bool = False,
    against: District | None = None,
    request: bool = False,
    progress: Callable[[str], None] | None = None,
) -> Path:
    """
    Write what a meeting has to know as a Word document, in the form of official papers.

    A report of three to five pages: of a plan what it does and changes, then how things stand, what is missing and where, what to
    do next, how firm it is. Addressee, signature and date are left to be typed. Annexed: targets, all figures, gaps, what each
    remedy brings, doubts, how every number is made.

    Parameters
    ----------
    to
        A .docx file.
    preset
        "plan", "td1063" or "elderly".
    ranges
        Whether it is said how firm each goal, and each difference, is.
    against
        Another state, which this one is held against (what was there before a plan, another plan); None: none.
    request
        Write a request (请示) instead, as a draft: of one matter, the plan, or else the new place that serves most people.

    Returns
    -------
    file
        What was written.

    Raises
    ------
    EnvironmentProblem
        The file cannot be written, or the typeface of the maps is missing.
    DataError
        A request that rests on demonstration data, is not in Chinese, or has nothing to ask for.
    """
    refuse_uncleared(district.manifest, "写出汇报")
    tell = progress or (lambda _: None)
    if request and (district.is_demonstration or language() != "zh"):
        _refuse_request(district, say("请示是公文，只用中文写"))
    story = Story(analyse(district, preset=preset, ranges=ranges, progress=tell), against=against)
    paper = Document(district)
    tell(say("画地图"))
    if request:
        _request(paper, story)
    else:
        _report(paper, story)
    tell(say("算不确定性"))
    for annex in _ANNEXES.values():
        annex(paper, story)
    return write_bytes(Path(to), paper.save(say("{0}公共服务设施步行可达评估", place_title(district))))


def _refuse_request(district: District, why: str) -> NoReturn:
    """
    Stop a request that may not be written.

    Raises
    ------
    DataError
        It rests on demonstration data, or `why`.
    """
    if district.is_demonstration:
        why = say("演示数据不作结论，不能写成请示")
    remedy = say("不加 --request 写情况报告；请示用实际数据的街道目录、中文、带 --plan 写")
    found = Problem("error", "district", MANIFEST, "", "basis", why, remedy)
    raise DataError(problems_table([found]), district.name)


class Document:
    """A document being written: styles, header, footer, numbered tables and figures."""

    def __init__(self, district: District) -> None:
        self.district = district
        self.file = docx.Document()
        self._tables = self._figures = self._heads = self._parts = self._annexes = 0
        section = self.file.sections[0]
        section.page_width, section.page_height = Cm(21), Cm(29.7)
        section.left_margin, section.right_margin = Cm(_LEFT), Cm(_RIGHT)
        section.top_margin, section.bottom_margin = Cm(_TOP), Cm(_BOTTOM)
        section.footer_distance = Cm(2.6)
        smaller = 1.0 if language() == "zh" else _IN_ENGLISH
        for name, (face, size, line, indent) in _STYLES.items():
            if name not in self.file.styles:
                self.file.styles.add_style(name, WD_STYLE_TYPE.PARAGRAPH).base_style = self.file.styles["Normal"]
            scale = smaller if size == _BODY else 1.0
            _set_style(self.file.styles[name], face, size * scale, line * scale, indent * scale)
        line = self.file.styles["Title"].element.pPr.find(qn("w:pBdr"))
        if line is not None:  # the rule under a title in Word's own style
            line.getparent().remove(line)
        self.file.styles["Title"].paragraph_format.alignment = WD_ALIGN_PARAGRAPH.CENTER
        self.file.styles["表头"].font.bold = True
        for name in ("表格正文", "表头"):
            self.file.styles[name].paragraph_format.space_after = Pt(1)
        for name, free in (
            ("落款", 5),
            ("成文日期", 4),
        ):  # the date four letters from the edge, the name centred over it
            form = self.file.styles[name].paragraph_format
            form.alignment, form.right_indent = WD_ALIGN_PARAGRAPH.RIGHT, Pt(free * _BODY * smaller)
        self.file.settings.odd_and_even_pages_header_footer = True
        badges = badges_of(district, district.is_demonstration, language())
        for header in (section.header, section.even_page_header):
            head = header.paragraphs[0]
            _run(head, place_title(district), 9, _QUIET)
            _run(head, say("　") + say("　").join(words for _, words in badges), 9, _MARK)
        sides = ((section.footer, WD_ALIGN_PARAGRAPH.RIGHT), (section.even_page_footer, WD_ALIGN_PARAGRAPH.LEFT))
        for footer, side in sides:
            foot = footer.paragraphs[0]
            foot.style, foot.alignment = self.file.styles["Footer"], side
            _run(foot, "— ", 14, _INK)
            _field(foot, "PAGE")
            _run(foot, " —", 14, _INK)

    def title(self, words: str) -> None:
        """Write the title; one that is longer than a line is broken where `words` are, and not within a word."""
        lines, title = words.split("\n"), self.file.add_paragraph(style="Title")
        if letters(words) * _STYLES["Title"][1] <= Cm(_WIDTH).pt:
            lines = [(" " if language() == "en" else "").join(lines)]
        for i, line in enumerate(lines):
            if i:
                title.add_run().add_break()
            title.add_run(plain(line))

    def heading(self, words: str) -> None:
        """Begin a section: 一、"""
        self._heads, self._parts = self._heads + 1, 0
        self.file.add_heading(plain(say("{0}、{1}", self._number(self._heads), words)), 1)

    def part(self, words: str) -> None:
        """Begin a part of a section: （一）"""
        self._parts += 1
        self.file.add_heading(plain(say("（{0}）{1}", self._number(self._parts), words)), 2)

    def _number(self, number: int) -> str:
        tens, ones = divmod(number, 10)
        told = (
            (_NUMERALS[tens - 1] if tens > 1 else "") + ("十" if tens else "") + (_NUMERALS[ones - 1] if ones else "")
        )
        return told if language() == "zh" else str(number)

    def annex(self, words: str) -> None:
        """Begin an annex; the first on a page of its own."""
        self._annexes += 1
        head = self.file.add_heading(plain(say("附件 {0}　{1}", self._annexes, words)), 3)
        head.paragraph_format.page_break_before = self._annexes == 1
        head.paragraph_format.space_before = Pt(10)

    @property
    def letter(self) -> float:
        """The size of a letter of the body, in points."""
        return float(self.file.styles["Normal"].font.size.pt)

    def say(self, *sentences: str, style: str = "Normal") -> Paragraph:
        """Write a paragraph of the body, and return it."""
        joined = "".join(sentences) if language() == "zh" else " ".join(map(str.strip, sentences))
        return self.file.add_paragraph(plain(joined), style=style)

    def points(self, sentences: Iterable[str]) -> None:
        """Write numbered paragraphs of the body, one level below where they stand: （一） right under a section, 1. within a part."""
        below = self._parts == 0
        for i, sentence in enumerate(sentences, 1):
            self.say(say("（{0}）{1}", self._number(i), sentence) if below else f"{i}. {sentence}")

    def text(self, words: str, *, colour: RGBColor | None = None, bold: bool = False, bullet: bool = False) -> None:
        """Write a paragraph of an annex."""
        paragraph = self.file.add_paragraph(style="List Bullet" if bullet else "附件正文")
        run = paragraph.add_run(plain(words))
        run.bold = bold
        if colour is not None:
            run.font.color.rgb = colour

    def table(
        self,
        caption: str,
        head: Sequence[str],
        rows: Iterable[Sequence[str]],
        widths: Sequence[float],
        *,
        right: Sequence[int] = (),
    ) -> None:
        """Write a table with its number and caption above; its first row repeats on every page, rows are not torn apart."""
        self._tables += 1
        title = self.file.add_paragraph(say("表 {0}　{1}", self._tables, plain(caption)), style="Caption")
        title.paragraph_format.keep_with_next = True
        cells = [list(head), *(list(r) for r in rows)]
        grid = self.file.add_table(rows=len(cells), cols=len(head), style="Table Grid")
        grid.alignment, grid.autofit = WD_TABLE_ALIGNMENT.CENTER, False
        widths = _wide_enough(cells, widths)
        for j, width in enumerate(widths):
            grid.columns[j].width = Cm(width)
        # looked for once: to do so in each cell takes as long as all else
        styles = [self.file.styles[name].style_id for name in ("表头", "表格正文")]
        for i, (row, own) in enumerate(zip(cells, grid.rows, strict=True)):
            properties = own._tr.get_or_add_trPr()
            properties.append(OxmlElement("w:cantSplit"))
            if i == 0:
                properties.append(OxmlElement("w:tblHeader"))
            for j, (words, cell) in enumerate(zip(row, own.cells, strict=True)):
                cell.width = Cm(widths[j])
                paragraph = cell.paragraphs[0]
                paragraph._p.style = styles[min(i, 1)]
                paragraph.add_run(plain(words))
                if j in right and i:
                    paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT
                if i == 0:
                    shade = OxmlElement("w:shd")
                    for name, value in (("val", "clear"), ("color", "auto"), ("fill", "E9E4DA")):
                        shade.set(qn(f"w:{name}"), value)
                    cell._tc.get_or_add_tcPr().append(shade)
        self.file.add_paragraph(style="附件正文").paragraph_format.line_spacing = Pt(6)

    def picture(self, png: bytes, caption: str, width: float = _WIDTH) -> None:
        """Put in a map with its number and caption below, and words for those who cannot see it."""
        self._figures += 1
        paragraph = self.file.add_paragraph(style="附件正文")
        paragraph.alignment, paragraph.paragraph_format.keep_with_next = WD_ALIGN_PARAGRAPH.CENTER, True
        paragraph.paragraph_format.line_spacing = 1.0  # a fixed distance of lines would cut a picture off
        shape = paragraph.add_run().add_picture(io.BytesIO(png), width=Cm(width))
        shape._inline.docPr.set("descr", plain(caption))
        below = self.file.add_paragraph(say("图 {0}　{1}", self._figures, plain(caption)), style="Caption")
        below.alignment = WD_ALIGN_PARAGRAPH.CENTER

    def save(self, title: str) -> bytes:
        """Return the document, which is called `title`."""
        return document_bytes(self.file.save, self.file.core_properties, title, self.district.year)


#: What a line does not break in; between Chinese characters it may.
_UNBROKEN = re.compile(r"[!-\u024f\u2010-\u2015\u2212]+")


def _wide_enough(cells: Sequence[Sequence[str]], widths: Sequence[float]) -> list[float]:
    """Return widths that fill the page, in centimetres; words that cannot be broken have room, where the language has such."""
    scale = _WIDTH / sum(widths)
    asked = [width * scale for width in widths]
    least = [
        max(len(part) for row in cells for part in [*_UNBROKEN.findall(row[j]), ""]) * LETTER_CM[language()]
        for j in range(len(widths))
    ]
    wide = [max(width, room and room + 0.45) for width, room in zip(asked, least, strict=True)]
    spare = [width - (room and room + 0.45) for width, room in zip(wide, least, strict=True)]
    over = sum(wide) - sum(asked)
    if not 0 < over < sum(spare):  # nothing is too narrow, or everything is
        return asked
    return [width - over * free / sum(spare) for width, free in zip(wide, spare, strict=True)]


def _set_style(style: ParagraphStyle, face: str, size: float, line: float, indent: float) -> None:
    style.font.name, style.font.size, style.font.italic, style.font.bold = "Times New Roman", Pt(size), False, False
    style.font.color.rgb = _INK
    form = style.paragraph_format
    form.line_spacing, form.first_line_indent = Pt(line), Pt(indent)
    form.space_before = form.space_after = Pt(0)
    fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
    fonts.set(qn("w:eastAsia"), face)
    tongue = OxmlElement("w:lang")  # without it punctuation is set as in other Chinese regions
    for name in ("val", "eastAsia"):
        tongue.set(qn(f"w:{name}"), TONGUES[language()] if name == "val" else TONGUES["zh"])
    style.element.get_or_add_rPr().append(tongue)
    # a theme's faces would win over those named here
    for name in ("asciiTheme", "hAnsiTheme", "eastAsiaTheme", "cstheme"):
        fonts.attrib.pop(qn(f"w:{name}"), None)


def _run(paragraph: Paragraph, words: str, size: float, colour: RGBColor, *, bold: bool = False) -> None:
    run = paragraph.add_run(plain(words))
    run.font.size, run.font.color.rgb, run.bold = Pt(size), colour, bold


def _field(paragraph: Paragraph, code: str) -> None:
    """Write a field that the reader's program fills in, such as the number of the page."""
    run = paragraph.add_run()
    run.font.size, run.font.color.rgb = Pt(14), _INK
    for kind in ("begin", "", "separate", "shown", "end"):
        if kind in ("", "shown"):
            part = OxmlElement("w:instrText" if kind == "" else "w:t")
            part.text = code if kind == "" else "1"
        else:
            part = OxmlElement("w:fldChar")
            part.set(qn("w:fldCharType"), kind)
        run._r.append(part)


# --- sections -----------------------------------------------------------------------------------------------------------


def _report(paper: Document, story: Story) -> None:
    """Write the body of a report: what changed, how things stand, what is missing, what to do, how firm it is."""
    district, place = paper.district, place_title(paper.district)
    paper.title(say("关于{0}\n公共服务设施步行可达情况的报告", place))
    paper.say(say("（主送机关待填）："), style="主送机关")
    preset = preset_text(district, story.analysis.preset)
    paper.say(
        say(
            "现将{0}公共服务设施步行可达情况报告如下（口径：{1}；数据年份 {2}{3}）。",
            place,
            preset,
            year_told(district),
            list_told(district),
        )
    )
    warn(paper)
    _changed(paper, story)
    paper.heading(say("总体情况"))
    paper.say(say("{0}。", story.checked))
    met = [goal.label for goal in story.judged if goal.state == "whole"]
    if met:
        paper.part(say("已实现的目标"))
        paper.say(say("{0}。", say("、").join(met)))
    if story.worst:
        paper.part(say("尚有缺口的目标"))
        paper.points(say("{0}：{1}。", goal.label, goal.told) for goal in story.worst[:TOLD])
        if story.worst[TOLD:]:
            paper.say(say("其余见附件 2。"))
    if story.unknown:
        paper.part(say("数据不足、暂不能判断的目标"))
        paper.say(say("{0}。", say("、").join(goal.label for goal in story.unknown)))
    paper.heading(say("主要短板"))
    if story.gaps:
        own = "{0} 个小区至少在一项规划目标的服务范围外，按步行在服务范围外的人数从多到少排列"
        other = "{0} 个小区至少在一项参考口径的服务范围外，按步行在服务范围外的人数从多到少排列"
        gaps = say(own if story.district.has_own_goals else other, len(story.gaps))
        paper.say(say("{0}。", gaps))
        told = "{0}：{1}，{2}在服务范围外。"
        paper.points(say(told, gap.name, gap.label, gap.unserved.told) for gap in story.gaps[:TOLD])
        _figure(paper, story, GAPS, gaps, 9.0)
    else:
        paper.say(say("没有发现缺口，或数据不足以判断。"))
    _next_steps(paper, story)
    _firm(paper, story)
    paper.say(say("特此报告。"))
    close(paper, _ANNEXES)


def _request(paper: Document, story: Story) -> None:
    """Write the body of a request: one matter, why, what it brings, what it rests on; who can be asked is named under the date."""
    district, change, first = paper.district, story.change, next(iter(story.first_remedies), None)
    if change is not None:
        matter = say("在{0}实施方案“{1}”", district.name, district.manifest["scenario"])
        asked = [say("{0}。", line) for line in change.built] or [say("{0}。", change.people)]
    elif first is not None:
        kinds = [kind_name(district, kind) for kind in district.rule(first.rule).kinds]
        matter = say("增设 1 处{0}", say("或").join(kinds))
        asked = [say("{0}。", first.reason.rstrip("。"))]
    else:
        _refuse_request(district, say("没有可以请示的事项：没有套方案，也没有新增一处就能改善的位置"))
    paper.title(say("关于{0}的请示（代拟稿）", matter))
    paper.say(say("（主送机关待填）："), style="主送机关")
    paper.say(say("现就{0}一事请示如下。", matter))
    paper.heading(say("请示事项"))
    paper.say(say("拟{0}，内容如下（数据年份 {1}）：", matter, year_told(district)))
    paper.points(asked)
    if change is not None:
        _changed(paper, story, built=False)
    elif first is not None:
        paper.heading(say("理由"))
        goal = next((goal for goal in story.goals if goal.rule == first.rule), None)
        paper.say(*([say("现状：{0}：{1}。", goal.label, goal.told)] if goal is not None else []))
        told = "增设以后：{0}：{1}由 {2} 到 {3}，{4}（没有考虑用地、造价和权属）。"
        paper.say(say(told, first.label, first.before.counted, first.before.text, first.after.text, first.brings))
    _firm(paper, story)
    paper.say(say("妥否，请批示。"))
    close(paper, _ANNEXES)
    paper.say(say("（联系人和电话待填）"), style="附件说明")


def close(paper: Document, annexes: Iterable[str]) -> None:
    """List the annexes by their titles, and leave signature and date to be typed."""
    for number, title in enumerate(annexes, 1):
        first = number == 1
        told = say("附件：{0}. {1}", number, say(title)) if first else f"{number}. {say(title)}"
        form = paper.say(told, style="附件说明").paragraph_format
        form.left_indent = None if first else Pt(_AHEAD[language()] * paper.letter)
        form.space_before = Pt(paper.letter if first else 0.0)
    paper.say(say("（署名待填）"), style="落款").paragraph_format.space_before = Pt(2 * paper.letter)
    paper.say(say("（成文日期待填）"), style="成文日期")


def warn(paper: Document) -> None:
    """Say of a demonstration that it is one."""
    if paper.district.is_demonstration:
        paper.say(say("{0}。", say(DEMONSTRATION_TEXT)))


def _changed(paper: Document, story: Story, *, built: bool = True) -> None:
    """What a plan does (unless that is said already) and changes, where the state is one of a plan."""
    change = story.change
    if change is None:
        return
    paper.heading(say("方案前后：{0}与{1}", *change.names))
    if built and change.built:
        paper.part(say("方案做什么"))
        paper.points(say("{0}。", line) for line in change.built)
    paper.part(say("谁住在这里"))
    paper.say(say("{0}。", change.people))
    paper.part(say("目标的变化"))
    paper.say(*(say("{0}。", sentence.text) for sentence in change.verdict))
    told = "{0}：由 {1} 到 {2}，{3}"
    moved = [[say(told, s.label, s.before.text, s.after.text, s.told), s.firm] for s in change.moved]
    paper.points(say("{0}。", say("；").join(filter(None, parts))) for parts in moved)
    if change.unmoved:
        paper.say(say("{0}。", change.unmoved))


def _next_steps(paper: Document, story: Story) -> None:
    paper.heading(say("下一步建议"))
    if not story.remedies:
        paper.say(say("没有候选点能让更多人够得着，或数据不足以计算。"))
        return
    paper.say(
        say(
            "每项目标各补一处，取新增服务居民最多的位置（已证明最优；每个社区都要有的，只优选到社区；没有考虑用地、造价和权属）："
        )
    )
    paper.points(
        say(
            "{0}：{1}，{2}由 {3} 到 {4}。",
            r.label,
            r.brings,
            r.before.counted,
            r.before.text,
            r.after.text,
        )
        for r in story.remedies[:BRIEFLY]
    )
    if story.remedies[BRIEFLY:]:
        paper.say(say("其余见附件 4。"))


def _firm(paper: Document, story: Story) -> None:
    paper.heading(say("数据依据和可信程度"))
    paper.say(say("{0}。", rests_on(paper.district)))
    # what to do is told in columns of our files: that stands in the annex, for whoever looks after the data
    paper.points(say("{0}：{1}。", f.topic, f.finding.rstrip("。")) for f in story.findings[:BRIEFLY])
    if story.findings:
        paper.say(say("处理办法见附件 5。"))


# --- annexes ------------------------------------------------------------------------------------------------------------


def _targets(paper: Document, story: Story) -> None:
    paper.annex(say("目标和要求"))
    rows = [[goal.label, goal.asked, goal.standard] for goal in story.goals]
    paper.table(say("目标和标准，出自哪里"), [column("任务"), say("要求"), say("出处")], rows, (5, 3, 8.6))
    plan = story.promises
    if plan is None:
        paper.text(say("本街道目录没有自己的规划承诺表，上面是随程序的默认口径。"))
        return
    if not story.district.has_own_rules:
        paper.text(say("{0}。", say("规则表用的是随程序的默认口径，不是本街道自己规划提出的目标")))
    paper.table(
        say("规划 {0} 项目标的核对结果（条），逐条见规划目标落实核对表", plan.total),
        [say("类别"), *plan.verdicts, say("合计")],
        plan.rows,
        (3, *(2.6 for _ in plan.rows[0][1:])),
        right=[i for i, _ in enumerate(plan.rows[0]) if i],
    )
    paper.table(
        say("有数可核的目标：原文、章节和现状"),
        [say("编号"), say("原文（章节）"), say("现状")],
        plan.measured,
        (1.4, 7.6, 7.6),
    )


def _standing(paper: Document, story: Story) -> None:
    district, change = paper.district, story.change
    paper.annex(say("现状"))
    if change is not None and change.moved:
        paper.table(
            say("变了的目标；{0}", change.unmoved) if change.unmoved else say("变了的目标"),
            [column("任务"), column("之前"), column("之后"), column("变化（百分点）"), column("净增（按本指标）")],
            [[s.label, s.before.text, s.after.text, s.points, s.net] for s in change.moved],
            (6.6, 2, 2, 2.6, 3.4),
            right=(1, 2, 3, 4),
        )
    _figure(paper, story, OVERVIEW, str(themes(district, language())[OVERVIEW]))
    paper.table(
        say("现状，三种算法并列"),
        [column("任务"), say("现状（本条自己的口径）"), say("换算法"), say("标记")],
        [[goal.label, goal.told, goal.alternatives, goal.marks] for goal in story.goals],
        (3.4, 6.4, 4.6, 2.2),
    )
    body = [[goal.label, *(zone.text for zone in story.zones(goal))] for goal in story.judged]
    if district.zones is not None and any(row[1:] for row in body):
        names = [str(n) for n in district.zones["name"]]
        paper.table(
            say("分区比较（各条自己的分母）"),
            [column("任务"), *names],
            body,
            (5, *(3.0 for _ in names)),
            right=[i for i, _ in enumerate(names, 1)],
        )
    if len(story.analysis.completeness):
        _figure(paper, story, COMPLETENESS, say("15 分钟配套齐全度：步行 15 分钟内有几成必备设施"))


def _figure(paper: Document, story: Story, what: str, caption: str, width: float = 14.0) -> None:
    scene = handed_on(scene_for(paper.district, what, results=story.analysis, lang=language()), paper.district)
    paper.picture(map_png(scene, 150.0, 130.0, units=900.0, dpi=170), caption, width)


def _missing(paper: Document, story: Story) -> None:
    paper.annex(say("缺口"))
    if paper.district.communities is not None and story.judged and "community" in story.analysis.by:
        rows = []
        for goal in story.judged:
            short = story.short(goal)
            where = say("、").join(f"{part.name} {part.missed.amount}" for part in short) or say("无")
            who = say("60岁及以上人口") if goal.unserved.of == "people_60plus" else say("常住人口")
            rows.append(
                [goal.label, str(len([part for part in short if not part.nowhere])), who, goal.unserved.amount, where]
            )
        paper.table(
            say("每项目标差在哪些社区，涉及多少人"),
            [column("任务"), say("社区数"), say("分母"), say("没有或在服务范围外的"), say("哪些社区")],
            rows,
            (3.6, 1.4, 2.3, 2.2, 7.1),
            right=(1, 3),
        )
        paper.text(
            say(
                "人数依据：小区表（{0}）；按社区有无判定的目标，算的是没有的社区里住的人。",
                bases_text(paper.district.basis("homes").tolist()),
            )
        )
    if not story.gaps:
        paper.text(say("没有发现缺口，或数据不足以判断。"))
        return
    paper.table(
        say("缺口最大的 15 个小区（每个小区列最大的一项）"),
        [say("序"), column("小区"), say("不可达"), say("原因")],
        [[str(i), gap.name, gap.unserved.text, gap.why] for i, gap in enumerate(story.gaps[:15], 1)],
        (0.9, 3.4, 1.6, 10.7),
        right=(0, 2),
    )


def _help(paper: Document, story: Story) -> None:
    paper.annex(say("补点测算"))
    if not story.remedies:
        paper.text(say("没有候选点能让更多人够得着，或数据不足以计算。"))
        return
    paper.table(
        say("每项目标各补一处：新增覆盖最多的位置"),
        [column("任务"), say("新增（按本项口径）"), say("补前"), say("补后"), say("补在哪里，惠及谁")],
        [
            [r.label, r.gained.told, f"{r.before.counted}{r.before.text}", r.after.text, r.reason]
            for r in story.remedies
        ],
        (3.2, 2.6, 1.5, 1.5, 7.8),
        right=(1, 2, 3),
    )
    paper.text(
        say(
            "取新增覆盖最多的候选点，求解已证明最优；每个社区都要有的，只优选到社区，设在社区内哪里都算；没有考虑用地、造价和权属。相近的方案："
        )
    )
    for remedy in story.remedies:
        paper.text(say("{0}：{1}", remedy.label, remedy.near_ties), bullet=True)


def _doubts(paper: Document, story: Story) -> None:
    paper.annex(say("不确定性和缺的数据"))
    if story.paces:
        paper.table(
            say("步速快慢一成，结果差多少"),
            [column("任务"), say("步速（m/s）"), say("慢一成"), say("基准"), say("快一成")],
            [[p.label, p.speed, p.slower.text, p.usual.text, p.faster.text] for p in story.paces],
            (6, 2.4, 2.4, 2.4, 2.4),
            right=(1, 2, 3, 4),
        )
    paper.text(say("直线、路网、步行三种算法的差别见“现状”一节；三种算法量的是同一对门之间的距离。"))
    if story.findings:
        paper.table(
            say("数据核查：哪些问题会改变结论"),
            [say("轻重"), say("方面"), say("发现"), say("涉及人口"), say("怎么办")],
            story.findings,
            (1.2, 1.9, 6.6, 1.9, 5.0),
            right=(3,),
        )

    _unknown(paper, story)


def _unknown(paper: Document, story: Story) -> None:
    paper.text(say("无法核对的，缺什么"), bold=True)
    for goal in story.unknown:
        paper.text(say("{0}：{1}", goal.label, goal.headline), bullet=True)
    plan = story.promises
    if plan is not None and plan.blanks:
        paper.table(
            say("缺数据的度量"), [say("编号"), say("度量"), say("结果"), say("缺什么")], plan.blanks, (1.5, 5, 2.2, 7.9)
        )
    elif not story.unknown:
        paper.text(say("没有。"))


def _how(paper: Document, story: Story) -> None:
    paper.annex(say("口径和来源"))
    rows = [
        [
            goal.label,
            say("按社区计：先按台账写的服务社区，没有填的按落点；有开放设施即算有")
            if goal.metric == "presence"
            else goal.method,
            goal.denominator,
            f"{goal.walker} {goal.speed} m/s" if goal.timed else "—",
            goal.basis,
        ]
        for goal in story.goals
    ]
    paper.table(
        say("每个数怎么算、凭什么"),
        [column("任务"), say("方法"), say("分母"), say("人群"), say("数据依据")],
        rows,
        (3.4, 3, 2.2, 2.8, 5.2),
    )
    if story.beside:
        rows = [[goal.label, goal.headline, goal.cited] for goal in story.beside]
        paper.table(say(REFERENCE), [say("指标"), say("现状"), say("标准、条款、可信度")], rows, (4.2, 6.4, 6))
    paper.text(
        say(
            "{0}，直线走到小区出入口（不翻墙、不过铁路河道），再沿街道走到设施的门；过街等候按路段上的秒数计入。“数据不足”不是 0。",
            starts_in_words(paper.district),
        )
    )
    head = [say("图层"), say("要素数"), say("示意或合成"), say("依据"), say("来源"), say("许可"), say("日期")]
    paper.table(say("数据来源"), head, story.sources, (2.2, 1.4, 1.6, 1.4, 5.6, 2.4, 2.0), right=(1, 2))
    if credit := credit_of(paper.district):
        paper.text(credit, colour=_QUIET)


#: The annexes by title, in their order.
_ANNEXES: dict[str, Callable[[Document, Story], None]] = {
    "目标和要求": _targets,
    "现状": _standing,
    "缺口": _missing,
    "补点测算": _help,
    "不确定性和缺的数据": _doubts,
    "口径和来源": _how,
}
