"""What two coverages of the same homes differ in: two walkers under one rule, or one rule before and after a plan."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from ..access import coverage, who_stay
from ..core import Rule, UnknownNameError, amount, say, signed, speaking
from ..district import District, place_title
from .basemap import Layer, area_layer, names_of, point_styles, points_of
from .style import (
    column_of,
    evidence_line,
    floats_of,
    house_style,
    is_demonstration,
    kind_label,
    layer_of,
    number_text,
    numbers_of,
    rule_label,
    texts_of,
    wording,
)
from .themes import (
    Classes,
    Mode,
    Theme,
    are_demonstrations,
    at_least_text,
    counted_in,
    has_one,
    is_at_least,
    is_presence,
    land_text,
    limit_text,
    list_of,
    percent,
    rows_of,
    rule_lines,
    share_of,
    walker_text,
)

#: Smaller changes of a share, or of minutes, are rounding.
EPSILON = 1e-9
MINUTE_STEPS = (-5.0, -1.0, 1.0, 5.0)


def _counted(classes: Classes, people: np.ndarray, counted: str, lang: str) -> Mode:
    """Return a mode with, per class, the homes and the given number of people of each home."""
    t, (label, title, styles, pick) = wording(lang), classes
    words = t["count_60plus"] if counted == "people_60plus" else t["count_people"]
    counts, texts = [], []
    for i in range(len(styles)):
        inside = people[pick == i]
        known = inside[~np.isnan(inside)]
        counts.append(len(inside))
        text = (
            words.format(n=amount(len(inside)), p=amount(known.sum()))
            if len(known)
            else t["count"].format(n=amount(len(inside)))
        )
        texts.append(text)
    return Mode(label, title, styles, pick.astype("int64"), counts, texts)


def _styled(name: str, label: str, *, skip: bool = False) -> dict[str, Any]:
    """Return an entry of the style table "change" with its label."""
    cover = house_style()["cover"]
    look = cover["unknown"] if name == "unknown" else house_style()["change"][name]
    return {"line": cover["line"], "width": cover["width"], **look, "label": label, "skip": skip}


def _minutes_text(values: np.ndarray, lang: str) -> list[str | None]:
    t = wording(lang)
    return [None if math.isnan(v) else number_text(v, t["min"], 1) for v in values]


# --- two walkers -----------------------------------------------------------------------------------------------------


def walkers_theme(
    district: District, rule: str | Rule, profiles: tuple[str, str], covers: Sequence[pd.DataFrame] | None, lang: str
) -> Theme:
    """
    Return the homes that the first walker reaches within the rule's minutes and the second does not, people 60+ counted.

    The rule is judged by walking time whatever its own method: the walkers differ in nothing else.
    """
    own = district.rule(rule)
    if is_presence(own):
        timed = [r for r in district.rules.index if not is_presence(district.rule(r))]
        raise UnknownNameError("按步行时间比较的规则", own.name, [str(r) for r in timed])
    own = replace(own, method="walk_min")
    a, b = covers or [coverage(district, rules=[own], profile=who) for who in profiles]
    homes = layer_of(district, "homes")
    if homes is None:
        raise UnknownNameError("图层", "homes", sorted(district.layers))
    rows = rows_of(a, own.name, homes), rows_of(b, own.name, homes)
    counted = "people_60plus" if not np.isnan(floats_of(homes, "people_60plus")).all() else "people"
    who = [walker_text(district, name, lang) for name in profiles]
    short = [w.split("（")[0].split(" ")[0] if lang == "zh" else w.rsplit(" ", 2)[0] for w in who]
    pair = _Walkers(own, who, short, rows, floats_of(homes, counted), counted)
    return _walkers_theme(district, pair, lang)


class _Walkers(NamedTuple):
    """One rule for two walkers: what they are called, whom each home's row serves, and the people who are counted."""

    rule: Rule
    who: list[str]
    short: list[str]
    rows: tuple[pd.DataFrame, pd.DataFrame]
    people: np.ndarray
    counted: str


