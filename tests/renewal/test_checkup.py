"""The checkup: what is computed, what is lacking, what is typed; problems that keep their number and cannot vanish."""

from __future__ import annotations

import html
import json
import re
import shutil
from pathlib import Path

import docx
import numpy as np
import openpyxl
import pandas as pd
import pytest
from typer.testing import CliRunner

import xinhe_geo as xh
from xinhe_geo.app.cli import app
from xinhe_geo.core.i18n import speaking
from xinhe_geo.core.schema import PROBLEM_STATES
from xinhe_geo.core.sentences import say
from xinhe_geo.renewal import INDICATOR_STATES, checkup, concerned, followed, on_record, outcomes, ranked, standing
from xinhe_geo.report.closing import with_problems
from xinhe_geo.report.pages.checkup import checked, project_sheet, projects_told, write_checkup
from xinhe_geo.report.pages.since import since_section
from xinhe_geo.report.paper import write_checkup_word
from xinhe_geo.report.paper.page import plain
from xinhe_geo.report.tables import cell_text

REPO = Path(__file__).parents[2]
TOY = REPO / "tests" / "toy"
#: A small set of our own: each way in which an indicator is found.
OWN = """indicator,set,level,name,unit,metric,rule,test,have,need,per,urgency,duty,confidence
clinic,own,小区,诊所在外的小区,个,homes_outside,plan_clinic_15,,,,,尽力解决,卫健,convention
canteen,own,小区,缺食堂的社区,个,communities_without,plan_canteen_community,,,,,,,convention
land,own,街区,诊所覆盖用地,%,land_share,plan_clinic_15,,,,,,,convention
old,own,住房,老小区,个,homes_where,,built<2000;property_managed==no,,,,限时解决,,convention
park,own,小区,泊位缺口,个,shortfall,,,parking_places,households,0.5,,,convention
lifts,own,住房,无电梯,个,homes_where,,elevators==0,,,,,,convention
wash,own,街区,洗车,个,homes_outside,car_wash,,,,,,,convention
gas,own,住房,燃气隐患,栋,typed,,,,,,限时解决,,convention
"""


def toy_with(*, parking: dict[str, int] | None = None, **cells: dict[str, object]) -> xh.District:
    """The toy with the own set, and columns of its homes filled in."""
    toy = xh.District.load(TOY)
    rows = pd.read_csv(pd.io.common.StringIO(OWN), dtype=str)
    rows["per"] = rows["per"].astype(float)
    homes = toy.rows["homes"].copy()
    for column, values in {"parking_places": parking or {"A": 10, "B": 60, "D": 10}, **cells}.items():
        homes[column] = pd.Series(values).reindex(homes.index).to_numpy(object)
    return toy.replace(checkup_indicators=rows, homes=homes)


@pytest.mark.parametrize(
    ("test", "value"),
    [
        ("built<2000", 3.0),
        ("built<nan", np.nan),
        ("built<1e999", np.nan),
        ("built<" + "9" * 5000, np.nan),
        ("built<no", np.nan),
        ("name<5", 0.0),
        ("name==甲苑", 1.0),
    ],
)
def test_what_a_test_holds_cells_against(toy: xh.District, test: str, value: float) -> None:
    """A limit that is no number is lacking: of nothing that is compared with it is said that there is none."""
    rows = toy.rows["checkup_indicators"]
    told = toy.replace(checkup_indicators=rows[rows["metric"] == "homes_where"].iloc[:1].assign(test=test))
    (found,) = checkup(told, "own").itertuples()
    assert found.value == value or (np.isnan(found.value) and np.isnan(value))


@pytest.fixture(scope="module")
def toy() -> xh.District:
    return toy_with(
        built={"A": 1990, "B": 1990, "C": 2010, "D": 1980}, property_managed={"A": "no", "B": "yes", "C": "no"}
    )


