"""核查表: what to look at on the ground, on A4 pages with a sketch map, in a workbook and in a GeoPackage for the telephone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from ...access import facts_in_doubt, worth_checking
from ...core import amount, checked_count, named_by_homes, path_given, refuse_uncleared, write_bytes
from ...district import District, kind_name, must_be_district, place_title
from ...io import BY, FOUND, ON, REMARK, SHEETS, SurveyRow, heads_of, survey_book
from ...maps import Scene, ground_scene, promised_rules
from ...report import Analysis, added_to, write_layers
from . import carto
from .page import SIZES, UNITS, Frame, Lettering, Look, Paper, cut, pdf_bytes, span
from .sheet_parts import MARGIN, page_foot, page_head

TITLE = "核查表"
FORM_FILES = (f"{TITLE}.pdf", f"{TITLE}.xlsx", f"{TITLE}.gpkg")
#: What lies in no community, and what all lies in where there are none.
_ELSEWHERE, _EVERYWHERE = "各社区以外", "全部"
_TOP, _FOOT, _MAP = 92.0, 58.0, 0.355
#: A line to write on by hand: how high, how large its letters, and how long its blanks are at least.
_LINE, _TYPE, _BLANK = 30.0, 13.0, 74.0
_WIDER = {"开放时段": 150.0, "服务社区": 150.0, REMARK: 90.0}
#: A map of few places shows at least so much ground, metres, and leaves so much around.
_LEAST_M, _AROUND_M = 500.0, 90.0
_DOT = 9.5
#: A crossing counts for who lives as near as this.
_NEAR_M = 300.0
_SKETCH = "示意图：位置以现场为准"
_PRIVATE = "写工号，不写姓名；不拍人脸和车牌，不记行走轨迹。看不成的勾“未能核实”，不要猜。"


@named_by_homes
def survey(
    district: District,
    to: str | Path = "output",
    *,
    facts: Sequence[str] | None = None,
    most: int = 40,
    crossings: int = 6,
) -> pd.DataFrame:
    """
    Write the forms of a survey on the ground: pages to print, a workbook to type into, and a GeoPackage for the telephone.

    Parameters
    ----------
    district
        What `District.load` opened; it stays as it was.
    to
        A folder: `核查表.pdf` (A4, by community), `核查表.xlsx` and `核查表.gpkg` come into it.
    facts
        Facts in doubt ("gates:H01-G1:gate"), those that matter most first; by default those that are worth checking first for what
        is promised (`xinhe_geo.access.worth_checking`).
    most
        How many gates and facilities at most.
    crossings
        How many crossings at most: those near most people whose wait nobody has measured.

    Returns
    -------
    places
        Index number (as on paper); columns `layer`, `id`, `name`, `group` (the community). Empty, and no file, where there is
        nothing to check.

    Raises
    ------
    ValueError
        Less than one place.
    EnvironmentProblem
        A file cannot be written, or the typeface is missing.
    """
    must_be_district(district)
    checked_count(most, "most（核查表列几处）")
    checked_count(crossings, "crossings（过街几处）", 0)
    path_given(to, "to ")
    refuse_uncleared(district.manifest, "写出核查表")
    places = _chosen(district, facts, most, crossings)
    rows = [place.row for place in places]
    names = [] if district.communities is None else district.communities["name"].dropna().astype(str).tolist()
    title = f"{place_title(district)} {TITLE}"
    with added_to(Path(to)) as folder:
        if places:
            pages, book, layers = FORM_FILES
            write_bytes(folder / book, survey_book(title, rows, names))
            write_bytes(folder / pages, pdf_bytes(_pages(district, places), title))
            own = _layers(district, places)
            write_layers(folder / layers, own, district.year, {head: head for frame in own.values() for head in frame})
    told = [(row.number, row.layer, row.id, row.name, row.group) for row in rows]
    return pd.DataFrame(told, columns=["number", "layer", "id", "name", "group"]).set_index("number")


# --- what to look at --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Place:
    """A place on a form, and where it lies."""

    row: SurveyRow
    shape: shapely.Geometry


def _chosen(district: District, facts: Sequence[str] | None, most: int, crossings: int) -> list[_Place]:
    """Return the places that are looked at, community by community, from north to south, with their numbers."""
    asked = _worth(district, most) if facts is None else facts
    ids = dict.fromkeys(_place_of(fact) for fact in asked)
    wanted = [(layer, key) for layer, key in ids if layer in SHEETS and key in district.layers[layer].index][:most]
    own = facts_in_doubt(district)
    ways = dict.fromkeys([*own["id"][(own["layer"] == "streets").to_numpy()], *_crossings(district)])
    wanted += [("streets", key) for key in list(ways)[:crossings] if ("streets", key) not in wanted]
    if not wanted:
        return []
    shapes = [district.layers[layer].geometry.loc[key] for layer, key in wanted]
    spots = gpd.GeoDataFrame(geometry=shapely.point_on_surface(np.array(shapes, dtype=object)), crs=district.crs)
    groups = _groups(district, spots)
    north = spots.geometry.y.to_numpy()
    order = sorted(range(len(wanted)), key=lambda i: (groups[i] == _ELSEWHERE, groups[i], -north[i], wanted[i]))
    return [
        _Place(SurveyRow(*wanted[i], number, groups[i], *_told(district, *wanted[i])), shapes[i])
        for number, i in enumerate(order, 1)
    ]


def _place_of(fact: str) -> tuple[str, str]:
    """Return layer and id of a fact, "layer:id:what"; an id may have colons of its own."""
    layer, _, rest = fact.partition(":")
    return layer, rest.rpartition(":")[0]


def _worth(district: District, most: int) -> list[str]:
    """Return the facts in doubt that would make what is promised firmest; where none would, those that are about most people."""
    if facts_in_doubt(district).empty:
        return []
    # a place may be asked about for two facts
    found = worth_checking(district, promised_rules(district, Analysis.of(district)), most=2 * most)
    return found.index.tolist() or _by_people(district)


def _by_people(district: District) -> list[str]:
    """Return the facts in doubt of gates and facilities, those first that are about most people."""
    facts, homes = facts_in_doubt(district), district.homes
    facts = facts[facts["layer"].isin(["gates", "facilities"]).to_numpy()]
    about = pd.Series(0.0, index=facts.index)
    if homes is not None and len(facts):
        people = homes["people"].fillna(0.0).to_numpy(dtype=float)
        tree = shapely.STRtree(shapely.point_on_surface(homes.geometry.array))
        shapes = [
            district.layers[layer].geometry.loc[key] for layer, key in zip(facts["layer"], facts["id"], strict=True)
        ]
        near = tree.query(shapely.point_on_surface(np.array(shapes, dtype=object)), "dwithin", distance=_NEAR_M)
        about = pd.Series(np.bincount(near[0], people[near[1]], minlength=len(facts)), index=facts.index)
    return about.sort_values(ascending=False, kind="stable").index.tolist()


def _crossings(district: District) -> list[str]:
    """Return the crossings whose wait nobody has measured, those first that are near most people."""
    streets, homes = district.layers.get("streets"), district.homes
    if streets is None:
        return []
    own = streets[((streets["wait_s"] > 0) & streets["checked_by"].isna()).to_numpy()]
    if homes is None or own.empty:
        return [str(key) for key in own.index]
    people = homes["people"].fillna(0.0).to_numpy(dtype=float)
    tree = shapely.STRtree(shapely.point_on_surface(homes.geometry.array))
    near = tree.query(own.geometry.array, "dwithin", distance=_NEAR_M)
    about = pd.Series(np.bincount(near[0], people[near[1]], minlength=len(own)), index=own.index.astype(str))
    return about.sort_values(ascending=False, kind="stable").index.tolist()


def _groups(district: District, spots: gpd.GeoDataFrame) -> list[str]:
    communities = district.communities
    if communities is None:
        return [_EVERYWHERE] * len(spots)
    names = communities["name"].fillna(pd.Series(communities.index, index=communities.index))
    found = district.locate(spots)["community"].map(names)
    return found.fillna(_ELSEWHERE).astype(str).tolist()


def _told(district: District, layer: str, key: str) -> tuple[str, str]:
    """Return what a place is called, and what else helps to find it."""
    row = district.layers[layer].loc[key]
    name = row["name"] if isinstance(row["name"], str) else ""
    if layer == "gates":
        homes = district.homes
        home = homes["name"].get(row["home"]) if homes is not None else None
        return name, home if isinstance(home, str) else str(row["home"])
    if layer == "facilities":
        kind = kind_name(district, str(row["kind"]))
        size = "" if pd.isna(row["capacity"]) else f"，规模 {amount(row['capacity'])} {row['capacity_unit']}"
        return name, kind + size
    steps = "现按有台阶" if row["steps"] is True or row["steps"] == 1 else "现按没有台阶"
    return name, steps if pd.isna(row["wait_s"]) else f"{steps}，等 {amount(row['wait_s'])} 秒"


# --- for the telephone ------------------------------------------------------------------------------------------------


def _layers(district: District, places: Sequence[_Place]) -> dict[str, gpd.GeoDataFrame]:
    """Return the sheets of the workbook as layers: every field is plain text, so that any program can fill it in."""
    found = {}
    for layer, sheet in SHEETS.items():
        own = [place for place in places if place.row.layer == layer]
        if own:
            heads = heads_of(layer)
            cells = [[str(cell) for cell in place.row.cells()] for place in own]
            table = pd.DataFrame(cells, columns=heads[: len(cells[0])]).reindex(columns=heads).astype("object")
            shapes = [place.shape for place in own]
            frame = gpd.GeoDataFrame(table.where(table.notna(), None), geometry=shapes, crs=district.crs)
            found[sheet.name] = frame.set_index(heads[0])
    return found


# --- on paper ---------------------------------------------------------------------------------------------------------


def _pages(district: District, places: Sequence[_Place]) -> Iterator[Paper]:
    """Yield the pages: a community begins a new one, and has as many as it needs."""
    scene = carto.handed_on(ground_scene(district), district)
    for group in dict.fromkeys(place.row.group for place in places):
        parts = list(_parts([place for place in places if place.row.group == group]))
        for number, part in enumerate(parts, 1):
            which = f"（{number}/{len(parts)}）" if len(parts) > 1 else ""
            yield _page(replace(scene, title=f"{place_title(district)} {TITLE} · {group}{which}"), part)


def _parts(places: Sequence[_Place]) -> Iterator[list[_Place]]:
    """Yield places as a page has room for them."""
    part: list[_Place] = []
    used, (_, high) = 0.0, _size()
    for place in places:
        need = _height(place)
        if part and used + need > high - _TOP - _FOOT:
            yield part
            part, used = [], 0.0
        part.append(place)
        used += need
    yield part


def _size() -> tuple[float, float]:
    wide, high = SIZES["A4"]
    return UNITS["A4"], UNITS["A4"] * high / wide


def _page(scene: Scene, places: Sequence[_Place]) -> Paper:
    paper = Paper(*SIZES["A4"], UNITS["A4"])
    page_head(
        paper,
        scene.title,
        scene.badges,
        [f"{BY} ＿＿＿＿＿＿＿＿　{ON} ＿＿＿＿＿＿＿＿　（一页一人一天；填好后抄进 {FORM_FILES[1]} 的黄色各列）"],
    )
    frame = Frame(MARGIN, _TOP, paper.width * _MAP - MARGIN, paper.height - _TOP - _FOOT)
    _map(paper, frame, replace(scene, bounds=_bounds(places)), places)
    left, top = frame.right + 14, _TOP
    for place in places:
        height = _height(place)
        _card(paper, Frame(left, top, paper.width - MARGIN - left, height - 6), place)
        top += height
    page_foot(paper, frame.bottom, [_PRIVATE, *scene.foot[2:]])
    return paper


def _bounds(places: Sequence[_Place]) -> tuple[float, float, float, float]:
    west, south, east, north = shapely.total_bounds(np.array([place.shape for place in places], dtype=object))
    x, y = (max((_LEAST_M - far) / 2, _AROUND_M) for far in (east - west, north - south))
    return float(west - x), float(south - y), float(east + x), float(north + y)


def _map(paper: Paper, frame: Frame, scene: Scene, places: Sequence[_Place]) -> None:
    """Draw the ground, and the numbers of the places; one that has no room at its place is led to it by a line."""
    mark = Frame(frame.left + 6, frame.top + 6, span(_SKETCH, 14) + 20, 26)
    ground = carto.draw_map(paper, frame, scene, keep_free=[(mark.left, mark.top, mark.right, mark.bottom)])
    points = shapely.point_on_surface(np.array([place.shape for place in places], dtype=object))
    put: list[tuple[float, float]] = []
    with paper.inside(frame):
        for place, (x, y) in zip(places, ground.on_page(shapely.get_coordinates(points)), strict=True):
            at = _room(x, y, put)
            put.append(at)
            paper.lines([shapely.LineString([(x, y), at])], carto.MARK, 1.4)
            paper.circle(*at, _DOT, Look(carto.MARK, "#ffffff", 1.2))
            paper.words(*at, str(place.row.number), Lettering(11.5, "#ffffff", "middle", bold=True))
    paper.rectangle(mark, fill="#ffffff", line=carto.MARK)
    paper.words(mark.left + 10, mark.top + 13, _SKETCH, Lettering(14, carto.MARK, bold=True))


def _room(x: float, y: float, others: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return where a number lies on no other: at its place, or in rings around it."""
    step = 2.1 * _DOT
    rings = [(x, y)] + [
        (x + ring * step * float(np.cos(turn)), y + ring * step * float(np.sin(turn)))
        for ring in range(1, 7)
        for turn in np.arange(6 * ring) * np.pi / (3 * ring)
    ]
    free = (at for at in rings if all(np.hypot(at[0] - a, at[1] - b) >= 2 * _DOT for a, b in others))
    return next(free, (x, y))


