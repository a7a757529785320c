"""Facilities: where on the streets they stand, which exist, which are promised, and which are deliberately absent."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import shapely

from . import skeleton as s
from .blocks import SEED, Compound, Lot
from .frame import XY, local
from .lines import Street, at, length
from .regions import COMMUNITY_NAMES, Regions

Row = dict[str, Any]
ROADS = ("primary", "secondary", "tertiary", "residential")
PLAN = "名称见规划原文；位置为示意"


@dataclass(frozen=True)
class Slot:
    """A place for a front door: beside a public street, clear of walls, corners and barriers."""

    point: XY
    cls: str
    name: str | None
    community: str | None
    zone: str | None


class Slots:
    """Every front door there is room for; each is given away once."""

    def __init__(self, edges: Sequence[Street], compounds: Sequence[Compound], regions: Regions) -> None:
        walls = [c.shape for c in compounds]
        lines = [e.line() for e in edges if not e.home]
        wall_tree, tree = shapely.STRtree(walls), shapely.STRtree(lines)
        self.free: list[Slot] = []
        for edge in edges:
            total = length(edge.points)
            if edge.home or not edge.frontage or edge.cls not in ROADS or total < 40:
                continue
            for k in range(int((total - 24) // 24) + 1):
                (x, y), (dx, dy) = at(edge.points, 13 + 24 * k)
                for side in (1, -1):
                    p = (round(x - dy * 8.5 * side, 2), round(y + dx * 8.5 * side, 2))
                    if _clear(p, lines, tree, walls, wall_tree):
                        self.free.append(_slot(p, edge, regions))

    def take(self, target: XY, fits: Callable[[Slot], bool] = lambda slot: True, apart: float = 15.0) -> Slot:
        """Give away the free slot nearest to a target (and close the ones right beside it)."""
        best = min((q for q in self.free if fits(q)), key=lambda q: (round(math.dist(q.point, target), 3), q.point))
        self.free = [q for q in self.free if math.dist(q.point, best.point) >= apart]
        return best


def _clear(
    p: XY,
    lines: Sequence[shapely.LineString],
    tree: shapely.STRtree,
    walls: Sequence[shapely.Polygon],
    wall_tree: shapely.STRtree,
) -> bool:
    """Whether a point is 5-30 m from its street, off every wall and off every barrier's bed."""
    point = shapely.Point(p)
    if len(wall_tree.query(point, predicate="dwithin", distance=2.5)):
        return False
    if len(tree.query(point, predicate="dwithin", distance=6.0)):
        return False
    return all(point.distance(s.BARRIER_LINES[b.key]) > b.bed_m + 8 for b in s.BARRIERS)


def _slot(p: XY, edge: Street, regions: Regions) -> Slot:
    point = shapely.Point(p)
    zone = "old" if regions.old.contains(point) else "new" if regions.new.contains(point) else None
    return Slot(p, edge.cls, edge.name, regions.community_of(p), zone)


def within(code: str) -> Callable[[Slot], bool]:
    """Slots of one community."""
    return lambda slot: slot.community == code


