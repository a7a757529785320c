"""The story of renewal parcels: their ledger in words, who lives there year by year, what was promised, and plans beside each other."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd

from ...core import (
    BASIS_LABELS,
    BUDGETS,
    HOLDERS,
    TOPICS,
    ScenarioError,
    adding_up,
    amount,
    cell,
    language,
    rounded,
    say,
    word,
)
from ...district import (
    ACTIONS,
    District,
    Scenario,
    conflicts,
    divided_by,
    home_parcels,
    kind_name,
    scenarios,
    state_name,
    written,
)
from ...renewal import (
    COUNT_LABELS,
    FLOW_LABELS,
    LEDGER,
    NEWCOMERS,
    ORIGINS,
    SINCE,
    SPENT_FROM,
    STATUSES,
    Course,
    accounts,
    at_most_in_words,
    balance,
    capacity_by_year,
    first_short,
    money,
    parcel_figures,
    parcel_named,
    parcel_stages,
    promises,
    spent,
    totals,
)
from ...renewal import parcels as parcels_of
from ...siting import AREA_UNITS, shortage_in_words, shortage_number, shortage_told
from ..analysis import Comparison
from .change import PEOPLE, Change

#: Who lives on a parcel, or did, in the order in which a bar is stacked.
GROUP_LABELS = {
    "stay": "留下的居民",
    "back": "还迁",
    "came": "导入人口",
    "waiting": "过渡中",
    "left": "已离开或去向待填",
}
#: Topics that are money.
MONEY = ("cost", "receipt")
#: What a parcel's page tells of a norm in a year; the command also says what lacks all around.
OF_CAPACITY = ("need", "there", "coming", "left", "short")


class FigureLine(NamedTuple):
    """A figure of the ledger: what it is, whose, its text (待填 where blank), its two ends, and who says so or could."""

    quantity: str
    topic: str  # a key of `TOPICS`
    label: str
    holder: str
    text: str
    low: float
    high: float
    unit: str
    year: str
    basis: str
    who: str


class StageLine(NamedTuple):
    """A stage of the chain: when it was reached, with which share."""

    label: str
    date: str
    share: str
    who: str


class PromiseLine(NamedTuple):
    """A sentence of the plan, what it wants, and what has become of it."""

    quote: str
    wants: str
    status: str  # a key of `STATUSES`
    lacks: str
    answers: str
    numbers: tuple[float, float, float]  # wanted, there, coming; missing where it is about no facility

    @property
    def told(self) -> str:
        """What has become of it, in words."""
        return say(STATUSES[self.status])


class FlowLine(NamedTuple):
    """One line of a balance: its number in each year."""

    code: str
    label: str
    values: tuple[float, ...]
    texts: tuple[str, ...]


class Account(NamedTuple):
    """Whom a balance is about, and its lines."""

    counted: str
    holder: str
    label: str
    lines: tuple[FlowLine, ...]
    parcel: str = ""  # another than the one that is told: what it was divided from

    @property
    def told(self) -> tuple[FlowLine, ...]:
        """Who is there at the end of each year, and whatever is not 0 in all of them."""
        return tuple(line for line in self.lines if line.code == "closing" or any(value != 0 for value in line.values))


class MoneyLine(NamedTuple):
    """An amount: what for, of which year, its text (待填 where blank), its two ends, and whence it is."""

    label: str
    year: str
    text: str
    low: float
    high: float
    unit: str
    origin: str
    fund: str  # 资金渠道, or 待填


class Paid(NamedTuple):
    """What one fund pays or takes in, in one year: between which ends, and in words."""

    fund: str
    year: str  # 待填 where nobody has said
    low: float
    high: float
    text: str


class Total(NamedTuple):
    """What is paid, or comes in, by one budget: its lines, and what they come to between which ends."""

    budget: str  # a key of `BUDGETS`
    topic: str  # cost or receipt
    lines: tuple[MoneyLine, ...]
    low: float
    high: float
    text: str
    paid: tuple[Paid, ...]  # the same, by fund and year

    @property
    def by_fund(self) -> tuple[list[str], list[list[str]]]:
        """The same as a table: the years, and for each fund its name and what it pays in each of them."""
        years = sorted({own.year for own in self.paid}, key=lambda year: (not year.isdigit(), year))
        texts = {(own.fund, own.year): own.text for own in self.paid}
        funds = dict.fromkeys(own.fund for own in self.paid)
        return years, [[fund, *(texts.get((fund, year), "") for year in years)] for fund in funds]


class CapacityLine(NamedTuple):
    """What the people of a parcel need by one norm, what there is, what comes and what lacks, in each year."""

    label: str
    unit: str
    values: Mapping[str, tuple[float, ...]]  # by the keys of `CAPACITY_LABELS`, a number for each year
    texts: Mapping[str, tuple[str, ...]]
    told: str  # the first year that falls short; "" where none does
    by_area: bool  # what it is counted in does not come in whole ones
    lacks: tuple[float, ...]  # what lacks in each year, as it is told


class Year(NamedTuple):
    """Who lives on a parcel at the end of a year and who has left it: a number per group of `GROUP_LABELS`; none where unknown."""

    year: int
    groups: Mapping[str, float]

    @property
    def texts(self) -> dict[str, str]:
        """The same in words: who lives there adds up to who does in the balance."""
        there = [value for key, value in self.groups.items() if key in ("stay", "back", "came")]
        told = dict(zip(("stay", "back", "came"), adding_up(there, sum(there)), strict=False))
        return {key: amount(told.get(key, value)) for key, value in self.groups.items()}


class Option(NamedTuple):
    """One plan of a parcel beside others: what it comes to, in numbers that can be compared, and in words."""

    name: str
    label: str
    state: District | None  # None: it cannot be carried out, or contradicts itself
    values: Mapping[str, float]
    texts: Mapping[str, str]
    note: str
    #: Between which ends what is spent on it lies, in 万元; missing where an item is blank.
    spent: tuple[float, float] = (math.nan, math.nan)


#: What plans of a parcel are compared by, and whether more of it is better (1) or worse (-1).
CRITERIA = {
    "gain": ("受益居民（人，为老的目标只计老人；受益最多的一项）", 1),
    "lose": ("受影响居民（人，为老的目标只计老人；受影响最多的一项）", -1),
    "better": ("提高的目标（项）", 1),
    "worse": ("降低的目标（项）", -1),
    "missing": ("还缺的承诺（条）", -1),
    "out": ("搬出（人）", -1),
    "back": ("还迁（人）", 1),
}
#: And what is spent on them: a range, and more of it is worse only where the ranges do not meet.
SPENT, SPENT_LABEL = "spent", "投入（万元，各项支出，不减收入）"
#: So many contradictions of a plan are told; how many there are is told, too.
MOST_TROUBLES = 6
#: So many plans of a parcel stand on its page; the others are in the workbook.
MOST_OPTIONS = 8


@dataclass(frozen=True)
class Parcel:
    """One parcel as it is told; `homes` are those that stand on it and how many people live in each."""

    id: str
    name: str
    ground: str
    area_m2: float
    homes: Mapping[str, float]
    figures: tuple[FigureLine, ...]
    stages: tuple[StageLine, ...]
    promised: tuple[PromiseLine, ...]
    years: tuple[int, ...] = ()
    accounts: tuple[Account, ...] = ()
    bars: tuple[Year, ...] = ()
    #: Newcomers of the parcel that it was divided from, by the end of each year; none where it was not.
    brought: tuple[float, ...] = ()
    #: What is needed, there and coming, norm by norm; none without a plan.
    capacity: tuple[CapacityLine, ...] = ()
    #: What each budget pays and what comes in; never netted.
    money: tuple[Total, ...] = ()

    @property
    def lacking(self) -> tuple[CapacityLine, ...]:
        """The norms that fall short in one of the years, or of which nobody knows."""
        return tuple(line for line in self.capacity if line.told or any(map(math.isnan, line.values["short"])))

    @property
    def enough(self) -> str:
        """How many norms are met in all years; "" where none is."""
        number = len(self.capacity) - len(self.lacking)
        return say("其余 {0} 项各年都够", number) if number else ""

    @property
    def plain(self) -> tuple[FigureLine, ...]:
        """The figures that are no money."""
        return tuple(line for line in self.figures if line.topic not in MONEY)

    @property
    def halves(self) -> tuple[tuple[FigureLine, ...], tuple[FigureLine, ...]]:
        """These in two of about one length: first what is about land and buildings, then what about people."""
        lines = sorted(self.plain, key=lambda line: line.topic == "people")
        middle = (len(lines) + 1) // 2
        return tuple(lines[:middle]), tuple(lines[middle:])

    @property
    def tallied(self) -> list[tuple[str, int]]:
        """The same, in words, without those that nothing has come to."""
        return [(say(STATUSES[status]), number) for status, number in self.tally.items() if number]

    @property
    def tally(self) -> dict[str, int]:
        """How many of what was promised have come to what, by `STATUSES`."""
        return {status: sum(line.status == status for line in self.promised) for status in STATUSES}


@dataclass(frozen=True, eq=False)
class Parcels:
    """
    What there is to say of the parcels of a district, in the language that is spoken.

    Attributes
    ----------
    district
        As it is.
    plan
        A plan that is played over the years, looked at in its last or in a year of its own; None: only what the ledger says.
    year
        Whose end is told; None: the plan's, else the district's.
    with_conflicts
        Whether a plan that contradicts itself goes on all the same.
    carried_out
        Instead of a plan: the district after one, where it is there already; who moves year by year is then not told.
    """

    district: District
    plan: Scenario | None = None
    year: int | None = None
    with_conflicts: bool = False
    carried_out: District | None = None
    #: What plans come to, by name: a plan that moves several parcels is worked out once.
    _outcomes: dict[str, Change | str] = field(default_factory=dict, init=False, repr=False)
    _told: dict[str, Parcel] = field(default_factory=dict, init=False, repr=False)

    @property
    def when(self) -> int:
        """The year whose end is told."""
        plan = self.looked_at
        return (
            self.year if self.year is not None else self.district.year if plan is None else plan.year_on(self.district)
        )

    @property
    def looked_at(self) -> Scenario | None:
        """The plan, in the year whose end is told."""
        return self.plan if self.plan is None or self.year is None else self.plan.at(self.year)

    @cached_property
    def state(self) -> District:
        """What is there in that year without the plan."""
        return self.district.at(self.when)

    @cached_property
    def after(self) -> District | None:
        """The district under the plan; None without one."""
        plan = self.looked_at
        if self.carried_out is not None or plan is None:
            return self.carried_out
        return plan.on(self.district, with_conflicts=self.with_conflicts)

    @property
    def shown(self) -> District:
        """The state that is told: the plan's, else what is there."""
        return self.state if self.after is None else self.after

    @cached_property
    def figures(self) -> pd.DataFrame:
        """Every figure (`renewal.parcel_figures`)."""
        return parcel_figures(self.shown, self.when)

    @cached_property
    def stages(self) -> pd.DataFrame:
        """Every stage (`renewal.parcel_stages`)."""
        return parcel_stages(self.shown)

    @cached_property
    def promised(self) -> pd.DataFrame:
        """Every promise (`renewal.promises`)."""
        plan = self.looked_at if self.carried_out is None else Scenario("")
        return promises(self.state.at(self.district.year), plan, after=self.after)

    @cached_property
    def books(self) -> pd.DataFrame | None:
        """Who lives where, year by year (`renewal.accounts`); None without a plan."""
        if self.plan is None:
            return None
        return accounts(self.district, self.looked_at, with_conflicts=self.with_conflicts)

    @cached_property
    def troubles(self) -> str:
        """Which steps of a plan that is carried out all the same contradict each other or the district, in one sentence; "" where none."""
        if self.looked_at is None or not self.with_conflicts:
            return ""
        found = conflicts(self.looked_at, self.district)
        texts = [
            say("第 {0} 步 {1}：{2}", step, say(ACTIONS[row["do"]].label), row["problem"])
            if language() == "zh"  # what is wrong is told in the language of the plan's file
            else say("第 {0} 步 {1}", step, say(ACTIONS[row["do"]].label))
            for step, row in found.iterrows()
        ]
        more = say("；共 {0} 处", len(texts)) if len(texts) > MOST_TROUBLES else ""
        return (
            say("方案自相矛盾，对不上的数印数据不足：{0}{1}", say("；").join(texts[:MOST_TROUBLES]), more)
            if texts
            else ""
        )

    @cached_property
    def _made(self) -> dict[str, tuple[str, int | None]]:
        """What the plan has divided: by the id of a part, from what and when (`district.divided_by`)."""
        return {} if self.looked_at is None else divided_by(self.looked_at, self.when)

    def line_of(self, parcel: str) -> list[str]:
        """Return a parcel, what the plan has divided it from, and so on; the last stands in the ledger."""
        return _line(self._made, parcel)

    def _divided_from(self, parcel: str) -> str:
        """Say what a parcel was divided from, and when; "" where it was not."""
        if parcel not in self._made:
            return ""
        whole, year = self._made[parcel]
        name = self._name_of(whole)
        return say("由{0}划出", name) if year is None else say("{0} 年由{1}划出", year, name)

    def _name_of(self, parcel: str) -> str:
        """Return what a parcel is called, be it of the ledger or one that the plan has made; its id where it has no name."""
        for places in (self.shown.parcels, self.district.parcels):
            if places is not None and parcel in places.index and isinstance(name := places.loc[parcel, "name"], str):
                return name
        return parcel

    def wholes(self, parcel: str) -> dict[str, str]:
        """Return what the plan has divided to make a parcel, nearest first: names by id, for who left before is in their accounts."""
        return {whole: self._name_of(whole) for whole in self.line_of(parcel)[1:]}

    @cached_property
    def _money(self) -> pd.DataFrame:
        return money(self.shown)

    @cached_property
    def _course(self) -> Course | None:
        plan = self.looked_at
        return None if plan is None else Course(self.district, plan, self.with_conflicts)

    def _capacity(self, parcel: str) -> tuple[CapacityLine, ...]:
        """Return whether there is enough, year by year (`renewal.capacity_by_year`); nothing without a plan."""
        if self._course is None or "norms" not in self.district.rows:
            return ()
        return _capacity_lines(capacity_by_year(self._course, parcels=[parcel]), parcel)

    @cached_property
    def _rows(self) -> pd.DataFrame:
        return parcels_of(self.shown)

    @cached_property
    def all(self) -> tuple[Parcel, ...]:
        """The parcels, in the order of the layer."""
        return tuple(self.of(str(parcel)) for parcel in self._rows.index)

    @cached_property
    def elsewhere(self) -> tuple[PromiseLine, ...]:
        """What was promised and stands on no parcel."""
        return self._promises(self.promised[[not listed for listed in self.promised["parcels"]]])

    @cached_property
    def outside(self) -> tuple[tuple[int, ...], tuple[Account, ...]]:
        """The balance of everybody who lives on no parcel: years and accounts; none without a plan."""
        return _accounts_of(self.books, "")

    def key(self, asked: str) -> str:
        """
        Return the id of a parcel, as the plan leaves it or as the ledger has it, by id or name.

        Raises
        ------
        ScenarioError
            No such parcel: which there are.
        """
        try:
            return parcel_named(self.shown, asked)
        except ScenarioError as error:
            with suppress(ScenarioError):
                return parcel_named(self.state, asked)
            raise error from None

    def parts(self, parcel: str) -> tuple[Parcel, ...]:
        """Return a parcel, or what the plan has divided it into."""
        return tuple(self.of(part) for part in self.shown.parts_of("parcels", parcel))

    def of(self, parcel: str) -> Parcel:
        """Return one of them by its id."""
        if parcel not in self._told:
            self._told[parcel] = self._parcel(parcel, self._rows.loc[parcel])
        return self._told[parcel]

    def _parcel(self, parcel: str, row: pd.Series) -> Parcel:
        years, accounts = _accounts_of(self.books, parcel)
        for whole, name in self.wholes(parcel).items():
            before = _accounts_of(self.books, whole)[1]
            accounts += tuple(
                account._replace(parcel=whole, label=say("{0}：{1}", name, account.label)) for account in before
            )
        own = self.promised[[parcel in listed for listed in self.promised["parcels"]]]
        brought = self._brought(parcel, years)
        return Parcel(
            id=parcel,
            name=str(row["name"] or parcel),
            ground=_ground(row, self.when, self._divided_from(parcel)),
            area_m2=float(row["area_m2"]),
            homes=self._homes(parcel),
            figures=self._figures(parcel),
            stages=self._stages(parcel),
            promised=self._promises(own),
            years=years,
            accounts=accounts,
            bars=_bars(self.books, parcel, brought),
            brought=brought,
            capacity=self._capacity(parcel),
            money=_totals(self.district, self._money, parcel),
        )

    def _brought(self, parcel: str, years: Sequence[int]) -> tuple[float, ...]:
        """Return how many newcomers a part has of the parcel that it was divided from, by the end of each year; none where it was not."""
        if parcel not in self._made or self.looked_at is None:
            return ()
        lines = balance(self.district, self.looked_at, years, with_conflicts=self.with_conflicts)
        groups = lines.index.get_level_values("group")
        own = lines[(lines.index.get_level_values("parcel") == parcel) & (groups == NEWCOMERS)]["other"].droplevel(
            ["parcel", "group"]
        )
        return tuple(own.clip(lower=0.0).reindex(list(years), fill_value=0.0).cumsum())

    def _homes(self, parcel: str) -> dict[str, float]:
        homes, places = self.shown.homes, self.shown.parcels
        if homes is None or places is None:
            return {}
        own = homes[np.array(home_parcels(homes, places), dtype=object) == parcel]
        return {str(name): float(people) for name, people in own["people"].astype("float64").items()}

    def _figures(self, parcel: str) -> tuple[FigureLine, ...]:
        if parcel not in self.figures.index.get_level_values("parcel"):
            return ()
        table = self.district.rows["quantities"]
        return tuple(
            _figure(str(quantity), str(holder), row, table.loc[quantity].fillna(""))
            for (quantity, holder), row in self.figures.loc[parcel].iterrows()
        )

    def _stages(self, parcel: str) -> tuple[StageLine, ...]:
        if parcel not in self.stages.index.get_level_values("parcel"):
            return ()
        own, table = self.stages.loc[parcel], self.district.rows["stage_chains"]
        return tuple(_stage(row, table.loc[stage].fillna("")) for stage, row in own.iterrows() if stage)

    def _promises(self, own: pd.DataFrame) -> tuple[PromiseLine, ...]:
        return tuple(_promise(self.district, row) for _, row in own.iterrows())

    # --- plans beside each other ---

    def options(self, parcel: str) -> tuple[Option, ...]:
        """Return the plans of the folder that do something on a parcel, each against the same year without it."""
        found, known = [], self.line_of(parcel)[-1]  # other plans know nothing of what this one divides
        for name in map(str, scenarios(self.district).index):
            plan = self.district.scenario(name)
            if _touches(self.district, plan, known):
                found.append(self._option(plan, known))
        return tuple(found)

    def _option(self, plan: Scenario, parcel: str) -> Option:
        if plan.name not in self._outcomes:
            self._outcomes[plan.name] = self._outcome(plan)
        change = self._outcomes[plan.name]
        if isinstance(change, str):
            return Option(plan.name, plan.label or plan.name, None, dict.fromkeys(CRITERIA, math.nan), {}, change)
        after = change.pair.after.district
        own = promises(self.district, plan, after=after)
        parts = set(after.parts_of("parcels", parcel))
        own = own[[not parts.isdisjoint(listed) for listed in own["parcels"]]]
        goals, books = change.goals, accounts(self.district, plan)
        made = divided_by(plan, after.year)
        gone = books[[parcel in _line(made, str(own)) for own in books.index.get_level_values("parcel")]]
        gone = gone[(gone.index.get_level_values("count") == "people") & (gone.index.get_level_values("holder") == "")]
        values = {
            "gain": float(goals["gain"].max()),
            "lose": float(goals["lose"].max()),
            "better": float((goals["tone"] == "gain").sum()),
            "worse": float((goals["tone"] == "lose").sum()),
            "missing": math.nan if own.empty else float((own["status"] == "missing").sum()),
            "out": float(gone["moved_out"].sum(skipna=False)),
            "back": float(gone["returned"].sum(skipna=False)),
        }
        texts = {key: amount(value, unknown=say("数据不足")) for key, value in values.items()}
        most = {side: goals[side].idxmax() for side in ("gain", "lose") if goals[side].notna().any()}
        texts |= {side: str(goals.loc[rule, f"{side}_text"]) for side, rule in most.items()}
        cost = spent(after, plan, parcel)
        texts[SPENT], ends = say("待填"), (cost.low, cost.high)
        if not math.isnan(cost.low):
            texts[SPENT] = say("{0}（{1}）", _ends(*ends), say(SPENT_FROM[cost.origin]))
        if not math.isnan(cost.low) and cost.origin == LEDGER:  # it says what the parcel costs, whichever plan is meant
            texts[SPENT], ends = say("数据不足（台账写 {0}，不是这个方案的）", _ends(*ends)), (math.nan, math.nan)
        return Option(plan.name, state_name(after), after, values, texts, plan.note, ends)

    def _outcome(self, plan: Scenario) -> Change | str:
        """Return what a plan changes against the same year without it; what keeps it from being worked out, in words."""
        wrong = conflicts(plan, self.district)
        if len(wrong):
            return say("有 {0} 处冲突，没有计算；用 scenario check 看", len(wrong))
        after = plan.on(self.district)
        return Change(Comparison.of(self.district.at(after.year, planned=self.district.with_planned), after))


