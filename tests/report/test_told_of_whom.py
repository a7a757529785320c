"""What a comparison says is said of those whom a rule counts, names what a share's change comes of, and agrees with its net gain."""

from __future__ import annotations

import html
import re
import tempfile
from functools import cache
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from mapped import toy_folder

import xinhe_geo as xh
from xinhe_geo.access import facility_changes, home_points, starts_in_words
from xinhe_geo.core import Edit
from xinhe_geo.core.i18n import speaking
from xinhe_geo.io.row_changes import _shown
from xinhe_geo.ledger.metrics.places import _from_to
from xinhe_geo.maps.changes import change_theme
from xinhe_geo.report.analysis import Comparison
from xinhe_geo.report.pages.change import _goal_row, concluded
from xinhe_geo.report.pages.plans import _matrix_cell
from xinhe_geo.report.receipts import receipt
from xinhe_geo.report.story.change import Change, _of_unknown, with_net

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


def rebuilt(**older: float) -> tuple[xh.District, xh.District]:
    """The toy whose home A stands on a parcel of its own, and with it torn down, built anew for more, and half of its people back."""
    toy = states()[0]
    ground = toy.homes.geometry["A"].buffer(5)
    parcels = gpd.GeoDataFrame({"name": ["甲"]}, geometry=[ground], crs=toy.crs, index=pd.Index(["jia"], name="parcel"))
    before = toy.with_rows({**toy.rows, "parcels": parcels})
    edits = (
        Edit("demolish_homes", {"homes": ["A"]}),
        Edit("build_homes", {"parcel": "jia", "home": "new", "name": "新苑", "people": 150.0, **older}),
        Edit("return_households", {"parcel": "jia", "home": "new", "people": 50.0}),
    )
    return before, xh.Scenario("p", "p", edits).on(before)


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("backwards", [False, True])
def test_a_share_of_others_is_no_change(lang: str, backwards: bool) -> None:
    """Where nobody knows how many of a new home are old, no share of the old is compared with one after, and the page says why."""
    known, unknown = rebuilt(share_60plus=0.2), rebuilt()
    known, unknown = (known[::-1], unknown[::-1]) if backwards else (known, unknown)
    with speaking(lang):
        sure, blank = (Change(Comparison.of(*sides)) for sides in (known, unknown))
        lines = sure.people, blank.people
        for change, there in ((sure, False), (blank, True)):
            assert bool(change.left_out) is there and (change.left_out in change.people)
            assert not there or ("新苑" in change.left_out and html.escape(change.left_out) in concluded(change))
    old = (blank._effects["net_of"] == "people_60plus") & sure._effects["change"].notna()
    assert old.any() and blank._effects.loc[old, "change"].isna().all()
    of_old = blank.goals["net_of"] == "people_60plus"
    assert (blank.goals.loc[of_old & (blank.goals["net"] == 0), "tone"] == "unknown").all()
    pd.testing.assert_series_equal(blank._effects.loc[~old, "change"], sure._effects.loc[~old, "change"])
    assert (
        "新苑" not in lines[0] and "新苑" in lines[1] and "60" in lines[1].partition("新苑")[2 if lang == "zh" else 0]
    )
    assert known[not backwards].homes.loc["new", "people_60plus"] == pytest.approx(0.2 * 150 + 20)
    assert unknown[not backwards].homes["people_60plus"].isna()["new"], "what nobody knows is not made up"


def test_what_comes_of_others_is_told_apart() -> None:
    """A sentence that gives two shares and a net gain says so where the gain of those who live here does not make the difference."""
    for before, after in (states(), states()[::-1], rebuilt(share_60plus=0.2)):
        change = Change(Comparison.of(before, after))
        told = 0
        for shift in change.shifts:
            row = change.goals.loc[shift.rule]
            total = change.pair.before.summary.loc[shift.rule].get(row["net_of"], np.nan)
            elsewhere = abs(row["change"] - row["net"] / total) > 5e-4 if np.isfinite(total) else False
            assert ("其余因" in shift.told or "只因" in shift.told) == elsewhere
            assert shift.told.count(shift.net) == ("只因" not in shift.told) and shift.told.count("净增") < 2
            told += elsewhere
        assert bool(told) is ("new" in after.homes.index)


