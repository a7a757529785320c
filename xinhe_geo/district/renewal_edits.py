"""What renewal does, as functions on rows: households move and return, homes are improved, land and rooms change their use."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import shapely

from ..core import HOLDERS, LAYERS, ScenarioError, amount, did_you_mean, say
from .edited_rows import EditedRows, Flow
from .parcel_facts import fact, written

#: Where those go who move away, besides 去向待填.
FATES = {"waiting": "过渡中", "elsewhere": "异地安置", "cash": "货币离开"}
#: Fates from which somebody can still return: nobody has said that they will not.
MAY_RETURN = ("waiting", "")
#: More than this many people is a difference; less is rounding.
ROUNDING = 1e-6
_COUNTS = ("people", "people_60plus", "households")


def move_households(work: EditedRows, e: Mapping[str, Any]) -> None:
    """
    Take people out of homes, one home after another in the order written.

    Without a number everybody leaves. Those of 60 and more, and households, go in the same proportion where they are not given.
    """
    for home in (*e["homes"], *([e["to"]] if "to" in e else [])):
        work.need("homes", home)
    _refuse_too_many_old(e)
    if e.get("to") in e["homes"]:
        raise ScenarioError(say("to 是住到哪个小区，不能是搬离的 {0}；换一个，或从 homes 里去掉它", e["to"]))
    work.note_if_absent("homes", *e["homes"])
    holder, fate = str(e.get("holder", "")), str(e.get("fate", ""))
    there = work.standing("homes")
    present = [home for home in e["homes"] if home in there.index]
    lived = {home: _counts(there.loc[home]) for home in present}
    for count, label in (
        ("people", say("人")),
        ("people_60plus", say("位 60岁及以上老人")),
        ("households", say("户")),
    ):
        total = sum(lived[home][count] for home in present)
        if count in e and float(e[count]) > total + ROUNDING:
            work.clashes.append(
                say(
                    "{0} 年这里住着 {1} {2}，要搬走 {3} {2}；改小，或看前面哪一步已经搬走了",
                    work.year,
                    amount(total),
                    label,
                    amount(e[count]),
                )
            )
    left = {count: float(e[count]) for count in _COUNTS if count in e}
    registered = float(e["registered"]) if "registered" in e else math.nan
    for i, home in enumerate(present):
        taken = _taken(lived[home], left)
        for count, number in taken.items():
            _put(work, home, count, lived[home][count] - number)
            if count in left:
                left[count] -= number
        _note_too_many_old(work, home)
        flow = work.flow("out", work.parcel_of(home), taken)
        flow = flow._replace(registered=registered, holder=holder, fate=fate)
        if i:  # said of all the homes together: it stands with the first
            flow = flow._replace(registered=math.nan if math.isnan(registered) else 0.0)
        _note_more_than_held(work, flow)
        work.flows.append(flow)
        if "to" in e:
            _take_in(work, str(e["to"]), flow._replace(what="in"))


def _counts(row: pd.Series) -> dict[str, float]:
    return {count: math.nan if pd.isna(row[count]) else float(row[count]) for count in _COUNTS}


def _taken(lived: Mapping[str, float], left: Mapping[str, float]) -> dict[str, float]:
    """Return how many leave one home: as many as are still to go and live there, else all, or in proportion."""
    people = min(left["people"], lived["people"]) if "people" in left else lived["people"]
    if math.isnan(lived["people"]) and "people" in left:
        people = left["people"]  # nobody knows how many live there: as many as the plan says
    share = people / lived["people"] if lived["people"] > 0 else (1.0 if "people" not in left else 0.0)
    taken = {"people": people}
    for count in ("people_60plus", "households"):
        taken[count] = min(left[count], lived[count]) if count in left else lived[count] * share
    if not math.isnan(taken["households"]):
        taken["households"] = float(round(taken["households"]))
    return taken


def _put(work: EditedRows, home: str, count: str, number: float) -> None:
    """Put a number of people or households into the row of a home that stands in the year at hand."""
    frame = work.frame("homes").copy()
    own = (frame.index == home) & stands(frame, work.year)
    # who is left cannot be less than nobody: a ratio leaves a trace of rounding
    value = 0.0 if abs(number) <= ROUNDING else number
    frame.loc[own, count] = (pd.NA if math.isnan(value) else round(value)) if count == "households" else value
    work.rows["homes"] = frame


def _refuse_too_many_old(e: Mapping[str, Any]) -> None:
    """Raise where a step moves more people of 60 and more than people."""
    if float(e.get("people_60plus", 0)) > float(e.get("people", math.inf)):
        raise ScenarioError(say("people_60plus（{0}）多于 people（{1}）；改其中一个", e["people_60plus"], e["people"]))


def _note_too_many_old(work: EditedRows, home: str) -> None:
    """Note a clash where more people of 60 and more live in a home than people; how many they are is then unknown."""
    lived = _counts(work.standing("homes").loc[home])
    if lived["people_60plus"] > lived["people"] + ROUNDING:
        work.clashes.append(
            say(
                "这一步以后 {0} 住着 {1} 人，60岁及以上却有 {2} 位；改这一步的 people_60plus",
                home,
                amount(lived["people"]),
                amount(lived["people_60plus"]),
            )
        )
        _put(work, home, "people_60plus", math.nan)


def stands(frame: pd.DataFrame, year: int) -> np.ndarray:
    """Return which rows of a dated layer live in a year."""
    after, before = frame["since"] > year, frame["until"] < year
    gone: np.ndarray = (after.fillna(False) | before.fillna(False)).to_numpy(dtype=bool)
    return ~gone


def _note_more_than_held(work: EditedRows, flow: Flow) -> None:
    """Note a clash where more of one 口径 have moved than the ledger says lived there."""
    for count, holder, label in (
        ("people", flow.holder, say("人")),
        ("households", flow.holder, say("户")),
        ("registered", "", say("户籍人口")),
    ):
        if not flow.parcel or (not holder and count != "registered"):
            continue
        held = work.held(flow.parcel, count, holder)
        own = [f for f in work.flows if f.comes_to == flow.parcel and holder in ("", f.holder)]
        before, back = ([getattr(f, count) for f in own if f.what == what] for what in ("out", "back"))
        gone = sum(n for n in before if not math.isnan(n)) - sum(n for n in back if not math.isnan(n))
        number = getattr(flow, count)
        if number + gone > held + ROUNDING:
            who = say(HOLDERS[holder]) if holder else say("户籍人口")
            work.clashes.append(
                say(
                    "台账写 {0} 的{1}有 {2} {3}，前面已搬走 {4}，这一步再搬 {5}；改小，或在地块台账里更正",
                    flow.parcel,
                    who,
                    amount(held),
                    label,
                    amount(gone),
                    amount(number),
                )
            )


def _take_in(work: EditedRows, home: str, flow: Flow) -> None:
    """Let a home take in who left others."""
    there = work.standing("homes")
    if home not in there.index:
        work.note_if_absent("homes", home)
        return
    until = there.loc[home, "until"]
    if pd.notna(until) and until < (math.inf if work.until is None else work.until):
        work.clashes.append(
            say("{0} 到 {1:.0f} 年为止，住不到这一步结束；换一个小区，或把这一步的 until 写到那一年以前", home, until)
        )
        return
    lived = _counts(there.loc[home])
    for count in _COUNTS:
        _put(work, home, count, lived[count] + getattr(flow, count))
    _note_too_many_old(work, home)
    _note_too_few_dwellings(work, home, flow.households)
    work.flows.append(flow._replace(parcel=work.parcel_of(home), home=home))


def _note_too_few_dwellings(work: EditedRows, home: str, came: float) -> None:
    """Note a clash where more households live in a home than the dwellings that it was worked out to have, and who may then be new."""
    dwellings, size = work.dwellings.get(home, (math.nan, math.nan))
    there = _counts(work.standing("homes").loc[home])["households"]
    if came > 0 and there > dwellings:
        new = max(sum(f.households for f in work.flows if (f.what, f.home) == ("new", home)) - (there - dwellings), 0.0)
        work.clashes.append(
            say(
                "{0} 按容积率得 {1} 套，这一步再住进 {2} 户就有 {3} 户；build_homes 改为直接写新来的人：households = {4}，people = {5}",
                home,
                amount(dwellings),
                amount(came),
                amount(there),
                written(new),
                written(new * size),
            )
        )


def moved_in_words(work: EditedRows, e: Mapping[str, Any]) -> tuple[str, str]:
    """Say who moves away, and what is assumed of them."""
    who = say(HOLDERS[e["holder"]]) if e.get("holder") in HOLDERS else say("居民")
    number = say("{0} 人", amount(e["people"])) if "people" in e else say("全部")
    fate = say(FATES[e["fate"]]) if e.get("fate") in FATES else say("去向待填")
    where = say("，住到{0}", work.named("to", e["to"])) if "to" in e else ""
    assumed = "" if {"people_60plus", "households"} <= set(e) else say("没有写的老人和户数按同样比例")
    return say("{0}搬离{1}：{2}，{3}{4}", number, work.named("homes", e["homes"]), who, fate, where), assumed


def return_households(work: EditedRows, e: Mapping[str, Any]) -> None:
    """Let people who left a parcel return to a home on it; at most as many as left and may return."""
    work.need("parcels", e["parcel"])
    work.need("homes", e["home"])
    _refuse_too_many_old(e)
    parcel, holder = str(e["parcel"]), str(e.get("holder", ""))
    if work.parcel_of(e["home"]) != parcel:
        raise ScenarioError(
            say(
                "{0} 不在地块 {1} 上；还迁要回到原地块，就近或异地安置写在 move_households 的 fate 和 to",
                e["home"],
                parcel,
            )
        )
    there = work.standing("homes")
    if e["home"] not in there.index:
        work.note_if_absent("homes", e["home"])
        return
    line = work.line_of(parcel)  # who left before a parcel was divided may return to any part of it

    def away(count: str, scope: str = holder) -> float:
        return sum((_away(work, own, scope, count) for own in line), 0.0)

    people = float(e["people"])
    for scope in dict.fromkeys((holder, "")):
        most = away("people", scope)
        if people > most + ROUNDING:
            who = say(HOLDERS[scope]) if scope else ""
            work.clashes.append(
                say(
                    "{0} 搬走而还可能回来的{1}有 {2} 人，要还迁 {3} 人；改小，先写 move_households，或新来的人写在 build_homes",
                    parcel,
                    who,
                    amount(most),
                    amount(people),
                )
            )
            people = most
    share = people / away("people") if away("people") > 0 else 0.0
    numbers = {"people": people}
    for count, label in (("people_60plus", say("位 60岁及以上老人")), ("households", say("户"))):
        numbers[count] = _at_most(work, e, count, away(count), label) if count in e else away(count) * share
    if not math.isnan(numbers["households"]):
        numbers["households"] = float(round(numbers["households"]))
    lived = _counts(there.loc[e["home"]])
    for count, number in numbers.items():
        _put(work, e["home"], count, lived[count] + number)
    _note_too_many_old(work, str(e["home"]))
    _note_too_few_dwellings(work, str(e["home"]), numbers["households"])
    numbers["registered"] = math.nan
    if "registered" in e:
        numbers["registered"] = _at_most(work, e, "registered", away("registered"), say("户籍人口"))
    for origin, own in _by_origin(work, line, holder, numbers):
        flow = work.flow("back", origin, own, str(e["home"]))._replace(registered=own["registered"], holder=holder)
        work.flows.append(flow._replace(landed="" if origin == parcel else parcel))


def _by_origin(
    work: EditedRows, line: Sequence[str], holder: str, numbers: Mapping[str, float]
) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield whose account those who return are in, and how many: first who left the parcel itself, then who left what it was part of."""
    left = dict(numbers)
    for origin in line:
        there = _away(work, origin, holder, "people")
        last = origin == line[-1] or left["people"] <= there + ROUNDING
        share = 1.0 if last or left["people"] == 0 else there / left["people"]
        if not last and there <= ROUNDING:
            continue
        own = {count: number * share for count, number in left.items()}
        if not last and not math.isnan(own["households"]):
            own["households"] = float(round(own["households"]))
        if not last:  # of nothing do more return to an account than have left it
            later = line[line.index(origin) + 1 :]
            for count, number in left.items():
                most = _away(work, origin, holder, count)
                least = number - sum(_away(work, o, holder, count) for o in later)
                if math.isfinite(most) and math.isfinite(least):
                    own[count] = min(max(own[count], least), most)
        left = {count: number - own[count] for count, number in left.items()}
        yield origin, own
        if last:
            return


