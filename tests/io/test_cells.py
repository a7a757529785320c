"""What planners write into cells: numbers in words, rough ones, dates, remarks that begin like formulas, coordinates that say their axis."""

from __future__ import annotations

from pathlib import Path

import ezdxf
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinhe_geo.core import LAYERS
from xinhe_geo.district import alike, plain_name
from xinhe_geo.io.cells import cell_text, in_words, why_hostile
from xinhe_geo.io.dxf import read_dxf
from xinhe_geo.io.file_rows import rows_of
from xinhe_geo.io.gis_files import read_gpx
from xinhe_geo.io.headers import meanings
from xinhe_geo.io.incoming import Incoming
from xinhe_geo.io.positions import raw_shapes
from xinhe_geo.io.row_report import RowReport
from xinhe_geo.io.value_words import Answers, ValueWords

HOMES, FACILITIES = LAYERS["homes"], LAYERS["facilities"]


def spoken(number: int) -> str:
    """Return a number below a hundred million as it is said: 30005 is 三万零五."""
    if number >= 10_000:
        high, low = divmod(number, 10_000)
        return spoken(high) + "万" + ("" if not low else ("零" if low < 1000 else "") + spoken(low))
    said, gap = "", False
    for size, unit in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = number // size % 10
        if digit:
            said += ("零" if gap and said else "") + "零一二三四五六七八九"[digit] + unit
        gap = digit == 0
    return said


@given(st.integers(1, 99_999_999))
def test_a_number_that_is_said_is_that_number(number: int) -> None:
    assert in_words(spoken(number)) == number


@pytest.mark.parametrize(
    ("column", "written", "meant"),
    [
        *[("people", w, m) for w, m in {"二千": "2000", "三万五": "35000", "1.2万": "12000", "两百余": "200"}.items()],
        *[("people", w, m) for w, m in {"三百二": "320", "一二〇": "120", "十五": "15", "2千多人": "2000"}.items()],
        *[("people", w, m) for w, m in {"千余人": "1000", "500+": "500", "近1,200人": "1200", "1万2": "12000"}.items()],
        # what could be two numbers, or is none, is left for the check to refuse
        *[("people", w, w) for w in ("三五", "几百", "数十", "500-600", "很多", "-4", "三五百")],
        ("households", "三千户", "3000"),
        ("floor_area_m2", "1.2万㎡", "12000"),
        ("floor_area_m2", "一千二百平方米", "1200"),
        ("floor_area_m2", "3公顷", "30000"),
        *[("built", w, "2005") for w in ("二〇〇五年", "二千零五年", "20050601", "38353", "2005-06-01 00:00:00")],
        *[("built", w, "2005") for w in ("约2005年", "2005年左右", "2005.0")],
        *[("built", w, w) for w in ("九十年代", "20055", "98年")],
    ],
)
def test_numbers_as_people_write_them(column: str, written: str, meant: str) -> None:
    assert cell_text(HOMES.names[column], written, {}) == meant


def test_ten_thousands_are_counted_once() -> None:
    """Under 人口（万人） a bare 1.2 is 12,000; 1.2万 says so itself."""
    people = HOMES.names["people"]
    assert [cell_text(people, said, {}, 1e4) for said in ("1.2", "1.2万", "1.2万人")] == ["12000"] * 3


@pytest.mark.parametrize("remark", ["=见附件1", "+联系街道", "-改造中(二期)", "@民政科", '=HYPERLINK("http://x")'])
def test_a_remark_that_begins_like_a_formula_holds_back_no_row(remark: str) -> None:
    assert why_hostile(remark, remark=True) is None
    heads, report = ["名称", "类别", "备注"], RowReport()
    incoming = Incoming("a.csv", heads, [["甲", "canteen", remark], ["=甲", "canteen", "#N/A"]], [2, 3])
    rows = rows_of(incoming, FACILITIES, {"canteen": "食堂"}, None, report)
    assert list(rows.refused) == [1]  # what a place is called is no formula
    assert rows.cells["note"] == [remark, None]


