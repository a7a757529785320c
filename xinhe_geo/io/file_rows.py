"""The rows of a file on their way into a layer: their cells, column by column, and why some of them are not taken."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import pandas as pd

from ..core import Column, Layer, SourceError, UnknownNameError, say, word
from ..district import bare_name, plain_name
from .cells import (
    PRIVATE_VALUE,
    WIDE,
    Cell,
    cell_text,
    is_failed,
    is_no_number,
    is_rough,
    is_serial,
    like_formula,
    printable,
    unit_factor,
    value_labels,
    why_hostile,
)
from .headers import SIZES, column_word, header_words, meanings, plain_header
from .incoming import Incoming
from .row_report import RowReport, Where


class Refusal(NamedTuple):
    """Why a row is not taken: the column and what stands in it, what is wrong with it, and what to do."""

    column: str
    value: object
    reason: str
    remedy: str


class Unclear(NamedTuple):
    """Why nobody can say whether a row is there already, and the rows of the layer (by position) that it could be."""

    why: Refusal
    could_be: list[int]


@dataclass
class FileRows:
    """The rows of a file that is added to a layer, as far as they are understood."""

    layer: Layer
    incoming: Incoming
    report: RowReport
    columns: Mapping[str, int]  # which column of the file means what; those of positions begin with @
    cells: dict[str, list[Cell]] = field(default_factory=dict)  # of the layer's columns that the file has
    refused: dict[int, list[Refusal]] = field(default_factory=dict)  # by position in the file, as are the next three
    unclear: dict[int, Unclear] = field(default_factory=dict)  # not written until somebody says what they are
    left: dict[int, list[int]] = field(default_factory=dict)  # somebody leaves them out; the rows they are like
    foreign: dict[int, str] = field(default_factory=dict)  # what does not belong into the layer, and why
    known: dict[int, str] = field(default_factory=dict)  # there under another id: how that is known

    def __len__(self) -> int:
        return len(self.incoming.rows)

    @property
    def file(self) -> str:
        """Return the file's name as messages may print it."""
        return printable(self.incoming.file)

    @property
    def lines(self) -> list[int]:
        """Return the line of the file each row stands on."""
        return self.incoming.lines

    def column(self, name: str) -> list[Cell]:
        """Return the cells of a column; blank where the file does not have it."""
        return self.cells.get(name, [None] * len(self))

    def column_cell(self, name: str, i: int) -> Cell:
        """Return one cell; blank where the file does not have the column."""
        cells = self.cells.get(name)
        return None if cells is None else cells[i]

    def where(self, i: int, column: str = "", value: object = "") -> Where:
        """Return where a row stands, for the report."""
        return Where(self.lines[i], column=column, value=value)

    def refuse(self, i: int, why: Refusal) -> None:
        """Say why a row is not taken; one row may have several reasons. What is asked of a cell anyway is no reason."""
        if i in self.foreign or (i in self.unclear and self.unclear[i].why.column == why.column):
            return
        self.refused.setdefault(i, []).append(why)


def rows_of(incoming: Incoming, layer: Layer, kinds: Mapping[str, str], key: str | None, report: RowReport) -> FileRows:
    """
    Read the cells of a file column by column, as the check of a layer's rows expects them.

    Parameters
    ----------
    incoming
        The file.
    layer
        Where its rows are to go.
    kinds
        Kinds of facility and their labels.
    key
        Head of the column that identifies a row; None for the layer's own key in any of its spellings.
    report
        Takes what is left out.

    Returns
    -------
    rows
        Rows with a cell that nobody types (formulas, markup, control characters) are refused.
    """
    rows = FileRows(layer, incoming, report, meanings(incoming, layer, key, report))
    for name, j in rows.columns.items():
        if name.startswith("@"):
            continue
        column, head = layer.names[name], incoming.heads[j]
        factor = unit_factor(head, column)
        if factor != 1:
            said = say("按表头的单位换算：乘以 {0:,.6g}，存为{1}", factor, word(column.unit))
            report.say("note", said, at=Where(column=printable(head)))
        codes = codes_of(column, kinds)
        values = [cell_text(column, row[j], codes, factor) for row in incoming.rows]
        if column.type in ("int", "float", "year"):
            _say_of_numbers(column, [row[j] for row in incoming.rows], values, rows)
        rows.cells[name] = [_accepted(value, i, column, rows) for i, value in enumerate(values)]
    if "capacity" in rows.columns and "capacity_unit" not in rows.columns:
        head = plain_header(incoming.heads[rows.columns["capacity"]])
        unit = next((unit for word, unit in SIZES.items() if word in head), None)
        if unit is not None:
            rows.cells["capacity_unit"] = [None if v is None else unit for v in rows.cells["capacity"]]
    return rows


