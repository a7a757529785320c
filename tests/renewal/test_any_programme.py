"""Random programmes on the toy district against all that there are, each year's district made by hand from the edits that are done."""

from __future__ import annotations

import itertools
import shutil
from functools import cache
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import tomli_w

import xinhe_geo as xh
from xinhe_geo.core import LAYERS, Edit
from xinhe_geo.district import project_edits
from xinhe_geo.renewal import Programming, programmed
from xinhe_geo.renewal.programme import _prepared
from xinhe_geo.report import programme_notes

TOY = Path(__file__).parents[1] / "toy"
RULES = ("plan_elderly_canteen_15", "plan_clinic_15", "plan_elderly_daycare_15", "plan_fitness_community")
YEARS = (2023, 2024, 2025)
FUNDS = ("财政", "专项债", "自筹")


def xy(east: float, north: float) -> list[float]:
    return [500_000.0 + east, 4_320_000.0 + north]


def line(*spots: tuple[float, float]) -> list[list[float]]:
    """Places of the toy, as plans write lines: in degrees."""
    points = gpd.GeoSeries(gpd.points_from_xy(*np.array([xy(*spot) for spot in spots]).T), crs=4548).to_crs(4326)
    return [[float(p.x), float(p.y)] for p in points]


#: What a project may do: places, ways, gates and homes, opened, shut, moved, built and left.
POOL: dict[str, list[dict[str, object]]] = {
    "canteen": [{"do": "open_facility", "facility": "n1", "kind": "canteen", "xy": xy(50, 0)}],
    "daycare": [{"do": "open_facility", "facility": "n2", "kind": "elderly_daycare", "xy": xy(150, 300)}],
    "clinic": [{"do": "open_facility", "facility": "n3", "kind": "clinic_station", "xy": xy(800, 40)}],
    "fitness": [{"do": "open_facility", "facility": "n4", "kind": "fitness", "xy": xy(450, 20)}],
    "rooms": [{"do": "use_rooms", "facility": "n5", "kind": "elderly_daycare", "home": "C"}],
    "west": [{"do": "add_street", "street": "n6", "line": line((500, 0), (650, 0))}],
    "east": [{"do": "add_street", "street": "n7", "line": line((650, 0), (800, 0))}],
    "shut": [{"do": "close_facility", "facility": "F1"}],
    "move": [{"do": "move_facility", "facility": "F2", "xy": xy(450, 0)}],
    "wall": [{"do": "close_gate", "gate": "gB"}],
    "gate": [{"do": "open_gate", "gate": "gB2"}],
    "street": [{"do": "close_street", "street": "bridge"}],
    "leave": [{"do": "move_households", "homes": ["A"], "people": 60, "people_60plus": 10}],
    "few": [{"do": "move_households", "homes": ["A"], "people": 30, "people_60plus": 25}],
    "empty": [{"do": "move_households", "homes": ["A"]}],
    "gone": [{"do": "demolish_homes", "homes": ["D"]}],
    "swap": [
        {"do": "close_facility", "facility": "F3"},
        {"do": "open_facility", "facility": "n8", "kind": "canteen", "xy": xy(400, 0)},
    ],
}
MOVES = {"leave", "few", "empty"}
TAKES = ("shut", "wall", "street", "leave", "few", "empty", "gone", "swap", "move")
HEAD = (
    "project",
    "name",
    "kind",
    "reason",
    "edits",
    "cost_low",
    "cost_high",
    "duration",
    "earliest",
    "status",
    "start",
)
HEAD += ("after", "excludes", "funds", "people", "urgency", "problem")


