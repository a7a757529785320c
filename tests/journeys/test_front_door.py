"""The front door: the launcher repairs what it finds, passes on what it is told, and the papers beside it are true."""

from __future__ import annotations

import ast
import contextlib
import importlib.metadata
import importlib.util
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote

import pytest
import typer
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import xinhe_geo
from xinhe_geo.app.cli import app
from xinhe_geo.app.commands.helping import columns
from xinhe_geo.core.schema import LAYERS

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
READMES = ("README.md", "README.zh-CN.md")
EXTRAS: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]
VERSIONS = ["3.11", "3.12", "3.13", "3.14"]


def load_launcher(folder: Path) -> ModuleType:
    """Import the run.py that lies in `folder`."""
    spec = importlib.util.spec_from_file_location("launcher", folder / "run.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the launcher of a project in an empty folder; making environments and pip are replaced by quick fakes."""
    (tmp_path / "pyproject.toml").write_text("[project]\n", "utf-8")
    (tmp_path / "constraints.txt").write_text("", "utf-8")
    shutil.copy(ROOT / "run.py", tmp_path)
    module = load_launcher(tmp_path)
    module.done = []  # type: ignore[attr-defined]

    def make() -> None:
        shutil.rmtree(module.ENV, ignore_errors=True)
        module.PYTHON.parent.mkdir(parents=True)
        module.PYTHON.write_text("", "utf-8")
        (module.ENV / "pyvenv.cfg").write_text(f"home = {tmp_path}\n", "utf-8")
        module.done.append("made")

    monkeypatch.setattr(module, "make_environment", make)
    monkeypatch.setattr(module, "pip", lambda *arguments, **_: module.done.append(arguments[-1]))
    monkeypatch.setattr(module, "call", lambda *arguments: module.done.append(arguments) or 0)
    return module


# --- when is everything in place? -----------------------------------------------------------------------------------


def test_first_start_makes_and_installs_and_the_second_does_neither(run: ModuleType) -> None:
    run.ensure()
    assert run.done == ["made", ".[office]"]
    run.ensure()
    assert run.done == ["made", ".[office]"]


def test_extras_are_added_in_place_and_kept(run: ModuleType) -> None:
    run.ensure()
    run.ensure("dev")
    run.ensure("lab")
    run.ensure("dev", "lab")
    run.ensure()
    assert run.done == ["made", ".[office]", ".[dev,office]", ".[dev,lab,office]"]


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_a_changed_project_is_installed_again_without_a_new_environment(run: ModuleType, name: str) -> None:
    run.ensure("dev")
    (run.ROOT / name).write_text("# changed\n", "utf-8")
    run.ensure()
    assert run.done == ["made", ".[dev,office]", ".[dev,office]"]


def break_stamp(run: ModuleType) -> None:
    run.STAMP.write_text("{ half a", "utf-8")


def drop_stamp(run: ModuleType) -> None:
    run.STAMP.unlink()


def drop_python(run: ModuleType) -> None:
    run.PYTHON.unlink()


def uninstall_base(run: ModuleType) -> None:
    (run.ENV / "pyvenv.cfg").write_text("home = /no/such/python\n", "utf-8")


def other_python(run: ModuleType) -> None:
    stamp = json.loads(run.STAMP.read_text("utf-8"))
    stamp["environment"][1] = "3.10"
    run.STAMP.write_text(json.dumps(stamp), "utf-8")


def other_folder(run: ModuleType) -> None:
    run.STAMP.write_text(run.STAMP.read_text("utf-8").replace(run.ENV.as_posix(), "/elsewhere/.venv"), "utf-8")


@pytest.mark.parametrize(
    "damage",
    [break_stamp, drop_stamp, drop_python, uninstall_base, other_python, other_folder],
    ids=lambda f: f.__name__,
)
def test_a_damaged_or_moved_environment_is_rebuilt(run: ModuleType, damage: Callable[[ModuleType], None]) -> None:
    run.ensure()
    damage(run)
    assert not run.ready()
    run.ensure()
    assert run.done == ["made", ".[office]", "made", ".[office]"]
    assert run.ready()


@pytest.mark.parametrize("stop", [KeyboardInterrupt, None], ids=["ctrl-c", "pip-fails"])
def test_an_install_cut_short_leaves_no_stamp(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch, stop: type[BaseException] | None
) -> None:
    good = run.pip

    def broken(*_: str) -> None:
        raise stop or run.Trouble("no network")

    monkeypatch.setattr(run, "pip", broken)
    assert run.main(["report"]) == (run.INTERRUPTED if stop else run.BAD_ENVIRONMENT)
    assert not run.STAMP.exists()
    monkeypatch.setattr(run, "pip", good)
    assert run.main(["report"]) == 0
    assert run.done == ["made", "made", ".[office]", ("-P", "-m", "xinhe_geo", "report")]


@pytest.mark.parametrize("intact", [True, False])
def test_failing_to_add_an_extra_keeps_what_worked(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch, intact: bool
) -> None:
    run.ensure()

    def broken(*_: str) -> None:
        raise run.Trouble("no network")

    monkeypatch.setattr(run, "pip", broken)
    monkeypatch.setattr(run, "run_quietly", lambda *_: intact)
    assert run.main(["lab"]) == run.BAD_ENVIRONMENT
    assert run.ready() is intact
    assert not run.ready(["lab"])


@pytest.mark.slow
def test_installing_runs_nothing_of_the_folder_one_stands_in(
    run: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`python -m pip` takes a `pip.py` that lies here before the true one."""
    launcher, here = load_launcher(tmp_path), tmp_path / "here"
    here.mkdir()
    for name in ("pip", "virtualenv", "json", "encodings"):
        (here / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'a').write({name!r})", "utf-8")
    monkeypatch.chdir(here)
    monkeypatch.setattr(launcher, "PYTHON", Path(sys.executable))
    assert launcher.run_quietly("-m", "pip", "--version")
    there = importlib.util.find_spec
    lacking = {"venv": None, "virtualenv": there("json")}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: lacking.get(name, there("json")))
    with contextlib.suppress(launcher.Trouble):
        launcher.make_environment()
    assert not (tmp_path / "ran").exists()


def test_one_start_at_a_time_installs(run: ModuleType) -> None:
    with run.locked(), open(run.LOCK, "ab") as second:
        assert not run.take_lock(second.fileno())
    with open(run.LOCK, "ab") as second:
        assert run.take_lock(second.fileno())


def test_a_folder_that_cannot_be_written_to_is_named(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "LOCK", run.ROOT / "absent" / ".venv.lock")
    assert run.main([]) == run.BAD_ENVIRONMENT
    assert str(run.ROOT) in capsys.readouterr().err


# --- what is run ----------------------------------------------------------------------------------------------------


def test_no_argument_is_the_report_into_the_projects_own_output(run: ModuleType) -> None:
    assert run.main([]) == 0
    assert run.done[-1] == ("-P", "-m", "xinhe_geo", "report", "--out", str(run.ROOT / "output"))


def test_other_commands_pass_through_unchanged(run: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    given = ["import", "../城市 数据.osm.pbf", "--out", "我的 街道", "--help"]
    assert run.main(given) == 0
    assert run.done[-1] == ("-P", "-m", "xinhe_geo", *given)
    monkeypatch.setattr(run, "call", lambda *_: 3)
    assert run.main(["check", "x"]) == 3


def test_help_installs_nothing(run: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["--help"]) == 0
    assert run.done == []
    said = capsys.readouterr().out
    assert "python run.py lab" in said and "python3" in said
    assert max(map(columns, said.splitlines())) <= 80


SPREAD = ["-n", str((os.cpu_count() or 1) + 1), "--dist", "loadfile"]
QUICK = ["-m", "(not slow) and not browser and not matrix", "--trials=10"]
ALL = ["-m", "not matrix", "--trials=30"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], [*QUICK, *SPREAD, "{root}/tests"]),
        (["--all"], [*ALL, *SPREAD, "{root}/tests"]),
        (["--matrix"], [*SPREAD, "{root}/tests"]),
        (["-k", "st", "-x"], [*QUICK, *SPREAD, "-k", "st", "-x", "{root}/tests"]),
        (["-m", "slow", "-n0"], ["-m", "slow", "-n0", "{root}/tests"]),
        (["some.py::test_a"], [*QUICK, "some.py::test_a"]),
        (["some.py::test_a", "--all"], [*ALL, "some.py::test_a"]),
    ],
)
def test_what_pytest_is_given(
    run: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: list[str], expected: list[str]
) -> None:
    monkeypatch.setattr(run, "changed_packages", list)
    here = tmp_path / "别处"
    here.mkdir()
    (here / "some.py").touch()
    monkeypatch.chdir(here)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert run.main(["test", *given]) == 0
    assert "PYTHONDONTWRITEBYTECODE" not in run.child_environment(), "a test that starts programs would compile it all"
    fixed = ["-m", "pytest", "--rootdir", str(run.ROOT), "-c", str(run.ROOT / "pyproject.toml")]
    wanted = [part.replace("{root}/tests", str(run.ROOT / "tests")) for part in expected]
    assert list(run.done[-1]) == fixed + wanted
    assert run.done[-2] == f".[{','.join(sorted(EXTRAS))}]", "nothing is skipped for want of a package"


def test_slow_tests_of_what_is_being_changed_run_too(
    run: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Changed, new and staged files count, of the library and of its tests; documents, and what git was given, do not."""
    if shutil.which("git") is None:
        pytest.skip("no git on this machine")
    monkeypatch.setattr(run, "ROOT", tmp_path)
    assert run.changed_packages() == [], "without git nobody knows"
    for name in ("access", "io", "network"):
        for folder in (f"xinhe_geo/{name}", f"tests/{name}"):
            (tmp_path / folder).mkdir(parents=True)
            (tmp_path / folder / "a.py").write_text("1\n", "utf-8")

    def git(*arguments: str) -> None:
        who = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *who, *arguments], cwd=tmp_path, check=True, capture_output=True)

    git("init")
    git("add", ".")
    git("commit", "-m", "all")
    assert run.changed_packages() == []
    (tmp_path / "xinhe_geo" / "network" / "a.py").write_text("2\n", "utf-8")
    (tmp_path / "tests" / "io" / "新 的.py").write_text("1\n", "utf-8")
    (tmp_path / "tests" / "conftest.py").write_text("1\n", "utf-8")
    (tmp_path / "README.md").write_text("1\n", "utf-8")
    git("add", "xinhe_geo")
    assert run.changed_packages() == ["io", "network"]
    assert run.main(["test"]) == 0
    wanted = "(not slow or io or network) and not browser and not matrix"
    assert wanted in run.done[-1] and "io、network" in capsys.readouterr().err


