"""`run.json`: what a report rests on and what it found, so that a later one can say what changed."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ..access import headlines, rules_of
from ..core import speaking
from ..district import District

RECORD = "run.json"
#: Packages whose versions are put on record.
PACKAGES = (
    "xinhe-geo",
    "geopandas",
    "shapely",
    "pandas",
    "numpy",
    "scipy",
    "folium",
    "numba",
    "pyproj",
    "pyogrio",
    "xlsxwriter",
)


def record_of(district: District, results: Mapping[str, Any], preset: str) -> dict[str, Any]:
    """Return what the outputs were made from: inputs with hashes, parameters, versions; and what was found."""
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "?"
    lead = results["headlines"]
    # a record is in Chinese whatever the report is read in: the next one is compared with it
    if results["lang"] != "zh":
        with speaking("zh"):
            lead = headlines(district, results["cover"])
    return {
        "district": {"name": district.name, "code": district.code, "crs": district.crs},
        "parameters": {
            "preset": preset,
            "year": district.year,
            "community_list_year": district.list_year,
            "planned": district.with_planned,
            "scenario": str(district.manifest.get("scenario", "")),
            "rules": [r.name for r in rules_of(district, preset)],
        },
        "inputs": {
            str(name): {"file": row["file"], "from": row["from"], "sha256": row["sha256"]}
            for name, row in district.files.iterrows()
        },
        "versions": versions,
        "results": {
            rule: {
                "label": row["label"],
                "headline": row["headline"],
                "mark": row["mark"],
                "value": None if pd.isna(row["value"]) else round(float(row["value"]), 9),
            }
            for rule, row in lead.iterrows()
        },
    }


def hashes(folder: Path) -> dict[str, str]:
    """Return the hash of every file written, by its place in the folder."""
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }
