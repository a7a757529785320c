"""The story of a siting: each plan carried out, what it brings, how it compares; and of openings, what each home's gap is."""

from __future__ import annotations

from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd

from ...access import coverage, facility_entrances, known_sum, sharing_of, summary
from ...core import Profile, Rule, amount, per_cent, rounded, say
from ...district import District
from ...siting import ROUNDING, placed, sites_plan
from ..tables import titled

#: Homes that are named in a sentence about who gains.
NAMED = 6


class Choice(NamedTuple):
    """One plan of a siting, carried out."""

    letter: str
    rows: gpd.GeoDataFrame  # of `sites`, index site
    after: District
    cover: pd.DataFrame  # index (home, rule), with the plan
    gained: pd.Series  # index home: share newly served, homes that gain only
    users: pd.Series  # index site: people whose nearest one it becomes
    inside: bool  # whether a site stands in a home, which the live map cannot count


class Now(NamedTuple):
    """The district as it is, and how it is judged."""

    district: District
    rule: Rule
    walker: str | Profile | None
    cover: pd.DataFrame


def carried_out(now: Now, chosen: gpd.GeoDataFrame, number: int, letter: str) -> Choice:
    """Carry one plan out on the district and count afresh."""
    rows = chosen[(chosen["plan"] == number).to_numpy()]
    rows = rows.set_axis(rows.index.get_level_values("site"), axis=0)
    after = sites_plan(chosen, number).on(now.district)
    cover = coverage(after, rules=[now.rule], profile=now.walker)
    change = (cover["served"] - now.cover["served"]).droplevel("rule").fillna(0.0)
    users = sharing_of(now.cover, cover, {})["users_after"].droplevel("rule")
    new = rows.index.astype(str)
    built = after.open_facilities
    inside = built is not None and bool(facility_entrances(after, built.loc[new])["inside"].notna().any())
    return Choice(letter, rows, after, cover, change[change > 1e-9], users.reindex(new).fillna(0.0), inside)


def compared(now: Now, choices: list[Choice]) -> pd.DataFrame:
    """Return one row per plan, and the first of how it is today."""
    rows = [{"方案": say("现状"), "位置": "—", **_state(now, now.cover, 0.0)}]
    values = [float(choice.rows["objective"].iloc[0]) for choice in choices]
    off = [abs(value - values[0]) / values[0] if values[0] else 0.0 for value in values]
    tied = sum(share < ROUNDING for share in off) > 1
    for choice, share in zip(choices, off, strict=True):
        last = choice.rows.iloc[-1]
        rows.append(
            {
                "方案": choice.letter,
                "位置": places_text(choice),
                "新增居民（人）": last["people_cumulative"],
                "其中60岁及以上（人）": last["people_60plus_cumulative"],
                "惠及社区": last["communities_cumulative"],
                "人口不详的小区": int(choice.rows["homes_unknown"].sum()),
                **_state(now, choice.cover, float(last["people_cumulative"])),
                "与最好的差": per_cent(share) if share >= ROUNDING else say("并列最好") if tied else say("最好"),
            }
        )
    order = [
        "方案",
        "位置",
        "新增居民（人）",
        "其中60岁及以上（人）",
        "惠及社区",
        "实施后",
        "平均步行（分钟）",
        "仍不可达（人）",
        "覆盖最低的社区",
        "人口不详的小区",
        "与最好的差",
    ]
    table = pd.DataFrame(rows).reindex(columns=order)
    return table if table["人口不详的小区"].fillna(0).any() else table.drop(columns="人口不详的小区")


def _state(now: Now, cover: pd.DataFrame, gained: float) -> dict[str, float | str]:
    """Return how a state that serves so many more stands: the rule's share, the mean walk, who is left, the community that has least."""
    own = cover.droplevel("rule")
    known = own["people"].notna() & own["minutes"].notna()
    people = float(own.loc[known, "people"].sum())
    mean = float((own["minutes"] * own["people"])[known].sum()) / people if people else np.nan
    share = float(summary(cover)["share"].iloc[0])
    text = "—"
    if own["community"].notna().any():
        by = summary(cover, by="community")["people_share"].droplevel("rule").dropna()
        by = by[by.index.notna()]
        communities = now.district.communities
        if len(by):
            least = by.index[(by <= by.min() + 1e-9).to_numpy()]
            name = least[0] if communities is None else communities["name"].get(least[0], least[0])
            more = say("等 {0} 个", len(least)) if len(least) > 1 else ""
            text = f"{name}{more} {per_cent(by.min(), 0)}"
    missed, left = (known_sum((1 - c["served"]).fillna(0.0), c["people"]) for c in (now.cover, cover))
    if abs(missed - gained - left) < 1e-6 * missed:
        left = rounded(missed) - rounded(gained)  # as printed, so that the three agree
    return {"实施后": per_cent(share), "平均步行（分钟）": mean, "仍不可达（人）": left, "覆盖最低的社区": text}


def plan_name(choice: Choice) -> str:
    """Return the beginning of a line about a plan; where it has one site, that carries the letter itself."""
    return say("方案 {0}：", choice.letter) if len(choice.rows) > 1 else ""


def places_text(choice: Choice) -> str:
    """Say where the sites of a plan are, as their reasons do, each after its letter; many in short."""
    names = [f"{row['tag']} {placed(choice.after, row)}" for row in choice.rows.to_dict("records")]
    return say("、").join(names[:NAMED]) + (say(" 等 {0} 处", len(names)) if len(names) > NAMED else "")


