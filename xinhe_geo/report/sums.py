"""
Sums: every figure that pages print, with what it is added up from, row by row; `tools/readd.py` adds each up again.

What is followed down to the metres of a walk is a receipt of its own (`receipts`): here a home counts with the share of it that is served.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..access import (
    at_one_limit,
    coverage,
    if_all_are_there,
    limit_metres,
    newcomers,
    presence,
    unchecked_of,
)
from ..core import (
    METHOD_LABELS,
    TOLERANCE_M,
    Edit,
    Rule,
    amount,
    counted,
    per_cent,
    rounded,
    say,
    signed,
    title,
    whole,
    word,
)
from ..district import District, Scenario, kind_name, rule_name
from ..ledger import (
    Lacks,
    Terms,
    beyond,
    by_home,
    community_minutes,
    community_overview,
    community_targets,
    lacking_people,
    measure_rows,
    missed_by_home,
    number_text,
    terms,
    walked_minutes,
)
from ..siting import sites, sites_plan
from .story.change import LIVING, Change
from .story.front import TOLD_AT
from .story.places import community_facts
from .story.records import GOALS, Curve, Figure, Goal
from .story.story import Story
from .tables import NET, cell_text

#: One figure: `label`, `how` its rows (id, name, value, weight) come to it, `times` what, and `printed` (what, format, text).
Sum = dict[str, Any]
#: By what they are about (a rule, a measure, a community; rule or measure and community or home, with "/" between).
Sums = dict[str, list[Sum]]


#: Homes under one rule, column by column: `home`, and of `coverage` its numbers and the few texts that a sum names.
Homes = Mapping[str, np.ndarray]
_TEXTS = ("name", "facility", "community")


class Rows(Sequence[list[object]]):
    """Rows of a sum, held as columns: a town has a million of them, and lists of four would take some five times the room."""

    def __init__(self, *columns: np.ndarray) -> None:
        self._columns = columns

    def __len__(self) -> int:
        return len(self._columns[0])

    def __getitem__(self, at: Any) -> Any:
        return (
            list(self)[at] if isinstance(at, slice) else [column[at : at + 1].tolist()[0] for column in self._columns]
        )

    def __iter__(self) -> Iterator[list[object]]:
        return map(list, zip(*(column.tolist() for column in self._columns), strict=True))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Rows):
            return all(map(np.array_equal, self._columns, other._columns))
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]


class Parts(NamedTuple):
    """What homes bring to a figure, and what each of them counts; in one order."""

    keys: np.ndarray
    names: np.ndarray
    values: np.ndarray
    weights: np.ndarray | None = None

    @staticmethod
    def by(names: pd.Series, values: pd.Series, weights: pd.Series | None = None) -> Parts:
        """Return the parts of columns that name their homes in their indexes: those that have a value."""
        keys = values.index
        counts = None if weights is None else _floats(_at(weights, keys))
        return Parts(keys.to_numpy(object), _at(names, keys).to_numpy(object), _floats(values), counts)

    def of(self, label: str, printed: Sequence[Sequence[str]], times: float = 1.0) -> Sum:
        """Return the sum of the parts or, where they have weights, the share of these."""
        how = "sum" if self.weights is None else "per"
        return {
            "label": label,
            "how": how,
            "times": times,
            "rows": rows_of(*self),
            "printed": [list(p) for p in printed],
        }


def rows_of(keys: np.ndarray, names: np.ndarray, values: np.ndarray, weights: np.ndarray | None = None) -> Rows:
    """Return the rows of a sum: of which the value is known (and is something, where it is only added up)."""
    none = np.isnan(values) | (values == 0 if weights is None else np.isnan(weights))
    kept = np.flatnonzero(~none)
    return Rows(
        np.array([str(key) for key in keys[kept]], dtype=object),
        np.array([name if type(name) is str else _text(name) for name in names[kept]], dtype=object),
        values[kept],
        np.ones(len(kept)) if weights is None else weights[kept],
    )


def _floats(column: pd.Series) -> np.ndarray:
    return column.to_numpy(np.float64, na_value=np.nan)


def _at(column: pd.Series, keys: pd.Index) -> pd.Series:
    return column if column.index is keys or column.index.equals(keys) else column.reindex(keys)


#: A sum of nothing.
_NOTHING: Sum = {"label": "", "how": "sum", "times": 1.0, "rows": [], "printed": []}


def _added(label: str, parts: Mapping[str, tuple[object, float]], printed: list[str], times: float = 1.0) -> Sum:
    """Return the sum of a few numbers, each with its name, as `Parts.of`."""
    rows = [
        [key, _text(name), float(value), 1.0] for key, (name, value) in parts.items() if value and not math.isnan(value)
    ]
    return {**_NOTHING, "label": label, "times": times, "rows": rows, "printed": [printed]}


def share_text(value: float, digits: int = 0, what: str = "数值") -> list[str]:
    """Return how a share is printed: what it is, its format, its text."""
    return [say(what), f"{{value:.{digits}%}}", per_cent(value, digits)]


def of_figure(label: str, parts: Parts, figure: Figure, times: float = 1.0) -> list[Sum]:
    """Return the sum of a figure; none where nobody knows it."""
    if not figure.known:
        return []
    form = "{value:.0%}" if figure.unit == "share" else "{value:,.0f}"
    own = rounding(parts, figure.value) if figure.unit == "people" and parts.weights is None and times == 1 else parts
    return [{**own.of(label, [[say("数值"), form, figure.text]], times), "code": figure.code, "of": figure.of}]


def rounding(parts: Parts, printed: float) -> Parts:
    """Return parts that add up to what is printed: where that is rounded to agree with the figures beside it, one row says by how much."""
    total = float(np.nansum(parts.values))
    if not np.isfinite(printed) or rounded(total) == rounded(printed):
        return parts
    return Parts(
        np.append(parts.keys, [say("取整：印出的数相加一致")]),
        np.append(parts.names, [None]),
        np.append(parts.values, [printed - total]),
    )


def homes_of(cover: pd.DataFrame) -> Homes:
    """Return the homes of a coverage (or of what was found of one), as sums read them."""
    found = {"home": cover.index.get_level_values("home").to_numpy(object)}
    for column, kind in cover.dtypes.items():
        if kind.kind == "f" or column in _TEXTS:
            found[str(column)] = _floats(cover[column]) if kind.kind == "f" else cover[column].to_numpy(object)
    return found


def _some(own: Homes, rows: np.ndarray) -> Homes:
    return {column: values[rows] for column, values in own.items()}


def weights(own: Homes, denominator: str) -> np.ndarray:
    """Return what each home counts in a denominator, of land hectares; missing where it is not known whether it is served."""
    weight = np.ones(len(own["home"])) if denominator == "homes" else own[denominator]
    return np.where(np.isnan(own["served"]), np.nan, weight * (1e-4 if denominator == "area_m2" else 1.0))


def having(district: District, rule: Rule) -> list[list[object]]:
    """Return the communities as rows, and how many open facilities of a rule's kinds each has."""
    matrix = presence(district).reindex(columns=list(rule.kinds), fill_value=0).sum(axis=1)
    communities = district.layers.get("communities")
    names = {} if communities is None else communities["name"].to_dict()
    return [[str(code), _text(names.get(code)), float(n), 1.0] for code, n in matrix.items()]