def beaten_by(options: Sequence[Option]) -> dict[str, str]:
    """
    Return which options are worse in everything, and by which other: no better in any criterion, and worse in one.

    An option of which a number is unknown that is known of the other beats nobody, and is beaten by nobody. What is spent is a range: it
    is more, and so worse, only where all of it lies above all of the other's; where the ranges meet, both cost the same.
    """
    found: dict[str, str] = {}
    able = [own for own in options if own.state is not None]
    for own in able:
        for other in able:
            if own.name not in found and _is_better(other, own):
                found[own.name] = other.label
    return found


def _is_better(other: Option, own: Option) -> bool:
    """Return whether a plan is better than another in something, and worse in nothing."""
    pairs = [
        (sign * own.values[key], sign * other.values[key])
        for key, (_, sign) in CRITERIA.items()
        if not (math.isnan(own.values[key]) and math.isnan(other.values[key]))
    ]
    (least, most), (other_least, other_most) = own.spent, other.spent
    if math.isnan(least) != math.isnan(other_least) or other_least > most:
        return False
    return all(a <= b for a, b in pairs) and (any(a < b for a, b in pairs) or least > other_most)


def verdicts_on(options: Sequence[Option]) -> dict[str, str]:
    """Say, by name, of each option what is known against it: another that is better, or why it was not worked out; "" where nothing."""
    beaten = beaten_by(options)
    told = {}
    for own in options:
        said = own.note if own.state is None else ""
        if own.name in beaten:
            equal = (
                "另有更优方案：{0}（投入数据不足，没有比）"
                if math.isnan(own.spent[0])
                else "同等投入下另有更优方案：{0}"
            )
            said = say(equal, beaten[own.name])
        told[own.name] = said
    return told


