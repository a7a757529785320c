"""Metrics of places: which communities have one, how many there are, what stands near, how many there should be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from ...access import TOLERANCE_MIN, WAY_OUT, entrances_of_open, facility_entrances, grounds_text, presence
from ...core import TOLERANCE_M, language, layer_name, listed, say
from ...district import District, column_name, of_list
from .base import (
    NAMED_AT_MOST,
    SCOPE_LAYERS,
    UNITS,
    WALKED,
    WEIGHTS,
    Found,
    Lacks,
    Measure,
    Metric,
    Short,
    Terms,
    bases_text,
    facilities_of,
    having,
    in_words,
    kind_names,
    kinds_of,
    metric,
    number_text,
    once,
    open_places,
    parts,
    pick,
    place_names,
    planned,
    planned_places,
    planned_text,
    require_survey,
    scope_shape,
    scope_text,
    short_of,
    surveyed,
    touch,
    unsurveyed,
    walk,
    weight_of,
    whole_text,
)


@metric(
    "communities_with",
    Metric(
        "有设施的社区",
        "有 1 处以上开放设施的社区数（按社区去重；先按台账写的服务社区，没有填的按落点）÷ 社区总数",
        layers=("communities", "facilities"),
        columns=("kinds",),
        in_parts=True,
        whole_district=True,
        declared=True,
        dated=True,
    ),
)
@metric(
    "communities_without",
    Metric(
        "缺设施的社区",
        "社区总数 − 有 1 处以上开放设施的社区数（先按台账写的服务社区，没有填的按落点）",
        layers=("communities", "facilities"),
        columns=("kinds",),
        whole_district=True,
        declared=True,
        dated=True,
    ),
)
def _communities_with(district: District, m: Measure) -> Found:
    """How many communities have one of the kinds (or all of them); each counts once however many it has."""
    kinds = kinds_of(m)
    require_survey(district, kinds, every=m["combine"] == "all")
    touched = facilities_of(district, kinds)
    has, counts = presence_of(district, m, touched)
    touched |= touch(district, "communities", has.index)
    names = district.layers["communities"]["name"]
    lacking = has.index[~has]
    joint = "和" if m["combine"] == "all" else "或"
    what = kind_names(district, kinds, joint)
    counted = say("{0} 个社区{1}中 {2} 个有", len(has), of_list(district), int(has.sum()))
    if grounds := grounds_text(district, kinds, has.index):
        counted += say("（{0}）", grounds)
    without = m["metric"] == "communities_without"
    value = float(len(lacking) if without else has.mean() * 100 if m["unit"] == "%" else has.sum())
    most = counts.min(axis=1) if m["combine"] == "all" else counts.sum(axis=1)
    rows = parts(names.reindex(has.index), most)
    terms = Terms("lacks", rows) if without else having(rows, m)
    if not len(lacking):
        return Found(value, counted, touched, terms=terms)
    living = residents(district, m, lacking)
    words = say("、").join(f"{names.get(c, c)}{_in_brackets(living, c)}" for c in lacking)
    gap = say("缺 {0} 个社区：{1}；{2}", len(lacking), words, living_text(living))
    return Found(
        value, counted, touched, gap, _fill_communities(district, kinds, has, what), short=living.short, terms=terms
    )


class Residents(NamedTuple):
    """Who lives in some communities: per community, all together, how many homes do not say, and why nothing is known."""

    counts: pd.Series
    short: Short
    unknown: int = 0
    why: str = ""


def residents(district: District, m: Measure, communities: pd.Index) -> Residents:
    """
    Return who lives in some communities, by what the row weighs with (people where it does not say).

    It is no part of the row's value: that counts communities, so its verdict does not rest on these figures. A community of
    which no home says is missing, and so is the sum where none does.
    """
    weight = str(m["weight"] or "people")
    why, lived, sizes = once(district, ("living", weight, language()), lambda: _living(district, weight))
    own = [lived[c] for c in communities if c in lived]
    homes, known = sum(one.homes for one in own), sum(one.known for one in own)
    if not known:
        unsaid = say("{0} 处小区的{1}都没有填", homes, say(WEIGHTS[weight][0]))
        blank = why or (unsaid if homes else say("界内没有 {0} 年的小区", district.year))
        return Residents(pd.Series(math.nan, index=communities), Short(math.nan, weight, ""), homes, blank)
    counts, bases = sizes.reindex(communities), {basis for one in own for basis in one.bases}
    return Residents(counts, Short(float(counts.sum()), weight, bases_text(bases)), homes - known)


class _Lived(NamedTuple):
    """How many homes a community has, how many of them say how many live there, and what these rest on."""

    homes: int
    known: int
    bases: frozenset[object]


def _living(district: District, weight: str) -> tuple[str, dict[object, _Lived], pd.Series]:
    """Return what each community has of homes, and who lives there; or why nothing is known."""
    homes, groups, nobody = district.layers.get("homes"), district.groups.get("community"), pd.Series(dtype="float64")
    if homes is None or groups is None:
        return say("缺图层：{0}（layers.homes）", layer_name("homes")), {}, nobody
    try:
        size = weight_of(homes, weight)
    except Lacks as lack:
        return str(lack), {}, nobody
    own, basis = groups.reindex(homes.index), district.basis("homes").reindex(homes.index).to_numpy(object)
    known = size.notna().to_numpy()
    lived = {
        community: _Lived(len(rows), int(known[rows].sum()), frozenset(basis[rows][known[rows]].tolist()))
        for community, rows in own.groupby(own).indices.items()
    }
    return "", lived, size[known].groupby(own[known]).sum()


def _in_brackets(living: Residents, community: object) -> str:
    """Return how many live in one of several communities; where nobody knows of any, that is said once behind them."""
    if living.why:
        return ""
    count = float(living.counts[community])
    return say("（{0}）", whole_text(count, say(UNITS[living.short.weight])) if np.isfinite(count) else say("不详"))


def living_text(living: Residents) -> str:
    """Say how many live there, by which denominator, on what that rests, and of how many homes nobody knows."""
    size, weight, basis = living.short
    name = say(WEIGHTS[weight][0])
    if living.why:
        return say("涉及的{0}：数据不足（{1}）", name, living.why)
    unknown = say("；{0} 处小区的{1}不详、未计入", living.unknown, name) if living.unknown else ""
    return say("涉及{0} {1}（依据：{2}）{3}", name, whole_text(size, say(UNITS[weight])), basis, unknown)


def presence_of(
    district: District, m: Measure, touched: dict[str, pd.Series] | None = None
) -> tuple[pd.Series, pd.DataFrame]:
    """Return whether each community of a row's scope has what is asked, and how many of each kind; `touched` is added to."""
    kinds = kinds_of(m)
    matrix = once(district, "presence", lambda: presence(district))
    counts = matrix.reindex(columns=kinds, fill_value=0)
    counts = counts[counts.index.isin(_communities_in(district, m, {} if touched is None else touched))]
    own = counts > 0
    return own.all(axis=1) if m["combine"] == "all" else own.any(axis=1), counts


