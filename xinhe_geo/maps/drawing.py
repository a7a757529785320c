"""
Frames to maps in one house style: a single HTML file that loads nothing, or a picture without any script.

`draw` and `picture` make the same scene (what lies where, in which order, style, words) and differ only in how it is
put down; `walkers`, `difference` and `swipe` show two walkers or two states of a district in the same page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import geopandas as gpd
import pandas as pd

from ..access import coverage
from ..core import (
    Rule,
    ScenarioError,
    SourceError,
    UnknownNameError,
    WrongValueError,
    named_by_homes,
    refuse_leaving,
    say,
)
from ..district import District, Named, must_be_cover, must_be_district
from ..ledger import spoken
from .basemap import Layer
from .changes import Comparison, change_theme, changed_layers, rules_of_change, walkers_theme, zone_layers
from .evidence import evidence_themes
from .html_map import HouseMap
from .presets import COMPLETENESS, GAPS, OVERVIEW, PARCELS, scene_for
from .scene import Scene, scene_of, with_layers_of
from .style import Edition, wording
from .svg import sheet_of
from .themes import Subject
from .tiles import Tiles, online


@named_by_homes
def draw(
    district: District,
    cover: pd.DataFrame | None = None,
    rings: gpd.GeoDataFrame | None = None,
    *,
    rule: Named | None = None,
    gaps: gpd.GeoDataFrame | None = None,
    values: pd.Series | None = None,
    unit: str = "",
    show: str = "minutes",
    title: str | None = None,
    lang: str = "zh",
    tiles: str | None = None,
    key: str = "",
) -> HouseMap:
    """
    Draw a map that needs no network: `.save("map.html")` writes one file, a notebook shows the same.

    Parameters
    ----------
    district
        What `District.load` opened; its layers are the base map, whatever their CRS (drawn in degrees, WGS84).
    cover
        Result of `coverage`, index (home, rule). None gives the map of the present state.
    rings
        Isochrones, index `minutes`, drawn as one outline each.
    rule
        The rule to show, or the kind it leads: code, name or row. None puts every rule of `cover` into the page, with a list to choose from.
    gaps
        Places that miss out (index place; name, community, people_unserved, minutes, reason): numbered, listed, linked.
    values
        A number per home (index home), for example 配套齐全度 from 0 to 1, with `title` and `unit`.
    unit
        What `values` are in, as printed beside them; "" for shares and plain numbers.
    show
        "minutes" colours homes by their own minutes; "straight" shows who is near in a straight line only.
    title
        图名; made from the district and the rule by default.
    lang
        "zh" or "en".
    tiles, key
        Online tiles under the district's own layers, with the user's own key: "tianditu" (天地图 vector), "tianditu-image".
        Only such a file asks the network for something, and only that host. Default: none.

    Returns
    -------
    map
        A `folium.Map`; further folium layers may be added to it.

    Raises
    ------
    SourceError
        The tiles are in GCJ-02 or BD-09 and would lie half a kilometre off; or there is no key; or a layer is secret.
    UnknownNameError
        The rule is not in `cover`, or `show` or `lang` is not one of the words above.
    ValueError
        No district; `cover` or `rings` is no table of that sort, or `values` no series.
    """
    _check(district, cover, rings, values)
    if tiles:  # the page asks another's server for where the district lies
        refuse_leaving(district.manifest, "配在线底图")
    asked = online(Tiles(tiles, key)) if tiles else None
    subject = Subject(cover, rings, rule, gaps, values, unit, show, title)
    return HouseMap(scene_of(district, subject, Edition(lang)), tiles=asked)


def _check(
    district: District, cover: pd.DataFrame | None, rings: gpd.GeoDataFrame | None, values: pd.Series | None
) -> None:
    """Refuse what can be no map: told here, and not by the layer that stumbles over it."""
    must_be_district(district)
    if cover is not None and not (isinstance(cover, pd.DataFrame) and "rule" in cover.index.names):
        must_be_cover(cover)
    if rings is not None and not isinstance(rings, gpd.GeoDataFrame):
        raise WrongValueError(
            say("rings 要写 isochrones 的结果，不是 {0}；设施类别写在 isochrones 里", type(rings).__name__)
        )
    if values is not None and not isinstance(values, pd.Series):
        said = say("按小区编号索引的一列数，如 district.homes 的 people 列")
        raise WrongValueError(say("values 要写{0}，不是 {1}", said, type(values).__name__))


@named_by_homes
def of_district(
    district: District,
    what: str,
    *,
    rule: str | None = None,
    scenario: str | None = None,
    against: District | None = None,
    tiles: Tiles | None = None,
    lang: str = "zh",
) -> HouseMap:
    """
    Draw one of the maps by its name, computing what it needs: what the command line does.

    Parameters
    ----------
    what
        "overview", "completeness", "gaps", "parcels", "rule", "walkers", "difference" or "swipe".
    rule, scenario
        A rule or the kind it leads; a scenario of the folder, or a TOML file. "rule" and "walkers" need the first,
        "difference" and "swipe" the second, or `against`.
    against
        The state that `district`, which a plan has been carried out on, is held against.
    tiles
        Online tiles; only "overview" and "rule" lie on them.
    lang
        As in `draw`.

    Raises
    ------
    UnknownNameError
        No such map, rule or scenario.
    ScenarioError
        A scenario is needed and none was given, or it cannot be carried out.
    """
    kinds = (OVERVIEW, COMPLETENESS, GAPS, PARCELS, "rule", "walkers", "difference", "swipe")
    if what not in kinds:
        raise UnknownNameError("图", what, kinds)
    if tiles and what not in (OVERVIEW, "rule"):
        raise SourceError(say("在线底图只用于现状图（overview）和规则图（rule）"))
    if tiles:
        refuse_leaving(district.manifest, "配在线底图")
    if what in ("rule", "walkers") and rule is None:
        raise UnknownNameError(
            "规则（用 --rule 写规则名或设施类别）", "未写", [str(n) for n in district.rules.index][:8]
        )
    if what in kinds[:4] or (what == "rule" and rule is not None):
        named = district.rule(rule).name if what == "rule" and rule is not None else what
        return HouseMap(scene_for(district, named, lang=lang), tiles=online(tiles) if tiles else None)
    if what == "walkers" and rule is not None:
        return walkers(district, rule, lang=lang)
    if against is None and not scenario:
        raise ScenarioError(say("请用 --plan 写方案名（目录里的 scenarios/名.toml）或 .toml 文件"))
    after = district
    if against is None and scenario:
        plan = district.scenario(scenario)
        against, after = district.at(plan.year_on(district), planned=district.with_planned), plan.on(district)
    comparison = Comparison(district if against is None else against, after)
    return (difference if what == "difference" else swipe)(comparison, rule, lang=lang)


@named_by_homes
def walkers(
    district: District,
    rule: str | Rule,
    profiles: tuple[str, str] = ("adult", "elderly"),
    *,
    covers: tuple[pd.DataFrame, pd.DataFrame] | None = None,
    title: str | None = None,
    lang: str = "zh",
) -> HouseMap:
    """
    Draw which homes one walker reaches within a rule's minutes and another does not: 老年人 against 成人.

    Parameters
    ----------
    district
        The district.
    rule
        A reach rule, by name or value, or the kind it leads; judged by walking time whatever its own method.
    profiles
        Two of `profiles.csv`. People 60+ are counted where they are known, else residents.
    covers
        Coverages by walking time of the same rule for the two; computed where not given.
    title, lang
        As in `draw`.

    Returns
    -------
    map
        As of `draw`; `.picture()` is the same as SVG.

    Raises
    ------
    UnknownNameError
        No such rule or profile, or a rule that asks whether a community has one.
    """
    theme = walkers_theme(district, rule, profiles, covers, lang)
    return HouseMap(scene_of(district, Subject(title=title), Edition(lang), themes=[theme]))


@named_by_homes
def difference(
    comparison: Comparison,
    rule: str | Rule | None = None,
    *,
    tags: Mapping[str, str] | None = None,
    zones: Mapping[str, str] | None = None,
    title: str | None = None,
    lang: str = "zh",
) -> HouseMap:
    """
    Draw what a plan changes: who gains (受益), who loses (受影响), and by how many minutes.

    Homes have two colourings (who gains; minutes nearer or farther); facilities that open, close or move, and homes that are
    demolished, are marked and listed. People who gain are, as in `access.effects`, those of homes that exist on both sides:
    the sum over homes of people times what their served share grows.

    Parameters
    ----------
    comparison
        The district without and with the plan (`plan.on(district)`), both for the same year.
    rule
        A rule, by name or value, or the kind it leads. None puts every rule of the plan into the page, the one that moves
        most people first.
    tags
        Id of a facility that opens or moves -> what is written in its symbol instead of its kind's sign, as the `tag` of `sites`.
    zones
        What is drawn about a place (its tag, in words) -> the ground in which it may stand, as the `may_stand` of `sites`.
    title, lang
        As in `draw`.

    Returns
    -------
    map
        As of `draw`; `.picture()` is the same as SVG.

    Raises
    ------
    UnknownNameError
        No such rule.
    """
    covers = comparison.covers
    if rule is None:
        covers = covers or (coverage(comparison.before), coverage(comparison.after))
        comparison = comparison._replace(covers=covers)
        rules = rules_of_change(comparison.before, covers)
    else:
        rules = [comparison.before.rule(rule)]
    zoned = zone_layers(zones or {}, comparison.after.crs, lang)
    return HouseMap(_changed_scene(comparison, rules, zoned, Subject(title=title), lang, tags))


def difference_scene(comparison: Comparison, rule: str, lang: str = "zh") -> Scene:
    """Return what `difference` draws of one rule, for paper."""
    return _changed_scene(comparison, [comparison.before.rule(rule)], [], Subject(), lang)


def _changed_scene(
    comparison: Comparison,
    rules: Sequence[Rule],
    zoned: Sequence[Layer],
    subject: Subject,
    lang: str,
    tags: Mapping[str, str] | None = None,
) -> Scene:
    themes = [change_theme(comparison, own, lang) for own in rules]
    kinds = rules[0].kinds if len(rules) == 1 else None
    extra = [*zoned, *changed_layers(comparison, kinds, lang, tags)]
    return scene_of(comparison.after, subject, Edition(lang), themes=themes, extra=extra)


@named_by_homes
def swipe(
    comparison: Comparison,
    rule: str | Rule | None = None,
    *,
    sides: tuple[str, str] | None = None,
    title: str | None = None,
    lang: str = "zh",
) -> HouseMap:
    """
    Draw two states under one divider: left of it `before`, right of it `after`; the divider moves by mouse, touch and keys.

    Printed, both stand side by side.

    Parameters
    ----------
    comparison
        Two states of one district: without and with a plan, or two years.
    rule
        A rule, by name or value, or the kind it leads: what the homes are coloured by. None shows both as they are.
    sides
        What stands over the two sides; by default 现状 and 方案, with their years where these differ.
    title, lang
        As in `draw`.

    Returns
    -------
    map
        As of `draw`.

    Raises
    ------
    UnknownNameError
        No such rule.
    """
    t = wording(lang)
    before, after, covers = comparison
    own = None if rule is None else before.rule(rule)
    if own is not None and covers is None:
        covers = (coverage(before, rules=[own]), coverage(after, rules=[own]))
    if sides is None:
        years = [f" {d.year}" if before.year != after.year else "" for d in (before, after)]
        sides = (t["state_now"] + years[0], t["state_plan"] + years[1])
    scenes = [
        scene_of(d, Subject(covers[i] if covers else None, rule=own, title=title), Edition(lang))
        for i, d in enumerate((before, after))
    ]
    old, new = scenes
    new.layers, new.groups = with_layers_of(old, new)
    return HouseMap(new, past=old, sides=sides)


@named_by_homes
def evidence(district: District, table: pd.DataFrame) -> HouseMap:
    """
    Draw what the rows of the ledger rest on: one page, a theme per row, opened by its id (`evidence.html#S17.people`).

    Homes are coloured by what was measured there, communities by whether they have what was promised; the facilities that a
    row counts are shown with it.

    Parameters
    ----------
    table
        Result of `ledger`; the map is in its language.

    Returns
    -------
    map
        As of `draw`.
    """
    lang = spoken(table)
    themes = evidence_themes(district, table)
    return HouseMap(scene_of(district, Subject(), Edition(lang), themes=themes))


@named_by_homes
def picture(
    district: District,
    cover: pd.DataFrame | None = None,
    rings: gpd.GeoDataFrame | None = None,
    *,
    rule: Named | None = None,
    gaps: gpd.GeoDataFrame | None = None,
    values: pd.Series | None = None,
    unit: str = "",
    show: str = "minutes",
    title: str | None = None,
    lang: str = "zh",
) -> str:
    """
    Draw the same map as `draw` as an SVG picture without any script, for a brief or a page.

    Where `cover` holds several rules and none is asked for, the picture shows the first.

    Parameters
    ----------
    district, cover, rings, rule, gaps, values, unit, show, title, lang
        As in `draw`.

    Returns
    -------
    svg
        One SVG element, sized by its viewBox; it refers to no font, file or address.

    Raises
    ------
    UnknownNameError
        The rule is not in `cover`, or `show` or `lang` is not one of the words that `draw` knows.
    ValueError
        As `draw`.
    """
    _check(district, cover, rings, values)
    subject = Subject(cover, rings, rule, gaps, values, unit, show, title)
    return sheet_of(scene_of(district, subject, Edition(lang)))
