"""
Plans: named edits to a District, read from and written to TOML, and carried out on its rows.

A scenario is pure data: a name, a year, an ordered list of edits, read from and written to TOML. `Scenario.on` returns a new
District; the old one is untouched. Positions are longitude and latitude (WGS84), as a map shows them, or metres in the
district's own CRS, as the live map exports them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self, TypeVar

import pandas as pd
import tomli_w

from ..core import (
    Edit,
    ScenarioError,
    SourceError,
    WrongValueError,
    card,
    in_short,
    language,
    ordinary,
    os_words,
    read_toml,
    refuse_titles,
    say,
    well_called,
    well_made,
)
from .edited_rows import DoneAlready, EditedRows
from .edits import ACTIONS, DATES, FLAG, TEXT, YEAR, built_over, misfits, unknown_keys, wrong_edit
from .parcel_split import parts_of_layer


class Plannable(Protocol):
    """What a plan asks of a district: its rows, its year and CRS, and itself in another year or with other rows."""

    @property
    def manifest(self) -> Mapping[str, Any]:
        """What its folder says of it."""
        ...

    @property
    def year(self) -> int:
        """The year it stands for."""
        ...

    @property
    def with_planned(self) -> bool:
        """Whether planned facilities whose year has come count."""
        ...

    @property
    def crs(self) -> str:
        """The CRS of its layers, in metres."""
        ...

    @property
    def rows(self) -> Mapping[str, pd.DataFrame]:
        """All rows of all layers and tables."""
        ...

    @property
    def kinds(self) -> pd.DataFrame:
        """The kinds of facility it knows."""
        ...

    def at(self, year: int, *, planned: bool = False) -> Self:
        """Return it in another year."""
        ...

    def with_rows(
        self,
        rows: Mapping[str, pd.DataFrame],
        *,
        scenario: str = "",
        built: Mapping[str, bool] = ...,
        moved: Mapping[str, float] = ...,
        arrived: Mapping[str, Mapping[str, float]] = ...,
    ) -> Self:
        """Return it with other rows; `built`: homes that the plan builds, and whether with gates; `moved`, `arrived`: who moved and came."""
        ...

    def with_parted(self, parted: Mapping[tuple[str, str], Mapping[str, float]]) -> Self:
        """Return it knowing what a plan has divided into what."""
        ...


#: A district, which a plan makes another of.
D = TypeVar("D", bound=Plannable)


@well_made
@dataclass(frozen=True, slots=True)
class Scenario:
    """
    A plan: what is opened, closed, built, demolished, in which order and for which year.

    Parameters
    ----------
    name, label
        Key (its file is `scenarios/NAME.toml`) and what planners read.
    edits
        In order; later edits see what earlier ones did. Each as a file of a plan has it: `do` (open_facility, close_facility,
        move_facility, resize_facility, open_planned, use_rooms, move_households, demolish_homes, build_homes, return_households,
        build_floor_area, change_use, split_parcel, retrofit, open_gate, close_gate, add_street, close_street, open_lanes,
        set_wait), and what that needs, by code: it is said where it lacks, and `xinhe-geo scenario new NAME` writes a file with all
        of them. Positions are `at` (longitude, latitude), of facilities also `xy` (metres in the district's CRS). An edit may carry
        its own `year`, and `until` (the last year at whose end it holds): the plan then plays from year to year, and edits follow
        each other by their years.
    year
        The year it stands for, and in which edits without a year of their own are carried out. None: the last year that an edit
        carries, edits without one being there before; where no edit carries a year, the district's.
    planned
        Whether planned facilities whose year has come count as open.
    note
        What it assumes, for the record.
    shown
        The year in which it is looked at (`at`); it is not part of its file.
    district
        Whose folder it is of, where `District.scenario` opened it; it is no part of the plan.

    Raises
    ------
    ScenarioError
        Edits that are not as a plan has them: which step, and what to write.

    Examples
    --------
    >>> import xinhe_geo as xh
    >>> toy = xh.District.load("tests/toy")
    >>> step = {"do": "open_facility", "facility": "new-1", "kind": "canteen", "xy": [500100.0, 4320100.0]}
    >>> after = xh.Scenario("one-more", edits=[step, {"do": "close_facility", "facility": "F2"}]).on(toy)
    >>> sorted(set(after.open_facilities.index) ^ set(toy.open_facilities.index))
    ['F2', 'new-1']
    """

    name: str
    label: str = ""
    edits: tuple[Edit, ...] = ()
    year: int | None = None
    planned: bool = False
    note: str = ""
    shown: int | None = None
    district: Plannable | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Take edits that are written as in a file for what they say."""
        given = self.edits if isinstance(self.edits, list | tuple) else (self.edits,)
        wrong = [text for number, entry in enumerate(given, 1) for text in _wrong_step(number, entry)]
        if wrong:
            raise ScenarioError(in_short(wrong))
        object.__setattr__(self, "edits", tuple(e if isinstance(e, Edit) else _step(e) for e in given))

    def at(self, year: int) -> Scenario:
        """
        Return this plan as it stands at the end of another year: what begins later is not yet done, what has ended is undone.

        Parameters
        ----------
        year
            Any year; `on` carries out what holds then.

        Returns
        -------
        Scenario
            Another one, with the same edits; this one stays as it was.

        Raises
        ------
        ScenarioError
            Not a year between 1900 and 2200.
        """
        if not YEAR.fits(year):
            raise ScenarioError(say("年份 {0}：{1}", repr(year), YEAR.told))
        return replace(self, shown=int(year))

    @property
    def years(self) -> tuple[int, ...]:
        """The years in which something begins, or has just ended; empty where no edit carries a year and the plan has none."""
        dates = {self.since(e) for e in self.edits} | {self.year}
        ended = {int(e.what["until"]) + 1 for e in self.edits if YEAR.fits(e.what.get("until"))}
        return tuple(sorted({year for year in dates if year is not None} | ended))

    def since(self, edit: Edit) -> int | None:
        """
        Return the year in which an edit is carried out.

        Parameters
        ----------
        edit
            One of this plan's.

        Returns
        -------
        year
            Its own, else the plan's; None where the plan has none: it is there before the first that has one.
        """
        year = edit.what.get("year", self.year)
        return int(year) if YEAR.fits(year) else self.year

    def year_on(self, district: Plannable) -> int:
        """
        Return the year it stands for on a district.

        Parameters
        ----------
        district
            Its year counts where the plan names none.

        Returns
        -------
        year
            The one it is looked at in (`at`), else its own, else the last in which an edit is carried out, else the district's.
        """
        dated = [year for e in self.edits if (year := self.since(e)) is not None]
        own = self.year if self.year is not None else max(dated, default=district.year)
        return own if self.shown is None else self.shown

    def __repr__(self) -> str:
        """In one line: name, label, year and how many steps."""
        facts = [self.label, "" if self.year is None else say("{0} 年", self.year), say("{0} 步", len(self.edits))]
        return f"<Scenario {self.name} · {' · '.join(filter(None, facts))}>"

    def _repr_html_(self) -> str:
        """In a notebook: its steps, one a line."""
        rows = [[say("步"), say("做什么"), say("对什么")]]
        for number, edit in enumerate(self.edits, 1):
            label = ACTIONS[edit.do].label if edit.do in ACTIONS and language() == "zh" else edit.do.replace("_", " ")
            rows.append([str(number), label, say("，").join(f"{key} = {value}" for key, value in edit.what.items())])
        facts = [self.label, "" if self.year is None else say("{0} 年", self.year), self.note]
        return card(self.name, [fact for fact in facts if fact], rows)

    @staticmethod
    def read(path: str | Path) -> Scenario:
        """
        Read a scenario from TOML; everything that is wrong is reported at once.

        Parameters
        ----------
        path
            A .toml file as `text` writes it.

        Returns
        -------
        Scenario
            As it stands in the file: positions (`xy`) in metres in the CRS of the district.

        Raises
        ------
        ScenarioError
            Unreadable, or with unknown or missing keys (each with the nearest known one).
        """
        path = Path(path)
        try:
            data = read_toml(path)
        except SourceError as error:
            raise ScenarioError(say("方案文件读不出来：{0}", error)) from error
        except OSError as error:
            raise ScenarioError(say("方案文件读不出来：{0}（{1}）", path.name, os_words(error))) from error
        except ValueError as error:
            raise ScenarioError(say("方案文件 {0} 读不懂：{1}", path.name, error)) from error
        wrong = [
            say("{0}：{1}", path.name, text) for text in (*unknown_keys(data, [*_HEAD, "edit"]), *misfits(data, _HEAD))
        ]
        edits = data.pop("edit", [])
        if not isinstance(edits, list) or not all(isinstance(entry, dict) for entry in edits):
            wrong.append(say("{0}：每一步写成一个 [[edit]]（两层方括号），下面写 do = …", path.name))
            edits = []
        for number, entry in enumerate(edits, 1):
            try:
                edits[number - 1] = parts_of_layer(entry, path.parent)
                said = list(wrong_edit(edits[number - 1]))
            except ScenarioError as error:
                said = [str(error)]
            wrong += [say("{0} 第 {1} 步 {2}：{3}", path.name, number, entry.get("do", ""), text) for text in said]
        if wrong:
            raise ScenarioError(in_short(wrong))
        return Scenario(**{**data, "name": data.get("name") or path.stem}, edits=tuple(map(_step, edits)))

    def text(self) -> str:
        """
        Write the scenario as TOML.

        Returns
        -------
        text
            `read` of a file with this text gives an equal scenario.
        """
        head: dict[str, Any] = {"name": self.name, "label": self.label}
        if self.year is not None:
            head["year"] = self.year
        if self.planned:
            head["planned"] = True
        if self.note:
            head["note"] = self.note
        return tomli_w.dumps({**head, "edit": [{"do": e.do, **e.what} for e in self.edits]})

    def refuse_marked(self, manifest: Mapping[str, Any]) -> None:
        """
        Stop where the plan says of itself that it is more secret than a district: in its name, label, note or steps.

        Parameters
        ----------
        manifest
            Of the district.

        Raises
        ------
        SourceError
            Naming the strictest mark, and what to do.
        """
        said = (self.name, self.label, self.note, *(text for edit in self.edits for text in _texts(edit.what)))
        refuse_titles(manifest, said, "方案")

    def then(self, other: Scenario) -> Scenario:
        """
        Put both into one: this one's edits, then the other's.

        Parameters
        ----------
        other
            The scenario that follows.

        Returns
        -------
        Scenario
            A third one; both stay as they were. Each edit keeps the year in which its own plan carries it out; where these are several,
            it stands for the last of them.
        """
        own = {plan.year for plan in (self, other) if plan.year is not None}
        one = len(own) == 1 and not any("year" in e.what for e in self.edits + other.edits)
        return replace(
            other,
            name=f"{self.name}+{other.name}",
            label=say("、").join(x for x in (self.label, other.label) if x),
            edits=self.edits + other.edits if one else (*self._dated(), *other._dated()),
            year=min(own) if one else None,
            planned=self.planned or other.planned,
            note=say("；").join(x for x in (self.note, other.note) if x),
            shown=None,
            district=other.district if self.district is None else self.district,
        )

    __add__ = then

    def _dated(self) -> tuple[Edit, ...]:
        """Return the edits, each with the year in which it is carried out; one that is there before all others has none."""
        if self.year is None:
            return self.edits
        return tuple(e if "year" in e.what else Edit(e.do, {**e.what, "year": self.year}) for e in self.edits)

    @well_called
    def on(self, district: D, *, with_conflicts: bool = False) -> D:
        """
        Return the district with this plan carried out; `district` stays as it was.

        Parameters
        ----------
        district
            What `District.load` opened; it stays as it was.
        with_conflicts
            Carry it out although it contradicts itself or the district (people counted twice, nothing there to demolish):
            the name that stands with every number then says how many conflicts it has.

        Returns
        -------
        District
            In the year of the plan, its layers in the same CRS (metres); every number of it names the plan.

        Raises
        ------
        ScenarioError
            An edit that cannot be carried out, or every conflict: which step, and why.
        SourceError
            It is marked as more secret than the district is.
        WrongValueError
            Something else than a district.
        """
        if not hasattr(district, "with_rows"):
            raise WrongValueError(
                say("on 里写打开的街道（District.load），不是 {0} {1:.60}", type(district).__name__, repr(district))
            )
        self.refuse_marked(district.manifest)
        base, work, problems = carried_out(self, district, all_problems=False)
        name = self.label or self.name or say("方案")
        impossible = [problem for problem in problems if problem.kind == "impossible"]
        if impossible or (problems and not with_conflicts):
            said = [say("第 {0} 步 {1}：{2}", p.step, p.do, p.problem) for p in impossible or problems]
            raise ScenarioError("\n".join(say("方案 {0} {1}", name, text) for text in said)) from None
        said_name = say("{0}（{1} 处冲突未解决）", name, len(problems)) if problems else name
        built = {home: home in work.walled for home in (*work.built, *work.cut)}
        moved, arrived = work.moved_in_all(), work.arrived()
        made = base.with_rows(work.edited, scenario=said_name, built=built, moved=moved, arrived=arrived)
        return made.with_parted(work.parted())


def plan_files(folder: Path) -> dict[str, Path]:
    """
    Return the files of the plans of a folder by their names.

    Raises
    ------
    SourceError
        One leads out of the folder, or is no file: no plan of it is read.
    """
    found = {path.stem: path for path in sorted((folder / "scenarios").glob("*.toml"))}
    for path in found.values():
        ordinary(path, folder)
    return found


def _texts(value: object) -> Iterator[str]:
    """Yield the texts of a step, those in lists too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list | tuple):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(inner)


def label_of(path: Path) -> str:
    """Return what the plan of a file is called; the file's name where it says nothing, or cannot be read."""
    try:
        return str(read_toml(path).get("label") or path.stem)
    except (OSError, ValueError):
        return path.stem


class Trouble(NamedTuple):
    """What is wrong with one step of a plan."""

    step: int  # from 1
    do: str
    problem: str
    kind: str  # "impossible": it cannot be carried out; "conflict": it can, and contradicts
    over: bool = False  # it builds over homes that are lived in


def carried_out(plan: Scenario, district: D, *, all_problems: bool) -> tuple[D, EditedRows, list[Trouble]]:
    """
    Carry out a plan on copies, as it stands in its year; what it does wrong in any year until then is noted.

    Stops at the first edit that cannot be done, or with `all_problems` notes it and goes on, and looks at later years too.
    """
    year = plan.year_on(district)
    base = district.at(year, planned=plan.planned or district.with_planned)
    end = max((year, *plan.years)) if all_problems and plan.shown is None else year
    work, problems = EditedRows({}, base.crs, year, {}), list[Trouble]()
    for state, found in played(plan, base, {*_years_to_try(plan, base, end), year}):
        known = {(p.step, p.problem) for p in problems} | {(p.step, p.kind) for p in problems if p.kind != "conflict"}
        problems += [p for p in found if (p.step, p.problem) not in known and (p.step, p.kind) not in known]
        work = state if state.year == year else work
        if not all_problems and any(p.kind == "impossible" for p in problems):
            break
    over = {p.step: p for p in reversed(problems) if p.over}  # of homes over others the first year says enough
    kept = [p for p in problems if not p.over or over[p.step] is p]
    return base, work, sorted(kept, key=lambda problem: problem.step)


def _years_to_try(plan: Scenario, district: Plannable, end: int) -> Iterator[int]:
    """Yield the years in which a plan can come to contradict the district: its own, and those in which homes come or go."""
    years = [year for year in plan.years if year <= end]
    yield from years
    homes = district.rows.get("homes")
    if len(years) > 1 and homes is not None:
        comes, goes = homes["since"].dropna(), homes["until"].dropna() + 1
        yield from (int(y) for y in {*comes, *goes} if years[0] < y <= end)


def played(plan: Scenario, district: Plannable, years: Iterable[int]) -> Iterator[tuple[EditedRows, list[Trouble]]]:
    """
    Play a plan: yield the rows as they stand at the end of each year, in order, and what is wrong with its edits until then.

    Each year is carried out from the district's own rows, so that what has ended leaves nothing behind. `work.year` is that year.
    """
    dated = [year for e in plan.edits if (year := plan.since(e)) is not None]
    first = min(dated, default=district.year + 1)  # the year before it what has no year is there already
    kinds, rows = district.kinds["label"].to_dict(), dict(district.rows)
    order = sorted(enumerate(plan.edits, 1), key=lambda numbered: (plan.since(numbered[1]) or -1, numbered[0]))
    for year in sorted(set(years)):
        work, problems = EditedRows(dict(rows), district.crs, year, kinds, opening=first - 1), list[Trouble]()
        for step, edit in order:
            since = plan.since(edit)
            if since is not None and since > year:
                continue
            wrong = list(wrong_edit({"do": edit.do, **edit.what}))  # edits made in Python have not come in by `read`
            if wrong:
                problems.append(Trouble(step, edit.do, say("；").join(wrong), "impossible"))
            elif not _ended(edit, year):
                work.year = since if since is not None else first - 1 if dated else year
                work.step, work.clashes, work.until = step, [], edit.what.get("until")
                work.ends |= {} if work.until is None else {step: int(work.until)}
                work.assumed |= {step} if since is None and dated else set()
                problems += _carry_out(work, edit, order)
        work.year = year
        problems += [Trouble(s, plan.edits[s - 1].do, text, "conflict", True) for s, text in built_over(work)]
        yield work, problems


def _step(entry: Mapping[str, Any]) -> Edit:
    """Return a step as a file has it as an edit."""
    return Edit(entry["do"], {key: value for key, value in entry.items() if key != "do"})


def _wrong_step(number: int, entry: object) -> Iterator[str]:
    """Name what is wrong with a step that was written in Python; an `Edit` is looked at where it is carried out."""
    if isinstance(entry, Edit):
        return
    if not isinstance(entry, Mapping):
        yield say(
            '第 {0} 步写成 {{"do": …}}，不是 {1}；能做的：{2}', number, type(entry).__name__, say("、").join(ACTIONS)
        )
        return
    yield from (say("第 {0} 步 {1}：{2}", number, entry.get("do", ""), text) for text in wrong_edit(entry))


def _ended(edit: Edit, year: int) -> bool:
    until = edit.what.get("until")
    return until is not None and YEAR.fits(until) and int(until) < year


def _carry_out(work: EditedRows, edit: Edit, order: Sequence[tuple[int, Edit]]) -> list[Trouble]:
    """Carry out one edit, and return what is wrong with it."""
    found = []
    try:
        ACTIONS[edit.do].carry_out(work, {k: v for k, v in edit.what.items() if k not in DATES})
    except DoneAlready as error:
        found = [Trouble(work.step, edit.do, str(error), "conflict")]
    except ScenarioError as error:
        return [Trouble(work.step, edit.do, f"{error}{_made_later(work.step, edit, order)}", "impossible")]
    return found + [Trouble(work.step, edit.do, text, "conflict") for text in work.clashes]


def _made_later(step: int, edit: Edit, order: Sequence[tuple[int, Edit]]) -> str:
    """Say which later step makes what an edit names; "" where none does."""
    named = {str(one) for value in edit.what.values() for one in (value if isinstance(value, list) else [value])}
    after = order[[number for number, _ in order].index(step) + 1 :]
    for number, other in after:
        for key in ACTIONS[other.do].made_by(other.what) if other.do in ACTIONS else ():
            if key in named:
                return say("；{0} 到第 {1} 步才有，把那一步提前，或改两步的年份", key, number)
    return ""


#: What stands at the head of a plan's file.
_HEAD = {"name": TEXT, "label": TEXT, "year": YEAR, "planned": FLAG, "note": TEXT}
