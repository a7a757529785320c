"""
The rules of a district as a workbook: written out, edited in Excel, read back with every change named.

A limit that was checked against the published text carries who checked it, when, and the clause; only then is it printed as
依据, and only as long as the limit is the one that was checked.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from ..core import (
    LAYERS,
    Column,
    DataError,
    Layer,
    Problem,
    SourceError,
    bundled_folder,
    check_rows,
    guarded_problems,
    problems_table,
    read_whole,
    refuse_uncleared,
    say,
    write_bytes,
)
from ..district import (
    MANIFEST,
    District,
    check_copy,
    column_name,
    commit,
    district_folder,
    finish,
    locked,
    read_folder,
    secrecy_of,
)
from ..io import why_hostile, workbook_rows, written
from .ledger import measure_problems

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

#: The tables of a rule book, in the order of its sheets.
TABLES = ("kinds", "rules", "norms", "costs", "measures", "claims", "profiles", "decays")
#: Tables that belong to a plan: their sheets are there where the folder has commitments of its own.
_OF_PLAN = ("measures", "claims")
#: What a rule's claim rests on: change one of these, and the text has to be read again.
LIMITS = ("kinds", "metric", "method", "metres", "minutes", "profile", "denominator")
#: Where a table is from that is not the program's.
OWN = "本目录"
#: What makes a limit a verified one.
VERIFIED = ("clause", "verified_by", "verified_on")
COLUMNS = ("table", "row", "change", "column", "before", "after")
_HEAD_LINE = 2
_GUIDE = (
    "一张工作表是一张表，一行是一条；改完存盘，用 rules import 导回街道目录：先列出每一处改动，加 --yes 才写入。",
    "表头第二行的英文是列名，不要改。加一行就是新增一条，删掉整行就是删去一条。数不知道就留空。",
    "核对了正式文本：在“条款”“核对人”“核对日期”三格都填上，导入时可信度自动成为 read，图表上的“参考值（未核）”随即变成“依据”。",
    "核对过的行再改类别、方法、距离、时间、人群或分母，就要重新核对（改核对日期），或把可信度改成 convention（本工具约定）。",
    "几张表一起导入、一起检查：新的设施类别连同它的规则、配建标准写在各自的表里，一次导入，先写哪一张都行。",
    "多个类别用英文分号 ; 隔开。黄色是核对要填的格子；紫色的行没有核对过正式文本。",
)


class _Tables(NamedTuple):
    """The tables of a folder as they stand, also where they are not finished and nothing can be computed with them."""

    folder: Path
    manifest: Mapping[str, Any]
    rows: Mapping[str, pd.DataFrame]
    files: pd.DataFrame

    def is_own(self, name: str) -> bool:
        """Whether the folder carries a table itself, declared or at its usual place."""
        return name in self.files.index and str(self.files.loc[name, "from"]) == OWN

    def shown(self) -> list[Layer]:
        """Return the tables that a rule book of this folder has."""
        own_plan = self.is_own("commitments")
        return [
            LAYERS[name]
            for name in TABLES
            if name in self.rows and (name not in _OF_PLAN or own_plan or self.is_own(name))
        ]

    def table(self, name: str) -> pd.DataFrame:
        """Return the rows of a table with its key as a column. What the program's claims say is of another plan's words."""
        rows = self.rows[name].reset_index()
        return rows[:0] if name == "claims" and not self.is_own(name) else rows

    def file_of(self, layer: Layer) -> str:
        """Return where the folder keeps a table, or will."""
        declared = self.manifest.get("layers", {}).get(layer.name)
        return str(declared["file"]) if declared else f"{layer.folder}/{layer.name}.csv"


def _tables(folder: Path) -> _Tables:
    """
    Read the tables of a folder. What is wrong between rows does not matter: it is what somebody is about to finish.

    Raises
    ------
    DataError
        The manifest, or a table that a rule book has, cannot be read.
    """
    manifest, rows, files, problems = read_folder(folder)
    needed = {"district.toml", *TABLES} - set(rows)
    stops = [p for p in problems if p.severity == "error" and p.layer in needed]
    if stops:
        raise DataError(problems_table(guarded_problems(stops, manifest)), folder.name)
    return _Tables(folder, manifest, rows, files)


# --- out -------------------------------------------------------------------------------------------------------------


def export_rules(path: str | Path, folder: str | Path | None = None) -> Path:
    """
    Write the rules of a district into a workbook to edit.

    Parameters
    ----------
    path
        The .xlsx to write; an earlier one is replaced.
    folder
        A district folder; the bundled one by default. Tables it does not carry are the bundled ones.

    Returns
    -------
    path

    Raises
    ------
    SourceError
        Not an .xlsx name, or a layer is secret and nobody has cleared its outputs.
    DataError
        The manifest or a table cannot be read. Rows that do not fit each other yet are no reason: they stand in the book.
    EnvironmentProblem
        The file cannot be written.
    """
    target = Path(path)
    if target.suffix.lower() != ".xlsx":
        raise SourceError(say("{0}：规则导出为 Excel 工作簿，文件名要以 .xlsx 结尾", target.name))
    source = bundled_folder() if folder is None else Path(folder)
    refuse_uncleared(secrecy_of(source), "导出规则")
    write_bytes(target, _workbook(_tables(source)))
    return target


def _workbook(tables: _Tables) -> bytes:
    import xlsxwriter

    stream = io.BytesIO()
    book = xlsxwriter.Workbook(
        stream, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    )
    # A fixed creation time: the same rules must give the same bytes.
    name, year = str(tables.manifest.get("name", "")), int(tables.manifest.get("data_year") or 2020)
    book.set_properties({"title": f"{name} 规则", "created": datetime(year, 1, 1, tzinfo=UTC)})
    guide = book.add_worksheet("说明")
    guide.set_column(0, 0, 110)
    wrap = book.add_format({"text_wrap": True, "valign": "top"})
    for i, line in enumerate((f"{name} 规则", *_GUIDE)):
        guide.write_string(i, 0, line, book.add_format({"bold": True, "font_size": 14}) if i == 0 else wrap)
    shown = tables.shown()
    last = {layer.name: _HEAD_LINE + len(tables.table(layer.name)) for layer in shown}
    for layer in shown:
        _write_table(book, layer, tables.table(layer.name), str(tables.files.loc[layer.name, "from"]), last)
    book.close()
    return stream.getvalue()


def _write_table(book: Workbook, layer: Layer, rows: pd.DataFrame, origin: str, lasts: Mapping[str, int]) -> None:
    sheet = book.add_worksheet(layer.label)
    head = book.add_format({"bold": True, "bg_color": "#DDE7EE", "border": 1, "text_wrap": True, "valign": "top"})
    base = {"text_wrap": True, "valign": "top"}
    style = {
        colour: book.add_format(
            {**base, **({"bg_color": colour, "border": 1, "border_color": "#D9D2B8"} if colour else {})}
        )
        for colour in ("", "#FFF8D6", "#EFEAF5")
    }
    sheet.write_string(0, 0, f"{layer.label}（{origin}）", book.add_format({"bold": True, "font_size": 14}))
    sheet.write_string(
        1, 0, "第三行是表头，不要改；改法见“说明”", book.add_format({"italic": True, "font_color": "#666666"})
    )
    columns = list(layer.names.values())
    last = _HEAD_LINE + len(rows)
    for j, column in enumerate(columns):
        sheet.write_string(_HEAD_LINE, j, f"{column.label}\n{column.name}", head)
        sheet.set_column(j, j, _width(column, rows))
        for i, value in enumerate(rows[column.name], _HEAD_LINE + 1):
            loose = "confidence" in rows and rows["confidence"].iloc[i - _HEAD_LINE - 1] in ("recalled", "second_hand")
            colour = "#FFF8D6" if column.name in VERIFIED and "verified_by" in rows else "#EFEAF5" if loose else ""
            _write(sheet, i, j, value, style[colour])
        if column.values:
            sheet.data_validation(_HEAD_LINE + 1, j, last + 200, j, {"validate": "list", "source": list(column.values)})
        elif column.parent is not None and column.parent[0] in lasts and not column.several:
            table = column.parent[0]
            offered = f"='{LAYERS[table].label}'!$A${_HEAD_LINE + 2}:$A${lasts[table] + 201}"
            rule = {"validate": "list", "source": offered, "error_type": "warning", "error_title": "那张表里没有"}
            sheet.data_validation(_HEAD_LINE + 1, j, last + 200, j, rule)
    sheet.freeze_panes(_HEAD_LINE + 1, 1)
    if len(rows):
        sheet.autofilter(_HEAD_LINE, 0, last, len(columns) - 1)
    sheet.set_landscape()
    sheet.set_paper(8)
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(_HEAD_LINE)


def _width(column: Column, rows: pd.DataFrame) -> float:
    longest = max((len(str(v)) for v in rows[column.name].dropna()), default=0)
    return float(min(max(len(column.label) * 2 + 2, len(column.name) + 2, longest * (1.6 if longest < 40 else 1)), 46))


def _write(sheet: Worksheet, i: int, j: int, value: object, style: Format) -> None:
    if value is None or pd.isna(value):
        sheet.write_blank(i, j, None, style)
    elif isinstance(value, bool):
        sheet.write_string(i, j, "true" if value else "false", style)
    elif isinstance(value, int | float):
        sheet.write_number(i, j, float(value), style)
    else:
        sheet.write_string(i, j, str(value)[:32_000], style)


# --- in --------------------------------------------------------------------------------------------------------------


def import_rules(file: str | Path, folder: str | Path, *, apply: bool = False) -> pd.DataFrame:
    """
    Take an edited rule book into a district folder, which then carries its own tables.

    Parameters
    ----------
    file
        Workbook written by `export_rules` and edited.
    folder
        A district folder. A table it does not carry yet is added and declared; `undo` takes everything back.
    apply
        Write. Without it nothing is written, and the changes are those that would be.

    Returns
    -------
    changes
        One row per changed cell: `table` (its name), `row`, `change` (改, 新增, 删去, 核对), `column` (Chinese name), `before`, `after`.
        An added or removed row is one line.

    Raises
    ------
    SourceError
        No such file, not such a workbook, or the folder is the bundled one.
    DataError
        Rows that cannot be taken, or that do not fit each other; `.problems` names sheet, row, field and reason. Nothing is
        written. What was unfinished before and stays so is no reason.
    EnvironmentProblem
        The folder cannot be written.
    """
    source, target = Path(file), district_folder(folder, say("把它复制成自己的目录，或导入到自己的街道目录"))
    sheets = _sheets(source)
    if not apply:
        return _plan(source, sheets, target)[0]
    with locked(target):
        finish(target)
        changes, files = _plan(source, sheets, target)
        if files:
            commit(target, files, "rules", source.name)
    return changes


def _sheets(path: Path) -> dict[str, list[tuple[int, list[Any]]]]:
    """Return the rows of each table's sheet, with their line numbers."""
    if path.suffix.lower() != ".xlsx" or not path.is_file():
        raise SourceError(say("没有这个工作簿：{0}；给 rules export 写出的 .xlsx", path.name))
    grids = workbook_rows(path)
    labels = {LAYERS[name].label: name for name in TABLES}
    found = {labels[title]: rows for title, rows in grids.items() if title in labels}
    if not found:
        raise SourceError(
            say("{0} 里没有规则的工作表（{1}）；给 rules export 写出的 .xlsx", path.name, say("、").join(labels))
        )
    return found


