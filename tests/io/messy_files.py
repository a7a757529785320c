"""
A corpus of files as offices have them: every layout in every program and encoding that can hold it, with what must become of it.

A layout is rows of cells as a person sees them; a carrier writes them as a program does. What the account says of a layout
(rows, those taken, those asked about) was written down by reading it as a person would, and holds whatever carries it.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import ezdxf
import geopandas as gpd
import openpyxl
import shapely
from old_workbook import Merge, write_old_workbook

Cell = str | int | float | None
Rows = list[list[Cell]]
TOY_CRS = 4548


@dataclass(frozen=True)
class Layout:
    """
    Rows as a person sees them, and what must become of them.

    `rows` counts what a person would call a row of the list, and totals, remarks and repeated headers below the header;
    `taken` names the places that come in with what they are; `asked` how many wait for an answer; the rest is explained.
    """

    cells: Rows
    rows: int
    taken: dict[str, dict[str, object]]
    asked: int = 0
    layer: str = "facilities"
    merges: tuple[Merge, ...] = ()  # first row, first column, last row, last column, from 0
    other_sheets: tuple[tuple[str, Rows], ...] = ()
    flat: bool = False  # one header row and nothing else: what a list of records can say too
    people: float | None = None  # who lives in the district afterwards
    fill: dict[str, str] = field(default_factory=dict)


@cache
def spot(i: int) -> tuple[float, float]:
    """Return longitude and latitude of the i-th free spot of the toy district."""
    point = gpd.GeoSeries([shapely.Point(500_560 + 60 * (i % 4), 4_320_130 + 60 * (i // 4))], crs=TOY_CRS)
    there = point.to_crs(4326).iloc[0]
    return round(there.x, 7), round(there.y, 7)


def lon(i: int) -> float:
    return spot(i)[0]


def lat(i: int) -> float:
    return spot(i)[1]


def both(i: int) -> str:
    return f"{lon(i)},{lat(i)}"


def dms(value: float) -> str:
    minutes = (value % 1) * 60
    return f"{int(value)}°{int(minutes)}′{(minutes % 1) * 60:.3f}″"


def kind(code: str, **more: object) -> dict[str, object]:
    return {"kind": code, **more}


def plain() -> Layout:
    head: Rows = [["编号", "名称", "类别", "经度", "纬度"]]
    body: Rows = [[f"P{i}", f"药房{i}号店", "药店", lon(i), lat(i)] for i in range(4)]
    return Layout(head + body, 4, {f"药房{i}号店": kind("pharmacy") for i in range(4)}, flat=True)


def title_and_unit_rows() -> Layout:
    cells: Rows = [
        ["某街道便民设施一览表"],
        ["填报单位：某科", None, None, None, "2026年3月"],
        ["设施名称", "设施类型", "建筑面积", "东经", "北纬"],
        [None, None, "平方米", "度", "度"],
        ["东街菜场", "菜市场", 1200, lon(0), lat(0)],
        ["西街菜场", "菜市场", "1,350", lon(1), lat(1)],
    ]
    return Layout(
        cells,
        2,
        {"东街菜场": kind("market", floor_area_m2=1200.0), "西街菜场": kind("market", floor_area_m2=1350.0)},
    )


def units_below_in_brackets() -> Layout:
    cells: Rows = [
        ["名称", "类别", "建筑面积", "经度", "纬度"],
        [None, None, "（万平方米）", "（°）", "（°）"],
        ["东街商场", "商业综合体", 1.2, lon(0), lat(0)],
    ]
    return Layout(cells, 1, {"东街商场": kind("mall", floor_area_m2=12000.0)})


def two_levels() -> Layout:
    cells: Rows = [
        ["序号", "设施", None, "坐标", None],
        [None, "名称", "类别", "经度", "纬度"],
        [1, "一小", "小学", lon(0), lat(0)],
        [2, "二小", "小学", lon(1), lat(1)],
    ]
    merges = ((0, 0, 1, 0), (0, 1, 0, 2), (0, 3, 0, 4))
    return Layout(cells, 2, {"一小": kind("primary_school"), "二小": kind("primary_school")}, merges=merges)


def three_levels() -> Layout:
    cells: Rows = [
        ["设施台账", None, None, None, None, None],
        ["序号", "基本情况", None, "位置", None, None],
        [None, "名称", "类别", "坐标", None, "地址"],
        [None, None, None, "经度", "纬度", None],
        [1, "北幼", "幼儿园", lon(0), lat(0), "某路 1 号"],
        [2, "南幼", None, lon(1), lat(1), "某路 2 号"],
        [3, "东超", "综合超市", lon(2), lat(2), "某路 3 号"],
    ]
    merges = (
        (0, 0, 0, 5),
        (1, 0, 3, 0),
        (1, 1, 1, 2),
        (1, 3, 1, 5),
        (2, 1, 3, 1),
        (2, 2, 3, 2),
        (2, 3, 2, 4),
        (2, 5, 3, 5),
    )
    # in a workbook the kind would be merged over rows 4 and 5; without the merge a blank kind is explained
    return Layout(cells, 3, {"北幼": kind("kindergarten"), "东超": kind("supermarket")}, merges=merges)


def totals_and_notes() -> Layout:
    cells: Rows = [
        ["名称", "类别", "建筑面积（㎡）", "经度", "纬度"],
        ["甲馆", "体育馆", 900, lon(0), lat(0)],
        ["小计", None, 900],
        ["乙馆", "体育馆", 700, lon(1), lat(1)],
        ["小 计", None, 700],
        ["合  计", None, 1600],
        ["注：面积为建筑面积"],
        ["2. 数据截至 2026 年 3 月"],
        ["填表人：", None, "审核："],
    ]
    return Layout(cells, 8, {"甲馆": kind("sports_center"), "乙馆": kind("sports_center")})


def printed_pages() -> Layout:
    head: list[Cell] = ["名称", "类别", "经度", "纬度"]
    cells: Rows = [
        head,
        ["一店", "便利店", lon(0), lat(0)],
        ["本页小计", 1],
        head,
        ["二店", "便利店", lon(1), lat(1)],
        [],
        ["三店", "便利店", lon(2), lat(2)],
        ["总　计", 3],
    ]
    return Layout(cells, 6, {n: kind("convenience") for n in ("一店", "二店", "三店")})


def amap() -> Layout:
    head: Rows = [["id", "name", "type", "typecode", "address", "location", "tel"]]
    types = [
        ("医疗保健服务;医药保健销售店;药房", "090601"),
        ("购物服务;超级市场;超市", "060400"),
        ("餐饮服务;中餐厅;火锅店", "050117"),
        ("医疗保健服务;诊所;诊所", "090300"),
        ("体育休闲服务;运动场馆;足球场", "080105"),
        ("公司企业;公司;公司", "170200"),
    ]
    body: Rows = [
        [f"B0FF{i}", f"某处{i}", said, code, "某路", both(i), "022-12345678"] for i, (said, code) in enumerate(types)
    ]
    taken = {"某处0": kind("pharmacy"), "某处1": kind("supermarket"), "某处4": kind("football_field")}
    return Layout(head + body, 6, taken, asked=1, flat=True)


def baidu() -> Layout:
    head: Rows = [["uid", "name", "tag", "lng", "lat"]]
    said = ["医疗;药店", "购物;超市", "购物;便利店", "美食;中餐厅", "教育培训;幼儿园", "交通设施;停车场"]
    body: Rows = [[f"u{i}", f"百处{i}", tag, lon(i), lat(i)] for i, tag in enumerate(said)]
    kinds = ["pharmacy", "supermarket", "convenience", "", "kindergarten", "parking"]
    return Layout(head + body, 6, {f"百处{i}": kind(k) for i, k in enumerate(kinds) if k}, flat=True)


def tencent() -> Layout:
    head: Rows = [["id", "title", "category", "lng", "lat"]]
    said = ["医疗保健:药店", "购物:超市", "教育学校:小学", "美食:日本菜"]
    body: Rows = [[f"t{i}", f"腾处{i}", tag, lon(i), lat(i)] for i, tag in enumerate(said)]
    taken = {"腾处0": kind("pharmacy"), "腾处1": kind("supermarket"), "腾处2": kind("primary_school")}
    return Layout(head + body, 4, taken, flat=True)


def degrees() -> Layout:
    head: Rows = [["名称", "类别", "经度（度分秒）", "纬度（度分秒）"]]
    body: Rows = [[f"文印{i}", "照相文印店", dms(lon(i)), dms(lat(i))] for i in range(2)]
    body.append(["文印9", "照相文印店", "117°75′00″", dms(lat(2))])
    return Layout(head + body, 3, {f"文印{i}": kind("photo_print") for i in range(2)}, flat=True)


def states() -> Layout:
    head: Rows = [["名称", "类别", "使用状态", "经度", "纬度"]]
    said = [
        ("停用", "closed"),
        ("规划", "planned"),
        ("正常使用", "open"),
        ("在用", "open"),
        ("未启用", None),
        ("", None),
    ]
    body: Rows = [[f"足球{i}", "足球场地", word, lon(i), lat(i)] for i, (word, _) in enumerate(said)]
    taken = {f"足球{i}": kind("football_field", state=state) for i, (_, state) in enumerate(said) if i != 4}
    return Layout(head + body, 6, taken, asked=1, flat=True)


def by_name() -> Layout:
    head: Rows = [["名称", "经度", "纬度"]]
    names = ["学府日间照料中心", "某某路社区卫生服务站", "看不出是什么"]
    body: Rows = [[name, lon(i), lat(i)] for i, name in enumerate(names)]
    taken = {names[0]: kind("elderly_daycare"), names[1]: kind("clinic_station")}
    return Layout(head + body, 3, taken, flat=True)


def by_value() -> Layout:
    head: Rows = [["名称", "类别", "经度", "纬度"]]
    said = ["口腔诊所", "口腔诊所", "口腔诊所", "药店", "图书馆"]
    body: Rows = [[f"牙处{i}", word, lon(i), lat(i)] for i, word in enumerate(said)]
    return Layout(head + body, 5, {"牙处3": kind("pharmacy"), "牙处4": kind("library")}, asked=3, flat=True)


def bad_rows() -> Layout:
    head: Rows = [["编号", "名称", "类别", "规模", "经度", "纬度"]]
    body: Rows = [
        ["W1", "好处1", "消防站", 3, lon(0), lat(0)],
        ["W2", "坏处2", "消防站", 3, 0, 0],
        ["W1", "坏处3", "消防站", 3, lon(1), lat(1)],
        ["W4", "坏处4", "消防站", "很多", lon(2), lat(2)],
        ["W5", "好处5", "消防站", "约20", lon(3), lat(3)],
        ["W6", "坏处6", "消防站", -4, lon(4), lat(4)],
    ]
    return Layout(
        head + body, 6, {"好处1": kind("fire_station"), "好处5": kind("fire_station", capacity=20.0)}, flat=True
    )


def people_as_text() -> Layout:
    cells: Rows = [
        ["小区人口表（单位：人）"],
        ["小区名称", "户数", "常住人口", "60岁以上", "建成年代", "坐标"],
        ["新苑", "400户", "1,234 人", "约500", "二〇〇五年", both(0)],
        ["老苑", "１２０", "0.03万人", "60人左右", "1998年6月", both(1)],
        ["合计", "520", "1,534"],
    ]
    taken: dict[str, dict[str, object]] = {
        "新苑": {"people": 1234.0, "people_60plus": 500.0, "built": 2005, "households": 400},
        "老苑": {"people": 300.0, "people_60plus": 60.0, "built": 1998, "households": 120},
    }
    return Layout(cells, 3, taken, layer="homes", people=360 + 1534)


def own_compounds() -> Layout:
    """The office's own list of compounds that are there already: nobody lives twice."""
    cells: Rows = [
        ["小区", "总户数", "总人口"],
        ["甲苑", "40 户", "101人"],
        ["乙苑", "80 户", "198人"],
        ["合 计", 120, 299],
    ]
    taken: dict[str, dict[str, object]] = {"甲苑": {"people": 101.0}, "乙苑": {"people": 198.0}}
    return Layout(cells, 3, taken, layer="homes", people=360 - 300 + 299)


