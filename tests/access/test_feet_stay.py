"""Feet stay: what a plan opens never makes a walk longer, what it closes never makes one shorter, and undoing it gives the same."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from clock import seeds
from oracle import districts
from plans import LESS, MORE, Edits, carried_out, random_edit
from shapely.geometry import LineString, Point, box

import xinhe_geo as xh
from xinhe_geo.access import attached_anew, facility_entrances, home_entrances, home_points, od_tables
from xinhe_geo.access.entrances import entrances_of_open, places_open
from xinhe_geo.core import Edit
from xinhe_geo.report import people_line

TOY = Path(__file__).parents[1] / "toy"


class Anew(NamedTuple):
    """Who was attached anew: which points, and which kinds have a facility that was."""

    points: np.ndarray
    kinds: set[str]


class Walks(NamedTuple):
    """
    Metres, minutes and straight metres of every point to every kind, and per column who was attached anew.

    Minutes run between the doors of the walker. Metres and straight lines are the same whoever walks and run between the doors of
    everybody, which may be on stairs: where these close, a point is attached anew by metres and, for a walker who takes none, not by minutes.
    """

    costs: dict[tuple[str, str], np.ndarray]
    anew: dict[str, Anew]


def walks(district: xh.District, profile: str, every: slice = slice(None)) -> Walks:
    """Return the walks to each kind, or to some of the kinds."""
    walker, count = district.profile(profile), len(home_points(district))
    kinds = places_open(district, inside_only=False)["kind"]
    anew = {}
    for who, columns in ((walker, ["minutes"]), (None, ["metres", "straight_metres"])):
        ways, doors = home_entrances(district, who), entrances_of_open(district, who)
        points = np.zeros(count, np.bool_)
        points[ways.loc[ways["anew"], "place"]] = True
        anew |= dict.fromkeys(columns, Anew(points, set(kinds.reindex(doors.loc[doors["anew"], "place"]))))
    found = {}
    for kind, table in od_tables(district, sorted(set(kinds))[every], profile=profile).items():
        for column in anew:
            found[kind, column] = table[column].fillna(np.inf).to_numpy(dtype=float)
    return Walks(found, anew)


def never_longer(more: Walks, less: Walks, what: object) -> None:
    """Say that no walk is longer where there is more; of what was attached anew where there is less nothing is claimed."""
    for (kind, column), far in less.costs.items():
        points, kinds = less.anew[column]
        if kind not in kinds and np.isfinite(far).any():
            worse = ~points & (more.costs[kind, column] > far + 1e-6)
            assert not worse.any(), (what, kind, column, more.costs[kind, column][worse][:3], far[worse][:3])


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


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize("profile", ["adult", "wheelchair"])
@pytest.mark.parametrize("seed", seeds(1, 2, 60))
def test_random_plans_on_random_districts(tmp_path: Path, seed: int, profile: str) -> None:
    hold(xh.District.load(districts.write(tmp_path, seed % 7)), seed, profile, 6)


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize("seed", range(4))
def test_random_plans_on_the_toy_district(seed: int) -> None:
    hold(toy(), seed, "adult", 6)


WALKERS = ("adult", "elderly", "frail", "wheelchair", "with_child", "bicycle")
#: Into so many parts the streets of the bundled district are dealt, each with the next walker: who takes stairs has the doors of an adult.
PARTS = 12


def doors_of(district: xh.District, profile: str) -> pd.DataFrame:
    """Return every door of homes and open facilities: whose it is, on which street, where, after how many metres, whether of one attached anew."""
    walker, edges = district.profile(profile), district.network.edges
    parts = {"point": home_entrances(district, walker), "facility": entrances_of_open(district, walker)}
    doors = pd.concat(
        [own.assign(end=end, place=own["place"].astype(str)) for end, own in parts.items()], ignore_index=True
    )
    doors = doors[(doors["edge"] >= 0).to_numpy()]
    on = edges.loc[doors["edge"].to_numpy()]
    spots = shapely.get_coordinates(shapely.line_interpolate_point(on.geometry.array, doors["at_m"].to_numpy(float)))
    doors["street"], doors["east"], doors["north"] = on["street"].to_numpy(), *spots.T
    return doors[["end", "place", "anew", "street", "east", "north", "access_m"]]


def in_another_order(rng: np.random.Generator, district: xh.District) -> xh.District:
    """Return the same district from rows in another order; what has a drawn entrance comes first."""
    layers = sorted({"facilities", "streets", "homes", "gates", "entrances", "barriers"} & set(district.rows))
    rows = {name: frame.iloc[rng.permutation(len(frame))] for name in layers for frame in (district.rows[name],)}
    if "entrances" in rows:
        drawn = rows["facilities"].index.isin(rows["entrances"]["facility"])
        rows["facilities"] = rows["facilities"].iloc[np.argsort(~drawn, kind="stable")]
    return district.with_rows(rows)


def in_one_order(doors: pd.DataFrame) -> pd.DataFrame:
    told = doors.drop(columns="street").round(
        {"east": 3, "north": 3}
    )  # of two streets that meet at a door either may be named
    return told.sort_values(list(told.columns), ignore_index=True)


def named(district: xh.District) -> pd.DataFrame:
    """Return every door for people on foot; that of a point of a home goes by the home."""
    doors, points = doors_of(district, "adult"), home_points(district)
    of = points["home"].to_numpy(object)
    homes = (doors["end"] == "point").to_numpy()
    doors.loc[homes, "place"] = of[doors.loc[homes, "place"].astype(int)]
    return doors


@pytest.mark.parametrize("seed", seeds(0, 7, 40))
def test_doors_are_the_same_in_whatever_order_rows_stand(tmp_path: Path, seed: int) -> None:
    """Whoever is first of a layer is entered as the others are, before a plan and after one: nobody's number is looked at."""
    rng = np.random.default_rng(seed)
    district = xh.District.load(districts.write(tmp_path, seed % 7))
    other = in_another_order(rng, district)
    edits = [
        Edit("close_street", {"street": str(rng.choice(district.rows["streets"].index))}),
        Edit("close_gate", {"gate": str(rng.choice(district.rows["gates"].index))}),
    ]
    for one, two in ((district, other), (carried_out(district, edits), carried_out(other, edits))):
        pd.testing.assert_frame_equal(
            *(in_one_order(named(state)) for state in (one, two)), check_exact=False, atol=1e-6
        )


