"""
Plans: named edits to a District, read from and written to TOML, and carried out on its rows.

A scenario is pure data: a name, a year, an ordered list of edits, read from and written to TOML. `Scenario.on` returns a new
District; the old one is untouched. Positions are longitude and latitude (WGS84), as a map shows them, or metres in the
district's own CRS, as the live map exports them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self, TypeVar

import pandas as pd
import tomli_w

from ..core import Edit, ScenarioError, card, language, os_words, say, text_words
from .edits import ACTIONS, FLAG, TEXT, YEAR, EditedRows, built_over, misfits, unknown_keys, wrong_edit


class Plannable(Protocol):
    """What a plan asks of a district: its rows, its year and CRS, and itself in another year or with other rows."""

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
        self, rows: Mapping[str, pd.DataFrame], *, scenario: str = "", built: Mapping[str, bool] = ...
    ) -> Self:
        """Return it with other rows; `built`: the homes that the plan builds, and whether with gates."""
        ...


#: A district, which a plan makes another of.
D = TypeVar("D", bound=Plannable)


@dataclass(frozen=True, slots=True)
class Scenario:
    """
    A plan: what is opened, closed, built, demolished, in which order and for which year.

    Parameters
    ----------
    name, label
        Key (its file is `scenarios/NAME.toml`) and what planners read.
    edits
        In order; later edits see what earlier ones did.
    year
        The year it stands for; None keeps the district's.
    planned
        Whether planned facilities whose year has come count as open.
    note
        What it assumes, for the record.
    """

    name: str
    label: str = ""
    edits: tuple[Edit, ...] = ()
    year: int | None = None
    planned: bool = False
    note: str = ""

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
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise ScenarioError(f"方案文件读不出来：{path.name} 不是普通文件")
        try:
            data = tomllib.loads(path.read_text("utf-8-sig"))
        except OSError as error:
            raise ScenarioError(f"方案文件读不出来：{path.name}（{os_words(error)}）") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ScenarioError(f"方案文件 {path.name} 读不懂：{text_words(error)}") from error
        wrong = [f"{path.name}：{text}" for text in (*unknown_keys(data, [*_HEAD, "edit"]), *misfits(data, _HEAD))]
        edits = data.pop("edit", [])
        if not isinstance(edits, list) or not all(isinstance(entry, dict) for entry in edits):
            wrong.append(f"{path.name}：每一步写成一个 [[edit]]（两层方括号），下面写 do = …")
            edits = []
        for number, entry in enumerate(edits, 1):
            wrong += [f"{path.name} 第 {number} 步 {entry.get('do', '')}：{text}" for text in wrong_edit(entry)]
        if wrong:
            raise ScenarioError("\n".join(wrong))
        steps = tuple(Edit(e["do"], {k: v for k, v in e.items() if k != "do"}) for e in edits)
        return Scenario(**{**data, "name": data.get("name") or path.stem}, edits=steps)

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

    def then(self, other: Scenario) -> Scenario:
        """
        Put both into one: this one's edits, then the other's.

        Parameters
        ----------
        other
            The scenario that follows; its year counts where it has one.

        Returns
        -------
        Scenario
            A third one; both stay as they were.
        """
        return replace(
            other,
            name=f"{self.name}+{other.name}",
            label="、".join(x for x in (self.label, other.label) if x),
            edits=self.edits + other.edits,
            year=self.year if other.year is None else other.year,
            planned=self.planned or other.planned,
        )

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
        """
        base, work, problems = carried_out(self, district, all_problems=False)
        name = self.label or self.name or "方案"
        impossible = [problem for problem in problems if problem.kind == "impossible"]
        if impossible or (problems and not with_conflicts):
            said = [f"第 {p.step} 步 {p.do}：{p.problem}" for p in impossible or problems]
            raise ScenarioError("\n".join(f"方案 {name} {text}" for text in said)) from None
        said_name = f"{name}（{len(problems)} 处冲突未解决）" if problems else name
        return base.with_rows(work.rows, scenario=said_name, built={home: home in work.walled for home in work.built})


def label_of(path: Path) -> str:
    """Return what the plan of a file is called; the file's name where it says nothing, or cannot be read."""
    try:
        return str(tomllib.loads(path.read_text("utf-8-sig")).get("label") or path.stem)
    except (OSError, ValueError):
        return path.stem


class Trouble(NamedTuple):
    """What is wrong with one step of a plan."""

    step: int  # from 1
    do: str
    problem: str
    kind: str  # "impossible": it cannot be carried out; "conflict": it can, and contradicts


def carried_out(plan: Scenario, district: D, *, all_problems: bool) -> tuple[D, EditedRows, list[Trouble]]:
    """Carry out a plan's edits on copies; stop at the first that cannot be done, or note it and go on; conflicts are noted."""
    year = district.year if plan.year is None else plan.year
    base = district.at(year, planned=plan.planned or district.with_planned)
    work = EditedRows(dict(base.rows), base.crs, year, base.kinds["label"].to_dict())
    problems: list[Trouble] = []
    for number, edit in enumerate(plan.edits, 1):
        try:
            wrong = list(wrong_edit({"do": edit.do, **edit.what}))
            if wrong:  # edits made in Python have not come in by `read`
                raise ScenarioError("；".join(wrong))
            work.step, work.clashes = number, []
            ACTIONS[edit.do].carry_out(work, edit.what)
            problems += [Trouble(number, edit.do, text, "conflict") for text in work.clashes]
        except ScenarioError as error:
            problems.append(Trouble(number, edit.do, str(error), "impossible"))
            if not all_problems:
                break
    problems += [Trouble(step, plan.edits[step - 1].do, text, "conflict") for step, text in built_over(work)]
    return base, work, sorted(problems, key=lambda problem: problem.step)


#: What stands at the head of a plan's file.
_HEAD = {"name": TEXT, "label": TEXT, "year": YEAR, "planned": FLAG, "note": TEXT}
