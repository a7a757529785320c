"""
What the data can carry: network, facilities, people, positions; who is affected; what to do.

A finding is a fact about the data, never a repair of it. The table ends in one line to put under a map.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from ..core import (
    BASIS_LABELS,
    DEMONSTRATION,
    PEOPLE_KINDS,
    RESIDENT,
    UNCHECKED,
    layer_name,
    named_by_homes,
    say,
    without_brackets,
)
from ..district import District, buildings_said, kind_name, stretch_said
from .entrances import home_entrances, home_points

#: Street ends this near to another street without touching it are probably drawn badly (metres).
NEAR_MISS_M = 3.0
#: A walk to the street longer than this deserves a look at gates and paths (metres).
LONG_ACCESS_M = 100.0
#: Facilities of one kind nearer than this to each other may be one facility twice (metres).
DUPLICATE_M = 30.0
#: Facilities farther than this from any street were probably placed wrongly (metres).
OFF_STREET_M = 60.0
#: A door further than this from what it is the door of belongs to another place, or to where that was before it moved.
DOOR_AWAY_M = 100.0
#: People per hectare of compound that no housing reaches, and that no lived-in compound falls short of.
DENSITY_MAX, DENSITY_MIN = 2500.0, 5.0
FOOTWAYS = frozenset({"footway", "path", "pedestrian", "steps", "cycleway", "track"})

COLUMNS = ("topic", "layer", "severity", "finding", "where", "count", "people", "remedy")
SEVERITIES = {"high": "要紧", "medium": "注意", "info": "说明"}


class _Finding(NamedTuple):
    """
    What was found; `rows`: which rows, or only how many (of no rows nothing is said); `where`: what they are called, where that is
    not said by their ids.

    `layer`: whose rows these are, where that is not the layer that is looked at; `people`: who lives there, where that is not said by
    the rows of homes.
    """

    severity: str
    finding: str
    remedy: str
    rows: pd.Index | int
    people: float = np.nan
    where: str = ""
    layer: str = ""

    def cells(self, district: District, topic: str, layer: str) -> tuple[object, ...]:
        """Return a row of `audit`."""
        layer, people = self.layer or layer, self.people
        if isinstance(self.rows, int):
            return topic, layer, self.severity, self.finding, self.where, self.rows, people, self.remedy
        people = _people_of(district, self.rows) if layer == "homes" else people
        return (
            topic,
            layer,
            self.severity,
            self.finding,
            _names(self.rows.unique()),
            len(self.rows),
            people,
            self.remedy,
        )


@named_by_homes
def audit(district: District) -> pd.DataFrame:
    """
    Say how far the data can carry conclusions.

    Returns
    -------
    findings
        One row per finding; columns `topic` (路网, 设施, 人口, 位置), `layer` (whose rows are counted and named: "streets", "homes",
        "parcels" …; of kinds nobody looked for the table "kinds"), `severity` (high, medium, info), `finding` (Chinese
        sentence), `where` (ids, the first ten), `count`, `people` (living in the homes concerned; missing where not known or
        not about homes), `remedy` (what to do). Most serious first.
    """
    found = [
        (say("设施"), "facilities", _facilities(district)),
        (say("人口"), "homes", _people(district)),
        (say("位置"), "", _positions(district)),
    ]
    if district.streets is not None:
        ways = (say("路网"), "streets", _network(district)), (say("路网"), "homes", _homes_and_network(district))
        found[:0] = ways
    rows = [
        finding.cells(district, topic, layer)
        for topic, layer, findings in found
        for finding in findings
        if isinstance(finding.rows, int) or len(finding.rows)
    ]
    order = {name: i for i, name in enumerate(SEVERITIES)}
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.sort_values("severity", key=lambda s: s.map(order), kind="stable", ignore_index=True)


@named_by_homes
def rests_on(district: District) -> str:
    """Return the one line to put under a map: what its numbers rest on."""
    parts = []
    for layer in ("homes", "facilities", "streets"):
        if layer not in district.layers:
            parts.append(say("没有{0}", layer_name(layer)))
            continue
        counts = district.basis(layer).value_counts()
        words = say("、").join(f"{say(BASIS_LABELS[b])} {counts[b]:,}" for b in BASIS_LABELS if b in counts)
        parts.append(say("{0}（{1}）", layer_name(layer), words))
    parts += [said for said in (_whom(district), buildings_said(district), stretch_said(district)) if said]
    weak = say("；含示意或合成数据，不作结论") if district.is_demonstration else ""
    return say("依据：{0}", say("；").join(parts)) + weak


def _whom(district: District) -> str:
    """Say whom the numbers of people count, and of which years, where the homes say so."""
    homes = district.homes
    if homes is None or not {"people_kind", "people_year"} <= set(homes.columns):
        return ""
    kinds = [kind for kind in homes["people_kind"].dropna().unique() if kind != RESIDENT]
    years = sorted({int(year) for year in homes["people_year"].dropna()})
    if not kinds and not years:
        return ""
    whom = say(PEOPLE_KINDS[str(kinds[0])] if kinds else PEOPLE_KINDS[RESIDENT])
    return say("人口为{0}人口{1}", whom, say("（{0} 年）", say("、").join(map(str, years))) if years else "")


def _names(index: pd.Index, *, kinds: bool = False) -> str:
    shown = [str(v) for v in index[:10]]
    if len(index) <= 10:
        return say("、").join(shown)
    return say("、").join(shown) + (say(" 等 {0} 类", len(index)) if kinds else say(" 等 {0} 处", len(index)))


def _people_of(district: District, homes: pd.Index) -> float:
    frame = district.homes
    return np.nan if frame is None else float(frame["people"].reindex(homes.unique()).sum(min_count=1))


# --- network ---------------------------------------------------------------------------------------------------------


def _network(district: District) -> Iterator[_Finding]:
    edges = district.network.edges
    public = edges[edges["home"].isna().to_numpy()]
    length = public["length_m"]
    foot = float(length[public["class"].isin(FOOTWAYS).to_numpy()].sum() / max(length.sum(), 1e-9))
    yield _Finding(
        "medium" if foot < 0.05 else "info",
        say("步行道、小路占公共路网长度的 {0:.0%}（共 {1:,.1f} km）", foot, length.sum() / 1000),
        say("比例很低时多半是没有画步行道：补画过街、小路和小区出入口后再下结论") if foot < 0.05 else say("无需处理"),
        len(public),
    )
    ends = _dead_ends(public)
    if len(ends):
        yield _Finding("info", say("断头路端点 {0} 个", len(ends)), say("核对是否真的不通，尤其是小区之间"), len(ends))
    near = _near_misses(district, ends, public)
    yield _Finding(
        "medium",
        say("{0} 个路段端点离另一条路不到 {1:g} 米却没有相接", len(near), NEAR_MISS_M),
        say("在 GIS 里把端点接上（捕捉到同一顶点）"),
        near,
    )
    far = _far_twins(district, public)
    yield _Finding(
        "medium",
        say("分成两条线画的路上有 {0} 处，走到对面要超过 {1:g} 米（没有画过街）", len(far), TWIN_WALK_M),
        say("补画过街（斑马线、天桥、地道），否则路对面会被算成很远"),
        far,
    )
    sizes = public.groupby("component")["length_m"].sum().sort_values(ascending=False)
    if len(sizes) > 1:
        island = public[(public["component"] != sizes.index[0]).to_numpy()]
        yield _Finding(
            "medium",
            say("有 {0} 片路网与主网不通，共 {1:,.2f} km", len(sizes) - 1, sizes.iloc[1:].sum() / 1000),
            say("核对是否漏画了桥、通道或连接路"),
            len(sizes) - 1,
            where=_names(pd.Index(island["street"].drop_duplicates())),
        )


#: Two lines of one name this far apart (metres) are the carriageways of one street; they are looked at every so many metres.
TWIN_GAP_M, TWIN_EVERY_M = (4.0, 45.0), 150.0
#: A walk to the other side longer than this means that no crossing is drawn (metres).
TWIN_WALK_M = 400.0


def _far_twins(district: District, edges: gpd.GeoDataFrame) -> pd.Index:
    """Return the streets, once per spot, whose other carriageway is near as the crow flies and far on foot."""
    named = edges[(edges["name"].notna() & ~edges["class"].isin(FOOTWAYS)).to_numpy()]
    if named.empty:
        return pd.Index([])
    counts = np.maximum((named["length_m"] // TWIN_EVERY_M).astype(int), 1).to_numpy()
    owner = np.repeat(np.arange(len(named)), counts)
    along = (np.arange(len(owner)) - np.repeat(np.r_[0, np.cumsum(counts)[:-1]], counts) + 0.5) / counts[owner]
    spots = shapely.line_interpolate_point(named.geometry.array[owner], along, normalized=True)
    spot, other = named.sindex.query(spots, predicate="dwithin", distance=TWIN_GAP_M[1])
    names, nodes = named["name"].to_numpy(), named[["u", "v"]].to_numpy()
    own = owner[spot]
    apart = shapely.distance(spots[spot], named.geometry.array[other])
    meet = (nodes[own][:, :, None] == nodes[other][:, None, :]).any(axis=(1, 2))
    twin = (names[own] == names[other]) & (own != other) & ~meet & (apart > TWIN_GAP_M[0])
    first = np.flatnonzero(twin)[np.unique(spot[twin], return_index=True)[1]]
    if not len(first):
        return pd.Index([])
    here = pd.DataFrame(
        {
            "place": spot[first],
            "edge": named.index[own[first]],
            "at_m": named["length_m"].to_numpy()[own[first]] * along[spot[first]],
            "access_m": 0.0,
        }
    )
    lines = named.geometry.array[other[first]]
    there = here.assign(edge=named.index[other[first]], at_m=shapely.line_locate_point(lines, spots[spot[first]]))
    near = district.network.pairs(here, there, limit=TWIN_WALK_M).reset_index()
    reached = near.loc[near["origin"] == near["target"], "origin"]
    lost = here[~here["place"].isin(reached)]
    return pd.Index(edges["name"].loc[lost["edge"]])


def _dead_ends(edges: gpd.GeoDataFrame) -> gpd.GeoSeries:
    """Return the end points of edges that no other edge shares, indexed by the edge."""
    boundary = shapely.get_coordinates(shapely.boundary(edges.geometry.array))
    key = np.round(boundary, 3)
    _, inverse, count = np.unique(key, axis=0, return_inverse=True, return_counts=True)
    loose = count[inverse.ravel()] == 1
    owner = np.repeat(np.asarray(edges.index), [len(g.geoms) for g in shapely.boundary(edges.geometry.array)])
    return gpd.GeoSeries(shapely.points(boundary[loose]), index=pd.Index(owner[loose]), crs=edges.crs)


def _near_misses(district: District, ends: gpd.GeoSeries, edges: gpd.GeoDataFrame) -> pd.Index:
    """Return streets whose loose end lies within reach of another street that it does not touch.

    The end of a gate path at a wall is no near miss, nor is one across a barrier.
    """
    if ends.empty:
        return pd.Index([])
    point, other = edges.sindex.query(ends.array, predicate="dwithin", distance=NEAR_MISS_M)
    own = np.asarray(ends.index)[point]
    different = own != np.asarray(edges.index)[other]
    gap = shapely.shortest_line(ends.array[point], edges.geometry.array[other])
    found = different & (shapely.length(gap) > 1e-3)
    barriers = district.barriers
    if barriers is not None and not barriers.empty and found.any():
        found &= ~shapely.intersects(gap, shapely.union_all(barriers.geometry.array))
    return pd.Index(edges.loc[np.unique(own[found]), "street"]).unique()


def _homes_and_network(district: District) -> Iterator[_Finding]:
    points = home_points(district)
    entrances = home_entrances(district)
    homes = pd.Index(points["home"].unique())
    lost = homes.difference(pd.Index(entrances["home"].unique()))
    yield _Finding(
        "high", say("{0} 个小区没有任何走得出去的门", len(lost)), say("核对出入口的开闭状态，补画出入口"), lost
    )
    frame = district.homes
    if frame is not None:
        away = _doors_away(district.gates, frame, "home")
        yield _Finding(
            "medium",
            say("{0} 个小区的出入口画在离它 {1:g} 米以外", len(away), DOOR_AWAY_M),
            say("核对小区和出入口的位置，以及出入口写的是哪个小区"),
            away,
        )
    if entrances.empty:
        return
    stranded = _stranded(district, entrances)
    yield _Finding(
        "high", say("{0} 个小区只连着孤立路网，走不到别处", len(stranded)), say("补画连接路，或确认确实隔绝"), stranded
    )
    first = entrances.drop_duplicates("place")
    far = _far_from_streets(district, first, points)
    yield _Finding(
        "medium",
        say("{0} 个小区离最近的路超过 {1:g} 米", len(far), LONG_ACCESS_M),
        say("补画小区出入口和门前的路"),
        far,
    )
    guessed = pd.Index(first.loc[(~first["gate_known"].astype(bool)).to_numpy(), "home"].unique())
    if frame is not None:
        guessed = guessed.intersection(frame.index[(frame.geom_type != "Point").to_numpy()])
    yield _Finding(
        "medium" if len(guessed) > 0.2 * len(homes) else "info",
        say("{0} 个小区中 {1} 个不知道出入口，按最近的路计算", len(homes), len(guessed)),
        say("在 GIS 里点出出入口（gates 图层），再算一遍"),
        guessed,
    )


def _stranded(district: District, entrances: pd.DataFrame) -> pd.Index:
    """Return homes all of whose doors lead to streets that are not connected with most of them."""
    edges = district.network.edges
    public = edges[edges["home"].isna().to_numpy()]
    main = public.groupby("component")["length_m"].sum().idxmax()
    leads = edges["component"].reindex(entrances["edge"]).to_numpy() == main
    first = (~entrances.duplicated("place")).to_numpy()
    return pd.Index(entrances["home"][first & ~leads].unique()).difference(entrances["home"][leads])


def _far_from_streets(district: District, first: pd.DataFrame, points: gpd.GeoDataFrame) -> pd.Index:
    """Return homes that are far from a street; what is walked along one's own lane is no gap in the drawing."""
    edges = district.network.edges
    beyond = first[(first["access_m"] - first["gate_metres"].fillna(0.0) > LONG_ACCESS_M).to_numpy()]
    far = pd.Index(beyond["home"].unique())
    lanes = edges[edges["home"].isin(far).to_numpy()]
    for home, lines in lanes.geometry.groupby(lanes["home"]):
        own = points.geometry.loc[beyond.loc[(beyond["home"] == home).to_numpy(), "place"]]
        if (shapely.distance(own.to_numpy(), shapely.union_all(lines.to_numpy())) <= LONG_ACCESS_M).all():
            far = far.drop(home)
    return far


