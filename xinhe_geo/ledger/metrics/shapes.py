"""Metrics of shapes: areas, how two layers lie to each other, what lies along a line, how uses mix."""

from __future__ import annotations

import math

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from ...core import LAYERS, TOLERANCE_M, land_use_name, layer_name, per_cent, say
from ...district import District, column_name
from .base import (
    SCOPE_LAYERS,
    WEIGHTS,
    Found,
    Lacks,
    Measure,
    Metric,
    Terms,
    facilities_of,
    having,
    homes_in,
    in_words,
    kind_names,
    kinds_of,
    metric,
    number_text,
    parts,
    pick,
    place_names,
    ratio,
    require_survey,
    scope_shape,
    scope_text,
    short_of,
    touch,
    weight_of,
)

#: Square metres of the units that areas are told in.
_SQUARE_METRES = {"km²": 1e6, "公顷": 1e4}


@metric(
    "area",
    Metric(
        "面积",
        "范围内图层要素的面积之和（投影坐标系，重叠只计一次），或填报的面积之和",
        columns=("layer",),
        in_parts=True,
        declared=True,
    ),
)
def _area(district: District, m: Measure) -> Found:
    """Area of a layer's rows in the scope, in the unit of the row; per person where `per` is given."""
    layer = str(m["layer"])
    same = SCOPE_LAYERS.get(str(m["scope"])) == layer
    rows = pick(district, layer, m["codes"]) if same else district.layers[layer]
    if m["field"]:
        return _typed_area(district, m, rows)
    shape = shapely.union_all(rows.geometry.array)
    touched = touch(district, layer, rows.index)
    if not same:
        outline, more = scope_shape(district, m)
        shape, touched = shapely.intersection(shape, outline), {**touched, **more}
    times = 1.0 / _SQUARE_METRES.get(str(m["unit"]), 1.0)
    value, terms = float(shape.area) * times, Terms("sum", _grounds(rows, shape, same), times)
    said = say("{0} 处{1}合计 {2}", len(rows), layer_name(layer), number_text(shape.area, "m²"))
    if m["per"] > 0:
        homes, more = homes_in(district, m)
        each = weight_of(homes, str(m["weight"] or "people"))
        people = float(each.sum())
        value, touched = value / people * m["per"], {**touched, **more}
        ground = terms.rows.assign(weight=0.0)
        terms = Terms("per", pd.concat([ground, parts(homes["name"], 0.0, each)]), times * m["per"])
        said += say("，{0} {1}", say(WEIGHTS[str(m["weight"] or "people")][0]), number_text(people, ""))
    return Found(value, said, touched, short_of(m, value), terms=terms)


def _grounds(rows: gpd.GeoDataFrame, shape: shapely.Geometry, whole: bool) -> pd.DataFrame:
    """Return the square metres of each row that lie in a shape (all of them where they are the shape), less what lies on another row."""
    area = rows.geometry.area if whole else rows.geometry.intersection(shape).area
    found = parts(rows["name"] if "name" in rows else rows.index.to_series(), area)[(area > 0).to_numpy()]
    twice = float(area.sum()) - float(shape.area)
    if twice > 0:
        found.loc["－"] = [say("重叠的只计一次"), -twice, 1.0]
    return found


