"""
Frames to maps in one house style: a single HTML file that loads nothing, or a picture without any script.

`draw` and `picture` make the same scene (what lies where, in which order, style, words) and differ only in how it is
put down. The base map is the district's own layers; there are no tiles. Everything that comes from data reaches the page
inside one JSON block and is set as text, so that no name can become markup or code.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import json
import math
import os
import re
import tempfile
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import folium
import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely
from branca.element import CssLink, Element, Figure, JavascriptLink, Link
from folium.template import Template

from .errors import EnvironmentProblem, UnknownNameError
from .layers import DEMONSTRATION
from .values import Rule

__all__ = ["HouseMap", "MissingAsset", "draw", "picture"]

#: A file larger than this opens slowly on an office machine.
LARGE_BYTES = 5_000_000
#: Above this the drawing data are packed: smaller than plain JSON, and still opened without any request.
PACK_BYTES = 400_000
#: Coordinates are whole millionths of a degree: 0.1 m, finer than any source.
MICRO = 1_000_000
SIMPLIFY_M = {"A": 0.8, "L": 0.4}
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; font-src data:; "
    "base-uri 'none'; form-action 'none'"
)
SHOWS = ("minutes", "straight")
#: What the page's script says itself.
_SCRIPT_WORDS = (
    "all", "full", "gaps", "missing", "more", "north", "nothing", "nothing_shown", "other_kinds", "print", "unknown", "whole",
    "zoom_in", "zoom_out",
)  # fmt: skip
_HEX = re.compile(r"#[0-9a-fA-F]{6}\Z")
_GREY = "#6b7076"


class MissingAsset(EnvironmentProblem):
    """Something on a map would have to be loaded. Example: ``地图里有要联网的内容：https://…/tile.png``."""

    def __init__(self, what: str) -> None:
        super().__init__(f"地图里有要联网的内容：{what}。地图必须断网可用，请去掉它，或换成街道自己的图层")


# --- what a scene is made of -----------------------------------------------------------------------------------------


@dataclass
class _Layer:
    """Features drawn alike: `shape` A (areas), L (lines) or P (points); `pick` the style of each feature."""

    id: str
    label: str
    shape: str
    geometry: gpd.GeoSeries
    styles: list[dict[str, Any]]
    pick: np.ndarray
    names: list[str | None] | None = None
    table: list[tuple[str, list[str | None]]] = field(default_factory=list)
    min_zoom: float = 0.0
    find: bool = False
    ask: bool = False
    one: str = ""
    extra: dict[str, Any] = field(default_factory=dict)
    written: dict[tuple[int, ...], dict[str, Any]] = field(default_factory=dict, repr=False)


@dataclass
class _Label:
    """A name on the map: at a point, or along the line `geometry`; lower `rank` is placed first."""

    text: str
    kind: str
    geometry: Any
    zoom: float = 0.0
    rank: float = 0.0
    layer: str = ""
    away: float = 0.0
    until: float = 0.0


@dataclass
class _Mode:
    """One way to colour the features of a theme's layer."""

    label: str
    title: str
    styles: list[dict[str, Any]]
    pick: np.ndarray
    counts: list[int]
    texts: list[str]


@dataclass
class _Theme:
    """One rule (or one series of values) on the map: what is coloured, and the words that go with it."""

    id: str
    label: str
    title: str
    lines: list[str]
    layer: str
    modes: list[_Mode]
    table: list[tuple[str, list[str | None]]]
    kinds: tuple[str, ...] = ()
    facts: list[dict[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    missing: list[tuple[str, int]] = field(default_factory=list)
    evidence: str = ""
    start: int = 0


@dataclass
class _Scene:
    """Everything a map shows, in the district's metric CRS."""

    lang: str
    title: str
    lines: list[str]
    badges: list[tuple[str, str]]
    foot: list[str]
    evidence: str
    mark: str
    crs: Any
    bounds: tuple[float, float, float, float]
    whole: tuple[float, float, float, float]
    layers: list[_Layer]
    labels: list[_Label]
    themes: list[_Theme]
    groups: list[dict[str, Any]]
    off: list[str]
    first: int


@cache
def _style() -> dict[str, Any]:
    return dict(json.loads(_web("style.json")))


@cache
def _texts(lang: str) -> dict[str, str]:
    known = json.loads(_web("texts.json"))
    if lang not in known:
        raise UnknownNameError("语言", lang, list(known))
    return dict(known[lang])


@cache
def _web(name: str) -> str:
    return (resources.files(__package__) / "web" / name).read_text("utf-8")


# --- words -----------------------------------------------------------------------------------------------------------


def _blank(value: Any) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value))


def _text(value: Any) -> str | None:
    """Return a value as text; None where it is unknown."""
    if _blank(value):
        return None
    if isinstance(value, float | np.floating):
        if not math.isfinite(float(value)):
            return None
        return f"{float(value):g}"
    return str(value)


def _number(value: Any, unit: str = "", digits: int = 0) -> str | None:
    """Return a number with thousands separators and its unit; None where it is unknown."""
    if _blank(value):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return _text(value)
    if not math.isfinite(number):
        return None
    return f"{number:,.{digits}f}" + (f" {unit}" if unit else "")


def _column(frame: pd.DataFrame, name: str) -> pd.Series:
    """Return a column, or a column of missing values where the frame has none."""
    return frame[name] if name in frame.columns else pd.Series(np.nan, index=frame.index, dtype="object")


def _texts_of(frame: pd.DataFrame, name: str) -> list[str | None]:
    return [_text(v) for v in _column(frame, name)]


def _numbers_of(frame: pd.DataFrame, name: str, unit: str = "", digits: int = 0) -> list[str | None]:
    return [_number(v, unit, digits) for v in _column(frame, name)]


def _floats(frame: pd.DataFrame, name: str) -> np.ndarray:
    numbers = pd.to_numeric(_column(frame, name), errors="coerce")
    return np.asarray(numbers.to_numpy(dtype="float64", na_value=np.nan))


def _join(parts: Iterable[str], lang: str) -> str:
    return _texts(lang)["join"].join(parts)


def _get(table: pd.DataFrame, key: Any, name: str) -> str:
    """Return a table's cell as text, "" where there is none."""
    if key not in table.index or name not in table.columns:
        return ""
    return _text(table.loc[key, name]) or ""


def _kind_label(district: Any, kind: str, lang: str) -> str:
    label = _get(district.kinds, kind, "label_en") if lang == "en" else ""
    return label or _get(district.kinds, kind, "label") or kind


def _rule_label(district: Any, rule: Rule, lang: str) -> str:
    if lang != "en":
        return rule.label
    return " / ".join(_kind_label(district, k, lang) for k in rule.kinds)


# --- what the data rest on -------------------------------------------------------------------------------------------


def _blank_shapes(frame: gpd.GeoDataFrame) -> np.ndarray:
    """Return which rows have nothing to draw. (geopandas' own `notna` warns as soon as a shape is empty.)"""
    shapes = np.asarray(frame.geometry.array)
    blank: np.ndarray = shapely.is_missing(shapes) | shapely.is_empty(shapes)
    return blank


def _layer(district: Any, name: str) -> gpd.GeoDataFrame | None:
    """Return a layer without features that have no place on a map; None where it is absent or empty."""
    frame = district.layers.get(name)
    if frame is None or len(frame) == 0:
        return None
    there = ~_blank_shapes(frame)
    return frame if there.all() else (frame[there] if there.any() else None)


def _basis(district: Any, name: str) -> pd.Series:
    """Return the basis of each row of a layer that is there."""
    frame = district.layers[name]
    if hasattr(district, "basis"):
        return pd.Series(district.basis(name))
    default = district.manifest.get("layers", {}).get(name, {}).get("basis")
    return _column(frame, "basis").fillna(default) if default else _column(frame, "basis")


#: What conclusions rest on: where one of these is schematic or synthetic, the whole map is a demonstration.
_CORE = ("homes", "streets", "facilities", "communities")


def _demonstration(district: Any, names: Iterable[str]) -> bool:
    return any(_basis(district, n).isin(DEMONSTRATION).any() for n in names if district.layers.get(n) is not None)


def _evidence(district: Any, kinds: Sequence[str], lang: str) -> str:
    """Return what the map rests on, in one line: how many facilities, homes and streets are schematic or synthetic."""
    t = _texts(lang)
    parts = []
    for name, word, unit in (
        ("facilities", t["facility"], t["place"]),
        ("homes", t["home"], t["place"]),
        ("streets", t["street"], t["segment"]),
    ):
        frame = district.layers.get(name)
        if frame is None or len(frame) == 0:
            continue
        basis, what = _basis(district, name).reindex(frame.index), word
        if name == "facilities" and kinds and "kind" in frame.columns:
            basis = basis[frame["kind"].isin(list(kinds)).to_numpy()]
            what = _join([_kind_label(district, k, lang) for k in kinds], lang) if len(kinds) <= 2 else word
        weak = basis[basis.isin(DEMONSTRATION)]
        if len(weak):
            words = _join([t[f"basis_{b}"] for b in sorted(set(weak))], lang)
            parts.append(t["of_which"].format(what=what, n=f"{len(basis):,}", k=f"{len(weak):,}", unit=unit, b=words))
    return t["evidence"].format(e=t["semicolon"].join(parts) if parts else t["all_real"])


def _foot(district: Any, lang: str) -> list[str]:
    """Return the lines every map must carry: years, CRS, source, borders, who made it."""
    t, manifest = _texts(lang), district.manifest
    years = t["year"].format(y=district.year)
    if district.layers.get("communities") is not None:
        years += t["semicolon"] + t["list_year"].format(y=district.list_year)
    crs = pyproj.CRS.from_user_input(district.crs)
    credit = str(manifest.get("credit", "") or "")
    entries = [e for e in dict(manifest.get("layers", {})).values() if isinstance(e, Mapping)]
    open_map = any(e.get("basis") == "osm" or "ODbL" in str(e.get("licence", "")) for e in entries)
    if open_map and "OpenStreetMap" not in credit:
        credit += ("；" if credit else "") + "© OpenStreetMap contributors, ODbL 1.0"
    lines = [years, t["crs"].format(crs=f"{crs.name} ({district.crs})")]
    lines += [t["credit"].format(c=credit)] if credit else []
    lines += [t["producer"].format(p=manifest["made_by"])] if manifest.get("made_by") else []
    return [*lines, t["schematic_bounds"]]


def _badges(district: Any, demonstration: bool, lang: str) -> list[tuple[str, str]]:
    t = _texts(lang)
    secrecy = str(district.manifest.get("secrecy", "internal") or "internal")
    badges = [("demo", t["demo"])] if demonstration else []
    return [*badges, ("", t["public"] if secrecy == "public" else t["internal"])]


# --- the base map ----------------------------------------------------------------------------------------------------


def _areas(
    frame: gpd.GeoDataFrame, id_: str, label: str, style: dict[str, Any] | Sequence[dict[str, Any]], **more: Any
) -> _Layer:
    styles = [style] if isinstance(style, dict) else list(style)
    pick = more.pop("pick", np.zeros(len(frame), dtype="int64"))
    return _Layer(id_, label, more.pop("shape", "A"), frame.geometry, styles, pick, **more)


def _is_area(frame: gpd.GeoDataFrame) -> np.ndarray:
    return np.asarray(shapely.get_dimensions(frame.geometry.array) == 2)


def _base(district: Any, name: str, lang: str, make: Callable[[Any, str], Iterable[Any]]) -> list[Any]:
    """Return a part of every map of a district, made once: a report draws dozens of maps over the same ground."""
    memo = getattr(district, "memo", None)
    if memo is None:
        return list(make(district, lang))
    key = ("maps", name, lang)
    if key not in memo:
        memo[key] = list(make(district, lang))
    kept: list[Any] = list(memo[key])
    return kept


def _ground(district: Any, lang: str) -> Iterable[_Layer]:
    """Yield what lies at the bottom: land use, green, water."""
    style, t = _style(), _texts(lang)
    land = _layer(district, "landuse")
    if land is not None:
        uses = [_text(u) or "" for u in _column(land, "use")]
        classes = [_land_class(u) for u in uses]
        present = sorted(set(classes))
        styles = [{**_only(style["land"][c], "fill"), "label": style["land"][c][lang]} for c in present]
        pick = np.array([present.index(c) for c in classes], dtype="int64")
        yield _areas(land, "landuse", t["landuse"], styles, pick=pick)
    for name in ("green", "water"):
        frame = _layer(district, name)
        if frame is None:
            continue
        flat = _is_area(frame)
        if flat.any():
            yield _areas(frame[flat], name, t[name], style[name])
        if (~flat).any():
            yield _areas(frame[~flat], f"{name}-line", t[name], style["waterline"], shape="L")
    for name, look in (("bare_ground", "bare"), ("micro_spaces", "micro")):
        frame = _layer(district, name)
        if frame is not None and _is_area(frame).any():
            frame = frame[_is_area(frame)]
            yield _areas(frame, name, t[name], style[look], names=_texts_of(frame, "name"), ask=True, find=True)


