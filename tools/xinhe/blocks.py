"""Street blocks, what they are used for, and the walled compounds, gates, lanes and park paths inside them."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import shapely

from . import skeleton as s
from .frame import XY
from .lines import Corners, Street, at, length, rounded, split
from .regions import COMMUNITY_NAMES, Regions, inset, largest, tidy

Row = dict[str, Any]
SEED = 120_116_006

#: How far walls stay from the middle of a street or of a carriageway, in metres.
SETBACK = {"primary": 19.0, "secondary": 17.0, "tertiary": 15.0, "residential": 13.0, "service": 7.0, "footway": 6.0}
BELT = {"rail": 40.0, "canal": 40.0, "exp": 56.0, "freight": 52.0, "changshen": 56.0, "bei": 44.0}
HOUSING_HA = 5.2  # blocks of more building land than this are cut into two compounds


@dataclass
class Lot:
    """Building land of one block, and what stands on it."""

    shape: shapely.Polygon
    use: str
    community: str | None
    zone: str
    label: str = ""


@dataclass
class Compound:
    """A walled 小区."""

    key: str
    name: str
    shape: shapely.Polygon
    community: str | None
    zone: str
    label: str
    gates: list[XY] = field(default_factory=list)
    planned: list[XY] = field(default_factory=list)  # gates to be opened, among `gates`
    households: int | None = None
    people: int | None = None
    people_60plus: int | None = None
    built: int | None = None
    since: int | None = None
    until: int | None = None
    note: str | None = None


def _between(u0: float, u1: float, low: float, high: float) -> XY:
    """Middle of an old-town block between two columns and two rows."""
    level = (low + high) / 2
    x = s.column((u0 + u1) / 2, level)[0]
    return s.old_row(level, x)


def _new(x: float, low: float, high: float) -> XY:
    """Middle of a new-town block at an easting between two rows."""
    return s.new_row((low + high) / 2, x)


#: Blocks whose use is decided by hand: a point in the block, the use, a label.
CHOSEN: tuple[tuple[XY, str, str], ...] = (
    (_between(s.C_XIN, s.C_HUA, 1170, 1400), "renewal", "wuchedi"),
    (_between(s.C_XIN, s.C_HUA, 1400, 1630), "renewal", "wuchedi"),
    (_between(s.C_YI, s.C_1, 1860, 2090), "park", "西江里口袋公园（示意）"),
    (_between(s.C_HUA, s.C_ZHI, 2850, 3080), "park", "南瑞公园（示意）"),
    (_between(s.C_WEI, s.C_6, 470, 640), "park", "赵家地公园（示意）"),
    (_between(s.C_1, s.C_XIN, 3310, 3560), "park", "福升园公园（示意）"),
    (_between(s.C_1, s.C_XIN, 470, 640), "park", "四季风情公园（示意）"),
    (_between(s.C_ZHI, s.C_WEI, 1860, 2090), "school", "小学"),
    (_between(s.C_XIN, s.C_HUA, 3080, 3310), "school", "小学"),
    (_between(s.C_XIN, s.C_HUA, 640, 800), "school", "小学"),
    (_between(s.C_WEI, s.C_6, 1400, 1630), "school", "初中"),
    (_between(s.C_1, s.C_XIN, 2850, 3080), "school", "初中"),
    (_between(s.C_YI, s.C_1, 1400, 1630), "school", "小学"),
    (_between(s.C_ZHI, s.C_WEI, 2398, 2620), "commercial", ""),
    (_between(s.C_ZHI, s.C_WEI, 800, 1000), "commercial", ""),
    (_between(s.C_HUA, s.C_ZHI, 2090, 2262), "public", ""),
    (_between(s.C_6, s.C_EAST, 2090, 2262), "memorial", "烈士陵园"),
    (_between(s.C_6, s.C_EAST, 800, 1000), "industrial", ""),
    (_between(s.C_YI, s.C_1, 800, 1000), "industrial", ""),
    (_between(s.C_HUA, s.C_ZHI, 1170, 1400), "commercial", ""),
    (_between(s.C_YI, s.C_1, 3560, 3850), "green", ""),
    (_between(s.C_1, s.C_XIN, 3560, 3850), "housing", "huacui"),
    (_between(s.C_XIN, s.C_HUA, 3560, 3850), "housing", "huacui"),
    (_between(s.C_HUA, s.C_ZHI, 3310, 3560), "housing", ""),
    (_between(s.C_ZHI, s.C_WEI, 3310, 3560), "housing", ""),
    (_between(s.C_ZHI, s.C_WEI, 3080, 3310), "housing", ""),
    (_new(330, 4280, 4540), "housing", "jinhai1"),
    (_new(560, 4280, 4540), "housing", "jinhai2"),
    (_new(560, 4540, 4830), "housing", "jinhai3"),
    (_new(300, 4030, 4280), "housing", "new"),
    (_new(800, 4280, 4540), "housing", "new"),
    (_new(1050, 4280, 4540), "park", "海洋园区公园（示意）"),
    (_new(800, 4540, 4830), "housing", "new"),
    (_new(1050, 4540, 4830), "housing", "new"),
    (_new(330, 4540, 4830), "school", "小学"),
    (_new(800, 4030, 4280), "commercial", "红星美凯龙"),
    (_new(1050, 4030, 4280), "parking", ""),
    (_new(1300, 4540, 4830), "commercial", "吾悦广场"),
    (_new(330, 4830, 5080), "housing", "new"),
    (_new(560, 4830, 5080), "housing", "new"),
    (_new(800, 4830, 5080), "commercial", "友阿奥特莱斯"),
    (_new(1050, 4830, 5080), "housing", "new"),
    (_new(330, 5080, 5330), "housing", "new"),
    (_new(560, 5080, 5330), "school", "初中"),
    (_new(800, 5080, 5330), "housing", "new"),
    (_new(1050, 5080, 5330), "housing", "new"),
    (_new(-330, 4540, 4730), "renewal", "south"),
    (_new(-620, 4540, 4730), "renewal", "south"),
    (_new(-620, 4800, 4880), "renewal", "south"),
    (_new(-330, 5050, 5330), "renewal", "north"),
    (_new(-620, 5090, 5330), "renewal", "north"),
    (_new(60, 5050, 5330), "renewal", "north"),
    (_new(-900, 5120, 5330), "park", "干渠公园（示意）"),
    (_new(-900, 4280, 4540), "housing", "village"),
    (_new(1850, 6000, 6300), "housing", "new"),
    (_new(2400, 6000, 6300), "housing", "new"),
    (_new(2030, 6000, 6300), "park", "蒿山道绿地（示意）"),
    (_new(2400, 5820, 6000), "housing", "new"),
    (_new(1800, 5700, 6000), "commercial", ""),
    (_new(-1400, 6300, 6650), "logistics", "晋大物流园"),
    (_new(-480, 6650, 7000), "logistics", "中港建材城市场物流园"),
    (_new(680, 6300, 6650), "logistics", "鹏程物流园"),
    (_new(2450, 6650, 7000), "logistics", "中远信达物流园"),
    (_new(1250, 6650, 7000), "logistics", "中储滨海现代物流园"),
)


def _setback(edge: Street) -> float:
    return SETBACK.get(edge.cls, 10.0)


def find_lots(edges: Sequence[Street], regions: Regions) -> list[Lot]:
    """Building land inside the district, block by block."""
    lines = [e.line() for e in edges]
    tree = shapely.STRtree(lines)
    belts = shapely.unary_union([s.BARRIER_LINES[k].buffer(m, quad_segs=4) for k, m in BELT.items()])
    dice = random.Random(SEED)
    lots = []
    blocks = [p for p in shapely.polygonize(lines).geoms if isinstance(p, shapely.Polygon)]
    blocks.sort(key=lambda p: (round(p.centroid.y), round(p.centroid.x)))
    for block in blocks:
        if block.area < 4000:
            continue
        near = sorted(int(i) for i in tree.query(block, predicate="dwithin", distance=0.5))
        walls = shapely.unary_union([lines[i].buffer(_setback(edges[i]), quad_segs=3) for i in near])
        land = largest(block.difference(walls).difference(belts).intersection(regions.district.buffer(-6)))
        land = largest(land.buffer(-6, quad_segs=2).buffer(6, quad_segs=2)) if land.area else land
        if land.area < 2500:
            continue
        land = tidy(land)
        p = land.representative_point()
        zone = "old" if regions.old.contains(p) else "new"
        use, label = _use(block, zone, (p.x, p.y), dice)
        if inset(land, 24.0).area < 600:
            use, label = "green", ""
        lots.append(Lot(land, use, regions.community_of((p.x, p.y)), zone, label))
    return lots


def _use(block: shapely.Polygon, zone: str, middle: XY, dice: random.Random) -> tuple[str, str]:
    """What a block is used for: chosen by hand, else housing in the old town and industry in the new."""
    chance = dice.random()
    for p, use, label in CHOSEN:
        if block.contains(shapely.Point(p)):
            return use, label
    if zone == "old":
        if middle[1] > 3580 and middle[0] > 500:
            return ("logistics" if chance < 0.4 else "green" if chance < 0.7 else "industrial"), ""
        return ("housing" if chance < 0.96 else "commercial"), ""
    if middle[1] < 4250 or (middle[0] < -1900 and chance < 0.6):
        return "green", ""
    if 6350 < middle[1] < 7150 and chance < 0.35:
        return "logistics", ""
    return (
        "industrial" if chance < 0.72 else "research" if chance < 0.86 else "green" if chance < 0.94 else "vacant"
    ), ""


# --- compounds ----------------------------------------------------------------------------------------------------


def _halves(shape: shapely.Polygon, gap: float) -> tuple[list[shapely.Polygon], list[XY]]:
    """Cut a lot across its longer side; the halves and the line between them."""
    box = list(shapely.oriented_envelope(shape).exterior.coords)
    sides = sorted(itertools.pairwise(box), key=lambda ab: math.dist(*ab))
    (ax, ay), (bx, by) = sides[-1]
    run = math.dist((ax, ay), (bx, by))
    c = shape.centroid
    nx, ny = -(by - ay) / run, (bx - ax) / run
    axis = [(c.x + nx * k, c.y + ny * k) for k in (-400.0, 400.0)]
    strip = shapely.LineString(axis).buffer(gap / 2, cap_style="flat")
    rest = shape.difference(strip)
    parts = [tidy(g, 0.6) for g in getattr(rest, "geoms", [rest]) if g.area > 2500]
    parts.sort(key=lambda g: (round(g.centroid.x), round(g.centroid.y)))
    return parts, axis


def _corner(shape: shapely.Polygon, which: int) -> tuple[shapely.Polygon, shapely.Polygon] | None:
    """Cut a shop corner off a lot: what is left of the lot (an L), and the corner; None where it does not work out."""
    box = [(float(x), float(y)) for x, y in shapely.oriented_envelope(shape).exterior.coords][:-1]
    p, before, after = box[which], box[which - 1], box[(which + 1) % 4]
    a, b = ((q[0] - p[0], q[1] - p[1]) for q in (before, after))
    u, v = (min(82.0 / math.hypot(*w), 0.45) for w in (a, b))
    far = (p[0] + a[0] * u + b[0] * v, p[1] + a[1] * u + b[1] * v)
    piece = shapely.Polygon([p, (p[0] + a[0] * u, p[1] + a[1] * u), far, (p[0] + b[0] * v, p[1] + b[1] * v)])
    corner = shape.intersection(piece)
    rest = shape.difference(piece.buffer(7, join_style="mitre"))
    if not isinstance(rest, shapely.Polygon) or not isinstance(corner, shapely.Polygon):
        return None
    return tidy(rest, 0.6), tidy(corner, 0.6)


def build_compounds(lots: list[Lot], edges: Sequence[Street]) -> tuple[list[Compound], list[list[XY]]]:
    """Compounds of every housing lot, and the axes of the public alleys between halves; shop corners become lots."""
    dice = random.Random(SEED + 1)
    out: list[Compound] = []
    alleys = []
    tree = shapely.STRtree([e.line() for e in edges])
    for lot in list(lots):
        if lot.use not in ("housing", "renewal"):
            continue
        cut = lot.shape.area > HOUSING_HA * 1e4 or (lot.shape.area > 2.6e4 and dice.random() < 0.42)
        if not cut:
            shaped = (
                _corner(lot.shape, int(dice.random() * 4)) if dice.random() < 0.45 and lot.shape.area > 2.4e4 else None
            )
            if shaped and lot.use == "housing":
                lot.shape = shaped[0]
                lots.append(Lot(shaped[1], "commercial", lot.community, lot.zone))
            out.append(Compound("", "", lot.shape, lot.community, lot.zone, lot.label))
            continue
        open_alley = dice.random() < 0.65
        parts, axis = _halves(lot.shape, 16.0 if open_alley else 7.0)
        if open_alley and len(parts) == 2:
            alley = _reach(axis, lot.shape, edges, tree)
            if alley:
                alleys.append(alley)
        out += [Compound("", "", p, lot.community, lot.zone, lot.label) for p in parts]
    return out, alleys


def _reach(axis: list[XY], lot: shapely.Polygon, edges: Sequence[Street], tree: shapely.STRtree) -> list[XY] | None:
    """An alley from street to street along an axis, or None where it would not meet two."""
    line = shapely.LineString(axis)
    c = lot.centroid
    hits: list[tuple[float, XY]] = []
    for i in sorted(int(k) for k in tree.query(line, predicate="intersects")):
        if not edges[i].frontage or (edges[i].over & {"canal", "rail", "exp"} and length(edges[i].points) < 150):
            continue
        for q in shapely.get_parts(line.intersection(edges[i].line())):
            if isinstance(q, shapely.Point):
                hits.append((line.project(q), (round(q.x, 2), round(q.y, 2))))
    middle = line.project(c)
    below = [h for h in hits if h[0] < middle]
    above = [h for h in hits if h[0] > middle]
    if not below or not above:
        return None
    a, b = max(below)[1], min(above)[1]
    return [a, b] if math.dist(a, b) < 420 else None


def insert(edges: Sequence[Street], extra: Sequence[Street], corners: Corners) -> list[Street]:
    """Join new streets to the edges their ends lie on: the edges are cut there."""
    lines = [e.line() for e in edges]
    tree = shapely.STRtree(lines)
    cuts: dict[int, list[XY]] = {}
    for street in extra:
        for p in (street.points[0], street.points[-1]):
            for i in sorted(int(k) for k in tree.query(shapely.Point(p), predicate="dwithin", distance=0.02)):
                if min(math.dist(p, edges[i].points[0]), math.dist(p, edges[i].points[-1])) > 1e-9:
                    cuts.setdefault(i, []).append(p)
    out: list[Street] = []
    for i, edge in enumerate(edges):
        out += split(edge, cuts[i]) if i in cuts else [edge]
    return out + list(extra)


# --- gates --------------------------------------------------------------------------------------------------------


class Doors:
    """Finds places where a wall can open onto a public street."""

    def __init__(self, edges: Sequence[Street], walls: Sequence[shapely.Polygon]) -> None:
        self.edges = edges
        self.lines = [e.line() for e in edges]
        self.tree = shapely.STRtree(self.lines)
        self.walls = list(walls)
        self.wall_tree = shapely.STRtree(self.walls)

    def candidates(self, shape: shapely.Polygon, reach: float = 40.0) -> list[tuple[XY, XY, str]]:
        """Possible doors: the point on the street, the point on the wall, the street's class."""
        ring = shape.exterior
        out = []
        for i in sorted(int(k) for k in self.tree.query(shape, predicate="dwithin", distance=reach)):
            edge = self.edges[i]
            total = length(edge.points)
            if not edge.frontage or total < 40:
                continue
            for t in (0.22, 0.36, 0.5, 0.64, 0.78):
                p, _ = at(edge.points, total * t)
                p = (round(p[0], 2), round(p[1], 2))
                along = ring.project(shapely.Point(p))
                q = ring.interpolate(along)
                wall = (round(q.x, 2), round(q.y, 2))
                if 4.5 <= math.dist(p, wall) <= reach and self._free(p, wall, i, shape):
                    out.append((p, wall, edge.cls))
        return out

    def _free(self, p: XY, wall: XY, own: int, shape: shapely.Polygon) -> bool:
        """Whether the short way from street to wall meets nothing else."""
        way = shapely.LineString([p, wall])
        if any(int(k) != own for k in self.tree.query(way, predicate="dwithin", distance=3.0)):
            return False
        if any(way.intersects(axis) for axis in s.BARRIER_LINES.values()):
            return False
        clipped = way.difference(shape.buffer(0.1))
        return not any(
            self.walls[int(k)].distance(clipped) < 2.0
            for k in self.wall_tree.query(way, predicate="dwithin", distance=2.0)
            if not self.walls[int(k)].equals(shape)
        )


