"""
Receipts: a printed figure written out as what it is added up from, in one small file.

`tools/readd.py`, which needs nothing but Python, adds a receipt up again and prints the figure. A figure that rests on walks is
followed down to the metres and waits of each point's way; ways that run together are written once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import shapely
from scipy.spatial import cKDTree

from ..access import (
    EXACT,
    TOLERANCE_MIN,
    Trips,
    coverage,
    effects,
    facility_entrances,
    headlines,
    home_points,
    presence,
    summary,
)
from ..core import TOLERANCE_M, Profile, Rule, SourceError, UnknownNameError, counted, refuse_uncleared, say, word
from ..district import District, rule_name
from ..ledger import Lacks, beyond, measure_rows, number_text, terms
from ..ledger import ledger as evaluate
from .files import cannot_write_into, write_bytes

Receipt = dict[str, Any]
#: The columns of a point in a receipt: what is walked on the first street goes on at `onward` (a step, or a door of a facility).
POINT = ("home", "point", "x", "y", "gate", "metres_before_street", "street", "metres", "wait_minutes", "onward")
#: Metres and minutes are written to so many decimals: a millionth of the tolerance of a limit.
DECIMALS = 12


def receipt(district: District, figure: str, *, after: District | None = None, to: str | Path | None = None) -> Receipt:
    """
    Write out what a printed figure is added up from.

    Parameters
    ----------
    district
        What `District.load` opened; it stays as it was.
    figure
        A rule: its headline (brief, sheets, workbook). Or a measure of the ledger: the value of its row.
    after
        The district with a plan (`plan.on(district)`): of a rule, what the comparison of the two says.
    to
        A file (.json) to write it to.

    Returns
    -------
    dict
        `figure`, `label`, `district`, `inputs` (file and hash of every layer), `how` it is added up, what from (`homes`: name,
        weight, people; `walks`: rule, points, steps, doors; or `rows`: id, name, value, weight), and `printed`: per number what it
        is, its format, and its text as printed. Where nothing is added up (`how` "stated": an area, a length, an index,
        数据不足) the number and the files it rests on. Metres, minutes, people; coordinates in the CRS of the district.

    Raises
    ------
    UnknownNameError
        No such rule or measure.
    SourceError
        A comparison of a measure: the ledger is compared row by row.
    EnvironmentProblem
        The file cannot be written.
    """
    refuse_uncleared(district.manifest, "写出算式")
    measures = {str(m["measure"]): m for m in measure_rows(district)}
    if figure not in district.rules.index and figure not in measures:
        raise UnknownNameError("规则或量法", figure, [*map(str, district.rules.index), *measures])
    if figure not in district.rules.index:
        if after is not None:
            raise SourceError(f"{figure} 是核对表的量法；方案前后各写一份，再相减")
        found = _of_measure(district, measures[figure])
    elif after is None:
        found = _of_headline(district, district.rule(figure))
    else:
        found = _of_change(district, after, district.rule(figure))
    found = {"receipt": 1, "figure": figure, **_head(district), **found}
    if to is not None:
        _write(found, Path(to))
    return found


def _head(district: District) -> Receipt:
    files = district.files
    return {
        "district": {"name": district.name, "code": district.code, "year": district.year, "crs": district.crs},
        "inputs": {str(layer): {"file": row["file"], "sha256": row["sha256"]} for layer, row in files.iterrows()},
    }


def _write(found: Receipt, path: Path) -> None:
    """Write a receipt, long tables a row to a line."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, (_lines(found) + "\n").encode("utf-8"))
    except OSError as error:
        raise cannot_write_into(path.parent, error) from error


def _lines(value: object, depth: int = 0) -> str:
    """Return JSON that people can look through: what holds further tables is broken into lines, a row is one line."""
    deep = isinstance(value, (dict, list)) and any(isinstance(v, (dict, list)) for v in _values(value))
    if not deep:
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        inner = [f"{json.dumps(k, ensure_ascii=False)}: {_lines(v, depth + 1)}" for k, v in value.items()]
    else:
        inner = [_lines(v, depth + 1) for v in _values(value)]
    begin, end = "{}" if isinstance(value, dict) else "[]"
    return begin + "\n" + ",\n".join(" " * (depth + 1) + line for line in inner) + "\n" + " " * depth + end


