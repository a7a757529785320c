"""Ranges on districts made at random, gated and not, with stairs, links and walls: no state that can be lies outside ends that are called exact."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from oracle.districts import KINDS, write
from shapely.geometry import Point
from test_flips import smallest
from test_robustness import TOY, doubting, shares
from test_stress import rerun

import xinhe_geo as xh
from xinhe_geo.access.doubts.facts import facts_in_doubt
from xinhe_geo.access.doubts.flips import Covering
from xinhe_geo.access.doubts.robustness import Case
from xinhe_geo.access.doubts.stress import stress
from xinhe_geo.access.entrances import entrances_of_open, home_entrances
from xinhe_geo.core import Edit

#: Of how many gates, streets and places something is in doubt.
SOME = {"gates": 9, "streets": 2, "facilities": 4}

#: Of how many of these a flip is looked for, and at which targets: some above what is served, some below.
FEW, TARGETS = (("g", 6), ("f", 4)), (0.05, 0.2, 0.35, 0.5, 0.65, 0.8)


def at_random(folder: Path, seed: int) -> tuple[xh.District, dict[str, dict[str, object]]]:
    """Return a district made at random, and doubts of some of its rows: of streets both whether one can pass and whether by stairs."""
    district, rng = xh.District.load(write(folder, seed)), np.random.default_rng(seed)
    ids = {
        layer: list(map(str, rng.permutation(district.layers[layer].index)[:count])) for layer, count in SOME.items()
    }
    stairs = district.streets.index[district.streets["steps"].to_numpy(dtype=bool)]
    told = {
        "g": ("gates", "gate", ids["gates"]),
        "s": ("streets", "street", ids["streets"][:1]),
        "t": ("streets", "stairs", [*ids["streets"][1:], *stairs[:1]]),
        "f": ("facilities", "existence", ids["facilities"]),
    }
    return district, {
        name: {"layer": layer, "what": what, "ids": ";".join(dict.fromkeys(own))}
        for name, (layer, what, own) in told.items()
    }


def carried_out(district: xh.District, facts: pd.DataFrame, otherwise: np.ndarray) -> xh.District:
    """Return the district in which some facts are otherwise than recorded, by its rows and by plans: stairs as who takes none meets them."""
    own = facts[otherwise]
    ids = {what: set(own["id"][(own["what"] == what).to_numpy()]) for what in facts["what"].unique()}
    gates, streets = district.rows["gates"], district.streets
    opened = gates["state"].fillna("open") == "open"
    state = np.where(opened ^ gates.index.isin(ids.get("gate", set())), "open", "closed")
    state = gates["state"].where(gates["state"] == "planned", pd.Series(state, gates.index))
    for _, rows in gates.groupby("home"):  # people come out
        if opened[rows.index].any() and not (state[rows.index] == "open").any():
            state[rows.index[opened[rows.index]][0]] = "open"
    flat = {street for street in ids.get("stairs", set()) if streets.at[street, "steps"]}
    shut = (ids.get("street", set()) | ids.get("stairs", set())) - flat
    now = district.with_rows({**district.rows, "gates": gates.assign(state=state)})
    level = {
        layer: rows.assign(steps=rows["steps"] & ~rows.index.isin(flat))
        for layer, rows in now.rows.items()
        if layer in ("streets", "extra_links")
    }
    if flat:
        now = now.with_rows(level, scenario="level")
    left = {layer: rows[~rows.index.isin(shut)] for layer, rows in now.rows.items() if layer in level}
    now = now.with_rows(left, scenario="shut") if shut else now
    gone = ids.get("existence", set()) & set(map(str, now.open_facilities.index))
    edits = tuple(Edit("close_facility", {"facility": name}) for name in sorted(gone))
    return xh.Scenario("gone", edits=edits).on(now, with_conflicts=True) if edits else now


def holds(folder: Path, seed: int) -> int:
    """Try states of a district made at random; return how many ends of rules were exact and apart."""
    district, doubts = at_random(folder, seed)
    walk = district.rule("plan_clinic_15")
    rules = [
        replace(walk, name=f"{profile} {kind}", kinds=(kind,), profile=profile, minutes=minutes, denominator="people")
        for profile, minutes in (("wheelchair", 5.0), ("adult", 3.0))
        for kind in KINDS[:2]
    ]
    rules.append(
        replace(walk, name="metres", kinds=(KINDS[1],), method="network_m", metres=250.0, denominator="people")
    )
    doubted = doubting(district, doubts)
    facts = facts_in_doubt(doubted)
    found = xh.robustness(doubted, rules).droplevel("group")
    sourced = {name: {**row, "confidence": "read", "probability": 0.6} for name, row in doubts.items()}
    case = Case(doubting(district, sourced), rules, seed, 39)
    everyone, rng, count = np.ones((1, len(district.homes)), bool), np.random.default_rng(seed), 0
    minding = 2  # who minds stairs comes first
    for state in (carried_out(district, facts, rng.random(len(facts)) < part) for part in (0.2, 0.5, 0.8)):
        for share, row in zip(shares(state, rules[:minding]), found.iloc[:minding].itertuples(), strict=True):
            if row.exact:
                assert row.least - 1e-9 <= share <= row.most + 1e-9, (seed, row.Index)
    for rule in rules:
        row, ends = found.loc[rule.name], case.ends(rule, case.touching(rule), everyone, drawn=True)
        assert (ends.low >= row["least"] - 1e-9).all() and (ends.high <= row["most"] + 1e-9).all(), (seed, rule.name)
        if row["exact"]:
            np.testing.assert_array_equal(ends.low, ends.high, f"{seed} {rule.name}: a draw leaves nothing open")
        assert row["least"] - 1e-9 <= row["value"] <= row["most"] + 1e-9, (seed, rule.name)
        count += bool(row["exact"] and row["most"] > row["least"])
    return count


@pytest.mark.slow
@pytest.mark.matrix
def test_no_state_of_a_random_district_leaves_its_exact_ends(tmp_path: Path) -> None:
    assert holds(tmp_path, 4) > 0


@pytest.mark.slow
def test_nor_where_a_closed_street_leaves_somebody_who_is_attached_to_a_better_one(tmp_path: Path) -> None:
    holds(tmp_path, 33)


@pytest.mark.matrix
@pytest.mark.parametrize("seed", range(20, 40))
def test_nor_of_many(tmp_path: Path, seed: int) -> None:
    holds(tmp_path, seed)


def every_state(doubted: xh.District, rules: list[xh.Rule]) -> dict[tuple[str, ...], np.ndarray]:
    """Return what each rule comes to in every state that the facts in doubt leave open, by which are otherwise."""
    facts = facts_in_doubt(doubted)
    sets = [np.array(bits) for bits in itertools.product((False, True), repeat=len(facts))]
    return {tuple(facts.index[own]): shares(carried_out(doubted, facts, own), rules) for own in sets}


def all_hold(doubted: xh.District, rules: list[xh.Rule]) -> list[bool]:
    """Hold ranges and flips against every state; return which rules change by what may be shut."""
    every, found = every_state(doubted, rules), xh.robustness(doubted, rules).droplevel("group")
    gates = (facts_in_doubt(doubted)["what"] == "gate").any()
    for number, (rule, row) in enumerate(zip(rules, found.itertuples(), strict=True)):
        share = {own: float(values[number]) for own, values in every.items()}
        low, high = min(share.values()), max(share.values())
        assert not row.exact or (row.least, row.most) == pytest.approx((low, high), abs=1e-9), rule
        assert row.exact or gates or (row.least - 1e-9 <= low and high <= row.most + 1e-9), rule
        levels = sorted({round(value, 6) for value in share.values()})
        for target in ((a + b) / 2 for a, b in itertools.pairwise(levels)):
            turned = [own for own, value in share.items() if (value < target) != (share[()] < target)]
            flips = xh.flips(doubted, rule, target=target)
            assert len(flips) or not turned or not row.exact, (rule, target)
            for _, rows in flips[flips["proven"]].groupby(level="flip"):
                assert len(rows) == min(map(len, turned)), (rule, target)
                assert share[tuple(sorted(rows["fact"]))] == pytest.approx(rows["share"].iloc[0], abs=1e-9), (
                    rule,
                    target,
                )
    return [bool(np.ptp([values[number] for values in every.values()])) for number in range(len(rules))]


def with_last_doors(folder: Path, seed: int) -> tuple[xh.District, list[xh.Rule]]:
    """Return a district made at random of which the streets are in doubt that somebody's doors are on, at odd seeds two gates too; and rules."""
    district, rng = xh.District.load(write(folder, seed)), np.random.default_rng(seed)
    ways = home_entrances(district)
    street = district.network.edges["street"].reindex(ways["edge"]).set_axis(ways.index)
    home = ways["home"] == rng.choice(ways["home"].unique())
    streets = [*street[home].unique(), *rng.permutation(street.unique())]
    told = {"s": ("streets", "street", streets[:3])}
    told |= {"g": ("gates", "gate", rng.permutation(district.gates.index)[:2])} if seed % 2 else {}
    doubts = {
        k: {"layer": layer, "what": what, "ids": ";".join(dict.fromkeys(own))} for k, (layer, what, own) in told.items()
    }
    walk = replace(district.rule("plan_clinic_15"), kinds=KINDS[:2], denominator="people")
    limits = (("adult", 3.5), ("adult", 5.0), ("wheelchair", 6.0))
    rules = [replace(walk, name=f"{who} {limit}", profile=who, minutes=limit) for who, limit in limits]
    return doubting(district, doubts), rules


