"""
The live map of the meeting: `meeting.html`, one file that answers "what if?" without Python and without a network.

What Python knows goes in once: the walk network, the points that stand for homes and their doors, the facilities and theirs,
and the rules. The page (`web/meeting*.js`) runs the same search in float64. Therefore everything that a number depends on
travels as the very float64 values Python computes with; only what is merely drawn is rounded to whole centimetres.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely

from ..access import (
    EXACT,
    PLAN,
    TOLERANCE_MIN,
    basis_text,
    bound_of,
    corners_out,
    facility_entrances,
    home_entrances,
    home_points,
    rules_of,
    same_compound,
    without_stairs,
)
from ..core import (
    DENOMINATOR_LABELS,
    METHOD_LABELS,
    OF_PLAN,
    TOLERANCE_M,
    Profile,
    Rule,
    UnknownNameError,
    crs_label,
    language,
    named_by_homes,
    renewal_is_confirmed,
    say,
    web_file,
    whole_page,
)
from ..district import District, place_title, rule_name, to_degrees, walker_name
from .basemap import Label, Layer, border_layers, disc_radius, ground_layers, labels_of, point_styles, road_layers
from .city import NAMES_M, along_streets, drawn_streets, other_rows, smaller_homes, smaller_streets, travels, words
from .pack import Packed, block, packed
from .scripts import spoken_script
from .style import badges_of, blank_shapes, foot_lines, house_style, layer_of, role, wording

#: The sets of rules a meeting may choose from, and what they are called.
PRESETS: Mapping[str, str] = {PLAN: OF_PLAN, "td1063": "体检评估", "elderly": "老年人"}
DEMONSTRATION_TEXT = "演示数据：地名真实，边界、街道、设施和人口为示意或合成，不作任何结论"
#: What the page looks like; English words take more room.
STYLES = {"zh": ("maps/meeting.css",), "en": ("maps/meeting.css", "maps/meeting-en.css")}
#: Scripts in the order they build on each other.
SCRIPTS = tuple(f"maps/meeting{part}.js" for part in ("-engine", "-walk", "-map", "-sheet", ""))
#: Where the page has its proposed places: none, when it is made.
_SITES = '<script type="application/json" id="xh-sites">{}</script>'
#: A street this near to a walled compound is no place to put a facility: it would stand inside the wall.
WALL_M = 0.1
#: What is shown first is at least this wide and high (metres).
FIRST_M = 1000.0
#: And with it what is open so near to the homes (metres).
BESIDE_M = 300.0
#: Degree of the polynomials that turn metres into degrees: below a millimetre over a city.
DEGREE = 6
#: Outlines are drawn, not measured: this much detail is lost (metres).
SIMPLIFY_M = {"A": 0.4, "L": 0.3}
#: The lines that names are bent along lose more (metres).
NAME_M = 2.0


def preset_text(district: District, preset: str) -> str:
    """Return what a preset is called: 规划目标 only where the place has a plan of its own."""
    if PRESETS[preset] == OF_PLAN and not any(rule.of_plan for rule in rules_of(district, preset)):
        return say("参考指标")
    return say(PRESETS[preset])


@named_by_homes
def meeting(district: District) -> str:
    """
    Return `meeting.html`: the district as one self-contained page that computes coverage while facilities are dragged.

    Returns
    -------
    page
        HTML that loads and sends nothing; equal districts give equal texts.

    Raises
    ------
    DataError
        The district has no streets.
    """
    page = (
        "".join(web_file(name) for name in STYLES[language()]),
        block(_content(district), district.crs),
        "\n".join(spoken_script(web_file(name)) for name in SCRIPTS),
    )
    return _page(district, *page)


@named_by_homes
def too_many_to_meet(district: District) -> str:
    """Say that there are more homes and streets than the page is for, and what to do instead; nothing where there are not."""
    if _how(district) < 2:
        return ""
    homes, streets = (0 if frame is None else len(frame) for frame in (district.homes, district.streets))
    told = "没有写 meeting.html：{0:,} 个小区、{1:,} 条街道，一页会议活地图装不下（至多 5 MB）。用 python run.py split 按界线切分，为要讨论的那一片单独出报告"
    return say(told, homes, streets)


def _how(district: District) -> int:
    """Return how streets and homes travel (`city.travels`)."""
    if district.streets is None:
        return 0
    vertices = shapely.get_num_coordinates(np.asarray(district.streets.geometry.array))
    return travels(int(vertices.sum()), len(home_points(district)))


def with_sites(page: str, sites: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """
    Return the page with proposed places to choose from, which take longer to work out than the page itself.

    Parameters
    ----------
    page
        Result of `meeting`.
    sites
        Rule -> one plan per number of places: `places` (name, x and y of each), `zones` (per place the rings in which it may stand),
        `people` and `people_60plus` that gain, `short_of_proof`.
    """
    text = json.dumps(sites, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return page.replace(_SITES.format("{}"), _SITES.format(text), 1)


def _page(district: District, css: str, data: str, script: str) -> str:
    t = wording(language())
    policy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'"
    body = f"""<body data-old="{t["old"]}">
