"""The atlas: what the whole district shows, then one sheet per community with its map, what it has and lacks, and whom that misses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...core import amount, named_by_homes, refuse_uncleared, renewal_is_shown, told, write_bytes
from ...district import District, place_title
from ...maps import (
    COMPLETENESS,
    GAPS,
    OVERVIEW,
    PARCELS,
    community_scene,
    joined,
    kind_label,
    layer_of,
    number_text,
    percent,
    rule_label,
    scene_for,
    themes,
    wording,
)
from ...report import Story, added_to, analyse, refuse_foreign
from . import carto
from .carto import Column
from .page import SIZES, UNITS, Columns, Frame, Paper, pdf_bytes, png_bytes
from .parcel_sheet import locator, parcel_page
from .sheet import USUAL, check_size, file_name, short_label, theme_pages, title_cells
from .sheet_parts import Format, page_foot, page_head, title_block

ATLAS = "图册.pdf"
_MARGIN, _TOP, _FOOT = 22.0, 92.0, 66.0
#: Where the map ends, as a share of the page.
_MAP = 0.52
_KEY_MAP = (150.0, 176.0)


@told("写图册", 28)
@named_by_homes
def atlas(
    district: District,
    to: str | Path = "output",
    *,
    form: Format = USUAL,
    figures: bool = False,
    preset: str = "plan",
    against: District | None = None,
    progress: Callable[[str], None] | None = None,
) -> list[Path]:
    """
    Write an atlas of many pages as one PDF: present state, completeness, gaps, what is promised, then one sheet per community.

    Parameters
    ----------
    to
        Folder; the atlas is `图册.pdf` in it, pictures are in `figures/`.
    form
        Paper and language; names stay as the data have them.
    figures
        Write every page as a PNG of 300 dots per inch too.
    preset
        "plan", "td1063" or "elderly".
    against
        Another state, which this one is held against (what was there before a plan, another plan); None: none.

    Returns
    -------
    files
        What was written.

    Raises
    ------
    UnknownNameError
        No such size or language.
    EnvironmentProblem
        A file cannot be written, or the typeface is missing.
    """
    check_size(form.size)
    refuse_uncleared(district.manifest, "写出图册")
    t, tell = wording(form.lang), progress or (lambda _: None)
    refuse_foreign(Path(to), (ATLAS,))
    story = Story(analyse(district, preset=preset, progress=tell), against=against)
    pictures: list[str] = []

    def leaves(folder: Path) -> Iterator[Paper]:
        for i, (name, page) in enumerate(_pages(story, form)):
            tell(t["page"].format(n=i + 1) + f" {name}")
            if figures:
                pictures.append(f"figures/{i + 1:02d}-{file_name(name)}.png")
                write_bytes(folder / pictures[-1], png_bytes(page))
            yield page

    with added_to(Path(to)) as folder:
        write_bytes(folder / ATLAS, pdf_bytes(leaves(folder), f"{place_title(district, form.lang)} {t['atlas']}"))
    return [Path(to) / name for name in (ATLAS, *pictures)]


def _pages(story: Story, form: Format) -> Iterator[tuple[str, Paper]]:
    """Yield the pages with their names; a theme's further pages have the number of its first."""
    district, named = story.district, themes(story.district, form.lang)
    with_parcels = layer_of(district, "parcels") is not None and renewal_is_shown(district.manifest)
    fixed = [OVERVIEW, COMPLETENESS, GAPS, *([PARCELS] if with_parcels else [])]
    i, shown = 0, [*fixed, *(goal.rule for goal in story.goals if goal.share.known)]
    for i, what in enumerate(shown, 1):
        own = replace(form, number=f"{i:02d}")
        for page in theme_pages(story, what, own, whole=what == GAPS):
            yield str(named[what]), page
    if district.communities is None or district.homes is None:
        return
    for code, name in district.layers["communities"]["name"].items():
        i += 1
        yield str(name), community_page(story, str(code), replace(form, number=f"{i:02d}"))
    if story.against is not None and district.parcels is not None:
        for parcel, name in district.parcels["name"].items():
            i += 1
            yield str(name), parcel_page(story, str(parcel), replace(form, number=f"{i:02d}"))


# --- the sheet ----------------------------------------------------------------------------------------------------------