def test_nothing_is_skipped_here_for_want_of_a_package() -> None:
    """Tests of an extra skip themselves where it is missing; this one says so, where `run.py test` has started them."""
    wanted = [Requirement(line) for lines in EXTRAS.values() for line in lines]
    assert [one.name for one in wanted if one.marker is None or one.marker.evaluate()] == [
        one.name for one in wanted if importlib.metadata.version(one.name) in one.specifier
    ]


def test_the_continuous_check_runs_what_the_readme_says_and_then_every_test() -> None:
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    started = re.findall(r'^(?:exec )?"\$python" (run\.py.*?) </dev/null$', script, re.MULTILINE)
    readme = (ROOT / "README.md").read_text("utf-8")
    two = re.findall(r"^python (run\.py(?: \w+)*)  ", readme, re.MULTILINE)
    assert started == [*two, "run.py test --all"] and len(two) == 2
    assert script.index("rm -rf .venv") < script.index(started[0])
    flow = yaml.safe_load((ROOT / ".github" / "workflows" / "check.yml").read_text("utf-8"))
    steps = [step["run"] for step in flow["jobs"]["readme"]["steps"] if "run" in step]
    assert steps == [f"python {line}" for line in two]


def test_the_workflow_tries_the_versions_that_the_project_names() -> None:
    flow = yaml.safe_load((ROOT / ".github" / "workflows" / "check.yml").read_text("utf-8"))
    matrix = flow["jobs"]["readme"]["strategy"]["matrix"]
    named = [line.rpartition(" :: ")[2] for line in PROJECT["project"]["classifiers"] if ":: Python :: 3." in line]
    assert matrix["python"] == named == VERSIONS
    assert {name.partition("-")[0] for name in matrix["os"]} == {"ubuntu", "windows", "macos"}
    (solved,) = [step for step in flow["jobs"]["conda"]["steps"] if "with" in step]
    assert (ROOT / solved["with"]["environment-file"]).is_file()


def test_lab_listens_on_this_computer_only_and_speaks_chinese(run: ModuleType) -> None:
    assert run.main(["lab"]) == 0
    assert run.done[-1][:3] == ("-P", str(run.ROOT / "tools" / "serve.py"), "lab")
    assert "--ServerApp.ip=127.0.0.1" in run.done[-1]
    assert f"--ServerApp.root_dir={run.ROOT}" in run.done[-1]
    opened = next(part for part in run.done[-1] if part.startswith("--LabApp.default_url=/lab/tree/"))
    assert (ROOT / unquote(opened.partition("/lab/tree/")[2])).is_file(), "the welcome notebook"
    settings = json.loads(next(run.ENV.rglob("overrides.json")).read_text("utf-8"))
    assert settings["@jupyterlab/translation-extension:plugin"]["locale"] == "zh_CN"
    run.main(["lab", "my.ipynb"])
    assert not [part for part in run.done[-1] if "root_dir" in part]
    assert run.done[-1][-1] == "my.ipynb"