class Register:
    """Collects facilities with running numbers per kind."""

    def __init__(self, slots: Slots, compounds: Sequence[Compound], lots: Sequence[Lot], regions: Regions) -> None:
        self.slots, self.compounds, self.lots, self.regions = slots, list(compounds), list(lots), regions
        self.rows: list[Row] = []
        self._count: dict[str, int] = {}
        self.dice = random.Random(SEED + 4)
        self._homes: dict[str, list[Compound]] = {}
        for c in compounds:
            if c.community and c.until is None and (c.since is None or c.since <= 2022):
                self._homes.setdefault(c.community, []).append(c)

    def add(self, kind: str, name: str, where: XY | shapely.Polygon, **more: Any) -> str:
        """Register one facility; returns its id."""
        n = self._count[kind] = self._count.get(kind, 0) + 1
        key = str(more.pop("facility", f"{kind}-{n:02d}"))
        shape = where if isinstance(where, shapely.Polygon) else shapely.Point(where)
        self.rows.append({"facility": key, "name": name, "kind": kind, **more, "geometry": shape})
        return key

    def at_homes(self, code: str, n: int, shift: int) -> list[XY]:
        """Points in n compounds of a community: the first anywhere, the rest far from those before."""
        options = []
        for c in self._homes[code]:
            west, south, east, north = c.shape.bounds
            options.append((west + (east - west) * self.dice.random(), south + (north - south) * self.dice.random()))
        chosen = [options[int(self.dice.random() * len(options) + shift) % len(options)]]
        while len(chosen) < n:
            chosen.append(max(options, key=lambda m: (round(min(math.dist(m, c) for c in chosen), 2), m)))
        return chosen

    def in_communities(self, kind: str, counts: Mapping[str, int], label: str, shift: int, **more: Any) -> None:
        """Register a kind community by community, beside streets near compounds."""
        for code, n in counts.items():
            for k, target in enumerate(self.at_homes(code, n, shift)):
                slot = self.slots.take(target, within(code))
                number = f"{k + 1}" if n > 1 else ""
                self.add(kind, f"{COMMUNITY_NAMES[code]}{label}{number}（合成）", slot.point, **more)

    def near(self, kind: str, name: str, target: XY, fits: Callable[[Slot], bool] = lambda q: True, **more: Any) -> XY:
        """Register one facility at the free front door nearest to a target; returns where."""
        slot = self.slots.take(target, fits)
        self.add(kind, name, slot.point, **more)
        return slot.point


def _counts(text: str) -> dict[str, int]:
    """`"001:2 003"` -> counts per community."""
    out = {}
    for word in text.split():
        code, _, n = word.partition(":")
        out[code] = int(n or 1)
    return out


def build(slots: Slots, compounds: Sequence[Compound], lots: Sequence[Lot], regions: Regions) -> list[Row]:
    """Every facility of the demonstration district, in a fixed order."""
    r = Register(slots, compounds, lots, regions)
    _malls_and_logistics(r)
    _health(r)
    _elderly(r)
    _schools(r)
    _culture_and_party(r)
    _sports_and_green(r)
    _shops(r)
    _transport(r)
    _waste_and_safety(r)
    _outside(r)
    return r.rows


def _lot(r: Register, label: str) -> XY:
    """Middle of a labelled lot."""
    lot = next(q for q in r.lots if q.label == label)
    return lot.shape.centroid.x, lot.shape.centroid.y


def _malls_and_logistics(r: Register) -> None:
    for name in ("友阿奥特莱斯", "红星美凯龙", "吾悦广场"):
        r.near("mall", name, _lot(r, name), basis="schematic", note=PLAN)
    for name in ("中储滨海现代物流园", "晋大物流园", "中港建材城市场物流园", "鹏程物流园", "中远信达物流园"):
        near_road = lambda q: q.name == "港城大道"  # noqa: E731
        note = (
            "一期建成（2020年），后续在建；位置为示意" if name.startswith("中储") else "假定在港城大道沿线；位置为示意"
        )
        r.near("logistics_park", name, _lot(r, name), near_road, basis="schematic", note=note)


def _health(r: Register) -> None:
    x, y = s.old_row(880, s.column(s.C_ZHI, 900)[0] + 60)
    hospital = r.near("hospital", "响螺湾医院", (x, y), basis="schematic", note="是否在街道界内未核；位置为示意")
    r.near(
        "clinic_center",
        "新河街社区卫生服务中心",
        hospital,
        state="planned",
        since=2025,
        basis="schematic",
        note="规划原文：由响螺湾医院成立；位置随医院示意",
    )
    texts = "站名见公开报道（2011年）；位置为示意"
    stations = (
        ("003", "岷江里社区卫生服务站", 619.74),
        ("004", "新建里社区卫生服务站", None),
        ("001", "湘江里社区卫生服务站", None),
        ("005", "高辛里社区卫生服务站", None),
    )
    for code, name, floor in stations:
        target = r.at_homes(code, 1, 2)[0]
        more = {"floor_area_m2": floor} if floor else {}
        r.near("clinic_station", name, target, within(code), basis="schematic", note=texts, **more)
    for code, name in (("010", "南益社区卫生服务站"), ("011", "威海路社区卫生服务站")):
        target = r.at_homes(code, 1, 1)[0]
        r.near(
            "clinic_station",
            name,
            target,
            within(code),
            state="planned",
            since=2025,
            basis="schematic",
            note="规划原文：建设南益社区、威海路社区卫生服务站；位置为示意",
        )
    r.in_communities("pharmacy", _counts("001 002:2 003:2 004 005:2 006:2 008:2 009:2 010:2 011 012 013"), "药店", 3)
    r.near("pharmacy", "震新药店（合成，已停业）", r.at_homes("007", 1, 1)[0], state="closed", until=2021)


