"""Rules written out, edited in Excel, read back: every change named, nothing verified that was not."""

from __future__ import annotations

import datetime
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from ledger_toy import folder_with, measure

import xinhe_geo as xh
from xinhe_geo.app.cli import main
from xinhe_geo.district.journal import undo
from xinhe_geo.ledger.rulebook import export_rules, import_rules

TOY = Path(__file__).parents[1] / "toy"
RECALLED, READ = "gb50180_clinic_station", "plan_clinic_15"
VERIFIED = {"verified_by": "王工", "verified_on": datetime.datetime(2026, 11, 20), "clause": "附录 C"}


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_rules(tmp_path_factory.mktemp("book") / "规则.xlsx", TOY)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(TOY, tmp_path / "toy")
    return tmp_path / "toy"


@pytest.fixture
def edited(book: Path, tmp_path: Path) -> Callable[..., Path]:
    def edit(rule: str = "", /, sheet: str = "规则表", **cells: Any) -> Path:
        workbook = openpyxl.load_workbook(book)
        page = workbook[sheet]
        heads = {str(cell.value).split("\n")[-1]: cell.column for cell in page[3]}
        row = next((cell.row for cell in page["A"] if cell.value == rule), page.max_row + 1)
        for column, value in cells.items():
            page.cell(row, heads[column]).value = value
        if not cells:
            page.delete_rows(row)
        workbook.save(tmp_path / "改过.xlsx")
        return tmp_path / "改过.xlsx"

    return edit


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and ".xinhe" not in str(p)
    }


@pytest.mark.slow
@pytest.mark.matrix
def test_the_book_is_the_same_and_says_how(book: Path, tmp_path: Path, folder: Path) -> None:
    assert export_rules(tmp_path / "again.xlsx", TOY).read_bytes() == book.read_bytes()
    workbook = openpyxl.load_workbook(book)
    assert workbook.sheetnames == [
        "说明",
        "设施类别表",
        "规则表",
        "配建标准表",
        "单价参考表",
        "步行人群表",
        "距离衰减表",
    ], "measures and claims belong to a plan, and this folder has none"
    page = workbook["规则表"]
    assert page["A3"].value == "编号\nrule" and page.freeze_panes == "B4"
    assert "read,second_hand,recalled,convention" in {
        v.formula1.strip('"') for v in page.data_validations.dataValidation
    }
    assert import_rules(book, folder).empty


@pytest.mark.slow
@pytest.mark.matrix
def test_a_changed_cell_is_named_and_changes_the_numbers(edited: Callable[..., Path], folder: Path) -> None:
    before = contents(folder)
    file = edited(RECALLED, metres=200)
    changes = import_rules(file, folder)
    assert changes.values.tolist() == [["rules", RECALLED, "改", "距离", "300", "200"]]
    assert contents(folder) == before, "not written without being told to"
    import_rules(file, folder, apply=True)
    district = xh.District.load(folder)
    assert district.rule(RECALLED).metres == 200 and district.files.at["rules", "from"] == "本目录"
    # A is 210 m from the station
    share = xh.summary(xh.coverage(district, rules=[RECALLED])).loc[RECALLED, "area_m2_share"]
    assert (
        share == 0
        and xh.summary(xh.coverage(xh.District.load(TOY), rules=[RECALLED])).loc[RECALLED, "area_m2_share"] == 0.25
    )
    assert import_rules(file, folder).empty
    undo(folder)
    assert contents(folder) == before


@pytest.mark.slow
@pytest.mark.matrix
def test_a_table_at_its_usual_place_is_the_folder_s_own(edited: Callable[..., Path], folder: Path) -> None:
    """Nobody has to declare it; what is imported goes into it."""
    import_rules(edited(RECALLED, metres=200), folder, apply=True)
    shutil.copy(TOY / "district.toml", folder)
    district = xh.District.load(folder)
    assert district.rule(RECALLED).metres == 200 and district.files.at["rules", "from"] == "本目录"
    assert district.files.at["profiles", "from"] == "随程序"
    import_rules(edited(RECALLED, metres=250), folder, apply=True)
    assert xh.District.load(folder).rule(RECALLED).metres == 250
    assert (folder / "district.toml").read_bytes() == (TOY / "district.toml").read_bytes()