@dataclass(frozen=True)
class _Field:
    """A question on paper: its words, and the boxes to tick or the length of the line to write on."""

    head: str
    choices: Sequence[str]

    @property
    def text(self) -> str:
        """What is printed of it before a line to write on."""
        return "　".join([self.head, *(f"□{choice}" for choice in self.choices)])

    @property
    def blank(self) -> float:
        """How long a line to write on it has."""
        return 0.0 if self.choices else _WIDER.get(self.head, _BLANK)

    @property
    def width(self) -> float:
        """How much room it takes."""
        return span(self.text, _TYPE) + (self.blank + 6 if self.blank else 0.0) + 22


def _fields(place: _Place) -> list[list[_Field]]:
    """Return the questions about a place, line by line as they fit."""
    room = _size()[0] * (1 - _MAP) - MARGIN - 14 - 20
    lines: list[list[_Field]] = [[]]
    for head, choices in [*SHEETS[place.row.layer].asked.items(), (REMARK, ())]:
        field = _Field("" if head == FOUND else head, choices)
        if lines[-1] and sum(f.width for f in lines[-1]) + field.width > room:
            lines.append([])
        lines[-1].append(field)
    return lines


def _height(place: _Place) -> float:
    return 26 + _LINE * len(_fields(place)) + 10


