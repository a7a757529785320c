"""Sheets for print: a theme on one A3 or A4 page as PDF and PNG, and an atlas with one sheet per community."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pyproj
import shapely

from ._analysis import rings_of
from ._drawing.scene import Scene, scene_of
from ._drawing.style import wording
from ._printing import carto
from ._printing.carto import Column, Frame
from ._printing.paper import SIZES, UNITS, Paper, cut, legible, pdf_bytes, png_bytes, span, wrap
from .coverage import completeness, coverage, gaps, headlines
from .district import District
from .errors import DataError, EnvironmentProblem, Problem, UnknownNameError, problems_table
from .layers import DEMONSTRATION, LAYERS
from .values import Rule

#: Themes that are not rules.
OVERVIEW, COMPLETENESS, GAPS = "overview", "completeness", "gaps"
#: Fewer people, homes or households than this are not printed on a public sheet.
SMALL = 10
_BORDER_LAYERS = ("district", "zones", "areas", "communities", "grid")
_MARGIN, _HEAD, _FOOT = 22.0, 92.0, 66.0
#: The column beside the map: its least width, the largest share of the page it may have, and what each of two needs.
_COLUMN = {"A3": 410.0, "A4": 356.0}
_MOST = {"A3": 0.46, "A4": 0.5}
_NARROW = 296.0


def themes(district: District) -> pd.Series:
    """
    List what a sheet can show.

    Returns
    -------
    titles
        Index: what to ask `sheet` for ("overview", "completeness", "gaps", the names of the district's rules); values: 图名.
    """
    rules = district.rules
    fixed = {OVERVIEW: "现状总图", COMPLETENESS: "15分钟配套齐全度", GAPS: "规划目标缺口图"}
    return pd.Series({**fixed, **dict(zip(rules.index, rules["label"], strict=True))}, name="title", dtype="str")


def sheet(
    district: District, what: str = OVERVIEW, to: str | Path = "sheet.pdf", *, size: str = "A3", show: str = "minutes",
    public: bool = False, approval: str = "", number: str = "",
) -> list[Path]:  # fmt: skip
    """
    Draw one theme on one landscape page, in the house style of the maps.

    Parameters
    ----------
    what
        "overview" (现状总图), "completeness" (配套齐全度), "gaps" (who misses most of what is promised), or the name of a rule; see
        `themes`.
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

    Returns
    -------
    files
        What was written.

    Raises
    ------
    UnknownNameError
        No such theme, size or way to show it.
    DataError
        `public` with boundaries that are schematic or synthetic.
    EnvironmentProblem
        The file cannot be written, or the typeface is missing.
    """
    _check_size(size)
    if public:
        refuse_public(district)
    page = theme_page(district, what, size=size, show=show, public=public, approval=approval, number=number)
    return _write_pages([page], Path(to), str(themes(district)[what]))


def refuse_public(district: District) -> None:
    """
    Stop a public edition that rests on boundaries nobody surveyed.

    Raises
    ------
    DataError
        With a row per layer of boundaries that is schematic or synthetic.
    """
    found = [
        Problem("error", name, str(district.manifest["layers"].get(name, {}).get("file", "")), "", "basis",
                f"{LAYERS[name].label}是示意或合成的，不能据此出公开版", "换成主管部门的界线，再把 basis 改为 official 或 surveyed")
        for name in _BORDER_LAYERS
        if name in district.layers and district.basis(name).isin(DEMONSTRATION).any()
    ]  # fmt: skip
    if found:
        raise DataError(problems_table(found), district.name)


def _check_size(size: str) -> None:
    if size not in SIZES:
        raise UnknownNameError("图幅", size, list(SIZES))


# --- what a page shows --------------------------------------------------------------------------------------------------


def theme_page(
    district: District, what: str, *, size: str = "A3", show: str = "minutes", public: bool = False, approval: str = "",
    number: str = "", results: Mapping[str, Any] | None = None,
) -> Paper:  # fmt: skip
    """Return one theme as a page; `results` of `_analysis.analyse` spare computing it again. Parameters as in `sheet`."""
    known = themes(district)
    if what not in known.index:
        names = list(known.index)
        close = get_close_matches(what, names, n=1, cutoff=0.5)
        raise UnknownNameError("图（全部：sheet list）", what, names if close else names[:3])
    scene = scene_for(district, what, show=show, results=results)
    if public:
        scene = _for_public(district, scene)
    slots = {"图号": number, **({"审图号": approval or "送审后填写"} if public else {})}
    return _page(district, scene, size, slots)


def scene_for(
    district: District, what: str, *, show: str = "minutes", results: Mapping[str, Any] | None = None
) -> Scene:
    """Return what a theme shows; see `theme_page`."""
    more: dict[str, Any] = {"rule": None, "gaps": None, "values": None, "unit": "", "show": show, "lang": "zh"}
    title = f"{district.name}{themes(district)[what]}"
    if what == OVERVIEW:
        return scene_of(district, None, None, title=title, **more)
    if what == COMPLETENESS:
        table = completeness(district) if results is None else results["completeness"]
        values = table["completeness"] if len(table) else pd.Series(dtype="float64")
        return scene_of(district, None, None, title=title, **{**more, "values": values if len(values) else None})
    if what == GAPS:
        scene = scene_of(district, None, None, title=title, **{**more, "gaps": worst_gaps(district, results)})
        return replace(scene, off=[*scene.off, *(x.id for x in scene.layers if x.id.startswith("k-"))])
    rule = district.rule(what)
    cover = coverage(district, rules=[what]) if results is None else results["cover"]
    missing = _gaps_of(district, cover, rule, results)
    more |= {"rule": what, "gaps": missing}
    return scene_of(district, cover, rings_of(district, rule), title=f"{district.name} · {rule.label}", **more)


def _gaps_of(
    district: District, cover: pd.DataFrame, rule: Rule, results: Mapping[str, Any] | None
) -> gpd.GeoDataFrame | None:
    if results is not None:
        table = results["gap_tables"].get(rule.name)
    else:
        known = len(cover) and headlines(district, cover)["value"].notna().get(rule.name, False)
        table = gaps(district, cover, rule.name) if known else None
    return table if table is not None and len(table) else None


def worst_gaps(district: District, results: Mapping[str, Any] | None = None) -> gpd.GeoDataFrame | None:
    """
    List the homes that miss something promised, each with its largest gap.

    Returns
    -------
    homes
        Index home, most people not served first; as `gaps`, the reason begins with what else is missing. None without any gap.
    """
    cover = coverage(district) if results is None else results["cover"]
    if not len(cover):
        return None
    lead = headlines(district, cover)
    promised = [r for r in lead.index if district.rule(r).confidence == "read" and pd.notna(lead.loc[r, "value"])]
    own = {} if results is None else results["gap_tables"]
    parts = [(own[r] if r in own else gaps(district, cover, r)).assign(lacks=district.rule(r).label) for r in promised]
    parts = [p for p in parts if len(p) and "reason" in p.columns]
    if not parts:
        return None
    every = pd.concat(parts)
    every["n"] = every.groupby(level=0)["lacks"].transform("count")
    every["order"] = range(len(every))
    every = every.sort_values(
        ["unserved", "n", "order"], ascending=[False, False, True], kind="stable", na_position="last"
    )
    worst = every[~every.index.duplicated()]
    more = worst["n"] - 1
    tail = [f"；另有 {n} 项承诺够不着" if n else "" for n in more]
    worst = worst.assign(reason=[f"{w}：{r}{t}" for w, r, t in zip(worst["lacks"], worst["reason"], tail, strict=True)])
    return gpd.GeoDataFrame(worst, geometry="geometry", crs=district.crs)


# --- the page -----------------------------------------------------------------------------------------------------------


def _page(district: District, scene: Scene, size: str, slots: Mapping[str, str]) -> Paper:
    """Lay a scene out on a page: title and marks, map, column with headline, gaps, legend and title block, foot."""
    paper = Paper(*SIZES[size], UNITS[size])
    theme, _ = carto.shown_mode(scene)
    page_head(paper, theme.title if theme else scene.title, scene.badges, theme.lines if theme else scene.lines)
    frame, columns = _split(paper, size, scene.bounds)
    ground = carto.draw_map(paper, frame, scene)
    first, last = columns[0], columns[-1]
    cells = title_cells(district, scene, ground.denominator, size, slots)
    last.bottom = title_block(paper, last, frame.bottom, cells) - 10
    carto.headline(first, scene)
    listed: list[dict[str, str]] = next((layer.extra["list"] for layer in scene.layers if layer.id == "gaps"), [])
    below = 0.0 if first is not last else carto.legend_height(last, scene, ground.zoom)
    done = _gap_table(last, listed, 0, below) if listed else 0
    carto.legend(first, scene, ground.zoom)
    if first is not last and done < len(listed):
        done = _gap_table(first, listed, done, 0.0)
    if done < len(listed):
        (first if first is not last else last).text(
            wording("zh")["more"].format(n=len(listed) - done), 11.5, carto.QUIET
        )
    page_foot(paper, frame.bottom, [*scene.foot[2:], theme.evidence if theme else scene.evidence])
    return paper


def _split(paper: Paper, size: str, bounds: Sequence[float]) -> tuple[Frame, list[Column]]:
    """Return the map's frame and the columns beside it: two where the district is slim and leaves room."""
    west, south, east, north = bounds
    height = paper.height - _HEAD - _FOOT
    whole = paper.width - 2 * _MARGIN - 16
    slim = whole - height * 1.15 * (east - west) / max(north - south, 1.0)
    wide = min(max(slim, _COLUMN[size]), paper.width * _MOST[size])
    frame = Frame(_MARGIN, _HEAD, whole - wide, height)
    left = frame.right + 16
    if wide < 2 * _NARROW + 16:
        return frame, [Column(paper, left, frame.top, wide, frame.bottom)]
    half = (wide - 16) / 2
    return frame, [Column(paper, x, frame.top, half, frame.bottom) for x in (left, left + half + 16)]


def page_head(paper: Paper, title: str, badges: Sequence[tuple[str, str]], lines: Sequence[str]) -> None:
    """Write title, marks, and how the numbers were made."""
    left = paper.width - _MARGIN - sum(span(words, 14) + 28 for _, words in badges) + 10
    paper.words(_MARGIN, 34, cut(title, 27, left - _MARGIN - 10), 27, carto.INK, bold=True)
    for kind, words in badges:
        wide, dark = span(words, 14) + 18, kind == "demo"
        paper.rectangle(left, 20, wide, 26, fill=carto.MARK if dark else "", line=carto.MARK)
        paper.words(left + wide / 2, 33, words, 14, "#ffffff" if dark else carto.MARK, "middle", bold=True)
        left += wide + 10
    paper.words(_MARGIN, 67, cut("　".join(lines), 14, paper.width - 2 * _MARGIN), 14, carto.QUIET)
    edge = shapely.LineString([(_MARGIN, 82), (paper.width - _MARGIN, 82)])
    paper.lines([edge], carto.MARK, 2.5, flat=True)


def _gap_table(column: Column, listed: Sequence[Mapping[str, str]], start: int, below: float) -> int:
    """Write who misses out from place `start` on, as many as the column has room for above `below`; return the next place."""
    bottom = column.bottom
    column.bottom = bottom - below - 24
    if column.room() < 90:
        column.bottom = bottom
        return start
    column.text(wording("zh")["gaps"] + ("" if start == 0 else "（续）"), 14, bold=True)
    rows = [[str(start + i + 1), g["name"], g["people"], g["why"]] for i, g in enumerate(listed[start:])]
    head, shares = ["序", "小区", "不可达", "社区 · 原因"], (30, 90, 58, 196)
    done = column.table(head, rows, shares, numbers=(0, 2), size=11, most_lines=7)
    column.bottom = bottom
    column.y += 5
    return start + done


def title_cells(
    district: District, scene: Scene, denominator: float, size: str, slots: Mapping[str, str]
) -> list[tuple[str, str]]:
    """Return 图签: what the drawing is, who made it, of when, and how its numbers were made."""
    theme, _ = carto.shown_mode(scene)
    crs = pyproj.CRS.from_user_input(district.crs)
    cells = [
        ("图名", theme.title if theme else scene.title),
        ("制图单位", str(district.manifest.get("made_by") or "未填（清单 made_by）")),
        ("数据日期", scene.foot[0]),
        ("坐标系", f"{crs.name}（{district.crs}）"),
        ("比例尺", f"1:{denominator:,.0f}（{size}）"),
    ]
    for line in theme.lines if theme else []:
        label, _, value = line.partition(" ")
        cells.append((label, value) if value else ("依据", label))
    return cells + [(k, v) for k, v in slots.items() if v]


def title_block(paper: Paper, column: Column, bottom: float, cells: Sequence[tuple[str, str]]) -> float:
    """Draw 图签 at the foot of a column, in two halves where it is wide; return where it begins."""
    n = 2 if column.width > 500 else 1
    each = -(-len(cells) // n)
    parts = [cells[i : i + each] for i in range(0, len(cells), each)]
    wide = column.width / len(parts)
    height = max(sum(_cell_height(value, wide) for _, value in part) for part in parts)
    for i, part in enumerate(parts):
        _title_part(paper, column.left + i * wide, bottom - height, wide, height, part)
    return bottom - height


def _cell_height(value: str, width: float) -> float:
    return 5 + 15 * min(len(wrap(value, 11.5, width - 84)), 2)


def _title_part(
    paper: Paper, left: float, top: float, width: float, height: float, cells: Sequence[tuple[str, str]]
) -> None:
    edges, y = [], top
    more = (height - sum(_cell_height(value, width) for _, value in cells)) / len(cells)
    paper.rectangle(left, top, 70, height, fill="#efeae0")
    for label, value in cells:
        lines = wrap(value, 11.5, width - 84)
        lines = lines if len(lines) <= 2 else [lines[0], cut("".join(lines[1:]), 11.5, width - 84)]
        own = _cell_height(value, width) + more
        paper.words(left + 35, y + own / 2, label, 11.5, carto.QUIET, "middle")
        for i, line in enumerate(lines):
            paper.words(left + 77, y + own / 2 + 15 * (i - (len(lines) - 1) / 2), line, 11.5, carto.INK)
        y += own
        edges.append(shapely.LineString([(left, y), (left + width, y)]))
    paper.lines(edges[:-1], "#b8b0a4", 0.7)
    paper.rectangle(left, top, width, height, line="#555555")


def page_foot(paper: Paper, bottom: float, lines: Sequence[str]) -> None:
    """Write sources and what the page rests on."""
    y = bottom + 14
    for line in wrap("　".join(lines), 11.5, paper.width - 2 * _MARGIN)[:3]:
        paper.words(_MARGIN, y, line, 11.5, carto.QUIET)
        y += 16


def map_png(scene: Scene, width_mm: float, height_mm: float, *, units: float = 900.0, dpi: int = 200) -> bytes:
    """Return the map alone, with scale bar and north arrow, as a PNG for a slide or a document."""
    paper = Paper(width_mm, height_mm, units)
    carto.draw_map(paper, Frame(1, 1, paper.width - 2, paper.height - 2), scene)
    return png_bytes(paper, dpi)


# --- for the public -----------------------------------------------------------------------------------------------------

_COUNT = re.compile(r"(?<![\d,.])[1-9](?= ?(?:人|个小区|户))|(?<=小区 )[1-9](?= 个)")


def without_small_numbers(text: str) -> str:
    """Return a text in which counts of people, homes and households under 10 are not told."""
    return _COUNT.sub(f"少于{SMALL}", text)


def _for_public(district: District, scene: Scene) -> Scene:
    """Return a scene fit to be shown outside: no administrative boundaries, no small numbers, marked as not yet approved."""
    scene = carto.without_borders(_on_homes(district, scene))
    hush = without_small_numbers
    themes_ = []
    for theme in scene.themes:
        modes = [replace(m, texts=[hush(x) for x in m.texts]) for m in theme.modes]
        facts = [{k: hush(v) for k, v in fact.items()} for fact in theme.facts]
        themes_.append(replace(theme, modes=modes, facts=facts, notes=[hush(n) for n in theme.notes]))
    layers = []
    for layer in scene.layers:
        listed = [{k: hush(v) for k, v in gap.items()} for gap in layer.extra.get("list", ())]
        layers.append(replace(layer, extra={**layer.extra, "list": listed}) if listed else layer)
    badges = [b for b in scene.badges if b[0] == "demo"] + [("", wording("zh")["public"])]
    lines = [hush(line) for line in scene.lines]
    return replace(scene, themes=themes_, layers=layers, badges=badges, lines=lines)


def _on_homes(district: District, scene: Scene) -> Scene:
    """Return a scene whose communities are shown by the colour of their homes: areas would show where they end."""
    theme, mode = carto.shown_mode(scene)
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


def _write_pages(pages: Sequence[Paper], to: Path, title: str) -> list[Path]:
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


def write_bytes(path: Path, content: bytes) -> Path:
    """Write beside and swap in, so that a failure leaves an earlier file as it was."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
            os.chmod(beside, 0o644)
            os.replace(beside, path)
        except BaseException:
            Path(beside).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise EnvironmentProblem(
            f"写不了 {path.name}：{error.strerror or error}；如果正在别的程序里打开，请先关闭"
        ) from error
    return path


def file_name(text: str) -> str:
    """Return a text as part of a file name on any system."""
    return re.sub(r'[<>:"/\\|?*\s]+', "_", legible(text)).strip("._") or "_"
