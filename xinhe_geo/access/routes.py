"""Routes: the walk behind a number of the origin-destination table, leg by leg."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from ..core import TOLERANCE_M, NetworkError, Profile, UnknownNameError, say, well_called
from ..district import District, Named, must_be_district
from ..network import Leg, Way, straight, walked
from .destinations import destinations
from .entrances import entrances_of_open, home_entrances, home_points, places_open, walks_inside
from .walls import barriers_of, way_inside, without_stairs


class Trip(NamedTuple):
    """The least walk of a point: cost, metres, facility; the row of its way out and the way from there, or the walk inside its home."""

    cost: float
    metres: float
    facility: str
    way_out: int
    way: Way | None


class Trips:
    """The least walks from the points of homes to the nearest of some open facilities, as the origin-destination table has them."""

    def __init__(self, district: District, facilities: Iterable[str], walker: Profile | None) -> None:
        """`walker` None: the shortest walks, whoever walks."""
        asked = pd.Index(list(facilities))
        entrances, walks = entrances_of_open(district, walker), walks_inside(district, walker)
        self.district, self.walker = district, walker
        self.points = home_points(district)
        self.doors = home_entrances(district, walker)
        self.targets = entrances[entrances["place"].isin(asked) & (entrances["edge"] >= 0)].reset_index(drop=True)
        self.spots = entrances[entrances["place"].isin(asked)].drop_duplicates("place").set_index("place")
        self.same = walks[walks["target"].isin(asked)]
        self.tree = district.network.way_tree(self.targets, profile=walker)
        self._door_rows = self.doors.groupby("place").indices
        self._same_rows = self.same.groupby("place").indices
        # columns as arrays: each point of each home looks into them
        self._place, self._target = (f.to_numpy(object) for f in (self.targets["place"], self.same["target"]))
        self._metres = self.same["metres"].to_numpy(float)
        self._outs = tuple(self.doors[column].to_numpy() for column in ("edge", "at_m", "access_m"))
        self._unit = 1.0 if walker is None else 1.0 / walker.speed_m_s / 60.0

    def of(self, point: int) -> Trip | None:
        """Return the walk of a point: of those that cost the same the one to the facility that is first by id."""
        edge, at, access = self._outs
        found = []
        for row in self._door_rows.get(point, ()):
            way = self.tree.way(int(edge[row]), float(at[row]), float(access[row]))
            if way is not None:
                found.append(Trip(way.cost, way.metres, str(self._place[way.door]), int(row), way))
        for row in self._same_rows.get(point, ()):
            metres = float(self._metres[row])
            found.append(Trip(metres * self._unit, metres, str(self._target[row]), -1, None))
        return min(found, key=lambda trip: (trip.cost, trip.facility), default=None)

    def legs(self, point: int, trip: Trip) -> list[Leg]:
        """Return the legs of a point's walk."""
        spot = self.points.geometry.iloc[point]
        if trip.way is None:
            end = self.spots.loc[trip.facility]
            return self._inside(
                "inside", str(self.points["home"].iloc[point]), (spot, shapely.Point(end["x"], end["y"]))
            )
        return [*self._out(spot, trip), *self.tree.legs(trip.way), *self._in(trip)]

    def _inside(self, leg: str, home: str, ends: tuple[shapely.Point, shapely.Point]) -> list[Leg]:
        """Return the walk between two points of a home: round the corners of its wall where it has one, else straight."""
        homes, line = self.district.homes, shapely.LineString(ends)
        if homes is not None and home in self.district.walled_homes:
            line = way_inside(homes.geometry[home], *ends)
        return list(straight(leg, shapely.get_coordinates(line), self.walker))

    def _out(self, spot: shapely.Point, trip: Trip) -> list[Leg]:
        """Return the legs from a point to the street."""
        row, gates = self.doors.iloc[trip.way_out], self.district.gates
        foot = self.tree.spot(int(row["edge"]), float(row["at_m"]))
        if gates is not None and pd.notna(row["gate"]):
            gate = gates.geometry[row["gate"]]
            return [*self._inside("inside", str(row["home"]), (spot, gate)), *self._straight("access", gate, foot)]
        here = gpd.GeoSeries([spot], crs=self.district.crs)
        level = without_stairs(self.district, self.walker)
        home = pd.Series([row["home"]])
        outs = self.district.network.ways_out(here, barriers=barriers_of(self.district), home=home, profile=level)
        own = next(out for out in outs if (out.edge, out.at) == (row["edge"], row["at_m"]))
        return [walked(leg.leg, leg.street, leg.metres, self.walker, leg.geometry) for leg in own.legs]

    def _in(self, trip: Trip) -> list[Leg]:
        """Return the legs from the street into a facility: one to its entrance, and where that is a gate one from there on inside."""
        if trip.way is None:
            return []
        row, gates = self.targets.iloc[trip.way.door], self.district.gates
        foot, spot = self.tree.spot(int(row["edge"]), float(row["at_m"])), shapely.Point(row["x"], row["y"])
        if gates is None or pd.isna(row["gate"]):
            return self._straight("entrance", foot, spot)
        gate = gates.geometry[row["gate"]]
        return [*self._straight("entrance", foot, gate), *self._inside("entrance", str(row["inside"]), (gate, spot))]

    def _straight(self, leg: str, start: shapely.Point, stop: shapely.Point) -> list[Leg]:
        return list(straight(leg, shapely.get_coordinates([start, stop]), self.walker))


