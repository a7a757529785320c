"""
What a measure stands on: its row, its scope, the layers it cannot do without, and how much of them is a demonstration.

What a metric finds is a `Found`; what it cannot do without it names (`Lacks`). Everything a number was made from can be said
in words here: parameters, scope, inputs.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, TypeVar

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from ...access import decay_of
from ...core import (
    BASES,
    BASIS_LABELS,
    DEMONSTRATION,
    LAYERS,
    METHOD_LABELS,
    ON_THE_WAY,
    Rule,
    amount,
    counted,
    language,
    layer_name,
    listed,
    say,
    whole,
    word,
)
from ...district import District, column_name, kind_name, list_told, of_list, walker_name, year_told

#: Metrics that count communities; what they lack is said with the people who live there.
IN_COMMUNITIES = ("communities_with", "communities_without")


SCOPE_LAYERS = {
    "district": "district",
    "zone": "zones",
    "area": "areas",
    "community": "communities",
    "parcel": "parcels",
    "home": "homes",
}


WEIGHTS = {
    "people": ("常住人口", "人"),
    "people_60plus": ("60岁及以上人口", "位60岁及以上老人"),
    "households": ("户数", "户"),
    "area_m2": ("居住用地", "m² 居住用地"),
    "homes": ("小区数", "个小区"),
}


#: The units of `WEIGHTS` where what is counted was said before.
UNITS = {"people": "人", "people_60plus": "人", "households": "户", "area_m2": "m²", "homes": "个小区"}


_WORDS = {
    "plan": "规划原文",
    "standard": "标准",
    "reference": "参考线",
    "any": "任一",
    "all": "都要",
    ">=": "≥",
    "<=": "≤",
    "==": "＝",
}


#: What is drawn by hand is not exact: an area measured on a drawing meets its number within this share of it.
DRAWN_SHARE = 1e-3


SIGNS = {">=": "≥", "<=": "≤", "==": "＝"}


#: How many decimals a number has at most, where fewer would say that it is 0 or 100.
MOST_DECIMALS = 6


#: How many places a gap names before it says "and so on".
NAMED_AT_MOST = 8


Measure = Mapping[str, Any]
T = TypeVar("T")


class Short(NamedTuple):
    """Who a gap is about: how many (missing where nobody knows), of what (a key of `WEIGHTS`), and what that rests on."""

    size: float
    weight: str
    basis: str


class Found(NamedTuple):
    """What a metric found: the value, what it counted in words, and which rows of which layers it touched."""

    value: float
    said: str
    touched: Mapping[str, pd.Series]
    gap: str = ""
    fix: str = ""
    low: float = math.nan  # the same number by other methods
    high: float = math.nan
    target: float = math.nan  # replaces the number of the table
    waits: str = ""  # what still has to be typed in
    note: str = ""  # what was left out of the number
    short: Short | None = None  # who the gap is about
    terms: Terms | None = None  # what the value is added up from


class Terms(NamedTuple):
    """
    What a number is added up from, for whoever adds it up again.

    `how` says how the rows (index id; `name`, `value`, `weight`) come to the number, `times` what that is multiplied with: "sum", "max",
    "min" of the values; "per", their sum over that of the weights; "has", "share", "lacks", how many have a value above 0 (in the rows or not);
    "within has", "within share", at most their weight. "walks": the share of homes (their value is what they weigh) whose points
    are within all of `rules`, or within how many on average (`combine`). "minus": the second of `sides` less the first.
    """

    how: str
    rows: pd.DataFrame
    times: float = 1.0
    rules: tuple[Rule, ...] = ()
    combine: str = "all"
    sides: tuple[tuple[District, Terms], ...] = ()


def parts(names: pd.Series, values: object, weight: object = 1.0) -> pd.DataFrame:
    """Return the rows of `Terms`; index: that of the names. What has no weight that is known counts for nothing."""
    rows = pd.DataFrame({"name": names, "value": values, "weight": weight}, index=names.index)
    return rows if isinstance(weight, float) or not rows["weight"].hasnans else rows.fillna({"weight": 0.0})


def ratio(part: tuple[str, float], whole: tuple[str, float], times: float = 100.0) -> Terms:
    """Return the terms of one number over another, each with what it is called."""
    names = pd.Series([part[0], whole[0]], index=["1", "2"])
    return Terms("per", parts(names, [part[1], 0.0], [0.0, whole[1]]), times)


def having(rows: pd.DataFrame, m: Measure, how: str = "") -> Terms:
    """Return the terms of a row that counts which of some have (or are) what is asked: how many, or in % their share."""
    return Terms(f"{how} share".strip(), rows, 100.0) if m["unit"] == "%" else Terms(f"{how} has".strip(), rows)


@dataclass(frozen=True, slots=True)
class Metric:
    """
    One way of measuring, entered by its name with the function that does it (`metric`).

    Attributes
    ----------
    label, formula
        Its name, and what it works out, in words; their English is in the catalogue.
    layers
        Layers and tables it cannot do without.
    columns
        Columns of `measures.csv` that its rows must fill.
    rule_or_kinds
        Its rows need a rule, or kinds.
    in_classes
        It counts classes of kinds one by one: `a|b` is one class.
    sized
        Its rows name a column of the facilities (`field`): their size.
    in_parts
        Some of it is better than none: it can be 部分达标.
    whole_district
        It takes all homes or communities of the district, whatever its outline.
    scoped
        The scope of its row is looked up; otherwise it looks nowhere, or by itself.
    declared
        `inputs_of` names every layer and table it reads, its row every kind: a plan that leaves these alone leaves its row as it was.
        Any other is measured again in every state.
    dated
        What it finds depends on the year by itself, or speaks of it: not only on what there is in that year.
    """

    label: str
    formula: str
    layers: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rule_or_kinds: bool = False
    in_classes: bool = False
    sized: bool = False
    in_parts: bool = False
    whole_district: bool = False
    scoped: bool = True
    declared: bool = False
    dated: bool = False


Function = TypeVar("Function", bound=Callable[[District, Measure], Found])
#: Every metric by its name, and the functions that measure.
METRICS: dict[str, Metric] = {}
MEASURED: dict[str, Callable[[District, Measure], Found]] = {}
#: What a metric of walks cannot do without: the wall of a compound is part of the way.
WALKED = ("homes", "facilities", "streets")


def metric(name: str, record: Metric) -> Callable[[Function], Function]:
    """Enter a metric: the function below is given a district and a row of `measures.csv`."""

    def enter(function: Function) -> Function:
        METRICS[name], MEASURED[name] = record, function
        return function

    return enter


class Lacks(Exception):
    """Something a measure cannot do without; the message names it."""


def once(district: District, key: Hashable, make: Callable[[], T], reads: Sequence[str] = ()) -> T:
    """Return what is derived from this district, made once; where it `reads` but tables that are as in one before it, once for both."""
    if ("ledger", key) not in district.memo:
        same = district.kin(reads) if reads else None
        district.memo["ledger", key] = make() if same is None else once(same, key, make, reads)
    made: T = district.memo["ledger", key]
    return made


def rows_of(district: District, name: str) -> pd.DataFrame:
    """Return the rows of a table as they were read; the same frame for everybody."""
    return once(district, ("table", name), lambda: district.rows[name])


def classes_of(m: Measure) -> list[list[str]]:
    """Return the kinds a row asks for, those that count as one (`a|b`) together."""
    return [[kind.strip() for kind in part.split("|")] for part in listed(m["kinds"])]


def kinds_of(m: Measure) -> list[str]:
    """Return every kind that a row is about, once."""
    return list(dict.fromkeys(kind for one in classes_of(m) for kind in one))


def measure_rows(district: District) -> list[dict[str, Any]]:
    """
    Return the rows of `measures.csv` as plain values: missing text is empty, a missing number is NaN.

    A row of metric change has the row it is about under `changed`.
    """
    return [dict(m) for m in once(district, "measures", lambda: _measure_rows(district), ("measures",))]


def _measure_rows(district: District) -> list[dict[str, Any]]:
    types = {c.name: c.type for c in LAYERS["measures"].names.values()}

    def plain(name: str, value: object) -> object:
        if types[name] == "text":
            return "" if pd.isna(value) else str(value)
        return math.nan if pd.isna(value) else float(value)  # type: ignore[arg-type]

    records = rows_of(district, "measures").reset_index().to_dict("records")
    rows = [{str(k): plain(str(k), v) for k, v in record.items()} for record in records]
    known = {row["measure"]: row for row in rows}
    return [{**row, "changed": known[row["of"]]} if row["of"] in known else row for row in rows]


def target_of(m: Measure) -> float:
    """Return the number a row is compared with; missing where it states none."""
    if m["metric"] == "per_communities" or not m["operator"]:
        return math.nan
    return float(m["high"] if m["operator"] == "<=" else m["low"])


def decimals_of(value: float) -> int:
    """Return with how many decimals a number says something: 0 and 100 are read as none and all, and are said only where they are."""
    off = min(abs(value), abs(value - 100.0))
    if abs(value - round(value)) < 1e-9 or abs(value) >= 1000:
        return 0
    usual = 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return next((n for n in range(usual, MOST_DECIMALS) if off > 0.5 * 10.0**-n + 1e-12), MOST_DECIMALS)


def number_text(value: float, unit: str) -> str:
    """Return a number with its unit, in as many digits as say something."""
    return f"{amount(value, decimals_of(value))} {counted(value, word(unit))}".strip()


def stated(value: float) -> str:
    """Return a number that somebody wrote down, with all its digits and with thousands separators."""
    return f"{value:,.15g}"


def whole_text(value: float, unit: str) -> str:
    """Return a number of people or metres as a whole number with its unit, rounded once and as on every page."""
    return f"{amount(value)} {counted(whole(value), word(unit))}".strip()


def in_words(names: Iterable[object]) -> str:
    """Return names in a row, the first few of many."""
    words = [str(n) for n in names]
    more = say(" 等 {0} 处", len(words)) if len(words) > NAMED_AT_MOST else ""
    return say("、").join(words[:NAMED_AT_MOST]) + more


def kind_names(district: District, kinds: Iterable[str], joint: str = "、") -> str:
    """Return what kinds are called, joined."""
    return say(joint).join(kind_name(district, k) for k in kinds)


def layers_for(m: Measure) -> list[str]:
    """Return the layers and tables a measure cannot do without, in the order of their declaration."""
    if m["metric"] == "change":
        return layers_for(m["changed"])
    own = METRICS[m["metric"]]
    names = {*own.layers, *listed(m["needs"])}
    names |= {n for n in (m["layer"], m["other_layer"]) if n}
    if m["metric"] in ("count", "named") and not m["layer"]:
        names.add("facilities")
    if m["metric"] == "kinds_present" and m["minutes"] > 0:  # the wall of a compound is part of the way
        names |= {"homes", "streets"}
    if m["metric"] == "area" and m["per"] > 0:
        names.add("homes")
    if m["metric"] == "along" and m["relation"] != "length":
        names.add("facilities" if m["relation"] == "facilities" else "streets")
    if not own.scoped:
        return [n for n in LAYERS if n in names]
    if m["scope"] == "line":
        names.add(m["lines"])
    elif m["scope"] != "district" or not own.whole_district:
        names.add(SCOPE_LAYERS[m["scope"]])
    if m["group"]:
        names.add(SCOPE_LAYERS[m["group"]])
    return [n for n in LAYERS if n in names]


def require_layers(district: District, m: Measure) -> None:
    """Name the layers a measure cannot do without and that are not there (`Lacks`)."""
    have = once(district, "declared", lambda: frozenset(district.rows))
    asked = layers_for(m)
    unsaid = [n for n in ON_THE_WAY if _walked(asked) and n not in district.layers and n not in district.without]
    missing = [n for n in LAYERS if n in {*asked, *unsaid} - have]
    if missing:
        words = say("、").join(say("{0}（layers.{1}）", layer_name(n), n) for n in missing)
        names = ", ".join(f'"{n}"' for n in unsaid)
        known = say("；确实没有或不计的，在 district.toml 里写 without = [{0}]", names) if unsaid else ""
        raise Lacks(say("缺图层或表：{0}{1}", words, known))


def _walked(asked: Sequence[str]) -> bool:
    """Whether a measure that asks for these layers rests on walks: from homes, or from a parcel, along the streets."""
    return {"homes", "streets"} <= set(asked)


def touch(district: District, layer: str, rows: Iterable[object] | None = None) -> dict[str, pd.Series]:
    """Return the basis of the rows of a layer that a number rests on; where there are none, the basis of the layer."""
    basis = district.basis(layer)
    if rows is not None:
        at = basis.index.get_indexer_for(rows if isinstance(rows, pd.Index) else list(rows))
        basis = basis.take(np.unique(at[at >= 0]))
    if basis.empty:
        default = str(district.manifest["layers"].get(layer, {}).get("basis", "derived"))
        basis = pd.Series([default], index=[""])
    return {layer: basis}


def walk(district: District) -> dict[str, pd.Series]:
    """Return the basis of what every walk rests on: streets, and gates, entrances and barriers where there are any."""

    def make() -> dict[str, pd.Series]:
        way = [n for n in ("streets", *ON_THE_WAY) if n in district.layers and len(district.layers[n])]
        return {layer: basis for name in way for layer, basis in touch(district, name).items()}

    return dict(once(district, "walk", make))


class Bases(NamedTuple):
    """On what how many rows of a layer rest; `no_rows`: this is what is said of the layer."""

    counts: Counter[str]
    no_rows: bool


def bases_of(district: District, touched: Mapping[str, pd.Series]) -> dict[str, Bases]:
    """Count what touched rows rest on; walks share theirs, which are thousands, so each is counted once."""
    counted: dict[int, tuple[pd.Series, Bases]] = once(district, "bases counted", dict)
    for basis in touched.values():
        if id(basis) not in counted:  # it stays what it is: the series is kept beside
            no_rows = len(basis) == 1 and basis.index[0] == ""
            counted[id(basis)] = basis, Bases(Counter(basis.to_numpy().tolist()), no_rows)
    return {layer: counted[id(basis)][1] for layer, basis in touched.items()}


def demonstration(bases: Mapping[str, Bases]) -> str:
    """Say how much of the input is schematic or synthetic: "社区 13 处中 13 处为示意"; empty where none is."""
    parts = []
    for layer, (counts, no_rows) in bases.items():
        weak = [b for b in DEMONSTRATION if counts[b]]
        if weak:
            words = say("、").join(say(BASIS_LABELS[b]) for b in weak)
            many = sum(counts[b] for b in weak)
            counted = "" if no_rows else say(" {0:,} 处中 {1:,} 处", counts.total(), many)
            parts.append(say("{0}{1}为{2}", layer_name(layer), counted, words))
    return say("；").join(parts)


def weakest(bases: Mapping[str, Bases]) -> str:
    """Return the weakest basis among the rows a number rests on."""
    have = {basis for counts, _ in bases.values() for basis in counts}
    return next((b for b in reversed(BASES) if b in have), "")


def bases_text(bases: Iterable[object]) -> str:
    """Return what some rows rest on, in words, the strongest first; figures to conclude nothing from are called so."""
    known = set(bases)
    have = [b for b in BASES if b in known]
    words = say("、").join(say(BASIS_LABELS[b]) for b in have)
    return say("{0}，演示值不作结论", words) if any(b in DEMONSTRATION for b in have) else words


#: Columns that are said elsewhere in the row.
_TOLD = (
    "measure",
    "commitment",
    "label",
    "metric",
    "role",
    "text",
    "unit",
    "standard",
    "confidence",
    "lacks",
    "needs",
    "scope",
    "codes",
    "label_en",
    "text_en",
    "lacks_en",
)


def parameters(district: District, m: Measure) -> str:
    """Return the filled parameters of a measure in words."""
    parts = [say("范围 {0}", scope_text(district, m))]
    for name, column in LAYERS["measures"].names.items():
        value = m[name]
        if name in _TOLD or value == "" or pd.isna(value):
            continue
        if name in ("kinds", "near_kinds"):
            parts_of = [kind_names(district, part.split("|"), "或") for part in listed(value)]
            shown = say("、").join(parts_of)
        elif name == "rule":
            rule = district.rule(value)
            walker = district.profile(rule.profile)
            shown = say(
                "{0}（{1}，{2:g} m / {3:g} 分钟，{4} {5:g} m/s）",
                rule.label if language() == "zh" else rule.name,
                say(METHOD_LABELS[rule.method]),
                rule.metres,
                rule.minutes,
                walker_name(district, walker),
                walker.speed_m_s,
            )
        elif name == "weight":
            shown = say(WEIGHTS[value][0])
        elif name in ("layer", "other_layer", "lines"):
            shown = layer_name(value)
        elif name == "decay":
            zones = decay_of(district, value)
            shown = say("、").join(say("{0:g} 分钟以内 {1:g}", limit, weight) for limit, weight in zones.items())
        elif name == "profile":
            walker = district.profile(value)
            shown = f"{walker_name(district, walker)} {walker.speed_m_s:g} m/s"
        else:
            shown = word(_WORDS.get(value, value)) if isinstance(value, str) else f"{value:g}"
        called = column_name("measures", name).partition("（")[0]
        parts.append(f"{called} {shown}{column.unit and ' ' + word(column.unit)}")
    parts.append(say("数据年份 {0}{1}", year_told(district), list_told(district)))
    return say("；").join(parts)


def scope_text(district: District, m: Measure) -> str:
    """Say over what a row is measured."""
    if m["scope"] == "district":
        return say("全街道")
    layer = m["lines"] if m["scope"] == "line" else SCOPE_LAYERS[m["scope"]]
    names = once(district, ("names", layer), lambda: _first_names(district, layer))
    words = [str(names.get(c, c)) for c in listed(m["codes"])]
    near = say(" {0:g} m 以内", m["metres"]) if m["scope"] in ("line", "parcel", "home") and m["metres"] > 0 else ""
    return say("{0}：{1}{2}", layer_name(layer), say("、").join(words), near)


def _first_names(district: District, layer: str) -> dict[object, object]:
    frame = district.layers.get(layer)
    rows = (
        () if frame is None else zip(*(c.to_numpy(object).tolist() for c in (frame.index, frame["name"])), strict=True)
    )
    return dict(reversed(list(rows)))  # of a key that stands twice the first


def inputs_of(district: District, m: Measure) -> list[str]:
    """Return the layers and tables a row rests on."""
    tables = ["commitments", "measures", *(["rules", "profiles"] if m["rule"] else [])]
    tables += ["decays", "profiles"] if m["decay"] else []
    own = layers_for(m)
    own += [n for n in ON_THE_WAY if _walked(own) and n in district.layers]
    own += ["homes"] if m["metric"] in IN_COMMUNITIES and "homes" in district.layers else []  # who lives where it lacks
    return list(dict.fromkeys([*own, *tables]))


def inputs(district: District, m: Measure) -> str:
    """Return one line per file a row rests on: layer, file, hash, date, basis, source."""
    names = inputs_of(district, m)
    return "\n".join(once(district, ("input", name, language()), partial(_input, district, name)) for name in names)


def _input(district: District, name: str) -> str:
    if name not in district.files.index:
        return say("{0}｜没有声明", layer_name(name))
    file, said = district.files.loc[name], district.manifest["layers"].get(name, {})
    parts = [layer_name(name), str(file["file"]), f"sha256 {str(file['sha256'])[:16]}", str(said.get("date", ""))]
    parts += [
        word(BASIS_LABELS.get(str(said.get("basis", "")), "")),
        word(str(file["from"])),
        str(said.get("source", "")),
    ]
    return say("｜").join(p for p in parts if p)


def pick(district: District, layer: str, codes: str) -> gpd.GeoDataFrame:
    """Return the rows of a layer whose key or name is asked for; all where nothing is."""
    return once(district, ("pick", layer, codes), lambda: _pick(district, layer, codes), (layer,))


def _pick(district: District, layer: str, codes: str) -> gpd.GeoDataFrame:
    frame = district.layers[layer]
    if not codes:
        return frame
    wanted = [
        part for code in listed(codes) for part in district.parts_of(layer, code)
    ]  # what a plan has divided is all its parts
    names = set(frame["name"].dropna())
    missing = [c for c in wanted if c not in frame.index and c not in names]
    # phases of an estate are built one after the other: those that stand are taken
    if missing and not (layer == "homes" and len(missing) < len(wanted)):
        when = of_list(district) if layer == "communities" else ""
        raise Lacks(say("{0}{1}里没有“{2}”", layer_name(layer), when, say("、").join(missing)))
    return frame[frame.index.isin(wanted) | frame["name"].isin(wanted).to_numpy()]


def _scope_layer(m: Measure) -> str:
    return str(m["lines"]) if m["scope"] == "line" else SCOPE_LAYERS[str(m["scope"])]


def _scope_rows(district: District, m: Measure) -> tuple[str, gpd.GeoDataFrame]:
    layer = _scope_layer(m)
    return layer, pick(district, layer, m["codes"] if m["scope"] != "district" else "")


def scope_shape(district: District, m: Measure) -> tuple[shapely.Geometry, dict[str, pd.Series]]:
    """Return the outline of a measure's scope, widened by `metres` around lines, parcels and homes."""

    def make() -> tuple[shapely.Geometry, dict[str, pd.Series]]:
        layer, rows = _scope_rows(district, m)
        shape = shapely.union_all(rows.geometry.array)
        if m["scope"] in ("line", "parcel", "home") and m["metres"] > 0:
            shape = shapely.buffer(shape, m["metres"])
        return shape, touch(district, layer, rows.index)

    shape, touched = once(district, ("shape", *_scope_key(m)), make, (_scope_layer(m),))
    return shape, dict(touched)