def _typed_area(district: District, m: Measure, rows: gpd.GeoDataFrame) -> Found:
    """Sum of a column of areas, of the rows whose year lies between `since` and `until`; a blank cell is unknown, not 0."""
    layer, field = str(m["layer"]), str(m["field"])
    column = LAYERS[layer].names[field]
    shape, touched = scope_shape(district, m)
    rows = rows[shapely.intersects(shape, shapely.point_on_surface(rows.geometry.array))]
    label, known = column_name(layer, field), rows[field].notna()
    if column.dated_by:
        year = rows[column.dated_by].astype("float64")
        within = year.between(
            *(-math.inf if np.isnan(m["since"]) else m["since"], math.inf if np.isnan(m["until"]) else m["until"])
        )
        undated = known & year.isna() & (rows[field] > 0)
    else:
        within, undated = known, known & False
    counted, times = rows[known & within], 1.0 / _SQUARE_METRES.get(str(m["unit"]), 1.0)
    value = float(counted[field].sum()) * times
    terms = Terms(
        "sum", parts(counted["name"] if "name" in counted else counted.index.to_series(), counted[field]), times
    )
    if len(rows) and not (known & ~undated).any():
        raise Lacks(say("缺{0}（{1} 的 {2} 列，{3} 处都没有填）", label, layer, field, len(rows)))
    blank = int((~known).sum() + undated.sum())
    note = say("{0} 处没有填{1}或年份，未计入", blank, label) if blank else ""
    said = say("{0} 处{1}，{2}合计 {3}", len(rows), layer_name(layer), label, number_text(value, str(m["unit"])))
    touched = {**touch(district, layer, rows.index), **touched}
    return Found(value, said, touched, short_of(m, value), note=note, terms=terms)


@metric(
    "topology",
    Metric(
        "图形关系",
        "两个图层的面在投影坐标系里求交、求差后的面积之比",
        columns=("layer", "other_layer", "relation"),
        scoped=False,
        declared=True,
    ),
)
def _topology(district: District, m: Measure) -> Found:
    """How the rows of one layer lie to those of another: inside, north of, covered, overlapping, tiling, straddling."""
    layer, other = str(m["layer"]), str(m["other_layer"])
    rows = pick(district, layer, m["codes"])
    others = pick(district, other, m["other_codes"])
    touched = {**touch(district, layer, rows.index), **touch(district, other, others.index)}
    own, whole = shapely.union_all(rows.geometry.array), shapely.union_all(others.geometry.array)
    names = say("{0} {1} 处", layer_name(layer), len(rows)), say("{0} {1} 处", layer_name(other), len(others))
    relation = str(m["relation"])
    if relation == "straddle":
        return _straddle(rows, others, touched, m)
    against, ground = (layer, own) if relation in ("inside", "north_of") else (other, whole)
    if not ground.area > 0:
        raise Lacks(say("{0}图层里没有要素", layer_name(against)))
    overlap = _ground(rows.geometry.area.sum() - own.area)
    outside = _ground(shapely.difference(whole, own).area)
    if relation == "north_of":
        north = shapely.intersection(own, _north_of(whole, own))
        rest = _ground(own.area - north.area)
        value = (1 - rest / own.area) * 100
        said, terms = (
            say("{0}中在线以北的面积份额", names[0]),
            ratio((say("符合的"), own.area - rest), (names[0], own.area)),
        )
    elif relation == "inside":
        rest = _ground(shapely.difference(own, whole).area)
        value, said = (1 - rest / own.area) * 100, say("{0}落在{1}以内的面积份额", names[0], names[1])
        terms = ratio((say("符合的"), own.area - rest), (names[0], own.area))
    elif relation == "covered":
        value, rest, said = (1 - outside / whole.area) * 100, outside, say("{0}被{1}盖住的面积份额", names[1], names[0])
        terms = ratio((say("符合的"), whole.area - rest), (names[1], whole.area))
    elif relation == "overlap":
        value, rest, said = (
            overlap / whole.area * 100,
            overlap,
            say("{0}互相重叠的面积占{1}的份额", names[0], layer_name(other)),
        )
        terms = ratio((say("不合的"), rest), (names[1], whole.area))
    else:
        rest = outside + overlap
        value, said = (
            rest / whole.area * 100,
            say("{0}拼{1}：缝 {2}，叠 {3}", names[0], names[1], number_text(outside, "m²"), number_text(overlap, "m²")),
        )
        terms = ratio((say("不合的"), rest), (names[1], whole.area))
    rest = _ground(rest)
    gap = say(_MISFIT[relation], number_text(rest, "m²")) if rest > 0 else ""
    return Found(value, said, touched, gap, say("核对两个图层的界线") if gap else "", terms=terms)


