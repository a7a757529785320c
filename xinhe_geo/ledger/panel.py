"""
专栏1: the indicators with an attribute (约束性, 预期性) as a sheet, and the figures that people type into it.

Yellow cells are typed into; beside the sheet a hidden one keeps what the program wrote, so that a typed figure is told from
one that was only shown, whatever has become of `ledger/series.csv` since. What was typed counts in the next run and stays in
the sheet until `ledger --take` puts it into the folder.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..core import LAYERS, DataError, EnvironmentProblem, Problem, apart, back, check_rows, problems_table, say, word
from ..district import District
from ..io import check_workbook
from .ledger import promises, together
from .metrics.base import measure_rows

PANEL_SHEET, DRAFT_SHEET = "专栏1", "专栏1底稿"
#: Rows that are looked at: far more than there are indicators, and no more than a cell may say it stands in.
_MOST_ROWS = 20_000
#: The draft: commitment, column, and what the program wrote there.
DRAFT_COLUMNS = ("编号", "列", "数")
TARGET = "目标"
_YEAR = re.compile(r"(19|20|21)\d\d")


#: What is in a cell, and whether it is shown as a percentage.
Entry = tuple[Any, bool]
#: Sheets of a workbook, row by row.
Cells = Mapping[str, Sequence[Sequence[Entry]]]


class Typed(NamedTuple):
    """One cell of the sheet: where it stands, what is in it, and whether it is shown as a percentage."""

    cell: str
    code: str
    column: str
    value: Any
    percent: bool


# --- the sheet -------------------------------------------------------------------------------------------------------


def panel_sheet(district: District, table: pd.DataFrame) -> pd.DataFrame:
    """
    Return the sheet: typed-in figures by year, target, verdict, and what the map gives.

    Parameters
    ----------
    table
        Result of `ledger`.
    """
    own = table[((table["binding"] != "") & (table["role"] == "own")).to_numpy()]
    figures = _figures(district)
    figures = figures[figures["value"].notna().to_numpy()].drop_duplicates(["indicator", "year"], keep=False)
    typed = _rows_typed_into(district)
    asked = [m[end] for m in typed.values() for end in ("since", "until") if np.isfinite(m[end])]
    years = [int(y) for y in (*figures["year"], *asked)] or [district.year]
    rows = []
    for code, mine in own.groupby(level="commitment", sort=False):
        m = typed.get(str(code), _plain(str(code)))
        by_year = figures[(figures["indicator"] == m["series"]).to_numpy()].set_index("year")["value"]
        handed = figures[(figures["indicator"] == m["target_series"]).to_numpy()]["value"]
        targets = [*mine["target"].dropna(), *handed]
        first = mine.iloc[0]
        row: dict[str, object] = {
            "编号": code,
            "指标": first["quote"],
            "属性": word(first["binding"]),
            "单位": first["unit"],
        }
        row |= {str(year): float(by_year.get(year, math.nan)) for year in range(min(years), max(years) + 1)}
        blank: object = math.nan if m["target_series"] else str(promises(district).loc[code, "target"])
        row |= {TARGET: float(targets[-1]) if targets else blank}
        row |= {"判定": together(mine["verdict"]), "说明": say("；").join(mine["text"])}
        rows.append(row)
    return pd.DataFrame(rows) if rows else pd.DataFrame({"说明": [say("承诺表里没有写属性的指标")]})


def typed_into(district: District, sheet: pd.DataFrame) -> pd.DataFrame:
    """Return which cells of the sheet are typed into: years, and targets that are handed down. Same shape, true or false."""
    cells = pd.DataFrame(False, index=sheet.index, columns=sheet.columns)
    if "编号" not in sheet:
        return cells
    handed = {code for code, m in _rows_typed_into(district).items() if m["target_series"]}
    for column in sheet.columns:
        if _YEAR.fullmatch(str(column)):
            cells[column] = True
    cells[TARGET] = sheet["编号"].isin(handed)
    return cells


def draft_sheet(district: District, sheet: pd.DataFrame, typed: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return what the folder's own table says in the cells that are typed into, under `DRAFT_COLUMNS`; `typed` is not its own."""
    cells, known = typed_into(district, sheet), _rows_typed_into(district)
    was = {} if typed is None else {(r.indicator, r.year): r.was for r in typed.itertuples()}
    rows = []
    for i, column in itertools.product(range(len(sheet)), sheet.columns):
        if cells[column].iloc[i]:
            code = str(sheet["编号"].iloc[i])
            place = _place(str(column), known.get(code, _plain(code)))
            rows.append((code, str(column), was.get(place, sheet[column].iloc[i])))
    return pd.DataFrame(rows, columns=list(DRAFT_COLUMNS))


def _place(column: str, m: Mapping[str, Any]) -> tuple[str, int]:
    """Return the indicator and the year that a cell of the sheet is about."""
    if column == TARGET:
        return str(m["target_series"]), int(m["until"])
    return str(m["series"]), int(column)


def _figures(district: District) -> pd.DataFrame:
    return district.rows.get("series", pd.DataFrame(columns=["indicator", "year", "value"]))


