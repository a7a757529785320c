"""
Where a walk begins and ends: the points of a home, its gates, the entrances of a facility.

A home is a polygon inside a wall, stood for by evenly spread points; a point walks straight to each
gate (inside the wall), then the street; where no gate is known, straight to the nearest street or lane of its own, and
along that to each of its mouths. Inner lanes carry nobody else. A facility has entrances, or
the gates of the compound it stands in, or the edge of its park, or the nearest street. Who lives around a facility walks to
it without the street. Straight-line, street and time measures all run between these same entrances, so a straight
line is never longer than a walk.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from ..core import Profile, say
from ..district import District
from .walls import (
    barriers_of,
    changed_walls,
    pairs_of_coordinates,
    roomy,
    rows_of_each,
    walk_inside,
    ways_by_gates,
    without_stairs,
)

#: Spacing of the points that stand for a home, and their greatest number.
POINT_SPACING_M = 50.0
POINTS_AT_MOST = 64
#: A cell is no compound with a wall: whoever lives in it may live anywhere in it, which so many points say.
CELL_POINTS_AT_MOST = 16
#: Spacing of the entrances along the edge of a place without entrances, and how far its edge may lie from the street.
EDGE_SPACING_M = 20.0
EDGE_ENTRANCES_AT_MOST = 200
EDGE_TO_STREET_M = 30.0
#: A place this near to a public street stands on it, not in the home around it: drawn coordinates are no better.
ON_STREET_M = 0.6
ENTRANCE_COLUMNS = ("place", "home", "edge", "at_m", "access_m", "gate_metres", "gate_known", "gate", "anew")


# --- homes -----------------------------------------------------------------------------------------------------------


#: What the walk from a home to the street rests on.
WAY_OUT = ("homes", "gates", "streets", "barriers")
#: What the entrances of facilities rest on, but for the homes that they stand in.
STREET_SIDE = ("streets", "barriers", "entrances")


def _kept(
    district: District, key: Hashable, make: Callable[[District], pd.DataFrame], reads: Sequence[str] = ()
) -> pd.DataFrame:
    """
    Return a derived table of a district, made once: the same frame for everybody, which nobody writes to.

    `reads` are the layers it rests on: where these are as in the district that this one was made from, it is made there.
    """
    if key not in district.memo:
        origin = district.kin(reads) if reads else None
        district.memo[key] = make(district) if origin is None else _kept(origin, key, make, reads)
    found: pd.DataFrame = district.memo[key]
    return found


def home_points(district: District) -> gpd.GeoDataFrame:
    """
    Spread the points that stand for each home.

    Returns
    -------
    points
        Index `point` (0..n-1, in the order of the homes); columns `home`, `weight` (share of the home, adds up to 1 per
        home), geometry in the district's CRS. About one point per 50 m x 50 m, at most 64 (of a cell 16); a point home is itself.
    """
    return _kept(district, "home_points", _home_points, ("homes",))


def starts_in_words(district: District) -> str:
    """Say from where walks start: from points all over homes that have an outline, else from the one point a home is."""
    homes = district.homes
    flat = [True] if homes is None or homes.empty else list(homes.geometry.area == 0)
    if not any(flat):
        return say("从小区内均匀分布的点出发")
    return say(
        "小区在图上只是一个点，从这个点出发"
        if all(flat)
        else "从小区内均匀分布的点（图上只是一个点的小区从这个点）出发"
    )


def _home_points(district: District) -> gpd.GeoDataFrame:
    homes = district.layers.get("homes")
    if homes is None or homes.empty:
        return gpd.GeoDataFrame({"home": [], "weight": []}, geometry=[], crs=district.crs)
    most = CELL_POINTS_AT_MOST if district.cells else POINTS_AT_MOST
    shapes = homes.geometry.to_numpy()
    middles, flat = shapely.centroid(shapes), shapely.area(shapes) == 0
    parts = [middles[i : i + 1] if flat[i] else _spread(shape, most) for i, shape in enumerate(shapes)]
    counts = np.array([len(p) for p in parts])
    return gpd.GeoDataFrame(
        {"home": np.repeat(np.asarray(homes.index, dtype=object), counts), "weight": np.repeat(1.0 / counts, counts)},
        geometry=np.concatenate(parts),
        crs=district.crs,
        index=pd.RangeIndex(int(counts.sum()), name="point"),
    )


def _spread(shape: shapely.Geometry, most: int) -> np.ndarray:
    """Return points evenly spread in a polygon: the centres of a square grid that fall inside."""
    wanted = min(max(round(shape.area / POINT_SPACING_M**2), 1), most)
    if wanted == 1:
        return np.array([shapely.point_on_surface(shape)])
    step = float(np.sqrt(shape.area / wanted))
    west, south, east, north = shape.bounds
    nx, ny = max(round((east - west) / step), 1), max(round((north - south) / step), 1)
    x = west + (np.arange(nx) + 0.5) * (east - west) / nx
    y = south + (np.arange(ny) + 0.5) * (north - south) / ny
    grid = shapely.points(*(a.ravel() for a in np.meshgrid(x, y)))
    shapely.prepare(shape)
    inside = grid[shapely.contains(shape, grid)]
    return inside if len(inside) else np.array([shapely.point_on_surface(shape)])


def home_entrances(district: District, walker: Profile | None = None) -> pd.DataFrame:
    """
    Return every way out of every point of `home_points`: one row per point and gate, or mouth of its home's lanes.

    Parameters
    ----------
    walker
        Who walks; counts where any street has stairs and the walker takes none: their doors are on streets without.

    Returns
    -------
    entrances
        Columns `place` (the point), `home`, `edge`, `at_m`, `access_m` (metres before the public street: straight, and along
        the home's own lanes), `gate_metres` (of these, to the gate), `gate_known`, `gate` (its id), `anew` (after a plan: the point had lost all
        its ways out, so that nothing follows from a shorter walk). A point without a way out has no row.
    """
    level = without_stairs(district, walker)
    key = "home_entrances", level is not None
    return _kept(district, key, lambda own: _home_entrances(own, home_points(own), level), WAY_OUT)


def _home_entrances(district: District, points: gpd.GeoDataFrame, level: Profile | None) -> pd.DataFrame:
    homes, walled = points["home"].to_numpy(object), district.walled_homes
    by_gates = ways_by_gates(district, homes, points.geometry.to_numpy(), level)
    rows = np.flatnonzero([home not in walled for home in homes])
    others = _without_gates(district, homes, points.geometry, rows, level)
    ways = {name: np.concatenate([by_gates[name], others[name]]) for name in by_gates}
    order = np.lexsort((ways["access_m"], ways["spot"]))
    ways = {name: values[order] for name, values in ways.items()}
    return pd.DataFrame(
        {
            "place": points.index.to_numpy()[ways["spot"]],
            "home": homes[ways["spot"]],
            **{name: ways[name] for name in ("edge", "at_m", "access_m", "gate_metres")},
            "gate_known": order < len(by_gates["spot"]),
            "gate": pd.array(ways["gate"], dtype="str"),
            "anew": ways["anew"],
        }
    )


def _without_gates(
    district: District, homes: np.ndarray, points: gpd.GeoSeries, rows: np.ndarray, level: Profile | None
) -> dict[str, np.ndarray]:
    """
    Points of homes whose gates are not known walk straight to the nearest street they can reach, public or an own lane.

    From a lane they come out at every mouth of it. `rows`: which of the points.
    """
    own = homes[rows]
    spots = points.iloc[rows].reset_index(drop=True)
    feet = district.network.stand(spots, barriers=barriers_of(district), home=pd.Series(own), profile=level)
    feet = feet[(feet["edge"] >= 0).to_numpy()]
    spot, anew = feet["place"].to_numpy(np.int64), feet["anew"].to_numpy(bool)
    ground = district.ground
    if ground is not None and ground.gates is not None:  # its gates are gone from the layer
        anew = anew | pd.Index(own[spot]).isin(ground.gates["home"])
    ways = {name: feet[name].to_numpy() for name in ("edge", "at_m", "access_m")}
    blank = np.full(len(spot), np.nan)
    return {"spot": rows[spot], **ways, "gate_metres": blank, "gate": blank.astype(object), "anew": anew}


# --- facilities ------------------------------------------------------------------------------------------------------


def facility_entrances(district: District, facilities: gpd.GeoDataFrame, walker: Profile | None = None) -> pd.DataFrame:
    """
    Return every entrance of every facility.

    Parameters
    ----------
    facilities
        Points or areas in the CRS of the district; index: their ids.
    walker
        Who walks; counts where any street has stairs and the walker takes none.

    Returns
    -------
    entrances
        Columns `place` (facility), `edge`, `at_m`, `access_m`, `x`, `y` (the entrance itself, for straight lines), `inside`
        (the home it stands in, whose residents walk to it without the street), `gate` (id of the gate of that home), `anew` (after a plan: it had lost all its
        entrances from the street). `edge` is -1 where no street can be reached.
    """
    spots = _spots(district, facilities)
    level = without_stairs(district, walker)
    feet = district.network.stand(spots.at, barriers=barriers_of(district), profile=level)
    streets, near = _by_street(spots, feet)
    own = ~spots.drawn  # drawn entrances say themselves where a place is entered
    around = _home_around(district, facilities)[spots.number]
    inside = np.where(own & ~(near.now <= ON_STREET_M), around, "")
    walled = np.array([home in district.walled_homes for home in inside.tolist()], dtype=bool)
    gates = ways_by_gates(district, inside, spots.at.to_numpy(), level)
    gates["anew"] = gates["anew"] | (near.first <= ON_STREET_M)[gates["spot"]]
    by_wall = streets["added"] & (streets["access_m"] <= ON_STREET_M)
    streets = {name: values[~walled[streets["spot"]] | by_wall] for name, values in streets.items()}
    entered = np.zeros(len(walled), np.bool_)
    entered[np.concatenate([gates["spot"], streets["spot"]])] = True
    shut = np.flatnonzero(walled & ~entered)
    nothing = np.full(len(shut), np.nan)
    streets["gate"] = np.full(len(streets["spot"]), np.nan, dtype=object)
    closed = {"spot": shut, "edge": np.full(len(shut), -1), "at_m": nothing, "access_m": nothing}
    closed |= {"gate": nothing.astype(object), "anew": np.zeros(len(shut), np.bool_)}
    ways = {name: np.concatenate([part[name] for part in (streets, gates, closed)]) for name in closed}
    rank = np.argsort(facilities.index.argsort())[spots.number]
    order = np.lexsort((ways["access_m"], rank[ways["spot"]]))
    ways = {name: values[order] for name, values in ways.items()}
    spot = ways["spot"]
    xy = shapely.get_coordinates(spots.at.to_numpy()).reshape(-1, 2)[spot]
    return pd.DataFrame(
        {
            "place": facilities.index.to_numpy(object)[spots.number[spot]],
            "edge": ways["edge"].astype(np.int32),
            "at_m": ways["at_m"],
            "access_m": ways["access_m"],
            "x": xy[:, 0],
            "y": xy[:, 1],
            "inside": pd.array(np.where(inside == "", np.nan, inside)[spot], dtype="str"),
            "gate": pd.array(ways["gate"], dtype="str"),
            "anew": ways["anew"],
        }
    )


class _Spots(NamedTuple):
    """Where facilities may be entered: the spots, the number of the facility of each, whether it is drawn as an entrance, or of an outline."""

    at: gpd.GeoSeries
    number: np.ndarray
    drawn: np.ndarray
    outline: np.ndarray


class _Near(NamedTuple):
    """Metres from the facility of each spot to the nearest street: before a plan, and now."""

    first: np.ndarray
    now: np.ndarray


def _spots(district: District, facilities: gpd.GeoDataFrame) -> _Spots:
    """Return the drawn entrances of facilities; of those without, the place itself, or points along the outline of an area."""
    parts: list[tuple[np.ndarray, np.ndarray, bool, bool]] = []
    shapes, drawn = facilities.geometry.to_numpy(), district.layers.get("entrances")
    point, rest = _is_point(shapes), np.ones(len(shapes), np.bool_)
    if drawn is not None:
        of = facilities.index.get_indexer(pd.Index(drawn["facility"]))
        parts.append((of[of >= 0], drawn.geometry.to_numpy()[of >= 0], True, False))
        rest[of[of >= 0]] = False
    alone = np.flatnonzero(rest & point)
    parts.append((alone, shapes[alone], False, False))
    for number in np.flatnonzero(rest & ~point):
        edge = shapely.boundary(shapes[number])
        n = min(max(int(np.ceil(edge.length / EDGE_SPACING_M)), 4), EDGE_ENTRANCES_AT_MOST)
        along = shapely.line_interpolate_point(shapely.line_merge(edge), np.arange(n) / n, normalized=True)
        parts.append((np.full(n, number), along, False, True))
    count = [len(part[0]) for part in parts]
    at = gpd.GeoSeries(np.concatenate([part[1] for part in parts]), crs=facilities.crs)
    flags = (np.repeat([part[i] for part in parts], count) for i in (2, 3))
    return _Spots(at, np.concatenate([part[0] for part in parts]), *flags)


def _is_point(shapes: np.ndarray) -> np.ndarray:
    return np.asarray(shapely.get_type_id(shapes) == shapely.GeometryType.POINT)


def _by_street(spots: _Spots, feet: pd.DataFrame) -> tuple[dict[str, np.ndarray], _Near]:
    """
    Return the ways of facilities straight to the street, and how near it is.

    An outline is entered where it lies by a street. A facility keeps the ways that it had before a plan; only one that has
    lost them all is looked at anew.
    """
    names = ("place", "edge", "access_m", "first_m", "anew", "added")
    spot, edge, access, *_, added = whole = [feet[name].to_numpy() for name in names]
    _, edges, now, first, lost, _ = (values[~added] for values in whole)  # one of each spot

    def least(leg: np.ndarray) -> np.ndarray:
        found = np.full(len(leg), np.inf)
        np.minimum.at(found, spots.number, np.where(np.isnan(leg), np.inf, leg))
        return found[spots.number]

    def by_street(leg: np.ndarray) -> np.ndarray:
        return ~spots.outline | (leg <= np.maximum(least(leg), EDGE_TO_STREET_M)) | np.isnan(leg)

    had = by_street(first)
    keeps = np.isin(spots.number, spots.number[had & ~lost & (edges >= 0)])  # whose facility has one left
    taken, near = np.where(keeps, had, by_street(now)), np.where(keeps, least(first), least(now))
    access = np.where((lost & keeps)[spot] & ~added, np.nan, access)
    limit = np.where(spots.outline, np.maximum(near, EDGE_TO_STREET_M), np.inf)[spot]
    ways = {
        "spot": spot,
        "edge": np.where(np.isnan(access), -1, edge),
        "at_m": feet["at_m"].to_numpy(),
        "access_m": access,
        "anew": (~keeps & np.isfinite(least(first)))[spot],
        "added": added,
    }
    some = np.where(added, access <= limit, taken[spot])
    return {name: values[some] for name, values in ways.items()}, _Near(least(first), near)


def _home_around(district: District, facilities: gpd.GeoDataFrame) -> np.ndarray:
    """
    Return the home each facility lies in, "" where in none: one that is walled before another, then the first by id.

    A home drawn as a point holds what is at it, and has no wall. An area counts where all of it is inside, as near as walls are drawn.
    """
    homes, around = district.layers.get("homes"), np.full(len(facilities), "", dtype=object)
    if homes is None or homes.empty or facilities.empty or district.cells:  # nobody lives together in a cell
        return around
    shapes = facilities.geometry.to_numpy()
    is_point, walled = _is_point(shapes), homes.index.isin(district.walled_homes)
    found = []
    for some, rooms in zip((np.flatnonzero(is_point), np.flatnonzero(~is_point)), _rooms(district), strict=True):
        place, home = rooms.query(shapes[some], predicate="within")
        found.append(np.array([some[place], home]))
    place, home = np.hstack(found)
    wall_at_point = walled & _is_point(homes.geometry.to_numpy())
    place, home = place[~wall_at_point[home]], home[~wall_at_point[home]]
    rank = np.argsort(homes.index.argsort())
    order = np.lexsort((rank[home], ~walled[home], place))
    places, first = np.unique(place[order], return_index=True)
    around[places] = homes.index.to_numpy(object)[home[order[first]]]
    return around


def _rooms(district: District) -> tuple[shapely.STRtree, shapely.STRtree]:
    """Return the homes, to look for what lies in them: as they are drawn, and as near as walls are drawn."""
    if "rooms" not in district.memo:
        same = district.kin(("homes",))
        shapes = district.layers["homes"].geometry.to_numpy()
        made = (shapely.STRtree(shapes), shapely.STRtree(roomy(shapes))) if same is None else _rooms(same)
        district.memo["rooms"] = made
    found: tuple[shapely.STRtree, shapely.STRtree] = district.memo["rooms"]
    return found


def places_open(district: District, inside_only: bool) -> gpd.GeoDataFrame:
    """Return the facilities that are open, or of these the ones inside the district's own outline."""
    return _kept(district, ("open", inside_only), partial(_find_open, inside_only=inside_only))


