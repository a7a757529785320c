"""The report in English: the numbers of the Chinese one, and nothing Chinese but names and words of the plan."""

from __future__ import annotations

import html
import json
import re
import sqlite3
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import openpyxl
import pyogrio
import pytest

import xinhe_geo as xh
from xinhe_geo.report import report

#: Pages that are written in English, of those that lie in an output folder.
PAGES = ("index.html", "ledger.html", "communities.html")
#: … and those that a script writes.
LIVE = (
    "meeting.html",
    "maps/overview.html",
    "maps/gaps.html",
    "maps/parcels.html",
    "maps/walkers.html",
    "maps/evidence.html",
)
#: Runs of Chinese.
HAN = re.compile(r"[\u3400-\u9fff]+")
#: What may stay Chinese: columns that hold names or quote somebody, by table ("*": every table) …
MAY_STAY = {
    "*": ("name", "source", "note"),
    "rules": ("standard", "clause"),
    "commitments": ("quote", "section", "spatial_unit"),
    "claims": ("words",),
    "contradictions": ("issue", "quote_a", "section_a", "quote_b", "section_b", "handling"),
    "measures": ("standard",),
}
#: … and what the manifest says of the district and its layers.
SAID = ("name", "credit", "made_by", "source", "licence", "survey_note")
#: … and the one file whose name is Chinese.
FILES = ("规划目标落实核对表.xlsx",)
#: Figures: shares, decimals and counts of thousands; what is counted in names of rules ("15 min") is not among them.
FIGURE = re.compile(r"\d{1,3}(?:,\d{3})+|\d+\.\d+%?|\d+%")

#: In a picture only shares: its sentences are cut off where the room ends, in either language elsewhere.
SHARE = re.compile(r"\d+(?:\.\d+)?%")


class Text(HTMLParser):
    """Collects what a page shows, and the Chinese of it that is not marked as such."""

    VOID = ("meta", "input", "br", "link", "path", "circle", "polyline", "line", "rect", "use", "wbr")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[tuple[str, bool]] = []
        self.shown: list[str] = []
        self.unmarked: list[str] = []
        self.figures: Counter[str] = Counter()
        self.lang = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        self.lang = self.lang or (said.get("lang") or "" if tag == "html" else "")
        self.shown += [str(v) for k, v in attrs if k in ("aria-label", "placeholder", "alt", "title") and v]
        if tag not in self.VOID:
            self.open.append((tag, said.get("lang") == "zh" or (bool(self.open) and self.open[-1][1])))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1][0] in ("script", "style"):
            return
        drawn = "svg" in {tag for tag, _ in self.open}
        self.shown.append(data)
        self.figures += Counter(FIGURE.findall(data) if not drawn else SHARE.findall(data))
        if HAN.search(data) and not self.open[-1][1] and not drawn and self.open[-1][0] not in ("title", "option"):
            self.unmarked.append(data)


def may_stay(district: xh.District) -> str:
    """Return all that may stay Chinese, as one text in which a run is looked up."""

    def parts() -> Iterator[str]:
        for name, frame in district.rows.items():
            for column in (*MAY_STAY["*"], *MAY_STAY.get(name, ())):
                if column in frame:
                    yield from (str(v) for v in frame[column].dropna().unique())
        for entry in (district.manifest, *district.manifest["layers"].values()):
            yield from (str(entry[key]) for key in SAID if key in entry)
        yield from FILES

    return "\n".join(parts())


@pytest.fixture(scope="module")
def district() -> xh.District:
    return xh.District.load()


@pytest.fixture(scope="module")
def outputs(bundled_reports: Path) -> dict[str, Path]:
    return {lang: bundled_reports / lang for lang in ("zh", "en")}