# --- facilities, people, positions -----------------------------------------------------------------------------------


def _facilities(district: District) -> Iterator[_Finding]:
    facilities = district.facilities
    if facilities is None or facilities.empty:
        yield _Finding("high", say("没有设施图层，或图层是空的"), say("导入设施名录"), 0)
        return
    points = gpd.GeoSeries(
        shapely.point_on_surface(facilities.geometry.array), index=facilities.index, crs=facilities.crs
    )
    twins = _duplicates(facilities, points)
    yield _Finding(
        "medium",
        say("{0} 处设施与同类设施相距不到 {1:g} 米，可能重复", len(twins), DUPLICATE_M),
        say("核对是否同一处；是则删去一处"),
        twins,
    )
    alike = _alike(district)
    yield _Finding(
        "medium",
        say("自有名录中 {0} 处设施与底图设施相近且名称相似，没有自动合并", len(alike)),
        say("确认是同一处的，在自有名录里写上底图的编号"),
        alike,
        layer="own_facilities",
    )
    if district.streets is not None:
        edges = district.network.edges
        nearest = edges.sindex.nearest(facilities.geometry.array, return_all=False, return_distance=True)[1]
        off = facilities.index[nearest > OFF_STREET_M]
        yield _Finding(
            "medium",
            say("{0} 处设施离任何路都超过 {1:g} 米", len(off), OFF_STREET_M),
            say("核对坐标；补画门前的路或出入口"),
            off,
        )
    away = _doors_away(district.entrances, facilities, "facility")
    yield _Finding(
        "medium",
        say("{0} 处设施的出入口画在离它 {1:g} 米以外", len(away), DOOR_AWAY_M),
        say("核对设施和出入口的位置；设施搬走了的，给原处的出入口写上截止年"),
        away,
    )
    if district.boundary is not None:
        outline = shapely.union_all(district.boundary.geometry.array)
        out = facilities.index[~shapely.intersects(outline, facilities.geometry.array)]
        yield _Finding(
            "info",
            say("{0} 处设施在街道界外，居民走得到就算", len(out)),
            say("无需处理；结果里另列依赖界外设施的份额"),
            out,
        )
    noted = facilities["note"].fillna("").str.contains("人工确认") & facilities["checked_by"].isna()
    doubtful = facilities[(noted | (facilities["state"] == UNCHECKED)).to_numpy(dtype=bool)]
    if len(doubtful):
        which = say("、").join(
            f"{kind_name(district, str(k))} {n}" for k, n in doubtful["kind"].value_counts().head(6).items()
        )
        yield _Finding(
            "medium",
            say("{0} 处设施是按地图标签归类的，标准不一定认可（{1}）", len(doubtful), which),
            say(
                "核对以前不计入，只给出上限：逐处核对后填 checked_by；不算的改类别或删去（如私人诊所不等于社区卫生服务站）"
            ),
            len(doubtful),
            where=_names(doubtful.index),
        )
    seen = set(facilities["kind"])
    never = [
        kind_name(district, str(k)) for k in district.kinds.index if k not in seen and k not in district.surveyed_kinds
    ]
    if never:
        said = say("{0} 类设施没有调查过，相关指标为数据不足", len(never))
        yield _Finding(
            "info",
            said,
            say("调查后写进 district.toml 的 surveyed_kinds"),
            len(never),
            where=_names(pd.Index(never), kinds=True),
            layer="kinds",
        )


