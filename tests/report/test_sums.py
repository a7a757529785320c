"""Every figure of the pages leads to what it is added up from, and adds up again with nothing but Python."""

from __future__ import annotations

import html
import importlib.util
import json
import math
import os
import re
import shutil
import subprocess
import sys
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_toy import BY_HAND, SUM, folder_with, measure
from oracle import districts
from plans import LESS, MORE, carried_out, random_edit

import xinhe_geo as xh
from xinhe_geo.core import amount, per_cent, speaking
from xinhe_geo.ledger import beyond, community_targets, number_text
from xinhe_geo.report import state_of, write_comparison, write_comparisons, write_ledger, write_plans
from xinhe_geo.report.analysis import Analysis
from xinhe_geo.report.pages.brief import brief_page
from xinhe_geo.report.pages.receipts import receipts_page, thinned
from xinhe_geo.report.story.change import with_net
from xinhe_geo.report.story.story import Story
from xinhe_geo.report.sums import (
    Parts,
    _by_rule,
    _side,
    joined,
    moved,
    of_remedies,
    of_steps,
    of_story,
    rounding,
    weights,
)

ROOT = Path(__file__).parents[2]
TOY = ROOT / "tests" / "toy"


@cache
def toy() -> xh.District:
    return xh.District.load(TOY)


def added_up(place: Path, page: str) -> list[dict[str, Any]]:
    """Add a page up with the script alone, which ends with 1 where a figure differs; return its sums."""
    shutil.copyfile(ROOT / "tools" / "readd.py", place / "readd.py")
    (place / "page.html").write_text(page, "utf-8")
    environment = {key: os.environ[key] for key in ("SYSTEMROOT", "PATH") if key in os.environ}
    command = [sys.executable, "-S", "-I", "readd.py", "page.html"]
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
    sums: list[dict[str, Any]] = json.loads(
        page.partition('<script type="application/json">')[2].partition("</script")[0]
    )["also"]
    printed = [text for one in sums for _, _, text in one["printed"]]
    told = [line.split("\t")[2] for line in done.stdout.splitlines()]
    assert told == printed and done.returncode == 0, [(a, b) for a, b in zip(told, printed, strict=False) if a != b]
    return sums


def links_lead_somewhere(page: str, file: str, target: str) -> int:
    """Hold every link of a page into a page of sums against what is there; return how many there are."""
    linked = {html.unescape(unquote(found)) for found in re.findall(rf'href="{re.escape(file)}#([^"]*)"', page)}
    assert linked <= {html.unescape(found) for found in re.findall(r'<details id="([^"]*)"', target)}
    return len(linked)


@pytest.mark.slow
@pytest.mark.matrix
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_figure_of_the_story_of_the_toy_district(tmp_path: Path, lang: str) -> None:
    district = xh.District.load(TOY)
    with speaking(lang):
        story = Story(Analysis.of(district))
        sums = joined(of_story(story), of_remedies(story))
        page = receipts_page(district, sums, "sums")
        found = {
            (one["figure"].removesuffix("/site").removesuffix("/pace"), one.get("code"), text)
            for one in added_up(tmp_path, page)
            for *_, text in one["printed"]
        }
        known = [figure for figure in story.figures() if figure.known]
        assert len(known) > 60
        assert not {(f.about, f.code, f.text) for f in known} - found
        brief = brief_page(story, [], [])
    assert links_lead_somewhere(brief, "receipts.html", page) >= 5
    for goal in story.every:  # whatever else a card says in numbers
        said = re.findall(r"\d+%|[\d,.]+(?= 人不可达| 公顷不可达| 个小区不可达)", goal.headline + goal.alternatives)
        told = {
            text
            for one in json.loads(page.partition('<script type="application/json">')[2].partition("</script")[0])[
                "also"
            ]
            if one["figure"] == goal.rule
            for *_, text in one["printed"]
        }
        assert not goal.share.known or set(said) <= told, (goal.headline, goal.alternatives, told)