def options_grid(
    options: Sequence[Option], chosen: Sequence[Option] | None = None
) -> tuple[list[str], list[list[str]]]:
    """Return plans beside each other in words: what the columns are called, and a row for each plan (of those that are chosen)."""
    told, columns = verdicts_on(options), [*CRITERIA, SPENT]
    names = [say("方案"), *(say(label) for label, _ in CRITERIA.values()), say(SPENT_LABEL), say("结论")]
    shown = options if chosen is None else chosen
    return names, [[own.label, *(own.texts.get(key, "—") for key in columns), told[own.name]] for own in shown]


def first_options(options: Sequence[Option], most: int = MOST_OPTIONS) -> list[Option]:
    """Return the options that are shown where there is no room for all: first those that none is better than, in their order."""
    told = verdicts_on(options)
    chosen = {own.name for own in sorted(options, key=lambda own: bool(told[own.name]))[:most]}
    return [own for own in options if own.name in chosen]


def not_shown(options: Sequence[Option]) -> str:
    """Say how many options `first_options` leaves out; "" where none."""
    left = len(options) - len(first_options(options))
    return say("另有 {0} 个方案在核算表里：先列没有更优方案的", left) if left else ""


def concluded(options: Sequence[Option]) -> str:
    """Return what plans beside each other come to: which remain, or that the data do not tell them apart; "" for less than two."""
    able = [own for own in options if own.state is not None]
    if len(able) < 2:
        return ""
    beaten = beaten_by(able)
    left = [own.label for own in able if own.name not in beaten]
    same = {tuple(own.texts.items()) for own in able}
    if len(same) == 1:
        return say("现有数据不足以区分，不作为取舍依据")
    blank = sum(math.isnan(own.spent[0]) for own in able)
    silent = say("。投入数据不足的有 {0} 个方案，比不了投入", blank) if blank else ""
    if len(left) == 1:
        return say("按表中各项，{0}不差于其余方案的任何一项，且各有更优之处", left[0]) + silent
    if beaten:
        return say("按表中各项，可取舍的是{0}；其余方案都有不差于它、且有一项更优的", say("、").join(left)) + silent
    if 0 < blank < len(able):  # the one known outlay may tip the scales, or not
        return say("投入数据不足的有 {0} 个方案，现有数据比不出哪一个更好", blank)
    return say("{0}个方案各有长短，没有一个在各项上都不差：取舍看更看重哪一项", len(able)) + silent


