"""
The loops of searches: bounded shortest paths, their ties, and what lies within a limit.

The graph is a compressed adjacency (`Arcs`). Costs are float64 and non-negative; a closed arc costs infinity. Shortest paths
run over a ring of buckets: a bucket holds costs that differ by less than its width, and the ring need only be as long as the
longest arc, so that no array is sized by the limit, however large it is. The cost of a node is the smallest left-to-right
float sum over all paths, which no order of work can change; labels and walked metres of paths that tie are settled
afterwards by `settle_labels` and `settle_metres`. Answers therefore depend neither on the order of seeds nor on threads.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .arrays import (
    Arcs,
    EdgeDoors,
    Edges,
    Field,
    Floats,
    Ints,
    Notes,
    Scratch,
    Search,
    Seeds,
    Shorts,
    SortedDoors,
    Sources,
    Spots,
    Weights,
)
from .kernel import SAME_M, Number, along, jit, jit_inner

#: The greatest cost that is not infinite.
MOST = float(np.finfo(np.float64).max)

# --- the queue: entries in linked lists, one list per bucket of the ring; spent entries are used again ----------------

#: State: head of the free list, entries queued, entries ever used, and where a search stands: seeds taken, bucket, nodes listed,
#: whether ways tied, entries it wants room for.
_FREE, _COUNT, _USED, _NEXT, _NOW, _LISTED, _TIED, _ROOM = range(8)


class Queue(NamedTuple):
    """The first entry of each bucket; per entry the next one, its node and its cost; and where the search stands."""

    heads: Ints
    chain: Shorts
    who: Shorts
    key: Floats
    state: Ints


@jit_inner
def _push(node: Number, cost: float, slot: int, queue: Queue) -> None:
    state, chain = queue.state, queue.chain
    entry = state[_FREE]
    if entry >= 0:
        state[_FREE] = chain[entry]
    else:
        entry = state[_USED]
        state[_USED] += 1
    queue.who[entry] = node
    queue.key[entry] = cost
    chain[entry] = queue.heads[slot]
    queue.heads[slot] = entry
    state[_COUNT] += 1


@jit_inner
def _pop(slot: int, queue: Queue) -> int:
    state, chain = queue.state, queue.chain
    entry = queue.heads[slot]
    queue.heads[slot] = chain[entry]
    chain[entry] = state[_FREE]
    state[_FREE] = entry
    state[_COUNT] -= 1
    return int(entry)


@jit_inner
def _wider(queue: Queue) -> Queue:
    """Return the queue with the room it wants."""
    size = max(2 * len(queue.chain), queue.state[_ROOM])
    chain = np.empty(size, np.int32)
    who = np.empty(size, np.int32)
    key = np.empty(size, np.float64)
    for i in range(len(queue.chain)):  # loops: slices take Numba a second each to compile
        chain[i] = queue.chain[i]
        who[i] = queue.who[i]
        key[i] = queue.key[i]
    return Queue(queue.heads, chain, who, key, queue.state)


# --- shortest paths ---------------------------------------------------------------------------------------------------


@jit_inner
def _note(node: Number, reached: int, field: Field, notes: Notes) -> int:
    """List a node that is about to change for the first time, and what stood there; return how many are listed."""
    if notes.mark[node] != 0:
        return reached
    notes.mark[node] = 1
    notes.touched[reached] = node
    notes.cost[reached] = field.cost[node]
    notes.label[reached] = field.label[node]
    if len(field.metres) > 0:
        notes.metres[reached] = field.metres[node]
    return reached + 1


@jit
def spread(arcs: Arcs, search: Search, seeds: Seeds, field: Field, notes: Notes) -> tuple[int, bool]:
    """
    Relax from seeds (sorted by cost) into a field, which may already hold an earlier search.

    `notes.touched`, unless it is empty, receives the nodes that had no cost before; with `notes.mark` (zero but for nodes listed
    earlier) it receives all that change, and the other notes what stood there. Returns how many nodes it listed and whether ways
    of equal cost met, so that labels have to be settled.
    """
    state = np.zeros(8, np.int64)
    state[_FREE] = -1
    queue = Queue(search.heads, np.empty(256, np.int32), np.empty(256, np.int32), np.empty(256, np.float64), state)
    # Room is made out here: in a loop that may put another array in the place of one, every use of it costs more, and the
    # whole loop takes twice as long.
    while not _go_on(arcs, search, seeds, field, notes, queue):
        queue = _wider(queue)
    return state[_LISTED], state[_TIED] != 0


@jit_inner
def _stop(state: Ints, nxt: int, now: int, reached: int, tied: bool, room: int) -> None:
    """Note where a search stands."""
    state[_NEXT], state[_NOW], state[_LISTED], state[_TIED], state[_ROOM] = nxt, now, reached, tied, room


@jit_inner
def _go_on(  # noqa: C901, PLR0912, PLR0915  (one loop; parts of it would share a dozen arrays)
    arcs: Arcs, search: Search, seeds: Seeds, field: Field, notes: Notes, queue: Queue
) -> bool:
    """Search on from where the queue stands; return whether that is the end, or else room is wanted."""
    indptr, adj, weight, metre = arcs.indptr, arcs.adj, arcs.cost, arcs.metres
    bound, same, per_unit = search.bound, search.same, search.per_unit
    seed_node, seed_cost, seed_label, seed_metres = seeds.node, seeds.cost, seeds.place, seeds.metres
    cost, label, metres = field.cost, field.label, field.metres
    touched, mark = notes.touched, notes.mark
    heads, who, key, state = queue.heads, queue.who, queue.key, queue.state
    room = len(queue.chain)
    ring = len(heads) - 1  # a mask: the length is a power of two
    two, noting, listing = len(metres) > 0, len(mark) > 0, len(touched) > 0
    nxt, now, reached, tied = state[_NEXT], state[_NOW], state[_LISTED], state[_TIED] != 0
    while True:
        if state[_COUNT] == 0:
            if nxt >= len(seed_node):
                break
            now = int(seed_cost[nxt] * per_unit)
        while nxt < len(seed_node) and int(seed_cost[nxt] * per_unit) <= now:
            if state[_COUNT] + 1 >= room:
                _stop(state, nxt, now, reached, tied, 0)
                return False
            node = seed_node[nxt]
            new = seed_cost[nxt]
            old = cost[node]
            if new <= bound:
                if abs(new - old) <= same and (
                    label[node] != seed_label[nxt] or (two and abs(metres[node] - seed_metres[nxt]) > SAME_M)
                ):
                    tied = True
                if new < old:
                    if noting:
                        reached = _note(node, reached, field, notes)
                    elif listing and old == np.inf:
                        touched[reached] = node
                        reached += 1
                    cost[node] = new
                    label[node] = seed_label[nxt]
                    if two:
                        metres[node] = seed_metres[nxt]
                    _push(node, new, now & ring, queue)
            nxt += 1
        slot = now & ring
        while heads[slot] >= 0:
            # Unsigned: Numba need not look whether an index counts from the end, which is a tenth of the time here.
            here = np.uint32(who[heads[slot]])
            first, last = indptr[here], indptr[here + np.uint32(1)]
            if state[_COUNT] + (last - first) >= room:
                _stop(state, nxt, now, reached, tied, state[_COUNT] + (last - first) + 1)
                return False
            base = key[_pop(slot, queue)]
            if base > cost[here]:
                continue  # a better way came in after this entry was made
            mine = label[here]
            for step in range(last - first):
                arc = np.uint64(first + step)
                new = base + weight[arc]
                node = np.uint32(adj[arc])
                old = cost[node]
                if new < old:
                    if new > bound:
                        continue
                    if old - new <= same and label[node] != mine:
                        tied = True
                    if noting:
                        reached = _note(node, reached, field, notes)
                    elif listing and old == np.inf:
                        touched[reached] = node
                        reached += 1
                    cost[node] = new
                    label[node] = mine
                    if two:
                        if old - new <= same:
                            tied = True
                        metres[node] = metres[here] + metre[arc]
                    if indptr[node + np.uint32(1)] - indptr[node] == 1:
                        continue  # a dead end leads nowhere but back
                    _push(node, new, int(new * per_unit) & ring, queue)
                elif new - old <= same and (
                    label[node] != mine or (two and abs(metres[node] - metres[here] - metre[arc]) > SAME_M)
                ):
                    tied = True
        now += 1
    _stop(state, nxt, now, reached, tied, 0)
    return True


@jit
def settle_labels(arcs: Arcs, same: float, seeds: Seeds, field: Field) -> None:
    """
    Give every node the first label, in the order of the seeds, that reaches it at its cost.

    Each label in turn floods along arcs that are tight (cost here plus arc equals cost there, within `same`) over nodes
    that no earlier label took, so every node is visited once.
    """
    indptr, adj, weight = arcs.indptr, arcs.adj, arcs.cost
    cost, label = field.cost, field.label
    label[:] = -1
    stack = np.empty(len(cost), np.int32)
    for i in range(len(seeds.node)):
        node = seeds.node[i]
        if label[node] >= 0 or cost[node] == np.inf or seeds.cost[i] > cost[node] + same:
            continue
        label[node] = seeds.place[i]
        stack[0] = node
        height = 1
        while height > 0:
            height -= 1
            here = stack[height]
            for arc in range(indptr[here], indptr[here + 1]):
                there = adj[arc]
                if label[there] >= 0 or cost[there] == np.inf or weight[arc] == np.inf:
                    continue
                if cost[here] + weight[arc] <= cost[there] + same:
                    label[there] = label[here]
                    stack[height] = there
                    height += 1


@jit
def settle_metres(arcs: Arcs, same: float, order: Ints, seeds: Seeds, field: Field) -> None:
    """Set the metres to the least over the tight ways of each node's own label; `order` lists the nodes by cost."""
    indptr, adj, weight, metre = arcs.indptr, arcs.adj, arcs.cost, arcs.metres
    cost, label, metres = field.cost, field.label, field.metres
    metres[:] = np.inf
    for i in range(len(seeds.node)):
        node = seeds.node[i]
        if seeds.place[i] == label[node] and seeds.cost[i] <= cost[node] + same:
            metres[node] = min(metres[node], seeds.metres[i])
    changed = True
    while changed:  # once, and once more to see that nothing moved, unless arcs cost nothing
        changed = False
        for i in range(len(order)):
            here = order[i]
            if cost[here] == np.inf:
                break
            for arc in range(indptr[here], indptr[here + 1]):
                there = adj[arc]
                if label[there] != label[here] or weight[arc] == np.inf:
                    continue
                way = metres[here] + metre[arc]
                if way < metres[there] and cost[here] + weight[arc] <= cost[there] + same:
                    metres[there] = way
                    changed = True


@jit
def orphan(arcs: Arcs, number: int, start: Shorts, field: Field, notes: Notes) -> int:
    """
    Take every node from the label `number`, which floods from its seeds at `start`; list them as `spread` does.

    A label's nodes hang together: each got it from a neighbour that has it, or from a seed.
    """
    indptr, adj, label = arcs.indptr, arcs.adj, field.label
    size = 0
    for i in range(len(start)):
        if label[start[i]] == number:
            size = _note(start[i], size, field, notes)
    done = 0
    while done < size:  # what is listed is the queue as well
        here = notes.touched[done]
        done += 1
        field.cost[here] = np.inf
        label[here] = -1
        for arc in range(indptr[here], indptr[here + 1]):
            if label[adj[arc]] == number:
                size = _note(adj[arc], size, field, notes)
    return size


@jit
def offers(arcs: Arcs, orphans: Shorts, field: Field, seeds: Seeds) -> int:
    """
    Write as seeds what the neighbours of orphaned nodes offer them, at most one per arc; return how many.

    Ways are as long there as back, but for those into dead ends, which no search walks.
    """
    indptr, adj, weight, metre = arcs.indptr, arcs.adj, arcs.cost, arcs.metres
    cost, label, metres = field.cost, field.label, field.metres
    size = 0
    for i in range(len(orphans)):
        here = orphans[i]
        if indptr[here + 1] - indptr[here] == 1:
            continue
        for arc in range(indptr[here], indptr[here + 1]):
            there = adj[arc]
            if cost[there] + weight[arc] < np.inf:
                seeds.node[size] = here
                seeds.cost[size] = cost[there] + weight[arc]
                seeds.place[size] = label[there]
                seeds.metres[size] = metre[arc] + (metres[there] if len(metres) > 0 else 0.0)
                size += 1
    return size