def _values(value: object) -> list[object]:
    return list(value.values()) if isinstance(value, dict) else list(value) if isinstance(value, list) else []


# --- headlines -------------------------------------------------------------------------------------------------------


def _of_headline(district: District, rule: Rule) -> Receipt:
    cover = coverage(district, rules=[rule])
    if cover.empty:
        return _stated(rule_name(district, rule), say("数据不足"))
    lead = headlines(district, cover).loc[rule.name]
    base = {"label": rule_name(district, rule), "headline": str(lead["headline"]), "mark": str(lead["mark"])}
    if not np.isfinite(float(lead["value"])):
        return {**base, **_stated(base["label"], say("数据不足"))}
    if rule.metric == "presence":
        return {**base, **_communities(district, rule), "printed": _printed(lead, [("value", "{n} / {of}")], district)}
    own, denominator = cover.xs(rule.name, level="rule"), str(lead["denominator"])
    weight = pd.Series(1.0, index=own.index) if denominator == "homes" else own[denominator]
    people = own["people_60plus" if denominator == "people_60plus" else "people"]
    wanted = [("value", "{value:.0%}"), ("value", "{value:.1%}")]
    if lead["bound"] == EXACT and lead["people_unserved"] >= 0.5:
        wanted.append(("missed", "{missed:,.0f}"))
    homes = _homes(own["name"], weight.where(own["served"].notna()), people)
    return {**base, **_walks(district, [rule], homes), "of": denominator, "printed": _printed(lead, wanted, district)}


def _printed(lead: pd.Series, wanted: Sequence[tuple[str, str]], district: District) -> list[list[str]]:
    """Return figures as pages print them, from the table of headlines: what, format, text."""
    value, n = float(lead["value"]), len(presence(district))
    numbers = {"value": value, "missed": float(lead["people_unserved"]), "n": round(value * n), "of": n}
    return [[what, form, form.format(**numbers)] for what, form in wanted]


def _stated(label: str, text: str) -> Receipt:
    return {
        "label": label,
        "how": "stated",
        "printed": [[say("数值"), text.replace("{", "{{").replace("}", "}}"), text]],
    }


def _homes(names: pd.Series, weight: pd.Series, people: pd.Series) -> dict[str, list[object]]:
    rows = zip(names.index, names, weight, people, strict=True)
    return {str(home): [_text(name), _number(w), _number(p)] for home, name, w, p in rows}


def _text(value: object) -> str | None:
    return None if pd.isna(value) else str(value)


def _number(value: float) -> float | None:
    return None if pd.isna(value) else float(value)


def _communities(district: District, rule: Rule) -> Receipt:
    """Return the communities and how many open facilities of a rule's kinds each has."""
    matrix = presence(district).reindex(columns=list(rule.kinds), fill_value=0).sum(axis=1)
    communities = district.communities
    names = pd.Series(dtype="object") if communities is None else communities["name"]
    rows = [[str(code), _text(names.get(code)), float(n), 1.0] for code, n in matrix.items()]
    return {"how": "has share", "times": 1.0, "rule": _told(district, rule), "rows": rows}


# --- walks -----------------------------------------------------------------------------------------------------------


def _walks(
    district: District, rules: Sequence[Rule], homes: Mapping[str, Sequence[object]], combine: str = "all"
) -> Receipt:
    """Return the points of homes and how they get to what each rule asks for."""
    walks = [_walk(district, rule, homes) for rule in rules]
    return {
        "how": "walks",
        "times": 1.0,
        "combine": combine,
        "homes": dict(homes),
        "columns": list(POINT),
        "walks": walks,
    }


def _told(district: District, rule: Rule) -> Receipt:
    """Return what a receipt says of a rule."""
    told = {"name": rule.name, "label": rule.label, "kinds": list(rule.kinds), "standard": rule.basis_text}
    return told if rule.metric == "presence" else {**told, "profile": rule.profile}


