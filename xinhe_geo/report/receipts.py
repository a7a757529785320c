"""
Receipts: a printed figure written out as what it is added up from, in one small file.

`tools/readd.py`, which needs nothing but Python, adds a receipt up again and prints the figure. A figure that rests on walks is
followed down to the metres and waits of each point's way; ways that run together are written once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
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
    as_divided,
    coverage,
    crowding,
    effects_of,
    facility_entrances,
    headlines,
    home_points,
    presence,
    summary,
)
from ..core import (
    TOLERANCE_M,
    Profile,
    Rule,
    SourceError,
    UnknownNameError,
    amount,
    named_by_homes,
    per_cent,
    refuse_uncleared,
    say,
    title,
    write_text,
)
from ..district import District, Named, meant, must_be_district, rule_name
from ..ledger import Lacks, Terms, beyond, measure_rows, terms
from ..ledger import ledger as evaluate
from .analysis import Analysis
from .story.change import with_net
from .story.story import Story
from .sums import (
    Rows,
    having,
    homes_of,
    joined,
    moved,
    number_form,
    of_ledger,
    of_remedies,
    of_steps,
    of_story,
    other_ways,
    way_label,
    weights,
)

Receipt = dict[str, Any]
#: The columns of a point in a receipt: what is walked on the first street goes on at `onward` (a step, or a door of a facility).
POINT = ("home", "point", "x", "y", "gate", "metres_before_street", "street", "metres", "wait_minutes", "onward")
#: Metres and minutes are written to so many decimals: a millionth of the tolerance of a limit.
DECIMALS = 12


@named_by_homes
def receipt(
    district: District, figure: Named, *, after: District | None = None, to: str | Path | None = None
) -> Receipt:
    """
    Write out what a printed figure is added up from.

    Parameters
    ----------
    district
        What `District.load` opened; it stays as it was.
    figure
        A rule, or the kind it leads, by code, name or row: its headline (brief, sheets, workbook). A measure of the ledger: the value of
        its row. A community: who lives there, how
        long its walks are. RULE/COMMUNITY, MEASURE/COMMUNITY: how it stands there. RULE/HOME: whom of a home a rule misses. RULE/site: what
        one more place brings; RULE/+1, RULE/+2, RULE/+3: what so many bring. RULE/5min, RULE/10min ...: whom a walk of so long reaches.
        RULE/pace: what slower and faster walkers come to.
    after
        The district with a plan (`plan.on(district)`): of a rule, what the comparison of the two says.
    to
        A file (.json) to write it to.

    Returns
    -------
    dict
        `figure`, `label`, `district`, `inputs` (file and hash of every layer), `how` it is added up, what from (`homes`: name,
        weight, people; `walks`: rule, points, steps, doors; or `rows`: id, name, value, weight), and `printed`: per number what it
        is, its format, and its text as printed; `also`: what is printed beside it, each likewise. Where nothing is added up (`how`
        "stated": 数据不足) the files it rests on. Metres, minutes, people, hectares; coordinates in the CRS of the district.

    Raises
    ------
    UnknownNameError
        No such figure.
    SourceError
        A comparison of what is no rule: the ledger is compared row by row.
    EnvironmentProblem
        The file cannot be written.
    """
    must_be_district(district)
    refuse_uncleared(district.manifest, "写出算式")
    measures = {str(m["measure"]): m for m in measure_rows(district)}
    table = pd.DataFrame(index=pd.Index(measures, dtype="str", name="measure"))
    try:
        number, name = meant("规则、设施类别或量法", figure, district.rules, table, district.kinds)
    except UnknownNameError:
        if not isinstance(figure, str):
            raise
        number, name = 3, figure
    figure = district.rule(name).name if number == 2 else name
    if number in (1, 3):
        if after is not None:
            raise SourceError(say("{0} 不是规则；方案前后各写一份，再相减", figure))
        found = _of_measure(district, measures[figure]) if number == 1 else _of_part(district, figure)
    elif after is None:
        found = _of_headline(district, district.rule(figure))
    else:
        found = _of_change(district, after, district.rule(figure))
    found = {"receipt": 1, "figure": figure, **_head(district), **_as_lists(found)}
    if to is not None:
        write_text(Path(to), _lines(found) + "\n")
    return found


def _head(district: District) -> Receipt:
    files = district.files
    return {
        "district": {"name": district.name, "code": district.code, "year": district.year, "crs": district.crs},
        "inputs": {str(layer): {"file": row["file"], "sha256": row["sha256"]} for layer, row in files.iterrows()},
    }


def _as_lists(value: Any) -> Any:
    """Return a receipt whose rows are lists, as JSON has them."""
    if isinstance(value, dict):
        return {key: _as_lists(v) for key, v in value.items()}
    return list(value) if isinstance(value, Rows) else [*map(_as_lists, value)] if isinstance(value, list) else value


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
    label, cover = rule_name(district, rule), coverage(district, rules=[rule])
    if cover.empty:
        return _stated(label, say("数据不足"))
    lead = headlines(district, cover).loc[rule.name]
    told = {"label": label, "headline": str(lead["headline"]), "mark": str(lead["mark"])}
    if not np.isfinite(float(lead["value"])):
        return {**told, **_stated(label, say("数据不足"))}
    other = district.counting_unchecked() if lead["unchecked"] else None
    own, denominator = cover.xs(rule.name, level="rule"), str(lead["denominator"])
    if rule.metric == "presence":
        found = {**_communities(district, rule), "printed": _has(district, float(lead["value"]))}
        if other is not None:
            most = {**_communities(other, rule), "printed": _has(other, float(lead["value_high"]))}
            found["also"] = [{"label": say("{0}（待核的全部属实时）", label), **most}]
    else:
        found = _share(district, rule, own, denominator, exact=lead["bound"] == EXACT)
        if other is not None:
            high = coverage(other, rules=[rule]).xs(rule.name, level="rule")
            most = _share(other, rule, high, denominator, exact=lead["bound"] == EXACT)
            found["also"] = [{"label": say("{0}（待核的全部属实时）", label), **most}]
    ways = _other_ways(district, rule, own, denominator) if lead["alternatives"] else []
    return {**told, **found, "of": denominator, "also": [*found.get("also", []), *ways]}


def _has(district: District, value: float) -> list[list[str]]:
    """Return how many of the communities, as a card prints it."""
    n = len(presence(district))
    return [[say("数值"), "{n} / {of}", f"{round(value * n)} / {n}"]]


def _share(district: District, rule: Rule, own: pd.DataFrame, denominator: str, *, exact: bool = False) -> Receipt:
    """Return the homes of a rule and the walks of their points, given what `coverage` has of each; `exact`: who is missed too."""
    weight, people = _weights(own, denominator), _weights(own, _counted(denominator))
    value = float((own["served"] * weight).sum() / weight.sum())
    printed = [[say("数值"), f"{{value:.{digits}%}}", per_cent(value, digits)] for digits in (0, 1)]
    if exact:
        digits = 0 if denominator.startswith("people") else 1
        lost = [float((amounts * (1.0 - own["served"])).sum()) for amounts in (weight, people)]
        printed.append([say("不可达"), f"{{lost[0]:,.{digits}f}}", amount(lost[0], digits)])
        if people.notna().any():
            printed.append([say("不可达居民"), "{lost[1]:,.0f}", amount(lost[1])])
    return {**_walks(district, [rule], _homes(own["name"], weight, people)), "printed": printed}


def _weights(own: pd.DataFrame, denominator: str) -> pd.Series:
    return pd.Series(weights(homes_of(own), denominator), own.index)


def _counted(denominator: str) -> str:
    """Return whom a denominator counts when it counts people."""
    return denominator if denominator == "people_60plus" else "people"


def _other_ways(district: District, rule: Rule, own: pd.DataFrame, denominator: str) -> list[Receipt]:
    """Return the shares of the line of other methods (换算法): all at one limit, then at what limits of its own the rule has."""
    found, speed = [], district.profile(rule.profile).speed_m_s
    for method, limit, _ in other_ways(district, rule):
        other = replace(rule, metric="reach", method=method, metres=limit, minutes=limit / speed / 60.0)
        cover = coverage(district, rules=[other]).xs(rule.name, level="rule")
        cover = cover.assign(served=cover["served"].where(own["served"].notna()))
        label = way_label(district, rule, method, limit)
        share = _share(district, other, cover, denominator)
        found.append({"label": label, **share, "printed": share["printed"][:1]})
    return found


def _stated(label: str, text: str) -> Receipt:
    form = text.replace("{", "{{").replace("}", "}}")
    return {"label": label, "how": "stated", "printed": [[say("数值"), form, text]]}


def _homes(names: pd.Series, weight: pd.Series, people: pd.Series) -> dict[str, list[object]]:
    rows = zip(names.index, names, weight, people, strict=True)
    return {str(home): [_text(name), _number(w), _number(p)] for home, name, w, p in rows}


def _text(value: object) -> str | None:
    return None if pd.isna(value) else str(value)


def _number(value: float) -> float | None:
    return None if pd.isna(value) else float(value)


def _communities(district: District, rule: Rule) -> Receipt:
    """Return the communities and how many open facilities of a rule's kinds each has."""
    return {"how": "share", "rule": _told(district, rule), "rows": having(district, rule)}


