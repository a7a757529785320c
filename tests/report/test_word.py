"""The Word brief and the slides: the meeting's questions in order, every number with what it rests on, the same bytes again."""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import docx
import pptx
import pypdf
import pytest

import xinhe_geo as xh
from xinhe_geo.core.i18n import speaking
from xinhe_geo.maps.leading_rules import promised_rules
from xinhe_geo.maps.presets import scene_for
from xinhe_geo.report import checked
from xinhe_geo.report.analysis import analyse, best_sites, speed_range
from xinhe_geo.report.paper import left_to_type
from xinhe_geo.report.paper import word as _word
from xinhe_geo.report.paper.checkup_word import checkup_word
from xinhe_geo.report.paper.page import Columns
from xinhe_geo.report.paper.sheet import map_png
from xinhe_geo.report.story.records import Finding
from xinhe_geo.report.story.story import Story

pytestmark = pytest.mark.slow

_slides = importlib.import_module("xinhe_geo.report.paper.slides")

TOY = Path(__file__).parents[1] / "toy"
STYLES = ("Title", "主送机关", "Heading 1", "Heading 2", "Heading 3", "附件说明", "落款", "成文日期")


@pytest.fixture(scope="module")
def toy() -> xh.District:
    return xh.District.load(TOY)


@pytest.fixture(scope="module", autouse=True)
def one_map(toy: xh.District) -> Iterator[None]:
    """Draw one small map for all: sheets have tests of their own."""
    drawn = map_png(scene_for(toy, "overview"), 60, 50, units=500, dpi=60)
    with pytest.MonkeyPatch.context() as patch:
        for module in (_word, _slides):
            patch.setattr(module, "map_png", lambda *_, **__: drawn)
        yield