@pytest.mark.slow
@pytest.mark.matrix
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_figure_of_the_ledger_and_its_communities(tmp_path: Path, lang: str) -> None:
    """A row of every metric: each value is a link to its rows, which add up; whoever is behind a gap is told home by home."""
    rows = [measure(name, metric, **cells) for name, metric, cells, _, _ in BY_HAND]
    district = xh.District.load(folder_with(tmp_path / "toy", [*rows, measure("s", "series", **SUM)]))
    table = xh.ledger(district, lang=lang)
    write_ledger(district, table, tmp_path / "out", lang=lang)
    page = (tmp_path / "out" / "ledger-receipts.html").read_text("utf-8")
    sums = added_up(tmp_path, page)
    told = {(one["figure"], text) for one in sums for *_, text in one["printed"]}
    with speaking(lang):
        both = pd.concat([table.reset_index("commitment"), beyond(district)])
        for key, row in both[np.isfinite(both["value"].astype(float))].iterrows():
            assert (key, number_text(float(row["value"]), str(row["unit"]))) in told
            found = re.match(r"(?:折合 )?([\d,.]+) \S*(?:不可达|服务范围外)", row["gap"]) if lang == "zh" else None
            assert found is None or any(figure == key and text.strip() == found.group(1) for figure, text in told), row[
                "gap"
            ]
        for (code, key), row in community_targets(district, table).iterrows():
            numbers = re.findall(r"\d+%|\d[\d,.]*(?= )", row["text"]) if row["unit"] == "%" else []
            assert all((f"{key}/{code}", number) in told for number in numbers), row["text"]
    for name in ("ledger.html", "communities.html"):
        linked = links_lead_somewhere((tmp_path / "out" / name).read_text("utf-8"), "ledger-receipts.html", page)
        assert linked >= 4, name


NUMBER = re.compile(r"[+−-]?\d[\d,]*(?:\.\d+)?%?")


def cells_of(page: str, file: str) -> list[tuple[str, str, str]]:
    """Return what a page says in its tables and conclusions: the class of the cell, its text, what it is about in a page of sums ("" nothing)."""
    found = []
    for inner in re.findall(
        r"<(?:td|li)((?: class=\"[^\"]*\")?>.*?)</(?:td|li)>", page.partition("<main>")[2], re.DOTALL
    ):
        kind = re.match(r' class="([^"]*)"', inner)
        about = re.search(rf'class="sum" href="{re.escape(file)}#([^"]*)"', inner)
        text = html.unescape(re.sub(r"<svg.*?</svg>|<[^>]+>", "", inner.partition(">")[2], flags=re.DOTALL))
        found.append((kind[1] if kind else "", text, html.unescape(unquote(about[1])) if about else ""))
    return found


def hold_cells(cells: list[tuple[str, str, str]], sums: list[dict[str, Any]], kinds: tuple[str, ...]) -> set[str]:
    """Hold the figures in cells of some classes against the sums they lead to; return what they are about."""
    printed: dict[str, str] = {}
    for one in sums:
        said = " ".join([one["label"], *(text for *_, text in one["printed"])])
        printed[one["figure"]] = f"{printed.get(one['figure'], '')} {said}"
    for kind, text, about in cells:
        assert kind not in kinds or about or not NUMBER.search(text), ("nothing to follow", kind, text)
        said = f"{printed.get(about, '')} {about.replace('+', ' ')}"
        named = re.sub(r"60岁及?以上|60\+|\d+ (?:分钟|min)", "", text)  # who is counted, and the limit
        assert not about or set(NUMBER.findall(named)) <= set(NUMBER.findall(said)), (about, text, said)
    return {about for *_, about in cells} - {""}


def hold_comparison(folder: Path) -> set[str]:
    """Hold every figure of a comparison against the sums it leads to, which add up; return what the figures are about."""
    page, sums_page = ((folder / name).read_text("utf-8") for name in ("compare.html", "compare-receipts.html"))
    cells = cells_of(page, "compare-receipts.html")
    abouts = hold_cells(cells, added_up(folder, sums_page), ("n", "gain", "lose", "others", "same"))
    assert links_lead_somewhere(page, "compare-receipts.html", sums_page) == len(abouts)
    return abouts