#: What is said of the ground that does not fit, by how it should lie.
_MISFIT = {
    "inside": "落在外面的 {0}",
    "north_of": "在线以南的 {0}",
    "covered": "没有盖住的 {0}",
    "overlap": "重叠的 {0}",
    "tiles": "缝和叠共 {0}",
}


def _ground(area: float) -> float:
    """Return an area; less than a square metre is the rounding of coordinates."""
    return float(area) if area >= 1.0 else 0.0


def _straddle(rows: gpd.GeoDataFrame, others: gpd.GeoDataFrame, touched: dict[str, pd.Series], m: Measure) -> Found:
    """How many rows lie in more than one row of the other layer (slivers of less than 1 % of the row are drawing errors)."""
    i, j = others.sindex.query(rows.geometry.array, predicate="intersects")
    shared = shapely.area(
        shapely.intersection(np.asarray(rows.geometry.array)[i], np.asarray(others.geometry.array)[j])
    )
    enough = shared > 0.01 * rows.geometry.area.to_numpy()[i]
    counts = np.bincount(i[enough], minlength=len(rows))
    across = rows[counts > 1]
    said = say("{0} 处中 {1} 处跨界", len(rows), len(across))
    return Found(
        float(len(across)),
        said,
        touched,
        say("跨界：{0}", place_names(across)) if len(across) else "",
        say("按界线拆开") if len(across) else "",
        terms=Terms("has", parts(across["name"] if "name" in across else across.index.to_series(), 1.0)),
    )


def _north_of(line: shapely.Geometry, around: shapely.Geometry) -> shapely.Geometry:
    """Return the ground north of a line that runs roughly west to east, its ends drawn out due west and due east."""
    merged = shapely.line_merge(shapely.union_all(line))
    parts = [shapely.get_coordinates(part) for part in shapely.get_parts(merged)]
    parts = [part if part[0, 0] <= part[-1, 0] else part[::-1] for part in parts]
    path = np.concatenate(sorted(parts, key=lambda part: float(part[0, 0])))
    west, _, east, north = shapely.total_bounds([line, around]) + np.array([-1.0, -1.0, 1.0, 1.0])
    ring = [(west, path[0, 1]), *map(tuple, path), (east, path[-1, 1]), (east, north), (west, north)]
    return shapely.make_valid(shapely.Polygon(ring))


@metric(
    "along",
    Metric(
        "沿线",
        "线的限距以内的设施数，或有绿带的线长 ÷ 线长，或相邻可步行穿越点的最大间距",
        columns=("relation", "lines", "codes"),
        in_parts=True,
        declared=True,
    ),
)
def _along(district: District, m: Measure) -> Found:
    """What lies along a line: places within a distance, how much of it is accompanied, how far apart it can be crossed."""
    layer, rows = str(m["lines"]), pick(district, str(m["lines"]), m["codes"])
    touched = touch(district, layer, rows.index)
    line = shapely.union_all(rows.geometry.array)
    if line.area > 0:
        line = shapely.boundary(line)
    where = scope_text(district, {**m, "scope": "line", "metres": math.nan})
    if m["relation"] == "facilities":
        return _along_places(district, m, line, touched)
    if m["relation"] == "length":
        other = str(m["layer"])
        company = shapely.union_all(district.layers[other].geometry.array)
        near = shapely.buffer(company, max(m["metres"], 0.0), quad_segs=32)
        part = float(shapely.intersection(line, near).length)
        said = say(
            "{0}全长 {1}，其中 {2} 的 {3:g} m 内有{4}",
            where,
            number_text(line.length, "m"),
            number_text(part, "m"),
            m["metres"],
            layer_name(other),
        )
        rest = line.length - part
        gap = say("还有 {0} 没有", number_text(rest, "m")) if rest > 1.0 else ""
        return Found(
            part / line.length * 100,
            said,
            {**touched, **touch(district, other)},
            gap,
            say("补连断开的段") if gap else "",
            terms=ratio((layer_name(other), part), (where, float(line.length))),
        )
    gaps, crossings = _crossings(line, district.layers["streets"])
    said = say("{0}全长 {1}，可步行穿越 {2} 处", where, number_text(line.length, "m"), crossings)
    gap = say("最长的一段 {0} 过不去", number_text(max(gaps), "m"))
    touched, fix = {**touched, **touch(district, "streets")}, say("在最长的一段中间增加过街桥或通道")
    each = pd.Series([where] * len(gaps), index=[str(n) for n, _ in enumerate(gaps, 1)])
    return Found(max(gaps), said, touched, gap, fix, terms=Terms("max", parts(each, gaps)))