def _rows_typed_into(district: District) -> dict[str, Mapping[str, Any]]:
    """Return, per commitment, the row of metric series that judges it; the first where there are several."""
    own = [m for m in measure_rows(district) if m["series"] and m["role"] == "own"]
    return {str(m["commitment"]): m for m in reversed(own)}


def _plain(code: str) -> Mapping[str, Any]:
    """Return what stands for a commitment that no row of metric series measures: figures under its own code."""
    return {"series": code, "target_series": "", "until": math.nan, "unit": ""}


# --- what was typed --------------------------------------------------------------------------------------------------


def typed_figures(district: District, path: Path, *, by: str = "", rows: Cells | None = None) -> pd.DataFrame:
    """
    Return the figures that were typed into 专栏1 of a workbook and that the folder's own table does not have.

    Parameters
    ----------
    path
        A workbook that `ledger_workbook` wrote; where there is none nothing was typed.
    by
        Who filled them in; the sheet by default.
    rows
        What `typed_rows` has read of the workbook, both sheets among it; by default it is read here.

    Returns
    -------
    figures
        Columns of the series table: `indicator`, `unit`, `year`, `value`, `source` (workbook and cell), `filled_by`; `was`, what
        the folder's own table says. A blank cell is no figure.

    Raises
    ------
    DataError
        Cells that are no figures, targets that are the plan's own, or a figure that was changed here and in the folder alike:
        all at once, with cell, what is wrong and what to do.
    EnvironmentProblem
        The file is there and cannot be read.
    """
    read = _read(path, rows)
    figures, problems = [], []
    if read is not None:
        cells, draft = read
        known = _known(district)
        for cell in cells:
            found = _judge(district, cell, draft, known)
            if isinstance(found, tuple):
                where = f"{cell.code} {cell.column}（{cell.cell}）"
                problems.append(Problem("error", "series", f"{path.name} {PANEL_SHEET}", cell.code, where, *found))
            elif found is not None:
                source = f"{path.name} {PANEL_SHEET}!{cell.cell}"
                figures.append({**found, "source": source, "filled_by": by or f"{PANEL_SHEET}工作表"})
    if problems:
        raise DataError(problems_table(problems), path.name)
    return pd.DataFrame(figures, columns=["indicator", "unit", "year", "value", "source", "filled_by", "was"])


def typed_rows(path: Path, *sheets: str) -> Cells:
    """
    Return the cells of some sheets, row by row, of a workbook that people typed into; a sheet that is not there is left out.

    Where there is no such file all are.

    Raises
    ------
    EnvironmentProblem
        It cannot be read.
    """
    if not path.is_file():
        return {}
    try:
        return apart(_typed_rows, path, sheets)
    except Exception as error:  # a damaged file fails in many ways; what was typed into it must not be lost
        raise EnvironmentProblem(
            say("读不出 {0} 里已填的{1}，没有覆盖它；请先另存或移走", path.name, sheets[0])
        ) from error


def _typed_rows(path: Path, sheets: Sequence[str]) -> dict[str, list[list[Entry]]]:
    import openpyxl

    check_workbook(path)
    found = {}
    with path.open("rb") as stream, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of decorations that are not read
        book = openpyxl.load_workbook(stream, read_only=True, data_only=True)
        for own in book.sheetnames:
            if back(own) in sheets:
                rows = book[own].iter_rows(max_row=_MOST_ROWS)
                found[back(own)] = [[(cell.value, "%" in str(cell.number_format)) for cell in row] for row in rows]
    return found


def _read(path: Path, rows: Cells | None) -> tuple[list[Typed], Mapping[tuple[str, str], float]] | None:
    """Return the filled cells of the sheet, and what the program wrote into them; None where nothing can be typed there."""
    found = typed_rows(path, PANEL_SHEET, DRAFT_SHEET) if rows is None else rows
    if not {PANEL_SHEET, DRAFT_SHEET} <= found.keys():
        return None
    cells = list(_cells(found[PANEL_SHEET]))
    said = [[value for value, _ in row] for row in found[DRAFT_SHEET] if row and row[0][0]]
    draft = {
        (str(r[0]), str(r[1])): math.nan if r[2] is None else float(r[2]) for r in said if r[1] != DRAFT_COLUMNS[1]
    }
    return cells, draft


def _cells(rows: Sequence[Sequence[Entry]]) -> Iterator[Typed]:
    """Yield the filled cells below years and targets."""
    from openpyxl.utils import get_column_letter

    heads: dict[int, str] = {}
    for number, row in enumerate(rows, 1):
        values = {at: entry for at, entry in enumerate(row, 1) if entry[0] is not None}
        if not heads:
            named = {at: back(str(value).strip()) for at, (value, _) in values.items()}
            heads = named if "编号" in named.values() else {}
            continue
        code = next((str(values[at][0]).strip() for at, head in heads.items() if head == "编号" and at in values), "")
        for at, (value, is_share) in values.items():
            head = heads.get(at, "")
            if code and (head == TARGET or _YEAR.fullmatch(head)):
                yield Typed(f"{get_column_letter(at)}{number}", code, head, value, is_share)