def _card(paper: Paper, frame: Frame, place: _Place) -> None:
    """Draw a place: its number and what it is, and its questions to be answered by hand."""
    row = place.row
    paper.rectangle(frame, line="#8a8178")
    paper.rectangle(Frame(frame.left, frame.top, frame.width, 24), fill="#efeae0")
    paper.circle(frame.left + 15, frame.top + 12, _DOT, Look(carto.MARK))
    paper.words(frame.left + 15, frame.top + 12, str(row.number), Lettering(11.5, "#ffffff", "middle", bold=True))
    kind = SHEETS[row.layer].name
    key = cut(row.id, 11.5, 150)
    said = cut(
        "　".join(part for part in (kind, row.about, row.name) if part), 13.5, frame.width - 50 - span(key, 11.5)
    )
    paper.words(frame.left + 31, frame.top + 12, said, Lettering(13.5, carto.INK, bold=True))
    paper.words(frame.right - 8, frame.top + 12, key, Lettering(11.5, carto.QUIET, "end"))
    y = frame.top + 26 + _LINE / 2
    for line in _fields(place):
        x = frame.left + 10
        for field in line:
            text = field.text.strip("　")
            paper.words(x, y, text, Lettering(_TYPE, carto.INK))
            if field.blank:
                start = x + span(text, _TYPE) + 6
                end = frame.right - 10 if field.head == REMARK else start + field.blank
                rule = shapely.LineString([(start, y + 9), (end, y + 9)])
                paper.lines([rule], "#626a72", 0.8, flat=True)
            x += field.width
        y += _LINE