def _along_places(district: District, m: Measure, line: shapely.Geometry, touched: dict[str, pd.Series]) -> Found:
    kinds = kinds_of(m)
    require_survey(district, kinds)
    places = district.open_facilities
    assert places is not None
    places = places[places["kind"].isin(kinds).to_numpy()]
    if places.empty:
        raise Lacks(say("没有开放的{0}，无从比较", kind_names(district, kinds)))
    metres = shapely.distance(line, places.geometry.array)
    near = metres <= m["metres"] + TOLERANCE_M
    value = float(near.mean() * 100 if m["unit"] == "%" else near.sum())
    names = places["name"].where(places["name"].notna(), places.index)
    words = [say("{0}（{1:,.0f} m）", name, d) for name, d in zip(names, metres, strict=True)]
    said = say("{0} 处中 {1} 处在 {2:g} m 以内：{3}", len(places), int(near.sum()), m["metres"], in_words(words))
    terms = having(parts(names, metres, m["metres"] + TOLERANCE_M), m, "within")
    return Found(value, said, {**touched, **facilities_of(district, kinds)}, short_of(m, value), terms=terms)


def _crossings(line: shapely.Geometry, streets: gpd.GeoDataFrame) -> tuple[list[float], int]:
    """Return how far apart a line can be crossed on foot (its ends count as barriers' ends), and how often."""
    gaps, crossings = [], 0
    for part in shapely.get_parts(shapely.line_merge(line)):
        hit = streets.geometry.array[streets.sindex.query(part, predicate="intersects")]
        spots = shapely.get_parts(shapely.point_on_surface(shapely.get_parts(shapely.intersection(part, hit))))
        spots = spots[~shapely.is_empty(spots)]
        at = np.unique(np.round(shapely.line_locate_point(part, spots), 3)) if len(spots) else np.empty(0)
        gaps += list(np.diff(np.concatenate([[0.0], at, [part.length]])))
        crossings += len(at)
    return gaps, crossings


@metric(
    "mix",
    Metric(
        "用地混合熵",
        "−Σ p·ln p ÷ ln K，p 为各类用地的面积份额，K 为全图的类数",
        columns=("layer", "field"),
        whole_district=True,
        declared=True,
    ),
)
def _mix(district: District, m: Measure) -> Found:
    """Entropy of land uses in the scope: 0 where there is one use, 1 where all uses of the layer have equal shares."""
    layer, field = str(m["layer"]), str(m["field"])
    frame = district.layers[layer]
    shapes, touched = frame.geometry.array, touch(district, layer)
    if m["scope"] != "district":
        outline, more = scope_shape(district, m)
        shapes, touched = shapely.intersection(shapes, outline), {**touched, **more}
    area = pd.Series(shapely.area(shapes), index=frame.index).groupby(frame[field]).sum()
    if not area.sum() > 0 or len(area) < 2:
        raise Lacks(say("{0}里{1}不到两类", scope_text(district, m), layer_name(layer)))
    share = (area / area.sum())[area > 0]
    each = -share * np.log(share) / np.log(len(area))
    called = each.index.to_series().astype(str)
    called = called.map(land_use_name) if field == "use" else called
    value, terms = float(each.sum()), Terms("sum", parts(called, each))
    most = share.groupby(called, sort=False).sum().sort_values(ascending=False, kind="stable").head(4)
    return Found(value, say("、").join(f"{k} {per_cent(v, 0)}" for k, v in most.items()), touched, terms=terms)
