"""What a plan, or another year, left alone is taken from the districts before; it is as if it were found from nothing."""

from __future__ import annotations

import pickle
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely
from clock import seeds
from oracle import districts
from plans import as_if_anew, carried_out, random_plan, told_of

import xinhe_geo as xh
from xinhe_geo.access import entrances_of_open, home_entrances
from xinhe_geo.access.entrances import walks_inside
from xinhe_geo.core import Edit
from xinhe_geo.district import scenarios
from xinhe_geo.district.district import _equal

TOY = Path(__file__).parents[1] / "toy"


@cache
def toy() -> xh.District:
    return xh.District.load(TOY)


def hold(district: xh.District, seed: int, *, judged: bool) -> None:
    """Carry out random plans in some year, one on another; look at them in that year and in another one."""
    rng = np.random.default_rng(seed)
    if seed % 2:
        told_of(district, judged=judged)  # else it is first asked for after the plan
    year, planned = district.year + int(rng.integers(-3, 14)), bool(rng.random() < 0.5)
    state = district.at(year, planned=planned) if rng.random() < 0.5 else district
    first = random_plan(state, seed, 1 + int(rng.integers(2)))
    second = random_plan(first, seed + 1000, 1)
    for state in (first, second, first.at(year), second.at(year, planned=planned), first.counting_unchecked()):
        as_if_anew(state, judged=judged)


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize("seed", range(3))
def test_random_plans_on_the_toy_district(seed: int) -> None:
    hold(toy(), seed, judged=False)


@pytest.mark.parametrize("seed", seeds(0, 0, 16))
def test_random_plans_on_random_districts(tmp_path: Path, seed: int) -> None:
    hold(xh.District.load(districts.write(tmp_path, seed % 7)), seed, judged=seed % 4 == 0)


@pytest.mark.slow
@pytest.mark.matrix
def test_the_plans_of_the_bundled_folder() -> None:
    """The ledger of its own plan, with rows that compare years and plans, to the bit."""
    district = xh.District.load()
    xh.ledger(district)
    for name in scenarios(district).index[::3]:
        as_if_anew(district.scenario(str(name)).on(district))


def test_a_layer_that_a_plan_leaves_alone_is_the_same_one() -> None:
    """Nothing is read off, compared or indexed again; what a plan touches, and another year, have layers of their own."""
    toy().layers  # noqa: B018
    after = carried_out(toy(), [Edit("close_gate", {"gate": "gA"})])
    other = {name for name, frame in after.layers.items() if frame is not toy().layers[name]}
    assert other == {"gates"}
    anew = xh.District.load(TOY).at(toy().year - 1, planned=True).layers
    then = toy().at(toy().year - 1, planned=True).layers
    assert all(then[name].equals(frame) for name, frame in anew.items())


def test_layers_are_compared_in_every_row_column_and_shape() -> None:
    """As pandas compares them, which takes shapes one by one: whatever one cell, vertex or row is another is found."""
    frame = toy().layers["homes"]
    names, shapes, people = frame["name"].copy(), frame.geometry.to_numpy().copy(), frame["people"].copy()
    names.iloc[-1], people.iloc[0] = "另一处", np.nan
    shapes[0] = shapely.transform(shapes[0], lambda xy: xy + 1e-9)
    blank = frame.geometry.to_numpy().copy()
    blank[0] = None
    others = [
        frame.assign(name=names),
        frame.assign(people=people),
        frame.assign(people=frame["people"].astype("object")),
        frame.set_geometry(shapes, crs=frame.crs),
        frame.set_geometry(blank, crs=frame.crs),
        frame.iloc[:-1],
        frame.iloc[::-1],
        frame.drop(columns="name"),
        frame.drop(columns="geometry"),
    ]
    alike = [frame.copy(), frame.set_geometry(frame.geometry.to_numpy().copy(), crs=frame.crs), others[1].copy()]
    for other in [*others, *alike]:
        for one in (frame, others[1], others[4]):
            assert _equal(one, other) == one.equals(other)
    assert [_equal(frame, other) for other in others] == [False] * len(others)
    assert _equal(frame, alike[0]) and _equal(others[4], others[4].copy())


