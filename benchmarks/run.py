"""
Measure the walk engine beside its peers: `python benchmarks/run.py` writes RESULTS.md and cost.svg beside this file.

Wants an environment with networkx, osmnx, scipy, pandana, igraph and networkit beside what xinhe_geo needs, and the
extracts in ../shared/places. Every network has a process of its own; in it the methods take turns, so that a noisy
neighbour hits all alike. Answers are compared before anything is timed. Peak memory is taken in a process that holds one
method only. The main job wants what `pip install` of this project brings: name another interpreter with `--python` where the
peers' own environment lacks it. `--only PART ...` measures some parts alone and prints them; `--kept FOLDER` keeps what is
measured, so that a run can go on where it ended, and one of all parts, which writes the files, takes what is there.
"""

from __future__ import annotations

import argparse
import gc
import importlib.metadata
import importlib.util
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

import isochrones  # noqa: E402
import main_job  # noqa: E402
import pages  # noqa: E402
from networks import PLACES, Plain, load  # noqa: E402

from xinhe_geo.network.walk_network import WalkNetwork  # noqa: E402

LIMIT = 1200.0
KINDS = 3  # of facilities, asked for at once
NETWORKS = ("helsinki", "porto", "porto-x4")
#: How far an answer may be from SciPy's: pandana keeps single precision and truncates.
TOLERANCE = {"pandana": 0.2, "cityseer": 0.01}
#: On networks of more than 100,000 nodes, so many measurements of these are enough.
SLOW = {"networkx": 2, "pandana": 3, "igraph": 2, "networkit": 5}
#: Measured on small networks alone, and once: it works out several measures at every node beside the nearest.
SMALL_ONLY = {"cityseer"}
#: What is measured on each network, and what besides.
OF_NETWORKS = ("nearest", "reach", "what-if")
PARTS = (*OF_NETWORKS, "isochrones", "main-job", "loading", "memory")
#: Where the polygons are measured, and how often the main job is.
POLYGONS, JOBS = ("porto", "helsinki"), 3

Kinds = Sequence[np.ndarray]
Nearest = Callable[[Kinds], list[np.ndarray]]


# --- nearest facility of every node: each returns a function from kinds (node numbers) to metres per kind and node -----


def own(plain: Plain) -> tuple[Nearest, WalkNetwork, Any]:
    net = WalkNetwork.from_streets(plain.streets)
    doors = net.attach(gpd.GeoSeries(shapely.points(plain.xy), crs=net.crs))
    assert doors["access_m"].max() < 1e-6
    doors["access_m"] = 0.0

    def run(kinds: Kinds) -> list[np.ndarray]:
        found = net.search_each(doors, {k: doors.iloc[f] for k, f in enumerate(kinds)}, limit=LIMIT)
        return [frame["cost"].to_numpy() for frame in found.values()]

    return run, net, doors


def matrix(plain: Plain) -> Any:
    from scipy.sparse import csr_matrix

    u, v, w, n = plain.u, plain.v, plain.metres, len(plain.xy)
    return csr_matrix((np.r_[w, w], (np.r_[u, v], np.r_[v, u])), shape=(n, n))


def by_scipy(plain: Plain) -> Nearest:
    from scipy.sparse.csgraph import dijkstra

    graph = matrix(plain)
    return lambda kinds: [dijkstra(graph, indices=f, min_only=True, limit=LIMIT) for f in kinds]


def by_networkx(plain: Plain) -> Nearest:
    import networkx as nx

    graph = street_graph(plain)

    def run(f: np.ndarray) -> np.ndarray:
        found = nx.multi_source_dijkstra_path_length(graph, set(f.tolist()), cutoff=LIMIT, weight="length")
        out = np.full(len(plain.xy), np.inf)
        out[list(found)] = list(found.values())
        return out

    return lambda kinds: [run(f) for f in kinds]


def street_graph(plain: Plain) -> Any:
    """The MultiDiGraph that OSMnx makes: both directions of every street."""
    import networkx as nx

    graph = nx.MultiDiGraph()
    rows = list(zip(plain.u.tolist(), plain.v.tolist(), plain.metres.tolist(), strict=True))
    graph.add_nodes_from(range(len(plain.xy)))
    graph.add_edges_from((a, b, {"length": w}) for a, b, w in rows)
    graph.add_edges_from((b, a, {"length": w}) for a, b, w in rows)
    return graph


