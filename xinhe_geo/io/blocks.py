"""
Homes of a place of which nobody has a table: every building that may be lived in, joined into blocks.

A block is what lies between streets (a face of the street network), or a small residential area that the map names; where a face
is large, or there is none, a square of 200 m. Its shape is the built-up land in it. Nothing is said of who lives there: that is
for `population` to spread.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely

from ..core import say
from .homes_table import COUNTS
from .import_log import ImportLog
from .incoming import LONLAT, Floats, Shapes
from .osm_extract import Found
from .population import Areas, part_of, spread

#: A face, or a residential area, that is larger is cut into squares of this side: a home has to be small beside a walk.
LARGEST_BLOCK_M2, CELL_M = 90_000.0, 200.0
#: Streets farther than this from every building do not bound a block.
NEAR_M = 300.0
#: Buildings of a block that are nearer to each other than twice this are drawn as one piece of built-up land.
GAP_M = 12.0
#: Coordinates in files have so many digits.
DEGREE_STEP = 1e-7
#: So many buildings must say how high they are before others are taken to be as high as the middle one of them.
ENOUGH_LEVELS = 30


class Blocks(NamedTuple):
    """Homes in EPSG:4326, and how many buildings were seen, used, are said to be lived in, and say how high they are."""

    homes: gpd.GeoDataFrame
    buildings: dict[str, int]


class _Sorted(NamedTuple):
    """Rows of the map, by what they are: buildings that may be lived in, land, buildings and land of another use."""

    used: list[tuple[Any, ...]]
    points: list[tuple[Any, ...]]
    land: list[tuple[Any, ...]]
    elsewhere: int
    other: int
    stated: int


def blocks_of(
    found: Found, streets: gpd.GeoDataFrame, metric: pyproj.CRS, log: ImportLog, areas: Areas | None = None
) -> Blocks:
    """
    Join the buildings of a map into blocks, and residential land without buildings to them.

    Parameters
    ----------
    found
        What was read from the map.
    streets
        The streets to walk on.
    metric
        The projected CRS, in metres.
    log
        Takes down what was taken and what was not.
    areas
        Areas with people, to be spread by floor area; without them the people of all blocks are unknown.

    Returns
    -------
    blocks
        Homes, columns `home`, `name`, `households`, `people`, `people_60plus`, `people_parts`, `buildings`, `stated_homes`, `footprint_m2`,
        `storeys`, `floor_area_m2`, geometry in EPSG:4326; and the counts of buildings.
    """
    rows = _sorted(found, metric)
    used = _frame([*rows.used, *rows.points], found, metric)
    land = _frame(rows.land, found, metric)
    built = _inside(used.geometry.to_numpy(), land.geometry.to_numpy())
    bare = land[~np.isin(np.arange(len(land)), built)]
    _report(rows, bare, log)
    people, area = np.full(len(used), np.nan), np.full(len(used), "", dtype=object)
    rest = gpd.GeoDataFrame({"home": [], "people": []}, geometry=[], crs=metric)
    if areas is not None:
        people, area, rest = spread(areas, used.geometry.to_numpy(), _floor_area(used), log)
    homes = _joined(used.assign(people=people, area=area), land, streets.to_crs(metric))
    if len(used):
        log.note(
            "homes",
            say("街块"),
            say("{0} 栋楼按街块合成 {1} 处；大的街块按 {2:g} 米见方分开", len(used), len(homes), CELL_M),
        )
    plain = bare[["ref", "name", "geometry"]].rename(columns={"ref": "home"})
    whole = pd.concat([frame for frame in (homes, plain, rest) if len(frame)] or [homes], ignore_index=True)
    frame = gpd.GeoDataFrame(whole, geometry="geometry", crs=metric)
    for column in COUNTS:
        if column not in frame:
            frame[column] = np.nan
    counts = {
        "seen": len(used) + rows.elsewhere + rows.other,
        "used": len(used),
        "stated": rows.stated,
        "levels": int(used["levels"].notna().sum()),
    }
    return Blocks(_sound(frame.to_crs(LONLAT), metric), counts)


def _sound(homes: gpd.GeoDataFrame, metric: pyproj.CRS) -> gpd.GeoDataFrame:
    """Return homes whose shapes are as files keep them, and valid there and back in metres; one that is not becomes its hull."""
    shapes = shapely.set_precision(homes.geometry.to_numpy(), DEGREE_STEP)
    back = gpd.GeoSeries(shapes, crs=LONLAT).to_crs(metric)
    bad = ~(shapely.is_valid(back.to_numpy()) & shapely.is_valid(shapes)) | shapely.is_empty(shapes)
    shapes[bad] = shapely.convex_hull(homes.geometry.to_numpy()[bad])
    return homes.set_geometry(gpd.GeoSeries(shapes, index=homes.index, crs=LONLAT))


def _sorted(found: Found, metric: pyproj.CRS) -> _Sorted:
    by_use: dict[str, list[tuple[Any, ...]]] = {}
    for row in found.rows.get("homes", []):
        by_use.setdefault(row[2], []).append(row)
    houses, unsure = by_use.get("house", []), by_use.get("unsure", [])
    nobody = np.array([row[-1] for row in by_use.get("elsewhere", [])], dtype=object)
    homely = np.array([row[-1] for row in by_use.get("land", [])], dtype=object)
    shapes = np.array([row[-1] for row in unsure], dtype=object)
    # A building on both kinds of land is lived in: a school in a residential area is drawn as an area of its own.
    away = np.setdiff1d(_within(shapes, nobody), _within(shapes, homely))
    kept = [row for i, row in enumerate(unsure) if i not in set(away.tolist())]
    drawn = [row for row in houses if row[-1].area > 0]
    return _Sorted(
        [*drawn, *kept],
        [row for row in houses if row[-1].area == 0],
        by_use.get("land", []),
        len(away),
        len(by_use.get("other", [])),
        len(houses),
    )


def _within(shapes: Shapes, areas: Shapes) -> np.ndarray:
    """Return which of the shapes lie in one of the areas."""
    if not len(shapes) or not len(areas):
        return np.empty(0, np.int64)
    return np.unique(shapely.STRtree(areas).query(shapely.point_on_surface(shapes), predicate="intersects")[0])


def _inside(shapes: Shapes, areas: Shapes) -> np.ndarray:
    """Return in which of the areas one of the shapes lies."""
    if not len(shapes) or not len(areas):
        return np.empty(0, np.int64)
    return np.unique(shapely.STRtree(areas).query(shapely.point_on_surface(shapes), predicate="intersects")[1])


def _frame(rows: list[tuple[Any, ...]], found: Found, metric: pyproj.CRS) -> gpd.GeoDataFrame:
    """Return rows in metres, sorted by id: `ref`, `name`, `use`, `levels`, `footprint_m2`."""
    ordered = sorted(rows, key=lambda row: (row[0][0], int(row[0][1:])))
    frame = gpd.GeoDataFrame(
        {"ref": [row[0] for row in ordered], "name": [row[1] for row in ordered], "use": [row[2] for row in ordered]},
        geometry=[row[-1] for row in ordered],
        crs=LONLAT,
    ).to_crs(metric)
    frame["levels"] = [found.levels.get(ref, np.nan) for ref in frame["ref"]]
    frame["footprint_m2"] = shapely.area(frame.geometry.to_numpy())
    return frame


def _floor_area(used: gpd.GeoDataFrame) -> Floats:
    """Return the floor area of each building: of one that does not say how high it is, as many storeys as the middle one."""
    footprint, levels = used["footprint_m2"].to_numpy(), used["levels"].to_numpy()
    drawn = footprint[footprint > 0]
    footprint = np.where(footprint > 0, footprint, np.median(drawn) if len(drawn) else 1.0)
    known = levels[~np.isnan(levels)]
    usual = float(np.median(known)) if len(known) >= ENOUGH_LEVELS else 1.0
    return footprint * np.where(np.isnan(levels), usual, levels)


def _report(rows: _Sorted, bare: gpd.GeoDataFrame, log: ImportLog) -> None:
    log.took(
        "homes", say("住宅楼"), rows.stated, "", [row[0] for row in (*rows.used, *rows.points) if row[2] == "house"]
    )
    unsure = [row[0] for row in rows.used if row[2] == "unsure"]
    log.took("homes", say("用途没有写明的楼（building=yes）"), len(unsure), say("算有人住"), unsure)
    log.took("homes", say("没有画楼的住宅用地"), len(bare), say("人口留空"), bare["ref"])
    log.left("homes", say("用途没有写明的楼（building=yes）"), rows.elsewhere, say("在非居住用地里"))
    log.left("homes", say("楼"), rows.other, say("写明不是住宅"))


# --- joining ---------------------------------------------------------------------------------------------------------


def _joined(used: gpd.GeoDataFrame, land: gpd.GeoDataFrame, streets: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Join buildings into blocks; a block of one building keeps its shape, name and id, a point stays a home."""
    shapes = used.geometry.to_numpy()
    spots = shapely.point_on_surface(shapes)
    homely = land[(land["footprint_m2"] <= LARGEST_BLOCK_M2).to_numpy()].reset_index(drop=True)
    faces = _faces(shapes, streets.geometry.to_numpy())
    frame = pd.DataFrame(
        {
            "land": _first(spots, homely.geometry.to_numpy()),
            "face": _first(spots, faces),
            "x": np.floor(shapely.get_x(spots) / CELL_M).astype(np.int64),
            "y": np.floor(shapely.get_y(spots) / CELL_M).astype(np.int64),
            "point": np.where(used["footprint_m2"].to_numpy() > 0, -1, np.arange(len(used))),
        }
    )
    small = np.append(shapely.area(faces) <= LARGEST_BLOCK_M2, False)[frame["face"].to_numpy()]
    whole = (frame["land"] >= 0).to_numpy() | small
    frame.loc[(frame["land"] >= 0).to_numpy(), "face"] = -1
    frame.loc[whole, ["x", "y"]] = 0
    rows = []
    for (own, face, x, y, _), at in frame.groupby(list(frame.columns), sort=False).indices.items():
        members = used.iloc[at]
        if own >= 0:
            name, shape = homely["name"].iloc[own], homely.geometry.iloc[own]
            rows.append(_block(members, homely["ref"].iloc[own], name, shape))
        elif len(at) == 1:
            rows.append(_block(members, members["ref"].iloc[0], members["name"].iloc[0], shapes[at[0]]))
        else:
            room = faces[face] if face >= 0 else None
            square = None if small[at[0]] else shapely.box(x * CELL_M, y * CELL_M, (x + 1) * CELL_M, (y + 1) * CELL_M)
            shape = _built_up(shapes[at], room, square)
            rows.append(_block(members, f"block-{members['ref'].iloc[0]}", None, shape))
    return gpd.GeoDataFrame(pd.DataFrame(rows, columns=_COLUMNS), geometry="geometry", crs=used.crs)


