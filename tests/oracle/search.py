"""One search of the walk engine by SciPy's Dijkstra: what `kernel_search.spread` leaves, by a program that shares no loop with it."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from xinhe_geo.network.arrays import Arcs, Field, Notes, Search, Seeds


def spread(arcs: Arcs, search: Search, seeds: Seeds, field: Field, notes: Notes) -> tuple[int, bool]:
    """Do what `kernel_search.spread` does, but leave all labels to be settled."""
    nodes, (cost, label, metres) = len(arcs.indptr) - 1, field
    good = seeds.cost <= search.bound
    order = np.lexsort((seeds.cost[good], seeds.node[good]))
    start, begin = seeds.node[good][order], seeds.cost[good][order]
    first = np.concatenate([[True], start[1:] != start[:-1]])[: len(start)]  # parallel seeds: only the least counts
    kept_arcs = np.isfinite(arcs.cost)
    kept = np.concatenate([[0], np.cumsum(kept_arcs)])[arcs.indptr]
    matrix = csr_matrix(
        (
            np.concatenate([arcs.cost[kept_arcs], begin[first]]),
            np.concatenate([arcs.adj[kept_arcs], start[first]]),
            np.concatenate([kept, [kept[-1] + first.sum()]]),
        ),
        shape=(nodes + 1, nodes + 1),
    )
    found = np.asarray(dijkstra(matrix, indices=nodes, limit=search.bound))[:nodes]
    touched, mark = notes.touched, notes.mark
    noting = len(mark) > 0
    new = np.flatnonzero((found < cost) & (mark == 0) if noting else np.isfinite(found) & ~np.isfinite(cost))
    new = new if len(touched) else new[:0]
    touched[: len(new)] = new
    if noting:
        mark[new], notes.cost[: len(new)], notes.label[: len(new)] = 1, cost[new], label[new]
        notes.metres[: len(new) if len(metres) else 0] = metres[new] if len(metres) else metres
    np.minimum(cost, found, out=cost)
    return len(new), True  # no labels came with it: they are all to be settled
