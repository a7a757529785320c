"""
The notebooks: their house rules, and that each runs from top to bottom, twice alike, with other legal values, and offline.

They are run cell by cell in this process, without Jupyter: what a cell's last line shows is kept as Jupyter would show it.
One is run by Jupyter's own client, where that is installed; `test_lab.py` opens them in JupyterLab.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import importlib.util
import io
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import xinhe_geo as xh

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
NUMBERS = [path.name[:2] for path in NOTEBOOKS]
TOY = str(ROOT / "tests" / "toy")
MOST_LINES, MOST_LINES_A_CELL = 40, 8
CHINESE = re.compile(r"[\u4e00-\u9fff]")
#: Calls that make a figure; each must be kept in a file, shown, and followed by a sentence.
FIGURES = ("xh.draw(", "xh.picture(", "difference(", "walkers(", "parcel_map(", ".bar(")

#: Per notebook and parameter: other legal values. Another district, another city and own rows run with the rest as it stands;
#: of the others the first ones of all parameters run together, then the second ones.
LEGAL: dict[str, dict[str, list[object]]] = {
    "00": {"folder": [TOY], "year": [2025], "planned": [True]},
    "01": {"folder": [TOY], "severity": ["high", "info"]},
    "02": {
        "folder": [TOY],
        "kind": ["nursing_home", "park"],
        "place": [0, 2],
        "minutes": [(7.5,), [20, 10]],
        "profile": ["wheelchair", "bicycle"],
        "frontage_m": [40.0],
    },
    "03": {
        "folder": [TOY],
        "rules": ["td1063", "tiyu"],
        "profile": ["frail"],
        "denominator": ["people_60plus", "homes"],
        "by": ["community", "grid"],
    },
    "04": {
        "folder": [TOY],
        "kind": ["embedded_hub", "canteen"],
        "profile": ["elderly"],
        "year": [2022],
        "top": [3],
    },
    "05": {
        "folder": [str(ROOT / "data")],
        "plan_a": ["plan-2025", "canal-bridge"],
        "plan_b": ["wuchedi-renewal"],
        "rules": ["elderly"],
        "kind": ["canteen"],
        "least": [0],
    },
    "06": {
        "folder": [TOY],
        "kind": ["canteen", "supermarket"],
        "n": [1],
        "model": ["lscp", "p_center"],
        "profile": ["elderly"],
        "weight": ["people_60plus", "homes"],
    },
    "07": {"folder": [TOY], "year": [2025], "commitment": ["I09"]},
    "08": {"folder": [TOY], "preset": ["elderly"], "scenario": ["two-stations"], "papers": [("slides",)]},
    "09": {
        "rows": [[("my-1", "一处", "药店", 117.63, 39.045)]],
        "crs": ["GCJ-02"],
        "checked": ["天地图上抽查过"],
        "kind": ["pharmacy"],
        "take_back": [False],
    },
    "10": {"extract": [None], "kind": ["park"], "profile": ["elderly"]},
    "11": {"folder": [str(ROOT / "data")], "parcel": ["wuchedi", None], "plan": [None], "end_of": [2027]},
    "12": {"folder": [str(ROOT / "data")], "sets": ["完整社区"], "costs": ["low"], "gap": [0]},
    "13": {"folder": [TOY], "preset": ["elderly"], "most": [3], "minutes": [60]},
    "14": {"folder": [TOY], "rules": ["elderly"], "by": ["community"], "kind": ["canteen"], "profile": ["frail"]},
    "15": {
        "folder": [TOY],
        "stops": [("canteen",), ["pharmacy", "market"]],
        "profile": ["frail"],
        "longest": [10.5],
        "rest_after": [5],
        "rest": [1],
    },
    "16": {
        "folder": [TOY],
        "station": ["hospital"],
        "minutes": [7.5],
        "speeds": [(30, 30)],
        "shelters": [("square",)],
        "profile": ["wheelchair"],
    },
    "17": {"folder": [TOY], "spaces": [("fitness",)], "minutes": [10], "profile": ["frail"], "dark": [("steps",), ()]},
    "18": {
        "folder": [TOY],
        "kind": ["pharmacy"],
        "minutes": [(7.5,)],
        "profile": ["adult"],
        "slow": [("steps",)],
        "extra_s": [0],
    },
}
#: Per notebook and parameter: a value that is not legal, and what the message must name.
ILLEGAL: dict[str, dict[str, tuple[object, str]]] = {
    "00": {"folder": ("no-such-folder", "no-such-folder"), "year": (1, "2000"), "planned": ("maybe", "True")},
    "01": {"folder": ("no-such-folder", "no-such-folder"), "severity": ("worst", "high、medium、info")},
    "02": {
        "folder": ("no-such-folder", "no-such-folder"),
        "kind": ("clinic", "clinic_station"),
        "place": (999, "0（全部）到"),
        "minutes": ((0,), "大于 0"),
        "profile": ("oldest", "adult、elderly"),
        "frontage_m": (-1, "大于 0"),
    },
    "03": {
        "folder": ("no-such-folder", "no-such-folder"),
        "rules": ("plans", "plan"),
        "profile": ("oldest", "adult、elderly"),
        "denominator": ("persons", "people"),
        "by": ("city", "community"),
    },
    "04": {
        "folder": ("no-such-folder", "no-such-folder"),
        "kind": ("clinic", "clinic_station"),
        "profile": ("oldest", "adult、elderly"),
        "year": (22, "2000"),
        "top": (0, "大于 0"),
    },
    "05": {
        "folder": ("no-such-folder", "no-such-folder"),
        "plan_a": ("wuchedi", "wuchedi-renewal"),
        "plan_b": ("none", "wuchedi-renewal"),
        "rules": ("plans", "plan"),
        "kind": ("clinic", "clinic_station"),
        "least": (-1, "0 或更大"),
    },
    "06": {
        "folder": ("no-such-folder", "no-such-folder"),
        "kind": ("clinic", "clinic_station"),
        "n": (0, "不小于 1"),
        "model": ("best", "mclp、lscp、p_median、p_center"),
        "profile": ("oldest", "adult、elderly"),
        "weight": ("persons", "people"),
    },
    "07": {"folder": ("no-such-folder", "no-such-folder"), "year": (22, "2000"), "commitment": ("S99", "S19")},
    "08": {
        "folder": ("no-such-folder", "no-such-folder"),
        "preset": ("full", "plan、td1063、elderly"),
        "scenario": ("wuchedi", "wuchedi-renewal"),
        "papers": (("pdf",), "sheet、word、slides"),
    },
    "09": {
        "rows": ([], "每行五项"),
        "crs": ("XYZ", "WGS84、GCJ-02、BD-09"),
        "checked": ("是", "怎么核对的"),
        "kind": ("clinic", "clinic_station"),
        "take_back": ("maybe", "True"),
    },
    "10": {
        "extract": ("atlantis.osm.pbf", "atlantis"),
        "kind": ("clinic", "clinic_station"),
        "profile": ("oldest", "adult"),
    },
    "11": {
        "folder": ("no-such-folder", "no-such-folder"),
        "parcel": ("示例地块", "示例地块甲"),
        "plan": ("wuchedi", "wuchedi-renewal"),
        "end_of": (26, "2000"),
    },
    "12": {
        "folder": ("no-such-folder", "no-such-folder"),
        "sets": ("体检", "城市体检"),
        "costs": ("middle", "high 或 low"),
        "gap": (2, "0 和 1 之间"),
    },
    "13": {
        "folder": ("no-such-folder", "no-such-folder"),
        "preset": ("full", "plan、td1063、elderly"),
        "most": (0, "不小于 1"),
        "minutes": (0, "大于 0"),
    },
    "14": {
        "folder": ("no-such-folder", "no-such-folder"),
        "rules": ("plans", "plan"),
        "by": ("city", "community"),
        "kind": ("clinic", "clinic_station"),
        "profile": ("oldest", "adult、elderly"),
    },
    "15": {
        "folder": ("no-such-folder", "no-such-folder"),
        "stops": ((), "至少写一站"),
        "profile": ("oldest", "adult、elderly"),
        "longest": (0, "大于 0"),
        "rest_after": (0, "大于 0"),
        "rest": (-1, "大于 0"),
    },
    "16": {
        "folder": ("no-such-folder", "no-such-folder"),
        "station": ("fire", "fire_station"),
        "minutes": (0, "大于 0"),
        "speeds": ((40, 20), "慢的在前"),
        "shelters": (("parks",), "park"),
        "profile": ("oldest", "adult、elderly"),
    },
    "17": {
        "folder": ("no-such-folder", "no-such-folder"),
        "spaces": (("parks",), "park"),
        "minutes": (0, "大于 0"),
        "profile": ("oldest", "adult、elderly"),
        "dark": (("alley",), "footway"),
    },
    "18": {
        "folder": ("no-such-folder", "no-such-folder"),
        "kind": ("clinic", "clinic_station"),
        "minutes": ((0,), "大于 0"),
        "profile": ("oldest", "adult、elderly"),
        "slow": (("alley",), "footway"),
        "extra_s": (-1, "0 或更大"),
    },
}


def notebook(number: str) -> Path:
    return next(path for path in NOTEBOOKS if path.name.startswith(number))


def cells_of(path: Path) -> list[dict[str, Any]]:
    cells: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))["cells"]
    return cells


def text_of(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def code_of(path: Path) -> list[str]:
    return [text_of(cell) for cell in cells_of(path) if cell["cell_type"] == "code"]


def is_parameters(cell: dict[str, Any]) -> bool:
    return "parameters" in cell["metadata"].get("tags", [])


def parameters_of(path: Path) -> dict[str, tuple[object, str]]:
    """Return each parameter with its value and the comment above it."""
    cell = next(cell for cell in cells_of(path) if is_parameters(cell))
    lines = text_of(cell).split("\n")
    found: dict[str, tuple[object, str]] = {}
    for node in ast.parse(text_of(cell)).body:
        assert isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name)
        first = node.lineno - 1
        start = first
        while start and lines[start - 1].startswith("#"):
            start -= 1
        found[node.targets[0].id] = (ast.literal_eval(node.value), "\n".join(lines[start:first]))
    return found


# --- house rules ----------------------------------------------------------------------------------------------------


def test_notebooks_are_there_and_numbered() -> None:
    assert len(NUMBERS) >= 10
    assert len(set(NUMBERS)) == len(NUMBERS)
    assert set(LEGAL) == set(ILLEGAL) == set(NUMBERS)
    welcome = text_of(cells_of(notebook("00"))[0])
    assert re.findall(r"\]\((.+?\.ipynb)\)", welcome) == [path.name for path in NOTEBOOKS[1:]]
    guide = next(line for line in welcome.split("\n") if "看现状" in line)
    spans = [(int(first), int(last or first)) for first, last in re.findall(r"(\d\d)(?: 到 (\d\d))?", guide)]
    assert [n for first, last in spans for n in range(first, last + 1)] == [int(number) for number in NUMBERS[1:]]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NUMBERS)
def test_file_is_stripped_and_repeatable(path: Path) -> None:
    text = path.read_text("utf-8")
    book = json.loads(text)
    assert (book["nbformat"], book["nbformat_minor"]) == (4, 5)
    assert book["metadata"]["kernelspec"]["name"] == "python3"
    assert text == json.dumps(book, ensure_ascii=False, indent=1) + "\n", "stored in another form than the others"
    assert [cell["id"] for cell in book["cells"]] == [f"c{i:02d}" for i in range(len(book["cells"]))]
    for cell in book["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NUMBERS)
def test_one_title_one_question(path: Path) -> None:
    cells = cells_of(path)
    prose = "\n".join(text_of(cell) for cell in cells if cell["cell_type"] == "markdown")
    titles = re.findall(r"^# (.+)$", prose, re.MULTILINE)
    assert len(titles) == 1 and text_of(cells[0]).startswith(f"# {titles[0]}")
    assert path.stem == titles[0].replace(" ", "-"), "the file is called as its title"
    assert len(re.findall(r"^\*\*问题：.+？\*\*$", prose, re.MULTILINE)) == 1
    assert re.search(r"\*\*问题：.+？\*\*", text_of(cells[0]))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NUMBERS)
def test_parameters_stand_on_top_and_name_their_legal_values(path: Path) -> None:
    cells = [cell for cell in cells_of(path) if cell["cell_type"] == "code"]
    assert is_parameters(cells[0]) and sum(map(is_parameters, cells)) == 1
    found = parameters_of(path)
    assert set(found) == set(ILLEGAL[path.name[:2]])
    assert set(LEGAL[path.name[:2]]) == set(found)
    for name, (value, comment) in found.items():
        assert CHINESE.search(comment), f"{name}: no Chinese comment above it"
        if isinstance(value, str):
            assert re.search(rf"\b{re.escape(value)}\b", comment), f"{name}: {value} is not among the values named"


@pytest.mark.slow
def test_what_the_comments_name_exists() -> None:
    """A word in a comment that the library would refuse would send a planner into an error."""
    district = xh.District.load()
    plans = {path.stem for path in (district.folder / "scenarios").glob("*.toml")}
    known = {
        "kind": set(district.kinds.index[district.kinds["rule"].notna()]),
        "profile": set(district.profiles.index) | {"None"},
        "rules": set(district.rules["set"]),
        "preset": {"plan", "td1063", "elderly"},
        "plan_a": plans,
        "plan_b": plans,
        "plan": plans,
        "parcel": set(district.parcels.index),
    }
    for path in NOTEBOOKS:
        for name, (_, comment) in parameters_of(path).items():
            named = set(re.findall(r"(?:[：｜]|或 )([a-z][a-z0-9_-]+) [\u4e00-\u9fff]", comment.replace("\n# ", "")))
            if name in known:
                assert named and named <= known[name], f"{path.name} {name}: {sorted(named - known[name])}"
            if name == "profile":
                assert named == known[name] - {"None"}, f"{path.name}: not every kind of walker is named"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NUMBERS)
def test_code_is_short_and_defines_nothing(path: Path) -> None:
    code = [text_of(cell) for cell in cells_of(path) if cell["cell_type"] == "code" and not is_parameters(cell)]
    cells = [[line for line in text.split("\n") if line.strip() and not line.strip().startswith("#")] for text in code]
    assert max(text.count("\n") + 1 for text in code) <= MOST_LINES_A_CELL
    assert sum(map(len, cells)) <= MOST_LINES
    for node in ast.walk(ast.parse("\n".join(code))):
        assert not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda | ast.Try)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NUMBERS)
def test_the_answer_comes_first(path: Path) -> None:
    """Of the first three cells one tells in a sentence what the data say: a title, a table or the names of what was read are no answer."""
    code = [text_of(cell) for cell in cells_of(path) if cell["cell_type"] == "code" and not is_parameters(cell)]
    calls = [node for node in ast.walk(ast.parse("\n".join(code[:3]))) if isinstance(node, ast.Call)]
    said = [call.args[0] for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"]
    assert [what for what in said if not (isinstance(what, ast.Name) and what.id == "desk")]


@pytest.mark.slow
def test_kinds_and_plans_are_named_in_parameters_only() -> None:
    district = xh.District.load()
    names = set(district.kinds.index) | {p.stem for p in (district.folder / "scenarios").glob("*.toml")}
    names |= {district.name, *district.communities["name"], *district.parcels["name"]}
    for path in NOTEBOOKS:
        code = [text_of(cell) for cell in cells_of(path) if cell["cell_type"] == "code" and not is_parameters(cell)]
        said = [node.value for text in code for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)]
        assert not names & {value for value in said if isinstance(value, str)}, path.name


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NUMBERS)
def test_every_figure_is_kept_and_explained(path: Path) -> None:
    cells = cells_of(path)
    figures = 0
    for number, cell in enumerate(cells):
        text = text_of(cell)
        if cell["cell_type"] == "code" and number > 2:  # title, parameters, opening the district
            assert cells[number + 1]["cell_type"] == "markdown", f"{path.name}: nothing said after cell {number}"
            assert CHINESE.search(text_of(cells[number + 1]))
        if cell["cell_type"] != "code" or not any(word in text for word in FIGURES):
            continue
        figures += 1
        assert "desk.show(" in text, f"{path.name}: a figure is not kept in a file"
        below = text_of(cells[number + 1])
        assert re.match(r"\*\*图 \d+　.+?\*\*", below), f"{path.name}: no caption under cell {number}"
        assert "依据：" in below and below.rstrip().endswith("。")
        assert f"图 {figures}　" in below
    assert figures


# --- running --------------------------------------------------------------------------------------------------------


def shown(thing: object) -> str:
    """Return what Jupyter would show."""
    return thing._repr_html_() if hasattr(thing, "_repr_html_") else repr(thing)


def run(path: Path, **parameters: object) -> list[str]:
    """Run a notebook in the working folder with other parameters; return what its cells print and show."""
    found: list[str] = []
    names: dict[str, Any] = {"__name__": "__main__", "display": lambda thing: found.append(shown(thing))}
    for cell in cells_of(path):
        if cell["cell_type"] != "code":
            continue
        tree = ast.parse(text_of(cell))
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(tree, path.name, "exec"), names)
            value = None if last is None else eval(compile(ast.Expression(last.value), path.name, "eval"), names)
        found += [text for text in (printed.getvalue(), shown(value) if value is not None else "") if text]
        if is_parameters(cell):
            assert set(parameters) <= set(names), "no such parameter"
            names |= parameters
    return found


def files_under(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a fresh folder for outputs, standing where a notebook of a clone stands."""
    (tmp_path / "clone" / "notebooks").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "clone" / "notebooks")
    yield tmp_path / "clone" / "output"
    pd.reset_option("styler")


