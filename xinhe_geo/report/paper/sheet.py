"""Sheets for print: a theme on one A3 or A4 page as PDF and PNG, with its tables, title block and foot."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...core import (
    DEMONSTRATION,
    LAYERS,
    SMALL,
    DataError,
    Problem,
    UnknownNameError,
    amount,
    crs_label,
    layer_name,
    named_by_homes,
    path_given,
    problems_table,
    refuse_leaving,
    refuse_uncleared,
    say,
    speaking,
    write_bytes,
)
from ...core import title as heading
from ...district import MANIFEST, District, Named, meant, must_be_district
from ...maps import (
    COMPLETENESS,
    OVERVIEW,
    PARCELS,
    Layer,
    Scene,
    joined,
    kind_label,
    percent,
    scene_for,
    shown_count,
    shown_mode,
    themes,
    wording,
)
from ...report import Analysis, Story
from . import carto
from .carto import Column
from .page import SIZES, UNITS, Columns, Frame, Paper, legible, pdf_bytes, png_bytes
from .sheet_parts import MARGIN, Format, page_foot, page_head, shared, title_block

_BORDER_LAYERS = ("district", "zones", "areas", "communities", "grid")
#: Names that mean a device on Windows, with whatever ending.
_DEVICES = {"CON", "PRN", "AUX", "NUL", *(f"{port}{i}" for port in ("COM", "LPT") for i in range(10))}
_HEAD, _FOOT = 92.0, 66.0
#: The column beside the map: its least width, the largest share of the page it may have, and what each of two needs.
_COLUMN = {"A3": 410.0, "A4": 356.0}
_MOST = {"A3": 0.46, "A4": 0.5}
_NARROW = 296.0


#: What sheets are made for where nothing else is asked.
USUAL = Format()


@named_by_homes
def sheet(
    district: District,
    what: Named = OVERVIEW,
    to: str | Path = "sheet.pdf",
    *,
    size: str = "A3",
    show: str = "minutes",
    public: bool = False,
    approval: str = "",
    number: str = "",
    lang: str = "zh",
    against: District | None = None,
) -> list[Path]:
    """
    Draw one theme on one landscape page, in the house style of the maps.

    A list of gaps that the page has no room for goes on on further pages.

    Parameters
    ----------
    district
        What `District.load` opened; it stays as it was.
    what
        "overview" (现状总图), "completeness" (配套齐全度), "gaps" (who misses most of what is promised), or a rule, or
        the kind it leads, by code, name or row; see `xinhe_geo.maps.themes`.
    to
        A file: ".pdf" gives vectors with the typeface inside, ".png" 300 dots per inch, a name without ending both.
    size
        "A3" or "A4".
    show
        "minutes" colours homes by their own minutes, "straight" shows who is near in a straight line only.
    public
        Draw for publication: without administrative boundaries, numbers under 10 suppressed, a slot for 审图号.
    approval, number
        审图号 and 图号 where they are known.
    lang
        "zh" or "en"; names stay as the data have them.
    against
        Another state, which this one is held against (what was there before a plan, another plan); None: none.

    Returns
    -------
    files
        What was written: one PDF of all pages, one PNG per page.

    Raises
    ------
    UnknownNameError
        No such theme, size, language or way to show it.
    DataError
        `public` with boundaries that are schematic or synthetic.
    EnvironmentProblem
        The file cannot be written, or the typeface is missing.
    """
    must_be_district(district)
    check_size(size)
    if public:
        refuse_leaving(district.manifest, "出公开版")
        refuse_plan(district)
        refuse_public(district)
    refuse_uncleared(district.manifest, "写出图纸")
    form, what = Format(size, lang, public, approval, number), theme_meant(district, what)
    with speaking(lang):
        story = Story(Analysis.of(district), against=against)
    pages = theme_pages(story, what, form, show=show, alone=against is None)
    return write_pages(pages, path_given(to, "to "), str(themes(district, lang)[what]))


def refuse_public(district: District) -> None:
    """
    Stop a public edition that rests on boundaries nobody surveyed.

    Raises
    ------
    DataError
        With a row per layer of boundaries that is schematic or synthetic.
    """
    found = [
        Problem(
            "error",
            name,
            str(district.manifest["layers"].get(name, {}).get("file", "")),
            "",
            "basis",
            say("{0}是示意或合成的，不能据此出公开版", LAYERS[name].label),
            say("换成主管部门的界线，再把 basis 改为 official 或 surveyed"),
        )
        for name in _BORDER_LAYERS
        if name in district.layers and district.basis(name).isin(DEMONSTRATION).any()
    ]
    if found:
        raise DataError(problems_table(found), district.name)


def refuse_plan(district: District) -> None:
    """
    Stop a public edition of a plan.

    Raises
    ------
    DataError
        A plan has been carried out on the district.
    """
    if district.manifest.get("scenario"):
        why, remedy = say("方案是内部资料，不出公开版"), say("用没有套方案的街道目录出公开版")
        found = Problem("error", "district", MANIFEST, "", "scenario", why, remedy)
        raise DataError(problems_table([found]), district.name)


def check_size(size: str) -> None:
    """Stop where no paper is called so."""
    if size not in SIZES:
        raise UnknownNameError("图幅", size, list(SIZES))


# --- what a page shows --------------------------------------------------------------------------------------------------


def theme_pages(
    story: Story, what: str, form: Format, *, show: str = "minutes", whole: bool = True, alone: bool = False
) -> list[Paper]:
    """
    Return one theme as a page, and (`whole`) the gaps it has no room for as further ones.

    Parameters as in `sheet`; the story is in the language of `form`. `alone`: nothing else is drawn of it, so that only what this
    theme needs is worked out.
    """
    district = story.district
    what = theme_meant(district, what)
    results = None if alone else story.analysis
    scene = scene_for(district, what, show=show, results=results, lang=form.lang, fewer_than=form.fewer_than)
    if form.public:
        scene = _for_public(district, scene)
    elif what != PARCELS:  # asked for by its name
        scene = carto.handed_on(scene, district)
    return _pages(scene, form, Told(story, what), whole=whole)


def theme_meant(district: District, what: Named) -> str:
    """Return the name of the map that is meant: by itself or its title, as a rule, or as the kind that a rule leads."""
    known = themes(district)
    if isinstance(what, str) and what in known.index:
        return what
    fixed = known[~known.index.isin(district.rules.index)].to_frame("label")
    number, key = meant("图（全部：sheet list）", what, fixed, district.rules, district.kinds)
    return district.rule(key).name if number else key


class Told(NamedTuple):
    """What stands beside a map: of which story, and which theme it is."""

    story: Story
    what: str


# --- the page -----------------------------------------------------------------------------------------------------------


def _pages(scene: Scene, form: Format, told: Told, *, whole: bool = True) -> list[Paper]:
    """Lay a scene out: title and marks, map, columns with headline, gaps, legend and title block, foot; then the rest of the gaps."""
    story, district = told.story, told.story.district
    t, paper = wording(form.lang), Paper(*SIZES[form.size], UNITS[form.size])
    theme, _ = shown_mode(scene)
    page_head(paper, theme.title if theme else scene.title, scene.badges, theme.lines if theme else scene.lines)
    frame, columns = _split(paper, form.size, scene.bounds)
    ground = carto.draw_map(paper, frame, scene)
    first, last = columns[0], columns[-1]
    cells = title_cells(district, scene, ground.denominator, form)
    last.bottom = title_block(paper, last, frame.bottom, cells) - 10
    below = carto.legend_height(last, scene, ground.zoom) if first is last else 0.0
    _change_table(first, told, form.lang)
    if told.what == OVERVIEW:
        _zone_table(last, story, form)
        _kind_table(first, story, form.lang, below)
    carto.headline(first, scene)
    if told.what == COMPLETENESS and len(story.analysis.completeness):
        _completeness_tables(first, story, form, below)
    gaps = next((layer for layer in scene.layers if layer.id == "gaps"), None)
    listed: list[dict[str, str]] = [] if gaps is None else gaps.extra["list"]
    done = 0 if gaps is None else _gap_table(first, gaps, 0, below, form.lang)
    for parcels in (layer.extra["list"] for layer in scene.layers if layer.id == "parcels" and "list" in layer.extra):
        first.text(t["parcels"], 14, bold=True)
        rows = [[p["name"], p["people"], p["why"]] for p in parcels]
        first.table(Columns([t["name"], t["land"], t["parcel_what"]], (84, 70, 220), (1,), 11, most_lines=9), rows)
        first.skip(8)
    carto.legend(last, scene, ground.zoom)
    if gaps is not None and first is not last and done < len(listed):
        done = _gap_table(last, gaps, done, 0.0, form.lang)
    if done < len(listed):
        last.text(t["more_overleaf" if whole else "more"].format(n=len(listed) - done), 11.5, carto.QUIET)
    if told.what == OVERVIEW and last.room() > 110:
        _source_table(last, story, form.lang)
    foot = [*scene.foot[2:], theme.evidence if theme else scene.evidence]
    foot += [t["rounded"].format(n=SMALL)] if form.public else []
    page_foot(paper, frame.bottom, foot)
    return [paper, *(_list_pages(scene, listed, done, form, foot) if whole else [])]


def _list_pages(
    scene: Scene, listed: Sequence[Mapping[str, str]], done: int, form: Format, foot: Sequence[str]
) -> list[Paper]:
    """Return pages with the gaps that the page of the map has no room for."""
    t, pages = wording(form.lang), []
    theme, _ = shown_mode(scene)
    title = f"{theme.title if theme else scene.title} · {t['gap_list']}"
    most = 0  # how many rows a page has room for: pages share them out evenly, so that the last is no empty one
    while done < len(listed):
        paper = Paper(*SIZES[form.size], UNITS[form.size])
        page_head(paper, title, scene.badges, theme.lines if theme else scene.lines)
        columns = _gap_columns((26, 92, 52 if form.lang == "zh" else 76, 330), 4, form.lang)
        rows, frame = _gap_rows(listed, done), (MARGIN, _HEAD, paper.width - 2 * MARGIN, paper.height - _FOOT)
        if not most:
            most = Column(Paper(*SIZES[form.size], UNITS[form.size]), *frame).tables(2, columns, rows, fill=True)
        column = Column(paper, *frame)
        done += max(column.tables(2, columns, rows[: shared(len(rows), max(most, 1))]), 1)
        page_foot(paper, column.bottom, foot)
        pages.append(paper)
    return pages


def _split(paper: Paper, size: str, bounds: Sequence[float]) -> tuple[Frame, list[Column]]:
    """Return the map's frame and the columns beside it: two where the district is slim and leaves room."""
    west, south, east, north = bounds
    height = paper.height - _HEAD - _FOOT
    whole = paper.width - 2 * MARGIN - 16
    slim = whole - height * 1.15 * (east - west) / max(north - south, 1.0)
    wide = min(max(slim, _COLUMN[size]), paper.width * _MOST[size])
    frame = Frame(MARGIN, _HEAD, whole - wide, height)
    left = frame.right + 16
    if wide < 2 * _NARROW + 16:
        return frame, [Column(paper, left, frame.top, wide, frame.bottom)]
    half = (wide - 16) / 2
    return frame, [Column(paper, x, frame.top, half, frame.bottom) for x in (left, left + half + 16)]


