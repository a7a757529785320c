"""The small immutable values a planner sets: who walks (`Profile`), what is asked for (`Rule`), what is changed (`Edit`)."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from numbers import Real
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from .calls import well_made
from .errors import WrongValueError
from .sentences import say, thing

METHODS = ("buffer", "network_m", "walk_min")
METHOD_LABELS = {"buffer": "直线半径", "network_m": "路网距离", "walk_min": "步行时间"}
DENOMINATORS = ("people", "people_60plus", "area_m2", "community")
DENOMINATOR_LABELS = {
    "people": "常住人口",
    "people_60plus": "60岁及以上人口",
    "area_m2": "居住用地",
    "community": "社区数",
}
CONFIDENCES = ("read", "second_hand", "recalled", "convention")

#: "Within" means this many metres more than the limit at most: sums of lengths carry rounding in the last bits.
TOLERANCE_M = 1e-6


def limits_of(given: float | Iterable[float], name: str, *, zero: bool = False) -> list[float]:
    """
    Return the limits of a call, one number or several, from the least on, each once; `name` is the parameter's; `zero` may be one.

    Raises
    ------
    WrongValueError
        No number, or one that is not above 0.
    """
    several = isinstance(given, Iterable) and not isinstance(given, str)
    values = list(given) if isinstance(given, Iterable) and several else [given]
    if not values or not all(is_above_zero(value) or (zero and value == 0) for value in values):
        raise WrongValueError(say("{0} 要写大于 0 的数，如 15 或 (5, 10, 15)，不是 {1!r:.60}", name, given))
    return sorted({float(value) for value in values})  # type: ignore[arg-type]


def is_above_zero(value: object) -> bool:
    """Return whether a value is a number above 0; infinity, a truth and a text are none."""
    number = isinstance(value, Real) and not isinstance(value, (bool, np.bool_))
    return number and math.isfinite(value) and value > 0  # type: ignore[arg-type, operator]


def is_whole(value: object) -> bool:
    """Return whether a value is a whole number; a truth and a text are none."""
    number = isinstance(value, Real) and not isinstance(value, (bool, np.bool_))
    return number and math.isfinite(value) and value == int(value)  # type: ignore[arg-type, call-overload]


def checked_count(value: object, name: str, least: int = 1) -> None:
    """
    Refuse what is no whole number from `least` on; `name` says of what.

    Raises
    ------
    WrongValueError
        Says what it is instead.
    """
    if not is_whole(value) or value < least:  # type: ignore[operator]
        raise WrongValueError(
            say("{0}必须是不小于 {1} 的整数，如 {2}：{3!r:.40}", thing(name), least, max(3, least), value)
        )


def path_given(value: object, name: str = "这里") -> Path:
    """
    Return the path that is given; `name` says of what.

    Raises
    ------
    WrongValueError
        No path, nor its text: says what it is instead.
    """
    if isinstance(value, str | os.PathLike):
        return Path(value)
    raise WrongValueError(
        say("{0}要写文件夹或文件的路径，如 './我的街道'，不是 {1}", thing(name), type(value).__name__)
    )


@well_made
@dataclass(frozen=True, slots=True)
class Profile:
    """
    Someone on foot (or on a bicycle), and how streets feel to them.

    Parameters
    ----------
    name, label
        Key in `profiles.csv` and what planners read.
    speed_m_s
        Metres per second; positive.
    steps
        Whether stairs can be used.
    waits
        Factor on the waiting time of crossings: 0 ignores waits, 1 takes them as they stand on the streets.
    source
        Where the speed comes from.

    Raises
    ------
    ValueError
        A speed that is not above 0, or a factor below 0.
    """

    name: str
    label: str
    speed_m_s: float
    steps: bool = True
    waits: float = 1.0
    source: str = ""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.speed_m_s) and self.speed_m_s > 0):
            raise WrongValueError(say("步速必须大于 0 米/秒：{0} {1}", self.name, self.speed_m_s))
        if not (math.isfinite(self.waits) and self.waits >= 0):
            raise WrongValueError(say("等待系数不能为负：{0} {1}", self.name, self.waits))

    def minutes(self, metres: float) -> float:
        """
        Say how long this walker takes, without waits.

        Parameters
        ----------
        metres
            Metres walked.

        Returns
        -------
        minutes
            Metres by metres per second, in minutes.
        """
        return metres / self.speed_m_s / 60.0

    def metres(self, minutes: float) -> float:
        """
        Say how far this walker gets, without waits.

        Parameters
        ----------
        minutes
            Minutes walked.

        Returns
        -------
        metres
            Minutes times speed, in metres.
        """
        return minutes * 60.0 * self.speed_m_s


#: How well a source is known, and what is said of it.
CONFIDENCE_LABELS = {
    "read": "读到原文",
    "second_hand": "转引，待核",
    "recalled": "凭记忆，未核",
    "convention": "本工具约定",
}
#: Over what the plan of the place says, and over everything else that is counted beside it.
OF_PLAN, REFERENCE = "规划目标", "参考指标（非纲要）"


@well_made
@dataclass(frozen=True, slots=True)
class Rule:
    """
    What is asked for: any of `kinds`, within a distance or time, by one method.

    Parameters
    ----------
    name, label
        Key in `rules.csv` and what planners read; where not given they are made of kinds and limit.
    kinds
        Any one of these kinds serves; a text is one kind, or several with ";" between them.
    method
        How it is judged: "buffer", "network_m" or "walk_min". Not given: `walk_min` where `minutes` are, else `network_m`.
    metres, minutes
        The limits: `metres` for `buffer` and `network_m`, `minutes` for `walk_min`. The other one says what the same
        tier asks under the other methods, so that the three stand beside each other; not given (infinite), they are 数据不足.
    profile
        Who walks, a key of `profiles.csv`.
    denominator
        What the share is counted in: "people", "people_60plus", "area_m2" (of homes) or "community".
    standard, clause, source
        The text it stands in, where in it, and where that was read.
    confidence
        read / second_hand / recalled / convention: what may be printed as a standard depends on it.
    tier_min
        The circle it belongs to, in minutes (5, 10, 15); None: none.
    metric
        "reach": the share that gets there in time; "presence": the community has one.
    elsewhere
        A promise of another place's plan, which this folder borrows as a yardstick: nobody has promised it here.
    of_plan
        This place's own plan says so, in words that were read (`confidence`): only that is headed 规划目标.

    Raises
    ------
    ValueError
        No kind, no such method or denominator, or a limit that is missing or not above 0.
    """

    name: str = ""
    label: str = ""
    kinds: tuple[str, ...] = ()
    method: str = ""
    metres: float = math.inf
    minutes: float = math.inf
    profile: str = "adult"
    denominator: str = "people"
    standard: str = ""
    clause: str = ""
    confidence: str = "convention"
    source: str = ""
    tier_min: int | None = None
    metric: str = "reach"
    elsewhere: bool = False
    of_plan: bool = False

    def __post_init__(self) -> None:
        given: object = self.kinds
        kinds = [part.strip() for part in given.split(";")] if isinstance(given, str) else self.kinds
        object.__setattr__(self, "kinds", tuple(kinds))
        if not self.method and not self.minutes == self.metres == math.inf:
            object.__setattr__(self, "method", "network_m" if self.minutes == math.inf else "walk_min")
        if wrong := list(self._wrong()):
            raise WrongValueError(
                say("规则 {0}：{1}", self.name or "+".join(map(str, self.kinds)), say("；").join(wrong))
            )
        if not self.name:
            limit = f"{self.minutes:g}min" if self.method == "walk_min" else f"{self.metres:g}m"
            object.__setattr__(self, "name", f"{'+'.join(self.kinds)}_{limit}")

    def _wrong(self) -> Iterator[str]:
        """Say everything that is wrong with it."""
        if not self.kinds or not all(isinstance(kind, str) and kind for kind in self.kinds):
            own = say("；第一项 {0!r:.40} 是规则的名字，如果是类别就写 kinds={0!r:.40}", self.name) if self.name else ""
            yield say("没有写 kinds：写一个设施类别，或几个（有一个就算）{0}", own)
        if not self.method:
            yield say("没有写限值：minutes=15（步行几分钟）或 metres=500（沿街几米）")
        elif self.method not in METHODS:
            yield say("方法 {0} 不在 {1}", self.method, say("、").join(METHODS))
        if self.denominator not in DENOMINATORS:
            yield say("分母 {0} 不在 {1}", self.denominator, say("、").join(DENOMINATORS))
        for name in ("metres", "minutes"):
            value: object = getattr(self, name)
            if value != math.inf and not is_above_zero(value):
                yield say("{0} 要写一个大于 0 的数，不是 {1!r:.40}；几个时限写成几条规则", name, value)

    @property
    def basis_text(self) -> str:
        """What may be printed after the number: only a clause that was read counts as a standard."""
        if self.elsewhere:
            return say("参考口径（随程序，不是本地规划的目标）")
        return standing(self.confidence, self.standard, self.clause, self.source)

    @property
    def cited(self) -> str:
        """Where it stands, and how well that is known: standard, clause, confidence."""
        if self.elsewhere:
            return self.basis_text
        where = place_in(self.standard, self.clause)
        known = say(CONFIDENCE_LABELS[self.confidence])
        return say("{0}（{1}）", where, known) if where and where != known else known

    @property
    def heading(self) -> str:
        """Under which heading it stands: what the plan says, or what is beside it."""
        return say(OF_PLAN if self.of_plan else REFERENCE)


def place_in(standard: str, clause: str) -> str:
    """Return where in a standard something stands; tables and items are called so in either language, titles are names."""
    for form, number in (
        (form, re.fullmatch(form.replace("{0}", "([A-Z0-9./]+)"), clause)) for form in ("表{0}", "第 {0} 项")
    ):
        clause = say(form, number[1]) if number else clause
    return f"{standard} {clause}".strip()


def standing(confidence: str, standard: str, clause: str, source: str) -> str:
    """Say what a number may claim, by how well its source is known (one of `CONFIDENCES`)."""
    if confidence == "read":
        return say("依据 {0}", place_in(standard, clause))
    if confidence == "second_hand":
        return say("转引自 {0}，待核正式文本", source or standard)
    if confidence == "recalled":
        return say("参考值（未核）")
    return say("本工具约定")


@dataclass(frozen=True, slots=True)
class Edit:
    """One step of a scenario: what is done (`do`, such as "open_facility") and to what (`what`, plain values)."""

    do: str
    what: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "what", MappingProxyType(dict(self.what)))

    def __eq__(self, other: object) -> bool:
        """Two edits are equal where they do the same to the same."""
        return isinstance(other, Edit) and self.do == other.do and dict(self.what) == dict(other.what)

    def __hash__(self) -> int:
        """Edits may stand in sets; what they hold may be lists, so the text decides."""
        return hash((self.do, repr(sorted(self.what.items()))))