@pytest.fixture(scope="module")
def brief(toy: xh.District, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _word.write_brief(toy, tmp_path_factory.mktemp("word") / "a.docx")


@pytest.fixture(scope="module")
def deck(toy: xh.District, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _slides.slides(toy, tmp_path_factory.mktemp("slides") / "a.pptx")


def texts(slide: object) -> str:
    found = []
    for shape in slide.shapes:  # type: ignore[attr-defined]
        if shape.has_text_frame:
            found.append(shape.text_frame.text)
        if shape.has_table:
            found += [cell.text for row in shape.table.rows for cell in row.cells]
    return "\n".join(found)


# --- Word ---------------------------------------------------------------------------------------------------------------


@pytest.mark.matrix
def test_the_brief_has_the_form_of_official_papers(brief: Path) -> None:
    """Title, addressee, sections 一、 with parts （一）, what is left to be typed, the annexes that are listed; in styles by name."""
    document = docx.Document(str(brief))
    of = {name: [p.text for p in document.paragraphs if p.style.name == name] for name in STYLES}
    assert len(of["Title"]) == len(of["主送机关"]) == len(of["落款"]) == len(of["成文日期"]) == 1
    assert [h[:2] for h in of["Heading 1"]] == ["一、", "二、", "三、", "四、"]
    assert [h[2:] for h in of["Heading 1"]] == ["总体情况", "主要短板", "下一步建议", "数据依据和可信程度"]
    assert of["Heading 2"][0].startswith("（一）")
    annexes = [re.sub(r"^附件 \d　", "", text) for text in of["Heading 3"]]
    assert [re.sub(r"^(附件：)?\d\. ", "", text) for text in of["附件说明"]] == annexes
    body = [p.text for p in document.paragraphs]
    assert (
        body.index("特此报告。")
        < body.index(of["附件说明"][0])
        < body.index(of["落款"][0])
        < body.index(of["Heading 3"][0])
    )
    (section,) = document.sections
    edges = [round(edge.cm, 1) for edge in (section.top_margin, section.left_margin, section.right_margin)]
    assert edges == [3.7, 2.8, 2.6]
    normal, title = (document.styles[name] for name in ("Normal", "Title"))
    assert (normal.font.size.pt, normal.paragraph_format.first_line_indent.pt, title.font.size.pt) == (16, 32, 22)
    fonts = normal.element.rPr.rFonts
    assert fonts.get(docx.oxml.ns.qn("w:eastAsia")) == "仿宋_GB2312"
    captions = [p.text for p in document.paragraphs if p.style.name == "Caption"]
    tables = [c for c in captions if c.startswith("表")]
    assert [int(re.match(r"表 (\d+)", c)[1]) for c in tables] == list(range(1, len(document.tables) + 1))
    assert len([c for c in captions if c.startswith("图")]) == len(document.inline_shapes) >= 3


LEVELS = (r"[一二三四五六七八九十]+、", r"（[一二三四五六七八九十]+）", r"\d+\. ")


@pytest.mark.parametrize("form", ["brief", "checkup", "plan"])
def test_levels_follow_one_another(toy: xh.District, brief: Path, tmp_path: Path, form: str) -> None:
    """GB/T 9704: 一、 then （一） then 1. and none is left out; each counts from its first."""
    if form == "plan":  # and how firm it is
        without = toy.with_rows({**toy.rows, "facilities": toy.rows["facilities"].drop("F1")})
        brief = _word.write_brief(without, tmp_path / "b.docx", against=toy, ranges=True)
    if form == "checkup":
        brief = checkup_word(toy, checked(toy), tmp_path / "a.docx")
    counts = [0, 0, 0]
    for paragraph in docx.Document(str(brief)).paragraphs:
        if paragraph.style.name not in ("Normal", "Heading 1", "Heading 2"):
            continue
        at = next((i for i, sign in enumerate(LEVELS) if re.match(sign, paragraph.text)), None)
        if at is None:
            continue
        assert all(counts[:at]), f"a level is left out before {paragraph.text}"
        counts[at:] = [counts[at] + 1, *[0] * (2 - at)]
        number = re.search(r"[一二三四五六七八九十\d]+", paragraph.text)
        assert number is not None and number[0] in (str(counts[at]), "零一二三四五六七八九"[counts[at]])
    assert counts[0] >= 4


def test_numbers_beyond_ten(toy: xh.District) -> None:
    with speaking("zh"):
        paper = _word.Document(toy)
        paper.points(["甲"] * 21)
        told = [p.text for p in paper.file.paragraphs]
    assert [told[i] for i in (0, 9, 10, 19, 20)] == ["（一）甲", "（十）甲", "（十一）甲", "（二十）甲", "（二十一）甲"]


def test_a_long_title_breaks_between_words(toy: xh.District) -> None:
    with speaking("zh"):
        paper = _word.Document(toy)
        for words in ("关于甲街道\n情况的报告", "关于甲街道〔方案“乙”，2025 年〕\n情况的报告"):
            paper.title(words)
        short, long = [p.text for p in paper.file.paragraphs]
    assert short == "关于甲街道情况的报告" and long.endswith("〕\n情况的报告")


def test_the_body_names_no_column_of_ours(toy: xh.District) -> None:
    """What is to be typed where stands in the annex, for whoever looks after the data; the body says where that is."""
    told: list[str] = []
    paper = SimpleNamespace(district=toy, heading=told.append, say=told.append, points=told.extend)
    found = Finding("high", "位置", "小区 2 处为合成，不能作结论。", "", "在 basis 列写明")
    with speaking("zh"):
        _word._firm(paper, SimpleNamespace(findings=[found]))
    assert told[2:] == ["位置：小区 2 处为合成，不能作结论。", "处理办法见附件 5。"]
    assert list(_word._ANNEXES).index("不确定性和缺的数据") == 5 - 1


@pytest.mark.slow
def test_the_brief_s_numbers_are_the_report_s(toy: xh.District, brief: Path) -> None:
    lead = analyse(toy).headlines
    document = docx.Document(str(brief))
    cells = {cell.text for table in document.tables for row in table.rows for cell in row.cells}
    for name in promised_rules(toy, analyse(toy)):
        assert lead.loc[name, "headline"] in cells
        assert lead.loc[name, "alternatives"] in cells
        assert lead.loc[name, "basis_text"] in cells


@pytest.mark.slow
@pytest.mark.matrix
def test_who_lives_where_a_community_lacks_it(toy: xh.District, tmp_path: Path) -> None:
    """Nobody has day care: 甲社区 100 people (and C, unknown), 乙社区 250. Where nobody is known the table says so."""

    def row(district: xh.District, name: str) -> list[str]:
        document = docx.Document(str(_word.write_brief(district, tmp_path / name)))
        table = next(t for t in document.tables if t.rows[0].cells[2].text == "分母")
        return next([c.text for c in r.cells] for r in table.rows if "日间照料中心" in r.cells[0].text)

    assert row(toy, "a.docx")[1:] == ["2", "常住人口", "350 人", "乙社区 250 人、甲社区 100 人"]
    blank = toy.rows["homes"].assign(people=float("nan"))
    assert row(toy.with_rows({**toy.rows, "homes": blank}), "b.docx")[3] == "数据不足"


def test_pages_are_numbered_and_tables_repeat_their_heads(brief: Path) -> None:
    with zipfile.ZipFile(brief) as archive:
        foot = "".join(archive.read(n).decode() for n in archive.namelist() if "footer" in n)
        body = archive.read("word/document.xml").decode()
    assert foot.count("PAGE") == 2 and '<w:jc w:val="right"/>' in foot and '<w:jc w:val="left"/>' in foot  # odd, even
    assert body.count("<w:tblHeader/>") == body.count("<w:tbl>")


def test_a_request_is_a_draft_of_one_matter(toy: xh.District, tmp_path: Path) -> None:
    """Of real data only, in Chinese only; it asks at its end, and is marked as a draft."""
    document = docx.Document(str(_word.write_brief(toy, tmp_path / "a.docx", request=True)))
    said = [p.text for p in document.paragraphs]
    (title,) = [p.text for p in document.paragraphs if p.style.name == "Title"]
    assert title == "关于增设 1 处老年人日间照料中心的请示（代拟稿）", "one matter, by the name of what is asked for"
    assert "妥否，请批示。" in said and "特此报告。" not in said
    heads = [p.text for p in document.paragraphs if p.style.name == "Heading 1"]
    assert heads == ["一、请示事项", "二、理由", "三、数据依据和可信程度"]
    body = said[: next(i for i, p in enumerate(document.paragraphs) if p.style.name == "Heading 3")]
    assert body[-3:] == ["（署名待填）", "（成文日期待填）", "（联系人和电话待填）"], (
        "who can be asked is named under the date"
    )
    assert all(word in left_to_type(request=True) for word in ("主送机关", "署名", "成文日期", "联系人和电话"))
    assert "联系人" not in left_to_type()
    invented = toy.with_rows({**toy.rows, "homes": toy.rows["homes"].assign(basis="synthetic")})
    assert invented.is_demonstration
    with pytest.raises(xh.DataError, match="不能写成请示"):
        _word.write_brief(invented, tmp_path / "b.docx", request=True)
    with speaking("en"), pytest.raises(xh.DataError, match="Chinese only"):
        _word.write_brief(toy, tmp_path / "b.docx", request=True)
    assert not (tmp_path / "b.docx").exists()


# --- slides -------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_one_conclusion_per_page_with_its_number_and_notes(toy: xh.District, deck: Path) -> None:
    show = pptx.Presentation(str(deck))
    assert show.slide_width / show.slide_height == pytest.approx(16 / 9, rel=1e-3)
    lead = analyse(toy).headlines
    titles = [slide.shapes.title.text for slide in show.slides]
    notes = "\n".join(slide.notes_slide.notes_text_frame.text for slide in show.slides)
    for name in promised_rules(toy, analyse(toy)):
        if lead.loc[name, "value"] == lead.loc[name, "value"]:
            assert f"{lead.loc[name, 'label']}：{lead.loc[name, 'headline']}" in notes
    assert len(titles) <= 10 and len(set(titles)) >= len(titles) - 1  # the first says what the page of all goals says
    for slide in show.slides:
        assert slide.has_notes_slide and slide.notes_slide.notes_text_frame.text.strip()
        assert sum(shape.has_chart or shape.shape_type == 13 for shape in slide.shapes) <= 1
    worst = Story(analyse(toy)).worst[0]
    (page,) = [s for s in show.slides if s.shapes.title.text == f"{worst.label}：{worst.headline}"]
    assert any(shape.shape_type == 13 for shape in page.shapes)  # a picture
    assert worst.big in texts(page)
    (goals,) = [s for s in show.slides if "换算法列出" in s.notes_slide.notes_text_frame.text]
    (chart,) = [shape.chart.plots[0] for shape in goals.shapes if shape.has_chart]
    shares = dict(zip(chart.categories, chart.series[0].values, strict=True))
    assert round(shares["15分钟基本医疗卫生服务圈"], 2) == 0.97


def test_a_room_can_read_every_chart(deck: Path) -> None:
    """Names, numbers and legends of charts, the cells of tables and what stands beside a map: 12 pt at least."""
    for slide in pptx.Presentation(str(deck)).slides:
        for chart in (shape.chart for shape in slide.shapes if shape.has_chart):
            sizes = re.findall(r'sz="(\d+)"', etree_text(chart))
            assert sizes and min(map(int, sizes)) >= 1200, slide.shapes.title.text
        for shape in slide.shapes:
            cells = [cell.text_frame for row in shape.table.rows for cell in row.cells] if shape.has_table else []
            runs = [run for frame in cells for p in frame.paragraphs for run in p.runs if run.text]
            assert all(run.font.size.pt >= 12 for run in runs)


def etree_text(chart: object) -> str:
    return str(chart.part.blob.decode())  # type: ignore[attr-defined]


def test_what_a_table_leaves_out_is_told_across_its_row(toy: xh.District) -> None:
    """In a narrow first column it could not be read."""
    deck = _slides.Deck(toy)
    slide = deck.page("甲", ["乙"])
    deck.table(slide, Columns(["序", "名"], (0.5, 3.0), (0,), 12), [[str(i), "名"] for i in range(60)])
    (table,) = [shape.table for shape in slide.shapes if shape.has_table]
    last = table.cell(len(table.rows) - 1, 0)
    assert last.is_merge_origin and last.text == f"另有 {60 - (len(table.rows) - 2)} 行"


def test_the_body_in_english_is_smaller(toy: xh.District) -> None:
    """The Chinese measures are those of official papers; English words are longer, and stay on as many pages."""
    sizes = []
    for lang in ("zh", "en"):
        with speaking(lang):
            paper = _word.Document(toy)
            paper.say("One. ", "Two. ")
            sizes.append(paper.file.styles["Normal"].font.size.pt)
    assert sizes == [16, 12] and paper.file.paragraphs[-1].text == "One. Two."


def test_chinese_in_an_english_table_takes_no_room_from_english_words() -> None:
    """It breaks anywhere; an English word does not, and has what it needs from columns that can spare it."""
    cells, widths = [["S03", "到二〇二五年建成一刻钟便民生活圈" * 4, "within reach"]], (1.4, 7.6, 7.6)
    with speaking("en"):
        asked = _word._wide_enough([["S03", "", ""]], widths)
        assert _word._wide_enough(cells, widths) == asked
        narrow = _word._wide_enough([["incomparable", "短", "words"]], (0.5, 8, 8))
        assert narrow[0] >= 12 * _word.LETTER_CM["en"] and sum(narrow) == pytest.approx(sum(asked))


def test_a_chart_can_be_edited(deck: Path) -> None:
    charts = [shape.chart for slide in pptx.Presentation(str(deck)).slides for shape in slide.shapes if shape.has_chart]
    assert charts and all(chart.part.chart_workbook.xlsx_part is not None for chart in charts)


# --- both ---------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.matrix
def test_same_inputs_same_bytes(brief: Path, deck: Path, tmp_path: Path) -> None:
    again = xh.District.load(TOY)
    assert _word.write_brief(again, tmp_path / "b.docx").read_bytes() == brief.read_bytes()
    assert _slides.slides(again, tmp_path / "b.pptx").read_bytes() == deck.read_bytes()
    for path in (brief, deck):
        with zipfile.ZipFile(path) as archive:
            assert {entry.date_time[0] for entry in archive.infolist()} == {1980}
            facts = archive.read("docProps/core.xml").decode()
        assert "python" not in facts and set(re.findall(r">(\d{4}-\d\d-\d\d)T", facts)) == {"2022-01-01"}


@pytest.mark.slow
@pytest.mark.matrix
def test_a_name_from_data_stays_text(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    shutil.copytree(TOY, folder)
    path = folder / "boundaries" / "communities.geojson"
    path.write_text(path.read_text("utf-8").replace("甲社区", "<b>&甲\\u0007</b>=1+1"), "utf-8")
    district = xh.District.load(folder)
    document = docx.Document(str(_word.write_brief(district, tmp_path / "a.docx")))
    cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    assert any("<b>&甲 </b>=1+1" in cell for cell in cells)
    show = pptx.Presentation(str(_slides.slides(district, tmp_path / "a.pptx")))
    assert any("<b>&甲" in texts(slide) for slide in show.slides)


@pytest.mark.slow
def test_libreoffice_opens_both(brief: Path, deck: Path, tmp_path: Path) -> None:
    program = shutil.which("soffice")
    if program is None:
        pytest.skip("no LibreOffice on this machine")
    for path in (brief, deck):
        profile = f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"
        command = [program, profile, "--headless", "--convert-to", "pdf", "--outdir", str(tmp_path), str(path)]
        subprocess.run(command, check=True, capture_output=True, timeout=180)
    said = "".join(page.extract_text() for page in pypdf.PdfReader(tmp_path / "a.pdf").pages)
    assert "玩具街道" in re.sub(r"\s", "", said)


# --- what is computed for them ------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_faster_walkers_reach_no_less_and_one_more_place_serves_more(toy: xh.District) -> None:
    results = analyse(toy)
    spread = speed_range(toy, results)
    assert len(spread) and (spread["slower"] <= spread["usual"]).all() and (spread["usual"] <= spread["faster"]).all()
    assert spread["usual"].to_dict() == pytest.approx(results.headlines["value"].reindex(spread.index).to_dict())
    best = best_sites(toy, results)
    assert len(best) and (best["share_after"] >= best["share_before"]).all() and (best["people_gained"] > 0).any()


def test_a_facility_in_every_community_is_not_said_to_be_reached_by_everybody(brief: Path, deck: Path) -> None:
    said = "".join(p.text for p in docx.Document(str(brief)).paragraphs)
    titles = "".join(
        shape.text_frame.text
        for slide in pptx.Presentation(str(deck)).slides
        for shape in slide.shapes
        if shape.has_text_frame
    )
    for text in (said, titles):
        assert re.search(r"\d+ 项没有缺口，\d+ 项还有缺口", text) and "人人够得着" not in text
