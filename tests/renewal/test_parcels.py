"""The ledger of parcels: judged at the door, told as tables, and what the plan promised held against what is there."""

from __future__ import annotations

import base64
import csv
import gzip
import io
import itertools
import re
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ledger_toy import measure, of_t1, toy_with
from shapely import box
from typer.testing import CliRunner

import xinhe_geo as xh
from xinhe_geo.app.cli import app
from xinhe_geo.app.commands import console
from xinhe_geo.core.errors import DataError
from xinhe_geo.core.models import Edit
from xinhe_geo.core.schema import HOLDERS, LAYERS
from xinhe_geo.core.secrecy_marks import PUBLIC, marks_of
from xinhe_geo.core.validate import check_rows
from xinhe_geo.district.journal import undo
from xinhe_geo.district.parcel_facts import completion, fact, ledger_problems
from xinhe_geo.district.scenario import Scenario
from xinhe_geo.io.add import add
from xinhe_geo.io.row_report import tally
from xinhe_geo.maps.meeting import meeting, packed_parcels, renewal_in_words
from xinhe_geo.renewal.parcels import STATUSES, parcel_figures, parcel_named, parcel_stages, parcels, promises
from xinhe_geo.report.story.parcels import Parcels

REPO = Path(__file__).parents[2]
TOY = REPO / "tests" / "toy"
PARCELS = """{"type": "FeatureCollection", "features": [
{"type": "Feature", "properties": {"parcel": "p", "name": "一号地"}, "geometry": {"type": "Polygon", "coordinates":
 [[[500010, 4320010], [500090, 4320010], [500090, 4320090], [500010, 4320090], [500010, 4320010]]]}}]}"""
FACTS = "parcel,year,quantity,holder,value,high,unit"
STAGES = "parcel,stage,date,share"
PROMISES = "parcel,place,quote,kinds,amount,stage,filled_by"


def folder_of(to: Path, facts: str = "p,,ownership,,,,", stages: str = "", promised: str = "") -> Path:
    """The toy with one parcel over its home A, and the ledger of it."""
    folder = Path(shutil.copytree(TOY, to / "toy"))
    (folder / "renewal").mkdir()
    (folder / "boundaries" / "parcels.geojson").write_text(PARCELS, "utf-8")
    entries = '\n[layers.parcels]\nfile = "boundaries/parcels.geojson"\ncrs = "EPSG:4548"\nbasis = "surveyed"\n'
    for layer, file, head, lines in (
        ("parcel_facts", "parcels", FACTS, facts),
        ("stages", "stages", STAGES, stages),
        ("promises", "promises", PROMISES, promised),
    ):
        (folder / "renewal" / f"{file}.csv").write_text(f"{head}\n{lines}\n", "utf-8")
        entries += f'[layers.{layer}]\nfile = "renewal/{file}.csv"\n'
    manifest = folder / "district.toml"
    manifest.write_text(manifest.read_text("utf-8") + entries, "utf-8")
    return folder


#: What is wrong with the ledger, and the words that say so.
WRONG = [
    ({"facts": "p,,ownership,,私有,,"}, "可选：国有、集体、混合"),
    ({"facts": "p,2022,people,,5,,"}, "没有权属这一行"),
    ({"facts": "p,,ownership,,国有,,\np,2022,people,,很多,,"}, "不是不小于 0 的数"),
    ({"facts": "p,,ownership,,国有,,\np,2022,people,,-5,,"}, "不是不小于 0 的数"),
    ({"facts": "p,,ownership,,国有,,\np,2022,people,,9,5,"}, "上限 5 小于下限 9"),
    ({"facts": "p,,ownership,,国有,,\np,2022,people,,,5,"}, "写了上限，没有写下限"),
    ({"facts": "p,,ownership,,国有,,\np,2022,people,房东,5,,"}, "不在可选值中"),
    ({"facts": "p,,ownership,,国有,,\np,2022,registered,owner,5,,\np,2022,far_limit,owner,2,,"}, "容积率上限不分口径"),
    ({"facts": "p,,ownership,,国有,,\np,2022,floor_old_m2,,5,,亩"}, "单位写的是 亩"),
    ({"facts": "p,,ownership,,国有,,\np,2022,people,,5,,\np,2022,people,,6,,"}, "填了两行"),
    (
        {
            "facts": "p,,ownership,,国有,,\np,2022,floor_old_m2,,10,,\np,2022,floor_kept_m2,,4,,\n"
            "p,2022,floor_demolished_m2,,7,,"
        },
        "保留 4 ＋ 拆除 7 不等于原有 10",
    ),
    ({"stages": "p,state_scope,去年,"}, "不像日期"),
    ({"stages": "p,state_scope,2022-13,"}, "不像日期"),
    ({"stages": "p,state_signing,2022,130"}, "大于 100"),
    ({"stages": "p,state_scope,2022-05,\np,state_survey,2022-03,"}, "调查登记（2022-03）早于范围确定（2022-05）"),
    ({"promised": ",,建设学校,,,,"}, "没有写在哪里"),
]