def address_list() -> Layout:
    cells: Rows = [
        ["名称", "类别", "地址"],
        ["甲苑物业", "家政服务点", "某街道甲苑 3 号楼底商"],
        ["乙苑物业", "家政服务点", "乙苑门口"],
        ["某物业", "家政服务点", "不详"],
    ]
    return Layout(cells, 3, {n: kind("housekeeping", basis="derived") for n in ("甲苑物业", "乙苑物业")}, flat=True)


def second_sheet() -> Layout:
    cover: Rows = [["填报说明"], ["一、每行一处"], ["二、坐标用十进制度"]]
    one = plain()
    return Layout(one.cells, 4, one.taken, other_sheets=(("封面", cover), ("字典", [["代码", "含义"], [1, "是"]])))


LAYOUTS: tuple[Callable[[], Layout], ...] = (
    plain,
    title_and_unit_rows,
    units_below_in_brackets,
    two_levels,
    three_levels,
    totals_and_notes,
    printed_pages,
    amap,
    baidu,
    tencent,
    degrees,
    states,
    by_name,
    by_value,
    bad_rows,
    people_as_text,
    own_compounds,
    address_list,
    second_sheet,
)


# --- programs -------------------------------------------------------------------------------------------------------


def xlsx(path: Path, layout: Layout) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    for name, cells in layout.other_sheets:
        other = book.create_sheet(name, 0)
        for row in cells:
            other.append(row)
    for row in layout.cells:
        sheet.append(row)
    for r1, c1, r2, c2 in layout.merges:
        sheet.merge_cells(start_row=r1 + 1, start_column=c1 + 1, end_row=r2 + 1, end_column=c2 + 1)
    book.save(path.with_suffix(".xlsx"))
    return path.with_suffix(".xlsx")