def _communities_in(district: District, m: Measure, touched: dict[str, pd.Series]) -> pd.Index:
    """Return the communities of a measure's scope: named themselves, or well inside it."""
    communities = district.layers["communities"]
    if m["scope"] == "district":
        return communities.index
    if m["scope"] == "community":
        return pick(district, "communities", m["codes"]).index
    shape, outline = scope_shape(district, m)
    touched |= outline
    inside = shapely.intersects(shape, shapely.point_on_surface(communities.geometry.array))
    if not inside.any():
        raise Lacks(say("{0}里没有社区", scope_text(district, m)))
    return communities.index[inside]


def _fill_communities(district: District, kinds: Sequence[str], has: pd.Series, what: str) -> str:
    """Say what would close the gap: one place in each community that lacks one; planned places there are named."""
    serving = once(district, "who is planned", lambda: district.serving(planned(district)))
    lacking, places = serving["community"].isin(has.index[~has]).to_numpy(), planned_places(district, kinds)
    due = places[places.index.isin(serving["facility"].array[lacking])]
    text = say("每个缺的社区补 1 处{0}，共 {1} 处", what, int((~has).sum()))
    said = planned_text(due)
    return say("{0}；{1}", text, said) if said else text


@metric("count", Metric("个数", "范围内开放设施（或图层要素）的个数", in_parts=True, declared=True))
def _count(district: District, m: Measure) -> Found:
    """How many places of some kinds, or rows of a layer, are in the scope."""
    if m["layer"]:
        layer = str(m["layer"])
        frame = district.layers[layer]
        shape, touched = scope_shape(district, m)
        rows = frame[shapely.intersects(shape, shapely.point_on_surface(frame.geometry.array))]
        value, what = float(len(rows)), layer_name(layer)
        return Found(
            value,
            say("{0}里有 {1} 处{2}", scope_text(district, m), len(rows), what),
            {**touch(district, layer), **touched},
            short_of(m, value),
            terms=Terms("has", parts(rows["name"], 1.0)),
        )
    kinds = kinds_of(m) or list(district.kinds.index)
    places, touched = open_places(district, m, kinds)
    value = float(len(places))
    where, since = scope_text(district, m), m["since"]
    said = (
        say("{0}里 {1:.0f} 年以后开的有 {2} 处", where, since, len(places))
        if np.isfinite(since)
        else say("{0}里开放 {1} 处", where, len(places))
    )
    said += say("：{0}", place_names(places)) if len(places) else ""
    gap = short_of(m, value)
    due = planned_text(planned_places(district, kinds, scope_shape(district, m)[0])) if gap else ""
    return Found(value, said, touched, gap, due, terms=Terms("has", parts(places["name"], 1.0)))


