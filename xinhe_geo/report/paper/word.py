"""The brief for Word: what a meeting asks, answered in its order, with tables, pictures, sources and how every number is made."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import docx
from docx.enum.table import WD_TABLE_ALIGNMENT
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Cm, Pt, RGBColor

from ...access import rests_on
from ...core import REFERENCE, crs_label, language, named_by_homes, refuse_uncleared, say, told, write_bytes
from ...core import title as column
from ...district import District, place_title
from ...ledger import bases_text
from ...maps import COMPLETENESS, DEMONSTRATION_TEXT, GAPS, OVERVIEW, badges_of, preset_text, scene_for, themes
from ...report import Story, analyse
from .office import TONGUES, document_bytes
from .page import plain
from .sheet import map_png

if TYPE_CHECKING:
    from docx.styles.style import ParagraphStyle
    from docx.text.paragraph import Paragraph

BRIEF = "汇报.docx"
_INK, _QUIET, _MARK = RGBColor(0x2B, 0x31, 0x38), RGBColor(0x62, 0x6A, 0x72), RGBColor(0x8A, 0x3B, 0x52)
_BODY, _HEAD = "宋体", "黑体"
#: Room that a letter of a word takes which cannot be broken (centimetres); Chinese breaks anywhere.
LETTER_CM = {"zh": 0.0, "en": 0.15}
_WIDTH = 16.6  # centimetres of text on an A4 page


@told("写 Word 简报", 6)
@named_by_homes
def write_brief(
    district: District,
    to: str | Path = BRIEF,
    *,
    preset: str = "plan",
    ranges: bool = False,
    against: District | None = None,
    progress: Callable[[str], None] | None = None,
) -> Path:
    """
    Write the brief for a meeting as a Word document.

    It answers, in this order: what is the target (quoted, with its section), where things stand (three methods, denominators),
    what is missing (which community, how many places, how many people), where one more place helps most, how far that goes, how
    uncertain it is (speed, method, data), and what cannot be checked for want of which data; then how every number is made.

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

    Returns
    -------
    file
        What was written.

    Raises
    ------
    EnvironmentProblem
        The file cannot be written, or the typeface of the maps is missing.
    """
    refuse_uncleared(district.manifest, "写出汇报")
    tell = progress or (lambda _: None)
    story = Story(analyse(district, preset=preset, ranges=ranges, progress=tell), against=against)
    paper = _Document(district)
    _opening(paper, story)
    _change(paper, story)
    _targets(paper, story)
    tell(say("画地图"))
    _standing(paper, story)
    _missing(paper, story)
    tell(say("算补点"))
    _help(paper, story)
    tell(say("算不确定性"))
    _doubts(paper, story)
    _unknown(paper, story)
    _how(paper, story)
    return write_bytes(Path(to), paper.save())


class _Document:
    """A document being written: styles, header, footer, numbered tables and figures."""

    def __init__(self, district: District) -> None:
        self.district = district
        self.file = docx.Document()
        self._tables = self._figures = 0
        section = self.file.sections[0]
        section.page_width, section.page_height = Cm(21), Cm(29.7)
        section.left_margin = section.right_margin = Cm(2.2)
        section.top_margin, section.bottom_margin = Cm(2.3), Cm(2.0)
        for name, face, size in (
            ("Normal", _BODY, 11),
            ("Title", _HEAD, 22),
            ("Heading 1", _HEAD, 15),
            ("Heading 2", _HEAD, 12.5),
            ("Caption", _HEAD, 9.5),
            ("List Bullet", _BODY, 11),
            ("Header", _BODY, 9),
            ("Footer", _BODY, 9),
        ):
            _set_style(self.file.styles[name], face, size)
        head = section.header.paragraphs[0]
        _run(head, say("{0}公共服务设施步行可达评估", place_title(district)), 9, _QUIET)
        badges = badges_of(district, district.is_demonstration, language())
        _run(head, say("　") + say("　").join(words for _, words in badges), 9, _MARK)
        foot = section.footer.paragraphs[0]
        foot.alignment = WD_ALIGN_PARAGRAPH.CENTER
        _run(foot, say("第 "), 9, _QUIET)
        _field(foot, "PAGE")
        _run(foot, say(" 页 / 共 "), 9, _QUIET)
        _field(foot, "NUMPAGES")
        _run(foot, say(" 页"), 9, _QUIET)

    def title(self, words: str) -> None:
        """Write the title."""
        self.file.add_paragraph(plain(words), style="Title")

    def heading(self, words: str, level: int = 1) -> None:
        """Begin a section."""
        self.file.add_heading(plain(words), level)

    def text(self, words: str, *, colour: RGBColor | None = None, bold: bool = False, bullet: bool = False) -> None:
        """Write a paragraph."""
        paragraph = self.file.add_paragraph(style="List Bullet" if bullet else "Normal")
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
        for i, (row, own) in enumerate(zip(cells, grid.rows, strict=True)):
            properties = own._tr.get_or_add_trPr()
            properties.append(OxmlElement("w:cantSplit"))
            if i == 0:
                properties.append(OxmlElement("w:tblHeader"))
            for j, (words, cell) in enumerate(zip(row, own.cells, strict=True)):
                cell.width = Cm(widths[j])
                paragraph = cell.paragraphs[0]
                paragraph.paragraph_format.space_after = Pt(1)
                if j in right and i:
                    paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT
                _run(paragraph, words, 9, _INK, bold=i == 0)
                if i == 0:
                    shade = OxmlElement("w:shd")
                    for name, value in (("val", "clear"), ("color", "auto"), ("fill", "E9E4DA")):
                        shade.set(qn(f"w:{name}"), value)
                    cell._tc.get_or_add_tcPr().append(shade)
        self.file.add_paragraph().paragraph_format.space_after = Pt(2)

    def picture(self, png: bytes, caption: str, width: float = _WIDTH) -> None:
        """Put in a map with its number and caption below, and words for those who cannot see it."""
        self._figures += 1
        paragraph = self.file.add_paragraph()
        paragraph.alignment, paragraph.paragraph_format.keep_with_next = WD_ALIGN_PARAGRAPH.CENTER, True
        shape = paragraph.add_run().add_picture(io.BytesIO(png), width=Cm(width))
        shape._inline.docPr.set("descr", plain(caption))
        below = self.file.add_paragraph(say("图 {0}　{1}", self._figures, plain(caption)), style="Caption")
        below.alignment = WD_ALIGN_PARAGRAPH.CENTER

    def save(self) -> bytes:
        """Return the document."""
        title = say("{0}公共服务设施步行可达评估", place_title(self.district))
        return document_bytes(self.file.save, self.file.core_properties, title, self.district.year)


def _wide_enough(cells: Sequence[Sequence[str]], widths: Sequence[float]) -> list[float]:
    """Return widths that fill the page, in centimetres; words that cannot be broken have room, where the language has such."""
    scale = _WIDTH / sum(widths)
    asked = [width * scale for width in widths]
    least = [
        max(len(part) for row in cells for part in [*row[j].split(), ""]) * LETTER_CM[language()]
        for j in range(len(widths))
    ]
    wide = [max(width, room and room + 0.45) for width, room in zip(asked, least, strict=True)]
    spare = [width - (room and room + 0.45) for width, room in zip(wide, least, strict=True)]
    over = sum(wide) - sum(asked)
    if not 0 < over < sum(spare):  # nothing is too narrow, or everything is
        return asked
    return [width - over * free / sum(spare) for width, free in zip(wide, spare, strict=True)]


def _set_style(style: ParagraphStyle, face: str, size: float) -> None:
    style.font.name, style.font.size, style.font.italic = "Times New Roman", Pt(size), False
    style.font.color.rgb = _INK
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
    run.font.size, run.font.color.rgb = Pt(9), _QUIET
    for kind in ("begin", "", "separate", "shown", "end"):
        if kind in ("", "shown"):
            part = OxmlElement("w:instrText" if kind == "" else "w:t")
            part.text = code if kind == "" else "1"
        else:
            part = OxmlElement("w:fldChar")
            part.set(qn("w:fldCharType"), kind)
        run._r.append(part)


# --- sections -----------------------------------------------------------------------------------------------------------


def _opening(paper: _Document, story: Story) -> None:
    district, tally = paper.district, story.tally
    paper.title(say("{0}公共服务设施步行可达评估", place_title(district)))
    lists = say("；社区名录 {0} 年", district.list_year) if district.communities is not None else ""
    preset, crs = preset_text(district, story.analysis.preset), crs_label(district.crs)
    paper.text(say("口径：{0}；数据年份 {1}{2}；坐标系 {3}。", preset, district.year, lists, crs))
    if district.is_demonstration:
        paper.text(say("{0}。{1}。", say(DEMONSTRATION_TEXT), rests_on(district)), colour=_MARK, bold=True)
    unknown = say("，{0} 项数据不足", tally.unknown) if tally.unknown else ""
    told = "核对 {0} 项有原文可查的目标和标准：{1} 项没有缺口，{2} 项还有缺口{3}。"
    paper.text(say(told, tally.promised, tally.whole, tally.short, unknown), bold=True)
    for goal in story.worst[:4]:
        paper.text(say("{0}：{1} {2}", goal.label, goal.told, goal.mark), bullet=True)


def _change(paper: _Document, story: Story) -> None:
    """What a plan changes, where the state is one of a plan."""
    change = story.change
    if change is None:
        return
    paper.heading(say("方案前后：{0} 与 {1}", *change.names))
    paper.text(say("{0}。", change.people))
    for sentence in change.verdict:
        paper.text(sentence.text, bullet=True)
    for shift in change.moved if change.firm else ():
        paper.text(say("{0}：{1}", shift.label, shift.firm), bullet=True)
    if change.moved:
        paper.table(
            say("变了的目标；{0}", change.unmoved) if change.unmoved else say("变了的目标"),
            [column("任务"), column("之前"), column("之后"), column("变化（百分点）"), column("净增（按本指标）")],
            [[s.label, s.before.text, s.after.text, s.points, s.net] for s in change.moved],
            (6.6, 2, 2, 2.6, 3.4),
            right=(1, 2, 3, 4),
        )


def _targets(paper: _Document, story: Story) -> None:
    paper.heading(say("一、目标是什么"))
    rows = [[goal.label, goal.asked, goal.standard] for goal in story.goals]
    paper.table(say("目标和标准，出自哪里"), [column("任务"), say("要求"), say("出处")], rows, (5, 3, 8.6))
    plan = story.promises
    if plan is None:
        paper.text(say("本街道目录没有自己的规划承诺表，上面是随程序的默认口径。"))
        return
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


def _standing(paper: _Document, story: Story) -> None:
    district = paper.district
    paper.heading(say("二、现状多少"))
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


def _figure(paper: _Document, story: Story, what: str, caption: str) -> None:
    scene = scene_for(paper.district, what, results=story.analysis, lang=language())
    paper.picture(map_png(scene, 150.0, 130.0, units=900.0, dpi=170), caption, 14.0)


def _missing(paper: _Document, story: Story) -> None:
    paper.heading(say("三、差多少"))
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
                bases_text(paper.district.basis("homes")),
            )
        )
    if not story.gaps:
        paper.text(say("没有发现缺口，或数据不足以判断。"))
        return
    _figure(
        paper,
        story,
        GAPS,
        say("缺口：{0} 个小区至少在一项规划目标的服务范围外，步行在服务范围外的人多的在前", len(story.gaps)),
    )
    paper.table(
        say("缺口最大的 15 个小区（每个小区列最大的一项）"),
        [say("序"), column("小区"), say("不可达"), say("原因")],
        [[str(i), gap.name, gap.unserved.text, gap.why] for i, gap in enumerate(story.gaps[:15], 1)],
        (0.9, 3.4, 1.6, 10.7),
        right=(0, 2),
    )


def _help(paper: _Document, story: Story) -> None:
    paper.heading(say("四、补哪里最划算，补完多少"))
    if not story.remedies:
        paper.text(say("没有候选点能让更多人够得着，或数据不足以计算。"))
        return
    paper.table(
        say("每项目标各补一处：新增覆盖最多的位置"),
        [column("任务"), say("新增（按本项口径）"), say("补前"), say("补后"), say("补在哪里，惠及谁")],
        [[r.label, r.gained.told, r.before.text, r.after.text, r.reason] for r in story.remedies],
        (3.2, 2.6, 1.5, 1.5, 7.8),
        right=(1, 2, 3),
    )
    paper.text(say("取新增覆盖最多的候选点，求解已证明最优；没有考虑用地、造价和权属。相近的方案："))
    for remedy in story.remedies:
        paper.text(say("{0}：{1}", remedy.label, remedy.near_ties), bullet=True)


def _doubts(paper: _Document, story: Story) -> None:
    paper.heading(say("五、有多不确定"))
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


def _unknown(paper: _Document, story: Story) -> None:
    paper.heading(say("六、无法核对的，缺什么"))
    for goal in story.unknown:
        paper.text(say("{0}：{1}", goal.label, goal.headline), bullet=True)
    plan = story.promises
    if plan is not None and plan.blanks:
        paper.table(
            say("缺数据的度量"),
            [say("编号"), say("度量"), say("结果"), say("缺什么")],
            plan.blanks,
            (1.5, 5, 2.2, 7.9),
        )
    elif not story.unknown:
        paper.text(say("没有。"))


def _how(paper: _Document, story: Story) -> None:
    paper.heading(say("七、口径和来源"))
    rows = [
        [
            goal.label,
            say("按社区计：界内有开放设施即算有") if goal.metric == "presence" else goal.method,
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
            "从小区内均匀分布的点出发，直线走到小区出入口（不翻墙、不过铁路河道），再沿街道走到设施的门；过街等候按路段上的秒数计入。“数据不足”不是 0。"
        )
    )
    head = [say("图层"), say("要素数"), say("示意或合成"), say("依据"), say("来源"), say("许可"), say("日期")]
    paper.table(say("数据来源"), head, story.sources, (2.2, 1.4, 1.6, 1.4, 5.6, 2.4, 2.0), right=(1, 2))
    credit = paper.district.manifest.get("credit")
    if credit:
        paper.text(str(credit), colour=_QUIET)
