"""
The networks of the benchmarks: every vertex a node, every segment an edge, as plain arrays that any library can take.

Helsinki and Porto are real extracts (© OpenStreetMap contributors, ODbL 1.0). "Porto x4, semi-synthetic" is Porto mirrored twice,
with links where the copies meet: for speed only.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import shapely

from xinhe_geo.network.osm import read_osm_streets

PLACES = Path(__file__).resolve().parents[2] / "shared" / "places"
LINKS = 60  # per border of two copies


class Plain(NamedTuple):
    """A network as arrays: nodes at `xy`, undirected segments `u`-`v` of `metres`; `streets` are the lines it came from."""

    name: str
    xy: np.ndarray
    u: np.ndarray
    v: np.ndarray
    metres: np.ndarray
    streets: gpd.GeoDataFrame


def load(name: str) -> Plain:
    """Return helsinki, porto or porto-x4."""
    streets = read_osm_streets(PLACES / f"{name.removesuffix('-x4')}.osm.pbf")
    streets = streets.to_crs(streets.estimate_utm_crs())[["geometry"]].reset_index(drop=True)
    return _plain(name, _four(streets) if name.endswith("x4") else streets)


def _four(streets: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Mirror east and north so that borders face themselves, and link what lies at them."""
    low = streets.total_bounds[:2]
    wide, high = streets.total_bounds[2:] - low + 10.0
    xy = np.unique(np.round(shapely.get_coordinates(streets.geometry) - low, 3), axis=0)  # candidates for links
    lines = shapely.transform(streets.geometry.to_numpy(), lambda c: np.round(c - low, 3))
    copies = [
        shapely.transform(lines, lambda c, i=i, j=j: np.column_stack(_mirror(c, i, j, wide, high)))
        for i in (0, 1)
        for j in (0, 1)
    ]
    links = []
    east = xy[np.argsort(-xy[:, 0], kind="stable")[:LINKS]]
    north = xy[np.argsort(-xy[:, 1], kind="stable")[:LINKS]]
    for side, spots in ((0, east), (1, north)):
        for k in (0, 1):
            pair = [(0, k), (1, k)] if side == 0 else [(k, 0), (k, 1)]
            a, b = (np.column_stack(_mirror(spots, i, j, wide, high)) for i, j in pair)
            links.append(shapely.linestrings(np.stack([a, b], axis=1)))
    return gpd.GeoDataFrame(geometry=np.concatenate([*copies, *links]), crs=streets.crs)


def _mirror(c: np.ndarray, i: int, j: int, wide: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    x = 2 * wide - c[:, 0] if i else c[:, 0]
    y = 2 * high - c[:, 1] if j else c[:, 1]
    return np.round(x, 3), np.round(y, 3)


def _plain(name: str, streets: gpd.GeoDataFrame) -> Plain:
    """Number vertices, and keep the shorter of parallel segments, which is all that other libraries' matrices can hold."""
    xy, line = shapely.get_coordinates(streets.geometry, return_index=True)
    xy = np.round(xy, 3)
    streets = gpd.GeoDataFrame(geometry=shapely.linestrings(xy, indices=line), crs=streets.crs)
    _, first, number = np.unique(xy, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)  # in the order of the file, which is kinder to every library than an order by coordinate
    spots, rank = xy[first[order]], np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    number = rank[number]
    same = line[1:] == line[:-1]
    a, b = number[:-1][same], number[1:][same]
    pairs = np.unique(np.sort(np.column_stack([a, b])[a != b], axis=1), axis=0)
    u, v = pairs.T
    return Plain(name, spots, u, v, np.hypot(*(spots[u] - spots[v]).T), streets)
