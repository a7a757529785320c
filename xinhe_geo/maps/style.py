"""The house style of every map: colours, wording, numbers as text, and what the data rest on."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, SupportsFloat

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from ..core import (
    DEMONSTRATION,
    Rule,
    UnknownNameError,
    agreeing,
    amount,
    by_cells,
    counted,
    crs_label,
    renamed,
    speaking,
    strictest,
    suppressed,
    web_file,
    word,
)
from ..district import District, credit_of, rule_name

#: Stands before names of a picture's own until the picture is complete; no text can hold it.
OWN = "\ue000"


@cache
def house_style() -> dict[str, Any]:
    """Return colours, widths and sizes of `web/style.json`."""
    return dict(json.loads(web_file("maps/style.json")))


def role(name: str) -> str:
    """Return the colour of a meaning: "problem", "fine", "gain", "lose", "unknown", "doubtful", "ink"."""
    colour: str = house_style()["roles"][name]
    return colour


def luminance(colour: str) -> float:
    """Return how much light a colour (#rrggbb) gives, from 0 to 1 (WCAG 2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, from 1 to 21 (WCAG 2)."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


#: What letters need on what they stand on.
READABLE = 4.5


def ink_on(colour: str) -> str:
    """Return the ink that can be read on a colour: dark or white, and black where neither is enough."""
    return next((ink for ink in ("#1f2429", "#ffffff") if contrast(ink, colour) >= READABLE), "#000000")


def wording(lang: str) -> dict[str, str]:
    """Return what maps say in a language (`web/texts.json`), with homes named as what they are in the district."""
    return _wording(lang, by_cells())


@cache
def _wording(lang: str, cells: bool) -> dict[str, str]:
    """Return the texts of maps; `cells` says for which of the two names of homes they are kept."""
    known = json.loads(web_file("maps/texts.json"))
    if lang not in known:
        raise UnknownNameError("语言", lang, list(known))
    return {key: _Spoken(renamed(text)) if isinstance(text, str) else text for key, text in known[lang].items()}


class _Spoken(str):
    """A text of maps, whose words agree with the numbers it is given."""

    __slots__ = ()

    def format(self, *values: object, **named: object) -> str:
        return renamed(agreeing(self, *values, **named)).format(*values, **named)


# --- words -----------------------------------------------------------------------------------------------------------


def is_blank(value: object) -> bool:
    """Whether a value is unknown."""
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value))


def text_of(value: object) -> str | None:
    """Return a value as text; None where it is unknown."""
    if isinstance(value, str):  # most are
        return str(value)
    if is_blank(value):
        return None
    if isinstance(value, float | np.floating):
        if not math.isfinite(float(value)):
            return None
        return f"{float(value):g}"
    return str(value)


def number_text(value: SupportsFloat | str | None, unit: str = "", digits: int = 0) -> str | None:
    """Return a number with thousands separators and its unit; None where it is unknown."""
    try:
        number = float(value)  # type: ignore[arg-type]  # what is unknown is none, or NaN
    except (TypeError, ValueError):
        return text_of(value)
    if not math.isfinite(number):
        return None
    said = amount(number, digits)
    return f"{said} {counted(number if digits else said == '1', unit)}" if unit else said


def shown_count(count: float | None, unit: str, lang: str, fewer_than: int = 0) -> str | None:
    """
    Return a count of people or homes as text; None where it is unknown.

    With `fewer_than`, counts below it only say so, and all others are rounded to tens: what is hidden cannot be worked out
    from a total that stands beside it.
    """
    if not fewer_than or count is None or is_blank(count) or not math.isfinite(float(count)):
        return number_text(count, unit)
    shown = suppressed(pd.Series([float(count)]), fewer_than=fewer_than).iloc[0]
    if is_blank(shown):
        return wording(lang)["fewer"].format(n=fewer_than) + (f" {unit}" if unit else "")
    return number_text(math.floor(float(shown) / 10 + 0.5) * 10, unit)