@jit
def merge(field: Field, other: Field, waits: bool, same: float) -> bool:
    """Take the better of two searches at every node; return whether ways of equal cost met."""
    cost, label, metres = field.cost, field.label, field.metres
    cost2, label2, metres2 = other.cost, other.label, other.metres
    tied = False
    for i in range(len(cost)):
        if cost2[i] == np.inf:
            continue
        if abs(cost[i] - cost2[i]) <= same and (
            label[i] != label2[i] or (waits and abs(metres[i] - metres2[i]) > SAME_M)
        ):
            tied = True
        if cost2[i] < cost[i]:
            cost[i] = cost2[i]
            label[i] = label2[i]
            if waits:
                metres[i] = metres2[i]
    return tied


# --- room -------------------------------------------------------------------------------------------------------------


@jit_inner
def _longer(array: Shorts, size: int) -> Shorts:
    longer = np.empty(size, np.int32)
    for i in range(len(array)):
        longer[i] = array[i]
    return longer


@jit_inner
def _longer_floats(array: Floats, size: int) -> Floats:
    longer = np.empty(size, np.float64)
    for i in range(len(array)):
        longer[i] = array[i]
    return longer


@jit_inner
def _part_of_seeds(seeds: Seeds, start: int, stop: int) -> Seeds:
    """Return some of the seeds for a search that does not ask for metres."""
    node, cost, place = seeds.node[start:stop], seeds.cost[start:stop], seeds.place[start:stop]
    return Seeds(node, cost, place, seeds.metres)


