"""What stands on the pages of a PDF of ours, read without its drawings, of which there is far more."""

from __future__ import annotations

import re
from pathlib import Path
from typing import IO

import pypdf
from pypdf.generic import NameObject, StreamObject

#: Text as matplotlib writes it, and what says where it is.
TEXT = re.compile(rb"^BT$.*?^ET$|(?<!\S)[qQ](?!\S)|(?<!\S)(?:[-\d.]+\s+){6}cm(?!\S)", re.DOTALL | re.MULTILINE)


def texts_of(file: str | Path | IO[bytes]) -> list[str]:
    """Return the text of each page, to the character what pypdf finds on the whole of it."""
    found = []
    for page in pypdf.PdfReader(file).pages:
        content, text = page.get_contents(), StreamObject()
        text.set_data(b"\n".join(TEXT.findall(content.get_data() if content is not None else b"")))
        page[NameObject("/Contents")] = text
        found.append(page.extract_text())
    return found
