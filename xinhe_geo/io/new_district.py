"""
A district folder from nothing: a boundary, homes and facilities of one's own on the streets of an extract.

Nothing is assumed: what nobody has said of a file (what it rests on, of which day it is) stays unsaid in the folder, and rows
that cannot be told are listed in it, to be brought in later by `add`. A folder appears whole or not at all.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyogrio
import pyproj

from ..core import (
    BASES,
    LAYERS,
    ON_THE_WAY,
    UNSTATED,
    SourceError,
    XinheError,
    cannot_write,
    csv_text,
    did_you_mean,
    in_short,
    plane_of,
    read_toml,
    read_whole,
    say,
    write_bytes,
    write_text,
)
from ..district import MANIFEST, District, beside, exchange
from .add import Coordinates, Request, checked_words, plan_import, unconfirmed
from .new_folder import may_write, seal, write_manifest
from .osm_import import boundary_box, import_osm, without_given
from .row_report import tally

#: In place of a file with streets: they are downloaded.
FETCH = "fetch"
#: The parts of a district that files are named for, and how a recipe calls them; streets there must be.
PARTS = {"streets": "道路", "boundary": "街道界", "homes": "居住点", "facilities": "设施"}
#: Those that are taken row by row, as `add` takes them.
_ADDED = ("homes", "facilities")


@dataclass(frozen=True)
class Part:
    """A file of a district, and what somebody says of it; what nobody says stays unknown."""

    file: Path
    basis: str = UNSTATED
    date: str = ""
    crs: str = ""  # of its coordinates, where rows are added
    checked: str = ""  # how somebody made sure of its datum
    sheet: str = ""


@dataclass(frozen=True)
class Recipe:
    """What a district is made of."""

    name: str
    streets: Part
    code: str = ""
    crs: str = ""
    boundary: Part | None = None
    homes: Part | None = None
    facilities: Part | None = None


class Made(NamedTuple):
    """What was taken from the extract (as `import_osm`), and what became of each row of the files that were added."""

    taken: pd.DataFrame
    rows: Mapping[str, pd.DataFrame]


# --- the recipe ------------------------------------------------------------------------------------------------------


def read_said(path: Path) -> dict[str, Any]:
    """Return what a recipe (TOML) says; its files lie where it lies."""
    try:
        said = read_toml(path)
    except SourceError:
        raise
    except OSError as error:
        raise SourceError(say("{0} 打不开。检查路径；写法见 new --help", path.name)) from error
    except ValueError as error:
        raise SourceError(say("{0} 读不懂：{1}", path.name, error)) from error
    for part in PARTS:
        own = said.get(part)
        if isinstance(own, str):
            own = said[part] = {"file": own}
        if isinstance(own, dict) and isinstance(own.get("file"), str) and (part, own["file"]) != ("streets", FETCH):
            own["file"] = str(path.parent / own["file"])
    return said


def recipe_of(said: Mapping[str, Any]) -> Recipe:
    """
    Return what is said of a new district as a recipe.

    Parameters
    ----------
    said
        `name`, `code`, `crs` (texts), and for each of `PARTS` a table with `file` and what else a `Part` has.

    Raises
    ------
    SourceError
        All that is wrong or missing, at once.
    """
    wrong = list(_faults(said))
    if wrong:
        raise SourceError(
            say("新街道的说明里有 {0} 处要改：\n{1}", len(wrong), in_short([f"  {text}" for text in wrong]))
        )
    parts = {part: Part(Path(said[part]["file"]), **_rest(said[part])) for part in PARTS if said.get(part)}
    return Recipe(str(said["name"]).strip(), code=str(said.get("code", "")), crs=str(said.get("crs", "")), **parts)


def _rest(entry: Mapping[str, Any]) -> dict[str, str]:
    return {key: str(value).strip() for key, value in entry.items() if key != "file"}


def _faults(said: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with a recipe, and what to do."""
    known = [*(field.name for field in fields(Recipe))]
    for key in said:
        if key not in known:
            yield say("{0}：不认识的项。{1}", key, did_you_mean(key, known))
    if not str(said.get("name", "")).strip():
        yield say("name：没有写街道名称。写 --name …街道")
    for part, label in PARTS.items():
        entry = said.get(part)
        if not entry:
            if part == "streets":
                yield say(
                    "streets：没有{0}。写 --streets 后面跟 OSM 提取文件（.osm.pbf）或街道线文件，或 {1}（联网下载）",
                    say(label),
                    FETCH,
                )
            continue
        if not isinstance(entry, Mapping) or not isinstance(entry.get("file"), str) or not entry["file"].strip():
            yield say("{0}：没有写{1}的文件。写 --{0} 文件", part, say(label))
            continue
        yield from _part_faults(part, label, entry)