def _line(made: Mapping[str, tuple[str, int | None]], parcel: str) -> list[str]:
    """Return a parcel, what it was divided from, and so on."""
    found = [parcel]
    while found[-1] in made:
        found.append(made[found[-1]][0])
    return found


def _touches(district: District, plan: Scenario, parcel: str) -> bool:
    """Return whether a plan does something on a parcel: it names it, or what stands on it."""
    homes, places = district.homes, district.parcels
    on: set[str] = {parcel}
    if homes is not None and places is not None:
        on |= {str(h) for h, on_it in zip(homes.index, home_parcels(homes, places), strict=True) if on_it == parcel}
    return any(not on.isdisjoint(_named(edit.what)) for edit in plan.edits)


def _named(what: Mapping[str, object]) -> Iterator[str]:
    for value in what.values():
        yield from (str(own) for own in value) if isinstance(value, list) else (str(value),)


# --- in words ----------------------------------------------------------------------------------------------------------


def _ground(row: pd.Series, year: int, made: str) -> str:
    people = amount(row["people"], unknown=say("人口数据不足"))
    homes = say("{0} 年末图上有 {1} 个小区、{2} 人", year, amount(row["homes"]), people)
    parts = [made, word(row["use"]), say("图上 {0:.2f} 公顷", row["area_m2"] / 1e4), homes, row["note"]]
    return say("；").join(str(part) for part in parts if part)