def _find_open(district: District, inside_only: bool) -> gpd.GeoDataFrame:
    facilities = district.open_facilities
    if facilities is None:
        return gpd.GeoDataFrame({"kind": []}, geometry=[], crs=district.crs)
    if inside_only and district.boundary is not None:
        outline = shapely.union_all(district.boundary.geometry.array)
        return facilities[shapely.intersects(outline, facilities.geometry.array)]
    return facilities


def entrances_of_open(district: District, walker: Profile | None = None) -> pd.DataFrame:
    """Return `facility_entrances` of every open facility, made once."""
    level = without_stairs(district, walker)
    return _kept(district, ("facility_entrances", level is not None), partial(_entrances_of_open, level=level))


def _entrances_of_open(district: District, level: Profile | None) -> pd.DataFrame:
    """Find them for the facilities that are not as in the district this one was made from, and take the others from there."""
    places = places_open(district, inside_only=False)
    origin = district.kin((*WAY_OUT, "entrances"))
    alike = district.kin(STREET_SIDE) if origin is None else None
    while alike is not None and ("facility_entrances", level is not None) not in alike.memo:
        alike = alike.kin(STREET_SIDE)
    origin = origin or alike
    if origin is None or (there := places_open(origin, inside_only=False)).empty:
        return facility_entrances(district, places, level)
    known = entrances_of_open(origin, level)
    row = there.index.get_indexer(places.index)
    same = (row >= 0) & shapely.equals_identical(places.geometry.to_numpy(), there.geometry.to_numpy()[row])
    changed = changed_walls(district, origin, level)
    if changed:
        here, before = _home_around(district, places), _home_around(origin, there)[row]
        same &= (here == before) & np.array([home not in changed for home in here.tolist()], dtype=bool)
    if same.all() and len(places) == len(there):
        return known
    fresh, kept = places[~same], known[known["place"].isin(places.index[same]).to_numpy()]
    parts = [kept, *([] if fresh.empty else [facility_entrances(district, fresh, level)])]
    return pd.concat(parts, ignore_index=True).sort_values(["place", "access_m"], kind="stable", ignore_index=True)


