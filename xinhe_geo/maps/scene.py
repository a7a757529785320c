"""Everything a map shows, collected once: layers in drawing order, labels, themes, legend. Pages and pictures are made of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Any

import geopandas as gpd
import numpy as np
import shapely

from ..access import reasons
from ..core import UnknownNameError, amount, say, speaking
from ..district import District, place_title
from .basemap import (
    Label,
    Layer,
    area_layer,
    border_layers,
    facility_layers,
    ground_layers,
    homes_layer,
    is_area,
    labels_of,
    made_once,
    names_of,
    only,
    points_of,
    road_layers,
    small_points,
    style_only,
)
from .style import (
    CORE,
    Edition,
    badges_of,
    blank_shapes,
    column_of,
    evidence_line,
    floats_of,
    foot_lines,
    house_style,
    is_demonstration,
    layer_of,
    numbers_of,
    texts_of,
    wording,
    words_of,
)
from .themes import Mode, Subject, Theme, first_theme, ring_minutes, themes_of, values_theme

SHOWS = ("minutes", "straight")
#: West, south, east and north.
Bounds = tuple[float, float, float, float]


@dataclass
class Scene:
    """Everything a map shows, in the district's metric CRS."""

    lang: str
    title: str
    lines: list[str]
    badges: list[tuple[str, str]]
    foot: list[str]
    evidence: str
    mark: str
    crs: str
    bounds: Bounds
    whole: Bounds
    layers: list[Layer]
    labels: list[Label]
    themes: list[Theme]
    groups: list[dict[str, Any]]
    off: list[str]
    first: int
    manifest: Mapping[str, Any] = field(default_factory=dict)  # what may become a file is written there


#: So many gaps carry their number at once; the others are dots until one comes near, so that the colours below stay visible.
FIRST_GAPS, NEAR_ZOOM = 20, 15.0


# --- rings and gaps --------------------------------------------------------------------------------------------------


def _exterior(shape: shapely.Geometry) -> shapely.MultiLineString:
    """Return the outer lines of an area, without those of its holes."""
    parts = [p for p in shapely.get_parts(shape) if p.geom_type == "Polygon"]
    return shapely.MultiLineString([shapely.get_coordinates(shapely.get_exterior_ring(p)) for p in parts])


def _ring_layers(district: District, rings: gpd.GeoDataFrame, bare: bool, lang: str) -> tuple[list[Layer], list[Label]]:
    """
    Return a tint and an outline per ring, the nearer the finer dashed, with its minutes written on the line.

    `bare` leaves the lines around holes away: homes that are coloured by their own minutes say more, and more calmly.
    """
    t, look = wording(lang), house_style()["rings"]
    rings = rings.to_crs(district.crs) if rings.crs is not None else rings
    there = ~blank_shapes(rings)
    rings, minutes = rings[there], ring_minutes(rings)[there]
    metres = "metres" in rings.columns or "metres" in rings.index.names
    unit = t["m"] if metres else t["min"]
    walkers = (
        list(dict.fromkeys(column_of(rings, "profile").dropna().astype(str))) if "profile" in rings.columns else []
    )
    who = f" · {walkers[0]}" if len(walkers) == 1 else ""
    levels = sorted(set(minutes))
    styles = [
        {**style_only(look), "dash": look["dashes"][min(len(levels) - 1 - i, 2)], "label": f"{level:g} {unit}{who}"}
        for i, level in enumerate(levels)
    ]
    for style in styles:
        del style["dashes"], style["tint"]
    shapes = rings.geometry.simplify(2.0)
    pick = np.array([levels.index(m) for m in minutes], dtype="int64")
    layers: list[Layer] = []
    labels: list[Label] = []
    for i, style in enumerate(styles):
        own = shapes[pick == i]
        lines = own.map(_exterior) if bare else own.boundary
        name, zeros = f"rings-{i}", np.zeros(len(own), dtype="int64")
        layers.append(Layer(f"{name}-a", style["label"], "A", own, [{"fill": look["tint"]}], zeros))
        layers.append(Layer(name, style["label"], "L", lines, [style], zeros))
        labels += [Label(style["label"], "ring", line, 0, -5, name) for line in lines]
    return layers, labels


