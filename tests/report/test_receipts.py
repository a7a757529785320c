"""A printed figure can be followed to its last metre, and added up again by a script that knows nothing of this program."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from oracle import districts

import xinhe_geo as xh
from xinhe_geo.access import Trips, effects, od_tables
from xinhe_geo.app.cli import main
from xinhe_geo.core import amount, per_cent
from xinhe_geo.ledger import beyond, measure_rows, number_text
from xinhe_geo.report.analysis import analyse
from xinhe_geo.report.pages.brief import brief_page
from xinhe_geo.report.story.change import with_net
from xinhe_geo.report.story.goals import goal_of
from xinhe_geo.report.story.story import Story

ROOT = Path(__file__).parents[2]
TOY = ROOT / "tests" / "toy"


@pytest.fixture(scope="module")
def readd(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return what adds a receipt up: the script alone in a folder, run without site-packages, without this program on the path."""
    place = tmp_path_factory.mktemp("alone")
    shutil.copyfile(ROOT / "tools" / "readd.py", place / "readd.py")
    file = place / "receipt.json"

    def again(found: dict[str, Any]) -> list[str]:
        file.write_text(json.dumps(found), "utf-8")
        environment = {key: os.environ[key] for key in ("SYSTEMROOT", "PATH") if key in os.environ}
        command = [sys.executable, "-S", "-I", "readd.py", file.name]
        done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (found["figure"], done.stdout, done.stderr, found["printed"])
        return [line.split("\t")[2] for line in done.stdout.splitlines()]

    return again


def test_the_script_is_short_and_stands_alone(tmp_path: Path) -> None:
    text = (ROOT / "tools" / "readd.py").read_text("utf-8")
    assert len(text.splitlines()) <= 60
    imported = set(re.findall(r"^(?:import|from) (\w+)", text, re.MULTILINE))
    assert imported <= sys.stdlib_module_names
    code = "import importlib.util, sys; sys.exit(any(map(importlib.util.find_spec, ('xinhe_geo', 'numpy', 'pandas'))))"
    subprocess.run([sys.executable, "-S", "-I", "-c", code], cwd=tmp_path, check=True)


def same_headlines(district: xh.District, readd: Any) -> int:
    """Hold every headline's receipt, added up again, against table, sentence and line of methods; return how many have a number."""
    analysis, known = analyse(district), 0
    page = html.unescape(brief_page(Story(analysis), [], []))
    cards = dict(re.findall(r'<tr id="goal-[^"]*"><td>([^<]*)</td><td class="now"><b>(?:<a [^>]*>)?([^<]*)<', page))
    assert cards
    for rule, row in analysis.headlines.iterrows():
        goal, told = goal_of(analysis, str(rule)), readd(xh.receipt(district, str(rule)))
        if not np.isfinite(row["value"]):
            assert told == ["数据不足"] and "数据不足" in goal.headline
            continue
        known += 1
        assert told[0] == goal.big == cards.get(goal.label, goal.big)
        printed = re.findall(r"\d+%|[\d,.]+(?= 人不可达| 公顷不可达| 个小区不可达)", goal.headline + goal.alternatives)
        assert set(printed) <= set(told), (rule, goal.headline, goal.alternatives, told)
        if goal.metric != "presence" and goal.exact and goal.unserved.known:
            assert goal.unserved.text in told
    return known


def same_ledger(district: xh.District, readd: Any) -> dict[str, int]:
    """Hold every row's receipt against the ledger; return how many are added up, how many are stated."""
    table = pd.concat([xh.ledger(district).reset_index("commitment"), beyond(district)])
    ways: dict[str, int] = {}
    for m in measure_rows(district):
        row = table.loc[[str(m["measure"])]].iloc[0]
        found = xh.receipt(district, str(m["measure"]))
        told = readd(found)
        assert (found["how"] == "stated") != np.isfinite(row["value"]), m["measure"]  # what has a number is added up
        if np.isfinite(row["value"]):
            assert told == [number_text(float(row["value"]), str(row["unit"]))]
        ways[found["how"]] = ways.get(found["how"], 0) + 1
    return ways


