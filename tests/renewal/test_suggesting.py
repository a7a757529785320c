"""Suggested projects: they solve the problems that they name, are accepted once, by a person only, and can be taken out again."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

import xinhe_geo as xh
from xinhe_geo.app.cli import main
from xinhe_geo.core import bundled_folder
from xinhe_geo.district import Scenario, project_edits, undo
from xinhe_geo.renewal import accept, accepted_in, standing, suggestions, write_suggestions
from xinhe_geo.renewal.accepting import HEADS, SHEET
from xinhe_geo.renewal.checkup import problems

TOY = Path(__file__).parent.parent / "toy"
#: Rules and indicators enough to have a site, a way, and what no walk can mend.
RULES = ("plan_clinic_15", "plan_canteen_community")
INDICATORS = """indicator,set,level,name,unit,metric,rule,test,urgency,suggest,confidence
clinic,own,小区,诊所在外的小区,个,homes_outside,plan_clinic_15,,尽力解决,,convention
canteen,own,小区,缺食堂的社区,个,communities_without,plan_canteen_community,,,,convention
old,own,住房,老小区,个,homes_where,,built<2000,限时解决,整修,convention
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the toy with two rules, three indicators, and two homes of before 2000."""
    place = Path(shutil.copytree(TOY, tmp_path_factory.mktemp("suggest") / "toy"))
    (place / "standards").mkdir()
    for name, where in (("rules", "standards"), ("measures", "standards"), ("kinds", "pois")):
        rows = pd.read_csv(
            bundled_folder() / where / f"{name}.csv", dtype="str", encoding="utf-8-sig", keep_default_na=False
        )
        kept = rows["rule"].isin(RULES)
        rows = rows.assign(rule=rows["rule"].where(kept, "")) if name == "kinds" else rows[kept]
        (place / where).mkdir(exist_ok=True)
        rows.to_csv(place / where / f"{name}.csv", index=False)
    (place / "standards" / "checkup_indicators.csv").write_text(INDICATORS, "utf-8")
    homes = place / "homes" / "homes.geojson"
    text = homes.read_text("utf-8")
    for home in ("A", "B"):
        text = text.replace(f'"home": "{home}"', f'"home": "{home}", "built": 1990')
    homes.write_text(text, "utf-8")
    return place


@pytest.fixture(scope="module")
def table(folder: Path) -> pd.DataFrame:
    return suggestions(xh.District.load(folder))


def tree(folder: Path) -> dict[str, bytes]:
    files = (p for p in folder.rglob("*") if p.is_file() and ".history" not in p.parts)
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}


@pytest.mark.slow
@pytest.mark.matrix
def test_each_solves_the_problems_that_it_names(folder: Path, table: pd.DataFrame) -> None:
    """Recomputed: the checkup of the district with this one project finds all problems but those."""
    district = xh.District.load(folder)
    before = set(standing(problems(district)).index)
    assert {"sites", "links", "checkup"} >= set(table["source"]) >= {"sites", "checkup"}
    assert table["problems"].ne("").any()
    for key, row in table.iterrows():
        named = set(filter(None, row["problems"].split(";")))
        if row["edit"] is not None:
            after = Scenario("x", edits=(row["edit"],)).on(district)
            assert before - set(standing(problems(after)).index) == named, key
        assert named or row["reason"]
    old = table[(table["source"] == "checkup").to_numpy()]
    assert {n for cell in old["problems"] for n in cell.split(";")} == {"old@A", "old@B"}
    assert (table.index[: len(old)] == old.index).all()  # what has a date comes first


@pytest.mark.slow
@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_keeps_what_was_found(folder: Path, table: pd.DataFrame, presses: int) -> None:
    """Pressed at the second promise: what was found for the first stands there as in the whole table; pressed twice too."""
    steps: list[str] = []

    def pressing(said: str) -> None:
        steps.append(said)
        if steps.count(said) == 1 and len(steps) == 2:
            for _ in range(presses):
                signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    early = suggestions(xh.District.load(folder), progress=pressing)
    assert signal.getsignal(signal.SIGINT) is before
    assert len(steps) > 1 and table["complete"].all() and not early["complete"].any()
    assert 0 < len(early) < len(table) and {"checkup", "sites", "links"} & set(early["source"]) > {"checkup"}
    columns = ["source", "name", "scope", "urgency", "problems", "people", "edit"]
    assert early[columns].equals(table.loc[table.index.isin(early.index), columns])


@pytest.mark.slow
@pytest.mark.matrix
def test_the_same_again_in_any_order_of_rows(folder: Path, table: pd.DataFrame) -> None:
    district = xh.District.load(folder)
    turned = {n: district.rows[n].iloc[::-1] for n in ("homes", "facilities", "gates") if n in district.rows}
    for other in (district, district.replace(**turned)):
        again = suggestions(other)
        assert list(again.index) == list(table.index)
        assert again["problems"].tolist() == table["problems"].tolist()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["@SUM(1+1)", "<script>x</script>", "甲\u202e乙", "长" * 3000])
def test_what_add_would_not_take_is_not_accepted(folder: Path, table: pd.DataFrame, tmp_path: Path, name: str) -> None:
    """Formulas, markup and signs that turn what follows come in by no other door either."""
    write_suggestions(table, xh.District.load(folder), tmp_path / "a.xlsx")
    opened = openpyxl.load_workbook(tmp_path / "a.xlsx")
    for head, value in (("采纳吗", "采纳"), ("项目名称", name)):
        opened[SHEET].cell(2, HEADS.index(head) + 1).value = value
    opened.save(tmp_path / "a.xlsx")
    with pytest.raises(xh.DataError) as caught:
        accepted_in(tmp_path / "a.xlsx", table)
    assert caught.value.problems[["row", "field"]].to_numpy().tolist() == [["2", "项目名称"]]


@pytest.mark.matrix
def test_accepted_once_by_a_person_and_undone(folder: Path, table: pd.DataFrame, tmp_path: Path) -> None:
    own = Path(shutil.copytree(folder, tmp_path / "own"))
    book = tmp_path / "建议.xlsx"
    district = xh.District.load(own)
    write_suggestions(table, district, book)
    first = book.read_bytes()
    write_suggestions(table, district, book)
    assert book.read_bytes() == first and accepted_in(book, table) == {}
    before = tree(own)
    opened = openpyxl.load_workbook(book)
    sheet = opened[SHEET]
    site = next(k for k in table.index if table.loc[k, "source"] == "sites")
    told = [sheet.cell(n, HEADS.index("涉及人数") + 1).value for n in range(2, sheet.max_row + 1)]
    assert any(told) and all(people is None or people == round(people) for people in told)  # people are whole
    lines = {sheet.cell(n, 1).value: n for n in range(2, sheet.max_row + 1)}
    for head, value in (("采纳吗", "采纳"), ("造价下限（万元）", 90), ("造价上限（万元）", 120)):
        sheet.cell(lines[site], HEADS.index(head) + 1).value = value
    opened.save(book)
    accepted = accepted_in(book, table)
    assert list(accept(own, table, accepted)["change"]) == ["新增"] and tree(own) == before
    accept(own, table, accepted, apply=True)
    every = {key: {} for key in table.index}
    told = accept(own, table, every, apply=True)
    assert sorted(told["change"]) == ["新增"] * (len(table) - 1) + ["没变"]
    assert (accept(own, table, every, apply=True)["change"] == "没变").all()
    assert xh.check(own).query("severity == 'error'").empty
    projects = xh.District.load(own).rows["projects"]
    assert sorted(projects.index) == sorted(table.index)
    assert projects.loc[site, "cost_high"] == 120 and projects["cost_low"].notna().sum() == 1
    assert projects["note"].eq("造价待填").equals(projects["cost_low"].isna())  # what has a cost waits for none
    for key, row in table.iterrows():  # the steps that a project names are those that were suggested
        edits = project_edits(own, projects.loc[key, "edits"])
        assert edits == ([] if row["edit"] is None else [row["edit"]])
        assert row["problems"] == ("" if pd.isna(projects.loc[key, "problem"]) else projects.loc[key, "problem"])
    again = suggestions(xh.District.load(own))
    assert list(again.index) == list(table.index) and list(again["project"]) == list(again.index)
    undo(own)
    undo(own)
    assert tree(own) == before


@pytest.mark.slow
def test_the_command_and_what_it_refuses(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = Path(shutil.copytree(folder, tmp_path / "own"))
    book = tmp_path / "建议.xlsx"
    before = tree(own)
    assert main(["suggest", str(own), "--decide", str(book)]) == 0 and "没有一条自动进项目库" in capsys.readouterr().out
    opened = openpyxl.load_workbook(book)
    opened[SHEET].cell(2, 2).value, opened[SHEET].cell(3, 2).value = "好", "采纳"
    opened[SHEET].cell(3, 1).value = "J0000000"
    key = str(opened[SHEET].cell(2, 1).value)
    opened.save(book)
    assert main(["suggest", str(own), "--decide", str(book), "--yes"]) == 3
    said = capsys.readouterr().err
    assert "看不懂" in said and "J0000000" in said and tree(own) == before
    assert main(["suggest", str(own), "--accept", f"{key}，{key}", "--yes"]) == 0
    assert "已写入" in capsys.readouterr().out and list(xh.District.load(own).rows["projects"].index) == [key]