def _gap_layers(district: District, gaps: gpd.GeoDataFrame, edition: Edition) -> list[Layer]:
    """Return gap places, most people first (or as `worst_gaps` puts them), as numbered points with the reasons beside them."""
    t, look = wording(edition.lang), house_style()["gap"]
    gaps = gaps.to_crs(district.crs) if gaps.crs is not None else gaps
    there = ~blank_shapes(gaps)
    gaps = gaps[there]
    people = floats_of(gaps, "unserved" if "unserved" in gaps.columns else "people_unserved")
    elderly = "counted" in gaps.columns and bool((gaps["counted"] == "people_60plus").all())
    order = np.argsort(-np.where(np.isnan(people), -1.0, people), kind="stable")
    if "walked" in gaps.columns:  # `worst_gaps` has an order of its own
        order = np.arange(len(gaps))
    gaps, people = gaps.iloc[order], people[order]
    names = [n or str(i) for n, i in zip(texts_of(gaps, "name"), gaps.index, strict=True)]
    minutes = numbers_of(gaps, "minutes", t["min"], 1)
    reasons = [
        r or ""
        for r in (texts_of(gaps, "reason") if "lacks" in gaps.columns else reasons_of(district, gaps, edition.lang))
    ]
    communities = names_of(district, "communities", column_of(gaps, "community"))
    counts = [edition.count(p, t["person"]) for p in people]
    table: list[tuple[str, list[str | None]]] = [
        (t["unserved_60plus" if elderly else "unserved"], counts),
        (t["minutes"], minutes),
        (t["community"], communities),
        (t["reason"], list(reasons)),
    ]
    listing = [
        {"name": n, "people": p or t["unknown"], "why": " · ".join(x for x in (c, r or m) if x)}
        for n, p, c, m, r in zip(names, counts, communities, minutes, reasons, strict=True)
    ]
    styles: list[dict[str, Any]] = [
        {
            "fill": look["line"],
            "symbol": str(i + 1) if i < 99 else "",
            "size": 9,
            "keep": i < 10,
            "label": t["gaps"],
            **({"near": NEAR_ZOOM} if i >= FIRST_GAPS else {}),
        }
        for i in range(len(gaps))
    ]
    layers = []
    flat = is_area(gaps)
    if flat.any():
        edges = gaps[flat].set_geometry(gaps[flat].boundary)
        layers.append(area_layer(edges, "gaps-a", t["gaps"], only(look, "line", "width"), shape="L"))
    points = Layer("gaps", t["gaps"], "P", points_of(gaps), styles, np.arange(len(gaps)), list(names), table, find=True)
    points.extra["list"] = listing
    return [*layers, points]


def reasons_of(district: District, gaps: gpd.GeoDataFrame, lang: str) -> list[str | None]:
    """Return why each place is not served: what `gaps` says of it, in the language of the map."""
    if "nearest_straight_metres" not in gaps.columns:
        return texts_of(gaps, "reason")
    with speaking(lang):
        return list(reasons(district, gaps))


# --- the scene -------------------------------------------------------------------------------------------------------


def _fit(district: District, themes: Sequence[Theme], first_theme: int, subject: Subject) -> tuple[Bounds, Bounds]:
    """Return what the map shows first (where people live, for a theme) and the whole district; metric bounds."""
    rings = subject.rings
    whole = None
    for name in ("district", "zones", "communities", "homes", "streets", "facilities"):
        whole = _bounds(district, name)
        if whole is not None:
            break
    if whole is None:
        raise ValueError(say("没有可画的图层：至少要有街道界、小区、道路或设施之一"))
    first = whole
    if themes or subject.gaps is not None:
        focus = _bounds(district, "communities" if themes and themes[first_theme].layer == "presence" else "homes")
        first = whole if focus is None else focus
    if rings is not None and len(rings) and not rings.geometry.is_empty.all():
        found = (rings.to_crs(district.crs) if rings.crs is not None else rings).total_bounds
        first = np.concatenate([np.minimum(first[:2], found[:2]), np.maximum(first[2:], found[2:])])
    return _four(first), _four(whole)