@pytest.mark.slow
@pytest.mark.one_in(9)
@pytest.mark.parametrize("times", [1, pytest.param(2, marks=pytest.mark.matrix)])
@pytest.mark.parametrize("number", NUMBERS)
def test_runs_and_again_with_equal_results(number: str, times: int, desk: Path) -> None:
    first = run(notebook(number))
    kept = files_under(desk)
    for _ in range(1, times):
        assert run(notebook(number)) == first
        assert files_under(desk) == kept
    said = "\n".join(first)
    headings = re.findall(r"<th[^>]*>([^<]+)</th>", said)
    assert [heading for heading in headings if not CHINESE.search(heading)] == []
    assert len(kept) >= 1 and any(name.startswith(f"notebooks/{number}-") for name in kept)
    assert "srcdoc=" in said, "no map shown"
    for path in desk.rglob("*.html"):
        loads = re.findall(
            r"<(?:script|link|img|iframe)[^>]+(?:src|href)=[\"'](?!data:|#)([^\"']+)", path.read_text("utf-8")
        )
        assert not loads, f"{path.name} loads {loads}"


#: What other values may not fit to: a plan or a kind that one district has, another may lack.
BY_ITSELF = ("folder", "rows")


def legal_sets() -> Iterator[Any]:
    """Yield values that are given to a notebook together, until each legal value was given."""
    for number, legal in LEGAL.items():
        for name in (name for name in BY_ITSELF if name in legal):
            for value in legal[name]:
                whole = (
                    [] if value == TOY else [pytest.mark.matrix]
                )  # the bundled district, which they run with as they stand
                yield pytest.param(number, {name: value}, id=f"{number}-{name}-{Path(str(value)).name}", marks=whole)
        free = {name: values for name, values in legal.items() if name not in BY_ITSELF}
        for turn in range(max(map(len, free.values()))):
            yield pytest.param(
                number,
                {name: values[turn] for name, values in free.items() if turn < len(values)},
                id=f"{number}-{turn}",
                marks=pytest.mark.matrix,
            )


