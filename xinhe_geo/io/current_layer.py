"""A layer as it stands in its folder: what a file is held against before anything of it is taken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pyproj

from ..core import (
    SECURED,
    DataError,
    Layer,
    Problem,
    SourceError,
    as_text,
    crs_of,
    guarded_problems,
    problems_table,
    say,
)
from ..district import MANIFEST, district_folder, read_folder


@dataclass(frozen=True)
class CurrentLayer:
    """A layer as it is, and the rest of its folder."""

    layer: Layer
    rows: pd.DataFrame  # none where the folder does not have the layer yet
    tables: Mapping[str, pd.DataFrame]  # the rows of every layer that is there
    manifest: Mapping[str, Any]
    metric: pyproj.CRS

    @property
    def entry(self) -> Mapping[str, Any] | None:
        """Return what the manifest says of the layer; None where it does not declare it."""
        entry: Mapping[str, Any] | None = self.manifest["layers"].get(self.layer.name)
        return entry

    @property
    def kinds(self) -> dict[str, str]:
        """Return the folder's kinds of facility and their labels."""
        return dict(self.tables["kinds"]["label"]) if "kinds" in self.tables else {}

    def ids(self) -> list[str]:
        """Return what each row is known by: its key; in a table whose key nobody has to fill in, what tells its rows apart."""
        if not self.layer.told_by:
            return [str(k) for k in self.rows.index]
        told = (self.rows[c] for c in self.layer.told_by)
        return [row_mark(self.layer, cells) for cells in zip(*told, strict=True)]


#: What a blank stands for among the cells that tell rows apart; elsewhere it says something of its own (of all holders, of every year).
_BLANK = {"state": SECURED}


def row_mark(layer: Layer, cells: Iterable[object]) -> str:
    """Return what a row without a number of its own is known by: the cells of the columns that tell its rows apart."""
    return "|".join(
        as_text(cell) or _BLANK.get(name, "") for name, cell in zip(layer.told_by, cells, strict=True)
    ).rstrip("|")


def read_current(folder: Path, layer: Layer) -> CurrentLayer:
    """Read a folder for a layer that a file is added to; what is wrong elsewhere in it does not matter here."""
    manifest, tables, _, problems = read_folder(district_folder(folder))
    stops = [p for p in problems if p.severity == "error" and _matters(p, layer)]
    if stops:
        raise DataError(problems_table(guarded_problems(stops, manifest)), folder.name)
    try:
        metric = crs_of(manifest["crs"])
    except (KeyError, pyproj.exceptions.CRSError) as error:
        raise SourceError(say('{0} 的 {1} 没有写能用的坐标系。写 crs = "EPSG:…"', folder.name, MANIFEST)) from error
    rows = tables[layer.name] if layer.name in tables else _no_rows(layer, metric)
    return CurrentLayer(layer, rows, tables, manifest, metric)


def _matters(problem: Problem, layer: Layer) -> bool:
    return (
        problem.layer == layer.name
        or problem.field.startswith(f"layers.{layer.name}.")
        or (problem.layer == "district.toml" and problem.field in ("", "crs", "schema"))
    )


def _no_rows(layer: Layer, metric: pyproj.CRS) -> pd.DataFrame:
    frame = pd.DataFrame({c.name: [] for c in layer.names.values()}, dtype="object")
    if layer.geometry is not None:
        frame = gpd.GeoDataFrame(frame, geometry=[], crs=metric)
    return frame.set_index(layer.key)
