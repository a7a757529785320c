"""
The meeting page of a city: what would be more than a page can carry travels smaller, and its figures stay those of the library.

Where every coordinate as float64 would make a page of more than five million bytes, streets are drawn simplified, homes as
discs, and lengths travel as whole millionths of a metre: by less than two ways are the same to the library. So what the page
says at its opening is what the library says. What moves is put on the street as it is drawn: at most `DETAIL_M` from where the
library has it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import shapely

from ..core import say
from .pack import Packed, packed, scaled

#: So far (metres) a street may be drawn from where it runs.
DETAIL_M = 0.25
#: Drawn coordinates are whole decimetres.
DRAWN = 10
#: Lengths are whole millionths of a metre; spots of homes, measured straight, whole tenths of a millimetre.
LENGTHS, SPOTS = 1_000_000, 10_000
#: Names along streets are bent as roughly as this (metres).
NAMES_M = 5.0
#: What travels, in bytes of the page, for each vertex of a street and each point of a home: as float64, and as here.
BYTES = ((9.4, 65.0), (4.6, 22.5))
#: A page is no larger than this, but for its base map, names and scripts, which take up to another million.
MOST_BYTES = 4_000_000


def travels(vertices: int, points: int) -> int:
    """Return how streets and homes travel: 0 as float64, 1 as whole numbers, 2 not at all."""
    return sum(vertices * street + points * home > MOST_BYTES for street, home in BYTES)


def words() -> str:
    """Say what differs on the page of a city."""
    told = "街道多、小区多：街线简化到 {0} 米以内，小区画成等面积的圆；打开时的数与软件相同，移动过的设施位置与软件差不到半米"
    return say(told, DETAIL_M)


def drawn_streets(edges: gpd.GeoDataFrame, origin: np.ndarray) -> gpd.GeoDataFrame:
    """Return the edges as they are drawn: simplified, in whole decimetres from the origin."""
    simple = shapely.simplify(np.asarray(edges.geometry.array), DETAIL_M)
    whole = shapely.transform(simple, lambda xy: np.rint((xy - origin) * DRAWN) / DRAWN + origin)
    return edges.set_geometry(gpd.GeoSeries(whole, index=edges.index, crs=edges.crs))


def smaller_streets(net: Mapping[str, Any], lengths: np.ndarray, origin: np.ndarray) -> dict[str, Any]:
    """
    Return a network of drawn streets with each node once.

    `inner`: the vertices between an edge's nodes, each the step from the one before it. `longer`: by how much an edge is longer
    than it is drawn.
    """
    whole = np.rint((net["xy"].array.reshape(-1, 2) - origin) * DRAWN).astype("int64")
    count = net["count"].array.astype("int64")
    stop = np.cumsum(count)
    start = stop - count
    nodes = np.zeros((net["nodes"], 2), "int64")
    nodes[net["u"].array], nodes[net["v"].array] = whole[start], whole[stop - 1]
    between = np.ones(len(whole), np.bool_)
    between[start] = between[stop - 1] = False
    inner = np.diff(whole, axis=0, prepend=0)[between]
    drawn = shapely.length(shapely.linestrings(whole / DRAWN, indices=np.repeat(np.arange(len(count)), count)))
    return {
        **net,
        "xy": None,
        "drawn": DRAWN,
        "ends": [packed(nodes[:, k], "<i4", "steps") for k in (0, 1)],
        "inner": [scaled(inner[:, k], 1) for k in (0, 1)],
        "longer": scaled(lengths - drawn, LENGTHS),
    }


def along_streets(homes: Mapping[str, Any], facilities: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return both with homes in the order of the streets they open on: neighbours follow each other, by small steps."""
    doors, home = homes["doors"], homes["points"]["home"].array
    street = np.full(len(homes["id"]), -1)
    street[home[doors["point"].array[::-1]]] = doors["edge"].array[::-1]
    order = np.argsort(street, kind="stable")
    point = np.argsort(_inverse(order)[home], kind="stable")
    row = np.argsort(_inverse(point)[doors["point"].array], kind="stable")
    listed = ("id", "name", "people", "people_60plus", "area", "zone", "community")
    lists = {name: homes[name] and [homes[name][i] for i in order] for name in listed}
    spots = homes["points"]["xy"].array.reshape(-1, 2)[point]
    points = {
        "xy": packed(spots, "<f8"),
        "home": packed(_inverse(order)[home][point], "<i4", "steps"),
        "weight": packed(homes["points"]["weight"].array[point], "<f8"),
    }
    level = homes["level"]
    if level and "rows" in level:
        rows = _inverse(row)[level["rows"].array]
        level = {**_picked(level, np.argsort(rows)), "rows": packed(np.sort(rows), "<i4", "steps")}
    elif level:
        level = _renumbered(level, point, np.argsort(_inverse(point)[level["point"].array], kind="stable"))
    placed = {**facilities, "inside": _inside(facilities, point)}
    if facilities["level"]:
        placed["level"] = {**facilities["level"], "inside": _inside(facilities["level"], point)}
    return {**homes, **lists, "points": points, "doors": _renumbered(doors, point, row), "level": level}, placed