def _scope_key(m: Measure) -> tuple[object, ...]:
    return m["scope"], m["codes"], m["lines"], None if pd.isna(m["metres"]) else m["metres"]


def homes_in(district: District, m: Measure) -> tuple[gpd.GeoDataFrame, dict[str, pd.Series]]:
    """Return the homes of a measure's scope, and the basis of what says so."""
    reads = ("homes", _scope_layer(m), *(SCOPE_LAYERS[scope] for scope in ("zone", "area", "community")))
    homes, touched = once(district, ("homes in", *_scope_key(m)), lambda: _find_homes_in(district, m), reads)
    return homes, dict(touched)


def _find_homes_in(district: District, m: Measure) -> tuple[gpd.GeoDataFrame, dict[str, pd.Series]]:
    homes = district.layers["homes"]
    touched: dict[str, pd.Series] = {}
    if m["scope"] in ("zone", "area", "community"):
        layer, rows = _scope_rows(district, m)
        homes = homes[district.groups[m["scope"]].reindex(homes.index).isin(rows.index).to_numpy()]
        touched = touch(district, layer, rows.index)
    elif m["scope"] == "home" and not m["metres"] > 0:
        homes = pick(district, "homes", m["codes"])
    elif m["scope"] != "district":
        shape, touched = scope_shape(district, m)
        spots = homes.geometry.array if m["scope"] == "line" else shapely.point_on_surface(homes.geometry.array)
        homes = homes[shapely.intersects(shape, spots)]
    if homes.empty:
        raise Lacks(say("{0}里没有 {1} 年的小区", scope_text(district, m), district.year))
    return homes, {**touch(district, "homes", homes.index), **touched}