def _at_most(work: EditedRows, e: Mapping[str, Any], count: str, most: float, label: str) -> float:
    """Return how many return of what is counted; more than have left is a clash, and unknown is no limit."""
    number = float(e[count])
    if number <= most + ROUNDING or math.isnan(most):
        return number
    work.clashes.append(
        say(
            "{0} 搬走而还可能回来的有 {1} {2}，要还迁 {3} {2}；改小，或先写 move_households",
            e["parcel"],
            amount(most),
            label,
            amount(number),
        )
    )
    return most


def _away(work: EditedRows, parcel: str, holder: str, count: str) -> float:
    """Return how many left a parcel, have not returned, and may."""
    out = sum(f.counted(count) for f in work.moved(parcel, holder, "out", *MAY_RETURN))
    return max(out - sum(f.counted(count) for f in work.moved(parcel, holder, "back")), 0.0)


def returned_in_words(work: EditedRows, e: Mapping[str, Any]) -> tuple[str, str]:
    """Say who returns, and what is assumed of them."""
    who = say(HOLDERS[e["holder"]]) if e.get("holder") in HOLDERS else say("居民")
    text = say("{0} 人还迁入住{1}：{2}", amount(e["people"]), work.named("home", e["home"]), who)
    assumed = "" if {"people_60plus", "households"} <= set(e) else say("没有写的老人和户数按搬走的人的比例")
    return text, assumed