def _plan(
    source: Path, sheets: Mapping[str, Sequence[tuple[int, list[Any]]]], folder: Path
) -> tuple[pd.DataFrame, dict[str, bytes]]:
    """Return what would change, and the new contents of files; manifest last."""
    tables = _tables(folder)
    problems: list[Problem] = []
    changes: list[tuple[str, ...]] = []
    files: dict[str, bytes] = {}
    shown = [layer for layer in tables.shown() if layer.name in sheets]
    for name in sorted(set(sheets) - {layer.name for layer in shown}):
        problems += _without_a_plan(LAYERS[name], sheets[name])
    for layer in shown:
        name, old = layer.name, _texts(layer, tables.table(layer.name))
        new = _rows(layer, sheets[name], problems)
        if new is None:
            continue
        if name == "rules":
            new = _verified(old, new, layer.label, problems)
        there = set(old.to_numpy().ravel())
        for row in new.to_dict("records"):
            odd = {column: why_hostile(text) for column, text in row.items() if text not in there}
            problems += [Problem("error", name, layer.label, row[layer.key], str(c), *w) for c, w in odd.items() if w]
        _, found = check_rows(layer, new.replace("", pd.NA).astype("object"), layer.label)
        problems += found
        mine = list(_differences(layer, old, new))
        if mine:
            changes += mine
            files[tables.file_of(layer)] = _csv(layer, new)
    errors = [p for p in problems if p.severity == "error"]
    if errors:
        raise DataError(problems_table(errors), source.name)
    if files:
        _declare(tables, files, source)
        check_copy(folder, files)
        _check_measures(tables, files)
    return pd.DataFrame(changes, columns=list(COLUMNS), dtype="object"), files


