"""
Many districts, measured: split a city into 250, report them with 1 and 2 workers, kill a worker, watch the memory.

    python benchmarks/scale.py EXTRACT.osm.pbf --work DIR [--districts 250] [--minutes 30] [--write]

The city is semi-synthetic: real streets of the extract, with facilities and homes put on them by a seeded generator and
districts cut as a grid. It says what the work costs and nothing about any place. Every step is a process of its own, and
what `DIR/results.json` holds already is not measured again, so that a stopped run goes on. A step that would take longer
than what is left of `--minutes` is left out, and said to be. `--write` makes the tables and the figure of docs/scale.md of
what was measured. Exit code 1: something that must hold does not.

Processor time is to be trusted on a busy machine too, wall time only where `others` (processors that other work took) is
near 0.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import osmium
import pandas as pd
import psutil
import scale_page
import shapely

from xinhe_geo.app import batch as batch_module
from xinhe_geo.core.schema import bundled_folder

SEED = 2035
HOMES_PER_DISTRICT = 60
FACILITIES_PER_DISTRICT = 45
#: Processor seconds of one district before anything is known, to plan with.
GUESS = {"tables": 4.5, None: 14.0}


class Step(NamedTuple):
    """One run of `batch`: how many districts, spread over the city, by how many workers; is one killed on the way?"""

    name: str
    districts: int
    workers: int
    only: str | None = "tables"
    kill: bool = False
    largest: bool = False


def steps(n: int) -> list[Step]:
    """Return the runs for a city of n districts, the most telling first."""
    few, pair = max(3, n // 10), min(n, max(4, round(n * 0.16)))
    return [
        Step("few", few, 2),
        Step("killed", few, 2, kill=True),
        Step("one", pair, 1),
        Step("two", pair, 2),
        Step("all", n, 2),
        Step("half", max(few + 1, n // 2), 2),
        Step("largest", 1, 1, largest=True),
        Step("everything", max(2, n // 20), 2, only=None),
    ]


# --- the city --------------------------------------------------------------------------------------------------------


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
    frame = gpd.GeoDataFrame(
        {"code": [f"9{k:05d}" for k in kept], "name": [f"格 {k}" for k in kept]},
        geometry=[cells[k] for k in kept],
        crs="EPSG:4326",
    )
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


# --- measuring -------------------------------------------------------------------------------------------------------


def spent(command: list[str], *, fine: tuple[int, ...] = (0,)) -> dict[str, float]:
    """
    Run a command that ends with a code that is `fine`; return what it took, its descendants included.

    `peak_mb` is that of the largest process; `others` the processors that other work took meanwhile.
    """
    busy, begun = processors_busy(), time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    wall, cpu = time.perf_counter() - begun, used.ru_utime + used.ru_stime
    code = process.returncode = os.waitstatus_to_exitcode(status)
    if code not in fine:
        sys.exit(f"{' '.join(command)} ended with {code}")
    others = max(processors_busy() - busy - cpu, 0.0) / wall
    return {
        "wall_s": round(wall, 1),
        "cpu_s": round(cpu, 1),
        "peak_mb": round(used.ru_maxrss / 1024),
        "others": round(others, 2),
    }


def processors_busy() -> float:
    """Return processor seconds that this machine has worked so far, all processes together."""
    now = psutil.cpu_times()
    return float(now.user + now.system + getattr(now, "nice", 0.0))


def split_city(work: Path) -> dict[str, Any]:
    used = spent(
        [
            sys.executable,
            "-m",
            "xinhe_geo",
            "split",
            str(work / "city.osm.pbf"),
            "--districts",
            str(work / "districts.geojson"),
            "--code",
            "code",
            "--name",
            "name",
            "--homes",
            str(work / "people.csv"),
            "--out",
            str(work / "folders"),
            "--overwrite",
        ],
        fine=(0, 1),
    )
    made = catalogue(work)
    size = sum(f.stat().st_size for f in (work / "folders").rglob("*") if f.is_file()) / 1e6
    return {
        **used,
        "districts": len(made),
        "folders_mb": round(size, 1),
        "streets": spread_of(made["streets"]),
        "facilities": spread_of(made["facilities"]),
        "homes": spread_of(made["homes"]),
    }


def spread_of(column: pd.Series) -> list[int]:
    """Return least, median and most."""
    return [int(column.min()), int(column.median()), int(column.max())]


def catalogue(work: Path) -> pd.DataFrame:
    made = pd.read_csv(work / "folders" / "catalogue.csv", dtype={"folder": "str"})
    return made[made["status"] == "done"].reset_index(drop=True)


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
            "import sys, resource; from xinhe_geo.io import Division, split; city, border, out = sys.argv[1:4];"
            "split(city, Division(border, 'code'), out, overwrite=True);"
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


def run(work: Path, step: Step) -> dict[str, Any]:
    """Report districts that lie spread over the city; called in a process of its own."""
    made, out = catalogue(work), work / f"out-{step.name}"
    shutil.rmtree(out, ignore_errors=True)
    rows = np.linspace(0, len(made) - 1, step.districts).round().astype(int)
    if step.largest:
        rows = np.array([int((made["streets"] + made["facilities"]).to_numpy().argmax())])
    folders = [work / "folders" / f for f in made["folder"].iloc[rows]]
    watch = Watch(len(folders), kill=step.kill)
    begun = time.perf_counter()
    table = batch_module.batch(folders, out, workers=step.workers, only=step.only, progress=watch.tick)
    wall = time.perf_counter() - begun
    watch.ended.set()
    size = sum(f.stat().st_size for f in out.rglob("*") if f.is_file()) / 1e6
    found = {
        "districts": len(folders),
        "workers": step.workers,
        "only": step.only or "all",
        "batch_s": round(wall, 2),
        "work_cpu_s": round(float(table["cpu_seconds"].sum()), 1),
        "median_cpu_s": round(float(table["cpu_seconds"].median()), 2),
        "slowest_cpu_s": round(float(table["cpu_seconds"].max()), 2),
        "worker_peak_mb": round(float(table["peak_mb"].max())),
        "client_peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "output_mb": round(size, 1),
        "status": table["status"].value_counts().to_dict(),
        "killed": len(watch.killed),
        "progress": watch.marks,
        "digest": digest(out),
    }
    if step.name != "all":  # which is kept to be looked at
        shutil.rmtree(out)
    return found


class Watch:
    """Looks at the workers' memory while they work, and kills one of them once a third is done, where asked to."""

    def __init__(self, n: int, *, kill: bool) -> None:
        self.n, self.kill = n, kill
        self.killed: list[int] = []
        self.marks: list[dict[str, float | None]] = []
        self.seen: list[float] = []
        self.begun, self.ended = time.perf_counter(), threading.Event()
        threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        while not self.ended.wait(1.0):
            held = [memory_of(worker) for worker in workers_of_this()]
            self.seen += [max(held)] if held else []

    def tick(self, tick: batch_module.Tick) -> None:
        """Note each twentieth: the most a worker held since the one before."""
        if self.kill and not self.killed and tick.done >= max(1, self.n // 3):
            for worker in workers_of_this()[:1]:
                worker.send_signal(signal.SIGKILL)
                self.killed.append(worker.pid)
        if tick.done == self.n or tick.done % max(1, self.n // 20) == 0:
            seen, self.seen = self.seen, []
            held = round(max(seen)) if seen else None
            self.marks.append({"done": tick.done, "s": round(time.perf_counter() - self.begun, 1), "worker_mb": held})


def workers_of_this() -> list[psutil.Process]:
    """Return the worker processes of this benchmark: children whose command line says so."""
    found = []
    for child in psutil.Process().children():
        try:
            if any("spawn_main" in part for part in child.cmdline()):
                found.append(child)
        except psutil.Error:  # gone meanwhile
            continue
    return found


def memory_of(process: psutil.Process) -> float:
    try:
        return float(process.memory_info().rss) / 2**20
    except psutil.Error:
        return 0.0


def digest(folder: Path) -> str:
    total = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            total.update(file.relative_to(folder).as_posix().encode() + hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()[:16]


# --- the whole -------------------------------------------------------------------------------------------------------


class Results:
    """What was measured, on disk after every step."""

    def __init__(self, file: Path, settings: dict[str, Any], minutes: float) -> None:
        self.file, self.until = file, time.perf_counter() + 60 * minutes
        self.found: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {"settings": settings}
        if any(self.found["settings"].get(k) != v for k, v in settings.items()):
            sys.exit(f"{file} was measured with {self.found['settings']}, not {settings}: give another --work")

    def measure(self, name: str, guess_s: float, call: Any) -> None:
        """Measure what is not known yet, if it fits into the time left; `guess_s` is what it will take."""
        if name in self.found and "left_out" not in self.found[name]:
            return
        left = self.until - time.perf_counter()
        if guess_s > left:
            self._keep(name, {"left_out": f"about {guess_s / 60:.0f} min, {max(left, 0) / 60:.0f} min left"})
            return
        self._keep(name, {**call(), "load": round(os.getloadavg()[0], 1)})

    def _keep(self, name: str, value: dict[str, Any]) -> None:
        self.found[name] = value
        self.file.write_text(json.dumps(self.found, indent=1) + "\n")
        print(
            time.strftime("%H:%M:%S"), name, json.dumps({k: v for k, v in value.items() if k != "progress"}), flush=True
        )

    def per_district(self, only: str | None) -> float:
        """Return processor seconds of a district as far as known."""
        known = [
            r["cpu_s"] / r["districts"]
            for r in self.found.values()
            if r.get("only") == (only or "all") and r["districts"] > 2
        ]
        return max(known) if known else GUESS[only]


def measured(work: Path, step: Step) -> dict[str, Any]:
    file = work / "one.json"
    file.unlink(missing_ok=True)
    used = spent([sys.executable, __file__, "--work", str(work), "--one", json.dumps(step), "--to", str(file)])
    return {**json.loads(file.read_text()), **used}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("extract", type=Path, nargs="?")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument(
        "--side", type=int, default=20, help="the grid has side x side cells, of which the fullest are districts"
    )
    parser.add_argument("--districts", type=int, default=250)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument(
        "--write", action="store_true", help="write docs/scale.md, its figure, and benchmarks/scale.json"
    )
    parser.add_argument("--note", default="", help="what else the machine was busy with, for the page")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--to", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        given.to.write_text(json.dumps(run(given.work, Step(*json.loads(given.one)))))
        return
    if given.extract is None or not given.extract.is_file():
        parser.error("the extract is needed")
    given.work.mkdir(parents=True, exist_ok=True)
    results = Results(given.work / "results.json", settings(given), given.minutes)
    make_city(given.extract, given.work, given.side, given.districts)
    results.measure("split", 0.0, lambda: split_city(given.work))
    # what numba compiles it keeps on disk: a run that compiles costs more, and holds more memory, than all later ones
    compiling = Step("largest", 1, 1, largest=True)
    results.measure("compiling", 0.0, lambda: {"seconds": measured(given.work, compiling)["batch_s"]})
    for step in steps(given.districts):
        guess = results.per_district(step.only) * step.districts / step.workers * 1.1 + 15
        results.measure(step.name, guess, lambda step=step: measured(given.work, step))
    results.measure(
        "split-memory", 150.0 if given.districts > 20 else 0.0, lambda: split_memory(given.work, given.extract)
    )
    if given.write:
        scale_page.write(results.found | {"note": given.note})
    faults = scale_page.faults(results.found)
    print("\n".join(faults) or "all that must hold holds")
    sys.exit(1 if faults else 0)


def settings(given: argparse.Namespace) -> dict[str, Any]:
    processor = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return {
        "extract": given.extract.name,
        "side": given.side,
        "districts": given.districts,
        "code": batch_module.versions()["xinhe-geo"],
        "python": platform.python_version(),
        "machine": f"{processor}, {os.cpu_count()} cores",
    }


if __name__ == "__main__":
    main()
