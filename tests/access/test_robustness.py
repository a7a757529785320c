"""Ranges: every state of the facts in doubt, carried out as rows and plans, lies within them, and the exact ends are such states."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely
from shapely.geometry import LineString

import xinhe_geo as xh
from xinhe_geo.access import coverage, presence, summary
from xinhe_geo.access.doubts import facts_in_doubt
from xinhe_geo.access.doubts.robustness import Case
from xinhe_geo.core import Edit
from xinhe_geo.core.schema import LAYERS
from xinhe_geo.core.validate import check_rows

TOY = Path(__file__).parents[1] / "toy"
RULES = ("plan_clinic_15", "plan_elderly_canteen_15", "plan_fitness_15", "plan_canteen_community")
#: Both gates of one home, the only gate of another, the bridge, and two places.
DOUBTS = {
    "g": {"layer": "gates", "what": "gate", "ids": "gA;gB;gB2"},
    "s": {"layer": "streets", "what": "street", "ids": "bridge"},
    "f": {"layer": "facilities", "what": "existence", "ids": "F1;F2"},
}


@pytest.fixture(scope="module")
def toy() -> xh.District:
    return xh.District.load(TOY)


def doubting(district: xh.District, rows: dict[str, dict[str, object]]) -> xh.District:
    """Return a district with another table of doubts, which passes the check at the door."""
    filled = [{"doubt": name, "confidence": "convention", "source": "试验", **row} for name, row in rows.items()]
    columns = [column.name for column in LAYERS["doubts"].columns]
    table, problems = check_rows(LAYERS["doubts"], pd.DataFrame(filled, columns=columns), "doubts.csv")
    assert not problems
    return district.with_rows({**district.rows, "doubts": table})


def states(toy: xh.District) -> Iterator[xh.District]:
    """Yield every state that the facts of `DOUBTS` leave open; a home always has an open gate."""
    gates = toy.rows["gates"]
    for b, b2, bridge, *there in itertools.product((True, False), repeat=5):
        if b or b2:
            opened = {"gB": "open" if b else "closed", "gB2": "open" if b2 else "closed"}
            state = pd.Series(opened).reindex(gates.index).fillna(gates["state"])
            edits = [
                Edit("close_facility", {"facility": f})
                for f, is_there in zip(("F1", "F2"), there, strict=True)
                if not is_there
            ]
            edits += [] if bridge else [Edit("close_street", {"street": "bridge"})]
            now = toy.with_rows({**toy.rows, "gates": gates.assign(state=state)})
            yield xh.Scenario("s", edits=tuple(edits)).on(now) if edits else now


def shares(district: xh.District, rules: list[xh.Rule]) -> np.ndarray:
    """Return the share of each rule, worked out from nothing."""
    table, matrix = summary(coverage(district, rules=rules)), presence(district)

    def of(rule: xh.Rule) -> float:
        if rule.metric == "presence":
            return float((matrix.reindex(columns=list(rule.kinds), fill_value=0).sum(axis=1) > 0).mean())
        return float(table.loc[rule.name, f"{rule.denominator}_share"])

    return np.array([of(rule) for rule in rules])


@pytest.fixture(scope="module")
def rules(toy: xh.District) -> list[xh.Rule]:
    walk = toy.rule("plan_clinic_15")
    inside = replace(walk, name="inside", kinds=("party_service_center",), minutes=6.0)
    return [*map(toy.rule, RULES), replace(walk, name="short", minutes=4.0), inside]


@pytest.fixture(scope="module")
def every(toy: xh.District, rules: list[xh.Rule]) -> np.ndarray:
    return np.array([shares(state, rules) for state in states(toy)])


@pytest.mark.slow
def test_the_range_is_the_value_where_all_is_certain(toy: xh.District) -> None:
    some = [*RULES, "plan_elderly_clinic_15", "plan_elderly_daycare_community", "plan_park_square"]
    found = xh.robustness(doubting(toy, {}), some).droplevel("group")
    shown = xh.headlines(toy, xh.coverage(toy, rules=some))["value"]
    for column in ("value", "low", "high", "low_80", "high_80", "least", "most"):
        assert (found[column] == shown).sum() == shown.notna().sum() == 6 and found[column].isna().equals(shown.isna())
    assert not found["facts"].any() and not found["cause"].any()


@pytest.mark.slow
def test_the_exact_ends_are_the_ends_of_all_states(toy: xh.District, rules: list[xh.Rule], every: np.ndarray) -> None:
    found = xh.robustness(doubting(toy, DOUBTS), rules).droplevel("group")
    exact = found["exact"].to_numpy(dtype=bool)
    assert (
        exact[:-1].all() and not exact[-1]
    )  # a place inside the compound is entered by the very gates of its residents
    least, most = found["least"].to_numpy(), found["most"].to_numpy()
    np.testing.assert_allclose(least[exact], every.min(axis=0)[exact], atol=1e-12)
    np.testing.assert_allclose(most[exact], every.max(axis=0)[exact], atol=1e-12)
    assert (least <= every.min(axis=0) + 1e-12).all() and (every.max(axis=0) <= most + 1e-12).all()
    np.testing.assert_array_equal(found[["low", "high"]], found[["least", "most"]])  # nothing is drawn
    assert (every.max(axis=0) > every.min(axis=0)).sum() >= 4, "the states differ"


@pytest.mark.slow
def test_draws_never_leave_the_exact_ends_and_each_is_a_state(
    toy: xh.District, rules: list[xh.Rule], every: np.ndarray
) -> None:
    sourced = {name: {**row, "confidence": "read", "probability": 0.6} for name, row in DOUBTS.items()}
    case = Case(doubting(toy, sourced), rules, 3, 60)
    for number, rule in enumerate(rules[:-1]):
        size = len(presence(toy)) if rule.metric == "presence" else len(toy.homes)
        facts = case.touching(rule)
        ends = case.ends(rule, facts, np.ones((1, size), bool), drawn=True)
        assert (ends.low == ends.high).all(), "a draw leaves nothing open"
        assert (np.abs(ends.low - every[:, number]).min(axis=1) < 1e-12).all(), rule.name
        assert len(np.unique(ends.low)) == len(np.unique(every[:, number].round(12))), "and every state is drawn"


@pytest.mark.slow
@pytest.mark.matrix
def test_more_doubt_never_makes_a_range_narrower(toy: xh.District, rules: list[xh.Rule]) -> None:
    before = None
    for count in range(len(DOUBTS) + 1):
        some = dict(list(DOUBTS.items())[:count])
        found = xh.robustness(doubting(toy, some), rules)[["least", "most"]].to_numpy()
        if before is not None:
            assert (found[:, 0] <= before[:, 0] + 1e-12).all() and (found[:, 1] >= before[:, 1] - 1e-12).all()
        before = found


@pytest.mark.slow
@pytest.mark.matrix
def test_numbers_belong_to_facts(toy: xh.District, rules: list[xh.Rule]) -> None:
    """The same seed gives the same table, alone or among others, whatever else is in doubt elsewhere."""
    moved = {"p": {"layer": "facilities", "what": "position", "basis": "surveyed", "metres": 60.0}}
    doubted = doubting(toy, moved)
    first, again = (xh.robustness(d, rules) for d in (doubted, doubting(toy, moved)))
    pd.testing.assert_frame_equal(first, again, check_exact=True)
    pd.testing.assert_frame_equal(first.iloc[:1], xh.robustness(doubted, rules[:1]), check_exact=True)
    more = doubting(
        toy, {**moved, "h": {"layer": "homes", "what": "people", "ids": "A", "spread": 0.1, "confidence": "read"}}
    )
    pd.testing.assert_series_equal(
        first["bias"].iloc[3:4], xh.robustness(more, rules)["bias"].iloc[3:4], check_exact=True
    )
    assert not first.equals(xh.robustness(doubted, rules, seed=1))
    assert (first["high"] > first["low"]).any()
    line = xh.robustness(doubted, [replace(rules[0], name="line", method="buffer", metres=200.0)]).iloc[0]
    assert line["high"] > line["low"] and line["cause"] == "facilities:position", "a straight line is drawn too"


def test_people_between_two_ends(toy: xh.District) -> None:
    """Of A (100), B (200), D (50), E (10) the weights are each a tenth off: the best and worst mixture, found by trying all."""
    rule = toy.rule("plan_clinic_15")
    found = xh.robustness(
        doubting(toy, {"h": {"layer": "homes", "what": "people", "ids": "A;B;D;E", "spread": 0.1}}), [rule]
    )
    own = coverage(toy, rules=[rule]).droplevel("rule").loc[list("ABDE")]
    tried = [
        float((own["people"] * ways * own["served"]).sum() / (own["people"] * ways).sum())
        for ways in map(np.array, itertools.product((0.9, 1.1), repeat=4))
    ]
    np.testing.assert_allclose(found[["low", "high"]].iloc[0], [min(tried), max(tried)], atol=1e-12)


@pytest.mark.slow
def test_stairs_are_in_doubt_for_who_takes_none(toy: xh.District) -> None:
    """The bridge, recorded without stairs, and the way on from it, recorded with some: all four states, carried out by rows and plans."""
    walk = toy.rule("plan_clinic_15")
    rolled = replace(walk, name="rolled", profile="wheelchair", minutes=17.0)
    streets = toy.rows["streets"]
    toy = toy.with_rows({**toy.rows, "streets": streets.assign(steps=streets.index == "v300s")})
    doubted = doubting(toy, {"t": {"layer": "streets", "what": "stairs", "ids": "bridge;v300s"}})
    tried = []
    for flat, shut in itertools.product((True, False), repeat=2):
        now = toy.with_rows({**toy.rows, "streets": toy.rows["streets"].assign(steps=False)}) if flat else toy
        gone = xh.Scenario("s", edits=(Edit("close_street", {"street": "bridge"}),))
        tried.append(shares(gone.on(now) if shut else now, [rolled])[0])
    found = xh.robustness(doubted, [rolled, walk]).droplevel("group")
    row = found.loc["rolled"]
    assert (row["least"], row["value"], row["most"]) == pytest.approx((min(tried), tried[3], max(tried)), abs=1e-12)
    assert row["least"] < row["value"] < row["most"] and row["facts"] == 2 and row["cause"] == "streets:stairs"
    assert found.loc[walk.name, "facts"] == 0, "who takes stairs does not mind them"


def test_what_is_of_one_source_shifts_together(toy: xh.District) -> None:
    told = {"confidence": "read", "probability": 0.5, "shared_by": "一张图", "share": 1.0}
    doubts: dict[str, dict[str, object]] = {
        "g": {"layer": "gates", "what": "gate", "ids": "gA;gB", **told},
        "s": {"layer": "streets", "what": "street", "ids": "h0;bridge", **told},
        "t": {"layer": "streets", "what": "stairs", "ids": "h0;bridge", **told},
        "f": {"layer": "facilities", "what": "existence", "ids": "F1;F2", **told},
        "p": {"layer": "facilities", "what": "position", "ids": "F1;F2", **told, "metres": 30.0},
        "h": {"layer": "homes", "what": "people", "ids": "A;B", **told, "spread": 0.2},
    }
    apart = {name: {**row, "share": 0.0} for name, row in doubts.items()}
    for rows, together in ((doubts, True), (apart, False)):
        case = Case(doubting(toy, rows), [toy.rule("plan_clinic_15")], 5, 99)
        for what in ("gate", "street", "stairs", "existence", "position", "people"):
            own = case.facts[(case.facts["what"] == what).to_numpy()]
            axes = {"position": ("east", "north"), "people": ("people",)}.get(what, ("is",))
            assert len(own) == 2 and own["drawn"].all()
            for numbers in (case.numbers(own, axis) for axis in axes):
                assert np.array_equal(numbers[:, 0], numbers[:, 1]) == together, what
                assert len(np.unique(numbers)) > 50


def test_passages_that_nobody_speaks_of_are_in_doubt_by_themselves(toy: xh.District) -> None:
    """A footbridge across the river of which nothing is stated: whether one can pass and whether by stairs; a road there is not."""
    streets, river = toy.rows["streets"], LineString([(500200.0, 4320200.0), (500200.0, 4320300.0)])
    rows = []
    for basis, kind in (("unstated", "footway"), ("unstated", "residential"), ("osm", "footway")):
        new = streets.loc[["v0s"]].set_geometry([river]).assign(basis=basis, **{"class": kind})
        new.index = pd.Index([f"{basis} {kind}"], name="street")
        rows.append(new)
    made = toy.with_rows({**toy.rows, "streets": pd.concat([streets, *rows])})
    facts = facts_in_doubt(made)
    own = facts[(facts["layer"] == "streets").to_numpy()]
    assert list(zip(own["id"], own["what"], strict=True)) == [("unstated footway", w) for w in ("stairs", "street")]


@pytest.mark.slow
def test_what_is_signed_is_certain_and_what_is_unchecked_is_not(toy: xh.District) -> None:
    facilities = toy.rows["facilities"]
    state = facilities["state"].mask(facilities.index == "F1", "unchecked")
    waiting = toy.with_rows({**toy.rows, "facilities": facilities.assign(state=state)})
    facts = facts_in_doubt(doubting(waiting, {}))
    assert list(facts.index) == ["facilities:F1:existence"]
    row = xh.robustness(doubting(waiting, {}), ["plan_clinic_15"]).iloc[0]
    shown = xh.headlines(waiting, xh.coverage(waiting, rules=["plan_clinic_15"])).iloc[0]
    assert (row["value"], row["high"]) == (shown["value"], shown["value_high"]) and row[
        "cause"
    ] == "facilities:existence"
    every_place = {"p": {"layer": "facilities", "what": "position", "basis": "surveyed", "metres": 5.0}}
    signed = facilities["checked_by"].mask(facilities.index == "F2", "张三")
    signed = doubting(toy.with_rows({**toy.rows, "facilities": facilities.assign(checked_by=signed)}), every_place)
    assert "F2" not in set(facts_in_doubt(signed)["id"]) and "F3" in set(facts_in_doubt(signed)["id"])


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({"layer": "gates", "what": "position", "basis": "osm", "metres": 3}, "what"),
        ({"layer": "facilities", "what": "position", "basis": "osm"}, "metres"),
        ({"layer": "homes", "what": "people", "basis": "osm"}, "spread"),
        ({"layer": "gates", "what": "gate"}, "basis"),
        ({"layer": "gates", "what": "gate", "basis": "osm", "share": 0.5}, "shared_by"),
        ({"layer": "gates", "what": "gate", "basis": "osm", "probability": 1.5}, "probability"),
        ({"layer": "homes", "what": "stairs", "basis": "osm"}, "what"),
        ({"layer": "gates", "what": "gate", "basis": "osm", "which": "passages"}, "which"),
        ({"layer": "gates", "what": "gate", "basis": "osm", "classes": "steps"}, "classes"),
        ({"layer": "streets", "what": "street", "basis": "osm", "which": "bridges"}, "which"),
    ],
)
def test_a_doubt_half_said_is_refused_at_the_door(row: dict[str, object], field: str) -> None:
    columns = [column.name for column in LAYERS["doubts"].columns]
    table = pd.DataFrame([{"doubt": "x", "confidence": "convention", "source": "试验", **row}], columns=columns)
    problems = check_rows(LAYERS["doubts"], table, "doubts.csv")[1]
    assert [(p.severity, p.row, p.field) for p in problems] == [("error", "x", field)]


@pytest.mark.slow
def test_a_place_that_may_lie_elsewhere_counts_for_the_community_it_lies_in(toy: xh.District) -> None:
    """The only canteen, 40 m from the line between two communities: one of the two has it, or none where it lies beyond both."""
    told = {"confidence": "read", "metres": 300.0}
    doubted = doubting(toy, {"p": {"layer": "facilities", "what": "position", "ids": "F2", **told}})
    rule, both = toy.rule("plan_canteen_community"), toy.communities.union_all()
    case = Case(doubted, [rule], 3, 60)
    facts = case.touching(rule)
    ends = case.ends(rule, facts, np.ones((1, 2), bool), drawn=True)
    away = np.column_stack([case.numbers(facts, axis) for axis in ("east", "north")]) * 300 / np.sqrt(2)
    spots = shapely.points(shapely.get_coordinates(toy.facilities.geometry["F2"]) + away)
    share = shapely.intersects(both, spots) / 2
    assert set(share) == {0.0, 0.5}
    np.testing.assert_array_equal(np.column_stack(ends), np.column_stack([share, share]))
