"""A kind seen on a map is not a kind surveyed: what follows from it, and what does not."""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mapped import KINDS, TOY, toy_folder

import xinhe_geo as xh
from xinhe_geo.access import EXACT, bound_of, only_known
from xinhe_geo.app.cli import main
from xinhe_geo.core import Edit
from xinhe_geo.district import survey_note
from xinhe_geo.district.district import District
from xinhe_geo.siting import Openings, link_pairs, links

#: A number of people who lack something, and a list of communities that do.
LACKING = re.compile(r"\d[\d,.]* ?(?:人|位)?(?:不可达|够不着|还?在服务范围外)|缺：")


@pytest.fixture(scope="module")
def toy() -> District:
    return xh.District.load(TOY)


@pytest.fixture(scope="module")
def all_mapped(tmp_path_factory: pytest.TempPathFactory) -> District:
    return xh.District.load(toy_folder(tmp_path_factory.mktemp("mapped") / "toy"))


def known(district: District) -> set[str]:
    """Return the kinds the district has facilities of."""
    assert district.facilities is not None
    return set(district.facilities["kind"])


@pytest.mark.slow
@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("schema", "surveyed", "mapped", "basis", "state"),
    [
        (1, KINDS, None, "surveyed", "surveyed"),
        (1, KINDS, None, "osm", "mapped"),  # importers wrote so of whatever they found
        (1, None, None, "osm", "mapped"),
        (1, None, None, "official", "surveyed"),  # as folders without any list were always read
        (2, KINDS, None, "surveyed", "surveyed"),
        (2, KINDS, None, "osm", "surveyed"),  # somebody says so, whatever they were drawn from
        (2, (), KINDS, "official", "mapped"),
        (2, (), None, "official", "mapped"),  # nobody says that these are all
        (2, None, None, "surveyed", "mapped"),
    ],
)
def test_who_says_what_of_a_kind(
    tmp_path: Path,
    schema: int,
    surveyed: tuple[str, ...] | None,
    mapped: tuple[str, ...] | None,
    basis: str,
    state: str,
) -> None:
    district = xh.District.load(
        toy_folder(tmp_path / "d", schema=schema, surveyed=surveyed, mapped=mapped, basis=basis)
    )
    assert {district.completeness_of(kind) for kind in known(district)} == {state}
    assert district.completeness_of("library") == "absent"
    assert not district.surveyed_kinds & district.mapped_kinds
    with pytest.raises(xh.UnknownNameError):
        district.completeness_of("no_such_kind")


@pytest.mark.slow
def test_a_kind_with_some_facilities_of_another_basis_was_surveyed_in_schema_1(tmp_path: Path, toy: District) -> None:
    assert toy.facilities is not None
    folder = toy_folder(tmp_path / "d", schema=1, surveyed=KINDS, mapped=None, basis="osm")
    kind = str(toy.facilities["kind"].iloc[0])
    path = folder / "pois/facilities.geojson"
    text = path.read_text("utf-8").replace('"properties": {', '"properties": {"basis": "official", ', 1)
    path.write_text(text, "utf-8")
    district = xh.District.load(folder)
    assert district.completeness_of(kind) == "surveyed"
    others = known(district) - {kind}
    assert {district.completeness_of(other) for other in others} == {"mapped"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lists", "field"),
    [
        ({"surveyed": ("canteen",), "mapped": ("canteen",)}, "mapped_kinds"),
        ({"surveyed": (), "mapped": ("cantene",)}, "mapped_kinds"),
        ({"surveyed": ("cantene",), "mapped": ()}, "surveyed_kinds"),
    ],
)
def test_lists_that_contradict_themselves_are_told(
    tmp_path: Path, lists: dict[str, tuple[str, ...]], field: str
) -> None:
    problems = xh.check(toy_folder(tmp_path / "d", **lists))  # type: ignore[arg-type]
    assert problems.loc[problems["severity"] == "error", "field"].tolist() == [field]