def test_app_shows_one_district_on_this_computer_only(
    run: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JUPYTER_PATH", "mine")
    monkeypatch.setenv("XINHE_FOLDER", "")
    assert run.main(["app"]) == 0
    assert run.done[-2] == ".[lab,office]"
    serve, page = run.ROOT / "tools" / "serve.py", run.ROOT / "xinhe_geo" / "app" / "web" / "app.ipynb"
    assert run.done[-1][:4] == ("-P", str(serve), "app", str(page)) and (ROOT / "tools" / "serve.py").is_file()
    assert "--Voila.ip=127.0.0.1" in run.done[-1] and "--VoilaConfiguration.template=xinhe" in run.done[-1]
    assert os.environ["XINHE_FOLDER"] == ""
    assert os.environ["JUPYTER_PATH"].split(os.pathsep) == [str(run.ROOT / "xinhe_geo" / "app" / "web"), "mine"]
    own = tmp_path / "我的街道"
    own.mkdir()
    (run.ROOT / run.MARKS).parent.mkdir(parents=True)
    shutil.copy(ROOT / run.MARKS, run.ROOT / run.MARKS)
    count = len(run.done)
    assert run.main(["app", str(own)]) == 3 and "district.toml" in capsys.readouterr().err
    assert run.main(["app", str(own), str(own)]) == 2
    assert len(run.done) == count, "nothing was started"
    for text in (
        "[[[",
        'secrecy = "机密★10年"',
        'secrecy = "机蜜"',
        'secret_outputs = "x"\n[layers.homes]\nsecrecy = 5',
    ):
        (own / "district.toml").write_text(text, "utf-8")
        assert run.main(["app", str(own)]) == 3 and "secret_outputs" in capsys.readouterr().err
    assert len(run.done) == count, "nothing was started"
    (own / "district.toml").write_text("", "utf-8")
    assert run.main(["app", str(own), "--no-browser"]) == 0
    assert os.environ["XINHE_FOLDER"] == str(own.resolve()) and run.done[-1][-1] == "--no-browser"


def test_the_page_of_the_app_is_there() -> None:
    web = ROOT / "xinhe_geo" / "app" / "web"
    book = json.loads((web / "app.ipynb").read_text("utf-8"))
    assert "xh.live(" in "".join(book["cells"][0]["source"]) and book["cells"][0]["outputs"] == []
    for file in (web / "voila" / "templates" / "xinhe").iterdir():
        assert "http" not in file.read_text("utf-8")


def test_notebook_is_the_librarys_command_on_the_projects_notebooks(run: ModuleType) -> None:
    assert run.main(["notebook", "03", "-p", "profile=elderly"]) == 0
    assert run.done[-2] == ".[lab,office]"
    fixed = ("-P", "-m", "xinhe_geo", "notebook")
    assert run.done[-1] == (*fixed, "03", "-p", "profile=elderly", "--from", str(run.ROOT / "notebooks"))
    run.main(["notebook", "03", "--from", "mine"])
    assert run.done[-1] == (*fixed, "03", "--from", "mine")


def test_settings_of_other_pythons_stay_outside(run: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHOME", "/gis/python")
    monkeypatch.setenv("PYTHONPATH", "/gis/lib")
    monkeypatch.setenv("PIP_INDEX_URL", "mirror")
    child = run.child_environment()
    assert "PYTHONHOME" not in child and "PYTHONPATH" not in child
    assert child["PYTHONUTF8"] == "1"
    assert child["PIP_INDEX_URL"] == "mirror"


# --- a copy that can only be read --------------------------------------------------------------------------------------


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with the launcher in which nothing can be made, whoever asks; the user's own folder is elsewhere."""
    share = tmp_path / "share"
    share.mkdir()
    for name in ("pyproject.toml", "constraints.txt"):
        (share / name).touch()
    shutil.copy(ROOT / "run.py", share)
    own = tempfile.TemporaryFile

    def make(*given: Any, **said: Any) -> Any:
        if Path(str(said.get("dir"))) == share:
            raise PermissionError(13, "read-only", str(share))
        return own(*given, **said)

    monkeypatch.setattr(tempfile, "TemporaryFile", make)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "cache"))
    return share


def test_a_read_only_copy_keeps_everything_in_the_users_folder(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(shared.rglob("*"))
    run = load_launcher(shared)
    monkeypatch.chdir(tmp_path)
    done: list[Any] = []

    def make() -> None:
        run.PYTHON.parent.mkdir(parents=True)
        run.PYTHON.touch()
        (run.ENV / "pyvenv.cfg").write_text(f"home = {tmp_path}\n", "utf-8")

    monkeypatch.setattr(run, "make_environment", make)
    monkeypatch.setattr(run, "pip", lambda *_, **__: None)
    monkeypatch.setattr(run, "call", lambda *given: done.append(given) or 0)
    assert run.main([]) == 0
    assert run.ENV.is_relative_to(tmp_path / "cache") and run.ready()
    assert done == [("-P", "-m", "xinhe_geo", "report", "--out", str(tmp_path / "output"))]
    assert "只读" in capsys.readouterr().err
    child = run.child_environment()
    assert {child["PYTHONPYCACHEPREFIX"], child["NUMBA_CACHE_DIR"]} == {str(run.ROOM / "compiled")}
    assert [p for p in sorted(shared.rglob("*")) if "__pycache__" not in p.parts] == before


def test_a_share_with_an_environment_of_this_python_is_used_as_it_is(shared: Path) -> None:
    env = shared / ".venv"
    env.mkdir()
    made = load_launcher(shared).environment()[:3]
    stamp = {"environment": [*made, str(env)]}
    (env / "xinhe-ready.json").write_text(json.dumps(stamp), "utf-8")
    assert env == load_launcher(shared).ENV
    stamp["environment"][1] = "3.0"
    (env / "xinhe-ready.json").write_text(json.dumps(stamp), "utf-8")
    assert env != load_launcher(shared).ENV


def test_a_python_that_nobody_has_tried_is_said(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ".".join(map(str, run.TRIED)) == VERSIONS[-1]
    monkeypatch.setattr(run, "TRIED", (3, 10))
    run.ensure()
    said = capsys.readouterr().err
    assert "比试过的 3.10 新" in said and "300 MB" in said


@pytest.mark.parametrize("said", ["ERROR: No matching distribution found for numba", "ERROR: Failed to build 'numba'"])
def test_a_python_without_packages_is_named_as_the_reason(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    assert "太新" not in run.hint(said), "a Python that was tried is not the reason"
    monkeypatch.setattr(run, "TRIED", (3, 10))
    assert "太新" in run.hint(said) and "Python 3.10" in run.hint(said)
    assert "磁盘满了" in run.hint("Errno 28")


def test_what_the_computer_refuses_is_said_in_chinese_first(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device", "x")

    monkeypatch.setattr(run, "pip", fail)
    assert run.main(["check"]) == 4
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("电脑不让做这一步") and "磁盘满了" in said


def test_progress_says_what_and_how_long_where_nobody_can_see_it_move(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False, raising=False)
    clock = iter(range(0, 1000, 9))
    monkeypatch.setattr(run.time, "monotonic", lambda: float(next(clock)))
    for line in ("Collecting numpy>=2 (from x)", "", "", "", "", "Downloading numpy-2.whl (17.1 MB)", "", "", "", ""):
        run.show_progress(line)
    said = capsys.readouterr().err
    assert "第 1 个，查找" in said and "（17.1 MB）" in said and "秒" in said
    assert len(said.splitlines()) < 8, "now and then, not line by line"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("Collecting nbconvert>=7.16,!=7.17,<9 (from xinhe-geo==1.0)", ("查找", "nbconvert>=7.16")),
        ("  Downloading openpyxl-3.1.5-py2.py3-none-any.whl (250 kB)", ("下载", "openpyxl-3.1.5（250 kB）")),
        (f"  Using cached {'long_' * 9}name-2026.11.30-cp311-cp311-manylinux_2_28.whl (116.3 MB)", ("（116.3 MB）",)),
        (f"Installing collected packages: {'a, ' * 170}b", ("正在安装 171 个",)),
    ],
)
def test_progress_is_never_cut_and_never_wider_than_a_window(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], line: str, words: tuple[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    clock = iter((2.0, 2.0, 1200.0))
    monkeypatch.setattr(run.time, "monotonic", lambda: next(clock))
    run.NOW.update(packages=120, began=0.0)
    run.show_progress(line)
    run.show_progress("")
    said = capsys.readouterr().err.split("\r\033[K")
    assert all(word in shown for word in words for shown in said[1:])
    assert said[-1].endswith("，已 1200 秒") and max(map(columns, said)) < 80


# --- messages -------------------------------------------------------------------------------------------------------


def test_a_python_without_venv_is_told_what_to_install(tmp_path: Path) -> None:
    shutil.copy(ROOT / "run.py", tmp_path)
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).touch()
    # What Debian does: the module `venv` is there, the package that fills an environment is not.
    code = "import runpy, sys; sys.modules['ensurepip'] = None; runpy.run_path(sys.argv[1], run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "run.py")],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=os.environ | {"PYTHONUTF8": "1"},
        check=False,
    )
    assert done.returncode == 4
    assert "缺少 ensurepip" in done.stderr
    assert "sudo" not in done.stderr and "--user virtualenv" in done.stderr and "conda" in done.stderr
    if shutil.which("apt-get"):
        assert f"python3.{sys.version_info.minor}-venv" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / ".venv").exists()


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (subprocess.CalledProcessError(1, "ensurepip"), "缺少 ensurepip"),
        (SystemExit(1), "缺少 ensurepip"),
        (subprocess.CalledProcessError(1, "ensurepip", b"OSError: [Errno 28] No space left on device"), "磁盘满了"),
    ],
)
def test_a_venv_that_cannot_be_filled_says_why(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    failure: BaseException,
    words: str,
) -> None:
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).touch()
    shutil.copy(ROOT / "run.py", tmp_path)
    launcher = load_launcher(tmp_path)

    def fail(*_: object) -> None:
        raise failure

    monkeypatch.setattr("venv.EnvBuilder.create", fail)
    assert launcher.main(["report"]) == 4
    said = capsys.readouterr().err
    assert words in said and ("缺少" in said) == ("缺少" in words)


