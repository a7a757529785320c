"""The pages of a report that the brief links: one record each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from ... import maps
from ...core import say, speaking
from ...district import District, place_title
from ...ledger import canonical, spoken
from ..story.story import Story
from ..sums import joined, of_ledger, of_steps, of_story
from .communities import communities_page
from .ledger import ledger_page
from .receipts import OF_BRIEF, OF_LEDGER, receipts_page


class Shown(NamedTuple):
    """What pages are made of; what comes last is there only where a page `needs` it."""

    district: District
    story: Story | None = None
    table: pd.DataFrame = pd.DataFrame()
    since: pd.DataFrame | None = None
    maps: Mapping[str, str] = {}
    tasks: pd.DataFrame | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """
    A page of its own.

    Attributes
    ----------
    file
        Its place in the folder of the report.
    link
        What a link to it says, in Chinese; the English is in the catalogue.
    needs
        "district": only that, so it is made while others are worked out; "ledger": also its `table`, and is written where
        there is a plan; "results": also the `story` that the brief tells.
    make
        Returns the page, or None where the district has too little for it.
    """

    file: str
    link: str
    needs: str
    make: Callable[[Shown], str | None]


def _meeting(shown: Shown) -> str | None:
    layers = shown.district.layers
    if any(name not in layers or layers[name].empty for name in ("homes", "streets", "facilities")):
        return None
    if maps.too_many_to_meet(shown.district):
        return None
    return maps.meeting(shown.district)


def _receipts(shown: Shown) -> str | None:
    if shown.story is None:
        return None
    heading = say("{0} 简报的算式", place_title(shown.district))
    return receipts_page(shown.district, joined(of_story(shown.story), of_steps(shown.story)), heading)


def _ledger_receipts(shown: Shown) -> str:
    with speaking(spoken(shown.table)):
        heading = say("{0} 核对表的算式", place_title(shown.district))
        return receipts_page(shown.district, of_ledger(shown.district, canonical(shown.table)), heading)


#: In the order in which the brief links them.
PAGES = [
    Page("meeting.html", "会议活地图：拖动设施看谁受益", "district", _meeting),
    Page(
        "ledger.html",
        "规划目标落实核对表",
        "ledger",
        lambda shown: ledger_page(shown.district, shown.table, maps=shown.maps, since=shown.since),
    ),
    Page(
        "communities.html",
        "一社区一页",
        "ledger",
        lambda shown: communities_page(shown.district, shown.table, shown.tasks),
    ),
    Page(OF_BRIEF, "简报的算式", "results", _receipts),
    Page(OF_LEDGER, "核对表的算式", "ledger", _ledger_receipts),
]


def made(needs: str, shown: Shown) -> Iterator[tuple[str, str]]:
    """Make the pages that need so much: yield file and page."""
    for page in PAGES:
        text = page.make(shown) if page.needs == needs else None
        if text is not None:
            yield page.file, text