def leave_demolished(work: EditedRows, homes: list[str]) -> None:
    """
    Note that whoever still lives in homes that are torn down leaves them; where to, nobody has said.

    Who is only housed there for a time is no resident of it: they are still on their way, and it is a conflict that nobody houses them.
    """
    there = work.standing("homes")
    for home in homes:
        if home not in there.index:
            continue
        lived = _counts(there.loc[home])
        for guest in [f for f in work.flows if f.what == "in" and f.home == home]:
            end = work.ends.get(guest.step, work.year - 1)
            if end < work.year:
                continue
            work.clashes.append(
                say(
                    "第 {0} 步把 {1} 人安置在 {2}，要住到 {3} 年末；先另行安置他们，或改两步的年份",
                    guest.step,
                    amount(guest.people),
                    home,
                    end,
                )
            )
            gone = {count: min(float(getattr(guest, count)), lived[count]) for count in _COUNTS}
            lived = {count: number - gone[count] for count, number in lived.items()}
            back = work.flow("in", guest.parcel, {count: -number for count, number in gone.items()}, home)
            work.flows.append(back._replace(holder=guest.holder, fate=guest.fate))
        work.flows.append(work.flow("out", work.parcel_of(home), lived))


def retrofit(work: EditedRows, e: Mapping[str, Any]) -> None:
    """Improve a home as it stands: what it has afterwards, and new gates in its wall."""
    work.need("homes", e["home"])
    work.note_if_absent("homes", e["home"])
    for column in ("elevators", "parking_places", "floor_area_m2"):
        if column in e:
            work.put("homes", e["home"], column, e[column])
    if "property_managed" in e:
        work.put("homes", e["home"], "property_managed", "yes" if e["property_managed"] else "no")
    work.put("homes", e["home"], "renewed_year", work.year)
    wall = shapely.boundary(work.frame("homes").geometry[e["home"]])
    for i, at in enumerate(e.get("gates", ()), 1):
        spot = work.place(at)
        spot = spot if wall.is_empty else wall.interpolate(wall.project(spot))
        work.add("gates", f"{e['home']}-r{work.step}-{i}", {"home": e["home"], "state": "open"}, spot)