def _walkers_mode(pair: _Walkers, lang: str) -> Mode:
    """Colour homes by which of the two walkers they serve."""
    t, short, people = wording(lang), pair.short, pair.people
    served = [floats_of(r, "served") for r in pair.rows]
    unknown = np.isnan(served[0]) | np.isnan(served[1])
    lost = served[0] - served[1]
    pick = np.where(lost > EPSILON, 1, np.where(served[1] >= 0.5, 0, 2))
    pick = np.where(lost < -EPSILON, 3, pick)
    pick = np.where(unknown, 4, pick)
    if any(is_at_least(r) for r in pair.rows):
        pick = np.where(served[1] >= 0.5, pick, 4)  # none on the map is not none
    styles = [
        _styled("stays", t["both_walkers"]),
        _styled("lose", t["only_walker"].format(a=short[0], b=short[1])),
        _styled("never", t["no_walker"]),
        _styled("gain", t["only_walker"].format(a=short[1], b=short[0]), skip=True),
        _styled("unknown", t["unknown"], skip=True),
    ]
    # A home that is partly reached counts with its share, so that the class adds up to the figure above it.
    amount = np.where(pick == 1, people * np.clip(lost, 0, 1), people)
    return _counted(Classes(t["mode_walkers"], t["mode_walkers"], styles, pick), amount, pair.counted, lang)


def _walkers_theme(district: District, pair: _Walkers, lang: str) -> Theme:
    t = wording(lang)
    rule, who, short, rows, people, counted = pair
    served = [floats_of(r, "served") for r in rows]
    lost = float(np.nansum(np.clip(served[0] - served[1], 0, 1) * people))
    shares = [share_of(r, people, "served")[0] for r in rows]
    fact = {
        "big": number_text(lost, t["person"]) or t["unknown"],
        "text": t["walkers_fact"].format(den=t[f"den_{counted}"], m=limit_text(rule, lang), a=short[0], b=short[1]),
    }
    if all(math.isnan(s) for s in shares):
        fact = {"big": t["unknown"], "text": ""}
    elif any(is_at_least(r) for r in rows):
        fact = {"big": t["unknown"], "text": at_least_text(lang)[1]}
    elif are_demonstrations(district, *rows):
        fact["tag"] = t["demo_value"]
    note = t["walkers_shares"].format(a=short[0], x=percent(shares[0]), b=short[1], y=percent(shares[1]))
    table = [
        (
            f"{name}{t['minutes']}" if lang == "zh" else f"{t['minutes']} ({name})",
            _minutes_text(floats_of(r, "minutes"), lang),
        )
        for name, r in zip(short, rows, strict=True)
    ]
    table.append((t["nearest"], names_of(district, "facilities", column_of(rows[1], "facility"))))
    lines = [
        t["line_method"].format(v=t["method_walk_min"]),
        t["line_who"].format(v=" / ".join(who)),
        t["line_limit"].format(v=limit_text(rule, lang)),
        t["line_denominator"].format(v=t[f"den_{counted}"]),
    ]
    label = f"{rule_label(district, rule, lang)} · {t['against'].format(a=short[1], b=short[0])}"
    return Theme(
        rule.name,
        label,
        f"{place_title(district, lang)} · {label}",
        lines,
        "homes",
        [_walkers_mode(pair, lang)],
        table,
        rule.kinds,
        [fact],
        [note],
        [],
        evidence_line(district, rule.kinds, lang),
    )


# --- before and after ------------------------------------------------------------------------------------------------


class Comparison(NamedTuple):
    """
    A district without and with a plan, or in two years, and what is known of both.

    Attributes
    ----------
    before, after
        Two states of one district.
    covers
        Coverages of `before` and `after` under the rules that are asked for; None: computed where they are needed.
    """

    before: District
    after: District
    covers: tuple[pd.DataFrame, pd.DataFrame] | None = None