def _part_faults(part: str, label: str, entry: Mapping[str, Any]) -> Iterator[str]:
    own = [field.name for field in fields(Part)]
    for key in entry:
        if key not in own:
            yield say("{0}.{1}：不认识的项。{2}", part, key, did_you_mean(key, own))
    if not os.path.exists(entry["file"]):
        yield say("{0}.file：{1}文件不存在：{2}。检查路径", part, say(label), Path(entry["file"]).name)
    basis = str(entry.get("basis", UNSTATED)).strip()
    if basis not in BASES:
        yield say("{0}.basis：没有“{1}”这种依据。可选：{2}；不知道就不写", part, basis, say("、").join(BASES))
    day = str(entry.get("date", "")).strip()
    try:
        day and date.fromisoformat(day)
    except ValueError:
        yield say("{0}.date：{1} 不是日期。写成 2026-11-01；不知道就不写", part, day)


# --- the folder ------------------------------------------------------------------------------------------------------


def new_district(
    folder: str | Path, recipe: Recipe, *, overwrite: bool = False, progress: Callable[[str], object] | None = None
) -> Made:
    """
    Make a district folder that `report` takes.

    Parameters
    ----------
    folder
        The folder to make: new, empty, or (with `overwrite`) made before and untouched since.
    recipe
        The files it is made of, and what is said of each: `xinhe_geo.io.recipe_of({"name": "…", "boundary": {"file": "…"},
        "homes": {"file": "…", "crs": "…"}, "streets": {"file": "…"}})`. Homes of one's own take the place of those of the map; facilities
        of one's own are held against those of the map, so that nothing is there twice.
    overwrite
        Replace what an earlier run has made.
    progress
        Called with the name of each step.

    Returns
    -------
    Made
        `rows[layer]` is a report as `add` returns it; it lies in the folder as `import/LAYER.csv` too. Rows that are refused
        or unclear are not in the folder.

    Raises
    ------
    SourceError
        As `import_osm` and `add`. Nothing is left behind, and an old folder is untouched.
    """
    target, tell = Path(folder).resolve(), progress or (lambda _: None)
    may_write(target, overwrite, tell)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with beside(target) as fresh:
            made = _fill(fresh, recipe, tell)
            exchange(fresh, target)
    except (OSError, pyogrio.errors.DataSourceError) as error:
        if isinstance(error, XinheError):
            raise
        raise cannot_write(target.name, error) from error
    return made


