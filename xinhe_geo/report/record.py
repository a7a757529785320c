"""
`run.json`: what a report rests on and what it found, so that a later one can say what changed.

And which files of a folder are ours: those whose hash a record of ours names. Everything else in it is the user's.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from ..access import headlines, rules_of
from ..core import read_whole, speaking
from ..district import District
from ..ledger import named_in_record
from .analysis import Analysis

RECORD = "run.json"
#: What the commands that add to a folder have written into it: file and hash.
NOTED = ".xinhe.json"
#: What is longer is no record of ours.
_MOST_BYTES = 20_000_000
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


def record_of(district: District, results: Analysis | None, preset: str) -> dict[str, Any]:
    """Return what the outputs were made from: inputs with hashes, parameters, versions; and what was found, where anything was."""
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "?"
    lead = pd.DataFrame() if results is None else results.headlines
    # a record is in Chinese whatever the report is read in: the next one is compared with it
    if results is not None and results.lang != "zh":
        with speaking("zh"):
            lead = headlines(district, results.cover)
    return {
        "district": named_in_record(district),
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


def read_run(folder: Path) -> dict[str, Any]:
    """Return a folder's `run.json`; empty where there is none, or it is not one of ours."""
    run = read_json(folder / RECORD)
    versions = run.get("versions")
    ours = isinstance(versions, Mapping) and "xinhe-geo" in versions and isinstance(run.get("files"), Mapping)
    return run if ours else {}


def read_noted(folder: Path) -> dict[str, str]:
    """Return what commands that add to a folder have noted of it: place in the folder and hash."""
    return trusted(read_json(folder / NOTED).get("files"))


def run_files(folder: Path) -> dict[str, str]:
    """Return the files that the last report into a folder has written: place in the folder and hash."""
    return trusted(read_run(folder).get("files"))


def read_json(path: Path) -> dict[str, Any]:
    """Return what a small record of ours says; empty where there is none, or it cannot be read, or is none of ours."""
    try:
        text = b"" if path.is_symlink() else read_whole(path, most=_MOST_BYTES)
        found = json.loads(text.decode("utf-8")) if 0 < len(text) <= _MOST_BYTES else {}
    except (OSError, ValueError, RecursionError):  # no file of ours is one of these
        return {}
    return found if isinstance(found, dict) else {}


def trusted(files: object) -> dict[str, str]:
    """Return the entries that can be a file below the folder: a record may come from anybody."""
    found = files.items() if isinstance(files, Mapping) else ()
    return {n: h for n, h in found if is_inside(n) and isinstance(h, str) and re.fullmatch("[0-9a-f]{64}", h)}


def is_inside(name: object) -> bool:
    """Return whether a name is relative, plain and stays below the folder it is counted from, on every system."""
    if not isinstance(name, str) or not name or re.search(r"[\\:\x00-\x1f]", name):
        return False
    parts = name.split("/")
    return not PurePosixPath(name).is_absolute() and not {"", ".", ".."} & set(parts)