@dataclass
class _Change:
    """One reach rule before and after, per home that exists after; `whole` is before, with the homes that are gone."""

    rule: Rule
    before: pd.DataFrame
    after: pd.DataFrame
    whole: pd.DataFrame
    fresh: np.ndarray
    gone: gpd.GeoDataFrame | None


def rules_of_change(before: District, covers: tuple[pd.DataFrame, pd.DataFrame]) -> list[Rule]:
    """Return the rules of two coverages, those that change most for people first."""
    found: list[tuple[float, int, Rule]] = []
    a, b = covers
    a = a[["served"]].assign(people=who_stay(*covers)["people"])
    for i, name in enumerate(dict.fromkeys(a.index.get_level_values("rule"))):
        both = a.xs(name, level="rule").join(b.xs(name, level="rule")["served"].rename("after"))
        moved = float(((both["after"] - both["served"]).abs() * both["people"]).sum())
        found.append((-moved, i, before.rule(name)))
    return [rule for _, _, rule in sorted(found, key=lambda entry: entry[:2])]


def change_theme(comparison: Comparison, own: Rule, lang: str) -> Theme:
    """Return who gains and who loses under one rule from `before` to `after`, and by how many minutes."""
    before, after, covers = comparison
    communities = layer_of(after, "communities")
    if is_presence(own) and communities is not None:
        return _presence_change(comparison, own, communities, lang)
    a, b = covers or [coverage(d, rules=[own]) for d in (before, after)]
    homes, old = layer_of(after, "homes"), layer_of(before, "homes")
    if homes is None or old is None:
        raise UnknownNameError("图层", "homes", sorted(after.layers))
    stay, rows = old.index.equals(homes.index), rows_of(a, own.name, homes)
    change = _Change(
        own,
        rows,
        rows_of(b, own.name, homes),
        rows if stay else rows_of(a, own.name, old),
        np.zeros(len(homes), np.bool_) if stay else ~homes.index.isin(old.index),
        _without(old, homes),
    )
    people = floats_of(homes, counted_in(own))
    modes = [_effect_mode(change, people, lang), _minutes_mode(change, people, lang)]
    facts, notes = _change_facts(change, homes, after, lang)
    t = wording(lang)
    delta = floats_of(change.after, "minutes") - floats_of(change.before, "minutes")
    moves = [None if math.isnan(v) else signed(v, 1, f" {t['min']}") for v in delta]
    table: list[tuple[str, list[str | None]]] = [
        (t["minutes_before"], numbers_of(change.before, "minutes", t["min"], 1)),
        (t["minutes_after"], numbers_of(change.after, "minutes", t["min"], 1)),
        (t["change"], moves),
        (t["nearest"], names_of(after, "facilities", column_of(change.after, "facility"))),
    ]
    label = rule_label(after, own, lang)
    return Theme(
        own.name,
        label,
        f"{place_title(after, lang)} · {label} · {t['difference']}",
        rule_lines(after, own, lang),
        "homes",
        modes,
        table,
        own.kinds,
        facts,
        notes,
        [],
        evidence_line(after, own.kinds, lang),
    )


def _without(frame: gpd.GeoDataFrame, other: gpd.GeoDataFrame) -> gpd.GeoDataFrame | None:
    """Return the rows of a layer that it does not have in another state; None where it has them all."""
    missing = frame.index.difference(other.index, sort=False)
    return frame.loc[missing] if len(missing) else None


