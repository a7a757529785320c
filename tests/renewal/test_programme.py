"""The programme of projects: judged at the door, chosen with proof, its counts those of the district of each year."""

from __future__ import annotations

import html
import itertools
import re
import shutil
from functools import cache
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pptx
import pytest
import tomli_w
from pptx.enum.shapes import MSO_SHAPE_TYPE

import xinhe_geo as xh
from xinhe_geo.core.i18n import speaking
from xinhe_geo.district import project_edits
from xinhe_geo.renewal import REASONS, Programming, programmed
from xinhe_geo.renewal.programme import _prepared
from xinhe_geo.report.pages.programme import beyond_text, programme_story, write_programme
from xinhe_geo.report.paper import write_programme_slides

REPO = Path(__file__).parents[2]
TOY = REPO / "tests" / "toy"
RULES = ("plan_elderly_canteen_15", "plan_clinic_15", "plan_elderly_daycare_15")


def lonlat(*spots: tuple[float, float]) -> list[list[float]]:
    """Places of the toy, metres east and north of its corner, as plans write them."""
    points = gpd.GeoSeries(gpd.points_from_xy(*np.array(spots).T + np.array([[500_000], [4_320_000]])), crs=4548)
    return [[float(p.x), float(p.y)] for p in points.to_crs(4326)]


#: Plans on the toy: the island of home E is 320 m from the streets, by two paths that only help together.
PLANS = {
    "canteen": [{"do": "open_facility", "facility": "n-canteen", "kind": "canteen", "at": lonlat((50, 0))[0]}],
    "daycare": [
        {"do": "open_facility", "facility": "n-daycare", "kind": "elderly_daycare", "at": lonlat((150, 300))[0]}
    ],
    "path-west": [{"do": "add_street", "street": "n-west", "line": lonlat((500, 0), (650, 0))}],
    "path-east": [{"do": "add_street", "street": "n-east", "line": lonlat((650, 0), (800, 0))}],
    "shut": [{"do": "close_facility", "facility": "F1"}],
    "move": [{"do": "move_facility", "facility": "F2", "at": lonlat((450, 0))[0]}],
}
HEAD = "project,name,kind,problem,edits,cost_low,cost_high,earliest,duration,status,start,after,excludes,funds,people,urgency,yearly"
PROJECTS = """p1,食堂,新建补短板,q1,canteen,40,60,2023,1,,,,,,,,
p2,日间照料,新建补短板,q2,daycare,50,50,2023,1,,,,,,,,
p3,西段,微改造,q3,path-west,30,30,2023,1,,,,,,,,
p4,东段,微改造,q3,path-east,30,40,2023,1,,,,,,,,
p5,迁走,功能置换,q4,shut,5,5,2023,1,实施,2024,,,,,,
p6,加梯,综合整治,q5,,50,50,2023,1,,,,,,7,,
"""
BUDGETS = """row,fund,year,amount,types,state,carry
1,财政,2023,70,,,
2,财政,2024,50,,已落实,
3,财政,2025,60,,,
4,专项债,2024,40,微改造;新建补短板,拟申请,是
"""


def folder_of(to: Path, projects: str = PROJECTS, budgets: str = BUDGETS, head: str = HEAD) -> Path:
    """The toy with plans, projects and money."""
    folder = Path(shutil.copytree(TOY, to / "toy"))
    (folder / "renewal").mkdir()
    (folder / "scenarios").mkdir()
    for name, edits in PLANS.items():
        (folder / "scenarios" / f"{name}.toml").write_text(tomli_w.dumps({"name": name, "edit": edits}), "utf-8")
    (folder / "renewal" / "projects.csv").write_text(f"{head}\n{projects}", "utf-8")
    (folder / "renewal" / "budgets.csv").write_text(budgets, "utf-8")
    entries = "".join(f'\n[layers.{n}]\nfile = "renewal/{n}.csv"\nsecrecy = "内部"\n' for n in ("projects", "budgets"))
    manifest = folder / "district.toml"
    manifest.write_text(manifest.read_text("utf-8") + entries, "utf-8")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of(tmp_path_factory.mktemp("projects"))


def row(**cells: object) -> str:
    """A line of projects, most of it blank."""
    blank = {"project": "x", "name": "某项目", "cost_low": 1}
    return ",".join(str({**blank, **cells}.get(c, "")) for c in HEAD.split(",")) + "\n"


