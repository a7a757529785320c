"""The new contents of a district's files, judged in a copy of the folder before anything is written."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import tempfile
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pyproj
import shapely

from ..core import (
    DataError,
    EnvironmentProblem,
    Layer,
    Problem,
    SourceError,
    apart,
    between,
    crs_of,
    full_disk,
    is_full,
    layers_in,
    opened,
    problems_table,
    read_layer,
    read_whole,
    say,
    write_bytes,
)
from .journal import HISTORY, MANIFEST, SEAL, commit, finish, locked, within
from .reader import read_folder

LONLAT = "EPSG:4326"
#: Halves of a sign, which JSON may name and UTF-8 cannot hold: they stay as they were named.
_HALVES = re.compile("[\ud800-\udfff]")


@dataclass
class Edit:
    """One row to write: where it stands in the old file (None: new), its changed cells, its new shape."""

    at: int | None
    cells: dict[str, Any]
    shape: shapely.Geometry | None = None


def is_missing(value: object) -> bool:
    """Whether a typed cell holds nothing."""
    return bool(pd.isna(value))


@dataclass(frozen=True)
class LayerFile:
    """A layer of a folder and what the folder's manifest says of it (`entry`, None: nothing yet)."""

    folder: Path
    layer: Layer
    entry: Mapping[str, Any] | None
    manifest: Mapping[str, Any]


@dataclass(frozen=True)
class Changes:
    """What is done to the file of a layer: rows to write, rows to take out, and what the new ones rest on."""

    edits: Sequence[Edit]
    gone: set[int]
    basis: str
    source: str


def new_files(target: LayerFile, changes: Changes) -> dict[str, bytes]:
    """Return the new contents of the layer's file, and of the manifest where the layer is new in it; manifest last."""
    folder, layer, manifest = target.folder, target.layer, target.manifest
    entry, files = target.entry, dict[str, bytes]()
    if entry is None:
        suffix = "csv" if layer.geometry is None else "geojson"
        file = f"{layer.folder}/{layer.name}.{suffix}"
        if (folder / file).exists():
            raise SourceError(
                say("{0} 里已有没有声明的文件 {1}。先在 {2} 里声明它，或把它移走", folder.name, file, MANIFEST)
            )
        entry = {"file": file}
        if layer.geometry is not None:
            entry |= {"crs": LONLAT, "basis": changes.basis}
        entry |= {"source": changes.source, "licence": "内部资料", "secrecy": str(manifest.get("secrecy", "internal"))}
        table = "".join(f"{k} = {json.dumps(v, ensure_ascii=False)}\n" for k, v in entry.items())
        before = _no_longer_without(read_whole(folder / MANIFEST, folder), layer.name, manifest)
        text = before + (b"" if before.endswith(b"\n") else b"\n") + f"\n[layers.{layer.name}]\n{table}".encode()
        try:
            tomllib.loads(text.decode("utf-8-sig"))
        except tomllib.TOMLDecodeError as error:
            raise SourceError(
                say("{0} 里加不进 [layers.{1}]（{2}）。手工声明这个图层，再导入", MANIFEST, layer.name, error)
            ) from error
        files[MANIFEST] = text
    file = str(entry["file"])
    path = folder / file
    writers = {".geojson": _geojson_bytes, ".json": _geojson_bytes, ".gpkg": _geopackage_bytes, ".csv": _csv_bytes}
    writer = writers.get(path.suffix.lower())
    if writer is None:
        raise SourceError(say("{0}：这种格式只能读，不能改。在 QGIS 里另存为 GeoPackage，并改 {1}", file, MANIFEST))
    if layer.geometry is not None:
        metric = crs_of(manifest["crs"])
        _bring(changes.edits, metric, crs_of(entry["crs"]))
    return {file: writer(path, target, changes, entry), **files}


def _no_longer_without(text: bytes, layer: str, manifest: Mapping[str, Any]) -> bytes:
    """Return a manifest that does not say any more that walks are counted without a layer which now comes in."""
    listed = list(manifest.get("without", ()))
    if layer not in listed:
        return text
    kept = json.dumps([name for name in listed if name != layer])
    return re.sub(rb"(?ms)^without\s*=\s*\[.*?\]", f"without = {kept}".encode(), text, count=1)


