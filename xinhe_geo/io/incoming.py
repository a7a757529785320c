"""A file as read, the bounds that any file is held to, and the message for one that cannot be taken at all."""

from __future__ import annotations

import csv
import io
import re
import zipfile
import zlib
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyproj
from numpy.typing import NDArray

from ..core import SourceError, amount, opened, read_whole, say
from .cells import printable

LONLAT = "EPSG:4326"

#: A file larger than this, unpacked or not, is not a list somebody typed.
MOST_BYTES, MOST_UNPACKED, MOST_RATIO = 100_000_000, 300_000_000, 200
MOST_ROWS, MOST_COLUMNS, MOST_MEMBERS = 200_000, 512, 5_000
#: Lines of a file, blank ones too (a worksheet has no more), and cells, blank ones too, that are looked at.
MOST_LINES, MOST_CELLS = 1_048_576, 30_000_000
#: Objects, lists and elements of a file that is read as a whole, and how deep they lie in one another.
MOST_PARTS, MOST_DEPTH = 3_000_000, 200

#: Lists of people that have no place on a map of services.
SPECIAL_GROUPS = re.compile("信访|吸毒|戒毒人员|刑释|刑满释放|社区矫正|精神障碍|精神病患|涉稳|上访")

Floats = NDArray[np.float64]
#: Geometries, None where there is none.
Shapes = NDArray[np.object_]


@dataclass
class Incoming:
    """A file as read: headers, cells, the line each row stands on; shapes where the file has geometry of its own."""

    file: str
    heads: list[str]
    rows: list[list[object]]
    lines: list[int]
    shapes: Shapes | None = None
    crs: pyproj.CRS | None = None
    marks: tuple[str, ...] = ()  # of secrecy, in the name of the file and above its header
    short: str = ""  # the encoding headers were cut off in after ten bytes (shapefile)


def cannot_take(file: str, what: str, remedy: str) -> SourceError:
    """Return the error for a file as a whole: what is wrong, what to do."""
    return SourceError(say("{0}：{1}。{2}", printable(file), what, remedy))


def special_groups(file: str, word: str) -> SourceError:
    """Return the error for lists of people that have no place on a map of services."""
    return cannot_take(
        file,
        say("“{0}”是特殊人群的名单，不能进入公共服务地图", printable(word)),
        say("这类数据不收，也不要放进街道目录"),
    )


BROKEN_ZIP = (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error, OSError, ValueError)


def unpack_safely(path: Path, what: str, remedy: str) -> None:
    """Refuse an archive that is broken, or unpacks to more than anybody would type."""
    try:
        with zipfile.ZipFile(path) as package:
            members = package.infolist()
    except BROKEN_ZIP as error:
        raise cannot_take(path.name, say("不是完整的 {0}", what), say("检查扩展名，或重新拷贝；{0}", remedy)) from error
    unpacked = sum(m.file_size for m in members)
    packed = max(sum(m.compress_size for m in members), 1)
    if (
        len(members) > MOST_MEMBERS
        or unpacked > MOST_UNPACKED
        or (unpacked > 20_000_000 and unpacked / packed > MOST_RATIO)
    ):
        raise cannot_take(
            path.name,
            say("解压后有 {0} MB，超出合理大小", amount(unpacked / 1e6)),
            say("只留要用的内容；{0}", remedy),
        )


def too_many_lines(path: Path) -> bool:
    """Whether a text has more lines than any worksheet, counted in pieces before anything else is done with it."""
    found = 0
    with opened(path) as stream:
        while chunk := stream.read(4_000_000):
            found += max(chunk.count(b"\n"), chunk.count(b"\r"))
    return found > MOST_LINES


def decoded_csv(path: Path) -> tuple[str, str]:
    """Return the text of a CSV as Excel writes them (UTF-8, UTF-16 or GB18030), and what separates its cells."""
    if too_many_lines(path):
        raise cannot_take(path.name, say("超过 {0:,} 行（空行也算）", MOST_LINES), say("删去空行，或分成几份导入"))
    text = decoded(path)
    if "\0" in text:
        raise cannot_take(path.name, say("不是文本表格"), say("检查扩展名；在 Excel 里另存为“CSV UTF-8”"))
    return text, max(",;\t", key=lambda separator: _alike(text[:20_000], separator))


def _alike(text: str, separator: str) -> tuple[int, int]:
    """Return how many lines of a text a separator parts into equally many cells, and into how many: types hold semicolons too."""
    with suppress(csv.Error):
        widths = Counter(len(cells) for cells in csv.reader(io.StringIO(text, newline=""), delimiter=separator))
        return max(((lines, width) for width, lines in widths.items() if width > 1), default=(0, 0))
    return 0, 0


def decoded(path: Path) -> str:
    """Return the text of a file in UTF-8, UTF-16 or GB18030."""
    raw = read_whole(path)
    for encoding in ("utf-16",) if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "gb18030"):
        with suppress(UnicodeDecodeError):
            return raw.decode(encoding)
    raise cannot_take(path.name, say("编码既不是 UTF-8 也不是 GB18030"), say("在 Excel 里另存为“CSV UTF-8”"))
