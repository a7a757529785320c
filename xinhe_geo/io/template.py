"""The workbook to fill in, generated from the declarations of the layers."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from ..core import (
    DATUM_LABELS,
    DATUMS,
    LAYERS,
    Column,
    Layer,
    SourceError,
    apart,
    bundled_folder,
    language,
    layer_name,
    refuse_uncleared,
    say,
    word,
    write_bytes,
)
from ..district import secrecy_of
from .answer_book import Offers, new_book
from .cells import EXAMPLE, head_of, value_labels
from .file_rows import labels_of

if TYPE_CHECKING:
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet


def _typed_layers() -> list[Layer]:
    """Return the layers somebody can type: of points, and tables that have no bundled default."""
    return [
        layer
        for layer in LAYERS.values()
        if ("Point" in layer.geometry if layer.geometry is not None else not layer.default)
    ]


def _read_csv(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype="str", encoding="utf-8-sig")


#: Tables whose codes the drop-downs offer by what they are called.
_CALLED = ("kinds", "quantities", "stage_chains")


def _words(folder: Path | None) -> dict[str, list[str]]:
    """Return what the codes of tables are called in a folder's own tables, else in the bundled ones."""
    found = {}
    for name in _CALLED:
        file = Path(LAYERS[name].folder) / f"{name}.csv"
        own = None if folder is None else folder / file
        path = own if own is not None and own.is_file() else bundled_folder() / file
        found[name] = [str(label) for label in labels_of(apart(_read_csv, path))]
    return found


def _choices(column: Column, words: Mapping[str, list[str]]) -> list[str]:
    """Return what a column's drop-down offers, in the planner's words; empty where anything may be typed."""
    if column.parent and column.parent[0] in words:
        return words[column.parent[0]]
    if column.type == "bool":
        return ["是", "否"]
    return [value_labels(column).get(v, v) for v in column.values]


def _example(column: Column, choices: Sequence[str]) -> object:
    if choices:
        return choices[0]
    if column.type in ("int", "float"):
        return 100
    return 2020 if column.type == "year" else f"{EXAMPLE}{column.label}"


def _help(column: Column) -> str:
    """Return what is explained of a column, which is in Chinese."""
    return column.help if language() == "zh" else ""


def _coded(column: Column, words: Mapping[str, list[str]]) -> str:
    """Return what may stand in a column of codes: the planner's words for them, in English the codes."""
    if language() == "en":
        return ", ".join(column.values)
    return "、".join(_choices(column, words) if column.parent else value_labels(column).values())


def _heads(layer: Layer) -> list[tuple[str, Column | None, str]]:
    """Return (header, column, help) of a template's sheet; positions have no column of their own."""
    heads: list[tuple[str, Column | None, str]] = []
    for column in layer.columns:
        heads.append((head_of(column), column, _help(column)))
    if layer.geometry is not None:
        heads += [
            ("经度（度）", None, say("十进制度，也可写度分秒")),
            ("纬度（度）", None, say("十进制度，也可写度分秒")),
        ]
        heads += [(head_of(c), c, _help(c)) for c in layer.names.values() if c not in layer.columns]
    return heads


def template(path: str | Path, folder: str | Path | None = None) -> Path:
    """
    Write a workbook to fill in: a sheet for each layer that can be typed, generated from the declarations.

    Parameters
    ----------
    path
        The .xlsx to write; an earlier one is replaced.
    folder
        A district folder whose kinds of facility the drop-downs offer; the bundled kinds by default.

    Returns
    -------
    path

    Raises
    ------
    SourceError
        Not an .xlsx name.
    EnvironmentProblem
        The file cannot be written.
    """
    target = Path(path)
    if target.suffix.lower() != ".xlsx":
        raise SourceError(say("{0}：模板是 Excel 工作簿，文件名要以 .xlsx 结尾", target.name))
    if folder is not None:
        refuse_uncleared(secrecy_of(Path(folder)), "写出模板")
    write_bytes(target, _template_bytes(_words(None if folder is None else Path(folder))))
    return target


