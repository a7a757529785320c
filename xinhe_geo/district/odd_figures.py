"""Figures that can be typed and are hardly meant: a part larger than its whole, a share typed for a per cent, yuan for 万元, ground drawn twice."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import shapely

from ..core import Problem, amount, cell, per_cent, say
from .parcel_facts import FLOOR_PARTS, parcel_number
from .parcel_split import DRAWN

#: No dwelling holds more; a dormitory has no households.
MOST_IN_A_HOUSEHOLD = 15
#: 万元 for a m² of floor, and for a household: no floor of a Chinese city is sold for that much, and nobody gets more than 100 m² of
#: it. Who types yuan is ten thousand times too high.
MOST_PER_M2, MOST_PER_HOUSEHOLD = 50.0, 5_000.0
#: Statistics give per cents with one digit: what is less than it is a share.
LEAST_PER_CENT = 0.1
#: Figures of one parcel, the first of which is a part of the second.
PARTS = (*((part, FLOOR_PARTS[0]) for part in FLOOR_PARTS[1]), ("households_rehoused_near", "households_to_rehouse"))
_HOMES, _PEOPLE = "households", "people"
#: What to do about it.
RECOUNT = "核对户数和人数，是不是多写了零或填错了列"


def odd_figures(rows: Mapping[str, pd.DataFrame], declared: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield a warning for each figure that is possible, and hardly what somebody meant: what is odd of it, and what to do."""

    def file(layer: str) -> str:
        return str(declared.get(layer, {}).get("file", ""))

    if {"parcel_facts", "quantities"} <= set(rows):
        yield from _odd_facts(rows["parcel_facts"], rows["quantities"], file("parcel_facts"))
    for layer, column in (("stages", "share"), ("projects", "consent")):
        if layer in rows:
            own = rows[layer][column]
            for key, share in own[((own > 0) & (own <= 1)).to_numpy(dtype=bool, na_value=False)].items():
                yield _odd(layer, file(layer), key, column, *_share_typed(float(share)))
    if "homes" in rows:
        homes = rows["homes"]
        packed = (homes["people"] > homes["households"] * MOST_IN_A_HOUSEHOLD) & (homes["households"] > 0)
        for key, row in homes[packed.to_numpy(dtype=bool, na_value=False)].iterrows():
            yield _odd("homes", file("homes"), key, "people", crowded(row["households"], row["people"]), say(RECOUNT))
    if "parcels" in rows:
        yield from _drawn_twice(rows["parcels"], file("parcels"))


def _odd(layer: str, file: str, key: object, field: str, said: str, remedy: str) -> Problem:
    return Problem("warning", layer, file, str(key), field, said, remedy)


def _share_typed(share: float) -> tuple[str, str]:
    return (
        say("写的是 {0:g}，即百分之 {0:g}，像是把百分数写成了小数", share),
        say("是 {0:g}% 就写 {0:g}；确实是 {1:g}% 就不用改", share * 100, share),
    )


def crowded(homes: float, people: float) -> str:
    """Say how many people live in so many dwellings where it is more than dwellings hold; "" where it is not, or nobody has said."""
    if not people > homes * MOST_IN_A_HOUSEHOLD > 0:
        return ""
    return say("{0} 户 {1} 人，一户 {2} 人", amount(homes), amount(people), amount(people / homes, 1))


def _odd_facts(facts: pd.DataFrame, quantities: pd.DataFrame, file: str) -> Iterator[Problem]:
    told = facts[(facts["quantity"].isin(quantities.index) & facts["value"].notna()).to_numpy()]
    low = told["value"].map(parcel_number).astype("float64")
    table = told.assign(
        low=low,
        most=told["high"].astype("float64").fillna(low),
        unit=quantities["unit"].reindex(told["quantity"]).to_numpy(object),
        topic=quantities["topic"].reindex(told["quantity"]).to_numpy(object),
        label=[cell(quantities.loc[q], "label") for q in told["quantity"]],
        holder=told["holder"].fillna(""),
        year=told["year"].astype("float64").fillna(-math.inf),
    ).dropna(subset=["low", "parcel"])
    for key, row in table[
        ((table["unit"] == "%") & (table["low"] > 0) & (table["low"] < LEAST_PER_CENT)).to_numpy()
    ].iterrows():
        yield _odd("parcel_facts", file, key, "value", *_share_typed(row["low"]))
    for parcel, own in table.groupby("parcel", sort=False):
        for key, said, remedy in (*_larger_parts(own), *_odd_households(own), *_too_dear(own)):
            yield _odd("parcel_facts", file, key, "value", say("地块 {0}：{1}", parcel, said), remedy)