def spread(options: list[tuple[XY, XY, str]], n: int, dice: random.Random) -> list[tuple[XY, XY, str]]:
    """Choose up to n doors, quieter streets first, far from each other."""
    if not options:
        return []
    rank = {"residential": 0, "service": 0, "tertiary": 1, "secondary": 2, "primary": 3}
    start = min(range(len(options)), key=lambda i: (rank.get(options[i][2], 4) * 0.25 + dice.random(), i))
    chosen = [options[start]]
    while len(chosen) < n:
        best = max(range(len(options)), key=lambda i: (min(math.dist(options[i][1], c[1]) for c in chosen), -i))
        if min(math.dist(options[best][1], c[1]) for c in chosen) < 70:
            break
        chosen.append(options[best])
    return chosen


def cut_gates(compounds: Sequence[Compound], edges: Sequence[Street]) -> list[Street]:
    """Give compounds their gates; return the short public ways from street to gate."""
    dice = random.Random(SEED + 2)
    doors = Doors(edges, [c.shape for c in compounds])
    ways: list[Street] = []
    for i, compound in enumerate(compounds):
        chance = dice.random()
        n = 1 if chance < 0.27 else 2 if chance < 0.68 else 3 if chance < 0.90 else 4
        if compound.shape.area < 9000:
            n = 1
        taken = shapely.MultiLineString([w.points for w in ways]) if ways else shapely.Point(-9e5, 0)
        options = [o for o in doors.candidates(compound.shape) if taken.distance(shapely.LineString(o[:2])) > 6]
        if i % 27 == 13:
            compound.note = "出入口未知（有意留空）"
            continue
        more = 1 if i in (17, 79) else 0
        for k, (p, wall, _) in enumerate(spread(options, (1 if more else n) + more, dice)):
            compound.gates.append(wall)
            if more and k == 1:
                compound.planned.append(wall)
                compound.note = "拟增开一处出入口（合成）"
            ways.append(Street((p, wall), "service", None, key="gate", frontage=False))
    return ways


