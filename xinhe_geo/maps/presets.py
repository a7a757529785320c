"""Maps that have a name: the present state, completeness, all gaps, renewal parcels, and one per rule; each computes what it needs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from ..access import completeness, coverage, gaps, headlines
from ..core import Rule
from ..district import District, place_title
from .basemap import Layer, points_of
from .leading_rules import Analysed, leading_rules, promised_among, rings_of
from .scene import Scene, reasons_of, scene_of
from .style import (
    Edition,
    cell_text,
    floats_of,
    house_style,
    joined,
    layer_of,
    role,
    rule_label,
    texts_of,
    wording,
    words_of,
)
from .themes import Mode, Subject, class_text, land_text, two_tones, walker_text

#: Maps that are not of one rule.
OVERVIEW, COMPLETENESS, GAPS, PARCELS = "overview", "completeness", "gaps", "parcels"


def themes(district: District, lang: str = "zh") -> pd.Series:
    """
    List the maps that have a name.

    Returns
    -------
    titles
        Index: what to ask `sheet` and `map` for ("overview", "completeness", "gaps", "parcels", the names of the district's
        rules); values: 图名.
    """
    t, rules = wording(lang), district.rules
    fixed = {
        OVERVIEW: t["overview_plan" if district.manifest.get("scenario") else "overview"],
        COMPLETENESS: t["sheet_completeness"],
        GAPS: t["sheet_gaps" if district.has_own_goals else "sheet_gaps_reference"],
        PARCELS: t["sheet_parcels"],
    }
    own = {name: rule_label(district, district.rule(name), lang) for name in rules.index}
    return pd.Series({**fixed, **own}, name="title", dtype="str")


def scene_for(
    district: District,
    what: str,
    *,
    show: str = "minutes",
    results: Analysed | None = None,
    lang: str = "zh",
    fewer_than: int = 0,
) -> Scene:
    """Return what a theme shows; see `theme_pages`, and `shown_count` for `fewer_than`."""
    edition = Edition(lang, fewer_than)
    plain = Subject(
        show=show, title=f"{place_title(district, lang)}{'' if lang == 'zh' else ' · '}{themes(district, lang)[what]}"
    )
    if what == OVERVIEW:
        return scene_of(district, plain, edition)
    if what == COMPLETENESS:
        table = completeness(district) if results is None else results.completeness
        subject = replace(plain, values=table["completeness"] if len(table) else None)
        scene = scene_of(district, subject, edition)
        return replace(
            scene, themes=[replace(theme, lines=_completeness_lines(district, lang)) for theme in scene.themes]
        )
    if what == GAPS:
        return _of_gaps(district, plain, results, edition)
    if what == PARCELS:
        return _of_parcels(district, scene_of(district, plain, edition), results, edition)
    rule = district.rule(what)
    cover = coverage(district, rules=[what]) if results is None else results.cover
    missing = _gaps_of(district, cover, rule, results)
    rings = rings_of(district, rule)
    if rings is not None and lang == "en":
        rings["profile"] = cell_text(district.profiles, rule.profile, "label_en") or rule.profile
    title = f"{place_title(district, lang)} · {rule_label(district, rule, lang)}"
    return scene_of(district, Subject(cover, rings, what, missing, show=show, title=title), edition)


#: Around a parcel a map shows so much of its own size, and so many metres at least.
_AROUND, _AROUND_M = 0.5, 120.0


def parcel_scene(district: District, parcel: str, lang: str = "zh", kinds: Collection[str] = ()) -> Scene:
    """
    Return a map of one parcel at a scale that shows it, with what surrounds it.

    Parameters
    ----------
    parcel
        Its id; one that a plan has divided is all its parts.
    kinds
        The kinds of facilities that are shown: those that a plan opens or closes.
    """
    area = district.layers["parcels"].loc[list(district.parts_of("parcels", parcel))]
    name = texts_of(area, "name")[0] or parcel
    scene = ground_scene(district, lang, kinds)
    west, south, east, north = map(float, area.total_bounds)
    edge = max(_AROUND * max(east - west, north - south), _AROUND_M)
    bounds = (west - edge, south - edge, east + edge, north + edge)
    layers = _with_outline(list(scene.layers), area.geometry, name, 2.6)
    title = f"{place_title(district, lang)} · {name}"
    return replace(scene, title=title, layers=layers, bounds=bounds)


def ground_scene(district: District, lang: str = "zh", kinds: Collection[str] = ()) -> Scene:
    """Return a map of what is on the ground and facilities of some kinds, beyond the district too: others put onto it what they are about."""
    scene = _without_facilities(scene_for(district, OVERVIEW, lang=lang), kinds)
    return replace(scene, layers=[x for x in scene.layers if x.id != "veil"], themes=[])


def community_scene(district: District, code: str, scene: Scene) -> Scene:
    """
    Return a map of one community: its homes by completeness, each class with how many of its own people it has.

    Parameters
    ----------
    code
        Of the community.
    scene
        That of the whole district (`scene_for` of `COMPLETENESS`), made once for all of them.
    """
    lang = scene.lang
    t = wording(lang)
    area = district.layers["communities"].loc[[code]]
    name, kinds = texts_of(area, "name")[0] or code, district.kinds
    shown = tuple(kinds.index[kinds["essential"].eq(True) | kinds["lead"].isin(["community", "circle"])])
    layers = [replace(x, geometry=area.geometry) if x.id == "veil" else x for x in scene.layers]
    title = f"{place_title(district, lang)} · {name}"
    lines = [
        t["community_method"],
        t["community_who"].format(w=walker_text(district, "adult", lang)),
        t["community_middle"],
    ]
    themes = [
        replace(
            theme,
            title=title,
            lines=lines,
            modes=[_own_mode(theme.modes[0], district, code, lang)],
            kinds=shown,
            notes=[],
            facts=[],
        )
        for theme in scene.themes[:1]
    ]
    west, south, east, north = map(float, area.total_bounds)
    return replace(
        scene,
        title=title,
        lines=lines,
        layers=_with_outline(layers, area.geometry, name, 2.4),
        bounds=(west, south, east, north),
        themes=themes,
        off=[x for x in scene.off if x != "gates"],
        labels=[x for x in scene.labels if x.kind != "zone" and (x.kind, x.text) != ("community", name)],
    )


def _with_outline(layers: list[Layer], shapes: gpd.GeoSeries, name: str, width: float) -> list[Layer]:
    """Return layers with an outline above the ground and below the points."""
    look = {**house_style()["bounds"]["district"], "label": name, "width": width}
    ground = max((i for i, x in enumerate(layers, 1) if x.shape in ("A", "L")), default=0)
    return [*layers[:ground], Layer("own", name, "A", shapes, [look], np.zeros(1, dtype="int64")), *layers[ground:]]


def _own_mode(mode: Mode, district: District, code: str, lang: str) -> Mode:
    """Return a mode that counts the community's own homes only."""
    homes = district.layers["homes"]
    own = (district.groups["community"].reindex(homes.index) == code).to_numpy()
    # `pick` is in the order of the homes that have a shape
    there = (~(homes.geometry.isna() | homes.geometry.is_empty)).to_numpy()
    mine = own[there]
    people = homes["people"].to_numpy(dtype="float64", na_value=np.nan)[there]
    classes = [people[mine & (mode.pick == j)] for j in range(len(mode.styles))]
    title = wording(lang)["homes_by_completeness"]
    return replace(
        mode, title=title, counts=[len(c) for c in classes], texts=[class_text(c, "people", lang) for c in classes]
    )


