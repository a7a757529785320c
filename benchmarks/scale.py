"""
Many districts, measured: split a city into 250, report them with 1 and 2 workers, kill a worker, watch the memory.

    python benchmarks/scale.py EXTRACT.osm.pbf --work DIR [--side 20] [--districts 250] [--counts 25,125,250]
        [--pairs 24] [--only tables]

The city is semi-synthetic: real streets of the extract, with facilities and homes put on them by a seeded generator and
districts cut as a grid. It says what the work costs and nothing about any place. Steps whose result lies in DIR are not
repeated, so that a stopped run goes on. `DIR/results.json` holds what was measured; wall times only mean something on a
machine that does nothing else, CPU seconds nearly always.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import osmium
import pandas as pd
import shapely

from xinhe_geo import batch as batch_module
from xinhe_geo.layers import bundled_folder

SEED = 2035
HOMES_PER_DISTRICT = 60
FACILITIES_PER_DISTRICT = 45


def nodes_of(path: Path) -> tuple[np.ndarray, int]:
    at, last = [], 0
    for node in osmium.FileProcessor(str(path), osmium.osm.NODE):
        at.append((node.lon, node.lat))
        last = max(last, node.id)
    return np.array(at), last


def facility_tags() -> list[dict[str, str]]:
    """Return tags that make a facility, one set per row of the bundled table that asks for plain values."""
    table = pd.read_csv(bundled_folder() / "pois" / "osm_tags.csv", dtype="str", keep_default_na=False)
    found = []
    for text in table["tags"]:
        pairs = [part.split("=") for part in text.split("&")]
        if all("*" not in value and "[" not in value for _, value in pairs):
            found.append({key.strip(): value.split("|")[0].strip() for key, value in pairs})
    return found


def make_city(extract: Path, work: Path, side: int, districts: int) -> None:
    """Write `city.osm.pbf`, `districts.geojson` and `people.csv`."""
    if (work / "people.csv").exists():
        return
    rng = np.random.default_rng(SEED)
    at, last = nodes_of(extract)
    (west, south), (east, north) = np.percentile(at, 4, axis=0), np.percentile(at, 96, axis=0)
    x, y = np.linspace(west, east, side + 1), np.linspace(south, north, side + 1)
    cells = [shapely.box(x[i], y[j], x[i + 1], y[j + 1]) for i in range(side) for j in range(side)]
    cell = np.clip(np.searchsorted(x, at[:, 0]) - 1, 0, side - 1) * side + np.clip(
        np.searchsorted(y, at[:, 1]) - 1, 0, side - 1
    )
    inside = (at >= (west, south)).all(axis=1) & (at <= (east, north)).all(axis=1)
    counts = np.bincount(cell[inside], minlength=side * side)
    kept = np.sort(np.argsort(-counts, kind="stable")[:districts])
    frame = gpd.GeoDataFrame({"code": [f"9{k:05d}" for k in kept], "name": [f"格 {k}" for k in kept]},
                             geometry=[cells[k] for k in kept], crs="EPSG:4326")  # fmt: skip
    frame.to_file(work / "districts.geojson", driver="GeoJSON")
    tags, points, homes = facility_tags(), [], []
    for k in kept:
        own = at[inside & (cell == k)]
        points.append(
            own[rng.integers(0, len(own), FACILITIES_PER_DISTRICT)] + rng.normal(0, 1e-4, (FACILITIES_PER_DISTRICT, 2))
        )
        homes.append(own[rng.integers(0, len(own), HOMES_PER_DISTRICT)] + rng.normal(0, 2e-4, (HOMES_PER_DISTRICT, 2)))
    places = np.concatenate(points)
    kinds = rng.integers(0, len(tags), len(places))
    with osmium.SimpleWriter(str(work / "city.osm.pbf"), overwrite=True) as writer:
        for node in osmium.FileProcessor(str(extract), osmium.osm.NODE):
            writer.add_node(node)
        for i, (place, kind) in enumerate(zip(places, kinds, strict=True), 1):
            writer.add_node(osmium.osm.mutable.Node(id=last + i, location=tuple(map(float, place)), tags=tags[kind]))
        for thing in osmium.FileProcessor(str(extract), osmium.osm.WAY | osmium.osm.RELATION):
            writer.add(thing)
    lived = np.concatenate(homes)
    people = rng.integers(80, 1_200, len(lived))
    table = {"id": [f"h{i}" for i in range(len(lived))], "lon": lived[:, 0].round(6), "lat": lived[:, 1].round(6)}
    pd.DataFrame({**table, "people": people, "people_60plus": (people * 0.24).round().astype(int)}).to_csv(
        work / "people.csv", index=False
    )


def command(*arguments: str) -> dict[str, float]:
    """Run a command; return wall and CPU seconds and the largest process's memory, children included."""
    begun, before = time.perf_counter(), os.times()
    done = subprocess.run([sys.executable, "-m", "xinhe_geo", *arguments], check=False, capture_output=True, text=True)
    if done.returncode not in (0, 1):
        sys.exit(done.stdout[-2000:] + done.stderr[-4000:])
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return {"wall_s": round(time.perf_counter() - begun, 1), "cpu_s": round(cpu, 1), "exit": done.returncode}


