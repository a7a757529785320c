"""What a folder does not know yet, on a sheet to fill in: a row for each facility and home with a blank; `add` reads it back."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ..core import LAYERS, RESIDENT, Layer, SourceError, amount, at_year, refuse_uncleared, say, write_bytes
from ..district import column_name, secrecy_of
from .answer_book import Questions, answer_book
from .cells import head_of, printable, value_labels
from .current_layer import CurrentLayer, read_current

#: What is asked of the rows of a layer; the rest of a line says which row it is.
_ASKED = {
    "facilities": ("state", "serves_community", "floor_area_m2", "capacity", "capacity_unit"),
    "homes": ("households", "people", "people_60plus", "people_kind", "people_year"),
}
_KNOWN = {"facilities": ("kind",), "homes": ()}
#: What a blank cell stands for where a blank has a meaning: nobody is asked for it by itself, but it can be changed.
_USUAL = {"state": "open", "people_kind": RESIDENT}
_REMARKS = (
    "一行是目录里的一处，黄色的列填得出来就填；不知道的空着，不要写 0，空着的格子不改动已有的值。",
    "状态空着算开放，人口口径空着算常住。服务社区可以写几个，用 ; 隔开；写了就按它判有没有，不看位置。",
    "编号一列不要改：填好以后用 add 导入，一张工作表一次（--layer facilities、--layer homes），按编号认出每一处。",
)


def blanks(path: str | Path, folder: str | Path) -> dict[str, int]:
    """
    Write a workbook of what a folder does not know of its facilities and homes.

    Parameters
    ----------
    path
        The .xlsx to write; an earlier one is replaced.
    folder
        A district folder.

    Returns
    -------
    counts
        By column ("facilities.floor_area_m2"): how many rows of the data's year have no value there.

    Raises
    ------
    SourceError
        Not an .xlsx name, or no district folder.
    DataError
        A layer cannot be read.
    EnvironmentProblem
        The file cannot be written.
    """
    target = Path(path)
    if target.suffix.lower() != ".xlsx":
        raise SourceError(say("{0}：待填表是 Excel 工作簿，文件名要以 .xlsx 结尾", target.name))
    refuse_uncleared(secrecy_of(Path(folder)), "写出待填表")
    sheets, counts = [], dict[str, int]()
    for name, columns in _ASKED.items():
        current = read_current(Path(folder), LAYERS[name])
        year = int(current.manifest.get("data_year") or 0)
        alive = at_year(LAYERS[name], current.rows, year)
        empty = {c: alive[c].isna() for c in columns if c not in _USUAL and c != "capacity_unit"}
        counts |= {f"{name}.{c}": int(missing.sum()) for c, missing in empty.items()}
        some = alive[pd.DataFrame(empty).any(axis=1).to_numpy()]
        sheets.append(_sheet(LAYERS[name], some, current))
    said = [say("{0}：{1} 处没有", column_name(*n.split(".")), amount(k)) for n, k in counts.items()]
    write_bytes(target, answer_book(say("待填表"), (*said, *map(say, _REMARKS)), sheets))
    return counts


def _sheet(layer: Layer, rows: pd.DataFrame, current: CurrentLayer) -> Questions:
    known = [layer.key, "name", *(["since"] if rows.index.has_duplicates else []), *_KNOWN[layer.name]]
    columns = [layer.names[c] for c in (*known, *_ASKED[layer.name])]
    table = rows.reset_index()
    communities = current.tables.get("communities")
    choices = {head_of(c): list(value_labels(c).values()) for c in columns if value_labels(c)}
    if communities is not None and layer.name == "facilities":
        choices[head_of(layer.names["serves_community"])] = communities["name"].dropna().astype(str).tolist()
    words = {c.name: {**value_labels(c), **(current.kinds if c.name == "kind" else {})} for c in columns}
    lines = [
        [
            None if pd.isna(value) else words[c.name].get(str(value), _plain(value))
            for c, value in zip(columns, row, strict=True)
        ]
        for row in table[[c.name for c in columns]].itertuples(index=False, name=None)
    ]
    asked = [head_of(layer.names[c]) for c in _ASKED[layer.name]]
    return Questions(layer.label, [head_of(c) for c in columns], lines, asked, choices)


def _plain(value: object) -> object:
    return value if isinstance(value, int | float) else printable(value)
