"""What the second engine reads: a district folder as rows in metres, blank cells, years. No import from the library."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

TABLES = {"kinds": "pois/kinds.csv", "rules": "standards/rules.csv", "profiles": "standards/profiles.csv"}


def read(folder: Path, bundled: Path) -> dict[str, Any]:
    """Open a folder in its metric CRS, with the bundled tables where it has none: what `World` takes."""
    manifest = tomllib.loads((folder / "district.toml").read_text(encoding="utf-8"))
    rows: dict[str, pd.DataFrame] = {}
    for name, entry in manifest["layers"].items():
        if entry["file"].endswith(".geojson"):
            raw = gpd.read_file(folder / entry["file"]).set_crs(entry["crs"], allow_override=True)
            rows[name] = raw.set_index(raw.columns[0]).to_crs(manifest["crs"])
    for name, file in TABLES.items():
        path = folder / file if (folder / file).exists() else bundled / file
        rows[name] = pd.read_csv(path, encoding="utf-8-sig", index_col=0)
    taken = {"year": "data_year", "list_year": "community_list_year", "surveyed": "surveyed_kinds"}
    return {"rows": rows} | {ours: manifest[theirs] for ours, theirs in taken.items()}


def alive(frame: pd.DataFrame, year: int) -> pd.DataFrame:
    """Return the rows that stand in a year."""
    blank = [None] * len(frame)
    since, until = (np.array([number_of(y) for y in frame.get(c, blank)]) for c in ("since", "until"))
    return frame[~(since > year) & ~(until < year)]


def text_of(value: object) -> str:
    """Return a text, "" for a blank cell."""
    return value if isinstance(value, str) else ""


def number_of(value: float | None, blank: float = np.nan) -> float:
    """Return a number, `blank` for a blank cell."""
    return blank if value is None or pd.isna(value) else float(value)