def _rows(layer: Layer, grid: Sequence[tuple[int, list[Any]]], problems: list[Problem]) -> pd.DataFrame | None:
    """Return the rows of a sheet as text, one column per declared column, blank as empty."""
    heads: list[str] = []
    rows: list[dict[str, str]] = []
    for _, cells in grid:
        names = [str(c).strip().splitlines()[-1].strip() if c not in (None, "") else "" for c in cells]
        if not heads:
            heads = names if layer.key in names else []
            continue
        said = {head: written(cell) for head, cell in zip(heads, cells, strict=False)}
        row = {column: said.get(column, "") for column in layer.names}  # blanks at the end of a line are not there
        if any(row.values()):
            rows.append(row)
    missing = [c for c in layer.names if c not in heads]
    if not heads or missing:
        wrong = say("缺列：{0}", say("、").join(missing)) if heads else say("没有表头（有“{0}”的一行）", layer.key)
        problems.append(
            Problem("error", layer.name, layer.label, "", "", wrong, say("从 rules export 的工作簿改起，不改表头"))
        )
        return None
    return pd.DataFrame(rows, columns=list(layer.names), dtype="object")


def _without_a_plan(layer: Layer, grid: Sequence[tuple[int, list[Any]]]) -> Iterator[Problem]:
    """Yield each row of a plan's table that came to a folder without a plan; those of the program's own plan are no matter."""
    unread: list[Problem] = []
    rows = _rows(layer, grid, unread)
    yield from unread
    theirs = set(read_folder(bundled_folder())[1][layer.name].index)
    for key in [] if rows is None else rows[layer.key]:
        if key not in theirs:
            what = say("本目录没有自己的规划目标（standards/commitments.csv），这一行没有地方挂")
            yield Problem(
                "error", layer.name, layer.label, key, "commitment", what, say("先用 targets 记下规划目标，再导入")
            )


