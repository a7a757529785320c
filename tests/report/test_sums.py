"""Every figure of the pages leads to what it is added up from, and adds up again with nothing but Python."""

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
from urllib.parse import unquote

import pytest

import xinhe_geo as xh
from xinhe_geo.core import speaking
from xinhe_geo.report.analysis import Analysis
from xinhe_geo.report.pages.brief import brief_page
from xinhe_geo.report.pages.receipts import receipts_page
from xinhe_geo.report.story.story import Story
from xinhe_geo.report.sums import joined, of_remedies, of_story

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
