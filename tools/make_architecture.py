"""
Write `docs/architecture.md` and `docs/images/floors.svg`: the packages by floor, their modules, and who imports whom.

    python tools/make_architecture.py

Floors, inner fronts and sole importers are those that `tests/test_architecture.py` holds the code to; what a module is for is
the first paragraph of its own docstring, and an arrow of the drawing is an import in the code.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "xinhe_geo"
RULES = ROOT / "tests" / "test_architecture.py"
TARGET = ROOT / "docs" / "architecture.md"
DRAWING = ROOT / "docs" / "images" / "floors.svg"

HEAD = """# Packages and modules

Made by `python tools/make_architecture.py` from the docstrings and the imports of the code; a test keeps page and drawing current.
Where something seen on screen is made: [where-is.md](where-is.md).

![The packages on their floors](images/floors.svg)

A package stands on a floor and imports only from lower floors, and only the names that the front of a package (its `__init__`)
offers. Within a package modules import from each other without a circle. No name that begins with `_` is used outside its module.
`tests/test_architecture.py` fails where the code does otherwise.

Columns are code, rows are data: no kind of facility, place or local CRS is named in any of these files. Below `maps` functions
return numbers and codes; sentences for the person reading are said through one catalogue (`core.i18n`). `import xinhe_geo as xh`
gives the public names (`xinhe_geo/__init__.pyi` says from which package each comes); commands start in `run.py` (standard library
only: makes `.venv`, then calls the command line, Jupyter or pytest).
"""


class Front(NamedTuple):
    """A package as others see it: what it is for, what it offers, which modules and scripts stand behind it."""

    name: str
    says: str
    offers: tuple[str, ...]
    modules: tuple[str, ...]
    scripts: tuple[Path, ...]


def written_down(name: str) -> ast.expr:
    """Return what the test of the architecture assigns to a name, as it is written there."""
    for node in ast.parse(RULES.read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return node.value
    raise LookupError(f"{RULES.name} has no {name}")


def floors() -> dict[str, int]:
    """Return the floor of each package, from the top down; side by side in the order they are written in."""
    found: dict[str, int] = ast.literal_eval(written_down("FLOORS"))
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def first_paragraph(path: Path) -> str:
    """Return the first paragraph of a module's docstring on one line."""
    words = inspect.cleandoc(ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "")
    return " ".join(words.split("\n\n")[0].split())


def first_sentence(script: Path) -> str:
    """Return the first sentence of the comment that a script begins with; "" where it begins otherwise."""
    match = re.match(r"/\*(.*?)\*/", script.read_text("utf-8"), re.DOTALL)
    return " ".join(match.group(1).split()).partition(". ")[0].rstrip(".") + "." if match else ""


def offered(front: Path) -> tuple[str, ...]:
    """Return what a front imports: constants first, then classes, then functions."""
    body = ast.parse(front.read_text("utf-8")).body
    names = [alias.asname or alias.name for node in body if isinstance(node, ast.ImportFrom) for alias in node.names]
    return tuple(sorted(names, key=lambda name: (not name.isupper(), name[0].islower(), name)))


def front_of(name: str, inner: tuple[str, ...]) -> Front:
    """Return a package, without what belongs to a front inside it."""
    folder = PACKAGE / name.replace(".", "/")
    apart = [PACKAGE / other.replace(".", "/") for other in inner if other != name and other.startswith(f"{name}.")]

    def here(pattern: str) -> list[Path]:
        return [p for p in sorted(folder.rglob(pattern)) if not any(other in p.parents for other in apart)]

    modules = [".".join(p.relative_to(PACKAGE).with_suffix("").parts) for p in here("*.py") if p.stem != "__init__"]
    front = folder / "__init__.py"
    return Front(name, first_paragraph(front), offered(front), tuple(modules), tuple(here("*.js")))


# --- imports --------------------------------------------------------------------------------------------------------


