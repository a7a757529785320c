"""Reads a district folder: manifest, layers and tables, each judged once, every problem reported at once."""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj

from ..core import (
    BASES,
    INTERNAL,
    LAYERS,
    NAMELESS,
    ON_THE_WAY,
    SCHEMA_VERSION,
    SCHEMAS,
    EnvironmentProblem,
    Layer,
    Problem,
    SourceError,
    apart,
    as_read,
    bundled_folder,
    check_rows,
    crs_of,
    did_you_mean,
    guarded_problems,
    language,
    layer_name,
    levels_of,
    listed,
    opened,
    os_words,
    path_given,
    problems_table,
    read_layer,
    read_toml,
    reading,
    refused,
    rows_above,
    say,
    secrecy_problems,
    stretch_over,
)
from .beside import put_back
from .doubles import bare_name, doubled, plain_name
from .journal import HISTORY, MANIFEST, SEAL, unfinished
from .odd_figures import odd_figures
from .parcel_facts import ledger_problems
from .project_facts import project_problems
from .seal import broken, is_own, is_vouched

#: West, south, east, north in degrees.
Box: TypeAlias = tuple[float, float, float, float]

_KEYS = {
    "schema",
    "name",
    "code",
    "crs",
    "data_year",
    "community_list_year",
    "surveyed_kinds",
    "mapped_kinds",
    "survey_note",
    "credit",
    "secrecy",
    "made_by",
    "note",
    "layers",
    "publisher",
    "without",
    "secret_outputs",
    "renewal_outputs",
}
#: Lists of kinds in a manifest: all of them are there; some were seen on a map.
KIND_LISTS = ("surveyed_kinds", "mapped_kinds")
_LAYER_KEYS = {"file", "crs", "basis", "source", "licence", "date", "secrecy", "note", "buildings", "cells"}
#: Features farther than this from the district itself are in the wrong place, not merely outside it.
FAR_M = 50_000.0
#: A metric CRS that stretches lengths by more than this at the district is the wrong one (3857 at 39 N: 29 %).
STRETCH = 0.005
#: From here on it is said by how much lengths at the edge of a wide place are stretched.
STRETCH_TOLD = 0.001
#: The layers that say where a district lies, the surest first.
WHERE = ("district", "zones", "communities", "homes", "streets")
EDGE_TOLD = "东西 {0:,.0f} 公里、南北 {1:,.0f} 公里，一个平面量不准：边上的长度拉伸 {2:+.1%}"


def check(folder: str | Path | None = None) -> pd.DataFrame:
    """
    List every problem of a district folder; never raises for what is wrong with the data.

    Parameters
    ----------
    folder
        A folder with `district.toml`; None checks the bundled demonstration district.

    Returns
    -------
    problems
        One row per problem, empty where there is none. Columns `severity` (error, warning), `layer`, `file`, `row`,
        `field`, `problem`, `remedy` (Chinese).
    """
    manifest, _, _, problems = read_folder(bundled_folder() if folder is None else path_given(folder))
    return problems_table(guarded_problems(problems, manifest))


#: Where a table is from that is not the program's.
OWN = "本目录"


# --- reading ---------------------------------------------------------------------------------------------------------


def read_folder(
    folder: Path, step: Callable[[str], None] = lambda _: None
) -> tuple[dict[str, Any], dict[str, pd.DataFrame], pd.DataFrame, list[Problem]]:
    """Read manifest, layers and tables; collect all problems. What is not ours is read in a process of its own."""
    with reading(*([folder] if is_own(folder) else [])):
        return _read_folder(folder, step)


