"""
What a plan must provide (配建清单): from its new people and the norms, less what the neighbourhood can still absorb.

A norm (`norms.csv`) says how much so many people need. What stands already serves residents first: everybody
who was there before, and who returns, goes to the nearest place, and only what a place has left over is counted for the newcomers, and
only where they can walk to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from ..access import EXACT, bound_of, home_points, od_tables, pairs
from ..core import (
    BASIS_LABELS,
    DEMONSTRATION,
    DataError,
    Edit,
    Problem,
    Rule,
    ScenarioError,
    UnknownNameError,
    amount,
    problems_table,
    say,
    standing,
    word,
)
from ..district import District, Scenario, kind_name, walker_name

BASE_LABELS = {"people": "新增常住人口", "people_60plus": "新增60岁及以上", "households": "新增户数"}
#: What is built in whole pieces; the rest (m²) is not rounded.
AREA_UNITS = ("m²",)
COLUMNS = (
    "label",
    "kinds",
    "kind_label",
    "unit",
    "base",
    "base_amount",
    "required",
    "required_m2",
    "required_site_m2",
    "reach",
    "own",
    "absorbed",
    "missing",
    "to_build",
    "facilities",
    "verdict",
    "bound",
    "standard_text",
    "confidence",
    "note",
    "basis",
    "mark",
)
#: Shares of a unit below this are rounding.
ROUNDING = 1e-6
#: Less than this part of one place is no place to be built: half a place is the least that an office would ask for.
LEAST_PLACE = 0.5


def provision(
    district: District, plan: Scenario, *, norms: str | Sequence[str] | None = None, after: District | None = None
) -> pd.DataFrame:
    """
    List what the new homes of a plan need, what is there for them, and what is missing.

    Parameters
    ----------
    district
        As it is; the plan is carried out on it.
    plan
        A scenario that builds homes.
    norms
        A set of `norms.csv`, one norm, or a list of either; None: all.
    after
        What `plan.on(district)` gives, where it is there already.

    Returns
    -------
    list
        Index norm, in the order of the table. `label`, `kinds`, `kind_label`, `unit`; `base` (people, people_60plus,
        households) and `base_amount` (of the new homes, missing where not known); `required` = base_amount / per x amount,
        `required_m2`, `required_site_m2` (floor and site area where the norm states them); `reach` (in words: which walk
        counts); `own` (left over in what the plan itself opens within that walk), `absorbed` (left over in what was there
        already), at most what is required; `missing` (what remains; `bound` "at_least" where a kind was only seen on a map: there
        may be more than it shows, so that this is at most), `to_build` (`missing` in whole pieces, m² as it is);
        `facilities` (who takes how much), `verdict` (in words), `standard_text` (clause, or how far the number can be
        trusted), `confidence`, `note`, `basis` (weakest input), `mark` (演示值（不作结论） or empty). Missing numbers:
        数据不足, the verdict says of what.

    Raises
    ------
    ScenarioError
        The plan builds no homes.
    UnknownNameError
        No such norm.
    DataError
        A norm names a kind that does not exist.

    Notes
    -----
    New people are those who come in by the plan (`District.arrived`); who returns lived there before and needs what there is. Left
    over in a place: its size (each place 1 for norms in places) less ``amount / per`` times the residents who have it as their
    nearest. The walk is that of the kind's headline rule: its minutes and walker.
    """
    after = plan.on(district) if after is None else after
    before = district.at(plan.year_on(district), planned=plan.planned or district.with_planned)
    new = pd.DataFrame({home: dict(who) for home, who in after.arrived.items() if home not in before.arrived}).T
    if new.empty:
        raise ScenarioError(say("方案 {0} 没有新建住房（build_homes），列不出配建清单", plan.label or plan.name))
    if (new["people"] != 0).any():  # homes in which only people live who were there before ask for nothing
        new = new[(new["people"] != 0).to_numpy()]
    table = chosen_norms(after, norms)
    open_before = before.open_facilities
    already = pd.Index([]) if open_before is None else open_before.index
    rows = {str(name): _line(after, norm, new, already) for name, norm in table.iterrows()}
    return pd.DataFrame(list(rows.values()), index=pd.Index(list(rows), name="norm"), columns=list(COLUMNS))


def on_parcel(
    parcel: str | None, people: float | None, *, people_60plus: float | None = None, households: int | None = None
) -> Scenario:
    """
    Return the plan that builds homes for so many people on one parcel, for a list without a scenario of one's own.

    Raises
    ------
    ScenarioError
        Parcel or people not given.
    """
    if parcel is None or people is None:
        raise ScenarioError(say("写方案名，或写地块和人口：--parcel 地块编号 --people 人数"))
    what: dict[str, Any] = {"parcel": parcel, "home": f"{parcel}-new", "people": people}
    what |= {} if people_60plus is None else {"people_60plus": people_60plus}
    what |= {} if households is None else {"households": households}
    return Scenario(f"{parcel}-new", say("{0} 新建住房", parcel), (Edit("build_homes", what),))


def chosen_norms(district: District, norms: str | Sequence[str] | None) -> pd.DataFrame:
    """
    Return the rows of `norms.csv` that are asked for: a set, one norm, a list of either; None: all.

    Raises
    ------
    UnknownNameError
        No such norm.
    DataError
        A norm names a kind that does not exist.
    """
    table = district.rows["norms"]
    kinds = set(district.kinds.index)
    strange = [(str(n), k) for n, text in table["kinds"].items() for k in str(text).split(";") if k not in kinds]
    if strange:
        file = str(district.files.loc["norms", "file"])
        raise DataError(
            problems_table(
                [
                    Problem(
                        "error",
                        "norms",
                        file,
                        name,
                        "kinds",
                        say("没有设施类别“{0}”", kind),
                        say("改成 kinds.csv 里有的类别"),
                    )
                    for name, kind in strange
                ]
            ),
            district.folder.name,
        )
    if norms is None:
        return table
    wanted = [norms] if isinstance(norms, str) else list(norms)
    for name in wanted:
        if name not in table.index and not (table["set"] == name).any():
            raise UnknownNameError("配建标准", name, [*dict.fromkeys(table["set"]), *table.index])
    return table[(table.index.isin(wanted) | table["set"].isin(wanted)).to_numpy()]


def _line(district: District, norm: pd.Series, new: pd.DataFrame, already: pd.Index) -> dict[str, Any]:
    """Return one row of the list; `new`: who came in, by home."""
    kinds = tuple(str(norm["kinds"]).split(";"))
    people = new[norm["base"]].astype("float64")
    base = float(people.sum()) if people.notna().all() else np.nan
    required = base / float(norm["per"]) * float(norm["amount"])
    rule = norm_rule(district, norm)
    near = places_near(district, norm, people)
    own = already.get_indexer(near.index) < 0
    parts = [np.nan, np.nan] if near["left"].isna().any() else [float(near["left"][m].sum()) for m in (own, ~own)]
    at_home = required - float((people * unmet(district, norm).reindex(people.index)).sum(skipna=False)) * (
        float(norm["amount"]) / float(norm["per"])
    )
    from_own = at_home + min(parts[0], required - at_home) if np.isfinite(required) else np.nan
    absorbed = min(parts[1], required - from_own) if np.isfinite(from_own) else np.nan
    missing = required - from_own - absorbed
    missing = 0.0 if missing < ROUNDING else missing
    whole = whole_units(missing, str(norm["unit"]))
    labels = say("、").join(kind_name(district, k) for k in kinds)
    text = {c: "" if pd.isna(norm[c]) else str(norm[c]) for c in ("standard", "clause", "source", "note")}
    basis, mark = _basis(district, kinds)
    bound, said = bound_of(district, kinds), _verdict(norm, base, near, missing)
    reach = say("全街道")
    if rule is not None:
        walker = walker_name(district, district.profile(rule.profile))
        reach = say("{0}步行 {1:g} 分钟内", walker, rule.minutes)
    return {
        "label": norm["label"],
        "kinds": ";".join(kinds),
        "kind_label": labels,
        "unit": norm["unit"],
        "base": norm["base"],
        "base_amount": base,
        "required": required,
        "required_m2": required * float(norm["m2_each"]),
        "required_site_m2": required * float(norm["site_m2_each"]),
        "reach": reach,
        "own": from_own,
        "absorbed": absorbed,
        "missing": missing,
        "to_build": whole,
        "facilities": _who(near, str(norm["unit"])),
        "verdict": said if bound == EXACT or not missing > 0 else say("至多{0}（没有查全，漏了多少不知道）", said),
        "bound": bound,
        "standard_text": standing(str(norm["confidence"]), text["standard"], text["clause"], text["source"]),
        "confidence": norm["confidence"],
        "note": text["note"],
        "basis": basis,
        "mark": mark,
    }


def norm_rule(district: District, norm: pd.Series) -> Rule | None:
    """Return the rule whose walk counts for a norm: that of the headline of its first kind; None: the whole district."""
    name = district.kinds.loc[str(norm["kinds"]).split(";")[0], "rule"]
    return district.rule(str(name)) if isinstance(name, str) else None


def whole_units(missing: float, unit: str) -> float:
    """Return what is missing as it would be built: whole units, none below the least that is a place; areas as they are."""
    if unit in AREA_UNITS or not np.isfinite(missing):
        return missing
    return float(np.ceil(missing - ROUNDING)) if missing >= LEAST_PLACE - ROUNDING else 0.0


def shortage_told(missing: float, unit: str) -> float:
    """Return what is missing as it is told: in whole units, or as it is where it is less than a place; one number wherever a need is told."""
    return whole_units(missing, unit) if not missing < LEAST_PLACE - ROUNDING else missing


def shortage_number(missing: float, unit: str) -> str:
    """Write what is missing of a norm as `shortage_told` has it: less than a place with two digits."""
    small = 0 < missing < LEAST_PLACE - ROUNDING and unit not in AREA_UNITS
    return f"{missing:.2g}" if small else amount(shortage_told(missing, unit), unknown=say("数据不足"))


def shortage_in_words(missing: float, unit: str) -> str:
    """Say what is missing of a norm: one wording wherever a need is told."""
    if missing == 0:
        return say("够用")
    if missing < LEAST_PLACE - ROUNDING and unit not in AREA_UNITS:
        told = "需求不足一{0}（缺 {1} {0}），拟由周边统筹，余量待主管部门确认"
        return say(told, word(unit), shortage_number(missing, unit))
    return say("缺 {0} {1}", shortage_number(missing, unit), word(unit))


def places_near(district: District, norm: pd.Series, people: pd.Series) -> pd.DataFrame:
    """
    Return the places that serve a norm and that some homes can walk to, and what they have left over for the people there.

    Parameters
    ----------
    norm
        A row of `norms.csv`.
    people
        Index home: of whom one asks, in the norm's base; all others come first.

    Returns
    -------
    places
        Index facility; columns `name`, `size` (in the norm's unit), `users` (all others, nearest to it), `own` (those asked about, nearest
        to it; of both only those whose need their own home does not meet: `unmet`), `left` (size less what the others need, at least 0).
        Missing where a place does not say how large it is.
    """
    kinds, rule = tuple(str(norm["kinds"]).split(";")), norm_rule(district, norm)
    facilities = district.open_facilities
    columns = ("name", "size", "users", "own", "left")
    none = pd.DataFrame({c: [] for c in columns}, index=pd.Index([], name="facility"))
    if facilities is None:
        return none
    there = facilities["kind"].isin(kinds).to_numpy()
    if rule is not None and there.any():
        homes = home_points(district)["home"]
        mine = homes.index[homes.isin(people.index).to_numpy()]
        walks = pairs(district, kinds, profile=rule.profile, minutes=rule.minutes, points=mine)
        there = there & facilities.index.isin(walks.index.unique("facility"))
    if not there.any():
        return none
    own = facilities[there]
    size = _sizes(own, str(norm["field"]), str(norm["unit"]))
    share = unmet(district, norm)
    lived = _people_in(district, str(norm["base"])) * share
    asked = people.reindex(lived.index, fill_value=0.0) * share
    others, those = (
        users.reindex(own.index).fillna(0.0) for users in _users(district, kinds, rule, (lived - asked, asked))
    )
    left = (size - others * float(norm["amount"]) / float(norm["per"])).clip(lower=0.0)
    names = own["name"].fillna(own.index.to_series())
    table = pd.DataFrame({"name": names, "size": size, "users": others, "own": those, "left": left})
    return table.rename_axis("facility").sort_index()


def at_homes(district: District, norm: pd.Series) -> pd.Series:
    """Return what each home has of its own that meets a norm; missing where it does not say, 0 where the norm asks for nothing such."""
    homes, field = district.layers.get("homes"), norm.get("home_field")
    if homes is None:
        return pd.Series(dtype="float64")
    return homes[str(field)].astype("float64") if isinstance(field, str) else pd.Series(0.0, index=homes.index)


def unmet(district: District, norm: pd.Series) -> pd.Series:
    """
    Return which share of each home's need has to be met by places outside it: what a home has of its own is for those who live there.

    Where a home does not say what it has, all of it: what lacks is then at most so much.
    """
    people = _people_in(district, str(norm["base"]))
    need = people.to_numpy() * float(norm["amount"]) / float(norm["per"])
    own = np.nan_to_num(at_homes(district, norm).to_numpy())
    share = np.divide(need - own, need, out=np.ones(len(need)), where=need > 0)
    return pd.Series(np.clip(share, 0.0, 1.0), people.index)


def _people_in(district: District, base: str) -> pd.Series:
    homes = district.layers.get("homes")
    return pd.Series(dtype="float64") if homes is None else homes[base].astype("float64")


def _sizes(facilities: gpd.GeoDataFrame, field: str, unit: str) -> pd.Series:
    """Return how much each place offers in the norm's unit; missing where it does not say, or says it in another unit."""
    if field == "count":
        return pd.Series(1.0, index=facilities.index)
    if field == "area_m2":
        area: pd.Series = facilities.geometry.area
        return area.where(area > 0)
    size = facilities[field].astype("float64")
    if field == "capacity":
        size = size.where(facilities["capacity_unit"].isna() | (facilities["capacity_unit"] == unit))
    return size