def name_codes(rows: FileRows, tables: Mapping[str, pd.DataFrame]) -> None:
    """Put codes where the file calls rows of another layer by words that only one has; several of them are parted by `;`."""
    for name in list(rows.cells):
        column = rows.layer.names[name]
        known = tables.get(column.parent[0]) if column.parent else None
        if known is None or column.parent == ("kinds", "kind") or not {"name", "label"} & set(known.columns):
            continue
        ends = ("社区", "居委会") if column.parent == ("communities", "community") else ()
        codes = _codes_by_name(known, ends)
        cells = rows.cells[name]
        for i, value in enumerate(cells):
            if value is not None:
                parts = re.split("[;；、,，/]", str(value)) if column.several else [str(value)]
                words = [part.strip() for part in parts if part.strip()]
                bare = [w.removesuffix(ends[0]) if ends else plain_name(w) for w in words]
                cells[i] = ";".join(codes.get(w, codes.get(b, w)) for w, b in zip(words, bare, strict=True))


def name_stages(rows: FileRows, tables: Mapping[str, pd.DataFrame]) -> None:
    """Put the code of a stage whose name several chains have: that of the chain its parcel goes through, where it is one."""
    chains, there = tables.get("stage_chains"), tables.get("stages", pd.DataFrame(columns=["parcel", "stage"]))
    if rows.layer.name != "stages" or chains is None:
        return
    parcels, stages = rows.column("parcel"), rows.column("stage")
    walked: dict[str, set[str]] = {}
    for parcel, stage in (*zip(parcels, stages, strict=True), *zip(there["parcel"], there["stage"], strict=True)):
        if stage in chains.index:
            walked.setdefault(str(parcel), set()).add(chains.at[stage, "chain"])
    for i, said in enumerate(stages):
        own = chains["chain"].isin(walked.get(str(parcels[i]), ())) & (chains["label"] == said)
        if own.sum() == 1:
            stages[i] = str(chains.index[own][0])
            meant = say("“{0}”按地块走的程序认作“{1}”", said, f"{chains['chain'][own].iloc[0]}：{said}")
            rows.report.say(
                "note", meant, say("不对就写编号"), rows.where(i, column_word(rows.layer.names["stage"]), said)
            )


def labels_of(known: pd.DataFrame) -> pd.Series:
    """Return what each row of a table is called; a stage of a name that several chains have goes by its chain as well."""
    labels = known["name" if "name" in known.columns else "label"].dropna()
    if "chain" not in known.columns:
        return labels
    several = labels.duplicated(keep=False)
    return labels.where(~several, known["chain"].reindex(labels.index) + "：" + labels)


def _codes_by_name(known: pd.DataFrame, ends: Sequence[str]) -> dict[str, str]:
    """Return the code that each word means: the code itself, else a whole name, else what is left of one, if only one has it."""
    whole: dict[str, set[str]] = {}
    left: dict[str, set[str]] = {}
    for code, own in labels_of(known).items():
        whole.setdefault(str(own), set()).add(str(code))
        for text in (plain_name(own), bare_name(own), *(bare_name(own).removesuffix(end) for end in ends)):
            left.setdefault(text, set()).add(str(code))
    words = (left, whole)  # the latter goes before
    return {w: next(iter(codes)) for some in words for w, codes in some.items() if len(codes) == 1} | {
        str(code): str(code) for code in known.index
    }


