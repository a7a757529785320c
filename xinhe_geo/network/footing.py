"""
Where points stand: the foot of the straight leg, and the doors on public streets that it comes to.

Feet stay. On streets that a plan has changed (`Streets.before`) every point has the foot that it had before: a street that the
plan adds only adds doors, one that it takes away takes its own doors with it. Whoever has none left is attached anew, to what is
left of the streets that were there, and flagged. So more streets never make a walk longer, and (but for those flagged) fewer
never make one shorter.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from ..core import TOLERANCE_M
from .arrays import Flags, Floats, Shorts
from .lanes import Feet, Ways, leading_out, to_doors
from .nearest_edges import EdgeTree, crossing, edge_tree, feet_on, nearest_edges, tree_among
from .streets import Streets

#: How a door came about: it was there before the plan; its point had lost all others; the plan added its street.
KEPT, ANEW, ADDED = 0, 1, 2
#: A foot is on a street again where it lies this near to it: new vertices move a line by rounding only (metres).
SAME_SPOT_M = 1e-3


class Asking(NamedTuple):
    """Points that are to be attached: the home of each ("" for none), what no leg crosses, whether without stairs."""

    xy: Floats
    own: NDArray[Any]
    barriers: shapely.STRtree | None
    level: bool

    def take(self, rows: NDArray[np.intp]) -> Asking:
        """Return some of the points."""
        return self._replace(xy=self.xy[rows], own=self.own[rows])


class Attached(NamedTuple):
    """Points and where they reach the street: the foot and the straight leg of each, and the doors these come to."""

    feet: Feet
    leg: Floats  # per point
    first: Floats  # per point: its leg before the plan
    ways: Ways
    legs: Floats  # per door: straight metres before it
    how: Shorts  # per door: KEPT, ANEW or ADDED


def stand(streets: Streets, asking: Asking) -> Attached:
    """Find the foot of every point, on a public edge or a lane of its own home, and the doors on public edges."""
    if streets.before is not None:
        return _as_before(streets, streets.before, asking)
    return _on(streets, asking, partial(edge_tree, streets, asking.level))


def _on(streets: Streets, asking: Asking, tree_of: Callable[[str], EdgeTree]) -> Attached:
    """Attach points to the nearest of the edges that `tree_of` offers."""
    edge = nearest_edges(streets, asking.xy, asking.own, asking.barriers, tree_of)
    feet = feet_on(streets, asking.xy, edge)
    leg = np.hypot(*(asking.xy - feet.xy).T)
    ways = to_doors(streets, feet, level=asking.level)
    return Attached(feet, leg, leg, ways, leg[ways.foot], np.full(len(ways.foot), KEPT, np.int32))


def _as_before(streets: Streets, before: Streets, asking: Asking) -> Attached:
    old = stand(before, asking)
    feet = _moved(streets, before, old.feet)
    ways, leg = to_doors(streets, feet, level=asking.level), old.leg.copy()
    lost = np.flatnonzero(_leads(before, old.ways, len(leg)) & ~_leads(streets, ways, len(leg)))
    parts = [(ways, old.leg[ways.foot], KEPT)]
    if len(lost):
        kept = ~np.isin(ways.foot, lost)
        parts = [(Ways(ways.foot[kept], ways.doors.take(kept), ways.metres[kept]), old.leg[ways.foot[kept]], KEPT)]
        anew = _on(streets, asking.take(lost), partial(_left, streets, asking.level))
        parts.append((anew.ways._replace(foot=lost[anew.ways.foot]), anew.legs, ANEW))
        leg[lost] = anew.leg
        edge, at, xy = feet.edge.copy(), feet.at.copy(), feet.xy.copy()
        edge[lost], at[lost], xy[lost] = anew.feet
        feet = Feet(edge, at, xy)
    parts.append((*_added(streets, asking, np.where(np.isnan(leg), np.inf, leg)), ADDED))
    foot, metres = (np.concatenate([part[0][i] for part in parts]) for i in (0, 2))
    doors = Feet(*(np.concatenate(column) for column in zip(*(part[0].doors for part in parts), strict=True)))
    legs = np.concatenate([part[1] for part in parts])
    how = np.repeat([part[2] for part in parts], [len(part[1]) for part in parts]).astype(np.int32)
    order = np.argsort(foot, kind="stable")
    return Attached(feet, leg, old.first, Ways(foot[order], doors.take(order), metres[order]), legs[order], how[order])


def _moved(streets: Streets, before: Streets, feet: Feet) -> Feet:
    """Find feet again on the streets that they stood on; edge -1 where the street is gone from there."""
    edge = np.full(len(feet.edge), -1, np.int32)
    on = np.flatnonzero(feet.edge >= 0)
    spots = shapely.points(feet.xy[on])
    spot, there = streets.every_tree.query(spots, predicate="dwithin", distance=SAME_SPOT_M)
    same = streets.street_of(there) == before.street_of(feet.edge[on][spot])
    spot, there = spot[same], there[same]
    order = np.lexsort((there, shapely.distance(spots[spot], streets.lines[there]), spot))
    spot, first = np.unique(spot[order], return_index=True)
    edge[on[spot]] = there[order][first]
    return feet_on(streets, feet.xy, edge)


def _leads(streets: Streets, ways: Ways, count: int) -> Flags:
    """Tell which points have a door on a public street; a lane without a mouth is none."""
    real = (ways.doors.edge >= 0) & ~streets.private[ways.doors.edge]
    return np.bincount(ways.foot[real], minlength=count) > 0


def _left(streets: Streets, level: bool, home: str) -> EdgeTree:
    """Return the public streets that were there before and still are; of a home, the lanes that still lead out."""
    key = ("left", home, level)
    if key not in streets.trees:
        public = ~streets.private & (streets.added < 0) & (~streets.steps | (not level))
        streets.trees[key] = tree_among(streets, leading_out(streets, home, level=level) if home else public)
    return streets.trees[key]


def _added(streets: Streets, asking: Asking, reach: Floats) -> tuple[Ways, Floats]:
    """Return the doors on added streets that are nearer than what each point has, one for each such street, and their legs."""
    key = ("added", "", asking.level)
    if key not in streets.trees:
        some = (streets.added >= 0) & (~streets.steps | (not asking.level))
        streets.trees[key] = tree_among(streets, some)
    tree, numbers = streets.trees[key]
    far = np.minimum(reach, 1e9)  # whoever gets nowhere takes what there is
    point, number = tree.query(shapely.points(asking.xy), predicate="dwithin", distance=far)
    xy, feet = asking.xy[point], feet_on(streets, asking.xy[point], numbers[number].astype(np.int32))
    leg = np.hypot(*(xy - feet.xy).T)
    near = leg < reach[point] - TOLERANCE_M
    if asking.barriers is not None:
        near &= ~crossing(xy, feet.xy, asking.barriers)
    street = streets.added[feet.edge]
    order = np.flatnonzero(near)
    order = order[np.lexsort((feet.edge[order], leg[order], street[order], point[order]))]
    first = np.ones(len(order), np.bool_)
    first[1:] = (np.diff(point[order]) != 0) | (np.diff(street[order]) != 0)
    rows = order[first]
    return Ways(point[rows], feet.take(rows), np.zeros(len(rows))), leg[rows]
