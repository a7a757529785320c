"""
Killed, or refused by the system, at any step: what is there is old, or new, or says that it is unfinished; the next run works.

Derived from the list of commands (`test_secret_district`): each runs on the toy district over what an earlier run has written.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import crash
import pytest
from test_secret_district import ELSEWHERE, TYPED

from xinhe_geo.app.cli import DATA, DONE, ENVIRONMENT, main
from xinhe_geo.core import files
from xinhe_geo.report.files import MARK

TOY = Path(__file__).parents[1] / "toy"
#: These write nothing, ask the network first, or need what the toy lacks (parcels; rules that somebody has read anew): they write
#: one file as `template` does, or by the journal of `add`.
WRITING_NOTHING = {
    ("", "check"),
    ("", "scenarios"),
    ("scenario", "list"),
    ("scenario", "check"),
    ("rules", "list"),
    ("rules", "run"),
    ("", "fetch"),
    ("", "provision"),
    ("", "parcels"),
    ("rules", "import"),
}
WRITING = [command for command in TYPED if command not in WRITING_NOTHING]
#: What they are given besides, so that they write.
MORE = {("", "add"): ["--yes", "--sure"], ("", "update"): ["--yes"], ("", "seal"): ["--again"]}
#: These write several files that people name one by one: each is old or new by itself.
ONE_BY_ONE = {("", "sites"), ("", "links")}
FAILURES = {errno.ENOSPC: "磁盘满了", errno.EACCES: "没有权限"}

EVERY = pytest.mark.parametrize(
    "every", [pytest.param(False, id="three"), pytest.param(True, id="every", marks=pytest.mark.matrix)]
)

#: Commands that have passed at all three points, in every way of failing; the others are tried before a release.
PASSED = {("", name) for name in ("add", "undo", "dxf", "seal", "template")}
COMMANDS = pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=" ".join(case), marks=[] if tuple(case) in PASSED else [pytest.mark.matrix])
        for case in WRITING
    ],
    indirect=True,
)

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="steps are named by /proc")]


class Case:
    """A command about to run in a folder, over what an earlier run has left."""

    def __init__(self, place: Path, command: tuple[str, str]) -> None:
        self.place, self.command = place / "place", command
        self.old, self.new = place / "old", place / "new"
        self.district, out, made = self.place / "toy", self.place / "out", self.place / "made"
        self.typed = [*TYPED[command](str(self.district), out, made), *MORE.get(command, [])]
        for folder in (self.place, made):
            folder.mkdir()
        shutil.copytree(TOY, self.district)
        (made / "list.csv").write_text("编号,名称,类别\nF2,北食堂改名,canteen\n", "utf-8-sig")
        (made / "homes.csv").write_text("编号,名称,常住人口\nA,甲苑,150\n", "utf-8-sig")
        (self.district / "scenarios").mkdir()
        first = json.loads((TOY / "pois" / "facilities.geojson").read_text("utf-8"))["features"][0]["properties"]
        plan = f'name = "a"\nlabel = "甲"\n[[edit]]\ndo = "close_facility"\nfacility = "{first["facility"]}"\n'
        (self.district / "scenarios" / "a.toml").write_text(plan, "utf-8")
        self.prepare()

    def prepare(self) -> None:
        """Run it once on the district as it was a year ago, so that there is something to replace."""
        homes = self.district / "homes" / "homes.geojson"
        if self.command == ("", "undo"):
            add = [*TYPED["", "add"](str(self.district), self.place / "out", self.place / "made"), *MORE["", "add"]]
            assert main(add) == DONE
        elif self.command not in {("", "add"), ("", "update"), ("scenario", "new")}:
            now = homes.read_bytes()
            homes.write_bytes(now.replace(b'"people": 1', b'"people": 2'))
            self.run()
            homes.write_bytes(now)

    def run(self) -> int:
        here = os.getcwd()
        os.chdir(self.place)
        try:
            return main(self.typed)
        finally:
            os.chdir(here)

    def seen(self, place: Path | None = None) -> dict[str, bytes]:
        """Return what a person sees: every file that is not ours to keep books with."""
        root = self.place if place is None else place
        found = {p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}
        return {
            n: c
            for n, c in found.items()
            if not any(part.startswith(".") for part in n.split("/")) and not n.startswith("state/")
        }

    def judge(self, old: dict[str, bytes], new: dict[str, bytes]) -> str:
        """Return what is there: old, new, marked (unfinished, and says so), or mixed."""
        now = self.seen()
        if now in (old, new):
            return "old" if now == old else "new"
        if any(self.place.rglob(MARK)) or (self.district / ".history" / "journal.json").is_file():
            return "marked"
        each = all(now.get(n) in (old.get(n), new.get(n)) for n in {*now, *old, *new})
        return "new" if each and self.command in ONE_BY_ONE else "mixed"


@pytest.fixture
def case(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Case:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "place" / "state"))
    monkeypatch.setattr(files, "_ABOUT_TO", 0.0)  # the next run comes ten seconds later
    return Case(tmp_path, request.param)


def points(count: int, all_of_them: bool) -> list[int]:
    return list(range(count)) if all_of_them else sorted({1 % count, count // 2, count - 1})


def leftovers(case: Case) -> list[str]:
    return [p.relative_to(case.place).as_posix() for p in case.place.rglob(".xinhe-*") if p.name != ".xinhe.json"]


def test_every_command_that_writes_is_here() -> None:
    assert {*WRITING, *WRITING_NOTHING, *ELSEWHERE} == {*TYPED, *ELSEWHERE}


def whole_run(case: Case, tmp_path: Path) -> tuple[list[str], dict[str, bytes], dict[str, bytes], int]:
    """Record a run from the old state to the new one; leave the old one in place."""
    crash.copied(case.place, case.old)
    old = case.seen()
    codes: list[int] = []
    steps = crash.recorded(case.place, lambda: codes.append(case.run()), tmp_path / "steps")
    assert codes[0] in (DONE, DATA), codes
    new = case.seen()
    assert not leftovers(case)
    return steps, old, new, codes[0]


def goes_on(case: Case, new: dict[str, bytes], code: int) -> str:
    """Return "" where the next run does what it would have done."""
    again = case.run()
    allowed = {code, DATA} if case.command in {("", "undo"), ("scenario", "new")} else {code}
    if again not in allowed:
        return f"exit code {again}"
    if case.seen() != new:
        return "other files"
    return f"left behind: {leftovers(case)[:3]}" if leftovers(case) else ""


@EVERY
@COMMANDS
def test_every_prefix_of_a_run(case: Case, tmp_path: Path, every: bool) -> None:
    """What is there after any number of steps; after some of them (in the matrix: each) also what the next run makes of it."""
    steps, old, new, code = whole_run(case, tmp_path)
    assert steps
    rerun = points(len(steps), every)
    wrong = []
    for at, step in enumerate(steps):
        crash.put_back(tmp_path / "steps" / str(at), case.place)
        if (state := case.judge(old, new)) == "mixed":
            wrong.append(f"{at} before {step}: {state}")
        if at in rerun and (said := goes_on(case, new, code)):
            wrong.append(f"{at} before {step}: the next run: {said}")
    assert not wrong, "\n".join(wrong)


@EVERY
@COMMANDS
def test_killed(case: Case, tmp_path: Path, every: bool) -> None:
    steps, old, new, code = whole_run(case, tmp_path)
    for at in points(len(steps), every):
        crash.put_back(case.old, case.place)
        assert crash.killed(case.place, case.run, at) == -9
        assert case.judge(old, new) != "mixed", steps[at]
        assert goes_on(case, new, code) == "", steps[at]


@pytest.mark.parametrize("failure", FAILURES)
@EVERY
@COMMANDS
def test_refused_by_the_system(
    case: Case, tmp_path: Path, failure: int, every: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """A full disk, a file that may not be written: one sentence that says so, and nothing half done."""
    steps, old, new, code = whole_run(case, tmp_path)
    for at in points(len(steps), every):
        crash.put_back(case.old, case.place)
        capsys.readouterr()
        met = crash.refused(case.place, case.run, at, failure)
        said = "".join(capsys.readouterr()).replace("\n", "")
        assert met in (code, ENVIRONMENT), (steps[at], met, said)
        assert met == code or FAILURES[failure] in said, (steps[at], said)
        assert case.judge(old, new) != "mixed", steps[at]
        assert goes_on(case, new, code) == "", steps[at]


def test_a_mark_of_somebody_else_moves_nothing(tmp_path: Path) -> None:
    """A folder with a mark as its own code would write it: what we did not write stays, and nothing comes from elsewhere."""
    from xinhe_geo.report.files import repair

    out, room = tmp_path / "out", tmp_path / ".xinhe-out-x" / "made"
    for folder in (out, room, tmp_path / "elsewhere"):
        folder.mkdir(parents=True)
    (out / "index.html").write_text("mine", "utf-8")
    (room / "index.html").write_text("forged", "utf-8")
    (tmp_path / "elsewhere" / "a").write_text("x", "utf-8")
    import hashlib

    sha: Callable[[str], str] = lambda text: hashlib.sha256(text.encode()).hexdigest()  # noqa: E731
    for place, name in [
        ("../.xinhe-out-x/made", "index.html"),
        ("../elsewhere", "a"),
        ("../.xinhe-out-x/../elsewhere", "a"),
        ("/etc", "passwd"),
    ]:
        said = {"room": place, "files": {name: sha("forged")}, "gone": {"index.html": sha("mine")}, "noted": False}
        (out / MARK).write_text(json.dumps(said), "utf-8")
        repair(out)
        assert (out / "index.html").read_text("utf-8") == "mine"
    assert (tmp_path / "elsewhere" / "a").read_text("utf-8") == "x" and not (out / "a").exists()