@dataclass(frozen=True)
class Edition:
    """For whom a map is made: the language it speaks, and below which number no count of people or homes is said (`shown_count`)."""

    lang: str = "zh"
    fewer_than: int = 0

    def count(self, count: float | None, unit: str = "") -> str | None:
        """Return a count of people or homes as this edition says it."""
        return shown_count(count, unit, self.lang, self.fewer_than)


def column_of(frame: pd.DataFrame, name: str) -> pd.Series:
    """Return a column, or a column of missing values where the frame has none."""
    return frame[name] if name in frame.columns else pd.Series(np.nan, index=frame.index, dtype="object")


def texts_of(frame: pd.DataFrame, name: str) -> list[str | None]:
    """Return a column as texts, None where unknown."""
    return [text_of(v) for v in column_of(frame, name).tolist()]


def words_of(frame: pd.DataFrame, name: str, lang: str) -> list[str | None]:
    """Return a column of categories as texts in a language, None where unknown."""
    with speaking(lang):
        return [text and word(text) for text in texts_of(frame, name)]


def numbers_of(frame: pd.DataFrame, name: str, unit: str = "", digits: int = 0) -> list[str | None]:
    """Return a column as numbers with their unit, None where unknown."""
    return [number_text(v, unit, digits) for v in column_of(frame, name).tolist()]


def floats_of(frame: pd.DataFrame, name: str) -> np.ndarray:
    """Return a column as floats, NaN where unknown or absent."""
    column = column_of(frame, name)
    numbers = column if column.dtype == np.float64 else pd.to_numeric(column, errors="coerce")
    return np.asarray(numbers.to_numpy(dtype="float64", na_value=np.nan))


def joined(parts: Iterable[str], lang: str) -> str:
    """Return words joined as the language joins them."""
    return wording(lang)["join"].join(parts)


def cell_text(table: pd.DataFrame, key: object, name: str) -> str:
    """Return a table's cell as text, "" where there is none."""
    if key not in table.index or name not in table.columns:
        return ""
    return text_of(table.loc[key, name]) or ""


def kind_label(district: District, kind: str, lang: str) -> str:
    """Return what a kind is called; its code where the table does not know it."""
    label = kind_cell(district, kind, "label_en") if lang == "en" else ""
    return label or kind_cell(district, kind, "label") or kind


def kind_cell(district: District, kind: str, column: str) -> str:
    """Return what the table of kinds says of a kind, "" where nothing; read once, for each map asks for each kind."""
    key = ("kinds", column)
    if key not in district.memo:
        table = district.kinds
        district.memo[key] = dict(zip(table.index.tolist(), texts_of(table, column), strict=True))
    return district.memo[key].get(kind) or ""


def rule_label(district: District, rule: Rule, lang: str) -> str:
    """Return what a rule is called in a language."""
    with speaking(lang):
        return rule_name(district, rule)


# --- what the data rest on -------------------------------------------------------------------------------------------


def blank_shapes(frame: gpd.GeoDataFrame) -> np.ndarray:
    """Return which rows have nothing to draw. (geopandas' own `notna` warns as soon as a shape is empty.)"""
    shapes = np.asarray(frame.geometry.array)
    blank: np.ndarray = shapely.is_missing(shapes) | shapely.is_empty(shapes)
    return blank


def layer_of(district: District, name: str) -> gpd.GeoDataFrame | None:
    """Return a layer without features that have no place on a map; None where it is absent or empty."""
    if ("drawn", name) not in district.memo:
        frame = district.layers.get(name)
        there = np.empty(0, np.bool_) if frame is None else ~blank_shapes(frame)
        district.memo["drawn", name] = (
            None if frame is None or not there.any() else frame if there.all() else frame[there]
        )
    found: gpd.GeoDataFrame | None = district.memo["drawn", name]
    return found


#: What conclusions rest on: where one of these is schematic or synthetic, the whole map is a demonstration.
CORE = ("homes", "streets", "facilities", "communities")


def is_demonstration(district: District, names: Iterable[str]) -> bool:
    """Whether any row of these layers is schematic or synthetic."""
    return any(_demonstrates(district, n) for n in names if district.layers.get(n) is not None)


