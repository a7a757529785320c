"""What a comparison says is said of those whom a rule counts, names what a share's change comes of, and agrees with its net gain."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import xinhe_geo as xh
from xinhe_geo.core import Edit
from xinhe_geo.core.i18n import speaking
from xinhe_geo.report.analysis import Comparison
from xinhe_geo.report.receipts import receipt
from xinhe_geo.report.story.change import Change

TOY = Path(__file__).parents[1] / "toy"


@cache
def states() -> tuple[xh.District, xh.District]:
    """The toy as it is, and with its first facility closed."""
    toy = xh.District.load(TOY)
    return toy, xh.Scenario("p", "p", (Edit("close_facility", {"facility": "F1"}),)).on(toy)


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("backwards", [False, True])
def test_a_rule_for_the_old_speaks_of_the_old(lang: str, backwards: bool) -> None:
    """Who gains, who loses, the most affected and the net gain of each rule are of one count, in both languages."""
    before, after = states()[::-1] if backwards else states()
    aged, anybody = ("名老人", "人") if lang == "zh" else ("aged 60+", "p")
    with speaking(lang):
        change = Change(Comparison.of(before, after))
        table, said = change._effects, [told.text for told in change.verdict]
    assert {"people", "people_60plus"} <= set(table["net_of"])
    moved = 0
    for row in table.itertuples():
        old = row.net_of == "people_60plus"
        for side in ("gain", "lose"):
            own = getattr(row, f"people_60plus_{side}" if old else f"people_{side}")
            told = getattr(row, f"{side}_text")
            assert np.isnan(own) or (f"{own:,.0f} " in told and (aged in told) is old and anybody in told)
            moved += bool(own)
        if old and np.isfinite(row.net):
            assert row.net == pytest.approx(row.gain - row.lose)
    assert moved
    for side in ("gain", "lose"):
        if table.loc[change.goals.index, side].max() > 0:
            most = table.loc[change.goals[side].idxmax()]
            assert any(most[f"{side}_text"] in text and most["label"] in text for text in said), said


def test_who_loses_can_be_added_up_again() -> None:
    """Of a rule for the old, the sums of a comparison have the old who gain and who lose."""
    for sides in (states(), states()[::-1]):
        table = Change(Comparison.of(*sides))._effects
        for rule, row in table[(table["net_of"] == "people_60plus") & (table["gain"] + table["lose"] > 0)].iterrows():
            found = str(receipt(sides[0], str(rule), after=sides[1]))
            for side in ("gain", "lose"):
                assert not row[side] or re.search(rf"60岁及以上.*'{row[side]:,.0f}'", found), (rule, side)