def _effect_mode(change: _Change, people: np.ndarray, lang: str) -> Mode:
    """Colour homes by what becomes of them: newly reached, no longer, always, never, new."""
    t = wording(lang)
    a, b = floats_of(change.before, "served"), floats_of(change.after, "served")
    delta = b - a
    pick = np.where(delta > EPSILON, 0, np.where(delta < -EPSILON, 1, np.where(b >= 0.5, 2, 3)))
    pick = np.where(np.isnan(a) | np.isnan(b), 6, pick)
    if is_at_least(change.after):
        pick = np.where(pick == 3, 6, pick)  # none on the map is not none
    pick = np.where(change.fresh & ~np.isnan(b), np.where(b >= 0.5, 4, 5), pick)
    styles = [
        _styled("gain", t["gains"]),
        _styled("lose", t["loses"]),
        _styled("stays", t["stays_in"]),
        _styled("never", t["stays_out"]),
        _styled("fresh_in", t["fresh_in"], skip=True),
        _styled("fresh_out", t["fresh_out"], skip=True),
        _styled("unknown", t["unknown"], skip=True),
    ]
    stay = floats_of(who_stay(change.before, change.after), counted_in(change.rule))
    moved = np.where((pick == 0) | (pick == 1), stay * np.abs(delta), people)
    classes = Classes(t["mode_effect"], t["mode_effect"], styles, pick)
    return _counted(classes, moved, counted_in(change.rule), lang)


def _minutes_mode(change: _Change, people: np.ndarray, lang: str) -> Mode:
    """Colour homes by how many minutes nearer or farther the nearest one has become."""
    t = wording(lang)
    a, b = floats_of(change.before, "minutes"), floats_of(change.after, "minutes")
    pick = np.searchsorted(np.array(MINUTE_STEPS), b - a, side="left").astype("int64")
    pick = np.where(np.isnan(a) & ~np.isnan(b), 5, pick)
    pick = np.where(~np.isnan(a) & np.isnan(b), 6, pick)
    pick = np.where(np.isnan(a) & np.isnan(b), 7, pick)
    pick = np.where(np.isnan(floats_of(change.after, "served")), 9, np.where(change.fresh, 8, pick))
    low, less, more, high = (f"{abs(step):g}" for step in MINUTE_STEPS)
    words = [
        t["nearer_than"].format(n=low),
        t["nearer"].format(a=less, b=low),
        t["no_change"].format(n=more),
        t["farther"].format(a=more, b=high),
        t["farther_than"].format(n=high),
        t["now_walkable"],
        t["no_longer_walkable"],
        t["unreachable"],
        t["fresh_home"],
        t["unknown"],
    ]
    names = ["gain", "nearer", "stays_same", "farther", "lose", "gain", "lose", "out", "fresh_in", "unknown"]
    styles = [_styled(n, w, skip=i > 4) for i, (n, w) in enumerate(zip(names, words, strict=True))]
    classes = Classes(t["mode_change"], t["mode_change"], styles, pick)
    return _counted(classes, people, counted_in(change.rule), lang)


def _change_facts(
    change: _Change, homes: gpd.GeoDataFrame, after: District, lang: str
) -> tuple[list[dict[str, str]], list[str]]:
    """Return people who gain and lose, the share before and after, and who moved in or out."""
    t = wording(lang)
    delta = np.nan_to_num(floats_of(change.after, "served") - floats_of(change.before, "served"))
    stay, parts = who_stay(change.before, change.after), []
    for sign, word in ((1, "gain_fact"), (-1, "lose_fact")):
        moved = np.clip(sign * delta, 0, 1)
        everybody, older = (_known(moved, floats_of(stay, c)) for c in ("people", "people_60plus"))
        parts.append((everybody, t[word].format(e=number_text(older, t["person"]) or t["unknown"])))
    if np.isnan(floats_of(change.after, "served")).all():
        return [{"big": t["unknown"], "text": ""}], []
    facts = [{"big": number_text(n, t["person"]) or t["unknown"], "text": text} for n, text in parts]
    if is_at_least(change.after):  # a place that no map shows may serve them already
        with speaking(lang):
            facts = [
                {**fact, "big": say("至多 {0}", fact["big"]) if np.isfinite(n) else fact["big"]}
                for fact, (n, _) in zip(facts, parts, strict=True)
            ]
        facts[0] |= {"tag": at_least_text(lang)[0]}
    if are_demonstrations(after, change.after):
        facts[0]["tag"] = t["demo_value"]
    shares = [share_of(r, floats_of(r, change.rule.denominator), "served")[0] for r in (change.whole, change.after)]
    notes = []
    column = change.rule.denominator if change.rule.denominator == "area_m2" else counted_in(change.rule)
    land = homes.geometry.area.to_numpy(dtype=float) if column == "area_m2" else floats_of(stay, column)
    gain, lose = (_known(np.clip(sign * delta, 0, 1), land) for sign in (1, -1))
    net = gain - lose
    if not is_at_least(change.after) and not math.isnan(net):
        amount = land_text(abs(net), lang) if column == "area_m2" else number_text(abs(net), t["person"])
        notes.append(t["net_fact"].format(den=t[f"den_{column}"], n=f"{'−' if net < 0 else '+'}{amount}"))
    if not any(math.isnan(s) for s in shares):
        notes.append(
            t["shares_of_homes"].format(
                den=t[f"den_{change.rule.denominator}"], a=percent(shares[0]), b=percent(shares[1])
            )
        )
    if change.gone is not None:
        notes.append(
            t["moved_out"].format(
                n=len(change.gone), p=number_text(float(np.nansum(floats_of(change.gone, "people"))), t["person"])
            )
        )
    if change.fresh.any():
        fresh = homes[change.fresh]
        notes.append(
            t["moved_in"].format(n=len(fresh), p=number_text(float(np.nansum(floats_of(fresh, "people"))), t["person"]))
        )
    return facts, notes


