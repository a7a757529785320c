"""The documentation as a site that opens from disk."""

from __future__ import annotations

import io
import re
import tempfile
from pathlib import Path

from ..core import XinheError, needing, say, shipped_folder, write_bytes
from ..report import added_to


def build_site(to: str | Path) -> Path:
    """
    Build the documentation: guides in Chinese, the API from the docstrings, with a search that needs no server.

    Parameters
    ----------
    to
        The folder it comes into.

    Returns
    -------
    page
        The first page.

    Raises
    ------
    EnvironmentProblem
        Sphinx and its theme are not installed (extra `docs`), or the folder cannot be written or holds files of others.
    XinheError
        A page is wrong: which one, and where.
    """
    with needing("docs", "做文档网站"):
        import furo  # noqa: F401 (the theme, which is found by name)
        import myst_parser  # noqa: F401 (what reads Markdown)
        from sphinx.application import Sphinx
    source, said = shipped_folder("docs").resolve(), io.StringIO()
    with added_to(Path(to)) as fresh, tempfile.TemporaryDirectory() as trees:
        built = Path(trees, "html")
        app = Sphinx(source, source, built, trees, "html", status=None, warning=said, freshenv=True)
        app.build(force_all=True)
        told = re.sub(r"\x1b\[[\d;]*m", "", said.getvalue()).strip()
        if app.statuscode or told:
            raise XinheError(say("文档没有做好：{0}", told[:2000]))
        for file in sorted(path for path in built.rglob("*") if path.is_file() and not path.name.startswith(".")):
            write_bytes(fresh / file.relative_to(built), file.read_bytes())
    return Path(to) / "index.html"
