"""Where a walk of a call goes to, or begins: a kind, a rule, one facility or several, a home, a point."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, TypeAlias, TypeGuard

import geopandas as gpd
import pandas as pd
import shapely

from ..core import Profile, Rule, WrongValueError, say
from ..district import District, Named, meant
from ..network import WalkNetwork
from .entrances import places_open

#: A position so far from every street is a mistake, in metres: nobody begins to walk there.
FAR_M = 20_000.0
#: A position: a point, or x and y; degrees (WGS84) where it can be nothing else, else metres in the CRS of the network.
Spot: TypeAlias = shapely.Point | tuple[float, float]


class Meant(NamedTuple):
    """What a name stands for: open facilities, of which kinds (none: of themselves) or measured in what; or a home. And who walks."""

    facilities: list[str]
    kinds: tuple[str, ...] = ()
    unit: str = ""
    home: str | None = None
    profile: str = "adult"

    def walker(self, district: District, profile: Named | None) -> Profile:
        """Return who walks: who is asked for, else whom the rule that was named is about, else an adult."""
        return district.profile(self.profile if profile is None else profile)


def destinations(district: District, said: Named, *, homes: bool = False, units: bool = False) -> Meant:
    """
    Return the open facilities that a kind, a rule or a facility stands for; with `homes` it may be a home as well, with
    `units` (not both) what places are measured in.

    Raises
    ------
    UnknownNameError
        No such thing.
    WrongValueError
        A facility that is not open.
    """
    places = places_open(district, inside_only=False)
    if isinstance(said, Rule):
        return _of_rule(places, district.rule(said))
    measured = places["capacity_unit"].dropna().unique() if units and "capacity_unit" in places else ()
    every = [
        pd.DataFrame(index=district.kinds.index[:0]) if t is None else t for t in (district.facilities, district.homes)
    ]
    more = every[1] if homes else pd.DataFrame(index=pd.Index(measured, name="capacity_unit"))
    what = "设施、类别、规则或小区" if homes else "设施、类别、规则或计量单位" if units else "设施、类别或规则"
    number, key = meant(what, said, every[0], district.kinds, district.rules, more)
    if number == 3 and homes:
        return Meant([], home=key)
    if number == 3:
        own = places[(places["capacity_unit"] == key).to_numpy()]
        return Meant(list(map(str, own.index)), tuple(dict.fromkeys(map(str, own["kind"]))), unit=key)
    if number == 2:
        return _of_rule(places, district.rule(key))
    if number == 1:
        return Meant(_of_kinds(places, [key]), (key,))
    if key not in places.index:
        row = every[0].loc[key]
        raise WrongValueError(
            say(
                "设施 {0}（{1}）在 {2} 年没有开放（state：{3}）；看别的年份用 district.at(年)，"
                "把规划的也算上用 district.at(年, planned=True)",
                row["name"],
                key,
                district.year,
                row["state"],
            )
        )
    return Meant([key])


def _of_rule(places: gpd.GeoDataFrame, rule: Rule) -> Meant:
    return Meant(_of_kinds(places, rule.kinds), rule.kinds, profile=rule.profile)


def _of_kinds(places: gpd.GeoDataFrame, kinds: Iterable[str]) -> list[str]:
    return [str(key) for key in places.index[places["kind"].isin(list(kinds)).to_numpy()]]


def is_spot(given: object) -> TypeGuard[Spot]:
    """Return whether a value is a position."""
    if isinstance(given, shapely.Point):
        return True
    return isinstance(given, tuple) and len(given) == 2 and all(isinstance(v, (int, float)) for v in given)


def spot_of(network: WalkNetwork, given: Spot) -> gpd.GeoSeries:
    """Return a position as a series of one point in the CRS of the network, or in degrees."""
    point = shapely.Point(given)
    west, south, east, north = network.nodes.total_bounds
    inside = west <= point.x <= east and south <= point.y <= north
    degrees = not inside and abs(point.x) <= 180 and abs(point.y) <= 90
    spot = gpd.GeoSeries([point], index=["0"], crs="EPSG:4326" if degrees else network.crs)
    there = spot.to_crs(network.crs).distance(shapely.box(west, south, east, north)).iloc[0]
    if not there <= FAR_M:  # infinite where it is nowhere
        raise WrongValueError(
            say(
                "位置 ({0:g}, {1:g}) 离街道 {2:,.0f} 千米：度数先写经度、再写纬度（WGS84），米数按街道的坐标系 {3} 写",
                point.x,
                point.y,
                there / 1000,
                network.crs.name,
            )
        )
    return spot