@pytest.mark.slow
@pytest.mark.one_in(4)
@pytest.mark.parametrize(("number", "values"), list(legal_sets()))
def test_other_legal_values_run(number: str, values: dict[str, object], desk: Path) -> None:
    assert "srcdoc=" in "\n".join(run(notebook(number), **values))


@pytest.mark.slow
@pytest.mark.one_in(10)
@pytest.mark.parametrize("illegal", [(number, name) for number in ILLEGAL for name in ILLEGAL[number]], ids="-".join)
def test_an_illegal_value_gives_one_clear_message(illegal: tuple[str, str], desk: Path) -> None:
    number, name = illegal
    value, named = ILLEGAL[number][name]
    with pytest.raises((xh.XinheError, ValueError)) as caught:
        run(notebook(number), **{name: value})
    message = str(caught.value)
    assert named in message and CHINESE.search(message)


# --- in Jupyter itself ----------------------------------------------------------------------------------------------

#: Runs in every kernel before the first cell: nothing but this computer itself may be spoken to.
OFFLINE = """
import socket
def _loopback_only(connect):
    def checked(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise OSError(f"offline: {address}")
        return connect(self, address)
    return checked
socket.socket.connect = _loopback_only(socket.socket.connect)
socket.socket.connect_ex = _loopback_only(socket.socket.connect_ex)
"""