<noscript><p class="old">{t["script"]}</p></noscript>
<script type="text/plain" id="xh-data">{data}</script>
{_SITES.format("{}")}
<script>
{script}</script>"""
    return whole_page(say("{0} 选址推演", place_title(district)), f"\n{css}", body, policy=policy)


# --- what goes in ----------------------------------------------------------------------------------------------------


def _content(district: District) -> dict[str, Any]:
    """Return everything the page needs, as plain values and packed arrays."""
    west, south, east, north = frame_bounds(district)
    origin = np.floor(np.array([west, south]))
    rules = _rules(district)
    kinds = [k for k in district.kinds.index if any(k in rule["kinds"] for rule in rules)]
    outlines = {name: numbered_codes(district, name) for name in ("zones", "communities")}
    placed = _facilities(district, kinds, outlines["communities"])
    network, homes, placed = _exact_or_smaller(district, outlines, placed, origin)
    facilities, gates, smaller = district.facilities, district.gates, network["xy"] is None
    return {
        "name": district.name,
        "year": district.year,
        "list_year": district.known_list_year,
        "planned": district.with_planned,
        "demo": district.is_demonstration,
        "demo_text": say(DEMONSTRATION_TEXT) if district.is_demonstration else "",
        "badges": badges(district),
        "foot": [*foot_texts(district), *([words()] if smaller else [])],
        "crs": crs_label(district.crs),
        "scenario": str(district.manifest.get("scenario", "")),
        "tolerance": {"metres": TOLERANCE_M, "minutes": TOLERANCE_MIN},
        "methods": _said(METHOD_LABELS),
        "denominators": _said(DENOMINATOR_LABELS),
        "presets": [
            {"id": p, "label": preset_text(district, p)} for p in PRESETS if any(p in r["presets"] for r in rules)
        ],
        "rules": rules,
        "kinds": kind_rows(district, kinds),
        "profiles": profile_rows(district),
        "surveyed": sorted({*district.surveyed_kinds, *(() if facilities is None else facilities["kind"])}),
        "origin": origin.tolist(),
        "bounds": [west, south, east, north],
        "first": first_view(district),
        "degrees": degree_frame(district, (west, south, east, north)),
        "net": network,
        "walls": _walls(district),
        "gates": packed(np.empty(0) if gates is None else shapely.get_coordinates(gates.geometry.array).ravel(), "<f8"),
        "homes": homes,
        "zones": outlines["zones"],
        "communities": outlines["communities"],
        "community_areas": packed_areas(district),
        "facilities": placed,
        "prefix": id_prefix(district),
        "parcels": packed_parcels(district, origin),
        "base": packed_base(district, origin, NAMES_M if smaller else NAME_M),
        "style": looks(),
    }


def _exact_or_smaller(
    district: District,
    outlines: Mapping[str, Sequence[Mapping[str, str]]],
    facilities: dict[str, Any],
    origin: np.ndarray,
) -> tuple[dict[str, Any], ...]:
    """Return streets, homes and facilities: as float64, or those of a city as whole numbers."""
    if not _how(district):
        return packed_network(district), packed_homes(district, outlines, origin), facilities
    edges = district.network.edges
    net = packed_network(district, drawn_streets(edges, origin))
    homes = packed_homes(district, outlines, origin, drawn=False)
    if district.homes is not None and homes["id"]:
        homes, facilities = along_streets(homes, facilities)
        homes = smaller_homes(homes, disc_radius(district.homes.geometry), origin)
    return smaller_streets(net, shapely.length(np.asarray(edges.geometry.array)), origin), homes, facilities


def _said(labels: Mapping[str, str]) -> dict[str, str]:
    """Return labels in the language that is spoken."""
    return {key: say(label) for key, label in labels.items()}


def badges(district: District) -> list[list[str]]:
    """Return the marks of the page, those of every map."""
    return [list(badge) for badge in badges_of(district, district.is_demonstration, language())]


def foot_texts(district: District) -> list[str]:
    """Return the lines every map carries; this one shows the very coordinates it computes in."""
    lines = [line for line in foot_lines(district, language()) if not line.startswith(say("坐标系"))]
    return [*lines, say("坐标系：{0}", crs_label(district.crs, named=True))]


def _numbers(values: Iterable[float]) -> list[float | None]:
    """Return numbers as JSON has them, unknown ones as null."""
    return [None if pd.isna(v) else float(v) for v in values]


def names_or_ids(values: Iterable[object], keys: Iterable[object]) -> list[str]:
    """Return texts, the key where there is none."""
    return [str(key) if pd.isna(v) else str(v) for v, key in zip(values, keys, strict=True)]


def frame_bounds(district: District) -> tuple[float, float, float, float]:
    """Return west, south, east and north of what the map shows, in metres."""
    boxes = [
        f.total_bounds
        for n in ("district", "homes", "streets", "facilities")
        if (f := district.layers.get(n)) is not None and len(f)
    ]
    low, high = np.min([b[:2] for b in boxes], axis=0), np.max([b[2:] for b in boxes], axis=0)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def first_view(district: District) -> list[float]:
    """Return what is shown first: where people live, and what is open beside it, at least a kilometre of it."""
    homes, places = district.homes, district.open_facilities
    west, south, east, north = frame_bounds(district) if homes is None or homes.empty else homes.total_bounds
    if places is not None and len(places):
        xy = shapely.get_coordinates(shapely.point_on_surface(places.geometry.to_numpy()))
        near = ((xy >= (west - BESIDE_M, south - BESIDE_M)) & (xy <= (east + BESIDE_M, north + BESIDE_M))).all(axis=1)
        west, south = np.vstack([xy[near], (west, south)]).min(axis=0)
        east, north = np.vstack([xy[near], (east, north)]).max(axis=0)
    x, y = max(FIRST_M - (east - west), 0.0) / 2, max(FIRST_M - (north - south), 0.0) / 2
    return [float(v) for v in (west - x, south - y, east + x, north + y)]


def _rules(district: District) -> list[dict[str, Any]]:
    """Return the rules of the three sets: those that a text states which was read come first."""
    found: dict[str, tuple[Rule, list[str]]] = {}
    for preset in PRESETS:
        try:
            chosen = rules_of(district, preset)
        except UnknownNameError:
            continue
        for rule in chosen:
            found.setdefault(rule.name, (rule, []))[1].append(preset)
    rows = [
        {
            "id": rule.name,
            "presets": presets,
            "label": rule_name(district, rule),
            "kinds": list(rule.kinds),
            "metric": rule.metric,
            "method": rule.method,
            "metres": rule.metres,
            "minutes": rule.minutes,
            "profile": rule.profile,
            "denominator": rule.denominator,
            "promised": rule.of_plan
            or (rule.confidence == "read" and not (PLAN in presets and district.has_own_goals)),
            "standard": rule.cited if PLAN in presets and not rule.of_plan else rule.basis_text,
            # which of the plan's preset the plan itself says
            **({"heading": rule.heading} if PLAN in presets else {}),
            "evidence": basis_text(district, rule),
            # said where it is so: whoever a map shows no way for may have one
            **({} if bound_of(district, rule.kinds) == EXACT else {"mapped": True}),
        }
        for rule, presets in found.values()
    ]
    return sorted(rows, key=lambda row: not row["promised"])


def kind_rows(district: District, kinds: Sequence[str]) -> list[dict[str, Any]]:
    """Return what the page knows of each kind."""
    rows = []
    for kind in kinds:
        style = point_styles(district, kind, language())[0]
        rows.append(
            {
                "id": kind,
                "label": style["label"],
                "fill": style["fill"],
                "dark": style["dark"],
                "symbol": style["symbol"],
            }
        )
    return rows


def profile_rows(district: District) -> list[dict[str, Any]]:
    """Return what the page knows of each walker."""
    walkers = [district.profile(str(name)) for name in district.profiles.index]
    return [
        {"id": p.name, "label": walker_name(district, p), "speed": p.speed_m_s, "steps": p.steps, "waits": p.waits}
        for p in walkers
    ]


def numbered_codes(district: District, layer: str) -> list[dict[str, str]]:
    """Return id and name of the areas of a grouping layer, by id."""
    frame = district.layers.get(layer)
    if frame is None:
        return []
    frame = frame.sort_index()
    return [
        {"id": str(i), "name": n} for i, n in zip(frame.index, names_or_ids(frame["name"], frame.index), strict=True)
    ]


def _numbered(values: Iterable[object], codes: Sequence[Mapping[str, str]]) -> list[int]:
    """Return each code's place in `codes`, -1 for none."""
    place = {code["id"]: i for i, code in enumerate(codes)}
    return [-1 if pd.isna(v) else place.get(str(v), -1) for v in values]


