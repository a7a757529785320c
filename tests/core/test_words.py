"""The catalogue, and the ledger in English: every sentence has its English, nothing but names and words of the plan stays Chinese, numbers are the same."""

from __future__ import annotations

import ast
import importlib
import json
import re
import string
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from ledger_toy import ALL, BY_HAND, SUM, figures, folder_with, lg, measure, toy_with

import xinhe_geo as xh
from xinhe_geo.app.cli import app
from xinhe_geo.core.html import web_file
from xinhe_geo.core.i18n import marked, speaking
from xinhe_geo.core.models import METHOD_LABELS
from xinhe_geo.core.schema import (
    BASIS_LABELS,
    BUDGETS,
    CLAIM_LABELS,
    DIRECTIONS,
    HOLDERS,
    LEVELS,
    MONEY_STATES,
    PEOPLE_KINDS,
    PROBLEM_STATES,
    PROJECT_STATES,
    STATE_LABELS,
    TO_CONFIRM,
    TOPICS,
    URGENCIES,
    bundled_folder,
)
from xinhe_geo.core.sentences import agreeing, english, language, say, word
from xinhe_geo.io import OUTCOMES, PARTS, RESULT_LABELS
from xinhe_geo.ledger.metrics.base import SIGNS, UNITS, WEIGHTS
from xinhe_geo.ledger.metrics.registry import METRICS
from xinhe_geo.ledger.panel import typed_figures
from xinhe_geo.maps.live import LIVE_SCRIPTS
from xinhe_geo.maps.meeting import SCRIPTS
from xinhe_geo.maps.scripts import sentences, spoken_script
from xinhe_geo.renewal import CAPACITY_LABELS, COUNT_LABELS, FLOW_LABELS, INDICATOR_STATES, ORIGINS, REASONS, STATUSES
from xinhe_geo.report.pages.communities import communities_page
from xinhe_geo.report.pages.ledger import ledger_page
from xinhe_geo.report.pages.registry import PAGES
from xinhe_geo.report.report import LEDGER_BOOK, write_ledger

book_of = importlib.import_module("xinhe_geo.report.ledger_workbook")

PACKAGE = Path(xh.__file__).parent


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def spoken_by(path: Path) -> set[str]:
    """Return what a module says sentences by: `say`, from wherever its package offers it, and `told`, which says a title."""
    imports = (node for node in ast.walk(tree_of(path)) if isinstance(node, ast.ImportFrom))
    return {alias.name for node in imports for alias in node.names} & {"say", "told"}


@cache
def speakers() -> list[Path]:
    """Return the modules that say something."""
    return [path for path in sorted(PACKAGE.rglob("*.py")) if path.name != "__init__.py" and spoken_by(path)]


HAN = re.compile(r"[\u3400-\u9fff]")
SERIES = measure("s", "series", **SUM)


def constants() -> Iterator[tuple[str, bool]]:
    """Yield every text of the modules that speak, and whether it is said as it stands."""
    for path in speakers():
        names = spoken_by(path)
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value, False
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
                first = node.args[0]
                if isinstance(first, ast.Constant):
                    yield str(first.value), True
            if isinstance(node, ast.FunctionDef):
                yield from ((text, True) for text in said_by_name(node, names))


def said_by_name(function: ast.FunctionDef, speakers_: set[str]) -> Iterator[str]:
    """Yield the Chinese texts that a function gives a name, and says by it: `told = "…"`, `say(told, n)`."""
    calls = [
        n for n in ast.walk(function) if isinstance(n, ast.Call) and getattr(n.func, "id", "") in speakers_ and n.args
    ]
    said = {name.id for call in calls for name in ast.walk(call.args[0]) if isinstance(name, ast.Name)}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and said & {t.id for t in node.targets if isinstance(t, ast.Name)}:
            texts = (part.value for part in ast.walk(node.value) if isinstance(part, ast.Constant))
            yield from (text for text in texts if isinstance(text, str) and HAN.search(text))


def fields(template: str) -> set[str]:
    return {str(name) for _, name, _, _ in string.Formatter().parse(template) if name is not None}