def compared(before: xh.District, after: xh.District, folder: Path, lang: str = "zh") -> set[str]:
    with speaking(lang):
        state = state_of(before, None)
        write_comparison(state, state._replace(district=after), folder)
        return hold_comparison(folder)


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_figure_of_a_comparison(tmp_path: Path, lang: str) -> None:
    """Everything closed: shares, people, targets, users of each place; homes gone, new, fuller and emptier; and all of it the other way round."""
    rows = [measure(name, metric, **cells) for name, metric, cells, _, _ in BY_HAND]
    toy = xh.District.load(folder_with(tmp_path / "toy", rows))
    homes = toy.rows["homes"].copy()
    homes.loc[homes.index[1], "people"] += 12.5
    fresh = homes.iloc[[0]].set_axis(pd.Index(["new"], name="home"))
    after = toy.with_rows(
        {
            "facilities": toy.rows["facilities"].assign(state="closed"),
            "homes": gpd.GeoDataFrame(pd.concat([homes.iloc[1:], fresh]), crs=homes.crs),
        }
    )
    there, back = compared(toy, after, tmp_path / "there", lang), compared(after, toy, tmp_path / "back", lang)
    assert there == back >= {"goals", "people"}
    assert {key.partition(".")[0] for key in there} >= {"T1"} and any("/" in key for key in there)


@pytest.mark.slow
@pytest.mark.one_in(4)
@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("seed", [-1, 3])
def test_every_figure_of_the_brief(tmp_path: Path, lang: str, seed: int) -> None:
    """Its conclusion, goals, gaps, plans and curves lead to sums; what stands in the heat map leads to the page of its community."""
    district = xh.District.load(TOY if seed < 0 else districts.write(tmp_path, seed))
    with speaking(lang):
        story = Story(Analysis.of(district))
        sums_page = receipts_page(district, joined(of_story(story), of_steps(story)), "sums")
        page = brief_page(story, [], [])
    places = {place.where for step in story.plans for place in step.places} | {str(district.list_year)}
    cells = [
        (kind, re.sub("|".join(map(re.escape, places)) or "$^", "", text), about)
        for kind, text, about in cells_of(page, "receipts.html")
        if not re.fullmatch("[1-5]", text)  # the first, the second ... gap
    ]
    annex = page.partition('id="annex"')
    firsts = len([1 for _, text, _ in cells_of(annex[0], "") if not re.fullmatch("[1-5]", text)])
    known = {figure.text for figure in story.figures() if figure.known}
    assert hold_cells(cells[:firsts], added_up(tmp_path, sums_page), ("n", "now")) and known
    hold_cells(cells[firsts:], added_up(tmp_path, sums_page), ())
    assert cells[0][2] == "goals"
    curves = annex[2].partition("<section><h2>")[2]
    assert story.curves and all(f"{c.goal.rule}/15min" in html.unescape(unquote(curves)) for c in story.curves)
    assert links_lead_somewhere(page, "receipts.html", sums_page) >= 5


@pytest.mark.slow
@pytest.mark.matrix
def test_every_figure_of_the_page_of_plans(tmp_path: Path) -> None:
    """It leads to the sums beside the comparison of each plan; without comparisons nowhere."""
    folder = folder_with(tmp_path / "toy", [])
    (folder / "scenarios").mkdir()
    (folder / "scenarios" / "p.toml").write_text('[[edit]]\ndo = "close_facility"\nfacility = "F1"\n', "utf-8")
    write_plans(xh.District.load(folder), tmp_path / "bare")
    assert 'class="sum"' not in (tmp_path / "bare" / "plans.html").read_text("utf-8")
    write_comparisons(xh.District.load(folder), tmp_path / "out")
    page = (tmp_path / "out" / "plans.html").read_text("utf-8")
    own = "plans/p/compare-receipts.html"
    cells = cells_of(page, own)
    assert all(about for kind, text, about in cells if kind in ("n", "gain", "lose", "others") and NUMBER.search(text))
    assert links_lead_somewhere(page, own, (tmp_path / "out" / own).read_text("utf-8")) >= 2