def gain_beyond(now: Now, gained: pd.Series, other: pd.Series) -> str:
    """Say how many people gain in one plan beyond another, and who they are; empty where nobody."""
    homes = now.district.homes
    more = gained.sub(other, fill_value=0.0)
    more = more[more > 1e-9]
    if homes is None or more.empty:
        return ""
    people = (more * homes["people"].reindex(more.index)).sort_values(ascending=False, kind="stable")
    names = homes["name"].reindex(people.index)
    named = list(names.fillna(names.index.to_series()).astype(str))
    listed = say("、").join(named[:NAMED]) + (say(" 等 {0} 个小区", len(named)) if len(named) > NAMED else "")
    if people.isna().all():
        return say("人口不详（{0}）", listed)
    return say("{0} 人（{1}）", amount(people.sum()), listed)


def users_text(choice: Choice, site: str) -> str:
    """Say for how many people a site becomes the nearest; nothing where nobody's number is known."""
    homes = choice.after.homes
    if homes is None or homes["people"].isna().all():
        return ""
    return say("；建成后约 {0} 人以它为最近的一处", amount(choice.users[site]))


def site_sheet(choices: list[Choice]) -> pd.DataFrame:
    """Return every site of every plan, under Chinese headers."""
    parts = [
        c.rows.assign(letter=c.letter, users=c.users.to_numpy(), site=c.rows.index).drop(columns="geometry")
        for c in choices
    ]
    return titled(
        pd.concat(parts),
        {
            "letter": "方案",
            "tag": "图上编号",
            "name": "位置",
            "site": "候选点",
            "people_gained": "新增居民（人）",
            "people_60plus_gained": "其中60岁及以上（人）",
            "communities_gained": "惠及社区",
            "homes_unknown": "人口不详的小区",
            "share_after": "实施后份额",
            "users": "以它为最近的居民（人）",
            "reason": "理由",
            "mark": "标记",
        },
    )


def who_sheet(now: Now, choices: list[Choice]) -> pd.DataFrame:
    """Return who gains in which plan, most people first."""
    own = now.cover.droplevel("rule")
    table = pd.DataFrame({say("方案 {0}", c.letter): c.gained for c in choices}).fillna(0.0)
    table.insert(0, "小区", own["name"].reindex(table.index).fillna(table.index.to_series()))
    table.insert(1, "常住人口", own["people"].reindex(table.index))
    return table.sort_values("常住人口", ascending=False, kind="stable").rename_axis("小区编号").reset_index()


def link_sheet(ranked: gpd.GeoDataFrame) -> pd.DataFrame:
    """Return openings, under Chinese headers."""
    length = ranked["length_m"].where(ranked["length_m"] > 0).round()  # a gate has none
    return titled(
        ranked.drop(columns="geometry").assign(length_m=length).reset_index(),
        {
            "link": "序",
            "kind_label": "种类",
            "text": "开在哪里，谁受益",
            "people_gained": "新增居民（人）",
            "people_60plus_gained": "其中60岁及以上（人）",
            "minutes_saved": "每趟共省（人·分钟）",
            "length_m": "长度（米）",
            "share_after": "之后",
        },
    )


def pair_sheet(both: gpd.GeoDataFrame) -> pd.DataFrame:
    """Return two openings together, under Chinese headers."""
    return titled(
        both.drop(columns="geometry").reset_index(),
        {
            "pair": "序",
            "text": "开在哪里，谁受益",
            "people_gained": "新增居民（人）",
            "people_60plus_gained": "其中60岁及以上（人）",
            "minutes_saved": "每趟共省（人·分钟）",
            "share_after": "之后",
        },
    )


def gap_sheet(places: gpd.GeoDataFrame) -> pd.DataFrame:
    """Return each home's gap and what would fix it, under Chinese headers."""
    if places.empty:
        return pd.DataFrame()
    minutes = places[["minutes", "gate_minutes", "wait_minutes", "street_minutes", "detour"]].round(1)
    return titled(
        places.drop(columns="geometry").assign(**minutes).reset_index(),
        {
            "home": "小区编号",
            "name": "小区",
            "unserved": "不可达（人）",
            "minutes": "到最近（分钟）",
            "gate_minutes": "到出入口（分钟）",
            "wait_minutes": "等候（分钟）",
            "street_minutes": "沿街（分钟）",
            "detour": "绕行（倍）",
            "crosses": "隔着",
            "reason": "为什么",
            "fix": "怎样才够得着",
        },
    )


def ranked_headlines(district: District, lead: pd.DataFrame) -> list[str]:
    """Return the rules that leave somebody out, those first of which it matters most: what the plan says, then what was read."""
    open_ = lead[(lead["value"] < 1 - 1e-9) & (lead["people_unserved"] > 0)]
    asked = [district.rule(str(name)) for name in open_.index]
    read = [2 * rule.of_plan + (rule.confidence == "read") for rule in asked]
    ranked = open_.assign(read=read).sort_values(["read", "people_unserved"], ascending=False, kind="stable")
    return [str(name) for name in ranked.index]


def proof(chosen: gpd.GeoDataFrame) -> str:
    """Say how sure it is that no plan is better."""
    if chosen["proven"].all():
        return say("已证明最优：没有更好的放法")
    return say("没有证明最优，离可能的最好还差 {0}", per_cent(chosen["gap"].max()))
