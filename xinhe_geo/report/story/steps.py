"""What to do next: the proven sites for the goal that falls shortest, one, two and three of them, and how they are kept."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely

from ...core import rounded, speaking
from ...district import District
from ...siting import LETTERS
from ..analysis import Analysis, sited
from ..record import read_json, record_of
from .goals import counted_in
from .records import Goal, Place, Step, people, share

#: So many new places at most: the rows of the table of plans.
MOST = 3
#: The outline of the ground in which a place may stand is drawn with this much less detail (metres).
ZONE_M = 2.0
#: Where the sites that were worked out are kept, beside the report.
KEPT = "suggested.json"

Rows = list[dict[str, Any]]


def siting_order(worst: Sequence[Goal]) -> list[str]:
    """Return the rules in which a site is looked for: what the plan itself promises first, then what misses most people."""
    return [goal.rule for goal in sorted(worst, key=lambda goal: not goal.own)]


def suggested(analysis: Analysis, rules: Sequence[str], *, every: bool, kept: Path | None = None) -> dict[str, Rows]:
    """
    Return the sites of the first rule that a new place helps, or of `every` one; those `kept` for the same inputs are taken over.

    Returns
    -------
    rows
        Rule -> one row of plain numbers and texts per number of places, as `steps_of` reads them and as the file holds them.
    """
    key, found = _key(analysis), dict[str, Rows]()
    known = {} if kept is None else read_json(kept)
    before = known["rules"] if known.get("key") == key and isinstance(known.get("rules"), Mapping) else {}
    with speaking(analysis.lang):
        for rule in rules:
            rows = before[rule] if _readable(before.get(rule)) else _sites_of(analysis.district, rule)
            found[rule] = rows
            if rows and not every:
                break
    return found


def text_of(analysis: Analysis, found: Mapping[str, Rows]) -> str:
    """Return what is kept of `suggested`, as its file holds it."""
    return json.dumps({"key": _key(analysis), "rules": found}, ensure_ascii=False, indent=1) + "\n"


def _key(analysis: Analysis) -> str:
    """Return the hash of all that the sites follow from: the district's files, what was asked, the library and its tables."""
    record = record_of(analysis.district, analysis, analysis.preset)
    here, total = Path(__file__).parents[2], hashlib.sha256()
    for path in sorted(here.rglob("*.py")):
        total.update(path.relative_to(here).as_posix().encode() + hashlib.sha256(path.read_bytes()).digest())
    said = [record[name] for name in ("parameters", "inputs", "versions")]
    total.update(json.dumps([said, analysis.lang], ensure_ascii=False, sort_keys=True).encode())
    return total.hexdigest()


_NUMBERS = ("people", "people_60plus", "communities", "before", "after", "short_of_proof")


def _readable(rows: object) -> bool:
    """Whether rows that were kept have the form of those that are made here."""
    if not isinstance(rows, list):
        return False
    return all(
        isinstance(row, dict)
        and all(name in row and isinstance(row[name], int | float | None) for name in _NUMBERS)
        and isinstance(row.get("places"), list)
        and all(isinstance(place, list) and [type(v) for v in place] == [str, float, float] for place in row["places"])
        and isinstance(row.get("zones"), list)
        and len(row["zones"]) == len(row["places"])
        for row in rows
    )


def _sites_of(district: District, rule: str) -> Rows:
    rows: Rows = []
    for number in range(1, MOST + 1):
        table = sited(district, rule, number)
        if table is None:
            break
        row = _row(table[(table["plan"] == table["plan"].iloc[0]).to_numpy()])
        if len(row["places"]) < number or (
            rows and all(_number(row, name) <= _number(rows[-1], name) for name in ("people", "after"))
        ):
            break  # one more place brings nobody more
        rows.append(row)
    return rows


def _row(table: gpd.GeoDataFrame) -> dict[str, Any]:
    last, gap = table.iloc[-1], float(table["gap"].max())
    spots = zip(table["name"], table.geometry.x, table.geometry.y, strict=True)
    numbers = {
        "people": last["people_cumulative"],
        "people_60plus": last["people_60plus_cumulative"],
        "communities": last["communities_cumulative"],
        "before": last["share_before"],
        "after": last["share_after"],
        "short_of_proof": 0.0 if table["proven"].all() else gap,
    }
    return {
        "places": [[str(name), round(float(x), 2), round(float(y), 2)] for name, x, y in spots],
        "zones": [_rings(zone) for zone in table["may_stand"]],
        **{name: float(value) if math.isfinite(value) else None for name, value in numbers.items()},
    }


def _rings(zone: str) -> list[list[list[float]]]:
    """Return the rings of an area given as WKT, to be drawn: the corners of each in metres."""
    parts = shapely.get_parts(shapely.simplify(shapely.from_wkt(zone), ZONE_M)) if zone else []
    rings = [ring for part in parts if part.geom_type == "Polygon" for ring in (part.exterior, *part.interiors)]
    return [np.round(shapely.get_coordinates(ring)[:-1], 1).tolist() for ring in rings]


def _number(row: Mapping[str, Any], name: str) -> float:
    """Return a number of a row; what nobody knows is null in its file."""
    return math.nan if row[name] is None else float(row[name])


def steps_of(district: District, goal: Goal, rows: Rows) -> tuple[Step, ...]:
    """Return the plans of one, two and three places as they are told."""
    rule, of = district.rule(goal.rule), counted_in(district.rule(goal.rule))
    spots = list(dict.fromkeys((place[1], place[2]) for row in rows for place in row["places"]))
    tags = dict(zip(spots, LETTERS, strict=False))  # a place has one letter in every plan that it is part of
    steps = []
    for number, row in enumerate(rows, 1):
        gained, about = _number(row, of), f"{goal.rule}/+{number}"
        left = rounded(goal.unserved.value) - rounded(gained)  # as printed, so that the three agree
        steps.append(
            Step(
                rule=goal.rule,
                number=number,
                places=tuple(Place(tags[x, y], where, x, y) for where, x, y in row["places"]),
                gained=people("gained", about, gained, of),
                before=share("share", about, _number(row, "before"), rule.denominator),
                after=share("share_after", about, _number(row, "after"), rule.denominator),
                left=people("left", about, left if math.isnan(left) else max(left, 0.0), of),
                unproven=share("unproven", about, _number(row, "short_of_proof")),
                communities=int(_number(row, "communities")) if rule.metric == "presence" else 0,
            )
        )
    return tuple(steps)
