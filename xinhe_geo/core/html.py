"""Text made safe for markup, the style sheets and scripts that pages carry, and the frame of a page."""

from __future__ import annotations

import base64
import hashlib
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
    return scripts_by_hash(f"""<!DOCTYPE html>
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
""")


_SCRIPTS = re.compile(r"<script(?P<said>[^>]*)>(?P<text>.*?)</script", re.DOTALL | re.IGNORECASE)
_DATA = re.compile(r"\stype\s*=\s*[\"']?(?!text/javascript|module)", re.IGNORECASE)
_INNER = re.compile(r"\ssrcdoc=\"([^\"]*)\"")
_HANDLERS = re.compile(r"\son[a-z]+=\"([^\"]*)\"")


def scripts_by_hash(page: str) -> str:
    """
    Return a page whose policy lets those scripts run that stand in it now, by their hashes, and no other.

    Whatever somebody manages to put into a name is then no script even where it gets into the page as markup. A page whose
    policy allows no scripts stays as it is. What is attached to single elements counts as well (`onclick`).
    """
    if "script-src 'unsafe-inline'" not in page:
        return page
    texts, handlers = _scripts(page)
    sources = [f"'sha256-{_digest(text)}'" for text in dict.fromkeys([*texts, *handlers])] or ["'none'"]
    if handlers:
        sources.insert(0, "'unsafe-hashes'")
    return page.replace("script-src 'unsafe-inline'", f"script-src {' '.join(sources)}", 1)


def _scripts(page: str) -> tuple[list[str], list[str]]:
    """Return the scripts of a page, and those attached to elements; with them those of pages within it, which obey it too."""
    texts = [found["text"] for found in _SCRIPTS.finditer(page) if not _DATA.search(found["said"])]
    elements = _SCRIPTS.sub("", page)
    handlers = [html.unescape(text) for text in _HANDLERS.findall(elements)]
    for inner in _INNER.findall(elements):
        more = _scripts(html.unescape(inner))
        texts += more[0]
        handlers += more[1]
    return texts, handlers


def _digest(script: str) -> str:
    """Return the hash of a script as browsers take it: line ends are one sign."""
    read = script.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")
    return base64.b64encode(hashlib.sha256(read.encode("utf-8", "replace")).digest()).decode()


# --- markup ------------------------------------------------------------------------------------------------------------


def escape(text: str) -> str:
    """Escape text for markup, and what a template literal or an older parser could take for code."""
    safe = html.escape(_NOT_IN_MARKUP.sub("", str(text)), quote=True)
    for char in "`${":
        safe = safe.replace(char, f"&#{ord(char)};")
    return safe