def _gap_columns(widths: Sequence[float], most_lines: int, lang: str) -> Columns:
    """Return the columns of the table of gaps."""
    t = wording(lang)
    head = [t["col_rank"], t["home_one"], t["col_missed"], t["col_why"]]
    return Columns(head, widths, (0, 2), 11, most_lines)


def _gap_rows(listed: Sequence[Mapping[str, str]], start: int) -> list[list[str]]:
    """Return the rows of the table of gaps from place `start` on."""
    return [[str(start + i + 1), g["name"], g["people"], g["why"]] for i, g in enumerate(listed[start:])]


def _gap_table(column: Column, gaps: Layer, start: int, below: float, lang: str) -> int:
    """Write who misses out from place `start` on, as many as the column has room for above `below`; return the next place."""
    bottom = column.bottom
    column.bottom = bottom - below - 24
    if column.room() < 90:
        column.bottom = bottom
        return start
    t = wording(lang)
    title = gaps.label + ("" if start == 0 else t["continued"])
    columns = _gap_columns((30, 90, 58, 196) if lang == "zh" else (38, 90, 78, 196), 7, lang)
    done = column.table(columns, _gap_rows(gaps.extra["list"], start), title=title)
    column.bottom = bottom
    column.y += 5
    return start + done


def _change_table(column: Column, told: Told, lang: str) -> None:
    """Write what a plan changes: of the goal that the map is about, or of all that change."""
    change = told.story.change
    if change is None:
        return
    with speaking(lang):
        shifts = [s for s in change.shifts if s.rule == told.what] or change.moved
        column.text(say("{0}与{1}", *change.names), 14, bold=True)
        column.text(change.people, 11, carto.QUIET, lines=4)
        head = [heading(name) for name in ("任务", "之前", "之后", "净增（按本指标）")]
        rows = [[s.label, s.before.text, s.after.text, s.net] for s in shifts]
        strong = {(i, 3): carto.WARN for i, s in enumerate(shifts) if s.tone == "lose"}
        column.skip(3)
        column.table(Columns(head, (180, 50, 50, 84), (1, 2, 3), 11, most_lines=4), rows, strong=strong)
        column.skip(3)
        column.text(change.unmoved, 11, carto.QUIET)
        column.skip(10)