def folder_of(to: Path, rng: np.random.Generator, names: list[str]) -> Path:
    """The toy with projects of these names at random costs and money; what takes something away is often urgent, or nobody would do it."""
    folder = Path(shutil.copytree(TOY, to))
    (folder / "renewal").mkdir()
    (folder / "scenarios").mkdir()
    for name in filter(None, names):
        (folder / "scenarios" / f"{name}.toml").write_text(tomli_w.dumps({"name": name, "edit": POOL[name]}), "utf-8")
    rows = []
    for i, name in enumerate(names):
        low = int(rng.integers(5, 60))
        high = low + int(rng.integers(0, 20))
        others = [f"p{k}" for k in range(i) if not MOVES.issuperset({name, names[k]})]  # who has left leaves no more
        row = {
            "project": f"p{i}", "name": name or "加梯", "kind": str(rng.choice(["新建补短板", "微改造"])), "reason": "r", "edits": name,
            "cost_low": low, "cost_high": high, "duration": int(rng.integers(1, 3)),
            "earliest": int(rng.integers(2022, 2025)), "funds": ";".join(f for f in FUNDS if rng.random() < 0.4),
            "after": str(rng.choice(others)) if others and rng.random() < 0.2 else "",
            "people": "" if name else 30, "urgency": "限时解决" if rng.random() < (0.7 if name in TAKES else 0.2) else "",
            "problem": f"q{int(rng.integers(0, 3))}",
        }  # fmt: skip
        if others and not row["after"] and rng.random() < 0.2:
            row["excludes"] = str(rng.choice(others))
        rows.append(row)
    pd.DataFrame(rows, columns=list(HEAD)).to_csv(folder / "renewal" / "projects.csv", index=False)
    budgets = [
        {"row": f"{fund}{year}", "fund": fund, "year": year, "amount": int(rng.integers(20, 90)), "carry": "是" if rng.random() < 0.3 else "",
         "types": "微改造" if rng.random() < 0.2 else "", "state": "拟申请" if rng.random() < 0.15 else "已落实"}
        for fund in FUNDS for year in YEARS if rng.random() < 0.6 or (fund, year) in ((FUNDS[0], 2023), (FUNDS[1], 2025), (FUNDS[2], 2024))
    ]  # fmt: skip
    pd.DataFrame(budgets).to_csv(folder / "renewal" / "budgets.csv", index=False)
    entries = "".join(f'\n[layers.{n}]\nfile = "renewal/{n}.csv"\nsecrecy = "内部"\n' for n in ("projects", "budgets"))
    manifest = folder / "district.toml"
    manifest.write_text(manifest.read_text("utf-8") + entries, "utf-8")
    return folder


