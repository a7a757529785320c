"""The loops at snapped entrances: where searches from them begin, and what their costs come to at others."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .arrays import (
    Answers,
    Asked,
    Doors,
    EdgeDoors,
    Edges,
    Ends,
    Finished,
    Floats,
    Ints,
    Marks,
    Seeds,
    Shorts,
    Spots,
    Terms,
)
from .kernel import SAME_M, along, jit, jit_inner


@jit_inner
def _wrong_door(e: int, at: float, access: float, edge_len: Floats) -> int:
    if e >= len(edge_len):
        return 1
    if not 0.0 <= at <= edge_len[e] + SAME_M:
        return 2
    return 0 if access >= 0.0 else 3


@jit
def check_doors(spots: Spots, edge_len: Floats) -> int:
    """
    Put positions that exceed their edge by rounding back on it, and doors without an edge (-1) to nothing, in place.

    Returns 0, or what is wrong with a door: 1 no such edge, 2 not on its edge, 3 no access length.
    """
    edge, at, access = spots.edge, spots.at, spots.access
    for i in range(len(edge)):
        e = edge[i]
        if e < 0:
            at[i] = 0.0
            access[i] = 0.0
            continue
        wrong = _wrong_door(e, at[i], access[i], edge_len)
        if wrong > 0:
            return wrong
        at[i] = min(at[i], edge_len[e])
    return 0


@jit
def door_ends(spots: Spots, edges: Edges, ends: Ends) -> int:
    """
    Write the two ends of the doors' edges and the cost of walking along to each (without an edge: any ends, infinitely far).

    Doors are only read. Returns what `check_doors` does.
    """
    edge, at, access = spots.edge, spots.at, spots.access
    end_u, end_v, to_u, to_v = ends.u, ends.v, ends.to_u, ends.to_v
    edge_u, edge_v, edge_len, edge_rate = edges.u, edges.v, edges.metres, edges.rate
    for i in range(len(edge)):
        e = edge[i]
        if e < 0:
            end_u[i], end_v[i], to_u[i], to_v[i] = 0, 0, np.inf, np.inf
            continue
        wrong = _wrong_door(e, at[i], access[i], edge_len)
        if wrong > 0:
            return wrong
        end_u[i] = edge_u[e]
        end_v[i] = edge_v[e]
        to_u[i] = along(edge_rate[e], at[i])
        to_v[i] = along(edge_rate[e], max(edge_len[e] - at[i], 0.0))
    return 0


@jit
def seeds(doors: Doors, edges: Edges, unit: float, only: Marks, out: Seeds) -> int:
    """
    Write where searches from doors start, at most two nodes per door; return how many.

    These are both ends of the doors' edges (first all starts, then all ends of edges), but for ends behind closed edges
    and, if `only` is not empty, for nodes that it does not mark.
    """
    size = 0
    for far_end in range(2):
        for i in range(len(doors.edge)):
            e = doors.edge[i]
            if e < 0:
                continue
            node = edges.v[e] if far_end else edges.u[e]
            part = edges.metres[e] - doors.at[i] if far_end else doors.at[i]
            cost = doors.access[i] * unit + along(edges.rate[e], part)
            if cost == np.inf or (len(only) > 0 and only[node] == 0):
                continue
            out.node[size] = node
            out.cost[size] = cost
            out.place[size] = doors.place[i]
            out.metres[size] = doors.access[i] + part
            size += 1
    return size


class Close(NamedTuple):
    """A door that is looked at closely: where it is, the cost per metre of its edge, the first target's door there."""

    at: float
    access: float
    rate: float
    door: int


class Way(NamedTuple):
    """A way to a target: cost, label, metres."""

    cost: float
    label: int
    metres: float


