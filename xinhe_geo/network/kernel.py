"""
The loops of `WalkNetwork`: bounded shortest paths and what is read off them.

The graph is a compressed adjacency (`indptr`, `adj`, one weight per arc). Costs are float64 and non-negative; a closed
arc weighs infinity. Shortest paths run over a ring of buckets: a bucket holds costs that differ by less than its width,
and the ring need only be as long as the longest arc, so that no array is sized by the limit, however large it is. The
cost of a node is the smallest left-to-right float sum over all paths, which no order of work can change; labels and
walked metres of paths that tie are settled afterwards by `settle_labels` and `settle_metres`. Answers therefore depend
neither on the order of seeds, nor on threads, nor on whether Numba or SciPy did the work.

Without Numba the same functions run as plain Python around SciPy's Dijkstra.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

numba: Any
try:
    import numba
except ImportError:  # the slow path: see the module's docstring
    numba = None

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Shorts = NDArray[np.int32]
Marks = NDArray[np.uint8]
Function = TypeVar("Function", bound=Callable[..., Any])

HAVE_NUMBA = numba is not None
#: Two ways are the same length when they differ by no more than this many metres.
SAME_M = 1e-6
#: The greatest cost that is not infinite.
MOST = float(np.finfo(np.float64).max)


def _jit(function: Function) -> Function:
    """Compile without the interpreter lock; keep the result on disk where a folder can be written."""
    if numba is None:
        return function
    try:
        compiled: Function = numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # no writable cache folder (a read-only install): compile once per process instead
        compiled = numba.njit(nogil=True)(function)
    return compiled


# --- the queue: entries in linked lists, one list per bucket of the ring; spent entries are used again ----------------

#: State: head of the free list, entries queued, entries ever used, and where a search stands: seeds taken, bucket, nodes listed,
#: whether ways tied, entries it wants room for.
_FREE, _COUNT, _USED, _NEXT, _NOW, _LISTED, _TIED, _ROOM = range(8)


@_jit
def _push(node: Any, cost: float, slot: int, heads: Ints, chain: Shorts, who: Shorts, key: Floats, state: Ints) -> None:
    entry = state[_FREE]
    if entry >= 0:
        state[_FREE] = chain[entry]
    else:
        entry = state[_USED]
        state[_USED] += 1
    who[entry] = node
    key[entry] = cost
    chain[entry] = heads[slot]
    heads[slot] = entry
    state[_COUNT] += 1


@_jit
def _pop(slot: int, heads: Ints, chain: Shorts, state: Ints) -> int:
    entry = heads[slot]
    heads[slot] = chain[entry]
    chain[entry] = state[_FREE]
    state[_FREE] = entry
    state[_COUNT] -= 1
    return int(entry)


@_jit
def _wider(chain: Shorts, who: Shorts, key: Floats, needed: int) -> tuple[Shorts, Shorts, Floats]:
    size = max(2 * len(chain), needed)
    chain2 = np.empty(size, np.int32)
    who2 = np.empty(size, np.int32)
    key2 = np.empty(size, np.float64)
    for i in range(len(chain)):  # loops: slices take Numba a second each to compile
        chain2[i] = chain[i]
        who2[i] = who[i]
        key2[i] = key[i]
    return chain2, who2, key2


@_jit
def _note(
    node: Any,
    reached: int,
    cost: Floats,
    label: Shorts,
    metres: Floats,
    touched: Shorts,
    mark: Marks,
    was_cost: Floats,
    was_label: Shorts,
    was_metres: Floats,
) -> int:
    """List a node that is about to change for the first time, and what stood there; return how many are listed."""
    if mark[node] != 0:
        return reached
    mark[node] = 1
    touched[reached] = node
    was_cost[reached] = cost[node]
    was_label[reached] = label[node]
    if len(metres) > 0:
        was_metres[reached] = metres[node]
    return reached + 1


@_jit
def _spread(
    indptr: Ints,
    adj: Shorts,
    weight: Floats,
    metre: Floats,
    bound: float,
    same: float,
    per_unit: float,
    heads: Ints,
    seed_node: Shorts,
    seed_cost: Floats,
    seed_label: Shorts,
    seed_metres: Floats,
    cost: Floats,
    label: Shorts,
    metres: Floats,
    touched: Shorts,
    mark: Marks,
    was_cost: Floats,
    was_label: Shorts,
    was_metres: Floats,
) -> tuple[int, bool]:
    chain = np.empty(256, np.int32)
    who = np.empty(256, np.int32)
    key = np.empty(256, np.float64)
    state = np.zeros(8, np.int64)
    state[_FREE] = -1
    # Room is made out here: in a loop that may put another array in the place of one, every use of it costs more, and the
    # whole loop takes twice as long.
    while not _go_on(
        indptr,
        adj,
        weight,
        metre,
        bound,
        same,
        per_unit,
        heads,
        seed_node,
        seed_cost,
        seed_label,
        seed_metres,
        cost,
        label,
        metres,
        touched,
        mark,
        was_cost,
        was_label,
        was_metres,
        chain,
        who,
        key,
        state,
    ):
        chain, who, key = _wider(chain, who, key, state[_ROOM])
    return state[_LISTED], state[_TIED] != 0


@_jit
def _stop(state: Ints, nxt: int, now: int, reached: int, tied: bool, room: int) -> None:
    """Note where a search stands."""
    state[_NEXT], state[_NOW], state[_LISTED], state[_TIED], state[_ROOM] = nxt, now, reached, tied, room


@_jit
def _go_on(  # noqa: C901, PLR0912, PLR0915  (one loop; parts of it would share a dozen arrays)
    indptr: Ints,
    adj: Shorts,
    weight: Floats,
    metre: Floats,
    bound: float,
    same: float,
    per_unit: float,
    heads: Ints,
    seed_node: Shorts,
    seed_cost: Floats,
    seed_label: Shorts,
    seed_metres: Floats,
    cost: Floats,
    label: Shorts,
    metres: Floats,
    touched: Shorts,
    mark: Marks,
    was_cost: Floats,
    was_label: Shorts,
    was_metres: Floats,
    chain: Shorts,
    who: Shorts,
    key: Floats,
    state: Ints,
) -> bool:
    """Search on from where `state` stands; return whether that is the end, or else room is wanted."""
    ring = len(heads) - 1  # a mask: the length is a power of two
    two, noting, listing = len(metres) > 0, len(mark) > 0, len(touched) > 0
    nxt, now, reached, tied = state[_NEXT], state[_NOW], state[_LISTED], state[_TIED] != 0
    while True:
        if state[_COUNT] == 0:
            if nxt >= len(seed_node):
                break
            now = int(seed_cost[nxt] * per_unit)
        while nxt < len(seed_node) and int(seed_cost[nxt] * per_unit) <= now:
            if state[_COUNT] + 1 >= len(chain):
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
                        reached = _note(
                            node, reached, cost, label, metres, touched, mark, was_cost, was_label, was_metres
                        )
                    elif listing and old == np.inf:
                        touched[reached] = node
                        reached += 1
                    cost[node] = new
                    label[node] = seed_label[nxt]
                    if two:
                        metres[node] = seed_metres[nxt]
                    _push(node, new, now & ring, heads, chain, who, key, state)
            nxt += 1
        slot = now & ring
        while heads[slot] >= 0:
            # Unsigned: Numba need not look whether an index counts from the end, which is a tenth of the time here.
            here = np.uint32(who[heads[slot]])
            first, last = indptr[here], indptr[here + np.uint32(1)]
            if state[_COUNT] + (last - first) >= len(chain):
                _stop(state, nxt, now, reached, tied, state[_COUNT] + (last - first) + 1)
                return False
            base = key[_pop(slot, heads, chain, state)]
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
                        reached = _note(
                            node, reached, cost, label, metres, touched, mark, was_cost, was_label, was_metres
                        )
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
                    _push(node, new, int(new * per_unit) & ring, heads, chain, who, key, state)
                elif new - old <= same and (
                    label[node] != mine or (two and abs(metres[node] - metres[here] - metre[arc]) > SAME_M)
                ):
                    tied = True
        now += 1
    _stop(state, nxt, now, reached, tied, 0)
    return True


def _spread_scipy(
    indptr: Ints,
    adj: Shorts,
    weight: Floats,
    metre: Floats,
    bound: float,
    same: float,
    per_unit: float,
    heads: Ints,
    seed_node: Shorts,
    seed_cost: Floats,
    seed_label: Shorts,
    seed_metres: Floats,
    cost: Floats,
    label: Shorts,
    metres: Floats,
    touched: Shorts,
    mark: Marks,
    was_cost: Floats,
    was_label: Shorts,
    was_metres: Floats,
) -> tuple[int, bool]:
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import dijkstra

    del metre, same, per_unit, heads, seed_metres
    nodes = len(indptr) - 1
    good = seed_cost <= bound
    order = np.lexsort((seed_cost[good], seed_node[good]))
    start, begin = seed_node[good][order], seed_cost[good][order]
    first = np.concatenate([[True], start[1:] != start[:-1]])[: len(start)]  # parallel seeds: only the least counts
    arcs = np.isfinite(weight)
    kept = np.concatenate([[0], np.cumsum(arcs)])[indptr]
    matrix = csr_matrix(
        (
            np.concatenate([weight[arcs], begin[first]]),
            np.concatenate([adj[arcs], start[first]]),
            np.concatenate([kept, [kept[-1] + first.sum()]]),
        ),
        shape=(nodes + 1, nodes + 1),
    )
    found = np.asarray(dijkstra(matrix, indices=nodes, limit=bound))[:nodes]
    noting = len(mark) > 0
    new = np.flatnonzero((found < cost) & (mark == 0) if noting else np.isfinite(found) & ~np.isfinite(cost))
    new = new if len(touched) else new[:0]
    touched[: len(new)] = new
    if noting:
        mark[new], was_cost[: len(new)], was_label[: len(new)] = 1, cost[new], label[new]
        was_metres[: len(new) if len(metres) else 0] = metres[new] if len(metres) else metres
    np.minimum(cost, found, out=cost)
    return len(new), True  # no labels came with it: they are all to be settled


#: Relax from seeds (sorted by cost) into `cost`, `label` and, unless it is empty, `metres`, which may already hold an earlier
#: search. `touched`, unless it is empty, receives the nodes that had no cost before; with `mark` (zero but for nodes listed earlier)
#: it receives all that change, and `was_cost`, `was_label` and `was_metres` what stood there. Returns how many nodes it listed and
#: whether ways of equal cost met, so that labels have to be settled.
spread = _spread if HAVE_NUMBA else _spread_scipy


@_jit
def settle_labels(
    indptr: Ints,
    adj: Shorts,
    weight: Floats,
    same: float,
    seed_node: Shorts,
    seed_cost: Floats,
    seed_label: Shorts,
    cost: Floats,
    label: Shorts,
) -> None:
    """
    Give every node the first label, in the order of the seeds, that reaches it at its cost.

    Each label in turn floods along arcs that are tight (cost here plus arc equals cost there, within `same`) over nodes
    that no earlier label took, so every node is visited once.
    """
    label[:] = -1
    stack = np.empty(len(cost), np.int32)
    for i in range(len(seed_node)):
        node = seed_node[i]
        if label[node] >= 0 or cost[node] == np.inf or seed_cost[i] > cost[node] + same:
            continue
        label[node] = seed_label[i]
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


@_jit
def settle_metres(
    indptr: Ints,
    adj: Shorts,
    weight: Floats,
    metre: Floats,
    same: float,
    order: Ints,
    seed_node: Shorts,
    seed_cost: Floats,
    seed_label: Shorts,
    seed_metres: Floats,
    cost: Floats,
    label: Shorts,
    metres: Floats,
) -> None:
    """Set `metres` to the least over the tight ways of each node's own label; `order` lists the nodes by cost."""
    metres[:] = np.inf
    for i in range(len(seed_node)):
        node = seed_node[i]
        if seed_label[i] == label[node] and seed_cost[i] <= cost[node] + same:
            metres[node] = min(metres[node], seed_metres[i])
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