@pytest.mark.slow
def test_everything_wrong_is_told_in_one_message(tmp_path: Path) -> None:
    lines = row(edits="canten") + row(project="y", cost_low=9, cost_high=5) + row(project="z", earliest=1999)
    with pytest.raises(xh.DataError) as error:
        xh.District.load(folder_of(tmp_path, lines, BUDGETS.replace("财政,2023", "财政,2020")))
    assert set(zip(error.value.problems["row"], error.value.problems["field"], strict=True)) >= {
        ("x", "edits"),
        ("y", "cost_high"),
        ("z", "earliest"),
        ("1", "year"),
    }


@pytest.mark.slow
@pytest.mark.matrix
def test_frames_are_judged_as_files_are(folder: Path) -> None:
    toy = xh.District.load(folder)
    bad = toy.rows["projects"].assign(cost_high=1.0)
    with pytest.raises(xh.DataError, match="小于下限"):
        xh.programme(toy, bad)
    with pytest.raises(xh.DataError, match="项目库"):
        xh.programme(xh.District.load(TOY))
    # the least that says what is meant, as frames, on a district that has neither
    own = pd.DataFrame({"project": ["a", "b"], "name": ["甲", "乙"], "people": [5, 7], "cost_low": [2.0, 3.0]})
    money = pd.DataFrame({"fund": ["财政"], "year": [2023], "amount": [4.0]})
    plan = xh.programme(xh.District.load(TOY), own, money, programming=Programming(equity=False))
    assert plan["year"].to_dict() == {"b": 2023, "a": pytest.approx(np.nan, nan_ok=True)}
    assert plan["reason"].to_dict() == {"b": "", "a": "better"} and plan["objective"].eq(7).all()
    assert plan["bound"].eq(7).all() and plan["declared"].to_dict() == {"b": True, "a": False}


@pytest.mark.slow
def test_edits_that_cannot_be_carried_out_name_the_project(folder: Path) -> None:
    toy = xh.District.load(folder)
    made = toy.rows["facilities"].drop("F1")
    with pytest.raises(xh.DataError) as error:
        xh.programme(toy.replace(facilities=made))
    assert [tuple(p) for p in error.value.problems[["row", "field"]].to_numpy()] == [("p5", "edits")]


def asked(**more: object) -> Programming:
    return Programming(rules=RULES, equity=False, **more)


def counted(district: xh.District, done: frozenset[str], year: int) -> pd.Series:
    """People served under each rule in the district in which some projects are done, by `coverage` and nothing else."""
    rows = district.rows["projects"]
    edits = [e for key in sorted(done) for e in project_edits(district.folder, rows.loc[key, "edits"])]
    cover = xh.coverage(xh.Scenario("s", edits=tuple(edits), year=year).on(district), rules=RULES)
    return (cover["served"] * cover["people"]).groupby(level="rule").sum()


@pytest.mark.slow
@pytest.mark.matrix
def test_each_years_counts_are_those_of_coverage(folder: Path) -> None:
    toy = xh.District.load(folder)
    found = programmed(toy, programming=asked())
    chosen = found.plan[found.plan["reason"] == ""]
    assert chosen.loc["p5", "year"] == 2024, "what is under way goes on"
    for year in (2023, 2024, 2025):
        done = frozenset(chosen.index[(chosen["finished"] <= year).to_numpy()])
        own = found.years.loc[year]
        expected = counted(toy, done, year)
        assert own.loc[list(RULES), "people"].to_dict() == pytest.approx(expected.to_dict()), year
        assert own.loc[list(RULES), "reference"].to_dict() == pytest.approx(expected.to_dict()), year
        shown = xh.coverage(found.scenario.at(year).on(toy), rules=RULES)
        assert (shown["served"] * shown["people"]).groupby(level="rule").sum().to_dict() == pytest.approx(
            expected.to_dict()
        )
    assert (found.money["spent"] <= found.money["amount"] + 1e-6).all()
    spent = chosen["cost"].sum()
    assert found.money["spent"].sum() == pytest.approx(spent)
    assert found.money.xs("applied", level="state")["spent"].eq(0).all(), "money that is asked for is not spent"
    assert set(found.plan["reason"]) <= {"", *REASONS}
    assert found.plan["proven"].all() and found.plan["gap"].eq(0).all()