@cache
def toys() -> dict[bool, xh.District]:
    """The toy whose facilities are surveyed, and one where they are only seen on a map."""
    with tempfile.TemporaryDirectory() as place:
        return {False: states()[0], True: xh.District.load(toy_folder(Path(place) / "toy"))}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("mapped", [False, True])
def test_who_moves_gains_and_loses_nothing(seed: int, mapped: bool) -> None:
    """Whoever leaves a home by a plan that also opens or closes something is counted on neither side: home by home, in sums and on maps."""
    draw, before = np.random.default_rng(seed), toys()[mapped]
    spot = shapely.get_coordinates(before.homes.geometry["A"].centroid)[0]
    leave = [
        Edit("move_households", {"homes": [home], "people": int(n), "fate": "cash"})
        for home, n in zip("ABDE", draw.integers(1, [100, 200, 50, 10]), strict=True)
    ]
    place = {"facility": "N", "kind": "canteen", "name": "新食堂", "xy": [float(v) for v in spot]}
    what = Edit("open_facility", place), Edit("close_facility", {"facility": "F1"})
    after = xh.Scenario("p", "p", (*leave, what[seed % 2])).on(before)
    pair = Comparison.of(before, after)
    table, served = Change(pair)._effects, [xh.coverage(d)["served"].unstack("rule") for d in (before, after)]
    move, moved = served[1] - served[0], 0.0
    for of in ("people", "people_60plus"):
        stay = np.minimum(before.homes[of], after.homes[of])
        assert (stay < before.homes[of]).sum() == 4
        for side, sign in (("gain", 1), ("lose", -1)):
            own = (sign * move).clip(lower=0).mul(stay, axis=0).sum()
            np.testing.assert_allclose(table[f"{of}_{side}"], own[table.index], atol=1e-9)
            moved += float(own.sum())
    crowd = pair.crowding["people"].dropna()
    assert (
        moved
        and (
            crowd <= before.homes["people"].clip(upper=after.homes["people"])[crowd.index.get_level_values(0)].array
        ).all()
    )
    walked = table[table["net_of"] != "community"]
    most = str((walked["people_gain"] + walked["people_lose"]).idxmax())
    told = [f"{table.loc[most, side]:,.0f}" for side in ("people_gain", "people_lose")]
    drawn = change_theme(pair.maps, before.rule(most), "zh").facts
    assert [re.sub(r"[^0-9,]", "", fact["big"]) for fact in drawn] == told
    found = str(receipt(before, most, after=after))
    assert all(f"'{number}'" in found for number in told)


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("mapped", [False, True])
def test_who_only_moves_away_improves_nothing(mapped: bool, lang: str) -> None:
    """Where people only leave no goal rises or falls for anybody, though shares do; what is printed as it was is no change."""
    before = toys()[mapped]
    rest = gone = 0
    for home, n in ("A", 100), ("B", 200), ("D", 50), ("B", 1):
        edit = Edit("move_households", {"homes": [home], "people": n, "fate": "cash"})
        with speaking(lang):
            change = Change(Comparison.of(before, xh.Scenario("p", "p", (edit,)).on(before)))
            assert set(change.goals["tone"]) <= {"same", "others", "unknown"}
            known = change._effects["net"].notna()
            assert not known[change._effects[["before", "after"]].isna().all(axis=1)].any(), "unknown is not 0"
            assert not change._effects.loc[known, ["net", "people_gain", "people_lose"]].any(axis=None)
            assert known.equals(change._effects["net_seen"].notna())
            for shift in change.moved:
                assert shift.before.text != shift.after.text and not re.search(r"\d|净增.*净增|net.*net", shift.told)
            moved = (change.goals["tone"] == "others").sum()
        rest, gone = rest + len(change.moved), gone + moved - len(change.moved)
    assert rest and gone, "some shares move, and some so little that nothing is printed of it"


