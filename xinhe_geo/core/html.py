"""Text made safe for markup, and the style sheets and scripts that pages carry."""

from __future__ import annotations

import html
import re
from functools import cache
from importlib import resources

_NOT_IN_MARKUP = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ue000\ufffe\uffff]")


@cache
def web_file(name: str) -> str:
    """Return a file of a package's own `web/` as text: "maps/map.js" is xinhe_geo/maps/web/map.js."""
    package, _, file = name.partition("/")
    return (resources.files("xinhe_geo") / package / "web" / file).read_text("utf-8")


# --- markup ------------------------------------------------------------------------------------------------------------


def escape(text: str) -> str:
    """Escape text for markup, and what a template literal or an older parser could take for code."""
    safe = html.escape(_NOT_IN_MARKUP.sub("", str(text)), quote=True)
    for char in "`${":
        safe = safe.replace(char, f"&#{ord(char)};")
    return safe
