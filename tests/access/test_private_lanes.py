"""A lane of a home whose gates are known is worth nothing to anybody: with such lanes and without them every answer is the same."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from clock import seeds
from oracle import districts
from shapely.geometry import LineString

import xinhe_geo as xh
from xinhe_geo.access import od_tables
from xinhe_geo.maps.live_model import LiveModel


def crossed(district: xh.District) -> xh.District:
    """
    Return the district with lanes across every home with gates, from its middle to the five nearest nodes of public streets.

    To nodes: a lane that begins half way along a street divides it, and who cannot see the nearest point of the whole may see that
    of a part.
    """
    rows = dict(district.rows)
    homes, streets = rows["homes"], rows["streets"]
    public = streets[streets["home"].isna().to_numpy()]
    vertices = shapely.get_coordinates(district.network.nodes.geometry.array)
    lines, owners = [], []
    for home in [h for h in homes.index if h in set(rows["gates"]["home"])]:
        middle = np.array(homes.geometry[home].centroid.coords[0])
        for vertex in vertices[np.argsort(np.hypot(*(vertices - middle).T))[:5]]:
            lines.append(LineString([vertex, middle]))
            owners.append(home)
    lanes = gpd.GeoDataFrame(pd.concat([public.iloc[:1]] * len(lines)), crs=streets.crs)
    lanes.index = pd.Index([f"X{n}" for n in range(len(lines))], name=streets.index.name)
    lanes = lanes.assign(home=owners, steps=False, wait_s=np.nan).set_geometry(lines, crs=streets.crs)
    for column in lanes.columns.intersection(["since", "until"]):
        lanes[column] = pd.array([pd.NA] * len(lanes), dtype="Int64")
    return district.with_rows({**rows, "streets": pd.concat([streets, lanes])})


def same(one: pd.DataFrame, other: pd.DataFrame) -> None:
    columns = [c for c in one.columns if "edge" not in str(c) and c != "geometry"]
    pd.testing.assert_frame_equal(
        pd.DataFrame(one[columns]), pd.DataFrame(other[columns]), check_dtype=False, rtol=0, atol=1e-6
    )


@pytest.mark.slow
@pytest.mark.parametrize("seed", seeds(0, 2, 12))
def test_lanes_of_homes_with_gates_change_nothing(tmp_path: Path, seed: int) -> None:
    """Cost tables, coverage, headlines, gaps, curves, isochrones, routes, sites and the live map."""
    plain = xh.District.load(districts.write(tmp_path, seed))
    lanes = crossed(plain)
    assert lanes.network.edges["home"].notna().sum() > 20
    both = plain, lanes
    kinds = sorted(set(plain.open_facilities["kind"]))
    for profile in ("adult", "wheelchair"):
        tables = [od_tables(district, kinds, profile=profile) for district in both]
        for kind in kinds:
            same(tables[0][kind], tables[1][kind])
    covers = [xh.coverage(district) for district in both]
    same(*covers)
    rule = "plan_clinic_15"
    for told in (xh.headlines, lambda district, cover: xh.gaps(district, cover, rule)):
        same(*(told(district, cover) for district, cover in zip(both, covers, strict=True)))
    same(*(xh.curve(district, kinds[0], minutes=range(0, 20, 5)) for district in both))
    places = list(plain.open_facilities.index[:4])
    same(*(xh.isochrones(district, places, minutes=(3, 6), each=True)[["street_m"]] for district in both))
    for home in list(plain.homes.index)[:6]:
        routes = []
        for district in both:
            try:
                routes.append(xh.route(district, home, places[0])["minutes"].sum())
            except xh.XinheError:
                routes.append(np.inf)
        assert routes[0] == pytest.approx(routes[1])
    same(*(xh.sites(district, "canteen", 1, assume_complete=True).select_dtypes("number") for district in both))
    counts = []
    for district in both:
        model = LiveModel(district)
        model.ask("canteen")
        answer = model.count(model.plan)
        counts.append(pd.DataFrame({"share": answer.share, "cost": answer.cost}))
    same(*counts)