def facilities_of(district: District, kinds: Sequence[str]) -> dict[str, pd.Series]:
    """Return the basis of the facilities of some kinds, open or not."""

    def make() -> dict[str, pd.Series]:
        own = [rows for kind, rows in _rows_by_kind(district).items() if kind in kinds]
        basis = district.basis("facilities").take(np.sort(np.concatenate(own))) if own else ()
        return {"facilities": basis} if len(basis) else touch(district, "facilities", ())

    return dict(once(district, ("facilities of", *kinds), make))


def _rows_by_kind(district: District) -> dict[str, np.ndarray]:
    """Return at which places of the layer the facilities of each kind stand."""

    def make() -> dict[str, np.ndarray]:
        kinds = pd.Series(district.layers["facilities"]["kind"].to_numpy(object))
        return {str(kind): rows for kind, rows in kinds.groupby(kinds).indices.items()}

    return once(district, "facilities by kind", make)


def surveyed(district: District, kinds: Iterable[str]) -> list[str]:
    """Return the kinds that were surveyed: not those of which a map shows some, for nobody knows how many are missing."""

    def make() -> frozenset[str]:
        seen = district.layers["facilities"]["kind"].to_numpy(object)
        return district.surveyed_kinds.union(seen.tolist()) - district.mapped_kinds

    known = once(district, "surveyed", make)
    return [k for k in kinds if k in known]