def retrofit_in_words(work: EditedRows, e: Mapping[str, Any]) -> tuple[str, str]:
    """Say what a home has after it was improved."""
    parts = [
        *([say("电梯 {0} 部", amount(e["elevators"]))] if "elevators" in e else []),
        *([say("停车泊位 {0} 个", amount(e["parking_places"]))] if "parking_places" in e else []),
        *([say("新开出入口 {0} 处", len(e["gates"]))] if "gates" in e else []),
        *([say("有物业管理")] if e.get("property_managed") else []),
    ]
    text = say("改造小区：{0}", work.named("home", e["home"]))
    return text, say("改造后{0}", say("、").join(parts)) if parts else ""


def change_use(work: EditedRows, e: Mapping[str, Any]) -> None:
    """Give a parcel another use."""
    work.need("parcels", e["parcel"])
    parcels = work.frame("parcels")
    if "use" in parcels and parcels.loc[e["parcel"], "use"] == e["use"]:
        work.clashes.append(say("{0} 的用途本来就是{1}；删去这一步", e["parcel"], e["use"]))
    work.put("parcels", e["parcel"], "use", e["use"])


def use_in_words(work: EditedRows, e: Mapping[str, Any]) -> tuple[str, str]:
    """Say what a parcel is used for from now on."""
    return say("{0}改为{1}", work.named("parcel", e["parcel"]), e["use"]), ""


