"""Where one can be within so many minutes: reached street pieces, cut exactly, with their frontage."""

from __future__ import annotations

from collections.abc import Sequence

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from ..core import Profile, UnknownNameError
from ..district import District
from ..network import WalkNetwork, frontage
from .entrances import entrances_of_open, places_open

# --- isochrones ------------------------------------------------------------------------------------------------------


def isochrones(
    where: District | WalkNetwork,
    places: str | gpd.GeoSeries | gpd.GeoDataFrame,
    *,
    minutes: Sequence[float] = (5, 10, 15),
    metres: Sequence[float] | None = None,
    profile: str | Profile = "adult",
    frontage_m: float = 25.0,
    each: bool = False,
) -> gpd.GeoDataFrame:
    """
    Draw what can be reached on foot: the reached street pieces, cut exactly, with the frontage along them.

    Parameters
    ----------
    where
        A district, or a bare network.
    places
        A kind of the district (all its open facilities), or points in any CRS (index: their labels).
    minutes, metres
        Limits; `metres` instead of `minutes` where given.
    profile
        Who walks; a name needs a district.
    frontage_m
        How far from a reached street a point may lie to count as reached, in metres.
    each
        One polygon per place and limit instead of one per limit.

    Returns
    -------
    rings
        Index `minutes` (or `metres`), with `place` first where `each`; columns `area_m2`, `street_m` (reached street),
        `profile` (who walks, in words; missing for metres), geometry in the network's CRS. Smaller limits lie inside larger ones; holes are kept.

    Raises
    ------
    UnknownNameError
        No such kind or profile.
    ValueError
        A limit or `frontage_m` that is not above 0.
    """
    network, entrances, walker = _start(where, places, profile, timed=metres is None)
    limits = sorted({float(v) for v in (minutes if metres is None else metres)})
    if not limits or limits[0] <= 0 or not np.isfinite(limits).all():
        raise ValueError("时间或距离必须是大于 0 的数")
    if not 0 < frontage_m < np.inf:
        raise ValueError("街道两侧宽度 frontage_m 必须大于 0")
    pieces = network.pieces(entrances, limits, profile=walker if metres is None else None, each=each)
    name = "minutes" if metres is None else "metres"
    lines, street, first = network.cut(pieces), pieces.to_m - pieces.from_m, np.ones(len(pieces.edge), np.bool_)
    if len(limits) > 1:  # what a smaller limit reached whole is drawn already
        first = ~pd.DataFrame(dict(enumerate((pieces.place, *pieces[3:])))).duplicated().to_numpy()
    rows, shapes = [], []
    for place in np.unique(pieces.place) if each else (0,):
        own = np.arange(*np.searchsorted(pieces.place, [place, place + 1]))
        inner: shapely.Geometry | None = None
        for limit in limits:
            within = own[pieces.limit[own] == limit]
            shape = frontage(lines[within[first[within]]], frontage_m)
            inner = shape if inner is None else shapely.union(inner, shape)
            rows.append((pieces.places[place] if each else None, limit, inner.area, float(street[within].sum())))
            shapes.append(inner)
    label, limit_labels, area, length = zip(*rows, strict=True) if rows else ((), (), (), ())
    index = pd.Index(limit_labels, dtype="float64", name=name)
    if each:
        index = pd.MultiIndex.from_arrays([pd.Index(label, tupleize_cols=False), index], names=["place", name])
    who = pd.array([walker.label if metres is None else np.nan] * len(rows), dtype="str")
    columns = {"profile": who, "area_m2": np.array(area, float), "street_m": np.array(length, float)}
    return gpd.GeoDataFrame(columns, geometry=shapes, index=index, crs=network.crs)


def _start(
    where: District | WalkNetwork,
    places: str | gpd.GeoSeries | gpd.GeoDataFrame,
    profile: str | Profile,
    *,
    timed: bool,
) -> tuple[WalkNetwork, pd.DataFrame, Profile]:
    """Return network, entrances and walker of an isochrone call."""
    if isinstance(where, District):
        walker = where.profile(profile)
        network = where.network
        if isinstance(places, str):
            if places not in where.kinds.index:
                raise UnknownNameError("设施类别", places, list(where.kinds.index))
            facilities, entrances = (
                places_open(where, inside_only=False),
                entrances_of_open(where, walker if timed else None),
            )
            entrances = entrances[entrances["place"].isin(facilities.index[(facilities["kind"] == places).to_numpy()])]
            return network, entrances[entrances["edge"] >= 0], walker
    else:
        network = where
        if not isinstance(profile, Profile):
            profile = Profile(profile, profile, 1.1) if profile == "adult" else _needs_district(profile)
        walker = profile
        if isinstance(places, str):
            raise UnknownNameError("设施类别（只有网络、没有街道数据时给点位）", places, ())
    entrances = network.attach(places, profile=walker if timed else None)
    there = entrances["edge"].to_numpy() >= 0
    return network, entrances if there.all() else entrances[there], walker


def _needs_district(name: str) -> Profile:
    raise UnknownNameError("步行人群（只有网络时请给 Profile 值）", name, ("adult",))