@pytest.mark.matrix
@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "data" / "scenarios").glob("*.toml")))
def test_every_figure_of_the_comparison_of_a_bundled_plan(tmp_path: Path, name: str) -> None:
    district = xh.District.load()
    after = state_of(district, name).district
    assert compared(state_of(district, None, year=after.year).district, after, tmp_path)


@pytest.mark.slow
@pytest.mark.matrix
def test_every_figure_of_a_comparison_in_which_the_plan_says_who_moves(tmp_path: Path) -> None:
    toy = xh.District.load(TOY)
    early, late = (
        toy.with_rows(
            {}, scenario="p", moved=dict(zip(("out", "back", "new", "there", "there_stay"), numbers, strict=True))
        )
        for numbers in ((80.0, 20.0, 10.0, 30.0, 8.0), (200.0, 50.0, 25.0, 70.0, 20.0))
    )
    for number, pair in enumerate(((toy, late), (early, late))):
        assert "people" in compared(*pair, tmp_path / str(number))


@pytest.mark.slow
@pytest.mark.parametrize(
    "seed", [0, pytest.param(1, marks=pytest.mark.matrix), pytest.param(2, marks=pytest.mark.matrix)]
)
def test_every_figure_of_a_comparison_of_random_districts(tmp_path: Path, seed: int) -> None:
    district, rng = xh.District.load(districts.write(tmp_path, seed)), np.random.default_rng(seed)
    edits: list[xh.Edit] = []
    while len(edits) < 4:
        edit = random_edit(rng, carried_out(district, edits), str(rng.choice([*MORE, *LESS])), len(edits))
        edits += [edit] if edit is not None else []
    assert compared(district, carried_out(district, edits), tmp_path / "out")


@pytest.mark.slow
@pytest.mark.parametrize(
    "seed", [3, pytest.param(0, marks=pytest.mark.matrix), pytest.param(1, marks=pytest.mark.matrix)]
)
def test_every_sum_of_a_random_district_is_its_figure(tmp_path: Path, seed: int) -> None:
    """With homes in no community and facilities beyond the border, goals of walks and of communities; in this process, so that it is soon over."""
    district = xh.District.load(districts.write(tmp_path, seed))
    outline = district.rows["district"]
    small = outline.set_geometry(outline.geometry.buffer(-150), crs=outline.crs)
    district = district.with_rows({"district": small, "communities": district.rows["communities"].iloc[1:]})
    story = Story(Analysis.of(district))
    sums, readd = of_story(story), script()
    labels = {one["label"] for own in sums.values() for one in own}
    parts = {about.partition("/")[0] for about in sums if "/" in about}
    assert "依赖界外设施" in labels and {district.rule(rule).metric for rule in parts} == {"reach", "presence"}
    assert any(part.nowhere for goal in story.judged for part in story.parts(goal))
    for about, own in sums.items():
        for one in own:
            figures = readd.figures(one)
            assert not [text for _, form, text in one["printed"] if form.format(**figures) != text], (about, one)


def script() -> Any:
    """Return the script that adds pages up, as a module."""
    spec = importlib.util.spec_from_file_location("readd", ROOT / "tools" / "readd.py")
    assert spec is not None and spec.loader is not None
    readd = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(readd)
    return readd


@pytest.mark.slow
def test_a_side_of_a_comparison_is_the_share_of_its_rule() -> None:
    """Of communities that have it, where the rule is of these, and somebody known lives there; of homes, people or land, where it is of them."""
    district = toy().with_rows({"homes": toy().rows["homes"].drop("C")})  # else every community has as many homes
    cover, readd = xh.coverage(district), script()
    shares, homes = xh.summary(cover)["share"], _by_rule(cover)
    metrics = set()
    for rule, own in homes.items():
        if np.isfinite(shares[rule]):
            side = readd.figures({**_side(district, str(rule), own), "times": 1.0})
            assert side["value"] == pytest.approx(shares[rule]), rule
            metrics.add((toy().rule(str(rule)).metric, 0 < shares[rule] < 1))
    assert metrics >= {("presence", True), ("reach", True)}


