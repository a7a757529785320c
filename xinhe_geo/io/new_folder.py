"""A new district folder: written beside its target, read back through the district's own door, sealed and swapped in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pyogrio

from ..core import (
    LAYERS,
    DataError,
    SourceError,
    XinheError,
    cannot_write,
    crs_text,
    csv_text,
    say,
    write_bytes,
    write_text,
)
from ..district import MANIFEST, District, beside, exchange, put_back
from .import_log import ImportLog, some
from .tag_rules import read_csv

#: More features than this go to a GeoPackage, fewer to a GeoJSON that a text editor can open.
MANY = 2_000


@dataclass(frozen=True)
class NewFolder:
    """What a new district folder is made of."""

    head: Mapping[str, object]  # the first part of the manifest
    layers: Mapping[str, gpd.GeoDataFrame]
    entries: Mapping[str, Mapping[str, object]]  # where each layer comes from, for the manifest
    day: str  # of the data, YYYY-MM-DD
    walk_filter: str | Path | None = None  # files used in place of the bundled ones, to be kept with the rest
    osm_tags: str | Path | None = None


def write_folder(target: Path, new: NewFolder, log: ImportLog) -> None:
    """Write everything beside the target, read it back through the district's own door, and swap it in."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with beside(target) as fresh:
            _fill(fresh, new)
            try:
                District.load(fresh)
            except DataError as error:
                raise SourceError(say("导入的数据没有通过检查：{0}", error)) from error
            seal(fresh, log.frame())
            exchange(fresh, target)
    except (OSError, pyogrio.errors.DataSourceError) as error:
        if isinstance(error, XinheError):
            raise
        raise cannot_write(target.name, error) from error


def _fill(fresh: Path, new: NewFolder) -> None:
    full: dict[str, dict[str, object]] = {}
    for layer, frame in new.layers.items():
        file, crs = _write_layer(fresh, layer, frame, new.day)
        full[layer] = {"file": file, "crs": crs, **new.entries[layer]}
    if new.osm_tags is not None:
        file = f"{LAYERS['osm_tags'].folder}/osm_tags.csv"
        write_bytes(fresh / file, Path(new.osm_tags).read_bytes())
        full["osm_tags"] = {"file": file}
    if new.walk_filter is not None:
        write_bytes(fresh / LAYERS["streets"].folder / "walk_filter.toml", Path(new.walk_filter).read_bytes())
    write_manifest(fresh, new.head, full)


def _write_layer(folder: Path, name: str, frame: gpd.GeoDataFrame, day: str) -> tuple[str, str]:
    """
    Write one layer and return its file name (relative) and CRS.

    Streets and everything with many rows go to a GeoPackage (opens fast, QGIS edits it); the rest to GeoJSON.
    """
    many = name == "streets" or len(frame) > MANY
    file = f"{LAYERS[name].folder}/{name}.{'gpkg' if many else 'geojson'}"
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    if not many:
        # OSM keeps seven decimals (a centimetre): more would be noise, and fewer would move shared corners apart.
        pyogrio.write_dataframe(frame, path, driver="GeoJSON", layer=name, COORDINATE_PRECISION=7, WRITE_NAME="YES")
        return file, crs_text(frame.crs)
    before = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
    # A GeoPackage stores when it was written: the date of the data instead, so that same inputs give same bytes.
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": f"{day}T00:00:00.000Z"})
    try:
        pyogrio.write_dataframe(frame, path, driver="GPKG", layer=name)
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": before})
    return file, crs_text(frame.crs)


def _toml(value: object) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_toml(v) for v in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(v)}" for key, v in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


def write_manifest(folder: Path, head: Mapping[str, object], layers: Mapping[str, Mapping[str, object]]) -> None:
    """Write the manifest of a folder that a tool makes: what it says of the district, then of each layer."""
    lines = [f"{key} = {_toml(value)}" for key, value in head.items()]
    for name, entry in layers.items():
        lines += ["", f"[layers.{name}]", *(f"{key} = {_toml(value)}" for key, value in entry.items())]
    write_text(folder / MANIFEST, "\n".join(lines) + "\n")


def seal(folder: Path, report: pd.DataFrame) -> None:
    """Write the report, and the hash of every file: a later import sees by it what a person has changed since."""
    inner = folder / "import"
    write_text(inner / "report.csv", csv_text(report), mark=True)
    hashes = [(f.relative_to(folder).as_posix(), _sha256(f)) for f in sorted(folder.rglob("*")) if f.is_file()]
    table = pd.DataFrame(hashes, columns=["file", "sha256"])
    write_text(inner / "files.csv", table.to_csv(index=False, lineterminator="\n"), mark=True)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def may_write(target: Path, overwrite: bool, tell: Callable[[str], object]) -> None:
    """Refuse a target that holds anything but an earlier import, untouched since; one a killed import put aside is put back."""
    if put_back(target):
        tell(say("上次导入中途断了；原来的 {0} 已恢复", target.name))
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    if not target.is_dir():
        raise SourceError(say("{0} 已经有这个文件。换一个文件夹名", target.name))
    seal = target / "import" / "files.csv"
    if not seal.is_file():
        raise SourceError(
            say("文件夹 {0} 不是空的，也不是以前导入的结果。换一个文件夹，以免盖掉里面的东西", target.name)
        )
    if not overwrite:
        raise SourceError(
            say(
                "文件夹 {0} 里已有以前导入的结果。要重新导入就加 --overwrite（overwrite=True），或换一个文件夹",
                target.name,
            )
        )
    known = read_csv(seal).set_index("file")["sha256"].to_dict()
    mine = {"import/files.csv"}
    changed = [
        name
        for name in sorted(f.relative_to(target).as_posix() for f in target.rglob("*") if f.is_file())
        if name not in mine and known.get(name) != _sha256(target / name)
    ]
    if changed:
        raise SourceError(
            say("文件夹 {0} 导入以后又改过：{1}。先把这些文件移走，或导入到另一个文件夹", target.name, some(changed))
        )
