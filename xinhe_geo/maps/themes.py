"""What a map says: one rule (or one series of values) as classes, counts, a headline and the words that go with them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from ..access import AT_LEAST, only_known, rule_in, rule_meant
from ..core import DEMONSTRATION, Rule, amount, per_cent, say, speaking
from ..district import District, Named, place_title
from .basemap import names_of
from .style import (
    Edition,
    cell_text,
    column_of,
    evidence_line,
    floats_of,
    house_style,
    is_demonstration,
    layer_of,
    number_text,
    numbers_of,
    role,
    rule_label,
    shown_count,
    texts_of,
    wording,
)


@dataclass(frozen=True, eq=False)
class Subject:
    """What a map shows over the district's own layers, and under which name; the fields are the parameters of `draw`."""

    cover: pd.DataFrame | None = None
    rings: gpd.GeoDataFrame | None = None
    rule: Named | None = None
    gaps: gpd.GeoDataFrame | None = None
    values: pd.Series | None = None
    unit: str = ""
    show: str = "minutes"
    title: str | None = None


class Classes(NamedTuple):
    """Homes put into classes, before anybody in them is counted: label, title of the legend, style per class, class per home."""

    label: str
    title: str
    styles: list[dict[str, Any]]
    pick: np.ndarray


@dataclass
class Mode:
    """One way to colour the features of a theme's layer."""

    label: str
    title: str
    styles: list[dict[str, Any]]
    pick: np.ndarray
    counts: list[int]
    texts: list[str]