@pytest.mark.slow
@pytest.mark.matrix
def test_a_checked_limit_becomes_a_standard(edited: Callable[..., Path], folder: Path) -> None:
    assert xh.District.load(folder).rule(RECALLED).basis_text == "参考值（未核）"
    changes = import_rules(edited(RECALLED, **VERIFIED), folder, apply=True)
    assert set(changes["change"]) == {"核对"} and "read" in set(changes["after"])
    assert xh.District.load(folder).rule(RECALLED).basis_text == "依据 GB 50180-2018 附录 C"


@pytest.mark.slow
@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("rule", "cells", "field", "said"),
    [
        (RECALLED, {"verified_by": "王工"}, "verified_on", "没有填核对日期"),
        (RECALLED, {**VERIFIED, "verified_on": "去年"}, "verified_on", "不是日期"),
        (RECALLED, {"confidence": "read"}, "confidence", "谁在哪天核对"),
        (READ, {"minutes": 20}, "confidence", "改了时间"),
        (RECALLED, {"method": "flying"}, "method", "不在可选值"),
        (RECALLED, {"metres": "远"}, "metres", "不是数"),
        (RECALLED, {"profile": "runner"}, "profile", "runner"),
        ("new_rule", {"rule": "new_rule"}, "label", "没有填"),
        (RECALLED, {"label": "@SUM(1+1)"}, "label", "公式"),
        (RECALLED, {"label": "卫生\u202e站"}, "label", "看不见"),
        (RECALLED, {"clause": "<script>x</script>"}, "clause", "网页代码"),
    ],
)
def test_a_bad_row_is_named_and_nothing_is_written(
    edited: Callable[..., Path], folder: Path, rule: str, cells: dict[str, Any], field: str, said: str
) -> None:
    before = contents(folder)
    with pytest.raises(xh.DataError) as caught:
        import_rules(edited(rule, **cells), folder, apply=True)
    problems = caught.value.problems
    problem = problems[(problems["field"] == field).to_numpy()].iloc[0]
    assert problem["row"] == rule and said in problem["problem"] and problem["remedy"]
    assert contents(folder) == before


@pytest.mark.slow
@pytest.mark.matrix
def test_a_limit_that_is_checked_anew_may_change(edited: Callable[..., Path], folder: Path) -> None:
    import_rules(edited(READ, minutes=20, **VERIFIED), folder, apply=True)
    assert xh.District.load(folder).rule(READ).minutes == 20


@pytest.mark.slow
def test_rows_come_and_go(edited: Callable[..., Path], folder: Path) -> None:
    gone = import_rules(edited("gb50180_fitness"), folder)
    assert gone[["row", "change"]].values.tolist() == [["gb50180_fitness", "删去"]]
    fast = {"profile": "runner", "label": "跑步的人", "speed_m_s": 3, "steps": "true", "waits": 1}
    come = import_rules(edited("runner", sheet="步行人群表", **fast), folder, apply=True)
    assert come[["table", "row", "change"]].values.tolist() == [["profiles", "runner", "新增"]]
    assert xh.District.load(folder).profile("runner").speed_m_s == 3


KIND = {"kind": "repair_shop", "label": "便民维修点", "lead": "tier", "rule": "own_repair", "colour": "#123456"}
RULE = {"rule": "own_repair", "set": "own", "label": "维修点 500 米", "kinds": "repair_shop", "metric": "reach"}
RULE |= {"method": "network_m", "metres": 500, "minutes": 8, "profile": "adult", "denominator": "people"}
RULE |= {"confidence": "convention"}
NORM = {
    "norm": "own_repair",
    "set": "own",
    "label": "便民维修点",
    "kinds": "repair_shop",
    "unit": "处",
    "base": "people",
}
NORM |= {"per": 3000, "amount": 1, "field": "count", "confidence": "convention"}
NEW_KIND = {"设施类别表": KIND, "规则表": RULE, "配建标准表": NORM}


def with_rows(book: Path, path: Path, sheets: dict[str, dict[str, Any]]) -> Path:
    workbook = openpyxl.load_workbook(book)
    for sheet, cells in sheets.items():
        page = workbook[sheet]
        heads = {str(cell.value).split("\n")[-1]: cell.column for cell in page[3]}
        at = page.max_row + 1
        for column, value in cells.items():
            page.cell(at, heads[column]).value = value
    workbook.save(path)
    return path