@jit
def at_doors(asked: Asked, terms: Terms, edges: Edges, finished: Finished, answers: Answers) -> None:
    """
    Read the nearest label, its cost and its walked metres at doors, from the costs at the nodes.

    A door reaches its targets by one end of its edge, by the other (`door_ends`), or along the edge itself (the targets' doors
    of each edge; `asked.near`: whether to look there; always, where metres are not the cost). Of ways that tie, the label of
    smallest rank counts, then the fewest metres.
    """
    edge, at, access, near = asked.spots.edge, asked.spots.at, asked.spots.access, asked.near
    end_u, end_v, to_u, to_v = asked.ends.u, asked.ends.v, asked.ends.to_u, asked.ends.to_v
    edge_len, edge_rate = edges.metres, edges.rate
    cost, label, metres = finished.field.cost, finished.field.label, finished.field.metres
    rank, names, doors, door_first = finished.rank, finished.names, finished.doors, finished.doors.first
    out_cost, out_metres, out_target, out_missing = answers.cost, answers.metres, answers.target, answers.missing
    unit, waits, bound, same = terms
    named, measured = len(names) > 0, len(out_metres) > 0
    careful, count = np.empty(len(edge), np.int32), 0
    for i in range(len(edge)):
        u, v = np.uint32(end_u[i]), np.uint32(end_v[i])
        leg = access[i] * unit
        by_u = leg + (to_u[i] + cost[u])
        by_v = leg + (to_v[i] + cost[v])
        of_u, of_v = label[u], label[v]
        least = min(by_u, by_v)
        there = least <= bound and least < np.inf
        best = least if there else np.nan
        nearest = (of_u if by_u < by_v else of_v) if there else -1
        out_cost[i] = best
        if measured:
            out_metres[i] = best / unit
        if named:
            out_target[i] = names[max(nearest, 0)]
            out_missing[i] = nearest < 0
        else:
            out_target[i] = nearest
        if near[i] or (by_u <= by_v + same and by_v <= by_u + same and of_u != of_v):
            careful[count] = i
            count += 1
    for k in range(count):  # few: by themselves, so that the loop above has no branch that the processor has to guess
        i = careful[k]
        e, u, v = edge[i], np.uint32(end_u[i]), np.uint32(end_v[i])
        leg = access[i] * unit
        by_u = leg + (to_u[i] + cost[u])
        by_v = leg + (to_v[i] + cost[v])
        tied = by_u <= by_v + same and by_v <= by_u + same and label[u] != label[v]
        if e < 0 or not (waits or tied or door_first[e] >= 0):
            continue
        one = Close(at[i], access[i], edge_rate[e], door_first[e])
        way_u = Way(by_u, label[u], access[i] + at[i] + (metres[u] if waits else 0.0))
        way_v = Way(by_v, label[v], access[i] + max(edge_len[e] - at[i], 0.0) + (metres[v] if waits else 0.0))
        best, nearest, walked = _at_door(one, way_u, way_v, terms, rank, doors)
        out_cost[i] = best
        if measured:
            out_metres[i] = walked
        if named:
            out_target[i] = names[max(nearest, 0)]
            out_missing[i] = nearest < 0
        else:
            out_target[i] = nearest


@jit_inner
def _at_door(one: Close, way_u: Way, way_v: Way, terms: Terms, rank: Shorts, doors: EdgeDoors) -> Way:
    """Return the best way from one door where ways may tie or a target is on the edge itself; without one, label -1."""
    unit, same = terms.unit, terms.same
    leg = one.access * unit
    best = min(way_u.cost, way_v.cost)
    door = one.door
    while door >= 0:
        part = along(one.rate, abs(one.at - doors.doors.at[door]))
        best = min(best, leg + (doors.doors.access[door] * unit + part))
        door = doors.following[door]
    if best == np.inf or not best <= terms.bound:
        return Way(np.nan, -1, np.nan)
    nearest, walked = -1, np.inf
    if way_u.cost <= best + same:
        nearest, walked = _prefer(way_u.label, way_u.metres, rank, nearest, walked)
    if way_v.cost <= best + same:
        nearest, walked = _prefer(way_v.label, way_v.metres, rank, nearest, walked)
    door = one.door
    while door >= 0:
        part = along(one.rate, abs(one.at - doors.doors.at[door]))
        if leg + (doors.doors.access[door] * unit + part) <= best + same:
            way = one.access + doors.doors.access[door] + abs(one.at - doors.doors.at[door])
            nearest, walked = _prefer(doors.doors.place[door], way, rank, nearest, walked)
        door = doors.following[door]
    return Way(best, nearest, walked if terms.waits else best / unit)


@jit_inner
def _prefer(label: int, way: float, rank: Shorts, nearest: int, walked: float) -> tuple[int, float]:
    """Return the label that ranks first of two that tie, and its metres; of one label, the fewest metres."""
    if nearest >= 0 and label == nearest:
        return nearest, min(way, walked)
    if nearest < 0 or rank[label] < rank[nearest]:
        return label, way
    return nearest, walked


@jit
def by_edge(edges: int, doors: Doors) -> tuple[Ints, Floats, Floats, Shorts]:
    """Return doors edge by edge: the offset of each edge, then `at`, `access` and `place`; doors without an edge go."""
    edge = doors.edge
    off = np.zeros(edges + 2, np.int64)
    for i in range(len(edge)):
        if edge[i] >= 0:
            off[edge[i] + 2] += 1
    for e in range(edges):
        off[e + 2] += off[e + 1]
    size = off[edges + 1]
    out_at = np.empty(size, np.float64)
    out_access = np.empty(size, np.float64)
    out_place = np.empty(size, np.int32)
    for i in range(len(edge)):
        if edge[i] >= 0:
            k = off[edge[i] + 1]
            off[edge[i] + 1] += 1
            out_at[k] = doors.at[i]
            out_access[k] = doors.access[i]
            out_place[k] = doors.place[i]
    return off[: edges + 1], out_at, out_access, out_place