@pytest.mark.slow
def test_every_sentence_has_its_english_and_no_english_is_left_over() -> None:
    texts = list(constants())
    said, all_texts = {text for text, is_said in texts if is_said}, {text for text, _ in texts}
    tables = [
        *((m.label, m.formula) for m in METRICS.values()),
        *WEIGHTS.values(),
        UNITS.values(),
        METHOD_LABELS.values(),
        BASIS_LABELS.values(),
        CLAIM_LABELS.values(),
        DIRECTIONS.values(),
        STATE_LABELS.values(),
        PEOPLE_KINDS.values(),
    ]
    tables += [CLAIM_LABELS.values(), DIRECTIONS.values(), STATE_LABELS.values()]
    tables += [HOLDERS.values(), TOPICS.values(), STATUSES.values(), BUDGETS.values(), ORIGINS.values()]
    tables += [REASONS.values(), MONEY_STATES.values()]
    tables += [COUNT_LABELS.values(), FLOW_LABELS.values(), CAPACITY_LABELS.values()]
    tables += [
        INDICATOR_STATES.values(),
        PROBLEM_STATES.values(),
        PROJECT_STATES.values(),
        URGENCIES.values(),
        LEVELS.values(),
    ]
    tables += [OUTCOMES.values(), PARTS.values(), RESULT_LABELS.values()]
    known = {text for row in tables for text in row} | {
        *lg.VERDICTS,
        *lg.ROLES.values(),
        lg.UNMEASURED,
        *(page.link for page in PAGES),
    }
    catalogue = english()["say"]
    missing, left_over = (said | known) - set(catalogue), set(catalogue) - said - known - all_texts
    assert len(said) > 200 and not missing and not left_over, (missing, left_over)
    for chinese, own in catalogue.items():
        assert fields(own) <= fields(chinese), chinese
        assert not HAN.search(own), own
    assert set(SIGNS.values()) - {"≥", "≤"} <= set(english()["words"])


def test_texts_of_scripts_have_their_english_and_keep_what_is_worked_out() -> None:
    said = [text for name in {*SCRIPTS, *LIVE_SCRIPTS} for text in sentences(web_file(name))]
    catalogue = english()["scripts"]
    assert len(said) > 200 and set(said) == set(catalogue)
    for chinese, own in catalogue.items():
        assert fields(own) == fields(chinese), chinese
        assert not HAN.search(own), own


#: Signs by which Chinese counts: what stands before one of them in braces is a number of things.
COUNTED = re.compile(
    r"\{(\w+)(?::[^{}.|]*(?:\.0f)?)?\} ?(?:个|处|项|类|条|行|户|人|段|块|栋|部|步(?!行)|件|组|片|层|张|页)"
)
#: What cannot be said of one thing: a word that says many, of it or of what is done by it.
MANY = re.compile(
    r"(?<![\d.,–-])1((?: (?!of|in|at|to|by|with|and|whose)[a-z]+){0,2} (?!(?:is|was|has|its|this|less|across|goes|does)\b)[a-z]*[a-z]{2}s\b"
    r"(?! of these)|(?: of (?:the )?\d+)?(?: (?!and)[a-z]+)? (?:are|have|were|do|people|lie|lack|tie|rise|fall|move|return)\b)"
)
SINGULAR = (
    "does",
    "loses",
    "misses",
    "lies",
    "shows",
    "ties",
    "lacks",
    "moves",
    "returns",
    "rises",
    "falls",
    "comes",
    "begins",
)
SINGULAR += ("hangs", "lives", "overruns", "counts", "reaches", "is", "has")


def of_one(sentence: str, counts: set[str]) -> str:
    """Return an English sentence as it is said where each count is one, and everything else some word."""
    plain = re.sub(r"\{(\w+):[^{}|]*\}", r"{\1}", sentence)  # numbers as they are
    names = {name: "1" if name in counts else "x" for name in fields(plain)}
    numbered = [names.get(str(i), "x") for i in range(10)]
    named = {name: value for name, value in names.items() if not name.isdigit()}
    return agreeing(plain, *numbered, **named).format(*numbered, **named)


def test_one_is_never_said_as_many() -> None:
    """Every sentence with a count, of the pages, the scripts and the maps: in English one of a thing is singular, and so is its verb."""
    texts = json.loads(web_file("maps/texts.json"))
    maps = {own: texts["en"][key] for key, own in texts["zh"].items() if isinstance(own, str)}
    wrong, seen = {}, 0
    for chinese, own in [*english()["say"].items(), *english()["scripts"].items(), *maps.items()]:
        counts = {found[1] for found in COUNTED.finditer(chinese)} & fields(own)
        seen += bool(counts)
        said = of_one(own, counts)
        plain = re.sub(rf"\b({'|'.join(SINGULAR)})\b", "v", said)
        if counts and MANY.search(plain):
            wrong[chinese] = said
    assert seen > 150 and not wrong, wrong


