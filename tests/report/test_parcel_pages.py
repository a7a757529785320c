"""Parcels on paper: what the page prints, the workbook's formulas give; plans beside each other conclude what their numbers say."""

from __future__ import annotations

import html
import importlib
import math
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest
from ink import texts_of
from openpyxl.formula import Tokenizer

import xinhe_geo as xh
from xinhe_geo.core.errors import SourceError
from xinhe_geo.core.i18n import speaking, title
from xinhe_geo.core.numbers import amount
from xinhe_geo.core.sentences import say
from xinhe_geo.report.pages.parcels import PARCEL_BOOK, PARCELS_PAGE, write_parcels
from xinhe_geo.report.paper import Format, parcel_sheet
from xinhe_geo.report.parcel_book import BALANCE, CAPACITY, GROUND, GROUPS, MONEY, PROMISED, parcel_book
from xinhe_geo.report.states import Asked, sides_of
from xinhe_geo.report.story.parcels import (
    CRITERIA,
    MOST_OPTIONS,
    FigureLine,
    Option,
    Parcel,
    Parcels,
    beaten_by,
    budget_name,
    concluded,
    first_options,
    topic_name,
    verdicts_on,
)
from xinhe_geo.siting import shortage_number

sys.path.append(str(Path(__file__).parents[1] / "renewal"))
renewed = importlib.import_module("test_balance")

# --- a small spreadsheet: what the formulas of the book come to, worked out from nothing but its inputs ------------------


