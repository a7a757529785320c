"""What the story is told in: a figure with its digits, and the rows that documents show; nothing here works anything out."""

from __future__ import annotations

import re
from typing import NamedTuple

import geopandas as gpd
import numpy as np

from ...access import SHARE_TOLERANCE
from ...core import amount, per_cent, say, whole

#: What figures are about that count goals.
GOALS = "goals"


_COUNTED = {"community": "有的社区", "homes": "可达的小区", "area_m2": "可达的居住用地"}


class Figure(NamedTuple):
    """
    One number, said in the same digits everywhere.

    Attributes
    ----------
    code
        What it is: "share", "unserved", "gained" ...
    about
        Of what: the code of a rule, a community, a home; "" the whole district.
    value
        The number; missing where nobody knows.
    unit
        "share" (0-1), "people", "communities" or "count".
    of
        What it is a share of, or which people are counted; "" where that goes without saying.
    text
        Its digits, in the language that is spoken.
    """

    code: str
    about: str
    value: float
    unit: str
    of: str
    text: str

    @property
    def known(self) -> bool:
        """Whether there is a number."""
        return bool(np.isfinite(self.value))

    @property
    def plotted(self) -> float:
        """The number as a chart that can be edited holds it: no longer than it is meant."""
        return round(self.value, 6) if self.unit == "share" else whole(self.value)

    @property
    def shown(self) -> float:
        """The number as a table holds it that shows it in its digits, and adds it up: a share is all only where it is all."""
        return float(self.text[:-1]) / 100 if re.fullmatch(r"\d+%", self.text) else self.value

    @property
    def amount(self) -> str:
        """A number of people with its unit."""
        return say("{0:,.0f} 人", self.value) if self.known else say("数据不足")

    @property
    def counted(self) -> str:
        """Of what a share is where that is not people, to be said before it: beside a number of people it would be taken for theirs."""
        return say(_COUNTED[self.of]) if self.of in _COUNTED else ""

    @property
    def told(self) -> str:
        """A number of people with its unit, and which people where not all are counted."""
        if not self.known:
            return say("人口不详")
        return say("60岁及以上 {0:,.0f} 人", self.value) if self.of == "people_60plus" else self.amount


def share(code: str, about: str, value: float, of: str = "") -> Figure:
    """Return a share (0-1) as a figure, in whole per cent: 100 only where it is all, 0 only where it is none."""
    return Figure(code, about, value, "share", of, per_cent(value, 0))


def people(code: str, about: str, value: float, of: str = "people") -> Figure:
    """Return a number of people as a figure."""
    return Figure(code, about, value, "people", of, amount(value, unknown=say("不详")))


def count(code: str, about: str, value: float, of: str = "") -> Figure:
    """Return a number of things as a figure."""
    return Figure(code, about, value, "count", of, amount(value))


class Goal(NamedTuple):
    """One rule: what it asks, where things stand, who misses out."""

    rule: str
    label: str
    metric: str  # "presence" or "reach"
    exact: bool  # whether all there are were counted: then it can be said who is missed
    state: str  # "whole", "short", "at_least" (only seen on a map) or "unknown"
    share: Figure
    big: str  # the number that leads: "7 / 13", "51%"
    headline: str
    alternatives: str
    mark: str
    standard: str
    heading: str  # what the plan says, or what is counted beside it
    cited: str  # standard, clause, how well it is known
    own: bool  # the plan itself says so
    walked: Figure | None  # of a goal for communities: of whom a walk reaches one, at most its share
    basis: str
    outside: str  # how much of it rests on facilities beyond the border; "" none
    unserved: Figure
    asked: str  # "15 分钟", "每个社区至少 1 处"
    method: str
    denominator: str
    walker: str
    speed: str  # metres in a second
    timed: bool  # whether it is measured in minutes
    firm: str = ""  # between which ends it lies, and what that does to the verdict; "" where nobody asked
    checked: str = ""  # 已核 or 待核; "" where nobody asked, or nothing is known

    @property
    def told(self) -> str:
        """The headline, and how firm it is where that was asked."""
        return say("；").join(part for part in (self.headline, self.firm) if part)

    @property
    def marks(self) -> str:
        """Its mark, and whether it is checked where that was asked."""
        return say("；").join(part for part in (self.mark, self.checked) if part)


class Shift(NamedTuple):
    """What a plan does to a goal: its share before and after, and what it gains in what it counts itself."""

    rule: str
    label: str
    before: Figure
    after: Figure
    points: str  # percentage points, with their sign
    net: str
    tone: str  # gain, lose, same, others (only who comes or goes makes its share another), unknown
    told: str  # the net gain, and that the rest of the change comes of who moves in or out where some of it does
    firm: str = ""  # between which ends the difference lies; "" where nobody asked


class Part(NamedTuple):
    """How one community (area, zone) stands to a goal; `code` is "" for homes that are in none."""

    code: str
    name: str
    share: Figure
    missed: Figure

    @property
    def nowhere(self) -> bool:
        """Whether these are the homes that are in none."""
        return not self.code

    @property
    def whole(self) -> bool:
        """Whether nobody, and nothing, is missing."""
        return self.share.value >= 1 - SHARE_TOLERANCE

    @property
    def misses(self) -> bool:
        """Whether anybody is missed."""
        return self.missed.value > 0.5


class Kind(NamedTuple):
    """A kind of daily life, and for how many it is out of reach."""

    label: str
    homes: Figure
    people: Figure


class Gap(NamedTuple):
    """A home that misses something promised: its largest gap, why, and what else it lacks."""

    home: str
    name: str
    rule: str
    label: str
    walked: bool  # nobody can walk there; else its community has none
    unserved: Figure
    reason: str
    why: str  # the reason after what is missing, and how much else is
    others: tuple[str, ...]
    minutes: float  # of the walk; missing where there is none


