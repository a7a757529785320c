"""What each community has and lacks: who lives there, how long the walks are, which targets it misses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..access import SHARE_TOLERANCE, TOLERANCE_MIN, home_points, od_table, presence
from ..core import cell, language, listed, per_cent, say
from ..district import District, kind_name
from .ledger import MET, NO_DATA, PARTLY, UNMET, beyond, canonical, judged
from .metrics.base import Lacks, Measure, kinds_of, measure_rows, once, whole_text
from .metrics.homes import by_home
from .metrics.places import living_text, residents

#: Metrics whose number of the district is a mean over its homes, so that each community has its own.
_PER_HOME = ("coverage", "completeness", "capacity")
#: Longest walk of the circle, in minutes.
CIRCLE_MIN = 15.0


def community_overview(district: District) -> pd.DataFrame:
    """
    Say of each community who lives there, and what it has and lacks.

    Returns
    -------
    overview
        Index community, in the order of the list. `name`; `zone` (its name); `homes`, `people`, `people_60plus` (missing where no
        home of it says), `area_m2` (of the homes); `has` (kinds with their number); `lacks_promised` (kinds promised to every
        community), `lacks_essential` (other kinds of daily life). Empty where there are no communities.
    """
    communities, homes, kinds = district.communities, district.homes, district.kinds
    if communities is None:
        return pd.DataFrame()
    counts_of, lead, essential = (
        presence(district).to_dict("index"),
        kinds["lead"].to_dict(),
        kinds["essential"].to_dict(),
    )
    rows, numbers = [], pd.DataFrame()
    if homes is not None:
        own = district.groups.get("community", pd.Series(dtype="str")).reindex(homes.index).to_numpy(object)
        numbers = pd.DataFrame(homes[["people", "people_60plus"]]).astype("float64").assign(area_m2=homes.geometry.area)
    for code, name in communities["name"].items():
        row: dict[str, object] = {"community": code, "name": name, "zone": ""}
        if homes is not None:
            mine = numbers.take(np.flatnonzero(own == code))
            row |= {c: mine[c].sum(min_count=1) for c in ("people", "people_60plus")}
            row |= {"homes": len(mine), "area_m2": float(mine["area_m2"].sum())}
        counts = counts_of.get(code, {})
        absent = [k for k, n in counts.items() if n == 0]  # missing where a map shows none: nobody knows
        promised = [k for k in absent if lead[k] == "community"]
        row["has"] = say("、").join(f"{kind_name(district, k)} {int(n)}" for k, n in counts.items() if n > 0)
        row["lacks_promised"] = say("、").join(kind_name(district, k) for k in promised)
        row["lacks_essential"] = say("、").join(
            kind_name(district, k) for k in absent if essential[k] and k not in promised
        )
        rows.append(row)
    frame = pd.DataFrame(rows).set_index("community")
    zones = district.zones
    if zones is not None:
        frame["zone"] = district.locate(communities)["zone"].map(zones["name"]).fillna("")
    return frame


def community_minutes(district: District) -> pd.DataFrame:
    """
    Say how long people of each community walk to the nearest place of each kind of daily life.

    Returns
    -------
    minutes
        Index (community, kind): `minutes` (mean of those who get anywhere, by people, or by points of homes where nobody is known),
        `within` (share of them within 15 minutes). The first walker of `profiles.csv` walks.
    """
    total = walked_minutes(district).groupby(level=["community", "kind"], sort=True).sum()
    found = pd.DataFrame({"minutes": total["spent"] / total["reached"].where(total["reached"] > 0)})
    found["within"] = total["near"] / total["weight"].where(total["weight"] > 0)
    return found


def walked_minutes(district: District) -> pd.DataFrame:
    """
    Return what `community_minutes` is added up from, home by home.

    Returns
    -------
    parts
        Index (community, home, kind): `weight` (people, or points of homes where nobody is known), of them `reached` (who get anywhere) and
        `near` (within 15 minutes), and `spent` (the minutes of all of them).
    """
    kinds = [k for k in district.kinds.index[district.kinds["essential"]] if k in district.surveyed_kinds]
    points, homes = home_points(district), district.homes
    if homes is None or points.empty or not kinds or "streets" not in district.layers:
        nothing = pd.MultiIndex.from_arrays([[], [], []], names=["community", "home", "kind"])
        return pd.DataFrame(columns=["weight", "reached", "spent", "near"], index=nothing, dtype="float64")
    walks = od_table(district, kinds, profile=str(district.profiles.index[0]))["minutes"].reset_index()
    people = points["weight"] * points["home"].map(homes["people"].astype("float64"))
    community = points["home"].map(district.groups["community"])
    nobody = people.groupby(community).transform("sum") <= 0
    weight = people.where(~nobody, points["weight"]).fillna(0.0)
    walks["community"] = walks["point"].map(community)
    walks["weight"] = walks["point"].map(weight)
    walks["reached"] = walks["weight"].where(walks["minutes"].notna(), 0.0)
    walks["spent"] = (walks["weight"] * walks["minutes"]).fillna(0.0)
    walks["near"] = walks["weight"].where(walks["minutes"] <= CIRCLE_MIN + TOLERANCE_MIN, 0.0)
    own = walks.groupby(["community", "home", "kind"], sort=True)
    return own[["weight", "reached", "spent", "near"]].sum()


def community_targets(district: District, table: pd.DataFrame) -> pd.DataFrame:
    """
    Say where each community stands on every measure that can be taken of one community.

    Parameters
    ----------
    table
        Result of `ledger`.

    Returns
    -------
    targets
        Index (community, measure): `commitment`, `label`, `value`, `unit`, `whole` (the district's own number), `target_text`,
        `verdict` (of this community; 演示值 as in the ledger), `short` (whether something is missing), `missed` (how much that is, of what
        the measure counts; 0 where it is not told), `text` (in a sentence). Own measures of the plan, and capacity.
    """
    # two outputs ask for the same; the key is what they ask of
    table = canonical(table)
    key = (
        "community_targets",
        language(),
        tuple(table.index),
        tuple(table["verdict"]),
        tuple(table["value"].map(repr)),
    )
    targets: pd.DataFrame = once(district, key, lambda: _targets(district, table))
    return targets.copy(deep=False)


def _targets(district: District, table: pd.DataFrame) -> pd.DataFrame:
    both = [table.reset_index("commitment"), beyond(district).assign(commitment="")]
    rows = pd.concat([part for part in both if len(part)] or both[:1])
    known = {str(m["measure"]): m for m in measure_rows(district)}
    parts = []
    for key, row in rows.iterrows():
        m = known.get(str(key))
        own = row["role"] == "own" and bool(row["commitment"])
        if m is None or row["verdict"] == NO_DATA or not (own or m["metric"] == "capacity"):
            continue
        parts += list(
            _of_presence(district, m, row) if m["metric"] == "communities_with" else _of_homes(district, m, row)
        )
    columns = [
        "community",
        "measure",
        "commitment",
        "label",
        "value",
        "unit",
        "whole",
        "target_text",
        "verdict",
        "short",
        "text",
        "missed",
    ]
    frame = pd.DataFrame(parts, columns=columns)
    communities = district.communities
    order = {} if communities is None else {code: i for i, code in enumerate(communities.index)}
    return frame.sort_values("community", key=lambda s: s.map(order), kind="stable").set_index(["community", "measure"])


def _of_presence(district: District, m: Measure, row: pd.Series) -> Iterator[dict[str, object]]:
    """Whether each community has the kinds."""
    kinds = kinds_of(m)
    counts = presence(district).reindex(columns=kinds, fill_value=0)
    if m["scope"] == "community":
        names = district.layers["communities"]["name"]
        counts = counts[counts.index.isin(listed(m["codes"])) | names.reindex(counts.index).isin(listed(m["codes"]))]
    elif m["scope"] != "district":
        return
    for code, own in counts.iterrows():
        has = bool((own > 0).all() if m["combine"] == "all" else (own > 0).any())
        lacking = [kind_name(district, k) for k in kinds if own[k] == 0]
        said = say("有")
        if not has:
            living = living_text(residents(district, m, pd.Index([code])))
            said = say("缺{0}，{1}", (say("和") if m["combine"] == "all" else say("或")).join(lacking), living)
        verdict = row["verdict"] if row["verdict"] not in (MET, PARTLY, UNMET) else MET if has else UNMET
        target = say("要有")
        yield _target_row(code, m, row, _There(1.0 if has else 0.0, "", target, verdict, not has, said))


def _of_homes(district: District, m: Measure, row: pd.Series) -> Iterator[dict[str, object]]:
    """The mean of a measure over the homes of each community, and who falls short."""
    if m["metric"] not in _PER_HOME:
        return
    try:
        share, weight, words = by_home(district, m)
    except Lacks:
        return
    frame = pd.DataFrame({"part": share * weight, "weight": weight.where(share.notna())}).dropna()
    frame["community"] = district.groups["community"].reindex(frame.index)
    total = frame.groupby("community")[["part", "weight"]].sum()
    for code, (part, whole) in total[(total["weight"] > 0).to_numpy()].iterrows():
        value, missed = part / whole * 100, whole - part
        verdict = row["verdict"] if row["verdict"] not in (MET, PARTLY, UNMET) else judged(m, value)
        short = bool(missed > SHARE_TOLERANCE * whole)
        # a mean of shares of kinds is no number of people
        counted = short and (m["metric"] != "completeness" or m["combine"] == "all")
        said = per_cent(value / 100.0, 0) + (say("，差 {0}", _amount(missed, words)) if counted else "")
        there = _There(value, "%", row["target_text"], verdict, short, said, missed if counted else 0.0)
        yield _target_row(code, m, row, there)


def _amount(value: float, words: str) -> str:
    if words.startswith("m²"):
        return say("{0:.1f} 公顷{1}", value / 10000.0, words.removeprefix("m²").strip())
    return whole_text(value, words)


class _There(NamedTuple):
    """How one community stands to one measure: columns of the table of targets."""

    value: float
    unit: str
    target_text: str
    verdict: str
    short: bool
    text: str
    missed: float = 0.0


def _target_row(code: object, m: Measure, row: pd.Series, there: _There) -> dict[str, object]:
    known = {"community": code, "measure": m["measure"], "commitment": m["commitment"], "label": cell(m, "label")}
    return {**known, "whole": row["value"], **there._asdict()}


def shares_by_measure(targets: pd.DataFrame) -> dict[str, pd.Series]:
    """Return of `community_targets`, per measure, the known shares of all communities; index community."""
    known = targets["value"].dropna().groupby(level="measure") if len(targets) else ()
    return {str(measure): own.droplevel("measure") for measure, own in known}


def standing(shares: pd.Series) -> pd.Series:
    """Return the place of each share from the top, 1 the highest; those that are the same share a place."""
    return shares.round(9).rank(ascending=False, method="min").astype(int)


def community_sheet(district: District, table: pd.DataFrame) -> pd.DataFrame:
    """Return 社区一览 for the workbook: one row per community, what it has and lacks, and one column per measure."""
    overview = community_overview(district)
    if overview.empty:
        return pd.DataFrame({"说明": [say("数据不足：没有社区界（layers.communities）")]})
    names = {
        "name": "社区",
        "zone": "分区",
        "homes": "小区数",
        "people": "常住人口",
        "people_60plus": "60岁及以上",
        "has": "有",
        "lacks_promised": "要求每个社区都有、这里缺",
        "lacks_essential": "其他必备设施里缺",
    }
    sheet = overview[[c for c in names if c in overview]].rename(columns=names)
    sheet.insert(0, "社区代码", sheet.index)
    targets = community_targets(district, table)
    if len(targets):
        heads = targets["label"].groupby(level="measure", sort=False).first()
        wide = targets["text"].unstack("measure").reindex(columns=heads.index)
        wide.columns = pd.Index([say("{0}（{1}）", heads[c], c) for c in wide.columns])
        sheet = sheet.join(wide)
    return sheet.reset_index(drop=True)