@pytest.mark.parametrize(
    ("sentence", "values", "said"),
    [
        ("{0} {0:home is|homes are}", (1,), "home is"),
        ("{0} {0:home is|homes are}", (0,), "homes are"),
        ("{0:,.0f} {0:home|homes}", (1.2,), "home"),
        ("{0:,.1f} {0:home|homes}", (1.0,), "homes"),
        ("{0:,.0f} {0:home|homes}", (1001.0,), "homes"),
        ("{0} {0:lives|live}", ("1 person",), "lives"),
        ("{0} {0:lives|live}", ("1.5 thousand",), "live"),
    ],
)
def test_a_word_agrees_with_what_is_shown(sentence: str, values: tuple[object, ...], said: str) -> None:
    assert agreeing(sentence, *values).endswith(f"}} {said}")


def test_a_script_is_put_over_text_by_text() -> None:
    script = "// 现状\nput(e, `方案 ${a ? `${b} 个` : \"现状\"}，现状 ${c}`); x.replace(/（.*）/, '人口'); y = `${d}`; z = a / b / c;"
    assert sentences(script) == ["方案 {0}，现状 {1}", "{0} 个", "现状", "人口"]
    assert spoken_script(script) == script
    with speaking("en"):
        own = spoken_script(script)
        with pytest.raises(KeyError):
            spoken_script("'没有这一句'")
    assert own == (
        '// 现状\nput(e, `plan ${a ? `${b}` : "Now"}, now ${c}`); x.replace(/（.*）/, " residents"); y = `${d}`; z = a / b / c;'
    )


def test_what_an_import_notes_of_facilities_has_its_english() -> None:
    """Maps show these notes to whoever clicks a facility: an extract of any city has some."""
    table = pd.read_csv(bundled_folder() / "pois/osm_tags.csv", dtype="str", keep_default_na=False)
    doubtful = set(table.loc[table["note"].str.startswith(TO_CONFIRM), "note"])
    assert len(doubtful) > 10
    with speaking("en"):
        assert not [note for note in doubtful if HAN.search(word(note))]


def test_no_two_headers_of_the_workbook_are_called_the_same() -> None:
    """What was typed is read back by its header, in either language."""
    sheets = english()["sheets"]
    assert len(set(sheets.values())) == len(sheets) and set(book_of.USER_COLUMNS) <= set(sheets)


@pytest.mark.parametrize(
    ("said", "tight"),
    [
        (("依据 {0}", "《纲要》 四(四)"), "依据《纲要》四(四)"),
        (("依据 {0}", "GB 50180-2018 5.0.1"), "依据 GB 50180-2018 5.0.1"),
        (("{0}（{1} 人） {2}", "甲（假定）", 3, "乙"), "甲（假定）（3 人）乙"),
    ],
)
def test_no_space_stands_beside_a_chinese_mark(said: tuple[str, ...], tight: str) -> None:
    """Whatever a sentence is joined of; English keeps its spaces."""
    assert say(*said) == tight
    with speaking("en"):
        assert say("依据 {0}", "《纲要》 四") == "source: 《纲要》 四"


def test_a_language_lasts_as_long_as_it_is_asked_for() -> None:
    with pytest.raises(ZeroDivisionError), speaking("en"):
        assert language() == "en" and say("差距") == "Gap"
        raise ZeroDivisionError
    assert language() == "zh" and say("差距") == "差距"
    with pytest.raises(xh.UnknownNameError, match="fr"):
        xh.ledger(toy_with([SERIES]), lang="fr")


def names_of(district: xh.District) -> list[str]:
    """Return what is called by a name in the layers of a district, the longest first."""
    named = {str(n) for frame in district.rows.values() if "name" in frame for n in frame["name"].dropna()}
    return sorted(named, key=len, reverse=True)


@pytest.fixture(scope="module")
def toy() -> xh.District:
    rows = [measure(name, metric, **cells) for name, metric, cells, _, _ in BY_HAND]
    return toy_with([*rows, SERIES], series=figures(y2021=4, y2022=5))