def imported_by(module: Path) -> Iterator[str]:
    """Yield, dotted and without the root, what a module names in its imports from this library."""
    here = module.relative_to(PACKAGE).with_suffix("").parts
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            said = (node.module or "").split(".") if node.module else []
            if node.level:
                base = [*here[: len(here) - node.level], *said]
            elif said[:1] == [PACKAGE.name]:
                base = said[1:]
            else:
                continue
            yield from [".".join(base)] if base else [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            for alias in node.names:
                root, _, rest = alias.name.partition(".")
                if root == PACKAGE.name and rest:
                    yield rest


def arrows(packages: Mapping[str, int]) -> dict[str, tuple[str, ...]]:
    """Return, package by package, the others that it imports from, in the order of the floors."""
    found = {}
    for package in packages:
        targets = {
            target.partition(".")[0] for path in (PACKAGE / package).rglob("*.py") for target in imported_by(path)
        }
        found[package] = tuple(p for p in packages if p in targets and p != package)
    return found


# --- the drawing ----------------------------------------------------------------------------------------------------

BOX, GAP, ROW, LEFT, TOP, LINE = 96, 16, 66, 360, 66, 15
INK, SOFT, ARROW, BAND, FILL = "#2b3138", "#626a72", "#0b5c6b", ("#f7f4ee", "#ffffff"), "#e3eff0"
FACE = "system-ui, 'Noto Sans', 'Segoe UI', Arial, sans-serif"


def drawing(packages: Mapping[str, int], below: Mapping[str, tuple[str, ...]]) -> str:
    """Return the staircase: each package a step; lines run right from who imports and down to what is imported."""
    names = list(packages)
    width, height = LEFT + len(names) * (BOX + GAP) + 8, TOP + len(names) * ROW + 46
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="{FACE}" font-size="12.5" fill="{INK}">',
        "<title>The packages of xinhe_geo on their floors, and who imports whom</title>",
        f'<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0.5 8 4 0 7.5z" fill="{ARROW}"/></marker></defs>',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        '<text x="16" y="28" font-size="17" font-weight="600">The floors of xinhe_geo</text>',
        f'<text x="16" y="48" fill="{SOFT}">A dot: the package of this row imports from the package its line runs down to.</text>',
    ]
    parts += _bands(packages, width)
    for row, name in enumerate(names):
        parts += _lines(row, [names.index(other) for other in below[name]])
    for column, name in enumerate(names):
        importers = [row for row, other in enumerate(names) if name in below[other]]
        if importers:
            x = _left(column) + BOX / 2
            y = _middle(min(importers))
            parts.append(
                f'<line x1="{x:g}" y1="{y:g}" x2="{x:g}" y2="{_top(column):g}" stroke="{ARROW}" stroke-width="1.4" marker-end="url(#tip)"/>'
            )
            parts += [f'<circle cx="{x:g}" cy="{_middle(row):g}" r="4" fill="{ARROW}"/>' for row in importers]
    for row, name in enumerate(names):
        parts += _box(row, front_of(name, ()))
    foot = f"{sum(map(len, below.values()))} lines between {len(names)} packages, all of them running down."
    parts.append(f'<text x="16" y="{height - 16}" fill="{SOFT}">{foot}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _left(column: int) -> float:
    return LEFT + column * (BOX + GAP)


def _top(row: int) -> float:
    return TOP + row * ROW + 11


def _middle(row: int) -> float:
    return TOP + row * ROW + ROW / 2


def _bands(packages: Mapping[str, int], width: int) -> list[str]:
    """Return one band per floor, with its number at the edge."""
    parts, rows = [], list(packages.values())
    for number, floor in enumerate(dict.fromkeys(rows)):
        first, count = rows.index(floor), rows.count(floor)
        y, tall = TOP + first * ROW, count * ROW
        parts.append(f'<rect x="0" y="{y}" width="{width}" height="{tall}" fill="{BAND[number % 2]}"/>')
        parts.append(
            f'<text x="16" y="{y + tall / 2 + 7:g}" font-size="20" font-weight="600" fill="{SOFT}">{floor}</text>'
        )
    return parts


def _lines(row: int, columns: list[int]) -> list[str]:
    """Return the line that leaves a package to the right, as far as the last package it imports from."""
    if not columns:
        return []
    y, end = _middle(row), _left(max(columns)) + BOX / 2
    return [
        f'<line x1="{_left(row) + BOX}" y1="{y:g}" x2="{end:g}" y2="{y:g}" stroke="{ARROW}" stroke-width="1.4" opacity="0.55"/>'
    ]


def _box(row: int, front: Front) -> list[str]:
    """Return a package's step, and beside the floor's number what it is for."""
    x, y, tall = _left(row), _top(row), ROW - 22
    count = len(front.modules)
    lines = textwrap.wrap(front.says, 46)[:4]
    first = _middle(row) - (len(lines) - 1) * LINE / 2 + 4
    return [
        f'<rect x="{x}" y="{y:g}" width="{BOX}" height="{tall}" rx="5" fill="{FILL}" stroke="{ARROW}" stroke-width="1.4"/>',
        f'<text x="{x + BOX / 2:g}" y="{y + 19:g}" text-anchor="middle" font-size="15" font-weight="600">{front.name}</text>',
        f'<text x="{x + BOX / 2:g}" y="{y + 35:g}" text-anchor="middle" font-size="11" fill="{SOFT}">{count} modules</text>',
        *(f'<text x="44" y="{first + i * LINE:g}">{escape(line)}</text>' for i, line in enumerate(lines)),
    ]


# --- the page -------------------------------------------------------------------------------------------------------


def page(packages: Mapping[str, int], below: Mapping[str, tuple[str, ...]]) -> str:
    """Return the whole page."""
    inner: tuple[str, ...] = ast.literal_eval(written_down("INNER_DOORS"))
    parts = [HEAD, _importers()]
    for name, floor in packages.items():
        parts.append(f"\n## {floor} `{name}`\n{_section(front_of(name, inner), below[name])}")
        for other in [o for o in inner if o.startswith(f"{name}.")]:
            apart = "A front of its own, because what stands behind it is loaded only where it is used."
            parts.append(f"\n### `{other}`\n\n{apart}\n{_section(front_of(other, inner), None)}")
    return "".join(parts)


def _importers() -> str:
    """Return which modules hide which library from the rest."""
    sole = written_down("ONLY_IMPORTER")
    assert isinstance(sole, ast.Dict)
    libraries = sorted(ast.literal_eval(key) for key in sole.keys if key)
    found: dict[str, list[str]] = {library: [] for library in libraries}
    for path in sorted(PACKAGE.rglob("*.py")):
        module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        for library in libraries_of(path) & set(libraries):
            if "." in module:  # the root only passes on
                found[library].append(module)
    listed = [f"{name} {', '.join(f'`{m}`' for m in _together(own))}" for name, own in found.items() if own]
    return _wrapped(f"Big or peculiar libraries are imported in these modules only: {'; '.join(listed)}.")


def libraries_of(module: Path) -> set[str]:
    """Return the top-level names of a module's absolute imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.partition(".")[0])
    return found


def _together(modules: Sequence[str]) -> list[str]:
    """Return modules with those of one folder inside a package named as that folder, where they are three or more."""
    folders = [module.rpartition(".")[0] for module in modules]
    crowded = {folder for folder in folders if "." in folder and folders.count(folder) >= 3}
    return list(dict.fromkeys(f if f in crowded else m for m, f in zip(modules, folders, strict=True)))


def _wrapped(paragraph: str) -> str:
    lines = "\n".join(textwrap.wrap(paragraph, 130, break_on_hyphens=False))
    return f"\n{lines}\n"


def _section(front: Front, below: tuple[str, ...] | None) -> str:
    """Return what a package is for, where it imports from, what it offers, and its modules."""
    paragraphs = [front.says]
    if below is not None:
        stands = ", ".join(f"`{other}`" for other in below)
        paragraphs.append(f"Imports from: {stands}." if below else "Imports from no other package.")
    paragraphs.append(f"Offers: {', '.join(f'`{name}`' for name in front.offers)}.")
    rows = [
        (module.removeprefix(f"{front.name}."), first_paragraph(PACKAGE / f"{module.replace('.', '/')}.py"))
        for module in front.modules
    ]
    rows += [
        (script.relative_to(PACKAGE / front.name.replace(".", "/")).as_posix(), first_sentence(script))
        for script in front.scripts
    ]
    table = "".join(f"| `{name}` | {job} |\n" for name, job in rows)
    return f"{''.join(map(_wrapped, paragraphs))}\n| module | what for |\n|---|---|\n{table}"


def made() -> dict[Path, str]:
    """Return both files as they ought to be."""
    packages = floors()
    below = arrows(packages)
    up = [(name, other) for name in below for other in below[name] if packages[other] >= packages[name]]
    if up:
        raise ValueError(f"these imports do not run down: {up}")
    return {TARGET: page(packages, below), DRAWING: drawing(packages, below)}


if __name__ == "__main__":
    for file, text in made().items():
        file.write_text(text, encoding="utf-8", newline="\n")