_COLUMNS = (
    "home",
    "name",
    "people",
    "people_parts",
    "buildings",
    "stated_homes",
    "footprint_m2",
    "storeys",
    "floor_area_m2",
    "geometry",
)


def _block(members: pd.DataFrame, home: str, name: str | None, shape: shapely.Geometry) -> tuple[object, ...]:
    footprint, levels = members["footprint_m2"].to_numpy(), members["levels"].to_numpy()
    floor = float((footprint * levels).sum())  # unknown where one of them is
    return (
        home,
        name,
        float(members["people"].sum(min_count=1)),
        ";".join(part_of(str(a), n) for a, n in members.groupby("area")["people"].sum().items() if n > 0) or None,
        len(members),
        int((members["use"] == "house").sum()),
        round(float(footprint.sum()), 1) or np.nan,
        max(round(floor / footprint.sum()), 1) if floor > 0 else np.nan,
        round(floor, 1) if floor > 0 else np.nan,
        shape,
    )


def _faces(shapes: Shapes, streets: Shapes) -> Shapes:
    """Return the faces of the streets that are near to a building."""
    near = shapely.STRtree(shapes).query(streets, predicate="dwithin", distance=NEAR_M)[0] if len(shapes) else []
    if not len(near):
        return np.empty(0, object)
    lines = shapely.union_all(streets[np.unique(near)])
    return shapely.get_parts(shapely.polygonize(shapely.get_parts(lines)))