@pytest.fixture(scope="module")
def lists() -> dict[str, pd.DataFrame]:
    """The lists of quantities and stages that the ledger is held against."""
    found = {}
    for name in ("quantities", "stage_chains"):
        rows = pd.read_csv(REPO / "data" / "standards" / f"{name}.csv", dtype="str", encoding="utf-8-sig")
        found[name], problems = check_rows(LAYERS[name], rows, f"{name}.csv")
        assert not problems
    return found


@pytest.mark.parametrize(("tables", "words"), WRONG)
def test_what_is_wrong_is_named_with_row_and_remedy(
    lists: dict[str, pd.DataFrame], tables: dict[str, str], words: str
) -> None:
    rows, problems = dict(lists), []
    for name, layer, head in (
        ("facts", "parcel_facts", FACTS),
        ("stages", "stages", STAGES),
        ("promised", "promises", PROMISES),
    ):
        if name in tables:
            table = pd.read_csv(io.StringIO(f"{head}\n{tables[name]}\n"), dtype="str")
            rows[layer], found = check_rows(LAYERS[layer], table, f"{layer}.csv")
            problems += found
    problems += ledger_problems(rows, {})
    assert len(problems) == 1 and problems[0].severity == "error"
    assert words in f"{problems[0].problem} {problems[0].remedy}" and problems[0].remedy and problems[0].row


def test_of_two_dates_in_the_wrong_order_the_row_of_the_later_step_is_named(lists: dict[str, pd.DataFrame]) -> None:
    """By its line in the file, in whatever order the rows stand."""
    lines = [f"p,state_{s},2022-0{m}," for s, m in (("scope", 1), ("survey", 5), ("decision", 3), ("signing", 6))]
    for order in itertools.permutations(lines):
        table = pd.read_csv(io.StringIO("\n".join([STAGES, *order])), dtype="str")
        stages, _ = check_rows(LAYERS["stages"], table, "")
        (problem,) = ledger_problems({**lists, "stages": stages}, {})
        assert "征收决定（2022-03）早于调查登记（2022-05）" in problem.problem
        assert problem.row == str(order.index(lines[2]) + 2)


@pytest.mark.slow
def test_codes_that_no_list_has_are_named_at_the_door(tmp_path: Path) -> None:
    facts = "p,,ownership,,国有,,\nq,,ownership,,国有,,\np,2022,peple,,5,,"
    problems = xh.check(folder_of(tmp_path, facts, "p,state_scpoe,2022,", "p,,建设学校,scool,,,"))
    own = problems[problems["layer"].isin(["parcel_facts", "stages", "promises"])]
    assert sorted(own["field"]) == ["kinds", "parcel", "quantity", "stage"]
    assert own["file"].str.startswith("renewal/").all() and (own["remedy"] != "").all()


#: A parcel as offices fill it in: some by year, one as a range, some blank.
GOOD = """p,,ownership,,集体,,
p,2020,people,,100,,
p,2022,people,,90,,人
p,2024,people,,50,,
p,2022,people,租客,30,,
p,2022,cost_acquisition,,1000,1500,万元
p,2022,floor_old_m2,,10,,
p,2022,floor_kept_m2,,4,,
p,2022,floor_demolished_m2,,6,,
p,2022,registered,,,,"""