# --- streets and walls -----------------------------------------------------------------------------------------------


def packed_network(district: District, edges: gpd.GeoDataFrame | None = None) -> dict[str, Any]:
    """Return the walk network: vertices of all edges (or of these, drawn otherwise) one after the other, and what each edge is."""
    edges = district.network.edges if edges is None else edges
    xy, part = shapely.get_coordinates(edges.geometry.array, return_index=True)
    classes = {c: i for i, entry in enumerate(house_style()["roads"]) for c in entry["classes"]}
    names = edges["name"].fillna("").astype(str) if "name" in edges else pd.Series("", index=edges.index)
    listed = sorted(set(names))
    look = edges["class"].fillna("").astype(str).map(lambda c: classes.get(c, classes[""]))
    return {
        "nodes": len(district.network.nodes),
        "xy": packed(xy, "<f8", "points"),
        "count": packed(np.bincount(part, minlength=len(edges)), "<u2"),
        "u": packed(edges["u"], "<i4", "steps"),
        "v": packed(edges["v"], "<i4", "steps"),
        "wait": packed(district.network.waits, "<f8"),
        "steps": packed(edges["steps"], "<u1"),
        "stairs": _level(district) is not None,
        "public": packed(edges["home"].isna(), "<u1"),
        "added": packed(district.network.added, "<i4", "steps"),
        "look": packed(look, "<u1"),
        "name": packed(names.map({name: i for i, name in enumerate(listed)}), "<u2"),
        "names": listed,
        "closed": packed(_in_compounds(district, edges), "<u1"),
    }