@pytest.mark.slow
def test_streets_that_may_take_somebodys_last_door_are_shut_in_every_set(tmp_path: Path) -> None:
    """Who is attached anew may be nearer or farther than with all of them, or none, shut."""
    assert any(all_hold(*with_last_doors(tmp_path, 4)))


@pytest.mark.matrix
@pytest.mark.parametrize("seed", range(20, 40))
def test_so_are_those_of_many(tmp_path: Path, seed: int) -> None:
    all_hold(*with_last_doors(tmp_path, seed))


@pytest.mark.slow
def test_a_gate_that_may_be_shut_leaves_nobody_a_door_for_sure() -> None:
    """The street of the gate that is open may be shut, and another gate, on another street, may be none: then the first is attached anew."""
    toy = xh.District.load(TOY)
    gates, spot = toy.rows["gates"], gpd.GeoSeries([Point(500150, 4320380)], crs=toy.crs)
    other = gates.loc[["gB"]].rename(index={"gB": "gN"}).assign(state="closed", geometry=spot.to_numpy())
    rows = {"gates": pd.concat([gates, other]), "facilities": toy.rows["facilities"].loc[["F1", "F3"]]}
    doubts = {
        "s": {"layer": "streets", "what": "street", "ids": "h300"},
        "g": {"layer": "gates", "what": "gate", "ids": "gN"},
    }
    doubted = doubting(toy.with_rows({**toy.rows, **rows}), doubts)
    rule = replace(toy.rule("plan_clinic_15"), minutes=11.5)
    share = [float(values[0]) for values in every_state(doubted, [rule]).values()]
    found = xh.robustness(doubted, [rule]).iloc[0]
    assert min(share) < found["least"], "the range may be left, and says so"
    assert not found["exact"] and not xh.flips(doubted, rule, target=0.9)["proven"].any()


