"""What the plan says, taken apart: nothing of it is lost, every claim is measured or says why not, figures agree with the words."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
from ledger_toy import ALL, folder_with, measure, toy_with, write

import xinhe_geo as xh
from xinhe_geo.ledger.claims import claims, claims_of, claims_sheet, claims_with, facts_of
from xinhe_geo.report.ledger_workbook import ledger_workbook
from xinhe_geo.report.pages.ledger import ledger_page

ROOT = Path(__file__).resolve().parents[2]
STANDARDS = ROOT / "data" / "standards"
PLAN = (STANDARDS / "plan.txt").read_text("utf-8")

#: What makes a clause say a target, name a place, or speak of a thing that can be built.
TARGET = r"\d|[一二三四五六七八九十百千万]余?(?:批次|项活动|个有|家|处|类)|全覆盖|覆盖率|达标|建成|均等化|差距显著缩小|每个社区|各社区|示范街道|不低于|不少于"
PLACE = (
    r"五车地|新河庄|河底|干渠|海洋园区|海洋科技园|高新区|港城大道|高速|安顺道|崇信路|赵新路|威海路|南益|四季风情|赵家地|漓江里|"
    r"金海云城|友阿|红星美凯龙|吾悦|响螺湾|老城区|新城区|华庭路|新建里|小桥外|滨海西站|滨海机场|天津港"
)
THING = (
    r"中心(?!组|工作|，)|服务站|文化站|园区|物流园|馆|广场|公园|设施|充电桩|景观|绿带|绿化|护岸|灯光|学校|养老院|停车场|商业体|"
    r"商业街区|陵园|托幼机构|食堂|专用.*通道|管网|供水|排水|网格|棚户区|老旧小区|微更新|试点|示范区|示范街区|生活圈|服务圈|健身圈|宜居区|垃圾"
)
HEADING = re.compile(r"^([一二三四五六七八九]、|\([一二三四五六七八九]\)|专栏)")
#: Words that the patterns catch and that say nothing of a thing or a number.
NOTHING = ("展望2035年", "到2025年", "坚持以人民为中心", "践行以人民为中心的发展理念", "围绕中心工作")


def clauses() -> list[str]:
    """Return the plan's clauses from 2035 on (before that it tells of the past), without headings and the table's numbers."""
    lines = PLAN[PLAN.index("(三)2035年远景目标\n") :].split("\n")
    table = {line for line in lines if len(line) < 8 or line.startswith("控制在")}
    told = [line for line in lines if line not in table and not HEADING.match(line)]
    parts = [part.strip() for line in told for part in re.split("[。；;，,:：、]", line)]
    return [part for part in parts if part and part not in NOTHING]


@pytest.fixture(scope="module")
def plain() -> dict[str, pd.DataFrame]:
    names = ("commitments", "claims", "measures")
    return {
        name: pd.read_csv(
            STANDARDS / f"{name}.csv", dtype=str, keep_default_na=False, encoding="utf-8-sig", index_col=0
        )
        for name in names
    }


def test_no_clause_of_what_was_done_before_is_lost_either(plain: dict[str, pd.DataFrame]) -> None:
    """Of the plan's account of the years before: whatever has a number or a place is a fact, a claim or left out with the reason."""
    past = PLAN[: PLAN.index("(三)2035年远景目标\n")]
    parts = [part.strip() for line in past.split("\n") for part in re.split("[。；;，,:：、]", line)]
    told = [*plain["commitments"]["quote"], *plain["claims"]["words"]]
    asked = [part for part in parts if re.search(f"{TARGET}|{PLACE}", part)]
    assert len(asked) > 35
    assert [c for c in asked if not any(c in words or (words in c and len(words) > 3) for words in told)] == []


def test_no_clause_with_a_target_a_place_or_a_thing_is_lost(plain: dict[str, pd.DataFrame]) -> None:
    told = [*plain["commitments"]["quote"], *plain["claims"]["words"]]
    asked = [c for c in clauses() if re.search(f"{TARGET}|{PLACE}|{THING}", c)]
    assert len(asked) > 180
    lost = [c for c in asked if not any(c in words or (words in c and len(words) > 3) for words in told)]
    assert lost == []