def _text(value: object) -> str | None:
    return None if pd.isna(value) else str(value)


def joined(*parts: Sums) -> Sums:
    """Return the sums of several pages together."""
    found = Sums()
    for sums in parts:
        for about, own in sums.items():
            found.setdefault(about, []).extend(own)
    return found


# --- the brief ---------------------------------------------------------------------------------------------------------


def of_story(story: Story) -> Sums:
    """Return the sums of all rules: of the whole, of communities, of homes that miss something, of communities that lack something."""
    analysis, found = story.analysis, Sums()
    district = analysis.district
    if not len(analysis.cover):
        return found
    rules, own_of = [district.rule(str(name)) for name in analysis.cover.index.unique("rule")], _by_rule(analysis.cover)
    alike = at_one_limit(district, rules)
    high = if_all_are_there(district, [rule for rule in rules if unchecked_of(district, rule.kinds)])
    for goal in story.every:
        own = own_of[goal.rule]
        found[goal.rule] = _of_goal(story, goal, own, alike.get(goal.rule), high.get(goal.rule))
        for part in story.parts(goal) if goal in story.judged else ():
            inside = pd.isna(own["community"]) if part.nowhere else own["community"] == part.code
            found[f"{goal.rule}/{part.code}"] = _of_part(district, goal, _some(own, inside), part.share, part.missed)
    for gap in story.gaps:
        own = own_of[gap.rule]
        own = _some(own, own["home"] == gap.home)
        found[f"{gap.rule}/{gap.home}"] = of_figure(gap.label, _missed(own, gap.unserved.of), gap.unserved)
    for grown in story.curves:
        found |= _of_curve(district, grown)
    states = {"目标": story.goals, "做到": [g for g in story.goals if g.state == "whole"]}
    states |= {"还差": [g for g in story.goals if g.state == "short"]}
    states |= {"数据不足": [g for g in story.goals if g.state in ("unknown", "at_least")]}
    found[GOALS] = [counting(say(what), [goal.label for goal in own]) for what, own in states.items()]
    homes = district.layers.get("homes")
    if homes is None:
        return found
    for row in story.lacking:
        there = homes[(district.groups["community"].reindex(homes.index) == row.code).to_numpy()]
        found.setdefault(row.code, []).extend(of_figure(row.name, Parts.by(there["name"], there["people"]), row.living))
    return found


def _of_curve(district: District, grown: Curve) -> Sums:
    """Return the sums of what a curve is told at: of whom a walk reaches something in so many minutes."""
    rule, goal, found = district.rule(grown.goal.rule), grown.goal, Sums()
    denominator = "people" if rule.denominator == "community" else rule.denominator
    asked = [replace(rule, name=f"{at}", metric="reach", method="walk_min", minutes=float(at)) for at in TOLD_AT]
    own_of = _by_rule(coverage(district, rules=asked))
    for figure, at in zip(grown.told, TOLD_AT, strict=True):
        own = own_of[f"{at}"]
        label = say("{0}：{1}", goal.label, say("{0} 分钟", at))
        found[figure.about] = of_figure(label, _served(own, weights(own, denominator)), figure)
    return found


