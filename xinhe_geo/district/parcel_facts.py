"""The ledger of parcels at the door and in use: figures by year and 口径, stages by date, and which parcel a home stands on."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Iterator, Mapping
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from ..core import Problem, cell, listed, say

#: A home belongs to the parcel that holds more than this part of it.
MOST = 0.5
#: The figure that every parcel of the ledger must have a row of, be it blank.
OWNERSHIP = "ownership"
#: A whole and its parts: where all three are filled in, they agree.
FLOOR_PARTS = ("floor_old_m2", ("floor_kept_m2", "floor_demolished_m2"))
_DATE = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")


class Fact(NamedTuple):
    """A figure of a parcel: its value as written, its range as numbers (missing where it is none), its year, whence it comes."""

    value: str
    low: float
    high: float
    year: float
    basis: str
    source: str
    filled_by: str

    @property
    def known(self) -> bool:
        """Whether it is filled in."""
        return bool(self.value)


def fact(facts: pd.DataFrame | None, parcel: str, quantity: str, year: int, holder: str = "") -> Fact:
    """
    Return what the ledger says of a parcel at the end of a year: the latest filled row of that year or earlier.

    Parameters
    ----------
    facts
        Rows of the layer `parcel_facts`; None where the folder has none.
    parcel, quantity, holder
        Which figure; without a holder the one for all together.
    year
        Rows of later years do not count; a row without a year counts before any other.

    Returns
    -------
    fact
        Blank (`known` is False, numbers missing) where nothing is filled in.
    """
    blank = Fact("", math.nan, math.nan, math.nan, "", "", "")
    if facts is None or facts.empty:
        return blank
    about = (facts["parcel"].to_numpy(object) == parcel) & (facts["quantity"].to_numpy(object) == quantity)
    if not about.any():
        return blank

    def dated(row: Mapping[Hashable, Any]) -> float:
        return -math.inf if pd.isna(row["year"]) else float(row["year"])

    own = [
        row
        for row in facts.take(np.flatnonzero(about)).to_dict("records")
        if ("" if pd.isna(row["holder"]) else row["holder"]) == holder and pd.notna(row["value"]) and dated(row) <= year
    ]
    if not own:
        return blank
    row = max(own, key=dated)
    low = parcel_number(row["value"])
    high = low if pd.isna(row["high"]) else float(row["high"])
    text = {c: "" if pd.isna(row[c]) else str(row[c]) for c in ("basis", "source", "filled_by")}
    return Fact(str(row["value"]), low, high, math.nan if pd.isna(row["year"]) else float(row["year"]), **text)


def parcel_number(cell: object) -> float:
    """Return a cell of the ledger as a number; missing where it is none."""
    number = pd.to_numeric(str(cell).replace(",", "").strip(), errors="coerce")
    return float(number) if np.isfinite(number) else math.nan


def written(number: float) -> str:
    """Write a figure of the ledger: with every digit that matters, and no power of ten."""
    return np.format_float_positional(round(number, 6), trim="-")


def home_parcels(homes: gpd.GeoDataFrame, parcels: gpd.GeoDataFrame | None) -> list[str]:
    """Return the parcel that holds most of each home, in the order of the rows; "" for homes on none."""
    found = [""] * len(homes)
    if parcels is None or not len(parcels) or not len(homes):
        return found
    places, shapes = parcels.sort_index(), homes.geometry.array
    areas, best = shapely.area(shapes), np.full(len(homes), MOST)
    for home, parcel in zip(*places.sindex.query(shapes, predicate="intersects"), strict=True):
        share = 1.0
        if areas[home] > 0:
            share = shapely.area(shapely.intersection(shapes[home], places.geometry.iloc[parcel])) / areas[home]
        if share > best[home]:
            best[home], found[home] = share, str(places.index[parcel])
    return found


def year_of(date: object) -> float:
    """Return the year of a date as the tables write it; missing where it is blank."""
    match = _DATE.fullmatch(str(date))
    return float(match[1]) if match else math.nan


def completion(rows: Mapping[str, pd.DataFrame], parcel: str, year: int) -> float:
    """
    Return how much of a parcel's renewal is done at the end of a year, in per cent.

    Parameters
    ----------
    rows
        All rows of a district: `stages` and `stage_chains` are read.

    Returns
    -------
    share
        Of the last stage of the chain that the parcel goes through: its share, 100 where it is dated and has none. Missing where it is
        not reached, or nobody has filled it in.
    """
    stages, chains = rows.get("stages"), rows.get("stage_chains")
    if stages is None or chains is None:
        return math.nan
    own = stages[(stages["parcel"] == parcel).to_numpy(dtype=bool, na_value=False) & stages["date"].notna().to_numpy()]
    own = own[(own["date"].map(year_of) <= year).to_numpy(dtype=bool)].sort_values("date", kind="stable")
    if own.empty:
        return math.nan
    walked = chains[chains["chain"].isin(chains.loc[own["stage"].unique(), "chain"]).to_numpy()]
    last = set(walked.groupby("chain")["position"].idxmax())
    done = own[own["stage"].isin(last).to_numpy()]
    if done.empty:
        return math.nan
    share = done["share"].iloc[-1]
    return 100.0 if pd.isna(share) else float(share)


# --- the check at the door -------------------------------------------------------------------------------------------


def ledger_problems(rows: Mapping[str, pd.DataFrame], declared: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield everything in the ledger of parcels that contradicts its tables, or itself."""
    if {"parcel_facts", "quantities"} <= set(rows):
        yield from _fact_problems(rows["parcel_facts"], rows["quantities"], _file(declared, "parcel_facts"))
    if {"stages", "stage_chains"} <= set(rows):
        yield from _stage_problems(rows["stages"], rows["stage_chains"], _file(declared, "stages"))
    if "promises" in rows:
        nowhere = rows["promises"][(rows["promises"]["parcel"].isna() & rows["promises"]["place"].isna()).to_numpy()]
        for row in nowhere.index:
            remedy = say("在 parcel 写地块编号；不在地块上的，在 place 写地点")
            yield Problem(
                "error", "promises", _file(declared, "promises"), str(row), "parcel", say("没有写在哪里"), remedy
            )