def _read_folder(
    folder: Path, step: Callable[[str], None]
) -> tuple[dict[str, Any], dict[str, pd.DataFrame], pd.DataFrame, list[Problem]]:
    problems: list[Problem] = []
    unsealed = broken(folder)
    for name, what in unsealed.items():
        remedy = say("向给目录的人要原来的文件；是自己改的，核对后用 seal --again 重新封存，或删去 {0}", SEAL)
        problems.append(Problem("error", "district.toml", name, "", "", say("{0}，没有读它", what), remedy))
    manifest = {} if {MANIFEST, SEAL} & set(unsealed) else _read_manifest(folder, problems)
    declared = manifest.get("layers", {}) if isinstance(manifest.get("layers", {}), dict) else {}
    target = _metric_crs(manifest, problems)
    problems += _twins(folder, declared)
    levels = levels_of(manifest, LAYERS)
    rows: dict[str, pd.DataFrame] = {}
    files = []
    for name, layer in LAYERS.items():
        step(layer_name(layer.name))
        path, entry = folder, declared.get(name)
        if entry is None and layer.default:
            entry = _usual_entry(name)
            path = folder if (folder / entry["file"]).is_file() else bundled_folder()
        if entry is None:
            continue
        if path == folder and not is_vouched(folder, named := str(entry["file"]), unsealed):
            if named not in unsealed:
                what = say("封条管不到它，或和它一起读的文件对不上封条；没有读它")
                remedy = say("文件夹 {0}、output 里的移到别处，核对后用 seal --again 重新封存", HISTORY)
                problems.append(Problem("error", name, named, "", "file", what, remedy))
            continue
        if path == folder:
            frame = _layer_rows(path, layer, entry, target, problems, levels[name])
        else:
            kept, found = _of_the_program(name, _changed_at(name))
            frame = None if kept is None else kept.copy(deep=False)
            problems += found
        if frame is None or not (digest := _sha256(path, name, str(entry["file"]), problems)):
            continue
        rows[name] = frame
        files.append((name, str(entry["file"]), OWN if path.resolve() == folder.resolve() else "随程序", digest))
    table = pd.DataFrame(files, columns=["layer", "file", "from", "sha256"]).set_index("layer")
    _leave_to_its_plan(rows, table["from"])
    if target is not None:
        problems += _bounded(_misplaced(rows, declared))
        problems += _bounded(doubled(rows, declared))
    problems += _bounded(_orphans(rows, declared))
    _read_labels_of_kinds(manifest, rows)
    problems += _bounded(_unknown_kinds(manifest, rows, declared))
    problems += _bounded(ledger_problems(rows, declared))
    problems += _bounded(odd_figures(rows, declared))
    if not any(as_read(name).startswith("scenarios/") for name in unsealed):  # it reads the plans that projects name
        told = {(p.layer, p.row, p.field) for p in problems}  # a cell that could not be read is no empty one
        others = _bounded(project_problems(rows, declared, int(manifest.get("data_year", 0)), folder))
        problems += [p for p in others if (p.layer, p.row, p.field) not in told]
    if left := unfinished(folder):
        problems.append(Problem("warning", "district.toml", f"{HISTORY}/journal.json", "", "", *left))
    return manifest, rows, table, problems


#: Errors, and all problems, of a sort that anybody goes through; each takes a while to word, and one line may hold a hundred thousand.
_MOST_ERRORS, _MOST_TOLD = 5_000, 20_000


def _bounded(found: Iterator[Problem]) -> Iterator[Problem]:
    """Yield problems, the first of very many only; that there are more is an error by itself, for nobody has looked at them."""
    errors = 0
    for told, problem in enumerate(found):
        errors += problem.severity == "error"
        if errors > _MOST_ERRORS or told == _MOST_TOLD:
            said = say("这样的问题太多，其余的没有再查")
            yield Problem(
                "error", problem.layer, problem.file, "", problem.field, said, say("先改好列出的，再检查一次")
            )
            return
        yield problem


def _leave_to_its_plan(rows: dict[str, pd.DataFrame], origin: pd.Series) -> None:
    """Take out of borrowed tables what they say of promises that a folder with a plan of its own does not make."""
    if origin.get("commitments") != OWN:
        return
    kept = shared_promises(rows["commitments"])
    if "measures" in rows and origin["measures"] != OWN:
        own = rows["measures"]
        own = own[(own["commitment"].isna() | own["commitment"].isin(kept)).to_numpy()]
        rows["measures"] = own[(own["of"].isna() | own["of"].isin(own.index)).to_numpy()]
    if "contradictions" in rows and origin["contradictions"] != OWN:
        own = rows["contradictions"]
        rows["contradictions"] = own[
            [bool(said) and set(said) <= kept for said in map(listed, own["touches"].fillna(""))]
        ]


def _read_manifest(folder: Path, problems: list[Problem]) -> dict[str, Any]:
    path = folder / MANIFEST

    def wrong(field: str, problem: str, remedy: str, severity: str = "error") -> None:
        problems.append(Problem(severity, "district.toml", MANIFEST, "", field, problem, remedy))

    if not os.path.lexists(folder) and put_back(folder):
        wrong("", say("上次导入中途断了；原来的文件夹已恢复"), say("需要新数据就重新导入"), "warning")
    if not folder.is_dir():
        what = say("是文件，不是文件夹") if folder.is_file() else say("没有这个文件夹")
        wrong("", say("{0}：{1}", what, folder.name or folder), say("检查路径有没有写错；路径里有空格时两边加引号"))
        return {}
    if not path.is_file():
        wrong(
            "",
            say("文件不存在（{0}）", folder.name or folder),
            say("每个街道目录都要有 district.toml，可照 data/district.toml 写"),
        )
        return {}
    try:
        manifest = read_toml(path, folder)
    except SourceError as error:
        wrong("", error.what, error.remedy)
        return {}
    except ValueError as error:
        wrong("", say("读不懂：{0}", error), say("改正后再检查一次"))
        return {}
    _check_head(manifest, wrong)
    layers = manifest.get("layers")
    if not isinstance(layers, dict) or not layers:
        wrong("layers", say("没有声明任何图层"), say("至少声明 [layers.homes]、[layers.facilities]、[layers.streets]"))
        manifest["layers"] = {}
    for key in sorted(set(manifest) - _KEYS):
        wrong(key, say("不认识的项，已忽略"), did_you_mean(key, _KEYS), "warning")
    _check_entries(manifest["layers"], wrong)
    _check_without(manifest, wrong)
    _check_kinds(manifest, wrong)
    manifest["layers"] = {
        n: e for n, e in manifest["layers"].items() if n in LAYERS and isinstance(e, dict) and "file" in e
    }
    return manifest