def counting(label: str, names: Sequence[str]) -> Sum:
    """Return the sum of how many there are of something, by their names."""
    one = {str(number): (name, 1.0) for number, name in enumerate(names, start=1)}
    return _added(label, one, [say("数值"), "{value:,.0f}", amount(len(names))])


def _who(figure: Figure) -> str:
    """Return who is counted of those whom nothing reaches."""
    return say("不可达的60岁及以上居民") if figure.of == "people_60plus" else say("不可达居民")


def _missed(own: Homes, counted: str) -> Parts:
    return Parts(own["home"], own["name"], own[counted] * (1.0 - own["served"]))


def _served(own: Homes, weight: np.ndarray, column: str = "served") -> Parts:
    return Parts(own["home"], own["name"], own[column] * weight, weight)


def _of_goal(story: Story, goal: Goal, own: Homes, alike: pd.DataFrame | None, upper: pd.DataFrame | None) -> list[Sum]:
    """Return the sums of a headline, of who is missed, of the other ways to count, and of what lies beyond the border."""
    district, rule = story.district, story.district.rule(goal.rule)
    if not goal.share.known:
        return []
    row = story.analysis.headlines.loc[goal.rule]
    denominator = str(row["denominator"])
    weight = weights(own, denominator) if denominator else np.full(len(own["home"]), np.nan)
    found = [_headline(district, rule, own, weight, goal.share.value)]
    found[0]["printed"] += [] if goal.metric == "presence" else [share_text(goal.share.value, 1)]
    found[0] |= {"code": goal.share.code, "of": goal.share.of}
    if goal.unserved.known:
        found += of_figure(_who(goal.unserved), _missed(own, goal.unserved.of), goal.unserved)
    if goal.exact and goal.metric != "presence":
        found.append(_lost(own, denominator, weight))
    if upper is not None:
        high, top = homes_of(upper), say("{0}（待核的全部属实时）", goal.label)
        most = weights(high, denominator) if denominator else weight
        found.append(
            {**_headline(district.counting_unchecked(), rule, high, most, float(row["value_high"])), "label": top}
        )
        if goal.exact and goal.metric != "presence":
            found.append({**_lost(high, denominator, most), "label": top})
    if goal.alternatives:
        found += _ways(district, rule, own, own if alike is None else homes_of(alike), denominator)
    if goal.outside:
        beyond_border = np.maximum(own["served"] - own["served_inside"], 0.0) * weight
        depends = float(row["dependent_share"])
        found.append(
            Parts(own["home"], own["name"], beyond_border, weight).of(say("依赖界外设施"), [share_text(depends, 1)])
        )
    if goal.walked is not None:
        walked = float(row["walk_share"])
        found.append(_served(own, weight, "served_walk_min").of(say("走得到"), [share_text(walked)]))
    return found


def _headline(district: District, rule: Rule, own: Homes, weight: np.ndarray, value: float) -> Sum:
    label = rule_name(district, rule)
    if rule.metric != "presence":
        return _served(own, weight).of(label, [share_text(value)])
    rows = having(district, rule)
    told = [[say("数值"), "{n} / {of}", f"{round(value * len(rows))} / {len(rows)}"], share_text(value)]
    return {"label": label, "how": "share", "rows": rows, "printed": told}


def _lost(own: Homes, denominator: str, weight: np.ndarray) -> Sum:
    """Return how much of what a share counts is not reached, as its sentence says it."""
    digits = 0 if denominator.startswith("people") else 1
    lost = weight * (1.0 - own["served"])
    told = [[say("不可达"), f"{{value:,.{digits}f}}", amount(float(pd.Series(lost).sum(min_count=1)), digits)]]
    return Parts(own["home"], own["name"], lost).of(say("不可达"), told)


def other_ways(district: District, rule: Rule) -> list[tuple[str, float, bool]]:
    """Return the other ways to count (换算法): method, its limit in metres, whether that is the one limit of all of them."""
    metres, speed = limit_metres(district, rule), district.profile(rule.profile).speed_m_s
    far = {"buffer": rule.metres, "network_m": rule.metres, "walk_min": rule.minutes * 60.0 * speed}
    found = [(method, metres, True) for method in METHOD_LABELS]
    return found + [
        (method, limit, False)
        for method, limit in far.items()
        if method != rule.method and abs(limit - metres) > TOLERANCE_M
    ]


def way_label(district: District, rule: Rule, method: str, limit: float) -> str:
    """Say which way to count at which limit."""
    return say("{0}：{1}限 {2:g} 米", rule_name(district, rule), say(METHOD_LABELS[method]), limit)


def _ways(district: District, rule: Rule, own: Homes, alike: Homes, denominator: str) -> list[Sum]:
    found = []
    for method, limit, one in other_ways(district, rule):
        cover = alike if one else own
        weight = weights(cover, denominator)
        parts = _served(cover, weight, f"served_{method}")
        value = float(np.nansum(parts.values) / np.nansum(weight))
        found.append(parts.of(way_label(district, rule, method, limit), [share_text(value)]))
    return found


