"""
Planners' own files: a workbook to fill in, and the door by which a filled-in file enters a district folder.

Every row of a file is taken or reported. A file is judged as a whole first (size, what it is, what its coordinates are),
then row by row; what would come out is written into a copy of the folder and judged by the district's own check, and
only then swapped in. The version before is kept in `.history` inside the folder, and `undo` brings it back.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely

from ..core import (
    BASES,
    LAYERS,
    Column,
    DataError,
    Layer,
    Problem,
    SourceError,
    UnknownNameError,
    XinheError,
    check_rows,
    os_words,
    problems_table,
    refuse_uncleared,
    secret_layers,
)
from ..district import (
    MANIFEST,
    Edit,
    check_copy,
    commit,
    finish,
    is_missing,
    locked,
    new_files,
    read_folder,
    write_whole,
)
from .dxf import read_dxf
from .gis_files import (
    is_collection,
    read_geodatabase,
    read_geojson,
    read_geopackage,
    read_kml,
    read_kmz,
    read_shapefile,
)
from .parquet import read_parquet
from .placing_page import placing_page
from .positions import (
    UNPROVEN,
    Place,
    Placed,
    check_anchors,
    check_datum,
    declaration,
    locate,
    place_of,
    raw_shapes,
    tied,
)
from .tables import (
    LONLAT,
    MOST_BYTES,
    MOST_COLUMNS,
    NEVER,
    PRIVATE_VALUE,
    WIDE,
    Incoming,
    Refusals,
    Report,
    cannot_take,
    cell_text,
    header_words,
    is_blank,
    meanings,
    never,
    plain_header,
    printable,
    read_table,
    tally,
    unit_factor,
    value_labels,
    why_hostile,
)

#: Positions nearer than this are the same.
SAME_M = 0.01


#: What can be read; a reader gets path, layer, sheet and report.
_READERS: Mapping[str, Callable[[Path, Layer, str | None, Report], Incoming]] = {
    **dict.fromkeys((".xlsx", ".xls", ".csv"), read_table),
    ".json": lambda path, layer, sheet, report: (
        read_geojson(path) if is_collection(path) else read_table(path, layer, sheet, report)
    ),
    ".geojson": lambda path, *_: read_geojson(path),
    ".gpkg": lambda path, _layer, sheet, _report: read_geopackage(path, sheet),
    ".shp": lambda path, *_: read_shapefile(path),
    ".kml": lambda path, _layer, sheet, _report: read_kml(path, sheet),
    ".kmz": lambda path, _layer, sheet, _report: read_kmz(path, sheet),
    ".gdb": lambda path, _layer, sheet, _report: read_geodatabase(path, sheet),
    ".parquet": lambda path, *_: read_parquet(path),
    ".geoparquet": lambda path, *_: read_parquet(path),
    ".dxf": read_dxf,
}
_REMEDIES = {
    ".dwg": "DWG 是 CAD 的内部格式：在 CAD 里“另存为”，类型选 DXF（2013 或 2007），再导入 .dxf",
    ".dgn": "在 CAD 里另存为 DXF（2013 或 2007），再导入 .dxf",
    ".zip": "先解压，再导入里面的文件",
    ".rar": "先解压，再导入里面的文件",
    ".7z": "先解压，再导入里面的文件",
    ".et": "在 WPS 里另存为 .xlsx",
    ".ods": "另存为 .xlsx",
    ".xlsm": "另存为不带宏的 .xlsx",
    ".xlsb": "另存为 .xlsx",
    ".doc": "把表格复制到 Excel，存为 .xlsx",
    ".docx": "把表格复制到 Excel，存为 .xlsx",
    ".pdf": "把表格录入 Excel（template 生成模板）",
    ".tab": "在 QGIS 里导出为 GeoPackage",
    ".mdb": "在 GIS 里导出为 GeoPackage",
}


def _open(path: Path, layer: Layer, sheet: str | None, report: Report) -> Incoming:
    """Read a file of any kind that is known, within bounds."""
    suffix = path.suffix.lower()
    if not path.exists():
        raise SourceError(f"文件不存在：{printable(path.name)}")
    if NEVER.search(path.stem):
        raise never(path.name, path.stem)
    if suffix not in _READERS or path.is_dir() != (suffix == ".gdb"):
        raise cannot_take(
            path.name,
            f"不认识的文件类型 {printable(suffix) or '（没有扩展名）'}",
            _REMEDIES.get(suffix, f"可用：{'、'.join(_READERS)}"),
        )
    size = path.stat().st_size
    if size == 0:
        raise cannot_take(path.name, "文件是空的", "重新导出或重新拷贝")
    if size > MOST_BYTES:
        raise cannot_take(
            path.name, f"文件太大（{size / 1e6:,.0f} MB）", f"分成不超过 {MOST_BYTES / 1e6:,.0f} MB 的几份"
        )
    if layer.geometry is None and suffix not in (".xlsx", ".xls", ".csv", ".json"):
        raise cannot_take(path.name, f"{layer.label}是表格，没有图形", "用 .xlsx 或 .csv")
    try:
        found = _READERS[suffix](path, layer, sheet, report)
    except OSError as error:
        if isinstance(error, XinheError):
            raise
        raise cannot_take(
            path.name,
            f"读不出来（{os_words(error) if error.errno else '文件不完整'}）",
            "若正被其他程序打开，请关闭后重试",
        ) from error
    if len(found.heads) > MOST_COLUMNS:
        raise cannot_take(path.name, f"有 {len(found.heads):,} 列", f"最多 {MOST_COLUMNS} 列，删去用不到的列")
    if not found.rows:
        raise cannot_take(path.name, "没有数据行", "表头下面每行填一个要素")
    return found


@dataclass
class _Plan:
    """What an import would do: the report, and the new contents of files (None where nothing changes)."""

    report: pd.DataFrame
    files: dict[str, bytes]
    layer: str
    source: str
    proven: bool  # whether anything has confirmed the declared datum (or no row says where it lies)


def _identity(layer: Layer, frame: pd.DataFrame) -> list[str]:
    """Return what a row is known by: its key; in a table whose key nobody has to fill in, its required cells."""
    if layer.geometry is not None or layer.names[layer.key].required:
        return [str(k) for k in frame.index]
    required = [c.name for c in layer.columns if c.required]
    return [
        "|".join("" if pd.isna(v) else str(v) for v in values)
        for values in zip(*(frame[c] for c in required), strict=True)
    ]


def _codes(column: Column, kinds: Mapping[str, str]) -> dict[str, str]:
    """
    Return the words that stand for a column's coded values.

    A kind may be called by its label, by the label without what stands in brackets, or by what stands in them at its end:
    "老年食堂（社区食堂）" by either, where no other kind is called so.
    """
    codes = {label: v for v, label in value_labels(column).items()}
    if column.parent != ("kinds", "kind"):
        return codes
    said = [
        (word, kind)
        for kind, label in kinds.items()
        for word in (bare_name(label), *re.findall(r"[（(]([^（()）]{3,})[)）]$", label))
    ]
    times = Counter(word for word, _ in said)
    return codes | {w: kind for w, kind in said if times[w] == 1} | {label: kind for kind, label in kinds.items()}


def _cells(
    incoming: Incoming,
    layer: Layer,
    columns: Mapping[str, int],
    kinds: Mapping[str, str],
    refused: Refusals,
    report: Report,
) -> dict[str, list[Any]]:
    """Return the file's cells per declared column, as the check expects them; hostile ones refuse their row."""
    out: dict[str, list[Any]] = {}
    for name, j in columns.items():
        if name.startswith("@"):
            continue
        column = layer.names[name]
        factor = unit_factor(incoming.heads[j], column)
        if factor != 1:
            report.say(
                "note", f"按表头的单位换算：乘以 {factor:,.6g}，存为{column.unit}", column=printable(incoming.heads[j])
            )
        codes = _codes(column, kinds)
        values = [cell_text(column, row[j], codes, factor) for row in incoming.rows]
        for i, value in enumerate(values):
            if not isinstance(value, str):
                continue
            wrong = why_hostile(value)
            if wrong is None and name == layer.key:
                value = values[i] = value.translate(WIDE)  # noqa: PLW2901
                if re.search(r"[/\\]|\.\.", value):
                    wrong = "编号里有路径符号", "编号只用字母、数字、汉字、- 和 _"
            if wrong is not None:
                refused.setdefault(i, []).append((column.label, value, *wrong))
            elif PRIVATE_VALUE.search(value) and column.type == "text" and name != layer.key:
                values[i] = None
                report.say(
                    "dropped",
                    "这一格里有像身份证号或手机号的数字，没有写入",
                    "删去号码再填",
                    row=incoming.lines[i],
                    column=column.label,
                )
        out[name] = values
    return out


