"""The evidence map: every row of the ledger with a number, coloured by the numbers the ledger itself is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from ledger_toy import ALL, CIRCLE, measure, toy_with

import xinhe_geo as xh
from xinhe_geo import maps
from xinhe_geo.maps.evidence import evidence_themes
from xinhe_geo.report.pages.ledger import ledger_page

ENOUGH = {"kinds": "clinic_station", "field": "count", "per": 300, "norm": 1, "decay": "walk15", **ALL}
ROWS = [
    measure("enough", "capacity", **ENOUGH),
    measure("circle", "coverage", unit="%", **CIRCLE),
    measure("canteen", "communities_with", kinds="canteen", **ALL),
    measure("count", "count", kinds="fitness", unit="处"),
    measure("none", "missing", lacks="行车时间"),
]


@pytest.fixture(scope="module")
def toy() -> xh.District:
    return toy_with(ROWS)


@pytest.fixture(scope="module")
def table(toy: xh.District) -> pd.DataFrame:
    return xh.ledger(toy)


def test_each_row_with_a_number_is_a_theme(toy: xh.District, table: pd.DataFrame) -> None:
    themes = {theme.id: theme for theme in evidence_themes(toy, table)}
    assert list(themes) == ["T1.enough", "T1.circle", "T1.canteen", "T1.count"]
    enough = themes["T1.enough"]
    homes = list(toy.layers["homes"].index)
    cells = {label: dict(zip(homes, values, strict=True)) for label, values in enough.table}
    # A gets 300 / 270 of the norm, B and D 0.68 * 300 / 270 of what they need, E gets nothing; how many live in C nobody knows
    assert [cells["份额"][home] for home in "ABDE"] == ["100 %", "75.6 %", "75.6 %", "0 %"] and cells["份额"][
        "C"
    ] is None
    assert cells["需要的人"]["B"] == "200" and cells["其中够得着的"]["E"] == "0"
    assert cells["分到的（每 300 人，应有 1）"]["A"] == "1.11" and cells["按应有数还差"]["B"] == "0.16"
    assert (
        enough.kinds == ("clinic_station",)
        and enough.facts[0]["big"] == "80.2 %"
        and enough.facts[0]["tag"] == "部分达标"
    )
    shown = [enough.modes[0].styles[i]["label"] for i in enough.modes[0].pick]
    assert shown == ["80–100 %", "60–80 %", "不在范围内或数据不足", "60–80 %", "0 %"]
    assert "homes" in enough.on and themes["T1.canteen"].on == ["communities", "facilities"]
    assert themes["T1.canteen"].layer == "presence" and list(themes["T1.canteen"].modes[0].pick) == [1, 0]
    assert themes["T1.count"].kinds == ("fitness",) and themes["T1.count"].facts[0]["big"] == "1 处"


def test_a_row_opens_its_map(toy: xh.District, table: pd.DataFrame) -> None:
    page = ledger_page(toy, table, maps={"": "maps/evidence.html", "plan_clinic_15": "maps/plan_clinic_15.html"})
    for name in ("enough", "circle", "canteen", "count"):
        assert f'href="maps/evidence.html#T1.{name}"' in page
    assert "evidence.html#T1.none" not in page and page.count('href="maps/plan_clinic_15.html"') == 1


@pytest.mark.browser
def test_the_address_chooses_the_row(tmp_path: Path, chromium: Any, toy: xh.District, table: pd.DataFrame) -> None:
    path = tmp_path / "evidence.html"
    maps.evidence(toy, table).save(path)
    page = chromium.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(f"{path.as_uri()}#T1.enough")
    assert page.inner_text("#xh-title") == "玩具街道 · enough" and "80.2 %" in page.inner_text("#xh-theme")
    page.evaluate("location.hash = 'T1.canteen'")
    page.wait_for_function("document.getElementById('xh-title').textContent.endsWith('canteen')")
    assert page.eval_on_selector("#xh-select", "s => s.selectedOptions[0].textContent").startswith("T1.canteen")
    page.evaluate("location.hash = '%E0%A4%A'")
    page.goto(path.as_uri() + "#none")
    page.close()
    assert said == []