def _only(style: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {n: style[n] for n in names if n in style}


@cache
def _land_class(use: str) -> int:
    """Return which land style a land-use category has: words match anywhere, single letters are the code's first."""
    for i, entry in enumerate(_style()["land"]):
        for word in entry["match"].split("|"):
            if not word or (use[:1] == word if len(word) == 1 and word.isascii() else word in use.lower()):
                return i
    return len(_style()["land"]) - 1


def _roads(district: Any, lang: str) -> Iterable[_Layer]:
    """Yield expressways and named roads, streets by class, and barriers."""
    style, t = _style(), _texts(lang)
    order = {c: i for i, entry in enumerate(style["roads"]) for c in entry["classes"]}
    looks = [{**entry, "label": entry[lang]} for entry in style["roads"]]
    for entry in looks:
        for key in ("classes", "zh", "en"):
            entry.pop(key, None)
    for name in ("named_roads", "streets"):
        frame = _layer(district, name)
        if frame is None:
            continue
        classes = _column(frame, "class").fillna("").astype(str)
        pick = classes.map(lambda c: order.get(c, order[""])).to_numpy(dtype="int64")
        if name == "named_roads":  # streets draw the rest; a named road that is walked is in both layers
            keep = (pick == len(looks) - 1) | (_layer(district, "streets") is None)
            frame, pick = frame[keep], pick[keep]
            if not len(frame):
                continue
        yield _areas(frame, name if name == "streets" else "roads", t["streets"], looks, pick=pick, shape="L")
    frame = _layer(district, "barriers")
    if frame is not None:
        kinds = _column(frame, "kind").fillna("").astype(str)
        names = list(style["barriers"])
        looks = [{**_without(style["barriers"][k]), "label": style["barriers"][k][lang]} for k in names]
        pick = np.array([names.index(k) if k in names else len(names) - 1 for k in kinds], dtype="int64")
        yield _areas(frame, "barriers", t["barriers"], looks, pick=pick, shape="L")


def _without(style: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in style.items() if k not in ("zh", "en", "classes", "match")}


def _borders(district: Any, lang: str) -> Iterable[_Layer]:
    """Yield outlines of grid, communities, areas, zones and the district."""
    style, t = _style(), _texts(lang)
    for name in ("grid", "communities", "areas", "zones", "district"):
        frame = _layer(district, name)
        if frame is None:
            continue
        look = style["bounds"][name]
        label = look[lang]
        table: list[tuple[str, list[str | None]]] = []
        if name == "communities":
            table = [(t["zone"], _names_of(district, "zones", _column(frame, "zone")))] if "zone" in frame else []
        yield _areas(
            frame, name, label, {**_without(look), "label": label}, names=_texts_of(frame, "name"), table=table,
            find=name != "grid", ask=False, one=label,
        )  # fmt: skip


def _names_of(district: Any, layer: str, codes: pd.Series) -> list[str | None]:
    """Return the names behind codes; the code itself where the layer does not know it."""
    frame = district.layers.get(layer)
    known = {} if frame is None else dict(zip(frame.index, _texts_of(frame, "name"), strict=True))
    return [known.get(c) or _text(c) for c in codes]


def _home_table(district: Any, homes: gpd.GeoDataFrame, lang: str) -> list[tuple[str, list[str | None]]]:
    t = _texts(lang)
    table = [
        (t["people"], _numbers_of(homes, "people", t["person"])),
        (t["people_60plus"], _numbers_of(homes, "people_60plus", t["person"])),
        (t["households"], _numbers_of(homes, "households", t["household"])),
    ]
    groups = getattr(district, "groups", None)
    codes = _column(groups.reindex(homes.index) if groups is not None else homes, "community")
    if district.layers.get("communities") is not None:
        table.append((t["community"], _names_of(district, "communities", codes)))
    if "built" in homes.columns:
        table.append((t["built"], [v or "" for v in _numbers_plain(homes["built"])]))
    return [*table, (t["basis"], _basis_words(district, "homes", homes, lang))]


def _numbers_plain(values: pd.Series) -> list[str | None]:
    """Return whole numbers without separators (years)."""
    return [None if _blank(v) else f"{int(v)}" for v in pd.to_numeric(values, errors="coerce")]


def _basis_words(district: Any, layer: str, frame: gpd.GeoDataFrame, lang: str) -> list[str | None]:
    t = _texts(lang)
    basis = _basis(district, layer)
    found = basis.reindex(frame.index) if basis.index.is_unique else basis
    return [None if _blank(b) else t.get(f"basis_{b}", str(b)) for b in found]


def _homes_layer(district: Any, lang: str) -> Iterable[_Layer]:
    homes = _layer(district, "homes")
    if homes is None:
        return
    shapes = homes.geometry
    if not _is_area(homes).all():  # a home known only as a point is drawn as a small disc
        shapes = gpd.GeoSeries(
            np.where(_is_area(homes), shapes.array, shapes.buffer(18.0, quad_segs=4).array), homes.index, crs=homes.crs
        )
    t = _texts(lang)
    yield _Layer(
        "homes", t["home"], "A", shapes, [{**_style()["home"], "label": t["home"]}], np.zeros(len(homes), dtype="int64"),
        _texts_of(homes, "name"), _home_table(district, homes, lang), find=True, ask=True, one=t["home"],
    )  # fmt: skip


# --- points ----------------------------------------------------------------------------------------------------------


def _points(frame: gpd.GeoDataFrame) -> gpd.GeoSeries:
    """Return one point per feature that lies on it."""
    inner = shapely.point_on_surface(frame.geometry.array)
    return gpd.GeoSeries(inner, index=frame.index, crs=frame.crs)


def _facility_layers(district: Any, lang: str) -> Iterable[_Layer]:
    """Yield one layer of points per kind, in the order of the kinds table, and the outlines of large facilities."""
    frame = _layer(district, "facilities")
    if frame is None:
        return
    kinds = _column(frame, "kind").astype(str)
    known = [k for k in district.kinds.index if (kinds == k).any()]
    known += sorted(set(kinds) - set(known))
    for kind in known:
        rows = frame[(kinds == kind).to_numpy()]
        styles, pick = _point_styles(district, kind, rows, lang)
        label = _kind_label(district, kind, lang)
        table = _facility_table(district, rows, label, lang)
        flat = _is_area(rows)
        if flat.any():
            look = {"fill": styles[0]["fill"], "opacity": 0.22}
            yield _areas(rows[flat], f"k-{kind}-a", label, look)
        yield _Layer(
            f"k-{kind}", label, "P", _points(rows), styles, pick, _texts_of(rows, "name"), table, find=True, one=label
        )


def _point_styles(
    district: Any, kind: str, rows: gpd.GeoDataFrame, lang: str
) -> tuple[list[dict[str, Any]], np.ndarray]:
    """Return the styles of open, planned and closed facilities of a kind, and which each row has."""
    colour = _get(district.kinds, kind, "colour")
    colour = colour if _HEX.match(colour) else _GREY
    label = _kind_label(district, kind, lang)
    symbol = (_get(district.kinds, kind, "symbol") or label)[: 2 if label.isascii() else 1]
    base: dict[str, Any] = {"fill": colour, "symbol": symbol, "dark": _dark(colour), "label": label}
    styles = [base, {**base, "hollow": True}, {**base, "fill": "#b9b6b1", "dark": "#8f8b85"}]
    states = _column(rows, "state").fillna("open").astype(str)
    return styles, states.map({"planned": 1, "closed": 2}).fillna(0).to_numpy(dtype="int64")


def _dark(colour: str) -> str:
    """Return a colour dark enough for a thin ring or a letter on white."""
    r, g, b = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    factor = min(1.0, 150 / max(0.299 * r + 0.587 * g + 0.114 * b, 1))
    return f"#{int(r * factor):02x}{int(g * factor):02x}{int(b * factor):02x}"


def _facility_table(district: Any, rows: gpd.GeoDataFrame, label: str, lang: str) -> list[tuple[str, list[str | None]]]:
    t = _texts(lang)
    states = [t.get(s, s) for s in _column(rows, "state").fillna("open").astype(str)]
    years = _numbers_plain(_column(rows, "since"))
    states = [
        s + (f"（{y}）" if y and lang == "zh" else f" ({y})" if y else "") for s, y in zip(states, years, strict=True)
    ]
    table: list[tuple[str, list[str | None]]] = [(t["kind"], [label] * len(rows)), (t["state"], list(states))]
    if "capacity" in rows.columns and rows["capacity"].notna().any():
        units = [u or "" for u in _texts_of(rows, "capacity_unit")]
        size = [_number(v, u) or "" for v, u in zip(rows["capacity"], units, strict=True)]
        table.append((t["capacity"], list(size)))
    if "floor_area_m2" in rows.columns and rows["floor_area_m2"].notna().any():
        table.append((t["floor"], [v or "" for v in _numbers_of(rows, "floor_area_m2", t["m2"])]))
    table.append((t["basis"], _basis_words(district, "facilities", rows, lang)))
    if "note" in rows.columns and rows["note"].notna().any():
        table.append((t["note"], [v or "" for v in _texts_of(rows, "note")]))
    return table


def _small_points(district: Any, lang: str) -> Iterable[_Layer]:
    gates = _layer(district, "gates")
    if gates is not None:
        t = _texts(lang)
        homes = _names_of(district, "homes", _column(gates, "home"))
        names = [n or h for n, h in zip(_texts_of(gates, "name"), homes, strict=True)]
        states = [t.get(s, s) for s in _column(gates, "state").fillna("open").astype(str)]
        yield _Layer(
            "gates", t["gate"], "P", _points(gates), [{**_style()["gate"], "mark": "gate", "label": t["gate"]}],
            np.zeros(len(gates), dtype="int64"), names, [(t["home"], homes), (t["state"], list(states))], 14.6,
        )  # fmt: skip


# --- themes ----------------------------------------------------------------------------------------------------------


def _rule_of(district: Any, name: str | Rule) -> Rule:
    if isinstance(name, Rule):
        return name
    found: Rule = district.rule(name)
    return found


def _is_presence(district: Any, rule: Rule) -> bool:
    """Whether a rule asks that each community has one, rather than that homes reach one."""
    return getattr(rule, "metric", "") == "presence" or rule.denominator == "community"


def _rows_of(cover: pd.DataFrame, rule: str, homes: gpd.GeoDataFrame) -> pd.DataFrame:
    """Return a rule's rows in the order of the homes; missing where the table has none."""
    names = list(cover.index.names)
    level = "rule" if "rule" in names else cover.index.nlevels - 1
    rows = cover[np.asarray(cover.index.get_level_values(level) == rule)]
    rows = rows.set_axis(rows.index.get_level_values("home" if "home" in names else 0), axis=0)
    return rows[~rows.index.duplicated()].reindex(homes.index)


def _limit_text(rule: Rule, lang: str) -> str:
    t = _texts(lang)
    if rule.method == "walk_min":
        return t["up_to"].format(b=f"{rule.minutes:g}", u=t["min"])
    return t["up_to"].format(b=f"{rule.metres:g}", u=t["m"])


def _standing(rule: Rule, lang: str) -> str:
    """Return what may be said about where a rule comes from."""
    return rule.basis_text if lang == "zh" else _texts(lang)[f"confidence_{rule.confidence}"]


def _rule_lines(district: Any, rule: Rule, lang: str, shown: str = "") -> list[str]:
    """Return 方法/人群/标准/分母 and what may be said about the rule's standing."""
    t = _texts(lang)
    who = rule.profile
    table = getattr(district, "profiles", None)
    if table is not None and rule.profile in table.index:
        who = (_get(table, rule.profile, "label_en") if lang == "en" else "") or _get(table, rule.profile, "label")
        speed = _number(table.loc[rule.profile, "speed_m_s"], "m/s", 2) if "speed_m_s" in table.columns else None
        who += f" {speed}" if speed else ""
    lines = [t["line_method"].format(v=t[f"method_{rule.method}"])]
    if rule.method == "walk_min":
        lines.append(t["line_who"].format(v=who))
    lines += [
        t["line_limit"].format(v=_limit_text(rule, lang)),
        t["line_denominator"].format(v=t[f"den_{rule.denominator}"]),
    ]
    return [*lines, *([shown] if shown else []), _standing(rule, lang)]


def _classes(rule: Rule, lang: str) -> tuple[list[float], str, list[dict[str, Any]]]:
    """Return the breaks, the cover column that is coloured and the styles: inside the limit, over it, out of reach."""
    t, look = _texts(lang), _style()["cover"]
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


def _minutes_mode(rule: Rule, rows: pd.DataFrame, homes: gpd.GeoDataFrame, lang: str) -> _Mode:
    """Colour homes by their own minutes (or metres, where that is how the rule judges)."""
    t = _texts(lang)
    breaks, column, styles = _classes(rule, lang)
    cost, served = _floats(rows, column), _floats(rows, "served")
    pick = np.searchsorted(np.asarray(breaks) + 1e-6, cost, side="left")
    pick = np.where(np.isnan(cost), np.where(np.isnan(served), len(styles) - 1, len(styles) - 2), pick)
    shown = {"walk_min": t["method_walk_min"], "buffer": t["straight_distance"], "network_m": t["method_network_m"]}[
        rule.method
    ]
    title = t["line_shown"].format(v=shown)
    return _mode(t[f"mode_{rule.method}"], title, styles, pick, homes, lang, _counted(rule))


def _counted(rule: Rule) -> str:
    return "people_60plus" if rule.denominator == "people_60plus" else "people"


def _straight_mode(rule: Rule, rows: pd.DataFrame, homes: gpd.GeoDataFrame, lang: str) -> _Mode | None:
    """Colour homes that a circle counts as served and a walk does not; None where the table cannot tell."""
    t, look = _texts(lang), _style()["straight"]
    circle = _floats(rows, "served_buffer")
    walk = _floats(rows, "served_walk_min")
    walk = np.where(np.isnan(walk), _floats(rows, "served_network_m"), walk)
    walk = np.where(np.isnan(walk), _floats(rows, "served"), walk)
    if np.isnan(circle).all() or np.isnan(walk).all():
        return None
    edge = {"line": _style()["cover"]["line"], "width": _style()["cover"]["width"]}
    styles: list[dict[str, Any]] = [
        {"fill": look["both"], **edge, "label": t["both"]},
        {"fill": look["straight"], **edge, "label": t["only_straight"]},
        {"fill": look["neither"], **edge, "label": t["neither"]},
        {**_style()["cover"]["unknown"], "label": t["unknown"], "skip": True},
    ]
    pick = np.where(walk >= 0.5, 0, np.where(circle >= 0.5, 1, 2))
    pick = np.where(np.isnan(walk) | np.isnan(circle), 3, pick)
    return _mode(t["mode_straight"], t["mode_straight"], styles, pick, homes, lang, _counted(rule))


def _mode(
    label: str,
    title: str,
    styles: list[dict[str, Any]],
    pick: np.ndarray,
    homes: gpd.GeoDataFrame,
    lang: str,
    counted: str = "people",
) -> _Mode:
    """Return a mode with how many homes and people (or people 60+, where the rule counts them) each class holds."""
    t = _texts(lang)
    people = _floats(homes, counted)
    words = t["count_60plus"] if counted == "people_60plus" else t["count_people"]
    counts = [int((pick == i).sum()) for i in range(len(styles))]
    texts = []
    for i, n in enumerate(counts):
        inside = people[pick == i]
        known = inside[~np.isnan(inside)]
        whole = words.format(n=n, p=f"{known.sum():,.0f}") if len(known) else t["count"].format(n=n)
        texts.append(whole if n else t["count"].format(n=0))
    return _Mode(label, title, styles, pick.astype("int64"), counts, texts)


def _percent(value: float) -> str:
    """Return a share as a percentage that is 100 (or 0) only when it is."""
    if math.isnan(value):
        return "—"
    shown = round(value * 100, 1)
    if shown >= 100 and value < 1 - 1e-9:
        shown = 99.9
    if shown <= 0 and value > 1e-9:
        shown = 0.1
    return f"{shown:g} %"


def _share(rows: pd.DataFrame, weights: np.ndarray, column: str) -> tuple[float, float]:
    """Return the served share (NaN where nothing is known) and the weight not served."""
    served = _floats(rows, column)
    known = ~np.isnan(served) & ~np.isnan(weights)
    total = float(weights[known].sum())
    inside = float((served[known] * weights[known]).sum())
    return (inside / total if total > 0 else math.nan), total - inside


def _reach_facts(
    rule: Rule, rows: pd.DataFrame, homes: gpd.GeoDataFrame, demonstration: bool, lang: str
) -> tuple[list[dict[str, str]], list[str]]:
    """Return the headline of a reach rule and the notes under it."""
    t = _texts(lang)
    column = rule.denominator
    weights = _floats(rows, column)
    weights = np.where(np.isnan(weights), _floats(homes, column), weights)
    if column == "area_m2":
        weights = np.where(np.isnan(weights), homes.geometry.area.to_numpy(), weights)
    share, lost = _share(rows, weights, "served")
    if math.isnan(share):
        return [{"big": t["unknown"], "text": ""}], []
    unit = t["m2"] if column == "area_m2" else t["person"]
    text = t["share"].format(den=t[f"den_{column}"]) + t["semicolon"] + t["not_served"].format(n=_number(lost, unit))
    fact = {"big": _percent(share), "text": text}
    if demonstration:
        fact["tag"] = t["demo_value"]
    others = [_share(rows, weights, c)[0] for c in ("served_buffer", "served_network_m", "served_walk_min")]
    notes = []
    if not all(math.isnan(o) for o in others):
        a, b, c = (_percent(o) for o in others)
        notes.append(t["alternatives"].format(a=a, b=b, c=c))
    unknown = int(np.isnan(weights).sum())
    if unknown and column != "area_m2":
        notes.append(t["unknown_people"].format(n=unknown))
    served = _floats(rows, "served")
    partly = int(((served > 1e-9) & (served < 1 - 1e-9)).sum())
    if partly:
        notes.append(t["partly"].format(n=partly))
    return [fact], notes


def _reach_table(district: Any, rows: pd.DataFrame, lang: str) -> list[tuple[str, list[str | None]]]:
    t = _texts(lang)
    served = [None if math.isnan(s) else _percent(s) for s in _floats(rows, "served")]
    return [
        (t["minutes"], _numbers_of(rows, "minutes", t["min"], 1)),
        (t["metres"], _numbers_of(rows, "metres", t["m"])),
        (t["straight"], _numbers_of(rows, "straight_metres", t["m"])),
        (t["nearest"], _names_of(district, "facilities", _column(rows, "facility"))),
        (t["served"], list(served)),
    ]


def _reach_theme(
    district: Any, cover: pd.DataFrame, rule: Rule, homes: gpd.GeoDataFrame, show: str, lang: str
) -> _Theme:
    rows = _rows_of(cover, rule.name, homes)
    if "basis" in rows.columns and rows["basis"].notna().any():
        demonstration = bool(rows["basis"].isin(DEMONSTRATION).any())
    else:
        demonstration = _demonstration(district, ("homes", "facilities", "streets"))
    facts, notes = _reach_facts(rule, rows, homes, demonstration, lang)
    label = _rule_label(district, rule, lang)
    modes = [_minutes_mode(rule, rows, homes, lang)]
    straight = _straight_mode(rule, rows, homes, lang)
    if straight is not None:
        modes.append(straight)
    start = 1 if show == "straight" and straight is not None else 0
    title = f"{district.name} · {label}" + (f" · {_texts(lang)['only_straight']}" if start else "")
    return _Theme(
        rule.name, label, title, _rule_lines(district, rule, lang), "homes", modes, _reach_table(district, rows, lang),
        rule.kinds, facts, notes, [], _evidence(district, rule.kinds, lang), start,
    )  # fmt: skip


def _presence(district: Any, rule: Rule, communities: gpd.GeoDataFrame) -> pd.DataFrame:
    """
    Count a rule's facilities in each community.

    A facility belongs to the community typed on it where the list knows that code, else to the one it lies in. Returns
    columns `open`, `planned` (counts), index: community.
    """
    found = pd.DataFrame(0, index=communities.index, columns=["open", "planned"])
    frame = _layer(district, "facilities")
    if frame is None or "kind" not in frame.columns:
        return found
    rows = frame[frame["kind"].isin(rule.kinds).to_numpy()]
    if not len(rows):
        return found
    point, area = communities.sindex.query(_points(rows).array, predicate="intersects")
    position = pd.Series(np.asarray(communities.index)[area], index=point).groupby(level=0).first()
    where = position.reindex(range(len(rows))).to_numpy(dtype=object)
    typed = _column(rows, "community").to_numpy(dtype=object)
    known = np.array([c in communities.index for c in typed], dtype=bool)
    where = np.where(known, typed, where)
    states = _column(rows, "state").fillna("open").to_numpy()
    for state in ("open", "planned"):
        counts = pd.Series(where[states == state]).value_counts()
        found[state] = counts.reindex(communities.index).fillna(0).astype("int64")
    return found


def _presence_theme(district: Any, rule: Rule, communities: gpd.GeoDataFrame, lang: str) -> _Theme:
    """Colour communities that have one, have only a planned one, have none."""
    t, look = _texts(lang), _style()["presence"]
    count = _presence(district, rule, communities)
    surveyed = getattr(district, "surveyed_kinds", None)
    unknown = surveyed is not None and not set(rule.kinds) & set(surveyed) and not count.to_numpy().any()
    edge = {"line": look["line"], "width": look["width"]}
    styles = [
        {**look[k], **edge, "label": t[word], "skip": k in ("planned", "unknown")}
        for k, word in (("yes", "has"), ("planned", "only_planned"), ("no", "hasnt"), ("unknown", "unknown"))
    ]
    pick = np.where(count["open"] > 0, 0, np.where(count["planned"] > 0, 1, 2))
    pick = np.full(len(pick), 3) if unknown else pick
    names = [n or str(i) for n, i in zip(_texts_of(communities, "name"), communities.index, strict=True)]
    counts = [int((pick == i).sum()) for i in range(4)]
    has, label = counts[0], _rule_label(district, rule, lang)
    text = t["of_communities"].format(n=len(pick), k=has) + t["list_of"].format(y=district.list_year)
    facts = [{"big": t["unknown"] if unknown else f"{has} / {len(pick)}", "text": "" if unknown else text}]
    if _demonstration(district, ("communities", "facilities")) and not unknown:
        facts[0]["tag"] = t["demo_value"]
    missing = [] if unknown else [(names[i], int(i)) for i in np.flatnonzero(pick != 0)]
    notes = [] if unknown or missing else [t["none_missing"]]
    table: list[tuple[str, list[str | None]]] = [
        (label, [None if unknown else f"{n}" for n in count["open"]]),
        (t["planned"], [f"{n}" if n else "" for n in count["planned"]]),
    ]
    mode = _Mode(t["has"], t["community"], styles, pick.astype("int64"), counts, [f"{c}" for c in counts])
    lines = [t["line_denominator"].format(v=t["den_community"]) + t["list_of"].format(y=district.list_year)]
    lines.append(_standing(rule, lang))
    return _Theme(
        rule.name, label, f"{district.name} · {label}", lines, "presence", [mode], table, rule.kinds, facts, notes,
        missing, _evidence(district, rule.kinds, lang),
    )  # fmt: skip


def _values_theme(
    district: Any, values: pd.Series, title: str | None, unit: str, homes: gpd.GeoDataFrame, lang: str
) -> _Theme:
    """Colour homes by any series: shares in fifths, other numbers in five equal steps."""
    t, look = _texts(lang), _style()
    label = title or t.get(str(values.name), str(values.name) if values.name else t["completeness"])
    number = pd.to_numeric(values.reindex(homes.index), errors="coerce").to_numpy(dtype="float64", na_value=np.nan)
    known = number[~np.isnan(number)]
    share = not unit and (not len(known) or (known.min() >= 0 and known.max() <= 1))
    low, high = (0.0, 1.0) if share else (float(known.min()), float(known.max()))
    edges = np.linspace(low, high if high > low else low + 1, 6)
    pick = np.clip(np.searchsorted(edges[1:-1] - 1e-9, number, side="right"), 0, 4)
    pick = np.where(np.isnan(number), 5, pick)

    def words(value: float) -> str:
        return f"{value * 100:.0f}" if share else f"{value:,.4g}"

    edge = {"line": look["cover"]["line"], "width": look["cover"]["width"]}
    styles: list[dict[str, Any]] = [
        {
            "fill": c,
            **edge,
            "label": t["between"].format(a=words(edges[i]), b=words(edges[i + 1]), u="%" if share else unit),
        }
        for i, c in enumerate(look["values"])
    ]
    styles.append({**look["cover"]["unknown"], "label": t["unknown"], "skip": True})
    people = _floats(homes, "people")
    both = ~np.isnan(number) & ~np.isnan(people)
    facts = []
    if share and both.any() and people[both].sum() > 0:
        mean = float((number[both] * people[both]).sum() / people[both].sum())
        facts = [
            {
                "big": _percent(mean),
                "text": t["weighted"].format(v=label),
            }
        ]
        if _demonstration(district, ("homes", "facilities", "streets")):
            facts[0]["tag"] = t["demo_value"]
    shown: list[str | None] = [None if math.isnan(v) else _percent(v) if share else _number(v, unit, 1) for v in number]
    return _Theme(
        "values", label, f"{district.name} · {label}", [], "homes", [_mode(label, label, styles, pick, homes, lang)],
        [(label, shown)], (), facts, [], [], _evidence(district, (), lang),
    )  # fmt: skip


def _themes(
    district: Any,
    cover: pd.DataFrame | None,
    rule: str | Rule | None,
    rings: gpd.GeoDataFrame | None,
    show: str,
    lang: str,
) -> list[_Theme]:
    """Return a theme per rule of the table (one where a rule is asked for), the one that fits the rings first."""
    homes, communities = _layer(district, "homes"), _layer(district, "communities")
    if cover is None:
        names: list[str | Rule] = [] if rule is None else [rule]
    else:
        level = "rule" if "rule" in cover.index.names else cover.index.nlevels - 1
        listed = list(dict.fromkeys(cover.index.get_level_values(level)))
        wanted = rule.name if isinstance(rule, Rule) else rule
        if (
            wanted is not None
            and wanted not in listed
            and not _is_presence(district, _rule_of(district, rule or wanted))
        ):
            raise UnknownNameError("这张表里的规则", wanted, [str(n) for n in listed])
        names = [rule] if rule is not None else listed
    themes = []
    for name in names:
        found = _rule_of(district, name)
        if _is_presence(district, found) and communities is not None:
            themes.append(_presence_theme(district, found, communities, lang))
        elif homes is not None and cover is not None:
            themes.append(_reach_theme(district, cover, found, homes, show, lang))
    return themes


def _first_theme(district: Any, themes: Sequence[_Theme], rings: gpd.GeoDataFrame | None) -> int:
    """
    Return the theme to show first: the one the rings were drawn for.

    Rings say their kind in a column, or it is the kind of which every open facility lies inside the smallest ring (the
    largest such kind, should there be several). Without rings it is the first theme.
    """
    frame = _layer(district, "facilities")
    if rings is None or not len(rings) or not themes:
        return 0
    if "kind" in rings.columns:
        kinds = list(rings["kind"].astype(str))
    elif frame is not None and "kind" in frame.columns:
        rings = rings.to_crs(district.crs) if rings.crs is not None else rings
        inner = rings.geometry.array[int(np.argmin(_ring_minutes(rings)))]
        there = frame[(_column(frame, "state").fillna("open") == "open").to_numpy()]
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


# --- rings and gaps --------------------------------------------------------------------------------------------------


def _ring_minutes(rings: gpd.GeoDataFrame) -> np.ndarray:
    for name in ("minutes", "limit", "metres"):
        if name in rings.columns:
            return np.asarray(pd.to_numeric(rings[name], errors="coerce"), dtype="float64")
        if name in rings.index.names:
            return np.asarray(rings.index.get_level_values(name), dtype="float64")
    return np.asarray(rings.index.get_level_values(-1), dtype="float64")


def _exterior(shape: Any) -> Any:
    """Return the outer lines of an area, without those of its holes."""
    parts = [p for p in shapely.get_parts(shape) if p.geom_type == "Polygon"]
    return shapely.MultiLineString([shapely.get_coordinates(shapely.get_exterior_ring(p)) for p in parts])


def _ring_layers(district: Any, rings: gpd.GeoDataFrame, bare: bool, lang: str) -> tuple[list[_Layer], list[_Label]]:
    """
    Return a tint and an outline per ring, the nearer the finer dashed, with its minutes written on the line.

    `bare` leaves the lines around holes away: homes that are coloured by their own minutes say more, and more calmly.
    """
    t, look = _texts(lang), _style()["rings"]
    rings = rings.to_crs(district.crs) if rings.crs is not None else rings
    there = ~_blank_shapes(rings)
    rings, minutes = rings[there], _ring_minutes(rings)[there]
    metres = "metres" in rings.columns or "metres" in rings.index.names
    unit = t["m"] if metres else t["min"]
    walkers = list(dict.fromkeys(_column(rings, "profile").dropna().astype(str))) if "profile" in rings.columns else []
    who = f" · {walkers[0]}" if len(walkers) == 1 else ""
    levels = sorted(set(minutes))
    styles = [
        {**_without(look), "dash": look["dashes"][min(len(levels) - 1 - i, 2)], "label": f"{level:g} {unit}{who}"}
        for i, level in enumerate(levels)
    ]
    for style in styles:
        del style["dashes"], style["tint"]
    shapes = rings.geometry.simplify(2.0)
    pick = np.array([levels.index(m) for m in minutes], dtype="int64")
    layers: list[_Layer] = []
    labels: list[_Label] = []
    for i, style in enumerate(styles):
        own = shapes[pick == i]
        lines = own.map(_exterior) if bare else own.boundary
        name, zeros = f"rings-{i}", np.zeros(len(own), dtype="int64")
        layers.append(_Layer(f"{name}-a", style["label"], "A", own, [{"fill": look["tint"]}], zeros))
        layers.append(_Layer(name, style["label"], "L", lines, [style], zeros))
        labels += [_Label(style["label"], "ring", line, 0, -5, name) for line in lines]
    return layers, labels


def _gap_layers(district: Any, gaps: gpd.GeoDataFrame, lang: str) -> list[_Layer]:
    """Return gap places, most people first, as numbered points with the reasons beside them."""
    t, look = _texts(lang), _style()["gap"]
    gaps = gaps.to_crs(district.crs) if gaps.crs is not None else gaps
    there = ~_blank_shapes(gaps)
    gaps = gaps[there]
    people = _floats(gaps, "unserved" if "unserved" in gaps.columns else "people_unserved")
    elderly = "counted" in gaps.columns and bool((gaps["counted"] == "people_60plus").all())
    order = np.argsort(-np.where(np.isnan(people), -1.0, people), kind="stable")
    gaps, people = gaps.iloc[order], people[order]
    names = [n or str(i) for n, i in zip(_texts_of(gaps, "name"), gaps.index, strict=True)]
    minutes = _numbers_of(gaps, "minutes", t["min"], 1)
    reasons = [r or "" for r in _texts_of(gaps, "reason")]
    communities = _names_of(district, "communities", _column(gaps, "community"))
    counts = [_number(p, t["person"]) for p in people]
    table: list[tuple[str, list[str | None]]] = [
        (t["unserved_60plus" if elderly else "unserved"], counts), (t["minutes"], minutes), (t["community"], communities), (t["reason"], list(reasons)),
    ]  # fmt: skip
    listing = [
        {"name": n, "people": p or t["unknown"], "why": " · ".join(x for x in (c, r or m) if x)}
        for n, p, c, m, r in zip(names, counts, communities, minutes, reasons, strict=True)
    ]
    styles: list[dict[str, Any]] = [
        {"fill": look["line"], "symbol": str(i + 1) if i < 99 else "", "size": 9, "keep": i < 10, "label": t["gaps"]}
        for i in range(len(gaps))
    ]
    layers = []
    flat = _is_area(gaps)
    if flat.any():
        edges = gaps[flat].set_geometry(gaps[flat].boundary)
        layers.append(_areas(edges, "gaps-a", t["gaps"], _only(look, "line", "width"), shape="L"))
    points = _Layer("gaps", t["gaps"], "P", _points(gaps), styles, np.arange(len(gaps)), list(names), table, find=True)
    points.extra["list"] = listing
    return [*layers, points]


# --- labels ----------------------------------------------------------------------------------------------------------


#: Names that are placed before the symbols of facilities; all others give way to symbols.
_FIRST_LABELS = ("district", "zone", "community", "ring")


def _anchors(frame: gpd.GeoDataFrame) -> np.ndarray:
    """Return for each feature the point where its name sits best: the middle of the widest part of an area."""
    shapes = frame.geometry.array
    points = shapely.point_on_surface(shapes)
    flat = _is_area(frame)
    if flat.any():
        circles = shapely.maximum_inscribed_circle(np.asarray(shapes)[flat], tolerance=4.0)
        points[flat] = shapely.get_point(circles, 0)
    return np.asarray(points)


def _area_labels(district: Any, lang: str) -> Iterable[_Label]:
    for name, kind, zoom, rank, until in (
        ("zones", "zone", 0.0, 0.0, 14.2), ("communities", "community", 12.6, 1.0, 0.0), ("areas", "area", 13.6, 4.0, 0.0),
        ("parcels", "parcel", 14.0, 3.5, 0.0), ("water", "water", 13.0, 3.0, 0.0), ("green", "place", 15.0, 6.0, 0.0),
        ("places", "place", 13.4, 5.0, 0.0), ("homes", "home", 15.6, 7.0, 0.0),
    ):  # fmt: skip
        frame = _layer(district, name)
        if frame is None or "name" not in frame.columns:
            continue
        lines = shapely.get_dimensions(frame.geometry.array) == 1
        for text, point, line, shape in zip(
            _texts_of(frame, "name"), _anchors(frame), lines, frame.geometry, strict=True
        ):
            if text:
                away = 5.0 if name == "places" else 0.0
                yield _Label(text, kind, shape if line else point, zoom, rank, name, 0 if line else away, until)


def _road_labels(district: Any) -> Iterable[_Label]:
    """Yield road names along their lines: each name once, on all its stretches, important roads first."""
    style = _style()["roads"]
    order = {c: i for i, entry in enumerate(style) for c in entry["classes"]}
    zooms = [17.5, 17.5, 17.5, 15.4, 14.4, 13.4, 12.4, 11.5]
    merged: dict[str, list[Any]] = {}
    rank: dict[str, int] = {}
    for layer in ("named_roads", "streets"):
        frame = _layer(district, layer)
        if frame is None or "name" not in frame.columns:
            continue
        seen = set(merged)
        for text, klass, shape in zip(
            _texts_of(frame, "name"), _column(frame, "class").fillna("").astype(str), frame.geometry, strict=True
        ):
            if text and text not in seen:
                merged.setdefault(text, []).append(shape)
                rank[text] = max(rank.get(text, 0), order.get(klass, order[""]))
    for text, shapes in merged.items():
        lines = shapely.line_merge(shapely.union_all(shapes)) if len(shapes) > 1 else shapes[0]
        yield _Label(text, "road", lines, zooms[rank[text]], 10.0 - rank[text], "")
    frame = _layer(district, "barriers")
    if frame is not None:
        for text, kind, shape in zip(
            _texts_of(frame, "name"), _column(frame, "kind").astype(str), frame.geometry, strict=True
        ):
            if text and kind == "railway" and text not in merged:
                yield _Label(text, "rail", shape, 13.0, 4.5, "barriers")


def _labels(district: Any, lang: str) -> list[_Label]:
    found = [*_area_labels(district, lang), *_road_labels(district)]
    named = {label.text for label in found if label.layer == "places"}
    found = [label for label in found if label.layer != "green" or label.text not in named]
    points = _layer(district, "facilities")
    if points is not None:
        kinds = _column(points, "kind").astype(str)
        for text, kind, point in zip(_texts_of(points, "name"), kinds, _points(points), strict=True):
            if text:
                found.append(_Label(text, "point", point, 15.8, 8.0, f"k-{kind}", 13.0))
    return found


# --- the scene -------------------------------------------------------------------------------------------------------


def _fit(
    district: Any,
    themes: Sequence[_Theme],
    gaps: gpd.GeoDataFrame | None,
    rings: gpd.GeoDataFrame | None,
    first_theme: int,
) -> tuple[Any, Any]:
    """Return what the map shows first (where people live, for a theme) and the whole district; metric bounds."""
    whole = None
    for name in ("district", "zones", "communities", "homes", "streets", "facilities"):
        frame = _layer(district, name)
        if frame is not None:
            whole = frame.total_bounds
            break
    if whole is None:
        raise ValueError("没有可画的图层：至少要有街道界、小区、道路或设施之一")
    first = whole
    focus = _layer(district, "communities" if themes and themes[first_theme].layer == "presence" else "homes")
    if (themes or gaps is not None) and focus is not None:
        first = focus.total_bounds
    if rings is not None and len(rings) and not rings.geometry.is_empty.all():
        found = (rings.to_crs(district.crs) if rings.crs is not None else rings).total_bounds
        first = np.concatenate([np.minimum(first[:2], found[:2]), np.maximum(first[2:], found[2:])])
    return tuple(float(v) for v in first), tuple(float(v) for v in whole)


def _scene(
    district: Any,
    cover: pd.DataFrame | None,
    rings: gpd.GeoDataFrame | None,
    *,
    rule: str | Rule | None,
    gaps: gpd.GeoDataFrame | None,
    values: pd.Series | None,
    unit: str,
    show: str,
    title: str | None,
    lang: str,
) -> _Scene:
    """Collect what a map shows: layers from the ground up, labels, themes, legend, and the words of the sheet."""
    t = _texts(lang)
    if show not in SHOWS:
        raise UnknownNameError("显示方式", show, SHOWS)
    homes, communities = _layer(district, "homes"), _layer(district, "communities")
    themes = _themes(district, cover, rule, rings, show, lang)
    if values is not None and homes is not None:
        themes.insert(0, _values_theme(district, values, title, unit, homes, lang))
    start = 0 if values is not None else _first_theme(district, themes, rings)
    for theme in themes:
        if title:
            theme.title = title if len(themes) == 1 else f"{title} · {theme.label}"
    ring_layers: list[_Layer] = []
    ring_labels: list[_Label] = []
    if rings is not None and len(rings):
        ring_layers, ring_labels = _ring_layers(district, rings, any(theme.layer == "homes" for theme in themes), lang)
    gap_layers = _gap_layers(district, gaps, lang) if gaps is not None and len(gaps) else []
    layers = _stack(district, themes, communities, ring_layers, gap_layers, lang)
    demonstration = _demonstration(district, _CORE)
    first, whole = _fit(district, themes, gaps, rings, start)
    name = title or f"{district.name} · " + (t["gaps"] if gap_layers else t["overview"])
    name = themes[start].title if themes else name
    labels = sorted([*ring_labels, *_base(district, "labels", lang, _labels)], key=lambda x: x.rank)
    return _Scene(
        lang, name, _overview(district, lang), _badges(district, demonstration, lang), _foot(district, lang), _evidence(district, (), lang),
        t["demo"] if demonstration else "", district.crs, first, whole, layers, labels, themes,
        _groups(district, layers, lang), _start_off(district, layers, themes), start,
    )  # fmt: skip


def _overview(district: Any, lang: str) -> list[str]:
    """Return what there is: homes, residents, facilities, communities."""
    t, lines = _texts(lang), []
    homes, facilities, communities = (_layer(district, n) for n in ("homes", "facilities", "communities"))
    if homes is not None:
        lines.append(t["n_homes"].format(n=f"{len(homes):,}"))
        people = _floats(homes, "people")
        if not np.isnan(people).all():
            lines.append(t["n_people"].format(n=f"{np.nansum(people):,.0f}"))
    if facilities is not None:
        lines.append(t["n_facilities"].format(n=f"{len(facilities):,}"))
    if communities is not None:
        lines.append(t["n_communities"].format(n=len(communities)))
    return lines


def _stack(
    district: Any,
    themes: Sequence[_Theme],
    communities: gpd.GeoDataFrame | None,
    rings: list[_Layer],
    gaps: list[_Layer],
    lang: str,
) -> list[_Layer]:
    """Return all layers in drawing order, the lowest first."""
    style, t = _style(), _texts(lang)
    layers = [*_base(district, "ground", lang, _ground), *(r for r in rings if r.shape == "A")]
    layers += _base(district, "homes", lang, _homes_layer)
    if communities is not None and any(theme.layer == "presence" for theme in themes):
        blank = {**_only(style["presence"], "line", "width"), "label": ""}
        names = _texts_of(communities, "name")
        layers.append(_areas(communities, "presence", t["community"], blank, names=names, ask=True, one=t["community"]))
    layers += _base(district, "roads", lang, _roads)
    parcels = _layer(district, "parcels")
    if parcels is not None:
        # A tint would falsify the colours of the homes below.
        look = _only(style["parcel"], "line", "width", "dash") if themes else style["parcel"]
        table = [(t["use"], [v or "" for v in _texts_of(parcels, "use")])] if "use" in parcels else []
        layers.append(
            _areas(
                parcels, "parcels", t["parcels"], {**look, "label": t["parcels"]}, find=True, ask=True,
                names=_texts_of(parcels, "name"), table=table, one=t["parcels"],
            )
        )  # fmt: skip
    outline = _layer(district, "district")
    if outline is not None:
        layers.append(_areas(outline, "veil", "", {"fill": style["paper"]}))
    layers += [*_base(district, "borders", lang, _borders), *(x for x in [*rings, *gaps] if x.shape == "L")]
    places = _layer(district, "places")
    if places is not None:
        points = gpd.GeoDataFrame(geometry=_points(places), crs=places.crs)
        blank = {"fill": "none", "mark": "none"}
        layers.append(
            _Layer("places", t["places"], "N", points.geometry, [blank], np.zeros(len(points), dtype="int64"),
                   _texts_of(places, "name"), [], find=True, one=t["places"])
        )  # fmt: skip
    layers += [g for g in gaps if g.shape == "P"]
    layers += _base(district, "facilities", lang, _facility_layers)
    return [*layers, *_base(district, "small points", lang, _small_points)]


_START_OFF = ("grid", "bare_ground", "micro_spaces", "gates", "areas")


def _start_off(district: Any, layers: Sequence[_Layer], themes: Sequence[_Theme]) -> list[str]:
    """Return what is hidden at first: fine divisions, and on the overview kinds that the plan does not count on."""
    off = [layer.id for layer in layers if layer.id in _START_OFF]
    outlines = [layer.id for layer in layers if layer.id.startswith("rings-") and layer.shape == "L"]
    if any(theme.layer == "homes" for theme in themes):  # the homes show the nearer minutes themselves
        off += [name + end for name in outlines[:-1] for end in ("", "-a")]
    kinds = district.kinds
    if themes or not {"essential", "lead"} <= set(kinds.columns):
        return off
    keep = kinds.index[kinds["essential"].eq(True) | kinds["lead"].isin(["community", "circle"])]
    wanted = {f"k-{k}" for k in keep}
    points = [layer.id for layer in layers if layer.id.startswith("k-")]
    return off + ([i for i in points if i.removesuffix("-a") not in wanted] if wanted & set(points) else [])


def _off_for(scene_layers: Sequence[_Layer], theme: _Theme) -> list[str]:
    """Return what a theme hides at first: facilities of other kinds, and land use that would compete with the colours."""
    keep = {f"k-{k}" for k in theme.kinds}
    return [x.id for x in scene_layers if x.id.startswith("k-") and x.id.removesuffix("-a") not in keep]


def _groups(district: Any, layers: Sequence[_Layer], lang: str) -> list[dict[str, Any]]:
    """Return the legend: one row per layer that can be switched, with what its colours mean."""
    t = _texts(lang)
    by_id = {layer.id: layer for layer in layers}
    groups: list[dict[str, Any]] = []
    top = []
    for ring in (layer for layer in layers if layer.id.startswith("rings-") and layer.shape == "L"):
        top.append(
            {
                "ids": [ring.id, f"{ring.id}-a"],
                "label": f"{t['rings']} {ring.label}",
                "key": [_swatch(ring.styles[0]), "L"],
            }
        )
    if "gaps" in by_id:
        ids = [i for i in ("gaps", "gaps-a") if i in by_id]
        top.append({"ids": ids, "label": t["gaps"], "count": str(len(by_id["gaps"].geometry))})
    if top:
        groups.append({"id": "theme", "label": t["theme"], "open": True, "rows": top})
    kinds = [layer for layer in layers if layer.id.startswith("k-") and layer.shape == "P"]
    rows = [
        {
            "ids": [i for i in (k.id, f"{k.id}-a") if i in by_id], "label": re.split("[（(]", k.label)[0], "count": str(len(k.geometry)),
            "key": [_swatch(k.styles[0]), "P"],
        }
        for k in kinds
    ]  # fmt: skip
    if rows:
        note = t["facility_state"] if any((k.pick > 0).any() for k in kinds) else ""
        groups.append({"id": "facilities", "label": t["facilities"], "open": True, "rows": rows, "note": note})
    base = [_base_row(by_id, ids, lang) for ids in (
        ("district",), ("zones",), ("areas",), ("communities",), ("grid",), ("homes",), ("gates",), ("parcels",),
        ("streets", "roads"), ("barriers",), ("water", "water-line"), ("green",), ("landuse",), ("bare_ground",), ("micro_spaces",),
    ) if ids[0] in by_id or (len(ids) > 1 and ids[1] in by_id)]  # fmt: skip
    base.append({"ids": ["labels"], "label": t["labels"]})
    groups.append({"id": "base", "label": t["base"], "open": not rows or len(rows) < 12, "rows": base})
    return groups


def _base_row(by_id: Mapping[str, _Layer], ids: Sequence[str], lang: str) -> dict[str, Any]:
    there = [i for i in ids if i in by_id]
    layer = by_id[there[0]]
    used = sorted({int(j) for i in there for j in set(by_id[i].pick)}, reverse=layer.shape == "L")
    row: dict[str, Any] = {"ids": there, "label": layer.label}
    if len(layer.styles) == 1:
        row["key"] = [_swatch(layer.styles[0]), layer.shape]
    else:
        row["keys"] = [[_swatch(layer.styles[j]), layer.shape] for j in used if layer.styles[j].get("label")]
    return row


def _swatch(style: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in style.items() if k not in ("skip", "keep", "size")}


# --- to JSON ---------------------------------------------------------------------------------------------------------


def _packed(values: Sequence[str | None]) -> dict[str, Any]:
    """Return a column of texts in the shortest of three forms: one value, a list, or a list of positions in a list."""
    distinct = list(dict.fromkeys(values))
    if len(distinct) == 1 and len(values) > 1:
        return {"v": distinct[0]}
    if len(distinct) * 3 < len(values):
        words = [d for d in distinct if d is not None]
        place = {w: i for i, w in enumerate(words)}
        return {"d": words, "v": [None if v is None else place[v] for v in values]}
    return {"v": list(values)}


def _table_json(table: Sequence[tuple[str, list[str | None]]]) -> list[dict[str, Any]]:
    return [{"k": label, **_packed(values)} for label, values in table]


def _features(shapes: Any, origin: np.ndarray) -> list[list[list[int]]]:
    """
    Return the lines and rings of each shape (in degrees) as flat whole numbers: x, y, then steps from point to point.

    Millionths of a degree from `origin`; a ring's closing point and points that do not move are left out.
    """
    parts, owner = shapely.get_parts(np.asarray(shapes), return_index=True)
    closed = shapely.get_type_id(parts) == 3
    rings, of_part = shapely.get_rings(parts[closed], return_index=True)
    lines = np.concatenate([parts[~closed], rings])
    owner = np.concatenate([owner[~closed], owner[closed][of_part]])
    ring = np.arange(len(lines)) >= len(parts) - closed.sum()
    coordinates, line = shapely.get_coordinates(lines, return_index=True)
    whole = np.rint(coordinates * MICRO).astype("int64") - origin
    start = np.diff(line, prepend=-1) != 0
    end = np.roll(start, -1)
    step = np.diff(whole, axis=0, prepend=np.zeros((1, 2), dtype="int64"))
    step[start] = whole[start]
    keep = start | (step.any(axis=1) & ~(end & ring[line]))
    flat = step[keep].ravel().tolist()
    cuts = np.searchsorted(line[keep], np.arange(len(lines) + 1)) * 2
    found: list[list[list[int]]] = [[] for _ in range(len(shapes))]
    for i in np.lexsort((np.arange(len(lines)), owner)):
        found[owner[i]].append(flat[cuts[i] : cuts[i + 1]])
    return found


def _geometry_json(shapes: gpd.GeoSeries, shape: str, origin: np.ndarray) -> list[list[list[int]]]:
    if shape in SIMPLIFY_M:
        shapes = shapes.simplify(SIMPLIFY_M[shape])
    if shape == "A":
        shapes = gpd.GeoSeries(shapely.orient_polygons(shapes.array), crs=shapes.crs)
    return _features(shapes.to_crs(4326).array, origin)


def _layer_json(layer: _Layer, origin: np.ndarray) -> dict[str, Any]:
    """Return a layer's JSON, kept on the layer: ground, roads and facilities come back on every map of a district."""
    key = tuple(int(v) for v in origin)
    if key not in layer.written:
        layer.written[key] = _new_layer_json(layer, origin)
    return layer.written[key]


def _new_layer_json(layer: _Layer, origin: np.ndarray) -> dict[str, Any]:
    pick = layer.pick
    out: dict[str, Any] = {
        "id": layer.id, "label": layer.label, "shape": layer.shape, "styles": layer.styles,
        "s": int(pick[0]) if len(set(pick)) == 1 else [int(i) for i in pick],
        "g": _geometry_json(layer.geometry, layer.shape, origin),
    }  # fmt: skip
    if layer.names is not None:
        out["n"] = _packed(layer.names)
    out["table"] = _table_json(layer.table)
    if layer.shape == "A" and layer.names is not None:
        frame = gpd.GeoDataFrame(geometry=layer.geometry, crs=layer.geometry.crs)
        middle = gpd.GeoSeries(_anchors(frame), crs=frame.crs).to_crs(4326)
        out["at"] = [parts[0] for parts in _features(middle.array, origin)]
    for key, value in (("z", layer.min_zoom), ("find", layer.find), ("ask", layer.ask), ("one", layer.one)):
        if value:
            out[key] = value
    return {**out, **layer.extra}


def _labels_json(labels: Sequence[_Label], crs: Any, origin: np.ndarray) -> list[dict[str, Any]]:
    if not labels:
        return []
    shapes = gpd.GeoSeries([label.geometry for label in labels], crs=crs)
    lines = shapely.get_dimensions(shapes.array) == 1
    shapes = shapes.where(~lines, shapes.simplify(2.0)).to_crs(4326)
    out = []
    for label, parts, line in zip(labels, _features(shapes.array, origin), lines, strict=True):
        entry: dict[str, Any] = {"text": label.text, "k": label.kind, "z": label.zoom}
        entry["l" if line else "p"] = parts if line else parts[0]
        first = int(label.kind in _FIRST_LABELS)
        for key, value in (("y", label.layer), ("d", label.away), ("max", label.until), ("f", first)):
            if value:
                entry[key] = value
        out.append(entry)
    return out


def _theme_json(scene: _Scene, theme: _Theme) -> dict[str, Any]:
    modes = [
        {"label": m.label, "title": m.title, "styles": m.styles, "s": [int(i) for i in m.pick], "counts": m.counts,
         "texts": m.texts}
        for m in theme.modes
    ]  # fmt: skip
    return {
        "id": theme.id, "label": theme.label, "title": theme.title, "lines": theme.lines, "layer": theme.layer,
        "modes": modes, "table": _table_json(theme.table), "facts": theme.facts, "notes": theme.notes,
        "missing": theme.missing, "evidence": theme.evidence, "start": theme.start,
        "off": [*_off_for(scene.layers, theme), *([] if theme.layer == "presence" else ["presence"])], "on": [],
    }  # fmt: skip


@cache
def _to_degrees(crs: str) -> pyproj.Transformer:
    """Building a transformer takes longer than drawing many a layer."""
    return pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)