def files_of(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


@pytest.mark.slow
def test_files_are_called_the_same_and_the_record_is_in_chinese(outputs: dict[str, Path]) -> None:
    assert files_of(outputs["en"]) == files_of(outputs["zh"])
    ours, theirs = (json.loads((outputs[lang] / "run.json").read_text("utf-8")) for lang in ("zh", "en"))
    assert {**ours, "files": {}} == {**theirs, "files": {}}


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_english_but_for_names_and_quotations(
    district: xh.District, outputs: dict[str, Path], page: str
) -> None:
    text = Text((outputs["en"] / page).read_text("utf-8"))
    stays = may_stay(district)
    assert text.lang == "en" and not text.unmarked
    left = {run for shown in text.shown for run in HAN.findall(shown) if run not in stays}
    assert not left


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_figures_are_those_of_the_chinese_page(district: xh.District, outputs: dict[str, Path], page: str) -> None:
    measures = district.rows["measures"]
    written = {
        f for c in ("text", "text_en") for said in measures[c].dropna() for f in FIGURE.findall(said)
    }  # 1.2 万, 12,000
    ours, theirs = (Text((outputs[lang] / page).read_text("utf-8")).figures for lang in ("zh", "en"))
    assert ours.total() > 50
    assert not {f: n for f, n in (ours - theirs + (theirs - ours)).items() if f not in written}


@pytest.mark.slow
def test_marks_have_their_english(outputs: dict[str, Path]) -> None:
    page = (outputs["en"] / "index.html").read_text("utf-8")
    assert "Demonstration data" in page and "Demonstration (no conclusion)" in page
    assert "Reference (not verified)" in page and "insufficient data" in page.lower()


#: All that a page shows or says, with its menus open, the first thing of its list chosen.
READ = """() => {
  document.querySelectorAll('details').forEach((d) => { d.open = true; });
  const first = document.querySelector('.xm-side details li button'); if (first) first.click();
  const found = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) if (!walk.currentNode.parentElement.closest('script, style')) found.push(walk.currentNode.data);
  document.querySelectorAll('*').forEach((e) => ['title', 'aria-label', 'placeholder', 'data-old'].forEach((a) => found.push(e.getAttribute(a) || '')));
  return [document.documentElement.lang, document.title, ...found];
}"""


@pytest.mark.one_in(3)
@pytest.mark.browser
@pytest.mark.parametrize("page", LIVE)
def test_a_live_page_is_english_with_the_same_shares(
    chromium: Any, district: xh.District, outputs: dict[str, Path], page: str
) -> None:
    said = {}
    for lang in ("zh", "en"):
        tab, errors = chromium.new_page(viewport={"width": 1366, "height": 768}), []
        tab.on("pageerror", lambda error, found=errors: found.append(str(error)))
        tab.goto((outputs[lang] / page).as_uri())
        tab.wait_for_function("document.querySelector('h1, .xh-title') !== null")
        said[lang] = tab.evaluate(READ)
        assert not errors
        tab.close()
    assert said["en"][0] == "en"
    stays = may_stay(district)
    assert not {run for text in said["en"] for run in HAN.findall(text) if run not in stays}
    ours, theirs = (Counter(f for text in said[lang] for f in SHARE.findall(text)) for lang in ("zh", "en"))
    assert ours == theirs


def cells(book: Path) -> dict[str, list[list[object]]]:
    sheets = openpyxl.load_workbook(book).worksheets
    return {sheet.title: [list(row) for row in sheet.iter_rows(values_only=True)] for sheet in sheets}


@pytest.mark.slow
@pytest.mark.matrix
def test_the_workbook_is_english_with_the_same_numbers(district: xh.District, outputs: dict[str, Path]) -> None:
    ours, theirs = (list(cells(outputs[lang] / "tables/coverage.xlsx").items()) for lang in ("zh", "en"))
    stays = may_stay(district)
    assert len(ours) == len(theirs)
    for (_, rows), (title, said) in zip(ours, theirs, strict=True):
        assert not HAN.search(title + str(said[0]) + "".join(map(str, said[2]))), title
        assert len(set(said[2])) == len(said[2]), title
        for row, own in zip(rows[3:], said[3:], strict=True):
            for a, b in zip(row, own, strict=True):
                assert (a == b) if not isinstance(a, str) else isinstance(b, str), (title, a, b)
                assert not [run for run in HAN.findall(str(b)) if run not in stays], (title, b)


@pytest.mark.slow
def test_the_geopackage_has_english_aliases(outputs: dict[str, Path]) -> None:
    layers = [
        sorted(name for name, _ in pyogrio.list_layers(outputs[lang] / "gis/coverage.gpkg")) for lang in ("zh", "en")
    ]
    assert layers[0] == layers[1]
    with closing(sqlite3.connect(outputs["en"] / "gis/coverage.gpkg")) as db:
        styles = [row[0] for row in db.execute("SELECT styleQML FROM layer_styles")]
    named = [name for style in styles for name in re.findall(r'<alias [^>]*name="([^"]*)"', style)]
    assert "people not served" in named and not HAN.search("".join(named))
    lead = pyogrio.read_dataframe(outputs["en"] / "gis/coverage.gpkg", layer="覆盖_plan_clinic_15", read_geometry=False)
    assert not HAN.search("".join(lead["label"].unique())), "rules go by their English names in the rows too"


def words_of(file: Path) -> list[str]:
    """Return the texts of a Word document or of slides, with their notes."""
    with zipfile.ZipFile(file) as archive:
        parts = [
            n
            for n in archive.namelist()
            if re.match(r"(word/(document|header|footer)|ppt/(slides|notesSlides)/\w)[^/]*xml$", n)
        ]
        texts = [re.sub(r"</(?:w|a):p>", "\n", archive.read(name).decode("utf-8")) for name in parts]
    return [html.unescape(line) for text in texts for line in re.sub(r"<[^>]+>", "", text).split("\n")]


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize("name", ["word", "slides"])
def test_documents_are_english_with_the_same_figures(tmp_path: Path, name: str) -> None:
    toy = xh.District.load(Path(__file__).parents[1] / "toy")
    files = [report.documents(toy, name, tmp_path / lang, lang=lang)[0] for lang in ("zh", "en")]
    ours, theirs = map(words_of, files)
    stays = may_stay(toy)
    assert not {run for line in theirs for run in HAN.findall(line) if run not in stays}
    assert len(theirs) == len(ours) > 50
    figures = [Counter(f for line in lines for f in FIGURE.findall(line)) for lines in (ours, theirs)]
    assert figures[0].total() > 20 and figures[0] == figures[1]


def test_another_language_is_refused(district: xh.District, tmp_path: Path) -> None:
    with pytest.raises(xh.UnknownNameError, match="fr"):
        xh.brief(district, tmp_path / "fr", lang="fr")
    assert not (tmp_path / "fr").exists()
