"""Rows held against their layer's columns: every problem with its row, field and what to do."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from datetime import datetime, time

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from .errors import Problem, nameless
from .schema import DOUBTS, ON_THE_WAY, Column, Layer
from .sentences import language, say, word

# --- the check at the door ------------------------------------------------------------------------------------------

#: A number that is longer counts nothing: beyond it a float no longer tells one whole number from the next.
_MOST_WHOLE = 2.0**53


def check_rows(layer: Layer, frame: pd.DataFrame, file: str) -> tuple[pd.DataFrame, list[Problem]]:
    """
    Judge one layer's rows against its declaration and bring them into their declared types.

    Parameters
    ----------
    layer
        The declaration.
    frame
        Rows as read from a file; a GeoDataFrame where the layer has geometry.
    file
        The file's name, for the messages.

    Returns
    -------
    frame, problems
        The rows with every declared column in its type (absent ones missing), indexed by the layer's key; and everything
        that is wrong. A frame with errors among its problems must not be used.
    """
    problems: list[Problem] = []
    keys = _keys(layer, frame, file, problems)
    columns: dict[str, object] = {}
    silent = layer.name in ON_THE_WAY and not len(
        frame
    )  # none known, which a file without features cannot say in columns
    for column in layer.names.values():
        if column.name not in frame.columns:
            if column.required and not silent:
                problems.append(_missing_column(layer, column, file))
            columns[column.name] = _absent(column, len(frame))
        else:
            columns[column.name] = _typed(layer, column, frame[column.name], keys, file, problems)
    for name in frame.columns:
        if name not in layer.names and name != "geometry":
            problems.append(
                Problem(
                    "warning", layer.name, file, "", str(name), say("没有声明的列，已忽略"), say("写进 note 列，或删去")
                )
            )
    tidy = pd.DataFrame(columns, index=pd.RangeIndex(len(frame)))
    problems += _rows_that_disagree(layer, tidy, keys, file)
    problems += _waits_in_lanes(layer, tidy, keys, file)
    problems += _doubts_half_said(layer, tidy, keys, file)
    problems += _alike_to_the_eye(layer, tidy, keys, file)
    if layer.geometry is not None:
        tidy = gpd.GeoDataFrame(tidy, geometry=np.asarray(frame["geometry"].array), crs=frame.crs)
        problems += list(_geometry_problems(layer, tidy, keys, file))
    tidy.index = pd.Index(keys, dtype="str", name=layer.key)
    return tidy.drop(columns=layer.key), problems


def _keys(layer: Layer, frame: pd.DataFrame, file: str, problems: list[Problem]) -> list[str]:
    """Return the key of each row as text, and report missing or repeated ones."""
    if layer.key not in frame.columns:
        return [str(i + 2) for i in range(len(frame))]  # the line of its file: the first one is the head
    raw = _text(frame[layer.key])
    keys = [k if isinstance(k, str) else nameless(i + 1) for i, k in enumerate(raw)]
    period = pd.Series(keys)
    if layer.dated and "since" in frame.columns:
        period = period + "|" + _text(frame["since"]).fillna("")
    for i in np.flatnonzero(period.duplicated(keep="first") & raw.notna().to_numpy()):
        first = int(np.flatnonzero(period == period[i])[0])
        problems.append(
            Problem(
                "error",
                layer.name,
                file,
                keys[i],
                layer.key,
                say("编号重复：第 {0} 个和第 {1} 个要素都是 {2}", first + 1, i + 1, keys[i]),
                say("每个要素用自己的编号"),
            )
        )
    return keys


def _missing_column(layer: Layer, column: Column, file: str) -> Problem:
    return Problem(
        "error",
        layer.name,
        file,
        "",
        column.name,
        say("缺少必填列（{0}）", column.label),
        say("加上这一列并填好每一行"),
    )


def _text(values: pd.Series) -> pd.Series:
    """Return values as text, whole numbers without a decimal point, days without an hour, blanks as missing."""

    def other(value: object) -> object:
        if isinstance(value, datetime) and value.time() == time():
            return value.date().isoformat()  # drivers take a text that looks like a day for the midnight it begins with
        return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip() or np.nan

    # an array of objects hands its values out faster than a column of text
    cells = values.to_numpy(object)
    blank = pd.isna(cells)
    text = [
        np.nan if empty else value.strip() or np.nan if type(value) is str else other(value)
        for value, empty in zip(cells, blank, strict=True)
    ]
    return pd.Series(text, index=values.index, dtype="str")


def _absent(column: Column, n: int) -> object:
    if column.type == "bool":
        return np.zeros(n, dtype=bool)
    if column.type == "float":
        return np.full(n, np.nan)
    if column.type in ("int", "year"):
        return pd.array([pd.NA] * n, dtype="Int64")
    return pd.array([np.nan] * n, dtype="str")


def _typed(
    layer: Layer, column: Column, values: pd.Series, keys: list[str], file: str, problems: list[Problem]
) -> object:
    """Return one column in its declared type; report every cell that does not fit."""
    text = _text(values)

    def wrong(rows: np.ndarray, problem: str, remedy: str, value: object = "") -> None:
        for i in np.flatnonzero(rows):
            cell = text.iloc[i]
            said = say(problem, cell if isinstance(cell, str) else "", value)
            problems.append(Problem("error", layer.name, file, keys[i], column.name, said, remedy))

    blank = text.isna().to_numpy()
    if column.required:
        wrong(blank, "没有填（{1}）", say("填上这一格"), column.label)
    if blank.all():
        return _absent(column, len(values))
    if column.type in ("int", "float", "year"):
        return _numbers(column, text, wrong)
    if column.type == "bool":
        truth = text.str.lower().map({"true": True, "1": True, "是": True, "false": False, "0": False, "否": False})
        wrong((text.notna() & truth.isna()).to_numpy(), "“{0}”不是 是/否", say("写 是 或 否"))
        return truth.eq(True).to_numpy()
    if column.values:
        text = text.replace(dict(column.words))
        wrong(
            (text.notna() & ~text.isin(column.values)).to_numpy(),
            "“{0}”不在可选值中",
            say("可选：{0}", say("、").join(_as_written(column))),
        )
    return text.array


def _as_written(column: Column) -> list[str]:
    """Return the values of a choice as people write them, where there are words for them."""
    words = {value: own for own, value in reversed(column.words)} if language() == "zh" else {}
    return [words.get(value, value) for value in column.values]


def _numbers(column: Column, text: pd.Series, wrong: Callable[..., None]) -> object:
    number = pd.to_numeric(text, errors="coerce").astype("float64")
    bad = (text.notna() & ~np.isfinite(number)).to_numpy()
    unit = say("（单位：{0}）", word(column.unit)) if column.unit else ""
    wrong(bad, "“{0}”不是数", say("这一列只写数{0}；不知道就留空", unit))
    if column.minimum is not None:
        wrong(
            (number < column.minimum).to_numpy(),
            "{0} 小于 {1:g}",
            say("改成不小于 {0:g} 的数；不知道就留空", column.minimum),
            column.minimum,
        )
    if column.maximum is not None:
        wrong(
            (number > column.maximum).to_numpy(),
            "{0} 大于 {1:g}",
            say("改成不大于 {0:g} 的数；不知道就留空", column.maximum),
            column.maximum,
        )
    if column.type == "year":
        wrong(((number < 1900) | (number > 2200)).to_numpy(), "{0} 不像年份", say("写四位年份，如 2025"))
    if column.type == "float":
        return number.where(~bad).to_numpy()
    whole = number.isna() | ((number == number.round()) & (number.abs() <= _MOST_WHOLE))
    wrong((~whole & ~bad).to_numpy(), "{0} 不是整数", say("改成整数"))
    return number.where(whole & ~bad).astype("Int64").array


def _rows_that_disagree(layer: Layer, rows: pd.DataFrame, keys: list[str], file: str) -> Iterator[Problem]:
    """Yield rows whose own cells contradict each other."""
    for less, more, problem in (
        ("people_60plus", "people", say("60岁及以上人口大于常住人口")),
        ("since", "until", say("起始年晚于截止年")),
    ):
        if less in rows.columns and more in rows.columns:
            # a negative total is reported as such, not once more against its part
            wrong = (rows[less] > rows[more]) & (rows[more] >= 0)
            for i in np.flatnonzero(wrong.fillna(False).to_numpy(dtype=bool)):
                said = say("{0}（{1:g} > {2:g}）", problem, rows[less].iloc[i], rows[more].iloc[i])
                yield Problem("error", layer.name, file, keys[i], less, said, say("核对两列，改正其中一个"))


def _waits_in_lanes(layer: Layer, rows: pd.DataFrame, keys: list[str], file: str) -> Iterator[Problem]:
    """Yield lanes of homes with a wait: residents come out by them on foot, and waits belong to public streets."""
    if not {"home", "wait_s"} <= set(rows.columns):
        return
    for i in np.flatnonzero((rows["home"].notna() & (rows["wait_s"] > 0)).to_numpy(dtype=bool)):
        said = say("小区 {0} 的内部道路写了等待 {1:g} 秒", rows["home"].iloc[i], rows["wait_s"].iloc[i])
        yield Problem(
            "error", layer.name, file, keys[i], "wait_s", said, say("等待只写在公共街道上；删去这一格，或清空 home")
        )


def _doubts_half_said(layer: Layer, rows: pd.DataFrame, keys: list[str], file: str) -> Iterator[Problem]:
    """Yield doubts that nothing can be made of: of what a layer does not have, of no rows, or without how much."""
    if layer.name != "doubts":
        return
    for key, row in zip(keys, rows.itertuples(), strict=True):
        if row.what in DOUBTS and row.layer not in DOUBTS[row.what]:
            said, ways = (
                say("{0} 没有“{1}”可疑", row.layer, row.what),
                say("{0} 只用于 {1}", row.what, say("、").join(DOUBTS[row.what])),
            )
            yield Problem("error", layer.name, file, key, "what", said, ways)
        for needed, column, what in (
            (row.what == "position", "metres", say("疑位置要写误差多少米")),
            (row.what == "people", "spread", say("疑人数要写误差的比例")),
            (pd.notna(row.share), "shared_by", say("写了同源份额，要写与谁同源")),
            (pd.isna(row.ids), "basis", say("要写疑哪一类依据的行，或疑哪几行（ids）")),
        ):
            if needed and pd.isna(getattr(row, column)):
                yield Problem("error", layer.name, file, key, column, say("没有填：{0}", what), say("填上这一格"))
        for column in ("which", "classes"):
            if row.layer != "streets" and pd.notna(getattr(row, column)):
                yield Problem(
                    "error",
                    layer.name,
                    file,
                    key,
                    column,
                    say("只有街道分这个"),
                    say("清空这一格，或 layer 写 streets"),
                )


def _alike_to_the_eye(layer: Layer, rows: pd.DataFrame, keys: list[str], file: str) -> Iterator[Problem]:
    """Yield texts with signs that nobody sees, and keys that differ from another in nothing that is read."""
    for name, column in layer.names.items():
        if name not in rows.columns or column.type != "text" or column.values:
            continue
        for i, text in enumerate(rows[name].to_numpy(object)):
            hidden = [] if not isinstance(text, str) or text.isprintable() else [c for c in text if _is_hidden(c)]
            if hidden:
                said = say("、").join(dict.fromkeys(f"U+{ord(c):04X}" for c in hidden[:5]))
                yield Problem(
                    "warning", layer.name, file, keys[i], name, say("含有看不见的字符 {0}", said), say("删去重新输入")
                )
    first: dict[str, str] = {}
    for key in dict.fromkeys(keys):
        other = first.setdefault(as_read(key), key)
        if other != key:
            said = say("编号 {0} 和 {1} 只差大小写、全半角、写法或看不见的字符", key, other)
            yield Problem(
                "warning", layer.name, file, key, layer.key, said, say("是同一个就合并成一行；不是就换一个编号")
            )


def _is_hidden(sign: str) -> bool:
    """Whether a sign takes no room in a line, or turns its direction: a joiner, a mark of byte order, a control character."""
    return unicodedata.category(sign) in ("Cf", "Cc", "Cs") and sign not in "\t\n\r"


_BRACKETS = re.compile(r"[（(].*?[)）]", re.DOTALL)


def without_brackets(text: str) -> str:
    """Return a name without what stands in round brackets; in time that grows as its length does, for each that opens is closed."""
    closed = max(text.rfind(")"), text.rfind("）")) + 1
    return _BRACKETS.sub("", text[:closed]) + text[closed:]


def as_read(text: str) -> str:
    """Return a name without what no eye tells apart: case, width, normal form, blanks, signs that nobody sees."""
    if text.isascii() and text.isprintable():
        return text.casefold()
    plain = unicodedata.normalize("NFKC", text).casefold()
    return "".join(c for c in unicodedata.normalize("NFKC", plain) if not _is_hidden(c) and not c.isspace())


def _geometry_problems(layer: Layer, frame: gpd.GeoDataFrame, keys: list[str], file: str) -> Iterator[Problem]:
    """Yield features without geometry, of the wrong type, with impossible coordinates, or crossing themselves."""
    shapes = np.asarray(frame.geometry.array)
    empty = shapely.is_missing(shapes) | shapely.is_empty(shapes)
    bounds = shapely.bounds(shapes)
    types = np.asarray(frame.geom_type.fillna(""), dtype=object)
    valid = shapely.is_valid(shapes)
    for i in np.flatnonzero(empty | ~np.isfinite(bounds).all(axis=1) | ~np.isin(types, layer.geometry or ()) | ~valid):
        if empty[i]:
            problem, remedy = say("没有图形"), say("在 GIS 里补画，或删去这个要素")
        elif not np.isfinite(bounds[i]).all():
            problem, remedy = say("坐标里有不是数的值"), say("检查坐标列")
        elif types[i] not in (layer.geometry or ()):
            problem, remedy = say("图形类型是 {0}", types[i]), say("应为 {0}", "/".join(layer.geometry or ()))
        else:
            problem, remedy = (
                say("面自相交：{0}", shapely.is_valid_reason(shapes[i])),
                say("在 GIS 里用“修复几何”改好后再导入"),
            )
        yield Problem("error", layer.name, file, keys[i], "geometry", problem, remedy)
