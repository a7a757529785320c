"""Shares, groups, gaps and headlines on the toy district; distances are worked out in test_reach.py."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pandas as pd
import pytest
import shapely
from clock import trials
from hypothesis import given, settings
from hypothesis import strategies as st

import xinhe_geo as xh
from xinhe_geo.access.effects import _of_others, newcomers
from xinhe_geo.access.headlines import _share_of, basis_text
from xinhe_geo.access.od_table import od_table
from xinhe_geo.core.models import Rule

TOY = Path(__file__).parents[1] / "toy"


@pytest.fixture(scope="module")
def toy() -> xh.District:
    return xh.District.load(TOY)


def rule(method: str, *, metres: float = 400, minutes: float = 6, kinds: tuple[str, ...] = ("clinic_station",)) -> Rule:
    return Rule("r", "卫生站", kinds, method, metres, minutes, "adult", "people")


def test_served_by_method(toy: xh.District) -> None:
    """Within 400 m of F1 (station): A 210 and C 380 by street; by straight line also B, 355 m across the river."""
    cover = xh.coverage(toy, rules=[rule("network_m")]).xs("r", level="rule")
    assert cover["served_network_m"].to_dict() == {"A": 1, "B": 0, "C": 1, "D": 0, "E": 0}
    assert cover["served_buffer"].to_dict() == {"A": 1, "B": 1, "C": 1, "D": 0, "E": 0}
    # 6 min at 1.1 m/s = 396 m
    assert cover["served_walk_min"].to_dict() == {"A": 1, "B": 0, "C": 1, "D": 0, "E": 0}
    assert (cover["served"] == cover["served_network_m"]).all()


def test_the_limit_itself_is_within(toy: xh.District) -> None:
    for metres, inside in ((380.0, 1.0), (379.999, 0.0)):
        cover = xh.coverage(toy, rules=[rule("network_m", metres=metres)]).xs("r", level="rule")
        assert cover.loc["C", "served"] == inside


@pytest.mark.parametrize("inside_first", [True, False])
def test_what_is_reached_beyond_the_outline(toy: xh.District, inside_first: bool) -> None:
    """A notch of the outline leaves the station F1 outside: of 360 known people the 100 of A depend on it, whoever asks first."""
    outline = toy.rows["district"].copy()
    notch = shapely.box(500_200, 4_319_940, 500_220, 4_320_010)
    outline.geometry = [shapely.difference(shape, notch) for shape in outline.geometry]
    notched = toy.with_rows({**toy.rows, "district": outline})
    nearest = {
        inside: od_table(notched, ["clinic_station"], inside_only=inside).loc["A", "facility"].to_list()
        for inside in (inside_first, not inside_first)
    }
    assert nearest[False] == ["F1"] and "F1" not in nearest[True]
    cover = xh.coverage(notched, rules=[rule("network_m")])
    assert cover["served"].to_dict()["A", "r"] == 1 and cover["served_inside"].to_dict()["A", "r"] == 0
    lead = xh.headlines(notched, cover).loc["r"]
    assert lead["value"] == lead["dependent_share"] == pytest.approx(100 / 360)


def test_what_is_not_on_the_way_is_said_of_walks_alone(toy: xh.District) -> None:
    """The toy district has no entrances: a walk lacks them, neither a straight line nor what a community has does."""
    walked = [rule("walk_min"), rule("network_m")]
    others = [rule("buffer"), replace(rule("walk_min"), metric="presence")]
    assert ["没有图层、步行未计" in basis_text(toy, one) for one in (*walked, *others)] == [True, True, False, False]


def test_a_promise_that_cannot_be_judged_says_what_is_missing(toy: xh.District) -> None:
    """Has every community a library? Nobody looked for any; without communities that is what is missing first."""
    promise = replace(rule("walk_min", kinds=("library",)), metric="presence", denominator="community")
    for district, words in (
        (toy, "数据不足：没有调查过"),
        (toy.with_rows({"communities": None}), "数据不足：缺社区界"),
    ):
        row = xh.headlines(district, xh.coverage(district, rules=[promise])).iloc[0]
        assert str(row["headline"]).startswith(words) and np.isnan(row["value"])


def test_unknown_people_are_not_zero(toy: xh.District) -> None:
    """Known people: A 100, B 200, D 50, E 10 = 360; served: A. C is served too, but nobody knows how many live there."""
    total = xh.summary(xh.coverage(toy, rules=[rule("network_m")])).loc["r"]
    assert total["people"] == 360 and total["people_served"] == 100
    assert total["people_share"] == pytest.approx(100 / 360)
    assert total["people_unknown"] == 1
    assert total["homes"] == 5 and total["homes_served"] == 2
    assert total["area_m2"] == pytest.approx(4 * 3600)  # D is a point: its land is not known
    assert total["area_m2_share"] == pytest.approx(0.5)


def test_rules_answered_together_are_as_each_alone(toy: xh.District) -> None:
    """Whoever walked before: what is shared among rules and walkers is what each would have found for itself."""
    rules = toy.rules
    names = [*rules.index[::40], *rules.index[rules["kinds"].str.contains(";")][:2]]
    for profile in ("adult", "elderly"):
        together = xh.coverage(toy, rules=names, profile=profile)
        for name in names:
            alone = xh.coverage(toy.at(toy.year), rules=[name], profile=profile)
            pd.testing.assert_frame_equal(together.xs(name, level="rule", drop_level=False), alone, check_exact=True)


def test_groups_add_up(toy: xh.District) -> None:
    cover = xh.coverage(toy)
    whole = xh.summary(cover)
    for group in ("zone", "community"):
        parts = xh.summary(cover, by=group)
        for column in ("people", "people_served", "area_m2_served", "homes"):
            added = parts[column].groupby(level="rule").sum(min_count=1)
            pd.testing.assert_series_equal(added.reindex(whole.index), whole[column], check_names=False)


def test_presence_per_community(toy: xh.District) -> None:
    matrix = xh.presence(toy)
    assert matrix.loc["T01", "clinic_station"] == 1 and matrix.loc["T02", "clinic_station"] == 0
    assert matrix.loc["T02", "canteen"] == 1 and matrix.loc["T01", "canteen"] == 0
    assert matrix.loc["T01", "elderly_daycare"] == 0  # surveyed, none found
    assert "market" not in matrix.columns  # never surveyed
    cover = xh.coverage(toy, rules=["plan_canteen_community"]).xs("plan_canteen_community", level="rule")
    assert cover["served"].to_dict() == pytest.approx({"A": 0, "B": 1, "C": 0, "D": 1, "E": np.nan}, nan_ok=True)


def test_communities_count_once(toy: xh.District) -> None:
    """Two communities, one with a canteen: a half, however many homes or people each has; E is in none."""
    total = xh.summary(xh.coverage(toy, rules=["plan_canteen_community"])).iloc[0]
    assert (total["communities"], total["communities_served"], total["share"]) == (2, 1, 0.5)
    by_zone = xh.summary(xh.coverage(toy, rules=["plan_canteen_community"]), by="zone")["share"].droplevel("rule")
    assert by_zone.to_dict() == {"south": 0.0, "north": 1.0}


@pytest.mark.slow
def test_headlines_say_what_leads(toy: xh.District) -> None:
    lead = xh.headlines(toy, xh.coverage(toy))
    assert lead.loc["plan_canteen_community", "headline"] == "2 个社区（2022 年名录）中 1 个有；缺：甲社区"
    clinic = lead.loc["plan_clinic_15"]
    # everybody but E (10 of 360 known) walks less than 990 m
    assert clinic["value"] == pytest.approx(350 / 360)
    assert "10 人不可达" in clinic["headline"] and clinic["mark"] == ""
    assert lead.loc["plan_market", "mark"] == "数据不足" and np.isnan(lead.loc["plan_market", "value"])


def test_gaps_say_why(toy: xh.District) -> None:
    short = replace(toy.rule("plan_clinic_15"), minutes=8.0, metres=500.0)
    cover = xh.coverage(toy, rules=[short])
    table = xh.gaps(toy, cover, "plan_clinic_15")
    # the rule in the table asks for 15 minutes; `gaps` must go by what `cover` was made with
    assert list(table.index) == ["B", "D", "E"]
    assert table.loc["B", "minutes"] == pytest.approx(590 / 1.1 / 60 + 0.5)
    assert table.loc["B", ["gate_minutes", "wait_minutes", "street_minutes"]].sum() == pytest.approx(
        table.loc["B", "minutes"]
    )
    assert "玩具河" in table.loc["B", "crosses"] and "绕行" in table.loc["B", "reason"]
    assert "走不到" in table.loc["E", "reason"]
    assert table["people_unserved"].tolist() == [200, 50, 10]


def test_a_home_without_a_name_goes_by_its_id(toy: xh.District) -> None:
    homes = toy.rows["homes"].copy()
    homes.loc["B", "name"] = None
    bare = toy.with_rows({**toy.rows, "homes": homes})
    short = replace(toy.rule("plan_clinic_15"), minutes=8.0, metres=500.0)
    names = xh.gaps(bare, xh.coverage(bare, rules=[short]), "plan_clinic_15")["name"]
    assert names["B"] == "B" and names["D"] == homes["name"]["D"]


@pytest.mark.slow
def test_communities_and_zones_without_names_go_by_their_codes(toy: xh.District) -> None:
    """Nowhere `nan`: in what lacks one, in what each has, in groups; what was read stays as it was read."""
    rows = {**toy.rows, **{name: toy.rows[name].assign(name=None) for name in ("communities", "zones")}}
    bare = toy.with_rows(rows)
    assert (
        bare.communities["name"].tolist() == list(bare.communities.index)
        and bare.rows["communities"]["name"].isna().all()
    )
    told = xh.headlines(bare, xh.coverage(bare))["headline"].astype(str)
    assert not told.str.contains("nan").any() and told.str.contains("缺：").any()


def test_outside_facilities_show(toy: xh.District) -> None:
    cover = xh.coverage(toy)
    assert (cover["served_inside"].dropna() <= cover["served"].dropna() + 1e-12).all()


def test_completeness_counts_surveyed_kinds_only(toy: xh.District) -> None:
    table = xh.completeness(toy)
    essential = toy.kinds.index[toy.kinds["essential"]]
    counted = [k for k in essential if k in toy.surveyed_kinds]
    assert (table["kinds"] == len(counted)).all()
    assert table.loc["E", "completeness"] == 0
    assert table.loc["A", "completeness"] > 0


def test_unknown_names(toy: xh.District) -> None:
    with pytest.raises(xh.UnknownNameError, match="plan"):
        xh.coverage(toy, rules="plann")
    with pytest.raises(xh.UnknownNameError, match="分组"):
        xh.summary(xh.coverage(toy, rules=["plan_clinic_15"]), by="zoo")


@pytest.mark.slow
def test_compare_is_antisymmetric(toy: xh.District) -> None:
    now = xh.coverage(toy)
    then = xh.coverage(toy.at(2025, planned=True))
    same = xh.compare(now, now)
    assert (same.fillna(0) == 0).all().all()
    pd.testing.assert_frame_equal(xh.compare(now, then), -xh.compare(then, now) + 0.0)


@settings(max_examples=trials(12), deadline=None)
@given(less=st.floats(50, 900), more=st.floats(0, 900), method=st.sampled_from(["buffer", "network_m", "walk_min"]))
def test_more_reach_never_serves_less(toy: xh.District, less: float, more: float, method: str) -> None:
    small = xh.coverage(toy, rules=[rule(method, metres=less, minutes=less / 66)])["served"]
    large = xh.coverage(toy, rules=[rule(method, metres=less + more, minutes=(less + more) / 66)])["served"]
    assert (large >= small).all()


def test_another_facility_never_serves_less(toy: xh.District) -> None:
    now = xh.coverage(toy)["served"].fillna(0)
    then = xh.coverage(toy.at(2025, planned=True))["served"].fillna(0)
    assert (then >= now).all()


@pytest.mark.slow
def test_straight_line_serves_at_least_as_much(toy: xh.District) -> None:
    for district in (toy, xh.District.load()):
        cover = xh.coverage(district).dropna(subset=["served_buffer"])
        assert (cover["served_buffer"] >= cover["served_network_m"] - 1e-9).all()


def test_texts_that_repeat_are_a_pointer_a_row() -> None:
    """Arrow's arrays, which pandas takes where pyarrow is installed, write each out again: gigabytes for the homes of a city."""
    pytest.importorskip("pyarrow")
    with pd.option_context("mode.string_storage", "pyarrow"):
        cover = xh.coverage(xh.District.load(TOY), rules=["plan_clinic_15", "plan_canteen_community"])
        index = pd.MultiIndex.from_arrays([cover.index.get_level_values(i) for i in (0, 1)])
    texts = [dtype for dtype in cover.dtypes if dtype == "str"]
    assert len(texts) > 10 and {dtype.storage for dtype in texts} == {"python"}
    pd.testing.assert_index_equal(cover.index, index)  # as if worked out of what stands in the rows