@pytest.mark.slow
def test_figures_are_those_of_the_year_and_what_is_blank_names_who_could_fill_it(tmp_path: Path) -> None:
    district = xh.District.load(folder_of(tmp_path, GOOD))
    table = parcel_figures(district)
    assert table.loc[("p", "people", ""), ["value", "low", "year"]].tolist() == ["90", 90, 2022]
    assert table.loc[("p", "people", "tenant"), "low"] == 30 and set(HOLDERS) > {"tenant"}
    assert table.loc[("p", "cost_acquisition", ""), ["low", "high"]].tolist() == [1000, 1500]
    assert table.loc[("p", "site_m2", ""), ["low", "basis"]].tolist() == [6400, "derived"], "80 m by 80 m"
    blank = table.loc[("p", "registered", "")]
    assert blank["value"] == "" and np.isnan(blank["low"]) and blank["who"]
    assert parcel_figures(district, 2021).loc[("p", "people", ""), "value"] == "100"
    assert fact(None, "p", "people", 2022).known is False
    assert parcels(district).loc["p", ["homes", "people"]].tolist() == [1, district.homes.loc["A", "people"]]
    assert parcel_named(district, "一号地") == "p"
    with pytest.raises(xh.ScenarioError, match="一号地"):
        parcel_named(district, "二号地")


@pytest.mark.slow
def test_stages_stand_in_the_order_of_their_chain(tmp_path: Path) -> None:
    """The other chain has rows of its own; what is not reached is blank, and the last step says what is done."""
    stages = "p,collective_signing,2021-04,60\np,collective_signing,2021-09,95\np,collective_notice,2020,\np,collective_return,2022-12,80"
    district = xh.District.load(folder_of(tmp_path, stages=stages))
    table = parcel_stages(district).loc["p"]
    assert table["chain"].unique().tolist() == ["集体土地征收"] and len(table) == 15
    assert table.loc["collective_signing", ["date", "share"]].tolist() == ["2021-09", 95]
    assert table.loc["collective_plan", "date"] == "" and table.loc["collective_plan", "who"]
    assert completion(district.rows, "p", 2022) == 80 and np.isnan(completion(district.rows, "p", 2021))
    assert np.isnan(completion({}, "p", 2022))


@pytest.mark.slow
def test_a_promise_is_delivered_arranged_for_or_still_lacks(tmp_path: Path) -> None:
    """On A's ground stands nothing; a plan opens a canteen there, by its second step."""
    promised = (
        "p,,建食堂,canteen,,,\np,,建两处食堂,canteen,2,,\np,,改造完成,,,state_return,街道办\n,三条路,微调整,,,,街道办"
    )
    district = xh.District.load(folder_of(tmp_path, promised=promised))
    surveyed = district.surveyed_kinds
    none = promises(district)
    assert none["status"].tolist() == (["missing"] * 2 if "canteen" in surveyed else ["unknown"] * 2) + ["blank"] * 2
    edits = (
        Edit("close_gate", {"gate": "gA"}),
        Edit("open_facility", {"facility": "N", "kind": "canteen", "xy": [500_050.0, 4_320_050.0]}),
    )
    plan = Scenario("p", edits=edits)
    with_plan = promises(district, plan)
    assert with_plan.iloc[0][["status", "steps", "by", "lacks"]].tolist() == ["promised", [2], ["N"], 0]
    assert with_plan.iloc[1][["status", "lacks"]].tolist() == ["missing", 1]
    assert with_plan["filled_by"].tolist()[2:] == ["街道办", "街道办"] and with_plan["place"].iloc[3] == "三条路"
    built = promises(plan.on(district))
    assert built["status"].tolist()[:2] == ["delivered", "missing"] and built["lacks"].tolist()[:2] == [0, 1]


#: What is typed of a stage, in a folder whose data are of 2022; what a promise about it has come to, how much, and when more is planned.
REACHED = [
    ("p,state_return,2022-10,100", "delivered", 100, ""),
    ("p,state_return,2021,", "delivered", 100, ""),
    ("p,state_return,2022-10,0.95", "promised", 0.95, ""),
    ("p,state_return,2029-10,100", "promised", 0, "2029-10"),
    ("p,state_return,2022-10,40\np,state_return,2024,100", "promised", 40, "2024"),
    ("p,state_start,2022,", "blank", np.nan, ""),
    ("p,state_return,,", "blank", np.nan, ""),
]


@pytest.mark.slow
@pytest.mark.parametrize(("stages", "status", "done", "due"), REACHED)
def test_what_is_dated_after_the_data_is_planned_in_whatever_year_it_is_looked_at(
    tmp_path: Path, stages: str, status: str, done: float, due: str
) -> None:
    """A promise about a stage is about that stage; a share is told in the digits in which it is typed."""
    district = xh.District.load(folder_of(tmp_path, stages=stages, promised="p,,回迁,,,state_return,"))
    for year in (None, 2029):
        told = Parcels(district, year=year).of("p")
        row = promises(district if year is None else district.at(year)).iloc[0]
        assert row[["status", "due"]].tolist() == [status, due]
        np.testing.assert_equal(row["done"], done)
        assert told.promised[0].status == status and due in told.promised[0].answers
        last = next(line for line in told.stages if line.label == "还迁入住")
        assert ("计划" in last.date) == bool(due and not done), "what is reached comes before what is planned"
        if typed := stages.splitlines()[0].split(",")[-1]:
            assert last.share.startswith(f"{typed}%")
        assert (parcels(district, year).loc["p", "stage"] == "还迁入住") == (done > 0)


@pytest.fixture(scope="module")
def in_stages() -> xh.District:
    """Two parcels, 60 % of 30 households and all of 10; a row of the ledger for what is done of them, typed in 5 and 6."""
    row = measure(
        "done",
        "series",
        series="T",
        since=2021,
        until=2022,
        aggregate="latest",
        operator=">=",
        low=100,
        unit="%",
        scope="parcel",
        codes="p;q",
    )
    district = toy_with(
        [row], series=[{"indicator": "T", "year": 2021, "value": 5}, {"indicator": "T", "year": 2022, "value": 6}]
    )
    parcels = district.rows["homes"].loc[["A", "B"], ["name", "geometry", "basis", "source"]]
    parcels.index = pd.Index(["p", "q"], name="parcel")
    stages = pd.DataFrame(
        {
            "parcel": ["p", "q"],
            "stage": ["state_return", "renovation_completion"],
            "date": ["2022-06", "2022"],
            "share": [60.0, np.nan],
        }
    ).assign(basis="official")
    facts = pd.DataFrame(
        {"parcel": ["p", "q"], "year": [2021, 2021], "quantity": ["households"] * 2, "value": ["30", "10"]}
    ).reindex(
        columns=[
            "parcel",
            "year",
            "quantity",
            "holder",
            "value",
            "high",
            "unit",
            "basis",
            "source",
            "filled_by",
            "note",
        ]
    )
    facts = facts.astype({"holder": "str", "high": "float64"})
    return district.with_rows({**district.rows, "parcels": parcels, "stages": stages, "parcel_facts": facts})


def done(district: xh.District) -> float:
    return float(of_t1(district).loc["done", "value"])


def test_a_row_of_the_ledger_is_filled_from_the_stages_of_its_parcels(in_stages: xh.District) -> None:
    """Two parcels, 60 % of 30 households and all of 10: 70 %; a figure typed in counts only for years without stages."""
    typed = in_stages.with_rows(dict.fromkeys(["parcels", "stages", "parcel_facts"]))
    assert done(typed) == 6 and done(in_stages) == pytest.approx(70)
    half = in_stages.with_rows({"stages": in_stages.rows["stages"].iloc[:1]})
    assert done(half) == 6, "of one parcel nobody knows"


def test_a_stage_that_is_planned_fulfils_no_target(in_stages: xh.District) -> None:
    """Dated after the data it is no figure of the ledger, in its own year either: what was typed counts."""
    stages = in_stages.rows["stages"].assign(date=["2022-06", "2029"])
    later = in_stages.with_rows({"stages": stages, "measures": in_stages.rows["measures"].assign(until=2030)}).at(2029)
    assert done(later) == 6