def corners_out(district: District, walker: Profile | None = None) -> dict[int, np.ndarray]:
    """
    Return where the ways out of homes bend: by row of `home_entrances`, the corners between its point and its gate, or without
    a gate its street. A way that is straight has no entry.

    Parameters
    ----------
    walker
        Who walks; counts where any street has stairs and the walker takes none.
    """
    doors, points, gates = home_entrances(district, walker), home_points(district), district.gates
    if doors.empty:
        return {}
    spots = points.geometry.reindex(doors["place"]).to_numpy()
    streets = district.network.edges.geometry.to_numpy()[doors["edge"].to_numpy()]
    ends = shapely.line_interpolate_point(streets, doors["at_m"].to_numpy(float))
    walked_m = doors["access_m"].to_numpy(float)
    by_gate = doors["gate"].notna().to_numpy()
    if gates is not None and by_gate.any():
        ends[by_gate] = gates.geometry.reindex(doors["gate"][by_gate]).to_numpy()
        walked_m = np.where(by_gate, doors["gate_metres"].to_numpy(float), walked_m)
    bent = np.flatnonzero(walked_m > shapely.distance(spots, ends) + TOLERANCE_M)
    found, shapes = dict[int, np.ndarray](), district.layers["homes"].geometry
    for row in bent[by_gate[bent]].tolist():
        way = way_inside(shapes[doors["home"].iloc[row]], spots[row], ends[row])
        found[row] = shapely.get_coordinates(way)[1:-1]
    on_lanes = bent[~by_gate[bent]]
    starts = list(dict.fromkeys(doors["place"].iloc[on_lanes]))
    outs = district.network.ways_out(
        points.geometry.reindex(starts).reset_index(drop=True),
        barriers=barriers_of(district),
        home=points["home"].reindex(starts).reset_index(drop=True),
        profile=without_stairs(district, walker),
    )
    legs = {(starts[out.point], out.edge, out.at): out.legs for out in outs}
    for row in on_lanes.tolist():
        one = doors.iloc[row]
        own = [leg.geometry for leg in legs[one["place"], one["edge"], one["at_m"]]]
        way = shapely.remove_repeated_points(shapely.linestrings(shapely.get_coordinates(own)))
        found[row] = shapely.get_coordinates(way)[1:-1]
    return found


@well_called
def route(
    district: District, home: Named, to: Named, *, profile: Named | None = None, point: int | None = None
) -> gpd.GeoDataFrame:
    """
    Return the walk from a home to a facility, or to the nearest of a kind, leg by leg.

    Parameters
    ----------
    district
        What `District.load` opened; it stays as it was.
    home
        Id, name or row of a home.
    to
        Id, name or row of an open facility; or a kind or rule: the nearest of it.
    profile
        Who walks. None: whom the rule is about where `to` is one, else an adult.
    point
        Number of the point of the home to start from (`access.home_points`). Default: the one whose minutes are the median of the
        home's, of equals the first.

    Returns
    -------
    GeoDataFrame
        In walking order. Columns `leg` ("inside" to the gate or along own lanes, "access" to the street, "street", "wait", "entrance"),
        `street` (id; missing off the street), `metres`, `minutes`, `point`, `facility`, geometry in the CRS of the district (a
        wait is a point). What follows on one street is one leg, whose name is in the layer
        (`legs.join(district.streets["name"], on="street")`). The minutes add up to those of the point's row of the
        origin-destination table.

    Raises
    ------
    UnknownNameError
        No such home, point, facility, kind, rule or profile.
    NetworkError
        There is no way from that point.
    ValueError
        No district, or a facility that is not open.
    """
    must_be_district(district)
    key, there = district.key("homes", home), destinations(district, to)
    walker, facilities = there.walker(district, profile), there.facilities
    if not facilities:
        kinds = places_open(district, inside_only=False)["kind"]
        raise UnknownNameError("开放的", str(to), list(dict.fromkeys(kinds)))
    trips = Trips(district, facilities, walker)
    own = trips.points.index[(trips.points["home"] == key).to_numpy()]
    if point is not None and point not in own:
        raise UnknownNameError("起点", f"{key} {point}", [str(number) for number in own])
    found = {number: trips.of(int(number)) for number in (own if point is None else [point])}
    # what cannot get there comes last, as in the medians of `coverage`
    order = sorted(found, key=lambda number: (np.inf if (trip := found[number]) is None else trip.cost, number))
    start = int(order[(len(order) - 1) // 2])
    trip = found[start]
    if trip is None:
        what = say("这一点") if point is not None else say("半数以上的点")
        raise NetworkError(
            say(
                "小区 {0} {1}走不到 {2}：路网不连通，或没有开放的出入口。用 point= 换一个起点，或换一类人群",
                key,
                what,
                to,
            )
        )
    table = district.network.legs_frame(trips.legs(start, trip))
    table.insert(4, "point", start)
    table.insert(5, "facility", trip.facility)
    return table