def xls(path: Path, layout: Layout) -> Path:
    sheets = [("Sheet1", layout.cells), *layout.other_sheets]
    return write_old_workbook(path.with_suffix(".xls"), sheets, layout.merges)


def _text(path: Path, rows: Sequence[Sequence[Cell]], encoding: str, separator: str = ",") -> Path:
    stream = io.StringIO(newline="")
    csv.writer(stream, delimiter=separator).writerows(rows)
    path.with_suffix(".csv").write_bytes(stream.getvalue().encode(encoding))
    return path.with_suffix(".csv")


def csv_utf8(path: Path, layout: Layout) -> Path:
    return _text(path, layout.cells, "utf-8-sig")


def csv_gb18030(path: Path, layout: Layout) -> Path:
    return _text(path, layout.cells, "gb18030")


def text_utf16(path: Path, layout: Layout) -> Path:
    """Excel's “Unicode 文本”, renamed."""
    return _text(path, layout.cells, "utf-16", "\t")


def csv_wps(path: Path, layout: Layout) -> Path:
    """WPS: GBK, every row as wide as the widest, numbers with blanks around, empty rows and columns at the end."""
    wide = max(len(row) for row in layout.cells) + 2
    cells = [
        [*(f" {c} " if isinstance(c, (int, float)) else c for c in row), *[""] * (wide - len(row))]
        for row in layout.cells
    ]
    return _text(path, [*cells, *[[""] * wide] * 3], "gbk")