@_jit
def orphan(
    indptr: Ints,
    adj: Shorts,
    number: int,
    start: Shorts,
    cost: Floats,
    label: Shorts,
    metres: Floats,
    touched: Shorts,
    mark: Marks,
    was_cost: Floats,
    was_label: Shorts,
    was_metres: Floats,
) -> int:
    """
    Take every node from the label `number`, which floods from its seeds at `start`; list them as `spread` does.

    A label's nodes hang together: each got it from a neighbour that has it, or from a seed.
    """
    size = 0
    for i in range(len(start)):
        if label[start[i]] == number:
            size = _note(start[i], size, cost, label, metres, touched, mark, was_cost, was_label, was_metres)
    done = 0
    while done < size:  # what is listed is the queue as well
        here = touched[done]
        done += 1
        cost[here] = np.inf
        label[here] = -1
        for arc in range(indptr[here], indptr[here + 1]):
            if label[adj[arc]] == number:
                size = _note(adj[arc], size, cost, label, metres, touched, mark, was_cost, was_label, was_metres)
    return size


@_jit
def offers(
    indptr: Ints,
    adj: Shorts,
    weight: Floats,
    metre: Floats,
    orphans: Shorts,
    cost: Floats,
    label: Shorts,
    metres: Floats,
    seed_node: Shorts,
    seed_cost: Floats,
    seed_label: Shorts,
    seed_metres: Floats,
) -> int:
    """
    Write as seeds what the neighbours of orphaned nodes offer them, at most one per arc; return how many.

    Ways are as long there as back, but for those into dead ends, which no search walks.
    """
    size = 0
    for i in range(len(orphans)):
        here = orphans[i]
        if indptr[here + 1] - indptr[here] == 1:
            continue
        for arc in range(indptr[here], indptr[here + 1]):
            there = adj[arc]
            if cost[there] + weight[arc] < np.inf:
                seed_node[size] = here
                seed_cost[size] = cost[there] + weight[arc]
                seed_label[size] = label[there]
                seed_metres[size] = metre[arc] + (metres[there] if len(metres) > 0 else 0.0)
                size += 1
    return size