def _users(
    district: District, kinds: Sequence[str], rule: Rule | None, groups: Sequence[pd.Series]
) -> Iterator[pd.Series]:
    """Yield how many of each group of people (index home) have each place as their nearest, index facility."""
    walker = "adult" if rule is None else rule.profile
    walker = walker if walker in district.profiles.index else str(district.profiles.index[0])
    tables = [table for _, table in sorted(od_tables(district, kinds, profile=walker).items())]
    points, minutes = home_points(district), np.column_stack([table["minutes"] for table in tables])
    best = np.argmin(np.nan_to_num(minutes, nan=np.inf), axis=1)  # of equally near ones the first kind
    facilities = np.column_stack([table["facility_minutes"].to_numpy(object) for table in tables])
    nearest = facilities[np.arange(len(points)), best]
    for people in groups:
        there = people.reindex(points["home"]).to_numpy() * points["weight"].to_numpy()
        yield pd.Series(there).groupby(nearest).sum()


def _who(near: pd.DataFrame, unit: str) -> str:
    """Name the places near and what each has left."""
    parts = []
    for row in near.sort_values("left", ascending=False, kind="stable").head(6).itertuples():
        left = say("规模不详") if np.isnan(row.left) else say("余 {0} {1}", amount(row.left, 1), word(unit))
        parts.append(say("{0}（{1}）", row.name, left))
    return say("；").join(parts) + (say(" 等 {0} 处", len(near)) if len(near) > 6 else "")