def _corners(scene: _Scene, bounds: tuple[float, float, float, float]) -> list[list[float]]:
    west, south, east, north = _to_degrees(str(scene.crs)).transform_bounds(*bounds)
    return [[round(south, 6), round(west, 6)], [round(north, 6), round(east, 6)]]


def _scene_json(scene: _Scene) -> str:
    """Return the scene as JSON that is safe inside a script element."""
    whole = _corners(scene, scene.whole)
    origin = np.rint(np.array([whole[0][1], whole[0][0]]) * MICRO).astype("int64")
    content = {
        "t": {k: _texts(scene.lang)[k] for k in _SCRIPT_WORDS}, "style": {k: _style()[k] for k in ("paper", "veil", "place", "labels")},
        "head": {"title": scene.title, "lines": scene.lines, "evidence": scene.evidence}, "mark": scene.mark,
        "bounds": _corners(scene, scene.bounds), "whole": whole, "origin": [int(v) for v in origin],
        "layers": [_layer_json(layer, origin) for layer in scene.layers],
        "labels": _labels_json(scene.labels, scene.crs, origin),
        "themes": [_theme_json(scene, theme) for theme in scene.themes], "current": scene.first, "groups": scene.groups,
        "start": scene.off,
    }  # fmt: skip
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for raw, escaped in (("<", "\\u003c"), (">", "\\u003e"), ("\u2028", "\\u2028"), ("\u2029", "\\u2029")):
        text = text.replace(raw, escaped)
    return text