def require_survey(district: District, kinds: Sequence[str], *, every: bool = False, one_by_one: bool = False) -> None:
    """
    Name the kinds nobody surveyed (`Lacks`), where none was or, with `every`, where one was not.

    Where the kinds count together, one of which a map shows some is enough: more of it would change the number. Those that are
    counted one by one (`one_by_one`) leave it out.
    """
    have = surveyed(district, kinds)
    every = every or not (one_by_one or district.mapped_kinds.isdisjoint(kinds))
    if not have or (every and len(have) < len(kinds)):
        raise Lacks(say("没有调查过{0}", kind_names(district, [k for k in kinds if k not in have])))


def open_places(
    district: District, m: Measure, kinds: Sequence[str], *, one_by_one: bool = False
) -> tuple[pd.DataFrame, dict[str, pd.Series]]:
    """Return the open facilities of some kinds inside a measure's scope, opened no earlier than its `since`: `name`, `kind`, size."""
    require_survey(district, kinds, one_by_one=one_by_one)
    shape, touched = scope_shape(district, m)
    places = district.open_facilities
    assert places is not None  # the layer was asked for before
    own = places["kind"].isin(kinds).to_numpy()
    if m["since"] == m["since"]:
        own = own & (places["since"].fillna(-1) >= m["since"]).to_numpy(dtype=bool)
    size = [m["field"], "capacity_unit"] if m["field"] else []
    told = ["name", "kind", *places.columns.intersection(size, sort=False)]
    plain = once(district, ("open", *told), lambda: pd.DataFrame(places[told]))
    return plain.take(_within(places, own, shape)), {**facilities_of(district, kinds), **touched}