def test_indicators_by_hand(toy: xh.District) -> None:
    """
    Worked out by hand on the toy: 40, 80, 20 and 4 households in A, B, D and E (C's are not known).

    Half a place for each: A wants 20 and has 10, B wants 40 and has 60, D wants 10 and has 10; E and C are not known. Wants alone come
    to 10; B has 20 too many, so that net nothing is lacking. Old and without a manager: A; of D and E one of the two is not known.
    Outside the walk to a clinic lives E alone (10 people); T01 has no canteen (A, 100 people, and C, whose people are not known).
    """
    found = checkup(toy)
    told = found[["value", "net", "status", "lacks", "places", "people", "unknown"]]
    assert tuple(told.loc["park"].to_numpy()[[0, 1, 2, 4, 6]]) == (10.0, 0.0, "computed", 1, 2)
    assert tuple(told.loc["old"].to_numpy()[[0, 2, 4, 5, 6]]) == (1.0, "computed", 1, 100.0, 2)
    assert tuple(told.loc["clinic"].to_numpy()[[0, 4, 5]]) == (1.0, 1, 10.0)
    assert tuple(told.loc["canteen"].to_numpy()[[0, 4, 5]]) == (1.0, 1, 100.0)
    cover = xh.coverage(toy, rules="plan_clinic_15")
    land = 100 * (cover["served"] * cover["area_m2"]).sum() / cover["area_m2"].sum()
    assert found.loc["land", "value"] == pytest.approx(land)
    assert found.loc["lifts", ["status", "lacks"]].to_list() == ["lacks", "homes.elevators"]
    assert found.loc["wash", ["status", "lacks"]].to_list() == ["lacks", "car_wash"]
    assert found.loc["gas", "status"] == "blank" and np.isnan(found.loc["gas", "value"])
    assert set(found["status"]) <= set(INDICATOR_STATES)
    assert not {"grade", "score"} & set(found.columns)


def test_typed_figures_come_from_the_series(toy: xh.District) -> None:
    series = pd.DataFrame({"indicator": ["gas", "gas"], "year": [2021, 2030], "value": [7.0, 1.0]})
    found = checkup(toy.replace(series=series)).loc["gas"]
    assert (found["status"], found["value"]) == ("typed", 7.0), "what is typed for a later year is not of this one"


@pytest.mark.slow
def test_the_bundled_sets_name_rules_that_there_are() -> None:
    toy = xh.District.load(TOY)
    rows = toy.rows["checkup_indicators"]
    assert (rows["set"] == "城市体检").sum() == 61
    known = {*toy.rules.index, *toy.kinds.index}
    assert {str(r) for r in rows["rule"].dropna()} - known == {"car_wash"}, "no such kind yet: told as lacking"
    assert not set(rows.loc[rows["level"] == "city", "metric"]) - {"typed"}
    with pytest.raises(xh.UnknownNameError, match="城市体检"):
        checkup(toy, "城市体验")


@pytest.mark.slow
def test_numbers_survive_any_order_and_other_names(toy: xh.District) -> None:
    rng = np.random.default_rng(0)
    first = xh.problems(toy)
    assert first.index.is_unique and not first.duplicated(["indicator", "place"]).any()
    names = {
        n: toy.rows[n].iloc[rng.permutation(len(toy.rows[n]))] for n in ("homes", "facilities", "checkup_indicators")
    }
    names["facilities"] = names["facilities"].assign(name=[f"改名{i}" for i in range(len(names["facilities"]))])
    again = xh.problems(toy.replace(**names))
    pd.testing.assert_frame_equal(first, again)


def states(now: xh.District, before: pd.DataFrame) -> dict[str, str]:
    found = xh.problems(now, before)
    assert set(before.index) <= set(found.index), "no problem vanishes"
    assert set(found["state"]) <= set(PROBLEM_STATES)
    assert found.loc[found["solved"], "state"].isin(["solved", "closed"]).all()
    return {str(k): str(v) for k, v in found.loc[before.index, "state"].items()}


@pytest.mark.slow
@pytest.mark.matrix
def test_next_year_every_problem_has_a_state_with_its_reason(toy: xh.District) -> None:
    before = xh.problems(toy)
    typed = pd.DataFrame(
        {"indicator": ["gas"] * 3, "place": ["A", "B", "D"], "found": [2022] * 3, "paper": ["", "验收单", "验收单"]},
        index=["gas@A", "gas@B", "gas@D"],
    ).replace("", None)
    typed["checked_by"] = [None, None, "某某"]
    before = pd.concat([before, typed])
    same = states(toy, before)
    assert {same[k] for k in ("park@A", "old@A", "clinic@E", "canteen@T01")} == {"open"}
    assert [same[f"gas@{h}"] for h in "ABD"] == ["open", "to_review", "closed"]
    better = toy_with(parking={"A": 20, "B": 60, "D": 10}, built={"A": 1990}, property_managed={"A": "yes"})
    found = states(better, before)
    assert (found["park@A"], found["old@A"], found["clinic@E"]) == ("solved", "solved", "open")
    unknown = toy_with(parking={"B": 60}, built={"B": 1990}, property_managed={"B": "yes"})
    assert states(unknown, before)["park@A"] == "not_measured", "no figure is no solution"
    gone = toy_with().replace(homes=toy.rows["homes"].drop("E"), gates=toy.rows["gates"].drop("gE"))
    assert states(gone, before)["clinic@E"] == "corrected"
    torn = toy.rows["homes"].copy()
    torn["until"] = torn["until"].mask(torn.index == "E", 2021)
    assert states(toy.replace(homes=torn), before)["clinic@E"] == "demolished"
    other = toy.rows["checkup_indicators"].copy()
    other.loc["park", "per"] = 0.2
    assert states(toy.replace(checkup_indicators=other), before)["park@A"] == "redefined"
    assert states(toy.replace(checkup_indicators=other.drop("park")), before)["park@A"] == "redefined"


