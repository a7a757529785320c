"""The folder for outputs is the user's: nothing is replaced or deleted that we have not written, or that was changed since."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import crash
import pytest

import xinhe_geo as xh
from xinhe_geo.app.cli import DONE, ENVIRONMENT, main
from xinhe_geo.core import EnvironmentProblem, files, write_text
from xinhe_geo.report.files import CARRIED, added_to, put_in_place, put_over, refuse_foreign, swapped_in
from xinhe_geo.report.record import NOTED, RECORD, is_inside

TOY = Path(__file__).parents[1] / "toy"
OWN = "我自己的东西"
RUN = {"district": {}, "inputs": {}, "versions": {"xinhe-geo": "0"}, "files": {}}


def sha(content: str | bytes) -> str:
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def tree(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    return folder


def run(files: dict[str, Any]) -> str:
    return json.dumps({**RUN, "files": files})


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    return write(tmp_path / "fresh", {"index.html": "新", "maps/a.html": "新", RECORD: run({})})


WRITERS = {"report": put_in_place, "others": None}


def put(how: str, fresh: Path, target: Path) -> None:
    if how == "report":
        put_in_place(fresh, target)
        return
    with added_to(target) as room:
        shutil.copytree(fresh, room, dirs_exist_ok=True)


@pytest.mark.parametrize("how", WRITERS)
@pytest.mark.parametrize("name", ["index.html", "maps/a.html", RECORD])
def test_a_file_of_the_user_s_is_not_replaced(tmp_path: Path, fresh: Path, how: str, name: str) -> None:
    """Not even where only one of many is in the way: then nothing changes at all."""
    target = write(tmp_path / "out", {name: OWN, "其他.txt": OWN})
    before = tree(target)
    with pytest.raises(xh.EnvironmentProblem, match=f"{name}.*不是本程序写的.*--out"):
        put(how, fresh, target)
    assert tree(target) == before


@pytest.mark.parametrize("how", WRITERS)
def test_what_we_wrote_is_replaced_until_somebody_changes_it(tmp_path: Path, fresh: Path, how: str) -> None:
    target = tmp_path / "out"
    (fresh / RECORD).write_text(run({n: sha((fresh / n).read_bytes()) for n in ("index.html", "maps/a.html")}), "utf-8")
    put(how, fresh, target)
    write(fresh, {"index.html": "更新", "maps/a.html": "新"})
    write(fresh, {RECORD: run({"index.html": sha("更新"), "maps/a.html": sha("新")})})
    put(how, fresh, target)
    assert (target / "index.html").read_text("utf-8") == "更新"
    write(target, {"index.html": "有人改过"})
    write(fresh, {"index.html": "再新", "maps/a.html": "新"})
    with pytest.raises(xh.EnvironmentProblem, match=r"index\.html"):
        put(how, fresh, target)
    assert (target / "index.html").read_text("utf-8") == "有人改过"


@pytest.mark.parametrize("how", WRITERS)
@pytest.mark.parametrize("what", ["file", "folder", "dangling"])
def test_nothing_is_written_through_a_link(tmp_path: Path, fresh: Path, how: str, what: str) -> None:
    outside, target = write(tmp_path / "outside", {"a.html": OWN}), tmp_path / "out"
    target.mkdir()
    try:
        if what == "folder":
            os.symlink(outside, target / "maps", target_is_directory=True)
        else:
            os.symlink(outside / ("a.html" if what == "file" else "none"), target / "index.html")
    except OSError:
        pytest.skip("this system lets nobody make links")
    with pytest.raises(xh.EnvironmentProblem, match="是链接"):
        put(how, fresh, target)
    assert tree(outside) == {"a.html": OWN.encode()}


def test_a_foreign_record_deletes_nothing(tmp_path: Path, fresh: Path) -> None:
    """Whatever it names: only what a report writes, inside, by its own hash, and no link."""
    target = write(tmp_path / "out", {"我的.docx": OWN, "maps/我的.txt": OWN, "maps/改过.html": OWN})
    write(tmp_path, {"外面.html": OWN})
    names = [
        "我的.docx",
        "maps/我的.txt",
        "../外面.html",
        str(tmp_path / "外面.html"),
        "maps/../我的.docx",
        "./我的.docx",
    ]
    files: dict[str, Any] = dict.fromkeys(names, sha(OWN))
    write(target, {RECORD: run({**files, "maps/改过.html": sha("原来"), "maps/b.html": 5, "": sha("")})})
    put_in_place(fresh, target)
    kept = {"我的.docx", "maps/我的.txt", "maps/改过.html"}
    assert kept <= set(tree(target)) and (tmp_path / "外面.html").read_text("utf-8") == OWN


def test_a_record_that_is_no_record_is_the_user_s(tmp_path: Path, fresh: Path) -> None:
    for text in ("[]", "{", '{"files": {"index.html": "x"}}', "[" * 100_000):
        target = write(tmp_path / "out", {RECORD: text})
        with pytest.raises(xh.EnvironmentProblem, match="不是本程序写的"):
            put_in_place(fresh, target)
        assert (target / RECORD).read_text("utf-8") == text


def test_what_is_no_longer_made_goes_and_the_rest_stays(tmp_path: Path, fresh: Path) -> None:
    target = write(tmp_path / "out", {"maps/旧.html": "旧", "tables/旧.xlsx": "旧", "别的.html": OWN})
    write(target, {RECORD: run({"maps/旧.html": sha("旧"), "tables/旧.xlsx": sha("旧")})})
    put_in_place(fresh, target)
    assert set(tree(target)) == {"index.html", "maps/a.html", RECORD, "别的.html"}


def test_what_people_type_into_the_ledger_s_workbook_does_not_stop_the_next_one(tmp_path: Path) -> None:
    (book,) = CARRIED
    fresh, target = write(tmp_path / "fresh", {book: "新"}), write(tmp_path / "out", {book: "填过"})
    with pytest.raises(xh.EnvironmentProblem):  # nobody says that it was ever ours
        put_in_place(fresh, target)
    write(target, {RECORD: run({book: sha("旧")})})
    put_in_place(fresh, target)
    assert (target / book).read_text("utf-8") == "新"


@pytest.mark.parametrize(
    ("name", "inside"),
    [
        ("a.html", True),
        ("maps/甲 乙.html", True),
        ("../a", False),
        ("a/../b", False),
        ("/a", False),
        ("a//b", False),
        ("./a", False),
        ("C:\\a", False),
        ("C:a", False),
        ("a\\b", False),
        ("a\nb", False),
        ("", False),
        (5, False),
        (None, False),
    ],
)
def test_names_of_a_record(name: object, inside: bool) -> None:
    assert is_inside(name) is inside


#: command -> a file of the user's that would be in the way.
COMMANDS = {
    "report": (["report", str(TOY)], "index.html"),
    "atlas": (["atlas", str(TOY)], "图册.pdf"),
    "sites": (["sites", "canteen", "--for", str(TOY)], "sites-canteen.html"),
    "batch": (["batch", str(TOY)], "status.csv"),
}


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize("command", list(COMMANDS))
def test_commands_leave_the_user_s_files_alone(
    tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    typed, name = COMMANDS[command]
    out = write(tmp_path / "out", {name: OWN})
    assert main([*typed, "--out", str(out)]) == ENVIRONMENT
    assert name in capsys.readouterr().err.replace("\n", "")
    assert tree(out) == {name: OWN.encode()}


@pytest.mark.slow
@pytest.mark.matrix
def test_sites_twice_into_one_folder(tmp_path: Path) -> None:
    for _ in range(2):
        assert main(["sites", "canteen", "--for", str(TOY), "--out", str(tmp_path / "out")]) == DONE
    noted = json.loads((tmp_path / "out" / NOTED).read_text("utf-8"))["files"]
    files = tree(tmp_path / "out")
    assert noted == {n: sha(c) for n, c in files.items() if n != NOTED} and len(noted) >= 3


def test_a_folder_that_may_not_be_written_is_told_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # an administrator may write everywhere
    with pytest.raises(xh.EnvironmentProblem, match=f"写 {tmp_path.name} 时出错：没有权限"):
        refuse_foreign(tmp_path, ["index.html"])


def _swapped(out: Path, text: str) -> None:
    with swapped_in(out) as room:
        write_text(room / "index.html", text)
        write_text(room / RECORD, run({"index.html": sha(text)}))


def _added(out: Path, text: str) -> None:
    with added_to(out) as room:
        write_text(room / "index.html", text)


def _over(out: Path, text: str) -> None:
    put_over(out, {"index.html": text, RECORD: run({"index.html": sha(text)})})


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="steps are named by /proc")
@pytest.mark.parametrize("put_there", [_swapped, _added, _over])
def test_what_one_refusal_leaves_goes_with_the_next_run_though_it_has_nothing_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, put_there: Callable[[Path, str], None]
) -> None:
    """The system refuses each step once: whatever we made for ourselves is gone after a run that only looks whether there is anything."""
    monkeypatch.setattr(files, "_ABOUT_TO", 0.0)  # it comes ten seconds later
    out, steps = tmp_path / "all" / "out", list[str]()
    _swapped(out, "0")
    with crash.watching(tmp_path, steps.append):
        put_there(out, "1")
    for at, step in enumerate(steps):
        with suppress(EnvironmentProblem), crash.watching(tmp_path, crash.stopping(at, errno.EACCES)):
            put_there(out, str(at + 2))
        with added_to(out):
            pass
        left = [p.name for p in tmp_path.rglob(".xinhe-*")]
        assert not left, (step, left)
        assert (out / "index.html").read_text("utf-8") in (str(at + 1), str(at + 2)), step
        put_there(out, str(at + 2))
