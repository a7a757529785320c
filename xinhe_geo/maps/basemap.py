"""The district's own layers as a base map, from the ground up, its facilities and homes as symbols, and its names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, TypeVar

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from ..core import MOVED, NOMINAL, STATE_LABELS, UNCHECKED, land_use_class, say, speaking
from ..district import District
from .style import (
    column_of,
    house_style,
    is_blank,
    kind_cell,
    kind_label,
    layer_of,
    number_text,
    numbers_of,
    text_of,
    texts_of,
    wording,
    words_of,
)

_HEX = re.compile(r"#[0-9a-fA-F]{6}\Z")
_GREY = "#6b7076"

_Part = TypeVar("_Part")


@dataclass(frozen=True)  # many maps share one
class Layer:
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
    written: dict[tuple[int, ...], str] = field(default_factory=dict, init=False, repr=False)


@dataclass(frozen=True)
class Label:
    """A name on the map: at a point, or along the line `geometry`; lower `rank` is placed first."""

    text: str
    kind: str
    geometry: shapely.Geometry
    zoom: float = 0.0
    rank: float = 0.0
    layer: str = ""
    away: float = 0.0
    until: float = 0.0
    #: The area that is named, where a name may move about in it.
    area: shapely.Geometry | None = None
    written: dict[tuple[int, ...], str] = field(default_factory=dict, init=False, repr=False)

    @property
    def first(self) -> bool:
        """Whether it is placed before the points: names of communities and zones, and what a map is about."""
        return self.kind in FIRST_LABELS or self.rank < 0


# --- the base map ----------------------------------------------------------------------------------------------------


def area_layer(
    frame: gpd.GeoDataFrame,
    id_: str,
    label: str,
    style: dict[str, Any] | Sequence[dict[str, Any]],
    *,
    pick: np.ndarray | None = None,
    shape: str = "A",
) -> Layer:
    """Return a layer of areas (or, with `shape`, lines) drawn in one style or in the picked ones; nothing is told of them yet."""
    styles = [style] if isinstance(style, dict) else list(style)
    return Layer(
        id_, label, shape, frame.geometry, styles, np.zeros(len(frame), dtype="int64") if pick is None else pick
    )


def is_area(frame: gpd.GeoDataFrame) -> np.ndarray:
    """Return which features are areas."""
    return np.asarray(shapely.get_dimensions(frame.geometry.array) == 2)


def made_once(
    district: District, name: str, lang: str, make: Callable[[District, str], Iterable[_Part]]
) -> list[_Part]:
    """
    Return a part of every map of a district, made once: a report draws dozens of maps over the same ground.

    Where a plan has left what is drawn as it was, it is that of the district before.
    """
    key = ("maps", name, lang)
    if key not in district.memo:
        origin = district.kin(_DRAWN_FROM[name]) if name in _DRAWN_FROM else None
        made = list(make(district, lang)) if origin is None else made_once(origin, name, lang, make)
        district.memo[key] = made
    return list(district.memo[key])


_GROUPS = ("communities", "zones", "areas", "grid")
#: The layers that parts of a map are drawn from.
_DRAWN_FROM = {
    "ground": ("landuse", "green", "water", "bare_ground", "micro_spaces"),
    "homes": ("homes", *_GROUPS),
    "roads": ("named_roads", "streets", "barriers"),
    "borders": ("district", *_GROUPS),
    "facilities": ("facilities", "own_facilities", "kinds"),
    "presence": ("communities",),
    "parcels": ("parcels",),
    "parcel lines": ("parcels",),
    "veil": ("district",),
    "places": ("places",),
}


def ground_layers(district: District, lang: str) -> Iterable[Layer]:
    """Yield what lies at the bottom: land use, green, water."""
    style, t = house_style(), wording(lang)
    land = layer_of(district, "landuse")
    if land is not None:
        uses = [text_of(u) or "" for u in column_of(land, "use")]
        classes = [land_use_class(u) for u in uses]
        present = sorted(set(classes))
        styles = [{**only(style["land"][c], "fill"), "label": style["land"][c][lang]} for c in present]
        pick = np.array([present.index(c) for c in classes], dtype="int64")
        yield area_layer(land, "landuse", t["landuse"], styles, pick=pick)
    for name in ("green", "water"):
        frame = layer_of(district, name)
        if frame is None:
            continue
        flat = is_area(frame)
        if flat.any():
            yield area_layer(frame[flat], name, t[name], style[name])
        if (~flat).any():
            yield area_layer(frame[~flat], f"{name}-line", t[name], style["waterline"], shape="L")
    for name, look in (("bare_ground", "bare"), ("micro_spaces", "micro")):
        frame = layer_of(district, name)
        if frame is not None and is_area(frame).any():
            frame = frame[is_area(frame)]
            layer = area_layer(frame, name, t[name], style[look])
            yield replace(layer, names=texts_of(frame, "name"), ask=True, find=True)


def only(style: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return these entries of a style."""
    return {n: style[n] for n in names if n in style}