@pytest.mark.slow
def test_a_list_that_is_none_is_told(tmp_path: Path) -> None:
    folder = toy_folder(tmp_path / "d", surveyed=None, mapped=None)
    path = folder / "district.toml"
    path.write_text(path.read_text("utf-8").replace("credit =", 'mapped_kinds = "canteen"\ncredit =', 1), "utf-8")
    assert xh.check(folder)["field"].tolist() == ["mapped_kinds"]


@pytest.mark.slow
@pytest.mark.parametrize("schema", [1, 2])
def test_a_plan_makes_no_kind_complete(tmp_path: Path, schema: int) -> None:
    district = xh.District.load(toy_folder(tmp_path / "d", schema=schema, surveyed=(), mapped=None, basis="osm"))
    edits = [
        Edit("open_facility", {"facility": f"n-{kind}", "kind": kind, "name": "拟设", "xy": [500100.0, 4320100.0]})
        for kind in ("clinic_station", "library")
    ]
    after = xh.Scenario("p", edits=tuple(edits)).on(district)
    assert after.completeness_of("clinic_station") == "mapped"
    assert schema == 1 or after.completeness_of("library") == "mapped"  # one that a plan opens says nothing of the rest


@pytest.mark.slow
def test_what_is_reached_is_the_same_and_what_is_not_is_unknown(toy: District, all_mapped: District) -> None:
    """A kind of which the map shows none at all is 数据不足, as one that nobody looked for; all others count as they did."""
    exact, cover = xh.coverage(toy), xh.coverage(all_mapped)
    none = cover["kind"] == "elderly_daycare"
    assert cover.loc[none, "served"].isna().all() and exact.loc[none, "served"].notna().any()
    exact, cover = exact[~none], cover[~none]
    pd.testing.assert_frame_equal(exact.drop(columns="bound"), cover.drop(columns="bound"))
    assert (exact["bound"] == EXACT).all() and only_known(exact) is exact
    rests = cover["kind"].map(lambda kinds: bound_of(all_mapped, kinds.split(";")) != EXACT)
    assert ((cover["bound"] == "at_least") == rests).all() and rests.any()
    told = only_known(cover)
    unsure = rests & ~(cover["served"] == 1)
    assert told.loc[unsure, ["served", "served_walk_min", "minutes", "metres", "facility"]].isna().all(axis=None)
    pd.testing.assert_frame_equal(told[~unsure], cover[~unsure])


#: What importers wrote into every folder once.
OF_MAP = "设施取自 OpenStreetMap，没有实地调查，是否齐全未知：走得到的算走得到，图上走不到的不等于没有；图上没有的类别按数据不足处理"


@pytest.mark.parametrize(
    ("basis", "stored", "surveyed", "said"),
    [
        ("osm", "", (), OF_MAP),
        ("osm", OF_MAP, KINDS, ""),
        ("unstated", OF_MAP, (), ""),
        ("official", OF_MAP, (), ""),
        ("official", "设施由街道逐处核过", (), "设施由街道逐处核过"),
    ],
)
def test_facilities_are_said_to_be_a_maps_only_where_they_are(
    tmp_path: Path, basis: str, stored: str, surveyed: tuple[str, ...], said: str
) -> None:
    folder = toy_folder(tmp_path / "toy", surveyed=surveyed, mapped=None, basis=basis)
    manifest = folder / "district.toml"
    manifest.write_text(
        f"survey_note = {json.dumps(stored, ensure_ascii=False)}\n" + manifest.read_text("utf-8"), "utf-8"
    )
    district = xh.District.load(folder)
    assert survey_note(district) == said
    assert bool(district.drawn_kinds) == (basis == "osm" and not surveyed)
    some = district.rows["facilities"].assign(basis="official").iloc[:1]
    mixed = district.with_rows({"facilities": pd.concat([some, district.rows["facilities"].iloc[1:]])})
    assert survey_note(mixed) == said or survey_note(mixed).startswith("4 处设施中 3 处取自 OpenStreetMap，")


