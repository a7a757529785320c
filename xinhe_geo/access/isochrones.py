"""Where one can be within so many minutes: reached street pieces, cut exactly, with their frontage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias, cast

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from ..core import Profile, UnknownNameError, WrongValueError, limits_of, say, well_called
from ..district import District, Named
from ..network import Graph, WalkNetwork, frontage, network_of
from .destinations import Meant, Spot, destinations, is_spot, spot_of
from .entrances import entrances_of_open, home_entrances

#: What an isochrone begins at.
Places: TypeAlias = Named | Sequence[Named] | gpd.GeoSeries | gpd.GeoDataFrame | Spot

# --- isochrones ------------------------------------------------------------------------------------------------------


@well_called
def isochrones(
    where: District | WalkNetwork | Graph,
    places: Places,
    *,
    minutes: float | Sequence[float] = (5, 10, 15),
    metres: float | Sequence[float] | None = None,
    profile: Named | None = None,
    frontage_m: float = 25.0,
    each: bool = False,
) -> gpd.GeoDataFrame:
    """
    Draw what can be reached on foot: the reached street pieces, cut exactly, with the frontage along them.

    Parameters
    ----------
    where
        A district, a bare network, or a graph of OSMnx.
    places
        A kind or rule of the district (all its open facilities), a facility or a home, each by code, name or row, or a list of
        such; points in any CRS (index: their labels); or one position: a point, or x and y, in metres in the CRS of the network or
        in degrees (WGS84). A network alone knows positions only.
    minutes, metres
        Limits in minutes or metres, one or several; `metres` instead of `minutes` where given.
    profile
        Who walks; a name needs a district. None: whom the rule is about where `places` is one, else an adult.
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
        No such kind, rule, facility, home or profile.
    ValueError
        A limit or `frontage_m` that is not above 0; a facility that is not open; one position more than 20 km from every street.
    """
    limits = limits_of(minutes, "minutes") if metres is None else limits_of(metres, "metres")
    (frontage_m,) = limits_of(frontage_m, "frontage_m")
    network, entrances, walker = _start(where, places, profile, timed=metres is None)
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
    where: District | WalkNetwork | Graph, places: Places, profile: Named | None, *, timed: bool
) -> tuple[WalkNetwork, pd.DataFrame, Profile]:
    """Return network, entrances and walker of an isochrone call."""
    if not isinstance(where, District):
        network, walker = network_of(where), _walker(profile)
        if not isinstance(places, gpd.base.GeoPandasBase) and not is_spot(places):
            raise WrongValueError(
                say("只有路网、没有街道数据：这里给点位（GeoSeries，或一个点），类别和名称要用 District 才认得")
            )
    else:
        named = [] if isinstance(places, gpd.base.GeoPandasBase) or is_spot(places) else _named(where, places)
        walker = (named[0] if len(named) == 1 else Meant([])).walker(where, profile)
        network = where.network
    level = walker if timed else None
    if is_spot(places):
        places = spot_of(network, places)
    if isinstance(places, gpd.base.GeoPandasBase):
        entrances = network.attach(places, profile=level)
    elif isinstance(where, District):
        entrances = _named_doors(where, named, level)
    there = entrances["edge"].to_numpy() >= 0
    return network, entrances if there.all() else entrances[there], walker


def _named(district: District, places: Named | Sequence[Named]) -> list[Meant]:
    """Return what is named, one by one."""
    several = isinstance(places, Sequence) and not isinstance(places, str) and not hasattr(places, "_asdict")
    asked = cast("Sequence[Named]", places) if several else [cast("Named", places)]
    return [destinations(district, said, homes=True) for said in asked]


def _named_doors(district: District, found: Sequence[Meant], level: Profile | None) -> pd.DataFrame:
    """Return where what is named is entered: facilities by their entrances, a home by the ways out of its points."""
    facilities = {key for own in found for key in own.facilities}
    homes = {own.home for own in found if own.home is not None}
    doors = entrances_of_open(district, level)
    parts = [doors[doors["place"].isin(facilities)]]
    if homes:
        out = home_entrances(district, level)
        parts.append(out[out["home"].isin(homes)].assign(place=lambda rows: rows["home"]))
    return pd.concat(parts, ignore_index=True) if homes else parts[0]


def _walker(profile: Named | None) -> Profile:
    """Return who walks where there is no district to ask."""
    if isinstance(profile, Profile):
        return profile
    if profile is None or profile == "adult":
        return Profile("adult", "adult", 1.1)
    raise UnknownNameError("步行人群（只有路网时请给 Profile 值）", profile, ("adult",))
