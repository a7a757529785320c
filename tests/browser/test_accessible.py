"""What hinders people who do not see the page, or have no mouse: the rules of axe that our pages broke, checked on every sort of page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ledger_toy import ALL, CIRCLE, measure, toy_with
from seen import CHECK

import xinhe_geo as xh
from xinhe_geo.maps.meeting import meeting
from xinhe_geo.report.pages.communities import communities_page
from xinhe_geo.report.pages.ledger import ledger_page
from xinhe_geo.report.pages.shell import heads, html_page, scrolled

ROWS = [
    measure("canteen", "communities_with", kinds="canteen", **ALL),
    measure("circle", "coverage", **{**ALL, **CIRCLE}),
]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    district, folder = toy_with(ROWS), tmp_path_factory.mktemp("pages")
    table = xh.ledger(district)
    cover = xh.coverage(district)
    made = {
        "ledger.html": ledger_page(district, table),
        "communities.html": communities_page(district, table),
        "meeting.html": meeting(district),
    }
    for name, text in made.items():
        (folder / name).write_text(text, "utf-8")
    xh.draw(district, cover).save(folder / "map.html")
    return {name: folder / name for name in [*made, "map.html"]}


@pytest.mark.one_in(3)
@pytest.mark.browser
@pytest.mark.parametrize("width", [1366, 390])
@pytest.mark.parametrize("name", ["ledger.html", "communities.html", "meeting.html", "map.html"])
def test_nothing_hinders(chromium: Any, pages: dict[str, Path], name: str, width: int) -> None:
    page = chromium.new_page(viewport={"width": width, "height": 768})
    page.goto(pages[name].as_uri())
    page.wait_for_timeout(700)
    assert page.evaluate(CHECK) == []
    if name == "meeting.html":
        page.evaluate("() => { xinhe.page.setMode('work'); xinhe.page.lookAt(0); }")
        assert page.evaluate(CHECK) == []
    page.close()


@pytest.mark.browser
def test_each_hindrance_is_seen(chromium: Any) -> None:
    faults = {
        "name": "<main><button></button></main>",
        "nested-interactive": "<main><details><summary>a<button>b</button></summary></details></main>",
        "svg-img-alt": "<main><svg role=img width=9 height=9></svg></main>",
        "duplicate-id": "<main><p id=a>1</p><p id=a>2</p></main>",
        "heading-order": "<main><h1>a</h1><h3>b</h3></main>",
        "region": "<div>out of everything</div>",
        "scrollable-region-focusable": "<main><div style='height:9px;overflow:auto'>a<br>b<br>c</div></main>",
    }
    page = chromium.new_page()
    for rule, body in faults.items():
        page.set_content(f"<html lang=en><title>t</title>{body}</html>")
        assert [found.split(":")[0] for found in page.evaluate(CHECK)] == [rule]
    page.close()


@pytest.mark.browser
def test_who_wants_less_motion_gets_none(chromium: Any, pages: dict[str, Path]) -> None:
    page = chromium.new_page(reduced_motion="reduce")
    page.goto(pages["meeting.html"].as_uri())
    page.wait_for_selector("body.xm-ready")
    moving = """Array.from(document.querySelectorAll('*')).filter((e) => { const s = getComputedStyle(e);
        return parseFloat(s.transitionDuration) > 0.01 || (s.animationName !== 'none' && parseFloat(s.animationDuration) > 0.01); }).length"""
    assert page.evaluate(moving) == 0
    page.close()


@pytest.mark.matrix
@pytest.mark.browser
def test_a_community_is_one_sheet_of_paper(chromium: Any, pages: dict[str, Path]) -> None:
    page = chromium.new_page()
    page.goto(pages["communities.html"].as_uri())
    paper = page.pdf(format="A4", print_background=True)
    assert len(re.findall(rb"/Type\s*/Page\b", paper)) == page.locator(".community").count() == 2
    page.close()


@pytest.mark.browser
def test_a_short_word_is_in_one_line_on_paper(chromium: Any) -> None:
    """Beside columns of long texts too: no word of two or three characters stands one above the other on a printed page."""
    long = "步行道、小路占公共路网长度的比例很低，多半是没有画步行道，补画以后再下结论" * 2
    cells = ["要紧", "位置", long, "41,620", "养老院", long, "示意"]
    row = "".join(f"<td>{text}</td>" for text in cells)
    body = f'<section class="annex">{scrolled(heads(cells), f"<tr>{row}</tr>")}</section>'
    page = chromium.new_page(viewport={"width": 703, "height": 1000})
    page.set_content(html_page("x", "", body, lang="zh"))
    page.emulate_media(media="print")
    broken = page.evaluate(
        """() => Array.from(document.querySelectorAll("td")).filter((cell) => cell.textContent.length < 4).filter((cell) => {
            const words = document.createRange();
            words.selectNodeContents(cell);
            return words.getClientRects().length > 1; }).map((cell) => cell.textContent)"""
    )
    assert broken == [] and page.evaluate("document.body.scrollWidth <= innerWidth")
    page.close()