def _keys(
    layer: Layer, cells: dict[str, list[Any]], n: int, placed: Placed | None, old: pd.DataFrame, report: Report
) -> list[str | None]:
    """Return the key of each row: as written, by a name that only one row has, or made from what the row says."""
    if layer.geometry is None and not layer.names[layer.key].required:
        required = [c.name for c in layer.columns if c.required]
        return [
            "|".join("" if (v := cells.get(c, [None] * n)[i]) is None else str(v) for c in required) for i in range(n)
        ]
    if layer.key in cells:
        return [None if v is None else str(v) for v in cells[layer.key]]
    names = [None if v is None else str(v) for v in cells.get("name", [None] * n)]
    times = Counter(names)
    there: dict[str, list[str]] = {}
    for key, name in zip(old.index, old["name"] if "name" in old.columns else (), strict=False):
        if isinstance(name, str):
            there.setdefault(name, []).append(str(key))
    keys: list[str | None] = []
    for i, name in enumerate(names):
        known = there.get(name or "", [])
        if name is None:
            keys.append(None)
        elif len(known) == 1 and times[name] == 1:
            keys.append(known[0])
        else:
            spot = placed.lonlat[i] if placed is not None else None
            where = "" if spot is None else ",".join(f"{v:.5f}" for v in spot.centroid.coords[0])
            said = f"{name}|{cells.get('kind', [None] * n)[i]}|{where}"
            keys.append(f"{layer.key}-{hashlib.sha256(said.encode()).hexdigest()[:8]}")
    report.say(
        "note",
        "文件里没有编号列：同名且唯一的按名称认，其余按名称、类别和位置编号",
        "最好加一列编号，或用 key（--key）说明哪一列是编号",
    )
    return keys


