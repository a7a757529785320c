"""
Write `docs/architecture.md`: the modules by floor, each with the first sentence of its own docstring.

    python tools/make_architecture.py

The order is the one that `tests/test_architecture.py` holds the imports to; here stands only where a floor begins.
"""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "xinhe_geo"
TARGET = ROOT / "docs" / "architecture.md"
#: First module of a floor -> its name and what is decided there.
FLOORS = {
    "errors": ("Words", "What a district folder may hold and what is said when it does not."),
    "_kernel": ("Streets and district", "A folder becomes one frozen `District` with one `WalkNetwork`."),
    "reach": ("Counting", "Home x place x cost, and what is read off it: shares, gaps, room, before and after."),
    "_siting.median": ("Siting", "What to build where, which link to open, what a plan must provide."),
    "_ledger.grounds": ("Ledger", "The plan's promises, measured and judged."),
    "_analysis": ("Screen", "Maps, pictures, the live maps of meeting and notebook."),
    "_printing.paper": ("Paper", "Sheets, atlas, slides, Word, the edition for outside."),
    "_quicksheet": ("Handing over", "The whole output folder, and plans side by side."),
    "_doors.overpass": ("Doors in", "Files and downloads into a district folder, never half done."),
    "_batch.many": ("Many districts", "The same report for hundreds of folders, and how they compare."),
    "cli": ("Front", "The commands."),
}
HEAD = """# Module map

Made by `python tools/make_architecture.py` from the docstrings of the modules; a test keeps it current.

A module imports only what stands above it in these tables; a folder with an underscore is the inside of the module it
is named after, and private. Columns are code, rows are data: no kind of facility, place or local CRS is named in any of these
files. Each big library has one importer (folium `maps`, matplotlib `_printing.paper`, numba `_kernel`, OSMnx graphs
`_network.graphs`, Dask `batch`, Typer `cli`), and only `_doors.overpass` opens a connection. `import xinhe_geo as xh` gives the
public names; `cli` and `run.py` (standard library only: makes `.venv`, then calls `cli`, Jupyter or pytest) are the two front
doors.
"""


def order() -> tuple[str, ...]:
    """Return the modules from the ground up, as the test of the imports has them."""
    for node in ast.parse((ROOT / "tests" / "test_architecture.py").read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "ORDER":
            return tuple(ast.literal_eval(node.value))
    raise LookupError("tests/test_architecture.py has no ORDER")


def job(module: str) -> str:
    """Return the first paragraph of a module's docstring on one line."""
    text = (PACKAGE / f"{module.replace('.', '/')}.py").read_text("utf-8")
    words = inspect.cleandoc(ast.get_docstring(ast.parse(text)) or "")
    return " ".join(words.split("\n\n")[0].split())


def page() -> str:
    """Return the whole page."""
    modules = order()
    if missing := set(FLOORS) - set(modules):
        raise LookupError(f"floors begin at modules that are not in ORDER: {sorted(missing)}")
    parts = [HEAD]
    for module in modules:
        if module in FLOORS:
            name, decided = FLOORS[module]
            parts.append(f"\n## {name}\n\n{decided}\n\n| module | one job |\n|---|---|\n")
        parts.append(f"| `{module}` | {job(module)} |\n")
    return "".join(parts)


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8", newline="\n")