@pytest.mark.slow
def test_every_metric_says_the_same_in_english(toy: xh.District) -> None:
    ours, theirs = lg.ledger(toy), lg.ledger(toy, lang="en")
    numbers = ["value", "target", "low_other", "high_other", "gap_size"]
    pd.testing.assert_frame_equal(ours[numbers], theirs[numbers])
    assert list(lg.canonical(theirs)["verdict"]) == list(ours["verdict"])
    assert list(lg.verdicts(theirs)) == [english()["say"][v] for v in lg.verdicts(ours)]
    named = [name for cell in toy.rows["measures"]["named"].dropna() for name in re.split("[;|]", cell) if name]
    names = re.compile("|".join(map(re.escape, [*names_of(toy), *named, "行车时间", "手工填报"])))
    for column in (
        "text",
        "gap",
        "fix",
        "needs",
        "method",
        "formula",
        "parameters",
        "demonstration",
        "gap_of",
        "gap_basis",
        "scope",
    ):
        for key, text in theirs[column].items():
            assert not HAN.search(names.sub("", text)), (key, column, text)
            assert bool(text) == bool(ours.loc[key, column]), (key, column)
    row = theirs.loc[("T1", "T1.canteen")]
    assert row["gap"] == (
        "communities without one (1): 甲社区 (100 people); living there: 100 people (residents; basis: surveyed); "
        "residents unknown at 1 of the homes, left out"
    )
    assert theirs.loc[("T1", "T1.circle"), "gap"] == "10 people not served, homes (1): 戊苑 10 people"
    explained = xh.explain(theirs, "T1.canteen")
    assert "Verdict: Partly met".lower() in explained.lower() and "\nInputs:\n" in explained


class Chinese(HTMLParser):
    """Collects the Chinese of a page that is not marked as such."""

    VOID = ("meta", "input", "br", "link", "path", "circle", "polyline")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[tuple[str, bool]] = []
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        spoken = dict(attrs)
        self.found += [str(v) for k, v in attrs if k in ("aria-label", "placeholder", "alt") and HAN.search(str(v))]
        if tag not in self.VOID:
            self.open.append((tag, spoken.get("lang") == "zh" or (bool(self.open) and self.open[-1][1])))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if HAN.search(data) and self.open and not self.open[-1][1] and self.open[-1][0] not in ("script", "style"):
            self.found.append(data)


@pytest.mark.slow
def test_pages_mark_what_stays_chinese() -> None:
    """Names in choices and in the title cannot be marked: they are the only ones."""
    district = xh.District.load()
    table = xh.ledger(district, lang="en")
    names = set(names_of(district)) | {district.name}
    for page in (ledger_page(district, table, maps={"": "maps/evidence.html"}), communities_page(district, table)):
        assert '<html lang="en">' in page and "Demonstration (no conclusion)" in page
        reader = Chinese()
        reader.feed(page)
        left = [text for text in reader.found if not any(name in text for name in names)]
        assert set(left) <= {w for w in english()["words"].values() if HAN.search(w)}, left[:5]
    rows = district.rows["measures"]
    assert rows["label_en"].notna().all() and rows["text_en"].notna().all()
    assert (rows["lacks_en"].notna() == rows["lacks"].notna()).all()
    assert not rows["label_en"].str.contains(r"[\u3001\uff0c\u3002]").any()


def test_marking_leaves_markup_and_what_is_marked_alone() -> None:
    page = '<style>p::after { content: "补" }</style><p title="甲">1 place: 甲苑 &amp; <b lang="zh">乙苑</b></p>'
    assert marked(page) == page
    with speaking("en"):
        assert marked(page) == page.replace("甲苑", '<span lang="zh">甲苑</span>')


