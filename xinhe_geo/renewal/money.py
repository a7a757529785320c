"""Money in ranges: what public budgets pay, and what a project pays and takes in. Two tables, and nothing is netted."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pandas as pd

from ..core import BUDGETS, listed
from ..district import District, Fact, Scenario, fact, parcel_number, steps_named

#: Whence an amount is: typed into the ledger, worked out from the reference prices, or nobody has filled it in.
TYPED, REFERENCE, BLANK = "typed", "reference", "blank"
ORIGINS = {TYPED: "填报", REFERENCE: "参考值（未核）", BLANK: "待填"}
#: What is looked at last: a ledger has figures of years to come.
LAST = 2200
#: What a price is in, in ten thousand yuan.
_TEN_THOUSAND = {"元": 1e-4, "万元": 1.0}


class Amount(NamedTuple):
    """An item of money of one year, in the unit of the ledger; missing where nobody knows."""

    low: float
    high: float
    origin: str
    basis: str
    source: str
    fund: str = ""


def money(district: District) -> pd.DataFrame:
    """
    List the money of every parcel, item by item and year by year, as ranges.

    What is typed into the ledger counts as it is, each row in its year. An item that nobody has typed for a parcel is estimated where a
    reference price names it and the quantity it is for is known; several prices for one item give the lowest and the highest. Whatever
    else is asked for stays blank. No price, no receipt and no balance is filled in.

    Returns
    -------
    money
        Index parcel, budget (public 财政支出, project 项目收支), item, year (0: it has none). Columns topic (cost, receipt), label, unit, low,
        high (missing: 待填), origin (typed, reference, blank), basis, source, fund (资金渠道, as the ledger names it; "": nobody has said),
        who could fill it in. An item that several funds pay in one year has a row for each.
    """
    quantities, parcels = district.rows["quantities"], district.parcels
    asked = quantities[quantities["budget"].isin(list(BUDGETS)).to_numpy()]
    lines: list[dict[str, object]] = []
    keys: list[tuple[str, str, str, int]] = []
    for parcel in [] if parcels is None else map(str, parcels.index):
        for item, about in asked.iterrows():
            for year, found in _amounts(
                district, parcel, str(item), asked_for=bool(pd.notna(about["asked"]) and about["asked"])
            ):
                told = {c: "" if pd.isna(about[c]) else str(about[c]) for c in ("topic", "label", "unit")}
                keys.append((parcel, str(about["budget"]), str(item), year))
                lines.append({**told, **found._asdict(), "who": "" if pd.isna(about["who"]) else str(about["who"])})
    index = pd.MultiIndex.from_tuples(keys, names=["parcel", "budget", "item", "year"])
    return pd.DataFrame(lines, index=index, columns=["topic", "label", "unit", *Amount._fields, "who"])


def _amounts(district: District, parcel: str, item: str, *, asked_for: bool) -> Iterator[tuple[int, Amount]]:
    """Yield the amounts of an item: as typed, else as estimated, else blank where somebody asks for it."""
    facts = district.rows.get("parcel_facts")
    own = (
        None
        if facts is None
        else facts[((facts["parcel"] == parcel) & (facts["quantity"] == item)).to_numpy(dtype=bool)]
    )
    typed = False
    for _, row in () if own is None else own[own["value"].notna().to_numpy()].iterrows():
        low = parcel_number(row["value"])
        high = low if pd.isna(row["high"]) else float(row["high"])
        text = ("" if pd.isna(row[c]) else str(row[c]) for c in ("basis", "source", "fund"))
        typed = True
        yield 0 if pd.isna(row["year"]) else int(row["year"]), Amount(low, high, TYPED, *text)
    if typed:
        return
    estimated = _estimated(district, parcel, item)
    if estimated is not None:
        yield estimated
    elif asked_for or (own is not None and len(own)):
        rows = [] if own is None else list(zip(own["year"], own["fund"], strict=True))
        for year, fund in rows or [(0, "")]:
            paid = "" if pd.isna(fund) else str(fund)
            yield 0 if pd.isna(year) else int(year), Amount(math.nan, math.nan, BLANK, "", "", paid)


def _estimated(district: District, parcel: str, item: str) -> tuple[int, Amount] | None:
    """Return an item as the reference prices have it; None where there is no price, or no quantity."""
    costs = district.rows.get("costs")
    if costs is None:
        return None
    own = costs[((costs["item"] == item) & costs["low"].notna() & costs["high"].notna()).to_numpy(dtype=bool)]
    found = []
    for label, cost in own.set_index("label").iterrows():
        times = fact(district.rows.get("parcel_facts"), parcel, str(cost["of"]), LAST)
        if math.isfinite(times.low) and times.high > 0:
            factor = _TEN_THOUSAND[str(cost["price_unit"])]
            found.append((times, cost["low"] * times.low * factor, cost["high"] * times.high * factor, str(label)))
    if not found:
        return None
    times = found[0][0]
    source = "；".join(label for *_, label in found)
    amount = Amount(min(f[1] for f in found), max(f[2] for f in found), REFERENCE, times.basis, source)
    return 0 if math.isnan(times.year) else int(times.year), amount


def totals(table: pd.DataFrame, *, by: Sequence[str] = ("budget", "topic")) -> pd.DataFrame:
    """
    Add up what is known of each table, costs and receipts apart.

    Parameters
    ----------
    table
        What `money` gives, or some rows of it.
    by
        What is kept apart; with "fund" and "year" also which fund pays, in which year.

    Returns
    -------
    totals
        Index budget, topic (or as `by` says); columns low, high (sums of the known ends), items (how many are in them), blank (how many
        nobody has filled in: the sum is then not the whole), reference (how many are only estimated).
    """
    known = table["low"].notna() & table["high"].notna()
    made = table.assign(items=known, blank=~known, reference=(table["origin"] == REFERENCE))
    groups = made.groupby(list(by), sort=False)
    return groups[["low", "high"]].sum(min_count=1).join(groups[["items", "blank", "reference"]].sum().astype(int))


class Spent(NamedTuple):
    """What is spent on a plan, in 万元, and whence that is; missing where an item is blank."""

    low: float
    high: float
    origin: str  # a key of `SPENT_FROM`


#: Whence it is known what a plan costs: the projects that carry all of its steps out, or the ledger of the parcel under the plan.
PROJECTS, LEDGER = "projects", "ledger"
SPENT_FROM = {PROJECTS: "项目库", LEDGER: "台账"}


def spent(district: District, plan: Scenario, parcel: str) -> Spent:
    """
    Say what is spent where a plan is carried out: costs only, no receipt is taken off them.

    Parameters
    ----------
    district
        With the plan carried out.
    plan
        A plan of the folder.
    parcel
        On which the plan does something.

    Returns
    -------
    spent
        Where projects name every step of the plan: what they cost together. Else the costs of the parcel, public and project's, as the ledger
        and the reference prices have them under the plan; missing where one that is asked for is blank.
    """
    projects = _of_projects(district, plan)
    if projects is not None:
        return projects
    table = money(district)
    parts = list(district.parts_of("parcels", parcel))
    own = table[table.index.get_level_values("parcel").isin(parts) & (table["topic"] == "cost").to_numpy()]
    low, high = (float(own[end].sum(skipna=False)) if len(own) else math.nan for end in ("low", "high"))
    return Spent(low, high, LEDGER)


def _of_projects(district: District, plan: Scenario) -> Spent | None:
    """Return what the projects cost that carry out a plan, and nothing but it; None where a step of it is in none."""
    projects, found, low, high = district.rows.get("projects"), set[int](), 0.0, 0.0
    for _, row in () if projects is None else projects.iterrows():
        named = steps_named(row["edits"])
        if set(named) == {plan.name}:
            found |= named[plan.name] or set(range(1, len(plan.edits) + 1))
            low, high = low + float(row["cost_low"]), high + float(row["cost_high"])
    return Spent(low, high, PROJECTS) if found == set(range(1, len(plan.edits) + 1)) else None


def unit_lines(district: District, year: int | None = None) -> pd.DataFrame:
    """
    Hold every renewal unit against the lines of `unit_lines.csv`: a hint, never a verdict.

    Parameters
    ----------
    year
        As the ledger stands at its end; by default all that it says, of years to come too.

    Returns
    -------
    lines
        Index unit (as the parcels' ledger names it), line. Columns parcels (its list), label, low, high (of the unit: its parcels
        together; missing where one of them lacks a figure), operator, limit, limit_unit, side ("within", "beyond", "across" where the
        range reaches over the line, "unknown"), lacks (parcel and figure that nobody has filled in), confidence, standard, source.
    """
    parcels, table = district.parcels, district.rows.get("unit_lines")
    facts, when = district.rows.get("parcel_facts"), LAST if year is None else year
    units: dict[str, list[str]] = {}
    for parcel in [] if parcels is None else map(str, parcels.index):
        named = fact(facts, parcel, UNIT, when)
        if named.known:
            units.setdefault(named.value, []).append(parcel)
    lines = {}
    for unit, members in units.items():
        for line, about in () if table is None else table.iterrows():
            lines[unit, str(line)] = {"parcels": members, **_line(district, members, about, when)}
    index = pd.MultiIndex.from_tuples(list(lines), names=["unit", "line"])
    columns = [
        "parcels",
        "label",
        "low",
        "high",
        "operator",
        "limit",
        "limit_unit",
        "side",
        "lacks",
        "confidence",
        "standard",
        "source",
    ]
    return pd.DataFrame(list(lines.values()), index=index, columns=columns)


#: The figure that says to which renewal unit a parcel belongs.
UNIT = "renewal_unit"


def _line(district: District, members: Sequence[str], about: pd.Series, year: int) -> dict[str, object]:
    facts, lacks = district.rows.get("parcel_facts"), []

    def sums(quantities: str, *, each: bool) -> Fact:
        """Add figures of all parcels of a unit up; of a sum of several, one that is not filled in anywhere counts as none."""
        low = high = 0.0
        for parcel in members:
            told = [fact(facts, parcel, name, year) for name in listed(quantities)]
            known = [f for f in told if f.known]
            if not known or (each and len(known) < len(told)):
                lacks.append((parcel, listed(quantities)[0]))
                low = high = math.nan
            low, high = low + sum(f.low for f in known), high + sum(f.high for f in known)
        return Fact("", low, high, math.nan, "", "", "")

    above = sums(str(about["above"]), each=False)
    times = float(about["times"])
    low, high = above.low * times, above.high * times
    if pd.notna(about["below"]):
        below = sums(str(about["below"]), each=True)
        low = low / below.high if below.high > 0 else math.nan
        high = high / below.low if below.low > 0 else math.nan
    elif len(members) > 1 and math.isfinite(low):  # not a quotient: each parcel says the same thing of the unit
        each_said = [fact(facts, parcel, str(about["above"]), year) for parcel in members]
        low, high = min(f.low for f in each_said) * times, max(f.high for f in each_said) * times
    return {
        "label": str(about["label"]),
        "low": low,
        "high": high,
        "operator": str(about["operator"]),
        "limit": float(about["limit"]),
        "limit_unit": "" if pd.isna(about["unit"]) else str(about["unit"]),
        "side": _side(low, high, str(about["operator"]), float(about["limit"])),
        "lacks": lacks,
        **{c: "" if pd.isna(about[c]) else str(about[c]) for c in ("confidence", "standard", "source")},
    }


def _side(low: float, high: float, operator: str, limit: float) -> str:
    if not (math.isfinite(low) and math.isfinite(high)):
        return "unknown"
    keeps = [end <= limit if operator == "<=" else end >= limit for end in (low, high)]
    return "within" if all(keeps) else "across" if any(keeps) else "beyond"


class FloorRatio(NamedTuple):
    """The floor-area ratio of a parcel as its ledger has it, and the limit; missing where nobody has filled it in."""

    low: float
    high: float
    limit: float
    homes_built: bool


def floor_ratio(district: District, parcel: str) -> FloorRatio:
    """Return what is kept and built on a parcel by its ground, and the limit; whether it complies is decided by others."""
    facts = district.rows.get("parcel_facts")
    quantities = district.rows["quantities"]
    built = [str(q) for q in quantities.index[(quantities["topic"] == "floor").to_numpy(dtype=bool)]]
    built = [name for name in built if name not in NOT_STANDING]
    told = [f for f in (fact(facts, parcel, name, LAST) for name in built) if f.known]
    site = fact(facts, parcel, "site_m2", LAST)
    area = (
        site.low
        if site.known
        else float(district.parcels.geometry[parcel].area)
        if district.parcels is not None
        else math.nan
    )
    low, high = (sum(getattr(f, end) for f in told) / area if told else math.nan for end in ("low", "high"))
    homes = fact(facts, parcel, "floor_homes_m2", LAST)
    return FloorRatio(low, high, fact(facts, parcel, "far_limit", LAST).low, homes.known and homes.high > 0)


#: Floor area that does not stand when all is done.
NOT_STANDING = ("floor_old_m2", "floor_demolished_m2")
