"""Metrics of what people type in year by year, and of what nothing here can measure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from ...core import cell, language, listed, say
from ...district import District, completion, fact
from .base import (
    Found,
    Lacks,
    Measure,
    Metric,
    Terms,
    metric,
    number_text,
    once,
    parts,
    require_layers,
    rows_of,
    short_of,
    target_of,
    touch,
)


@metric(
    "series",
    Metric(
        "台账指标",
        "逐年填报的数：取最近一年，或累计相加，与目标年的数比较",
        layers=("series",),
        columns=("series",),
        scoped=False,
        declared=True,
        dated=True,
    ),
)
def _series(district: District, m: Measure) -> Found:
    """A yearly figure: the latest, or the sum since the plan began, against the number of the target year."""
    own, ledger = _figures(district, str(m["series"])), _from_parcels(district, m)
    if ledger is not None:  # what the parcels say of themselves stands before a figure typed in beside it
        own = pd.concat([ledger, own[~own["year"].isin(ledger["year"]).to_numpy()]])
    since = int(m["since"]) if m["since"] == m["since"] else int(own["year"].min()) if len(own) else district.year
    until = int(m["until"]) if m["until"] == m["until"] else int(own["year"].max()) if len(own) else district.year
    years = own["year"].to_numpy()
    within = (years >= since) & (years <= until)
    target = _typed_target(district, m, until)
    ask = say("台账填报表 {0} 的 {1}—{2} 年", m["series"], since, until)
    if not within.any():
        ask += say("（{0}）", cell(m, "lacks")) if m["lacks"] else ""
        return Found(math.nan, "", touch(district, "series"), waits=ask, target=target)
    filled = own[within].set_index("year")["value"].sort_index()
    touched = touch(district, "series", own.index) | ({} if ledger is None else touch(district, "stages"))
    how, used = (str(m["aggregate"]), filled) if m["aggregate"] in ("sum", "max", "min") else ("sum", filled.iloc[-1:])
    value = float(getattr(used, how)())
    last = int(filled.index[-1])
    blank = [y for y in range(since, until + 1) if y not in filled.index]
    to_fill = blank if m["aggregate"] == "sum" else [y for y in blank if y > last]
    goal = target if np.isfinite(target) else target_of(m)
    said = say("已填到 {0} 年{1}", last, _filled_text(own[(own["year"] == last).to_numpy()])) + (
        say("，{0}", _path_text(district, m, _Stand(value, last, since, until), goal)) if last < until else ""
    )
    waits = say("台账填报表 {0} 的 {1} 年", m["series"], say("、").join(map(str, to_fill))) if to_fill else ""
    short, terms = short_of({**m, "low": goal, "high": goal}, value), Terms(how, parts(used.index.to_series(), used))
    return Found(value, said, touched, short, waits=waits, target=target, terms=terms)


def _filled_text(own: pd.DataFrame) -> str:
    """Say who filled in a figure and where it comes from, as far as the table says."""
    words = [str(v) for c in ("filled_by", "source") for v in own[c].dropna()]
    return say("（{0}）", say("，").join(dict.fromkeys(words))) if words else ""


def trend(district: District, m: Measure) -> pd.DataFrame:
    """
    Return what was typed in for a row of metric series, year by year, and the straight path to its target.

    Returns
    -------
    trend
        Index year, from the one before `since` to `until`. `actual` (added up where the row adds up; missing where nothing was
        typed in), `path` (missing without a target, or without a base where the row does not add up). Empty where nothing is known.
    """
    try:
        require_layers(district, m)
        own = _figures(district, str(m["series"]))
        target = _typed_target(district, m, int(m["until"])) if np.isfinite(m["until"]) else math.nan
    except Lacks:
        return pd.DataFrame(columns=["actual", "path"])
    goal = target if np.isfinite(target) else target_of(m)
    if not np.isfinite(m["since"]) or not np.isfinite(m["until"]):
        return pd.DataFrame(columns=["actual", "path"])
    since, until = int(m["since"]), int(m["until"])
    years = pd.RangeIndex(since - 1, until + 1, name="year")
    actual = own.set_index("year")["value"].reindex(years)
    if m["aggregate"] == "sum":
        actual.loc[since - 1] = math.nan  # a year of before the plan does not count towards it
        actual, base = actual.cumsum(), 0.0
    else:
        base = float(actual.loc[since - 1])
    path = base + (goal - base) * (np.asarray(years) - (since - 1)) / (until - since + 1)
    return pd.DataFrame({"actual": actual, "path": path}, index=years)


def _from_parcels(district: District, m: Measure) -> pd.DataFrame | None:
    """
    Return how much of the renewal of a row's parcels was done, year by year, as figures: what the ledger of parcels says of each.

    Parcels count by their households, where the ledger has all of these, else by their area. Years of which it does not say all are blank;
    None where it says nothing.
    """
    named = listed(str(m["codes"])) if m["scope"] == "parcel" and m["codes"] else []
    codes = [part for code in named for part in district.parts_of("parcels", code)]
    places = district.layers.get("parcels")
    if not codes or places is None or not {*codes} <= {*places.index} or "stages" not in district.rows:
        return None
    # what is dated after the data is planned, in whatever year it is looked at
    years = int(m["since"]), min(int(m["until"]), district.year, int(district.manifest["data_year"]))
    key = "done", m["series"], m["codes"], years, language()
    reads = "parcels", "parcel_facts", "stages", "stage_chains"
    return once(district, key, lambda: _done(district, str(m["series"]), codes, years), reads)


def _done(district: District, series: str, codes: Sequence[str], years: tuple[int, int]) -> pd.DataFrame | None:
    rows, facts, places = [], district.rows.get("parcel_facts"), district.layers["parcels"]
    for year in range(years[0], years[1] + 1):
        done = [completion(district.rows, code, year) for code in codes]
        households = [fact(facts, code, "households", year).low for code in codes]
        weight = households if all(n > 0 for n in households) else [places.geometry[code].area for code in codes]
        if not any(map(math.isnan, done)):
            rows.append((series, year, float(np.average(done, weights=weight)), say("地块台账"), None))
    columns = ["indicator", "year", "value", "source", "filled_by"]
    return pd.DataFrame(rows, columns=columns, index=[f"stages-{row[1]}" for row in rows]) if rows else None


def _figures(district: District, indicator: str) -> pd.DataFrame:
    """Return the filled rows of one indicator; a year filled twice is 数据不足."""
    return once(district, ("figures", indicator), lambda: _find_figures(district, indicator), ("series",))


def _find_figures(district: District, indicator: str) -> pd.DataFrame:
    table = rows_of(district, "series")
    own = table[((table["indicator"] == indicator) & table["value"].notna()).to_numpy()]
    twice = own["year"][own["year"].duplicated()]
    if len(twice):
        raise Lacks(say("台账填报表 {0} 的 {1} 年填了两次，不知取哪一个", indicator, int(twice.iloc[0])))
    return own.assign(year=own["year"].astype("int64"))


def _typed_target(district: District, m: Measure, year: int) -> float:
    """Return the target that was handed down and typed in, where the plan states none."""
    if not m["target_series"]:
        return math.nan
    own = _figures(district, str(m["target_series"]))
    own = own[(own["year"] == year).to_numpy()]
    return float(own["value"].iloc[0]) if len(own) else math.nan


class _Stand(NamedTuple):
    """How far a yearly figure has come: its value, the last year filled in, and the years the target is about."""

    value: float
    last: int
    since: int
    until: int


def _path_text(district: District, m: Measure, stand: _Stand, goal: float) -> str:
    """Say where a straight path to the target would be by now."""
    value, last, since, until = stand
    if not np.isfinite(goal) or until < since:
        return say("{0} 年到期", until)
    base = 0.0
    if m["aggregate"] != "sum":
        before = _figures(district, str(m["series"])).set_index("year")["value"]
        base = float(before.get(since - 1, goal))
    due = base + (goal - base) * (last - since + 1) / (until - since + 1)
    on_path = value >= due - 1e-9 if m["operator"] != "<=" else value <= due + 1e-9
    return say(
        "按直线进度应为 {0}，{1}进度，{2} 年到期",
        number_text(due, str(m["unit"])),
        say("达到") if on_path else say("落后于"),
        until,
    )


@metric("missing", Metric("现有数据量不出", "—", columns=("lacks",), scoped=False, declared=True))
def _missing(district: District, m: Measure) -> Found:
    """Nothing here can measure it: the row says what is needed."""
    raise Lacks(say("缺{0}", cell(m, "lacks")))