#: A number that may not be known.
some = st.sampled_from([math.nan, 0.0, 0.25, 1.0, 2.5, 3.75, 8.0, 10.0])


@given(st.lists(some, max_size=6), st.integers(0, 400).map(lambda n: n / 2))
def test_a_row_says_by_how_much_a_sum_is_rounded(values: list[float], printed: float) -> None:
    """It adds up to what is printed, by one row more where it would not, and none where it does."""
    names = np.array([f"h{i}" for i in range(len(values))], dtype=object)
    rows = rounding(Parts(names, names, np.array(values)), printed).of("", [])["rows"]
    whole, known = math.fsum(row[2] for row in rows), [value for value in values if value > 0]
    assert amount(whole) == amount(printed)
    assert len(rows) == len(known) + (amount(math.fsum(known)) != amount(printed))


@given(st.lists(st.tuples(some, some, some), min_size=1, max_size=6), st.sampled_from(["homes", "people", "area_m2"]))
def test_a_home_counts_what_its_denominator_says(homes: list[tuple[float, float, float]], denominator: str) -> None:
    """One each, its people, or its land in hectares; nothing where nobody knows whether it is served."""
    served, people, land = (np.array(column) for column in zip(*homes, strict=True))
    found = weights({"home": people, "served": served, "people": people, "area_m2": land}, denominator)
    for got, (known, n, m2) in zip(found, homes, strict=True):
        each = {"homes": 1.0, "people": n, "area_m2": m2 / 10_000}[denominator]
        assert got == pytest.approx(math.nan if math.isnan(known) else each, nan_ok=True)


@given(
    st.dictionaries(st.sampled_from("abcd"), st.tuples(some, some, some, some, some), min_size=1),
    st.dictionaries(st.sampled_from("abcd"), st.tuples(some, some, some, some, some), min_size=1),
)
def test_whom_a_plan_moves_is_counted_home_by_home(
    before: dict[str, tuple[float, ...]], after: dict[str, tuple[float, ...]]
) -> None:
    """Who lives in a home in both states gains and loses, and is crowded by what was; those of new homes came in."""

    def homes(state: dict[str, tuple[float, ...]], names: str) -> dict[str, np.ndarray]:
        columns = {name: np.array([own[i] for own in state.values()], float) for i, name in enumerate(names.split())}
        key = np.array(list(state), dtype=object)
        return {"home": key, "name": key, **{c: v / 10 if c == "served" else v for c, v in columns.items()}}

    columns = "served people people_60plus people_crowded people_relieved"
    old, new = homes(before, columns), homes(after, columns)
    crowd = {column: values[np.isin(old["home"], list(after))] for column, values in old.items()}
    want: dict[str, list[float]] = {}
    for home, (served, people, aged, crowded, relieved) in before.items():
        if home in after:
            change = (after[home][0] - served) / 10
            change = 0.0 if math.isnan(change) else change
            stay, old_stay = (float(np.minimum(*both)) for both in zip((people, aged), after[home][1:3], strict=True))
            for side, size in (("gain", max(change, 0.0)), ("lose", max(-change, 0.0))):
                want.setdefault(f"people_{side}", []).append(size * stay)
                want.setdefault(f"people_60plus_{side}", []).append(size * old_stay)
            want.setdefault("people_crowded", []).append(crowded * people)
            want.setdefault("people_relieved", []).append(relieved * people)
    for home, (served, people, *_) in after.items():
        if home not in before:
            reached = served / 10
            want.setdefault("people_new_served", []).append((0.0 if math.isnan(reached) else reached) * people)
            want.setdefault("people_new_unserved", []).append((0.0 if math.isnan(reached) else 1 - reached) * people)
    asked = ["people_gain", "people_60plus_gain", "people_lose", "people_60plus_lose"]
    asked += ["people_crowded", "people_relieved", "people_new_served", "people_new_unserved"]
    row = {**dict.fromkeys(asked, 0.0), "net_of": "community", "net": math.nan}
    found = moved(old, new, crowd, row, toy())
    for column, one in zip(asked, found, strict=True):
        known = [value for value in want.get(column, []) if not math.isnan(value)]
        assert math.fsum(r[2] for r in one["rows"]) == pytest.approx(math.fsum(known)), column
        assert {r[0] for r in one["rows"]} == {r[1] for r in one["rows"]} <= {*before, *after}


