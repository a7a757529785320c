"""The ledger of parcels as tables: their figures, their stages, and what was promised on them, delivered, or still lacks."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import shapely

from ..core import HOLDERS, ScenarioError, as_text, listed, say, well_called
from ..district import District, Fact, Scenario, fact, home_parcels, year_of

#: What a promise has come to. "filled in by nobody" is its own answer: 待填.
DELIVERED, PROMISED, MISSING, UNKNOWN, BLANK = "delivered", "promised", "missing", "unknown", "blank"
STATUSES = {DELIVERED: "已做到", PROMISED: "有安排", MISSING: "还缺", UNKNOWN: "数据不足", BLANK: "待填"}
#: What is measured on the drawing where the ledger is blank.
SITE = "site_m2"


def parcel_figures(district: District, year: int | None = None) -> pd.DataFrame:
    """
    List every figure of every parcel at the end of a year: what is filled in, and what is asked for and blank.

    Parameters
    ----------
    year
        By default the district's.

    Returns
    -------
    figures
        Index parcel, quantity, holder ("" for all together), in the order of `quantities.csv`. Columns topic, label, unit; `value` as
        written ("" where blank), `low` and `high` as numbers (missing where blank, or a text), `year` it is of; basis, source, filled_by,
        `who` could fill it in. The site area is measured on the drawing (basis "derived") where nobody has filled it in.
    """
    year = district.year if year is None else year
    rows = {}
    facts, parcels = district.rows.get("parcel_facts"), district.parcels
    sites = {} if parcels is None else {str(p): float(shape.area) for p, shape in parcels.geometry.items()}
    for parcel, site in sites.items():
        for quantity, about in district.rows["quantities"].iterrows():
            for holder in ("", *(HOLDERS if about["by_holder"] else ())):
                found = fact(facts, parcel, str(quantity), year, holder)
                if quantity == SITE and not found.known:
                    area = float(round(site))
                    found = Fact(f"{area:.0f}", area, area, math.nan, "derived", "", "")
                if found.known or (about["asked"] and not holder):
                    line = {**about[["topic", "label", "unit"]].fillna("").to_dict(), **found._asdict()}
                    rows[parcel, str(quantity), holder] = {**line, "who": as_text(about["who"])}
    index = pd.MultiIndex.from_tuples(list(rows), names=["parcel", "quantity", "holder"])
    return pd.DataFrame(list(rows.values()), index=index, columns=["topic", "label", "unit", *Fact._fields, "who"])


def parcel_stages(district: District) -> pd.DataFrame:
    """
    List the stages of every parcel, in the order of the chain that it goes through.

    Returns
    -------
    stages
        Index parcel, stage; a parcel of which nobody has said which chain it goes through has one row, of stage "". Columns chain,
        label, `date` ("" where it is not reached, or blank), `share` (per cent, missing where blank), share_of, filled_by, source, `who` could
        fill it in, `planned` (whether the date is after the year of the data).
    """
    columns = ["chain", "label", "date", "share", "share_of", "source", "filled_by", "who", "planned"]
    rows: dict[tuple[str, str], list[object]] = {}
    stages, chains, parcels = district.rows.get("stages"), district.rows["stage_chains"], district.parcels
    for parcel in [] if parcels is None else map(str, parcels.index):
        own = pd.DataFrame() if stages is None else stages[(stages["parcel"] == parcel).to_numpy(dtype=bool)]
        if own.empty:
            rows[parcel, ""] = ["", "", "", math.nan, "", "", "", "", False]
            continue
        walked = list(dict.fromkeys(chains["chain"].reindex(own["stage"]).dropna()))
        for stage, about in chains[chains["chain"].isin(walked).to_numpy()].iterrows():
            said = own[(own["stage"] == stage).to_numpy()].sort_values("date", kind="stable", na_position="first")
            planned = said["date"].map(year_of) > int(district.manifest["data_year"])
            past = said[~planned.to_numpy(bool)]
            said = past if past["date"].notna().any() else said
            last = said.iloc[-1] if len(said) else pd.Series(dtype=object)
            share = last.get("share", math.nan)
            rows[parcel, str(stage)] = [
                *(as_text(about[c]) for c in ("chain", "label")),
                as_text(last.get("date")),
                math.nan if pd.isna(share) else float(share),
                as_text(about["share_of"]),
                *(as_text(last.get(c)) for c in ("source", "filled_by")),
                as_text(about["who"]),
                bool(len(said)) and bool(planned.loc[said.index[-1]]),
            ]
    index = pd.MultiIndex.from_tuples(list(rows), names=["parcel", "stage"])
    return pd.DataFrame(list(rows.values()), index=index, columns=columns)


def promises(district: District, plan: Scenario | None = None, *, after: District | None = None) -> pd.DataFrame:
    """
    Say what was promised on each parcel, what of it is there, which steps of a plan answer it, and what still lacks.

    Parameters
    ----------
    district
        What stands open on the parcels in its year counts as delivered.
    plan
        Steps of it that open what is promised count as promised; None: only what the data call planned.
    after
        What `plan.on(district)` gives, where it is there already.

    Returns
    -------
    promises
        Index row, as in the table. Columns parcels (list of ids), place, commitment, quote, kinds (list), amount; `there` (how many
        facilities are open on the parcels), `coming` (planned, or opened by the plan), `by` (their ids), `steps` (of the plan), `lacks` (how many
        are still wanting; missing where nobody knows); `done` (per cent, for what is no facility: of the stage that it is about, by the year of the
        data), `due` (for when the rest is planned), `status` (a key of `STATUSES`), filled_by.

    Raises
    ------
    ScenarioError
        A plan that cannot be carried out.
    """
    if after is None:
        after = district if plan is None else plan.on(district)
    table = after.rows.get("promises")  # a parcel that the plan divides is promised as its parts
    rows = [] if table is None else [_promise(district, after, plan, row) for _, row in table.iterrows()]
    index = pd.Index([] if table is None else table.index, name="row")
    return pd.DataFrame(rows, index=index, columns=_COLUMNS)


_COLUMNS = (
    "parcels",
    "place",
    "commitment",
    "quote",
    "kinds",
    "amount",
    "there",
    "coming",
    "by",
    "steps",
    "lacks",
    "done",
    "due",
    "status",
    "filled_by",
)


def _promise(district: District, after: District, plan: Scenario | None, row: pd.Series) -> dict[str, object]:
    parcels, kinds = (listed(as_text(row[c])) for c in ("parcel", "kinds"))
    line: dict[str, object] = {c: as_text(row[c]) for c in ("place", "commitment", "quote", "filled_by")}
    line |= {"parcels": parcels, "kinds": kinds, "by": [], "steps": [], "due": ""}
    line |= dict.fromkeys(("amount", "there", "coming", "lacks", "done"), math.nan)
    if not kinds:
        reached = [_reached(after, parcel, listed(as_text(row["stage"])), district.year) for parcel in parcels]
        done = float(np.mean([share for share, _ in reached])) if reached else math.nan
        due = max((date for _, date in reached), default="")
        status = BLANK if math.isnan(done) else DELIVERED if done >= 100 else PROMISED
        return {**line, "done": done, "due": due, "status": status}
    amount = 1.0 if pd.isna(row["amount"]) else float(row["amount"])
    places = after.parcels
    ground = shapely.union_all([] if places is None else places.geometry[places.index.isin(parcels)].array)
    open_now, open_then = (_standing(d, ground, kinds, "open") for d in (district, after))
    coming = [f for f in open_then if f not in open_now]
    if plan is None:
        coming = _standing(district, ground, kinds, "planned")
    steps = [i for i, e in enumerate(plan.edits, 1) if e.what.get("facility") in coming] if plan is not None else []
    lacks = max(amount - len(open_now) - len(coming), 0.0)
    known = set(kinds) <= district.surveyed_kinds
    if len(open_now) >= amount:
        status = DELIVERED
    elif not known:
        status, lacks = UNKNOWN, math.nan
    else:
        status = MISSING if lacks else PROMISED
    line |= {"amount": amount, "there": float(len(open_now)), "coming": float(len(coming)), "lacks": lacks}
    return {**line, "by": [*open_now, *coming], "steps": steps, "status": status}


def _reached(district: District, parcel: str, named: Sequence[str], year: int) -> tuple[float, str]:
    """
    Return how much of one of some stages a parcel has reached, in per cent, and for when more of it is planned.

    What is dated later than the data is a plan, whatever year is looked at; without any date nobody knows.
    """
    stages, until = district.rows.get("stages"), min(year, int(district.manifest["data_year"]))
    if stages is None:
        return math.nan, ""
    own = stages[((stages["parcel"] == parcel) & stages["stage"].isin(named) & stages["date"].notna()).to_numpy(bool)]
    own = own.sort_values("date", kind="stable")
    later = (own["date"].map(year_of) > until).to_numpy(bool)
    share = own["share"].astype("float64").fillna(100.0)[~later]
    done = float(share.iloc[-1]) if len(share) else 0.0 if later.any() else math.nan
    return done, str(own["date"].iloc[-1]) if later.any() and done < 100 else ""


def _standing(district: District, ground: shapely.Geometry, kinds: Sequence[str], state: str) -> list[str]:
    """Return the facilities of some kinds and one state on the ground of parcels."""
    facilities = district.facilities
    if facilities is None:
        return []
    own = facilities[
        (facilities["kind"].isin(kinds) & (facilities["state"].fillna("open") == state)).to_numpy(dtype=bool)
    ]
    return [str(f) for f in own.index[shapely.intersects(ground, own.geometry.array)]]


@well_called
def parcels(district: District, year: int | None = None) -> pd.DataFrame:
    """
    List the parcels: their ground as drawn, who lives on it, how far each has come, and what was promised on it.

    Parameters
    ----------
    district
        What `District.load` opened; it stays as it was.
    year
        By default the district's.

    Returns
    -------
    parcels
        Index parcel; columns name, use, area_m2, homes, people (missing where it is unknown of one home), basis (of the outline), note,
        stage (the last that is reached by then; "" where none is), how
        many promises are `delivered`, `promised`, `missing`, `unknown`, `blank` (a promise about several
        parcels counts at each), and to_fill_in: how many figures are asked for and blank.

    Raises
    ------
    UnknownNameError
        Not a year between 1900 and 2200.
    """
    state = district if year is None else district.at(year)
    places, homes = state.parcels, state.homes
    if places is None:
        return pd.DataFrame(columns=["name", "use", "area_m2", "homes", "people", *_COUNTED], dtype="object")
    on = np.array([] if homes is None else home_parcels(homes, places), dtype=object)
    rows = []
    for parcel in places.index:
        own = None if homes is None else homes[on == parcel]
        people = math.nan if own is None else float(own["people"].sum(skipna=False)) if len(own) else 0.0
        rows.append((float(places.geometry[parcel].area), math.nan if own is None else len(own), people))
    table = pd.DataFrame(rows, index=places.index, columns=["area_m2", "homes", "people"])
    told = places.reindex(columns=["name", "use", "note"]).astype(object).fillna("")
    table = table.assign(**told, basis=state.basis("parcels"), stage="")
    stages = parcel_stages(state)
    past = ~stages["planned"].astype(bool) & (stages["date"].map(year_of) <= state.year)
    reached = stages["label"][past].groupby(level="parcel").last()
    table["stage"] = table["stage"].mask(table.index.isin(reached.index), reached.reindex(table.index))
    said = promises(state)[["parcels", "status"]].explode("parcels")
    counts = pd.crosstab(said["parcels"], said["status"]).reindex(
        index=table.index, columns=list(STATUSES), fill_value=0
    )
    blank = (parcel_figures(state)["value"] == "").groupby(level="parcel").sum()
    table = table.join(counts).assign(to_fill_in=blank.reindex(table.index, fill_value=0))
    return table[["name", "use", "area_m2", "homes", "people", *_COUNTED]]


_COUNTED = ("basis", "note", "stage", *STATUSES, "to_fill_in")


def parcel_named(district: District, asked: str) -> str:
    """
    Return the id of a parcel by id or name.

    Raises
    ------
    ScenarioError
        No such parcel: which there are.
    """
    parcels = district.parcels
    names = {} if parcels is None else {str(i): str(n) for i, n in parcels["name"].items()}
    if asked in names:
        return asked
    found = [i for i, name in names.items() if name == asked]
    if not found:
        listed = say("、").join(say("{0}（{1}）", i, n) for i, n in names.items())
        raise ScenarioError(say("没有地块 {0}；有：{1}", asked, listed or say("没有地块图层")))
    return found[0]
