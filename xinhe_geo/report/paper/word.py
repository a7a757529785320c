"""The brief for Word: what a meeting asks, answered in its order, with tables, pictures, sources and how every number is made."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import docx
import numpy as np
import pandas as pd
from docx.enum.table import WD_TABLE_ALIGNMENT
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Cm, Pt, RGBColor

from ...access import SEVERITIES, rests_on
from ...core import DENOMINATOR_LABELS, METHOD_LABELS, crs_label, language, refuse_uncleared, say, told, word
from ...core import title as column
from ...district import District, rule_name, walker_name
from ...ledger import bases_text, has_own_plan, ledger, number_text, verdicts
from ...maps import (
    COMPLETENESS,
    DEMONSTRATION_TEXT,
    GAPS,
    OVERVIEW,
    PRESETS,
    Scene,
    badges_of,
    promised_rules,
    scene_for,
    worst_gaps,
)
from ...report import analyse, best_sites, judged_rules, sources_table, speed_range
from .office import TONGUES, document_bytes
from .page import plain
from .sheet import map_png, write_bytes

if TYPE_CHECKING:
    from docx.styles.style import ParagraphStyle
    from docx.table import _Cell as Cell
    from docx.table import _Row as Row
    from docx.text.paragraph import Paragraph

BRIEF = "汇报.docx"
_INK, _QUIET, _MARK = RGBColor(0x2B, 0x31, 0x38), RGBColor(0x62, 0x6A, 0x72), RGBColor(0x8A, 0x3B, 0x52)
_BODY, _HEAD = "宋体", "黑体"
#: Room that a letter of a word takes which cannot be broken (centimetres); Chinese breaks anywhere.
LETTER_CM = {"zh": 0.0, "en": 0.15}
_WIDTH = 16.6  # centimetres of text on an A4 page


@told("写 Word 简报", 6)
def write_brief(
    district: District, to: str | Path = BRIEF, *, preset: str = "plan", progress: Callable[[str], None] | None = None
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
    results = analyse(district, preset=preset, progress=tell)
    plan = ledger(district, lang=language()) if has_own_plan(district) else pd.DataFrame()
    paper = _Document(district)
    _opening(paper, results)
    _targets(paper, results, plan)
    tell(say("画地图"))
    _standing(paper, results)
    _missing(paper, results)
    tell(say("算补点"))
    _help(paper, results)
    tell(say("算不确定性"))
    _doubts(paper, results)
    _unknown(paper, results, plan)
    _how(paper, results)
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
        _run(head, say("{0}公共服务设施步行可达评估", district.name), 9, _QUIET)
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
            _keep_whole(own, first=i == 0)
            for j, (words, cell) in enumerate(zip(row, own.cells, strict=True)):
                cell.width = Cm(widths[j])
                paragraph = cell.paragraphs[0]
                paragraph.paragraph_format.space_after = Pt(1)
                if j in right and i:
                    paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT
                _run(paragraph, words, 9, _INK, bold=i == 0)
                if i == 0:
                    _shade(cell, "E9E4DA")
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
        title = say("{0}公共服务设施步行可达评估", self.district.name)
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


def _keep_whole(row: Row, *, first: bool) -> None:
    properties = row._tr.get_or_add_trPr()
    properties.append(OxmlElement("w:cantSplit"))
    if first:
        properties.append(OxmlElement("w:tblHeader"))


def _shade(cell: Cell, colour: str) -> None:
    shade = OxmlElement("w:shd")
    for name, value in (("val", "clear"), ("color", "auto"), ("fill", colour)):
        shade.set(qn(f"w:{name}"), value)
    cell._tc.get_or_add_tcPr().append(shade)


def _map(scene: Scene, height: float = 130.0) -> bytes:
    return map_png(scene, 150.0, height, units=900.0, dpi=170)


# --- sections -----------------------------------------------------------------------------------------------------------


def _known(district: District, results: Mapping[str, Any]) -> list[str]:
    return judged_rules(district, results)


def _opening(paper: _Document, results: Mapping[str, Any]) -> None:
    district, lead = paper.district, results["headlines"]
    paper.title(say("{0}公共服务设施步行可达评估", district.name))
    lists = say("；社区名录 {0} 年", district.list_year) if district.communities is not None else ""
    paper.text(
        say(
            "口径：{0}；数据年份 {1}{2}；坐标系 {3}。",
            say(PRESETS[results["preset"]]),
            district.year,
            lists,
            crs_label(district.crs),
        )
    )
    if district.is_demonstration:
        paper.text(say("{0}。{1}。", say(DEMONSTRATION_TEXT), rests_on(district)), colour=_MARK, bold=True)
    known = _known(district, results)
    short = [r for r in known if lead.loc[r, "value"] < 1 - 1e-9]
    promised = promised_rules(district, results)
    unknown = say("，{0} 项数据不足", len(promised) - len(known)) if len(promised) > len(known) else ""
    paper.text(
        say(
            "核对 {0} 项有原文可查的承诺和标准：{1} 项没有缺口，{2} 项还有缺口{3}。",
            len(promised),
            len(known) - len(short),
            len(short),
            unknown,
        ),
        bold=True,
    )
    worst = lead.loc[short, "people_unserved"].sort_values(ascending=False, kind="stable").index
    for name in worst[:4]:
        paper.text(
            say("{0}：{1} {2}", lead.loc[name, "label"], lead.loc[name, "headline"], lead.loc[name, "mark"]),
            bullet=True,
        )


def _targets(paper: _Document, results: Mapping[str, Any], plan: pd.DataFrame) -> None:
    paper.heading(say("一、目标是什么"))
    district = paper.district
    rows = []
    for name in promised_rules(district, results):
        rule = district.rule(name)
        limit = (
            say("每个社区至少 1 处")
            if rule.metric == "presence"
            else say("{0:g} 分钟", rule.minutes)
            if rule.method == "walk_min"
            else say("{0:g} 米", rule.metres)
        )
        rows.append([rule_name(district, rule), limit, str(results["headlines"].loc[name, "standard_text"])])
    paper.table(say("承诺和标准，出自哪里"), [column("承诺"), say("要求"), say("出处")], rows, (5, 3, 8.6))
    if plan.empty:
        paper.text(say("本街道目录没有自己的规划承诺表，上面是随程序的默认口径。"))
        return
    said = verdicts(plan)
    first = plan.groupby(level="commitment", sort=False).first()
    category = first["category"].str.split(";").str[0]
    cross = pd.crosstab(category, said).reindex(columns=said.value_counts().index)
    cross = cross.loc[cross.sum(axis=1).sort_values(ascending=False, kind="stable").index]
    body = [
        [word(str(c)), *(f"{v}" if v else "" for v in row), f"{sum(row)}"]
        for c, row in zip(cross.index, cross.to_numpy(), strict=True)
    ]
    total = [say("合计"), *(f"{v}" for v in cross.sum()), f"{len(said)}"]
    n = len(cross.columns) + 1
    caption = say("规划 {0} 条承诺的核对结果（条），逐条见规划目标落实核对表", len(said))
    paper.table(
        caption,
        [say("类别"), *map(str, cross.columns), say("合计")],
        [*body, total],
        (3, *([2.6] * n)),
        right=range(1, n + 1),
    )
    measured = first.index[~said.isin([say("待填"), say("数据不足")]).reindex(first.index).to_numpy()]
    quotes = [
        [
            str(c),
            say("{0}（{1}）", first.loc[c, "quote"], first.loc[c, "section"]),
            say("{0}；{1}", _where_it_stands(plan.loc[[c]]), said[c]),
        ]
        for c in measured
    ]
    paper.table(
        say("有数可核的承诺：原文、章节和现状"),
        [say("编号"), say("原文（章节）"), say("现状")],
        quotes,
        (1.4, 7.6, 7.6),
    )


def _where_it_stands(rows: pd.DataFrame) -> str:
    """Say the numbers that decide about a promise, each with its target."""
    own = rows[((rows["role"] == "own") & rows["value"].notna()).to_numpy()]
    return say("；").join(
        f"{r.label} {number_text(float(r.value), str(r.unit))}{say('（目标 {0}）', r.target_text) if r.target_text else ''}{_who(r)}"
        for r in own.itertuples()
    )


class _Gap(Protocol):
    """A row of the ledger, as `itertuples` gives it."""

    gap_of: str
    gap_size: float
    gap_basis: str


def _who(row: _Gap) -> str:
    """Say how many the gap of a row of the ledger is about, of what, and what that rests on; nothing where it is about nobody."""
    if not row.gap_of:
        return ""
    what, unit = re.split(r" ?[（(]", str(row.gap_of)[:-1])
    if not np.isfinite(row.gap_size):
        return say("，差距涉及的{0}数据不足", what)
    return say("，差距涉及{0} {1}（依据：{2}）", what, number_text(float(round(row.gap_size)), unit), row.gap_basis)


def _standing(paper: _Document, results: Mapping[str, Any]) -> None:
    district, lead = paper.district, results["headlines"]
    paper.heading(say("二、现状多少"))
    paper.picture(
        _map(scene_for(district, OVERVIEW, results=results, lang=language())), say("{0}现状总图", district.name), 14.0
    )
    rows = [
        [
            str(lead.loc[r, "label"]),
            str(lead.loc[r, "headline"]),
            str(lead.loc[r, "alternatives"]),
            str(lead.loc[r, "mark"]),
        ]
        for r in promised_rules(district, results)
    ]
    paper.table(
        say("现状，三种算法并列"),
        [column("承诺"), say("现状（本条自己的口径）"), say("换算法"), say("标记")],
        rows,
        (3.4, 6.4, 4.6, 2.2),
    )
    by = results["by"].get("zone")
    known = _known(district, results)
    if by is not None and district.zones is not None and known:
        zones = list(district.zones.index)
        body = [[str(lead.loc[r, "label"]), *(_percent(by["share"].get((z, r), np.nan)) for z in zones)] for r in known]
        names = [str(n) for n in district.zones["name"]]
        paper.table(
            say("分区比较（各条自己的分母）"),
            [column("承诺"), *names],
            body,
            (5, *([3.0] * len(zones))),
            right=range(1, len(zones) + 1),
        )
    table = results["completeness"]
    if len(table):
        paper.picture(
            _map(scene_for(district, COMPLETENESS, results=results, lang=language())),
            say("15 分钟配套齐全度：步行 15 分钟内有几成必备设施"),
            14.0,
        )


def _percent(value: float) -> str:
    if not np.isfinite(value):
        return say("数据不足")
    shown = round(value * 100, 1)
    return f"{min(shown, 99.9) if value < 1 - 1e-9 else shown:g}%"


def _missing(paper: _Document, results: Mapping[str, Any]) -> None:
    district, lead = paper.district, results["headlines"]
    paper.heading(say("三、差多少"))
    known = _known(district, results)
    by = results["by"].get("community")
    if by is not None and district.communities is not None and known:
        names = district.communities["name"]
        rows = []
        for rule in known:
            own = by.xs(rule, level="rule")
            own = own[own.index.isin(names.index) & (own["share"] < 1 - 1e-9).to_numpy()]
            counted = "people_60plus" if district.rule(rule).denominator == "people_60plus" else "people"
            lost = (own[counted] - own[f"{counted}_served"]).sort_values(ascending=False, kind="stable")
            where = say("、").join(f"{names[c]} {_people(n, say('不详'))}" for c, n in lost.items()) or say("无")
            who = say("60岁及以上人口") if counted == "people_60plus" else say("常住人口")
            total = _people(float(lost.sum(min_count=1)) if len(lost) else 0.0, say("数据不足"))
            rows.append([str(lead.loc[rule, "label"]), f"{len(lost)}", who, total, where])
        paper.table(
            say("每条承诺差在哪些社区，涉及多少人"),
            [column("承诺"), say("社区数"), say("分母"), say("没有或够不着的"), say("哪些社区")],
            rows,
            (3.6, 1.4, 2.3, 2.2, 7.1),
            right=(1, 3),
        )
        paper.text(
            say(
                "人数依据：小区表（{0}）；按社区有无判定的承诺，算的是没有的社区里住的人。",
                bases_text(district.basis("homes")),
            )
        )
    worst = worst_gaps(district, results, language())
    if worst is None:
        paper.text(say("没有发现缺口，或数据不足以判断。"))
        return
    paper.picture(
        _map(scene_for(district, GAPS, results=results, lang=language())),
        say("缺口：{0} 个小区至少有一项承诺够不着，编号按不可达人口", len(worst)),
        14.0,
    )
    rows = [
        [
            str(i + 1),
            str(r.name or ""),
            say("不详") if not np.isfinite(r.unserved) else f"{r.unserved:,.0f}",
            str(r.reason),
        ]
        for i, r in enumerate(worst.head(15).itertuples(index=False))
    ]
    paper.table(
        say("缺口最大的 15 个小区（每个小区列最大的一项）"),
        [say("序"), column("小区"), say("不可达"), say("原因")],
        rows,
        (0.9, 3.4, 1.6, 10.7),
        right=(0, 2),
    )


def _people(number: float, unknown: str) -> str:
    return say("{0:,.0f} 人", number) if np.isfinite(number) else unknown


def _help(paper: _Document, results: Mapping[str, Any]) -> None:
    paper.heading(say("四、补哪里最划算，补完多少"))
    best = best_sites(paper.district, results)
    if best.empty:
        paper.text(say("没有候选点能让更多人够得着，或数据不足以计算。"))
        return
    best = best.sort_values("people_gained", ascending=False, kind="stable")
    rows = [
        [str(r.label), f"{r.people_gained:,.0f}", _percent(r.share_before), _percent(r.share_after), str(r.reason)]
        for r in best.itertuples()
    ]
    paper.table(
        say("每条承诺各补一处：新增覆盖最多的位置"),
        [column("承诺"), say("新增居民"), say("补前"), say("补后"), say("补在哪里，惠及谁")],
        rows,
        (3.2, 1.7, 1.5, 1.5, 8.7),
        right=(1, 2, 3),
    )
    paper.text(say("取新增覆盖最多的候选点，求解已证明最优；没有考虑用地、造价和权属。相近的方案："))
    for r in best.itertuples():
        paper.text(say("{0}：{1}", r.label, r.near_ties), bullet=True)


def _doubts(paper: _Document, results: Mapping[str, Any]) -> None:
    paper.heading(say("五、有多不确定"))
    spread = speed_range(paper.district, results)
    if len(spread):
        rows = [
            [str(r.label), f"{r.speed_m_s:g}", _percent(r.slower), _percent(r.usual), _percent(r.faster)]
            for r in spread.itertuples()
        ]
        paper.table(
            say("步速快慢一成，结果差多少"),
            [column("承诺"), say("步速（m/s）"), say("慢一成"), say("基准"), say("快一成")],
            rows,
            (6, 2.4, 2.4, 2.4, 2.4),
            right=(1, 2, 3, 4),
        )
    paper.text(say("直线、路网、步行三种算法的差别见“现状”一节；三种算法量的是同一对门之间的距离。"))
    findings = results["audit"]
    strong = findings[(findings["severity"] != "info").to_numpy()]
    rows = [
        [say(SEVERITIES[r.severity]), r.topic, r.finding, "" if pd.isna(r.people) else f"{r.people:,.0f}", r.remedy]
        for r in strong.itertuples(index=False)
    ]
    if rows:
        paper.table(
            say("数据核查：哪些问题会改变结论"),
            [say("轻重"), say("方面"), say("发现"), say("涉及人口"), say("怎么办")],
            rows,
            (1.2, 1.9, 6.6, 1.9, 5.0),
            right=(3,),
        )


def _unknown(paper: _Document, results: Mapping[str, Any], plan: pd.DataFrame) -> None:
    paper.heading(say("六、无法核对的，缺什么"))
    district, lead = paper.district, results["headlines"]
    blank = [r for r in promised_rules(district, results) if not np.isfinite(lead.loc[r, "value"])]
    for name in blank:
        paper.text(say("{0}：{1}", lead.loc[name, "label"], lead.loc[name, "headline"]), bullet=True)
    open_rows = plan[plan["verdict"].isin([say("数据不足"), say("待填")]).to_numpy()] if len(plan) else plan
    rows = [
        [str(key[0]), str(r.label), str(r.verdict), str(r.needs)]
        for key, r in zip(open_rows.index, open_rows.itertuples(), strict=True)
    ]
    if rows:
        paper.table(
            say("缺数据的度量"), [say("编号"), say("度量"), say("结果"), say("缺什么")], rows, (1.5, 5, 2.2, 7.9)
        )
    elif not blank:
        paper.text(say("没有。"))


def _how(paper: _Document, results: Mapping[str, Any]) -> None:
    district, lead = paper.district, results["headlines"]
    paper.heading(say("七、口径和来源"))
    rows = []
    for name in promised_rules(district, results):
        rule = district.rule(name)
        walker = district.profile(rule.profile)
        method = say("按社区计：界内有开放设施即算有") if rule.metric == "presence" else say(METHOD_LABELS[rule.method])
        who = f"{walker_name(district, walker)} {walker.speed_m_s:g} m/s" if rule.method == "walk_min" else "—"
        rows.append(
            [
                rule_name(district, rule),
                method,
                say(DENOMINATOR_LABELS[rule.denominator]),
                who,
                str(lead.loc[name, "basis_text"]),
            ]
        )
    paper.table(
        say("每个数怎么算、凭什么"),
        [column("承诺"), say("方法"), say("分母"), say("人群"), say("数据依据")],
        rows,
        (3.4, 3, 2.2, 2.8, 5.2),
    )
    paper.text(
        say(
            "从小区内均匀分布的点出发，直线走到小区出入口（不翻墙、不过铁路河道），再沿街道走到设施的门；过街等候按路段上的秒数计入。“数据不足”不是 0。"
        )
    )
    table = sources_table(district)
    table = table[table["要素数"].notna()]
    rows = [
        [
            str(r["图层"]),
            f"{r['要素数']:,.0f}",
            f"{r['其中示意或合成']:,.0f}",
            str(r["依据类型"]),
            str(r["来源"]),
            str(r["许可"]),
            str(r["日期"]),
        ]
        for _, r in table.iterrows()
    ]
    head = [say("图层"), say("要素数"), say("示意或合成"), say("依据"), say("来源"), say("许可"), say("日期")]
    paper.table(say("数据来源"), head, rows, (2.2, 1.4, 1.6, 1.4, 5.6, 2.4, 2.0), right=(1, 2))
    credit = district.manifest.get("credit")
    if credit:
        paper.text(str(credit), colour=_QUIET)
