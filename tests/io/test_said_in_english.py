"""What importing says in English: every sentence through the catalogue, nothing Chinese but what the file and the folder say."""

from __future__ import annotations

import ast
import html
import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pytest
from hostile.corpus import HOSTILE, LAT, LON, book, one, text
from hostile.siblings import SIBLINGS
from messy_files import File, corpus
from spoken import ours, texts_of

import xinhe_geo as xh
from xinhe_geo.app.cli import main
from xinhe_geo.app.commands.console import ERR, OUT
from xinhe_geo.core import DATUM_LABELS, LAYERS, XinheError
from xinhe_geo.core.i18n import speaking
from xinhe_geo.core.sentences import english
from xinhe_geo.io import (
    PEOPLE_COLUMN,
    RESULT_LABELS,
    UNPROVEN,
    add,
    decisions,
    formats,
    parquet,
    placing_page,
    template,
)
from xinhe_geo.io.add import UNSTATED_COLUMN
from xinhe_geo.io.blanks import _REMARKS as BLANKS
from xinhe_geo.io.headers import column_word, header_words, plain_header
from xinhe_geo.io.row_report import RowReport

PACKAGE = Path(xh.__file__).parent
TOY = Path(__file__).parents[1] / "toy"
#: Chinese characters, and the marks between them.
HAN = re.compile("[、。《》「」，；：？！（）\u3400-\u9fff]")

MODULES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))
#: Whose texts somebody reads, and which of its arguments they are.
READ = {"cannot_take": (1, 2), "refused": (0, 1), "Refusal": (0, 2, 3), "Problem": (5, 6)}
READ |= dict.fromkeys(("SourceError", "WrongValueError", "WrongCallError", "ScenarioError", "NetworkError"), (0,))
READ |= dict.fromkeys(("EnvironmentProblem", "SitingError", "ValueError", "TypeError"), (0,))


def _parents(tree: ast.AST) -> dict[ast.AST, ast.AST]:
    return {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}


def _calls_around(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> Iterator[tuple[ast.Call, ast.AST]]:
    """Yield the calls that a node stands in, and which of their arguments it stands in."""
    while node in parents:
        if isinstance(parents[node], ast.Call):
            yield parents[node], node  # type: ignore[misc]
        node = parents[node]


def _is_read(call: ast.Call, argument: ast.AST) -> bool:
    """Return whether an argument is text that somebody reads: of a refusal, or of a line of a report."""
    places = READ.get(getattr(call.func, "id", ""), ())
    if isinstance(call.func, ast.Attribute) and call.func.attr == "say":
        places = (1, 2)
    return any(argument is call.args[k] for k in places if k < len(call.args))


@pytest.mark.parametrize("module", MODULES)
def test_what_is_refused_and_reported_is_said_through_the_catalogue(module: str) -> None:
    """What is put together from values, another test sees; this one the texts without any, and what `say` is given."""
    tree = ast.parse((PACKAGE / module).read_text("utf-8"))
    parents, past, unknown = _parents(tree), [], []
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Constant) and isinstance(node.value, str) and HAN.search(node.value)):
            continue
        calls = list(_calls_around(node, parents))
        said = [at for call, at in calls if getattr(call.func, "id", "") == "say" and at is call.args[0]]
        if said and node.value not in english()["say"]:
            unknown.append(node.value)
        if not said and any(_is_read(call, at) for call, at in calls[:1]):
            past.append(node.value)
    assert not past
    assert not unknown


def test_templates_that_stand_in_tables_are_in_the_catalogue() -> None:
    tables = [*formats._REMEDIES.values(), *RESULT_LABELS.values(), *DATUM_LABELS.values(), *decisions._REMARKS]
    tables += [*BLANKS, *placing_page._PLACING.values(), parquet._REMEDY]
    tables += [UNPROVEN, PEOPLE_COLUMN, UNSTATED_COLUMN]
    assert not set(tables) - set(english()["say"])