#: A table that what is done is read from, other rows of it, and what they come to: 60 % of one parcel, all of the other.
OTHER_ROWS: dict[str, tuple[Callable[[Any], Any], float]] = {
    "stages": (lambda rows: rows.assign(share=[80.0, np.nan]), 85.0),
    "parcel_facts": (lambda rows: rows.assign(value=["10", "10"]), 80.0),
    "stage_chains": (lambda rows: rows.assign(position=rows["position"].where(rows.index != "state_return", 0)), 6.0),
    "parcels": (lambda rows: rows.set_geometry([box(0, 0, 1, 1), box(0, 0, 1, 3)], crs=rows.crs), 90.0),
}


@pytest.mark.parametrize("table", OTHER_ROWS)
def test_what_is_known_of_parcels_is_not_kept_where_a_table_is_another(in_stages: xh.District, table: str) -> None:
    """What their stages come to is shared by years and plans, but only by those that say the same in every table it is read from."""
    other, told = OTHER_ROWS[table]
    state = in_stages.with_rows({"parcel_facts": None}) if table == "parcels" else in_stages  # else land does not count
    before = done(state)
    after = done(state.with_rows({table: other(state.rows[table])}))
    assert before != after == pytest.approx(told)


def test_what_parcels_have_done_by_a_year_is_not_what_they_have_done_since(in_stages: xh.District) -> None:
    """Nothing is done of them before 2022: a year earlier what was typed in stands, whichever year is asked first."""
    assert [done(in_stages.at(year)) for year in (2022, 2021)] == [pytest.approx(70), 6]
    fresh = in_stages.with_rows({"stages": in_stages.rows["stages"].assign(share=[80.0, np.nan])})
    assert [done(fresh.at(year)) for year in (2021, 2022)] == [6, pytest.approx(85)]


# --- the bundled ledger ----------------------------------------------------------------------------------------------


def rows_of(name: str) -> list[dict[str, str]]:
    with (REPO / "data" / "renewal" / f"{name}.csv").open(encoding="utf-8-sig", newline="") as lines:
        return list(csv.DictReader(lines))


def test_nothing_is_invented_of_real_parcels() -> None:
    """They carry the plan's sentences, word for word; figures and stages are only those of the fictional ones, and say so."""
    text = (REPO / "data" / "standards" / "plan.txt").read_text("utf-8-sig")
    sentences = [row for row in rows_of("promises") if not row["parcel"].startswith("sample")]
    assert sentences and all(row["quote"] in text for row in sentences)
    assert all("示意位置，非征收范围、非权属界线" in row["note"] for row in sentences if row["parcel"])
    for name in ("parcels", "stages"):
        real = [row for row in rows_of(name) if not row["parcel"].startswith("sample")]
        assert not [row for row in real if row.get("value") or row.get("date") or row.get("high")]
        made_up = [row for row in rows_of(name) if row["parcel"].startswith("sample")]
        assert made_up and all(row["basis"] == "synthetic" and "虚构" in row["note"] for row in made_up)
    assert {"wuchedi", "xinhezhuang-south", "xinhezhuang-north"} <= {row["parcel"] for row in rows_of("parcels")}


@pytest.mark.parametrize("name", ["五车地", "新河庄", "安顺道", "崇信路", "赵新路"])
def test_each_sentence_of_the_plan_about_them_is_told_somewhere(name: str) -> None:
    text = (REPO / "data" / "standards" / "plan.txt").read_text("utf-8-sig")
    quotes = [row["quote"] for row in rows_of("promises")]
    for found in re.finditer(name, text):
        places = [(m.start(), m.end()) for quote in quotes for m in re.finditer(re.escape(quote), text)]
        assert any(start <= found.start() < end for start, end in places), text[found.start() - 30 : found.end() + 30]


def test_titles_say_what_is_assumed_and_what_is_made_up() -> None:
    for name, word in (("wuchedi-renewal", "假定"), ("xinhezhuang-renewal", "假定"), ("sample-renewal", "虚构")):
        assert word in Scenario.read(REPO / "data" / "scenarios" / f"{name}.toml").label


