"""
The door by which planners' own files enter a district folder: compared row by row, judged in a copy, then swapped in.

Every row of a file is taken or reported. A file is judged as a whole first (size, what it is, what its coordinates are),
then row by row; what would come out is written into a copy of the folder and judged by the district's own check, and
only then swapped in. The version before is kept in `.history` inside the folder, and `undo` brings it back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import shapely

from ..core import (
    BASES,
    BASIS_LABELS,
    LAYERS,
    UNSTATED,
    DataError,
    Layer,
    Problem,
    SourceError,
    UnknownNameError,
    amount,
    layer_name,
    problems_table,
    refuse_uncleared,
    say,
    write_bytes,
)
from ..district import ANSWERS, MANIFEST, Changes, Edit, LayerFile, check_copy, commit, finish, locked, new_files
from .cells import printable, why_hostile
from .control_points import tied
from .current_layer import CurrentLayer, read_current
from .datum_check import UNPROVEN, check_datum
from .decisions import choices_of, read_decisions, write_decisions
from .file_rows import FileRows, Refusal, fill_blanks, name_codes, name_stages, rows_of
from .formats import read_file
from .head_count import HeadCount, PeopleJump, head_count, say_unread, say_whom
from .headers import column_word, one_datum, refuse_secret_rows
from .likeness import Wishes, recognised
from .matching import Matched, gone_rows, match_rows
from .placing import place_by_name, write_placing_page
from .positions import Declared, Place, Placed, declaration, locate, place_of, raw_shapes, repaired
from .row_changes import DOORS, Provenance, doors_left, edits_of, judged, refusals_table
from .row_report import RowReport, Where, tally
from .value_words import ValueWords, answer_sheet, kept_answers, read_answers, remembered

#: Shorter than this, nobody has said how a datum was checked.
CHECKED_CHARACTERS = 4
#: What stands under `column` in the line of a report that says that nobody has said what rows rest on.
UNSTATED_COLUMN = "依据类型"


@dataclass(frozen=True)
class Coordinates:
    """What somebody says of the coordinates of a file (`add`)."""

    crs: str | int | None
    control: Path | None = None
    affine: bool = False
    repair: bool = False
    checked: str = ""


@dataclass(frozen=True)
class Request:
    """What somebody says of a file, and wants to be done with it (`add`)."""

    coordinates: Coordinates
    basis: str = UNSTATED
    sheet: str | None = None
    key: str | None = None
    replace: bool = False
    fill: Mapping[str, str] = field(default_factory=dict)
    place: Path | None = None
    values: Path | None = None
    wishes: Wishes = field(default_factory=Wishes)
    decide: Path | None = None  # the sheet of decisions: read where it is there, else written
    sure: bool = False  # of a list: its year is meant, whichever it is


@dataclass
class Plan:
    """What an import would do: the report, and the new contents of files (none where nothing changes)."""

    report: pd.DataFrame
    files: dict[str, bytes]
    layer: str
    source: str
    proven: bool  # whether anything has confirmed the declared datum (or no row says where it lies)
    people: HeadCount | None  # None: not a layer of homes


def plan_import(source: Path, folder: Path, layer: Layer, request: Request) -> Plan:
    """Work out everything an import would do; nothing is written into the folder."""
    if layer.default:
        raise SourceError(
            say(
                "{0}是随程序的表，不能这样导入；把 data 里的 {1}.csv 复制到目录里修改并声明",
                layer_name(layer.name),
                layer.name,
            )
        )
    current = read_current(folder, layer)
    report = RowReport()
    incoming = one_datum(read_file(source, layer, request.sheet, report), request.coordinates.crs, report)
    refuse_secret_rows(incoming, layer, current.manifest)
    rows = rows_of(incoming, layer, current.kinds, request.key, report)
    answered = read_words(rows, folder, current, request)
    placed = None
    if layer.geometry is not None:
        placed = positions(rows, request.coordinates, place_of(current.metric, current.tables))
    matched = match_rows(rows, placed, current)
    proven = placed is None or settled(rows, placed, matched, current, request)
    if placed is not None:
        matched = recognised(rows, placed, matched, current, wishes_of(request, rows, matched, current))
    elif request.wishes != Wishes() or request.decide is not None:
        raise SourceError(
            say("{0}没有图形，只按编号认行；不能用 --new、--update、--skip、--decide", layer_name(layer.name))
        )
    if layer.name == "homes":
        say_whom(rows, matched, current)
    tidy = judged(rows, placed, matched, current)
    checked = request.coordinates.checked
    origin = origin_of(rows, placed, checked, proven=proven)
    edits = edits_of(rows, placed, matched, current, tidy, Provenance(request.basis, origin))
    _say_unstated(edits, request, current, report)
    _say_basis_kept(edits, rows, matched, request, current)
    _say_doors_left(edits, current, report)
    leaving = gone_rows(rows, matched, current, replace=request.replace)
    people = head_count(current, edits, leaving, report)
    say_unread(rows, people)
    if placed is not None:
        ask_decisions(request, matched, (rows, placed, current), people)
    if not tally(report.frame())["taken"] and not (rows.unclear or rows.left or rows.foreign):
        raise DataError(refusals_table(rows), rows.file)
    files: dict[str, bytes] = {}
    if edits or leaving:
        target = LayerFile(folder, layer, current.entry, current.manifest)
        files = new_files(target, Changes(edits, leaving, request.basis, origin))
        say_odd(rows, matched, current, leaving, lambda: check_copy(folder, files))
    files = {**answered, **files}
    return Plan(report.frame(), files, layer.name, origin, proven or bool(checked), people)


def say_odd(
    rows: FileRows, matched: Matched, current: CurrentLayer, leaving: set[int], judge: Callable[[], list[Problem]]
) -> None:
    """Say what is odd of the rows as they would stand; rows without a number of their own are named by their line, in errors too."""
    lines = {} if rows.layer.key in rows.cells else incoming_lines(rows, matched, current, leaving)
    own = rows.layer.name
    try:
        odd = judge()
    except DataError as error:
        told = [Problem(*line) for line in error.problems.itertuples(index=False)]
        named = [
            p._replace(file=rows.file, row=str(lines[p.row])) if p.layer == own and p.row in lines else p for p in told
        ]
        raise DataError(problems_table(named), error.folder) from error
    for p in (p for p in odd if p.layer == own):
        column = rows.layer.names.get(p.field)
        word = say("图形") if column is None else column_word(column)
        row = lines.get(p.row)
        rows.report.say("note", p.problem, p.remedy, Where(row, "" if row else printable(p.row), word))


def incoming_lines(rows: FileRows, matched: Matched, current: CurrentLayer, leaving: set[int]) -> dict[str, int]:
    """Return, by the line that a row without a number of its own would stand on in the folder, its line in the file that brings it."""
    if not rows.layer.told_by:
        return {}
    out = {*rows.refused, *rows.unclear, *rows.left, *rows.foreign}
    brought = {p: i for i, p in matched.at.items() if i not in out}
    stand = [brought.get(p) for p in range(len(current.rows)) if p not in leaving]
    stand += [i for i in range(len(rows)) if i not in matched.at and i not in out]
    return {str(at): rows.lines[i] for at, i in enumerate(stand, 2) if i is not None}


def read_words(
    rows: FileRows, folder: Path, current: CurrentLayer, request: Request, kind: str = ""
) -> dict[str, bytes]:
    """
    Read the coded cells of a file by the tables of values and what has been answered; ask what nobody knows, value by value.

    Parameters
    ----------
    kind
        What a row is whose class the file does not tell; without it the name tells, where it is sure.

    Returns
    -------
    files
        What the folder remembers, where that is more than before.
    """
    answers = kept_answers(folder)
    kept = remembered(answers) if answers.said else b""
    if request.values is not None and request.values.is_file():
        answers.said |= read_answers(request.values).said
    name_codes(rows, current.tables)
    name_stages(rows, current.tables)
    words = ValueWords(rows, current.kinds, answers)
    words.read_written()
    fill_blanks(rows, request.fill, current.kinds)
    words.read_classes(names=not kind)
    if kind:
        for i in (i for i in range(len(rows)) if i not in rows.unclear and i not in rows.foreign):
            rows.cells["kind"][i] = rows.cells["kind"][i] or kind
    questions = words.ask()
    if questions and request.values is not None:
        refuse_uncleared(current.manifest, "写出对照表")
        write_bytes(request.values, answer_sheet(answers, questions))
    return {ANSWERS: remembered(answers)} if answers.said and remembered(answers) != kept else {}


def wishes_of(request: Request, rows: FileRows, matched: Matched, current: CurrentLayer) -> Wishes:
    """Return what somebody says of single rows: on the command line, and on a sheet of decisions that is there."""
    if request.decide is None or not request.decide.is_file():
        return request.wishes
    return replace(request.wishes, decided=read_decisions(request.decide, rows, matched, current))


def ask_decisions(
    request: Request, matched: Matched, held: tuple[FileRows, Placed, CurrentLayer], people: HeadCount | None
) -> None:
    """Write the sheet of decisions and its page where they are asked for and not there yet."""
    if request.decide is None or request.decide.is_file():
        return
    if request.decide.suffix.lower() != ".xlsx":
        raise SourceError(say("{0}：决定表的文件名要以 .xlsx 结尾", request.decide.name))
    rows, placed, current = held
    gone = sorted(set(range(len(current.rows))) - set(matched.at.values()))
    write_decisions(request.decide, choices_of(rows, placed, matched, current), held, gone, people)


def waits(request: Request) -> bool:
    """Whether decisions are asked for that nobody has made yet: then nothing is written."""
    return request.decide is not None and not request.decide.is_file()


def origin_of(rows: FileRows, placed: Placed | None, checked: str, *, proven: bool) -> str:
    """Return where new rows come from: the file, and how somebody made sure of its datum where nothing else has."""
    return (
        rows.file
        if placed is None or not checked or proven
        else f"{rows.file}；坐标基准 {placed.datum} 已核对：{checked}"
    )


def _say_unstated(edits: Sequence[Edit], request: Request, current: CurrentLayer, report: RowReport) -> None:
    """Say once that nobody has said what the new positions rest on, and how to."""
    if request.basis != UNSTATED or current.layer.geometry is None:
        return
    bare = [e for e in edits if e.shape is not None and e.cells.get("basis", UNSTATED) == UNSTATED]
    if bare:
        report.say(
            "note",
            say("没有说明依据：{0:,} 行的位置记为“依据未说明”", len(bare)),
            say(
                "知道就写 --basis surveyed（实测）、official（官方）、osm（开放地图）或 derived（推算），或在表里加“依据类型”一列"
            ),
            Where(column=say(UNSTATED_COLUMN)),
        )


def _say_basis_kept(
    edits: Sequence[Edit], rows: FileRows, matched: Matched, request: Request, current: CurrentLayer
) -> None:
    """Say of how many rows that are there already the basis stays what it is: a file that moves none of them vouches for no position."""
    if request.basis == UNSTATED or current.layer.geometry is None or "basis" in rows.cells:
        return
    given = {edit.at for edit in edits if "basis" in edit.cells or edit.shape is not None}
    out = {*rows.refused, *rows.unclear, *rows.left, *rows.foreign}
    kept = [at for i, at in matched.at.items() if i not in out and at not in given]
    own = current.rows["basis"].iloc[kept] if "basis" in current.rows.columns else pd.Series(index=kept, dtype="str")
    bases = own.fillna(str((current.entry or {}).get("basis", UNSTATED)))
    other = bases[(bases != request.basis).to_numpy()].value_counts()
    if len(other):
        said = say("、").join(f"{say(BASIS_LABELS[str(name)])} {amount(n)}" for name, n in other.items())
        rows.report.say(
            "note",
            say("目录里已有、位置没有动的行依据不变：{0}；--basis 只记在新增和移动的行上", said),
            say("这些行的位置也核过，就在表里加“依据类型”一列写明"),
            Where(column=say(UNSTATED_COLUMN)),
        )


def _say_doors_left(edits: Sequence[Edit], current: CurrentLayer, report: RowReport) -> None:
    """Say of places that move which of their doors are drawn where they were: people would go on walking in by these."""
    doors, of = DOORS.get(current.layer.name, ("", ""))
    if doors not in current.tables:
        return
    left = doors_left(current.tables[doors], of, current, edits)
    for key, n in left[of].value_counts(sort=False).items():
        report.say(
            "note",
            say("{0} 移动了，{1} 个出入口还画在原处，仍按它们算走法", printable(str(key)), n),
            say("在 {0} 里移过来或删去；是真的搬走了，不是改正位置，设施用 update 按年份更新", doors),
            Where(key=printable(str(key))),
        )


def positions(rows: FileRows, coordinates: Coordinates, place: Place) -> Placed:
    """Return where each row lies by what is said of the file's coordinates; rows with wrong ones are refused."""
    shapes, said = raw_shapes(rows.incoming, rows.columns)
    for i, text in enumerate(said):
        if text and shapes[i] is None:
            rows.refuse(i, Refusal(say("坐标"), text, say("坐标不是数"), say("填十进制度、度分秒或米")))
    if shapely.is_missing(shapes).all() and not any(said):
        n = len(shapes)
        return Placed(np.full(n, None, dtype=object), np.full(n, None, dtype=object), {})
    if coordinates.repair:
        shapes = repaired(shapes, rows.lines, rows.report)
    if coordinates.control is not None:
        shapes = tied(shapes, coordinates.control, coordinates.crs, place, coordinates.affine, rows.report)
        declared = Declared("WGS84", place.metric)
    else:
        declared = declaration(coordinates.crs, rows.incoming)
    placed = locate(shapes, declared, place, rows.report)
    for i, (reason, remedy) in placed.reasons.items():
        value = said[i] or say("，").join(f"{v:.6g}" for v in shapely.get_coordinates(shapes[i])[0])
        rows.refuse(i, Refusal(say("坐标"), value, reason, remedy))
    return placed


