"""
Walking distances on the Helsinki extract against an independent engine, Valhalla.

    python benchmarks/against_valhalla.py PATH/helsinki.osm.pbf

Needs `pip install pyvalhalla` (wheels with the tile builder: Python 3.12 or newer) beside the project. Two comparisons of
the same 60 x 60 vertices, eight draws: every walkable way re-tagged as footway (routing alone), and the tags as they are (routing and
access rules together). Valhalla's penalties and preferences are all neutralised. Prints the share of pairs within 1 %, and which
links Valhalla's tiles lack (both ends present, joined only by a detour).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import geopandas as gpd
import numpy as np
import osmium
import pandas as pd
import shapely
from valhalla import Actor, get_config

import xinhe_geo as xh
from xinhe_geo.network.osm import excluded_ways, read_osm_streets

ORIGINS = 60
SEEDS = 8
NEUTRAL = {
    "shortest": True,
    "step_penalty": 0,
    "elevator_penalty": 0,
    "gate_penalty": 0,
    "gate_cost": 0,
    "maneuver_penalty": 0,
    "service_penalty": 0,
    "destination_only_penalty": 0,
    "private_access_penalty": 0,
    "country_crossing_penalty": 0,
    "country_crossing_cost": 0,
    "alley_factor": 1,
    "driveway_factor": 1,
    "walkway_factor": 1,
    "sidewalk_factor": 1,
    "service_factor": 1,
    "living_street_factor": 1,
    "use_ferry": 0,
    "max_hiking_difficulty": 6,
    "use_living_streets": 1,
    "max_distance": 100000,
}


def rewrite(source: Path, target: Path, streets: gpd.GeoDataFrame | None) -> None:
    """Write an extract whose ways are whole: split at missing nodes, and re-tagged as footway where `streets` are given."""
    wanted = None if streets is None else {int(s[1:].split("-")[0]) for s in streets.index}
    known = {o.id for o in osmium.FileProcessor(str(source), osmium.osm.NODE)}
    nodes, ways, fresh = [], [], 9_000_000_000
    for o in osmium.FileProcessor(str(source)):
        if o.is_node():
            nodes.append(osmium.osm.mutable.Node(id=o.id, version=1, location=(o.lon, o.lat), tags=dict(o.tags)))
        elif o.is_way() and (wanted is None or o.id in wanted):
            runs, run = [], []
            for node in o.nodes:
                if node.ref in known:
                    run.append(node.ref)
                elif run:
                    runs.append(run)
                    run = []
            tags = dict(o.tags) if wanted is None else {"highway": "footway"}
            for i, refs in enumerate(r for r in [*runs, run] if len(r) > 1):
                way = o.id if i == 0 else (fresh := fresh + 1)
                ways.append(osmium.osm.mutable.Way(id=way, version=1, nodes=refs, tags=tags))
    # the tile builder wants objects in order of their ids
    with osmium.SimpleWriter(str(target)) as writer:
        for node in sorted(nodes, key=lambda n: n.id):
            writer.add_node(node)
        for way in sorted(ways, key=lambda w: w.id):
            writer.add_way(way)


def tiles(extract: Path, folder: Path) -> Actor:
    (folder / "tiles").mkdir()
    config = get_config(tile_extract="", tile_dir=str(folder / "tiles"), verbose=False)
    config["service_limits"]["pedestrian"].update(max_matrix_location_pairs=10_000, max_matrix_distance=200_000.0)
    path = folder / "valhalla.json"
    path.write_text(json.dumps(config))
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    subprocess.run(
        ["valhalla_build_tiles", "-c", str(path), str(extract)], check=True, env=env, stdout=subprocess.DEVNULL
    )
    return Actor(str(path))


def matrix(actor: Actor, lonlat: np.ndarray) -> np.ndarray:
    places = [{"lon": float(x), "lat": float(y), "radius": 0} for x, y in lonlat]
    answer = actor.matrix(
        {"sources": places, "targets": places, "costing": "pedestrian", "costing_options": {"pedestrian": NEUTRAL}}
    )
    rows = answer["sources_to_targets"]
    if isinstance(rows, dict):
        return np.array(rows["distances"], dtype=float) * 1000
    return np.array([[np.nan if c["distance"] is None else c["distance"] for c in r] for r in rows], dtype=float) * 1000


def ours(network: xh.WalkNetwork, spots: gpd.GeoSeries) -> np.ndarray:
    table = network.metres(spots, spots, access=False)["metres"].unstack()
    return table.reindex(index=spots.index, columns=spots.index).to_numpy(dtype=float)


def compare(name: str, network: xh.WalkNetwork, actor: Actor) -> None:
    """Print how far both agree, pooled over `SEEDS` draws of 60 vertices of the main network."""
    largest = network.nodes["component"].value_counts().idxmax()
    nodes = network.nodes[(network.nodes["component"] == largest).to_numpy()]
    ratios, unreached = [], Counter()
    for seed in range(SEEDS):
        picked = nodes.sample(ORIGINS, random_state=seed).geometry
        spots = gpd.GeoSeries(np.asarray(picked), index=pd.RangeIndex(ORIGINS), crs=network.crs)
        a = ours(network, spots)
        b = matrix(actor, shapely.get_coordinates(np.asarray(spots.to_crs("EPSG:4326"))))
        both = np.isfinite(a) & np.isfinite(b) & (a > 200)
        ratios.append(b[both] / a[both])
        unreached.update(
            here=int((np.isfinite(b) & ~np.isfinite(a)).sum()), there=int((np.isfinite(a) & ~np.isfinite(b)).sum())
        )
    each = [f"{(abs(r - 1) <= 0.01).mean():.1%}" for r in ratios]
    r = np.concatenate(ratios)
    print(
        f"{name}: {len(r)} pairs over 200 m; within 1 %: {(abs(r - 1) <= 0.01).mean():.1%} (draws: {', '.join(each)}); "
        f"within 5 %: {(abs(r - 1) <= 0.05).mean():.1%}; longer there {(r > 1.01).mean():.1%}, shorter there "
        f"{(r < 0.99).mean():.1%}; unreached only here {unreached['here']}, only there {unreached['there']}"
    )


def missing_links(network: xh.WalkNetwork, actor: Actor, worse_m: float = 50.0) -> pd.Index:
    """Return edges whose two ends Valhalla joins only by a detour of more than `worse_m`."""
    edges = network.edges
    ends = gpd.GeoSeries(shapely.boundary(edges.geometry.array), crs=network.crs).to_crs("EPSG:4326")
    found = []
    for edge, shape, metres in zip(edges.index, ends, edges["length_m"], strict=True):
        if len(getattr(shape, "geoms", ())) != 2:
            continue
        there = matrix(actor, shapely.get_coordinates(shape))[0, 1]
        if np.isfinite(there) and there > metres + worse_m:
            found.append(edge)
    return pd.Index(found)


def main(path: Path) -> None:
    streets = read_osm_streets(path)
    network = xh.WalkNetwork.from_osm(path)
    with tempfile.TemporaryDirectory() as where:
        for name, given in (("every way re-tagged footway", streets), ("tags as they are", None)):
            folder = Path(where) / name.split()[0]
            folder.mkdir()
            rewrite(path, folder / "extract.osm.pbf", given)
            actor = tiles(folder / "extract.osm.pbf", folder)
            compare(name, network, actor)
            missing = missing_links(network, actor)
            print("  links that Valhalla's tiles lack:", edges_of(network, missing))
            rest = network.edges.drop(missing)[["street", "class", "geometry"]].set_index("street")
            compare(f"{name}, without these links", xh.WalkNetwork.from_streets(rest), actor)
    print("ways left out here, by reason:", Counter(excluded_ways(path)["reason"]).most_common(8))


def edges_of(network: xh.WalkNetwork, edges: pd.Index) -> list[str]:
    rows = network.edges.loc[edges]
    return [f"{s} {m:.1f} m" for s, m in zip(rows["street"], rows["length_m"], strict=True)]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