@_jit
def _longer(array: Shorts, size: int) -> Shorts:
    longer = np.empty(size, np.int32)
    for i in range(len(array)):
        longer[i] = array[i]
    return longer


@_jit
def _longer_floats(array: Floats, size: int) -> Floats:
    longer = np.empty(size, np.float64)
    for i in range(len(array)):
        longer[i] = array[i]
    return longer


# --- reading costs at doors ------------------------------------------------------------------------------------------


@_jit
def _wrong_door(e: int, at: float, access: float, edge_len: Floats) -> int:
    if e >= len(edge_len):
        return 1
    if not 0.0 <= at <= edge_len[e] + SAME_M:
        return 2
    return 0 if access >= 0.0 else 3


@_jit
def check_doors(edge: Shorts, at: Floats, access: Floats, edge_len: Floats) -> int:
    """
    Put positions that exceed their edge by rounding back on it, and doors without an edge (-1) to nothing, in place.

    Returns 0, or what is wrong with a door: 1 no such edge, 2 not on its edge, 3 no access length.
    """
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


@_jit
def _along(rate: float, part: float) -> float:
    """Return the cost of `part` metres of an edge; a closed edge (infinite rate) can be stood on but not walked."""
    return rate * part if part != 0.0 else 0.0


@_jit
def door_ends(
    edge: Shorts,
    at: Floats,
    access: Floats,
    edge_u: Shorts,
    edge_v: Shorts,
    edge_len: Floats,
    edge_rate: Floats,
    end_u: Shorts,
    end_v: Shorts,
    to_u: Floats,
    to_v: Floats,
) -> int:
    """
    Write the two ends of the doors' edges and the cost of walking along to each (without an edge: any ends, infinitely far).

    Doors are only read. Returns what `check_doors` does.
    """
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
        to_u[i] = _along(edge_rate[e], at[i])
        to_v[i] = _along(edge_rate[e], max(edge_len[e] - at[i], 0.0))
    return 0


