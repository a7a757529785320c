"""
Inner lanes: nobody walks through another's compound.

By hand, the block of `ring`: a public ring of 800 m round 200 m x 200 m, and a lane of home h straight across it::

    (0,200)---(100,200)---(200,200)
       |          : h         |
    (0,0)-----(100,0)-----(200,0)

Against brute force: streets as bare segments, some of them lanes; costs relaxed until nothing changes, lanes closed to all but
their residents, who walk them on their way out only. It shares no code with the library.
"""

from __future__ import annotations

import itertools
import math
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from clock import trials
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import LineString, Point

from xinhe_geo.core.errors import NetworkError
from xinhe_geo.core.models import Profile
from xinhe_geo.network.walk_network import WalkNetwork

CRS = "EPSG:32650"
WALKER, WHEELS = Profile("w", "w", 1.25), Profile("r", "r", 0.8, steps=False)


def network(streets: dict[str, list[tuple[float, float]]], **columns: Any) -> WalkNetwork:
    return WalkNetwork.from_streets(
        gpd.GeoDataFrame(columns, geometry=[LineString(xy) for xy in streets.values()], index=list(streets), crs=CRS)
    )


def at(**places: tuple[float, float]) -> gpd.GeoSeries:
    return gpd.GeoSeries([Point(xy) for xy in places.values()], index=list(places), crs=CRS)


def living(places: gpd.GeoSeries, home: str = "h") -> pd.Series:
    return pd.Series([home] * len(places), index=places.index)


RING = [(0.0, 0.0), (100, 0), (200, 0), (200, 200), (100, 200), (0, 200), (0, 0)]


@pytest.fixture(scope="module")
def ring() -> WalkNetwork:
    return network({"ring": RING, "lane": [(100, 0), (100, 200)]}, home=[None, "h"])


# --- by hand ---------------------------------------------------------------------------------------------------------


def test_a_stranger_goes_round_and_a_resident_through(ring: WalkNetwork) -> None:
    """Round the block 100 + 200 + 100 = 400 m; along the lane 200 m, at 1.25 m/s in 160 s."""
    here, there = at(a=(100, 0)), at(b=(100, 200))
    assert ring.metres(here, there)["metres"].tolist() == [400.0]
    assert ring.nearest(here, there)["metres"].tolist() == [400.0]
    assert ring.metres(here, there, home=living(here))["metres"].tolist() == [200.0]
    assert ring.metres(here, there, home=living(here, "other"))["metres"].tolist() == [400.0]
    assert ring.nearest(here, there, home=living(here)).to_dict("list") == {"target": ["b"], "metres": [200.0]}
    assert ring.minutes(here, there, profile=WALKER)["minutes"].tolist() == [pytest.approx(400 / 75)]
    assert ring.minutes(here, there, profile=WALKER, home=living(here))["minutes"].tolist() == [pytest.approx(200 / 75)]


def test_the_other_way_round_is_a_stranger(ring: WalkNetwork) -> None:
    """The lane is open to whoever sets out from home, not to whoever comes to see them: a target is on public streets."""
    home, clinic = at(p=(105, 60)), at(c=(100, 200))
    # leg 5, 140 m up the lane
    assert ring.metres(home, clinic, home=living(home))["metres"].tolist() == [145.0]
    # as a target: leg 60 to (105, 0), 5 + 400 - 10 m round the east side
    assert ring.metres(clinic, home)["metres"].tolist() == [60.0 + 395.0]
    assert ring.metres(clinic, home, home=living(clinic, "h"))["metres"].tolist() == [60.0 + 5.0 + 200.0]