def _check_head(manifest: dict[str, Any], wrong: Callable[..., None]) -> None:
    """Report what is wrong with what a manifest says of the district itself."""
    if manifest.get("schema") not in SCHEMAS:
        known = say("、").join(map(str, SCHEMAS))
        wrong(
            "schema",
            say("版本是 {0}，本程序认得 {1}", manifest.get("schema"), known),
            say("写 schema = {0}", SCHEMA_VERSION),
        )
    if not str(manifest.get("name", "")).strip():
        wrong("name", say("没有写街道名称"), say('写 name = "…街道"'))
    if not _is_year(manifest.get("data_year")):
        wrong("data_year", say("没有写数据年份"), say("写 data_year = 2022 这样的整数"))
        manifest["data_year"] = 0
    if not _is_year(manifest.get("community_list_year", 2000)):
        said = say("不像年份：{0}", str(manifest.pop("community_list_year"))[:40])
        wrong("community_list_year", said, say("写名录的年份，如 2022；删去这一行就用数据年份"))
    for unclear in secrecy_problems(manifest):
        wrong(*unclear)


#: Nobody puts more into a folder of a district.
_MOST_NAMES = 10_000


def _twins(folder: Path, declared: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield files whose names differ from declared ones in nothing that every system tells apart: elsewhere another one is read."""
    listed: dict[Path, list[str]] = {}
    for layer, entry in declared.items():
        file = PurePosixPath(str(entry["file"])) if isinstance(entry, dict) and "file" in entry else PurePosixPath()
        if file.is_absolute() or ".." in file.parts:
            continue
        place = folder
        for part in file.parts:
            if place not in listed:
                listed[place] = _names_in(place)
            twins = [n for n in listed[place] if n != part and as_read(n) == as_read(part)]
            if twins:
                said = say(
                    "旁边还有 {0}，只差大小写、全半角、写法或看不见的字符，换个系统会读成另一个",
                    say("、").join(twins[:3]),
                )
                yield Problem("warning", str(layer), str(file), "", "file", said, say("只留一个，删去或改名另一个"))
            place /= part


def _names_in(place: Path) -> list[str]:
    """Return the names in a folder, no more than anybody puts there; none where it is no folder, or a link."""
    try:
        with os.scandir(place) as entries:
            return [] if place.is_symlink() else sorted(entry.name for entry in itertools.islice(entries, _MOST_NAMES))
    except (OSError, ValueError):
        return []


def _is_year(said: object) -> bool:
    """Whether a value of a manifest is a year (a truth value is a whole number for Python)."""
    return isinstance(said, int) and not isinstance(said, bool) and 1900 <= said <= 2200


def _check_entries(layers: Mapping[str, Any], wrong: Callable[..., None]) -> None:
    """Report what is wrong with the `[layers.*]` tables of a manifest."""
    for name, entry in layers.items():
        if name not in LAYERS:
            wrong(f"layers.{name}", say("没有这种图层"), did_you_mean(name, LAYERS))
        elif not isinstance(entry, dict) or "file" not in entry:
            wrong(f"layers.{name}.file", say("没有写文件名"), say('写 file = "…"'))
        else:
            for key in sorted(set(entry) - _LAYER_KEYS):
                wrong(f"layers.{name}.{key}", say("不认识的项，已忽略"), did_you_mean(key, _LAYER_KEYS), "warning")
            if LAYERS[name].geometry and entry.get("basis") not in BASES:
                wrong(
                    f"layers.{name}.basis",
                    say("依据类型是 {0}", entry.get("basis")),
                    say("可选：{0}", say("、").join(BASES)),
                )


def _check_without(manifest: dict[str, Any], wrong: Callable[..., None]) -> None:
    """Report what is wrong with the layers that walks are counted without; what is not a list counts as nothing."""
    listed = manifest.get("without", [])
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        wrong("without", say("不是一列图层名称"), say('写 without = ["{0}"] 这样的列表', ON_THE_WAY[0]))
        manifest["without"] = []
        return
    for name in listed:
        if name not in ON_THE_WAY:
            wrong(
                "without",
                say("“{0}”不能写在这里", name),
                say("可写：{0}（步行时可以按没有算的图层）", say("、").join(ON_THE_WAY)),
            )
        elif name in manifest["layers"]:
            wrong(
                "without",
                say("写了没有 {0}，又声明了这个图层；按声明的算", name),
                say("从 without 里去掉 {0}", name),
                "warning",
            )


def _check_kinds(manifest: dict[str, Any], wrong: Callable[..., None]) -> None:
    """Report lists of kinds that are none, and kinds of which two things are said; what is not a list counts as nothing."""
    for key in KIND_LISTS:
        listed = manifest.get(key, [])
        if not isinstance(listed, list) or not all(isinstance(kind, str) for kind in listed):
            wrong(
                key, say("不是一列设施类别"), say('写 {0} = ["类别", "类别"] 这样的列表；一类也没有就写 {0} = []', key)
            )
            manifest[key] = []
    surveyed, mapped = (set(manifest.get(key, [])) for key in KIND_LISTS)
    for kind in sorted(surveyed & mapped):
        wrong(
            "mapped_kinds",
            say("“{0}”又写在 surveyed_kinds 里", kind),
            say("调查清楚、一处不漏的只留在 surveyed_kinds；否则只留在 mapped_kinds"),
        )


def mapped_kinds(manifest: Mapping[str, Any], basis: pd.Series) -> frozenset[str]:
    """
    Return the kinds of which a map shows some, and nobody says that these are all.

    Parameters
    ----------
    manifest
        As read and checked.
    basis
        What each facility rests on; index: its kind.

    Returns
    -------
    kinds
        In schema 2 all that are listed so, and all that have facilities and are not listed as surveyed. Schema 1 could only say
        surveyed, and importers said it of whatever they found: there a kind all of whose facilities come from a map counts as
        mapped whatever was said of it, and one of which nothing was said as soon as one of them does.
    """
    surveyed, mapped = (frozenset(manifest.get(key, ())) for key in KIND_LISTS)
    if manifest.get("schema") != 1:
        return (mapped | frozenset(basis.index.unique())) - surveyed
    from_map = (basis == "osm").groupby(level=0)
    every, some = from_map.all(), from_map.any()
    return (
        mapped
        | frozenset(every.index[every.to_numpy(dtype=bool)])
        | (frozenset(some.index[some.to_numpy(dtype=bool)]) - surveyed)
    )


#: Metres from the middle of the earth to its equator, as any ellipsoid has it.
_EQUATOR_M = (6_370_000.0, 6_390_000.0)


def _on_earth(said: object) -> pyproj.CRS:
    """Return the CRS that a manifest names; nothing leads from one of another planet to those of this one."""
    found = crs_of(said)
    if found.ellipsoid is None or not _EQUATOR_M[0] < found.ellipsoid.semi_major_metre < _EQUATOR_M[1]:
        raise pyproj.exceptions.CRSError(str(said))
    return found


def _metric_crs(manifest: dict[str, Any], problems: list[Problem]) -> pyproj.CRS | None:
    """Return the CRS everything is computed in, or None (reported) where it cannot serve."""

    def wrong(problem: str, remedy: str) -> None:
        problems.append(Problem("error", "district.toml", MANIFEST, "", "crs", problem, remedy))

    text = manifest.get("crs")
    if not text:
        if manifest:
            wrong(say("没有写计算用的坐标系"), say('写投影坐标系，如 crs = "EPSG:……"（单位为米）'))
        return None
    try:
        crs = _on_earth(text)
    except pyproj.exceptions.CRSError:
        wrong(say("不认识的坐标系 {0}", text), say("写 EPSG 代码"))
        return None
    if not crs.is_projected or any(axis.unit_name != "metre" for axis in crs.axis_info):
        wrong(say("{0} 不是以米为单位的投影坐标系", text), say("换成当地的投影坐标系，长度和面积才可信"))
        return None
    return crs


def rows_of_the_program(name: str) -> pd.DataFrame:
    """Return a table that comes with the program; not to be changed."""
    rows = _of_the_program(name, _changed_at(name))[0]
    return pd.DataFrame(columns=list(LAYERS[name].names)) if rows is None else rows


def shared_promises(commitments: pd.DataFrame) -> set[str]:
    """Return which promises of a plan are, word for word, those of the plan that comes with the program."""
    quotes = rows_of_the_program("commitments")["quote"].to_dict()
    return {str(key) for key, quote in commitments["quote"].items() if quotes.get(key) == quote}


@cache
def _of_the_program(name: str, _changed: int) -> tuple[pd.DataFrame | None, list[Problem]]:
    """Return a table that comes with the program, read and judged once for all districts that have none of their own."""
    problems: list[Problem] = []
    return _read_layer(bundled_folder(), LAYERS[name], _usual_entry(name), None, problems), problems


def _changed_at(name: str) -> int:
    """Return when a table of the program was changed last."""
    return (bundled_folder() / _usual_entry(name)["file"]).stat().st_mtime_ns


def _usual_entry(name: str) -> dict[str, str]:
    """Return where a table lies that nobody declared: at its usual place in the folder, else among those of the program."""
    return {"file": f"{LAYERS[name].folder}/{name}.csv"}


#: Layers in text that were read and judged without a complaint, by their content: an import reads its folder several times, and one
#: layer of it differs. So many bytes of such files are known at most, those that were asked for last.
_KNOWN: dict[tuple[str, ...], tuple[pd.DataFrame, int]] = {}
_MOST_KNOWN = 32_000_000
_IN_TEXT = (".csv", ".geojson", ".json")


def _layer_rows(
    folder: Path,
    layer: Layer,
    entry: Mapping[str, Any],
    target: pyproj.CRS | None,
    problems: list[Problem],
    level: int,
) -> pd.DataFrame | None:
    """Return what `_read_layer` does; of content that has been read before, and of which there was nothing to say, the same rows."""
    path = folder / str(entry["file"])
    content = _content(path, folder)
    key = (content, layer.name, repr(sorted(entry.items())), "" if target is None else target.srs, str(level))
    rows, size = _KNOWN.pop(key, (None, 0))
    if rows is None:
        found: list[Problem] = []
        rows = _read_layer(folder, layer, entry, target, found, level)
        problems += found
        if rows is None or found or not content or content != _content(path, folder):
            return rows
        size = path.stat().st_size
    _KNOWN[key] = rows, size
    while sum(size for _, size in list(_KNOWN.values())) > _MOST_KNOWN:  # other threads read, too
        _KNOWN.pop(next(iter(_KNOWN)), None)
    return rows.copy(deep=False)


def _content(path: Path, folder: Path) -> str:
    """Return the hash of a file in text; "" where it is none, or a link is on the way to it."""
    with suppress(SourceError, OSError, ValueError):
        straight = path.resolve() == folder.resolve() / path.relative_to(folder)
        if path.suffix.lower() not in _IN_TEXT or not straight or not 0 < path.stat().st_size <= _MOST_KNOWN:
            return ""
        with opened(path, folder) as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    return ""


def _read_layer(
    folder: Path,
    layer: Layer,
    entry: Mapping[str, Any],
    target: pyproj.CRS | None,
    problems: list[Problem],
    level: int = INTERNAL,
) -> pd.DataFrame | None:
    """Read, judge and project one layer that is marked with a level of secrecy; None (reported) where that cannot be done."""
    file = str(entry["file"])
    path = folder / file

    def wrong(field: str, problem: str, remedy: str) -> None:
        problems.append(Problem("error", layer.name, file, "", field, problem, remedy))

    if Path(file).anchor or ".." in Path(file).parts:
        wrong("file", say("文件必须在街道目录里面"), say("写相对路径，不用 .."))
        return None
    if not os.path.isfile(path):  # also where no system knows such a name
        wrong("file", say("声明了但文件不存在"), say("放入文件，或从 district.toml 里删去这个图层"))
        return None
    try:
        frame = (
            apart(_read_table, path, folder, folder=folder) if layer.geometry is None else _read_features(path, folder)
        )
    except SourceError as error:
        wrong("", say("读不出来：{0}", error.what[:160]), error.remedy)
        return None
    except EnvironmentProblem:  # no room for what reads it: nothing is wrong with the file
        raise
    except Exception as error:  # drivers raise many types; the message is what matters
        said = os_words(error) if isinstance(error, OSError) else str(error).splitlines()[0][:160]
        wrong("", say("读不出来：{0}", said), say("用 GIS 或文本编辑器打开看看是否完整"))
        return None
    for column, at, count, mark in rows_above(frame, {*layer.names, "geometry"} - {"note"}, level):
        said = say("{0} 行（第 {1} 行起）标着 {2}，图层没有标到这一级", count, at + 1, mark)
        remedy = say("在 district.toml 的 [layers.{0}] 写 secrecy（各行里最高的密级），或去掉这些行", layer.name)
        problems.append(Problem("error", layer.name, file, "", column, said, remedy))
    if layer.geometry is None:
        table, found = check_rows(layer, frame, file)
        problems += found
        return table
    crs = _layer_crs(layer, entry, frame, wrong)
    if crs is None:
        return None
    frame = frame.set_crs(crs, allow_override=True)
    tidy, found = check_rows(layer, frame, file)
    problems += found
    if any(p.severity == "error" and p.field == "geometry" for p in found) or target is None:
        return None
    found = _outside_crs(layer, tidy, file, target)
    problems += found
    return None if found else tidy.to_crs(target)


def judged(
    given: Mapping[str, pd.DataFrame], rows: Mapping[str, pd.DataFrame], manifest: Mapping[str, Any], folder: Path
) -> tuple[dict[str, pd.DataFrame], list[Problem]]:
    """
    Judge frames that come from a program as those of a folder are judged: each by itself, then with all that is there besides.

    Parameters
    ----------
    given
        Per layer or table its rows: with the key as a column or as the index, layers in any CRS.
    rows, manifest, folder
        Of the district that they go into.

    Returns
    -------
    rows, problems
        The frames in their declared types and the district's CRS; everything that is wrong with them.
    """
    target = crs_of(manifest["crs"])
    fresh: dict[str, pd.DataFrame] = {}
    problems: list[Problem] = []
    for name, frame in given.items():
        layer = LAYERS[name]
        keyed = _with_key(layer, frame, problems)
        if keyed is None:
            continue
        tidy, found = check_rows(layer, keyed, name)
        problems += [p for p in found if p.severity == "error"]
        if isinstance(tidy, gpd.GeoDataFrame) and not any(p.field == "geometry" for p in found):
            outside = _outside_crs(layer, tidy, name, target)
            problems += outside
            tidy = tidy if outside else tidy.to_crs(target)
        fresh[name] = tidy
    if not problems:
        whole = {**rows, **fresh}
        declared = {name: {**dict(manifest["layers"].get(name, {})), "file": name} for name in whole}
        found = [*_misplaced(whole, declared), *doubled(whole, declared), *_orphans(whole, declared)]
        found += _unknown_kinds(manifest, whole, declared)
        found += project_problems(whole, declared, int(manifest["data_year"]), folder)
        problems += [p for p in found if p.severity == "error" and p.layer in fresh]
    return fresh, problems


def left_out(layer: Layer, frame: pd.DataFrame) -> str:
    """Say which columns of a frame its layer does not have, and where to write them; "" where there is none."""
    own = frame.active_geometry_name if isinstance(frame, gpd.GeoDataFrame) else None
    strange = [str(name) for name in frame.columns if name not in layer.names and name not in ("geometry", own)]
    where = (
        say("要算的数写进 capacity（多少）和 capacity_unit（什么，如岗位）") if "capacity_unit" in layer.names else ""
    )
    said = (say("{0} 没有 {1} 这样的列，没有带进来", layer.name, say("、").join(strange)), where, say("备注写进 note"))
    return say("；").join(filter(None, said)) if strange else ""


def _with_key(layer: Layer, frame: pd.DataFrame, problems: list[Problem]) -> pd.DataFrame | None:
    """Return a frame with its key in a column, or None (reported) where it is no table of that sort."""

    def wrong(field: str, problem: str, remedy: str) -> None:
        problems.append(Problem("error", layer.name, layer.name, "", field, problem, remedy))

    wanted = pd.DataFrame if layer.geometry is None else gpd.GeoDataFrame
    if not isinstance(frame, wanted):
        wrong("", say("给的是 {0}", type(frame).__name__), say("要 {0}", wanted.__name__))
        return None
    if isinstance(frame, gpd.GeoDataFrame):
        if frame.active_geometry_name is None:
            wrong("geometry", say("没有几何列"), say("先用 set_geometry 指定"))
            return None
        if frame.crs is None:
            wrong("crs", say("没有坐标系"), say("先用 set_crs 写明"))
            return None
        frame = frame.rename_geometry("geometry") if frame.active_geometry_name != "geometry" else frame
    if layer.key in frame.columns:
        return frame.reset_index(drop=True)
    numbered = isinstance(frame.index, pd.RangeIndex) and not layer.names[layer.key].required
    if numbered:  # as a file without that column is
        return frame.reset_index(drop=True)
    if frame.index.name not in (None, layer.key) or isinstance(frame.index, (pd.RangeIndex, pd.MultiIndex)):
        wrong(layer.key, say("没有编号"), say("把编号放进 {0} 列，或作为索引", layer.key))
        return None
    return frame.rename_axis(layer.key).reset_index()


def _read_table(path: Path, folder: Path) -> pd.DataFrame:
    try:
        with opened(path, folder) as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore", pd.errors.ParserWarning)  # cells beyond the head: said by `_misread`
            frame = pd.read_csv(
                stream,
                dtype="str",
                encoding="utf-8-sig",
                keep_default_na=False,
                na_values=[""],
                compression=None,
                index_col=False,  # a line with a cell too many would push all others to the left
            )
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise refused(
            *(_misread(path, folder, strict=True) or (str(error).splitlines()[0], "")), file=path.name
        ) from error
    if beyond := _misread(path, folder):
        raise refused(*beyond, file=path.name)
    return frame


def _misread(path: Path, folder: Path, *, strict: bool = False) -> tuple[str, str] | None:
    """Return in which line a table in text cannot be told into cells, and what to do; None where it can (`strict`: by the letter)."""
    try:
        with io.TextIOWrapper(opened(path, folder), "utf-8-sig", newline="") as stream:
            lines = csv.reader(stream, strict=strict)
            head = next((cells for cells in lines if cells), [])
            if not head:
                return say("是空的，没有表头"), say("照 template 的表填写")
            if unlike := _no_head(head):
                return unlike
            for cells in lines:
                if any(cells[len(head) :]):
                    said = say("第 {0} 行有 {1} 格，表头只有 {2} 格", lines.line_num, len(cells), len(head))
                    return said, say("有逗号的格子两边加英文引号，或在 Excel 里改")
    except UnicodeDecodeError:
        return say("编码不是 UTF-8"), say("在 Excel 里另存为“CSV UTF-8”")
    except csv.Error:
        said = say("第 {0} 行附近引号没有成对", lines.line_num)
        return (said, say("在 Excel 里打开，另存为“CSV UTF-8”")) if strict else None
    return None


def _no_head(cells: Sequence[str]) -> tuple[str, str] | None:
    """Return what the first line of a table is where it does not name columns, and what to do; None where it does."""
    named = [cell.strip() for cell in cells if cell.strip()]
    if len(cells) > 1 and len(named) == 1:
        return say("第 1 行只有“{0}”，像是标题，不是表头", named[0][:30]), say("删去表头以上的行")
    if len(cells) == 1 and (sign := next((s for s in ";；\t|" if s in cells[0]), "")):
        shown = say("制表符") if sign == chr(9) else f"“{sign}”"
        return say("格子之间不是英文逗号，是{0}", shown), say("在 Excel 里另存为“CSV UTF-8（逗号分隔）”")
    twice = next((name for name in named if named.count(name) > 1), "")
    return (say("表头里“{0}”写了两次", twice[:30]), say("删去或改名其中一列")) if twice else None


def _read_features(path: Path, folder: Path) -> gpd.GeoDataFrame:
    frame = read_layer(path, folder)
    if not isinstance(frame, gpd.GeoDataFrame):
        frame = gpd.GeoDataFrame(frame, geometry=[None] * len(frame))
    return frame.rename_geometry("geometry") if frame.geometry.name != "geometry" else frame


def _layer_crs(
    layer: Layer, entry: Mapping[str, Any], frame: gpd.GeoDataFrame, wrong: Callable[[str, str, str], None]
) -> pyproj.CRS | None:
    """Return the declared CRS of a layer; the declaration is required, and a file that says otherwise is an error."""
    field = f"layers.{layer.name}.crs"
    text = entry.get("crs")
    if not text:
        wrong(field, say("没有声明坐标系"), say('在 district.toml 里写 crs = "EPSG:4326" 或实际的坐标系；不能猜'))
        return None
    try:
        crs = _on_earth(text)
    except pyproj.exceptions.CRSError:
        wrong(field, say("不认识的坐标系 {0}", text), say("写 EPSG 代码，如 EPSG:4326"))
        return None
    own = frame.crs
    # GeoJSON that names no CRS is read as 4326 by every driver: that is the format's default, not the file's word.
    silent = own is not None and own.to_epsg() == 4326 and str(entry["file"]).lower().endswith((".geojson", ".json"))
    if own is not None and not silent and not own.equals(crs, ignore_axis_order=True):
        wrong(field, say("声明 {0}，文件里写的是 {1}", text, own.to_string()), say("改成一致；以实际坐标为准"))
        return None
    return crs


@cache
def to_degrees(crs: pyproj.CRS) -> pyproj.Transformer:
    """Return the transformer to longitude and latitude, kept: building one takes longer than drawing many a layer."""
    return pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)


def _outside_crs(layer: Layer, frame: gpd.GeoDataFrame, file: str, target: pyproj.CRS) -> list[Problem]:
    """Report features that cannot lie where the CRSs say: swapped axes, metres taken for degrees, a wrong zone."""
    if frame.empty:
        return []
    bounds = np.asarray(frame.geometry.bounds)
    crs = frame.crs
    if crs.is_geographic:
        beyond = (np.abs(bounds[:, [0, 2]]) > 180).any(axis=1) | (np.abs(bounds[:, [1, 3]]) > 90).any(axis=1)
        lonlat = bounds
    else:
        west, south = to_degrees(crs).transform(bounds[:, 0], bounds[:, 1])
        east, north = to_degrees(crs).transform(bounds[:, 2], bounds[:, 3])
        lonlat = np.column_stack([west, south, east, north])
        beyond = ~np.isfinite(lonlat).all(axis=1)
    area = None if target.area_of_use is None else target.area_of_use.bounds
    if area is not None:
        beyond |= ~_in_area(lonlat, area)
    return [
        Problem("error", layer.name, file, str(frame.index[i]), "geometry", *_why_outside(bounds[i], crs, area))
        for i in np.flatnonzero(beyond)
    ]


def _in_area(lonlat: np.ndarray, area: Box, margin: float = 0.5) -> np.ndarray:
    """Return which (west, south, east, north) rows lie in a CRS's area of use, with a margin in degrees."""
    west, south, east, north = area
    inside: np.ndarray = (
        (lonlat[:, 0] >= west - margin)
        & (lonlat[:, 2] <= east + margin)
        & (lonlat[:, 1] >= south - margin)
        & (lonlat[:, 3] <= north + margin)
    )
    return inside


def _why_outside(bounds: np.ndarray, crs: pyproj.CRS, area: Box | None) -> tuple[str, str]:
    at = say("（{0:.6g}, {1:.6g}）", bounds[0], bounds[1])
    swapped = bounds[[1, 0, 3, 2]][None, :]
    if crs.is_geographic and area is not None and _in_area(swapped, area)[0]:
        return say("经度和纬度写反了{0}", at), say("第一列写经度，第二列写纬度")
    if crs.is_geographic and (np.abs(bounds) > 180).any():
        return say("坐标不是经纬度{0}", at), say("这些像是以米为单位的投影坐标：把图层的 crs 改成实际的坐标系")
    return say("坐标落在计算坐标系的适用范围以外{0}", at), say("检查图层声明的 crs、district.toml 的 crs 和坐标本身")


def _misplaced(rows: Mapping[str, pd.DataFrame], declared: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield features far from the district, and a metric CRS that stretches lengths there."""
    own = next((rows[n] for n in WHERE if n in rows), None)
    if own is None or own.empty:
        return
    west, south, east, north = own.total_bounds
    crs = own.crs
    stretch, worst = stretch_over(crs, own.total_bounds)
    if abs(stretch) <= STRETCH and abs(worst) > STRETCH_TOLD:
        size = (east - west) / 1000, (north - south) / 1000
        told = EDGE_TOLD.format(*size, worst)
        yield Problem("warning", "district.toml", MANIFEST, "", "crs", told, say("要米数处处准，就分成几片各自导入"))
    if abs(stretch) > STRETCH:
        yield Problem(
            "error",
            "district.toml",
            MANIFEST,
            "",
            "crs",
            say("这个坐标系在本地把长度拉伸了 {0:+.1%}", stretch),
            say("换成本地的投影带，否则米数和面积都不对"),
        )
    for name, frame in rows.items():
        if LAYERS[name].geometry is None or frame.empty:
            continue
        b = np.asarray(frame.geometry.bounds)
        away = np.maximum.reduce([west - b[:, 2], b[:, 0] - east, south - b[:, 3], b[:, 1] - north])
        for i in np.flatnonzero(away > FAR_M):
            yield Problem(
                "error",
                name,
                str(declared[name]["file"]),
                str(frame.index[i]),
                "geometry",
                say("离街道 {0:.0f} 公里", away[i] / 1000),
                say("检查坐标系和坐标；经纬度是否写反"),
            )


def _orphans(rows: Mapping[str, pd.DataFrame], declared: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield codes whose parent does not exist. A parent layer that is not declared is absent, and asks nothing."""
    for name, frame in rows.items():
        file = str(declared[name]["file"]) if name in declared else f"{LAYERS[name].folder}/{name}.csv"
        for column in LAYERS[name].names.values():
            if column.parent is None or column.parent[0] not in rows:
                continue
            parent = rows[column.parent[0]].index
            cells = frame[column.name].to_numpy(object)
            known = {str(code) for code in parent if not NAMELESS.fullmatch(str(code))}
            for i in np.flatnonzero(frame[column.name].notna().to_numpy()):
                for code in listed(cells[i]) if column.several else (str(cells[i]),):
                    if code not in known:
                        said = say("“{0}”在{1}里不存在", code, layer_name(column.parent[0]))
                        remedy = _code_meant(code, rows[column.parent[0]], known)
                        yield Problem("error", name, file, str(frame.index[i]), column.name, said, remedy)


def _code_meant(said: str, parents: pd.DataFrame, known: set[str]) -> str:
    """Say which code to write: that of what is called so, else the nearest."""
    names = parents.get("name", parents.get("label", pd.Series(dtype="object")))
    called = [str(code) for code, name in names.items() if plain_name(name) and plain_name(name) == plain_name(said)]
    if called:
        return say("写编号：{0}", say("、").join(dict.fromkeys(called[:12])))
    return did_you_mean(said, known) if len(parents) <= 60 else say("改成已有的编号，或先补上那一行")


def _kinds_by_word(kinds: pd.DataFrame) -> dict[str, str]:
    """Return the kind that each word means: its code, its label, or the label without brackets where only one has it."""
    bare: dict[str, list[str]] = {}
    for kind, label in kinds["label"].dropna().items():
        bare.setdefault(bare_name(label), []).append(str(kind))
    labels = {str(label): str(kind) for kind, label in kinds["label"].dropna().items()}
    codes = {str(kind): str(kind) for kind in kinds.index}
    return {word: found[0] for word, found in bare.items() if len(found) == 1} | labels | codes


def _read_labels_of_kinds(manifest: dict[str, Any], rows: Mapping[str, pd.DataFrame]) -> None:
    """Put the codes of kinds where the manifest calls them by their labels."""
    if "kinds" in rows and any(manifest.get(key) for key in KIND_LISTS):
        words = _kinds_by_word(rows["kinds"])
        manifest |= {key: [words.get(kind, kind) for kind in manifest[key]] for key in KIND_LISTS if key in manifest}


def _unknown_kinds(
    manifest: Mapping[str, Any], rows: Mapping[str, pd.DataFrame], declared: Mapping[str, Any]
) -> Iterator[Problem]:
    if "kinds" not in rows:
        return
    known = set(rows["kinds"].index)
    for key in KIND_LISTS:
        for kind in manifest.get(key, ()):
            if kind not in known:
                labels = [word for word in _kinds_by_word(rows["kinds"]) if word not in known]
                words = [*(labels if language() == "zh" else []), *sorted(known)]
                what, remedy = say("没有设施类别“{0}”", kind), did_you_mean(str(kind), words)
                yield Problem("error", "district.toml", MANIFEST, "", key, what, remedy)
    for table, column in (("rules", "kinds"), ("norms", "kinds"), ("measures", "kinds"), ("measures", "near_kinds")):
        if table in rows and column in rows[table].columns:
            file = str(declared.get(table, {}).get("file", f"{LAYERS[table].folder}/{table}.csv"))
            for row, kinds in rows[table][column].dropna().items():
                for kind in listed(str(kinds).replace("|", ";")):
                    if kind not in known:
                        yield Problem(
                            "error",
                            table,
                            file,
                            str(row),
                            column,
                            say("没有设施类别“{0}”", kind),
                            did_you_mean(kind, known),
                        )


def _sha256(folder: Path, layer: str, file: str, problems: list[Problem]) -> str:
    """Return the hash of a file that has been read; "" (reported) where something else has come in its place since."""
    try:
        with opened(folder / file, folder) as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except (SourceError, OSError) as error:
        what = error.what if isinstance(error, SourceError) else os_words(error)
        remedy = say("读的时候不要改动这个目录；改完再读一次")
        problems.append(Problem("error", layer, file, "", "", say("读不出来：{0}", what[:160]), remedy))
        return ""
