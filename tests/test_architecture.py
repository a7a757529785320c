"""The rules the package is built by: direction of imports, public names, no data in code."""

from __future__ import annotations

import ast
import csv
import dataclasses
import importlib.util
import inspect
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import clock
import conftest
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import xinhe_geo

HAN = re.compile(r"[\u3400-\u9fff]")
ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "xinhe_geo"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))

#: A package imports only from packages on lower floors.
FLOORS = {
    "core": 1,
    "network": 2,
    "district": 3,
    "io": 4,
    "access": 4,
    "siting": 5,
    "ledger": 5,
    "maps": 6,
    "renewal": 6,
    "report": 7,
    "app": 8,
}
#: Packages inside a package that offer names of their own: what they need is an extra, so the outer one does not load them.
INNER_DOORS = ("report.paper",)
#: These stand above all and only pass on.
FRONT = ("__init__", "__main__")
#: Imports by a name worked out at run time, which nobody can follow: a module of the system that Windows lacks.
BY_NAME = {"app.batch": {"resource"}}
#: The command line: where its commands are put in order, and the groups they stand in.
COMMAND_LINE = {"app.cli", *(f"app.commands.{path.stem}" for path in (PACKAGE / "app" / "commands").glob("[a-z]*.py"))}
#: Big or peculiar libraries have one importer each, which hides them from the rest.
ONLY_IMPORTER = {
    "h3": {"core.hexagons"},
    "rasterio": {"io.population"},
    "osmnx": {"network.osmnx_graphs"},
    "networkx": {"network.osmnx_graphs"},
    "numba": {"network.kernel"},
    "folium": {"maps.html_map"},
    "branca": {"maps.html_map"},
    "xlsxwriter": {
        "io.answer_book",
        "io.template",
        "ledger.rulebook",
        "report.leader_book",
        "report.ledger_workbook",
        "report.pages.plans",
        "report.parcel_book",
        "report.workbook",
    },
    "matplotlib": {"report.paper.page"},
    "pptx": {"report.paper.slides"},
    "docx": {"report.paper.word"},
    "anywidget": {"maps.live"},
    "distributed": {"app.batch"},
    "typer": COMMAND_LINE,
    "rich": COMMAND_LINE,
    "lazy_loader": {"__init__"},
}
#: Libraries of an extra, and the module that works only with that extra.
OPTIONAL = {
    "core.progress": {"IPython"},
    "app.site": {"furo", "myst-parser", "sphinx"},
    "maps.live": {"anywidget", "IPython", "traitlets"},
    "maps.still": {"pillow", "resvg-py"},
    "app.notebook": {"ipykernel", "mistune", "nbclient", "nbformat"},
    "app.batch": {"dask", "distributed"},
    "io.dxf": {"ezdxf"},
    "io.population": {"rasterio"},
    "io.sheets": {"xlrd"},
    "report.paper.page": {"matplotlib"},
    "report.paper.slides": {"python-pptx"},
    "report.paper.word": {"python-docx"},
}
DECLARED = {canonicalize_name(Requirement(line).name) for line in PROJECT["project"]["dependencies"]}
#: Declared though no module imports them: what users bring graphs in, what pandas reads workbooks with, the typeface of sheets.
BEHIND = {"osmnx", "openpyxl", "zhplot"}
#: Words of OpenStreetMap that happen to be kinds too.
MAP_WORDS = {"io.osm_import": {"park"}}
#: Import names that differ from the name of the distribution.
DISTRIBUTIONS = {"xstatic": "xstatic-leaflet", "docx": "python-docx", "pptx": "python-pptx", "PIL": "pillow"}

PUBLIC = [
    "DataError",
    "District",
    "EnvironmentProblem",
    "NetworkError",
    "Profile",
    "Rule",
    "Scenario",
    "ScenarioError",
    "Siting",
    "SitingError",
    "SourceError",
    "UnknownNameError",
    "WalkNetwork",
    "XinheError",
    "balance",
    "brief",
    "check",
    "compare",
    "completeness",
    "coverage",
    "curve",
    "draw",
    "explain",
    "flips",
    "gaps",
    "headlines",
    "isochrones",
    "ledger",
    "live",
    "parcels",
    "picture",
    "presence",
    "problems",
    "programme",
    "receipt",
    "robustness",
    "route",
    "sheet",
    "sites",
    "summary",
    "survey",
    "within",
]