def _texts(layer: Layer, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a folder's table as text, as the sheet has them."""
    blank = rows.astype("object").where(rows.notna(), None)
    return pd.DataFrame({c: [written(v) for v in blank[c]] for c in layer.names}, columns=list(layer.names))


def _verified(old: pd.DataFrame, new: pd.DataFrame, sheet: str, problems: list[Problem]) -> pd.DataFrame:
    """Return the rules with the confidence their verification gives them; report what is half said or no longer true."""
    before = old.drop_duplicates("rule").set_index("rule")
    confidence = []
    for row in new.to_dict("records"):
        said = [str(row[c]) != "" for c in VERIFIED]
        was = before.loc[row["rule"]] if row["rule"] in before.index else None
        grade = str(row["confidence"])
        problems += [
            Problem("error", "rules", sheet, str(row["rule"]), *p) for p in _half_verified(row, was, all(said))
        ]
        confidence.append("read" if all(said) and grade in ("recalled", "second_hand") else grade)
    return new.assign(confidence=confidence)


def _half_verified(row: Mapping[Any, Any], was: pd.Series | None, full: bool) -> Iterator[tuple[str, str, str]]:
    if (row["verified_by"] or row["verified_on"]) and not full:
        for column in (c for c in VERIFIED if not row[c]):
            yield column, say("填了核对，没有填{0}", column_name("rules", column)), say("条款、核对人、核对日期一起填")
    if row["verified_on"] and not _is_date(str(row["verified_on"])):
        yield "verified_on", say("“{0}”不是日期", row["verified_on"]), say("写成 2026-11-24 这样")
    if row["confidence"] != "read":
        return
    if not full and (was is None or was["confidence"] != "read"):
        yield "confidence", say("没有写谁在哪天核对的，不能算读到原文"), say("填条款、核对人、核对日期")
    changed = [] if was is None else [column_name("rules", c) for c in LIMITS if row[c] != was[c]]
    if changed and was is not None and was["confidence"] == "read":
        again = full and (row["verified_on"], row["verified_by"]) != (was["verified_on"], was["verified_by"])
        if not again:
            yield (
                "confidence",
                say("改了{0}，不能还算读到原文", say("、").join(changed)),
                say("重新核对并改核对日期，或把可信度改成 convention"),
            )


def _is_date(text: str) -> bool:
    try:
        return bool(date.fromisoformat(text))
    except ValueError:
        return False


def _differences(layer: Layer, old: pd.DataFrame, new: pd.DataFrame) -> Iterator[tuple[str, ...]]:
    """Yield every changed cell, added row and removed row."""
    before, after = (frame.drop_duplicates(layer.key).set_index(layer.key) for frame in (old, new))
    for key, row in after.iterrows():
        if key not in before.index:
            yield layer.name, str(key), "新增", "", "", str(row.get("label", ""))
            continue
        for column in before.columns:
            a, b = str(before.loc[key, column]), str(row[column])
            if a != b:
                change = "核对" if layer.name == "rules" and column in (*VERIFIED, "confidence") else "改"
                yield layer.name, str(key), change, layer.names[column].label, a, b
    for key in before.index.difference(after.index, sort=False):
        yield layer.name, str(key), "删去", "", str(before.loc[key].get("label", "")), ""


def _csv(layer: Layer, rows: pd.DataFrame) -> bytes:
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(list(layer.names))
    table.writerows(rows[list(layer.names)].itertuples(index=False, name=None))
    return out.getvalue().encode("utf-8-sig")


def _declare(tables: _Tables, files: dict[str, bytes], source: Path) -> None:
    """Add the tables a folder did not carry to its manifest, which is written last."""
    text = ""
    for layer in (LAYERS[name] for name in TABLES if not tables.is_own(name)):
        file = f"{layer.folder}/{layer.name}.csv"
        if file in files:
            said = json.dumps(f"由 {source.name} 导入", ensure_ascii=False)
            text += f'\n[layers.{layer.name}]\nfile = {json.dumps(file)}\nsource = {said}\nsecrecy = "internal"\n'
    if text:
        manifest = read_whole(tables.folder / MANIFEST, tables.folder)
        files[MANIFEST] = manifest.rstrip(b"\n") + b"\n" + text.encode()


def _check_measures(tables: _Tables, files: Mapping[str, bytes]) -> None:
    """Refuse tables whose rows contradict each other: measures of kinds, rules and decays that are not there."""
    if not any(tables.is_own(name) or tables.file_of(LAYERS[name]) in files for name in _OF_PLAN):
        return
    try:
        district = District.load(tables.folder)
    except DataError:
        return  # not finished before this change either: opening the folder says what is left to do
    rows = dict(district.rows)
    for layer in (layer for layer in tables.shown() if tables.file_of(layer) in files):
        frame = pd.read_csv(
            io.BytesIO(files[tables.file_of(layer)]),
            dtype="str",
            encoding="utf-8-sig",
            keep_default_na=False,
            na_values=[""],
        )
        rows[layer.name] = check_rows(layer, frame.astype("object"), layer.label)[0]
    origin = district.files.copy()
    origin.loc[[name for name in TABLES if tables.file_of(LAYERS[name]) in files], "from"] = OWN
    found = measure_problems(replace(district.with_rows(rows), files=origin))
    if len(found):
        raise DataError(found, tables.folder.name)
