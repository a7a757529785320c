"""Tables of the notebooks: several calls of the library put side by side, under names of columns that `Desk.table` puts into words."""

from __future__ import annotations

import shutil
from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from ..access import coverage, curve, effects, facility_names, headlines, isochrones, od_table, summary
from ..core import (
    BASIS_LABELS,
    LAYERS,
    METHOD_LABELS,
    Edit,
    Rule,
    UnknownNameError,
    WrongValueError,
    limits_of,
    per_cent,
    say,
    write_bytes,
    write_text,
)
from ..district import District, Scenario
from ..io import RESULT_LABELS, template
from ..ledger import number_text, verdicts
from ..maps import HouseMap, parcel_scene
from ..network import Graph
from ..renewal import CAPACITY_LABELS, parcel_named
from ..report import (
    Analysis,
    Firmness,
    Parcel,
    Parcels,
    Story,
    budget_name,
    concluded,
    options_grid,
    provision_sheet,
    topic_name,
)
from ..siting import links, provision, sites
from .desk import COUNTED, GROUPS, Desk
from .words import PROVIDED


def told_first(district: District) -> str:
    """Return what the brief says first: how many goals are met, which falls shortest and for whom; marked where that is no conclusion."""
    first = Story(Analysis.of(district)).conclusion
    return "；".join(said for said in (first.met, first.worst) if said) + (f"　{first.mark}" if first.mark else "")


def headline(district: District, cover: pd.DataFrame) -> str:
    """Return the one sentence that leads of the first rule of a coverage (`access.headlines`)."""
    row = headlines(district, cover).iloc[0]
    return f"{row['label']}：{row['headline']}　{row['mark']}".rstrip()


def verdicts_told(table: pd.DataFrame) -> str:
    """Return how many promises of a ledger have which verdict, as a sentence."""
    counts = verdicts(table).value_counts()
    return f"{counts.sum()} 条目标：" + "，".join(f"{verdict} {number} 条" for verdict, number in counts.items())


def what_layers_rest_on(district: District) -> pd.DataFrame:
    """Return how many rows of each layer were surveyed, mapped … invented: index the layer's name, a column for each basis."""
    counts = {LAYERS[name].label: district.basis(name).value_counts() for name in district.layers}
    table = pd.DataFrame({label: own.reindex(list(BASIS_LABELS), fill_value=0) for label, own in counts.items()}).T
    return table.rename(columns={basis: f"{label}（个）" for basis, label in BASIS_LABELS.items()})


def _of_kind(district: District, kind: str) -> gpd.GeoDataFrame:
    """Return the open facilities of a kind in the order of their ids; none where the district has no layer of them."""
    places = district.open_facilities
    if places is None:
        raise UnknownNameError("设施类别", kind, [])
    return places[places["kind"] == kind].sort_index()


def one_place(district: District, kind: str, place: int) -> tuple[District, str]:
    """
    Return the district with one facility of a kind alone, by its number in the order of ids, and what to call it; 0 leaves all.

    Raises
    ------
    ValueError
        There are not so many.
    """
    own = _of_kind(district, kind)
    if place not in range(max(len(own), 1) + 1):
        raise WrongValueError(say("place 应当是 0（全部）到 {0} 之间的整数，不是 {1!r}", max(len(own), 1), place))
    what = district.kinds.loc[kind, "label"]
    chosen = own.index[place - 1 : place] if place else own.index
    label = "、".join(own.loc[chosen, "name"].fillna(what)) if place else f"全部{what}"
    closed = tuple(Edit("close_facility", {"facility": i}) for i in own.index.difference(chosen))
    return Scenario("here", f"只看{label}", closed).on(district) if closed else district, label


def walkers_compared(
    district: District, kind: str, minutes: float | Sequence[float], frontage_m: float = 25.0
) -> pd.DataFrame:
    """Return label, speed, km of street, hectares, people_served and people_60plus_served of each walker, in the longest of some minutes."""
    minutes = limits_of(minutes, "minutes")[-1]
    walkers = {name: district.profile(name) for name in district.profiles.index}
    rules = [
        Rule(name, who.label, (kind,), "walk_min", who.metres(minutes), minutes, name, "people")
        for name, who in walkers.items()
    ]
    reached = summary(coverage(district, rules=rules))
    rings = {n: isochrones(district, kind, minutes=minutes, profile=n, frontage_m=frontage_m).iloc[-1] for n in walkers}
    reached["km"] = pd.Series({name: ring["street_m"] / 1000 for name, ring in rings.items()})
    reached["hectares"] = pd.Series({name: ring["area_m2"] / 10_000 for name, ring in rings.items()})
    reached["speed"] = district.profiles["speed_m_s"]
    return reached[["label", "speed", "km", "hectares", "people_served", "people_60plus_served"]]