class Lacking(NamedTuple):
    """A community that has none of something promised to every community."""

    code: str
    name: str
    lacks: tuple[str, ...]
    living: Figure


class Remedy(NamedTuple):
    """Where one more place for a goal would serve most people."""

    rule: str
    label: str
    own: bool  # the plan itself promises it
    gained: Figure
    before: Figure
    after: Figure
    reason: str
    near_ties: str
    communities: int = 0  # how many get their first one, of a goal that asks for one in each

    @property
    def brings(self) -> str:
        """What it brings, in words."""
        return brought(self.gained, self.communities)

    @property
    def brings_shortly(self) -> str:
        """The same where there is little room."""
        return say("新增 {0} 个社区", self.communities) if self.communities else say("新增 {0}", self.gained.told)


class Place(NamedTuple):
    """Where something new would stand: its letter on the map, the place in words, metres in the plane of the district."""

    tag: str
    where: str
    x: float
    y: float


def brought(gained: Figure, communities: int) -> str:
    """Say what new places bring: to whom they come near, or which communities have one at last, wherever in them it stands."""
    if communities:
        return say("覆盖 {0} 个社区（住着 {1}，设在社区内哪里都算）", communities, gained.told)
    return say("新增服务 {0}", gained.told)


class Step(NamedTuple):
    """So many new places for a goal, where the proof puts them, and what they bring."""

    rule: str
    number: int
    places: tuple[Place, ...]
    gained: Figure
    before: Figure
    after: Figure
    left: Figure
    unproven: Figure  # how far the best that cannot be ruled out lies above; 0 where it is proven
    communities: int = 0  # how many get their first one, of a goal that asks for one in each

    @property
    def brings(self) -> str:
        """What they bring, in words."""
        return brought(self.gained, self.communities)

    @property
    def sure(self) -> str:
        """How sure it is that no other places bring more, and which choice that is about."""
        if not self.proven:
            return say("未证明最优，至多还差 {0}", self.unproven.text)
        return say("已证明最优：只比选哪个社区，不比社区内的位置") if self.communities else say("已证明最优")

    @property
    def about(self) -> str:
        """What its figures are about: the rule, and how many places."""
        return self.gained.about

    @property
    def proven(self) -> bool:
        """Whether it is proven that no other places bring more."""
        return self.unproven.value <= 0


class Line(NamedTuple):
    """A goal in the table of the first page: where it stands, whom it misses, who answers for it, what to do; `about`: its figures' rule and part."""

    goal: Goal
    missed: str
    responsible: str
    next: str
    about: str


class Conclusion(NamedTuple):
    """The three sentences that come first, with the mark of what is no conclusion, and what the figures of each are about."""

    mark: str
    met: str
    worst: str
    next: str
    about: tuple[str, str, str]


class Curve(NamedTuple):
    """How many have reached what a goal asks for, minute by minute; `told` are the shares at a few of them."""

    goal: Goal
    minutes: tuple[float, ...]
    shares: tuple[float, ...]
    limit: float
    told: tuple[Figure, ...]

    @property
    def known(self) -> bool:
        """Whether there is a share at every minute: nobody may have counted those whom the goal is about."""
        return bool(np.isfinite(self.shares).all())


class Cell(NamedTuple):
    """A cell of the heat table: how many people, and the class of its shade (`maps.tone_style`)."""

    text: str
    tone: str


class HeatRow(NamedTuple):
    """A community in the heat table, with a cell per goal; `code` is "" for homes that are in none."""

    code: str
    name: str
    cells: dict[str, Cell]


class LegTold(NamedTuple):
    """One part of a walk: what it is, its metres and minutes as they are told."""

    leg: str
    label: str
    metres: str
    minutes: str


class WalkTold(NamedTuple):
    """The walk behind a gap: its parts, what they come to, and the straight line beside it."""

    gap: Gap
    facility: str
    legs: tuple[LegTold, ...]
    minutes: str
    metres: str
    straight: str
    route: gpd.GeoDataFrame


class Pace(NamedTuple):
    """What a goal comes to if people walk a little slower or faster than supposed."""

    rule: str
    label: str
    speed: str
    slower: Figure
    usual: Figure
    faster: Figure


class Firmness(NamedTuple):
    """
    How firm a goal is: its share as recorded and between its ends, what is said of it, whether a check could turn the verdict.

    `shares`: the recorded one and both ends as numbers (0-1). `verdict` says what becomes of the verdict, or why there is none. `who` checks
    what is in doubt, and by when, as typed.
    """

    rule: str
    label: str
    recorded: str
    ends: str
    shares: tuple[float, float, float]
    text: str
    verdict: str
    turns: bool
    checked: str
    who: str


class Finding(NamedTuple):
    """Something doubtful in the data, and what to do about it."""

    severity: str
    topic: str
    finding: str
    concerned: str
    remedy: str


class Source(NamedTuple):
    """A layer: how many features it has, of which invented, and where it comes from."""

    layer: str
    features: str
    weak: str
    basis: str
    source: str
    licence: str
    date: str


class Weak(NamedTuple):
    """How much of a layer is schematic or synthetic."""

    layer: str
    share: float  # 0-1
    features: str
    weak: str

    @property
    def plotted(self) -> float:
        """Its share as a chart that can be edited holds it."""
        return round(self.share, 6)


class Tally(NamedTuple):
    """How many goals there are, and how many are met, are not, cannot be judged."""

    promised: int
    whole: int
    short: int
    unknown: int