def _match(
    layer: Layer,
    keys: Sequence[str | None],
    cells: Mapping[str, list[Any]],
    old: pd.DataFrame,
    lines: Sequence[int],
    refused: Refusals,
) -> dict[int, int]:
    """Return which row of the folder each row of the file is (by position); rows that cannot be told are refused."""
    label = layer.names[layer.key].label
    there: dict[str, list[int]] = {}
    for position, own in enumerate(_identity(layer, old)):
        there.setdefault(own, []).append(position)
    seen: dict[tuple[str, str], int] = {}
    found: dict[int, int] = {}
    for i, key in enumerate(keys):
        if key is None or not key.strip("|"):
            refused.setdefault(i, []).append(
                (label, "", "没有编号" if layer.key in cells else "没有编号，也没有名称", "每行写一个不重复的编号")
            )
            continue
        since = cells["since"][i] if layer.dated and "since" in cells else None
        mark = (key, "" if since is None else str(since))
        if mark in seen:
            refused.setdefault(i, []).append((label, key, f"和第 {lines[seen[mark]]} 行重复", "留一行，或用不同的编号"))
            continue
        seen[mark] = i
        spots = there.get(key, [])
        if len(spots) > 1:
            spots = [s for s in spots if since is not None and str(old["since"].iloc[s]) == str(since)]
            if len(spots) != 1:
                refused.setdefault(i, []).append((label, key, "目录里这个编号有几个时期，分不清改哪一个", "写上起始年"))
                continue
        if spots and not _later(old, spots[0], since):
            found[i] = spots[0]
    return found


def _later(old: pd.DataFrame, position: int, since: Any) -> bool:
    """Whether a row that starts in `since` comes after the period of the row that is there."""
    if since is None or "until" not in old.columns or pd.isna(old["until"].iloc[position]):
        return False
    number = pd.to_numeric(str(since), errors="coerce")
    return bool(pd.notna(number) and number > old["until"].iloc[position])


@dataclass(frozen=True)
class _Options:
    """What a caller says about a file."""

    crs: str | int | None
    sheet: str | None
    key: str | None
    replace: bool
    basis: str
    fill: Mapping[str, str]
    control: Path | None
    affine: bool
    repair: bool
    place: Path | None
    datum_checked: str


def _plan(source: Path, folder: Path, layer: Layer, how: _Options) -> _Plan:
    """Work out everything an import would do; nothing is written into the folder."""
    if layer.default:
        raise SourceError(
            f"{layer.label}是随程序的表，不能这样导入；把 data 里的 {layer.name}.csv 复制到目录里修改并声明"
        )
    manifest, rows, metric = _state(folder, layer)
    report, file = Report(), printable(source.name)
    incoming = _open(source, layer, how.sheet, report)
    columns = meanings(incoming, layer, how.key, report)
    n = len(incoming.rows)
    refused: Refusals = {}
    kinds = dict(rows["kinds"]["label"]) if "kinds" in rows else {}
    cells = _cells(incoming, layer, columns, kinds, refused, report)
    _fill(cells, layer, how.fill, kinds, n)
    old = rows.get(layer.name, _nothing(layer, metric))
    placed, datum, proven = None, "WGS84", True
    place = place_of(metric, rows)
    if layer.geometry is not None:
        placed, datum = _positions(incoming, columns, how, place, refused, report)
    keys = _keys(layer, cells, n, placed, old, report)
    match = _match(layer, keys, cells, old, incoming.lines, refused)
    if placed is not None:
        proven = _datum_holds(layer, placed, datum, cells, match, old, (place, rows, manifest), how, file, report)
        unplaced = _place_by_name(layer, incoming, columns, cells, placed, match, rows, refused, report)
        if unplaced and how.place is not None:
            refuse_uncleared(manifest, "写出落点页")
            _write_places(how.place, file, layer, keys, cells, unplaced, rows)
    tidy = _judge(layer, cells, keys, match, old, placed, rows, file, refused)
    entry = manifest["layers"].get(layer.name)
    origin = file if proven or not how.datum_checked else f"{file}；坐标基准 {datum} 已核对：{how.datum_checked}"
    edits = _edits(
        layer, cells, incoming.lines, keys, match, old, tidy, placed, refused, report, (how.basis, entry, origin)
    )
    gone = _gone(layer, old, match, how.replace, report)
    if not tally(report.frame())["taken"]:
        raise DataError(_as_problems(report, layer, file), file)
    files = {}
    if edits or (how.replace and gone):
        files = new_files(folder, layer, entry, edits, gone if how.replace else set(), how.basis, origin, manifest)
        check_copy(folder, files)
    return _Plan(report.frame(), files, layer.name, origin, proven or bool(how.datum_checked))