def by_methods(cover: pd.DataFrame, denominator: str) -> pd.DataFrame:
    """Return the share of each rule by each way to measure: label, method, and a column （%） for each."""
    whole, share = summary(cover), f"{denominator}_share"
    table = whole[["label"]].assign(method=whole["method"].map(METHOD_LABELS))
    for method, label in METHOD_LABELS.items():
        table[f"{label}（%）"] = summary(cover.assign(served=cover[f"served_{method}"]))[share] * 100
    return table


def by_groups(district: District, cover: pd.DataFrame, by: str, denominator: str) -> tuple[pd.DataFrame, pd.Series]:
    """Return the share of each rule in each group, in per cent, and how many of the denominator each group has."""
    layer = district.layers.get(GROUPS[by])
    names = pd.Series(dtype="str") if layer is None else layer["name"]
    groups = summary(cover.assign(**{by: cover[by].map(names).fillna("不在任何一组里")}), by=by)
    whole = summary(cover)
    table = groups[f"{denominator}_share"].unstack(by).reindex(whole.index).rename(index=whole["label"]) * 100
    return table.add_suffix("（%）"), groups[denominator].groupby(level=by).max()


def by_denominators(cover: pd.DataFrame) -> pd.DataFrame:
    """Return the share of each rule by each denominator: label, and a column （%） for each."""
    whole = summary(cover)
    table = whole[[f"{name}_share" for name in COUNTED]] * 100
    table.columns = [f"{label}（%）" for label in COUNTED.values()]
    table.insert(0, "指标", whole["label"])
    return table


def ways_to_close(
    district: District, rule: str, year: int, *, profile: str | None = None, cover: pd.DataFrame | None = None
) -> pd.DataFrame:
    """
    Return what would close the gap of a rule: as it is, with what is planned, one opening, one new place.

    Index: what is done. Columns `people_served`, `people_60plus_served`, `share`, `reason`.
    """
    cover = coverage(district, rules=[rule], profile=profile) if cover is None else cover
    built = coverage(district.at(year, planned=True), rules=[rule], profile=profile)
    rows = {"现状": cover, f"到 {year} 年应建成的规划设施都建成": built}
    counted = ["people_served", "people_60plus_served"]
    table = pd.DataFrame({name: summary(c).loc[rule] for name, c in rows.items()}).T[[*counted, "share"]]
    table["reason"] = ""
    how, lacking = district.rule(rule), bool((cover["served"] < 1).any())
    walked = how.metric == "reach" and how.method != "buffer" and cover["facility"].notna().any()
    more: dict[str, pd.Series] = {}
    if lacking and walked and profile is None:
        opened = links(district, rule, n=1)
        more |= {"不加设施，只开一处通道": opened.iloc[0]} if len(opened) else {}
    if lacking:
        more["在最合适的地方新增一处"] = sites(district, rule, 1, profile=profile).iloc[0]
    for name, way in more.items():
        gained = [table[c].iloc[0] + way[c.replace("served", "gained")] for c in counted]
        table.loc[name] = [*gained, way["share_after"], way["text" if "text" in way else "reason"]]
    return table.infer_objects().rename_axis("做法")


def what_changes(states: Sequence[tuple[District, District, str]], rules: str, least: float) -> pd.DataFrame:
    """Return which rules change between two states of a district, by `least` percentage points or for anybody: `effects`, with `plan`."""
    tables = [effects(old, new, rules=rules).assign(plan=label) for old, new, label in states]
    table = pd.concat(tables).reset_index()
    large = table["change"].abs().mul(100).ge(least)
    return table[large | table[["people_gain", "people_lose"]].gt(0.5).any(axis=1)]


def what_to_provide(district: District, plans: Sequence[Scenario]) -> pd.DataFrame:
    """Return what plans that build homes must provide; empty where none does."""
    builders = [plan for plan in plans if any(edit.do == "build_homes" for edit in plan.edits)]
    needs = [provision_sheet(provision(district, plan)).assign(方案=plan.label) for plan in builders]
    return pd.concat(needs)[list(PROVIDED)] if needs else pd.DataFrame(columns=list(PROVIDED))


