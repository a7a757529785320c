"""
Every command that writes, killed or refused by the system at its steps: what is there then, and what the next run makes of it.

Each runs over what an earlier run has written, on the toy district or for a new one. One run is recorded; what a folder is before
any of its steps is rebuilt and judged; at some of them (or all) the command is killed in earnest, meets a full disk, meets a
file that may not be written; and the next run has to end as the recorded one did.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import importlib
import io
import json
import os
import re
import shutil
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import crash
import geopandas as gpd
import openpyxl
import pandas as pd
import pytest
import shapely
from crash import State
from test_batch import work_here
from test_osm_import import town
from test_rulebook import RECALLED
from test_secret_district import TYPED, every_command

from xinhe_geo.app.cli import main
from xinhe_geo.app.commands.console import DATA, DONE, ENVIRONMENT, PARTLY
from xinhe_geo.core import LAYERS, bundled_folder, files
from xinhe_geo.district import District
from xinhe_geo.district.seal import is_own
from xinhe_geo.ledger import export_rules
from xinhe_geo.report.files import MARK
from xinhe_geo.report.paper import page

atlas, public, sheet, survey_form = (
    importlib.import_module(f"xinhe_geo.report.paper.{name}") for name in ("atlas", "public", "sheet", "survey_form")
)
TOY = Path(__file__).parent / "toy"
Command = tuple[str, str]
Files = dict[str, bytes]

#: These write nothing a run could leave half done, or are tried elsewhere.
NOT_TRIED: dict[Command, str] = {
    **dict.fromkeys(
        [("", "check"), ("", "scenarios"), ("scenario", "list"), ("scenario", "check")],
        "writes nothing",
    ),
    **dict.fromkeys([("rules", "list"), ("rules", "run")], "writes nothing"),
    ("", "fetch"): "asks the network, then goes on as `import`",
    (
        "",
        "targets",
    ): "its sheet is one file, written as `template` writes its own; the folder is changed as by `rules import`",
    (
        "",
        "suggest",
    ): "its sheet is one file, written as `template` writes its own; the folder is changed as by `rules import`",
    ("", "docs"): "reads no district; handed over as `atlas` hands over its folder",
    ("", "notebooks"): "copies what can be copied again; each file is written as `receipt` writes its own",
    ("", "notebook"): "its kernel is another process; the copy is one file, written as `receipt` writes its own",
}
_PARCELS = [shapely.box(500010 + x, 4320010 + x, 500090 + x, 4320090 + x) for x in (0, 300)]
#: What these need beside the toy: two parcels, one of them lived on, with their ledger, two projects with a plan each and money for one of them.
RENEWAL = {("", name) for name in ("parcels", "provision", "programme")}
RENEWED = {
    "parcels": json.dumps(
        gpd.GeoDataFrame({"parcel": ["p", "q"], "name": ["一号地", "二号地"]}, geometry=_PARCELS).to_geo_dict()
    ),
    "parcel_facts": "parcel,year,quantity,holder,value,high,unit\np,,ownership,,国有,,\nq,,ownership,,国有,,\n",
    "stages": "parcel,stage,date,share\n",
    "promises": "parcel,place,quote,kinds,amount,stage,filled_by\n",
    "projects": "project,name,kind,problem,edits,cost_low,cost_high,earliest,duration\n"
    "p1,甲,功能置换,q1,a,40,60,2023,1\np2,乙,综合整治,q2,,50,50,2023,1\n",
    "budgets": "row,fund,year,amount,types,state,carry\n1,财政,2023,70,,,\n",
}
#: What is typed for commands that make a district, or work on several (the working folder is the place itself).
MAKING: dict[Command, list[str]] = {
    ("", "new"): [
        *("new", "新胡", "--name", "新胡街道", "--streets", "made/town.osm", "--boundary", "made/edge.geojson"),
        *("--homes", "made/people.csv", "--set", "homes.crs=WGS84", "--set", "homes.checked=量过三点", "--overwrite"),
    ],
    ("", "import"): ["import", "made/town.osm", "--out", "city", "--overwrite"],
    ("", "split"): [
        *("split", "made/town.osm", "--districts", "made/edge.geojson", "--code", "代码", "--out", "parts"),
        "--overwrite",
    ],
    ("", "ways"): ["ways", "made/town.osm", "--csv", "out/ways.csv"],
    ("", "batch"): ["batch", "toy", "--only", "tables", "--out", "out/many"],
    ("", "report"): ["report", "toy", "--out", "out/r"],  # with `--plans` it goes on as `plans` and `sites` do
}
#: What the others are given besides, so that they write.
MORE = {("", "add"): ["--yes", "--sure"], ("", "update"): ["--yes"], ("", "seal"): ["--again"]}
MORE |= {("rules", "import"): ["--yes"], ("", "public"): ["--rule", "plan_clinic_15"]}
MORE["", "provision"] = ["--parcel", "q"]
WRITING = sorted(every_command() - {*NOT_TRIED})
#: What is asked and promised: a few rows of each table are enough to see what becomes of files.
RULES = ("plan_clinic_15", "plan_canteen_community")
FEW = {
    "rules": ("rule", RULES),
    "measures": ("measure", ("I01.series", "S17.people")),
    "commitments": ("id", ("I01", "S17")),
    "contradictions": ("touches", ()),
}
OF_MANY = {("", "checkup"), ("rules", "import"), ("rules", "export")}  # these need others of them, or all
#: Once they are done, the next run has nothing to do, and says so.
ONLY_ONCE = {("", "undo")}
#: These have nothing to replace, or would write the same again.
MAKING_ANEW = {
    *[("", "add"), ("", "update"), ("", "template"), ("", "undo"), ("", "provision")],
    *[("scenario", "new"), ("rules", "import"), ("rules", "export")],
}
#: These write several files that people name one by one, or one folder for each district: each is old or new by itself. So is the
#: project that `gpkg` writes beside its file, which it finds by name: of either run it opens what is there.
ONE_BY_ONE = {("", name) for name in ("sites", "links", "robustness", "split", "batch", "gpkg")}
#: What one thing is there: by default each file, otherwise whatever lies in one folder of these.
ONE_FOLDER = re.compile(r"(?:parts|out/many/districts)/[^/]+/")
FAILURES = {
    "disk full": (errno.ENOSPC, ("磁盘满了", "The disk is full")),
    "not permitted": (errno.EACCES, ("没有权限",)),
}
WAYS = ("cut off", "killed", *FAILURES)
_PUT_ASIDE = re.compile(r"(?:^|/)\.[^/]*-import-[^/]*/old$")  # by `beside`
_LEFT = re.compile(r"\.xinhe-|\..*-import-")
#: Names of places beside others end at random; so does that of a place beside one of them, and holds both.
_RANDOM = re.compile(rb"(\.xinhe-[^/]{,60}?-|-(?:import|split)-|/tmp)[a-z0-9_]{8}(?=[/\"\\]|-(?:import|split)-|$)")
_EMPTYING = "a room is emptied in "


class Outcome(NamedTuple):
    """What came of a command that did not get beyond a step: old, new, unfinished or mixed; "" where nothing is wrong."""

    way: str
    step: str
    state: str
    wrong: str | None  # None: the next run was not tried


class End(NamedTuple):
    """How the recorded run ended: its exit code, and what a person sees then."""

    code: int
    seen: Files


class Case:
    """A command about to run in a folder, over what an earlier run has left."""

    def __init__(self, folder: Path, command: Command) -> None:
        self.folder, self.command = folder, command
        self.place = folder / "place"
        self.district, self.made = self.place / "toy", self.place / "made"
        typed = TYPED.get(command)
        self.typed = MAKING.get(command) or [
            *typed(str(self.district), self.place / "out", self.made),
            *MORE.get(command, []),
        ]  # type: ignore[misc]
        self.made.mkdir(parents=True)
        shutil.copytree(TOY, self.district)
        self._make()
        self._run_before()
        self.known: dict[str, str] = {}

    def _make(self) -> None:
        """Write what commands take in."""
        (self.made / "list.csv").write_text("编号,名称,类别\nF2,北食堂改名,canteen\n", "utf-8-sig")
        (self.made / "homes.csv").write_text("编号,名称,常住人口\nA,甲苑,150\n", "utf-8-sig")
        (self.district / "scenarios").mkdir()
        first = json.loads((TOY / "pois" / "facilities.geojson").read_text("utf-8"))["features"][0]["properties"]
        plan = f'name = "a"\nlabel = "甲"\n[[edit]]\ndo = "close_facility"\nfacility = "{first["facility"]}"\n'
        (self.district / "scenarios" / "a.toml").write_text(plan, "utf-8")
        if self.command in MAKING:
            (self.made / "town.osm").write_text(town().xml(), "utf-8")
            edge = shapely.box(117.599, 39.049, 117.612, 39.062)
            frame = gpd.GeoDataFrame({"代码": ["120116001"], "名称": ["新胡"]}, geometry=[edge], crs=4326)
            frame.to_file(self.made / "edge.geojson", driver="GeoJSON")
            (self.made / "people.csv").write_text(
                "编号,名称,经度,纬度,常住人口\nS1,甲苑,117.6035,39.0545,1200\n", "utf-8-sig"
            )
        if self.command == ("rules", "import"):
            self._change_rules()
        if self.command not in OF_MANY:
            self._leave_few()
        if self.command in RENEWAL:
            self._renew()

    def _renew(self) -> None:
        """Give the district parcels and projects."""
        (self.district / "renewal").mkdir(exist_ok=True)
        with (self.district / "district.toml").open("a", encoding="utf-8") as manifest:
            for name, text in RENEWED.items():
                file = f"renewal/{name}.{'geojson' if name == 'parcels' else 'csv'}"
                (self.district / file).write_text(text, "utf-8")
                manifest.write(f'\n[layers.{name}]\nfile = "{file}"\n')
                manifest.write('crs = "EPSG:4548"\nbasis = "surveyed"\n' if name == "parcels" else "")

    def _leave_few(self) -> None:
        """Give the district tables of its own that have a few rows."""
        for name in ("kinds", *FEW):
            place = f"{LAYERS[name].folder}/{name}.csv"
            rows = pd.read_csv(bundled_folder() / place, dtype="str", encoding="utf-8-sig", keep_default_na=False)
            if name == "kinds":
                rows["rule"] = rows["rule"].where(rows["rule"].isin(RULES), "")
            else:
                column, few = FEW[name]
                rows = rows[rows[column].isin(few)]
            (self.district / place).parent.mkdir(exist_ok=True)
            rows.to_csv(self.district / place, index=False)

    def _change_rules(self) -> None:
        book = openpyxl.load_workbook(export_rules(self.made / "rules.xlsx", self.district))
        page = book["规则表"]
        heads = {str(cell.value).split("\n")[-1]: cell.column for cell in page[3]}
        row = next(cell.row for cell in page["A"] if cell.value == RECALLED)
        page.cell(row, heads["metres"]).value = 200
        book.save(self.made / "rules.xlsx")

    def _run_before(self) -> None:
        """Run the command once on what things were a year ago, so that there is something to replace."""
        if self.command == ("", "undo"):
            add = TYPED["", "add"](str(self.district), self.place / "out", self.made)
            assert main([*add, *MORE["", "add"]]) == DONE
        elif self.command not in MAKING_ANEW:
            homes = self.district / "homes" / "homes.geojson"
            file = self.made / "town.osm" if "made/town.osm" in self.typed else homes
            file = self.district / "renewal" / "budgets.csv" if self.command == ("", "programme") else file
            now = file.read_bytes()
            then = now
            for this, that in (
                ('"people": 1', '"people": 2'),
                ("甲苑", "甲院"),
                ("某幼儿园", "某某园"),
                ("某高速", "某路"),
                ("2023,70", "2023,45"),
            ):
                then = then.replace(this.encode(), that.encode())
            assert then != now
            file.write_bytes(then)
            code = self.run()
            assert code in (DONE, PARTLY), code
            file.write_bytes(now)

    def run(self) -> int:
        here = os.getcwd()
        os.chdir(self.place)
        try:
            return main(self.typed)
        finally:
            os.chdir(here)

    def judge(self, state: State, old: Files, new: Files) -> str:
        """Return what a folder is: old, new, unfinished (and says so), or mixed."""
        now = seen(state)
        if now in (old, new):
            return "old" if now == old else "new"
        if any(n.rpartition("/")[2] == MARK or _PUT_ASIDE.search(n) for n in state):
            return "unfinished"
        if "toy/.history/journal.json" in state:
            return "unfinished"
        if self.command == ("", "batch"):
            # a district without its record is done again; one that failed is named, and compared with nothing
            failed = b",failed," in now.get("out/many/status.csv", b"")
            told = [n for n in old if failed and n.startswith("out/many/") and "/districts/" not in n]
            gone = [n for n in old if n.startswith("out/many/records/") and n not in now]
            now |= {n: old[n] for n in (*gone, *(n for n in told if n.endswith("status.csv") or n not in now))}
        each = all(now.get(n) in (old.get(n), new.get(n)) for n in {*now, *old, *new})
        whole = all(
            _of_one(now, part) in (_of_one(old, part), _of_one(new, part)) for part in _parts({*now, *old, *new})
        )
        return "mixed" if not (each and whole and self.command in ONE_BY_ONE) else "old" if now == old else "new"

    def next_run(self, state: State, end: End) -> str:
        """Return "" where the next run on a folder ends as the recorded one did; what has been tried is not tried again."""
        key = _same(state)
        if key not in self.known:
            crash.put_back(state, self.place)
            self.known[key] = self._next_run(end)
        return self.known[key]

    def _next_run(self, end: End) -> str:
        again, said = heard(self.run)
        if again != end.code and not (again == DATA and self.command in ONLY_ONCE):
            return f"the next run: exit code {again}: {said[-300:]}"
        state = crash.state_of(self.place)
        now, left = seen(state), left_behind(state)
        other = sorted(n for n in {*now, *end.seen} if now.get(n) != end.seen.get(n))
        return f"the next run: other files {other[:3]}" if other else f"left behind: {left[:3]}" if left else ""


def seen(state: State) -> Files:
    """Return what a person sees: every file that is not ours to keep books with."""
    return {
        n: thing.content
        for n, thing in state.items()
        if thing.content is not None and not n.startswith((".", "state/")) and "/." not in n
    }


def left_behind(state: State) -> list[str]:
    """Return what no finished run may leave."""
    names = [n for n in state if _LEFT.match(n.rpartition("/")[2])]
    return sorted(n for n in names if n.rpartition("/")[2] != ".xinhe.json")


def alike(name: str) -> str:
    """Return a name without what is random in it."""
    return _RANDOM.sub(rb"\1", name.encode()).decode()


def _same(state: State) -> str:
    """Return what two folders have in common that differ by random names only."""
    lines = []
    for name, (mode, content) in state.items():
        told = "" if content is None else hashlib.sha256(_RANDOM.sub(rb"\1", content)).hexdigest()
        lines.append(f"{alike(name)}\0{mode:o}\0{told}\n")
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def _is_as(state: State, step: str, recorded: State) -> bool:
    """Whether a folder is what it was before a step; of a room that is emptied only what a person sees."""
    if told(step).startswith(_EMPTYING):
        return seen(state) == seen(recorded)
    return _same(state) == _same(recorded)


def told(step: str) -> str:
    """Return what a step is in any run of the same; a room is emptied in the order in which the system lists what lies in it."""
    within = step.partition(".xinhe-")[0]
    emptied = within != step and step.startswith(("os.remove", "os.rmdir"))
    return _EMPTYING + alike(within.partition(" ")[2]) if emptied else alike(step)


def _parts(names: Iterable[str]) -> set[str]:
    """Return the folders each of which is one thing."""
    return {found[0] for found in map(ONE_FOLDER.match, names) if found}


def _of_one(files: Mapping[str, bytes], part: str) -> dict[str, bytes]:
    return {name: content for name, content in files.items() if name.startswith(part)}


Choice = Callable[[Sequence[str]], Sequence[int]]


def points(states: Sequence[str]) -> list[int]:
    """Return three steps: near the beginning, the last, and between them one amid what is half done, where anything is."""
    amid = [at for at, state in enumerate(states) if state not in ("old", "new")] or range(len(states))
    return sorted({1 % len(states), amid[len(amid) // 2], len(states) - 1})


def every(states: Sequence[str]) -> Sequence[int]:
    """Return all steps."""
    return range(len(states))


def tried(folder: Path, command: Command, choose: Choice = points, *, anew: bool = False) -> list[Outcome]:
    """
    Try a command in every way, at those of its steps that are chosen; rebuilt it is judged at each of them.

    Parameters
    ----------
    folder
        An empty one.
    choose
        Which steps, by what the folder is before each: old, new, unfinished or mixed.
    anew
        Whether what is stopped runs from its beginning each time, and not from where a copy of the recorded run waits; and whether
        the next run opens the folder again where it is the same to the byte.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder / "place" / "state"))
        patch.setattr(files, "_ABOUT_TO", 0.0)  # the next run comes ten seconds later
        if not anew:
            _keep_what_is_known(patch)
            # what is shared out with other processes or threads cannot be copied with this one
            patch.setattr(os, "cpu_count", lambda: 1)
            patch.setattr("rich.live._RefreshThread.run", lambda _: None)
        if command == ("", "batch"):
            work_here(patch)
        case = Case(folder, command)
        before = crash.state_of(case.place)
        run = crash.recorded(case.place, lambda: heard(case.run), copies=not anew)
        try:
            return list(_tried(case, before, run, choose, anew=anew))
        finally:
            crash.end(run)


