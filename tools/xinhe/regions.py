"""District, zones, communities, 片区, grid cells and parcels: one planar map, so that neighbours share every vertex."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry

from . import skeleton as s
from .frame import XY, local
from .lines import curve, rounded

Row = dict[str, Any]
NEW_TOWN_M2 = 21_000_000.0
SKETCH = "示意，非法定界线"

COMMUNITY_NAMES = {
    "001": "西江里",
    "002": "珠江里",
    "003": "漓江里",
    "004": "新建里",
    "005": "高辛里",
    "006": "赵家地",
    "007": "震新",
    "008": "南河底",
    "009": "四季风情",
    "010": "南益",
    "011": "威海路",
    "012": "南瑞",
    "013": "福升园",
    "014": "华翠",
}
CODE = "120116006"


def _rail(x: float) -> XY:
    return s.old_row(s.RAIL, x)


def _lattice(start: float, stop: float) -> tuple[float, float]:
    """Widen a range to multiples of 90 m, so that stretches of one street drawn twice share their vertices."""
    return math.floor(start / 90) * 90.0, math.ceil(stop / 90) * 90.0


def _old(level: float, x0: float, x1: float) -> list[XY]:
    return curve(lambda x: s.old_row(level, x), *_lattice(x0, x1), 90)


def _col(u: float, y0: float, y1: float) -> list[XY]:
    return curve(lambda y: s.column(u, y), *_lattice(y0, y1), 90)


def _north(level: float) -> list[XY]:
    return curve(lambda x: s.new_row(level, x), -2150, 3600, 110)


def _edge_east() -> list[XY]:
    """Limit towards 新北: its west limit 117.62875 E up to its north limit 39.07105 N, then along that to the east."""
    corner = [local(117.62875, lat) for lat in (39.0555, 39.0600, 39.0650, 39.0711)]
    corner = [(x - 6, y) for x, y in corner]
    return [*corner, *(local(lon, 39.0711) for lon in (117.6350, 117.6420, 117.6480, 117.6540))]


def _outlines(north: float) -> list[list[XY]]:
    """Lines that bound the two zones, drawn a little too long."""
    lines = {b.key: list(b.points) for b in s.BARRIERS}
    canal = [p for p in s.canal_axis() if 2440 < p[1] < 4100 and p[0] < 135]
    return [
        lines["exp"],
        lines["changshen"],
        _north(north),
        _col(s.EAST_LIMIT, 5500, 8700),
        _edge_east(),
        _col(s.C_YI, 250, 2500),
        canal,
        _old(s.R_XINHU, -60, 1900),
        _col(s.C_EAST, 200, 2600),
        _old(s.R_STEP, 1300, 1900),
        [*_col(s.C_WEI, 2500, 3600), (1415, 3760), (1416, 4000)],
    ]


def _dividers() -> list[list[XY]]:
    """Lines between communities: streets, the railway, the canal."""
    canal = [p for p in s.canal_axis() if p[0] > 90 and p[1] < 2500]
    return [
        _col(s.C_ZHI, 200, 1120),
        _old(s.R_JINTANG, -60, 1200),
        curve(_rail, -60, 1900, 140),
        _old(s.R_ANSHUN, -60, 1900),
        [(60, 2494), *reversed(canal)],
        _col(s.C_HUA, 1040, 1750),
        _col(s.C_XIN, 1600, 2480),
        _col(s.C_ZHI, 1500, 2400),
        _old(3080, 20, 1480),
        _col(s.C_HUA, 2290, 4000),
        _old(3560, 20, 960),
        _col(-1100.0, 3900, 5460),
        curve(lambda x: s.new_row(5330, x), -1100, 1450, 110),
    ]


def _grid_lines() -> list[list[XY]]:
    """More streets that cut communities into 网格."""
    rows = [s.minor_row(*m) for m in s.MINOR_ROWS if 600 < m[0] < 700 or m[0] > 1300]
    columns = [s.minor_column(*m) for m in s.MINOR_COLUMNS if m[0] < 400 and m[1] > 2000]
    return [
        *rows,
        *columns,
        _col(s.C_XIN, 250, 1200),
        _col(s.C_HUA, 1600, 2400),
        _col(s.C_ZHI, 1100, 1700),
        _col(s.C_ZHI, 2300, 4000),
        _col(s.C_WEI, 250, 2700),
        _old(2090, -60, 1900),
        _old(3560, 20, 1480),
        _col(-490.0, 3900, 5460),
        _col(-200.0, 3900, 5460),
        [p for p in s.canal_axis() if p[1] > 3850],
        curve(lambda x: s.new_row(4530, x), -1150, 1450, 110),
        _col(s.C_XIN, 3900, 5460),
        _col(s.C_XIN, 2300, 4000),
        _col(s.C_1, 1100, 1640),
    ]


def faces(lines: Iterable[Iterable[XY]]) -> list[shapely.Polygon]:
    """Faces of a set of lines, corners to a centimetre, in a fixed order."""
    drawn = shapely.unary_union([shapely.LineString(rounded(line)) for line in lines])
    drawn = shapely.transform(drawn, lambda xy: xy.round(2))
    drawn = shapely.unary_union(drawn)
    found = [p for p in shapely.polygonize([drawn]).geoms if isinstance(p, shapely.Polygon)]
    return sorted(found, key=lambda p: (round(p.representative_point().y, 1), round(p.representative_point().x, 1)))


def _zone_faces(north: float) -> tuple[shapely.Polygon, shapely.Polygon]:
    """Old town and new town for a northern limit."""
    parts = faces(_outlines(north))
    inside = {"old": shapely.Point(700, 2000), "new": shapely.Point(500, 6000)}
    out = [next(p for p in parts if p.contains(inside[k])) for k in ("old", "new")]
    return out[0], out[1]


def northern_limit() -> float:
    """The level of the northern limit that makes the new town 21 km² (bisection, to a decimetre)."""
    low, high = 7800.0, 8900.0
    while high - low > 0.1:
        middle = (low + high) / 2
        low, high = (middle, high) if _zone_faces(middle)[1].area < NEW_TOWN_M2 else (low, middle)
    return round((low + high) / 2, 1)


#: Where to find each community on the map: a point inside (the first match wins).
SEEDS: Mapping[str, tuple[XY, ...]] = {
    "009": ((500, 500),),
    "006": ((1500, 500),),
    "007": ((300, 1120),),
    "004": ((300, 1500),),
    "005": ((1300, 1300),),
    "001": ((350, 2050),),
    "002": ((850, 1950),),
    "003": ((1500, 1850),),
    "010": ((450, 2700),),
    "012": ((1200, 2600),),
    "013": ((450, 3300), (450, 3750)),
    "011": ((1150, 3400),),
    "008": ((500, 4800),),
}
CARVED = (450.0, 3750.0)


def _gather(parts: list[shapely.Polygon], region: BaseGeometry) -> shapely.Polygon:
    """Union of the parts that lie in a region."""
    merged = shapely.unary_union([p for p in parts if region.contains(p.representative_point())])
    if not isinstance(merged, shapely.Polygon):
        raise ValueError(f"not one piece: {merged.geom_type}")
    return merged


class Regions:
    """Everything that is cut out of the one planar map."""

    def __init__(self) -> None:
        self.north = northern_limit()
        old, new = _zone_faces(self.north)
        coarse = faces([*_outlines(self.north), *_dividers()])
        fine = faces([*_outlines(self.north), *_dividers(), *_grid_lines()])
        self.old, self.new = _gather(fine, old), _gather(fine, new)
        self.district = _gather(fine, shapely.unary_union([old, new]))
        self.communities: dict[str, shapely.Polygon] = {}
        rough = {}
        for code, seeds in SEEDS.items():
            rough[code] = shapely.unary_union([next(p for p in coarse if p.contains(shapely.Point(q))) for q in seeds])
            self.communities[code] = _gather(fine, rough[code])
        carved = next(p for p in coarse if p.contains(shapely.Point(CARVED)))
        self.carved = _gather(fine, carved)
        self.rest = _gather(fine, rough["013"].difference(carved.buffer(0.05)))
        inside = shapely.unary_union(list(rough.values()))
        self.cells = [p for p in fine if inside.contains(p.representative_point())]

    def expressway(self) -> list[XY]:
        """The expressway's axis through every corner the zones have on it, so that nothing reaches across by rounding."""
        axis = shapely.LineString(next(b.points for b in s.BARRIERS if b.key == "exp"))
        corners = {(float(x), float(y)) for zone in (self.old, self.new) for x, y in zone.exterior.coords}
        on = {p for p in corners if axis.distance(shapely.Point(p)) < 0.05}
        ends = {(float(x), float(y)) for x, y in axis.coords}
        return sorted(on | ends, key=lambda p: (axis.project(shapely.Point(p)), p))

    def community_rows(self) -> list[Row]:
        """Thirteen communities of the 2019-2022 list, fourteen of 2023: 华翠 is cut out of 福升园 for 2023 on."""
        rows = []
        for code in sorted(SEEDS):
            note = SKETCH + "；由示意道路、铁路、干渠围合"
            if code == "009":
                note = (
                    SKETCH
                    + "；四至按文字：东崇智路、南新胡路、西崇义路、北津塘公路；文字另称1.2平方公里，与本示意面积不符"
                )
            if code == "008":
                note = SKETCH + "；与更新地块“新河庄南河底”的关系待核，假定为新城区南部居住区"
            row = {
                "community": CODE + code,
                "name": COMMUNITY_NAMES[code] + "社区",
                "zone": "new" if code == "008" else "old",
            }
            if code != "013":
                rows.append({**row, "note": note, "geometry": self.communities[code]})
                continue
            rows.append({**row, "until": 2022, "note": note, "geometry": self.communities[code]})
            rows.append({**row, "since": 2023, "note": note + "；2023年起不含华翠", "geometry": self.rest})
        rows.append(
            {
                "community": CODE + "014",
                "name": COMMUNITY_NAMES["014"] + "社区",
                "zone": "old",
                "since": 2023,
                "note": SKETCH + "；2023年名录新增，假定自福升园划出",
                "geometry": self.carved,
            }
        )
        return rows

    def area_rows(self) -> list[Row]:
        """Thirteen 片区, all in the old town: five named by the plan, eight not."""
        named = [
            ("威海路片区", ["011"]),
            ("南益南瑞片区", ["010", "012"]),
            ("四季风情片区", ["009"]),
            ("赵家地片区", ["006"]),
            ("漓江里片区", ["003"]),
        ]
        rows = []
        for name, codes in named:
            shape = _gather(self.cells, shapely.unary_union([self.communities[c].buffer(0.05) for c in codes]))
            ties = "、".join(COMMUNITY_NAMES[c] for c in codes)
            rows.append({"name": name, "note": f"{SKETCH}；按名称推论对应社区：{ties}", "geometry": shape})
        for shape in self._unnamed():
            rows.append(
                {
                    "name": f"片区{len(rows) + 1}（原文未点名）",
                    "note": SKETCH + "；原文只说共13个区域",
                    "geometry": shape,
                }
            )
        return [{"area": f"A{i:02d}", "zone": "old", **row} for i, row in enumerate(rows, 1)]

    def _unnamed(self) -> list[shapely.Polygon]:
        """Shapes of the eight that the plan leaves unnamed: the rest of the old town, 新建里 in two, 福升园 in two."""
        at_c1 = shapely.box(-200, 0, s.column(s.C_1, 1400)[0], 4000)
        halves = [
            _gather(self.cells, self.communities["004"].intersection(at_c1)),
            _gather(self.cells, self.communities["004"].difference(at_c1)),
        ]
        whole = [self.communities[c] for c in ("001", "002", "005", "007")]
        return [*whole, *halves, self.rest, self.carved]

    def grid_rows(self) -> list[Row]:
        """网格: cells that tile every community."""
        count: dict[str, int] = {}
        rows = []
        for cell in self.cells:
            code = next(c for c in SEEDS if self.communities[c].contains(cell.representative_point()))
            count[code] = count.get(code, 0) + 1
            rows.append(
                {
                    "grid": f"{CODE}{code}-{count[code]:02d}",
                    "name": f"{COMMUNITY_NAMES[code]}第{count[code]}网格",
                    "geometry": cell,
                }
            )
        return sorted(rows, key=lambda r: str(r["grid"]))

    def community_of(self, p: XY) -> str | None:
        """Community (three digits, 2022 list) a point lies in."""
        point = shapely.Point(p)
        return next((c for c in SEEDS if self.communities[c].covers(point)), None)


def inset(shape: shapely.Polygon, metres: float) -> shapely.Polygon:
    """A polygon drawn inwards, corners kept sharp; the largest piece."""
    return largest(shape.buffer(-metres, join_style="mitre"))


def largest(shape: BaseGeometry) -> shapely.Polygon:
    """The largest polygon of a shape (an empty one if there is none)."""
    parts = [g for g in getattr(shape, "geoms", [shape]) if isinstance(g, shapely.Polygon)]
    return max(parts, key=lambda g: (g.area, g.bounds), default=shapely.Polygon())


def tidy(shape: shapely.Polygon, tolerance: float = 1.5) -> shapely.Polygon:
    """Straighten a polygon and round its corners' coordinates to a centimetre."""
    plain = shapely.Polygon(shape.simplify(tolerance).exterior)
    return shapely.transform(plain, lambda xy: xy.round(2))