def records(path: Path, layout: Layout) -> Path:
    head, *body = layout.cells
    rows = [dict(zip(head, row, strict=True)) for row in body]
    said = {"status": "1", "count": str(len(rows)), "pois": rows}
    path.with_suffix(".json").write_text(json.dumps(said, ensure_ascii=False), "utf-8")
    return path.with_suffix(".json")


CARRIERS: tuple[Callable[[Path, Layout], Path], ...] = (xlsx, xls, csv_utf8, csv_gb18030, text_utf16, csv_wps)


# --- GIS and CAD ----------------------------------------------------------------------------------------------------


def _features() -> gpd.GeoDataFrame:
    names = ["图处0", "图处1", "图处2"]
    columns = {"NAME": names, "类别": ["药店", "综合超市", "口腔诊所"]}
    return gpd.GeoDataFrame(columns, geometry=[shapely.Point(spot(i)) for i in range(3)], crs=4326)


GIS = Layout([], 3, {"图处0": kind("pharmacy"), "图处1": kind("supermarket")}, asked=1)


#: The same as a drawing: a CAD layer says what stands on it, a text beside a point what it is called, and is a row too.
CAD = Layout([], 6, GIS.taken, asked=1)


def gis_shapefile(path: Path, layout: Layout) -> Path:
    _features().rename(columns={"NAME": "名称"}).to_file(path.with_suffix(".shp"), encoding="gbk")
    return path.with_suffix(".shp")