def _data_block(text: str) -> str:
    """Return the script element that carries the scene: plain JSON, or packed where that is large."""
    if len(text.encode()) <= PACK_BYTES:
        return f'<script id="xh-data" type="application/json">{text}</script>'
    packed = base64.b64encode(gzip.compress(text.encode(), compresslevel=9, mtime=0)).decode("ascii")
    return f'<script id="xh-data" type="text/plain">{packed}</script>'


# --- the page --------------------------------------------------------------------------------------------------------


#: Stands before names of a picture's own until the picture is complete; no text can hold it.
_OWN = "\ue000"
_NOT_IN_MARKUP = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ue000\ufffe\uffff]")


def _escape(text: str) -> str:
    """Escape text for markup, and what a template literal or an older parser could take for code."""
    safe = html.escape(_NOT_IN_MARKUP.sub("", str(text)), quote=True)
    for char in "`${":
        safe = safe.replace(char, f"&#{ord(char)};")
    return safe


@cache
def _leaflet(name: str) -> str:
    """Return a file of the Leaflet wheel as text, images inside a style sheet as data URIs."""
    try:
        from xstatic.pkg import leaflet
    except ImportError as error:
        raise EnvironmentProblem("缺少程序包 xstatic-leaflet：pip install xstatic-leaflet") from error
    folder = Path(leaflet.BASE_DIR)
    text = (folder / name).read_text("utf-8")
    if name.endswith(".js"):
        # The link of its default credit, which the house style replaces, would be the only address in the page.
        text = re.sub(r"//# sourceMappingURL=\S*", "", text).replace('href="https://leafletjs.com"', 'href="#"')
        return re.sub(r"</(script)", r"<\\/\1", text, flags=re.IGNORECASE)

    def data(match: re.Match[str]) -> str:
        file = folder / match.group(1).strip("'\"")
        if not file.is_file():
            return match.group(0)
        return f"url(data:image/png;base64,{base64.b64encode(file.read_bytes()).decode('ascii')})"

    return re.sub(r"url\((images/[^)]+)\)", data, text)