@pytest.mark.slow
@pytest.mark.matrix
@pytest.mark.parametrize("costs", ["high", "low"])
def test_no_programme_is_better(folder: Path, costs: str) -> None:
    """All programmes, counted by `coverage`: paths that only help together, a closure, a project without edits."""
    toy = xh.District.load(folder)
    projects, years = toy.rows["projects"], (2023, 2024, 2025)
    money = {2023: 70.0, 2024: 50.0, 2025: 60.0}
    people = cache(lambda done, year: counted(toy, done, year))
    cost = {k: float(r[f"cost_{costs}"]) for k, r in projects.iterrows()}
    elderly = [r for r in RULES if "elderly" in r]
    old = toy.homes["people_60plus"]

    @cache
    def value(done: frozenset[str]) -> tuple[float, float]:
        rows = projects
        edits = [e for key in sorted(done) for e in project_edits(toy.folder, rows.loc[key, "edits"])]
        cover = xh.coverage(xh.Scenario("s", edits=tuple(edits), year=2023).on(toy), rules=RULES)
        aged = (cover["served"] * cover["people_60plus"]).groupby(level="rule").sum()
        served = (cover["served"] * cover["people"]).groupby(level="rule").sum()
        return float(aged[elderly].sum()), float(served.sum()) + 7.0 * ("p6" in done)

    assert old.sum() > 0 and people(frozenset(), 2023).sum() > 0
    best = (-np.inf, -np.inf)
    base = value(frozenset())
    choices = [[2024] if key == "p5" else [None, *years] for key in projects.index]
    for plan in itertools.product(*choices):
        begin = dict(zip(projects.index, plan, strict=True))
        if any(sum(cost[k] for k, y in begin.items() if y == year) > money[year] + 1e-9 for year in years):
            continue
        sums = np.zeros(2)
        for year in years:
            done = frozenset(k for k, y in begin.items() if y is not None and y <= year)
            sums += np.array(value(done)) - np.array(base)
        best = max(best, (round(float(sums[0]), 6), round(float(sums[1]), 6)))
    found = programmed(toy, programming=asked(costs=costs))
    assert found.levels["value"].to_list() == pytest.approx(list(best))
    assert found.levels["bound"].to_list() == pytest.approx(list(best)) and found.plan["proven"].all()


@pytest.mark.slow
@pytest.mark.matrix
def test_order_of_rows_and_weights(folder: Path) -> None:
    toy = xh.District.load(folder)
    rows = toy.rows["projects"]
    first = xh.programme(toy, programming=asked())
    again = xh.programme(toy, rows.iloc[::-1], programming=asked())
    assert first["objective"].iloc[0] == pytest.approx(again["objective"].iloc[0])
    urgent = rows.assign(urgency=pd.Series({"p6": "urgent"}, dtype="str"))
    assert xh.programme(toy, urgent, programming=asked()).loc["p6", "year"] == 2023, "urgent goes before people"
    with pytest.raises(xh.UnknownNameError, match="elderly"):
        xh.programme(toy, weights={"elderli": 1.0})
    people = xh.programme(toy, weights={"people": 1.0}, programming=asked())
    both = xh.programme(toy, weights={"people": 1.0, "elderly": 0.0}, programming=asked())
    assert people["objective"].iloc[0] == both["objective"].iloc[0] >= first["objective"].iloc[0]


@pytest.mark.slow
@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.matrix)])
def test_places_put_together_are_what_a_walk_among_all_of_them_finds(folder: Path, every: int) -> None:
    """Every set of the toy's projects, with all tests each fifth: put together from what each place reaches, and walked in the district with all of them."""
    toy = xh.District.load(folder)
    work = _prepared(toy, None, None, None, asked(), None)
    walks = work.walks
    size = len(work.projects)
    closing = {j for j, project in enumerate(work.projects) if project.roles() & {"less", "moved"}}
    for number in range(0, 1 << size, every):
        done = frozenset(j for j in range(size) if number >> j & 1)
        opened, closed = done - closing, done & closing
        for epoch in {walks.epoch(year) for year in work.years}:
            walks.reach(epoch, opened - walks._alone, sorted(walks._alone))
            put = walks._together(epoch, opened, closed)
            assert (put == walks._walk(epoch, opened, closed)).all()
            if opened & walks._alone and not closed:
                assert (epoch, opened - walks._alone, closed) in walks._places


def test_what_cannot_be_exceeded_is_said_once() -> None:
    """Where what is reached is the bound, as it is printed, one figure stands; a bound that nobody found is no number."""
    assert beyond_text("24.8%", "24.8%", 0.24801) == "不能再多"
    assert beyond_text("24.8%", "25.1%", 0.251) == "最多不超过 25.1%"
    assert beyond_text("0", "∞", float("inf")) == "最多能到多少没有算出"


