"""`--lang en` of every command: what it prints, and what it says where it cannot go on, holds no Chinese but names from the data."""

from __future__ import annotations

import ast
import html
import inspect
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from spoken import HAN, ours, texts_of

import xinhe_geo as xh
from xinhe_geo.app.cli import COMMANDS, main
from xinhe_geo.app.commands.console import ERR, OUT
from xinhe_geo.core.i18n import speaking
from xinhe_geo.core.schema import LAYERS
from xinhe_geo.core.sentences import english, word
from xinhe_geo.district.edits import ACTIONS

PACKAGE = Path(xh.__file__).parent
TOY = Path(__file__).parents[1] / "toy"


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    """Return a copy of the toy district with a plan."""
    folder = Path(shutil.copytree(TOY, tmp_path / "toy"))
    plan = folder / "scenarios" / "gone.toml"
    plan.parent.mkdir()
    plan.write_text('name = "gone"\nlabel = "gone"\n[[edit]]\ndo = "demolish_homes"\nhomes = ["A"]\n', "utf-8")
    return folder


def places(folder: Path) -> dict[str, list[str]]:
    """Return what is typed to have each command work on the toy; {} is a folder to write into."""
    toy = str(folder)
    return {
        "report": [toy, "--out", "{}"],
        "check": [toy],
        "compare": ["gone", "--for", toy, "--out", "{}"],
        "plans": [toy, "--out", "{}"],
        "checkup": [toy, "--out", "{}"],
        "links": ["clinic_station", "--for", toy, "--pairs", "--gaps", "--out", "{}", "--csv", "{}/list.csv"],
        "sites": ["clinic_station", "--for", toy, "--n", "2", "--out", "{}", "--toml", "{}/plan.toml"],
        "ledger": [toy, "--out", "{}"],
        "receipt": ["plan_clinic_15", toy, "--out", "{}/receipt.json"],
        "robustness": [toy, "--draws", "39", "--csv", "{}/list.csv"],
        "stress": [toy, "--out", "{}"],
        "survey": [toy, "--out", "{}"],
        "sheet": ["list", toy],
        "template": ["--out", "{}/template.xlsx"],
        "gpkg": [toy, "--out", "{}/layers.gpkg"],
        "seal": [toy],
        "scenario new": ["fresh", "--for", toy],
        "scenario check": ["gone", "--for", toy],
        "scenarios": [toy],
        "rules list": [toy, "--set", "plan"],
        "rules run": ["plan", toy],
        "rules export": ["{}/rules.xlsx", toy],
    }


#: Commands that speak English and are not run here, and why.
ELSEWHERE = {
    "what it works on is not of the toy": (
        "import",
        "split",
        "ways",
        "fetch",
        "batch",
        "provision",
        "parcels",
        "programme",
        "targets",
    ),
    "it asks": ("new",),
    "its files are looked at where they are written": (
        "atlas",
        "map",
        "public",
        "slides",
        "word",
        "dxf",
        "notebook",
        "notebooks",
        "docs",
    ),
    "what it says is looked at where it reads files": ("add", "update", "undo"),
    "what it says of rows is Chinese still": ("rules import", "suggest"),
}
#: Longer than a few seconds: before a release.
LONG = ("report", "compare", "checkup", "stress")
#: Files whose names are Chinese in both languages.
FILES = "核查表"


def test_every_command_that_speaks_english_is_among_them() -> None:
    speaking_ones = {
        name
        for commands in COMMANDS.values()
        for name, command in commands.items()
        if "lang" in inspect.signature(command).parameters
    }
    named = (*places(TOY), *(name for names in ELSEWHERE.values() for name in names))
    assert speaking_ones == {name.rpartition(" ")[2] for name in named}


