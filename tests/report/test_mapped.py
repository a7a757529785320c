"""What is handed over of a district whose facilities were only seen on a map: nowhere how many people have none."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import shutil
import sqlite3
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
from docx import Document
from ledger_toy import ALL, CIRCLE, folder_with, measure
from mapped import KINDS, TOY, toy_folder
from pptx import Presentation

import xinhe_geo as xh
from xinhe_geo.app.cli import main
from xinhe_geo.core import bundled_folder, speaking
from xinhe_geo.report.paper import write_brief, write_slides

pytestmark = pytest.mark.slow  # each writes whole reports

#: A number of people, homes or communities that lack something, or a list of them.
LACKING = re.compile(
    r"\d[\d,.]*\s*(?:人|位|个小区)?\s*(?:（[^）]*）)?(?:不可达|够不着|还?在服务范围外)|(?:还?在服务范围外|不可达)\s*\d|缺：|缺口：\s*\d"
)
TAG = re.compile(r"<[^>]*>")


def said(path: Path) -> Iterator[str]:
    """Yield all texts of a file that a reader sees, from whatever they are packed in."""
    if path.suffix == ".html":
        page = path.read_text("utf-8")
        yield TAG.sub(" ", re.sub(r"<(script|style)\b.*?</\1>", " ", page, flags=re.DOTALL))
        for block in re.findall(r"[A-Za-z0-9+/]{200,}={0,2}", page):
            with contextlib.suppress(zlib.error, ValueError):
                yield zlib.decompress(base64.b64decode(block), 47).decode("utf-8", "ignore")
    elif path.suffix in (".xlsx", ".docx", ".pptx"):
        with zipfile.ZipFile(path) as book:
            for name in book.namelist():
                if name.endswith(".xml"):
                    yield TAG.sub("\n", book.read(name).decode("utf-8"))
    elif path.suffix == ".qgz":
        with zipfile.ZipFile(path) as project:
            yield from (TAG.sub("\n", project.read(name).decode("utf-8")) for name in project.namelist())
    elif path.suffix == ".gpkg":
        with closing(sqlite3.connect(path)) as database:
            yield "\n".join(str(row) for row in database.execute("select table_name from gpkg_contents"))
    else:
        yield path.read_text("utf-8")


def own_promises(folder: Path, *, copied: bool) -> Path:
    """Return the toy with a promise of its own, measured by a rule of the program, or by the same row in a table of its own."""
    folder_with(folder, [measure("c", "coverage", **CIRCLE, **ALL)])
    if copied:
        (folder / "standards").mkdir(exist_ok=True)
        shutil.copy(bundled_folder() / "standards" / "rules.csv", folder / "standards" / "rules.csv")
    return folder


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("mapped")
    folder = toy_folder(place / "toy")
    assert main(["report", str(folder), "--out", str(place / "out"), "--plans"]) == 0
    district = xh.District.load(folder)
    write_brief(district, place / "out" / "b.docx")
    write_slides(district, place / "out" / "s.pptx")
    return place / "out"


def test_nothing_says_how_many_people_have_none(out: Path) -> None:
    files = [path for path in sorted(out.rglob("*")) if path.is_file() and path.suffix != ".png"]
    assert len(files) > 8
    found = {(path.name, hit.group()) for path in files for text in said(path) for hit in LACKING.finditer(text)}
    assert not found
    assert not [path.name for path in files if path.name.startswith(("sites-", "选址"))]
    gpkg = next(said(out / "gis/coverage.gpkg"))
    assert "覆盖_plan_clinic_15" in gpkg and "缺口_" not in gpkg


@pytest.mark.matrix
def test_the_same_search_finds_them_where_somebody_has_counted(tmp_path: Path) -> None:
    """The search above would not be one if it found nothing in the district as it is."""
    assert main(["report", str(TOY), "--out", str(tmp_path)]) == 0
    for name in ("index.html", "tables/coverage.xlsx"):
        assert any(LACKING.search(text) for text in said(tmp_path / name)), name


def test_the_brief_says_what_follows_and_what_to_survey_next(out: Path) -> None:
    text = next(said(out / "index.html"))
    assert "若图上的设施都在、路都能走，出入口按最近处计：成人步行 15 分钟，常住人口的 97% 走得到" in text
    assert "下一步：先调查" in text and "surveyed_kinds" in text
    book = "\n".join(said(out / "tables/coverage.xlsx"))
    assert "至少（没有查全）" in book and "只据地图（不作结论）" in book


def test_the_meeting_map_knows_which_rules_rest_on_a_map(out: Path) -> None:
    page = (out / "meeting.html").read_text("utf-8")
    block = re.search(r'id="xh-data">(.*?)</script>', page, re.DOTALL)
    assert block is not None
    stream = zlib.decompress(base64.b64decode(block.group(1)), 47)  # how long the JSON is, the JSON, arrays
    data = json.loads(stream[8 : 8 + int.from_bytes(stream[:8], "little")])
    for rule in data["rules"]:
        assert rule.get("mapped", False) == (not set(KINDS).isdisjoint(rule["kinds"])), rule["id"]


def test_documents_count_such_promises_as_unknown(out: Path) -> None:
    words = "\n".join(p.text for p in Document(str(out / "b.docx")).paragraphs)
    assert re.search(r"：0 项没有缺口，0 项还有缺口，\d+ 项数据不足", words)
    titles = [s.shapes.title.text for s in Presentation(str(out / "s.pptx")).slides if s.shapes.title is not None]
    assert not [t for t in titles if "受益最多" in t or "至少在一项规划目标的服务范围外" in t]


def test_a_folder_without_a_plan_names_nobody_elses(out: Path) -> None:
    """The text that the bundled plan's promises stand in is named in no output; standards that hold everywhere are."""
    bundled, here = xh.District.load(), xh.District.load(TOY)
    plan = {bundled.rule(name).standard for name in ("plan_clinic_15", "plan_canteen_community")}
    assert len(plan) == 1
    for name, standard in here.rules["standard"].items():
        rule = here.rule(str(name))
        assert rule.elsewhere == (standard in plan) and not bundled.rule(str(name)).elsewhere
        assert rule.basis_text == bundled.rule(str(name)).basis_text or rule.elsewhere
    files = [path for path in sorted(out.rglob("*")) if path.is_file() and path.suffix != ".png"]
    assert not [path.name for path in files for text in said(path) if next(iter(plan)) in text]
    assert "不是本街道自己规划提出的目标" in next(said(out / "index.html"))