def _zone_table(column: Column, story: Story, form: Format) -> None:
    t = wording(form.lang)

    def shown(value: float) -> str:
        return shown_count(value, "", form.lang, form.fewer_than) or "—"

    rows = [
        [
            str(r.name_),
            "—" if np.isnan(r.area_km2) else amount(r.area_km2, 2),
            "—" if np.isnan(r.communities) else f"{r.communities:.0f}",
            shown(r.homes),
            shown(r.people),
            shown(r.people_60plus),
            "—" if np.isnan(r.facilities) else f"{r.facilities:.0f}",
        ]
        for r in story.zone_table.rename(columns={"name": "name_"}).itertuples()
    ]
    head = [t["zone"], t["col_area"], t["community"], t["home_one"], t["people"], t["col_60plus"], t["facilities"]]
    column.text(t["by_zone"], 14, bold=True)
    column.table(Columns(head, (76, 66, 44, 44, 68, 72, 44), (1, 2, 3, 4, 5, 6), 11), rows)
    if story.facilities_beyond:
        column.skip(4)
        column.text(t["facilities_outside"].format(n=story.facilities_beyond), 11, carto.QUIET)
    column.skip(12)


def _completeness_tables(column: Column, story: Story, form: Format, below: float) -> None:
    """Write which kinds are out of reach and how the communities stand, above `below`."""
    t, bottom, district = wording(form.lang), column.bottom, story.district
    column.keep_free(below + 24)

    def shown(value: float) -> str:
        return shown_count(value, "", form.lang, form.fewer_than) or "—"

    english = {str(district.kinds.at[k, "label"]): kind_label(district, k, form.lang) for k in district.kinds.index}
    rows = [
        [short_label(english.get(kind.label, kind.label)), shown(kind.homes.value), shown(kind.people.value)]
        for kind in story.out_of_reach
    ]
    if rows and column.room() > 90:
        column.text(t["out_of_reach"], 14, bold=True)
        head = [t["kind"], t["home_one"], t["people"]]
        column.table(Columns(head, (150, 60, 80), (1, 2), 11, most_lines=1), rows)
        column.skip(12)
    own = story.completeness_table
    rows = [[str(r.name), shown(r.homes), shown(r.people), percent(r.share)] for r in own.itertuples(index=False)]
    if rows and column.room() > 90:
        column.text(t["by_community"], 14, bold=True)
        head = [t["community"], t["home_one"], t["people"], t["of_them_complete"]]
        done = column.table(Columns(head, (120, 50, 76, 84), (1, 2, 3), 11, most_lines=1), rows)
        column.bottom = bottom
        if rest := rows[done:]:
            column.skip(4)
            column.text(t["more_communities"].format(n=len(rest)), 11.5, carto.QUIET)
        column.skip(12)
    column.bottom = bottom