class Cells(list[Any]):
    """Cells of a range, compared and multiplied one by one."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> Any:
        return Cells(value == other for value in self)

    def __mul__(self, other: Any) -> Any:
        return Cells(a * b for a, b in zip(self, other, strict=True))


def number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


FUNCTIONS: dict[str, Any] = {
    "SUMPRODUCT": lambda *own: sum(math.prod(map(number, row)) for row in zip(*own, strict=True)),
    "ISNUMBER": lambda own: Cells(isinstance(value, int | float) for value in own),
    "SUM": lambda *own: sum(x for x in flat(own) if isinstance(x, int | float)),
    "COUNT": lambda *own: sum(isinstance(x, int | float) for x in flat(own)),
    "ROWS": len,
    "ROUNDUP": lambda value, digits: math.ceil(value),
    "MAX": lambda *own: max(flat(own)),
    "COUNTIF": lambda own, what: sum(x == what for x in own),
    "IF": lambda asked, yes, no: yes() if asked() else no(),
}


def flat(values: Any) -> Iterator[Any]:
    for value in values:
        yield from flat(value) if isinstance(value, list | tuple) else (value,)


class Evaluated:
    """A workbook whose formulas are worked out when a cell is asked for; what it has kept of its results is not looked at."""

    def __init__(self, path: Path) -> None:
        self.book = openpyxl.load_workbook(path, data_only=False)
        self.known: dict[tuple[str, str], Any] = {}

    def cell(self, sheet: str, at: str) -> Any:
        if (sheet, at) not in self.known:
            value = self.book[sheet][at].value
            self.known[sheet, at] = self.worked_out(sheet, value) if str(value).startswith("=") else value
        return self.known[sheet, at]

    def reference(self, sheet: str, text: str) -> Any:
        where, _, at = text.rpartition("!")
        own = where.strip("'") or sheet
        if ":" not in at:
            return self.cell(own, at)
        return Cells(self.cell(own, c.coordinate) for row in self.book[own][at] for c in row)

    def worked_out(self, sheet: str, formula: str) -> Any:
        code, lazy = [], []
        for token in Tokenizer(formula).items:
            if token.type == "FUNC" and token.subtype == "OPEN":
                name = token.value[:-1]
                lazy.append(name == "IF")
                code.append(f"F[{name!r}](" + ("lambda: " if name == "IF" else ""))
            elif token.type == "FUNC":
                lazy.pop()
                code.append(")")
            elif token.type == "SEP":
                code.append(", lambda: " if lazy[-1] else ", ")
            elif token.type == "OPERAND" and token.subtype == "RANGE":
                code.append(f"R({token.value!r})")
            elif token.type.startswith("OPERATOR"):
                code.append({"=": "==", "<>": "!="}.get(token.value, token.value))
            else:
                code.append(token.value)
        return eval("".join(code), {"F": FUNCTIONS, "R": lambda text: self.reference(sheet, text)})

    def rows(self, name: str) -> list[list[Any]]:
        sheet = self.book[title(name)]
        return [[self.cell(sheet.title, c.coordinate) for c in row] for row in sheet.iter_rows(min_row=4)]


def told(value: Any) -> str:
    return "数据不足" if value in (None, "") else amount(float(value))


@pytest.fixture(scope="module")
def bundled() -> xh.District:
    return xh.District.load()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("parcels")


@pytest.fixture(scope="module")
def story(bundled: xh.District, folder: Path) -> Parcels:
    with speaking("zh"):
        own = Parcels(bundled, bundled.scenario("sample-renewal"))
        write_parcels(own, folder, only="sample-a")
    return own


@pytest.mark.slow
def test_the_formulas_of_the_book_give_every_figure_of_the_page(story: Parcels, folder: Path) -> None:
    with speaking("zh"):
        check_book(story, folder)


@pytest.mark.slow
@pytest.mark.matrix
@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("asked", [("wuchedi-renewal", "wuchedi", None), ("sample-renewal", "sample-a", 2029)])
def test_a_drawing_tells_what_the_page_tells_and_counts_what_it_leaves_out(
    bundled: xh.District, tmp_path: Path, asked: tuple[str, str, int | None], lang: str
) -> None:
    """Figures of the ledger in its digits; a figure, stage or promise without room is counted, and none is lost in silence."""
    plan, parcel, year = asked
    sides = sides_of(bundled, Asked(plan, year=year))
    with speaking(lang):
        parcel_sheet(sides.district, parcel, tmp_path / "a.pdf", form=Format("A3", lang), against=sides.against)
        own = Parcels(sides.against, year=sides.district.year, carried_out=sides.district).of(parcel)
        more = re.compile(re.escape(say("另有 {0} 行", 77)).replace("77", r"(\d+)").rstrip("s"))  # or one more row
    said = "".join(texts_of(tmp_path / "a.pdf"))

    def missing(texts: list[str]) -> int:
        return sum(squeezed(text) not in squeezed(said) for text in texts)

    rows = [[line.label + line.text for line in own.plain], [line.label + line.date for line in own.stages]]
    rows += [[line.quote for line in own.promised]]
    assert all(missing(texts) < len(texts) for texts in rows if texts), "each part is begun"
    assert sum(map(missing, rows)) <= sum(map(int, more.findall(said)))


def squeezed(text: str) -> str:
    return re.sub(r"\s", "", text)


def check_book(story: Parcels, folder: Path) -> None:
    page = html.unescape(re.sub(r"<[^>]+>", "\x1f", (folder / PARCELS_PAGE).read_text("utf-8")))
    book, own = Evaluated(folder / PARCEL_BOOK), story.of("sample-a")
    assert len(formulas_of(book.book)) > 100
    lines = {(row[1], row[2]): [told(v) for v in row[4:]] for row in book.rows(BALANCE)}
    for account in own.accounts:
        for line in account.lines:
            assert tuple(lines[account.label, line.label]) == line.texts, (account.label, line.label)
        for line in account.told:
            assert all(f"\x1f{text}\x1f" in page for text in line.texts)
    groups = {row[1]: [told(v) for v in row[2:]] for row in book.rows(GROUPS)}
    for j, year in enumerate(own.bars):
        assert [own_texts[j] for own_texts in groups.values()] == list(year.texts.values())
    lacks = {row[1]: row[4:] for row in book.rows(CAPACITY) if row[3].startswith("还缺")}
    for line in own.capacity:  # one number per need: the table, the sentence and the workbook have the same
        written = [
            shortage_number(float(n) if n != "" else math.nan, "m²" if line.by_area else "处")
            for n in lacks[line.label]
        ]
        assert written == list(line.texts["short"]), line.label
        if line.told:
            first = next(n for n in line.texts["short"] if n not in ("0", "数据不足"))
            assert f"缺 {first} {line.unit}" in line.told
    for total in own.money:
        about = ["合计", budget_name(total.budget), topic_name(total.topic)]
        ends = [tuple(r[4:6]) for r in book.rows(MONEY) if [r[3], r[1], r[2]] == about]
        assert ends == [("", "") if math.isnan(total.low) else (total.low, total.high)]
        assert total.text in page
        paid = [tuple(r[4:6]) for r in book.rows(MONEY) if [r[3], r[1], r[2]] == ["按渠道和年份", *about[1:]]]
        assert paid == [("", "") if math.isnan(p.low) else (p.low, p.high) for p in total.paid]
        funds = total.by_fund[1]
        assert all(f"\x1f{text}\x1f" in page for row in funds for text in row if text) and len(funds) <= len(paid)
        for end in (0, 1):
            assert sum(p[end] for p in paid if p[end] != "") == (0 if math.isnan(total.low) else ends[0][end])
    tallied = {row[1]: row[3] for row in book.rows(PROMISED) if str(row[1]).endswith("（条）")}
    assert sum(tallied.values()) == len(own.promised) == sum(own.tally.values())
    lacks = [row[6] for row in book.rows(PROMISED) if not str(row[1]).endswith("（条）")]
    assert [f"{amount(n)} 处" if n else "" for n in lacks] == [line.lacks for line in own.promised]
    (ground,) = [row for row in book.rows(GROUND) if row[1] == "合计"]
    assert f"{ground[4]:.2f} 公顷" in own.ground and f"{told(ground[5])} 个小区、{told(ground[2])} 人" in own.ground


A_MOVES = {"homes": ["A"], "people": 500, "fate": "waiting"}
#: Plans of two and three parcels: years out of order, for a time, divided, more leaving than live there, households nobody knows.
PLANS: dict[str, list[tuple[int, str, dict[str, Any]]]] = {
    "out of order": [
        (e.what["year"], e.do, {k: v for k, v in e.what.items() if k != "year"})
        for e in sorted(renewed.WORKED.edits, key=lambda e: -e.what["year"])
    ],
    "for a time": [
        (2028, "retrofit", {"home": "B", "elevators": 1}),
        (2026, "move_households", {**A_MOVES, "to": "B", "until": 2027}),
    ],
    "unknown": [
        (2027, "demolish_homes", {"homes": ["A"]}),
        (2026, "move_households", {"homes": ["B"], "people": 9, "fate": "cash"}),
    ],
    "more than there are": [
        (2027, "move_households", {"homes": ["A"], "people": 400, "holder": "owner"}),
        (2026, "move_households", {**A_MOVES, "holder": "owner"}),
        (2029, "demolish_homes", {"homes": ["B"]}),
    ],
}


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize(("name", "number"), [*zip(reversed(PLANS), (2, 3, 2, 3), strict=True)])
def test_whatever_is_planned_the_formulas_give_every_line_of_the_balance(
    name: str, number: int, tmp_path: Path
) -> None:
    check_balances(*book_of(name, number, tmp_path))


def book_of(name: str, number: int, folder: Path) -> tuple[Parcels, Path]:
    """Write the book of a plan on so many parcels."""
    ground, plan = renewed.on_parcels(), renewed.dated(*PLANS[name])
    homes = ground.rows["homes"].copy()
    if name == "unknown":
        homes.loc["A", "households"] = pd.NA
    rows = {**ground.rows, "homes": homes, "norms": None, "parcels": ground.rows["parcels"].iloc[:number]}
    with speaking("zh"):
        story = Parcels(ground.with_rows(rows), plan, None, True)
        parcel_book(folder / "a.xlsx", story.shown, story.all, {}, story.troubles)
    return story, folder / "a.xlsx"


def check_balances(story: Parcels, path: Path) -> None:
    """Check that each line, year and bar as printed is what the formulas come to."""
    with speaking("zh"):
        book = Evaluated(path)
        lines = {tuple(row[:3]): tuple(map(told, row[4:])) for row in book.rows(BALANCE)}
        groups = {tuple(row[:2]): row[2:] for row in book.rows(GROUPS)}
        for own in story.all:
            for account in own.accounts:
                for line in account.lines:
                    assert lines[own.name, account.label, line.label] == line.texts, (
                        own.name,
                        account.label,
                        line.code,
                    )
            for j, year in enumerate(own.bars):
                assert [told(row[j]) for (n, _), row in groups.items() if n == own.name] == list(year.texts.values())
    made = [c for c in formulas_of(book.book) if "COUNT(" in str(c.value)]
    assert len(made) > 30, "what follows is no number that is put in"


def formulas_of(book: openpyxl.Workbook) -> list[Any]:
    return [c for s in book for row in s.iter_rows() for c in row if str(c.value).startswith("=")]


@pytest.mark.slow
@pytest.mark.matrix
@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")
def test_another_spreadsheet_program_comes_to_the_same(story: Parcels, folder: Path, tmp_path: Path) -> None:
    """Every formula, worked out by LibreOffice from books that have kept none of their results, is what the library wrote beside it."""
    books, bare = [folder / PARCEL_BOOK], []
    for name, number in zip(PLANS, (3, 2, 3, 2), strict=True):
        own = tmp_path / f"{len(books)}"
        own.mkdir()
        books.append(book_of(name, number, own)[1])
    for i, path in enumerate(books):
        bare.append(tmp_path / f"bare{i}.xlsx")
        openpyxl.load_workbook(path).save(bare[-1])
    where = [
        f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}",
        "--headless",
        "--convert-to",
        "xlsx:Calc MS Excel 2007 XML",
    ]
    typed = ["soffice", *where, "--outdir", str(tmp_path / "out"), *map(str, bare)]
    subprocess.run(typed, check=True, capture_output=True, timeout=180)
    for path, made in zip(books, bare, strict=True):
        kept, formulas = openpyxl.load_workbook(path, data_only=True), openpyxl.load_workbook(path)
        again = openpyxl.load_workbook(tmp_path / "out" / made.name, data_only=True)
        cells = [(cell.parent.title, cell.coordinate) for cell in formulas_of(formulas)]
        assert len(cells) > 30
        for sheet, at in cells:
            ours, theirs = kept[sheet][at].value, again[sheet][at].value
            told = (path, sheet, at, formulas[sheet][at].value)
            assert (ours or None) == (theirs or None) or ours == pytest.approx(theirs), told


@pytest.mark.slow
def test_another_input_gives_another_figure(story: Parcels, folder: Path) -> None:
    """The formulas hang on the inputs: one more person who moves out is one less at the end, and one more who waits."""
    book = Evaluated(folder / PARCEL_BOOK)
    sheet = book.book[title(BALANCE)]
    at = {row[2].value: row[4].coordinate for row in sheet.iter_rows(min_row=4) if row[1].value == "常住人口"}
    before = {name: Evaluated(folder / PARCEL_BOOK).cell(sheet.title, at[name]) for name in at}
    sheet[at["搬出"]] = before["搬出"] + 1
    for name, change in (("年末在住", -1), ("累计搬出", 1), ("过渡中", 1), ("已还迁", 0)):
        assert book.cell(sheet.title, at[name]) - before[name] == change


@pytest.mark.slow
def test_a_parcel_of_which_nobody_knows_anything_prints_what_is_to_be_filled_in(bundled: xh.District) -> None:
    with speaking("zh"):
        own = Parcels(bundled).of("wuchedi")
        assert own.bars == () and own.accounts == () and own.stages == ()
        assert all(total.text == "待填" and math.isnan(total.low) for total in own.money)
        assert {line.text for line in own.plain if line.quantity in ("households", "people")} == {"待填"}
        assert own.promised and all(line.told for line in own.promised)


@pytest.mark.parametrize(
    "topics", [[], ["people"], ["land"], ["people", "land"], ["people", "cost", "land", "people", "floor"]]
)
def test_a_ledger_is_read_in_two_halves(topics: list[str]) -> None:
    """What is about people comes last, money is elsewhere, all else in its order; of an odd number the first half has one more."""
    lines = tuple(FigureLine(str(i), topic, *[""] * 3, 0.0, 0.0, *[""] * 4) for i, topic in enumerate(topics))
    first, second = Parcel("p", "", "", 0.0, {}, lines, (), ()).halves
    plain = [line for line in lines if line.topic != "cost"]
    assert [*first, *second] == [x for x in plain if x.topic != "people"] + [x for x in plain if x.topic == "people"]
    assert len(first) - len(second) in (0, 1)


# --- plans beside each other -------------------------------------------------------------------------------------------


UNKNOWN = (math.nan, math.nan)


def option(name: str, state: Any = "there", spent: tuple[float, float] = UNKNOWN, **values: float) -> Option:
    """Return an option that is nowhere anything but where it is said."""
    own = {**dict.fromkeys(CRITERIA, 0.0), **values}
    return Option(
        name, name, state, own, {key: str(value) for key, value in own.items()} | {"spent": str(spent)}, "", spent
    )


def test_what_costs_more_only_loses_where_the_ranges_do_not_meet() -> None:
    """100 to 200 and 150 to 300 are the same outlay; 201 and more is more. More gained for more money is a choice, not a fault."""
    cheap, like, dear = (
        option(n, spent=s, gain=10) for n, s in (("a", (100, 200)), ("b", (150, 300)), ("c", (201, 250)))
    )
    assert beaten_by([cheap, like]) == {} and beaten_by([cheap, dear]) == {"c": "a"}
    assert beaten_by([like, dear]) == {}, "what meets is alike"
    assert beaten_by([cheap, option("d", spent=(201, 250), gain=11)]) == {}, "it gains more, for more"
    assert beaten_by([cheap, option("d", spent=(150, 250), gain=11)]) == {"a": "d"}, "for the same outlay"
    assert beaten_by([cheap, option("d", gain=99)]) == {}, (
        "an outlay that nobody knows compares with none that is known"
    )
    with speaking("zh"):
        told = verdicts_on([cheap, option("d", spent=(150, 250), gain=11)])
        assert told == {"a": "同等投入下另有更优方案：d", "d": ""}
        assert "投入数据不足，没有比" in verdicts_on([option("a"), option("d", gain=11)])["a"]
        some = concluded([cheap, option("d", gain=0)])
        assert some == "投入数据不足的有 1 个方案，现有数据比不出哪一个更好", "a is worse in nothing that is known"
        assert "投入数据不足的有 2 个方案" in concluded([option("a"), option("d", gain=11)])


def test_a_page_has_room_for_the_plans_that_matter() -> None:
    """Of forty plans those that nothing beats come first; all are in the workbook."""
    options = [option(f"p{i}", spent=(1, 2), gain=i % 7, lose=i % 5) for i in range(40)]
    shown = first_options(options)
    beaten = beaten_by(options)
    assert len(shown) == MOST_OPTIONS and [o for o in options if o in shown] == shown
    assert {o.name for o in options} - set(beaten) <= {o.name for o in shown}
    assert first_options(options[:3]) == options[:3]


def test_what_is_worse_in_everything_is_beaten_and_nothing_else() -> None:
    a, b, c = option("a", gain=10, lose=5), option("b", gain=10, lose=7), option("c", gain=20, lose=9)
    assert beaten_by([a, b, c]) == {"b": "a"}, "worse in one and nowhere better; c gains more"
    assert beaten_by([a, option("same", gain=10, lose=5)]) == {}, "equal ones beat nobody"
    assert beaten_by([a, option("d", gain=0, lose=9, missing=math.nan)]) == {}, "what is unknown of one decides nothing"
    assert beaten_by([option("x", None, gain=99), b]) == {}, "what contradicts itself beats nobody"


def test_the_conclusion_follows_from_the_numbers() -> None:
    a, b, c = option("a", gain=10, lose=5), option("b", gain=10, lose=7), option("c", gain=20, lose=9)
    with speaking("zh"):
        assert concluded([a]) == "" and concluded([a, option("x", None)]) == ""
        assert "不足以区分" in concluded([a, option("a2", gain=10, lose=5)])
        assert concluded([a, b]).startswith("按表中各项，a不差于其余")
        assert "各有长短" in concluded([a, c])
        assert "可取舍的是a、c" in concluded([a, b, c])


@pytest.mark.parametrize("seed", range(8))
def test_nobody_that_is_beaten_is_needed_to_beat(seed: int) -> None:
    """Whoever is left stands without those that are beaten, and at least one always is left."""
    import random

    draw = random.Random(seed)

    def outlay() -> tuple[float, float]:
        low = draw.randint(0, 6)
        return float(low), float(low + draw.randint(0, 2))

    options = [option(str(i), "there", outlay(), **{k: float(draw.randint(0, 2)) for k in CRITERIA}) for i in range(6)]
    beaten = beaten_by(options)
    left = [own for own in options if own.name not in beaten]
    assert left and beaten_by(left) == {}
    for own in options:
        better = any(
            all(s * o.values[k] >= s * own.values[k] for k, (_, s) in CRITERIA.items())
            and o.spent[0] <= own.spent[1]
            and (o.values != own.values or o.spent[1] < own.spent[0])
            for o in options
        )
        assert better == (own.name in beaten)


def test_a_folder_without_parcels_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="没有地块"):
        write_parcels(Parcels(xh.District.load(Path(__file__).parents[1] / "toy")), tmp_path / "out")
    assert not (tmp_path / "out").exists()