@pytest.mark.slow
def test_the_page_says_what_it_rests_on_and_what_it_takes_away(folder: Path, tmp_path: Path) -> None:
    """Which money, which end of the costs, what nobody can pay and how much is missing, whom a chosen project takes a service from."""
    district = xh.District.load(folder)
    rows = district.rows["projects"].copy()
    rows.loc["p5", ["status", "start", "urgency"]] = ["idea", pd.NA, "urgent"]
    rows.loc["p6", ["cost_low", "cost_high"]] = 500.0
    found = {}
    for costs, applied in (("high", False), ("low", True)):
        state = district.replace(projects=rows)
        found[costs] = told = programmed(state, programming=asked(costs=costs, applied=applied))
        page = programme_story(state, told)
        notes = "".join(page.notes)
        assert ("不参与排序" in notes) == (not applied) and ("没有落实" in notes) == applied
        assert page.how["资金"].startswith("按造价上限" if costs == "high" else "按造价下限")
        assert ("没有安排资金" in notes) == (costs == "low")
        taken = told.plan[((told.plan["reason"] == "") & (told.plan["people"] < 0)).to_numpy()]
        assert set(taken.index) == {"p5"} and set(taken["kept"]) == {"urgent"}
        assert f"p5 迁走列入后少服务 {-taken['people'].iloc[0]:,.0f} 人次：写明限时解决" in notes
        short = told.plan.loc["p6"]
        counts = told.money[[applied or state != "applied" for state in told.money.index.get_level_values("state")]]
        best = counts["amount"].groupby(level=["year", "state"]).sum()
        assert short["reason"] == "no_money" and 0 < short["short"] < 500
        assert short["short"] >= 500 - best.sum() - 1e-6
        assert f"至少还差 {short['short']:,.0f} 万元" in page.sheets["未列入"].set_index("项目").loc["p6", "原因"]
        lost = told.years["gained"].groupby(level="year").max() <= 1e-9
        for year in page.finished:
            some = told.years.loc[year.year, "gained"]
            assert ("没有变化" in year.concluded) == bool((some.abs() < 1e-9).all())
            assert ("少服务" in year.concluded) == bool(some.min() < -1e-9) and (year.rule == "") == bool(
                lost[year.year]
            )


@pytest.mark.slow
@pytest.mark.matrix
def test_the_slides_tell_what_the_page_tells(folder: Path, tmp_path: Path) -> None:
    """In both languages: every title and cell stands on the page, charts hold what the tables hold, the same bytes twice."""
    district = xh.District.load(folder)
    found = programmed(district, programming=asked())
    for lang in ("zh", "en"):
        with speaking(lang):
            write_programme(district, found, tmp_path / lang)
            decks = [write_programme_slides(district, found, tmp_path / f"{lang}{n}.pptx") for n in "ab"]
            story = programme_story(district, found)
        assert decks[0].read_bytes() == decks[1].read_bytes()
        page = html.unescape(re.sub(r"<[^>]+>", "\n", (tmp_path / lang / "programme.html").read_text("utf-8")))
        slides = list(pptx.Presentation(str(decks[0])).slides)
        assert 4 <= len(slides) <= 10
        for slide in slides:
            title = slide.shapes.title
            assert title is not None and title.text_frame.text.rstrip("。. ") in page
            assert slide.notes_slide.notes_text_frame.text, "method and source"
        of_sheets = [s for s in slides[1:] for shape in s.shapes if shape.has_table]
        for slide in of_sheets:
            for shape in slide.shapes:
                if shape.has_table:
                    cells = [cell.text for row in list(shape.table.rows)[1:] for cell in row.cells]
                    assert cells and set(cells) <= set(page.splitlines())
        maps = [slide for slide in slides for shape in slide.shapes if shape.shape_type == MSO_SHAPE_TYPE.PICTURE]
        by_year = [year for year in story.finished if year.rule]
        assert [slide.shapes.title.text_frame.text for slide in maps] == [year.concluded for year in by_year[-1:]]
        money, served = (next(shape.chart for shape in slides[n].shapes if shape.has_chart) for n in (1, 2))
        spent = found.money["spent"].groupby(level="year").sum()
        drawn = pd.DataFrame({s.name: s.values for s in money.plots[0].series}, list(money.plots[0].categories)).sum(
            axis=1
        )
        assert drawn.tolist() == pytest.approx(spent.tolist()) and list(map(int, drawn.index)) == spent.index.tolist()
        last = found.years.xs(int(served.plots[0].series[-1].name), level="year")["gained"]
        some = found.years["gained"].abs().groupby(level="rule").max()
        assert sorted(served.plots[0].series[-1].values) == pytest.approx(sorted(last[some > 0]))
        lost = f"{-last.min():,.0f}"
        assert lost in story.concluded["逐年服务"], (
            "whoever is served no longer is told in the title, not only the gain"
        )
