"""`--plan`: every document of a plan says which, for which year, and tells the figures of that state; without it nothing is another."""

from __future__ import annotations

import html
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import docx
import ezdxf
import openpyxl
import pptx
import pyogrio
import pytest
from ink import texts_of

import xinhe_geo as xh
from xinhe_geo.app.cli import main
from xinhe_geo.core.errors import DataError, ScenarioError, UnknownNameError
from xinhe_geo.core.i18n import speaking
from xinhe_geo.district.labels import place_title
from xinhe_geo.io import drawing_of
from xinhe_geo.report.analysis import Analysis, Comparison
from xinhe_geo.report.paper import sheet
from xinhe_geo.report.states import Asked, sides_of
from xinhe_geo.report.story.change import Change
from xinhe_geo.report.story.records import share
from xinhe_geo.report.story.story import Story

TOY = Path(__file__).parents[1] / "toy"
#: A station less: whoever was served by it alone is out of reach.
CLOSE = 'label = "关南站"\n[[edit]]\ndo = "close_facility"\nfacility = "F1"\n'
OPEN = 'label = "开规划的"\nyear = 2026\n[[edit]]\ndo = "open_planned"\nfacility = "F4"\n'
TWICE = f'{CLOSE}[[edit]]\ndo = "close_facility"\nfacility = "F1"\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = Path(shutil.copytree(TOY, tmp_path_factory.mktemp("plan") / "toy"))
    (target / "scenarios").mkdir()
    for name, text in (("close", CLOSE), ("open", OPEN), ("twice", TWICE)):
        (target / f"scenarios/{name}.toml").write_text(text, "utf-8")
    return target


@pytest.fixture(scope="module")
def district(folder: Path) -> xh.District:
    return xh.District.load(folder)


# --- which state -------------------------------------------------------------------------------------------------------


def test_nothing_asked_is_the_district_itself(district: xh.District) -> None:
    """The same object: whatever is written of it has the bytes that it had."""
    sides = sides_of(district, Asked())
    assert sides.district is district and sides.against is None
    assert place_title(district) == district.name


def test_a_plan_stands_beside_the_same_year_without_it(district: xh.District) -> None:
    after, before = sides_of(district, Asked("open"))
    assert before is not None and after.year == before.year == 2026
    assert place_title(after) == f"{district.name}〔方案“开规划的”，2026 年，含假定〕"
    with speaking("en"):
        assert place_title(after) == f"{district.name} [plan “开规划的”, 2026, rests on assumptions]"
    later, then = sides_of(district, Asked("open", year=2030))
    assert then is not None and later.year == then.year == 2030


def test_two_plans_stand_in_one_year(district: xh.District) -> None:
    after, other = sides_of(district, Asked("open", against="close"))
    assert other is not None and after.year == other.year == 2026
    with speaking("zh"):
        assert Change(Comparison.of(other, after)).names == ("关南站（2026 年）", "开规划的（2026 年）")