def _in_compounds(district: District, edges: gpd.GeoDataFrame) -> np.ndarray:
    """
    Return, per pair of following vertices of all edges, whether a facility put there could stand inside a wall.

    Such a facility would be entered through the compound's gates, which the page leaves to Python.
    """
    xy, part = shapely.get_coordinates(edges.geometry.array, return_index=True)
    closed = np.zeros(len(xy), dtype=bool)
    homes, gates = district.homes, district.gates
    if homes is None or gates is None or len(xy) < 2:
        return closed
    walled = homes[homes.index.isin(gates["home"]) & (homes.geom_type != "Point").to_numpy()]
    inner = np.flatnonzero(part[1:] == part[:-1])
    pieces = shapely.linestrings(np.stack([xy[inner], xy[inner + 1]], axis=1))
    tree = shapely.STRtree(pieces)
    hit = tree.query(shapely.buffer(np.asarray(walled.geometry.array), WALL_M), predicate="intersects")[1]
    closed[inner[hit]] = True
    return closed


def _walls(district: District) -> dict[str, Any]:
    """Return the barriers as float64 lines, and what each is called: a facility's way to its street never crosses one."""
    barriers = district.barriers
    lines, names = np.array([], dtype=object), list[str]()
    if barriers is not None:
        lines, row = shapely.get_parts(np.asarray(barriers.geometry.array), return_index=True)
        names = barriers["name"].fillna(barriers["kind"]).astype(str).iloc[row].tolist()
    xy, part = shapely.get_coordinates(lines, return_index=True)
    count = packed(np.bincount(part, minlength=len(lines)), "<u4")
    return {"xy": packed(xy, "<f8", "points"), "count": count, "name": names}


