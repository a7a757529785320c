"""Places the plan and the reference pages name, barriers and roads as lines, and the small layers around them."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

import shapely

from . import skeleton as s
from .blocks import SEED, Compound, Lot
from .frame import XY, local
from .lines import curve, rounded
from .pois import PLAN, belts
from .regions import SKETCH, Regions, tidy

Row = dict[str, Any]

WINDOW_PLACES = (
    ("贻成豪庭", "estate", 117.6470, 39.0680, "属新北街道"),
    ("贻锦台", "estate", 117.6441, 39.0626, "属新北街道"),
    ("广厦富城", "estate", 117.6398, 39.0615, "街道归属未核"),
    ("东海岸家园", "estate", 117.6355, 39.0626, "街道归属未核"),
    ("桃源居", "estate", 117.6315, 39.0623, "属新北街道"),
    ("天津滨海职业学院", "university", 117.6369, 39.0674, ""),
    ("天津市第一机动车驾驶员培训学校", "driving_school", 117.6357, 39.0712, ""),
    ("汉庭酒店", "building", 117.6427, 39.0712, ""),
)
MARINE_BOX = ((117.58598, 39.05600), (117.69129, 39.05600), (117.69129, 39.10812), (117.58598, 39.10812))


def place_rows(
    regions: Regions, lots: Sequence[Lot], compounds: Sequence[Compound], facilities: Sequence[Row]
) -> list[Row]:
    """Named places: real positions where one is known, else where the drawing put them."""
    rows: list[Row] = [
        {
            "name": "塘沽站",
            "type": "station",
            "basis": "derived",
            "note": "由百度坐标117.649823, 39.033812反算（假定为BD-09），反算精度未核；在街道界外",
            "geometry": shapely.Point(local(117.63710, 39.02725)),
        },
        {
            "name": "高新区海洋园区（外接框）",
            "type": "external_anchor",
            "basis": "derived",
            "note": "海洋高新技术产业园区外接矩形，不是界线；与新城区重叠管理，统计单元120116402401",
            "geometry": shapely.Polygon([local(*p) for p in MARINE_BOX]),
        },
    ]
    for name, kind, lon, lat, note in WINDOW_PLACES:
        rows.append(
            {
                "name": name,
                "type": kind,
                "basis": "osm",
                "source": s.OSM_NOTE,
                "note": "；".join(filter(None, ("面中心取自OpenStreetMap，坐标取至小数4位；在街道界外", note))),
                "geometry": shapely.Point(local(lon, lat)),
            }
        )
    rows += _named_lots(lots)
    rows += _named_facilities(facilities)
    rows += _named_homes(compounds)
    rows += _sites(regions)
    return [{"id": f"P{n:02d}", "basis": "schematic", **row} for n, row in enumerate(rows, 1)]


def _named_lots(lots: Sequence[Lot]) -> list[Row]:
    names = {"友阿奥特莱斯": "mall", "红星美凯龙": "mall", "吾悦广场": "mall", "烈士陵园": "site"}
    rows = []
    for lot in lots:
        kind = names.get(lot.label) or ("logistics_park" if lot.label.endswith("物流园") else None)
        if kind:
            rows.append({"name": lot.label, "type": kind, "note": PLAN + "（取一处示意街坊）", "geometry": lot.shape})
    return rows


def _named_facilities(facilities: Sequence[Row]) -> list[Row]:
    """Places that are facilities too: the same position."""
    names = {
        "华庭路生鲜智慧（农贸）菜市场": "market",
        "响螺湾医院": "hospital",
        "新河街社区卫生服务中心": "clinic_center",
        "街道综合文化服务中心（新河文化站）": "culture_center",
        "金元宝海洋生活广场": "mall",
    }
    rows = []
    for f in facilities:
        if f["name"] in names:
            extra = {"basis": "osm", "source": s.OSM_NOTE} if f.get("basis") == "osm" else {}
            rows.append(
                {"name": f["name"], "type": names[f["name"]], "note": f.get("note"), **extra, "geometry": f["geometry"]}
            )
    return rows


def _named_homes(compounds: Sequence[Compound]) -> list[Row]:
    jinhai = shapely.union_all([c.shape for c in compounds if c.name.startswith("金海云城")]).convex_hull
    xinjian = next(c for c in compounds if c.name == "新建里小区")
    return [
        {"name": "金海云城", "type": "estate", "note": "新城区启动基础楼盘；位置为示意", "geometry": tidy(jinhai)},
        {"name": "新建里小区", "type": "estate", "note": PLAN, "geometry": xinjian.shape},
    ]


def _sites(regions: Regions) -> list[Row]:
    """Sites known by name alone: each put where the text makes it plausible."""

    def old(u: float, level: float) -> XY:
        return s.old_row(level, s.column(u, level)[0])

    spots = (
        ("新河街消防体验馆", "site", old(s.C_HUA + 120, 2076), PLAN),
        ("综合指挥中心", "site", old(s.C_HUA + 60, 2110), "拟建；" + PLAN),
        ("新建里棚改", "renewal_site", old(s.C_YI + 130, 1200), "“十三五”棚户区改造片；" + PLAN),
        ("小桥外", "renewal_site", old(s.C_6 + 60, 1200), "“十三五”棚户区改造片；" + PLAN),
        ("高新区信创谷", "external_anchor", s.new_row(7150, -1550), PLAN),
    )
    rows = [{"name": n, "type": t, "note": note, "geometry": shapely.Point(rounded([p])[0])} for n, t, p, note in spots]
    canal = shapely.LineString(s.canal_axis()).intersection(regions.district.buffer(30))
    rows.append({"name": "新河干渠", "type": "water", "note": PLAN, "geometry": _lines(canal)})
    return rows


def _lines(shape: Any) -> Any:
    """Coordinates to a centimetre."""
    return shapely.transform(shape, lambda xy: xy.round(2))


def parcel_rows(lots: Sequence[Lot]) -> list[Row]:
    """The three renewal parcels: hulls of the blocks set aside for them."""
    out = []
    names = (
        ("wuchedi", "五车地", "old", "老城区棚户区改造地块，近安顺道、崇信路、赵新路"),
        ("south", "新河庄南河底", "new", "城市更新地块，新河干渠南侧"),
        ("north", "新河庄北河底", "new", "城市更新地块，新河干渠北侧"),
    )
    for label, name, zone, note in names:
        shape = shapely.union_all([q.shape for q in lots if q.label == label])
        shape = shape.buffer(45, quad_segs=2).buffer(-42, quad_segs=2)
        largest = max(getattr(shape, "geoms", [shape]), key=lambda g: g.area)
        out.append(
            {
                "parcel": label if label == "wuchedi" else f"xinhezhuang-{label}",
                "name": name,
                "zone": zone,
                "use": "城市更新" if zone == "new" else "棚户区改造",
                "note": f"{note}；示意位置，非征收范围、非权属界线；{SKETCH}",
                "geometry": tidy(largest, 4.0),
            }
        )
    return out


def barrier_rows(regions: Regions, lots: Sequence[Lot]) -> list[Row]:
    """Barriers as lines, and the walls of the logistics parks."""
    rows = [
        {
            "barrier": b.key,
            "name": b.name,
            "kind": b.kind,
            "basis": b.basis,
            "note": b.note,
            "source": s.OSM_NOTE if b.basis == "osm" else None,
            "geometry": shapely.LineString(regions.expressway() if b.key == "exp" else b.points),
        }
        for b in s.BARRIERS
    ]
    for n, lot in enumerate([q for q in lots if q.label.endswith("物流园")], 1):
        rows.append(
            {
                "barrier": f"wall{n}",
                "name": lot.label + "围墙（示意）",
                "kind": "wall",
                "basis": "schematic",
                "geometry": shapely.LineString(lot.shape.exterior.coords),
            }
        )
    return rows


def named_road_rows(regions: Regions) -> list[Row]:
    """Real lines where they are known (two for a dual road), one schematic axis for each other road of the plan."""
    rows: list[Row] = []
    real = "线位取自OpenStreetMap（2026-10-04），坐标取至小数4位"
    for name, cls, points in s.REAL:
        rows.append(
            {
                "name": name,
                "class": cls,
                "basis": "osm",
                "source": s.OSM_NOTE,
                "note": real,
                "geometry": shapely.LineString([local(*p) for p in points]),
            }
        )
    for name, pairs in s.MOTORROADS:
        rows.append(
            {
                "name": name,
                "class": "primary",
                "basis": "osm",
                "source": s.OSM_NOTE,
                "note": real + "；机动车专用" + ("，高架" if name == "第九大街" else ""),
                "geometry": shapely.LineString([local(*p) for p in pairs]),
            }
        )
    exp, freight, changshen = (next(b for b in s.BARRIERS if b.key == k) for k in ("exp", "freight", "changshen"))
    drawn: tuple[tuple[str, str, Sequence[XY], str], ...] = (
        ("京津塘高速公路", "motorway", regions.expressway(), "又作津京塘高速；" + exp.note),
        ("长深高速公路", "motorway", changshen.points, changshen.note),
        ("天津港集疏运专用货运通道", "trunk", freight.points, freight.note),
        ("津塘公路", "primary", s.axis_jintang(), "四季风情社区北界"),
        ("港城大道", "primary", curve(lambda x: s.new_row(s.GANGCHENG, x), -2200, 3420, 110), "物流园沿线"),
        ("威海路（南延示意）", "secondary", s.axis_weihai(), "由真实线位南端117.6306, 39.0574向南延伸"),
        ("云山道（西延示意）", "secondary", s.axis_yunshan(), "由真实线位西端117.6273, 39.0643向西延伸"),
        ("安顺道", "secondary", curve(lambda x: s.old_row(s.R_ANSHUN, x), -720, 2600, 90), "五车地周边"),
        (
            "崇智路",
            "secondary",
            curve(lambda y: s.column(s.C_ZHI, y), -210, 3870, 90),
            "四季风情社区东界，北延与赵新路相交",
        ),
        ("崇信路", "tertiary", curve(lambda y: s.column(s.C_XIN, y), 270, 3870, 90), "五车地周边；在铁路处不通车"),
        ("崇义路", "tertiary", curve(lambda y: s.column(s.C_YI, y), -210, 3870, 90), "四季风情社区西界"),
        ("华庭路", "tertiary", curve(lambda y: s.column(s.C_HUA, y), 1130, 4010, 90), "菜市场所在"),
        ("新胡路", "tertiary", curve(lambda x: s.old_row(s.R_XINHU, x), -720, 2600, 90), "四季风情社区南界"),
        ("赵新路", "tertiary", curve(lambda x: s.old_row(s.R_ZHAOXIN, x), -720, 2600, 90), "五车地周边"),
    )
    rows += [
        {
            "name": n,
            "class": c,
            "basis": "schematic",
            "note": f"{note}；线位为示意",
            "geometry": shapely.LineString(rounded(p)),
        }
        for n, c, p, note in drawn
    ]
    return [{"id": f"R{n:02d}", **row} for n, row in enumerate(rows, 1)]


USES = {
    "housing": "residential",
    "renewal": "residential",
    "village": "residential",
    "school": "education",
    "park": "green",
    "memorial": "green",
}


def landuse_rows(lots: Sequence[Lot]) -> list[Row]:
    """One polygon per block."""
    return [
        {
            "id": f"L{n:03d}",
            "name": q.label if q.label and not q.label.isascii() else None,
            "use": USES.get(q.use, q.use),
            "geometry": q.shape,
        }
        for n, q in enumerate(lots, 1)
    ]


def green_rows(lots: Sequence[Lot], regions: Regions) -> list[Row]:
    """Parks, green blocks and the strips along the canal."""
    rows: list[Row] = [
        {"name": q.label or None, "geometry": q.shape} for q in lots if USES.get(q.use, q.use) == "green"
    ]
    rows += [{"name": f"新河干渠绿带{k}段（示意）", "geometry": p} for k, p in enumerate(belts(regions), 1)]
    return [{"id": f"G{n:02d}", **row} for n, row in enumerate(rows, 1)]


def water_rows(regions: Regions, lots: Sequence[Lot]) -> list[Row]:
    """The canal as a strip, and ponds in some parks."""
    strip = s.BARRIER_LINES["canal"].buffer(13, cap_style="flat", quad_segs=6)
    canal = strip.intersection(regions.district.buffer(40))
    canal = max(getattr(canal, "geoms", [canal]), key=lambda g: g.area)
    rows: list[Row] = [{"name": "新河干渠", "note": "线位和宽度为示意", "geometry": tidy(canal, 0.3)}]
    for lot in [q for q in lots if q.use == "park" and q.shape.area > 2e4][::2]:
        c = lot.shape.centroid
        ring = [
            (c.x + 26 + (24 + 5 * math.sin(3 * t)) * math.cos(t), c.y + (17 + 4 * math.cos(2 * t)) * math.sin(t))
            for t in (k * math.pi / 12 for k in range(24))
        ]
        rows.append({"name": None, "note": "公园水面（示意）", "geometry": shapely.Polygon(rounded(ring))})
    return [{"id": f"W{n:02d}", **row} for n, row in enumerate(rows, 1)]


def ramp_rows() -> list[Row]:
    """Expressway ramps, schematic."""
    spots = (
        ("京津塘高速新河出入口（示意）", s.expressway(-560)),
        ("京津塘高速威海路出入口（示意）", s.expressway(1330)),
        ("长深高速港城大道出入口（示意）", (-2235 + 0.04 * 2890, 6820.0)),
    )
    return [
        {"id": f"ramp{n}", "name": name, "geometry": shapely.Point(rounded([p])[0])}
        for n, (name, p) in enumerate(spots, 1)
    ]


def micro_rows(compounds: Sequence[Compound]) -> list[Row]:
    """Small leftover spaces inside older compounds, as little rectangles."""
    dice = random.Random(SEED + 6)
    rows = []
    old = [c for c in compounds if c.zone == "old" and c.shape.area > 15000 and c.until is None]
    for n, c in enumerate(old[::4], 1):
        p = c.shape.representative_point()
        x, y = p.x + (dice.random() - 0.5) * 40, p.y + (dice.random() - 0.5) * 30
        w, h = 9 + round(dice.random() * 12), 7 + round(dice.random() * 8)
        box = [(x, y), (x + w, y), (x + w, y + h), (x, y + h)]
        rows.append(
            {
                "id": f"M{n:02d}",
                "name": f"{c.name.removesuffix('（合成）')}边角地（合成）",
                "geometry": shapely.Polygon(rounded(box)),
            }
        )
    return rows


def bare_rows(lots: Sequence[Lot]) -> list[Row]:
    """Twelve bare patches of 5,000 m² each, all covered: 60,000 m² in all, the total the plan reports for 2016-2020."""
    rows: list[Row] = []
    for lot in [q for q in lots if q.use in ("vacant", "industrial", "logistics") and q.shape.area > 40000]:
        if len(rows) == 12:
            break
        if len(rows) % 3 and lot.use != "vacant" and (round(lot.shape.centroid.x) + round(lot.shape.centroid.y)) % 5:
            continue
        c = lot.shape.centroid
        w = (40.0, 50.0, 62.5)[len(rows) % 3]
        h, x, y = 2500 / w, c.x + (-35, 20, 45)[len(rows) % 3], c.y + (30, -40, 10)[len(rows) % 3]
        box = [(x - w, y - h / 2), (x + w, y - h / 2), (x + w, y + h / 2), (x - w, y + h / 2)]
        patch = shapely.Polygon(rounded(box))
        if lot.shape.contains(patch):
            covered = {"covered_m2": 5000, "covered_year": 2016 + len(rows) % 5}
            rows.append({"id": f"B{len(rows) + 1:02d}", "name": "苫盖裸地（合成）", **covered, "geometry": patch})
    return rows
