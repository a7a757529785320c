"""Random plans: edits that open something, edits that close something; and what a plan left alone, found from nothing."""

from __future__ import annotations

import pickle
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

import xinhe_geo as xh
from xinhe_geo.access import entrances_of_open, home_entrances, home_points, od_tables, pairs
from xinhe_geo.access.entrances import walks_inside
from xinhe_geo.core import Edit

Edits = list[Edit]
MORE = ("add_street", "open_gate", "new_gate", "quicker", "open_lanes", "open_facility")
LESS = ("close_street", "close_gate", "slower", "close_facility")


def carried_out(district: xh.District, edits: Edits) -> xh.District:
    """Return a district with edits carried out, whatever they contradict."""
    return xh.Scenario("p", "p", tuple(edits)).on(district, with_conflicts=True) if edits else district


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


def random_plan(district: xh.District, seed: int, steps: int = 5) -> xh.District:
    """Return a district with a random plan carried out."""
    rng = np.random.default_rng(seed)
    edits: Edits = []
    for number in range(steps):
        do = str(rng.choice([*MORE, *LESS]))
        edit = random_edit(rng, carried_out(district, edits), do, number)
        if edit is not None and edit.what.get("street", "") not in {e.what.get("street") for e in edits}:
            edits.append(edit)
    return carried_out(district, edits)


def told_of(district: xh.District, *, judged: bool = True) -> dict[str, pd.DataFrame]:
    """Return what is worked out of a district and kept for the plans that are made from it; with coverage and ledger where `judged`."""
    kinds = sorted(set(district.facilities["kind"]))
    found = {
        "points": pd.DataFrame(home_points(district)),
        "ways out": home_entrances(district),
        "entrances": entrances_of_open(district),
        "walks inside": walks_inside(district),
        "pairs": pairs(district, kinds[:2], minutes=15).to_frame(),
    }
    for profile in ("adult", "wheelchair"):
        found |= {f"{kind} {profile}": table for kind, table in od_tables(district, kinds, profile=profile).items()}
    if not judged:
        return found
    return found | {
        "inside only": xh.coverage(district, rules="td1063"),
        "coverage": xh.coverage(district),
        "completeness": pd.DataFrame(xh.completeness(district)),
        "ledger": xh.ledger(district),
    }


def as_if_anew(district: xh.District, *, judged: bool = True) -> None:
    """Say that what is taken from districts before this one equals, to the bit, what is found from nothing."""
    anew = pickle.loads(pickle.dumps(district))  # knows nothing of where it came from
    both = (told_of(d, judged=judged) for d in (district, anew))
    for (name, taken), found in zip(*(told.items() for told in both), strict=True):
        pd.testing.assert_frame_equal(taken, found[1], check_exact=True, obj=name)