def test_another_name_changes_nothing_and_nobody_still_reaches_what_they_did_not() -> None:
    """Another name on the canteen that is too far for A, and a new one beside A: A gains by the new one, and by that alone."""
    before = states()[0]
    more = before.rows["facilities"].copy()
    spot = shapely.get_coordinates(before.homes.geometry["A"].centroid)[0]
    edit = Edit("open_facility", {"facility": "N", "kind": "canteen", "name": "新食堂", "xy": [float(v) for v in spot]})
    more.loc["F2", "name"] = "换了名"
    after = xh.Scenario("p", "p", (edit,)).on(before.with_rows({**before.rows, "facilities": more}))
    table = facility_changes(before, after)
    assert table["change"].to_dict() == {"F2": "renamed", "N": "opened"}
    assert not any(table.loc["F2", ["homes_gain", "homes_lose", "homes_other"]]) and table.loc["F2", "people_gain"] == 0
    assert before.homes.loc["A", "name"] in table.loc["N", "homes_gain"]
    edits = (edit, Edit("close_facility", {"facility": "F2"}))
    closed = facility_changes(before, xh.Scenario("p", "p", edits).on(before)).loc["F2"]
    assert closed["change"] == "closed" and before.homes.loc["A", "name"] not in closed["homes_other"]


@pytest.mark.parametrize(
    ("points", "said"), [(0, "均匀分布的点出发"), (1, "（图上只是一个点的小区从这个点）"), (9, "只是一个点，")]
)
def test_walks_start_where_they_are_said_to(points: int, said: str) -> None:
    """From points all over a home only where it has an outline."""
    toy = states()[0]
    homes = toy.rows["homes"].copy()
    homes["geometry"] = homes.geometry.mask(homes.geometry.area == 0, homes.geometry.buffer(60))
    first = homes.index[:points]
    homes.loc[first, "geometry"] = homes.loc[first, "geometry"].centroid
    made = toy.with_rows({**toy.rows, "homes": homes})
    count = home_points(made)["home"].value_counts()
    assert said in starts_in_words(made) and (count[first] == 1).all()
    assert ("均匀" in starts_in_words(made)) == bool((count > 1).any())


@pytest.mark.parametrize("net", [np.nan, 3.0])
def test_what_nobody_knows_is_tinted_as_no_gain(net: float) -> None:
    """A share that rises by a kind only seen on a map gives no net gain: its cell says so, and has not the colour of one."""
    row = pd.Series(
        {"code": "r", "label": "x", "before": 0.1, "after": 0.2, "points": 10.0, "tone": "gain", "net": net}
    )
    row["net_text"] = "数据不足" if np.isnan(net) else "+3 人"
    table = pd.concat({"甲": row.to_frame().T[["net_text", "points", "tone"]]}, axis=1)
    for markup in (_goal_row(row, 10.0, None), _matrix_cell(table.iloc[0]["甲"], "", "r")):
        assert ('class="gain"' in markup) == bool(np.isfinite(net)), markup


@pytest.mark.parametrize(("few", "many", "said"), [(1, 1, "1"), (4, 5, "4—5")])
def test_two_ends_that_are_the_same_are_said_once(few: int, many: int, said: str) -> None:
    assert _from_to(few, many) == said


@pytest.mark.parametrize(
    ("value", "said"), [(937.0, "937"), (0.5, "0.5"), ("200.0", "200.0"), (12, "12"), (True, "True")]
)
def test_a_whole_number_is_shown_without_decimals(value: object, said: str) -> None:
    assert _shown(value) == said


def test_whose_old_people_nobody_knows_is_named_where_somebody_lives() -> None:
    """Homes of one state only: one of 12 people whose age nobody knows, one of which nothing is known; not one in which nobody lives."""

    def homes(**people: float) -> pd.DataFrame:
        frame = pd.DataFrame({"people": people, "people_60plus": np.nan}, dtype="float64")
        return frame.assign(name=[f"{home}苑" for home in people])

    text = _of_unknown(homes(both=5.0), homes(both=5.0, some=12.0, empty=0.0, unknown=np.nan))
    aged, nobody = text.split("；")[1:]
    assert "some苑住着 12 人" in aged and "unknown苑" in nobody and "empty" not in text and "both" not in text
    assert _of_unknown(homes(both=5.0, empty=0.0), homes(both=5.0)) == ""


def test_a_net_gain_of_which_one_side_is_not_known_is_told_as_it_is() -> None:
    table = pd.DataFrame({"net_of": "people", "net": [5.4, 5.4, np.nan]})
    told = with_net(table.assign(people_gain=[7.6, np.nan, 7.6], people_lose=[2.2, 2.2, np.nan]))
    assert told["net_text"].tolist() == ["+6 人", "+5 人", "数据不足"]