def _datum_holds(
    layer: Layer,
    placed: Placed,
    datum: str,
    cells: Mapping[str, list[Any]],
    match: Mapping[int, int],
    old: pd.DataFrame,
    district: tuple[Place, Mapping[str, pd.DataFrame], Mapping[str, Any]],
    how: _Options,
    file: str,
    report: Report,
) -> bool:
    """Return whether something confirms the declared datum (or no row says where it lies); stop where something contradicts it."""
    if shapely.is_missing(placed.lonlat).all():
        return True
    place, rows, manifest = district
    known = {i: old.geometry.iloc[p] for i, p in match.items() if not how.replace}
    names = cells.get("name", [None] * len(placed.lonlat))
    try:
        anchored = check_anchors(placed, datum, known, place, file, rows, report)
        return check_datum(
            placed, datum, rows, file, names, report, layer=layer.name, anchored=anchored, checked=how.datum_checked
        )
    except SourceError as error:
        if secret_layers(manifest):  # the page shows the district
            error.page = ""
        raise


def _gone(layer: Layer, old: pd.DataFrame, match: Mapping[int, int], replace: bool, report: Report) -> set[int]:
    """Report the rows of the folder that the file does not have; return them (by position)."""
    gone = sorted(set(range(len(old))) - set(match.values()))
    keys = _identity(layer, old)
    names = old["name"].tolist() if "name" in old.columns else [""] * len(old)
    for p in gone:
        said = f"目录里有，文件里没有：{'删去' if replace else '保留'}"
        report.say("gone", said, key=printable(keys[p]), value=names[p])
    return set(gone)


def _fill(cells: dict[str, list[Any]], layer: Layer, fill: Mapping[str, str], kinds: Mapping[str, str], n: int) -> None:
    """Write what holds for every row of the file ("这张表全是食堂") into blank cells."""
    words = header_words(layer)
    for said, value in fill.items():
        name = words.get(plain_header(said), "@")
        if name.startswith("@") or name == layer.key:
            raise UnknownNameError("列", said, [f"{c.label}" for c in layer.names.values() if c.name != layer.key])
        column = layer.names[name]
        wrong = why_hostile(value)
        if wrong is not None:
            raise SourceError(f"{said} 的值{wrong[0]}。{wrong[1]}")
        cell = cell_text(column, value, _codes(column, kinds))
        cells[name] = [cell if v is None else v for v in cells.get(name, [None] * n)]


#: Layers of single places, which may stand where the compound they are in stands.
_BY_NAME = ("facilities", "own_facilities", "micro_spaces", "places")


def _place_by_name(
    layer: Layer,
    incoming: Incoming,
    columns: Mapping[str, int],
    cells: dict[str, list[Any]],
    placed: Placed,
    match: Mapping[int, int],
    rows: Mapping[str, pd.DataFrame],
    refused: Refusals,
    report: Report,
) -> dict[int, str]:
    """
    Put rows without coordinates into the one compound their address names; refuse the rest.

    Returns for each row that is left without a position what is known about where it lies.
    """
    n, left = len(incoming.rows), {}
    homes = rows.get("homes") if layer.name in _BY_NAME else None
    known = [] if homes is None else [(bare_name(v), i) for i, v in enumerate(homes["name"]) if isinstance(v, str)]
    for i in range(n):
        if placed.lonlat[i] is not None or i in match or (i in refused and "坐标" in {r[0] for r in refused[i]}):
            continue
        said = [cells["name"][i] if "name" in cells else None]
        if "@address" in columns:
            said.insert(0, incoming.rows[i][columns["@address"]])
        text = next((str(s) for s in said if not is_blank(s)), "")
        hits = _in_text(text, known)
        if len(hits) == 1 and i not in refused:
            assert homes is not None
            shape = shapely.point_on_surface(homes.geometry.iloc[hits[0]])
            placed.metric[i] = shape
            placed.lonlat[i] = gpd.GeoSeries([shape], crs=homes.crs).to_crs(LONLAT).iloc[0]
            marks = cells.setdefault("basis", [None] * n)
            marks[i] = marks[i] or "derived"
            report.say(
                "note",
                f"没有坐标，按名称放在小区“{printable(homes['name'].iloc[hits[0]])}”内一点，依据记为推算",
                "核对；放得不对就写上坐标",
                row=incoming.lines[i],
                value=text,
            )
            continue
        several = "、".join(str(homes["name"].iloc[h]) for h in hits[:6]) if homes is not None and len(hits) > 1 else ""
        if layer.geometry is not None and "Point" in layer.geometry:
            left[i] = (printable(text) if text else "没有地址") + (f"；可能在 {several}" if several else "")
        hint = f"，名称对应几个小区：{printable(several)}" if several else ""
        remedy = "补上经度和纬度，或用 --place 落点.html 在地图上放"
        refused.setdefault(i, []).append(("坐标", text, f"没有坐标，目录里也没有这个编号{hint}", remedy))
    return left


