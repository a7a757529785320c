"""
What a city costs: the meeting page of 100,000 homes, 5 to 100 thousand homes, a street network of 1.2 million nodes.

    python benchmarks/city.py [page] [homes] [network] [--write]

`--write` puts what was measured into RESULTS.md. The cities are semi-synthetic: the streets of Porto (© OpenStreetMap contributors,
ODbL 1.0), once or mirrored to four times as many, with homes and facilities put on them by a seeded generator (`many_homes`). They say
what the work costs and nothing about any place.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import many_homes
import networks
import numpy as np
import pages
import pandas as pd
import shapely

HOMES = 100_000
#: Drags a facility, then compares every home under every rule with what the library has.
SERVED = """(rule) => {
  const E = xinhe.engine, m = xinhe.model;
  return Array.from(E.served(m, E.emptyPlan(), E.ask(m, rule)), (v) => (Number.isNaN(v) ? null : v));
}"""
AT_REST = "(() => { const began = performance.now(); xinhe.page.settle(); return performance.now() - began; })()"


def imported(folder: Path) -> None:
    """Import the extract of Porto into a folder."""
    command = [
        sys.executable,
        "-m",
        "xinhe_geo",
        "import",
        str(many_homes.PLACES / "porto.osm.pbf"),
        "--out",
        str(folder),
    ]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


# --- the meeting page ------------------------------------------------------------------------------------------------


def page(folder: Path) -> list[str]:
    """Return what the meeting page of a city is like, in a browser."""
    from playwright.sync_api import sync_playwright

    import xinhe_geo as xh
    from xinhe_geo.maps import meeting

    many_homes.fill(folder, HOMES)
    district = xh.District.load(folder)
    began = sum(os.times()[:4])
    text = meeting(district)
    made, file = sum(os.times()[:4]) - began, folder / "meeting.html"
    file.write_text(text, "utf-8")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=["--disable-gpu", "--no-sandbox", "--enable-precise-memory-info"]
        )
        tab = browser.new_context(viewport={"width": 1366, "height": 768}, offline=True).new_page()
        began = time.perf_counter()
        tab.goto(file.as_uri())
        tab.wait_for_selector("body.xm-ready", timeout=120_000)
        opened = time.perf_counter() - began
        differing = _differing(tab, district)
        tab.get_by_role("button", name="推演", exact=True).click()
        moved = [v for _ in range(5) for v in tab.evaluate(pages.DRAGGED, 80)]
        rest = [tab.evaluate(AT_REST) for _ in range(5)]
        heap = tab.evaluate("performance.memory.usedJSHeapSize / 1e6")
        browser.close()
    return [
        f"The meeting page of {HOMES:,} homes, {len(district.network.edges):,} street edges and {len(district.facilities):,} facilities (Porto,",
        f"semi-synthetic): **{file.stat().st_size / 1e6:.2f} MB**, made in {made:.0f} s of processor time, open in {opened:.1f} s by the clock, {heap:.0f} MB",
        f"of the page's own memory. A facility moved: **{statistics.median(moved):.1f} ms** (median of {len(moved)}; most {max(moved):.0f}), all that is shown",
        f"beside it {statistics.median(rest):.0f} ms when it is let go. At its opening {differing[1]:,} shares of homes under rules were held against",
        f"the library's: {differing[0]} differ.",
    ]


def _differing(tab: Any, district: Any) -> tuple[int, int]:
    """Return how many shares of homes the page has otherwise than the library, and how many there are."""
    import xinhe_geo as xh

    homes, wrong, seen = tab.evaluate("xinhe.model.homes.id"), 0, 0
    for rule in tab.evaluate("xinhe.model.data.rules.map((r) => r.id)"):
        shares = np.array([np.nan if v is None else v for v in tab.evaluate(SERVED, rule)])
        own = xh.coverage(district, rules=[rule])["served"].droplevel("rule").reindex(homes).to_numpy(float)
        wrong += int((~np.isclose(shares, own, rtol=0, atol=1e-9, equal_nan=True)).sum())
        seen += len(own)
    return wrong, seen


# --- many homes ------------------------------------------------------------------------------------------------------


def homes(folder: Path) -> list[str]:
    """Return what 5 to 100 thousand homes cost."""
    rows = [
        "Homes put on Porto's streets: processor seconds, and the most memory of the process so far. The network is opened before.",
        "",
        "| homes | the plan's own rules | | all of its set, after them | |",
        "|--:|--:|--:|--:|--:|",
    ]
    for many in many_homes.SIZES:
        many_homes.fill(folder, many)
        found = _apart("--one", folder, many_homes.__file__)
        own, every = (
            f"{found[f'{k} s']:.1f} s | {found[f'{k} MB']:,.0f} MB" for k in ("the plan's own rules", "every rule")
        )
        rows.append(f"| {many:,} | {own} | {every} |")
    return rows


def _apart(what: str, folder: Path, program: str = __file__) -> dict[str, Any]:
    """Run in a process of its own; return what it prints."""
    done = subprocess.run([sys.executable, program, what, str(folder)], check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


# --- a large network -------------------------------------------------------------------------------------------------


def network(folder: Path) -> list[str]:
    """Return what four times the streets of Porto cost."""
    four_times(folder)
    few, many_homes.FACILITIES = many_homes.FACILITIES, 4 * many_homes.FACILITIES
    rows = [
        "",
        "| homes | folder opened | network from its streets | saved network opened | coverage, every rule | most memory |",
        "|--:|--:|--:|--:|--:|--:|",
    ]
    for many in (25_000, HOMES):
        many_homes.fill(folder, many)
        found = min((_apart("--large", folder) for _ in range(2)), key=lambda one: one["cover cpu"])
        steps = (f"{found[f'{k} cpu']:.1f} ({found[f'{k} clock']:.1f})" for k in ("open", "network", "saved", "cover"))
        rows.append(f"| {many:,} | {' | '.join(steps)} | {found['MB']:,} MB |")
    many_homes.FACILITIES = few
    told = (
        f"Porto x4, semi-synthetic: {found['nodes']:,} points of {found['streets']:,} streets, {found['edges']:,} edges, {4 * few:,} facilities, "
        f"{found['rules']} rules. Seconds of processor time (by the clock):"
    )
    return [told, *rows]


def four_times(folder: Path) -> None:
    """Mirror the streets of a folder twice, and drop what is not mirrored with them."""
    file = folder / "network" / "streets.gpkg"
    streets = gpd.read_file(file)
    crs, local = streets.crs, streets.to_crs(streets.estimate_utm_crs())
    low = local.total_bounds[:2]
    lines = networks._four(local[["geometry"]]).geometry.to_numpy()
    rows = pd.concat([local.drop(columns="geometry")] * 4, ignore_index=True)
    rows = rows.reindex(range(len(lines)), method="ffill").assign(street=[f"w{i}" for i in range(len(lines))])
    four = gpd.GeoDataFrame(rows, geometry=shapely.transform(lines, lambda xy: xy + low), crs=local.crs).to_crs(crs)
    file.unlink()
    four.to_file(file)
    border = folder / "boundaries" / "district.geojson"
    district = gpd.read_file(border)
    district["geometry"] = shapely.box(*four.to_crs(district.crs).total_bounds)
    district.to_file(border)
    manifest = folder / "district.toml"
    text = re.sub(r"(?s)\[layers\.barriers\].*?(?=\[layers)", "", manifest.read_text("utf-8"))
    manifest.write_text(text.replace("without = [", 'without = ["barriers", '), "utf-8")


def large(folder: Path) -> dict[str, Any]:
    """Measure a folder whose network is large."""
    import resource

    import xinhe_geo as xh

    found: dict[str, Any] = {}

    def step(name: str, work: Callable[[], Any]) -> Any:
        began, clock = sum(os.times()[:4]), time.perf_counter()
        result = work()
        found[f"{name} cpu"], found[f"{name} clock"] = sum(os.times()[:4]) - began, time.perf_counter() - clock
        return result

    district = step("open", lambda: xh.District.load(folder))
    walked = step("network", lambda: district.network)
    saved = folder / "walk.npz"
    walked.save(saved)
    step("saved", lambda: xh.WalkNetwork.load(saved))
    cover = step("cover", lambda: xh.coverage(district))
    xy = shapely.get_coordinates(district.streets.geometry.to_numpy())
    found |= {
        "nodes": len(np.unique(np.round(xy, 3), axis=0)),
        "edges": len(walked.edges),
        "streets": len(district.streets),
    }
    found |= {
        "rules": len(cover.index.unique("rule")),
        "MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    return found


PARTS = {"page": page, "homes": homes, "network": network}
HEADS = {
    "page": "## The meeting page of a city",
    "homes": "## Homes of a city",
    "network": "## A network of 1.2 million nodes",
}


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["--large"]:
        print(json.dumps(large(Path(arguments[1]))))
        return
    for name in [a for a in arguments if a in PARTS] or PARTS:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / "city"
            imported(folder)
            before = os.getloadavg()[0]
            rows = PARTS[name](folder)
        load = f"{before:.0f} to {os.getloadavg()[0]:.0f}"
        told = f"Written by `python benchmarks/city.py {name}`, {time.strftime('%Y-%m-%d')}; load of the machine {load}, our own included."
        text = "\n".join([HEADS[name], "", told, "", *rows, ""])
        print(text, flush=True)
        if "--write" in arguments:
            pages.put(text)


if __name__ == "__main__":
    main(sys.argv[1:])
