"""
`run.json`, what a report rests on, and the folder it lies in.

Everything is written beside the target first and swapped in when complete, so that a failure leaves earlier outputs as
they were.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from ..access import headlines, rules_of
from ..core import EnvironmentProblem, XinheError, os_words, speaking
from ..district import MANIFEST, District

RECORD = "run.json"


def record_of(district: District, results: Mapping[str, Any], preset: str) -> dict[str, Any]:
    """Return what the outputs were made from: inputs with hashes, parameters, versions; and what was found."""
    packages = (
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
    versions = {"python": platform.python_version()}
    for name in packages:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "?"
    lead = results["headlines"]
    if (
        results["lang"] != "zh"
    ):  # a record is in Chinese whatever the report is read in: the next one is compared with it
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


@contextmanager
def swapped_in(target: Path) -> Iterator[Path]:
    """Give a folder to write into; when all went well its files replace those of an earlier run, else nothing changes."""
    if (target / MANIFEST).is_file():
        raise EnvironmentProblem(f"{target.name} 是街道数据目录，不能把结果写在里面；用 --out 另写一个文件夹")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise EnvironmentProblem(
            f"不能写入 {target.name}：{os_words(error)}。换一个文件夹（--out），或检查权限和磁盘空间"
        ) from error
    try:
        yield fresh
        put_in_place(fresh, target)
    except XinheError:
        raise
    except OSError as error:
        raise cannot_write(error, target) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def cannot_write(error: OSError, target: Path) -> EnvironmentProblem:
    """Return what is said when a folder, or a file in it, cannot be written."""
    name = Path(str(error.filename or target)).name
    return EnvironmentProblem(f"写 {name} 时出错：{os_words(error)}。若它正被 Excel 或浏览器打开，请关闭后重试")


def put_in_place(fresh: Path, target: Path) -> None:
    """Move the new files over the old ones; files of the earlier run that are no longer made go, others stay."""
    target.mkdir(exist_ok=True)
    earlier: set[str] = set()
    record = target / RECORD
    if record.is_file():
        try:
            earlier = set(json.loads(record.read_text("utf-8")).get("files", {}))
        except (ValueError, AttributeError):
            earlier = set()
    made = {p.relative_to(fresh).as_posix() for p in fresh.rglob("*") if p.is_file()}
    for name in sorted(made):
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.is_file() or place.read_bytes() != (fresh / name).read_bytes():
            os.replace(fresh / name, place)
    for name in sorted(earlier - made):
        stale = target / name
        if stale.is_file() and target.resolve() in stale.resolve().parents:
            stale.unlink()