def _gate_numbers(district: District, gates: pd.Series) -> np.ndarray:
    """Return each gate's number in that order, -1 for none."""
    known = pd.Index([]) if district.gates is None else district.gates.index
    return np.where(gates.notna(), known.get_indexer(gates), -1)


def degree_frame(district: District, bounds: tuple[float, float, float, float]) -> dict[str, Any]:
    """Return polynomials from metres to longitude and latitude over the district and two kilometres around it."""
    west, south, east, north = bounds
    middle = np.array([(west + east) / 2, (south + north) / 2])
    half = float(max(east - west, north - south) / 2 + 2000.0)
    u, v = (a.ravel() for a in np.meshgrid(np.cos(np.linspace(0, np.pi, 15)), np.cos(np.linspace(0, np.pi, 15))))
    lon, lat = to_degrees(pyproj.CRS(district.crs)).transform(middle[0] + half * u, middle[1] + half * v)
    powers = [(i, j) for i in range(DEGREE + 1) for j in range(DEGREE + 1 - i)]
    terms = np.stack([u**i * v**j for i, j in powers], axis=1)
    found = np.linalg.lstsq(terms, np.stack([lon, lat], axis=1), rcond=None)[0]
    return {
        "middle": middle.tolist(),
        "half": half,
        "powers": powers,
        "lon": found[:, 0].tolist(),
        "lat": found[:, 1].tolist(),
    }


# --- homes and facilities --------------------------------------------------------------------------------------------


def packed_homes(
    district: District, outlines: Mapping[str, Sequence[Mapping[str, str]]], origin: np.ndarray, *, drawn: bool = True
) -> dict[str, Any]:
    """Return what the page knows of each home: people, groups, points and their ways out, and unless it is a disc its outline."""
    homes = district.homes
    if homes is None or homes.empty:
        empty: dict[str, Any] = {
            k: [] for k in ("id", "name", "people", "people_60plus", "area", "zone", "community", "shape")
        }
        return {
            **empty,
            "points": {"xy": "", "home": "", "weight": ""},
            "doors": {**dict.fromkeys(("point", "edge", "at", "access", "gate"), ""), "corners": []},
            "level": None,
        }
    points, groups = home_points(district), district.groups
    number = pd.Series(np.arange(len(homes)), index=homes.index)
    area = homes.geometry.area
    level, doors = _level(district), _packed_doors(district, None)
    ids, names = [str(i) for i in homes.index], names_or_ids(homes["name"], homes.index)
    return {
        "id": ids,
        "name": None if names == ids else names,
        "people": _numbers(homes["people"]),
        "people_60plus": _numbers(homes["people_60plus"]),
        "area": _numbers(area.where(area > 0)),
        "zone": _numbered(groups["zone"], outlines["zones"]),
        "community": _numbered(groups["community"], outlines["communities"]),
        "shape": _drawn(_shapes(homes), "A", origin) if drawn else None,
        "points": {
            "xy": packed(shapely.get_coordinates(np.asarray(points.geometry.array)), "<f8"),
            "home": packed(points["home"].map(number), "<i4", "steps"),
            "weight": packed(points["weight"], "<f8"),
        },
        "doors": doors,
        "level": None if level is None else other_rows(doors, _packed_doors(district, level)),
    }