@pytest.mark.parametrize("layer", LAYERS)
def test_what_a_column_is_called_is_understood_as_a_head(layer: str) -> None:
    """A planner writes it into the file, or behind --set."""
    words = header_words(LAYERS[layer])
    with speaking("en"):
        called = {c.name: column_word(c) for c in LAYERS[layer].columns}
    assert not {name for name, word in called.items() if words.get(plain_header(word)) != name}
    assert not {word for word in called.values() if HAN.search(word)}
    names = {c.name: (c.name, c.label) for c in LAYERS[layer].names.values()}
    assert not {name for name, heads in names.items() if any(words.get(plain_header(h)) != name for h in heads)}


@pytest.mark.parametrize("name", ["a.dwg", "a.zip", "a", "a.csv", "a.exe"])
def test_what_cannot_be_read_is_refused_in_english(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    with speaking("en"), pytest.raises(XinheError) as refused:
        formats._read(tmp_path / name, LAYERS["facilities"], None, RowReport())
    assert str(refused.value).startswith(f"{name}: ") and not HAN.search(str(refused.value))


# --- corpora ----------------------------------------------------------------------------------------------------------


def known_of(folder: Path, *, packed: bool = True) -> str:
    """Return what the files of a folder say, however they are written; `packed`: and what workbooks hold."""
    said = []
    for path in (p for p in folder.rglob("*") if p.is_file() and p.stat().st_size < 3_000_000):
        contents = [path.read_bytes()]
        if packed and path.suffix == ".xlsx":
            with zipfile.ZipFile(path) as package:
                contents += [package.read(name) for name in package.namelist()]
        said.append(path.name)
        for content in contents:
            codes = ("utf-8", "gb18030", "utf-16-le", "utf-16-be")
            said += [content[k:].decode(code, "ignore") for code in codes for k in (0, 1)]
    return html.unescape("".join(said))


def told(path: Path, folder: Path, layer: str, lang: str, **more: object) -> list[str]:
    """Return what an import that writes nothing says, line by line."""
    with speaking(lang):
        try:
            report = add(path, folder, layer, **more)  # type: ignore[arg-type]
        except XinheError as error:
            return str(error).splitlines()
    return [" | ".join(map(str, row)) for row in report.itertuples(index=False)]


#: Heads that the reader of drawings makes, and the name of a page: they are the same in both languages.
MADE = "块名 CAD图层 坐标核对"
#: Reading these is what their own tests are about; one of them is not read at all.
APART = {"1,000,000 rows in csv", "1,000,000 rows in xlsx", "a zip bomb", "a kmz bomb"}
APART |= {"a link to the memory of the process"}


@pytest.mark.slow
@pytest.mark.one_in(8)
@pytest.mark.parametrize("name", [name for name in {**HOSTILE, **SIBLINGS} if name not in APART])
def test_what_is_wrong_with_a_file_is_told_in_english(name: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    path = {**HOSTILE, **SIBLINGS}[name](tmp_path / "in")
    said = told(path, TOY, "facilities", "en", crs="WGS84", datum_checked="measured")
    known = texts_of(TOY) + path.name + str(one()) + MADE + known_of(tmp_path, packed=False)
    assert said and not [line for line in said if ours(line, known)]


CORPUS = corpus()


@pytest.mark.slow
@pytest.mark.one_in(8)
@pytest.mark.parametrize("file", CORPUS[::4], ids=lambda file: file.name)
def test_what_becomes_of_the_rows_of_a_file_is_told_in_english(file: File, tmp_path: Path) -> None:
    """Line by line as in Chinese, in other words."""
    layout = file.layout()
    path = file.write(tmp_path / "in", layout)
    how = {"crs": file.crs, "fill": layout.fill, "datum_checked": "measured"}
    theirs, mine = (told(path, TOY, layout.layer, lang, **how) for lang in ("zh", "en"))
    heads = "".join(re.findall(r"note \| (\w+) ", "\n".join(theirs)))  # of several levels put together
    known = texts_of(TOY) + heads + MADE + known_of(tmp_path)
    assert len(mine) == len(theirs) and not [line for line in mine if ours(line, known)]


# --- commands ---------------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is broken into lines: a name that goes on in the next one would not be found."""
    for console in (OUT, ERR):
        monkeypatch.setattr(console, "width", 2000)


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TOY, tmp_path / "toy"))