@_jit
def seeds(
    edge: Shorts,
    at: Floats,
    access: Floats,
    place: Shorts,
    edge_u: Shorts,
    edge_v: Shorts,
    edge_len: Floats,
    edge_rate: Floats,
    unit: float,
    only: Marks,
    seed_node: Shorts,
    seed_cost: Floats,
    seed_label: Shorts,
    seed_metres: Floats,
) -> int:
    """
    Write where searches from doors start, at most two nodes per door; return how many.

    These are both ends of the doors' edges (first all starts, then all ends of edges), but for ends behind closed edges
    and, if `only` is not empty, for nodes that it does not mark.
    """
    size = 0
    for far_end in range(2):
        for i in range(len(edge)):
            e = edge[i]
            if e < 0:
                continue
            node = edge_v[e] if far_end else edge_u[e]
            part = edge_len[e] - at[i] if far_end else at[i]
            cost = access[i] * unit + _along(edge_rate[e], part)
            if cost == np.inf or (len(only) > 0 and only[node] == 0):
                continue
            seed_node[size] = node
            seed_cost[size] = cost
            seed_label[size] = place[i]
            seed_metres[size] = access[i] + part
            size += 1
    return size


@_jit
def at_doors(
    edge: Shorts,
    at: Floats,
    access: Floats,
    end_u: Shorts,
    end_v: Shorts,
    to_u: Floats,
    to_v: Floats,
    near: NDArray[np.bool_],
    unit: float,
    two: bool,
    bound: float,
    same: float,
    edge_len: Floats,
    edge_rate: Floats,
    cost: Floats,
    label: Shorts,
    metres: Floats,
    rank: Shorts,
    door_first: Shorts,
    door_next: Shorts,
    door_at: Floats,
    door_access: Floats,
    door_label: Shorts,
    names: Ints,
    out_cost: Floats,
    out_metres: Floats,
    out_target: NDArray[Any],
    out_missing: NDArray[np.bool_],
) -> None:
    """
    Read the nearest label, its cost and its walked metres at doors, from the costs at the nodes.

    A door reaches its targets by one end of its edge, by the other (`door_ends`), or along the edge itself (`door_first`,
    `door_next`: the targets' doors of each edge; `near`: whether to look there; always, where metres are not the cost). Of ways
    that tie, the label of smallest `rank` counts, then the fewest metres. `out_target` receives the label, or what `names` calls
    it (something, where `out_missing` says that there is none). `out_metres` may be empty where metres are the cost.
    """
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
        if e < 0 or not (two or tied or door_first[e] >= 0):
            continue
        best, nearest, walked = _at_door(
            e,
            at[i],
            access[i],
            u,
            v,
            by_u,
            by_v,
            unit,
            two,
            bound,
            same,
            edge_len,
            edge_rate,
            label,
            metres,
            rank,
            door_first,
            door_next,
            door_at,
            door_access,
            door_label,
        )
        out_cost[i] = best
        if measured:
            out_metres[i] = walked
        if named:
            out_target[i] = names[max(nearest, 0)]
            out_missing[i] = nearest < 0
        else:
            out_target[i] = nearest