def test_a_program_that_says_nothing_for_a_while_is_heard_of_every_second(run: ModuleType) -> None:
    code = "import time; print('one', flush=True); time.sleep(1.5); print('two')"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        lines = list(run.lines_of(process))
    assert [line for line in lines if line] == ["one\n", "two\n"]
    assert "" in lines[lines.index("one\n") : lines.index("two\n")]


def test_an_old_python_is_told_which_one_is_needed() -> None:
    code = "import runpy, sys; sys.version_info = (3, 8, 10); runpy.run_path(sys.argv[1], run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", code, str(ROOT / "run.py")],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=os.environ | {"PYTHONUTF8": "1"},
        check=False,
    )
    assert done.returncode == 4
    assert "需要 Python 3.11" in done.stderr and "needs Python 3.11" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_an_old_python_can_read_the_launcher() -> None:
    ast.parse((ROOT / "run.py").read_text("utf-8"), feature_version=(3, 7))


def test_the_launcher_needs_only_the_standard_library() -> None:
    tree = ast.parse((ROOT / "run.py").read_text("utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("OSError: [Errno 28] No space left on device", "磁盘满了"),
        ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]", "证书"),
        ("Failed to establish a new connection: [Errno -3] Temporary failure in name resolution", "镜像"),
        ("ERROR: No matching distribution found for geopandas==1.2.0", "缺少所需版本"),
        ("[WinError 32] The process cannot access the file", "关闭"),
        ("something nobody has seen", ""),
    ],
)
def test_what_pip_says_becomes_advice(run: ModuleType, said: str, advice: str) -> None:
    found = run.hint(said)
    assert advice in found
    assert bool(found) is bool(advice)


# --- offline bundles ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("win_amd64", "windows amd64"),
        ("win-amd64", "windows amd64"),
        ("win_arm64", "windows arm64"),
        ("linux-x86_64", "linux amd64"),
        ("manylinux_2_28_x86_64", "linux amd64"),
        ("manylinux2014_aarch64", "linux arm64"),
        ("macosx-14.0-arm64", "macos arm64"),
        ("macosx_11_0_x86_64", "macos amd64"),
    ],
)
def test_machines_have_one_name_however_they_are_spelt(run: ModuleType, tag: str, name: str) -> None:
    assert run.machine(tag) == name


def test_a_newer_linux_takes_wheels_of_an_older_one(run: ModuleType) -> None:
    tags = run.platform_tags("manylinux_2_28_x86_64")
    assert {"manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"} <= set(tags)
    assert "manylinux_2_29_x86_64" not in tags
    assert run.platform_tags("win_amd64") == ["win_amd64"]


def test_markers_of_another_computer_are_complete_and_right(run: ModuleType) -> None:
    windows = run.marker_values("win_amd64", "3.12")
    assert set(windows) == set(default_environment())
    assert Requirement('x; sys_platform == "win32" and python_version >= "3.12"').marker.evaluate(windows)  # type: ignore[union-attr, arg-type]
    here = run.marker_values(run.native_tag(), run.python_version())
    told = dict(default_environment())
    for key in ("os_name", "sys_platform", "platform_system", "platform_machine", "python_version"):
        assert here[key] == told[key]


