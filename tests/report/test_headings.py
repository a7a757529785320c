"""What the plan says and what is counted beside it stand under headings of their own; a place without a plan never says 规划目标."""

from __future__ import annotations

import shutil
from pathlib import Path

import docx
import numpy as np
import openpyxl
import pandas as pd
import pptx
import pytest
import shapely

import xinhe_geo as xh
from xinhe_geo.access.headlines import headlines
from xinhe_geo.app.cli import main
from xinhe_geo.core.models import OF_PLAN, REFERENCE, Edit, Rule
from xinhe_geo.maps.meeting import preset_text
from xinhe_geo.report.paper.slides import slides
from xinhe_geo.report.paper.word import write_brief
from xinhe_geo.siting.candidates import candidate_sites
from xinhe_geo.siting.models import solve
from xinhe_geo.siting.sites import sites
from xinhe_geo.siting.task import Siting

ROOT = Path(__file__).parents[2]
TOY = Path(__file__).parents[1] / "toy"


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy district with the bundled plan for its own."""
    folder = tmp_path_factory.mktemp("planned") / "toy"
    shutil.copytree(TOY, folder)
    shutil.copytree(ROOT / "data/standards", folder / "standards")
    (folder / "ledger").mkdir()
    shutil.copy(ROOT / "data/ledger/series.csv", folder / "ledger")
    return folder


@pytest.mark.slow
def test_only_what_the_plan_says_is_its_target() -> None:
    district = xh.District.load()
    rules = [district.rule(str(name)) for name in district.rules.index]
    plan = {rule.name for rule in rules if rule.of_plan}
    own = district.rules["standard"].str.startswith("《新河街道") & (district.rules["confidence"] == "read")
    assert plan == set(district.rules.index[own & (district.rules["set"] == "plan")]) and len(plan) == 9
    assert set(district.rules.index[(district.rules["set"] == "plan").to_numpy()]) == plan
    table = headlines(district, xh.coverage(district))
    assert set(table.index[table["heading"] == OF_PLAN]) == plan and set(table["heading"]) == {OF_PLAN, REFERENCE}
    for name, row in table.iterrows():
        rule = district.rule(str(name))
        assert rule.standard in row["cited"] and rule.clause in row["cited"], name
    assert preset_text(district, "plan") == OF_PLAN


@pytest.mark.slow
def test_no_rule_is_asked_twice() -> None:
    """Two rules of a standard that differ in nothing but their set and what they count would be one question with two answers."""
    rules = xh.District.load().rules
    recalled = rules[(rules["confidence"] == "recalled").to_numpy() & rules["set"].isin(["reference", "gb50180"])]
    same = recalled.duplicated(["kinds", "metric", "method", "metres", "minutes", "standard", "clause"], keep=False)
    assert recalled.index[same].tolist() == []


@pytest.mark.slow
def test_a_place_without_a_plan_never_says_it_has_targets(toy_report: Path) -> None:
    out, toy = toy_report, xh.District.load(TOY)
    assert not any(toy.rule(str(name)).of_plan for name in toy.rules.index)
    written = [p for p in out.rglob("*") if p.suffix in (".html", ".json", ".csv")]
    assert len(written) > 5
    assert [p.name for p in written if OF_PLAN in p.read_text("utf-8")] == []
    for sheet in openpyxl.load_workbook(out / "tables/coverage.xlsx"):
        assert not any(
            OF_PLAN in str(cell) for row in sheet.iter_rows(values_only=True) for cell in [sheet.title, *row]
        )
    assert preset_text(toy, "plan") == "参考指标"


@pytest.mark.slow
@pytest.mark.matrix
def test_every_output_has_both_headings(planned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    district, out = xh.District.load(planned), tmp_path / "out"
    assert main(["report", str(planned), "--out", str(out)]) == 0
    page = (out / "index.html").read_text("utf-8")
    assert f"<h3>{OF_PLAN}</h3>" in page and f"<h3>{REFERENCE}</h3>" in page
    book = openpyxl.load_workbook(out / "tables/coverage.xlsx")
    assert {OF_PLAN, REFERENCE} <= set(book.sheetnames)
    beside = [[str(c) for c in row] for row in book[REFERENCE].iter_rows(values_only=True)]
    assert any("GB 50180-2018 表C.0.1（凭记忆，未核）" in cell for row in beside for cell in row)
    write_brief(district, tmp_path / "brief.docx")
    word = docx.Document(str(tmp_path / "brief.docx"))
    assert any(REFERENCE in p.text for p in word.paragraphs)
    slides(district, tmp_path / "brief.pptx")
    notes = [s.notes_slide.notes_text_frame.text for s in pptx.Presentation(str(tmp_path / "brief.pptx")).slides]
    (said,) = [
        text.split("\n") for text in notes if REFERENCE in text
    ]  # what is counted beside the plan is told under that heading
    assert said.index(REFERENCE) < max(i for i, line in enumerate(said) if line.startswith("幼儿园"))
    capsys.readouterr()
    assert main(["rules", "run", "plan", str(planned)]) == 0
    said = capsys.readouterr().out
    assert OF_PLAN in said and REFERENCE in said


@pytest.mark.slow
@pytest.mark.matrix
def test_the_first_site_is_where_most_people_are_among_the_ties() -> None:
    """Each community without one counts 1: of these the first is that with most people 60 and over, by n as by hand."""
    district = xh.District.load()
    homes = district.homes
    assert homes is not None
    for kind in ("elderly_daycare", "canteen"):
        matrix = xh.presence(district)
        lacks = matrix.index[(matrix[kind] == 0).to_numpy()]
        older = homes["people_60plus"].groupby(district.groups["community"]).sum().reindex(lacks)
        order = older.sort_values(ascending=False).index
        chosen = sites(district, kind, 1, each=True)
        assert chosen["community"].tolist() == order[: len(chosen)].tolist()
        assert (chosen["tied"] == len(lacks)).all() and f"并列 {len(lacks)} 处" in chosen["near_ties"].iloc[0]
        n = min(3, len(lacks))
        assert set(sites(district, kind, n)["community"]) == set(order[:n])


@pytest.mark.slow
@pytest.mark.matrix
def test_the_zone_has_exactly_the_candidates_that_lose_little(tmp_path: Path) -> None:
    """Every candidate put in place of the site: in the zone are those whose gain is at most the asked share less."""
    toy = xh.District.load(TOY)
    asked = Siting(limit=3.0, within=0.3, plans=1)
    best = sites(toy, "clinic_station", 1, siting=asked).iloc[0]
    zone = shapely.from_wkt(best["may_stand"])
    inside = 0
    for site, spot in candidate_sites(toy).geometry.items():
        alone = sites(toy, "clinic_station", 1, siting=Siting(limit=3.0, locked=(site,), plans=1)).iloc[0]
        assert zone.intersects(spot) == (alone["objective"] >= best["objective"] * 0.7 - 1e-6), site
        inside += zone.intersects(spot)
    assert inside > 0


def gained(district: xh.District, rule: Rule, kind: str, spots: list[shapely.Point]) -> float:
    """Return the share that new places bring: they are put there by a plan, and everything is counted anew."""
    edits = [Edit("open_facility", {"facility": f"n{i}", "kind": kind, "xy": [p.x, p.y]}) for i, p in enumerate(spots)]
    states = (district, xh.Scenario("p", "p", tuple(edits)).on(district))
    before, after = (float(xh.summary(xh.coverage(state, rules=[rule]))["share"].iloc[0]) for state in states)
    return after - before


@pytest.mark.slow
@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("kind", "asked", "n"),
    [
        ("fitness", Siting(within=0.02), 1),
        ("canteen", Siting(within=0.02), 1),
        ("clinic_station", Siting(within=0.02), 2),
    ],
)
def test_anywhere_in_the_zone_little_is_lost(kind: str, asked: Siting, n: int) -> None:
    """A site is moved to random points of its zone, the other stays: by a plan and a coverage of its own at most 2 % of the gain are lost."""
    toy, rng = xh.District.load(TOY), np.random.default_rng(1)
    best = sites(toy, kind, n, siting=asked)
    rule, spots = toy.rule(best["rule"].iloc[0]), list(best.geometry.representative_point())
    whole, moved = gained(toy, rule, kind, spots), 0
    assert whole > 0
    for i, wkt in enumerate(best["may_stand"]):
        zone = shapely.from_wkt(wkt)
        x0, y0, x1, y1 = zone.bounds
        for x, y in zip(rng.uniform(x0, x1, 24), rng.uniform(y0, y1, 24), strict=True):
            spot = shapely.Point(x, y)
            if zone.contains(spot):
                moved += 1
                assert gained(toy, rule, kind, [*spots[:i], spot, *spots[i + 1 :]]) >= 0.98 * whole - 1e-9, (i, x, y)
    assert moved >= 8


@pytest.mark.slow
@pytest.mark.matrix
def test_no_site_stands_on_the_spot_of_an_open_one() -> None:
    district = xh.District.load()
    facilities = district.open_facilities
    assert facilities is not None
    for kind in ("party_service_center", "canteen"):
        open_ = facilities.geometry[(facilities["kind"] == kind).to_numpy()]
        given = open_.representative_point().iloc[:3].set_axis(["here1", "here2", "here3"])
        with pytest.raises(xh.SitingError, match="已有同类设施"):
            sites(district, kind, 1, candidates=given)
        rule = district.kinds.loc[kind, "rule"]
        try:
            chosen = sites(district, str(rule), 1, siting=Siting(weight="people"))
        except xh.SitingError:
            continue
        assert chosen.geometry.distance(open_.union_all()).min() > 1.0


def test_solve_needs_a_table_for_its_ties() -> None:
    costs = pd.DataFrame({"metres": [1.0]}, index=pd.MultiIndex.from_tuples([("d", "s")], names=["demand", "site"]))
    with pytest.raises(xh.SitingError, match="并列"):
        solve(costs, None, 1, siting=Siting(ties="people"))