# --- the places that each place reaches -------------------------------------------------------------------------------


class Listed(NamedTuple):
    """Doors that were found: the place (upper half of the key), and where among the costs (lower half) its cost is."""

    key: Ints
    cost: Floats


@jit
def pairs(
    weights: Weights, search: Search, sources: Sources, far: SortedDoors, scratch: Scratch, counts: Ints
) -> tuple[Shorts, Floats]:
    """
    Search from each of the sources: place and cost of the places within the bound, in order of place.

    `counts` receives how many places each source reaches. Work per source follows what it reaches: the costs of `scratch`,
    infinite at every node, are put back by the list of what was touched, never cleared, and nothing is as long as the list
    of places.
    """
    none = np.empty(0, np.float64)
    cost, touched = scratch.cost, scratch.touched
    field = Field(cost, scratch.label, none)
    notes = Notes(touched, np.empty(0, np.uint8), none, np.empty(0, np.int32), none)
    most = min(search.bound, MOST)  # what cannot be reached costs infinity
    size = 0
    place = np.empty(1024, np.int32)
    costs = np.empty(1024, np.float64)
    listed = Listed(np.empty(1024, np.int64), np.empty(1024, np.float64))
    spare = np.empty(1024, np.int64)
    digits = np.empty(4 * 256, np.int32)
    arcs, starts, doors = weights.arcs, sources.seeds, sources.doors
    seed_off, door_off = sources.seed_off, sources.door_off
    many = len(seed_off) - 1
    for source in range(many):
        seeds = _part_of_seeds(starts, seed_off[source], seed_off[source + 1])
        reached, _ = spread(arcs, search, seeds, field, notes)
        a, b = door_off[source], door_off[source + 1]
        near = Spots(doors.edge[a:b], doors.at[a:b], doors.access[a:b])
        within = Scratch(cost, scratch.label, touched[:reached])
        count = -1
        while count < 0:  # room is made out here, as in `spread`
            count = _doors_near(weights, most, within, near, far, listed)
            if count < 0:
                room = 2 * len(listed.key)
                listed, spare = Listed(np.empty(room, np.int64), np.empty(room, np.float64)), np.empty(room, np.int64)
        for i in range(reached):
            cost[np.uint32(touched[i])] = np.inf
        if size + count > len(place):  # room for all, if the others reach as much as those so far (but not for ever)
            room = (size + count) * many // (source + 1) * 9 // 8
            room = min(max(room, 2 * (size + count)), 8 * (size + count))
            place, costs = _longer(place, room), _longer_floats(costs, room)
        begin = size
        in_order = Listed(_sorted(listed.key, spare, count, far.places, digits), listed.cost)
        size = _least_of_each(in_order, count, place, costs, size)
        counts[source] = size - begin
    return place[:size], costs[:size]


