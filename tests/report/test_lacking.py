"""Whatever a folder lacks of homes, people, kinds, communities and a boundary: a report of what there is, and what to add."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import shapely
from parts import LACKING, toy_without

from xinhe_geo.core import amount
from xinhe_geo.district import District, check
from xinhe_geo.ledger import foot as ledger_foot
from xinhe_geo.report import brief
from xinhe_geo.report.pages.ground import street_facts, walked_to
from xinhe_geo.report.workbook import foot


def cost(parts: tuple[str, ...]) -> object:
    """A report with homes takes a second: of these the small ones run with all tests, the others before a release."""
    if "homes" in parts:
        return pytest.param(parts, id="-".join(parts), marks=() if len(parts) in (1, 5) else pytest.mark.slow)
    mark = pytest.mark.slow if len(parts) < 3 else pytest.mark.matrix
    return pytest.param(parts, id="-".join(parts), marks=mark)


def words_of(page: str) -> str:
    return re.sub(r"<(style|script|svg).*?</\1>|<[^>]*>", " ", page, flags=re.DOTALL)


@pytest.mark.slow
@pytest.mark.one_in(9)
@pytest.mark.parametrize("parts", [cost(parts) for parts in LACKING])
def test_each_of_the_31_ends_in_a_report_of_what_there_is(parts: tuple[str, ...], tmp_path: Path) -> None:
    folder = toy_without(parts, tmp_path / "toy")
    problems = check(folder)
    assert problems[problems["severity"] == "error"].empty
    found = brief(District.load(folder), tmp_path / "out")
    page = words_of((tmp_path / "out" / "index.html").read_text("utf-8"))
    assert found.empty == ("homes" in parts)
    assert not re.search(r"[\d,.]+ ?(人|个小区)不可达", page)  # every kind was only seen on a map
    if "homes" in parts:
        assert "补上住的地方" in page
        assert "可步行的道路" in page
        assert ("没有设施图层：不知道有什么" in page) == ("kinds" in parts)
    elif "kinds" in parts:
        assert found["value"].isna().all()
        assert "数据不足" in page
    elif "people" in parts:
        assert found["people_unserved"].isna().all()
        assert amount(float("nan")) in page


@pytest.mark.parametrize("parts", [(), ("communities",)], ids=["with", "without"])
def test_a_list_of_communities_is_named_where_there_is_one(parts: tuple[str, ...], tmp_path: Path) -> None:
    district = District.load(toy_without(parts, tmp_path / "toy"))
    for said in (foot(district), ledger_foot(district)):
        assert ("社区名录 2022 年" in said) == (parts == ()) and "社区名录" not in said.replace("社区名录 2022 年", "")


@pytest.mark.slow
def test_what_a_page_of_streets_says_is_what_the_toy_has(tmp_path: Path) -> None:
    """Counted again from the lines themselves: pieces between junctions, what hangs together, what lies within 1,000 m."""
    district = District.load(toy_without(("homes",), tmp_path / "toy"))
    edges = district.network.edges
    facts = street_facts(district)
    ends: dict[tuple[float, float], int] = {}
    for line in edges.geometry:
        for x, y in (line.coords[0], line.coords[-1]):
            ends[round(x, 3), round(y, 3)] = ends.get((round(x, 3), round(y, 3)), 0) + 1
    assert facts["crossings"] == sum(n >= 3 for n in ends.values())
    assert facts["ends"] == sum(n == 1 for n in ends.values())
    touching = shapely.get_parts(shapely.union_all(shapely.buffer(edges.geometry.array, 0.01)))
    assert facts["islands"] == len(touching) - 1
    assert facts["km"] == pytest.approx(edges.length.sum() / 1000)
    table = walked_to(district)
    assert table["share"].between(0, 1).all()
    everywhere = facts["main_share"] * facts["km"]
    assert (table["km"] <= everywhere + 1e-6).all()


@pytest.mark.slow
@pytest.mark.parametrize("parts", [("homes", "kinds")], ids=["streets"])
def test_a_page_of_streets_in_english_has_no_chinese_but_names(parts: tuple[str, ...], tmp_path: Path) -> None:
    district = District.load(toy_without(parts, tmp_path / "toy"))
    brief(district, tmp_path / "out", lang="en")
    page = (tmp_path / "out" / "index.html").read_text("utf-8")
    page = words_of(re.sub(r'<span lang="zh">(.*?)</span>', r" \1 ", page))
    names = {district.name, "手工可核算的玩具街道", *district.network.edges["name"].dropna()}
    for name in sorted(names, key=len, reverse=True):
        page = page.replace(str(name), "")
    assert not re.findall(r"[\u4e00-\u9fff]+", page)