@dataclass
class Theme:
    """One rule (or one series of values) on the map: what is coloured, and the words that go with it."""

    id: str
    label: str
    title: str
    lines: list[str]
    layer: str
    modes: list[Mode]
    table: list[tuple[str, list[str | None]]]
    kinds: tuple[str, ...] = ()
    facts: list[dict[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    missing: list[tuple[str, int]] = field(default_factory=list)
    evidence: str = ""
    start: int = 0
    on: list[str] = field(default_factory=list)  # layers that are hidden at first otherwise


# --- themes ----------------------------------------------------------------------------------------------------------


def is_presence(rule: Rule) -> bool:
    """Whether a rule asks that each community has one, rather than that homes reach one."""
    return rule.metric == "presence" or rule.denominator == "community"


def rows_of(cover: pd.DataFrame, rule: str, homes: gpd.GeoDataFrame) -> pd.DataFrame:
    """Return a rule's rows in the order of the homes; missing where the table has none."""
    index, names = cover.index, list(cover.index.names)
    level = names.index("rule") if "rule" in names else index.nlevels - 1
    known = index.levels[level]
    rows = cover.take(np.flatnonzero(index.codes[level] == known.get_loc(rule)) if rule in known else [])
    rows = rows.set_axis(rows.index.get_level_values("home" if "home" in names else 0), axis=0)
    return rows if rows.index.equals(homes.index) else rows[~rows.index.duplicated()].reindex(homes.index)


def limit_text(rule: Rule, lang: str) -> str:
    """Return a rule's own limit: its minutes, or its metres."""
    t = wording(lang)
    if rule.method == "walk_min":
        return t["up_to"].format(b=f"{rule.minutes:g}", u=t["min"])
    return t["up_to"].format(b=f"{rule.metres:g}", u=t["m"])


def _standing(rule: Rule, lang: str) -> str:
    """Return what may be said about where a rule comes from."""
    if rule.elsewhere:
        with speaking(lang):
            return rule.basis_text
    return rule.basis_text if lang == "zh" else wording(lang)[f"confidence_{rule.confidence}"]


def walker_text(district: District, name: str, lang: str) -> str:
    """Return what a profile is called, with its speed."""
    who, table = name, district.profiles
    if name in table.index:
        who = (cell_text(table, name, "label_en") if lang == "en" else "") or cell_text(table, name, "label")
        speed = number_text(table.loc[name, "speed_m_s"], "m/s", 2) if "speed_m_s" in table.columns else None
        who += f" {speed}" if speed else ""
    return who


def rule_lines(district: District, rule: Rule, lang: str) -> list[str]:
    """Return 方法/人群/标准/分母 and what may be said about the rule's standing."""
    t = wording(lang)
    who = walker_text(district, rule.profile, lang)
    lines = [t["line_method"].format(v=t[f"method_{rule.method}"])]
    if rule.method == "walk_min":
        lines.append(t["line_who"].format(v=who))
    lines += [
        t["line_limit"].format(v=limit_text(rule, lang)),
        t["line_denominator"].format(v=t[f"den_{rule.denominator}"]),
    ]
    return [*lines, _standing(rule, lang)]


def _classes(rule: Rule, lang: str) -> tuple[list[float], str, list[dict[str, Any]]]:
    """Return the breaks, the cover column that is coloured and the styles: inside the limit, over it, out of reach."""
    t, look = wording(lang), house_style()["cover"]
    if rule.method == "walk_min":
        limit, column, unit = rule.minutes, "minutes", t["min"]
        step = 5.0 if limit in (10.0, 15.0) else limit / (3 if limit % 3 == 0 and limit > 5 else 1 if limit <= 5 else 2)
    else:
        limit, unit = rule.metres, t["m"]
        column = "straight_metres" if rule.method == "buffer" else "metres"
        step = limit / 2
    inner = [b for b in (step, 2 * step, 3 * step) if b < limit - 1e-9] + [limit]
    breaks = [*inner, limit * 4 / 3 if limit == 15.0 else limit * 1.5]
    colours = [*look["inside"][: len(inner) - 1], look["inside"][-1]]
    edge = {"line": look["line"], "width": look["width"]}
    styles = []
    for i, (b, c) in enumerate(zip(breaks, [*colours, look["over"][0]], strict=True)):
        low = breaks[i - 1] if i else None
        text = (
            t["up_to"].format(b=f"{b:g}", u=unit)
            if low is None
            else t["between"].format(a=f"{low:g}", b=f"{b:g}", u=unit)
        )
        styles.append({"fill": c, **edge, "label": text})
    styles.append({"fill": look["over"][1], **edge, "label": t["above"].format(a=f"{breaks[-1]:g}", u=unit)})
    styles.append({**look["unreachable"], **edge, "label": t["unreachable"], "skip": True})
    styles.append({**look["unknown"], "width": look["width"], "label": t["unknown"], "skip": True})
    return breaks, column, styles


def _minutes_mode(rule: Rule, rows: pd.DataFrame, homes: gpd.GeoDataFrame, edition: Edition) -> Mode:
    """Colour homes by their own minutes (or metres, where that is how the rule judges)."""
    t = wording(edition.lang)
    breaks, column, styles = _classes(rule, edition.lang)
    cost, served = floats_of(rows, column), floats_of(rows, "served")
    pick = np.searchsorted(np.asarray(breaks) + 1e-6, cost, side="left")
    pick = np.where(np.isnan(cost), np.where(np.isnan(served), len(styles) - 1, len(styles) - 2), pick)
    shown = {"walk_min": t["method_walk_min"], "buffer": t["straight_distance"], "network_m": t["method_network_m"]}[
        rule.method
    ]
    title = t["line_shown"].format(v=shown)
    return _counted(Classes(t[f"mode_{rule.method}"], title, styles, pick), homes, counted_in(rule), edition)


def counted_in(rule: Rule) -> str:
    """Return whom the classes of a rule count: everybody, or people 60+ where the rule is about them."""
    return "people_60plus" if rule.denominator == "people_60plus" else "people"


def two_tones(rule: Rule, cover: pd.DataFrame, homes: gpd.GeoDataFrame, edition: Edition) -> Mode:
    """Colour homes by whether most of each is served: problem, fine, or unknown."""
    t, look = wording(edition.lang), house_style()["cover"]
    served = floats_of(rows_of(cover, rule.name, homes), "served")
    edge = {"line": look["line"], "width": look["width"]}
    presence = is_presence(rule)
    styles = [
        {"fill": role("fine"), **edge, "label": t["has"] if presence else t["within"]},
        {"fill": role("problem"), **edge, "label": t["hasnt"] if presence else t["beyond"]},
        {**look["unknown"], "width": look["width"], "label": t["unknown"]},
    ]
    pick = np.where(np.isnan(served), 2, np.where(served >= 0.5, 0, 1))
    label = t["within"]
    return _counted(Classes(label, label, styles, pick), homes, counted_in(rule), edition)


def _straight_mode(rule: Rule, rows: pd.DataFrame, homes: gpd.GeoDataFrame, edition: Edition) -> Mode | None:
    """Colour homes that a circle counts as served and a walk does not; None where the table cannot tell."""
    t, look = wording(edition.lang), house_style()["straight"]
    circle = floats_of(rows, "served_buffer")
    walk = floats_of(rows, "served_walk_min")
    walk = np.where(np.isnan(walk), floats_of(rows, "served_network_m"), walk)
    walk = np.where(np.isnan(walk), floats_of(rows, "served"), walk)
    if np.isnan(circle).all() or np.isnan(walk).all():
        return None
    edge = {"line": house_style()["cover"]["line"], "width": house_style()["cover"]["width"]}
    styles: list[dict[str, Any]] = [
        {"fill": look["both"], **edge, "label": t["both"]},
        {"fill": look["straight"], **edge, "label": t["only_straight"]},
        {"fill": look["neither"], **edge, "label": t["neither"]},
        {**house_style()["cover"]["unknown"], "label": t["unknown"], "skip": True},
    ]
    pick = np.where(walk >= 0.5, 0, np.where(circle >= 0.5, 1, 2))
    pick = np.where(np.isnan(walk) | np.isnan(circle), 3, pick)
    classes = Classes(t["mode_straight"], t["mode_straight"], styles, pick)
    return _counted(classes, homes, counted_in(rule), edition)


def _counted(classes: Classes, homes: gpd.GeoDataFrame, counted: str, edition: Edition) -> Mode:
    """Return a mode with how many homes and people (or people 60+, where the rule counts them) each class holds."""
    label, title, styles, pick = classes
    people = floats_of(homes, counted)
    counts = [int((pick == i).sum()) for i in range(len(styles))]
    texts = [class_text(people[pick == i], counted, edition.lang, edition.fewer_than) for i in range(len(styles))]
    return Mode(label, title, styles, pick.astype("int64"), counts, texts)


def class_text(people: np.ndarray, counted: str, lang: str, fewer_than: int = 0) -> str:
    """Return how many homes a class holds, and how many of the people who are `counted`; `fewer_than` as in `shown_count`."""
    t, known = wording(lang), people[~np.isnan(people)]
    n = shown_count(len(people), "", lang, fewer_than)
    if not len(known):
        return t["count"].format(n=n)
    words = t["count_60plus"] if counted == "people_60plus" else t["count_people"]
    return words.format(n=n, p=shown_count(float(known.sum()), "", lang, fewer_than))


def percent(value: float) -> str:
    """Return a share as a percentage that is 100 (or 0) only when it is."""
    if math.isnan(value):
        return "—"
    return f"{per_cent(value).removesuffix('%').removesuffix('.0')} %"


def land_text(square_metres: float, lang: str) -> str:
    """Return an amount of land in hectares."""
    hectares = square_metres / 10_000.0
    return wording(lang)["hectares"].format(n=amount(hectares) if hectares >= 100 else amount(hectares, 1))


def share_of(rows: pd.DataFrame, weights: np.ndarray, column: str) -> tuple[float, float]:
    """Return the served share (NaN where nothing is known) and the weight not served."""
    served = floats_of(rows, column)
    known = ~np.isnan(served) & ~np.isnan(weights)
    total = float(weights[known].sum())
    inside = float((served[known] * weights[known]).sum())
    return (inside / total if total > 0 else math.nan), total - inside


def _reach_facts(
    rule: Rule, rows: pd.DataFrame, homes: gpd.GeoDataFrame, demonstration: bool, edition: Edition
) -> tuple[list[dict[str, str]], list[str]]:
    """Return the headline of a reach rule and the notes under it."""
    t = wording(edition.lang)
    column = rule.denominator
    weights = floats_of(rows, column)
    weights = np.where(np.isnan(weights), floats_of(homes, column), weights)
    if column == "area_m2":
        weights = np.where(np.isnan(weights), homes.geometry.area.to_numpy(), weights)
    share, lost = share_of(rows, weights, "served")
    if math.isnan(share):
        return [{"big": t["unknown"], "text": ""}], []
    if is_at_least(rows):
        tag = t["demo_value"] if demonstration else at_least_text(edition.lang)[0]
        text = t["share"].format(den=t[f"den_{column}"]) + t["semicolon"] + at_least_text(edition.lang)[1]
        return [{"big": per_cent(share, 0), "text": text, "tag": tag}], []
    lost_text = land_text(lost, edition.lang) if column == "area_m2" else edition.count(lost, t["person"])
    text = t["share"].format(den=t[f"den_{column}"]) + t["semicolon"] + t["not_served"].format(n=lost_text)
    fact = {"big": per_cent(share, 0), "text": text}
    if demonstration:
        fact["tag"] = t["demo_value"]
    same = np.where(np.isnan(floats_of(rows, "served")), np.nan, weights)  # one denominator for all of them
    others = [share_of(rows, same, c)[0] for c in ("served_buffer", "served_network_m", "served_walk_min")]
    notes = []
    if not all(math.isnan(o) for o in others):
        a, b, c = (per_cent(o, 0, unknown="—") for o in others)
        limits = {"m": f"{rule.metres:g}", "n": f"{rule.minutes:g}"}  # a rule may have two that differ: both are named
        notes.append(t["alternatives"].format(a=a, b=b, c=c, **limits))
    unknown = int(np.isnan(weights).sum())
    if unknown and column != "area_m2":
        notes.append(t["unknown_people"].format(n=edition.count(unknown)))
    served = floats_of(rows, "served")
    partly = int(((served > 1e-9) & (served < 1 - 1e-9)).sum())
    if partly:
        notes.append(t["partly"].format(n=edition.count(partly)))
    return [fact], notes


def is_at_least(rows: pd.DataFrame) -> bool:
    """Whether the rows of a rule rest on a kind that was only seen on a map."""
    return "bound" in rows.columns and AT_LEAST in rows["bound"].unique().tolist()


def are_demonstrations(district: District, *tables: pd.DataFrame) -> bool:
    """Whether rows of a coverage rest on something schematic or synthetic; where they do not say, whether what is drawn does."""
    bases = {
        basis for table in tables if "basis" in table for basis in table["basis"].unique() if isinstance(basis, str)
    }
    if bases:
        return not bases.isdisjoint(DEMONSTRATION)
    return is_demonstration(district, ("homes", "facilities", "streets"))


def list_of(district: District, t: Mapping[str, str]) -> str:
    """Return by the list of which year communities are counted, in brackets; "" where nobody has said."""
    year = district.known_list_year
    return "" if year is None else t["list_of"].format(y=year)


def at_least_text(lang: str) -> tuple[str, str]:
    """Return what is written on what rests on facilities that may not be all, in short and in full."""
    with speaking(lang):
        return say("没有查全（不作结论）"), say("若列出的设施就是全部；走不到的不等于没有")


def _reach_table(district: District, rows: pd.DataFrame, lang: str) -> list[tuple[str, list[str | None]]]:
    t = wording(lang)
    served = [None if math.isnan(s) else percent(s) for s in floats_of(rows, "served")]
    return [
        (t["minutes"], numbers_of(rows, "minutes", t["min"], 1)),
        (t["metres"], numbers_of(rows, "metres", t["m"])),
        (t["straight"], numbers_of(rows, "straight_metres", t["m"])),
        (t["nearest"], names_of(district, "facilities", column_of(rows, "facility"))),
        (t["served"], list(served)),
    ]


def _reach_theme(
    district: District, cover: pd.DataFrame, rule: Rule, homes: gpd.GeoDataFrame, show: str, edition: Edition
) -> Theme:
    lang = edition.lang
    rows = rows_of(cover, rule.name, homes)
    demonstration = are_demonstrations(district, rows)
    facts, notes = _reach_facts(rule, rows, homes, demonstration, edition)
    rows = only_known(rows)
    label = rule_label(district, rule, lang)
    modes = [_minutes_mode(rule, rows, homes, edition)]
    straight = _straight_mode(rule, rows, homes, edition)
    if straight is not None:
        modes.append(straight)
    start = 1 if show == "straight" and straight is not None else 0
    title = f"{place_title(district, lang)} · {label}" + (f" · {wording(lang)['only_straight']}" if start else "")
    return Theme(
        rule.name,
        label,
        title,
        rule_lines(district, rule, lang),
        "homes",
        modes,
        _reach_table(district, rows, lang),
        rule.kinds,
        facts,
        notes,
        [],
        evidence_line(district, rule.kinds, lang),
        start,
    )


def has_one(district: District, rule: Rule, communities: gpd.GeoDataFrame) -> pd.DataFrame:
    """
    Count a rule's facilities in each community.

    A facility counts where it serves (`District.serving`). Returns columns `open`, `planned` (counts), index: community.
    """
    key = ("has one", rule.kinds, tuple(communities.index))  # a report draws it of each state several times
    if key not in district.memo:
        district.memo[key] = _has_one(district, rule, communities)
    counts: pd.DataFrame = district.memo[key]
    return counts


def _has_one(district: District, rule: Rule, communities: gpd.GeoDataFrame) -> pd.DataFrame:
    found = pd.DataFrame(0, index=communities.index, columns=["open", "planned"])
    frame = layer_of(district, "facilities")
    if frame is None or "kind" not in frame.columns:
        return found
    if "serving drawn" not in district.memo:
        district.memo["serving drawn"] = district.serving(frame)
    own, serving = frame["kind"].isin(rule.kinds).to_numpy(), district.memo["serving drawn"]
    states = column_of(frame, "state").fillna("open").to_numpy()
    for state in ("open", "planned"):
        there = serving["facility"].isin(frame.index[own & (states == state)]).to_numpy()
        counts = serving["community"][there].value_counts()
        found[state] = counts.reindex(communities.index).fillna(0).astype("int64")
    return found


def who_can_walk(cover: pd.DataFrame | None, rule: Rule, communities: pd.Index) -> pd.Series:
    """Return the share (0-1) of each community's residents (of its homes, where nobody is known) whom a walk of the rule reaches one."""
    nobody = pd.Series(np.nan, index=communities)
    if cover is None or rule.name not in cover.index.unique("rule"):
        return nobody
    own = cover.xs(rule.name, level="rule")
    if "community" not in own.columns:
        return nobody
    own = own[own["served_walk_min"].notna().to_numpy()]
    people, near = own["people"].astype("float64").fillna(0.0), own["served_walk_min"]
    parts = pd.DataFrame({"people": people, "reached": near * people, "homes": 1.0, "near": near})
    sums = parts.groupby(own["community"]).sum()
    share = (sums["reached"] / sums["people"]).where(sums["people"] > 0, sums["near"] / sums["homes"])
    return share.reindex(communities)


def _presence_theme(
    district: District, rule: Rule, communities: gpd.GeoDataFrame, cover: pd.DataFrame | None, lang: str
) -> Theme:
    """Colour communities that have one (paler where few can walk to one), have only a planned one, have none."""
    t, look = wording(lang), house_style()["presence"]
    count, walk = has_one(district, rule, communities), who_can_walk(cover, rule, communities.index)
    unknown = not district.surveyed_kinds & set(rule.kinds) and not count.to_numpy().any()
    edge = {"line": look["line"], "width": look["width"]}
    styles = [
        {**look[k], **edge, "label": t[word], "skip": k in ("few", "planned", "unknown")}
        for k, word in (
            ("yes", "has"),
            ("few", "has_few"),
            ("planned", "only_planned"),
            ("no", "hasnt"),
            ("unknown", "unknown"),
        )
    ]
    there = (count["open"] > 0).to_numpy()
    pick = np.where(there, np.where(walk < 0.5, 1, 0), np.where(count["planned"] > 0, 2, 3))
    pick = np.full(len(pick), 4) if unknown else pick
    mapped = not district.mapped_kinds.isdisjoint(rule.kinds)
    pick = np.where(~there & mapped, 4, pick)  # none on the map is not none
    names = [n or str(i) for n, i in zip(texts_of(communities, "name"), communities.index, strict=True)]
    counts = [int((pick == i).sum()) for i in range(len(styles))]
    has, label = int(np.isin(pick, (0, 1)).sum()), rule_label(district, rule, lang)
    text = t["of_communities"].format(n=len(pick), k=has) + list_of(district, t)
    facts = [{"big": t["unknown"] if unknown else f"{has} / {len(pick)}", "text": "" if unknown else text}]
    if is_demonstration(district, ("communities", "facilities")) and not unknown:
        facts[0]["tag"] = t["demo_value"]
    elif mapped:
        facts[0] |= {"tag": at_least_text(lang)[0], "text": text + t["semicolon"] + at_least_text(lang)[1]}
    missing = [] if unknown or mapped else [(names[i], int(i)) for i in np.flatnonzero(pick > 1)]
    notes = [] if unknown or missing or mapped else [t["none_missing"]]
    table: list[tuple[str, list[str | None]]] = [
        (label, [None if unknown or (mapped and not n) else f"{n}" for n in count["open"]]),
        (t["planned"], [f"{n}" if n else "" for n in count["planned"]]),
    ]
    if walk.notna().any() and not unknown:
        table.insert(1, (t["can_walk"], [None if math.isnan(part) else percent(part) for part in walk]))
    told = [t["n_communities"].format(n=n) for n in counts]
    mode = Mode(t["has"], t["community"], styles, pick.astype("int64"), counts, told)
    lines = [t["line_denominator"].format(v=t["den_community"]) + list_of(district, t)]
    lines.append(_standing(rule, lang))
    return Theme(
        rule.name,
        label,
        f"{place_title(district, lang)} · {label}",
        lines,
        "presence",
        [mode],
        table,
        rule.kinds,
        facts,
        notes,
        missing,
        evidence_line(district, rule.kinds, lang),
    )


def _round_edges(low: float, high: float) -> np.ndarray:
    """Return bounds of at most five classes that hold everything from low to high: equal steps of 1, 2, 2.5 or 5 of a power of ten."""
    if not high - low > abs(high) * 1e-9:
        return np.array([low, low + 1])
    power = 10.0 ** math.floor(math.log10((high - low) / 5))
    for step in (m * power for m in (1, 2, 2.5, 5, 10, 20)):
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        if last - first <= 5:
            break
    return step * np.arange(first, last + 1)


def values_theme(
    district: District, values: pd.Series, subject: Subject, homes: gpd.GeoDataFrame, edition: Edition
) -> Theme:
    """Colour homes by any series, in the subject's unit: shares in fifths, other numbers in at most five round steps."""
    t, look, unit = wording(edition.lang), house_style(), subject.unit
    label = t.get(str(values.name)) or subject.title or (str(values.name) if values.name else t["completeness"])
    number = pd.to_numeric(values.reindex(homes.index), errors="coerce").to_numpy(dtype="float64", na_value=np.nan)
    known = number[~np.isnan(number)]
    share = not unit and (not len(known) or (known.min() >= 0 and known.max() <= 1))
    low, high = (0.0, 1.0) if share or not len(known) else (float(known.min()), float(known.max()))
    whole = not share and bool(np.all(known == np.rint(known)))
    if whole:  # none by itself, then classes of as many whole numbers each
        none = [0.0] if low == 0 < high else []
        start = low + len(none)
        step = math.ceil((high - start + 1) / (5 - len(none)))
        edges = np.array([*none, *np.arange(start, high + step + 0.5, step)])
    elif share:
        edges = np.linspace(low, high, 6)
    else:
        edges = _round_edges(low, high)
    classes = len(edges) - 1
    pick = np.clip(np.searchsorted(edges[1:-1] - 1e-9, number, side="right"), 0, classes - 1)
    pick = np.where(np.isnan(number), classes, pick)

    def words(value: float) -> str:
        return f"{value * 100:.0f}" if share else f"{value:,.4g}"

    def label_of(i: int) -> str:
        first, last = edges[i], edges[i + 1] - (1 if whole else 0)
        if first == last:
            return f"{words(first)} {unit}".rstrip()
        return t["between"].format(a=words(first), b=words(last), u="%" if share else unit).rstrip()

    edge = {"line": look["cover"]["line"], "width": look["cover"]["width"]}
    shades = (
        look["values"][::-1] if share else look["values"]
    )  # dark is what falls short: little of a share, much of a count
    ramp = [shades[round(i * 4 / max(classes - 1, 1))] for i in range(classes)]
    styles: list[dict[str, Any]] = [{"fill": c, **edge, "label": label_of(i)} for i, c in enumerate(ramp)]
    styles.append({**look["cover"]["unknown"], "label": t["unknown"], "skip": True})
    people = floats_of(homes, "people")
    both = ~np.isnan(number) & ~np.isnan(people)
    facts = []
    if share and both.any() and people[both].sum() > 0:
        mean = float((number[both] * people[both]).sum() / people[both].sum())
        facts = [{"big": per_cent(mean, 0), "text": t["weighted"].format(v=label)}]
        if is_demonstration(district, ("homes", "facilities", "streets")):
            facts[0]["tag"] = t["demo_value"]
    shown: list[str | None] = [
        None if math.isnan(v) else percent(v) if share else number_text(v, unit, 0 if whole else 1) for v in number
    ]
    return Theme(
        "values",
        label,
        f"{place_title(district, edition.lang)} · {label}",
        [],
        "homes",
        [_counted(Classes(label, label, styles, pick), homes, "people", edition)],
        [(label, shown)],
        (),
        facts,
        [],
        [],
        evidence_line(district, (), edition.lang),
    )


def themes_of(district: District, subject: Subject, edition: Edition) -> list[Theme]:
    """Return a theme per rule of the subject's coverage (one where a rule is asked for)."""
    cover, rule = subject.cover, subject.rule
    homes, communities = layer_of(district, "homes"), layer_of(district, "communities")
    if cover is None:
        names: list[str | Rule] = [] if rule is None else [district.rule(rule)]
    else:
        listed = list(cover.index.unique("rule" if "rule" in cover.index.names else cover.index.nlevels - 1))
        names = listed if rule is None else [_asked_of(district, cover, rule, listed)]
    themes = []
    for name in names:
        found = _rule_of(district, cover, name)
        if is_presence(found) and communities is not None:
            themes.append(_presence_theme(district, found, communities, cover, edition.lang))
        elif homes is not None and cover is not None:
            themes.append(_reach_theme(district, cover, found, homes, subject.show, edition))
    return themes


def _asked_of(district: District, cover: pd.DataFrame, rule: Named, listed: Sequence[object]) -> str | Rule:
    """Return the rule that is meant: one of the coverage, or one that needs none."""
    if isinstance(rule, str) and rule in listed:
        return rule
    found = district.rule(rule)
    if found.name in listed or is_presence(found):
        return found if isinstance(rule, Rule) else found.name
    return rule_meant(district, cover, rule)


def _rule_of(district: District, cover: pd.DataFrame | None, name: str | Rule) -> Rule:
    """Return a rule; one that only the coverage knows as that says it."""
    if cover is None or isinstance(name, Rule) or "limit_minutes" not in cover.columns or name in district.rules.index:
        return district.rule(name)
    return rule_in(district, cover.xs(name, level="rule"), name)


def ring_minutes(rings: gpd.GeoDataFrame) -> np.ndarray:
    """Return the minutes (or metres) of each ring, from a column or the index."""
    for name in ("minutes", "limit", "metres"):
        if name in rings.columns:
            return np.asarray(pd.to_numeric(rings[name], errors="coerce"), dtype="float64")
        if name in rings.index.names:
            return np.asarray(rings.index.get_level_values(name), dtype="float64")
    return np.asarray(rings.index.get_level_values(-1), dtype="float64")


def first_theme(district: District, themes: Sequence[Theme], rings: gpd.GeoDataFrame | None) -> int:
    """
    Return the theme to show first: the one the rings were drawn for.

    Rings say their kind in a column, or it is the kind of which every open facility lies inside the smallest ring (the
    largest such kind, should there be several). Without rings it is the first theme.
    """
    frame = layer_of(district, "facilities")
    if rings is None or not len(rings) or not themes:
        return 0
    if "kind" in rings.columns:
        kinds = list(rings["kind"].astype(str))
    elif frame is not None and "kind" in frame.columns:
        rings = rings.to_crs(district.crs) if rings.crs is not None else rings
        inner = rings.geometry.array[int(np.argmin(ring_minutes(rings)))]
        there = frame[(column_of(frame, "state").fillna("open") == "open").to_numpy()]
        inside = pd.Series(shapely.intersects(inner, there.geometry.array), index=there["kind"].astype(str))
        whole = inside.groupby(level=0).agg(["all", "size"])
        kinds = list(whole[whole["all"]].sort_values("size", ascending=False, kind="stable").index)
    else:
        kinds = []
    for kind in kinds[:1]:
        for i, theme in enumerate(themes):
            if kind in theme.kinds and theme.layer == "homes":
                return i
    return next((i for i, theme in enumerate(themes) if theme.layer == "homes"), 0)
