"""What is said of a range, and the commands that write it."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_robustness import DOUBTS, TOY, doubting

import xinhe_geo as xh
from xinhe_geo.app.cli import main
from xinhe_geo.core import speaking
from xinhe_geo.report import Analysis, check_list, firmness, ranges_sheet
from xinhe_geo.report.story.goals import firmness_of


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_verdict_stays_at_what_is_agreed(lang: str) -> None:
    """Beside it stand what is to be checked and the ends; whether a check can turn it is said only where there is a verdict."""
    toy = doubting(xh.District.load(TOY), {"g": DOUBTS["g"]})
    with speaking(lang):
        analysis = Analysis.of(toy)
        ranges = xh.robustness(toy, ["plan_clinic_15"])
        told = []
        for low, high in ((0.4, 0.98), (0.4, 1.0), (0.972, 0.9721)):
            (one,) = firmness_of(analysis, ranges.assign(low=low, high=high, cause="gates:gate", cause_facts=3))
            told.append((one.text, one.turns))
    gates = "3 处出入口未核，" if lang == "zh" else "3 gates unchecked; "
    said = {
        "zh": (f"{gates}核实后为 40%—98%，不影响“未达标”", "按统一口径未达标；待核3 处出入口，核实后为 40%—100%"),
        "en": (
            f"{gates}after a check 40%—98%, still “Not met”",
            "Not met as agreed; to be checked: 3 gates; after a check 40%—100%",
        ),
    }[lang]
    same = f"{gates}核实前后都是 97%" if lang == "zh" else f"{gates}97% before and after a check"
    assert told == [(said[0], False), (said[1], True), (same, False)]


@pytest.mark.slow
@pytest.mark.matrix
def test_who_checks_stands_beside_what_is_to_be_checked_as_typed() -> None:
    """In the sentence where a check could turn the verdict, and as a column of both tables; nobody typed it: no column."""
    typed = {"duty": "民政科 (二楼)", "due": "2027年3月底前"}
    toy = doubting(xh.District.load(TOY), {"g": {**DOUBTS["g"], **typed}, "f": {**DOUBTS["f"], **typed}})
    ranges = xh.robustness(toy, ["plan_clinic_15"])
    assert ranges["who"].tolist() == ["民政科 (二楼) 2027年3月底前"]
    (one,) = firmness_of(Analysis.of(toy), ranges.assign(low=0.4, high=1.0, cause="gates:gate", cause_facts=3))
    assert "待核3 处出入口等 4 件事（民政科 (二楼) 2027年3月底前），核实后" in one.text
    for district, there in ((toy, True), (doubting(toy, {"g": DOUBTS["g"]}), False)):
        assert ("谁核、何时核完" in ranges_sheet(firmness(district))) == there
        assert ("谁核、何时核完" in check_list(district, most=3)) == there


@pytest.mark.slow
@pytest.mark.matrix
def test_commands_write_the_same_bytes_twice(tmp_path: Path) -> None:
    for out in ("a", "b"):
        assert main(["robustness", str(TOY), "--out", str(tmp_path / out)]) == 0
        assert main(["stress", str(TOY), "--out", str(tmp_path / out)]) == 0
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file())
    tables = (f"tables/{name}.xlsx" for name in ("单点失效", "数据可信度"))
    assert {"robustness.html", "stress.html", *tables} <= set(map(str, files))
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file