def _first(spots: Shapes, areas: Shapes) -> np.ndarray:
    """Return in which area each spot lies, the smallest where there are several; -1: in none."""
    place = np.full(len(spots), -1, np.int64)
    if len(areas) and len(spots):
        spot, area = shapely.STRtree(areas).query(spots, predicate="intersects")
        order = np.argsort(-shapely.area(areas)[area], kind="stable")
        place[spot[order]] = area[order]
    return place


def _built_up(shapes: Shapes, *rooms: shapely.Geometry | None) -> shapely.Geometry:
    """Return the built-up land of some buildings: they and what is narrow between them, within the rooms they are in."""
    near = shapely.union_all(shapely.buffer(shapes, GAP_M, quad_segs=1, join_style="mitre"))
    shape = shapely.simplify(shapely.buffer(near, -GAP_M, quad_segs=1, join_style="mitre"), 1.0)
    for room in rooms:
        inner = shape if room is None else shapely.intersection(shape, room)
        shape = inner if inner.area > 0 else shape
    parts = [part for part in shapely.get_parts(shape) if part.geom_type == "Polygon" and part.area > 0]
    # Yards are part of a block; without holes a shape stays sound however it is rounded.
    return shapely.union_all([shapely.Polygon(part.exterior) for part in parts]) if parts else shapes[0]