#: `io.tables` is `io/tables.py`; the front of a package is not among them.
MODULES = sorted(
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    for path in PACKAGE.rglob("*.py")
    if path.parent == PACKAGE or path.stem != "__init__"
)
DOORS = {
    ".".join(path.parent.relative_to(PACKAGE).parts): path
    for path in PACKAGE.rglob("__init__.py")
    if path.parent != PACKAGE
}


@cache  # read by several rules, changed by none
def tree_of(module: str) -> ast.Module:
    return ast.parse((PACKAGE / f"{module.replace('.', '/')}.py").read_text("utf-8"))


class Imported(NamedTuple):
    """One name that a module takes from this package, wherever in it and however the import is written."""

    source: str  # the module or package named in the statement, "" the root
    name: str  # what is taken from it, "" the module itself
    line: int


def imports_of(module: str, tree: ast.Module) -> list[Imported]:
    """Return what a module takes from its own package: `from`, `import`, `import_module` and `__import__`."""
    here = module.split(".")
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            own = node.level > 0 or (node.module or "").split(".")[0] == "xinhe_geo"
            base = here[: len(here) - node.level] if node.level else []
            base = base + [
                part for part in (node.module or "").split(".") if part and (node.level or part != "xinhe_geo")
            ]
            found += [Imported(".".join(base), alias.name, node.lineno) for alias in node.names if own]
        elif isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
            found += [Imported(".".join(name[1:]), "", node.lineno) for name in names if name[0] == "xinhe_geo"]
        elif isinstance(node, ast.Call) and called(node) in ("import_module", "__import__"):
            text = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
            if not isinstance(text, str) or text.startswith(".") or text.split(".")[0] == "xinhe_geo":
                found.append(Imported(f"<by name: {ast.unparse(node)}>", "", node.lineno))
            elif text not in BY_NAME.get(module, ()):
                found.append(Imported(f"<by name: {text}>", "", node.lineno))
    return found


def called(node: ast.Call) -> str:
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def module_meant(imported: Imported) -> str:
    """Return the module, or the package, that an import enters: `from . import kernel` enters `network.kernel`."""
    whole = f"{imported.source}.{imported.name}".strip(".")
    if imported.source in DOORS and imported.name in offered(imported.source):
        return imported.source  # a function may be called like the module it stands in
    return whole if whole in MODULES or whole in DOORS else imported.source


def room_of(module: str) -> str:
    return next((door for door in INNER_DOORS if module.startswith(f"{door}.")), module.split(".", maxsplit=1)[0])


@cache
def offered(door: str) -> frozenset[str]:
    """Return what the front of a package imports: that is what it offers."""
    front = ast.parse(DOORS[door].read_text("utf-8")).body
    names = (alias for node in front if isinstance(node, ast.ImportFrom) for alias in node.names)
    return frozenset(alias.asname or alias.name for alias in names)


def imported_libraries(tree: ast.Module) -> set[str]:
    """Return the top-level names of absolute imports."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.partition(".")[0])
    return found


def strings_in_code(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the line and text of every string that is not documentation."""
    documentation = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.lineno, node.value


# --- direction ------------------------------------------------------------------------------------------------------