def jupyter_environment(folder: Path) -> dict[str, str]:
    """Return an environment in which kernels are offline and nobody's own Jupyter settings count."""
    startup = folder / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True, exist_ok=True)
    (startup / "00-offline.py").write_text(OFFLINE, "utf-8")
    own = {f"JUPYTER_{name}_DIR": str(folder / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    own |= {"IPYTHONDIR": str(folder / "ipython"), "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings")}
    own |= {"JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"), "PYTHONPATH": str(ROOT)}
    return os.environ | own


@pytest.mark.slow
@pytest.mark.matrix
@pytest.mark.skipif(importlib.util.find_spec("nbclient") is None, reason="Jupyter is not installed (extra: lab)")
def test_jupyter_runs_the_first_notebook(desk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import nbclient
    import nbformat

    for name, value in jupyter_environment(tmp_path / "jupyter").items():
        monkeypatch.setenv(name, value)
    book = nbformat.read(notebook("00"), as_version=4)
    nbformat.validate(book)
    client = nbclient.NotebookClient(
        book, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(Path.cwd())}}
    )
    client.execute()
    outputs = [output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "stream" and output.name == "stderr"]
    shown_html = [o["data"]["text/html"] for o in outputs if "text/html" in o.get("data", {})]
    assert sum("srcdoc=" in text for text in shown_html) == 2
    assert (desk / "notebooks" / "00-现状总图.html").is_file()