def _elderly(r: Register) -> None:
    many = _counts("001 002 003:2 004 005:2 006 007 009:2 010 011 013")
    r.in_communities("canteen", many, "老人家食堂", 1, note="规划原文：全街14家老人家食堂；位置为合成")
    r.in_communities("canteen", _counts("012"), "老年食堂", 2, state="planned", since=2025)
    r.in_communities("elderly_daycare", _counts("001 003 004 005 009"), "老年日间照料中心", 4)
    r.in_communities("elderly_daycare", _counts("006 010"), "老年日间照料中心", 4, since=2021)
    r.in_communities("elderly_daycare", _counts("002 011"), "老年日间照料中心", 4, since=2024)
    r.in_communities("elderly_daycare", _counts("007 008 012 013"), "老年日间照料中心", 4, state="planned", since=2025)
    r.in_communities("elderly_station", _counts("001 002 004 005 009 010 012"), "老年服务站", 6)
    r.near(
        "nursing_home",
        "新河庄养老院",
        _parcel(r, "south"),
        state="planned",
        since=2025,
        capacity=120,
        capacity_unit="床",
        basis="schematic",
        note="规划原文：更新区建设养老院；位置和床位为示意",
    )


def _parcel(r: Register, label: str) -> XY:
    shapes = [q.shape for q in r.lots if q.label == label]
    c = shapely.unary_union(shapes).centroid
    return c.x, c.y


def _schools(r: Register) -> None:
    names = {"小学": "primary_school", "初中": "middle_school"}
    count: dict[str, int] = {}
    for lot in r.lots:
        if lot.use != "school":
            continue
        n = count[lot.label] = count.get(lot.label, 0) + 1
        c = lot.shape.centroid
        new = lot.zone == "new"
        more: Row = {"capacity": 1080 if lot.label == "小学" else 900, "capacity_unit": "座"}
        if new and lot.label == "初中":
            more |= {"state": "planned", "since": 2027}
        base = "新城" if new else "新河"
        quiet = lambda q: q.cls in ("residential", "tertiary")  # noqa: E731
        r.near(names[lot.label], f"{base}第{n}{lot.label}（合成）", (c.x, c.y), quiet, **more)
    r.near(
        "primary_school",
        "新河庄小学（规划）",
        _parcel(r, "north"),
        state="planned",
        since=2025,
        basis="schematic",
        note="规划原文：更新区建设学校；位置为示意",
    )
    r.in_communities(
        "kindergarten",
        _counts("001 002 003:2 004 005 006 009:2 010 011 012"),
        "幼儿园",
        5,
        capacity=270,
        capacity_unit="座",
    )
    r.in_communities("kindergarten", _counts("008"), "幼儿园", 5, since=2023, capacity=360, capacity_unit="座")
    r.in_communities(
        "kindergarten", _counts("013"), "幼儿园", 5, state="planned", since=2025, capacity=270, capacity_unit="座"
    )
    r.in_communities("nursery", _counts("003 009 010"), "托育点", 6, capacity=60, capacity_unit="托位")
    r.in_communities(
        "nursery", _counts("001 008"), "托育点", 6, state="planned", since=2025, capacity=80, capacity_unit="托位"
    )