def faults_of(module: str, tree: ast.Module) -> list[str]:
    """Return every import of a module that the rules of the house forbid."""
    faults, own, floor = [], room_of(module), FLOORS[module.split(".", maxsplit=1)[0]]
    aliases: dict[str, str] = {}
    for imported in imports_of(module, tree):
        target = module_meant(imported)
        said = f"{module}:{imported.line} {target} {imported.name}".rstrip()
        if target.startswith("<"):
            faults.append(f"{said}: imported by name")
        elif target == "" or target.split(".")[0] not in FLOORS:
            faults.append(f"{said}: taken from the front")
        elif room_of(target) == own and target != own:
            if imported.name.startswith("_") and target == imported.source:
                faults.append(f"{said}: private to another module")
            if target != imported.source:
                aliases[imported.name] = target
        elif target.split(".")[0] != module.split(".", maxsplit=1)[0] and FLOORS[target.split(".")[0]] >= floor:
            faults.append(f"{said}: runs up")
        elif target not in FLOORS and target not in INNER_DOORS:
            faults.append(f"{said}: not by the front of its package")
        elif target == own:
            faults.append(f"{said}: a module enters its own package by its front")
        elif imported.name not in offered(target) and target == imported.source:
            faults.append(f"{said}: not offered")
    faults += [
        f"{module}:{node.lineno} {ast.unparse(node)}: private to another module"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in aliases
        and node.attr.startswith("_")
    ]
    return faults


@pytest.mark.parametrize("module", [module for module in MODULES if module not in FRONT])
def test_imports_run_down_and_by_the_front_door(module: str) -> None:
    assert not faults_of(module, tree_of(module))


@pytest.mark.parametrize(
    ("module", "line", "fault"),
    [
        ("access.gaps", "from ..report import brief", "runs up"),
        ("siting.task", "from ..ledger import ledger", "runs up"),
        ("maps.scene", "from ..access.coverage import coverage", "not by the front"),
        ("maps.scene", "import xinhe_geo.access.coverage", "not by the front"),
        ("maps.scene", "def f():\n    from xinhe_geo.app import main", "runs up"),
        ("maps.scene", "from ..access import nothing_of_the_kind", "not offered"),
        ("access.gaps", "from .coverage import _joined", "private"),
        ("network.od", "from . import kernel\nkernel._push()", "private"),
        ("district.district", "import importlib\nimportlib.import_module('.scenario', __package__)", "by name"),
        ("district.district", "__import__('xinhe_geo.access')", "by name"),
        (
            "district.district",
            "from importlib import import_module as m, import_module\nimport_module(name)",
            "by name",
        ),
        ("access.gaps", "from .. import coverage", "from the front"),
        ("access.gaps", "from . import coverage as c\nfrom ..access import coverage", "its own package"),
        ("app.cli", "from ..report.pages.plans import comparison", "not by the front"),
    ],
)
def test_a_forbidden_import_is_seen(module: str, line: str, fault: str) -> None:
    assert any(fault in said for said in faults_of(module, ast.parse(line)))


def test_modules_form_no_circle() -> None:
    below = {
        module: {module_meant(i) for i in imports_of(module, tree_of(module))} & set(MODULES) for module in MODULES
    }
    TopologicalSorter(below).prepare()  # raises CycleError, which names the circle


def test_every_package_offers_only_what_is_there_and_says_what_it_is_for() -> None:
    assert {door for door in DOORS if "." not in door} == set(FLOORS)
    assert {path.stem for path in PACKAGE.glob("*.py")} == set(FRONT)
    for door in [*FLOORS, *INNER_DOORS]:
        loaded = importlib.import_module(f"xinhe_geo.{door}")
        names = offered(door)
        assert names and (loaded.__doc__ or "").strip(), door
        for name in names:
            assert not name.startswith("_") and hasattr(loaded, name), f"{door}.{name}"


@pytest.mark.slow
def test_the_page_and_the_drawing_of_the_house_are_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("make_architecture", ROOT / "tools" / "make_architecture.py")
    assert spec and spec.loader
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    made = tool.made()
    assert set(made) == {tool.TARGET, tool.DRAWING}
    for file, text in made.items():
        assert file.read_text("utf-8") == text, "python tools/make_architecture.py"


@pytest.mark.parametrize("module", MODULES)
def test_imports_are_declared_and_big_libraries_have_one_importer(module: str) -> None:
    declared = DECLARED | {canonicalize_name(name) for name in OPTIONAL.get(module, ())}
    for library in imported_libraries(tree_of(module)) - sys.stdlib_module_names:
        assert library != "xinhe_geo", "siblings are imported as .name"
        assert canonicalize_name(DISTRIBUTIONS.get(library, library)) in declared, library
        assert module in ONLY_IMPORTER.get(library, {module}), f"{module} imports {library}"