@jit_inner
def _doors_near(weights: Weights, most: float, within: Scratch, near: Spots, far: SortedDoors, listed: Listed) -> int:
    """List the doors within `most` of a source; return how many, or -1 where there is no room for them."""
    arcs, edges = weights.arcs, weights.edges
    indptr, adj, arc_edge = arcs.indptr, arcs.adj, arcs.edge
    edge_u, edge_len, edge_rate = edges.u, edges.metres, edges.rate
    far_off, far_at, far_access, far_place = far.off, far.at, far.access, far.place
    cost, touched, key, cost_of = within.cost, within.touched, listed.key, listed.cost
    unit = weights.unit
    count = np.int64(0)
    for i in range(len(touched)):
        node = np.uint32(touched[i])
        mine = cost[node]
        for arc in range(np.uint64(indptr[node]), np.uint64(indptr[node + np.uint32(1)])):
            other = np.uint32(adj[arc])
            theirs = cost[other]
            if other < node and theirs < np.inf:
                continue  # the edge is looked at from its other end
            e = np.uint32(arc_edge[arc])
            begin, end = far_off[e], far_off[e + np.uint32(1)]
            if begin == end:
                continue  # nobody lives there
            if count + (end - begin) > len(key):
                return -1
            from_u, from_v = mine, theirs
            if np.uint32(edge_u[e]) != node:
                from_u, from_v = theirs, mine
            rate, length = edge_rate[e], edge_len[e]
            for k in range(np.uint64(begin), np.uint64(end)):
                by_u, by_v = along(rate, far_at[k]), along(rate, length - far_at[k])
                new = far_access[k] * unit + min(from_u + by_u, from_v + by_v)
                key[np.uint64(count)] = (np.int64(far_place[k]) << 32) | count
                cost_of[np.uint64(count)] = new
                count += new <= most
    for one in range(len(near.edge)):
        e = np.uint32(near.edge[one])
        if count + (far_off[e + np.uint32(1)] - far_off[e]) > len(key):
            return -1
        for k in range(far_off[e], far_off[e + np.uint32(1)]):
            part = along(edge_rate[e], abs(far_at[k] - near.at[one]))
            new = near.access[one] * unit + (far_access[k] * unit + part)
            key[np.uint64(count)] = (np.int64(far_place[k]) << 32) | count
            cost_of[np.uint64(count)] = new
            count += new <= most
    return int(count)


@jit_inner
def _sorted(key: Ints, spare: Ints, count: int, places: int, digits: Shorts) -> Ints:
    """Return keys sorted by place (their upper half), in the one array or the other: a few by insertion, many by digits."""
    if count <= 48:
        for i in range(1, count):
            one, k = key[i], i
            while k > 0 and key[k - 1] > one:
                key[k] = key[k - 1]
                k -= 1
            key[k] = one
        return key
    bits = 1
    while places >> bits > 0:
        bits += 1
    rounds = (bits + 7) // 8
    width = (bits + rounds - 1) // rounds
    mask, size = np.int64((1 << width) - 1), 1 << width
    for i in range(rounds * size):
        digits[i] = 0
    for i in range(count):
        one = key[i] >> 32
        for turn in range(rounds):
            digits[np.uint32(((one >> (turn * width)) & mask) + turn * size)] += 1
    for turn in range(rounds):
        total = np.int32(0)
        for i in range(turn * size, (turn + 1) * size):
            many = digits[np.uint32(i)]
            digits[np.uint32(i)] = total
            total += many
        shift = 32 + turn * width
        for i in range(count):
            one = key[i]
            digit = np.uint32(((one >> shift) & mask) + turn * size)
            k = digits[digit]
            digits[digit] = k + np.int32(1)
            spare[np.uint32(k)] = one
        key, spare = spare, key
    return key


