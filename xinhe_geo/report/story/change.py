"""The story of two states of a district: what differs, for whom, which maps show it, and how the people add up."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
import pandas as pd
import shapely

from ...access import attached_anew, people_told
from ...core import adding_up, amount, per_cent, say, signed, whole
from ...district import District, rule_name, state_name
from ...maps import promised_among
from ..analysis import Comparison
from .firmness import difference_told
from .records import GOALS, Shift, share

#: Smaller changes of a share, of minutes, of people are rounding.
SHARE, MINUTES, PEOPLE = 5e-5, 0.05, 0.5
#: A change of a share in its last bits is none: in another order it would add up to the same.
ROUNDING = 1e-12
#: From so much of a share on, what comes of people who move is told beside what comes of those who stay.
OTHERS = 5e-4
#: How many things that a plan builds or takes away are named.
BUILT = 5
#: How much ground is shown around what changes: of its own size on each side, and at least so many metres.
_AROUND, _AROUND_M = 0.15, 300.0
#: West, south, east, north.
Box = tuple[float, float, float, float]
#: How many rules get a map of their own.
MAPS_AT_MOST = 6


def by_residents(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `effects`, first what moves most residents; what moves none of them comes after, by its share."""
    residents = (table["people_gain"].fillna(0) + table["people_lose"].fillna(0)).round(6)
    order = np.lexsort((-table["change"].abs().fillna(0).to_numpy(), -residents.to_numpy()))
    return table.iloc[order]


#: What a rule counts, its unit, and how many of what the library counts are one of it.
_NET_UNITS = {
    "people": ("人", 1.0, 0),
    "people_60plus": ("老人", 1.0, 0),
    "area_m2": ("公顷", 1e-4, 1),
    "community": ("个社区", 1.0, 0),
}


def with_whom(table: pd.DataFrame) -> pd.DataFrame:
    """
    Return `effects` with whom each rule is about: `gain` and `lose`, how many of them, and `gain_text` and `lose_text` (740 名老人).

    They are those whom the rule itself counts, so that they agree with its net gain: of a rule for the old the old, else everybody.
    """
    old = (table["net_of"] == "people_60plus").to_numpy()
    told: dict[str, object] = {}
    for side in ("gain", "lose"):
        number = table[f"people_60plus_{side}"].where(old, table[f"people_{side}"])
        told[side] = number
        told[f"{side}_text"] = [
            people_told(n, aged=aged) for n, aged in zip(number.tolist(), old.tolist(), strict=True)
        ]
    return table.assign(**told)


def with_net(table: pd.DataFrame) -> pd.DataFrame:
    """
    Return `effects` with `net_text`: what a rule gains, losses taken off, in what it counts itself (+69 老人).

    Of people it is what is printed of those who gain less what is printed of those who lose, so that the three agree.
    """
    texts, sides = [], {name: own.tolist() for name, own in table.items() if str(name).endswith(("_gain", "_lose"))}
    for row, (counted, net) in enumerate(zip(table["net_of"].tolist(), table["net"].tolist(), strict=True)):
        exact, (unit, factor, digits) = False, _NET_UNITS[counted]
        if math.isfinite(net) and f"{counted}_gain" in sides:
            gain, lose = (sides[f"{counted}_{side}"][row] for side in ("gain", "lose"))
            exact = math.isfinite(gain) and math.isfinite(lose)
        number = whole(gain) - whole(lose) if exact else net
        texts.append(say("数据不足") if math.isnan(net) else f"{signed(number * factor, digits)} {say(unit)}")
    return table.assign(net_text=texts)


