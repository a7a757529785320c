"""Writes an .xls (BIFF8 in an OLE2 container) as Excel 97 would, with nothing but the standard library: no library of ours can."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

_FREE, _END, _FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
Merge = tuple[int, int, int, int]


def _record(kind: int, data: bytes) -> bytes:
    return struct.pack("<HH", kind, len(data)) + data


def _sheet(rows: Sequence[Sequence[object]], merges: Sequence[Merge]) -> bytes:
    out = [_record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0010, 0x0DBB, 0x07CC, 0, 6))]
    for r, row in enumerate(rows):
        for c, value in enumerate(row):
            if isinstance(value, (int, float)):
                out.append(_record(0x0203, struct.pack("<HHHd", r, c, 1, value)))
            elif value is not None:
                said = str(value)
                wide = said.encode("utf-16-le")
                out.append(_record(0x0204, struct.pack("<HHHHB", r, c, 1, len(wide) // 2, 1) + wide))
    if merges:
        cells = b"".join(struct.pack("<HHHH", r1, r2, c1, c2) for r1, c1, r2, c2 in merges)
        out.append(_record(0x00E5, struct.pack("<H", len(merges)) + cells))
    return b"".join(out) + _record(0x000A, b"")


def _workbook(sheets: Sequence[tuple[str, bytes]]) -> bytes:
    font = _record(0x0031, struct.pack("<HHHHHBBBBBB", 200, 0, 0x7FFF, 400, 0, 0, 0, 0, 0, 5, 0) + b"Arial")
    style = _record(0x00E0, struct.pack("<HHHBBBBIIH", 0, 0, 0xFFF5, 0x20, 0, 0, 0, 0, 0, 0x20C0))
    cell = _record(0x00E0, struct.pack("<HHHBBBBIIH", 0, 0, 0x0001, 0x20, 0, 0, 0, 0, 0, 0x20C0))
    head = _record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0005, 0x0DBB, 0x07CC, 0, 6)) + font + style + cell
    names = [name.encode("utf-16-le") for name, _ in sheets]
    at = len(head) + sum(4 + 8 + len(name) for name in names) + 4
    bounds = []
    for name, (_, body) in zip(names, sheets, strict=True):
        bounds.append(_record(0x0085, struct.pack("<IBBBB", at, 0, 0, len(name) // 2, 1) + name))
        at += len(body)
    return head + b"".join(bounds) + _record(0x000A, b"") + b"".join(body for _, body in sheets)


def _container(stream: bytes) -> bytes:
    """Return an OLE2 file that holds one stream, long enough to stand outside the small-block area."""
    stream = stream.ljust(max(4096, -(-len(stream) // 512) * 512), b"\0")
    blocks = len(stream) // 512
    fats = next(n for n in range(1, 100) if n * 128 >= blocks + 1 + n)
    chain = [*range(1, blocks), _END, _END, *[_FAT] * fats]
    fat = struct.pack(f"<{len(chain)}I", *chain).ljust(fats * 512, b"\xff")

    def entry(name: str, kind: int, child: int, start: int, size: int) -> bytes:
        wide = (name + "\0").encode("utf-16-le") if name else b""
        links = struct.pack("<BBIII", kind, 1, _FREE, _FREE, child)
        return (
            wide.ljust(64, b"\0")
            + struct.pack("<H", len(wide))
            + links
            + bytes(36)
            + struct.pack("<III", start, size, 0)
        )

    directory = (
        entry("Root Entry", 5, 1, _END, 0) + entry("Workbook", 2, _FREE, 0, len(stream)) + entry("", 0, _FREE, 0, 0) * 2
    )
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(10)
    head += struct.pack("<IIIIIIIII", fats, blocks, 0, 4096, _END, 0, _END, 0, blocks + 1)
    head += struct.pack(f"<{fats - 1}I", *range(blocks + 2, blocks + 1 + fats))
    return head.ljust(512, b"\xff") + stream + directory + fat


def write_old_workbook(
    path: Path, sheets: Sequence[tuple[str, Sequence[Sequence[object]]]], merges: Sequence[Merge] = ()
) -> Path:
    """Write sheets of rows; `merges` are those of the first, as first row, first column, last row, last column from 0."""
    bodies = [(name, _sheet(rows, merges if k == 0 else ())) for k, (name, rows) in enumerate(sheets)]
    path.write_bytes(_container(_workbook(bodies)))
    return path
