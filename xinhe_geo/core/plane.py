"""The plane that a place on earth is measured in where nobody names one: metres there are metres on the ground."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import pyproj
import pyproj.network
from pyproj.crs import ProjectedCRS
from pyproj.crs.coordinate_operation import TransverseMercatorConversion

# Where the environment allows it (PROJ_NETWORK, which Conda sets), an old datum that a folder names would fetch grids.
pyproj.network.set_network_enabled(False)  # type: ignore[attr-defined]

#: Families of national zones in which offices keep their maps, by the name and the width in degrees: taken as they are where one
#: covers the place. Their scale is 1 on the central meridian and at most 2 in 10,000 more at the edge.
NATIONAL_ZONES = {"CGCS2000 / 3-degree Gauss-Kruger CM {0}E": 3}
#: So far (degrees) may an extent reach beyond a national zone that it is computed in.
BEYOND_ZONE = 0.5
#: The centre of a plane in degrees has so many decimals (a kilometre): extracts that differ little lie in the same plane.
CENTRE_DECIMALS = 2


def plane_of(west: float, south: float, east: float, north: float) -> pyproj.CRS:
    """
    Return the projected CRS in metres that an extent on earth is computed in where nobody names one.

    A national zone where one covers the extent, else a transverse Mercator of scale 1 through the middle: 20 km east or west of it
    a metre is 5 millionths too long, where a UTM zone is off by up to 400, and 300 km away a thousandth. It has no code; its text
    is WKT.

    Parameters
    ----------
    west, south, east, north
        Degrees (WGS 84).
    """
    middle = round((west + east) / 2.0, CENTRE_DECIMALS), round((south + north) / 2.0, CENTRE_DECIMALS)
    return _national(*middle, west, east) or _local(*middle)


def _national(lon: float, lat: float, west: float, east: float) -> pyproj.CRS | None:
    for name, width in NATIONAL_ZONES.items():
        try:
            zone = pyproj.CRS.from_user_input(name.format(round(lon / width) * width))
        except pyproj.exceptions.CRSError:
            continue
        area = zone.area_of_use
        if area is None or not (area.west <= lon <= area.east and area.south <= lat <= area.north):
            continue
        if area.west - BEYOND_ZONE <= west and east <= area.east + BEYOND_ZONE:
            return zone if (code := zone.to_authority()) is None else pyproj.CRS.from_authority(*code)
    return None


def _local(lon: float, lat: float) -> pyproj.CRS:
    found = ProjectedCRS(
        conversion=TransverseMercatorConversion(
            latitude_natural_origin=lat,
            longitude_natural_origin=lon,
            false_easting=500000.0,
            false_northing=0.0,
            scale_factor_natural_origin=1.0,
        ),
        name=f"Local transverse Mercator {abs(lon):g}{'E' if lon >= 0 else 'W'} {abs(lat):g}{'N' if lat >= 0 else 'S'}",
        geodetic_crs=pyproj.CRS("EPSG:4326").geodetic_crs,
    )
    return pyproj.CRS.from_wkt(found.to_wkt())


def stretch_over(crs: pyproj.CRS, bounds: Iterable[float]) -> tuple[float, float]:
    """Return by how much a plane stretches lengths in the middle of an extent, and where it does so most: 0.001 is a metre a kilometre."""
    west, south, east, north = bounds
    x, y = np.meshgrid(np.linspace(west, east, 3), np.linspace(south, north, 3))
    projection = pyproj.Proj(
        crs
    )  # degrees of its own datum are near enough here, and a transformer takes long to build
    lon, lat = projection(x.ravel(), y.ravel(), inverse=True)
    stretch = np.sqrt(projection.get_factors(lon, lat).areal_scale) - 1
    return float(stretch[4]), float(stretch[np.argmax(np.abs(stretch))])


#: How the text of a CRS sends its reader to a file: for grids, for models, for settings by name.
_OF_FILES = re.compile(r"(?<![a-z0-9_])(init|\w*grids|file|model|catalog)\s*=|parameter_?file", re.IGNORECASE)


def crs_of(said: object) -> pyproj.CRS:
    """
    Return the CRS that a manifest or a file names: by code, WKT or parameters.

    Raises
    ------
    pyproj.exceptions.CRSError
        None that is known, or one that would be looked up in a file: whoever wrote it does not say what is opened here.
    """
    if _OF_FILES.search(str(said)):
        raise pyproj.exceptions.CRSError(str(said))
    found = pyproj.CRS.from_user_input(said)
    if _OF_FILES.search(found.to_wkt()):
        raise pyproj.exceptions.CRSError(str(said))
    return found


def crs_text(crs: pyproj.CRS) -> str:
    """Return a CRS as a file holds it: its code, or, of one that has none, WKT."""
    code = crs.to_authority()
    return ":".join(code) if code else str(crs.to_wkt())


def crs_label(text: str, *, named: bool = False) -> str:
    """Return what people read of a CRS as a file holds it: as it is (`named`: after its name), but of WKT the name alone."""
    name = str(crs_of(text).name)
    if "[" in text or "{" in text:
        return name
    return f"{name} ({text})" if named else text
