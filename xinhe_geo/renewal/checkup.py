"""The checkup: each indicator computed, lacking a column, or typed; the problems it finds, and what became of last year's."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import geopandas as gpd
import pandas as pd

from ..access import AT_LEAST, SHARE_TOLERANCE, coverage, presence
from ..core import (
    CLOSED,
    CORRECTED,
    DEMOLISHED,
    LAYERS,
    NOT_MEASURED,
    OPEN,
    REDEFINED,
    SOLVED,
    TO_REVIEW,
    Rule,
    UnknownNameError,
    WrongValueError,
    as_text,
    listed,
    say,
)
from ..district import District, must_be_district

#: How an indicator stands: from the data; a column or kind is lacking; typed in `series.csv`; nobody has typed it.
COMPUTED, LACKS, TYPED, BLANK = "computed", "lacks", "typed", "blank"
INDICATOR_STATES = {COMPUTED: "已计算", LACKS: "缺资料", TYPED: "已填报", BLANK: "待填"}
#: What the columns of a checkup mean is the same whoever reads them; states that need nobody any more.
_ENDED = (CLOSED, CORRECTED, REDEFINED, DEMOLISHED)
#: How an indicator is worked out where what can be walked to decides, and where somebody types it.
WALKED, TYPED_METRIC = ("homes_outside", "land_share", "communities_without"), "typed"
_TEST = re.compile(r"\s*(\w+)\s*(>=|<=|==|<|>)\s*([\w.+-]+)\s*")
_COMPARE: Mapping[str, Callable[[Any, Any], Any]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}
_FOUND = ["place", "people", "amount"]


class _Found(NamedTuple):
    """What an indicator comes to, and where: `where` has a row per place that falls short."""

    value: float
    where: pd.DataFrame
    lacks: str = ""
    unknown: int = 0
    net: float = math.nan
    basis: str = ""


def checkup(district: District, sets: str | Sequence[str] | None = None) -> pd.DataFrame:
    """
    Work out every indicator that the folder's data carry, and say of the others what is lacking, or that they are typed.

    No grades and no scores: figures, what they count, and where they fall short.

    Parameters
    ----------
    district
        What `District.load` opened; it stays as it was.
    sets
        One or several sets of `checkup_indicators.csv`; None: all.

    Returns
    -------
    indicators
        Index indicator, in the order of the table. Columns set, level, name, unit; `value` (missing where it is unknown), `net` (of a
        shortfall: what is needed less what is there over all homes, so that surplus makes up for want; `value` adds up wants alone),
        `status` (a key of `INDICATOR_STATES`), `lacks` (columns and kinds, parted by `;`), `places` (how many fall short; missing where
        nobody could work it out), `people` (who
        live there and are concerned; missing where nobody is known), `unknown` (homes of which it is not known), basis, standard,
        clause, confidence, data, `rule` (what decides who is served; "" where nothing does).

    Raises
    ------
    UnknownNameError
        No such set.
    """
    rows = _rows(district, sets)
    _walk_once(district, rows)
    found = {str(key): _measured(district, str(key), row) for key, row in rows.iterrows()}
    table = rows[["set", "level", "name", "unit"]].copy()
    for column in ("value", "net", "lacks", "unknown", "basis"):
        table[column] = [getattr(found[str(key)], column) for key in rows.index]
    table["status"] = [_status(found[str(key)], row) for key, row in rows.iterrows()]
    places = pd.Series([float(len(found[str(key)].where)) for key in rows.index], index=table.index)
    # of what nobody could work out, and of a typed figure, nobody knows how many places fall short: that is not 0
    worked_out = table["status"] == COMPUTED
    table["places"] = places.where(worked_out | (places > 0))
    table["unknown"] = table["unknown"].astype("float64").where(worked_out | (table["unknown"] > 0))
    table["people"] = [float(found[str(key)].where["people"].sum(min_count=1)) for key in rows.index]
    table["rule"] = rows["rule"].where(rows["metric"].isin(WALKED)).fillna("")
    return table.join(rows[["standard", "clause", "confidence", "data"]])


def problems(
    district: District, before: pd.DataFrame | None = None, sets: str | Sequence[str] | None = None
) -> pd.DataFrame:
    """
    List the problems: what falls short now, and what has become of each of last year's.

    Parameters
    ----------
    district
        This year's.
    before
        Last year's problems, as in `renewal/problems.csv` or as returned here; None: the district's own.
    sets
        One set of indicators of the checkup, or several (as in `xinhe_geo.renewal.checkup`); None: all.

    Returns
    -------
    problems
        Index problem: indicator and place, so that it stays whatever the order of rows and whatever a facility is called; one for each
        home (or community) and indicator. Columns set, level, name, `place`, `people`, `amount` (how much is lacking),
        `people_before`, `found` (year), urgency, duty, due, `state` (a key of `xinhe_geo.core.PROBLEM_STATES`), `state_before` (last year's), `is_new`,
        `is_found` (this year's data show it), `solved` (it counts as solved: measured again, or checked on the spot), `projects` (ids of
        those that cite it, parted by `;`),
        definition, suggest, paper, checked_by, note. Every problem of `before` has a row: measured again where its
        indicator can be; closed by the office's paper and a check on the spot where it cannot; else it says why not.

    Raises
    ------
    UnknownNameError
        No such set.
    WrongValueError
        Problems of last year that are no table.
    """
    if not (before is None or isinstance(before, pd.DataFrame)):
        raise WrongValueError(say("before 要写上一年的问题表，不是 {0}；看哪一套写 sets=…", type(before).__name__))
    old = district.rows.get("problems") if before is None else before
    return problems_of(district, _rows(district, sets), pd.DataFrame(columns=["indicator"]) if old is None else old)


def problems_of(district: District, rows: pd.DataFrame, old: pd.DataFrame) -> pd.DataFrame:
    """Return what `problems` does, of some rows of `checkup_indicators` and of these problems of last year."""
    _walk_once(district, rows)
    told: dict[str, dict[str, object]] = {}
    numbers = _numbers(district, old)
    measured: dict[str, _Found] = {}
    for key, row in rows.iterrows():
        found = measured[str(key)] = _measured(district, str(key), row)
        for _, where in found.where.iterrows():
            about = str(key), _place_of(district, where["place"])
            number = numbers.get(about) or _number_of(district, *about)
            told[number] = {
                **_about(district, str(key), row),
                "place": where["place"],
                "people": where["people"],
                "amount": where["amount"],
                "found": district.year,
                "state": OPEN,
                "is_new": True,
                "is_found": True,
            }
    for number, was in old.iterrows():
        first = numbers[str(was["indicator"]), _place_of(district, was.get("place"))]
        told[str(number)] = _again(district, rows, measured, (str(number), was), told.get(first))
        if first != str(number) and told[str(number)]["state"] not in _ENDED:
            # the same place and indicator under two numbers: one of them stands, the other says so
            told[str(number)] |= {"state": CORRECTED, "is_found": False, "note": say("与 {0} 是同一个问题", first)}
    for number, line in told.items():
        line["projects"] = _projects_of(district, number)
    index = pd.Index(list(told), name="problem", dtype="str")
    table = pd.DataFrame(list(told.values()), index=index, columns=list(_COLUMNS))
    table["solved"] = table["state"].isin([SOLVED, CLOSED])
    return table.sort_index()


_COLUMNS = (
    *(
        "set",
        "level",
        "name",
        "indicator",
        "place",
        "people",
        "amount",
        "people_before",
        "found",
        "urgency",
        "duty",
        "due",
    ),
    *(
        "state",
        "state_before",
        "is_new",
        "is_found",
        "solved",
        "projects",
        "definition",
        "suggest",
        "paper",
        "checked_by",
        "note",
    ),
)


def _projects_of(district: District, number: str) -> str:
    rows = district.rows.get("projects")
    if rows is None:
        return ""
    return ";".join(str(key) for key, cell in rows["problem"].items() if number in listed(as_text(cell)))


def _about(district: District, key: str, row: pd.Series) -> dict[str, object]:
    """Return what every problem of an indicator says."""
    about = {c: as_text(row[c]) for c in ("set", "level", "name", "urgency", "duty", "suggest")}
    return {**about, "indicator": key, "definition": _definition(district, row)}


def _definition(district: District, row: pd.Series) -> str:
    """Return by what an indicator is judged; where it is not what it was, figures of two years do not compare."""
    parts = [f"{c}={row[c]}" for c in ("metric", "rule", "test", "have", "need", "per") if pd.notna(row[c])]
    try:
        rule = None if pd.isna(row["rule"]) else district.rule(as_text(row["rule"]))
    except UnknownNameError:
        rule = None
    if rule is not None:
        limit = rule.minutes if rule.method == "walk_min" else rule.metres
        parts.append(f"{'|'.join(rule.kinds)}: {rule.metric}, {rule.method} <= {limit:g}, {rule.profile}")
    return "; ".join(parts)


def _numbers(district: District, old: pd.DataFrame) -> dict[tuple[str, str], str]:
    """Return under which number a place's problem of an indicator is kept: its own where it has it, else the first it was given."""
    found: dict[tuple[str, str], str] = {}
    for number, was in sorted(((str(n), row) for n, row in old.iterrows()), key=lambda pair: pair[0]):
        about = str(was["indicator"]), _place_of(district, was.get("place"))
        if about not in found or number == _number_of(district, *about):
            found[about] = number
    return found


def _place_of(district: District, place: object) -> str:
    """Return the code of a place; the whole district has none."""
    return "" if as_text(place) == (district.code or "district") else as_text(place)


def _number_of(district: District, indicator: str, place: str) -> str:
    return f"{indicator}@{place or district.code or 'district'}"


def _again(
    district: District,
    rows: pd.DataFrame,
    measured: Mapping[str, _Found],
    problem: tuple[str, pd.Series],
    now: dict[str, object] | None,
) -> dict[str, object]:
    """Return what has become of a problem of last year."""
    _, was = problem
    kept = {
        c: was[c] for c in ("place", "urgency", "duty", "due", "found", "paper", "checked_by", "note") if c in was.index
    }
    kept = {c: v for c, v in kept.items() if not pd.isna(v)}
    key = str(was["indicator"])
    row = rows.loc[key] if key in rows.index else None
    base: dict[str, object] = {} if row is None else _about(district, key, row)
    line = {"indicator": key, "people": math.nan, "amount": math.nan, **base, **kept}
    line |= {"is_new": False, "is_found": now is not None, "people_before": was.get("people", math.nan)}
    state = as_text(was.get("state")) or OPEN
    line["state_before"] = state
    if now is not None:
        # it is there, whatever was said of it: what was closed and is found again is open again
        same = _is_same(district, was, row)
        return {**line, **{c: now[c] for c in ("people", "amount")}, "state": OPEN if same else REDEFINED}
    if state in (SOLVED, *_ENDED):
        return {**line, "state": state}
    return {**line, "state": _state(district, row, measured.get(key), was)}


def _is_same(district: District, was: pd.Series, row: pd.Series | None) -> bool:
    said = as_text(was.get("definition"))
    return row is None or not said or said == _definition(district, row)


def _state(district: District, row: pd.Series | None, found: _Found | None, was: pd.Series) -> str:
    """Return the state of a problem that is not found again."""
    place = as_text(was.get("place"))
    if row is None or not _is_same(district, was, row):
        return REDEFINED
    if place and not _stands(district, place):
        stood = any(place in district.rows[n].index for n in ("homes", "communities") if n in district.rows)
        return DEMOLISHED if stood else CORRECTED
    if row["metric"] == "typed" or found is None:
        if as_text(was.get("checked_by")) and as_text(was.get("paper")):
            return CLOSED
        return TO_REVIEW if as_text(was.get("paper")) else OPEN
    if found.lacks or _is_unknown(district, row, place):
        return NOT_MEASURED
    return SOLVED


def _is_unknown(district: District, row: pd.Series, place: str) -> bool:
    """Return whether a home lacks what its indicator is worked out from."""
    homes = district.homes
    if homes is None or place not in homes.index:
        return False
    columns = [
        *(m[1] for m in map(_TEST.fullmatch, listed(as_text(row["test"]))) if m),
        as_text(row["have"]),
        as_text(row["need"]),
    ]
    return any(c in homes.columns and pd.isna(homes.loc[place, c]) for c in columns)


def _stands(district: District, place: str) -> bool:
    homes, communities = district.homes, district.communities
    return any(frame is not None and place in frame.index for frame in (homes, communities)) or place == district.code


def _rows(district: District, sets: str | Sequence[str] | None) -> pd.DataFrame:
    must_be_district(district)
    rows = district.rows["checkup_indicators"]
    if sets is None:
        return rows
    wanted = [sets] if isinstance(sets, str) else list(sets)
    known = list(dict.fromkeys(rows["set"]))
    for name in wanted:
        if name not in known:
            raise UnknownNameError("体检指标", name, known)
    return rows[rows["set"].isin(wanted).to_numpy()]


def _status(found: _Found, row: pd.Series) -> str:
    if row["metric"] == "typed":
        return BLANK if math.isnan(found.value) else TYPED
    return LACKS if found.lacks else COMPUTED


def _nothing(lacks: str = "", value: float = math.nan) -> _Found:
    return _Found(value, pd.DataFrame(columns=_FOUND), lacks)


# --- how each is found -----------------------------------------------------------------------------------------------


def _walk_once(district: District, rows: pd.DataFrame) -> None:
    """Work out the coverage under all rules of some indicators at once, which takes less than one after the other; it is kept."""
    rules = []
    for name in rows.loc[rows["metric"].isin(WALKED).to_numpy(), "rule"].dropna():
        with suppress(UnknownNameError):  # its indicator says itself what it lacks
            rules.append(district.rule(str(name)))
    if rules and district.homes is not None and len(district.homes):
        coverage(district, rules=rules)


def _measured(district: District, key: str, row: pd.Series) -> _Found:
    """Work out an indicator, once for all that are judged in the same way."""
    kept = district.memo.setdefault("checkup", {})
    how = key if row["metric"] == "typed" else _definition(district, row)
    if how not in kept:
        kept[how] = _worked_out(district, key, row)
    found: _Found = kept[how]
    return found


def _worked_out(district: District, key: str, row: pd.Series) -> _Found:
    metric = str(row["metric"])
    if metric == "typed":
        return _typed(district, key)
    if district.homes is None or district.homes.empty:
        return _nothing(LAYERS["homes"].label)
    if metric == "homes_where":
        return _homes_where(district, as_text(row["test"]))
    if metric == "shortfall":
        return _shortfall(district, row)
    try:
        rule = district.rule(as_text(row["rule"]))
    except UnknownNameError:
        return _nothing(as_text(row["rule"]))
    if metric == "per_households":
        return _per_households(district, row, rule)
    cover = coverage(district, rules=[rule]).droplevel("rule")
    if cover["served"].isna().all() or (cover["bound"] == AT_LEAST).any():
        return _nothing(";".join(rule.kinds))
    return _communities(district, rule) if metric == "communities_without" else _outside(metric, cover)


def _homes(district: District) -> gpd.GeoDataFrame:
    """Return the homes, which are there where anything is measured."""
    homes = district.homes
    assert homes is not None
    return homes


def _typed(district: District, key: str) -> _Found:
    series = district.rows.get("series")
    if series is None:
        return _nothing()
    own = series[(series["indicator"] == key).to_numpy(dtype=bool, na_value=False) & series["value"].notna().to_numpy()]
    own = own[(own["year"] <= district.year).to_numpy(dtype=bool)].sort_values("year", kind="stable")
    return _nothing(value=float(own["value"].iloc[-1])) if len(own) else _nothing()


def _outside(metric: str, cover: pd.DataFrame) -> _Found:
    """Homes of which somebody lives outside; or the share of land inside, in per cent."""
    missing = 1.0 - cover["served"]
    some = cover[(missing > SHARE_TOLERANCE).to_numpy()]
    people = (missing * cover["people"]).reindex(some.index)
    where = pd.DataFrame({"place": some.index.to_numpy(object), "people": people.to_numpy(), "amount": math.nan})
    value = float(len(where))
    if metric == "land_share":
        known = cover[(cover["served"].notna() & cover["area_m2"].notna()).to_numpy()]
        land = float(known["area_m2"].sum())
        value = 100.0 * float((known["served"] * known["area_m2"]).sum()) / land if land else math.nan
    basis = ";".join(sorted(set(cover["basis"])))
    return _Found(value, where, unknown=int(cover["served"].isna().sum()), basis=basis)


def _communities(district: District, rule: Rule) -> _Found:
    matrix, communities = presence(district), district.communities
    if matrix.empty or communities is None:
        return _nothing(LAYERS["communities"].label)
    has = (matrix[matrix.columns.intersection(list(rule.kinds))].to_numpy() > 0).any(axis=1)
    lived = _homes(district).assign(own=district.groups["community"]).groupby("own")["people"].sum(min_count=1)
    places = matrix.index[~has]
    where = pd.DataFrame(
        {"place": places.to_numpy(object), "people": lived.reindex(places).to_numpy(float), "amount": 1.0}
    )
    return _Found(float(len(places)), where)


def _homes_where(district: District, test: str) -> _Found:
    """Homes for which all of some comparisons hold; homes of which one is not known are counted apart."""
    homes = _homes(district)
    holds, known = pd.Series(True, index=homes.index), pd.Series(True, index=homes.index)
    lacks = []
    for part in listed(test):
        match = _TEST.fullmatch(part)
        column = match[1] if match else part
        if match is None or column not in homes.columns or homes[column].isna().all():
            lacks.append(f"homes.{column}")
            continue
        cells, bound = _compared(homes[column], match[3])
        if bound is None:
            lacks.append(f"checkup_indicators.test:{part[:40]}")
            continue
        holds &= _COMPARE[match[2]](cells, bound).fillna(False).astype(bool)
        known &= cells.notna()
    if lacks:
        return _nothing(";".join(lacks))
    some = homes[(holds & known).to_numpy()]
    where = pd.DataFrame(
        {"place": some.index.to_numpy(object), "people": some["people"].to_numpy(float), "amount": math.nan}
    )
    return _Found(float(len(some)), where, unknown=int((~known).sum()))


def _compared(cells: pd.Series, said: str) -> tuple[pd.Series, float | str | None]:
    """Return cells and what they are held against, both as numbers or both as texts; None where a number is asked for and none is said."""
    cells = cells.infer_objects()
    if not pd.api.types.is_numeric_dtype(cells.dtype):
        return cells.astype("string"), said
    number = math.nan
    with suppress(ValueError):
        number = float(said)
    return cells.astype("float64"), number if math.isfinite(number) else None


def _shortfall(district: District, row: pd.Series) -> _Found:
    """What homes need and do not have: wants alone (gross), and less what others have too much of (net)."""
    homes, columns = _homes(district), [as_text(row["need"]), as_text(row["have"])]
    lacks = [f"homes.{c}" for c in columns if c not in homes.columns or homes[c].isna().all()]
    if lacks:
        return _nothing(";".join(lacks))
    need, have = (homes[c].astype("float64") for c in columns)
    want = need * (1.0 if pd.isna(row["per"]) else float(row["per"])) - have
    some = want.notna() & (want > 0)
    where = pd.DataFrame(
        {
            "place": homes.index[some.to_numpy()].to_numpy(object),
            "people": homes["people"][some].to_numpy(float),
            "amount": want[some].to_numpy(),
        }
    )
    net = max(float(want.sum()), 0.0)
    return _Found(float(want[some].sum()), where, unknown=int(want.isna().sum()), net=net)


def _per_households(district: District, row: pd.Series, rule: Rule) -> _Found:
    """So much of something for every hundred households of the district."""
    facilities, homes, column = district.facilities, _homes(district), as_text(row["have"])
    if facilities is None or not set(rule.kinds) <= district.surveyed_kinds:
        return _nothing(";".join(rule.kinds))
    own = facilities[(facilities["kind"].isin(rule.kinds) & (facilities["state"].fillna("open") == "open")).to_numpy()]
    if column not in own.columns or own[column].isna().any():
        return _nothing(f"facilities.{column}")
    if homes["households"].isna().any():
        return _nothing("homes.households")
    households = float(homes["households"].sum())
    value = 100.0 * float(own[column].astype("float64").sum()) / households if households else math.nan
    norm = pd.to_numeric(row["need"], errors="coerce")
    short = bool(value < norm)
    places = [""] if short else []
    where = pd.DataFrame(
        {
            "place": places,
            "people": [float(homes["people"].sum(skipna=False))] * short,
            "amount": [(norm - value) * households / 100] * short,
        }
    )
    return _Found(value, where)