def run(capsys: pytest.CaptureFixture[str], arguments: list[str], out: Path) -> tuple[int, str]:
    out.mkdir(exist_ok=True)
    code = main([argument.replace("{}", str(out)) for argument in arguments])
    said = capsys.readouterr()
    return code, said.out + said.err


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is broken into lines: a name that goes on in the next one would not be found."""
    for console in (OUT, ERR):
        monkeypatch.setattr(console, "width", 2000)


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize(
    "command", [pytest.param(name, marks=[pytest.mark.matrix] * (name in LONG)) for name in places(TOY)]
)
def test_what_a_command_prints_is_english_but_for_names(
    command: str, toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known = texts_of(toy) + FILES + "".join(pd.read_csv(path, dtype="str").to_csv() for path in _standards())
    code, said = run(capsys, [*command.split(), *places(toy)[command], "--lang", "en"], tmp_path / "en")
    assert code == 0 and said and not ours(said, known), said


def _standards() -> list[Path]:
    """Return the tables of norms that come with the program: what they quote is quoted in both languages."""
    return sorted((Path(xh.__file__).parents[1] / "data" / "standards").glob("*.csv"))


#: What cannot be done, by what is typed.
WRONG = {
    "no such command": ["stie"],
    "no such option": ["sites", "canteen", "--nn", "2"],
    "no number": ["sites", "canteen", "--n", "two"],
    "no finite number": ["sites", "canteen", "--limit", "inf"],
    "no such kind": ["sites", "canteeen", "--for", "{toy}"],
    "no such model": ["sites", "canteen", "--for", "{toy}", "--model", "mclq"],
    "no such weight": ["sites", "canteen", "--for", "{toy}", "--weight", "dogs"],
    "no such candidate": ["sites", "canteen", "--for", "{toy}", "--lock", "nowhere"],
    "more than there are": ["sites", "canteen", "--for", "{toy}", "--n", "500"],
    "no rule that walks": ["links", "canteen", "--for", "{toy}"],
    "no such rule": ["links", "plan_clinic_99", "--for", "{toy}"],
    "a file of another ending": ["sites", "canteen", "--for", "{toy}", "--csv", "list.doc"],
    "no such folder": ["check", "{toy}/nowhere"],
    "no district": ["ledger", "{toy}/homes"],
    "no such plan": ["compare", "nothing", "--for", "{toy}"],
    "an output that is a file": ["links", "clinic_station", "--for", "{toy}", "--out", "{toy}/district.toml"],
    "no such sheet": ["sheet", "nothing", "{toy}"],
    "nothing to take back": ["undo", "{toy}"],
}


@pytest.mark.slow
@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_done_is_said_in_english(
    case: str, toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = run(
        capsys, [argument.replace("{toy}", str(toy)) for argument in [*WRONG[case], "--lang", "en"]], tmp_path / "en"
    )
    assert code and said and not ours(said, texts_of(toy)), said


@pytest.mark.slow
def test_a_plan_that_cannot_be_is_told_in_english(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every action with values that it cannot have: each step is told, with what it may be."""
    steps = [f'[[edit]]\ndo = "{do}"\n' for do in ACTIONS]
    steps += [
        f'[[edit]]\ndo = "{do}"\n' + "".join(f"{key} = {{}}\n" for key in {**own.needs, **own.may})
        for do, own in ACTIONS.items()
    ]
    (toy / "scenarios/bad.toml").write_text('name = "bad"\n' + "".join([*steps, '[[edit]]\ndo = "fly"\n']), "utf-8")
    code = main(["scenario", "check", "bad", "--for", str(toy), "--lang", "en"])
    said = capsys.readouterr()
    assert code and len((said.out + said.err).splitlines()) > len(ACTIONS)
    assert not ours(said.out + said.err, texts_of(toy)), said


@pytest.mark.slow
def test_things_that_are_named_have_their_english() -> None:
    """What `UnknownNameError` says there is none of, and what a secret district refuses to be used for."""
    named = {text for path in PACKAGE.rglob("*.py") for text in _named_in(path)}
    assert len(named) > 80 and not {text for text in named if HAN.search(text)} - set(english()["things"])


#: Calls whose texts are said as things: which argument it is.
NAMING = {
    "UnknownNameError": 0,
    "meant": 0,
    "needing": 1,
    "not_installed": 2,
    "thing": 0,
    "opened": 1,
    "refuse_uncleared": 1,
    "refuse_leaving": 1,
    "refuse_titles": 2,
}


def _named_in(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        place = NAMING.get(getattr(getattr(node, "func", None), "id", ""), -1)
        if isinstance(node, ast.Call) and 0 <= place < len(node.args) and isinstance(node.args[place], ast.Constant):
            yield str(node.args[place].value)


def test_units_of_columns_have_their_english() -> None:
    units = {column.unit for layer in LAYERS.values() for column in layer.columns if column.unit}
    with speaking("en"):
        assert units and not {unit for unit in units if HAN.search(word(unit))}


@pytest.mark.slow
@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("command", ["sites", "links"])
def test_pages_and_workbooks_of_sites_and_links_are_english(
    command: str, mapped: bool, toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the figures of the Chinese ones, under the same names; also where the kind was only seen on a map."""
    written, more = {}, ["--assume-complete"] * mapped
    if mapped:
        manifest = (toy / "district.toml").read_text("utf-8")
        own = manifest.replace(
            'surveyed_kinds = ["clinic_station", "clinic_center", ',
            'mapped_kinds = ["clinic_station", "clinic_center"]\nsurveyed_kinds = [',
        )
        assert own != manifest
        (toy / "district.toml").write_text(own, "utf-8")
    for lang in ("zh", "en"):
        assert run(capsys, [command, *places(toy)[command], *more, "--lang", lang], tmp_path / lang)[0] == 0
        written[lang] = sorted(
            path for path in (tmp_path / lang).rglob("*.*") if path.suffix in (".html", ".xlsx", ".toml", ".csv")
        )
    known, shares = texts_of(toy), re.compile(r"\d+\.\d+%")
    assert [path.name for path in written["en"]] == [path.name for path in written["zh"]] and len(written["en"]) > 3
    for theirs, mine in zip(written["zh"], written["en"], strict=True):
        chinese, english_ = _texts(theirs), _texts(mine)
        assert any(ours(text, known) for text in chinese), "the Chinese one is Chinese"
        assert not [text for text in english_ if ours(text, known)], mine.name
        assert Counter(s for text in english_ for s in shares.findall(text)) == Counter(
            s for text in chinese for s in shares.findall(text)
        )


def _texts(path: Path) -> list[str]:
    """Return what somebody reads of a file: cells of a workbook and its sheets, texts of a page, the whole of a text."""
    if path.suffix == ".xlsx":
        sheets = openpyxl.load_workbook(path).worksheets
        return [
            text
            for sheet in sheets
            for row in sheet.iter_rows(values_only=True)
            for text in (sheet.title, *map(str, row))
        ]
    text = path.read_text("utf-8")
    if path.suffix != ".html":
        return [text]
    shown = re.sub(r"<(style|script)\b.*?</\1>", "", text, flags=re.DOTALL)
    about = re.findall(r'(?:aria-label|title|alt)="([^"]*)"', shown)
    return [*about, *map(html.unescape, re.split(r"<[^>]*>", shown))]