def test_every_declared_dependency_is_used() -> None:
    used = set().union(*(imported_libraries(tree_of(module)) for module in MODULES))
    used = {canonicalize_name(DISTRIBUTIONS.get(library, library)) for library in used}
    office = {
        canonicalize_name(Requirement(line).name) for line in PROJECT["project"]["optional-dependencies"]["office"]
    }
    assert (DECLARED | office) - used <= BEHIND


# --- the public surface ---------------------------------------------------------------------------------------------


def test_public_names_are_these() -> None:
    assert list(xinhe_geo.__all__) == PUBLIC
    assert len(PUBLIC) <= 42  # "under about forty names, each a noun or verb of the field"
    for name in PUBLIC:
        assert getattr(xinhe_geo, name).__module__.startswith("xinhe_geo.")


def public_callables() -> dict[str, Callable[..., object]]:
    """Return every public function, and every public method of a public class, by the name a user types."""
    found: dict[str, Callable[..., object]] = {}
    for name in PUBLIC:
        thing = getattr(xinhe_geo, name)
        if inspect.isfunction(thing):
            found[name] = thing
        for member in vars(thing) if inspect.isclass(thing) else ():
            if not member.startswith("_") and callable(getattr(thing, member)):
                found[f"{name}.{member}"] = getattr(thing, member)
    return found


CALLABLES = public_callables()
#: What a parameter that measures must say it is in.
UNITS = {
    "minutes": "inute",
    "metres": "etre",
    "limit": "etre|inute",
    "limits": "etre|inute",
    "frontage_m": "etre",
    "height": "pixel",
}
#: These refuse nothing: whatever goes in, something comes out.
NEVER_RAISES = {
    "District.akin_to",
    "District.counting_unchecked",
    "District.kin",
    "District.locate",
    "District.serving",
    "District.parts_of",
    "District.with_parted",
    "Profile.metres",
    "Profile.minutes",
    "Scenario.since",
    "Scenario.text",
    "Scenario.then",
    "WalkNetwork.shutting",
    "Scenario.year_on",
    "WalkNetwork.to_graph",
    "check",
    "headlines",
    "presence",
}