@pytest.mark.slow
def test_random_years_lose_no_problem(toy: xh.District) -> None:
    rng = np.random.default_rng(1)
    before = xh.problems(toy)
    homes = toy.rows["homes"]
    for _ in range(4):
        kept = homes[rng.random(len(homes)) < 0.8]
        parking = [None if rng.random() < 0.3 else int(rng.integers(0, 60)) for _ in range(len(kept))]
        gates = toy.rows["gates"]
        now = toy.replace(homes=kept.assign(parking_places=parking), gates=gates[gates["home"].isin(kept.index)])
        before = xh.problems(now, before)
        assert set(states(now, before)) == set(before.index)
        assert before.index.is_unique


@pytest.mark.slow
def test_the_command_writes_the_sheets_of_the_form(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(TOY, tmp_path / "toy"))
    (folder / "renewal").mkdir()
    (folder / "renewal" / "problems.csv").write_text(
        "problem,indicator,place,people,found,state\nC61-11@A,C61-11,A,90,2021,未解决\nC61-01@B,C61-01,B,,2021,\n",
        "utf-8",
    )
    (folder / "renewal" / "projects.csv").write_text(
        "project,name,problem,status\np1,建日照,C61-11@A;C61-99@X,完工\n", "utf-8"
    )
    manifest = folder / "district.toml"
    entries = "".join(f'\n[layers.{name}]\nfile = "renewal/{name}.csv"\n' for name in ("problems", "projects"))
    manifest.write_text(manifest.read_text("utf-8") + entries, "utf-8")
    problems = xh.check(folder)
    assert problems["problem"].str.contains("C61-99@X").sum() == 1, "a problem that nobody knows is told"
    done = CliRunner().invoke(app, ["checkup", str(folder), "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    book = openpyxl.load_workbook(tmp_path / "out" / "tables" / "自查表.xlsx", read_only=True)
    assert book.sheetnames == ["指标汇总", "问题清单", "整治建议清单", "项目库", "上年度整治成效"]
    told = [[c for c in row if c is not None] for row in book["上年度整治成效"].iter_rows(values_only=True)]
    assert [row for row in told if row[0] == "C61-11@A"] == [
        ["C61-11@A", "未达标配建养老服务设施的小区数量", 90, 100, "未解决", "否", "p1", "完工"]
    ], "a project that was to close it is finished, and it is still there"
    (tmp_path / "out" / "tables" / "problems.csv").replace(folder / "renewal" / "problems.csv")
    assert not (xh.check(folder)["severity"] == "error").any()
    later = xh.problems(xh.District.load(folder))
    assert not later["is_new"].any() and later.loc["C61-11@A", "people_before"] == 100, (
        "this year's list is last year's of the next"
    )
    assert later.loc["C61-11@A", ["state", "found"]].tolist() == ["open", 2021]
    assert "上年2个问题，已解决0个" in "".join(done.output.split())
    assert "自查表" in (tmp_path / "out" / "checkup.html").read_text("utf-8")


@pytest.mark.slow
def test_what_nobody_could_work_out_has_no_number_of_problems_and_years_have_no_comma() -> None:
    """Blank and lacking indicators: a 0 would say that all is well."""
    found = checkup(xh.District.load(TOY))
    waiting = found["status"].isin(["lacks", "blank"])
    assert waiting.any() and found.loc[waiting, "places"].isna().all()
    assert found.loc[found["status"] == "computed", "places"].notna().all()
    assert [cell_text(name, 2026) for name in ("年份", "完工年", "发现年份", "户数")] == [
        "2026",
        "2026",
        "2026",
        "2,026",
    ]


#: The set of our own, and one that asks the same of the clinics again, and one for the elderly.
MORE = OWN + "again,other,街区,诊所在外的小区（另一套）,个,homes_outside,plan_clinic_15,,,,,,,convention\n"


def told(rows: list[tuple[str, str, float]], **more: object) -> pd.DataFrame:
    """Problems as `problems` tells them: indicator, place, people."""
    frame = pd.DataFrame(rows, columns=["indicator", "place", "people"])
    frame.index = pd.Index([f"{i}@{p}" for i, p, _ in rows], name="problem")
    blank = {
        "definition": frame["indicator"],
        "name": frame["indicator"],
        "urgency": None,
        "duty": None,
        "suggest": None,
    }
    return frame.assign(**{**blank, "projects": "", "state": "open", "is_found": True, **more})


def test_the_order_in_which_to_begin(toy: xh.District) -> None:
    """What must be solved by a date, then what is for the elderly, then most people; what two sets ask alike is one."""
    rows = pd.read_csv(pd.io.common.StringIO(MORE), dtype=str).assign(per=np.nan, elderly=None)
    rows["elderly"] = pd.Series([True] * len(rows)).where(rows["indicator"] == "lifts", None)
    now = toy.replace(checkup_indicators=rows)
    found = told(
        [
            ("clinic", "E", 10.0),
            ("again", "E", 10.0),
            ("lifts", "D", 5.0),
            ("gas", "D", np.nan),
            ("old", "A", 90.0),
            ("wash", "B", 80.0),
            ("wash", "A", 100.0),
        ]
    )
    found["urgency"] = ["", "", "", "urgent", "urgent", "", ""]
    found.loc[["clinic@E", "again@E"], "definition"] = "alike"
    groups = ranked(now, found)
    assert list(groups.index) == ["old@T01", "gas@T02", "lifts@T02", "wash@T01", "wash@T02", "again@990001"]
    assert groups.index[0].startswith("old") and groups.index[1].startswith("gas"), (
        "nobody known comes last of its kind"
    )
    assert groups.index[2].startswith("lifts") and bool(groups["elderly"].iloc[2])
    day = toy.rows["checkup_indicators"].copy()
    day.loc["clinic", "rule"] = "plan_elderly_daycare_15"
    both = told([("land", "A", 90.0), ("clinic", "E", 10.0)])
    first = ranked(toy.replace(checkup_indicators=day.assign(elderly=False)), both)
    assert first["elderly"].tolist() == [True, False], (
        "a rule about a daycare is for the elderly, whatever the blank cell says"
    )
    alike = groups[groups["indicators"] == "again;clinic"].iloc[0]
    assert (alike["problems"], alike["people"]) == (1, 10.0)
    numbers = [n for cell in groups["numbers"] for n in cell.split(";")]
    assert sorted(numbers) == sorted(found.index), "every problem stands in one group"


@pytest.mark.parametrize("seed", range(6))
def test_nobody_is_counted_twice(toy: xh.District, seed: int) -> None:
    """Against the homes marked one by one: of each the problem that concerns most; a community and the district concern all."""
    rng = np.random.default_rng(seed)
    homes = toy.homes["people"]
    community = toy.groups["community"]
    places = [*homes.index, *sorted(set(community.dropna())), "", "gone"]
    rows = [(f"i{k}", str(rng.choice(places)), float(rng.integers(1, 11))) for k in range(int(rng.integers(1, 9)))]
    most = dict.fromkeys([*homes.index, "gone"], 0.0)
    for _, place, people in rows:
        for home in homes.index:
            if place in (community.get(home), "") and not np.isnan(homes[home]):
                most[home] = max(most[home], float(homes[home]))
        if place in most:
            most[place] = max(most[place], people)
    assert concerned(toy, told(rows)) == pytest.approx(sum(most.values()))


@pytest.mark.slow
@pytest.mark.matrix
def test_a_problem_found_again_stands_whatever_was_said_of_it(toy: xh.District) -> None:
    """Also one whose data were corrected, whose definition changed, and one that a year without data lies between."""
    first = xh.problems(toy)
    for said in PROBLEM_STATES:
        again = xh.problems(toy, first.assign(state=said))
        assert set(first.index) <= set(standing(again).index), said
    other = toy.rows["checkup_indicators"].copy()
    other.loc["park", "per"] = 0.4
    changed = xh.problems(toy.replace(checkup_indicators=other), first)
    assert changed.loc["park@A", "state"] == "redefined" and "park@A" in standing(changed).index
    rules = toy.rows["rules"].copy()
    rules.loc["plan_clinic_15", ["minutes", "metres"]] *= 0.9
    assert xh.problems(toy.replace(rules=rules), first).loc["clinic@E", "state"] == "redefined", (
        "a rule of another limit"
    )
    blank = xh.problems(toy.replace(homes=toy.rows["homes"].assign(parking_places=None)), first)
    assert blank.loc["park@A", "state"] == "not_measured" and "park@A" in standing(blank).index
    assert xh.problems(toy, blank).loc["park@A", ["state", "is_new"]].tolist() == ["open", False]
    solved = xh.problems(toy_with(parking={"A": 20, "B": 60, "D": 10}), first)
    assert solved.loc["park@A", "state"] == "solved" and "park@A" not in standing(solved).index


@pytest.mark.slow
def test_the_loop_closes_from_one_report_to_the_next(tmp_path: Path) -> None:
    """
    Two years of the toy: a daycare is built for A, p2 was to help E and has not, and a carpark that nobody's project built.

    On record stay the problems that projects cite; the next report says which of them a finished project has solved, and which one
    that was to be finished has not.
    """
    now = toy_with(parking={"A": 10, "B": 60, "D": 10})
    projects = pd.DataFrame(
        {
            "name": ["补泊位", "建诊所", "以后再做", "补泊位二"],
            "problem": ["park@A", "clinic@E", "clinic@E", "park@D"],
            "status": ["reserved", "under_way", "idea", "idea"],
            "start": [pd.NA, 2022, pd.NA, pd.NA],
            "duration": [1, 2, 1, 1],
        },
        index=pd.Index(["p1", "p2", "p3", "p4"], name="project"),
    )
    first = now.replace(projects=projects)
    kept = json.loads(json.dumps(on_record(first)))
    assert set(kept) == {"park@A", "clinic@E"}, "D has all its places"
    assert kept["clinic@E"]["people"] == 10
    later = toy_with(parking={"A": 20, "B": 60, "D": 10}).replace(
        projects=projects.assign(status=["finished", "under_way", "idea", "idea"])
    )
    later = later.at(2023)
    found = followed(later, kept)
    ends = outcomes(later, found)
    assert ends.loc["park@A"].tolist() == ["by_project", "p1"]
    assert ends.loc["clinic@E"].tolist() == ["missed", "p2"], "p3 was never to be finished by now"
    rows = with_problems(pd.DataFrame(columns=["part", "id", "label", "before", "after"]), later, {"problems": kept})
    assert dict(zip(rows["id"], rows["after"], strict=True)) == {
        "park@A": "已解决（重新测算），由项目解决：p1 补泊位（完工）",
        "clinic@E": "未解决（10 人），项目应解决而未解决：p2 建诊所（实施）",
    }
    assert "问题" in since_section(rows) and "p2 建诊所" in since_section(rows)
    unfinished = later.replace(projects=projects)
    assert outcomes(unfinished, followed(unfinished, kept)).loc["park@A", "outcome"] == "otherwise"


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_word_report_has_the_parts_in_order_with_the_digits_of_the_page(
    toy: xh.District, lang: str, tmp_path: Path
) -> None:
    with speaking(lang):
        found = checked(toy)
        paths = [write_checkup_word(toy, found, tmp_path / f"{n}.docx") for n in "ab"]
        write_checkup(toy, found, tmp_path / "out")
        parts = [say(name) for name in ("指标汇总", "问题清单", "整治建议清单", "项目库", "上年度整治成效")]
        nothing = say("没有上一年的问题清单，整治成效数据不足。")
    assert paths[0].read_bytes() == paths[1].read_bytes()
    paper = docx.Document(str(paths[0]))
    heads = [p.text for p in paper.paragraphs if p.style is not None and p.style.name == "Heading 1"]
    assert all(name in head for name, head in zip(parts, heads, strict=False)), heads
    body = [p.text for p in paper.paragraphs]
    assert all(any(line.strip() in text for text in body) for line in found.said), "what the page says stands in it"
    assert any(nothing.strip() in text for text in body), "what nobody knows is said to be unknown"
    page = (tmp_path / "out" / "checkup.html").read_text("utf-8")
    on_page = {html.unescape(re.sub(r"<[^>]+>", "", cell)) for cell in re.findall(r"<td[^>]*>(.*?)</td>", page)}
    for table in paper.tables:
        cells = [cell.text for row in table.rows[1:] for cell in row.cells]
        assert cells and {c for c in cells if c and c != "—"} <= on_page | {plain(c) for c in on_page}


@pytest.mark.slow
def test_what_is_said_of_the_indicators_adds_up() -> None:
    """Every indicator is in one state, and the sentence leaves none out."""
    (said,) = checked(xh.District.load(TOY)).said[:1]
    whole, *parts = (int(number) for number in re.findall(r"\d+", said))
    assert whole > 0 and sum(parts) == whole


@pytest.mark.slow
def test_one_problem_for_a_place_and_an_indicator_whatever_it_was_called(toy: xh.District) -> None:
    """An office's own number stays; the same twice is one that stands and one that says so; neither is taken for solved."""
    now = xh.problems(toy)
    found = now.index[(now["indicator"] == "clinic").to_numpy()]
    place = str(now.loc[found[0], "place"])
    own = pd.DataFrame({"indicator": ["clinic"], "place": [place], "found": [2021]}, index=["街办-7"])
    again = xh.problems(toy, before=own)
    assert "街办-7" in again.index and found[0] not in again.index and len(again) == len(now)
    assert again.loc["街办-7", "state"] == "open" and again.loc["街办-7", "is_found"]
    assert not again.duplicated(["indicator", "place"]).any()
    twice = pd.concat([own, own.rename(index={"街办-7": found[0]}), own.rename(index={"街办-7": "街办-8"})])
    for order in (twice, twice.iloc[::-1]):
        both = xh.problems(toy, before=order)
        stands = both[both["state"] == "open"]
        assert not stands.duplicated(["indicator", "place"]).any() and found[0] in stands.index
        assert list(both.loc[["街办-7", "街办-8"], "state"]) == ["corrected", "corrected"]
        assert not both.loc[["街办-7", "街办-8"], "solved"].any()
        assert both.loc["街办-7", "note"] == f"与 {found[0]} 是同一个问题"


@pytest.mark.slow
def test_a_year_without_data_and_homes_put_together_lose_no_problem(toy: xh.District) -> None:
    first = xh.problems(toy)
    bare = toy_with(
        built={"A": 1990, "B": 1990, "C": 2010, "D": 1980},
        property_managed={"A": "no", "B": "yes", "C": "no"},
        parking={"B": 60},
    )
    between = xh.problems(bare, before=first)
    assert between.loc["park@A", "state"] == "not_measured" and set(first.index) <= set(between.index)
    third = xh.problems(toy, before=between)
    assert third.loc["park@A", "state"] == "open" and third.loc["park@A", "found"] == first.loc["park@A", "found"]
    homes = toy.rows["homes"]
    joined = homes.drop(index=["A"]).rename(index={"D": "AD"})  # A and D are one now, under a new id
    gates = toy.rows["gates"]
    other = toy.replace(homes=joined, gates=gates[~gates["home"].isin(["A", "D"]).to_numpy()])
    found = xh.problems(other, before=first)
    assert set(first.index) <= set(found.index) and found["state"].isin(list(PROBLEM_STATES)).all()
    gone = [n for n in first.index if first.loc[n, "place"] in ("A", "D")]
    assert gone and not found.loc[gone, "solved"].any()


def test_projects_of_which_only_one_will_be_done_are_named_beside_the_total() -> None:
    """Whichever of the two says it, once; a project that is not in the library is nobody."""
    for excludes in (["b;z", None, None], [None, "a", None], ["b", "a", None]):
        columns = [
            "name",
            "level",
            "problem",
            "reason",
            "kind",
            "scope",
            "cost_low",
            "cost_high",
            "invest",
            "spent",
            "earliest",
            "status",
            "duty",
        ]
        rows = pd.DataFrame(None, index=["a", "b", "c"], columns=columns).assign(
            cost_high=[600.0, 6000.0, 50.0], excludes=excludes
        )
        told = list(projects_told(project_sheet(rows)))
        assert "6,650" in told[0]
        assert [line for line in told if "互斥" in line] == [
            "总投资里互斥的项目都算了，实际只做其中一个：a（600 万元）和 b（6,000 万元）。"
        ]
    assert not any("互斥" in line for line in projects_told(project_sheet(rows.assign(excludes=None))))
