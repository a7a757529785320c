"""The page of communities: one file, one printed page per community."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ledger_toy import ALL, CIRCLE, measure, toy, toy_with

import xinhe_geo as xh
from xinhe_geo.report.pages.communities import communities_page

ROWS = [
    measure("canteen", "communities_with", kinds="canteen", **ALL),
    measure("circle", "coverage", **{**ALL, **CIRCLE}),
]


def test_without_communities_or_homes_nothing_is_made_up() -> None:
    district = toy_with(ROWS)
    for layer in ("communities", "homes", "facilities", "streets"):
        without = district.with_rows({layer: None})
        page = communities_page(without, xh.ledger(without))
        assert ("layers.communities" in page) == (layer == "communities"), layer


def test_page_is_one_file_and_escapes() -> None:
    rows = dict(toy_with(ROWS).rows)
    rows["communities"] = rows["communities"].assign(name="<img src=x>")
    district = toy().with_rows(rows)
    page = communities_page(district, xh.ledger(district))
    assert "&lt;img src=x&gt;" in page and "<img" not in page and "http:" not in page and "https:" not in page
    assert page.count('<section class="community"') == 2 and "default-src 'none'" in page


@pytest.mark.browser
def test_one_community_is_chosen_and_printed(tmp_path: Path, chromium: Any) -> None:
    district = toy_with(ROWS)
    path = tmp_path / "communities.html"
    path.write_text(communities_page(district, xh.ledger(district)), "utf-8")
    page = chromium.new_page()
    page.goto(path.as_uri())
    assert page.locator(".community:visible").count() == 2
    page.select_option("#pick", label="乙社区")
    assert page.locator(".community:visible").count() == 1 and "乙社区" in page.inner_text(".community:visible h2")
    page.goto(path.as_uri() + "#c-T01")
    page.close()