def test_beside_every_street_a_place_keeps_its_door() -> None:
    """The first street of the network, which has the number 0, and the last: a plan elsewhere takes nobody's door, and nobody is attached anew."""
    edges = toy().network.edges
    spots = edges.geometry.interpolate(0.4, normalized=True).translate(0.3, 0.4)
    row = toy().rows["facilities"].loc[["F1"]]
    places = pd.concat([row] * len(spots)).set_geometry(spots.to_numpy(), crs=toy().crs)
    places.index = pd.Index([f"X{number}" for number in edges.index], name="facility")
    before = toy().with_rows({"facilities": places})
    street = str(toy().rows["streets"].index[-1])
    after = carried_out(before, [Edit("close_street", {"street": street})])
    doors = doors_of(after, "adult")
    kept = doors[(doors["end"] == "facility").to_numpy() & ~doors["anew"].to_numpy(bool)]
    assert set(kept["place"]) == set(places.index[edges["street"] != street])


def no_new_doors(old: pd.DataFrame, new: pd.DataFrame, street: str) -> None:
    """Say that each door stood there before, after as many metres, but those of whoever is flagged, who had all of theirs on the street."""
    kept = new[~new["anew"].to_numpy(bool)].reset_index(drop=True)
    both = kept.reset_index().merge(old, on=["end", "place", "street"], suffixes=("", "_was"))
    same = np.hypot(both["east"] - both["east_was"], both["north"] - both["north_was"]) < 1e-3
    same &= both["access_m"] >= both["access_m_was"] - 1e-6
    assert set(both["index"][same]) == set(kept.index), street
    points, others = (
        frame[(frame["end"] == "point").to_numpy()]
        for frame in (new[new["anew"].to_numpy(bool)], old[old["street"] != street])
    )
    assert not set(points["place"]) & set(others["place"]), street