def attached_anew(district: District) -> tuple[pd.Index, pd.Index]:
    """
    Return the homes and the open facilities that have lost all their ways to a plan and were attached anew.

    Of their walks nothing is claimed: one that became shorter is no effect of what the plan closed.

    Returns
    -------
    homes, facilities
        Ids, sorted; a home of which some points were attached anew is one, whoever walks: who takes no stairs has doors of their own. Both
        empty without a plan.
    """
    if district.ground is None or district.streets is None:
        return pd.Index([], dtype="str"), pd.Index([], dtype="str")
    walkers = [district.profile(str(name)) for name in district.profiles.index]
    level = next((one for one in walkers if without_stairs(district, one) is not None), None)
    homes, facilities = set[str](), set[str]()
    for walker in (None,) if level is None else (None, level):
        ways, doors = home_entrances(district, walker), entrances_of_open(district, walker)
        homes |= set(map(str, ways.loc[ways["anew"], "home"]))
        facilities |= set(map(str, doors.loc[doors["anew"], "place"]))
    return pd.Index(sorted(homes), dtype="str"), pd.Index(sorted(facilities), dtype="str")


def walks_inside(district: District, walker: Profile | None = None) -> pd.DataFrame:
    """Return the walks to all open facilities that never leave a home, kept; `gate_known`: whether it is known to be walled."""
    level = without_stairs(district, walker)

    def make(own: District) -> pd.DataFrame:
        doors, points = entrances_of_open(own, level), home_points(own)
        indoors = _indoors(doors)
        for other, who in ((own if level is not None else None, None), (own.kin(WAY_OUT), level)):
            if other is not None and indoors.equals(_indoors(entrances_of_open(other, who))):
                return walks_inside(other, who)
        walks = same_compound(own, points, doors)
        home = points["home"].reindex(walks["place"])
        return walks.assign(gate_known=home.isin(own.walled_homes).to_numpy())

    return _kept(district, ("walks_inside", level is not None), make)