@pytest.mark.slow
@pytest.mark.matrix
def test_a_meeting_page_has_no_parcel_that_nobody_has_confirmed(tmp_path: Path) -> None:
    """Neither outline nor name, and it is said which; who confirms it writes so in the manifest, and a refusal is none."""
    folder = folder_of(tmp_path)
    district = xh.District.load(folder)
    assert packed_parcels(district, np.zeros(2)) == [] and "没有写入更新地块：一号地" in renewal_in_words(district)
    manifest = folder / "district.toml"
    before = manifest.read_text("utf-8")
    for said, shown in (("张三 2026-05-12", 1), ("未确认", 0), ("", 0)):
        manifest.write_text(f'renewal_outputs = "{said}"\n{before}', "utf-8")
        district = xh.District.load(folder)
        assert len(packed_parcels(district, np.zeros(2))) == shown
        assert ("已确认" in renewal_in_words(district)) == bool(shown)
    assert renewal_in_words(xh.District.load(TOY)) == ""


def with_what_is_packed(page: str) -> str:
    """Return a page with the text of everything that is packed in it."""
    blobs = re.findall(r"[A-Za-z0-9+/]{40,}={0,2}", page)
    packed = [base64.b64decode(b + "=" * (-len(b) % 4)) for b in blobs if b.startswith("H4sI")]
    return page + "".join(gzip.decompress(b).decode("utf-8", "ignore") for b in packed)


@pytest.mark.slow
@pytest.mark.matrix
def test_a_meeting_page_holds_no_word_of_renewal(tmp_path: Path) -> None:
    """Not of the ledger, the stages, the promises, the plans or the money: whatever is written there, no trace of it is in the page."""
    facts = "p,,ownership,,,,\np,,use_now,,龘用途,,\np,2022,cost_services,,987654,,"
    folder = folder_of(tmp_path, facts, "p,state_scope,2019-07,", "p,,龘承诺,park,,,龘填报\n")
    outline = folder / "boundaries" / "parcels.geojson"
    outline.write_text(outline.read_text("utf-8").replace("一号地", "龘地块"), "utf-8")
    (folder / "scenarios").mkdir()
    edit = '[[edit]]\ndo = "change_use"\nparcel = "p"\nuse = "龘改用途"\n'
    (folder / "scenarios" / "plan.toml").write_text(f'label = "龘方案"\nnote = "龘说明"\n{edit}', "utf-8")
    district = xh.District.load(folder)
    assert "龘方案" in district.scenario("plan").label, "it is read"
    words = ("龘", "987654", "987,654", "2019-07")
    page = with_what_is_packed(meeting(district))
    assert '"F1"' in page, "what is packed in the page is looked into"
    assert not [word for word in words if word in page]
    manifest = folder / "district.toml"
    manifest.write_text(f'renewal_outputs = "张三 2026-05-12"\n{manifest.read_text("utf-8")}', "utf-8")
    assert "龘地块" in with_what_is_packed(meeting(xh.District.load(folder))), "confirmed, it is shown"


def test_parcels_are_internal_unless_somebody_says_otherwise() -> None:
    manifest = tomllib.loads((REPO / "data" / "district.toml").read_text("utf-8"))
    marks = marks_of(manifest)
    assert all(marks[name].level > PUBLIC for name in ("parcel_facts", "stages", "promises"))