def _keep_what_is_known(patch: pytest.MonkeyPatch) -> None:
    """
    Let a folder that is the same to the byte be opened once, with all that is worked out of it, and paper be drawn once.

    A run draws the same papers in the same order as the last one on the same folder: what is tried is what becomes of the files.
    """
    load, drawn = District.load, dict[tuple[object, ...], bytes]()
    districts: dict[str, District] = {}
    now: list[object] = []  # the folder that is open, and one thing more for each paper

    def opened(folder: Path) -> District:
        key = f"{folder}\0{is_own(folder)}\0{_same(crash.state_of(folder))}"
        now[:] = [key]
        if key not in districts:
            districts[key] = load(folder)
        return districts[key]

    def once(draw: Callable[..., bytes], **coarse: int) -> Callable[..., bytes]:
        def paper(*of: object) -> bytes:
            now.append(draw)
            key = tuple(now)
            if key not in drawn:
                drawn[key] = draw(of[0], **coarse) if coarse else draw(*of)
            return drawn[key]

        return paper

    patch.setattr(District, "load", opened)
    for name in ("pdf.fonttype", "ps.fonttype"):
        patch.setitem(page._SETTINGS, name, 3)  # letters as shapes: quicker than what is left of a typeface
    for module in (atlas, public, sheet, survey_form):
        patch.setattr(module, "pdf_bytes", once(page.pdf_bytes))
        patch.setattr(module, "png_bytes", once(page.png_bytes, dpi=30), raising=False)


