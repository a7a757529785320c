"""
Draw the bundled demonstration district: `python tools/make_xinhe.py [--out data]`.

Writes `district.toml`, every layer, the ledger series and the ledger of parcels. The same bytes on every run. What is real, what is drawn
and what is made up is said per layer in `district.toml` and in `data/README.md`.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import shapely

sys.path.insert(0, str(Path(__file__).resolve().parent))

from xinhe import blocks, manifest, places, pois, renewal, scenarios
from xinhe import skeleton as s
from xinhe.frame import write_geojson
from xinhe.lines import Corners, Street
from xinhe.regions import CODE, SKETCH, Regions

Row = dict[str, Any]
#: The bundled folder, whose tables of standards are written by hand.
DATA = Path(__file__).resolve().parents[1] / "data"


def build() -> dict[str, list[Row]]:
    """Return every layer's rows, geometry in drawing board metres."""
    regions, corners = Regions(), Corners()
    edges = s.build_streets(regions.north, corners)
    lots = blocks.find_lots(edges, regions)
    compounds, alleys = blocks.build_compounds(lots, edges)
    edges = blocks.insert(edges, [Street(tuple(a), "residential", key="alley") for a in alleys], corners)
    gate_ways = blocks.cut_gates(compounds, edges)
    edges = blocks.insert(edges, gate_ways, corners)
    park_ways, park_paths, entrances = blocks.park_paths(lots, edges)
    edges = blocks.insert(edges, park_ways, corners) + park_paths
    blocks.populate(compounds)
    inner = [lane for c in compounds for lane in blocks.lanes(c)]
    slots = pois.Slots(edges, compounds, regions)
    facilities = pois.build(slots, compounds, lots, regions)
    return {
        "district": [{"code": CODE, "name": "新河街道", "note": _BOUNDARY, "geometry": regions.district}],
        "zones": _zones(regions),
        "areas": regions.area_rows(),
        "communities": regions.community_rows(),
        "parcels": [*places.parcel_rows(lots), *renewal.sample_rows(lots)],
        "barriers": places.barrier_rows(regions, lots),
        "landuse": places.landuse_rows(lots),
        "green": places.green_rows(lots, regions),
        "water": places.water_rows(regions, lots),
        "named_roads": places.named_road_rows(regions),
        "places": places.place_rows(regions, lots, compounds, facilities),
        "ramps": places.ramp_rows(),
        "grid": regions.grid_rows(),
        "micro_spaces": places.micro_rows(compounds),
        "bare_ground": places.bare_rows(lots),
        "homes": [_home(c) for c in compounds],
        "gates": [g for c in compounds for g in _gates(c)],
        "facilities": facilities,
        "entrances": _entrances(entrances, lots),
        "streets": _streets([*edges, *inner, *blocks.island(lots)]),
    }


_BOUNDARY = (
    SKETCH + "；没有公开的法定界线。东界按新北街道西限117.62875°E、北限39.07105°N，杭州道街道西限117.634°E之西；"
    "老城区窗口117.612—117.634°E与胡家园街道外接框东限117.6198°E、新村街道外接框北限39.0323°N相矛盾（外接框不是界线，"
    "此处按窗口画）；新城区与胡家园、北塘街道外接框重叠，同理"
)


def _zones(regions: Regions) -> list[Row]:
    """Old and new town, divided by the expressway."""
    old = "京津塘高速公路以南（推论：原文只写新城区在高速以北）；面积未知；" + SKETCH
    new = "京津塘高速公路以北；按21平方公里画出，位于海洋高新技术产业园区外接框内；" + SKETCH
    return [
        {"zone": "old", "name": "老城区", "note": old, "geometry": regions.old},
        {"zone": "new", "name": "新城区", "area_km2": 21.0, "note": new, "geometry": regions.new},
    ]


def _home(c: blocks.Compound) -> Row:
    return {
        "home": c.key,
        "name": c.name,
        "households": c.households,
        "people": c.people,
        "people_60plus": c.people_60plus,
        "built": c.built,
        "since": c.since,
        "until": c.until,
        "note": c.note,
        "geometry": c.shape,
    }


def _gates(c: blocks.Compound) -> list[Row]:
    """Gates, named after the side they are on."""
    rows: list[Row] = []
    used: dict[str, int] = {}
    middle = c.shape.centroid
    for n, (x, y) in enumerate(c.gates, 1):
        angle = math.degrees(math.atan2(y - middle.y, x - middle.x))
        side = "东北西南"[round(angle / 90) % 4]
        used[side] = used.get(side, 0) + 1
        name = f"{side}门" + ("" if used[side] == 1 else str(used[side]))
        later = (x, y) in c.planned
        rows.append(
            {
                "gate": f"{c.key}-G{n}",
                "name": name,
                "home": c.key,
                "state": "planned" if later else None,
                "since": 2025 if later else c.since,
                "until": c.until,
                "geometry": shapely.Point(x, y),
            }
        )
    return rows


def _entrances(entrances: Sequence[tuple[int, tuple[float, float]]], lots: Sequence[blocks.Lot]) -> list[Row]:
    """Park entrances; the last park has none on purpose: its edge counts."""
    last = sum(1 for q in lots if q.use == "park")
    return [
        {
            "entrance": f"park-{n:02d}-E{k}",
            "name": "公园入口",
            "facility": f"park-{n:02d}",
            "geometry": shapely.Point(p),
        }
        for k, (n, p) in enumerate(entrances, 1)
        if n != last
    ]


def _streets(edges: Sequence[Street]) -> list[Row]:
    """One feature per edge."""
    return [
        {
            "street": f"S{n:04d}",
            "name": e.name,
            "class": e.cls,
            "wait_s": e.wait_s,
            "steps": e.steps,
            "home": e.home,
            "since": e.since,
            "until": e.until,
            "basis": e.basis,
            "source": e.source,
            "note": e.note,
            "geometry": e.line(),
        }
        for n, e in enumerate(edges, 1)
    ]


def write(folder: Path) -> dict[str, int]:
    """Write the whole folder; returns how many features each layer has."""
    layers = build()
    counts = {}
    for name, rows in layers.items():
        entry = manifest.LAYERS[name]
        counts[name] = write_geojson(
            folder / entry.file, rows, manifest.COLUMNS[name], licence=entry.licence, credit=entry.credit
        )
    kinds = sorted({str(f["kind"]) for f in layers["facilities"]})
    manifest.write_toml(folder / "district.toml", kinds)
    manifest.write_series(folder / "ledger" / "series.csv", DATA / "standards" / "measures.csv")
    renewal.write(folder / "renewal")
    scenarios.write(folder / "scenarios", layers)
    manifest.write_readme(folder / "README.md", layers)
    return counts


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=DATA)
    for name, n in write(parser.parse_args().out).items():
        print(f"{name:14}{n:6}")


if __name__ == "__main__":
    main()