def road_layers(district: District, lang: str) -> Iterable[Layer]:
    """Yield expressways and named roads, streets by class, and barriers."""
    style, t = house_style(), wording(lang)
    order = {c: i for i, entry in enumerate(style["roads"]) for c in entry["classes"]}
    looks = [{**entry, "label": entry[lang]} for entry in style["roads"]]
    for entry in looks:
        for key in ("classes", "zh", "en"):
            entry.pop(key, None)
    for name in ("named_roads", "streets"):
        frame = layer_of(district, name)
        if frame is None:
            continue
        classes = column_of(frame, "class").fillna("").astype(str)
        pick = classes.map(lambda c: order.get(c, order[""])).to_numpy(dtype="int64")
        if name == "named_roads":  # streets draw the rest; a named road that is walked is in both layers
            keep = (pick == len(looks) - 1) | (layer_of(district, "streets") is None)
            frame, pick = frame[keep], pick[keep]
            if not len(frame):
                continue
        yield area_layer(frame, name if name == "streets" else "roads", t["streets"], looks, pick=pick, shape="L")
    frame = layer_of(district, "barriers")
    if frame is not None:
        kinds = column_of(frame, "kind").fillna("").astype(str)
        names = list(style["barriers"])
        looks = [{**style_only(style["barriers"][k]), "label": style["barriers"][k][lang]} for k in names]
        pick = np.array([names.index(k) if k in names else len(names) - 1 for k in kinds], dtype="int64")
        yield area_layer(frame, "barriers", t["barriers"], looks, pick=pick, shape="L")


def style_only(style: Mapping[str, Any]) -> dict[str, Any]:
    """Return a style without its words and matching rules."""
    return {k: v for k, v in style.items() if k not in ("zh", "en", "classes", "match")}


def border_layers(district: District, lang: str) -> Iterable[Layer]:
    """Yield outlines of grid, communities, areas, zones and the district."""
    style, t = house_style(), wording(lang)
    for name in ("grid", "communities", "areas", "zones", "district"):
        frame = layer_of(district, name)
        if frame is None:
            continue
        look = style["bounds"][name]
        label = look[lang]
        table: list[tuple[str, list[str | None]]] = []
        if name == "communities":
            table = [(t["zone"], names_of(district, "zones", column_of(frame, "zone")))] if "zone" in frame else []
        layer = area_layer(frame, name, label, {**style_only(look), "label": label})
        yield replace(layer, names=texts_of(frame, "name"), table=table, find=name != "grid", one=label)


def names_of(district: District, layer: str, codes: pd.Series) -> list[str | None]:
    """Return the names behind codes; the code itself where the layer does not know it."""
    if ("names of", layer) not in district.memo:  # each map tells of each home which place is nearest
        frame = district.layers.get(layer)
        named = {} if frame is None else dict(zip(frame.index, texts_of(frame, "name"), strict=True))
        district.memo["names of", layer] = named
    known = district.memo["names of", layer]
    return [known.get(c) or text_of(c) for c in codes.tolist()]


def _home_table(district: District, homes: gpd.GeoDataFrame, lang: str) -> list[tuple[str, list[str | None]]]:
    t = wording(lang)
    table = [
        (t["people"], numbers_of(homes, "people", t["person"])),
        (t["people_60plus"], numbers_of(homes, "people_60plus", t["person"])),
        (t["households"], numbers_of(homes, "households", t["household"])),
    ]
    if district.layers.get("communities") is not None:
        codes = column_of(district.groups.reindex(homes.index), "community")
        table.append((t["community"], names_of(district, "communities", codes)))
    if "built" in homes.columns:
        table.append((t["built"], [v or "" for v in _numbers_plain(homes["built"])]))
    return [*table, (t["basis"], _basis_words(district, "homes", homes, lang))]