# --- walks -----------------------------------------------------------------------------------------------------------


def _walks(
    district: District, rules: Sequence[Rule], homes: Mapping[str, Sequence[object]], combine: str = "all"
) -> Receipt:
    """Return the points of homes and how they get to what each rule asks for."""
    walks = [_walk(district, rule, homes) for rule in rules]
    return {"how": "walks", "combine": combine, "homes": dict(homes), "columns": list(POINT), "walks": walks}


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
    place, entering = trips.targets["place"].to_numpy(object), trips.targets["access_m"].to_numpy(float)
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
        node, row, way = trip.way.node, trip.way_out, []
        walked = trips.tree.told(trip.way.first)
        onward = f"d{trip.way.door}" if node < 0 else f"n{node}"
        rows[point] = (_text(gates[row]), float(access[row]), *_rounded(walked), onward)
        doors[f"d{trip.way.door}"] = [str(place[trip.way.door]), float(entering[trip.way.door])]
        while node >= 0 and f"n{node}" not in steps:
            there, piece = trips.tree.next_of(node)
            after = f"n{there}" if there >= 0 else f"d{trip.way.door}"
            way.append((f"n{node}", [*_rounded(trips.tree.told(piece)), after]))
            node = there
        steps |= dict(reversed(way))  # what is onward comes first
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
    printed = number_form(value, unit)
    try:
        parts = terms(district, m)
    except Lacks:
        parts = None
    if parts is None:
        return {**base, **_stated(label, printed[2])}
    return {**base, **_parts(district, parts), "printed": [printed]}