NEW = {"编号": "P9", "名称": "新站", "类别": "clinic_station"}


def _files(folder: Path) -> None:
    """Write what the commands below read."""
    text(folder / "new.csv", one(**NEW))
    text(folder / "bare.csv", one(编号="P8", 名称="没有坐标的", 经度=None, 纬度=None))
    text(folder / "words.csv", one(类别="口腔诊所", 状态="将来"))
    text(folder / "like.csv", one(编号="P7", 名称="北食堂", 经度=LON + 0.0001))
    text(folder / "people.csv", one(编号="H9", 名称="新苑", 常住人口=900, 户籍人口=1200, 电话=1))
    text(folder / "far.csv", [one()[0], *(one(编号=f"Q{k}", 经度=LON + 0.0061, 纬度=LAT)[1] for k in range(6))])
    text(folder / "points.csv", [["点名", "图上X", "图上Y", "经度", "纬度"], ["K1", 0, 0, LON, LAT]])
    book(folder / "two.xlsx", one())


#: What is typed, and what it ends with; {} is the folder of the files, {toy} the district.
COMMANDS = {
    "a preview": ("add {}/new.csv --to {toy} --layer facilities --crs WGS84", 0),
    "a report besides": ("add {}/new.csv --to {toy} --layer facilities --crs WGS84 --report {}/report.csv", 0),
    "no datum": ("add {}/new.csv --to {toy} --layer facilities", 3),
    "no such datum": ("add {}/new.csv --to {toy} --layer facilities --crs nowhere", 3),
    "nobody answers for the datum": ("add {}/new.csv --to {toy} --layer facilities --crs WGS84 --yes", 3),
    "checked in too few words": ("add {}/new.csv --to {toy} --layer facilities --crs WGS84 --datum-checked ok", 3),
    "another datum": ("add {}/far.csv --to {toy} --layer facilities --crs WGS84", None),
    "no such layer": ("add {}/new.csv --to {toy} --layer shops --crs WGS84", 2),
    "no district": ("add {}/new.csv --to {} --layer facilities --crs WGS84", 3),
    "a table of the program": ("add {}/new.csv --to {toy} --layer kinds", 3),
    "no such column": ("add {}/new.csv --to {toy} --layer facilities --crs WGS84 --key id", 3),
    "no such column to fill": ("add {}/new.csv --to {toy} --layer facilities --crs WGS84 --set colour=red", 2),
    "no value to fill": ("add {}/new.csv --to {toy} --layer facilities --crs WGS84 --set kind", 3),
    "no such sheet": ("add {}/two.xlsx --to {toy} --layer facilities --crs WGS84 --sheet b", 3),
    "no such row": ("add {}/new.csv --to {toy} --layer facilities --crs WGS84 --new 77", 3),
    "no such id": ("add {}/new.csv --to {toy} --layer facilities --crs WGS84 --update 2=none", 3),
    "like nothing": ("add {}/new.csv --to {toy} --layer facilities --crs WGS84 --update 2", 3),
    "no coordinates": ("add {}/bare.csv --to {toy} --layer facilities --crs WGS84 --place {}/place.html", 3),
    "words nobody knows": ("add {}/words.csv --to {toy} --layer facilities --crs WGS84 --values {}/values.csv", 1),
    "like one that is there": (
        "add {}/like.csv --to {toy} --layer facilities --crs WGS84 --decide {}/decide.xlsx",
        None,
    ),
    "what the file lacks": ("add {}/new.csv --to {toy} --layer facilities --crs WGS84 --replace", 0),
    "people": ("add {}/people.csv --to {toy} --layer homes --crs WGS84 --datum-checked measured --yes", 3),
    "too few control points": ("add {}/new.csv --to {toy} --layer facilities --crs WGS84 --control {}/points.csv", 3),
    "no control points": ("add {}/new.csv --to {toy} --layer facilities --crs WGS84 --control {}/none.csv", 3),
    "next year's list": ("update {}/new.csv --to {toy} --kind clinic_station --year 2030 --crs WGS84", None),
    "a list of another kind": ("update {}/new.csv --to {toy} --kind canteen --year 2030 --crs WGS84", 3),
    "a list of no kind": ("update {}/new.csv --to {toy} --kind nothing --year 2030 --crs WGS84", 2),
    "a template": ("template --out {}/template.xlsx", 0),
    "a template of another kind": ("template --out {}/template.doc", 3),
    "what is not known": ("template --blanks --for {toy} --out {}/blanks.xlsx", 0),
    "nothing to take back": ("undo {toy}", 3),
}