#: What could be overlooked, and a plan that shows it.
OVERLOOKED = {
    "_changed_kinds": (frozenset[str], Edit("close_facility", {"facility": "F1"})),
    "_unlike": (frozenset[str], Edit("close_gate", {"gate": "gA"})),
}


@pytest.mark.parametrize("overlooked", OVERLOOKED)
def test_a_change_that_is_overlooked_is_noticed(overlooked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison is able to fail: with a defect planted in what says that something is the same, it does."""
    nothing, edit = OVERLOOKED[overlooked]
    monkeypatch.setattr(xh.District, overlooked, lambda *_: nothing())
    with pytest.raises(AssertionError):
        as_if_anew(carried_out(toy(), [edit]), judged=False)


@pytest.mark.slow
def test_each_kind_is_taken_from_where_it_is_the_same() -> None:
    """Of two districts before, one may have the streets and another the facilities: a walk is taken from one that has both."""
    streets = carried_out(toy(), [Edit("close_street", {"street": str(toy().rows["streets"].index[0])})])
    told_of(streets.at(toy().year - 1), judged=False)
    told_of(toy().at(toy().year - 1), judged=False)
    as_if_anew(streets.at(toy().year - 1), judged=False)


def by_another_wall(what: str, home: str) -> xh.District:
    """Return the toy district by a plan after which a home is gone, larger, elsewhere, or has no gates."""
    homes, gates = toy().rows["homes"].copy(), toy().rows["gates"]
    shape = homes.geometry[home]
    if what == "no gates":
        return toy().with_rows({"gates": gates[(gates["home"] != home).to_numpy()]}, scenario="p")
    if what == "gone":
        return toy().with_rows({"homes": homes.drop(home)}, scenario="p")
    another = shape.buffer(30) if what == "larger" else shapely.transform(shape, lambda xy: xy + np.array([25, 10]))
    homes.loc[[home], "geometry"] = [another]
    return toy().with_rows({"homes": homes}, scenario="p")


@pytest.mark.slow
@pytest.mark.parametrize("what", ["gone", "larger", "elsewhere", "no gates"])
def test_what_stands_in_a_home_by_another_wall_is_entered_anew(what: str) -> None:
    told_of(toy(), judged=False)
    for home in toy().rows["homes"].index:
        as_if_anew(by_another_wall(what, str(home)), judged=False)


def test_a_wall_that_is_overlooked_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xinhe_geo.access.entrances.changed_walls", lambda *_: set())
    entrances_of_open(toy())
    with pytest.raises(AssertionError):
        as_if_anew(by_another_wall("no gates", "B"), judged=False)


def entered(district: xh.District, walkers: list[str]) -> dict[str, pd.DataFrame]:
    """Return by which doors homes and facilities are entered, and who need not leave home, by walker ("": whoever)."""
    found = {}
    for name in walkers:
        who = district.profile(name) if name else None
        for ask in (entrances_of_open, home_entrances, walks_inside):
            found[f"{ask.__name__} {name}"] = ask(district, who)
    return found


def redrawn(rng: np.random.Generator, district: xh.District) -> xh.District:
    """Return a district of which one thing beside doors is another: a wall, whose it is, what is drawn as a door, where a place stands."""
    homes, gates, places = (district.rows[name].copy() for name in ("homes", "gates", "facilities"))
    inside = entrances_of_open(district)["inside"].dropna()
    home = str(rng.choice(inside if len(inside) and rng.random() < 0.7 else homes.index))
    shape, place, own = homes.geometry[home], str(rng.choice(places.index)), (gates["home"] == home).to_numpy()
    drawn = [name for name in ("entrances", "barriers") if name in district.rows]
    what = str(rng.choice(["gone", "larger", "moved", "twice", "gates", "gates moved", "place", "order", *drawn]))
    if what == "gone":
        homes, places = (homes.drop(home), places) if rng.random() < 0.5 else (homes, places.drop(place))
    elif what in ("larger", "moved"):
        moved = (
            shape.buffer(30) if what == "larger" else shapely.transform(shape, lambda xy: xy + rng.uniform(-40, 40, 2))
        )
        homes.loc[[home], "geometry"] = [moved]
    elif what == "twice":  # another home over it, before or after it by id, with its gates or without any
        homes = pd.concat([homes, homes.loc[[home]].set_axis(pd.Index([rng.choice(["A0", "Z9"])], name="home"))])
        gates["home"] = gates["home"].mask(own & (rng.random() < 0.5), homes.index[-1])
    elif what == "gates":  # walled without a way out, or not walled
        gates["state"] = gates["state"].mask(own, "closed")
        gates = gates if rng.random() < 0.5 else gates[~own]
    elif what == "gates moved":
        gates["geometry"] = gates.geometry.translate(*rng.uniform(-15, 15, 2))
    elif what == "place":
        places.loc[[place], "geometry"] = [shapely.point_on_surface(shape)]
    elif what == "order":
        places = places.sample(frac=1.0, random_state=int(rng.integers(99)))
    rows = {"homes": homes, "gates": gates, "facilities": places}
    rows |= {name: district.rows[name].iloc[::2] for name in drawn if name == what}
    return district.with_rows(rows, scenario=str(rng.choice(["", "p"])))


@pytest.fixture(scope="module")
def crooked(tmp_path_factory: pytest.TempPathFactory) -> list[xh.District]:
    return [xh.District.load(districts.write(tmp_path_factory.mktemp("crooked"), seed)) for seed in range(3)]


@pytest.mark.parametrize("seed", seeds(2, 24, 120))
def test_doors_that_are_taken_over_are_found_anew(crooked: list[xh.District], seed: int) -> None:
    """Whatever was asked before, of whom: after walls, doors and places are others the same doors are found as from nothing."""
    rng = np.random.default_rng(seed)
    walkers = ["", "wheelchair"]
    state = pickle.loads(pickle.dumps(crooked[seed % 3]))
    for step in range(2):
        entered(state, walkers[: int(rng.integers(3))])
        state = redrawn(rng, state) if rng.random() < 0.75 else random_plan(state, 100 * seed + step, 1)
    anew, order = pickle.loads(pickle.dumps(state)), list(rng.permutation(walkers))
    taken, found = entered(state, order), entered(anew, order[::-1])
    for name, frame in found.items():
        pd.testing.assert_frame_equal(taken[name], frame, check_exact=True, obj=f"{seed} {name}")


def test_a_home_whose_gates_are_shut_is_not_one_of_which_no_gates_are_known() -> None:
    """Neither has a gate to leave by, but only the first has a wall: what stands in it is entered by another way."""
    gates = toy().rows["gates"]
    of = (gates["home"] == "B").to_numpy()
    shut = toy().with_rows({"gates": gates.assign(state=gates["state"].mask(of, "closed"))})
    assert "B" in set(entrances_of_open(shut)["inside"])
    for state in (shut.with_rows({"gates": gates[~of]}), shut.with_rows({"gates": gates[~of]}, scenario="p")):
        pd.testing.assert_frame_equal(entrances_of_open(state), entrances_of_open(pickle.loads(pickle.dumps(state))))
        assert not entrances_of_open(state).equals(entrances_of_open(shut)) or state.ground is not None


def test_rules_are_read_again_where_their_tables_are_others() -> None:
    """Districts that say the same of them share what was read; a plan or a year that says another number does not."""
    names = list(map(str, toy().rules.index))
    known = [toy().rule(name) for name in names]
    rules = toy().rows["rules"]
    year = toy().at(toy().year + 1)
    assert all(year.rule(name) is rule for name, rule in zip(names, known, strict=True))
    for rows in ({"rules": rules.assign(minutes=rules["minutes"] + 1)}, {"commitments": None}):
        state = toy().with_rows(rows, scenario="p")
        anew = pickle.loads(pickle.dumps(state))
        assert [state.rule(name) for name in names] == [anew.rule(name) for name in names]
    assert [toy().rule(name) for name in names] == known