def planned(district: District) -> gpd.GeoDataFrame:
    """Return planned facilities that are not counted as open, whatever their year: a plan is for later."""

    def make() -> gpd.GeoDataFrame:
        places = gpd.GeoDataFrame(rows_of(district, "facilities"))
        due = places["since"].notna() & (places["since"].fillna(0) <= district.year) & district.with_planned
        return places[((places["state"] == "planned") & ~due).to_numpy(dtype=bool)]

    return once(district, "planned", make)


def planned_places(district: District, kinds: Sequence[str], shape: shapely.Geometry | None = None) -> pd.DataFrame:
    """Return the planned facilities of some kinds (that meet a shape): `name` and `since`."""
    places = planned(district)
    told = once(district, "planned told", lambda: pd.DataFrame(places[["name", "since"]]))
    own = places["kind"].isin(kinds).to_numpy()
    return told.take(np.flatnonzero(own) if shape is None else _within(places, own, shape))


def _within(places: gpd.GeoDataFrame, own: np.ndarray, shape: shapely.Geometry) -> np.ndarray:
    """Return at which rows those of some places stand that meet a shape."""
    some = np.flatnonzero(own)
    return some[shapely.intersects(shape, places.geometry.array[some])]


def planned_text(places: pd.DataFrame) -> str:
    """Say which planned places there are already; empty where there are none."""
    if places.empty:
        return ""
    words = [
        f"{(name if isinstance(name, str) else key)}{('' if pd.isna(year) else say('（{0} 年）', int(year)))}"
        for key, name, year in zip(places.index, places["name"], places["since"], strict=True)
    ]
    return say("已有规划点位：{0}", in_words(words))