def _say_of_numbers(column: Column, written: Sequence[object], values: Sequence[Cell], rows: FileRows) -> None:
    """Say once of a column that some of its numbers are rough: they are taken as they are written; and that some are none."""
    none = [i for i, cell in enumerate(written) if is_no_number(cell)]
    if none:
        words = say("、").join(dict.fromkeys(say("“{0}”", printable(str(written[i]).strip())) for i in none[:20]))
        said = say("{0:,} 行写的是{1}，当作没有填（不是 0）", len(none), words)
        rows.report.say("note", said, say("知道就写数"), rows.where(none[0], column_word(column), written[none[0]]))
    serial = [i for i, cell in enumerate(written) if column.type == "year" and is_serial(cell)]
    if serial:
        said = say("{0:,} 行写的是 Excel 的日期序号，换算成年份", len(serial))
        rows.report.say("note", said, say("核对年份"), rows.where(serial[0], column_word(column), written[serial[0]]))
    rough = [i for i, cell in enumerate(written) if is_rough(cell) and values[i] != str(cell).strip()]
    if rough:
        said = say("{0:,} 行写的是约数，按所写的数取用", len(rough))
        rows.report.say(
            "note", said, say("有准数就改成准数"), rows.where(rough[0], column_word(column), written[rough[0]])
        )


#: Columns that hold what somebody remarks.
_REMARKS = ("note", "source")


def _accepted(value: Cell, i: int, column: Column, rows: FileRows) -> Cell:
    """Return a cell as it goes on; a hostile one refuses its row, one with somebody's number is left out."""
    if not isinstance(value, str):
        return value
    own_key = column.name == rows.layer.key
    # what a row is called or says of itself is no formula; a remark that begins like one is text, and holds back no row
    remark = column.name in _REMARKS
    if remark and is_failed(value):
        return None
    wrong = why_hostile(value, remark=remark)
    if wrong is None and like_formula(value):
        rows.report.say(
            "note",
            say("以 =、+、- 或 @ 开头，当作文字收下，不会当公式计算"),
            "",
            rows.where(i, column_word(column), value),
        )
    if wrong is None and own_key:
        value = value.translate(WIDE)
        if re.search(r"[/\\]|\.\.", value):
            wrong = say("编号里有路径符号"), say("编号只用字母、数字、汉字、- 和 _")
    if wrong is not None:
        rows.refuse(i, Refusal(column_word(column), value, *wrong))
    elif PRIVATE_VALUE.search(value) and column.type == "text" and not own_key:
        said = say("这一格里有像身份证号或手机号的数字，没有写入")
        rows.report.say("dropped", said, say("删去号码再填"), Where(row=rows.lines[i], column=column_word(column)))
        return None
    return value


def codes_of(column: Column, kinds: Mapping[str, str]) -> dict[str, str]:
    """
    Return the words that stand for a column's coded values.

    A kind may be called by its label, by the label without what stands in brackets, or by what stands in them at its end:
    "老年食堂（社区食堂）" by either, where no other kind is called so.
    """
    codes = {**{label: v for v, label in value_labels(column).items()}, **dict(column.words)}
    if column.parent != ("kinds", "kind"):
        return codes
    said = [
        (word, kind)
        for kind, label in kinds.items()
        for word in (bare_name(label), *re.findall(r"[（(]([^（()）]{3,})[)）]$", label))
    ]
    times = Counter(word for word, _ in said)
    return codes | {w: kind for w, kind in said if times[w] == 1} | {label: kind for kind, label in kinds.items()}


def fill_blanks(rows: FileRows, fill: Mapping[str, str], kinds: Mapping[str, str]) -> None:
    """Write what holds for every row of the file ("这张表全是食堂") into blank cells."""
    words = header_words(rows.layer)
    for said, value in fill.items():
        name = words.get(plain_header(said), "@")
        if name.startswith("@") or name == rows.layer.key:
            known = [column_word(c) for c in rows.layer.names.values() if c.name != rows.layer.key]
            raise UnknownNameError("列", said, known)
        column = rows.layer.names[name]
        wrong = why_hostile(value)
        if wrong is not None:
            raise SourceError(say("{0} 的值{1}。{2}", said, wrong[0], wrong[1]))
        cell = cell_text(column, value, codes_of(column, kinds))
        rows.cells[name] = [cell if v is None else v for v in rows.column(name)]