@pytest.mark.slow
@pytest.mark.matrix
def test_the_workbook_is_english_and_keeps_what_was_typed_in_either_language(tmp_path: Path) -> None:
    promised = measure("c", "communities_with", kinds="canteen", **ALL)
    district = xh.District.load(folder_with(tmp_path / "toy", [promised, SERIES]))
    path = tmp_path / "a.xlsx"
    book_of.ledger_workbook(district, xh.ledger(district, lang="en"), path)
    book = openpyxl.load_workbook(path)
    assert book.sheetnames[:4] == ["Ledger", "Panel 1", "Tasks", "Communities"]
    for sheet in book.worksheets[:-1]:
        heads = [str(cell.value) for cell in sheet[3] if cell.value is not None]
        assert heads and not [h for h in heads if HAN.search(h)], sheet.title
    tasks, panel = book["Tasks"], book["Panel 1"]
    heads = [cell.value for cell in tasks[3]]
    tasks.cell(4, heads.index("Responsible section") + 1, "民政科")
    heads = [str(cell.value) for cell in panel[3]]
    panel.cell(4, heads.index("2021") + 1, 7)
    book.save(path)
    typed = typed_figures(district, path)
    assert list(typed["year"]) == [2021] and list(typed["value"]) == [7]
    for lang, sheet in (("zh", "任务分解表"), ("en", "Tasks")):
        book_of.ledger_workbook(district, xh.ledger(district, lang=lang), path)
        assert sheet in openpyxl.load_workbook(path).sheetnames
        assert book_of.read_tasks(path).loc["T1", "责任科室"] == "民政科"


@pytest.mark.slow
@pytest.mark.matrix
def test_outputs_follow_the_language_and_the_record_does_not(toy: xh.District, tmp_path: Path) -> None:
    chinese = lg.ledger(toy)
    write_ledger(toy, chinese, tmp_path / "zh")
    changed = write_ledger(toy, chinese, tmp_path / "en", lang="en", since=tmp_path / "zh")
    assert changed is not None and changed.empty
    page = (tmp_path / "en" / "ledger.html").read_text("utf-8")
    assert "Data, parameters and results are unchanged." in page and "Partly met" in page
    assert "One page per community" in (tmp_path / "en" / "communities.html").read_text("utf-8")
    evidence = (tmp_path / "en" / "maps" / "evidence.html").read_text("utf-8")
    assert "Share within reach" in evidence and "差距" not in evidence and "部分达标" not in evidence
    assert (tmp_path / "en" / "ledger.json").read_bytes() == (tmp_path / "zh" / "ledger.json").read_bytes()
    homes = toy.rows["homes"].copy()
    homes.loc["E", "people"] = 110
    other = toy.with_rows({**toy.rows, "homes": homes})
    write_ledger(other, lg.ledger(other), tmp_path / "en", lang="en", since=tmp_path / "zh")
    page = (tmp_path / "en" / "ledger.html").read_text("utf-8")
    begin = page.index('<section id="since">')
    part = page[begin : page.index("</section>", begin)]
    assert "Since the earlier run" in part and "State reported (the plan states no number)" in part
    assert not HAN.search(re.sub(r'<span lang="zh">[^<]*</span>', "", part).replace("手算", ""))


@pytest.mark.slow
def test_the_command_speaks_english(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = folder_with(tmp_path / "toy", [measure("c", "communities_with", kinds="canteen", **ALL)])
    with pytest.raises(SystemExit) as end:
        app(["ledger", str(folder), "--out", str(tmp_path / "out"), "--lang", "en"])
    assert end.value.code == 0
    said = capsys.readouterr().out
    assert "Partly met: 1" in said and "Insufficient data: 1" in said and not HAN.search(said)
    assert (tmp_path / "out" / LEDGER_BOOK).is_file()


#: What planners do not say, and what they say instead (names of data columns keep theirs).
NOT_SAID = {
    "够不着": "服务范围外",
    "更挤": "服务负荷上升",
    "新居民": "导入人口",
    "规划承诺": "规划目标",
    "最差": "短板突出",
}


def test_an_age_is_spelt_in_one_way() -> None:
    """60岁及以上, in sentences, scripts and tables alike."""
    files = [
        *PACKAGE.rglob("*.py"),
        *PACKAGE.rglob("*.js"),
        *PACKAGE.rglob("*.json"),
        *(PACKAGE.parent / "data" / "standards").glob("*.csv"),
    ]
    assert len(files) > 300
    assert [path.name for path in files if re.search(r"60\s岁", path.read_text("utf-8"))] == []


def test_what_is_said_are_the_words_planners_use() -> None:
    """In every sentence of the catalogue, of scripts and of maps; a table of data and its messages are called as its file is."""
    sentences_of = [*english()["say"], *english()["scripts"], *json.loads(web_file("maps/texts.json"))["zh"].values()]
    found = {(bad, text) for text in sentences_of for bad in NOT_SAID if bad in text.replace("规划承诺表", "")}
    assert not found