@metric(
    "kinds_present",
    Metric(
        "有的类别数",
        "范围内有 1 处以上开放设施（或限时内步行到得了）的类别数",
        layers=("facilities",),
        columns=("kinds",),
        in_parts=True,
        declared=True,
    ),
)
def _kinds_present(district: District, m: Measure) -> Found:
    """How many of the kinds the scope has at least one of."""
    kinds = kinds_of(m)
    asked = surveyed(district, kinds)
    places, touched = open_places(district, m, kinds, one_by_one=True)
    there = places["kind"].value_counts().reindex(asked, fill_value=0)
    if m["minutes"] > 0:
        near, walked = _walked_to(district, m, asked)
        there, touched = there.where(~there.index.isin(near), there.clip(lower=1)), {**touched, **walked}
    have = [k for k in asked if there[k]]
    lacking = [k for k in asked if k not in have]
    value = len(have) / len(asked) * 100 if m["unit"] == "%" else float(len(have))
    gap = say("缺：{0}", kind_names(district, lacking)) if lacking else ""
    fix = (
        say(
            "配建{0}；{1}",
            kind_names(district, lacking),
            planned_text(planned_places(district, lacking, scope_shape(district, m)[0])),
        ).rstrip(say("；"))
        if lacking
        else ""
    )
    said = say("{0}：{1} 类中有 {2} 类", scope_text(district, m), len(asked), len(have))
    said += say("（里面有，或步行 {0:g} 分钟以内）", m["minutes"]) if m["minutes"] > 0 else ""
    rows = parts(pd.Series({k: kind_names(district, [k]) for k in asked}, dtype="object"), there)
    return Found(value, said, touched, gap, fix, note=unsurveyed(district, kinds), terms=having(rows, m))


def _walked_to(district: District, m: Measure, kinds: Sequence[str]) -> tuple[list[str], dict[str, pd.Series]]:
    """Return the kinds that a walk of so many minutes from the edge of the scope gets to, by the streets and not across them."""
    rows = pick(district, SCOPE_LAYERS[str(m["scope"])], m["codes"])
    walker = district.profile(m["profile"] or district.profiles.index[0])
    layer, reads = SCOPE_LAYERS[str(m["scope"])], (*WAY_OUT, "entrances")
    doors = once(
        district, ("edge", layer, m["codes"]), lambda: _on_streets(facility_entrances(district, rows)), (layer, *reads)
    )
    if doors.empty:
        return [], walk(district)
    goals = once(district, "ends by kind", lambda: _ends_by_kind(district))
    known = {kind: goals[kind] for kind in kinds if kind in goals}
    found = district.network.search_each(doors, known, profile=walker, limit=m["minutes"] + TOLERANCE_MIN)
    return [kind for kind, rows in found.items() if np.isfinite(rows["cost"].to_numpy()).any()], walk(district)