def _numbers_plain(values: pd.Series) -> list[str | None]:
    """Return whole numbers without separators (years)."""
    return [None if is_blank(v) else f"{int(v)}" for v in pd.to_numeric(values, errors="coerce").tolist()]


def _basis_words(district: District, layer: str, frame: gpd.GeoDataFrame, lang: str) -> list[str | None]:
    t = wording(lang)
    basis = district.basis(layer)
    found = basis.reindex(frame.index) if basis.index.is_unique else basis
    return [None if is_blank(b) else t.get(f"basis_{b}", str(b)) for b in found.tolist()]


#: How far a home known as a point is drawn around it, in metres, and the part of what a map shows that it is at least.
DISC_M, DISC_OF_MAP = 18.0, 1 / 300
#: How far below the middle of such a disc the name of the home sits, in radii.
BELOW_DISC = 2.0


def disc_radius(shapes: gpd.GeoSeries) -> float:
    """
    Return how far homes known as points are drawn around them, in metres.

    So far that they are seen on a map of all of them, a city's too; but not so far that most cover their neighbours.
    """
    spots = shapes.geometry.to_numpy()
    spots = spots[shapely.area(spots) == 0]
    near = shapely.STRtree(spots).query_nearest(spots, exclusive=True, all_matches=False, return_distance=True)[1]
    if not len(near):  # one spot at the most
        return DISC_M
    west, south, east, north = shapes.total_bounds
    return max(DISC_M, min(max(east - west, north - south) * DISC_OF_MAP, 0.5 * float(np.median(near))))


def homes_layer(district: District, lang: str) -> Iterable[Layer]:
    """Yield the homes, those known as points as small discs."""
    homes = layer_of(district, "homes")
    if homes is None:
        return
    shapes = homes.geometry
    if not is_area(homes).all():  # a home known only as a point is drawn as a small disc
        shapes = gpd.GeoSeries(
            np.where(is_area(homes), shapes.array, shapes.buffer(disc_radius(shapes), quad_segs=4).array),
            homes.index,
            crs=homes.crs,
        )
    t = wording(lang)
    yield Layer(
        "homes",
        t["home"],
        "A",
        shapes,
        [{**house_style()["home"], "label": t["home"]}],
        np.zeros(len(homes), dtype="int64"),
        texts_of(homes, "name"),
        _home_table(district, homes, lang),
        find=True,
        ask=True,
        one=t["home"],
    )


# --- points ----------------------------------------------------------------------------------------------------------


def points_of(frame: gpd.GeoDataFrame) -> gpd.GeoSeries:
    """Return one point per feature that lies on it."""
    inner = shapely.point_on_surface(frame.geometry.array)
    return gpd.GeoSeries(inner, index=frame.index, crs=frame.crs)


def facility_layers(district: District, lang: str) -> Iterable[Layer]:
    """Yield one layer of points per kind, in the order of the kinds table, and the outlines of large facilities."""
    frame = layer_of(district, "facilities")
    if frame is None:
        return
    kinds = column_of(frame, "kind").astype(str).to_numpy(object)
    present = set(kinds.tolist())
    known = [k for k in district.kinds.index if k in present]
    known += sorted(present - set(known))
    places, names, flat = points_of(frame), texts_of(frame, "name"), is_area(frame)
    states = column_of(frame, "state").fillna("open").astype(str)
    pick = states.map({"planned": 1, UNCHECKED: 1, "closed": 2, NOMINAL: 2, MOVED: 2}).fillna(0).to_numpy(dtype="int64")
    columns = _facility_columns(district, frame, lang)
    for kind in known:
        own = np.flatnonzero(kinds == kind)
        styles, label = point_styles(district, kind, lang), kind_label(district, kind, lang)
        table = _facility_table(columns, own, label, lang)
        if flat[own].any():
            look = {"fill": styles[0]["fill"], "opacity": 0.22}
            yield area_layer(frame.iloc[own[flat[own]]], f"k-{kind}-a", label, look)
        yield Layer(
            f"k-{kind}",
            label,
            "P",
            places.iloc[own],
            styles,
            pick[own],
            [names[i] for i in own],
            table,
            find=True,
            one=label,
        )