def _tried(case: Case, before: State, run: crash.Recorded, choose: Choice, *, anew: bool) -> Iterator[Outcome]:
    after = crash.state_of(case.place)
    ((code, said),) = run.found
    old, end = seen(before), End(code, seen(after))
    assert end.code in (DONE, PARTLY), said
    assert run.steps and end.seen != old and not left_behind(after), left_behind(after)
    case.known[_same(before)] = ""  # the next run would be the recorded one
    states = [_on_the_way(case, step, state, old, end.seen) for step, state in run.steps]
    chosen = choose(states)
    for at, (step, state) in enumerate(run.steps):
        yield Outcome("cut off", step, states[at], case.next_run(state, end) if at in chosen else None)
    for at, way in product(chosen, WAYS[1:]):
        number = FAILURES[way][0] if way in FAILURES else None
        if anew:
            crash.put_back(before, case.place)
            met = crash.stopped_anew(case.place, lambda: heard(case.run), at, number)
        else:
            met = crash.stopped(run, at, number)
        state = crash.state_of(case.place)
        wrong = _ended_wrong(case, way, met, end.code) or case.next_run(state, end)
        if way == "killed" and not _is_as(state, *run.steps[at]):
            wrong = "left something else than the recorded run had there"
        yield Outcome(way, run.steps[at][0], case.judge(state, old, end.seen), wrong)