def turned(folder: Path, seed: int) -> list[int]:
    """Try every set of facts of a district made at random, towards both sides; return the sizes of the smallest that turn a verdict."""
    district, doubts = at_random(folder, seed)
    walk = replace(district.rule("plan_clinic_15"), name="walk", kinds=KINDS[:2], minutes=4.0, denominator="people")
    few = {name: {**doubts[name], "ids": ";".join(str(doubts[name]["ids"]).split(";")[:count])} for name, count in FEW}
    doubted, sizes = doubting(district, few), []
    facts = facts_in_doubt(doubted)
    case = Case(doubted, (walk,), 0, 39)
    behind = set(entrances_of_open(case.wide, case.district.profile(walk.profile))["gate"].dropna())
    told = not behind & set(case.gates)  # gates count for who lives behind them, not for places behind them
    for target in TARGETS:
        cover = Covering.of(case, walk, target)
        size, every = smallest(cover)
        found = xh.flips(doubted, walk, target=target)
        assert found.empty == (size == 0) and (found["size"] == size).all() and found["proven"].all(), (seed, target)
        for _, rows in found.groupby(level="flip"):
            assert not every or any({o.fact for o in one} == set(rows["fact"]) for one in every), (seed, target)
            share = shares(carried_out(doubted, facts, facts.index.isin(rows["fact"])), [walk])[0]
            if told:
                assert share == pytest.approx(rows["share"].iloc[0], abs=1e-9), (seed, target)
                assert (share < target - 1e-6) != (cover.value < target - 1e-6), (seed, target)
        sizes.append(size)
    return sizes


@pytest.mark.slow
@pytest.mark.matrix
def test_the_fewest_facts_that_turn_a_random_district_are_the_fewest(tmp_path: Path) -> None:
    assert set(turned(tmp_path, 4)) - {0}


@pytest.mark.matrix
@pytest.mark.parametrize("seed", range(20, 40))
def test_nor_are_there_fewer_anywhere(tmp_path: Path, seed: int) -> None:
    turned(tmp_path, seed)


def lost(folder: Path, seed: int, rows: slice) -> int:
    """Hold losses of a district made at random against plans of that one edit, rule by rule; return how many lose anything."""
    district = xh.District.load(write(folder, seed))
    walk = replace(district.rule("plan_clinic_15"), kinds=KINDS[:1], minutes=4.0)
    rules = [
        replace(walk, name=f"{who} {m}", profile=who, minutes=m) for who, m in (("adult", 3.0), ("wheelchair", 5.0))
    ]
    rules.append(replace(walk, name="metres", kinds=KINDS[1:2], method="network_m", metres=250.0))
    table, count = stress(district, rules), 0
    for loss, key in table.index[rows]:
        row, alone = table.loc[(loss, key)], rerun(district, loss, key, rules)
        if np.isnan(row["worst_people"]):  # nobody knows how many live there
            assert row["homes"] > 0 and not alone[row["worst"]], (seed, loss, key)
            continue
        assert row["worst_people"] == pytest.approx(max(alone.values()), abs=1e-6), (seed, loss, key)
        assert max(alone.values()) - 1e-6 <= row["people"] <= sum(alone.values()) + 1e-6, (seed, loss, key)
        count += row["people"] > 0
    return count


@pytest.mark.slow
@pytest.mark.matrix
def test_a_loss_of_a_random_district_is_its_plan(tmp_path: Path) -> None:
    assert lost(tmp_path, 4, slice(0, None, 5)) > 0


@pytest.mark.matrix
@pytest.mark.parametrize("seed", range(20, 32))
def test_so_are_all_losses_anywhere(tmp_path: Path, seed: int) -> None:
    lost(tmp_path, seed, slice(None))