def _bounds(district: District, name: str) -> np.ndarray | None:
    """Return the bounds of a layer, found once; None where it is absent or empty."""
    if ("bounds", name) not in district.memo:
        frame = layer_of(district, name)
        district.memo["bounds", name] = None if frame is None else frame.total_bounds
    found: np.ndarray | None = district.memo["bounds", name]
    return found


def _four(bounds: Iterable[float]) -> Bounds:
    west, south, east, north = (float(v) for v in bounds)
    return west, south, east, north


def scene_of(
    district: District, subject: Subject, edition: Edition, *, themes: Sequence[Theme] = (), extra: Sequence[Layer] = ()
) -> Scene:
    """
    Collect what a map shows: layers from the ground up, labels, themes, legend, and the words of the sheet.

    `themes` made elsewhere come instead of those of the subject's coverage; `extra` layers lie over the others of their shape.
    """
    lang, title, rings, gaps, values = edition.lang, subject.title, subject.rings, subject.gaps, subject.values
    t = wording(lang)
    if subject.show not in SHOWS:
        raise UnknownNameError("显示方式", subject.show, SHOWS)
    homes = layer_of(district, "homes")
    themes = list(themes) or themes_of(district, subject, edition)
    if values is not None and homes is not None:
        themes.insert(0, values_theme(district, values, subject, homes, edition))
    start = 0 if values is not None else first_theme(district, themes, rings)
    for theme in themes:
        if title:
            theme.title = title if len(themes) == 1 else f"{title} · {theme.label}"
    ring_layers: list[Layer] = []
    ring_labels: list[Label] = []
    if rings is not None and len(rings):
        ring_layers, ring_labels = _ring_layers(district, rings, any(theme.layer == "homes" for theme in themes), lang)
    gap_layers = _gap_layers(district, gaps, edition) if gaps is not None and len(gaps) else []
    layers = _stack(district, themes, ring_layers, [*gap_layers, *extra], lang)
    demonstration = is_demonstration(district, CORE)
    first, whole = _fit(district, themes, start, subject)
    name = title or f"{place_title(district, lang)} · " + (t["gaps"] if gap_layers else t["overview"])
    name = themes[start].title if themes else name
    labels = sorted([*ring_labels, *made_once(district, "labels", lang, labels_of)], key=attrgetter("rank"))
    return Scene(
        lang,
        name,
        _overview(district, edition),
        made_once(district, "badges", lang, _badges),
        made_once(district, "foot", lang, foot_lines),
        evidence_line(district, (), lang),
        t["demo"] if demonstration else "",
        district.crs,
        first,
        whole,
        layers,
        labels,
        themes,
        _groups(layers, lang),
        _start_off(district, layers, themes),
        start,
        district.manifest,
    )


def _badges(district: District, lang: str) -> list[tuple[str, str]]:
    return badges_of(district, is_demonstration(district, CORE), lang)


def with_layers_of(old: Scene, new: Scene) -> tuple[list[Layer], list[dict[str, Any]]]:
    """Return the layers and the legend of `new` with those that only `old` has: a switch for everything that is drawn."""
    known = {layer.id for layer in new.layers}
    missing = [layer for layer in old.layers if layer.id not in known]
    layers = [
        *new.layers,
        *(replace(x, geometry=x.geometry.iloc[:0], pick=x.pick[:0], names=None, table=[]) for x in missing),
    ]
    groups = []
    for group in new.groups:
        own = [row["ids"][0] for row in group["rows"]]
        more = [r for g in old.groups if g["id"] == group["id"] for r in g["rows"] if r["ids"][0] not in own]
        groups.append({**group, "rows": [*group["rows"], *more]})
    return layers, groups