@_jit
def _at_door(
    e: int,
    at: float,
    access: float,
    u: Any,
    v: Any,
    by_u: float,
    by_v: float,
    unit: float,
    two: bool,
    bound: float,
    same: float,
    edge_len: Floats,
    edge_rate: Floats,
    label: Shorts,
    metres: Floats,
    rank: Shorts,
    door_first: Shorts,
    door_next: Shorts,
    door_at: Floats,
    door_access: Floats,
    door_label: Shorts,
) -> tuple[float, int, float]:
    """Return cost, label and metres of one door where ways may tie or a target is on the edge itself."""
    leg, rate = access * unit, edge_rate[e]
    best = min(by_u, by_v)
    door = door_first[e]
    while door >= 0:
        best = min(best, leg + (door_access[door] * unit + _along(rate, abs(at - door_at[door]))))
        door = door_next[door]
    if best == np.inf or not best <= bound:
        return np.nan, -1, np.nan
    nearest, walked = -1, np.inf
    if by_u <= best + same:
        way = access + at + (metres[u] if two else 0.0)
        nearest, walked = _prefer(label[u], way, rank, nearest, walked)
    if by_v <= best + same:
        way = access + max(edge_len[e] - at, 0.0) + (metres[v] if two else 0.0)
        nearest, walked = _prefer(label[v], way, rank, nearest, walked)
    door = door_first[e]
    while door >= 0:
        if leg + (door_access[door] * unit + _along(rate, abs(at - door_at[door]))) <= best + same:
            way = access + door_access[door] + abs(at - door_at[door])
            nearest, walked = _prefer(door_label[door], way, rank, nearest, walked)
        door = door_next[door]
    return best, nearest, walked if two else best / unit


@_jit
def _prefer(label: int, way: float, rank: Shorts, nearest: int, walked: float) -> tuple[int, float]:
    """Return the label that ranks first of two that tie, and its metres; of one label, the fewest metres."""
    if nearest >= 0 and label == nearest:
        return nearest, min(way, walked)
    if nearest < 0 or rank[label] < rank[nearest]:
        return label, way
    return nearest, walked


@_jit
def merge(
    cost: Floats, label: Shorts, metres: Floats, two: bool, same: float, cost2: Floats, label2: Shorts, metres2: Floats
) -> bool:
    """Take the better of two searches at every node; returns whether ways of equal cost met."""
    tied = False
    for i in range(len(cost)):
        if cost2[i] == np.inf:
            continue
        if abs(cost[i] - cost2[i]) <= same and (
            label[i] != label2[i] or (two and abs(metres[i] - metres2[i]) > SAME_M)
        ):
            tied = True
        if cost2[i] < cost[i]:
            cost[i] = cost2[i]
            label[i] = label2[i]
            if two:
                metres[i] = metres2[i]
    return tied


@_jit
def by_edge(edges: int, edge: Shorts, at: Floats, access: Floats, place: Shorts) -> tuple[Ints, Floats, Floats, Shorts]:
    """Return doors edge by edge: the offset of each edge, then `at`, `access` and `place`; doors without an edge go."""
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
            out_at[k] = at[i]
            out_access[k] = access[i]
            out_place[k] = place[i]
    return off[: edges + 1], out_at, out_access, out_place


@_jit
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


