"""Headers as offices write them: which column of a file means what."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from xinhe_geo.core.errors import DataError, UnknownNameError
from xinhe_geo.core.schema import LAYERS
from xinhe_geo.io.add import add
from xinhe_geo.io.headers import meanings, one_datum
from xinhe_geo.io.incoming import Incoming
from xinhe_geo.io.row_report import RowReport
from xinhe_geo.io.tables import read_table


@pytest.mark.parametrize(
    ("lines", "heads"),
    [
        # two rows, no word of the lower one says more columns than the upper: "经度" is still more than "坐标"
        (
            [["序号", "小区名称", "坐标", None, "户数", "人口"], [None, None, "经度", "纬度", "（户）", "常住（人）"]],
            {"name", "@lon", "@lat", "households", "people"},
        ),
        (
            [["小区名称", "位置信息", None, "人口", None], [None, "经度", "纬度", "户籍", "60岁以上"]],
            {"name", "@lon", "@lat", "people", "people_60plus"},
        ),
        ([["小区名称", "坐标", "人口"]], {"name", "@both", "people"}),
    ],
)
def test_a_header_of_two_rows_is_read_for_what_its_lower_row_says(
    lines: list[list[str | None]], heads: set[str], tmp_path: Path
) -> None:
    path, report = tmp_path / "a.csv", RowReport()
    rows: list[Sequence[str | None]] = [*lines, *([str(100 + i)] * len(lines[0]) for i in range(3))]
    path.write_text("\n".join(",".join("" if c is None else str(c) for c in row) for row in rows), "utf-8")
    incoming = read_table(path, LAYERS["homes"], None, report)
    assert heads <= set(meanings(incoming, LAYERS["homes"], None, report))
    assert len(incoming.rows) == 3


@pytest.mark.parametrize(
    ("heads", "named"),
    [
        (["药店名称", "经度", "纬度"], "药店名称"),
        (["社区卫生服务站名称", "所属街道名称", "经度"], "社区卫生服务站名称"),
        (["社区名称", "类别"], None),
        (["药店名称", "名称"], "名称"),
        (["药店名称", "连锁店名称"], None),
        (["负责人名称", "类别"], None),
    ],
)
def test_a_list_of_one_kind_calls_its_names_after_it(heads: list[str], named: str | None) -> None:
    cells: list[object] = ["甲"] * len(heads)
    incoming = Incoming("a.csv", heads, [cells], [2])
    found = meanings(incoming, LAYERS["facilities"], None, RowReport())
    assert found.get("name") == (heads.index(named) if named else None)


@pytest.mark.parametrize("layer", ["homes", "小区"])
def test_a_layer_is_named_by_code_or_as_planners_call_it(layer: str, tmp_path: Path) -> None:
    (tmp_path / "district.toml").write_text("", "utf-8")
    with pytest.raises(DataError, match="schema"):  # the name is past: what is asked next is the folder
        add(tmp_path / "没有.xlsx", tmp_path, layer, crs="WGS84")


def test_an_unknown_layer_is_still_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="没有图层"):
        add(tmp_path / "没有.xlsx", tmp_path, "小区们", crs="WGS84")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "a.csv",
            "id,name,location.lng,location.lat,detail_info.tag,parent.name\nu1,甲,117.6,39.1,医疗;药店,某商场\n",
        ),
        (
            "a.json",
            '{"status": 0, "results": [{"id": "u1", "name": "甲", "location": {"lng": 117.6, "lat": 39.1}, '
            '"detail_info": {"tag": "医疗;药店"}, "parent": {"name": "某商场"}}]}',
        ),
    ],
)
def test_answers_of_map_services_are_read_one_level_deep(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    report = RowReport()
    incoming = read_table(tmp_path / name, LAYERS["facilities"], None, report)
    found = meanings(incoming, LAYERS["facilities"], None, report)
    said = {meaning: str(incoming.rows[0][j]) for meaning, j in found.items()}
    assert said == {"facility": "u1", "name": "甲", "@lon": "117.6", "@lat": "39.1", "@type": "医疗;药店"}


@pytest.mark.parametrize(
    ("name", "text", "kinds"),
    [
        # 腾讯 and 百度 have a `type` of their own beside their classification, in any order
        (
            "a.json",
            '{"status": 0, "data": [{"id": "1", "title": "甲", "type": 0, "category": "购物:超市"}]}',
            ["购物:超市"],
        ),
        ("a.csv", "uid,name,detail_info.type,detail_info.tag\nu,甲,life,医疗;药店\n", ["医疗;药店"]),
        # an answer in pages, the last one empty; and one whose list lies deeper
        (
            "a.json",
            '[{"status": "1", "pois": [{"id": "1", "name": "甲", "type": "a;b", "photos": [{"url": ""}]}]}, '
            '{"status": "1", "pois": [{"id": "2", "name": "乙", "type": "c"}]}, {"status": "1", "pois": []}]',
            ["a;b", "c"],
        ),
        ("a.json", '{"status": "1", "data": {"pois": [{"id": "1", "name": "甲", "type": "a"}]}}', ["a"]),
        # classes hold as many semicolons as a line has tabs, or more than it has commas
        ("a.txt", "id\tname\ttype\n1\t甲\ta;b;c|d;e;f\n2\t乙\ta;b;c\n", ["a;b;c|d;e;f", "a;b;c"]),
        ("a.csv", "id,name,type\n1,甲,a;b;c|d;e;f\n2,乙,a;b;c\n", ["a;b;c|d;e;f", "a;b;c"]),
        ("a.csv", "id;name;type\n1;甲;a,b\n2;乙;c,d\n", ["a,b", "c,d"]),
    ],
)
def test_the_classes_of_a_map_service_are_found(name: str, text: str, kinds: list[str], tmp_path: Path) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    incoming = read_table(tmp_path / name, LAYERS["facilities"], None, RowReport())
    found = meanings(incoming, LAYERS["facilities"], None, RowReport())
    assert {"facility", "name"} <= set(found)
    assert [row[found["@type"]] for row in incoming.rows] == kinds


def test_a_line_of_signatures_is_no_row_and_names_nobody(tmp_path: Path) -> None:
    path, report = tmp_path / "a.csv", RowReport()
    path.write_text(
        "名称,类别,面积\n一、养老服务设施,,\n甲,药店,1\n填表人：张三,,负责人：李四\n说明：甲:乙,药店,3\n", "utf-8"
    )
    assert len(read_table(path, LAYERS["facilities"], None, report).rows) == 2
    assert "张三" not in report.frame().to_csv() and "李四" not in report.frame().to_csv()


@pytest.mark.parametrize(
    ("layer", "said", "meant"),
    [
        ("homes", ["小区名", "2024年末常住人口（人）", "住户数"], ["name", "people", "households"]),
        ("homes", ["其中：60岁以上", "60周岁及以上老年人口数"], ["people_60plus", None]),
        ("homes", ["人口总数", "竣工年份", "总建筑面积（万㎡）"], ["people", "built", "floor_area_m2"]),
        # the latest year counts, wherever it stands; another age and another count are no residents
        ("homes", ["2020年常住人口", "2024年常住人口"], [None, "people"]),
        ("homes", ["65岁以上人口", "户籍户数", "流动人口"], [None, None, None]),
        ("facilities", ["机构全称", "机构类型", "运营状况"], ["name", "kind", "state"]),
        ("facilities", ["核定床位", "所服务的社区", "占地面积"], ["capacity", "serves_community", None]),
        ("facilities", ["POI名称", "POI分类", "wgs84_lng", "lat_wgs84"], ["name", "@type", "@lon", "@lat"]),
        ("facilities", ["百度经度", "GPS纬度", "经度°"], ["@lon", "@lat", None]),
    ],
)
def test_offices_put_years_counts_and_maps_around_a_word(layer: str, said: list[str], meant: list[str | None]) -> None:
    incoming = Incoming("a.csv", said, [["1"] * len(said)], [2])
    found = {j: name for name, j in meanings(incoming, LAYERS[layer], None, RowReport()).items()}
    assert [found.get(j) for j in range(len(said))] == meant


@pytest.mark.parametrize(("crs", "at"), [("WGS84", 3), ("GCJ-02", 1), ("EPSG:4326", 3), (4490, 3)])
def test_of_coordinates_in_several_datums_the_declared_ones_are_read(crs: object, at: int) -> None:
    report = RowReport()
    heads = ["name", "lng_gcj02", "lat_gcj02", "lng_wgs84", "lat_wgs84"]
    incoming = one_datum(Incoming("a.csv", heads, [["1"] * 5], [2]), crs, report)
    found = meanings(incoming, LAYERS["facilities"], None, RowReport())
    assert (found["@lon"], found["@lat"]) == (at, at + 1)
    assert len(report.lines) == 2