def split_city(work: Path, results: dict[str, Any]) -> None:
    if (work / "folders" / "catalogue.csv").exists():
        return
    arguments = [
        "split",
        str(work / "city.osm.pbf"),
        "--districts",
        str(work / "districts.geojson"),
        "--code",
        "code",
        "--name",
        "name",
    ]
    used = command(*arguments, "--homes", str(work / "people.csv"), "--out", str(work / "folders"), "--overwrite")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    made = pd.read_csv(work / "folders" / "catalogue.csv")
    size = sum(f.stat().st_size for f in (work / "folders").rglob("*") if f.is_file()) / 1e6
    results["split"] = {
        **used,
        "peak_mb": round(peak),
        "folders": int((made["status"] == "done").sum()),
        "folders_mb": round(size),
    }


def tiled(extract: Path, file: Path, n: int) -> None:
    """Write n copies of an extract side by side, each with ids of its own: a larger city of the same density."""
    last = max(thing.id for thing in osmium.FileProcessor(str(extract))) + 1
    mutable = osmium.osm.mutable
    with osmium.SimpleWriter(str(file), overwrite=True) as writer:
        for k in range(n):
            for node in osmium.FileProcessor(str(extract), osmium.osm.NODE):
                place = (node.lon + 0.5 * k, node.lat)
                writer.add_node(mutable.Node(id=node.id + k * last, location=place, tags=dict(node.tags)))
        for k in range(n):
            for way in osmium.FileProcessor(str(extract), osmium.osm.WAY):
                refs = [ref.ref + k * last for ref in way.nodes]
                writer.add_way(mutable.Way(id=way.id + k * last, nodes=refs, tags=dict(way.tags)))


def split_memory(work: Path, extract: Path) -> dict[str, Any]:
    """Split the same twelve districts out of the city and out of four and eight times as much: what memory does it take?"""
    frame = gpd.read_file(work / "districts.geojson").iloc[::20].head(12)
    frame.to_file(work / "twelve.geojson", driver="GeoJSON")
    found: dict[str, Any] = {}
    for n in (1, 4, 8):
        city = work / f"tiled-{n}.osm.pbf"
        tiled(extract, city, n)
        code = (
            "import sys, resource; from xinhe_geo.split import split;"
            "split(*sys.argv[1:4], code='code', overwrite=True);"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, sum(resource.getrusage(resource.RUSAGE_SELF)[:2]))"
        )
        arguments = [sys.executable, "-c", code, str(city), str(work / "twelve.geojson"), str(work / "twelve")]
        done = subprocess.run(arguments, check=True, capture_output=True, text=True)
        peak, cpu = map(float, done.stdout.split()[-2:])
        found[f"x{n}"] = {
            "extract_mb": round(city.stat().st_size / 1e6, 1),
            "peak_mb": round(peak),
            "cpu_s": round(cpu, 1),
        }
        city.unlink()
    return found


