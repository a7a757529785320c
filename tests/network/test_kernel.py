"""The loops of the walk engine against SciPy, and compiled against interpreted."""

from __future__ import annotations

import ast
import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import geopandas as gpd
import numba
import numpy as np
import pandas as pd
import pytest
import shapely
from clock import trials
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import search
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from xinhe_geo import network
from xinhe_geo.core.models import Profile
from xinhe_geo.network import arrays, kernel, kernel_doors, kernel_lines, kernel_search
from xinhe_geo.network.arrays import Arcs, Field, Notes, Search, Seeds
from xinhe_geo.network.walk_network import WalkNetwork

SEEDS = st.integers(0, 10**6)


def graph(seed: int, *, whole: bool, arcs: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A random symmetric adjacency with loops, parallel arcs, closed arcs and arcs that cost nothing."""
    rng = np.random.default_rng(seed)
    nodes = int(rng.integers(1, 20))
    u, v = rng.integers(0, nodes, (2, arcs))
    w = rng.integers(0, 6, arcs).astype(float) if whole else rng.exponential(50, arcs) * (rng.random(arcs) < 0.95)
    w[rng.random(arcs) < 0.1] = np.inf
    tail, head, cost = np.concatenate([u, v]), np.concatenate([v, u]), np.concatenate([w, w])
    order = np.argsort(tail, kind="stable")
    indptr = np.concatenate([[0], np.cumsum(np.bincount(tail, minlength=nodes))]).astype(np.int64)
    return indptr, head[order].astype(np.int32), cost[order]


def arcs_of(net: tuple[np.ndarray, ...]) -> Arcs:
    indptr, adj, weight = net
    return Arcs(indptr, adj, np.zeros(len(adj), np.int32), weight.copy(), weight)


def seeds_of(seeds: list[tuple[int, float, int]]) -> Seeds:
    node, cost, label = (np.array([seed[i] for seed in seeds]) for i in range(3))
    return Seeds(node.astype(np.int32), cost.astype(float), label.astype(np.int32), cost.astype(float))


def spread(
    loops: ModuleType, net: tuple[np.ndarray, ...], seeds: list[tuple[int, float, int]], **more: Any
) -> tuple[Field, list[int], bool]:
    """The field that a search leaves, the nodes it listed, and whether ways tied."""
    indptr, _, weight = net
    nodes = len(indptr) - 1
    finite = weight[np.isfinite(weight)]
    width = more.get("width", max(finite.mean() / 4 if len(finite) else 1.0, finite.max(initial=0) / 500) or 1.0)
    ring = int(finite.max(initial=0) / width) + 3
    search = Search(more.get("bound", np.inf), 1e-6, 1 / width, np.full(ring, -1, np.int64))
    field = Field(np.full(nodes, np.inf), np.full(nodes, -1, np.int32), np.zeros(0))
    notes = Notes(np.empty(nodes, np.int32), np.empty(0, np.uint8), np.empty(0), np.empty(0, np.int32), np.empty(0))
    by_cost = seeds_of(sorted(seeds, key=lambda seed: seed[1]))
    reached, tied = loops.spread(arcs_of(net), search, by_cost, field, notes)
    return field, sorted(notes.touched[:reached].tolist()), tied


def random_seeds(seed: int, nodes: int, whole: bool) -> list[tuple[int, float, int]]:
    rng = np.random.default_rng(seed + 7)
    count = int(rng.integers(1, 6))
    far = rng.choice([0.0, 1e7], count) if seed % 5 == 0 else 0.0  # a seed long after everything else is done
    cost = (rng.integers(0, 9, count) if whole else rng.exponential(60, count)) + far
    return [(int(n), float(c), i) for i, (n, c) in enumerate(zip(rng.integers(0, nodes, count), cost, strict=True))]


def by_scipy(net: tuple[np.ndarray, ...], seeds: list[tuple[int, float, int]]) -> np.ndarray:
    """Cost of every node from every seed, shape (seeds, nodes)."""
    indptr, adj, weight = net
    nodes = len(indptr) - 1
    dense: dict[tuple[int, int], float] = {}
    for a in range(nodes):
        for k in range(indptr[a], indptr[a + 1]):
            if np.isfinite(weight[k]):
                key = (a, int(adj[k]))
                dense[key] = min(weight[k], dense.get(key, np.inf))
    rows, columns = (np.array([key[i] for key in dense], int) for i in range(2))
    matrix = csr_matrix((np.array(list(dense.values())), (rows, columns)), shape=(nodes, nodes))
    far = dijkstra(matrix, indices=[node for node, *_ in seeds])
    return far + np.array([cost for _, cost, _ in seeds])[:, None]


@given(seed=SEEDS, whole=st.booleans(), bounded=st.booleans(), width=st.sampled_from([0.5, 30.0, 1e6]))
def test_costs_against_scipy(seed: int, whole: bool, bounded: bool, width: float) -> None:
    net = graph(seed, whole=whole)
    seeds = random_seeds(seed, len(net[0]) - 1, whole)
    bound = 90.0 if bounded else np.inf
    (cost, label, _), touched, _ = spread(kernel_search, net, seeds, bound=bound, width=width)
    want = by_scipy(net, seeds)
    best = want.min(axis=0)
    best[best > bound] = np.inf
    np.testing.assert_allclose(cost, best, rtol=1e-13)
    assert touched == np.flatnonzero(np.isfinite(best)).tolist()
    for node in touched:
        assert want[label[node], node] == pytest.approx(best[node], abs=1e-6)


@given(seed=SEEDS)
def test_labels_are_the_first_of_those_that_tie(seed: int) -> None:
    net = graph(seed, whole=True)
    seeds = random_seeds(seed, len(net[0]) - 1, True)
    field, touched, tied = spread(kernel_search, net, seeds)
    cost, label, _ = field
    want = by_scipy(net, seeds)
    first = np.array([np.flatnonzero(want[:, node] <= cost[node] + 1e-6).min() for node in touched])
    if not tied:
        assert label[touched].tolist() == first.tolist()
    by_label = seeds_of(sorted(seeds, key=lambda one: one[2]))
    kernel_search.settle_labels(arcs_of(net), 1e-6, by_label, field)
    assert label[touched].tolist() == first.tolist()


def test_more_entries_than_arcs() -> None:
    """In one wide bucket a node is improved many times over; the queue must grow."""
    count = 300
    u = np.concatenate([np.zeros(count), np.arange(1, count + 1)])
    v = np.concatenate([np.arange(1, count + 1), np.full(count, count + 1)])
    w = np.concatenate([np.arange(count, 0, -1) * 1e-3, np.arange(count, 0, -1) * 1e-3])
    tail, head = np.concatenate([u, v]).astype(int), np.concatenate([v, u])
    order = np.argsort(tail, kind="stable")
    indptr = np.concatenate([[0], np.cumsum(np.bincount(tail))]).astype(np.int64)
    net = indptr, head[order].astype(np.int32), np.concatenate([w, w])[order]
    (cost, *_), *_ = spread(kernel_search, net, [(0, 0.0, 0)], width=1e9)
    np.testing.assert_allclose(cost, by_scipy(net, [(0, 0.0, 0)])[0])


def test_nothing_is_sized_by_costs_or_limits() -> None:
    net = np.array([0, 1, 2], np.int64), np.array([1, 0], np.int32), np.array([1.0, 1.0])
    (cost, *_), *_ = spread(kernel_search, net, [(0, 0.0, 0), (1, 1e12, 1)], bound=1e15)
    assert cost.tolist() == [0.0, 1.0]
    (cost, *_), *_ = spread(kernel_search, net, [(1, 1e12, 1)], bound=1e15)
    assert cost.tolist() == [1e12 + 1, 1e12]


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize("starts", [1, 3000])
def test_a_search_makes_room_for_as_many_ways_as_there_are(starts: int) -> None:
    """A square that 5,000 streets leave, a ring of streets around it: far more is queued at once than there is room for."""
    spokes, rng = 5000, np.random.default_rng(11)
    rim = np.arange(1, spokes + 1)
    tail = np.concatenate([np.zeros(spokes, int), rim, rim, np.roll(rim, -1)])
    head = np.concatenate([rim, np.zeros(spokes, int), np.roll(rim, -1), rim])
    metres = np.concatenate([np.tile(rng.uniform(50, 60, spokes), 2), np.tile(rng.uniform(1, 9, spokes), 2)])
    order = np.argsort(tail, kind="stable")
    net = (
        np.concatenate([[0], np.cumsum(np.bincount(tail))]).astype(np.int64),
        head[order].astype(np.int32),
        metres[order],
    )
    seeds = [(int(node), float(node % 7), k) for k, node in enumerate(rng.choice(spokes + 1, starts, replace=False))]
    (cost, label, _), touched, _ = spread(kernel_search, net, seeds)
    want = by_scipy(net, seeds)
    np.testing.assert_allclose(cost, want.min(axis=0), rtol=1e-13)
    np.testing.assert_allclose(want[label, np.arange(spokes + 1)], cost, rtol=0, atol=1e-6)
    assert touched == list(range(spokes + 1))


# --- not compiled, around SciPy's search -----------------------------------------------------------------------------


#: In the order in which they need each other.
LOOPS = {"kernel": kernel, "kernel_search": kernel_search, "kernel_doors": kernel_doors, "kernel_lines": kernel_lines}


def fresh() -> dict[str, ModuleType]:
    """Import the compiled loops once more; everybody else keeps those that are there."""
    with pytest.MonkeyPatch.context() as patch:
        for name in LOOPS:
            patch.delitem(sys.modules, f"xinhe_geo.network.{name}")
            patch.setattr(network, name, None)
        return {name: importlib.import_module(f"xinhe_geo.network.{name}") for name in LOOPS}


@pytest.fixture(scope="module")
def plain() -> dict[str, ModuleType]:
    """The loops as plain Python, around SciPy's Dijkstra."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(numba, "njit", lambda **_: lambda function: function)
        loops = fresh()
    vars(loops["kernel_search"])["spread"] = search.spread
    return loops


@given(seed=SEEDS, whole=st.booleans(), bounded=st.booleans())
@settings(max_examples=trials(40))
def test_scipy_gives_the_same_costs_to_the_last_bit(
    plain: dict[str, ModuleType], seed: int, whole: bool, bounded: bool
) -> None:
    assert hasattr(kernel_search.spread, "py_func")
    assert not hasattr(plain["kernel_search"].settle_labels, "py_func")
    net = graph(seed, whole=whole)
    seeds = random_seeds(seed, len(net[0]) - 1, whole)
    bound = 90.0 if bounded else np.inf
    fast, slow = (spread(loops, net, seeds, bound=bound) for loops in (kernel_search, plain["kernel_search"]))
    np.testing.assert_array_equal(fast[0].cost, slow[0].cost)
    assert fast[1] == slow[1]


def everything(net: WalkNetwork, places: gpd.GeoSeries, profile: Profile) -> list[pd.DataFrame]:
    doors = net.attach(places)
    state = net.search_state(doors[::3], profile=profile)
    home = pd.Series("h", places.index).where(places.index % 2 == 0)
    return [
        pd.DataFrame(net.edges.drop(columns="geometry")),
        doors,
        net.metres(places, places, 400.0),
        net.minutes(places, places, 8.0, profile=profile),
        net.nearest(places, places[::4]),
        pd.DataFrame(net.reach(places, 250.0)),
        net.attach(places, home=home, profile=profile),
        net.metres(places, places[::3], 400.0, home=home),
        pd.DataFrame(net.reach(places, 250.0, home=home)),
        pd.DataFrame(net.reached(doors, [2.0, 4.0], profile=profile, each=True)),
        *net.search_each(doors, {0: doors[::3], 1: doors[1::7], 2: doors[:0]}, profile=profile, limit=6.0).values(),
        state.without_place(0).with_place(doors[1:2]).at(doors),
    ]


def block(seed: int) -> tuple[gpd.GeoDataFrame, gpd.GeoSeries]:
    rng = np.random.default_rng(seed)
    at = np.arange(5) * 100.0
    shapes = [[(x, y) for y in at] for x in at] + [[(x, y) for x in at] for y in at] + [[(0, 0), (150, 70), (400, 400)]]
    columns = {"wait_s": rng.choice([0.0, 60.0], 11), "steps": rng.random(11) < 0.2, "home": [None] * 10 + ["h"]}
    columns["wait_s"][-1] = 0.0
    streets = gpd.GeoDataFrame(columns, geometry=[shapely.LineString(xy) for xy in shapes], crs="EPSG:32650")
    return streets, gpd.GeoSeries(shapely.points(rng.integers(0, 400, (30, 2))), crs="EPSG:32650")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("profile", [Profile("a", "a", 1.0), Profile("w", "w", 0.7, steps=False)])
def test_the_network_interpreted_and_searched_by_scipy_gives_the_same_answers(
    plain: dict[str, ModuleType], seed: int, profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    streets, places = block(seed)
    fast = everything(WalkNetwork.from_streets(streets), places, profile)
    for name, loops in plain.items():
        monkeypatch.setitem(sys.modules, f"xinhe_geo.network.{name}", loops)
        monkeypatch.setattr(network, name, loops)
    slow = everything(WalkNetwork.from_streets(streets), places, profile)
    for one, two in zip(fast, slow, strict=True):
        pd.testing.assert_frame_equal(one, two, check_exact=True)


def test_a_folder_that_cannot_be_written_costs_only_time(monkeypatch: pytest.MonkeyPatch) -> None:
    real, asked = numba.njit, []

    def refuse(*args: Any, **options: Any) -> Any:
        asked.append(options)
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available for file")
        return real(*args, **options)

    monkeypatch.setattr(numba, "njit", refuse)
    copy = fresh()["kernel_lines"]
    assert any("cache" not in options and options["nogil"] for options in asked)
    out = np.empty(3)
    copy.running_sums(np.ones(3), np.array([0, 3]), out)
    assert out.tolist() == [0.0, 1.0, 2.0]


# --- what Numba keeps on disk -----------------------------------------------------------------------------------------


def test_the_order_of_fields_stays() -> None:
    """Numba does not see that a tuple's fields changed places, and would go on with what it compiled: rename the tuple."""
    fields = {
        "Arcs": "indptr adj edge metres cost",
        "Edges": "u v metres cost rate",
        "Lines": "off xy cum",
        "Search": "bound same per_unit heads",
        "Terms": "unit waits bound same",
        "Weights": "arcs edges unit same waits per_unit ring",
        "Spots": "edge at access",
        "Doors": "place edge at access",
        "EdgeDoors": "first following doors",
        "SortedDoors": "off at access place places",
        "Ends": "u v to_u to_v",
        "Asked": "spots ends near",
        "Seeds": "node cost place metres",
        "Sources": "first seed_off seeds door_off doors",
        "Field": "cost label metres",
        "Finished": "field rank names doors",
        "Answers": "cost metres target missing",
        "Scratch": "cost label touched",
        "Notes": "touched mark cost label metres",
    }
    assert {name: " ".join(getattr(arrays, name)._fields) for name in fields} == fields


def test_loops_that_call_each_other_are_in_one_file() -> None:
    """Numba compiles what a loop calls into it, and keeps that until the loop's own file changes."""
    for name in set(LOOPS) - {"kernel"}:
        tree = ast.parse(Path(LOOPS[name].__file__ or "").read_text("utf-8"))
        taken = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level}
        assert taken <= {"arrays", "kernel"}, name
