"""What the command about parcels prints of a plan: who lives where year by year, what they need, and whose walks it changes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import pandas as pd
from rich.markup import escape
from rich.table import Table

from ...access import people_told
from ...core import HOLDERS, amount, say, word
from ...district import District, Scenario
from ...renewal import (
    CAPACITY_LABELS,
    COUNT_LABELS,
    FLOW_LABELS,
    Course,
    accounts,
    affected_by_year,
    at_most_in_words,
    capacity_by_year,
    first_short,
    load_during,
    walks_during,
)
from ...siting import shortage_in_words, shortage_number
from .console import OUT, grid

#: How many places are named whose load rises.
PLACES = 12


@dataclass(frozen=True, eq=False)
class PlanFigures:
    """The figures of a plan, worked out once; each method prints some of them."""

    books: pd.DataFrame
    capacity: pd.DataFrame
    walks: pd.DataFrame
    load: pd.DataFrame
    years: tuple[int, ...]

    @classmethod
    def of(cls, district: District, plan: Scenario, *, with_conflicts: bool) -> Self:
        """Work a plan out on a district."""
        course = Course(district, plan, with_conflicts)
        books = accounts(district, plan, with_conflicts=with_conflicts)
        told = capacity_by_year(course) if "norms" in district.rows else pd.DataFrame()
        return cls(books, told, walks_during(course), load_during(course), course.years)

    def show_parcel(self, parcel: str, title: str, wholes: Mapping[str, str]) -> None:
        """Print who lives on a parcel, who had left what it was divided from (`wholes`: names by id), and whether they have enough."""
        _show_balance(self.books, parcel, title)
        for whole, name in wholes.items():
            _show_balance(self.books, whole, name)
        if len(self.capacity) and parcel in self.capacity.index.get_level_values("parcel"):
            _show_capacity(self.capacity.loc[[parcel]], title)

    def show_elsewhere(self, *, everywhere: bool) -> None:
        """Print what a plan does to others: who lives on no parcel, whose walks get longer and when, which places get fuller."""
        if everywhere:
            _show_balance(self.books, "", say("地块以外"))
        self._show_walks()
        self._show_load()

    def _show_walks(self) -> None:
        lose = affected_by_year(self.walks, self.years)
        if lose.empty:
            OUT.print(escape(say("逐年看（施工期间和建成以后），没有居民因方案失去走得到的服务")))
            return
        shown = _by_year(
            say("目标"), self.years, say("逐年不再可达的居民（人，为老的目标只计老人；施工期间和建成以后）")
        )
        for row in lose.itertuples(index=False):
            shown.add_row(escape(str(row[0])), *(amount(n, unknown=say("数据不足")) for n in row[1:]))
        OUT.print(shown)
        worst = self.walks[self.walks["worst"].to_numpy(dtype=bool)]
        worst = worst[(worst["lose"] != 0).to_numpy()].sort_values("lose", ascending=False, kind="stable")
        for (_, _, year), row in worst.head(PLACES).iterrows():
            then = say("走不到") if math.isnan(row["minutes"]) else say("{0:.1f} 分钟", row["minutes"])
            told = "{0}（{1}）：影响最大是 {2} 年，{3:.1f} 分钟变为{4}，{5}不再可达"
            lost = row["lose"]
            aged = row["counted"] == "people_60plus"
            people = say("人口数据不足") if math.isnan(lost) else people_told(lost, aged=aged)
            OUT.print(escape(say(told, row["name"], row["label"], year, row["minutes_without"], then, people)))

    def _show_load(self) -> None:
        if self.load.empty:
            return
        shown = _by_year(say("设施"), self.years, say("服务负荷上升的设施（以它为最近的居民，人；没有方案→有方案）"))
        most = self.load.groupby(level=["rule", "facility"])["change"].max().sort_values(ascending=False, kind="stable")
        for rule, facility in most.index[:PLACES]:
            own = self.load.xs((rule, facility), level=("rule", "facility"))
            names = say("{0}（{1}）", own["name"].iloc[0], own["label"].iloc[0])
            pairs = own[["users_without", "users"]].reindex(list(self.years))
            told = ("" if math.isnan(b) else f"{amount(a)}→{amount(b)}" for a, b in pairs.itertuples(index=False))
            shown.add_row(escape(names), *told)
        OUT.print(shown)
        if len(most) > PLACES:
            OUT.print(escape(say("另有 {0} 处", len(most) - PLACES)))


def _by_year(first: str, years: tuple[int, ...], title: str) -> Table:
    shown = grid(first, title=escape(title))
    for year in years:
        shown.add_column(str(year), justify="right", no_wrap=True)
    return shown


def _show_capacity(own: pd.DataFrame, title: str) -> None:
    """Print a norm after another: what is needed, what there is, what lacks; then the first year in which something lacks."""
    years = tuple(sorted(set(own.index.get_level_values("year"))))
    shown = _by_year(say("配套能力"), years, say("配套能力：{0}（地块上所有的人，还迁的也算）", title))
    firsts, told = first_short(own), []
    for (parcel, norm), rows in own.groupby(level=["parcel", "norm"], sort=False):
        by_year, head = rows.droplevel(["parcel", "norm"]).reindex(years), rows.iloc[0]
        unit = word(str(head["unit"]))
        digits = 2 if rows[["need", "there", "coming"]].max().max() < 10 else 0
        shown.add_section()
        shown.add_row(escape(say("{0}（{1}，{2}）", head["label"], unit, head["standard_text"])))
        for column, label in CAPACITY_LABELS.items():
            numbers = [amount(n, digits, unknown=say("数据不足")) for n in by_year[column]]
            if column == "short":
                numbers = [shortage_number(n, str(head["unit"])) for n in by_year[column]]
            shown.add_row("　" + say(label), *numbers)
        if (parcel, norm) in firsts.index:
            year = int(firsts[parcel, norm])
            lacks = shortage_in_words(float(by_year.loc[year, "short"]), str(head["unit"]))
            bound = at_most_in_words(str(head["bound"]), int(by_year.loc[year, "silent"]))
            told.append(say("{0}：{1} 年起，{2}{3}", head["label"], year, lacks, bound))
    OUT.print(shown)
    for sentence in told:
        OUT.print(escape(sentence))


def _show_balance(books: pd.DataFrame, parcel: str, title: str) -> None:
    """Print whom a plan moves: years side by side, so that a window of 80 columns holds them without breaking a number."""
    if parcel not in books.index.get_level_values("parcel"):
        return
    own = books.loc[parcel]
    years = sorted(own.index.get_level_values("year").unique())
    shown = _by_year(say("口径"), tuple(years), say("居民收支：{0}", title))
    for (count, holder), rows in own.groupby(["count", "holder"], sort=False):
        shown.add_section()
        shown.add_row(say(COUNT_LABELS[count]) + (say("（{0}）", say(HOLDERS[holder])) if holder else ""))
        by_year = rows.droplevel(["count", "holder"]).reindex(years)
        for column, label in FLOW_LABELS.items():
            numbers = (amount(number, unknown=say("数据不足")) for number in by_year[column])
            shown.add_row("　" + say(label), *numbers)
    OUT.print(shown)
    if own["other"].fillna(0).ne(0).any():
        OUT.print(escape(say("其他变动：小区按自己的起止年出现或消失，或安置来的人住进、离开")))