@_jit
def pairs(
    indptr: Ints,
    adj: Shorts,
    arc_edge: Shorts,
    weight: Floats,
    edge_u: Shorts,
    edge_len: Floats,
    edge_rate: Floats,
    unit: float,
    bound: float,
    per_unit: float,
    ring: int,
    first: int,
    last: int,
    seed_off: Ints,
    seed_node: Shorts,
    seed_cost: Floats,
    near_off: Ints,
    near_edge: Shorts,
    near_at: Floats,
    near_access: Floats,
    far_off: Ints,
    far_at: Floats,
    far_access: Floats,
    far_place: Shorts,
    places: int,
    cost: Floats,
    label: Shorts,
    touched: Shorts,
    counts: Ints,
) -> tuple[Shorts, Floats]:
    """
    Search from each of the sources `first` to `last`: place and cost of the places within `bound`, in order of place.

    `near_off` lists the doors of each source, `far_off` those of the places on each edge. `counts` receives how many
    places each source reaches. Work per source follows what it reaches: `cost`, infinite at every node, is put back by
    the list of what was touched, never cleared, and nothing is as long as the list of places.
    """
    none, unmarked = np.empty(0, np.float64), np.empty(0, np.uint8)
    heads = np.full(ring, -1, np.int64)
    zero = np.zeros(max(len(seed_node), 1), np.int32)
    most = min(bound, MOST)  # what cannot be reached costs infinity
    size = 0
    place = np.empty(1024, np.int32)
    far = np.empty(1024, np.float64)
    key = np.empty(1024, np.int64)
    spare = np.empty(1024, np.int64)
    cost_of = np.empty(1024, np.float64)
    digits = np.empty(4 * 256, np.int32)
    for source in range(first, last):
        a, b = seed_off[source], seed_off[source + 1]
        reached, _ = spread(
            indptr,
            adj,
            weight,
            none,
            bound,
            -1.0,
            per_unit,
            heads,
            seed_node[a:b],
            seed_cost[a:b],
            zero[a:b],
            none,
            cost,
            label,
            none,
            touched,
            unmarked,
            none,
            zero,
            none,
        )
        count = -1
        while count < 0:  # room is made out here, as in `_spread`
            count = _doors_near(
                indptr,
                adj,
                arc_edge,
                edge_u,
                edge_len,
                edge_rate,
                unit,
                most,
                cost,
                touched,
                reached,
                near_edge[near_off[source] : near_off[source + 1]],
                near_at[near_off[source] : near_off[source + 1]],
                near_access[near_off[source] : near_off[source + 1]],
                far_off,
                far_at,
                far_access,
                far_place,
                key,
                cost_of,
            )
            if count < 0:
                key, spare = np.empty(2 * len(key), np.int64), np.empty(2 * len(key), np.int64)
                cost_of = np.empty(len(key), np.float64)
        for i in range(reached):
            cost[np.uint32(touched[i])] = np.inf
        if size + count > len(place):  # room for all, if the others reach as much as those so far (but not for ever)
            room = (size + count) * (last - first) // (source - first + 1) * 9 // 8
            room = min(max(room, 2 * (size + count)), 8 * (size + count))
            place, far = _longer(place, room), _longer_floats(far, room)
        begin = size
        size = _least_of_each(_sorted(key, spare, count, places, digits), cost_of, count, place, far, size)
        counts[source] = size - begin
    return place[:size], far[:size]


@_jit
def _doors_near(
    indptr: Ints,
    adj: Shorts,
    arc_edge: Shorts,
    edge_u: Shorts,
    edge_len: Floats,
    edge_rate: Floats,
    unit: float,
    most: float,
    cost: Floats,
    touched: Shorts,
    reached: int,
    near_edge: Shorts,
    near_at: Floats,
    near_access: Floats,
    far_off: Ints,
    far_at: Floats,
    far_access: Floats,
    far_place: Shorts,
    key: Ints,
    cost_of: Floats,
) -> int:
    """
    List the doors within `most` of a source; return how many, or -1 where there is no room for them.

    `key` holds the place (upper half) and where in `cost_of` the cost is.
    """
    count = np.int64(0)
    for i in range(reached):
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
                by_u, by_v = _along(rate, far_at[k]), _along(rate, length - far_at[k])
                new = far_access[k] * unit + min(from_u + by_u, from_v + by_v)
                key[np.uint64(count)] = (np.int64(far_place[k]) << 32) | count
                cost_of[np.uint64(count)] = new
                count += new <= most
    for near in range(len(near_edge)):
        e = np.uint32(near_edge[near])
        if count + (far_off[e + np.uint32(1)] - far_off[e]) > len(key):
            return -1
        for k in range(far_off[e], far_off[e + np.uint32(1)]):
            along = _along(edge_rate[e], abs(far_at[k] - near_at[near]))
            new = near_access[near] * unit + (far_access[k] * unit + along)
            key[np.uint64(count)] = (np.int64(far_place[k]) << 32) | count
            cost_of[np.uint64(count)] = new
            count += new <= most
    return int(count)


@_jit
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


@_jit
def _least_of_each(key: Ints, cost_of: Floats, count: int, place: Shorts, far: Floats, size: int) -> int:
    """Write the least cost of each place in a sorted run from `size` on; return where it ends."""
    last = np.int64(-1)
    for i in range(count):
        one = key[i] >> 32
        new = cost_of[np.uint32(key[i] & 0xFFFFFFFF)]
        if one == last:
            far[size - 1] = min(far[size - 1], new)
        else:
            place[size] = one
            far[size] = new
            size += 1
            last = one
    return size


# --- street pieces within reach --------------------------------------------------------------------------------------


@_jit
def _parts_of_edge(
    limit: float,
    length: float,
    weight: float,
    cost_u: float,
    cost_v: float,
    door: int,
    door_next: Shorts,
    door_at: Floats,
    door_cost: Floats,
    start: Floats,
    stop: Floats,
) -> int:
    """Write the parts of one edge within `limit` to `start` and `stop`, in order and apart from each other."""
    count = 0
    while True:  # the two ends, then the doors on the edge itself
        if count == 0:
            centre, left = 0.0, limit - cost_u
        elif count == 1:
            centre, left = length, limit - cost_v
        elif door >= 0:
            centre, left = door_at[door], limit - door_cost[door]
            door = door_next[door]
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