@jit_inner
def _least_of_each(listed: Listed, count: int, place: Shorts, costs: Floats, size: int) -> int:
    """Write the least cost of each place in a sorted run from `size` on; return where it ends."""
    key, cost_of = listed.key, listed.cost
    last = np.int64(-1)
    for i in range(count):
        one = key[i] >> 32
        new = cost_of[np.uint32(key[i] & 0xFFFFFFFF)]
        if one == last:
            costs[size - 1] = min(costs[size - 1], new)
        else:
            place[size] = one
            costs[size] = new
            size += 1
            last = one
    return size


@jit
def turn_pairs(source: Shorts, place: Shorts, cost: Floats, places: int) -> tuple[Shorts, Shorts, Floats]:
    """Return pairs that are sorted by source, then place, as (place, source, cost) sorted by place, then source."""
    off = np.zeros(places + 1, np.int64)
    for i in range(len(place)):
        off[place[i] + 1] += 1
    for k in range(1, len(off)):
        off[k] += off[k - 1]
    out_place = np.empty(len(place), np.int32)
    out_source = np.empty(len(place), np.int32)
    out_cost = np.empty(len(place), np.float64)
    for i in range(len(place)):
        k = off[place[i]]
        off[place[i]] += 1
        out_place[k] = place[i]
        out_source[k] = source[i]
        out_cost[k] = cost[i]
    return out_place, out_source, out_cost


# --- street pieces within reach ---------------------------------------------------------------------------------------


class Reached(NamedTuple):
    """What one place reaches: the edges there are, what it costs to each node, and its doors on edges (access as a cost)."""

    edges: Edges
    cost: Floats
    doors: EdgeDoors


class Parts(NamedTuple):
    """Room for the parts of one edge, metres along it."""

    start: Floats
    stop: Floats


class Cuts(NamedTuple):
    """Room for pieces: the number of the limit, the edge, metres along it."""

    limit: Shorts
    edge: Shorts
    start: Floats
    stop: Floats


@jit_inner
def _parts_of_edge(e: int, limit: float, reached: Reached, parts: Parts) -> int:
    """Write the parts of one edge within `limit`, in order and apart from each other; return how many."""
    edges, cost, doors = reached.edges, reached.cost, reached.doors.doors
    start, stop, following = parts.start, parts.stop, reached.doors.following
    length, weight = edges.metres[e], edges.cost[e]
    door = reached.doors.first[e]
    count = 0
    while True:  # the two ends, then the doors on the edge itself
        if count == 0:
            centre, left = 0.0, limit - cost[edges.u[e]]
        elif count == 1:
            centre, left = length, limit - cost[edges.v[e]]
        elif door >= 0:
            centre, left = doors.at[door], limit - doors.access[door]
            door = following[door]
        else:
            break
        far = 0.0
        if left >= 0.0 and weight < np.inf:
            far = length if left >= weight else length * (left / weight)
        a = centre - far
        b = centre + far
        a = 0.0 if a <= SAME_M else a
        b = length if b >= length - SAME_M else b
        if left < 0.0:
            a, b = centre, centre
        k = count
        while k > 0 and start[k - 1] > a:
            start[k], stop[k] = start[k - 1], stop[k - 1]
            k -= 1
        start[k], stop[k] = a, b
        count += 1
    kept = 0
    for i in range(count):
        if stop[i] - start[i] <= SAME_M:
            continue
        if kept > 0 and start[i] <= stop[kept - 1] + SAME_M:
            stop[kept - 1] = max(stop[kept - 1], stop[i])
        else:
            start[kept], stop[kept] = start[i], stop[i]
            kept += 1
    return kept