def lanes(compound: Compound) -> list[Street]:
    """Inner lanes for residents: a loop inside the wall joined to every gate, and a lane across it."""
    if not compound.gates:
        return []
    ring_shape = inset(compound.shape, 24.0 if compound.shape.area > 12000 else 14.0)
    street = Street(
        ((0, 0), (1, 1)),
        "service",
        None,
        home=compound.key,
        frontage=False,
        key="lane",
        since=compound.since,
        until=compound.until,
    )
    if ring_shape.area < 900:
        c = compound.shape.representative_point()
        middle = (round(c.x, 2), round(c.y, 2))
        return [replace(street, points=(gate, middle)) for gate in compound.gates]
    ring = tidy(ring_shape, 2.0).exterior
    out, marks = [], []
    for gate in compound.gates:
        q = ring.interpolate(ring.project(shapely.Point(gate)))
        way = (gate, (round(q.x, 2), round(q.y, 2)))
        marks.append(way[1])
        out.append(replace(street, points=way))
    for k in (0.34, 0.66) if ring_shape.area > 18000 else (0.5,):
        cross = _across(ring, k)
        if cross and min((math.dist(e, m) for e in cross for m in marks), default=99.0) > 4:
            marks += cross
            out.append(replace(street, points=tuple(cross)))
    closed = replace(street, points=rounded([(x, y) for x, y in ring.coords]))
    return out + split(closed, sorted(set(marks) - {closed.points[0]}))


