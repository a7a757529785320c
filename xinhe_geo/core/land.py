"""What land is used for, in words: layers say it in codes of several kinds, readers see one list of names."""

from __future__ import annotations

import json
import re
from functools import cache

from .html import web_file
from .sentences import language, word


@cache
def _classes() -> list[dict[str, str]]:
    """Return the classes of the maps' key, with the words that each is known by; the last is for everything else."""
    return list(json.loads(web_file("maps/style.json"))["land"])


@cache
def land_use_class(use: str) -> int:
    """Return which class of the maps' key a land use is: words match anywhere, single letters are the code's first."""
    classes = _classes()
    for i, entry in enumerate(classes):
        for known in entry["match"].split("|"):
            if not known or (use[:1] == known if len(known) == 1 and known.isascii() else known in use.lower()):
                return i
    return len(classes) - 1


def land_use_name(use: str) -> str:
    """Return what a land use is called in the language that is spoken: a Chinese name as it is (or its English), a code by its class."""
    own = word(use)
    if language() == "zh" and re.search(r"[一-鿿]", own):
        return own
    return own if own != use else _classes()[land_use_class(use)][language()]