def _overview(district: District, edition: Edition) -> list[str]:
    """Return what there is: homes, residents, facilities, communities."""
    t, lines = wording(edition.lang), []
    homes, facilities, communities = (layer_of(district, n) for n in ("homes", "facilities", "communities"))
    if homes is not None:
        lines.append(t["n_homes"].format(n=edition.count(len(homes))))
        people = floats_of(homes, "people")
        if not np.isnan(people).all():
            unknown = int(np.isnan(people).sum())
            more = t["of_them_unknown"].format(n=edition.count(unknown)) if unknown else ""
            lines.append(t["n_people"].format(n=edition.count(float(np.nansum(people)))) + more)
    if facilities is not None:
        lines.append(t["n_facilities"].format(n=f"{len(facilities):,}"))
    if communities is not None:
        lines.append(t["n_communities"].format(n=len(communities)))
    return lines


def _stack(
    district: District,
    themes: Sequence[Theme],
    rings: list[Layer],
    gaps: list[Layer],
    lang: str,
) -> list[Layer]:
    """Return all layers in drawing order, the lowest first."""
    layers = [*made_once(district, "ground", lang, ground_layers), *(r for r in rings if r.shape == "A")]
    layers += made_once(district, "homes", lang, homes_layer)
    if any(theme.layer == "presence" for theme in themes):
        layers += made_once(district, "presence", lang, _presence_layers)
    layers += made_once(district, "roads", lang, road_layers)
    # A tint would falsify the colours of the homes below.
    parcels = ("parcel lines", _parcel_lines) if themes else ("parcels", _parcels)
    layers += made_once(district, parcels[0], lang, parcels[1])
    layers += [
        *made_once(district, "veil", lang, _veil),
        *made_once(district, "borders", lang, border_layers),
        *(x for x in [*rings, *gaps] if x.shape == "L"),
        *(x for x in gaps if x.shape == "A"),
        *made_once(district, "places", lang, _places),
    ]
    layers += [g for g in gaps if g.shape == "P"]
    layers += made_once(district, "facilities", lang, facility_layers)
    return [*layers, *made_once(district, "small points", lang, small_points)]


def _presence_layers(district: District, lang: str) -> Iterable[Layer]:
    """Yield the communities, which say whether they have something."""
    frame, t = layer_of(district, "communities"), wording(lang)
    if frame is not None:
        blank = {**only(house_style()["presence"], "line", "width"), "label": ""}
        layer = area_layer(frame, "presence", t["community"], blank)
        yield replace(layer, names=texts_of(frame, "name"), ask=True, one=t["community"])


def _parcels(district: District, lang: str, *names: str) -> Iterable[Layer]:
    """Yield the parcels, drawn in what `names` say of their style; by default in all of it."""
    frame, t, style = layer_of(district, "parcels"), wording(lang), house_style()["parcel"]
    if frame is not None:
        look = {**(only(style, *names) if names else style), "label": t["parcels"]}
        uses = words_of(frame, "use", lang) if "use" in frame else []
        table = [(t["use"], list[str | None](v or "" for v in uses))] if uses else []
        layer = area_layer(frame, "parcels", t["parcels"], look)
        yield replace(layer, names=texts_of(frame, "name"), table=table, find=True, ask=True, one=t["parcels"])


def _parcel_lines(district: District, lang: str) -> Iterable[Layer]:
    return _parcels(district, lang, "line", "width", "dash")


def _veil(district: District, lang: str) -> Iterable[Layer]:
    """Yield what covers all that lies outside the district."""
    outline = layer_of(district, "district")
    if outline is not None:
        yield area_layer(outline, "veil", "", {"fill": house_style()["paper"]})


def _places(district: District, lang: str) -> Iterable[Layer]:
    """Yield the places that are found by their names, and not drawn."""
    frame, t = layer_of(district, "places"), wording(lang)
    if frame is not None:
        nowhere, pick = [{"fill": "none", "mark": "none"}], np.zeros(len(frame), dtype="int64")
        names = texts_of(frame, "name")
        yield Layer("places", t["places"], "N", points_of(frame), nowhere, pick, names, find=True, one=t["places"])


