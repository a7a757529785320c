"""
What a notebook keeps of a map: a picture for whoever has no kernel or has not trusted the file, and the live page, packed.

JupyterLab takes frames, styles and scripts out of a notebook that is not trusted, and leaves pictures and text. So the picture stands
in the markup itself, with a sentence on trust; a style that is there only when the file is trusted hides both.
"""

from __future__ import annotations

import base64
import io
from functools import lru_cache
from typing import Any

from ..core import escape, packaged_font, packed_page, say

#: Width in pixels, and colours: legible on a projector, and small enough that a notebook with three maps stays below 1 MB.
_WIDE, _COLOURS = 800, 48


@lru_cache(maxsize=4)
def png_of(svg: str) -> bytes | None:
    """Return a picture as a PNG of few colours; None where the packages that draw it (extra `lab`) are not installed."""
    try:
        import resvg_py
    except ImportError:
        return None
    font = packaged_font()
    own: dict[str, Any] = (
        {"skip_system_fonts": True, "font_files": [str(font)], "sans_serif_family": "Noto Sans SC"} if font else {}
    )
    drawn = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=_WIDE, **own))
    try:
        from PIL import Image
    except ImportError:
        return drawn
    packed = io.BytesIO()
    flat = Image.open(io.BytesIO(drawn)).convert("RGB")
    flat.quantize(_COLOURS, dither=Image.Dither.NONE).save(packed, "PNG", optimize=True)
    return packed.getvalue()


def image(svg: str, title: str) -> str:
    """Return a picture as an element that survives where nothing is trusted: a PNG, or the drawing itself where none can be made."""
    png = png_of(svg)
    kind, data = ("png", png) if png is not None else ("svg+xml", svg.encode())
    return f'<img alt="{escape(title)}" style="max-width:100%" src="data:image/{kind};base64,{base64.b64encode(data).decode("ascii")}">'


def still_and_live(svg: str, page: str, title: str, height: int) -> str:
    """Return the markup of a map in a notebook: its picture and a sentence where the file is not trusted, else the live page."""
    how = say("这是一张图。要能放大、点选：点菜单“文件 → 信任笔记本”（或重新运行这一格）。")
    frame = escape(packed_page(page))
    return (
        f'<div class="xh-still">{image(svg, title)}<p>{escape(how)}</p></div><style>.xh-still{{display:none}}</style>'
        f'<iframe srcdoc="{frame}" title="{escape(title)}" allowfullscreen '
        f'style="display:block;width:100%;height:{height}px;border:1px solid #d9d3c7"></iframe>'
    )