@_jit
def pieces(
    indptr: Ints,
    adj: Shorts,
    arc_edge: Shorts,
    weight: Floats,
    edge_u: Shorts,
    edge_v: Shorts,
    edge_len: Floats,
    edge_cost: Floats,
    same: float,
    per_unit: float,
    ring: int,
    limits: Floats,
    first: int,
    last: int,
    seed_off: Ints,
    seed_node: Shorts,
    seed_cost: Floats,
    door_off: Ints,
    door_edge: Shorts,
    door_at: Floats,
    door_cost: Floats,
) -> tuple[Shorts, Shorts, Shorts, Floats, Floats]:
    """
    Return (source, limit, edge, from, to) of the street pieces within each of `limits` (ascending) of each source.

    From either end of an edge, and from each door on it, walking gets as far as the limit leaves; the union of those
    parts is cut exactly.
    """
    nodes = len(indptr) - 1
    cost = np.full(nodes, np.inf)
    label = np.zeros(nodes, np.int32)
    none, unmarked = np.empty(0, np.float64), np.empty(0, np.uint8)
    touched = np.empty(nodes, np.int32)
    heads = np.full(ring, -1, np.int64)
    zero = np.zeros(max(len(seed_node), 1), np.int32)
    seen = np.full(len(edge_u), -1, np.int64)
    head = np.full(len(edge_u), -1, np.int32)
    follow = np.full(len(door_edge), -1, np.int32)
    most = 0
    for source in range(first, last):
        most = max(most, door_off[source + 1] - door_off[source])
    start = np.empty(most + 2, np.float64)
    stop = np.empty(most + 2, np.float64)
    todo = np.empty(len(edge_u), np.int32)
    size = 0
    out_source = np.empty(256, np.int32)
    out_limit = np.empty(256, np.int32)
    out_edge = np.empty(256, np.int32)
    out_from = np.empty(256, np.float64)
    out_to = np.empty(256, np.float64)
    for source in range(first, last):
        a, b = seed_off[source], seed_off[source + 1]
        reached, _ = spread(
            indptr,
            adj,
            weight,
            none,
            limits[-1] + same,
            -1.0,
            per_unit,
            heads,
            seed_node[a:b],
            seed_cost[a:b],
            zero[a:b],
            none,
            cost,
            label,
            none,
            touched,
            unmarked,
            none,
            zero,
            none,
        )
        count = 0
        for door in range(door_off[source], door_off[source + 1]):
            e = door_edge[door]
            follow[door] = head[e]
            head[e] = door
            if seen[e] != source:
                seen[e] = source
                todo[count] = e
                count += 1
        for i in range(reached):
            for arc in range(indptr[touched[i]], indptr[touched[i] + 1]):
                e = arc_edge[arc]
                if seen[e] != source:
                    seen[e] = source
                    todo[count] = e
                    count += 1
        end = -1
        while end < 0:  # room is made out here, as in `_spread`
            end = _cut_edges(
                source,
                todo,
                count,
                limits,
                edge_u,
                edge_v,
                edge_len,
                edge_cost,
                cost,
                head,
                follow,
                door_at,
                door_cost,
                start,
                stop,
                size,
                out_source,
                out_limit,
                out_edge,
                out_from,
                out_to,
            )
            if end < 0:
                room = 2 * len(out_edge) + len(start)
                out_source, out_limit, out_edge = (
                    _longer(out_source, room),
                    _longer(out_limit, room),
                    _longer(out_edge, room),
                )
                out_from, out_to = _longer_floats(out_from, room), _longer_floats(out_to, room)
        size = end
        for i in range(count):
            head[todo[i]] = -1
        for i in range(reached):
            cost[touched[i]] = np.inf
    return out_source[:size], out_limit[:size], out_edge[:size], out_from[:size], out_to[:size]


@_jit
def _cut_edges(
    source: int,
    todo: Shorts,
    count: int,
    limits: Floats,
    edge_u: Shorts,
    edge_v: Shorts,
    edge_len: Floats,
    edge_cost: Floats,
    cost: Floats,
    head: Shorts,
    follow: Shorts,
    door_at: Floats,
    door_cost: Floats,
    start: Floats,
    stop: Floats,
    size: int,
    out_source: Shorts,
    out_limit: Shorts,
    out_edge: Shorts,
    out_from: Floats,
    out_to: Floats,
) -> int:
    """Write the parts of the listed edges within each limit from `size` on; return where they end, -1 if there is no room."""
    for i in range(count):
        e = todo[i]
        for k in range(len(limits)):
            kept = _parts_of_edge(
                limits[k],
                edge_len[e],
                edge_cost[e],
                cost[edge_u[e]],
                cost[edge_v[e]],
                head[e],
                follow,
                door_at,
                door_cost,
                start,
                stop,
            )
            if size + kept > len(out_edge):
                return -1
            for part in range(kept):
                out_source[size] = source
                out_limit[size] = k
                out_edge[size] = e
                out_from[size] = start[part]
                out_to[size] = stop[part]
                size += 1
    return size