def _of_part(district: District, goal: Goal, own: Homes, part: Figure, missed: Figure) -> list[Sum]:
    """Return the sums of a community (or of the homes in none): the share by the rule's own denominator, who is missed."""
    rule = district.rule(goal.rule)
    found = of_figure(_who(missed), _missed(own, missed.of), missed)
    if rule.metric == "presence" and not pd.isna(own["community"]).any():
        has = pd.Series(own["served"]).groupby(own["community"]).first()
        parts = Parts.by(pd.Series(dtype="str"), has, pd.Series(1.0, index=has.index))
    else:
        parts = _served(own, weights(own, "homes" if rule.denominator == "community" else rule.denominator))
    return of_figure(goal.label, parts, part) + found


def of_remedies(story: Story) -> Sums:
    """Return the sums of where one more place serves most, and of walkers who are slower or faster: each is worked out anew."""
    district, found = story.district, Sums()
    for remedy in story.remedies:
        rule = district.rule(remedy.rule)
        after = sites_plan(sites(district, remedy.rule, 1)).on(district)
        told = (remedy.label, remedy.gained, remedy.before, remedy.after)
        found[f"{rule.name}/site"], _ = _brought(district, after, rule, told)
    for pace in story.paces:
        rule = district.rule(pace.rule)
        walker, sums = district.profile(rule.profile), list[Sum]()
        for factor, figure in zip((0.9, 1.0, 1.1), (pace.slower, pace.usual, pace.faster), strict=True):
            who = replace(walker, name=f"{walker.name}*{factor:g}", speed_m_s=walker.speed_m_s * factor)
            own = homes_of(coverage(district, rules=[rule], profile=who))
            denominator = "homes" if rule.denominator == "community" else rule.denominator
            sums += of_figure(f"{pace.label} {who.speed_m_s:g} m/s", _served(own, weights(own, denominator)), figure)
        found[f"{rule.name}/pace"] = sums
    return {**found, **of_steps(story)}


def of_steps(story: Story) -> Sums:
    """Return the sums of what one, two and three more places bring: each is built, and worked out anew."""
    district, found = story.district, Sums()
    for step in (one for steps in story.steps.values() for one in steps):
        rule = district.rule(step.rule)
        spots = [{"facility": f"step-{p.tag}", "kind": rule.kinds[0], "xy": [p.x, p.y]} for p in step.places]
        after = Scenario("steps", edits=tuple(Edit("open_facility", spot) for spot in spots)).on(district)
        told = (rule_name(district, rule), step.gained, step.before, step.after)
        sums, own = _brought(district, after, rule, told)
        found[step.about] = [*sums, *of_figure(_who(step.left), _missed(homes_of(own), step.left.of), step.left)]
    return found


def _brought(
    district: District, after: District, rule: Rule, told: tuple[str, Figure, Figure, Figure]
) -> tuple[list[Sum], pd.DataFrame]:
    """Return the sums of what new places bring (label; who is reached more; both shares), and the coverage of the rule with them."""
    label, gained, *shares = told
    a, b = (coverage(state, rules=[rule]).xs(rule.name, level="rule") for state in (district, after))
    found = of_figure(label, Parts.by(a["name"], (b["served"] - a["served"]) * a[gained.of]), gained)
    for state, own, what, figure in zip((district, after), (a, b), ("之前", "之后"), shares, strict=True):
        if rule.metric != "presence":
            homes = homes_of(own)
            found += of_figure(title(what), _served(homes, weights(homes, rule.denominator)), figure)
        elif figure.known:  # of communities, whoever lives there
            printed = [[say("数值"), "{value:.0%}", figure.text]]
            side = {"label": title(what), "how": "share", "rows": having(state, rule), "printed": printed}
            found.append({**side, "code": figure.code, "of": figure.of})
    return found, b


# --- the ledger and its communities ---------------------------------------------------------------------------------------


def of_ledger(district: District, table: pd.DataFrame) -> Sums:
    """Return the sums of the rows of the ledger, of who is behind their gaps, and of what the page of each community says."""
    rows, found = pd.concat([table.reset_index("commitment"), beyond(district)]), Sums()
    known = {str(m["measure"]): m for m in measure_rows(district)}
    for key, row in rows[~rows.index.duplicated()].iterrows():
        m = known.get(str(key))
        if m is not None and np.isfinite(row["value"]):
            made, printed = _made_of(district, m), [number_form(float(row["value"]), str(row["unit"]))]
            found[str(key)] = [
                *([] if made is None else [{"label": str(row["label"]), **made, "printed": printed}]),
                *_otherwise(district, m, row),
                *_behind(district, m, row),
            ]
    return {key: sums for key, sums in {**found, **of_communities(district, table)}.items() if sums}


def number_form(value: float, unit: str) -> list[str]:
    """Return how a number of the ledger is printed: what it is, its format, its text."""
    plain = number_text(value, "")
    digits = len(plain.rpartition(".")[2]) if "." in plain else 0
    form = f"{{value:,.{digits}f}} {counted(value, word(unit))}".strip()
    return [say("数值"), form, number_text(value, unit)]