def _known(part: np.ndarray, amounts: np.ndarray) -> float:
    """Add up a part of what each home has; missing where of none, or of none that is concerned, the amount is known."""
    own = (part * amounts)[part > 0]
    unknown = np.isnan(amounts).all() or (len(own) and np.isnan(own).all())
    return math.nan if unknown else float(np.nansum(own))


def _presence_change(comparison: Comparison, rule: Rule, communities: gpd.GeoDataFrame, lang: str) -> Theme:
    """Return which communities get one, lose theirs, have one on both sides, or none."""
    t, after = wording(lang), comparison.after
    a, b = (has_one(d, rule, communities)["open"].to_numpy() > 0 for d in comparison[:2])
    pick = np.where(~a & b, 0, np.where(a & ~b, 1, np.where(b, 2, 3)))
    mapped = not after.mapped_kinds.isdisjoint(rule.kinds)
    last = t["unknown"] if mapped else t["hasnt"]  # none on the map is not none
    styles = [
        {**_styled(n, words), "opacity": 0.75}
        for n, words in (("gain", t["gets_one"]), ("lose", t["loses_one"]), ("stays", t["has"]), ("never", last))
    ]
    counts = [int((pick == i).sum()) for i in range(4)]
    mode = Mode(t["mode_effect"], t["community"], styles, pick.astype("int64"), counts, [amount(c) for c in counts])
    names = [n or str(i) for n, i in zip(texts_of(communities, "name"), communities.index, strict=True)]
    text = t["presence_change"].format(a=int(a.sum()), b=int(b.sum()), n=len(pick)) + list_of(after, t)
    fact = {"big": signed(int(b.sum()) - int(a.sum()), 0), "text": text}
    if is_demonstration(after, ("communities", "facilities")):
        fact["tag"] = t["demo_value"]
    label = rule_label(after, rule, lang)
    lines = [t["line_denominator"].format(v=t["den_community"])]
    missing = [(names[i], int(i)) for i in np.flatnonzero(~b)]
    table: list[tuple[str, list[str | None]]] = [
        (t["before"], [t["has"] if x else t["hasnt"] for x in a]),
        (t["after"], [t["has"] if x else t["hasnt"] for x in b]),
    ]
    return Theme(
        rule.name,
        label,
        f"{place_title(after, lang)} · {label} · {t['difference']}",
        lines,
        "presence",
        [mode],
        table,
        rule.kinds,
        [fact],
        [],
        missing,
        evidence_line(after, rule.kinds, lang),
    )


# --- what was changed ------------------------------------------------------------------------------------------------