def _completeness_lines(district: District, lang: str) -> list[str]:
    """Return how completeness is counted; 15 minutes of an adult is what `completeness` takes by itself."""
    t = wording(lang)
    return [
        t["line_method"].format(v=t["method_walk_min"]),
        t["line_who"].format(v=walker_text(district, "adult", lang)),
        t["line_limit"].format(v=t["up_to"].format(b=15, u=t["min"])),
        t["line_denominator"].format(v=t["den_people"]),
    ]


def _gaps_of(district: District, cover: pd.DataFrame, rule: Rule, results: Analysed | None) -> gpd.GeoDataFrame | None:
    if results is not None:
        table = results.gap_tables.get(rule.name)
    else:
        known = len(cover) and headlines(district, cover)["value"].notna().get(rule.name, False)
        table = gaps(district, cover, rule.name) if known else None
    return table if table is not None and len(table) else None


def _promises(district: District, cover: pd.DataFrame, results: Analysed | None) -> list[str]:
    """Return what is promised and has a value here, in the order of what leads."""
    lead = headlines(district, cover) if results is None else results.headlines
    order = leading_rules(district, lead) if results is None else results.order
    promised = promised_among(district, order)
    return [r for r in order if r in promised and pd.notna(lead.loc[r, "value"])]


def _promised_gaps(district: District, cover: pd.DataFrame, results: Analysed | None) -> dict[str, gpd.GeoDataFrame]:
    """Return the gaps of each promise that is not kept for all, with their reasons."""
    own = {} if results is None else results.gap_tables
    tables = {r: own[r] if r in own else gaps(district, cover, r) for r in _promises(district, cover, results)}
    return {r: table for r, table in tables.items() if len(table) and "reason" in table.columns}