@pytest.mark.slow
def test_what_was_not_surveyed_is_not_a_maps_for_that(tmp_path: Path) -> None:
    district = xh.District.load(toy_folder(tmp_path / "toy", mapped=None, basis="official"))
    row = xh.headlines(district, xh.coverage(district)).loc["plan_clinic_15"]
    assert (row["bound"], row["mark"]) == ("at_least", "没有查全（不作结论）") and "图上" not in row["headline"]


@pytest.mark.slow
def test_the_sentence_of_a_kind_seen_on_a_map(all_mapped: District) -> None:
    """Of 360 known people all but the 10 of E, beyond the river, walk to a clinic within 15 minutes: 97.2 %, said as 97."""
    lead = xh.headlines(all_mapped, xh.coverage(all_mapped))
    row = lead.loc["plan_clinic_15"]
    assert row["headline"] == ("若图上的设施都在、路都能走，出入口按最近处计：成人步行 15 分钟，常住人口的 97% 走得到")
    assert row["value"] == row["value_high"] == pytest.approx(350 / 360)
    assert (row["bound"], row["mark"], row["unchecked"]) == ("at_least", "只据地图（不作结论）", 0)
    assert "surveyed_kinds" in row["needs"] and np.isnan(row["people_unserved"])
    presence = lead.loc["plan_canteen_community"]
    assert presence["headline"].endswith("2 个社区（2022 年名录）中 1 个看得到；其余有没有不知道")


@pytest.mark.slow
@pytest.mark.matrix
def test_nothing_is_said_of_who_lacks_a_kind_seen_on_a_map(tmp_path: Path, toy: District) -> None:
    """Whichever kinds were only seen on a map: of their rules no number of people, no list, no gap; of the others all as before."""
    exact = xh.headlines(toy, xh.coverage(toy))
    for number, chosen in enumerate([*combinations(KINDS, 1), KINDS[:2], KINDS[2:], KINDS]):
        rest = [kind for kind in KINDS if kind not in chosen]
        district = xh.District.load(toy_folder(tmp_path / str(number), schema=1, surveyed=rest, mapped=chosen))
        cover = xh.coverage(district)
        lead, whole = xh.headlines(district, cover), xh.summary(cover)
        for name, row in lead.iterrows():
            unsure = not set(chosen).isdisjoint(row["kind"].split(";"))
            if np.isnan(row["value"]):
                continue
            assert (whole.loc[name, "bound"] != EXACT) == (row["bound"] != EXACT) == unsure
            if not unsure:
                assert row["headline"] == exact.loc[name, "headline"] and row["needs"] == ""
                continue
            assert not LACKING.search(row["headline"]) and np.isnan(row["people_unserved"])
            assert row["needs"] and len(xh.gaps(district, cover, str(name))) == 0
        matrix = xh.presence(district)
        for kind in matrix.columns:
            assert (kind in chosen) == bool(matrix[kind].isna().any()) or (matrix[kind] > 0).all()
            assert not (kind in chosen and (matrix[kind] == 0).any())
        essential = district.kinds.index[district.kinds["essential"].to_numpy(dtype=bool)]
        counted = xh.completeness(district).get("kinds", pd.Series([0])).iloc[0]
        assert counted == len([k for k in essential if k in rest])


@pytest.mark.slow
def test_a_kind_beside_one_that_nobody_looked_for_is_a_lower_bound(tmp_path: Path) -> None:
    district = xh.District.load(toy_folder(tmp_path / "d", surveyed=["clinic_station"], mapped=[]))
    assert district.facilities is not None
    assert bound_of(district, ["clinic_station"]) == EXACT
    assert bound_of(district, ["clinic_station", "library"]) == "at_least"
    assert bound_of(district, ["library"]) == EXACT  # 数据不足 as ever: there is nothing to bound