def community_page(story: Story, code: str, form: Format) -> Paper:
    """Return a community's sheet: its map with homes coloured by completeness, and tables beside it."""
    district = story.district
    scene = scene_for(district, COMPLETENESS, results=story.analysis, lang=form.lang)
    scene = community_scene(district, code, carto.handed_on(scene, district))
    paper = Paper(*SIZES[form.size], UNITS[form.size])
    page_head(paper, scene.title, scene.badges, [_people_line(story, code, form.lang)])
    frame = Frame(_MARGIN, _TOP, paper.width * _MAP - _MARGIN, paper.height - _TOP - _FOOT)
    inset = Frame(frame.right - _KEY_MAP[0] - 8, frame.bottom - _KEY_MAP[1] - 8, *_KEY_MAP)
    room = (inset.left - 6, inset.top - 6, frame.right, frame.bottom)
    ground = carto.draw_map(paper, frame, scene, keep_free=[room])
    locator(paper, inset, district, district.layers["communities"].loc[[code]].geometry)
    left = frame.right + 16
    column = Column(paper, left, frame.top, paper.width - _MARGIN - left, frame.bottom)
    cells = title_cells(district, scene, ground.denominator, form)
    column.bottom = title_block(paper, column, frame.bottom, cells) - 8
    _promise_table(column, story, code, form.lang)
    _kind_table(column, story, code, form.lang)
    carto.headline_classes(column, scene)
    carto.legend(column, scene, ground.zoom)
    page_foot(paper, frame.bottom, [*scene.foot[2:], scene.evidence])
    return paper


def _people_line(story: Story, code: str, lang: str) -> str:
    t, lives = wording(lang), story.who_lives(code)
    parts = [
        t["n_homes"].format(n=lives["homes"]),
        t["n_people"].format(n=amount(lives["people"]))
        + (t["of_them_unknown"].format(n=lives["unknown"]) if lives["unknown"] else ""),
        t["n_60plus"].format(n=amount(lives["people_60plus"])),
        t["n_area"].format(n=amount(lives["area_km2"], 2)),
        t["code_of"].format(c=code),
    ]
    return "　".join(parts)


def _minutes(value: float, lang: str) -> str:
    return "—" if np.isnan(value) else wording(lang)["unreachable"] if np.isinf(value) else amount(value, 1)


def _promise_table(column: Column, story: Story, code: str, lang: str) -> None:
    t, facts, district = wording(lang), story.promises_in(code), story.district
    labels = [rule_label(district, district.rule(str(name)), lang) for name in facts.index]
    lacking = [label for label, short in zip(labels, facts["short"], strict=True) if short]
    rows, strong = [], {}
    for i, (label, row) in enumerate(zip(labels, facts.itertuples(), strict=True)):
        if np.isnan(row.share):
            state = t["unknown"]
        elif row.metric == "presence":
            state = t["has_n"].format(n=f"{row.places:.0f}") if row.share else t["hasnt"]
        else:
            state = t["share_reached"].format(p=percent(row.share))
        missed = "—" if np.isnan(row.missed) else number_text(row.missed) or ""
        missed = f"{missed}{t['aged']}" if row.counted == "people_60plus" and row.short else missed
        rows.append([label, state, _minutes(row.minutes, lang), missed])
        if row.short:
            strong[(i, 1)] = carto.WARN
    mark = f"　{t['demo_value']}" if district.is_demonstration else ""
    column.text(t["promises_here"] + mark, 14, bold=True)
    head = [t["col_promise"], t["col_here"], t["col_minutes"], t["col_missed_people"]]
    column.table(Columns(head, (250, 120, 80, 140), (2, 3), most_lines=1), rows, strong=strong)
    column.skip(5)
    nothing = t["unknown"] if facts["share"].isna().all() else t["nothing_lacks"]
    said = t["not_kept"].format(w=joined(lacking, lang) if lacking else nothing)
    column.text(said, 12.5, carto.WARN if lacking else carto.INK, bold=bool(lacking), lines=3)
    column.skip(8)


def _kind_table(column: Column, story: Story, code: str, lang: str) -> None:
    """Write the kinds of daily life in tables side by side."""
    t, facts = wording(lang), story.kinds_in(code)
    if facts.empty:
        return
    column.text(t["essential_here"], 14, bold=True)
    rows = [
        [short_label(kind_label(story.district, str(r.Index), lang)), f"{r.places}", _minutes(r.minutes, lang)]
        for r in facts.itertuples()
    ]
    none = {(i, 1): carto.WARN for i, r in enumerate(facts.itertuples()) if r.places == 0}
    strong = {**none, **{(i, 2): carto.WARN for i, r in enumerate(facts.itertuples()) if r.far}}
    head = [t["kind"], t["col_places"], t["min"]]
    column.tables(3, Columns(head, (126, 30, 44), (1, 2), most_lines=1), rows, strong=strong)
    column.skip(10)
