"""What belongs to an extra of the installation: where a package is not there, one message says which, and how to get it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from . import shipped
from .errors import EnvironmentProblem
from .sentences import say, thing

#: Packages that are installed by another name than they are imported by.
_INSTALLED_AS = {"docx": "python-docx", "pptx": "python-pptx"}


@contextmanager
def needing(extra: str, what: str) -> Iterator[None]:
    """
    Import packages of an extra, for `what` (a verb and its object: 写幻灯片).

    Raises
    ------
    EnvironmentProblem
        One of them is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", __name__.partition(".")[0]):  # a mistake of ours is not theirs
            raise
        raise not_installed(package, extra, what) from error


def not_installed(package: str, extra: str, what: str) -> EnvironmentProblem:
    """Return what to tell who asks for `what` without the package that it takes."""
    return EnvironmentProblem(
        say("{0}：缺少 {1}。{2}", thing(what), _INSTALLED_AS.get(package, package), how_to_install(extra))
    )


def how_to_install(extra: str, command: str = "") -> str:
    """Return what installs an extra: a command of the launcher that needs it ("" any), or pip."""
    pip = f'pip install "xinhe-geo[{extra}]"'
    launched = " ".join(["python run.py", command]).strip()
    return say("用 {0}（会自动装好），或 {1}", launched, pip) if shipped.has_launcher() else pip


@cache
def packaged_font() -> Path | None:
    """
    Return the file of the typeface that comes with the extra `office`; None without it.

    Its package is not imported: that would change matplotlib's settings for everybody.
    """
    found = find_spec("zhplot")
    file = Path(found.origin).parent / "fonts" / "NotoSansSC-Regular.ttf" if found and found.origin else None
    return file if file is not None and file.is_file() else None