def parcel_told(district: District, parcel: str | None, plan: str | None, year: int | None) -> tuple[Parcels, Parcel]:
    """
    Return what is told of the parcels of a district, and of one of them: the first where none is asked for.

    Raises
    ------
    UnknownNameError
        No such parcel, or plan.
    """
    places = district.layers.get("parcels")
    if places is None or places.empty:
        raise UnknownNameError("地块", str(parcel), [])
    chosen = str(places.index[0]) if parcel is None else parcel_named(district, parcel)
    story = Parcels(district, None if plan is None else district.scenario(plan), year)
    return story, story.of(chosen)


def parcel_map(story: Parcels, own: Parcel) -> HouseMap:
    """Draw a parcel and what surrounds it, in the state that is told."""
    return HouseMap(parcel_scene(story.shown, own.id))


def parcel_tables(own: Parcel) -> dict[str, pd.DataFrame]:
    """Return what is told of a parcel as tables: ledger, stages, people, promised, capacity, money, funds."""
    years = [f"{year} 年" for year in own.years]
    people = [[a.label, line.label, *line.texts] for a in own.accounts for line in a.told]
    needs = [
        [line.label, line.unit, CAPACITY_LABELS[key], *line.texts[key], line.told]
        for line in own.capacity
        for key in line.texts
    ]
    paid = [[budget_name(t.budget), topic_name(t.topic), p.fund, p.year, p.text] for t in own.money for p in t.paid]
    rows: dict[str, tuple[Sequence[str], Sequence[Sequence[object]]]] = {
        "ledger": (
            ("类别", "指标", "口径", "数值", "年份", "依据", "谁能填"),
            [[topic_name(x.topic), x.label, x.holder, x.text, x.year, x.basis, x.who] for x in own.plain],
        ),
        "stages": (("阶段", "日期", "比例", "谁能填"), own.stages),
        "people": (("口径", "年末的人和这一年的变动", *years), people),
        "promised": (
            ("原文", "要什么", "做到没有", "还缺", "由什么回答"),
            [[line.quote, line.wants, line.told, line.lacks, line.answers] for line in own.promised],
        ),
        "capacity": (("配什么", "单位", "项", *years, "结论"), needs),
        "money": (
            ("资金表", "类别", "指标", "金额", "年份", "资金渠道", "出自"),
            [
                [budget_name(t.budget), topic_name(t.topic), x.label, x.text, x.year, x.fund, x.origin]
                for t in own.money
                for x in t.lines
            ],
        ),
        "funds": (("资金表", "类别", "资金渠道", "年份", "金额（万元）"), paid),
    }
    return {name: pd.DataFrame(lines, columns=list(names)) for name, (names, lines) in rows.items()}


def parcel_options(story: Parcels, own: Parcel) -> tuple[pd.DataFrame, str]:
    """Return the plans of a parcel beside each other, and the sentence that follows from the numbers."""
    options = story.options(own.id)
    names, rows = options_grid(options)
    said = concluded(options) or "动到这块地的方案不到两个，没有可以比的"
    return pd.DataFrame(rows, columns=names), said


def two_speeds(district: District, kind: str, minutes: float, speeds_kmh: Sequence[float]) -> pd.DataFrame:
    """
    Return who is within minutes of a vehicle that starts from a kind of place, at a slow and at a fast speed.

    Streets are taken both ways and as long as they are on foot; lanes inside compounds carry nobody else. Index `home`; columns `name`,
    `metres` (nearest place along the streets), `state` ("都到", "快才到", "都不到"; missing where unreachable), `people`.

    Raises
    ------
    UnknownNameError
        No such kind.
    WrongValueError
        Minutes of 0 or less.
    """
    kind, (minutes, *_) = district.key("kinds", kind), limits_of(minutes, "minutes")
    slow, fast = (speed / 3.6 * 60 * minutes for speed in speeds_kmh)
    nearest = od_table(district, [kind])["metres"].groupby(level="home").median()
    table = district.layers["homes"][["name", "people"]].assign(metres=nearest)
    table["state"] = (
        pd.Series("都不到", table.index).mask(table["metres"] <= fast, "快才到").mask(table["metres"] <= slow, "都到")
    )
    table["state"] = table["state"].where(table["metres"].notna())
    return table