def test_a_bundle_for_another_computer_is_refused_by_name(run: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    run.WHEELS.mkdir()
    run.BUNDLE_NOTE.write_text(json.dumps({"python": "3.99", "machine": "windows amd64"}), "utf-8")
    assert run.main([]) == run.BAD_ENVIRONMENT
    assert "Python 3.99、windows amd64" in capsys.readouterr().err
    run.BUNDLE_NOTE.write_text(
        json.dumps({"python": run.python_version(), "machine": run.machine(run.native_tag())}), "utf-8"
    )
    assert run.main([]) == 0


def test_a_bundle_that_has_been_changed_is_not_installed(run: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    """Any byte of the program or of a package, or a package that was put in; what planners change is only told."""
    run.WHEELS.mkdir()
    wheel, own = run.WHEELS / "a-1-py3-none-any.whl", run.ROOT / "data" / "own.csv"
    wheel.write_bytes(b"wheel")
    own.parent.mkdir(exist_ok=True)
    own.write_text("1", "utf-8")
    note = {"python": run.python_version(), "machine": run.machine(run.native_tag())}
    run.BUNDLE_NOTE.write_text(json.dumps(note), "utf-8")
    assert len(run.seal_bundle(run.ROOT)) == 16
    run.check_bundle()
    own.write_text("2", "utf-8")
    run.check_bundle()
    assert "data/own.csv" in capsys.readouterr().err
    sound = run.BUNDLE_SEAL.read_bytes()
    for path, content in [
        (wheel, b"whee1"),
        (run.ROOT / "run.py", b"#"),
        (run.WHEELS / "b-2.whl", b"x"),
        (run.BUNDLE_SEAL, b"{"),
    ]:
        before = path.read_bytes() if path.exists() else None
        path.write_bytes(content)
        with pytest.raises(run.Trouble, match=path.name if path != run.BUNDLE_SEAL else "读不懂"):
            run.check_bundle()
        path.unlink() if before is None else path.write_bytes(before)
    run.BUNDLE_SEAL.write_bytes(sound)
    run.check_bundle()


def test_any_flipped_bit_of_a_bundle_is_named(run: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    """Of its list of hashes too, wherever; what planners change is told, everything else is not installed."""
    for name in ("wheels/a-1.whl", "wheels/b-1.whl", "data/own.csv"):
        (run.ROOT / name).parent.mkdir(exist_ok=True)
        (run.ROOT / name).write_text(name * 5, "utf-8")
    run.seal_bundle(run.ROOT)
    run.check_seal()
    chance, met = random.Random(3), 0
    for path in (run.BUNDLE_SEAL, *(run.WHEELS / f"{n}-1.whl" for n in "ab"), run.ROOT / "data" / "own.csv"):
        sound = path.read_bytes()
        for at in sorted({*chance.sample(range(len(sound)), min(len(sound), 60))}):
            path.write_bytes(sound[:at] + bytes([sound[at] ^ 1 << chance.randrange(8)]) + sound[at + 1 :])
            try:
                run.check_seal()
                said = capsys.readouterr().err
            except run.Trouble as error:
                said = str(error)
            assert said and (path == run.BUNDLE_SEAL or path.name in said), (path, at)
            met += 1
        path.write_bytes(sound)
    assert met > 200
    run.BUNDLE_SEAL.write_text("[" * 200_000, "utf-8")
    with pytest.raises(run.Trouble, match="读不懂"):
        run.check_seal()


def test_a_bundle_does_not_write_over_anything(run: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "busy").mkdir()
    (tmp_path / "busy" / "report.docx").touch()
    with pytest.raises(SystemExit) as stopped:
        run.main(["bundle", "--out", str(tmp_path / "busy")])
    assert stopped.value.code == 2


def test_a_bundle_carries_no_renewal_that_nobody_has_confirmed(
    run: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ledgers of parcels and plans are listed, and nothing is copied, until the district's manifest says who agreed."""
    (run.ROOT / run.MARKS).parent.mkdir(parents=True)
    shutil.copy(ROOT / run.MARKS, run.ROOT / run.MARKS)
    for name in ("renewal/money.csv", "scenarios/方案.toml", "scenarios/分块.geojson", "homes.csv"):
        (run.ROOT / "data/mine" / name).parent.mkdir(parents=True, exist_ok=True)
        (run.ROOT / "data/mine" / name).touch()
    manifest, layer = run.ROOT / "data/mine/district.toml", '[layers.parcel_facts]\nfile = "renewal/money.csv"\n'
    manifest.write_text(layer, "utf-8")
    assert run.main(["bundle", "--out", str(tmp_path / "away")]) == run.BAD_DATA and not (tmp_path / "away").exists()
    said = capsys.readouterr().err
    assert (
        "renewal/money.csv" in said
        and "方案.toml" in said
        and "分块.geojson" in said
        and "homes.csv" not in said
        and "renewal_outputs" in said
    )
    manifest.write_text(f'renewal_outputs = "张三 2026-05-12"\n{layer}', "utf-8")
    assert run.renewal_files(run.project_files()) == []
    assert run.renewal_files([n for n in run.project_files() if "mine" not in n]) == []


def test_every_table_of_renewal_is_internal(run: ModuleType) -> None:
    """Parcels, plans, projects and money: a table of these that is new to the schema is asked about before a bundle carries it, too."""
    own = {name for name, layer in LAYERS.items() if layer.folder == "renewal"}
    assert own | {"parcels", "costs"} == set(run.RENEWAL)
    for name in own:
        folder = run.ROOT / "data" / name
        folder.mkdir(parents=True)
        (folder / "district.toml").write_text(f'[layers.{name}]\nfile = "own.csv"\n', "utf-8")
        (folder / "own.csv").touch()
    (run.ROOT / run.MARKS).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / run.MARKS, run.ROOT / run.MARKS)
    assert {Path(found).parent.name for found in run.renewal_files(run.project_files())} == own


def test_without_git_a_bundle_leaves_leftovers_behind(run: ModuleType) -> None:
    for name in ("data/地图.csv", "output/index.html", ".venv/x", "xinhe_geo/__pycache__/a.pyc", "xinhe_geo/a.py"):
        (run.ROOT / name).parent.mkdir(parents=True, exist_ok=True)
        (run.ROOT / name).touch()
    assert run.project_files() == ["constraints.txt", "pyproject.toml", "run.py", "data/地图.csv", "xinhe_geo/a.py"]


# --- the papers beside it -------------------------------------------------------------------------------------------


def requirements(lines: list[str]) -> dict[str, SpecifierSet]:
    parsed = [Requirement(line) for line in lines]
    return {canonicalize_name(one.name): one.specifier for one in parsed}


def test_environment_yml_says_what_pyproject_says() -> None:
    conda = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    assert conda["channels"] == ["conda-forge"]
    *plain, last = conda["dependencies"]
    assert last["pip"][-1] == "-e ."
    have = requirements(plain + last["pip"][:-1])
    assert str(have.pop("python")) == PROJECT["project"]["requires-python"]
    assert str(have.pop("pip")) == ""
    assert have == requirements(PROJECT["project"]["dependencies"] + EXTRAS["office"] + EXTRAS["lab"])


def test_the_six_packages_of_the_trade_are_there() -> None:
    project = PROJECT["project"]
    named = requirements(project["dependencies"] + project["optional-dependencies"]["lab"])
    assert {"geopandas", "shapely", "folium", "jupyterlab", "pandas", "osmnx"} <= set(named)


@pytest.mark.parametrize("python", VERSIONS)
@pytest.mark.parametrize("system", ["linux", "win32", "darwin"])
def test_constraints_pin_every_dependency_once(run: ModuleType, python: str, system: str) -> None:
    tag = {"linux": "manylinux_2_28_x86_64", "win32": "win_amd64", "darwin": "macosx_14_0_arm64"}[system]
    here = run.marker_values(tag, python)
    lines = [line.strip() for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines()]
    pins: dict[str, str] = {}
    for line in lines:
        if not line or line.startswith("#"):
            continue
        one = Requirement(line)
        assert one.url is None
        if one.marker is not None and not one.marker.evaluate(here):
            continue
        assert canonicalize_name(one.name) not in pins, f"{one.name} is pinned twice"
        (exact,) = one.specifier
        assert exact.operator == "=="
        pins[canonicalize_name(one.name)] = exact.version
    project = PROJECT["project"]
    wanted = project["dependencies"] + PROJECT["build-system"]["requires"]
    wanted = wanted + [line for extra in project["optional-dependencies"].values() for line in extra]
    for name, specifier in requirements(wanted).items():
        assert pins[name] in specifier, name


def commands_in(text: str) -> list[list[str]]:
    """Return every `python run.py …` that a text tells the reader to type, in words."""
    found = re.findall(r"python run\.py([^\n`\"#|（）。，;]*)", text)
    # In a table of commands the explanation stands apart by two spaces or more.
    return [re.split(r"\s{2,}", line)[0].split() for line in found]


@pytest.mark.parametrize("name", [*READMES, "run.py"])
def test_commands_named_for_the_reader_exist(run: ModuleType, name: str) -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    told = commands_in((ROOT / name).read_text("utf-8"))
    assert [] in told, "the main job is not mentioned"
    for words in told:
        if not words or words[0] in ("test", "lab", "app", "bundle"):
            continue
        assert words[0] in commands, words
        options = {option for parameter in commands[words[0]].params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options, words


@pytest.mark.parametrize("name", READMES)
def test_every_command_has_a_row(name: str) -> None:
    rows = re.findall(r"^\| (`.+?`[^|]*) \|", (ROOT / name).read_text("utf-8").replace(r"\|", ""), re.MULTILINE)
    told = {words.split()[0] for row in rows for words in re.findall(r"`(?:python run\.py )?([^`]+)`", row)}
    own = {"lab", "app", "bundle"}
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for row in rows:
        for words in (text.split() for text in re.findall(r"`(?:python run\.py )?([^`]+)`", row)):
            if words[0] in commands and words[1:2] in (["FOLDER"], ["文件夹"]):
                first = next(p.name for p in commands[words[0]].params if not p.opts[0].startswith("-"))
                assert first == "folder", words
    assert own | set(commands) <= told


@pytest.mark.parametrize("name", READMES)
def test_python_lines_of_the_readme_call_what_exists(name: str) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / name).read_text("utf-8"), re.DOTALL)
    assert blocks
    for block in blocks:
        ast.parse(block)
        for used in re.findall(r"\bxh\.(\w+)", block):
            assert used in xinhe_geo.__all__, used


def python_of(name: str) -> str:
    return "".join(re.findall(r"```python\n(.*?)```", (ROOT / name).read_text("utf-8"), re.DOTALL))


def test_both_readmes_show_the_same_lines() -> None:
    assert len({ast.dump(ast.parse(python_of(name))) for name in READMES}) == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["docs/quickstart.md", pytest.param(READMES[0], marks=pytest.mark.matrix)])
def test_python_lines_of_the_front_door_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(python_of(name), name, "exec"), {})
    assert len(list(tmp_path.glob("*.html"))) == 1