def run(work: Path, name: str, n: int, workers: int, only: str | None, *, kill: bool = False) -> dict[str, Any]:
    """Report the first n districts; `kill` kills a worker once a third is done."""
    out, made = work / name, pd.read_csv(work / "folders" / "catalogue.csv", dtype={"folder": "str"})
    shutil.rmtree(out, ignore_errors=True)
    folders = [work / "folders" / f for f in made.loc[made["status"] == "done", "folder"].iloc[:n]]
    killed: list[int] = []

    def watch(tick: batch_module.Tick) -> None:
        if kill and not killed and tick.done >= n // 3:
            killed.append(kill_a_worker())

    begun, own = time.perf_counter(), time.process_time()
    table = batch_module.batch(folders, out, workers=workers, only=only, progress=watch)
    wall = time.perf_counter() - begun
    size = sum(f.stat().st_size for f in out.rglob("*") if f.is_file()) / 1e6
    return {
        "districts": n, "workers": workers, "only": only or "all", "wall_s": round(wall, 1), "work_wall_s": round(table["seconds"].sum(), 1),
        "work_cpu_s": round(table["cpu_seconds"].sum(), 1), "client_cpu_s": round(time.process_time() - own, 1),
        "cpu_per_district_s": round(float(table["cpu_seconds"].median()), 2), "slowest_s": round(float(table["cpu_seconds"].max()), 2),
        "worker_peak_mb": round(float(table["peak_mb"].max())), "client_peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "output_mb": round(size, 1), "status": table["status"].value_counts().to_dict(), "killed": len(killed), "digest": digest(out),
    }  # fmt: skip


def kill_a_worker() -> int:
    """Kill one worker process of this benchmark: a grandchild whose command line says so."""
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            text = (status.parent / "cmdline").read_bytes()
        except (OSError, ValueError):
            continue
        if parent == os.getpid() and b"spawn_main" in text:
            pid = int(status.parent.name)
            os.kill(pid, signal.SIGKILL)
            return pid
    raise RuntimeError("no worker found to kill")


def digest(folder: Path) -> str:
    total = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            total.update(file.relative_to(folder).as_posix().encode() + hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()[:16]


def load() -> float:
    return round(os.getloadavg()[0], 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("extract", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--side", type=int, default=20)
    parser.add_argument("--districts", type=int, default=250)
    parser.add_argument("--counts", default="25,125,250", help="how many districts, one run with two workers each")
    parser.add_argument(
        "--pairs", type=int, default=24, help="districts of the runs with 1 and 2 workers, and of the one killed"
    )
    parser.add_argument("--only", choices=["tables"], default=None)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    file = options.work / "results.json"
    results: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}

    def keep(name: str, value: dict[str, Any]) -> None:
        results[name] = {**value, "load": load()}
        file.write_text(json.dumps(results, indent=1) + "\n")
        print(name, json.dumps(results[name]), flush=True)

    make_city(options.extract, options.work, options.side, options.districts)
    if "split" not in results:
        split_city(options.work, results)
        keep("split", results["split"])
    if "split-memory" not in results:
        keep("split-memory", split_memory(options.work, options.extract))
    kind = options.only or "all"
    for workers, kill in ((1, False), (2, False), (2, True)):
        name = f"{kind}-{options.pairs}-w{workers}{'-killed' if kill else ''}"
        if name not in results:
            keep(name, run(options.work, "out-pairs", options.pairs, workers, options.only, kill=kill))
    one, two, hurt = (results[f"{kind}-{options.pairs}-{n}"] for n in ("w1", "w2", "w2-killed"))
    assert one["digest"] == two["digest"] == hurt["digest"], "the same bytes whoever does the work"
    print(
        "efficiency",
        round(one["wall_s"] / 2 / two["wall_s"], 2),
        "in CPU",
        round(one["work_cpu_s"] / two["work_cpu_s"], 2),
    )
    for n in map(int, options.counts.split(",")):
        if f"{kind}-{n}" not in results:
            keep(f"{kind}-{n}", run(options.work, "out-many", n, 2, options.only))


if __name__ == "__main__":
    main()