def _doors_away(doors: gpd.GeoDataFrame | None, places: gpd.GeoDataFrame, parent: str) -> pd.Index:
    """Return the places some of whose drawn doors lie too far away to be theirs."""
    if doors is None or doors.empty:
        return pd.Index([])
    known = doors[doors[parent].isin(places.index).to_numpy()]
    away = shapely.distance(known.geometry.array, places.geometry.loc[known[parent]].array) > DOOR_AWAY_M
    return pd.Index(known.loc[away, parent].unique())


def _duplicates(facilities: gpd.GeoDataFrame, points: gpd.GeoSeries) -> pd.Index:
    a, b = points.sindex.query(points.array, predicate="dwithin", distance=DUPLICATE_M)
    kind = facilities["kind"].to_numpy()
    name = facilities["name"].fillna("").to_numpy()
    same = (a < b) & (kind[a] == kind[b]) & ((name[a] == name[b]) | (name[a] == "") | (name[b] == ""))
    return facilities.index[np.unique(b[same])]


#: A listed facility and one of the map this near, of one kind and with like names, are probably the same (metres, share).
ALIKE_M, ALIKE_NAMES = 150.0, 0.6


def _alike(district: District) -> pd.Index:
    """Return the planner's own facilities that probably stand on the map a second time: listed, never merged in silence."""
    own = district.layers.get("own_facilities")
    everything = district.facilities
    if own is None or own.empty or everything is None:
        return pd.Index([])
    others = everything[~everything.index.isin(own.index)]
    a, b = others.sindex.query(own.geometry.array, predicate="dwithin", distance=ALIKE_M)
    kinds, other_kinds = own["kind"].to_numpy(), others["kind"].to_numpy()
    # what stands in brackets (a branch, a source) says nothing about likeness
    names, other_names = (f["name"].fillna("").map(without_brackets).to_numpy() for f in (own, others))
    same = [
        i
        for i, j in zip(a, b, strict=True)
        if kinds[i] == other_kinds[j] and SequenceMatcher(None, names[i], other_names[j]).ratio() >= ALIKE_NAMES
    ]
    return own.index[np.unique(np.array(same, dtype=int))]


