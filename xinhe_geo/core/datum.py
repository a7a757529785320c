"""
WGS84, GCJ-02 and BD-09: conversion, and the test of which one a layer is in.

Online maps in China show positions moved by half a kilometre (GCJ-02) or more than one (BD-09). A layer in them looks
plausible and makes every distance to a street wrong. CGCS2000 is taken as WGS84: the two differ by less than a metre,
which is less than a street is drawn to.

The formulas are the published ones that every converter uses: GCJ-02 is an offset computed on the Krasovsky 1940
ellipsoid, BD-09 a further turn and stretch about the origin. Neither has an official definition in print; this module
is compared with twenty cities from another implementation. The inverses are iterated until they reproduce their input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, TypeAlias

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely
from numpy.typing import ArrayLike, NDArray

from .errors import SourceError, UnknownNameError
from .sentences import say
from .validate import without_brackets

DATUMS = ("WGS84", "GCJ-02", "BD-09")
DATUM_LABELS = {
    "WGS84": "WGS84／CGCS2000（国家大地坐标）",
    "GCJ-02": "GCJ-02（高德、腾讯等在线地图）",
    "BD-09": "BD-09（百度地图）",
}
_ALIASES = {
    "wgs84": "WGS84",
    "cgcs2000": "WGS84",
    "epsg4326": "WGS84",
    "epsg4490": "WGS84",
    "gcj02": "GCJ-02",
    "bd09": "BD-09",
    "bd09ll": "BD-09",
}

Floats = NDArray[np.float64]
Move = Callable[[Floats, Floats], tuple[Floats, Floats]]
References: TypeAlias = gpd.GeoDataFrame | gpd.GeoSeries | Iterable[gpd.GeoDataFrame | gpd.GeoSeries]

#: Where positions are moved at all (degrees): outside, GCJ-02 is WGS84.
WEST, SOUTH, EAST, NORTH = 72.004, 0.8293, 137.8347, 55.8271
#: Krasovsky 1940: semi-major axis in metres, and first eccentricity squared.
_A, _E2 = 6_378_245.0, 0.00669342162296594323
#: BD-09 turns as if degrees went round 3000 times.
_X_PI = np.pi * 3000.0 / 180.0
#: Each round divides the error by some hundreds: four are enough for 1e-9 degrees, the rest is margin.
_ROUNDS = 12


# --- conversion ------------------------------------------------------------------------------------------------------


def to_wgs84(lon: ArrayLike, lat: ArrayLike, datum: str) -> tuple[Floats, Floats]:
    """
    Convert positions to WGS84.

    Parameters
    ----------
    lon, lat
        Degrees, any shape. Missing values stay missing.
    datum
        One of `DATUMS`, spelt in any of the usual ways ("gcj02", "CGCS2000").

    Returns
    -------
    lon, lat
        Degrees, same shape. Converting back gives the input to 1e-9 degrees (0.1 mm).

    Raises
    ------
    SourceError
        Not longitudes and latitudes.
    UnknownNameError
        No such datum.
    """
    name, lon, lat = datum_name(datum), *_degrees(lon, lat)
    return _undo(_FORWARD[name], lon, lat) if name != "WGS84" else (lon, lat)


def from_wgs84(lon: ArrayLike, lat: ArrayLike, datum: str) -> tuple[Floats, Floats]:
    """Convert positions from WGS84; parameters, shapes and errors as `to_wgs84`."""
    name, lon, lat = datum_name(datum), *_degrees(lon, lat)
    return _FORWARD[name](lon, lat)


def datum_name(name: str) -> str:
    """Return a datum as `DATUMS` spells it."""
    key = "".join(c for c in str(name).lower() if c.isalnum())
    if key not in _ALIASES:
        raise UnknownNameError("坐标基准", str(name), [*DATUMS, "CGCS2000"])
    return _ALIASES[key]


def _degrees(lon: ArrayLike, lat: ArrayLike) -> tuple[Floats, Floats]:
    x, y = np.broadcast_arrays(np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64))
    if (np.abs(y) > 90).any() and (np.abs(x) <= 90).all() and (np.abs(y) <= 180).all():
        raise SourceError(say("纬度超出 ±90（{0:.6g}）：经度和纬度写反了，第一列写经度", y[np.abs(y) > 90].flat[0]))
    if (np.abs(x) > 180).any() or (np.abs(y) > 90).any():
        bad = np.flatnonzero((np.abs(x) > 180) | (np.abs(y) > 90))[0]
        raise SourceError(
            say(
                "不是经纬度（{0:.6g}, {1:.6g}）：像是以米为单位的坐标，先按它的坐标系转成经纬度",
                x.flat[bad],
                y.flat[bad],
            )
        )
    return x, y


def _gcj02(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    """WGS84 to GCJ-02: an offset in metres, a sum of waves, turned into degrees on the Krasovsky ellipsoid."""
    x, y = lon - 105.0, lat - 35.0
    root = np.sqrt(np.abs(x))
    wave = (20.0 * np.sin(6.0 * np.pi * x) + 20.0 * np.sin(2.0 * np.pi * x)) * 2.0 / 3.0
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + wave
    north += (20.0 * np.sin(np.pi * y) + 40.0 * np.sin(np.pi * y / 3.0)) * 2.0 / 3.0
    north += (160.0 * np.sin(np.pi * y / 12.0) + 320.0 * np.sin(np.pi * y / 30.0)) * 2.0 / 3.0
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + wave
    east += (20.0 * np.sin(np.pi * x) + 40.0 * np.sin(np.pi * x / 3.0)) * 2.0 / 3.0
    east += (150.0 * np.sin(np.pi * x / 12.0) + 300.0 * np.sin(np.pi * x / 30.0)) * 2.0 / 3.0
    phi = np.radians(lat)
    w2 = 1.0 - _E2 * np.sin(phi) ** 2
    d_lat = np.degrees(north * w2**1.5 / (_A * (1.0 - _E2)))
    d_lon = np.degrees(east * np.sqrt(w2) / (_A * np.cos(phi)))
    inside = (lon >= WEST) & (lon <= EAST) & (lat >= SOUTH) & (lat <= NORTH)
    return lon + np.where(inside, d_lon, 0.0), lat + np.where(inside, d_lat, 0.0)


def _bd09(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    """WGS84 to BD-09, by way of GCJ-02. Where GCJ-02 moves nothing, BD-09 does not either."""
    x, y = _gcj02(lon, lat)
    z = np.hypot(x, y) + 2e-5 * np.sin(y * _X_PI)
    theta = np.arctan2(y, x) + 3e-6 * np.cos(x * _X_PI)
    inside = (lon >= WEST) & (lon <= EAST) & (lat >= SOUTH) & (lat <= NORTH)
    return np.where(inside, z * np.cos(theta) + 0.0065, lon), np.where(inside, z * np.sin(theta) + 0.006, lat)


_FORWARD: dict[str, Move] = {"WGS84": lambda lon, lat: (lon, lat), "GCJ-02": _gcj02, "BD-09": _bd09}


def _undo(forward: Move, lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    """Find what `forward` moves to (lon, lat): repeat by what is still missing."""
    x, y = lon.copy(), lat.copy()
    for _ in range(_ROUNDS):
        there_x, there_y = forward(x, y)
        x, y = x + (lon - there_x), y + (lat - there_y)
    return x, y


# --- local grids -----------------------------------------------------------------------------------------------------

#: Control points that lie farther than this from where the fit puts them (metres) are wrong.
TIE_LIMIT_M = 0.5
#: A drawing is true to scale: a fit that stretches it by more than this has the wrong points.
TIE_SCALE = 0.01


def tie(
    local: ArrayLike, known: ArrayLike, *, affine: bool = False, limit_m: float = TIE_LIMIT_M, names: Iterable[str] = ()
) -> tuple[Floats, pd.DataFrame]:
    """
    Fit a local grid to a known one by control points, in least squares.

    Parameters
    ----------
    local
        Positions in the drawing, shape (n, 2); x may be north, as surveyors write it: both orders are tried.
    known
        The same points in a metric CRS, shape (n, 2), east before north.
    affine
        Six parameters (n >= 4) instead of four: for scanned drawings, which stretch unevenly.
    limit_m
        Refuse where a point lies farther than this from where the fit puts it.
    names
        What the points are called, for the table.

    Returns
    -------
    matrix, residuals
        `matrix` of shape (3, 2): `np.column_stack([local, ones]) @ matrix` is the position in the known CRS. `residuals`:
        index `point`; columns `x`, `y` (fitted, metres), `east_m`, `north_m`, `residual_m`, and in every row `scale`,
        `rotation_deg`, `swapped`.

    Raises
    ------
    SourceError
        Fewer than 3 (affine: 4) points, points on one line or one spot, a scale that is not near 1, or a residual above the limit;
        `.residuals` holds the table.

    Notes
    -----
    Four parameters (Helmert): E = a x - b y + c, N = b x + a y + d. Where x is north the axes are swapped first. Of the two
    orders the one with the smaller sum of squares is taken. With three points only 2 of 6 equations check the fit: four or
    more find a wrong one.
    """
    x, y = np.asarray(local, dtype=np.float64), np.asarray(known, dtype=np.float64)
    least = 4 if affine else 3
    if x.shape != y.shape or x.ndim != 2 or x.shape[1] != 2 or len(x) < least:
        raise SourceError(say("控制点只有 {0} 个，至少要 {1} 个不在一条线上的点", len(x), least))
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise SourceError(say("控制点里有不是数的坐标。每个点写四个数：图上 X、Y，已知坐标两个"))
    if _flat(x) or _flat(y):
        raise SourceError(say("控制点几乎在一条线上或一个点上，定不出旋转。换成分布在图的四角的点"))
    fits = [_fit(x[:, order], y, affine) for order in ([0, 1], [1, 0])]
    k = int(np.argmin([float((residual**2).sum()) for _, residual in fits]))
    matrix, residual = fits[k]
    if k:
        matrix = matrix[[1, 0, 2]]
    fitted = np.column_stack([x, np.ones(len(x))]) @ matrix
    labels = [*names] or [str(i + 1) for i in range(len(x))]
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:2]))))
    east = matrix[0] if not k else matrix[1]
    table = pd.DataFrame(
        {
            "x": fitted[:, 0],
            "y": fitted[:, 1],
            "east_m": residual[:, 0],
            "north_m": residual[:, 1],
            "residual_m": np.hypot(*residual.T),
            "scale": scale,
            "rotation_deg": float(np.degrees(np.arctan2(east[1], east[0]))),
            "swapped": bool(k),
        },
        index=pd.Index(labels, name="point"),
    )
    said = say("；").join(say("{0} {1:,.2f} 米", n, r) for n, r in table["residual_m"].items())
    if table["residual_m"].max() > limit_m:
        worst = table["residual_m"].idxmax()
        raise SourceError(
            say(
                "控制点对不上：残差 {0}，超过 {1:g} 米（最大的是 {2}）。核对点号、坐标和坐标系，或去掉写错的点",
                said,
                limit_m,
                worst,
            ),
            table,
        )
    if abs(scale - 1) > TIE_SCALE:
        raise SourceError(
            say("配准的比例是 {0:.4f}，不是 1：图的单位不是米，或控制点写错。残差 {1}", scale, said), table
        )
    return matrix, table


def _flat(xy: Floats) -> bool:
    """Whether points lie on a line or on a spot."""
    spread = np.linalg.svd(xy - xy.mean(axis=0), compute_uv=False)
    return bool(spread[0] < 1.0 or spread[1] < 0.02 * spread[0])


def _fit(x: Floats, y: Floats, affine: bool) -> tuple[Floats, Floats]:
    """Return the matrix (3, 2) that moves x to y in least squares, and what is left; centred, so that digits last."""
    mx, my = x.mean(axis=0), y.mean(axis=0)
    u, v = x - mx, y - my
    if affine:
        turn = np.linalg.lstsq(u, v, rcond=None)[0]
    else:
        size = float((u**2).sum())
        a, b = float((u * v).sum()) / size, float((u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]).sum()) / size
        turn = np.array([[a, b], [-b, a]])
    matrix: Floats = np.vstack([turn, my - mx @ turn])
    return matrix, np.asarray(u @ turn - v)


# --- which one is it -------------------------------------------------------------------------------------------------

#: Fewer points than this say nothing: two or three lie well by chance.
POINTS_AT_LEAST = 5
#: More points than this say no more: an even choice of them is measured.
POINTS_AT_MOST = 2000
#: Distances are compared as ratios (logarithms); below this many metres drawing decides, not the datum.
FLOOR_M = 2.0
#: A winner lies at most this far from the references (median).
NEAR_M = 50.0
#: First way to win: this many standard deviations of the controls below their mean, and this many below the others.
STANDS_OUT, AHEAD = 3.5, 3.0
#: Second way: nearer, point by point, than each control and each other hypothesis by these ratios (geometric mean) …
RATIO_CONTROL, RATIO_OTHER = 1.3, 1.5
#: … and by this many standard errors; differences between points never count as smaller than this (logarithm).
ERRORS, SPREAD = 3.5, 0.5
#: Controls: the same points moved as far as a hypothesis would move them, in this many other directions.
DIRECTIONS = 24


def diagnose(points: gpd.GeoDataFrame | gpd.GeoSeries, references: References) -> pd.DataFrame:
    """
    Measure which datum a layer's coordinates are in, by how near it lies to layers whose datum is certain.

    Parameters
    ----------
    points
        The layer in doubt, CRS declared; shapes other than points stand as a point inside them.
    references
        Streets, buildings or compounds in true WGS84/CGCS2000, any CRS; several layers count together. Distance to a
        polygon is 0 inside it.

    Returns
    -------
    residuals
        Index `datum` (WGS84, GCJ-02, BD-09): what if the coordinates were that? Columns `label`, `points`, `moved_m` (how
        far the points then are from where they stand), `median_m`, `p90_m` (distance to the nearest reference once
        converted), `control_m` (least median of the controls), `score` (standard deviations of the controls below their
        mean), `margin_m` (how much the best other hypothesis is worse), `winner`, `text` (Chinese sentence, the same in
        every row).

    Notes
    -----
    A wrong hypothesis puts points at random with regard to the streets, and among dense streets random points lie near
    one too: three medians alone prove nothing. Controls show what chance does here: the same points moved as far in 23
    other directions each. A hypothesis wins only where it is nearer than all of them and either stands out from them
    (`STANDS_OUT`, `AHEAD`: the way of small layers among wide blocks) or beats each of them point by point (`ERRORS`:
    the way of large layers among dense streets). In some three thousand trials with honest points up to 60 m from their
    streets a wrong datum was never ahead of the right one by more than 2.0 of the 3.0 asked for. No winner is not an
    alarm: it says that this layer cannot tell.

    Raises
    ------
    SourceError
        A layer without a CRS, or without anything in it.
    """
    spots, shapes = _lonlat_points(points), _reference_shapes(references)
    metric = _metric(shapes)
    tree = shapely.STRtree(np.asarray(shapes.to_crs(metric).array))
    to_metric = between("EPSG:4326", metric)
    here = np.column_stack(to_metric.transform(*spots.T))
    lon, lat = spots.T
    moves = [np.column_stack(to_metric.transform(*to_wgs84(lon, lat, name))) - here for name in DATUMS]
    controls = [move @ _turn(k) for move in moves[1:] for k in range(1, DIRECTIONS)]
    away = np.stack([_distance(tree, here + move) for move in (*moves, *controls)])
    median = np.median(away, axis=1)
    h = len(DATUMS)
    others = np.array([np.delete(median[:h], i).min() for i in range(h)])
    table = pd.DataFrame(
        {
            "label": [say(DATUM_LABELS[name]) for name in DATUMS],
            "points": len(spots),
            "moved_m": [float(np.median(np.hypot(*move.T))) for move in moves],
            "median_m": median[:h],
            "p90_m": np.quantile(away[:h], 0.9, axis=1),
            "control_m": median[h:].min(),
            "score": _scores(away),
            "margin_m": others - median[:h],
            "winner": [_wins(away, i) for i in range(h)],
        },
        index=pd.Index(DATUMS, name="datum"),
    )
    table["text"] = _verdict(table)
    return table


#: Lists are compared with features that are there already where there are so many of them (or more: an even choice).
PEERS_AT_LEAST, PEERS_AT_MOST = 30, 600
#: How near to a street, and to or inside a compound: the classes that are compared (upper bounds in metres).
STREET_CLASSES_M, COMPOUND_CLASSES_M = (5.0, 10.0, 20.0, 35.0, 60.0, 100.0, 200.0), (0.01, 30.0, 100.0)
#: Honest lists are less exact than the map: features count as they lie, and moved by these distances in four directions.
BLUR_M = (15.0, 30.0, 45.0)
#: This share of honest positions may lie anywhere: no single point weighs more than its logarithm.
ANYWHERE = 0.25
#: Counts are drawn to those of unrelated classes as if by so many features.
PRIOR = 20.0
#: Supported: ahead of every other hypothesis by this much (natural logarithm of the likelihood), and this much likelier than chance.
SUPPORTED_BY, SUPPORTED_OVER = 5.0, 2.0
#: The datum beyond doubt, likewise.
ODDS_BY, ODDS_OVER = 9.0, 4.0


def diagnose_likeness(
    points: gpd.GeoSeries, peers: gpd.GeoSeries, streets: gpd.GeoSeries, compounds: gpd.GeoSeries | None = None
) -> pd.DataFrame:
    """
    Measure which datum a short list is in, by how likely its places are among features of its kind that are there already.

    Parameters
    ----------
    points
        The layer in doubt, CRS declared; shapes other than points stand as a point inside them.
    peers
        Features in true WGS84/CGCS2000 that lie as honest rows do, best of the same layer; fewer than `PEERS_AT_LEAST` say
        nothing.
    streets, compounds
        What positions are measured by, any CRS.

    Returns
    -------
    residuals
        Index `datum`; columns `label`, `points`, `moved_m`, `median_m`, `p90_m` (distance to the nearest street), `over`
        (logarithm of the likelihood against chance), `lead` (against the best other hypothesis), `supported`, `winner`,
        `text`.

    Notes
    -----
    A place is a class of distance to the nearest street by a class of distance to the nearest compound. How often honest
    places fall in each is counted on the peers, blurred (`BLUR_M`); how often chance does, on the peers moved as far as a
    wrong datum would move them, in `DIRECTIONS` directions. The sum of the logarithms of their ratios over the rows is the
    evidence. Peers that are in a wrong datum themselves lie as chance does, and then nothing is said. Figures of trials:
    `benchmarks/datum_trials.py`, docs/correctness.md.
    """
    spots = _lonlat_points(points)
    table = _undecided(len(spots), over=0.0, lead=0.0, supported=False)
    if len(peers) < PEERS_AT_LEAST:
        return table.assign(text=say("目录里可比的同类要素只有 {0} 个，少于 {1} 个", len(peers), PEERS_AT_LEAST))
    places = _Places(streets, compounds)
    chosen = _lonlat_points(peers, PEERS_AT_MOST)
    like = places.likeness(chosen)
    here, moves = places.moves(spots)
    classes, away = zip(*(places.classes(here + move) for move in moves), strict=True)
    over = np.array([like[c].sum() for c in classes])
    lead, supported, winner = _by_odds(over, len(spots))
    table["moved_m"] = [float(np.median(np.hypot(*move.T))) for move in moves]
    table["median_m"], table["p90_m"] = np.median(away, axis=1), np.quantile(away, 0.9, axis=1)
    table["over"], table["lead"] = over, lead
    table["supported"], table["winner"] = supported, winner
    best, times = str(table["lead"].idxmax()), float(np.exp(min(lead.max(), np.log(9_999))))
    return table.assign(
        text=say(
            "{0} 个点离街道和小区的远近，与目录里同类要素 {1} 个相比，最像 {2}，可能性是其次的 {3:,.1f} 倍",
            len(spots),
            len(chosen),
            best,
            times,
        )
        + (say("以上") if lead.max() > np.log(9_999) else "")
    )


def _undecided(points: int, **columns: float) -> pd.DataFrame:
    """Return the table of a test before it has found anything: a row per datum, no winner."""
    unknown = dict.fromkeys(("moved_m", "median_m", "p90_m"), np.nan)
    found = {
        "label": [say(DATUM_LABELS[n]) for n in DATUMS],
        "points": points,
        **unknown,
        **columns,
        "winner": False,
        "text": "",
    }
    return pd.DataFrame(found, index=pd.Index(DATUMS, name="datum"))


def _by_odds(over: Floats, points: int) -> tuple[Floats, NDArray[np.bool_], NDArray[np.bool_]]:
    """Return by how much each hypothesis is ahead of the best other one, whether that supports it, and whether it decides."""
    lead = np.array([over[i] - np.delete(over, i).max() for i in range(len(DATUMS))])
    supported = (lead >= SUPPORTED_BY) & (over >= SUPPORTED_OVER)
    return lead, supported, (lead >= ODDS_BY) & (over >= ODDS_OVER) & (points >= POINTS_AT_LEAST)


class _Places:
    """Sorts positions into classes by what is near them."""

    def __init__(self, streets: gpd.GeoSeries, compounds: gpd.GeoSeries | None) -> None:
        self.metric = _metric(streets)
        self.to_metric = between("EPSG:4326", self.metric)
        bounds = (STREET_CLASSES_M, COMPOUND_CLASSES_M)
        layers = [streets, compounds if compounds is not None and len(compounds) else None]
        self.trees = [
            (shapely.STRtree(np.asarray(layer.to_crs(self.metric).array)), np.array(bound))
            for layer, bound in zip(layers, bounds, strict=True)
            if layer is not None
        ]
        self.shape = tuple(len(bound) + 1 for _, bound in self.trees)

    def moves(self, lonlat: Floats) -> tuple[Floats, list[Floats]]:
        """Return where positions stand (metres), and how far each datum would move them."""
        here = np.column_stack(self.to_metric.transform(*lonlat.T))
        lon, lat = lonlat.T
        return here, [np.column_stack(self.to_metric.transform(*to_wgs84(lon, lat, name))) - here for name in DATUMS]

    def classes(self, xy: Floats) -> tuple[NDArray[np.intp], Floats]:
        """Return the class of each position, and its distance to the nearest street."""
        away = [_distance(tree, xy) for tree, _ in self.trees]
        parts = [
            np.searchsorted(bound, metres, side="right") for metres, (_, bound) in zip(away, self.trees, strict=True)
        ]
        return np.asarray(np.ravel_multi_index(tuple(parts), self.shape)), away[0]

    def likeness(self, peers: Floats) -> Floats:
        """Return, for each class, the logarithm of how much likelier an honest place is in it than one moved by chance."""
        here, moves = self.moves(peers)
        blur = [here] + [
            here + metres * np.array(way) for metres in BLUR_M for way in ((1, 0), (0, 1), (-1, 0), (0, -1))
        ]
        chance = [here + move @ _turn(k) for move in moves[1:] for k in range(DIRECTIONS)]
        honest, random = self._shares(blur), self._shares(chance)
        return np.asarray(np.log(ANYWHERE + (1 - ANYWHERE) * honest / random))

    def _shares(self, several: list[Floats]) -> Floats:
        counts = np.bincount(
            np.concatenate([self.classes(xy)[0] for xy in several]), minlength=int(np.prod(self.shape))
        )
        table = counts.reshape(self.shape) / len(several)
        alone = [table.sum(axis=tuple(j for j in range(table.ndim) if j != i)) + 0.5 for i in range(table.ndim)]
        unrelated = alone[0] if table.ndim == 1 else np.outer(*alone)
        mixed = table + PRIOR * unrelated / unrelated.sum()
        return np.asarray((mixed / mixed.sum()).ravel())


#: Names decide where at least so many rows are nearer to their namesake by more than this (metres), and hardly any is farther.
NAMED_AT_LEAST, NAMED_BY_M, NAMED_AGAINST = 5, 100.0, 0.1
#: So many of them, and none against, make a suspicion.
NAMED_HINT = 3
#: … and where most of these rows then lie at or inside it.
NAMED_NEAR_M, NAMED_SHARE = 60.0, 0.75


def diagnose_names(points: gpd.GeoSeries, names: Iterable[object], known: gpd.GeoDataFrame) -> pd.DataFrame:
    """
    Measure which datum coordinates are in, by how near they lie to what they are named after.

    Parameters
    ----------
    points
        The layer in doubt, CRS declared.
    names
        A name or address for each point; missing ones say nothing.
    known
        Column `name` and shapes (compounds, communities, parks, roads ...) in true WGS84/CGCS2000, any CRS. Shapes of one
        name count together.

    Returns
    -------
    residuals
        Index `datum`; columns `label`, `points` (rows with a namesake), `moved_m`, `median_m`, `p90_m` (distance to the
        namesake), `nearer`, `farther` (rows nearer or farther than under the best other hypothesis by more than
        `NAMED_BY_M`), `leans` (a suspicion, short of a winner), `winner`, `text`. Without a namesake, a table of no winner.

    Notes
    -----
    "Longest known name that the row's name contains", brackets and the word for community left out. A hypothesis wins where
    it brings `NAMED_AT_LEAST` or more rows nearer than each other one does, a tenth of them at most farther, and most of
    these to their namesake's very place. Rows named after something far away are as often nearer as farther.
    """
    shapes = _by_name(known)
    pairs = [(i, _namesake(name, shapes)) for i, name in enumerate(names)]
    pairs = [(i, stem) for i, stem in pairs if stem]
    table = _undecided(len(pairs), nearer=0, farther=0, leans=False)
    if not pairs:
        return table.assign(text=say("没有一行的名称里有已知的小区、社区或道路"))
    metric = _metric(known.geometry)
    spots = points.iloc[[i for i, _ in pairs]].to_crs("EPSG:4326")
    lon, lat = shapely.get_coordinates(shapely.point_on_surface(np.asarray(spots.array))).T
    to_metric = between("EPSG:4326", metric)
    targets = gpd.GeoSeries([shapes[stem] for _, stem in pairs], crs=known.crs).to_crs(metric)
    here = np.column_stack([np.column_stack(to_metric.transform(*to_wgs84(lon, lat, name))) for name in DATUMS])
    here = here.reshape(len(pairs), len(DATUMS), 2)
    away = np.stack([shapely.distance(shapely.points(here[:, k]), targets.array) for k in range(len(DATUMS))])
    table["median_m"], table["p90_m"] = np.median(away, axis=1), np.quantile(away, 0.9, axis=1)
    table["moved_m"] = [float(np.median(np.hypot(*(here[:, k] - here[:, 0]).T))) for k in range(len(DATUMS))]
    for k, name in enumerate(DATUMS):
        table.loc[name, ["nearer", "farther", "leans", "winner"]] = _wins_by_names(away, k)
    table = table.astype({"leans": bool, "winner": bool})
    said = say("，").join(say("{0} {1:,.0f} 米", name, metres) for name, metres in table["median_m"].items())
    table["text"] = say("{0} 行的名称里有已知的地方，到那里的中位距离：{1}", len(pairs), said)
    return table


def _wins_by_names(away: Floats, k: int) -> tuple[int, int, bool, bool]:
    others = np.delete(away, k, axis=0)
    nearer = (others - away[k] > NAMED_BY_M).all(axis=0)
    # Against each other hypothesis on its own: a tie with one of them is no vote.
    farther = max(int((away[k] - other > NAMED_BY_M).sum()) for other in others)
    votes = [int((other - away[k] > NAMED_BY_M).sum()) for other in others]
    least = min(votes)
    there = float((away[k][(others - away[k] > NAMED_BY_M).any(axis=0)] <= NAMED_NEAR_M).mean()) if least else 0.0
    leans = least >= NAMED_HINT and not farther and there >= NAMED_SHARE
    wins = least >= NAMED_AT_LEAST and farther <= NAMED_AGAINST * least and there >= NAMED_SHARE
    return int(nearer.sum()), farther, leans, wins


def _stem(name: object) -> str:
    return without_brackets(str(name)).strip().removesuffix("社区")


def _by_name(known: gpd.GeoDataFrame) -> dict[str, Any]:
    """Return the shape of each name, those of one name together."""
    found: dict[str, list[Any]] = {}
    for name, shape in zip(known["name"], known.geometry, strict=True):
        if isinstance(name, str) and shape is not None and len(_stem(name)) >= 2:
            found.setdefault(_stem(name), []).append(shape)
    return {stem: shapely.union_all(shapes) for stem, shapes in found.items()}


def _namesake(name: object, shapes: Mapping[str, Any]) -> str:
    """Return the longest known name that a name contains; "" for none, or for two of one length."""
    if not isinstance(name, str):
        return ""
    said = without_brackets(name)
    hits = sorted((stem for stem in shapes if stem in said), key=lambda s: (-len(s), s))
    return hits[0] if hits and (len(hits) == 1 or len(hits[1]) < len(hits[0])) else ""


def _logs(away: Floats) -> Floats:
    return np.log(np.maximum(away, FLOOR_M))


def _scores(away: Floats) -> Floats:
    """Return how far each hypothesis stands out from the controls, in their standard deviations."""
    means = _logs(away).mean(axis=1)
    h = len(DATUMS)
    spread = max(float(means[h:].std()), 1e-9)
    scores: Floats = (means[h:].mean() - means[:h]) / spread
    return scores


def _wins(away: Floats, i: int) -> bool:
    """Whether hypothesis `i` is the datum, beyond what chance does here. Rows of `away`: hypotheses, then controls."""
    points = away.shape[1]
    if points < POINTS_AT_LEAST or float(np.median(away[i])) > NEAR_M:
        return False
    logs = _logs(away)
    nearer = np.delete(logs, i, axis=0) - logs[i]
    mean = nearer.mean(axis=1)
    if (mean <= 0).any():
        return False
    scores = _scores(away)
    if scores[i] >= STANDS_OUT and scores[i] - np.delete(scores, i).max() >= AHEAD:
        return True
    error = np.maximum(nearer.std(axis=1, ddof=1), SPREAD) / np.sqrt(points)
    others = len(DATUMS) - 1
    return bool(
        (mean >= ERRORS * error).all()
        and mean.min() >= np.log(RATIO_CONTROL)
        and mean[:others].min() >= np.log(RATIO_OTHER)
    )


def _verdict(table: pd.DataFrame) -> str:
    n = int(table["points"].iloc[0])
    medians = say("，").join(say("{0} {1:,.0f} 米", name, metres) for name, metres in table["median_m"].items())
    measured = say(
        "{0} 个点到参照图层的中位距离：{1}；随机挪动最好的一次 {2:,.0f} 米", n, medians, table["control_m"].iloc[0]
    )
    if n < POINTS_AT_LEAST:
        return say("只有 {0} 个点，少于 {1} 个，不作判断。{2}", n, POINTS_AT_LEAST, measured)
    if not table["winner"].any():
        first = str(table["median_m"].idxmin())
        hint = "" if first == "WGS84" else say("；{0} 的距离最小，可向提供者核实", first)
        return say("分不出是哪一种坐标，不作判断（不等于有错）{0}。{1}", hint, measured)
    winner = str(table.index[table["winner"].to_numpy()][0])
    if winner == "WGS84":
        return say("与参照图层吻合，是 WGS84／CGCS2000。{0}", measured)
    moved = float(table["moved_m"][winner])
    return say(
        "像是 {0}，整体偏了约 {1:,.0f} 米；请核实来源，按 {2} 转换后再用。{3}",
        say(DATUM_LABELS[winner]),
        moved,
        winner,
        measured,
    )


def _lonlat_points(frame: gpd.GeoDataFrame | gpd.GeoSeries, most: int = POINTS_AT_MOST) -> Floats:
    """Return longitudes and latitudes, as they stand, of at most `most` features evenly chosen."""
    if frame.crs is None:
        raise SourceError(say("图层没有声明坐标系；先声明（经纬度写 EPSG:4326），再判断"))
    shapes = np.asarray(frame.geometry.to_crs("EPSG:4326").array)
    shapes = shapes[~(shapely.is_missing(shapes) | shapely.is_empty(shapes))]
    if not len(shapes):
        raise SourceError(say("图层里没有要素，无从判断坐标"))
    chosen = np.unique(np.linspace(0, len(shapes) - 1, min(len(shapes), most)).round().astype(np.int64))
    xy: Floats = shapely.get_coordinates(shapely.point_on_surface(shapes[chosen]))
    _degrees(*xy.T)
    return xy


def _reference_shapes(given: References) -> gpd.GeoSeries:
    layers = [given] if isinstance(given, (gpd.GeoDataFrame, gpd.GeoSeries)) else list(given)
    if any(layer.crs is None for layer in layers):
        raise SourceError(say("参照图层没有声明坐标系"))
    layers = [layer.geometry for layer in layers if len(layer)]
    if not layers:
        raise SourceError(say("没有参照图层：至少要有街道、建筑或小区中的一种"))
    shapes = pd.concat([layer.to_crs(layers[0].crs) for layer in layers], ignore_index=True)
    return gpd.GeoSeries(shapes[shapes.notna() & ~shapes.is_empty], crs=layers[0].crs)


def _metric(shapes: gpd.GeoSeries) -> pyproj.CRS:
    """Return a CRS in metres: the references' own, or the UTM zone they lie in."""
    crs = pyproj.CRS(shapes.crs)
    metres = crs.is_projected and all(axis.unit_name == "metre" for axis in crs.axis_info)
    return crs if metres else pyproj.CRS(shapes.estimate_utm_crs())


@lru_cache(maxsize=16)
def between(start: pyproj.CRS | str, end: pyproj.CRS | str) -> pyproj.Transformer:
    """Return the transformer, east before north, kept: making one takes longer than everything else here."""
    return pyproj.Transformer.from_crs(start, end, always_xy=True)


def _distance(tree: shapely.STRtree, xy: Floats) -> Floats:
    _, metres = tree.query_nearest(shapely.points(xy), return_distance=True, all_matches=False)
    return np.asarray(metres, dtype=np.float64)


def _turn(step: int) -> Floats:
    """Return the matrix that turns row vectors by `step` of `DIRECTIONS`."""
    angle = 2.0 * np.pi * step / DIRECTIONS
    return np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