def bare_name(text: object) -> str:
    """Return a name without what stands in brackets."""
    return re.sub(r"[（(].*?[)）]", "", str(text)).strip()


def _in_text(text: str, known: Sequence[tuple[str, int]]) -> list[int]:
    """Return which known names a text contains; a name inside a longer one that is there too does not count."""
    said = bare_name(text)
    names = {name for name, _ in known if len(name) >= 2 and name in said}
    longest = {a for a in names if not any(a != b and a in b for b in names)}
    return [i for name, i in known if name in longest]


def _write_places(
    path: Path,
    file: str,
    layer: Layer,
    keys: Sequence[str | None],
    cells: Mapping[str, list[Any]],
    unplaced: Mapping[int, str],
    rows: Mapping[str, pd.DataFrame],
) -> None:
    if path.suffix.lower() not in (".html", ".htm"):
        raise SourceError(f"{path.name}：落点页的文件名要以 .html 结尾")
    if not any(name in rows and len(rows[name]) for name in ("district", "communities", "homes", "streets", "zones")):
        raise SourceError("街道目录里没有可以画底图的图层，不能在地图上放。先导入街道界、小区或路网")
    at = list(unplaced)
    table = {layer.names[layer.key].label: [keys[i] for i in at]}
    table |= {layer.names[c].label: [v[i] for i in at] for c, v in cells.items() if c != layer.key}
    page = placing_page(pd.DataFrame(table, dtype="object"), [unplaced[i] for i in at], rows, file, layer.name)
    write_whole(path, page.encode())


def _nothing(layer: Layer, metric: pyproj.CRS) -> pd.DataFrame:
    frame = pd.DataFrame({c.name: [] for c in layer.names.values()}, dtype="object")
    if layer.geometry is not None:
        frame = gpd.GeoDataFrame(frame, geometry=[], crs=metric)
    return frame.set_index(layer.key)


def _state(folder: Path, layer: Layer) -> tuple[dict[str, Any], dict[str, pd.DataFrame], pyproj.CRS]:
    """Return the manifest, the rows and the CRS of a folder; what is wrong elsewhere in it does not matter here."""
    if not (folder / MANIFEST).is_file():
        raise SourceError(f"{folder.name or folder} 不是街道目录：里面没有 {MANIFEST}")
    manifest, rows, _, problems = read_folder(folder)
    stops = [
        p
        for p in problems
        if p.severity == "error"
        and (
            p.layer == layer.name
            or p.field.startswith(f"layers.{layer.name}.")
            or (p.layer == "district.toml" and p.field in ("", "crs", "schema"))
        )
    ]
    if stops:
        raise DataError(problems_table(stops), folder.name)
    try:
        return manifest, rows, pyproj.CRS.from_user_input(manifest["crs"])
    except (KeyError, pyproj.exceptions.CRSError) as error:
        raise SourceError(f'{folder.name} 的 {MANIFEST} 没有写能用的坐标系。写 crs = "EPSG:…"') from error


def _positions(
    incoming: Incoming,
    columns: Mapping[str, int],
    how: _Options,
    place: Place,
    refused: Refusals,
    report: Report,
) -> tuple[Placed, str]:
    shapes, said = raw_shapes(incoming, columns)
    for i, text in enumerate(said):
        if text and shapes[i] is None:
            refused.setdefault(i, []).append(("坐标", text, "坐标不是数", "填十进制度、度分秒或米"))
    if shapely.is_missing(shapes).all() and not any(said):
        n = len(shapes)
        return Placed(np.full(n, None, dtype=object), np.full(n, None, dtype=object), {}), "WGS84"
    if how.repair:
        shapes = _repaired(shapes, incoming.lines, report)
    if how.control is not None:
        shapes = tied(shapes, how.control, how.crs, place, how.affine, report)
        datum, declared = "WGS84", place.metric
    else:
        datum, declared = declaration(how.crs, incoming)
    placed = locate(shapes, datum, declared, place, report)
    for i, (reason, remedy) in placed.reasons.items():
        value = said[i] or "，".join(f"{v:.6g}" for v in shapely.get_coordinates(shapes[i])[0])
        refused.setdefault(i, []).append(("坐标", value, reason, remedy))
    return placed, datum