class ByHand:
    """All programmes of a folder, counted by `coverage` in districts made of edits, paid as Hall's condition says."""

    def __init__(self, district: xh.District) -> None:
        self.d, self.rows = district, district.rows["projects"]
        money = district.rows["budgets"]
        self.money = [
            (
                r["fund"],
                int(r["year"]),
                float(r["amount"]) * (r["state"] != "applied"),
                pd.notna(r["carry"]) and bool(r["carry"]),
                str(r["types"] if pd.notna(r["types"]) else ""),
            )
            for _, r in money.iterrows()
        ]
        self.count = cache(self._count)

    def _count(self, done: frozenset[str]) -> tuple[float, float, float, dict[str, float]]:
        """Promises x people, those of 60 or more, the least served community, and who is served by rule, newcomers among them."""
        edits = tuple(
            Edit(e.do, dict(e.what))
            for k in self.rows.index
            if k in done
            for e in project_edits(self.d.folder, self.rows.loc[k, "edits"])
        )
        after = xh.Scenario("s", edits=edits, year=2023).on(self.d, with_conflicts=True) if edits else self.d
        cover = xh.coverage(after, rules=RULES)
        served = cover["served"].fillna(0.0)
        by_rule = (served * cover["people"]).groupby(level="rule").sum()
        elderly = [r for r in RULES if "elderly" in r]
        aged = (served * cover["people_60plus"]).groupby(level="rule").sum()[elderly].sum()
        own = self.d.groups["community"]
        lived = self.d.homes["people"].groupby(own).sum() * len(RULES)
        home = cover.index.get_level_values("home")
        there = (served * cover["people"]).groupby(own.reindex(home).to_numpy()).sum()
        floor = float((there.reindex(lived.index).fillna(0.0) / lived)[lived > 0].min())
        return float(aged), float(by_rule.sum()), floor, by_rule.to_dict()

    def payable(self, begin: dict[str, int], costs: str) -> bool:
        """Whether no set of pots is asked for more than it holds."""
        owed = []
        for key, year in begin.items():
            row = self.rows.loc[key]
            named = [f for f in str(row["funds"] if pd.notna(row["funds"]) else "").split(";") if f]
            for k in range(int(row["duration"])):
                pots = frozenset(
                    i for i, (fund, when, _, carry, types) in enumerate(self.money)
                    if (not named or fund in named) and (not types or row["kind"] in types.split(";"))
                    and (when == year + k or (carry and when < year + k))
                )  # fmt: skip
                owed.append((pots, float(row[f"cost_{costs}"]) / int(row["duration"])))
        for some in {
            frozenset().union(*c)
            for n in range(1, len(owed) + 1)
            for c in itertools.combinations({p for p, _ in owed}, n)
        }:
            if sum(a for p, a in owed if p <= some) > sum(self.money[i][2] for i in some) + 1e-6:
                return False
        return True

    def best(self, costs: str, *, equity: bool) -> tuple[float, ...]:
        """Return what the best of all programmes reaches: floor (with equity), urgent, elderly, people."""
        keys = list(self.rows.index)
        found: set[tuple[float, ...]] = set()
        listed = {
            k: {
                c: [x for x in str(self.rows.loc[k, c] if pd.notna(self.rows.loc[k, c]) else "").split(";") if x]
                for c in ("after", "excludes", "problem")
            }
            for k in keys
        }
        urgent = {n for k in keys if self.rows.loc[k, "urgency"] == "urgent" for n in listed[k]["problem"]}
        choices = []
        for k in keys:
            span, first = int(self.rows.loc[k, "duration"]), int(self.rows.loc[k, "earliest"])
            choices.append([None, *(y for y in YEARS if y >= first and y + span - 1 <= YEARS[-1])])
        base = self.count(frozenset())
        for plan in itertools.product(*choices):
            begin = {k: y for k, y in zip(keys, plan, strict=True) if y is not None}
            over = {k: y + int(self.rows.loc[k, "duration"]) - 1 for k, y in begin.items()}
            if any(a not in over or over[a] >= begin[k] for k in begin for a in listed[k]["after"]):
                continue
            if any(x in begin for k in begin for x in listed[k]["excludes"]):
                continue
            if not self.payable(begin, costs):
                continue
            sums = np.zeros(3)
            for year in YEARS:
                done = frozenset(k for k, y in over.items() if y <= year)
                aged, people, floor, _ = self.count(done)
                sums += [
                    sum(bool({k for k in done if n in listed[k]["problem"]}) for n in urgent),
                    aged - base[0],
                    people - base[1],
                ]
                sums[2] += sum(30.0 for k in done if pd.isna(self.rows.loc[k, "edits"]))
            found.add((*((round(floor, 6),) if equity else ()), *(round(float(v), 5) for v in sums)))
        return max(found)