def misses_any(district: District, results: Analysed) -> bool:
    """Return whether `worst_gaps` finds any home."""
    return len(results.cover) > 0 and bool(_promised_gaps(district, results.cover, results))


def worst_gaps(district: District, results: Analysed | None = None, lang: str = "zh") -> gpd.GeoDataFrame | None:
    """
    List the homes that miss something promised, each once: the one order of who is worst off.

    First those that cannot walk to something (`walked`), each with its largest such gap, most people first; then those whose
    community only has none of something. Everything that names who misses most follows it.

    Returns
    -------
    homes
        Index home; columns of `gaps`, and `rule`, `lacks` (what is missing), `walked`, `missed` (of how many promises), `others` (the
        rest of them, by name), `why` (the reason after what is missing, and how many more are). None without any gap.
    """
    cover = coverage(district) if results is None else results.cover
    if not len(cover):
        return None
    t, order = wording(lang), promised_among(district, _promises(district, cover, results))
    said = results is not None and results.lang == lang  # in this language already
    parts = [
        table.assign(
            rule=rule,
            lacks=rule_label(district, district.rule(rule), lang),
            walked=district.rule(rule).metric == "reach",
            rank=order.index(rule),
            told=table["reason"] if said else reasons_of(district, table, lang),
        )
        for rule, table in _promised_gaps(district, cover, results).items()
    ]
    if not parts:
        return None
    every = pd.concat(parts)
    lacks = every.groupby(level=0)["lacks"].agg(list)
    every["key"] = every.index
    every = every.sort_values(
        ["walked", "unserved", "share_unserved", "rank", "key"],
        ascending=[False, False, False, True, True],
        kind="stable",
        na_position="last",
    ).drop(columns=["rank", "key"])
    worst = every[~every.index.duplicated()]
    others = [tuple(x for x in lacks[home] if x != own) for home, own in worst["lacks"].items()]
    tail = [t["also_lacks"].format(n=len(more)) if more else "" for more in others]
    why = [f"{t['because'].format(w=w, r=r)}{x}" for w, r, x in zip(worst["lacks"], worst["told"], tail, strict=True)]
    worst = worst.assign(missed=[len(more) + 1 for more in others], others=others, why=why).drop(columns="told")
    return gpd.GeoDataFrame(worst, geometry="geometry", crs=district.crs)