def sections_of(words: str) -> dict[str, str]:
    parts = re.split(r"^(Parameters|Attributes|Returns|Notes|Raises)\n-+\n", words, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def entries_of(section: str) -> dict[str, str]:
    """Return the entries of a section, "a, b" as two of them with one text."""
    parts = re.split(r"^(\S.*)\n", section, flags=re.MULTILINE)
    return {name: text for names, text in zip(parts[1::2], parts[2::2], strict=True) for name in names.split(", ")}


@pytest.mark.parametrize("name", CALLABLES)
def test_help_says_parameters_units_shapes_crs_and_errors(name: str) -> None:
    function = CALLABLES[name]
    signature, sections = inspect.signature(function), sections_of(inspect.getdoc(function) or "")
    described = entries_of(sections.get("Parameters", ""))
    parameters = [p for p in signature.parameters if p not in ("self", "cls")]
    assert set(parameters) == set(described), "each parameter, and nothing else, is described"
    for parameter in set(parameters) & set(UNITS):
        assert re.search(UNITS[parameter], described[parameter]), f"{parameter}: no unit"
    result, returned = str(signature.return_annotation), sections.get("Returns", "")
    assert bool(returned) == (result != "None"), "says what comes out"
    if "DataFrame" in result:
        assert re.search(r"[Ii]ndex|[Cc]olumns", returned), "names the shape of what comes out"
    if "GeoDataFrame" in result or "WalkNetwork" in result:
        assert re.search(r"CRS|`crs`|geometry", returned), "names the CRS or geometry of what comes out"
    assert ("Raises" in sections) == (name not in NEVER_RAISES), "says which errors"
    for error in re.findall(r"raise (\w+)\(", inspect.getsource(inspect.unwrap(function))):
        assert re.search(rf"\b{error}\b", sections["Raises"]), f"raises {error} without saying so"


@pytest.mark.parametrize("name", [name for name in PUBLIC if dataclasses.is_dataclass(getattr(xinhe_geo, name))])
def test_help_of_a_value_names_its_fields(name: str) -> None:
    thing = getattr(xinhe_geo, name)
    sections = sections_of(inspect.getdoc(thing) or "")
    described = entries_of(sections.get("Parameters", "") or sections.get("Attributes", ""))
    fields = [field.name for field in dataclasses.fields(thing) if not field.name.startswith("_")]
    assert set(fields) - {"memo", "problems"} <= set(described)


def test_help_of_a_layer_says_what_it_is_in() -> None:
    layers = [name for name, thing in vars(xinhe_geo.District).items() if "GeoDataFrame | None" in returned_by(thing)]
    assert len(layers) >= 12
    for name in layers:
        words = inspect.getdoc(getattr(xinhe_geo.District, name)) or ""
        assert "Index" in words and "`crs`" in words, name


def returned_by(thing: object) -> str:
    """Return what a property gives back, as written; "" where it is none."""
    getter = thing.fget if isinstance(thing, property) else None
    return "" if getter is None else str(inspect.signature(getter).return_annotation)


def test_version_is_the_one_of_the_project() -> None:
    assert xinhe_geo.__version__ == PROJECT["project"]["version"]


@pytest.mark.parametrize("module", [name for name in MODULES if name not in FRONT])
def test_public_functions_are_documented_and_typed(module: str) -> None:
    loaded = importlib.import_module(f"xinhe_geo.{module}")
    assert (loaded.__doc__ or "").strip(), "the module says what it is for"
    for name, thing in vars(loaded).items():
        if name.startswith("_") or getattr(thing, "__module__", None) != loaded.__name__:
            continue
        if inspect.isclass(thing) or inspect.isfunction(thing):
            assert (thing.__doc__ or "").strip(), f"{module}.{name}"
        members = vars(thing).items() if inspect.isclass(thing) else [(name, thing)]
        for member, function in members:
            if member.startswith("_") or not inspect.isfunction(function):
                continue
            assert (function.__doc__ or "").strip(), f"{module}.{name}.{member}"
            assert "return" in function.__annotations__, f"{module}.{name}.{member} does not say what it returns"


def test_types_are_shipped() -> None:
    assert (PACKAGE / "py.typed").exists()


# --- data stays out of the code -------------------------------------------------------------------------------------


@cache
def kind_names() -> set[str]:
    with open(ROOT / "data" / "pois" / "kinds.csv", encoding="utf-8-sig", newline="") as file:
        return {row["kind"] for row in csv.DictReader(file)}


@cache
def place_names() -> set[str]:
    name = tomllib.loads((ROOT / "data" / "district.toml").read_text("utf-8"))["name"]
    return {name, name.removesuffix("街道"), "滨海新区", "天津"}


@pytest.mark.parametrize("module", MODULES)
def test_no_kind_place_or_local_coordinate_system_is_named_in_code(module: str) -> None:
    kinds = kind_names() - MAP_WORDS.get(module, set())
    assert len(kinds) > 10
    for line, text in strings_in_code(tree_of(module)):
        assert text not in kinds, f"{module}.py:{line} names the kind {text}"
        assert not [place for place in place_names() if place in text], f"{module}.py:{line}: {text}"
        codes = set(re.findall(r"EPSG:+(\d{4,6})", text, re.IGNORECASE))
        assert codes <= {"4326"}, f"{module}.py:{line}: EPSG:{codes}"


def shipped_texts() -> list[Path]:
    """Return the text files of the project that a reader or a program gets."""
    kinds = {".py", ".toml", ".md", ".txt", ".yml", ".js", ".css", ".json", ".bat", ".command", ".csv", ".html"}
    folders = ("xinhe_geo", "data", "docs", "tests", "tools", "benchmarks", "notebooks", ".ci")
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*")) if path.is_file()]
    found += [path for path in sorted(ROOT.iterdir()) if path.is_file()]
    return [
        path for path in found if (path.suffix in kinds or path.parent.name == ".ci") and "__pycache__" not in str(path)
    ]


def test_no_path_of_a_machine_is_named() -> None:
    # Spelt in parts, so that this file does not find itself.
    pattern = re.compile(
        "(?<![\\w.$}*])/(?:" + "|".join(("work", "tmp", "root", "home", "Users", "opt")) + ")/[A-Za-z]"
    )
    for path in shipped_texts():
        for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), 1):
            assert not pattern.search(line), f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}"