def settled(rows: FileRows, placed: Placed, matched: Matched, current: CurrentLayer, request: Request) -> bool:
    """Hold the positions against the district, and find one for rows without; return whether the datum is confirmed."""
    known = {} if request.replace else {i: current.rows.geometry.iloc[p] for i, p in matched.at.items()}
    confirmed = check_datum(rows, placed, current, known, request.coordinates.checked)
    unplaced = place_by_name(rows, placed, matched, current)
    if unplaced and request.place is not None:
        refuse_uncleared(current.manifest, "写出落点页")
        write_placing_page(request.place, rows, matched, unplaced, current)
    return confirmed


def checked_words(said: str) -> str:
    """Return how a datum was checked, as it will stand in the rows."""
    text = " ".join(str(said).split())
    wrong = why_hostile(text) if text else None
    if wrong is not None:
        raise SourceError(say("--datum-checked 的文字{0}。{1}", wrong[0], wrong[1]))
    if text and len(text) < CHECKED_CHARACTERS:
        raise SourceError(say("--datum-checked 写的是“{0}”：写明怎么核对的，如“天地图上抽查 3 点，张三 11-26”", text))
    return text


def unconfirmed(file: str, report: pd.DataFrame) -> SourceError:
    """Return why nothing is written: no street, name or row that is there confirms the datum, and nobody answers for it."""
    said = report[report["column"] == say(UNPROVEN)].iloc[0]
    return SourceError(
        say(
            "{0}：坐标基准 {1}\n没有写入任何东西。在天地图或影像上抽查几个点（在线地图抄来的坐标常差半公里），再用 "
            "--datum-checked（datum_checked=）写明怎么核对的，如 --datum-checked 天地图抽查三点；写明的话记在每行的来源里",
            printable(file),
            said["reason"],
        )
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
    basis: str = UNSTATED,
    fill: Mapping[str, str] | None = None,
    control: str | Path | None = None,
    affine: bool = False,
    repair: bool = False,
    place: str | Path | None = None,
    values: str | Path | None = None,
    datum_checked: str = "",
    new: Sequence[str] = (),
    update: Sequence[str] = (),
    skip: Sequence[str] = (),
    sure: bool = False,
    decide: str | Path | None = None,
) -> pd.DataFrame:
    """
    Take a planner's file into a layer of a district folder, or say row by row why not.

    Parameters
    ----------
    file
        .xlsx, .xls, .csv and .txt (UTF-8, UTF-16 or GB18030), .json (records), .geojson, .gpkg, .shp, .kml, .kmz, .gpx, .parquet,
        .gdb (a folder) or .dxf.
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
        Remove rows of the folder that the file does not have; by default they stay. Where rows have a kind, only rows of
        the kinds that the file has; what an unclear row could be stays.
    basis
        What new and moved rows rest on, unless the file says so itself; without an answer `unstated` (依据未说明).
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
    values
        A CSV in which values nobody knows ("口腔诊所 ×3") are asked, once each: written where something is to be asked, and
        read where it is there. Its last column, 是什么, takes a kind, a state, or 不收. Answers are remembered in the folder
        with the rows they were given for (`pois/values.csv`), and hold for the next file.
    datum_checked
        How somebody made sure of the declared datum ("天地图上抽查 3 点，张三 11-26"): written is only what something in the
        district confirms (streets, names, rows that are there, how rows of the layer lie), or what a person answers for. It
        stands in the `source` of the rows. What clearly contradicts the declaration stops the import all the same.
    new, update, skip
        Rows (line of the file, id in the file, or "all": every row that no id has told) that are new, are the row they
        are like ("5=H03": row 5 is H03), or are left out. By default a row that is like one of the folder in shape, name
        and distance updates it, keeping its own id in `other_id`, and one of which that cannot be told is unclear and not
        written.
    sure
        Write although the number of people changes by more than a twentieth.
    decide
        An .xlsx in which the fate of each row (更新, 新增, 跳过) is asked and proposed, and beside it, as .html, a map with the
        shapes of the file over those that are there: written where it is not there yet, and then nothing else is written;
        read where it is there. What is said of a row in `new`, `update`, `skip` goes before.

    Returns
    -------
    report
        Columns `row` (line of the file; missing where a line speaks of a column or of a row of the folder), `key`,
        `result` (`RESULTS`), `column`, `value`, `reason`, `remedy`. Every row of the file stands in it; see `tally`.

    Raises
    ------
    SourceError
        A file that cannot be read, no declaration of its coordinates, or one that streets, names or known rows contradict
        (then with `.residuals` and `.page`) or that nothing confirms (see `datum_checked`), or control points that do not fit;
        `new`, `update` or `skip` name no row; or people would be doubled (see `sure`).
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
    layer = next((name for name, known in LAYERS.items() if known.label == layer), layer)
    if layer not in LAYERS:
        raise UnknownNameError("图层", layer, list(LAYERS))
    if basis not in BASES:
        raise UnknownNameError("依据类型", basis, list(BASES))
    if not (target / MANIFEST).is_file():
        raise SourceError(say("{0} 不是街道目录：里面没有 {1}", target.name or target, MANIFEST))
    points = None if control is None else Path(control)
    coordinates = Coordinates(crs, points, affine, repair, checked_words(datum_checked))
    page = None if place is None else Path(place)
    sheet_of_values = None if values is None else Path(values)
    wishes = Wishes(tuple(new), tuple(update), tuple(skip))
    request = Request(
        coordinates,
        basis,
        sheet,
        key,
        replace,
        dict(fill or {}),
        page,
        sheet_of_values,
        wishes,
        None if decide is None else Path(decide),
    )
    if points is not None and not points.is_file():
        raise SourceError(say("文件不存在：{0}", printable(points.name)))
    if not apply or waits(request):
        return plan_import(Path(file), target, LAYERS[layer], request).report
    with locked(target):
        finish(target)
        found = plan_import(Path(file), target, LAYERS[layer], request)
        if found.files and not found.proven:
            raise unconfirmed(Path(file).name, found.report)
        if found.files and found.people is not None and found.people.jumps and not sure:
            raise PeopleJump(
                say(
                    "{0}：导入后常住人口 {1}，变化超过 5%。没有写入任何东西。"
                    "先看预览里哪些行是新增；确实如此就加 --sure（sure=True）",
                    printable(Path(file).name),
                    found.people,
                )
            )
        if found.files:
            commit(target, found.files, found.layer, found.source)
    return found.report