#: A number that may not be known.
number = st.sampled_from([np.nan, *map(float, range(9))])


@given(
    st.lists(st.tuples(number, number, number, number), min_size=1, max_size=6), st.sampled_from(["homes", "people"])
)
def test_a_share_by_another_method_leaves_out_what_is_not_known(homes: list[tuple[float, ...]], counted: str) -> None:
    """Who of those that are counted is served by the method, home by home; nothing where nobody is counted."""
    cover = pd.DataFrame(homes, columns=["served", "served_buffer", "people", "homes"]).astype("Float64")
    cover[["served", "served_buffer"]] /= 8
    part = whole = 0.0
    for served, by_method, people, _ in homes:
        weight = 1.0 if counted == "homes" else people
        if not np.isnan(served) and not np.isnan(weight):
            whole += weight
            part += 0.0 if np.isnan(by_method) else weight * by_method / 8
    assert _share_of(cover, counted, "buffer") == pytest.approx(part / whole if whole else np.nan, nan_ok=True)


@given(
    *[st.dictionaries(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz")), st.tuples(number, number, number))] * 2,
    st.sampled_from(["people", "people_60plus", "homes"]),
)
def test_shares_are_of_others_where_one_state_alone_leaves_somebody_out(
    before: dict[tuple[str, str], tuple[float, ...]], after: dict[tuple[str, str], tuple[float, ...]], counted: str
) -> None:
    """Somebody: a home of which it is known whether it is served, not whom the rule counts there, and not that nobody lives there."""
    covers, left_out = [], []
    for state in (before, after):
        index = pd.MultiIndex.from_tuples(list(state), names=["home", "rule"]) if state else None
        rows = pd.DataFrame(
            list(state.values()), index=index, columns=["people", "people_60plus", "served"], dtype=float
        )
        rows.index = rows.index if state else pd.MultiIndex.from_arrays([[], []], names=["home", "rule"])
        covers.append(rows.assign(denominator=counted))
        left_out.append(
            {
                key
                for key, (people, aged, served) in state.items()
                if np.isnan({"people": people, "people_60plus": aged}.get(counted, 0.0))
                and not np.isnan(served)
                and people != 0
            }
        )
    assert set(_of_others(*covers)) == {rule for _, rule in left_out[0] ^ left_out[1]}


@given(st.lists(number, max_size=4), st.dictionaries(st.sampled_from("0123"), number))
def test_who_came_to_a_home_is_what_the_plan_says(people: list[float], came: dict[str, float]) -> None:
    """Where a plan says of a home who came; else everybody who lives there."""
    homes = [str(i) for i in range(len(people))]
    after = SimpleNamespace(arrived={home: {"people": n} for home, n in came.items()})
    want = [own if np.isnan(came.get(home, np.nan)) else came[home] for home, own in zip(homes, people, strict=True)]
    np.testing.assert_array_equal(newcomers(homes, np.array(people), cast("xh.District", after)), np.array(want))