@pytest.mark.parametrize(
    "words",
    [
        "进社区、进公园",
        "托幼机构合理布局",
        "消防体验馆",
        "烈士陵园",
        "新时代文明实践中心",
        "防汛抗旱",
        "应急救灾物资储备",
        "生态护岸",
        "垃圾资源化利用",
        "主建筑群、广场公园、景观带",
        "标志性景观灯光",
        "村居综合文化服务中心硬件",
        "具有地域特色的街道文化服务中心",
        "云数据中心",
        "物流服务中心项目推动组",
        "全面建成滨海新区特色海洋街区",
    ],
)
def test_what_was_missing_once_is_told(plain: dict[str, pd.DataFrame], words: str) -> None:
    assert any(words in told for told in [*plain["commitments"]["quote"], *plain["claims"]["words"]])


def test_words_are_the_plans_and_every_promise_is_taken_apart(plain: dict[str, pd.DataFrame]) -> None:
    rows, promises = plain["claims"], plain["commitments"]
    assert [w for w in [*rows["words"], *promises["quote"]] if w not in PLAN] == []
    own = rows[rows["kind"] == "claim"]
    assert set(own["commitment"]) == set(promises.index[promises["kind"] == "commitment"])
    assert len(set(own["commitment"])) == 56 and rows.index.is_unique
    measured = rows["status"] == "measured"
    assert (rows["measures"].ne("") == measured).all() and (rows["reason"].ne("") == ~measured).all()
    assert (rows["reason_en"].ne("") == ~measured).all() and rows["object_en"].ne("").all()
    known = {m for cell in rows["measures"] for m in cell.split(";") if m}
    assert known <= set(plain["measures"].index)
    assert set(rows["direction"]) == {"have", "more", "less", "cover"}


def test_every_row_that_judges_answers_a_claim_of_its_own_promise(plain: dict[str, pd.DataFrame]) -> None:
    """And the number it is held against stands in the claim, or is all of it, or at least one."""
    rows, measures = plain["claims"], plain["measures"]
    for key, m in measures[(measures["role"] == "own") & (measures["commitment"] != "")].iterrows():
        about = rows[[str(key) in cell.split(";") for cell in rows["measures"]]]
        own = about[about["commitment"] == m["commitment"]]
        assert len(own), key
        if (
            m["target_from"] == "plan"
            and m["metric"] not in ("topology", "change", "named")
            and m["operator"] != "between"
        ):
            number = float(m["high"] if m["operator"] == "<=" else m["low"] or "nan")
            said = {q for cell in own["quantity"] for q in re.findall(r"\d+(?:\.\d+)?", cell.replace("万", "0000"))}
            several = number == len(own) and own["direction"].eq("have").all()
            assert np.isnan(number) or number in {*map(float, said), 1.0, 100.0} or several, (key, number, said)