@pytest.mark.one_in(2)
@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("copied", [False, True], ids=["rules of the program", "rules copied into the folder"])
def test_promises_of_ones_own_make_no_other_plan_ones_own(tmp_path: Path, lang: str, copied: bool) -> None:
    """Whoever records a sentence of his own plan still borrows the yardsticks: nothing says that his plan, or another, sets them here."""
    folder = own_promises(tmp_path / "toy", copied=copied)
    out, district = tmp_path / "out", xh.District.load(folder)
    bundled = xh.District.load().rules
    standards = set(bundled["standard"][(bundled["set"] == "plan").to_numpy()])
    assert len(standards) == 1 and district.has_own_plan and not district.has_own_goals
    assert main(["report", str(folder), "--out", str(out), "--lang", lang]) == 0
    with speaking(lang):
        write_brief(district, out / "b.docx")
        write_slides(district, out / "s.pptx")
    words = {
        "zh": ("规划提出的目标中", "规划提出的目标 ", "一项规划目标的", "规划目标缺口图", "有原文可查的目标"),
        "en": ("goals of the plan", "in what the plan promises", "Targets and standards whose"),
    }
    denied = "不是本街道自己规划提出的目标"
    files = [path for path in sorted(out.rglob("*")) if path.is_file() and path.suffix != ".png"]
    texts = [(path.name, text.replace(denied, "")) for path in files for text in said(path)]
    found = {(name, word) for name, text in texts for word in (*standards, *words[lang]) if word in text}
    assert not found
    first = {"zh": "项参考口径", "en": "the yardsticks"}[lang]
    assert first in next(said(out / "index.html"))


def test_rules_that_were_verified_for_a_place_are_its_own(tmp_path: Path) -> None:
    folder = own_promises(tmp_path / "toy", copied=True)
    table = folder / "standards" / "rules.csv"
    rules = pd.read_csv(table, dtype="str", encoding="utf-8-sig", keep_default_na=False).set_index("rule")
    rules.loc["plan_clinic_15", ["verified_by", "verified_on"]] = ["甲", "2026-11-24"]
    rules.to_csv(table)
    district = xh.District.load(folder)
    assert [r for r in rules.index if district.rule(r).of_plan] == ["plan_clinic_15"] and district.has_own_goals