@pytest.mark.matrix
@pytest.mark.parametrize("seed", range(len(POOL)))
def test_no_programme_is_better_whatever_projects_do(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng([33, seed])
    one = list(POOL)[seed]
    others = [str(name) for name in rng.permutation([name for name in POOL if name != one])]
    folder = folder_of(tmp_path / "toy", rng, [one, *others[: 2 + seed % 3], ""])
    toy = xh.District.load(folder)
    hand, equity, costs = ByHand(toy), bool(seed % 2), ("high", "low")[seed // 2 % 2]
    best = hand.best(costs, equity=equity)
    found = programmed(toy, programming=Programming(rules=RULES, equity=equity, costs=costs))
    levels = dict(zip(("floor", "urgent", "elderly", "people")[not equity :], best, strict=True))
    told = found.levels["value"].to_dict()
    assert told == pytest.approx({k: v for k, v in levels.items() if k in told}, abs=1e-4), found.plan
    assert all(levels[k] == 0 for k in levels if k not in told)
    assert found.plan["proven"].all() and found.levels["bound"].to_dict() == pytest.approx(told, abs=1e-4)
    chosen = found.plan[found.plan["reason"] == ""]
    for year in YEARS:
        done = frozenset(chosen.index[(chosen["finished"] <= year).to_numpy()])
        assert found.years.loc[year].loc[list(RULES), "people"].to_dict() == pytest.approx(hand.count(done)[3]), year


@pytest.mark.slow
def test_of_those_who_move_the_elderly_are_counted_as_they_are(tmp_path: Path) -> None:
    """60 people and 10 of the 40 who are 60 or more leave A: of these 30 stay, not 40 % of them."""
    folder = folder_of(tmp_path / "toy", np.random.default_rng(0), ["leave", "canteen"])
    toy = xh.District.load(folder)
    free = {
        "urgency": "urgent",
        "problem": ["q1", "q2"],
        "cost_low": 0.0,
        "cost_high": 0.0,
        "earliest": 2025,
        "duration": 1,
    }
    rows = toy.rows["projects"].assign(**free, after=None, excludes=None)
    found = programmed(toy, rows, programming=Programming(rules=RULES, equity=False))
    hand = ByHand(toy)
    here, there, all_stay = (hand.count(frozenset(done))[0] for done in ((), ("p0", "p1"), ("p1",)))
    assert here < there < all_stay
    assert found.levels.loc["elderly", "value"] == pytest.approx(there - here)


def on_a_parcel(to: Path) -> Path:
    """The toy with a parcel where home D stands, and a plan that clears it, builds on it, and stands everything on what it built."""
    folder = folder_of(to, np.random.default_rng(0), [""])
    toy = xh.District.load(folder)
    site = gpd.GeoDataFrame(
        {"parcel": ["d"], "name": ["丁"]}, geometry=toy.homes.geometry[["D"]].buffer(20).array, crs=toy.crs
    )
    site.to_file(folder / "boundaries" / "parcels.geojson", driver="GeoJSON")
    people = float(toy.homes.loc["D", "people"])
    plan = [
        {"do": "move_households", "homes": ["D"], "people": people, "fate": "waiting"},
        {"do": "demolish_homes", "homes": ["D"]},
        {"do": "build_homes", "parcel": "d", "home": "new", "people": 30.0},
        {"do": "return_households", "parcel": "d", "home": "new", "people": people / 2},
        {"do": "use_rooms", "facility": "n1", "kind": "canteen", "home": "new"},
        {"do": "retrofit", "home": "new", "elevators": 1},
        {"do": "move_households", "homes": ["A"], "people": 20.0, "to": "new"},
    ]
    (folder / "scenarios" / "all.toml").write_text(tomli_w.dumps({"name": "all", "edit": plan}), "utf-8")
    entry = (
        '\n[layers.parcels]\nfile = "boundaries/parcels.geojson"\ncrs = "EPSG:4548"\nbasis = "surveyed"\nsource = "x"\n'
    )
    with (folder / "district.toml").open("a", encoding="utf-8") as manifest:
        manifest.write(entry)
    return folder


def projects_of(**columns: list[object]) -> pd.DataFrame:
    count = len(columns["edits"])
    keys = [f"p{i}" for i in range(count)]
    free = {"kind": "微改造", "reason": "r", "cost_low": 0.0, "duration": 1, "urgency": "urgent"}
    return pd.DataFrame({"project": keys, "name": keys, **{k: [v] * count for k, v in free.items()}, **columns})


@pytest.mark.slow
@pytest.mark.parametrize("parted", [False, True])
def test_whatever_stands_on_what_a_plan_builds_can_be_scheduled(tmp_path: Path, parted: bool) -> None:
    """Any beginning of a plan, as one project or each step as its own after the one before: all begun, each year's counts by hand."""
    toy = xh.District.load(on_a_parcel(tmp_path / "toy"))
    money = pd.DataFrame({"fund": "财政", "year": [2022, 2031], "amount": 1.0})
    for count in (7,) if parted else (4, 7):
        rows = projects_of(
            edits=[f"all#{i + 1}" for i in range(count)]
            if parted
            else ["all#" + ",".join(map(str, range(1, count + 1)))],
            after=[f"p{i - 1}" if i else None for i in range(count if parted else 1)],
        )
        if parted:
            rows = rows.iloc[::-1]  # what comes first may be written last
        asked = Programming(rules=RULES, equity=False)
        found = programmed(toy, rows, money, programming=asked)
        assert (found.plan["reason"] == "").all(), found.plan
        steps = project_edits(toy.folder, "all")
        for year in found.years.index.unique("year"):
            ends = found.plan["finished"].sort_index()
            done = tuple(e for i, e in enumerate(steps[:count]) if ends.iloc[i if parted else 0] <= year)
            after = xh.Scenario("s", edits=done, year=2022).on(toy, with_conflicts=True) if done else toy
            cover = xh.coverage(after, rules=RULES)
            hand = (cover["served"] * cover["people"]).groupby(level="rule").sum()
            assert found.years.loc[year, "people"].to_dict() == pytest.approx(hand.to_dict()), (count, year)


@pytest.mark.slow
@pytest.mark.parametrize("relation", ["", "after", "excludes"])
@pytest.mark.parametrize("numbers", [(60.0, 30.0), (30.0, 60.0), (None, 30.0), (30.0, None), (None, None)])
def test_who_moves_with_several_projects_is_one_person(
    tmp_path: Path, relation: str, numbers: tuple[float | None, ...]
) -> None:
    """Of one home two projects move some or all: whatever is done together, who is served is who is left."""
    if relation == "after" and numbers == (None, 30.0):
        return  # nobody is left to move
    folder = folder_of(tmp_path / "toy", np.random.default_rng(0), [""])
    for i, number in enumerate(numbers):
        edit = {"do": "move_households", "homes": ["A"], **({} if number is None else {"people": number})}
        (folder / "scenarios" / f"m{i}.toml").write_text(tomli_w.dumps({"name": f"m{i}", "edit": [edit]}), "utf-8")
    toy = xh.District.load(folder)
    rows = projects_of(edits=["m0", "m1"], **({relation: [None, "p0"]} if relation else {}))
    walks = _prepared(toy, rows, None, None, Programming(rules=RULES, equity=False), None).walks
    for done in ((), (0,), (1,), (0, 1)):
        if (relation == "after" and done == (1,)) or (relation == "excludes" and len(done) == 2):
            continue
        edits = tuple(e for i in done for e in project_edits(folder, f"m{i}"))
        after = xh.Scenario("s", edits=edits, year=2023).on(toy, with_conflicts=True) if edits else toy
        cover = xh.coverage(after, rules=RULES)
        hand = (cover["served"] * cover["people"]).groupby(level="rule").sum().reindex([r.name for r in walks.rules])
        assert walks.by_rule(walks.served(0, frozenset(), frozenset(done))) == pytest.approx(hand.to_numpy()), done


@pytest.mark.slow
def test_which_project_contradicts_is_named(tmp_path: Path) -> None:
    """One tears down what another opens rooms in, a third has nothing to do with it: told is which step of which plan is in vain."""
    folder = folder_of(tmp_path / "toy", np.random.default_rng(0), [""])
    other = [POOL["gone"][0], {**POOL["rooms"][0], "home": "D"}]
    for name, edits in (("b", other), ("c", POOL["fitness"])):
        (folder / "scenarios" / f"{name}.toml").write_text(tomli_w.dumps({"name": name, "edit": edits}), "utf-8")
    toy = xh.District.load(folder)
    money = pd.DataFrame({"fund": ["财政"], "year": [2023], "amount": [1.0]})
    rows = projects_of(edits=["c", "b#1", "b#2"])
    found = programmed(toy, rows, money, programming=Programming(rules=RULES, equity=False))
    assert len(found.clashes) == 1 and found.clashes[0].startswith("项目 p2（b#2）：") and "D" in found.clashes[0]
    assert any(found.clashes[0] in line for line in programme_notes(found))
    apart = programmed(toy, rows.iloc[:2], money, programming=Programming(rules=RULES, equity=False))
    assert apart.clashes == () and not any("矛盾" in line for line in programme_notes(apart))
    # what cannot be carried out at all says so, too
    rows = projects_of(edits=["c", "b#1"])
    walks = _prepared(toy, rows, money, None, Programming(rules=RULES), None).walks
    bad = walks.projects[1]._replace(edits=(Edit("demolish_homes", {"homes": ["nobody"]}),))
    walks.projects = [walks.projects[0], bad]
    with pytest.raises(xh.ScenarioError, match=r"项目 p1（b#1）：.*nobody"):
        walks.served(0, frozenset(), frozenset({1}))


@pytest.mark.slow
@pytest.mark.parametrize("out", [None, 0, 1])
@pytest.mark.parametrize("names", list(itertools.permutations(("leave", "few", "empty"), 2)))
def test_nobody_is_moved_twice(tmp_path: Path, names: tuple[str, ...], out: int | None) -> None:
    """Where several projects, done or left out, move people of one home, no year counts more of it than live there."""
    folder = folder_of(tmp_path / "toy", np.random.default_rng(0), [*names, "canteen"])
    toy = xh.District.load(folder)
    free = {"urgency": "urgent", "problem": ["q1", "q2", "q3"], "cost_low": 0.0, "cost_high": 0.0, "earliest": 2024}
    rows = toy.rows["projects"].assign(**free, duration=1, after=None, excludes=None)
    rows.loc[[f"p{k}" for k in range(2) if k == out], ["cost_low", "cost_high"]] = np.nan
    found, hand = programmed(toy, rows, programming=Programming(rules=RULES, equity=False)), ByHand(toy)
    done = frozenset(found.plan.index[found.plan["reason"] == ""])
    assert done == {k for k in rows.index if k != f"p{out}"}
    last, nothing = found.years.xs(YEARS[-1], level="year"), hand.count(frozenset())
    assert last["people"].to_dict() == pytest.approx(hand.count(done)[3]) and not last["newcomers"].any()
    assert last["without"].to_dict() == pytest.approx(nothing[3])
    np.testing.assert_allclose(last["people"] - last["without"], last["gained"])
    assert found.levels.loc["elderly", "value"] == pytest.approx(
        sum(hand.count(done if year >= 2024 else frozenset())[0] - nothing[0] for year in YEARS)
    )


@pytest.mark.slow
@pytest.mark.parametrize("rooms", [False, True])
def test_who_comes_to_new_homes_stands_beside_who_lives_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rooms: bool
) -> None:
    """Homes are built, people return to them and a canteen opens in them, in one project: who came, or returned, is no gain, and all adds up."""
    new = {"parcel": "jia", "home": "new"}
    anew: list[dict[str, object]] = [
        {"do": "build_homes", **new, "people": 150, "gates": [line((50, 0))[0]]},
        {"do": "return_households", **new, "people": 50},
    ]
    rooms_too = [{"do": "use_rooms", "facility": "n9", "kind": "canteen", "home": "new"}] * rooms
    monkeypatch.setitem(POOL, "anew", [*anew, *rooms_too])
    monkeypatch.setitem(POOL, "clear", [{"do": "demolish_homes", "homes": ["A"]}])
    folder = folder_of(tmp_path / "toy", np.random.default_rng(0), ["clear", "anew"])
    toy = xh.District.load(folder)
    parcels = gpd.GeoDataFrame(
        {key: [None] for key in LAYERS["parcels"].names}, geometry=[toy.homes.geometry["A"].buffer(5)], crs=toy.crs
    )
    toy = toy.with_rows({**toy.rows, "parcels": parcels.set_index(pd.Index(["jia"], name="parcel"))})
    free = {"urgency": "urgent", "problem": ["q1", "q2"], "cost_low": 0.0, "cost_high": 0.0, "earliest": [2023, 2024]}
    rows = toy.rows["projects"].assign(**free, duration=1, after=[None, "p0"], excludes=None)
    found = programmed(toy, rows, programming=Programming(rules=RULES, equity=False))
    assert not found.plan["reason"].any()
    last = found.years.xs(YEARS[-1], level="year")
    cover = xh.coverage(found.scenario.at(YEARS[-1]).on(toy.at(YEARS[-1]), with_conflicts=True), rules=RULES)
    served = (cover["served"] * cover["people"]).unstack("home")
    np.testing.assert_allclose(last["people"], served.sum(axis=1)[last.index])
    np.testing.assert_allclose(last["newcomers"], served["new"].fillna(0)[last.index])
    np.testing.assert_allclose(last["people"] - last["newcomers"] - last["without"], last["gained"])
    assert served["new"].max() == last["newcomers"].max() == 200 * rooms
