"""Flips: a set that is named turns the verdict, and no smaller one does: all sets are tried on a small district."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from test_robustness import doubting

import xinhe_geo as xh
from xinhe_geo.access.doubts import flips as module_flips
from xinhe_geo.access.doubts.flips import Covering, Option, _modelled, _tried
from xinhe_geo.access.doubts.robustness import Case

TOY = Path(__file__).parents[1] / "toy"
DOUBTS = {
    "g": {"layer": "gates", "what": "gate", "ids": "gA;gB;gB2;gE"},
    "f": {"layer": "facilities", "what": "existence", "ids": "F1;F2;F3;F5"},
    "p": {"layer": "facilities", "what": "position", "ids": "F1", "metres": 150.0},
}
#: A second way over the water; what plans do that is in doubt here.
DIKE = shapely.LineString([(500_000.0, 4_320_200.0), (500_000.0, 4_320_300.0)])
EDITS = {
    "impassable": lambda key: xh.core.Edit("close_street", {"street": key}),
    "absent": lambda key: xh.core.Edit("close_facility", {"facility": key}),
    "closed": lambda key: xh.core.Edit("close_gate", {"gate": key}),
}


@pytest.fixture(scope="module")
def toy() -> xh.District:
    return doubting(xh.District.load(TOY), DOUBTS)


def smallest(cover: Covering) -> tuple[int, set[tuple[Option, ...]]]:
    """Try every set of options, one a fact."""
    for size in range(1, len({option.fact for option in cover.options}) + 1):
        every = itertools.combinations(cover.options, size)
        found = {c for c in every if len({o.fact for o in c}) == size and cover.turns(c)}
        if found:
            return size, found
    return 0, set()


def shares(cover: Covering) -> list[float]:
    """What it comes to with each set of options."""
    sizes = range(len(cover.options) + 1)
    return [
        s for size in sizes for c in itertools.combinations(cover.options, size) if np.isfinite(s := cover.share(c))
    ]


def cases(toy: xh.District) -> list[tuple[xh.Rule, float]]:
    walk = toy.rule("plan_clinic_15")
    several = replace(walk, name="any", kinds=("clinic_station", "canteen", "fitness"), minutes=9.0)
    tight = replace(walk, name="tight", minutes=5.0)
    return [
        *((rule, target) for rule in (walk, several, tight) for target in (0.05, 0.6, 0.99)),
        (toy.rule("plan_canteen_community"), 1.0),
        (toy.rule("plan_canteen_community"), 0.5),
        (toy.rule("plan_fitness_community"), 1.0),
    ]


@pytest.mark.slow
def test_no_smaller_set_turns_a_verdict(toy: xh.District) -> None:
    sizes = []
    for rule, target in cases(toy):
        cover = Covering.of(Case(toy, (rule,), 0, 39), rule, target)
        size, every = smallest(cover)
        sizes.append(size)
        modelled, least = _modelled(cover, 1)
        assert len(modelled) == size and (not size or (least == size and cover.turns(modelled))), (rule.name, target)
        tried, _ = _tried(cover)
        assert (set(tried) == every) if 0 < size <= 2 else not tried, (rule.name, target)
        table = module_flips(toy, rule, target=target)
        assert table.empty == (size == 0) and (table["size"] == size).all() and table["proven"].all()
    assert {0, 1, 2} < set(sizes), sizes


@pytest.mark.slow
def test_the_covering_is_the_coverage(toy: xh.District) -> None:
    """What it comes to as recorded is what the headline says; with a fact otherwise, what a plan of it comes to."""
    for rule, target in cases(toy)[:1]:
        cover = Covering.of(Case(toy, (rule,), 0, 39), rule, target)
        assert cover.value == pytest.approx(xh.robustness(toy, [rule])["value"].iloc[0], abs=1e-12)
        closing = Option("gates:gB2:gate", "open", cover.options[0].row)
        shut = next(o for o in cover.options if o.fact == "facilities:F1:existence")
        gone = xh.Scenario("p", edits=(xh.core.Edit("close_facility", {"facility": "F1"}),)).on(toy)
        assert cover.share((shut,)) == pytest.approx(
            float(xh.summary(xh.coverage(gone, rules=[rule]))["share"].iloc[0])
        )
        assert np.isfinite(cover.share((closing,)))


STREETS = {
    "s": {"layer": "streets", "what": "street", "ids": "bridge;v300n;v200n"},
    "t": {"layer": "streets", "what": "stairs", "ids": "bridge;h100;v400s"},
    "g": {"layer": "gates", "what": "gate", "ids": "gB;gB2"},
    "f": {"layer": "facilities", "what": "existence", "ids": "F1;F3"},
}


def streets_turned(seed: int) -> set[str]:
    """Try all sets of streets, gates and places, by trying and by the model; return what the smallest that turn a verdict change."""
    rng, seen = np.random.default_rng(seed), set[str]()
    rows = xh.District.load(TOY).rows["streets"]
    streets = rows.assign(steps=rows.index.isin(["bridge", "h100", "v400s"][: 1 + seed % 3]))
    if seed > 2:
        beside = {"street": ["dike"], "class": ["footway"], "steps": [False]}
        dike = gpd.GeoDataFrame(beside, geometry=[DIKE], crs=rows.crs).set_index("street")
        streets = pd.concat([streets, dike])
    toy = doubting(xh.District.load(TOY).replace(streets=streets), STREETS)
    kinds, profile = ((("clinic_station",), ("canteen",))[seed % 3 // 2], ("adult", "wheelchair")[seed % 2])
    minutes = float(rng.integers(8, 14)) * 1.1 / toy.profile(profile).speed_m_s  # B is nine minutes beyond the bridge
    rule = replace(toy.rule("plan_clinic_15"), kinds=kinds, minutes=minutes, profile=profile)
    case = Case(toy, (rule,), 0, 39)
    levels = sorted({round(share, 4) for end in (1e-3, 1.0) for share in shares(Covering.of(case, rule, end))})
    between = [(low + high) / 2 for low, high in itertools.pairwise(levels)]
    for target in rng.permutation(between)[:3]:
        cover = Covering.of(case, rule, float(target))
        size, every = smallest(cover)
        modelled, least = _modelled(cover, 1)
        assert len(modelled) == size and (not size or cover.turns(modelled)), target
        assert not size or (least == size if cover.feet_stay else least <= size), target
        tried, _ = _tried(cover)
        assert (set(tried) == every) if 0 < size <= 2 else not tried, target
        seen |= {option.becomes for chosen in every for option in chosen}
        for chosen in sorted(every)[-2:]:
            edits = tuple(EDITS[o.becomes](o.fact.split(":")[1]) for o in chosen if o.becomes in EDITS)
            if len(edits) == len(chosen):
                share = xh.summary(xh.coverage(xh.Scenario("p", edits=edits).on(toy), rules=[rule]))["share"].iloc[0]
                assert cover.share(chosen) == pytest.approx(float(share))
    return seen


@pytest.mark.slow
def test_a_street_turns_a_verdict_as_a_plan_that_shuts_it_does() -> None:
    assert {"impassable", "level"} <= streets_turned(0) | streets_turned(1)


@pytest.mark.matrix
@pytest.mark.parametrize("seed", range(2, 10))
def test_no_smaller_set_with_streets_turns_a_verdict(seed: int) -> None:
    streets_turned(seed)


def test_nothing_turns_what_is_certain(toy: xh.District) -> None:
    assert xh.flips(doubting(toy, {}), "plan_clinic_15").empty and xh.flips(toy, "plan_market").empty
    with pytest.raises(ValueError, match="目标份额"):
        xh.flips(toy, "plan_clinic_15", target=1.5)
