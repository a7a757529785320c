"""
Say whether every package has a wheel, for each Python and each system that the project runs on: nothing is ever compiled.

    python tools/check_wheels.py [--extras office,lab,docs] [--python 3.14 ...] [--system win_amd64 ...]

Asks the package index by pip's own resolver, with the versions of `constraints.txt`, and downloads no package: some
minutes for all. Exit code 1: a combination lacks something, which is named.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent
#: Tags of systems that people have: any newer one takes their wheels too.
SYSTEMS = ("manylinux_2_28_x86_64", "manylinux_2_28_aarch64", "win_amd64", "macosx_14_0_arm64")
#: `pip install` judges what a package says of Python by the Python it runs on, whatever `--python-version` says.
OTHER_PYTHON = """
from pip._internal.resolution.resolvelib.candidates import RequiresPythonCandidate as Candidate
judged, version = Candidate.__init__, tuple(map(int, values["python_full_version"].split(".")))
Candidate.__init__ = lambda self, _: judged(self, version)
"""
#: What run.py's own way to ask pip for another computer imports last.
LAST_IMPORT = "from pip._internal.cli.main import main\n"


def launcher() -> ModuleType:
    """Return run.py, which knows tags and how to judge markers for another computer."""
    spec = importlib.util.spec_from_file_location("launcher", ROOT / "run.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pythons(run: ModuleType) -> list[str]:
    """Return the versions from the oldest that is allowed to the newest that was tried."""
    oldest = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["requires-python"]
    return [f"3.{minor}" for minor in range(int(oldest.partition("3.")[2]), run.TRIED[1] + 1)]


def command(run: ModuleType, system: str, version: str, needed: Sequence[str]) -> list[str]:
    """Return what asks the index for wheels of one kind of computer, and takes none."""
    tags = [part for tag in run.platform_tags(system) for part in ("--platform", tag)]
    return [
        *(
            sys.executable,
            "-c",
            run.FOREIGN_PIP.replace(LAST_IMPORT, OTHER_PYTHON + LAST_IMPORT),
            json.dumps(run.marker_values(system, version)),
        ),
        *("install", "--dry-run", "--quiet", "--ignore-installed", "--only-binary", ":all:", "-c", "constraints.txt"),
        *("--target", tempfile.gettempdir(), "--python-version", version, "--implementation", "cp", *tags, *needed),
    ]


def main(arguments: Sequence[str]) -> int:
    """Check every combination and say what each of them lacks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--extras", default="office,lab,cluster,docs")
    run = launcher()
    parser.add_argument("--python", nargs="*", default=pythons(run))
    parser.add_argument("--system", nargs="*", default=SYSTEMS)
    options = parser.parse_args(arguments)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    needed = project["project"]["dependencies"] + project["build-system"]["requires"]
    needed += [
        line for extra in options.extras.split(",") for line in project["project"]["optional-dependencies"][extra]
    ]
    lacking = 0
    for version in options.python:
        for system in options.system:
            asked = command(run, system, version, needed)
            done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
            errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            lacking += done.returncode != 0
            print(
                f"Python {version}  {system:22}  {'; '.join(errors) if done.returncode else 'all wheels'}", flush=True
            )
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