def _bring(edits: Sequence[Edit], metric: pyproj.CRS, crs: pyproj.CRS) -> None:
    """Bring new shapes into the CRS of the layer's file; a hundredth of a millimetre is enough for anything."""
    move = between(metric, crs)
    digits = 9 if crs.is_geographic else 4
    for edit in edits:
        if edit.shape is not None:
            edit.shape = shapely.transform(
                edit.shape, lambda xy: np.round(np.column_stack(move.transform(xy[:, 0], xy[:, 1])), digits)
            )


def _json_value(value: object) -> str | float:
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return int(value) if float(value).is_integer() else float(value)
    return str(value)


def _geojson_bytes(path: Path, target: LayerFile, changes: Changes, _entry: Mapping[str, Any]) -> bytes:
    """Return the collection with the edits in it: untouched features, and members of the collection, stay as they are."""
    whole: dict[str, Any] = {"type": "FeatureCollection", "name": target.layer.name, "features": []}
    if path.is_file():
        whole = json.loads(read_whole(path, target.folder).decode("utf-8-sig"))
    features = list(whole["features"])
    for edit in changes.edits:
        cells = {k: _json_value(v) for k, v in edit.cells.items()}
        shape = None if edit.shape is None else json.loads(shapely.to_geojson(edit.shape))
        if edit.at is None:
            features.append({"type": "Feature", "properties": cells, "geometry": shape})
            continue
        feature = {**features[edit.at]}
        feature["properties"] = {**(feature.get("properties") or {}), **cells}
        if shape is not None:
            feature["geometry"] = shape
        features[edit.at] = feature
    kept = [f for i, f in enumerate(features) if i not in changes.gone]
    head = json.dumps({k: v for k, v in whole.items() if k != "features"}, ensure_ascii=False)[:-1]
    lines = ",\n".join(json.dumps(f, ensure_ascii=False, separators=(",", ":")) for f in kept)
    text = f'{head}, "features": [\n{lines}\n]}}\n'
    return _HALVES.sub(lambda half: f"\\u{ord(half[0]):04x}", text).encode()


def _with_edits(frame: pd.DataFrame, edits: Sequence[Edit], gone: set[int], names: Sequence[str]) -> pd.DataFrame:
    """Return a frame with changed cells, added rows and without the gone ones; columns as they were, new ones last."""
    columns: dict[str, list[Any]] = {c: frame[c].astype("object").tolist() for c in frame.columns}
    for name in dict.fromkeys(n for e in edits for n in e.cells):
        columns.setdefault(name, [None] * len(frame))
    for edit in edits:
        if edit.at is None:
            for name, values in columns.items():
                values.append(edit.shape if name == "geometry" else edit.cells.get(name))
        else:
            for name, value in edit.cells.items():
                columns[name][edit.at] = value
            if edit.shape is not None:
                columns["geometry"][edit.at] = edit.shape
    kept = [i for i in range(len(frame) + sum(e.at is None for e in edits)) if i not in gone]
    order = [*frame.columns, *(n for n in names if n in columns and n not in frame.columns)]
    return pd.DataFrame({c: pd.Series([columns[c][i] for i in kept], dtype="object") for c in order})