#: What a file of a report is for, by its ending.
_USES = {
    ".html": "浏览器打开",
    ".xlsx": "Excel 打开",
    ".gpkg": "QGIS 打开",
    ".json": "运行记录",
    ".png": "插图",
    ".svg": "插图",
    ".pdf": "打印",
    ".docx": "Word 打开，可改",
    ".pptx": "PowerPoint 打开，可改",
}


def files_made(folder: Path) -> pd.DataFrame:
    """Return the files of a folder: file, use, kb."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    names = [path.relative_to(folder).as_posix() for path in files]
    uses = [_USES.get(path.suffix, "") for path in files]
    return pd.DataFrame({"file": names, "use": uses, "kb": [round(path.stat().st_size / 1024) for path in files]})


def practice(desk: Desk, rows: Sequence[Sequence[object]]) -> tuple[Path, Path]:
    """
    Lay out what an import is practised on: a copy of the district, the template, and the rows as a file; return copy and file.

    Raises
    ------
    ValueError
        Rows that are not an id, a name, a kind and two coordinates each.
    """
    if not rows or any(len(row) != 5 for row in rows):
        raise WrongValueError(say("rows 至少一行，每行五项：编号、名称、类别、经度、纬度"))
    folder, file = desk.path("我的街道"), desk.path("填好的设施.csv")
    shutil.rmtree(folder, ignore_errors=True)
    for path in sorted(path for path in desk.district.folder.rglob("*") if path.is_file()):
        write_bytes(folder / path.relative_to(desk.district.folder), path.read_bytes())
    template(desk.path("模板.xlsx"), folder)
    table = pd.DataFrame(list(rows), columns=["编号", "名称", "类别", "经度（度）", "纬度（度）"])
    write_text(file, "\ufeff" + table.to_csv(index=False))
    return folder, file


def imported(taken: pd.DataFrame) -> pd.DataFrame:
    """Return what `import_osm` says it took, in words: index the layer's name."""
    named = taken.rename(index={name: layer.label for name, layer in LAYERS.items()})
    return named.set_axis(["要素", "采用（个）", "未用（个）", "原因", "例子"], axis=1)


def told(report: pd.DataFrame) -> pd.DataFrame:
    """Return what `add` says of rows, in words: what is not touched is left out, and row 0 is the file."""
    shown = report[report["result"] != "gone"]
    return shown.assign(result=shown["result"].map(RESULT_LABELS), row=shown["row"].fillna(0)).fillna("")


def least_firm(goals: Sequence[Firmness]) -> str:
    """Return the rule of the goal whose ends lie farthest apart; of a district in which nothing is known, the first."""
    widths = np.nan_to_num([goal.shares[2] - goal.shares[1] for goal in goals], nan=-1.0)
    return goals[int(np.argmax(widths))].rule


def as_if_checked(district: District, facts: Iterable[str]) -> District:
    """Return the district as if somebody had looked at what some facts are about, and found all as it is recorded."""
    rows = dict(district.rows)
    for fact in facts:
        layer, _, rest = fact.partition(":")
        seen = rows[layer].index == rest.rpartition(":")[0]
        rows[layer] = rows[layer].assign(checked_by=rows[layer]["checked_by"].mask(seen, "示例"))
    return district.with_rows(rows)


def promises_told(table: pd.DataFrame) -> pd.DataFrame:
    """Return of each promise of a ledger its first measure, with the verdict of all of them and the number as pages print it."""
    own = table[(table["role"] == "own").to_numpy()]
    first = own.groupby(level="commitment", sort=False).head(1).droplevel("measure")
    texts = [
        number_text(value, unit) if np.isfinite(value) else None
        for value, unit in zip(first["value"].astype(float), first["unit"].astype(str), strict=True)
    ]
    return first.assign(verdict=verdicts(table), value=texts).rename_axis("编号").reset_index()


def reach_rule(district: District, kinds: Sequence[str], minutes: float, profile: str, label: str) -> Rule:
    """
    Return the question who walks to any of some kinds within some minutes, as a rule.

    Raises
    ------
    UnknownNameError
        No such kind or profile.
    ValueError
        Minutes that are not above 0.
    """
    known = list(district.kinds.index)
    for kind in kinds:
        if kind not in known:
            raise UnknownNameError("设施类别", kind, known)
    who, (limit,) = district.profile(profile), limits_of(minutes, "minutes")
    return Rule("own", label, tuple(kinds), "walk_min", who.metres(limit), limit, profile, "people")