def changed_layers(
    comparison: Comparison, kinds: Sequence[str] | None, lang: str, tags: Mapping[str, str] | None = None
) -> list[Layer]:
    """Return the facilities that open, close or move, and the homes that are gone, as layers of their own."""
    t, layers = wording(lang), []
    old, new = (layer_of(d, "homes") for d in comparison[:2])
    if old is not None:
        gone = old if new is None else _without(old, new)
        if gone is not None:
            look = {**house_style()["change"]["gone"], "label": t["homes_gone"]}
            layer = area_layer(gone, "gone", t["homes_gone"], look)
            layers.append(replace(layer, names=texts_of(gone, "name"), one=t["homes_gone"]))
    points = _changed_points(comparison, kinds, lang, tags or {})
    return [*layers, points] if points is not None else layers


def zone_layers(zones: Mapping[str, str], crs: str, lang: str) -> list[Layer]:
    """Return the ground in which new places may stand, each named by its place, as one layer; none where it is not known."""
    own = {name: wkt for name, wkt in zones.items() if wkt}
    if not own:
        return []
    t = wording(lang)
    frame = gpd.GeoDataFrame(geometry=shapely.from_wkt(np.array(list(own.values()), dtype=object)), crs=crs)
    layer = area_layer(frame, "zone", t["may_stand"], {**house_style()["change"]["zone"], "label": t["may_stand"]})
    return [replace(layer, names=list(own), one=t["may_stand"])]


def _open(district: District, frame: gpd.GeoDataFrame, kinds: Sequence[str] | None) -> pd.Index:
    """Return the open facilities of some kinds, of all where none are named."""
    if "open drawn" not in district.memo:  # each rule asks
        keep = (column_of(frame, "state").fillna("open") == "open").to_numpy()
        district.memo["open drawn"] = frame["kind"].astype(object)[keep]
    kind_of: pd.Series = district.memo["open drawn"]
    return kind_of.index[kind_of.isin(list(kinds)).to_numpy()] if kinds else kind_of.index


def _changed_points(
    comparison: Comparison, kinds: Sequence[str] | None, lang: str, tags: Mapping[str, str]
) -> Layer | None:
    """Return one large symbol (with its tag, if any) per facility that opens, closes or moves; a list says what becomes of it."""
    t, after = wording(lang), comparison.after
    old, new = (layer_of(d, "facilities") for d in comparison[:2])
    if old is None or new is None:
        return None
    a, b = _open(comparison.before, old, kinds), _open(after, new, kinds)
    both = b.intersection(a)
    places = [frame.geometry.array[frame.index.get_indexer(both)] for frame in (old, new)]
    moved = both[~shapely.equals_exact(*places, 0.05)]
    opens, closes = b.difference(a, sort=False), a.difference(b, sort=False)
    changed = [("opens", new, opens), ("moves", new, moved), ("closes", old, closes)]
    whats = [what for what, _, ids in changed for _ in ids]
    if not whats:
        return None
    frame = pd.concat([where.loc[ids] for _, where, ids in changed if len(ids)])
    styles: list[dict[str, Any]] = []
    for what, kind, facility in zip(whats, frame["kind"], frame.index, strict=True):
        look = point_styles(after, str(kind), lang)[2 if what == "closes" else 0]
        tag = None if what == "closes" else tags.get(str(facility))
        size = {"size": 11} if tag is None else {"symbol": tag, "size": 13}  # a letter is read across the room
        styles.append({**look, **size, "keep": True, "ring": house_style()["change"]["ring"][what], "label": t[what]})
    names = [n or str(i) for n, i in zip(texts_of(frame, "name"), frame.index, strict=True)]
    labels = [kind_label(after, str(k), lang) for k in frame["kind"]]
    told = [t[what] for what in whats]
    listing = [{"name": n, "people": w, "why": k} for n, k, w in zip(names, labels, told, strict=True)]
    table: list[tuple[str, list[str | None]]] = [(t["kind"], list(labels)), (t["change"], list(told))]
    layer = Layer(
        "changed", t["changed"], "P", points_of(frame), styles, np.arange(len(frame)), list(names), table, find=True
    )
    layer.extra["list"] = listing
    return layer
