"""
How wrong it is to spread the people of areas over smaller places: on the one extract with a known table (São Paulo, 323 H3 cells).

The totals of seven cells together are spread over the cells again, by their land and by the length of streets in them (the extract has
no buildings, so that floor area itself cannot be tried there), and held against the table.

    python benchmarks/spreading.py FOLDER      where the extracts are; prints a table
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import h3
import numpy as np
import pandas as pd
import shapely

import xinhe_geo as xh
from xinhe_geo.io.osm_import import import_osm
from xinhe_geo.io.population import shared

RULES = ("plan_bus_stop", "plan_clinic_15")


def main(places: Path) -> None:
    table = places / "saopaulo_hexgrid.csv"
    with tempfile.TemporaryDirectory() as room:
        import_osm(places / "saopaulo.osm.pbf", Path(room) / "d", homes=table)
        district = xh.District.load(Path(room) / "d")
        homes, streets = district.homes, district.streets
    assert homes is not None and streets is not None
    true = homes["people"].to_numpy(dtype=float)
    parent, _ = pd.factorize(pd.Index([h3.cell_to_parent(cell, 8) for cell in homes.index]))
    total = np.bincount(parent, weights=true)
    shapes, lines = homes.geometry.to_numpy(), streets.geometry.to_numpy()
    cell, line = shapely.STRtree(lines).query(shapes, predicate="intersects")
    inside = shapely.length(shapely.intersection(shapes[cell], lines[line]))
    metres = np.bincount(cell, weights=inside, minlength=len(homes)) + 1.0
    cover = xh.coverage(district, rules=list(RULES))
    served = {rule: cover.xs(rule, level="rule")["served"].reindex(homes.index).to_numpy(dtype=float) for rule in RULES}
    print(f"{len(total)} areas, {len(homes)} cells, {true.sum():,.0f} people")
    for name, weight in (("land", np.ones(len(homes))), ("street length", metres)):
        people = shared(total, parent, weight)
        error = np.abs(people - true).sum() / true.sum()
        ratio = true[people > 0] / people[people > 0]
        spread = float(np.sqrt(np.average((ratio - 1) ** 2, weights=people[people > 0])))
        shares = "; ".join(
            f"{rule}: {np.nansum(served[rule] * true) / true.sum():.1%} -> {np.nansum(served[rule] * people) / true.sum():.1%}"
            for rule in RULES
        )
        print(
            f"by {name}: {error / 2:.1%} of the people in the wrong cell; spread of people per weight {spread:.2f}; {shares}"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