def ways_compared(district: District, rule: Rule, ways: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Return `summary` of a rule for several ways to walk: what each is called, and what `coverage` is given besides."""
    parts = {name: summary(coverage(district, rules=[rule], **own)).iloc[0] for name, own in ways.items()}
    return pd.DataFrame(parts).T.infer_objects()


def facilities_numbered(district: District, here: District, kind: str) -> pd.DataFrame:
    """Return the facilities of a kind by name and number, and which of them another state of the district has too."""
    own = _of_kind(district, kind)
    drawn = pd.Series(own.index.isin(_of_kind(here, kind).index), own.index).map({True: "✓", False: ""})
    return pd.DataFrame({"名称": own["name"], "第几处": range(1, len(own) + 1), "本图": drawn})


def furthest_apart(shares: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return shares (%) of groups with how far they are apart, furthest first, and a sentence on the first."""
    apart = (shares.max(axis=1) - shares.min(axis=1)).sort_values(ascending=False, na_position="last")
    said = (
        f"差得最多的一项：{apart.index[0]}，差 {apart.iloc[0]:.0f} 个百分点"
        if apart.notna().any()
        else "没有可以比较的指标"
    )
    return shares.loc[apart.index].assign(**{"最高与最低之差（百分点）": apart}), said


def group_curves(district: District, kind: str, by: str, profile: str) -> pd.DataFrame:
    """Return the share of people (%) in each group who are there after 5, 10 … 30 minutes; index minute."""
    told = curve(district, kind, by=by, profile=profile, minutes=range(5, 31, 5))["share"].unstack("group") * 100
    layer = district.layers.get(GROUPS[by])
    names = {} if layer is None else dict(layer["name"])
    return told.rename(columns=lambda code: f"{names.get(code, code or '不在任何一组里')}（%）")


def share_of(table: pd.DataFrame, those: pd.Series) -> str:
    """Return how many of the people of a table of homes some are, as it is said; homes whose people nobody knows count nowhere."""
    known = table["people"].notna()
    whole = float(table.loc[known, "people"].sum())
    part = float(table.loc[known & those.fillna(False).astype(bool), "people"].sum())
    return f"常住人口的 {per_cent(part / whole)}" if whole else "数据不足"


def counts_of(table: pd.DataFrame, groups: pd.Series) -> pd.DataFrame:
    """Return how many homes, people and people 60+ each value of `groups` has; a missing value is a group of its own, last."""
    counted = [c for c in ("people", "people_60plus") if c in table]
    grouped = table.groupby(groups.fillna("").to_numpy(), sort=True)
    found = grouped[counted].sum(min_count=1).assign(homes=grouped.size())
    return found.loc[sorted(found.index, key=lambda name: (name == "", name))]


def places_named(district: District, places: pd.Series) -> pd.Series:
    """Return ids of facilities, several in a cell parted by 、, as their names; those without one stay ids."""
    names = facility_names(district)
    return places.map(lambda told: "、".join(names.get(one, one) for one in told.split("、")), na_action="ignore")


def hull_error(graph: Graph, reached: Mapping[float, Iterable[Hashable]], exact: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """
    Hold the common recipe for isochrones (hull of the nodes that are reached) against areas that are cut exactly.

    Parameters
    ----------
    graph
        A graph of OSMnx in the CRS of `exact`.
    reached
        Per limit the nodes within it.
    exact
        Result of `isochrones` with the same limits as index.

    Returns
    -------
    GeoDataFrame
        Index as `exact`; `exact_ha`, `hull_ha`, `iou`, `wrong_ha` (in the hull and not reached), and the hull.
    """
    spots = {limit: [(graph.nodes[n]["x"], graph.nodes[n]["y"]) for n in nodes] for limit, nodes in reached.items()}
    hulls = gpd.GeoSeries({m: shapely.MultiPoint(xy).convex_hull for m, xy in spots.items()}, crs=exact.crs)
    hulls = hulls.reindex(exact.index)
    both, whole = exact.geometry.intersection(hulls).area, exact.geometry.union(hulls).area
    table = {"exact_ha": exact.area, "hull_ha": hulls.area, "wrong_ha": hulls.area - both}
    frame = pd.DataFrame(table) / 10_000
    return gpd.GeoDataFrame(frame.assign(iou=both / whole), geometry=hulls, crs=exact.crs)
