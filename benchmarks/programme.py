"""
How long a programme of 60 projects, five years and four sources of money takes, and how near to its bound it is.

    python benchmarks/programme.py [--projects 60] [--gap 0.01]

On the bundled district: places of several kinds at random spots (the same on every run), two gates, a bridge, a closure,
prerequisites and exclusions. Prints processor and clock seconds, value, bound and gap.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import tomli_w

import xinhe_geo as xh
from xinhe_geo.core import bundled_folder
from xinhe_geo.renewal import Programming

KINDS = ("clinic_station", "canteen", "elderly_daycare", "fitness", "party_service_center")
TYPES = ("新建补短板", "微改造")


def made(folder: Path, count: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Write plans into a folder, and return projects and money."""
    rng = np.random.default_rng(0)
    district = xh.District.load(folder)
    spots = gpd.GeoSeries(shapely.point_on_surface(district.homes.geometry.array), crs=district.crs).to_crs(4326)
    rows = []
    for number in range(count):
        key, spot, kind = f"B{number:02d}", spots.iloc[int(rng.integers(len(spots)))], str(rng.choice(KINDS))
        edit = {"do": "open_facility", "facility": key, "kind": kind, "at": [float(spot.x), float(spot.y)]}
        (folder / "scenarios" / f"{key}.toml").write_text(tomli_w.dumps({"name": key, "edit": [edit]}), "utf-8")
        low = float(rng.integers(20, 120))
        row = {"project": key, "name": key, "kind": TYPES[number % 2], "edits": key, "cost_low": low}
        row |= {"cost_high": round(low * float(rng.uniform(1, 1.5)), 1), "duration": int(rng.integers(1, 3))}
        row |= {"earliest": 2026 + int(rng.integers(0, 3)), "after": f"B{number - 1:02d}" if number % 10 == 9 else None}
        rows.append({**row, "excludes": f"B{number - 1:02d}" if number % 10 == 5 else None})
    for number, edits in zip(range(4), ("open-gates#1", "open-gates#2", "canal-bridge", "two-stations#1"), strict=True):
        rows[number * 13] |= {"edits": edits}
    money = [
        {"row": f"{fund}{year}", "fund": fund, "year": year, "amount": amount, "types": types, "carry": fund == "债券"}
        for fund, amount, types in (
            ("财政", 120, None),
            ("债券", 90, TYPES[0]),
            ("区级", 60, None),
            ("居民", 40, TYPES[1]),
        )
        for year in range(2026, 2031)
    ]
    return pd.DataFrame(rows), pd.DataFrame(money)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--projects", type=int, default=60)
    parser.add_argument("--gap", type=float, default=0.01)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "district"
        shutil.copytree(bundled_folder(), folder)
        projects, budgets = made(folder, asked.projects)
        district = xh.District.load(folder)
        xh.coverage(district)
        clock, work = time.perf_counter(), time.process_time()
        plan = xh.programme(district, projects, budgets, programming=Programming(gap=asked.gap))
        clock, work = time.perf_counter() - clock, time.process_time() - work
    first = plan.iloc[0]
    print(
        f"{len(plan)} projects, {(plan['reason'] == '').sum()} chosen: {work:.1f} s of processor, {clock:.1f} s on the clock"
    )
    print(
        f"value {first['objective']:.0f}, bound {first['bound']:.0f}, gap {first['gap']:.4f}, proven {first['proven']}"
    )


if __name__ == "__main__":
    main()