@pytest.mark.slow
@pytest.mark.one_in(3)
@pytest.mark.parametrize("case", COMMANDS)
def test_what_the_commands_say_is_english(
    case: str, tmp_path: Path, toy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    typed, ends = COMMANDS[case]
    _files(tmp_path)
    known = texts_of(TOY) + MADE + known_of(tmp_path)
    arguments = [word.replace("{toy}", str(toy)).replace("{}", str(tmp_path)) for word in typed.split()]
    code = main([*arguments, "--lang", "en"])
    shown = capsys.readouterr()
    said = shown.out + shown.err
    assert said.strip() and not ours(said, known), said
    assert ends is None or code == ends, (code, said)
    for page in tmp_path.glob("*.html"):
        words = re.sub(r"<(style|script)\b.*?</\1>|<[^>]*>", " ", page.read_text("utf-8"), flags=re.DOTALL)
        assert 'lang="en"' in page.read_text("utf-8") and not ours(html.unescape(words), known), page.name


@pytest.mark.slow
def test_an_import_is_written_and_taken_back_in_english(
    tmp_path: Path, toy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _files(tmp_path)
    known = texts_of(TOY) + known_of(tmp_path)
    to = ["--to", str(toy), "--layer", "facilities", "--crs", "WGS84", "--lang", "en"]
    assert main(["add", str(tmp_path / "new.csv"), *to, "--datum-checked", "measured", "--yes"]) == 0
    assert main(["undo", str(toy), "--lang", "en"]) == 0
    said = capsys.readouterr()
    assert not ours(said.out + said.err, known), said


@pytest.mark.slow
def test_decisions_asked_in_english_are_read_in_either_language(tmp_path: Path, toy: Path) -> None:
    """What is to be filled in is typed in the same words, and what explains it is English."""
    _files(tmp_path)
    sheet = tmp_path / "decide.xlsx"
    with speaking("en"):
        add(tmp_path / "like.csv", toy, "facilities", crs="WGS84", decide=sheet)
    guide = openpyxl.load_workbook(sheet)["说明"]
    words = " ".join(str(row[0]) for row in guide.iter_rows(values_only=True))
    assert "Save the sheet" in words and not ours(words, "决定更新新增跳过")
    reports = []
    for lang in ("zh", "en"):
        with speaking(lang):
            reports.append(add(tmp_path / "like.csv", toy, "facilities", crs="WGS84", decide=sheet))
    assert reports[0]["result"].tolist() == reports[1]["result"].tolist()


@pytest.mark.slow
def test_the_template_explains_itself_in_english(tmp_path: Path) -> None:
    """Its heads and choices are those that are read again."""
    with speaking("en"):
        template(tmp_path / "t.xlsx")
    book = openpyxl.load_workbook(tmp_path / "t.xlsx")
    known = "".join(f"{c.label}（{c.unit}）{c.values}" for layer in LAYERS.values() for c in layer.names.values())
    known += "经度（度）纬度（度）" + "".join(book.sheetnames)
    cells = [str(cell) for row in book["说明"].iter_rows(values_only=True) for cell in row if cell]
    assert len(cells) > 100 and not [cell for cell in cells if ours(cell, known)]


@pytest.mark.parametrize("row", ["2", "行2", "line2", "P9", "编号P9", "idP9"])
@pytest.mark.slow
def test_a_row_is_named_in_either_language(row: str, tmp_path: Path, toy: Path) -> None:
    _files(tmp_path)
    report = add(tmp_path / "new.csv", toy, "facilities", crs="WGS84", skip=[row])
    assert (report["result"] == "skipped").sum() == 1
