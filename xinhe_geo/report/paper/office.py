"""What goes to office programs comes out the same to the byte: no clock in the archive, in its facts or in what is embedded."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from ...core import say

#: What a text is marked as being written in.
TONGUES = {"zh": "zh-CN", "en": "en-GB"}
#: The earliest moment a zip archive can name.
_EPOCH = (1980, 1, 1, 0, 0, 0)
_CLOCK = re.compile(rb"(<dcterms:(?:created|modified)[^>]*>)[^<]*(</dcterms:)")


class Properties(Protocol):
    """The core properties of a document, as python-docx and python-pptx have them."""

    author: str
    last_modified_by: str
    comments: str
    keywords: str
    subject: str
    category: str
    title: str
    created: datetime
    modified: datetime
    revision: int


def document_bytes(save: Callable[[io.BytesIO], object], properties: Properties, title: str, year: int) -> bytes:
    """
    Return a document as bytes.

    Parameters
    ----------
    save
        What writes the document into a stream.
    properties
        Its core properties: title and a fixed date are set, names of people are not.
    title, year
        What it is called, and the year of its data.
    """
    when = datetime(year, 1, 1)
    for name in ("author", "last_modified_by", "comments", "keywords", "subject", "category"):
        setattr(properties, name, "")
    properties.title, properties.created, properties.modified, properties.revision = title, when, when, 1
    stream = io.BytesIO()
    save(stream)
    return _steady(stream.getvalue(), f"{year}-01-01T00:00:00Z".encode())


def left_to_type(*, request: bool = False) -> str:
    """Return what a document leaves to be typed before it may leave the house, in the language that is spoken."""
    own = [say("主送机关"), say("署名"), say("成文日期"), *([say("联系人和电话")] if request else [])]
    return say("发出前请填：{0}；附件按正文后的清单核对", say("、").join(own))


def _steady(archive: bytes, when: bytes) -> bytes:
    """Return a zip archive with the same files, all of one fixed date; workbooks inside are treated alike."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            content = old.read(entry)
            if entry.filename.endswith((".xlsx", ".docx", ".pptx")):
                content = _steady(content, when)
            elif entry.filename == "docProps/core.xml":
                content = _CLOCK.sub(rb"\g<1>" + when + rb"\2", content)
            fixed = zipfile.ZipInfo(entry.filename, _EPOCH)
            fixed.compress_type, fixed.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            new.writestr(fixed, content)
    return stream.getvalue()
