"""What grows is one record each: a metric, an edit, a format and a page that nobody has seen work once they are entered."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import ledger_toy
import pytest

import xinhe_geo as xh
from xinhe_geo.core.i18n import speaking
from xinhe_geo.core.models import Edit
from xinhe_geo.core.schema import LAYERS, METRICS
from xinhe_geo.core.sentences import english
from xinhe_geo.core.strangers import reading
from xinhe_geo.district import blank, conflicts, steps
from xinhe_geo.district.edited_rows import EditedRows
from xinhe_geo.district.edits import ACTIONS, Action
from xinhe_geo.io import FORMATS, add
from xinhe_geo.io.formats import Format
from xinhe_geo.io.incoming import Incoming
from xinhe_geo.ledger.metrics.base import MEASURED, Found, Measure, Metric, metric, touch
from xinhe_geo.ledger.metrics.base import METRICS as RECORDS
from xinhe_geo.maps import too_many_to_meet
from xinhe_geo.report.pages import registry
from xinhe_geo.report.pages.registry import PAGES, Page, Shown

#: A place in the toy district.
LON, LAT = 117.0023, 39.0113


def test_a_metric(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its record and function, its name among the values of the column, its words in English: three files."""
    record = Metric("玩具", "小区数的两倍", layers=("homes",), columns=("minutes",), in_parts=True, scoped=False)

    def doubled(district: xh.District, _: Measure) -> Found:
        homes = district.layers["homes"]
        return Found(2.0 * len(homes), f"{len(homes)} 处", touch(district, "homes"))

    column = LAYERS["measures"].names["metric"]
    assert column.values == METRICS and set(METRICS) == set(RECORDS) == set(MEASURED)
    object.__setattr__(column, "values", (*METRICS, "doubled"))
    try:
        metric("doubled", record)(doubled)
        row = {"unit": "处", "minutes": 15, "operator": ">=", "low": 12}
        found = ledger_toy.evaluated(ledger_toy.measure("own", "doubled", **row)).loc["own"]
        homes = len(ledger_toy.toy().layers["homes"])
        assert (found["value"], found["verdict"], found["method"]) == (
            2 * homes,
            "部分达标" if homes < 6 else "达标",
            "玩具",
        )
        with pytest.raises(xh.DataError, match="必须填"):
            ledger_toy.evaluated(ledger_toy.measure("own", "doubled", unit="处"))
        for text in (record.label, record.formula):
            monkeypatch.setitem(english()["say"], text, "twice the homes")
        there = xh.ledger(ledger_toy.toy_with([ledger_toy.measure("own", "doubled", **row)]), lang="en")
        assert there.iloc[0]["method"] == "twice the homes"
    finally:
        object.__setattr__(column, "values", METRICS)
        RECORDS.pop("doubled", None), MEASURED.pop("doubled", None)


def test_an_edit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its record in one file: written in a plan, said in words, offered in a new plan, carried out, refused."""

    def paint(work: EditedRows, e: Mapping[str, Any]) -> None:
        work.need("facilities", e["facility"])
        work.put("facilities", e["facility"], "name", e["colour"])

    form = ACTIONS["add_street"].may["name"]
    own = Action(
        "刷漆", {"facility": ACTIONS["close_facility"].needs["facility"], "colour": form}, {}, paint, help="要环保漆"
    )
    monkeypatch.setitem(ACTIONS, "paint", own)
    district = ledger_toy.toy()
    facility = str(district.layers["facilities"].index[0])
    plan = xh.Scenario("p", edits=(Edit("paint", {"facility": facility, "colour": "红"}),))
    assert conflicts(plan, district).empty
    assert plan.on(district).layers["facilities"].loc[facility, "name"] == "红"
    assert steps(plan, district).loc[1, "text"].startswith("刷漆：")
    assert "# 刷漆：要环保漆" in blank(district, "new") and f'# facility = "{facility}"' in blank(district, "new")
    wrong = xh.Scenario("p", edits=(Edit("paint", {"facility": facility, "colour": 3}),))
    assert "colour 的写法不对" in conflicts(wrong, district).iloc[0]["problem"]


@pytest.mark.slow
def test_a_format(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its record in one file: read by `add`, and named where a file is of no kind that is known."""

    def read(path: Path, *_: object) -> Incoming:
        heads, *rows = [line.split("|") for line in path.read_text("utf-8").splitlines()]
        return Incoming(path.name, heads, rows, list(range(2, 2 + len(rows))), None, None)

    monkeypatch.setitem(FORMATS, ".psv", Format(read, tables=True))
    file = tmp_path / "新.psv"
    file.write_text(f"编号|名称|类别|经度|纬度\nP1|玩具站|canteen|{LON}|{LAT}\n", "utf-8")
    with reading(tmp_path):  # a process that is started for files of strangers would not know the toy
        report = add(file, ledger_toy.TOY, "facilities", crs="WGS84")
    assert dict(zip(report["key"], report["result"], strict=True))["P1"] == "new"
    other = tmp_path / "新.xyz"
    other.write_text("x", "utf-8")
    with pytest.raises(xh.SourceError, match=r"\.psv"):
        add(other, ledger_toy.TOY, "facilities", crs="WGS84")


def test_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its record in one file: made with the others that need as much, and linked by the brief in either language."""
    own = Page("toy.html", "玩具页", "results", lambda shown: f"<title>{shown.district.name}</title>")
    none = Page("none.html", "没有的页", "results", lambda shown: None)
    monkeypatch.setattr(registry, "PAGES", [*PAGES, own, none])
    district = ledger_toy.toy()
    assert dict(registry.made("results", Shown(district))) == {"toy.html": f"<title>{district.name}</title>"}
    assert {page.needs for page in PAGES} <= {"district", "ledger", "results"}
    assert len({page.file for page in PAGES}) == len(PAGES) and all(page.link in english()["say"] for page in PAGES)


def test_no_meeting_map_of_more_homes_than_it_is_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not written, and said in one sentence: how many there are, and what to do instead."""
    toy = ledger_toy.toy()
    homes, streets = len(toy.layers["homes"]), len(toy.layers["streets"])
    assert too_many_to_meet(toy) == ""
    monkeypatch.setattr(import_module("xinhe_geo.maps.city"), "MOST_BYTES", 100)
    assert "meeting.html" not in dict(registry.made("district", Shown(toy)))
    for lang, words in (
        ("zh", f"{homes} 个小区、{streets} 条街道"),
        ("en", f"{homes} homes and {streets} streets"),
    ):
        with speaking(lang):
            assert words in too_many_to_meet(toy) and " split" in too_many_to_meet(toy)