def _across(ring: shapely.LinearRing, share: float) -> list[XY] | None:
    """A line across a loop, at a share of its longer side."""
    box = list(shapely.oriented_envelope(ring).exterior.coords)
    sides = [(box[0], box[1], box[3], box[2]), (box[1], box[2], box[0], box[3])]
    a, b, c, d = max(sides, key=lambda k: math.dist(k[0], k[1]))
    p = (a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share)
    q = (c[0] + (d[0] - c[0]) * share, c[1] + (d[1] - c[1]) * share)
    hit = shapely.Polygon(ring).intersection(shapely.LineString([p, q]))
    if not isinstance(hit, shapely.LineString) or hit.length < 20:
        return None
    return list(rounded([(x, y) for x, y in hit.coords]))


# --- people -------------------------------------------------------------------------------------------------------

BUILT = {
    "001": 1988,
    "002": 1990,
    "003": 1986,
    "004": 1983,
    "005": 1992,
    "006": 1985,
    "007": 1981,
    "008": 2014,
    "009": 2003,
    "010": 1996,
    "011": 1999,
    "012": 1998,
    "013": 2006,
}


def populate(compounds: list[Compound]) -> None:
    """Names, years and clearly synthetic round totals."""
    dice = random.Random(SEED + 3)
    count: dict[str, int] = {}
    for compound in compounds:
        code = compound.community or "new"
        count[code] = count.get(code, 0) + 1
        base = COMMUNITY_NAMES.get(code, "海洋园区")
        compound.name = (
            f"{base}{count[code]:02d}号院（合成）" if compound.zone == "old" else f"新城{count[code]:02d}号小区（合成）"
        )
        built = BUILT.get(code, 2016) + round(dice.random() * 9) - (0 if compound.zone == "old" else 2)
        density = (68 - (built - 1980) * 0.75 if compound.zone == "old" else 33) * (0.75 + 0.5 * dice.random())
        size = 2.35 + 0.3 * dice.random() + (0.1 if compound.zone == "new" else 0.0)
        households = max(20, round(compound.shape.area / 1e4 * density / 10) * 10)
        older = max(0.07, 0.43 - (built - 1980) * 0.0096 + (dice.random() - 0.5) * 0.05)
        compound.households, compound.built = households, built
        compound.people = round(households * size / 10) * 10
        compound.people_60plus = round(compound.people * older / 5) * 5
    _special(compounds)
    for k, compound in enumerate(compounds):
        compound.key = f"H{k + 1:03d}"