def test_data_is_declared_and_small() -> None:
    manifest = tomllib.loads((ROOT / "data" / "district.toml").read_text("utf-8"))
    for name, layer in manifest["layers"].items():
        assert (ROOT / "data" / layer["file"]).is_file(), name
        assert {"basis", "source", "licence"} <= set(layer), name
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    # What `shipped_folder` looks for, and what adds receipts up again, come with the library.
    assert wheel["sources"] == {name: f"xinhe_geo/{name}" for name in ("data", "docs", "notebooks", "tools")}
    assert {"data", "docs", "notebooks"} <= set(wheel["only-include"])
    ignored = {".git", ".venv", "output", "wheels", "__pycache__", ".mypy_cache", ".ruff_cache", ".hypothesis", "dist"}
    for path in ROOT.rglob("*"):
        if path.is_file() and not ignored & set(path.relative_to(ROOT).parts):
            assert path.stat().st_size <= 1_000_000, path


# --- one writer ------------------------------------------------------------------------------------------------------

#: What makes a file, or puts one in the place of another; `open` counts where it may write.
WRITING = {
    *("write_bytes", "write_text", "touch", "rename", "replace", "tofile", "fdopen", "mkstemp", "NamedTemporaryFile"),
    *("copy", "copy2", "copyfile", "copytree", "move", "to_csv", "to_excel", "to_file", "to_parquet", "savefig"),
    *("write_dataframe", "SimpleWriter", "Workbook", "ZipFile"),
}
#: What is written elsewhere: whole folders that are exchanged, copies that are judged and thrown away, pipes, a program of its own.
WRITES_ITSELF = {
    "core.files": {"copy2", "replace"},
    "core.strangers": {"fdopen", "open"},  # pipes, and into nothing
    "core.worker": {"open"},  # into nothing
    "district.beside": {"replace"},
    "district.journal": {"replace"},
    "district.own_journals": {"touch"},
    "district.staging": {"copytree", "open", "write_dataframe"},  # copies to try and to judge
    "io.new_folder": {"write_dataframe"},
    "network.osm_file": {"SimpleWriter"},  # a copy to read, in a folder that goes with it
    "report.paper.page": {"savefig"},  # into memory
    "io.split": {"SimpleWriter", "open", "to_csv", "tofile"},
}


def writes_of(tree: ast.Module) -> set[str]:
    """Return which calls of a module write files, outside of what is grown beside its place."""
    grown = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.With) and any(ast.unparse(i.context_expr).startswith("growing(") for i in node.items)
        for inner in ast.walk(node)
    }
    return {
        called(node) for node in ast.walk(tree) if isinstance(node, ast.Call) and id(node) not in grown and writes(node)
    }


def writes(call: ast.Call) -> bool:
    name = called(call)
    if name == "open":  # of `open(path, mode)` and `path.open(mode)`
        modes = [n.value for n in [*call.args, *(k.value for k in call.keywords)] if isinstance(n, ast.Constant)]
        return any(
            isinstance(mode, str) and re.fullmatch("[rwaxbt+]+", mode) and set(mode) & set("wax+") for mode in modes
        )
    if not isinstance(call.func, ast.Attribute) or name not in WRITING:
        return False
    text, first = ast.unparse(call), ast.unparse(call.args[0]) if call.args else ""
    return {
        "replace": text.startswith("os."),
        "rename": text.startswith("os.") or (not call.keywords and first.startswith(("Path(", "path"))),
        "copy": text.startswith("shutil."),
        "move": text.startswith("shutil."),
        "to_csv": bool(call.args),
        "Workbook": not first.startswith("stream"),
        "ZipFile": "'w'" in text and not first.startswith(("buffer", "stream")),
    }.get(name, True)


@pytest.mark.parametrize("module", MODULES)
def test_files_are_written_in_one_place(module: str) -> None:
    assert writes_of(tree_of(module)) == WRITES_ITSELF.get(module, set()), "use core.files"


