"""Text made safe for markup, the style sheets and scripts that pages carry, and the frame of a page."""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import re
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from importlib import resources
from typing import Any, NamedTuple

from .i18n import HTML_LANG
from .sentences import language

_TURNING = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
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
    return by_hash(f"""<!DOCTYPE html>
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


# What is no "<" is stepped over in one go: a page is half a megabyte, most of it data in one element.
_SCRIPTS = re.compile(r"<script(?P<said>[^>]*)>(?P<text>(?:[^<]++|<(?!/script))*+)</script", re.IGNORECASE)
_STYLES = re.compile(r"<style[^>]*>(?P<text>(?:[^<]++|<(?!/style))*+)</style", re.IGNORECASE)
_DATA = re.compile(r"\stype\s*=\s*[\"']?(?!text/javascript|module)", re.IGNORECASE)
_PACKED = re.compile(r"atob\(\"([A-Za-z0-9+/=]+)\"\)")
_INNER = re.compile(r"\ssrcdoc=\"([^\"]*)\"")
_HANDLERS = re.compile(r"\son[a-z]+=\"([^\"]*)\"")
_LOOKS = re.compile(r"\sstyle=(?:\"([^\"]*)\"|'([^']*)')")


def unturned(text: str) -> str:
    """Return a text without signs that turn the direction of what follows: beside such a name 120 would be read 021."""
    for sign in _TURNING:  # twelve times to look for one sign is a fifth of looking for any of twelve
        if sign in text:  # and a ninth of replacing what is not there
            text = text.replace(sign, "")
    return text


def by_hash(page: str) -> str:
    """
    Return a page whose policy lets those scripts and styles count that stand in it now, by their hashes, and no other.

    Whatever somebody manages to put into a name is then no script and no style even where it gets into the page as markup. What a
    policy does not allow at all stays so. What is attached to single elements counts as well (`onclick`, `style`). Signs that turn the
    direction of what follows are taken out: a number beside such a name would be read backwards.
    """
    page = unturned(page)
    parts = _apart(page)
    for kind, found in (("script", _scripts), ("style", _styles)):
        if f"{kind}-src 'unsafe-inline'" in page:
            texts, attached = found(parts)
            sources = [f"'sha256-{_digest(text)}'" for text in dict.fromkeys([*texts, *attached])] or ["'none'"]
            if attached:
                sources.insert(0, "'unsafe-hashes'")
            page = page.replace(f"{kind}-src 'unsafe-inline'", f"{kind}-src {' '.join(sources)}", 1)
    return page


class _Parts(NamedTuple):
    """The scripts and the style sheets of a page, and the rest of it without these and without its data."""

    scripts: list[str]
    styles: list[str]
    elements: str


def _apart(page: str) -> _Parts:
    scripts, elements, at = [], [], 0
    for found in _SCRIPTS.finditer(page):
        elements.append(page[at : found.start()])
        at = found.end()
        if not _DATA.search(found["said"]):
            scripts.append(found["text"])
    without = "".join([*elements, page[at:]])
    return _Parts(scripts, [found["text"] for found in _STYLES.finditer(without)], _STYLES.sub("", without))


def _scripts(page: _Parts) -> tuple[list[str], list[str]]:
    """Return the scripts of a page, and those attached to elements; with them those of pages within it, which obey it too."""
    handlers = [html.unescape(text) for text in _HANDLERS.findall(page.elements)]
    return _with_inner([page.elements], page.scripts, handlers, _scripts)


def _styles(page: _Parts) -> tuple[list[str], list[str]]:
    """Return the style sheets of a page, and what is attached to elements, as `_scripts`; also to those that a script makes."""
    elements = [page.elements, *page.scripts]
    looks = [html.unescape(a or b) for part in elements for a, b in _all(_LOOKS, part)]
    return _with_inner(elements, page.styles, looks, _styles)


@lru_cache(maxsize=16)
def _all(pattern: re.Pattern[str], text: str) -> list[Any]:
    """Return all that a pattern finds: the same scripts stand in every page."""
    found: list[Any] = pattern.findall(text)
    return found


def _with_inner(
    elements: Sequence[str],
    texts: list[str],
    attached: list[str],
    found: Callable[[_Parts], tuple[list[str], list[str]]],
) -> tuple[list[str], list[str]]:
    framed = (part for part in elements if "srcdoc" in part)
    for inner in (html.unescape(text) for part in framed for text in _all(_INNER, part)):
        packed = (gzip.decompress(base64.b64decode(text)).decode() for text in _PACKED.findall(inner))
        for page in (inner, *packed):
            more = found(_apart(page))
            texts, attached = texts + more[0], attached + more[1]
    return texts, attached


def packed_page(page: str) -> str:
    """Return a page, for a frame, that unpacks itself there: a fifth as long, and one that never opens costs nothing."""
    packed = base64.b64encode(gzip.compress(page.encode(), 9, mtime=0)).decode("ascii")
    return (
        f'<meta charset="utf-8"><script>(async()=>{{const b=Uint8Array.from(atob("{packed}"),c=>c.charCodeAt(0));'
        'const t=await new Response(new Blob([b]).stream().pipeThrough(new DecompressionStream("gzip"))).text();'
        "document.open();document.write(t);document.close()})()</script>"
    )


@lru_cache(maxsize=32)
def _digest(script: str) -> str:
    """Return the hash of a script or style as browsers take it: line ends are one sign."""
    read = script.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")
    return base64.b64encode(hashlib.sha256(read.encode("utf-8", "replace")).digest()).decode()


# --- markup ------------------------------------------------------------------------------------------------------------


def escape(text: str) -> str:
    """Escape text for markup, and what a template literal or an older parser could take for code."""
    safe = html.escape(_NOT_IN_MARKUP.sub("", str(text)), quote=True)
    for char in "`${":
        safe = safe.replace(char, f"&#{ord(char)};")
    return safe