def _walk(district: District, rule: Rule, homes: Mapping[str, Sequence[object]]) -> Receipt:
    timed = rule.method == "walk_min"
    walker = district.profile(rule.profile)
    limits = (
        {"limit": rule.minutes, "tolerance": TOLERANCE_MIN}
        if timed
        else {"limit": rule.metres, "tolerance": TOLERANCE_M}
    )
    head = {"rule": _told(district, rule), "method": rule.method, **limits, "speed_m_s": walker.speed_m_s}
    ways = (
        _straight_lines(district, rule) if rule.method == "buffer" else _ways(district, rule, walker if timed else None)
    )
    points = home_points(district)
    asked = np.flatnonzero(points["home"].isin(list(homes)).to_numpy())
    return {**head, **ways.written(points, asked)}


class _Ways(NamedTuple):
    """How each point gets there (what of `POINT` comes after x and y), the steps that ways share, the doors they end at."""

    rows: Mapping[int, Sequence[object]]
    steps: dict[str, list[object]]
    doors: dict[str, list[object]]

    def written(self, points: pd.DataFrame, asked: np.ndarray) -> Receipt:
        xy = shapely.get_coordinates(points.geometry.to_numpy()[asked])
        home = points["home"].to_numpy(object)
        none = (None, 0.0, None, 0.0, 0.0, None)
        rows = [
            [str(home[p]), int(p), round(float(x), 6), round(float(y), 6), *self.rows.get(int(p), none)]
            for p, (x, y) in zip(asked, xy, strict=True)
        ]
        return {"points": rows, "steps": self.steps, "doors": self.doors}


def _open(district: District, rule: Rule) -> pd.DataFrame:
    facilities = district.open_facilities
    if facilities is None:
        return pd.DataFrame({"kind": []})
    return facilities[facilities["kind"].isin(list(rule.kinds)).to_numpy()]


def _straight_lines(district: District, rule: Rule) -> _Ways:
    """Return each point's nearest entrance as the crow flies."""
    open_now = _open(district, rule)
    if open_now.empty:
        return _Ways({}, {}, {})
    doors = facility_entrances(district, open_now)
    xy = doors[["x", "y"]].to_numpy()
    nearest = cKDTree(xy).query(shapely.get_coordinates(home_points(district).geometry.to_numpy()))[1]
    used = {f"d{k}": [str(doors["place"].iloc[k]), *map(float, xy[k])] for k in np.unique(nearest)}
    return _Ways({p: (None, 0.0, None, 0.0, 0.0, f"d{k}") for p, k in enumerate(nearest)}, {}, used)


def _ways(district: District, rule: Rule, walker: Profile | None) -> _Ways:
    """Return each point's way, by least minutes of a walker or by least metres."""
    trips = Trips(district, _open(district, rule).index, walker)
    gates, access = trips.doors["gate"].to_numpy(object), trips.doors["access_m"].to_numpy(float)
    rows: dict[int, Sequence[object]] = {}
    steps: dict[str, list[object]] = {}
    doors: dict[str, list[object]] = {}
    for point in range(len(trips.points)):
        trip = trips.of(point)
        if trip is None:
            continue
        if trip.way is None:  # a walk that never leaves the home
            doors[f"in {trip.facility}"] = [trip.facility, 0.0]
            rows[point] = (None, round(trip.metres, DECIMALS), None, 0.0, 0.0, f"in {trip.facility}")
            continue
        node, row = trip.way.node, trip.way_out
        walked = trips.tree.told(trip.way.pieces[0])
        onward = f"d{trip.way.door}" if node < 0 else f"n{node}"
        rows[point] = (_text(gates[row]), float(access[row]), *_rounded(walked), onward)
        door = trips.targets.iloc[trip.way.door]
        doors[f"d{trip.way.door}"] = [str(door["place"]), float(door["access_m"])]
        while node >= 0 and f"n{node}" not in steps:
            there, piece = trips.tree.next_of(node)
            steps[f"n{node}"] = [*_rounded(trips.tree.told(piece)), f"n{there}" if there >= 0 else f"d{trip.way.door}"]
            node = there
    return _Ways(rows, steps, doors)