@pytest.mark.parametrize(
    "line",
    [
        "path.write_text(page, encoding='utf-8')",
        "open(path, 'w')",
        "open(path, mode='ab')",
        "path.open('xb')",
        "os.replace(fresh, path)",
        "frame.to_file(path, driver='GPKG')",
        "table.to_csv(path)",
        "pyogrio.write_dataframe(frame, path)",
        "xlsxwriter.Workbook(path, {})",
        "zipfile.ZipFile(path, 'w')",
        "shutil.copyfile(one, other)",
        "with growing(a):\n    pass\nb.write_bytes(content)",
    ],
)
def test_another_writer_is_seen(line: str) -> None:
    assert writes_of(ast.parse(line))


@pytest.mark.parametrize(
    "line",
    [
        "write_text(path, page)",
        "open(path, 'rb')",
        "path.open(encoding='utf-8-sig', newline='')",
        "table.to_csv(index=False)",
        "text.replace('a', 'b')",
        "with growing(path) as fresh, xlsxwriter.Workbook(fresh, {}) as book:\n    pass",
    ],
)
def test_what_writes_nothing_is_let_be(line: str) -> None:
    assert not writes_of(ast.parse(line))


@pytest.mark.parametrize(
    ("words", "only"),
    [
        ("get_close_matches", {"core.errors"}),
        ("<!DOCTYPE html>", {"core.html", "maps.html_map"}),  # folium puts its own parts into the frame of a map
    ],
)
def test_what_is_written_once_is_written_once(words: str, only: set[str]) -> None:
    assert {m for m in MODULES if words in (PACKAGE / f"{m.replace('.', '/')}.py").read_text("utf-8")} == only


@pytest.mark.parametrize("module", [module for module in MODULES if not module.startswith("core.")])
def test_numbers_are_written_one_way(module: str) -> None:
    """A format of its own would print "nan", and 100 % of what is nearly all."""
    found = [
        f"{node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(tree_of(module))
        if isinstance(node, ast.FormattedValue)
        and node.format_spec is not None
        and re.search(r"^(?!\+).*(,\.\df$|%)$", ast.unparse(node.format_spec).strip("f'\""))
    ]
    assert not found, "use core.amount and core.per_cent"


#: Chinese that is put together and not said: how many texts a module has of it, and why they are the same in both languages.
UNSAID = {
    "app.lessons": (9, "notebooks are in Chinese, and so is what their cells tell"),
    "app.commands.data": (1, "the name of a file"),
    "app.commands.helping": (6, "what the parser says itself in English"),
    "core.errors": (1, "the id of a row without a key, by which it is found again"),
    "core.schema": (1, "what a column is called in Chinese"),
    "core.secrecy_marks": (2, "how markings are written"),
    "district.district": (2, "the Chinese name of a rule; it has one in English beside it"),
    "io.add": (1, "where rows come from, written into the folder"),
    "io.answer_book": (1, "a formula"),
    "io.cells": (3, "how numbers are written"),
    "io.headers": (2, "how headers are written"),
    "io.osm_import": (8, "where a layer comes from, written into the folder"),
    "io.template": (1, "what a template has beside its example, by which that is known"),
    "ledger.panel": (2, "who filled something in, written into the folder"),
    "ledger.plan_text": (3, "how plans write numbers, years and chapters"),
    "ledger.rulebook": (3, "titles of a workbook that is read back, and where it came from"),
    "ledger.targets": (1, "the title of a workbook that is read back"),
    "maps.live_model": (2, "names in a plan that is written"),
    "renewal.accepting": (1, "the title of a workbook that is read back"),
    "renewal.programme": (1, "a key"),
    "report.gis": (4, "names of layers in files"),
    "report.pages.districts": (4, "keys of headers, which are said where they are shown"),
    "report.pages.plans": (2, "names of files"),
    "report.pages.siting": (2, "names of files"),
    "report.paper.public": (3, "the public edition is in Chinese"),
    "report.paper.survey_form": (3, "forms are filled in in Chinese and read back"),
    "report.workbook": (1, "a key of a sheet, which is said where it is shown"),
}