def _made_of(district: District, m: Mapping[str, Any]) -> Sum | None:
    """Return what the number of a measure is added up from; None where that cannot be told."""
    try:
        parts = terms(district, m)
    except Lacks:
        return None
    return None if parts is None else _of_terms(district, m, parts)


def _otherwise(district: District, m: Mapping[str, Any], row: pd.Series) -> list[Sum]:
    """Return the least and the most that other methods find (换算法)."""
    if not np.isfinite(row["low_other"]):
        return []
    found = []
    names = district.layers["homes"]["name"]
    for method, told in METHOD_LABELS.items():
        level, weight, _ = by_home(district, m, method)
        counts = weight.where(level.notna())
        parts = Parts.by(names, level * weight, counts)
        value = float(np.nansum(parts.values) / counts.sum()) * 100.0
        text = [[say("换算法"), *number_form(value, "")[1:]]]
        found.append(parts.of(say(told), text, 100.0))
    return found


def _of_terms(district: District, m: Mapping[str, Any], parts: Terms) -> Sum:
    if parts.sides:
        of = m["changed"] if m["metric"] == "change" else m
        before, after = (_of_terms(where, of, side) for where, side in parts.sides)
        return {"how": parts.how, "times": parts.times, "before": before, "after": after}
    if parts.how == "walks":
        level, weight, _ = by_home(district, m)
        share, counts = (_floats(_at(column, parts.rows.index)) for column in (level, weight))
        homes, names = (column.to_numpy(object) for column in (parts.rows.index, parts.rows["name"]))
        return {"how": "per", "times": parts.times, "rows": rows_of(homes, names, share * counts, counts)}
    columns = [parts.rows["name"].tolist(), *(_floats(parts.rows[c]).tolist() for c in ("value", "weight"))]
    table = zip(parts.rows.index.tolist(), *columns, strict=True)
    rows = [[str(k), _text(called), None if math.isnan(v) else v, w] for k, called, v, w in table]
    return {"how": parts.how, "times": parts.times, "rows": rows}


def _behind(district: District, m: Mapping[str, Any], row: pd.Series) -> list[Sum]:
    """Return who is behind the gap of a row: home by home, or community by community."""
    if not row["gap"]:
        return []
    label = say("差距：{0}", row["label"])
    missed = missed_by_home(district, m)
    if missed is not None:
        names = district.layers["homes"]["name"]
        total, (_, _, words) = float(missed.sum()), by_home(district, m)
        in_tenths = words == say("个小区")
        told = number_form(round(total, 1), "") if in_tenths else [say("数值"), "{value:,.0f}", amount(total)]
        return [Parts.by(names, missed).of(label, [told])]
    living = lacking_people(district, m)
    if living is None or not living.sum() > 0:
        return []
    communities = district.layers["communities"]["name"]
    return [Parts.by(communities, living).of(label, [[say("数值"), "{value:,.0f}", amount(living.sum())]])]


def of_communities(district: District, table: pd.DataFrame) -> Sums:
    """Return the sums of what the page of each community says: who lives there, how long the walks are, where the targets stand."""
    overview, homes, found = community_overview(district), district.homes, Sums()
    if homes is None or overview.empty:
        return found
    own = district.groups["community"].reindex(homes.index)
    keys, names, there = (column.to_numpy(object) for column in (homes.index, homes["name"], own))
    people, land = (_floats(homes[c]) for c in ("people", "people_60plus")), homes.geometry.area.to_numpy() * 1e-4
    counted = (*people, np.ones(len(homes)), land)
    for code, row in overview.iterrows():
        mine = np.flatnonzero(there == code)
        parts = (Parts(keys[mine], names[mine], values[mine]) for values in counted)
        facts = zip(("常住人口", "60岁及以上", "小区", "小区用地"), parts, community_facts(str(code), row), strict=True)
        found[str(code)] = [
            one
            for what, whose, figure in facts
            for one in of_figure(say(what) if what.startswith("小区") else title(what), whose, figure)
        ]
    for code, kind, sums in _walked(district):
        found.setdefault(code, []).extend(
            {**one, "label": f"{kind_name(district, kind)} {one['label']}"} for one in sums
        )
    targets, known = community_targets(district, table), {str(m["measure"]): m for m in measure_rows(district)}
    for (code, key), row in targets.iterrows():
        if row["unit"] == "%":
            found[f"{key}/{code}"] = _of_target(district, known[str(key)], row, (own, str(code)))
    return found