def _template_bytes(words: Mapping[str, list[str]]) -> bytes:
    stream = io.BytesIO()
    book = new_book(stream, "填报模板")
    styles = {
        "title": book.add_format({"bold": True, "font_size": 13}),
        "must": book.add_format({"bold": True, "bg_color": "#FFE699", "border": 1, "text_wrap": True}),
        "head": book.add_format({"bold": True, "bg_color": "#DDEBF7", "border": 1, "text_wrap": True}),
        "example": book.add_format({"italic": True, "font_color": "#7F7F7F"}),
        "wrap": book.add_format({"text_wrap": True, "valign": "top"}),
    }
    layers = _typed_layers()
    _template_guide(book.add_worksheet("说明"), layers, words, styles)
    sheets = [(layer, book.add_worksheet(layer.label)) for layer in layers]
    offers = Offers(book)
    for layer, sheet in sheets:
        _template_sheet(sheet, layer, words, styles, offers)
    book.close()
    return stream.getvalue()


def _template_guide(
    sheet: Worksheet, layers: Sequence[Layer], words: Mapping[str, list[str]], styles: Mapping[str, Format]
) -> None:
    lines = [
        say("一张工作表填一个图层；用不到的表空着。第 2 行是表头，不要改；第 3 行是示例，导入时自动跳过。"),
        say("黄色表头必须填；不知道的数字留空，不要写 0。有下拉框的格子请选，不要自己写。"),
        say("经度、纬度写十进制度（如 117.65）或度分秒；导入时必须说明坐标基准：")
        + say("；").join(say("{0}＝{1}", name, say(DATUM_LABELS[name])) for name in DATUMS)
        + say("，或投影坐标系的 EPSG 代码。"),
        say("编号在同一图层里不能重复；再次导入时按编号认出同一个要素，留空的格子不改动已有的值。"),
        say("不要写姓名、电话、身份证号、户号：这些列会被丢掉，不写入任何文件。"),
    ]
    sheet.set_column(0, 0, 18)
    sheet.set_column(1, 1, 18)
    sheet.set_column(2, 5, 26)
    sheet.write(0, 0, say("填报说明"), styles["title"])
    for i, line in enumerate(lines, 1):
        sheet.merge_range(i, 0, i, 5, line, styles["wrap"])
        sheet.set_row(i, 34)
    at = len(lines) + 2
    for j, text in enumerate(("工作表", "表头", "单位", "必填", "可选值或要求", "列名（add 命令用）")):
        sheet.write(at, j, say(text), styles["head"])
    for layer in layers:
        for head, column, help_ in _heads(layer):
            at += 1
            cells = (
                (layer.label, head, "", say("是"), help_, "")
                if column is None
                else (
                    layer.label,
                    head,
                    word(column.unit),
                    say("是") if column.required else "",
                    help_ or _coded(column, words),
                    f"{layer.name}.{column.name}",
                )
            )
            for j, text in enumerate(cells):
                sheet.write(at, j, text, styles["wrap"])


def _template_sheet(
    sheet: Worksheet, layer: Layer, words: Mapping[str, list[str]], styles: Mapping[str, Format], offers: Offers
) -> None:
    sheet.write(0, 0, say("{0}：一行一个，第 3 行是示例（自动跳过）", layer_name(layer.name)), styles["title"])
    sheet.freeze_panes(2, 1)
    for j, (head, column, help_) in enumerate(_heads(layer)):
        must = column is None or column.required
        sheet.write(1, j, head, styles["must" if must else "head"])
        sheet.set_column(j, j, max(12, 2 * len(head) + 2))
        if help_:
            sheet.write_comment(1, j, help_)
        choices = [] if column is None else _choices(column, words)
        value = {"经度（度）": 117.65, "纬度（度）": 39.05}[head] if column is None else _example(column, choices)
        sheet.write(2, j, f"{EXAMPLE}（可删）" if j == 0 else value, styles["example"])
        if choices:
            offers.put(sheet, (2, 2000, j), choices)
