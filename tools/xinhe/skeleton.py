"""
The bones of the district: barriers, named roads, the warped street grid.

No official geometry of the district is public. The bones follow what is known in words (the
extents of neighbours, the four roads around 四季风情, 新城区 north of the expressway, the station) and a few real
roads from OpenStreetMap; everything between them is drawn. Both street families are gently warped grids, so streets run
beside the railway in the south and turn towards the expressway in the north.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import shapely

from .frame import XY, local
from .lines import Corners, Street, curve, extend, foot, length, node, offset, prune, rounded

# --- the warp ----------------------------------------------------------------------------------------------------

OLD_SLOPES = ((290, 0.06), (800, 0.22), (1085, 0.30), (1630, 0.24), (2330, 0.16), (3900, 0.0))
NEW_SLOPES = ((3930, 0.0), (4830, -0.01), (5330, 0.03), (5700, 0.11), (6000, 0.08), (6650, 0.06), (8600, 0.05))


def _table(table: Sequence[tuple[float, float]], at: float) -> float:
    """Linear interpolation, flat beyond the ends."""
    if at <= table[0][0]:
        return table[0][1]
    for (a, u), (b, v) in itertools.pairwise(table):
        if at <= b:
            return u + (v - u) * (at - a) / (b - a)
    return table[-1][1]


def old_row(level: float, x: float) -> XY:
    """Point of an east-west street of the old town; `level` is its height at x = 1000."""
    return x, level - _table(OLD_SLOPES, level) * (x - 1000) + 5 * math.sin(x / 330 + level / 170)


def new_row(level: float, x: float) -> XY:
    """Point of an east-west street of the new town; `level` is its height at x = 600."""
    swing = 55 * min(max((level - 5500) / 900, 0.0), 1.0)
    wave = swing * math.sin(x / 980 + 0.6 + level / 2600)
    return x, level - _table(NEW_SLOPES, level) * (x - 600) + 8 * math.sin(x / 480 + level / 210) + wave


def column(u: float, y: float) -> XY:
    """Point of a north-south street; `u` is its place at y = 2000."""
    swing = 38 * min(max((y - 5500) / 700, 0.0), 1.0)
    return u + 0.04 * (y - 2000) + 14 * math.sin((y - 290) / 650 + u / 900) + swing * math.sin((y - 5500) / 620), y


def expressway(x: float, beside: float = 0.0) -> XY:
    """Point of the schematic expressway axis: just north of 39.056 N, the south limit of the 海洋 unit."""
    return x, 3930 + 0.008 * x + 10 * math.sin(x / 700) + beside


def smooth(points: Sequence[XY], rounds: int = 2) -> list[XY]:
    """Round the corners of a polyline (corner cutting)."""
    out = list(points)
    for _ in range(rounds):
        new = [out[0]]
        for a, b in itertools.pairwise(out):
            new.append((0.75 * a[0] + 0.25 * b[0], 0.75 * a[1] + 0.25 * b[1]))
            new.append((0.25 * a[0] + 0.75 * b[0], 0.25 * a[1] + 0.75 * b[1]))
        new.append(out[-1])
        out = new
    return out


# --- names of the grid --------------------------------------------------------------------------------------------

C_YI, C_1, C_XIN, C_HUA, C_ZHI, C_WEI, C_6, C_EAST = 90.0, 345.0, 600.0, 850.0, 1100.0, 1345.0, 1590.0, 1815.0
R_XINHU, R_JINTANG, R_ZHAOXIN, R_ANSHUN, R_STEP = 290.0, 800.0, 1170.0, 1630.0, 2620.0
RAIL, CANAL, FREIGHT, GANGCHENG, NORTH = 1085.0, 2330.0, 7640.0, 6650.0, 8300.0
WEST_COLUMNS = (-2240.0, -1720.0, -1100.0, -490.0, -200.0)
EAST_COLUMNS = (1540.0, 2060.0, 2600.0, 3130.0)
EAST_LIMIT = 3260.0

#: Minor streets of the old town, one entry per stretch: they stop at the larger streets and are staggered there.
MINOR_ROWS: tuple[tuple[float, float, float], ...] = (
    (482, C_YI, C_XIN),
    (452, C_XIN, C_ZHI),
    (492, C_ZHI, C_WEI),
    (470, C_WEI, C_EAST),
    (655, C_YI, C_XIN),
    (618, C_XIN, C_ZHI),
    (660, C_ZHI, C_WEI),
    (632, C_WEI, C_EAST),
    (1412, C_YI, C_XIN),
    (1382, C_XIN, C_HUA),
    (1428, C_HUA, C_ZHI),
    (1388, C_ZHI, C_WEI),
    (1415, C_WEI, C_EAST),
    (1848, C_YI, C_XIN),
    (1884, C_XIN, C_HUA),
    (1838, C_HUA, C_ZHI),
    (1872, C_ZHI, C_WEI),
    (1850, C_WEI, C_EAST),
    (2836, C_YI, C_XIN),
    (2874, C_XIN, C_HUA),
    (2838, C_HUA, C_ZHI),
    (2882, C_ZHI, C_WEI),
    (3334, C_YI, C_XIN),
    (3290, C_XIN, C_HUA),
    (3322, C_HUA, C_ZHI),
    (3298, C_ZHI, C_WEI),
)
MINOR_COLUMNS: tuple[tuple[float, float, float], ...] = (
    (328, R_XINHU, 655),
    (362, 655, R_JINTANG),
    (352, R_JINTANG, 1000),
    (332, R_ZHAOXIN, R_ANSHUN),
    (368, R_ANSHUN, 2090),
    (326, 2090, 2262),
    (352, 2398, R_STEP),
    (338, 2836, 3080),
    (374, 3080, 3560),
    (872, R_XINHU, 618),
    (838, 618, 1000),
    (1604, 470, R_JINTANG),
    (1598, R_JINTANG, 1000),
    (1606, 1415, R_ANSHUN),
    (1566, R_ANSHUN, 2090),
    (1598, 2090, 2262),
    (1580, 2398, R_STEP),
)
OSM_NOTE = "© OpenStreetMap contributors，ODbL 1.0"

# Real carriageways, longitude and latitude to four decimals (OpenStreetMap extract of 2026-10-04).
REAL: tuple[tuple[str, str, tuple[tuple[float, float], ...]], ...] = (
    ("威海路", "tertiary", ((117.6299, 39.0641), (117.6292, 39.0626), (117.6291, 39.0615), (117.6306, 39.0574))),
    (
        "威海路",
        "tertiary",
        ((117.6306, 39.0574), (117.6293, 39.0611), (117.6292, 39.0617), (117.6293, 39.0626), (117.6301, 39.0641)),
    ),
    ("云山道", "secondary", ((117.6273, 39.0643), (117.6311, 39.0639), (117.6374, 39.0643), (117.6526, 39.0661))),
    ("云山道", "secondary", ((117.6525, 39.0662), (117.6424, 39.0650))),
    ("云山道", "secondary", ((117.6344, 39.0641), (117.6308, 39.0640), (117.6274, 39.0644))),
    (
        "厦门路",
        "tertiary",
        ((117.6431, 39.0748), (117.6432, 39.0737), (117.6421, 39.0609), (117.6422, 39.0599), (117.6425, 39.0592)),
    ),
    (
        "厦门路",
        "tertiary",
        ((117.6425, 39.0592), (117.6422, 39.0599), (117.6422, 39.0609), (117.6433, 39.0737), (117.6432, 39.0758)),
    ),
    ("庐山道", "tertiary", ((117.6533, 39.0701), (117.6374, 39.0709))),
    ("庐山道", "tertiary", ((117.6374, 39.0709), (117.6375, 39.0705), (117.6533, 39.0697))),
    ("谐海路", "tertiary", ((117.6368, 39.0642), (117.6371, 39.0641), (117.6378, 39.0572))),
    ("谐海路", "tertiary", ((117.6379, 39.0572), (117.6371, 39.0641), (117.6374, 39.0643))),
    ("靖海路", "residential", ((117.6335, 39.0641), (117.6339, 39.0609))),
    ("靖海路", "residential", ((117.6339, 39.0609), (117.6336, 39.0641))),
    (
        "蒿山道",
        "tertiary",
        (
            (117.6339, 39.0711),
            (117.6348, 39.0728),
            (117.6352, 39.0743),
            (117.6351, 39.0790),
            (117.6366, 39.0787),
            (117.6369, 39.0724),
            (117.6374, 39.0709),
        ),
    ),
)
MOTORROADS: tuple[tuple[str, tuple[tuple[float, float], ...]], ...] = (
    ("北大街", ((117.6129, 39.0728), (117.6212, 39.0718), (117.6297, 39.0711))),
    (
        "第九大街",
        (
            (117.6297, 39.0711),
            (117.6528, 39.0698),
            (117.6616, 39.0691),
            (117.6658, 39.0685),
            (117.6717, 39.0676),
            (117.6769, 39.0665),
            (117.6825, 39.0651),
        ),
    ),
)


@dataclass(frozen=True)
class Barrier:
    """A line nobody walks across: `half_m` is how far streets stay away, `bed_m` half its own width."""

    key: str
    name: str
    kind: str
    points: tuple[XY, ...]
    half_m: float
    bed_m: float
    basis: str
    note: str


def canal_axis() -> list[XY]:
    """The axis of 新河干渠, east to west: through the old town, north along its edge, west through the new town."""
    through = curve(lambda x: old_row(CANAL, x), 2750, 190, 90)
    turn = [(120, 2478), (72, 2502), (48, 2560), (42, 2660), (46, 2860), (56, 3160), (68, 3520), (76, 3930), (70, 4200)]
    west = [
        (38, 4450),
        (-40, 4680),
        (-190, 4840),
        (-430, 4935),
        (-820, 4985),
        (-1300, 5030),
        (-1800, 5085),
        (-2420, 5170),
    ]
    return through + smooth([through[-1], *turn, *west])[1:]


def barriers() -> list[Barrier]:
    """Every barrier, south to north."""
    west = -2420.0
    bei = tuple(local(*p) for p in MOTORROADS[0][1])
    changshen = curve(lambda y: column(-2314, y), 3300, 9000, 200)
    rail = [local(117.6371, 39.02725)]
    rail = [*curve(lambda x: old_row(RAIL, x), -900, 1900, 140), (2040, 781), (2169, 750), (2480, 662), (2750, 580)]
    schematic = "schematic"
    return [
        Barrier(
            "rail",
            "京山铁路（示意）",
            "railway",
            rounded(rail),
            58,
            14,
            schematic,
            "斜穿老城区、经塘沽站北侧（站点位置由百度坐标反算）；线位为示意",
        ),
        Barrier(
            "canal", "新河干渠（示意）", "canal", rounded(canal_axis()), 58, 13, schematic, "原文只有名称，线位为示意"
        ),
        Barrier(
            "exp",
            "京津塘高速公路（示意）",
            "expressway",
            rounded(curve(expressway, west, 3700, 150)),
            70,
            20,
            schematic,
            "原文只说新城区在其以北；按海洋高新区南界（北纬39.0560度）略北处画出",
        ),
        Barrier(
            "bei",
            "北大街",
            "expressway",
            rounded(bei),
            58,
            14,
            "osm",
            "机动车专用路（motorroad），行人不能穿越；" + OSM_NOTE,
        ),
        Barrier(
            "freight",
            "天津港集疏运专用货运通道（示意）",
            "expressway",
            rounded(curve(lambda x: new_row(FREIGHT, x), -2100, 3480, 150)),
            70,
            15,
            schematic,
            "线位为示意",
        ),
        Barrier(
            "changshen",
            "长深高速公路（示意）",
            "expressway",
            rounded(changshen),
            60,
            20,
            schematic,
            "新城区西缘；线位为示意",
        ),
    ]


# --- streets ------------------------------------------------------------------------------------------------------


def _pair(key: str, axis: Sequence[XY], gap: float, cls: str, name: str, over: Sequence[str] = ()) -> list[Street]:
    """Both carriageways of a dual road."""
    return [
        Street(rounded(offset(axis, side * gap / 2)), cls, name, frozenset(over), pair=key, key=key) for side in (1, -1)
    ]


def _col(u: float, y0: float, y1: float, cls: str = "residential", name: str | None = None, over: str = "") -> Street:
    return Street(rounded(curve(lambda y: column(u, y), y0, y1, 90)), cls, name, frozenset(over.split()), key=f"c{u:g}")


def _old(level: float, x0: float, x1: float, cls: str = "residential", name: str | None = None) -> Street:
    return Street(rounded(curve(lambda x: old_row(level, x), x0, x1, 90)), cls, name, key=f"r{level:g}")


def _to_north(u: float, y0: float, north: float, cls: str = "residential", over: str = "") -> Street:
    """A north-south street up to the last row."""
    y1 = new_row(north - 80, column(u, north)[0])[1] + 15
    return _col(u, y0, y1, cls, None, over)


def _new(
    level: float, x0: float, x1: float, cls: str = "residential", name: str | None = None, over: str = ""
) -> Street:
    return Street(
        rounded(curve(lambda x: new_row(level, x), x0, x1, 110)), cls, name, frozenset(over.split()), key=f"n{level:g}"
    )


def axis_weihai() -> list[XY]:
    """威海路 drawn on southwards from its real end, down to 赵新路."""
    down = curve(lambda y: column(C_WEI, y), 3560, 1000, 90)
    return smooth([local(117.6306, 39.0574), (1566, 3995), (1515, 3915), (1462, 3800), *down[:1]], 2) + down[1:]


def axis_yunshan() -> list[XY]:
    """云山道 drawn on westwards from its real end, over the canal."""
    return smooth(
        [
            (1298, 4836),
            (1150, 4850),
            (800, 4842),
            (400, 4822),
            (170, 4812),
            (-60, 4780),
            (-260, 4748),
            (-600, 4730),
            (-1000, 4742),
            (-1500, 4790),
            (-1890, 4826),
            (-2170, 4850),
        ],
        2,
    )


def axis_jintang() -> list[XY]:
    """津塘公路: north edge of 四季风情 and of 红光家园 beyond it."""
    return curve(lambda x: old_row(R_JINTANG, x), -720, 2600, 90)


def minor_row(level: float, u0: float, u1: float) -> list[XY]:
    """A minor east-west street of the old town, from column to column."""
    x0, x1 = (column(u, old_row(level, u)[1])[0] for u in (u0, u1))
    return extend(curve(lambda x: old_row(level, x), x0, x1, 90), 9)


def minor_column(u: float, low: float, high: float) -> list[XY]:
    """A minor north-south street of the old town, from row to row."""
    y0, y1 = (old_row(level, column(u, level)[0])[1] for level in (low, high))
    return extend(curve(lambda y: column(u, y), y0, y1, 90), 9)


def old_town() -> list[Street]:
    """Streets of the old town and of a strip around it."""
    west, east, south = -720.0, 2600.0, -210.0
    out = [
        _col(C_YI, south, 3905, "tertiary", "崇义路", "rail"),
        _col(345.0, 3520, 4040, over="exp"),
        _col(C_XIN, 270, 3905, "tertiary", "崇信路", "canal"),
        _col(C_HUA, 1130, 4230, "tertiary", "华庭路", "exp"),
        _col(C_ZHI, south, 3905, "secondary", "崇智路", "rail"),
        _col(C_WEI, south, 1080, "tertiary"),
        _col(C_6, 2600, 3905),
        _col(C_6, south, 262),
        _col(C_EAST, south, 3905, "tertiary", None, "rail"),
        *(_col(u, south, 3905) for u in (2060.0, 2310.0, 2550.0)),
        *(_col(u, south, 3905, over="canal" if u == -320 else "") for u in (-66.0, -320.0, -570.0)),
    ]
    rows: list[tuple[float, float, float, str, str | None]] = [
        (-190, west, east, "residential", None),
        (50, west, east, "residential", None),
        (R_XINHU, west, east, "tertiary", "新胡路"),
        (1000, west, east, "residential", None),
        (R_ZHAOXIN, west, east, "tertiary", "赵新路"),
        (2090, west, east, "tertiary", None),
        (2262, west, east, "residential", None),
        (2398, 100, east, "residential", None),
        (R_STEP, west, east, "residential", None),
        (3080, west, east, "tertiary", None),
        (3560, west, east, "residential", None),
    ]
    outer = [(level, -680.0, C_YI) for level in (470, 1400, 1860)] + [(level, -680.0, -66.0) for level in (2850, 3310)]
    outer += [(level, C_EAST, 2560.0) for level in (480, 640, 1400, 1860)] + [
        (2850, C_WEI, 2500.0),
        (3310, C_WEI, 2520.0),
    ]
    out += [_old(level, x0, x1, cls, name) for level, x0, x1, cls, name in rows]
    out += [Street(rounded(minor_row(*m)), "residential", key=f"r{m[0]:g}") for m in (*MINOR_ROWS, *outer)]
    out += [Street(rounded(minor_column(*m)), "residential", key=f"c{m[0]:g}") for m in MINOR_COLUMNS]
    out.append(
        Street(
            rounded(extend(smooth([(1368, 1075), (1500, 1150), (1640, 1290), (1785, 1400)]), 34)),
            "residential",
            key="lane-east",
        )
    )
    out.append(Street(rounded(curve(lambda x: expressway(x, -78), west, east, 110)), "residential", key="front"))
    out += _pair("jintang", axis_jintang(), 18, "primary", "津塘公路")
    out += _pair("anshun", curve(lambda x: old_row(R_ANSHUN, x), west, east, 90), 14, "secondary", "安顺道")
    start = local(117.6306, 39.0574)  # where both real carriageways end
    for side in _pair("weihai", axis_weihai(), 11, "secondary", "威海路", ("exp", "canal")):
        out.append(replace(side, points=(start, *side.points[1:])))
    return out


def new_town(north: float) -> list[Street]:
    """Streets of the new town; `north` is the level of its northern limit."""
    freight, canal = {-1100.0, C_XIN, 2060.0}, {-1720.0, -1100.0, -490.0}
    bei = {C_XIN: "bei freight", C_ZHI: "bei"}
    out = [
        _to_north(
            u,
            3960,
            north,
            "tertiary" if u in (-1100.0, -200.0) else "residential",
            ("freight " if u in freight else "") + ("canal" if u in canal else ""),
        )
        for u in WEST_COLUMNS
    ]
    out += [_to_north(u, 3960, north, "residential", bei.get(u, "")) for u in (C_YI, C_XIN, C_ZHI)]
    out += [_to_north(u, 5640, north, "residential", "freight" if u in freight else "") for u in EAST_COLUMNS]
    out.append(_col(C_HUA, 4230, 6640, "tertiary"))
    out.append(_col(1262.0, 4510, 6575, "tertiary"))
    west, east = -2200.0, 3372.0
    rows: list[tuple[float, float, float, str]] = [
        (4270, west, 40, "residential"),
        (4530, 170, 2330, "residential"),
        (5330, west, 1420, "tertiary"),
        (5560, -1610, 250, "residential"),
        (6000, west, 3335, "tertiary"),
        (6300, 1400, east, "residential"),
        (7000, -925, 1790, "residential"),
        (7300, west, east, "residential"),
        (FREIGHT - 85, west, east, "residential"),
        (FREIGHT + 85, west, east, "residential"),
        (north - 80, west, east, "residential"),
    ]
    out += [_new(level, x0, x1, cls) for level, x0, x1, cls in rows]
    out += _new_minor(north)
    out.append(Street(rounded(curve(lambda x: expressway(x, 78), west, 1660, 110)), "residential", key="front"))
    out += _pair("gangcheng", curve(lambda x: new_row(GANGCHENG, x), west, east, 110), 20, "primary", "港城大道")
    out += _fronts()
    out += _yunshan()
    return out


def _new_minor(north: float) -> list[Street]:
    """Minor streets of the new town, stretch by stretch: (level, from x, to x) and (column, from level, to level)."""
    rows = (
        (4290, C_YI, C_XIN),
        (4255, C_XIN, C_HUA),
        (4285, C_HUA, 1400),
        (5075, C_YI, C_XIN),
        (5105, C_XIN, C_HUA),
        (5070, C_HUA, 1262),
        (4540, -1720, -1100),
        (4535, -1100, -490),
        (4550, -490, -150),
        (5780, -1100, -200),
        (5740, -1720, -1100),
        (6320, -1720, -1100),
        (6290, -490, C_YI),
        (6340, C_YI, C_XIN),
        (6310, C_XIN, C_ZHI),
        (6960, 1540, 2060),
        (7030, 2060, 2600),
        (7980, -490, C_XIN),
        (7960, C_ZHI, 1540),
        (8010, 2060, 2600),
    )
    columns = (
        (358.0, 4005, 4290),
        (328.0, 4290, 4540),
        (352.0, 4530, 5075),
        (332.0, 5075, 5330),
        (362.0, 5330, 5680),
        (-790.0, 4008, 4540),
        (-1400.0, 4270, 4945),
        (-1420.0, 5090, 5560),
        (-800.0, 5020, 5330),
        (-760.0, 5330, 6000),
        (-1380.0, 6000, 6660),
        (-800.0, 6000, 7300),
        (-1980.0, 5330, 6000),
        (-1960.0, 6650, 7300),
        (310.0, 5775, 6340),
        (350.0, 6340, 7000),
        (880.0, 6640, 7300),
        (-1420.0, 7300, 7560),
        (200.0, 7300, 7560),
        (2330.0, 5830, 6660),
        (2320.0, 6640, 7300),
        (2860.0, 5850, 6310),
        (1800.0, 6300, 6650),
        (2870.0, 7300, 7560),
        (1560.0, 7730, north - 80),
        (-1400.0, 7730, north - 80),
        (350.0, 7980, north - 80),
        (2330.0, 7730, 8010),
        (850.0, 7730, north - 80),
        (-800.0, 7730, north - 80),
    )
    out = []
    for level, u0, u1 in rows:
        x0, x1 = (column(u, new_row(level, u + 150)[1])[0] for u in (u0, u1))
        points = extend(curve(partial(new_row, level), x0, x1, 90), 30)
        out.append(Street(rounded(points), "residential", key=f"n{level:g}"))
    for u, low, high in columns:
        y0, y1 = (new_row(level, column(u, level)[0])[1] for level in (low, high))
        points = extend(curve(partial(column, u), y0, y1, 90), 30)
        out.append(Street(rounded(points), "residential", key=f"c{u:g}"))
    return out


def _fronts() -> list[Street]:
    """Streets along the canal and 北大街, and along the edge towards 新北."""
    canal = [p for p in canal_axis() if p[1] > 3960 and p[0] > -2260]
    south = [(10.0, 3985.0), *offset(canal, 66)]
    northern = [p for p in offset(canal, -66) if p[1] > 4610 and p[0] < 60]
    bei = [local(*p) for p in MOTORROADS[0][1]]
    meets = column(-200.0, 5852)
    return [
        Street(rounded(south), "residential", key="canal-south"),
        Street(rounded([column(C_YI, 4540), (150, 4590), *northern]), "residential", key="canal-north"),
        Street(rounded(offset([(-40, 5774), *bei], -66)), "residential", key="bei-south"),
        Street(
            rounded([(meets[0] - 6, meets[1]), *offset(bei, 66), (1600, 5668), (2200, 5662), (3440, 5676)]),
            "residential",
            key="bei-north",
        ),
    ]


def _yunshan() -> list[Street]:
    """云山道 west of its real end: carriageways that meet the real ones."""
    axis = axis_yunshan()
    south, northern = offset(axis, 7), offset(axis, -7)
    ends = (local(117.6273, 39.0643), local(117.6274, 39.0644))
    return [
        Street(rounded([end, *line[1:]]), "secondary", "云山道", frozenset({"canal"}), pair="yunshan", key="yunshan")
        for end, line in zip(ends, (south, northern), strict=True)
    ]


def real_streets() -> list[Street]:
    """The real roads beside the new town, as carriageways; the gap of 云山道 at the metro site is bridged."""
    out = []
    for name, cls, points in REAL:
        out.append(
            Street(
                rounded(local(*p) for p in points),
                cls,
                name,
                basis="osm",
                source=OSM_NOTE,
                pair=f"osm-{name}",
                key=f"osm-{name}",
                note="线位取自OpenStreetMap，坐标取至小数4位",
            )
        )
    links = [
        ("厦门路", (local(117.6432, 39.0758), (2652, 6140), new_row(6306, 2644))),
        (None, ((2190, 4052), (2196, 4010), (1660, 4020))),
    ]
    out += [Street(rounded(p), "tertiary", n, note="接至示意路网的连接段（示意）", key="link") for n, p in links]
    return out


def footbridges() -> list[Street]:
    """Two footbridges with stairs; the nearest way without stairs is several hundred metres off."""
    rail = [(column(C_XIN, y)[0] - 9, y) for y in (1075, 1150, 1215, 1335)]
    canal = [(column(C_ZHI, y)[0] + 11, y) for y in (2225, 2315, 2400)]
    return [
        Street(
            rounded(points),
            "steps",
            over=frozenset({key}),
            steps=True,
            note="人行天桥，两端为台阶（示意）",
            key=f"steps-{key}",
            frontage=False,
        )
        for key, points in (("rail", rail), ("canal", canal))
    ]


NO_CROSSING = {
    "jintang": {"c362", "c352", "c838", "c1604", "c1598", "c2310", "c-320"},
    "weihai": {"r2262", "r2398", "front", "r3560"},
    "anshun": {"c332", "c368", "c850"},
    "gangcheng": {"c-1720", "c-800", "c350", "c880", "c1540", "c2330", "c2320"},
    "yunshan": {"c352"},
}
WAITS = {"primary": 38.0, "secondary": 30.0, "tertiary": 22.0, "residential": 20.0}


def build_streets(north: float, corners: Corners) -> list[Street]:
    """Every public street as edges between corners, before gates are cut in."""
    drawn = old_town() + new_town(north) + real_streets() + footbridges()
    edges = node(drawn, corners)
    edges = [e for e in edges if _may_stand(e)]
    return prune(_crossings(edges, drawn), 62.0)


def _may_stand(edge: Street) -> bool:
    """Whether an edge keeps away from every barrier it has no bridge for."""
    line = edge.line()
    middle = line.interpolate(0.5, normalized=True)
    for barrier in BARRIERS:
        if barrier.key in edge.over:
            continue
        axis = BARRIER_LINES[barrier.key]
        if middle.distance(axis) < barrier.half_m or line.intersects(axis):
            return False
    return True


def _crossings(edges: Sequence[Street], drawn: Sequence[Street]) -> list[Street]:
    """Turn what lies between two carriageways into signalised crossings; drop those that have none."""
    sides: dict[str, list[Street]] = {}
    for street in drawn:
        if street.pair:
            sides.setdefault(street.pair, []).append(street)
    out = []
    for edge in edges:
        crossed = _between(edge, sides)
        if crossed is None:
            out.append(edge)
            continue
        if edge.key in NO_CROSSING.get(crossed, ()):
            continue
        main = sides[crossed][0]
        out.append(
            Street(
                edge.points,
                "footway",
                edge.name,
                edge.over,
                wait_s=WAITS[main.cls],
                pair=edge.pair,
                key="crossing",
                note=f"信号灯过街（示意）：{main.name}",
                frontage=False,
            )
        )
    return out


def _between(edge: Street, sides: dict[str, list[Street]]) -> str | None:
    """The dual road whose carriageways this short edge lies between, or None."""
    if length(edge.points) > 45:
        return None
    a, b = edge.points[0], edge.points[-1]
    for key, streets in sides.items():
        if edge.pair == key or len(streets) < 2:
            continue
        on = [min(foot(s.points, p)[1] for s in streets) for p in (a, b)]
        if max(on) > 0.6:
            continue
        nearest = [min((foot(s.points, p)[1], s.points) for s in streets)[1] for p in (a, b)]
        if nearest[0] != nearest[1]:
            return key
    return None


BARRIERS = barriers()
BARRIER_LINES = {b.key: shapely.LineString(b.points) for b in BARRIERS}