@pytest.mark.slow
def test_a_new_kind_comes_with_its_rule_and_its_norm_in_one_go(book: Path, tmp_path: Path, folder: Path) -> None:
    before = contents(folder)
    file = with_rows(book, tmp_path / "新类.xlsx", NEW_KIND)
    changes = import_rules(file, folder, apply=True)
    assert changes[["table", "row", "change"]].values.tolist() == [
        ["kinds", "repair_shop", "新增"],
        ["rules", "own_repair", "新增"],
        ["norms", "own_repair", "新增"],
    ]
    district = xh.District.load(folder)
    assert district.kinds.loc["repair_shop", "rule"] == "own_repair" and district.rule("own_repair").metres == 500
    undo(folder)
    assert contents(folder) == before


@pytest.mark.slow
def test_a_limit_of_nothing_is_named_before_it_is_written(book: Path, tmp_path: Path, folder: Path) -> None:
    """Both limits count: a rule without one would stop every later command."""
    nothing = {**NEW_KIND, "规则表": {**RULE, "minutes": 0}}
    with pytest.raises(xh.DataError, match=r"own_repair.*minutes"):
        import_rules(with_rows(book, tmp_path / "零.xlsx", nothing), folder, apply=True)


@pytest.mark.slow
@pytest.mark.one_in(3)
@pytest.mark.parametrize("first", [*NEW_KIND])
def test_no_order_of_tables_locks_a_folder(
    book: Path, tmp_path: Path, folder: Path, first: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A table written by hand that points to rows that are not there: named, and the workbook finishes it all the same."""
    half = {first: NEW_KIND[first]}
    with pytest.raises(xh.DataError, match=r"own_repair|repair_shop"):
        import_rules(with_rows(book, tmp_path / "半.xlsx", half), folder, apply=True)
    table = {"设施类别表": "pois/kinds.csv", "规则表": "standards/rules.csv", "配建标准表": "standards/norms.csv"}[
        first
    ]
    text = (xh.District.load().folder / table).read_text("utf-8-sig")
    heads = text.splitlines()[0].split(",")
    (folder / table).parent.mkdir(exist_ok=True)
    row = ",".join(str(half[first].get(head, "")) for head in heads)
    (folder / table).write_text(f"{text.rstrip()}\n{row}\n", "utf-8-sig")
    assert main(["report", str(folder), "--out", str(tmp_path / "out")]) == 3
    said = capsys.readouterr().err
    assert table in said and "own_repair" in said + str(half) and "改好以前" in said
    unfinished = export_rules(tmp_path / "没做完.xlsx", folder)
    rest = {sheet: cells for sheet, cells in NEW_KIND.items() if sheet != first}
    import_rules(with_rows(unfinished, tmp_path / "做完.xlsx", rest), folder, apply=True)
    assert "repair_shop" in xh.District.load(folder).kinds.index


@pytest.mark.slow
@pytest.mark.matrix
def test_a_rule_that_is_used_cannot_go(edited: Callable[..., Path], folder: Path) -> None:
    with pytest.raises(xh.DataError, match="plan_canteen_community"):
        import_rules(edited("plan_canteen_community"), folder, apply=True)


@pytest.mark.slow
@pytest.mark.matrix
def test_measures_of_a_plan_of_its_own(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "toy", [measure("c", "communities_with", kinds="canteen", unit="%")])
    file = export_rules(tmp_path / "规则.xlsx", folder)
    workbook = openpyxl.load_workbook(file)
    page = workbook["量法表"]
    heads = {str(cell.value).split("\n")[-1]: cell.column for cell in page[3]}
    for column, value in {"operator": ">=", "low": 50, "target_from": "plan"}.items():
        page.cell(4, heads[column]).value = value
    workbook.save(file)
    assert len(import_rules(file, folder, apply=True)) == 3
    assert xh.ledger(xh.District.load(folder)).loc[("T1", "T1.c"), "verdict"] == "达标"
    page.cell(4, heads["kinds"]).value = "cantine"
    workbook.save(file)
    with pytest.raises(xh.DataError, match="cantine"):
        import_rules(file, folder, apply=True)


CLAIM = {"claim": "T1a", "commitment": "T1", "kind": "claim", "object": "维修点", "words": "社区全覆盖"}
CLAIM |= {"direction": "cover"}
COST = {"cost": "own_repair", "label": "维修点改造", "item": "cost_building", "of": "floor_services_m2"}
COST |= {
    "price_unit": "元",
    "per_unit": "m²",
    "low": 800,
    "high": 1200,
    "source": "本街道合同",
    "confidence": "convention",
}


@pytest.mark.slow
def test_a_plan_taken_in_has_its_sheets_and_everything_comes_in_one_go(tmp_path: Path) -> None:
    """A folder with commitments and nothing more yet: measure and claim are added beside kind, rule, norm and cost."""
    folder = folder_with(tmp_path / "toy", [])
    (folder / "tables" / "measures.csv").unlink()
    manifest = folder / "district.toml"
    manifest.write_text(manifest.read_text("utf-8").replace('[layers.measures]\nfile = "tables/measures.csv"\n', ""))
    before = contents(folder)
    book = export_rules(tmp_path / "规则.xlsx", folder)
    own = measure("r", "coverage", rule="own_repair", unit="%", weight="people")
    more = {"单价参考表": COST, "量法表": own, "规划要求表": {**CLAIM, "status": "measured", "measures": "T1.r"}}
    file = with_rows(book, tmp_path / "全.xlsx", {**NEW_KIND, **more})
    assert list(import_rules(file, folder, apply=True)["change"]) == ["新增"] * 6
    assert xh.ledger(xh.District.load(folder)).loc[("T1", "T1.r"), "claims"]
    undo(folder)
    assert contents(folder) == before
    wrong = {**more, "规划要求表": {**CLAIM, "commitment": "T8", "status": "measured", "measures": "T1.q"}}
    with pytest.raises(xh.DataError, match=r"(?s)T8.*T1\.q"):
        import_rules(with_rows(book, tmp_path / "错.xlsx", {**NEW_KIND, **wrong}), folder, apply=True)
    with pytest.raises(xh.DataError, match=r"T1a.*规划目标"):
        shutil.copytree(TOY, tmp_path / "无规划")
        import_rules(file, tmp_path / "无规划", apply=True)
    assert contents(tmp_path / "无规划") == contents(TOY)


@pytest.mark.slow
def test_odd_files_and_folders_are_refused(tmp_path: Path, book: Path, folder: Path) -> None:
    for file, target, said in (
        (tmp_path / "none.xlsx", folder, "没有这个工作簿"),
        (book, tmp_path, "不是街道目录"),
        (book, xh.District.load().folder, "随程序"),
    ):
        with pytest.raises(xh.SourceError, match=said):
            import_rules(file, target)
    with pytest.raises(xh.SourceError, match="xlsx"):
        export_rules(tmp_path / "rules.csv")
    workbook = openpyxl.load_workbook(book)
    workbook["规则表"].delete_cols(3)
    workbook.save(tmp_path / "cut.xlsx")
    with pytest.raises(xh.DataError, match="label"):
        import_rules(tmp_path / "cut.xlsx", folder)


@pytest.mark.slow
def test_commands(
    tmp_path: Path, folder: Path, edited: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["rules", "export", str(tmp_path / "r.xlsx"), str(folder)]) == 0
    assert main(["rules", "import", str(tmp_path / "r.xlsx"), "--to", str(folder)]) == 0
    assert "没有改动" in capsys.readouterr().out
    assert main(["rules", "import", str(edited(RECALLED, metres=200)), "--to", str(folder), "--yes"]) == 0
    assert "200" in capsys.readouterr().out and "standards/rules.csv" in (folder / "district.toml").read_text("utf-8")
    assert main(["rules", "list", str(folder)]) == 0 and "td1063" in capsys.readouterr().out
    assert main(["rules", "list", str(folder), "--set", "gb50180"]) == 0 and "参考值（未核）" in capsys.readouterr().out
    assert main(["rules", "list", "--set", "gb5018"]) == 2


@pytest.mark.slow
@pytest.mark.matrix
def test_every_set_runs_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    district = xh.District.load(TOY)
    sets = list(dict.fromkeys(district.rules["set"]))
    assert {"plan", "td1063", "gb50180", "td1062", "tianjin", "wanzheng", "yikezhong"} <= set(sets)
    for name in sets:
        table = xh.headlines(district, xh.coverage(district, rules=name))
        shown = [name, "reference"] if name == "plan" else [name]  # what the plan does not say comes with it, behind it
        assert list(table.index) == list(district.rules.index[district.rules["set"].isin(shown).to_numpy()])
        assert (table["headline"] != "").all() and (table["standard_text"] != "").all()
    assert main(["rules", "run", "td1062", str(TOY)]) == 0
    # B, D and E are farther than 500 m from the station: 260 people; nobody looked for schools
    said = capsys.readouterr().out
    assert "260" in said and "数据不足" in said
    assert main(["rules", "run", "td1064", str(TOY)]) == 2 and "td1063" in capsys.readouterr().err