def _ends(low: float, high: float) -> str:
    return "—".join(dict.fromkeys(amount(n, 0 if n == round(n) else 2) for n in (low, high)))


def _figure(quantity: str, holder: str, row: pd.Series, about: Mapping[str, str]) -> FigureLine:
    known, unit = bool(row["value"]), str(row["unit"])
    text = word(str(row["value"])) if known else say("待填")
    if known and row["low"] == row["low"]:
        text = f"{_ends(row['low'], row['high'])} {word(unit)}".strip()
    return FigureLine(
        quantity,
        str(row["topic"]),
        cell(about, "label"),
        say(HOLDERS[holder]) if holder else "",
        text,
        float(row["low"]),
        float(row["high"]),
        unit,
        "" if math.isnan(row["year"]) else f"{row['year']:.0f}",
        say(BASIS_LABELS[row["basis"]]) if row["basis"] in BASIS_LABELS else "",
        "" if known else cell(about, "who"),
    )


def _stage(row: pd.Series, about: Mapping[str, str]) -> StageLine:
    share = "" if math.isnan(row["share"]) else f"{written(row['share'])}% {cell(about, 'share_of')}"  # as it is typed
    date = say("{0}（计划）", row["date"]) if row["planned"] else row["date"] or say("待填")
    return StageLine(cell(about, "label"), date, share, "" if row["date"] else cell(about, "who"))