def _repaired(shapes: Any, lines: Sequence[int], report: Report) -> Any:
    """Mend polygons that cross themselves, and say of each by how much its area changed."""
    fixed = shapes.copy()
    wrong = ~(shapely.is_missing(shapes) | shapely.is_valid(shapes)) & np.isfinite(shapely.bounds(shapes)).all(axis=1)
    for i in np.flatnonzero(wrong):
        why = shapely.is_valid_reason(shapes[i])
        whole = shapely.make_valid(shapes[i], method="structure", keep_collapsed=False)
        parts = [p for p in shapely.get_parts(whole) if p.geom_type == "Polygon" and p.area > 0]
        if not parts:
            continue
        fixed[i] = parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)
        before, after = shapely.area(shapes[i]), fixed[i].area
        change = f"面积变为原来的 {after / before:.1%}" if before > 0 else "原来的面积算不出"
        report.say(
            "note",
            f"图形已修复：{printable(why)}；{change}，{len(parts)} 块",
            "在 GIS 里核对",
            row=lines[int(i)],
            column="图形",
        )
    return fixed


def _judge(
    layer: Layer,
    cells: Mapping[str, list[Any]],
    keys: Sequence[str | None],
    match: Mapping[int, int],
    old: pd.DataFrame,
    placed: Placed | None,
    rows: Mapping[str, pd.DataFrame],
    file: str,
    refused: Refusals,
) -> pd.DataFrame:
    """Check the rows as they would stand, blanks filled from what is there; return them typed, by position."""
    n = len(keys)
    merged: dict[str, list[Any]] = {}
    for name in layer.names:
        if name == layer.key:
            merged[name] = [str(i) for i in range(n)]
            continue
        values = list(cells.get(name, [None] * n))
        if name in old.columns:
            before = old[name].tolist()
            values = [before[match[i]] if v is None and i in match else v for i, v in enumerate(values)]
        merged[name] = [None if v is None or pd.isna(v) else v for v in values]
    frame = pd.DataFrame(merged, dtype="object")
    if placed is not None:
        shapes = [
            placed.metric[i] if placed.metric[i] is not None else old.geometry.iloc[match[i]] if i in match else None
            for i in range(n)
        ]
        frame = gpd.GeoDataFrame(frame, geometry=shapes, crs=old.crs)
    tidy, problems = check_rows(layer, frame, file)
    for p in problems:
        if p.severity == "error" and p.row and not (p.field == "geometry" and int(p.row) in refused):
            column = layer.names.get(p.field)
            value = cells[p.field][int(p.row)] if p.field in cells else ""
            said = "图形" if column is None else column.label
            if said not in {known[0] for known in refused.get(int(p.row), ())}:
                refused.setdefault(int(p.row), []).append((said, value, p.problem, p.remedy))
    for column in layer.names.values():
        if column.parent is not None and column.parent[0] in rows and column.name in cells:
            _refuse_orphans(column, tidy, rows[column.parent[0]], refused)
    return tidy


def _refuse_orphans(column: Column, tidy: pd.DataFrame, parents: pd.DataFrame, refused: Refusals) -> None:
    codes = tidy[column.name]
    assert column.parent is not None
    label = LAYERS[column.parent[0]].label
    words = next((c for c in ("label", "name") if c in parents.columns), None)
    names = {} if words is None else {str(w): str(k) for k, w in parents[words].dropna().items()}
    known = [*(str(k) for k in parents.index), *names]
    shown = [*names] or known
    choices = f"可写：{'、'.join(map(printable, shown[:12]))}{' 等' if len(shown) > 12 else ''}；或先补上那一行"
    for i in np.flatnonzero((codes.notna() & ~codes.isin(parents.index)).to_numpy()):
        close = get_close_matches(str(codes.iloc[i]), known, n=3)
        remedy = f"是否想写 {'、'.join(close)}" if close else choices
        refused.setdefault(int(i), []).append((column.label, codes.iloc[i], f"在{label}里不存在", remedy))


