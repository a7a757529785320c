"""What comes with the library beside its modules, and how its commands are typed where it is installed."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]
#: How a command is written everywhere in the code, and how it is typed where there is a wheel and no launcher.
_WRITTEN = (
    ("python run.py lab", "jupyter lab"),
    ("python run.py", "xinhe-geo"),
    ("python tools/readd.py", "python -m xinhe_geo.tools.readd"),
)


def shipped_folder(name: str) -> Path:
    """Return a folder that comes with the library ("data", "notebooks", "docs"): inside the wheel, or beside the package in a checkout."""
    inside = _PACKAGE / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


@cache
def has_launcher() -> bool:
    """Return whether this is a checkout, in which commands are typed as `python run.py …`."""
    return all((_PACKAGE.parent / name).is_file() for name in ("run.py", "pyproject.toml"))


def as_typed(text: str) -> str:
    """Return a text whose commands are those that exist here: `python run.py check` is `xinhe-geo check` where a wheel is installed."""
    if not has_launcher():
        for written, typed in _WRITTEN:
            text = text.replace(written, typed)
    return text