def _successor(old: Compound) -> Compound:
    """New housing on a renewal plot, some years after the old houses are gone."""
    year = 2027 if old.label == "wuchedi" else 2029
    households = max(40, round(old.shape.area / 1e4 * 52 / 10) * 10)
    people = round(households * 2.6 / 10) * 10
    stem = old.name.removesuffix("（合成）").replace("平房", "新居")
    return replace(
        old,
        name=f"{stem}（合成）",
        built=year,
        since=year,
        until=None,
        households=households,
        people=people,
        people_60plus=round(people * 0.16 / 5) * 5,
        note="更新后的住房，户数和人口为合成",
    )


def _special(compounds: list[Compound]) -> None:
    """The compounds the plan speaks of, those with a date, and those whose people are unknown."""
    count: dict[str, int] = {}
    names = {"jinhai1": "金海云城一期", "jinhai2": "金海云城二期", "jinhai3": "金海云城三期"}
    for compound in compounds:
        label = compound.label
        if label in names:
            count[label] = count.get(label, 0) + 1
            part = "" if count[label] == 1 else f"{count[label]}区"
            compound.name = names[label] + part
            compound.since = {"jinhai1": None, "jinhai2": 2024, "jinhai3": 2028}[label]
            compound.built = compound.since or 2019
            compound.note = "楼盘名见规划原文；位置、分期和人口为合成"
        elif label in ("wuchedi", "south", "north", "village"):
            count[label] = count.get(label, 0) + 1
            stem = {
                "wuchedi": "五车地平房",
                "south": "新河庄南河底平房",
                "north": "新河庄北河底平房",
                "village": "新河庄新居",
            }[label]
            compound.name = f"{stem}{count[label]}（合成）"
            compound.built = {"wuchedi": 1972, "village": 2009}.get(label, 1968)
            compound.until = {"wuchedi": 2024, "south": 2026, "north": 2026}.get(label)
            if label in ("south", "north"):
                compound.households = 60
                compound.people, compound.people_60plus = 140, 60
    old = [c for c in compounds if c.community == "004" and not c.label]
    if old:
        old[0].name = "新建里小区"
        old[0].note = "小区名见规划原文；位置和人口为合成"
    for c in compounds:
        if c.label == "huacui":
            c.built, c.since = 2018, 2018
            c.people_60plus = round((c.people or 0) * 0.1 / 5) * 5
    compounds += [_successor(c) for c in compounds if c.label in ("wuchedi", "south")]
    for k in (22, 61):
        compounds[k].people = compounds[k].people_60plus = None
        compounds[k].note = "人口未知（有意留空）"