def _kind_table(column: Column, story: Story, lang: str, below: float) -> None:
    """Write the kinds of facilities, as many as there is room for above `below`."""
    t, figures, communities = wording(lang), story.kind_table, story.district.communities
    bottom, n = column.bottom, 0 if communities is None else len(communities)
    column.keep_free(below + 24)
    rows = [
        [
            short_label(kind_label(story.district, str(r.Index), lang)),
            f"{r.open}" + (f"+{r.planned}" if r.planned else ""),
            *([f"{r.communities:.0f}"] if n else []),
        ]
        for r in figures.itertuples()
    ]
    none = {(i, j): carto.WARN for i, open_ in enumerate(figures["open"]) for j in range(1, len(rows[i])) if open_ == 0}
    head = [t["kind"], t["col_places"], *([t["col_communities"]] if n else [])]
    column.text(t["by_kind"].format(n=n) if n else t["facilities"], 14, bold=True)
    columns = Columns(head, (118, 40, 44)[: len(head)], (1, 2), 10.5, most_lines=1)
    done = column.tables(2 if column.width > 380 else 1, columns, rows, strong=none)
    column.bottom = bottom
    rest = rows[done:]
    if rest:
        column.skip(4)
        column.text(t["more_kinds"].format(n=len(rest)), 11.5, carto.QUIET)
    column.skip(12)


def short_label(label: str) -> str:
    """Return a label without what stands in brackets."""
    return re.split("[（(]", label)[0].strip()


def _source_table(column: Column, story: Story, lang: str) -> None:
    """Write where each layer comes from, and how much of it is invented."""
    t, rows = wording(lang), []
    for r in story.layer_table.itertuples():
        name = str(r.Index)
        with speaking(lang):
            label = short_label(layer_name(name)).capitalize()
        bases = joined([t.get(f"basis_{b}", str(b)) for b in r.bases], lang)
        date = str(story.district.manifest["layers"][name].get("date", ""))
        rows.append([label, f"{r.features:,}", f"{r.weak:,}", bases, date])
    column.text(t["sources"], 14, bold=True)
    head = [t["col_layer"], t["col_features"], t["col_weak"], t["basis"], t["col_date"]]
    done = column.table(Columns(head, (96, 50, 66, 110, 76), (1, 2), 10.5, most_lines=1), rows)
    rest = rows[done:]
    if rest:
        column.text(t["more_layers"].format(n=len(rest)), 11.5, carto.QUIET)


