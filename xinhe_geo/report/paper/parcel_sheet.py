"""A parcel on one drawing: its map at a scale that shows it, where it lies, before and after, its figures and stages, and a title block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely

from ...core import DataError, Problem, amount, problems_table, refuse_uncleared, say, speaking
from ...core import title as heading
from ...district import MANIFEST, District, Named, state_name
from ...maps import Scene, parcel_scene, themes, wording
from ...report import Analysis, Parcel, Parcels, Story, budget_name, topic_name
from . import carto
from .carto import Column
from .page import SIZES, UNITS, Box, Columns, Frame, Look, Paper
from .sheet import check_size, write_pages
from .sheet_parts import Format, page_foot, page_head, title_block

_MARGIN, _HEAD, _FOOT = 22.0, 92.0, 66.0
#: Where the map ends, as a share of the page; how large the two insets are; how high the maps of before and after.
_MAP, _INSET, _SMALL = 0.56, (190.0, 150.0), {"A3": 200.0, "A4": 130.0}
#: By how much of its size, on each side, a map of before or after shows less than the main one.
_CLOSER = 0.17
#: What a part has at least: its heading, a head, two rows, how many are left out.
_PART = 100.0
#: Room for the line that says how many rows there is no room for.
_REST = 18.0
#: How much ground the map of the surroundings shows, of the parcel's own size on each side, and at least.
_AROUND, _AROUND_M = 3.0, 600.0


def parcel_sheet(
    district: District, parcel: str, to: str | Path, *, form: Format, against: District | None = None
) -> list[Path]:
    """
    Draw one parcel on one landscape page.

    Parameters
    ----------
    parcel
        Its id.
    to
        As in `sheet`.
    form
        Paper, language, number, and the date of the title block as typed.
    against
        Another state, which this one is held against (what was there before a plan, another plan); None: none.

    Returns
    -------
    files
        What was written.

    Raises
    ------
    DataError
        For publication: parcels are internal.
    UnknownNameError
        No such size.
    EnvironmentProblem
        The file cannot be written, or the typeface is missing.
    """
    check_size(form.size)
    if form.public:
        why, remedy = say("地块是内部资料，不出公开版"), say("换一张图出公开版")
        raise DataError(problems_table([Problem("error", "parcels", MANIFEST, "", "", why, remedy)]), district.name)
    refuse_uncleared(district.manifest, "写出图纸")
    with speaking(form.lang):
        story = Story(Analysis.of(district), against=against)
    return write_pages([parcel_page(story, parcel, form)], Path(to), parcel)


def parcel_asked(district: District, what: Named) -> str:
    """Return the id of the parcel that is asked for by its id or name; "" where none is called so, or a theme is."""
    parcels = district.layers.get("parcels")
    if parcels is None or not isinstance(what, str) or what in themes(district).index:
        return ""
    names = {str(name): str(key) for key, name in parcels["name"].items() if isinstance(name, str)}
    return what if what in parcels.index else names.get(what, "")


def parcel_page(story: Story, parcel: str, form: Format) -> Paper:
    """Return a parcel's drawing; of a plan with what was there before it."""
    district = story.district
    with speaking(form.lang):
        told = Parcels(district if story.against is None else story.against, year=district.year, carried_out=district)
        own = told.of(parcel)
        kinds = story.change.kinds if story.change is not None else ()
        scene = parcel_scene(district, parcel, form.lang, kinds)
        paper = Paper(*SIZES[form.size], UNITS[form.size])
        page_head(paper, scene.title, scene.badges, [own.ground])
        frame = Frame(_MARGIN, _HEAD, paper.width * _MAP - _MARGIN, paper.height - _HEAD - _FOOT)
        insets = [Frame(frame.right - _INSET[0] - 8, frame.bottom - (i + 1) * (_INSET[1] + 8), *_INSET) for i in (0, 1)]
        ground = carto.draw_map(paper, frame, scene, keep_free=[_room(inset, frame) for inset in insets])
        _surroundings(paper, insets[1], scene, district.layers["parcels"].geometry[parcel])
        locator(paper, insets[0], district, district.layers["parcels"].loc[[parcel]].geometry)
        left = frame.right + 16
        column = Column(paper, left, frame.top, paper.width - _MARGIN - left, frame.bottom)
        column.bottom = (
            title_block(
                paper, column, frame.bottom, _cells(f"{own.name}　{state_name(district)}", ground.denominator, form)
            )
            - 8
        )
        if story.against is not None:
            _before_and_after(column, (story.against, district), parcel, form, kinds)
        _changes(column, story)
        _figures(column, own)
        _stages(column, own)
        _promised(column, own)
        page_foot(paper, frame.bottom, [*scene.foot[2:], scene.evidence])
    return paper


def _room(inset: Frame, frame: Frame) -> Box:
    return inset.left - 6, inset.top - 6, frame.right, inset.bottom + 8


def _cells(title: str, denominator: float, form: Format) -> list[tuple[str, str]]:
    """Return 图签 of a drawing: who drew and who checked it sign by hand, the date is as typed."""
    return [
        (say("图名"), title),
        (say("图号"), form.number),
        (wording(form.lang)["cell_scale"], f"1:{amount(denominator)} ({form.size})"),
        (say("日期"), form.date),
        (say("制图"), ""),
        (say("审核"), ""),
    ]


def _surroundings(paper: Paper, frame: Frame, scene: Scene, shape: shapely.Geometry) -> None:
    """Draw what lies around a parcel at a middle scale, without names."""
    west, south, east, north = shape.bounds
    edge = max(_AROUND * max(east - west, north - south), _AROUND_M)
    wide = replace(scene, bounds=(west - edge, south - edge, east + edge, north + edge), labels=[], mark="")
    carto.draw_map(paper, frame, wide, keep_free=[(frame.left, frame.top, frame.right, frame.bottom)], small=True)