def _ends_by_kind(district: District) -> dict[str, pd.DataFrame]:
    """Return the entrances on streets of the open facilities of each kind that has any."""
    everywhere, ends = district.open_facilities, _on_streets(entrances_of_open(district))
    assert everywhere is not None  # the layer was asked for before
    kinds = pd.Series(everywhere["kind"].to_numpy(object)[everywhere.index.get_indexer(ends["place"])])
    own = {str(kind): ends.take(rows) for kind, rows in kinds.groupby(kinds).indices.items()}
    return {kind: rows.set_axis(pd.RangeIndex(len(rows))) for kind, rows in own.items()}


def _on_streets(ends: pd.DataFrame, places: pd.Index | None = None) -> pd.DataFrame:
    """Return the entrances, of some places or of all, that are on a street."""
    some = (ends["edge"] >= 0).to_numpy() & (True if places is None else ends["place"].isin(places).to_numpy())
    return ends[some].reset_index(drop=True)


@metric(
    "near",
    Metric(
        "两类相邻",
        "沿街步行距离在限值以内有邻近类别的设施数 ÷ 设施总数",
        layers=WALKED,
        columns=("kinds", "near_kinds", "metres"),
        in_parts=True,
        declared=True,
    ),
)
def _near(district: District, m: Measure) -> Found:
    """Which places of some kinds have one of other kinds within a walk along the streets."""
    kinds, others = kinds_of(m), listed(m["near_kinds"])
    require_survey(district, others)
    places, touched = open_places(district, m, kinds)
    everywhere = district.open_facilities
    assert everywhere is not None
    targets = everywhere[everywhere["kind"].isin(others).to_numpy()]
    touched |= {**facilities_of(district, [*kinds, *others]), **walk(district)}
    if places.empty:
        raise Lacks(say("{0}里没有开放的{1}，无从比较", scope_text(district, m), kind_names(district, kinds)))
    metres = _walk_between(district, places, targets)
    near = metres <= m["metres"] + TOLERANCE_M
    value = float(near.mean() * 100 if m["unit"] == "%" else near.sum())
    names = places["name"].where(places["name"].notna(), places.index)
    order = metres[near].sort_values(kind="stable").index
    words = [say("{0}（{1:,.0f} m）", names[k], metres[k]) for k in order]
    said = say(
        "{0} 处中 {1} 处的 {2:g} m 内有{3}",
        len(places),
        int(near.sum()),
        m["metres"],
        kind_names(district, others, "或"),
    )
    return Found(
        value,
        said + (say("：{0}", in_words(words)) if words else ""),
        touched,
        say("还没有的：{0}", in_words(names[~near])) if (~near).any() else "",
        say("由近到远先作试点") if words else "",
        terms=having(parts(names, metres, m["metres"] + TOLERANCE_M), m, "within"),
    )


def _walk_between(district: District, places: gpd.GeoDataFrame, targets: gpd.GeoDataFrame) -> pd.Series:
    """Return metres along the streets from each place to its nearest target; missing where there is no way."""
    nothing = pd.Series(np.nan, index=places.index)
    if targets.empty:
        return nothing
    ends = entrances_of_open(district)
    doors, goals = _on_streets(ends, places.index), _on_streets(ends, targets.index)
    if doors.empty or goals.empty:
        return nothing
    found = district.network.search(doors, goals)
    metres = pd.Series(found["cost"].to_numpy(dtype=float)).groupby(doors["place"].to_numpy()).min()
    return metres.reindex(places.index)