# --- geometry --------------------------------------------------------------------------------------------------------


@_jit
def feet(
    x: Floats,
    y: Floats,
    edge: Shorts,
    off: Ints,
    xy: Floats,
    cum: Floats,
    out_at: Floats,
    out_foot: Floats,
) -> None:
    """Write where on its edge each point has its nearest foot: metres from the edge's start, and the coordinates."""
    for i in range(len(x)):
        e = edge[i]
        best = np.inf
        for k in range(off[e], off[e + 1] - 1):
            ax, ay = xy[k, 0], xy[k, 1]
            dx, dy = xy[k + 1, 0] - ax, xy[k + 1, 1] - ay
            square = dx * dx + dy * dy
            t = 0.0
            if square > 0.0:
                t = min(1.0, max(0.0, ((x[i] - ax) * dx + (y[i] - ay) * dy) / square))
            fx, fy = (ax + t * dx, ay + t * dy) if t < 1.0 else (xy[k + 1, 0], xy[k + 1, 1])
            far = (x[i] - fx) ** 2 + (y[i] - fy) ** 2
            if far < best:
                best = far
                out_at[i] = cum[k] + t * (cum[k + 1] - cum[k]) if t < 1.0 else cum[k + 1]
                out_foot[i, 0] = fx
                out_foot[i, 1] = fy


@_jit
def cut(
    edge: Shorts, start: Floats, stop: Floats, off: Ints, xy: Floats, cum: Floats, counts: Ints, out: Floats
) -> None:
    """Write the coordinates of the parts `start` to `stop` of edges, one after the other, and how many each has."""
    size = 0
    for i in range(len(edge)):
        e = edge[i]
        before = size
        _point_at(e, start[i], off, xy, cum, out, size)
        size += 1
        for k in range(off[e] + 1, off[e + 1] - 1):
            if start[i] < cum[k] < stop[i]:
                out[size, 0] = xy[k, 0]
                out[size, 1] = xy[k, 1]
                size += 1
        _point_at(e, stop[i], off, xy, cum, out, size)
        size += 1
        counts[i] = size - before


@_jit
def _point_at(e: int, at: float, off: Ints, xy: Floats, cum: Floats, out: Floats, row: int) -> None:
    k = off[e]
    while k < off[e + 1] - 2 and cum[k + 1] < at:
        k += 1
    step = cum[k + 1] - cum[k]
    t = (at - cum[k]) / step if step > 0.0 else 0.0
    if t >= 1.0:
        out[row, 0], out[row, 1] = xy[k + 1, 0], xy[k + 1, 1]
    elif t <= 0.0:
        out[row, 0], out[row, 1] = xy[k, 0], xy[k, 1]
    else:
        out[row, 0] = xy[k, 0] + t * (xy[k + 1, 0] - xy[k, 0])
        out[row, 1] = xy[k, 1] + t * (xy[k + 1, 1] - xy[k, 1])


@_jit
def running_sums(step: Floats, off: Ints, out: Floats) -> None:
    """Write the running sum of `step` within each group; the first of a group is 0 (its own step is not used)."""
    for i in range(len(off) - 1):
        total = 0.0
        for k in range(off[i], off[i + 1]):
            if k > off[i]:
                total += step[k]
            out[k] = total


@_jit
def link(mate: Ints, order: Ints, flip: NDArray[np.bool_], opens: NDArray[np.bool_]) -> None:
    """
    String chains together at half-ends that are mates: chain c has the half-ends 2c (start) and 2c + 1 (end).

    `order` receives the chains string by string, `flip` whether a chain is walked backwards, `opens` whether it is the
    first of its string. A ring of mates is opened at the start of its smallest chain.
    """
    chains = len(mate) // 2
    done = np.zeros(chains, np.bool_)
    size = 0
    for turn in range(2):  # strings with a free end first; what is left are rings
        for c in range(chains):
            if done[c] or (turn == 0 and mate[2 * c] >= 0 and mate[2 * c + 1] >= 0):
                continue
            half = 2 * c if turn == 1 or mate[2 * c] < 0 else 2 * c + 1
            head = True
            while half >= 0 and not done[half // 2]:
                one = half // 2
                done[one] = True
                order[size] = one
                flip[size] = half % 2 == 1
                opens[size] = head
                head = False
                size += 1
                half = mate[half ^ 1]


@_jit
def pair_off(one: Ints, other: Ints, mate: Ints) -> None:
    """Make mates of pairs in the order given, where neither has a mate yet."""
    for i in range(len(one)):
        if mate[one[i]] < 0 and mate[other[i]] < 0:
            mate[one[i]] = other[i]
            mate[other[i]] = one[i]