def gis_shapefile_bare(path: Path, layout: Layout) -> Path:
    """A shapefile that lost its .prj and .cpg on the way."""
    made = gis_shapefile(path, layout)
    for suffix in (".prj", ".cpg"):
        made.with_suffix(suffix).unlink(missing_ok=True)
    return made


def gis_geopackage(path: Path, layout: Layout) -> Path:
    _features().to_file(path.with_suffix(".gpkg"))
    return path.with_suffix(".gpkg")


def gis_geojson(path: Path, layout: Layout) -> Path:
    _features().to_file(path.with_suffix(".geojson"), driver="GeoJSON")
    return path.with_suffix(".geojson")


def gis_dxf(path: Path, layout: Layout) -> Path:
    """Points on layers that are called what they are, their names beside them, in the district's grid."""
    drawing = ezdxf.new()
    page = drawing.modelspace()
    for i, layer in enumerate(("药店", "综合超市", "口腔诊所")):
        x, y = 500_560 + 60 * i, 4_320_130
        page.add_point((x, y), dxfattribs={"layer": layer})
        page.add_text(f"图处{i}", height=2, dxfattribs={"layer": layer}).set_placement((x + 1, y + 1))
    drawing.saveas(path.with_suffix(".dxf"))
    return path.with_suffix(".dxf")


@dataclass(frozen=True)
class File:
    """One file of the corpus: how it is called, what writes it, and what must become of it."""

    name: str
    write: Callable[[Path, Layout], Path]
    layout: Callable[[], Layout]
    crs: str = "WGS84"


def corpus() -> list[File]:
    """Return every file: layouts times carriers, and the formats of GIS and CAD."""
    found = [
        File(f"{lay.__name__}-{way.__name__}", way, lay)
        for lay in LAYOUTS
        for way in CARRIERS
        if way in (xlsx, xls) or not lay().other_sheets
    ]
    found += [File(f"{lay.__name__}-records", records, lay) for lay in LAYOUTS if lay().flat]
    gis = (gis_shapefile, gis_shapefile_bare, gis_geopackage, gis_geojson)
    found += [File(way.__name__, way, lambda: GIS) for way in gis]
    return [*found, File("gis_dxf", gis_dxf, lambda: CAD, f"EPSG:{TOY_CRS}")]