def point_styles(district: District, kind: str, lang: str) -> list[dict[str, Any]]:
    """Return the styles of open, planned and closed facilities of a kind."""
    colour = kind_cell(district, kind, "colour")
    colour = colour if _HEX.match(colour) else _GREY
    label = kind_label(district, kind, lang)
    symbol = kind_cell(district, kind, "symbol" if lang == "zh" else "symbol_en") or label
    symbol = symbol[: 2 if symbol.isascii() else 1]
    base: dict[str, Any] = {"fill": colour, "symbol": symbol, "dark": _dark(colour), "label": label}
    return [base, {**base, "hollow": True}, {**base, "fill": "#b9b6b1", "dark": "#8f8b85"}]


def _dark(colour: str) -> str:
    """Return a colour dark enough for a thin ring or a letter on white."""
    r, g, b = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    factor = min(1.0, 150 / max(0.299 * r + 0.587 * g + 0.114 * b, 1))
    return f"#{int(r * factor):02x}{int(g * factor):02x}{int(b * factor):02x}"


def _facility_columns(
    district: District, frame: gpd.GeoDataFrame, lang: str
) -> list[tuple[str, list[str | None], bool]]:
    """Return what is told of facilities beside their kind: label, words per row, whether it is told where no row has any."""
    t = wording(lang)
    with speaking(lang):
        called = {state: say(label) for state, label in STATE_LABELS.items()}
    states = [called.get(s, s) for s in column_of(frame, "state").fillna("open").astype(str).tolist()]
    years = _numbers_plain(column_of(frame, "since"))
    states = [
        s + (f"（{y}）" if y and lang == "zh" else f" ({y})" if y else "") for s, y in zip(states, years, strict=True)
    ]
    told: list[tuple[str, list[str | None], bool]] = [(t["state"], list(states), True)]
    if "capacity" in frame.columns:
        units = [u or "" for u in texts_of(frame, "capacity_unit")]
        size = [number_text(v, u) for v, u in zip(frame["capacity"], units, strict=True)]
        told.append((t["capacity"], size, False))
    if "floor_area_m2" in frame.columns:
        told.append((t["floor"], numbers_of(frame, "floor_area_m2", t["m2"]), False))
    told.append((t["basis"], _basis_words(district, "facilities", frame, lang), True))
    if "note" in frame.columns:
        told.append((t["note"], words_of(frame, "note", lang), False))
    return told


def _facility_table(
    columns: Sequence[tuple[str, list[str | None], bool]], own: np.ndarray, label: str, lang: str
) -> list[tuple[str, list[str | None]]]:
    """Return the table of the facilities of a kind, the rows `own`."""
    table: list[tuple[str, list[str | None]]] = [(wording(lang)["kind"], [label] * len(own))]
    for name, words, always in columns:
        texts = [words[i] for i in own.tolist()]
        if always:
            table.append((name, texts))
        elif any(text is not None for text in texts):
            table.append((name, [text or "" for text in texts]))
    return table


def small_points(district: District, lang: str) -> Iterable[Layer]:
    """Yield the gates."""
    gates = layer_of(district, "gates")
    if gates is not None:
        t = wording(lang)
        homes = names_of(district, "homes", column_of(gates, "home"))
        names = [n or h for n, h in zip(texts_of(gates, "name"), homes, strict=True)]
        states = [t.get(s, s) for s in column_of(gates, "state").fillna("open").astype(str)]
        yield Layer(
            "gates",
            t["gate"],
            "P",
            points_of(gates),
            [{**house_style()["gate"], "mark": "gate", "label": t["gate"]}],
            np.zeros(len(gates), dtype="int64"),
            names,
            [(t["home"], homes), (t["state"], list(states))],
            14.6,
        )


# --- labels ----------------------------------------------------------------------------------------------------------


#: Names that are placed before the symbols of facilities; all others give way to symbols.
FIRST_LABELS = ("district", "zone", "community", "ring")


def anchors(geometry: gpd.GeoSeries) -> np.ndarray:
    """Return for each feature the point where its name sits best: the middle of the widest part of an area."""
    shapes = np.asarray(geometry.array)
    points = shapely.point_on_surface(shapes)
    flat = shapely.get_dimensions(shapes) == 2
    if flat.any():
        points[flat] = [_widest(shape) for shape in shapely.to_wkb(shapes[flat])]
    return np.asarray(points)