@pytest.mark.parametrize("name", READMES)
def test_links_of_the_readme_lead_somewhere(name: str) -> None:
    for link in re.findall(r"\]\(([^)#:]+)\)", (ROOT / name).read_text("utf-8")):
        assert (ROOT / link).exists(), link


def test_every_dependency_is_explained() -> None:
    text = (ROOT / "docs" / "decisions.md").read_text("utf-8").lower()
    project = PROJECT["project"]
    for name in requirements(
        project["dependencies"] + [x for e in project["optional-dependencies"].values() for x in e]
    ):
        assert f"| {name}" in text or f", {name}" in text, name


def test_the_paper_to_cite_names_this_version_and_no_address_is_made_up() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    project = PROJECT["project"]
    assert (cited["version"], cited["license"]) == (project["version"], project["license"])
    assert "urls" not in project and "repository-code" not in cited
    assert not re.search(r"https?://|@", (ROOT / "SECURITY.md").read_text("utf-8"))


def test_starters_call_the_launcher() -> None:
    windows = (ROOT / "启动.bat").read_bytes()
    assert b"run.py" in windows
    assert windows.count(b"\r\n") == windows.count(b"\n"), "cmd.exe wants CRLF"
    other = ROOT / "start.command"
    assert b'run.py" "$@"' in other.read_bytes()
    if os.name != "nt":
        for script in (other, ROOT / ".ci" / "run"):
            assert os.access(script, os.X_OK)
            assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0


# --- for real: a tiny project with no dependencies, so that nothing is fetched --------------------------------------

BACKEND = """
import os, zipfile
def build_editable(folder, config_settings=None, metadata_directory=None):
    name = "xinhe_geo-1.0-py3-none-any.whl"
    info = "xinhe_geo-1.0.dist-info/"
    files = {
        "_xinhe_geo.pth": os.getcwd(),
        info + "METADATA": "Metadata-Version: 2.1\\nName: xinhe-geo\\nVersion: 1.0\\nProvides-Extra: dev\\nProvides-Extra: office\\n"
                           + os.environ.get("TINY_REQUIRES", ""),
        info + "WHEEL": "Wheel-Version: 1.0\\nGenerator: tiny\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }
    files[info + "RECORD"] = "".join(f"{name},,\\n" for name in [*files, info + "RECORD"])
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
    return name
def build_wheel(folder, config_settings=None, metadata_directory=None):
    raise NotImplementedError
"""
PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "xinhe-geo"
version = "1.0"
dependencies = [{dependencies}]
[project.optional-dependencies]
dev = []
lab = []
office = []
"""
MAIN = """
import json, os, sys, time
if sys.argv[1:2] == ["sleep"]:
    try:
        print("up", flush=True)  # inside: whoever reads this may press Ctrl-C before the next line
        time.sleep(60)
    except KeyboardInterrupt:
        sys.exit(7)
print(json.dumps({"arguments": sys.argv[1:], "cwd": os.getcwd(), "prefix": sys.prefix}))
sys.exit(5 if "fail" in sys.argv else 0)
"""


def tiny_project(folder: Path, dependencies: str = "") -> Path:
    """Write a project that the launcher can install in a few seconds without a network; return its run.py."""
    (folder / "xinhe_geo").mkdir(parents=True)
    (folder / "xinhe_geo" / "__init__.py").touch()
    (folder / "xinhe_geo" / "__main__.py").write_text(MAIN, "utf-8")
    (folder / "backend.py").write_text(BACKEND, "utf-8")
    (folder / "pyproject.toml").write_text(PYPROJECT.replace("{dependencies}", dependencies), "utf-8")
    (folder / "constraints.txt").write_text("# nothing to pin\n", "utf-8")
    shutil.copy(ROOT / "run.py", folder)
    return folder / "run.py"


def tiny_wheel(folder: Path, name: str) -> None:
    """Write an empty package as a wheel."""
    folder.mkdir(exist_ok=True)
    info = f"{name}-1.0.dist-info/"
    files = {
        f"{name}.py": "",
        info + "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        info + "WHEEL": "Wheel-Version: 1.0\nGenerator: tiny\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[info + "RECORD"] = "".join(f"{path},,\n" for path in [*files, info + "RECORD"])
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)


def start(launcher: Path, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the launcher with the Python that this one was made from, and no network to fall back on."""
    return subprocess.run(
        [base_python(), str(launcher), *arguments],
        cwd=cwd,
        env=clean_environment(),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=240,
    )


