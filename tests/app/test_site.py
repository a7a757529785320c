"""The documentation as a site: every page is in it, and what is built leads nowhere that is not there."""

from __future__ import annotations

import importlib.util
import os
import re
import runpy
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

import xinhe_geo as xh
from xinhe_geo.app import cli

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
needs_sphinx = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("furo", "myst_parser", "sphinx")),
    reason="Sphinx is not installed (extra: docs)",
)


def test_every_page_is_in_the_table_of_contents_once() -> None:
    trees = re.findall(r"```\{toctree\}\n(.+?)```", (DOCS / "index.md").read_text("utf-8"), re.DOTALL)
    pages = [line for tree in trees for line in tree.splitlines() if line and not line.startswith(":")]
    assert sorted([*pages, "index"]) == sorted(page.name.removesuffix(".md") for page in DOCS.glob("*.md"))


def test_every_picture_is_in_the_gallery_or_explains_something() -> None:
    shown = "\n".join(page.read_text("utf-8") for page in [*DOCS.glob("*.md"), *ROOT.glob("*.md")])
    for picture in (DOCS / "images").iterdir():
        assert picture.is_dir() or f"images/{picture.name}" in shown, picture.name


def test_the_pages_of_packages_are_of_those_there_are() -> None:
    """A package that has moved would stop the whole site."""
    (fronts,) = re.findall(r"^FRONTS = \((.+?)\)", (DOCS / "conf.py").read_text("utf-8"), re.DOTALL | re.MULTILINE)
    packages = {path.parent.name for path in (ROOT / "xinhe_geo").glob("*/__init__.py")}
    assert sorted(re.findall(r'"(\w+)"', fronts)) == sorted(packages)


@needs_sphinx
def test_the_reference_names_what_the_fronts_offer() -> None:
    """Every public name once, and in the reference of packages what their fronts offer besides: a front that says it otherwise stops the site."""
    made = runpy.run_path(str(DOCS / "conf.py"))
    said: dict[str, list[str]] = {}
    for page in ("api", "api-packages"):
        content = [""]
        made["_source_read"](None, page, content)
        said[page] = re.findall(r"auto(?:class|function):: xinhe_geo\.(\S+)", content[0])
    assert {name.partition(".")[0] for name in said["api-packages"]} == set(made["FRONTS"])
    assert set(said["api"]) >= {"coverage", "District"} and "access.od_tables" in said["api-packages"]
    assert all(len(set(names)) == len(names) for names in said.values())


class Page(HTMLParser):
    """What a page links to and loads, and the places in it that can be linked to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.leads: list[str] = []
        self.loads: list[str] = []
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.places.add(given.get("id", ""))
        if tag == "a" and "href" in given:
            self.leads.append(given["href"])
        elif tag in ("img", "script", "iframe") and "src" in given:
            self.loads.append(given["src"])
        elif tag == "link" and given.get("rel") in ("stylesheet", "icon", "preload"):
            self.loads.append(given.get("href", ""))


@needs_sphinx
@pytest.mark.matrix
@pytest.mark.browser
def test_the_site_opens_from_disk_its_links_lead_somewhere_and_it_is_searched(tmp_path: Path, chromium: Any) -> None:
    site = tmp_path / "站"
    # by itself, as it is typed: here every warning is an error, and Sphinx warns of what Sphinx does
    typed = [sys.executable, "-P", "-m", "xinhe_geo", "docs", "--out", str(site)]
    done = subprocess.run(typed, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, check=False)
    assert done.returncode == cli.DONE, done.stderr.decode()
    pages = {path: Page(path.read_text("utf-8")) for path in site.rglob("*.html")}
    assert len(pages) >= 20
    for path, page in pages.items():
        assert not [url for url in page.loads if re.match(r"(https?:)?//", url)], path.name
        for url in [*page.leads, *page.loads]:
            target, _, place = unquote(url.partition("?")[0]).partition("#")
            if re.match(r"[a-z]+:", target):
                continue
            there = (path.parent / target).resolve() if target else path
            assert there.is_file(), f"{path.name}: {url}"
            assert not place or there not in pages or place in pages[there].places, f"{path.name}: {url}"
    api = (site / "api.html").read_text("utf-8")
    assert all(f'id="xinhe_geo.{name}"' in api for name in xh.__all__ if not name.startswith("_"))

    context = chromium.new_context(offline=True)
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    tab = context.new_page()
    try:
        for words, found in (("谁走得到", "how-to.html"), ("等时圈", "tutorial.html"), ("isochrones", "api.html")):
            tab.goto(f"{(site / 'search.html').as_uri()}?q={words}")
            hit = tab.locator(f"#search-results a[href*='{found}']").first
            hit.wait_for(timeout=20_000)
        assert all(url.startswith(("file:", "data:")) for url in asked)
    finally:
        context.close()