# --- parks and the island -----------------------------------------------------------------------------------------


def park_paths(lots: Sequence[Lot], edges: Sequence[Street]) -> tuple[list[Street], list[Street], list[tuple[int, XY]]]:
    """Ways from the street into every park, the paths inside, and the entrances as (number of the park, point)."""
    dice = random.Random(SEED + 5)
    parks = [q for q in lots if q.use == "park"]
    doors = Doors(edges, [q.shape for q in parks])
    ways, paths, entrances = [], [], []
    path = Street(((0, 0), (1, 1)), "footway", None, frontage=False, key="park")
    for n, park in enumerate(parks, 1):
        ring = tidy(inset(park.shape, 30.0), 3.0).exterior
        marks = []
        for p, wall, _ in spread(doors.candidates(park.shape), 4, dice):
            q = ring.interpolate(ring.project(shapely.Point(wall)))
            mark = (round(q.x, 2), round(q.y, 2))
            ways.append(replace(path, points=(p, wall)))
            paths.append(replace(path, points=(wall, mark)))
            entrances.append((n, wall))
            marks.append(mark)
        cross = _across(ring, 0.5)
        if cross:
            marks += cross
            paths.append(replace(path, points=tuple(cross)))
        closed = replace(path, points=rounded([(x, y) for x, y in ring.coords]))
        paths += split(closed, sorted(set(marks) - {closed.points[0]}))
    return ways, paths, entrances


def island(lots: Sequence[Lot]) -> list[Street]:
    """Yard roads inside one logistics park that meet no street: the one odd island of the network."""
    lot = next(q for q in lots if q.label == "中储滨海现代物流园")
    ring = tidy(inset(lot.shape, 45.0), 3.0).exterior
    note = "园区内部路，不与公共路网相接（有意保留的孤岛）"
    yard = Street(((0, 0), (1, 1)), "service", None, frontage=False, key="island", note=note)
    cross = _across(ring, 0.5) or []
    closed = replace(yard, points=rounded([(x, y) for x, y in ring.coords]))
    return [replace(yard, points=tuple(cross)), *split(closed, sorted(cross))]
