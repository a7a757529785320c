"""Files as planners have them, made by code: whatever is in them, rows in = rows taken + rows reported; and the template, filled by chance."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import ezdxf
import geopandas as gpd
import openpyxl
import pandas as pd
import pyogrio
import pytest
import shapely
from clock import trials
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import xinhe_geo as xh
from xinhe_geo.app.cli import DONE, main
from xinhe_geo.core.datum import from_wgs84
from xinhe_geo.core.errors import DataError, EnvironmentProblem
from xinhe_geo.district import read_folder
from xinhe_geo.district.district import District
from xinhe_geo.io.add import add
from xinhe_geo.io.dxf import drawing_of
from xinhe_geo.io.row_report import tally
from xinhe_geo.io.template import template

resource = pytest.importorskip("resource", reason="a full disk is a limit on the size of files")
TOY = Path(__file__).parents[1] / "toy"
CHECKED = "测试里量过"
X, Y = 500_200.0, 4_320_100.0


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    return shutil.copytree(TOY, tmp_path / "toy")


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def balanced(report: pd.DataFrame, rows: int, taken: int) -> None:
    counts = tally(report)
    assert (counts["rows"], counts["taken"]) == (rows, taken), report.to_string()
    assert rows == counts["taken"] + counts["reported"]
    refused = report[report["result"] == "refused"]
    assert (refused["reason"] != "").all() and (refused["remedy"] != "").all()


# --- the planning institute -----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # names of fields are cut off, which is the point
def test_a_shapefile_of_the_planning_institute(tmp_path: Path, toy: Path) -> None:
    """GBK without .cpg, names of fields cut after five characters, zone 39 before the eastings, a bow tie, an empty shape."""
    boxes = [shapely.box(X + 39e6 + 60 * i, Y, X + 39e6 + 60 * i + 50, Y + 40) for i in range(5)]
    bow = shapely.Polygon([(X + 39e6, Y - 100), (X + 39e6 + 50, Y - 60), (X + 39e6 + 50, Y - 100), (X + 39e6, Y - 60)])
    frame = gpd.GeoDataFrame(
        {
            "地块编号": [f"DK-{i:02d}" for i in range(7)],
            "规划用地性质说明文字": ["二类居住用地"] * 7,
            "名称": ["一号地", "二号地（新河）", "三号地", "四号地", "五号地", "打结的地", "没有图的地"],
        },
        geometry=[*boxes, bow, None],
        crs=4527,
    )
    pyogrio.write_dataframe(frame, tmp_path / "地块.shp", encoding="GBK", driver="ESRI Shapefile")
    (tmp_path / "地块.cpg").unlink()
    report = add(tmp_path / "地块.shp", toy, "parcels", crs="EPSG:4527", apply=True, datum_checked=CHECKED)
    balanced(report, 7, 5)
    got = District.load(toy).rows["parcels"]
    assert got.loc["DK-01", "name"] == "二号地（新河）"
    assert got.geometry["DK-00"].hausdorff_distance(shapely.box(X, Y, X + 50, Y + 40)) < 0.01
    balanced(add(tmp_path / "地块.shp", toy, "parcels", crs="EPSG:4527", repair=True), 7, 6)


# --- web maps -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.matrix
def test_an_answer_of_a_web_map(tmp_path: Path, toy: Path) -> None:
    """Places as 高德 answers: GCJ-02 in one text, telephones, lists where a value is missing."""
    spots = gpd.GeoSeries(gpd.points_from_xy([X + 30 * i for i in range(4)], [Y] * 4), crs=4548).to_crs(4326)
    lon, lat = from_wgs84(spots.x, spots.y, "GCJ-02")
    pois = [
        {
            "id": f"B0FF{i}",
            "name": f"老年食堂{i}（分店）",
            "type": "餐饮服务;中餐厅",
            "typecode": "050100",
            "address": "学府道 1 号",
            "location": f"{lon[i]:.6f},{lat[i]:.6f}",
            "tel": "022-12345678",
            "adname": "滨海新区",
            "biz_ext": {"rating": []},
        }
        for i in range(4)
    ]
    pois.append({**pois[0], "id": "B0FF9", "location": [], "tel": []})
    path = tmp_path / "食堂.json"
    path.write_text(json.dumps({"status": "1", "count": "5", "pois": pois}, ensure_ascii=False), "utf-8")
    report = add(path, toy, "facilities", crs="GCJ-02", fill={"类别": "社区食堂"}, apply=True, datum_checked=CHECKED)
    balanced(report, 5, 4)
    assert "tel" in set(report.loc[report["result"] == "dropped", "column"])
    assert b"12345678" not in b"".join(contents(toy).values())
    got = District.load(toy).rows["facilities"]
    assert shapely.distance(got.geometry["B0FF1"], shapely.Point(X + 30, Y)) < 0.2
    assert got.loc["B0FF1", "kind"] == "canteen"
    with pytest.raises(DataError, match="可写：社区卫生服务中心"):
        add(path, toy, "facilities", crs="GCJ-02", fill={"类别": "饭馆"})


# --- the civil affairs office ---------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.matrix
def test_a_list_of_the_civil_affairs_office(tmp_path: Path, toy: Path) -> None:
    """Two rows of header, a kind merged over its rows, a subtotal in the middle, an address instead of coordinates, a twin name."""
    lonlat = gpd.GeoSeries([shapely.Point(X, Y)], crs=4548).to_crs(4326).iloc[0]
    home = District.load(toy).rows["homes"].dropna(subset="name").iloc[0]["name"]
    book = openpyxl.Workbook()
    sheet = book.active
    rows: list[list[Any]] = [
        ["滨海新区某街道为老服务设施台账（民政）", *[None] * 7],
        ["序号", "设施", None, None, "坐标", None, "负责人", "备注"],
        [None, "名称", "类型", "地址", "东经", "北纬", None, None],
        [1, "第一食堂", "社区食堂点", "某路 1 号", lonlat.x, lonlat.y, "张三", None],
        [2, "第二食堂", None, "某路 2 号", f"{int(lonlat.x)}°{(lonlat.x % 1) * 60:.4f}′", lonlat.y, "李四", "在建"],
        [None, "小计", None, 2],
        [3, "第三食堂", "社区食堂点", f"{home}北门", None, None, None, None],
        [4, "第一食堂", "社区食堂点", "别处", lonlat.x + 0.0005, lonlat.y, None, None],
        [5, "不知在哪的食堂", "社区食堂点", None, None, None, None, None],
        ["填表人：王五　审核：赵六"],
    ]
    for row in rows:
        sheet.append(row)
    for merged in ("A1:H1", "A2:A3", "B2:D2", "E2:F2", "C4:C5"):
        sheet.merge_cells(merged)
    book.save(tmp_path / "台账.xlsx")
    label = District.load(toy).kinds["label"]["canteen"]
    for row in (4, 7, 8, 9):
        sheet.cell(row, 3, label)
    book.save(tmp_path / "台账.xlsx")
    report = add(tmp_path / "台账.xlsx", toy, "facilities", crs="WGS84", apply=True, datum_checked=CHECKED)
    balanced(report, 7, 4)
    assert report["reason"].str.contains(f"放在小区“{home}”内").any()
    kept = b"".join(contents(toy).values()).decode("utf-8", "replace")
    assert not [n for n in ("张三", "李四", "王五", "赵六") if n in kept or n in report.to_csv()]


# --- drawings -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.matrix
def test_a_drawing_of_an_old_cad(tmp_path: Path, toy: Path) -> None:
    """R12 in GBK; names in escapes of code page 936 and of Unicode; a hatch and a dimension are rows that say why they stay."""
    made = ezdxf.new("R12")
    made.encoding = "gbk"
    space = made.modelspace()
    block = made.blocks.new("CANTEEN")
    block.add_attdef("名称", (0, 0))
    for i, name in enumerate(["甲食堂", "=A=", "=B="]):
        space.add_blockref("CANTEEN", (X + 20 * i, Y), dxfattribs={"layer": "食堂"}).add_attrib("名称", name, (0, 0))
    space.add_text("说明文字", dxfattribs={"layer": "食堂", "insert": (X, Y - 50)})
    space.add_solid([(X, Y), (X + 1, Y), (X, Y + 1)], dxfattribs={"layer": "食堂"})
    made.saveas(tmp_path / "a.dxf")
    raw = (tmp_path / "a.dxf").read_bytes()
    for mark, name in (("=A=", r"\M+5D2D2\U+98DF\U+5802"), ("=B=", r"\U+4E19食堂")):
        raw = raw.replace(mark.encode(), name.encode("gbk"))
    (tmp_path / "a.dxf").write_bytes(raw)
    report = add(
        tmp_path / "a.dxf", toy, "facilities", crs=4548, fill={"类别": "canteen"}, apply=True, datum_checked=CHECKED
    )
    balanced(report, 5, 3)
    got = District.load(toy).rows["facilities"]
    assert sorted(n for n in got["name"].dropna() if n in ("甲食堂", "乙食堂", "丙食堂")) == [
        "丙食堂",
        "乙食堂",
        "甲食堂",
    ]


@pytest.mark.slow
@pytest.mark.matrix
def test_sites_in_a_drawing_for_the_design_institute(tmp_path: Path, toy: Path) -> None:
    out = tmp_path / "街道.dxf"
    assert main(["dxf", str(toy), "--out", str(out), "--sites", "canteen"]) == DONE
    made = ezdxf.readfile(out)
    sites = [e for e in made.modelspace().query("INSERT") if e.dxf.layer == "选址"]
    assert len(sites) == 1
    found = xh.sites(District.load(toy), "canteen", 1)
    spot = shapely.point_on_surface(found.geometry.iloc[0])
    assert tuple(sites[0].dxf.insert)[:2] == pytest.approx((spot.x, spot.y), abs=1e-6)
    outlines = {e.dxf.layer for e in made.modelspace().query("LWPOLYLINE")}
    assert {"街道界", "小区"} & outlines and made.header["$INSUNITS"] == 6
    assert drawing_of(District.load(toy), tmp_path / "b.dxf", found)["选址"] == 1


# --- the template ---------------------------------------------------------------------------------------------------

NAME = st.text(st.characters(categories=("L", "N"), max_codepoint=0x9FFF), min_size=1, max_size=8).map(
    lambda s: f"点{s}"
)
ROW = st.fixed_dictionaries(
    {
        "名称": NAME,
        "常住": st.none(),
        "east": st.integers(0, 200),
        "north": st.integers(0, 200),
        "建筑面积": st.one_of(st.none(), st.integers(1, 9000), st.floats(1, 9000).map(lambda v: round(v, 2))),
        "备注": st.one_of(st.none(), NAME),
        "起始年": st.one_of(st.none(), st.integers(1980, 2022)),
    }
)


@pytest.mark.slow
@settings(
    max_examples=trials(5),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(rows=st.lists(ROW, min_size=1, max_size=4), data=st.data())
def test_a_template_filled_by_chance_comes_back(
    tmp_path: Path, rows: list[dict[str, Any]], data: st.DataObject, filled: Path
) -> None:
    """Whatever is typed into the template is in the folder, and taking it out and in again changes nothing."""
    folder = tmp_path / "folder"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(TOY, folder)
    book = openpyxl.load_workbook(filled)
    sheet = book["设施"]
    heads = {str(c.value).partition("（")[0]: c.column for c in sheet[2]}
    kinds = District.load(folder).kinds["label"]
    wanted = []
    for i, row in enumerate(rows):
        kind = data.draw(st.sampled_from(list(kinds.index)))
        spot = gpd.GeoSeries([shapely.Point(X + row["east"], Y + row["north"])], crs=4548).to_crs(4326).iloc[0]
        cells = {**row, "编号": f"T-{i}", "类别": kinds[kind], "经度": spot.x, "纬度": spot.y}
        for head, value in cells.items():
            if head in heads:
                sheet.cell(4 + i, heads[head], value)
        wanted.append((f"T-{i}", row["名称"], kind, row["备注"], row["建筑面积"], row["起始年"]))
    book.save(tmp_path / "填.xlsx")
    balanced(
        add(tmp_path / "填.xlsx", folder, "facilities", crs="WGS84", apply=True, datum_checked=CHECKED),
        len(rows) + 1,
        len(rows),
    )
    got = District.load(folder).rows["facilities"].loc[[w[0] for w in wanted]]
    columns = [
        got[c].astype("object").where(got[c].notna(), None) for c in ("name", "kind", "note", "floor_area_m2", "since")
    ]
    assert [tuple(v) for v in zip(got.index, *columns, strict=True)] == wanted
    spots = shapely.points([X + r["east"] for r in rows], [Y + r["north"] for r in rows])
    assert shapely.distance(got.geometry.array, spots).max() < 0.01
    stream = io.StringIO(newline="")
    lonlat = got.to_crs(4326).geometry
    csv.writer(stream).writerows(
        [
            ["编号", "name", "kind", "note", "floor_area_m2", "since", "lon", "lat"],
            *(
                [*["" if v is None else v for v in w], repr(p.x), repr(p.y)]
                for w, p in zip(wanted, lonlat, strict=True)
            ),
        ]
    )
    (tmp_path / "出.csv").write_text(stream.getvalue(), "utf-8-sig")
    again = tally(add(tmp_path / "出.csv", folder, "facilities", crs="WGS84"))
    assert again["unchanged"] == len(rows), again


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return template(tmp_path_factory.mktemp("template") / "模板.xlsx", TOY)


# --- a full disk ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize("apply", [True, False])
def test_a_full_disk_is_a_message_and_changes_nothing(tmp_path: Path, toy: Path, apply: bool) -> None:
    """No file may grow beyond so many bytes: the copy that is judged fails first, then the history, then the layer itself."""
    path = tmp_path / "a.csv"
    path.write_text("编号,名称,类别,经度,纬度\nN1,点,canteen,117.0023,39.0113\n", "utf-8-sig")
    before, soft = contents(toy), resource.getrlimit(resource.RLIMIT_FSIZE)
    state = read_folder(toy)
    refused = 0
    for limit in (0, 100, 1_000, 2_500, 10_000, 1_000_000):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, soft[1]))
        try:
            add(path, toy, "facilities", crs="WGS84", apply=apply, datum_checked=CHECKED)
        except EnvironmentProblem as error:
            refused += 1
            assert "磁盘空间" in str(error)
            assert not (toy / ".history").exists()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, soft)
        if limit < 1_000_000 and contents(toy) != before:
            assert apply and len(District.load(toy).rows["facilities"]) == len(state[1]["facilities"]) + 1
            break
        assert contents(toy) == before or (apply and limit == 1_000_000)
    assert refused >= 2
