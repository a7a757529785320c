"""
Which journals this user wrote on this machine: a name for each, kept outside every folder.

A journal that comes with a folder could say anything, also that it is ours. So what we write is entered here: one empty file in
the user's own state folder (`XDG_STATE_HOME`, on Windows `LOCALAPPDATA`), named by the hash of the folder's path and the
journal's text. Where nothing can be written there, nothing is lost but convenience: an undo then asks whether to trust it.
"""

from __future__ import annotations

import hashlib
import os
import sys
from contextlib import suppress
from pathlib import Path


def enter(folder: Path, text: bytes) -> None:
    """Enter a journal that is about to be written into a folder."""
    with suppress(OSError, RuntimeError):
        place = _entry(folder, text)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()


def entered(folder: Path, text: bytes) -> bool:
    """Return whether this user wrote that journal into this folder, where it stands now."""
    try:
        return _entry(folder, text).is_file()
    except (OSError, RuntimeError):
        return False


def strike(folder: Path, text: bytes) -> None:
    """Strike out a journal that has been carried out or taken back."""
    with suppress(OSError, RuntimeError):
        _entry(folder, text).unlink(missing_ok=True)


def _entry(folder: Path, text: bytes) -> Path:
    place = os.path.normcase(os.path.realpath(folder)).encode("utf-8", "surrogatepass")
    return _state_folder() / "journals" / hashlib.sha256(place + b"\0" + text).hexdigest()


def _state_folder() -> Path:
    variable, usual = (
        ("LOCALAPPDATA", "AppData/Local") if sys.platform == "win32" else ("XDG_STATE_HOME", ".local/state")
    )
    said = os.environ.get(variable, "")
    return (Path(said) if Path(said).is_absolute() else Path.home() / usual) / "xinhe_geo"