def _rounded(walked: tuple[str, float, float]) -> Iterator[object]:
    street, metres, wait = walked
    yield from (street or None, round(metres, DECIMALS), round(wait, DECIMALS))


# --- the ledger ------------------------------------------------------------------------------------------------------


def _of_measure(district: District, m: Mapping[str, Any]) -> Receipt:
    name = str(m["measure"])
    rows = evaluate(district).xs(name, level="measure") if m["commitment"] else beyond(district).loc[[name]]
    row = rows.iloc[0]
    value, unit, label = float(row["value"]), str(row["unit"]), str(row["label"])
    base = {
        "label": label,
        "sentence": str(row["text"]),
        "formula": str(row["formula"]),
        "verdict": str(row["verdict"]),
    }
    if not np.isfinite(value):
        return {**base, **_stated(label, str(row["needs"]) or str(row["verdict"]))}
    printed = number_text(value, unit)
    try:
        parts = terms(district, m)
    except Lacks:
        parts = None
    if parts is None:
        return {**base, **_stated(label, printed)}
    tail = counted(value, word(unit))
    digits = number_text(value, "").rpartition(".")[2] if "." in number_text(value, "") else ""
    form = f"{{value:,.{len(digits)}f}} {tail}".strip()
    told = {**base, "how": parts.how, "times": parts.times, "printed": [[label, form, printed]]}
    if parts.how == "walks":
        homes = _homes(parts.rows["name"], parts.rows["value"], parts.rows["value"] * np.nan)
        return {**told, **_walks(district, parts.rules, homes, parts.combine), "times": parts.times}
    table = zip(parts.rows.index, parts.rows["name"], parts.rows["value"], parts.rows["weight"], strict=True)
    return {**told, "rows": [[str(key), _text(called), float(v), float(w)] for key, called, v, w in table]}


# --- a plan ----------------------------------------------------------------------------------------------------------


def _of_change(before: District, after: District, rule: Rule) -> Receipt:
    """Return what the comparison of two states says of a rule: both shares, and who gains and loses in homes that stand in both."""
    row = effects(before, after, rules=[rule]).loc[rule.name]
    numbers = {"before": row["before"], "after": row["after"], "gain": row["people_gain"], "lose": row["people_lose"]}
    if not np.isfinite([row["before"], row["after"]]).all():
        return _stated(rule_name(before, rule), say("数据不足"))
    forms = [(key, f"{{{key}:.1%}}") for key in ("before", "after")] + [
        (key, f"{{{key}:,.0f}}") for key in ("gain", "lose")
    ]
    return {
        "label": rule_name(before, rule),
        "how": "change",
        "plan": str(after.manifest.get("scenario", "")),
        "before": _side(before, rule),
        "after": _side(after, rule),
        "printed": [[key, form, form.format(**{k: float(v) for k, v in numbers.items()})] for key, form in forms],
    }


def _side(district: District, rule: Rule) -> Receipt:
    """Return one side of a comparison: its homes by the rule's denominator, as `summary` adds them up."""
    cover = coverage(district, rules=[rule])
    own, total = cover.xs(rule.name, level="rule"), summary(cover).loc[rule.name]
    known = own["served"].notna()
    if rule.metric == "presence":
        found = _communities(district, rule)
        lived_in = set(own["community"][known].dropna())
        found["rows"] = [row for row in found["rows"] if row[0] in lived_in]
        at = own["community"]
        rows = zip(own.index, own["name"], at, own["people"], strict=True)
        found["homes"] = {str(home): [_text(name), _text(c), _number(p)] for home, name, c, p in rows}
        if np.isfinite(total["communities"]):
            return found
    denominator = rule.denominator if rule.denominator != "community" else "homes"
    weight = pd.Series(1.0, index=own.index) if denominator == "homes" else own[denominator]
    return _walks(district, [rule], _homes(own["name"], weight.where(known), own["people"]))