@pytest.mark.parametrize(
    ("asked", "error", "says"),
    [
        (Asked("clos"), UnknownNameError, "close"),
        (Asked("open", against="clos"), UnknownNameError, "close"),
        (Asked(against="close"), ScenarioError, "--plan"),
        (Asked("twice"), ScenarioError, "第 2 步"),
        (Asked("open", against="twice"), ScenarioError, "第 2 步"),
    ],
)
def test_what_is_not_there_or_contradicts_itself_is_refused(
    district: xh.District, asked: Asked, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        sides_of(district, asked)


def test_conflicts_go_on_only_with_their_number_in_the_title(district: xh.District) -> None:
    after = sides_of(district, Asked("twice", with_conflicts=True)).district
    assert "处冲突未解决" in place_title(after)


def test_a_plan_is_never_drawn_for_the_public(district: xh.District, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="方案是内部资料"):
        sheet(sides_of(district, Asked("close")).district, to=tmp_path / "a.pdf", public=True)
    assert not list(tmp_path.iterdir())


# --- what it says ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_before_and_after_are_what_coverage_says_of_both(district: xh.District) -> None:
    after, before = sides_of(district, Asked("close"))
    assert before is not None
    story = Story(Analysis.of(after), against=before)
    assert story.change is not None and story.change.moved
    assert story.change.pair.after is story.analysis, "nothing is worked out twice"
    own, was = (xh.summary(xh.coverage(state))["share"] for state in (after, before))
    for shift in story.change.shifts:
        assert shift.before.text == share("", "", was[shift.rule]).text
        assert shift.after.text == share("", "", own[shift.rule]).text
    assert {goal.rule: goal.share.text for goal in story.goals}.items() >= {
        s.rule: s.after.text for s in story.change.moved
    }.items()
    assert Story(Analysis.of(before)).change is None


def test_a_drawing_of_a_plan_is_whole(district: xh.District, tmp_path: Path) -> None:
    """Nothing for the audit to mend; areas are closed, each kind of point is a block of its own, layers have Chinese names."""
    after, before = sides_of(district, Asked("close"))
    drawing_of(after, tmp_path / "a.dxf", against=before, notes=["甲"])
    drawing = ezdxf.readfile(tmp_path / "a.dxf")
    audit = drawing.audit()
    assert not audit.errors and not audit.fixes
    kinds = {str(e.dxf.layer) for e in drawing.modelspace() if e.dxftype() == "INSERT"}
    assert (
        kinds == {str(e.dxf.name) for e in drawing.modelspace() if e.dxftype() == "INSERT"} and "方案撤除设施" in kinds
    )
    areas = [
        e for e in drawing.modelspace() if e.dxf.layer in ("小区", "社区", "街道界") and e.dxftype() == "LWPOLYLINE"
    ]
    assert areas and all(area.closed for area in areas)
    assert all(re.search("[一-龟]", str(e.dxf.layer)) for e in drawing.modelspace())


class Written(NamedTuple):
    """What a command wrote about a plan, as text."""

    arguments: tuple[str, ...]
    read: Callable[[Path], str]
    figures: bool = True  # whether it tells goals before and after in words


def of_page(path: Path) -> str:
    return html.unescape(re.sub(r"<(style|script|svg).*?</\1>|<[^>]+>", "", path.read_text("utf-8"), flags=re.DOTALL))


def of_pdf(path: Path) -> str:
    return "".join(texts_of(path))


def of_word(path: Path) -> str:
    document = docx.Document(str(path))
    cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    return "\n".join([*(p.text for p in document.paragraphs), *cells])


def of_slides(path: Path) -> str:
    show = pptx.Presentation(str(path))
    shapes = [shape for slide in show.slides for shape in slide.shapes]
    charts = [shape.chart.plots[0] for shape in shapes if shape.has_chart]
    bars = [f"{n} {v:.0%}" for p in charts for s in p.series for n, v in zip(p.categories, s.values, strict=True) if v]
    return "\n".join([*(s.text_frame.text for s in shapes if s.has_text_frame), *bars])


def of_drawing(path: Path) -> str:
    return "\n".join(str(e.dxf.text) for e in ezdxf.readfile(path).modelspace() if e.dxftype() == "TEXT")


def of_layers(path: Path) -> str:
    import sqlite3

    with sqlite3.connect(path) as db:
        return "\n".join(str(row) for row in db.execute("SELECT table_name, description FROM gpkg_contents"))


DOCUMENTS = {
    "a.docx": Written(("word",), of_word),
    "a.pptx": Written(("slides",), of_slides),
    "a.pdf": Written(("sheet", "overview"), of_pdf),
    "a.dxf": Written(("dxf",), of_drawing),
    "a.gpkg": Written(("gpkg",), of_layers, figures=False),
    "a.html": Written(("map", "overview"), lambda path: path.read_text("utf-8"), figures=False),
}


@pytest.mark.slow
@pytest.mark.one_in(6)
@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_document_of_a_plan_says_so_with_its_figures(
    folder: Path, district: xh.District, tmp_path: Path, name: str
) -> None:
    own = DOCUMENTS[name]
    assert main([*own.arguments, str(folder), "--out", str(tmp_path / name), "--plan", "close"]) == 0
    after, before = sides_of(district, Asked("close"))
    assert before is not None
    said = re.sub(r"\s+", "", own.read(tmp_path / name))
    assert re.sub(r"\s+", "", place_title(after)) in said
    moved = Change(Comparison.of(before, after)).moved
    assert moved
    for shift in moved if own.figures else ():
        assert shift.label.replace(" ", "") in said and shift.before.text in said and shift.after.text in said
    if name == "a.gpkg":
        rule = next(iter(Change(Comparison.of(before, after)).drawn))
        rows = pyogrio.read_dataframe(tmp_path / name, layer=f"变化_{rule}").set_index("home")
        assert rows["served_after"].equals(xh.coverage(after).xs(rule, level="rule")["served"].reindex(rows.index))


@pytest.mark.slow
@pytest.mark.matrix
def test_the_report_of_a_plan_says_what_differs(folder: Path, district: xh.District, tmp_path: Path) -> None:
    assert main(["report", str(folder), "--out", str(tmp_path / "r"), "--plan", "close"]) == 0
    after, before = sides_of(district, Asked("close"))
    assert before is not None
    page, change = of_page(tmp_path / "r/index.html"), Change(Comparison.of(before, after))
    assert place_title(after) in page and change.people in page and (tmp_path / "r/compare.html").is_file()
    for shift in change.moved:
        assert shift.label in page
    book = openpyxl.load_workbook(tmp_path / "r/tables/coverage.xlsx", read_only=True)
    assert place_title(after) in str(book.worksheets[0]["A2"].value) and "一页表" in book.sheetnames
