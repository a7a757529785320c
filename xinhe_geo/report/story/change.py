"""The story of two states of a district: what differs, for whom, which maps show it, and how the people add up."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from ...access import attached_anew
from ...core import say
from ...district import District, rule_name
from ..analysis import Comparison

#: Smaller changes of a share, of minutes, of people are rounding.
SHARE, MINUTES, PEOPLE = 5e-5, 0.05, 0.5
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


def with_net(table: pd.DataFrame) -> pd.DataFrame:
    """Return `effects` with `net_text`: what a rule gains, losses taken off, in what it counts itself (+69 老人)."""
    texts = []
    for of, net in zip(table["net_of"], table["net"], strict=True):
        unit, factor, digits = _NET_UNITS[of]
        value = round(net * factor, digits)
        number = f"{value:+,.{digits}f}".replace("-", "−") if value else "0"
        texts.append(say("数据不足") if np.isnan(net) else f"{number} {say(unit)}")
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
        return with_net(table.assign(label=labels, code=table.index, points=table["change"] * 100))

    @cached_property
    def rules(self) -> pd.DataFrame:
        """The rules that change for anybody; columns of `effects`, and `points`; first what moves most residents."""
        table = self._effects
        moved = table[["people_gain", "people_lose", "people_crowded", "people_new_served", "people_new_unserved"]]
        return by_residents(table[(table["change"].abs() > SHARE) | (moved.max(axis=1) > PEOPLE)])

    @cached_property
    def gains(self) -> pd.DataFrame:
        """The rules, those first by which most people gain."""
        table = self._effects
        return table.reindex(table["people_gain"].sort_values(ascending=False, kind="stable").index)

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

    @cached_property
    def users(self) -> pd.DataFrame:
        """The facilities that more or fewer people use."""
        table = self.pair.sharing
        return _called(table[table["change"].abs() > PEOPLE], self._effects["label"])

    @property
    def people(self) -> str:
        """For which years both stand, and who lives there before and after."""
        return people_line(self.pair.before.district, self.pair.after.district)


def _called(table: pd.DataFrame, labels: pd.Series) -> pd.DataFrame:
    rows = table.reset_index()
    return rows.assign(label=rows["rule"].map(labels).fillna(rows["label"]))


def people_line(before: District, after: District) -> str:
    """
    Say for which years both sides stand, and who lives there before and after, so that it adds up.

    People of before, less those of homes that are gone, plus those of new ones (导入人口, not residents of before), plus what
    else changed, are the people of after.
    """
    old, new = before.homes, after.homes
    if old is None or new is None:
        return say("数据不足：没有小区图层")
    gone, fresh = old[~old.index.isin(new.index)], new[~new.index.isin(old.index)]
    years = say("两边都按 {0} 年", before.year)
    if before.year != after.year:
        years = say("之前 {0} 年，之后 {1} 年", before.year, after.year)
    was, now, out, came = (float(frame["people"].sum()) for frame in (old, new, gone, fresh))
    text = say("{0}：之前常住人口 {1:,.0f}，之后 {2:,.0f}", years, was, now)
    moved = {what: after.moved.get(what, 0.0) - before.moved.get(what, 0.0) for what in ("out", "back", "new")}
    if after.moved and (abs(moved["back"]) >= PEOPLE or abs(moved["out"] - out) >= PEOPLE):
        # who returns is no newcomer, though the home is new; who moved away left a home that may still stand
        out, came = moved["out"], moved["back"] + moved["new"]
        text += say("；搬离 {0:,.0f} 人（不计入受影响居民），还迁 {1:,.0f} 人", out, moved["back"])
        text += say("；导入 {0:,.0f} 人（不计入受益居民）", moved["new"])
    else:
        if len(gone):
            text += say("；减少 {0} 个小区，迁出 {1:,.0f} 人（不计入受影响居民；去向待填）", len(gone), out)
        if len(fresh):
            text += say("；新增 {0} 个小区，导入 {1:,.0f} 人（不计入受益居民）", len(fresh), came)
    other = now - was + out - came
    if abs(other) >= PEOPLE:
        text += say("；其他变动 {0:+,.0f} 人", other)
    homes, places = attached_anew(after)
    lost = [say("{0} 个小区", len(homes))] if len(homes) else []
    lost += [say("{0} 处设施", len(places))] if len(places) else []
    if lost:
        told = "；{0}门前的路都取消了，改从最近的其余道路出入，步行变短不算方案的效果"
        text += say(told, say("、").join(lost))
    unknown = sum(int(frame["people"].isna().sum()) for frame in (old, new))
    return text + (say("；{0} 个小区人口不详，未计入", unknown) if unknown else "")


def few_names(text: str, most: int = 3) -> str:
    """Return a list of homes, of which `access.effects` names the first, short enough for a page."""
    names = [name for name in text.split(say(" 等 "), maxsplit=1)[0].split(say("、")) if name]
    return say("、").join(names[:most]) + (say(" 等") if len(names) > most else "")