@cache
def _icon_script() -> str:
    """Return a script that gives Leaflet's default marker its pictures: it looks for them beside a style sheet."""
    from xstatic.pkg import leaflet

    def data(name: str) -> str:
        return "data:image/png;base64," + base64.b64encode(
            (Path(leaflet.BASE_DIR) / "images" / name).read_bytes()
        ).decode("ascii")

    options = {"iconUrl": "marker-icon.png", "iconRetinaUrl": "marker-icon-2x.png", "shadowUrl": "marker-shadow.png"}
    pictures = json.dumps({k: data(v) for k, v in options.items()})
    return f'L.Icon.Default.imagePath="";Object.assign(L.Icon.Default.prototype.options,{pictures});'


#: What folium's own popups ask of jQuery: an element from a piece of markup, and "when the page is ready".
_SHIM = (
    'window.$=window.$||function(x){if(x===document)return{ready:function(f){document.addEventListener("DOMContentLoaded",f)}};'
    'if(typeof x==="function"){document.addEventListener("DOMContentLoaded",x);return}'
    'var t=document.createElement("template");t.innerHTML=String(x).trim();return[t.content.firstElementChild]};'
)
#: Links of folium that the house style does without.
_DROPPED = (
    "jquery", "bootstrap", "awesome", "glyphicons", "fontawesome",
)  # fmt: skip
_LOADS = re.compile(
    r"""(?ix) <(?:script|img|iframe|source|video|audio|embed|object)\b[^>]*\b(?:src|data)\s*=\s*["']?(?!data:)[^\s"'>]+
    | <link\b[^>]*\bhref\s*=\s*["']?(?!data:)[^\s"'>]+
    | url\(\s*["']?(?!data:|\#)[a-z/.]+[^)]*\)
    | @import\b[^;]+
    | L\.(?:tileLayer(?:\.wms)?|imageOverlay|videoOverlay|icon)\b[^;]{0,300}?["'](?:https?:)?//[^"']+
    | ["'](?:https?:)?//[^"'\s]*(?:\{[a-z]\}|\.(?:png|jpe?g|webp|svg|js|css|json|geojson|pbf))[^"']*["']"""
)