def _parts(district: District, parts: Terms) -> Receipt:
    """Return what a number of the ledger is added up from."""
    if parts.sides:
        before, after = (_parts(where, side) for where, side in parts.sides)
        return {"how": parts.how, "times": parts.times, "before": before, "after": after}
    if parts.how == "walks":
        homes = _homes(parts.rows["name"], parts.rows["value"], parts.rows["value"])
        return {**_walks(district, parts.rules, homes, parts.combine), "times": parts.times}
    table = zip(parts.rows.index, parts.rows["name"], parts.rows["value"], parts.rows["weight"], strict=True)
    rows = [[str(key), _text(called), _number(v), float(w)] for key, called, v, w in table]
    return {"how": parts.how, "times": parts.times, "rows": rows}


# --- parts -----------------------------------------------------------------------------------------------------------


def _of_part(district: District, figure: str) -> Receipt:
    """Return a figure of a part: a community, or what a rule or a measure says of a community or a home."""
    story = Story(Analysis.of(district))
    _, _, part = figure.rpartition("/")
    if part in ("site", "pace"):
        sums = of_remedies(story)
    elif part.startswith("+"):
        sums = joined(of_story(story), of_steps(story))
    else:
        sums = joined(of_story(story), of_ledger(district, evaluate(district)))
    own = sums.get(figure, [])
    if not own:
        raise UnknownNameError("规则、量法，或它们的一部分", figure, [*map(str, district.rules.index), *sums])
    return {**own[0], "also": own[1:]}


# --- a plan ----------------------------------------------------------------------------------------------------------


def _of_change(before: District, after: District, rule: Rule) -> Receipt:
    """Return what the comparison of two states says of a rule: both shares, and who gains and loses in homes that stand in both."""
    b = coverage(after, rules=[rule])
    a = as_divided(coverage(before, rules=[rule]), after)
    row = with_net(effects_of(a, b, after)).loc[rule.name]
    label = rule_name(before, rule)
    if not np.isfinite([row["before"], row["after"]]).all():
        return _stated(label, say("数据不足"))
    printed = [
        [title("之前"), "{before:.0%}", per_cent(row["before"], 0)],
        [title("之后"), "{after:.0%}", per_cent(row["after"], 0)],
    ]
    known = {"gain": row["people_gain"], "lose": row["people_lose"]}
    names = {"gain": title("受益居民（人）"), "lose": title("受影响居民（人）")}
    printed += [[names[key], f"{{{key}:,.0f}}", amount(n)] for key, n in known.items() if np.isfinite(n)]
    return {
        "label": label,
        "how": "change",
        "plan": str(after.manifest.get("scenario", "")),
        "before": _side(before, rule, a),
        "after": _side(after, rule, b),
        "printed": printed,
        "also": moved(homes_of(a), homes_of(b), homes_of(crowding(a, b)), row, after),
    }


def _side(district: District, rule: Rule, cover: pd.DataFrame) -> Receipt:
    """Return one side of a comparison: its homes by the rule's denominator, as `summary` adds them up."""
    own, total = cover.xs(rule.name, level="rule"), summary(cover).loc[rule.name]
    if rule.metric == "presence" and np.isfinite(total["communities"]):
        found = _communities(district, rule)
        lived_in = set(own["community"][own["served"].notna()].dropna())
        found["rows"] = [row for row in found["rows"] if row[0] in lived_in]
        rows = zip(own.index, own["name"], own["community"], own["people"], strict=True)
        found["homes"] = {str(home): [_text(name), _text(c), _number(p)] for home, name, c, p in rows}
        return found
    denominator = rule.denominator if rule.denominator != "community" else "homes"
    return _walks(district, [rule], _homes(own["name"], _weights(own, denominator), own["people"]))
