"""Files that say something (TOML, JSON), as people and other programs write them: bounded, and read where strangers' files are read."""

from __future__ import annotations

import io
import json
import tomllib
from pathlib import Path
from typing import Any

from .errors import text_words
from .opening import read_whole
from .sentences import say
from .strangers import apart

#: A longer one was not written by hand.
_MOST_BYTES = 2_000_000
_MOST_KEYS = 2_000
#: Tables and lists within each other: whatever goes through them may do so by calling itself.
_DEEPEST = 60
#: A longer one was not written by this library.
_MOST_JSON = 20_000_000
#: A shorter one cannot take long whatever it says (a key of 8,000 parts: 0.6 s), and its parser is Python: nothing takes it over.
_HARMLESS_BYTES = 16_384


def read_toml(path: Path, folder: Path | None = None) -> dict[str, Any]:
    """
    Return what a TOML file says.

    Parameters
    ----------
    folder
        What the file came with: links must not lead out of it.

    Raises
    ------
    SourceError
        No ordinary file, too long, or it took too much time or memory.
    ValueError
        No TOML, or not UTF-8: what is wrong and where, in words a planner reads.
    OSError
        It cannot be opened.
    """
    content = read_whole(path, folder, _MOST_BYTES)
    if len(content) <= _HARMLESS_BYTES:
        return _read_toml(path, content)
    return apart(_read_toml, path, content, folder=folder)


def _read_toml(_path: Path, content: bytes) -> dict[str, Any]:
    if len(content) > _MOST_BYTES:
        raise ValueError(say("太长，不像手写的文件"))
    try:
        said = tomllib.loads(io.TextIOWrapper(io.BytesIO(content), "utf-8-sig").read())  # line ends as in any text
    except RecursionError as error:
        raise ValueError(say("括号套得太深")) from error
    except ValueError as error:
        raise ValueError(text_words(error)) from error
    level: list[object] = [said]
    for _ in range(_DEEPEST):
        if not level:
            return said
        if any(isinstance(table, dict) and len(table) > _MOST_KEYS for table in level):
            raise ValueError(say("项太多，不像手写的文件"))  # each of which somebody would have to be told of
        parts = [t.values() if isinstance(t, dict) else t for t in level if isinstance(t, dict | list)]
        level = [value for part in parts for value in part]
    raise ValueError(say("括号套得太深"))


def read_json(path: Path, folder: Path | None = None, content: bytes | None = None) -> Any:
    """
    Return what a JSON file of somebody else says.

    Parameters
    ----------
    folder
        What the file came with: links must not lead out of it.
    content
        Its bytes, where they have been read: what is parsed is what was looked at.

    Raises
    ------
    SourceError
        No ordinary file, or it took too much time or memory.
    ValueError
        No JSON, not UTF-8, too long, or brackets within brackets.
    OSError
        It cannot be opened.
    """
    content = read_whole(path, folder, _MOST_JSON) if content is None else content
    try:
        return apart(_read_json, path, content, folder=folder)
    except RuntimeError as error:  # of recursion, there or on the way
        raise ValueError(say("括号套得太深")) from error


def _read_json(_path: Path, content: bytes) -> Any:
    if len(content) > _MOST_JSON:
        raise ValueError(say("太长，不像本程序写的记录"))
    return json.loads(content.decode("utf-8-sig"))