class Pandana:
    """Called, it is told where the facilities are and asked; `query` asks again about those that it knows."""

    def __init__(self, plain: Plain) -> None:
        import pandana
        import pandas as pd

        self.x, self.y = (pd.Series(plain.xy[:, i]) for i in (0, 1))
        frm, to = pd.Series(plain.u.astype(np.int64)), pd.Series(plain.v.astype(np.int64))
        self.net = pandana.Network(self.x, self.y, frm, to, pd.DataFrame({"metres": plain.metres}), twoway=True)

    def __call__(self, kinds: Kinds) -> list[np.ndarray]:
        for k, f in enumerate(kinds):
            self.net.set_pois(f"kind {k}", LIMIT, 1, self.x[f], self.y[f])
        return self.query(kinds)

    def query(self, kinds: Kinds) -> list[np.ndarray]:
        found = [
            self.net.nearest_pois(LIMIT, f"kind {k}", num_pois=1, max_distance=1e9)[1].to_numpy(float)
            for k in range(len(kinds))
        ]
        return [np.where(metres >= 1e9, np.inf, metres) for metres in found]


def by_igraph(plain: Plain) -> Nearest:
    import igraph

    n = len(plain.xy)

    def run(f: np.ndarray) -> np.ndarray:
        graph.add_edges([(n, int(k)) for k in f])
        weights = np.concatenate([plain.metres, np.zeros(len(f))])
        found = np.array(graph.distances(source=[n], weights=weights.tolist())[0][:n])
        graph.delete_edges(range(len(plain.u), len(plain.u) + len(f)))
        return np.where(found > LIMIT + 1e-9, np.inf, found)

    graph = igraph.Graph(n=n + 1, edges=np.column_stack([plain.u, plain.v]))
    return lambda kinds: [run(f) for f in kinds]


def by_networkit(plain: Plain) -> Nearest:
    import networkit

    n = len(plain.xy)
    graph = networkit.GraphFromCoo((plain.metres, (plain.u, plain.v)), n=n + 1, weighted=True, directed=False)

    def run(f: np.ndarray) -> np.ndarray:
        for k in f.tolist():
            graph.addEdge(n, k, 0.0)
        search = networkit.distance.Dijkstra(graph, n, storePaths=False)
        search.run()
        found = np.array(search.getDistances(asarray=True))[:n]
        for k in f.tolist():
            graph.removeEdge(n, k)
        return np.where(found > LIMIT + 1e-9, np.inf, found)

    return lambda kinds: [run(f) for f in kinds]


def by_cityseer(plain: Plain) -> Nearest:
    import networkx as nx
    import pandas as pd
    from cityseer.metrics import layers
    from cityseer.tools import io

    crs = plain.streets.crs
    graph = nx.MultiGraph(crs=crs.to_string())
    graph.add_nodes_from((str(i), {"x": x, "y": y, "live": True, "weight": 1}) for i, (x, y) in enumerate(plain.xy))
    ends = shapely.linestrings(np.stack([plain.xy[plain.u], plain.xy[plain.v]], axis=1))
    graph.add_edges_from((str(a), str(b), {"geom": g}) for a, b, g in zip(plain.u, plain.v, ends, strict=True))
    nodes, _, net = io.network_structure_from_nx(graph)
    names = [str(i) for i in range(len(plain.xy))]

    def run(kinds: Kinds) -> list[np.ndarray]:
        labels = [f"kind{k}" for k in range(len(kinds))]
        rows = np.concatenate(list(kinds))
        kind = np.repeat(labels, [len(f) for f in kinds])
        places = gpd.GeoDataFrame({"kind": kind}, geometry=shapely.points(plain.xy[rows]), crs=crs)
        found = layers.compute_accessibilities(places, "kind", labels, nodes, net, distances=[int(LIMIT)])
        columns = [pd.to_numeric(found[f"cc_{k}_nearest_max_{LIMIT:g}"]).reindex(names).to_numpy(float) for k in labels]
        return [np.where(np.isnan(metres), np.inf, metres) for metres in columns]

    return run


PEERS: dict[str, Callable[[Plain], Nearest]] = {
    "scipy": by_scipy,
    "networkit": by_networkit,
    "igraph": by_igraph,
    "pandana": Pandana,
    "networkx": by_networkx,
    "cityseer": by_cityseer,
}


# --- one network -----------------------------------------------------------------------------------------------------