def _culture_and_party(r: Register) -> None:
    note = "规划原文：14个党群服务中心；位置为合成"
    every = _counts("001 002 003 004 005 006 007 008 009 010 011 012 013")
    for code in every:
        target = r.at_homes(code, 1, 2)[0]
        r.near("party_service_center", f"{COMMUNITY_NAMES[code]}社区党群服务中心", target, within(code), note=note)
    r.near(
        "party_service_center", "海洋园区党群服务中心（合成）", s.new_row(6150, 1950), note=note + "；第14个假定在园区"
    )
    public = next(q for q in r.lots if q.use == "public").shape.centroid
    r.near(
        "culture_center",
        "街道综合文化服务中心（新河文化站）",
        (public.x, public.y),
        floor_area_m2=1650,
        note="名称见规划原文；位置和面积为合成",
    )
    r.near(
        "culture_center",
        "街道综合文化服务中心（达标扩建）",
        (public.x, public.y),
        state="planned",
        since=2025,
        floor_area_m2=2100,
        basis="schematic",
        note="规划原文：面积不低于2000平方米；位置为示意",
    )
    r.near("library", "街道图书馆分馆（合成）", (public.x, public.y))
    r.near("street_service_center", "街道便民服务中心（合成）", (public.x, public.y))
    r.in_communities("culture_station", _counts("001 002 003 004 005 006 009 010 011 012"), "文化活动站", 1)
    r.in_communities("culture_station", _counts("007 008 013"), "文化活动站", 1, state="planned", since=2025)
    r.near(
        "embedded_hub",
        "五车地邻里中心（规划）",
        _parcel(r, "wuchedi"),
        state="planned",
        since=2025,
        basis="schematic",
        note="五车地改造设想，位置为示意",
    )


def _sports_and_green(r: Register) -> None:
    for n, lot in enumerate([q for q in r.lots if q.use == "park"], 1):
        more: Row = {"since": 2026, "state": "planned"} if "干渠" in lot.label else {}
        r.add("park", lot.label, lot.shape, facility=f"park-{n:02d}", **more)
    # fitness corners stand inside compounds where there is one, else beside the street
    counts = _counts("001:3 002:2 003:4 004:2 005:3 006:3 008:3 009:4 010:3 012:3 013:1")
    for code, n in counts.items():
        for k, p in enumerate(r.at_homes(code, n, 3)):
            inside = next((c for c in r.compounds if c.shape.contains(shapely.Point(p))), None)
            if k % 2 == 0 and inside and inside.shape.exterior.distance(shapely.Point(p)) > 15:
                r.add(
                    "fitness", f"{COMMUNITY_NAMES[code]}健身苑{k + 1}（院内，合成）", (round(p[0], 2), round(p[1], 2))
                )
            else:
                r.near("fitness", f"{COMMUNITY_NAMES[code]}健身点{k + 1}（合成）", p, within(code))
    r.in_communities("fitness", _counts("011"), "健身点", 3, state="planned", since=2024)
    r.in_communities("sports_field", _counts("003 005 009 010"), "运动场地", 2)
    r.in_communities("football_field", _counts("012"), "笼式足球场", 2)
    r.near("football_field", "新城足球场（合成）", s.new_row(5200, 560), since=2023)
    r.near("sports_center", "新城全民健身中心（规划）", s.new_row(5000, 900), state="planned", since=2028)
    for code, name in (("003", "漓江里文化广场"), ("009", "四季风情广场"), ("010", "南益广场")):
        r.near("square", name + "（合成）", r.at_homes(code, 1, 5)[0], within(code))
    r.near(
        "square",
        "新河庄中心广场（规划）",
        _parcel(r, "south"),
        state="planned",
        since=2025,
        basis="schematic",
        note="规划原文：更新区建设广场；位置为示意",
    )
    for k, shape in enumerate(belts(r.regions)):
        open_now = k % 2 == 1
        more = {"since": 2019} if open_now else {"state": "planned", "since": 2025}
        r.add(
            "green_belt",
            f"新河干渠绿带{k + 1}段（示意）",
            shape,
            basis="schematic",
            note="规划原文：生态宜居新河干渠景观带",
            **more,
        )


def belts(regions: Regions) -> list[shapely.Polygon]:
    """Green strips along both banks of the canal, inside the district."""
    axis = s.BARRIER_LINES["canal"]
    strip = axis.buffer(38, cap_style="flat", quad_segs=4).difference(axis.buffer(17, cap_style="flat", quad_segs=4))
    gaps = shapely.unary_union([s.BARRIER_LINES["exp"].buffer(60), s.BARRIER_LINES["changshen"].buffer(60)])
    inside = strip.intersection(regions.district).difference(gaps)
    parts = [p for p in getattr(inside, "geoms", [inside]) if isinstance(p, shapely.Polygon) and p.area > 5000]
    parts.sort(key=lambda p: (round(p.centroid.y), round(p.centroid.x)))
    return [shapely.transform(p.simplify(0.5), lambda xy: xy.round(2)) for p in parts]


