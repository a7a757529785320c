"""What was typed into 专栏1 of a workbook, written into the folder's own table of yearly figures."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ..core import LAYERS, SourceError, say
from ..district import Changes, District, Edit, LayerFile, district_folder, new_files, take_in
from .panel import row_of, typed_figures

COLUMNS = ("indicator", "year", "unit", "before", "after", "cell")


def take_figures(workbook: str | Path, folder: str | Path, *, by: str = "", apply: bool = True) -> pd.DataFrame:
    """
    Take the yearly figures that were typed into 专栏1 of a workbook into a district folder; `undo` takes them out again.

    Parameters
    ----------
    workbook
        规划目标落实核对表.xlsx as the ledger wrote it and somebody filled it in.
    folder
        A district folder. A table of yearly figures it does not carry yet is added and declared.
    by
        Who filled them in (`filled_by`); the sheet by default.
    apply
        Write. Without it nothing is written, and the figures are those that would be.

    Returns
    -------
    figures
        One row per figure: `indicator`, `year`, `unit`, `before` (missing where there was none), `after`, `cell` (workbook and
        cell). Empty where the folder has them all already.

    Raises
    ------
    SourceError
        No such workbook, or the folder is no district or the bundled one.
    DataError
        Cells that are no figures: file, cell, what is wrong and what to do. Nothing is written.
    EnvironmentProblem
        The workbook cannot be read, or the folder cannot be written.
    """
    source = Path(workbook)
    if not source.is_file():
        raise SourceError(say("没有这个工作簿：{0}；给核对表写出的 .xlsx", source.name))
    target = district_folder(folder, say("把它复制成自己的目录，再记进自己的目录"))

    def planned() -> tuple[pd.DataFrame, dict[str, bytes]]:
        district = District.load(target)
        figures = typed_figures(district, source, by=by)
        return _shown(figures), _files(target, district, figures, source.name) if len(figures) else {}

    return take_in(target, planned, "series", source.name, apply=apply)


def _files(folder: Path, district: District, figures: pd.DataFrame, source: str) -> dict[str, bytes]:
    """Return the new contents of the table, and of the manifest where it is new in it."""
    layer, entry = LAYERS["series"], district.manifest["layers"].get("series")
    old = district.rows.get("series", pd.DataFrame(columns=["indicator", "year", "value"]))
    edits = [
        Edit(row_of(old, str(f["indicator"]), int(f["year"])), {str(k): v for k, v in f.items()})
        for f in figures.drop(columns="was").to_dict("records")
    ]
    return new_files(LayerFile(folder, layer, entry, district.manifest), Changes(edits, set(), "official", source))


def _shown(figures: pd.DataFrame) -> pd.DataFrame:
    names = {"was": "before", "value": "after", "source": "cell"}
    return figures.rename(columns=names)[list(COLUMNS)]
