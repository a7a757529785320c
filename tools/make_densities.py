"""
Make `data/pois/densities.csv`: what was drawn in places that are well mapped, from extracts of them.

`python tools/make_densities.py Helsinki=helsinki.osm.pbf Town=town.osm.pbf`. Facts of OpenStreetMap (© OpenStreetMap contributors,
ODbL 1.0): counts, no objects. An extract that holds streets only is no reference.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from xinhe_geo.core import bundled_folder, plane_of, write_bytes
from xinhe_geo.io.osm_extract import read_map
from xinhe_geo.io.tag_rules import read_tag_rules

SOURCE = "OpenStreetMap contributors, ODbL 1.0；按本工具的标签对照表数"


def rows_of(place: str, extract: Path) -> pd.DataFrame:
    """Return the rows of a place: how many of each kind, and of what size the place is."""
    read = read_map(extract, read_tag_rules(), None)
    west, south, east, north = map(float, read.streets.total_bounds)  # in degrees
    metres = float(read.streets.to_crs(plane_of(west, south, east, north)).length.sum())
    kinds = pd.Series([row[2] for row in read.found.rows["facilities"]]).value_counts().sort_index()
    table = pd.DataFrame({"kind": kinds.index, "count": kinds.to_numpy()})
    table["street_km"], table["buildings"] = round(metres / 1000, 1), len(read.found.rows["homes"])
    table["id"] = [f"{place.lower()}-{kind}" for kind in table["kind"]]
    return table.assign(place=place, date=read.day, source=SOURCE)


def main(arguments: list[str]) -> None:
    """Write the table."""
    tables = [rows_of(place, Path(file)) for place, _, file in (argument.partition("=") for argument in arguments)]
    columns = ["id", "place", "kind", "count", "street_km", "buildings", "date", "source"]
    text = pd.concat(tables)[columns].to_csv(index=False, lineterminator="\n")
    write_bytes(bundled_folder() / "pois" / "densities.csv", b"\xef\xbb\xbf" + text.encode("utf-8"))


if __name__ == "__main__":
    main(sys.argv[1:])