def test_a_foot_on_a_lane_is_a_door_at_every_mouth(ring: WalkNetwork) -> None:
    here = at(p=(105, 60))
    doors = ring.attach(here, home=living(here))
    assert doors["place"].tolist() == ["p", "p"]
    assert doors[["access_m", "x", "y"]].to_numpy().tolist() == [[65.0, 100.0, 0.0], [145.0, 100.0, 200.0]]
    assert ring.edges.loc[doors["edge"], "home"].isna().all()
    for row in doors.itertuples():  # the door is where it says
        spot = ring.edges.geometry[row.edge].interpolate(row.at_m)
        assert spot.distance(Point(row.x, row.y)) < 1e-9
    stranger = ring.attach(here)
    assert stranger[["access_m", "x", "y"]].to_numpy().tolist() == [[60.0, 105.0, 0.0]]


def test_a_walk_leaves_its_home_once() -> None:
    """Two lanes of one home, 300 m apart on the street: whoever has come out of the first does not go in at the second."""
    net = network(
        {
            "street": [(0, 0), (300, 0)],
            "back": [(0, 500), (300, 500)],
            "one": [(0, 0), (0, 50)],
            "two": [(300, 0), (300, 500)],
        },
        home=[None, None, "h", "h"],
    )
    here, there = at(p=(0, 50)), at(q=(300, 500))
    assert net.metres(here, there, home=living(here)).empty
    assert net.metres(at(p=(300, 100)), there, home=living(here))["metres"].tolist() == [400.0]


def test_reach_has_the_pieces_of_ones_own_lane(ring: WalkNetwork) -> None:
    """100 m from (105, 60), 5 of them the leg: the lane down to the street and up to y = 155, 35 m of street either way."""
    here = at(p=(105, 60))
    pieces = ring.reach(here, 100, home=living(here))
    street = ring.edges.loc[pieces["edge"], "street"].tolist()
    assert sorted(street) == ["lane", "ring", "ring"]
    want = shapely.union_all([LineString([(100, 0), (100, 155)]), LineString([(65, 0), (135, 0)])])
    assert shapely.union_all(pieces.geometry).symmetric_difference(want).length == pytest.approx(0, abs=1e-9)
    assert pieces.length.tolist() == pytest.approx((pieces["to_m"] - pieces["from_m"]).tolist())
    assert pieces["edge"].is_monotonic_increasing
    # a stranger there comes by the street, and never enters
    assert set(ring.edges.loc[ring.reach(here, 500)["edge"], "street"]) == {"ring"}
    each = ring.reach(at(p=(105, 60), q=(100, 200)), 100, each=True, home=pd.Series(["h", None], index=["p", "q"]))
    assert each["place"].tolist() == ["p", "p", "p", "q", "q"]
    bare = ring.reach(here, 100, home=living(here), access=False)
    assert (bare["to_m"] - bare["from_m"]).sum() == pytest.approx(160 + 2 * 40)


def test_isochrones_of_doors_never_enter_lanes(ring: WalkNetwork) -> None:
    pieces = ring.reached(ring.attach(at(c=(90, 0))), [100.0, 10_000.0])
    assert set(ring.edges.loc[pieces["edge"], "street"]) == {"ring"}
    assert pieces[pieces["limit"] == 10_000.0].length.sum() == pytest.approx(800)


def test_stairs_in_a_lane_are_closed_to_wheels() -> None:
    """The lane's short way has stairs (40 m), its ramp 240 m; without stairs the resident takes the ramp."""
    net = network(
        {
            "street": [(0, 0), (100, 0)],
            "yard": [(50, 40), (50, 60)],
            "stairs": [(50, 0), (50, 40)],
            "ramp": [(100, 0), (100, 140), (50, 140), (50, 60)],
            "far": [(0, 0), (50, 0), (100, 0)],
        },
        home=[None, "h", "h", "h", None],
        steps=[False, False, True, False, False],
    )
    here, there = at(p=(50, 50)), at(q=(50, 0))
    least = {
        walker: net.minutes(here, there, profile=walker, home=living(here))["minutes"].iloc[0]
        for walker in (WALKER, WHEELS)
    }
    assert least[WALKER] == pytest.approx(50 / 1.25 / 60)
    assert least[WHEELS] == pytest.approx((10 + 80 + 50 + 140 + 50) / 0.8 / 60)
    below = at(p=(50, 15))  # on the stairs itself: wheels are not put there
    assert net.attach(below, home=living(below), profile=WHEELS)["access_m"].tolist() == [15.0]