def _edits(
    layer: Layer,
    cells: Mapping[str, list[Any]],
    lines: Sequence[int],
    keys: Sequence[str | None],
    match: Mapping[int, int],
    old: pd.DataFrame,
    tidy: pd.DataFrame,
    placed: Placed | None,
    refused: Refusals,
    report: Report,
    provenance: tuple[str, Any, str],
) -> list[Edit]:
    """Compare row by row, report each, and return what has to be written."""
    edits: list[Edit] = []
    basis, entry, source = provenance
    typed = {name: tidy[name].tolist() for name in cells if name in tidy.columns}
    there = {name: old[name].tolist() for name in {*typed, "basis"} if name in old.columns}
    outlines = None if placed is None else np.asarray(old.geometry.array)
    for i, key in enumerate(keys):
        line, shown = lines[i], printable(key or "")
        if i in refused:
            for column, value, reason, remedy in refused[i]:
                report.say("refused", reason, remedy, row=line, key=shown, column=column, value=value)
            continue
        at = match.get(i)
        shape = None if placed is None else placed.metric[i]
        if at is None:
            values = {c: v[i] for c, v in typed.items() if not is_missing(v[i])}
            if layer.key in cells or layer.geometry is not None or layer.names[layer.key].required:
                values = {layer.key: cells[layer.key][i] if layer.key in cells else key, **values}
            report.say("new", "新增", row=line, key=shown, value=values.get("name", ""))
            if layer.geometry is not None:
                _mark(values, basis, entry, source)
            edits.append(Edit(None, values, shape))
            continue
        values, changes = _changes(layer, cells, i, typed, there, at)
        moved = _moved(shape, None if outlines is None else outlines[at], report, line, shown)
        if moved is not None:
            changes.append(("位置", moved, ""))
            _mark(values, basis, entry, source)
            if not is_missing(there["basis"][at]) and there["basis"][at] != basis:
                values.setdefault("basis", basis)
        for column, value, before in changes:
            report.say(
                "changed", f"原来是 {before}" if before else "位置改变", row=line, key=shown, column=column, value=value
            )
        if changes:
            edits.append(Edit(at, values, shape if moved is not None else None))
        else:
            report.say("unchanged", "和目录里的一样", row=line, key=shown)
    return edits


def _changes(
    layer: Layer,
    cells: Mapping[str, list[Any]],
    i: int,
    typed: Mapping[str, list[Any]],
    there: Mapping[str, list[Any]],
    at: int,
) -> tuple[dict[str, Any], list[tuple[str, str, str]]]:
    """Return the cells that differ, and how to say so. A blank leaves what is there."""
    values: dict[str, Any] = {}
    changes: list[tuple[str, str, str]] = []
    for name, column in typed.items():
        if cells[name][i] is None:
            continue
        new, before = column[i], there[name][at]
        if is_missing(before) or new != before:
            values[name] = new
            changes.append((layer.names[name].label, printable(new), "空" if is_missing(before) else printable(before)))
    return values, changes


def _moved(shape: Any, before: Any, report: Report, line: int, key: str) -> str | None:
    """Say how far a shape moved; None where it stays. A point does not replace an outline."""
    if shape is None or before is None:
        return None
    if shape.geom_type == "Point" and before.geom_type != "Point":
        away = float(shapely.distance(shape, before))
        if away > SAME_M:
            report.say(
                "note",
                f"目录里是面，文件里的点在它外面 {away:,.0f} 米；面没有改",
                "核对编号和坐标",
                row=line,
                key=key,
                column="位置",
            )
        return None
    if shape.geom_type == before.geom_type:
        away = float(shapely.hausdorff_distance(shape, before))
        return None if away <= SAME_M else f"移动 {away:,.1f} 米"
    return "换成另一种图形"


def _mark(values: dict[str, Any], basis: str, entry: Any, source: str) -> None:
    """Write where a row comes from into the row, where its layer says otherwise."""
    if entry is not None and entry.get("basis") != basis:
        values.setdefault("basis", basis)
    if entry is not None and entry.get("source") != source:
        values.setdefault("source", source)


def _as_problems(report: Report, layer: Layer, file: str) -> pd.DataFrame:
    found = [
        Problem(
            "error",
            layer.name,
            file,
            "" if row is None else str(row),
            column,
            reason + (f"（{value}）" if value else ""),
            remedy,
        )
        for row, _, result, column, value, reason, remedy in report.lines
        if result == "refused"
    ]
    return problems_table(
        found or [Problem("error", layer.name, file, "", "", "没有一行可以导入", "检查是否只有示例行或合计行")]
    )


#: Shorter than this, nobody has said how a datum was checked.
CHECKED_CHARACTERS = 4


def _checked(said: str) -> str:
    """Return how a datum was checked, as it will stand in the rows."""
    text = " ".join(str(said).split())
    wrong = why_hostile(text) if text else None
    if wrong is not None:
        raise SourceError(f"--datum-checked 的文字{wrong[0]}。{wrong[1]}")
    if text and len(text) < CHECKED_CHARACTERS:
        raise SourceError(f"--datum-checked 写的是“{text}”：写明怎么核对的，如“天地图上抽查 3 点，张三 11-26”")
    return text