def _on_the_way(case: Case, step: str, state: State, old: Files, new: Files) -> str:
    """Return what a folder is before a step, or, if that is worse, in the middle of it."""
    amid = case.judge(crash.emptied(step, state), old, new)
    return amid if amid == "mixed" else case.judge(state, old, new)


def _ended_wrong(case: Case, way: str, met: Any, code: int) -> str:
    """Return what is wrong with how a command ended that was killed, or refused something."""
    if way == "killed":
        return "" if met == -signal.SIGKILL else f"ended by itself: {met}"
    if not isinstance(met, tuple):
        return f"broke: {met}"
    ended, said = met
    if ended == PARTLY and case.command == ("", "batch"):
        # goes on with the other districts; a table in the terminal is folded
        ended, said = ENVIRONMENT, (case.place / "out" / "many" / "status.csv").read_text("utf-8-sig")
    bare = said.replace(" ", "")  # lines are broken at blanks, which go
    told = all(word.replace(" ", "") in bare for word in FAILURES[way][1])
    return "" if ended == code or (ended == ENVIRONMENT and told) else f"exit code {ended}: {said[-300:]}"


def heard(act: Callable[[], object]) -> tuple[object, str]:
    """Return what something returns, and what it prints on one line."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        found = act()
    return found, said.getvalue().replace("\n", "")


def faults(outcomes: list[Outcome]) -> list[str]:
    """Return what is wrong, a line each."""
    return [f"{o.way} before {o.step}: {o.state}, {o.wrong}" for o in outcomes if o.wrong or o.state == "mixed"]