def _shops(r: Register) -> None:
    hua = lambda q: q.name == "华庭路" and q.zone == "old"  # noqa: E731
    r.near(
        "market",
        "华庭路生鲜智慧（农贸）菜市场",
        s.column(s.C_HUA, 2050),
        hua,
        since=2020,
        basis="schematic",
        note="规划原文：已落地建设；位置在示意的华庭路旁",
    )
    r.in_communities("market", _counts("006"), "菜市场", 2)
    r.in_communities("market", _counts("009"), "菜市场", 2, until=2023)
    r.in_communities("market", _counts("009"), "菜市场（原址改建）", 3, since=2025, state="planned")
    r.in_communities("market", _counts("008 011"), "菜市场", 2, state="planned", since=2025)
    r.in_communities("supermarket", _counts("003 005 006 009 010 012"), "超市", 1)
    r.in_communities("supermarket", _counts("008"), "超市", 1, since=2021)
    corner_shops = "001:3 002:2 003:4 004:2 005:3 006:3 007 008:4 009:4 010:3 011:2 012:3 013:2"
    r.in_communities("convenience", _counts(corner_shops), "便利店", 4)
    r.in_communities("convenience", _counts("007 008:2"), "便利店（新开）", 5, since=2023)
    r.in_communities(
        "breakfast", _counts("001:2 002 003:2 004:2 005:2 006:2 007 008:2 009:3 010:2 011 012:2 013"), "早餐店", 1
    )
    r.in_communities("laundry", _counts("003 005 006 009 010 012"), "洗染店", 2)
    r.in_communities("salon", _counts("001 002 003:2 004 005 006 008 009:2 010:2 011 012 013"), "理发店", 3)
    r.in_communities("photo_print", _counts("003 006 009 010"), "照相文印店", 4)
    r.in_communities("housekeeping", _counts("002 005 009 012"), "家政服务点", 5)
    r.in_communities("repair", _counts("001 004 006 009 010 011"), "维修点", 6)
    r.in_communities("entertainment", _counts("003 006 009 010"), "休闲娱乐场所", 1)
    r.in_communities("express", _counts("001 002 003:2 004 005 006 007 008:2 009:2 010:2 011 012 013"), "快递驿站", 2)


def _transport(r: Register) -> None:
    _bus_stops(r)
    r.add(
        "metro_station",
        "塘沽站（地铁9号线）",
        local(117.63710, 39.02725),
        basis="derived",
        note="由百度坐标117.649823, 39.033812反算，未经现场核对；在街道界外",
    )
    r.near(
        "metro_station",
        "胡家园站（地铁9号线）",
        s.old_row(R_WEST, -520),
        basis="schematic",
        note="在街道界外；位置为示意",
    )
    r.add(
        "metro_station",
        "云山道站（B1线，在建）",
        local(117.6388, 39.0648),
        state="planned",
        since=2026,
        basis="osm",
        source=s.OSM_NOTE,
        note="施工区域中心取自OpenStreetMap；开通年份为假定",
    )
    r.in_communities(
        "parking", _counts("001 003 005 006 008 009 010 012"), "停车场", 5, capacity=80, capacity_unit="泊位"
    )
    r.near(
        "parking",
        "新河庄停车场（规划）",
        _parcel(r, "south"),
        state="planned",
        since=2025,
        basis="schematic",
        capacity=300,
        capacity_unit="泊位",
        note="规划原文：更新区建设停车场；位置为示意",
    )
    r.in_communities("charging", _counts("003 005 008:2 009 010 012"), "充电站", 6, capacity=8, capacity_unit="桩")
    r.in_communities("charging", _counts("001 006 011 013"), "充电站", 6, since=2024, capacity=12, capacity_unit="桩")


R_WEST = 900.0