def put_together(tree: ast.Module) -> list[str]:
    """Return the Chinese texts of a module that are put together from values and not said by `say`."""
    said = {
        id(part)
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "say"
        for argument in call.args
        for part in ast.walk(argument)
    }
    return [
        f"{node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr) and id(node) not in said
        if any(isinstance(part, ast.Constant) and HAN.search(str(part.value)) for part in node.values)
    ]


@pytest.mark.parametrize("module", MODULES)
def test_sentences_come_through_the_catalogue(module: str) -> None:
    """Below the pages as well: what is put together in Chinese is Chinese in English too."""
    found = put_together(tree_of(module))
    assert len(found) == UNSAID.get(module, (0, ""))[0], found


@pytest.mark.parametrize(
    ("line", "wrong"),
    [('f"没有 {x}"', True), ('error(f"没有 {x}")', True), ('say("没有 {0}", x)', False), ('f"{a}: {b}"', False)],
)
def test_a_sentence_beside_the_catalogue_is_seen(line: str, wrong: bool) -> None:
    assert bool(put_together(ast.parse(line))) == wrong


# --- style and types ------------------------------------------------------------------------------------------------


def complaints(*command: str) -> str:
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout[-6000:] + done.stderr[-2000:]


def test_style() -> None:
    assert not complaints("ruff", "check", "--no-cache", ".")


def test_format() -> None:
    assert not complaints("ruff", "format", "--no-cache", "--check", ".")


@pytest.mark.slow
def test_types() -> None:
    """What mypy found of modules that have not changed since is kept beside them, as Python keeps what it compiled."""
    assert not complaints("mypy")


def test_git_carries_no_leftovers() -> None:
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files"], capture_output=True, text=True, check=False)
    names = listed.stdout.splitlines()
    assert not [name for name in names if re.search(r"(^|/)(output|\.venv|__pycache__|wheels)/|\.pyc$", name)]


def test_what_workers_begin_with_is_there() -> None:
    """A renamed test would quietly lose its place at the front, and be waited for at the end."""
    for name in conftest.LONGEST:
        file, _, function = name.partition("::")
        text = (ROOT / file).read_text("utf-8")
        assert not function or f"\ndef {function}(" in text, name


def test_of_cases_that_are_dealt_out_the_first_runs_with_all_tests() -> None:
    """And every so many after it; what is quick stays, and what is of the matrix already is not counted."""

    class Case:
        def __init__(self, name: str, *marks: str) -> None:
            self.nodeid = f"tests/test_a.py::test_a[{name}]"
            self.marks = [pytest.mark.one_in(3).mark, *(getattr(pytest.mark, mark).mark for mark in marks)]

        def iter_markers(self, name: str = "") -> Iterator[pytest.Mark]:
            return (mark for mark in self.marks if name in ("", mark.name))

        def add_marker(self, name: str) -> None:
            self.marks.append(getattr(pytest.mark, name).mark)

    cases = [
        Case("quick"),
        *(Case(str(n), "slow") for n in range(4)),
        Case("long", "slow", "matrix"),
        Case("4", "slow"),
    ]
    clock.deal(cases)  # type: ignore[arg-type]
    kept = [case.nodeid for case in cases if not list(case.iter_markers("matrix"))]
    assert [re.findall(r"\[(.+)\]", name)[0] for name in kept] == ["quick", "0", "3"]


def test_what_is_kept_knows_how_homes_are_named() -> None:
    """Words depend on the language and on whether homes are cells: a cached function that says some is told both."""
    spoken = {"say", "renamed", "spoken_script", "wording"}
    wrong = [
        f"{module}.{node.name}"
        for module in MODULES
        for node in ast.walk(tree_of(module))
        if isinstance(node, ast.FunctionDef)
        and any(re.search(r"\b(lru_)?cache\b", ast.unparse(each)) for each in node.decorator_list)
        and {called(each) for each in ast.walk(node) if isinstance(each, ast.Call)} & spoken
        and "cells" not in [each.arg for each in node.args.args]
    ]
    assert not wrong