def place_names(places: pd.DataFrame) -> str:
    """Return the names of places, their keys where they have none, the first few of many."""
    return in_words(n if isinstance(n, str) else k for k, n in zip(places.index, places["name"], strict=True))


def short_of(m: Measure, value: float) -> str:
    """Say how far a value is from what its row asks; empty where it is not short."""
    target = target_of(m)
    if m["operator"] in (">=", "between", "==") and value < target - slack_of(m, target):
        return say("还差 {0}", number_text(target - value, str(m["unit"])))
    above = m["high"] if m["operator"] == "between" else target
    if m["operator"] in ("<=", "between", "==") and value > above + slack_of(m, above):
        return say("超出 {0}", number_text(value - above, str(m["unit"])))
    return ""


def slack_of(m: Measure, target: float) -> float:
    """Return by how much a value may miss its number: the last bits of a share, a drawing's tolerance of an area."""
    drawn = m["metric"] == "area" and not m["field"]
    return (DRAWN_SHARE if drawn else 1e-9) * max(1e-9 if drawn else 1.0, abs(target))


def unsurveyed(district: District, kinds: Sequence[str]) -> str:
    """Say which kinds nobody surveyed and were left out; empty where there are none."""
    missing = [k for k in kinds if k not in surveyed(district, kinds)]
    return say("没有调查过、未计入：{0}", kind_names(district, missing)) if missing else ""


def weight_of(homes: gpd.GeoDataFrame, weight: str) -> pd.Series:
    """Return what each home counts; unknown stays unknown, and all unknown is 数据不足."""
    if weight == "homes":
        return pd.Series(1.0, index=homes.index)
    values = homes.geometry.area.to_numpy() if weight == "area_m2" else homes[weight].to_numpy(float, na_value=np.nan)
    values = np.where(values > 0, values, np.nan) if weight == "area_m2" else values
    if not np.nansum(values) > 0:
        column = say("homes 画成面") if weight == "area_m2" else say("homes 的 {0} 列", weight)
        raise Lacks(say("缺{0}（{1}）", say(WEIGHTS[weight][0]), column))
    return pd.Series(values, index=homes.index)
