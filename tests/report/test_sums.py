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
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_toy import BY_HAND, SUM, folder_with, measure

import xinhe_geo as xh
from xinhe_geo.core import amount, per_cent, speaking
from xinhe_geo.ledger import beyond, community_targets, number_text
from xinhe_geo.report import state_of, write_comparison, write_ledger
from xinhe_geo.report.analysis import Analysis
from xinhe_geo.report.pages.brief import brief_page
from xinhe_geo.report.pages.receipts import receipts_page, thinned
from xinhe_geo.report.story.story import Story
from xinhe_geo.report.sums import Parts, joined, of_remedies, of_story

ROOT = Path(__file__).parents[2]
TOY = ROOT / "tests" / "toy"


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


@pytest.mark.slow
def test_every_figure_of_a_comparison(tmp_path: Path) -> None:
    toy = xh.District.load(TOY)
    closed = toy.rows["facilities"].assign(state="closed")
    after = toy.with_rows({**toy.rows, "facilities": closed})
    before = state_of(toy, None)
    table = write_comparison(before, before._replace(district=after), tmp_path / "out")
    page = (tmp_path / "out" / "compare-receipts.html").read_text("utf-8")
    told = {(one["figure"], text) for one in added_up(tmp_path, page) for *_, text in one["printed"]}
    assert len(table) >= 3
    for row in table.to_dict("records"):
        code = row["编号"]
        assert (code, f"{row['之前']:.1%}") in told and (code, f"{row['之后']:.1%}") in told
        for column in ("受益居民（人）", "受影响居民（人）", "服务负荷上升的居民（人）"):
            assert pd.isna(row[column]) or (code, f"{row[column]:,.0f}") in told
    assert links_lead_somewhere(
        (tmp_path / "out" / "compare.html").read_text("utf-8"), "compare-receipts.html", page
    ) == len(table)


@given(st.lists(st.integers(0, 4000).map(lambda n: n / 8), min_size=1, max_size=12), st.integers(1, 12))
def test_halves_and_shares_are_rounded_as_the_pages_round_them(parts: list[float], weight: int) -> None:
    """Half a person is one, 99.6 % are not all: in whatever order it was added up."""
    spec = importlib.util.spec_from_file_location("readd", ROOT / "tools" / "readd.py")
    assert spec is not None and spec.loader is not None
    readd = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(readd)
    rows = [[str(i), None, part, 500.0 * weight] for i, part in enumerate(parts)]
    for how, form, text in (
        ("sum", "{value:,.0f}", amount(sum(parts))),
        ("sum", "{value:,.1f}", amount(sum(reversed(parts)), 1)),
        ("per", "{value:.0%}", per_cent(sum(parts) / (500.0 * weight * len(parts)), 0)),
    ):
        found = readd.figures({"how": how, "rows": rows})
        assert form.format(**found) == text


@pytest.mark.slow
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
    sums = {f"rule{k}": [Parts(names, values, weights).of("x", []), Parts(names, values).of("y", [])] for k in range(8)}
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