def _fill(fresh: Path, recipe: Recipe, tell: Callable[[str], object]) -> Made:
    own = {part: entry for part in PARTS if (entry := getattr(recipe, part)) is not None}
    crs: pyproj.CRS | str | None = recipe.crs or None
    if recipe.boundary is not None and crs is None:
        crs = plane_of(*boundary_box(recipe.boundary.file))
    taken = import_osm(
        recipe.streets.file,
        fresh,
        boundary=None if recipe.boundary is None else recipe.boundary.file,
        name=recipe.name,
        code=recipe.code or recipe.name,
        crs=crs,
        map_homes=recipe.homes is None,
        basis=recipe.streets.basis,
        progress=tell,
    )
    head, layers = _manifest(fresh)
    taken = pd.concat([_said_of_crs(pyproj.CRS(head["crs"]), chosen=not recipe.crs, columns=taken.columns), taken])
    if len(own) > 1:
        head["secrecy"] = "internal"  # what an office brings is for the office, until it says otherwise
    if recipe.boundary is not None:
        layers["district"] |= {"basis": recipe.boundary.basis}
        _date(layers["district"], recipe.boundary)
    if layers["streets"]["basis"] != "osm":
        _date(layers["streets"], recipe.streets)
    said = [int(part.date[:4]) for name, part in own.items() if part.date and name != "streets"]
    if said:  # before rows are added, which are counted as they stand in that year
        head["data_year"] = max(said)
    write_manifest(fresh, head, layers)
    rows: dict[str, pd.DataFrame] = {}
    for layer in _ADDED:
        if layer in own:
            tell(say(PARTS[layer]))
            rows[layer] = _added(own[layer], fresh, layer)
            write_text(fresh / "import" / f"{layer}.csv", csv_text(rows[layer], index=False), mark=True)
    _settle_layers(fresh, own, new=[layer for layer in rows if layer not in layers])
    made = District.load(fresh)
    if "facilities" in rows:
        taken = without_given(taken, set(made.rows["facilities"]["kind"]))
    seal(fresh, taken)
    return Made(taken, rows)


def _said_of_crs(crs: pyproj.CRS, *, chosen: bool, columns: pd.Index) -> pd.DataFrame:
    """Return the line of the report that says which coordinate system is computed in, and why."""
    why = (
        say("按 --crs")
        if not chosen
        else say("这里有国家的投影带，与测绘成果一致")
        if crs.to_authority()
        else say("这里没有国家的投影带，取当地横轴墨卡托")
    )
    index = pd.Index(["district"], name="layer")
    return pd.DataFrame([(say("坐标系"), 0, 0, say("{0}：{1}", crs.name, why), "")], columns=columns, index=index)


def _manifest(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    whole = tomllib.loads(read_whole(folder / MANIFEST, folder).decode("utf-8-sig"))
    return {k: v for k, v in whole.items() if k != "layers"}, whole["layers"]


def _date(entry: dict[str, Any], part: Part) -> None:
    """Write of which day a layer is, where somebody has said; the day of the extract is not that of another file."""
    entry.pop("date", None)
    if part.date:
        entry["date"] = part.date


def _settle_layers(folder: Path, own: Mapping[str, Part], new: list[str]) -> None:
    """Write the days of layers that came with a file of their own, and which layers there are none of."""
    head, layers = _manifest(folder)
    for layer in new:
        _date(layers[layer], own[layer])
    head["without"] = [layer for layer in ON_THE_WAY if layer not in layers]
    write_manifest(folder, head, layers)


def _added(part: Part, folder: Path, layer: str) -> pd.DataFrame:
    """Bring the rows of a file into a layer of the folder that is being made; return what became of each."""
    request = Request(
        Coordinates(part.crs or None, checked=checked_words(part.checked)), part.basis, sheet=part.sheet or None
    )
    try:
        found = plan_import(part.file, folder, LAYERS[layer], request)
        if found.files and not found.proven:
            raise unconfirmed(part.file.name, found.report)
    except SourceError as error:
        hint = say("（在 new 里写成 --set {0}.crs=…、--set {0}.checked=…、--set {0}.sheet=…）", layer)
        raise SourceError(say("{0}：{1}{2}", say(PARTS[layer]), error, hint), error.residuals, error.page) from error
    for name, content in found.files.items():
        write_bytes(folder / name, content)
    return found.report


def asked(rows: pd.DataFrame) -> int:
    """Return how many rows of a file did not come in and wait for an answer."""
    counts = tally(rows)
    return counts["refused"] + counts["unclear"]