# --- the tutorial ---------------------------------------------------------------------------------------------------


def test_the_tutorial_names_every_notebook() -> None:
    text = (ROOT / "docs" / "tutorial.md").read_text("utf-8")
    assert {number for number in NUMBERS if re.search(rf"^## .*（{number}）$", text, re.MULTILINE)} == set(NUMBERS)
    for picture in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text):
        assert (ROOT / "docs" / picture).is_file(), picture


#: Calls of the tutorial that take longest; each has tests of its own.
LONG = (
    "xh.brief(",
    "xh.robustness(",
    "xh.programme(",
    "links(",
    "provision(",
    "chain(",
    "ledger(",
    "template(",
    "curve(",
)


@pytest.mark.slow
@pytest.mark.parametrize("left_out", [LONG, pytest.param((), marks=pytest.mark.matrix)], ids=["most", "all"])
def test_the_lines_of_the_tutorial_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left_out: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for block in re.findall(r"^```python\n(.+?)^```", (ROOT / "docs" / "tutorial.md").read_text("utf-8"), re.M | re.S):
        if not any(call in block for call in left_out):
            exec(compile(block, "tutorial.md", "exec"), names)
    assert (tmp_path / "output" / "老年人步行范围.html").is_file()
    assert left_out or (tmp_path / "output" / "index.html").is_file()
    assert names["best"]["share_after"].iloc[-1] >= names["best"]["share_before"].iloc[0]