@jit
def pieces(
    weights: Weights, search: Search, limits: Floats, sources: Sources
) -> tuple[Shorts, Shorts, Shorts, Floats, Floats]:
    """
    Return (source, limit, edge, from, to) of the street pieces within each of `limits` (ascending) of each source.

    From either end of an edge, and from each door on it, walking gets as far as the limit leaves; the union of those
    parts is cut exactly. The access of the sources' doors is a cost here.
    """
    arcs, starts, doors = weights.arcs, sources.seeds, sources.doors
    seed_off, door_off = sources.seed_off, sources.door_off
    edges, many = len(weights.edges.u), len(seed_off) - 1
    none, touched = np.empty(0, np.float64), np.empty(len(arcs.indptr) - 1, np.int32)
    field = Field(np.full(len(touched), np.inf), np.zeros(len(touched), np.int32), none)
    notes = Notes(touched, np.empty(0, np.uint8), none, np.empty(0, np.int32), none)
    seen = np.full(edges, -1, np.int64)
    on_edge = EdgeDoors(np.full(edges, -1, np.int32), np.full(len(doors.edge), -1, np.int32), doors)
    most = 0
    for source in range(many):
        most = max(most, door_off[source + 1] - door_off[source])
    parts = Parts(np.empty(most + 2, np.float64), np.empty(most + 2, np.float64))
    reached = Reached(weights.edges, field.cost, on_edge)
    todo = np.empty(edges, np.int32)
    size = 0
    out_source = np.empty(256, np.int32)
    out = Cuts(np.empty(256, np.int32), np.empty(256, np.int32), np.empty(256, np.float64), np.empty(256, np.float64))
    for source in range(many):
        seeds = _part_of_seeds(starts, seed_off[source], seed_off[source + 1])
        nodes, _ = spread(arcs, search, seeds, field, notes)
        count = 0
        for door in range(door_off[source], door_off[source + 1]):
            e = doors.edge[door]
            on_edge.following[door] = on_edge.first[e]
            on_edge.first[e] = door
            if seen[e] != source:
                seen[e] = source
                todo[count] = e
                count += 1
        count = _edges_at(arcs, touched[:nodes], source, seen, todo, count)
        end = -1
        while end < 0:  # room is made out here, as in `spread`
            end = _cut_edges(todo[:count], limits, reached, parts, out, size)
            if end < 0:
                wanted = 2 * len(out_source) + most + 2
                out_source = _longer(out_source, wanted)
                out = Cuts(
                    _longer(out.limit, wanted),
                    _longer(out.edge, wanted),
                    _longer_floats(out.start, wanted),
                    _longer_floats(out.stop, wanted),
                )
        for i in range(size, end):
            out_source[i] = sources.first + source
        size = end
        for i in range(count):
            on_edge.first[todo[i]] = -1
        for i in range(nodes):
            field.cost[touched[i]] = np.inf
    return out_source[:size], out.limit[:size], out.edge[:size], out.start[:size], out.stop[:size]


@jit_inner
def _edges_at(arcs: Arcs, nodes: Shorts, source: int, seen: Ints, todo: Shorts, count: int) -> int:
    """List the edges at nodes, but for those that the source has `seen`, from `count` on; return where the list ends."""
    indptr, edge = arcs.indptr, arcs.edge
    for i in range(len(nodes)):
        for arc in range(indptr[nodes[i]], indptr[nodes[i] + 1]):
            e = edge[arc]
            if seen[e] != source:
                seen[e] = source
                todo[count] = e
                count += 1
    return count


@jit_inner
def _cut_edges(todo: Shorts, limits: Floats, reached: Reached, parts: Parts, out: Cuts, size: int) -> int:
    """Write the parts of the listed edges within each limit from `size` on; return where they end, -1 if there is no room."""
    for i in range(len(todo)):
        e = todo[i]
        for k in range(len(limits)):
            kept = _parts_of_edge(e, limits[k], reached, parts)
            if size + kept > len(out.edge):
                return -1
            for part in range(kept):
                out.limit[size] = k
                out.edge[size] = e
                out.start[size] = parts.start[part]
                out.stop[size] = parts.stop[part]
                size += 1
    return size
