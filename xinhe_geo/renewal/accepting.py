"""
Suggested projects that a person accepts: offered on a workbook, taken into the project table with their steps; `undo` takes them out again.

What is accepted is in once, however often it is accepted. Its steps stand in one plan, `scenarios/suggested.toml`, to which new ones are
added behind those that are there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd

from ..core import (
    IDEA,
    LAYERS,
    PROJECT_STATES,
    URGENCIES,
    DataError,
    Problem,
    SourceError,
    UnknownNameError,
    listed,
    problems_table,
    refuse_uncleared,
    say,
    write_bytes,
)
from ..district import (
    SUGGESTED,
    Changes,
    District,
    Edit,
    LayerFile,
    Scenario,
    district_folder,
    new_files,
    take_in,
)
from ..io import Questions, answer_book, printable, why_hostile, workbook_rows, written
from .suggesting import SOURCES

SHEET, TAKE, LEAVE = "建议项目", "采纳", "不采纳"
_ID, _TAKE, _NAME, _FROM, _SCOPE, _PROBLEMS, _PEOPLE, _KNOWN, _LOW, _HIGH, _YEARS, _EARLIEST, _DUTY = HEADS = (
    *("编号", "采纳吗", "项目名称", "来自", "做什么", "解决哪些问题", "涉及人数", "项目库里"),
    *("造价下限（万元）", "造价上限（万元）", "工期（年）", "最早开工年", "责任单位"),
)
#: What somebody may fill in, and the column of `projects.csv` it goes into.
_FILLED = {
    _NAME: "name",
    _LOW: "cost_low",
    _HIGH: "cost_high",
    _YEARS: "duration",
    _EARLIEST: "earliest",
    _DUTY: "duty",
}
_REMARKS = (
    "一行是一条建议，由选址、增开通道、方案配建、体检得出。没有一条会自己进项目库：在“采纳吗”写 采纳 的才进，空着或写 不采纳 的不进。",
    "造价待填：不知道就空着，项目先入库，没有造价的不排进年度计划。问题编号是采纳后只做这一个项目就不再存在的问题。",
    "已经在项目库里的不会再加一次；undo 撤销整次采纳。改好存盘，同一条命令再运行一次。",
)


def write_suggestions(table: pd.DataFrame, district: District, book: str | Path) -> None:
    """
    Write the workbook on which suggestions are accepted.

    Parameters
    ----------
    table
        What `suggestions` returned.
    district
        Whose they are.
    book
        The .xlsx to write.

    Raises
    ------
    SourceError
        Another kind of file, or a layer is secret and nobody has cleared its outputs.
    EnvironmentProblem
        It cannot be written.
    """
    target = Path(book)
    if target.suffix.lower() != ".xlsx":
        raise SourceError(say("{0}：建议表的文件名要以 .xlsx 结尾", target.name))
    refuse_uncleared(district.manifest, "写出建议项目")
    lines = [
        [
            *(key, "", row["name"], SOURCES[row["source"]], row["scope"], row["problems"].replace(";", "、")),
            *(None if pd.isna(row["people"]) else round(float(row["people"])), row["project"] or row["cited_by"]),
            *("" for _ in (_LOW, _HIGH, _YEARS, _EARLIEST, _DUTY)),
        ]
        for key, row in table.iterrows()
    ]
    asked = Questions(SHEET, HEADS, lines, asked=(_TAKE, *_FILLED), choices={_TAKE: [TAKE, LEAVE]})
    write_bytes(target, answer_book(f"{district.name}：建议项目", _REMARKS, [asked]))


def accepted_in(book: str | Path, table: pd.DataFrame) -> dict[str, dict[str, str]]:
    """
    Read which suggestions a workbook accepts, and what somebody has filled in for them.

    Parameters
    ----------
    book
        As `write_suggestions` wrote it, filled in.
    table
        The suggestions of today.

    Returns
    -------
    accepted
        By id: column of `projects.csv` and what was written there.

    Raises
    ------
    SourceError
        It is no such workbook.
    DataError
        Lines nobody can follow, all of them, with sheet line and column.
    """
    path = Path(book)
    if not path.is_file():
        raise SourceError(say("没有这个建议表：{0}", printable(path.name)))
    grid = workbook_rows(path).get(SHEET)
    heads = [written(c) for c in grid[0][1]] if grid else []
    if grid is None or not {_ID, _TAKE, *_FILLED} <= set(heads):
        raise SourceError(
            say(
                "{0} 不是建议表：要有工作表“{1}”，表头有 {2}",
                printable(path.name),
                SHEET,
                say("、").join((_ID, _TAKE, *_FILLED)),
            )
        )
    found: dict[str, dict[str, str]] = {}
    wrong: list[Problem] = []
    for number, cells in grid[1:]:
        given = {h: written(c) for h, c in zip(heads, cells, strict=False)}
        said = {head: given.get(head, "") for head in HEADS}
        told: list[tuple[str, str, str]] = []
        if said[_TAKE] not in ("", TAKE, LEAVE):
            told.append(
                (_TAKE, say("“{0}”看不懂", printable(said[_TAKE])), say("写 {0}、{1}，或空着（不采纳）", TAKE, LEAVE))
            )
        if said[_TAKE] == TAKE and said[_ID] not in table.index:
            told.append((_ID, say("现在没有建议“{0}”", printable(said[_ID])), say("数据改过就重新写出建议表")))
        if said[_TAKE] == TAKE and said[_ID] in found:
            told.append((_ID, say("建议 {0} 写了两次", said[_ID]), say("留一行")))
        if said[_TAKE] == TAKE:
            told += [(head, *odd) for head in _FILLED if (odd := why_hostile(said[head])) is not None]
        wrong += [Problem("error", SHEET, printable(path.name), str(number), *fault) for fault in told]
        if said[_TAKE] == TAKE:
            found[said[_ID]] = {column: said[head] for head, column in _FILLED.items() if said[head]}
    if wrong:
        raise DataError(problems_table(wrong), path.name)
    return found


def accept(
    folder: str | Path, table: pd.DataFrame, accepted: Mapping[str, Mapping[str, str]], *, apply: bool = False
) -> pd.DataFrame:
    """
    Put accepted suggestions into the project table of a folder, and their steps into its plan of suggestions.

    Parameters
    ----------
    folder
        A district folder; one without a project table gets one.
    table
        What `suggestions` returned for it.
    accepted
        By id of the suggestion what is known besides: columns of `projects.csv` (`cost_low` …). A cost nobody knows stays blank.
    apply
        Write. Without it nothing is written, and the changes are those that would be.

    Returns
    -------
    changes
        A row per suggestion: `row` (id of the project), `change` (新增, 没变: it is in the table), `column` (blank), `before`, `after` (name).

    Raises
    ------
    UnknownNameError
        No such suggestion.
    SourceError
        The folder is no district, or the bundled one.
    DataError
        The table would not pass its check: file, row, field. Nothing is written.
    EnvironmentProblem
        The folder cannot be written.
    """
    target = district_folder(folder, say("把它复制成自己的目录，再采纳到自己的目录"))
    for key in accepted:
        if key not in table.index:
            raise UnknownNameError("建议", key, list(table.index))
    chosen = table.loc[[key for key in table.index if key in accepted]]
    return take_in(target, lambda: _planned(target, chosen, accepted), "projects", "suggest", apply=apply)


def _planned(
    folder: Path, chosen: pd.DataFrame, accepted: Mapping[str, Mapping[str, str]]
) -> tuple[pd.DataFrame, dict[str, bytes]]:
    district = District.load(folder)
    rows = district.rows.get("projects")
    known = set() if rows is None else set(map(str, rows.index))
    fresh = chosen[~chosen.index.isin(known)]
    changes = [(key, "新增" if key in fresh.index else "没变", "", "", row["name"]) for key, row in chosen.iterrows()]
    told = pd.DataFrame(changes, columns=["row", "change", "column", "before", "after"], dtype="object")
    if fresh.empty:
        return told, {}
    path = folder / SUGGESTED
    note = "由 suggest 采纳的建议写成，项目库按步号引用：不要改步骤的次序，新的接在后面"
    plan = Scenario.read(path) if path.is_file() else Scenario(path.stem, "采纳的建议", note=note)
    steps = [*plan.edits]
    edits = []
    for key, row in fresh.iterrows():
        step = ""
        if row["edit"] is not None:
            steps.append(row["edit"])
            step = f"{plan.name}#{len(steps)}"
        given = accepted[str(key)]
        costed = any(given.get(column) for column in ("cost_low", "cost_high"))
        said = {} if costed else {"note": "造价待填"}
        edits.append(Edit(None, {**dict(_cells(str(key), row, step)), **said, **given}))
    layer, entry = LAYERS["projects"], district.manifest["layers"].get("projects")
    made = new_files(LayerFile(folder, layer, entry, district.manifest), Changes(edits, set(), "derived", "采纳的建议"))
    if len(steps) > len(plan.edits):
        grown = Scenario(plan.name, plan.label, tuple(steps), plan.year, plan.planned, plan.note)
        made = {SUGGESTED: grown.text().encode(), **made}
    return told, made


def _cells(key: str, row: pd.Series, step: str) -> Iterator[tuple[str, object]]:
    """Yield the cells of a project; what is not known is left out."""
    urgency = URGENCIES.get(row["urgency"], "")
    people = None if step or pd.isna(row["people"]) else float(row["people"])
    cells = {
        "project": key,
        "name": row["name"],
        "level": row["level"],
        "problem": row["problems"],
        "reason": row["reason"],
        "kind": row["sort"],
        "homes": row["homes"],
        "people": people,
        "scope": row["scope"],
        "edits": step,
        "status": PROJECT_STATES[IDEA],
        "urgency": urgency,
        "basis": "derived",
        "source": f"suggest：{SOURCES[row['source']]}",
    }
    yield from ((column, cell) for column, cell in cells.items() if cell not in ("", None))


def ids_in(said: Sequence[str]) -> list[str]:
    """Return the ids of some texts, each of which may hold several, parted by commas or `;`."""
    return list(
        dict.fromkeys(
            key for text in said for key in listed(text.replace(",", ";").replace("，", ";").replace("、", ";"))
        )
    )
