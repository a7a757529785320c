"""Text made safe for markup, the style sheets and scripts that pages carry, and the frame of a page."""

from __future__ import annotations

import html
import re
from functools import cache
from importlib import resources

from .i18n import HTML_LANG, language

_NOT_IN_MARKUP = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ue000\ufffe\uffff]")


@cache
def web_file(name: str) -> str:
    """Return a file of a package's own `web/` as text: "maps/map.js" is xinhe_geo/maps/web/map.js."""
    package, _, file = name.partition("/")
    return (resources.files("xinhe_geo") / package / "web" / file).read_text("utf-8")


# --- the frame of a page ----------------------------------------------------------------------------------------------

#: What a page may load: nothing but what stands in it.
PICTURES = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
SCRIPT = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


def whole_page(title: str, style: str, body: str, *, lang: str | None = None, policy: str = PICTURES) -> str:
    """
    Return a whole page in one file that loads nothing.

    Parameters
    ----------
    title
        Plain text; the other parts are markup.
    lang
        "zh" or "en"; by default the language that is spoken.
    policy
        What the page may load (Content-Security-Policy).
    """
    opening = "" if body.startswith("<body") else "<body>\n"
    return f"""<!DOCTYPE html>
<html lang="{HTML_LANG[lang or language()]}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{html.escape(title)}</title>
<style>{style}</style>
</head>
{opening}{body}
</body>
</html>
"""


# --- markup ------------------------------------------------------------------------------------------------------------


def escape(text: str) -> str:
    """Escape text for markup, and what a template literal or an older parser could take for code."""
    safe = html.escape(_NOT_IN_MARKUP.sub("", str(text)), quote=True)
    for char in "`${":
        safe = safe.replace(char, f"&#{ord(char)};")
    return safe