@pytest.mark.slow
def test_how_many_claims_are_measured_is_printed_everywhere(tmp_path: Path) -> None:
    rows = [measure("c", "communities_with", kinds="canteen", **ALL)]
    folder = folder_with(tmp_path / "toy", rows)
    said = {"commitment": "T1", "kind": "claim", "direction": "cover", "words": "社区全覆盖"}
    table = [
        {**said, "claim": "a", "object": "食堂", "status": "measured", "measures": "T1.c"},
        {**said, "claim": "b", "object": "好吃", "status": "silent", "reason": "没有标准"},
        {
            **said,
            "claim": "f",
            "kind": "fact",
            "object": "食堂开业",
            "quantity": "14",
            "unit": "家",
            "year": "2020",
            "status": "measured",
            "measures": "T1.c",
        },
    ]
    write(folder / "standards" / "claims.csv", "claims", table)
    district = xh.District.load(folder)
    ledger = xh.ledger(district)
    row = ledger.loc[("T1", "T1.c")]
    assert row["claims"] == "2 项要求，量了 1 项"
    assert row["unmeasured"] == "好吃（社区全覆盖）：没有量，没有标准"
    assert row["plan_says"] == "规划自述：食堂开业 14 家（2020 年，“社区全覆盖”）"
    assert ledger.loc[("T2", "T2"), "claims"] == "", "nobody has taken it apart"
    english = xh.ledger(district, lang="en").loc[("T1", "T1.c")]
    assert english["claims"] == "1 of 2 claims measured"
    assert english["plan_says"] == "the plan itself states: 食堂开业 14 businesses (2020, “社区全覆盖”)"
    page = ledger_page(district, ledger)
    for words in ("2 项要求，量了 1 项", "好吃（社区全覆盖）", "规划自述：食堂开业 14 家"):
        assert words in page, words
    ledger_workbook(district, ledger, tmp_path / "book.xlsx")
    book = openpyxl.load_workbook(tmp_path / "book.xlsx")
    cells = {str(cell.value) for sheet in book for row_ in sheet.iter_rows() for cell in row_}
    assert (
        "逐项要求" in book.sheetnames
        and {"2 项要求，量了 1 项", "规划自述：食堂开业 14 家（2020 年，“社区全覆盖”）"} <= cells
    )


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize(
    ("cells", "field", "said"),
    [
        ({"commitment": "T7"}, "commitment", "T7"),
        ({"measures": "T1.x"}, "measures", "T1.x"),
        ({"measures": ""}, "measures", "没有写量法"),
        ({"status": "silent", "measures": "", "reason": ""}, "reason", "为什么"),
    ],
)
def test_claims_that_contradict_themselves_are_refused(
    tmp_path: Path, cells: dict[str, str], field: str, said: str
) -> None:
    folder = folder_with(tmp_path / "toy", [measure("c", "communities_with", kinds="canteen", **ALL)])
    good = {"claim": "a", "commitment": "T1", "kind": "claim", "object": "食堂", "direction": "覆盖", "words": "全覆盖"}
    good |= {"status": "measured", "measures": "T1.c"}
    write(folder / "standards" / "claims.csv", "claims", [{**good, "claim": "ok"}, {**good, **cells}])
    with pytest.raises(xh.DataError) as error:
        xh.ledger(xh.District.load(folder))
    problems = error.value.problems
    assert (problems["layer"] == "claims").all() and field in set(problems["field"])
    assert problems["problem"].str.contains(said).any() and problems["file"].eq("standards/claims.csv").all()


@pytest.mark.slow
def test_a_folder_with_its_own_plan_has_no_claims_of_another(tmp_path: Path) -> None:
    district = xh.District.load(
        folder_with(tmp_path / "toy", [measure("c", "communities_with", kinds="canteen", **ALL)])
    )
    assert claims(district).empty and claims_of(district, "T1") == ("", "") and claims_sheet(district).empty
    borrowed = toy_with([measure("c", "communities_with", kinds="canteen", **ALL)])
    assert claims(borrowed).empty and facts_of(borrowed, "T1.c") == ""


@pytest.mark.slow
def test_facts_of_the_plan_stand_beside_the_demonstration() -> None:
    """14 canteens and 14 party centres are the plan's own words; the demonstration draws 14 of each."""
    district = xh.District.load()
    assert (
        facts_of(district, "S21.canteen")
        == "规划自述：老人家食堂正常开业 14 家（2020 年，“全街14家老人家食堂正常开业”）"
    )
    assert "14 个" in facts_of(district, "S37.communities") and "38.2 亿元" in facts_of(district, "I02.series")


@pytest.mark.slow
@pytest.mark.matrix
def test_the_table_of_claims_travels_with_the_folder(tmp_path: Path) -> None:
    """A copy of the bundled folder with one claim struck out counts one less."""
    folder = shutil.copytree(ROOT / "data", tmp_path / "copy")
    before = claims_of(xh.District.load(folder), "S11")[0]
    table = folder / "standards" / "claims.csv"
    kept = [line for line in table.read_text("utf-8-sig").splitlines() if not line.startswith("S11b")]
    table.write_text("\n".join(kept) + "\n", "utf-8")
    assert (before, claims_of(xh.District.load(folder), "S11")[0]) == ("2 项要求，量了 1 项", "1 项要求，量了 1 项")


@pytest.mark.slow
@pytest.mark.matrix
def test_what_waits_to_be_typed_in_is_not_measured() -> None:
    """I01 has its measure and no figure: 0 of 1, and the page says that there is none yet; with a figure it counts."""
    rows = xh.ledger(xh.District.load()).loc["I01"]
    assert rows["value"].isna().all()
    assert set(rows["claims"]) == {"1 项要求，量了 0 项"} and rows["unmeasured"].str.contains("还没有数").all()
    assert claims_with(xh.District.load(), "I01", {"I01.series"}) == ("1 项要求，量了 1 项", "")
