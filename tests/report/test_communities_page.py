"""The page of communities: one file, one printed page per community."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from ledger_toy import ALL, CIRCLE, measure, toy, toy_with

import xinhe_geo as xh
from xinhe_geo.ledger import community_targets
from xinhe_geo.report.pages.communities import communities_page

ROWS = [
    measure("canteen", "communities_with", kinds="canteen", **ALL),
    measure("circle", "coverage", **{**ALL, **CIRCLE}),
]


@pytest.mark.slow
def test_without_communities_or_homes_nothing_is_made_up() -> None:
    district = toy_with(ROWS)
    for layer in ("communities", "homes", "facilities", "streets"):
        without = district.with_rows({layer: None})
        page = communities_page(without, xh.ledger(without))
        assert ("layers.communities" in page) == (layer == "communities"), layer


@pytest.mark.slow
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


@pytest.mark.slow
def test_what_to_do_first_who_and_by_when_is_as_typed() -> None:
    """What is missing altogether comes first; whoever was typed for that target is named, else 待填."""
    district = toy_with(ROWS)
    table = xh.ledger(district)
    page = communities_page(district, table)
    told = re.findall(r'<p class="todo">(.*?)</p>', page)
    assert told and all("责任科室：待填；年度节点：待填" in line for line in told)
    assert any("老年食堂" in line for line in told)
    commitments = table.index.get_level_values("commitment").unique()
    typed = pd.DataFrame({"责任科室": "民政科", "年度节点": "2026"}, index=commitments)
    told = re.findall(r'<p class="todo">(.*?)</p>', communities_page(district, table, typed))
    assert told and all("责任科室：民政科；年度节点：2026" in line for line in told)


def test_a_community_stands_among_the_others() -> None:
    """The residential land within 300 m: only that of A, one home of four."""
    near = {**ALL, "rule": "gb50180_clinic_station", "weight": "area_m2"}
    district = toy_with([measure("near", "coverage", **near)])
    targets = community_targets(district, xh.ledger(district))
    short = targets[(targets["short"].astype(bool) & (targets["unit"] == "%")).to_numpy()]
    page = communities_page(district, xh.ledger(district))
    assert len(short) and page.count('<svg class="strip"') == int(short["value"].notna().sum())
    shares = targets.xs("T1.near", level="measure")["value"]
    for code in short.xs("T1.near", level="measure").index:
        place = 1 + int((shares > shares[code] + 1e-9).sum())
        assert f"{shares.notna().sum()} 个社区里从高到低第 {place}" in page
