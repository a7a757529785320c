"""
Whether the nodes of a PBF come in order, told from the numbers it packs: a list of differences per block, taken at once.

Object by object that takes longer than reading the streets does; nodes are nine in ten of what a file holds.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .arrays import Ints

#: A block is no longer than this, unpacked, nor what is said before it.
_MOST, _MOST_HEAD = 32 * 1024 * 1024, 64 * 1024
#: Fields of the format: of a blob header, a blob, a block of objects, a group of it, its nodes.
_TYPE, _SIZE, _RAW, _ZLIB, _GROUP, _NODES, _DENSE, _IDS = 1, 3, 1, 3, 2, 1, 2, 1


def nodes_in_order(path: Path) -> bool | None:
    """
    Return whether all nodes of a PBF come before everything else, by id, each once and none below zero.

    None where that cannot be told so (no PBF, packed by another method, nodes written one by one, damaged): then each has to be
    looked at.
    """
    last, beyond = 0, False
    try:
        for block in _blocks(path):
            for group in _parts(block, _GROUP):
                for field, body in _fields(group):
                    if field == _NODES:
                        return None
                    if field != _DENSE:
                        beyond = True
                        continue
                    ids = next(iter(_parts(_bytes(body), _IDS)), b"")
                    steps = _differences(ids)
                    if len(steps) and (beyond or int(steps[0]) <= last or (steps[1:] <= 0).any()):
                        return False
                    last = int(steps.sum()) if len(steps) else last
    except (IndexError, KeyError, ValueError, struct.error, zlib.error):
        return None
    return True


def _blocks(path: Path) -> Iterator[bytes]:
    """Yield the blocks of objects of a file, unpacked."""
    with path.open("rb") as stream:
        while len(begins := stream.read(4)) == 4:
            length = struct.unpack(">I", begins)[0]
            if length > _MOST_HEAD:
                raise ValueError("no PBF")
            head = dict(_fields(stream.read(length)))
            kind, size = head[_TYPE], head[_SIZE]
            if not isinstance(size, int) or not 0 < size <= _MOST:
                raise ValueError(size)
            packed = stream.read(size)
            if kind == b"OSMData":
                blob = dict(_fields(packed))
                if _RAW in blob:
                    yield _bytes(blob[_RAW])
                elif _ZLIB in blob:
                    yield zlib.decompressobj().decompress(_bytes(blob[_ZLIB]), _MOST)
                else:
                    raise ValueError("packed by another method")


def _bytes(value: bytes | int) -> bytes:
    if isinstance(value, int):
        raise ValueError(value)
    return value


def _parts(message: bytes, field: int) -> Iterator[bytes]:
    return (_bytes(body) for number, body in _fields(message) if number == field)


def _fields(message: bytes) -> Iterator[tuple[int, bytes | int]]:
    """Yield number and content of each field of a message, one after the other."""
    at = 0
    while at < len(message):
        key, at = _number(message, at)
        wire = key & 7
        if wire == 0:
            value, at = _number(message, at)
            yield key >> 3, value
        elif wire == 2:
            size, at = _number(message, at)
            if at + size > len(message):
                raise IndexError(size)
            yield key >> 3, message[at : at + size]
            at += size
        else:
            at += {1: 8, 5: 4}[wire] if wire in (1, 5) else len(message) + 1


def _number(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _differences(packed: bytes) -> Ints:
    """Return signed numbers that are packed seven bits to a byte."""
    data = np.frombuffer(packed, np.uint8)
    ends = np.flatnonzero(data < 0x80)
    if not len(ends):
        return np.empty(0, np.int64)
    starts = np.concatenate([[0], ends[:-1] + 1])
    place = np.arange(ends[-1] + 1) - np.repeat(starts, ends - starts + 1)
    bits = (data[: ends[-1] + 1] & 0x7F).astype(np.uint64) << (7 * place).astype(np.uint64)
    whole = np.add.reduceat(bits, starts)
    return (whole >> np.uint64(1)).astype(np.int64) ^ -(whole & np.uint64(1)).astype(np.int64)