@lru_cache(maxsize=4096)
def _widest(area: bytes) -> shapely.Geometry:
    """Return the middle of the widest part of an area, kept: what a plan leaves alone comes back on its maps."""
    return shapely.get_point(shapely.maximum_inscribed_circle(shapely.from_wkb(area), tolerance=4.0), 0)


def _below_discs(points: np.ndarray, homes: gpd.GeoDataFrame) -> np.ndarray:
    """Return where names of homes sit: those known as points have theirs below the disc, whose colour is what is looked for."""
    down = np.where(is_area(homes), 0.0, BELOW_DISC * disc_radius(homes.geometry))
    xy = shapely.get_coordinates(points)
    return np.asarray(shapely.points(xy[:, 0], xy[:, 1] - down))


def _area_labels(district: District, lang: str) -> Iterable[Label]:
    for name, kind, zoom, rank, until in (
        ("zones", "zone", 0.0, 0.0, 14.2),
        ("communities", "community", 12.6, 1.0, 0.0),
        ("areas", "area", 13.6, 4.0, 0.0),
        ("parcels", "parcel", 14.0, 3.5, 0.0),
        ("water", "water", 13.0, 3.0, 0.0),
        ("green", "place", 15.0, 6.0, 0.0),
        ("places", "place", 13.4, 5.0, 0.0),
        ("homes", "home", 15.6, 7.0, 0.0),
    ):
        frame = layer_of(district, name)
        if frame is None or "name" not in frame.columns:
            continue
        lines, points = shapely.get_dimensions(frame.geometry.array) == 1, anchors(frame.geometry)
        if name == "homes" and not is_area(frame).all():
            points = _below_discs(points, frame)
        shapes = np.asarray(frame.geometry.array)
        for text, point, line, shape in zip(texts_of(frame, "name"), points, lines, shapes, strict=True):
            if text:
                away = 5.0 if name == "places" else 0.0
                area = shape if kind in FIRST_LABELS else None
                yield Label(text, kind, shape if line else point, zoom, rank, name, 0 if line else away, until, area)


def _road_labels(district: District) -> Iterable[Label]:
    """Yield road names along their lines: each name once, on all its stretches, important roads first."""
    style = house_style()["roads"]
    order = {c: i for i, entry in enumerate(style) for c in entry["classes"]}
    zooms = [17.5, 17.5, 17.5, 15.4, 14.4, 13.4, 12.4, 11.5]
    merged: dict[str, list[shapely.Geometry]] = {}
    rank: dict[str, int] = {}
    for layer in ("named_roads", "streets"):
        frame = layer_of(district, layer)
        if frame is None or "name" not in frame.columns:
            continue
        seen = set(merged)
        for text, klass, shape in zip(
            texts_of(frame, "name"),
            column_of(frame, "class").fillna("").astype(str).tolist(),
            np.asarray(frame.geometry.array),
            strict=True,
        ):
            if text and text not in seen:
                merged.setdefault(text, []).append(shape)
                rank[text] = max(rank.get(text, 0), order.get(klass, order[""]))
    for text, shapes in merged.items():
        lines = shapely.line_merge(shapely.union_all(shapes)) if len(shapes) > 1 else shapes[0]
        yield Label(text, "road", lines, zooms[rank[text]], 10.0 - rank[text], "")
    frame = layer_of(district, "barriers")
    if frame is not None:
        for text, kind, shape in zip(
            texts_of(frame, "name"), column_of(frame, "kind").astype(str), frame.geometry, strict=True
        ):
            if text and kind == "railway" and text not in merged:
                yield Label(text, "rail", shape, 13.0, 4.5, "barriers")


def labels_of(district: District, lang: str) -> list[Label]:
    """Return all names of a district, each with where it lies and from which zoom."""
    found = [*_area_labels(district, lang), *_road_labels(district)]
    named = {label.text for label in found if label.layer == "places"}
    found = [label for label in found if label.layer != "green" or label.text not in named]
    points = layer_of(district, "facilities")
    if points is not None:
        kinds = column_of(points, "kind").astype(str).tolist()
        for text, kind, point in zip(texts_of(points, "name"), kinds, points_of(points), strict=True):
            if text:
                found.append(Label(text, "point", point, 15.8, 8.0, f"k-{kind}", 13.0))
    return found