@pytest.mark.slow
@pytest.mark.matrix
def test_the_command_tells_everything_in_both_languages(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a window of 80 columns, the narrowest that is common: no number is broken there."""
    monkeypatch.setattr(console.OUT, "_width", 80)

    def said(*args: str) -> str:
        result = CliRunner().invoke(app, ["parcels", *args])
        assert result.exit_code == 0, result.output
        return result.output

    text = said("sample-a", "--plan", "sample-renewal")
    assert "居民收支" in text and "2,500" in text and "14,000—18,000" in text and "内部资料" in text
    everything = said()
    whole = re.sub(r"[\s│]", "", everything)
    assert "待填" in whole and "示意位置，非征收范围、非权属界线" in whole and "五车地" in everything
    assert "Expenditure" in said("sample-b", "--plan", "sample-renewal", "--lang", "en")


def test_ledger_problems_ask_nothing_of_tables_that_are_not_there() -> None:
    tables: dict[str, Any] = {}
    assert list(ledger_problems(tables, {})) == []


@pytest.mark.slow
def test_the_table_of_parcels_and_what_comes_without_a_plan() -> None:
    """One row a parcel, in the year that is asked for; without a plan nobody moves, and everybody is there."""
    district = xh.District.load()
    table = xh.parcels(district)
    assert table.index.name == "parcel" and table.index.equals(district.parcels.index)
    figures, said = parcel_figures(district), promises(district)
    for parcel, row in table.iterrows():
        assert row["to_fill_in"] == (figures.loc[parcel]["value"] == "").sum()
        own = said[[parcel in listed for listed in said["parcels"]]]
        assert sum(row[status] for status in STATUSES) == len(own)
    assert xh.parcels(district, 2024)["people"].sum() == xh.parcels(district.at(2024))["people"].sum()
    still = xh.balance(district)["people"]
    lived = still.groupby(level="parcel").sum(min_count=1).reindex(table.index, fill_value=0.0)
    assert (lived.isna() == table["people"].isna()).all() and (lived - table["people"]).abs().max() == 0
    assert set(still.index.get_level_values("year")) == {district.year}


@pytest.mark.slow
def test_a_figure_of_another_year_or_holder_is_added_and_can_be_undone(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "p,,ownership,,国有,,\np,2022,people,,430,,\np,2022,households,,270,,")
    before = (folder / "renewal" / "parcels.csv").read_bytes()
    file = tmp_path / "a.csv"
    file.write_text(
        "地块,年份,指标,口径,数值或文字\np,2025,常住人口,,300\np,2022,户数,租客,60\np,2022,户数,被征收户,210\n", "utf-8"
    )
    report = add(file, folder, "parcel_facts", apply=True)
    assert (tally(report)["new"], tally(report)["changed"]) == (3, 0)
    got = xh.District.load(folder).rows["parcel_facts"]
    told = {
        (q, y, h): v
        for q, y, h, v in zip(
            got["quantity"], got["year"].fillna(0), got["holder"].fillna(""), got["value"], strict=True
        )
    }
    assert told[("people", 2022, "")] == "430" and told[("people", 2025, "")] == "300"
    assert [told[("households", 2022, h)] for h in ("", "owner", "tenant")] == ["270", "210", "60"]
    undo(folder)
    assert (folder / "renewal" / "parcels.csv").read_bytes() == before


@pytest.mark.slow
def test_errors_name_the_line_of_the_file_that_brings_them(tmp_path: Path) -> None:
    """Whatever stands in the folder before, and wherever in the file the wrong row stands."""
    folder = folder_of(tmp_path, "p,,ownership,,国有,,", "p,state_scope,2021-01,\np,state_survey,2021-03,")
    good = [f"p,state_{s},2021-0{m}" for s, m in (("decision", 4), ("signing", 5), ("vacated", 6))]
    for at in range(4):
        lines = [*good[:at], "p,state_return,2021-02", *good[at:]]
        file = tmp_path / "b.csv"
        file.write_text("\n".join(["地块,阶段,日期", *lines]) + "\n", "utf-8")
        with pytest.raises(DataError) as error:
            add(file, folder, "stages")
        (problem,) = error.value.problems.itertuples()
        assert (problem.file, problem.row, problem.field) == ("b.csv", str(at + 2), "date")


def test_what_tells_figures_apart_on_the_way_in_is_what_the_check_tells_them_apart_by(
    lists: dict[str, pd.DataFrame],
) -> None:
    layer = LAYERS["parcel_facts"]
    base = {"parcel": "p", "quantity": "cost_building", "year": "2025", "value": "5"}
    other = {
        "parcel": "q",
        "quantity": "households",
        "year": "2026",
        "holder": "owner",
        "fund": "甲",
        "value": "6",
        "high": "7",
    }
    other |= {"unit": "万元", "basis": "official", "source": "乙", "filled_by": "丙", "note": "丁"}
    for name in (c.name for c in layer.columns if c.name != layer.key):
        facts, _ = check_rows(layer, pd.DataFrame([base, {**base, name: other[name]}], dtype="object"), "")
        twice = any("填了两行" in p.problem for p in ledger_problems({**lists, "parcel_facts": facts}, {}))
        assert twice == (name not in layer.told_by), name