def base_python() -> str:
    return str(getattr(sys, "_base_executable", sys.executable))


def clean_environment() -> dict[str, str]:
    child = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    return child | {"PYTHONUTF8": "1", "PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the launcher of a tiny project that was started once, in a folder with a space and 中文 in its name."""
    launcher = tiny_project(tmp_path_factory.mktemp("front") / "新河 街道")
    done = start(launcher, "first")
    assert done.returncode == 0, done.stderr
    assert "首次运行" in done.stderr
    return launcher


@pytest.mark.slow
def test_from_another_folder_arguments_and_exit_codes_arrive(installed: Path, tmp_path: Path) -> None:
    here = tmp_path / "我 的"
    here.mkdir()
    (here / "json.py").write_text("raise SystemExit('a file of the user must not be imported')", "utf-8")
    done = start(installed, "check", "相对 路径", "--x=a b", "fail", cwd=here)
    assert done.returncode == 5
    assert done.stderr == ""
    told = json.loads(done.stdout)
    assert told["arguments"] == ["check", "相对 路径", "--x=a b", "fail"]
    assert Path(told["cwd"]) == here
    assert Path(told["prefix"]) == installed.parent / ".venv"


@pytest.mark.slow
def test_started_by_its_own_python(installed: Path) -> None:
    own = installed.parent / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    done = subprocess.run([str(own), str(installed), "x"], capture_output=True, text=True, check=False)
    assert json.loads(done.stdout)["arguments"] == ["x"]


def begin(*command: str, **more: Any) -> subprocess.Popen[str]:
    """Start a program as a terminal does: in a group of its own, to which Ctrl-C goes."""
    # Where the tests run in the background SIGINT may be ignored, and children inherit that; a handler they do not.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        more = {"env": clean_environment(), "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | more
        return subprocess.Popen(command, text=True, encoding="utf-8", start_new_session=True, **more)
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_is_quiet_and_the_program_decides_the_exit_code(installed: Path) -> None:
    with begin(base_python(), str(installed), "sleep") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "up\n"
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(timeout=60) == 7
        assert process.stderr.read() == ""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize(
    ("command", "first"), [("app", "jupyter_core/utils.py"), ("lab", "jupyter_server/serverapp.py")]
)
def test_ctrl_c_while_a_server_loads(installed: Path, command: str, first: str) -> None:
    """The servers take seconds to load; a stand-in for the first thing they load says when that is."""
    module = installed.parent / first
    for folder in (module.parent, installed.parent / "tools"):
        folder.mkdir(exist_ok=True)
    module.write_text("import time\nprint('loading', flush=True)\ntime.sleep(600)\n", "utf-8")
    shutil.copy(ROOT / "tools" / "serve.py", installed.parent / "tools")
    with begin(base_python(), str(installed), command) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        said = process.stdout.readline()
        assert said == "loading\n", process.stderr.read()
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(timeout=60) == 0
        assert "Traceback" not in process.stderr.read()


#: The launcher as it is, but with this Python in place of the one in .venv, and nothing installed.
SERVING = """
import runpy, sys
from pathlib import Path
run = runpy.run_path(sys.argv[1])
shared = run["main"].__globals__
shared.update(ensure=lambda *_: None, PYTHON=Path(sys.executable), ENV=Path(sys.argv[2]))
sys.exit(run["main"](sys.argv[3:]))
"""


def asked(url: str, data: bytes | None = None, opener: urllib.request.OpenerDirector | None = None) -> bytes:
    """Return the first of what a server answers; it may say where it is a moment before it listens."""
    until = time.monotonic() + 300
    while True:
        try:
            opening = urllib.request.urlopen if opener is None else opener.open
            with opening(urllib.request.Request(url, data=data), timeout=300) as answer:
                return bytes(answer.read(1000))
        except urllib.error.URLError as error:
            if not isinstance(error.reason, ConnectionRefusedError) or time.monotonic() > until:
                raise
            time.sleep(0.05)


def start_a_kernel(command: str, url: str, runtime: Path) -> None:
    """Open the page as a browser does, whose kernel works while the page is being written; or ask JupyterLab for one."""
    if command == "app":
        keeps = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        assert b"location.replace" in asked(url, opener=keeps)  # the address gives a cookie, and goes on to the page
        assert asked(url.partition("?")[0], opener=keeps)
        return
    address, _, token = url.partition("?token=")
    kernels = f"{address[: address.index('/', len('http://'))]}/api/kernels?token={token}"
    name = json.loads(asked(kernels, b'{"name": "python3"}'))["id"]
    client = pytest.importorskip("jupyter_client").BlockingKernelClient(
        connection_file=str(runtime / f"kernel-{name}.json")
    )
    client.load_connection_file()
    client.start_channels(hb=False)  # a slow machine is not a dead kernel
    client.wait_for_ready(timeout=300)
    client.stop_channels()


@contextlib.contextmanager
def serving(folder: Path, command: str, **more: Any) -> Iterator[subprocess.Popen[str]]:
    """Start one of the servers, whose files all go into `folder`; kill what is left of it if the test fails."""
    own = {"TMPDIR": str(folder), "JUPYTER_RUNTIME_DIR": str(folder / "runtime"), "LC_ALL": "C.UTF-8"}
    own |= {"JUPYTER_DATA_DIR": str(folder / "data"), "JUPYTER_CONFIG_DIR": str(folder / "config")}
    with begin(
        sys.executable,
        "-c",
        SERVING,
        str(ROOT / "run.py"),
        str(folder / "env"),
        command,
        "--no-browser",
        env=clean_environment() | own,
        stderr=subprocess.STDOUT,
        **more,
    ) as process:
        try:
            yield process
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise


def trapped(folder: Path) -> Path:
    """Return a folder of somebody else's in which one may stand: what servers would run, or make pages by, leaves a file."""
    marks = f"open({str(folder / 'ran')!r}, 'a')"
    (folder / "lab").mkdir(parents=True)
    for name in (
        "voila.py",
        "jupyter_config.py",
        "jupyter_server_config.py",
        "jupyter_lab_config.py",
        "sitecustomize.py",
    ):
        (folder / name).write_text(f"{marks}.write({name!r})\n", "utf-8")
    for name in ("lab/index.html.j2", "index.html.j2"):
        text = "{{ cycler.__init__.__globals__.os.system('echo page >> " + str(folder / "ran") + "') }}"
        (folder / name).write_text(text, "utf-8")
    return folder


def ask_a_lab_for_pages(url: str) -> None:
    """What a link of another page could ask for runs nothing: a notebook as a page, by Voilà or as it is; and no cookie goes along."""
    address, _, token = url.partition("/lab")
    name = urllib.parse.quote(next(iter(sorted((ROOT / "notebooks").glob("*.ipynb")))).name)
    assert b"<html" in asked(f"{address}/nbconvert/html/notebooks/{name}{token[token.index('?') :]}")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        asked(f"{address}/voila/render/notebooks/{name}{token[token.index('?') :]}")
    with urllib.request.urlopen(url, timeout=300) as answer:
        given = [cookie for cookie in answer.headers.get_all("Set-Cookie") if not cookie.startswith("_xsrf")]
    assert given and all("SameSite=Strict" in cookie and "HttpOnly" in cookie for cookie in given)


@pytest.mark.slow
@pytest.mark.one_in(3)
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("how", ["app", "app, terminated", "lab", "lab, twice", "lab, y"])
def test_ctrl_c_ends_a_server_and_its_kernels(tmp_path: Path, how: str) -> None:
    pytest.importorskip("voila")
    psutil = pytest.importorskip("psutil")
    command, _, answer = how.partition(", ")
    said = ""
    # At a terminal JupyterLab asks; a terminal is what its standard input says it is.
    desk, keys = os.openpty() if command == "lab" and answer else (-1, subprocess.DEVNULL)
    here = trapped(tmp_path / "here")
    with serving(tmp_path, command, stdin=keys, cwd=here) as process:

        def read_until(pattern: str) -> str:
            nonlocal said
            assert process.stdout is not None
            while not (found := re.search(pattern, said)):
                character = process.stdout.read(1)
                assert character, said
                said += character
            return found[1]

        url = read_until(r"(http://127\.0\.0\.1:\d+/\S*)\s")
        start_a_kernel(command, url, tmp_path / "runtime")
        if how == "lab":
            ask_a_lab_for_pages(url)
        started = psutil.Process(process.pid).children(recursive=True)
        assert [one for one in started if "ipykernel_launcher" in " ".join(one.cmdline())], started
        if answer == "terminated":
            process.terminate()
        else:
            os.killpg(process.pid, signal.SIGINT)
        if command == "lab" and answer:
            read_until(r"(\(y/\[n\]\)\? )")
            if answer == "y":
                os.write(desk, b"y\n")
            else:
                os.killpg(process.pid, signal.SIGINT)
        assert process.stdout is not None
        said += process.stdout.read()
        assert process.wait(timeout=300) == 0, said
    for end in {desk, keys} - {-1, subprocess.DEVNULL}:
        os.close(end)
    assert "Traceback" not in said, said
    assert "Ctrl-C" in said
    assert psutil.wait_procs(started, timeout=300)[1] == [], "left behind"
    left = [path.name for path in tmp_path.rglob("*") if path.name.startswith(("voila_", "kernel-", "jpserver-"))]
    assert left == []
    assert not (here / "ran").exists(), (here / "ran").read_text("utf-8")


@pytest.mark.slow
@pytest.mark.matrix
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_an_install_killed_half_way_is_repaired_and_a_move_is_noticed(tmp_path: Path) -> None:
    launcher = tiny_project(tmp_path / "one")
    process = subprocess.Popen(
        [base_python(), str(launcher), "x"], stderr=subprocess.DEVNULL, start_new_session=True, env=clean_environment()
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "one" / ".venv" / "pyvenv.cfg").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not list(launcher.parent.glob(".venv/xinhe-ready*"))
    half = launcher.parent / ".venv" / "half-written"
    half.touch()
    repaired = start(launcher, "x")
    assert repaired.returncode == 0, repaired.stderr
    assert "重建" in repaired.stderr
    assert not half.exists()
    moved = tmp_path / "二 号"
    launcher.parent.rename(moved)
    again = start(moved / "run.py", "x")
    assert again.returncode == 0, again.stderr
    assert "重建" in again.stderr
    assert Path(json.loads(again.stdout)["prefix"]) == moved / ".venv"
    assert start(moved / "run.py", "x").stderr == ""


@pytest.mark.slow
@pytest.mark.matrix
def test_two_starts_at_once(tmp_path: Path) -> None:
    launcher = tiny_project(tmp_path / "two")
    both = [
        subprocess.Popen(
            [base_python(), str(launcher), str(number)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=clean_environment(),
        )
        for number in range(2)
    ]
    said = [process.communicate(timeout=240) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert [json.loads(out)["arguments"] for out, _ in said] == [["0"], ["1"]]
    assert sum("首次运行" in err for _, err in said) == 1
    assert sum("另一个窗口" in err for _, err in said) == 1


@pytest.mark.slow
def test_a_bundle_installs_without_a_network(tmp_path: Path) -> None:
    launcher = tiny_project(tmp_path / "from", "'tinydep', 'tinywin; sys_platform == \"win32\"'")
    for name in ("tinydep", "tinywin"):
        tiny_wheel(launcher.parent / "wheels", name)
    (launcher.parent / "output").mkdir()
    (launcher.parent / "output" / "index.html").touch()
    made = start(launcher, "bundle", "--out", "离线 包", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    bundle = tmp_path / "离线 包"
    assert sorted(path.name for path in (bundle / "wheels").iterdir()) == [
        "bundle.json",
        "seal.json",
        "tinydep-1.0-py3-none-any.whl",
    ]
    assert not (bundle / "output").exists() and not (bundle / ".venv").exists()
    shutil.rmtree(launcher.parent)
    done = start(bundle / "run.py", "there")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["arguments"] == ["there"]
    # A bundle can make another one. Asked for Windows, it takes what only Windows needs, which this one cannot give.
    other = start(bundle / "run.py", "bundle", "--platform", "win_amd64", "--out", str(tmp_path / "w"))
    assert other.returncode == 4
    assert "tinywin" in other.stderr
    assert not (tmp_path / "w").exists()


@pytest.mark.slow
def test_the_wheel_carries_the_data(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    data = {path.relative_to(ROOT).as_posix() for path in (ROOT / "data").rglob("*") if path.is_file()}
    assert data and {f"xinhe_geo/{name}" for name in data} <= names
    assert "xinhe_geo/py.typed" in names
    web = {path.relative_to(ROOT).as_posix() for path in (ROOT / "xinhe_geo").glob("*/web/**/*") if path.is_file()}
    assert len(web) > 20 and web <= names
    assert "xinhe_geo/__init__.pyi" in names and "xinhe_geo/core/english.json" in names
    assert not [name for name in names if name.startswith(("tests/", "data/"))]
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "unpacked")
    code = "import sys; sys.path.insert(0, sys.argv[1]); import xinhe_geo as xh; print(xh.__file__, xh.District.load().code)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, str(tmp_path / "unpacked")],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert done.stdout.split() == [
        str(tmp_path / "unpacked" / "xinhe_geo" / "__init__.py"),
        xinhe_geo.District.load().code,
    ]


@pytest.mark.slow
def test_the_main_job_by_the_launcher() -> None:
    launcher = load_launcher(ROOT)
    if not launcher.ready():
        pytest.skip("this checkout has no .venv of its own (start the tests by run.py)")
    done = subprocess.run(
        [base_python(), str(ROOT / "run.py")],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        env=os.environ | {"PYTHONUTF8": "1"},
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    for name in ("index.html", "tables/coverage.xlsx", "gis/coverage.gpkg", "run.json"):
        assert (ROOT / "output" / name).stat().st_size > 0, name
    assert list((ROOT / "output" / "maps").glob("*.html"))