def _walked(district: District) -> Iterable[tuple[str, str, list[Sum]]]:
    """Yield, community by community and kind by kind, how long the walks are and who gets there in the circle's time."""
    told = community_minutes(district).to_dict("index")
    if not told:
        return
    walks = walked_minutes(district)
    homes, groups = walks.index.get_level_values("home"), walks.index.droplevel("home")
    names, homes = _at(district.layers["homes"]["name"], homes).to_numpy(object), homes.to_numpy(object)
    columns = {name: _floats(walks[name]) for name in ("near", "weight", "spent", "reached")}
    number, groups = groups.factorize()
    for group, (code, kind) in enumerate(groups):
        row, at = told[code, kind], np.flatnonzero(number == group)
        near, weight, spent, reached = (values[at] for values in columns.values())
        printed = [share_text(float(row["within"]))]
        rows = rows_of(homes[at], names[at], near, weight)
        sums = [{**_NOTHING, "label": say("走到"), "how": "per", "rows": rows, "printed": printed}]
        if np.isfinite(row["minutes"]):
            printed = [[say("平均"), "{value:,.1f}", amount(float(row["minutes"]), 1)]]
            rows = rows_of(homes[at], names[at], spent, reached)
            sums.append({**_NOTHING, "label": say("平均"), "how": "per", "rows": rows, "printed": printed})
        yield str(code), str(kind), sums


def _of_target(district: District, m: Mapping[str, Any], row: pd.Series, where: tuple[pd.Series, str]) -> list[Sum]:
    (community, code), (level, weight, words) = where, by_home(district, m)
    there = np.flatnonzero(_at(community, level.index).to_numpy(object) == code)
    names = _at(district.layers["homes"]["name"], level.index).to_numpy(object)[there]
    homes = level.index.to_numpy(object)[there]
    share = _floats(level)[there]
    counts = np.where(np.isnan(share), np.nan, _floats(weight)[there])
    told = [share_text(float(row["value"]) / 100.0)]
    rows = rows_of(homes, names, share * counts, counts)
    found = [{**_NOTHING, "label": str(row["label"]), "how": "per", "rows": rows, "printed": told}]
    if row["missed"] > 0:
        land = words.startswith("m²")
        text = amount(float(row["missed"]) * (1e-4 if land else 1.0), int(land))
        told = [[say("差距"), f"{{value:,.{int(land)}f}}", text]]
        rows = rows_of(homes, names, (1.0 - share) * counts)
        found.append({**_NOTHING, "label": say("差距"), "times": 1e-4 if land else 1.0, "rows": rows, "printed": told})
    return found


# --- a comparison ---------------------------------------------------------------------------------------------------------


def abouts(change: Change) -> dict[str, list[str]]:
    """Return, per table of a comparison, what the figures of each row are about: places of its page of sums."""
    users = change.users
    return {
        "一页表": [str(rule) for rule in change.rules.index],
        "设施使用人数": [f"{rule}/{facility}" for rule, facility in zip(users["rule"], users["facility"], strict=True)],
        "目标变化": [str(measure) for measure in change.pair.verdicts.index.get_level_values("measure")],
    }


def _by_rule(cover: pd.DataFrame, told: Container[object] | None = None) -> dict[object, Homes]:
    """Return the homes of each rule (of `told`)."""
    columns, level = homes_of(cover), cover.index.names.index("rule")
    rules = enumerate(cover.index.levels[level])
    return {
        rule: _some(columns, np.flatnonzero(cover.index.codes[level] == code))
        for code, rule in rules
        if told is None or rule in told
    }


def of_change(change: Change) -> Sums:
    """Return the sums of all that a comparison says: of rules and promises, of targets, of facilities' users, of who lives there."""
    found = Sums()
    rows = pd.concat([change.rules, change.goals])
    rows = rows[~rows.index.duplicated()]
    told = {*rows.index, *change.users["rule"]}
    by_rule = [_by_rule(cover, told) for cover in change.pair.covers]
    sides_of = {rule: [own[rule] for own in by_rule] for rule in by_rule[1]}
    crowd_of = _by_rule(change.pair.crowding, told)
    for rule, row in zip(rows.index, rows.to_dict("records"), strict=True):
        old, new = sides_of[rule]
        own = _of_shares(change, row, (old, new))
        if rule in change.rules.index or not str(row["net_text"]).startswith("0 "):
            own += moved(old, new, crowd_of[rule], row, change.pair.after.district)
        elif row["net_of"] != "community":  # nobody moves
            own.append(_nothing(_net(row)[0]))
        found[str(rule)] = own
    listed = change.users.groupby("rule")["facility"].agg(list)
    users_of = {rule: [_users(own, facilities) for own in sides_of[rule]] for rule, facilities in listed.items()}
    for row in change.users.itertuples():
        sides = [own[row.facility] for own in users_of[row.rule]]
        texts = [("之前人口", "before", row.users_before), ("之后人口", "after", row.users_after)]
        text = cell_text("变化人数", row.change)
        both = {"after": (title("之后"), whole(row.users_after)), "before": (title("之前"), -whole(row.users_before))}
        found[f"{row.rule}/{row.facility}"] = [
            _minus(str(row.name), sides, texts),
            _added(str(row.name), both, [title("变化人数"), _form("value", text), text]),
        ]
    return {**found, **_of_targets(change), **_of_goals(change), **_of_living(change)}


def _users(own: Homes, facilities: Iterable[str]) -> dict[str, Sum]:
    """Return the sums of whom some facilities serve, given the homes of their rule."""
    users, rows = own["served"] * own["people"], {one: own["facility"] == one for one in facilities}
    return {
        one: {**_NOTHING, "rows": rows_of(own["home"][mine], own["name"][mine], users[mine])}
        for one, mine in rows.items()
    }