@given(
    st.lists(st.tuples(st.sampled_from(["people", "area_m2"]), st.integers(-80_000, 80_000)), min_size=1, max_size=5)
)
def test_a_net_gain_is_rounded_as_everything_else_is(cases: list[tuple[str, int]]) -> None:
    """Halves away from zero, and what rounds to nothing has no sign."""
    table = pd.DataFrame({"net_of": [of for of, _ in cases], "net": [n / 2 for _, n in cases]})
    for (of, n), text in zip(cases, with_net(table)["net_text"], strict=True):
        land = of == "area_m2"
        number = (Decimal(n) / 2 * (Decimal("1e-4") if land else 1)).quantize(
            Decimal("0.1" if land else "1"), ROUND_HALF_UP
        )
        assert text.partition(" ")[0] == (f"{number:+,}".replace("-", "−") if number else "0")


@given(st.lists(st.integers(0, 4000).map(lambda n: n / 8), min_size=1, max_size=12), st.integers(1, 12))
def test_halves_and_shares_are_rounded_as_the_pages_round_them(parts: list[float], weight: int) -> None:
    """Half a person is one, 99.6 % are not all: in whatever order it was added up."""
    readd = script()
    rows = [[str(i), None, part, 500.0 * weight] for i, part in enumerate(parts)]
    for how, form, text in (
        ("sum", "{value:,.0f}", amount(sum(parts))),
        ("sum", "{value:,.1f}", amount(sum(reversed(parts)), 1)),
        ("per", "{value:.0%}", per_cent(sum(parts) / (500.0 * weight * len(parts)), 0)),
    ):
        found = readd.figures({"how": how, "rows": rows})
        assert form.format(**found) == text


@pytest.mark.slow
@pytest.mark.matrix
def test_the_receipt_of_a_part_is_that_of_the_page(tmp_path: Path) -> None:
    district = xh.District.load(TOY)
    for figure, sums in of_story(Story(Analysis.of(district))).items():
        if sums and figure not in district.rules.index:
            found = xh.receipt(district, figure)
            assert [found["printed"], *(one["printed"] for one in found["also"])][: len(sums)] == [
                one["printed"] for one in sums
            ]
            break
    with pytest.raises(xh.UnknownNameError):
        xh.receipt(district, "plan_clinic_15/nobody")


@pytest.mark.parametrize("homes", [10, 900])
def test_a_page_of_a_city_lists_the_largest_rows_and_still_adds_up(homes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xinhe_geo.report.pages.receipts.MOST_ROWS", 3_000)
    rng = np.random.default_rng(homes)
    names = pd.Series([None] * homes, index=[f"h{i}" for i in range(homes)], dtype=object)
    weights = pd.Series(rng.uniform(0, 900, homes), index=names.index)
    values = weights * rng.uniform(0, 1, homes)
    sums = {
        f"rule{k}": [Parts.by(names, values, weights).of("x", []), Parts.by(names, values).of("y", [])]
        for k in range(8)
    }
    few, listed = thinned(sums)
    assert (listed == 0) == (homes == 10)
    assert sum(len(one["rows"]) for own in few.values() for one in own) <= 3_000
    for about, own in sums.items():
        for whole, thin in zip(own, few[about], strict=True):
            for k in (2, 3):
                a, b = (math.fsum(row[k] for row in one["rows"]) for one in (whole, thin))
                assert a == pytest.approx(b, rel=1e-12)
            largest = max(whole["rows"], key=lambda row: (row[3], row[2]))
            assert largest in thin["rows"]