def _larger_parts(own: pd.DataFrame) -> Iterator[tuple[object, str, str]]:
    """Yield parts of one parcel that are larger than their whole in whatever year it is largest."""
    remedy = say("核对两个数，改正其中一个")
    for part, whole in PARTS:
        wholes, parts = own[(own["quantity"] == whole).to_numpy()], own[(own["quantity"] == part).to_numpy()]
        most = wholes["most"].max()
        for key, row in parts[(parts["low"] > most).to_numpy()].iterrows():
            said = say("{0} {1} 大于{2} {3}", row["label"], amount(row["low"]), wholes["label"].iloc[0], amount(most))
            yield key, said, remedy
    for _, same in own.groupby(["quantity", "year"], sort=False):
        all_of, parts = same[(same["holder"] == "").to_numpy()], same[(same["holder"] != "").to_numpy()]
        if len(all_of) and parts["low"].sum() > all_of["most"].max():
            label, sums = all_of["label"].iloc[0], (amount(parts["low"].sum()), amount(all_of["most"].max()))
            yield parts.index[-1], say("各口径{0}合计 {1} 大于合计那一行的 {2}", label, *sums), remedy


def _odd_households(own: pd.DataFrame) -> Iterator[tuple[object, str, str]]:
    """Yield households of a year that are as many as the people, or far too few for them."""
    for _, same in own.groupby(["holder", "year"], sort=False):
        homes, people = (same[(same["quantity"] == q).to_numpy()] for q in (_HOMES, _PEOPLE))
        if len(homes) != 1 or len(people) != 1 or homes["low"].iloc[0] <= 1:
            continue
        n, lived = float(homes["low"].iloc[0]), float(people["most"].iloc[0])
        if n >= lived > 0:
            said = say("{0} 户 {1} 人，等于每户都只有一个人或更少", amount(n), amount(lived))
            yield homes.index[0], said, say("核对户数和人数，是不是把人数填成了户数")
        elif said := crowded(n, lived):
            yield people.index[0], said, say(RECOUNT)


def _too_dear(own: pd.DataFrame) -> Iterator[tuple[object, str, str]]:
    """Yield sums of money that no m² of floor, or no household, of the parcel can be worth."""
    floor = own["most"][(own["topic"] == "floor").to_numpy()].max()
    homes = own["most"][own["unit"].isin(["户", "套"]).to_numpy()].max()
    for key, row in own[(own["unit"] == "万元").to_numpy()].iterrows():
        for size, unit, most in ((floor, "m²", MOST_PER_M2), (homes, say("户"), MOST_PER_HOUSEHOLD)):
            if size > 0 and row["most"] / size > most:
                each = amount(row["most"] / size, 1)
                said = say("{0} {1} 万元，合每{2} {3} 万元", row["label"], amount(row["most"]), unit, each)
                yield key, said, say("单位是万元；是按元写的就除以 10,000")
                break


def _drawn_twice(parcels: pd.DataFrame, file: str) -> Iterator[Problem]:
    """Yield parcels that share ground, by more than outlines drawn by hand differ in; the later one is told."""
    shapes = np.asarray(parcels.geometry.array)
    area = shapely.area(shapes)
    tree = shapely.STRtree(shapes)
    # one by one: who draws one outline many times over has as many pairs as the square of that
    for i, j in ((at, int(k)) for at in range(len(shapes)) for k in tree.query(shapes[at], predicate="intersects")):
        common = shapely.area(shapely.intersection(shapes[i], shapes[j])) if i < j else 0.0
        if common > DRAWN * min(area[i], area[j]):
            first, second = (_called(parcels, at) for at in (i, j))
            share = per_cent(common / min(area[i], area[j]), 0)
            said = say("{0} 和 {1} 重叠 {2} m²（较小一块的 {3}），这块地算了两次", second, first, amount(common), share)
            yield _odd("parcels", file, parcels.index[j], "geometry", said, say("改边界，让两块地只相接"))


def _called(parcels: pd.DataFrame, at: int) -> str:
    name = parcels["name"].iloc[at]
    return str(parcels.index[at]) if pd.isna(name) else say("{0}（{1}）", parcels.index[at], name)
