"""`coverage.gpkg`: layers in the CRS of the district, with Chinese names of columns, styled for QGIS, and its project."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from types import MappingProxyType

import geopandas as gpd
import pandas as pd
import pyogrio
import pyproj

from ..access import EXACT, only_known
from ..core import LAYERS, growing, named_by_homes, refuse_uncleared, say, word
from ..district import District, column_name, kind_name, place_title
from ..maps import mapped_rules
from .analysis import Analysis, analyse
from .qgis import CHANGED, Shown, change_categories, refuse_project, style_text, write_project
from .story.change import Change
from .story.story import Story

#: Who checked a row stays in the folder.
STAFF = ("checked_by",)
_ALIASES = {
    "home": "小区编号",
    "facility": "设施编号",
    "community": "社区代码",
    "name": "名称",
    "kind": "类别",
    "label": "指标",
    "rule": "规则",
    "people": "常住人口",
    "people_60plus": "60岁及以上",
    "served": "可达份额",
    "minutes": "步行时间_分钟",
    "metres": "路网距离_米",
    "straight_metres": "直线距离_米",
    "nearest_straight_metres": "直线最近_米",
    "people_unserved": "不可达人口",
    "reason": "原因",
    "completeness": "配套齐全度",
    "lacks": "缺",
    "state": "状态",
    "basis": "依据类型",
    "zone": "分区",
    "area": "片区",
    "served_buffer": "直线半径_份额",
    "served_network_m": "路网距离_份额",
    "served_walk_min": "步行时间_份额",
    "served_inside": "仅界内设施_份额",
    "method": "方法",
    "profile": "人群",
    "denominator": "分母",
    "metric": "量法",
    "limit_metres": "限值_米",
    "limit_minutes": "限值_分钟",
    "grid": "网格编号",
    "people_60plus_unserved": "不可达60岁及以上",
    "share_unserved": "不可达比例",
    "unserved": "不可达数",
    "bound": "界（at_least：没有查全，至少）",
    "counted": "按什么人口",
    "crosses": "隔着",
    "gate_known": "出入口已知",
    "gate_minutes": "到出入口_分钟",
    "wait_minutes": "过街等候_分钟",
    "street_minutes": "沿街步行_分钟",
    "facility_minutes": "步行最近设施",
    "walked_metres": "步行距离_米",
    "detour": "绕行倍数",
    "kinds": "应配类数",
    "complete": "齐全",
    "served_before": "之前可达份额",
    "served_after": "之后可达份额",
    "served_change": "变化份额",
    "minutes_before": "之前_分钟",
    "minutes_after": "之后_分钟",
    "minutes_change": "变化_分钟",
    "facility_before": "之前最近",
    "facility_after": "之后最近",
    "area_m2": "面积_平方米",
    "area_km2": "面积_平方公里",
}

#: Layers of the district itself that go with the results: what lies on top, what is drawn as an outline, the ground in its colours.
_POINTS = ("facilities", "entrances", "gates")
_OUTLINES = ("district", "zones", "areas", "communities", "parcels")
_GROUND = {
    "barriers": "#8a5a2b",
    "streets": "#9a9389",
    "extra_links": "#9a9389",
    "water": "#7fb2d6",
    "green": "#a9cf95",
}


def geopackage(story: Story, path: Path) -> Path:
    """
    Write `coverage.gpkg` in the district's CRS, styled for QGIS, and beside it the project that opens all of it; return that.

    One layer per mapped rule (homes with their shares, metres, minutes) and its gaps; one layer of all rules side by side;
    completeness, facilities and outlines. Of a plan: homes before and after, per rule that it moves, too.
    """
    district, results = story.district, story.analysis
    declared = {c.name: column_name(layer.name, c.name) for layer in LAYERS.values() for c in layer.names.values()}
    labels = {**declared, **results.headlines["label"], **{name: word(alias) for name, alias in _ALIASES.items()}}
    layers = {**_gis_layers(district, results), **_changed_layers(story.change)}
    shown = {name: own for name, own in _shown(story).items() if name in layers}
    write_layers(path, layers, district.year, labels, about=place_title(district), shown=shown)
    return write_project(path, layers, shown, labels, place_title(district))


def _shown(story: Story) -> dict[str, Shown]:
    """Return how the tables are shown, from what lies on top to the ground."""
    district, results, change = story.district, story.analysis, story.change
    place, titles = place_title(district), results.headlines["label"]
    lead = next(iter(change.drawn if change is not None else results.order), "")
    shown: dict[str, Shown] = {}
    colours = district.kinds["colour"].items()
    kinds = {str(kind): (kind_name(district, str(kind)), str(colour)) for kind, colour in colours}
    own = {layer: LAYERS[layer].label for layer in (*_POINTS, *_OUTLINES, *_GROUND) if layer in district.layers}
    for layer in (name for name in _POINTS if name in own):
        by = "kind" if layer == "facilities" else ""
        there = set(district.layers[layer]["kind"]) if by else set()
        categories = {kind: told for kind, told in kinds.items() if kind in there}
        about = say("{0}：{1}", place, word(own[layer]))
        shown[own[layer]] = Shown(word(own[layer]), about, say("设施和出入口"), by, categories, visible=bool(by))
    for layer in (name for name in _OUTLINES if name in own):
        about = say("{0}：{1}", place, word(own[layer]))
        shown[own[layer]] = Shown(word(own[layer]), about, say("界线"), outline=True, visible=True)
    for rule, title in change.drawn.items() if change is not None else ():
        about = say("{0}：{1}，每个小区之前和之后的可达份额、步行时间", place, title)
        shown[f"变化_{rule}"] = Shown(title, about, say("变化"), CHANGED, change_categories(), visible=rule == lead)
    for sort, group, told in (
        ("缺口", say("缺口"), "{0}：{1}，谁在服务范围外，离得最近的在哪里，为什么"),
        ("覆盖", say("覆盖"), "{0}：{1}，每个小区的可达份额、距离和步行时间"),
    ):
        for rule, title in titles.items():
            seen = sort == "覆盖" and rule == lead and change is None
            shown[f"{sort}_{rule}"] = Shown(str(title), say(told, place, title), group, visible=seen)
    shown["配套齐全度"] = Shown(word("配套齐全度"), say("{0}：步行 15 分钟内有几成必备设施", place), say("小区"))
    shown["全部指标"] = Shown(word("全部指标"), say("{0}：每个小区全部指标的可达份额", place), say("小区"))
    for layer in (name for name in _GROUND if name in own):
        about = say("{0}：{1}", place, word(own[layer]))
        shown[own[layer]] = Shown(word(own[layer]), about, say("底图"), visible=True, colour=_GROUND[layer])
    return shown


@named_by_homes
def write_geopackage(
    district: District, to: str | Path, *, preset: str = "plan", against: District | None = None
) -> Path:
    """
    Write the GeoPackage of a report alone, for QGIS, and beside it the project (.qgz) that opens all of it.

    Parameters
    ----------
    to
        A .gpkg file.
    preset
        "plan", "td1063" or "elderly".
    against
        Another state, which this one is held against (what was there before a plan, another plan); None: none.

    Returns
    -------
    file
        What was written.

    Raises
    ------
    EnvironmentProblem
        The file cannot be written, or the project beside it is somebody else's.
    """
    refuse_uncleared(district.manifest, "写出 GeoPackage")
    refuse_project(Path(to))
    geopackage(Story(analyse(district, preset=preset), against=against), Path(to))
    return Path(to)


def write_layers(
    path: Path,
    layers: Mapping[str, gpd.GeoDataFrame],
    year: int,
    labels: Mapping[str, str],
    *,
    about: str = "",
    shown: Mapping[str, Shown] = MappingProxyType({}),
) -> None:
    """Write layers into a GeoPackage, styled for QGIS; `labels` are the aliases of columns, `about` describes what is not `shown`."""
    # GDAL stamps the time of writing into a GeoPackage unless told which, and waits for the disk after every layer.
    options = {"OGR_CURRENT_DATE": f"{year}-01-01T00:00:00.000Z", "OGR_SQLITE_SYNCHRONOUS": "OFF"}
    with growing(path) as fresh:
        pyogrio.set_gdal_config_options(options)
        try:
            for name, frame in layers.items():
                pyogrio.write_dataframe(_plain(frame), fresh, layer=name, driver="GPKG", promote_to_multi=False)
        finally:
            pyogrio.set_gdal_config_options(dict.fromkeys(options))
        if about:
            with closing(sqlite3.connect(fresh)) as db, db:
                db.execute("UPDATE gpkg_contents SET description = ? WHERE data_type <> 'attributes'", (about,))
        _dress(fresh, layers, year, labels, shown)


def _gis_layers(district: District, results: Analysis) -> dict[str, gpd.GeoDataFrame]:
    homes, cover = district.homes, only_known(results.cover)
    if (cover["bound"] == EXACT).all():
        cover = cover.drop(columns="bound")  # a column that says the same of all says nothing
    layers: dict[str, gpd.GeoDataFrame] = {}
    if homes is not None and len(cover):
        for rule in mapped_rules(district, results):
            own = cover.xs(rule, level="rule").assign(label=results.headlines.at[rule, "label"])
            layers[f"覆盖_{rule}"] = gpd.GeoDataFrame(own, geometry=homes.geometry.reindex(own.index), crs=district.crs)
            table = results.gap_tables.get(rule)
            if table is not None and len(table):
                layers[f"缺口_{rule}"] = table
        wide = cover["served"].unstack("rule")[results.order]
        wide.insert(0, "name", homes["name"].reindex(wide.index))
        layers["全部指标"] = gpd.GeoDataFrame(wide, geometry=homes.geometry.reindex(wide.index), crs=district.crs)
        if len(results.completeness):
            layers["配套齐全度"] = results.completeness
    for name in (*_POINTS, *_OUTLINES, *_GROUND):
        if name in district.layers:
            layers[LAYERS[name].label] = district.layers[name].drop(columns=list(STAFF), errors="ignore")
    return layers


def _changed_layers(change: Change | None) -> dict[str, gpd.GeoDataFrame]:
    """Return, per rule that a plan moves for anybody, the homes of before and after with what they have of it."""
    layers: dict[str, gpd.GeoDataFrame] = {}
    if change is None:
        return layers
    states = [state.district for state in (change.pair.after, change.pair.before)]
    shapes = pd.concat([state.homes.geometry for state in states if state.homes is not None])
    shapes = shapes[~shapes.index.duplicated()]
    for rule in change.drawn:
        own = change.pair.home_changes.xs(rule, level="rule")
        layers[f"变化_{rule}"] = gpd.GeoDataFrame(own, geometry=shapes.reindex(own.index), crs=states[0].crs)
    return layers


def _plain(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return a frame every driver can write: the key as a column, booleans and nullable numbers as plain ones."""
    frame = frame.reset_index()
    for column, kind in frame.dtypes.items():
        if str(kind) in ("Int64", "boolean"):
            frame[column] = frame[column].astype("float64")
    return frame if frame.crs is None else frame.set_crs(_Known(frame.crs), allow_override=True)