@metric(
    "attribute",
    Metric(
        "设施属性",
        "范围内开放设施的属性值，与数比较",
        layers=("facilities",),
        columns=("kinds", "field"),
        sized=True,
        declared=True,
    ),
)
def _attribute(district: District, m: Measure) -> Found:
    """The largest, smallest or summed attribute of the open facilities of some kinds."""
    kinds, field = kinds_of(m), str(m["field"])
    places, touched = open_places(district, m, kinds)
    what = kind_names(district, kinds, "或")
    if places.empty and m["aggregate"] != "sum":  # nothing adds up to nothing
        raise Lacks(say("{0}里没有开放的{1}，没有属性可比", scope_text(district, m), what))
    values = pd.to_numeric(places[field], errors="coerce").dropna()
    label = column_name("facilities", field)
    if values.empty and len(places):
        raise Lacks(say("缺{0}的{1}（facilities 的 {2} 列，{3} 处都没有填）", what, label, field, len(places)))
    how = str(m["aggregate"]) if m["aggregate"] in ("max", "min", "sum") else "max"
    value = float(getattr(values, how)())
    blank = len(places) - len(values)
    names = places["name"].where(places["name"].notna(), places.index)
    said = say("、").join(
        f"{names[k]} {number_text(float(v), str(m['unit']))}" for k, v in values.head(NAMED_AT_MOST).items()
    )
    note = say("{0} 处没有填{1}", blank, label) if blank else ""
    due, terms = planned_text(planned_places(district, kinds)), Terms(how, parts(names[values.index], values))
    return Found(value, said, touched, short_of(m, value), due, note=note, terms=terms)


@metric(
    "per_communities",
    Metric(
        "按社区数配置",
        "应有 = 社区数 ÷ 每处服务的社区数，向上取整；缺口 = 应有 − 现有",
        layers=("communities", "facilities"),
        columns=("kinds", "low", "high"),
        scoped=False,
        declared=True,
    ),
)
def _per_communities(district: District, m: Measure) -> Found:
    """How many places there should be where each serves `low` to `high` communities, against how many there are."""
    kinds = kinds_of(m)
    require_survey(district, kinds)
    places = district.open_facilities
    assert places is not None
    places = places[places["kind"].isin(kinds).to_numpy()]
    communities = district.layers["communities"]
    serving = places["name"][places.index.isin(district.serving(places)["facility"])]
    value, n = float(len(serving)), len(communities)
    few, many = math.ceil(n / m["high"]), math.ceil(n / m["low"])
    # between the two it is enough by the larger circle: nothing is short
    short = say("还差 {0} 处", _from_to(few - int(value), many - int(value))) if value < few else ""
    said = say(
        "{0} 个社区{1}，每 {2:g}—{3:g} 个 1 处，应有 {4} 处，现有 {5:.0f} 处",
        n,
        of_list(district),
        m["low"],
        m["high"],
        _from_to(few, many),
        value,
    )
    touched = {**touch(district, "communities"), **facilities_of(district, kinds)}
    fix = planned_text(planned_places(district, kinds)) if short else ""
    return Found(value, said, touched, short, fix, target=float(few), terms=Terms("has", parts(serving, 1.0)))


def _from_to(few: int, many: int) -> str:
    """Return two ends as they are said: as one where they are the same."""
    return f"{few}" if few == many else f"{few}—{many}"


@metric(
    "named",
    Metric(
        "点名的在不在", "原文点名的设施或图形里，范围内有且开放的个数", columns=("named",), in_parts=True, declared=True
    ),
)
def _named(district: District, m: Measure) -> Found:
    """How many of the places (or rows of a layer) that the plan names stand in the scope, open."""
    wanted, layer = listed(m["named"]), str(m["layer"])
    if layer:
        shape, touched = scope_shape(district, m)
        frame = district.layers[layer]
        rows = frame[shapely.intersects(shape, shapely.point_on_surface(frame.geometry.array))]
        touched = {**touch(district, layer), **touched}
    else:
        rows, touched = open_places(district, m, kinds_of(m) or list(district.kinds.index))
    called = [
        f"{key} {name}" if isinstance(name, str) else str(key)
        for key, name in zip(rows.index, rows["name"], strict=True)
    ]
    found = pd.Series({name: sum(name in own for own in called) for name in wanted}, dtype="float64")
    lacking = [name for name in wanted if not found[name]]
    have = len(wanted) - len(lacking)
    value = have / len(wanted) * 100 if m["unit"] == "%" else float(have)
    said = say("原文点名 {0} 处，{1}里有 {2} 处", len(wanted), scope_text(district, m), have)
    said += say("：{0}", in_words(n for n in wanted if n not in lacking)) if have else ""
    gap = say("没有找到，或没有开放：{0}", in_words(lacking)) if lacking else ""
    return Found(value, said, touched, gap, terms=having(parts(found.index.to_series(), found), m))
