"""
How the documentation is built into a site that opens from disk: `python run.py docs`.

Sphinx reads the Markdown pages of this folder, and the docstrings for the pages of the API; Furo lays them out. Nothing is
loaded from a network. The search takes Chinese as pairs of characters, so that it needs no dictionary of words.
"""

import importlib
import os
import re
from collections.abc import Iterator
from inspect import ismodule

import xinhe_geo

os.environ.setdefault("COLUMNS", "80")
from sphinx.application import Sphinx
from sphinx.search import SearchLanguage

project = "xinhe_geo"
author = project_copyright = "xinhe_geo contributors"
version = release = xinhe_geo.__version__
language = "zh_CN"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
# A page says where its headings are; what is not of this site is named and not linked (`_links_out`).
myst_heading_anchors = 4
suppress_warnings = ["myst.header", "docutils", "ref.python"]
napoleon_google_docstring = False
napoleon_use_ivar = True
autodoc_typehints = "none"
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"

html_theme = "furo"
html_title = "xinhe_geo 文档"
html_copy_source = html_show_sourcelink = html_show_search_summary = False
html_static_path: list[str] = []
html_search_language = "zh-pairs"

#: The packages whose other names stand on the second page of the API, from what people start with to what all rests on.
FRONTS = (
    "access",
    "siting",
    "ledger",
    "renewal",
    "maps",
    "report",
    "io",
    "district",
    "network",
    "core",
    "app",
)


class Pairs(SearchLanguage):
    """Words of letters as they are, runs of Chinese as single characters and pairs: any piece of a sentence is found."""

    lang = "zh-pairs"
    language_name = "Chinese, by pairs"
    js_splitter_code = r"""
function splitQuery(query) {
  const found = [];
  for (const part of query.match(/[\u3400-\u9fff]+|[^\W\d_]\w*|\w+/gu) || []) {
    const han = /^[\u3400-\u9fff]/.test(part);
    if (!han || part.length === 1) found.push(part);
    else for (let i = 0; i + 1 < part.length; i++) found.push(part.slice(i, i + 2));
  }
  return found;
}
"""

    def split(self, input: str) -> list[str]:
        """Return the words of a text."""
        found: list[str] = []
        for part in re.findall(r"[\u3400-\u9fff]+|[A-Za-z0-9_]+", input):
            han = part[0] >= "\u3400"
            found += [*part, *(part[i : i + 2] for i in range(len(part) - 1))] if han else [part]
        return found


def _documented(module: str, names: list[str]) -> Iterator[str]:
    """Yield directives that document names of a module, in order of the alphabet."""
    loaded = importlib.import_module(module)
    for name in sorted(names, key=str.lower):
        thing = getattr(loaded, name)
        if isinstance(thing, type):
            yield f".. autoclass:: {module}.{name}\n   :members:\n"
        elif callable(thing):
            yield f".. autofunction:: {module}.{name}\n"


def _api(front: str, names: list[str]) -> str:
    return "```{eval-rst}\n" + "\n".join(_documented(front, names)) + "```\n"


def _links_out(text: str) -> str:
    """Return a page whose links to files outside this folder are their paths."""
    return re.sub(r"\[([^\]]+)\]\(\.\./([^)]+)\)", r"\1 (`\2`)", text)


def _source_read(app: Sphinx, name: str, content: list[str]) -> None:
    text = _links_out(content[0])
    public = [name for name in xinhe_geo.__all__ if not name.startswith("_")]
    if name == "api":
        text += "\n" + _api("xinhe_geo", public)
    elif name == "api-packages":
        for front in FRONTS:
            held = vars(importlib.import_module(f"xinhe_geo.{front}"))
            others = {name for name, what in held.items() if name[0] != "_" and not ismodule(what)} - set(public)
            text += f"\n## xinhe_geo.{front}\n\n" + _api(f"xinhe_geo.{front}", sorted(others))
    content[0] = text


def setup(app: Sphinx) -> None:
    """Enter what is ours."""
    app.add_search_language(Pairs)
    app.connect("source-read", _source_read)