def test_a_coordinate_says_which_axis_it_is() -> None:
    said = [
        "POINT (117.5 39.25)",
        "SRID=4326;Point(117.5 39.25)",
        "{'lat': 39.25, 'lng': 117.5}",
        "117.5,39.25",
        "N39°15′00″ E117°30′00″",
        "东经117.5，北纬39.25",
        "北纬39.25度；东经117.5度",
    ]
    incoming = Incoming("a.csv", ["坐标"], [[one] for one in said], list(range(len(said))))
    shapes, _ = raw_shapes(incoming, meanings(incoming, FACILITIES, None, RowReport()))
    assert np.allclose([(s.x, s.y) for s in shapes], (117.5, 39.25))


def test_texts_of_a_drawing_are_places_where_their_layer_has_nothing_else(tmp_path: Path) -> None:
    drawing = ezdxf.new()
    space = drawing.modelspace()
    space.add_text("甲药房", dxfattribs={"layer": "药店", "insert": (1, 2)})
    space.add_point((9, 9), dxfattribs={"layer": "超市"})
    space.add_text("图例", dxfattribs={"layer": "超市", "insert": (500, 500)})
    drawing.saveas(tmp_path / "a.dxf")
    found = read_dxf(tmp_path / "a.dxf", FACILITIES, None, RowReport())
    named = [dict(zip(found.heads, row, strict=True)) for row in found.rows]
    assert [(r["名称"], r["CAD图层"]) for r in named] == [("甲药房", "药店"), (None, "超市")]
    assert found.shapes is not None and found.shapes[0].coords[0] == (1, 2)
    assert len(read_dxf(tmp_path / "a.dxf", HOMES, None, RowReport()).rows) == 1  # a name of a road is no home


def test_waypoints_are_places(tmp_path: Path) -> None:
    path = tmp_path / "a.gpx"
    path.write_text(
        '<?xml version="1.0"?><gpx xmlns="http://www.topografix.com/GPX/1/1"><wpt lat="39.25" lon="117.5"><ele>3</ele>'
        "<name>甲药房</name><type>药店</type></wpt><trk><trkseg><trkpt lat='1' lon='2'/></trkseg></trk></gpx>",
        "utf-8",
    )
    found = read_gpx(path)
    assert found.rows == [["甲药房", "药店", None]]
    assert found.shapes is not None and found.shapes[0].coords[0] == (117.5, 39.25)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("甲苑小区", "甲苑", True),
        ("丁楼住宅小区", "丁楼", True),
        ("海河家园", "海河家园小区", True),
        ("甲苑北区", "甲苑", False),
        ("小区", "甲苑", False),
        ("甲苑一小区", "甲苑", False),
    ],
)
def test_a_compound_is_the_same_with_and_without_the_word(one: str, other: str, same: bool) -> None:
    """An office's list says 甲苑小区 where the folder says 甲苑: nobody lives there twice."""
    assert (plain_name(one) == plain_name(other)) is same
    assert alike(one, other) is same


@pytest.mark.parametrize(
    ("folder", "name", "kind", "asked"),
    [
        ("药店", "甲药房", "pharmacy", 0),
        ("我的收藏", "某处日间照料中心", "elderly_daycare", 0),  # the folder says nothing, the name does
        ("我的收藏", "某处", None, 1),
    ],
)
def test_a_folder_tells_a_kind_or_leaves_it_to_the_name(folder: str, name: str, kind: str | None, asked: int) -> None:
    kinds = {"pharmacy": "药店", "elderly_daycare": "老年人日间照料中心"}
    incoming = Incoming("a.kml", ["名称", "文件夹"], [[name, folder]], [1])
    rows = rows_of(incoming, FACILITIES, kinds, None, RowReport())
    words = ValueWords(rows, kinds, Answers())
    words.read_classes()
    assert rows.cells["kind"] == [kind] and len(words.ask()) == asked


def test_a_state_that_nobody_knows_is_asked_about_and_no_other_column() -> None:
    incoming = Incoming("a.csv", ["名称", "类别", "状态", "依据"], [["甲", "药店", "也许开", "听说"]], [2])
    rows = rows_of(incoming, FACILITIES, {"pharmacy": "药店"}, None, RowReport())
    words = ValueWords(rows, {"pharmacy": "药店"}, Answers())
    words.read_written()
    assert [line[:2] for line in words.ask()] == [("状态", "也许开")] and rows.cells["kind"] == ["pharmacy"]