def _unconfirmed(file: str, report: pd.DataFrame) -> SourceError:
    said = report[report["column"] == UNPROVEN].iloc[0]
    return SourceError(
        f"{printable(file)}：{said['reason']}。{said['value']}\n没有写入任何东西。在天地图或影像上抽查几个点（在线地图抄来的坐标常差半公里），再用 "
        "--datum-checked（datum_checked=）写明怎么核对的，如 --datum-checked “天地图上抽查 3 点，张三 11-26”；写明的话记在每行的来源里"
    )


def add(
    file: str | Path,
    folder: str | Path,
    layer: str,
    *,
    crs: str | int | None = None,
    sheet: str | None = None,
    key: str | None = None,
    apply: bool = False,
    replace: bool = False,
    basis: str = "surveyed",
    fill: Mapping[str, str] | None = None,
    control: str | Path | None = None,
    affine: bool = False,
    repair: bool = False,
    place: str | Path | None = None,
    datum_checked: str = "",
) -> pd.DataFrame:
    """
    Take a planner's file into a layer of a district folder, or say row by row why not.

    Parameters
    ----------
    file
        .xlsx, .xls, .csv (UTF-8 or GB18030), .json (records), .geojson, .gpkg, .shp, .kml, .kmz, .parquet, .gdb (a folder)
        or .dxf.
    folder
        A district folder. A layer that is not declared there yet is declared.
    layer
        Name of the layer.
    crs
        What the coordinates are: WGS84, GCJ-02, BD-09 or an EPSG code. Required wherever the file has coordinates, and
        tested against the district's streets and names and against rows that are there already. With `control`, what the
        known coordinates of the control points are.
    sheet
        Worksheet, layer of a GeoPackage, geodatabase or KML, or layers of a drawing joined by `;`.
    key
        Header of the column that identifies a row; by default the layer's key in any of its spellings. Without one,
        names identify, where they can.
    apply
        Write. Without it nothing is written, and the report shows what would be.
    replace
        Remove rows of the folder that the file does not have; by default they stay.
    basis
        What new and moved rows rest on, unless the file says so itself.
    fill
        Column (name or label) and what stands in it where the file leaves it blank, for every row.
    control
        CSV of control points for a drawing in a grid of its own: 点名, 图上X, 图上Y, and 经度, 纬度 or 东坐标, 北坐标.
    affine
        Six parameters instead of four (`datum.tie`).
    repair
        Mend polygons that cross themselves; each is listed.
    place
        An .html to write where rows have no position: a map to place them on, which saves a table for this function.
    datum_checked
        How somebody made sure of the declared datum ("天地图上抽查 3 点，张三 11-26"): written is only what something in the
        district confirms (streets, names, rows that are there, how rows of the layer lie), or what a person answers for. It
        stands in the `source` of the rows. What clearly contradicts the declaration stops the import all the same.

    Returns
    -------
    report
        Columns `row` (line of the file; missing where a line speaks of a column or of a row of the folder), `key`,
        `result` (`RESULTS`), `column`, `value`, `reason`, `remedy`. Every row of the file stands in it; see `tally`.

    Raises
    ------
    SourceError
        A file that cannot be read, no declaration of its coordinates, or one that streets, names or known rows contradict
        (then with `.residuals` and `.page`) or that nothing confirms (see `datum_checked`), or control points that do not fit.
    DataError
        Not one row can be taken, or the folder would not pass its check; `.problems` lists each row.
    UnknownNameError
        No such layer, basis or column.
    EnvironmentProblem
        The folder cannot be written, or another process is writing it.

    Notes
    -----
    On any error the folder is byte for byte as it was. A blank cell leaves what is there. A point does not replace an
    outline that is there. A row with an address or name in which exactly one known compound is named stands there, with
    basis `derived`.
    """
    target = Path(folder)
    if layer not in LAYERS:
        raise UnknownNameError("图层", layer, list(LAYERS))
    if basis not in BASES:
        raise UnknownNameError("依据类型", basis, list(BASES))
    if not (target / MANIFEST).is_file():
        raise SourceError(f"{target.name or target} 不是街道目录：里面没有 {MANIFEST}")
    how = _Options(
        crs,
        sheet,
        key,
        replace,
        basis,
        dict(fill or {}),
        None if control is None else Path(control),
        affine,
        repair,
        None if place is None else Path(place),
        _checked(datum_checked),
    )
    if how.control is not None and not how.control.is_file():
        raise SourceError(f"文件不存在：{printable(how.control.name)}")
    if not apply:
        return _plan(Path(file), target, LAYERS[layer], how).report
    with locked(target):
        finish(target)
        found = _plan(Path(file), target, LAYERS[layer], how)
        if found.files and not found.proven:
            raise _unconfirmed(Path(file).name, found.report)
        if found.files:
            commit(target, found.files, found.layer, found.source)
    return found.report