def _people(district: District) -> Iterator[_Finding]:
    homes = district.homes
    if homes is None or homes.empty:
        yield _Finding("high", say("没有小区图层，算不了任何覆盖率"), say("导入小区或人口表"), 0)
        return
    unknown = homes.index[homes["people"].isna().to_numpy()]
    yield _Finding(
        "high" if len(unknown) == len(homes) else "medium",
        say("{0} 个小区中 {1} 个不知道人口，不计入人口份额", len(homes), len(unknown)),
        say("补填常住人口；不知道就留空，不要写 0"),
        unknown,
    )
    elderly = homes.index[homes["people_60plus"].isna().to_numpy()]
    if len(elderly) > len(unknown):
        yield _Finding(
            "medium",
            say("{0} 个小区不知道60岁及以上人口", len(elderly)),
            say("为老指标只按有数的小区计算；补填后更可信"),
            elderly,
        )
    hectares = homes.geometry.area / 1e4
    density = (homes["people"] / hectares.where(hectares > 0)).dropna()
    odd = density.index[((density > DENSITY_MAX) | (density < DENSITY_MIN)).to_numpy()]
    yield _Finding(
        "medium",
        say(
            "{0} 个小区的人口密度不合常理（每公顷 {1:g} 人以下或 {2:,.0f} 人以上）", len(odd), DENSITY_MIN, DENSITY_MAX
        ),
        say("核对人口和小区范围"),
        odd,
    )
    groups = district.groups
    if district.communities is not None:
        none = groups.index[groups["community"].isna().to_numpy()]
        yield _Finding("info", say("{0} 个小区不在任何社区里", len(none)), say("按社区汇总时单列；核对社区界"), none)
    shapes = homes.geometry.array
    a, b = homes.sindex.query(shapes, predicate="overlaps")
    pairs = a < b
    if pairs.any():
        shared = shapely.area(shapely.intersection(shapes[a[pairs]], shapes[b[pairs]]))
        both = homes.index[np.unique(a[pairs][shared > 100.0])]
        yield _Finding(
            "medium", say("{0} 个小区与别的小区重叠超过 100 平方米", len(both)), say("在 GIS 里改正边界"), both
        )


def _positions(district: District) -> Iterator[_Finding]:
    for layer in ("homes", "gates", "facilities", "streets", "communities", "parcels", "district"):
        if layer not in district.layers:
            continue
        basis = district.basis(layer)
        weak = basis.index[basis.isin(DEMONSTRATION).to_numpy()]
        if len(weak):
            kinds = say("、").join(say(BASIS_LABELS[b]) for b in DEMONSTRATION if (basis == b).any())
            people = _people_of(district, weak) if layer == "homes" else np.nan
            if layer == "streets":
                said = say("{0} {1:,} 段中 {2:,} 段为{3}，不能作结论", layer_name(layer), len(basis), len(weak), kinds)
            else:
                said = say("{0} {1:,} 处中 {2:,} 处为{3}，不能作结论", layer_name(layer), len(basis), len(weak), kinds)
            yield _Finding(
                "high" if layer in ("homes", "facilities", "streets") else "medium",
                said,
                say("换成实测、官方或开放地图数据，并在 basis 列写明"),
                len(weak),
                people=people,
                layer=layer,
            )