def title_cells(district: District, scene: Scene, denominator: float, form: Format) -> list[tuple[str, str]]:
    """
    Return 图签: what the drawing is, who made it, of when, and how its numbers were made.

    Who made it is left blank where the manifest does not say: a name can then be written or stamped there.
    """
    t = wording(form.lang)
    theme, _ = shown_mode(scene)
    cells = [
        (t["cell_title"], theme.title if theme else scene.title),
        (t["cell_maker"], str(district.manifest.get("made_by") or "")),
        (t["cell_date"], scene.foot[0]),
        (t["cell_crs"], crs_label(district.crs, named=True)),
        (t["cell_scale"], f"1:{amount(denominator)} ({form.size})"),
    ]
    for line in theme.lines if theme else []:
        label, _, value = line.partition(" " if form.lang == "zh" else ": ")
        cells.append((label, value) if value else (t["basis"], label))
    cells += [(t["cell_number"], form.number)] if form.number else []
    return cells + ([(t["cell_approval"], form.approval or t["approval_later"])] if form.public else [])


def map_png(scene: Scene, width_mm: float, height_mm: float, *, units: float = 900.0, dpi: int = 200) -> bytes:
    """Return the map alone, with scale bar, north arrow and what its colours mean, as a PNG for a slide or a document."""
    paper = Paper(width_mm, height_mm, units)
    frame = Frame(1, 1, paper.width - 2, paper.height - 2)
    key = carto.key_box(frame, scene)
    carto.draw_map(paper, frame, carto.with_few_numbers(scene), [key] if key else [])
    if key:
        carto.draw_key(paper, key, scene)
    return png_bytes(paper, dpi)


# --- for the public -----------------------------------------------------------------------------------------------------


def _for_public(district: District, scene: Scene) -> Scene:
    """Return a scene (made without small numbers) that shows no administrative boundaries and is marked as not yet approved."""
    scene = carto.without_borders(_on_homes(district, scene))
    badges = [b for b in scene.badges if b[0] == "demo"] + [("", wording(scene.lang)["public"])]
    return replace(scene, badges=badges)


def _on_homes(district: District, scene: Scene) -> Scene:
    """Return a scene whose communities are shown by the colour of their homes: areas would show where they end."""
    theme, mode = shown_mode(scene)
    homes = next((layer for layer in scene.layers if layer.id == "homes"), None)
    if theme is None or mode is None or theme.layer != "presence" or homes is None or district.communities is None:
        return scene
    where = dict(zip(district.communities.index, mode.pick, strict=True))
    codes = district.groups["community"].reindex(homes.geometry.index)
    unknown = len(mode.styles) - 1
    pick = codes.map(where).fillna(unknown).to_numpy(dtype="int64")
    own = replace(mode, pick=pick)
    own_theme = replace(theme, layer="homes", modes=[own])
    return replace(scene, themes=[own_theme if t is theme else t for t in scene.themes])


# --- files --------------------------------------------------------------------------------------------------------------


def write_pages(pages: Sequence[Paper], to: Path, title: str) -> list[Path]:
    """Write pages as the ending says: one PDF, one PNG per page, or both."""
    endings = {".pdf": (".pdf",), ".png": (".png",), "": (".pdf", ".png")}.get(to.suffix.lower())
    if endings is None:
        raise UnknownNameError("图的格式", to.suffix, [".pdf", ".png"])
    written = []
    for ending in endings:
        if ending == ".pdf":
            written.append(write_bytes(to.with_suffix(".pdf"), pdf_bytes(pages, title)))
            continue
        for i, page in enumerate(pages):
            name = to.with_suffix(".png") if len(pages) == 1 else to.with_name(f"{to.stem}-{i + 1:02d}.png")
            written.append(write_bytes(name, png_bytes(page)))
    return written


def file_name(text: str) -> str:
    """Return a text as part of a file name on any system: no path, no option of a command, nothing reserved, not too long."""
    name = re.sub(r'([<>:"/\\|?*%$`\s]|\.\.+)+', "_", legible(text)).lstrip("._-+=@~").rstrip("._")[:60].rstrip("._")
    return f"_{name}" if not name or name.split(".")[0].upper() in _DEVICES else name
