"""
Values written out so that reading them cannot do anything: numbers, texts, lists, arrays, tables and shapes, nothing else.

A pickle names the functions that are to be called when it is read. Here it may name none: whatever is no number, text, list or
the like is written as what it consists of, under a word, and put together again by the function this module has for the word.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import IO, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely

from .plane import crs_of

_PLAIN = (type(None), bool, int, float, str, bytes, tuple, list, dict)
#: Kinds of numpy's numbers, times and texts: nothing that holds objects, or has fields.
_NUMBERS = re.compile(r"[<>|=]?[biufcmMSU]\d+(\[\d*\w+\])?")


class _Writer(pickle.Pickler):
    def persistent_id(self, value: Any) -> tuple[Any, ...] | None:
        """Return what a value consists of, None where it is plain itself."""
        kind = type(value)
        if kind in _PLAIN:
            return None
        if value is pd.NA or value is pd.NaT:
            return ("NA",) if value is pd.NA else ("NaT",)
        for word, (kinds, parts, _) in _KINDS.items():
            if isinstance(value, kinds):
                return word, *parts(value)
        raise TypeError(f"{kind.__name__} is nothing plain")


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Refuse: what is written here names nothing that could be called."""
        raise pickle.UnpicklingError(f"{module}.{name} is nothing plain")

    def persistent_load(self, said: Any) -> Any:
        """Put a value together from what it consists of."""
        word, *parts = said
        if word in ("NA", "NaT"):
            return pd.NA if word == "NA" else pd.NaT
        return _KINDS[word][2](*parts)


def write_plain(value: object, stream: IO[bytes]) -> None:
    """
    Write a value out.

    Raises
    ------
    TypeError
        It holds something that is none of those.
    """
    _Writer(stream, protocol=pickle.HIGHEST_PROTOCOL).dump(value)


def read_plain(stream: IO[bytes]) -> Any:
    """
    Return what was written; whoever wrote it, nothing is called but what puts arrays, tables and shapes together.

    Raises
    ------
    ValueError
        It was not written by `write_plain`.
    """
    try:
        return _Reader(stream).load()
    except Exception as error:  # whatever broken bytes make it stumble over
        raise ValueError(f"nothing plain: {error}") from error


# --- by kind ---------------------------------------------------------------------------------------------------------


def _array(value: np.ndarray[Any, Any]) -> tuple[Any, ...]:
    if value.dtype.hasobject:
        return value.dtype.str, value.shape, value.ravel().tolist()
    return value.dtype.str, value.shape, value.tobytes()


def _as_array(kind: str, shape: tuple[int, ...], content: Any) -> np.ndarray[Any, Any]:
    if kind == "|O":
        found = np.empty(len(content), dtype=object)
        found[:] = content
        return found.reshape(shape)
    return np.frombuffer(content, dtype=_number(kind)).reshape(shape).copy()


def _number(kind: str) -> np.dtype[Any]:
    if not _NUMBERS.fullmatch(kind):
        raise ValueError(kind)
    return np.dtype(kind)


def _crs(value: pyproj.CRS) -> tuple[str]:
    """By code where it has one, else spelled out: a projection's own words could name a file."""
    return (value.srs if re.fullmatch(r"\w+:\d+", value.srs) else value.to_wkt(),)


def _wkb(shape: Any) -> bytes:
    found: bytes = shapely.to_wkb(shape, output_dimension=4, flavor="iso")
    return found


def _column(values: Any) -> tuple[Any, ...]:
    """Return a column, or an index, of a table: how its values are held, and they."""
    if isinstance(values.dtype, gpd.array.GeometryDtype):
        shapes = shapely.to_wkb(np.asarray(values.array), output_dimension=4, flavor="iso")
        return "geometry", list(shapes), values.array.crs
    if isinstance(values.dtype, np.dtype):
        return "array", np.asarray(values)
    return "values", str(values.dtype), list(values)


def _as_column(word: str, *parts: Any) -> Any:
    if word == "geometry":
        return gpd.array.GeometryArray(shapely.from_wkb(np.array(parts[0], dtype=object)), crs=parts[1])
    if word == "array":
        return parts[0]
    return pd.array(parts[1], dtype=parts[0])


def _frame(value: pd.DataFrame) -> tuple[Any, ...]:
    index = value.index
    rows = (index.start, index.stop, index.step) if isinstance(index, pd.RangeIndex) else _column(index.to_series())
    own = value.geometry.name if isinstance(value, gpd.GeoDataFrame) and value._geometry_column_name else None
    columns = [_column(value.iloc[:, i]) for i in range(value.shape[1])]
    return isinstance(value, gpd.GeoDataFrame), own, list(value.columns), columns, index.name, rows


def _as_frame(
    shaped: bool, own: object, names: list[object], columns: list[Any], name: object, rows: tuple[Any, ...]
) -> pd.DataFrame:
    index = pd.RangeIndex(*rows) if isinstance(rows[0], int) else pd.Index(_as_column(*rows))
    frame = pd.DataFrame({i: _as_column(*column) for i, column in enumerate(columns)}, index=index.rename(name))
    frame.columns = pd.Index(names)
    if not shaped:
        return frame
    return gpd.GeoDataFrame(frame) if own is None else gpd.GeoDataFrame(frame).set_geometry(own)


_Parts = tuple[Any, Callable[[Any], tuple[Any, ...]], Callable[..., Any]]
#: By word: what it stands for, into what it is taken apart, how it is put together. What is more special comes first.
_KINDS: Mapping[str, _Parts] = {
    "frame": (pd.DataFrame, _frame, _as_frame),
    "array": (np.ndarray, _array, _as_array),
    "number": (np.generic, lambda v: (v.dtype.str, v.tobytes()), lambda k, b: np.frombuffer(b, dtype=_number(k))[0]),
    "shape": (shapely.Geometry, lambda v: (_wkb(v),), shapely.from_wkb),
    "crs": (pyproj.CRS, _crs, crs_of),
    "stamp": (pd.Timestamp, lambda v: (v.isoformat(), v.unit), lambda text, unit: pd.Timestamp(text).as_unit(unit)),
    "moment": (datetime, lambda v: (v.isoformat(),), datetime.fromisoformat),
    "day": (date, lambda v: (v.isoformat(),), date.fromisoformat),
    "time": (time, lambda v: (v.isoformat(),), time.fromisoformat),
    "span": (timedelta, lambda v: (v.days, v.seconds, v.microseconds), timedelta),
    "decimal": (Decimal, lambda v: (str(v),), Decimal),
    "integer": (int, lambda v: (int(v),), int),
    "text": (str, lambda v: (str.__str__(v),), str),
}
