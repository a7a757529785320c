"""Streets in one file: written whole or not at all, read back only if it is what was written."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyproj
from numpy.typing import NDArray

from ..core import NetworkError, apart, growing, say
from .arrays import StrPath
from .build import table_from
from .streets import Streets

FORMAT = "xinhe-walk-network"
FORMAT_VERSION = 1


def save(streets: Streets, path: StrPath) -> None:
    """Write streets to a file: see `WalkNetwork.save`."""
    arrays = streets.arrays
    head = {"format": FORMAT, "version": FORMAT_VERSION, "crs": streets.crs.to_json_dict()}
    table = {
        name: [_plain_value(value.item() if isinstance(value, np.generic) else value) for value in streets.table[name]]
        for name in streets.table.columns
    }
    text = json.dumps({"head": head, "table": table}, ensure_ascii=False, sort_keys=True)
    arrays["meta"] = np.frombuffer(text.encode(), np.uint8)
    arrays["hash"] = np.frombuffer(_digest(arrays), np.uint8)
    # With a fixed time, so that equal networks are equal files.
    with growing(Path(path)) as fresh, zipfile.ZipFile(fresh, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name in sorted(arrays):
            content = io.BytesIO()
            np.lib.format.write_array(content, np.ascontiguousarray(arrays[name]), allow_pickle=False)
            with content.getbuffer() as held:  # given back also where the disk is full
                archive.writestr(zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), held)


def _arrays(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as content:
            return {key: content[key] for key in content.files}
    except (zipfile.BadZipFile, AttributeError, EOFError) as error:  # by a name that is known where it is asked for
        raise ValueError(str(error)) from error


def load(path: StrPath) -> Streets:
    """Read what `save` wrote: see `WalkNetwork.load`."""
    name = Path(path).name
    try:
        arrays = apart(_arrays, Path(path))
        meta = json.loads(arrays["meta"].tobytes().decode())
        stored = arrays.pop("hash").tobytes()
        head, table = meta["head"], meta["table"]
        known = head["format"] == FORMAT
    except FileNotFoundError as error:
        raise NetworkError(say("路网文件不存在：{0}", name)) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise NetworkError(say("{0} 不是本工具保存的路网文件，或已损坏；请从街道图层重新生成", name)) from error
    if not known or stored != _digest(arrays):
        raise NetworkError(say("{0} 已损坏（内容与校验值不符）；请从街道图层重新生成", name))
    if head["version"] != FORMAT_VERSION:
        raise NetworkError(say("{0} 由另一个版本保存（格式 {1}）；请从街道图层重新生成", name, head["version"]))
    return Streets.of(pyproj.CRS.from_json_dict(head["crs"]), arrays, table_from(table))


def _plain_value(value: object) -> str | float | None:
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return None
    return value if isinstance(value, (str, bool, int, float)) else str(value)


def _digest(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    total = hashlib.blake2b(digest_size=32)
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        total.update(f"{name}|{array.dtype.str}|{array.shape}|".encode())
        total.update(array.reshape(-1).view(np.uint8).data)
    return total.digest()