def closed_one_by_one(district: xh.District, streets: list[str], profile: str, turns: int = 1) -> None:
    """
    Close streets, each by itself: nobody has a new door, and no walk is shorter, but of whoever lost the last door and is flagged.

    The first is exact for every speed and every wait, and for every kind: no walk is shorter where streets and doors are some of those before. The
    second is searched, with each street to the next of so many shares of the kinds.
    """
    old, before = doors_of(district, profile), walks(district, profile)
    was = district.network.edges.groupby("street")["length_m"].sum()
    for number, street in enumerate(streets):
        after = carried_out(district, [Edit("close_street", {"street": street})])
        no_new_doors(old, doors_of(after, profile), street)
        now = after.network.edges.groupby("street")["length_m"].sum()
        assert set(now.index) <= set(was.index) - {street}
        assert (now - was.reindex(now.index)).abs().max() < 1e-6
        never_longer(before, walks(after, profile, slice(number % turns, None, turns)), street)


@pytest.mark.slow
def test_every_street_of_the_toy_district_closed() -> None:
    assert set(toy().profiles.index) == set(WALKERS)
    closed_one_by_one(toy(), list(map(str, toy().rows["streets"].index)), "wheelchair")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_who_keeps_a_gate_has_no_door_anew(tmp_path: Path, seed: int) -> None:
    """Homes with gates on several streets, of which one is closed: they are left by the other gates, as before."""
    district = xh.District.load(districts.write(tmp_path, seed))
    doors = doors_of(district, "adult")
    homes = doors[(doors["end"] == "point").to_numpy()]
    several = homes.groupby("place")["street"].nunique()
    streets = homes["street"][homes["place"].isin(several.index[several > 1]).to_numpy()].drop_duplicates()
    assert len(streets) > 1
    for street in streets[streets.isin(district.rows["streets"].index)].iloc[:3]:
        after = carried_out(district, [Edit("close_street", {"street": str(street)})])
        no_new_doors(doors, doors_of(after, "adult"), str(street))


@pytest.mark.slow
@pytest.mark.matrix
def test_some_streets_of_the_bundled_district_closed() -> None:
    """One on which somebody's last door is, one without any, a lane."""
    district = xh.District.load()
    doors, lanes = doors_of(district, "adult"), district.rows["streets"]["home"].notna()
    last = doors[~doors.duplicated(["end", "place"], keep=False)]["street"].iloc[0]
    other = next(str(street) for street in lanes.index[~lanes] if street not in set(doors["street"]))
    closed_one_by_one(district, [str(last), other, str(lanes.index[lanes][0])], "adult")