@pytest.mark.slow
def test_sites_and_links_refuse_a_kind_seen_on_a_map(all_mapped: District, toy: District) -> None:
    for ask in (
        lambda: xh.sites(all_mapped, "clinic_station", 1),
        lambda: links(all_mapped, "clinic_station"),
        lambda: link_pairs(all_mapped, "clinic_station"),
    ):
        with pytest.raises(xh.SitingError, match="assume_complete"):
            ask()
    told = xh.sites(all_mapped, "clinic_station", 1, assume_complete=True)
    plain = xh.sites(toy, "clinic_station", 1, assume_complete=True)
    assert told.index.tolist() == plain.index.tolist() and (told["people_gained"] == plain["people_gained"]).all()
    assert told["mark"].tolist() == ["假定图上设施完整"] and plain["mark"].tolist() == [""]
    assert told["reason"].iloc[0].startswith(f"{plain['reason'].iloc[0]}；假定图上设施完整；图上若漏了 1 处")
    opened = links(all_mapped, "clinic_station", n=1, openings=Openings(assume_complete=True))
    assert opened["mark"].tolist() == ["假定图上设施完整"]


@pytest.mark.slow
@pytest.mark.one_in(4)
@pytest.mark.parametrize("cells", [{"state": "unchecked"}, {"state": None, "note": "须人工确认：不一定是"}])
@pytest.mark.parametrize("surveyed", [True, False])
def test_what_nobody_has_checked_is_the_upper_end_of_a_range(
    tmp_path: Path, toy: District, cells: dict[str, str | None], surveyed: bool
) -> None:
    """The only station of today is still to be checked: nobody certainly, or whom it serves, 350 of 360 known people."""
    own = {"surveyed": KINDS, "mapped": ()} if surveyed else {}
    folder = toy_folder(tmp_path / "d", **own)  # type: ignore[arg-type]

    def put(**more: str | None) -> District:
        path = folder / "pois/facilities.geojson"
        table = json.loads(path.read_text("utf-8"))
        (station,) = (f["properties"] for f in table["features"] if f["properties"]["facility"] == "F1")
        station.update(more)
        path.write_text(json.dumps(table, ensure_ascii=False), "utf-8")
        return xh.District.load(folder)

    district, rule = put(**cells), "plan_clinic_15"
    row = xh.headlines(district, xh.coverage(district)).loc[rule]
    assert (row["value"], row["value_high"], row["unchecked"]) == (0, pytest.approx(350 / 360), 1)
    assert "可达" * surveyed in row["headline"] and "0%—97%" in row["headline"] and "1 处待核" in row["headline"]
    assert ("，10—360 人不可达" in row["headline"]) == surveyed
    assert row["people_unserved"] == 360 or not surveyed
    signed = put(checked_by="张三")
    assert xh.summary(xh.coverage(signed)).loc[rule, "share"] == pytest.approx(350 / 360)
    assert xh.headlines(signed, xh.coverage(signed)).loc[rule, "unchecked"] == 0


@pytest.mark.slow
@pytest.mark.matrix
def test_the_command_refuses_too_and_what_it_writes_says_what_it_assumes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = toy_folder(tmp_path / "d")
    assert main(["sites", "clinic_station", "--for", str(folder)]) == 3
    assert "--assume-complete" in capsys.readouterr().err.replace("\n", "").replace(" ", "")
    for command in (["sites", "clinic_station"], ["links", "plan_clinic_15"]):
        ask = [*command, "--for", str(folder), "--assume-complete", "--out", str(tmp_path / "out")]
        assert main(ask) == 0
    for page in (tmp_path / "out").glob("*.html"):
        text = page.read_text("utf-8")
        assert "假定图上设施完整：下面的人数都按图上有的就是全部算" in text and "受益人数为至多" in text, page.name
    assert len(list((tmp_path / "out").glob("*.html"))) == 2
    for plan in (tmp_path / "out" / "scenarios").glob("sites-*.toml"):
        assert "假定图上设施完整" in plan.read_text("utf-8")
