"""The formats of office programs: what writes them belongs to an extra, and is loaded when a document is asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ...core import needing
from ...district import District


def write_brief(
    district: District,
    to: str | Path = "汇报.docx",
    *,
    preset: str = "plan",
    ranges: bool = False,
    against: District | None = None,
    request: bool = False,
    progress: Callable[[str], None] | None = None,
) -> Path:
    """Write the brief for a meeting as a Word document; all about it stands with `word.write_brief`."""
    with needing("office", "写 Word 简报"):
        from . import word
    return word.write_brief(
        district, to, preset=preset, ranges=ranges, against=against, request=request, progress=progress
    )


def write_slides(
    district: District,
    to: str | Path = "汇报.pptx",
    *,
    preset: str = "plan",
    ranges: bool = False,
    against: District | None = None,
    progress: Callable[[str], None] | None = None,
) -> Path:
    """Write slides for a meeting; all about them stands with `slides.slides`."""
    with needing("office", "写幻灯片"):
        from . import slides
    return slides.slides(district, to, preset=preset, ranges=ranges, against=against, progress=progress)