def _bus_stops(r: Register) -> None:
    """Stops every 450 m or so along the wider streets, in and around the district."""
    wide = [q for q in r.slots.free if q.cls in ("primary", "secondary", "tertiary")]
    wide.sort(key=lambda q: (round(q.point[1] / 40), q.point[0]))
    chosen: list[XY] = []
    for slot in wide:
        apart = 430 if slot.zone == "old" else 600
        if all(math.dist(slot.point, c) > apart for c in chosen):
            chosen.append(slot.point)
    for n, p in enumerate(chosen, 1):
        slot = r.slots.take(p)
        road = slot.name or "无名路"
        r.add("bus_stop", f"{road}公交站{n}（合成）", slot.point)
    r.near(
        "bus_stop",
        "赵家地公交站",
        s.old_row(700, s.column(s.C_6, 700)[0]),
        lambda q: q.community == "006",
        basis="schematic",
        note="站名见公开线路资料（518路）；位置为示意",
    )


def _waste_and_safety(r: Register) -> None:
    for n, c in enumerate(r.compounds):
        if n % 9 == 3 or not c.gates:
            continue
        for k, gate in enumerate(c.gates[:2], 1):
            middle = c.shape.representative_point()
            run = math.dist(gate, (middle.x, middle.y))
            p = (
                round(gate[0] + (middle.x - gate[0]) * 14 / run, 2),
                round(gate[1] + (middle.y - gate[1]) * 14 / run, 2),
            )
            if not c.shape.contains(shapely.Point(p)) or c.shape.exterior.distance(shapely.Point(p)) < 4:
                continue
            more: Row = {key: value for key, value in (("since", c.since), ("until", c.until)) if value}
            r.add("waste_point", f"{c.name.removesuffix('（合成）')}投放点{k}（合成）", p, **more)
    r.in_communities("waste_station", _counts("003 009 010"), "垃圾收集站", 6)
    r.in_communities("waste_station", _counts("008"), "垃圾收集站", 6, state="planned", since=2025)
    r.in_communities("recycling", _counts("001 005 006 012"), "再生资源回收点", 5)
    r.near(
        "fire_station",
        "新河庄消防站（规划）",
        _parcel(r, "north"),
        state="planned",
        since=2025,
        basis="schematic",
        note="规划原文：更新区建设消防；位置为示意",
    )
    r.near("fire_station", "港城大道消防站（合成）", s.new_row(6560, 300))


def _outside(r: Register) -> None:
    """Facilities across the boundary, so that what hangs on a neighbour shows."""
    east = lambda q: q.zone is None  # noqa: E731
    note = "在街道界外"
    wide = (
        (2050, 1900),
        (2050, 1250),
        (1980, 700),
        (2080, 2250),
        (1900, 3000),
        (1900, 2700),
        (-250, 900),
        (-250, 2000),
    )
    kinds = (
        ("clinic_station", "邻街道社区卫生服务站"),
        ("primary_school", "邻街道小学"),
        ("supermarket", "邻街道超市"),
        ("kindergarten", "邻街道幼儿园"),
        ("clinic_station", "邻街道社区卫生服务站"),
        ("market", "邻街道菜市场"),
        ("elderly_daycare", "邻街道日间照料中心"),
        ("fitness", "邻街道健身点"),
    )
    for (kind, name), target in zip(kinds, wide, strict=True):
        r.near(kind, name + "（合成）", target, east, note=note)
    r.near("nursing_home", "邻街道养老院（合成）", (2080, 1500), east, note=note, capacity=150, capacity_unit="床")
    r.near("fire_station", "邻街道消防站（合成）", (2080, 950), east, note=note)
    r.near("middle_school", "邻街道初中（合成）", (1850, 3300), east, note=note)
    r.add(
        "mall",
        "金元宝海洋生活广场",
        local(117.6436, 39.0660),
        basis="osm",
        source=s.OSM_NOTE,
        note="界外；面中心取自OpenStreetMap",
    )
    for n, (lon, lat) in enumerate(((117.6304, 39.0674), (117.6458, 39.0699)), 1):
        r.add(
            "park",
            f"无名公园{n}（界外）",
            local(lon, lat),
            basis="osm",
            source=s.OSM_NOTE,
            note="界外；面中心取自OpenStreetMap",
            facility=f"park-9{n}",
        )