def test_a_wait_in_a_lane_is_refused_where_it_would_be_lost() -> None:
    net = network({"ring": RING, "lane": [(100, 0), (100, 200)]}, home=[None, "h"], wait_s=[0, 30])
    here = at(p=(105, 60))
    assert net.metres(here, at(q=(100, 200)))["metres"].tolist() == [60.0 + 395.0]  # nobody else walks it
    for ask in (net.attach, lambda points, home: net.metres(points, points, home=home)):
        with pytest.raises(NetworkError, match=r"小区 h .*lane"):
            ask(here, home=living(here))


def test_lanes_that_lead_nowhere_lead_nowhere() -> None:
    net = network({"street": [(0, 0), (100, 0)], "lane": [(50, 10), (50, 80)]}, home=[None, "h"])
    here = at(p=(52, 70))
    assert net.edges.loc[net.attach(here, home=living(here))["edge"], "street"].tolist() == ["lane"]
    assert net.metres(here, at(q=(0, 0)), home=living(here)).empty
    assert net.nearest(here, here, home=living(here))["metres"].tolist() == [0.0]
    assert net.reach(here, 50, home=living(here)).length.sum() == pytest.approx(10 + 48)


def test_parts_hang_together_by_public_streets() -> None:
    net = network(
        {
            "west": [(0, 0), (100, 0)],
            "lane": [(100, 0), (200, 0), (200, 50)],
            "east": [(200, 0), (300, 0)],
            "yard": [(900, 0), (950, 0)],
        },
        home=[None, "h", None, "h"],
    )
    edges = net.edges
    part = dict(zip(edges["street"], edges["component"], strict=True))
    assert part["west"] != part["east"]
    assert part["yard"] not in (part["west"], part["east"])


def test_home_is_aligned_with_the_origins(ring: WalkNetwork) -> None:
    two = at(a=(100, 0), b=(100, 200))
    for ask in (
        lambda h: ring.metres(two, two, home=h),
        lambda h: ring.reach(two, 9, home=h),
        lambda h: ring.nearest(two, two, home=h),
    ):
        with pytest.raises(ValueError, match="home 有 1 行，点有 2 个"):
            ask(pd.Series(["h"]))


# --- against brute force ---------------------------------------------------------------------------------------------


class Segment(NamedTuple):
    a: tuple[float, float]
    b: tuple[float, float]
    home: str | None
    steps: bool

    @property
    def line(self) -> LineString:
        return LineString([self.a, self.b])


class Walk(NamedTuple):
    """What one walker reaches: the segment under the foot, metres along it and before it, metres to every vertex."""

    foot: Segment
    along: float
    leg: float
    lanes: dict[tuple[float, float], float]
    public: dict[tuple[float, float], float]

    def to(self, segment: Segment, along: float) -> float:
        """Metres to a position on a segment: public, or a lane of the walker."""
        cost = self.public if segment.home is None else self.lanes
        length = math.dist(segment.a, segment.b)
        ways = [cost.get(segment.a, math.inf) + along, cost.get(segment.b, math.inf) + length - along]
        if segment == self.foot:
            ways.append(self.leg + abs(along - self.along))
        return min(ways)


def relaxed(starts: dict[tuple[float, float], float], segments: list[Segment]) -> dict[tuple[float, float], float]:
    cost, changed = dict(starts), True
    while changed:
        changed = False
        for segment in segments:
            length = math.dist(segment.a, segment.b)
            for a, b in ((segment.a, segment.b), (segment.b, segment.a)):
                if cost.get(a, math.inf) + length < cost.get(b, math.inf):
                    cost[b], changed = cost[a] + length, True
    return cost


