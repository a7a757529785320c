"""The library against the second engine: the same files, the same numbers, from two programs that share no line."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from plans import random_plan

import xinhe_geo as xh
from oracle import districts
from oracle.engine import METRES, World, read
from xinhe_geo.access import home_points, od_table, pairs
from xinhe_geo.siting import link_pairs, links

DATA = Path(__file__).parents[2] / "data"
TOY = Path(__file__).parents[1] / "toy"
SEEDS = [*range(16), *(pytest.param(seed, marks=pytest.mark.matrix) for seed in range(16, 40))]
METHODS = ("buffer", "network_m", "walk_min")


def _world(district: xh.District) -> World:
    """Open the second engine on the rows of a district that a plan was carried out on."""
    surveyed, planned = district.surveyed_kinds, district.with_planned
    before = None if district.ground is None else _world(district.ground)
    return World(district.rows, district.year, district.list_year, surveyed, planned, before)


def _same(found: Any, expected: Any, what: str, tolerance: float = 1e-6) -> None:
    """Compare; beyond reach is missing here and infinite there."""
    found, expected = np.asarray(found, dtype=float), np.asarray(expected, dtype=float)
    found, expected = np.where(np.isfinite(found), found, -1.0), np.where(np.isfinite(expected), expected, -1.0)
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance, err_msg=what)


def _same_walks(district: xh.District, world: World, kinds: list[str], profile: str) -> None:
    """Compare metres, minutes and straight lines of every point of every home to every kind."""
    points = home_points(district)
    _same(
        shapely.get_coordinates(np.concatenate(list(world.points.values()))),
        points.geometry.get_coordinates(),
        "points",
        1e-5,
    )
    table = od_table(district, kinds, profile=profile).reset_index().sort_values("point")
    for kind in kinds:
        rows = table[table["kind"] == kind]
        minutes = {
            home: seconds / 60 for home, seconds in world.walks([kind], world.rows["profiles"].loc[profile]).items()
        }
        found = {"metres": world.walks([kind]), "minutes": minutes, "straight_metres": world.straight([kind])}
        for column, ours in found.items():
            _same(rows[column], np.concatenate(list(ours.values())), f"{kind} {column} {profile}")
        if profile == "adult" and len(points) < 100:
            assert list(rows["facility"].fillna("")) == world.named([kind]), kind


def _same_headlines(district: xh.District, world: World) -> pd.DataFrame:
    cover = xh.coverage(district)
    headlines = xh.headlines(district, cover)
    shares = xh.summary(cover)["share"]
    for code in headlines.index:
        ours = world.headline(district.rows["rules"].loc[code])
        _same(headlines.at[code, "value"], ours, code)
        if district.rows["rules"].at[code, "metric"] == "reach":
            _same(shares[code], ours, f"{code} of the summary")
    return cover


def _same_shares(district: xh.District, world: World, cover: pd.DataFrame, codes: list[str]) -> None:
    for code in codes:
        rule, rows = district.rows["rules"].loc[code], cover.xs(code, level="rule")
        if not world.known & set(rule["kinds"].split(";")) or rule["metric"] == "presence":
            continue
        for method in METHODS:
            ours = world.served(rule, method).reindex(rows.index)
            _same(rows[f"served_{method}"], ours, f"{code} {method}", 1e-9)
        inside = world.served(rule, rule["method"], inside=True).reindex(rows.index)
        _same(rows["served_inside"], inside, f"{code} inside the outline", 1e-9)


@pytest.mark.parametrize("name", ["engine.py", "districts.py"])
def test_the_second_engine_shares_no_line(name: str) -> None:
    """Neither it nor the districts that both are asked about know the library, and it is read in one sitting."""
    text = (Path(__file__).parent / name).read_text(encoding="utf-8")
    assert not re.search(r"^\s*(from|import) (xinhe_geo|oracle|plans)", text, re.MULTILINE)
    assert name != "engine.py" or text.count("\n") <= 300


def _same_presence(district: xh.District, world: World) -> None:
    has = xh.presence(district)
    for kind in has:
        _same(has[kind], world.presence([kind]).reindex(has.index), f"presence of {kind}")


@pytest.mark.slow
@pytest.mark.one_in(8)
@pytest.mark.parametrize("seed", SEEDS)
def test_random_districts(tmp_path: Path, seed: int) -> None:
    """Walls of every shape, lanes, waits, barriers, stairs, parks, planned and closed: the same walks, shares and headlines."""
    folder = districts.write(tmp_path, seed)
    district, world = xh.District.load(folder), World(*read(folder, DATA))
    for profile in ("adult", "elderly", "wheelchair"):
        _same_walks(district, world, list(districts.KINDS), profile)
    cover = _same_headlines(district, world)
    _same_shares(district, world, cover, ["plan_clinic_15", "plan_pharmacy", "plan_park_square"])
    _same_presence(district, world)


@pytest.mark.slow
@pytest.mark.one_in(8)
@pytest.mark.parametrize("seed", SEEDS)
def test_random_plans(tmp_path: Path, seed: int) -> None:
    """Streets, gates, lanes, waits and facilities opened and closed: feet stay in both engines, for whoever walks."""
    after = random_plan(xh.District.load(districts.write(tmp_path, seed % 7)), seed)
    for profile in ("adult", "wheelchair"):
        _same_walks(after, _world(after), list(districts.KINDS), profile)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_streets_that_are_reached(tmp_path: Path, seed: int) -> None:
    """Street metres of isochrones, by metres and by minutes."""
    district = xh.District.load(districts.write(tmp_path, seed))
    world, who = _world(district), district.profile("elderly")
    for kind in ("clinic_station", "park"):
        if len(world.facilities([kind])):
            rings = xh.isochrones(district, kind, metres=[60.0, 250.0])["street_m"]
            _same(rings, [world.reached([kind], METRES, limit) for limit in rings.index], kind)
            timed = xh.isochrones(district, kind, minutes=[2.0, 6.0], profile="elderly")["street_m"]
            walker = world.rows["profiles"].loc[who.name]
            _same(timed, [world.reached([kind], walker, 60 * limit) for limit in timed.index], kind)


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize("seed", range(4))
def test_planned_facilities(tmp_path: Path, seed: int) -> None:
    """Another year, planned facilities counted."""
    district = xh.District.load(districts.write(tmp_path, seed)).at(2024, planned=True)
    _same_walks(district, _world(district), list(districts.KINDS), "adult")


@pytest.mark.slow
def test_the_toy_district() -> None:
    """The district worked out by hand, by the second engine too."""
    district, world = xh.District.load(TOY), World(*read(TOY, DATA))
    _same_walks(district, world, sorted(set(district.facilities["kind"])), "adult")
    _same_shares(district, world, _same_headlines(district, world), ["plan_clinic_15", "plan_fitness_15"])


@pytest.mark.slow
@pytest.mark.one_in(3)
@pytest.mark.parametrize("seed", [1, 3, 5])
def test_best_sites(tmp_path: Path, seed: int) -> None:
    """Every pair of eight candidates built and counted by the second engine: none is better than the pair that is found."""
    folder = districts.write(tmp_path, 100 + seed)
    district = xh.District.load(folder)
    low, high = districts.CORNER, districts.CORNER + districts.BLOCK * districts.SIDE
    spots = gpd.points_from_xy(*np.random.default_rng(seed).uniform(low, high, (8, 2)).T)
    candidates = gpd.GeoSeries(spots, index=[f"N{k}" for k in range(len(spots))], crs=district.crs)
    rule = district.rows["rules"].loc["plan_pharmacy"].copy()
    rule["metres"] = 120.0  # of a small district most is near enough to something
    chosen = xh.sites(district, "plan_pharmacy", 2, candidates=candidates, siting=xh.Siting(limit=120.0))
    layers, *years = read(folder, DATA)
    share = {}
    for pair in combinations(candidates.index, 2):
        new = gpd.GeoDataFrame({"kind": ["pharmacy"] * 2}, index=list(pair), geometry=candidates[list(pair)])
        rows = layers | {"facilities": pd.concat([layers["facilities"], new])}
        share[frozenset(pair)] = World(rows, *years).headline(rule)
    assert chosen["proven"].all() and chosen["people_cumulative"].iloc[-1] > 0
    _same(chosen["share_after"].iloc[-1], share[frozenset(chosen.index)], "the pair that was found")
    _same(chosen["share_after"].iloc[-1], max(share.values()), "the best pair there is")


@pytest.mark.slow
@pytest.mark.one_in(3)
@pytest.mark.parametrize("seed", [1, pytest.param(4, marks=pytest.mark.slow), pytest.param(7, marks=pytest.mark.slow)])
def test_links_and_pairs_of_links(tmp_path: Path, seed: int) -> None:
    """What a link, and two together, are said to bring: the share that the second engine counts when they are carried out."""
    district = xh.District.load(districts.write(tmp_path, seed))
    rules = district.rows["rules"].copy()
    rules.loc["plan_clinic_15", "minutes"] = 4.0  # of a small district most is near enough to something
    district = district.with_rows({**district.rows, "rules": rules})
    rule = rules.loc["plan_clinic_15"]
    single, double = links(district, "plan_clinic_15", n=2), link_pairs(district, "plan_clinic_15", n=1)
    assert len(single)
    for edits, share in [
        *zip(((e,) for e in single["edit"]), single["share_after"], strict=True),
        *zip(double["edits"], double["share_after"], strict=True),
    ]:
        after = xh.Scenario("p", "p", tuple(edits)).on(district)
        _same(share, _world(after).headline(rule), str(edits))


@pytest.mark.slow
@pytest.mark.matrix
@pytest.mark.parametrize("seed", range(2))
def test_every_pair_of_places(tmp_path: Path, seed: int) -> None:
    """What capacity and siting count with: from every point to every facility, not to the nearest alone."""
    district = random_plan(xh.District.load(districts.write(tmp_path, seed)), seed)
    world, who = _world(district), district.profile("elderly")
    found = pairs(district, districts.KINDS, profile=who, minutes=30.0)
    for kind in districts.KINDS:
        for name in map(str, world.facilities([kind]).index):
            ours = (
                np.concatenate(list(world.walks([kind], world.rows["profiles"].loc["elderly"], only=name).values()))
                / 60
            )
            theirs = found[found.index.get_level_values(1) == name].droplevel(1).reindex(range(len(ours)))
            _same(theirs, np.where(ours <= 30, ours, np.inf), name)


@pytest.mark.slow
@pytest.mark.matrix
def test_the_bundled_district() -> None:
    """Every walk to every kind, every share by every method, every headline, what each community has."""
    district, world = xh.District.load(), World(*read(DATA, DATA))
    kinds = [kind for kind in world.rows["kinds"].index if len(world.facilities([kind]))]
    _same_walks(district, world, kinds, "adult")
    cover = _same_headlines(district, world)
    _same_shares(district, world, cover, list(cover.index.unique("rule")))
    _same_presence(district, world)


@pytest.mark.slow
@pytest.mark.matrix
@pytest.mark.parametrize("plan", sorted(path.stem for path in (DATA / "scenarios").glob("*.toml")))
def test_every_bundled_plan(plan: str) -> None:
    """Every headline after the plan is carried out."""
    district = xh.District.load()
    after = district.scenario(plan).on(district)
    _same_headlines(after, _world(after))
