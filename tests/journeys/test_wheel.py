"""What is built and installed elsewhere is whole: the wheel has what a checkout has, and names the commands that exist there."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from types import ModuleType

import pytest
import test_front_door

import xinhe_geo as xh
from xinhe_geo import core
from xinhe_geo.app.suite import copy_notebooks
from xinhe_geo.core import shipped

ROOT = Path(__file__).resolve().parents[2]
CARRIED = ("data", "docs", "notebooks")


def files_of(folder: str) -> set[str]:
    """Return the files of a folder that belong to the project."""
    asked = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", folder]
    listed = subprocess.run(asked, capture_output=True, check=False).stdout.decode()
    return {name for name in listed.split("\0") if name and (ROOT / name).is_file()}


def test_commands_are_named_as_they_are_typed_here(monkeypatch: pytest.MonkeyPatch) -> None:
    assert core.has_launcher() and core.as_typed("用 python run.py check") == "用 python run.py check"
    assert "python run.py lab" in core.how_to_install("lab", "lab")
    monkeypatch.setattr(shipped, "has_launcher", lambda: False)
    assert core.as_typed("python run.py check；python run.py lab") == "xinhe-geo check；jupyter lab"
    assert core.how_to_install("lab", "lab") == 'pip install "xinhe-geo[lab]"'
    assert "run.py" not in core.say("已建立街道目录 {}；下一步：python run.py report {}", "a", "b")
    with core.speaking("en"):
        assert "xinhe-geo report b" in core.say("已建立街道目录 {}；下一步：python run.py report {}", "a", "b")


def test_notebooks_are_copied_and_none_that_was_changed_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipped, "has_launcher", lambda: False)
    files = copy_notebooks(tmp_path / "nb")
    assert [file.name for file in files] == sorted(file.name for file in (ROOT / "notebooks").glob("*.ipynb"))
    assert all("run.py" not in file.read_text("utf-8") for file in files)
    assert all(json.loads(file.read_text("utf-8"))["nbformat"] == 4 for file in files)
    for file in files:
        first = json.loads(file.read_text("utf-8"))["cells"][0]
        (name,) = re.findall(r"\(attachment:([^)]+)\)", "".join(first["source"]))
        assert first["attachments"][name]["image/png"] and "../docs" not in "".join(first["source"]), (
            "carries its picture"
        )
    files[1].unlink()
    assert copy_notebooks(tmp_path / "nb") == files, "what is missing comes back"
    files[1].unlink()
    files[2].write_text("{}", "utf-8")
    with pytest.raises(xh.EnvironmentProblem, match=files[2].name):
        copy_notebooks(tmp_path / "nb")
    assert files[2].read_text("utf-8") == "{}" and not files[1].exists(), "nothing is copied over or beside it"
    for lay in (os.mkfifo, lambda path: path.symlink_to(tmp_path / "nowhere")) if os.name != "nt" else ():
        files[2].unlink()
        lay(files[2])
        with pytest.raises(xh.EnvironmentProblem, match=files[2].name):
            copy_notebooks(tmp_path / "nb")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.slow
@pytest.mark.matrix
def test_wheel_and_sdist_hold_everything_and_the_wheel_works_elsewhere(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-d", str(tmp_path / "dist")]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,), (sdist,) = (tmp_path / "dist").glob("*.whl"), (tmp_path / "dist").glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as packed:
        inside = set(packed.namelist())
        packed.extractall(tmp_path / "site")
    for folder in CARRIED:
        assert {f"xinhe_geo/{name}" for name in files_of(folder)} <= inside, folder
    assert files_of("xinhe_geo") | {"xinhe_geo/tools/readd.py"} <= inside
    outside = {name for name in inside if not name.startswith(("xinhe_geo/", "xinhe_geo-"))}
    assert not outside, "nothing else comes into somebody's packages"
    with tarfile.open(sdist) as packed_source:
        names = {name.partition("/")[2] for name in packed_source.getnames()}
    assert {*files_of("xinhe_geo"), *files_of("tests"), "run.py", "pyproject.toml", "LICENSE"} <= names
    assert not [name for name in names | inside if "__pycache__" in name or name.startswith("output/")]

    there = os.environ | {"PYTHONPATH": str(tmp_path / "site"), "PYTHONUTF8": "1", "NUMBA_DISABLE_JIT": "1"}
    for command in (["--help"], ["notebooks", "nb"], ["check"], ["map", "overview", "--out", "map.html"]):
        done = subprocess.run(
            [sys.executable, "-P", "-m", "xinhe_geo", *command],
            cwd=tmp_path,
            env=there,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "run.py" not in done.stdout + done.stderr
    assert (tmp_path / "map.html").is_file() and len(list((tmp_path / "nb").glob("*.ipynb"))) >= 11


# --- wheels of what the library needs ---------------------------------------------------------------------------------


def checker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_wheels", ROOT / "tools" / "check_wheels.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_python_and_system_is_asked_for() -> None:
    tool = checker()
    run = tool.launcher()
    assert tool.pythons(run) == test_front_door.VERSIONS
    assert {run.machine(system).split()[0] for system in tool.SYSTEMS} == {"linux", "windows", "macos"}
    for system in tool.SYSTEMS:
        asked = tool.command(run, system, "3.11", ["numpy"])
        assert "--dry-run" in asked and asked[asked.index("--only-binary") + 1] == ":all:"
        assert json.loads(asked[3])["python_version"] == "3.11"
        assert tool.OTHER_PYTHON in asked[2], "what a package says of Python is judged by that Python too"