def build_floor_area(work: EditedRows, e: Mapping[str, Any]) -> None:
    """Add floor area of one use to what the ledger of a parcel says is built."""
    work.need("parcels", e["parcel"])
    quantities = work.frame("quantities")
    floors = [str(q) for q in quantities.index[(quantities["topic"] == "floor").to_numpy(dtype=bool)]]
    if e["quantity"] not in floors:
        raise ScenarioError(say("没有建筑面积指标 {0}；{1}", e["quantity"], did_you_mean(e["quantity"], floors)))
    facts = work.frame("parcel_facts")
    before = fact(facts, e["parcel"], e["quantity"], work.year)
    more = float(e["floor_area_m2"])
    low, high = (end + more if before.known else more for end in (before.low, before.high))
    row: dict[str, list[object]] = {c: [None] for c in LAYERS["parcel_facts"].names if c != "row"}
    row |= {"parcel": [e["parcel"]], "year": [work.year], "quantity": [e["quantity"]], "value": [written(low)]}
    row |= {"high": [high]} if high > low else {}  # what was a range stays one
    row |= {"basis": ["derived"], "source": ["方案"]}
    new = pd.DataFrame(row, index=pd.Index([f"plan-{work.step}"], name="row"))
    if len(facts):
        # of two rows of one year the later one stands: what the plan builds is in it
        same = (facts["parcel"] == e["parcel"]) & (facts["quantity"] == e["quantity"]) & facts["holder"].isna()
        old = facts[~(same & (facts["year"] == work.year)).fillna(False).astype(bool)]
        blank = [c for c in new if facts[c].isna().all()]  # such a column says nothing of what it is to hold
        old = old.astype({c: new[c].dtype for c in blank})
        new = pd.concat([old, new.astype({c: facts[c].dtype for c in new if c not in blank})])
    work.rows["parcel_facts"] = new


def floor_in_words(work: EditedRows, e: Mapping[str, Any]) -> tuple[str, str]:
    """Say how much floor area is built."""
    quantities = work.frame("quantities")
    label = quantities["label"].get(e["quantity"], e["quantity"])
    return say("在{0}新建 {1} m²：{2}", work.named("parcel", e["parcel"]), amount(e["floor_area_m2"]), label), ""


def rooms_at(work: EditedRows, e: Mapping[str, Any]) -> shapely.Point:
    """Return where existing rooms are: in a facility (`host`), in a home (`home`), or at a spot."""
    named = [key for key in ("host", "home", "at", "xy") if key in e]
    if len(named) != 1:
        raise ScenarioError(say("写明在哪里的用房，四种写一种：host（哪处设施）、home（哪个小区）、at、xy"))
    if named[0] in ("at", "xy"):
        return work.spot(e)
    layer = "facilities" if named[0] == "host" else "homes"
    key = str(e[named[0]])
    work.need(layer, key)
    work.note_if_absent(layer, key)
    return shapely.point_on_surface(work.frame(layer).geometry[key])