@pytest.mark.matrix
@pytest.mark.parametrize("part", range(PARTS))
def test_every_street_of_the_bundled_district_closed(part: int) -> None:
    """Those on which somebody's door is come first: all of them are in the first three parts."""
    district = xh.District.load()
    doors = {street for walker in ("adult", "wheelchair") for street in doors_of(district, walker)["street"]}
    streets = sorted(map(str, district.rows["streets"].index), key=lambda street: street not in doors)
    size = -(-len(streets) // PARTS)
    closed_one_by_one(district, streets[part * size :][:size], WALKERS[part % len(WALKERS)], turns=5)


def added_one_by_one(district: xh.District, streets: list[str], profile: str) -> None:
    """Take streets out of the folder, each by itself, and let a plan add them: no walk is longer than without."""
    rows = district.rows["streets"]
    lines = rows.geometry.to_crs(4326)
    for street in streets:
        less = district.with_rows({**district.rows, "streets": rows.drop(index=street)})
        row = rows.loc[street]
        what = {"street": "again", "line": [list(spot) for spot in lines[street].coords], "steps": bool(row["steps"])}
        what |= {"wait_s": float(row["wait_s"])} if row["wait_s"] > 0 else {}
        never_longer(walks(carried_out(less, [Edit("add_street", what)]), profile), walks(less, profile), street)


def public(district: xh.District) -> list[str]:
    rows = district.rows["streets"]
    return [str(street) for street in rows.index[rows["home"].isna().to_numpy()]]


@pytest.mark.slow
def test_streets_of_the_toy_district_added() -> None:
    added_one_by_one(toy(), public(toy())[::4], "adult")


@pytest.mark.matrix
@pytest.mark.parametrize("walker", WALKERS)
def test_streets_of_the_bundled_district_added(walker: str) -> None:
    """Every eighth of them, dealt to the walkers."""
    district = xh.District.load()
    added_one_by_one(district, public(district)[::8][WALKERS.index(walker) :: len(WALKERS)], walker)


@pytest.mark.slow
def test_stairs_that_close_move_the_metres_of_everybody_and_the_minutes_of_nobody_who_took_none() -> None:
    """
    Stairs pass 10 m north of C's point, at (440, 160), and end at (500, 100); x = 400 is 40 m west of the point.

    By metres C is attached to the stairs: 10 + 50 + 60.8 to (500, 100), then 300 to the bridge at (300, 200). They close: C is attached anew, 40 m to
    x = 400 and 150 to the bridge, 230.8 m less, and flagged. A wheelchair's doors were on x = 400 before and after: no minute changes.
    """
    rows, district = toy().rows, toy()
    stairs = rows["streets"].iloc[:1].copy()
    stairs.index = pd.Index(["stairs"], name="street")
    spots = [(500420, 4320150), (500420, 4320160), (500490, 4320160), (500500, 4320100)]
    stairs["steps"], stairs["geometry"] = True, [LineString(spots)]
    district = district.with_rows({**rows, "streets": pd.concat([rows["streets"], stairs])})
    after = carried_out(district, [Edit("close_street", {"street": "stairs"})])
    old, new = walks(district, "wheelchair"), walks(after, "wheelchair")
    point = int(np.flatnonzero((home_points(district)["home"] == "C").to_numpy())[0])
    assert new.anew["metres"].points[point] and not new.anew["minutes"].points.any()
    less = {
        kind: old.costs[kind, "metres"][point] - new.costs[kind, "metres"][point]
        for kind, c in old.costs
        if c == "metres"
    }
    assert max(less.values()) == pytest.approx(10 + 50 + np.hypot(10, 60) + 300 - 190)
    for key, far in old.costs.items():
        if key[1] == "minutes":
            np.testing.assert_array_equal(new.costs[key], far)
    assert "C" in attached_anew(after)[0]
    never_longer(old, new, "stairs")


def test_who_takes_no_stairs_and_lost_the_last_street_is_named_too() -> None:
    """Stairs beside C's point: everybody stands on them. x = 400 closes: only who takes no stairs is attached anew, and C is named."""
    rows = toy().rows
    stairs = rows["streets"].iloc[:1].copy()
    stairs.index = pd.Index(["stairs"], name="street")
    stairs["steps"], stairs["geometry"] = (
        True,
        [LineString([(500420, 4320150), (500420, 4320160), (500490, 4320160), (500500, 4320100)])],
    )
    district = toy().with_rows({**rows, "streets": pd.concat([rows["streets"], stairs])})
    after = carried_out(district, [Edit("close_street", {"street": "v400s"})])
    assert not of_home(after, "C")["anew"].any()
    assert "C" in attached_anew(after)[0]


# --- by hand -----------------------------------------------------------------------------------------------------------


def streets(**lines: list[tuple[float, float]]) -> xh.WalkNetwork:
    shapes = gpd.GeoSeries({name: LineString(xy) for name, xy in lines.items()}, crs="EPSG:32650")
    return xh.WalkNetwork.from_streets(gpd.GeoDataFrame(geometry=shapes))


def at(**spots: tuple[float, float]) -> gpd.GeoSeries:
    return gpd.GeoSeries({name: Point(xy) for name, xy in spots.items()}, crs="EPSG:32650")


MAIN, ROUND = [(0, 0), (1000, 0)], [(0, 0), (0, 400), (500, 400), (500, 40)]


def test_a_cul_de_sac_beside_a_home_adds_a_door() -> None:
    """30 m to the main street and 300 m along it; the new end of a street 10 m away leads 350 + 500 + 400 + 800 m round."""
    before, after = streets(main=MAIN), streets(main=MAIN, new=ROUND)
    home, clinic = at(h=(500, 30)), at(c=(800, 0))
    assert before.metres(home, clinic)["metres"].tolist() == [330.0]
    assert after.after(before).metres(home, clinic)["metres"].tolist() == [330.0]
    assert after.metres(home, clinic)["metres"].tolist() == [10.0 + 360 + 500 + 400 + 800]
    doors = after.after(before).stand(home)
    assert doors[["access_m", "added", "anew", "first_m"]].to_numpy().tolist() == [
        [30.0, False, False, 30.0],
        [10.0, True, False, 30.0],
    ]
    assert after.after(before).alone.metres(home, clinic).equals(after.metres(home, clinic))


def test_a_street_that_is_gone_takes_its_door() -> None:
    """Who stood on it is attached anew, to what is left and was there; a newer street nearby is a further door."""
    before, left = streets(main=MAIN, old=ROUND), streets(main=MAIN)
    home = at(h=(500, 30))
    doors = left.after(before).stand(home)
    assert doors[["access_m", "added", "anew", "first_m"]].to_numpy().tolist() == [[30.0, False, True, 10.0]]
    other = streets(main=MAIN, new=ROUND).after(before).stand(home)
    assert other[["access_m", "added", "anew"]].to_numpy().tolist() == [[30.0, False, True], [10.0, True, False]]
    assert before.after(before).stand(home)[["access_m", "anew"]].to_numpy().tolist() == [[10.0, False]]


@pytest.mark.parametrize("side", ["street", "lane", "both"])
def test_what_meets_a_crossing_does_not_lengthen_its_wait(side: str) -> None:
    """100 m with a wait of 30 s: a side street or the mouth of a lane splits the edge, and the wait is waited once."""
    rows = {"a": [(0, 0), (100, 0)], "cross": [(100, 0), (160, 0), (200, 0)], "b": [(200, 0), (300, 0)]}
    rows |= {"side": [(160, 0), (160, 50)]} if side != "lane" else {}
    rows |= {"lane": [(160, 0), (160, -50)]} if side != "street" else {}
    shapes = gpd.GeoSeries({name: LineString(xy) for name, xy in rows.items()}, crs="EPSG:32650")
    wait = [30.0 if name == "cross" else 0.0 for name in rows]
    home = ["h" if name == "lane" else None for name in rows]
    net = xh.WalkNetwork.from_streets(
        gpd.GeoDataFrame({"wait_s": wait, "home": home}, index=shapes.index, geometry=shapes)
    )
    assert net.waits.sum() == pytest.approx(30)
    walker = xh.Profile("w", "w", 1.0)
    minutes = net.minutes(at(p=(0, 0)), at(q=(300, 0)), profile=walker)["minutes"].tolist()
    assert minutes == pytest.approx([(300 + 30) / 60])
    half = net.minutes(at(p=(0, 0)), at(q=(160, 0)), profile=walker)["minutes"].tolist()
    assert half == pytest.approx([(160 + 18) / 60])
    again = xh.WalkNetwork.from_graph(net.to_graph())
    assert again.minutes(at(p=(0, 0)), at(q=(300, 0)), profile=walker)["minutes"].tolist() == pytest.approx(minutes)


def of_home(district: xh.District, home: str) -> pd.DataFrame:
    doors = home_entrances(district)
    return doors[doors["home"] == home]


def test_the_first_known_gate_of_a_home_replaces_nothing() -> None:
    """C, 410..470 by 120..180, goes straight to x = 400; a gate on its east side, 30 m from x = 500, is a further way out."""
    spot = gpd.GeoSeries([Point(500470, 4320150)], crs=toy().crs).to_crs(4326).iloc[0]
    gate = Edit("open_gate", {"gate": "g", "home": "C", "at": [spot.x, spot.y]})
    own = of_home(carried_out(toy(), [gate]), "C")
    assert own["access_m"].round(3).tolist() == [40.0, 60.0]
    assert own["gate_known"].tolist() == [False, True] and not own["anew"].any()
    shut = of_home(carried_out(toy(), [gate, Edit("close_gate", {"gate": "g"})]), "C")
    assert shut["access_m"].tolist() == of_home(toy(), "C")["access_m"].tolist()


def test_a_home_that_a_plan_builds_with_gates_is_left_by_them() -> None:
    parcel = gpd.GeoDataFrame(
        {"name": ["p"]},
        geometry=[box(500110, 4320110, 500190, 4320190)],
        index=pd.Index(["P"], name="parcel"),
        crs=toy().crs,
    )
    district = toy().with_rows({**toy().rows, "parcels": parcel})
    spots = gpd.GeoSeries([Point(500150, 4320110), Point(500150, 4320190)], crs=toy().crs).to_crs(4326)
    gates = [[p.x, p.y] for p in spots]
    built = Edit("build_homes", {"parcel": "P", "home": "N", "people": 10, "gates": gates[:1]})
    assert of_home(carried_out(district, [built]), "N")["gate_known"].all()
    bare = Edit("build_homes", {"parcel": "P", "home": "N", "people": 10})
    opened = Edit("open_gate", {"gate": "x", "home": "N", "at": gates[1]})
    own = of_home(carried_out(district, [bare, opened]), "N")
    assert set(own["gate_known"]) == {True, False}


@pytest.mark.parametrize(
    "edits",
    [
        [Edit("close_gate", {"gate": "gB"}), Edit("open_gate", {"gate": "gB"})],
        [Edit("open_gate", {"gate": "gB2"}), Edit("close_gate", {"gate": "gB2"})],
        [
            Edit("set_wait", {"street": "bridge", "wait_s": 60.0}),
            Edit("set_wait", {"street": "bridge", "wait_s": 30.0}),
        ],
        [
            Edit("add_street", {"street": "n", "line": [[117.0, 39.0], [117.0005, 39.0005]]}),
            Edit("close_street", {"street": "n"}),
        ],
        [
            Edit("open_facility", {"facility": "n", "kind": "canteen", "xy": [500120.0, 4320120.0]}),
            Edit("close_facility", {"facility": "n"}),
        ],
    ],
    ids=lambda edits: edits[0].do,
)
def test_an_edit_undone_gives_the_same(edits: Edits) -> None:
    district = toy()
    if edits[0].do == "add_street":  # between two streets of the toy, past the point of C
        ends = gpd.GeoSeries([Point(500400, 4320140), Point(500500, 4320160)], crs=district.crs).to_crs(4326)
        line = [[p.x, p.y] for p in ends]
        edits = [Edit("add_street", {"street": "n", "line": line}), edits[1]]
        assert len(of_home(carried_out(district, edits[:1]), "C")) == 2
    done, undone = walks(district, "adult"), walks(carried_out(district, edits), "adult")
    for key, cost in done.costs.items():
        np.testing.assert_allclose(undone.costs[key], cost, rtol=0, atol=1e-6, err_msg=str(key))
    assert not any(one.points.any() or one.kinds for one in undone.anew.values())


def test_who_was_attached_anew_is_named() -> None:
    """The gate of A goes down 20 m to y = 0; closed, A is left by x = 0 beside it, flagged, and the comparison says so."""
    after = carried_out(toy(), [Edit("close_street", {"street": "h0"})])
    own = of_home(after, "A")
    assert own["anew"].all() and own["gate_known"].all()
    homes, places = attached_anew(after)
    assert "A" in homes and list(attached_anew(toy())[0]) == []
    said = people_line(toy(), after)
    assert f"{len(homes)} 个小区" in said and f"{len(places)} 处设施" in said
    assert "取消" not in people_line(toy(), toy())


def with_place(shape: shapely.Geometry) -> pd.DataFrame:
    frame = gpd.GeoDataFrame(
        {"kind": ["park"]}, geometry=[shape], index=pd.Index(["P"], name="facility"), crs=toy().crs
    )
    return facility_entrances(toy(), frame)


def test_an_area_inside_a_compound_is_entered_by_its_gates() -> None:
    """B's wall; its open gate (150, 320) is 20 m from y = 300. A court of 8 m by 8 m inside, in each direction nearer to a wall."""
    doors = with_place(box(500154, 4320332, 500162, 4320340))
    inside = np.hypot(4, 12)
    assert doors["inside"].tolist() == ["B"] * len(doors)
    assert doors["access_m"].min() == pytest.approx(20 + inside)
    wall = toy().homes.geometry["B"]
    assert with_place(wall.buffer(-0.3))["inside"].eq("B").all()  # as near as walls are drawn
    outside = with_place(box(500154, 4320332, 500162, 4320420))  # sticks out of it
    assert outside["inside"].isna().all()


def test_what_stands_on_a_street_is_entered_from_it_whether_gates_are_known_or_not() -> None:
    """B pushed over the street y = 300: a place 0.4 m off it is on the street, one 0.8 m off it is in the compound."""
    homes = toy().rows["homes"].copy()
    homes.loc["B", "geometry"] = box(500120, 4320290, 500190, 4320380)
    gates = toy().rows["gates"]
    for known in (gates, gates[gates["home"] != "B"]):
        district = toy().with_rows({**toy().rows, "homes": homes, "gates": known})
        frame = toy().facilities.iloc[:1].set_geometry([Point(500130, 4320300.4)])
        doors = facility_entrances(district, frame)
        assert doors["access_m"].tolist() == pytest.approx([0.4]) and doors["inside"].isna().all()
        off = facility_entrances(district, frame.set_geometry([Point(500130, 4320300.8)]))
        assert off["inside"].tolist() == ["B"]


def test_a_place_alone_behind_a_wall_whose_gates_are_shut_is_entered_from_nowhere() -> None:
    """B with both gates shut: what stands in the middle of it is there for who lives in B, and has no street."""
    shut = toy().with_rows({"gates": toy().rows["gates"].assign(state="closed")})
    doors = facility_entrances(shut, toy().facilities.iloc[:1].set_geometry([Point(500155, 4320335)]))
    assert doors["inside"].tolist() == ["B"] and doors["edge"].tolist() == [-1] and doors["gate"].isna().all()


@pytest.mark.slow
def test_a_layer_of_gates_without_features_is_no_gates_known(tmp_path: Path) -> None:
    folder = tmp_path / "toy"
    shutil.copytree(TOY, folder)
    (folder / "homes" / "gates.geojson").write_text('{"type": "FeatureCollection", "features": []}', encoding="utf-8")
    district = xh.District.load(folder)
    assert not home_entrances(district)["gate_known"].any() and not district.walled_homes
    none = toy().with_rows({"gates": None})
    pd.testing.assert_frame_equal(home_entrances(district), home_entrances(none))
    assert len(xh.coverage(district))
