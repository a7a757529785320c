"""与上次相比 as a section of a page: what changed, told and escaped."""

from __future__ import annotations

import pandas as pd

from xinhe_geo.ledger import changes
from xinhe_geo.report.pages.since import since_section

SAME = {"district": {"name": "甲"}, "parameters": {"year": 2022}, "inputs": {}, "ledger": {}}


def test_nothing_changed_is_said() -> None:
    assert "没有变化" in since_section(changes(SAME, SAME))


def test_each_change_is_a_row_and_escapes() -> None:
    table = changes(
        {**SAME, "parameters": {"year": 2023, "scenario": "<b>"}},
        {**SAME, "parameters": {"year": 2022, "scenario": ""}},
    )
    page = since_section(table)
    assert page.count("<tr>") == 1 + len(table) == 3 and "参数 2 处" in page
    assert "&lt;b&gt;" in page and "<b>" not in page


def test_what_was_not_there_is_said_in_words() -> None:
    table = pd.DataFrame([("结果", "T1", "量", "", "1 个")], columns=["part", "id", "label", "before", "after"])
    assert "<td>没有</td><td>1 个</td>" in since_section(table)