@pytest.mark.slow
@pytest.mark.matrix
def test_headlines_of_the_toy_district(readd: Any) -> None:
    assert same_headlines(xh.District.load(TOY), readd) >= 5


@pytest.mark.slow
@pytest.mark.matrix
def test_a_home_in_no_community_is_in_neither_part_of_a_share(readd: Any) -> None:
    """Without one of its communities: who lives there is not asked about, so that nobody there is counted as reached either."""
    district = xh.District.load(TOY)
    rows = {**district.rows, "communities": district.rows["communities"].iloc[1:]}
    fewer = district.with_rows(rows)
    assert xh.coverage(fewer, rules=["plan_canteen_community"])["served"].isna().any()
    assert same_headlines(fewer, readd) >= 5


@pytest.mark.slow
@pytest.mark.matrix
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_headlines_of_random_gated_districts(tmp_path: Path, readd: Any, seed: int) -> None:
    """Lanes, waits, stairs, walls, barriers, parks: shares by every method, from the metres of every way."""
    district = xh.District.load(districts.write(tmp_path, seed))
    assert same_headlines(district, readd) >= 5
    for method in ("buffer", "network_m", "walk_min"):
        own = district.rules[(district.rules["method"] == method).to_numpy()]
        for rule in [r for r in own.index if set(str(own.at[r, "kinds"]).split(";")) & set(districts.KINDS)][:4]:
            cover = xh.coverage(district, rules=[rule])
            value = xh.headlines(district, cover).at[rule, "value"]
            found = xh.receipt(district, str(rule))
            if np.isfinite(value) and district.rule(rule).metric == "reach":
                assert readd(found)[0] == f"{value:.0%}"
                assert {walk["method"] for walk in found["walks"]} == {method}


@pytest.mark.slow
@pytest.mark.matrix
def test_a_receipt_that_was_changed_does_not_add_up(tmp_path: Path, readd: Any) -> None:
    """A metre more on the way of one point that is near the limit, one person more, one place less: the script says so."""
    district = xh.District.load(TOY)
    rule = next(
        r
        for r in district.rules.index
        if "walks" in (found := xh.receipt(district, r)) and found["printed"][0][2] != "0%"
    )
    found = xh.receipt(district, rule)
    found["walks"][0]["limit"] = 0.0
    with pytest.raises(AssertionError):
        readd(found)


@pytest.mark.slow
@pytest.mark.matrix
def test_a_receipt_has_what_is_needed_to_follow_it(tmp_path: Path) -> None:
    """Points of every home, their gates, doors of facilities, the rule, the hashes; its ways are the routes."""
    district = xh.District.load(districts.write(tmp_path, 2))
    found = xh.receipt(district, "plan_clinic_15", to=tmp_path / "r.json")
    assert json.loads((tmp_path / "r.json").read_text("utf-8")) == found
    before = (tmp_path / "r.json").read_bytes()
    xh.receipt(xh.District.load(tmp_path), "plan_clinic_15", to=tmp_path / "r.json")
    assert (tmp_path / "r.json").read_bytes() == before  # same inputs, same bytes
    assert found["inputs"]["homes"]["sha256"] and set(found["homes"]) == set(district.homes.index)
    (walk,) = found["walks"]
    table = od_tables(district, walk["rule"]["kinds"], profile=walk["rule"]["profile"])
    least = pd.concat([own["minutes"] for own in table.values()], axis=1).min(axis=1)
    trips = Trips(
        district,
        district.open_facilities.index[district.open_facilities["kind"].isin(walk["rule"]["kinds"])],
        district.profile("adult"),
    )
    for row in walk["points"]:
        point = dict(zip(found["columns"], row, strict=True))
        if point["onward"] is None:
            assert pd.isna(least[point["point"]])
            continue
        metres, waits, at = point["metres_before_street"] + point["metres"], point["wait_minutes"], point["onward"]
        streets = [point["street"]] if point["metres"] else []
        while at in walk["steps"]:
            street, more, longer, at = walk["steps"][at]
            metres, waits, streets = metres + more, waits + longer, [*streets, *([street] if more else [])]
        metres += walk["doors"][at][1]
        assert metres / walk["speed_m_s"] / 60 + waits == pytest.approx(least[point["point"]], abs=1e-6)
        trip = trips.of(point["point"])
        legs = [leg.street for leg in trips.legs(point["point"], trip) if leg.leg == "street"]
        assert list(dict.fromkeys(streets)) == list(dict.fromkeys(legs))