def _indoors(targets: pd.DataFrame) -> pd.DataFrame:
    """Return of entrances those that stand in a home."""
    rows = np.flatnonzero(targets["inside"].notna())
    return targets[["place", "x", "y", "inside"]].take(rows).reset_index(drop=True)


def same_compound(district: District, points: gpd.GeoDataFrame, targets: pd.DataFrame) -> pd.DataFrame:
    """
    Walks that never leave the home: residents to a facility inside their own compound.

    Where no gate is known the outline need not be a wall: only a straight walk counts that stays in it and meets neither
    barrier nor public street, as the straight walk to the street does.
    """
    homes = district.layers.get("homes")
    inside = _indoors(targets).drop_duplicates(["place", "x", "y"])
    shapes = points.geometry.to_numpy()
    at_home, at_place = rows_of_each(points["home"].to_numpy()), rows_of_each(inside["inside"].to_numpy(object))
    outlines = {} if homes is None else dict(zip(homes.index, homes.geometry.to_numpy(), strict=True))
    ids, places, corners = points.index.to_numpy(), inside["place"].to_numpy(object), inside[["x", "y"]].to_numpy()
    place, target, metres = [np.empty(0, np.int64)], [np.empty(0, object)], [np.empty(0)]
    for home, own in sorted(at_place.items()):
        if home not in at_home or home not in outlines:
            continue
        residents, spots = at_home[home], shapely.points(corners[own])
        place.append(np.repeat(ids[residents], len(spots)))
        target.append(np.tile(places[own], len(residents)))
        within = walk_inside if home in district.walled_homes else partial(_walk_in_sight, district)
        metres.append(within(outlines[home], shapes[residents], spots).ravel())
    join = np.concatenate
    walks = pd.DataFrame({"place": join(place), "target": join(target), "metres": join(metres)})
    return walks[np.isfinite(walks["metres"].to_numpy())]


def _walk_in_sight(district: District, area: shapely.Geometry, points: np.ndarray, spots: np.ndarray) -> np.ndarray:
    """Return straight metres from points to spots, shape (points, spots); `inf` where something is in the way."""
    legs = shapely.linestrings(pairs_of_coordinates(points, spots)).ravel()
    (room,) = roomy(np.array([area]))
    shapely.prepare(room)
    clear = shapely.covers(room, legs)
    clear[clear] = ~district.network.meets(legs[clear], barriers=barriers_of(district))
    return np.asarray(np.where(clear, shapely.length(legs), np.inf)).reshape(len(points), len(spots))
