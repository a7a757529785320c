"""What the documents say about the code is so: paths, modules, functions, commands, words on screen."""

from __future__ import annotations

import ast
import importlib
import json
import re
from functools import cache
from pathlib import Path

import pytest
from test_architecture import FLOORS, ROOT, shipped_texts
from typer.main import get_command

from xinhe_geo.app.cli import app

PACKAGE = ROOT / "xinhe_geo"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "benchmarks").glob("*.md")])
#: These tell what used to be: old names may stand in them.
OF_OLD = ("decisions.md", "upgrading.md")
FOLDERS = "xinhe_geo|tests|tools|docs|benchmarks|data|notebooks"
#: What `run.py` does itself; the other commands are the library's own.
LAUNCHER = {"lab", "app", "notebook", "test", "bundle"}


def lines_of(page: Path) -> list[str]:
    return page.read_text("utf-8").splitlines()


def rows_of(page: Path) -> list[list[str]]:
    """Return the cells of every row of a page's tables, without headings."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines_of(page) if line.startswith("| ")]
    return [row for row in rows if row[0] not in ("seen", "before")]


@cache
def names_in(file: Path) -> dict[str, frozenset[str]]:
    """Return what a module defines at its top, and what each of its classes defines."""

    def defined(body: list[ast.stmt]) -> frozenset[str]:
        found: set[str] = set()
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found.add(node.name)
            elif isinstance(node, ast.Assign):
                found |= {name.id for t in node.targets for name in ast.walk(t) if isinstance(name, ast.Name)}
            elif isinstance(node, ast.AnnAssign):
                found.add(ast.unparse(node.target))
        return frozenset(found)

    tree = ast.parse(file.read_text("utf-8"))
    return {"": defined(tree.body)} | {n.name: defined(n.body) for n in tree.body if isinstance(n, ast.ClassDef)}


def file_of(name: str) -> Path | None:
    """Return the file of a dotted name if it is a module, or what stands at the top of one or of a class of it."""
    parts = name.split(".")
    for n in range(len(parts), 0, -1):
        file = PACKAGE.joinpath(*parts[:n]).with_suffix(".py")
        if not file.is_file():
            continue
        names = names_in(file)
        rest = parts[n:]
        inside = not rest or (rest[0] in names[""] and (len(rest) == 1 or rest[1] in names.get(rest[0], ())))
        return file if inside and len(rest) <= 2 else None
    return None


def shortened(text: str) -> bool:
    """Return whether a page's name of a file leaves something open, as in `tests/<package>`."""
    return any(sign in text for sign in "<>*{…") or text.endswith(("NAME", "X"))


# --- where is ...? --------------------------------------------------------------------------------------------------

WHERE = rows_of(ROOT / "docs" / "where-is.md")


def test_where_is_says_it_of_many_things() -> None:
    assert len(WHERE) >= 30
    assert len({row[0] for row in WHERE}) == len(WHERE)


@pytest.mark.parametrize("row", WHERE, ids=[row[0][:40] for row in WHERE])
def test_what_is_seen_is_made_there(row: list[str]) -> None:
    seen, *makers = row
    texts = [(PACKAGE / name).read_text("utf-8") for name in ("core/english.json", "maps/web/texts.json")]
    chinese = "\n".join([*json.loads(texts[0])["say"], texts[1]])
    for cell in makers:
        marked = re.findall(r"`([^`]+)`", cell)
        assert marked, "names a module"
        script = ""
        for name in marked:
            if "/" in name:
                file = ROOT / name if name.startswith("data/") else PACKAGE / name
                script = file.read_text("utf-8")
                chinese += script
            elif "." in name:
                found = file_of(name)
                assert found, name
                chinese += found.read_text("utf-8")
            else:
                assert re.search(rf"\bfunction {name}\(|\bconst {name} = ", script), f"{name} is no function there"
    for words in re.findall("“([^”]+)”", seen):
        assert words in chinese, words


# --- upgrading ------------------------------------------------------------------------------------------------------


def test_every_new_name_of_the_upgrade_note_can_be_imported() -> None:
    text = (ROOT / "docs" / "upgrading.md").read_text("utf-8")
    lines = re.findall(r"`from (xinhe_geo[\w.]*) import ([\w, ]+)`", text)
    assert len(lines) >= 30
    for module, names in lines:
        loaded = importlib.import_module(module)
        for name in names.split(", "):
            assert hasattr(loaded, name), f"{module}.{name}"
    whole = text.partition("## Every module")[2]
    moved = [name for line in whole.splitlines() for name in re.findall("`xinhe_geo.([^`]+)`", line.split("|")[-2:][0])]
    assert len(moved) >= 100
    for name in moved:
        assert file_of(name), name


# --- paths, modules, commands ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_paths_lead_somewhere(page: Path) -> None:
    text = page.read_text("utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        assert target.startswith(("http://", "https://")) or (page.parent / target).exists(), target
    if page.name in OF_OLD:
        return
    for target in re.findall(rf"`((?:{FOLDERS})/[^`\s]*)`", text):
        assert shortened(target) or (ROOT / target.partition("::")[0]).exists(), target
    for target in re.findall(rf"(?:python|pytest) ((?:{FOLDERS})/[\w./-]+)", text):
        assert shortened(target) or (ROOT / target).exists(), target


@pytest.mark.parametrize("page", [page for page in PAGES if page.name not in OF_OLD], ids=lambda page: page.name)
def test_modules_named_in_a_page_are_there(page: Path) -> None:
    text = page.read_text("utf-8")
    for name in re.findall(rf"`(?:xinhe_geo\.)?((?:{'|'.join(FLOORS)})\.[a-z_.A-Z]+)`", text):
        if name.rpartition(".")[2] in ("html", "json", "py", "toml", "csv"):
            continue
        front, _, rest = name.rpartition(".")
        loaded = PACKAGE / front.replace(".", "/") / "__init__.py"
        assert file_of(name) or (loaded.is_file() and hasattr(importlib.import_module(f"xinhe_geo.{front}"), rest)), (
            name
        )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_named_in_a_page_are_there(page: Path) -> None:
    known = {*get_command(app).commands, *LAUNCHER}
    for name in re.findall(r"python run\.py ([a-z][a-z-]*)", page.read_text("utf-8")):
        assert name in known, name


def test_no_line_says_the_same_twice() -> None:
    """What two people mended in one row of a table is easily kept twice."""
    said = []
    for page in PAGES:
        for n, line in enumerate(lines_of(page), 1):
            parts = [part.strip() for part in re.split(r"[;；。|()（）]", line) if len(part) > 50]
            if len(parts) != len(set(parts)):
                said.append((page.name, n))
    assert said == []


def test_nothing_refers_to_what_is_not_in_the_repository() -> None:
    # Spelt in parts, so that this file does not find itself.
    pattern = re.compile("|".join(("DES" + "IGN", "decision " + "[0-9]", "house" + "[.]csv")))
    for path in shipped_texts():
        for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), 1):
            assert not pattern.search(line), f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}"


def test_the_changelog_is_one_page() -> None:
    assert len(lines_of(ROOT / "CHANGELOG.md")) <= 70
