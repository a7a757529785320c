"""Which projected coordinate system a district is measured in, and why: known from where it lies."""

from __future__ import annotations

from typing import NamedTuple

import geopandas as gpd
import pyproj
import shapely
from pyproj.aoi import AreaOfInterest
from pyproj.database import query_crs_info
from pyproj.enums import PJType

from .incoming import LONLAT

#: How the register of coordinate systems calls the zones Chinese surveys are drawn in; their eastings carry no zone number.
_ZONE = "CGCS2000 / 3-degree Gauss-Kruger CM "


class LocalCrs(NamedTuple):
    """A projected CRS in metres, and why it was chosen (Chinese)."""

    crs: pyproj.CRS
    why: str


def local_crs(lon: float, lat: float) -> LocalCrs:
    """
    Return the CRS to measure in around a point: what surveys there are drawn in, else one that keeps lengths there.

    Parameters
    ----------
    lon, lat
        Degrees, WGS 84.

    Returns
    -------
    LocalCrs
        In China the three-degree zone of CGCS2000 the point lies in; elsewhere its UTM zone; where neither reaches (near
        the poles) a transverse Mercator through the point.
    """
    here = AreaOfInterest(lon, lat, lon, lat)
    zones = query_crs_info("EPSG", PJType.PROJECTED_CRS, area_of_interest=here, contains=True)
    known = sorted((zone for zone in zones if zone.name.startswith(_ZONE)), key=lambda zone: (zone.name, zone.code))
    if known:
        crs = min(
            (pyproj.CRS.from_authority(z.auth_name, z.code) for z in known), key=lambda c: abs(_meridian(c) - lon)
        )
        return LocalCrs(
            crs, f"{crs.name}：在国内，取 CGCS2000 三度带，中央经线 {_meridian(crs):g}°，与国内测绘成果一致"
        )
    try:
        crs = gpd.GeoSeries([shapely.Point(lon, lat)], crs=LONLAT).estimate_utm_crs()
    except RuntimeError:
        crs = pyproj.CRS(f"+proj=tmerc +lat_0={lat:.2f} +lon_0={lon:.2f} +x_0=500000 +datum=WGS84 +units=m")
        return LocalCrs(crs, "当地的横轴墨卡托：UTM 带不到这里")
    return LocalCrs(crs, f"{crs.name}：不在 CGCS2000 三度带的使用范围内，取当地 UTM 带")


def _meridian(crs: pyproj.CRS) -> float:
    """Return the central meridian of a transverse Mercator, in degrees."""
    operation = crs.coordinate_operation
    params = [] if operation is None else operation.params
    return next(float(p.value) for p in params if p.name == "Longitude of natural origin")
