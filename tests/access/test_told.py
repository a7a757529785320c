"""What is said of a range, and the commands that write it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mapped import toy_folder
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
    what = {
        "zh": "（只变动了出入口开没开；设施开没开、设施位置、街道通不通、小区人数没有存疑，按录入的算）",
        "en": " (varied: only whether gates are open; taken as recorded, as nothing of it is in doubt: "
        "whether facilities are open, where facilities are, whether streets can be walked, how many live where)",
    }[lang]
    said = {
        "zh": (f"{gates}核实后为 40%—98%，不影响“未达标”", "按统一口径未达标；待核3 处出入口，核实后为 40%—100%"),
        "en": (
            f"{gates}after a check 40%—98%, still “Not met”",
            "Not met as agreed; to be checked: 3 gates; after a check 40%—100%",
        ),
    }[lang]
    same = f"{gates}核实前后都是 97%" if lang == "zh" else f"{gates}97% before and after a check"
    said, same = tuple(text + what for text in said), same + what
    assert told == [(said[0], False), (said[1], True), (same, False)]


@pytest.mark.slow
def test_a_range_says_what_was_varied_and_what_was_not() -> None:
    """Every sort of doubt is said to be varied, and all else that bears on the share to be as recorded; without doubts nothing is certain."""
    toy = xh.District.load(TOY)
    for names in (["g"], ["f"], ["g", "f"], []):
        ranges = xh.robustness(doubting(toy, {name: DOUBTS[name] for name in names}), draws=39)
        known = ranges[ranges["value"].notna()]
        own = {f"{DOUBTS[name]['layer']}:{DOUBTS[name]['what']}" for name in names}
        for _, row in known.iterrows():
            varied, fixed = (set(filter(None, row[of].split(";"))) for of in ("varied", "fixed"))
            assert varied <= own and not varied & fixed and bool(varied) == bool(row["facts"])
            assert "facilities:existence" in varied | fixed, "that it may have closed bears on every share"
        for goal in firmness_of(Analysis.of(toy), ranges):
            row = ranges.loc[(goal.rule, "")]
            if row["facts"]:
                varied, fixed = goal.text.rpartition("变动了")[2].split("；")
                assert ("设施开没开" in varied) == ("facilities:existence" in row["varied"])
                assert ("设施开没开" in fixed) == ("facilities:existence" in row["fixed"])
            elif row["value"] == row["value"]:
                assert goal.text.startswith("没有登记存疑的事，按录入为 ") and "就是" not in goal.text


@pytest.mark.slow
def test_what_was_only_seen_on_a_map_is_never_certain(tmp_path: Path) -> None:
    """Without any doubt on record its share is at least so much, it is no conclusion, and nobody has checked it."""
    mapped = xh.District.load(toy_folder(tmp_path / "toy"))
    ranges = xh.robustness(mapped, draws=39)
    goals = [goal for goal in firmness_of(Analysis.of(mapped), ranges) if np.isfinite(goal.shares[0])]
    assert goals
    for goal in goals:
        assert goal.checked == "待核" and "不知道" in goal.text and "不作结论" in goal.text, goal.text


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
