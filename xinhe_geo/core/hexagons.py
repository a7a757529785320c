"""H3 indexes: what is one, and what it covers. The only importer of `h3`, which is loaded where an id looks like an index."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import shapely

#: How the index of a cell is written: fifteen hexadecimal digits, the first an 8; some tables have it as a decimal number.
_INDEX = re.compile(r"8[0-9a-fA-F]{14}")
_NUMBER = re.compile(r"[1-9]\d{17,18}")


def _index(text: object) -> str | None:
    said = str(text).strip()
    if _NUMBER.fullmatch(said):
        said = f"{int(said):x}"
    return said.lower() if _INDEX.fullmatch(said) else None


def _h3() -> Any:
    """Return the library, whose functions have no types of their own."""
    import h3

    return h3


def are_h3(ids: Iterable[object]) -> bool:
    """Return whether all of these are H3 indexes of cells, of one resolution; of none of them, no."""
    found: list[str] = []
    for one in ids:
        index = _index(one)
        if index is None or (found and index[1] != found[0][1]):
            return False
        found.append(index)
    return bool(found) and all(map(_h3().is_valid_cell, found))


def h3_outlines(ids: Iterable[object]) -> np.ndarray:
    """Return what H3 cells cover, as polygons in EPSG:4326."""
    h3 = _h3()
    return np.array(
        [shapely.Polygon([(lon, lat) for lat, lon in h3.cell_to_boundary(str(_index(one)))]) for one in ids],
        dtype=object,
    )