def _promise(district: District, row: pd.Series) -> PromiseLine:
    done = "" if math.isnan(row["done"]) else say("完成 {0}", f"{written(round(row['done'], 2))}%")
    due = say("{0}（计划）", row["due"]) if row["due"] else ""
    steps = say("方案第 {0} 步", say("、").join(map(str, row["steps"]))) if row["steps"] else ""
    who = say("、").join(map(word, str(row["filled_by"]).split("、")))
    asked = say("谁能填：{0}", who) if row["status"] == "blank" and row["filled_by"] else ""
    return PromiseLine(
        say("{0}：{1}", row["place"], row["quote"]) if row["place"] else str(row["quote"]),
        say("、").join(kind_name(district, kind) for kind in row["kinds"]),
        str(row["status"]),
        "" if math.isnan(row["lacks"]) or not row["lacks"] else say("{0} 处", amount(row["lacks"])),
        say("；").join(part for part in (done, due, say("、").join(row["by"]), steps, asked) if part),
        (float(row["amount"]), float(row["there"]), float(row["coming"])),
    )


def _totals(district: District, table: pd.DataFrame, parcel: str) -> tuple[Total, ...]:
    """Return what each budget pays for a parcel and what comes in, budget by budget."""
    own = table[(table.index.get_level_values("parcel") == parcel)]
    found, sums = [], totals(own)
    for (budget, topic), total in sums.iterrows():
        rows = own[(own.index.get_level_values("budget") == budget) & (own["topic"] == topic).to_numpy()]
        lines = tuple(_money_line(district, str(item), int(year), row) for (_, _, item, year), row in rows.iterrows())
        ends, paid = (float(total["low"]), float(total["high"])), totals(rows, by=("fund", "year"))
        told = tuple(_paid(str(fund), int(year), row) for (fund, year), row in paid.iterrows())
        found.append(Total(str(budget), str(topic), lines, *ends, _sum_told(total), told))
    return tuple(sorted(found, key=lambda own: (list(BUDGETS).index(own.budget), MONEY.index(own.topic))))


