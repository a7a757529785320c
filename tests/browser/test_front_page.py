"""The first page in a browser: what is seen without scrolling, what is printed, and that nothing is loaded or said."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pypdf
import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def opened(chromium: Any, page: Path, width: int, height: int) -> tuple[Any, list[str], list[str]]:
    tab = chromium.new_context(viewport={"width": width, "height": height}, offline=True).new_page()
    requests, messages = list[str](), list[str]()
    tab.on("request", lambda request: requests.append(request.url))
    tab.on("console", lambda message: messages.append(message.text))
    tab.goto(page.as_uri())
    return tab, requests, messages


def check(chromium: Any, page: Path) -> None:
    tab, requests, messages = opened(chromium, page, 1366, 768)
    boxes = tab.evaluate("[...document.querySelectorAll('.conclusion li')].map(e => e.getBoundingClientRect().bottom)")
    assert len(boxes) == 3 and max(boxes) < 768
    assert len(requests) == 1 and messages == []
    sizes = tab.evaluate(
        """[...document.querySelectorAll('main svg text')].map(t => {
            const svg = t.ownerSVGElement;
            return parseFloat(getComputedStyle(t).fontSize) * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width; })"""
    )
    assert sizes and min(sizes) >= 9
    reader = pypdf.PdfReader(io.BytesIO(tab.pdf(format="A4", prefer_css_page_size=True, print_background=True)))
    texts = [p.extract_text() for p in reader.pages]
    annex = next(i for i, text in enumerate(texts) if text.lstrip().startswith(("附件", "Annex")))
    assert annex == 2, "two pages, then the annex"
    assert all(len(text) > 250 for text in texts[:-1]), "no empty half"
    tab.context.close()
    tab, _, _ = opened(chromium, page, 390, 844)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    tab.context.close()


def test_the_first_page_of_a_small_district(chromium: Any, toy_report: Path) -> None:
    check(chromium, toy_report / "index.html")


@pytest.mark.matrix
def test_and_that_of_the_bundled_one_in_both_languages(chromium: Any, bundled_reports: Path) -> None:
    for lang in ("zh", "en"):
        check(chromium, bundled_reports / lang / "index.html")