@dataclass(frozen=True, eq=False)
class Change:
    """
    What a plan changes, as it is told: tables in the words of the language that is spoken, without what is only rounding.

    Attributes
    ----------
    pair
        The two states.
    """

    pair: Comparison

    @cached_property
    def _effects(self) -> pd.DataFrame:
        """The effects, rules by the name they are known by, changes in percentage points."""
        district, table = self.pair.before.district, self.pair.effects
        labels = [rule_name(district, district.rule(str(name))) for name in table.index]
        change = table["change"].mask(table["change"].abs() < ROUNDING, 0.0)
        table = with_whom(with_net(table.assign(label=labels, code=table.index, points=change * 100)))
        return table.assign(firm=[self.firm.get(str(rule), "") for rule in table.index]) if self.firm else table

    @cached_property
    def rules(self) -> pd.DataFrame:
        """The rules that change for anybody; columns of `effects`, and `points`; first what moves most residents."""
        table = self._effects
        moved = table[["people_gain", "people_lose", "people_crowded", "people_new_served", "people_new_unserved"]]
        return by_residents(table[(table["change"].abs() > SHARE) | (moved.max(axis=1) > PEOPLE)])

    @cached_property
    def firm(self) -> dict[str, str]:
        """How firm it is that one state serves more than the other, by rule; nothing where nobody asked."""
        table = self.pair.firm
        if table is None:
            return {}
        return {str(rule): difference_told(self.names, table.loc[rule]) for rule in table.index}

    @cached_property
    def gains(self) -> pd.DataFrame:
        """The rules, those first by which most people gain."""
        table = self._effects
        return table.reindex(table["people_gain"].sort_values(ascending=False, kind="stable").index)

    @cached_property
    def goals(self) -> pd.DataFrame:
        """
        The promised rules, those first that serve most residents anew, those last that leave most out.

        Besides the columns of `effects`: `tone`, by what a rule gains among those who live here before and after: gain, lose, same,
        unknown; "others" where only newcomers, or those who moved away, make its share another.
        """
        table = self._effects
        table = table.loc[promised_among(self.pair.before.district, list(table.index))]
        moved, felt = table["change"].to_numpy(dtype=float), table["net_seen"].to_numpy(dtype=float)
        kinds = [felt > 1e-6, felt < -1e-6, np.isnan(moved) | np.isnan(felt), np.abs(moved) > SHARE]
        tone = np.select(kinds, ["gain", "lose", "unknown", "others"], "same")
        rank = pd.Series(tone).map({"gain": 0, "others": 1, "same": 2, "unknown": 3, "lose": 4}).to_numpy()
        order = np.lexsort((-np.nan_to_num(moved), rank))
        return table.assign(tone=tone).iloc[order]

    @property
    def names(self) -> tuple[str, str]:
        """What the two states are called."""
        return state_name(self.pair.before.district), state_name(self.pair.after.district)

    @cached_property
    def shifts(self) -> tuple[Shift, ...]:
        """What each promised rule comes to before and after, in the digits of a `Goal`; in the order of `goals`."""
        return tuple(
            Shift(
                str(row.Index),
                row.label,
                share("before", str(row.Index), row.before),
                share("after", str(row.Index), row.after),
                signed(row.points) if np.isfinite(row.points) else say("数据不足"),
                row.net_text,
                row.tone,
                self._for_whom(self.goals.loc[row.Index]),
                self.firm.get(str(row.Index), ""),
            )
            for row in self.goals.itertuples()
        )

    @property
    def moved(self) -> tuple[Shift, ...]:
        """Of these, what is another one after than before, for those who live here or as it is printed."""
        return tuple(
            s
            for s in self.shifts
            if s.tone in ("gain", "lose") or (s.tone == "others" and s.before.text != s.after.text)
        )

    @property
    def unmoved(self) -> str:
        """How many goals are as before, and of how many nobody knows; "" where there are none."""
        unknown = sum(s.tone == "unknown" for s in self.shifts)
        same = len(self.shifts) - len(self.moved) - unknown
        told = [say("没有变化 {0} 项", same)] if same else []
        return say("；").join([*told, *([say("数据不足 {0} 项", unknown)] if unknown else [])])

    @property
    def lines(self) -> list[str]:
        """All of it in lines of text: the two states, who lives there, each goal that moves, and how many do not."""
        told = [say("{0}：{1} → {2}（{3}）", s.label, s.before.text, s.after.text, s.told) for s in self.moved]
        return [say("{0}与{1}", *self.names), self.people, *told, *([self.unmoved] if self.unmoved else [])]

    @cached_property
    def verdict(self) -> list[Said]:
        """Sentences that conclude: how many goals rise and fall for those who live here already, which most, and for how many."""
        goals = self.goals
        if goals.empty:
            return []
        of = {tone: goals[(goals["tone"] == tone).to_numpy()] for tone in ("gain", "lose", "same", "others", "unknown")}
        same = len(of["same"]) + len(of["others"])
        told = "{0} 项目标中，对住在这里的居民：提高 {1} 项，降低 {2} 项，没有变化 {3} 项"
        first = say(told, len(goals), len(of["gain"]), len(of["lose"]), same)
        if len(of["others"]):
            first += say("（其中 {0} 项的份额只因人口迁入或迁出而变）", len(of["others"]))
        if len(of["unknown"]):
            first += say("，数据不足 {0} 项", len(of["unknown"]))
        said = [Said(first, GOALS)]
        if len(of["gain"]):
            said.append(self._moved("提高最多：{0}，由 {1} 到 {2}（{3}）", of["gain"].iloc[0]))
        if len(of["lose"]):
            said.append(self._moved("降低最多：{0}，由 {1} 到 {2}（{3}）", of["lose"].iloc[-1]))
        return [*said, *self._residents()]

    def _moved(self, sentence: str, row: pd.Series) -> Said:
        """Say how far a goal moves, and for whom: of a share that who comes and goes moves too, both."""
        shares = (per_cent(row[side], 0) for side in ("before", "after"))
        return Said(say(sentence, row["label"], *shares, self._for_whom(row)), str(row["code"]))

    def _for_whom(self, row: pd.Series) -> str:
        """Say what a goal gains for those who live here, and that the rest of its change comes of others where some of it does."""
        if row["tone"] == "others":
            return say("住在这里的没有变，份额只因人口迁入或迁出而变")
        counted = self.pair.before.summary
        total = counted.loc[row["code"], row["net_of"]] if row["net_of"] in counted else np.nan
        if np.isnan(row["change"]) and np.isfinite(row["net"]) and np.isfinite([row["before"], row["after"]]).all():
            return say("住在这里的净增 {0}，前后份额的分母不同，不能相减", row["net_text"])
        here = row["net_seen"] / total if total > 0 else np.nan  # a rule of communities gains nothing else
        if not abs(row["change"] - here) > OTHERS:
            return say("净增 {0}", row["net_text"])
        return say("住在这里的净增 {0}，其余因人口迁入、迁出或还迁", row["net_text"])

    def _residents(self) -> list[Said]:
        """Whom the goals that move most of their own serve anew, and whom no longer: people who live here before and after."""
        told = []
        for column, sentence in (
            ("gain", "住在这里的居民，受益最多的一项新增可达 {0}（{1}）"),
            ("lose", "住在这里的居民，受影响最多的一项有 {0}不再可达（{1}）"),
        ):
            known = self.goals[(self.goals[column] > PEOPLE).to_numpy()]
            if len(known):
                row = known.loc[known[column].idxmax()]
                told.append(Said(say(sentence, row[f"{column}_text"], row["label"]), str(row["code"])))
        return told

    @property
    def longest(self) -> float:
        """The largest change of a goal, in percentage points: what a full bar stands for."""
        return float(self.goals["points"].abs().max())

    @cached_property
    def felt(self) -> pd.DataFrame:
        """Of `gains` those that residents feel."""
        table = self.gains
        return table[(table["change"].abs() > SHARE) | (table[["people_gain", "people_lose"]].max(axis=1) > PEOPLE)]

    @cached_property
    def drawn(self) -> dict[str, str]:
        """The rules that get a map, and what they are called."""
        table = self._effects
        moved = table[["people_gain", "people_lose", "people_new_served"]].sum(axis=1)
        chosen = moved[moved > PEOPLE].sort_values(ascending=False, kind="stable").index[:MAPS_AT_MOST]
        return {str(rule): str(table.loc[rule, "label"]) for rule in chosen}

    @cached_property
    def homes(self) -> pd.DataFrame:
        """The homes that something changes for, with their `state` in words."""
        table, labels = self.pair.home_changes, self._effects["label"]
        moved = table[
            (table["minutes_change"].abs() > MINUTES)
            | (table["served_change"].abs() > SHARE)
            | (table["state"] != "both")
        ]
        states = {"both": say("前后都有"), "new": say("新建"), "gone": say("拆除")}
        return _called(moved.assign(state=moved["state"].map(states)), labels)

    def around(self, rule: str, whole: Box) -> Box:
        """Return what a map of a rule shows: where homes come, go, gain or lose, and what surrounds them; never more than `whole`."""
        table = self.pair.home_changes.xs(rule, level="rule")
        felt = table.index[(table["served_change"].abs() > SHARE) | (table["state"] != "both")]
        both = (side.district.homes for side in (self.pair.before, self.pair.after))
        boxes = np.array([own[own.index.isin(felt)].total_bounds for own in both if own is not None])
        boxes = boxes[np.isfinite(boxes).all(axis=1)]
        if not len(boxes):
            return whole
        (west, south), (east, north) = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
        edge = max(_AROUND * max(east - west, north - south), _AROUND_M)
        near = (west - edge, south - edge, east + edge, north + edge)
        return near if shapely.box(*near).area < shapely.box(*whole).area else whole

    @cached_property
    def users(self) -> pd.DataFrame:
        """The facilities that more or fewer people use."""
        table = self.pair.sharing
        table = table[(table["change"].abs() > PEOPLE).to_numpy()]
        after, before = (map(whole, table[f"users_{side}"].tolist()) for side in ("after", "before"))
        told = [now - was for now, was in zip(after, before, strict=True)]  # so that the three agree
        return _called(table.assign(change=np.array(told, np.int64)), self._effects["label"])

    @cached_property
    def built(self) -> tuple[str, ...]:
        """What only one of the two states has, by layer: how many, and the first of them by name."""
        before, after = self.pair.before.district, self.pair.after.district
        layers = {"homes": (before.homes, after.homes), "facilities": (before.open_facilities, after.open_facilities)}
        told = {"homes": ("新建小区 {0} 个：{1}", "拆除小区 {0} 个：{1}")}
        told |= {"facilities": ("新增设施 {0} 处：{1}", "撤除设施 {0} 处：{1}")}
        lines = []
        for layer, (old, new) in layers.items():
            for words, own, other in ((told[layer][0], new, old), (told[layer][1], old, new)):
                rows = None if own is None or other is None else own[~own.index.isin(other.index)]
                if rows is not None and len(rows):
                    names = [str(name) for name in rows["name"].fillna(rows.index.to_series())]
                    more = say(" 等") if len(names) > BUILT else ""
                    lines.append(say(words, len(rows), say("、").join(names[:BUILT]) + more))
        return tuple(lines)

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of facilities of which only one of the two states has some."""
        old, new = (state.district.open_facilities for state in (self.pair.before, self.pair.after))
        if old is None or new is None:
            return ()
        only = pd.concat([new[~new.index.isin(old.index)]["kind"], old[~old.index.isin(new.index)]["kind"]])
        return tuple(sorted(set(only)))

    @cached_property
    def who(self) -> Moves | None:
        """Who lives there before and after."""
        return moves(self.pair.before.district, self.pair.after.district)

    @cached_property
    def living(self) -> list[Group]:
        """Who lives there before and after, group by group as `who` has them; nothing where a state has no homes."""
        who, sides = self.who and self.who.told, (self.pair.before.district.moved, self.pair.after.district.moved)
        if who is None:
            return []
        figures = {"before": ("之前常住", who.before)}
        figures |= {"there": ("方案写明原来就住着", who.there)} if who.there else {}
        figures |= {"stay": ("留下的居民", who.stay)}
        # where the plan says where to, it says who returns too
        figures |= (
            {"out": ("搬出", who.out), "back": ("还迁", who.back)}
            if who.by_plan
            else {"out": ("迁出（去向待填）", who.out)}
        )
        figures |= {"came": ("导入人口", who.came), "other": ("其他变动", who.other), "after": ("之后常住", who.after)}
        said = (
            {"there": "there", "stay": "there_stay", "out": "out", "back": "back", "came": "new"} if who.by_plan else {}
        )
        return [
            Group(what, say(label), number, *(own.get(said[what], 0.0) if what in said else None for own in sides))
            for what, (label, number) in figures.items()
        ]

    @property
    def left_out(self) -> str:
        """Whom no share counts, since only one state has them and nobody knows how many they are; "" where there are none."""
        old, new = (side.district.homes for side in (self.pair.before, self.pair.after))
        return "" if old is None or new is None else _of_unknown(old, new).lstrip("；; ")

    @cached_property
    def people(self) -> str:
        """For which years both stand, and who lives there before and after."""
        return people_line(self.pair.before.district, self.pair.after.district)


class Said(NamedTuple):
    """A sentence, and what its figures are about: the code of a rule, or `GOALS` (how many of them)."""

    text: str
    about: str


class GoalRow(Protocol):
    """A row of `Change.goals`, as `itertuples` gives it."""

    code: str
    label: str
    before: float
    after: float
    points: float
    tone: str
    net: float
    net_text: str


#: What figures are about that count who lives there, moves and comes.
LIVING = "people"


def _called(table: pd.DataFrame, labels: pd.Series) -> pd.DataFrame:
    rows = table.reset_index()
    return rows.assign(label=rows["rule"].map(labels).fillna(rows["label"]))


class Moves(NamedTuple):
    """
    Who lives in the homes of two states. Residents who stay, who move and who come are three groups, never added into one.

    People of before, and whom only the plan says lived there (`there`), less those who move out, plus those who return (`back`) and who
    come (导入人口, not residents of before), plus what else changed, are the people of after. Where a plan says who moves and returns
    (`by_plan`), as it says; else homes that are gone and new ones tell.
    """

    before: float
    stay: float
    out: float
    came: float
    other: float
    after: float
    homes_gone: int
    homes_new: int
    back: float = 0.0
    by_plan: bool = False
    there: float = 0.0

    @property
    def told(self) -> Moves:
        """The same in whole people: who comes and goes leads from those of before to those of after, as these are printed."""
        before, after = whole(self.before), whole(self.after)
        there, out, back, came, other = adding_up(
            [self.there, -self.out, self.back, self.came, self.other], after - before
        )
        left = abs(self.before - self.out - self.stay) < PEOPLE  # whoever does not stay is told to leave
        stay = before + out if left else whole(self.stay)
        flows = self._replace(there=there, out=-out, back=back, came=came, other=other)
        return flows._replace(before=before, stay=stay, after=after)


class Group(NamedTuple):
    """Some of those who live there before or after: which, in words, how many; what of it the plans of both sides say (None: nothing)."""

    what: str
    label: str
    number: float
    earlier: float | None
    later: float | None

    @property
    def text(self) -> str:
        """How many, in digits."""
        return amount(self.number)

    @property
    def plotted(self) -> float | None:
        """How many, as a chart that can be edited holds it; None where nobody knows."""
        return round(self.number) if np.isfinite(self.number) else None


def moves(before: District, after: District) -> Moves | None:
    """Return who lives there before and after; None where a state has no homes."""
    old, new = before.homes, after.homes
    if old is None or new is None:
        return None
    lived, live = old["people"], new["people"]
    gone, fresh = lived[~old.index.isin(new.index)], live[~new.index.isin(old.index)]
    was, now, out, came = (float(people.sum()) for people in (lived, live, gone, fresh))
    said = {what: number - before.moved.get(what, 0.0) for what, number in after.moved.items()}
    by_plan = bool(said) and (abs(said["back"]) >= PEOPLE or abs(said["out"] - out) >= PEOPLE)
    back = there = there_stay = 0.0
    if by_plan:  # who returns is no newcomer, though the home is new; who moved away left a home that may still stand
        out, back, came, there, there_stay = (said[what] for what in ("out", "back", "new", "there", "there_stay"))
    other = now - was - there + out - back - came
    both = old.index.intersection(new.index)  # not `was - out`: a plan may move people whom it put there itself
    stay = float(np.minimum(lived.reindex(both), live.reindex(both)).sum())
    return Moves(was, stay + there_stay, out, came, other, now, len(gone), len(fresh), back, by_plan, there)


def people_line(before: District, after: District) -> str:
    """Say for which years both sides stand, and who lives there before and after, so that it adds up (`Moves`)."""
    old, new, exact = before.homes, after.homes, moves(before, after)
    if old is None or new is None or exact is None:
        return say("数据不足：没有小区图层")
    who = exact.told
    years = say("两边都按 {0} 年", before.year)
    if before.year != after.year:
        years = say("之前 {0} 年，之后 {1} 年", before.year, after.year)
    text = say("{0}：之前常住人口 {1:,.0f}，之后 {2:,.0f}", years, who.before, who.after)
    if who.by_plan:
        text += say("；搬离 {0:,.0f} 人（不计入受影响居民），还迁 {1:,.0f} 人", who.out, who.back)
        text += say("；导入 {0:,.0f} 人（不计入受益居民）", who.came)
    else:
        if who.homes_gone:
            text += say("；减少 {0} 个小区，迁出 {1:,.0f} 人（不计入受影响居民；去向待填）", who.homes_gone, who.out)
        if who.homes_new:
            text += say("；新增 {0} 个小区，导入 {1:,.0f} 人（不计入受益居民）", who.homes_new, who.came)
    if abs(who.there) >= PEOPLE:
        text += say("；另有 {0:,.0f} 人原来就住着，图上没有，是方案自己写的", who.there)
    if abs(who.other) >= PEOPLE:
        text += say("；其他变动 {0:+,.0f} 人（小区按自己的起止年出现或消失，或从别处迁来暂住）", who.other)
    homes, places = attached_anew(after)
    lost = [say("{0} 个小区", len(homes))] if len(homes) else []
    lost += [say("{0} 处设施", len(places))] if len(places) else []
    if lost:
        told = "；{0}门前的路都取消了，改从最近的其余道路出入，步行变短不算方案的效果"
        text += say(told, say("、").join(lost))
    text += _of_unknown(old, new)
    unknown = sum(int(frame["people"].isna().sum()) for frame in (old, new))
    return text + (say("；{0} 个小区人口不详，未计入", unknown) if unknown else "")


#: Whom shares count: everybody, and the old.
_COUNTED = ("people", "people_60plus")


def _of_unknown(old: pd.DataFrame, new: pd.DataFrame) -> str:
    """Say in which homes of one state only nobody knows how many people, or how many old ones, live: no share of theirs counts them."""
    people, known = ([frame[c].to_numpy(np.float64, na_value=np.nan) for frame in (old, new)] for c in _COUNTED)
    aged = [np.isnan(of_old) & (of_all > 0) for of_all, of_old in zip(people, known, strict=True)]
    nobody = [np.isnan(of_all) for of_all in people]
    told = "；{0}住着 {1:,.0f} 人，其中60岁及以上多少不详，没有算进为老目标的份额，这些目标前后的份额不能相减"
    text = ""
    for asked, sentence in ((aged, told), (nobody, "；{0}只在一边有，人口不详，没有算进份额，前后的份额不能相减")):
        if not any(rows.any() for rows in asked):
            continue
        sides = zip((old, new), asked, strict=True)
        blank = [pd.DataFrame({c: frame[c] for c in ("name", "people")})[rows] for frame, rows in sides]
        only = pd.concat([one[~one.index.isin(other.index)] for one, other in (blank, blank[::-1])])
        names = say("、").join(map(str, only["name"].fillna(only.index.to_series())))
        text += say(sentence, few_names(names), float(only["people"].sum())) if len(only) else ""
    return text


def side_by_side(moved: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """
    Return what each plan changes of each goal; `moved`: the goals of its `Change`.

    Returns
    -------
    table
        Columns a MultiIndex (plan, what): `net_text`, `points` (percentage points), `tone`. Rows: the goals that any of them moves, in the
        order in which the first of them lists its goals; index rule; `label` is the level "".
    """
    order = list(
        dict.fromkeys(
            rule for goals in moved.values() for rule in goals.index[goals["tone"].isin(["gain", "lose", "others"])]
        )
    )
    labels = {rule: label for goals in moved.values() for rule, label in goals["label"].items()}
    table = pd.concat(
        {name: goals.reindex(order)[["net_text", "points", "tone"]] for name, goals in moved.items()}, axis=1
    )
    table.insert(0, ("", "label"), [labels[rule] for rule in order])
    return table


def few_names(text: str, most: int = 3) -> str:
    """Return a list of homes, of which `access.effects` names the first, short enough for a page."""
    names = [name for name in text.split(say(" 等 "), maxsplit=1)[0].split(say("、")) if name]
    return say("、").join(names[:most]) + (say(" 等") if len(names) > most else "")
