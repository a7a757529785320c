"""Killed, or refused by the system, at any step: what is there is old, or new, or says that it is unfinished; the next run works."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import sys
from pathlib import Path

import crash
import killed
import pytest
from test_secret_district import every_command

from xinhe_geo.core import own_room, write_text
from xinhe_geo.district.beside import beside
from xinhe_geo.report.files import MARK, put_over, repair, swapped_in
from xinhe_geo.report.record import RECORD, hashes

ROOT = Path(__file__).resolve().parents[2]
NAMED = {" ".join(command).strip(): command for command in killed.WRITING}

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="steps are named by /proc")]


def test_every_command_is_tried_or_says_why_not() -> None:
    assert {*killed.WRITING, *killed.NOT_TRIED} == every_command()
    assert all(killed.NOT_TRIED.values()) and not {*killed.WRITING} & {*killed.NOT_TRIED}


def test_the_table_of_the_docs_is_of_these_commands() -> None:
    """Whatever has been added or taken away since it was made; what it says was found without a fault."""
    spec = importlib.util.spec_from_file_location("make_kills", ROOT / "tools" / "make_kills.py")
    assert spec and spec.loader
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    text = tool.TARGET.read_text("utf-8")
    rows = dict(tool.read(text))
    assert text.partition(tool.BEGIN)[2].partition(tool.END)[0] == tool.table(rows), "python tools/make_kills.py"
    assert not [name for name, cells in rows.items() if {*cells[7:9]} - {"0", "?"} or "mixed" in "".join(cells)]


def test_names_of_rooms_within_rooms_are_alike(tmp_path: Path) -> None:
    """A second run of the same differs in no name, however often the end of one is at random."""

    def names() -> list[str]:
        target = tmp_path / "新胡"
        with (
            beside(target) as one,
            beside(one) as two,
            own_room(two / "a.csv") as three,
            beside(three, "split") as four,
        ):
            return [killed.alike(f"{place.relative_to(tmp_path)}") for place in (one, two, three, four)]

    assert names() == names()


@pytest.mark.parametrize("name", NAMED)
def test_three_points(tmp_path: Path, name: str) -> None:
    """Rebuilt it is judged at each step; at three of them killed, refused, and run again."""
    assert not killed.faults(killed.tried(tmp_path, NAMED[name]))


@pytest.mark.matrix
@pytest.mark.parametrize("name", NAMED)
def test_every_step(tmp_path: Path, name: str) -> None:
    assert not killed.faults(killed.tried(tmp_path, NAMED[name], killed.every))


@pytest.mark.matrix
@pytest.mark.parametrize("name", ["add", "batch", "import", "plans", "report", "rules import", "sheet", "survey"])
def test_copies_come_to_what_runs_from_the_beginning_come_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The steps of the real command, what is there after it was stopped, and the next run: by either way the same."""
    monkeypatch.setattr(os, "cpu_count", lambda: 1)  # steps of other processes are not seen
    ways = []
    for anew in (False, True):  # in one place: journals are known by theirs
        outcomes = killed.tried(tmp_path / "x", NAMED[name], anew=anew)
        ways.append([o._replace(step=killed.told(o.step)) for o in outcomes])
        shutil.rmtree(tmp_path / "x")
    copied, whole = ways
    assert copied == whole


@pytest.mark.matrix
def test_three_points_while_other_processes_draw(tmp_path: Path) -> None:
    """On several cores, and from the beginning each time: who is killed leaves others at work."""
    assert not killed.faults(killed.tried(tmp_path, NAMED["report"], anew=True))


def test_a_mark_of_somebody_else_moves_nothing(tmp_path: Path) -> None:
    """A folder with a mark as its own code would write it: what we did not write stays, and nothing comes from elsewhere."""
    out, room = tmp_path / "out", tmp_path / ".xinhe-out-x" / "made"
    for folder in (out, room, tmp_path / "elsewhere"):
        folder.mkdir(parents=True)
    (out / "index.html").write_text("mine", "utf-8")
    (room / "index.html").write_text("forged", "utf-8")
    (tmp_path / "elsewhere" / "a").write_text("x", "utf-8")

    def sha(text: str) -> str:
        return hashlib.sha256(text.encode()).hexdigest()

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


def test_a_brief_and_its_record_change_together(tmp_path: Path) -> None:
    """Links that are put into a brief later: at every step the next report finds the brief as its record says."""
    out = tmp_path / "place" / "out"
    run = {"versions": {"xinhe-geo": "1"}}

    def texts(page: str) -> dict[str, str]:
        sha = hashlib.sha256(page.encode()).hexdigest()
        return {"index.html": page, RECORD: json.dumps(run | {"files": {"index.html": sha}})}

    for name, text in texts("old").items():
        write_text(out / name, text)
    steps = crash.recorded(out.parent, lambda: put_over(out, texts("new"))).steps
    assert hashes(out) == {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts("new").items()}
    for step, state in steps:
        crash.put_back(state, out.parent)
        repair(out)
        assert [(out / name).read_text("utf-8") for name in ("index.html", RECORD)] in (
            [*texts("old").values()],
            [*texts("new").values()],
        ), step


def test_what_was_killed_is_carried_on_whatever_its_files_are_called(tmp_path: Path) -> None:
    """The record does not take the place of the earlier one before all files have that it knows of."""
    out = tmp_path / "place" / "out"
    names = ("index.html", "gis/coverage.gpkg", "tables/coverage.xlsx")

    def report(text: str) -> None:
        with swapped_in(out) as fresh:
            for name in names:
                write_text(fresh / name, text + name)
            said = {"versions": {"xinhe-geo": "1"}, "files": hashes(fresh)}
            write_text(fresh / RECORD, json.dumps(said))

    report("old")
    steps = crash.recorded(out.parent, lambda: report("new")).steps
    for step, state in steps:
        crash.put_back(state, out.parent)
        report("newest")
        assert {name: (out / name).read_text("utf-8") for name in names} == {n: "newest" + n for n in names}, step