class _Page(Figure):
    """A folium figure that renders to one file which loads nothing, whichever way it is asked."""

    def render(self, **kwargs: Any) -> str:
        for child in self._children.values():
            child.render()
        house = next(c for c in self._children.values() if isinstance(c, HouseMap))
        return _page(self, house)

    def _repr_html_(self, **kwargs: Any) -> str:
        house = next(c for c in self._children.values() if isinstance(c, HouseMap))
        return house._repr_html_(**kwargs)


class HouseMap(folium.Map):
    """
    A folium map in the house style. `save` writes, and a notebook shows, one self-contained page.

    Further folium elements (markers, GeoJson, popups) may be added as to any folium map, as long as they load nothing;
    otherwise saving raises `MissingAsset`.
    """

    default_js = [("leaflet", "leaflet.js")]  # noqa: RUF012 - as folium declares it
    default_css = [("leaflet_css", "leaflet.css")]  # noqa: RUF012
    _template = Template("""
        {% macro header(this, kwargs) %}<style>{{ this.css }}</style>{% endmacro %}
        {% macro html(this, kwargs) %}{{ this.frame() }}{% endmacro %}
        {% macro script(this, kwargs) %}
        var {{ this.get_name() }} = L.map({{ this.get_name()|tojson }}, {{ this.options|tojavascript }});
        xinheDraw({{ this.get_name() }});
        {% endmacro %}""")

    def __init__(self, scene: _Scene) -> None:
        south_west, north_east = _corners(scene, scene.bounds)
        middle = [(a + b) / 2 for a, b in zip(south_west, north_east, strict=True)]
        super().__init__(
            location=middle, zoom_start=13, tiles=None, zoom_control=False, attribution_control=False, zoom_snap=0.25,
            zoom_delta=0.5, wheel_px_per_zoom_level=100, max_zoom=20, min_zoom=9, center=middle,
        )  # fmt: skip
        self.css = _web("map.css")
        self._scene = scene
        self._data = _data_block(_scene_json(scene))
        _Page(title=scene.title).add_child(self)

    def frame(self) -> str:
        """Return the markup of the sheet around the map."""
        scene, t = self._scene, _texts(self._scene.lang)
        badges = "".join(f'<b class="{kind}">{_escape(text)}</b>' for kind, text in scene.badges)
        foot = "".join(f"<span>{_escape(line)}</span>" for line in scene.foot)
        names = {k: _escape(v) for k, v in t.items()}
        return (
            f'<div class="xh"><header class="xh-head"><h1 id="xh-title" data-old="{names["old"]}">{_escape(scene.title)}</h1>'
            f'<div id="xh-line"></div><div id="xh-badges">{badges}</div>'
            f'<button id="xh-open" type="button" aria-expanded="false" aria-controls="xh-side">{names["panel"]}</button></header>'
            f'<main class="xh-stage"><div class="folium-map" id="{self.get_name()}" role="application" '
            f'aria-label="{_escape(scene.title)}"></div><div id="xh-print" aria-hidden="true"></div>'
            f'<div class="xh-search" role="search"><input id="xh-q" type="search" role="combobox" autocomplete="off" '
            f'aria-expanded="false" aria-controls="xh-hits" aria-label="{names["search"]}" placeholder="{names["search"]}">'
            '<ul id="xh-hits" role="listbox" hidden></ul></div><div id="xh-tools" role="toolbar"></div>'
            f'<div class="xh-rule" aria-label="{names["scale"]}">{_north(names["north"])}<div id="xh-scale"><span></span>'
            "<span></span><span></span></div></div></main>"
            f'<aside class="xh-side" id="xh-side" tabindex="0" aria-label="{names["layers"]}">'
            f'<label id="xh-choose"><span>{names["theme"]}</span><select id="xh-select"></select></label>'
            '<div id="xh-theme"></div><div id="xh-gaps"></div><div id="xh-layers"></div></aside>'
            f'<footer class="xh-foot">{foot}<strong id="xh-evidence">{_escape(scene.evidence)}</strong></footer></div>'
            f"<noscript>{names['script']}</noscript><!--xh-data-->"
        )

    def save(self, outfile: Any, close_file: bool = True, **kwargs: Any) -> None:
        """
        Write the map as one HTML file.

        Parameters
        ----------
        outfile
            A path (written beside and swapped in, so that a failure leaves the earlier file) or a binary file.
        close_file
            Whether an open file is closed after writing.

        Raises
        ------
        MissingAsset
            Something added to the map would have to be loaded.
        EnvironmentProblem
            The file cannot be written.
        """
        page = self.get_root().render().encode("utf-8")
        if len(page) > LARGE_BYTES:
            warnings.warn(f"地图有 {len(page) / 1e6:.1f} MB，在办公电脑上打开会慢；可少放图层或先汇总", stacklevel=2)
        if isinstance(outfile, str | bytes | os.PathLike):
            _write(Path(os.fsdecode(outfile)), page)
            return
        outfile.write(page)
        if close_file:
            outfile.close()

    def _repr_html_(self, **kwargs: Any) -> str:
        page = html.escape(self.get_root().render(), quote=True)
        return (
            f'<iframe srcdoc="{page}" title="{_escape(self._scene.title)}" allowfullscreen '
            'style="display:block;width:100%;height:640px;border:1px solid #d9d3c7"></iframe>'
        )


def _north(letter: str) -> str:
    return (
        '<svg viewBox="0 0 24 36" role="img"><path d="M12 1 19 25 12 20Z" fill="#2b3138"/>'
        '<path d="M12 1 5 25 12 20Z" fill="#fff" stroke="#2b3138" stroke-width="1"/>'
        f'<text x="12" y="35" font-size="10" font-weight="700" text-anchor="middle" fill="#2b3138">{letter}</text></svg>'
    )


def _page(figure: Figure, house: HouseMap) -> str:
    """Put the page together: policy first, then our files and Leaflet's as text, then what folium rendered."""
    _fill_links(figure.header)
    for part in (figure.html, figure.script):
        _fill_links(part)
    lang = _texts(house._scene.lang)["html_lang"]
    # Style sheets of Leaflet come before ours, so that the house style wins.
    head = [c.render(embedded=True) for c in figure.header._children.values() if isinstance(c, Link)]
    rest = [c.render() for k, c in figure.header._children.items() if not isinstance(c, Link) and k != "meta_http"]
    body, script = figure.html.render(), figure.script.render()
    found = _LOADS.search("\n".join([*rest, body, script]))
    if found:
        raise MissingAsset(found.group(0)[:160])
    known = _ids(figure)
    shell = (
        f'<!DOCTYPE html>\n<html lang="{lang}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<link rel="icon" href="data:,">\n'
        f"<title>{_escape(house._scene.title)}</title>\n<!--xh-links-->\n{''.join(rest)}\n</head>\n"
        f"<body>\n{body}\n<script>\n{_web('map.js')}\n{script}\n</script>\n</body>\n</html>\n"
    )
    for number, name in enumerate(known):
        shell = shell.replace(name, f"{number:x}")
    links = f"{''.join(head)}<script>{_icon_script()}{_SHIM}</script>"
    return shell.replace("<!--xh-links-->", links, 1).replace("<!--xh-data-->", house._data, 1)


def _fill_links(element: Element) -> None:
    """Give every link under `element` its text, drop those the house style does without; raise for any other."""
    for key, child in list(element._children.items()):
        if isinstance(child, Link):
            name = child.url.rsplit("/", 1)[-1].lower()
            if name in ("leaflet.js", "leaflet.css"):
                child.code = _leaflet(name)  # type: ignore[assignment]
            elif any(word in child.url.lower() or word in key.lower() for word in _DROPPED):
                del element._children[key]
                continue
            else:
                raise MissingAsset(child.url)
            assert isinstance(child, JavascriptLink | CssLink)
        _fill_links(child)


def _ids(element: Element) -> list[str]:
    """Return the random ids of all elements, in order of appearance."""
    found: dict[str, None] = {}

    def walk(e: Element) -> None:
        if e._id in found:
            return
        found[e._id] = None
        inner = [*e._children.values(), *(v for v in vars(e).values() if isinstance(v, Element) and v is not e._parent)]
        for child in inner:
            walk(child)

    walk(element)
    return list(found)


def _write(path: Path, content: bytes) -> None:
    """Write beside and swap in."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
            os.chmod(beside, 0o644)
            os.replace(beside, path)
        except BaseException:
            Path(beside).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise EnvironmentProblem(
            f"写不了 {path.name}：{error.strerror or error}；如果正在别的程序里打开，请先关闭"
        ) from error


# --- the two verbs ---------------------------------------------------------------------------------------------------


def draw(
    district: Any,
    cover: pd.DataFrame | None = None,
    rings: gpd.GeoDataFrame | None = None,
    *,
    rule: str | Rule | None = None,
    gaps: gpd.GeoDataFrame | None = None,
    values: pd.Series | None = None,
    unit: str = "",
    show: str = "minutes",
    title: str | None = None,
    lang: str = "zh",
) -> HouseMap:
    """
    Draw a map that needs no network: `.save("map.html")` writes one file, a notebook shows the same.

    Parameters
    ----------
    district
        The district; its layers are the base map.
    cover
        Result of `coverage`, index (home, rule). None gives the map of the present state.
    rings
        Isochrones, index `minutes`, drawn as one outline each.
    rule
        The rule to show. None puts every rule of `cover` into the page, with a list to choose from.
    gaps
        Places that miss out (index place; name, community, people_unserved, minutes, reason): numbered, listed, linked.
    values
        A number per home (index home), for example 配套齐全度 from 0 to 1, with `title` and `unit`.
    show
        "minutes" colours homes by their own minutes; "straight" shows who is near in a straight line only.
    title
        图名; made from the district and the rule by default.
    lang
        "zh" or "en".

    Returns
    -------
    map
        A `folium.Map`; further folium layers may be added to it.

    Raises
    ------
    UnknownNameError
        The rule is not in `cover`, or `show` or `lang` is not one of the words above.
    """
    return HouseMap(
        _scene(
            district, cover, rings, rule=rule, gaps=gaps, values=values, unit=unit, show=show, title=title, lang=lang
        )
    )


# --- the picture -----------------------------------------------------------------------------------------------------

_FONT = "'Microsoft YaHei','PingFang SC','Noto Sans CJK SC','Noto Sans SC','Source Han Sans SC',sans-serif"
#: The picture's sheet, in its own units: about the shape of a landscape page.
_SHEET = (1600.0, 1120.0)
_FRAME = (24.0, 92.0, 1206.0, 950.0)  # left, top, width, height of the map


class _View:
    """Where metric coordinates lie on the picture, and what room its labels have taken."""

    def __init__(self, scene: _Scene) -> None:
        self.width, self.height = _FRAME[2:]
        west, south, east, north = scene.bounds
        margin = 0.03 * max(east - west, north - south, 1.0)
        self.scale = min(self.width / (east - west + 2 * margin), self.height / (north - south + 2 * margin))
        self.x0 = (west + east) / 2 - self.width / 2 / self.scale
        self.y1 = (south + north) / 2 + self.height / 2 / self.scale
        box = (self.x0, self.y1 - self.height / self.scale, self.x0 + self.width / self.scale, self.y1)
        self.box = box
        to_degrees = pyproj.Transformer.from_crs(scene.crs, "EPSG:4326", always_xy=True)
        latitude = to_degrees.transform((west + east) / 2, (south + north) / 2)[1]
        self.zoom = math.log2(40_075_016.686 * math.cos(math.radians(latitude)) / 256 * self.scale)
        self.taken: list[tuple[float, float, float, float]] = []

    def xy(self, coordinates: np.ndarray) -> np.ndarray:
        """Return metric coordinates as picture units inside the frame."""
        return np.column_stack([(coordinates[:, 0] - self.x0) * self.scale, (self.y1 - coordinates[:, 1]) * self.scale])

    def free(self, box: tuple[float, float, float, float]) -> bool:
        """Whether a box lies in the frame and touches nothing placed before."""
        if box[0] < 3 or box[1] < 3 or box[2] > self.width - 3 or box[3] > self.height - 3:
            return False
        return not any(o[0] < box[2] and o[2] > box[0] and o[1] < box[3] and o[3] > box[1] for o in self.taken)


def _colour(value: str) -> tuple[str, float]:
    """Return a CSS colour as a plain colour and an opacity: not every SVG reader knows rgba()."""
    match = re.fullmatch(r"rgba\((\d+),\s*(\d+),\s*(\d+),\s*([\d.]+)\)", value)
    if not match:
        return value, 1.0
    r, g, b = (int(match.group(i)) for i in (1, 2, 3))
    return f"#{r:02x}{g:02x}{b:02x}", float(match.group(4))


def _attributes(**values: Any) -> str:
    return "".join(f' {k.replace("_", "-")}="{v}"' for k, v in values.items() if v not in (None, ""))


def _fill(value: str, opacity: float = 1.0) -> str:
    colour, own = _colour(value)
    return _attributes(fill=colour, fill_opacity=f"{own * opacity:g}" if own * opacity < 1 else None)


def _stroke(value: str, width: float, dash: Sequence[float] = ()) -> str:
    colour, own = _colour(value)
    dashes = " ".join(f"{10 * d * max(1.0, width / 3):.0f}" for d in dash)
    return _attributes(
        stroke=colour,
        stroke_width=f"{10 * width:.0f}",
        stroke_opacity=f"{own:g}" if own < 1 else None,
        stroke_dasharray=dashes,
    )


def _path(shapes: Iterable[Any], view: _View) -> str:
    """Return shapes as one path in tenths of a picture unit, relative and without what cannot be seen."""
    found = []
    for part in shapely.get_parts(list(shapes)):
        rings = [part.exterior, *part.interiors] if part.geom_type == "Polygon" else [part]
        for ring in rings:
            if ring.is_empty or ring.geom_type not in ("LineString", "LinearRing"):
                continue
            closed = ring.geom_type == "LinearRing"
            whole = np.rint(view.xy(shapely.get_coordinates(ring)) * 10).astype("int64")
            step = np.diff(whole[: -1 if closed else None], axis=0)
            step = step[step.any(axis=1)]
            if len(step):
                moves = "".join(f"{x:d}{y:+d}" if i == 0 or x < 0 else f" {x:d}{y:+d}" for i, (x, y) in enumerate(step))
                found.append(f"M{whole[0][0]} {whole[0][1]}l{moves}{'z' if closed else ''}")
    return "".join(found)


def _seen(layer: _Layer, view: _View) -> np.ndarray:
    """Return a layer's shapes cut to a little more than the frame and simplified to half a unit."""
    margin = 30 / view.scale
    west, south, east, north = view.box
    shapes = np.asarray(layer.geometry.array)
    boxes = shapely.bounds(shapes)
    away = (boxes[:, 0] > east) | (boxes[:, 2] < west) | (boxes[:, 1] > north) | (boxes[:, 3] < south)
    shapes = np.where(away, shapely.from_wkt("POLYGON EMPTY"), shapes)
    out = (boxes[:, 0] < west - margin) | (boxes[:, 2] > east + margin)
    out |= (boxes[:, 1] < south - margin) | (boxes[:, 3] > north + margin)
    cut = out & ~away
    if cut.any():
        shapes[cut] = shapely.clip_by_rect(shapes[cut], west - margin, south - margin, east + margin, north + margin)
    return np.asarray(shapely.simplify(shapes, 0.4 / view.scale))