class _Known(pyproj.CRS):
    """A coordinate system whose number is looked up among all that there are once, and not for every layer that is written."""

    def to_epsg(self, min_confidence: int = 70) -> int | None:
        return _number(self.to_wkt(), min_confidence)


@functools.cache
def _number(wkt: str, least: int) -> int | None:
    return pyproj.CRS(wkt).to_epsg(least)


def _dress(
    path: Path, layers: Mapping[str, gpd.GeoDataFrame], year: int, labels: Mapping[str, str], shown: Mapping[str, Shown]
) -> None:
    """Put aliases, what each layer says and default QGIS styles into the GeoPackage."""
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(
            "CREATE TABLE IF NOT EXISTS layer_styles (id INTEGER PRIMARY KEY AUTOINCREMENT, f_table_catalog TEXT, "
            "f_table_schema TEXT, f_table_name TEXT, f_geometry_column TEXT, styleName TEXT, styleQML TEXT, styleSLD TEXT, "
            "useAsDefault BOOLEAN, description TEXT, owner TEXT, ui TEXT, update_time DATETIME)"
        )
        db.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier, last_change) "
            "VALUES ('layer_styles', 'attributes', 'layer_styles', ?)",
            (f"{year}-01-01T00:00:00.000Z",),
        )
        for name, frame in layers.items():
            db.execute(
                "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, styleName, "
                "styleQML, styleSLD, useAsDefault, description, owner) VALUES ('', '', ?, 'geom', ?, ?, '', 1, '', '')",
                (name, name, style_text(frame, labels, shown.get(name))),
            )
        for name, own in shown.items():
            db.execute("UPDATE gpkg_contents SET description = ? WHERE table_name = ?", (own.about, name))