def _of_gaps(district: District, plain: Subject, results: Analysed | None, edition: Edition) -> Scene:
    """Return the homes by how many promises they miss, the worst of them numbered with their reason."""
    worst = worst_gaps(district, results, edition.lang)
    if worst is None:
        return _without_facilities(scene_of(district, plain, edition))
    t, homes = wording(edition.lang), district.layers["homes"]
    counts = worst["missed"].reindex(homes.index).fillna(0.0).rename("gaps_counted")
    scene = scene_of(
        district, replace(plain, gaps=worst.assign(reason=worst["why"]), values=counts, unit=t["promise"]), edition
    )
    cover = coverage(district) if results is None else results.cover
    lines = [t["promises_asked"].format(n=len(_promises(district, cover, results)))]
    fact = {
        "big": t["count"].format(n=edition.count(len(worst))),
        "text": t["gaps_fact"].format(n=edition.count(len(homes))),
        **({"tag": t["demo_value"]} if scene.mark else {}),
    }
    themes = [replace(theme, lines=lines, facts=[fact]) for theme in scene.themes]
    layers = [replace(x, label=t["gaps_first"]) if x.id == "gaps" else x for x in scene.layers if x.id != "gaps-a"]
    return replace(scene, themes=themes, layers=layers)


def _without_facilities(scene: Scene, but: Collection[str] = ()) -> Scene:
    """Return a scene whose facilities are switched off, but those of some kinds."""
    kinds = [x.id for x in scene.layers if x.id.startswith("k-")]
    shown = {f"k-{kind}" for kind in but}
    off = [layer for layer in scene.off if layer not in shown]
    return replace(scene, off=[*off, *(kind for kind in kinds if kind not in shown)])


def front_scene(district: District, rule: str, results: Analysed, sites: Sequence[Site], lang: str = "zh") -> Scene:
    """
    Return the one map of a first page: homes within reach and not, the five that miss most with their numbers, where something new would stand.

    Parameters
    ----------
    sites
        Letter, and metres in the plane of the district, of each place where something new would stand.
    """
    worst = worst_gaps(district, results, lang)
    first = None if worst is None else worst.head(FRONT_GAPS).assign(reason=worst["why"].head(FRONT_GAPS))
    t = wording(lang)
    scene = _two_toned(
        district, (district.rule(rule), results.cover), first, _site_layers(sites, district.crs, t["sites"]), lang
    )
    layers = [replace(x, label=t["five_gaps"]) if x.id == "gaps" else x for x in scene.layers]
    return replace(scene, layers=layers)


def openings_scene(
    district: District, rule: Rule, cover: pd.DataFrame, openings: gpd.GeoSeries, lang: str = "zh"
) -> Scene:
    """
    Return the map of openings: homes within reach and not, and where a gate, crossing, bridge or way would be opened.

    Parameters
    ----------
    rule, cover
        What is judged, and result of `coverage` for it.
    openings
        Lines and points by the names they have on the page.
    """
    t, crs = wording(lang), district.crs
    flat = shapely.get_dimensions(openings.array) == 1
    lines, middles = openings[flat], openings.copy()
    middles[flat] = lines.interpolate(0.5, normalized=True)
    look = {"line": role("gain"), "width": 5, "casing": "#ffffff", "label": t["openings"]}
    extra = [Layer("opened", t["openings"], "L", lines, [look], np.zeros(len(lines), "int64"))] if len(lines) else []
    marks = [(str(name), float(p.x), float(p.y)) for name, p in middles.items()]
    return _two_toned(district, (rule, cover), None, [*extra, *_site_layers(marks, crs, t["openings"])], lang)


def _two_toned(
    district: District,
    judged: tuple[Rule, pd.DataFrame],
    first: gpd.GeoDataFrame | None,
    extra: Sequence[Layer],
    lang: str,
) -> Scene:
    """Return a map of homes within reach of a rule and not, with what lies over it and the gaps that have numbers."""
    (own, cover), edition = judged, Edition(lang)
    title = f"{place_title(district, lang)} · {rule_label(district, own, lang)}"
    scene = scene_of(district, Subject(cover, None, own, first, title=title), edition, extra=extra)
    homes = layer_of(district, "homes")
    if homes is None or not scene.themes:
        return scene
    mode = two_tones(own, cover, homes, edition)
    themes = [replace(theme, layer="homes", modes=[mode], start=0) for theme in scene.themes[:1]]
    return replace(
        scene, themes=themes, first=0, layers=[x for x in scene.layers if x.id not in ("presence", "gaps-a")]
    )