def _shapes(homes: gpd.GeoDataFrame) -> gpd.GeoSeries:
    """Return the outlines of homes; a home known as a point is a disc."""
    outlines = homes.geometry
    return outlines.where(outlines.area > 0, outlines.buffer(disc_radius(outlines), quad_segs=4))


def _packed_doors(district: District, level: Profile | None) -> dict[str, Any]:
    doors, corners = home_entrances(district, level), corners_out(district, level)
    return {
        "point": packed(doors["place"], "<i4", "steps"),
        "edge": packed(doors["edge"], "<i4", "steps"),
        "at": packed(doors["at_m"], "<f8"),
        "access": packed(doors["access_m"], "<f8"),
        "gate": packed(_gate_numbers(district, doors["gate"]), "<i4", "steps"),
        "corners": [[row, np.round(xy, 2).tolist()] for row, xy in corners.items()],  # only drawn
    }


def _level(district: District) -> Profile | None:
    """Return a walker who takes no stairs, where there are some and somebody is like that."""
    walkers = (district.profile(str(name)) for name in district.profiles.index)
    return next((walker for walker in walkers if without_stairs(district, walker) is not None), None)


def shown_facilities(district: District, kinds: Sequence[str]) -> gpd.GeoDataFrame | None:
    """Return the facilities of the rules' kinds: those open in the year, and planned ones whatever their year."""
    rows, now = district.rows.get("facilities"), district.open_facilities
    if rows is None or now is None:
        return None
    planned = rows[(rows["state"] == "planned").to_numpy() & ~rows.index.isin(now.index)]
    frame = pd.concat([now.assign(state="open"), planned])
    frame = frame[frame["kind"].isin(kinds).to_numpy() & ~blank_shapes(frame)]
    return frame[~frame.index.duplicated()]