def clock(call: Callable[[], Any]) -> tuple[float, Any]:
    gc.collect()
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def summary(seconds: list[float]) -> dict[str, float]:
    return {"median": statistics.median(seconds), "min": min(seconds), "max": max(seconds), "n": len(seconds)}


def measure(name: str, rounds: int, parts: Sequence[str]) -> dict[str, Any]:
    load_before = os.getloadavg()[0]
    plain = load(name)
    nodes = len(plain.xy)
    count = min(2000, max(10, nodes // 500))
    seconds, (run, net, doors) = clock(lambda: own(plain))
    measures: dict[str, Callable[[], dict[str, Any]]] = {
        "nearest": lambda: nearest(plain, net, doors, run, seconds, count, rounds),
        "reach": lambda: reach_sets(plain, net, doors, rounds),
        "what-if": lambda: what_if(net, doors, count),
    }
    return {
        "network": name,
        "nodes": nodes,
        "segments": len(plain.u),
        "own": repr(net),
        "facilities": count,
        **{part: measures[part]() for part in parts},
        "load_before": load_before,
        "load_average": os.getloadavg()[0],
    }


def nearest(
    plain: Plain, net: WalkNetwork, doors: Any, run: Nearest, seconds: float, count: int, rounds: int
) -> dict[str, Any]:
    """Nearest facility of every node, for several kinds: seconds of every method, ours made in `seconds`."""
    nodes = len(plain.xy)
    rng = np.random.default_rng(1)
    kinds = [np.sort(rng.choice(nodes, count, replace=False)) for _ in range(KINDS)]
    build = {"xinhe_geo": seconds}
    methods: dict[str, Nearest] = {"xinhe_geo": run}
    for peer, make in PEERS.items():
        if peer in SMALL_ONLY and (nodes >= 10**5 or importlib.util.find_spec(peer) is None):
            continue
        build[peer], methods[peer] = clock(lambda make=make: make(plain))
    methods["pandana query"] = methods["pandana"].query  # type: ignore[attr-defined]
    wrong = compare(methods, kinds)
    times: dict[str, list[float]] = {method: [] for method in methods}
    alone = []
    for turn in range(3 * rounds):
        for method, call in methods.items():
            most = SLOW.get(method.split()[0], 3 * rounds) if nodes >= 10**5 else 3 * rounds
            if turn < (1 if method in SMALL_ONLY else most):
                times[method].append(clock(lambda call=call: call(kinds))[0])
        alone.append(clock(lambda: [net.search(doors, doors.iloc[f], limit=LIMIT) for f in kinds])[0])
    return {
        "build": build,
        "mismatches": wrong,
        "seconds": {method: summary(taken) for method, taken in times.items()},
        "kind_by_kind": summary(alone),
    }


def compare(methods: dict[str, Nearest], kinds: Kinds) -> dict[str, int]:
    """Hold every answer against SciPy's; only nodes at the very cut-off may fall on its other side."""
    want = np.concatenate(methods["scipy"](kinds))
    wrong = {}
    for method, call in methods.items():
        found = np.concatenate(call(kinds))
        found = np.where(np.isnan(found), np.inf, found)
        tolerance = TOLERANCE.get(method.split()[0], 1e-5)
        both = np.isfinite(found) & np.isfinite(want)
        assert np.abs(found[both] - want[both]).max() <= tolerance, method
        side = np.isfinite(found) != np.isfinite(want)
        assert (np.where(np.isfinite(found), found, want)[side] >= LIMIT - tolerance).all(), method
        wrong[method] = int(side.sum())
    return wrong


def reach_sets(plain: Plain, net: WalkNetwork, doors: Any, rounds: int) -> dict[str, Any]:
    """Every facility's own nodes within the limit, with their metres: seconds per facility."""
    import networkx as nx
    from scipy.sparse.csgraph import dijkstra

    rng = np.random.default_rng(2)
    many = np.sort(rng.choice(len(doors), min(1000, len(doors) // 5), replace=False))
    few, three = many[:: max(1, len(many) // 20)], many[:: max(1, len(many) // 3)][:3]
    sparse, graph = matrix(plain), street_graph(plain)

    def one(f: int) -> tuple[np.ndarray, np.ndarray]:
        found = dijkstra(sparse, indices=f, limit=LIMIT)
        inside = np.flatnonzero(np.isfinite(found))
        return inside, found[inside]

    first, pairs = clock(lambda: net.pairs(doors.iloc[many], doors, limit=LIMIT)["metres"])
    for f in three.tolist():
        inside, far = one(f)
        mine = pairs.loc[f]
        assert mine.index.tolist() == inside.tolist()
        assert np.abs(mine.to_numpy() - far).max() < 1e-5
        assert set(nx.ego_graph(graph, f, radius=LIMIT, distance="length")) == set(inside.tolist())
    times: dict[str, list[float]] = {"xinhe_geo": [], "scipy one by one": [], "networkx ego_graph": []}
    for _ in range(rounds):
        seconds, _ = clock(lambda: net.pairs(doors.iloc[many], doors, limit=LIMIT))
        times["xinhe_geo"].append(seconds / len(many))
        times["scipy one by one"].append(clock(lambda: [one(f) for f in few])[0] / len(few))
        egos = clock(lambda: [nx.ego_graph(graph, f, radius=LIMIT, distance="length") for f in three.tolist()])
        times["networkx ego_graph"].append(egos[0] / len(three))
    return {
        "facilities": len(many),
        "nodes_each": len(pairs) / len(many),
        "first": first / len(many),
        "seconds_each": {method: summary(seconds) for method, seconds in times.items()},
    }


def what_if(net: WalkNetwork, doors: Any, count: int) -> dict[str, Any]:
    """One place more, one place less, against the whole search; both without a limit, as the meeting map wants them."""
    rng = np.random.default_rng(3)
    targets = doors.iloc[rng.choice(len(doors), count + 20, replace=False)]
    here, new = targets.iloc[:count], [targets.iloc[[count + i]] for i in range(20)]
    state = net.search_state(here)
    state.with_place(new[0]).without_place(here["place"].iloc[0])
    names = here["place"].tolist()
    full, more, less = [], [], []
    for _ in range(5):  # twenty at a time: one takes less than a clock and a collection of garbage do
        full.append(clock(lambda: [net.search_state(here) for _ in range(5)])[0] / 5)
        more.append(clock(lambda: [state.with_place(door) for door in new])[0] / 20)
        less.append(clock(lambda: [state.without_place(names[i % count]) for i in range(20)])[0] / 20)
    return {"full": summary(full), "add": summary(more), "close": summary(less), "nodes": len(net.nodes)}


# --- loading, memory -------------------------------------------------------------------------------------------------


def measure_loading() -> dict[str, Any]:
    """Porto from its extract: our file reading against OSMnx on the same ways as XML (made beforehand, not timed)."""
    import osmium
    import osmnx

    path = PLACES / "porto.osm.pbf"
    ours = [clock(lambda: WalkNetwork.from_osm(path))[0] for _ in range(4)][1:]
    with tempfile.TemporaryDirectory() as folder:
        xml = Path(folder) / "porto.osm"
        kept, known = set(), set()
        for node in osmium.FileProcessor(str(path), osmium.osm.NODE):
            known.add(node.id)
        with osmium.SimpleWriter(str(xml)) as writer:  # OSMnx refuses clipped files: leave out what is not there
            ways = osmium.FileProcessor(str(path), osmium.osm.WAY).with_filter(osmium.filter.KeyFilter("highway"))
            lines = []
            for way in ways:
                refs = [n.ref for n in way.nodes if n.ref in known]
                if len(refs) > 1:
                    kept.update(refs)
                    lines.append(way.replace(nodes=refs, tags=dict(way.tags)))
            for node in osmium.FileProcessor(str(path), osmium.osm.NODE):
                if node.id in kept:
                    writer.add(node)
            for line in lines:
                writer.add(line)
        theirs, _ = clock(lambda: osmnx.graph_from_xml(xml, bidirectional=True, retain_all=True))
    return {"xinhe_geo": summary(ours), "osmnx": summary([theirs])}


def measure_memory(name: str, method: str) -> dict[str, float]:
    """Peak memory above what arrays and imports take, of building one method and asking for all kinds."""
    plain = load(name)
    rng = np.random.default_rng(1)
    kinds = [np.sort(rng.choice(len(plain.xy), 2000, replace=False)) for _ in range(KINDS)]
    if method == "pandana":
        import pandana  # noqa: F401
    else:
        pass
    with tempfile.TemporaryDirectory() as folder:  # a network made once is kept in a file: that is what a user opens
        if method == "xinhe_geo":
            file = Path(folder) / "net.npz"
            subprocess.run([sys.executable, __file__, "--keep", name, str(file)], check=True)
            reset_peak()
            before = resident()
            net = WalkNetwork.load(file)
            import pandas as pd

            doors = pd.read_pickle(file.with_suffix(".doors"))
            net.search_each(doors, {k: doors.iloc[f] for k, f in enumerate(kinds)}, limit=LIMIT)
        else:
            reset_peak()
            before = resident()
            run = PEERS[method](plain)
            run(kinds)
    return {"mb": (peak() - before) / 1024.0}


def measure_isochrones(rounds: int) -> dict[str, Any]:
    results = {}
    for name in POLYGONS:
        found = isochrones.measure(WalkNetwork.from_osm(PLACES / f"{name}.osm.pbf"), clock, rounds)
        results[name] = {**found, "seconds": {method: summary(times) for method, times in found["seconds"].items()}}
    return results


def measure_main_job(python: str) -> dict[str, Any]:
    return main_job.measure(python, JOBS, timed)


def timed(command: list[str], folder: Path) -> tuple[float, float]:
    """Run a command; return its seconds by the clock and in processor time, its own and its children's."""
    before, start = os.times(), time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seconds, after = time.perf_counter() - start, os.times()
    own = after.children_user + after.children_system - before.children_user - before.children_system
    return seconds, own


def keep(name: str, file: str) -> None:
    _, net, doors = own(load(name))
    net.save(file)
    doors.to_pickle(Path(file).with_suffix(".doors"))


def status(field: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return float(line.split()[1])
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def resident() -> float:
    gc.collect()
    return status("VmRSS:")


def peak() -> float:
    return status("VmHWM:")


def reset_peak() -> None:
    """Start the high-water mark again (Linux); without it the mark of loading the data would count."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        print("peak memory could not be reset: figures include the loading of the data", file=sys.stderr)


# --- what is written -------------------------------------------------------------------------------------------------


def figure(results: list[dict[str, Any]]) -> str:
    """Draw milliseconds for all kinds against nodes, both logarithmic, one line per method."""
    palette = ("#c0392b", "#2c3e50", "#2980b9", "#16a085", "#8e44ad", "#7f8c8d", "#b8860b")
    taken = [r["nearest"]["seconds"] for r in results]
    methods = [m for m in taken[0] if all(m in t for t in taken) and m not in SMALL_ONLY]
    colours = dict(zip(methods, palette, strict=True))
    wide, high, left, top = 720, 440, 70, 30
    sizes = [r["nodes"] for r in results]
    costs = [t[m]["median"] * 1000 for t in taken for m in methods]
    x0, x1 = np.log10(min(sizes)) - 0.1, np.log10(max(sizes)) + 0.1
    y0, y1 = np.floor(np.log10(min(costs))), np.ceil(np.log10(max(costs)))
    px = lambda n: left + (np.log10(n) - x0) / (x1 - x0) * (wide - left - 130)  # noqa: E731
    py = lambda c: top + (y1 - np.log10(c)) / (y1 - y0) * (high - top - 50)  # noqa: E731
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" font-family="sans-serif" font-size="12">'
    ]
    out.append(f'<rect width="{wide}" height="{high}" fill="#fff"/>')
    for power in range(int(y0), int(y1) + 1):
        y = py(10.0**power)
        out.append(f'<path d="M{left} {y:.1f}H{wide - 130}" stroke="#ddd"/>')
        out.append(f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{10.0**power:g} ms</text>')
    for r in results:
        x = px(r["nodes"])
        out.append(f'<text x="{x:.1f}" y="{high - 28}" text-anchor="middle">{r["network"]}</text>')
        out.append(f'<text x="{x:.1f}" y="{high - 12}" text-anchor="middle" fill="#666">{r["nodes"]:,} nodes</text>')
    free = np.inf  # where the name below begins: names of lines that end close together are moved apart
    for method, colour in sorted(colours.items(), key=lambda item: taken[-1][item[0]]["median"]):
        spots = [(px(r["nodes"]), py(t[method]["median"] * 1000)) for r, t in zip(results, taken, strict=True)]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
        heavy = 3 if method == "xinhe_geo" else 1.5
        out.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="{heavy}"/>')
        out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in spots]
        free = min(spots[-1][1] + 4, free - 13)
        out.append(f'<text x="{spots[-1][0] + 8:.1f}" y="{free:.1f}" fill="{colour}">{method}</text>')
    title = f"Nearest facility within {LIMIT:g} m, for every node and each of {KINDS} kinds: time for all kinds"
    out.append(f'<text x="{left}" y="18">{title}</text></svg>')
    return "\n".join(out) + "\n"


def cell(t: dict[str, float], unit: float = 1000.0) -> str:
    return f"{t['median'] * unit:.3g} ({t['min'] * unit:.3g}-{t['max'] * unit:.3g}; {t['n']:.0f})"


def _version(name: str) -> str:
    """Return the version of a package; a peer that is not here was not measured."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def report(data: dict[str, Any]) -> str:
    results = data["networks"]
    packages = ["numpy", "scipy", "numba", "networkx", "osmnx", "pandana", "igraph", "networkit", "shapely", "pandas"]
    packages += [name for name in sorted(SMALL_ONLY) if importlib.util.find_spec(name)]
    versions = ", ".join(f"{name} {_version(name)}" for name in packages)
    rows = [
        "# Benchmarks of the walk engine",
        "",
        f"Written by `python benchmarks/run.py`. {data['date']}, {data['machine']}, Python {platform.python_version()}; {versions}.",
        "Medians (minimum-maximum; how often measured). Methods took turns in one process, after their answers were found equal. Load of the",
        "machine, our own included, while measuring: "
        + ", ".join(f"{r['network']} {r['load_before']:.1f} to {r['load_average']:.1f}" for r in results)
        + f" (1-minute averages).{' ' + data['note'] if data['note'] else ''}",
        "Where it was above 2, compare ratios rather than milliseconds; ours and pandana use all cores and suffer most from company.",
        "Map data © OpenStreetMap contributors, ODbL 1.0.",
        "Porto x4 is semi-synthetic: Porto mirrored twice, with links where the copies meet.",
    ]
    writers = {"nearest": nearest_rows, "reach": reach_rows, "what-if": what_if_rows}
    for part, write in writers.items():
        rows += write(results) if results and all(part in r for r in results) else []
    rows += polygon_rows(data["isochrones"]) if data.get("isochrones") else []
    rows += job_rows(data["main-job"]) if data.get("main-job") else []
    if data.get("loading"):
        t = data["loading"]
        ratio = t["osmnx"]["median"] / t["xinhe_geo"]["median"]
        rows += [
            "",
            "## From the Porto extract to a network: seconds",
            "",
            f"xinhe_geo {cell(t['xinhe_geo'], 1.0)}; osmnx.graph_from_xml, highways only, {cell(t['osmnx'], 1.0)} = {ratio:.3g}x.",
        ]
    if data.get("memory"):
        m = data["memory"]
        rows += [
            "",
            "## Peak memory on Porto x4: MB above the data, each in a process of its own",
            "",
            f"xinhe_geo {m['xinhe_geo']['mb']:.0f} (a saved network opened, {KINDS} kinds asked at once); pandana {m['pandana']['mb']:.0f}.",
        ]
    return "\n".join(rows) + "\n"


def table_head(results: list[dict[str, Any]], say: Callable[[dict[str, Any]], str]) -> list[str]:
    names = " | ".join(f"{r['network']}{say(r)}" for r in results)
    return ["", f"| | {names} |", "|---|" + "--:|" * len(results)]


def nearest_rows(results: list[dict[str, Any]]) -> list[str]:
    """Say what the nearest of every node costs, and getting ready for it."""
    found = [r["nearest"] for r in results]
    rows = [
        "",
        f"## Nearest facility within {LIMIT:g} m, for every node and each of {KINDS} kinds: ms for all kinds",
        "",
        "![cost against size](cost.svg)",
        *table_head(results, lambda r: f": {r['nodes']:,} nodes, {KINDS} x {r['facilities']:,} facilities"),
    ]
    for method in found[0]["seconds"]:
        pairs = [(f["seconds"].get(method), f["seconds"]["xinhe_geo"]["median"]) for f in found]
        cells = [f"{cell(t)} = {t['median'] / base:.3g}x" if t else "—" for t, base in pairs]
        rows.append(f"| {method} | " + " | ".join(cells) + " |")
    rows += [
        "",
        "Ours is one call of `search_each`: it takes frames of doors and gives, per kind, a frame with the nearest facility, its cost and its",
        "metres; like the peers' graphs, what it worked out about the nodes' doors when it was first asked about them is kept. The peers are",
        'asked kind by kind, each as its manual advises, and give costs only. "pandana" is `set_pois` and `nearest_pois`, "pandana query" is',
        "`nearest_pois` alone, about facilities it was told before. Kind by kind (`search`), ours takes "
        + "; ".join(f"{r['network']} {cell(f['kind_by_kind'])}" for r, f in zip(results, found, strict=True))
        + ".",
        "",
        "Getting ready, in seconds (ours: from lines, and finding every node's door on the street; most users load a file):",
        *table_head(results, lambda r: ""),
    ]
    for method in found[0]["build"]:
        cells = [f"{f['build'][method]:.3g}" if method in f["build"] else "—" for f in found]
        rows.append(f"| {method} | " + " | ".join(cells) + " |")
    beyond = {r["network"]: {m: n for m, n in r["nearest"]["mismatches"].items() if n} for r in results}
    listed = [f"{name} " + ", ".join(f"{m} {n}" for m, n in some.items()) for name, some in beyond.items() if some]
    return rows + (["", f"Nodes on the other side of the cut-off than SciPy's: {'; '.join(listed)}."] if listed else [])


def reach_rows(results: list[dict[str, Any]]) -> list[str]:
    """Say what each facility's own reach costs."""
    found = [r["reach"] for r in results]
    rows = ["", f"## Each facility's own nodes within {LIMIT:g} m: ms per facility"]
    rows += table_head(results, lambda r: f": {r['reach']['nodes_each']:.0f} nodes each")
    for method in found[0]["seconds_each"]:
        pairs = [(f["seconds_each"][method], f["seconds_each"]["xinhe_geo"]["median"]) for f in found]
        cells = [f"{cell(t)} = {t['median'] / base:.3g}x" for t, base in pairs]
        rows.append(f"| {method} | " + " | ".join(cells) + " |")
    first = "; ".join(f"{r['network']} {1000 * f['first']:.3g}" for r, f in zip(results, found, strict=True))
    return [
        *rows,
        "",
        f"All facilities in one call of `pairs`. The first call ({first}) sorts the nodes' doors by street as well, and is not counted,",
        "nor are the peers' graphs.",
    ]


def what_if_rows(results: list[dict[str, Any]]) -> list[str]:
    """Say what one place more or less costs."""
    rows = ["", "## One place more or less: ms, against our own whole search"]
    rows += table_head(results, lambda r: f": {r['what-if']['nodes']:,} junctions")
    for what, label in (("full", "whole search"), ("add", "one place added"), ("close", "one place closed")):
        found = [r["what-if"] for r in results]
        cells = [f"{cell(f[what])} = 1/{f['full']['median'] / f[what]['median']:.3g}" for f in found]
        rows.append(f"| {label} | " + " | ".join(cells) + " |")
    return rows


def polygon_rows(results: dict[str, Any]) -> list[str]:
    """Say what a polygon costs and how well it matches the exact reach."""
    rows = [
        "",
        f"## One isochrone polygon, {isochrones.MINUTES:g} minutes: ms, and intersection over union with the exact reach",
        "",
        f"{isochrones.PLACES} places of each network in turn, drawn at random: around Porto most lie in the country, in Helsinki all",
        "downtown. Exact: every street cut where the minutes run out (NetworkX), buffered by "
        f"{isochrones.FRONTAGE_M:g} m with 64 corners.",
        "",
        "| | ms | IoU, least-most |",
        "|---|--:|--:|",
    ]
    for network, found in results.items():
        base = found["seconds"]["xinhe_geo"]["median"]
        for name, t in found["seconds"].items():
            match = found["match"][name]
            where = f"{network}, {found['junctions']:,} junctions: {name}"
            rows.append(f"| {where} | {cell(t)} = {t['median'] / base:.3g}x | {min(match):.3f}-{max(match):.3f} |")
    return rows


def job_rows(found: dict[str, Any]) -> list[str]:
    """Say what the main job takes against the bare imports."""
    clocked, processor = ([pair[k] for pair in found["imports"]] for k in (0, 1))
    base = statistics.median(clocked), statistics.median(processor)
    rows = [
        "",
        "## The main job on the bundled district, against `import geopandas, osmnx, folium`: seconds",
        "",
        "Fresh processes in turn, caches and byte code there. A report is shared out to two more processes, on the cores there are.",
        "Beside other work the processor's time is the fairer one.",
        "",
        "| | by the clock | processor time |",
        "|---|--:|--:|",
    ]
    lines = {
        "bare imports": (clocked, processor),
        "analysis: load, every kind by every method, profile and tier of the plan": tuple(
            [run[key] for run in found["analysis"]] for key in ("plan", "plan_processor")
        ),
        "the same, with what Numba imports at its first function": tuple(
            [run[key] + run[numba] for run in found["analysis"]]
            for key, numba in (("plan", "numba"), ("plan_processor", "numba_processor"))
        ),
        "analysis, and every rule of every set for every profile": tuple(
            [run[key] for run in found["analysis"]] for key in ("all", "all_processor")
        ),
        "report: everything": tuple([pair[k] for pair in found["report"]] for k in (0, 1)),
    }
    for name, both in lines.items():
        cells = [f"{cell(summary(s), 1.0)} = {statistics.median(s) / b:.3g}x" for s, b in zip(both, base, strict=True)]
        rows.append(f"| {name} | " + " | ".join(cells) + " |")
    return rows


def child(*arguments: str, kept: Path | None = None) -> dict[str, Any]:
    """Run one measurement in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        name = "-".join(Path(part).name.strip("-") for part in arguments)
        file = (kept or Path(folder)) / f"{name}.json"
        if file.exists():
            return dict(json.loads(file.read_text()))
        print("…", *arguments, flush=True)
        command = [sys.executable, __file__, *arguments, "--to", str(file)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # pandana talks
        result: dict[str, Any] = json.loads(file.read_text())
    return result


def network(name: str, parts: Sequence[str], rounds: int, kept: Path | None) -> dict[str, Any]:
    """Measure what is not kept of these parts of a network, all in one process."""
    file = kept / f"{name}.json" if kept else None
    found = dict(json.loads(file.read_text())) if file and file.exists() else {}
    missing = [part for part in parts if part not in found]
    if missing:
        found |= child("--one", name, "--rounds", str(rounds), "--only", *missing)
    if file:
        file.write_text(json.dumps(found))
    return found


def everything(given: argparse.Namespace) -> dict[str, Any]:
    """Measure the parts asked for, and take those that are kept."""
    processor = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    data: dict[str, Any] = {
        "date": time.strftime("%Y-%m-%d"),
        "note": given.note,
        "machine": f"{processor}, {os.cpu_count()} cores",
        "networks": [],
    }
    parts = [part for part in OF_NETWORKS if part in given.only]
    if parts:
        data["networks"] = [network(name, parts, given.rounds, given.kept) for name in given.networks]
    if "isochrones" in given.only:
        data["isochrones"] = child("--isochrones", "--rounds", "2", kept=given.kept)
    if "main-job" in given.only:
        data["main-job"] = child("--main-job", given.python, kept=given.kept)
    if "loading" in given.only:
        data["loading"] = child("--loading", kept=given.kept)
    if "memory" in given.only:
        data["memory"] = {
            method: child("--memory", "porto-x4", method, kept=given.kept) for method in ("xinhe_geo", "pandana")
        }
    return data


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--networks", nargs="*", default=list(NETWORKS))
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="parts, instead of all")
    parser.add_argument("--kept", type=Path, help="a folder that keeps what was measured")
    parser.add_argument("--note", default="", help="what else the machine was busy with, for the report")
    parser.add_argument("--python", default=sys.executable, help="the interpreter that has the project installed")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--isochrones", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--main-job", help=argparse.SUPPRESS)
    parser.add_argument("--memory", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--keep", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--loading", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--to", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        given.to.write_text(json.dumps(measure(given.one, given.rounds, given.only)))
    elif given.memory:
        given.to.write_text(json.dumps(measure_memory(*given.memory)))
    elif given.keep:
        keep(*given.keep)
    elif given.isochrones:
        given.to.write_text(json.dumps(measure_isochrones(given.rounds)))
    elif given.main_job:
        given.to.write_text(json.dumps(measure_main_job(given.main_job)))
    elif given.loading:
        given.to.write_text(json.dumps(measure_loading()))
    else:
        data = everything(given)
        whole = set(given.only) == set(PARTS) and list(given.networks) == list(NETWORKS)
        if whole:
            (HERE / "RESULTS.md").write_text(report(data) + pages.kept(), encoding="utf-8")
            (HERE / "cost.svg").write_text(figure(data["networks"]), encoding="utf-8")
        print(report(data))


if __name__ == "__main__":
    main()