@pytest.mark.slow
@pytest.mark.matrix
def test_ledger_of_a_random_district(tmp_path: Path, readd: Any) -> None:
    ways = same_ledger(xh.District.load(districts.write(tmp_path, 0)), readd)
    assert ways["walks"] >= 2 and sum(ways.values()) - ways["stated"] >= 5


def compared(row: pd.Series) -> list[str]:
    """Return what a comparison prints of a rule (a row of `effects` with its net gain): shares, people, the net gain."""
    people = [name for name in row.index if name.startswith("people_") and name != "people_60plus_lose"]
    net = [row["net_text"]] if row["net_of"] != "community" and row["net_text"][0] in "+−" else []
    return [
        per_cent(row["before"], 0),
        per_cent(row["after"], 0),
        *(amount(row[k]) for k in people if np.isfinite(row[k])),
        *net,
    ]


@pytest.mark.slow
def test_a_comparison(tmp_path: Path, readd: Any) -> None:
    """Close the first clinic: both shares and who loses, added up from both sides."""
    district = xh.District.load(districts.write(tmp_path, 1))
    for kind, rule in (("clinic_station", "plan_clinic_15"), ("canteen", "plan_canteen_community")):
        closed = district.facilities.copy()
        first = closed.index[
            (closed["kind"] == kind).to_numpy() & (closed["state"].fillna("open") == "open").to_numpy()
        ]
        closed.loc[first[:2], "state"] = "closed"
        after = district.with_rows({**district.rows, "facilities": closed})
        row = with_net(effects(district, after, rules=[rule])).loc[rule]
        assert set(compared(row)) <= set(readd(xh.receipt(district, rule, after=after)))


@pytest.mark.slow
def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["receipt", "plan_fitness_15", str(TOY), "--out", str(tmp_path / "r.json")]) == 0
    said = capsys.readouterr().out
    found = json.loads((tmp_path / "r.json").read_text("utf-8"))
    assert all(printed in said for _, _, printed in found["printed"]) and "readd.py" in said
    assert main(["receipt", "plan_fitness_1", str(TOY), "--out", str(tmp_path / "s.json")]) == 2
    assert "plan_fitness_15" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.matrix
def test_headlines_of_the_bundled_district(readd: Any) -> None:
    assert same_headlines(xh.District.load(), readd) >= 40


@pytest.mark.slow
@pytest.mark.matrix
def test_ledger_of_the_bundled_district(readd: Any) -> None:
    ways = same_ledger(xh.District.load(), readd)
    assert ways["walks"] >= 40 and ways["minus"] >= 4 and ways["per"] >= 15


@pytest.mark.slow
@pytest.mark.matrix
def test_comparisons_of_bundled_plans(readd: Any) -> None:
    district = xh.District.load()
    after = district.scenario("wuchedi-renewal").on(district)
    before = district.at(after.year, planned=district.with_planned)
    table = with_net(effects(before, after))
    for rule in table.index[(table["change"].abs() > 1e-9).to_numpy()][:6]:
        assert set(compared(table.loc[rule])) <= set(readd(xh.receipt(before, str(rule), after=after)))