def _known(district: District) -> dict[str, Mapping[str, Any]]:
    """Return, per commitment with an attribute, where its figures go."""
    typed, own = _rows_typed_into(district), promises(district)
    codes = own.index[(own["binding"] != "").to_numpy()]
    return {str(code): typed.get(str(code), {**_plain(str(code)), "unit": own.loc[code, "unit"]}) for code in codes}


def _judge(
    district: District, cell: Typed, draft: Mapping[tuple[str, str], float], known: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any] | tuple[str, str] | None:
    """Return the figure that was typed into a cell, None where nothing was, or what is wrong and what to do about it."""
    written = draft.get((cell.code, cell.column), math.nan)
    asked = (cell.code, cell.column) in draft
    if cell.column == TARGET and not asked:
        return None  # the plan's own number, which is shown
    m = known.get(cell.code)
    if m is None:
        return say("承诺表里没有“{0}”这一条指标", cell.code), say("把数移到它现在的编号下，或清空这一格")
    value = _number(cell, str(m["unit"]))
    if isinstance(value, tuple):
        return value
    if _same(value, written):
        return None
    indicator, year = _place(cell.column, m)
    now = _figure_of(district, indicator, year)
    if _same(value, now):
        return None
    if not _same(now, written):
        return say("这里填 {0:g}，台账填报表里已改成 {1:g}", value, now), say("两处留同一个数")
    return {"indicator": indicator, "unit": str(m["unit"]), "year": year, "value": value, "was": now}


def _number(cell: Typed, unit: str) -> float | tuple[str, str]:
    """Return a typed cell as a number in the unit of its row, or why it is none and what to do."""
    value = cell.value
    try:
        number = math.nan if isinstance(value, bool | datetime | date) else float(str(value).replace(",", "").strip())
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        unit_text = say("（单位：{0}）", word(unit)) if unit else ""
        return say("“{0}”不是数", value), say("这一格只写数{0}；不知道就留空", unit_text)
    if cell.percent and unit != "%":
        counted = word(unit) if unit else say("个数")
        return say("“{0:.4g}”写成了百分数，这一行的单位是{1}", number, counted), say("改成常规格式的数")
    return round(number * 100, 10) if cell.percent else number


def _same(a: float, b: float) -> bool:
    return (math.isnan(a) and math.isnan(b)) or math.isclose(a, b, rel_tol=1e-12, abs_tol=1e-12)


def _figure_of(district: District, indicator: str, year: int) -> float:
    """Return what the folder's table says; missing where it says nothing."""
    table = _figures(district)
    own = table[
        ((table["indicator"] == indicator) & (table["year"] == year) & table["value"].notna()).to_numpy(dtype=bool)
    ]
    return float(own["value"].iloc[0]) if len(own) else math.nan


# --- taking them into account ----------------------------------------------------------------------------------------


def with_typed(district: District, path: Path) -> tuple[District, pd.DataFrame]:
    """Return the district with what was typed into 专栏1 of an earlier workbook, and those figures; raises as `typed_figures`."""
    figures = typed_figures(district, path)
    return counting(district, figures), figures


def counting(district: District, figures: pd.DataFrame) -> District:
    """
    Return the district with figures typed into 专栏1 (`typed_figures`): itself where there are none.

    They count as if they stood in the folder's own table, and the record of files says where they come from.
    """
    if figures.empty:
        return district
    layer, old = LAYERS["series"], district.rows.get("series")
    text = pd.DataFrame(columns=list(layer.names)) if old is None else old.reset_index()[list(layer.names)]
    text = text.astype("object").where(text.notna(), None)
    for figure in figures.drop(columns="was").to_dict("records"):
        at = row_of(text, str(figure["indicator"]), int(figure["year"]))
        if at is None:
            at = len(text)
            text.loc[at, "row"] = f"{PANEL_SHEET} {figure['indicator']} {figure['year']}"
        text.loc[at, list(figure)] = list(figure.values())
    frame, problems = check_rows(layer, text, "")
    assert not problems, problems  # the figures were judged one by one
    files, had = district.files.copy(), "series" in district.files.index
    file, digest = (str(files.at["series", c]) if had else "" for c in ("file", "sha256"))
    both = hashlib.sha256(digest.encode() + figures.to_csv(index=False).encode()).hexdigest()
    files.loc["series", ["file", "from", "sha256"]] = [f"{file}＋{PANEL_SHEET}工作表".lstrip("＋"), "本目录", both]
    return replace(district.with_rows({**district.rows, "series": frame}), files=files)


def row_of(table: pd.DataFrame, indicator: str, year: int) -> int | None:
    """Return the position of the row that a figure belongs to: a filled one of its year before a blank one."""
    same = (table["indicator"].astype(str) == indicator) & (table["year"].astype(str) == str(year))
    own = [int(i) for i in np.flatnonzero(same.to_numpy())]
    return min(own, key=lambda i: (bool(pd.isna(table["value"].iloc[i])), i), default=None)
