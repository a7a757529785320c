"""
How time and memory grow with the homes of a city: 5, 25 and 100 thousand of them on the streets of Porto, the
nine rules that are the plan's own, then all of its set.

    python benchmarks/many_homes.py [EXTRACT.osm.pbf] [--report]

The city is semi-synthetic: real streets (© OpenStreetMap contributors, ODbL 1.0), homes as points and 2,000 facilities of all kinds put on
them by a seeded generator. It says what the work costs and nothing about any place. Each size is a process of its own. `--report`
writes the whole report too. Processor time is to be trusted beside other work, time by the clock is not.
"""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely

PLACES = Path(__file__).resolve().parents[2] / "shared" / "places"
SIZES = (5_000, 25_000, 100_000)
FACILITIES = 2_000


def on_streets(streets: gpd.GeoDataFrame, count: int, rng: np.random.Generator) -> gpd.GeoSeries:
    """Return so many points within some 40 m of streets, as many along a kilometre everywhere."""
    at = rng.choice(len(streets), count, p=(streets.length / streets.length.sum()).to_numpy())
    points = shapely.line_interpolate_point(streets.geometry.to_numpy()[at], rng.random(count), normalized=True)
    moved = shapely.get_coordinates(points) + rng.normal(0.0, 20.0, (count, 2))
    return gpd.GeoSeries(shapely.points(moved), crs=streets.crs).to_crs("EPSG:4326")


def fill(folder: Path, homes: int) -> None:
    """Put homes and facilities into a folder that was imported."""
    import xinhe_geo as xh

    district, rng = xh.District.load(folder), np.random.default_rng(2035)
    streets = district.streets[["geometry"]]
    people = rng.integers(20, 400, homes)
    table = {"home": [f"h{i}" for i in range(homes)], "people": people, "people_60plus": (people * 0.2).astype(int)}
    gpd.GeoDataFrame(table, geometry=on_streets(streets, homes, rng)).to_file(folder / "homes/homes.geojson")
    kinds = sorted({kind for rule in district.rules["kinds"] for kind in str(rule).split(";")})
    given = {"facility": [f"f{i}" for i in range(FACILITIES)], "kind": rng.choice(kinds, FACILITIES)}
    gpd.GeoDataFrame(given, geometry=on_streets(streets, FACILITIES, rng)).to_file(folder / "pois/facilities.geojson")
    manifest = folder / "district.toml"
    text = re.sub(r"surveyed_kinds = \[.*?\]", f"surveyed_kinds = {json.dumps(kinds)}", manifest.read_text("utf-8"))
    text = re.sub(r"mapped_kinds = \[.*?\]", "mapped_kinds = []", text)
    manifest.write_text(re.sub(r"(?m)^buildings = .*$", "", text), "utf-8")


def measure(folder: Path, report: bool) -> dict[str, float]:
    """Return seconds of processor and clock for each step, and the most memory so far (MB)."""
    import xinhe_geo as xh

    found: dict[str, float] = {}

    def spent() -> float:
        return sum(os.times()[:4])

    def step(name: str, work: object) -> object:
        began, clock = spent(), time.perf_counter()
        result = work()  # type: ignore[operator]
        found[f"{name} s"] = round(spent() - began, 1)
        found[f"{name} clock"] = round(time.perf_counter() - clock, 1)
        found[f"{name} MB"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        return result

    district = step("load", lambda: xh.District.load(folder))
    assert isinstance(district, xh.District)
    step("network", lambda: district.network)
    bundled = xh.District.load()
    own = [name for name in bundled.rules.index if bundled.rule(name).of_plan]
    cover = step("the plan's own rules", lambda: xh.coverage(district, rules=own))
    found["rows of the plan's own"] = len(cover)  # type: ignore[arg-type]
    cover = step("every rule", lambda: xh.coverage(district))
    found["rows"] = len(cover)  # type: ignore[arg-type]
    if report:
        with tempfile.TemporaryDirectory() as out:
            step("report", lambda: xh.brief(district, out, processes=2))
            found["largest page MB"] = round(max(p.stat().st_size for p in Path(out).rglob("*.html")) / 1e6, 1)
    return found


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["--one"]:
        print(json.dumps(measure(Path(arguments[1]), "--report" in arguments)))
        return
    report = "--report" in arguments
    extracts = [Path(given) for given in arguments if not given.startswith("-")] or [PLACES / "porto.osm.pbf"]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "city"
        command = [sys.executable, "-m", "xinhe_geo", "import", str(extracts[0]), "--out", str(folder)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        for homes in SIZES:
            fill(folder, homes)
            asked = [sys.executable, __file__, "--one", str(folder), *(["--report"] if report else [])]
            found = json.loads(subprocess.run(asked, check=True, capture_output=True, text=True).stdout)
            print(f"{homes:,} homes: {', '.join(f'{name} {value:,}' for name, value in found.items())}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