def locator(paper: Paper, frame: Frame, district: District, chosen: gpd.GeoSeries) -> None:
    """Draw where in the district something lies: its outline, its communities, and what is chosen."""
    parts = next(district.layers[n] for n in ("district", "communities", "parcels") if n in district.layers)
    whole = parts.geometry
    west, south, east, north = whole.total_bounds
    scale = min((frame.width - 12) / (east - west), (frame.height - 12) / (north - south))
    x0 = frame.left + frame.width / 2 - (west + east) / 2 * scale
    y0 = frame.top + frame.height / 2 + (south + north) / 2 * scale

    def put(shapes: gpd.GeoSeries, look: Look) -> None:
        moved = shapely.transform(
            np.asarray(shapes.array), lambda p: np.column_stack([x0 + p[:, 0] * scale, y0 - p[:, 1] * scale])
        )
        paper.areas(moved, look)

    paper.rectangle(frame, fill=carto.SHEET, line="#555555")
    put(whole, Look("#efeae0", carto.MARK, 1.4))
    if "communities" in district.layers:
        put(district.layers["communities"].geometry, Look(line="#a59a91", width=0.6))
    put(chosen, Look(carto.MARK))


def _before_and_after(
    column: Column, states: tuple[District, District], parcel: str, form: Format, kinds: Sequence[str]
) -> None:
    """Draw the parcel in both states side by side."""
    paper, wide = column.paper, (column.width - 12) / 2
    for i, state in enumerate(states):
        frame = Frame(column.left + i * (wide + 12), column.y + 18, wide, _SMALL[form.size])
        Column(paper, frame.left, column.y, wide, frame.top).text(state_name(state), 12, bold=True, lines=1)
        scene = parcel_scene(state, parcel, form.lang, kinds)
        west, south, east, north = scene.bounds
        x, y = _CLOSER * (east - west), _CLOSER * (north - south)
        carto.draw_map(
            paper, frame, replace(scene, bounds=(west + x, south + y, east - x, north - y), mark=""), small=True
        )
    column.skip(_SMALL[form.size] + 28)


def _changes(column: Column, story: Story) -> None:
    change = story.change
    if change is None:
        return
    column.text(say("方案前后：{0}与{1}", *change.names), 14, bold=True, lines=2)
    column.text(change.people, 11, carto.QUIET, lines=3)
    for line in change.built:
        column.text(line, 11, lines=2)
    column.skip(3)
    rows = [[s.label, s.before.text, s.after.text, s.net] for s in change.moved]
    head = [heading(name) for name in ("任务", "之前", "之后", "净增（按本指标）")]
    strong = {(i, 3): carto.WARN for i, s in enumerate(change.moved) if s.tone == "lose"}
    column.table(Columns(head, (250, 50, 50, 90), (1, 2, 3), 11, most_lines=4), rows, strong=strong)
    column.skip(3)
    column.text(change.unmoved, 11, carto.QUIET, lines=1)
    column.skip(9)


def _filled(
    head: list[str], rows: list[list[str]], widths: tuple[float, ...]
) -> tuple[list[str], list[list[str]], list[float]]:
    """Return a table without the columns that nobody has filled in."""
    kept = [j for j in range(len(head)) if any(row[j] for row in rows)]
    return [head[j] for j in kept], [[row[j] for j in kept] for row in rows], [widths[j] for j in kept]


def _figures(column: Column, own: Parcel) -> None:
    told = [[line.label, line.holder, line.text] for line in own.plain]
    told += [[say("{0}：{1}", budget_name(t.budget), topic_name(t.topic)), "", t.text] for t in own.money]
    told += [[say("承诺"), "", say("；").join(f"{label} {n}" for label, n in own.tallied)]]
    column.text(say("台账"), 14, bold=True)
    head, told, widths = _filled([say("指标"), say("口径"), say("数值")], told, (86, 60, 100))
    columns = Columns(head, widths, (len(head) - 1,), 11, most_lines=2)
    _counted(column, columns, told, 2, _PART * sum(map(bool, (own.stages, own.promised))))
    column.skip(9)


def _counted(column: Column, columns: Columns, rows: Sequence[Sequence[str]], abreast: int, below: float = 0.0) -> None:
    """Write as many rows as have room above what is kept free below, and how many have none."""
    column.keep_free(_REST + below)
    done = column.tables(abreast, columns, rows) if abreast > 1 else column.table(columns, rows)
    column.keep_free(-_REST)
    if rows[done:]:
        column.text(say("另有 {0} 行", len(rows[done:])), 11, carto.QUIET)
    column.keep_free(-below)


def _stages(column: Column, own: Parcel) -> None:
    column.text(say("进度"), 14, bold=True)
    if not own.stages:
        column.text(say("待填"), 11, carto.QUIET)
        return
    head = [say("阶段"), say("日期"), say("比例")]
    rows = [[line.label, line.date, line.share] for line in own.stages]
    _counted(column, Columns(head, (90, 84, 100), (), 11, most_lines=2), rows, 2, _PART if own.promised else 0.0)
    column.skip(9)


def _promised(column: Column, own: Parcel) -> None:
    if not own.promised:
        return
    column.text(say("承诺：做到、有安排、还缺"), 14, bold=True)
    rows = [[line.quote, line.wants, line.told] for line in own.promised]
    head, rows, widths = _filled([say("原文"), say("要什么"), say("做到没有")], rows, (300, 120, 60))
    _counted(column, Columns(head, widths, (), 11, most_lines=2), rows, 1)