def _form(what: str, text: str) -> str:
    """Return the format that prints a number as a text does: with a sign or none, with as many decimals."""
    sign = "+" if text[:1] in ("+", "−") else ""
    return f"{{{what}:{sign},.{len(text.rpartition('.')[2]) if '.' in text else 0}f}}"


def _minus(label: str, sides: Sequence[Sum], cells: Sequence[tuple[str, str, float]], times: float = 1.0) -> Sum:
    """Return the difference of two sums, and how a table prints it and both of them: column, which of the three, number."""
    printed = []
    for column, which, number in cells:
        text = cell_text(column, number)
        form = f"{{{which}:.0%}}" if text.endswith("%") else _form(which, text)
        printed.append([title(column), form, text])
    return {"label": label, "how": "minus", "times": times, "before": sides[0], "after": sides[1], "printed": printed}


def _of_shares(change: Change, row: Mapping[Any, Any], covers: tuple[Homes, Homes]) -> list[Sum]:
    """Return the sums of both shares of a rule, and of what lies between them."""
    pair, name = change.pair, str(row["code"])
    sides = [_side(d, name, own) for d, own in zip((pair.before.district, pair.after.district), covers, strict=True)]
    told = [("之前", "before"), ("之后", "after")]
    if not np.isfinite(row["change"]):
        known = [(side, what, row[c]) for side, (what, c) in zip(sides, told, strict=True) if np.isfinite(row[c])]
        return [{**side, "label": title(what), "printed": [share_text(float(n), 0)]} for side, what, n in known]
    if sides[0]["rows"] == sides[1]["rows"] and row["points"] == 0:
        printed = [[title(what), "{value:.0%}", per_cent(row[c], 0)] for what, c in told]
        zeros = [_nothing([title("变化（百分点）"), "{value:,.0f}", signed(row["points"])])]
        zeros += [_nothing(_net(row)[0])] if row["net_of"] == "community" and np.isfinite(row["net"]) else []
        return [{**sides[0], "label": row["label"], "printed": printed}, *zeros]
    cells = [(what, c, float(row[c])) for what, c in told]
    found = [_minus(row["label"], sides, [*cells, ("变化（百分点）", "value", float(row["points"]))], 100.0)]
    communities = pair.after.district.layers.get("communities")
    if row["net_of"] == "community" and communities is not None and np.isfinite(row["net"]):
        told_net, sign = _net(row)
        found.append({**_minus(told_net[0], sides, [], sign * len(communities)), "printed": [told_net]})
    return found


def _nothing(printed: list[str]) -> Sum:
    """Return the sum of nothing: how a 0 is printed."""
    return _added(printed[0], {}, printed)


def _net(row: Mapping[Any, Any]) -> tuple[list[str], float]:
    """Return how a net gain is printed (what it is, its format, its text), and the sign that stands before it."""
    text = str(row["net_text"])
    number, _, unit = text.partition(" ")
    sign = number[0] if number[0] in "+−" else ""
    digits = len(number.rpartition(".")[2]) if "." in number else 0
    return [title(NET), f"{sign}{{value:,.{digits}f}} {unit}", text], -1.0 if sign == "−" else 1.0


def _side(district: District, name: str, own: Homes) -> Sum:
    """Return one side of a comparison: its homes by the rule's denominator, or its communities."""
    rule = district.rule(name)
    if rule.metric == "presence":
        lived_in = {code for code in own["community"][~np.isnan(own["served"])] if not pd.isna(code)}
        if lived_in:
            rows = [row for row in having(district, rule) if row[0] in lived_in]
            return {"label": "", "how": "share", "rows": rows, "printed": []}
    denominator = "homes" if rule.denominator == "community" else rule.denominator
    return _served(own, weights(own, denominator)).of("", [])


def _of_targets(change: Change) -> Sums:
    """Return the sums of the targets whose number or verdict is another: both numbers, and what lies between them."""
    states = [side.district for side in (change.pair.before, change.pair.after)]
    measures = [{str(m["measure"]): m for m in measure_rows(state)} for state in states]
    found = Sums()
    for (_, name), row in change.pair.verdicts.iterrows():
        key, label = str(name), str(row["label"])
        cells = [("之前的数", "before", row["value_before"]), ("之后的数", "after", row["value_after"])]
        sides = [
            _made_of(d, own[key]) if np.isfinite(n) else None
            for d, own, (*_, n) in zip(states, measures, cells, strict=True)
        ]
        known = [
            (side, column, number) for side, (column, _, number) in zip(sides, cells, strict=True) if side is not None
        ]
        if len(known) == 2:
            change_of = ("变化", "value", row["value_change"])
            found[key] = [_minus(label, [side for side, *_ in known], [*cells, change_of])]
        elif known:
            (side, column, number), *_ = known
            text = cell_text(column, number)
            found[key] = [{**side, "label": label, "printed": [[title(column), _form("value", text), text]]}]
    return found