def _money_line(district: District, item: str, year: int, row: pd.Series) -> MoneyLine:
    about = district.rows["quantities"].loc[item].fillna("")
    known = not math.isnan(row["low"])
    text = f"{_ends(row['low'], row['high'])} {word(str(row['unit']))}".strip() if known else say("待填")
    who = cell(about, "who") if row["origin"] == "blank" else ""
    if row["origin"] == "reference":  # which of the table of costs
        called = {own["label"]: cell(own.fillna(""), "label") for _, own in district.rows["costs"].iterrows()}
        who = say("；").join(called.get(name, name) for name in str(row["source"]).split("；"))
    origin = say(ORIGINS[row["origin"]]) + (say("（{0}）", who) if who else "")
    ends = float(row["low"]), float(row["high"])
    fund = str(row["fund"]) or say("待填")
    return MoneyLine(cell(about, "label"), str(year) if year else "", text, *ends, str(row["unit"]), origin, fund)


def _paid(fund: str, year: int, total: pd.Series) -> Paid:
    ends = float(total["low"]), float(total["high"])
    return Paid(fund or say("待填"), str(year) if year else say("待填"), *ends, _sum_told(total, unit=""))


def _sum_told(total: pd.Series, unit: str = "万元") -> str:
    if not total["items"]:
        return say("待填")
    text = f"{_ends(total['low'], total['high'])} {word(unit)}".strip()
    text += say("，其中 {0} 项为参考值（未核）", int(total["reference"])) if total["reference"] else ""
    return text + (say("（另有 {0} 项待填，未计入）", int(total["blank"])) if total["blank"] else "")