def _file(declared: Mapping[str, Any], layer: str) -> str:
    return str(declared.get(layer, {}).get("file", ""))


def _fact_problems(facts: pd.DataFrame, quantities: pd.DataFrame, file: str) -> Iterator[Problem]:
    known = facts[facts["quantity"].isin(quantities.index).to_numpy()]  # the others are told as orphans
    for key, row in known.iterrows():
        about = quantities.loc[row["quantity"]]
        for field, problem, remedy in _wrong_with(row, about):
            yield Problem("error", "parcel_facts", file, str(key), field, problem, remedy)
    same = known.fillna({"holder": "", "fund": "", "year": -1})[
        ["parcel", "quantity", "holder", "fund", "year"]
    ].astype(str)
    for key in known.index[same.duplicated().to_numpy()]:
        row = known.loc[key]
        said = say(
            "{0} 的{1}在同一年、同一口径、同一资金渠道填了两行",
            row["parcel"],
            cell(quantities.loc[row["quantity"]], "label"),
        )
        yield Problem("error", "parcel_facts", file, str(key), "quantity", said, say("留下一行"))
    for parcel in dict.fromkeys(known["parcel"].dropna()):
        own = known[(known["parcel"] == parcel).to_numpy()]
        if OWNERSHIP in quantities.index and OWNERSHIP not in set(own["quantity"]):
            label = cell(quantities.loc[OWNERSHIP], "label")
            remedy = say("加一行 quantity = {0}；还不知道就把数值留空（待填）", OWNERSHIP)
            yield Problem(
                "error",
                "parcel_facts",
                file,
                str(parcel),
                "quantity",
                say("地块 {0} 没有{1}这一行", parcel, label),
                remedy,
            )
        yield from _parts_that_do_not_add_up(own, str(parcel), file)