def _of_goals(change: Change) -> Sums:
    """Return which of the goals rise, fall and stay: of the sentence that counts them."""
    goals = change.goals
    labels, own_tones = goals["label"].tolist(), goals["tone"].tolist()
    tones = {"目标": own_tones, "提高": ["gain"], "降低": ["lose"], "没有变化": ["same", "others"]}
    tones |= {"份额只因人口迁入或迁出而变": ["others"], "数据不足": ["unknown"]}
    found = []
    for what, tone in tones.items():
        own = [label for label, one in zip(labels, own_tones, strict=True) if one in tone]
        found.append(counting(say(what), own))
    return {GOALS: found} if len(goals) else {}


def _of_living(change: Change) -> Sums:
    """Return the sums of who lives there before and after, stays, moves and comes: home by home, or as the plan says."""
    states = [side.district for side in (change.pair.before, change.pair.after)]
    old, new = (state.homes for state in states)
    if old is None or new is None:
        return {}
    both, numbers = old.index.intersection(new.index), {group.what: group.number for group in change.living}
    names = pd.concat([new["name"], old["name"]])
    names = names[~names.index.duplicated()]
    parts = {
        "before": old["people"],
        "stay": np.minimum(*(frame["people"].reindex(both) for frame in (old, new))),
        "out": old["people"].drop(both),
        "came": new["people"].drop(both),
        "after": new["people"],
    }
    signs = {"after": 1.0, "before": -1.0, "there": -1.0, "out": 1.0, "back": -1.0, "came": -1.0}
    labels, found = pd.Series({group.what: group.label for group in change.living}), []
    for group in change.living:
        if group.what == "other":  # what is left when all others are counted
            own = pd.Series({what: sign * numbers[what] for what, sign in signs.items() if what in numbers})
        else:
            own = parts[group.what] if group.earlier is None or group.what == "stay" else pd.Series(dtype="float64")
            if group.earlier is not None and group.later is not None:  # as the plans of both sides say
                own = pd.concat([own, pd.Series({"before": -group.earlier, "after": group.later})])
        told = [[say("数值"), "{value:,.0f}", amount(group.number)]]
        called = labels if group.what == "other" else names
        found.append(rounding(Parts.by(called, own), group.number).of(group.label, told))
    return {LIVING: found}


def moved(old: Homes, new: Homes, crowd: Homes, row: Mapping[Any, Any], after: District) -> list[Sum]:
    """Return whom a plan moves under a rule, home by home: of what `effects` (a row of it, with its net gain) says."""
    there = _where(old["home"], new["home"])
    both, fresh = _some(old, there >= 0), _some(new, _where(new["home"], old["home"]) < 0)
    also = _some(new, there[there >= 0])
    change = np.nan_to_num(also["served"] - both["served"])
    stay = {of: np.minimum(both[of], also[of]) for of in ("people", "people_60plus")}  # who moves is no part of it
    both = {**both, **stay}
    came, gain, lose = (
        newcomers(fresh["home"], fresh["people"], after),
        np.maximum(change, 0.0),
        np.maximum(-change, 0.0),
    )
    served, people, crowded = fresh["served"], both["people"], crowd["people"]
    crowd = {**crowd, "name": np.append(both["name"], [None])[_where(crowd["home"], both["home"])]}
    parts = {
        "people_gain": ("受益居民（人）", both, gain * people),
        "people_60plus_gain": ("其中60岁及以上（人）", both, gain * both["people_60plus"]),
        "people_lose": ("受影响居民（人）", both, lose * people),
        "people_60plus_lose": ("受影响的60岁及以上（人）", both, lose * both["people_60plus"]),
        "people_crowded": ("服务负荷上升的居民（人）", crowd, crowd["people_crowded"] * crowded),
        "people_relieved": ("设施更松的居民（人）", crowd, crowd["people_relieved"] * crowded),
        "people_new_served": ("导入人口可达（人）", fresh, np.nan_to_num(served) * came),
        "people_new_unserved": ("导入人口不可达（人）", fresh, np.nan_to_num(1 - served) * came),
    }
    found = []
    for column, (label, whose, values) in parts.items():
        if np.isfinite(row[column]):
            printed = [title(label), "{value:,.0f}", amount(row[column])]
            found.append({**_added(title(label), {}, printed), "rows": rows_of(whose["home"], whose["name"], values)})
    if row["net_of"] != "community" and np.isfinite(row["net"]):
        printed, sign = _net(row)
        times = sign * (1e-4 if row["net_of"] == "area_m2" else 1.0)
        gained, lost = (row.get(f"{row['net_of']}_{side}", np.nan) for side in ("gain", "lose"))
        if pd.notna(gained) and pd.notna(lost):  # as printed, so that the three agree
            names = [title(parts[f"{row['net_of']}_{side}"][0]) for side in ("gain", "lose")]
            two = {"gain": (names[0], whole(gained)), "lose": (names[1], -whole(lost))}
            found.append(_added(printed[0], two, printed, times))
        else:
            own = Parts(both["home"], both["name"], change * both[row["net_of"]])
            found.append(own.of(printed[0], [printed], times))
    return found


def _where(homes: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Return at which of some homes others stand; -1: at none."""
    same = len(homes) == len(among) and bool((homes == among).all())
    return np.arange(len(homes)) if same else pd.Index(among).get_indexer(pd.Index(homes))