def _width_at(width: Any, zoom: float) -> float:
    if isinstance(width, int | float):
        return float(width)
    t = min(max((zoom - 12) / 2, 0.0), 2.9999)
    i = int(t)
    return float(width[i] + (width[i + 1] - width[i]) * (t - i))


class _Hatches:
    """Patterns by what they look like, numbered in order of appearance."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], str] = {}

    def use(self, fill: str, line: str) -> str:
        """Return a reference to the pattern of lines on a ground."""
        name = self.known.setdefault((fill, line), f"{_OWN}hatch{len(self.known)}")
        return f"url(#{name})"

    def defs(self) -> str:
        """Return the patterns' definitions, for use inside the map (tenths) and the legend (units)."""
        out = []
        for (fill, line), name in self.known.items():
            for suffix, n in (("", 70), ("s", 7)):
                out.append(
                    f'<pattern id="{name}{suffix}" width="{n}" height="{n}" patternUnits="userSpaceOnUse">'
                    f'<rect width="{n}" height="{n}"{_fill(fill)}/><path d="M0 {n}L{n} 0M{-n / 2:g} {n / 2:g}L{n / 2:g} {-n / 2:g}'
                    f'M{n / 2:g} {n * 1.5:g}L{n * 1.5:g} {n / 2:g}" stroke="{line}" stroke-width="{n / 6:.1f}"/></pattern>'
                )
        return "".join(out)


def _draw_layer(layer: _Layer, styles: list[dict[str, Any]], pick: np.ndarray, view: _View, hatches: _Hatches) -> str:
    """Return one layer of areas or lines as SVG, one path per style (and one for its casing)."""
    shapes = _seen(layer, view)
    paths = [_path(shapes[pick == j], view) for j in range(len(styles))]
    out = []
    if layer.shape == "A":
        for style, d in zip(styles, paths, strict=True):
            if not d:
                continue
            opacity = float(style.get("opacity", 1.0))
            if "hatch" in style:
                paint = _attributes(
                    fill=hatches.use(style["fill"], style["hatch"]),
                    fill_opacity=f"{opacity:g}" if opacity < 1 else None,
                )
            else:
                paint = _fill(style["fill"], opacity) if "fill" in style else ' fill="none"'
            width = _width_at(style.get("width", 1), view.zoom)
            if "casing" in style:
                out.append(f'<path d="{d}" fill="none"{_stroke(style["casing"], width + style.get("extra", 2))}/>')
            line = _stroke(style["line"], width, style.get("dash", ())) if "line" in style else ""
            out.append(f'<path d="{d}"{paint} fill-rule="evenodd"{line}/>')
        return "".join(out)
    for casing in (True, False):
        for style, d in zip(styles, paths, strict=True):
            width = _width_at(style.get("width", 1), view.zoom)
            if not d or width <= 0.25 or (casing and "casing" not in style):
                continue
            extra = style.get("extra", min(2.0, 0.6 + width * 0.22)) if casing else 0.0
            paint = _stroke(
                style["casing" if casing else "line"], width + extra, () if casing else style.get("dash", ())
            )
            cap = ' stroke-linecap="round"' if casing or not style.get("dash") else ""
            out.append(f'<path d="{d}" fill="none" stroke-linejoin="round"{cap}{paint}/>')
    return "".join(out)


def _ink_on(colour: str) -> str:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
    return "#1f2429" if 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] > 0.42 else "#ffffff"


def _icon(x: float, y: float, r: float, style: Mapping[str, Any]) -> str:
    """Return a point's symbol: full where it is open, hollow and dashed where it is planned."""
    fill, dark, symbol = style["fill"], style.get("dark", style["fill"]), str(style.get("symbol", ""))
    hollow = bool(style.get("hollow"))
    dash = f' stroke-dasharray="{r * 0.55:.1f} {r * 0.3:.1f}"' if hollow else ""
    out = (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r * 1.18:.1f}" fill="#fff"/><circle cx="{x:.1f}" cy="{y:.1f}" r="{r:g}" '
        f'fill="{"#ffffff" if hollow else fill}" stroke="{dark}" stroke-width="{r * (0.24 if hollow else 0.12):.1f}"{dash}/>'
    )
    if not symbol or r < 5:
        return out
    size = r * (1.25 if len(symbol) == 1 else 0.9)
    return out + _words(x, y, symbol, size, dark if hollow else _ink_on(fill), "middle", 600)


def _words(
    x: float, y: float, text: str, size: float, colour: str, anchor: str = "start", weight: int = 400, *, halo: bool = False,
    turn: float = 0.0, spacing: float = 0.0, italic: bool = False,
) -> str:  # fmt: skip
    """Return a text whose middle height lies at y."""
    more = _attributes(
        text_anchor=None if anchor == "start" else anchor, font_weight=None if weight == 400 else weight,
        font_style="italic" if italic else None, letter_spacing=f"{spacing:g}" if spacing else None,
        transform=f"rotate({turn:.1f} {x:.1f} {y:.1f})" if abs(turn) > 0.05 else None,
    )  # fmt: skip
    rim = f' class="{_OWN}halo"' if halo else ""
    return f'<text x="{x:.1f}" y="{y + size * 0.36:.1f}" font-size="{size:g}" fill="{colour}"{more}{rim}>{_escape(text)}</text>'


def _span(text: str, size: float, spacing: float = 0.0) -> float:
    """Return about how wide a text is: a Chinese character is a square, a Latin one a little over half of it."""
    return sum(size if ord(c) > 0x2E7F else size * 0.56 for c in text) + spacing * max(len(text) - 1, 0)


def _wrap(text: str, size: float, width: float) -> list[str]:
    """Break a text into lines of at most `width`: anywhere between Chinese characters, at spaces in Latin text."""
    lines, line = [], ""
    for token in re.findall(r"[\x21-\x7e\u00a0-\u2e7f]+\s*|\s+|.", text):
        if line and token not in "，。；、：）》”" and _span((line + token).rstrip(), size) > width:
            carried = line[-1] if line[-1] in "（《“" else ""  # an opening bracket goes with what it opens
            lines.append(line[: len(line) - len(carried)].rstrip())
            line = carried + token.lstrip()
        else:
            line += token
    return [*lines, line] if line else lines


def _draw_points(scene: _Scene, off: set[str], view: _View) -> str:
    """Return point symbols: whole ones where there is room, dots where not."""
    radius = 6.5 if view.zoom < 13 else 8.0 if view.zoom < 14.5 else 9.5
    dots, icons = [], []
    for layer in scene.layers:
        if layer.shape != "P" or layer.id in off or layer.min_zoom > view.zoom or "mark" in layer.styles[0]:
            continue
        places = view.xy(shapely.get_coordinates(layer.geometry.array))
        for (x, y), j in zip(places, layer.pick, strict=True):
            style = layer.styles[j]
            r = float(style.get("size", radius))
            if not (-r < x < view.width + r and -r < y < view.height + r):
                continue
            box = (x - r, y - r, x + r, y + r)
            if style.get("keep") or view.free(box):
                view.taken.append(box)
                icons.append(_icon(x, y, r, style))
            else:
                dots.append(
                    f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius * 0.42:.1f}" fill="{style["fill"]}" stroke="#fff"/>'
                )
    return "".join([*dots, *reversed(icons)])


def _draw_labels(scene: _Scene, off: set[str], view: _View, first: bool) -> str:
    out: list[str] = []
    for label in scene.labels:
        if (label.kind in _FIRST_LABELS) is not first:
            continue
        hidden = label.layer in off or view.zoom < label.zoom or (label.until and view.zoom > label.until)
        if hidden or label.geometry is None or label.geometry.is_empty:
            continue
        style = _style()["labels"][label.kind]
        if label.geometry.geom_type == "Point":
            out.append(_point_label(label, style, view))
        else:
            out.append(_line_label(label, style, view))
    return "".join(out)


def _point_label(label: _Label, style: Mapping[str, Any], view: _View) -> str:
    size, spacing = float(style["size"]), 0.0 if label.text.isascii() else float(style.get("spacing", 0))
    x0, y0 = view.xy(shapely.get_coordinates(label.geometry))[0]
    w, h, d = _span(label.text, size, spacing), size * 1.2, label.away
    tries = [
        (0.0, 0.0),
        (0, -h),
        (0, h),
        (-w * 0.4, 0),
        (w * 0.4, 0),
        (0, -2 * h),
        (0, 2 * h),
        (-w * 0.5, -h),
        (w * 0.5, h),
    ]
    if d:
        tries = [(w / 2 + d, 0.0), (-w / 2 - d, 0.0), (0.0, -h / 2 - d), (0.0, h / 2 + d)]
    for dx, dy in tries:
        x, y = x0 + dx, y0 + dy
        box = (x - w / 2 - 2, y - h / 2 - 1, x + w / 2 + 2, y + h / 2 + 1)
        if view.free(box):
            view.taken.append(box)
            dot = (
                f'<circle cx="{x0:.1f}" cy="{y0:.1f}" r="2" fill="{_style()["place"]["line"]}"/>'
                if d and label.kind == "place"
                else ""
            )
            return dot + _words(
                x, y, label.text, size, style["colour"], "middle", style["weight"], halo=True, spacing=spacing,
                italic=bool(style.get("italic")),
            )  # fmt: skip
    return ""


def _line_label(label: _Label, style: Mapping[str, Any], view: _View) -> str:
    """Return a name along its line: characters turned with a flat line, upright under each other on a steep one."""
    size, plain = float(style["size"]), label.text.isascii()
    chars = [label.text] if plain else list(label.text)
    wide = [_span(c, size) + (0.0 if plain else float(style.get("spacing", 0))) for c in chars]
    length = sum(wide)
    west, south, east, north = view.box
    seen = shapely.line_merge(shapely.clip_by_rect(label.geometry, west, south, east, north))
    parts = sorted(shapely.get_parts(seen), key=lambda p: -p.length)[:3]
    for part in parts:
        total = part.length * view.scale
        if part.geom_type != "LineString" or total < length * 1.25:
            continue
        line = shapely.LineString(view.xy(shapely.get_coordinates(part)))
        for share in (0.5, 0.35, 0.65, 0.22, 0.78):
            start = total * share - length / 2
            if start < 0 or start + length > total:
                continue
            drawn = _along(line, start, length, wide, chars, size, style, view, plain)
            if drawn:
                return drawn
    return ""


def _along(
    line: Any, start: float, length: float, wide: Sequence[float], chars: Sequence[str], size: float, style: Mapping[str, Any],
    view: _View, plain: bool,
) -> str:  # fmt: skip
    (ax, ay), (bx, by) = (shapely.get_coordinates(line.interpolate(s))[0] for s in (start, start + length))
    if math.hypot(bx - ax, by - ay) < length * 0.93:
        return ""
    steep = abs(by - ay) > abs(bx - ax)
    back = by < ay if steep and not plain else bx < ax
    turn = math.degrees(math.atan2(by - ay, bx - ax)) + (180 if back else 0) - (90 if steep and not plain else 0)
    turn = (turn + 180) % 360 - 180
    ahead = np.cumsum(wide) - np.asarray(wide) / 2
    at = start + (length - ahead if back else ahead)
    places = [shapely.get_coordinates(line.interpolate(s))[0] for s in at]
    half = size * 0.62
    spots = (
        places
        if not plain
        else [shapely.get_coordinates(line.interpolate(start + length * t))[0] for t in (0.1, 0.3, 0.5, 0.7, 0.9)]
    )
    reach = half if not plain else max(half, length * 0.1)
    boxes = [(float(x - reach), float(y - half), float(x + reach), float(y + half)) for x, y in spots]
    if not all(view.free(b) for b in boxes):
        return ""
    view.taken.extend(boxes)
    return "".join(
        _words(x, y, c, size, style["colour"], "middle", style["weight"], halo=True, turn=turn)
        for c, (x, y) in zip(chars, places, strict=True)
    )