def walk(segments: list[Segment], spot: tuple[float, float], home: str | None, level: bool) -> Walk:
    """Where a point stands, and what it reaches: its own lanes from within, public streets from their mouths."""
    usable = [s for s in segments if not (level and s.steps)]
    public = [s for s in usable if s.home is None]
    own = [s for s in usable if home is not None and s.home == home]
    far = {s: s.line.distance(Point(spot)) for s in (*public, *own)}
    near_lane = min((far[s] for s in own), default=math.inf)
    lane = near_lane <= min(far[s] for s in public) + 1e-6
    foot = min(own if lane else public, key=far.__getitem__)
    along = foot.line.project(Point(spot))
    ends = {foot.a: far[foot] + along, foot.b: far[foot] + math.dist(foot.a, foot.b) - along}
    if not lane:
        return Walk(foot, along, far[foot], {}, relaxed(ends, public))
    lanes = relaxed(ends, own)
    streets = {vertex for s in segments if s.home is None for vertex in (s.a, s.b)}
    return Walk(foot, along, far[foot], lanes, relaxed({v: c for v, c in lanes.items() if v in streets}, public))


def gated(seed: int) -> tuple[gpd.GeoDataFrame, list[Segment], np.ndarray]:
    """Lines over few vertices, about half of them lanes of two homes, some with stairs; the lines as bare segments."""
    rng = np.random.default_rng(seed)
    spots = rng.uniform(0, 400, (int(rng.integers(3, 10)), 2))
    shapes, drawn = [spots[:2]], {(0, 1)}
    for _ in range(int(rng.integers(2, 12))):
        picked = rng.integers(0, len(spots), int(rng.integers(2, 5)))
        pairs = {(min(a, b), max(a, b)) for a, b in itertools.pairwise(picked.tolist())}
        if len(pairs) == len(picked) - 1 and all(a < b for a, b in pairs) and not pairs & drawn:
            shapes.append(spots[picked])  # nothing is drawn twice: of two lines in one place one could be stood on
            drawn |= pairs
    homes = [str(rng.choice(["h", "k"])) if rng.random() < 0.5 else None for _ in shapes]
    steps = [bool(rng.random() < 0.15) for _ in shapes]
    homes[0], steps[0] = None, False
    segments = [
        Segment(tuple(a), tuple(b), home, stairs)
        for xy, home, stairs in zip(shapes, homes, steps, strict=True)
        for a, b in zip(xy[:-1].tolist(), xy[1:].tolist(), strict=True)
    ]
    streets = gpd.GeoDataFrame({"home": homes, "steps": steps}, geometry=[LineString(xy) for xy in shapes], crs=CRS)
    return streets, segments, spots


def places(seed: int, spots: np.ndarray, count: int) -> np.ndarray:
    """Anywhere, on streets and off them; some exactly at a vertex, a mouth perhaps."""
    rng = np.random.default_rng(seed)
    xy = rng.uniform(-30, 430, (count, 2))
    at_vertex = rng.random(count) < 0.4
    xy[at_vertex] = spots[rng.integers(0, len(spots), int(at_vertex.sum()))]
    return xy