#: A letter, and where it stands.
Site = tuple[str, float, float]
#: So many gaps carry a number on a first page.
FRONT_GAPS = 5


def _site_layers(sites: Sequence[Site], crs: str, label: str) -> list[Layer]:
    """Return the layer of places with their letters; none where there are none."""
    if not sites:
        return []
    points = gpd.GeoSeries(shapely.points([(x, y) for _, x, y in sites]), crs=crs)
    styles = [{"fill": role("gain"), "symbol": tag, "size": 11, "keep": True, "label": label} for tag, _, _ in sites]
    return [Layer("sites", label, "P", points, styles, np.arange(len(sites)))]


# --- renewal parcels ---------------------------------------------------------------------------------------------------


def _of_parcels(district: District, scene: Scene, results: Analysed | None, edition: Edition) -> Scene:
    """Return the present state with the parcels in front: what each is, who lives on it, and which promises they miss."""
    layer, parcels = next((x for x in scene.layers if x.id == "parcels"), None), layer_of(district, "parcels")
    if layer is None or parcels is None:
        return _without_facilities(scene)
    lang = edition.lang
    t, land = wording(lang), parcels.geometry.area
    sizes: list[str | None] = [land_text(m2, lang) for m2 in land]
    look = {**layer.styles[0], **house_style()["parcel_first"]}
    for row in (r for group in scene.groups for r in group["rows"] if r["ids"] == [layer.id]):
        row["key"] = [look, layer.shape]
    texts = _parcel_texts(district, parcels, results, edition)
    table: list[tuple[str, list[str | None]]] = [(t["land"], sizes), (t["parcel_what"], list(texts))]
    listed = [
        {"name": name or str(i), "people": size, "why": why}
        for i, name, size, why in zip(parcels.index, texts_of(parcels, "name"), sizes, texts, strict=True)
    ]
    first = replace(layer, styles=[look], table=table, extra={**layer.extra, "list": listed})
    layers = [first if x is layer else x for x in scene.layers]
    lines = [t["n_parcels"].format(n=len(parcels)), land_text(land.sum(), lang)]
    west, south, east, north = parcels.total_bounds
    edge = 0.25 * max(east - west, north - south)
    bounds = (float(west - edge), float(south - edge), float(east + edge), float(north + edge))
    labels = [replace(x, zoom=0.0, rank=-1.0) if x.layer == "parcels" else x for x in scene.labels]
    labels = sorted(labels, key=lambda x: x.rank)
    return _without_facilities(replace(scene, layers=layers, lines=lines, bounds=bounds, labels=labels))


def _parcel_texts(
    district: District, parcels: gpd.GeoDataFrame, results: Analysed | None, edition: Edition
) -> list[str]:
    """Return per parcel its use, the homes and residents on it, and how many of them each promise does not serve."""
    lang = edition.lang
    t, uses, homes = wording(lang), words_of(parcels, "use", lang), layer_of(district, "homes")
    if homes is None:
        return [use or "" for use in uses]
    cover = coverage(district) if results is None else results.cover
    tables = _promised_gaps(district, cover, results) if len(cover) else {}
    spots = points_of(homes)
    texts = []
    for use, shape in zip(uses, parcels.geometry, strict=True):
        own = homes.index[shapely.intersects(shape, np.asarray(spots.array))]
        people = float(np.nansum(floats_of(homes.loc[own], "people")))
        counts = t["parcel_homes"].format(n=edition.count(len(own)), p=edition.count(people))
        missed = {r: float(table.reindex(own)["unserved"].sum()) for r, table in tables.items()}
        lacks = [
            t["parcel_missed"].format(w=rule_label(district, district.rule(r), lang), n=edition.count(n))
            for r, n in sorted(missed.items(), key=lambda item: (-item[1], item[0]))
            if n > 0
        ]
        parts = [
            use,
            counts if len(own) else t["parcel_empty"],
            t["parcel_lacks"].format(w=joined(lacks, lang)) if lacks else "",
        ]
        texts.append(t["semicolon"].join(x for x in parts if x))
    return texts