def _inverse(order: np.ndarray) -> np.ndarray:
    found = np.empty_like(order)
    found[order] = np.arange(len(order))
    return found


def _picked(doors: Mapping[str, Any], row: np.ndarray) -> dict[str, Any]:
    arrays = {k: v for k, v in doors.items() if isinstance(v, Packed)}
    return {**doors, **{k: packed(v.array[row], v.array.dtype.str, v.how) for k, v in arrays.items()}}


def _renumbered(doors: Mapping[str, Any], point: np.ndarray, row: np.ndarray) -> dict[str, Any]:
    found, place = _picked(doors, row), _inverse(row)
    found["point"] = packed(_inverse(point)[found["point"].array], "<i4", "steps")
    return {**found, "corners": [[int(place[at]), xy] for at, xy in doors["corners"]]}


def _inside(entered: Mapping[str, Any], point: np.ndarray) -> dict[str, Any]:
    walks = entered["inside"]
    return {**walks, "point": packed(_inverse(point)[walks["point"].array], "<i4")} if walks["point"] else walks


def smaller_homes(homes: Mapping[str, Any], disc: float, origin: np.ndarray) -> dict[str, Any]:
    """Return homes whose doors and points are whole numbers, drawn as discs: `disc` is how large those are that have no area."""
    whole = scaled(homes["points"]["xy"].array.reshape(-1, 2) - origin, SPOTS)
    columns = whole.array.reshape(-1, 2)
    return {
        **homes,
        **{name: _counts(homes[name]) for name in ("people", "people_60plus", "area")},
        "disc": disc,
        "points": {**homes["points"], "xy": [packed(columns[:, k], "<i4", "steps") for k in (0, 1)], "by": whole.by},
        "doors": _smaller_doors(homes["doors"]),
        "level": homes["level"] and _smaller_doors(homes["level"]),
    }


def _counts(values: Sequence[float | None]) -> Packed:
    """Return numbers of people or square metres; where all are whole, unknown ones are -1."""
    array = np.array([np.nan if v is None else v for v in values])
    whole = np.where(np.isnan(array), -1.0, array)
    return scaled(whole, 1) if bool((whole == np.rint(whole)).all()) and whole.max() < 2**31 else packed(array, "<f8")


def _smaller_doors(doors: Mapping[str, Any]) -> dict[str, Any]:
    return {**doors, **{name: scaled(doors[name].array, LENGTHS) for name in ("at", "access")}}


def other_rows(doors: Mapping[str, Packed], others: Mapping[str, Packed]) -> Mapping[str, Any]:
    """Return the doors of who takes no stairs as the rows in which they differ, where there are as many for the same points."""
    names = ("edge", "at", "access", "gate")
    if doors["point"] != others["point"] or doors["corners"] != others["corners"]:
        return others
    differs = np.any([doors[name].array != others[name].array for name in names], axis=0)
    rows = np.flatnonzero(differs)
    own = {name: packed(others[name].array[rows], others[name].array.dtype.str, others[name].how) for name in names}
    return {"rows": packed(rows, "<i4", "steps"), **own, "corners": []}
