"""A worksheet of XlsxWriter that takes whole columns: the same bytes as cell by cell, several times sooner."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import pandas as pd
from xlsxwriter.format import Format
from xlsxwriter.utility import xl_col_to_name
from xlsxwriter.worksheet import Worksheet

#: Longer texts may exceed what a cell holds, which XlsxWriter sees to itself.
LONG = 16_000

_letters = cache(xl_col_to_name)


class QuickSheet(Worksheet):  # type: ignore[misc]
    """
    A worksheet for large tables; all else is XlsxWriter's own.

    XlsxWriter checks, converts and escapes each cell by itself, which is most of what a workbook costs. It keeps cells in
    `table` and writes each with `_write_cell`; a test holds both to the bytes that it writes itself. Cells of columns are
    kept as (number, style), and texts as what is written of them.
    """

    def put_column(self, first: int, column: int, values: Sequence[Any], style: Format) -> None:
        """Write texts plainly and finite numbers in `style`, one below the other from row `first`; other cells stay empty."""
        number_of, rows, last = self.str_table._get_shared_string_index, self.table, -1
        for row, value in enumerate(values, first):
            if isinstance(value, str):
                if len(value) > LONG:
                    self.write_string(row, column, value)
                else:
                    rows[row][column] = f' t="s"><v>{number_of(value)}</v></c>'
            elif value is not None and value is not pd.NA and math.isfinite(value):
                rows[row][column] = (float(value), style)
            else:
                continue
            last = row
        if last >= 0:
            self._check_dimensions(first, column)
            self._check_dimensions(last, column)

    def _write_cell(self, row: int, col: int, cell: object) -> None:
        if type(cell) is str:
            self.fh.write(f'<c r="{_letters(col)}{row + 1}"{cell}')
        elif type(cell) is tuple:
            number, style = cell
            self.fh.write(f'<c r="{_letters(col)}{row + 1}" s="{style._get_xf_index()}"><v>{number:.16G}</v></c>')
        else:
            super()._write_cell(row, col, cell)