@given(seed=st.integers(0, 10**6), level=st.booleans(), limited=st.booleans())
@settings(max_examples=trials(60))
def test_walks_against_brute_force(seed: int, level: bool, limited: bool) -> None:
    streets, segments, spots = gated(seed)
    net = WalkNetwork.from_streets(streets)
    rng = np.random.default_rng(seed + 1)
    here, there = places(seed + 2, spots, 8), places(seed + 3, spots, 5)
    homes = [[None, "h", "k"][i] for i in rng.integers(0, 3, len(here))]
    origins = gpd.GeoSeries(shapely.points(here), crs=CRS)
    targets = gpd.GeoSeries(shapely.points(there), crs=CRS)
    profile = WHEELS if level else None
    cost = np.full((len(here), len(there)), np.inf)
    for j, spot in enumerate(map(tuple, there.tolist())):
        end = walk(segments, spot, None, level)
        for i, (start, home) in enumerate(zip(map(tuple, here.tolist()), homes, strict=True)):
            cost[i, j] = walk(segments, start, home, level).to(end.foot, end.along) + end.leg
            cost[i, j] = 0.0 if math.dist(start, spot) < 1e-9 else cost[i, j]
    unit = 1.0 if profile is None else 1 / profile.speed_m_s / 60
    limit = 350.0 if limited else math.inf
    cost[cost > limit + 1e-6] = np.inf
    living = pd.Series(homes, dtype="object")
    if profile is None:
        found = net.metres(origins, targets, limit, home=living)["metres"]
        near = net.nearest(origins, targets, limit, home=living)
        np.testing.assert_allclose(near["metres"].fillna(np.inf), cost.min(axis=1), atol=1e-6)
        for i, target in enumerate(near["target"]):
            tied = np.flatnonzero(cost[i] <= cost[i].min() + 1e-6) if np.isfinite(cost[i].min()) else []
            assert target == min(tied) if len(tied) else pd.isna(target)
    else:
        found = net.minutes(origins, targets, limit * unit, profile=profile, home=living)["minutes"]
    matrix = np.full(cost.shape, np.inf)
    matrix[found.index.get_level_values(0), found.index.get_level_values(1)] = found / unit
    np.testing.assert_allclose(matrix, cost, atol=1e-6)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=trials(40))
def test_reach_against_brute_force(seed: int) -> None:
    """Every street position nearer than the limit is in the pieces, public or one's own lane, and none beyond it."""
    streets, segments, spots = gated(seed)
    net = WalkNetwork.from_streets(streets)
    rng = np.random.default_rng(seed + 1)
    spot, home, limit = (
        tuple(places(seed + 2, spots, 1)[0].tolist()),
        [None, "h"][seed % 2],
        float(rng.uniform(50, 400)),
    )
    point = gpd.GeoSeries([Point(spot)], crs=CRS)
    pieces = net.reach(point, limit, home=pd.Series([home], dtype="object"))
    start, edges = walk(segments, spot, home, level=False), net.edges
    lane_of = edges["home"].reindex(pieces["edge"]).to_numpy()
    assert all(pd.isna(lane) or lane == home for lane in lane_of)
    for segment in segments:
        length = math.dist(segment.a, segment.b)
        own = pd.isna(lane_of) if segment.home is None else lane_of == segment.home
        drawn = shapely.union_all(np.asarray(pieces.geometry.array)[own]) if own.any() else Point()
        for along in rng.uniform(0, length, 3):
            if segment.home not in (None, home):
                continue
            metres, here = start.to(segment, along), segment.line.interpolate(along)
            if metres < limit - 1e-4:
                assert drawn.distance(here) < 1e-5
            elif metres > limit + 1e-4 and metres < math.inf:
                assert drawn.is_empty or drawn.distance(here) > 1e-5


@given(seed=st.integers(0, 10**6))
@settings(max_examples=trials(40))
def test_opening_lanes_never_lengthens_a_walk(seed: int) -> None:
    """Whoever stands on a street stands there still when lanes of one home are opened, and no walk is longer."""
    streets, segments, _ = gated(seed)
    opened = streets.assign(home=streets["home"].where(streets["home"] != "h", None))
    rng = np.random.default_rng(seed + 1)
    homes = [[None, "h", "k"][i] for i in rng.integers(0, 3, 10)]
    before, after = (WalkNetwork.from_streets(frame) for frame in (streets, opened))
    spots = []
    for home in [*homes, *[None] * 6]:
        own = [s for s in segments if s.home is None or s.home == home]
        spots.append(own[int(rng.integers(len(own)))].line.interpolate(rng.random(), normalized=True))
    origins, targets = gpd.GeoSeries(spots[:10], crs=CRS), gpd.GeoSeries(spots[10:], crs=CRS)
    living = pd.Series(homes, dtype="object")
    old, new = (net.metres(origins, targets, home=living)["metres"] for net in (before, after))
    assert old.index.isin(new.index).all()
    assert (new.reindex(old.index) <= old + 1e-6).all()