def _picture_rule(view: _View, letter: str) -> str:
    """Return scale bar and north arrow."""
    limit = 200 / view.scale
    power = 10 ** math.floor(math.log10(limit))
    metres = next(m * power for m in (5, 3, 2, 1) if m * power <= limit)
    length, y = metres * view.scale, view.height - 18
    out = [
        f'<rect x="12" y="{y - 24:.1f}" width="{length + 70:.1f}" height="36" rx="2" fill="#fffdf9" fill-opacity=".88"/>'
    ]
    out.append(f'<rect x="26" y="{y:.1f}" width="{length:.1f}" height="5" fill="#fff" stroke="#2b3138"/>')
    out.append(f'<rect x="26" y="{y:.1f}" width="{length / 2:.1f}" height="5" fill="#2b3138"/>')
    for i, m in enumerate((0, metres / 2, metres)):
        text = "0" if m == 0 else f"{m / 1000:g} km" if m >= 1000 else f"{m:g} m"
        out.append(_words(26 + length * i / 2, y - 9, text, 11, "#2b3138", "middle"))
    x = view.width - 34
    out.append(f'<g transform="translate({x:.1f} 40)"><circle r="31" cy="4" fill="#fffdf9" fill-opacity=".85"/><path d="M0-23 9 13 0 7Z" fill="#2b3138"/>'
               f'<path d="M0-23-9 13 0 7Z" fill="#fff" stroke="#2b3138"/>{_words(0, 24, letter, 13, "#2b3138", "middle", 700)}</g>')  # fmt: skip
    return "".join(out)


def _key(style: Mapping[str, Any], shape: str, x: float, y: float, hatches: _Hatches) -> str:
    """Return a legend key 26 x 15 whose middle height lies at y."""
    if shape == "P":
        return f'<rect x="{x + 9:g}" y="{y - 4:g}" width="8" height="8" fill="#fff" stroke="{style["line"]}" stroke-width="1.4"/>' \
            if style.get("mark") == "gate" else _icon(x + 13, y, 8.5, style)  # fmt: skip
    if shape == "L":
        width = min(6.0, max(1.2, _width_at(style.get("width", 1), 15)))
        lines = []
        if "casing" in style:
            lines.append((style["casing"], width + min(float(style.get("extra", 1.8)), 6.0), ()))
        lines.append((style["line"], width, style.get("dash", ())))
        return "".join(
            f'<path d="M{x:g} {y:g}h26" fill="none" stroke="{_colour(c)[0]}" stroke-width="{w:g}" stroke-opacity="{_colour(c)[1]:g}"'
            + (f' stroke-dasharray="{" ".join(f"{d:g}" for d in dash)}"' if dash else "") + "/>"
            for c, w, dash in lines
        )  # fmt: skip
    if "hatch" in style:
        paint = f' fill="{hatches.use(style["fill"], style["hatch"])[:-1]}s)"'
    else:
        paint = _fill(style["fill"], float(style.get("opacity", 1))) if "fill" in style else ' fill="none"'
    dash = f' stroke-dasharray="{" ".join(f"{d:g}" for d in style["dash"])}"' if style.get("dash") else ""
    width = style.get("width", 1)
    line = (
        f' stroke="{_colour(style["line"])[0]}" stroke-width="{min(width if isinstance(width, int | float) else 1, 2):g}"{dash}'
        if "line" in style
        else ""
    )
    return f'<rect x="{x:g}" y="{y - 7:g}" width="26" height="14"{paint}{line}/>'


class _Column:
    """The column beside the map, filled from the top; what does not fit is left out."""

    width = 326.0

    def __init__(self, hatches: _Hatches) -> None:
        self.left = _FRAME[0] + _FRAME[2] + 22
        self.y, self.bottom = _FRAME[1] + 8, _FRAME[1] + _FRAME[3]
        self.hatches, self.parts = hatches, list[str]()

    def text(self, words: str, size: float, colour: str = "#2b3138", weight: int = 400, gap: float = 1.45) -> None:
        """Write a text in as many lines as it needs."""
        for line in _wrap(words, size, self.width):
            if self.y + size > self.bottom:
                return
            self.parts.append(_words(self.left, self.y + size * 0.5, line, size, colour, "start", weight))
            self.y += size * gap

    def row(self, key: Sequence[Any], label: str, count: str = "", x: float = 0.0, width: float = 0.0) -> None:
        """Write a legend entry; the caller moves on to the next line."""
        wide = width or self.width
        self.parts.append(_key(key[0], key[1], self.left + x, self.y + 9, self.hatches))
        lines = _wrap(label, 13.5, wide - 36 - (_span(count, 12) + 8 if count else 0)) or [""]
        name = lines[0] + ("…" if len(lines) > 1 else "")
        self.parts.append(_words(self.left + x + 34, self.y + 9, name, 13.5, "#2b3138"))
        if count:
            self.parts.append(_words(self.left + x + wide, self.y + 9, count, 12, "#626a72", "end"))

    def rows(self, entries: Sequence[tuple[Sequence[Any], str, str]]) -> None:
        """Write legend entries one below the other, or in two columns where there are many."""
        two = len(entries) > 7
        for i, (key, label, count) in enumerate(entries):
            if self.y > self.bottom - 17:
                return
            half = self.width / 2
            self.row(key, label, "" if two else count, (half + 6) * (i % 2) if two else 0.0, half - 6 if two else 0.0)
            if not two or i % 2 or i == len(entries) - 1:
                self.y += 21 if two else 23


def _legend(scene: _Scene, theme: _Theme | None, mode: _Mode | None, off: set[str], hatches: _Hatches) -> str:
    """Return the column beside the map: the headline, the classes, who misses out, facilities and base map."""
    t, column = _texts(scene.lang), _Column(hatches)
    if theme is not None and mode is not None:
        _legend_theme(column, theme, mode, scene.lang)
    groups = _legend_groups(scene, theme, off)
    gaps = next((x for x in scene.layers if x.id == "gaps"), None)
    if gaps is not None:
        # The legend comes after the list and must stay whole.
        below = sum(30 + (math.ceil(len(e) / 2) * 21 if len(e) > 7 else len(e) * 23) for _, e in groups)
        column.text(t["gaps"], 14.5, weight=700)
        for i, gap in enumerate(gaps.extra["list"]):
            need = 20 + 17.4 * len(_wrap(gap["why"], 12, column.width))
            if column.y + need > column.bottom - below - 25:
                column.text(t["more"].format(n=len(gaps.extra["list"]) - i), 12, "#626a72")
                break
            column.text(f"{i + 1}  {gap['name']}  {gap['people']}", 13.5, "#b02040", 600)
            column.text(gap["why"], 12, "#626a72")
        column.y += 8
    for label, entries in groups:
        column.text(label, 14.5, weight=700)
        column.rows(entries)
        column.y += 8
    return "".join(column.parts)


def _legend_theme(column: _Column, theme: _Theme, mode: _Mode, lang: str) -> None:
    t = _texts(lang)
    for fact in theme.facts:
        column.text(fact["big"], 34, "#0b4f5c", 700, 1.25)
        column.text(fact["text"], 14.5)
        column.text(fact.get("tag", ""), 13, "#a4471b", 600)
    for note in theme.notes:
        column.text(note, 12.5, "#626a72")
    column.y += 8
    column.text(mode.title, 13, "#626a72", 600)
    for style, count, words in zip(mode.styles, mode.counts, mode.texts, strict=True):
        if count or not style.get("skip"):
            column.row((style, "A"), style["label"], words)
            column.y += 23
    if theme.missing:
        column.y += 4
        names = _join([name for name, _ in theme.missing], lang)
        column.text(t["missing"] + ("：" if lang == "zh" else ": ") + names, 13.5, "#a4471b", 600)
    column.y += 10


def _legend_groups(
    scene: _Scene, theme: _Theme | None, off: set[str]
) -> list[tuple[str, list[tuple[Sequence[Any], str, str]]]]:
    """Return the legend's groups with what is shown: (key, label, count), no label twice."""
    groups = []
    for group in scene.groups:
        entries: dict[str, tuple[Sequence[Any], str, str]] = {}
        for row in group["rows"]:
            # What the theme colours is explained above.
            if set(row["ids"]) <= off or (theme is not None and row["ids"] == [theme.layer]):
                continue
            if "key" in row:
                entries.setdefault(row["label"], (row["key"], row["label"], row.get("count", "")))
            for key in row.get("keys", ()):
                entries.setdefault(key[0]["label"], (key, key[0]["label"], ""))
        if entries:
            groups.append((group["label"], list(entries.values())))
    return groups


def _watermark(text: str) -> str:
    out, step = [], _span(text, 26) + 190
    for j in range(6):
        for i in range(-1, int(_FRAME[2] / step) + 2):
            x, y = round(180 + step * i + (step / 2 if j % 2 else 0)), round(90 + step * 0.46 * j)
            out.append(f'<text x="{x}" y="{y}" transform="rotate(-22 {x} {y})">{_escape(text)}</text>')
    return (
        f'<g font-size="26" font-weight="700" fill="#78283c" fill-opacity=".10" text-anchor="middle">{"".join(out)}</g>'
    )


def _sheet(scene: _Scene) -> str:
    """Return the whole picture."""
    theme = scene.themes[scene.first] if scene.themes else None
    mode = theme.modes[theme.start] if theme else None
    off = set(scene.off)
    if theme is not None:
        off |= set(_off_for(scene.layers, theme)) | ({"presence"} if theme.layer != "presence" else set())
    view, hatches, body = _View(scene), _Hatches(), []
    for layer in scene.layers:
        if layer.id in off or layer.shape not in ("A", "L"):
            continue
        if layer.id == "veil":
            outer = shapely.box(*view.box).difference(shapely.union_all(layer.geometry.array))
            body.append(
                f'<path d="{_path([outer], view)}" fill-rule="evenodd"{_fill(_style()["paper"], _style()["veil_opacity"])}/>'
            )
            continue
        themed = theme is not None and mode is not None and layer.id == theme.layer
        styles, pick = (mode.styles, mode.pick) if themed and mode is not None else (layer.styles, layer.pick)
        body.append(_draw_layer(layer, styles, pick, view, hatches))
    names = _draw_labels(scene, off, view, True)
    points = _draw_points(scene, off, view)
    labels = names + _draw_labels(scene, off, view, False)
    column = _legend(scene, theme, mode, off, hatches)
    left, top, width, height = _FRAME
    title = theme.title if theme is not None else scene.title
    head = [_words(left, 34, title, 28, "#2b3138", "start", 700)]
    x = _SHEET[0] - 24
    for kind, words in reversed(scene.badges):
        wide = _span(words, 14) + 18
        x -= wide
        dark = kind == "demo"
        head.append(
            f'<rect x="{x:.1f}" y="20" width="{wide:.1f}" height="26" rx="2" stroke="#8a3b52" fill="{"#8a3b52" if dark else "none"}"/>'
        )
        head.append(_words(x + wide / 2, 33, words, 14, "#fff" if dark else "#8a3b52", "middle", 600))
        x -= 10
    lines = theme.lines if theme is not None else scene.lines
    head.append(_words(left, 68, "　".join(lines), 14, "#626a72"))
    head.append(f'<path d="M{left} 84H{_SHEET[0] - 24}" stroke="#8a3b52" stroke-width="2.5"/>')
    evidence = theme.evidence if theme is not None else scene.evidence
    foot, y = [], top + height + 18
    for i, line in enumerate(
        [*_wrap("　".join(scene.foot), 12.5, _SHEET[0] - 48), *_wrap(evidence, 12.5, _SHEET[0] - 48)]
    ):
        foot.append(_words(left, y + 17 * i, line, 12.5, "#626a72"))
    mark = _watermark(scene.mark) if scene.mark else ""
    frame = f'<rect x="{left}" y="{top}" width="{width}" height="{height}"'
    drawn = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_SHEET[0]:g} {_SHEET[1]:g}" role="img" font-family="{_FONT}" '
        f'xml:lang="{_texts(scene.lang)["html_lang"]}"><title>{_escape(title)}</title>'
        f'<defs><clipPath id="{_OWN}frame"><rect width="{width:g}" height="{height:g}"/></clipPath>{hatches.defs()}</defs>'
        f"<style>.{_OWN}halo{{paint-order:stroke;stroke:#fffdf8;stroke-width:3px;stroke-linejoin:round;stroke-opacity:.9}}</style>"
        f'<rect width="{_SHEET[0]:g}" height="{_SHEET[1]:g}" fill="#fffdf9"/>{"".join(head)}{frame} fill="{_style()["paper"]}"/>'
        f'<g transform="translate({left:g} {top:g})" clip-path="url(#{_OWN}frame)"><g transform="scale(.1)">{"".join(body)}</g>'
        f'{mark}{points}{labels}{_picture_rule(view, _texts(scene.lang)["north"])}</g>{frame} fill="none" stroke="#555"/>'
        f"{column}{''.join(foot)}</svg>"
    )
    # Several pictures may stand in one page: names inside each are its own, and the same for the same picture.
    return drawn.replace(_OWN, f"m{hashlib.sha256(drawn.encode()).hexdigest()[:10]}-")


def picture(
    district: Any,
    cover: pd.DataFrame | None = None,
    rings: gpd.GeoDataFrame | None = None,
    *,
    rule: str | Rule | None = None,
    gaps: gpd.GeoDataFrame | None = None,
    values: pd.Series | None = None,
    unit: str = "",
    show: str = "minutes",
    title: str | None = None,
    lang: str = "zh",
) -> str:
    """
    Draw the same map as `draw` as an SVG picture without any script, for a brief or a page.

    Where `cover` holds several rules and none is asked for, the picture shows the first. Parameters as in `draw`.

    Returns
    -------
    svg
        One SVG element, sized by its viewBox; it refers to no font, file or address.
    """
    return _sheet(
        _scene(
            district, cover, rings, rule=rule, gaps=gaps, values=values, unit=unit, show=show, title=title, lang=lang
        )
    )