def _geopackage_bytes(path: Path, target: LayerFile, changes: Changes, entry: Mapping[str, Any]) -> bytes:
    layer = target.layer
    raw = read_layer(path, target.folder)
    if raw.geometry.name != "geometry":
        raw = raw.rename_geometry("geometry")
    frame = _with_edits(pd.DataFrame(raw), changes.edits, changes.gone, list(layer.names))
    for column in frame.columns:
        if column == "geometry":
            continue
        declared = layer.names.get(column)
        kind = {"int": "Int64", "year": "Int64", "float": "float64"}.get(declared.type if declared else "", "")
        old = raw[column].dtype if column in raw.columns else None
        if kind:
            frame[column] = pd.to_numeric(frame[column], errors="coerce").astype(kind)
        elif old is not None and not frame[column].isna().any():
            frame[column] = frame[column].astype(old)
    shaped = gpd.GeoDataFrame(frame, geometry="geometry", crs=entry["crs"])
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place) / path.name
        _copy(target.folder, path, copy)
        name = layers_in(copy)[0][0]
        before = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
        # A GeoPackage stores when it was written: a fixed date instead, so that same inputs give same bytes.
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": "2020-01-01T00:00:00.000Z"})
        try:
            pyogrio.write_dataframe(shaped, copy, driver="GPKG", layer=name)
        finally:
            pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": before})
        return copy.read_bytes()


def _read_csv(path: Path) -> pd.DataFrame:
    with opened(path) as stream:
        return pd.read_csv(stream, dtype="str", encoding="utf-8-sig", keep_default_na=False, na_values=[""])


def _csv_bytes(path: Path, target: LayerFile, changes: Changes, _entry: Mapping[str, Any]) -> bytes:
    layer = target.layer
    columns = [c.name for c in layer.columns if c.name != layer.key or c.required]
    raw = (
        apart(_read_csv, path, folder=target.folder)
        if path.is_file()
        else pd.DataFrame(columns=columns, dtype="object")
    )
    plain = [
        Edit(e.at, {k: None if is_missing(v) else str(_json_value(v)) for k, v in e.cells.items()})
        for e in changes.edits
    ]
    table = _with_edits(raw, plain, changes.gone, list(layer.names))
    return table.to_csv(index=False, lineterminator="\n").encode("utf-8-sig")


def _where(problem: Problem) -> tuple[str, ...]:
    """Return a problem without its words: a driver's words name the folder it read from."""
    return problem.layer, problem.file, problem.row, problem.field, problem.remedy


def _left_behind(place: str, names: list[str]) -> set[str]:
    """Return what is not copied: the history, outputs, and what is neither file nor folder nor link."""
    strange = [n for n in names if not (p := Path(place, n)).is_symlink() and not (p.is_file() or p.is_dir())]
    return {HISTORY, SEAL, "output", ".git"} & set(names) | set(strange)


def _copy(folder: Path, source: str | Path, to: str | Path) -> None:
    """Copy a file of a folder, and nothing that has taken its place since."""
    with opened(Path(source), folder) as content, open(to, "xb") as copy:
        shutil.copyfileobj(content, copy)


def check_copy(folder: Path, files: Mapping[str, bytes]) -> list[Problem]:
    """Judge a copy of the folder with the new files in it: anything wrong that was not wrong before stops the import; return what is odd."""
    before = {_where(p) for p in read_folder(folder)[3]}
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place) / (folder.name or "district")
        try:
            shutil.copytree(folder, copy, symlinks=True, ignore=_left_behind, copy_function=partial(_copy, folder))
        except OSError as error:  # of several files at once, too
            if is_full(error) or os.strerror(errno.ENOSPC) in str(error):
                need = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file() and HISTORY not in p.parts)
                raise full_disk(say("检查用的副本"), Path(place), need) from error
            raise EnvironmentProblem(say("{0} 复制不出来检查。检查临时文件夹的磁盘空间和权限", folder.name)) from error
        for name, content in files.items():
            write_bytes(within(copy, name), content)
        after = [p for p in read_folder(copy)[3] if _where(p) not in before]
    if wrong := [p for p in after if p.severity == "error"]:
        raise DataError(problems_table(wrong), folder.name)
    return after


Planned = tuple[pd.DataFrame, Mapping[str, bytes]]


def take_in(folder: Path, planned: Callable[[], Planned], layer: str, source: str, *, apply: bool) -> pd.DataFrame:
    """Return what `planned` would change; with `apply` its files are written, under the folder's lock, once a copy is judged."""
    if not apply:
        return planned()[0]
    with locked(folder):
        finish(folder)
        changes, files = planned()
        if files:
            check_copy(folder, files)
            commit(folder, files, layer, source)
    return changes