def _facilities(district: District, kinds: Sequence[str], communities: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    frame = shown_facilities(district, kinds)
    names = ("id", "name", "kind", "state", "community", "typed", "books", "basis")
    arrays = ("place", "edge", "at", "access", "x", "y", "gate")
    if frame is None or frame.empty:
        empty = {"place": "", "point": "", "metres": ""}
        return {**{n: [] for n in names}, "xy": "", "doors": dict.fromkeys(arrays, ""), "inside": empty, "level": None}
    level = _level(district)
    typed = pd.Series(np.nan, index=frame.index, dtype="object") if "community" not in frame else frame["community"]
    return {
        "id": [str(i) for i in frame.index],
        "name": names_or_ids(frame["name"], frame.index),
        "kind": [kinds.index(k) for k in frame["kind"]],
        "state": [str(s) for s in frame["state"]],
        "community": _numbered(district.locate(frame)["community"], communities),
        "typed": _numbered(typed, communities),
        "books": _in_the_books(district, frame, communities),
        "xy": packed(
            shapely.get_coordinates(shapely.point_on_surface(np.asarray(frame.geometry.array))), "<f8", "points"
        ),
        **_entered(district, frame, None),
        "level": None if level is None else _entered(district, frame, level),
    }


def _entered(district: District, frame: gpd.GeoDataFrame, level: Profile | None) -> dict[str, Any]:
    """Return where facilities are entered: doors on the street, and the walks of residents of the home they stand in."""
    number = {label: i for i, label in enumerate(frame.index)}
    doors = facility_entrances(district, frame, level)
    doors = doors.assign(number=doors["place"].map(number)).sort_values("number", kind="stable")
    at = {
        "place": packed(doors["number"], "<i4"),
        "edge": packed(doors["edge"], "<i4", "steps"),
        "at": packed(doors["at_m"], "<f8"),
        "access": packed(doors["access_m"], "<f8"),
        "x": packed(doors["x"], "<f8"),
        "y": packed(doors["y"], "<f8"),
        "gate": packed(_gate_numbers(district, doors["gate"]), "<i4"),
    }
    return {"doors": at, "inside": _inside(district, doors)}


def _in_the_books(
    district: District, frame: gpd.GeoDataFrame, communities: Sequence[Mapping[str, str]]
) -> list[list[int]]:
    """Return, per facility, the communities that the books say it serves; none where they say nothing."""
    number = {row["id"]: i for i, row in enumerate(communities)}
    said = district.serving(frame)
    said = said[(said["by"] == "serves_community").to_numpy()]
    own = said.groupby("facility")["community"].agg(lambda codes: [number[c] for c in codes if c in number])
    return [own.get(label, []) for label in frame.index]


def _inside(district: District, doors: pd.DataFrame) -> dict[str, str]:
    """Return the walks of residents to facilities inside their own home: facility, point, metres."""
    walks = same_compound(district, home_points(district), doors.assign(place=doors["number"]))
    return {
        "place": packed(walks["target"], "<i4"),
        "point": packed(walks["place"], "<i4"),
        "metres": packed(walks["metres"], "<f8"),
    }


def packed_areas(district: District) -> list[list[Packed]]:
    """Return the rings of each community (by id) as float64, for finding which one a facility is put in."""
    communities = district.communities
    if communities is None:
        return []
    rings = []
    for shape in communities.sort_index().geometry:
        own = [r for p in shapely.get_parts(shape) if p.geom_type == "Polygon" for r in (p.exterior, *p.interiors)]
        rings.append([packed(shapely.get_coordinates(ring), "<f8") for ring in own])
    return rings


def id_prefix(district: District) -> str:
    """Return a beginning for the ids of new facilities that no facility of any year has."""
    rows = district.rows.get("facilities")
    known = [] if rows is None else [str(i) for i in rows.index]
    number, prefix = 1, "new-"
    while any(k.startswith(prefix) for k in known):
        number += 1
        prefix = f"new{number}-"
    return prefix


def renewal_in_words(district: District) -> str:
    """Say which parcels a meeting page has, or has left out and how that is changed; nothing where there are none."""
    parcels = layer_of(district, "parcels")
    if parcels is None or parcels.empty:
        return ""
    names = say("、").join(names_or_ids(parcels["name"], parcels.index))
    if renewal_is_confirmed(district.manifest):
        return say(
            "meeting.html 里有更新地块（renewal_outputs 已确认：{0}）：{1}", district.manifest["renewal_outputs"], names
        )
    told = 'meeting.html 里没有写入更新地块：{0}。更新资料默认是内部的；可以给人看，就在 district.toml 写 renewal_outputs = "确认人 日期"'
    return say(told, names)


def packed_parcels(district: District, origin: np.ndarray) -> list[dict[str, Any]]:
    """Return the candidate sites: renewal parcels, each with a point on it; none where nobody has confirmed that they may be shown."""
    parcels = layer_of(district, "parcels")
    if parcels is None or not renewal_is_confirmed(district.manifest):
        return []
    spots = shapely.get_coordinates(shapely.point_on_surface(np.asarray(parcels.geometry.array)))
    shapes = _drawn(parcels.geometry, "A", origin)
    names = names_or_ids(parcels["name"], parcels.index)
    return [
        {"id": str(i), "name": n, "xy": [round(float(c), 2) for c in xy], "shape": s}
        for i, n, xy, s in zip(parcels.index, names, spots, shapes, strict=True)
    ]


# --- the drawing -----------------------------------------------------------------------------------------------------


def _drawn(shapes: gpd.GeoSeries, shape: str, origin: np.ndarray) -> list[list[list[int]]]:
    """Return features as parts of whole centimetres from the origin, each the step from the one before it."""
    simple = shapes.simplify(SIMPLIFY_M[shape])
    return [[_steps(part, origin) for part in _parts(geometry)] for geometry in simple.array]


def _parts(geometry: shapely.Geometry) -> Iterator[np.ndarray]:
    for part in shapely.get_parts(geometry):
        if part.is_empty:
            continue
        if part.geom_type == "Polygon":
            for ring in (part.exterior, *part.interiors):
                yield shapely.get_coordinates(ring)[:-1]
        else:
            yield shapely.get_coordinates(part)


def _steps(coordinates: np.ndarray, origin: np.ndarray, unit: float = 0.01) -> list[int]:
    whole = np.rint((coordinates - origin) / unit).astype("int64") * round(unit * 100)
    return [int(v) for v in np.diff(whole, axis=0, prepend=np.zeros((1, 2), dtype="int64")).ravel()]


def packed_base(district: District, origin: np.ndarray, rough: float = NAME_M) -> dict[str, Any]:
    """Return the base map in the house style: the ground, barriers, outlines and names (bent as roughly as that). Streets come with the network."""
    grounds = [x for x in ground_layers(district, language()) if x.id not in ("bare_ground", "micro_spaces")]
    left_out = ("area",) if renewal_is_confirmed(district.manifest) else ("area", "parcel")
    roads = [x for x in road_layers(district, language()) if x.id != "streets"]
    borders = [x for x in border_layers(district, language()) if x.id in ("communities", "zones", "district")]
    keep = [
        label
        for label in labels_of(district, language())
        if not label.layer.startswith("k-") and label.kind not in left_out
    ]
    layer = district.layers.get("streets")
    look = (
        next((x.styles for x in road_layers(district, language()) if x.id == "streets"), [])
        if layer is not None
        else []
    )
    return {
        "ground": [_layer(x, origin) for x in grounds],
        "roads": [_layer(x, origin) for x in roads],
        "borders": [_layer(x, origin) for x in borders],
        "streets": look,
        "labels": [_label(x, origin, rough) for x in keep],
    }


def _layer(layer: Layer, origin: np.ndarray) -> dict[str, Any]:
    shapes = gpd.GeoSeries(layer.geometry)
    return {
        "id": layer.id,
        "shape": layer.shape,
        "styles": layer.styles,
        "pick": [int(i) for i in layer.pick],
        "parts": _drawn(shapes, "A" if layer.shape == "A" else "L", origin),
    }


def _label(label: Label, origin: np.ndarray, rough: float) -> dict[str, Any]:
    entry: dict[str, Any] = {"text": label.text, "k": label.kind, "z": label.zoom}
    line = shapely.get_dimensions(label.geometry) == 1
    shape = shapely.simplify(label.geometry, rough) if line else label.geometry
    parts = [_steps(part, origin, 1.0 if rough > NAME_M else 0.01) for part in _parts(shape)]
    entry["l" if line else "p"] = parts if line else parts[0]
    for key, value in (("d", label.away), ("max", label.until), ("f", int(label.first))):
        if value:
            entry[key] = value
    return entry


def looks() -> dict[str, Any]:
    """Return the colours and widths that the page draws with."""
    style = house_style()
    shown = ("paper", "labels", "place", "parcel", "home", "cover", "presence", "straight", "gap")
    return {**{k: style[k] for k in shown}, "proposed": {"fill": role("gain"), "line": role("ink")}}
