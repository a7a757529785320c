"""Feet stay: what a plan opens never makes a walk longer, what it closes never makes one shorter, and undoing it gives the same."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from shapely.geometry import LineString, Point, box

import xinhe_geo as xh
from oracle import districts
from xinhe_geo.access import facility_entrances, home_entrances, home_points, od_tables
from xinhe_geo.access.entrances import entrances_of_open, places_open
from xinhe_geo.core import Edit

TOY = Path(__file__).parents[1] / "toy"
Edits = list[Edit]
MORE = ("add_street", "open_gate", "new_gate", "quicker", "open_lanes", "open_facility")
LESS = ("close_street", "close_gate", "slower", "close_facility")


def carried_out(district: xh.District, edits: Edits) -> xh.District:
    return xh.Scenario("p", "p", tuple(edits)).on(district, with_conflicts=True) if edits else district


class Walks(NamedTuple):
    """Metres, minutes and straight metres of every point to every kind, and what is flagged: points, kinds."""

    costs: dict[tuple[str, str], np.ndarray]
    points: np.ndarray
    kinds: set[str]


def walks(district: xh.District, profile: str) -> Walks:
    walker, count = district.profile(profile), len(home_points(district))
    ways, doors = home_entrances(district, walker), entrances_of_open(district, walker)
    points = np.zeros(count, np.bool_)
    points[ways.loc[ways["anew"], "place"]] = True
    kinds = places_open(district, inside_only=False)["kind"]
    found = {}
    for kind, table in od_tables(district, sorted(set(kinds)), profile=profile).items():
        for column in ("metres", "minutes", "straight_metres"):
            found[kind, column] = table[column].fillna(np.inf).to_numpy(dtype=float)
    return Walks(found, points, set(kinds.reindex(doors.loc[doors["anew"], "place"])))


def never_longer(more: Walks, less: Walks, what: object) -> None:
    """Say that no walk is longer where there is more; of what was attached anew where there is less nothing is claimed."""
    for (kind, column), far in less.costs.items():
        if kind not in less.kinds and np.isfinite(far).any():
            worse = ~less.points & (more.costs[kind, column] > far + 1e-6)
            assert not worse.any(), (what, kind, column, more.costs[kind, column][worse][:3], far[worse][:3])


def random_edit(rng: np.random.Generator, district: xh.District, do: str, number: int) -> Edit | None:
    """Return a random edit of a sort, None where the district has nothing to do it with."""
    rows = district.rows
    streets, homes, gates = district.streets, district.homes, district.gates

    def lonlat(spots: Any) -> list[list[float]]:
        there = gpd.GeoSeries(gpd.points_from_xy(*np.reshape(spots, (-1, 2)).T), crs=district.crs).to_crs(4326)
        return [[float(p.x), float(p.y)] for p in there]

    def near(frame: gpd.GeoDataFrame, away: float) -> np.ndarray:
        spot = shapely.point_on_surface(frame.geometry.iloc[int(rng.integers(len(frame)))])
        return np.array([spot.x, spot.y]) + rng.uniform(-away, away, 2)

    public = rows["streets"].index[rows["streets"]["home"].isna().to_numpy()]
    if do == "add_street":
        start = near(homes, 60)
        stop = near(streets, 5) if rng.random() < 0.5 else start + rng.uniform(-120, 120, 2)
        what = {"street": f"n{number}", "line": lonlat([start, stop]), "steps": bool(rng.random() < 0.2)}
        return Edit(do, {**what, "wait_s": 20.0} if rng.random() < 0.3 else what)
    if do == "new_gate":
        home = str(rng.choice(homes.index))
        return Edit("open_gate", {"gate": f"g{number}", "home": home, "at": lonlat(near(homes.loc[[home]], 60))[0]})
    if do in ("open_gate", "close_gate"):
        if gates is None or gates.empty:
            return None
        return Edit(do, {"gate": str(rng.choice(gates.index))})
    if do in ("quicker", "slower"):
        street = str(rng.choice(public))
        return Edit("set_wait", {"street": street, "wait_s": 0.0 if do == "quicker" else 90.0})
    if do == "open_lanes":
        own = rows["streets"]["home"].dropna()
        return Edit(do, {"home": str(rng.choice(own))}) if len(own) else None
    if do == "open_facility":
        kind, spot = str(rng.choice(district.facilities["kind"])), near(homes, 40)
        return Edit(do, {"facility": f"f{number}", "kind": kind, "xy": [float(v) for v in spot]})
    if do == "close_street":
        return Edit(do, {"street": str(rng.choice(rows["streets"].index))})
    return Edit(do, {"facility": str(rng.choice(rows["facilities"].index))})


def hold(district: xh.District, seed: int, profile: str, steps: int = 4) -> None:
    """Carry out a random plan edit by edit; after each, compare with the state before it."""
    rng = np.random.default_rng(seed)
    edits: Edits = []
    before = walks(district, profile)
    for number in range(steps):
        do = str(rng.choice([*MORE, *LESS]))
        edit = random_edit(rng, carried_out(district, edits), do, number)
        if edit is None or edit.what.get("street", "") in {e.what.get("street") for e in edits}:
            continue
        after = walks(carried_out(district, [*edits, edit]), profile)
        never_longer(*((after, before) if do in MORE else (before, after)), (seed, *edits, edit))
        edits, before = [*edits, edit], after


@cache
def toy() -> xh.District:
    return xh.District.load(TOY)


@pytest.mark.parametrize("profile", ["adult", "wheelchair"])
@pytest.mark.parametrize("seed", [*range(3), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 60))])
def test_random_plans_on_random_districts(tmp_path: Path, seed: int, profile: str) -> None:
    hold(xh.District.load(districts.write(tmp_path, seed % 7)), seed, profile, 6)


@pytest.mark.parametrize("seed", range(4))
def test_random_plans_on_the_toy_district(seed: int) -> None:
    hold(toy(), seed, "adult", 6)


@pytest.mark.slow
def test_every_street_of_the_bundled_district_closed() -> None:
    """No closure of a street shortens anybody's walk, but of whoever has lost the last door (how many, is said here)."""
    district = xh.District.load()
    before, flagged = walks(district, "adult"), 0
    for street in district.rows["streets"].index:
        after = walks(carried_out(district, [Edit("close_street", {"street": street})]), "adult")
        never_longer(before, after, street)
        flagged += bool(after.points.any() or after.kinds)
    assert flagged < len(district.rows["streets"])
