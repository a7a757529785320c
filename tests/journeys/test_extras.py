"""An installation without the office formats: what needs them says so in one message; all else works."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import xinhe_geo as xh
from xinhe_geo.core import needing

ROOT = Path(__file__).resolve().parents[2]
TOY = ROOT / "tests" / "toy"
OFFICE = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]["office"]
IMPORTED_AS = {"python-docx": "docx", "python-pptx": "pptx"}

#: Block imports before anything is loaded, then run commands one after the other, as an interpreter of its own.
WITHOUT = """
import contextlib, io, json, sys
names, commands = json.loads(sys.argv[1])
sys.modules.update(dict.fromkeys(names))
import xinhe_geo as xh
from xinhe_geo.report.paper import sheet, write_brief, write_slides
from xinhe_geo.app.cli import main
assert [getattr(xh, name) for name in xh.__all__]
told = []
for command in commands:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as said:
        code = main(command)
    told.append((code, " ".join(said.getvalue().split())))
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str, Path]]:
    """Return code, message and output of some commands where no office package can be imported."""
    here = tmp_path_factory.mktemp("bare")
    toy = str(shutil.copytree(TOY, here / "toy"))
    (here / "in.dxf").write_text("0\nSECTION\n", "utf-8")
    (here / "in.xls").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
    commands = {
        "word": ["word", toy, "--out", "a.docx"],
        "slides": ["slides", toy, "--out", "a.pptx"],
        "sheet": ["sheet", "overview", toy, "--out", "a.pdf"],
        "dxf": ["dxf", toy, "--out", "a.dxf"],
        "add dxf": ["add", "in.dxf", "--to", toy, "--layer", "homes", "--crs", "4490"],
        "add xls": ["add", "in.xls", "--to", toy, "--layer", "facilities"],
        "report": ["report", toy, "--out", "out"],
    }
    names = [IMPORTED_AS.get(name, name) for name in (Requirement(line).name for line in OFFICE)]
    done = subprocess.run(
        [sys.executable, "-P", "-c", WITHOUT, json.dumps([names, list(commands.values())])],
        cwd=here,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        env=os.environ | {"PYTHONUTF8": "1", "COLUMNS": "400"},
    )
    assert done.returncode == 0, done.stderr
    return {
        name: (code, said, here / command[command.index("--out") + 1] if "--out" in command else Path(toy))
        for (name, command), (code, said) in zip(commands.items(), json.loads(done.stdout), strict=True)
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "package"),
    [
        ("word", "python-docx"),
        ("slides", "python-pptx"),
        ("sheet", "matplotlib"),
        ("dxf", "ezdxf"),
        ("add dxf", "ezdxf"),
        ("add xls", "xlrd"),
    ],
)
def test_a_missing_package_and_its_extra_are_named(
    told: dict[str, tuple[int, str, Path]], command: str, package: str
) -> None:
    code, said, out = told[command]
    assert code == 4, said
    assert f"缺少 {package}。" in said and 'pip install "xinhe-geo[office]"' in said
    assert "Traceback" not in said and not out.is_file()


@pytest.mark.slow
def test_the_report_needs_none_of_them(told: dict[str, tuple[int, str, Path]]) -> None:
    code, said, out = told["report"]
    assert code == 0, said
    for name in ("index.html", "meeting.html", "tables/coverage.xlsx", "gis/coverage.gpkg", "run.json"):
        assert (out / name).stat().st_size > 0, name


def test_the_typeface_is_named_too(monkeypatch: pytest.MonkeyPatch) -> None:
    from xinhe_geo.report.paper import page

    monkeypatch.setitem(sys.modules, "zhplot", None)
    monkeypatch.setattr(page, "packaged_font", page.packaged_font.__wrapped__)  # what was found before does not count
    with pytest.raises(xh.EnvironmentProblem, match=r"缺少 zhplot。.*xinhe-geo\[office\]"):
        page.font_file.__wrapped__()


def test_a_missing_module_of_our_own_is_a_fault_of_ours() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_module"), needing("office", "画图"):
        import xinhe_geo.no_such_module  # noqa: F401
