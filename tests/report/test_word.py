"""The Word brief and the slides: the meeting's questions in order, every number with what it rests on, the same bytes again."""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import docx
import pptx
import pypdf
import pytest

import xinhe_geo as xh
from xinhe_geo.maps.leading_rules import promised_rules
from xinhe_geo.maps.presets import scene_for
from xinhe_geo.report.analysis import analyse, best_sites, speed_range
from xinhe_geo.report.paper import word as _word
from xinhe_geo.report.paper.sheet import map_png

pytestmark = pytest.mark.slow

_slides = importlib.import_module("xinhe_geo.report.paper.slides")

TOY = Path(__file__).parents[1] / "toy"


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


def test_the_brief_answers_the_meeting_in_order(brief: Path) -> None:
    document = docx.Document(str(brief))
    heads = [p.text for p in document.paragraphs if p.style.name == "Heading 1"]
    assert [h[2:] for h in heads] == [
        "目标是什么",
        "现状多少",
        "差多少",
        "补哪里最划算，补完多少",
        "有多不确定",
        "无法核对的，缺什么",
        "口径和来源",
    ]
    captions = [p.text for p in document.paragraphs if p.style.name == "Caption"]
    tables = [c for c in captions if c.startswith("表")]
    assert [int(re.match(r"表 (\d+)", c)[1]) for c in tables] == list(range(1, len(document.tables) + 1))
    assert len([c for c in captions if c.startswith("图")]) == len(document.inline_shapes) >= 3


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
    assert "PAGE" in foot and "NUMPAGES" in foot
    assert body.count("<w:tblHeader/>") == body.count("<w:tbl>")


# --- slides -------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_one_conclusion_per_page_with_its_number_and_notes(toy: xh.District, deck: Path) -> None:
    show = pptx.Presentation(str(deck))
    assert show.slide_width / show.slide_height == pytest.approx(16 / 9, rel=1e-3)
    lead = analyse(toy).headlines
    titles = [slide.shapes.title.text for slide in show.slides]
    for name in promised_rules(toy, analyse(toy)):
        if lead.loc[name, "value"] == lead.loc[name, "value"]:
            assert f"{lead.loc[name, 'label']}：{lead.loc[name, 'headline']}" in titles
    for slide in show.slides:
        assert slide.has_notes_slide and slide.notes_slide.notes_text_frame.text.strip()
    pages = [s for s in show.slides if s.shapes.title.text.startswith("15分钟基本医疗卫生服务圈")]
    (page,) = pages
    assert any(shape.shape_type == 13 for shape in page.shapes)  # a picture
    assert any(shape.has_chart or shape.has_table for shape in page.shapes)
    assert "97%" in texts(page)


def test_a_chart_can_be_edited(deck: Path) -> None:
    charts = [shape.chart for slide in pptx.Presentation(str(deck)).slides for shape in slide.shapes if shape.has_chart]
    assert charts and all(chart.part.chart_workbook.xlsx_part is not None for chart in charts)


# --- both ---------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
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