_START_OFF = ("grid", "bare_ground", "micro_spaces", "gates", "areas")


def _start_off(district: District, layers: Sequence[Layer], themes: Sequence[Theme]) -> list[str]:
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


def off_for(scene_layers: Sequence[Layer], theme: Theme) -> list[str]:
    """Return what a theme hides at first: facilities of other kinds, and areas that would compete with the colours."""
    keep = {f"k-{k}" for k in theme.kinds}
    others = [x.id for x in scene_layers if x.id.startswith("k-") and x.id.removesuffix("-a") not in keep]
    return others if theme.layer == "presence" else [*others, "presence"]


def hidden(scene: Scene) -> set[str]:
    """Return the ids of layers that are not shown: what the scene begins without, and what would compete with its theme."""
    off = set(scene.off)
    if scene.themes:
        off |= set(off_for(scene.layers, scene.themes[scene.first]))
    return off


def shown_mode(scene: Scene) -> tuple[Theme | None, Mode | None]:
    """Return the theme that is shown, and how it is coloured."""
    theme = scene.themes[scene.first] if scene.themes else None
    return theme, theme.modes[theme.start] if theme else None


def _groups(layers: Sequence[Layer], lang: str) -> list[dict[str, Any]]:
    """Return the legend: one row per layer that can be switched, with what its colours mean."""
    t = wording(lang)
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
        top.append({"ids": ids, "label": t["gaps"], "count": amount(len(by_id["gaps"].geometry))})
    if "changed" in by_id:
        top.append({"ids": ["changed"], "label": t["changed"], "count": amount(len(by_id["changed"].geometry))})
    for name, label in (("gone", t["homes_gone"]), ("zone", t["may_stand"])):
        if name in by_id:
            key = [_swatch(by_id[name].styles[0]), "A"]
            top.append({"ids": [name], "label": label, "count": amount(len(by_id[name].geometry)), "key": key})
    if top:
        groups.append({"id": "theme", "label": t["theme"], "open": True, "rows": top})
    kinds = [layer for layer in layers if layer.id.startswith("k-") and layer.shape == "P"]
    rows = [
        {
            "ids": [i for i in (k.id, f"{k.id}-a") if i in by_id],
            "label": re.split("[（(]", k.label)[0],
            "count": amount(len(k.geometry)),
            "key": [_swatch(k.styles[0]), "P"],
        }
        for k in kinds
    ]
    if rows:
        note = t["facility_state"] if any((k.pick > 0).any() for k in kinds) else ""
        groups.append({"id": "facilities", "label": t["facilities"], "open": True, "rows": rows, "note": note})
    base = [
        _base_row(by_id, ids)
        for ids in (
            ("district",),
            ("zones",),
            ("areas",),
            ("communities",),
            ("grid",),
            ("homes",),
            ("gates",),
            ("parcels",),
            ("streets", "roads"),
            ("barriers",),
            ("water", "water-line"),
            ("green",),
            ("landuse",),
            ("bare_ground",),
            ("micro_spaces",),
        )
        if ids[0] in by_id or (len(ids) > 1 and ids[1] in by_id)
    ]
    base.append({"ids": ["labels"], "label": t["labels"]})
    groups.append({"id": "base", "label": t["base"], "open": not rows or len(rows) < 12, "rows": base})
    return groups


def _base_row(by_id: Mapping[str, Layer], ids: Sequence[str]) -> dict[str, Any]:
    there = [i for i in ids if i in by_id]
    layer = by_id[there[0]]
    used = sorted({int(j) for i in there for j in np.unique(by_id[i].pick)}, reverse=layer.shape == "L")
    row: dict[str, Any] = {"ids": there, "label": layer.label}
    if len(layer.styles) == 1:
        row["key"] = [_swatch(layer.styles[0]), layer.shape]
    else:
        row["keys"] = [[_swatch(layer.styles[j]), layer.shape] for j in used if layer.styles[j].get("label")]
    return row


def _swatch(style: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in style.items() if k not in ("skip", "keep", "size")}