def _demonstrates(district: District, name: str) -> bool:
    key = ("demonstration", name)  # every map asks
    if key not in district.memo:
        district.memo[key] = bool(district.basis(name).isin(DEMONSTRATION).any())
    return bool(district.memo[key])


def evidence_line(district: District, kinds: Sequence[str], lang: str) -> str:
    """Return what the map rests on, in one line: how many facilities, homes and streets are schematic or synthetic."""
    t, memo = wording(lang), district.memo
    parts = []
    for name, noun, unit in (
        ("facilities", t["facility"], t["place"]),
        ("homes", t["home"], t["place"]),
        ("streets", t["street"], t["segment"]),
    ):
        frame = district.layers.get(name)
        if frame is None or len(frame) == 0:
            continue
        own = tuple(kinds) if name == "facilities" and "kind" in frame.columns else ()
        what = joined([kind_label(district, k, lang) for k in own], lang) if 1 <= len(own) <= 2 else noun
        key = ("weak rows of", name, own)  # a report says it of every map and of every row of the ledger
        if key not in memo:
            memo[key] = _weak_rows(district, name, own)
        count, weak, bases = memo[key]
        if weak:
            words = joined([t[f"basis_{b}"] for b in bases], lang)
            parts.append(t["of_which"].format(what=what, n=f"{count:,}", k=f"{weak:,}", unit=unit, b=words))
    return t["evidence"].format(e=t["semicolon"].join(parts) if parts else t["all_real"])


def _weak_rows(district: District, name: str, kinds: Sequence[str]) -> tuple[int, int, list[str]]:
    """Return how many rows a layer has (facilities of some kinds, where there are any), how many are schematic or synthetic, which."""
    frame = district.layers[name]
    basis = district.basis(name).reindex(frame.index).to_numpy(dtype=object)
    if kinds:
        basis = basis[frame["kind"].isin(list(kinds)).to_numpy()]
    weak = [own for own in basis.tolist() if own in DEMONSTRATION]
    return len(basis), len(weak), sorted(set(weak))


#: Layers whose outlines people take for borders.
_BORDERS = ("district", "zones", "areas", "communities", "parcels")


def foot_lines(district: District, lang: str) -> list[str]:
    """Return the lines every map must carry: years, CRS, source, borders, who made it."""
    t, manifest = wording(lang), district.manifest
    years = t["year"].format(y=district.year)
    if district.layers.get("communities") is not None and district.known_list_year is not None:
        years += t["semicolon"] + t["list_year"].format(y=district.known_list_year)
    with speaking(lang):
        credit = credit_of(district)
    entries = [e for e in dict(manifest.get("layers", {})).values() if isinstance(e, Mapping)]
    open_map = any(e.get("basis") == "osm" or "ODbL" in str(e.get("licence", "")) for e in entries)
    if open_map and "OpenStreetMap" not in credit:
        credit += ("；" if credit else "") + "© OpenStreetMap contributors, ODbL 1.0"
    lines = [years, t["crs"].format(crs=crs_label(district.crs, named=True))]
    lines += [t["credit"].format(c=credit)] if credit else []
    lines += [t["producer"].format(p=manifest["made_by"])] if manifest.get("made_by") else []
    drawn = [layer for layer in _BORDERS if layer in district.layers]
    schematic = any(district.basis(layer).isin(DEMONSTRATION).any() for layer in drawn)
    return [*lines, t["schematic_bounds" if schematic else "no_legal_bounds"]]


def badges_of(district: District, demonstration: bool, lang: str) -> list[tuple[str, str]]:
    """
    Return the marks beside the title: demonstration, and how the output is to be kept.

    Every output but the public edition carries coordinates or counts of homes and is internal, whatever its layers are; a layer
    that is marked as secret lends all of them its mark.
    """
    t = wording(lang)
    secret = strictest(district.manifest)
    badges = [("demo", t["demo"])] if demonstration else []
    return [*badges, ("", t["secret"].format(s=secret) if secret else t["internal"])]