def _capacity_lines(table: pd.DataFrame, parcel: str) -> tuple[CapacityLine, ...]:
    """Return what each norm asks of a parcel, year by year."""
    if table.empty or parcel not in table.index.get_level_values("parcel"):
        return ()
    own, found = table.loc[[parcel]], []
    firsts = first_short(own)
    years = sorted(set(own.index.get_level_values("year")))
    for (_, norm), rows in own.groupby(level=["parcel", "norm"], sort=False):
        by_year = rows.droplevel(["parcel", "norm"]).reindex(years)
        digits = 2 if rows[["need", "there", "coming"]].max().max() < _FEW else 0
        values = {key: tuple(map(float, by_year[key])) for key in OF_CAPACITY}
        texts = {k: tuple(amount(n, digits, unknown=say("数据不足")) for n in v) for k, v in values.items()}
        texts["short"] = tuple(shortage_number(n, str(rows["unit"].iloc[0])) for n in values["short"])
        short = int(firsts[parcel, norm]) if (parcel, norm) in firsts.index else 0
        unit = word(str(rows["unit"].iloc[0]))
        lacks = shortage_in_words(float(by_year.loc[short, "short"]), str(rows["unit"].iloc[0])) if short else ""
        told = ""
        if short:
            told = say("{0} 年起，{1}", short, lacks)
            told += at_most_in_words(str(rows["bound"].iloc[0]), int(by_year.loc[short, "silent"]))
        counted = str(rows["unit"].iloc[0])
        lacking = tuple(shortage_told(n, counted) for n in values["short"])
        label = word(str(rows["label"].iloc[0]))
        found.append(CapacityLine(label, unit, values, texts, told, counted in AREA_UNITS, lacking))
    return tuple(found)


#: Less than this is told with decimals.
_FEW = 10


def _accounts_of(books: pd.DataFrame | None, parcel: str) -> tuple[tuple[int, ...], tuple[Account, ...]]:
    """Return the balance of a parcel: its years, and the lines of each account."""
    if books is None or parcel not in books.index.get_level_values("parcel"):
        return (), ()
    own = books.loc[parcel]
    years = tuple(sorted(map(int, own.index.get_level_values("year").unique())))
    found = []
    for (count, holder), rows in own.groupby(["count", "holder"], sort=False):
        by_year = rows.droplevel(["count", "holder"]).reindex(years)
        label = say(COUNT_LABELS[count]) + (say("（{0}）", say(HOLDERS[holder])) if holder else "")
        printed = by_year.apply(_adding_up, axis=1)
        lines = tuple(_flow(code, by_year[code], printed[code]) for code in FLOW_LABELS)
        found.append(Account(str(count), str(holder), label, lines))
    return years, tuple(found)


def _adding_up(year: pd.Series) -> pd.Series:
    """Return the lines of an account's year as they are printed: in whole ones that lead from its opening to its closing."""
    told, into = year.map(lambda n: rounded(float(n))), ["returned", "newcomers", "other"]
    flows = [-year["moved_out"], *year[into]]
    out, *told[into] = adding_up(flows, told["closing"] - told["opening"])
    told["moved_out"] = -out
    since = [code for code in SINCE if code != "moved_total"]
    told[since] = adding_up(list(year[since]), told["moved_total"])
    return told


def _flow(code: str, numbers: pd.Series, printed: pd.Series) -> FlowLine:
    texts = (amount(n, unknown=say("数据不足")) for n in printed)
    return FlowLine(code, say(FLOW_LABELS[code]), tuple(map(float, numbers)), tuple(texts))


def _bars(books: pd.DataFrame | None, parcel: str, brought: Sequence[float]) -> tuple[Year, ...]:
    """Return who lives on a parcel at the end of each year, and who left: nothing where a number is missing, or nobody ever lived."""
    if books is None or parcel not in books.index.get_level_values("parcel"):
        return ()
    own = books.loc[parcel].xs("people", level="count").xs("", level="holder").sort_index()
    came = own["newcomers"].cumsum() + (np.array(brought) if brought else 0.0)
    # who returned to a part left the parcel that it was divided from, in whose account they are back
    back = own["returned"].cumsum() + (own["returned_total"] - own["returned"]).iloc[0]
    groups = pd.DataFrame(
        {
            "stay": own["closing"] - back - came,
            "back": back,
            "came": came,
            "waiting": own["waiting"],
            "left": own[["elsewhere", "cash", "unsaid"]].sum(axis=1, skipna=False),
        }
    )
    if not np.isfinite(groups.to_numpy()).all() or (groups < -PEOPLE).to_numpy().any() or not groups.to_numpy().any():
        return ()
    return tuple(
        Year(int(str(year)), dict(row)) for year, row in zip(groups.index, groups.to_dict("records"), strict=True)
    )


def budget_name(budget: str) -> str:
    """Return what a table of money is called."""
    return say(BUDGETS[budget])


def topic_name(topic: str) -> str:
    """Return what a kind of figures is called."""
    return say(TOPICS[topic])
