"""The desk of a notebook: parameters are checked before anything is computed, what is shown is kept, and columns have words."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely

import xinhe_geo as xh
from xinhe_geo.app import counts_of, hull_error, open_desk, places_named, reach_rule, share_of

TOY = Path(__file__).parents[1] / "toy"


@pytest.fixture(autouse=True)
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "clone" / "notebooks").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "clone" / "notebooks")


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"severity": "worst"}, "high"),
        ({"denominator": "persons"}, "people"),
        ({"by": "city"}, "community"),
        ({"kind": "clinic"}, "clinic_station"),
        ({"classes": ("alley",)}, "footway"),
        ({"year": 1}, "2000"),
        ({"year": True}, "2000"),
        ({"planned": 1}, "True"),
        ({"top": 0}, "大于 0"),
        ({"top": 2.5}, "大于 0"),
        ({"least": -1}, "0 或更大"),
        ({"speeds": (40, 20)}, "慢的在前"),
        ({"speeds": 30}, "慢的在前"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_first(given: dict[str, object], named: str) -> None:
    with pytest.raises((xh.UnknownNameError, ValueError), match=named):
        open_desk("07", TOY, **given)  # type: ignore[arg-type]
    assert not Path("../output").exists()


@pytest.mark.slow
def test_what_is_shown_is_kept() -> None:
    desk = open_desk("07", TOY, kind="canteen", by="zone", top=3)
    frame = pd.DataFrame({"share": [0.25, None], "people": [12.6, 3.0], "name": ["甲", "乙"]})
    columns = {"name": "小区", "share": "份额（%）", "people": "人口（人）"}
    table = desk.table(frame, columns, save="表")
    assert "<td" in table.to_html() and ">25.0<" in table.to_html() and "数据不足" in table.to_html()
    assert "13" in desk.path("表.csv").read_text("utf-8-sig")
    assert desk.show(table, "图") is table and desk.path("图.html").is_file()
    drawn = xh.draw(desk.district)
    assert desk.show(drawn, "地图") is drawn and "<html" in desk.path("地图.html").read_text("utf-8")
    desk.show(xh.picture(desk.district), "画")
    assert desk.path("画.svg").read_text("utf-8").startswith("<svg")


def test_people_are_counted_where_they_are_known() -> None:
    table = pd.DataFrame({"people": [100.0, 50.0, None], "people_60plus": [10.0, None, None]})
    assert share_of(table, pd.Series([True, False, True])) == "常住人口的 66.7%"
    assert share_of(table[2:], pd.Series([True], index=[2])) == "数据不足"
    counted = counts_of(table, pd.Series(["a", None, "a"]))
    assert list(counted.index) == ["a", ""] and list(counted["homes"]) == [2, 1]
    assert list(counted["people"]) == [100.0, 50.0] and pd.isna(counted.loc["", "people_60plus"])


@pytest.mark.slow
def test_a_question_of_ones_own() -> None:
    district = xh.District.load(TOY)
    rule = reach_rule(district, ("canteen", "fitness"), 10, "elderly", "去吃去练")
    assert rule.minutes == 10 and rule.metres == pytest.approx(10 * 60 * 0.8) and rule.kinds == ("canteen", "fitness")
    with pytest.raises(xh.UnknownNameError, match="canteen"):
        reach_rule(district, ("canten",), 10, "elderly", "去吃")


def test_the_error_of_a_hull_is_worked_out_by_hand() -> None:
    """An L of two streets, 100 m each, 20 m wide: 3800 m², and its hull a triangle that lies inside it but for a corner."""
    import networkx

    graph = networkx.MultiDiGraph(crs="EPSG:4548")
    for node, (x, y) in enumerate([(0, 0), (100, 0), (100, 100)]):
        graph.add_node(node, x=x, y=y)
    el = shapely.union_all([shapely.box(0, -10, 110, 10), shapely.box(90, -10, 110, 100)])
    exact = gpd.GeoDataFrame(geometry=[el], index=pd.Index([200.0], name="metres"), crs="EPSG:4548")
    row = hull_error(graph, {200.0: [0, 1, 2]}, exact).iloc[0]
    triangle = shapely.Polygon([(0, 0), (100, 0), (100, 100)])
    assert row["hull_ha"] == pytest.approx(0.5) and row["exact_ha"] == pytest.approx(el.area / 10_000)
    assert row["wrong_ha"] == pytest.approx(triangle.difference(el).area / 10_000)
    assert row["iou"] == pytest.approx(triangle.intersection(el).area / triangle.union(el).area)


def test_places_of_a_day_are_called_by_their_names() -> None:
    toy = xh.District.load(TOY)
    told = places_named(toy, pd.Series(["F1、F2", "F1、x", None], dtype="str"))
    assert told.tolist()[:2] == ["、".join(toy.facilities["name"][["F1", "F2"]]), f"{toy.facilities['name']['F1']}、x"]
    assert told.isna().tolist() == [False, False, True]