def _verdict(norm: pd.Series, base: float, near: pd.DataFrame, missing: float) -> str:
    if np.isnan(base):
        return say("数据不足：新建住房没有写{0}", say(_BASES[str(norm["base"])]))
    if near["left"].isna().any():
        silent = near.index[near["left"].isna().to_numpy()]
        told = "数据不足：附近 {0} 处设施没有写{1}（{2}）"
        return say(told, len(silent), say(_FIELDS[str(norm["field"])]), say("、").join(silent[:3]))
    return shortage_in_words(missing, str(norm["unit"]))


_BASES = {"people": "常住人口", "people_60plus": "60岁及以上", "households": "户数"}
_FIELDS = {"count": "个数", "capacity": "规模", "floor_area_m2": "建筑面积", "area_m2": "用地范围（画成面）"}


def _basis(district: District, kinds: Sequence[str]) -> tuple[str, str]:
    """Return the weakest input of a row, and the mark it carries."""
    used = [district.basis(layer) for layer in ("homes", "streets") if layer in district.layers]
    facilities = district.layers.get("facilities")
    if facilities is not None:
        used.append(district.basis("facilities")[facilities["kind"].isin(kinds).to_numpy()])
    found = {basis for own in used for basis in own.unique()}
    weakest = [b for b in BASIS_LABELS if b in found]
    mark = say("演示值（不作结论）") if found & set(DEMONSTRATION) else ""
    return (weakest[-1] if weakest else ""), mark