def _wrong_with(row: pd.Series, about: pd.Series) -> Iterator[tuple[str, str, str]]:
    """Yield field, problem and remedy of what is wrong with one figure."""
    value, high = row["value"], row["high"]
    if pd.notna(row["holder"]) and not about["by_holder"]:
        yield (
            "holder",
            say("{0}不分口径", cell(about, "label")),
            say("清空这一格；分口径的指标见 quantities.csv 的 by_holder"),
        )
    if pd.notna(row["fund"]) and pd.isna(about["budget"]):
        yield (
            "fund",
            say("{0}不是资金，没有资金渠道", cell(about, "label")),
            say("清空这一格；资金渠道只写在支出和收入的行"),
        )
    unit = about["unit"]
    if pd.notna(row["unit"]) and row["unit"] != unit:
        written = unit if pd.notna(unit) else say("不写单位")
        yield (
            "unit",
            say("单位写的是 {0}，指标表是{1}", row["unit"], written),
            say("换算成指标表的单位，这一格可以留空"),
        )
    if pd.isna(value):
        if pd.notna(high):
            yield "high", say("写了上限，没有写下限"), say("在 value 写下限；只有一个数就写在 value")
        return
    if about["type"] == "number":
        low = parcel_number(value)
        if not low >= 0:
            yield (
                "value",
                say("“{0}”不是不小于 0 的数", value),
                say("只写数，单位另写；一段写成 value 和 high；不知道就留空"),
            )
        elif high < low:
            yield "high", say("上限 {0:g} 小于下限 {1:g}", high, low), say("核对两格，改正其中一个")
        return
    if pd.notna(high):
        yield "high", say("{0}是文字，没有上限", cell(about, "label")), say("清空这一格")
    options = listed(str(about["options"])) if pd.notna(about["options"]) else []
    if options and value not in options:
        yield "value", say("“{0}”不在可选值中", value), say("可选：{0}；不知道就留空", say("、").join(options))


def _parts_that_do_not_add_up(own: pd.DataFrame, parcel: str, file: str) -> Iterator[Problem]:
    whole, parts = FLOOR_PARTS
    single = own[(own["high"].isna() & own["quantity"].isin([whole, *parts])).to_numpy()]
    if len(single) < 3:
        return
    table = single.assign(year=single["year"].astype("float64").fillna(-1), value=single["value"].map(parcel_number))
    wide = table.pivot_table(index="year", columns="quantity", values="value", aggfunc="first")
    if not {whole, *parts} <= set(wide.columns):
        return
    wide = wide[[whole, *parts]].dropna()
    for year, line in wide[(wide[list(parts)].sum(axis=1) - wide[whole]).abs() > 0.5].iterrows():
        at = "" if year < 0 else say(" {0:.0f} 年", year)
        said = say(
            "地块 {0}{1}保留 {2:g} ＋ 拆除 {3:g} 不等于原有 {4:g} m²",
            parcel,
            at,
            line[parts[0]],
            line[parts[1]],
            line[whole],
        )
        yield Problem("error", "parcel_facts", file, parcel, whole, said, say("核对三个数，改正其中一个"))


def _stage_problems(stages: pd.DataFrame, chains: pd.DataFrame, file: str) -> Iterator[Problem]:
    known = stages[stages["stage"].isin(chains.index).to_numpy()]
    for key, row in known.iterrows():
        match = None if pd.isna(row["date"]) else _DATE.fullmatch(row["date"])
        if pd.notna(row["date"]) and not (match and 1900 <= int(match[1]) <= 2200 and _is_day(match)):
            said = say("“{0}”不像日期", row["date"])
            yield Problem(
                "error", "stages", file, str(key), "date", said, say("写 2026、2026-05 或 2026-05-12；没有到就留空")
            )
        if row["share"] > 100:
            yield Problem(
                "error",
                "stages",
                file,
                str(key),
                "share",
                say("比例 {0:g} 大于 100", row["share"]),
                say("写百分数，如 86.5"),
            )
    dated = known[known["date"].notna().to_numpy()]
    dated = dated.assign(
        chain=chains.loc[dated["stage"], "chain"].to_numpy(), position=chains.loc[dated["stage"], "position"].to_numpy()
    )
    for (parcel, _), own in dated.groupby(["parcel", "chain"], sort=True):
        begun = own.groupby("position")["date"].min()
        for earlier, later in zip(begun.index[:-1], begun.index[1:], strict=True):
            # dates of different length are compared as far as the shorter one says
            n = min(len(begun[earlier]), len(begun[later]))
            if begun[later][:n] < begun[earlier][:n]:
                stages = own.set_index("position").loc[[earlier, later], "stage"].unique()
                names = [cell(chains.loc[stage], "label") for stage in stages]
                said = say(
                    "地块 {0} 的{1}（{2}）早于{3}（{4}）",
                    parcel,
                    names[-1],
                    begun[later],
                    names[0],
                    begun[earlier],
                )
                at = ((own["position"] == later) & (own["date"] == begun[later])).to_numpy()
                yield Problem(
                    "error", "stages", file, str(own.index[at][0]), "date", said, say("核对两个日期，改正其中一个")
                )


def _is_day(match: re.Match[str]) -> bool:
    month, day = match[2], match[3]
    return pd.notna(pd.to_datetime(f"{match[1]}-{month or '01'}-{day or '01'}", format="%Y-%m-%d", errors="coerce"))
